/* Bridges and macvtaps in a network namespace of the test: made, used with real frames, given back, also after a kill. */
#include "backend_help.h"

#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "host/bridge.h"
#include "host/netlink.h"
#include "host/open.h"
#include "host/undo.h"
#include "netns.h"

static struct rx_room rx;
static struct netlink nl;
static char folder[] = "/tmp/anynic-test-net-XXXXXX";
static char journal_path[64];
static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0xa, 0xb, 0xc };
static const uint8_t other_mac[6] = { 0x52, 0x54, 0, 0xa, 0xb, 0xd };
static const uint8_t far_mac[6] = { 0x52, 0x54, 0, 0xff, 0xff, 1 };
static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t group[6] = { 0x33, 0x33, 0, 0, 0x12, 0x34 };

/* --- the scene ---------------------------------------------------------------------------------------------------- */

static void run(const char *fmt, ...) PRINTF(1, 2);
static void run(const char *fmt, ...)
{
	char command[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* A veth pair: `wire0` is the host's device, `wire1` the other end of its cable. */
static int set_scene(void **state)
{
	(void)state;
	run("ip link add wire0 type veth peer name wire1");
	for (int i = 0; i < 2; i++) {
		run("ip link set wire%d addrgenmode none", i);
		run("ip link set wire%d up", i);
	}
	return 0;
}

static int clear_scene(void **state)
{
	(void)state;
	run("for i in $(ls /proc/sys/net/ipv4/conf); do case $i in all|default|lo) ;; *) "
	    "ip link del $i 2>/dev/null || :;; esac; done");
	unlink(journal_path);
	return 0;
}

static struct link must_find(const char *name)
{
	struct link l;

	assert_int_equal(netlink_find(&nl, name, &l), 0);
	return l;
}

static bool exists(const char *name)
{
	struct link l;

	return netlink_find(&nl, name, &l) == 0;
}

/* A socket that sees and sends whole frames on a device. */
static int open_packet(const char *name)
{
	int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(name) };
	struct packet_mreq all = { .mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC };

	assert_true(sock >= 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(sock, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)), 0);
	return sock;
}

#define TYPE 0x88b5 /* for experiments */

static void fill(uint8_t data[60], const uint8_t to[6], const uint8_t from[6], uint8_t number)
{
	memset(data, number, 60);
	memcpy(data, to, 6);
	memcpy(data + 6, from, 6);
	put_be16(data + 12, TYPE);
}

static void packet_sends(int sock, const uint8_t to[6], const uint8_t from[6], uint8_t number)
{
	uint8_t data[60];

	fill(data, to, from, number);
	assert_int_equal(send(sock, data, sizeof(data), 0), sizeof(data));
}

/* Whether our frame of this number comes in (what the host itself sends out of the device does not count). */
static bool packet_gets(int sock, uint8_t number, int wait_ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	uint8_t data[200];

	while (poll(&p, 1, wait_ms) == 1) {
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(sock, data, sizeof(data), 0, (struct sockaddr *)&from, &len);

		if (n >= 60 && from.sll_pkttype != PACKET_OUTGOING && get_be16(data + 12) == TYPE &&
		    data[20] == number)
			return true;
	}
	return false;
}

/* A port as control and datapath make it together. */
struct port {
	struct opened_backend open;
	struct backend *b;
};

static struct backend_spec spec_for(const char *type, const char *on, const char *mode)
{
	struct backend_spec spec = spec_of(type, -1);

	str_copy(strcmp(type, "bridge") == 0 ? spec.br : spec.dev, sizeof(spec.br), on);
	str_copy(spec.mode, sizeof(spec.mode), mode);
	return spec;
}

static int open_for(struct backend_spec *spec, const uint8_t mac[6], unsigned queues,
		    struct undo *undo, struct opened_backend *o, struct error *err)
{
	struct backend_request r = {
		.spec = spec, .guest = "test", .port = "net0", .queues = queues, .undo = undo
	};

	memcpy(r.mac, mac, 6);
	return host_backend_open(&r, o, err);
}

static struct port must_open(struct backend_spec spec, const uint8_t mac[6], unsigned queues,
			     struct undo *undo)
{
	struct error err = { 0 };
	struct port p = { 0 };

