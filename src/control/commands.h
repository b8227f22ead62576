/* commands.h - the commands of the control socket: one row each in commands.c. */
#ifndef ANYNIC_CONTROL_COMMANDS_H
#define ANYNIC_CONTROL_COMMANDS_H

#include "control/control.h"
#include "control/qmp.h"

#define COMMANDS_WAITING 64 /* at most one for each client */

/* Answers clients. A query that wants counters waits until the datapath has sent them. */
struct commands {
	struct control *control;   /* borrowed */
	struct qmp_server *server; /* borrowed */
	struct {
		uint64_t client;
		char port[ID_MAX];
	} waiting[COMMANDS_WAITING];
	unsigned waiting_count;
	uint32_t counters_seq; /* of the request under way; 0 = none */
	struct loop_timer timer;
};

void commands_init(struct commands *c, struct control *control, struct qmp_server *server);
void commands_finish(struct commands *c); /* accepts a zeroed one */

/* Answers whatever clients ask now. */
void commands_serve(struct commands *c);

/* The datapath answered the command `seq`, or the wait for it is over (KIND_COUNTERS_TIMER; seq 0), or it is gone (seq 0). */
void commands_counters_came(struct commands *c, uint32_t seq);

#endif
