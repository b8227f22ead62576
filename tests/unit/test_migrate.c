/* A guest that moves, with the test in QEMU's place: one that answers late, refuses, stands still or hangs up. */
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

#include "control/migration.h"
#include "control/travel.h"

/* --- the table --------------------------------------------------------------------------------------------------- */

static enum migrate_state after(enum migrate_state s, enum migrate_event e)
{
	return migrate_next(s, e).next;
}

static void every_state_ends_when_nothing_moves(void **state)
{
	(void)state;
	for (enum migrate_state s = MIGRATE_IDLE; s < MIGRATE_STATE_COUNT; s++) {
		enum migrate_state now = s;

		for (unsigned i = 0; i < 3 && !migrate_is_over(now); i++)
			now = after(now, MIGRATE_STUCK);
		assert_true(migrate_is_over(now));
	}
}

static void a_lost_monitor_ends_everything_that_has_not_ended(void **state)
{
	(void)state;
	for (enum migrate_state s = MIGRATE_IDLE; s < MIGRATE_STATE_COUNT; s++)
		assert_int_equal(after(s, MIGRATE_LOST), migrate_is_over(s) ? s : MIGRATE_FAILED);
}

static void what_says_nothing_changes_nothing(void **state)
{
	(void)state;
	for (enum migrate_state s = MIGRATE_IDLE; s < MIGRATE_STATE_COUNT; s++)
		for (enum migrate_event e = MIGRATE_BEGIN; e < MIGRATE_EVENT_COUNT; e++) {
			struct migrate_step step = migrate_next(s, e);

			assert_true(step.next < MIGRATE_STATE_COUNT);
			/* what is done is done */
			if (s == MIGRATE_DONE)
				assert_int_equal(step.next, MIGRATE_DONE);
			/* only the end of a move, or a state before it, leads to an end */
			if (step.next == MIGRATE_DONE && s != MIGRATE_DONE)
				assert_int_equal(e, MIGRATE_COMPLETED);
			assert_true(step.next != s || step.action == MIGRATE_NOTHING);
		}
	assert_int_equal(after(MIGRATE_CANCELLING, MIGRATE_COMPLETED), MIGRATE_DONE);
	assert_int_equal(after(MIGRATE_CANCELLING, MIGRATE_GOES_ON), MIGRATE_CANCELLING);
	assert_int_equal(after(MIGRATE_FAILED, MIGRATE_BEGIN), MIGRATE_PREPARING);
	/* a guest reads its transient card until it has let go of it */
	assert_int_equal(migrate_next(MIGRATE_UNPLUGGING, MIGRATE_GOES_ON).action,
			 MIGRATE_TAKE_OUT);
	assert_int_equal(migrate_next(MIGRATE_MOVING, MIGRATE_GOES_ON).action, MIGRATE_NOTHING);
}

static void the_words_of_qemu_are_known(void **state)
{
	(void)state;
	assert_int_equal(migrate_status_event("wait-unplug"), MIGRATE_WAITS);
	assert_int_equal(migrate_status_event("completed"), MIGRATE_COMPLETED);
	assert_int_equal(migrate_status_event("failed"), MIGRATE_STOPPED);
	assert_int_equal(migrate_status_event("cancelled"), MIGRATE_STOPPED);
	assert_int_equal(migrate_status_event("cancelling"), MIGRATE_EVENT_COUNT);
	assert_int_equal(migrate_status_event("active"), MIGRATE_GOES_ON);
	assert_int_equal(migrate_status_event("a word of a later QEMU"), MIGRATE_GOES_ON);
	assert_int_equal(migrate_status_event(NULL), MIGRATE_GOES_ON);
}

/* --- the conversation -------------------------------------------------------------------------------------------- */

struct world {
	struct loop loop;
	struct control control;
	struct migration m;
	struct qmp_client *monitor;
	int qemu; /* its end of the monitor */
	char asked[4096];
};

static const struct port_spec movable = {
	.id = "net0",
	.policy = POLICY_SINGLE,
	.nics = 1,
	.nic = { { .id = "net0", .model = "e1000", .netdev = NETDEV_TAP, .place = PLACE_QEMU } },
	.backend = { .type = "bridge" },
};

