/* nic_option.h - the text of one `--nic SPEC` becomes a struct port_spec.
 *
 * Errors name the key and its legal values, and the name that was probably meant. Codes: -EINVAL what was typed is wrong
 * (exit 2); -ENOTSUP it is right but this version does not have it (exit 4).
 */
#ifndef ANYNIC_CONFIG_NIC_OPTION_H
#define ANYNIC_CONFIG_NIC_OPTION_H

#include "base/error.h"
#include "config/known.h"
#include "config/spec.h"

/* Reads one SPEC; err->where is the option. Ids and MACs that were not given stay empty: ports_complete fills them. */
int nic_option_parse(struct port_spec *port, const char *text, const struct known *known,
		     struct error *err);

/* Who the guest is, for MACs that stay the same from one start to the next. */
struct guest_identity {
	const char *machine_id; /* of /etc/machine-id; "" when there is none */
	unsigned uid;
	const char *guest; /* its name */
};

/* Gives all ports of a guest their ids (net0, net1, ...), NIC ids and MACs. */
void ports_complete(struct port_spec *ports, unsigned count, const struct guest_identity *who);

/* 52:54:00 and three bytes of a hash of the four. */
void mac_stable(const struct guest_identity *who, const char *port, uint8_t mac[MAC_LEN]);

#endif
