/* tx.c - transmit: what the queue registers and the loopback modes make of the family's walk. */
#include "nic/e1000e/e1000e.h"

/* MAC loopback, or the PHY's own (82574 datasheet 10.2.5.1; 802.3 22.2.4.1.2). */
static bool loops_back(const struct e1000e *e)
{
	return (e->s.rctl & RCTL_LBM) || intel_phy_loops(&e->phy);
}

/* Frames that stay inside take the way of received ones; no code of the guest's runs in between. */
static unsigned send_inside(struct nic *nic, struct frame *frames, unsigned n)
{
	struct e1000e *e = e1000e_of(nic);

	e->looping = true;
	unsigned taken = intel_loop_back(nic, frames, n, e1000e_receive);
	e->looping = false;
	return taken;
}

static void sent(struct nic *nic, const struct intel_tx_frame *t)
{
	struct e1000e *e = e1000e_of(nic);
	uint64_t time = intel_ptp_clock_read(&e->s.clock, nic_now(nic));

	(void)t;
	intel_stamp_take(&e->s.tx_stamp, (uint32_t)time, (uint32_t)(time >> 32));
}

void e1000e_flow_card(struct e1000e *e, struct intel_flow_card *out)
{
	*out = (struct intel_flow_card){
		.ctrl = e->s.ctrl,
		.rctl = e->s.rctl,
		.fcal = e->s.fcal,
		.fcah = e->s.fcah,
		.fct = e->s.fct,
		.fcttv = e->s.fcttv,
		.own = &e->s.filter.ra[0],
		.stats = &e->s.stats,
		.speed = e->phy.speed,
		.queues = E1000E_QUEUES,
	};
}

/* TCTL.SWXOFF */
static void send_pause(struct e1000e *e)
{
	struct intel_flow_card card;

	e1000e_flow_card(e, &card);
	intel_flow_send(&e->nic, &e->flow, &card, e->phy.link && !loops_back(e));
}

bool e1000e_transmit(struct nic *nic, unsigned queue)
{
	struct e1000e *e = e1000e_of(nic);
	uint64_t bad = nic->counters.bad_access;
	struct intel_tx_result result;

	if (queue >= E1000E_QUEUES || nic->stopped || !pci_bus_master(&nic->pci) ||
	    !(e->s.tctl & TCTL_EN))
		return false;
	if (e->flow.wanted)
		send_pause(e);
	if (!(e->s.tarc[queue] & TARC_ENABLE) || e->flow.until_ns)
		return false;
	struct intel_tx tx = {
		.nic = nic,
		.ring = &e->s.tx[queue],
		.queue = &e->tx_queue[queue],
		.decode = intel_txd_decode_basic,
		.stats = &e->s.stats,
		.vlan_type = e->s.ctrl & CTRL_VME ? (uint16_t)e->s.vet : 0,
		.pad = e->s.tctl & TCTL_PSP,
		.send = loops_back(e) ? send_inside : NULL,
		.sent = sent,
	};
	intel_transmit(&tx, &result);
	if (nic->counters.bad_access != bad)
		e1000e_check_ring(e, tx.ring);
	uint32_t more = result.empty ? INT_TXQE : 0;
	if (result.report)
		e1000e_raise_sent(e, queue, more, &result);
	else if (more)
		e1000e_raise(e, more);
	return result.more;
}
