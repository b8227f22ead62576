/* queue.c - which queue gets a frame: EtherType filters, TCP SYN, 5-tuples, RSS, in the chip's order (82576 7.1.2). */
#include "base/bytes.h"
#include "net/headers.h"
#include "nic/igb/igb.h"

#define NO_QUEUE (-1)

void igb_rssrk_written(struct pci_device *dev, const struct reg *row, unsigned index,
		       uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)value, (void)old;
	intel_rss_key_changed(&igb_of_dev(dev)->s.rss);
}

static int by_ethertype(const struct igb *g, const struct intel_rx_info *info, struct igb_choice *c)
{
	for (unsigned i = 0; i < IGB_FILTERS; i++) {
		uint32_t f = g->s.etqf[i];
		if (!(f & ETQF_ENABLE) || (f & 0xffff) != info->ethertype)
			continue;
		c->packet_type = (uint16_t)(RXT_ETQF | i << 4);
		c->at_once |= (f & ETQF_IMMEDIATE) != 0;
		return f & ETQF_QUEUE_ENABLE ? (int)ETQF_QUEUE(f) : NO_QUEUE;
	}
	return NO_QUEUE;
}

static int by_syn(const struct igb *g, const struct intel_rx_info *info)
{
	if (!(g->s.synqf & SYNQF_ENABLE) || info->l4 != L4_TCP ||
	    !(info->head[info->l4_at + TCP_FLAGS] & TCP_SYN))
		return NO_QUEUE;
	return (int)SYNQF_QUEUE(g->s.synqf);
}

/* Addresses and ports stand in the registers as they lie on the wire. */
static bool tuple_matches(const struct igb *g, unsigned i, const struct intel_rx_info *info)
{
	const uint8_t *ip = info->head + info->l3_at, *l4 = info->head + info->l4_at;
	bool ports = info->l4 == L4_TCP || info->l4 == L4_UDP || info->l4 == L4_SCTP;
	uint32_t f = g->s.ftqf[i];

	if (!(f & FTQF_ANY_PROTOCOL) && (f & FTQF_PROTOCOL) != ip[IPV4_PROTOCOL])
		return false;
	if (!(f & FTQF_ANY_SOURCE) && g->s.saqf[i] != get_le32(ip + IPV4_SOURCE))
		return false;
	if (!(f & FTQF_ANY_DEST) && g->s.daqf[i] != get_le32(ip + IPV4_DEST))
		return false;
	if (!(f & FTQF_ANY_SRC_PORT) && (!ports || g->s.spqf[i] != get_le16(l4)))
		return false;
	return (g->s.imir[i] & IMIR_ANY_DEST_PORT) ||
	       (ports && (g->s.imir[i] & 0xffff) == get_le16(l4 + L4_DEST_PORT));
}

/* IMIR and IMIREXT: small frames, or those with one of some TCP flags, do not wait for EITR. */
static bool is_urgent(const struct igb *g, unsigned i, const struct intel_rx_info *info)
{
	uint32_t ext = g->s.imirext[i];

	if (!(g->s.imir[i] & IMIR_IMMEDIATE))
		return false;
	if (!(ext & IMIREXT_ANY_SIZE) && info->length >= (ext & IMIREXT_SIZE))
		return false;
	if (ext & IMIREXT_ANY_FLAGS)
		return true;
	if (info->l4 != L4_TCP)
		return false;
	/* URG is the lowest of six bits there, and the highest in the header */
	uint8_t flags = info->head[info->l4_at + TCP_FLAGS];
	for (unsigned bit = 0; bit < 6; bit++)
		if ((flags & 0x20u >> bit) && (ext & BIT(IMIREXT_FLAGS + bit)))
			return true;
	return false;
}

static int by_tuple(const struct igb *g, const struct intel_rx_info *info, struct igb_choice *c)
{
	if (info->l3 != L3_IPV4 || (info->flags & RXF_FRAGMENT))
		return NO_QUEUE;
	for (unsigned i = 0; i < IGB_FILTERS; i++) {
		bool used = (g->s.ftqf[i] & (FTQF_QUEUE_EN | FTQF_1588)) ||
			    (g->s.imir[i] & IMIR_IMMEDIATE);
		if (!used || !tuple_matches(g, i, info))
			continue;
		c->at_once |= is_urgent(g, i, info);
		if (g->s.ftqf[i] & FTQF_QUEUE_EN)
			return (int)FTQF_QUEUE(g->s.ftqf[i]);
	}
	return NO_QUEUE;
}

static int by_filter(const struct igb *g, const struct intel_rx_info *info, struct igb_choice *c)
{
	int queue = by_ethertype(g, info, c);
	bool syn_first = g->s.rfctl & RFCTL_SYNQFP;

	if (queue == NO_QUEUE && syn_first)
		queue = by_syn(g, info);
	if (queue == NO_QUEUE)
		queue = by_tuple(g, info, c);
	if (queue == NO_QUEUE && !syn_first)
		queue = by_syn(g, info);
	return queue;
}

/* The hash and its entry of the redirection table; 0 when there is none. */
static uint8_t spread(struct igb *g, const struct intel_rx_info *info, struct igb_choice *c,
		      uint8_t none)
{
	uint32_t hash;

	if (!intel_rss_hash(&g->s.rss, info, &hash, &c->rss_type))
		return none;
	c->rss_hash = hash;
	return intel_rss_entry(&g->s.rss, hash);
}

void igb_choose(struct igb *g, const struct intel_rx_info *info, uint32_t pools,
		struct igb_choice *c)
{
	uint32_t mode = g->s.rss.mrqc & MRQC_MODE;
	uint8_t fallback = MRQC_DEFAULT(g->s.rss.mrqc), entry = 0;

	*c = (struct igb_choice){ .packet_type = intel_rx_packet_type(info) };
	if (mode == MRQC_VMDQ_RSS)
		entry = spread(g, info, c, 0);
	else if (mode == MRQC_RSS)
		entry = spread(g, info, c, fallback);
	if (igb_has_pools(g)) {
		/* two queues per pool: n and n + 8 */
		c->queues = entry & IGB_POOLS ? pools << IGB_POOLS : pools;
		return;
	}
	int queue = by_filter(g, info, c);
	if (queue == NO_QUEUE)
		queue = mode == MRQC_RSS ? entry : fallback;
	c->queues = BIT((unsigned)queue % IGB_QUEUES);
}
