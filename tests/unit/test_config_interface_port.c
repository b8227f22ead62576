/* What becomes of interfaces: names, models, teams, libvirt's leniency. XML is written here as text, and read as a file is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/interface_port.h"
#include "config/xml_reading.h"
#include "known_for_tests.h"

#define NS     "xmlns:anynic='https://anynic.org/xml/1'"
#define PCI    "<source><address type='pci' bus='3' slot='16' function='0'/></source>"
#define BRIDGE "<interface type='bridge'><source bridge='br0'/>"

static struct interface_list list;
static struct interface_origin origin[INTERFACES_MAX];
static struct port_spec ports[PORTS_MAX];
static unsigned count;
static struct error err;
static struct interface_rules rules;

static int convert(const char *devices)
{
	static char text[8192];

	memset(&list, 0, sizeof(list));
	memset(ports, 0, sizeof(ports));
	count = 0;
	err = (struct error){ 0 };
	(void)snprintf(text, sizeof(text), "<devices " NS ">\n%s\n</devices>", devices);
	int rc = xml_read_text(text, strlen(text), "f.xml", &list, NULL, &err);
	if (rc < 0)
		fail_msg("not read: %s: %s", err.where, err.text);
	rules.file = "f.xml";
	rules.known = &test_known;
	if (!rules.target)
		rules.target = "x86_64";
	rules.kvm = list.kvm;
	return interfaces_to_ports(&list, &rules, ports, &count, origin, &err);
}

static void must(const char *devices)
{
	if (convert(devices) < 0)
		fail_msg("%s: %s", err.where, err.text);
}

static void must_fail(const char *devices, int code, const char *where, const char *words)
{
	int rc = convert(devices);

	if (rc != code || strcmp(err.where, where) != 0 || !strstr(err.text, words))
		fail_msg("%d at '%s': '%s'; wanted %d at '%s': '%s'", rc, err.where, err.text, code,
			 where, words);
}

static int reset(void **state)
{
	(void)state;
	rules = (struct interface_rules){ 0 };
	return 0;
}

static void plain_interfaces_are_libvirts(void **state)
{
	(void)state;
	must(BRIDGE "<model type='virtio'/></interface><interface type='user'/>");
	assert_int_equal(count, 2);
	assert_string_equal(ports[0].id, "net0");
	assert_true(ports[0].plain);
	assert_string_equal(ports[0].backend.type, "bridge");
	assert_string_equal(ports[0].nic[0].model, "virtio-net");
	assert_int_equal(ports[0].nic[0].place, PLACE_QEMU);
	assert_string_equal(ports[1].id, "net1");
	assert_string_equal(ports[1].backend.type, "user");
	assert_string_equal(ports[1].nic[0].model, "rtl8139");
}

static void the_default_model_is_that_of_the_machine(void **state)
{
	(void)state;
	rules.target = "aarch64";
	must("<interface type='user'/>");
	assert_string_equal(ports[0].nic[0].model, "virtio-net");
}

static void models_that_only_qemu_has_are_passed_on(void **state)
{
	(void)state;
	must("<interface type='user'><model type='ne2k_pci'/></interface>"
	     "<interface type='user'><model type='virtio-transitional'/></interface>");
	assert_string_equal(ports[0].nic[0].options.device, "ne2k_pci");
	assert_string_equal(ports[1].nic[0].model, "virtio-net");
	assert_string_equal(ports[1].nic[0].options.device, "virtio-net-pci-transitional");
	must_fail("<interface type='user'><model type='usb-net'/></interface>", -ENOTSUP, "f.xml:2",
		  "USB");
}

static void aliases_count_by_kind_and_the_users_own_stay(void **state)
{
	(void)state;
	must("<interface type='user'><alias name='net7'/></interface>"
	     "<interface type='hostdev'>" PCI "</interface>"
	     "<interface type='user'><alias name='ua-mine'/></interface>"
	     "<interface type='user'/>");
	assert_int_equal(count, 4);
	assert_string_equal(ports[0].id, "net0");
	assert_string_equal(ports[1].id, "ua-mine");
	assert_string_equal(ports[2].id, "net1");
	assert_string_equal(ports[3].id, "hostdev0"); /* last, as with libvirt */
	assert_int_equal(origin[1].port, 3);
	must_fail("<interface type='user'><alias name='ua-a'/></interface>\n<interface "
		  "type='user'><alias name='ua-a'/></interface>",
		  -EINVAL, "f.xml:3", "is there twice");
}

