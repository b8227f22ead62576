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

struct undo;

/* What is wanted, and for whom. */
struct backend_request {
	const struct backend_spec *spec; /* its fds (fd=) are taken, also on failure */
	const char *guest;		 /* name */
	const char *port;		 /* id */
	uint8_t mac[MAC_LEN];		 /* of the port */
	unsigned queues;   /* queue pairs that its NICs could use; fewer may come out. 0 = 1 */
	struct undo *undo; /* journal of what would outlive us; NULL = none is kept */
};

struct opened_backend {
	char type[MODEL_MAX]; /* what it is, as status says it: "bridge" */
	char served
		[MODEL_MAX]; /* the backend of the datapath that works on the descriptors: "tap" */
	char reason[160];    /* what a person must know of the choice; empty = nothing */
	int fds[QUEUES_MAX];
	unsigned nfds;
	pid_t pid; /* the process behind it; 0 = none. The caller reaps it when pidfd is readable. */
	int pidfd;	 /* -1 = none */
	char ifname[16]; /* tap: the interface in use */
	uint16_t mtu;	 /* of the interface; 0 = unknown */
	bool made;	 /* the interface was made for us and goes with its descriptors */
	char unlink_path[PATH_ROOM]; /* stream server: its socket; empty = none */
};

/* On failure `out` is closed and `err` says what, why and the next step. */
int host_backend_open(const struct backend_request *request, struct opened_backend *out,
		      struct error *err);

/* One row for each type; anynic backends lists them in this order. */
struct host_backend {
	const char *name;
	const char *served;  /* the datapath's backend behind it */
	const char *summary; /* NULL = as the datapath's backend says */
	int (*open)(const struct backend_request *request, struct opened_backend *out,
		    struct error *err);
};
extern const struct host_backend host_backends[];
extern const unsigned host_backend_count;

/* The datapath has its copies. */
void opened_backend_close_fds(struct opened_backend *o);

/* Also ends and reaps the process, and removes the socket's path. Accepts a closed one. */
void opened_backend_close(struct opened_backend *o);

#endif
