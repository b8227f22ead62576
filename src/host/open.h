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
#include "host/undo.h"

/* What is wanted, and for whom. */
struct backend_request {
	const struct backend_spec *spec; /* its fds (fd=) are taken, also on failure */
	const char *guest;		 /* name */
	const char *port;		 /* id */
	const struct nic_spec *nic;	 /* of a function that is handed on: its card; else NULL */
	enum link_wish link;		 /* of the port */
	uint8_t mac[MAC_LEN];		 /* of the port */
	unsigned queues;   /* queue pairs that its NICs could use; fewer may come out. 0 = 1 */
	bool again;	   /* the guest runs, and lost it: nobody is waited for long */
	bool granted;	   /* anynic-helper opens it for a user without rights */
	bool unset;	   /* of a function: its MAC and VLAN are set later (host/hostdev.h) */
	bool theirs;	   /* somebody else's tap: it is not made when it is not there */
	struct undo *undo; /* journal of what would outlive us; NULL = none is kept */
};

#define OPENED_STEPS 3

struct opened_backend {
	char type[MODEL_MAX]; /* what it is, as status says it: "bridge" */
	char served
		[MODEL_MAX]; /* the backend of the datapath that works on the descriptors: "tap" */
	char reason[160];    /* what a person must know of the choice; empty = nothing */
	int fds[QUEUES_MAX];
	unsigned nfds;
	int vhost[QUEUES_MAX]; /* of the kernel's vhost-net, for as many queues; see host/vhost.h */
	unsigned vhosts;
	pid_t pid; /* the process behind it; 0 = none. pidfd is readable when it has ended: see child.h */
	int pidfd;	  /* -1 = none */
	char program[16]; /* its name, for people */
	int log;	  /* what it wrote on standard error; -1 = nothing is kept */
	bool waiting;	  /* it is not ready: host_backend_ready */
	char ifname[16];  /* tap: the interface in use */
	uint16_t mtu;	  /* of the interface; 0 = unknown */
	unsigned ifindex; /* of it, in our network namespace; 0 = none, or it is elsewhere */
	unsigned
		below; /* the Linux bridge that it is in, or the device that it sits on; 0 = none */
	bool made;     /* the interface was made for us and goes with its descriptors */
	int helper;    /* connection to the anynic-helper that made it; 0 = we did, or nobody */
	char pci[16];  /* of a function that is handed on: "0000:03:10.2" */
	char unlink_path[PATH_ROOM];	     /* stream server: its socket; empty = none */
	struct undo *journal;		     /* the request's */
	struct undo_step step[OPENED_STEPS]; /* what closing takes back, last first */
	long mark[OPENED_STEPS];
	unsigned steps;
};

/* Waits until the process behind it, if there is one, is ready. On failure `out` is closed and `err` says what, why and the next
 * step. */
int host_backend_open(const struct backend_request *request, struct opened_backend *out,
		      struct error *err);

/* The same without waiting: while out->waiting, call host_backend_ready whenever fds[0] is readable. */
int host_backend_start(const struct backend_request *request, struct opened_backend *out,
		       struct error *err);

#define HOST_READY_MS 10000 /* what a process may need until it is ready */

/* 1 = ready, 0 = not yet; on failure `o` is closed. */
int host_backend_ready(struct opened_backend *o, struct error *err);

/* Whether that would work, as far as it can be seen: opens and makes nothing. Errors as those of opening it. */
int host_backend_look(const struct backend_request *request, struct error *err);

/* It can be opened once more when its other side went, or the process behind it: MSG_BACKEND_RENEW takes the new descriptor. */
bool host_backend_returns(const struct backend_spec *spec);

/* How many taps it can have: with an iface-id (Open vSwitch), one. A tap is one card's when QEMU or the kernel has its frames in hand. */
enum backend_taps { TAPS_NONE, TAPS_ONE, TAPS_ANY };

enum backend_taps host_backend_taps(const struct backend_spec *spec);

/* One row for each type; anynic backends lists them in this order. */
struct host_backend {
	const char *name;
	const char *served;  /* the datapath's backend behind it */
	const char *summary; /* NULL = as the datapath's backend says */
	const char *keys; /* of --nic that mean something for it, blanks around each; NULL = none */
	enum backend_taps taps;
	int (*open)(const struct backend_request *request, struct opened_backend *out,
		    struct error *err);
	int (*look)(const struct backend_request *request,
		    struct error *err); /* NULL = nothing to see */
	bool returns;			/* see host_backend_returns */
	int (*ready)(struct opened_backend *o,
		     struct error *err);   /* 1, 0 = not yet; NULL = it is ready when it is open */
	int (*missing)(struct error *err); /* 0 = it can be had here (available.h); NULL = always */
	bool helped;			   /* anynic-helper opens it for those who lack the right */
	bool xml_only; /* QEMU's own netdev, which libvirt's XML has and --nic has not */
};
extern const struct host_backend host_backends[];
extern const unsigned host_backend_count;

/* For openers: what is about to be made, and how it is taken back. Goes to the journal, if there is one. */
int opened_backend_note(struct opened_backend *o, const struct undo_step *step, struct error *err);
void opened_backend_forget(struct opened_backend *o); /* the last one was not made after all */

/* The datapath has its copies. */
void opened_backend_close_fds(struct opened_backend *o);

/* Also ends and reaps the process, and removes the socket's path. Accepts a closed one. */
void opened_backend_close(struct opened_backend *o);

/* What a person must know of a backend that works ("the host cannot reach the guest through it"), or "". Opens nothing. */
const char *host_backend_remark(const struct backend_spec *spec);

#endif
