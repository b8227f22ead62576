/* Guests that mean harm, by the names under which other models met them, and state that is saved and loaded. */
#include "rtl8139_help.h"

static uint8_t got[16384];

/* CVE-2015-5165: IP and TCP lengths that are smaller than their headers made a huge payload of what lay behind. */
static void cve_2015_5165_lengths_that_lie_leak_nothing(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	static const uint32_t flags[] = {
		0x00050000, 0x00060000, 0x00040000, 0x08000000 | 1448u << 16, 0x08000000 | 1u << 16,
		0x08000000
	};

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		for (unsigned protocol = 6; protocol <= 17; protocol += 11)
			for (unsigned ihl = 0; ihl < 16; ihl++)
				for (unsigned total = 0; total < 80; total += 3)
					for (unsigned doff = 0; doff < 16; doff += 5) {
						uint8_t f[100];
						size_t len =
							ip_frame(f, other, (uint8_t)protocol, 20);
						f[14] = (uint8_t)(0x40 | ihl);
						put_be16(f + 16, (uint16_t)total);
						if (protocol == 6)
							f[46] = (uint8_t)(doff << 4);
						rtl_send(d, f, len, flags[i],
							 ihl & 1 ? 0x00020000 : 0);
						assert_true(d->m->frames <= 1);
						if (d->m->frames)
							assert_true(d->m->wire[0].length <=
								    len + 4);
						machine_clear_wire(d->m);
						assert_false(
							rtl_tx_opts1(d, (d->tx_next + 63) % 64) &
							0x80000000);
					}
}

/* CVE-2016-8910: a ring without an end, whose descriptors all belong to the card. */
static void cve_2016_8910_a_ring_without_end_ends(void **state)
{
	static const uint32_t kinds[] = { 0,	      0x20000000, 0x10000000, 0x30000000,
					  0x40000000, 0x60000000, 0x50000000 };
	struct rtl_driver *d = *state;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
		for (unsigned size = 0; size <= 60; size += 60) {
			open_cp(state, 0);
			memcpy(machine_at(d->m, RTL_TX_BUFFERS), frame_to(other, 60, 0), 60);
			for (unsigned i = 0; i < 64; i++) {
				uint8_t *desc = machine_at(d->m, RTL_TX_RING + 16 * i);
				put_le64(desc + 8, RTL_TX_BUFFERS);
				put_le32(desc, 0x80000000u | kinds[k] | size);
			}
			rtl_kick(d);
			rtl_kick(d);
			assert_true(d->m->frames <= 64);
			assert_false(rtl_tx_opts1(d, 0) & 0x80000000); /* given back, sent or not */
			machine_clear_wire(d->m);
		}
}

static void end_marks_that_lead_in_circles_send_nothing_twice(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	for (unsigned i = 0; i < 5; i++) /* the card stands at 5 */
		rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	machine_clear_wire(d->m);
	for (unsigned i = 0; i < 64; i++) {
		uint8_t *desc = machine_at(d->m, RTL_TX_RING + 16 * i);
		put_le64(desc + 8, RTL_TX_BUFFERS);
		put_le32(desc, 0xb0000000u | (i == 3 || i == 7 ? 0x40000000u : 0) | 64);
	}
	rtl_kick(d);
	assert_int_equal(d->m->frames, 3 + 4); /* 5 to 7, then 0 to 3 */
}

/* CVE-2018-17958: sizes whose sum or sign overflows. */
static void cve_2018_17958_sizes_do_not_overflow(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	for (unsigned i = 0; i < 10; i++) /* 10 x 65535 bytes in one frame */
		rtl_queue_piece(d, RTL_TX_BUFFERS, 65535,
				(i == 0 ? 0x20000000 : 0) | (i == 9 ? 0x10000000 : 0), 0);
	rtl_kick(d);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(dropped(d, DROP_OVERSIZE), 1);
	for (unsigned i = 0; i < 10; i++)
		assert_false(rtl_tx_opts1(d, i) & 0x80000000);
	assert_true(rtl_r16(d, 0x3e) & 0x0008);
	/* the largest that there is, and a tag on top */
	static uint8_t f[65535];
	memcpy(machine_at(d->m, RTL_TX_BUFFERS), frame_to(other, sizeof(f), 0), sizeof(f));
	rtl_queue_piece(d, RTL_TX_BUFFERS, 65535, 0x30000000, 0x00020000);
	rtl_kick(d);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 65539);
	/* C mode: a size beyond the FIFO aborts that slot, and the next one goes on */
	machine_clear_wire(d->m);
	rtl_open_c(d, RCR_TOO, IMR_TOO);
	rtl_w32(d, 0x10, 0x1fff);
	assert_int_equal(rtl_r32(d, 0x10) & 0xf0000000, 0x40000000);
	assert_true(rtl_r16(d, 0x3e) & 0x0008);
	d->tx_next = 1;
	rtl_send_c(d, frame_to(other, 64, 0), 64);
	assert_int_equal(d->m->frames, 1);
}

