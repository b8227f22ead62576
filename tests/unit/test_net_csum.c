#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "net/csum.h"

/* RFC 1071 as it is written: 16-bit words one after the other. */
static uint16_t naive(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)~sum;
}

static bool same(uint16_t a, uint16_t b)
{
	return a == b || (a == 0 && b == 0xffff) || (a == 0xffff && b == 0); /* two names of zero */
}

static void the_example_of_rfc_1071_comes_out(void **state)
{
	static const uint8_t data[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(csum_fold(csum_add(0, data, sizeof(data), false)), (uint16_t)~0xddf2);
}

static void every_length_and_alignment_agrees_with_the_naive_sum(void **state)
{
	uint8_t data[300];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(rand() >> 7);
	for (size_t begin = 0; begin < 9; begin++)
		for (size_t len = 0; len < sizeof(data) - begin; len++)
			assert_true(same(csum_fold(csum_add(0, data + begin, len, false)),
					 naive(data + begin, len)));
}

static void all_ones_do_not_lose_a_carry(void **state)
{
	static uint8_t data[65549];

	(void)state;
	memset(data, 0xff, sizeof(data));
	for (size_t len = sizeof(data) - 70; len <= sizeof(data); len++)
		assert_true(
			same(csum_fold(csum_add(0xffffffff, data, len, false)), naive(data, len)));
}

static void random_splits_give_the_same_sum_as_one_piece(void **state)
{
	static uint8_t data[65536];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(rand() >> 7);
	for (int round = 0; round < 300; round++) {
		size_t len = (size_t)rand() % sizeof(data), at = 0;
		uint32_t sum = 0;

		while (at < len) {
			size_t piece = 1 + (size_t)rand() % (round % 2 ? 50 : 3000);

			piece = MIN(piece, len - at);
			sum = csum_add(sum, data + at, piece, at % 2);
			at += piece;
		}
		assert_true(same(csum_fold(sum), naive(data, len)));
	}
}

static void data_with_its_checksum_folds_to_zero(void **state)
{
	uint8_t data[64];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37);
	put_be16(data + 10, 0);
	put_be16(data + 10, csum_fold(csum_add(0, data, sizeof(data), false)));
	assert_int_equal(csum_fold(csum_add(0, data, sizeof(data), false)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_1071_comes_out),
		cmocka_unit_test(every_length_and_alignment_agrees_with_the_naive_sum),
		cmocka_unit_test(all_ones_do_not_lose_a_carry),
		cmocka_unit_test(random_splits_give_the_same_sum_as_one_piece),
		cmocka_unit_test(data_with_its_checksum_folds_to_zero),
	};
	srand(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