	if (open_for(&spec, mac, queues, undo, &p.open, &err) < 0)
		fail_msg("%s", err.text);
	str_copy(spec.type, sizeof(spec.type), p.open.served);
	memcpy(spec.fds, p.open.fds, sizeof(spec.fds));
	spec.nfds = p.open.nfds;
	p.open.nfds = 0;
	p.b = must_create(&spec);
	return p;
}

static void close_port(struct port *p)
{
	backend_destroy(p->b);
	opened_backend_close(&p->open);
}

/* As if every process of ours had been killed: descriptors close, nothing else happens. */
static void kill_port(struct port *p)
{
	backend_destroy(p->b);
	p->open.steps = 0;
	opened_backend_close(&p->open);
}

static void assert_refused(struct backend_spec spec, int code, const char *words)
{
	struct opened_backend o;
	struct error err = { 0 };

	int rc = open_for(&spec, guest_mac, 1, NULL, &o, &err);
	if (rc != code || !strstr(err.text, words))
		fail_msg("%d: '%s' says nothing of '%s'", rc, err.text, words);
	assert_int_equal(o.nfds, 0);
	assert_int_equal(o.steps, 0);
}

static void guest_sends(struct port *p, const uint8_t to[6], const uint8_t from[6], uint8_t number)
{
	uint8_t data[60];
	struct frame f = { 0 };

	fill(data, to, from, number);
	frame_set_linear(&f, data, sizeof(data));
	assert_int_equal(p->b->ops->send(p->b, &f, 1), 1);
}

static bool guest_gets(struct port *p, uint8_t number, int wait_ms)
{
	struct pollfd fds[QUEUES_MAX];

	for (unsigned i = 0; i < p->b->fds; i++)
		fds[i] = (struct pollfd){ .fd = p->b->fd[i], .events = POLLIN };
	while (poll(fds, p->b->fds, wait_ms) >= 1) {
		for (unsigned q = 0; q < p->b->fds; q++) {
			if (!(fds[q].revents & POLLIN))
				continue;
			unsigned n = p->b->ops->receive(p->b, q, rx_frames(&rx), 1);
			const uint8_t *data = rx.room[0].data;
			if (n && get_be16(data + 12) == TYPE && data[20] == number)
				return true;
		}
	}
	return false;
}

#define SOON 20000
#define NOT  60 /* ms that a frame would need at most to come where it must not */

/* --- links -------------------------------------------------------------------------------------------------------- */

static void a_link_is_told_by_name_and_by_number(void **state)
{
	struct link l, again;

	(void)state;
	run("ip link add br7 mtu 1400 type bridge");
	run("ip link set br7 alias 'of the test' up");
	run("ip link set wire0 mtu 1400 master br7");
	l = must_find("br7");
	assert_string_equal(l.kind, "bridge");
	assert_string_equal(l.alias, "of the test");
	assert_int_equal(l.mtu, 1400);
	assert_true(l.up);
	assert_int_equal(netlink_get(&nl, l.index, &again), 0);
	assert_string_equal(again.name, "br7");
	again = must_find("wire0");
	assert_string_equal(again.kind, "veth");
	assert_int_equal(again.master, l.index);
	assert_string_equal(again.port_kind, "bridge");
	assert_true(again.carrier);
	run("ip link set wire1 down");
	assert_false(must_find("wire0").carrier);
}

static void a_name_that_no_link_can_have_is_not_found(void **state)
{
	static const char *const names[] = {
		"",   "nobody", "../../../etc/passwd", ".", "sixteen_letters_", "wire0 ", "wire0/x",
		"%d", "a:b"
	};
	struct link l;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(netlink_find(&nl, names[i], &l), -ENODEV);
	assert_int_equal(netlink_get(&nl, 0, &l), -ENODEV);
	assert_int_equal(netlink_get(&nl, 0xffffffff, &l), -ENODEV);
	assert_int_equal(netlink_delete(&nl, 0), -ENODEV);
}

static void take_name(const struct link *l, bool gone, void *context)
{
	char *text = context;

	snprintf(text + strlen(text), 200 - strlen(text), "%s%s ", gone ? "-" : "", l->name);
}

