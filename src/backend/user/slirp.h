/* slirp.h - libslirp between the socketpair and the host's network: frames in batches, its timers, its polling. */
#ifndef ANYNIC_BACKEND_USER_SLIRP_H
#define ANYNIC_BACKEND_USER_SLIRP_H

#include "backend/user/options.h"

struct network;

/* Makes the network and opens the forwarded ports. `sock` is borrowed. NULL with `err` when it cannot be. */
struct network *network_create(const struct user_options *o, int sock, struct error *err);
void network_destroy(struct network *n); /* NULL is fine */

/* Serves until the socketpair closes. */
void network_run(struct network *n);

#endif
