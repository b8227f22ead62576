/* What QEMU is told of plain libvirt XML. The objects of tests/xml/args/ are compared with a real libvirtd's; here is what that cannot run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/card_options.h"
#include "host/vhost.h"
#include "qemu/card_json.h"
#include "qemu/place.h"

static const struct qemu_program qemu_7_2 = { .major = 7, .minor = 2 },
				 qemu_8_1 = { .major = 8, .minor = 1 },
				 qemu_11_1 = { .major = 11, .minor = 1, .vfio_user = true };

static const uint8_t mac[MAC_LEN] = { 0x52, 0x54, 0, 0, 0, 1 };

/* As interface_port.c makes it of a plain <interface>. */
static struct port_spec plain(const char *type, const char *model, const char *device)
{
	struct port_spec p = { .plain = true, .nics = 1 };

	str_copy(p.id, ID_MAX, "net0");
	str_copy(p.nic[0].id, ID_MAX, "net0");
	str_copy(p.backend.type, MODEL_MAX, type);
	str_copy(p.nic[0].model, MODEL_MAX, model);
	str_copy(p.nic[0].options.device, sizeof(p.nic[0].options.device), device);
	memcpy(p.mac, mac, MAC_LEN);
	memcpy(p.nic[0].mac, mac, MAC_LEN);
	p.nic[0].rev = p.nic[0].bootindex = p.nic[0].vlan = p.nic[0].qos = -1;
	return p;
}

static struct qemu_arguments built(struct port_spec *p, unsigned count, const char *machine,
				   const struct qemu_program *program,
				   const struct qemu_card_fds *fds)
{
	char *words[] = { "qemu-system-x86_64", "-nodefaults", "-machine", (char *)machine };
	struct qemu_setup setup = { .program = program,
				    .socket_dir = "/run/x",
				    .card_fds = fds,
				    .cards = fds ? 1 : 0,
				    .qmp_fd = -1 };
	struct qemu_arguments a;
	struct qemu_line line;
	struct error err = { 0 };
	char why[PLACE_WHY];

	assert_int_equal(qemu_line_parse(&line, words, 4, &err), 0);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(qemu_place_port(&p[i], program, why, &err), 0);
	if (qemu_arguments_build(&a, &line, p, count, &setup, &err) < 0)
		fail_msg("%s", err.text);
	return a;
}

static void assert_json(json_object *is, const char *expected)
{
	json_object *o = json_tokener_parse(expected);

	assert_non_null(o);
	if (!json_object_equal(is, o))
		fail_msg("%s instead of %s", json_object_to_json_string(is), expected);
	json_object_put(o);
}

static json_object *first(json_object *array)
{
	return json_object_array_get_idx(array, 0);
}

static void assert_netdev(struct port_spec p, const struct qemu_program *program,
			  const struct qemu_card_fds *fds, const char *expected)
{
	struct qemu_arguments a = built(&p, 1, "pc", program, fds);

	assert_json(first(a.netdevs), expected);
	qemu_arguments_finish(&a);
}

static void assert_device(struct port_spec p, const char *machine, const char *expected)
{
	struct qemu_arguments a = built(&p, 1, machine, &qemu_11_1, NULL);

	assert_json(first(a.devices), expected);
	qemu_arguments_finish(&a);
}

