/* The function of the host that is the transient card of a team: taken, told its MAC, plugged, taken out, told its old MAC; and what becomes of it
 * when one of these fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "plug_world.h"

#define FUNCTION "0000:03:10.2"

static const struct port_spec team = {
	.id = "net0",
	.policy = POLICY_TEAM,
	.nics = 2,
	.nic = TEAM_CARDS("hostdev", NETDEV_HOSTDEV),
	.backend = { .type = "bridge" },
};

static struct transient *function(void)
{
	return &world->s.port[0].transient;
}

/* The guest runs with its persistent card; QEMU's line has told where the function is to be. */
static void a_guest_runs(void)
{
	json_object *devices;

	begin(&team, 1);
	devices = json_tokener_parse("[{\"driver\":\"virtio-net-pci\",\"id\":\"p\"},"
				     "{\"driver\":\"vfio-pci\",\"id\":\"t\",\"bus\":\"rp1\"}]");
	transient_plan(&world->s, devices);
	json_object_put(devices);
	str_copy(world->s.port[0].backend[1].pci, 16, FUNCTION);
	turn();
	expect_nothing();
}

static void the_function_is_in(void)
{
	a_guest_runs();
	negotiated("p");
	expect("\"device_add\"", OK);
	assert_host("set " FUNCTION);
	assert_true(world->s.control.port[0].function.in);
}

static void leave(bool yes)
{
	world->s.control.port[0].function.leave = yes;
	turn();
}

static void it_is_told_its_mac_before_it_is_plugged(void **state)
{
	(void)state;
	a_guest_runs();
	negotiated("other");
	expect_nothing();
	assert_host("");
	negotiated("p");
	assert_host("set " FUNCTION);
	expect("\"host\":\"" FUNCTION "\"", OK);
	expect_nothing();
	assert_true(world->s.control.port[0].function.in);
	end();
}

static void a_mac_that_is_refused_plugs_nothing(void **state)
{
	(void)state;
	a_guest_runs();
	world->set_rc = -EOPNOTSUPP;
	negotiated("p");
	expect_nothing();
	assert_host("set " FUNCTION ", set back " FUNCTION);
	assert_string_equal(world->s.control.port[0].function.why, "the card refuses the MAC");
	turn();
	assert_host(""); /* not at each turn */
	world->set_rc = 0;
	pass(3 * NS_PER_S);
	assert_host("set " FUNCTION);
	expect("\"device_add\"", OK);
	assert_string_equal(world->s.control.port[0].function.why, "");
	end();
}

static void a_card_that_qemu_does_not_take_has_its_old_mac_again(void **state)
{
	(void)state;
	a_guest_runs();
	negotiated("p");
	expect("\"device_add\"", NO("GenericError"));
	expect_nothing();
	assert_host("set " FUNCTION ", set back " FUNCTION);
	assert_non_null(strstr(world->s.control.port[0].function.why, "because"));
	assert_false(world->s.control.port[0].function.in);
	pass(3 * NS_PER_S);
	assert_host("set " FUNCTION);
	expect("\"device_add\"", OK);
	assert_true(world->s.control.port[0].function.in);
	end();
}

static void a_card_that_qemu_plugged_itself_is_taken_for_ours(void **state)
{
	(void)state;
	a_guest_runs();
	negotiated("p");
	expect("\"device_add\"",
	       "\"error\":{\"class\":\"GenericError\",\"desc\":\"Duplicate device ID 't'\"}");
	assert_host("set " FUNCTION);
	assert_true(world->s.control.port[0].function.in);
	assert_int_equal(function()->plug.state, PLUG_IN);
	end();
}

static void a_function_that_is_not_to_be_had_is_asked_for_again(void **state)
{
	(void)state;
	a_guest_runs();
	world->s.port[0].backend[1].pci[0] = '\0';
	world->take_rc = -EBUSY;
	negotiated("p");
	assert_host("take t");
	assert_string_equal(world->s.control.port[0].function.why, "no function is free");
	turn();
	assert_host("");
	pass(3 * NS_PER_S);
	assert_host("take t");
	world->take_rc = 0;
	pass(3 * NS_PER_S);
	assert_host("take t, set 0000:03:10.4");
	expect("\"host\":\"0000:03:10.4\"", OK);
	end();
}

