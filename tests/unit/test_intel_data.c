/* The family's data path on bare rings: what transmit descriptors become on the wire, how frames lie in receive rings. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "net/crc32c.h"
#include "net/csum.h"
#include "net/offload.h"
#include "nic/intel/regs.h"
#include "nic/intel/rx.h"
#include "nic/intel/tx.h"

#define RAM_AT	 0x100000u
#define RAM_SIZE 0x100000u
#define RING_AT	 RAM_AT
#define BUFFERS	 (RAM_AT + 0x10000)
#define RING	 64u

#define DEXT   BIT(29)
#define EOP    BIT(24)
#define IFCS   BIT(25)
#define IC     BIT(26)
#define TSE    BIT(26)
#define RS     BIT(27)
#define VLE    BIT(30)
#define DATA   (DEXT | 1u << 20)
#define ADV    (DEXT | 3u << 20)
#define ADVTSE BIT(31)

struct world {
	struct nic_sink sink;
	struct nic nic;
	struct frame batch[FRAME_BATCH];
	uint8_t *ram;
	int fd;
	struct intel_ring ring;
	struct intel_tx_queue queue;
	struct intel_tx tx;
	unsigned room, frames;
	struct virtio_net_hdr_v1 hdr[256];
	uint32_t length[256];
	uint8_t data[256][2048];
};

static unsigned take(struct nic_sink *sink, struct nic *nic, struct frame *frames, unsigned n)
{
	struct world *w = (struct world *)sink;
	unsigned i = 0;

	(void)nic;
	for (; i < n && w->room; i++, w->room--) {
		w->hdr[w->frames] = frames[i].hdr;
		w->length[w->frames] = frames[i].length;
		assert_true(frame_pieces_match(&frames[i]));
		frame_copy_out(&frames[i], 0, w->data[w->frames], sizeof(w->data[0]));
		w->frames++;
	}
	return i;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct error err;

	w->fd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(w->fd, RAM_SIZE), 0);
	w->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
	assert_ptr_not_equal(w->ram, MAP_FAILED);
	mem_init(&w->nic.mem);
	assert_int_equal(
		mem_map(&w->nic.mem, RAM_AT, RAM_SIZE, w->fd, 0, MEM_READ | MEM_WRITE, &err), 0);
	mem_set_bus_master(&w->nic.mem, true);
	w->sink.send = take;
	w->nic.sink = &w->sink;
	w->nic.batch = w->batch;
	w->room = 256;
	w->ring = (struct intel_ring){ .bal = RING_AT, .len = RING * 16 };
	w->tx = (struct intel_tx){ .nic = &w->nic,
				   .ring = &w->ring,
				   .queue = &w->queue,
				   .decode = intel_txd_decode_basic };
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	mem_finish(&w->nic.mem);
	munmap(w->ram, RAM_SIZE);
	close(w->fd);
	free(w);
	return 0;
}

static uint8_t *at(struct world *w, uint64_t address)
{
	return w->ram + (address - RAM_AT);
}

static void post(struct world *w, uint64_t address, uint32_t dword2, uint32_t dword3)
{
	uint8_t *d = at(w, RING_AT + w->ring.tail * 16);

	put_le64(d, address);
	put_le32(d + 8, dword2);
	put_le32(d + 12, dword3);
	w->ring.tail = (w->ring.tail + 1) % RING;
}

static bool done(struct world *w, uint32_t index)
{
	return get_le32(at(w, RING_AT + index * 16) + 12) & TXD_DD;
}

/* TCP over IPv4 with `payload` bytes; checksum fields as a driver leaves them for segmentation (no length in the sum). */
static uint32_t tcp_frame(struct world *w, uint64_t address, uint32_t payload, bool for_segments)
{
	uint8_t *f = at(w, address);
	uint32_t length = 54 + payload, sum;

	memset(f, 0, length);
	memcpy(f, "\x52\x54\x00\x00\x00\x01\x52\x54\x00\x00\x00\x02\x08\x00\x45", 15);
	put_be16(f + 16, for_segments ? 0 : (uint16_t)(length - 14));
	f[22] = 64;
	f[23] = 6;
	memcpy(f + 26, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
	f[46] = 0x50;
	f[47] = 0x18;
	for (uint32_t i = 0; i < payload; i++)
		f[54 + i] = (uint8_t)(i * 7);
	sum = csum_add(6 + (for_segments ? 0 : length - 34), f + 26, 8, false);
	put_be16(f + 50, (uint16_t)~csum_fold(sum));
	return length;
}

static struct intel_tx_result run(struct world *w)
{
	struct intel_tx_result r;

	intel_transmit(&w->tx, &r);
	return r;
}

static void context(struct world *w, uint16_t mss, bool tse)
{
	uint64_t low = 14 | 24u << 8 | 33u << 16 | (uint64_t)34 << 32 | (uint64_t)50 << 40;

	post(w, low, DEXT | BIT(24) | BIT(25) | (tse ? TSE : 0), (uint32_t)mss << 16 | 54u << 8);
}

static void a_legacy_frame_goes_out_and_its_descriptor_comes_back(void **state)
{
	struct world *w = *state;
	uint32_t length = tcp_frame(w, BUFFERS, 100, false);

	post(w, BUFFERS, length | EOP | IFCS | RS, 0);
	struct intel_tx_result r = run(w);
	assert_int_equal(w->frames, 1);
	assert_int_equal(w->length[0], length);
	assert_memory_equal(w->data[0], at(w, BUFFERS), length);
	assert_true(done(w, 0));
	assert_true(r.report && r.empty && !r.more && r.at_once);
	assert_int_equal(w->ring.head, 1);
}

static void a_descriptor_without_RS_is_not_written(void **state)
{
	struct world *w = *state;

	post(w, BUFFERS, 60 | EOP | IFCS, 0);
	assert_false(run(w).report);
	assert_int_equal(w->frames, 1);
	assert_false(done(w, 0));
}

static void each_sent_frame_is_counted_once_by_its_size(void **state)
{
	/* lengths without FCS; 0 is a broadcast of 60 bytes, and the large one is three segments */
	static const uint16_t lengths[] = { 60, 60, 100, 0, 100, 1514, 1514, 60, 0 };
	static struct intel_stats s;
	struct world *w = *state;

	memset(&s, 0, sizeof(s));
	w->tx.stats = &s;
	memset(at(w, BUFFERS), 0x22, 2048);
	memset(at(w, BUFFERS + 2048), 0xff, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++)
		post(w, lengths[i] ? BUFFERS : BUFFERS + 2048,
		     (lengths[i] ? lengths[i] : 60u) | EOP | IFCS, 0);
	context(w, 1000, true);
	uint32_t large = tcp_frame(w, BUFFERS + 4096, 2500, true);
	post(w, BUFFERS + 4096, large | EOP | IFCS | DEXT | DATA | TSE, 0x300);
	run(w);
	assert_int_equal(s.at[INTEL_STAT(STAT_TPT)], 12);
	assert_int_equal(s.at[INTEL_STAT(STAT_GPTC)], 12);
	assert_int_equal(s.at[INTEL_STAT(STAT_PTC64)], 5);
	assert_int_equal(s.at[INTEL_STAT(STAT_PTC127)], 2);
	assert_int_equal(s.at[INTEL_STAT(STAT_PTC1023)], 1); /* the last segment: 558 */
	assert_int_equal(s.at[INTEL_STAT(STAT_PTC1522)], 4);
	assert_int_equal(s.at[INTEL_STAT(STAT_BPTC)], 2);
	assert_int_equal(s.at[INTEL_STAT(STAT_TSCTC)], 1);
	assert_int_equal(s.at[INTEL_STAT(STAT_TOTL)],
			 5 * 64 + 2 * 104 + 2 * 1518 + 2 * (54 + 1000 + 4) + (54 + 500 + 4));
}

static void legacy_checksum_becomes_the_virtio_header(void **state)
{
	struct world *w = *state;

	post(w, BUFFERS, 100 | EOP | IFCS | IC | 50u << 16, 34u << 8);
	run(w);
	assert_int_equal(w->hdr[0].flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(w->hdr[0].csum_start, 34);
	assert_int_equal(w->hdr[0].csum_offset, 16);
}

/* The wire's frames after software segmentation are right in every checksum. */
static void check_segments(struct world *w, unsigned index, uint32_t mss, uint32_t payload)
{
	static uint8_t room[FRAME_MAX];
	struct frame f, out;
	struct offload_walk walk;
	uint32_t sent = 0;

	frame_set_linear(&f, w->data[index], w->length[index]);
	f.hdr = w->hdr[index];
	assert_int_equal(offload_walk_begin(&walk, &f, 0, room, sizeof(room)), 0);
	while (offload_walk_next(&walk, &out)) {
		const uint8_t *p = out.iov[0].iov_base;
		uint32_t l4 = out.length - 34;
		assert_int_equal(csum_fold(csum_add(0, p + 14, 20, false)), 0);
		assert_int_equal(
			csum_fold(csum_add(csum_add(6 + l4, p + 26, 8, false), p + 34, l4, false)),
			0);
		assert_int_equal(get_be16(p + 16), out.length - 14);
		assert_true(l4 - 20 <= mss);
		sent += l4 - 20;
	}
	assert_int_equal(sent, payload);
}

static void a_large_send_is_one_frame_with_right_segments(void **state)
{
	struct world *w = *state;
	uint32_t length = tcp_frame(w, BUFFERS, 1900, true);

	context(w, 500, true);
	post(w, BUFFERS, 54 | DATA | IFCS | TSE, 0x300);
	post(w, BUFFERS + 54, (length - 54) | DATA | IFCS | TSE | EOP | RS, 0);
	run(w);
	assert_int_equal(w->frames, 1);
	assert_int_equal(w->hdr[0].gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(w->hdr[0].gso_size, 500);
	assert_int_equal(w->hdr[0].hdr_len, 54);
	check_segments(w, 0, 500, 1900);
	assert_false(done(w, 0));
	assert_true(done(w, 2));
}

static void advanced_segmentation_means_the_same(void **state)
{
	struct world *w = *state;
	uint32_t length = tcp_frame(w, BUFFERS, 1900, true);

	w->tx.decode = intel_txd_decode_advanced;
	post(w, 20 | 14u << 9, DEXT | 2u << 20 | BIT(10) | 1u << 11, 500u << 16 | 20u << 8);
	post(w, BUFFERS, length | ADV | IFCS | EOP | RS | ADVTSE, 0x300 | (length - 54) << 14);
	run(w);
	check_segments(w, 0, 500, 1900);
	assert_true(done(w, 1));
}

static void a_tag_is_inserted_and_offsets_move(void **state)
{
	struct world *w = *state;
	uint32_t length = tcp_frame(w, BUFFERS, 10, false);

	w->tx.vlan_type = 0x8100;
	context(w, 0, false);
	post(w, BUFFERS, length | DATA | EOP | IFCS | VLE, 0x200 | 0x2064u << 16);
	run(w);
	assert_int_equal(w->length[0], length + 4);
	assert_int_equal(get_be32(w->data[0] + 12), 0x81002064);
	assert_int_equal(w->hdr[0].csum_start, 38);
	assert_memory_equal(w->data[0] + 16, at(w, BUFFERS) + 12, length - 12);
}

static void a_tag_asked_for_in_the_last_descriptor_alone_is_inserted_too(void **state)
{
	struct world *w = *state;
	uint32_t length = tcp_frame(w, BUFFERS, 10, false);

	w->tx.vlan_type = 0x8100;
	post(w, BUFFERS, 20, 0);
	post(w, BUFFERS + 20, (length - 20) | EOP | IFCS | VLE, 5u << 16);
	run(w);
	assert_int_equal(w->length[0], length + 4);
	assert_int_equal(get_be32(w->data[0] + 12), 0x81000005);
	assert_int_equal(get_be16(at(w, BUFFERS) + 12), 0x0800);
}

static void ip_and_sctp_checksums_are_made_here(void **state)
{
	struct world *w = *state;
	uint32_t length = tcp_frame(w, BUFFERS, 30, false);
	uint8_t *f = at(w, BUFFERS);

	w->tx.decode = intel_txd_decode_advanced;
	f[23] = 132;
	post(w, 20 | 14u << 9, DEXT | 2u << 20 | BIT(10) | 2u << 11, 0);
	post(w, BUFFERS, length | ADV | IFCS | EOP, 0x300);
	run(w);
	const uint8_t *p = w->data[0];
	assert_int_equal(csum_fold(csum_add(0, p + 14, 20, false)), 0);
	uint8_t copy[128];
	memcpy(copy, p + 34, length - 34);
	memset(copy + 8, 0, 4);
	assert_int_equal(get_le32(p + 42), crc32c_end(crc32c_add(CRC32C_BEGIN, copy, length - 34)));
	/* the guest's own memory is as it was */
	assert_int_equal(get_be16(f + 24), 0);
}

static void crc32c_has_the_published_check_value(void **state)
{
	(void)state;
	assert_int_equal(crc32c_end(crc32c_add(CRC32C_BEGIN, "123456789", 9)), 0xe3069283);
}

static void short_frames_are_padded_with_zeros(void **state)
{
	struct world *w = *state;

	w->tx.pad = true;
	memset(at(w, BUFFERS), 0xee, 64);
	post(w, BUFFERS, 20 | EOP | IFCS, 0);
	run(w);
	assert_int_equal(w->length[0], 60);
	assert_int_equal(w->data[0][19], 0xee);
	assert_int_equal(w->data[0][20], 0);
}

static void the_drivers_own_FCS_is_taken_off(void **state)
{
	struct world *w = *state;

	post(w, BUFFERS, 100 | EOP, 0);
	run(w);
	assert_int_equal(w->length[0], 96);
}

static void frames_that_nobody_took_stay_in_the_ring_with_their_context(void **state)
{
	struct world *w = *state;
	uint32_t length = tcp_frame(w, BUFFERS, 1900, true);

	context(w, 500, true);
	for (unsigned i = 0; i < 3; i++)
		post(w, BUFFERS, length | DATA | IFCS | TSE | EOP | RS, 0x300);
	context(w, 100, true);
	post(w, BUFFERS, length | DATA | IFCS | TSE | EOP | RS, 0x300);
	w->room = 1;
	struct intel_tx_result r = run(w);
	assert_int_equal(w->ring.head, 2);
	assert_false(r.more || r.empty);
	assert_false(done(w, 2));
	w->room = 100;
	run(w);
	assert_int_equal(w->frames, 4);
	assert_int_equal(w->hdr[1].gso_size, 500);
	assert_int_equal(w->hdr[2].gso_size, 500);
	assert_int_equal(w->hdr[3].gso_size, 100);
	assert_int_equal(w->ring.head, 6);
}

static unsigned hold_after; /* frames that may go */
static uint32_t held_launch;

static bool hold(struct nic *nic, const struct intel_tx_frame *t)
{
	(void)nic;
	if (hold_after) {
		hold_after--;
		return false;
	}
	held_launch = t->launch_first ? t->launch : 0;
	return true;
}

static void a_held_frame_and_those_behind_it_stay_in_the_ring(void **state)
{
	struct world *w = *state;

	w->tx.decode = intel_txd_decode_advanced;
	w->tx.hold = hold;
	hold_after = 1;
	post(w, BUFFERS, 60 | ADV | IFCS | EOP | RS, 0);
	post(w, (uint64_t)4711 << 32 | 14u << 9, DEXT | 2u << 20, 0x80); /* launch time */
	post(w, BUFFERS, 60 | ADV | IFCS | EOP | RS, 0);
	post(w, BUFFERS, 60 | ADV | IFCS | EOP | RS, 0);
	struct intel_tx_result r = run(w);
	assert_int_equal(w->frames, 1);
	assert_int_equal(w->ring.head, 1);
	assert_int_equal(held_launch, 4711);
	assert_false(r.more || r.empty);
	assert_int_equal(w->queue.context[0].launch, 0); /* its context is set again when it goes */
	hold_after = 2;
	r = run(w);
	assert_int_equal(w->frames, 3);
	assert_true(r.empty);
	assert_int_equal(w->queue.context[0].launch, 4711);
}

static void saved_contexts_come_back(void **state)
{
	struct world *w = *state;
	struct intel_tx_queue other = { 0 };
	struct buffer out = { 0 };

	context(w, 500, true);
	context(w, 0, false);
	run(w);
	w->queue.context[0].launch = 4711;
	intel_tx_queue_save(&w->queue, &out);
	struct reader in = reader_of(out.data, out.length);
	intel_tx_queue_load(&other, &in);
	assert_true(reader_at_end(&in) && !in.failed);
	assert_int_equal(other.context[1].mss, 500);
	assert_int_equal(other.context[0].tucss, w->queue.context[0].tucss);
	assert_int_equal(other.context[0].launch, 4711);
	buffer_finish(&out);
}

static void a_frame_without_its_end_waits_for_it(void **state)
{
	struct world *w = *state;

	post(w, BUFFERS, 100 | RS, 0);
	struct intel_tx_result r = run(w);
	assert_false(r.more || r.report);
	assert_int_equal(w->ring.head, 0);
	post(w, BUFFERS, 100 | EOP | IFCS | RS, 0);
	run(w);
	assert_int_equal(w->frames, 1);
	assert_int_equal(w->length[0], 200);
	assert_true(done(w, 0) && done(w, 1));
}

static void a_piece_of_no_bytes_needs_no_place(void **state)
{
	struct world *w = *state;

	tcp_frame(w, BUFFERS, 100, false);
	for (unsigned i = 0; i < FRAME_IOV_MAX; i++)
		post(w, BUFFERS + 2 * i, 2, 0);
	post(w, BUFFERS, 0 | EOP | IFCS | RS, 0);
	run(w);
	assert_int_equal(w->frames, 1);
	assert_int_equal(w->length[0], 2 * FRAME_IOV_MAX);
	assert_memory_equal(w->data[0], at(w, BUFFERS), 2 * FRAME_IOV_MAX);
}

static void an_endless_frame_is_given_back(void **state)
{
	struct world *w = *state;
	unsigned turns = 0;

	w->ring.len = 4096 * 16;
	w->ring.bal = RING_AT;
	for (unsigned i = 0; i < 4096; i++)
		put_le32(at(w, RING_AT + i * 16) + 8, RS | 1);
	w->ring.tail = 4095;
	while (run(w).more && turns++ < 100)
		;
	assert_true(turns > 0 && turns < 100);
	assert_int_equal(w->frames, 0);
	assert_int_not_equal(w->nic.counters.drop[DROP_BAD_DESCRIPTOR], 0);
}

static void bad_offloads_are_dropped_and_the_ring_goes_on(void **state)
{
	static const struct {
		uint16_t mss;
		uint8_t hdrlen, ipcss, tucss, tucso;
	} bad[] = {
		{ 0, 54, 14, 34, 50 },	  { 3, 54, 14, 34, 50 },   { 500, 255, 14, 34, 50 },
		{ 500, 10, 14, 34, 50 },  { 500, 54, 0, 34, 50 },  { 500, 54, 34, 14, 50 },
		{ 500, 54, 14, 250, 50 }, { 500, 40, 14, 34, 50 }, { 500, 54, 14, 20, 50 },
	};
	struct world *w = *state;
	uint32_t length = tcp_frame(w, BUFFERS, 1900, true);

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t low = bad[i].ipcss | 24u << 8 | 33u << 16 | (uint64_t)bad[i].tucss << 32 |
			       (uint64_t)bad[i].tucso << 40;
		post(w, low, DEXT | BIT(24) | BIT(25) | TSE,
		     (uint32_t)bad[i].mss << 16 | (uint32_t)bad[i].hdrlen << 8);
		post(w, BUFFERS, length | DATA | IFCS | TSE | EOP | RS, 0x300);
	}
	post(w, BUFFERS, 60 | EOP | IFCS | RS, 0);
	run(w);
	assert_int_equal(w->frames, 1);
	assert_int_equal(w->nic.counters.drop[DROP_BAD_OFFLOAD], ARRAY_SIZE(bad));
	assert_true(done(w, 1));
	assert_int_equal(w->ring.head, w->ring.tail);
}

static void addresses_outside_memory_are_dropped_and_the_ring_goes_on(void **state)
{
	struct world *w = *state;

	post(w, 0xffffffffffffff00, 600 | EOP | IFCS | RS, 0);
	post(w, BUFFERS, 60 | EOP | IFCS | RS, 0);
	run(w);
	assert_int_equal(w->frames, 1);
	assert_int_equal(w->nic.counters.drop[DROP_BAD_ADDRESS], 1);
	assert_true(done(w, 0) && done(w, 1));
}

static void rings_that_make_no_sense_do_nothing(void **state)
{
	static const struct intel_ring bad[] = {
		{ .bal = RING_AT, .len = 0, .tail = 3 },
		{ .bal = RING_AT, .len = 1024, .head = 64, .tail = 3 },
		{ .bal = RING_AT, .len = 1024, .tail = 64 },
		{ .bal = 0xfffff000, .bah = 0xffffffff, .len = 1024, .tail = 3 },
		{ .bal = 0x10, .len = 0xfff80, .tail = 3 },
	};
	struct world *w = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		w->ring = bad[i];
		struct intel_tx_result r = run(w);
		assert_false(r.more || r.report);
		assert_int_equal(w->ring.head, bad[i].head);
	}
	assert_int_equal(w->frames, 0);
}

static void head_write_back_tells_the_head_alone(void **state)
{
	struct world *w = *state;

	w->tx.head_only = true;
	w->tx.head_at = BUFFERS + 0x8000;
	post(w, BUFFERS, 60 | EOP | IFCS | RS, 0);
	run(w);
	assert_int_equal(get_le32(at(w, BUFFERS + 0x8000)), 1);
	assert_false(done(w, 0));
}

/* --- reception --- */

static struct intel_rx legacy_rx(struct world *w, uint32_t buffer, unsigned given)
{
	for (unsigned i = 0; i < RING; i++) {
		put_le64(at(w, RING_AT + i * 16), BUFFERS + i * 2048);
		put_le64(at(w, RING_AT + i * 16) + 8, 0);
	}
	w->ring.head = 0;
	w->ring.tail = given;
	return (struct intel_rx){ .nic = &w->nic,
				  .ring = &w->ring,
				  .format = &intel_rx_legacy,
				  .buffer_size = buffer,
				  .report_ip = true,
				  .report_l4 = true };
}

static int say(struct intel_rx *rx, uint8_t *data, uint32_t length, bool strip, bool fcs)
{
	struct intel_rx_info info;
	struct intel_image image;
	struct frame f;

	frame_set_linear(&f, data, length);
	intel_rx_look(&info, &f, 0x8100);
	intel_rx_check(&info, true, true);
	intel_image_make(&image, &info, strip, fcs);
	return intel_rx_put(rx, &image);
}

static void a_frame_lies_in_as_many_buffers_as_it_needs(void **state)
{
	struct world *w = *state;
	struct intel_rx rx = legacy_rx(w, 256, 8);
	uint8_t *data = at(w, RAM_AT + 0x80000);
	uint32_t length = tcp_frame(w, RAM_AT + 0x80000, 600, false);

	assert_int_equal(say(&rx, data, length, true, true), 0);
	assert_int_equal(w->ring.head, 3);
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *d = at(w, RING_AT + i * 16);
		assert_int_equal(d[12] & 3, i == 2 ? RXS_DD | RXS_EOP : RXS_DD);
		assert_int_equal(get_le16(d + 8), i == 2 ? length + 4 - 512 : 256);
		assert_memory_equal(at(w, BUFFERS + i * 2048), data + i * 256,
				    i == 2 ? length - 512 : 256);
		assert_int_equal(get_le64(d), BUFFERS + i * 2048);
	}
}

