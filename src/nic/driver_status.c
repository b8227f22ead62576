#include "nic/driver_status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const driver_state_names[] = {
	[DRIVER_NONE] = "none",
	[DRIVER_INITIALIZING] = "initializing",
	[DRIVER_READY] = "ready",
	[DRIVER_FAILED] = "failed",
};
NAMES_MATCH(driver_state_names, DRIVER_STATE_COUNT);

const char *const driver_phase_names[] = {
	[PHASE_UNKNOWN] = "unknown",
	[PHASE_FIRMWARE] = "firmware",
	[PHASE_OS] = "os",
};
NAMES_MATCH(driver_phase_names, DRIVER_PHASE_COUNT);

void report_set(struct driver_report *r, enum driver_state state, enum driver_phase phase,
		const char *fmt, ...)
{
	va_list args;

	r->state = state;
	r->phase = phase;
	va_start(args, fmt);
	vsnprintf(r->evidence, sizeof(r->evidence), fmt, args);
	va_end(args);
}

void driver_status_update(struct driver_status *s, const struct driver_report *r, uint64_t now_ns)
{
	bool state_changed = r->state != s->now.state;

	if (state_changed) {
		/* several changes before anyone was told: `previous` stays what was told last */
		if (!s->changed)
			s->previous = s->now.state;
		s->since_ns = now_ns;
		if (r->state == DRIVER_READY)
			s->ready_edges++;
	}
	if (state_changed || r->phase != s->now.phase || r->standby != s->now.standby) {
		if (!state_changed && !s->changed)
			s->previous = s->now.state;
		s->changed = true;
	}
	s->now = *r;
}
