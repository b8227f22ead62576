/* Control's view of a guest, with the test in the place of the datapath: what is reported, what is asked, what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/why.h"
#include "control_world.h"

#define DELAY_MS 60

static const struct port_spec ports[] = {
	{ .id = "net0",
	  .policy = POLICY_SWITCH,
	  .legacy_delay_ms = DELAY_MS,
	  .hold_count = 6,
	  .hold_seconds = 60,
	  .nics = 2,
	  .nic = { { .id = "net0-legacy", .model = "rtl8139", .role = ROLE_LEGACY },
		   { .id = "net0-performant", .model = "virtio-net", .role = ROLE_PERFORMANT } },
	  .backend = { .type = "user" } },
	{ .id = "lan0",
	  .policy = POLICY_SINGLE,
	  .nics = 1,
	  .nic = { { .id = "lan0", .model = "virtio-net", .role = ROLE_SINGLE } },
	  .backend = { .type = "null" } },
};

/* --- the world's side -------------------------------------------------------------------------------------------- */

static void attach(struct world *w, const char *nic, bool attached, const char *problem)
{
	struct msg_nic_attached m = { .attached = attached };

	str_copy(m.nic, sizeof(m.nic), nic);
	str_copy(m.problem, sizeof(m.problem), problem);
	report(w, MSG_NIC_ATTACHED, &m, sizeof(m));
}

static int setup_with(void **state, const struct port_spec *specs, unsigned count)
{
	struct world *w = world_create(specs, count);

	attach(w, "net0-legacy", true, "");
	attach(w, "net0-performant", true, "");
	*state = w;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, ports, 1);
}

static int setup_two(void **state)
{
	return setup_with(state, ports, 2);
}

static void status_and_phase(struct world *w, const char *nic, enum driver_state state,
			     enum driver_phase phase, bool bus_reset)
{
	struct msg_nic_status m = {
		.state = state, .phase = phase, .since_ns = monotonic_ns(), .bus_reset = bus_reset
	};

	str_copy(m.nic, sizeof(m.nic), nic);
	str_copy(m.evidence, sizeof(m.evidence), "because");
	report(w, MSG_NIC_STATUS, &m, sizeof(m));
}

static void status_of(struct world *w, const char *nic, enum driver_state state, bool bus_reset)
{
	status_and_phase(w, nic, state, state == DRIVER_NONE ? PHASE_UNKNOWN : PHASE_OS, bus_reset);
}

static void legacy(struct world *w, enum driver_state state)
{
	status_of(w, "net0-legacy", state, false);
}

static void performant(struct world *w, enum driver_state state)
{
	status_of(w, "net0-performant", state, false);
}

static bool take_links(struct world *w, struct msg_port_links *links)
{
	static struct message m;

	while (message_receive(w->peer, &m) == 1) {
		const struct msg_port_links *body = message_body(&m, sizeof(*body));
		if (m.type != MSG_PORT_LINKS)
			continue;
		assert_non_null(body);
		*links = *body;
		return true;
	}
	return false;
}

static void confirm(struct world *w, const struct msg_port_links *links, uint64_t duration_ns)
{
	struct msg_links_applied applied = { .active = links->active, .duration_ns = duration_ns };

	str_copy(applied.port, sizeof(applied.port), links->port);
	report(w, MSG_LINKS_APPLIED, &applied, sizeof(applied));
}

/* Control asks for these links, within a moment; the datapath confirms. */
static void expect_links(struct world *w, bool first, bool second, int active)
{
	struct msg_port_links links;
	bool asked = take_links(w, &links);

	for (int ms = 0; !asked && ms < 50; ms++) {
		pass(w, 1);
		asked = take_links(w, &links);
	}
	assert_true(asked);
	assert_int_equal(links.up[0], first);
	assert_int_equal(links.up[1], second);
	assert_int_equal(links.active, active);
	confirm(w, &links, 42000);
}

static void expect_no_links(struct world *w)
{
	struct msg_port_links links;

	assert_false(take_links(w, &links));
}

/* --- what control tells ------------------------------------------------------------------------------------------ */

/* The next event is `name` with exactly this data ("" = not looked at). */
static void expect_event(struct world *w, const char *name, const char *data)
{
	json_object *part;

	json_object_put(w->event);
	w->event = control_next_event(&w->control);
	if (!w->event)
		fail_msg("no event, but %s was expected", name);
	json_object_object_get_ex(w->event, "event", &part);
	assert_string_equal(json_object_get_string(part), name);
	if (!data[0])
		return;
	json_object_object_get_ex(w->event, "data", &part);
	assert_string_equal(json_object_to_json_string_ext(part, JSON_C_TO_STRING_PLAIN), data);
}

static void expect_no_event(struct world *w)
{
	json_object_put(w->event);
	w->event = control_next_event(&w->control);
	if (w->event)
		fail_msg("unexpected: %s", json_object_to_json_string(w->event));
}

static void expect_status(struct world *w)
{
	expect_event(w, "GUEST_DRIVER_STATUS_CHANGED", "");
}

static void expect_link(struct world *w, const char *nic, bool up)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"nic\":\"%s\",\"port\":\"net0\",\"up\":%s}", nic,
		 up ? "true" : "false");
	expect_event(w, "NIC_LINK_CHANGED", text);
}

