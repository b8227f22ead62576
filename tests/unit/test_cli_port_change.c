/* Ports that come and go while the guest runs: each step of theirs fails once, and what was done before it is undone in reverse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "plug_world.h"

#define EMPTY "\"return\":[{\"name\":\"type\",\"type\":\"string\"}]"
#define ROOTS                                                                                      \
	"\"return\":[{\"name\":\"anynic-rp-0\",\"type\":\"child<pcie-root-port>\"},"               \
	"{\"name\":\"anynic-rp-1\",\"type\":\"child<pcie-root-port>\"}]"
#define ONE_ROOT "\"return\":[{\"name\":\"anynic-rp-0\",\"type\":\"child<pcie-root-port>\"}]"

#define DELETED_P "DEVICE_DELETED p" /* of the table: an event */

static const struct port_spec single = {
	.id = "net1",
	.nics = 1,
	.nic = { { .id = "p", .model = "virtio-net", .netdev = NETDEV_TAP, .bootindex = -1 } },
	.backend = { .type = "bridge" },
};

static const struct port_spec team = {
	.id = "net1",
	.policy = POLICY_TEAM,
	.nics = 2,
	.nic = TEAM_CARDS("e1000e", NETDEV_TAP),
	.backend = { .type = "bridge" },
};

static const struct port_spec with_function = {
	.id = "net1",
	.policy = POLICY_TEAM,
	.nics = 2,
	.nic = TEAM_CARDS("hostdev", NETDEV_HOSTDEV),
	.backend = { .type = "bridge" },
};

static void ask_for(const struct port_spec *port, unsigned place)
{
	world->wanted = *port;
	world->place = place;
	world->order = (struct port_order){ .client = CLIENT, .seconds = PLUG_SECONDS };
	world->asks = true;
	turn();
}

static void ask_out(const char *port, unsigned seconds)
{
	world->order = (struct port_order){
		.client = CLIENT, .remove = true, .port = port, .seconds = seconds
	};
	world->asks = true;
	turn();
}

/* A command that comes, and gets no answer yet. */
static void expect_silently(const char *expected, char command[4096])
{
	if (!next_command(command, 4096))
		fail_msg("nothing instead of %s", expected);
	if (!strstr(command, expected))
		fail_msg("%s instead of %s", command, expected);
}

/* ... but now. */
static void answer_late(const char *command, const char *with)
{
	answer(command, with);
	turn();
}

static void find_root_ports(void)
{
	expect("\"qom-list\"", ROOTS);
	expect("anynic-rp-0/anynic-rp-0", EMPTY);
	expect("anynic-rp-1/anynic-rp-1", EMPTY);
}

static void persistent_comes(void)
{
	expect("\"fd-p-0\"", OK);
	expect("\"netdev_add\"", OK);
	expect("\"failover\":true", OK);
}

static void transient_comes(void)
{
	expect("\"fd-t-0\"", OK);
	expect("\"netdev_add\"", OK);
	expect("\"failover_pair_id\":\"p\"", OK);
}

static void a_team_is_in(void)
{
	begin(NULL, 0);
	ask_for(&team, 0);
	find_root_ports();
	persistent_comes();
	transient_comes();
	expect_nothing();
	assert_int_equal(world->done, 1);
	assert_host("open net1");
}

static void a_card_comes_and_its_client_hears_of_it(void **state)
{
	(void)state;
	begin(NULL, 0);
	ask_for(&single, 0);
	expect("\"qom-list\"", ONE_ROOT);
	expect("anynic-rp-0/anynic-rp-0", EMPTY);
	expect("\"getfd\"", OK);
	expect("\"netdev_add\"", OK);
	assert_int_equal(world->done, 0);
	expect("\"bus\":\"anynic-rp-0\"", OK);
	assert_int_equal(world->done, 1);
	assert_false(world->s.control.changing);
	end();
}

static void the_cards_of_a_team_come_one_after_the_other(void **state)
{
	(void)state;
	a_team_is_in();
	end();
}

