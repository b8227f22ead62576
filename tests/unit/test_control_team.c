/* A port of policy team, with the test in the place of the datapath: which card has a link, which one is active, which one gets what
 * comes in, and what people are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/why.h"
#include "control_world.h"

enum { PERSISTENT, TRANSIENT };

static const struct port_spec teams[] = {
	/* QEMU's virtio card, whose frames come to the datapath */
	{ .id = "net0",
	  .policy = POLICY_TEAM,
	  .hold_count = 2,
	  .hold_seconds = 600,
	  .nics = 2,
	  .nic = { { .id = "p",
		     .model = "virtio-net",
		     .role = ROLE_PERSISTENT,
		     .netdev = NETDEV_STREAM },
		   { .id = "t", .model = "igb", .role = ROLE_TRANSIENT, .pair = "p" } },
	  .backend = { .type = "user" } },
	/* both are ours */
	{ .id = "net0",
	  .policy = POLICY_TEAM,
	  .nics = 2,
	  .nic = { { .id = "p", .model = "virtio-net", .role = ROLE_PERSISTENT },
		   { .id = "t", .model = "igb", .role = ROLE_TRANSIENT } },
	  .backend = { .type = "user" } },
};

static int setup_with(void **state, const struct port_spec *spec)
{
	*state = world_create(spec, 1);
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, &teams[0]);
}

static int setup_own(void **state)
{
	return setup_with(state, &teams[1]);
}

static void attached(struct world *w, const char *nic, bool yes)
{
	struct msg_nic_attached m = { .attached = yes };

	str_copy(m.nic, sizeof(m.nic), nic);
	report(w, MSG_NIC_ATTACHED, &m, sizeof(m));
}

static void driver(struct world *w, const char *nic, enum driver_state state, bool standby)
{
	struct msg_nic_status m = { .state = state, .since_ns = now_ns, .standby = standby };

	str_copy(m.nic, sizeof(m.nic), nic);
	str_copy(m.evidence, sizeof(m.evidence), "because");
	report(w, MSG_NIC_STATUS, &m, sizeof(m));
}

static void qemu_says_that_the_guest_pairs(struct world *w, const char *nic)
{
	json_object *data = json_object_new_object();

	json_object_object_add(data, "device-id", json_object_new_string(nic));
	control_qemu_event(&w->control, "FAILOVER_NEGOTIATED", data);
	json_object_put(data);
	pass(w, 0);
}

/* What control asked for last; false: nothing since the last time. The datapath confirms all of it. */
static bool take_links(struct world *w, struct msg_port_links *links)
{
	static struct message m;
	bool any = false;

	while (message_receive(w->peer, &m) == 1) {
		const struct msg_port_links *body = message_body(&m, sizeof(*body));

		if (m.type != MSG_PORT_LINKS)
			continue;
		*links = *body;
		any = true;
		struct msg_links_applied applied = { .active = body->active };
		str_copy(applied.port, sizeof(applied.port), body->port);
		assert_int_equal(message_send(w->peer, MSG_LINKS_APPLIED, 0, &applied,
					      sizeof(applied), NULL, 0),
				 0);
	}
	pass(w, 0);
	return any;
}

static void expect(struct world *w, bool transient_link, int active, int receive)
{
	struct msg_port_links links = { 0 };

	assert_true(take_links(w, &links));
	assert_true(links.up[PERSISTENT]);
	assert_int_equal(links.up[TRANSIENT], transient_link);
	assert_int_equal(links.active, active);
	assert_int_equal(links.receive, receive);
	assert_int_equal(w->control.port[0].active, active);
}

static void expect_nothing(struct world *w)
{
	struct msg_port_links links;

	assert_false(take_links(w, &links));
}

static bool event_came(struct world *w, const char *name, const char *words)
{
	bool found = false;

	for (json_object *e = control_next_event(&w->control); e;
	     e = control_next_event(&w->control)) {
		const char *text = json_object_to_json_string_ext(e, JSON_C_TO_STRING_PLAIN);

		found |= strstr(text, name) && strstr(text, words);
		json_object_put(e);
	}
	return found;
}

static void expect_why(struct world *w, enum why_verdict verdict, const char *words,
		       const char *next)
{
	struct why why;

	why_port(&w->control.port[0], &why);
	if (why.verdict != verdict || !strstr(why.text, words) || !strstr(why.next_step, next))
		fail_msg("%s: %s; next: %s", why_verdict_names[why.verdict], why.text,
			 why.next_step);
}

/* Both drivers are there, and the transient card is active. */
static void pair_up(struct world *w)
{
	expect(w, false, PERSISTENT, PERSISTENT);
	driver(w, "p", DRIVER_READY, false);
	qemu_says_that_the_guest_pairs(w, "p");
	attached(w, "t", true);
	expect(w, true, PERSISTENT, PERSISTENT);
	driver(w, "t", DRIVER_INITIALIZING, false);
	expect_nothing(w);
	driver(w, "t", DRIVER_READY, false);
	expect(w, true, TRANSIENT, TRANSIENT);
	assert_true(event_came(w, "PORT_LINK_SWITCHED", "transient-ready"));
}

