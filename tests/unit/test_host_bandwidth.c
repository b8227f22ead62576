/* Limits of taps: the messages, what `tc` shows of them beside what libvirt's own commands make, and how fast frames really pass. The kernel
 * may be built without policing; then that half is tested on the lab host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "host/bandwidth.h"
#include "host/open.h"
#include "netns.h"

#define PORT	9
#define HEADER	10 /* of virtio, in front of each frame */
#define PAYLOAD 1400
#define FRAME	(14 + 20 + 8 + PAYLOAD)
#define MB	1000000.0
#define GUEST	"52:54:00:00:00:01"

static bool kernel_polices, kernel_shares;

static bool run(const char *command)
{
	return system(command) == 0;
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

struct wanted {
	uint16_t type;
	const struct nlattr *found;
};

static int take(const struct nlattr *a, void *to)
{
	struct wanted *w = to;

	if (mnl_attr_get_type(a) == w->type)
		w->found = a;
	return MNL_CB_OK;
}

/* The attribute at the end of a path of types, each in the one before. */
static const void *find(const struct nlmsghdr *h, unsigned depth, const uint16_t *path)
{
	struct wanted w = { .type = path[0] };

	mnl_attr_parse(h, sizeof(struct tcmsg), take, &w);
	for (unsigned i = 1; w.found && i < depth; i++) {
		struct wanted inner = { .type = path[i] };

		mnl_attr_parse_nested(w.found, take, &inner);
		w = inner;
	}
	return w.found ? mnl_attr_get_payload(w.found) : NULL;
}

#define FIND(h, ...)                                                                               \
	find(h, sizeof((uint16_t[]){ __VA_ARGS__ }) / 2, (const uint16_t[]){ __VA_ARGS__ })

static void a_class_has_the_numbers_that_tc_would_compute(void **state)
{
	char room[BANDWIDTH_ROOM];
	const struct bandwidth_limit limit = { .average = 1000, .peak = 2000, .burst = 100 };
	const struct nlmsghdr *h = bandwidth_message(room, BANDWIDTH_CLASS, 7, &limit);
	const struct tcmsg *t = mnl_nlmsg_get_payload(h);
	const struct tc_htb_opt *o = FIND(h, TCA_OPTIONS, TCA_HTB_PARMS);

	(void)state;
	assert_int_equal(h->nlmsg_type, RTM_NEWTCLASS);
	assert_int_equal(t->tcm_ifindex, 7);
	assert_int_equal(t->tcm_parent, 0x10000);
	assert_int_equal(t->tcm_handle, 0x10001);
	assert_int_equal(o->rate.rate, 1000000);
	assert_int_equal(o->ceil.rate, 2000000);
	assert_int_equal(o->buffer, 1600000); /* 102400 bytes at 1 MB/s, in 64 ns */
	assert_int_equal(o->cbuffer, 12500);  /* 1600 bytes at 2 MB/s */
	assert_int_equal(o->quantum, 85);
	assert_null(FIND(h, TCA_OPTIONS, TCA_HTB_RATE64));
}

static void rates_beyond_32_bits_have_an_attribute_of_their_own(void **state)
{
	char room[BANDWIDTH_ROOM];
	const struct bandwidth_limit limit = { UINT32_MAX, UINT32_MAX, UINT32_MAX, 0 };
	const struct nlmsghdr *h = bandwidth_message(room, BANDWIDTH_CLASS, 7, &limit);
	const struct tc_htb_opt *o = FIND(h, TCA_OPTIONS, TCA_HTB_PARMS);
	uint64_t rate;

	(void)state;
	assert_int_equal(o->rate.rate, UINT32_MAX);
	memcpy(&rate, FIND(h, TCA_OPTIONS, TCA_HTB_RATE64), sizeof(rate));
	assert_true(rate == UINT32_MAX * 1000ull);
	h = bandwidth_message(room, BANDWIDTH_POLICE, 7, &limit);
	assert_true(h->nlmsg_len <= BANDWIDTH_ROOM);
	memcpy(&rate, FIND(h, TCA_OPTIONS, TCA_U32_POLICE, TCA_POLICE_RATE64), sizeof(rate));
	assert_true(rate == UINT32_MAX * 1000ull);
}

static void what_is_policed_bursts_for_a_second_unless_told_otherwise(void **state)
{
	char room[BANDWIDTH_ROOM];
	struct bandwidth_limit limit = { .average = 1000 };
	const struct nlmsghdr *h = bandwidth_message(room, BANDWIDTH_POLICE, 7, &limit);
	const struct tc_police *p = FIND(h, TCA_OPTIONS, TCA_U32_POLICE, TCA_POLICE_TBF);

	(void)state;
	assert_int_equal(p->action, TC_POLICE_SHOT);
	assert_int_equal(p->rate.rate, 1000000);
	assert_int_equal(p->burst, 16000000); /* 1.024 s */
	assert_int_equal(p->mtu, 65536);
	limit.burst = 100;
	h = bandwidth_message(room, BANDWIDTH_POLICE, 7, &limit);
	p = FIND(h, TCA_OPTIONS, TCA_U32_POLICE, TCA_POLICE_TBF);
	assert_int_equal(p->burst, 1600000);
	limit = (struct bandwidth_limit){ .average = 1, .burst = UINT32_MAX };
	h = bandwidth_message(room, BANDWIDTH_POLICE, 7, &limit);
	p = FIND(h, TCA_OPTIONS, TCA_U32_POLICE, TCA_POLICE_TBF);
	assert_int_equal(p->burst, UINT32_MAX); /* the most that fits */
}

/* --- beside tc --------------------------------------------------------------------------------------------------- */

/* What tc says of a device, without what counts and what is numbered in the order of making. */
static void show(const char *device, char *to, size_t size)
{
	char command[400];

	(void)snprintf(command, sizeof(command),
		       "(tc -d qdisc show dev %s; tc -d class show dev %s; "
		       "tc -d filter show dev %s parent ffff:) 2>/dev/null | "
		       "sed 's/police 0x[0-9a-f]*//; s/refcnt [0-9]*//; /^$/d; /ref .* bind/d'",
		       device, device, device);
	FILE *f = popen(command, "r");
	size_t n = fread(to, 1, size - 1, f);
	to[n] = '\0';
	pclose(f);
}

static void tc(const char *fmt, ...) PRINTF(1, 2);

static void tc(const char *fmt, ...)
{
	char command[300] = "tc ";
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(command + 3, sizeof(command) - 3, fmt, args);
	va_end(args);
	if (!run(command))
		fail_msg("%s", command);
}

/* The commands that libvirt 11.3 runs, but for the filter of marked packets. */
static void limit_as_libvirt(const char *device, const struct port_limits *l)
{
	const struct bandwidth_limit *in = &l->in, *out = &l->out;
	char peak[40] = "", burst[40] = "";

	if (in->peak)
		(void)snprintf(peak, sizeof(peak), "ceil %ukbps", in->peak);
	if (in->burst)
		(void)snprintf(burst, sizeof(burst), "burst %ukb", in->burst);
	if (in->average) {
		tc("qdisc add dev %s root handle 1: htb default 1", device);
		tc("class add dev %s parent 1: classid 1:1 htb rate %ukbps %s %s quantum %llu",
		   device, in->average, peak, burst, MAX(1ull, in->average * 1024ull / 8 / 1500));
	}
	if (in->average && kernel_shares)
		tc("qdisc add dev %s parent 1:1 handle 2: sfq perturb 10", device);
	if (out->average) {
		tc("qdisc add dev %s ingress", device);
		tc("filter add dev %s parent ffff: protocol all u32 match u32 0 0 police rate "
		   "%ukbps burst %ukb mtu 64kb drop flowid :1",
		   device, out->average, out->burst ? out->burst : out->average);
	}
}

static void limit_as_we(const char *device, const struct port_limits *l, enum bandwidth_view view)
{
	struct error err = { 0 };
	struct netlink nl;
	struct link link;

	assert_int_equal(netlink_open(&nl, &err), 0);
	assert_int_equal(netlink_find(&nl, device, &link), 0);
	if (bandwidth_set(&nl, link.index, l, view, &err) < 0)
		fail_msg("%s", err.text);
	netlink_close(&nl);
}

static void compare(const struct port_limits *l)
{
	char ours[3000], libvirts[3000];

	assert_true(run("ip tuntap add dev ours mode tap && ip tuntap add dev theirs mode tap"));
	limit_as_we("ours", l, BANDWIDTH_OF_TAP);
	limit_as_libvirt("theirs", l);
	show("ours", ours, sizeof(ours));
	show("theirs", libvirts, sizeof(libvirts));
	assert_string_equal(ours, libvirts);
	assert_true(run("ip link del ours && ip link del theirs"));
}

static void tc_shows_what_it_shows_of_libvirts_commands(void **state)
{
	/* bursts of whole microseconds: some versions of tc know no smaller ones */
	static const struct port_limits rows[] = {
		{ .in = { .average = 1000 } },
		{ .in = { .average = 1000, .peak = 5000, .burst = 1024 } },
		{ .in = { .average = 1 } },
		{ .in = { .average = 1280000, .peak = 2560000, .burst = 5000 } },
		{ .in = { .average = 12500000 } },
		{ .out = { .average = 1000 } },
		{ .out = { .average = 128, .peak = 256, .burst = 256 } },
		{ .out = { .average = 12500000, .burst = 62500 } },
		{ .in = { .average = 3 }, .out = { .average = 4 } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (kernel_polices || !rows[i].out.average)
			compare(&rows[i]);
}

static void a_macvtap_sends_what_the_guest_sends(void **state)
{
	const struct port_limits limits = { .out = { .average = 1000 } };
	char text[3000];

	(void)state;
	assert_true(run("ip tuntap add dev ours mode tap"));
	limit_as_we("ours", &limits, BANDWIDTH_OF_MACVTAP);
	show("ours", text, sizeof(text));
	assert_non_null(strstr(text, "htb"));
	assert_null(strstr(text, "ingress"));
	assert_true(run("ip link del ours"));
}

static void a_kernel_that_cannot_police_is_told_so(void **state)
{
	const struct port_limits limits = { .out = { .average = 1000 } };
	struct backend_spec spec = { .type = "tap", .limits = limits };
	struct backend_request r = { .spec = &spec, .guest = "test", .port = "net0" };
	struct opened_backend o;
	struct error err = { 0 };

	(void)state;
	if (kernel_polices)
		skip();
	assert_int_equal(host_backend_open(&r, &o, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "act_police"));
	assert_int_equal(o.nfds, 0);
}

/* --- ports ------------------------------------------------------------------------------------------------------- */

static struct opened_backend open_port(const char *type, const char *ifname,
				       struct port_limits limits)
{
	struct backend_spec spec = { .type = "", .limits = limits };
	struct backend_request r = {
		.spec = &spec, .guest = "test", .port = "net0", .mac = { 0x52, 0x54, 0, 0, 0, 1 }
	};
	struct opened_backend o;
	struct error err = { 0 };

	str_copy(spec.type, sizeof(spec.type), type);
	str_copy(spec.ifname, sizeof(spec.ifname), ifname);
	if (strcmp(type, "bridge") == 0)
		str_copy(spec.br, sizeof(spec.br), "br0");
	if (host_backend_open(&r, &o, &err) < 0)
		fail_msg("%s", err.text);
	return o;
}

static void a_users_own_tap_has_limits_as_long_as_the_guest_has_it(void **state)
{
	const struct port_limits limits = { .in = { .average = 1000 } };
	char text[3000];

	(void)state;
	assert_true(run("ip tuntap add dev mine mode tap && ip link set mine up"));
	struct opened_backend o = open_port("tap", "mine", limits);
	show("mine", text, sizeof(text));
	assert_non_null(strstr(text, "rate 8Mbit"));
	opened_backend_close(&o);
	show("mine", text, sizeof(text));
	assert_null(strstr(text, "htb"));
	/* of the way that has no limit everything stays */
	assert_true(run("tc qdisc add dev mine clsact"));
	o = open_port("tap", "mine", limits);
	show("mine", text, sizeof(text));
	assert_non_null(strstr(text, "clsact"));
	opened_backend_close(&o);
	show("mine", text, sizeof(text));
	assert_non_null(strstr(text, "clsact"));
	assert_true(run("tc qdisc del dev mine clsact && tc qdisc add dev mine ingress"));
	o = open_port("tap", "mine", limits);
	opened_backend_close(&o);
	show("mine", text, sizeof(text));
	assert_non_null(strstr(text, "ingress"));
	assert_true(run("tc qdisc del dev mine ingress"));
	/* what is not of ours stays */
	o = open_port("tap", "mine", limits);
	assert_true(run("tc qdisc replace dev mine root handle 9: htb"));
	opened_backend_close(&o);
	show("mine", text, sizeof(text));
	assert_non_null(strstr(text, "htb 9:"));
	assert_true(run("ip link del mine"));
}

/* clsact stands where ingress would: of another kind, it is not replaced. */
static void a_tap_with_a_clsact_of_the_users_is_told(void **state)
{
	struct backend_spec spec = { .type = "tap",
				     .ifname = "mine",
				     .limits = { .out = { .average = 1000 } } };
	struct backend_request r = { .spec = &spec, .guest = "test", .port = "net0" };
	struct opened_backend o;
	struct error err = { 0 };
	char text[3000];

	(void)state;
	assert_true(run("ip tuntap add dev mine mode tap && tc qdisc add dev mine clsact"));
	assert_int_equal(host_backend_open(&r, &o, &err), -EEXIST);
	assert_non_null(strstr(err.text, "next: tc qdisc del dev mine clsact"));
	show("mine", text, sizeof(text));
	assert_non_null(strstr(text, "clsact"));
	assert_true(run("ip link del mine"));
}

/* --- frames ------------------------------------------------------------------------------------------------------ */

static int udp_socket(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in there = here;
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, "10.9.0.1", &here.sin_addr);
	inet_pton(AF_INET, "10.9.0.2", &there.sin_addr);
	assert_int_equal(bind(sock, (struct sockaddr *)&here, sizeof(here)), 0);
	assert_int_equal(connect(sock, (struct sockaddr *)&there, sizeof(there)), 0);
	return sock;
}

static void make_frame(uint8_t data[HEADER + FRAME])
{
	struct ifreq ifr = { .ifr_name = "br0" };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t *at = data + HEADER;
	uint32_t sum = 0;

	assert_int_equal(ioctl(sock, SIOCGIFHWADDR, &ifr), 0);
	close(sock);
	memset(data, 0, HEADER + FRAME);
	memcpy(at, ifr.ifr_hwaddr.sa_data, 6);
	memcpy(at + 6, (const uint8_t[]){ 0x52, 0x54, 0, 0, 0, 1 }, 6);
	put_be16(at + 12, 0x0800);
	at += 14;
	at[0] = 0x45;
	put_be16(at + 2, 20 + 8 + PAYLOAD);
	at[8] = 64;
	at[9] = IPPROTO_UDP;
	memcpy(at + 12, (const uint8_t[]){ 10, 9, 0, 2, 10, 9, 0, 1 }, 8);
	for (unsigned i = 0; i < 20; i += 2)
		sum += get_be16(at + i);
	put_be16(at + 10, (uint16_t) ~(sum % 0xffff));
	at += 20;
	put_be16(at, PORT);
	put_be16(at + 2, PORT);
	put_be16(at + 4, 8 + PAYLOAD);
}

/* Bytes a second that come out on one side of the tap while the other side has more than enough. */
static double measure(const struct opened_backend *o, bool to_guest, double seconds)
{
	static uint8_t frame[HEADER + FRAME], in[HEADER + 65536];
	int sock = udp_socket();
	uint64_t start = monotonic_ns(), now = start, bytes = 0;

	make_frame(frame);
	while ((double)((now = monotonic_ns()) - start) < seconds * (double)NS_PER_S) {
		ssize_t n;

		for (unsigned i = 0; i < 8; i++)
			n = to_guest ? send(sock, frame, PAYLOAD, MSG_DONTWAIT)
				     : write(o->fds[0], frame, sizeof(frame));
		while ((n = to_guest ? read(o->fds[0], in, sizeof(in))
				     : recv(sock, in, sizeof(in), MSG_DONTWAIT)) > 0)
			bytes += (uint64_t)n;
	}
	close(sock);
	return (double)bytes * (double)NS_PER_S / (double)(now - start);
}

/* A loaded machine may be slow for a moment: the best of several. */
static double best_of(const struct opened_backend *o, bool to_guest)
{
	double best = 0;

	for (unsigned i = 0; i < 20 && best < 20 * MB; i++)
		best = MAX(best, measure(o, to_guest, 0.2));
	return best;
}

static double rate_with(struct port_limits limits, bool to_guest, bool limited)
{
	struct opened_backend o = open_port("bridge", "", limits);

	assert_true(run("ip neigh replace 10.9.0.2 lladdr " GUEST " dev br0 nud permanent"));
	double rate = limited ? measure(&o, to_guest, 2) : best_of(&o, to_guest);
	opened_backend_close(&o);
	return rate;
}

/* A small part of what this machine can, however loaded it is: a megabyte a second, mostly. */
static struct bandwidth_limit choose_limit(double free_rate)
{
	uint32_t average = (uint32_t)(MIN(free_rate, 20 * MB) / 20 / 1000);

	if (average < 10)
		skip(); /* hardly a frame passes at all */
	return (struct bandwidth_limit){ .average = average, .burst = average / 10 + 2 };
}

static void check_speed(bool to_guest)
{
	double free_rate = rate_with((struct port_limits){ 0 }, to_guest, false);
	const struct bandwidth_limit limit = choose_limit(free_rate);
	const struct port_limits both[] = { { .out = limit }, { .in = limit } };
	double rate = rate_with(both[to_guest], to_guest, true);

	print_message("%s the guest: %.1f MB/s, and %.2f MB/s with a limit of %.2f\n",
		      to_guest ? "to" : "from", free_rate / MB, rate / MB, limit.average / 1000.0);
	assert_true(rate > 0);
	assert_true(rate < 3000.0 * limit.average);
}

static void a_guest_receives_no_faster_than_its_limit(void **state)
{
	(void)state;
	check_speed(true);
}

static void a_guest_sends_no_faster_than_its_limit(void **state)
{
	(void)state;
	if (!kernel_polices)
		skip();
	check_speed(false);
}

static void a_limit_of_one_way_leaves_the_other_alone(void **state)
{
	const struct bandwidth_limit low = { .average = 10, .burst = 2 };

	(void)state;
	assert_true(rate_with((struct port_limits){ .in = low }, false, false) > 100000);
}

static int set_scene(void **state)
{
	(void)state;
	if (!run("ip link add br0 type bridge && ip link set br0 addrgenmode none up && "
		 "ip addr add 10.9.0.1/24 dev br0 && ip tuntap add dev probe mode tap"))
		return -1;
	kernel_shares = run("tc qdisc add dev probe root sfq 2>/dev/null");
	kernel_polices = run("tc qdisc add dev probe ingress && "
			     "tc filter add dev probe parent ffff: protocol all u32 match u32 0 0 "
			     "police rate 1mbit burst 10kb drop flowid :1 2>/dev/null");
	return !run("ip link del probe");
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(a_class_has_the_numbers_that_tc_would_compute),
		cmocka_unit_test(rates_beyond_32_bits_have_an_attribute_of_their_own),
		cmocka_unit_test(what_is_policed_bursts_for_a_second_unless_told_otherwise),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tc_shows_what_it_shows_of_libvirts_commands),
		cmocka_unit_test(a_macvtap_sends_what_the_guest_sends),
		cmocka_unit_test(a_kernel_that_cannot_police_is_told_so),
		cmocka_unit_test(a_users_own_tap_has_limits_as_long_as_the_guest_has_it),
		cmocka_unit_test(a_tap_with_a_clsact_of_the_users_is_told),
		cmocka_unit_test(a_guest_receives_no_faster_than_its_limit),
		cmocka_unit_test(a_guest_sends_no_faster_than_its_limit),
		cmocka_unit_test(a_limit_of_one_way_leaves_the_other_alone),
	};
	int failed = cmocka_run_group_tests(pure, NULL, NULL);

	if (failed)
		return failed;
	if (enter_netns() < 0 || need_tun() < 0)
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, set_scene, NULL);
}
