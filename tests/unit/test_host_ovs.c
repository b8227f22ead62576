/* A real Open vSwitch with its userspace datapath, in a folder and a network namespace of the test: taps as its ports, frames between
 * them, what OVN reads of them, and servers that hang or are gone.
 */
#include "backend_help.h"

#include <linux/if_tun.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "host/ovs.h"
#include "netns.h"

static char folder[] = "/tmp/anynic-test-ovs-XXXXXX";
static const char *programs;
static pid_t database, daemon_pid;

static const uint8_t mac[2][6] = { { 0x52, 0x54, 0, 0, 0, 1 }, { 0x52, 0x54, 0, 0, 0, 2 } };

/* --- the switch --------------------------------------------------------------------------------------------------- */

static pid_t start(const char *program, const char *const *words)
{
	char path[300], log[100];
	const char *argv[12] = { program };
	unsigned n = 1;

	snprintf(path, sizeof(path), "%s/%s", programs, program);
	snprintf(log, sizeof(log), "%s/%s.out", folder, program);
	while (*words && n < ARRAY_SIZE(argv) - 1)
		argv[n++] = *words++;
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, 1);
		dup2(fd, 2);
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return pid;
}

static int vsctl(const char *words, char *out, size_t size)
{
	char command[600];

	snprintf(command, sizeof(command), "%s/ovs-vsctl --timeout=20 %s 2>&1", programs, words);
	FILE *f = popen(command, "r");
	size_t n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	while (n && out[n - 1] == '\n')
		out[--n] = '\0';
	return pclose(f);
}

static void must(const char *words)
{
	char out[1000];

	if (vsctl(words, out, sizeof(out)) != 0)
		fail_msg("ovs-vsctl %s: %s", words, out);
}

static void assert_says(const char *words, const char *wanted)
{
	char out[1000];

	assert_int_equal(vsctl(words, out, sizeof(out)), 0);
	assert_string_equal(out, wanted);
}

static void start_database(void)
{
	char remote[100], file[100];

	snprintf(remote, sizeof(remote), "--remote=punix:%s/db.sock", folder);
	snprintf(file, sizeof(file), "%s/conf.db", folder);
	const char *const words[] = { file, remote, "--no-chdir", NULL };
	database = start("ovsdb-server", words);
	for (unsigned i = 0; i < 500 && ovs_has_bridge("none", NULL) < 0; i++)
		usleep(20000);
}

static void start_daemon(void)
{
	char remote[100], control[100];

	snprintf(remote, sizeof(remote), "unix:%s/db.sock", folder);
	snprintf(control, sizeof(control), "--unixctl=%s/vswitchd.ctl", folder);
	const char *const words[] = { remote, "--disable-system", "--no-chdir", control, NULL };
	daemon_pid = start("ovs-vswitchd", words);
}

static int start_switch(void)
{
	char command[600];

	setenv("OVS_RUNDIR", folder, 1);
	setenv("OVS_LOGDIR", folder, 1);
	setenv("OVS_DBDIR", folder, 1);
	setenv("OVS_SYSCONFDIR", folder, 1);
	snprintf(command, sizeof(command),
		 "%s/ovsdb-tool create %s/conf.db "
		 "%s/../root/usr/share/openvswitch/vswitch.ovsschema "
		 "2>/dev/null",
		 programs, folder, programs);
	if (system(command) != 0)
		return -1;
	start_database();
	must("--no-wait init");
	start_daemon();
	must("add-br br0 -- set bridge br0 datapath_type=netdev");
	return 0;
}

static void end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

/* --- taps --------------------------------------------------------------------------------------------------------- */

static int make_tap(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(set_link(name, true), 0);
	return fd;
}

static struct ovs_port port_of(const char *ifname, unsigned i, const char *guest)
{
	return (struct ovs_port){
		.bridge = "br0", .ifname = ifname, .mac = mac[i], .guest = guest, .port_id = "net0"
	};
}

static void must_add(const struct ovs_port *port)
{
	struct error err = { 0 };

	if (ovs_port_add(port, &err) < 0)
		fail_msg("%s", err.text);
}

static void must_remove(const struct ovs_port *port)
{
	struct error err = { 0 };

	if (ovs_port_remove(port->ifname, port->guest, port->port_id, &err) < 0)
		fail_msg("%s", err.text);
}