/* A frame in more pieces than anyone could hand on. */
static void a_frame_of_sixty_pieces_is_refused_whole(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	for (unsigned i = 0; i < 60; i++)
		rtl_queue_piece(d, RTL_TX_BUFFERS + 100 * i, 10,
				(i == 0 ? 0x20000000 : 0) | (i == 59 ? 0x10000000 : 0), 0);
	rtl_kick(d);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(dropped(d, DROP_BAD_DESCRIPTOR), 1);
	assert_false(rtl_tx_opts1(d, 59) & 0x80000000);
	rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	assert_int_equal(d->m->frames, 1);
}

/* CVE-2021-3416: loopback that leads into itself, here with one buffer for both sides. */
static void cve_2021_3416_loopback_does_not_recurse(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	rtl_w32(d, 0x40, 0x03060600);
	rtl_w32(d, 0x44, 0xe70f);
	memcpy(machine_at(d->m, RTL_TX_BUFFERS), frame_to(card_mac, 1000, 0), 1000);
	for (unsigned i = 0; i < 64; i++)
		rtl_give(d, i, RTL_TX_BUFFERS + 7, RTL_BUFFER);
	for (unsigned i = 0; i < 63; i++)
		rtl_queue_piece(d, RTL_TX_BUFFERS, 1000, 0x30000000, 0);
	rtl_kick(d);
	assert_int_equal(d->m->frames, 0);
	/* rings that lie upon each other */
	rtl_w32(d, 0x20, RTL_RX_RING);
	rtl_w32(d, 0xe4, RTL_RX_RING);
	for (unsigned i = 0; i < 64; i++)
		put_le32(machine_at(d->m, RTL_RX_RING + 16 * i), 0xb0000000 | 100);
	rtl_kick(d);
	rtl_kick(d);
	/* a large send has no way back */
	rtl_open_cplus(d, 0, IMR_CP);
	rtl_w32(d, 0x40, 0x03060600);
	uint8_t f[1500];
	size_t len = ip_frame(f, card_mac, 6, 1000);
	rtl_send(d, f, len, 0x08000000 | 100u << 16, 0);
	assert_int_equal(rtl_take(d, got), 0);
}

static void bad_addresses_are_counted_and_given_back(void **state)
{
	static const uint64_t bad[] = { 0,	    RAM_AT - 1, RAM_END - 32, RAM_END,
					0xfffffff0, ~0ull - 10, ~0ull,	      1ull << 63 };
	struct rtl_driver *d = open_cp(state, 0);
	struct nic *nic = d->m->nic;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t before = nic->counters.bad_access;
		rtl_queue_piece(d, bad[i], 64, 0x30000000, 0);
		rtl_kick(d);
		assert_int_equal(d->m->frames, 0);
		assert_false(rtl_tx_opts1(d, i) & 0x80000000);
		assert_true(rtl_tx_opts1(d, i) & 0x00800000);
		assert_true(nic->counters.bad_access > before);
		assert_int_equal(rtl_r16(d, 0x3e) & 0x8008, 0x8008);
		assert_true(pci_config_read(&nic->pci, 6, 2) &
			    0x2000); /* master abort, for the driver's log */
		rtl_w16(d, 0x3e, 0xffff);

		before = dropped(d, DROP_BAD_ADDRESS);
		rtl_give(d, d->rx_next, bad[i], RTL_BUFFER);
		assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 0), 64), 1);
		assert_int_equal(dropped(d, DROP_BAD_ADDRESS), before + 1);
		uint32_t opts1 = get_le32(machine_at(d->m, RTL_RX_RING + 16 * d->rx_next));
		assert_int_equal(opts1 & 0xb0100000, 0x30100000); /* given back, with an error */
		assert_int_equal(rtl_r16(d, 0x3e) & 0x8002, 0x8002);
		rtl_w16(d, 0x3e, 0xffff);
		d->rx_next++;
	}
	machine_say(d->m, frame_to(card_mac, 64, 0), 64);
	assert_int_equal(rtl_take(d, got), 64);
}