static void one_mac_twice_is_libvirts_to_allow(void **state)
{
	static const char mac[] = "<mac address='52:54:00:00:00:07'/></interface>";
	char text[300];

	(void)state;
	(void)snprintf(text, sizeof(text), "<interface type='user'>%s\n<interface type='user'>%s",
		       mac, mac);
	must(text);
	assert_int_equal(list.notes, 1);
	assert_int_equal(list.note[0].line, 3);
	assert_non_null(strstr(list.note[0].text, "another interface has this address"));
	(void)snprintf(text, sizeof(text),
		       "<interface type='user'>%s<interface type='user' anynic:strict='yes'>%s",
		       mac, mac);
	must_fail(text, -EINVAL, "f.xml:2", "another interface has this address");
}

static void names_that_libvirt_makes_up_are_dropped(void **state)
{
	(void)state;
	must(BRIDGE "<target dev='vnet3'/></interface>" BRIDGE "<target dev='tap3'/></interface>");
	assert_string_equal(ports[0].backend.ifname, "");
	assert_string_equal(ports[1].backend.ifname, "tap3");
	/* a tap of the user's own may have such a name; without a number it is libvirt's, too */
	must("<interface type='ethernet'><target dev='vnet3' managed='no'/></interface>" BRIDGE
	     "<target dev='vnet-web'/></interface>");
	assert_string_equal(ports[0].backend.ifname, "vnet3");
	assert_string_equal(ports[1].backend.ifname, "");
}

static void a_driver_on_another_card_is_ignored_unless_strict(void **state)
{
	(void)state;
	must(BRIDGE "<model type='rtl8139'/>\n<driver name='vhost' queues='4'/></interface>");
	assert_int_equal(ports[0].backend.driver, DRIVER_DEFAULT);
	assert_int_equal(ports[0].nic[0].queues, 0);
	assert_int_equal(list.notes, 1);
	assert_int_equal(list.note[0].line, 3);
	assert_non_null(
		strstr(list.note[0].text, "<driver name='vhost'> belongs to virtio models"));
	must_fail("<interface type='bridge' anynic:strict='yes'><source bridge='br0'/><model "
		  "type='rtl8139'/><driver name='vhost'/></interface>",
		  -EINVAL, "f.xml:2", "with anynic:strict='yes' this is an error");
	must_fail(BRIDGE "<model type='rtl8139'/><driver packed='on'/></interface>", -EINVAL,
		  "f.xml:2", "belong to virtio models");
}

static void without_kvm_vhost_is_user_space(void **state)
{
	static const char text[] =
		"<domain type='qemu'><devices>" BRIDGE
		"<model type='virtio'/><driver name='vhost'/></interface></devices></domain>";

	(void)state;
	memset(&list, 0, sizeof(list));
	assert_int_equal(xml_read_text(text, strlen(text), "f.xml", &list, NULL, &err), 0);
	assert_false(list.kvm);
	rules = (struct interface_rules){ .file = "f.xml", .target = "", .known = &test_known };
	count = 0;
	assert_int_equal(interfaces_to_ports(&list, &rules, ports, &count, origin, &err), 0);
	assert_true(ports[0].tcg);
	assert_int_equal(ports[0].backend.driver, DRIVER_DEFAULT);
	assert_non_null(strstr(list.note[0].text, "does not run on KVM"));
}

static void several_queues_belong_to_some_types(void **state)
{
	(void)state;
	must(BRIDGE "<model type='virtio'/><driver queues='1'/></interface>");
	assert_int_equal(ports[0].nic[0].queues, 0);
	must_fail("<interface type='user'><model type='virtio'/><driver queues='2'/></interface>",
		  -EINVAL, "f.xml:2", "<driver queues='2'> does not belong to type='user'");
}

