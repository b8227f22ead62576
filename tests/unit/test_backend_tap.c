#include "backend_help.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include "host_help.h"
#include "net/csum.h"
#include "net/offload.h"
#include "netns.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define HEADERS	 42u /* Ethernet, IPv4, UDP */
#define HOST_IP	 "10.9.8.1"
#define GUEST_IP "10.9.8.2"

static struct rx_room rx;
static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };

/* A backend on a tap as control and datapath make it together. */
struct fixture {
	struct backend *b;
	struct opened_backend open;
	int udp;
	uint8_t host_mac[6];
};

static struct backend_spec tap_spec(const char *ifname)
{
	struct backend_spec spec = spec_of("tap", -1);

	str_copy(spec.ifname, sizeof(spec.ifname), ifname);
	return spec;
}

static void hand_over(struct fixture *fx, struct backend_spec *spec)
{
	memcpy(spec->fds, fx->open.fds, sizeof(spec->fds));
	spec->nfds = fx->open.nfds;
	fx->open.nfds = 0;
	fx->b = must_create(spec);
}

static struct fixture open_tap(const char *ifname, unsigned queues)
{
	struct backend_spec spec = tap_spec(ifname);
	struct error err = { 0 };
	struct fixture fx = { .udp = -1 };

	if (open_host(&spec, queues, &fx.open, &err) < 0)
		fail_msg("%s", err.text);
	hand_over(&fx, &spec);
	return fx;
}

/* An address on the host's side, the guest's in its table, and a UDP socket on port 4000. */
static void add_host(struct fixture *fx)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(4000) };
	struct arpreq arp = { .arp_flags = ATF_COM | ATF_PERM };
	struct ifreq ifr = { 0 };

	assert_int_equal(set_address(fx->open.ifname, HOST_IP), 0);
	fx->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fx->udp, (struct sockaddr *)&at, sizeof(at)), 0);
	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), fx->open.ifname);
	assert_int_equal(ioctl(fx->udp, SIOCGIFHWADDR, &ifr), 0);
	memcpy(fx->host_mac, ifr.ifr_hwaddr.sa_data, 6);
	inet_pton(AF_INET, GUEST_IP, &((struct sockaddr_in *)&arp.arp_pa)->sin_addr);
	arp.arp_pa.sa_family = AF_INET;
	arp.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(arp.arp_ha.sa_data, guest_mac, 6);
	str_copy(arp.arp_dev, sizeof(arp.arp_dev), fx->open.ifname);
	assert_int_equal(ioctl(fx->udp, SIOCSARP, &arp), 0);
}

static void close_tap(struct fixture *fx)
{
	if (fx->udp >= 0)
		close(fx->udp);
	backend_destroy(fx->b);
	opened_backend_close(&fx->open);
}

/* A datagram from the guest with the checksum of its pseudo header only. */
static void make_datagram(const struct fixture *fx, struct frame *f, uint8_t *data,
			  uint32_t payload)
{
	uint32_t length = HEADERS + payload;
	struct in_addr to, from;

	memset(data, 0, HEADERS);
	for (uint32_t i = 0; i < payload; i++)
		data[HEADERS + i] = (uint8_t)(i / 100 + i);
	inet_pton(AF_INET, HOST_IP, &to);
	inet_pton(AF_INET, GUEST_IP, &from);
	memcpy(data, fx->host_mac, 6);
	memcpy(data + 6, guest_mac, 6);
	put_be16(data + 12, 0x0800);
	data[14] = 0x45;
	put_be16(data + 16, (uint16_t)(length - 14));
	data[22] = 64;
	data[23] = IPPROTO_UDP;
	memcpy(data + 26, &from, 4);
	memcpy(data + 30, &to, 4);
	put_be16(data + 24, csum_fold(csum_add(0, data + 14, 20, false)));
	put_be16(data + 34, 5000);
	put_be16(data + 36, 4000);
	put_be16(data + 38, (uint16_t)(length - 34));
	uint32_t pseudo = csum_add(IPPROTO_UDP + length - 34, data + 26, 8, false);
	put_be16(data + 40, (uint16_t)~csum_fold(pseudo));
	frame_set_linear(f, data, length);
	f->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	f->hdr.csum_start = 34;
	f->hdr.csum_offset = 6;
	f->hdr.hdr_len = HEADERS;
}

#define SOON 20000
#define NOT  200 /* ms that a frame would need at most to come where it must not */

