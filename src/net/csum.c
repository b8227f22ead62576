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

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
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
	uint64_t even_lanes = 0, odd_lanes = 0; /* two chains, so that one addition does not wait for the other */

	for (; len >= 32; len -= 32, p += 32) {
		even_lanes = add_carry(even_lanes, load64(p));
		odd_lanes = add_carry(odd_lanes, load64(p + 8));
		even_lanes = add_carry(even_lanes, load64(p + 16));
		odd_lanes = add_carry(odd_lanes, load64(p + 24));
	}
	for (; len >= 8; len -= 8, p += 8)
		even_lanes = add_carry(even_lanes, load64(p));
	if (len) {
		uint64_t rest = 0;

		memcpy(&rest, p, len); /* the missing bytes count as zero */
		odd_lanes = add_carry(odd_lanes, rest);
	}
	uint16_t folded = be16toh(fold64(add_carry(even_lanes, odd_lanes)));
	if (odd)
		folded = (uint16_t)(folded << 8 | folded >> 8);
	uint32_t total = sum + folded;
	return total + (total < sum);
}

uint16_t csum_fold(uint32_t sum)
{
	return (uint16_t)~fold64(sum);
}