static void qemu_says(struct world *w, const char *text)
{
	struct qmp_item item;

	assert_int_equal(write(w->qemu, text, strlen(text)), strlen(text));
	qmp_client_read(w->monitor);
	while (qmp_client_next(w->monitor, &item))
		if ((item.kind == QMP_ITEM_REPLY || item.kind == QMP_ITEM_ERROR) &&
		    !control_announce_reply(&w->control, &item))
			migration_reply(&w->m, &item);
}

/* What was asked since; the number of the last command. */
static unsigned asked(struct world *w)
{
	ssize_t n = recv(w->qemu, w->asked, sizeof(w->asked) - 1, MSG_DONTWAIT);
	unsigned id = 0;

	w->asked[n > 0 ? n : 0] = '\0';
	for (char *at = w->asked; (at = strstr(at, "\"id\":")); at++)
		id = (unsigned)strtoul(at + 5, NULL, 10);
	return id;
}

static void answer(struct world *w, const char *data)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"return\": %s, \"id\": %u}\r\n", data, asked(w));
	qemu_says(w, text);
}

static void refuse(struct world *w, const char *why)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"error\": {\"class\": \"GenericError\", \"desc\": \"%s\"}, \"id\": %u}\r\n",
		 why, asked(w));
	qemu_says(w, text);
}

/* query-migrate is asked, and this is what it says. */
static void status(struct world *w, const char *word, unsigned moved)
{
	char text[256];

	migration_timer(&w->m);
	snprintf(text, sizeof(text),
		 "{\"status\": \"%s\", \"downtime\": 7, \"error-desc\": \"the wire is cut\", "
		 "\"ram\": {\"transferred\": %u, \"remaining\": 5, \"total\": 9}}",
		 word, moved);
	answer(w, text);
}

/* As if nothing had moved for longer than the user allows. */
static void time_passes(struct world *w)
{
	w->m.moved_ns -= 31 * NS_PER_S;
	migration_timer(&w->m);
}

/* "preparing starting ..." : the states that events told. */
static const char *told(struct world *w)
{
	static char text[1024];
	json_object *e, *name, *data, *word;

	text[0] = '\0';
	while ((e = control_next_event(&w->control))) {
		json_object_object_get_ex(e, "event", &name);
		json_object_object_get_ex(e, "data", &data);
		if (strcmp(json_object_get_string(name), "MIGRATION") == 0 &&
		    json_object_object_get_ex(data, "status", &word))
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 text[0] ? " " : "", json_object_get_string(word));
		json_object_put(e);
	}
	return text;
}

static int setup_with(struct world *w, const struct port_spec *port, unsigned count)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(loop_init(&w->loop, NULL), 0);
	assert_int_equal(control_init(&w->control, "vm1", &w->loop, NULL, port, count, NULL), 0);
	w->qemu = pair[1];
	w->monitor = qmp_client_create(pair[0], NULL);
	assert_non_null(w->monitor);
	migration_init(&w->m, &w->control);
	control_start(&w->control);
	qemu_says(w, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
		     "{\"return\": {}, \"id\": 0}\r\n");
	control_set_monitor(&w->control, w->monitor, false);
	control_set_running(&w->control, true);
	asked(w);
	told(w);
	return 0;
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct world));
	return setup_with(*state, &movable, 1);
}

static int teardown(void **state)
{
	struct world *w = *state;

	migration_finish(&w->m);
	control_finish(&w->control);
	qmp_client_destroy(w->monitor);
	close(w->qemu);
	loop_finish(&w->loop);
	free(w);
	return 0;
}

static void begin(struct world *w)
{
	struct error err = { 0 };

	assert_int_equal(migration_begin(&w->m, "unix:/there", 30, &err), 0);
	answer(w, "{}"); /* capabilities */
	assert_non_null(strstr(w->asked, "return-path"));
	answer(w, "{}");
	assert_non_null(strstr(w->asked, "there\""));
}

static void a_guest_that_moved_leaves_its_qemu_to_end(void **state)
{
	struct world *w = *state;

	begin(w);
	status(w, "setup", 0);
	status(w, "active", 100);
	status(w, "device", 200);
	assert_false(w->control.quit);
	status(w, "completed", 300);
	assert_true(w->control.quit);
	assert_string_equal(told(w), "preparing starting moving completed");
	struct error err = { 0 };
	assert_int_equal(migration_begin(&w->m, "unix:/x", 30, &err), -EBUSY);
}