static void each_type_has_the_netdev_that_libvirt_gives_it(void **state)
{
	(void)state;
	struct port_spec p = plain("user", "rtl8139", "");

	assert_netdev(p, &qemu_7_2, NULL, "{'type':'user','id':'hostnet0'}");
	str_copy(p.backend.net, sizeof(p.backend.net), "10.3.0.0/24");
	str_copy(p.backend.net6, sizeof(p.backend.net6), "fec1::/64");
	assert_netdev(p, &qemu_7_2, NULL,
		      "{'type':'user','net':'10.3.0.0/24','ipv6-prefix':'fec1::',"
		      "'ipv6-prefixlen':64,'id':'hostnet0'}");
	str_copy(p.backend.net6, sizeof(p.backend.net6), "fec1::");
	p.backend.net[0] = '\0';
	assert_netdev(p, &qemu_7_2, NULL, "{'type':'user','ipv6-prefix':'fec1::','id':'hostnet0'}");
	p = plain("internal", "rtl8139", "");
	assert_netdev(p, &qemu_7_2, NULL, "{'type':'user','id':'hostnet0'}");
	p = plain("server", "rtl8139", "");
	p.backend.port = 5558;
	assert_netdev(p, &qemu_7_2, NULL, "{'type':'socket','listen':':5558','id':'hostnet0'}");
	str_copy(p.backend.address, sizeof(p.backend.address), "127.0.0.1");
	str_copy(p.backend.type, MODEL_MAX, "client");
	assert_netdev(p, &qemu_7_2, NULL,
		      "{'type':'socket','connect':'127.0.0.1:5558','id':'hostnet0'}");
	str_copy(p.backend.type, MODEL_MAX, "mcast");
	assert_netdev(p, &qemu_7_2, NULL,
		      "{'type':'socket','mcast':'127.0.0.1:5558','id':'hostnet0'}");
	str_copy(p.backend.type, MODEL_MAX, "udp");
	str_copy(p.backend.local_address, sizeof(p.backend.local_address), "127.0.0.2");
	p.backend.local_port = 7;
	assert_netdev(p, &qemu_7_2, NULL,
		      "{'type':'socket','udp':'127.0.0.1:5558','localaddr':'127.0.0.2:7',"
		      "'id':'hostnet0'}");
}

static void passt_is_a_stream_that_reconnects_where_qemu_can(void **state)
{
	(void)state;
	static const struct {
		const struct qemu_program *program;
		const char *again;
	} cases[] = { { &qemu_7_2, "" },
		      { &qemu_8_1, "'reconnect':5," },
		      { &qemu_11_1, "'reconnect-ms':5000," },
		      { NULL, "'reconnect-ms':5000," } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "{'type':'stream','addr':{'type':'unix','path':'/run/x/net0.sock'},"
			 "'server':false,%s'id':'hostnet0'}",
			 cases[i].again);
		assert_netdev(plain("passt", "virtio-net", ""), cases[i].program, NULL, text);
	}
}

static void taps_have_as_many_descriptors_as_were_opened(void **state)
{
	(void)state;
	struct qemu_card_fds two = { "net0", { 5, 6 }, 2, { 7, 8 }, 2 };
	struct qemu_card_fds none = { "net0", { -1, -1 }, 2, { -1, -1 }, 2 };
	struct port_spec p = plain("bridge", "virtio-net", "");

	assert_netdev(p, &qemu_7_2, NULL, "{'type':'tap','fd':'<fd>','id':'hostnet0'}");
	p.backend.sndbuf_given = true;
	p.backend.sndbuf = 1600;
	assert_netdev(p, &qemu_7_2, &two,
		      "{'type':'tap','fds':'5:6','vhost':true,'vhostfds':'7:8','sndbuf':1600,"
		      "'id':'hostnet0'}");
	assert_netdev(p, &qemu_7_2, &none,
		      "{'type':'tap','fds':'<fd>:<fd>','vhost':true,'vhostfds':'<fd>:<fd>',"
		      "'sndbuf':1600,'id':'hostnet0'}");
}