/* What QEMU is asked for, in order; which of them fails; what undoes those before it. */
static const struct {
	const char *name;
	const char *fails;
	const char *before[6], *after[8];
} failures[] = {
	{ "the persistent card's descriptor", "\"getfd\"", { NULL }, { NULL } },
	{ "the persistent card's netdev", "\"netdev_add\"", { "\"getfd\"" }, { "\"closefd\"" } },
	{ "the persistent card",
	  "\"device_add\"",
	  { "\"getfd\"", "\"netdev_add\"" },
	  { "\"netdev_del\"" } },
	{ "the transient card's descriptor",
	  "\"fd-t-0\"",
	  { "\"getfd\"", "\"netdev_add\"", "\"device_add\"" },
	  { "\"device_del\"", DELETED_P, "\"netdev_del\"" } },
	{ "the transient card's netdev",
	  "\"netdev_add\"",
	  { "\"getfd\"", "\"netdev_add\"", "\"device_add\"", "\"fd-t-0\"" },
	  { "\"closefd\"", "\"device_del\"", DELETED_P, "\"netdev_del\"" } },
	{ "the transient card",
	  "\"device_add\"",
	  { "\"getfd\"", "\"netdev_add\"", "\"device_add\"", "\"fd-t-0\"", "\"netdev_add\"" },
	  { "\"netdev_del\"", "\"device_del\"", DELETED_P, "\"netdev_del\"" } },
};

static void step(const char *what)
{
	if (strcmp(what, DELETED_P) == 0)
		deleted("p");
	else
		expect(what, OK);
}

static void whatever_step_fails_those_before_it_are_undone_in_reverse(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(failures); i++) {
		begin(NULL, 0);
		ask_for(&team, 0);
		find_root_ports();
		for (unsigned n = 0; n < ARRAY_SIZE(failures[i].before) && failures[i].before[n];
		     n++)
			expect(failures[i].before[n], OK);
		expect(failures[i].fails, NO("GenericError"));
		for (unsigned n = 0; n < ARRAY_SIZE(failures[i].after) && failures[i].after[n];
		     n++) {
			if (world->failed.code)
				fail_msg("%s: told before all is undone", failures[i].name);
			step(failures[i].after[n]);
		}
		expect_nothing();
		assert_int_equal(world->failed.code, -EIO);
		assert_non_null(strstr(world->failed.text, "because"));
		assert_non_null(strstr(world->failed.text, "is undone"));
		assert_host("open net1, close net1, release lan");
		assert_int_equal(world->s.spec[0].nics, 0);
		assert_string_equal(world->s.changes.hidden[0], "");
		assert_false(world->s.control.changing);
		end();
	}
}

static void a_backend_that_does_not_open_reaches_no_qemu(void **state)
{
	(void)state;
	begin(NULL, 0);
	world->open_rc = -ENOENT;
	ask_for(&team, 0);
	expect_nothing();
	assert_int_equal(world->failed.code, -ENOENT);
	/* of the team's networks all was taken before it was opened */
	assert_host("open net1, give back net1, close net1, release lan");
	end();
}

static void a_team_needs_two_root_ports(void **state)
{
	(void)state;
	begin(NULL, 0);
	ask_for(&team, 0);
	expect("\"qom-list\"", ONE_ROOT);
	expect("anynic-rp-0/anynic-rp-0", EMPTY);
	expect_nothing();
	assert_int_equal(world->failed.code, -ENOSPC);
	assert_non_null(strstr(world->failed.text, "needs 2 free PCI Express root ports, and the "
						   "guest has 1; next: start it with "
						   "--spare-ports 2"));
	assert_host("open net1, close net1, release lan");
	end();
}

static void the_root_port_of_a_hidden_card_is_kept(void **state)
{
	struct port_spec other = single;

	(void)state;
	a_team_is_in();
	str_copy(other.id, ID_MAX, "net2");
	str_copy(other.nic[0].id, ID_MAX, "q");
	ask_for(&other, 1);
	expect("\"qom-list\"", ROOTS);
	expect("anynic-rp-0/anynic-rp-0", /* nobody asks for the second: QEMU hides its card */
	       "\"return\":[{\"name\":\"child[0]\",\"type\":\"link<virtio-net-pci>\"}]");
	expect_nothing();
	assert_int_equal(world->failed.code, -ENOSPC);
	end();
}

static void a_root_port_that_xml_names_for_a_hidden_card_is_kept(void **state)
{
	struct port_spec named = team;

	(void)state;
	str_copy(named.nic[1].options.bus, sizeof(named.nic[1].options.bus), "anynic-rp-0");
	begin(NULL, 0);
	ask_for(&named, 0);
	expect("\"qom-list\"", ROOTS);
	expect("anynic-rp-1/anynic-rp-1", EMPTY); /* nobody asks for the first */
	persistent_comes();
	transient_comes();
	assert_string_equal(world->s.changes.hidden[0], "anynic-rp-0");
	end();
}

