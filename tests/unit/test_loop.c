#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/loop.h"

enum { PIPE, TIMER };

static struct loop loop;
static struct loop_source source = { .kind = PIPE };
static struct loop_timer timer = { .kind = TIMER };
static int ends[2];

static int setup(void **state)
{
	(void)state;
	if (loop_init(&loop, NULL) < 0 || pipe(ends) < 0)
		return -1;
	source = (struct loop_source){ .fd = ends[0], .kind = PIPE };
	timer = (struct loop_timer){ .kind = TIMER };
	return loop_watch(&loop, &source, EPOLLIN);
}

static int teardown(void **state)
{
	(void)state;
	loop_unwatch(&loop, &source);
	loop_finish(&loop);
	close(ends[0]);
	return close(ends[1]);
}

/* A guest may program a card's timer so that it is always due, or send without a pause. */
static void a_timer_that_is_always_due_and_a_busy_descriptor_take_turns(void **state)
{
	(void)state;
	unsigned seen[2] = { 0 };

	assert_int_equal(write(ends[1], "x", 1), 1);
	for (int i = 0; i < 100; i++) {
		struct loop_event event;

		if (!timer.slot)
			assert_int_equal(loop_timer_set(&loop, &timer, 1), 0);
		assert_int_equal(loop_next(&loop, &event, 0), 1);
		seen[event.kind]++;
	}
	assert_in_range(seen[PIPE], 40, 60);
	assert_in_range(seen[TIMER], 40, 60);
}

static void timers_come_in_the_order_of_their_deadlines(void **state)
{
	(void)state;
	struct loop_timer late = { .kind = 11 }, early = { .kind = 10 };
	struct loop_event event;
	uint64_t now = monotonic_ns();

	assert_int_equal(loop_timer_set(&loop, &late, now + 2000000), 0);
	assert_int_equal(loop_timer_set(&loop, &early, now + 1000000), 0);
	assert_int_equal(loop_next(&loop, &event, 1000), 1);
	assert_int_equal(event.kind, 10);
	assert_int_equal(loop_next(&loop, &event, 1000), 1);
	assert_int_equal(event.kind, 11);
	assert_true(monotonic_ns() >= now + 2000000);
	assert_int_equal(loop_next(&loop, &event, 0), 0);
}

static void a_cancelled_timer_and_an_unwatched_descriptor_are_silent(void **state)
{
	(void)state;
	struct loop_event event;

	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(loop_timer_set(&loop, &timer, 1), 0);
	loop_timer_cancel(&loop, &timer);
	loop_unwatch(&loop, &source);
	assert_int_equal(loop_next(&loop, &event, 0), 0);
	assert_int_equal(loop_next(&loop, &event, 1), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_timer_that_is_always_due_and_a_busy_descriptor_take_turns),
		T(timers_come_in_the_order_of_their_deadlines),
		T(a_cancelled_timer_and_an_unwatched_descriptor_are_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