static void a_failure_puts_back_what_was_and_says_why(void **state)
{
	struct world *w = *state;

	begin(w);
	status(w, "active", 100);
	status(w, "failed", 100);
	assert_int_equal(w->m.state, MIGRATE_RESTORING);
	/* QEMU continues the guest in a moment: that is waited for, and seen */
	migration_timer(&w->m);
	answer(w, "{\"running\": false}");
	assert_int_equal(w->m.state, MIGRATE_RESTORING);
	migration_timer(&w->m);
	answer(w, "{\"running\": true}");
	assert_int_equal(w->m.state, MIGRATE_FAILED);
	asked(w); /* the other end may have told the network already that the guest is there */
	assert_non_null(strstr(w->asked, "announce-self"));
	assert_string_equal(w->m.reason, "the wire is cut");
	assert_false(w->m.stuck);
	assert_false(w->control.quit);
	assert_string_equal(told(w), "preparing starting moving restoring failed");
	begin(w); /* and again */
}

static void a_link_that_was_set_by_hand_is_told_with_the_words_that_set_it_there(void **state)
{
	struct world *w = *state;

	json_object *none = travel_left_behind(&w->control);
	assert_int_equal(json_object_array_length(none), 0);
	json_object_put(none);
	assert_int_equal(control_set_link(&w->control, "net0", false, NULL), 0);
	asked(w);
	told(w);
	begin(w);
	status(w, "active", 100);
	status(w, "completed", 100);
	bool found = false;
	for (json_object *e = control_next_event(&w->control); e;
	     e = control_next_event(&w->control)) {
		const char *text = json_object_to_json_string_ext(e, JSON_C_TO_STRING_PLAIN);

		found |= strstr(text, "completed") && strstr(text, "left-behind") &&
			 strstr(text, "anynic link vm1 net0 down");
		json_object_put(e);
	}
	assert_true(found);
}

static void what_is_set_by_hand_in_a_team_names_the_card(void **state)
{
	struct port_spec spec = { .id = "net0",
				  .policy = POLICY_TEAM,
				  .link = LINK_UP,
				  .nics = 2,
				  .nic = { { .id = "net0-persistent", .role = ROLE_PERSISTENT },
					   { .id = "net0-transient", .role = ROLE_TRANSIENT } } };
	struct control_port port = { .spec = spec };
	struct control c = { .name = "vm1", .port = &port, .ports = 1 };

	(void)state;
	port.control = &c;
	port.policy.manual = port.policy.held = true;
	port.team.wish[TEAM_PERSISTENT] = LINK_UP; /* as link= says, at both ends */
	port.team.wish[TEAM_TRANSIENT] = LINK_DOWN;
	json_object *list = travel_left_behind(&c);
	const char *text = json_object_to_json_string_ext(
		list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	assert_int_equal(json_object_array_length(list), 2);
	assert_non_null(strstr(text, "anynic link vm1 net0/net0-transient down"));
	assert_non_null(strstr(text, "the hold"));
	json_object_put(list);
	port.policy.manual = port.policy.held =
		false; /* its choice again, and there it is link='s */
	list = travel_left_behind(&c);
	assert_non_null(strstr(json_object_to_json_string(list), "net0 auto"));
	json_object_put(list);
}

static void a_guest_that_brings_another_mac_is_told_of(void **state)
{
	static const struct {
		const char *answer;
		unsigned wrong;
	} rows[] = {
		{ "[{\"name\": \"net0\", \"main-mac\": \"52:54:00:00:00:01\"}]", 0 },
		{ "[{\"name\": \"net0\", \"main-mac\": \"52:54:00:00:00:02\"}]", 1 },
		{ "[{\"name\": \"net0\", \"main-mac\": 7}, {\"name\": 8}, 9]", 0 },
		{ "[{\"name\": \"another\", \"main-mac\": \"52:54:00:00:00:02\"}]", 0 },
		{ "{}", 0 },
	};
	struct world *w = *state;

	memcpy(w->control.port[0].spec.mac, "\x52\x54\0\0\0\1", MAC_LEN);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_object *answer = json_tokener_parse(rows[i].answer);

		assert_int_equal(travel_check_macs(&w->control, answer), rows[i].wrong);
		json_object_put(answer);
	}
	/* it is asked when the guest is there */
	control_take_over(&w->control);
	unsigned id = asked(w);
	assert_non_null(strstr(w->asked, "query-rx-filter"));
	assert_int_equal(w->m.macs_asked, id);
	char text[160];
	snprintf(text, sizeof(text), "{\"return\": %s, \"id\": %u}\r\n", rows[1].answer, id);
	qemu_says(w, text);
	assert_int_equal(w->m.macs_asked, 0);
}