static void too_few_buffers_leave_the_ring_as_it_was(void **state)
{
	struct world *w = *state;
	struct intel_rx rx = legacy_rx(w, 256, 2);
	uint32_t length = tcp_frame(w, RAM_AT + 0x80000, 600, false);

	assert_int_equal(say(&rx, at(w, RAM_AT + 0x80000), length, true, false), -ENOBUFS);
	assert_int_equal(w->ring.head, 0);
	assert_false(at(w, RING_AT)[12] & RXS_DD);
}

static void a_frame_larger_than_the_ring_is_told_apart(void **state)
{
	struct world *w = *state;
	struct intel_rx rx = legacy_rx(w, 256, 7);

	w->ring.len = 128;
	assert_int_equal(say(&rx, at(w, RAM_AT + 0x80000), 9000, true, false), -EMSGSIZE);
	assert_int_equal(w->ring.head, 0);
}

static void a_buffer_outside_memory_costs_the_frame_only(void **state)
{
	struct world *w = *state;
	struct intel_rx rx = legacy_rx(w, 2048, 8);

	put_le64(at(w, RING_AT), 0x8000000000000000);
	assert_int_equal(say(&rx, at(w, RAM_AT + 0x80000), 100, true, false), -EFAULT);
	assert_int_equal(w->ring.head, 1);
	assert_int_equal(at(w, RING_AT)[13], RXE_RXE);
	rx.errors = 0;
	assert_int_equal(say(&rx, at(w, RAM_AT + 0x80000), 100, true, false), 0);
	assert_int_equal(w->ring.head, 2);
}

