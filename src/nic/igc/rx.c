/* rx.c - from the wire to the guest's rings. */
#include "nic/igc/igc.h"

#include <errno.h>

#include "base/bytes.h"

#define STAMP_BYTES 16u
#define FRAME_PLAIN 1518u /* with FCS: what passes without RCTL.LPE */

/* What one receive call puts together before it interrupts once. */
struct batch {
	uint32_t queues, at_once; /* bit = queue */
	uint32_t other;		  /* bits of ICR */
};

/* --- does the guest want it? --- */

static bool length_fits(const struct igc *c, const struct intel_rx_info *info)
{
	uint32_t tag = info->flags & RXF_VLAN ? VLAN_TAG : 0;
	uint32_t most = c->s.rctl & RCTL_LPE ? MIN(c->s.rlpml, IGC_FRAME_MAX) : FRAME_PLAIN;

	return info->length + FCS_SIZE <= most + tag;
}

/* The address filter: MAC addresses, multicast table, promiscuous modes; a source address that a RA entry looks for lets a frame pass too.
 * `*exact`: the matching entry, or -1. */
static bool wanted(const struct igc *c, const struct intel_rx_info *info, int *exact)
{
	unsigned entry = 0;
	enum intel_dest dest =
		intel_filter_dest(&c->s.filter, IGC_ADDRESSES, c->s.rctl, info->head, &entry);

	*exact = dest == DEST_EXACT ? (int)entry : -1;
	if (dest != DEST_EXACT) {
		int source = igc_find_source(c, info->head + MAC_LEN);
		if (source >= 0)
			*exact = source;
		else if (dest == DEST_NONE)
			return false;
	}
	return intel_filter_vlan(&c->s.filter, c->s.rctl, info);
}

/* --- into a ring --- */

static uint32_t packet_size(const struct igc *c, const struct igc_rx_queue *q)
{
	static const uint16_t by_rctl[] = { 2048, 1024, 512, 256 };
	uint32_t kib = SRRCTL_PACKET_KB(q->srrctl);

	return kib ? kib * 1024 : by_rctl[c->s.rctl >> RCTL_BSIZE_SHIFT & 3];
}

/* Two times of 8 bytes each, of the timers that SRRCTL chooses: all of them show the one clock (7.3.1.3 of the user manual). */
static void stamp(const struct igc *c, struct intel_image *im)
{
	uint64_t now = igc_clock_now(c);

	for (uint8_t *p = im->prefix_data; p < im->prefix_data + STAMP_BYTES; p += 8) {
		put_le32(p, (uint32_t)(now % NS_PER_S));
		put_le32(p + 4, (uint32_t)(now / NS_PER_S));
	}
	im->prefix = STAMP_BYTES;
	im->length += STAMP_BYTES;
}

static void set_format(const struct igc *c, const struct igc_rx_queue *q, unsigned index,
		       const struct intel_rx_info *info, struct intel_rx *rx)
{
	uint32_t type = SRRCTL_DESCTYPE(q->srrctl);

	rx->format = type == DESC_LEGACY ? &intel_rx_legacy : &intel_rx_advanced;
	rx->buffer_size = packet_size(c, q);
	if (type == DESC_SPLIT || type == DESC_SPLIT_ALWAYS) {
		rx->header_size = SRRCTL_HEADER(q->srrctl);
		rx->header_length = intel_rx_header_length(info, c->s.psrtype[index]);
		rx->split_always = type == DESC_SPLIT_ALWAYS;
	}
}

static int deliver(struct igc *c, const struct intel_rx_info *info, const struct igc_verdict *v)
{
	struct igc_rx_queue *q = &c->s.rx[v->queue];
	struct intel_rx rx = {
		.nic = &c->nic,
		.ring = &q->ring,
		.rss_hash = v->hash,
		.rss_type = v->rss_type,
		.report_ip = c->s.rxcsum & RXCSUM_IPOFL,
		.report_l4 = c->s.rxcsum & RXCSUM_TUOFL,
		.fragment_csum = !(c->s.rxcsum & RXCSUM_PCSD),
	};
	struct intel_image im;

	set_format(c, q, v->queue, info, &rx);
	rx.packet_type =
		v->etqf ? (uint16_t)(RXT_ETQF | (v->etqf - 1) << 4) : intel_rx_packet_type(info);
	intel_image_make(&im, info, c->s.ctrl & CTRL_VME, !(c->s.rctl & RCTL_SECRC));
	if ((q->srrctl & SRRCTL_TIMESTAMP) && (c->s.rxpbs & RXPBS_STAMPS) &&
	    rx.format == &intel_rx_advanced && igc_stamps_received(c, info)) {
		stamp(c, &im);
		rx.status |= RXD_TSIP;
	}
	return intel_rx_put(&rx, &im);
}

/* --- one frame --- */