static void rings_outside_memory_stop_nothing_else(void **state)
{
	static const uint32_t bad[][2] = {
		{ 0, 0 }, { RAM_END, 0 }, { 0xffffff00, 0xffffffff }, { RAM_AT, 1 }
	};
	struct rtl_driver *d = open_cp(state, 0);

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		rtl_w32(d, 0xe4, bad[i][0]);
		rtl_w32(d, 0xe8, bad[i][1]);
		rtl_w32(d, 0x20, bad[i][0]);
		rtl_w32(d, 0x24, bad[i][1]);
		assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 0), 64), 1);
		rtl_kick(d);
		assert_true(rtl_r16(d, 0x3e) & 0x8000);
		rtl_w32(d, 0x14, bad[i][1]);
		rtl_w32(d, 0x10, bad[i][0] | 8);
		assert_int_equal(rtl_r32(d, 0x10) & 8, 0);
		rtl_w16(d, 0x3e, 0xffff);
	}
	rtl_open_c(d, RCR_TOO, IMR_TOO);
	rtl_w32(d, 0x30, RAM_END - 100);
	machine_say(d->m, frame_to(card_mac, 200, 0), 200);
	assert_true(rtl_r16(d, 0x3e) & 0x8000);
	rtl_w32(d, 0x20, 0xffffffff);
	rtl_w32(d, 0x10, 64);
	assert_true(rtl_r32(d, 0x10) & 0x40000000);
	rtl_open_cplus(d, 0, IMR_CP);
	machine_say(d->m, frame_to(card_mac, 64, 0), 64);
	assert_int_equal(rtl_take(d, got), 64);
}

static void buffers_that_hold_nothing_do_not_loop(void **state)
{
	struct rtl_driver *d = *state;

	d->rx_size = 0;
	open_cp(state, 0);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 0), 64), 1);
	assert_int_equal(dropped(d, DROP_OVERSIZE), 1);
	d->rx_size = 1; /* 64 bytes in all, for a frame of 68 */
	rtl_open_cplus(d, 0, IMR_CP);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 0), 64), 1);
	assert_int_equal(dropped(d, DROP_OVERSIZE), 2);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 60, 0), 60), 1); /* 64 with its FCS */
	assert_int_equal(rtl_take(d, got), 60);
	d->rx_size = RTL_BUFFER;
	rtl_open_cplus(d, 0, IMR_CP);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 9000, 0), 9000), 1);
	assert_int_equal(dropped(d, DROP_OVERSIZE), 3);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 13, 0), 13), 1);
	assert_int_equal(dropped(d, DROP_RUNT), 1);
}

static void capr_may_say_anything(void **state)
{
	struct rtl_driver *d = *state;

	for (unsigned size = 0; size < 4; size++) {
		rtl_open_c(d, RCR_TOO | size << 11, IMR_TOO);
		for (unsigned capr = 0; capr < 0x10000; capr += 97) {
			rtl_w16(d, 0x38, (uint16_t)capr);
			rtl_r8(d, 0x37);
			machine_say(d->m, frame_to(card_mac, 700, 0), 700);
			assert_true(rtl_r16(d, 0x3a) < 8192u << size);
			if (capr % 11 == 0) /* and the ring changes its size meanwhile */
				rtl_w32(d, 0x44, RCR_TOO | (capr & 3) << 11),
					rtl_w32(d, 0x44, RCR_TOO | size << 11);
		}
	}
}

static void a_stopped_guest_is_left_alone(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	uint8_t before[64];

	d->m->nic->stopped = true;
	memcpy(machine_at(d->m, RTL_TX_BUFFERS), frame_to(other, 64, 0), 64);
	rtl_queue_piece(d, RTL_TX_BUFFERS, 64, 0x30000000, 0);
	rtl_kick(d);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 0), 64), 0);
	memset(machine_at(d->m, RTL_TALLY), 0x77, 64);
	memcpy(before, machine_at(d->m, RTL_TALLY), 64);
	rtl_w32(d, 0x14, 0);
	rtl_w32(d, 0x10, RTL_TALLY | 8);
	assert_memory_equal(machine_at(d->m, RTL_TALLY), before, 64);
	assert_true(rtl_r32(d, 0x10) & 8);
	d->m->nic->stopped = false;
	nic_kick(d->m->nic, 0); /* the owner kicks what was kicked */
	machine_run(d->m);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(rtl_r32(d, 0x10) & 8, 0);
	assert_int_equal(get_le64(machine_at(d->m, RTL_TALLY)), 1);
}

