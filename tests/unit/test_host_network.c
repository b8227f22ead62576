/* Ports of libvirt's networks: what they really are, which device they get, what interface, portgroup and network say together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/network.h"

static struct network_spec net;
static struct interface_spec iface;
static struct network_use use;
static struct network_plug plug;
static struct error err;

static int start(void **state)
{
	(void)state;
	memset(&net, 0, sizeof(net));
	memset(&iface, 0, sizeof(iface));
	memset(&use, 0, sizeof(use));
	memset(&err, 0, sizeof(err));
	str_copy(net.name, sizeof(net.name), "lan");
	return 0;
}

static void set_devices(enum forward_mode mode, unsigned count)
{
	net.forward = mode;
	net.devs = count;
	net.devs_are_pci = mode == FORWARD_HOSTDEV;
	for (unsigned i = 0; i < count; i++)
		snprintf(net.dev[i], sizeof(net.dev[i]),
			 net.devs_are_pci ? "0000:01:10.%u" : "eth%u", i);
}

static void add_group(const char *name, bool is_default)
{
	struct portgroup_spec *g = &net.group[net.groups++];

	str_copy(g->name, sizeof(g->name), name);
	g->is_default = is_default;
}

static void allocate(void)
{
	int rc = network_allocate(&net, &iface, &use, &plug, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
}

static void refused(int code, const char *why)
{
	assert_int_equal(network_allocate(&net, &iface, &use, &plug, &err), code);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void checked(const char *why)
{
	int rc = network_check(&net, NULL, &err);

	if (!why) {
		if (rc < 0)
			fail_msg("%s", err.text);
		return;
	}
	assert_true(rc < 0);
	assert_string_equal(err.where, "network lan");
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

/* --- which device ------------------------------------------------------------------------------------------------ */

static void a_port_of_a_network_that_forwards_ip_is_on_its_bridge(void **state)
{
	static const enum forward_mode modes[] = { FORWARD_NONE, FORWARD_NAT, FORWARD_ROUTE,
						   FORWARD_OPEN };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		start(NULL);
		net.forward = modes[i];
		str_copy(net.bridge, sizeof(net.bridge), "virbr0");
		checked(NULL);
		allocate();
		assert_int_equal(plug.actual, INTERFACE_BRIDGE);
		assert_string_equal(plug.bridge, "virbr0");
		assert_int_equal(plug.chosen, -1);
		iface.host.virtualport.kind = VIRTUALPORT_OPENVSWITCH;
		refused(-EINVAL, "which forwards IP");
	}
}

static void a_network_without_a_bridge_name_says_where_to_find_it(void **state)
{
	(void)state;
	net.forward = FORWARD_NAT;
	refused(-EINVAL, "net-dumpxml lan");
}

static void a_bridge_of_the_host_takes_no_virtualport_but_open_vswitch(void **state)
{
	(void)state;
	net.forward = FORWARD_BRIDGE;
	str_copy(net.bridge, sizeof(net.bridge), "br0");
	checked(NULL);
	net.port.virtualport.kind = VIRTUALPORT_OPENVSWITCH;
	allocate();
	assert_int_equal(plug.actual, INTERFACE_BRIDGE);
	assert_int_equal(plug.port.virtualport.kind, VIRTUALPORT_OPENVSWITCH);
	net.port.virtualport.kind = VIRTUALPORT_8021QBG;
	refused(-EINVAL, "802.1Qbg");
}

static void a_shared_pool_gives_the_device_with_the_fewest_ports_and_the_first_of_several(
	void **state)
{
	static const struct {
		unsigned connections[3];
		int chosen;
	} rows[] = { { { 0, 0, 0 }, 0 }, { { 1, 0, 0 }, 1 }, { { 1, 1, 0 }, 2 },
		     { { 1, 1, 1 }, 0 }, { { 2, 1, 1 }, 1 }, { { 3, 2, 1 }, 2 } };
	static const enum forward_mode modes[] = { FORWARD_BRIDGE, FORWARD_PRIVATE, FORWARD_VEPA };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
		set_devices(modes[m], 3);
		checked(NULL);
		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
			memcpy(use.connections, rows[i].connections, sizeof(rows[i].connections));
			allocate();
			assert_int_equal(plug.chosen, rows[i].chosen);
			assert_string_equal(plug.device, net.dev[rows[i].chosen]);
			assert_string_equal(plug.mode, forward_mode_names[modes[m]]);
			assert_int_equal(plug.actual, INTERFACE_DIRECT);
			assert_false(plug.exclusive);
		}
	}
}

