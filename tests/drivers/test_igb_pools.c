/* Pools of the 82576 (VMDq): who gets a frame, and the switch between them. Queue n belongs to pool n, queue n + 8 too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "igb_driver.h"

enum { RCTL = 0x100, RAL = 0x5400, RAH = 0x5404, MRQC = 0x5818, VT_CTL = 0x581c, RETA = 0x5c00 };
enum { VMOLR = 0x5ad0, VLVF = 0x5d00, VFTA = 0x5600, DTXSWC = 0x3500, UTA = 0xa000, MTA = 0x5200 };

#define AUPE	BIT(24)
#define ROMPE	BIT(25)
#define ROPE	BIT(26)
#define BAM	BIT(27)
#define MPE	BIT(28)
#define STRVLAN BIT(30)

static struct machine *m;
static struct igb_driver d;
static uint8_t packet[100];

/* Addresses 02:00:00:00:00:0N go to pool N. */
static void set_address(unsigned pool)
{
	igb_w32(&d, RAL + pool * 8, 2);
	igb_w32(&d, RAH + pool * 8, BIT(31) | BIT(18 + pool) | pool << 8);
}

static int set_up(void **state)
{
	struct error err;

	(void)state;
	m = machine_create("igb", -1, &err);
	if (!m)
		fail_msg("%s", err.text);
	igb_probe(&d, m);
	igb_w32(&d, MRQC, 3);
	igb_w32(&d, VT_CTL, BIT(30)); /* replication; pool 0 is the default */
	for (unsigned pool = 0; pool < 3; pool++) {
		set_address(pool);
		igb_w32(&d, VMOLR + pool * 4, AUPE | BAM);
	}
	igb_open(&d, 16, IGB_ONE_BUFFER);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	machine_destroy(m);
	return 0;
}

/* A frame to the address of a pool; 0xff: to everybody. */
static void make_frame(uint8_t to)
{
	memset(packet, 0, sizeof(packet));
	packet[0] = 2;
	packet[5] = to;
	if (to == 0xff)
		memset(packet, 0xff, 6);
	packet[6] = 2;
	packet[11] = 0x77;
	put_be16(packet + 12, 0x88b5);
}

/* Queues that got something since the last call. */
static uint32_t who_got(void)
{
	struct igb_received r;
	uint32_t queues = 0;

	for (unsigned q = 0; q < 16; q++)
		while (igb_take(&d, q, &r))
			queues |= BIT(q);
	return queues;
}

static uint32_t say(void)
{
	machine_say(m, packet, sizeof(packet));
	return who_got();
}

static void an_address_leads_to_its_pool(void **state)
{
	(void)state;
	for (uint8_t pool = 0; pool < 3; pool++) {
		make_frame(pool);
		assert_int_equal(say(), BIT(pool));
	}
	make_frame(9);
	assert_int_equal(say(), 0);
}

static void everybody_means_each_pool_that_takes_broadcast(void **state)
{
	(void)state;
	make_frame(0xff);
	assert_int_equal(say(), 7);
	igb_w32(&d, VMOLR + 4, AUPE);
	assert_int_equal(say(), 5);
	igb_w32(&d, VT_CTL, 0); /* no replication */
	assert_int_equal(say(), 1);
}

static void multicast_goes_by_table_or_to_who_takes_all(void **state)
{
	(void)state;
	make_frame(0);
	packet[0] = 1;
	assert_int_equal(say(), 0);
	igb_w32(&d, VMOLR + 8, AUPE | MPE);
	assert_int_equal(say(), 4);
	igb_w32(&d, VMOLR + 4, AUPE | ROMPE);
	igb_w32(&d, MTA, 1); /* hash 0 */
	assert_int_equal(say(), 6);
}

static void the_unicast_table_opens_pools_that_want_it(void **state)
{
	(void)state;
	make_frame(0);
	packet[1] = 0x99;
	assert_int_equal(say(), 0);
	igb_w32(&d, UTA, 1);
	igb_w32(&d, VMOLR + 8, AUPE | ROPE);
	assert_int_equal(say(), 4);
}

