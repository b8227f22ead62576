/* backend=auto: what dev= is, in a network namespace of the test; and files of libvirt's networks, good, odd and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "host/libvirt_network.h"
#include "host/link_state.h"
#include "host/probe.h"
#include "netns.h"

static char folder[] = "/tmp/anynic-test-probe-XXXXXX";

static void put_network(const char *name, const char *text)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s.xml", folder, name);
	unlink(path);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	write_file(path, text);
}

static struct backend_spec spec_for(const char *dev)
{
	struct backend_spec spec = { .type = "auto" };

	str_copy(spec.dev, sizeof(spec.dev), dev);
	return spec;
}

static void assert_chosen(const char *dev, const char *type, const char *on, const char *words)
{
	struct backend_spec s = spec_for(dev);
	struct error err = { 0 };

	if (host_probe(&s, folder, &err) < 0)
		fail_msg("%s: %s", dev, err.text);
	assert_string_equal(s.type, type);
	assert_string_equal(strcmp(type, "bridge") == 0 ? s.br
			    : strcmp(type, "tap") == 0	? s.ifname
							: s.dev,
			    on);
	if (strcmp(type, "direct") != 0) /* keys that have no meaning any more */
		assert_string_equal(s.dev, "");
	if (!strstr(s.chosen, words))
		fail_msg("'%s' says nothing of '%s'", s.chosen, words);
}

static void assert_none(const char *dev, int code, const char *words)
{
	struct backend_spec s = spec_for(dev);
	struct error err = { 0 };

	int rc = host_probe(&s, folder, &err);
	if (rc != code || !strstr(err.text, words))
		fail_msg("%s: %d: '%s' says nothing of '%s'", dev, rc, err.text, words);
}

static void a_name_becomes_the_backend_that_serves_it(void **state)
{
	(void)state;
	assert_chosen("br7", "bridge", "br7", "Linux bridge");
	assert_chosen("wire0", "direct", "wire0", "veth");
	assert_chosen("mytap", "tap", "mytap", "tap");
	assert_chosen("wire1", "bridge", "br7", "port of bridge br7");
	struct backend_spec s = spec_for("wire0");
	assert_int_equal(host_probe(&s, folder, NULL), 0);
	assert_string_equal(s.mode, "bridge"); /* guests on it reach each other */
	s = spec_for("wire0");
	str_copy(s.mode, sizeof(s.mode), "private");
	assert_int_equal(host_probe(&s, folder, NULL), 0);
	assert_string_equal(s.mode, "private");
	s = (struct backend_spec){ .type = "user" };
	assert_int_equal(host_probe(&s, folder, NULL), 0);
	assert_string_equal(s.type, "user"); /* only auto asks */
}

static void a_name_that_serves_nobody_says_why(void **state)
{
	struct backend_spec s = spec_for("mytap");

	(void)state;
	assert_none("", -EINVAL, "needs dev=");
	assert_none("nobody", -ENOENT, "no libvirt network");
	assert_none("../../etc/passwd", -ENOENT, "no libvirt network");
	assert_none("a_name_of_many_more_letters_than_links_have", -ENOENT, "ip link");
	assert_none("lo", -EINVAL, "no Ethernet");
	assert_none("mytun", -EINVAL, "no Ethernet");
	assert_none("mymacvtap", -EINVAL, "device below");
	str_copy(s.ifname, sizeof(s.ifname), "other");
	assert_int_equal(host_probe(&s, folder, NULL), -EINVAL);
}

#define NET(inside) "<network>\n  <name>x</name>\n" inside "\n</network>\n"

