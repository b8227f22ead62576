/* transient.h - the transient card of a team that is a function of this host: taken from its pool, told its MAC, plugged into the guest, taken out
 * of it, told its old MAC.
 *
 * The MAC is the function's only while the guest has the card. A card with virtual functions hands frames for a function's MAC to that
 * function, whatever the guest does with it, so that a bridge on the same card, where the team's persistent card may be, would be deaf. And
 * the MAC is there before the guest's driver is: that asks for it when it starts, and makes one up when there is none.
 *
 * So QEMU's own failover does not plug it: QEMU's line has its root port only. The owner runs the loop and calls transient_look after
 * each event.
 */
#ifndef ANYNIC_CLI_TRANSIENT_H
#define ANYNIC_CLI_TRANSIENT_H

#include "loop/loop.h"
#include "qemu/plug.h"

struct service;

struct transient {
	unsigned port;
	int nic;	     /* of the port's cards; -1 = it has no such card */
	json_object *device; /* what QEMU is asked for; NULL = it is not known yet */
	struct plug plug;
	struct loop_timer timer; /* KIND_TRANSIENT_TIMER: until it is tried again */
	bool asked;		 /* the guest was asked for it by us, also if that was given up */
	bool let_go; /* the guest let it go by itself: it comes again when its virtio driver asks for it */
};

void transient_init(struct transient *t, const struct port_spec *spec, unsigned port);
void transient_stop(struct service *s, struct transient *t); /* accepts one that never worked */

/* It cannot be had now, as `why` says: whether a guest that comes from elsewhere may start without it. Then it is tried again. */
bool transient_may_come_later(struct service *s, unsigned port, unsigned nic,
			      const struct error *why);

/* `devices` are those of qemu_arguments. */
void transient_plan(struct service *s, json_object *devices);

/* The same for one port, which was plugged: takes `device`. */
void transient_expect(struct service *s, unsigned port, json_object *device);

/* The port goes: its function shall leave the guest, or may stay after all. It has left when control's function.in is false. */
void transient_leave(struct service *s, unsigned port, bool leave);

/* What may have changed is looked at, and what follows is begun. */
void transient_look(struct service *s);

bool transient_reply(struct service *s, const struct qmp_item *item);
void transient_event(struct service *s, const char *name, json_object *data);
void transient_timer(struct service *s, struct transient *t);
void transient_monitor_gone(struct service *s);

#endif