/* `from`, `to` as JSON */
static void expect_switch(struct world *w, const char *from, const char *to, const char *reason)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"port\":\"net0\",\"from\":%s,\"to\":%s,\"reason\":\"%s\",\"duration-us\":42}",
		 from, to, reason);
	expect_event(w, "PORT_LINK_SWITCHED", text);
}

#define LEGACY_NIC     "\"net0-legacy\""
#define PERFORMANT_NIC "\"net0-performant\""

static void performant_up(struct world *w)
{
	performant(w, DRIVER_READY);
	expect_links(w, false, true, 1);
	expect_status(w);
	expect_link(w, "net0-performant", true);
	expect_switch(w, "null", PERFORMANT_NIC, "performant-ready");
	expect_no_event(w);
}

static void legacy_up(struct world *w)
{
	legacy(w, DRIVER_READY);
	pass(w, DELAY_MS);
	expect_links(w, true, false, 0);
	expect_status(w);
	expect_link(w, "net0-legacy", true);
	expect_switch(w, "null", LEGACY_NIC, "legacy-timer");
}

static void expect_verdict(struct world *w, enum why_verdict verdict, const char *words)
{
	struct why why;

	why_port(&w->control.port[0], &why);
	assert_string_equal(why_verdict_names[why.verdict], why_verdict_names[verdict]);
	if (!strstr(why.text, words))
		fail_msg("'%s' is not in '%s'", words, why.text);
	if (verdict != WHY_OK)
		assert_true(why.next_step[0]);
}

/* --- stories ----------------------------------------------------------------------------------------------------- */

static void a_new_switch_port_asks_for_nothing(void **state)
{
	struct world *w = *state;

	pass(w, 2 * DELAY_MS);
	expect_no_links(w);
	expect_no_event(w);
	expect_verdict(w, WHY_NO_DRIVER, "rtl8139");
}

static void a_status_event_has_its_members_in_order(void **state)
{
	struct world *w = *state;

	legacy(w, DRIVER_INITIALIZING);
	expect_event(w, "GUEST_DRIVER_STATUS_CHANGED",
		     "{\"nic\":\"net0-legacy\",\"port\":\"net0\",\"model\":\"rtl8139\",\"status\":"
		     "\"initializing\","
		     "\"previous\":\"none\",\"phase\":\"os\",\"evidence\":\"because\"}");
	expect_verdict(w, WHY_INITIALIZING, "net0-legacy");
	legacy(w, DRIVER_FAILED);
	expect_status(w);
	expect_verdict(w, WHY_DRIVER_FAILED, "because");
	/* the same again is no news */
	legacy(w, DRIVER_FAILED);
	expect_no_event(w);
}

static void a_new_phase_is_news_only_of_a_driver_that_is_ready(void **state)
{
	struct world *w = *state;

	status_and_phase(w, "net0-legacy", DRIVER_INITIALIZING, PHASE_UNKNOWN, false);
	expect_status(w);
	uint64_t since = w->control.port[0].nic[0].since_ns;
	status_and_phase(w, "net0-legacy", DRIVER_INITIALIZING, PHASE_FIRMWARE, false);
	expect_no_event(w);
	/* but a query shows it */
	assert_int_equal(w->control.port[0].nic[0].phase, PHASE_FIRMWARE);
	assert_int_equal(w->control.port[0].nic[0].since_ns, since);
	status_and_phase(w, "net0-legacy", DRIVER_READY, PHASE_FIRMWARE, false);
	expect_status(w);
	status_and_phase(w, "net0-legacy", DRIVER_READY, PHASE_OS, false);
	expect_event(w, "GUEST_DRIVER_STATUS_CHANGED",
		     "{\"nic\":\"net0-legacy\",\"port\":\"net0\",\"model\":\"rtl8139\",\"status\":"
		     "\"ready\","
		     "\"previous\":\"ready\",\"phase\":\"os\",\"evidence\":\"because\"}");
	expect_no_event(w);
}

static void the_performant_nic_comes_up_at_once(void **state)
{
	struct world *w = *state;

	performant_up(w);
	expect_verdict(w, WHY_OK, "net0-performant");
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_UP);
}

static void the_legacy_nic_comes_up_after_the_delay(void **state)
{
	struct world *w = *state;

	legacy(w, DRIVER_READY);
	expect_status(w);
	expect_no_links(w);
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_WAITING);
	expect_verdict(w, WHY_WAITING, "legacy");
	pass(w, DELAY_MS - 1);
	expect_no_links(w);
	pass(w, 1);
	expect_links(w, true, false, 0);
	expect_link(w, "net0-legacy", true);
	expect_switch(w, "null", LEGACY_NIC, "legacy-timer");
	assert_int_equal(w->control.port[0].switches, 1);
	expect_no_event(w);
}

static void a_timer_that_was_set_anew_is_waited_for(void **state)
{
	struct world *w = *state;
	struct control_port *p = &w->control.port[0];

	legacy(w, DRIVER_READY);
	expect_status(w);
	pass(w, DELAY_MS - 1);
	/* one that went off before: meanwhile the driver was reported to have started over */
	control_timer(&w->control, KIND_LEGACY_TIMER, p);
	expect_no_links(w);
	pass(w, 1);
	expect_links(w, true, false, 0);
	expect_link(w, "net0-legacy", true);
}

static void legacy_never_comes_up_when_performant_is_ready_within_the_delay(void **state)
{
	struct world *w = *state;

	legacy(w, DRIVER_READY);
	expect_status(w);
	pass(w, DELAY_MS - 1);
	performant_up(w);
	pass(w, 2 * DELAY_MS);
	expect_no_links(w);
	expect_no_event(w);
}

