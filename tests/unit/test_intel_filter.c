/* Address and VLAN filters: the rules of RCTL, RAL/RAH, MTA and VFTA (8254x manual 13.4.22, 13.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "nic/intel/filter.h"
#include "nic/intel/regs.h"

static const uint8_t mine[MAC_LEN] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
static const uint8_t other[MAC_LEN] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x57 };
static const uint8_t everybody[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t group[MAC_LEN] = { 0x01, 0xaa, 0x00, 0x12, 0x34, 0x56 };

static struct intel_filter f;

static int empty(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	intel_filter_set_mac(&f, mine);
	return 0;
}

static enum intel_dest dest(uint32_t rctl, const uint8_t *mac)
{
	unsigned exact = 99;
	enum intel_dest d = intel_filter_dest(&f, 16, rctl, mac, &exact);

	assert_true((d == DEST_EXACT) == (exact != 99));
	return d;
}

static void only_the_station_address_passes_an_empty_filter(void **state)
{
	(void)state;
	assert_int_equal(dest(0, mine), DEST_EXACT);
	assert_int_equal(dest(0, other), DEST_NONE);
	assert_int_equal(dest(0, group), DEST_NONE);
	assert_int_equal(dest(0, everybody), DEST_NONE);
}

static void an_address_without_its_valid_bit_or_for_sources_does_not_match(void **state)
{
	(void)state;
	f.ra[0].high &= ~RAH_AV;
	assert_int_equal(dest(0, mine), DEST_NONE);
	f.ra[0].high |= RAH_AV | 1u << 16;
	assert_int_equal(dest(0, mine), DEST_NONE);
}

static void the_matching_entry_is_told_and_entries_beyond_the_card_are_not_looked_at(void **state)
{
	unsigned exact = 99;

	(void)state;
	f.ra[15] = f.ra[0];
	f.ra[0].high = 0;
	assert_int_equal(intel_filter_dest(&f, 16, 0, mine, &exact), DEST_EXACT);
	assert_int_equal(exact, 15);
	assert_int_equal(intel_filter_dest(&f, 15, 0, mine, &exact), DEST_NONE);
}

static void each_offset_takes_its_own_twelve_bits_of_a_group_address(void **state)
{
	/* bits 47:36, 46:35, 45:34 and 43:32 of the address, whose last two bytes are 34.56 */
	static const uint16_t hash[] = { 0x563, 0xac6, 0x58d, 0x634 };

	(void)state;
	for (unsigned mo = 0; mo < 4; mo++) {
		uint32_t rctl = mo << RCTL_MO_SHIFT;
		f.mta[hash[mo] / 32] = 1u << hash[mo] % 32;
		assert_int_equal(dest(rctl, group), DEST_HASH);
		f.mta[hash[mo] / 32] = ~(1u << hash[mo] % 32);
		assert_int_equal(dest(rctl, group), DEST_NONE);
		f.mta[hash[mo] / 32] = 0;
	}
}

static void the_hash_table_is_for_groups_only(void **state)
{
	(void)state;
	memset(f.mta, 0xff, sizeof(f.mta));
	assert_int_equal(dest(0, other), DEST_NONE);
	assert_int_equal(dest(0, everybody), DEST_HASH);
}

static void promiscuous_bits_open_their_half_of_the_addresses(void **state)
{
	(void)state;
	assert_int_equal(dest(RCTL_UPE, other), DEST_PROMISCUOUS);
	assert_int_equal(dest(RCTL_UPE, group), DEST_NONE);
	assert_int_equal(dest(RCTL_MPE, group), DEST_PROMISCUOUS);
	assert_int_equal(dest(RCTL_MPE, other), DEST_NONE);
	assert_int_equal(dest(RCTL_BAM, everybody), DEST_BROADCAST);
	assert_int_equal(dest(RCTL_BAM, group), DEST_NONE);
	assert_int_equal(dest(RCTL_UPE, mine), DEST_EXACT);
}

static bool vlan(uint32_t rctl, uint32_t flags, uint16_t tag)
{
	struct intel_rx_info info = { .flags = flags, .tag = tag };

	return intel_filter_vlan(&f, rctl, &info);
}

static void the_vlan_table_holds_back_what_is_not_in_it(void **state)
{
	(void)state;
	f.vfta[100 / 32] = 1u << 100 % 32;
	assert_true(vlan(RCTL_VFE, RXF_VLAN, 100));
	assert_true(vlan(RCTL_VFE, RXF_VLAN, 0xe000 | 100)); /* priority does not matter */
	assert_false(vlan(RCTL_VFE, RXF_VLAN, 101));
	assert_true(vlan(0, RXF_VLAN, 101));
	assert_true(vlan(RCTL_VFE, 0, 0)); /* no tag */
}

static void the_form_bit_is_compared_when_asked(void **state)
{
	(void)state;
	f.vfta[0] = 2;
	assert_true(vlan(RCTL_VFE, RXF_VLAN, 0x1001));
	assert_false(vlan(RCTL_VFE | RCTL_CFIEN, RXF_VLAN, 0x1001));
	assert_true(vlan(RCTL_VFE | RCTL_CFIEN | RCTL_CFI, RXF_VLAN, 0x1001));
	assert_false(vlan(RCTL_VFE | RCTL_CFIEN | RCTL_CFI, RXF_VLAN, 0x0001));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_the_station_address_passes_an_empty_filter, empty),
		cmocka_unit_test_setup(
			an_address_without_its_valid_bit_or_for_sources_does_not_match, empty),
		cmocka_unit_test_setup(
			the_matching_entry_is_told_and_entries_beyond_the_card_are_not_looked_at,
			empty),
		cmocka_unit_test_setup(each_offset_takes_its_own_twelve_bits_of_a_group_address,
				       empty),
		cmocka_unit_test_setup(the_hash_table_is_for_groups_only, empty),
		cmocka_unit_test_setup(promiscuous_bits_open_their_half_of_the_addresses, empty),
		cmocka_unit_test_setup(the_vlan_table_holds_back_what_is_not_in_it, empty),
		cmocka_unit_test_setup(the_form_bit_is_compared_when_asked, empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
