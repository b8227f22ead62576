/* tx.c - frames from the guest: what intel/tx.c leaves to this card. */
#include "nic/e1000/e1000.h"

#define LWTHRESH_UNIT 8u /* descriptors (manual 13.4.45) */

static unsigned to_nowhere(struct nic *nic, struct frame *frames, unsigned n)
{
	(void)frames;
	nic->counters.drop[DROP_LINK_DOWN] += n;
	return n;
}

static unsigned back_to_us(struct nic *nic, struct frame *frames, unsigned n)
{
	return intel_loop_back(nic, frames, n, e1000_receive_looped);
}

/* Where frames go now; NULL: to the wire. */
static unsigned (*destination(const struct e1000 *e))(struct nic *, struct frame *, unsigned)
{
	if (e1000_loops(e))
		return back_to_us;
	return e->link_up ? NULL : to_nowhere;
}

static bool may_send(struct e1000 *e)
{
	return (e->s.tctl & TCTL_EN) && !e->nic.stopped && pci_bus_master(&e->nic.pci);
}

/* A ring that cannot even be read: the driver programmed nonsense. */
static void check_ring(struct e1000 *e, uint64_t bad_before)
{
	if (e->nic.counters.bad_access != bad_before && !intel_ring_reachable(&e->nic, &e->s.tx))
		intel_driver_fault(&e->nic, &e->driver);
}

/* Descriptors left, in units of LWTHRESH, crossed its mark (manual 3.4.3.2). */
static bool ran_low(const struct e1000 *e, uint32_t before)
{
	struct intel_ring_view ring;
	uint32_t mark = (e->s.tx.ctl >> TXDCTL_LWTHRESH_SHIFT) * LWTHRESH_UNIT;

	if (!mark || !intel_ring_open((struct nic *)&e->nic, &e->s.tx, INTEL_DESC_SIZE, &ring))
		return false;
	uint32_t left = intel_ring_owned(&ring, ring.head);
	return left <= mark && intel_ring_owned(&ring, before) > mark;
}

static void tell(struct e1000 *e, const struct intel_tx_result *r, uint32_t head_before)
{
	uint32_t causes = 0;

	if (r->empty)
		causes |= INT_TXQE;
	if (ran_low(e, head_before))
		causes |= INT_TXD_LOW;
	if (causes)
		e1000_raise(e, causes);
	if (r->report)
		e1000_sent(e, r->at_once);
	if (r->frames)
		e1000_served(e);
}

void e1000_flow_card(struct e1000 *e, struct intel_flow_card *out)
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
		.speed = e->speed,
		.queues = 1,
	};
}

/* By the driver's own wish (TCTL.SWXOFF; manual 13.4.33). */
static void send_pause(struct e1000 *e)
{
	struct intel_flow_card card;

	e1000_flow_card(e, &card);
	intel_flow_send(&e->nic, &e->flow, &card, e->link_up && !e1000_loops(e));
}

bool e1000_transmit(struct nic *nic, unsigned queue)
{
	struct e1000 *e = e1000_of(nic);
	uint64_t bad_before = nic->counters.bad_access;
	uint32_t head = e->s.tx.head;
	struct intel_tx_result result;

	if (queue != 0 || !may_send(e))
		return false;
	if (e->flow.wanted)
		send_pause(e);
	if (head == e->s.tx.tail || e->flow.until_ns)
		return false;
	struct intel_tx tx = {
		.nic = nic,
		.ring = &e->s.tx,
		.queue = &e->txq,
		.decode = intel_txd_decode_basic,
		.stats = &e->s.stats,
		.vlan_type = e->s.ctrl & CTRL_VME ? (uint16_t)e->s.vet : 0,
		.pad = e->s.tctl & TCTL_PSP,
		.send = destination(e),
	};
	intel_transmit(&tx, &result);
	e->tx_blocked = !result.more && e->s.tx.head != e->s.tx.tail;
	if (result.bad || nic->counters.bad_access != bad_before)
		check_ring(e, bad_before);
	if (e->s.tx.head != head)
		tell(e, &result, head);
	return result.more;
}
