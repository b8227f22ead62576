/* The IEEE 1588 clock of 82574 and 82576, and which messages are stamped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "nic/intel/ptp.h"

#define TICK	 40
#define LINUX	 (1u << 24 | 40u << 18) /* what e1000e writes to TIMINCA */
#define ON(type) (TSYNC_ENABLED | (type) << TSYNC_RX_TYPE_AT)
#define BEGIN	 1000000000ull

static uint8_t packet[128];
static struct frame frame;
static struct intel_rx_info info;

static void look_at_message(bool l4, uint8_t version, uint8_t type)
{
	size_t at = l4 ? 42 : 14;

	memset(packet, 0, sizeof(packet));
	put_be16(packet + 12, l4 ? 0x0800 : 0x88f7);
	if (l4) {
		packet[14] = 0x45;
		put_be16(packet + 16, 20 + 8 + 44);
		packet[23] = 17;
		put_be16(packet + 36, 319);
		put_be16(packet + 38, 8 + 44);
	}
	packet[at] = version == 1 ? 0 : type;
	packet[at + 1] = version;
	if (version == 1)
		packet[at + 32] = type;
	for (unsigned i = 0; i < 12; i++)
		packet[at + 20 + i] = (uint8_t)(0xa0 + i);
	frame_set_linear(&frame, packet, at + 44);
	intel_rx_look(&info, &frame, 0x8100);
}

static void only_the_asked_for_messages_are_stamped(void **state)
{
	const uint32_t sync = 0x0000,
		       request = 0x0101; /* version 2 in the high byte, 1 in the low one */

	(void)state;
	look_at_message(false, 2, 1);
	assert_true(intel_ptp_wants(ON(STAMP_L2_V2), request, &info));
	assert_false(intel_ptp_wants(ON(STAMP_L2_V2), sync, &info));
	assert_true(intel_ptp_wants(ON(STAMP_L2_L4_V2), request, &info));
	assert_true(intel_ptp_wants(ON(STAMP_EVENT_V2), sync, &info));
	assert_true(intel_ptp_wants(ON(STAMP_ALL), sync, &info));
	assert_false(intel_ptp_wants(ON(STAMP_L4_V1), request, &info));
	assert_false(intel_ptp_wants((uint32_t)STAMP_ALL << TSYNC_RX_TYPE_AT, sync, &info));
	look_at_message(true, 2, 0);
	assert_false(intel_ptp_wants(ON(STAMP_L2_V2), sync, &info));
	assert_true(intel_ptp_wants(ON(STAMP_L2_L4_V2), sync, &info));
	look_at_message(true, 2, 11); /* announce: not timed */
	assert_false(intel_ptp_wants(ON(STAMP_EVENT_V2), sync, &info));
	look_at_message(true, 1, 1);
	assert_true(intel_ptp_wants(ON(STAMP_L4_V1), request, &info));
	assert_false(intel_ptp_wants(ON(STAMP_L4_V1), sync, &info));
	assert_false(intel_ptp_wants(ON(STAMP_EVENT_V2), sync, &info));
}

static void a_message_cut_short_is_none(void **state)
{
	(void)state;
	look_at_message(false, 2, 0);
	frame_set_linear(&frame, packet, 14 + 33);
	intel_rx_look(&info, &frame, 0x8100);
	assert_false(intel_ptp_wants(ON(STAMP_EVENT_V2), 0, &info));
	assert_true(intel_ptp_wants(ON(STAMP_ALL), 0, &info));
}

static void the_attributes_tell_who_sent_which_message(void **state)
{
	uint32_t low, high;

	(void)state;
	look_at_message(false, 2, 0);
	intel_ptp_attributes(&info, &low, &high);
	assert_int_equal(low, 0xa0a1a2a3);
	assert_int_equal(high, 0xaaabu << 16 | 0xa4a5);
}

static void a_stamp_stays_until_it_is_fetched(void **state)
{
	struct intel_stamp s = { .ctl = TSYNC_ENABLED };

	(void)state;
	assert_true(intel_stamp_take(&s, 1, 2));
	assert_false(intel_stamp_take(&s, 3, 4));
	assert_int_equal(s.low, 1);
	assert_int_equal(s.ctl, TSYNC_ENABLED | TSYNC_VALID);
	intel_stamp_fetched(&s);
	assert_true(intel_stamp_take(&s, 3, 4));
	assert_int_equal(s.high, 4);
	s.ctl = 0;
	assert_false(intel_stamp_take(&s, 5, 6));
}