static void a_direct_move_is_one_step_and_one_event(void **state)
{
	struct world *w = *state;

	legacy_up(w);
	performant(w, DRIVER_READY);
	expect_status(w);
	expect_no_event(w); /* nothing is told before the datapath confirmed */
	expect_links(w, false, true, 1);
	expect_no_links(w);
	expect_link(w, "net0-legacy", false);
	expect_link(w, "net0-performant", true);
	expect_switch(w, LEGACY_NIC, PERFORMANT_NIC, "performant-ready");
	expect_no_event(w);

	performant(w, DRIVER_NONE);
	expect_links(w, true, false, 0);
	expect_status(w);
	expect_link(w, "net0-performant", false);
	expect_link(w, "net0-legacy", true);
	expect_switch(w, PERFORMANT_NIC, LEGACY_NIC, "performant-lost");

	legacy(w, DRIVER_NONE);
	expect_links(w, false, false, -1);
	expect_status(w);
	expect_link(w, "net0-legacy", false);
	expect_switch(w, LEGACY_NIC, "null", "legacy-lost");
	expect_no_event(w);
}

static void a_guest_reset_is_told_as_a_reset(void **state)
{
	struct world *w = *state;

	legacy(w, DRIVER_READY);
	expect_status(w);
	performant_up(w);
	/* QEMU resets the cards one by one */
	status_of(w, "net0-performant", DRIVER_NONE, true);
	expect_no_links(w);
	status_of(w, "net0-legacy", DRIVER_NONE, true);
	expect_links(w, false, false, -1);
	expect_status(w);
	expect_status(w);
	expect_link(w, "net0-performant", false);
	expect_switch(w, PERFORMANT_NIC, "null", "reset");
	/* then it tells */
	json_object *data = json_tokener_parse("{\"guest\":true,\"reason\":\"guest-reset\"}");
	control_qemu_event(&w->control, "RESET", data);
	control_qemu_event(&w->control, "RESET", data); /* some guests reset twice for one reboot */
	json_object_put(data);
	expect_event(w, "RESET", "{\"guest\":true,\"reason\":\"guest-reset\"}");
	pass(w, 150);
	expect_no_links(w);
	expect_no_event(w);
	/* and it starts over */
	performant_up(w);
	control_qemu_event(&w->control, "RESET", NULL);
	expect_event(w, "RESET", "");
}

/* A datapath that had no processor for a while: QEMU's word was faster. */
static void a_reset_is_told_after_the_links_that_it_took(void **state)
{
	struct world *w = *state;
	struct msg_port_links links;

	legacy(w, DRIVER_READY);
	expect_status(w);
	performant_up(w);
	status_of(w, "net0-performant", DRIVER_NONE, true);
	status_of(w, "net0-legacy", DRIVER_NONE, true);
	expect_status(w);
	expect_status(w);
	assert_true(take_links(w, &links));
	control_qemu_event(&w->control, "RESET", NULL);
	expect_no_event(w);
	confirm(w, &links, 42000);
	expect_link(w, "net0-performant", false);
	expect_switch(w, PERFORMANT_NIC, "null", "reset");
	expect_event(w, "RESET", "");
	expect_no_event(w);
}

static void a_driver_that_is_ready_before_the_reset_is_told_keeps_its_link(void **state)
{
	struct world *w = *state;

	performant_up(w);
	status_of(w, "net0-performant", DRIVER_NONE, true);
	status_of(w, "net0-legacy", DRIVER_NONE, true);
	expect_links(w, false, false, -1);
	performant(w, DRIVER_READY);
	expect_links(w, false, true, 1);
	control_qemu_event(&w->control, "RESET", NULL);
	expect_no_links(w);
	assert_int_equal(w->control.port[0].active, 1);
	/* a reset without such a sign takes the link */
	control_qemu_event(&w->control, "RESET", NULL);
	w->control.reset_ns = 0;
	control_qemu_event(&w->control, "RESET", NULL);
	expect_links(w, false, false, -1);
}

static void a_cleared_command_register_before_the_reset_belongs_to_it(void **state)
{
	struct world *w = *state;

	legacy_up(w);
	status_of(w, "net0-legacy", DRIVER_NONE, false);
	expect_no_links(w);
	status_of(w, "net0-legacy", DRIVER_NONE, true);
	expect_no_links(w);
	status_of(w, "net0-performant", DRIVER_NONE,
		  true); /* no driver was there: told all the same */
	expect_links(w, false, false, -1);
	expect_status(w);
	expect_link(w, "net0-legacy", false);
	expect_switch(w, LEGACY_NIC, "null", "reset");
	expect_no_event(w);
}

static void a_bus_reset_of_one_nic_alone_is_a_loss(void **state)
{
	struct world *w = *state;

	legacy(w, DRIVER_READY);
	expect_status(w);
	performant_up(w);
	status_of(w, "net0-performant", DRIVER_NONE, true);
	expect_status(w);
	pass(w, 99);
	expect_no_links(w);
	pass(w, 1);
	expect_links(w, true, false, 0);
	expect_link(w, "net0-performant", false);
	expect_link(w, "net0-legacy", true);
	expect_switch(w, PERFORMANT_NIC, LEGACY_NIC, "performant-lost");
	expect_no_event(w);
}

