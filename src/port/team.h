/* team.h - which path of a team carries traffic: a pure function and a table. No clock, no I/O: the caller carries out what the step
 * says, and tells back what happened as the next event.
 *
 * The guest pairs the two cards itself (Linux: net_failover): one interface, which sends on the transient card while that has a
 * link, else on the persistent one. It reads the transient card for as long as it has a driver for it, whatever its link is, and the
 * persistent one only without: so a team has a path for each direction. The persistent card never loses its link to the policy. The
 * transient card has one while the guest pairs; what a guest that does not pair sees of it, if anything, is a card without a link.
 */
#ifndef ANYNIC_PORT_TEAM_H
#define ANYNIC_PORT_TEAM_H

#include "config/spec.h"
#include "port/switch.h"

enum team_nic { TEAM_NONE, TEAM_PERSISTENT, TEAM_TRANSIENT, TEAM_NIC_COUNT };

enum team_event {
	TEAM_PERSISTENT_READY,
	TEAM_PERSISTENT_LOST,
	TEAM_TRANSIENT_READY,
	TEAM_TRANSIENT_LOST, /* leaves ready: unload, failure */
	TEAM_PAIRED,	     /* the guest's virtio driver took STANDBY */
	TEAM_NOT_PAIRED,     /* it runs without */
	TEAM_PLUGGED,	     /* the guest can see the transient card */
	TEAM_UNPLUGGED,
	TEAM_TAKE_OUT, /* the transient card shall go: a migration begins, an administrator says so */
	TEAM_PUT_BACK,	 /* it may come again */
	TEAM_HOLD_ENDED, /* the hold-down is over: the transient card may carry traffic again */
	TEAM_ADMIN,	 /* `wish` was set */
	TEAM_RESET,	 /* the guest was reset */
	TEAM_EVENT_COUNT
};

extern const char *const team_nic_names[TEAM_NIC_COUNT];
extern const char *const team_event_names[TEAM_EVENT_COUNT];

/* All that the choice depends on, and the choice. */
struct team_state {
	bool persistent_ready;
	bool transient_ready;
	bool paired;
	bool plugged;
	bool held; /* the hold-down runs */
	bool out;  /* taken out */
	bool deaf; /* the transient card hears nothing without a link (QEMU\'s own, the host\'s): it is not held by its link */
	enum link_wish wish[TEAM_NIC_COUNT]; /* of an administrator */

	bool link[TEAM_NIC_COUNT];
	enum team_nic active;  /* where the guest sends */
	enum team_nic receive; /* where it reads */
};

struct team_step {
	struct team_state next;
	bool moved;	/* links or paths of `next` differ from those before */
	bool hold;	/* begin a hold-down: the caller knows how long */
	bool stop_hold; /* it is not waited for any more */
	bool announce; /* another path carries traffic: where the paths are two ports of a switch, the host tells it */
	enum switch_reason reason;
};

/* A team whose persistent card has its link, in a guest of which nothing is known. */
void team_init(struct team_state *s, bool plugged, bool deaf);

struct team_step team_next(struct team_state now, enum team_event event);

bool team_is_manual(const struct team_state *s);

/* How long a return to the transient card waits after it was lost. Flapping makes it longer: switch_hold of switch.h. */
#define TEAM_RETURN_NS (2ull * 1000000000ull)

#endif
