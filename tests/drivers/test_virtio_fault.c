/* What a wrong or hostile driver writes: the card says what is wrong, wants a reset, and works again after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "nic/virtio/virtio_net.h"
#include "virtio_driver.h"

#define BASIC (F(VD_VERSION_1) | F(VD_MAC) | F(VD_STATUS) | F(VD_MRG_RXBUF))

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static struct vd *make(void)
{
	struct nic_spec spec = { .rev = -1, .packed = true, .bootindex = -1 };
	struct vd *d = vd_create(&spec, NULL);

	assert_non_null(d);
	vd_use_msix(d);
	return d;
}

/* The device failed for this reason, said so, and a reset mends it. Destroys `d`. */
static void expect_failure(struct vd *d, const char *word)
{
	uint8_t frame[60] = { 2 };

	nic_update_status(d->nic);
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, VD_NEEDS_RESET);
	assert_int_equal(d->nic->status.now.state, DRIVER_FAILED);
	if (!strstr(d->nic->status.now.evidence, word))
		fail_msg("evidence: %s; wanted: %s", d->nic->status.now.evidence, word);
	assert_int_equal(vd_interrupts(d, d->vector_fd[0]), 1);
	assert_true(d->nic->counters.bad_access > 0);

	/* nothing moves until the reset, and only 0 takes the status bit away */
	vd_set_status(d, VD_ACKNOWLEDGE | VD_DRIVER | VD_FEATURES_OK | VD_DRIVER_OK);
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, VD_NEEDS_RESET);
	unsigned frames = d->frames;
	for (unsigned i = 0; i < 3; i++)
		vd_poke(d, i);
	assert_int_equal(vd_say(d, frame, 60), 1);
	assert_int_equal(d->frames, frames);

	vd_up(d, BASIC);
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, 0);
	vd_send(d, 0, frame, 60);
	vd_kick(d, 1);
	assert_int_equal(d->frames, frames + 1);
	vd_give(d, 0, 1, 2048);
	assert_int_equal(vd_say(d, frame, 60), 1);
	assert_int_equal(d->nic->status.now.state, DRIVER_READY);
	vd_destroy(d);
}

static uint8_t *desc(struct vd *d, unsigned queue, unsigned i)
{
	return vd_at(d, d->q[queue].desc + 16 * i);
}

static void put_desc(uint8_t *p, uint64_t addr, uint32_t length, uint16_t third, uint16_t fourth)
{
	put_le64(p, addr);
	put_le32(p + 8, length);
	put_le16(p + 12, third);
	put_le16(p + 14, fourth);
}

/* Makes descriptor `head` of a split ring available. */
static void offer(struct vd *d, unsigned queue, uint16_t head)
{
	struct vd_queue *q = &d->q[queue];

	put_le16(vd_at(d, q->driver + 4 + 2u * (q->next % q->size)), head);
	put_le16(vd_at(d, q->driver + 2), ++q->next);
	vd_poke(d, queue);
}

static void split_descriptor_loops_end(void **state)
{
	(void)state;
	for (unsigned queue = 0; queue < 3; queue++) {
		struct vd *d = make();
		uint64_t buffer;
		uint8_t frame[60] = { 2 };

		vd_up(d, BASIC | F(VD_CTRL_VQ));
		buffer = vd_alloc(d, 4096, 16);
		uint16_t flags = queue == 0 ? NEXT | WRITE : NEXT;
		put_desc(desc(d, queue, 0), buffer, 64, flags, 1);
		put_desc(desc(d, queue, 1), buffer, 64, flags, 0);
		offer(d, queue, 0);
		vd_say(d, frame, 60);
		expect_failure(d, "loop");
	}
}

static void a_descriptor_that_is_its_own_successor_ends(void **state)
{
	struct vd *d = make();

	(void)state;
	vd_up(d, BASIC);
	put_desc(desc(d, 1, 5), vd_alloc(d, 64, 16), 0, NEXT, 5); /* zero length: adds nothing */
	offer(d, 1, 5);
	expect_failure(d, "queue 1: descriptor loop");
}

