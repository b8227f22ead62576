/* tx.c - from the guest's rings to the wire. */
#include "nic/igc/igc.h"

/* RCTL.LBM 1 (MAC), or the PHY's own loopback: nothing reaches the wire. */
static bool loops(const struct igc *c)
{
	return (c->s.rctl & RCTL_LBM) == BIT(6) || intel_phy_loops(&c->phy);
}

static unsigned loop_back(struct nic *nic, struct frame *frames, unsigned n)
{
	return intel_loop_back(nic, frames, n, igc_receive);
}

void igc_flow_card(struct igc *c, struct intel_flow_card *out)
{
	*out = (struct intel_flow_card){
		.ctrl = c->s.ctrl,
		.rctl = c->s.rctl,
		.fcal = c->s.fcal,
		.fcah = c->s.fcah,
		.fct = c->s.fct,
		.fcttv = c->s.fcttv,
		.own = &c->s.filter.ra[0],
		.stats = &c->s.stats,
		.speed = c->phy.speed,
		.queues = IGC_QUEUES,
	};
}

/* TCTL.SWXOFF */
static void send_pause(struct igc *c)
{
	struct intel_flow_card card;

	igc_flow_card(c, &card);
	intel_flow_send(&c->nic, &c->flow, &card, c->phy.link && !loops(c));
}

bool igc_transmit(struct nic *nic, unsigned queue)
{
	struct igc *c = igc_of(nic);
	struct intel_tx_result result;
	uint64_t bad = nic->counters.bad_access;

	if (queue >= IGC_QUEUES || !igc_tx_on(c, queue) || !igc_dma(c))
		return false;
	if (c->flow.wanted)
		send_pause(c);
	if (c->flow.until_ns || igc_gate_closed(c, queue))
		return false;
	struct igc_tx_queue *q = &c->s.tx[queue];
	struct intel_tx tx = {
		.nic = nic,
		.ring = &q->ring,
		.queue = &c->txq[queue],
		.decode = intel_txd_decode_advanced,
		.stats = &c->s.stats,
		.index = (uint16_t)queue,
		.vlan_type = (uint16_t)c->s.vet,
		.pad = c->s.tctl & TCTL_PSP,
		.head_only = q->wbal & 1,
		.head_at = (uint64_t)q->wbah << 32 | (q->wbal & ~3u),
		.send = loops(c) ? loop_back : NULL,
		.hold = igc_tsn_on(c) ? igc_hold_frame : NULL,
		.sent = igc_stamp_sent,
	};

	igc_launch_begin(c, queue);
	intel_transmit(&tx, &result);
	igc_launch_end(c, queue, result.frames);
	if (nic->counters.bad_access != bad)
		igc_check_ring(c, &q->ring);
	if (result.frames)
		intel_driver_served(nic, &c->driver, igc_rx_on(c));
	if (result.report) {
		const struct intel_causes causes = { .tx = BIT(queue), .given = result.given };
		intel_irq_raise(nic, &c->s.irq, &causes);
	}
	return result.more;
}
