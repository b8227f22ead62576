/* irq.c - from causes to interrupts (82574 datasheet 7.4, 10.2.4).
 *
 * With MSI-X five causes have a vector each (IVAR): two receive queues, two transmit queues, and all the rest ("other"). A message
 * clears its causes (EIAC) and closes their mask (EIAME, IAM), so that a driver needs no register read. Else there is one interrupt,
 * by MSI or the line, and reading ICR clears and masks (IAME).
 * ITR and EITR keep messages apart; RDTR, RADV, TIDV and TADV hold causes back, but not with MSI-X: there EITR does that work, and a
 * message that says "sent" and nothing else waits a few of its intervals for company (nic/intel/moderation.h).
 */
#include <string.h>

#include "nic/e1000e/e1000e.h"

#define ITR_UNIT_NS   256u
#define DELAY_UNIT_NS 1024u
#define THROTTLE_ITR  E1000E_VECTORS

static bool vectored(const struct e1000e *e)
{
	return pci_irq_mode(&e->nic.pci) == IRQ_MSIX;
}

static bool pass(struct e1000e *e, unsigned which, uint32_t interval)
{
	struct intel_throttle *t = &e->throttle[which];

	if (intel_throttle_pass(t, nic_now(&e->nic), (uint64_t)(interval & 0xffff) * ITR_UNIT_NS))
		return true;
	e->irq_due_ns = intel_earlier(e->irq_due_ns, t->next_ns);
	return false;
}

/* --- MSI-X --- */

/* The vectored causes that lead to a vector. */
static uint32_t causes_of(const struct e1000e *e, unsigned vector)
{
	uint32_t causes = 0;

	for (unsigned i = 0; i < E1000E_VECTORS; i++)
		if ((e->s.ivar >> (IVAR_STEP * i) & 15) == (IVAR_ON | vector))
			causes |= 1u << (INT_FIRST + i);
	return causes;
}

/* "Sent", of a descriptor that allows a delay, and no other cause: it may wait for more. */
static bool waits_for_company(struct e1000e *e, unsigned v, uint32_t causes)
{
	struct intel_company *c = &e->company[v];
	uint64_t interval = (uint64_t)(e->s.eitr[v] & 0xffff) * ITR_UNIT_NS;

	if ((causes & ~(INT_TXQ0 | INT_TXQ1)) || (causes & e->pressing) ||
	    intel_company_pass(c, nic_now(&e->nic), interval))
		return false;
	e->irq_due_ns = intel_earlier(e->irq_due_ns, c->due_ns);
	return true;
}

static void send_vector(struct e1000e *e, unsigned vector, uint32_t causes)
{
	pci_msix_raise(&e->nic.pci, vector);
	intel_stats_add(&e->s.stats, STAT_IAC, 1);
	e->told |= causes;
	e->pressing &= ~causes;
	e->company[vector] = (struct intel_company){ 0 };
	e->s.icr &= ~(causes & e->s.eiac);
	if (e->s.ctrl_ext & CTRL_EXT_EIAME)
		e->s.ims &= ~(causes & e->s.iam);
}

static void send_vectors(struct e1000e *e)
{
	uint32_t other = e->s.icr & e->s.ims & INT_OF_OTHER;

	if (other & ~e->told)
		e->s.icr |= INT_OTHER;
	e->told = (e->told & e->s.icr & e->s.ims) | other;
	e->pressing &= e->s.icr;
	uint32_t fresh = e->s.icr & e->s.ims & INT_VECTORED & ~e->told;
	for (unsigned v = 0; fresh && v < E1000E_VECTORS; v++) {
		uint32_t causes = fresh & causes_of(e, v);
		if (causes && !waits_for_company(e, v, causes) && pass(e, v, e->s.eitr[v]))
			send_vector(e, v, causes);
	}
	e->told &= e->s.icr & e->s.ims;
	pci_intx_set(&e->nic.pci, false);
}

/* --- MSI and the line --- */

static void send_single(struct e1000e *e)
{
	uint32_t pending = e->s.icr & e->s.ims;

	e->told &= pending;
	if (!pending)
		pci_intx_set(&e->nic.pci, false);
	if (!(pending & ~e->told))
		return;
	/* a line that is up says all that there is to say */
	bool up = e->nic.pci.intx_level && pci_irq_mode(&e->nic.pci) == IRQ_INTX;
	if (!up && !pass(e, THROTTLE_ITR, e->s.itr))
		return;
	e->told = pending;
	intel_stats_add(&e->s.stats, STAT_IAC, 1);
	pci_intx_set(&e->nic.pci, true);
	pci_msi_raise(&e->nic.pci, 0);
}

void e1000e_evaluate(struct e1000e *e)
{
	e->irq_due_ns = 0;
	if (vectored(e))
		send_vectors(e);
	else
		send_single(e);
	e1000e_arm(e);
}

void e1000e_raise(struct e1000e *e, uint32_t causes)
{
	e->s.icr |= causes & INT_ALL;
	e->pressing |= causes & (INT_TXQ0 | INT_TXQ1);
	e1000e_evaluate(e);
}

/* --- causes that wait for company --- */

void e1000e_flush_delay(struct e1000e *e, struct e1000e_delay *d)
{
	uint32_t causes = d->causes;

	*d = (struct e1000e_delay){ 0 };
	if (causes)
		e1000e_raise(e, causes);
}

