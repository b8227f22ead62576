#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "port/team.h"

#define STATES (1 << 6)

static struct team_state state_of(unsigned n, enum link_wish persistent, enum link_wish transient)
{
	struct team_state s = {
		.persistent_ready = n & 1,
		.transient_ready = n >> 1 & 1,
		.paired = n >> 2 & 1,
		.plugged = n >> 3 & 1,
		.held = n >> 4 & 1,
		.out = n >> 5 & 1,
		.wish = { [TEAM_PERSISTENT] = persistent, [TEAM_TRANSIENT] = transient },
	};

	/* links and paths as the facts have them; this event is no fact of its own */
	struct team_state held = team_next(s, TEAM_PERSISTENT_READY).next;
	held.persistent_ready = s.persistent_ready;
	return held;
}

static void check_rules(const struct team_state *s, const struct team_state *t)
{
	bool manual = team_is_manual(t);

	/* nothing goes over a path without a link, but what a paired guest reads */
	if (t->active != TEAM_NONE)
		assert_true(t->link[t->active]);
	else
		assert_int_equal(t->receive, TEAM_NONE);
	assert_true((t->active == TEAM_NONE) ==
		    (!t->link[TEAM_PERSISTENT] && !t->link[TEAM_TRANSIENT]));
	/* Linux drops what comes in on the other card while its driver has the transient one */
	if (t->active != TEAM_NONE && t->paired && t->transient_ready)
		assert_int_equal(t->receive, TEAM_TRANSIENT);
	if (manual)
		return;
	assert_true(t->link[TEAM_PERSISTENT]);
	assert_int_equal(t->link[TEAM_TRANSIENT], t->paired && t->plugged && !t->held && !t->out);
	assert_int_equal(t->active == TEAM_TRANSIENT,
			 t->link[TEAM_TRANSIENT] && t->transient_ready);
	if (!t->paired)
		assert_int_equal(t->receive, TEAM_PERSISTENT);
	(void)s;
}

static void every_state_and_event_keeps_the_rules(void **state)
{
	(void)state;
	for (unsigned n = 0; n < STATES * LINK_WISH_COUNT * LINK_WISH_COUNT; n++)
		for (unsigned e = 0; e < TEAM_EVENT_COUNT; e++) {
			struct team_state s =
				state_of(n % STATES, (enum link_wish)(n / STATES % LINK_WISH_COUNT),
					 (enum link_wish)(n / STATES / LINK_WISH_COUNT));
			struct team_step step = team_next(s, (enum team_event)e);

			check_rules(&s, &step.next);
			assert_int_equal(step.announce, step.next.active != s.active &&
								step.next.active != TEAM_NONE);
			if (step.next.active != s.active)
				assert_true(step.moved);
			else
				assert_int_equal(step.reason, REASON_NONE);
			if (step.hold)
				assert_true(step.next.held && s.active == TEAM_TRANSIENT);
			assert_false(step.hold && step.stop_hold);
			assert_int_equal(step.stop_hold, s.held && !step.next.held);
		}
}

struct line {
	enum team_event event;
	enum team_nic active, receive;
	bool transient_link, holds;
	enum switch_reason reason;
};

static void play(bool plugged, const struct line *lines, unsigned n)
{
	struct team_state s;

	team_init(&s, plugged, false);
	assert_int_equal(s.active, TEAM_PERSISTENT);
	assert_true(s.link[TEAM_PERSISTENT]);
	assert_false(s.link[TEAM_TRANSIENT]);
	for (unsigned i = 0; i < n; i++) {
		struct team_step step = team_next(s, lines[i].event);

		if (step.next.active != lines[i].active || step.next.receive != lines[i].receive ||
		    step.next.link[TEAM_TRANSIENT] != lines[i].transient_link ||
		    step.hold != lines[i].holds || step.reason != lines[i].reason)
			fail_msg("line %u (%s): active %s, receive %s, link %d, hold %d, reason %s",
				 i, team_event_names[lines[i].event],
				 team_nic_names[step.next.active],
				 team_nic_names[step.next.receive], step.next.link[TEAM_TRANSIENT],
				 step.hold, switch_reason_names[step.reason]);
		s = step.next;
	}
}

#define P	   TEAM_PERSISTENT
#define T	   TEAM_TRANSIENT
#define PLAY(p, l) play(p, l, ARRAY_SIZE(l))

static void a_guest_that_pairs_gets_the_transient_card_when_its_driver_is_ready(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ TEAM_PERSISTENT_READY, P, P, false, false, REASON_NONE },
		{ TEAM_PAIRED, P, P, false, false, REASON_NONE },
		{ TEAM_PLUGGED, P, P, true, false, REASON_NONE },
		{ TEAM_TRANSIENT_READY, T, T, true, false, REASON_TRANSIENT_READY },
		/* it knows the transient card as a card of its own then */
		{ TEAM_PERSISTENT_LOST, T, T, true, false, REASON_NONE },
	};

	PLAY(false, lines);
}

static void a_guest_that_does_not_pair_stays_on_virtio(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ TEAM_PERSISTENT_READY, P, P, false, false, REASON_NONE },
		{ TEAM_TRANSIENT_READY, P, P, false, false, REASON_NONE },
		{ TEAM_NOT_PAIRED, P, P, false, false, REASON_NONE },
		{ TEAM_TRANSIENT_LOST, P, P, false, false, REASON_NONE },
	};

	PLAY(true, lines);
}