static void news_tell_which_link_changed_and_which_is_gone(void **state)
{
	struct link_news news;
	char text[200] = "";

	(void)state;
	assert_int_equal(link_news_open(&news, NULL), 0);
	run("ip link add br7 type bridge && ip link set wire0 master br7 && ip link set wire0 "
	    "nomaster");
	assert_int_equal(link_news_read(&news, take_name, text), 0);
	assert_non_null(strstr(text, "br7 "));
	assert_null(strstr(text, "-wire0")); /* it left the bridge; it is still there */
	text[0] = '\0';
	run("ip link del br7");
	assert_int_equal(link_news_read(&news, take_name, text), 0);
	assert_non_null(strstr(text, "-br7 "));
	link_news_close(&news);
}

/* --- bridge ------------------------------------------------------------------------------------------------------- */

static void a_tap_joins_the_bridge_and_goes_with_its_descriptors(void **state)
{
	static const uint8_t host_side[6] = { 0xfe, 0x54, 0, 0xa, 0xb, 0xc };
	int far;

	(void)state;
	run("ip link add br7 mtu 1400 type bridge && ip link set br7 up");
	run("ip link set wire0 mtu 1400 master br7");
	struct port p = must_open(spec_for("bridge", "br7", ""), guest_mac, 1, NULL);
	struct link tap = must_find(p.open.ifname);
	assert_memory_equal(p.open.ifname, "anynic", 6);
	assert_string_equal(p.open.type, "bridge");
	assert_string_equal(p.b->ops->name, "tap");
	assert_string_equal(tap.alias, "anynic test/net0");
	assert_int_equal(tap.master, must_find("br7").index);
	assert_int_equal(p.open.below, tap.master);
	assert_int_equal(p.open.mtu, 1400);
	assert_int_equal(tap.mtu, 1400);
	assert_memory_equal(tap.mac, host_side, 6);
	assert_true(tap.up);

	far = open_packet("wire1");
	guest_sends(&p, far_mac, guest_mac, 1);
	assert_true(packet_gets(far, 1, SOON));
	packet_sends(far, guest_mac, far_mac, 2);
	assert_true(guest_gets(&p, 2, SOON));
	close(far);
	close_port(&p);
	assert_false(exists(tap.name));
	assert_true(exists("br7"));
}

static void two_guests_on_one_bridge_reach_each_other(void **state)
{
	struct backend_spec named = spec_for("bridge", "br7", "");

	(void)state;
	run("ip link add br7 type bridge && ip link set br7 up");
	struct port a = must_open(spec_for("bridge", "br7", ""), guest_mac, 1, NULL);
	str_copy(named.ifname, sizeof(named.ifname), "second");
	struct port b = must_open(named, other_mac, 4, NULL);
	assert_string_equal(b.open.ifname, "second");
	assert_int_equal(b.b->fds, 4);
	guest_sends(&a, everybody, guest_mac, 1);
	assert_true(guest_gets(&b, 1, SOON));
	guest_sends(&b, guest_mac, other_mac, 2);
	assert_true(guest_gets(&a, 2, SOON));
	close_port(&a);
	close_port(&b);
}

static void the_hosts_side_never_has_the_guests_own_mac(void **state)
{
	uint8_t mac[6], fe[6] = { 0xfe, 1, 2, 3, 4, 5 };

	(void)state;
	host_side_mac(guest_mac, mac);
	assert_int_equal(mac[0], 0xfe);
	host_side_mac(fe, mac);
	assert_int_equal(mac[0], 0xfa);
	assert_memory_equal(mac + 1, fe + 1, 5);
}

static void what_is_no_bridge_is_refused_with_what_is_there(void **state)
{
	struct backend_spec taken = spec_for("bridge", "br7", "");

	(void)state;
	assert_refused(spec_for("bridge", "br0", ""), -ENOENT, "bridges: none");
	run("ip link add br7 type bridge && ip link add br8 type bridge");
	assert_refused(spec_for("bridge", "br0", ""), -ENOENT, "bridges: br7, br8");
	assert_refused(spec_for("bridge", "../br7", ""), -ENOENT, "no bridge");
	assert_refused(spec_for("bridge", "wire0", ""), -ENODEV, "backend=direct,dev=wire0");
	str_copy(taken.ifname, sizeof(taken.ifname), "wire1");
	assert_refused(taken, -EEXIST, "backend=tap,ifname=wire1");
	assert_true(exists("wire1"));
}

