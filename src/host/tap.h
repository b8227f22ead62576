/* tap.h - tap interfaces: an existing one, one made for the port, or descriptors that somebody opened for us. */
#ifndef ANYNIC_HOST_TAP_H
#define ANYNIC_HOST_TAP_H

#include "host/open.h"

#define HOST_TAP_NAME "anynic%d" /* when nobody chose one: the kernel counts */

int host_tap_open(const struct backend_request *request, struct opened_backend *out,
		  struct error *err);

/* What of its failures can be seen without opening it. */
int host_tap_look(const struct backend_request *request, struct error *err);

/* A new tap of `node` (empty: of the usual one), down, for as many queues; it goes with its descriptors. `name` may end in %d. Fills fds,
 * ifname and made. */
int host_tap_make(const char *node, const char *name, unsigned queues, struct opened_backend *out,
		  struct error *err);

/* Whether taps can be made of it, as far as it can be seen. */
int host_tap_look_at_node(const char *node, struct error *err);

#endif
