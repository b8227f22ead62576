#include "nic/intel/rss.h"

#include "base/bytes.h"
#include "net/headers.h"

#define IPV6_ADDRESS   16u
#define EXTENSIONS_MAX 8u

enum { OPTION_PAD1 = 0, OPTION_HOME_ADDRESS = 201, ROUTING_MOBILE = 2 };

/* A kind of frame, the first that fits is the one. `l4`: L4_OTHER takes any. */
struct rss_kind {
	uint32_t mrqc;
	uint8_t l3, l4;
	uint8_t type;
	enum {
		EX_NO,
		EX_FOUND,
		EX_ANY
	} ex; /* addresses of extension headers: must be there, may be */
};

static const struct rss_kind kinds[] = {
	{ MRQC_TCP_IPV4, L3_IPV4, L4_TCP, RSS_TCP_IPV4, EX_NO },
	{ MRQC_UDP_IPV4, L3_IPV4, L4_UDP, RSS_UDP_IPV4, EX_NO },
	{ MRQC_IPV4, L3_IPV4, L4_OTHER, RSS_IPV4, EX_NO },
	{ MRQC_TCP_IPV6_EX, L3_IPV6, L4_TCP, RSS_TCP_IPV6_EX, EX_FOUND },
	{ MRQC_TCP_IPV6, L3_IPV6, L4_TCP, RSS_TCP_IPV6, EX_NO },
	{ MRQC_TCP_IPV6_EX, L3_IPV6, L4_TCP, RSS_TCP_IPV6_EX, EX_ANY },
	{ MRQC_UDP_IPV6_EX, L3_IPV6, L4_UDP, RSS_UDP_IPV6_EX, EX_FOUND },
	{ MRQC_UDP_IPV6, L3_IPV6, L4_UDP, RSS_UDP_IPV6, EX_NO },
	{ MRQC_UDP_IPV6_EX, L3_IPV6, L4_UDP, RSS_UDP_IPV6_EX, EX_ANY },
	{ MRQC_IPV6_EX, L3_IPV6, L4_OTHER, RSS_IPV6_EX, EX_FOUND },
	{ MRQC_IPV6, L3_IPV6, L4_OTHER, RSS_IPV6, EX_NO },
	{ MRQC_IPV6_EX, L3_IPV6, L4_OTHER, RSS_IPV6_EX, EX_ANY },
};

/* Where the addresses of mobile IPv6 are, 0 = not there: the home address option, and a routing header of type 2. */
struct extensions {
	uint32_t source, dest;
};

/* Looks for the home address among the options in [at, end). */
static uint32_t home_address(const uint8_t *head, uint32_t at, uint32_t end)
{
	while (at + 2 <= end) {
		if (head[at] == OPTION_PAD1) {
			at++;
			continue;
		}
		if (head[at] == OPTION_HOME_ADDRESS && head[at + 1] == IPV6_ADDRESS &&
		    at + 2 + IPV6_ADDRESS <= end)
			return at + 2;
		at += 2u + head[at + 1];
	}
	return 0;
}

static struct extensions find_extensions(const struct intel_rx_info *info)
{
	struct extensions found = { 0 };
	uint32_t at = info->l3_at + IPV6_HEADER;
	uint8_t next = info->head[info->l3_at + IPV6_NEXT];

	for (unsigned i = 0; i < EXTENSIONS_MAX && at + 8 <= info->have; i++) {
		uint32_t end = at + (info->head[at + 1] + 1u) * 8;
		if (end > info->have)
			break;
		if (next == PROTO_DSTOPTS)
			found.source = home_address(info->head, at + 2, end);
		else if (next == PROTO_ROUTING && info->head[at + 2] == ROUTING_MOBILE &&
			 end - at >= 8 + IPV6_ADDRESS)
			found.dest = at + 8;
		else if (next != PROTO_HOPOPTS && next != PROTO_ROUTING)
			break;
		next = info->head[at];
		at = end;
	}
	return found;
}

static bool kind_fits(const struct rss_kind *k, uint32_t mrqc, const struct intel_rx_info *info,
		      const struct extensions *ex)
{
	return (mrqc & k->mrqc) && k->l3 == info->l3 && (k->l4 == L4_OTHER || k->l4 == info->l4) &&
	       (k->ex != EX_FOUND || ex->source || ex->dest);
}

/* Puts together what is hashed. Returns how many bytes. */
static unsigned gather_input(const struct rss_kind *k, const struct intel_rx_info *info,
			     const struct extensions *ex, uint8_t in[TOEPLITZ_INPUT])
{
	const uint8_t *head = info->head;
	unsigned len;

	if (k->l3 == L3_IPV4) {
		memcpy(in, head + info->l3_at + IPV4_SOURCE, IPV4_ADDRESSES);
		len = IPV4_ADDRESSES;
	} else {
		uint32_t source =
			k->ex != EX_NO && ex->source ? ex->source : info->l3_at + IPV6_SOURCE;
		uint32_t dest = k->ex != EX_NO && ex->dest ? ex->dest : info->l3_at + IPV6_DEST;
		memcpy(in, head + source, IPV6_ADDRESS);
		memcpy(in + IPV6_ADDRESS, head + dest, IPV6_ADDRESS);
		len = 2 * IPV6_ADDRESS;
	}
	if (k->l4 != L4_OTHER) {
		memcpy(in + len, head + info->l4_at, 4);
		len += 4;
	}
	return len;
}

bool intel_rss_hash(struct intel_rss *r, const struct intel_rx_info *info, uint32_t *hash,
		    uint8_t *type)
{
	struct extensions ex = { 0 };
	uint8_t in[TOEPLITZ_INPUT];

	*hash = 0;
	*type = RSS_NONE;
	if (info->l3 == L3_IPV6 && (r->mrqc & (MRQC_TCP_IPV6_EX | MRQC_IPV6_EX | MRQC_UDP_IPV6_EX)))
		ex = find_extensions(info);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!kind_fits(&kinds[i], r->mrqc, info, &ex))
			continue;
		if (!r->prepared) {
			uint8_t key[TOEPLITZ_KEY];
			for (unsigned k = 0; k < ARRAY_SIZE(r->key); k++)
				put_le32(key + (size_t)4 * k, r->key[k]);
			toeplitz_prepare(&r->toeplitz, key);
			r->prepared = true;
		}
		*hash = toeplitz_hash(&r->toeplitz, in, gather_input(&kinds[i], info, &ex, in));
		*type = kinds[i].type;
		return true;
	}
	return false;
}
