#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "net/rss.h"

/* Key and vectors: "Verifying the RSS hash calculation", Microsoft's network driver documentation. */
static const uint8_t key[TOEPLITZ_KEY] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct {
	uint8_t source[4], dest[4];
	uint16_t source_port, dest_port;
	uint32_t addresses, ports;
} ipv4[] = {
	{ { 66, 9, 149, 187 }, { 161, 142, 100, 80 }, 2794, 1766, 0x323e8fc2, 0x51ccc178 },
	{ { 199, 92, 111, 2 }, { 65, 69, 140, 83 }, 14230, 4739, 0xd718262a, 0xc626b0ea },
	{ { 24, 19, 198, 95 }, { 12, 22, 207, 184 }, 12898, 38024, 0xd2d0a5de, 0x5c2b394a },
	{ { 38, 27, 205, 30 }, { 209, 142, 163, 6 }, 48228, 2217, 0x82989176, 0xafc7327f },
	{ { 153, 39, 163, 191 }, { 202, 188, 127, 2 }, 44251, 1303, 0x5d1809c5, 0x10e828a2 },
};

static const struct {
	uint16_t source[8], dest[8];
	uint16_t source_port, dest_port;
	uint32_t addresses, ports;
} ipv6[] = {
	{ { 0x3ffe, 0x2501, 0x200, 0x1fff, 0, 0, 0, 7 },
	  { 0x3ffe, 0x2501, 0x200, 3, 0, 0, 0, 1 },
	  2794,
	  1766,
	  0x2cc18cd5,
	  0x40207d3d },
	{ { 0x3ffe, 0x501, 8, 0, 0x260, 0x97ff, 0xfe40, 0xefab },
	  { 0xff02, 0, 0, 0, 0, 0, 0, 1 },
	  14230,
	  4739,
	  0x0f0c461c,
	  0xdde51bbf },
	{ { 0x3ffe, 0x1900, 0x4545, 3, 0x200, 0xf8ff, 0xfe21, 0x67cf },
	  { 0xfe80, 0, 0, 0, 0x200, 0xf8ff, 0xfe21, 0x67cf },
	  44251,
	  38024,
	  0x4b61e985,
	  0x02d1feef },
};

static void the_published_ipv4_hashes_come_out(void **state)
{
	struct toeplitz t;
	uint8_t in[12];

	(void)state;
	toeplitz_prepare(&t, key);
	for (unsigned i = 0; i < ARRAY_SIZE(ipv4); i++) {
		memcpy(in, ipv4[i].source, 4);
		memcpy(in + 4, ipv4[i].dest, 4);
		put_be16(in + 8, ipv4[i].source_port);
		put_be16(in + 10, ipv4[i].dest_port);
		assert_int_equal(toeplitz_hash(&t, in, 8), ipv4[i].addresses);
		assert_int_equal(toeplitz_hash(&t, in, 12), ipv4[i].ports);
	}
}

static void the_published_ipv6_hashes_come_out(void **state)
{
	struct toeplitz t;
	uint8_t in[36];

	(void)state;
	toeplitz_prepare(&t, key);
	for (unsigned i = 0; i < ARRAY_SIZE(ipv6); i++) {
		for (unsigned k = 0; k < 8; k++) {
			put_be16(in + 2 * k, ipv6[i].source[k]);
			put_be16(in + 16 + 2 * k, ipv6[i].dest[k]);
		}
		put_be16(in + 32, ipv6[i].source_port);
		put_be16(in + 34, ipv6[i].dest_port);
		assert_int_equal(toeplitz_hash(&t, in, 32), ipv6[i].addresses);
		assert_int_equal(toeplitz_hash(&t, in, 36), ipv6[i].ports);
	}
}

static void every_bit_of_the_input_brings_its_own_window_of_the_key(void **state)
{
	struct toeplitz t;

	(void)state;
	toeplitz_prepare(&t, key);
	for (unsigned bit = 0; bit < 8 * TOEPLITZ_INPUT; bit++) {
		uint8_t in[TOEPLITZ_INPUT] = { 0 };
		uint32_t want = 0;
		in[bit / 8] = (uint8_t)(0x80 >> bit % 8);
		for (unsigned k = bit; k < bit + 32; k++)
			want = want << 1 | (key[k / 8] >> (7 - k % 8) & 1u);
		assert_int_equal(toeplitz_hash(&t, in, sizeof(in)), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_ipv4_hashes_come_out),
		cmocka_unit_test(the_published_ipv6_hashes_come_out),
		cmocka_unit_test(every_bit_of_the_input_brings_its_own_window_of_the_key),
	};

	return cmocka_run_group_tests_name("net_rss", tests, NULL, NULL);
}