/* `after` counts from the last event, `latest` (0 = no such bound) from the first. */
static void hold(struct e1000e *e, struct e1000e_delay *d, uint32_t causes, uint32_t after,
		 uint32_t latest)
{
	uint64_t now = nic_now(&e->nic);

	if (!d->causes)
		d->last_ns =
			latest & 0xffff ? now + (uint64_t)(latest & 0xffff) * DELAY_UNIT_NS : 0;
	d->causes |= causes;
	d->due_ns = intel_earlier(now + (uint64_t)(after & 0xffff) * DELAY_UNIT_NS, d->last_ns);
	e1000e_arm(e);
}

void e1000e_raise_received(struct e1000e *e, uint32_t queues, uint32_t more)
{
	uint32_t causes = queues ? INT_RXT0 | queues * INT_RXQ0 : 0;

	if (!causes || more || vectored(e) || !(e->s.rdtr & 0xffff)) {
		e->s.icr |= e->rx_delay.causes;
		e->rx_delay = (struct e1000e_delay){ 0 };
		e1000e_raise(e, causes | more);
		return;
	}
	hold(e, &e->rx_delay, causes, e->s.rdtr, e->s.radv);
}

/* With vectors. */
static void raise_with_company(struct e1000e *e, unsigned queue, uint32_t causes, uint32_t given)
{
	unsigned entry = e->s.ivar >> (IVAR_STEP * (2 + queue)) & 15;
	unsigned vector = entry & ~IVAR_ON;

	if ((entry & IVAR_ON) && vector < E1000E_VECTORS)
		intel_company_add(&e->company[vector], given);
	e->s.icr |= causes;
	e1000e_evaluate(e);
}

void e1000e_raise_sent(struct e1000e *e, unsigned queue, uint32_t more,
		       const struct intel_tx_result *result)
{
	uint32_t causes = INT_TXDW | INT_TXQ0 << queue;

	if (vectored(e) && !result->at_once) {
		raise_with_company(e, queue, causes | more, result->given);
		return;
	}
	if (result->at_once || !(e->s.tidv & 0xffff)) {
		e1000e_raise(e, causes | more);
		return;
	}
	if (more & e->s.ims)
		e1000e_raise(e, more);
	else
		e->s.icr |= more;
	hold(e, &e->tx_delay, causes, e->s.tidv, e->s.tadv);
}

void e1000e_irq_timer(struct e1000e *e)
{
	uint64_t now = nic_now(&e->nic);

	if (e->rx_delay.causes && now >= e->rx_delay.due_ns)
		e1000e_flush_delay(e, &e->rx_delay);
	if (e->tx_delay.causes && now >= e->tx_delay.due_ns)
		e1000e_flush_delay(e, &e->tx_delay);
	if (e->irq_due_ns && now >= e->irq_due_ns)
		e1000e_evaluate(e);
}

void e1000e_irq_reset(struct e1000e *e)
{
	e->told = 0;
	e->pressing = 0;
	memset(e->throttle, 0, sizeof(e->throttle));
	memset(e->company, 0, sizeof(e->company));
	e->rx_delay = e->tx_delay = (struct e1000e_delay){ 0 };
	e1000e_evaluate(e);
}

/* --- registers --- */

static uint32_t icr_value(const struct e1000e *e)
{
	return e->s.icr | (e->s.icr & e->s.ims ? INT_ASSERTED : 0);
}

static void mask(struct e1000e *e, uint32_t ims)
{
	bool moved = !ims != !e->s.ims;

	e->s.ims = ims & INT_ALL;
	if (moved)
		e1000e_note(e);
}

/* Cleared when an interrupt was asserted, or nobody asked for one; else nothing happens (10.2.4.1). */
uint32_t e1000e_icr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct e1000e *e = e1000e_of_pci(dev);
	uint32_t value = icr_value(e);

	(void)row, (void)index;
	if ((value & INT_ASSERTED) || e->s.ims == 0)
		e->s.icr = 0;
	if ((value & INT_ASSERTED) && (e->s.ctrl_ext & CTRL_EXT_IAME))
		mask(e, e->s.ims & ~e->s.iam);
	intel_driver_served(&e->nic, &e->driver, e->s.rctl & RCTL_EN);
	e1000e_evaluate(e);
	return value;
}

void e1000e_icr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct e1000e *e = e1000e_of_pci(dev);

	(void)row, (void)index, (void)value;
	if ((old & e->s.ims) && (e->s.ctrl_ext & CTRL_EXT_IAME))
		mask(e, e->s.ims & ~e->s.iam);
	e1000e_evaluate(e);
}

uint32_t e1000e_ics_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return icr_value(e1000e_of_pci(dev));
}

void e1000e_ics_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	e1000e_raise(e1000e_of_pci(dev), value);
}

void e1000e_ims_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct e1000e *e = e1000e_of_pci(dev);

	(void)row, (void)index, (void)old;
	mask(e, e->s.ims | value);
	e1000e_evaluate(e);
}

void e1000e_imc_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct e1000e *e = e1000e_of_pci(dev);

	(void)row, (void)index, (void)old;
	mask(e, e->s.ims & ~value);
	e1000e_evaluate(e);
}
