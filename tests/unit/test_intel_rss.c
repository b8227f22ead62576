/* Which hash a frame gets, as MRQC asks; the numbers are Microsoft's published ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "nic/intel/rss.h"

static const uint8_t key[TOEPLITZ_KEY] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const uint8_t source4[] = { 66, 9, 149, 187 }, dest4[] = { 161, 142, 100, 80 };
static const uint8_t source6[] = { 0x3f, 0xfe, 0x25, 0x01, 0x02, 0, 0x1f, 0xff,
				   0,	 0,    0,    0,	   0,	 0, 0,	  7 };
static const uint8_t dest6[] = { 0x3f, 0xfe, 0x25, 0x01, 0x02, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1 };
static const uint8_t nobody6[16] = { 0xfe, 0x80, 1 };

#define HASH4	    0x323e8fc2u
#define HASH4_PORTS 0x51ccc178u
#define HASH6	    0x2cc18cd5u
#define HASH6_PORTS 0x40207d3du

enum { TCP = 6, UDP = 17 };

static struct intel_rss rss;
static uint8_t packet[300];
static struct frame frame;
static struct intel_rx_info info;

static int set_up(void **state)
{
	(void)state;
	memset(&rss, 0, sizeof(rss));
	for (unsigned i = 0; i < 10; i++)
		rss.key[i] = get_le32(key + 4 * i);
	return 0;
}

static void look(size_t length)
{
	frame_set_linear(&frame, packet, length);
	intel_rx_look(&info, &frame, 0x8100);
}

static void put_ports(size_t at, uint8_t protocol)
{
	put_be16(packet + at, 2794);
	put_be16(packet + at + 2, 1766);
	if (protocol == TCP)
		packet[at + 12] = 0x50;
}

static void look_at_ipv4(uint8_t protocol, uint16_t fragment)
{
	memset(packet, 0, sizeof(packet));
	put_be16(packet + 12, 0x0800);
	packet[14] = 0x45;
	put_be16(packet + 16, 60);
	put_be16(packet + 20, fragment);
	packet[23] = protocol;
	memcpy(packet + 26, source4, 4);
	memcpy(packet + 30, dest4, 4);
	put_ports(34, protocol);
	look(74);
}

/* `mobile`: the true addresses are in a destination option and a routing header, both 24 bytes long. */
static void look_at_ipv6(uint8_t protocol, bool mobile)
{
	size_t at = 54;

	memset(packet, 0, sizeof(packet));
	put_be16(packet + 12, 0x86dd);
	packet[14] = 0x60;
	packet[20] = protocol;
	memcpy(packet + 22, source6, 16);
	memcpy(packet + 38, dest6, 16);
	if (mobile) {
		memcpy(packet + 22, nobody6, 16);
		packet[20] = 60;
		packet[at] = protocol;
		packet[at + 1] = 2;
		packet[at + 2] = 1; /* PadN */
		packet[at + 3] = 2;
		packet[at + 6] = 201;
		packet[at + 7] = 16;
		memcpy(packet + at + 8, source6, 16);
		at += 24;
	}
	put_be16(packet + 18, (uint16_t)(at - 54 + 40));
	put_ports(at, protocol);
	look(at + 40);
}

static void expect(uint32_t mrqc, uint32_t hash, uint8_t type)
{
	uint32_t got;
	uint8_t got_type;

	rss.mrqc = mrqc;
	assert_int_equal(intel_rss_hash(&rss, &info, &got, &got_type), type != RSS_NONE);
	assert_int_equal(got, hash);
	assert_int_equal(got_type, type);
}

static void ipv4_frames_are_hashed_as_far_as_the_driver_asked(void **state)
{
	(void)state;
	look_at_ipv4(TCP, 0);
	expect(MRQC_TCP_IPV4 | MRQC_IPV4, HASH4_PORTS, RSS_TCP_IPV4);
	expect(MRQC_IPV4, HASH4, RSS_IPV4);
	expect(MRQC_IPV6 | MRQC_UDP_IPV4, 0, RSS_NONE);
	look_at_ipv4(UDP, 0);
	expect(MRQC_TCP_IPV4 | MRQC_IPV4, HASH4, RSS_IPV4);
	expect(MRQC_UDP_IPV4 | MRQC_IPV4, HASH4_PORTS, RSS_UDP_IPV4);
}