/* Where no card needs a root port, QEMU's first word is waited for all the same. */
static void a_qemu_that_has_just_been_started_is_waited_for(void **state)
{
	char command[4096];

	(void)state;
	begin(NULL, 0);
	str_copy(world->guest.line.machine, sizeof(world->guest.line.machine), "pc");
	qmp_client_destroy(world->s.monitor);
	close(world->peer);
	connect_monitor(&world->s);
	control_set_monitor(&world->s.control, world->s.monitor, false);
	ask_for(&single, 0);
	expect_nothing();
	assert_int_equal(world->failed.code, 0);
	say("{\"QMP\":{}}\r\n");
	turn();
	assert_true(next_command(command, sizeof(command)));
	answer(command, OK);
	turn();
	expect("\"qom-list\"", EMPTY);
	expect("\"getfd\"", OK);
	expect("\"netdev_add\"", OK);
	expect("\"bus\":\"pci.0\"", OK);
	assert_int_equal(world->done, 1);
	end();
}

static void a_card_that_would_end_qemu_stays_when_its_partner_fails(void **state)
{
	struct port_spec served = team;

	(void)state;
	served.nic[0].netdev = served.nic[1].netdev = NETDEV_NONE;
	served.nic[1].pair[0] = '\0';
	begin(NULL, 0);
	world->kills = true;
	ask_for(&served, 0);
	find_root_ports();
	expect("/run/x/p.sock", OK);
	expect("/run/x/t.sock", NO("GenericError"));
	expect_nothing();
	assert_int_equal(world->failed.code, -EIO);
	assert_non_null(strstr(world->failed.text,
			       "t: device_add: because; p is in the guest and stays there, see "
			       "unplug; next: `anynic link vm1 net1 down`"));
	assert_host("open net1");
	end();
}

static void a_guest_that_keeps_half_of_what_failed_is_named(void **state)
{
	(void)state;
	begin(NULL, 0);
	ask_for(&team, 0);
	find_root_ports();
	persistent_comes();
	expect("\"fd-t-0\"", NO("GenericError"));
	expect("\"device_del\"", OK);
	pass(6 * NS_PER_S);
	assert_non_null(strstr(world->failed.text,
			       "p is in the guest, which has not let go of it yet; next: `anynic "
			       "unplug vm1 net1`"));
	assert_host("open net1");
	assert_int_equal(world->s.spec[0].nics, 2);
	end();
}

static void of_a_team_the_transient_card_goes_first(void **state)
{
	(void)state;
	a_team_is_in();
	world->done = 0;
	ask_out("net1", 30);
	expect("\"device_del\",\"arguments\":{\"id\":\"t\"}", OK);
	expect_nothing();
	deleted("t");
	expect("\"netdev_del\"", OK);
	expect("\"device_del\",\"arguments\":{\"id\":\"p\"}", OK);
	expect_nothing();
	deleted("p");
	expect("\"netdev_del\"", OK);
	assert_int_equal(world->done, 0);
	expect("{\"id\":\"t\"}", NO("DeviceNotFound")); /* was it plugged again meanwhile? */
	expect("\"netdev_del\"", NO("GenericError"));
	expect_nothing();
	assert_int_equal(world->done, 1);
	assert_host("close net1, release lan");
	assert_string_equal(world->s.changes.hidden[0], "");
	end();
}

static void a_team_whose_transient_card_is_hidden_goes_at_once(void **state)
{
	(void)state;
	a_team_is_in();
	ask_out("net1", 30);
	expect("{\"id\":\"t\"}", NO("DeviceNotFound"));
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"p\"}", OK);
	deleted("p");
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"t\"}", NO("DeviceNotFound"));
	expect("\"netdev_del\"", NO("GenericError"));
	assert_host("close net1, release lan");
	end();
}

static void a_card_that_qemu_plugged_again_meanwhile_is_taken_out_too(void **state)
{
	(void)state;
	a_team_is_in();
	ask_out("net1", 30);
	expect("{\"id\":\"t\"}", NO("DeviceNotFound"));
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"p\"}", OK);
	deleted("p");
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"t\"}", OK);
	expect_nothing();
	assert_host("");
	deleted("t");
	expect("\"netdev_del\"", OK);
	assert_host("close net1, release lan");
	end();
}

