#include "qemu/migrate.h"

#include <string.h>

const char *const migrate_state_names[] = {
	[MIGRATE_IDLE] = "idle",	   [MIGRATE_PREPARING] = "preparing",
	[MIGRATE_EMPTYING] = "unplugging", /* for people it is one thing */
	[MIGRATE_STARTING] = "starting",   [MIGRATE_UNPLUGGING] = "unplugging",
	[MIGRATE_MOVING] = "moving",	   [MIGRATE_CANCELLING] = "cancelling",
	[MIGRATE_RESTORING] = "restoring", [MIGRATE_DONE] = "completed",
	[MIGRATE_FAILED] = "failed",
};
NAMES_MATCH(migrate_state_names, MIGRATE_STATE_COUNT);

const char *const migrate_event_names[] = {
	[MIGRATE_BEGIN] = "begin",     [MIGRATE_ACCEPTED] = "accepted",
	[MIGRATE_REFUSED] = "refused", [MIGRATE_HOLDS] = "holds",
	[MIGRATE_LET_GO] = "let-go",   [MIGRATE_WAITS] = "waits",
	[MIGRATE_GOES_ON] = "goes-on", [MIGRATE_COMPLETED] = "completed",
	[MIGRATE_STOPPED] = "stopped", [MIGRATE_STUCK] = "stuck",
	[MIGRATE_CANCEL] = "cancel",   [MIGRATE_RESTORED] = "restored",
	[MIGRATE_LOST] = "lost",
};
NAMES_MATCH(migrate_event_names, MIGRATE_EVENT_COUNT);

const char *const migrate_action_names[] = {
	[MIGRATE_NOTHING] = "nothing",	 [MIGRATE_TELL_HOW] = "tell-how",
	[MIGRATE_EMPTY] = "empty",	 [MIGRATE_TELL_WHERE] = "tell-where",
	[MIGRATE_TAKE_OUT] = "take-out", [MIGRATE_TELL_CANCEL] = "tell-cancel",
	[MIGRATE_PUT_BACK] = "put-back", [MIGRATE_CLEAN_UP] = "clean-up",
	[MIGRATE_GIVE_UP] = "give-up",
};
NAMES_MATCH(migrate_action_names, MIGRATE_ACTION_COUNT);

#define STATES(s) (1u << MIGRATE_##s)
#define UNDER_WAY (STATES(UNPLUGGING) | STATES(MOVING))

/* clang-format off */
static const struct row {
	unsigned in; /* states */
	enum migrate_event event;
	struct migrate_step step;
} rows[] = {
	{ STATES(IDLE) | STATES(FAILED),    MIGRATE_BEGIN,     { MIGRATE_PREPARING,  MIGRATE_TELL_HOW } },
	{ STATES(PREPARING),                MIGRATE_ACCEPTED,  { MIGRATE_STARTING,   MIGRATE_TELL_WHERE } },
	{ STATES(PREPARING),                MIGRATE_REFUSED,   { MIGRATE_FAILED,     MIGRATE_GIVE_UP } },
	{ STATES(PREPARING),                MIGRATE_HOLDS,     { MIGRATE_EMPTYING,   MIGRATE_EMPTY } },
	{ STATES(EMPTYING),                 MIGRATE_LET_GO,    { MIGRATE_STARTING,   MIGRATE_TELL_WHERE } },
	{ STATES(EMPTYING),                 MIGRATE_STUCK,     { MIGRATE_RESTORING,  MIGRATE_PUT_BACK } },
	{ STATES(EMPTYING),                 MIGRATE_CANCEL,    { MIGRATE_RESTORING,  MIGRATE_PUT_BACK } },
	{ STATES(STARTING),                 MIGRATE_ACCEPTED,  { MIGRATE_MOVING,     MIGRATE_NOTHING } },
	{ STATES(STARTING),                 MIGRATE_REFUSED,   { MIGRATE_RESTORING,  MIGRATE_PUT_BACK } },
	{ UNDER_WAY,                        MIGRATE_WAITS,     { MIGRATE_UNPLUGGING, MIGRATE_NOTHING } },
	{ STATES(UNPLUGGING),               MIGRATE_GOES_ON,   { MIGRATE_MOVING,     MIGRATE_TAKE_OUT } },
	/* a cancel may come too late */
	{ UNDER_WAY | STATES(CANCELLING),   MIGRATE_COMPLETED, { MIGRATE_DONE,       MIGRATE_CLEAN_UP } },
	{ UNDER_WAY | STATES(CANCELLING),   MIGRATE_STOPPED,   { MIGRATE_RESTORING,  MIGRATE_PUT_BACK } },
	/* an answer that never comes is asked away in the same way: `migrate_cancel` harms nothing that has not begun */
	{ UNDER_WAY | STATES(STARTING),     MIGRATE_STUCK,     { MIGRATE_CANCELLING, MIGRATE_TELL_CANCEL } },
	{ UNDER_WAY | STATES(STARTING),     MIGRATE_CANCEL,    { MIGRATE_CANCELLING, MIGRATE_TELL_CANCEL } },
	{ STATES(PREPARING),                MIGRATE_STUCK,     { MIGRATE_FAILED,     MIGRATE_GIVE_UP } },
	{ STATES(PREPARING),                MIGRATE_CANCEL,    { MIGRATE_FAILED,     MIGRATE_GIVE_UP } },
	/* a guest that does not run does not end QEMU's wait for it either; put back all the same */
	{ STATES(CANCELLING),               MIGRATE_STUCK,     { MIGRATE_RESTORING,  MIGRATE_PUT_BACK } },
	{ STATES(RESTORING),                MIGRATE_RESTORED,  { MIGRATE_FAILED,     MIGRATE_GIVE_UP } },
	{ STATES(RESTORING),                MIGRATE_STUCK,     { MIGRATE_FAILED,     MIGRATE_GIVE_UP } },
	{ ~(STATES(IDLE) | STATES(DONE) | STATES(FAILED)),
	                                    MIGRATE_LOST,      { MIGRATE_FAILED,     MIGRATE_GIVE_UP } },
};
/* clang-format on */

struct migrate_step migrate_next(enum migrate_state now, enum migrate_event event)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].event == event && (rows[i].in & BIT(now)))
			return rows[i].step;
	return (struct migrate_step){ now, MIGRATE_NOTHING };
}

enum migrate_event migrate_status_event(const char *status)
{
	static const struct {
		const char *status;
		enum migrate_event event;
	} words[] = {
		{ "wait-unplug", MIGRATE_WAITS },      { "completed", MIGRATE_COMPLETED },
		{ "failed", MIGRATE_STOPPED },	       { "cancelled", MIGRATE_STOPPED },
		{ "cancelling", MIGRATE_EVENT_COUNT }, /* neither goes on nor has ended */
		{ "failing", MIGRATE_EVENT_COUNT },
	};

	for (unsigned i = 0; status && i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].status, status) == 0)
			return words[i].event;
	return MIGRATE_GOES_ON;
}
