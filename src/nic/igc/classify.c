/* classify.c - which queue a received frame goes to (I225 user manual 7.1.1): EtherType filters first, then TCP SYN, port and flex filters
 * by their priority, the VLAN priority, the MAC address, and at last the hash of the flow.
 */
#include "nic/igc/igc.h"

#include "base/bytes.h"
#include "net/headers.h"

#define TCP_SIX 0x3fu

int igc_find_source(const struct igc *c, const uint8_t *source)
{
	uint32_t low = get_le32(source), high = get_le16(source + 4);

	for (unsigned i = 0; i < IGC_ADDRESSES; i++) {
		const struct intel_address *a = &c->s.filter.ra[i];
		if (a->low == low && (a->high & 0xffff) == high &&
		    (a->high & (RAH_AV | RAH_AS)) == (RAH_AV | RAH_SOURCE))
			return (int)i;
	}
	return -1;
}

/* What a filter says, if it is better than what was found before. */
struct choice {
	int priority; /* -1: none yet */
	uint8_t queue;
	bool drop, immediate;
};

static void choose(struct choice *best, int priority, uint32_t queue)
{
	if (priority <= best->priority)
		return;
	*best = (struct choice){ .priority = priority, .queue = (uint8_t)(queue % IGC_QUEUES) };
}

static bool by_ethertype(const struct igc *c, const struct intel_rx_info *info,
			 struct igc_verdict *v)
{
	for (unsigned i = 0; i < IGC_ETQF_COUNT; i++) {
		uint32_t f = c->s.etqf[i];
		if (!(f & ETQF_ENABLE) || (f & 0xffff) != info->ethertype)
			continue;
		v->etqf = (uint8_t)(i + 1);
		if (!(f & ETQF_QUEUE_ENABLE))
			return false; /* marked only */
		v->queue = (uint8_t)(ETQF_QUEUE(f) % IGC_QUEUES);
		v->immediate = f & ETQF_IMMEDIATE;
		return true;
	}
	return false;
}

static uint8_t tcp_flags(const struct intel_rx_info *info)
{
	return info->l4 == L4_TCP ? info->head[info->l4_at + TCP_FLAGS] & TCP_SIX : 0;
}

static void by_syn(const struct igc *c, const struct intel_rx_info *info, struct choice *best)
{
	if ((c->s.synqf & SYNQF_ENABLE) && (tcp_flags(info) & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		choose(best, c->s.rfctl & RFCTL_SYNQFP ? 8 : 0, SYNQF_QUEUE(c->s.synqf));
}

static bool tuple_matches(const struct igc *c, const struct intel_rx_info *info, unsigned i)
{
	static const uint8_t protocol[INTEL_L4_COUNT] = {
		[L4_TCP] = PROTO_TCP, [L4_UDP] = PROTO_UDP, [L4_SCTP] = PROTO_SCTP
	};
	uint32_t ttqf = c->s.ttqf[i], imir = c->s.imir[i], ext = c->s.imirext[i];

	if (!(ttqf & TTQF_QUEUE_ENABLE) || info->l4 == L4_OTHER)
		return false;
	if (!(ttqf & TTQF_PROTO_BYPASS) && (ttqf & 0xff) != protocol[info->l4])
		return false;
	/* IMIR holds the port as it lies in the frame */
	if (!(imir & IMIR_BYPASS_PORT) &&
	    get_be16(info->head + info->l4_at + L4_DEST_PORT) !=
		    (uint16_t)((imir & 0xff) << 8 | (imir >> 8 & 0xff)))
		return false;
	if (!(ext & IMIREXT_FLAGS_BYPASS) && IMIREXT_FLAGS(ext) != tcp_flags(info))
		return false;
	return (ext & IMIREXT_SIZE_BYPASS) || info->length < (ext & 0xfff);
}

static void by_tuple(const struct igc *c, const struct intel_rx_info *info, struct choice *best)
{
	for (unsigned i = 0; i < IGC_TUPLE_COUNT; i++)
		if (tuple_matches(c, info, i)) {
			int before = best->priority;
			choose(best, (int)IMIR_PRIORITY(c->s.imir[i]), TTQF_QUEUE(c->s.ttqf[i]));
			if (best->priority != before)
				best->immediate = c->s.imir[i] & IMIR_IMMEDIATE;
		}
}

/* Rows of 16 bytes hold 8 bytes of the pattern and a mask of 8 bits (8.17.14). */
static bool flex_matches(const uint32_t *filter, const struct intel_rx_info *info)
{
	uint32_t length = MIN(FLEX_LENGTH(filter[FLEX_CONTROL]), IGC_FLEX_BYTES);

	if (length == 0 || info->have < length)
		return false;
	for (uint32_t at = 0; at < length; at++) {
		const uint32_t *row = filter + (size_t)(at / 8) * 4;
		if (!(row[2] >> (at % 8) & 1))
			continue;
		uint8_t want = (uint8_t)(row[at % 8 / 4] >> (8 * (at % 4)));
		if (info->head[at] != want)
			return false;
	}
	return true;
}

static void by_flex(const struct igc *c, const struct intel_rx_info *info, struct choice *best)
{
	uint32_t on = (c->s.wufc >> WUFC_FLEX_SHIFT & 0xff) | (c->s.wufc_ext & 0xffffff00u);

	if (!(c->s.wufc & WUFC_FLEX_QUEUES))
		return;
	for (; on; on &= on - 1) {
		const uint32_t *filter = c->flex[__builtin_ctz(on)];
		uint32_t control = filter[FLEX_CONTROL];
		int before = best->priority;
		if (!flex_matches(filter, info))
			continue;
		choose(best, (int)FLEX_PRIORITY(control), FLEX_QUEUE(control));
		if (best->priority == before)
			continue;
		best->immediate = control & FLEX_IMMEDIATE;
		best->drop = control & FLEX_DROP;
	}
}

static bool by_vlan(const struct igc *c, const struct intel_rx_info *info, struct igc_verdict *v)
{
	uint32_t entry = c->s.vlanpqf >> (info->tag >> 13) * 4 & 15;

	if (!(info->flags & RXF_VLAN) || !(entry & 8))
		return false;
	v->queue = entry & 3;
	return true;
}

static bool by_address(const struct igc *c, int exact, struct igc_verdict *v)
{
	if (exact < 0 || !(c->s.filter.ra[exact].high & RAH_QSEL_ENABLE))
		return false;
	v->queue = RAH_QSEL(c->s.filter.ra[exact].high);
	return true;
}

void igc_classify(struct igc *c, const struct intel_rx_info *info, int exact, struct igc_verdict *v)
{
	struct choice best = { .priority = -1 };
	bool rss = (c->s.rss.mrqc & 7) == MRQC_RSS;

	*v = (struct igc_verdict){ 0 };
	bool hashed = rss && intel_rss_hash(&c->s.rss, info, &v->hash, &v->rss_type);
	if (by_ethertype(c, info, v))
		return;
	by_syn(c, info, &best);
	by_tuple(c, info, &best);
	by_flex(c, info, &best);
	if (best.priority >= 0) {
		v->queue = best.queue;
		v->immediate = best.immediate;
		v->drop = best.drop;
		return;
	}
	if (by_vlan(c, info, v) || by_address(c, exact, v))
		return;
	if (hashed)
		v->queue = intel_rss_entry(&c->s.rss, v->hash) % IGC_QUEUES;
}