/* Each look of the clock must plan the next one, or the owner's timer would fire without end. */
static void the_clock_never_spins(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	while (machine_say(d->m, frame_to(card_mac, 64, 0), 64))
		;
	for (unsigned stopped = 0; stopped < 2; stopped++) {
		unsigned fired = 0;
		d->m->nic->stopped = stopped;
		for (uint64_t ms = 0; ms < 1000; ms++) {
			clock_set(&d->m->clock, clock_now(&d->m->clock) + MS);
			while (d->m->nic->notes.deadline_ns &&
			       d->m->nic->notes.deadline_ns <= clock_now(&d->m->clock)) {
				d->m->nic->notes.deadline_ns = 0;
				d->m->nic->ops->timer(d->m->nic);
				assert_true(++fired < 60);
			}
		}
	}
}

/* --- saved state --- */

/* Moves the card's state into a new card of the same memory, as a migration would. */
static void move(struct rtl_driver *d)
{
	struct machine *m = d->m;
	struct buffer out = { 0 };
	struct error err = { 0 };

	assert_int_equal(nic_save(m->nic, &out), 0);
	struct nic_spec spec = m->nic->spec;
	nic_destroy(m->nic);
	clock_set(&m->clock, clock_now(&m->clock) + 123456789012ull); /* another clock */
	m->nic = nic_create(&spec, &m->clock, m->batch, &err);
	assert_non_null(m->nic);
	m->nic->sink = &m->sink;
	uint32_t half = RAM_SIZE / 2;
	assert_int_equal(
		mem_map(&m->nic->mem, RAM_AT, half, m->ram_fd, 0, MEM_READ | MEM_WRITE, &err), 0);
	assert_int_equal(mem_map(&m->nic->mem, RAM_BORDER, half, m->ram_fd, half,
				 MEM_READ | MEM_WRITE, &err),
			 0);
	pci_irq_set_fd(&m->nic->pci, PCI_INTX, 0, dup(m->irq_fd));
	assert_int_equal(nic_load(m->nic, out.data, out.length, &err), 0);
	/* what is saved again is the same */
	struct buffer again = { 0 };
	assert_int_equal(nic_save(m->nic, &again), 0);
	assert_int_equal(again.length, out.length);
	assert_memory_equal(again.data, out.data, out.length);
	buffer_finish(&out);
	buffer_finish(&again);
	machine_run(m);
}

static void traffic_goes_on_after_a_move(void **state)
{
	struct rtl_driver *d = open_cp(state, 0x0060);

	rtl_w32(d, 0x54, 0x10000000);
	for (unsigned round = 0; round < 100; round++) {
		const uint8_t *f = frame_to(card_mac, 64 + round, (uint8_t)round);
		assert_int_equal(machine_say(d->m, f, 64 + round), 1);
		d->m->wire_room =
			round % 3 == 0 ? 0 : UINT32_MAX; /* sometimes a frame still waits */
		rtl_send(d, frame_to(other, 70 + round, (uint8_t)round), 70 + round, 0, 0);
		uint32_t ticks = rtl_r32(d, 0x48);
		d->m->wire_room = UINT32_MAX;
		uint32_t timer = rtl_r32(d, 0x54);
		if (round % 5 == 0)
			move(d);
		nic_kick(d->m->nic, 0);
		machine_run(d->m);
		assert_int_equal(rtl_r32(d, 0x48), ticks); /* the counter did not run meanwhile */
		assert_int_equal(rtl_r32(d, 0x54), timer);
		assert_int_equal(d->m->frames, 1);
		assert_int_equal(d->m->wire[0].length, 70 + round);
		machine_clear_wire(d->m);
		assert_int_equal(rtl_take(d, got), 64 + round);
		assert_memory_equal(got, f, 0);
		assert_int_equal(got[14], (uint8_t)(round + 14));
		assert_int_equal(d->m->nic->status.now.state, DRIVER_READY);
	}
}