static void an_exclusive_pool_gives_the_first_that_is_free_and_none_when_all_are_taken(void **state)
{
	static const enum forward_mode modes[] = { FORWARD_PASSTHROUGH, FORWARD_HOSTDEV,
						   FORWARD_PRIVATE };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
		start(NULL);
		set_devices(modes[m], 3);
		if (modes[m] == FORWARD_PRIVATE)
			iface.host.virtualport.kind = VIRTUALPORT_8021QBH;
		for (int i = 0; i < 3; i++) {
			allocate();
			assert_int_equal(plug.chosen, i);
			assert_true(plug.exclusive);
			use.connections[i] = 1;
		}
		refused(-EBUSY, "all 3 are taken");
	}
}

static void a_pool_whose_device_has_no_functions_says_how_to_make_them(void **state)
{
	(void)state;
	net.forward = FORWARD_HOSTDEV;
	str_copy(net.pf, sizeof(net.pf), "eth7");
	checked(NULL);
	refused(-EBUSY, "anynic pool create eth7 --vfs N");
}

static void a_function_comes_with_what_the_network_says_of_its_driver(void **state)
{
	(void)state;
	set_devices(FORWARD_HOSTDEV, 2);
	net.managed = true;
	str_copy(net.variant, sizeof(net.variant), "mlx5_vfio_pci");
	use.connections[0] = 1;
	allocate();
	network_apply(&plug, &iface);
	assert_int_equal(iface.actual, INTERFACE_HOSTDEV);
	assert_string_equal(iface.port.backend.type, "hostdev");
	assert_string_equal(iface.hostdev.pci, "0000:01:10.1");
	assert_string_equal(iface.hostdev.variant, "mlx5_vfio_pci");
	assert_true(iface.hostdev.managed);
}

static void a_macvtap_pool_becomes_a_direct_backend(void **state)
{
	(void)state;
	set_devices(FORWARD_VEPA, 2);
	use.connections[0] = 1;
	allocate();
	network_apply(&plug, &iface);
	assert_int_equal(iface.actual, INTERFACE_DIRECT);
	assert_string_equal(iface.port.backend.type, "direct");
	assert_string_equal(iface.port.backend.dev, "eth1");
	assert_string_equal(iface.port.backend.mode, "vepa");
}

static void the_network_says_the_mtu_unless_the_interface_does(void **state)
{
	(void)state;
	str_copy(net.bridge, sizeof(net.bridge), "virbr0");
	net.mtu = 9000;
	allocate();
	network_apply(&plug, &iface);
	assert_int_equal(iface.port.backend.mtu, 9000);
	iface.port.backend.mtu = 1400;
	network_apply(&plug, &iface);
	assert_int_equal(iface.port.backend.mtu, 1400);
}

/* --- merging ------------------------------------------------------------------------------------------------------ */

static void set_words(struct network_port *p, uint16_t tag, enum tristate trust, uint32_t average)
{
	p->vlan = (struct vlan_tags){ .count = 1, .tag = { tag }, .native = -1 };
	p->trust_rx = trust;
	p->inbound.average = average;
}

