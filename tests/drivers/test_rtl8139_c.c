/* The C mode of both chips: four transmit slots, a receive ring of bytes. What 8139too, Windows XP and DOS drivers use. */
#include "rtl8139_help.h"

static uint8_t got[70000];

static struct rtl_driver *open_too(void **state, uint32_t rcr)
{
	struct rtl_driver *d = *state;

	rtl_open_c(d, rcr, IMR_TOO);
	machine_interrupts(d->m);
	return d;
}

static void four_slots_go_out_in_turn(void **state)
{
	struct rtl_driver *d = open_too(state, RCR_TOO);

	for (unsigned i = 0; i < 30; i++) {
		const uint8_t *f = frame_to(other, 100 + i, (uint8_t)i);
		unsigned slot = d->tx_next;
		rtl_send_c(d, f, 100 + i);
		assert_int_equal(d->m->frames, 1);
		assert_int_equal(d->m->wire[0].length, 100 + i);
		assert_memory_equal(d->m->wire[0].data, f, 100 + i);
		/* the host's again, sent, size and threshold still there */
		assert_int_equal(rtl_r32(d, 0x10 + 4 * slot), 0x0008a000 | (100 + i));
		machine_clear_wire(d->m);
	}
	assert_int_equal(rtl_r16(d, 0x60), 0xf00f);	/* summary: all sent, all the host's */
	rtl_w32(d, 0x10 + 4 * d->tx_next, 0x2000 | 64); /* owner bit set: nothing to do */
	assert_int_equal(d->m->frames, 0);
}

static void four_frames_in_flight_cost_one_interrupt(void **state)
{
	struct rtl_driver *d = open_too(state, RCR_TOO);

	d->m->wire_room = 0; /* the wire is busy while the driver fills its slots */
	for (unsigned i = 0; i < 4; i++)
		rtl_send_c(d, frame_to(other, 64, (uint8_t)i), 64);
	assert_int_equal(rtl_r16(d, 0x60), 0);
	d->m->wire_room = UINT32_MAX;
	nic_kick(d->m->nic, 0);
	machine_run(d->m);
	assert_int_equal(d->m->frames, 4);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0004);
	rtl_w16(d, 0x3e, 4);
	rtl_send_c(d, frame_to(other, 64, 0), 64);
	assert_int_equal(machine_interrupts(d->m), 0);
	machine_wait(d->m, 500000);
	assert_int_equal(machine_interrupts(d->m), 1);
}

static void frames_lie_in_the_ring_behind_their_header(void **state)
{
	struct rtl_driver *d = open_too(state, RCR_TOO);
	const uint8_t *f = frame_to(card_mac, 333, 7);

	assert_int_equal(rtl_r8(d, 0x37) & 1, 1);
	assert_int_equal(machine_say(d->m, f, 333), 1);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r8(d, 0x37) & 1, 0);
	assert_int_equal(rtl_r16(d, 0x3a), 4 + 340);
	assert_int_equal(rtl_take_c(d, got), 333);
	assert_memory_equal(got, f, 333);
	assert_int_equal(d->status, 0x4001);
	assert_int_equal(rtl_r8(d, 0x37) & 1, 1);
	assert_int_equal(rtl_r16(d, 0x38), 4 + 340 - 16);
	machine_say(d->m, frame_to(all, 20, 7), 20);
	assert_int_equal(rtl_take_c(d, got), 60);
	assert_int_equal(d->status, 0x2001);
}

/* 8139too reads ISR, acknowledges and goes, though a frame came after it had looked at the ring. */
static void a_frame_left_in_the_ring_interrupts_again(void **state)
{
	struct rtl_driver *d = open_too(state, RCR_TOO);

	machine_say(d->m, frame_to(card_mac, 64, 1), 64);
	assert_int_equal(machine_interrupts(d->m), 1);
	rtl_r16(d, 0x3e);
	rtl_w16(d, 0x3c, 0xc02e);
	assert_int_equal(rtl_take_c(d, got), 64);
	assert_int_equal(rtl_take_c(d, got), 0);
	machine_say(d->m, frame_to(card_mac, 64, 2), 64);
	rtl_ack(d);
	rtl_w16(d, 0x3c, IMR_TOO);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_ack(d), 0x0001);
	assert_int_equal(rtl_take_c(d, got), 64);
	rtl_w16(d, 0x3c, 0xc02e);
	rtl_w16(d, 0x3c, IMR_TOO);
	assert_int_equal(machine_interrupts(d->m), 0);
}