static void a_uri_that_qemu_does_not_take_is_told_in_its_words(void **state)
{
	struct world *w = *state;
	struct error err = { 0 };

	assert_int_equal(migration_begin(&w->m, "there:", 30, &err), 0);
	answer(w, "{}");
	refuse(w, "unknown migration protocol: there:");
	assert_int_equal(w->m.state, MIGRATE_RESTORING);
	migration_timer(&w->m);
	answer(w, "{\"running\": true}");
	assert_int_equal(w->m.state, MIGRATE_FAILED);
	assert_non_null(strstr(w->m.reason, "unknown migration protocol"));
}

static void an_end_that_takes_nothing_is_cancelled(void **state)
{
	struct world *w = *state;

	begin(w);
	for (unsigned i = 1; i < 4; i++) { /* as long as something moves there is time */
		w->m.moved_ns -= 29 * NS_PER_S;
		status(w, "active", 100 * i);
	}
	assert_int_equal(w->m.state, MIGRATE_MOVING);
	time_passes(w);
	assert_int_equal(w->m.state, MIGRATE_CANCELLING);
	asked(w);
	assert_non_null(strstr(w->asked, "migrate_cancel"));
	status(w, "cancelling", 300);
	assert_int_equal(w->m.state, MIGRATE_CANCELLING);
	status(w, "cancelled", 300);
	migration_timer(&w->m);
	answer(w, "{\"running\": true}");
	assert_int_equal(w->m.state, MIGRATE_FAILED);
	assert_true(w->m.stuck);
	assert_non_null(strstr(w->m.reason, "took nothing for 30 s"));
}

static void a_guest_that_holds_its_card_is_not_waited_for_without_end(void **state)
{
	struct world *w = *state;

	begin(w);
	for (unsigned i = 0; i < 5; i++)
		status(w, "wait-unplug", 100 + i); /* whatever QEMU counts meanwhile */
	assert_int_equal(w->m.state, MIGRATE_UNPLUGGING);
	time_passes(w);
	assert_int_equal(w->m.state, MIGRATE_CANCELLING);
	asked(w);
	/* QEMU does not come back from it */
	status(w, "cancelling", 100);
	time_passes(w);
	assert_int_equal(w->m.state, MIGRATE_RESTORING);
	asked(w);
	time_passes(w);
	assert_int_equal(w->m.state, MIGRATE_FAILED);
	assert_non_null(strstr(w->m.reason, "did not let go"));
	assert_non_null(strstr(w->m.reason, "still cancels"));
	assert_non_null(strstr(w->m.reason, "not back as it was"));
}

static void a_qemu_that_hangs_up_ends_it(void **state)
{
	struct world *w = *state;

	begin(w);
	status(w, "active", 1);
	control_set_monitor(&w->control, NULL, false);
	migration_lost(&w->m);
	assert_int_equal(w->m.state, MIGRATE_FAILED);
	assert_non_null(strstr(w->m.reason, "monitor"));
	struct error err = { 0 };
	assert_int_equal(migration_begin(&w->m, "unix:/x", 30, &err), -ENOTSUP);
	control_set_monitor(&w->control, w->monitor, false); /* for the teardown */
}

