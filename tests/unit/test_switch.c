#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "port/switch.h"

static struct switch_state state_of(unsigned n)
{
	return (struct switch_state){
		.active = (enum switch_nic)(n % 3),
		.legacy_ready = n / 3 & 1,
		.performant_ready = n / 6 & 1,
		.waiting = n / 12 & 1,
		.held = n / 24 & 1,
		.manual = n / 48 & 1,
	};
}

/* What must hold after any event in any state that automatic rule can reach. */
static void every_state_and_event_keeps_the_rules(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 96; n++) {
		for (unsigned e = 0; e < SWITCH_EVENT_COUNT; e++) {
			struct switch_state s = state_of(n);
			struct switch_step step = switch_next(s, (enum switch_event)e);
			struct switch_state t = step.next;

			assert_int_equal(step.switched, t.active != s.active);
			assert_int_equal(step.switched, step.reason != REASON_NONE);
			assert_true(!(t.waiting && step.timer == TIMER_STOP));
			assert_true(!(!t.waiting && step.timer == TIMER_START));
			if (t.manual) {
				assert_false(step.switched);
				assert_false(t.waiting);
				continue;
			}
			if (s.manual)
				continue;
			bool was_lost = (s.active == SWITCH_LEGACY && !s.legacy_ready) ||
					(s.active == SWITCH_PERFORMANT && !s.performant_ready);
			/* an active NIC is never one that is not ready (unless it was wrong before) */
			if (!was_lost && t.active == SWITCH_LEGACY)
				assert_true(t.legacy_ready);
			if (!was_lost && t.active == SWITCH_PERFORMANT)
				assert_true(t.performant_ready);
			/* the performant one wins at once, unless a hold keeps a legacy one that works */
			if (e == PERFORMANT_READY &&
			    !(s.held && s.active == SWITCH_LEGACY && t.legacy_ready))
				assert_int_equal(t.active, SWITCH_PERFORMANT);
			if (e == SWITCH_RESET)
				assert_int_equal(t.active, SWITCH_NONE);
			/* from nothing, legacy comes up through the timer (or when a person or the end of a hold asks) */
			if (s.active == SWITCH_NONE && t.active == SWITCH_LEGACY)
				assert_true(e == SWITCH_TIMER || e == HOLD_ENDED ||
					    e == MODE_AUTO || e == PERFORMANT_READY);
			if (t.active != SWITCH_NONE)
				assert_false(t.waiting && !s.waiting);
		}
	}
}

struct line {
	enum switch_event event;
	enum switch_nic active;
	enum switch_timer timer;
	enum switch_reason reason;
};

static void play(const struct line *lines, unsigned n)
{
	struct switch_state s = { 0 };

	for (unsigned i = 0; i < n; i++) {
		struct switch_step step = switch_next(s, lines[i].event);
		assert_int_equal(step.next.active, lines[i].active);
		assert_int_equal(step.timer, lines[i].timer);
		assert_int_equal(step.reason, lines[i].reason);
		s = step.next;
	}
}

static void legacy_waits_and_performant_takes_over(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ LEGACY_READY, SWITCH_NONE, TIMER_START, REASON_NONE },
		{ SWITCH_TIMER, SWITCH_LEGACY, TIMER_KEEP, REASON_LEGACY_TIMER },
		{ PERFORMANT_READY, SWITCH_PERFORMANT, TIMER_KEEP, REASON_PERFORMANT_READY },
		{ PERFORMANT_LOST, SWITCH_LEGACY, TIMER_KEEP, REASON_PERFORMANT_LOST },
		{ LEGACY_LOST, SWITCH_NONE, TIMER_KEEP, REASON_LEGACY_LOST },
		{ LEGACY_READY, SWITCH_NONE, TIMER_START, REASON_NONE },
		{ SWITCH_RESET, SWITCH_NONE, TIMER_STOP, REASON_NONE },
	};
	play(lines, ARRAY_SIZE(lines));
}

static void performant_in_time_keeps_legacy_down(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ LEGACY_READY, SWITCH_NONE, TIMER_START, REASON_NONE },
		{ PERFORMANT_READY, SWITCH_PERFORMANT, TIMER_STOP, REASON_PERFORMANT_READY },
		{ SWITCH_TIMER, SWITCH_PERFORMANT, TIMER_KEEP, REASON_NONE },
		{ SWITCH_RESET, SWITCH_NONE, TIMER_KEEP, REASON_RESET },
	};
	play(lines, ARRAY_SIZE(lines));
}

static void a_hold_keeps_legacy_until_it_ends(void **state)
{
	(void)state;
	struct switch_state s = { .active = SWITCH_LEGACY, .legacy_ready = true, .held = true };
	struct switch_step step = switch_next(s, PERFORMANT_READY);
	assert_int_equal(step.next.active, SWITCH_LEGACY);
	step = switch_next(step.next, HOLD_ENDED);
	assert_int_equal(step.next.active, SWITCH_PERFORMANT);
	assert_false(step.next.held);
	/* what does not work is not kept */
	s.performant_ready = true;
	step = switch_next(s, LEGACY_LOST);
	assert_int_equal(step.next.active, SWITCH_PERFORMANT);
}

static void the_seventh_switch_in_a_minute_holds_and_backs_off(void **state)
{
	(void)state;
	struct switch_hold h;
	uint64_t now = 1000 * NS_PER_S;

	switch_hold_init(&h, 6, 60);
	for (int i = 0; i < 6; i++)
		assert_int_equal(switch_hold_note(&h, now += NS_PER_S), 0);
	uint64_t expect = 5;
	for (int i = 0; i < 8; i++) {
		assert_int_equal(switch_hold_note(&h, now += NS_PER_S), expect * NS_PER_S);
		expect = MIN(expect * 2, (uint64_t)300);
	}
	/* quiet for long: from the start again */
	now = h.held_until_ns + 121 * NS_PER_S;
	for (int i = 0; i < 6; i++)
		assert_int_equal(switch_hold_note(&h, now += NS_PER_S), 0);
	assert_int_equal(switch_hold_note(&h, now += NS_PER_S), 5 * NS_PER_S);
	/* slow switches never hold */
	switch_hold_init(&h, 6, 60);
	for (int i = 0; i < 50; i++)
		assert_int_equal(switch_hold_note(&h, now += 11 * NS_PER_S), 0);
	switch_hold_init(&h, 0, 60);
	for (int i = 0; i < 50; i++)
		assert_int_equal(switch_hold_note(&h, now += 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_and_event_keeps_the_rules),
		cmocka_unit_test(legacy_waits_and_performant_takes_over),
		cmocka_unit_test(performant_in_time_keeps_legacy_down),
		cmocka_unit_test(a_hold_keeps_legacy_until_it_ends),
		cmocka_unit_test(the_seventh_switch_in_a_minute_holds_and_backs_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