static void a_guest_that_keeps_the_transient_card_keeps_the_team(void **state)
{
	(void)state;
	a_team_is_in();
	ask_out("net1", 3);
	expect("{\"id\":\"t\"}", OK);
	pass(2 * NS_PER_S);
	assert_int_equal(world->failed.code, 0);
	pass(2 * NS_PER_S);
	expect_nothing();
	assert_int_equal(world->failed.code, -ETIMEDOUT);
	assert_non_null(strstr(world->failed.text, "nothing is changed"));
	assert_host("");
	end();
}

/* What is left to do for it is waited for, and nobody is asked twice. */
static void a_card_that_goes_by_itself_goes_for_who_asks_too(void **state)
{
	struct port_spec pair = team;
	char command[4096];

	(void)state;
	pair.policy = POLICY_SWITCH;
	begin(&pair, 1);
	ask_out("net1", 3);
	expect("{\"id\":\"p\"}", OK);
	expect("{\"id\":\"t\"}", OK);
	pass(4 * NS_PER_S); /* it keeps both */
	assert_int_equal(world->failed.code, -ETIMEDOUT);
	world->failed = (struct error){ 0 };
	deleted("t");
	expect_silently("\"netdev_del\"", command);
	ask_out("net1", 3);
	assert_int_equal(world->failed.code, 0);
	expect_silently("{\"id\":\"p\"}", (char[4096]){ 0 });
	deleted("p");
	expect("\"netdev_del\"", OK);
	assert_host("");
	answer_late(command, OK);
	assert_int_equal(world->done, 1);
	assert_host("close net1, release lan");
	end();
}

static void a_transient_card_that_goes_by_itself_is_waited_for(void **state)
{
	char command[4096];

	(void)state;
	a_team_is_in();
	world->done = 0;
	deleted("t");
	expect_silently("\"netdev_del\"", command);
	ask_out("net1", 30);
	expect_nothing();
	assert_int_equal(world->failed.code, 0);
	answer_late(command, OK);
	expect("{\"id\":\"p\"}", OK);
	deleted("p");
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"t\"}", NO("DeviceNotFound"));
	expect("\"netdev_del\"", NO("GenericError"));
	assert_int_equal(world->done, 1);
	end();
}

static void a_team_that_loses_its_persistent_card_goes(void **state)
{
	(void)state;
	a_team_is_in();
	deleted("p");
	expect("\"netdev_del\"", OK);
	expect("\"device_del\",\"arguments\":{\"id\":\"t\"}", OK);
	deleted("t");
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"t\"}", NO("DeviceNotFound"));
	expect("\"netdev_del\"", NO("GenericError"));
	assert_host("close net1, release lan");
	end();
}

static void a_transient_card_that_would_end_qemu_is_left_there(void **state)
{
	struct port_spec served = team;

	(void)state;
	served.nic[1].netdev = NETDEV_NONE;
	begin(NULL, 0);
	world->kills = true;
	ask_for(&served, 0);
	find_root_ports();
	persistent_comes();
	expect_nothing();
	turn(); /* its link was answered */
	expect("/run/x/t.sock", OK);
	deleted("p");
	expect("\"netdev_del\"", OK);
	expect_nothing();
	assert_host("open net1");
	end();
}

static void a_guest_that_keeps_the_persistent_card_is_told_of(void **state)
{
	(void)state;
	a_team_is_in();
	ask_out("net1", 3);
	expect("{\"id\":\"t\"}", OK);
	deleted("t");
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"p\"}", OK);
	pass(4 * NS_PER_S);
	assert_int_equal(world->failed.code, -ETIMEDOUT);
	assert_non_null(strstr(world->failed.text, "p: device_del"));
	assert_non_null(strstr(world->failed.text, "its other card is out"));
	assert_host("");
	end();
}

/* QEMU closes the tap of a card that is out, which says nothing of the other's. */
static void the_tap_of_a_card_that_is_out_is_watched_no_more(void **state)
{
	struct control_port *p;

	(void)state;
	a_team_is_in();
	p = &world->s.control.port[0];
	p->host[0].ifindex = 8;
	p->host[1].ifindex = 9;
	deleted("t");
	assert_int_equal(p->host[1].ifindex, 9);
	expect("\"netdev_del\"", OK);
	assert_int_equal(p->host[0].ifindex, 8);
	assert_int_equal(p->host[1].ifindex, 0);
	end();
}

