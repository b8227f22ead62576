/* The bug classes that NIC models are known for, on each card of the family: one test a class, named after public CVEs of other
 * implementations. Each ends with the question whether the card still sends and receives. The sanitizer build watches memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "intel_card.h"

enum { CTRL = 0, RCTL = 0x100, RX = 0x2800, TX = 0x3800, LEN = 8, HEAD = 0x10, TAIL = 0x18 };

#define EOP  BIT(24)
#define IFCS BIT(25)
#define RS   BIT(27)

static struct intel_card *card;

static int setup(void **state)
{
	card = intel_card_create(*state);
	return card ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	intel_card_destroy(card);
	card = NULL;
	return 0;
}

/* Back to a card that a driver has just set up, by a bus reset. */
static void recover(void)
{
	nic_reset(card->m->nic, RESET_PCI);
	machine_clear_wire(card->m);
	intel_card_start(card);
}

static void assert_lives(void)
{
	machine_clear_wire(card->m);
	assert_true(intel_card_sends(card));
	assert_true(intel_card_receives(card));
}

static void the_card_works_at_all(void **state)
{
	(void)state;
	assert_lives();
	assert_lives();
}

/* CVE-2012-6075, CVE-2018-17963 */
static void a_frame_larger_than_a_buffer_overruns_nothing(void **state)
{
	static uint8_t big[16000];
	uint8_t *guard = machine_at(card->m, CARD_RX_DATA + (CARD_RING - 1) * CARD_BUFFER);

	(void)state;
	memset(big, 0x5a, sizeof(big));
	memset(big, 0xff, 6);
	memset(guard, 0x11, CARD_BUFFER);
	for (unsigned length = 1500; length <= sizeof(big); length += 500)
		machine_say(card->m, big, length);
	for (unsigned i = 0; i < CARD_BUFFER; i++)
		assert_int_equal(guard[i], 0x11); /* never given to the card */
	while (intel_card_take(card))
		;
	recover();
	assert_lives();
}