/* --- with a QEMU that can be asked ---------------------------------------------------------------------------------- */

struct monitor {
	struct qmp_client *client;
	int qemu; /* its end */
};

static void qemu_says(struct world *w, const struct monitor *m, const char *text)
{
	struct qmp_item item;

	assert_int_equal(write(m->qemu, text, strlen(text)), strlen(text));
	qmp_client_read(m->client);
	while (qmp_client_next(m->client, &item))
		if (item.kind == QMP_ITEM_REPLY)
			control_qemu_replied(&w->control, item.id, NULL);
		else if (item.kind == QMP_ITEM_EVENT)
			control_qemu_event(&w->control, item.name, item.data);
}

static struct monitor open_monitor(struct world *w)
{
	struct monitor m;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	m.qemu = pair[1];
	m.client = qmp_client_create(pair[0], NULL);
	assert_non_null(m.client);
	qemu_says(w, &m,
		  "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
		  "{\"return\": {}, \"id\": 0}\r\n");
	control_set_monitor(&w->control, m.client, false);
	return m;
}

static void close_monitor(struct world *w, struct monitor *m)
{
	control_set_monitor(&w->control, NULL, false);
	qmp_client_destroy(m->client);
	close(m->qemu);
}

/* The number of the last query-status; 0 when none came. */
static unsigned asked(const struct monitor *m)
{
	char text[4096];
	ssize_t n = recv(m->qemu, text, sizeof(text) - 1, MSG_DONTWAIT);
	unsigned id = 0;

	text[n > 0 ? n : 0] = '\0';
	for (char *at = text; (at = strstr(at, "\"query-status\"")); at++)
		id = (unsigned)strtoul(strstr(at, "\"id\":") + 5, NULL, 10);
	return id;
}

static void answer(struct world *w, const struct monitor *m, unsigned id)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %u}\r\n", id);
	qemu_says(w, m, text);
}

static void both_ready(struct world *w)
{
	legacy(w, DRIVER_READY);
	expect_status(w);
	performant_up(w);
}

/* On a busy machine QEMU and the datapath have no processor for a while, in the middle of a reset. */
static void however_long_qemu_takes_for_its_cards_it_is_one_reset(void **state)
{
	struct world *w = *state;
	struct monitor m = open_monitor(w);

	both_ready(w);
	status_of(w, "net0-performant", DRIVER_NONE, true);
	expect_status(w);
	unsigned id = asked(&m);
	assert_int_not_equal(id, 0);
	pass(w, 3000);
	expect_no_links(w);
	status_of(w, "net0-legacy", DRIVER_NONE, true);
	expect_links(w, false, false, -1);
	expect_status(w);
	expect_link(w, "net0-performant", false);
	expect_switch(w, PERFORMANT_NIC, "null", "reset");
	qemu_says(w, &m, "{\"event\": \"RESET\"}\r\n");
	answer(w, &m, id);
	expect_event(w, "RESET", "");
	pass(w, 150);
	expect_no_links(w);
	expect_no_event(w);
	close_monitor(w, &m);
}

static void a_bus_reset_is_a_loss_when_qemu_answers_without_one(void **state)
{
	struct world *w = *state;
	struct monitor m = open_monitor(w);

	both_ready(w);
	status_of(w, "net0-performant", DRIVER_NONE, true);
	expect_status(w);
	unsigned id = asked(&m);
	pass(w, 3000);
	answer(w, &m, id + 1); /* somebody else's */
	expect_no_links(w);
	answer(w, &m, id);
	expect_links(w, true, false, 0);
	expect_link(w, "net0-performant", false);
	expect_link(w, "net0-legacy", true);
	expect_switch(w, PERFORMANT_NIC, LEGACY_NIC, "performant-lost");
	expect_no_event(w);
	close_monitor(w, &m);
}

/* It was asked for each of them: an answer to the first question knows nothing of what came later. */
static void the_last_answer_counts(void **state)
{
	struct world *w = *state;
	struct monitor m = open_monitor(w);

	legacy_up(w);
	legacy(w, DRIVER_NONE);
	unsigned first = asked(&m);
	legacy(w, DRIVER_READY); /* a driver that starts over */
	legacy(w, DRIVER_NONE);
	unsigned last = asked(&m);
	assert_true(last > first);
	answer(w, &m, first);
	expect_no_links(w);
	qemu_says(w, &m, "{\"event\": \"RESET\"}\r\n");
	answer(w, &m, last);
	expect_links(w, false, false, -1);
	for (int i = 0; i < 3; i++)
		expect_status(w);
	expect_event(w, "RESET", "");
	expect_link(w, "net0-legacy", false);
	expect_switch(w, LEGACY_NIC, "null", "reset");
	expect_no_event(w);
	close_monitor(w, &m);
}

/* The datapath tells several changes as one when control is behind. */
static void a_driver_that_is_ready_again_when_its_reset_is_told_keeps_its_link(void **state)
{
	struct world *w = *state;

	both_ready(w);
	status_of(w, "net0-performant", DRIVER_READY, true);
	pass(w, 3000);
	expect_no_links(w);
	expect_no_event(w);
	assert_int_equal(w->control.port[0].active, 1);
}

