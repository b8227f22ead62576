#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "nic/intel/mii.h"
#include "nic/intel/phy.h"

static bool wants_2500;

static bool advertises_2500(struct nic *nic, const struct intel_phy *phy)
{
	(void)nic;
	(void)phy;
	return wants_2500;
}

static bool own_read(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t *value)
{
	(void)nic;
	(void)phy;
	*value = 0x4711;
	return reg == 17;
}

static bool own_written(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t value,
			uint16_t old)
{
	(void)nic;
	(void)value;
	if (reg != 18)
		return false;
	phy->reg[19] = old;
	return true;
}

static const struct intel_phy_reg regs[] = {
	{ 16, 0x0060, 0x0fff },
	{ 18, 0x0001, 0xffff },
	{ MII_ADVERTISE, 0x01e1, 0x0de0 }, /* goes before the common row */
};

static const struct intel_phy_model model = {
	.regs = regs,
	.count = ARRAY_SIZE(regs),
	.id1 = 0x0141,
	.id2 = 0x0c20,
	.fast_2500 = true,
	.read = own_read,
	.written = own_written,
	.advertises_2500 = advertises_2500,
};

/* A card, as far as the PHY looks at it, with the cable plugged in and the link up. */
struct card {
	struct nic nic;
	struct clock clock;
	struct intel_phy phy;
};

static struct card *card(void)
{
	static struct card c;

	memset(&c, 0, sizeof(c));
	wants_2500 = false;
	c.nic.clock = &c.clock;
	c.nic.link_up = true;
	clock_set(&c.clock, NS_PER_S);
	intel_phy_reset(&c.phy, &model);
	assert_true(intel_phy_update(&c.nic, &c.phy, &model));
	return &c;
}

static uint16_t get(struct card *c, unsigned reg)
{
	return intel_phy_read(&c->nic, &c->phy, &model, reg);
}

static bool set(struct card *c, unsigned reg, uint16_t value)
{
	intel_phy_write(&c->nic, &c->phy, &model, reg, value);
	return intel_phy_update(&c->nic, &c->phy, &model);
}

static bool wait(struct card *c, uint64_t ns)
{
	clock_set(&c->clock, clock_now(&c->clock) + ns);
	return intel_phy_update(&c->nic, &c->phy, &model);
}

static bool plug(struct card *c, bool in)
{
	c->nic.link_up = in;
	return intel_phy_update(&c->nic, &c->phy, &model);
}

static void a_cable_at_power_on_is_a_link_at_once(void **state)
{
	struct card *c = card();

	(void)state;
	assert_true(c->phy.link);
	assert_int_equal(c->phy.speed, SPEED_1000);
	assert_true(c->phy.full_duplex);
	assert_int_equal(get(c, MII_STATUS), BMSR_ABLE | BMSR_LINK | BMSR_NEGOTIATED);
	assert_int_equal(get(c, MII_ID1), 0x0141);
	assert_int_equal(get(c, MII_ID2), 0x0c20);
	assert_int_not_equal(get(c, MII_PARTNER) & AN_ACK, 0);
	assert_int_not_equal(get(c, MII_1000_STATUS), 0);
}

static void a_lost_link_is_shown_once(void **state)
{
	struct card *c = card();

	(void)state;
	assert_true(plug(c, false));
	assert_true(plug(c, true));
	assert_int_equal(get(c, MII_STATUS) & BMSR_LINK, 0);
	assert_int_equal(get(c, MII_STATUS) & BMSR_LINK, BMSR_LINK);
	assert_false(plug(c, true));
}

static void without_a_cable_there_is_no_partner(void **state)
{
	struct card *c = card();

	(void)state;
	plug(c, false);
	assert_int_equal(get(c, MII_STATUS) & (BMSR_LINK | BMSR_NEGOTIATED), 0);
	assert_int_equal(get(c, MII_PARTNER), 0);
	assert_int_equal(get(c, MII_1000_STATUS), 0);
	assert_int_equal(get(c, MII_EXPANSION) & EXPANSION_PARTNER, 0);
}

static void a_negotiation_that_the_driver_starts_takes_its_time(void **state)
{
	struct card *c = card();

	(void)state;
	assert_true(set(c, MII_CONTROL, BMCR_NEGOTIATE | BMCR_RESTART));
	assert_false(c->phy.link);
	assert_int_equal(get(c, MII_CONTROL) & BMCR_RESTART, 0); /* clears itself */
	assert_int_equal(get(c, MII_STATUS) & BMSR_NEGOTIATED, 0);
	assert_false(wait(c, INTEL_NEGOTIATION_NS - 1));
	assert_true(wait(c, 1));
	assert_true(c->phy.link);
	assert_int_equal(get(c, MII_STATUS) & BMSR_NEGOTIATED, BMSR_NEGOTIATED);
}