static void somebody_may_change_his_mind(void **state)
{
	struct world *w = *state;
	struct error err = { 0 };

	assert_int_equal(migration_cancel(&w->m, &err), -ENOENT);
	begin(w);
	assert_int_equal(migration_begin(&w->m, "unix:/y", 30, &err), -EBUSY);
	status(w, "active", 1);
	assert_int_equal(migration_cancel(&w->m, &err), 0);
	asked(w);
	assert_non_null(strstr(w->asked, "migrate_cancel"));
	status(w, "cancelled", 1);
	migration_timer(&w->m);
	answer(w, "{\"running\": true}");
	assert_string_equal(w->m.reason, "it was cancelled");
	assert_false(w->m.stuck);
}

/* --- a function of the host, which who runs the service takes out and plugs ---------------------------------------- */

static const struct port_spec with_function[] = { {
							  .id = "net0",
							  .policy = POLICY_TEAM,
							  .nics = 2,
							  .nic = { { .id = "p",
								     .model = "virtio-net",
								     .role = ROLE_PERSISTENT,
								     .netdev = NETDEV_TAP,
								     .place = PLACE_QEMU },
								   { .id = "t",
								     .model = "hostdev",
								     .role = ROLE_TRANSIENT,
								     .pair = "p",
								     .netdev = NETDEV_HOSTDEV,
								     .place = PLACE_QEMU } },
							  .backend = { .type = "bridge" },
						  },
						  {
							  .id = "net1",
							  .policy = POLICY_SINGLE,
							  .nics = 1,
							  .nic = { { .id = "other",
								     .model = "e1000",
								     .netdev = NETDEV_TAP,
								     .place = PLACE_QEMU } },
							  .backend = { .type = "bridge" },
						  } };

static int setup_function(void **state)
{
	struct world *w = *state = calloc(1, sizeof(struct world));
	int rc = setup_with(w, with_function, ARRAY_SIZE(with_function));

	assert_true(w->control.port[0].function.ours);
	w->control.port[0].function.in = true;
	w->control.port[0].nic[1].attached = true;
	w->control.port[0].nic[1].status = DRIVER_READY;
	w->control.port[0].team.active = TEAM_TRANSIENT;
	return rc;
}

/* Up to where the guest is asked for it. */
static struct control_function *begin_with_function(struct world *w)
{
	struct error err = { 0 };

	assert_int_equal(migration_begin(&w->m, "unix:/there", 30, &err), 0);
	assert_false(w->control.port[0].function.leave);
	answer(w, "{}"); /* capabilities */
	assert_int_equal(w->m.state, MIGRATE_EMPTYING);
	assert_true(w->control.port[0].function.leave);
	migration_timer(&w->m);
	assert_int_equal(asked(w), 0); /* QEMU is not asked before it is out */
	return &w->control.port[0].function;
}

static void a_function_is_out_before_qemu_is_asked(void **state)
{
	struct world *w = *state;
	struct control_function *function = begin_with_function(w);

	function->in = false;
	migration_timer(&w->m);
	answer(w, "{}");
	assert_non_null(strstr(w->asked, "there\""));
	status(w, "active", 100);
	assert_true(function->leave); /* and does not come back meanwhile */
	status(w, "completed", 200);
	assert_true(w->control.quit);
	assert_string_equal(told(w), "preparing unplugging starting moving completed");
}

static void a_function_comes_back_when_the_move_fails(void **state)
{
	struct world *w = *state;
	struct control_function *function = begin_with_function(w);

	function->in = false;
	migration_timer(&w->m);
	refuse(w, "no such file");
	assert_int_equal(w->m.state, MIGRATE_RESTORING);
	assert_false(function->leave);
	migration_timer(&w->m);
	answer(w, "{\"running\": true}");
	/* the status is that of the card that went */
	assert_int_equal(w->m.state, MIGRATE_RESTORING);
	function->in = true;
	migration_timer(&w->m);
	answer(w, "{\"running\": true}");
	assert_int_equal(w->m.state, MIGRATE_FAILED);
	assert_string_equal(w->m.reason, "no such file");
}

