/* tx.c - frames from the guest. */
#include "nic/igb/igb.h"

static bool queue_on(const struct igb *g, unsigned queue)
{
	return (g->s.tctl & TCTL_EN) && (g->s.tx[queue].ring.ctl & DCTL_ENABLE);
}

unsigned igb_loop_back(struct nic *nic, struct frame *frames, unsigned n)
{
	struct igb *g = igb_of(nic);

	g->looping = true;
	n = intel_loop_back(nic, frames, n, igb_receive);
	g->looping = false;
	return n;
}

static uint64_t octets_sent(const struct igb *g)
{
	const uint32_t *at = g->s.stats.at;

	return (uint64_t)at[INTEL_STAT(STAT_GOTCH)] << 32 | at[INTEL_STAT(STAT_GOTCL)];
}

void igb_flow_card(struct igb *g, struct intel_flow_card *out)
{
	*out = (struct intel_flow_card){
		.ctrl = g->s.ctrl,
		.rctl = g->s.rctl,
		.fcal = g->s.fcal,
		.fcah = g->s.fcah,
		.fct = g->s.fct,
		.fcttv = g->s.fcttv,
		.own = &g->s.filter.ra[0],
		.stats = &g->s.stats,
		.speed = g->phy.speed,
		.queues = IGB_QUEUES,
	};
}

/* TCTL.SWXOFF */
static void send_pause(struct igb *g)
{
	struct intel_flow_card card;

	igb_flow_card(g, &card);
	intel_flow_send(&g->nic, &g->flow, &card, g->phy.link && !igb_loops(g));
}

bool igb_transmit(struct nic *nic, unsigned queue)
{
	struct igb *g = igb_of(nic);
	struct intel_tx_result result;

	if (queue >= IGB_QUEUES || !queue_on(g, queue) || nic->stopped ||
	    !pci_bus_master(&nic->pci))
		return false;
	if (g->flow.wanted)
		send_pause(g);
	if (g->flow.until_ns)
		return false;
	struct igb_tx_queue *q = &g->s.tx[queue];
	struct intel_tx tx = {
		.nic = nic,
		.ring = &q->ring,
		.queue = &q->contexts,
		.decode = intel_txd_decode_advanced,
		.stats = &g->s.stats,
		.index = (uint16_t)queue,
		.vlan_type = g->s.ctrl & CTRL_VME ? (uint16_t)g->s.vet : 0,
		.pad = g->s.tctl & TCTL_PSP,
		.head_only = q->head_low & TDWBAL_ENABLE,
		.head_at = (uint64_t)q->head_high << 32 | (q->head_low & ~3u),
		.sent = g->s.tx_stamp.ctl & TSYNC_ENABLED ? igb_stamp_sent : NULL,
	};
	if (igb_loops(g))
		tx.send = igb_loop_back;
	else if (igb_has_pools(g) && (g->s.dtxswc & DTXSWC_LOOPBACK))
		tx.send = igb_switch_frames;
	uint64_t before = octets_sent(g), faults = nic->counters.bad_access;
	intel_transmit(&tx, &result);
	if (nic->counters.bad_access != faults && !intel_ring_reachable(nic, &q->ring))
		intel_driver_fault(nic, &g->driver);
	if (result.frames) {
		intel_stats_add64(&g->s.stats, R_HGOTC, octets_sent(g) - before);
		intel_stats_add(&g->s.stats, R_HGPTC, result.frames);
		intel_driver_served(nic, &g->driver, g->s.rctl & RCTL_EN);
	}
	if (result.report) {
		const struct intel_causes c = { .tx = BIT(queue), .given = result.given };
		intel_irq_raise(nic, &g->s.irq, &c);
	}
	return result.more;
}

void igb_tx_kick_all(struct igb *g)
{
	for (unsigned i = 0; i < IGB_QUEUES; i++)
		if (queue_on(g, i) && g->s.tx[i].ring.head != g->s.tx[i].ring.tail)
			nic_kick(&g->nic, i);
}

void igb_tdt_written(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		     uint32_t old)
{
	(void)row, (void)value, (void)old;
	nic_kick(nic_of(dev), index);
}

void igb_txdctl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row;
	if (value & ~old & DCTL_ENABLE) {
		g->s.tx[index].ring.head = 0;
		g->s.tx[index].contexts = (struct intel_tx_queue){ 0 };
		nic_kick(&g->nic, index);
	}
	igb_note(g);
}

void igb_tctl_written(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		      uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)index;
	g->flow.wanted |= (value & TCTL_SWXOFF) != 0;
	if (g->flow.wanted)
		nic_kick(&g->nic, 0);
	if (value & ~old & TCTL_EN)
		igb_tx_kick_all(g);
	igb_note(g);
}