static void a_vlan_narrows_the_pools(void **state)
{
	struct igb_received r;

	(void)state;
	igb_w32(&d, RCTL, igb_r32(&d, RCTL) | BIT(18));
	igb_w32(&d, VFTA, BIT(5));
	igb_w32(&d, VLVF, BIT(31) | BIT(12 + 1) | BIT(12 + 2) | 5);
	igb_w32(&d, VMOLR + 8, AUPE | BAM | STRVLAN);
	make_frame(0xff);
	put_be32(packet + 12, 0x81000005);
	machine_say(m, packet, sizeof(packet));
	assert_false(igb_take(&d, 0, &r));
	assert_true(igb_take(&d, 1, &r));
	assert_int_equal(r.length, 100);
	/* pool 2 has its tags taken out */
	assert_true(igb_take(&d, 2, &r));
	assert_int_equal(r.length, 96);
	assert_int_equal(r.vlan, 5);
	/* without a tag: AUPE */
	igb_w32(&d, VMOLR + 4, BAM);
	make_frame(0xff);
	assert_int_equal(say(), 5);
}

static void strangers_go_to_the_default_pool(void **state)
{
	(void)state;
	igb_w32(&d, RCTL, igb_r32(&d, RCTL) | BIT(3)); /* promiscuous */
	igb_w32(&d, VT_CTL, BIT(30) | 2 << 7);
	make_frame(9);
	assert_int_equal(say(), 4);
	igb_w32(&d, VT_CTL, BIT(30) | BIT(29) | 2 << 7);
	assert_int_equal(say(), 0);
}

static void with_rss_a_pool_has_two_queues(void **state)
{
	(void)state;
	igb_w32(&d, MRQC, 5 | BIT(17));
	for (unsigned i = 0; i < 32; i++)
		igb_w32(&d, RETA + i * 4, 0x08080808);
	make_frame(1);
	put_be16(packet + 12, 0x0800);
	packet[14] = 0x45;
	put_be16(packet + 16, 86);
	packet[23] = 50;
	assert_int_equal(say(), BIT(1 + 8));
	/* what has no hash stays in the first */
	make_frame(1);
	assert_int_equal(say(), BIT(1));
}

static void a_frame_too_long_for_a_pool_reaches_the_others(void **state)
{
	(void)state;
	igb_w32(&d, VMOLR + 4, AUPE | BAM | BIT(16) | 90);
	make_frame(0xff);
	assert_int_equal(say(), 5);
}

static void pools_reach_each_other_through_the_switch(void **state)
{
	(void)state;
	make_frame(2);
	igb_send(&d, 1, packet, sizeof(packet), 0, 0);
	assert_int_equal(m->frames, 1);
	assert_int_equal(who_got(), 0);
	igb_w32(&d, DTXSWC, BIT(31));
	machine_clear_wire(m);
	igb_send(&d, 1, packet, sizeof(packet), 0, 0);
	assert_int_equal(m->frames, 0);
	assert_int_equal(who_got(), 4);
	/* to everybody: the wire and all pools but the sender's */
	make_frame(0xff);
	igb_send(&d, 1 + 8, packet, sizeof(packet), 0, 0);
	assert_int_equal(m->frames, 1);
	assert_int_equal(who_got(), 5);
	/* to oneself, or to a stranger: the wire */
	machine_clear_wire(m);
	make_frame(9);
	igb_send(&d, 1, packet, sizeof(packet), 0, 0);
	assert_int_equal(m->frames, 1);
	assert_int_equal(who_got(), 0);
}

static void a_wire_that_is_full_delivers_nothing_twice(void **state)
{
	(void)state;
	igb_w32(&d, DTXSWC, BIT(31));
	make_frame(0xff);
	m->wire_room = 0;
	igb_send(&d, 1, packet, sizeof(packet), 0, 0);
	assert_int_equal(who_got(), 0);
	m->wire_room = 10;
	nic_kick(m->nic, 1);
	machine_run(m);
	assert_int_equal(m->frames, 1);
	assert_int_equal(who_got(), 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_leads_to_its_pool),
		TEST(everybody_means_each_pool_that_takes_broadcast),
		TEST(multicast_goes_by_table_or_to_who_takes_all),
		TEST(the_unicast_table_opens_pools_that_want_it),
		TEST(a_vlan_narrows_the_pools),
		TEST(strangers_go_to_the_default_pool),
		TEST(with_rss_a_pool_has_two_queues),
		TEST(a_frame_too_long_for_a_pool_reaches_the_others),
		TEST(pools_reach_each_other_through_the_switch),
		TEST(a_wire_that_is_full_delivers_nothing_twice),
	};

	return cmocka_run_group_tests_name("igb_pools", tests, NULL, NULL);
}