static void a_qemu_that_does_not_answer_is_not_waited_for_for_ever(void **state)
{
	struct world *w = *state;
	struct monitor m = open_monitor(w);

	both_ready(w);
	status_of(w, "net0-performant", DRIVER_NONE, true);
	unsigned id = asked(&m);
	pass(w, 9900);
	expect_no_links(w);
	pass(w, 200);
	expect_links(w, true, false, 0);
	answer(w, &m, id); /* too late */
	expect_no_links(w);
	close_monitor(w, &m);
}

static void a_monitor_that_closes_is_not_waited_for(void **state)
{
	struct world *w = *state;
	struct monitor m = open_monitor(w);

	both_ready(w);
	status_of(w, "net0-performant", DRIVER_NONE, true);
	expect_no_links(w);
	close_monitor(w, &m);
	expect_links(w, true, false, 0);
}

static void card_asks(struct world *w)
{
	struct msg_nic_status m = { .state = DRIVER_NONE, .asks = 1 };

	str_copy(m.nic, sizeof(m.nic), "net0-performant");
	report(w, MSG_NIC_STATUS, &m, sizeof(m));
}

/* How often the datapath was told whether the guest runs; the last word is in *running. */
static unsigned told_running(struct world *w, bool *running)
{
	static struct message m;
	unsigned count = 0;

	while (message_receive(w->peer, &m) == 1)
		if (m.type == MSG_GUEST_RUN) {
			*running = m.body[0];
			count++;
		}
	return count;
}

static void a_card_that_asks_hears_what_qemu_told_before_its_answer(void **state)
{
	struct world *w = *state;
	struct monitor m = open_monitor(w);
	bool running = false;

	card_asks(w);
	unsigned id = asked(&m);
	assert_int_not_equal(id, 0);
	assert_int_equal(told_running(w, &running), 0);
	answer(w, &m, id);
	assert_int_equal(told_running(w, &running), 1);
	assert_true(running);
	card_asks(w);
	id = asked(&m);
	qemu_says(w, &m, "{\"event\": \"STOP\"}\r\n");
	answer(w, &m, id);
	assert_int_equal(told_running(w, &running), 1);
	assert_false(running);
	qemu_says(w, &m, "{\"event\": \"RESUME\"}\r\n");
	card_asks(w);
	(void)told_running(w, &running);
	close_monitor(w, &m);
	assert_int_equal(told_running(w, &running), 1);
	card_asks(w); /* and without a QEMU at once */
	assert_int_equal(told_running(w, &running), 1);
	assert_true(running);
}

static void a_nic_that_is_unplugged_is_lost_at_once(void **state)
{
	struct world *w = *state;

	legacy(w, DRIVER_READY);
	expect_status(w);
	performant_up(w);
	attach(w, "net0-performant", false, "");
	status_of(w, "net0-performant", DRIVER_NONE, true);
	struct msg_port_links links;
	assert_true(take_links(w, &links));
	assert_int_equal(links.active, 0);
}

static void after_shutdown_the_cards_go_quietly(void **state)
{
	struct world *w = *state;

	legacy(w, DRIVER_READY);
	expect_status(w);
	performant_up(w);
	control_qemu_event(&w->control, "SHUTDOWN", NULL);
	expect_event(w, "SHUTDOWN", "");
	for (int i = 0; i < 2; i++) {
		attach(w, i ? "net0-legacy" : "net0-performant", false, "");
		status_of(w, i ? "net0-legacy" : "net0-performant", DRIVER_NONE, true);
	}
	pass(w, 150);
	expect_no_links(w);
	expect_no_event(w);
	assert_int_equal(w->control.port[0].nic[1].status, DRIVER_NONE);
	/* with -no-shutdown a reset may follow, and all begins again */
	control_qemu_event(&w->control, "RESET", NULL);
	expect_links(w, false, false, -1);
}

static void a_link_set_by_hand_stays_until_auto(void **state)
{
	struct world *w = *state;
	struct error err;

	performant_up(w);
	assert_int_equal(control_set_link(&w->control, "net0-legacy", true, &err), 0);
	expect_links(w, true, false, 0);
	expect_link(w, "net0-performant", false);
	expect_link(w, "net0-legacy", true);
	expect_switch(w, PERFORMANT_NIC, LEGACY_NIC, "manual");
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_MANUAL);
	expect_verdict(w, WHY_MANUAL, "net0-legacy");

	/* neither drivers nor a reset change it */
	performant(w, DRIVER_NONE);
	expect_status(w);
	control_qemu_event(&w->control, "RESET", NULL);
	expect_event(w, "RESET", "");
	performant(w, DRIVER_READY);
	expect_status(w);
	expect_no_links(w);

	assert_int_equal(control_set_mode(&w->control, "net0", false, &err), 0);
	expect_links(w, false, true, 1);
	expect_link(w, "net0-legacy", false);
	expect_link(w, "net0-performant", true);
	expect_switch(w, LEGACY_NIC, PERFORMANT_NIC, "manual");
	expect_no_event(w);
}

static void a_port_taken_down_by_hand_has_no_link(void **state)
{
	struct world *w = *state;
	struct error err;

	performant_up(w);
	assert_int_equal(control_set_link(&w->control, "net0", false, &err), 0);
	expect_links(w, false, false, -1);
	expect_link(w, "net0-performant", false);
	expect_switch(w, PERFORMANT_NIC, "null", "manual");
	expect_verdict(w, WHY_MANUAL, "down");
	assert_int_equal(control_set_link(&w->control, "net0", true, &err), 0);
	expect_links(w, false, true, 1);
	expect_link(w, "net0-performant", true);
	expect_switch(w, "null", PERFORMANT_NIC, "manual");
	/* the same again asks for nothing */
	assert_int_equal(control_set_link(&w->control, "net0-performant", true, &err), 0);
	expect_no_links(w);
	expect_no_event(w);
	assert_int_equal(control_set_link(&w->control, "net9", true, &err), -ENOENT);
	assert_int_equal(control_set_mode(&w->control, "net0-legacy", true, &err), -ENOENT);
}