static ssize_t host_receives(const struct fixture *fx, uint8_t *data, size_t room)
{
	struct pollfd p = { .fd = fx->udp, .events = POLLIN };

	return poll(&p, 1, SOON) == 1 ? recv(fx->udp, data, room, 0) : -1;
}

static bool host_hears_nothing(const struct fixture *fx)
{
	struct pollfd p = { .fd = fx->udp, .events = POLLIN };
	uint8_t byte;

	/* what the kernel finds wrong when it is read is nothing */
	return poll(&p, 1, NOT) == 0 || recv(fx->udp, &byte, 1, MSG_DONTWAIT) < 0;
}

/* Next UDP datagram for the guest, past what the kernel sends by itself (ARP, router solicitations). */
static struct frame *guest_receives(struct fixture *fx, int wait_ms)
{
	for (int tries = 0; tries < 100; tries++) {
		struct pollfd p = { .fd = fx->b->fd[0], .events = POLLIN };

		if (poll(&p, 1, wait_ms) != 1)
			return NULL;
		unsigned n = fx->b->ops->receive(fx->b, 0, rx_frames(&rx), 1);
		const uint8_t *data = rx.room[0].data;
		if (n && get_be16(data + 12) == 0x0800 && data[23] == IPPROTO_UDP &&
		    get_be16(data + 36) == 5000)
			return &rx.frames[0];
	}
	return NULL;
}

static void host_sends(const struct fixture *fx, const void *data, size_t len, int segment)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5000) };

	inet_pton(AF_INET, GUEST_IP, &to.sin_addr);
	if (segment)
		assert_int_equal(
			setsockopt(fx->udp, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)),
			0);
	assert_int_equal(sendto(fx->udp, data, len, 0, (struct sockaddr *)&to, sizeof(to)),
			 (ssize_t)len);
}

static void a_tap_is_made_up_and_goes_with_its_descriptor(void **state)
{
	(void)state;
	struct fixture fx = open_tap("tapmade", 1);
	assert_true(fx.open.made);
	assert_int_equal(fx.open.mtu, 1500);
	assert_string_equal(fx.open.ifname, "tapmade");
	assert_true(fx.b->up);
	assert_int_equal(fx.b->fds, 1);
	assert_true(fx.b->ops->offloads(fx.b) & FRAME_TSO4);
	close_tap(&fx);
	assert_int_equal(if_nametoindex("tapmade"), 0);
	fx = open_tap("", 1); /* without a name the kernel chooses */
	assert_memory_equal(fx.open.ifname, "anynic", 6);
	close_tap(&fx);
}

static void a_request_for_a_checksum_passes_through(void **state)
{
	static uint8_t data[2000], got[2000];
	struct frame f;

	(void)state;
	struct fixture fx = open_tap("tap0", 1);
	add_host(&fx);
	make_datagram(&fx, &f, data, 1000);
	assert_int_equal(fx.b->ops->send(fx.b, &f, 1), 1);
	assert_int_equal(host_receives(&fx, got, sizeof(got)), 1000);
	assert_memory_equal(got, data + HEADERS, 1000);
	/* the same frame without the request is wrong, and the host notices */
	f.hdr.flags = 0;
	assert_int_equal(fx.b->ops->send(fx.b, &f, 1), 1);
	assert_true(host_hears_nothing(&fx));
	close_tap(&fx);
}

static void large_datagrams_are_cut_by_the_kernel_or_by_us(void **state)
{
	static uint8_t data[FRAME_MAX], room[2 * FRAME_MAX], got[2000];
	static struct frame out[FRAME_BATCH];
	struct offload_walk w;
	struct frame f;

	(void)state;
	struct fixture fx = open_tap("tap0", 1);
	add_host(&fx);
	uint32_t takes = fx.b->ops->offloads(fx.b);
	for (unsigned software = 0; software < 2; software++) {
		make_datagram(&fx, &f, data, 10500);
		f.hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		f.hdr.gso_size = 1000;
		assert_int_equal(
			offload_walk_begin(&w, &f, software ? 0 : takes, room, sizeof(room)), 0);
		unsigned n = offload_walk_fill(&w, out, FRAME_BATCH);
		assert_int_equal(n, software || !(takes & FRAME_USO) ? 11 : 1);
		assert_int_equal(fx.b->ops->send(fx.b, out, n), n);
		for (unsigned i = 0; i < 11; i++) {
			assert_int_equal(host_receives(&fx, got, sizeof(got)), i < 10 ? 1000 : 500);
			assert_memory_equal(got, data + HEADERS + i * 1000, 500);
		}
		assert_true(host_hears_nothing(&fx));
	}
	assert_int_equal(fx.b->refused, 0);
	close_tap(&fx);
}

