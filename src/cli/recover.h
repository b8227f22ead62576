/* recover.h - a port's backend comes back: when the process behind it, or the other side of its socket, went, or its tap was deleted, it
 * is opened again, more patiently each time, and the datapath gets the new descriptors. Nothing here waits: a process that starts is
 * looked at when its socket says something, and a link is made only when what it needs is there.
 */
#ifndef ANYNIC_CLI_RECOVER_H
#define ANYNIC_CLI_RECOVER_H

#include "loop/loop.h"

struct service;

enum recovery_state {
	RECOVERY_NONE,	   /* the backend is up, or nothing can be done */
	RECOVERY_PAUSE,	   /* until the next attempt */
	RECOVERY_STARTING, /* its process is not ready yet */
	RECOVERY_TOLD,	   /* the datapath has the descriptor and has not said yet that it is up */
	RECOVERY_STATE_COUNT
};

struct recovery {
	enum recovery_state state;
	unsigned port;
	struct loop_timer timer;
	struct loop_source ready; /* while it starts */
	uint64_t pause_ns;	  /* the last one */
	uint64_t up_ns;		  /* since when it is back; 0 = it was not lost, or is not back */
	char why[256];		  /* of the last failure */
};

void recovery_init(struct recovery *r, unsigned port);
void recovery_stop(struct service *s, struct recovery *r);

/* The process behind the port's backend has ended. */
void recover_process_ended(struct service *s, unsigned port);

/* The datapath told that some backend went down or is up, or the host that links changed. */
void recover_look(struct service *s);

void recover_timer(struct service *s, struct recovery *r);
void recover_ready(struct service *s, struct recovery *r);

#endif