static void the_interface_says_before_the_group_and_the_group_before_the_network(void **state)
{
	(void)state;
	net.forward = FORWARD_BRIDGE;
	str_copy(net.bridge, sizeof(net.bridge), "br0");
	add_group("other", false);
	add_group("usual", true);
	set_words(&net.port, 10, TRISTATE_ON, 100);
	net.port.isolated = TRISTATE_ON;
	allocate();
	assert_int_equal(plug.port.vlan.tag[0], 10); /* the default group says nothing */
	assert_int_equal(plug.port.trust_rx, TRISTATE_ON);
	assert_int_equal(plug.port.isolated, TRISTATE_ON);
	assert_int_equal(plug.port.inbound.average, 0); /* that is of the bridge as a whole */

	set_words(&net.group[1].port, 20, TRISTATE_OFF, 200);
	allocate();
	assert_int_equal(plug.port.vlan.tag[0], 20);
	assert_int_equal(plug.port.trust_rx, TRISTATE_OFF);
	assert_int_equal(plug.port.inbound.average, 200);

	str_copy(iface.portgroup, sizeof(iface.portgroup), "other");
	allocate();
	assert_int_equal(plug.port.vlan.tag[0], 10);

	iface.host.vlan = (struct vlan_tags){ .count = 2, .tag = { 30, 31 } };
	iface.host.outbound.peak = 7;
	iface.host.isolated = TRISTATE_OFF;
	str_copy(iface.portgroup, sizeof(iface.portgroup), "usual");
	allocate();
	assert_int_equal(plug.port.vlan.count, 2);
	assert_int_equal(plug.port.vlan.tag[1], 31);
	assert_int_equal(plug.port.inbound.average, 0);
	assert_int_equal(plug.port.outbound.peak, 7);
	assert_int_equal(plug.port.isolated, TRISTATE_OFF);
}

static void a_group_that_is_not_there_is_no_group_and_a_warning(void **state)
{
	(void)state;
	str_copy(net.bridge, sizeof(net.bridge), "virbr0");
	add_group("usual", true);
	net.group[0].port.trust_rx = TRISTATE_ON;
	str_copy(iface.portgroup, sizeof(iface.portgroup), "nosuch");
	allocate();
	assert_int_equal(plug.port.trust_rx, TRISTATE_DEFAULT);
	assert_non_null(strstr(plug.warning, "has no portgroup nosuch"));
}

static void virtualports_are_put_together_and_may_not_contradict(void **state)
{
	(void)state;
	net.forward = FORWARD_BRIDGE;
	str_copy(net.bridge, sizeof(net.bridge), "br0");
	iface.host.virtualport.kind = VIRTUALPORT_UNTYPED;
	str_copy(iface.host.virtualport.interface_id, 40, "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f");
	net.port.virtualport.kind = VIRTUALPORT_OPENVSWITCH;
	add_group("red", true);
	net.group[0].port.virtualport.kind = VIRTUALPORT_OPENVSWITCH;
	str_copy(net.group[0].port.virtualport.profile, 64, "red");
	allocate();
	assert_int_equal(plug.port.virtualport.kind, VIRTUALPORT_OPENVSWITCH);
	assert_string_equal(plug.port.virtualport.profile, "red");
	assert_non_null(strstr(plug.port.virtualport.interface_id, "09b11c53"));

	str_copy(net.port.virtualport.profile, 64, "blue");
	refused(-EINVAL, "differ in their parameters");
	net.port.virtualport.kind = VIRTUALPORT_MIDONET;
	refused(-EINVAL, "differ in type");
}

/* --- is it a network? --------------------------------------------------------------------------------------------- */

static void pool_of_two_kinds(void)
{
	set_devices(FORWARD_HOSTDEV, 1);
	str_copy(net.pf, sizeof(net.pf), "eth0");
}

static void bridge_and_devices(void)
{
	set_devices(FORWARD_BRIDGE, 1);
	str_copy(net.bridge, sizeof(net.bridge), "br0");
}

static void bridge_in_a_direct_mode(void)
{
	set_devices(FORWARD_VEPA, 1);
	str_copy(net.bridge, sizeof(net.bridge), "br0");
}

static void names_for_functions(void)
{
	set_devices(FORWARD_HOSTDEV, 1);
	net.devs_are_pci = false;
}

static void addresses_for_macvtaps(void)
{
	set_devices(FORWARD_VEPA, 1);
	net.devs_are_pci = true;
}