static void what_is_not_done_on_the_host_is_said(void **state)
{
	(void)state;
	must_fail("<interface type='direct'><source dev='eth0' mode='passthrough'/><vlan><tag "
		  "id='5'/></vlan></interface>",
		  -ENOTSUP, "f.xml:2", "<vlan>");
	must_fail(BRIDGE
		  "<virtualport type='midonet'><parameters "
		  "interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport></interface>",
		  -ENOTSUP, "f.xml:2", "<virtualport type='midonet'> is not carried out");
	must(BRIDGE "<virtualport type='openvswitch'/></interface>");
	must_fail("<interface type='network'><source network='blue'/></interface>", -ENOTSUP,
		  "f.xml:2", "<source network='blue'>");
}

#define LIMITS                                                                                     \
	"<bandwidth><inbound average='9' peak='10' burst='11'/><outbound "                         \
	"average='5'/></bandwidth>"

static void limits_are_the_taps(void **state)
{
	(void)state;
	must(BRIDGE LIMITS "</interface>"
			   "<interface type='direct'><source dev='eth0'/>" LIMITS "</interface>"
			   "<interface type='ethernet'>" LIMITS "</interface>");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ports[i].backend.limits.in.average, 9);
		assert_int_equal(ports[i].backend.limits.in.peak, 10);
		assert_int_equal(ports[i].backend.limits.in.burst, 11);
		assert_int_equal(ports[i].backend.limits.out.average, 5);
	}
	must("<interface type='user'>" LIMITS "</interface>");
	assert_int_equal(ports[0].backend.limits.in.average, 0);
	assert_int_equal(list.notes, 1);
}

static void a_sure_rate_is_the_networks_to_give(void **state)
{
	(void)state;
	rules.target = "x86_64";
	(void)convert("<interface type='network'><source network='blue'/><bandwidth><inbound "
		      "average='9' floor='3'/></bandwidth></interface>");
	list.item[0].actual = INTERFACE_BRIDGE;
	list.item[0].port.backend.br[0] = 'b';
	count = 0;
	assert_int_equal(interfaces_to_ports(&list, &rules, ports, &count, origin, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "floor='3'"));
	list.item[0].host.inbound.floor = 0;
	count = 0;
	assert_int_equal(interfaces_to_ports(&list, &rules, ports, &count, origin, &err), 0);
	assert_int_equal(ports[0].backend.limits.in.average, 9);
	list.item[0].actual = INTERFACE_HOSTDEV;
	count = 0;
	assert_int_equal(interfaces_to_ports(&list, &rules, ports, &count, origin, &err), -EINVAL);
	assert_non_null(strstr(err.text, "<bandwidth> cannot be set for type='hostdev'"));
}

#define PERSISTENT                                                                                 \
	BRIDGE "<mac address='52:54:00:00:00:01'/><model type='virtio'/><teaming "                 \
	       "type='persistent'/><alias name='ua-p'/></interface>"
#define TRANSIENT(mac)                                                                             \
	"<interface type='hostdev'>" mac PCI                                                       \
	"<teaming type='transient' persistent='ua-p'/></interface>"

static void a_team_is_one_port_with_the_aliases_as_ids(void **state)
{
	(void)state;
	must(PERSISTENT TRANSIENT("<mac address='52:54:00:00:00:01'/>"));
	assert_int_equal(count, 1);
	assert_int_equal(ports[0].policy, POLICY_TEAM);
	assert_int_equal(ports[0].nics, 2);
	assert_true(ports[0].nic[0].standby);
	assert_string_equal(ports[0].nic[0].id, "ua-p");
	assert_int_equal(ports[0].nic[0].role, ROLE_PERSISTENT);
	assert_string_equal(ports[0].nic[1].id, "hostdev0");
	assert_string_equal(ports[0].nic[1].pair, "ua-p");
	assert_string_equal(ports[0].nic[1].model, "hostdev");
	assert_string_equal(ports[0].nic[1].host_pci, "0000:03:10.0");
	assert_int_equal(origin[1].port, 0);
	assert_int_equal(origin[1].nic, 1);
	must(PERSISTENT "<hostdev mode='subsystem' type='pci'>" PCI
			"<teaming type='transient' persistent='ua-p'/></hostdev>");
	assert_int_equal(ports[0].policy, POLICY_TEAM);
}