/* All four sizes, with the end of the ring wrapped or overrun, long enough to meet every alignment at the end. */
static void the_ring_wraps_in_every_size(void **state)
{
	for (unsigned size = 0; size < 4; size++)
		for (unsigned linear = 0; linear < 2; linear++) {
			struct rtl_driver *d =
				open_too(state, (RCR_TOO & ~0x80u) | size << 11 |
							(linear && size < 3 ? 0x80 : 0));
			uint8_t *end = machine_at(d->m, RTL_C_RING + d->ring_size);
			memset(end, 0x55, 2048);
			for (unsigned i = 0; i < 600; i++) {
				size_t len = 60 + i * 37 % 1455;
				const uint8_t *f = frame_to(card_mac, len, (uint8_t)i);
				assert_int_equal(machine_say(d->m, f, len), 1);
				assert_int_equal(rtl_take_c(d, got), len);
				assert_memory_equal(got, f, len);
				assert_int_equal(rtl_r16(d, 0x3a), d->ring_at);
			}
			if (!linear || size == 3)
				assert_int_equal(end[0],
						 0x55); /* not a byte behind a ring that wraps */
		}
}

static void a_full_ring_waits_for_capr(void **state)
{
	struct rtl_driver *d = open_too(state, RCR_TOO);
	unsigned n = 0;

	while (machine_say(d->m, frame_to(card_mac, 1000, (uint8_t)n), 1000))
		n++;
	assert_int_equal(n, 8); /* 8 x 1008 fit into 8192 */
	d->m->nic->notes.rx_ready = false;
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 1000, 0), 1000), 0);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0001); /* nothing was lost, so nothing is said */
	assert_int_equal(rtl_r32(d, 0x4c), 0);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(rtl_take_c(d, got), 1000);
		assert_int_equal(got[14], (uint8_t)(i + 14));
	}
	assert_true(d->m->nic->notes.rx_ready);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 1000, 0), 1000), 1);
	assert_int_equal(rtl_take_c(d, got), 1000);
}

static void frames_too_long_for_the_slack_are_dropped(void **state)
{
	struct rtl_driver *d = open_too(state, RCR_TOO);

	assert_int_equal(machine_say(d->m, frame_to(card_mac, 1792, 0), 1792), 1);
	assert_int_equal(rtl_take_c(d, got), 1792);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 1793, 0), 1793), 1);
	assert_int_equal(rtl_take_c(d, got), 0);
	assert_int_equal(dropped(d, DROP_OVERSIZE), 1);
	assert_int_equal(rtl_r32(d, 0x4c), 1);
	rtl_w32(d, 0x4c, 0);
	assert_int_equal(rtl_r32(d, 0x4c), 0);
}

/* 8139too after an error: receiver off and on, and it reads from the start again. */
static void a_receiver_reset_begins_at_the_start(void **state)
{
	struct rtl_driver *d = open_too(state, RCR_TOO);

	for (unsigned i = 0; i < 5; i++)
		machine_say(d->m, frame_to(card_mac, 300, 0), 300);
	rtl_w8(d, 0x37, 0x04);
	rtl_w8(d, 0x37, 0x0c);
	d->ring_at = 0;
	assert_int_equal(rtl_r8(d, 0x37), 0x0d);
	machine_say(d->m, frame_to(card_mac, 300, 9), 300);
	assert_int_equal(rtl_take_c(d, got), 300);
	assert_memory_equal(got, frame_to(card_mac, 300, 9), 300);
}

static void loopback_works_in_c_mode(void **state)
{
	struct rtl_driver *d = open_too(state, RCR_TOO);

	rtl_w32(d, 0x40, 0x03060600);
	rtl_send_c(d, frame_to(card_mac, 99, 1), 99);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(rtl_take_c(d, got), 99);
	assert_memory_equal(got, frame_to(card_mac, 99, 1), 99);
}

static void the_early_chip_has_no_cplus_registers(void **state)
{
	struct rtl_driver *d = open_too(state, RCR_TOO);

	rtl_w16(d, 0xe0, 0x0003);
	rtl_w8(d, 0xd9, 0x41);
	rtl_w32(d, 0xe4, RTL_RX_RING);
	assert_int_equal(rtl_r16(d, 0xe0), 0);
	assert_int_equal(rtl_r16(d, 0x3e), 0);
	rtl_w32(d, 0x10, 8); /* no DTCCR: a slot of eight bytes */
	assert_int_equal(dropped(d, DROP_RUNT), 1);
}

int main(void)
{
#define BOTH(f)                                                                                    \
	cmocka_unit_test_setup_teardown(f, setup_c, teardown),                                     \
		cmocka_unit_test_setup_teardown(f, setup_cplus, teardown)
	const struct CMUnitTest tests[] = {
		BOTH(four_slots_go_out_in_turn),
		BOTH(four_frames_in_flight_cost_one_interrupt),
		BOTH(frames_lie_in_the_ring_behind_their_header),
		BOTH(a_frame_left_in_the_ring_interrupts_again),
		BOTH(the_ring_wraps_in_every_size),
		BOTH(a_full_ring_waits_for_capr),
		BOTH(frames_too_long_for_the_slack_are_dropped),
		BOTH(a_receiver_reset_begins_at_the_start),
		BOTH(loopback_works_in_c_mode),
		cmocka_unit_test_setup_teardown(the_early_chip_has_no_cplus_registers, setup_c,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
