/* control_world.h - control with the test in the place of the datapath: its time, and what it reads. Included once by a test program. */
#ifndef ANYNIC_TESTS_CONTROL_WORLD_H
#define ANYNIC_TESTS_CONTROL_WORLD_H

#include "control/control.h"

struct world {
	struct loop loop;
	struct datapath datapath;
	struct control control;
	int peer; /* the datapath's end */
	json_object *event;
};

/* The time of control and of its loop (the linker puts it in the place of the real one): a busy machine changes no story. */
static uint64_t now_ns = NS_PER_S;
uint64_t __wrap_monotonic_ns(void);
uint64_t __wrap_monotonic_ns(void)
{
	return now_ns;
}

/* Lets control read what was reported, and its timers go off, for `ms`. */
static void pass(struct world *w, unsigned ms)
{
	struct loop_event e;
	static struct message m;

	for (;;) {
		while (datapath_receive(&w->datapath, &m) == 1)
			control_report(&w->control, &m);
		while (loop_next(&w->loop, &e, 0) == 1)
			control_timer(&w->control, e.kind, e.owner);
		if (ms-- == 0)
			return;
		now_ns += NS_PER_MS;
	}
}

#endif