static void a_monitor_that_closes_ends_what_is_under_way(void **state)
{
	(void)state;
	begin(NULL, 0);
	ask_for(&team, 0);
	find_root_ports();
	expect("\"getfd\"", OK);
	shutdown(world->peer, SHUT_RDWR);
	turn();
	assert_int_equal(world->failed.code, -EPIPE);
	assert_null(world->s.monitor);
	end();
}

/* --- a QEMU that does not answer ------------------------------------------------------------------------------------------- */

static void too_long(unsigned seconds)
{
	pass((seconds - 1) * NS_PER_S);
	assert_int_equal(world->failed.code, 0);
	pass(2 * NS_PER_S);
	assert_int_equal(world->failed.code, -ETIMEDOUT);
}

/* What QEMU does not answer; what it says at last; what undoes it and those before it. */
static const struct {
	const char *name;
	const char *before[6], *silent, *late, *after[8];
} silences[] = {
	{ "the descriptor, taken late", { NULL }, "\"getfd\"", OK, { "\"closefd\"" } },
	{ "the descriptor, refused late", { NULL }, "\"getfd\"", NO("GenericError"), { NULL } },
	{ "the netdev, taken late", { "\"getfd\"" }, "\"netdev_add\"", OK, { "\"netdev_del\"" } },
	{ "the netdev, refused late",
	  { "\"getfd\"" },
	  "\"netdev_add\"",
	  NO("GenericError"),
	  { "\"closefd\"" } },
	{ "the card, taken late",
	  { "\"getfd\"", "\"netdev_add\"" },
	  "\"device_add\"",
	  OK,
	  { "\"device_del\"", DELETED_P, "\"netdev_del\"" } },
	{ "the card, refused late",
	  { "\"getfd\"", "\"netdev_add\"" },
	  "\"device_add\"",
	  NO("GenericError"),
	  { "\"netdev_del\"" } },
	{ "the partner, refused late",
	  { "\"getfd\"", "\"netdev_add\"", "\"device_add\"", "\"fd-t-0\"", "\"netdev_add\"" },
	  "\"device_add\"",
	  NO("GenericError"),
	  { "\"netdev_del\"", "\"device_del\"", DELETED_P, "\"netdev_del\"" } },
};

static char warned[LOG_TEXT];

static void note_warning(enum log_level level, const char *text)
{
	if (level == LOG_WARNING) /* `run` shows these */
		str_copy(warned, sizeof(warned), text);
}

static void what_qemu_does_not_answer_is_undone_when_it_does(void **state)
{
	char command[4096];

	(void)state;
	log_set_sink(note_warning);
	for (unsigned i = 0; i < ARRAY_SIZE(silences); i++) {
		begin(NULL, 0);
		ask_for(&team, 0);
		find_root_ports();
		for (unsigned n = 0; n < ARRAY_SIZE(silences[i].before) && silences[i].before[n];
		     n++)
			expect(silences[i].before[n], OK);
		expect_silently(silences[i].silent, command);
		too_long(PLUG_SECONDS);
		assert_non_null(strstr(world->failed.text, "QEMU does not answer "));
		assert_non_null(
			strstr(world->failed.text,
			       "; port net1 is half in, what was done for it is undone when "
			       "it answers; next: `anynic stop vm1` if it never does"));
		expect_nothing();
		assert_host("open net1"); /* QEMU may still take what it was given */
		assert_true(world->s.control.changing);
		world->failed = (struct error){ 0 };
		warned[0] = '\0';
		pass(3600 * NS_PER_S);
		answer_late(command, silences[i].late);
		for (unsigned n = 0; n < ARRAY_SIZE(silences[i].after) && silences[i].after[n];
		     n++) {
			if (!world->s.control.changing)
				fail_msg("%s: forgotten before all is undone", silences[i].name);
			step(silences[i].after[n]);
		}
		expect_nothing();
		assert_host("close net1, release lan");
		assert_int_equal(world->s.spec[0].nics, 0);
		assert_false(world->s.control.changing);
		assert_int_equal(world->failed.code, 0); /* it was told once */
		assert_string_equal(warned, "port net1: QEMU has answered, and all that was done "
					    "for it is undone");
		assert_int_equal(world->done, 0);
		end();
	}
}

