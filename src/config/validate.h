/* validate.h - do these ports fit together, and can this version do them? Pure checks, nothing is opened.
 *
 * -EINVAL: wrong (exit 2). -ENOTSUP: a later version brings it (exit 4). err->where is "port ID".
 */
#ifndef ANYNIC_CONFIG_VALIDATE_H
#define ANYNIC_CONFIG_VALIDATE_H

#include "base/error.h"
#include "config/known.h"
#include "config/spec.h"

/* All ports of one guest, after ports_complete. */
int ports_validate(const struct port_spec *ports, unsigned count, const struct known *known,
		   struct error *err);

/* The last one, which comes to those that are valid. `count` is at least 1. */
int ports_validate_last(const struct port_spec *ports, unsigned count, const struct known *known,
			struct error *err);

/* A guest's name becomes a file name: letters, digits and . _ -, no leading dot or dash, at most 63. */
bool guest_name_is_legal(const char *name);

#endif