static void the_clock_counts_what_timinca_says(void **state)
{
	struct intel_ptp_clock c;

	(void)state;
	intel_ptp_clock_reset(&c, TICK, BEGIN);
	assert_int_equal(intel_ptp_clock_read(&c, 2 * BEGIN), 0); /* no period: it stands */
	intel_ptp_clock_rate(&c, LINUX, 2 * BEGIN);
	assert_int_equal(intel_ptp_clock_read(&c, 2 * BEGIN + 39), 0);
	assert_int_equal(intel_ptp_clock_read(&c, 2 * BEGIN + 40), 40u << 18);
	assert_int_equal(intel_ptp_clock_read(&c, 3 * BEGIN) >> 18, BEGIN);
	/* twice the period, half the speed, and the step that has begun is kept */
	intel_ptp_clock_rate(&c, LINUX + (1u << 24), 3 * BEGIN + 20);
	assert_int_equal(intel_ptp_clock_read(&c, 3 * BEGIN + 80) >> 18, BEGIN + 40);
	assert_int_equal(intel_ptp_clock_read(&c, 4 * BEGIN) >> 18, BEGIN + BEGIN / 2);
}

static void reading_the_low_half_holds_the_high_one(void **state)
{
	struct intel_ptp_clock c;

	(void)state;
	intel_ptp_clock_reset(&c, TICK, BEGIN);
	intel_ptp_clock_rate(&c, LINUX, BEGIN);
	intel_ptp_clock_set(&c, false, 0xfffffff0, BEGIN);
	assert_int_equal(intel_ptp_clock_read_low(&c, BEGIN), 0xfffffff0);
	assert_int_equal(intel_ptp_clock_read(&c, BEGIN + 40) >> 32, 1);
	assert_int_equal(c.held_high, 0);
	intel_ptp_clock_set(&c, true, 7, BEGIN);
	assert_int_equal(intel_ptp_clock_read(&c, BEGIN), 0x7fffffff0ull);
}

static void an_adjustment_moves_the_clock_both_ways(void **state)
{
	struct intel_ptp_clock c;

	(void)state;
	intel_ptp_clock_reset(&c, TICK, BEGIN);
	intel_ptp_clock_set(&c, true, 5, BEGIN);
	c.adjust_low = 3;
	intel_ptp_clock_adjust(&c, 1, BEGIN);
	assert_int_equal(intel_ptp_clock_read(&c, BEGIN), 6ull << 32 | 3);
	intel_ptp_clock_adjust(&c, 1u << 31 | 1, BEGIN);
	assert_int_equal(intel_ptp_clock_read(&c, BEGIN), 5ull << 32);
}

static void a_moved_clock_goes_on_where_it_was(void **state)
{
	struct intel_ptp_clock c, d;
	struct buffer out = { 0 };

	(void)state;
	intel_ptp_clock_reset(&c, TICK, BEGIN);
	intel_ptp_clock_rate(&c, LINUX, BEGIN);
	intel_ptp_clock_save(&c, BEGIN + 420, &out);
	intel_ptp_clock_reset(&d, TICK, 77);
	struct reader in = reader_of(out.data, out.length);
	intel_ptp_clock_load(&d, 5 * BEGIN, &in);
	assert_false(in.failed);
	assert_true(reader_at_end(&in));
	assert_int_equal(intel_ptp_clock_read(&d, 5 * BEGIN + 580) >> 18, 1000);
	buffer_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_asked_for_messages_are_stamped),
		cmocka_unit_test(a_message_cut_short_is_none),
		cmocka_unit_test(the_attributes_tell_who_sent_which_message),
		cmocka_unit_test(a_stamp_stays_until_it_is_fetched),
		cmocka_unit_test(the_clock_counts_what_timinca_says),
		cmocka_unit_test(reading_the_low_half_holds_the_high_one),
		cmocka_unit_test(an_adjustment_moves_the_clock_both_ways),
		cmocka_unit_test(a_moved_clock_goes_on_where_it_was),
	};

	return cmocka_run_group_tests_name("intel_ptp", tests, NULL, NULL);
}