static void a_device_twice(void)
{
	set_devices(FORWARD_VEPA, 2);
	str_copy(net.dev[1], sizeof(net.dev[1]), net.dev[0]);
}

static void nothing_to_forward_to(void)
{
	net.forward = FORWARD_PASSTHROUGH;
}

static void mtu_of_a_device(void)
{
	set_devices(FORWARD_VEPA, 1);
	net.mtu = 9000;
}

static void group_twice(void)
{
	add_group("red", false);
	add_group("red", false);
}

static void two_defaults(void)
{
	add_group("red", true);
	add_group("blue", true);
}

static void vlan_of_nat(void)
{
	net.forward = FORWARD_NAT;
	net.port.vlan.count = 1;
}

static void vlan_of_a_group_with_another_virtualport(void)
{
	set_devices(FORWARD_HOSTDEV, 1);
	add_group("red", false);
	net.group[0].port.vlan.count = 1;
	net.group[0].port.virtualport.kind = VIRTUALPORT_8021QBH;
}

static void bandwidth_of_a_function(void)
{
	set_devices(FORWARD_HOSTDEV, 1);
	add_group("red", false);
	net.group[0].port.inbound.average = 100;
}

static void each_rule_of_libvirt_has_its_words(void **state)
{
	static const struct {
		void (*make)(void);
		const char *why;
	} rows[] = {
		{ pool_of_two_kinds, "<pf> excludes" },
		{ bridge_and_devices, "a bridge, or devices" },
		{ bridge_in_a_direct_mode, "<bridge> has no meaning" },
		{ names_for_functions, "takes PCI addresses" },
		{ addresses_for_macvtaps, "takes names of devices" },
		{ a_device_twice, "eth0 is listed twice" },
		{ nothing_to_forward_to, "needs devices" },
		{ mtu_of_a_device, "<mtu> has no meaning" },
		{ group_twice, "two portgroups are named red" },
		{ two_defaults, "red and blue are both the default" },
		{ vlan_of_nat, "<vlan> has no meaning with forward mode='nat'" },
		{ vlan_of_a_group_with_another_virtualport, "portgroup red: <vlan>" },
		{ bandwidth_of_a_function, "portgroup red: <bandwidth>" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		start(NULL);
		rows[i].make();
		checked(rows[i].why);
	}
}

static void a_default_group_speaks_for_the_vlan_of_the_network(void **state)
{
	(void)state;
	net.forward = FORWARD_BRIDGE;
	str_copy(net.bridge, sizeof(net.bridge), "br0");
	net.port.virtualport.kind = VIRTUALPORT_MIDONET;
	net.port.vlan.count = 1;
	checked("<vlan>");
	add_group("red", true);
	net.group[0].port.virtualport.kind = VIRTUALPORT_OPENVSWITCH;
	checked(NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, start)
	const struct CMUnitTest tests[] = {
		TEST(a_port_of_a_network_that_forwards_ip_is_on_its_bridge),
		TEST(a_network_without_a_bridge_name_says_where_to_find_it),
		TEST(a_bridge_of_the_host_takes_no_virtualport_but_open_vswitch),
		TEST(a_shared_pool_gives_the_device_with_the_fewest_ports_and_the_first_of_several),
		TEST(an_exclusive_pool_gives_the_first_that_is_free_and_none_when_all_are_taken),
		TEST(a_pool_whose_device_has_no_functions_says_how_to_make_them),
		TEST(a_function_comes_with_what_the_network_says_of_its_driver),
		TEST(a_macvtap_pool_becomes_a_direct_backend),
		TEST(the_network_says_the_mtu_unless_the_interface_does),
		TEST(the_interface_says_before_the_group_and_the_group_before_the_network),
		TEST(a_group_that_is_not_there_is_no_group_and_a_warning),
		TEST(virtualports_are_put_together_and_may_not_contradict),
		TEST(each_rule_of_libvirt_has_its_words),
		TEST(a_default_group_speaks_for_the_vlan_of_the_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