static void a_network_of_libvirt_is_its_bridge_or_its_device(void **state)
{
	(void)state;
	put_network("default",
		    "<!--\nWARNING: <network><bridge name='wrong'/> -->\n" NET(
			    "<forward mode='nat'><nat><port start='1' end='2'/></nat></forward>"
			    "<bridge name=\"br7\" stp='on' delay='0'/>"
			    "<ip address='192.168.122.1'><dhcp/></ip>"));
	assert_chosen("default", "bridge", "br7", "libvirt's network default has the bridge br7");
	put_network("lan-of-the-whole-house", NET("<forward mode='bridge'/><bridge name='br7'/>"));
	assert_chosen("lan-of-the-whole-house", "bridge", "br7", "lan-of-the-whole-house");
	put_network("mac", NET("<forward mode='vepa'>\n<interface dev='wire0'/><interface "
			       "dev='x'/></forward>"));
	struct backend_spec s = spec_for("mac");
	assert_int_equal(host_probe(&s, folder, NULL), 0);
	assert_string_equal(s.type, "direct");
	assert_string_equal(s.dev, "wire0");
	assert_string_equal(s.mode, "vepa");
	put_network("stopped", NET("<bridge name='virbr9'/>"));
	assert_none("stopped", -ENOENT, "virsh net-start stopped");
	put_network("pool",
		    NET("<forward mode='hostdev' managed='yes'><pf dev='wire0'/></forward>"));
	assert_none("pool", -ENOTSUP, "hostdev");
	put_network("nowhere", NET("<forward dev='wire0'/>"));
	assert_none("nowhere", -ENOTSUP, "'nat'");
}

