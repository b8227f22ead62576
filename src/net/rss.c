#include "net/rss.h"

#include "base/bytes.h"

/* 32 bits of the key from bit `at` on. */
static uint32_t window(const uint8_t key[TOEPLITZ_KEY], unsigned at)
{
	uint64_t bits = (uint64_t)get_be32(key + at / 8) << 8;

	if (at / 8 + 4 < TOEPLITZ_KEY)
		bits |= key[at / 8 + 4];
	return (uint32_t)(bits >> (8 - at % 8));
}

void toeplitz_prepare(struct toeplitz *t, const uint8_t key[TOEPLITZ_KEY])
{
	for (unsigned nibble = 0; nibble < ARRAY_SIZE(t->part); nibble++) {
		uint32_t *part = t->part[nibble];
		part[0] = 0;
		for (unsigned bit = 0; bit < 4; bit++)
			part[8u >> bit] = window(key, 4 * nibble + bit);
		for (unsigned v = 1; v < 16; v++)
			part[v] = part[v & 8] ^ part[v & 4] ^ part[v & 2] ^ part[v & 1];
	}
}

uint32_t toeplitz_hash(const struct toeplitz *t, const uint8_t *input, unsigned len)
{
	uint32_t hash = 0;

	for (unsigned i = 0; i < len; i++)
		hash ^= t->part[(size_t)2 * i][input[i] >> 4] ^
			t->part[(size_t)2 * i + 1][input[i] & 15];
	return hash;
}