static void a_head_or_a_successor_outside_the_table_is_a_fault(void **state)
{
	struct vd *d = make();

	(void)state;
	vd_up(d, BASIC);
	offer(d, 1, 256);
	expect_failure(d, "outside the table");
	d = make();
	vd_up(d, BASIC);
	put_desc(desc(d, 1, 0), vd_alloc(d, 64, 16), 64, NEXT, 0xffff);
	offer(d, 1, 0);
	expect_failure(d, "outside the table");
}

static void an_index_that_jumps_by_more_than_the_size_is_a_fault(void **state)
{
	(void)state;
	for (unsigned queue = 0; queue < 3; queue++) {
		struct vd *d = make();
		vd_up(d, BASIC | F(VD_CTRL_VQ));
		put_le16(vd_at(d, d->q[queue].driver + 2), (uint16_t)(d->q[queue].size + 1));
		vd_poke(d, queue);
		expect_failure(d, "jumped");
	}
}

static void an_index_that_goes_back_is_a_fault(void **state)
{
	struct vd *d = make();
	uint8_t frame[60] = { 2 };

	(void)state;
	vd_up(d, BASIC);
	vd_send(d, 0, frame, 60);
	vd_send(d, 0, frame, 60);
	vd_kick(d, 1);
	put_le16(vd_at(d, d->q[1].driver + 2), 1);
	vd_poke(d, 1);
	expect_failure(d, "jumped");
}

static void a_readable_buffer_after_a_writable_one_is_a_fault(void **state)
{
	uint64_t features[] = { 0, F(VD_PACKED) };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct vd *d = make();
		vd_up(d, BASIC | features[i]);
		struct vd_piece p[2] = { { vd_alloc(d, 64, 16), 64 }, { vd_alloc(d, 64, 16), 64 } };
		assert_true(vd_add(d, 1, p, 2, NULL, 0, 0) >= 0);
		uint8_t *flags = desc(d, 1, 0) + (i ? 14 : 12);
		put_le16(flags, get_le16(flags) | WRITE);
		vd_poke(d, 1);
		expect_failure(d, "after a writable");
	}
}

