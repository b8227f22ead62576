/* Frames through the rings, in every layout that a driver can negotiate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "nic/virtio/virtio_net.h"
#include "virtio_driver.h"

#define BASIC (F(VD_VERSION_1) | F(VD_MAC) | F(VD_STATUS))

static const struct layout {
	const char *name;
	bool legacy;
	uint64_t features;
} layouts[] = {
	{ "legacy", true, 0 },
	{ "legacy, merged, event index", true, F(VD_MRG_RXBUF) | F(VD_EVENT_IDX) | F(VD_INDIRECT) },
	{ "split", false, BASIC },
	{ "split, event index", false, BASIC | F(VD_EVENT_IDX) },
	{ "split, indirect, in order, merged", false,
	  BASIC | F(VD_EVENT_IDX) | F(VD_INDIRECT) | F(VD_IN_ORDER) | F(VD_MRG_RXBUF) },
	{ "packed", false, BASIC | F(VD_PACKED) },
	{ "packed, event index", false, BASIC | F(VD_PACKED) | F(VD_EVENT_IDX) },
	{ "packed, indirect, merged", false,
	  BASIC | F(VD_PACKED) | F(VD_EVENT_IDX) | F(VD_INDIRECT) | F(VD_MRG_RXBUF) },
};

static struct vd *make(unsigned queues)
{
	struct nic_spec spec = {
		.rev = -1, .queues = (uint16_t)queues, .packed = true, .bootindex = -1
	};
	struct vd *d = vd_create(&spec, NULL);

	assert_non_null(d);
	return d;
}

static struct vd *make_layout(const struct layout *l)
{
	struct vd *d = make(0);

	d->legacy = l->legacy;
	vd_up(d, l->features);
	return d;
}

/* Runs `story` in each layout, and names the one that failed. */
static void in_every_layout(void (*story)(struct vd *d))
{
	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		print_message("  %s\n", layouts[i].name);
		struct vd *d = make_layout(&layouts[i]);
		story(d);
		vd_destroy(d);
	}
}