/* It failed, and the guest has it: it goes when the guest lets it go, or is asked for it again. */
static void a_card_that_came_late_stays_with_its_guest(void)
{
	char command[4096];

	begin(NULL, 0);
	ask_for(&single, 0);
	expect("\"qom-list\"", ONE_ROOT);
	expect("anynic-rp-0/anynic-rp-0", EMPTY);
	expect("\"getfd\"", OK);
	expect("\"netdev_add\"", OK);
	expect_silently("\"device_add\"", command);
	too_long(PLUG_SECONDS);
	answer_late(command, OK);
	expect("\"device_del\"", OK);
	pass(6 * NS_PER_S);
	expect_nothing();
	assert_string_equal(
		warned, "port net1: p: device_add: QEMU did not answer in time; p is in the "
			"guest, which has not let go of it yet; next: `anynic unplug vm1 net1`");
	assert_host("open net1");
	assert_false(world->s.control.changing);
	world->failed = (struct error){ 0 };
}

static void what_a_guest_kept_of_a_failure_can_be_unplugged(void **state)
{
	(void)state;
	log_set_sink(note_warning);
	a_card_that_came_late_stays_with_its_guest();
	ask_out("net1", 30);
	expect("\"device_del\"", OK);
	deleted("p");
	expect("\"netdev_del\"", OK);
	assert_int_equal(world->failed.code, 0);
	assert_int_equal(world->done, 1);
	assert_host("close net1, release lan");
	end();
}

static void what_a_guest_kept_of_a_failure_goes_when_it_lets_go(void **state)
{
	(void)state;
	log_set_sink(note_warning);
	a_card_that_came_late_stays_with_its_guest();
	deleted("p");
	expect("\"netdev_del\"", OK);
	assert_host("close net1, release lan");
	end();
}

static void a_card_that_would_end_qemu_is_not_taken_back_when_it_comes_late(void **state)
{
	struct port_spec served = single;
	char command[4096];

	(void)state;
	served.nic[0].netdev = NETDEV_NONE;
	begin(NULL, 0);
	world->kills = true;
	ask_for(&served, 0);
	expect("\"qom-list\"", ONE_ROOT);
	expect("anynic-rp-0/anynic-rp-0", EMPTY);
	expect_silently("/run/x/p.sock", command);
	too_long(PLUG_SECONDS);
	assert_non_null(strstr(world->failed.text,
			       "QEMU does not answer device_add of p; port net1 is half in, and "
			       "comes (QEMU would end with a fault if its card went, see unplug) "
			       "when it answers"));
	assert_true(world->s.control.changing);
	answer_late(command, OK);
	expect_nothing();
	assert_host("open net1");
	assert_int_equal(world->s.changes.port[0].stage, PORT_STAGE_THERE);
	assert_false(world->s.control.changing);
	end();
}

static void a_qemu_that_does_not_show_its_root_ports_has_nothing_to_undo(void **state)
{
	char command[4096];

	(void)state;
	begin(NULL, 0);
	ask_for(&single, 0);
	expect_silently("\"qom-list\"", command);
	too_long(PLUG_SECONDS);
	assert_non_null(strstr(world->failed.text, "QEMU does not answer qom-list"));
	assert_non_null(strstr(world->failed.text, "what was done for port net1 is undone"));
	assert_host("open net1, close net1, release lan");
	assert_false(world->s.control.changing);
	answer_late(command, ONE_ROOT); /* is nobody's any more */
	expect_nothing();
	world->failed = (struct error){ 0 };
	ask_for(&single, 0);
	expect("\"qom-list\"", ONE_ROOT);
	expect("anynic-rp-0/anynic-rp-0", EMPTY);
	expect("\"getfd\"", OK);
	expect("\"netdev_add\"", OK);
	expect("\"device_add\"", OK);
	assert_int_equal(world->done, 1);
	end();
}

static void a_qemu_that_falls_silent_while_it_undoes_is_not_waited_for(void **state)
{
	char command[4096];

	(void)state;
	begin(NULL, 0);
	ask_for(&team, 0);
	find_root_ports();
	persistent_comes();
	expect("\"fd-t-0\"", NO("GenericError"));
	expect("\"device_del\"", OK);
	deleted("p");
	expect_silently("\"netdev_del\"", command);
	too_long(10);
	assert_non_null(
		strstr(world->failed.text,
		       "t: getfd: because; QEMU does not answer netdev_del of p; port net1 is "
		       "half in"));
	assert_host("open net1");
	answer_late(command, OK);
	expect_nothing();
	assert_host("close net1, release lan");
	end();
}

