/* rx.c - frames for the guest: filters, queues, buffers. */
#include <errno.h>

#include "nic/igb/igb.h"

/* --- the driver's side --- */

bool igb_rx_on(const struct igb *g, unsigned queue)
{
	return (g->s.rctl & RCTL_EN) && (g->s.rx[queue].ring.ctl & DCTL_ENABLE);
}

static void buffers_came(struct igb *g)
{
	g->nic.notes.rx_ready = true;
	if (!g->driver.given)
		igb_note(g);
}

void igb_rdt_written(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		     uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)value, (void)old;
	g->rx_full &= ~BIT(index);
	if (g->rx_hold_queue == index)
		g->rx_hold_ns = 0;
	buffers_came(g);
	if (g->s.rx[index].ring.head != 0)
		intel_driver_served(&g->nic, &g->driver, true);
}

void igb_rxdctl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row;
	if (value & ~old & DCTL_ENABLE)
		g->s.rx[index].ring.head = 0;
	g->rx_full &= ~BIT(index);
	buffers_came(g);
	igb_note(g);
}

void igb_rctl_written(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		      uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)index;
	if (value & ~old & RCTL_EN)
		g->s.irq.looked = false;
	g->nic.notes.rx_ready = true;
	igb_note(g);
}

/* --- one frame into one queue --- */

static uint32_t buffer_size(const struct igb *g, const struct igb_rx_queue *q)
{
	uint32_t kb = SRRCTL_PACKET_KB(q->srrctl);

	return kb ? kb * 1024 : 2048u >> (g->s.rctl >> RCTL_BSIZE_SHIFT & 3);
}

static bool strips_vlan(const struct igb *g, unsigned queue)
{
	if (igb_has_pools(g))
		return g->s.vmolr[queue % IGB_POOLS] & VMOLR_STRVLAN;
	return g->s.ctrl & CTRL_VME;
}

static int put(struct igb *g, const struct intel_rx_info *info, unsigned queue,
	       const struct igb_choice *c, uint32_t status)
{
	struct igb_rx_queue *q = &g->s.rx[queue];
	unsigned type = SRRCTL_DESCTYPE(q->srrctl);
	bool l4 = g->s.rxcsum & (info->l4 == L4_SCTP ? RXCSUM_CRCOFL : RXCSUM_TUOFL);
	struct intel_image image;
	struct intel_rx rx = {
		.nic = &g->nic,
		.ring = &q->ring,
		.format = type == DESC_LEGACY ? &intel_rx_legacy : &intel_rx_advanced,
		.buffer_size = buffer_size(g, q),
		.split_always = type == DESC_SPLIT_ALWAYS,
		.status = type == DESC_LEGACY ? status & 0xff : status,
		.rss_hash = c->rss_hash,
		.rss_type = c->rss_type,
		.packet_type = c->packet_type,
		.report_ip = g->s.rxcsum & RXCSUM_IPOFL,
		.report_l4 = l4,
		.fragment_csum = !(g->s.rxcsum & RXCSUM_PCSD),
	};

	if (type == DESC_SPLIT || type == DESC_SPLIT_ALWAYS) {
		unsigned pool = igb_has_pools(g) ? queue % IGB_POOLS : 0;
		rx.header_size = SRRCTL_HEADER(q->srrctl);
		rx.header_length = intel_rx_header_length(info, g->s.psrtype[pool]);
	}
	intel_image_make(&image, info, strips_vlan(g, queue), !(g->s.rctl & RCTL_SECRC));
	return intel_rx_put(&rx, &image);
}

/* RXDMT0: fewer free descriptors than SRRCTL.RDMTS says. */
static void note_threshold(struct igb *g, const struct igb_rx_queue *q)
{
	uint32_t threshold = (q->srrctl >> 20 & 0x1f) * 16, count = q->ring.len / INTEL_DESC_SIZE;
	uint32_t free = q->ring.tail >= q->ring.head ? q->ring.tail - q->ring.head
						     : count - q->ring.head + q->ring.tail;

	if (threshold && free < threshold)
		g->batch.other |= INT_RXDMT0;
}

static void drop_full(struct igb *g, unsigned queue)
{
	struct igb_rx_queue *q = &g->s.rx[queue];

	q->drops = MIN(q->drops + 1, 0xfffu);
	nic_drop(&g->nic, DROP_NO_BUFFER);
}

/* A queue without buffers: true when the frame shall wait. */
static bool holds(struct igb *g, unsigned queue)
{
	bool may_drop = (g->s.rx[queue].srrctl & SRRCTL_DROP_EN) || (g->s.qde & BIT(queue));

	if (!may_drop)
		return true;
	if (g->rx_full & BIT(queue))
		return false;
	if (!g->rx_hold_ns) {
		g->rx_hold_queue = (uint8_t)queue;
		g->rx_hold_ns = nic_now(&g->nic) + RX_HOLD_NS;
		nic_set_timer(&g->nic, intel_earlier(g->nic.notes.deadline_ns, g->rx_hold_ns));
	}
	return true;
}