/* CVE-2015-6815, CVE-2016-1981, CVE-2017-9310 */
static void heads_and_tails_outside_the_ring_end(void **state)
{
	static const uint32_t values[] = { CARD_RING, CARD_RING + 1, 0xffff, 0xffffffffu,
					   0x7fffffff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		for (unsigned k = 0; k < 4; k++) {
			intel_card_write(card, (k & 1 ? RX : TX) + (k & 2 ? HEAD : TAIL),
					 values[i]);
			intel_card_write(card, TX + TAIL, 3);
			machine_say(card->m, "\xff\xff\xff\xff\xff\xff      \x88\xb5", 14);
		}
	recover();
	assert_lives();
}

/* CVE-2021-20257, CVE-2015-6815 */
static void contexts_that_fit_no_frame_end(void **state)
{
	static const struct {
		unsigned l2, l3, l4, mss, protocol;
	} bad[] = {
		{ 14, 20, 20, 0, 6 },	    { 14, 20, 20, 1, 6 },	{ 0, 0, 0, 1460, 6 },
		{ 127, 511, 255, 1460, 6 }, { 14, 20, 0, 1460, 6 },	{ 14, 0, 20, 1460, 17 },
		{ 14, 20, 200, 1460, 6 },   { 14, 511, 20, 65535, 17 }, { 14, 20, 12, 100, 132 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		for (unsigned length = 0; length < 4000; length += 333) {
			intel_card_context(card, bad[i].l2, bad[i].l3, bad[i].l4, bad[i].mss,
					   bad[i].protocol);
			intel_card_data(card, CARD_TX_DATA, length, true);
			intel_card_context(card, bad[i].l2, bad[i].l3, bad[i].l4, 0,
					   bad[i].protocol);
			intel_card_data(card, CARD_TX_DATA, length, false);
			intel_card_kick(card);
			machine_clear_wire(card->m);
		}
	assert_lives();
}

/* CVE-2020-16092, CVE-2020-15859, CVE-2023-3019: memory that is no memory, and the card's own registers */
static void dma_to_odd_places_is_refused(void **state)
{
	static const uint64_t places[] = { 0,
					   0xfebc0000,
					   RAM_END - 1,
					   RAM_AT - 1,
					   0xffffffffffffffff,
					   0x8000000000000000,
					   0xfffffffffffff000 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		intel_card_post(card, places[i], 300 | EOP | IFCS | RS, 0);
		intel_card_post(card, places[i], 300, 0);
		intel_card_post(card, CARD_TX_DATA, 20 | EOP | IFCS | RS, 0);
		intel_card_kick(card);
		put_le64(machine_at(card->m, CARD_RX_RING + card->rx_next * 16), places[i]);
		uint8_t frame[300] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
		machine_say(card->m, frame, sizeof(frame));
		intel_card_take(card);
	}
	assert_true(card->m->nic->counters.bad_access > 0);
	assert_lives();
}

/* A descriptor ring that lies over its own buffers, and over the other ring. */
static void rings_over_buffers_change_nothing_but_the_guests_memory(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CARD_RING; i++)
		put_le64(machine_at(card->m, CARD_RX_RING + i * 16), CARD_TX_RING + i * 8);
	uint8_t frame[1500];
	memset(frame, 0xff, sizeof(frame));
	for (unsigned i = 0; i < 200; i++) {
		machine_say(card->m, frame, 60 + i * 7);
		card->tx_tail = i % CARD_RING;
		intel_card_kick(card);
		machine_clear_wire(card->m);
		intel_card_take(card);
	}
	recover();
	assert_lives();
}

/* CVE-2020-28916: receive descriptors that take nothing */
static void receive_buffers_of_no_use_end(void **state)
{
	uint8_t frame[1000] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	(void)state;
	for (unsigned i = 0; i < CARD_RING; i++)
		put_le64(machine_at(card->m, CARD_RX_RING + i * 16), 0);
	for (unsigned i = 0; i < 100; i++)
		machine_say(card->m, frame, sizeof(frame));
	recover();
	assert_lives();
}

/* CVE-2021-3416, CVE-2025-12464: loopback that enters reception, with short frames */
static void loopback_of_short_and_long_frames_ends(void **state)
{
	(void)state;
	if (card->kind->vf)
		return; /* a virtual function cannot switch loopback on */
	for (uint32_t mode = 1; mode < 4; mode++) {
		recover();
		intel_card_write(card, RCTL, intel_card_read(card, RCTL) | mode << 6);
		for (uint32_t length = 0; length < 3000;
		     length = length < 70 ? length + 1 : length + 500) {
			memset(machine_at(card->m, CARD_TX_DATA), 0xff, 3000);
			intel_card_post(card, CARD_TX_DATA, length | EOP | IFCS | RS, 0);
			intel_card_kick(card);
			while (intel_card_take(card))
				;
		}
	}
	recover();
	assert_lives();
}

/* Loopback into the buffer that is being sent: what arrives is what was sent, though the one lies over the other. */
static void loopback_over_its_own_buffer_brings_what_was_sent(void **state)
{
	uint8_t frame[1000];

	(void)state;
	if (card->kind->vf)
		return;
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7);
	memset(frame, 0xff, 6);
	intel_card_write(card, RCTL, intel_card_read(card, RCTL) | 1u << 6);
	for (int by = -40; by <= 40; by += 8) {
		uint64_t to = CARD_TX_DATA + 64 + (uint64_t)(int64_t)by;
		memcpy(machine_at(card->m, CARD_TX_DATA + 64), frame, sizeof(frame));
		put_le64(machine_at(card->m, CARD_RX_RING + card->rx_next * 16), to);
		intel_card_post(card, CARD_TX_DATA + 64, sizeof(frame) | EOP | IFCS | RS, 0);
		intel_card_kick(card);
		assert_int_equal(intel_card_take(card), sizeof(frame));
		assert_memory_equal(machine_at(card->m, to), frame, sizeof(frame));
	}
	recover();
	assert_lives();
}

static uint64_t frames_looped(void)
{
	const struct nic_counters *c = &card->m->nic->counters;

	return c->rx_frames + c->drop[DROP_NO_BUFFER];
}

#define SEGMENTS_A_TURN 10000u /* the worst frame, and some */

/* Thirty frames that become 8000 segments each: none of them may keep the worker from its other work for long. */
static void loopback_of_thousands_of_segments_comes_in_turns(void **state)
{
	static const uint8_t head[54] = {
		0xff, 0xff,	0xff,	   0xff,      0xff,	   0xff,       0x52,
		0x54, 0,	0,	   0,	      9,	   0x08,       0,
		0x45, [23] = 6, [26] = 10, [30] = 10, [46] = 0x50, [47] = 0x10
	};
	uint8_t *data = machine_at(card->m, CARD_TX_DATA);
	uint64_t before = frames_looped(), turns = 1;

	(void)state;
	if (card->kind->vf)
		return;
	intel_card_write(card, RCTL, intel_card_read(card, RCTL) | 1u << 6);
	memset(data, 0, 65000);
	memcpy(data, head, sizeof(head));
	for (unsigned i = 0; i < 30; i++) {
		intel_card_context(card, 14, 20, 20, 8, 6);
		intel_card_data(card, CARD_TX_DATA, 65000, true);
	}
	/* the turn by hand: machine_run has no end */
	pci_bar_write(&card->m->nic->pci, 0, TX + TAIL, 4, card->tx_tail);
	for (uint64_t last = before; card->m->nic->notes.runnable;
	     last = frames_looped(), turns++) {
		card->m->nic->notes.runnable = 0;
		if (card->m->nic->ops->transmit(card->m->nic, 0))
			nic_kick(card->m->nic, 0);
		assert_in_range(frames_looped() - last, 0, SEGMENTS_A_TURN);
	}
	assert_int_equal(frames_looped() - before, 30 * ((65000 - 54 + 7) / 8));
	assert_true(turns > 10);
	recover();
	assert_lives();
}

/* CVE-2024-3567: SCTP checksums of frames that end too early */
static void sctp_checksums_of_short_frames_end(void **state)
{
	(void)state;
	for (uint32_t length = 0; length < 80; length++) {
		intel_card_context(card, 14, 20, 12, 0, 132);
		intel_card_data(card, CARD_TX_DATA, length, false);
		intel_card_kick(card);
		machine_clear_wire(card->m);
	}
	assert_lives();
}

/* What no chip would send is not summed byte by byte for nothing. */
static void sctp_frames_longer_than_any_chip_sends_are_refused(void **state)
{
	uint64_t *oversize = &card->m->nic->counters.drop[DROP_OVERSIZE];

	(void)state;
	if (!card->kind->advanced)
		return; /* knows no SCTP */
	for (unsigned i = 0; i < 4; i++) {
		intel_card_context(card, 14, 20, 12, 0, 132);
		intel_card_data(card, CARD_TX_DATA, 60000, false);
	}
	intel_card_kick(card);
	assert_int_equal(*oversize, 4);
	assert_int_equal(card->m->frames, 0);
	assert_lives();
}

/* LP 1879531: IPv6 extension headers that lead outside */
static void extension_headers_without_end_are_parsed_within_bounds(void **state)
{
	uint8_t frame[200] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,	0,
			       0,    0,	   0,	 0,    0x86, 0xdd, 0x60 };

	(void)state;
	for (unsigned next = 0; next < 256; next++)
		for (unsigned size = 0; size < 256; size += 51) {
			memset(frame + 54, (int)next, sizeof(frame) - 54);
			put_be16(frame + 18, sizeof(frame) - 54);
			frame[20] = (uint8_t)next;
			frame[54] = (uint8_t)next;
			frame[55] = (uint8_t)size;
			machine_say(card->m, frame, 60 + next % 140);
			while (intel_card_take(card))
				;
		}
	assert_lives();
}

