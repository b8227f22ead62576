/* Flow control of the family's cards (802.3 annex 31B): pause frames from the wire stop the transmitter for their time, at the speed of the
 * link; the driver may send one; the guest sees none that it did not ask for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/buffer.h"
#include "intel_card.h"

enum {
	CTRL = 0,
	STATUS = 8,
	FCAL = 0x28,
	FCAH = 0x2c,
	FCT = 0x30,
	RCTL = 0x100,
	FCTTV = 0x170,
	TCTL = 0x400,
	XONRXC = 0x4048,
	XONTXC = 0x404c,
	XOFFRXC = 0x4050,
	XOFFTXC = 0x4054,
	FCRUC = 0x4058
};

#define TXOFF	BIT(4)
#define LU	BIT(1)
#define RFCE	BIT(27)
#define TFCE	BIT(28)
#define DPF	BIT(22)
#define PMCF	BIT(23)
#define SWXOFF	BIT(22)
#define US	1000u
#define QUANTA	1000u
#define PATIENT (4000u * US) /* a negotiation is long over */

static const uint8_t all_macs[6] = { 0x01, 0x80, 0xc2, 0, 0, 1 };
static const uint8_t card_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

static struct intel_card *card;

static void set_bits(uint32_t at, uint32_t bits)
{
	intel_card_write(card, at, intel_card_read(card, at) | bits);
}