static void checksums_and_tags_are_told(void **state)
{
	struct world *w = *state;
	struct intel_rx rx = legacy_rx(w, 2048, 20);
	uint8_t *data = at(w, RAM_AT + 0x80000), *d = at(w, RING_AT);
	uint32_t length = tcp_frame(w, RAM_AT + 0x80000, 100, false);

	put_be16(data + 24, csum_fold(csum_add(0, data + 14, 20, false)));
	say(&rx, data, length, true, false);
	assert_int_equal(d[12], RXS_DD | RXS_EOP | RXS_IPCS | RXS_TCPCS);
	assert_int_equal(d[13], RXE_TCPE); /* the driver's partial sum is no checksum */
	uint32_t sum =
		csum_add(csum_add(6 + length - 34, data + 26, 8, false), data + 34, 16, false);
	put_be16(data + 50, csum_fold(csum_add(sum, data + 52, length - 52, false)));
	say(&rx, data, length, true, false);
	assert_int_equal(d[16 + 13], 0);
	data[60] ^= 1;
	data[20] ^= 1;
	say(&rx, data, length, true, false);
	assert_int_equal(d[32 + 13], RXE_IPE); /* a fragment now: nothing is said about TCP */
	memmove(data + 16, data + 12, length - 12);
	put_be32(data + 12, 0x81002123);
	say(&rx, data, length + 4, true, false);
	assert_int_equal(get_le16(d + 48 + 14), 0x2123);
	assert_int_equal(get_le16(d + 48 + 8), length);
	assert_true(d[48 + 12] & RXS_VP);
	assert_int_equal(get_be16(at(w, BUFFERS + 3 * 2048) + 12), 0x0800);
	say(&rx, data, length + 4, false, false);
	assert_int_equal(get_le16(d + 64 + 8), length + 4);
	assert_false(d[64 + 12] & RXS_VP);
}

