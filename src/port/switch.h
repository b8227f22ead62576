/* switch.h - how a switch port picks its active NIC: a pure function and a table. No clock, no I/O: the caller carries out
 * what the step says, and tells back what happened as the next event.
 *
 * Source: docs/architecture.md, "The switch policy". The hold-down (too many switches) is a pure function too, with the
 * time passed in.
 */
#ifndef ANYNIC_PORT_SWITCH_H
#define ANYNIC_PORT_SWITCH_H

#include "config/spec.h"

enum switch_nic { SWITCH_NONE, SWITCH_LEGACY, SWITCH_PERFORMANT, SWITCH_NIC_COUNT };

enum switch_event {
	LEGACY_READY,
	LEGACY_LOST, /* leaves ready: unload, reset, failure */
	PERFORMANT_READY,
	PERFORMANT_LOST,
	SWITCH_TIMER, /* legacy-delay has passed */
	SWITCH_RESET, /* the guest was reset */
	HOLD_ENDED,   /* the hold-down is over: choose again */
	MODE_AUTO,    /* an administrator gave the choice back */
	SWITCH_EVENT_COUNT
};

/* What query-ports calls `reason`. */
enum switch_reason {
	REASON_NONE,
	REASON_PERFORMANT_READY,
	REASON_LEGACY_TIMER,
	REASON_PERFORMANT_LOST,
	REASON_LEGACY_LOST,
	REASON_RESET,
	REASON_MANUAL,
	REASON_BACKEND,
	REASON_TRANSIENT_READY, /* of a team, as the next two */
	REASON_TRANSIENT_LOST,
	REASON_UNPLUG,
	SWITCH_REASON_COUNT
};

extern const char *const switch_nic_names[SWITCH_NIC_COUNT];
extern const char *const switch_event_names[SWITCH_EVENT_COUNT];
extern const char *const switch_reason_names[SWITCH_REASON_COUNT]; /* "performant-ready", ... */

/* All that the choice depends on. */
struct switch_state {
	enum switch_nic active;
	bool legacy_ready;
	bool performant_ready;
	bool waiting; /* the legacy timer runs */
	bool held;    /* keep the current choice while it works */
	bool manual;  /* an administrator rules: only bookkeeping happens */
};

enum switch_timer { TIMER_KEEP, TIMER_START, TIMER_STOP };

struct switch_step {
	struct switch_state next;
	bool switched; /* next.active differs: set links so that only next.active is up */
	enum switch_timer timer;
	enum switch_reason reason; /* why it switched */
};

struct switch_step switch_next(struct switch_state now, enum switch_event event);

/* Hold-down: more than `count` switches in `window_ns` hold the choice for a time that doubles from 5 s to 5 min while it goes
 * on, and starts again from 5 s after a quiet spell of twice the window. */
#define HOLD_MIN_NS (5ull * 1000000000ull)
#define HOLD_MAX_NS (300ull * 1000000000ull)

struct switch_hold {
	unsigned count; /* 0 = never hold */
	uint64_t window_ns;
	uint64_t when[HOLD_COUNT_MAX + 1]; /* times of the last switches, a ring */
	unsigned switches;		   /* all so far */
	uint64_t last_hold_ns;		   /* length of the last hold; 0 = none yet */
	uint64_t held_until_ns;		   /* 0 = not held */
};

void switch_hold_init(struct switch_hold *h, unsigned count, unsigned seconds);

/* Notes a switch at `now`. Returns how many ns to hold from now on, 0 = go on. */
uint64_t switch_hold_note(struct switch_hold *h, uint64_t now);

/* Forgets the past: the guest was reset by hand, or the mode was set. */
void switch_hold_clear(struct switch_hold *h);

#endif