static void count_missed(struct igc *c, struct igc_rx_queue *q)
{
	intel_stats_add(&c->s.stats, STAT_MPC, 1);
	q->dropped += q->dropped < UINT32_MAX;
	nic_drop(&c->nic, DROP_NO_BUFFER);
}

/* RCTL.RDMTS: the free descriptors have become few. */
static void note_level(const struct igc *c, const struct igc_rx_queue *q, struct batch *b)
{
	static const uint8_t part[] = { 2, 4, 8, 16 };
	uint32_t count = q->ring.len / INTEL_DESC_SIZE;

	if (!count || q->ring.head >= count || q->ring.tail >= count)
		return;
	uint32_t left = (q->ring.tail + count - q->ring.head) % count;
	if (left == count / part[c->s.rctl >> 8 & 3])
		b->other |= INT_RXDMT0;
}

/* False: there is no room now, the frame must come again. */
static bool take(struct igc *c, const struct intel_rx_info *info, const struct igc_verdict *v,
		 struct batch *b)
{
	struct igc_rx_queue *q = &c->s.rx[v->queue];

	switch (deliver(c, info, v)) {
	case -ENOBUFS:
		/* with several queues one that is full must not stop the others (SRRCTL.Drop_En) */
		if (!(q->srrctl & SRRCTL_DROP_EN))
			return false;
		count_missed(c, q);
		b->other |= INT_RXO;
		return true;
	case -EMSGSIZE:
		intel_stats_add(&c->s.stats, STAT_ROC, 1);
		nic_drop(&c->nic, DROP_OVERSIZE);
		return true;
	case -EFAULT:
		nic_drop(&c->nic, DROP_BAD_ADDRESS);
		igc_check_ring(c, &q->ring);
		b->queues |= BIT(v->queue);
		return true;
	default:
		intel_stats_received(&c->s.stats, info->head, info->length, 1);
		c->nic.counters.rx_frames++;
		c->nic.counters.rx_bytes += info->length;
		b->queues |= BIT(v->queue);
		b->at_once |= v->immediate ? BIT(v->queue) : 0;
		note_level(c, q, b);
		return true;
	}
}

static bool refuse(struct igc *c, enum drop_reason reason)
{
	nic_drop(&c->nic, reason);
	return true;
}

/* A MAC control frame that ends here. */
static bool is_control(struct igc *c, const struct intel_rx_info *info)
{
	struct intel_flow_card card;

	igc_flow_card(c, &card);
	return intel_flow_received(&c->nic, &c->flow, &card, info);
}

static bool receive_one(struct igc *c, const struct frame *f, struct batch *b)
{
	struct intel_rx_info info;
	struct igc_verdict verdict;
	int exact;

	intel_rx_look(&info, f, (uint16_t)c->s.vet);
	if (info.length < ETH_HEADER)
		return refuse(c, DROP_RUNT);
	if (intel_flow_concerns(&info, c->s.fct) && is_control(c, &info))
		return true;
	if (!wanted(c, &info, &exact))
		return refuse(c, DROP_FILTERED);
	if (!length_fits(c, &info)) {
		intel_stats_add(&c->s.stats, STAT_ROC, 1);
		return refuse(c, DROP_OVERSIZE);
	}
	igc_classify(c, &info, exact, &verdict);
	if (verdict.drop)
		return refuse(c, DROP_FILTERED);
	if (!(c->s.rx[verdict.queue].ring.ctl & DCTL_ENABLE))
		return refuse(c, DROP_RX_DISABLED);
	bool sctp = info.l4 != L4_SCTP || (c->s.rxcsum & RXCSUM_CRCOFL);
	intel_rx_check(&info, c->s.rxcsum & RXCSUM_IPOFL, (c->s.rxcsum & RXCSUM_TUOFL) && sctp);
	return take(c, &info, &verdict, b);
}

unsigned igc_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct igc *c = igc_of(nic);
	struct batch b = { 0 };
	unsigned taken = 0;

	/* a negotiation under way loses nothing, for the wire is ours; MAC loopback needs none */
	bool wire = c->phy.link || c->phy.done_ns || (c->s.rctl & RCTL_LBM) || nic->hears;
	if (!igc_rx_on(c) || !wire || !pci_bus_master(&nic->pci) ||
	    (c->s.ctrl & CTRL_GIO_DISABLE)) {
		nic->counters.drop[DROP_RX_DISABLED] += n;
		return n;
	}
	if (nic->stopped)
		return 0;
	while (taken < n && receive_one(c, &frames[taken], &b))
		taken++;
	if (b.queues || b.other) {
		const struct intel_causes causes = { .rx = b.queues,
						     .other = b.other,
						     .at_once = b.at_once };
		intel_irq_raise(nic, &c->s.irq, &causes);
	}
	return taken;
}
