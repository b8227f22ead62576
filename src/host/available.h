/* available.h - whether a backend can be had on this host, by this user, as far as that can be told without making anything. */
#ifndef ANYNIC_HOST_AVAILABLE_H
#define ANYNIC_HOST_AVAILABLE_H

#include "base/error.h"

/* Each: 0, or -ENOTSUP and what is missing in `err`. */
int host_has_tap(struct error *err);	/* an existing tap may be opened */
int host_has_bridge(struct error *err); /* taps may be made and put on bridges */
int host_has_macvtap(struct error *err);
int host_has_user(struct error *err);
int host_has_passt(struct error *err);

#endif