static void fill_frame(uint8_t *frame, size_t length, unsigned seed)
{
	for (size_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(seed + i * 7);
	frame[0] &= 0xfe;
}

static void expect_wire(struct vd *d, unsigned n, const uint8_t *frame, size_t length)
{
	assert_true(n < d->frames);
	assert_int_equal(d->wire[n].length, length);
	assert_memory_equal(d->wire[n].data, frame, length);
}

/* --- guest to wire --- */

static void send_and_wrap(struct vd *d)
{
	uint8_t frame[1514];

	/* the header apart, then the data in one or two pieces: rings of 256 wrap several times at odd places */
	uint64_t at = vd_alloc(d, sizeof(frame) + 16, 16);
	for (unsigned round = 0; round < 700; round++) {
		size_t length = MIN(60 + round * 2, sizeof(frame)), first = round % 3 ? 20 : length;
		fill_frame(frame, length, round);
		memset(vd_at(d, at), 0, d->header);
		memcpy(vd_at(d, at) + 16, frame, length);
		struct vd_piece out[] = { { at, d->header },
					  { at + 16, (uint32_t)first },
					  { at + 36, (uint32_t)(length - 20) } };
		assert_true(vd_add(d, 1, out, round % 3 ? 3 : 2, NULL, 0, round) >= 0);
		vd_clear_wire(d);
		vd_kick(d, 1);
		expect_wire(d, 0, frame, length);
		uint64_t cookie;
		uint32_t written;
		assert_true(vd_get(d, 1, &cookie, &written));
		assert_int_equal(cookie, round);
		assert_int_equal(written, 0);
		assert_false(vd_get(d, 1, NULL, NULL));
	}
}

static void frames_arrive_on_the_wire_while_rings_wrap(void **state)
{
	(void)state;
	in_every_layout(send_and_wrap);
}

static void send_burst(struct vd *d)
{
	uint8_t frame[100];
	unsigned count = 200;

	for (unsigned i = 0; i < count; i++) {
		fill_frame(frame, sizeof(frame), i);
		vd_send(d, 0, frame, sizeof(frame));
	}
	vd_interrupts(d, d->intx_fd);
	vd_kick(d, 1);
	assert_int_equal(d->frames, count);
	assert_true(d->sends <= 1 + count / FRAME_BATCH);
	for (unsigned i = 0; i < count; i++) {
		fill_frame(frame, sizeof(frame), i);
		expect_wire(d, i, frame, sizeof(frame));
		assert_true(vd_get(d, 1, NULL, NULL));
	}
	/* the level stays up until it is acknowledged: one edge */
	assert_true(vd_interrupts(d, d->intx_fd) <= 1);
	assert_int_equal(d->nic->counters.tx_frames, count);
	assert_int_equal(d->nic->counters.tx_bytes, count * sizeof(frame));
}

static void a_burst_goes_out_in_batches(void **state)
{
	(void)state;
	in_every_layout(send_burst);
}

static void send_against_pressure(struct vd *d)
{
	uint8_t frame[64];

	d->wire_room = 5;
	for (unsigned i = 0; i < 12; i++) {
		fill_frame(frame, sizeof(frame), i);
		vd_send(d, 0, frame, sizeof(frame));
	}
	vd_kick(d, 1);
	assert_int_equal(d->frames, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_true(vd_get(d, 1, NULL, NULL));
	assert_false(vd_get(d, 1, NULL, NULL));
	/* while it is blocked the guest need not tell us of more */
	vd_send(d, 0, frame, sizeof(frame));
	vd_kick(d, 1);
	assert_int_equal(d->frames, 5);
	d->wire_room = UINT32_MAX;
	nic_kick(d->nic, 0); /* the owner's part */
	vd_run(d);
	assert_int_equal(d->frames, 13);
	for (unsigned i = 0; i < 12; i++) {
		fill_frame(frame, sizeof(frame), i);
		expect_wire(d, i, frame, sizeof(frame));
	}
	for (unsigned i = 0; i < 8; i++)
		assert_true(vd_get(d, 1, NULL, NULL));
	assert_false(vd_get(d, 1, NULL, NULL));
}

static void backpressure_leaves_the_rest_in_the_ring(void **state)
{
	(void)state;
	in_every_layout(send_against_pressure);
}

/* What is put back lies on both sides of the ring's end now and then. */
static void press_around_the_end(struct vd *d)
{
	uint8_t frame[60];
	unsigned sent = 0;

	for (unsigned round = 0; round < 60; round++) {
		vd_clear_wire(d);
		d->wire_room = 3;
		for (unsigned i = 0; i < 13; i++) {
			fill_frame(frame, sizeof(frame), sent++);
			vd_send(d, 0, frame, sizeof(frame));
		}
		vd_kick(d, 1);
		assert_int_equal(d->frames, 3);
		d->wire_room = UINT32_MAX;
		nic_kick(d->nic, 0);
		vd_run(d);
		assert_int_equal(d->frames, 13);
		for (unsigned i = 0; i < 13; i++) {
			fill_frame(frame, sizeof(frame), sent - 13 + i);
			expect_wire(d, i, frame, sizeof(frame));
			assert_true(vd_get(d, 1, NULL, NULL));
		}
	}
}

static void backpressure_works_around_the_end_of_the_ring(void **state)
{
	(void)state;
	in_every_layout(press_around_the_end);
}

/* Frames in one buffer, frames in two, and chains that are no frame, of which the wire takes only the first few at first. */
static void press_a_mixed_batch(struct vd *d)
{
	enum { CHAINS = 30, ROOM = 256, DATA = 16 };
	uint64_t at = vd_alloc(d, CHAINS * ROOM, 16);
	uint8_t frame[200];

	for (unsigned round = 0; round < 60; round++) {
		unsigned good = 0, seen = 0;
		for (unsigned i = 0; i < CHAINS; i++) {
			unsigned kind = (i * 7 + round) % 4, length = kind == 2 ? 5 : 60 + i;
			uint64_t data = at + i * ROOM + DATA;
			struct vd_piece whole = { data - d->header, d->header + length };
			struct vd_piece two[] = { { data - d->header, d->header },
						  { data, length } };
			memset(vd_at(d, data - d->header), 0, d->header);
			fill_frame(vd_at(d, data), length, round + i);
			assert_true(vd_add(d, 1, kind == 3 ? two : &whole, kind == 3 ? 2 : 1, NULL,
					   0, i) >= 0);
			good += kind != 2;
		}
		vd_clear_wire(d);
		d->wire_room = round % 9;
		vd_kick(d, 1);
		assert_int_equal(d->frames, round % 9);
		d->wire_room = UINT32_MAX;
		nic_kick(d->nic, 0);
		vd_run(d);
		assert_int_equal(d->frames, good);
		for (unsigned i = 0; i < CHAINS; i++) {
			uint64_t cookie;
			assert_true(vd_get(d, 1, &cookie, NULL));
			assert_int_equal(cookie, i);
			fill_frame(frame, 60 + i, round + i);
			if ((i * 7 + round) % 4 != 2)
				expect_wire(d, seen++, frame, 60 + i);
		}
	}
	assert_true(d->nic->counters.drop[DROP_RUNT] > 0);
}

static void chains_of_every_kind_keep_their_order_under_pressure(void **state)
{
	(void)state;
	in_every_layout(press_a_mixed_batch);
}

static void send_many_pieces(struct vd *d)
{
	enum { PIECES = 120, LENGTH = PIECES * 10 };
	uint8_t frame[LENGTH];
	struct vd_piece out[PIECES + 1];
	uint64_t at = vd_alloc(d, LENGTH + 12, 8);

	fill_frame(frame, LENGTH, 3);
	memcpy(vd_at(d, at) + 12, frame, LENGTH);
	out[0] = (struct vd_piece){ at, d->header };
	for (unsigned i = 0; i < PIECES; i++)
		out[i + 1] = (struct vd_piece){ at + 12 + 10 * i, 10 };
	/* two of them in one batch share the one spill buffer, and a plain frame between them keeps its place */
	assert_true(vd_add(d, 1, out, PIECES + 1, NULL, 0, 1) >= 0);
	vd_send(d, 0, frame, 60);
	assert_true(vd_add(d, 1, out, PIECES + 1, NULL, 0, 2) >= 0);
	vd_kick(d, 1);
	assert_int_equal(d->frames, 3);
	expect_wire(d, 0, frame, LENGTH);
	expect_wire(d, 1, frame, 60);
	expect_wire(d, 2, frame, LENGTH);
	for (unsigned i = 0; i < 3; i++)
		assert_true(vd_get(d, 1, NULL, NULL));
}

static void a_chain_of_very_many_pieces_is_one_frame(void **state)
{
	(void)state;
	in_every_layout(send_many_pieces);
}

static void send_too_many_bytes_in_pieces(struct vd *d)
{
	enum { PIECES = 90 };
	struct vd_piece out[PIECES];
	uint8_t frame[60] = { 2 };
	uint64_t at = vd_alloc(d, 2000, 8), beyond = VD_RAM_AT + VD_RAM_SIZE;

	for (unsigned i = 0; i < PIECES; i++)
		out[i] = (struct vd_piece){ at, 1000 };
	assert_true(vd_add(d, 1, out, PIECES, NULL, 0, 1) >= 0);
	vd_send(d, 0, frame, 60);
	vd_kick(d, 1);
	assert_int_equal(d->nic->counters.drop[DROP_OVERSIZE], 1);
	expect_wire(d, 0, frame, 60);
	/* the last piece that has a place is larger than any frame */
	out[47].length = 70000;
	out[47].addr = vd_alloc(d, 70000, 8);
	assert_true(vd_add(d, 1, out, PIECES, NULL, 0, 2) >= 0);
	vd_kick(d, 1);
	assert_int_equal(d->nic->counters.drop[DROP_OVERSIZE], 2);
	for (unsigned i = 0; i < 3; i++)
		assert_true(vd_get(d, 1, NULL, NULL));
	/* and a piece that would be copied lies outside memory */
	out[47] = (struct vd_piece){ at, 10 };
	out[60].addr = beyond;
	assert_true(vd_add(d, 1, out, PIECES, NULL, 0, 3) >= 0);
	vd_kick(d, 1);
	assert_int_equal(d->frames, 1);
	assert_int_equal(d->nic->status.now.state, DRIVER_FAILED);
}

static void a_long_chain_is_bounded_like_a_short_one(void **state)
{
	(void)state;
	in_every_layout(send_too_many_bytes_in_pieces);
}

/* Memory as two regions side by side; a buffer on both sides of the border goes both ways. */
static void cross_the_border(struct vd *d)
{
	struct guest_mem *m = &d->nic->mem;
	uint64_t border = VD_RAM_AT + VD_RAM_SIZE / 2;
	struct vd_piece p = { border - 30, 200 };
	uint8_t frame[100];

	mem_unmap_all(m);
	assert_int_equal(
		mem_map(m, VD_RAM_AT, VD_RAM_SIZE / 2, d->ram_fd, 0, MEM_READ | MEM_WRITE, NULL),
		0);
	assert_int_equal(mem_map(m, border, VD_RAM_SIZE / 2, d->ram_fd, VD_RAM_SIZE / 2,
				 MEM_READ | MEM_WRITE, NULL),
			 0);
	fill_frame(frame, sizeof(frame), 1);
	assert_true(vd_add(d, 0, NULL, 0, &p, 1, p.addr) >= 0);
	vd_kick(d, 0);
	assert_int_equal(vd_say(d, frame, sizeof(frame)), 1);
	assert_true(vd_get(d, 0, NULL, NULL));
	assert_memory_equal(vd_at(d, p.addr + d->header), frame, sizeof(frame));

	memset(vd_at(d, p.addr), 0, d->header);
	p.length = d->header + sizeof(frame);
	assert_true(vd_add(d, 1, &p, 1, NULL, 0, 0) >= 0);
	vd_kick(d, 1);
	expect_wire(d, 0, frame, sizeof(frame));
}

static void a_buffer_may_lie_across_two_regions(void **state)
{
	(void)state;
	in_every_layout(cross_the_border);
}

static void send_bad_frames(struct vd *d)
{
	static uint8_t big[FRAME_MAX + 1];
	uint8_t frame[60] = { 2 };

	vd_send(d, 0, frame, 60);
	vd_send(d, 0, frame, 13); /* shorter than an Ethernet header */
	struct vd_piece tiny = { vd_alloc(d, 8, 8), 4 }, none = { tiny.addr, 0 };
	assert_true(vd_add(d, 1, &tiny, 1, NULL, 0, 0) >= 0); /* shorter than its own header */
	assert_true(vd_add(d, 1, &none, 1, NULL, 0, 0) >= 0); /* nothing at all */
	vd_send(d, 0, big, sizeof(big));
	vd_send(d, 0, frame, 60);
	vd_kick(d, 1);
	assert_int_equal(d->frames, 2);
	assert_int_equal(d->nic->counters.drop[DROP_RUNT], 3);
	assert_int_equal(d->nic->counters.drop[DROP_OVERSIZE], 1);
	for (unsigned i = 0; i < 6; i++)
		assert_true(vd_get(d, 1, NULL, NULL));
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, 0);
}

static void frames_that_are_none_are_dropped_and_given_back(void **state)
{
	(void)state;
	in_every_layout(send_bad_frames);
}

static void offload_requests_pass_only_when_they_were_negotiated(void **state)
{
	uint8_t frame[1000] = { 2 };
	struct virtio_net_hdr_v1 h = {
		.flags = 1 | 2 | 4, .gso_type = 0, .csum_start = 34, .csum_offset = 16
	};

	(void)state;
	frame[12] = 8; /* IPv4, TCP, no options */
	frame[14] = 0x45;
	frame[23] = 6;
	frame[46] = 0x50;
	for (unsigned i = 0; i < 2; i++) {
		struct vd *d = make(0);
		vd_up(d, BASIC | (i ? F(VD_CSUM) : 0));
		uint64_t at = vd_send(d, 0, frame, sizeof(frame));
		memcpy(vd_at(d, at), &h, sizeof(h));
		vd_kick(d, 1);
		assert_int_equal(d->frames, 1);
		assert_int_equal(d->wire[0].hdr.flags, i ? 1 : 0);
		assert_int_equal(d->wire[0].hdr.csum_start, i ? 34 : 0);
		vd_destroy(d);
	}
}

static void a_lying_offload_header_drops_the_frame_alone(void **state)
{
	uint8_t frame[60] = { 2 };
	static const struct virtio_net_hdr_v1 lies[] = {
		{ .flags = 1, .csum_start = 59, .csum_offset = 2 },
		{ .flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff },
		{ .flags = 1, .gso_type = 1, .gso_size = 0, .csum_start = 34, .csum_offset = 16 },
		{ .gso_type = 0x7f, .gso_size = 100 },
		{ .flags = 1,
		  .gso_type = 1,
		  .gso_size = 10,
		  .hdr_len = 0xffff,
		  .csum_start = 58,
		  .csum_offset = 16 },
	};
	struct vd *d = make(0);

	(void)state;
	vd_up(d, BASIC | F(VD_CSUM) | F(VD_HOST_TSO4));
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		uint64_t at = vd_send(d, 0, frame, sizeof(frame));
		memcpy(vd_at(d, at), &lies[i], sizeof(lies[i]));
	}
	vd_send(d, 0, frame, sizeof(frame));
	vd_kick(d, 1);
	assert_int_equal(d->frames, 1);
	assert_int_equal(d->nic->counters.drop[DROP_BAD_OFFLOAD], ARRAY_SIZE(lies));
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, 0);
	vd_destroy(d);
}