/* Bus mastering is off while receiver and transmitter are on, as between two kernels: what arrives is lost, what is posted waits. */
static void a_card_that_may_not_be_master_leaves_its_rings_alone(void **state)
{
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	uint64_t bad = card->m->nic->counters.bad_access;

	(void)state;
	pci_config_write(&card->m->nic->pci, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	machine_run(card->m);
	memcpy(machine_at(card->m, CARD_TX_DATA), frame, sizeof(frame));
	intel_card_post(card, CARD_TX_DATA, sizeof(frame) | EOP | IFCS | RS, 0);
	intel_card_kick(card);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(machine_say(card->m, frame, sizeof(frame)), 1);
	assert_int_equal(card->m->frames, 0);
	machine_set_bus(card->m, true);
	machine_run(card->m);
	assert_int_equal(card->m->frames, 1); /* without another tail */
	assert_int_equal(card->m->nic->counters.bad_access, bad);
	assert_int_not_equal(card->m->nic->status.now.state, DRIVER_FAILED);
	assert_lives();
}

/* Ring lengths that are none: 0, no multiple, larger than memory. */
static void odd_ring_lengths_disable_the_ring(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 15, 16, 100, 0xfff80, 0xffffffffu };
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		intel_card_write(card, TX + LEN, lengths[i]);
		intel_card_write(card, RX + LEN, lengths[i]);
		for (unsigned k = 0; k < 5; k++) {
			intel_card_write(card, TX + TAIL, k * 17);
			intel_card_write(card, RX + TAIL, k * 17);
			machine_say(card->m, frame, sizeof(frame));
		}
		machine_clear_wire(card->m);
	}
	recover();
	assert_lives();
}