/* A frame of ours, past whatever else is on the wire: it may be sent several times, and the last ones be read by who looks next. */
static bool arrives(int from, int to, unsigned i)
{
	static uint8_t number;
	uint8_t frame[100] = { 0 }, seen[2000];

	memcpy(frame, mac[!i], 6);
	memcpy(frame + 6, mac[i], 6);
	frame[12] = 0x88;
	frame[13] = 0xb5; /* for local experiments */
	memcpy(frame + 14, "across the switch", 17);
	frame[99] = ++number;
	for (unsigned n = 0; n < 100; n++) {
		if (n % 20 == 0 && write(from, frame, sizeof(frame)) < 0)
			return false;
		while (read(to, seen, sizeof(seen)) > 0)
			if (memcmp(seen, frame, sizeof(frame)) == 0)
				return true;
		usleep(20000);
	}
	return false;
}

/* Flows of a port that went are used until the switch looks at them anew, a moment after its number is another port's. */
static bool falls_silent(int from, int to, unsigned i)
{
	for (unsigned n = 0; n < 10; n++)
		if (!arrives(from, to, i))
			return true;
	return false;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void a_bridge_is_known_by_its_name(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(ovs_has_bridge("br0", &err), 1);
	assert_int_equal(ovs_has_bridge("br", &err), 0);
	assert_int_equal(ovs_has_bridge("a\"b\\", &err), 0);
}

static void two_guests_on_one_bridge_hear_each_other_and_leave_nothing(void **state)
{
	int a = make_tap("tapa"), b = make_tap("tapb");
	struct ovs_port one = port_of("tapa", 0, "one"), two = port_of("tapb", 1, "two");
	char uuid[OVS_UUID], quoted[60];

	(void)state;
	two.iface_id = "logical-port-2";
	must_add(&one);
	must_add(&two);
	assert_says("list-ports br0", "tapa\ntapb");
	assert_says("get Interface tapb external_ids:iface-id", "logical-port-2");
	assert_true(arrives(a, b, 0));
	assert_true(arrives(b, a, 1));
	/* what OVN binds the port by, as libvirt writes it */
	snprintf(quoted, sizeof(quoted), "\"%s\"", ovs_uuid(uuid, "one", "net0"));
	assert_says("get Interface tapa external_ids:iface-id", quoted);
	snprintf(quoted, sizeof(quoted), "\"%s\"", ovs_uuid(uuid, "one", NULL));
	assert_says("get Interface tapa external_ids:vm-id", quoted);
	assert_says("get Interface tapa external_ids:attached-mac", "\"52:54:00:00:00:01\"");
	assert_says("get Interface tapa external_ids:iface-status", "active");
	must_remove(&one);
	assert_says("list-ports br0", "tapb");
	must_remove(&two);
	must_remove(&two); /* nothing there: nothing to do */
	assert_says("list-ports br0", "");
	assert_says("--columns=name find Interface type!=internal", "");
	close(a);
	close(b);
}

/* The test says what OVN's controller says. */
static void a_port_is_waited_for_until_ovn_has_it(void **state)
{
	int tap = make_tap("tapa");
	struct ovs_port one = port_of("tapa", 0, "one"), two = port_of("tapa", 0, "two");
	struct error err = { 0 };
	char command[400];

	(void)state;
	must_add(&one);
	assert_int_equal(ovs_bridge_is_ovn("br0", &err), 0);
	must("set open_vswitch . external_ids:ovn-remote=unix:/x external_ids:ovn-bridge=br0");
	assert_int_equal(ovs_bridge_is_ovn("br0", &err), 1);
	assert_int_equal(ovs_bridge_is_ovn("br-int", &err), 0);
	assert_int_equal(ovs_port_wait_installed(&one, 100, &err), 0);
	snprintf(command, sizeof(command),
		 "(sleep 0.2; %s/ovs-vsctl set interface tapa external_ids:ovn-installed=true)&",
		 programs);
	assert_int_equal(system(command), 0);
	assert_int_equal(ovs_port_wait_installed(&one, 20000, &err), 1);
	/* another guest's port of that name, and none at all */
	assert_int_equal(ovs_port_wait_installed(&two, 50, &err), -ENODEV);
	must_remove(&one);
	assert_int_equal(ovs_port_wait_installed(&one, 50, &err), -ENODEV);
	must("remove open_vswitch . external_ids ovn-remote");
	must("remove open_vswitch . external_ids ovn-bridge");
	assert_int_equal(ovs_bridge_is_ovn("br0", &err), 0);
	close(tap);
}

static void check_rules(const struct bridge_rules *rules, const char *tag, const char *trunks,
			const char *mode, const char *config)
{
	int tap = make_tap("tapa");
	struct ovs_port one = port_of("tapa", 0, "one");

	one.rules = rules;
	must_add(&one);
	assert_says("get Port tapa tag", tag);
	assert_says("get Port tapa trunks", trunks);
	assert_says("get Port tapa vlan_mode", mode);
	assert_says("get Port tapa other_config", config);
	must_remove(&one);
	close(tap);
}

static void vlans_and_isolation_stand_in_the_ports_row(void **state)
{
	const struct bridge_rules rules[] = {
		{ .isolated = true },
		{ .vlan = { .count = 1, .tag = { 12 }, .native = -1 } },
		{ .vlan = { .count = 2, .tag = { 10, 20 }, .trunk = true, .native = -1 } },
		{ .vlan = { .count = 2, .tag = { 10, 20 }, .trunk = true, .native = 20 } },
		{ .vlan = { .count = 1,
			    .tag = { 10 },
			    .trunk = true,
			    .native = 10,
			    .native_tagged = true } },
	};

	(void)state;
	check_rules(&rules[0], "[]", "[]", "[]", "{protected=\"true\"}");
	check_rules(&rules[1], "12", "[]", "[]", "{}");
	check_rules(&rules[2], "[]", "[10, 20]", "[]", "{}");
	check_rules(&rules[3], "20", "[10, 20]", "native-untagged", "{}");
	check_rules(&rules[4], "10", "[10]", "native-tagged", "{}");
}

/* The numbers are libvirt's, but for max-rate, which it leaves out without a peak. */
static void limits_are_the_switchs_own_and_go_with_the_port(void **state)
{
	const struct port_limits limits = { .in = { .average = 1000, .burst = 100 },
					    .out = { .average = 500, .burst = 10 } },
				 peak = { .in = { .average = 1000, .peak = 2000 } };
	int tap = make_tap("tapq");
	struct ovs_port one = port_of("tapq", 0, "one");

	(void)state;
	one.limits = &limits;
	must_add(&one);
	assert_says("--bare --columns=other_config list QoS",
		    "burst=819200 max-rate=8000000 min-rate=8000000");
	assert_says("--bare --columns=other_config list Queue",
		    "burst=819200 max-rate=8000000 min-rate=8000000");
	assert_says("--bare --columns=type list QoS", "linux-htb");
	assert_says("get Interface tapq ingress_policing_rate ingress_policing_burst", "4000\n80");
	assert_says("--if-exists --bare --columns=name list Port tapq", "tapq");
	must_remove(&one);
	assert_says("--bare --columns=_uuid list QoS", "");
	assert_says("--bare --columns=_uuid list Queue", "");
	/* one that an administrator took out leaves them behind: the next start does not, nor the end */
	one.limits = &peak;
	must_add(&one);
	must("del-port tapq");
	must_remove(&one);
	assert_says("--bare --columns=_uuid list QoS", "");
	assert_says("--bare --columns=_uuid list Queue", "");
	must_add(&one);
	must("del-port tapq");
	must_add(&one);
	assert_says("--bare --columns=other_config list QoS", "max-rate=16000000 min-rate=8000000");
	assert_says("get Interface tapq ingress_policing_rate", "0");
	must_remove(&one);
	assert_says("--bare --columns=_uuid list Queue", "");
	close(tap);
}

static void guests_of_two_vlans_do_not_hear_each_other(void **state)
{
	const struct bridge_rules ten = { .vlan = { .count = 1, .tag = { 10 }, .native = -1 } },
				  other = { .vlan = { .count = 1, .tag = { 11 }, .native = -1 } };
	int a = make_tap("tapa"), b = make_tap("tapb");
	struct ovs_port one = port_of("tapa", 0, "one"), two = port_of("tapb", 1, "two");

	(void)state;
	one.rules = two.rules = &ten;
	must_add(&one);
	must_add(&two);
	assert_true(arrives(a, b, 0));
	must_remove(&two);
	two.rules = &other;
	must_add(&two);
	assert_true(falls_silent(a, b, 0));
	must_remove(&one);
	must_remove(&two);
	close(a);
	close(b);
}

static void a_leftover_of_the_same_guest_is_replaced(void **state)
{
	int tap = make_tap("tapa");
	struct ovs_port one = port_of("tapa", 0, "one");

	(void)state;
	must_add(&one);
	close(tap); /* killed: the tap is gone, the port is not */
	tap = make_tap("tapa");
	must_add(&one);
	assert_says("list-ports br0", "tapa");
	must_remove(&one);
	close(tap);
}

static void what_belongs_to_others_is_left_alone(void **state)
{
	int tap = make_tap("tapa");
	struct ovs_port one = port_of("tapa", 0, "one"), two = port_of("tapa", 1, "two");
	struct error err = { 0 };

	(void)state;
	must_add(&one);
	assert_int_equal(ovs_port_add(&two, &err), -EEXIST);
	assert_non_null(strstr(err.text, "ovs-vsctl del-port tapa"));
	must_remove(&two); /* not its own */
	assert_says("list-ports br0", "tapa");
	must_remove(&one);
	close(tap);
}

static void an_interface_that_is_not_there_is_refused_and_leaves_nothing(void **state)
{
	struct ovs_port one = port_of("nosuch0", 0, "one");
	struct error err = { 0 };

	(void)state;
	assert_int_equal(ovs_port_add(&one, &err), -EIO);
	assert_non_null(strstr(err.text, "nosuch0"));
	assert_non_null(strstr(err.text, "No such device"));
	assert_says("list-ports br0", "");
	one.bridge = "br7";
	assert_int_equal(ovs_port_add(&one, &err), -ENOENT);
	assert_non_null(strstr(err.text, "ovs-vsctl add-br br7"));
}

static void a_switch_that_hangs_is_told_and_the_port_goes_again(void **state)
{
	int tap = make_tap("tapa");
	struct ovs_port one = port_of("tapa", 0, "one");
	struct error err = { 0 };

	(void)state;
	kill(daemon_pid, SIGSTOP);
	assert_int_equal(ovs_port_add(&one, &err), -ETIMEDOUT);
	kill(daemon_pid, SIGCONT);
	assert_non_null(strstr(err.text, "ovs-vswitchd"));
	assert_says("list-ports br0", "");
	close(tap);
}

static void a_database_that_hangs_or_is_gone_is_told(void **state)
{
	struct ovs_port one = port_of("tapa", 0, "one");
	struct error err = { 0 };

	(void)state;
	kill(database, SIGSTOP);
	assert_int_equal(ovs_has_bridge("br0", &err), -ETIMEDOUT);
	kill(database, SIGCONT);
	end(&database);
	assert_int_equal(ovs_has_bridge("br0", &err), -ENOTSUP);
	assert_int_equal(ovs_port_add(&one, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "openvswitch-switch"));
	start_database(); /* and when it is back all is well */
	assert_int_equal(ovs_has_bridge("br0", &err), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bridge_is_known_by_its_name),
		cmocka_unit_test(two_guests_on_one_bridge_hear_each_other_and_leave_nothing),
		cmocka_unit_test(a_port_is_waited_for_until_ovn_has_it),
		cmocka_unit_test(vlans_and_isolation_stand_in_the_ports_row),
		cmocka_unit_test(limits_are_the_switchs_own_and_go_with_the_port),
		cmocka_unit_test(guests_of_two_vlans_do_not_hear_each_other),
		cmocka_unit_test(a_leftover_of_the_same_guest_is_replaced),
		cmocka_unit_test(what_belongs_to_others_is_left_alone),
		cmocka_unit_test(an_interface_that_is_not_there_is_refused_and_leaves_nothing),
		cmocka_unit_test(a_switch_that_hangs_is_told_and_the_port_goes_again),
		cmocka_unit_test(a_database_that_hangs_or_is_gone_is_told),
	};
	char command[100];

	programs = argc > 1 ? argv[1] : "";
	snprintf(command, sizeof(command), "%s/ovs-vswitchd", programs);
	if (access(command, X_OK) < 0) {
		printf("SKIP: no Open vSwitch; tools/get-ovs makes one\n");
		return TEST_SKIPPED;
	}
	if (enter_netns() < 0 || need_tun() < 0)
		return TEST_SKIPPED;
	if (!mkdtemp(folder) || start_switch() < 0)
		return 1;
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	end(&daemon_pid);
	end(&database);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) ? 1 : rc;
}