/* --- direct ------------------------------------------------------------------------------------------------------- */

static void a_macvtap_carries_the_ports_mac_and_goes_at_the_end(void **state)
{
	(void)state;
	run("ip link set wire0 mtu 1400");
	struct port p = must_open(spec_for("direct", "wire0", ""), guest_mac, 1, NULL);
	struct link l = must_find(p.open.ifname);
	assert_string_equal(p.open.type, "direct");
	assert_string_equal(l.kind, "macvtap");
	assert_int_equal(l.mode, 2); /* VEPA, as libvirt */
	assert_memory_equal(l.mac, guest_mac, 6);
	assert_string_equal(l.alias, "anynic test/net0");
	assert_int_equal(l.parent, must_find("wire0").index);
	assert_int_equal(p.open.mtu, 1400);
	assert_true(l.up);
	assert_true(p.b->ops->offloads(p.b) & FRAME_TSO4);
	assert_non_null(strstr(p.open.reason, "host cannot reach"));
	struct port q = must_open(spec_for("direct", "wire0", "private"), other_mac, 4, NULL);
	assert_int_equal(q.b->fds, 4);
	assert_string_not_equal(q.open.ifname, p.open.ifname);
	close_port(&q);
	close_port(&p);
	assert_false(exists(l.name));
	assert_true(exists("wire0"));
}

/* Who reaches whom on one device, as the kernel has it. */
struct rules {
	const char *mode;
	bool neighbour; /* guest to guest, inside the host */
	bool reflected; /* guest to guest, by a switch that sends the frame back */
};

static void check_rules(const struct rules *r)
{
	struct port a = must_open(spec_for("direct", "wire0", r->mode), guest_mac, 1, NULL);
	struct port b = must_open(spec_for("direct", "wire0", r->mode), other_mac, 2, NULL);
	int far = open_packet("wire1"), host = open_packet("wire0");
	uint8_t host_mac[6];

	memcpy(host_mac, must_find("wire0").mac, 6);
	packet_sends(far, guest_mac, far_mac, 1);
	assert_true(guest_gets(&a, 1, SOON));
	packet_sends(far, everybody, far_mac, 2);
	assert_true(guest_gets(&a, 2, SOON) && guest_gets(&b, 2, SOON));
	packet_sends(far, group, far_mac, 3); /* IPv6 needs these */
	assert_true(guest_gets(&a, 3, SOON));
	guest_sends(&a, far_mac, guest_mac, 4);
	assert_true(packet_gets(far, 4, SOON));
	/* the host does not reach its guest, nor the guest its host */
	packet_sends(host, guest_mac, host_mac, 5);
	assert_false(guest_gets(&a, 5, NOT));
	guest_sends(&a, host_mac, guest_mac, 6);
	assert_false(packet_gets(host, 6, NOT));
	guest_sends(&a, other_mac, guest_mac, 7);
	assert_int_equal(guest_gets(&b, 7, NOT), r->neighbour);
	packet_sends(far, other_mac, guest_mac, 8);
	assert_int_equal(guest_gets(&b, 8, NOT), r->reflected);
	close(far);
	close(host);
	close_port(&a);
	close_port(&b);
}