/* --- wire to guest --- */

static void receive_and_wrap(struct vd *d)
{
	uint8_t frame[1514], got[2000];
	struct virtio_net_hdr_v1 h;

	vd_give(d, 0, 200, 1600);
	for (unsigned round = 0; round < 900; round++) {
		size_t length = 60 + round % 1400;
		fill_frame(frame, length, round);
		assert_int_equal(vd_say(d, frame, length), 1);
		assert_int_equal(vd_receive(d, 0, got, sizeof(got), &h), length);
		assert_memory_equal(got, frame, length);
		if (d->features & (F(VD_VERSION_1) | F(VD_MRG_RXBUF)))
			assert_int_equal(h.num_buffers, 1);
		if (round % 3 == 0)
			vd_give(d, 0, 3, 1600);
	}
	assert_int_equal(d->nic->counters.rx_frames, 900);
}

static void frames_arrive_in_the_guest_while_rings_wrap(void **state)
{
	(void)state;
	in_every_layout(receive_and_wrap);
}

static void receive_pieces(struct vd *d)
{
	uint8_t frame[300], got[400];
	struct frame f = { .length = sizeof(frame), .iovs = 3 };

	fill_frame(frame, sizeof(frame), 4);
	f.iov[0] = (struct iovec){ frame, 14 };
	f.iov[1] = (struct iovec){ frame + 14, 1 };
	f.iov[2] = (struct iovec){ frame + 15, sizeof(frame) - 15 };
	vd_give(d, 0, 8, d->features & F(VD_MRG_RXBUF) ? 100 : 400);
	assert_int_equal(d->nic->ops->receive(d->nic, &f, 1), 1);
	assert_int_equal(vd_receive(d, 0, got, sizeof(got), NULL), sizeof(frame));
	assert_memory_equal(got, frame, sizeof(frame));
}

static void a_frame_in_pieces_arrives_whole(void **state)
{
	(void)state;
	in_every_layout(receive_pieces);
}

static void receive_header_apart(struct vd *d)
{
	uint8_t frame[300], *p;
	uint64_t at = vd_alloc(d, 400, 16);
	struct vd_piece in[3] = { { at, d->header }, { at + 16, 100 }, { at + 116, 284 } };

	fill_frame(frame, sizeof(frame), 9);
	memset(vd_at(d, at), 0xaa, 400);
	assert_true(vd_add(d, 0, NULL, 0, in, 3, at) >= 0);
	vd_kick(d, 0);
	assert_int_equal(vd_say(d, frame, sizeof(frame)), 1);
	uint32_t length;
	assert_true(vd_get(d, 0, NULL, &length));
	assert_int_equal(length, d->header + sizeof(frame));
	p = vd_at(d, at);
	assert_int_equal(p[0], 0);
	assert_memory_equal(p + 16, frame, sizeof(frame));
	assert_int_equal(p[16 + 300], 0xaa); /* and not a byte more */
}

static void the_header_may_have_a_buffer_of_its_own(void **state)
{
	(void)state;
	in_every_layout(receive_header_apart);
}

static void wait_for_buffers(struct vd *d)
{
	uint8_t frame[60], got[100];

	fill_frame(frame, sizeof(frame), 1);
	assert_int_equal(vd_say(d, frame, 60), 0);
	vd_give(d, 0, 2, 2048);
	assert_true(d->nic->notes.rx_ready);
	d->nic->notes.rx_ready = false;
	assert_int_equal(vd_say(d, frame, 60), 1);
	assert_int_equal(vd_say(d, frame, 60), 1);
	assert_int_equal(vd_say(d, frame, 60), 0);
	/* it ran dry: the next buffers come with a kick */
	vd_give(d, 0, 1, 2048);
	assert_true(d->nic->notes.rx_ready);
	assert_int_equal(vd_say(d, frame, 60), 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vd_receive(d, 0, got, sizeof(got), NULL), 60);
	/* with buffers to spare no kick is wanted */
	vd_give(d, 0, 50, 2048);
	d->nic->notes.rx_ready = false;
	vd_give(d, 0, 1, 2048);
	assert_false(d->nic->notes.rx_ready);
}