/* Both drivers are ready, and six switches happened: not yet more than six. */
static void switch_six_times(struct world *w)
{
	legacy(w, DRIVER_READY);
	expect_status(w);
	performant_up(w);
	for (int i = 0; i < 3; i++) {
		performant(w, DRIVER_NONE);
		expect_links(w, true, false, 0);
		if (i < 2) {
			performant(w, DRIVER_READY);
			expect_links(w, false, true, 1);
		}
	}
}

static void forget_events(struct world *w)
{
	for (json_object *e = control_next_event(&w->control); e;
	     e = control_next_event(&w->control))
		json_object_put(e);
}

static void too_many_switches_hold_the_choice(void **state)
{
	struct world *w = *state;

	switch_six_times(w);
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_UP);
	performant(w, DRIVER_READY);
	expect_links(w, false, true, 1);
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_HELD);
	expect_verdict(w, WHY_HELD, "net0-performant");
	json_object *last = NULL, *name, *data, *part;
	for (json_object *e = control_next_event(&w->control); e;
	     e = control_next_event(&w->control)) {
		json_object_put(last);
		last = e;
	}
	json_object_object_get_ex(last, "event", &name);
	assert_string_equal(json_object_get_string(name), "PORT_SWITCH_HELD");
	json_object_object_get_ex(last, "data", &data);
	json_object_object_get_ex(data, "switches", &part);
	assert_int_equal(json_object_get_int(part), 7);
	assert_true(json_object_object_get_ex(data, "until", &part));
	assert_true(json_object_object_get_ex(part, "seconds", NULL));
	json_object_put(last);

	/* what does not work is not held; what works is */
	performant(w, DRIVER_NONE);
	expect_links(w, true, false, 0);
	performant(w, DRIVER_READY);
	expect_no_links(w);
	/* by hand the hold ends */
	struct error err;
	assert_int_equal(control_set_mode(&w->control, "net0", true, &err), 0);
	assert_int_equal(control_set_mode(&w->control, "net0", false, &err), 0);
	expect_links(w, false, true, 1);
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_UP);
}

static void auto_ends_a_hold(void **state)
{
	struct world *w = *state;
	struct error err;

	switch_six_times(w);
	performant(w, DRIVER_READY);
	expect_links(w, false, true, 1);
	performant(w, DRIVER_NONE);
	expect_links(w, true, false, 0);
	performant(w, DRIVER_READY);
	expect_verdict(w, WHY_HELD, "net0-legacy");
	expect_no_links(w);
	forget_events(w);
	assert_int_equal(control_set_mode(&w->control, "net0", false, &err), 0);
	expect_links(w, false, true, 1);
	expect_link(w, "net0-legacy", false);
	expect_link(w, "net0-performant", true);
	expect_switch(w, LEGACY_NIC, PERFORMANT_NIC, "manual");
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_UP);
	/* said again, it is nothing */
	assert_int_equal(control_set_mode(&w->control, "net0", false, &err), 0);
	expect_no_links(w);
}

static void a_hold_does_not_explain_why_there_is_no_driver(void **state)
{
	struct world *w = *state;

	switch_six_times(w);
	performant(w, DRIVER_READY);
	expect_links(w, false, true, 1);
	legacy(w, DRIVER_INITIALIZING);
	status_of(w, "net0-performant", DRIVER_INITIALIZING, false);
	expect_links(w, false, false, -1);
	expect_verdict(w, WHY_INITIALIZING, "net0-legacy");
}

static void a_stopped_guest_has_no_time(void **state)
{
	struct world *w = *state;
	static struct message m;

	legacy(w, DRIVER_READY);
	expect_status(w);
	control_qemu_event(&w->control, "STOP", NULL);
	expect_event(w, "STOP", "");
	assert_int_equal(message_receive(w->peer, &m), 1);
	assert_int_equal(m.type, MSG_GUEST_RUN);
	assert_int_equal(m.body[0], 0);
	pass(w, 3 * DELAY_MS);
	expect_no_links(w);
	control_qemu_event(&w->control, "RESUME", NULL);
	expect_event(w, "RESUME", "");
	pass(w, 2 * DELAY_MS);
	expect_links(w, true, false, 0);
}

/* `cont` to a QEMU that waits for a guest begins nothing. */
static void a_guest_that_is_waited_for_is_not_told_to_be_continued(void **state)
{
	struct world *w = *state;
	struct why why;

	control_set_running(&w->control, false);
	w->control.awaited = true;
	why_port(&w->control.port[0], &why);
	assert_int_equal(why.verdict, WHY_NO_DRIVER);
	assert_non_null(strstr(why.next_step, "anynic migrate"));
	control_set_running(&w->control, true); /* it has come */
	control_set_running(&w->control, false);
	why_port(&w->control.port[0], &why);
	assert_non_null(strstr(why.next_step, "the guest is stopped"));
}