static int setup(void **state)
{
	card = intel_card_create(*state);
	if (!card)
		return -1;
	intel_card_write(card, FCAL, 0x00c28001);
	intel_card_write(card, FCAH, 0x0100);
	intel_card_write(card, FCT, 0x8808);
	for (int i = 0; i < 1000 && !(intel_card_read(card, STATUS) & LU); i++)
		machine_wait(card->m, PATIENT);
	set_bits(CTRL, RFCE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	intel_card_destroy(card);
	card = NULL;
	return 0;
}

static void say_control(const uint8_t *to, uint16_t opcode, uint16_t value)
{
	uint8_t f[60] = { 0 };

	memcpy(f, to, 6);
	f[6] = 2;
	put_be16(f + 12, 0x8808);
	put_be16(f + 14, opcode);
	put_be16(f + 16, value);
	machine_say(card->m, f, sizeof(f));
}

static void say_pause(uint16_t quanta)
{
	say_control(all_macs, 1, quanta);
}

/* 512 bit times each, at the speed that the card came up with. */
static unsigned pause_ns(void)
{
	bool fast = strcmp(card->kind->model, "igc") == 0;

	return QUANTA * 512 * 1000 / (fast ? 2500 : 1000);
}

static void a_pause_frame_stops_the_transmitter_for_its_time(void **state)
{
	(void)state;
	say_pause(QUANTA);
	assert_int_equal(intel_card_read(card, STATUS) & TXOFF, TXOFF);
	assert_false(intel_card_sends(card));
	machine_wait(card->m, pause_ns() - 2 * US);
	assert_int_equal(card->m->frames, 0);
	machine_wait(card->m, 3 * US);
	assert_int_equal(card->m->frames, 1); /* by itself: nobody wrote a tail */
	assert_int_equal(intel_card_read(card, STATUS) & TXOFF, 0);
	assert_true(intel_card_sends(card));
	assert_int_equal(intel_card_read(card, XOFFRXC), 1);
	assert_int_equal(intel_card_read(card, XOFFRXC), 0);
}

static void a_pause_of_no_time_ends_it(void **state)
{
	(void)state;
	say_pause(0xffff);
	assert_false(intel_card_sends(card));
	say_pause(0);
	machine_run(card->m);
	assert_int_equal(card->m->frames, 1);
	assert_int_equal(intel_card_read(card, XONRXC), 1);
}

static void a_later_pause_counts_from_when_it_came(void **state)
{
	(void)state;
	say_pause(QUANTA);
	machine_wait(card->m, pause_ns() / 2);
	say_pause(QUANTA);
	assert_false(intel_card_sends(card));
	machine_wait(card->m, pause_ns() - 2 * US);
	assert_int_equal(card->m->frames, 0);
	machine_wait(card->m, 3 * US);
	assert_int_equal(card->m->frames, 1);
}

static void without_flow_control_a_pause_is_counted_only(void **state)
{
	(void)state;
	intel_card_write(card, CTRL, intel_card_read(card, CTRL) & ~RFCE);
	say_pause(QUANTA);
	assert_true(intel_card_sends(card));
	assert_int_equal(intel_card_read(card, STATUS) & TXOFF, 0);
	assert_int_equal(intel_card_read(card, XOFFRXC), 1);
}

static void the_guest_sees_control_frames_when_it_asks_for_them(void **state)
{
	(void)state;
	set_bits(RCTL, BIT(4) | BIT(3)); /* multicast and unicast promiscuous */
	say_pause(1);
	say_control(card_mac, 1, 1);
	say_control(all_macs, 0x0101, 1);
	assert_int_equal(intel_card_take(card), 0);
	assert_int_equal(intel_card_read(card, FCRUC), 1);
	set_bits(RCTL, PMCF);
	say_pause(1);
	assert_true(intel_card_take(card) >= 60);
	say_control(all_macs, 0x0101, 1);
	assert_true(intel_card_take(card) >= 60);
	set_bits(RCTL, DPF); /* pause frames not even then */
	say_pause(1);
	assert_int_equal(intel_card_take(card), 0);
	say_control(all_macs, 0x0101, 1);
	assert_true(intel_card_take(card) >= 60);
	assert_int_equal(intel_card_read(card, XOFFRXC), 4);
}

static void a_pause_for_somebody_else_stops_nobody(void **state)
{
	static const uint8_t other[6] = { 0x52, 0x54, 0, 0, 0, 9 };

	(void)state;
	say_control(other, 1, QUANTA);
	assert_true(intel_card_sends(card));
	assert_int_equal(intel_card_read(card, XOFFRXC), 0);
	say_control(card_mac, 1, QUANTA);
	assert_false(intel_card_sends(card));
}

static void control_frames_cut_short_are_frames_like_others(void **state)
{
	uint8_t f[18] = {
		0x01, 0x80, 0xc2, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0x88, 0x08, 0, 1, 0xff, 0xff
	};

	(void)state;
	for (unsigned length = 14; length < 18; length++)
		machine_say(card->m, f, length);
	assert_true(intel_card_sends(card));
	assert_int_equal(intel_card_read(card, XOFFRXC), 0);
	machine_say(card->m, f, sizeof(f));
	assert_false(intel_card_sends(card));
}

static void a_reset_ends_a_pause(void **state)
{
	(void)state;
	say_pause(0xffff);
	intel_card_write(card, CTRL, BIT(26));
	intel_card_start(card);
	assert_int_equal(intel_card_read(card, STATUS) & TXOFF, 0);
	assert_true(intel_card_sends(card));
}

static void the_driver_can_send_a_pause_frame(void **state)
{
	(void)state;
	intel_card_write(card, FCTTV, 0x1234);
	set_bits(TCTL, SWXOFF);
	assert_int_equal(card->m->frames, 0); /* not before TFCE */
	set_bits(CTRL, TFCE);
	say_pause(0xffff); /* stops frames, not this one (31B.3.3) */
	set_bits(TCTL, SWXOFF);
	assert_int_equal(intel_card_read(card, TCTL) & SWXOFF, 0);
	assert_int_equal(card->m->frames, 1);
	const uint8_t *f = card->m->wire[0].data;
	assert_int_equal(card->m->wire[0].length, 60);
	assert_memory_equal(f, all_macs, 6);
	assert_memory_equal(f + 6, card_mac, 6);
	assert_int_equal(get_be32(f + 12), 0x88080001);
	assert_int_equal(get_be16(f + 16), 0x1234);
	assert_int_equal(intel_card_read(card, XOFFTXC), 1);
	intel_card_write(card, FCTTV, 0);
	set_bits(TCTL, SWXOFF);
	assert_int_equal(card->m->frames, 2);
	assert_int_equal(intel_card_read(card, XONTXC), 1);
}

static void a_pause_goes_on_after_save_and_load(void **state)
{
	struct buffer saved = { 0 };
	struct error err;

	(void)state;
	say_pause(QUANTA);
	assert_false(intel_card_sends(card));
	assert_int_equal(nic_save(card->m->nic, &saved), 0);
	assert_int_equal(nic_load(card->m->nic, saved.data, saved.length, &err), 0);
	buffer_finish(&saved);
	machine_set_bus(card->m, true);
	machine_run(card->m);
	assert_int_equal(card->m->frames, 0);
	machine_wait(card->m, pause_ns() + US);
	assert_int_equal(card->m->frames, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_pause_frame_stops_the_transmitter_for_its_time),
		T(a_pause_of_no_time_ends_it),
		T(a_later_pause_counts_from_when_it_came),
		T(without_flow_control_a_pause_is_counted_only),
		T(the_guest_sees_control_frames_when_it_asks_for_them),
		T(a_pause_for_somebody_else_stops_nobody),
		T(control_frames_cut_short_are_frames_like_others),
		T(a_reset_ends_a_pause),
		T(the_driver_can_send_a_pause_frame),
		T(a_pause_goes_on_after_save_and_load),
	};
	struct CMUnitTest mine[ARRAY_SIZE(tests)];
	int failed = 0;

	for (unsigned i = 0; i < intel_card_kind_count; i++) {
		/* a virtual function has no MAC of its own to hold */
		if (intel_card_kinds[i].vf || !nic_model_find(intel_card_kinds[i].model))
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
