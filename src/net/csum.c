#include "net/csum.h"

#include <endian.h>
#include <string.h>

/* One's complement sums do not care about byte order (RFC 1071, 2 B): words are added as the CPU loads them and the
 * result is turned once at the end. */
static inline uint64_t add_carry(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

/* Two 64-bit lanes: 32-bit halves are added apart, so that no carry is lost and none has to be waited for. */
typedef uint64_t lanes __attribute__((vector_size(16)));

/* Sums a multiple of 32 bytes. */
static uint64_t sum_blocks(const uint8_t *p, size_t len)
{
	lanes low[2] = { 0 }, high[2] = { 0 };

	for (; len; len -= 32, p += 32) {
		lanes v[2];

		memcpy(v, p, sizeof(v));
		low[0] += v[0] & UINT32_MAX;
		high[0] += v[0] >> 32;
		low[1] += v[1] & UINT32_MAX;
		high[1] += v[1] >> 32;
	}
	low[0] += low[1];
	high[0] += high[1];
	return add_carry(add_carry(low[0][0], low[0][1]), add_carry(high[0][0], high[0][1]));
}

static uint16_t fold64(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint32_t csum_add(uint32_t sum, const void *data, size_t len, bool odd)
{
	const uint8_t *p = data;
	size_t blocks = len & ~(size_t)31;
	uint64_t wide = sum_blocks(p, blocks), word = 0;

	for (p += blocks, len -= blocks; len >= sizeof(word);
	     p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		wide = add_carry(wide, word);
	}
	word = 0;
	memcpy(&word, p, len); /* missing bytes count as zero */
	wide = add_carry(wide, word);
	uint16_t folded = be16toh(fold64(wide));
	if (odd)
		folded = (uint16_t)(folded << 8 | folded >> 8);
	uint32_t total = sum + folded;
	return total + (total < sum);
}

uint16_t csum_fold(uint32_t sum)
{
	return (uint16_t)~fold64(sum);
}