/* Names of the ports that are to be announced, in the order of the messages. */
static unsigned announced(struct world *w, char *names, size_t size)
{
	static struct message m;
	unsigned count = 0;

	names[0] = '\0';
	while (message_receive(w->peer, &m) == 1) {
		const struct msg_port_name *body = message_body(&m, sizeof(*body));

		if (m.type != MSG_PORT_ANNOUNCE)
			continue;
		assert_non_null(body);
		snprintf(names + strlen(names), size - strlen(names), "%s ", body->port);
		count++;
	}
	return count;
}

static void a_guest_that_came_is_announced_on_all_its_ports_for_a_second(void **state)
{
	struct world *w = *state;
	char names[200];

	announced(w, names, sizeof(names));
	control_announce(&w->control);
	assert_int_equal(announced(w, names, sizeof(names)), 2);
	assert_string_equal(names, "net0 lan0 ");
	pass(w, 1000);
	assert_int_equal(announced(w, names, sizeof(names)), 8);
	pass(w, 1000);
	assert_int_equal(announced(w, names, sizeof(names)), 0);
	/* the process that would do it is gone: nothing is asked of it */
	control_announce(&w->control);
	control_datapath_gone(&w->control);
	announced(w, names, sizeof(names));
	pass(w, 1000);
	assert_int_equal(announced(w, names, sizeof(names)), 0);
}

static void a_single_nic_is_up_from_the_start(void **state)
{
	struct world *w = *state;
	struct error err;

	expect_links(w, true, false, 0);
	expect_no_event(w); /* that is how it begins, nothing has changed */
	assert_true(w->control.port[1].nic[0].link);
	control_qemu_event(&w->control, "RESET", NULL);
	expect_event(w, "RESET", "");
	status_of(w, "lan0", DRIVER_READY, false);
	expect_status(w);
	expect_no_links(w);
	assert_int_equal(control_set_link(&w->control, "lan0", false, &err), 0);
	expect_links(w, false, false, -1);
	expect_event(w, "NIC_LINK_CHANGED", "{\"nic\":\"lan0\",\"port\":\"lan0\",\"up\":false}");
	expect_event(w, "PORT_LINK_SWITCHED",
		     "{\"port\":\"lan0\",\"from\":\"lan0\",\"to\":null,\"reason\":\"manual\","
		     "\"duration-us\":42}");
	assert_int_equal(control_set_mode(&w->control, "lan0", false, &err), 0);
	expect_links(w, true, false, 0);
}

static void a_backend_that_goes_is_told(void **state)
{
	struct world *w = *state;
	struct msg_backend_status m = { .port = "net0", .reason = "the peer closed" };

	report(w, MSG_BACKEND_STATUS, &m, sizeof(m));
	expect_event(w, "BACKEND_STATUS_CHANGED",
		     "{\"port\":\"net0\",\"up\":false,\"reason\":\"the peer closed\"}");
	expect_verdict(w, WHY_BACKEND_DOWN, "the peer closed");
	struct why why;
	why_port(&w->control.port[0], &why);
	assert_string_equal(why.next_step, "wait: it is started again and again");
	struct backend_spec *b = &w->control.port[0].spec.backend;
	str_copy(b->type, sizeof(b->type), "stream");
	str_copy(b->path, sizeof(b->path), "/s");
	why_port(&w->control.port[0], &why);
	assert_non_null(strstr(why.next_step, "mend the other side"));
	b->path[0] = '\0';
	b->nfds = 1; /* fd=: nobody can open that once more */
	why_port(&w->control.port[0], &why);
	assert_non_null(strstr(why.next_step, "start it again"));
	report(w, MSG_BACKEND_STATUS, &m, sizeof(m));
	expect_no_event(w);
	m = (struct msg_backend_status){ .port = "net0", .up = 1 };
	report(w, MSG_BACKEND_STATUS, &m, sizeof(m));
	expect_event(w, "BACKEND_STATUS_CHANGED",
		     "{\"port\":\"net0\",\"up\":true,\"reason\":\"\"}");
}

static void the_end_of_the_datapath_takes_the_links_and_is_told(void **state)
{
	struct world *w = *state;
	static struct message m;
	struct error err;

	performant_up(w);
	close(w->peer);
	w->peer = -1;
	assert_int_equal(datapath_receive(&w->datapath, &m), -EPIPE);
	control_datapath_gone(&w->control);
	control_datapath_gone(&w->control);
	expect_event(w, "BACKEND_STATUS_CHANGED",
		     "{\"port\":\"net0\",\"up\":false,\"reason\":\"the datapath process has closed "
		     "its socket\"}");
	expect_link(w, "net0-performant", false);
	expect_event(w, "PORT_LINK_SWITCHED",
		     "{\"port\":\"net0\",\"from\":\"net0-performant\",\"to\":null,\"reason\":"
		     "\"backend\",\"duration-us\":0}");
	expect_no_event(w);
	expect_verdict(w, WHY_BACKEND_DOWN, "datapath");
	assert_int_equal(control_set_link(&w->control, "net0", true, &err), -EPIPE);
	control_qemu_event(&w->control, "RESET", NULL);
	expect_event(w, "RESET", "");
	expect_no_event(w);
}

static void a_memory_problem_explains_itself(void **state)
{
	struct world *w = *state;
	attach(w, "net0-legacy", true, "guest memory is private");
	expect_verdict(w, WHY_DRIVER_FAILED, "guest memory is private");
}