static void frames_wait_for_buffers_and_kicks_come_only_then(void **state)
{
	(void)state;
	in_every_layout(wait_for_buffers);
}

static void merge(uint64_t features)
{
	struct vd *d = make(0);
	static uint8_t frame[65000], got[66000];
	struct virtio_net_hdr_v1 h;

	vd_up(d, BASIC | F(VD_MRG_RXBUF) | features);
	fill_frame(frame, sizeof(frame), 5);
	vd_give(d, 0, 100, 1000);
	assert_int_equal(vd_say(d, frame, 988), 1); /* exactly one */
	assert_int_equal(vd_say(d, frame, 989), 1); /* one byte more */
	assert_int_equal(vd_receive(d, 0, got, sizeof(got), &h), 988);
	assert_int_equal(h.num_buffers, 1);
	assert_int_equal(vd_receive(d, 0, got, sizeof(got), &h), 989);
	assert_int_equal(h.num_buffers, 2);
	assert_int_equal(vd_say(d, frame, sizeof(frame)), 1);
	assert_int_equal(vd_receive(d, 0, got, sizeof(got), &h), sizeof(frame));
	assert_int_equal(h.num_buffers, 66);
	assert_memory_equal(got, frame, sizeof(frame));
	/* 31 are left: too few, and none of them is used up by trying */
	assert_int_equal(vd_say(d, frame, sizeof(frame)), 0);
	assert_false(vd_get(d, 0, NULL, NULL));
	vd_give(d, 0, 80, 1000);
	assert_true(d->nic->notes.rx_ready);
	assert_int_equal(vd_say(d, frame, sizeof(frame)), 1);
	assert_int_equal(vd_receive(d, 0, got, sizeof(got), NULL), sizeof(frame));
	assert_memory_equal(got, frame, sizeof(frame));
	vd_destroy(d);
}

static void a_large_frame_spreads_over_merged_buffers(void **state)
{
	(void)state;
	merge(0);
	merge(F(VD_EVENT_IDX));
	merge(F(VD_PACKED));
	merge(F(VD_PACKED) | F(VD_EVENT_IDX));
}

/* A receive buffer: one piece, two pieces that lie side by side, or a small piece where buffers are merged. False: the ring is full. */
static bool give_a_kind(struct vd *d, unsigned kind)
{
	uint32_t size = kind == 2 && (d->features & F(VD_MRG_RXBUF)) ? 200 : 1600;
	uint64_t at = vd_alloc(d, size, 64);
	struct vd_piece in[] = { { at, size }, { at + 30, size - 30 } };
	unsigned pieces = kind == 1 ? 2 : 1;

	if (pieces == 2)
		in[0].length = 30;
	return vd_add(d, 0, NULL, 0, in, pieces, at) >= 0;
}

/* The batch ends in the middle of the ring, and around its end; what did not fit waits and comes next. */
static void receive_batches(struct vd *d)
{
	enum { FRAMES = 80 };
	static struct frame frames[FRAMES];
	static uint8_t data[FRAMES][1400], got[1600];
	unsigned given = 0, said = 0, came = 0;

	for (unsigned round = 0; round < 25; round++) {
		while (given - came < 50 && give_a_kind(d, given % 3))
			given++;
		for (unsigned i = 0; i < FRAMES; i++) {
			size_t length = 60 + (said + i) * 37 % 1300;
			fill_frame(data[i], length, said + i);
			frame_set_linear(&frames[i], data[i], length);
		}
		unsigned taken = d->nic->ops->receive(d->nic, frames, FRAMES);
		assert_in_range(taken, 10, FRAMES - 1);
		for (unsigned i = 0; i < taken; i++) {
			assert_int_equal(vd_receive(d, 0, got, sizeof(got), NULL),
					 frames[i].length);
			assert_memory_equal(got, data[i], frames[i].length);
		}
		assert_int_equal(vd_receive(d, 0, got, sizeof(got), NULL), -1);
		said += taken;
		came = given; /* no whole buffer is left that the next frame fits into */
	}
	assert_int_equal(d->nic->counters.rx_frames, said);
}

static void batches_fill_buffers_of_every_kind_in_order(void **state)
{
	(void)state;
	in_every_layout(receive_batches);
}

static void a_frame_that_will_never_fit_is_dropped(void **state)
{
	static uint8_t frame[65000], got[66000];

	(void)state;
	struct vd *d = make(0);
	vd_up(d, BASIC);
	vd_give(d, 0, 2, 200);
	assert_int_equal(vd_say(d, frame, 300), 1); /* taken, so that the wire goes on */
	assert_int_equal(d->nic->counters.drop[DROP_OVERSIZE], 1);
	assert_int_equal(vd_say(d, frame, 100), 1);
	assert_int_equal(vd_receive(d, 0, got, sizeof(got), NULL), 100);
	vd_destroy(d);

	for (unsigned i = 0; i < 4;
	     i++) { /* a full ring of small merged buffers, large and small, split and packed */
		unsigned size = i & 1 ? 64 : 256;
		d = make(0);
		assert_true(vd_begin(d, BASIC | F(VD_MRG_RXBUF) | (i & 2 ? F(VD_PACKED) : 0)));
		vd_setup_queue(d, 0, size);
		vd_driver_ok(d);
		vd_give(d, 0, size, 100);
		assert_int_equal(vd_say(d, frame, sizeof(frame)), 1);
		assert_int_equal(d->nic->counters.drop[DROP_OVERSIZE], 1);
		assert_int_equal(vd_say(d, frame, 60), 1);
		assert_int_equal(vd_receive(d, 0, got, sizeof(got), NULL), 60);
		vd_destroy(d);
	}
}

static void receive_offloads_follow_what_was_negotiated(void **state)
{
	uint8_t frame[60] = { 2 }, got[60];
	struct virtio_net_hdr_v1 in = { .flags = 1, .csum_start = 34, .csum_offset = 16 }, out;
	uint64_t all = F(VD_GUEST_CSUM) | F(VD_GUEST_TSO4) | F(VD_GUEST_TSO6) | F(VD_GUEST_ECN) |
		       F(VD_GUEST_USO4) | F(VD_GUEST_USO6);
	struct vd *d = make(0);

	(void)state;
	vd_up(d, BASIC | all | F(VD_CTRL_VQ) | F(VD_CTRL_GUEST_OFFLOADS));
	assert_int_equal(d->nic->rx_offloads,
			 FRAME_CSUM | FRAME_TSO4 | FRAME_TSO6 | FRAME_ECN | FRAME_USO);
	vd_give(d, 0, 4, 2048);
	vd_say_queue(d, frame, 60, 0, &in);
	assert_int_equal(vd_receive(d, 0, got, 60, &out), 60);
	assert_int_equal(out.flags, 1);
	assert_int_equal(out.csum_start, 34);

	uint8_t offloads[8];
	put_le64(offloads, F(VD_GUEST_CSUM) | F(VD_GUEST_TSO6));
	assert_true(vd_control(d, 5, 0, offloads, 8));
	assert_int_equal(d->nic->rx_offloads, FRAME_CSUM | FRAME_TSO6);
	put_le64(offloads, F(VD_GUEST_TSO6)); /* without the checksum it needs */
	assert_false(vd_control(d, 5, 0, offloads, 8));
	put_le64(offloads, F(VD_GUEST_CSUM) | F(40));
	assert_false(vd_control(d, 5, 0, offloads, 8));
	assert_false(vd_control(d, 5, 0, offloads, 7));
	assert_int_equal(d->nic->rx_offloads, FRAME_CSUM | FRAME_TSO6);
	put_le64(offloads, 0);
	assert_true(vd_control(d, 5, 0, offloads, 8));
	vd_say_queue(d, frame, 60, 0, &in);
	assert_int_equal(vd_receive(d, 0, got, 60, &out), 60);
	assert_int_equal(out.flags, 0);
	vd_set_status(d, 0);
	assert_int_equal(d->nic->rx_offloads, 0);
	vd_destroy(d);
}