static void a_transient_device_that_is_unassigned_is_not_in_the_team(void **state)
{
	(void)state;
	must(PERSISTENT "<hostdev mode='subsystem' type='pci'>" PCI
			"<teaming type='transient' persistent='ua-p'/>"
			"<address type='unassigned'/></hostdev>");
	assert_int_equal(count, 1);
	assert_int_equal(ports[0].nics, 1);
	assert_int_equal(ports[0].policy, POLICY_SINGLE);
	assert_int_equal(origin[1].port, INTERFACE_NO_PORT);
	must("<hostdev mode='subsystem' type='pci'>" PCI
	     "<teaming type='transient' persistent='ua-gone'/>"
	     "<address type='unassigned'/></hostdev>");
	assert_int_equal(count, 0);
}

static void what_libvirt_leaves_unchecked_of_a_team_is_checked(void **state)
{
	(void)state;
	must_fail("<interface type='user'/>\n" TRANSIENT(""), -EINVAL, "f.xml:3",
		  "there is no such alias");
	must_fail(BRIDGE "<model type='virtio'/><alias name='ua-p'/></interface>\n" TRANSIENT(""),
		  -EINVAL, "f.xml:3", "is not <teaming type='persistent'/>");
	must_fail(PERSISTENT "\n" TRANSIENT("<mac address='52:54:00:00:00:02'/>"), -EINVAL,
		  "f.xml:3", "have one address");
	must_fail(PERSISTENT
		  "\n" TRANSIENT("") "\n<interface type='hostdev'><source><address type='pci' "
				     "bus='3' slot='17'/></source>"
				     "<teaming type='transient' persistent='ua-p'/></interface>",
		  -EINVAL, "f.xml:4", "has a transient partner already");
	must_fail(BRIDGE
		  "<teaming type='persistent'/><alias name='ua-p'/></interface>\n" TRANSIENT(""),
		  -EINVAL, "f.xml:2", "the persistent card must be virtio, not 'rtl8139'");
}

static void a_persistent_card_is_virtio_and_has_a_partner(void **state)
{
	(void)state;
	must_fail(BRIDGE "\n<teaming type='persistent'/></interface>", -EINVAL, "f.xml:3",
		  "the persistent card must be virtio, not 'rtl8139'");
	must(PERSISTENT);
	assert_int_equal(list.notes, 1);
	assert_non_null(strstr(list.note[0].text, "no transient card names it"));
	must(PERSISTENT TRANSIENT(""));
	assert_int_equal(list.notes, 0);
}

static void vhost_without_a_tap_is_ignored_unless_strict(void **state)
{
	(void)state;
	must("<interface type='user'><model type='virtio'/>\n<driver name='vhost'/></interface>");
	assert_int_equal(ports[0].backend.driver, DRIVER_DEFAULT);
	assert_int_equal(list.notes, 1);
	assert_int_equal(list.note[0].line, 3);
	must_fail("<interface type='user' anynic:strict='yes'><model type='virtio'/>\n"
		  "<driver name='vhost'/></interface>",
		  -EINVAL, "f.xml:3", "only taps have it");
}

/* V0: of a card without rings libvirt does not read the name at all. */
static void an_unknown_driver_of_a_card_without_rings_is_ignored(void **state)
{
	(void)state;
	must(BRIDGE "<driver name='bogus'/><model type='e1000'/></interface>");
	assert_int_equal(list.notes, 1);
	must(BRIDGE "<driver name='bogus'/></interface>");
	assert_int_equal(list.notes, 1);
}