static void a_qemu_that_does_not_ask_the_guest_changes_nothing(void **state)
{
	char command[4096];

	(void)state;
	begin(&single, 1);
	ask_out("net1", 3);
	expect_silently("\"device_del\"", command);
	too_long(3);
	assert_non_null(strstr(world->failed.text, "p: device_del: QEMU did not answer in time; "
						   "nothing is changed, and the port goes when"));
	assert_host("");
	answer_late(command, OK); /* it asks the guest after all */
	expect_nothing();
	deleted("p");
	expect("\"netdev_del\"", OK);
	assert_host("close net1, release lan");
	end();
}

static void a_qemu_that_falls_silent_behind_the_guest_is_not_waited_for(void **state)
{
	char command[4096];

	(void)state;
	begin(&single, 1);
	ask_out("net1", 3);
	expect("\"device_del\"", OK);
	deleted("p");
	expect_silently("\"netdev_del\"", command);
	too_long(3 + 5);
	assert_non_null(
		strstr(world->failed.text,
		       "QEMU does not answer netdev_del of p; port net1 is half out, and the "
		       "rest goes when it answers"));
	assert_host("");
	assert_true(world->s.control.changing);
	world->failed = (struct error){ 0 };
	answer_late(command, OK);
	assert_host("close net1, release lan");
	assert_false(world->s.control.changing);
	assert_int_equal(world->failed.code, 0);
	end();
}

/* --- with a function of the host ------------------------------------------------------------------------------------------- */

static void a_team_with_a_function_is_in(void)
{
	begin(NULL, 0);
	ask_for(&with_function, 0);
	find_root_ports();
	persistent_comes();
	expect_nothing();
	assert_int_equal(world->done, 1);
	assert_host("open net1");
	world->done = 0;
}

static void a_function_comes_when_the_guest_asks_for_it(void **state)
{
	(void)state;
	a_team_with_a_function_is_in();
	negotiated("p");
	assert_host("set 0000:03:10.2");
	expect("\"host\":\"0000:03:10.2\"", OK);
	assert_true(world->s.control.port[0].function.in);
	end();
}

static void a_function_comes_to_the_root_port_that_was_kept_for_it(void **state)
{
	(void)state;
	a_team_with_a_function_is_in();
	assert_string_equal(world->s.changes.hidden[0], "anynic-rp-1");
	negotiated("p");
	expect("\"bus\":\"anynic-rp-1\"", OK);
	end();
}

static void a_team_with_a_function_goes_function_first(void **state)
{
	(void)state;
	a_team_with_a_function_is_in();
	negotiated("p");
	expect("\"vfio-pci\"", OK);
	world->host[0] = '\0';
	ask_out("net1", 30);
	expect("\"device_del\",\"arguments\":{\"id\":\"t\"}", OK);
	expect_nothing();
	deleted("t");
	assert_host("set back 0000:03:10.2");
	expect("{\"id\":\"p\"}", OK);
	deleted("p");
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"t\"}", NO("DeviceNotFound"));
	expect_nothing();
	assert_int_equal(world->done, 1);
	assert_host("close net1, release lan");
	end();
}

static void a_function_that_nobody_asked_for_is_in_nobodys_way(void **state)
{
	(void)state;
	a_team_with_a_function_is_in();
	ask_out("net1", 30);
	expect("{\"id\":\"p\"}", OK);
	negotiated("p"); /* too late */
	expect_nothing();
	deleted("p");
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"t\"}", NO("DeviceNotFound"));
	assert_host("close net1, release lan");
	end();
}

static void a_guest_that_keeps_a_function_keeps_the_team(void **state)
{
	(void)state;
	a_team_with_a_function_is_in();
	negotiated("p");
	expect("\"vfio-pci\"", OK);
	world->host[0] = '\0';
	ask_out("net1", 3);
	expect("{\"id\":\"t\"}", OK);
	pass(4 * NS_PER_S);
	assert_int_equal(world->failed.code, -ETIMEDOUT);
	assert_non_null(strstr(world->failed.text, "nothing is changed"));
	expect_nothing();
	assert_host("");
	assert_true(world->s.control.port[0].function.in);
	assert_false(world->s.control.port[0].function.leave);
	ask_out("net1", 3); /* and can be asked again */
	expect("{\"id\":\"t\"}", OK);
	end();
}