static void frames_before_driver_ok_are_dropped(void **state)
{
	uint8_t frame[60] = { 2 };
	struct vd *d = make(0);

	(void)state;
	assert_int_equal(vd_say(d, frame, 60), 1);
	assert_true(vd_begin(d, BASIC));
	vd_setup_queue(d, 0, 0);
	vd_give(d, 0, 1, 2048);
	assert_int_equal(vd_say(d, frame, 60), 1);
	assert_int_equal(d->nic->counters.drop[DROP_RX_DISABLED], 2);
	assert_false(vd_get(d, 0, NULL, NULL));
	vd_destroy(d);
}

static void no_ring_is_touched_while_the_guest_is_stopped(void **state)
{
	uint8_t frame[60] = { 2 };
	struct vd *d = make(0);

	(void)state;
	vd_up(d, BASIC);
	vd_give(d, 0, 2, 2048);
	vd_send(d, 0, frame, 60);
	d->nic->stopped = true;
	assert_true(d->nic->ops->transmit(d->nic, 0));
	assert_int_equal(vd_say(d, frame, 60), 0);
	assert_int_equal(d->frames, 0);
	assert_int_equal(vd_used_index(d, 0), 0);
	d->nic->stopped = false;
	nic_kick(d->nic, 0);
	vd_run(d);
	assert_int_equal(d->frames, 1);
	assert_int_equal(vd_say(d, frame, 60), 1);
	vd_destroy(d);
}

/* The kick was on its way when the guest was stopped, and comes only once. */
static void buffers_that_came_while_the_guest_was_stopped_count_when_it_goes_on(void **state)
{
	struct vd *d = make(0);

	(void)state;
	vd_up(d, BASIC);
	d->nic->stopped = true;
	vd_give(d, 0, 2, 2048);
	vd_run(d);
	assert_int_equal(d->nic->status.now.state, DRIVER_INITIALIZING);
	d->nic->stopped = false;
	vd_run(d);
	assert_int_equal(d->nic->status.now.state, DRIVER_READY);
	vd_destroy(d);
}

/* --- interrupts --- */

#define SENT_WAIT (200 * 1000) /* longer than the interrupt of sent frames is ever held */

static void one_interrupt_per_batch(struct vd *d)
{
	uint8_t frame[60] = { 2 };
	struct frame f[5];

	vd_give(d, 0, 20, 2048);
	vd_interrupts(d, d->vector_fd[1]);
	for (unsigned i = 0; i < 5; i++)
		frame_set_linear(&f[i], frame, 60);
	assert_int_equal(d->nic->ops->receive(d->nic, f, 5), 5);
	assert_int_equal(vd_interrupts(d, d->vector_fd[1]), 1);
	for (unsigned i = 0; i < 5; i++)
		assert_true(vd_get(d, 0, NULL, NULL));

	vd_want_interrupt(d, 0, false);
	assert_int_equal(d->nic->ops->receive(d->nic, f, 5), 5);
	assert_int_equal(vd_interrupts(d, d->vector_fd[1]), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_true(vd_get(d, 0, NULL, NULL));
	vd_want_interrupt(d, 0, true);
	assert_int_equal(d->nic->ops->receive(d->nic, f, 1), 1);
	assert_int_equal(vd_interrupts(d, d->vector_fd[1]), 1);
	assert_int_equal(d->nic->ops->receive(d->nic, f, 1), 1);
	/* an event index asks for one interrupt; a flag asks until it is set again */
	assert_int_equal(vd_interrupts(d, d->vector_fd[1]), d->features & F(VD_EVENT_IDX) ? 0 : 1);

	vd_interrupts(d, d->vector_fd[2]);
	vd_want_interrupt(d, 1, true);
	vd_send(d, 0, frame, 60);
	vd_send(d, 0, frame, 60);
	vd_kick(d, 1);
	vd_wait(d, SENT_WAIT);
	assert_int_equal(vd_interrupts(d, d->vector_fd[2]), 1);
	assert_true(vd_get(d, 1, NULL, NULL) && vd_get(d, 1, NULL, NULL));
	vd_want_interrupt(d, 1, false);
	vd_send(d, 0, frame, 60);
	vd_kick(d, 1);
	vd_wait(d, SENT_WAIT);
	assert_int_equal(vd_interrupts(d, d->vector_fd[2]), 0);
	assert_int_equal(vd_isr(d), 0); /* with MSI-X it is not used */
}

static void interrupts_come_once_per_batch_and_only_when_wanted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		print_message("  %s\n", layouts[i].name);
		struct vd *d = make(0);
		vd_use_msix(d);
		d->legacy = layouts[i].legacy;
		vd_up(d, layouts[i].features);
		one_interrupt_per_batch(d);
		vd_destroy(d);
	}
}

static void held_interrupt(struct vd *d)
{
	uint8_t frame[60] = { 2 };
	bool event_idx = d->features & F(VD_EVENT_IDX);

	/* the driver finds its frame before the interrupt comes, and asks to be told of the next one */
	vd_want_interrupt(d, 1, true);
	vd_interrupts(d, d->vector_fd[2]);
	vd_send(d, 0, frame, 60);
	vd_kick(d, 1);
	assert_int_equal(vd_interrupts(d, d->vector_fd[2]), 0);
	assert_true(vd_get(d, 1, NULL, NULL));
	vd_want_interrupt(d, 1, true);
	vd_wait(d, SENT_WAIT);
	assert_int_equal(vd_interrupts(d, d->vector_fd[2]), event_idx ? 0 : 1);

	/* it does not look: one interrupt for all that was sent meanwhile */
	for (unsigned i = 0; i < 3; i++) {
		vd_send(d, 0, frame, 60);
		vd_kick(d, 1);
	}
	assert_int_equal(vd_interrupts(d, d->vector_fd[2]), 0);
	vd_wait(d, SENT_WAIT);
	assert_int_equal(vd_interrupts(d, d->vector_fd[2]), 1);
	for (unsigned i = 0; i < 3; i++)
		assert_true(vd_get(d, 1, NULL, NULL));

	/* a ring that runs full does not wait */
	vd_want_interrupt(d, 1, true);
	for (unsigned i = 0; i < 100; i++)
		vd_send(d, 0, frame, 60);
	vd_kick(d, 1);
	assert_true(vd_interrupts(d, d->vector_fd[2]) > 0);
}

static void the_interrupt_of_sent_frames_waits_unless_the_ring_fills(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		print_message("  %s\n", layouts[i].name);
		struct vd *d = make(0);
		vd_use_msix(d);
		d->legacy = layouts[i].legacy;
		vd_up(d, layouts[i].features);
		held_interrupt(d);
		vd_destroy(d);
	}
}