static void a_foreign_vhost_user_socket_is_a_chardev_and_shares_memory(void **state)
{
	(void)state;
	static const struct {
		const struct qemu_program *program;
		const char *mode;
		unsigned reconnect;
		const char *chardev;
	} cases[] = {
		{ &qemu_7_2, "server", 0, "socket,id=charnet0,path=/v,,u,server=on" },
		{ &qemu_7_2, "client", 0, "socket,id=charnet0,path=/v,,u" },
		{ &qemu_7_2, "client", 7, "socket,id=charnet0,path=/v,,u,reconnect=7" },
		{ &qemu_11_1, "client", 7, "socket,id=charnet0,path=/v,,u,reconnect-ms=7000" },
		{ &qemu_11_1, "never", 0, "socket,id=charnet0,path=/v,,u,reconnect-ms=0" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_spec p = plain("vhostuser", "virtio-net", "");

		str_copy(p.backend.path, sizeof(p.backend.path), "/v,u");
		str_copy(p.backend.mode, sizeof(p.backend.mode), cases[i].mode);
		p.backend.reconnect_s = cases[i].reconnect;
		p.backend.reconnect = strcmp(cases[i].mode, "never") == 0 ? TRISTATE_OFF : 0;
		p.nic[0].queues = 2;
		struct qemu_arguments a = built(&p, 1, "q35", cases[i].program, NULL);
		assert_string_equal(json_object_get_string(first(a.chardevs)), cases[i].chardev);
		assert_json(first(a.netdevs), "{'type':'vhost-user','chardev':'charnet0',"
					      "'queues':2,'id':'hostnet0'}");
		assert_non_null(strstr(json_object_to_json_string(a.actions), "share=on"));
		qemu_arguments_finish(&a);
	}
}

static void a_vdpa_device_is_handed_over_in_a_set(void **state)
{
	(void)state;
	struct port_spec p = plain("vdpa", "virtio-net", "");

	str_copy(p.backend.dev, sizeof(p.backend.dev), "/dev/vhost-vdpa-0");
	struct qemu_arguments a = built(&p, 1, "q35", &qemu_7_2, NULL);
	assert_json(first(a.netdevs), "{'type':'vhost-vdpa','vhostdev':'/dev/fdset/0',"
				      "'id':'hostnet0'}");
	bool found = false;
	for (int i = 1; i < a.argc; i++)
		found |= strcmp(a.argv[i - 1], "-add-fd") == 0 &&
			 strcmp(a.argv[i], "set=0,fd=<fd>,opaque=/dev/vhost-vdpa-0") == 0;
	assert_true(found);
	qemu_arguments_finish(&a);
}

#define REST "'netdev':'hostnet0','id':'net0','mac':'52:54:00:00:00:01'"

static void a_card_has_the_properties_that_were_set_and_no_others(void **state)
{
	(void)state;
	struct port_spec p = plain("user", "virtio-net", "");
	struct nic_spec *nic = &p.nic[0];
	struct error err;

	assert_device(p, "pc", "{'driver':'virtio-net-pci'," REST ",'bus':'pci.0'}");
	for (unsigned i = 0; i < card_option_count; i++)
		if (card_options[i].kind == CARD_ON_OFF)
			card_option_read(&card_options[i], &nic->options, i % 2 ? "on" : "off",
					 &err);
	nic->options.txmode = TXMODE_IOTHREAD;
	nic->options.rx_queue_size = 512;
	nic->options.tx_queue_size = 1024;
	nic->options.acpi_index = 7;
	nic->queues = 4;
	nic->mtu = 1400;
	nic->bootindex = 1;
	nic->standby = true;
	str_copy(nic->options.loadparm, sizeof(nic->options.loadparm), "A");
	str_copy(nic->romfile, sizeof(nic->romfile), "/x.rom");
	/* the order of rows decides on and off: the table's test has its own */
	struct qemu_arguments a = built(&p, 1, "pc", &qemu_11_1, NULL);
	const char *text =
		json_object_to_json_string_ext(first(a.devices), JSON_C_TO_STRING_NOSLASHESCAPE);
	assert_int_equal(json_object_object_length(first(a.devices)), 22 + 4 + 4 + 7);
	static const char *const has[] = {
		"\"tx\":\"bh\"",
		"\"rx_queue_size\":512",
		"\"tx_queue_size\":1024",
		"\"mq\":true",
		"\"vectors\":10",
		"\"host_mtu\":1400",
		"\"failover\":true",
		"\"bootindex\":1",
		"\"acpi-index\":7",

		"\"romfile\":\"/x.rom\"",
		"\"iommu_platform\":false",
		"\"ats\":true",
		"\"packed\":false",
		"\"page-per-vq\":true",
		"\"host_tso4\":",
		"\"hash\":",
		"\"guest_ufo\":",
		"\"multifunction\":",
	};
	for (unsigned i = 0; i < ARRAY_SIZE(has); i++)
		if (!strstr(text, has[i]))
			fail_msg("%s is not in %s", has[i], text);
	assert_null(strstr(text, "loadparm")); /* QEMU's PCI cards have none */
	assert_true(strstr(text, "\"rombar\":0") || strstr(text, "\"rombar\":1"));
	qemu_arguments_finish(&a);
}

static void a_card_that_is_not_virtio_has_none_of_its_properties(void **state)
{
	(void)state;
	struct port_spec p = plain("user", "ne2k_pci", "ne2k_pci");

	p.nic[0].options.packed = TRISTATE_ON;
	p.nic[0].options.rombar = TRISTATE_OFF;
	p.nic[0].options.rom = TRISTATE_OFF;
	p.nic[0].queues = 4;
	p.nic[0].mtu = 1400;
	assert_device(p, "pc",
		      "{'driver':'ne2k_pci'," REST ",'bus':'pci.0','rombar':0,'romfile':''}");
	assert_device(plain("user", "usb-net", "usb-net"), "pc", "{'driver':'usb-net'," REST "}");
	assert_device(plain("user", "virtio-net", "virtio-net-pci-transitional"), "q35",
		      "{'driver':'virtio-net-pci-transitional'," REST
		      ",'bus':'anynic-rp-0','addr':'0x0'}");
}

static void a_bus_that_xml_names_is_made_where_the_line_has_none(void **state)
{
	(void)state;
	static const struct {
		const char *bus, *addr, *machine, *device, *made;
	} cases[] = {
		{ "pci.0", "0x3", "pc", "'bus':'pci.0','addr':'0x3'", NULL },
		{ "pcie.0", "0x3", "pc", "'bus':'pci.0','addr':'0x3'", NULL },
		{ "pci.0", "0x12.0x1", "q35", "'bus':'pcie.0','addr':'0x12.0x1'", NULL },
		{ "pci.1", "0x0", "q35", "'bus':'pci.1','addr':'0x0'", "pcie-root-port" },
		{ "pci.1", "0x0.0x1", "q35", "'bus':'pci.1','addr':'0x0.0x1'", "pcie-root-port" },
		{ "pci.2", "0x1", "q35", "'bus':'pci.2','addr':'0x1'", "pcie-pci-bridge" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_spec p = plain("user", "rtl8139", "");
		char expected[200], id[40];

		str_copy(p.nic[0].options.bus, 24, cases[i].bus);
		assert_true(str_copy(p.nic[0].options.addr, sizeof(p.nic[0].options.addr),
				     cases[i].addr));
		struct qemu_arguments a = built(&p, 1, cases[i].machine, &qemu_7_2, NULL);
		const char *actions = json_object_to_json_string_ext(a.actions, 0);

		snprintf(expected, sizeof(expected), "{'driver':'rtl8139'," REST ",%s}",
			 cases[i].device);
		assert_json(first(a.devices), expected);
		snprintf(id, sizeof(id), "\"id\":\"%s\"", cases[i].bus);
		assert_int_equal(strstr(actions, id) != NULL, cases[i].made != NULL);
		if (cases[i].made)
			assert_non_null(strstr(actions, cases[i].made));
		qemu_arguments_finish(&a);
	}
}

static void two_cards_on_one_bus_of_xml_share_it(void **state)
{
	(void)state;
	struct port_spec p[2] = { plain("user", "rtl8139", ""), plain("user", "e1000", "") };

	str_copy(p[1].id, ID_MAX, "net1");
	str_copy(p[1].nic[0].id, ID_MAX, "net1");
	for (unsigned i = 0; i < 2; i++) {
		str_copy(p[i].nic[0].options.bus, 24, "pci.2");
		str_copy(p[i].nic[0].options.addr, 8, i ? "0x2" : "0x1");
	}
	struct qemu_arguments a = built(p, 2, "q35", &qemu_7_2, NULL);
	const char *text = json_object_to_json_string_ext(a.actions, 0);
	const char *made = strstr(text, "\"id\":\"pci.2\"");
	assert_non_null(made);
	assert_null(strstr(made + 1, "\"driver\":\"pcie-pci-bridge\""));
	qemu_arguments_finish(&a);
}

static void a_function_of_the_host_comes_last_and_has_no_netdev(void **state)
{
	(void)state;
	struct port_spec p[2] = { plain("hostdev", "hostdev", ""), plain("user", "rtl8139", "") };

	str_copy(p[0].id, ID_MAX, "hostdev0");
	str_copy(p[0].nic[0].id, ID_MAX, "hostdev0");
	str_copy(p[0].nic[0].host_pci, 16, "0000:03:10.2");
	str_copy(p[0].nic[0].pair, ID_MAX, "ua-p");
	p[0].nic[0].bootindex = 2;
	struct qemu_arguments a = built(p, 2, "q35", &qemu_7_2, NULL);
	assert_int_equal(json_object_array_length(a.netdevs), 1);
	assert_int_equal(json_object_array_length(a.devices), 2);
	assert_json(json_object_array_get_idx(a.devices, 1),
		    "{'driver':'vfio-pci','host':'0000:03:10.2','id':'hostdev0','bootindex':2,"
		    "'failover_pair_id':'ua-p','bus':'anynic-rp-1','addr':'0x0'}");
	assert_false(qemu_moves_links(p, 1));
	assert_true(qemu_moves_links(p, 2));
	qemu_arguments_finish(&a);
}

static void functions_of_the_host_stand_in_libvirts_order(void **state)
{
	static const unsigned order[] = { 34, 0, 2 };
	struct port_spec p[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		p[i] = plain("hostdev", "hostdev", "");
		(void)snprintf(p[i].id, ID_MAX, "f%u", i);
		(void)snprintf(p[i].nic[0].id, ID_MAX, "f%u", i);
		str_copy(p[i].nic[0].host_pci, 16, "0000:03:10.2");
		p[i].nic[0].host_order = order[i];
	}
	struct qemu_arguments a = built(p, 3, "q35", &qemu_7_2, NULL);
	static const char *const ids[] = { "f2", "f0", "f1" };
	for (unsigned i = 0; i < 3; i++) {
		json_object *device = json_object_array_get_idx(a.devices, i);

		assert_string_equal(json_object_get_string(json_object_object_get(device, "id")),
				    ids[i]);
	}
	qemu_arguments_finish(&a);
}

/* Nothing on the line: QEMU is told over QMP, before the guest runs. */
static void a_link_that_is_down_from_the_start_is_an_action(void **state)
{
	struct port_spec p = plain("user", "rtl8139", "");

	(void)state;
	p.link = LINK_DOWN;
	struct qemu_arguments a = built(&p, 1, "pc", &qemu_7_2, NULL);
	size_t count = json_object_array_length(a.actions);
	json_object *last = json_object_array_get_idx(a.actions, count - 1);
	assert_json(json_object_object_get(last, "qmp"),
		    "{'execute':'set_link','arguments':{'name':'net0','up':false}}");
	assert_string_equal(json_object_get_string(json_object_object_get(last, "nic")), "net0");
	qemu_arguments_finish(&a);
	p.link = LINK_UP;
	a = built(&p, 1, "pc", &qemu_7_2, NULL);
	assert_int_equal(json_object_array_length(a.actions), count - 1);
	qemu_arguments_finish(&a);
}

static void only_plain_xml_has_the_types_of_qemu(void **state)
{
	(void)state;
	struct port_spec p = plain("udp", "ne2k_pci", "ne2k_pci");
	struct error err = { 0 };
	char why[PLACE_WHY];

	assert_true(qemu_netdev_exists("user") && !qemu_netdev_is_xml_only("user"));
	assert_false(qemu_netdev_exists("bridge"));
	p.nic[0].place = PLACE_HOSTED;
	assert_int_equal(qemu_place_port(&p, &qemu_11_1, why, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "udp"));
	/* what --nic makes of place=qemu keeps its frames with us */
	p = plain("user", "rtl8139", "");
	p.plain = false;
	p.nic[0].place = PLACE_QEMU;
	assert_int_equal(qemu_place_port(&p, &qemu_11_1, why, &err), 0);
	assert_int_equal(p.nic[0].netdev, NETDEV_STREAM);
	/* and plain XML with --place hosted is ours */
	p.plain = true;
	p.nic[0].place = PLACE_HOSTED;
	assert_int_equal(qemu_place_port(&p, &qemu_11_1, why, &err), 0);
	assert_int_equal(p.nic[0].netdev, NETDEV_NONE);
}

static void vhost_is_required_where_libvirt_requires_it(void **state)
{
	(void)state;
	static const struct {
		bool plain, tcg, assume;
		const char *type, *model;
		enum nic_netdev netdev;
		enum backend_driver wish;
		int rc;
		enum backend_driver got;
	} cases[] = {
		{ true, false, true, "bridge", "virtio-net", NETDEV_TAP, DRIVER_DEFAULT, 0,
		  DRIVER_VHOST },
		{ true, false, true, "bridge", "virtio-net", NETDEV_TAP, DRIVER_VHOST, 0,
		  DRIVER_VHOST },
		{ true, false, true, "bridge", "virtio-net", NETDEV_TAP, DRIVER_QEMU, 0,
		  DRIVER_QEMU },
		{ true, true, true, "bridge", "virtio-net", NETDEV_TAP, DRIVER_VHOST, 0,
		  DRIVER_QEMU },
		{ true, false, true, "user", "virtio-net", NETDEV_QEMU, DRIVER_VHOST, 0,
		  DRIVER_QEMU },
		{ true, false, true, "bridge", "e1000", NETDEV_TAP, DRIVER_VHOST, 0, DRIVER_QEMU },
		/* the command line is strict */
		{ false, false, true, "user", "virtio-net", NETDEV_STREAM, DRIVER_VHOST, -ENOTSUP,
		  0 },
		{ false, false, true, "bridge", "e1000", NETDEV_TAP, DRIVER_VHOST, -ENOTSUP, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_spec p = plain(cases[i].type, cases[i].model, "");
		struct vhost_choice choice = { 0 };
		struct error err = { 0 };

		p.plain = cases[i].plain;
		p.tcg = cases[i].tcg;
		p.nic[0].netdev = cases[i].netdev;
		p.backend.driver = cases[i].wish;
		assert_int_equal(host_vhost_plan(&p, cases[i].assume, &choice, &err), cases[i].rc);
		if (cases[i].rc == 0)
			assert_int_equal(choice.driver, cases[i].got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_has_the_netdev_that_libvirt_gives_it),
		cmocka_unit_test(passt_is_a_stream_that_reconnects_where_qemu_can),
		cmocka_unit_test(taps_have_as_many_descriptors_as_were_opened),
		cmocka_unit_test(a_foreign_vhost_user_socket_is_a_chardev_and_shares_memory),
		cmocka_unit_test(a_vdpa_device_is_handed_over_in_a_set),
		cmocka_unit_test(a_card_has_the_properties_that_were_set_and_no_others),
		cmocka_unit_test(a_card_that_is_not_virtio_has_none_of_its_properties),
		cmocka_unit_test(a_bus_that_xml_names_is_made_where_the_line_has_none),
		cmocka_unit_test(two_cards_on_one_bus_of_xml_share_it),
		cmocka_unit_test(a_function_of_the_host_comes_last_and_has_no_netdev),
		cmocka_unit_test(functions_of_the_host_stand_in_libvirts_order),
		cmocka_unit_test(a_link_that_is_down_from_the_start_is_an_action),
		cmocka_unit_test(only_plain_xml_has_the_types_of_qemu),
		cmocka_unit_test(vhost_is_required_where_libvirt_requires_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