/* Whoever took over the datapath process writes neither to an administrator's terminal nor into broken JSON. */
static void texts_of_the_datapath_are_plain(void **state)
{
	struct world *w = *state;
	struct msg_nic_status status = { .nic = "net0-legacy",
					 .state = DRIVER_INITIALIZING,
					 .evidence = "a\x1b]0;owned\a \xff\x80 \n b~" };

	report(w, MSG_NIC_STATUS, &status, sizeof(status));
	assert_string_equal(w->control.port[0].nic[0].evidence, "a?]0;owned? ?? ? b~");
}

static void messages_of_the_wrong_size_or_with_wild_values_are_ignored(void **state)
{
	struct world *w = *state;
	struct msg_nic_status status = { .nic = "net0-legacy", .state = 99 };
	struct msg_links_applied applied = { .port = "net0", .active = 77 };
	struct msg_nic_status endless;

	memset(&endless, 'x', sizeof(endless));
	report(w, MSG_NIC_STATUS, &status, sizeof(status));
	report(w, MSG_NIC_STATUS, &status, 10);
	report(w, MSG_NIC_STATUS, &endless, sizeof(endless));
	report(w, MSG_LINKS_APPLIED, &applied, sizeof(applied));
	report(w, MSG_REPLY, &applied, 3);
	for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++)
		report(w, type, NULL, 0);
	expect_no_event(w);
	assert_int_equal(w->control.port[0].active, -1);
}

static void a_qemu_that_closes_its_monitor_leaves_its_cards_as_they_are(void **state)
{
	struct world *w = *state;
	struct control_port *p = &w->control.port[0];
	struct error err = { 0 };

	p->spec.nic[0].place = p->spec.nic[1].place = PLACE_QEMU;
	p->spec.nic[0].netdev = p->spec.nic[1].netdev = NETDEV_STREAM;
	control_monitor_lost(&w->control);
	expect_verdict(w, WHY_DRIVER_FAILED, "closed its monitor");
	assert_int_equal(control_set_link(&w->control, "net0", true, &err), -EPIPE);
	assert_non_null(strstr(err.text, "next: start the guest again"));
	expect_no_event(w);
}

static void cards_of_ours_need_no_monitor(void **state)
{
	struct world *w = *state;

	control_monitor_lost(&w->control);
	expect_verdict(w, WHY_NO_DRIVER, "rtl8139");
}

#define STORY(name, before) cmocka_unit_test_setup_teardown(name, before, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_new_switch_port_asks_for_nothing, setup),
		STORY(a_status_event_has_its_members_in_order, setup),
		STORY(a_new_phase_is_news_only_of_a_driver_that_is_ready, setup),
		STORY(the_performant_nic_comes_up_at_once, setup),
		STORY(the_legacy_nic_comes_up_after_the_delay, setup),
		STORY(a_timer_that_was_set_anew_is_waited_for, setup),
		STORY(legacy_never_comes_up_when_performant_is_ready_within_the_delay, setup),
		STORY(a_direct_move_is_one_step_and_one_event, setup),
		STORY(a_guest_reset_is_told_as_a_reset, setup),
		STORY(a_reset_is_told_after_the_links_that_it_took, setup),
		STORY(a_driver_that_is_ready_before_the_reset_is_told_keeps_its_link, setup),
		STORY(a_cleared_command_register_before_the_reset_belongs_to_it, setup),
		STORY(a_bus_reset_of_one_nic_alone_is_a_loss, setup),
		STORY(however_long_qemu_takes_for_its_cards_it_is_one_reset, setup),
		STORY(a_bus_reset_is_a_loss_when_qemu_answers_without_one, setup),
		STORY(the_last_answer_counts, setup),
		STORY(a_driver_that_is_ready_again_when_its_reset_is_told_keeps_its_link, setup),
		STORY(a_qemu_that_does_not_answer_is_not_waited_for_for_ever, setup),
		STORY(a_monitor_that_closes_is_not_waited_for, setup),
		STORY(a_card_that_asks_hears_what_qemu_told_before_its_answer, setup),
		STORY(a_nic_that_is_unplugged_is_lost_at_once, setup),
		STORY(after_shutdown_the_cards_go_quietly, setup),
		STORY(a_link_set_by_hand_stays_until_auto, setup),
		STORY(a_port_taken_down_by_hand_has_no_link, setup),
		STORY(too_many_switches_hold_the_choice, setup),
		STORY(auto_ends_a_hold, setup),
		STORY(a_hold_does_not_explain_why_there_is_no_driver, setup),
		STORY(a_stopped_guest_has_no_time, setup),
		STORY(a_guest_that_is_waited_for_is_not_told_to_be_continued, setup),
		STORY(a_single_nic_is_up_from_the_start, setup_two),
		STORY(a_guest_that_came_is_announced_on_all_its_ports_for_a_second, setup_two),
		STORY(a_backend_that_goes_is_told, setup),
		STORY(the_end_of_the_datapath_takes_the_links_and_is_told, setup),
		STORY(a_qemu_that_closes_its_monitor_leaves_its_cards_as_they_are, setup),
		STORY(cards_of_ours_need_no_monitor, setup),
		STORY(a_memory_problem_explains_itself, setup),
		STORY(texts_of_the_datapath_are_plain, setup),
		STORY(messages_of_the_wrong_size_or_with_wild_values_are_ignored, setup),
	};
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