/* --- stories ----------------------------------------------------------------------------------------------------- */

static void a_team_begins_on_the_persistent_card(void **state)
{
	struct world *w = *state;

	expect(w, false, PERSISTENT, PERSISTENT);
	expect_why(w, WHY_NO_DRIVER, "no driver", "virtual machine");
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_UP);
}

static void a_guest_that_does_not_pair_works_and_why_says_what_to_do(void **state)
{
	struct world *w = *state;

	expect(w, false, PERSISTENT, PERSISTENT);
	driver(w, "p", DRIVER_READY, false);
	expect_nothing(w);
	expect_why(w, WHY_OK, "the guest does not pair", "net_failover");
	/* it is not another card that was named */
	qemu_says_that_the_guest_pairs(w, "t");
	expect_nothing(w);
}

static void a_guest_that_pairs_moves_to_the_transient_card(void **state)
{
	struct world *w = *state;

	pair_up(w);
	expect_why(w, WHY_OK, "p stands by", "");
}

static void why_says_what_a_pair_still_lacks(void **state)
{
	struct world *w = *state;

	expect(w, false, PERSISTENT, PERSISTENT);
	driver(w, "p", DRIVER_READY, false);
	qemu_says_that_the_guest_pairs(w, "p");
	expect_why(w, WHY_OK, "t is not plugged", "what QEMU wrote");
	attached(w, "t", true);
	expect(w, true, PERSISTENT, PERSISTENT);
	expect_why(w, WHY_OK, "t is plugged, driver none", "igb for igb");
	driver(w, "t", DRIVER_FAILED, false);
	expect_why(w, WHY_DRIVER_FAILED, "the driver of t has failed: because", "kernel log");
}

static void a_driver_that_starts_anew_is_waited_for(void **state)
{
	struct world *w = *state;

	pair_up(w);
	driver(w, "t", DRIVER_INITIALIZING, false);
	pass(w, 250);
	driver(w, "t", DRIVER_READY, false);
	pass(w, 1000);
	expect_nothing(w);
	/* but not for long */
	driver(w, "t", DRIVER_INITIALIZING, false);
	pass(w, 299);
	expect_nothing(w);
	pass(w, 2);
	expect(w, false, PERSISTENT, PERSISTENT);
	assert_true(event_came(w, "PORT_LINK_SWITCHED", "transient-lost"));
}

static void a_driver_that_is_unloaded_moves_the_team_at_once(void **state)
{
	struct world *w = *state;

	pair_up(w);
	driver(w, "t", DRIVER_INITIALIZING, false);
	expect_nothing(w);
	driver(w, "t", DRIVER_NONE, false);
	expect(w, false, PERSISTENT, PERSISTENT);
	/* it comes again: read at once, sent on after the hold-down */
	driver(w, "t", DRIVER_READY, false);
	expect(w, false, PERSISTENT, TRANSIENT);
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_HELD);
	expect_why(w, WHY_HELD, "what comes in still goes to t", "wait");
	pass(w, 1990);
	expect_nothing(w);
	pass(w, 20);
	expect(w, true, TRANSIENT, TRANSIENT);
}

static void flapping_is_held_for_longer_and_told(void **state)
{
	struct world *w = *state;

	pair_up(w);
	for (unsigned i = 0; i < 2; i++) {
		driver(w, "t", DRIVER_NONE, false);
		driver(w, "t", DRIVER_READY, false);
		pass(w, 2100);
		expect(w, true, TRANSIENT, TRANSIENT);
	}
	assert_false(event_came(w, "PORT_SWITCH_HELD", ""));
	driver(w, "t", DRIVER_NONE, false);
	driver(w, "t", DRIVER_READY, false);
	expect(w, false, PERSISTENT, TRANSIENT);
	assert_true(event_came(w, "PORT_SWITCH_HELD", "\"switches\":3"));
	pass(w, 4900);
	expect_nothing(w);
	/* a person ends it */
	assert_int_equal(control_set_mode(&w->control, "net0", false, NULL), 0);
	expect(w, true, TRANSIENT, TRANSIENT);
	pass(w, 1000);
	expect_nothing(w);
}

static void an_administrator_fails_a_team_over_by_a_link(void **state)
{
	struct world *w = *state;

	pair_up(w);
	assert_int_equal(control_set_link(&w->control, "t", false, NULL), 0);
	/* Linux sends elsewhere, and reads the card as before */
	expect(w, false, PERSISTENT, TRANSIENT);
	assert_true(event_came(w, "PORT_LINK_SWITCHED", "manual"));
	assert_int_equal(control_port_state(&w->control.port[0]), PORT_MANUAL);
	expect_why(w, WHY_MANUAL, "what comes in still goes to t", "auto");
	driver(w, "t", DRIVER_NONE, false);
	expect(w, false, PERSISTENT, PERSISTENT);
	driver(w, "t", DRIVER_READY, false);
	expect(w, false, PERSISTENT, TRANSIENT);
	assert_int_equal(control_set_mode(&w->control, "net0", false, NULL), 0);
	expect(w, true, TRANSIENT, TRANSIENT);
}