/* The event is asked for at every place of the ring, with batches that step over the wrap. */
static void events_at_every_place(uint64_t features)
{
	uint8_t frame[60] = { 2 };
	struct frame f[4];
	struct vd *d = make(0);

	vd_use_msix(d);
	assert_true(vd_begin(d, BASIC | F(VD_EVENT_IDX) | features));
	vd_setup_queue(d, 0, 8);
	vd_setup_queue(d, 1, 8);
	vd_driver_ok(d);
	vd_give(d, 0, 8, 100);
	for (unsigned i = 0; i < 4; i++)
		frame_set_linear(&f[i], frame, 60);
	for (unsigned round = 0; round < 100; round++) {
		unsigned n = 1 + round % 4;
		vd_want_interrupt(d, 0, true);
		vd_interrupts(d, d->vector_fd[1]);
		assert_int_equal(d->nic->ops->receive(d->nic, f, n), n);
		assert_int_equal(vd_interrupts(d, d->vector_fd[1]), 1);
		assert_int_equal(d->nic->ops->receive(d->nic, f, 1), 1);
		assert_int_equal(vd_interrupts(d, d->vector_fd[1]), 0);
		for (unsigned i = 0; i <= n; i++)
			assert_true(vd_get(d, 0, NULL, NULL));
		vd_give(d, 0, n + 1, 100);
	}
	vd_destroy(d);
}

static void an_event_index_works_at_every_place_of_the_ring(void **state)
{
	(void)state;
	events_at_every_place(0);
	events_at_every_place(F(VD_PACKED));
}

static void a_kick_is_asked_for_only_when_the_ring_ran_dry(void **state)
{
	uint8_t frame[60] = { 2 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		struct vd *d = make_layout(&layouts[i]);
		for (unsigned round = 0; round < 300; round++) {
			vd_send(d, 0, frame, 60);
			if (!vd_kick(d, 1))
				fail_msg("%s, round %u", layouts[i].name, round);
			assert_true(vd_get(d, 1, NULL, NULL));
		}
		/* in the middle of its work the device wants none: here it sees the second frame by itself */
		vd_send(d, 0, frame, 60);
		assert_true(vd_tell(d, 1));
		assert_true(d->nic->ops->transmit(d->nic, 0));
		vd_send(d, 0, frame, 60);
		assert_false(vd_tell(d, 1));
		assert_true(d->nic->ops->transmit(d->nic, 0));
		assert_false(d->nic->ops->transmit(d->nic, 0)); /* dry: asks for kicks again */
		vd_send(d, 0, frame, 60);
		assert_true(vd_tell(d, 1));
		vd_destroy(d);
	}
}

/* --- several pairs --- */

static void pairs_are_used_when_the_driver_asks(void **state)
{
	uint8_t frame[60] = { 2 }, got[60], pairs[2] = { 4, 0 };
	struct vd *d = make(8);

	(void)state;
	vd_use_msix(d);
	assert_true(vd_begin(d, BASIC | F(VD_MQ) | F(VD_CTRL_VQ)));
	for (unsigned i = 0; i < 17; i++)
		vd_setup_queue(d, i, 0);
	vd_driver_ok(d);
	for (unsigned i = 0; i < 8; i++)
		vd_give(d, i, 4, 2048);
	vd_say_queue(d, frame, 60, 3, NULL); /* one pair at first */
	assert_int_equal(vd_receive(d, 0, got, 60, NULL), 60);
	assert_true(vd_control(d, 4, 0, pairs, 2));
	for (uint16_t q = 0; q < 6; q++) {
		vd_say_queue(d, frame, 60, q, NULL);
		assert_int_equal(vd_receive(d, q % 4u, got, 60, NULL), 60);
		assert_int_equal(vd_interrupts(d, d->vector_fd[2 * (q % 4) + 1]) > 0, 1);
	}
	vd_clear_wire(d);
	for (unsigned i = 0; i < 4; i++) {
		vd_send(d, i, frame, 60);
		vd_kick(d, 2 * i + 1);
		assert_int_equal(d->wire[i].queue, i);
		vd_wait(d, SENT_WAIT);
		assert_int_equal(vd_interrupts(d, d->vector_fd[2 * i + 2]), 1);
	}
	static const uint16_t bad[] = { 0, 9, 0x8000, 0xffff };
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		put_le16(pairs, bad[i]);
		assert_false(vd_control(d, 4, 0, pairs, 2));
	}
	assert_false(vd_control(d, 4, 0, pairs, 1));
	assert_false(vd_control(d, 4, 1, pairs, 2)); /* RSS is not there */
	vd_destroy(d);
}

static void without_mq_control_is_queue_2(void **state)
{
	struct vd *d = make(4);
	uint8_t on = 0;

	(void)state;
	vd_up(d, BASIC | F(VD_CTRL_VQ) | F(VD_CTRL_RX));
	assert_int_equal(vd_control_queue(d), 2);
	assert_true(vd_control(d, 0, 0, &on, 1));
	vd_destroy(d);
}

/* --- the filter --- */

static bool passes(struct vd *d, const char *to, unsigned vlan)
{
	uint8_t frame[64] = { 0 }, got[64];

	memcpy(frame, to, 6);
	put_be16(frame + 12, vlan ? 0x8100 : 0x0800);
	put_be16(frame + 14, (uint16_t)(0xe000 | vlan));
	assert_int_equal(vd_say(d, frame, sizeof(frame)), 1);
	int n = vd_receive(d, 0, got, sizeof(got), NULL);
	if (n >= 0)
		vd_give(d, 0, 1, 200);
	return n >= 0;
}

#define OWN   "\x52\x54\x00\x12\x34\x56"
#define OTHER "\x52\x54\x00\x00\x00\x01"
#define GROUP "\x33\x33\x00\x00\x00\x01"
#define ALL   "\xff\xff\xff\xff\xff\xff"

static struct vd *make_filter(uint64_t features)
{
	struct vd *d = make(0);
	uint8_t off = 0;

	vd_up(d, BASIC | F(VD_CTRL_VQ) | F(VD_CTRL_RX) | features);
	vd_give(d, 0, 8, 200);
	assert_true(passes(d, OTHER, 0)); /* promiscuous until told otherwise */
	assert_true(vd_control(d, 0, 0, &off, 1));
	return d;
}

static void modes_of_the_receive_filter(void **state)
{
	uint8_t on = 1, off = 0;
	struct vd *d = make_filter(F(VD_CTRL_RX_EXTRA));

	(void)state;
	assert_true(passes(d, OWN, 0) && passes(d, ALL, 0));
	assert_false(passes(d, OTHER, 0) || passes(d, GROUP, 0));
	assert_int_equal(d->nic->counters.drop[DROP_FILTERED], 1 + 1);
	assert_true(vd_control(d, 0, 1, &on, 1)); /* all multicast */
	assert_true(passes(d, GROUP, 0));
	assert_true(vd_control(d, 0, 3, &on, 1)); /* no multicast */
	assert_false(passes(d, GROUP, 0));
	assert_true(vd_control(d, 0, 2, &on, 1)); /* all unicast */
	assert_true(passes(d, OTHER, 0));
	assert_true(vd_control(d, 0, 4, &on, 1)); /* no unicast */
	assert_false(passes(d, OWN, 0));
	assert_true(vd_control(d, 0, 5, &on, 1)); /* no broadcast */
	assert_false(passes(d, ALL, 0));
	assert_true(vd_control(d, 0, 5, &off, 1));
	assert_true(passes(d, ALL, 0));
	assert_false(vd_control(d, 0, 6, &on, 1));
	assert_false(vd_control(d, 0, 0, NULL, 0));
	vd_destroy(d);
}

