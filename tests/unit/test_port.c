/* A port between two NICs that count and a backend that can be made slow: what passes, what is dropped and why, and that a
 * direct move loses and doubles nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "net/csum.h"
#include "port/port.h"

/* --- a NIC that takes `room` frames and has `posted` frames to send --- */
struct fake_nic {
	struct nic nic;
	unsigned room, got, posted, sent;
	unsigned posted_second;	   /* on queue 1 */
	const struct frame *large; /* what it posts; NULL: small frames with a serial number */
	uint32_t seen[4096];	   /* serial numbers of the frames that it got */
	uint8_t data[64];
	uint8_t last[64]; /* the beginning of the frame that came last */
};

static unsigned fake_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct fake_nic *f = (struct fake_nic *)nic;
	unsigned taken = 0;

	while (taken < n && f->room) {
		f->room--;
		frame_copy_out(&frames[taken], 0, f->last, sizeof(f->last));
		frame_copy_out(&frames[taken], 14, &f->seen[f->got++ % 4096], 4);
		taken++;
	}
	return taken;
}

static bool fake_transmit(struct nic *nic, unsigned queue)
{
	struct fake_nic *f = (struct fake_nic *)nic;
	unsigned *posted = queue ? &f->posted_second : &f->posted;
	struct frame frame;

	for (int i = 0; queue < 2 && *posted && i < 4; i++) {
		put_le32(f->data + 14, f->sent);
		frame_set_linear(&frame, f->data, sizeof(f->data));
		if (f->large)
			frame = *f->large;
		nic->walked += frame.length;
		if (nic_send(nic, &frame, 1) == 0)
			return false; /* as the models do: the owner comes back */
		f->sent++;
		*posted -= *posted != UINT32_MAX;
	}
	return queue < 2 && *posted;
}

static void fake_nothing(struct nic *nic)
{
	(void)nic;
}

static const struct nic_ops fake_ops = { .name = "fake",
					 .finish = fake_nothing,
					 .receive = fake_receive,
					 .transmit = fake_transmit,
					 .link_changed = fake_nothing };

/* --- a backend that takes `room` frames and has `waiting` frames to give --- */
static struct fake_backend {
	struct backend b;
	unsigned room, waiting, given, got;
	uint32_t offloads, told;
	uint32_t gso_len; /* next frame to give is a TCP segment of this payload; 0 = a plain one */
	uint16_t gso_size;
	uint32_t seq[16384];
	unsigned bytes;
} fb;

static unsigned fb_send(struct backend *b, const struct frame *frames, unsigned n)
{
	unsigned taken = 0;

	(void)b;
	while (taken < n && fb.room) {
		fb.room--;
		fb.bytes += frames[taken].length;
		/* TCP frames of these tests: Ethernet 14, IPv4 20; the sequence number is at 38 */
		uint8_t seq[4] = { 0 };
		frame_copy_out(&frames[taken], 38, seq, 4);
		fb.seq[fb.got++ % 16384] = get_be32(seq);
		taken++;
	}
	return taken;
}

static unsigned make_tcp(uint8_t *p, unsigned payload)
{
	static const uint8_t head[54] = { 0x52, 0x54, 0,    0,	  0,	1, 0x52, 0x54, 0,  0,	 0,
					  2,	0x08, 0x00, 0x45, 0,	0, 0,	 0,    1,  0x40, 0,
					  64,	6,    0,    0,	  10,	0, 0,	 1,    10, 0,	 0,
					  2,	0x10, 0,    0x20, 0,	0, 0,	 0,    0,  0,	 0,
					  0,	0,    0x50, 0x18, 0x20, 0, 0,	 0,    0,  0 };
	memcpy(p, head, sizeof(head));
	put_be16(p + 16, (uint16_t)(40 + payload));
	memset(p + 54, 'p', payload);
	return 54 + payload;
}

static struct virtio_net_hdr_v1 tcp_header(void)
{
	return (struct virtio_net_hdr_v1){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					   .hdr_len = 54,
					   .gso_size = 1000,
					   .csum_start = 34,
					   .csum_offset = 16 };
}

static unsigned fb_receive(struct backend *b, unsigned queue, struct frame *frames, unsigned max)
{
	unsigned n = 0;

	(void)b;
	(void)queue;
	while (n < max && fb.waiting) {
		uint8_t *p = frames[n].iov[0].iov_base;
		unsigned len = 64;
		memset(p, 0, 64);
		put_le32(p + 14, fb.given++);
		if (fb.gso_len)
			len = make_tcp(p, fb.gso_len);
		frame_set_linear(&frames[n], p, len);
		if (fb.gso_len)
			frames[n].hdr = tcp_header();
		if (fb.gso_size)
			frames[n].hdr.gso_size = fb.gso_size;
		fb.gso_len = 0;
		fb.waiting--;
		n++;
	}
	return n;
}