static void a_buffer_outside_memory_is_a_fault(void **state)
{
	static const struct vd_piece bad[] = {
		{ 0, 64 },
		{ VD_RAM_AT - 1, 64 },
		{ VD_RAM_AT + VD_RAM_SIZE - 63, 64 },
		{ UINT64_MAX - 10, 64 },
		{ VD_RAM_AT + 0x1000, 0xffffffff },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		for (unsigned packed = 0; packed < 2; packed++)
			for (unsigned queue = 0; queue < 2; queue++) {
				struct vd *d = make();
				uint8_t frame[60] = { 2 };
				vd_up(d, BASIC | (packed ? F(VD_PACKED) : 0));
				if (queue)
					vd_add(d, 1, &bad[i], 1, NULL, 0, 0);
				else
					vd_add(d, 0, NULL, 0, &bad[i], 1, 0);
				vd_poke(d, queue);
				vd_say(d, frame, 60);
				expect_failure(d, "buffer outside guest memory");
			}
}

static void what_was_popped_before_the_fault_still_goes_out(void **state)
{
	struct vd *d = make();
	uint8_t frame[60] = { 2 };
	struct vd_piece bad = { 16, 64 };

	(void)state;
	vd_up(d, BASIC);
	vd_send(d, 0, frame, 60);
	vd_send(d, 0, frame, 60);
	vd_add(d, 1, &bad, 1, NULL, 0, 0);
	vd_send(d, 0, frame, 60);
	vd_kick(d, 1);
	assert_int_equal(d->frames, 2);
	assert_int_equal(vd_used_index(d, 1), 2);
	expect_failure(d, "outside guest memory");
}

/* One descriptor that points to a table made by the caller. */
static struct vd *with_table(bool packed, bool negotiated, uint64_t *table, size_t size,
			     size_t align)
{
	struct vd *d = make();

	vd_up(d, BASIC | (packed ? F(VD_PACKED) : 0) | (negotiated ? F(VD_INDIRECT) : 0));
	*table = vd_alloc(d, size, align);
	return d;
}

static void offer_table(struct vd *d, uint64_t table, uint32_t length, uint16_t more_flags)
{
	if (d->q[1].packed) {
		put_desc(desc(d, 1, 0), table, length, 0, INDIRECT | more_flags | 0x80);
		vd_poke(d, 1);
	} else {
		put_desc(desc(d, 1, 0), table, length, INDIRECT | more_flags, 1);
		offer(d, 1, 0);
	}
}

static void bad_indirect_tables_are_faults(void **state)
{
	static const struct {
		bool negotiated;
		uint32_t length;
		uint16_t flags;	      /* of the descriptor that points to the table */
		uint16_t first, next; /* flags and successor of the table's first descriptor */
		const char *word;
		bool split_only;
	} bad[] = {
		{ false, 32, 0, 0, 0, "indirect", false },
		{ true, 0, 0, 0, 0, "indirect", false },
		{ true, 17, 0, 0, 0, "indirect", false },
		{ true, 1025 * 16, 0, 0, 0, "indirect", false },
		{ true, 32, NEXT, 0, 0, "indirect", false },
		{ true, 32, 0, INDIRECT, 0, "indirect", false },
		{ true, 32, 0, NEXT, 2, "outside the table", true },
		{ true, 32, 0, NEXT, 0, "loop", true },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		for (unsigned packed = 0; packed < 2; packed++) {
			uint64_t table;
			if (packed && bad[i].split_only)
				continue;
			struct vd *d = with_table(packed, bad[i].negotiated, &table, 1100 * 16, 16);
			uint64_t buffer = vd_alloc(d, 64, 16);
			for (unsigned k = 0; k < 1025; k++)
				put_desc(vd_at(d, table + 16 * k), buffer, 8, 0, 0);
			put_desc(vd_at(d, table), buffer, 8, packed ? 0 : bad[i].first,
				 packed ? bad[i].first : bad[i].next);
			offer_table(d, table, bad[i].length, bad[i].flags);
			expect_failure(d, bad[i].word);
		}
}

static void an_indirect_table_outside_memory_is_a_fault(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		uint64_t table;
		struct vd *d = with_table(packed, true, &table, 32, 16);
		uint64_t last = VD_RAM_AT + VD_RAM_SIZE - 16;
		put_desc(vd_at(d, last), table, 8, packed ? 0 : NEXT, packed ? 0 : 1);
		offer_table(d, last, 32, 0);
		expect_failure(d, "outside guest memory");
	}
}

static void a_table_across_two_regions_or_at_an_odd_address_works(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		uint64_t table;
		struct vd *d = with_table(packed, true, &table, 64, 16);
		struct guest_mem *m = &d->nic->mem;
		uint64_t border = VD_RAM_AT + VD_RAM_SIZE / 2, frame = vd_alloc(d, 72, 8);

		mem_unmap_all(m);
		assert_int_equal(mem_map(m, VD_RAM_AT, VD_RAM_SIZE / 2, d->ram_fd, 0,
					 MEM_READ | MEM_WRITE, NULL),
				 0);
		assert_int_equal(mem_map(m, border, VD_RAM_SIZE / 2, d->ram_fd, VD_RAM_SIZE / 2,
					 MEM_READ | MEM_WRITE, NULL),
				 0);
		table = border - 13;
		for (unsigned i = 0; i < 3; i++)
			put_desc(vd_at(d, table + 16 * i), frame + 24 * i, 24,
				 packed || i == 2 ? 0 : NEXT, (uint16_t)(packed ? 0 : i + 1));
		offer_table(d, table, 48, 0);
		assert_int_equal(d->frames, 1);
		assert_int_equal(d->wire[0].length, 60);
		vd_destroy(d);
	}
}

static void a_packed_chain_around_the_whole_ring_is_a_fault(void **state)
{
	struct vd *d = make();

	(void)state;
	vd_up(d, BASIC | F(VD_PACKED));
	uint64_t buffer = vd_alloc(d, 64, 16);
	for (unsigned i = 0; i < 256; i++)
		put_desc(desc(d, 1, i), buffer, 8, 0, NEXT | 0x80);
	vd_poke(d, 1);
	expect_failure(d, "loop");
}

static void set_ring(struct vd *d, uint32_t size, uint64_t desc_at, uint64_t driver,
		     uint64_t device)
{
	vd_common_write(d, 0x16, 2, 1);
	vd_common_write(d, 0x18, 2, size);
	uint64_t address[3] = { desc_at, driver, device };
	for (unsigned i = 0; i < 3; i++) {
		vd_common_write(d, 0x20 + 8 * i, 4, (uint32_t)address[i]);
		vd_common_write(d, 0x24 + 8 * i, 4, (uint32_t)(address[i] >> 32));
	}
	vd_common_write(d, 0x1c, 2, 1);
}

