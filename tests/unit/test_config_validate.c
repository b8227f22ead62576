#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/blame.h"
#include "config/nic_option.h"
#include "config/validate.h"
#include "known_for_tests.h"

#define NICS_MAX 3

/* Reads up to three options and checks them together. */
static int checked(const char *const *texts, struct error *err)
{
	struct port_spec ports[NICS_MAX];
	struct guest_identity who = { "m", 0, "g" };
	unsigned n = 0;

	for (; n < NICS_MAX && texts[n]; n++)
		if (nic_option_parse(&ports[n], texts[n], &test_known, err) < 0)
			fail_msg("%s: %s", texts[n], err->text);
	ports_complete(ports, n, &who);
	return ports_validate(ports, n, &test_known, err);
}

static void ports_that_fit_are_accepted(void **state)
{
	(void)state;
	static const char *const good[][NICS_MAX + 1] = {
		{ "auto" },
		{ "auto", "auto", "auto" },
		{ "auto,legacy=middling" },
		{ "auto,performant=middling,queues=2,mtu=9000" },
		{ "auto,queues=8,packed=on,mtu=65535,rev=0x20" },
		{ "rtl8139,rev=0x10,backend=null" },
		{ "rtl8139,rev=16" },
		{ "middling,rev=0" },
		{ "middling,rev=5" },
		{ "igbvf,vlan=42,qos=3,trust=on,spoofchk=off" },
		{ "igbvf,vlan=0,trust=off,spoofchk=on" },
		{ "auto,msix=off" },
		{ "igbvf,msix=on" },
		{ "virtio-net,backend=tap" },
		{ "virtio-net,backend=tap,ifname=t0,queues=4" },
		{ "virtio-net,backend=tap,fd=5:6,queues=2" },
		{ "virtio-net,backend=tap,fd=5,queues=4" },
		{ "auto,backend=stream,path=/s,mode=server" },
		{ "auto,backend=stream,fd=4" },
		{ "auto,net=10.0.2.0/24,hostfwd=tcp::1-:2" },
		{ "auto,bootindex=1", "auto,bootindex=2" },
		{ "auto,driver=qemu,place=hosted,transport=vfio-user" },
		{ "team,transient=igbvf" },
		{ "team,transient=express,msix=off,transport=vhost-user" },
		{ "team,transient=hostdev,dev=eth0,backend=bridge,br=br8" },
		{ "team,transient=hostdev,dev=0000:01:10.0,vlan=42" },
		{ "team,transient=igbvf,queues=4,packed=on,vlan=42,backend=tap", "auto" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		struct error err = { 0 };

		if (checked(good[i], &err) != 0)
			fail_msg("%s: %s", good[i][0], err.text);
	}
}

static void ports_that_do_not_fit_are_refused_with_the_reason(void **state)
{
	(void)state;
	static const struct {
		const char *text[NICS_MAX + 1];
		int code;
		const char *says, *also;
	} cases[] = {
		{ { "e1001" }, -EINVAL, "unknown model 'e1001'", "models are rtl8139, virtio-net" },
		{ { "rtl8193" }, -EINVAL, "did you mean rtl8139?", "" },
		{ { "atuo" }, -EINVAL, "did you mean auto?", "" },
		{ { "hostdev" }, -EINVAL, "needs dev=", "a PCI address" },
		{ { "hostdev,backend=hostdev" }, -EINVAL, "needs dev=", "a network of libvirt's" },
		{ { "auto,legacy=hostdev" }, -EINVAL, "cannot be the legacy one", "" },
		{ { "hostdev,backend=bridge,br=br8" },
		  -EINVAL,
		  "brings its own network",
		  "leave backend=bridge out" },
		{ { "virtio-net,backend=hostdev,dev=eth0" },
		  -EINVAL,
		  "is for model hostdev only",
		  "virtio-net takes another backend" },
		{ { "hostdev,dev=eth0,queues=2" }, -EINVAL, "queues=2 is too many", "" },
		{ { "hostdev,dev=eth0,driver=vhost" }, -EINVAL, "driver=vhost", "" },
		{ { "hostdev,dev=eth0,qos=3" }, -EINVAL, "it needs vlan=", "" },
		{ { "auto,legacy=nosuch" }, -EINVAL, "unknown model 'nosuch'", "models are" },
		{ { "team,transient=rtl8139" },
		  -EINVAL,
		  "no PCI Express card",
		  "transient= takes express, igbvf, hostdev" },
		{ { "team,transient=virtio-net" },
		  -EINVAL,
		  "is one already",
		  "express, igbvf, hostdev" },
		{ { "team,transient=nosuch" }, -EINVAL, "unknown model 'nosuch'", "models are" },
		{ { "team,transient=hostdev" }, -EINVAL, "needs dev=", "a PCI address" },
		{ { "auto,legacy=virtio-net" },
		  -EINVAL,
		  "cannot be the legacy one",
		  "legacy= takes rtl8139, middling" },
		{ { "auto,performant=rtl8139" },
		  -EINVAL,
		  "cannot be the performant one",
		  "performant= takes virtio-net, middling" },
		{ { "auto,legacy=middling,performant=middling" },
		  -EINVAL,
		  "two different cards",
		  "middling" },
		{ { "virtio-net,place=qemu,transport=vhost-user" },
		  -EINVAL,
		  "transport= is of cards that anynic serves",
		  "leave it out" },
		{ { "rtl8139,transport=vhost-user" }, -EINVAL, "virtio-net only", "vfio-user" },
		{ { "auto,backend=bridge" }, -EINVAL, "needs br=", "br8, br9" },
		{ { "auto,backend=direct" }, -EINVAL, "needs dev=", "/dev/tapN" },
		{ { "auto,backend=direct,dev=../x" }, -EINVAL, "dev=../x is not legal", "" },
		{ { "auto,backend=direct,dev=sixteen_letters_" }, -EINVAL, "at most 15", "" },
		{ { "auto,backend=direct,dev=eth0,mode=hub" },
		  -EINVAL,
		  "mode=hub is not legal",
		  "vepa, bridge, private, passthrough" },
		{ { "auto,backend=direct,dev=eth0,fd=7" }, -EINVAL, "exclude each other", "" },
		{ { "auto,backend=bridge,br=br0,dev=eth0" }, -EINVAL, "dev= has no meaning", "" },
		{ { "auto,backend=bridge,br=br0,fd=7" }, -EINVAL, "fd= has no meaning", "tap" },
		{ { "auto,backend=passt,hostfwd=tcp::80-10.0.2.15:80" },
		  -EINVAL,
		  "names an address of the guest",
		  "tcp:[ADDRESS]:PORT-:PORT" },
		{ { "auto,backend=passt,path=/x,hostfwd=tcp::80-:80" },
		  -EINVAL,
		  "hostfwd= and path= exclude each other",
		  "-t and -u" },
		{ { "auto,backend=tap,ifname=t0,net=10.0.3.0/24" },
		  -EINVAL,
		  "net= has no meaning",
		  "user" },
		{ { "auto,backend=passt,path=/run/p.sock,net=10.0.3.4/24" },
		  -EINVAL,
		  "net= and path= exclude each other",
		  "-a and -i" },
		{ { "auto,backend=passt,fd=7" }, -EINVAL, "fd= has no meaning", "tap" },
		{ { "auto,backend=usr" },
		  -EINVAL,
		  "unknown backend 'usr', did you mean user?",
		  "user, tap, null, stream" },
		{ { "auto,backend=wormhole" },
		  -EINVAL,
		  "unknown backend 'wormhole'",
		  "user, tap, null, stream" },
		{ { "auto,capture=/x" }, -ENOTSUP, "capture= is not in this version", "" },
		{ { "rtl8139,driver=vhost" }, -EINVAL, "needs a virtio-net card", "" },
		{ { "auto,ifname=tap0" },
		  -EINVAL,
		  "ifname= has no meaning for backend=user",
		  "it belongs to tap" },
		{ { "auto,backend=tap,path=/x" },
		  -EINVAL,
		  "path= has no meaning for backend=tap",
		  "stream" },
		{ { "auto,backend=null,fd=3" },
		  -EINVAL,
		  "fd= has no meaning for backend=null",
		  "tap" },
		{ { "auto,backend=tap,hostfwd=tcp::1-:2" },
		  -EINVAL,
		  "hostfwd= has no meaning for backend=tap",
		  "user" },
		{ { "auto,backend=tap,net=10.0.0.0/8" }, -EINVAL, "net= has no meaning", "user" },
		{ { "auto,backend=tap,ifname=t,fd=4" }, -EINVAL, "exclude each other", "" },
		{ { "auto,backend=tap,fd=4:5,queues=4" }, -EINVAL, "queues=4", "fd=" },
		{ { "auto,backend=stream" }, -EINVAL, "needs path=", "" },
		{ { "auto,backend=stream,path=/x,fd=3" }, -EINVAL, "exclude each other", "" },
		{ { "auto,backend=stream,path=/x,mode=bridge" },
		  -EINVAL,
		  "mode=bridge",
		  "client, server" },
		{ { "rtl8139,queues=2" }, -EINVAL, "queues=2 is too many", "at most 1" },
		{ { "auto,performant=middling,queues=3" },
		  -EINVAL,
		  "queues=3 is too many",
		  "at most 2" },
		{ { "rtl8139,packed=on" }, -EINVAL, "packed= has no meaning for rtl8139", "" },
		{ { "rtl8139,mtu=1500" }, -EINVAL, "mtu= has no meaning for rtl8139", "" },
		{ { "auto,performant=middling,mtu=9001" }, -EINVAL, "mtu=9001", "68 to 9000" },
		{ { "rtl8139,vlan=0" }, -EINVAL, "vlan= has no meaning for rtl8139", "" },
		{ { "rtl8139,qos=1" }, -EINVAL, "qos= has no meaning for rtl8139", "" },
		{ { "middling,trust=off" }, -EINVAL, "trust= has no meaning for middling", "" },
		{ { "middling,spoofchk=on" },
		  -EINVAL,
		  "spoofchk= has no meaning for middling",
		  "" },
		{ { "igbvf,msix=off" }, -EINVAL, "msix=off has no meaning for igbvf", "use igb" },
		{ { "virtio-net,place=qemu,msix=off" },
		  -EINVAL,
		  "msix= is of cards that anynic",
		  "" },
		{ { "virtio-net,transport=vhost-user,msix=off" },
		  -EINVAL,
		  "msix= is of cards that anynic",
		  "the port has none" },
		{ { "igbvf,qos=3" }, -EINVAL, "qos= is the priority of a VLAN", "vlan=" },
		{ { "igbvf,vlan=0,qos=3" }, -EINVAL, "qos= is the priority of a VLAN", "vlan=" },
		{ { "rtl8139,rev=0x30" }, -EINVAL, "rev=0x30 is not legal", "0x10, 0x20" },
		{ { "rtl8139,rev=0" }, -EINVAL, "rev=0x00 is not legal", "0x10, 0x20" },
		{ { "middling,rev=6" }, -EINVAL, "rev=0x06 is not legal", "0, 0x05" },
		{ { "virtio-net,rev=1" }, -EINVAL, "rev= has no meaning for virtio-net", "" },
		{ { "auto,id=a", "auto,id=a" }, -EINVAL, "id=a is used by two ports", "" },
		{ { "auto,id=a", "rtl8139,id=a-legacy" },
		  -EINVAL,
		  "id=a-legacy is also the id of a card of port a",
		  "" },
		{ { "rtl8139,id=a-legacy", "auto,id=a" },
		  -EINVAL,
		  "id=a-legacy is also the id of a card of port a",
		  "" },
		{ { "auto,id=a", "auto,id=a-legacy" }, -EINVAL, "id=a-legacy is also", "" },
		{ { "auto,mac=52:54:00:00:00:01", "auto", "auto,mac=52:54:00:00:00:01" },
		  -EINVAL,
		  "mac=52:54:00:00:00:01 is used by two ports, net0 and net2",
		  "" },
		{ { "auto,bootindex=1", "rtl8139,bootindex=1" },
		  -EINVAL,
		  "bootindex=1 is used by two ports",
		  "" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = { 0 };
		int rc = checked(cases[i].text, &err);

		if (rc != cases[i].code)
			fail_msg("%s: code %d, %s", cases[i].text[0], rc, err.text);
		if (!strstr(err.text, cases[i].says) || !strstr(err.text, cases[i].also))
			fail_msg("%s: message is: %s", cases[i].text[0], err.text);
		assert_true(strncmp(err.where, "port ", 5) == 0);
	}
}

static void a_path_that_no_socket_can_have_is_refused(void **state)
{
	(void)state;
	char text[200] = "auto,backend=stream,path=/";
	struct error err = { 0 };

	memset(text + strlen(text), 'x', 107);
	assert_int_equal(checked((const char *const[]){ text, NULL }, &err), -EINVAL);
	assert_non_null(strstr(err.text, "107"));
}

static void a_guest_name_is_a_file_name(void **state)
{
	(void)state;
	assert_true(guest_name_is_legal("vm-1.test_A"));
	assert_false(guest_name_is_legal(""));
	assert_false(guest_name_is_legal("../x"));
	assert_false(guest_name_is_legal("-x"));
	assert_false(guest_name_is_legal("a b"));
	assert_false(guest_name_is_legal(
		"a234567890123456789012345678901234567890123456789012345678901234"));
}

static void words_of_nic_become_those_of_xml(void **state)
{
	static const struct {
		const char *text, *xml;
	} cases[] = {
		{ "driver=vhost cannot be had: no; use driver=default, or place=qemu.",
		  "<driver name='vhost'/> cannot be had: no; use <driver> without name=, or "
		  "<anynic:place>qemu</anynic:place>." },
		{ "choose another ifname=", "choose another <target dev='...'/>" },
		{ "or backend=tap,ifname=tap0; or use backend=user",
		  "or <interface type='ethernet'>,<target dev='tap0'/>; or use <interface "
		  "type='user'>" },
		{ "legacy=virtio-net is not legacy",
		  "<anynic:auto legacy='virtio-net'/> is not legacy" },
		{ "intel_iommu=on, xdev=1 and share=on stay",
		  "intel_iommu=on, xdev=1 and share=on stay" },
		{ "as in: anynic run --nic auto,backend=tap",
		  "as in: anynic run --nic auto,backend=tap" },
		{ "", "" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char said[512], little[8];

		words_of_xml(cases[i].text, said, sizeof(said));
		assert_string_equal(said, cases[i].xml);
		words_of_xml(cases[i].text, little, sizeof(little)); /* cut, not more */
		assert_true(strlen(little) < sizeof(little));
	}
}

static void a_failure_names_the_port_or_its_place_in_a_file(void **state)
{
	struct port_spec port = { .id = "net0" };
	struct error err = { .text = "queues=4 does not fit" };

	(void)state;
	error_of_port(&err, &port);
	assert_string_equal(err.where, "port net0");
	assert_string_equal(err.text, "queues=4 does not fit");
	err.where[0] = '\0';
	str_copy(port.source, sizeof(port.source), "vm.xml:7");
	error_of_port(&err, &port);
	assert_string_equal(err.where, "vm.xml:7");
	assert_string_equal(err.text, "<driver queues='4'/> does not fit");
	str_copy(err.where, sizeof(err.where), "network lan");
	error_of_port(&err, &port);
	assert_string_equal(err.where, "vm.xml:7");
	assert_non_null(strstr(err.text, "network lan: "));
	error_of_port(NULL, &port);
}

static struct port_spec a_team(void)
{
	struct port_spec port;
	struct guest_identity who = { "m", 0, "g" };

	assert_int_equal(nic_option_parse(&port, "team", &test_known, NULL), 0);
	ports_complete(&port, 1, &who);
	return port;
}

/* What --nic cannot say, but XML can: cards that make no team. QEMU would take each of them without a word. */
static void two_cards_that_are_no_team_are_refused(void **state)
{
	(void)state;
	struct port_spec cases[9];
	static const char *const says[ARRAY_SIZE(cases)] = {
		"must be virtio-net",	     "two MACs",
		"has exactly one transient", "exactly one persistent",
		"names a partner",	     "names other as its persistent card",
		"nothing is plugged",	     "each needs a root port",
		"one of several functions",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		cases[i] = a_team();
	str_copy(cases[0].nic[0].model, MODEL_MAX, "middling");
	cases[1].nic[1].mac[5] ^= 1;
	cases[2].nics = 1;
	cases[3].nic[0].role = ROLE_SINGLE;
	str_copy(cases[4].nic[0].pair, ID_MAX, "net0-transient");
	str_copy(cases[5].nic[1].pair, ID_MAX, "other");
	str_copy(cases[6].nic[1].options.bus, 24, "pcie.0");
	str_copy(cases[7].nic[0].options.bus, 24, "rp1");
	str_copy(cases[7].nic[1].options.bus, 24, "rp1");
	cases[8].nic[1].options.multifunction = TRISTATE_ON;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = { 0 };
		int rc = ports_validate(&cases[i], 1, &test_known, &err);

		if (rc != -EINVAL || !strstr(err.text, says[i]))
			fail_msg("%s: %d, %s", says[i], rc, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_cards_that_are_no_team_are_refused),
		cmocka_unit_test(ports_that_fit_are_accepted),
		cmocka_unit_test(ports_that_do_not_fit_are_refused_with_the_reason),
		cmocka_unit_test(a_path_that_no_socket_can_have_is_refused),
		cmocka_unit_test(a_guest_name_is_a_file_name),
		cmocka_unit_test(words_of_nic_become_those_of_xml),
		cmocka_unit_test(a_failure_names_the_port_or_its_place_in_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