static void what_has_no_meaning_here_is_said(void **state)
{
	(void)state;
	must(BRIDGE "<boot order='1' loadparm='2'/></interface>");
	assert_int_equal(list.notes, 1);
	assert_non_null(strstr(list.note[0].text, "loadparm"));
	must(BRIDGE "<backend vhost='/dev/other'/></interface>");
	assert_int_equal(list.notes, 1);
	assert_non_null(strstr(list.note[0].text, "<backend vhost=...>"));
}

static void a_tap_has_the_mtu_that_its_card_says(void **state)
{
	(void)state;
	must(BRIDGE "<model type='virtio'/><mtu size='9000'/></interface>");
	assert_int_equal(ports[0].nic[0].mtu, 9000);
	assert_int_equal(ports[0].backend.mtu, 9000);
	must(BRIDGE "<model type='e1000'/><mtu size='9000'/></interface>");
	assert_int_equal(ports[0].nic[0].mtu, 0);
	assert_int_equal(ports[0].backend.mtu, 9000);
}

static void passt_has_the_addresses_that_the_guest_is_to_have(void **state)
{
	(void)state;
	must("<interface type='user'><backend type='passt'/><source dev='eth0'/>"
	     "<ip address='172.17.2.4' prefix='24'/></interface>");
	assert_string_equal(ports[0].backend.type, "passt");
	assert_string_equal(ports[0].backend.dev, "eth0");
	assert_string_equal(ports[0].backend.net, "172.17.2.4/24");
	/* without passt nobody looks at the device */
	must("<interface type='user'>\n<source dev='eth0'/></interface>");
	assert_string_equal(ports[0].backend.dev, "");
	assert_int_equal(list.notes, 1);
	assert_int_equal(list.note[0].line, 3);
}

static void vhost_user_to_passt_has_our_rings(void **state)
{
	(void)state;
	must("<interface type='vhostuser'><backend type='passt'/><model type='virtio'/>"
	     "</interface>");
	assert_true(ports[0].plain);
	assert_string_equal(ports[0].backend.type, "passt");
	assert_int_equal(ports[0].nic[0].transport, TRANSPORT_VHOST_USER);
	assert_int_equal(ports[0].nic[0].place, PLACE_HOSTED);
}

static void a_send_buffer_of_nothing_is_a_size(void **state)
{
	(void)state;
	must(BRIDGE "<tune><sndbuf>0</sndbuf></tune></interface>");
	assert_true(ports[0].backend.sndbuf_given);
	assert_int_equal(ports[0].backend.sndbuf, 0);
	must(BRIDGE "</interface>");
	assert_false(ports[0].backend.sndbuf_given);
}

#define FUNCTION(n) "<source><address type='pci' bus='3' slot='" #n "' function='0'/></source>"

/* libvirt's: interfaces before <hostdev>, whatever stands first. */
static void functions_of_the_host_have_libvirts_order(void **state)
{
	(void)state;
	must("<hostdev mode='subsystem' type='pci'>" FUNCTION(
		1) "</hostdev>" PERSISTENT
		   "<interface type='hostdev'>" FUNCTION(2) "</interface>" TRANSIENT(""));
	assert_int_equal(count, 3);
	const struct nic_spec *transient = &ports[0].nic[1];
	for (unsigned i = 1; i < 3; i++) {
		const struct nic_spec *nic = &ports[i].nic[0];

		if (strcmp(nic->host_pci, "0000:03:02.0") == 0)
			assert_true(nic->host_order < transient->host_order);
		else
			assert_true(nic->host_order > transient->host_order);
	}
}