static void everything_that_a_driver_set_moves_along(void **state)
{
	struct rtl_driver *d = *state;

	rtl_eeprom_write(d, 50, 0xcafe);
	rtl_unlock(d);
	rtl_w8(d, 0x52, 0x2d);
	rtl_w8(d, 0x59, 0x60);
	rtl_lock(d);
	rtl_w8(d, 0x9c, 0x42);
	rtl_w32(d, 0x00, get_le32(other));
	rtl_open_c(d, RCR_TOO, IMR_TOO);
	machine_interrupts(d->m);
	rtl_send_c(d, frame_to(other, 64, 0), 64); /* its interrupt is held back */
	assert_int_equal(machine_interrupts(d->m), 0);
	/* in the middle of an EEPROM command */
	rtl_w8(d, 0x50, 0x88);
	for (int i = 8; i >= 0; i--) {
		uint8_t di = (0x180 | 50) >> i & 1 ? 2 : 0;
		rtl_w8(d, 0x50, 0x88 | di);
		rtl_w8(d, 0x50, 0x8c | di);
		if (i == 4) {
			struct pci_device *pci = &d->m->nic->pci;
			assert_true(pci_bus_master(pci));
		}
	}
	struct buffer out = { 0 };
	assert_int_equal(nic_save(d->m->nic, &out), 0);
	nic_reset(d->m->nic, RESET_PCI);
	assert_int_equal(rtl_r8(d, 0x9c), 0);
	assert_int_equal(nic_load(d->m->nic, out.data, out.length, NULL), 0);
	machine_run(d->m);
	machine_wait(d->m, 0);
	assert_int_equal(machine_interrupts(d->m), 1);
	uint16_t word = 0;
	for (int i = 0; i < 16; i++) {
		rtl_w8(d, 0x50, 0x88);
		rtl_w8(d, 0x50, 0x8c);
		word = (uint16_t)(word << 1 | (rtl_r8(d, 0x50) & 1));
	}
	assert_int_equal(word, 0xcafe);
	rtl_w8(d, 0x50, 0);
	assert_int_equal(rtl_r8(d, 0x52), 0x2d);
	assert_int_equal(rtl_r8(d, 0x59) & 0xf0, 0x60);
	assert_int_equal(rtl_r8(d, 0x9c), 0x42);
	assert_int_equal(rtl_r32(d, 0), get_le32(other));
	assert_int_equal(d->m->nic->status.now.state, DRIVER_READY);
	assert_int_equal(d->m->nic->status.now.phase, PHASE_OS);

	/* cut anywhere, and changed anywhere: refused or taken, never worse, and the card still works */
	for (size_t cut = 0; cut < out.length; cut++)
		assert_true(nic_load(d->m->nic, out.data, cut, NULL) < 0);
	for (size_t i = 0; i < out.length; i++) {
		out.data[i] ^= 0xff;
		nic_load(d->m->nic, out.data, out.length, NULL);
		out.data[i] ^= 0xff;
		machine_set_bus(d->m, true);
		machine_say(d->m, frame_to(card_mac, 64, 0), 64);
		rtl_w8(d, 0xd9, 0xc0);
	}
	buffer_finish(&out);
	rtl_open_cplus(d, 0, IMR_CP);
	machine_say(d->m, frame_to(all, 64, 0), 64);
	assert_int_equal(rtl_take(d, got), 64);
}

static void a_state_of_the_other_revision_is_refused(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	struct machine *m = machine_create("rtl8139", C, NULL);
	struct buffer out = { 0 };

	assert_int_equal(nic_save(d->m->nic, &out), 0);
	assert_true(nic_load(m->nic, out.data, out.length, NULL) < 0);
	buffer_finish(&out);
	machine_destroy(m);
}

int main(void)
{
#define CP(f) cmocka_unit_test_setup_teardown(f, setup_cplus, teardown)
	const struct CMUnitTest tests[] = {
		CP(cve_2015_5165_lengths_that_lie_leak_nothing),
		CP(cve_2016_8910_a_ring_without_end_ends),
		CP(end_marks_that_lead_in_circles_send_nothing_twice),
		CP(cve_2018_17958_sizes_do_not_overflow),
		CP(a_frame_of_sixty_pieces_is_refused_whole),
		CP(cve_2021_3416_loopback_does_not_recurse),
		CP(bad_addresses_are_counted_and_given_back),
		CP(rings_outside_memory_stop_nothing_else),
		CP(buffers_that_hold_nothing_do_not_loop),
		CP(capr_may_say_anything),
		CP(a_stopped_guest_is_left_alone),
		CP(the_clock_never_spins),
		CP(traffic_goes_on_after_a_move),
		CP(everything_that_a_driver_set_moves_along),
		CP(a_state_of_the_other_revision_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