static void a_fragment_is_hashed_without_ports(void **state)
{
	(void)state;
	look_at_ipv4(TCP, 0x2000);
	expect(MRQC_TCP_IPV4 | MRQC_IPV4, HASH4, RSS_IPV4);
	expect(MRQC_TCP_IPV4, 0, RSS_NONE);
}

static void ipv6_frames_are_hashed_as_far_as_the_driver_asked(void **state)
{
	(void)state;
	look_at_ipv6(TCP, false);
	expect(MRQC_TCP_IPV6 | MRQC_IPV6, HASH6_PORTS, RSS_TCP_IPV6);
	expect(MRQC_TCP_IPV6 | MRQC_TCP_IPV6_EX, HASH6_PORTS, RSS_TCP_IPV6);
	expect(MRQC_TCP_IPV6_EX, HASH6_PORTS, RSS_TCP_IPV6_EX);
	expect(MRQC_IPV6, HASH6, RSS_IPV6);
	look_at_ipv6(UDP, false);
	expect(MRQC_UDP_IPV6 | MRQC_IPV6, HASH6_PORTS, RSS_UDP_IPV6);
	expect(MRQC_IPV6_EX, HASH6, RSS_IPV6_EX);
}

static void the_home_address_counts_where_extensions_are_asked_for(void **state)
{
	(void)state;
	look_at_ipv6(TCP, true);
	expect(MRQC_TCP_IPV6_EX | MRQC_TCP_IPV6, HASH6_PORTS, RSS_TCP_IPV6_EX);
	expect(MRQC_IPV6_EX | MRQC_IPV6, HASH6, RSS_IPV6_EX);
	rss.mrqc = MRQC_IPV6;
	uint32_t hash;
	uint8_t type;
	assert_true(intel_rss_hash(&rss, &info, &hash, &type));
	assert_int_not_equal(hash, HASH6);
	assert_int_equal(type, RSS_IPV6);
}

/* The class of Launchpad 1879531: extension headers that reach beyond the frame. */
static void an_extension_header_beyond_the_frame_is_not_followed(void **state)
{
	uint32_t hash;
	uint8_t type;

	(void)state;
	for (unsigned length = 0; length < 256; length++) {
		look_at_ipv6(TCP, true);
		packet[55] = (uint8_t)length;
		packet[61] = (uint8_t)length;
		for (size_t cut = 54; cut < 120; cut += 3) {
			/* whatever the lengths say: no read beyond what is there */
			put_be16(packet + 18, (uint16_t)(cut - 54));
			look(cut);
			rss.mrqc = MRQC_IPV6_EX | MRQC_TCP_IPV6_EX;
			assert_true(info.have == cut);
			intel_rss_hash(&rss, &info, &hash, &type);
		}
	}
}

static void a_new_key_is_used_from_the_next_frame_on(void **state)
{
	(void)state;
	look_at_ipv4(TCP, 0);
	expect(MRQC_IPV4, HASH4, RSS_IPV4);
	memset(rss.key, 0, sizeof(rss.key));
	intel_rss_key_changed(&rss);
	expect(MRQC_IPV4, 0, RSS_IPV4);
}

static void the_redirection_table_is_taken_byte_by_byte(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 32; i++)
		rss.reta[i] = 0x03020100u + 0x04040404u * i;
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(intel_rss_entry(&rss, 0xabcdef00u + i), i % 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ipv4_frames_are_hashed_as_far_as_the_driver_asked, set_up),
		cmocka_unit_test_setup(a_fragment_is_hashed_without_ports, set_up),
		cmocka_unit_test_setup(ipv6_frames_are_hashed_as_far_as_the_driver_asked, set_up),
		cmocka_unit_test_setup(the_home_address_counts_where_extensions_are_asked_for,
				       set_up),
		cmocka_unit_test_setup(an_extension_header_beyond_the_frame_is_not_followed,
				       set_up),
		cmocka_unit_test_setup(a_new_key_is_used_from_the_next_frame_on, set_up),
		cmocka_unit_test_setup(the_redirection_table_is_taken_byte_by_byte, set_up),
	};

	return cmocka_run_group_tests_name("intel_rss", tests, NULL, NULL);
}