static void our_own_elements_make_what_nic_would(void **state)
{
	(void)state;
	must("<interface type='user'><anynic:auto legacy='middling' delay='250' "
	     "hold='off'/></interface>"
	     "<interface type='bridge'><source bridge='br0'/><model type='virtio'/><driver "
	     "name='vhost'/><anynic:place>hosted</anynic:place></interface>"
	     "<interface type='bridge'><source bridge='br0'/><anynic:team/></interface>");
	assert_false(ports[0].plain);
	assert_int_equal(ports[0].policy, POLICY_SWITCH);
	assert_string_equal(ports[0].nic[0].model, "middling");
	assert_string_equal(ports[0].nic[1].model, "virtio-net");
	assert_int_equal(ports[0].nic[0].role, ROLE_LEGACY);
	assert_int_equal(ports[0].legacy_delay_ms, 250);
	assert_int_equal(ports[0].hold_count, 0);
	assert_false(ports[1].plain);
	assert_int_equal(ports[1].nic[0].place, PLACE_HOSTED);
	assert_int_equal(ports[1].backend.driver, DRIVER_VHOST);
	assert_int_equal(ports[2].policy, POLICY_TEAM);
	assert_string_equal(ports[2].nic[0].model, "virtio-net");
	assert_string_equal(ports[2].nic[1].model, "igbvf");
	assert_true(ports[2].nic[0].standby);
}

static void place_hosted_moves_plain_interfaces(void **state)
{
	(void)state;
	rules.place = PLACE_HOSTED;
	must(BRIDGE "<model type='virtio'/></interface><interface type='mcast'><source "
		    "address='230.0.0.1' port='5'/></interface>");
	assert_false(ports[0].plain);
	assert_int_equal(ports[0].nic[0].place, PLACE_HOSTED);
	assert_true(ports[1].plain);
	assert_int_equal(ports[1].nic[0].place, PLACE_QEMU);
	assert_non_null(strstr(list.note[0].text, "served by QEMU alone"));
}

static void a_bridges_port_has_its_vlans_and_its_isolation(void **state)
{
	const struct bridge_rules *its = &ports[0].backend.rules;
	char text[BACKEND_TEXT];

	(void)state;
	must(BRIDGE "<vlan><tag id='5'/></vlan><port isolated='yes'/></interface>");
	assert_int_equal(its->vlan.count, 1);
	assert_int_equal(its->vlan.tag[0], 5);
	assert_false(its->vlan.trunk);
	assert_true(its->isolated);
	backend_text(&ports[0].backend, text);
	assert_string_equal(text, "bridge on br0, VLAN 5, isolated");
	must(BRIDGE "<vlan><tag id='5'/><tag id='6' nativeMode='tagged'/></vlan></interface>");
	backend_text(&ports[0].backend, text);
	assert_string_equal(text, "bridge on br0, VLAN 5,6 (native 6, tagged)");
	must(BRIDGE "<vlan trunk='yes'><tag id='5'/></vlan></interface>");
	backend_text(&ports[0].backend, text);
	assert_string_equal(text, "bridge on br0, VLAN 5 (tagged)");
	must(BRIDGE "</interface>");
	assert_int_equal(its->vlan.count, 0);
	assert_false(its->isolated);
}

/* virsh dumpxml shows it so, and OVN finds its logical port by these letters. */
static void the_id_of_a_logical_port_is_written_as_libvirt_writes_it(void **state)
{
	static const char *const ids[] = {
		"09b11c53-8b5c-4eeb-8f00-d84eaa0aaa3b",
		"09B11C53-8B5C-4EEB-8F00-D84EAA0AAA3B",
		"09B11C538b5c4eeb8f00d84eaa0aaa3b",
		"09-b1-1c538b5c4eeb8f00d84eaa0aaa3b",
	};
	char text[300];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		(void)snprintf(text, sizeof(text),
			       BRIDGE "<virtualport type='openvswitch'><parameters "
				      "interfaceid='%s'/></virtualport></interface>",
			       ids[i]);
		must(text);
		assert_string_equal(ports[0].backend.iface_id, ids[0]);
	}
}

static void elements_of_another_namespace_are_not_libvirts(void **state)
{
	(void)state;
	must(BRIDGE "<x:boot xmlns:x='urn:x'/><x:vlan xmlns:x='urn:x'/><x:teaming xmlns:x='urn:x'/>"
		    "<x:bandwidth xmlns:x='urn:x'><x:inbound/></x:bandwidth></interface>");
	assert_int_equal(list.notes, 0);
	must("<interface type='user'><backend type='passt'/><portForward proto='tcp'><range "
	     "start='79' end='81'/><x:range xmlns:x='urn:x' start='80' exclude='yes'/>"
	     "</portForward></interface>");
	assert_int_equal(ports[0].backend.hostfwds, 1);
}

