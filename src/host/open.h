/* open.h - opens what a backend needs, in the control process: the datapath only ever gets descriptors.
 *
 * What comes out belongs to the caller: hand the descriptors to the datapath and close them here (opened_backend_close_fds),
 * keep the rest until the port goes (opened_backend_close).
 */
#ifndef ANYNIC_HOST_OPEN_H
#define ANYNIC_HOST_OPEN_H

#include <sys/types.h>

#include "base/error.h"
#include "config/spec.h"

struct opened_backend {
	int fds[QUEUES_MAX];
	unsigned nfds;
	pid_t pid; /* the process behind it; 0 = none. The caller reaps it when pidfd is readable. */
	int pidfd;	 /* -1 = none */
	char ifname[16]; /* tap: the interface in use */
	uint16_t mtu;	 /* of the interface; 0 = unknown */
	bool made;	 /* the interface was made for us and goes with its descriptors */
	char unlink_path[PATH_ROOM]; /* stream server: its socket; empty = none */
};

/* `queues` is how many queue pairs the port's NICs could use; fewer may come out. Takes spec->fds (fd=), also on failure.
 * On failure `out` is closed and `err` says what, why and the next step. */
int host_backend_open(const struct backend_spec *spec, const char *port_id, unsigned queues,
		      struct opened_backend *out, struct error *err);

/* The datapath has its copies. */
void opened_backend_close_fds(struct opened_backend *o);

/* Also ends and reaps the process, and removes the socket's path. Accepts a closed one. */
void opened_backend_close(struct opened_backend *o);

#endif
