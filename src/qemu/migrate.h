/* migrate.h - how a guest moves to another QEMU, seen from the one that it leaves: a pure function and a table. No clock, no I/O: the
 * caller carries out what the step says, and tells back what happened as the next event.
 *
 * Nothing is waited for without end: STUCK comes when nothing moved for as long as the user allows, and whatever state that finds ends
 * in DONE, or in FAILED with the guest here as it was before.
 */
#ifndef ANYNIC_QEMU_MIGRATE_H
#define ANYNIC_QEMU_MIGRATE_H

#include "base/util.h"

enum migrate_state {
	MIGRATE_IDLE,
	MIGRATE_PREPARING, /* QEMU is told how */
	MIGRATE_EMPTYING, /* the guest has to let go of functions of this host: QEMU is not asked for anything before */
	MIGRATE_STARTING,   /* ... and where to */
	MIGRATE_UNPLUGGING, /* the guest has to let go of a transient card */
	MIGRATE_MOVING,	    /* memory is copied, then the rest */
	MIGRATE_CANCELLING,
	MIGRATE_RESTORING, /* the guest stays: what was taken from it comes back */
	MIGRATE_DONE,	   /* it is elsewhere */
	MIGRATE_FAILED,	   /* it is here */
	MIGRATE_STATE_COUNT
};

enum migrate_event {
	MIGRATE_BEGIN,	   /* somebody asked for it */
	MIGRATE_ACCEPTED,  /* QEMU took the command that went before */
	MIGRATE_REFUSED,   /* it did not */
	MIGRATE_HOLDS,	   /* it did, and the guest has functions of this host */
	MIGRATE_LET_GO,	   /* it has none any more */
	MIGRATE_WAITS,	   /* QEMU's status: wait-unplug */
	MIGRATE_GOES_ON,   /* setup, active, device ... */
	MIGRATE_COMPLETED, /* completed */
	MIGRATE_STOPPED,   /* failed, cancelled, none */
	MIGRATE_STUCK,	   /* nothing moved for too long */
	MIGRATE_CANCEL,	   /* somebody does not want it any more */
	MIGRATE_RESTORED,  /* the guest is as it was */
	MIGRATE_LOST,	   /* QEMU's monitor is closed */
	MIGRATE_EVENT_COUNT
};

enum migrate_action {
	MIGRATE_NOTHING,
	MIGRATE_TELL_HOW,   /* capabilities */
	MIGRATE_EMPTY,	    /* take functions of this host out of the guest */
	MIGRATE_TELL_WHERE, /* the command */
	MIGRATE_TAKE_OUT, /* the guest has let go of transient cards: they carry nothing from now on */
	MIGRATE_TELL_CANCEL,
	MIGRATE_PUT_BACK, /* transient cards; then look whether all is as before */
	MIGRATE_CLEAN_UP, /* nothing is left to do here: QEMU ends */
	MIGRATE_GIVE_UP,  /* say why */
	MIGRATE_ACTION_COUNT
};

extern const char *const
	migrate_state_names[MIGRATE_STATE_COUNT]; /* "idle", "preparing" ... as events tell them */
extern const char *const migrate_event_names[MIGRATE_EVENT_COUNT];
extern const char *const migrate_action_names[MIGRATE_ACTION_COUNT];

struct migrate_step {
	enum migrate_state next;
	enum migrate_action action;
};

/* An event that says nothing in a state leaves it. */
struct migrate_step migrate_next(enum migrate_state now, enum migrate_event event);

/* What QEMU's query-migrate calls `status`; a word of a later QEMU is one that goes on. NULL: it has none yet. */
enum migrate_event migrate_status_event(const char *status);

static inline bool migrate_is_over(enum migrate_state s)
{
	return s == MIGRATE_IDLE || s == MIGRATE_DONE || s == MIGRATE_FAILED;
}

#endif