static void rings_that_cannot_be_fail_at_driver_ok(void **state)
{
	const uint64_t ok = VD_RAM_AT + 0x10000, end = VD_RAM_AT + VD_RAM_SIZE;
	const struct {
		bool packed;
		uint32_t size;
		uint64_t desc, driver, device;
		const char *word;
	} bad[] = {
		{ false, 100, ok, ok + 0x2000, ok + 0x4000, "bad queue size" },
		{ false, 256, ok + 8, ok + 0x2000, ok + 0x4000, "alignment" },
		{ false, 256, ok, ok + 0x2001, ok + 0x4000, "alignment" },
		{ false, 256, ok, ok + 0x2000, ok + 0x4002, "alignment" },
		{ true, 256, ok, ok + 0x2002, ok + 0x4000, "alignment" },
		{ false, 256, 0, ok + 0x2000, ok + 0x4000, "ring outside" },
		{ false, 256, end - 4080, ok + 0x2000, ok + 0x4000, "ring outside" },
		{ false, 256, ok, end - 512, ok + 0x4000, "ring outside" },
		{ false, 256, ok, ok + 0x2000, UINT64_MAX - 3, "ring outside" },
		{ true, 256, ok, ok + 0x2000, end, "ring outside" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vd *d = make();
		assert_true(vd_begin(d, BASIC | (bad[i].packed ? F(VD_PACKED) : 0)));
		set_ring(d, bad[i].size, bad[i].desc, bad[i].driver, bad[i].device);
		vd_driver_ok(d);
		/* the vector of configuration changes was not yet there when rings were set up: it is by now */
		expect_failure(d, bad[i].word);
	}
}

static void a_packed_ring_may_have_any_size(void **state)
{
	struct vd *d = make();
	uint8_t frame[60] = { 2 };

	(void)state;
	assert_true(vd_begin(d, BASIC | F(VD_PACKED) | F(VD_EVENT_IDX)));
	vd_setup_queue(d, 0, 7);
	vd_setup_queue(d, 1, 3);
	vd_driver_ok(d);
	for (unsigned i = 0; i < 50; i++) {
		vd_send(d, 0, frame, 60);
		vd_kick(d, 1);
		assert_true(vd_get(d, 1, NULL, NULL));
	}
	assert_int_equal(d->frames, 50);
	vd_destroy(d);
}

static void a_receive_buffer_without_room_is_a_fault(void **state)
{
	static const struct {
		unsigned size;
		bool write;
	} bad[] = { { 11, true }, { 0, true }, { 64, false } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vd *d = make();
		uint8_t frame[60] = { 2 };
		vd_up(d, BASIC);
		struct vd_piece p = { vd_alloc(d, 64, 8), bad[i].size };
		vd_add(d, 0, &p, bad[i].write ? 0 : 1, &p, bad[i].write ? 1 : 0, 0);
		vd_poke(d, 0);
		vd_say(d, frame, 60);
		expect_failure(d, "room for the header");
	}
}

static void a_control_command_without_header_or_answer_is_a_fault(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct vd *d = make();
		vd_up(d, BASIC | F(VD_CTRL_VQ));
		struct vd_piece p = { vd_alloc(d, 64, 8), i ? 1 : 3 },
				in = { vd_alloc(d, 8, 8), 1 };
		vd_add(d, 2, &p, 1, &in, i ? 1 : 0, 0);
		vd_poke(d, 2);
		expect_failure(d, "control command");
	}
}

static void a_legacy_driver_sees_no_new_status_bit(void **state)
{
	struct vd *d = make();

	(void)state;
	d->legacy = true;
	vd_up(d, 0);
	offer(d, 1, 256);
	nic_update_status(d->nic);
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, 0);
	assert_int_equal(d->nic->status.now.state, DRIVER_FAILED);
	vd_destroy(d);
}

/* --- memory that goes and comes --- */

