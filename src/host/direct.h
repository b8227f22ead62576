/* direct.h - a macvtap on a network device of the host. */
#ifndef ANYNIC_HOST_DIRECT_H
#define ANYNIC_HOST_DIRECT_H

#include "host/open.h"

int host_direct_open(const struct backend_request *request, struct opened_backend *out,
		     struct error *err);

/* What of its failures can be seen without making anything. */
int host_direct_look(const struct backend_request *request, struct error *err);

/* What the mode keeps from whom; "" of a mode that there is not. */
const char *host_direct_remark(const char *mode);

#endif