static void the_cable_does_not_wait_for_a_negotiation(void **state)
{
	struct card *c = card();

	(void)state;
	plug(c, false);
	assert_true(plug(c, true));
	assert_true(c->phy.link);
}

static void the_best_common_speed_is_taken(void **state)
{
	static const struct {
		uint16_t ten, giga;
		bool fast;
		uint8_t speed;
		bool full;
	} cases[] = {
		{ AN_ALL, GB_FULL | GB_HALF, true, SPEED_2500, true },
		{ AN_ALL, GB_FULL | GB_HALF, false, SPEED_1000, true },
		{ AN_ALL, GB_HALF, false, SPEED_1000, false },
		{ AN_ALL, 0, false, SPEED_100, true },
		{ AN_100_HALF | AN_10_FULL, 0, false, SPEED_100, false },
		{ AN_10_FULL | AN_10_HALF, 0, false, SPEED_10, true },
		{ AN_10_HALF, 0, false, SPEED_10, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct card *c = card();
		wants_2500 = cases[i].fast;
		set(c, MII_ADVERTISE, cases[i].ten);
		set(c, MII_1000_CONTROL, cases[i].giga);
		assert_int_equal(c->phy.speed, SPEED_1000); /* until it is negotiated */
		set(c, MII_CONTROL, BMCR_NEGOTIATE | BMCR_RESTART);
		wait(c, INTEL_NEGOTIATION_NS);
		assert_true(c->phy.link);
		assert_int_equal(c->phy.speed, cases[i].speed);
		assert_int_equal(c->phy.full_duplex, cases[i].full);
	}
}

static void who_advertises_nothing_gets_no_link(void **state)
{
	struct card *c = card();

	(void)state;
	set(c, MII_ADVERTISE, 0);
	set(c, MII_1000_CONTROL, 0);
	set(c, MII_CONTROL, BMCR_NEGOTIATE | BMCR_RESTART);
	assert_false(wait(c, INTEL_NEGOTIATION_NS));
	assert_false(c->phy.link);
}

static void a_forced_speed_needs_no_negotiation(void **state)
{
	struct card *c = card();

	(void)state;
	assert_true(set(c, MII_CONTROL, BMCR_SPEED_100));
	assert_true(c->phy.link);
	assert_int_equal(c->phy.speed, SPEED_100);
	assert_false(c->phy.full_duplex);
	assert_int_equal(get(c, MII_STATUS) & BMSR_NEGOTIATED, 0);
	assert_true(set(c, MII_CONTROL, BMCR_FULL));
	assert_int_equal(c->phy.speed, SPEED_10);
	assert_true(c->phy.full_duplex);
}

static void power_down_takes_the_link_and_power_up_negotiates(void **state)
{
	struct card *c = card();

	(void)state;
	assert_true(set(c, MII_CONTROL, BMCR_NEGOTIATE | BMCR_POWER_DOWN));
	assert_false(c->phy.link);
	assert_false(set(c, MII_CONTROL, BMCR_NEGOTIATE));
	assert_true(wait(c, INTEL_NEGOTIATION_NS));
	assert_true(c->phy.link);
}

static void loopback_needs_no_cable(void **state)
{
	struct card *c = card();

	(void)state;
	plug(c, false);
	assert_true(set(c, MII_CONTROL, BMCR_LOOPBACK | BMCR_FULL | BMCR_SPEED_1000));
	assert_true(intel_phy_loops(&c->phy));
	assert_true(c->phy.link);
	assert_true(set(c, MII_CONTROL, BMCR_NEGOTIATE));
	assert_false(c->phy.link);
	assert_false(intel_phy_loops(&c->phy));
}

static void a_reset_restores_all_registers_and_negotiates_again(void **state)
{
	struct card *c = card();

	(void)state;
	set(c, 16, 0x0fff);
	set(c, MII_ADVERTISE, 0);
	assert_true(set(c, MII_CONTROL, BMCR_RESET));
	assert_false(c->phy.link);
	assert_int_equal(get(c, MII_CONTROL) & BMCR_RESET, 0);
	assert_int_equal(get(c, 16), 0x0060);
	assert_int_equal(get(c, MII_ADVERTISE), 0x01e1);
	assert_true(wait(c, INTEL_NEGOTIATION_NS));
	assert_int_equal(c->phy.speed, SPEED_1000);
}

static void only_writable_bits_change_and_models_have_their_say(void **state)
{
	struct card *c = card();

	(void)state;
	set(c, 16, 0xf001);
	assert_int_equal(get(c, 16), 0x0001);
	set(c, MII_ID1, 0xdead);
	assert_int_equal(get(c, MII_ID1), 0x0141);
	set(c, 31, 0xdead); /* a register that is not there */
	assert_int_equal(get(c, 31), 0);
	assert_int_equal(get(c, 17), 0x4711);
	set(c, 18, 0x0002);
	assert_int_equal(get(c, 19), 0x0001);
	assert_int_equal(get(c, 32), 0);
	set(c, 32, 1);
}

static void mdic_reads_writes_and_says_what_is_wrong(void **state)
{
	struct card *c = card();
	uint32_t read = 2u << 26, write = 1u << 26, ready = 1u << 28, error = 1u << 30;

	(void)state;
	assert_int_equal(
		intel_mdic(&c->nic, &c->phy, &model, 1, read | 1u << 21 | 2u << 16 | 0xffff),
		ready | read | 1u << 21 | 2u << 16 | 0x0141);
	assert_int_equal(
		intel_mdic(&c->nic, &c->phy, &model, 1, write | 1u << 21 | 16u << 16 | 0x0123),
		ready | write | 1u << 21 | 16u << 16 | 0x0123);
	assert_int_equal(get(c, 16), 0x0123);
	/* another PHY, no operation, both operations */
	assert_int_equal(intel_mdic(&c->nic, &c->phy, &model, 1, read | 2u << 21) & (ready | error),
			 ready | error);
	assert_int_equal(intel_mdic(&c->nic, &c->phy, &model, 1, 1u << 21) & error, error);
	assert_int_equal(intel_mdic(&c->nic, &c->phy, &model, 1, read | write | 1u << 21) & error,
			 error);
}

static void saved_state_comes_back_on_another_clock(void **state)
{
	struct card *c = card();
	struct intel_phy other = { 0 };
	struct buffer out = { 0 };

	(void)state;
	set(c, 16, 0x0777);
	set(c, MII_CONTROL, BMCR_NEGOTIATE | BMCR_RESTART);
	wait(c, INTEL_NEGOTIATION_NS / 4);
	intel_phy_save(&c->phy, clock_now(&c->clock), &out);
	struct reader in = reader_of(out.data, out.length);
	assert_true(intel_phy_load(&other, &model, 5 * NS_PER_S, &in));
	assert_true(reader_at_end(&in));
	assert_int_equal(other.done_ns, 5 * NS_PER_S + INTEL_NEGOTIATION_NS * 3 / 4);
	assert_memory_equal(other.reg, c->phy.reg, sizeof(other.reg));

	/* a hostile state: bits that nobody can write, a speed that is none, a cut */
	memset(out.data, 0xff, out.length);
	in = reader_of(out.data, out.length);
	assert_false(intel_phy_load(&other, &model, 5 * NS_PER_S, &in));
	assert_int_equal(other.reg[MII_ID1], 0x0141);
	assert_true(other.done_ns <= 5 * NS_PER_S + INTEL_NEGOTIATION_NS);
	in = reader_of(out.data, out.length - 1);
	assert_false(intel_phy_load(&other, &model, 5 * NS_PER_S, &in));
	buffer_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cable_at_power_on_is_a_link_at_once),
		cmocka_unit_test(a_lost_link_is_shown_once),
		cmocka_unit_test(without_a_cable_there_is_no_partner),
		cmocka_unit_test(a_negotiation_that_the_driver_starts_takes_its_time),
		cmocka_unit_test(the_cable_does_not_wait_for_a_negotiation),
		cmocka_unit_test(the_best_common_speed_is_taken),
		cmocka_unit_test(who_advertises_nothing_gets_no_link),
		cmocka_unit_test(a_forced_speed_needs_no_negotiation),
		cmocka_unit_test(power_down_takes_the_link_and_power_up_negotiates),
		cmocka_unit_test(loopback_needs_no_cable),
		cmocka_unit_test(a_reset_restores_all_registers_and_negotiates_again),
		cmocka_unit_test(only_writable_bits_change_and_models_have_their_say),
		cmocka_unit_test(mdic_reads_writes_and_says_what_is_wrong),
		cmocka_unit_test(saved_state_comes_back_on_another_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