static void a_port_that_is_put_down_has_no_link_at_all(void **state)
{
	struct world *w = *state;
	struct msg_port_links links;

	pair_up(w);
	assert_int_equal(control_set_link(&w->control, "net0", false, NULL), 0);
	assert_true(take_links(w, &links));
	assert_false(links.up[PERSISTENT] || links.up[TRANSIENT]);
	assert_int_equal(links.active, -1);
	assert_int_equal(links.receive, -1);
	assert_int_equal(control_set_link(&w->control, "net0", true, NULL), 0);
	expect(w, true, TRANSIENT, TRANSIENT);
}

static void a_reset_waits_for_the_guest_to_pair_again(void **state)
{
	struct world *w = *state;

	pair_up(w);
	driver(w, "t", DRIVER_NONE, false);
	expect(w, false, PERSISTENT, PERSISTENT);
	driver(w, "p", DRIVER_NONE, false);
	control_qemu_event(&w->control, "RESET", NULL);
	expect_nothing(w);
	driver(w, "t", DRIVER_READY, false); /* firmware */
	pass(w, 5000);
	expect_nothing(w);
	qemu_says_that_the_guest_pairs(w, "p");
	expect(w, true, TRANSIENT, TRANSIENT);
}

static void a_card_that_leaves_the_guest_is_asked_for_first(void **state)
{
	struct world *w = *state;
	struct control_port *p = &w->control.port[0];

	pair_up(w);
	control_team_take_out(p, true);
	expect(w, false, PERSISTENT, TRANSIENT);
	assert_true(event_came(w, "PORT_LINK_SWITCHED", "unplug"));
	driver(w, "t", DRIVER_NONE, false);
	expect(w, false, PERSISTENT, PERSISTENT);
	attached(w, "t", false);
	expect_why(w, WHY_OK, "was taken out", "");
	attached(w, "t", true);
	control_team_take_out(p, false);
	driver(w, "t", DRIVER_READY, false);
	expect(w, true, TRANSIENT, TRANSIENT);
}

static void our_own_virtio_card_tells_by_itself_that_the_guest_pairs(void **state)
{
	struct world *w = *state;

	expect(w, false, PERSISTENT, PERSISTENT);
	attached(w, "p", true);
	attached(w, "t", true);
	driver(w, "t", DRIVER_READY, false);
	driver(w, "p", DRIVER_READY, false);
	expect_nothing(w);
	expect_why(w, WHY_OK, "does not pair", "virtio_net");
	/* DRIVER_OK with STANDBY comes before the first receive buffer */
	driver(w, "p", DRIVER_NONE, false);
	driver(w, "p", DRIVER_INITIALIZING, true);
	expect(w, true, TRANSIENT, TRANSIENT);
	driver(w, "p", DRIVER_READY, true);
	expect_nothing(w);
	/* another system in the same guest, that does not */
	driver(w, "p", DRIVER_READY, false);
	expect(w, false, PERSISTENT, PERSISTENT);
}

static bool announced(struct world *w)
{
	static struct message m;
	bool found = false;

	while (message_receive(w->peer, &m) == 1) {
		const struct msg_port_name *name = message_body(&m, sizeof(*name));

		if (m.type != MSG_PORT_ANNOUNCE)
			continue;
		assert_string_equal(name->port, "net0");
		found = true;
	}
	return found;
}

static void a_guest_that_comes_from_elsewhere_is_announced_before_it_runs(void **state)
{
	struct world *w = *state;

	control_set_running(&w->control, true);
	qemu_says_that_the_guest_pairs(w, "p");
	assert_false(announced(w)); /* it has been here all the time */
	control_set_running(&w->control, false);
	qemu_says_that_the_guest_pairs(w, "t");
	assert_false(announced(w));
	qemu_says_that_the_guest_pairs(w, "p");
	assert_true(announced(w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define STORY(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		STORY(a_team_begins_on_the_persistent_card),
		STORY(a_guest_that_does_not_pair_works_and_why_says_what_to_do),
		STORY(a_guest_that_pairs_moves_to_the_transient_card),
		STORY(why_says_what_a_pair_still_lacks),
		STORY(a_driver_that_starts_anew_is_waited_for),
		STORY(a_driver_that_is_unloaded_moves_the_team_at_once),
		STORY(flapping_is_held_for_longer_and_told),
		STORY(an_administrator_fails_a_team_over_by_a_link),
		STORY(a_port_that_is_put_down_has_no_link_at_all),
		STORY(a_reset_waits_for_the_guest_to_pair_again),
		STORY(a_card_that_leaves_the_guest_is_asked_for_first),
		STORY(a_guest_that_comes_from_elsewhere_is_announced_before_it_runs),
		cmocka_unit_test_setup_teardown(
			our_own_virtio_card_tells_by_itself_that_the_guest_pairs, setup_own,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