static void a_lost_card_comes_back_after_the_hold_down_only(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ TEAM_PAIRED, P, P, true, false, REASON_NONE },
		{ TEAM_TRANSIENT_READY, T, T, true, false, REASON_TRANSIENT_READY },
		{ TEAM_TRANSIENT_LOST, P, P, false, true, REASON_TRANSIENT_LOST },
		/* the guest reads it again at once, and sends on it later */
		{ TEAM_TRANSIENT_READY, P, T, false, false, REASON_NONE },
		{ TEAM_TRANSIENT_LOST, P, P, false, false, REASON_NONE },
		{ TEAM_TRANSIENT_READY, P, T, false, false, REASON_NONE },
		{ TEAM_HOLD_ENDED, T, T, true, false, REASON_TRANSIENT_READY },
	};

	PLAY(true, lines);
}

/* Held by its link, a card that hears nothing without one would leave the guest deaf. */
static void a_card_that_is_deaf_without_a_link_is_not_held(void **state)
{
	struct team_state s;

	(void)state;
	team_init(&s, true, true);
	s = team_next(s, TEAM_PAIRED).next;
	s = team_next(s, TEAM_TRANSIENT_READY).next;
	struct team_step step = team_next(s, TEAM_TRANSIENT_LOST);
	assert_false(step.hold);
	assert_int_equal(step.next.active, TEAM_PERSISTENT);
	step = team_next(step.next, TEAM_TRANSIENT_READY);
	assert_int_equal(step.next.active, TEAM_TRANSIENT);
	assert_true(step.next.link[TEAM_TRANSIENT]);
}

static void a_card_that_is_taken_out_comes_back_without_a_hold_down(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ TEAM_PAIRED, P, P, true, false, REASON_NONE },
		{ TEAM_TRANSIENT_READY, T, T, true, false, REASON_TRANSIENT_READY },
		{ TEAM_TAKE_OUT, P, T, false, false, REASON_UNPLUG },
		{ TEAM_TRANSIENT_LOST, P, P, false, false, REASON_NONE },
		{ TEAM_UNPLUGGED, P, P, false, false, REASON_NONE },
		{ TEAM_PLUGGED, P, P, false, false, REASON_NONE },
		{ TEAM_PUT_BACK, P, P, true, false, REASON_NONE },
		{ TEAM_TRANSIENT_READY, T, T, true, false, REASON_TRANSIENT_READY },
		/* but one that goes by itself is held */
		{ TEAM_UNPLUGGED, P, P, false, true, REASON_UNPLUG },
	};

	PLAY(true, lines);
}

static void a_reset_of_the_guest_forgets_the_pair_and_a_hold_down(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ TEAM_PAIRED, P, P, true, false, REASON_NONE },
		{ TEAM_TRANSIENT_READY, T, T, true, false, REASON_TRANSIENT_READY },
		{ TEAM_TRANSIENT_LOST, P, P, false, true, REASON_TRANSIENT_LOST },
		{ TEAM_RESET, P, P, false, false, REASON_NONE },
		/* the firmware may drive it: no pair, no link */
		{ TEAM_TRANSIENT_READY, P, P, false, false, REASON_NONE },
		{ TEAM_PAIRED, T, T, true, false, REASON_TRANSIENT_READY },
		{ TEAM_RESET, P, P, false, false, REASON_RESET },
	};

	PLAY(true, lines);
}

static void an_administrator_takes_a_link_and_gives_it_back(void **state)
{
	struct team_state s;

	(void)state;
	team_init(&s, true, false);
	s = team_next(s, TEAM_PAIRED).next;
	s = team_next(s, TEAM_TRANSIENT_READY).next;
	assert_int_equal(s.active, TEAM_TRANSIENT);

	s.wish[TEAM_TRANSIENT] = LINK_DOWN;
	struct team_step step = team_next(s, TEAM_ADMIN);
	assert_true(team_is_manual(&step.next));
	assert_int_equal(step.next.active, TEAM_PERSISTENT);
	assert_int_equal(step.next.receive, TEAM_TRANSIENT);
	assert_int_equal(step.reason, REASON_MANUAL);
	assert_false(step.hold);

	s = step.next;
	s.wish[TEAM_PERSISTENT] = LINK_DOWN;
	s = team_next(s, TEAM_ADMIN).next;
	assert_int_equal(s.active, TEAM_NONE);
	assert_int_equal(s.receive, TEAM_NONE);

	s.wish[TEAM_PERSISTENT] = s.wish[TEAM_TRANSIENT] = LINK_AUTO;
	s = team_next(s, TEAM_ADMIN).next;
	assert_false(team_is_manual(&s));
	assert_int_equal(s.active, TEAM_TRANSIENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_and_event_keeps_the_rules),
		cmocka_unit_test(
			a_guest_that_pairs_gets_the_transient_card_when_its_driver_is_ready),
		cmocka_unit_test(a_guest_that_does_not_pair_stays_on_virtio),
		cmocka_unit_test(a_lost_card_comes_back_after_the_hold_down_only),
		cmocka_unit_test(a_card_that_is_deaf_without_a_link_is_not_held),
		cmocka_unit_test(a_card_that_is_taken_out_comes_back_without_a_hold_down),
		cmocka_unit_test(a_reset_of_the_guest_forgets_the_pair_and_a_hold_down),
		cmocka_unit_test(an_administrator_takes_a_link_and_gives_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