static void a_tap_of_the_users_own_is_not_made(void **state)
{
	(void)state;
	must("<interface type='ethernet'><target dev='tap7' managed='no'/></interface>");
	assert_int_equal(ports[0].backend.managed, TRISTATE_OFF);
	must("<interface type='ethernet'><target dev='tap7'/></interface>");
	assert_int_equal(ports[0].backend.managed, TRISTATE_ON);
}

static void what_nothing_acts_on_is_said(void **state)
{
	(void)state;
	must("<interface type='bridge' trustGuestRxFilters='yes'><source "
	     "bridge='br0'/></interface>");
	assert_int_equal(list.notes, 1);
	assert_non_null(strstr(list.note[0].text, "nothing acts on it"));
	must("<interface type='bridge' trustGuestRxFilters='no'><source "
	     "bridge='br0'/></interface>");
	assert_int_equal(list.notes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(plain_interfaces_are_libvirts, reset),
		cmocka_unit_test_setup(the_default_model_is_that_of_the_machine, reset),
		cmocka_unit_test_setup(models_that_only_qemu_has_are_passed_on, reset),
		cmocka_unit_test_setup(aliases_count_by_kind_and_the_users_own_stay, reset),
		cmocka_unit_test_setup(one_mac_twice_is_libvirts_to_allow, reset),
		cmocka_unit_test_setup(names_that_libvirt_makes_up_are_dropped, reset),
		cmocka_unit_test_setup(a_driver_on_another_card_is_ignored_unless_strict, reset),
		cmocka_unit_test_setup(without_kvm_vhost_is_user_space, reset),
		cmocka_unit_test_setup(several_queues_belong_to_some_types, reset),
		cmocka_unit_test_setup(what_is_not_done_on_the_host_is_said, reset),
		cmocka_unit_test_setup(limits_are_the_taps, reset),
		cmocka_unit_test_setup(a_sure_rate_is_the_networks_to_give, reset),
		cmocka_unit_test_setup(a_bridges_port_has_its_vlans_and_its_isolation, reset),
		cmocka_unit_test_setup(what_nothing_acts_on_is_said, reset),
		cmocka_unit_test_setup(a_team_is_one_port_with_the_aliases_as_ids, reset),
		cmocka_unit_test_setup(a_transient_device_that_is_unassigned_is_not_in_the_team,
				       reset),
		cmocka_unit_test_setup(the_id_of_a_logical_port_is_written_as_libvirt_writes_it,
				       reset),
		cmocka_unit_test_setup(elements_of_another_namespace_are_not_libvirts, reset),
		cmocka_unit_test_setup(a_tap_of_the_users_own_is_not_made, reset),
		cmocka_unit_test_setup(what_libvirt_leaves_unchecked_of_a_team_is_checked, reset),
		cmocka_unit_test_setup(a_persistent_card_is_virtio_and_has_a_partner, reset),
		cmocka_unit_test_setup(vhost_without_a_tap_is_ignored_unless_strict, reset),
		cmocka_unit_test_setup(an_unknown_driver_of_a_card_without_rings_is_ignored, reset),
		cmocka_unit_test_setup(what_has_no_meaning_here_is_said, reset),
		cmocka_unit_test_setup(a_tap_has_the_mtu_that_its_card_says, reset),
		cmocka_unit_test_setup(passt_has_the_addresses_that_the_guest_is_to_have, reset),
		cmocka_unit_test_setup(vhost_user_to_passt_has_our_rings, reset),
		cmocka_unit_test_setup(a_send_buffer_of_nothing_is_a_size, reset),
		cmocka_unit_test_setup(functions_of_the_host_have_libvirts_order, reset),
		cmocka_unit_test_setup(our_own_elements_make_what_nic_would, reset),
		cmocka_unit_test_setup(place_hosted_moves_plain_interfaces, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
