/* status.c - what the guest's driver is doing. Linux keeps DRV_LOAD while its interface is down, so the queues tell that. */
#include "nic/igb/igb.h"

void igb_card_state(const struct igb *g, struct intel_card_state *out)
{
	*out = (struct intel_card_state){
		.irq_on = intel_irq_open(&g->s.irq),
		.has_drv_load = true,
		.vf_ready = true,
		.rctl = g->s.rctl,
		.mask = g->s.irq.eims | g->s.irq.ims,
		.stopped = "driver loaded, interface down",
	};
	for (unsigned i = 0; i < IGB_QUEUES; i++) {
		const struct intel_ring *rx = &g->s.rx[i].ring, *tx = &g->s.tx[i].ring;
		out->tx_on |= (g->s.tctl & TCTL_EN) && (tx->ctl & DCTL_ENABLE);
		if (!igb_rx_on(g, i))
			continue;
		out->rx_on = true;
		out->rx_ring |= intel_ring_set(rx);
		out->rx_buffers |= intel_ring_set(rx) && rx->head != rx->tail;
	}
}

void igb_note(struct igb *g)
{
	struct intel_card_state c;

	igb_card_state(g, &c);
	intel_driver_note(&g->nic, &g->driver, &c);
}

void igb_judge(const struct nic *nic, struct driver_report *out)
{
	const struct igb *g = (const struct igb *)nic;
	struct intel_driver d = g->driver;
	struct intel_card_state c;

	igb_card_state(g, &c);
	/* masks and ICR are shared rows: what they tell is looked at here */
	d.irq_used |= c.rx_on && c.irq_on;
	d.served |= c.rx_on && g->s.irq.looked;
	intel_driver_judge(nic, &d, &c, out);
}