static void it_may_come_later_only_to_a_guest_that_is_on_its_way(void **state)
{
	const struct error busy = { .code = -EBUSY, .text = "no function is free" },
			   wrong = { .code = -EINVAL, .text = "no such card" };
	struct service *s;

	(void)state;
	a_guest_runs();
	s = &world->s;
	assert_false(transient_may_come_later(s, 0, 1, &busy)); /* a port that is plugged */
	struct qmp_client *monitor = s->monitor;
	s->monitor = NULL;
	assert_false(transient_may_come_later(s, 0, 1, &busy)); /* a guest that starts here */
	s->options.incoming = true;
	assert_false(transient_may_come_later(s, 0, 1, &wrong));
	assert_false(transient_may_come_later(s, 0, 0, &busy));
	assert_true(transient_may_come_later(s, 0, 1, &busy));
	s->monitor = monitor;
	end();
}

static void it_leaves_before_a_migration_and_has_its_old_mac(void **state)
{
	(void)state;
	the_function_is_in();
	leave(true);
	expect("\"device_del\"", OK);
	assert_host("");
	deleted("t");
	assert_host("set back " FUNCTION);
	assert_false(world->s.control.port[0].function.in);
	turn();
	expect_nothing(); /* it stays out */
	leave(false);
	assert_host("set " FUNCTION);
	expect("\"device_add\"", OK);
	end();
}

static void a_guest_that_refuses_is_asked_again(void **state)
{
	(void)state;
	the_function_is_in();
	leave(true);
	expect("\"device_del\"", NO("GenericError"));
	expect_nothing();
	assert_true(world->s.control.port[0].function.in);
	pass(2 * NS_PER_S);
	expect("\"device_del\"", OK);
	deleted("t");
	assert_host("set back " FUNCTION);
	end();
}

static void who_changes_their_mind_keeps_it(void **state)
{
	(void)state;
	the_function_is_in();
	leave(true);
	expect("\"device_del\"", OK);
	leave(false);
	assert_int_equal(function()->plug.state, PLUG_IN);
	deleted("t"); /* the guest let it go all the same: it comes again */
	assert_host("set back " FUNCTION ", set " FUNCTION);
	expect("\"device_add\"", OK);
	end();
}

static void what_the_guest_let_go_by_itself_waits_for_its_driver(void **state)
{
	(void)state;
	the_function_is_in();
	deleted("t");
	assert_host("set back " FUNCTION);
	pass(10 * NS_PER_S);
	expect_nothing();
	assert_host("");
	negotiated("p");
	assert_host("set " FUNCTION);
	expect("\"device_add\"", OK);
	end();
}

static void without_a_monitor_nothing_is_asked(void **state)
{
	(void)state;
	the_function_is_in();
	shutdown(world->peer, SHUT_RDWR);
	turn();
	assert_null(world->s.monitor);
	assert_int_equal(function()->plug.state, PLUG_STUCK);
	leave(true);
	assert_host("");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_told_its_mac_before_it_is_plugged),
		cmocka_unit_test(a_mac_that_is_refused_plugs_nothing),
		cmocka_unit_test(a_card_that_qemu_does_not_take_has_its_old_mac_again),
		cmocka_unit_test(a_card_that_qemu_plugged_itself_is_taken_for_ours),
		cmocka_unit_test(a_function_that_is_not_to_be_had_is_asked_for_again),
		cmocka_unit_test(it_may_come_later_only_to_a_guest_that_is_on_its_way),
		cmocka_unit_test(it_leaves_before_a_migration_and_has_its_old_mac),
		cmocka_unit_test(a_guest_that_refuses_is_asked_again),
		cmocka_unit_test(who_changes_their_mind_keeps_it),
		cmocka_unit_test(what_the_guest_let_go_by_itself_waits_for_its_driver),
		cmocka_unit_test(without_a_monitor_nothing_is_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
