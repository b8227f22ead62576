#include "port/switch.h"

#include <string.h>

const char *const switch_nic_names[] = {
	[SWITCH_NONE] = "none", [SWITCH_LEGACY] = "legacy", [SWITCH_PERFORMANT] = "performant"
};
NAMES_MATCH(switch_nic_names, SWITCH_NIC_COUNT);

const char *const switch_event_names[] = {
	[LEGACY_READY] = "legacy-ready",
	[LEGACY_LOST] = "legacy-lost",
	[PERFORMANT_READY] = "performant-ready",
	[PERFORMANT_LOST] = "performant-lost",
	[SWITCH_TIMER] = "timer",
	[SWITCH_RESET] = "reset",
	[HOLD_ENDED] = "hold-ended",
	[MODE_AUTO] = "mode-auto",
};
NAMES_MATCH(switch_event_names, SWITCH_EVENT_COUNT);

const char *const switch_reason_names[] = {
	[REASON_NONE] = "none",
	[REASON_PERFORMANT_READY] = "performant-ready",
	[REASON_LEGACY_TIMER] = "legacy-timer",
	[REASON_PERFORMANT_LOST] = "performant-lost",
	[REASON_LEGACY_LOST] = "legacy-lost",
	[REASON_RESET] = "reset",
	[REASON_MANUAL] = "manual",
	[REASON_BACKEND] = "backend",
	[REASON_TRANSIENT_READY] = "transient-ready",
	[REASON_TRANSIENT_LOST] = "transient-lost",
	[REASON_UNPLUG] = "unplug",
};
NAMES_MATCH(switch_reason_names, SWITCH_REASON_COUNT);

/* These two are read as tables. */
/* clang-format off */

/* What an event makes true before anything is decided, and why a switch that follows happened. */
static const struct {
	int8_t legacy, performant;   /* 1 ready, 0 not, -1 as it was */
	enum switch_reason reason;
} facts[] = {
	[LEGACY_READY] =     {  1, -1, REASON_LEGACY_TIMER },
	[LEGACY_LOST] =      {  0, -1, REASON_LEGACY_LOST },
	[PERFORMANT_READY] = { -1,  1, REASON_PERFORMANT_READY },
	[PERFORMANT_LOST] =  { -1,  0, REASON_PERFORMANT_LOST },
	[SWITCH_TIMER] =     { -1, -1, REASON_LEGACY_TIMER },
	[SWITCH_RESET] =     {  0,  0, REASON_RESET },
	[HOLD_ENDED] =       { -1, -1, REASON_PERFORMANT_READY },
	[MODE_AUTO] =        { -1, -1, REASON_MANUAL },
};
_Static_assert(ARRAY_SIZE(facts) == SWITCH_EVENT_COUNT, "every event has its facts");

/* The table of the policy: for each event, which choice to make for (legacy ready?, performant ready?).
 *   KEEP   the active NIC stays
 *   WAIT   it stays, and the legacy timer starts unless the legacy NIC is active already
 *   BEST   performant if ready, else legacy if ready, else none; a hold keeps an active NIC that works
 *   DROP   what was lost goes down; the other one takes over only from an active one */
enum choice { KEEP, WAIT, BEST, DROP };

static const enum choice table[SWITCH_EVENT_COUNT][2][2] = {
	/*                      legacy not ready       legacy ready
	 * performant:          not    ready           not    ready  */
	[LEGACY_READY] =     { { KEEP, KEEP },       { WAIT, KEEP } },
	[LEGACY_LOST] =      { { DROP, BEST },       { KEEP, KEEP } },
	[PERFORMANT_READY] = { { KEEP, BEST },       { KEEP, BEST } },
	[PERFORMANT_LOST] =  { { DROP, KEEP },       { DROP, KEEP } },
	[SWITCH_TIMER] =     { { KEEP, KEEP },       { BEST, KEEP } },
	[SWITCH_RESET] =     { { DROP, DROP },       { DROP, DROP } },
	[HOLD_ENDED] =       { { BEST, BEST },       { BEST, BEST } },
	[MODE_AUTO] =        { { BEST, BEST },       { BEST, BEST } },
};