static void a_file_that_is_no_network_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"<network",
		"<network>",
		"<network></network></network>",
		"<network/><network/>",
		"<domain><bridge name='br7'/></domain>",
		"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><network></network>",
		"<network><!-- <bridge name='br7'/></network>",
		"<network><bridge name='br7/></network>",
		"<network><bridge name=\"br7></network>",
		"<network><<bridge/></network>",
		"<network>< bridge/></network>",
		"<network><?x </network>",
		"</network>",
		"<>",
	};
	struct libvirt_network net;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		if (libvirt_network_parse(bad[i], &net) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	put_network("bad", bad[2]);
	assert_none("bad", -EBADMSG, "bad.xml is no network");
	char path[100];
	snprintf(path, sizeof(path), "%s/link.xml", folder);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_none("link", -ENOENT, "no libvirt network"); /* links are not followed */
	snprintf(path, sizeof(path), "%s/fifo.xml", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_none("fifo", -EBADMSG, "no network"); /* and nobody waits */
}

static void odd_words_are_no_names(void **state)
{
	struct libvirt_network net;

	(void)state;
	assert_int_equal(libvirt_network_parse(NET("<bridge stp='on'/>"), &net), 0);
	assert_string_equal(net.bridge, "");
	assert_int_equal(
		libvirt_network_parse(NET("<bridge name='a_name_that_is_too_long'/>"), &net), 0);
	assert_string_equal(net.bridge, "");
	assert_int_equal(libvirt_network_parse(NET("<bridge name='a&amp;b'/>"), &net), 0);
	assert_string_equal(net.bridge, "");
	assert_int_equal(libvirt_network_parse(NET("<bridge name = 'a>b' />"), &net), 0);
	assert_string_equal(net.bridge, "a>b");
	assert_int_equal(libvirt_network_parse(NET("<bridge name/>"), &net), 0);
	assert_int_equal(libvirt_network_parse(NET("<bridge name=/>"), &net), 0);
	assert_int_equal(libvirt_network_parse(NET("<bridge othername='x' name='y'/>"), &net), 0);
	assert_string_equal(net.bridge, "y");
	assert_int_equal(libvirt_network_parse(NET("<dns><bridge name='x'/></dns>"), &net), 0);
	assert_string_equal(net.bridge, ""); /* only the network's own */
}

/* --- whether frames can pass -------------------------------------------------------------------------------------- */

static struct link_view good_view(void)
{
	return (struct link_view){
		.ifname = "tap9",
		.own = { .index = 4, .up = true, .carrier = true, .master = 7 },
		.has_bridge = true,
		.bridge_name = "br7",
		.bridge = { .index = 7, .kind = "bridge", .up = true },
	};
}

static void assert_down(const struct link_view *v, const char *words)
{
	char reason[160];

	assert_false(link_state_judge(v, reason, sizeof(reason)));
	if (!strstr(reason, words) || !strstr(reason, "; next: "))
		fail_msg("'%s' says nothing of '%s' or the next step", reason, words);
}

static void a_bridge_in_each_state_is_judged(void **state)
{
	struct link_view v = good_view();
	char reason[160];

	(void)state;
	assert_true(link_state_judge(&v, reason, sizeof(reason)));
	assert_string_equal(reason, "");
	v.own.master = 8; /* moved to another bridge by somebody */
	assert_true(link_state_judge(&v, reason, sizeof(reason)));
	v.own.master = 0;
	assert_down(&v, "taken out of bridge br7");
	assert_false(link_state_rejoins(&v, 7)); /* the same bridge: it was meant */
	assert_true(link_state_rejoins(&v, 6));	 /* a new one of that name */
	v.bridge.index = 0;
	assert_down(&v, "bridge br7 is gone");
	assert_false(link_state_rejoins(&v, 7));
	v = good_view();
	str_copy(v.bridge.kind, sizeof(v.bridge.kind),
		 "dummy"); /* the name is something else now */
	assert_down(&v, "bridge br7 is gone");
	v = good_view();
	v.bridge.up = false;
	assert_down(&v, "bridge br7 is down");
	v.own.up = false;
	assert_down(&v, "tap9 is down");
	v.own.index = 0;
	assert_down(&v, "tap9 is gone; next: ip tuntap add"); /* somebody's: they make it */
	v.made = true;
	assert_down(&v, "tap9 is gone; next: start the guest again"); /* QEMU has it */
	v.returns = true;
	assert_down(&v, "tap9 is gone; next: wait, it is made again");
	v.bridge.index = 0;
	assert_down(&v, "tap9 is gone, and bridge br7; next: make it again, then the port goes on");
}

static void a_port_of_open_vswitch_is_gone_with_its_bridge(void **state)
{
	struct link_view v = good_view();
	char reason[160];

	(void)state;
	v.has_bridge = false;
	v.has_switch = v.made = true;
	v.own.master = 0;
	assert_true(link_state_judge(&v, reason, sizeof(reason)));
	assert_false(link_state_gone(&v));
	v.bridge.index = 0; /* its tap is there, but nobody's port */
	assert_true(link_state_gone(&v));
	assert_down(&v, "bridge br7 is gone; next: ovs-vsctl add-br br7, then start the guest");
	v.returns = true;
	assert_down(&v, "then the port goes on by itself");
}

static void a_device_in_each_state_is_judged(void **state)
{
	struct link_view v = { .ifname = "macvtap0",
			       .own = { .index = 4, .up = true },
			       .has_device = true,
			       .device_name = "eth0",
			       .device = { .index = 2, .up = true, .carrier = true } };
	char reason[160];

	(void)state;
	assert_true(link_state_judge(&v, reason, sizeof(reason)));
	v.device.carrier = false;
	assert_down(&v, "no carrier");
	v.device.up = false;
	assert_down(&v, "eth0 is down");
	v.own.index = v.device.index = 0;
	assert_down(&v, "eth0 is gone, and macvtap0 on it; next: bring eth0 back, then start");
	v.returns = true;
	assert_down(&v, "bring eth0 back, then the port goes on by itself");
}

static int make_links(void)
{
	return system(
		"ip link add br7 type bridge && ip link add wire0 type veth peer name wire1 && "
		"ip link set wire1 master br7 && ip tuntap add mytap mode tap && "
		"ip tuntap add mytun mode tun && "
		"ip link add link wire0 name mymacvtap type macvtap");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_becomes_the_backend_that_serves_it),
		cmocka_unit_test(a_name_that_serves_nobody_says_why),
		cmocka_unit_test(a_network_of_libvirt_is_its_bridge_or_its_device),
		cmocka_unit_test(a_file_that_is_no_network_is_refused),
		cmocka_unit_test(odd_words_are_no_names),
		cmocka_unit_test(a_bridge_in_each_state_is_judged),
		cmocka_unit_test(a_port_of_open_vswitch_is_gone_with_its_bridge),
		cmocka_unit_test(a_device_in_each_state_is_judged),
	};
	char command[64];

	if (enter_netns() < 0 || need_tun() < 0)
		return TEST_SKIPPED;
	setenv("OVS_RUNDIR", folder, 1); /* no Open vSwitch of this machine's */
	if (make_links() != 0) {
		printf("SKIP: this kernel (or this machine) has no bridge, veth, macvtap or ip\n");
		return TEST_SKIPPED;
	}
	if (!mkdtemp(folder))
		return 1;
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "/bin/rm -rf %s", folder);
	return system(command) == 0 ? rc : 1;
}