/* False: the frame waits. `only`: no other queue gets it. */
static bool deliver(struct igb *g, const struct intel_rx_info *info, unsigned queue,
		    const struct igb_choice *c, uint32_t status, bool only)
{
	if (!igb_rx_on(g, queue)) {
		nic_drop(&g->nic, DROP_RX_DISABLED);
		return true;
	}
	int rc = put(g, info, queue, c, status);
	if (rc == -ENOBUFS) {
		if (only && !g->looping && holds(g, queue))
			return false;
		drop_full(g, queue);
		return true;
	}
	if (rc == -EMSGSIZE) {
		nic_drop(&g->nic, DROP_OVERSIZE);
		return true;
	}
	if (rc == -EFAULT) {
		nic_drop(&g->nic, DROP_BAD_ADDRESS);
		if (!intel_ring_reachable(&g->nic, &g->s.rx[queue].ring))
			intel_driver_fault(&g->nic, &g->driver);
	} else {
		intel_stats_add(&g->s.stats, R_RPTHC, 1);
		intel_stats_add64(&g->s.stats, R_HGORC, info->length + FCS_SIZE);
		g->nic.counters.rx_frames++;
		g->nic.counters.rx_bytes += info->length;
	}
	g->batch.rx |= BIT(queue);
	g->batch.at_once |= c->at_once ? BIT(queue) : 0;
	note_threshold(g, &g->s.rx[queue]);
	return true;
}

/* --- one frame --- */

static bool too_long(const struct igb *g, const struct intel_rx_info *info)
{
	uint32_t length = info->length + FCS_SIZE;
	uint32_t tag = info->flags & RXF_VLAN ? VLAN_TAG : 0;

	if (g->s.rctl & RCTL_LPE)
		return length > MIN(g->s.rlpml + tag, IGB_FRAME_MAX);
	return length > IGB_FRAME_STD + tag;
}

/* Pools, or the filter of a card without them. False: not for us. */
static bool accepts(const struct igb *g, const struct intel_rx_info *info, uint32_t *pools,
		    uint32_t *status)
{
	unsigned exact;
	enum intel_dest dest =
		intel_filter_dest(&g->s.filter, IGB_ADDRESSES, g->s.rctl, info->head, &exact);

	if (dest == DEST_HASH || dest == DEST_PROMISCUOUS)
		*status |= RXS_PIF;
	if (!intel_filter_vlan(&g->s.filter, g->s.rctl, info))
		return false;
	if (!igb_has_pools(g))
		return dest != DEST_NONE;
	*pools = igb_pools_of(g, info, dest);
	return *pools != 0;
}

/* A MAC control frame that ends here. */
static bool is_control(struct igb *g, const struct intel_rx_info *info)
{
	struct intel_flow_card card;

	igb_flow_card(g, &card);
	return intel_flow_received(&g->nic, &g->flow, &card, info);
}

/* False: the frame waits. */
static bool take(struct igb *g, const struct frame *f)
{
	struct intel_rx_info info;
	struct igb_choice choice;
	uint32_t pools = 0, status = 0;

	if (f->length < ETH_HEADER) {
		nic_drop(&g->nic, DROP_RUNT);
		return true;
	}
	intel_rx_look(&info, f, (uint16_t)g->s.vet);
	if (intel_flow_concerns(&info, g->s.fct) && is_control(g, &info))
		return true;
	if (too_long(g, &info)) {
		intel_stats_add(&g->s.stats, STAT_ROC, 1);
		nic_drop(&g->nic, DROP_OVERSIZE);
		return true;
	}
	if (!accepts(g, &info, &pools, &status)) {
		nic_drop(&g->nic, DROP_FILTERED);
		return true;
	}
	igb_choose(g, &info, pools, &choice);
	if (g->s.rx_stamp.ctl & TSYNC_ENABLED)
		status |= igb_stamp_received(g, &info);
	intel_rx_check(&info, g->s.rxcsum & RXCSUM_IPOFL,
		       g->s.rxcsum & (info.l4 == L4_SCTP ? RXCSUM_CRCOFL : RXCSUM_TUOFL));
	bool only = (choice.queues & (choice.queues - 1)) == 0;
	for (uint32_t left = choice.queues; left; left &= left - 1) {
		if (deliver(g, &info, (unsigned)__builtin_ctz(left), &choice, status, only))
			continue;
		if (status & RXD_STATUS_TS)
			intel_stamp_fetched(&g->s.rx_stamp); /* it is stamped when it comes again */
		return false;
	}
	intel_stats_received(&g->s.stats, info.head, info.length, 1);
	return true;
}

unsigned igb_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct igb *g = igb_of(nic);
	unsigned taken = 0;

	if (nic->stopped)
		return 0;
	if (!(g->s.rctl & RCTL_EN) || !pci_bus_master(&nic->pci)) {
		nic->counters.drop[DROP_RX_DISABLED] += n;
		return n;
	}
	g->batch = (struct intel_causes){ 0 };
	while (taken < n && take(g, &frames[taken]))
		taken++;
	if (g->batch.rx || g->batch.other)
		intel_irq_raise(nic, &g->s.irq, &g->batch);
	return taken;
}