static void extra_modes_need_their_feature(void **state)
{
	uint8_t on = 1;
	struct vd *d = make_filter(0);

	(void)state;
	assert_false(vd_control(d, 0, 4, &on, 1));
	assert_true(passes(d, OWN, 0));
	vd_destroy(d);
}

static size_t mac_table(uint8_t *to, uint32_t unicasts, uint32_t multicasts)
{
	uint8_t *p = to;

	put_le32(p, unicasts);
	p += 4;
	for (uint32_t i = 0; i < unicasts; i++, p += 6)
		memcpy(p, (uint8_t[]){ 0x52, 0x54, 0, 0, (uint8_t)(i >> 8), (uint8_t)(i + 1) }, 6);
	put_le32(p, multicasts);
	p += 4;
	for (uint32_t i = 0; i < multicasts; i++, p += 6)
		memcpy(p, (uint8_t[]){ 0x33, 0x33, 0, 0, (uint8_t)(i >> 8), (uint8_t)(i + 1) }, 6);
	return (size_t)(p - to);
}

static void the_mac_table_lets_its_addresses_pass(void **state)
{
	static uint8_t table[8192];
	struct vd *d = make_filter(0);

	(void)state;
	assert_true(vd_control(d, 1, 0, table, mac_table(table, 2, 1)));
	assert_true(passes(d, OTHER, 0) && passes(d, GROUP, 0) && passes(d, OWN, 0));
	assert_false(passes(d, "\x52\x54\x00\x00\x00\x03", 0) ||
		     passes(d, "\x33\x33\x00\x00\x00\x02", 0));
	assert_true(vd_control(d, 1, 0, table, mac_table(table, 0, 0)));
	assert_false(passes(d, OTHER, 0) || passes(d, GROUP, 0));
	/* 64 together fit */
	assert_true(vd_control(d, 1, 0, table, mac_table(table, 63, 1)));
	assert_true(passes(d, GROUP, 0));
	assert_false(passes(d, "\x52\x54\x00\x00\x01\x01", 0));
	/* more: all of that kind pass */
	assert_true(vd_control(d, 1, 0, table, mac_table(table, 1, 64)));
	assert_true(passes(d, "\x33\x33\x00\x00\x77\x77", 0));
	assert_false(passes(d, "\x52\x54\x00\x00\x01\x01", 0));
	assert_true(vd_control(d, 1, 0, table, mac_table(table, 400, 1)));
	assert_true(passes(d, "\x52\x54\x00\x00\x01\x01", 0) && passes(d, GROUP, 0));
	assert_false(passes(d, "\x33\x33\x00\x00\x77\x77", 0));
	vd_destroy(d);
}

static void a_mac_table_that_lies_about_its_length_is_refused(void **state)
{
	static uint8_t table[8192];
	struct vd *d = make_filter(0);
	size_t length = mac_table(table, 2, 2);

	(void)state;
	assert_true(vd_control(d, 1, 0, table, length));
	for (size_t cut = 0; cut < length; cut++)
		assert_false(vd_control(d, 1, 0, table, cut));
	static const uint32_t lies[] = {
		5, 0x10000, 0x2aaaaaab, 0x7fffffff, 0x80000000, 0xffffffff
	};
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		put_le32(table, lies[i]);
		assert_false(vd_control(d, 1, 0, table, length));
	}
	assert_true(passes(d, OTHER, 0)); /* the old table holds */
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, 0);
	vd_destroy(d);
}

static void the_address_can_be_set(void **state)
{
	struct vd *d = make_filter(F(VD_CTRL_MAC_ADDR));

	(void)state;
	assert_true(vd_control(d, 1, 1, OTHER, 6));
	assert_true(passes(d, OTHER, 0));
	assert_false(passes(d, OWN, 0));
	assert_int_equal(vd_config_read(d, 0, 4), 0x00005452);
	assert_false(vd_control(d, 1, 1, OTHER, 5));
	assert_false(vd_control(d, 1, 2, OTHER, 6));
	vd_set_status(d, 0); /* the permanent one is back */
	assert_int_equal(vd_config_read(d, 0, 4), 0x12005452);
	vd_destroy(d);
}

static void vlans_pass_when_they_are_added(void **state)
{
	uint8_t id[2] = { 100, 0 };
	struct vd *d = make_filter(F(VD_CTRL_VLAN));

	(void)state;
	assert_false(passes(d, OWN, 100));
	assert_true(passes(d, OWN, 0));
	assert_true(vd_control(d, 2, 0, id, 2));
	assert_true(passes(d, OWN, 100));
	assert_false(passes(d, OWN, 101));
	assert_true(vd_control(d, 2, 1, id, 2));
	assert_false(passes(d, OWN, 100));
	put_le16(id, 4096);
	assert_false(vd_control(d, 2, 0, id, 2));
	put_le16(id, 4095);
	assert_true(vd_control(d, 2, 0, id, 2));
	assert_false(vd_control(d, 2, 2, id, 2));
	vd_destroy(d);
	d = make_filter(0); /* without the feature all pass */
	assert_true(passes(d, OWN, 100));
	vd_destroy(d);
}

static void an_unknown_command_is_refused_and_the_card_lives(void **state)
{
	uint8_t data[4] = { 0 };
	struct vd *d = make_filter(0);

	(void)state;
	for (unsigned class = 0; class < 256; class ++)
		vd_control(d, (uint8_t) class, 77, data, sizeof(data));
	assert_false(vd_control(d, 6, 0, data, 4));
	assert_false(vd_control(d, 255, 255, NULL, 0));
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, 0);
	vd_destroy(d);
}

/* --- saved state --- */

static void save_and_go_on(struct vd *d)
{
	uint8_t frame[200], got[300];
	struct buffer saved = { 0 };
	struct error err = { 0 };

	vd_give(d, 0, 30, 600);
	for (unsigned i = 0; i < 300; i++) { /* somewhere in the middle of the ring */
		fill_frame(frame, sizeof(frame), i);
		vd_send(d, 0, frame, sizeof(frame));
		vd_kick(d, 1);
		assert_true(vd_get(d, 1, NULL, NULL));
		assert_int_equal(vd_say(d, frame, sizeof(frame)), 1);
		assert_int_equal(vd_receive(d, 0, got, sizeof(got), NULL), sizeof(frame));
		vd_give(d, 0, 1, 600);
	}
	vd_clear_wire(d);
	vd_send(d, 0, frame, 100); /* waits in the ring, not yet told */
	assert_int_equal(nic_save(d->nic, &saved), 0);
	struct driver_report before = d->nic->status.now;

	nic_reset(d->nic, RESET_POWER_ON);
	assert_int_equal(vd_status(d), 0);
	if (nic_load(d->nic, saved.data, saved.length, &err) < 0)
		fail_msg("%s", err.text);
	d->nic->notes.status_dirty = true;
	vd_run(d);
	assert_int_equal(d->nic->status.now.state, before.state);
	assert_string_equal(d->nic->status.now.evidence, before.evidence);
	assert_int_equal(d->frames, 1);
	expect_wire(d, 0, frame, 100);
	assert_true(vd_get(d, 1, NULL, NULL));
	for (unsigned i = 0; i < 300; i++) {
		vd_clear_wire(d);
		fill_frame(frame, sizeof(frame), i);
		vd_send(d, 0, frame, sizeof(frame));
		vd_kick(d, 1);
		expect_wire(d, 0, frame, sizeof(frame));
		assert_true(vd_get(d, 1, NULL, NULL));
		assert_int_equal(vd_say(d, frame, sizeof(frame)), 1);
		assert_int_equal(vd_receive(d, 0, got, sizeof(got), NULL), sizeof(frame));
		assert_memory_equal(got, frame, sizeof(frame));
		vd_give(d, 0, 1, 600);
	}
	buffer_finish(&saved);
}