static void a_guest_that_keeps_its_function_stays_with_it(void **state)
{
	struct world *w = *state;
	struct control_function *function = begin_with_function(w);

	time_passes(w);
	assert_int_equal(w->m.state, MIGRATE_RESTORING);
	assert_int_equal(asked(w), 0); /* there is nothing of QEMU's to cancel */
	assert_false(function->leave);
	migration_timer(&w->m);
	answer(w, "{\"running\": true}");
	assert_int_equal(w->m.state, MIGRATE_FAILED);
	assert_true(w->m.stuck);
	assert_non_null(strstr(w->m.reason, "did not let go of its transient card for 30 s"));
	/* the network is told of its other cards: it is behind none of this port's but the function */
	asked(w);
	assert_non_null(strstr(w->asked, "\"other\""));
	assert_null(strstr(w->asked, "\"p\""));
	/* nor does a guest wait for it whose user changes his mind */
	struct error err = { 0 };
	begin_with_function(w);
	assert_int_equal(migration_cancel(&w->m, &err), 0);
	assert_int_equal(w->m.state, MIGRATE_RESTORING);
	assert_false(function->leave);
}

static void a_guest_that_lost_its_function_is_announced_by_its_other_card(void **state)
{
	struct world *w = *state;

	w->control.port[0].team.active = TEAM_PERSISTENT;
	control_announce(&w->control);
	asked(w);
	assert_non_null(strstr(w->asked, "announce-self"));
	assert_null(strstr(w->asked, "interfaces")); /* by all of them */
}

/* The user's own line has them; QEMU names them. */
static void cards_that_are_no_ports_are_announced_too(void **state)
{
	static const char network[] =
		"\"p: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:01\\r\\n"
		" \\\\ hostp: index=0,type=tap,fd=9\\r\\n"
		"other: index=0,type=nic,model=e1000,macaddr=52:54:00:00:00:02\\r\\n"
		"mine: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:03\\r\\n"
		" \\\\ hostmine: index=0,type=tap,ifname=tap3\\r\\n"
		"mine: index=1,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:03\\r\\n"
		"alone: index=0,type=user\\r\\n"
		"hub 0\\r\\n"
		" \\\\ hub0port0: rtl8139.0: index=0,type=nic,model=rtl8139,"
		"macaddr=52:54:00:00:00:04\\r\\n\"";
	struct world *w = *state;
	unsigned count = 0;

	control_announce(&w->control);
	assert_false(w->control.cards_asked == 0);
	unsigned id = asked(w);
	assert_non_null(strstr(w->asked, "info network"));
	assert_non_null(strstr(w->asked, "\"other\""));
	char text[1024];
	snprintf(text, sizeof(text), "{\"return\": %s, \"id\": %u}\r\n", network, id);
	qemu_says(w, text);
	asked(w);
	for (const char *at = w->asked; (at = strstr(at, "\"interfaces\"")); at++)
		count++;
	assert_int_equal(count, 2);
	assert_non_null(strstr(w->asked, "\"mine\""));
	assert_non_null(strstr(w->asked, "\"rtl8139.0\""));
	assert_null(strstr(w->asked, "\"p\"")); /* the guest is not there */
	/* once, and of nobody's words */
	assert_int_equal(w->control.cards_asked, 0);
	control_announce(&w->control);
	refuse(w, "no such command");
	assert_int_equal(w->control.cards_asked, 0);
	assert_int_equal(asked(w), 0);
}

static void a_function_that_is_not_in_the_guest_is_not_waited_for(void **state)
{
	struct world *w = *state;

	w->control.port[0].function.in = false;
	begin(w);
	assert_true(w->control.port[0].function.leave);
	assert_string_equal(told(w), "preparing starting moving");
}

static void a_function_is_wanted_by_a_guest_that_pairs_runs_and_stays(void **state)
{
	struct world *w = *state;
	struct control_port *p = &w->control.port[0];

	assert_false(control_team_wants_function(p));
	assert_true(control_team_negotiated(p, "p"));
	assert_true(control_team_wants_function(p));
	control_set_running(&w->control, false); /* it has only been loaded */
	assert_false(control_team_wants_function(p));
	control_set_running(&w->control, true);
	w->control.arriving = true; /* nobody knows yet that it is here */
	assert_false(control_team_wants_function(p));
	control_take_over(&w->control);
	assert_true(control_team_wants_function(p));
	p->function.leave = true;
	assert_false(control_team_wants_function(p));
	p->function.leave = false;
	w->control.over = true;
	assert_false(control_team_wants_function(p));
}