static void the_guest_gets_what_its_driver_takes_and_no_more(void **state)
{
	static uint8_t data[8000];

	(void)state;
	struct fixture fx = open_tap("tap0", 1);
	add_host(&fx);
	fx.b->ops->set_rx_offloads(fx.b, 0);
	host_sends(&fx, data, 900, 0);
	struct frame *f = guest_receives(&fx, SOON);
	assert_non_null(f);
	assert_int_equal(f->length, HEADERS + 900);
	assert_int_equal(f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
	uint32_t sum = csum_add(IPPROTO_UDP + 908, rx.room[0].data + 26, 8, false);
	assert_int_equal(csum_fold(csum_add(sum, rx.room[0].data + 34, 908, false)), 0);

	fx.b->ops->set_rx_offloads(fx.b, FRAME_CSUM);
	host_sends(&fx, data, 900, 0);
	f = guest_receives(&fx, SOON);
	assert_non_null(f);
	assert_int_equal(f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(f->hdr.csum_start, 34);
	assert_int_equal(frame_check(f), 0);

	bool uso = fx.b->ops->offloads(fx.b) & FRAME_USO;
	fx.b->ops->set_rx_offloads(fx.b, FRAME_OFFLOADS_ALL);
	host_sends(&fx, data, 8000, 1000);
	f = guest_receives(&fx, SOON);
	assert_non_null(f);
	assert_int_equal(f->length, HEADERS + (uso ? 8000 : 1000));
	assert_int_equal(frame_needs(f), FRAME_CSUM | (uso ? FRAME_USO : 0u));
	assert_int_equal(frame_check(f), 0);

	fx.b->ops->set_rx_offloads(fx.b, FRAME_OFFLOADS_ALL & ~(uint32_t)FRAME_USO);
	while (guest_receives(&fx, NOT))
		;
	host_sends(&fx, data, 8000, 1000);
	f = guest_receives(&fx, SOON);
	assert_int_equal(f->length, HEADERS + 1000);
	close_tap(&fx);
}

static void each_queue_has_a_descriptor(void **state)
{
	static uint8_t data[2000], got[2000];
	struct frame f;

	(void)state;
	struct fixture fx = open_tap("tapmq", 4);
	assert_int_equal(fx.b->fds, 4);
	add_host(&fx);
	for (unsigned q = 0; q < 8; q++) { /* more queues than descriptors: they share */
		make_datagram(&fx, &f, data, 100 + q);
		f.queue = (uint16_t)q;
		assert_int_equal(fx.b->ops->send(fx.b, &f, 1), 1);
		assert_int_equal(host_receives(&fx, got, sizeof(got)), 100 + q);
	}
	/* the kernel answers a flow on the queue that it came from */
	unsigned found = QUEUES_MAX;
	make_datagram(&fx, &f, data, 100);
	f.queue = 2;
	assert_int_equal(fx.b->ops->send(fx.b, &f, 1), 1);
	host_sends(&fx, data, 50, 0);
	for (unsigned q = 0; q < 4; q++) {
		for (;;) {
			if (fx.b->ops->receive(fx.b, q, rx_frames(&rx), 1) == 0)
				break;
			assert_int_equal(rx.frames[0].queue, q);
			if (rx.room[0].data[23] == IPPROTO_UDP &&
			    get_be16(rx.room[0].data + 36) == 5000)
				found = q;
		}
	}
	assert_in_range(found, 0, 3);
	close_tap(&fx);
}

static void sixteen_queues_are_the_most(void **state)
{
	static uint8_t data[2000], got[2000];
	struct frame f;

	(void)state;
	struct fixture fx = open_tap("tapmost", 99);
	assert_int_equal(fx.b->fds, 16);
	add_host(&fx);
	make_datagram(&fx, &f, data, 100);
	f.queue = 15;
	assert_int_equal(fx.b->ops->send(fx.b, &f, 1), 1);
	assert_int_equal(host_receives(&fx, got, sizeof(got)), 100);
	close_tap(&fx);
}

static int raw_tap(const char *name, short flags)
{
	struct ifreq ifr = { .ifr_flags = flags };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

static void a_given_tap_without_header_works_in_software(void **state)
{
	static uint8_t data[2000], got[2000], room[FRAME_MAX];
	struct backend_spec spec = spec_of("tap", raw_tap("tapraw", IFF_TAP | IFF_NO_PI));
	struct fixture fx = { .udp = -1 };
	struct error err = { 0 };
	struct offload_walk w;
	struct frame f, out;

	(void)state;
	if (open_host(&spec, 1, &fx.open, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(fx.open.made);
	assert_string_equal(fx.open.ifname, "tapraw");
	hand_over(&fx, &spec);
	assert_int_equal(set_link("tapraw", true), 0);
	add_host(&fx);
	assert_int_equal(fx.b->ops->offloads(fx.b), 0);
	fx.b->ops->set_rx_offloads(fx.b, FRAME_OFFLOADS_ALL);
	make_datagram(&fx, &f, data, 700);
	assert_int_equal(offload_walk_begin(&w, &f, 0, room, sizeof(room)), 0);
	assert_true(offload_walk_next(&w, &out));
	assert_int_equal(fx.b->ops->send(fx.b, &out, 1), 1);
	assert_int_equal(host_receives(&fx, got, sizeof(got)), 700);
	host_sends(&fx, data, 300, 0);
	struct frame *g = guest_receives(&fx, SOON);
	assert_int_equal(g->length, HEADERS + 300);
	assert_int_equal(frame_needs(g), 0);
	close_tap(&fx);
}

static void a_tap_that_is_down_says_so_and_comes_back(void **state)
{
	uint8_t data[2000];
	struct frame f;

	(void)state;
	struct fixture fx = open_tap("tap0", 1);
	add_host(&fx);
	make_datagram(&fx, &f, data, 100);
	assert_int_equal(set_link("tap0", false), 0);
	assert_int_equal(fx.b->ops->send(fx.b, &f, 1), 1);
	assert_int_equal(fx.b->refused, 1);
	assert_false(fx.b->up);
	assert_true(fx.b->up_changed);
	assert_non_null(strstr(fx.b->reason, "ip link set tap0 up"));
	fx.b->up_changed = false;
	assert_int_equal(set_link("tap0", true), 0);
	assert_int_equal(fx.b->ops->send(fx.b, &f, 1), 1);
	assert_true(fx.b->up && fx.b->up_changed);
	close_tap(&fx);
}

static void a_tap_that_is_deleted_is_down_until_it_is_renewed(void **state)
{
	uint8_t data[2000];
	struct frame f;

	(void)state;
	struct fixture fx = open_tap("tapgone", 2);
	fx.host_mac[0] = 2;
	make_datagram(&fx, &f, data, 100);
	assert_int_equal(system("ip link delete tapgone"), 0);
	assert_int_equal(fx.b->ops->receive(fx.b, 1, rx_frames(&rx), 4), 0);
	assert_false(fx.b->up);
	assert_int_equal(fx.b->fds, 0);
	assert_true(fx.b->fds_changed);
	assert_int_equal(fx.b->ops->send(fx.b, &f, 1), 1);
	assert_int_equal(fx.b->ops->receive(fx.b, 0, rx_frames(&rx), 4), 0);
	close_tap(&fx);
}

/* What the guest's driver was told of the old one holds for the new one, and frames pass both ways. */
static void a_tap_that_is_made_again_goes_on(void **state)
{
	static uint8_t data[8000], got[2000];
	struct error err = { 0 };
	struct frame f;

	(void)state;
	for (unsigned queues = 1; queues <= 2; queues++) {
		struct fixture fx = open_tap("tapnew", 2);
		struct backend_spec spec = tap_spec("tapnew");
		struct opened_backend again;

		fx.b->ops->set_rx_offloads(fx.b, FRAME_CSUM);
		assert_int_equal(system("ip link delete tapnew"), 0);
		assert_int_equal(fx.b->ops->receive(fx.b, 0, rx_frames(&rx), 4), 0);
		assert_false(fx.b->up);
		assert_int_equal(open_host(&spec, queues, &again, &err), 0);
		fx.b->fds_changed = fx.b->up_changed = false;
		assert_int_equal(backend_renew(fx.b, again.fds, again.nfds, &err), 0);
		assert_true(fx.b->up && fx.b->up_changed && fx.b->fds_changed);
		assert_int_equal(fx.b->fds, queues);
		add_host(&fx);
		for (uint16_t q = 0; q < 2; q++) {
			make_datagram(&fx, &f, data, 100);
			f.queue = q;
			assert_int_equal(fx.b->ops->send(fx.b, &f, 1), 1);
			assert_int_equal(host_receives(&fx, got, sizeof(got)), 100);
		}
		host_sends(&fx, data, 900, 0);
		bool found = false;
		for (unsigned q = 0; q < queues; q++)
			while (fx.b->ops->receive(fx.b, q, rx_frames(&rx), 1) == 1)
				found |= rx.frames[0].length == HEADERS + 900 &&
					 rx.frames[0].hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
		assert_true(found);
		close_tap(&fx);
	}
}

/* It stays as it was: down, and to be renewed by a better one. */
static void what_is_no_tap_does_not_renew_one(void **state)
{
	struct fixture fx = open_tap("tapnew", 1);
	struct error err = { 0 };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(backend_renew(fx.b, pair, 1, &err) < 0);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1); /* taken all the same */
	assert_int_equal(fx.b->fds, 1);
	assert_true(backend_renew(fx.b, NULL, 0, &err) < 0);
	close(pair[1]);
	close_tap(&fx);
}

static void assert_refused(struct backend_spec spec, unsigned queues, int code, const char *words)
{
	struct opened_backend o;
	struct error err = { 0 };

	assert_int_equal(open_host(&spec, queues, &o, &err), code);
	if (!strstr(err.text, words))
		fail_msg("'%s' says nothing of '%s'", err.text, words);
	assert_int_equal(o.nfds, 0);
}

static void what_is_no_tap_or_busy_is_refused_with_a_next_step(void **state)
{
	int pair[2], taken = raw_tap("tapbusy", IFF_TAP | IFF_NO_PI);

	(void)state;
	assert_refused(tap_spec("tapbusy"), 1, -EBUSY, "in use by another program");
	close(taken);
	assert_refused(tap_spec("lo"), 1, -EINVAL, "no tap");
	taken = raw_tap("tunx", IFF_TUN | IFF_NO_PI);
	assert_refused(tap_spec("tunx"), 1, -EINVAL, "no tap");
	assert_refused(spec_of("tap", taken), 1, -EINVAL, "IFF_TAP");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	assert_refused(spec_of("tap", pair[0]), 1, -EINVAL, "no tap");
	assert_refused(spec_of("tap", 987), 1, -EBADF, "not open");
	assert_refused(tap_spec("a/b"), 1, -EINVAL, "no name");
}

static void an_existing_tap_is_used_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(system("ip tuntap add dev tapone mode tap && ip link set tapone mtu 9000"),
			 0);
	struct fixture fx = open_tap("tapone", 4); /* single-queue: one descriptor for all */
	assert_int_equal(fx.b->fds, 1);
	assert_int_equal(fx.open.mtu, 9000);
	assert_false(fx.open.made);
	close_tap(&fx);
	assert_int_not_equal(if_nametoindex("tapone"), 0);
	assert_int_equal(system("ip tuntap del dev tapone mode tap && ip tuntap add dev tapmany "
				"mode tap multi_queue"),
			 0);
	fx = open_tap("tapmany", 1);
	assert_int_equal(fx.b->fds, 1);
	close_tap(&fx);
	fx = open_tap("tapmany", 3);
	assert_int_equal(fx.b->fds, 3);
	close_tap(&fx);
}

static void a_wished_mtu_is_set_on_a_tap_of_ours(void **state)
{
	struct backend_spec spec = tap_spec("tapmtu");
	struct opened_backend o;
	struct error err = { 0 };

	(void)state;
	spec.mtu = 9000;
	assert_int_equal(open_host(&spec, 1, &o, &err), 0);
	assert_int_equal(o.mtu, 9000);
	opened_backend_close(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tap_is_made_up_and_goes_with_its_descriptor),
		cmocka_unit_test(a_request_for_a_checksum_passes_through),
		cmocka_unit_test(large_datagrams_are_cut_by_the_kernel_or_by_us),
		cmocka_unit_test(the_guest_gets_what_its_driver_takes_and_no_more),
		cmocka_unit_test(each_queue_has_a_descriptor),
		cmocka_unit_test(sixteen_queues_are_the_most),
		cmocka_unit_test(a_given_tap_without_header_works_in_software),
		cmocka_unit_test(a_tap_that_is_down_says_so_and_comes_back),
		cmocka_unit_test(a_tap_that_is_deleted_is_down_until_it_is_renewed),
		cmocka_unit_test(a_tap_that_is_made_again_goes_on),
		cmocka_unit_test(what_is_no_tap_does_not_renew_one),
		cmocka_unit_test(what_is_no_tap_or_busy_is_refused_with_a_next_step),
		cmocka_unit_test(an_existing_tap_is_used_as_it_is),
		cmocka_unit_test(a_wished_mtu_is_set_on_a_tap_of_ours),
	};

	if (enter_netns() < 0 || need_tun() < 0)
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
