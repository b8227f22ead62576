/* datapath.h - control's end of the datapath process: starts it, talks to it, notices its end. */
#ifndef ANYNIC_CONTROL_DATAPATH_H
#define ANYNIC_CONTROL_DATAPATH_H

#include <sys/types.h>

#include "ipc/message.h"

#define DATAPATH_FD 3 /* where the process finds its socket */

struct datapath {
	int sock;	       /* -1 = gone */
	pid_t pid;	       /* 0 = none of ours (tests) */
	int pid_fd;	       /* readable when the process has ended; -1 = none */
	uint32_t seq;	       /* of the last command */
	struct message **kept; /* reports that came while a call waited for its reply */
	unsigned kept_count, kept_at, kept_room;
	char why[160]; /* why it is gone; empty while it lives */
};

/* Starts the program `path` with its socket as descriptor 3 and this many workers. */
int datapath_start(struct datapath *d, const char *path, unsigned workers, struct error *err);

/* Talks over a socket that is there already. Takes it. */
void datapath_adopt(struct datapath *d, int sock);

/* Asks it to end, waits shortly, then kills it. Accepts a zeroed one. */
void datapath_finish(struct datapath *d);

/* Sends a command without waiting. Returns its sequence number, or 0 when the datapath is gone or does not read. */
uint32_t datapath_send(struct datapath *d, enum message_type type, const void *body, size_t len);
uint32_t datapath_send_fds(struct datapath *d, enum message_type type, const void *body, size_t len,
			   const int *fds, unsigned nfds);

/* Waits for the answer to a command; everything else that comes meanwhile is kept for datapath_receive. `until` is MSG_REPLY, or
 * MSG_STARTED for MSG_START. 0 or negative errno (the datapath's own, or -ETIMEDOUT, -EPIPE). */
int datapath_wait(struct datapath *d, uint32_t seq, enum message_type until, struct error *err);

/* True when datapath_receive has messages that no descriptor tells of. */
bool datapath_has_kept(const struct datapath *d);

/* The next report or reply: 1, 0 = none for now, -EPIPE = the datapath is gone (d->why says why). */
int datapath_receive(struct datapath *d, struct message *m);

/* The process has ended (pid_fd is readable), or its socket has: notes why. */
void datapath_ended(struct datapath *d);

#endif
