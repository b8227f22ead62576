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

static void report(struct world *w, enum message_type type, const void *body, size_t size)
{
	assert_int_equal(message_send(w->peer, type, 0, body, size, NULL, 0), 0);
	pass(w, 0);
}

static struct world *world_create(const struct port_spec *specs, unsigned count)
{
	struct world *w = calloc(1, sizeof(*w));
	struct error err = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(loop_init(&w->loop, &err), 0);
	datapath_adopt(&w->datapath, pair[0]);
	w->peer = pair[1];
	fd_set_nonblock(w->peer, true);
	assert_int_equal(
		control_init(&w->control, "vm1", &w->loop, &w->datapath, specs, count, &err), 0);
	control_start(&w->control);
	return w;
}

static int teardown(void **state)
{
	struct world *w = *state;

	control_finish(&w->control);
	if (w->datapath.sock >= 0)
		datapath_finish(&w->datapath);
	json_object_put(w->event);
	close(w->peer);
	loop_finish(&w->loop);
	free(w);
	return 0;
}

#endif