static uint32_t fb_offloads(const struct backend *b)
{
	(void)b;
	return fb.offloads;
}

static void fb_tell(struct backend *b, uint32_t offloads)
{
	(void)b;
	fb.told = offloads;
}

static void fb_finish(struct backend *b)
{
	(void)b;
}

static const struct backend_ops fb_ops = { .name = "fake",
					   .send = fb_send,
					   .receive = fb_receive,
					   .offloads = fb_offloads,
					   .set_rx_offloads = fb_tell,
					   .finish = fb_finish };

static struct port port;
static struct port_scratch scratch;
static struct fake_nic *legacy, *performant;

static int setup(void **state)
{
	static struct clock clock;
	struct port_spec spec = { .id = "net0", .nics = 2 };
	struct nic *nics[PORT_NICS];

	(void)state;
	fb = (struct fake_backend){ .b.ops = &fb_ops, .room = UINT32_MAX };
	for (unsigned i = 0; i < 2; i++) {
		struct fake_nic *f = calloc(1, sizeof(*f));
		f->nic.ops = &fake_ops;
		f->nic.clock = &clock;
		nics[i] = &f->nic;
	}
	legacy = (struct fake_nic *)nics[0];
	performant = (struct fake_nic *)nics[1];
	assert_int_equal(port_scratch_init(&scratch), 0);
	struct backend *b = malloc(sizeof(fb)); /* the port frees it; the tests' own is `fb` */
	memcpy(b, &fb, sizeof(fb));
	return port_init(&port, &spec, b, nics, 2, &scratch, NULL);
}

static int teardown(void **state)
{
	(void)state;
	port_finish(&port);
	port_scratch_finish(&scratch);
	return 0;
}

static void links(bool l, bool p, int active)
{
	const bool up[PORT_NICS] = { l, p };
	port_set_links(&port, up, active, -1);
}

static void receive_all(void)
{
	while (port_receive(&port, 0))
		;
}

static void frames_without_an_active_nic_are_read_dropped_and_counted(void **state)
{
	(void)state;
	fb.waiting = 100;
	receive_all();
	assert_int_equal(fb.waiting, 0);
	assert_int_equal(port.counters.drop[DROP_NO_ACTIVE_NIC], 100);
}

static void only_the_active_nic_with_link_may_send(void **state)
{
	(void)state;
	legacy->posted = performant->posted = 10;
	links(true, false, 0);
	nic_kick(&legacy->nic, 0);
	nic_kick(&performant->nic, 0);
	while (port_transmit(&port))
		;
	assert_int_equal(fb.got, 10);
	assert_int_equal(port.counters.drop[DROP_LINK_DOWN], 10);
	links(true, true, 1);
	legacy->posted = 3;
	nic_kick(&legacy->nic, 0);
	while (port_transmit(&port))
		;
	assert_int_equal(port.counters.drop[DROP_INACTIVE], 3);
}

