/* passt.h - passt as a backend: a child of ours behind a socketpair, or one that listens on a socket (path=).
 *
 * passt makes its own sandbox (an empty root, namespaces of its own, seccomp); started by root it becomes nobody. It ends when the other
 * end of the pair closes, so it never outlives the datapath process.
 */
#ifndef ANYNIC_HOST_PASST_H
#define ANYNIC_HOST_PASST_H

#include "host/open.h"

/* Where the program is, by $PATH. -ENOTSUP when it is not there. */
int host_passt_find(char *path, size_t size, struct error *err);

/* "tcp:127.0.0.1:2222-:22" is passt's "-t 127.0.0.1/2222:22", "tcp::8000..8099-:80" its "-t 8000-8099:80-179": what stands behind -t. False:
 * it is neither. */
bool host_passt_forward(const char *hostfwd, char *to, size_t size);

/* Starts it, or connects to path=. */
int host_passt_open(const struct backend_request *request, struct opened_backend *out,
		    struct error *err);

/* 1 when it has answered the question that host_passt_open left in its socket, 0 when not yet, -EPIPE when it has ended. */
int host_passt_ready(struct opened_backend *o, struct error *err);

#endif
