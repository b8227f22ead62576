/* commands.h - the commands of the control socket: one row each in commands.c. */
#ifndef ANYNIC_CONTROL_COMMANDS_H
#define ANYNIC_CONTROL_COMMANDS_H

#include "control/control.h"
#include "control/qmp.h"

#define COMMANDS_WAITING 64 /* at most one for each client */

/* What QEMU may take for a port: of a function it pins the guest's memory, and answers nothing meanwhile. */
#define PLUG_SECONDS	   60
#define UNPLUG_SECONDS	   30 /* what a guest may take to let go of a card */
#define PLUG_SECONDS_MAX   3600
#define UNPLUG_SECONDS_MAX 3600

/* A port that shall come or go: of port-add and port-del, for whoever can open and plug one. Texts are valid until it is answered. */
struct port_order {
	uint64_t client;
	bool remove;
	const char *nic;       /* as after --nic; or NULL */
	const char *interface; /* XML; or NULL */
	const char *place;     /* as after --place; or NULL */
	json_object *networks; /* array of XML texts; or NULL */
	const char *port;      /* which one goes */
	unsigned seconds;      /* how long QEMU, or the guest, may take */
};

/* Answers clients. A query that wants counters waits until the datapath has sent them. */
struct commands {
	struct control *control;   /* borrowed */
	struct qmp_server *server; /* borrowed */
	struct {
		uint64_t client;
		char port[ID_MAX];
	} waiting[COMMANDS_WAITING];
	unsigned waiting_count;
	struct port_order order[COMMANDS_WAITING];
	unsigned orders;
	uint32_t counters_seq; /* of the request under way; 0 = none */
	struct loop_timer timer;
};

void commands_init(struct commands *c, struct control *control, struct qmp_server *server);
void commands_finish(struct commands *c); /* accepts a zeroed one */

/* Answers whatever clients ask now. False: nobody asked. To be called again once somebody was answered elsewhere. */
bool commands_serve(struct commands *c);

/* What shall come or go, oldest first; each is answered once, now or later. Client 0 is nobody. */
bool commands_next_order(struct commands *c, struct port_order *order);
void commands_order_done(struct commands *c, uint64_t client, json_object *value); /* takes it */
void commands_order_failed(struct commands *c, uint64_t client, const struct error *err);

/* The datapath answered the command `seq`, or the wait for it is over (KIND_COUNTERS_TIMER; seq 0), or it is gone (seq 0). */
void commands_counters_came(struct commands *c, uint32_t seq);

#endif