static void a_guest_without_buffers_makes_the_backend_wait(void **state)
{
	(void)state;
	links(true, false, 0);
	legacy->room = 10;
	fb.waiting = 100;
	receive_all();
	assert_int_equal(legacy->got, 10);
	assert_true(port_rx_waits(&port));
	assert_int_equal(fb.waiting, 100 - PORT_RX_BATCH);
	legacy->room = 200;
	assert_true(port_deliver(&port));
	receive_all();
	assert_int_equal(legacy->got, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(legacy->seen[i], i);
}

static void a_direct_move_loses_and_doubles_nothing(void **state)
{
	(void)state;
	links(true, false, 0);
	unsigned expected = 0;
	for (int round = 0; round < 20; round++) {
		struct fake_nic *now = round & 1 ? performant : legacy;
		unsigned got = now->got;
		now->room = 17; /* stops in the middle of a batch */
		fb.waiting = 40;
		receive_all();
		assert_int_equal(now->got - got, 17);
		for (uint32_t i = got; i < now->got; i++)
			assert_int_equal(now->seen[i], expected++);
		now->room = 0;
		struct fake_nic *next = round & 1 ? legacy : performant;
		got = next->got;
		next->room = 1000;
		links(round & 1, !(round & 1), !(round & 1));
		receive_all();
		for (uint32_t i = got; i < next->got; i++)
			assert_int_equal(next->seen[i], expected++);
		next->room = 0;
	}
	assert_int_equal(legacy->got + performant->got, fb.given);
}

static void posted_transmits_of_the_old_nic_go_out_before_the_move(void **state)
{
	(void)state;
	links(true, false, 0);
	legacy->posted = 50;
	nic_kick(&legacy->nic, 0);
	links(false, true, 1);
	assert_int_equal(fb.got, 50);
	assert_int_equal(port.counters.drop[DROP_LINK_DOWN], 0);
}

static void a_blocked_backend_leaves_the_ring_as_it_is(void **state)
{
	(void)state;
	links(true, false, 0);
	legacy->posted = 20;
	fb.room = 7;
	nic_kick(&legacy->nic, 0);
	while (port_transmit(&port))
		;
	assert_true(port.tx_blocked);
	assert_int_equal(legacy->posted, 13);
	fb.room = 100;
	port_unblock(&port);
	while (port_transmit(&port))
		;
	assert_int_equal(fb.got, 20);
}

/* A plain frame, four segments of one stream, a plain frame. */
static void make_stream(struct frame *frames, uint8_t (*data)[1100])
{
	for (unsigned i = 0; i < 6; i++) {
		uint8_t *p = data[i];
		if (i == 0 || i == 5) {
			memset(p, 0, 64);
			frame_set_linear(&frames[i], p, 64);
			continue;
		}
		frame_set_linear(&frames[i], p, make_tcp(p, 1000));
		put_be16(p + 18, (uint16_t)i);
		put_be16(p + 24, 0);
		put_be16(p + 24, csum_fold(csum_add(0, p + 14, 20, false)));
		put_be32(p + 38, 1000 * i);
		p[47] = 0x10;
		put_be16(p + 50, csum_fold(csum_add(csum_add(6 + 1020, p + 26, 8, false), p + 34,
						    1020, false)));
	}
}

static void a_stream_goes_as_one_frame_to_a_backend_that_takes_it(void **state)
{
	static uint8_t data[6][1100];
	static struct frame frames[6];

	(void)state;
	links(true, false, 0);
	make_stream(frames, data);
	assert_int_equal(nic_send(&legacy->nic, frames, 6), 6);
	assert_int_equal(fb.got, 6); /* not to one that does not */
	fb.offloads = FRAME_CSUM | FRAME_TSO4;
	assert_int_equal(nic_send(&legacy->nic, frames, 6), 6);
	assert_int_equal(fb.got, 6 + 3);
	assert_int_equal(fb.seq[7], 1000);
	assert_int_equal(fb.bytes, 2 * (64 + 4054 + 64) + 3 * 54);
	assert_int_equal(port.counters.tx_frames, 12); /* as the guest sent them */
	assert_int_equal(port.counters.tx_bytes, 2 * (64 + 4 * 1054 + 64));
}

static void a_joined_frame_goes_as_a_whole_or_stays_as_a_whole(void **state)
{
	static uint8_t data[6][1100];
	static struct frame frames[6];

	(void)state;
	links(true, false, 0);
	make_stream(frames, data);
	fb.offloads = FRAME_CSUM | FRAME_TSO4;
	fb.room = 0;
	assert_int_equal(nic_send(&legacy->nic, frames, 6), 0);
	fb.room = 1;
	assert_int_equal(nic_send(&legacy->nic, frames, 6), 1);
	assert_true(port.tx_blocked);
	fb.room = 1;
	assert_int_equal(nic_send(&legacy->nic, frames + 1, 5), 4);
	fb.room = 1;
	assert_int_equal(nic_send(&legacy->nic, frames + 5, 1), 1);
	assert_int_equal(fb.got, 3);
	assert_int_equal(port.counters.tx_frames, 6);
}

/* What the worker does with a port whose backend became writable, or whose turn is over. */
static void turn(void)
{
	if (port.tx_blocked)
		port_unblock(&port);
	port_transmit(&port);
}

static void a_queue_that_waits_goes_on_though_another_one_got_through(void **state)
{
	(void)state;
	links(true, false, 0);
	legacy->posted = 10;
	fb.room = 2;
	nic_kick(&legacy->nic, 0);
	port_transmit(&port);
	assert_int_equal(legacy->posted, 8);
	/* the backend has room again, and the guest kicks its other queue before anybody looks */
	fb.room = 100;
	legacy->posted_second = 3;
	nic_kick(&legacy->nic, 1);
	port_transmit(&port);
	assert_int_equal(legacy->posted_second, 0);
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(legacy->posted, 0);
	assert_int_equal(fb.got, 13);
}

static void a_queue_without_end_leaves_turns_to_the_others(void **state)
{
	(void)state;
	static uint8_t big[60000] = { 2 };
	struct frame frame;

	frame_set_linear(&frame, big, sizeof(big));
	legacy->large = &frame;
	links(true, false, 0);
	legacy->posted = UINT32_MAX;
	legacy->posted_second = 50;
	nic_kick(&legacy->nic, 0);
	nic_kick(&legacy->nic, 1);
	for (unsigned i = 0; i < 30; i++) {
		uint64_t before = port.counters.tx_bytes;
		assert_true(port_transmit(&port));
		assert_true(port.counters.tx_bytes - before <=
			    PORT_TURN_BYTES + 4 * sizeof(big)); /* a batch is four frames here */
	}
	assert_int_equal(legacy->posted_second, 0);
}

static void segments_are_made_for_a_backend_that_cannot(void **state)
{
	(void)state;
	static uint8_t big[60000];
	struct frame f;

	links(true, false, 0);
	frame_set_linear(&f, big, make_tcp(big, 45500));
	f.hdr = tcp_header();
	/* it blocks in the middle: the port has the rest, and what went out is not sent again */
	fb.room = 20;
	assert_int_equal(nic_send(&legacy->nic, &f, 1), 1);
	memset(big, 0xee, sizeof(big)); /* the guest's memory is the guest's again */
	fb.room = 9;
	turn();
	assert_int_equal(fb.got, 29);
	fb.room = 100;
	turn();
	assert_int_equal(fb.got, 46);
	for (uint32_t i = 0; i < 46; i++)
		assert_int_equal(fb.seq[i], 1000 * i);
	assert_int_equal(fb.bytes, 45500 + 46 * 54);
	/* and not for one that can */
	frame_set_linear(&f, big, make_tcp(big, 45500));
	f.hdr = tcp_header();
	fb.offloads = FRAME_CSUM | FRAME_TSO4;
	assert_int_equal(nic_send(&legacy->nic, &f, 1), 1);
	assert_int_equal(fb.got, 47);
}

static void the_rest_of_a_large_frame_is_no_other_frame_s(void **state)
{
	(void)state;
	static uint8_t big[2][60000];
	struct frame f[2];

	links(true, true, 0);
	for (int i = 0; i < 2; i++) {
		frame_set_linear(&f[i], big[i], make_tcp(big[i], 45500));
		f[i].hdr = tcp_header();
	}
	fb.room = 20;
	assert_int_equal(nic_send(&legacy->nic, &f[0], 1), 1);
	/* the guest resets the card, and its next frame is another one; or the other card takes over */
	fb.room = 1000;
	assert_int_equal(nic_send(&legacy->nic, &f[1], 1), 1);
	links(true, true, 1);
	assert_int_equal(nic_send(&performant->nic, &f[1], 1), 1);
	assert_int_equal(fb.got, 3 * 46);
	for (uint32_t i = 0; i < fb.got; i++)
		assert_int_equal(fb.seq[i], 1000 * (i % 46));
	/* also over a move in the middle */
	fb.room = 5;
	assert_int_equal(nic_send(&performant->nic, &f[0], 1), 1);
	links(true, false, 0);
	fb.room = 1000;
	turn();
	assert_int_equal(fb.got, 4 * 46);
}

/* Or the worker would go round without a sleep until the backend has room. */
static void a_kick_while_a_rest_waits_is_no_work(void **state)
{
	(void)state;
	static uint8_t big[60000];
	struct frame f;

	links(true, false, 0);
	frame_set_linear(&f, big, make_tcp(big, 45500));
	f.hdr = tcp_header();
	fb.room = 20;
	assert_int_equal(nic_send(&legacy->nic, &f, 1), 1);
	legacy->posted = 3;
	nic_kick(&legacy->nic, 0);
	assert_false(port_transmit(&port));
	assert_int_equal(legacy->nic.notes.runnable, 0);
	fb.room = 1000;
	turn();
	turn();
	assert_int_equal(legacy->posted, 0);
}

static void a_frame_of_eight_thousand_segments_takes_many_turns(void **state)
{
	(void)state;
	static uint8_t big[65000];
	const unsigned segments = 64000 / 8;
	struct frame f;
	unsigned turns = 0;

	links(true, false, 0);
	frame_set_linear(&f, big, make_tcp(big, 64000));
	f.hdr = tcp_header();
	f.hdr.gso_size = 8;
	assert_int_equal(nic_send(&legacy->nic, &f, 1), 1);
	assert_int_equal(nic_send(&legacy->nic, &f, 1), 0);
	for (; fb.got < segments; turns++) {
		unsigned before = fb.got;

		assert_true(port.tx_blocked);
		turn();
		assert_in_range(fb.got - before, 1, PORT_TURN_SEGMENTS);
	}
	assert_in_range(turns, segments / PORT_TURN_SEGMENTS, segments / PORT_TURN_SEGMENTS + 1);
	turn();
	assert_int_equal(fb.got, segments);
	for (uint32_t i = 0; i < segments; i++)
		assert_int_equal(fb.seq[i], 8 * i);
	/* and in the other direction, from a neighbour on the wire */
	legacy->room = UINT32_MAX;
	fb.waiting = 3;
	fb.gso_len = 64000;
	fb.gso_size = 8;
	for (turns = 0; turns < 100; turns++) {
		unsigned before = legacy->got;
		bool more = port_receive(&port, 0);

		assert_true(legacy->got - before <= PORT_TURN_SEGMENTS + 2);
		assert_int_equal(more, port.rx_paused);
		if (!more)
			break;
	}
	assert_int_equal(legacy->got, segments + 2);
	assert_in_range(turns, segments / PORT_TURN_SEGMENTS, segments / PORT_TURN_SEGMENTS + 1);
}

static void a_pause_does_not_outlive_a_stop(void **state)
{
	(void)state;
	links(true, false, 0);
	legacy->room = UINT32_MAX;
	fb.waiting = 1;
	fb.gso_len = 64000;
	fb.gso_size = 8;
	assert_true(port_receive(&port, 0));
	assert_true(port.rx_paused);
	port_set_stopped(&port, true);
	assert_false(port.rx_paused);
	assert_false(port_receive(&port, 0));
	port_set_stopped(&port, false);
	receive_all();
	assert_int_equal(legacy->got, 8000);
}

static void posted_large_frames_go_out_before_the_move_too(void **state)
{
	(void)state;
	static uint8_t big[60000];
	struct frame f;

	links(true, false, 0);
	frame_set_linear(&f, big, make_tcp(big, 45500));
	f.hdr = tcp_header();
	legacy->large = &f;
	legacy->posted = 60; /* more segments than a turn has */
	nic_kick(&legacy->nic, 0);
	links(false, true, 1);
	assert_int_equal(fb.got, 60 * 46);
	assert_int_equal(port.counters.drop[DROP_LINK_DOWN], 0);
}

static void a_guest_that_posts_for_ever_does_not_hold_a_move_up(void **state)
{
	(void)state;
	uint64_t begin = monotonic_ns();

	links(true, false, 0);
	legacy->posted = UINT32_MAX;
	nic_kick(&legacy->nic, 0);
	links(false, true, 1);
	assert_int_equal(port.active, 1);
	assert_true(monotonic_ns() - begin < NS_PER_S);
}

static void a_large_frame_reaches_a_driver_that_cannot_in_pieces_also_over_a_move(void **state)
{
	(void)state;
	links(true, false, 0);
	fb.waiting = 2;
	fb.gso_len = 10000;
	legacy->room = 4;
	receive_all();
	assert_int_equal(legacy->got, 4);
	performant->room = 100;
	links(false, true, 1);
	assert_int_equal(performant->got, 7); /* six segments of ten, and the frame behind */
	assert_false(port_rx_waits(&port));
	/* a driver that takes them whole gets them whole, and the backend is told */
	performant->nic.rx_offloads = FRAME_CSUM | FRAME_TSO4;
	port_sync_offloads(&port);
	assert_int_equal(fb.told, FRAME_CSUM | FRAME_TSO4 | FRAME_TSO6);
	fb.waiting = 1;
	fb.gso_len = 10000;
	receive_all();
	assert_int_equal(performant->got, 8);
}

static void a_backend_that_the_kernel_has_is_not_read_and_gives_what_the_driver_takes(void **state)
{
	(void)state;
	links(false, true, 1);
	performant->room = 100;
	performant->nic.rx_offloads = FRAME_CSUM;
	port_sync_offloads(&port);
	assert_int_equal(fb.told, FRAME_CSUM | FRAME_TSO4 | FRAME_TSO6);
	assert_true(port_is_empty(&port));
	port.backend->lent = true;
	port_sync_offloads(&port);
	assert_int_equal(fb.told, FRAME_CSUM); /* nobody cuts segments up on that path */
	fb.waiting = 5;
	assert_false(port_wants_rx(&port));
	assert_false(port_receive(&port, 0));
	assert_int_equal(performant->got, 0);
	port.backend->lent = false;
	port_sync_offloads(&port);
	assert_int_equal(fb.told, FRAME_CSUM | FRAME_TSO4 | FRAME_TSO6);
	receive_all();
	assert_int_equal(performant->got, 5);
}

static void a_stopped_guest_has_its_rings_left_alone(void **state)
{
	(void)state;
	links(true, false, 0);
	legacy->room = 100;
	legacy->posted = 5;
	nic_kick(&legacy->nic, 0);
	port_set_stopped(&port, true);
	fb.waiting = 10;
	receive_all();
	port_transmit(&port);
	assert_int_equal(legacy->got, 0);
	assert_int_equal(legacy->posted, 5);
	port_set_stopped(&port, false);
	receive_all();
	while (port_transmit(&port))
		;
	assert_int_equal(legacy->got, 10);
	assert_int_equal(legacy->posted, 0);
}

static void a_lying_header_drops_one_frame_and_no_more(void **state)
{
	(void)state;
	static uint8_t data[3][64];
	struct frame f[3];

	links(true, false, 0);
	for (int i = 0; i < 3; i++)
		frame_set_linear(&f[i], data[i], 64);
	f[1].hdr = (struct virtio_net_hdr_v1){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					       .csum_start = 60,
					       .csum_offset = 60 };
	assert_int_equal(nic_send(&legacy->nic, f, 3), 3);
	assert_int_equal(fb.got, 2);
	assert_int_equal(legacy->nic.counters.drop[DROP_BAD_OFFLOAD], 1);
	frame_set_linear(&f[0], data[0], 13);
	assert_int_equal(nic_send(&legacy->nic, f, 1), 1);
	assert_int_equal(legacy->nic.counters.drop[DROP_RUNT], 1);
}

/* --- a team: the first card is the persistent one here, the second the transient one --- */

static int setup_team(void **state)
{
	int rc = setup(state);

	port.spec.policy = POLICY_TEAM;
	legacy->nic.spec.role = ROLE_PERSISTENT;
	performant->nic.spec.role = ROLE_TRANSIENT;
	legacy->room = performant->room = 1000;
	performant->nic.status.now.state = DRIVER_READY;
	return rc;
}

static void team_links(bool transient, int active, int receive)
{
	const bool up[PORT_NICS] = { true, transient };

	port_set_links(&port, up, active, receive);
}

static void the_guest_chooses_the_card_of_a_team_that_it_sends_on(void **state)
{
	(void)state;
	team_links(false, 0, 1);
	legacy->posted = 10;
	performant->posted = 5;
	nic_kick(&legacy->nic, 0);
	nic_kick(&performant->nic, 0);
	while (port_transmit(&port))
		;
	assert_int_equal(fb.got, 15);
	assert_int_equal(port.counters.drop[DROP_LINK_DOWN], 0);
	assert_int_equal(port.counters.drop[DROP_INACTIVE], 0);
}

static void what_comes_in_goes_to_the_card_of_a_team_that_the_guest_reads(void **state)
{
	(void)state;
	team_links(true, 1, 1);
	fb.waiting = 3;
	receive_all();
	assert_int_equal(performant->got, 3);
	team_links(false, 0, 1); /* its link went, its driver is there */
	fb.waiting = 4;
	receive_all();
	assert_int_equal(performant->got, 7);
	team_links(false, 0, 0);
	fb.waiting = 5;
	receive_all();
	assert_int_equal(legacy->got, 5);
	assert_int_equal(performant->got, 7);
}

static void frames_of_a_team_wait_while_the_transient_driver_starts(void **state)
{
	(void)state;
	team_links(true, 1, 1);
	performant->nic.status.now.state = DRIVER_INITIALIZING;
	fb.waiting = 200;
	receive_all();
	assert_true(port_rx_waits(&port));
	assert_int_equal(legacy->got + performant->got, 0);
	assert_int_equal(fb.waiting, 200 - PORT_RX_BATCH); /* the rest stays in the backend */
	/* its driver does not come back: all of it goes to the other card, in order */
	team_links(false, 0, 0);
	receive_all();
	assert_int_equal(legacy->got, 200);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(legacy->seen[i], i);
}

/* The transient card's driver was ready, is gone, and five frames wait; make_tcp's are for 10.0.0.2. */
static void close_transient(void)
{
	static const uint8_t mac[MAC_LEN] = { 0x52, 0x54, 0, 0, 0, 1 };

	memcpy(port.spec.mac, mac, MAC_LEN);
	team_links(true, 1, 1);
	performant->nic.status.ready_edges++;
	fb.gso_len = 10;
	fb.waiting = 1;
	receive_all();
	performant->nic.status.now.state = DRIVER_INITIALIZING;
	fb.waiting = 5;
	receive_all();
}

/* What the guest sends when it was asked whether it is 10.0.0.2. */
static struct frame answer_of(uint8_t last)
{
	static uint8_t p[2][60];
	static unsigned turn;
	static const uint8_t head[] = { 0x56, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 1, 8,  6, 0, 1,
					8,    0,    6, 4, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 10, 0, 0 };
	struct frame f;

	turn ^= 1;
	memcpy(p[turn], head, sizeof(head));
	p[turn][sizeof(head)] = last;
	frame_set_linear(&f, p[turn], sizeof(p[turn]));
	return f;
}

static void a_guest_that_answers_on_the_persistent_card_gets_there_what_waits(void **state)
{
	(void)state;
	close_transient();
	assert_true(port_ask(&port));
	assert_int_equal(legacy->got, 1);
	assert_int_equal(get_be16(legacy->last + 12), 0x0806);
	assert_memory_equal(legacy->last + 38, ((uint8_t[]){ 10, 0, 0, 2 }), 4);
	assert_true(port_rx_waits(&port)); /* asked, and not known yet */
	assert_false(port_deliver(&port));
	assert_true(port_ask(&port)); /* again, for it may not have been heard */

	struct frame answer = answer_of(2);
	assert_int_equal(nic_send(&legacy->nic, &answer, 1), 1);
	assert_int_equal(fb.got, 0); /* it is ours */
	assert_true(legacy->nic.notes.rx_ready);
	assert_false(port_ask(&port));
	assert_true(port_deliver(&port));
	receive_all();
	assert_int_equal(legacy->got, 2 + 5);
	fb.waiting = 100;
	receive_all();
	assert_int_equal(legacy->got, 2 + 5 + 100);
	assert_int_equal(performant->got, 1);

	/* the driver comes again: it is read there, and what was answered before says nothing of the next time */
	performant->nic.status.now.state = DRIVER_READY;
	performant->nic.status.ready_edges++;
	fb.waiting = 3;
	receive_all();
	assert_int_equal(performant->got, 1 + 3);
	performant->nic.status.now.state = DRIVER_INITIALIZING;
	fb.waiting = 3;
	receive_all();
	assert_true(port_rx_waits(&port));
	assert_true(port_ask(&port));
}

static void a_guest_that_does_not_answer_there_is_waited_for(void **state)
{
	(void)state;
	close_transient();
	/* nobody asked yet: such a frame is somebody else's */
	struct frame answer = answer_of(2);
	assert_int_equal(nic_send(&legacy->nic, &answer, 1), 1);
	assert_int_equal(fb.got, 1);
	assert_true(port_ask(&port));
	/* on the other card, or of another address */
	assert_int_equal(nic_send(&performant->nic, &answer, 1), 1);
	answer = answer_of(3);
	assert_int_equal(nic_send(&legacy->nic, &answer, 1), 1);
	assert_int_equal(fb.got, 1);
	assert_false(port_deliver(&port));
	assert_true(port_rx_waits(&port));
	/* its driver starts anew, as for a new MTU: nothing is lost */
	performant->nic.status.now.state = DRIVER_READY;
	performant->nic.status.ready_edges++;
	assert_false(port_ask(&port));
	assert_true(port_deliver(&port));
	assert_int_equal(performant->got, 1 + 5);
}

static void nobody_is_asked_whose_address_is_not_known_or_who_stands_still(void **state)
{
	(void)state;
	close_transient();
	port_set_stopped(&port, true);
	assert_false(port_ask(&port));
	port_set_stopped(&port, false);
	assert_true(port_ask(&port));
	port.ask = (struct port_ask){ 0 };
	assert_false(port_ask(&port));
	/* no place for the question: the next one may find it */
	fb.gso_len = 10;
	team_links(false, 0, 0);
	team_links(true, 1, 1);
	fb.waiting = 1;
	receive_all();
	legacy->got = legacy->room = 0;
	assert_true(port_ask(&port));
	assert_int_equal(legacy->got, 0);
}

static void an_answer_between_other_frames_is_taken_out(void **state)
{
	static uint8_t data[64];
	struct frame f[4];

	(void)state;
	close_transient();
	assert_true(port_ask(&port));
	frame_set_linear(&f[0], data, sizeof(data));
	f[1] = answer_of(2);
	frame_set_linear(&f[2], data, sizeof(data));
	f[3] = answer_of(2);
	fb.room = 1; /* a backend that is full stops them where they are */
	assert_int_equal(nic_send(&legacy->nic, f, 4), 2);
	assert_int_equal(fb.got, 1);
	fb.room = 10;
	assert_int_equal(nic_send(&legacy->nic, f + 2, 2), 2);
	assert_int_equal(fb.got, 2);
	assert_true(port_deliver(&port));
}

static void a_transient_card_of_qemus_own_is_not_waited_for(void **state)
{
	(void)state;
	performant->nic.spec.netdev = NETDEV_STREAM;
	performant->nic.status.now.state = DRIVER_NONE; /* nothing is known of it here */
	team_links(true, 1, 1);
	fb.waiting = 8;
	receive_all();
	assert_int_equal(performant->got, 8);
}

static void the_active_nic_s_port_is_announced_once(void **state)
{
	(void)state;
	port_announce(&port);
	assert_int_equal(fb.got, 0);
	links(false, true, 1);
	port_announce(&port);
	assert_int_equal(fb.got, 1);
	assert_int_equal(fb.bytes, FRAME_MIN);
	/* it comes from elsewhere, and runs in a moment */
	port_set_stopped(&port, true);
	port_announce(&port);
	assert_int_equal(fb.got, 2);
	/* behind what the guest sent before; and what finds no room is lost, as on a wire */
	port_set_stopped(&port, false);
	fb.room = 0;
	port_announce(&port);
	assert_true(port.tx_blocked);
	fb.room = UINT32_MAX;
	port_unblock(&port);
	while (port_transmit(&port))
		;
	assert_int_equal(fb.got, 2);
	port_announce(&port);
	assert_int_equal(fb.got, 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(frames_without_an_active_nic_are_read_dropped_and_counted),
		T(only_the_active_nic_with_link_may_send),
		T(a_guest_without_buffers_makes_the_backend_wait),
		T(a_direct_move_loses_and_doubles_nothing),
		T(posted_transmits_of_the_old_nic_go_out_before_the_move),
		T(a_blocked_backend_leaves_the_ring_as_it_is),
		T(a_stream_goes_as_one_frame_to_a_backend_that_takes_it),
		T(a_joined_frame_goes_as_a_whole_or_stays_as_a_whole),
		T(a_queue_that_waits_goes_on_though_another_one_got_through),
		T(a_queue_without_end_leaves_turns_to_the_others),
		T(segments_are_made_for_a_backend_that_cannot),
		T(the_rest_of_a_large_frame_is_no_other_frame_s),
		T(a_kick_while_a_rest_waits_is_no_work),
		T(a_frame_of_eight_thousand_segments_takes_many_turns),
		T(a_pause_does_not_outlive_a_stop),
		T(posted_large_frames_go_out_before_the_move_too),
		T(a_guest_that_posts_for_ever_does_not_hold_a_move_up),
		T(a_large_frame_reaches_a_driver_that_cannot_in_pieces_also_over_a_move),
		T(a_backend_that_the_kernel_has_is_not_read_and_gives_what_the_driver_takes),
		T(a_stopped_guest_has_its_rings_left_alone),
		T(the_active_nic_s_port_is_announced_once),
		T(a_lying_header_drops_one_frame_and_no_more),
#define TEAM(f) cmocka_unit_test_setup_teardown(f, setup_team, teardown)
		TEAM(the_guest_chooses_the_card_of_a_team_that_it_sends_on),
		TEAM(what_comes_in_goes_to_the_card_of_a_team_that_the_guest_reads),
		TEAM(frames_of_a_team_wait_while_the_transient_driver_starts),
		TEAM(a_guest_that_answers_on_the_persistent_card_gets_there_what_waits),
		TEAM(a_guest_that_does_not_answer_there_is_waited_for),
		TEAM(nobody_is_asked_whose_address_is_not_known_or_who_stands_still),
		TEAM(an_answer_between_other_frames_is_taken_out),
		TEAM(a_transient_card_of_qemus_own_is_not_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