static void what_cannot_move_is_refused_before_anything_is_asked(void **state)
{
	static const struct {
		struct nic_spec nic;
		enum policy_kind policy;
		bool stopped;
		int rc;
		const char *text;
	} cases[] = {
		{ { .id = "a", .model = "igc", .netdev = NETDEV_NONE },
		  POLICY_SINGLE,
		  false,
		  -ENOTSUP,
		  "place=qemu on both" },
		{ { .id = "a", .model = "virtio-net", .netdev = NETDEV_NONE },
		  POLICY_SINGLE,
		  false,
		  -ENOTSUP,
		  "transport=vhost-user" },
		{ { .id = "a", .model = "hostdev", .netdev = NETDEV_HOSTDEV },
		  POLICY_SINGLE,
		  false,
		  -ENOTSUP,
		  "transient card of a team" },
		{ { .id = "a", .model = "virtio-net", .netdev = NETDEV_VHOST_USER },
		  POLICY_SINGLE,
		  false,
		  0,
		  "" },
		{ { .id = "a", .model = "e1000", .netdev = NETDEV_STREAM },
		  POLICY_SINGLE,
		  true,
		  0,
		  "" },
		{ { .id = "a", .model = "igb", .role = ROLE_TRANSIENT },
		  POLICY_TEAM,
		  false,
		  0,
		  "" },
		{ { .id = "a", .model = "igb", .role = ROLE_TRANSIENT },
		  POLICY_TEAM,
		  true,
		  -EINVAL,
		  "continue the guest" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = *state;
		struct error err = { 0 };

		w->control.port[0].spec.nic[0] = cases[i].nic;
		w->control.port[0].spec.policy = cases[i].policy;
		w->control.port[0].nic[0].attached = true;
		w->control.running = !cases[i].stopped;
		assert_int_equal(migration_check_ports(&w->control, &err), cases[i].rc);
		if (!strstr(err.text, cases[i].text))
			fail_msg("%u: %s", i, err.text);
		assert_true(strlen(err.text) < 240); /* what the verb can show */
		if (cases[i].rc == 0)
			continue;
		assert_int_equal(migration_begin(&w->m, "unix:/x", 30, &err), cases[i].rc);
		assert_int_equal(asked(w), 0);
		assert_string_equal(told(w), "");
	}
}

#define WITH_FUNCTION(name) cmocka_unit_test_setup_teardown(name, setup_function, teardown)
#define WITH_QEMU(t)	    cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_ends_when_nothing_moves),
		cmocka_unit_test(a_lost_monitor_ends_everything_that_has_not_ended),
		cmocka_unit_test(what_says_nothing_changes_nothing),
		cmocka_unit_test(the_words_of_qemu_are_known),
		WITH_QEMU(a_guest_that_moved_leaves_its_qemu_to_end),
		WITH_QEMU(a_failure_puts_back_what_was_and_says_why),
		WITH_QEMU(a_link_that_was_set_by_hand_is_told_with_the_words_that_set_it_there),
		WITH_QEMU(what_is_set_by_hand_in_a_team_names_the_card),
		WITH_QEMU(a_guest_that_brings_another_mac_is_told_of),
		WITH_QEMU(a_uri_that_qemu_does_not_take_is_told_in_its_words),
		WITH_QEMU(an_end_that_takes_nothing_is_cancelled),
		WITH_QEMU(a_guest_that_holds_its_card_is_not_waited_for_without_end),
		WITH_QEMU(a_qemu_that_hangs_up_ends_it),
		WITH_QEMU(somebody_may_change_his_mind),
		WITH_QEMU(what_cannot_move_is_refused_before_anything_is_asked),
		WITH_FUNCTION(a_function_is_out_before_qemu_is_asked),
		WITH_FUNCTION(a_function_comes_back_when_the_move_fails),
		WITH_FUNCTION(a_guest_that_keeps_its_function_stays_with_it),
		WITH_FUNCTION(a_guest_that_lost_its_function_is_announced_by_its_other_card),
		WITH_FUNCTION(cards_that_are_no_ports_are_announced_too),
		WITH_FUNCTION(a_function_that_is_not_in_the_guest_is_not_waited_for),
		WITH_FUNCTION(a_function_is_wanted_by_a_guest_that_pairs_runs_and_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