static void frames_of_any_bytes_are_looked_at_within_bounds(void **state)
{
	struct world *w = *state;
	uint8_t *exact;

	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t length = 1 + (uint32_t)rand() % 120;
		struct intel_rx rx = legacy_rx(w, 2048, 8);
		exact = malloc(length);
		for (uint32_t k = 0; k < length; k++)
			exact[k] = (uint8_t)rand();
		static const uint16_t types[] = { 0x0800, 0x86dd, 0x8100, 0x88f7 };
		if (length > 15) {
			put_be16(exact + 12, types[rand() % 4]);
			exact[14] = exact[14] & 1 ? 0x45 : 0x60;
		}
		say(&rx, exact, length, rand() & 1, rand() & 1);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_legacy_frame_goes_out_and_its_descriptor_comes_back),
		T(a_descriptor_without_RS_is_not_written),
		T(each_sent_frame_is_counted_once_by_its_size),
		T(legacy_checksum_becomes_the_virtio_header),
		T(a_large_send_is_one_frame_with_right_segments),
		T(advanced_segmentation_means_the_same),
		T(a_tag_is_inserted_and_offsets_move),
		T(a_tag_asked_for_in_the_last_descriptor_alone_is_inserted_too),
		T(ip_and_sctp_checksums_are_made_here),
		T(crc32c_has_the_published_check_value),
		T(short_frames_are_padded_with_zeros),
		T(the_drivers_own_FCS_is_taken_off),
		T(frames_that_nobody_took_stay_in_the_ring_with_their_context),
		T(a_held_frame_and_those_behind_it_stay_in_the_ring),
		T(saved_contexts_come_back),
		T(a_frame_without_its_end_waits_for_it),
		T(a_piece_of_no_bytes_needs_no_place),
		T(an_endless_frame_is_given_back),
		T(bad_offloads_are_dropped_and_the_ring_goes_on),
		T(addresses_outside_memory_are_dropped_and_the_ring_goes_on),
		T(rings_that_make_no_sense_do_nothing),
		T(head_write_back_tells_the_head_alone),
		T(a_frame_lies_in_as_many_buffers_as_it_needs),
		T(too_few_buffers_leave_the_ring_as_it_was),
		T(a_frame_larger_than_the_ring_is_told_apart),
		T(a_buffer_outside_memory_costs_the_frame_only),
		T(checksums_and_tags_are_told),
		T(frames_of_any_bytes_are_looked_at_within_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