static void a_saved_card_goes_on_where_it_was(void **state)
{
	(void)state;
	in_every_layout(save_and_go_on);
}

static void the_filter_and_the_pairs_are_saved(void **state)
{
	static uint8_t table[200];
	uint8_t off = 0, pairs[2] = { 2, 0 }, vlan[2] = { 7, 0 };
	struct vd *d = make(2);
	struct buffer saved = { 0 }, again = { 0 };

	(void)state;
	vd_up(d, BASIC | F(VD_CTRL_VQ) | F(VD_CTRL_RX) | F(VD_CTRL_VLAN) | F(VD_MQ) |
			 F(VD_CTRL_MAC_ADDR) | F(VD_GUEST_CSUM));
	vd_setup_queue(d, 2, 0);
	vd_setup_queue(d, 3, 0);
	assert_true(vd_control(d, 0, 0, &off, 1));
	assert_true(vd_control(d, 1, 0, table, mac_table(table, 3, 2)));
	assert_true(vd_control(d, 1, 1, OTHER, 6));
	assert_true(vd_control(d, 2, 0, vlan, 2));
	assert_true(vd_control(d, 4, 0, pairs, 2));
	struct virtio_state before = virtio_of(d->nic)->state;
	assert_int_equal(nic_save(d->nic, &saved), 0);
	nic_reset(d->nic, RESET_POWER_ON);
	assert_int_equal(nic_load(d->nic, saved.data, saved.length, NULL), 0);
	const struct virtio_state *after = &virtio_of(d->nic)->state;
	assert_int_equal(after->pairs, 2);
	assert_memory_equal(after->mac, OTHER, 6);
	assert_int_equal(after->filter.unicasts, 3);
	assert_memory_equal(&after->filter.vlan, &before.filter.vlan, sizeof(before.filter.vlan));
	assert_memory_equal(&after->window, &before.window, sizeof(before.window));
	assert_int_equal(d->nic->rx_offloads, FRAME_CSUM);
	assert_int_equal(nic_save(d->nic, &again), 0);
	assert_int_equal(again.length, saved.length);
	assert_memory_equal(again.data, saved.data, saved.length);
	buffer_finish(&saved);
	buffer_finish(&again);
	vd_destroy(d);
}

static void damaged_state_is_refused_or_harmless(void **state)
{
	struct vd *d = make(2);
	struct buffer saved = { 0 };
	uint8_t frame[60] = { 2 };

	(void)state;
	vd_up(d, BASIC | F(VD_CTRL_VQ) | F(VD_PACKED));
	vd_give(d, 0, 4, 2048);
	assert_int_equal(nic_save(d->nic, &saved), 0);
	for (size_t cut = 0; cut < saved.length; cut++)
		assert_true(nic_load(d->nic, saved.data, cut, NULL) < 0);
	for (size_t at = 0; at < saved.length; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			saved.data[at] ^= (uint8_t)(1u << bit);
			nic_load(d->nic, saved.data, saved.length, NULL);
			nic_kick(d->nic, 0);
			nic_kick(d->nic, VIRTIO_CTRL_KICK);
			vd_run(d);
			d->nic->ops->receive(d->nic, d->batch, 0);
			vd_say(d, frame, 60);
			saved.data[at] ^= (uint8_t)(1u << bit);
		}
	assert_int_equal(nic_load(d->nic, saved.data, saved.length, NULL), 0);
	buffer_finish(&saved);
	vd_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_arrive_on_the_wire_while_rings_wrap),
		cmocka_unit_test(a_burst_goes_out_in_batches),
		cmocka_unit_test(backpressure_leaves_the_rest_in_the_ring),
		cmocka_unit_test(backpressure_works_around_the_end_of_the_ring),
		cmocka_unit_test(chains_of_every_kind_keep_their_order_under_pressure),
		cmocka_unit_test(a_chain_of_very_many_pieces_is_one_frame),
		cmocka_unit_test(a_buffer_may_lie_across_two_regions),
		cmocka_unit_test(a_long_chain_is_bounded_like_a_short_one),
		cmocka_unit_test(frames_that_are_none_are_dropped_and_given_back),
		cmocka_unit_test(offload_requests_pass_only_when_they_were_negotiated),
		cmocka_unit_test(a_lying_offload_header_drops_the_frame_alone),
		cmocka_unit_test(frames_arrive_in_the_guest_while_rings_wrap),
		cmocka_unit_test(a_frame_in_pieces_arrives_whole),
		cmocka_unit_test(the_header_may_have_a_buffer_of_its_own),
		cmocka_unit_test(frames_wait_for_buffers_and_kicks_come_only_then),
		cmocka_unit_test(a_large_frame_spreads_over_merged_buffers),
		cmocka_unit_test(batches_fill_buffers_of_every_kind_in_order),
		cmocka_unit_test(a_frame_that_will_never_fit_is_dropped),
		cmocka_unit_test(receive_offloads_follow_what_was_negotiated),
		cmocka_unit_test(frames_before_driver_ok_are_dropped),
		cmocka_unit_test(no_ring_is_touched_while_the_guest_is_stopped),
		cmocka_unit_test(
			buffers_that_came_while_the_guest_was_stopped_count_when_it_goes_on),
		cmocka_unit_test(interrupts_come_once_per_batch_and_only_when_wanted),
		cmocka_unit_test(the_interrupt_of_sent_frames_waits_unless_the_ring_fills),
		cmocka_unit_test(an_event_index_works_at_every_place_of_the_ring),
		cmocka_unit_test(a_kick_is_asked_for_only_when_the_ring_ran_dry),
		cmocka_unit_test(pairs_are_used_when_the_driver_asks),
		cmocka_unit_test(without_mq_control_is_queue_2),
		cmocka_unit_test(modes_of_the_receive_filter),
		cmocka_unit_test(extra_modes_need_their_feature),
		cmocka_unit_test(the_mac_table_lets_its_addresses_pass),
		cmocka_unit_test(a_mac_table_that_lies_about_its_length_is_refused),
		cmocka_unit_test(the_address_can_be_set),
		cmocka_unit_test(vlans_pass_when_they_are_added),
		cmocka_unit_test(an_unknown_command_is_refused_and_the_card_lives),
		cmocka_unit_test(a_saved_card_goes_on_where_it_was),
		cmocka_unit_test(the_filter_and_the_pairs_are_saved),
		cmocka_unit_test(damaged_state_is_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
