/* irq.c - causes and when the guest is told of them (manual 3.2.7, 3.4.3, 13.4.17 to 13.4.21).
 *
 * Causes that need not be told at once wait first for the delays of their side (RDTR and RADV, TIDV and TADV); every cause waits for the
 * throttle (ITR), which keeps a distance between two interrupts. An interrupt of any kind takes along what waits for a delay, and so does
 * a read of ICR, for the driver is looking at its rings anyway.
 */
#include "nic/e1000/e1000.h"

static void drop_line(struct e1000 *e)
{
	e->asserted = false;
	e->t.irq_ns = 0;
	pci_intx_set(&e->nic.pci, false);
}

/* Causes that wait for a delay become causes now. */
static uint32_t take_delayed(struct e1000 *e)
{
	uint32_t causes = 0;

	if (e->t.rx_packet_ns || e->t.rx_absolute_ns)
		causes |= INT_RXT0;
	if (e->t.tx_packet_ns || e->t.tx_absolute_ns)
		causes |= INT_TXDW;
	e->t.rx_packet_ns = e->t.rx_absolute_ns = 0;
	e->t.tx_packet_ns = e->t.tx_absolute_ns = 0;
	return causes;
}

void e1000_update_irq(struct e1000 *e)
{
	if (!(e->s.icr & e->s.ims)) {
		drop_line(e);
	} else if (!e->asserted) {
		if (intel_throttle_pass(&e->throttle, nic_now(&e->nic), e->s.itr * ITR_UNIT)) {
			e->s.icr |= take_delayed(e);
			e->asserted = true;
			e->t.irq_ns = 0;
			if (pci_irq_mode(&e->nic.pci) == IRQ_MSI)
				pci_msi_raise(&e->nic.pci, 0);
			else
				pci_intx_set(&e->nic.pci, true);
		} else {
			e->t.irq_ns = e->throttle.next_ns;
		}
	}
	e1000_arm(e);
}

void e1000_raise(struct e1000 *e, uint32_t causes)
{
	e->s.icr |= causes;
	e1000_update_irq(e);
}

/* Reading ICR: all causes there are, and none is left (manual 13.4.17). */
uint32_t e1000_take_causes(struct e1000 *e)
{
	uint32_t causes = e->s.icr | take_delayed(e);

	e->s.icr = 0;
	e1000_update_irq(e);
	return causes;
}

void e1000_received(struct e1000 *e)
{
	uint64_t now = nic_now(&e->nic);

	if (!e->s.rdtr) { /* RADV has no meaning then (manual 13.4.30) */
		e1000_raise(e, INT_RXT0);
		return;
	}
	e->t.rx_packet_ns = now + e->s.rdtr * DELAY_UNIT;
	if (e->s.radv && !e->t.rx_absolute_ns)
		e->t.rx_absolute_ns = now + e->s.radv * DELAY_UNIT;
	e1000_arm(e);
}

void e1000_sent(struct e1000 *e, bool at_once)
{
	uint64_t now = nic_now(&e->nic);

	if (at_once || !e->s.tidv) {
		e->t.tx_packet_ns = e->t.tx_absolute_ns = 0;
		e1000_raise(e, INT_TXDW);
		return;
	}
	e->t.tx_packet_ns = now + e->s.tidv * DELAY_UNIT;
	if (e->s.tadv && !e->t.tx_absolute_ns)
		e->t.tx_absolute_ns = now + e->s.tadv * DELAY_UNIT;
	e1000_arm(e);
}

void e1000_flush_rx(struct e1000 *e)
{
	if (!e->t.rx_packet_ns && !e->t.rx_absolute_ns)
		return;
	e->t.rx_packet_ns = e->t.rx_absolute_ns = 0;
	e1000_raise(e, INT_RXT0);
}

void e1000_flush_tx(struct e1000 *e)
{
	if (!e->t.tx_packet_ns && !e->t.tx_absolute_ns)
		return;
	e->t.tx_packet_ns = e->t.tx_absolute_ns = 0;
	e1000_raise(e, INT_TXDW);
}

uint64_t e1000_irq_deadline(const struct e1000 *e)
{
	const struct e1000_timers *t = &e->t;
	uint64_t rx = intel_earlier(t->rx_packet_ns, t->rx_absolute_ns);
	uint64_t tx = intel_earlier(t->tx_packet_ns, t->tx_absolute_ns);

	return intel_earlier(t->irq_ns, intel_earlier(rx, tx));
}

static bool due(uint64_t deadline, uint64_t now)
{
	return deadline && now >= deadline;
}

void e1000_irq_time(struct e1000 *e, uint64_t now)
{
	struct e1000_timers *t = &e->t;

	if (due(t->rx_packet_ns, now) || due(t->rx_absolute_ns, now))
		e1000_flush_rx(e);
	if (due(t->tx_packet_ns, now) || due(t->tx_absolute_ns, now))
		e1000_flush_tx(e);
	if (due(t->irq_ns, now))
		e1000_update_irq(e);
}

void e1000_irq_reset(struct e1000 *e)
{
	e->t = (struct e1000_timers){ 0 };
	e->throttle = (struct intel_throttle){ 0 };
	drop_line(e);
}
