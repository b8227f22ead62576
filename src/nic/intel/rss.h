/* rss.h - receive side scaling: which hash a frame gets, and which entry of the redirection table it chooses (82574 datasheet 7.1.8,
 * 82576 datasheet 7.1.2.8).
 *
 * Rows of a model point into struct intel_rss; the model's row of RSSRK calls intel_rss_key_changed.
 */
#ifndef ANYNIC_NIC_INTEL_RSS_H
#define ANYNIC_NIC_INTEL_RSS_H

#include "net/rss.h"
#include "nic/intel/rx.h"

#define INTEL_RETA_ENTRIES 128u

/* MRQC: which kinds of frames are hashed */
#define MRQC_TCP_IPV4	 BIT(16)
#define MRQC_IPV4	 BIT(17)
#define MRQC_TCP_IPV6_EX BIT(18)
#define MRQC_IPV6_EX	 BIT(19)
#define MRQC_IPV6	 BIT(20)
#define MRQC_TCP_IPV6	 BIT(21) /* from here on: 82576 and later */
#define MRQC_UDP_IPV4	 BIT(22)
#define MRQC_UDP_IPV6	 BIT(23)
#define MRQC_UDP_IPV6_EX BIT(24)

/* As the receive descriptor tells it. */
enum intel_rss_type {
	RSS_NONE,
	RSS_TCP_IPV4,
	RSS_IPV4,
	RSS_TCP_IPV6,
	RSS_IPV6_EX,
	RSS_IPV6,
	RSS_TCP_IPV6_EX,
	RSS_UDP_IPV4,
	RSS_UDP_IPV6,
	RSS_UDP_IPV6_EX,
	INTEL_RSS_TYPE_COUNT
};

struct intel_rss {
	uint32_t mrqc;
	uint32_t reta[INTEL_RETA_ENTRIES / 4];
	uint32_t key[TOEPLITZ_KEY / 4]; /* RSSRK */
	struct toeplitz toeplitz;	/* made from `key` when it is first needed */
	bool prepared;
};

/* RSSRK was written, loaded or reset. */
static inline void intel_rss_key_changed(struct intel_rss *r)
{
	r->prepared = false;
}

/* Hash and type of a frame, as the kinds that MRQC allows say. False: RSS_NONE, the hash is 0. Whether MRQC has RSS on at all is
 * the model's to know. */
bool intel_rss_hash(struct intel_rss *r, const struct intel_rx_info *info, uint32_t *hash,
		    uint8_t *type);

/* What the redirection table says for a hash: a byte whose layout is the model's. */
static inline uint8_t intel_rss_entry(const struct intel_rss *r, uint32_t hash)
{
	unsigned at = hash % INTEL_RETA_ENTRIES;

	return (uint8_t)(r->reta[at / 4] >> (8 * (at % 4)));
}

#endif
