/* rights.h - what this process may do to the host's links. */
#ifndef ANYNIC_HOST_RIGHTS_H
#define ANYNIC_HOST_RIGHTS_H

#include <stdbool.h>

/* It has CAP_NET_ADMIN. In a user namespace that may be one over another network than ours. */
bool host_may_make_links(void);

#endif
