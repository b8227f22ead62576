#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/nic_option.h"
#include "known_for_tests.h"

static struct port_spec parsed(const char *text)
{
	struct port_spec port;
	struct error err = { 0 };

	if (nic_option_parse(&port, text, &test_known, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return port;
}

static void auto_alone_is_a_switch_port_on_the_user_backend(void **state)
{
	(void)state;
	struct port_spec p = parsed("auto");

	assert_int_equal(p.policy, POLICY_SWITCH);
	assert_int_equal(p.nics, 2);
	assert_string_equal(p.nic[0].model, "rtl8139");
	assert_string_equal(p.nic[1].model, "virtio-net");
	assert_int_equal(p.nic[0].role, ROLE_LEGACY);
	assert_int_equal(p.nic[1].role, ROLE_PERFORMANT);
	assert_string_equal(p.backend.type, "user");
	assert_int_equal(p.link, LINK_AUTO);
	assert_int_equal(p.legacy_delay_ms, 500);
	assert_int_equal(p.hold_count, 6);
	assert_int_equal(p.hold_seconds, 60);
	assert_int_equal(p.nic[0].rev, -1);
	assert_int_equal(p.nic[1].bootindex, -1);
	assert_int_equal(p.backend.fds[0], -1);
	assert_false(p.mac_given);
}

static void every_key_reaches_its_field(void **state)
{
	(void)state;
	struct port_spec p =
		parsed("auto,id=lan-0,legacy=middling,performant=virtio-net,place=hosted,transport="
		       "vfio-user,"
		       "backend=tap,driver=qemu,mac=52:54:00:12:34:56,link=down,legacy-delay=0,"
		       "hold=3/10,queues=4,"
		       "packed=on,mtu=9000,rev=0x10,bootindex=2,romfile=/"
		       "r.rom,ifname=tap0,fd=7:8,br=br0,dev=eth0,"
		       "mode=server,path=/p,net=10.1.0.0/"
		       "16,hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.1:53-10.1.0.15:53,"
		       "tftp=/boot,bootfile=pxe.0,capture=/c.pcapng");

	assert_string_equal(p.backend.tftp, "/boot");
	assert_string_equal(p.backend.bootfile, "pxe.0");

	assert_string_equal(p.id, "lan-0");
	assert_string_equal(p.nic[0].model, "middling");
	assert_int_equal(p.nic[0].place, PLACE_HOSTED);
	assert_int_equal(p.nic[1].place, PLACE_HOSTED);
	assert_string_equal(p.backend.type, "tap");
	assert_int_equal(p.backend.driver, DRIVER_QEMU);
	assert_true(p.mac_given);
	assert_int_equal(p.mac[5], 0x56);
	assert_int_equal(p.link, LINK_DOWN);
	assert_int_equal(p.legacy_delay_ms, 0);
	assert_int_equal(p.hold_count, 3);
	assert_int_equal(p.hold_seconds, 10);
	assert_int_equal(p.nic[1].queues, 4);
	assert_int_equal(p.nic[0].queues, 0);
	assert_true(p.nic[1].packed);
	assert_false(p.nic[0].packed);
	assert_int_equal(p.nic[1].mtu, 9000);
	assert_int_equal(p.nic[0].rev, 0x10);
	assert_int_equal(p.nic[1].rev, -1);
	assert_int_equal(p.nic[0].bootindex, 2);
	assert_string_equal(p.nic[0].romfile, "/r.rom");
	assert_string_equal(p.backend.ifname, "tap0");
	assert_int_equal(p.backend.nfds, 2);
	assert_int_equal(p.backend.fds[1], 8);
	assert_string_equal(p.backend.br, "br0");
	assert_string_equal(p.backend.dev, "eth0");
	assert_string_equal(p.backend.mode, "server");
	assert_string_equal(p.backend.path, "/p");
	assert_string_equal(p.backend.net, "10.1.0.0/16");
	assert_int_equal(p.backend.hostfwds, 2);
	assert_string_equal(p.backend.hostfwd[1], "udp:127.0.0.1:53-10.1.0.15:53");
	assert_string_equal(p.backend.capture, "/c.pcapng");
}

static void a_revision_goes_to_the_card_that_has_it(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int old, fast;
	} cases[] = {
		{ "auto,rev=0x10,performant=middling", 0x10, -1 },
		{ "auto,rev=5,performant=middling", -1, 5 },
		{ "auto,performant=middling,rev=0", -1, 0 },
		{ "auto,legacy=middling,rev=0", 0, -1 },
		{ "auto,legacy=middling,performant=middling,rev=5", 5, -1 },
		{ "auto,rev=7", 7, -1 }, /* nobody has it: validate.c words it */
		{ "auto,performant=nosuch,rev=5", 5, -1 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_spec p = parsed(cases[i].text);

		if (p.nic[0].rev != cases[i].old || p.nic[1].rev != cases[i].fast)
			fail_msg("%s: %d and %d", cases[i].text, p.nic[0].rev, p.nic[1].rev);
	}
}

static void a_single_card_takes_the_keys_of_both_cards(void **state)
{
	(void)state;
	struct port_spec p = parsed("virtio-net,queues=2,packed=on,rev=1,bootindex=0");

	assert_int_equal(p.policy, POLICY_SINGLE);
	assert_int_equal(p.nics, 1);
	assert_int_equal(p.nic[0].queues, 2);
	assert_int_equal(p.nic[0].rev, 1);
	assert_int_equal(p.nic[0].bootindex, 0);
}

static void interrupts_are_those_of_all_cards(void **state)
{
	(void)state;
	struct port_spec p = parsed("auto,msix=off");

	assert_int_equal(p.nic[0].msix, TRISTATE_OFF);
	assert_int_equal(p.nic[1].msix, TRISTATE_OFF);
	p = parsed("auto");
	assert_int_equal(p.nic[1].msix, TRISTATE_DEFAULT);
}

static void the_policy_of_a_virtual_function_goes_to_the_transient_card(void **state)
{
	(void)state;
	struct port_spec p = parsed("team,vlan=42,qos=3,trust=on,spoofchk=off");

	assert_string_equal(p.nic[1].model, "igbvf");
	assert_int_equal(p.nic[1].vlan, 42);
	assert_int_equal(p.nic[1].qos, 3);
	assert_int_equal(p.nic[1].trust, TRISTATE_ON);
	assert_int_equal(p.nic[1].spoofchk, TRISTATE_OFF);
	assert_int_equal(p.nic[0].vlan, -1);
	assert_int_equal(p.nic[0].trust, TRISTATE_DEFAULT);
	p = parsed("igbvf");
	assert_int_equal(p.nic[0].vlan, -1);
	assert_int_equal(p.nic[0].qos, -1);
}

static void without_a_first_word_model_decides_the_kind(void **state)
{
	(void)state;
	assert_int_equal(parsed("backend=null").policy, POLICY_SWITCH);
	assert_int_equal(parsed("backend=null,model=rtl8139").policy, POLICY_SINGLE);
	assert_string_equal(parsed("model=rtl8139").nic[0].model, "rtl8139");
	assert_int_equal(parsed("team,transient=igbvf").policy, POLICY_TEAM);
}

static void a_comma_inside_a_value_is_doubled(void **state)
{
	(void)state;
	assert_string_equal(parsed("auto,capture=/a,,b,,,,c,id=x").backend.capture, "/a,b,,c");
	assert_string_equal(parsed("auto,capture=/a,,").backend.capture, "/a,");
	assert_string_equal(parsed("auto,capture=a=b=c").backend.capture, "a=b=c");
}

static void off_turns_the_hold_off(void **state)
{
	(void)state;
	assert_int_equal(parsed("auto,hold=off").hold_count, 0);
}

/* What was typed, and what the message must contain. */
static void bad_input_is_refused_with_key_and_legal_values(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says, *also;
	} cases[] = {
		{ "auto,lagacy=e1000", "unknown key 'lagacy'", "did you mean legacy?" },
		{ "auto,colour=red", "unknown key 'colour'", "keys are id, legacy" },
		{ "auto,=x", "unknown key ''", "keys are" },
		{ "auto,model=rtl8139", "model= does not belong to an auto port", "" },
		{ "rtl8139,legacy=e1000", "legacy= does not belong to a single card", "" },
		{ "rtl8139,legacy-delay=5", "legacy-delay= does not belong to a single card", "" },
		{ "auto,transient=igbvf", "transient= does not belong to an auto port", "" },
		{ "auto,id=a,id=b", "id= is given twice", "" },
		{ "auto,id=", "id=", "a letter, then" },
		{ "auto,id=0net", "id=0net is not legal", "a letter, then" },
		{ "auto,id=a/b", "id=a/b is not legal", "a letter, then" },
		{ "auto,id=anynic-x", "id=anynic-x is not legal", "not beginning with" },
		{ "auto,id=a234567890123456789012345678x", "id=", "at most 28" },
		{ "auto,place=hostd", "place=hostd", "did you mean hosted?" },
		{ "auto,place=here", "place=here", "auto, hosted, qemu" },
		{ "auto,link=sideways", "link=sideways", "auto, up, down" },
		{ "auto,transport=tcp", "transport=tcp", "vfio-user, vhost-user" },
		{ "auto,driver=fast", "driver=fast", "default, vhost, qemu" },
		{ "auto,mac=52:54:00", "mac=52:54:00 is not legal", "unicast MAC" },
		{ "auto,mac=00:00:00:00:00:00", "mac=00", "unicast MAC" },
		{ "auto,mac=53:54:00:12:34:56", "multicast", "unicast" },
		{ "auto,mac=ff:ff:ff:ff:ff:ff", "multicast", "unicast" },
		{ "auto,legacy-delay=-1", "legacy-delay=-1", "0 to 600000" },
		{ "auto,legacy-delay=600001", "legacy-delay=600001", "0 to 600000" },
		{ "auto,legacy-delay=5s", "legacy-delay=5s", "milliseconds" },
		{ "auto,hold=6", "hold=6", "N/SECONDS" },
		{ "auto,hold=0/60", "hold=0/60", "N/SECONDS" },
		{ "auto,hold=6/", "hold=6/", "N/SECONDS" },
		{ "auto,hold=6/60/2", "hold=6/60/2", "N/SECONDS" },
		{ "auto,queues=0", "queues=0", "1 to 16" },
		{ "auto,queues=17", "queues=17", "1 to 16" },
		{ "auto,vlan=7", "vlan= does not belong to an auto port", "" },
		{ "igbvf,vlan=4095", "vlan=4095 is not legal", "0 (none) to 4094" },
		{ "igbvf,vlan=-1", "vlan=-1 is not legal", "0 (none) to 4094" },
		{ "igbvf,vlan=7,qos=8", "qos=8 is not legal", "0 to 7" },
		{ "igbvf,trust=yes", "trust=yes is not legal", "default, on, off" },
		{ "igbvf,spoofchk=offf", "spoofchk=offf", "did you mean off?" },
		{ "auto,packed=yes", "packed=yes", "on, off" },
		{ "auto,mtu=67", "mtu=67", "68 to 65535" },
		{ "auto,mtu=65536", "mtu=65536", "68 to 65535" },
		{ "auto,rev=256", "rev=256", "0 to 0xff" },
		{ "auto,bootindex=-1", "bootindex=-1", "0 to 65535" },
		{ "auto,romfile=", "romfile=", "a path" },
		{ "auto,ifname=a/b", "ifname=a/b", "network interface" },
		{ "auto,ifname=1234567890123456", "ifname=1234567890123456", "at most 15" },
		{ "auto,br=", "br=", "network interface" },
		{ "auto,fd=2", "fd=2", "above 2" },
		{ "auto,fd=x", "fd=x", "above 2" },
		{ "auto,fd=3:", "fd=3:", "above 2" },
		{ "auto,fd=3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19", "fd=3:4", "at most 16" },
		{ "auto,net=10.0.2.0", "net=10.0.2.0", "IPv4 network" },
		{ "auto,net=10.0.2.0/33", "net=10.0.2.0/33", "/8 to /29" },
		{ "auto,net=300.0.2.0/24", "net=300.0.2.0/24", "IPv4 network" },
		{ "auto,hostfwd=tcp:2222:22", "hostfwd=tcp:2222:22", "tcp or udp" },
		{ "auto,hostfwd=sctp::1-:2", "hostfwd=sctp", "tcp or udp" },
		{ "auto,hostfwd=tcp::0-:2", "hostfwd=tcp", "tcp or udp" },
		{ "auto,hostfwd=tcp::1-:65536", "hostfwd=tcp", "tcp or udp" },
		{ "auto,hostfwd=t", "hostfwd=t", "tcp or udp" },
		{ "auto,up", "'up' is no key=value", "" },
		{ "auto,", "'' is no key=value", "" },
		{ "", "'' is no kind of port", "auto, team or a model: rtl8139" },
		{ "averyveryveryveryverylongmodelname", "is no kind of port",
		  "rtl8139, virtio-net" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_spec port;
		struct error err = { 0 };

		if (nic_option_parse(&port, cases[i].text, &test_known, &err) != -EINVAL)
			fail_msg("'%s' was accepted", cases[i].text);
		if (!strstr(err.text, cases[i].says) || !strstr(err.text, cases[i].also))
			fail_msg("'%s': message is: %s", cases[i].text, err.text);
		if (strncmp(err.where, "--nic ", 6) != 0)
			fail_msg("'%s': option is not named: %s", cases[i].text, err.where);
	}
}

static void a_value_without_end_is_refused(void **state)
{
	(void)state;
	char text[4096] = "auto,capture=";
	struct port_spec port;
	struct error err = { 0 };

	for (size_t i = strlen(text); i < sizeof(text) - 1; i++)
		text[i] = 'x';
	assert_int_equal(nic_option_parse(&port, text, &test_known, &err), -EINVAL);
	text[13 + 255] = '\0';
	assert_int_equal(nic_option_parse(&port, text, &test_known, &err), 0);
	memcpy(text + 13 + 255, "x", 2);
	assert_int_equal(nic_option_parse(&port, text, &test_known, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at most 255"));
}

static void more_forwards_than_fit_are_refused(void **state)
{
	(void)state;
	char text[1000] = "auto";
	struct port_spec port;
	struct error err = { 0 };

	for (unsigned i = 0; i <= HOSTFWD_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ",hostfwd=tcp::%u-:22",
			 2000 + i);
	assert_int_equal(nic_option_parse(&port, text, &test_known, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at most 16"));
}

static void ids_and_macs_are_filled_in(void **state)
{
	(void)state;
	struct port_spec ports[] = { parsed("auto"), parsed("rtl8139,id=net0"), parsed("auto"),
				     parsed("team") };
	struct guest_identity who = { .machine_id = "m", .uid = 7, .guest = "g" };

	str_copy(ports[2].backend.mode, sizeof(ports[2].backend.mode), "server");
	ports_complete(ports, 4, &who);
	assert_string_equal(ports[0].id, "net1"); /* net0 is taken */
	assert_string_equal(ports[2].id, "net2");
	assert_string_equal(ports[0].nic[0].id, "net1-legacy");
	assert_string_equal(ports[0].nic[1].id, "net1-performant");
	assert_string_equal(ports[1].nic[0].id, "net0");
	assert_string_equal(ports[3].nic[0].id, "net3-persistent");
	assert_string_equal(ports[3].nic[1].id, "net3-transient");
	assert_memory_equal(ports[0].nic[0].mac, ports[0].mac, 6);
	assert_memory_equal(ports[0].nic[1].mac, ports[0].mac, 6);
	assert_memory_not_equal(ports[0].mac, ports[2].mac, 6);
	assert_false(ports[0].backend.server);
	assert_true(ports[2].backend.server);
}

static void a_stable_mac_follows_machine_user_guest_and_port(void **state)
{
	(void)state;
	struct guest_identity a = { "m1", 1000, "guest" }, b = { "m2", 1000, "guest" },
			      c = { "m1", 1001, "guest" }, d = { "m1", 1000, "guest2" };
	uint8_t first[6], again[6], other[6];

	mac_stable(&a, "net0", first);
	mac_stable(&a, "net0", again);
	assert_memory_equal(first, again, 6);
	assert_int_equal(first[0], 0x52);
	assert_int_equal(first[1], 0x54);
	assert_int_equal(first[2], 0x00);
	mac_stable(&b, "net0", other);
	assert_memory_not_equal(first, other, 6);
	mac_stable(&c, "net0", other);
	assert_memory_not_equal(first, other, 6);
	mac_stable(&d, "net0", other);
	assert_memory_not_equal(first, other, 6);
	mac_stable(&a, "net1", other);
	assert_memory_not_equal(first, other, 6);
}

static void macs_of_many_guests_spread(void **state)
{
	(void)state;
	static uint8_t seen[1 << 16];
	unsigned twice = 0;

	for (unsigned i = 0; i < 4096; i++) {
		char name[16];
		uint8_t mac[6];
		struct guest_identity who = { "m", 0, name };

		snprintf(name, sizeof(name), "vm%u", i);
		mac_stable(&who, "net0", mac);
		twice += seen[mac[4] << 8 | mac[5]]++ != 0;
	}
	/* 4096 balls in 65536 boxes: about 125 meet */
	assert_true(twice < 250);
}

static void a_near_name_is_suggested(void **state)
{
	(void)state;
	static const char *const names[] = { "legacy", "legacy-delay", "backend", "virtio-net" };

	assert_string_equal(nearest_name("legcay", names, 4), "legacy");
	assert_string_equal(nearest_name("Backend", names, 4), "backend");
	assert_string_equal(nearest_name("virtio", names, 4), "virtio-net");
	assert_null(nearest_name("zzz", names, 4));
	assert_null(nearest_name("xml", (const char *const[]){ "qmp" },
				 1)); /* two of three letters differ */
	assert_string_equal(nearest_name("stauts", (const char *const[]){ "status" }, 1), "status");
	assert_null(nearest_name("", names, 4));
	assert_null(nearest_name("averyveryverylongwordthatnobodywouldevertypeinhere", names, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auto_alone_is_a_switch_port_on_the_user_backend),
		cmocka_unit_test(every_key_reaches_its_field),
		cmocka_unit_test(a_revision_goes_to_the_card_that_has_it),
		cmocka_unit_test(a_single_card_takes_the_keys_of_both_cards),
		cmocka_unit_test(interrupts_are_those_of_all_cards),
		cmocka_unit_test(the_policy_of_a_virtual_function_goes_to_the_transient_card),
		cmocka_unit_test(without_a_first_word_model_decides_the_kind),
		cmocka_unit_test(a_comma_inside_a_value_is_doubled),
		cmocka_unit_test(off_turns_the_hold_off),
		cmocka_unit_test(bad_input_is_refused_with_key_and_legal_values),
		cmocka_unit_test(a_value_without_end_is_refused),
		cmocka_unit_test(more_forwards_than_fit_are_refused),
		cmocka_unit_test(ids_and_macs_are_filled_in),
		cmocka_unit_test(a_stable_mac_follows_machine_user_guest_and_port),
		cmocka_unit_test(macs_of_many_guests_spread),
		cmocka_unit_test(a_near_name_is_suggested),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