static void a_reset_between_two_descriptors_forgets_the_first(void **state)
{
	(void)state;
	intel_card_post(card, CARD_TX_DATA, 100, 0); /* a frame without its end */
	intel_card_kick(card);
	intel_card_write(card, CTRL, BIT(26));
	intel_card_start(card);
	assert_lives();
	assert_int_equal(card->m->wire[0].length, 60);
}

/* Every register, with odd values, in odd sizes: no crash, and a bus reset makes it good. */
static void random_writes_to_all_registers_are_survived(void **state)
{
	const struct pci_bar *bar = &card->m->nic->pci.bar[0];
	unsigned seed = 7;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint32_t offset = (uint32_t)rand_r(&seed) % bar->size;
		if (rand_r(&seed) % 4)
			offset %= 0x6000; /* where most registers are */
		unsigned size = 1u << rand_r(&seed) % 4;
		if (rand_r(&seed) % 3)
			pci_bar_write(&card->m->nic->pci, 0, offset, size,
				      (uint64_t)rand_r(&seed) * 2654435761u);
		else
			pci_bar_read(&card->m->nic->pci, 0, offset, size);
		if (round % 16 == 0) {
			machine_run(card->m);
			machine_say(card->m,
				    "\xff\xff\xff\xff\xff\xff\x52\x54\x00\x00\x00\x01\x08\x00\x45",
				    15);
			machine_wait(card->m, 100000);
			machine_clear_wire(card->m);
		}
	}
	recover();
	assert_lives();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(the_card_works_at_all),
		T(a_frame_larger_than_a_buffer_overruns_nothing),
		T(heads_and_tails_outside_the_ring_end),
		T(contexts_that_fit_no_frame_end),
		T(dma_to_odd_places_is_refused),
		T(rings_over_buffers_change_nothing_but_the_guests_memory),
		T(receive_buffers_of_no_use_end),
		T(loopback_of_short_and_long_frames_ends),
		T(loopback_over_its_own_buffer_brings_what_was_sent),
		T(loopback_of_thousands_of_segments_comes_in_turns),
		T(sctp_checksums_of_short_frames_end),
		T(sctp_frames_longer_than_any_chip_sends_are_refused),
		T(extension_headers_without_end_are_parsed_within_bounds),
		T(a_card_that_may_not_be_master_leaves_its_rings_alone),
		T(odd_ring_lengths_disable_the_ring),
		T(a_reset_between_two_descriptors_forgets_the_first),
		T(random_writes_to_all_registers_are_survived),
	};
	struct CMUnitTest mine[ARRAY_SIZE(tests)];
	int failed = 0;

	for (unsigned i = 0; i < intel_card_kind_count; i++) {
		if (!nic_model_find(intel_card_kinds[i].model))
			continue;
		printf("--- %s\n", intel_card_kinds[i].model);
		memcpy(mine, tests, sizeof(tests));
		for (unsigned k = 0; k < ARRAY_SIZE(tests); k++)
			mine[k].initial_state = (void *)(uintptr_t)&intel_card_kinds[i];
		failed += _cmocka_run_group_tests(intel_card_kinds[i].model, mine, ARRAY_SIZE(mine),
						  NULL, NULL);
	}
	return failed;
}