static void each_mode_has_the_kernels_rules(void **state)
{
	static const struct rules rules[] = {
		{ "vepa", .neighbour = false, .reflected = true },
		{ "bridge", .neighbour = true, .reflected = true },
		{ "private", .neighbour = false, .reflected = true },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
		check_rules(&rules[i]);
}

static void passthrough_takes_the_device_and_gives_it_back(void **state)
{
	struct link before, now;
	uint8_t own[6];

	(void)state;
	run("ip link set wire0 down");
	before = must_find("wire0");
	memcpy(own, before.mac, 6);
	struct port p = must_open(spec_for("direct", "wire0", "passthrough"), guest_mac, 1, NULL);
	now = must_find("wire0");
	assert_memory_equal(now.mac, guest_mac, 6);
	assert_true(now.up);
	int far = open_packet("wire1");
	guest_sends(&p, far_mac, guest_mac, 1);
	assert_true(packet_gets(far, 1, SOON));
	packet_sends(far, guest_mac, far_mac, 2);
	assert_true(guest_gets(&p, 2, SOON));
	packet_sends(far, other_mac, far_mac, 3); /* it has the device whole */
	assert_true(guest_gets(&p, 3, SOON));
	close(far);
	assert_refused(spec_for("direct", "wire0", "bridge"), -EBUSY, "anynic test/net0");
	assert_refused(spec_for("direct", "wire0", "passthrough"), -EBUSY, "taken whole");
	close_port(&p);
	now = must_find("wire0");
	assert_memory_equal(now.mac, own, 6);
	assert_false(now.up);
	p = must_open(spec_for("direct", "wire0", "bridge"), guest_mac, 1, NULL);
	assert_refused(spec_for("direct", "wire0", "passthrough"), -EBUSY, "mode=bridge");
	close_port(&p);
}

static void a_device_that_is_taken_or_none_is_refused(void **state)
{
	struct backend_spec named = spec_for("direct", "wire0", "");

	(void)state;
	assert_refused(spec_for("direct", "nobody", ""), -ENOENT, "dev=");
	assert_refused(spec_for("direct", "../wire0", ""), -ENOENT, "dev=");
	assert_refused(spec_for("direct", "lo", ""), -EINVAL, "no Ethernet");
	assert_refused(spec_for("direct", "wire0", "hub"), -EINVAL, "private");
	str_copy(named.ifname, sizeof(named.ifname), "wire1");
	assert_refused(named, -EEXIST, "ifname=wire1");
	run("ip link add br7 type bridge && ip link set wire0 master br7");
	assert_refused(spec_for("direct", "wire0", ""), -EBUSY, "backend=bridge,br=br7");
	run("ip link set wire0 nomaster");
	struct port p = must_open(spec_for("direct", "wire0", "bridge"), guest_mac, 1, NULL);
	assert_refused(spec_for("direct", "wire0", "bridge"), -EADDRINUSE, "another mac=");
	close_port(&p);
}

/* Nobody makes nodes (no udev, no devtmpfs): a node of our own serves for a moment. */
static void a_macvtap_opens_without_a_node_in_dev(void **state)
{
	int status;

	(void)state;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct backend_spec spec = spec_for("direct", "wire0", "");
		struct error err = { 0 };
		struct opened_backend o;
		struct stat st;

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("tmpfs", "/dev", "tmpfs", 0, NULL) < 0)
			_exit(TEST_SKIPPED);
		/* a stale one of that number must not mislead */
		for (unsigned i = 1; i < 64; i++) {
			char path[32];
			snprintf(path, sizeof(path), "/dev/tap%u", i);
			if (i % 2)
				(void)mknod(path, S_IFCHR | 0600, makedev(1, 3));
		}
		if (open_for(&spec, guest_mac, 2, NULL, &o, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(1);
		}
		bool right = o.nfds == 2 && stat("/dev/.anynic-tap", &st) < 0;
		opened_backend_close(&o);
		_exit(right ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == TEST_SKIPPED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Two looked at a device that was down and free; one of them got it. The other one, or whoever tidies up after it, leaves it as it is. */
static void a_device_that_another_guest_got_stays_up(void **state)
{
	struct undo_step step = { .kind = UNDO_DEVICE, .name = "wire0", .was_down = true };

	(void)state;
	run("ip link set wire0 down");
	struct link before = must_find("wire0");
	step.below = before.index;
	memcpy(step.mac, other_mac, 6);
	memcpy(step.old_mac, before.mac, 6);
	struct port p = must_open(spec_for("direct", "wire0", "passthrough"), guest_mac, 1, NULL);
	assert_int_equal(undo_step_run(&step, NULL), 0);
	assert_true(must_find("wire0").up);
	close_port(&p);
	assert_false(must_find("wire0").up);
}

/* A process that opens the device whole, again and again, holds it for a moment and checks that nobody takes it away. */
static void rival(uint8_t number, unsigned wanted)
{
	struct backend_spec spec = spec_for("direct", "wire0", "passthrough");
	uint8_t mac[6] = { 0x52, 0x54, 0, 0, 1, number };
	struct netlink own;
	unsigned got = 0;

	if (netlink_open(&own, NULL) < 0)
		_exit(1);
	for (unsigned i = 0; i < 20000 && got < wanted; i++) {
		struct opened_backend o;
		struct error err = { 0 };
		struct link l;

		if (open_for(&spec, mac, 1, NULL, &o, &err) < 0) {
			if (err.code != -EBUSY || !strstr(err.text, "taken whole")) {
				fprintf(stderr, "%d: %s\n", err.code, err.text);
				_exit(2);
			}
			usleep(100);
			continue;
		}
		got++;
		for (unsigned n = 0; n < 4; n++) {
			usleep(500);
			if (netlink_find(&own, "wire0", &l) < 0 || !l.up ||
			    memcmp(l.mac, mac, 6) != 0)
				_exit(3);
		}
		opened_backend_close(&o);
	}
	_exit(got == wanted ? 0 : 4);
}

static void two_guests_that_race_for_a_device_get_it_in_turn(void **state)
{
	pid_t pid[2];
	uint8_t own[6];
	int status;

	(void)state;
	run("ip link set wire0 down");
	memcpy(own, must_find("wire0").mac, 6);
	fflush(NULL);
	for (uint8_t i = 0; i < 2; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			rival(i, 40);
	}
	for (unsigned i = 0; i < 2; i++) {
		waitpid(pid[i], &status, 0);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_false(must_find("wire0").up);
	assert_memory_equal(must_find("wire0").mac, own, 6);
	assert_false(exists("anynic0"));
}

/* --- what a kill leaves behind ------------------------------------------------------------------------------------- */

static struct undo open_journal(void)
{
	struct undo u;

	undo_init(&u, journal_path);
	return u;
}

static void the_journal_puts_in_order_what_a_kill_left(void **state)
{
	uint8_t own[6];

	(void)state;
	memcpy(own, must_find("wire0").mac, 6);
	struct undo u = open_journal();
	struct port p = must_open(spec_for("direct", "wire0", "passthrough"), guest_mac, 1, &u);
	char name[16];
	str_copy(name, sizeof(name), p.open.ifname);
	kill_port(&p);
	close(u.fd);
	assert_true(exists(name));
	assert_memory_equal(must_find("wire0").mac, guest_mac, 6);
	assert_int_equal(undo_run(journal_path), 0);
	assert_false(exists(name));
	assert_memory_equal(must_find("wire0").mac, own, 6);
	assert_int_equal(access(journal_path, F_OK), -1);
	assert_int_equal(undo_run(journal_path), 0); /* no file: nothing to do */
}

static void an_orderly_end_leaves_no_journal(void **state)
{
	(void)state;
	struct undo u = open_journal();
	struct port p = must_open(spec_for("direct", "wire0", ""), guest_mac, 1, &u);
	assert_int_equal(access(journal_path, F_OK), 0);
	close_port(&p);
	assert_int_equal(undo_run(journal_path), 0);
	u = open_journal();
	assert_int_equal(access(journal_path, F_OK), -1); /* nothing to note: no file */
	p = must_open(spec_for("direct", "wire0", ""), guest_mac, 1, &u);
	close_port(&p);
	undo_close(&u);
	assert_int_equal(access(journal_path, F_OK), -1);
}

/* The device was given back by its kernel, or used by somebody else meanwhile: then it is not ours to change. */
static void nothing_is_undone_that_is_not_ours_any_more(void **state)
{
	static const uint8_t theirs[6] = { 0x52, 0x54, 9, 9, 9, 9 };
	char name[16];

	(void)state;
	struct undo u = open_journal();
	struct port p = must_open(spec_for("direct", "wire0", "passthrough"), guest_mac, 1, &u);
	str_copy(name, sizeof(name), p.open.ifname);
	kill_port(&p);
	close(u.fd);
	run("ip link del %s && ip link set wire0 address 52:54:09:09:09:09", name);
	run("ip link add link wire0 name %s type macvtap mode bridge && ip link set %s alias hers",
	    name, name);
	assert_int_equal(undo_run(journal_path), 0);
	assert_true(exists(name));
	assert_memory_equal(must_find("wire0").mac, theirs, 6);
	/* the same name as a bridge */
	run("ip link del %s && ip link add br7 type bridge", name);
	struct undo_step step = { .kind = UNDO_LINK, .name = "br7", .text = "anynic test/net0" };
	run("ip link set br7 alias 'anynic test/net0'");
	assert_int_equal(undo_step_run(&step, NULL), 0);
	assert_true(exists("br7"));
}

/* A guest that starts again has its name, and its tap has the one that the old tap had, before the old one was taken back. */
static void a_tap_of_the_next_start_is_not_the_one_that_was_made(void **state)
{
	struct undo_step step = { .kind = UNDO_TAP, .name = "again", .text = "anynic test/net0" };

	(void)state;
	run("ip tuntap add dev again mode tap && ip link set again alias 'anynic test/net0'");
	step.below = must_find("again").index;
	run("ip tuntap del dev again mode tap");
	run("ip tuntap add dev again mode tap && ip link set again alias 'anynic test/net0'");
	assert_int_equal(undo_step_run(&step, NULL), 0);
	assert_true(exists("again"));
	step.below = must_find("again").index;
	assert_int_equal(undo_step_run(&step, NULL), 1);
	assert_false(exists("again"));
}

/* Killed between the making and the naming: there is no alias yet. */
static void a_link_that_was_just_made_is_known_by_its_mac(void **state)
{
	struct undo_step step = { .kind = UNDO_LINK, .name = "half", .text = "anynic test/net0" };

	(void)state;
	memcpy(step.mac, guest_mac, 6);
	step.below = must_find("wire0").index;
	run("ip link add link wire0 name half address 52:54:00:0a:0b:0d type macvtap mode bridge");
	assert_int_equal(undo_step_run(&step, NULL), 0);
	assert_true(exists("half")); /* another MAC */
	run("ip link set half address 52:54:00:0a:0b:0c");
	assert_int_equal(undo_step_run(&step, NULL), 1);
	assert_false(exists("half"));
}

static void write_journal(const char *text)
{
	unlink(journal_path);
	close(open(journal_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	write_file(journal_path, text);
}

static void a_journal_of_another_namespace_or_of_nobody_stays_untouched(void **state)
{
	char line[300];
	struct stat st;

	(void)state;
	run("ip link add link wire0 name kept address 52:54:00:0a:0b:0c type macvtap mode bridge");
	snprintf(line, sizeof(line),
		 "+\tlink\t1\tkept\t0\t52:54:00:0a:0b:0c\t00:00:00:00:00:00\t0\t\tanynic a/b\n");
	write_journal(line);
	assert_int_equal(undo_run(journal_path), 1);
	assert_true(exists("kept"));
	assert_int_equal(access(journal_path, F_OK), 0);
	/* bad lines, struck ones, one without its end */
	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	snprintf(line, sizeof(line),
		 "+\n+\t\t\t\t\nrubbish\n-\tlink\t%llu\tkept\t0\t52:54:00:0a:0b:0c\t00:00:00:00:00:"
		 "00\t0\t\tx\n"
		 "+\tlink\t%llu\tkept\t0\t52:54:00:0a:0b:0c\t00:00:00:00:00:00\t0\t\tx",
		 (unsigned long long)st.st_ino, (unsigned long long)st.st_ino);
	write_journal(line);
	assert_int_equal(undo_run(journal_path), 2);
	assert_true(exists("kept"));
}

/* More lines than anybody would think of: none is forgotten, and the file stays as long as one is left. */
static void a_long_journal_is_carried_out_to_its_first_line(void **state)
{
	struct undo u = open_journal();

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		struct undo_step step = { .kind = UNDO_LINK, .text = "anynic test/net0" };

		snprintf(step.name, sizeof(step.name), "old%u", i);
		assert_true(undo_note(&u, &step, NULL) >= 0);
	}
	run("ip link add link wire0 name old299 type macvtap mode bridge && ip link set old299 "
	    "alias "
	    "'anynic test/net0'");
	close(u.fd);
	assert_int_equal(undo_run(journal_path), 0);
	assert_false(exists("old299"));
	assert_int_equal(access(journal_path, F_OK), -1);
}

/* The disk was full, or the writer killed: what comes after it is a line of its own. */
static void a_line_behind_one_that_was_cut_short_counts(void **state)
{
	struct undo_step step = { .kind = UNDO_LINK, .name = "half", .text = "anynic test/net0" };

	(void)state;
	write_journal("+\tlink\t1\tkep");
	struct undo u = open_journal();
	assert_true(undo_note(&u, &step, NULL) >= 0);
	close(u.fd);
	run("ip link add link wire0 name half type macvtap mode bridge && ip link set half alias "
	    "'anynic test/net0'");
	assert_int_equal(undo_run(journal_path), 0);
	assert_false(exists("half"));
}

static void a_name_that_would_break_the_journal_is_refused(void **state)
{
	struct undo_step step = { .kind = UNDO_SOCKET, .text = "/tmp/a\n+\tlink" };

	(void)state;
	struct undo u = open_journal();
	assert_true(undo_note(&u, &step, NULL) < UNDO_NO_MARK);
	assert_int_equal(undo_note(NULL, &step, NULL), UNDO_NO_MARK);
	undo_close(&u);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_scene, clear_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(a_link_is_told_by_name_and_by_number),
		SCENE(a_name_that_no_link_can_have_is_not_found),
		SCENE(news_tell_which_link_changed_and_which_is_gone),
		SCENE(a_tap_joins_the_bridge_and_goes_with_its_descriptors),
		SCENE(two_guests_on_one_bridge_reach_each_other),
		SCENE(the_hosts_side_never_has_the_guests_own_mac),
		SCENE(what_is_no_bridge_is_refused_with_what_is_there),
		SCENE(a_macvtap_carries_the_ports_mac_and_goes_at_the_end),
		SCENE(each_mode_has_the_kernels_rules),
		SCENE(passthrough_takes_the_device_and_gives_it_back),
		SCENE(a_device_that_is_taken_or_none_is_refused),
		SCENE(a_macvtap_opens_without_a_node_in_dev),
		SCENE(a_device_that_another_guest_got_stays_up),
		SCENE(two_guests_that_race_for_a_device_get_it_in_turn),
		SCENE(the_journal_puts_in_order_what_a_kill_left),
		SCENE(an_orderly_end_leaves_no_journal),
		SCENE(nothing_is_undone_that_is_not_ours_any_more),
		SCENE(a_tap_of_the_next_start_is_not_the_one_that_was_made),
		SCENE(a_link_that_was_just_made_is_known_by_its_mac),
		SCENE(a_journal_of_another_namespace_or_of_nobody_stays_untouched),
		SCENE(a_long_journal_is_carried_out_to_its_first_line),
		SCENE(a_line_behind_one_that_was_cut_short_counts),
		SCENE(a_name_that_would_break_the_journal_is_refused),
	};

	if (getuid() != 0) {
		printf("SKIP: macvtaps and bridges are made by root only\n");
		return TEST_SKIPPED;
	}
	if (enter_netns() < 0 || need_tun() < 0)
		return TEST_SKIPPED;
	/* nodes in /dev are the machine's: which one is of this namespace's link, only its own /sys tells */
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0) {
		printf("SKIP: no mount namespace for the test: %s\n", strerror(errno));
		return TEST_SKIPPED;
	}
	if (system("ip link add v0 type veth && ip link add link v0 type macvtap && ip link del "
		   "v0") != 0) {
		printf("SKIP: this kernel (or this machine) has no veth, macvtap or ip\n");
		return TEST_SKIPPED;
	}
	if (!mkdtemp(folder) || netlink_open(&nl, NULL) < 0)
		return 1;
	snprintf(journal_path, sizeof(journal_path), "%s/journal", folder);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	netlink_close(&nl);
	rmdir(folder);
	return rc;
}
