#include "port/team.h"

#include <string.h>

const char *const team_nic_names[] = {
	[TEAM_NONE] = "none", [TEAM_PERSISTENT] = "persistent", [TEAM_TRANSIENT] = "transient"
};
NAMES_MATCH(team_nic_names, TEAM_NIC_COUNT);

const char *const team_event_names[] = {
	[TEAM_PERSISTENT_READY] = "persistent-ready",
	[TEAM_PERSISTENT_LOST] = "persistent-lost",
	[TEAM_TRANSIENT_READY] = "transient-ready",
	[TEAM_TRANSIENT_LOST] = "transient-lost",
	[TEAM_PAIRED] = "paired",
	[TEAM_NOT_PAIRED] = "not-paired",
	[TEAM_PLUGGED] = "plugged",
	[TEAM_UNPLUGGED] = "unplugged",
	[TEAM_TAKE_OUT] = "take-out",
	[TEAM_PUT_BACK] = "put-back",
	[TEAM_HOLD_ENDED] = "hold-ended",
	[TEAM_ADMIN] = "admin",
	[TEAM_RESET] = "reset",
};
NAMES_MATCH(team_event_names, TEAM_EVENT_COUNT);

/* These two are read as tables. */
/* clang-format off */

/* What an event makes true before anything is decided: 1 yes, 0 no, -1 as it was. `holds`: a transient card that carried traffic comes back
 * after a hold-down only. */
static const struct {
	int8_t persistent, transient, paired, plugged, held, out;
	bool holds;
	enum switch_reason reason;
} facts[] = {
	/*                           persi trans pair  plug  held  out   holds */
	[TEAM_PERSISTENT_READY] = {   1,   -1,   -1,   -1,   -1,   -1,  false, REASON_NONE },
	[TEAM_PERSISTENT_LOST] =  {   0,   -1,   -1,   -1,   -1,   -1,  false, REASON_NONE },
	[TEAM_TRANSIENT_READY] =  {  -1,    1,   -1,   -1,   -1,   -1,  false, REASON_TRANSIENT_READY },
	[TEAM_TRANSIENT_LOST] =   {  -1,    0,   -1,   -1,   -1,   -1,  true,  REASON_TRANSIENT_LOST },
	[TEAM_PAIRED] =           {  -1,   -1,    1,   -1,   -1,   -1,  false, REASON_TRANSIENT_READY },
	[TEAM_NOT_PAIRED] =       {  -1,   -1,    0,   -1,   -1,   -1,  false, REASON_TRANSIENT_LOST },
	[TEAM_PLUGGED] =          {  -1,   -1,   -1,    1,   -1,   -1,  false, REASON_TRANSIENT_READY },
	[TEAM_UNPLUGGED] =        {  -1,    0,   -1,    0,   -1,   -1,  true,  REASON_UNPLUG },
	[TEAM_TAKE_OUT] =         {  -1,   -1,   -1,   -1,    0,    1,  false, REASON_UNPLUG },
	[TEAM_PUT_BACK] =         {  -1,   -1,   -1,   -1,   -1,    0,  false, REASON_TRANSIENT_READY },
	[TEAM_HOLD_ENDED] =       {  -1,   -1,   -1,   -1,    0,   -1,  false, REASON_TRANSIENT_READY },
	[TEAM_ADMIN] =            {  -1,   -1,   -1,   -1,    0,   -1,  false, REASON_MANUAL },
	[TEAM_RESET] =            {   0,    0,    0,   -1,    0,   -1,  false, REASON_RESET },
};
_Static_assert(ARRAY_SIZE(facts) == TEAM_EVENT_COUNT, "every event has its facts");

/* The table of the policy: the transient card's link, where the guest sends, where it reads. "Free" is a card that is plugged, not held
 * and not taken out. A held card whose driver is ready has no link, so that the guest sends elsewhere, but the guest reads it. */
struct choice {
	bool link;
	enum team_nic active, receive;
};
#define P TEAM_PERSISTENT
#define T TEAM_TRANSIENT
static const struct choice table[2][2][2] = {
	/* [paired][free][driver of the transient card is ready] */
	/* alone, not free */   { { { false, P, P }, { false, P, P } },
	/* alone, free */         { { false, P, P }, { false, P, P } } },
	/* paired, not free */  { { { false, P, P }, { false, P, T } },
	/* paired, free */        { { true,  P, P }, { true,  T, T } } },
};
#undef P
#undef T
/* clang-format on */

static void learn(bool *fact, int8_t value)
{
	if (value >= 0)
		*fact = value == 1;
}

static bool wished(enum link_wish wish, bool otherwise)
{
	return wish == LINK_AUTO ? otherwise : wish == LINK_UP;
}

/* An administrator's word comes last: a path without a link is no path to send on. */
static void decide(struct team_state *s)
{
	bool unbound = s->plugged && !s->held && !s->out;
	const struct choice *c = &table[s->paired][unbound][s->transient_ready];
	bool persistent = wished(s->wish[TEAM_PERSISTENT], true);
	bool transient = wished(s->wish[TEAM_TRANSIENT], c->link);

	s->link[TEAM_PERSISTENT] = persistent;
	s->link[TEAM_TRANSIENT] = transient;
	if (transient && (c->active == TEAM_TRANSIENT || !persistent))
		s->active = TEAM_TRANSIENT;
	else
		s->active = persistent ? TEAM_PERSISTENT : TEAM_NONE;
	/* with no link at all nothing goes in either */
	s->receive = s->active == TEAM_NONE	    ? TEAM_NONE
		     : c->receive == TEAM_TRANSIENT ? TEAM_TRANSIENT
						    : s->active;
}

static bool differs(const struct team_state *a, const struct team_state *b)
{
	return a->active != b->active || a->receive != b->receive ||
	       memcmp(a->link, b->link, sizeof(a->link)) != 0;
}

void team_init(struct team_state *s, bool plugged, bool deaf)
{
	*s = (struct team_state){ .plugged = plugged, .deaf = deaf };
	decide(s);
}

struct team_step team_next(struct team_state now, enum team_event event)
{
	struct team_step step = { .next = now };
	struct team_state *s = &step.next;

	learn(&s->persistent_ready, facts[event].persistent);
	learn(&s->transient_ready, facts[event].transient);
	learn(&s->paired, facts[event].paired);
	learn(&s->plugged, facts[event].plugged);
	learn(&s->held, facts[event].held);
	learn(&s->out, facts[event].out);
	/* a card that was taken out comes back when it is put back, not when a timer ends */
	if (facts[event].holds && !s->deaf && now.active == TEAM_TRANSIENT && !s->out &&
	    !team_is_manual(s)) {
		step.hold = true;
		s->held = true;
	}
	step.stop_hold = now.held && !s->held;
	decide(s);
	step.moved = differs(s, &now);
	step.announce = s->active != now.active && s->active != TEAM_NONE;
	step.reason = s->active != now.active ? facts[event].reason : REASON_NONE;
	return step;
}

bool team_is_manual(const struct team_state *s)
{
	return s->wish[TEAM_PERSISTENT] != LINK_AUTO || s->wish[TEAM_TRANSIENT] != LINK_AUTO;
}
