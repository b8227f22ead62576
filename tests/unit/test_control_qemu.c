/* Links of QEMU's own cards, with the test in QEMU's place: one that answers late, out of order, not at all, or hangs up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/control.h"

struct world {
	struct loop loop;
	struct control control;
	struct qmp_client *monitor;
	int qemu; /* its end of the monitor */
	json_object *event;
};

static const struct port_spec port = {
	.id = "net0",
	.policy = POLICY_SWITCH,
	.legacy_delay_ms = 1,
	.hold_count = 1000,
	.hold_seconds = 1,
	.nics = 2,
	.nic = { { .id = "a", .model = "rtl8139", .role = ROLE_LEGACY, .netdev = NETDEV_TAP },
		 { .id = "b",
		   .model = "virtio-net",
		   .role = ROLE_PERFORMANT,
		   .netdev = NETDEV_TAP } },
	.backend = { .type = "bridge" },
};

/* --- QEMU's side ------------------------------------------------------------------------------------------------- */

static void qemu_says(struct world *w, const char *text)
{
	struct qmp_item item;

	assert_int_equal(write(w->qemu, text, strlen(text)), strlen(text));
	qmp_client_read(w->monitor);
	while (qmp_client_next(w->monitor, &item))
		if (item.kind == QMP_ITEM_REPLY || item.kind == QMP_ITEM_ERROR)
			control_qemu_replied(&w->control, item.id,
					     item.kind == QMP_ITEM_ERROR ? item.text : NULL);
}

static void qemu_answers(struct world *w, unsigned id)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %u}\r\n", id);
	qemu_says(w, text);
}

/* The number of the last set_link that control asked for; how many there were is in *count. */
static unsigned take_commands(struct world *w, unsigned *count)
{
	static char text[65536];
	ssize_t n = recv(w->qemu, text, sizeof(text) - 1, MSG_DONTWAIT);
	unsigned id = 0;

	*count = 0;
	text[n > 0 ? n : 0] = '\0';
	for (char *at = text; (at = strstr(at, "\"set_link\"")); at++, (*count)++)
		id = (unsigned)strtoul(strstr(at, "\"id\":") + 5, NULL, 10);
	return id;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned count;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(loop_init(&w->loop, NULL), 0);
	assert_int_equal(control_init(&w->control, "vm1", &w->loop, NULL, &port, 1, NULL), 0);
	w->qemu = pair[1];
	w->monitor = qmp_client_create(pair[0], NULL);
	assert_non_null(w->monitor);
	control_start(&w->control);
	qemu_says(w, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
		     "{\"return\": {}, \"id\": 0}\r\n");
	control_set_monitor(&w->control, w->monitor, false);
	unsigned last = take_commands(w, &count);
	assert_int_equal(count, 2); /* both down */
	qemu_answers(w, last - 1);
	qemu_answers(w, last);
	for (unsigned i = 0; i < 2; i++)
		control_nic_attached(&w->control, port.nic[i].id, true, "");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	control_finish(&w->control);
	qmp_client_destroy(w->monitor);
	json_object_put(w->event);
	close(w->qemu);
	loop_finish(&w->loop);
	free(w);
	return 0;
}

/* --- what control is told, and tells ----------------------------------------------------------------------------- */

static void card(struct world *w, const char *nic, enum driver_state status)
{
	struct nic_report r = { .nic = nic,
				.now = { .state = status, .phase = PHASE_OS },
				.since_ns = monotonic_ns() };

	control_nic_report(&w->control, &r);
}

/* The names of all events that wait, each followed by a blank, without those of drivers. */
static const char *events(struct world *w)
{
	static char text[4096];
	json_object *e, *name;

	text[0] = '\0';
	while ((e = control_next_event(&w->control))) {
		json_object_object_get_ex(e, "event", &name);
		if (strcmp(json_object_get_string(name), "GUEST_DRIVER_STATUS_CHANGED") != 0)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ",
				 json_object_get_string(name));
		json_object_put(e);
	}
	return text;
}

#define MOVED "NIC_LINK_CHANGED PORT_LINK_SWITCHED "

static void a_link_is_told_when_qemu_has_set_it(void **state)
{
	struct world *w = *state;
	unsigned count;

	card(w, "b", DRIVER_READY);
	unsigned id = take_commands(w, &count);
	assert_int_equal(count, 1);
	assert_string_equal(events(w), "");
	qemu_answers(w, id);
	assert_string_equal(events(w), MOVED);
	assert_true(w->control.port[0].nic[1].link);
}

/* An answer without a number is nobody's; one that comes twice counts once. */
static void answers_that_belong_to_no_question_change_nothing(void **state)
{
	struct world *w = *state;
	unsigned count;

	card(w, "b", DRIVER_READY);
	unsigned id = take_commands(w, &count);
	assert_false(control_qemu_replied(&w->control, 0, "JSON parse error"));
	assert_false(control_qemu_replied(&w->control, id + 100, NULL));
	assert_string_equal(events(w), "");
	qemu_answers(w, id);
	qemu_answers(w, id);
	assert_string_equal(events(w), MOVED);
}

