/* Counters: which ones a frame moves, where they stop, and what a read clears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "nic/intel/stats.h"

struct card {
	uint32_t before;
	struct intel_stats stats;
};

static const struct reg rows[] = { INTEL_STATS_ROWS(struct card, stats) };
static struct reg_space space = {
	.name = "stats", .rows = rows, .count = ARRAY_SIZE(rows), .size = 0x8000, .granule = 4
};
static struct card card;
static struct pci_device dev;

static const uint8_t station[] = { 0x52, 0x54, 0, 1, 2, 3 };
static const uint8_t group[] = { 0x01, 0, 0x5e, 1, 2, 3 };
static const uint8_t all[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static int clear(void **state)
{
	(void)state;
	memset(&card, 0, sizeof(card));
	card.before = 0x12345678;
	return 0;
}

static uint32_t rd(uint32_t at)
{
	return (uint32_t)reg_space_read(&space, &dev, at, 4);
}

static void each_counter_is_cleared_by_its_own_read(void **state)
{
	(void)state;
	intel_stats_add(&card.stats, STAT_MPC, 3);
	intel_stats_add(&card.stats, STAT_RNBC, 4);
	assert_int_equal(rd(STAT_MPC), 3);
	assert_int_equal(rd(STAT_MPC), 0);
	assert_int_equal(rd(STAT_RNBC), 4);
}

static void a_counter_stops_at_its_end(void **state)
{
	(void)state;
	intel_stats_add(&card.stats, STAT_MPC, 0xfffffffe);
	intel_stats_add(&card.stats, STAT_MPC, 3);
	assert_int_equal(rd(STAT_MPC), 0xffffffffu);
}

static void a_pair_carries_and_stops_at_its_end(void **state)
{
	(void)state;
	intel_stats_add64(&card.stats, STAT_GORCL, 0xffffffffu);
	intel_stats_add64(&card.stats, STAT_GORCL, 2);
	assert_int_equal(rd(STAT_GORCL), 1);
	assert_int_equal(rd(STAT_GORCH), 1);
	intel_stats_add64(&card.stats, STAT_GORCL, UINT64_MAX - 1);
	intel_stats_add64(&card.stats, STAT_GORCL, 5);
	assert_int_equal(rd(STAT_GORCL), 0xffffffffu);
	assert_int_equal(rd(STAT_GORCH), 0xffffffffu);
}

static void reading_the_high_half_clears_both_and_the_low_half_none(void **state)
{
	(void)state;
	intel_stats_add64(&card.stats, STAT_TOTL, 0x100000007ull);
	intel_stats_add(&card.stats, STAT_RJC, 9);
	assert_int_equal(rd(STAT_TOTL), 7);
	assert_int_equal(rd(STAT_TOTL), 7);
	assert_int_equal(rd(STAT_TOTH), 1);
	assert_int_equal(rd(STAT_TOTL), 0);
	assert_int_equal(rd(STAT_TOTH), 0);
	assert_int_equal(rd(STAT_RJC), 9);
	assert_int_equal(card.before, 0x12345678);
}

static void a_read_of_both_halves_at_once_sees_the_value(void **state)
{
	(void)state;
	intel_stats_add64(&card.stats, STAT_TOTL, 0x300000007ull);
	assert_int_equal(reg_space_read(&space, &dev, STAT_TOTL, 8), 0x300000007ull);
	assert_int_equal(reg_space_read(&space, &dev, STAT_TOTL, 8), 0);
}

static void a_sent_frame_counts_with_its_fcs(void **state)
{
	(void)state;
	intel_stats_sent(&card.stats, station, 1500, 3);
	assert_int_equal(rd(STAT_TPT), 3);
	assert_int_equal(rd(STAT_GPTC), 3);
	assert_int_equal(rd(STAT_PTC1522), 3);
	assert_int_equal(rd(STAT_TOTL), 3 * 1504);
	assert_int_equal(rd(STAT_GOTCL), 3 * 1504);
	assert_int_equal(rd(STAT_MPTC) + rd(STAT_BPTC), 0);
	assert_int_equal(rd(STAT_TPR) + rd(STAT_GPRC) + rd(STAT_PRC1522) + rd(STAT_TORL), 0);
}

static void frames_fall_into_the_size_that_the_names_say(void **state)
{
	static const struct {
		uint32_t length, at;
	} sizes[] = {
		{ 14, STAT_PRC64 },	{ 60, STAT_PRC64 },	{ 61, STAT_PRC127 },
		{ 123, STAT_PRC127 },	{ 124, STAT_PRC255 },	{ 251, STAT_PRC255 },
		{ 252, STAT_PRC511 },	{ 507, STAT_PRC511 },	{ 508, STAT_PRC1023 },
		{ 1019, STAT_PRC1023 }, { 1020, STAT_PRC1522 }, { 9000, STAT_PRC1522 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		intel_stats_received(&card.stats, station, sizes[i].length, 1);
		assert_int_equal(rd(sizes[i].at), 1);
		assert_int_equal(rd(STAT_TPR), 1);
	}
	assert_int_equal(rd(STAT_GPRC), ARRAY_SIZE(sizes));
}

static void broadcast_is_not_counted_as_multicast(void **state)
{
	(void)state;
	intel_stats_received(&card.stats, group, 100, 2);
	intel_stats_received(&card.stats, all, 100, 1);
	intel_stats_sent(&card.stats, all, 100, 5);
	assert_int_equal(rd(STAT_MPRC), 2);
	assert_int_equal(rd(STAT_BPRC), 1);
	assert_int_equal(rd(STAT_MPTC), 0);
	assert_int_equal(rd(STAT_BPTC), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_counter_is_cleared_by_its_own_read, clear),
		cmocka_unit_test_setup(a_counter_stops_at_its_end, clear),
		cmocka_unit_test_setup(a_pair_carries_and_stops_at_its_end, clear),
		cmocka_unit_test_setup(reading_the_high_half_clears_both_and_the_low_half_none,
				       clear),
		cmocka_unit_test_setup(a_read_of_both_halves_at_once_sees_the_value, clear),
		cmocka_unit_test_setup(a_sent_frame_counts_with_its_fcs, clear),
		cmocka_unit_test_setup(frames_fall_into_the_size_that_the_names_say, clear),
		cmocka_unit_test_setup(broadcast_is_not_counted_as_multicast, clear),
	};
	struct error err = { 0 };

	if (reg_space_prepare(&space, &err) < 0)
		return 1;
	dev.state = &card;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	reg_space_finish(&space);
	return failed;
}