/* clang-format on */

static bool nic_ready(const struct switch_state *s, enum switch_nic nic)
{
	if (nic == SWITCH_NONE)
		return false;
	return nic == SWITCH_LEGACY ? s->legacy_ready : s->performant_ready;
}

static enum switch_nic best(const struct switch_state *s)
{
	return s->performant_ready ? SWITCH_PERFORMANT
	       : s->legacy_ready   ? SWITCH_LEGACY
				   : SWITCH_NONE;
}

static enum switch_nic choose(const struct switch_state *s, enum choice choice)
{
	bool works = nic_ready(s, s->active);

	switch (choice) {
	case KEEP:
	case WAIT:
		return s->active;
	case BEST:
		/* a hold keeps what works; what does not work is never kept */
		return s->held && works ? s->active : best(s);
	case DROP:
		/* from no NIC at all, only the legacy timer may bring the legacy one up */
		if (s->active == SWITCH_NONE || works)
			return s->active;
		return best(s);
	}
	return s->active;
}

struct switch_step switch_next(struct switch_state now, enum switch_event event)
{
	struct switch_step step = { .next = now, .timer = TIMER_KEEP };
	struct switch_state *s = &step.next;

	if (facts[event].legacy >= 0)
		s->legacy_ready = facts[event].legacy == 1;
	if (facts[event].performant >= 0)
		s->performant_ready = facts[event].performant == 1;
	if (event == SWITCH_TIMER)
		s->waiting = false;
	if (event == HOLD_ENDED || event == MODE_AUTO)
		s->held = false;
	if (event == MODE_AUTO)
		s->manual = false;
	if (s->manual) {
		/* bookkeeping only: the administrator's links stay, also over a guest reset */
		step.timer = s->waiting ? TIMER_STOP : TIMER_KEEP;
		s->waiting = false;
		return step;
	}
	enum choice choice = table[event][s->legacy_ready][s->performant_ready];
	s->active = choose(s, choice);
	bool wait = choice == WAIT && s->active == SWITCH_NONE;
	bool over = s->active != SWITCH_NONE || !s->legacy_ready || s->performant_ready;
	if (wait) {
		step.timer = TIMER_START;
		s->waiting = true;
	} else if (s->waiting && over) {
		step.timer = TIMER_STOP;
		s->waiting = false;
	}
	step.switched = s->active != now.active;
	step.reason = step.switched ? facts[event].reason : REASON_NONE;
	return step;
}

void switch_hold_init(struct switch_hold *h, unsigned count, unsigned seconds)
{
	*h = (struct switch_hold){ .count = MIN(count, (unsigned)HOLD_COUNT_MAX),
				   .window_ns = seconds * 1000000000ull };
}

uint64_t switch_hold_note(struct switch_hold *h, uint64_t now)
{
	unsigned ring = h->count + 1;

	if (h->count == 0)
		return 0;
	h->when[h->switches % ring] = now;
	h->switches++;
	if (h->switches < ring)
		return 0;
	/* the oldest of the last count+1 switches lies in the window: that is more than count */
	if (now - h->when[h->switches % ring] > h->window_ns)
		return 0;
	bool goes_on = h->last_hold_ns && now <= h->held_until_ns + 2 * h->window_ns;
	uint64_t hold = goes_on ? MIN(2 * h->last_hold_ns, (uint64_t)HOLD_MAX_NS) : HOLD_MIN_NS;
	h->last_hold_ns = hold;
	h->held_until_ns = now + hold;
	return hold;
}

void switch_hold_clear(struct switch_hold *h)
{
	h->switches = 0;
	h->last_hold_ns = 0;
	h->held_until_ns = 0;
	memset(h->when, 0, sizeof(h->when));
}