static void answers_out_of_order_are_told_in_the_order_of_the_questions(void **state)
{
	struct world *w = *state;
	unsigned count;

	card(w, "b", DRIVER_READY);
	unsigned up = take_commands(w, &count);
	card(w, "b", DRIVER_INITIALIZING);
	unsigned down = take_commands(w, &count);
	qemu_answers(w, down);
	assert_string_equal(events(w), "");
	qemu_answers(w, up);
	assert_string_equal(events(w), MOVED MOVED);
	assert_false(w->control.port[0].nic[1].link);
}

static void a_card_that_was_unplugged_does_not_stop_the_port(void **state)
{
	struct world *w = *state;
	unsigned count;
	char text[128];

	card(w, "b", DRIVER_READY);
	snprintf(text, sizeof(text),
		 "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"gone\"}, \"id\": %u}\r\n",
		 take_commands(w, &count));
	qemu_says(w, text);
	card(w, "a", DRIVER_READY);
	card(w, "b", DRIVER_NONE);
	control_nic_attached(&w->control, "b", false, "");
	unsigned id = take_commands(w, &count);
	assert_true(count >= 1);
	qemu_answers(w, id - 1);
	qemu_answers(w, id);
	assert_int_equal(w->control.port[0].steps, 0);
}

/* Nobody will say any more whether the last ones were carried out; the next one is not to wait for that for ever. */
static void a_monitor_that_closes_ends_what_waits_for_it(void **state)
{
	struct world *w = *state;

	card(w, "b", DRIVER_READY);
	assert_string_equal(events(w), "");
	control_set_monitor(&w->control, NULL, false);
	assert_string_equal(events(w), MOVED);
	assert_int_equal(w->control.port[0].steps, 0);
	card(w, "b", DRIVER_INITIALIZING);
	assert_string_equal(events(w), MOVED);
	assert_false(w->control.port[0].nic[1].link);
}

/* More changes than there are places for: the oldest are told, none is lost, and late answers do no harm. */
/* Its legacy driver was ready elsewhere: the link that the guest had there is not waited for. */
static void a_guest_that_came_from_elsewhere_has_its_link_at_once(void **state)
{
	struct world *w = *state;
	char text[4096];

	w->control.port[0].spec.legacy_delay_ms = 60000;
	control_set_running(&w->control, true);
	card(w, "a", DRIVER_READY);
	assert_true(w->control.port[0].policy.waiting);
	control_take_over(&w->control);
	assert_false(w->control.port[0].policy.waiting);
	assert_int_equal(w->control.port[0].wanted_active, 0);
	ssize_t n = recv(w->qemu, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = '\0';
	char *told = strstr(text, "\"set_link\"");
	assert_non_null(told);
	assert_true(strstr(text, "\"announce-self\"") > told);

	/* who attaches leaves the network alone */
	w->control.attached = true;
	control_take_over(&w->control);
	n = recv(w->qemu, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = '\0';
	assert_null(strstr(text, "announce-self"));
}

/* Control may be late, and the guest there already: it has the links that it had elsewhere, and sees none go. */
static void the_links_of_a_guest_that_is_waited_for_are_left_until_it_is_there(void **state)
{
	struct world *w = *state;
	unsigned count;

	control_set_monitor(&w->control, NULL, false);
	w->control.awaited = true;
	control_set_monitor(&w->control, w->monitor, false);
	(void)take_commands(w, &count);
	assert_int_equal(count, 0);
	control_set_running(&w->control, true);
	(void)take_commands(w, &count);
	assert_int_equal(count, 0);
	card(w, "b", DRIVER_READY);
	(void)take_commands(w, &count);
	assert_int_equal(count, 1); /* up, which it is */
	control_take_over(&w->control);
	(void)take_commands(w, &count);
	assert_int_equal(count, 2);
}

static void a_qemu_that_is_very_late_does_not_stop_the_policy(void **state)
{
	struct world *w = *state;
	unsigned count, total = 0, moves = 0;

	for (unsigned i = 0; i < 5 * PORT_STEPS; i++) {
		card(w, "b", i % 2 ? DRIVER_INITIALIZING : DRIVER_READY);
		for (const char *at = events(w); (at = strstr(at, MOVED)); at++)
			moves++;
	}
	assert_int_equal(moves, 4 * PORT_STEPS);
	unsigned last = take_commands(w, &count);
	total += count;
	assert_int_equal(total, 5 * PORT_STEPS);
	for (unsigned id = last - count + 1; id <= last; id++)
		qemu_answers(w, id);
	for (const char *at = events(w); (at = strstr(at, MOVED)); at++)
		moves++;
	assert_int_equal(moves, 5 * PORT_STEPS);
	assert_int_equal(w->control.port[0].steps, 0);
	assert_false(w->control.port[0].nic[1].link);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_link_is_told_when_qemu_has_set_it),
		STORY(answers_that_belong_to_no_question_change_nothing),
		STORY(answers_out_of_order_are_told_in_the_order_of_the_questions),
		STORY(a_card_that_was_unplugged_does_not_stop_the_port),
		STORY(a_monitor_that_closes_ends_what_waits_for_it),
		STORY(a_guest_that_came_from_elsewhere_has_its_link_at_once),
		STORY(the_links_of_a_guest_that_is_waited_for_are_left_until_it_is_there),
		STORY(a_qemu_that_is_very_late_does_not_stop_the_policy),
	};
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
