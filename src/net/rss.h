/* rss.h - the Toeplitz hash that spreads received flows over queues (Microsoft, "RSS hashing types"; the key and the input are in
 * network order).
 */
#ifndef ANYNIC_NET_RSS_H
#define ANYNIC_NET_RSS_H

#include "base/util.h"

#define TOEPLITZ_KEY   40u
#define TOEPLITZ_INPUT 36u /* two IPv6 addresses and two ports: as far as the key reaches */

/* What one half byte of the input adds to the hash, worked out once per key. */
struct toeplitz {
	uint32_t part[2 * TOEPLITZ_INPUT][16];
};

void toeplitz_prepare(struct toeplitz *t, const uint8_t key[TOEPLITZ_KEY]);

/* `len` at most TOEPLITZ_INPUT. */
uint32_t toeplitz_hash(const struct toeplitz *t, const uint8_t *input, unsigned len);

#endif