static void a_qemu_that_keeps_a_function_is_told_from_a_guest_that_does(void **state)
{
	char command[4096];

	(void)state;
	a_team_with_a_function_is_in();
	negotiated("p");
	expect("\"vfio-pci\"", OK);
	ask_out("net1", 3);
	expect_silently("{\"id\":\"t\"}", command);
	too_long(3);
	assert_non_null(strstr(world->failed.text, "t: device_del: QEMU did not answer in time"));
	end();
}

static void a_team_without_its_persistent_card_is_no_team(void **state)
{
	(void)state;
	a_team_with_a_function_is_in();
	negotiated("p");
	expect("\"vfio-pci\"", OK);
	deleted("p"); /* the guest let it go by itself */
	expect("\"netdev_del\"", OK);
	expect("{\"id\":\"t\"}", OK);
	deleted("t");
	expect("{\"id\":\"t\"}", NO("DeviceNotFound"));
	expect_nothing();
	assert_int_equal(world->s.spec[0].nics, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_comes_and_its_client_hears_of_it),
		cmocka_unit_test(the_cards_of_a_team_come_one_after_the_other),
		cmocka_unit_test(whatever_step_fails_those_before_it_are_undone_in_reverse),
		cmocka_unit_test(a_backend_that_does_not_open_reaches_no_qemu),
		cmocka_unit_test(a_team_needs_two_root_ports),
		cmocka_unit_test(the_root_port_of_a_hidden_card_is_kept),
		cmocka_unit_test(a_root_port_that_xml_names_for_a_hidden_card_is_kept),
		cmocka_unit_test(a_qemu_that_has_just_been_started_is_waited_for),
		cmocka_unit_test(a_card_that_would_end_qemu_stays_when_its_partner_fails),
		cmocka_unit_test(a_guest_that_keeps_half_of_what_failed_is_named),
		cmocka_unit_test(of_a_team_the_transient_card_goes_first),
		cmocka_unit_test(a_team_whose_transient_card_is_hidden_goes_at_once),
		cmocka_unit_test(a_card_that_qemu_plugged_again_meanwhile_is_taken_out_too),
		cmocka_unit_test(a_guest_that_keeps_the_transient_card_keeps_the_team),
		cmocka_unit_test(a_card_that_goes_by_itself_goes_for_who_asks_too),
		cmocka_unit_test(a_transient_card_that_goes_by_itself_is_waited_for),
		cmocka_unit_test(a_team_that_loses_its_persistent_card_goes),
		cmocka_unit_test(a_transient_card_that_would_end_qemu_is_left_there),
		cmocka_unit_test(a_guest_that_keeps_the_persistent_card_is_told_of),
		cmocka_unit_test(the_tap_of_a_card_that_is_out_is_watched_no_more),
		cmocka_unit_test(a_monitor_that_closes_ends_what_is_under_way),
		cmocka_unit_test(what_qemu_does_not_answer_is_undone_when_it_does),
		cmocka_unit_test(what_a_guest_kept_of_a_failure_can_be_unplugged),
		cmocka_unit_test(what_a_guest_kept_of_a_failure_goes_when_it_lets_go),
		cmocka_unit_test(a_card_that_would_end_qemu_is_not_taken_back_when_it_comes_late),
		cmocka_unit_test(a_qemu_that_does_not_show_its_root_ports_has_nothing_to_undo),
		cmocka_unit_test(a_qemu_that_falls_silent_while_it_undoes_is_not_waited_for),
		cmocka_unit_test(a_qemu_that_does_not_ask_the_guest_changes_nothing),
		cmocka_unit_test(a_qemu_that_falls_silent_behind_the_guest_is_not_waited_for),
		cmocka_unit_test(a_qemu_that_keeps_a_function_is_told_from_a_guest_that_does),
		cmocka_unit_test(a_function_comes_when_the_guest_asks_for_it),
		cmocka_unit_test(a_function_comes_to_the_root_port_that_was_kept_for_it),
		cmocka_unit_test(a_team_with_a_function_goes_function_first),
		cmocka_unit_test(a_function_that_nobody_asked_for_is_in_nobodys_way),
		cmocka_unit_test(a_guest_that_keeps_a_function_keeps_the_team),
		cmocka_unit_test(a_team_without_its_persistent_card_is_no_team),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