static void memory_that_goes_for_a_moment_is_no_fault(void **state)
{
	struct vd *d = make();
	uint8_t frame[60] = { 2 };

	(void)state;
	vd_up(d, BASIC);
	vd_give(d, 0, 4, 2048);
	mem_unmap_all(&d->nic->mem);
	vd_send(d, 0, frame, 60);
	vd_poke(d, 1);
	assert_int_equal(vd_say(d, frame, 60), 0);
	vd_wait(d, 100 * NS_PER_MS);
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, 0);
	assert_int_equal(d->frames, 0);
	vd_map(d);
	d->nic->notes.rx_ready = false;
	vd_wait(d, 100 * NS_PER_MS);
	assert_int_equal(d->frames, 1); /* nobody had to kick again */
	assert_true(d->nic->notes.rx_ready);
	assert_int_equal(vd_say(d, frame, 60), 1);
	assert_int_equal(d->nic->notes.deadline_ns, 0);
	vd_destroy(d);
}

static void memory_that_stays_away_is_a_fault(void **state)
{
	struct vd *d = make();

	(void)state;
	vd_up(d, BASIC);
	mem_unmap_all(&d->nic->mem);
	vd_poke(d, 1);
	vd_wait(d, 2 * NS_PER_S);
	vd_map(d);
	expect_failure(d, "ring outside guest memory");
}

static void without_bus_mastering_the_card_waits(void **state)
{
	struct vd *d = make();
	uint8_t frame[60] = { 2 };

	(void)state;
	vd_up(d, BASIC);
	vd_give(d, 0, 4, 2048);
	vd_bus_master(d, false);
	vd_send(d, 0, frame, 60);
	vd_poke(d, 1);
	vd_poke(d, 0);
	assert_int_equal(vd_say(d, frame, 60), 0);
	vd_wait(d, 2 * NS_PER_S);
	assert_int_equal(vd_status(d) & VD_NEEDS_RESET, 0);
	assert_int_equal(d->frames, 0);
	vd_bus_master(d, true);
	vd_run(d);
	assert_int_equal(d->frames, 1);
	assert_int_equal(vd_say(d, frame, 60), 1);
	vd_destroy(d);
}

static void memory_moved_under_the_rings_is_followed(void **state)
{
	struct vd *d = make();
	uint8_t frame[60] = { 2 };

	(void)state;
	vd_up(d, BASIC | F(VD_PACKED));
	vd_give(d, 0, 4, 2048);
	for (unsigned i = 0; i < 20; i++) {
		mem_unmap_all(&d->nic->mem);
		vd_map(d);
		vd_send(d, 0, frame, 60);
		vd_kick(d, 1);
		assert_int_equal(d->frames, i + 1);
		assert_true(vd_get(d, 1, NULL, NULL));
	}
	assert_int_equal(vd_say(d, frame, 60), 1);
	vd_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_descriptor_loops_end),
		cmocka_unit_test(a_descriptor_that_is_its_own_successor_ends),
		cmocka_unit_test(a_head_or_a_successor_outside_the_table_is_a_fault),
		cmocka_unit_test(an_index_that_jumps_by_more_than_the_size_is_a_fault),
		cmocka_unit_test(an_index_that_goes_back_is_a_fault),
		cmocka_unit_test(a_readable_buffer_after_a_writable_one_is_a_fault),
		cmocka_unit_test(a_buffer_outside_memory_is_a_fault),
		cmocka_unit_test(what_was_popped_before_the_fault_still_goes_out),
		cmocka_unit_test(bad_indirect_tables_are_faults),
		cmocka_unit_test(an_indirect_table_outside_memory_is_a_fault),
		cmocka_unit_test(a_table_across_two_regions_or_at_an_odd_address_works),
		cmocka_unit_test(a_packed_chain_around_the_whole_ring_is_a_fault),
		cmocka_unit_test(rings_that_cannot_be_fail_at_driver_ok),
		cmocka_unit_test(a_packed_ring_may_have_any_size),
		cmocka_unit_test(a_receive_buffer_without_room_is_a_fault),
		cmocka_unit_test(a_control_command_without_header_or_answer_is_a_fault),
		cmocka_unit_test(a_legacy_driver_sees_no_new_status_bit),
		cmocka_unit_test(memory_that_goes_for_a_moment_is_no_fault),
		cmocka_unit_test(memory_that_stays_away_is_a_fault),
		cmocka_unit_test(without_bus_mastering_the_card_waits),
		cmocka_unit_test(memory_moved_under_the_rings_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
