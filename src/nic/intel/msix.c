#include "nic/intel/msix.h"

#include <string.h>

#define ITR_UNIT_NS 1000u /* EITR bits 14:2 are microseconds */

struct irq_facts {
	uint8_t vectors;
	bool vectors_only; /* virtual function: no ICR, EIAM always works */
	uint8_t high; /* queues from here on are in the upper half of an IVAR; 0: odd queues are */
};

static const struct irq_facts kinds[] = {
	[IRQ_82576] = { .vectors = 25, .high = 8 },
	[IRQ_I225] = { .vectors = 5 },
	[IRQ_82576_VF] = { .vectors = 3, .vectors_only = true },
};
_Static_assert(ARRAY_SIZE(kinds) == INTEL_IRQ_KIND_COUNT, "facts for each kind");

static const struct irq_facts *facts_of(const struct intel_irq *irq)
{
	return &kinds[irq->kind];
}

/* Each cause has a vector of its own. */
static bool multiple(const struct nic *nic, const struct intel_irq *irq)
{
	return facts_of(irq)->vectors_only ||
	       (pci_irq_mode(&nic->pci) == IRQ_MSIX && (irq->gpie & GPIE_MULTIPLE));
}

/* --- from causes to bits of EICR --- */

static uint32_t bit_of_entry(const struct irq_facts *f, uint32_t entry)
{
	unsigned vector = entry & 0x1f;

	return (entry & IVAR_VALID) && vector < f->vectors ? BIT(vector) : 0;
}

static uint32_t bit_of_queue(const struct intel_irq *irq, unsigned queue, bool tx)
{
	const struct irq_facts *f = facts_of(irq);
	unsigned index = f->high ? queue % f->high : queue / 2;
	unsigned shift = (f->high ? queue / f->high : queue % 2) * 16 + (tx ? 8 : 0);

	/* 82576 8.8.13; 82576 8.26.2.2 and I225 for pairs */
	if (index >= INTEL_IVARS_MAX || shift > 24)
		return 0;
	return bit_of_entry(f, irq->ivar[index] >> shift & 0xff);
}

static uint32_t bits_of_queues(const struct intel_irq *irq, uint32_t queues, bool tx)
{
	uint32_t bits = 0;

	for (; queues; queues &= queues - 1)
		bits |= bit_of_queue(irq, (unsigned)__builtin_ctz(queues), tx);
	return bits;
}

static uint32_t bit_of_other(const struct intel_irq *irq)
{
	const struct irq_facts *f = facts_of(irq);

	return bit_of_entry(f, irq->ivar_misc >> (f->vectors_only ? 0 : 8) & 0xff);
}

/* --- from bits to interrupts --- */

/* `bit`: of EICR. */
static bool pass(struct nic *nic, struct intel_irq *irq, unsigned vector, uint32_t bit,
		 bool at_once)
{
	uint64_t interval = (irq->eitr[vector] >> 2 & 0x1fff) * (uint64_t)ITR_UNIT_NS;
	struct intel_throttle *t = &irq->throttle[vector];
	struct intel_company *c = &irq->company[vector];
	uint64_t now = nic_now(nic);

	if (!(irq->pressing & bit) && !intel_company_pass(c, now, interval)) {
		nic_set_timer(nic, intel_earlier(nic->notes.deadline_ns, c->due_ns));
		return false;
	}
	if (!intel_throttle_pass(t, now, interval) && !at_once) {
		nic_set_timer(nic, intel_earlier(nic->notes.deadline_ns, t->next_ns));
		return false;
	}
	irq->pressing &= ~bit;
	*c = (struct intel_company){ 0 };
	return true;
}

static void count_sent(struct intel_irq *irq)
{
	irq->sent += irq->sent < UINT32_MAX;
}

static void send_vector(struct nic *nic, struct intel_irq *irq, unsigned vector)
{
	uint32_t bit = BIT(vector);

	count_sent(irq);
	pci_msix_raise(&nic->pci, vector);
	if (irq->eiac & bit)
		irq->eicr &= ~bit;
	else
		irq->ext_told |= bit;
	if (facts_of(irq)->vectors_only || (irq->gpie & GPIE_EIAME))
		irq->eims &= ~(irq->eiam & bit);
}

static void send_vectors(struct nic *nic, struct intel_irq *irq, uint32_t at_once)
{
	uint32_t other = irq->icr & irq->ims;

	if (other & ~irq->told) {
		irq->eicr |= bit_of_other(irq);
		irq->pressing |= bit_of_other(irq);
	}
	irq->told = other;
	irq->ext_told &= irq->eicr & irq->eims;
	irq->pressing &= irq->eicr;
	uint32_t fresh = irq->eicr & irq->eims & ~irq->ext_told & (BIT(facts_of(irq)->vectors) - 1);
	for (; fresh; fresh &= fresh - 1) {
		unsigned vector = (unsigned)__builtin_ctz(fresh);
		if (pass(nic, irq, vector, BIT(vector), at_once & BIT(vector)))
			send_vector(nic, irq, vector);
	}
	pci_intx_set(&nic->pci, false);
}

static void send_single(struct nic *nic, struct intel_irq *irq, bool at_once)
{
	uint32_t icr = irq->icr & irq->ims;

	irq->eicr = icr ? irq->eicr | EICR_OTHER : irq->eicr & ~EICR_OTHER;
	uint32_t ext = irq->eicr & irq->eims;
	irq->told &= icr;
	irq->ext_told &= ext;
	if (!icr && !ext) {
		irq->pressing = 0;
		pci_intx_set(&nic->pci, false);
		return;
	}
	if (!(icr & ~irq->told) && !(ext & ~irq->ext_told))
		return;
	/* a line that is up says all that there is to say */
	bool up = nic->pci.intx_level && pci_irq_mode(&nic->pci) == IRQ_INTX;
	if (!up && !pass(nic, irq, 0, EICR_OTHER, at_once))
		return;
	irq->told = icr;
	irq->ext_told = ext;
	count_sent(irq);
	/* the line follows in the other modes too: a driver may leave them with a cause still there */
	pci_intx_set(&nic->pci, true);
	pci_msi_raise(&nic->pci, 0);
	pci_msix_raise(&nic->pci, 0);
}

static void evaluate(struct nic *nic, struct intel_irq *irq, uint32_t at_once)
{
	if (multiple(nic, irq))
		send_vectors(nic, irq, at_once);
	else
		send_single(nic, irq, at_once);
}

static void note_company(struct intel_irq *irq, uint32_t vectors, uint32_t given)
{
	for (; vectors; vectors &= vectors - 1)
		intel_company_add(&irq->company[__builtin_ctz(vectors)], given);
}

void intel_irq_raise(struct nic *nic, struct intel_irq *irq, const struct intel_causes *c)
{
	uint32_t rx = bits_of_queues(irq, c->rx, false), tx = bits_of_queues(irq, c->tx, true);

	if (!facts_of(irq)->vectors_only)
		irq->icr |= (c->other & ~INT_ASSERTED) | (c->rx ? INT_RXT0 : 0) |
			    (c->tx ? INT_TXDW : 0);
	else if (c->other)
		rx |= bit_of_other(irq);
	irq->eicr |= rx | tx;
	irq->pressing |= rx | (c->rx || c->other ? EICR_OTHER : 0);
	/* the one interrupt of a card without a vector for each cause is vector 0's */
	note_company(irq, multiple(nic, irq) ? tx : BIT(0), c->tx ? c->given : 0);
	evaluate(nic, irq, c->at_once ? bits_of_queues(irq, c->at_once, false) | EICR_OTHER : 0);
}

uint64_t intel_irq_timer(struct nic *nic, struct intel_irq *irq)
{
	uint64_t before = nic->notes.deadline_ns, due;

	nic_set_timer(nic, 0);
	evaluate(nic, irq, 0);
	due = nic->notes.deadline_ns;
	nic_set_timer(nic, before);
	return due;
}

void intel_irq_reset(struct nic *nic, struct intel_irq *irq, enum intel_irq_kind kind)
{
	*irq = (struct intel_irq){ .kind = (uint8_t)kind };
	pci_intx_set(&nic->pci, false);
}

void intel_irq_loaded(struct nic *nic, struct intel_irq *irq)
{
	irq->told = irq->ext_told = 0;
	irq->pressing = ~0u;
	memset(irq->throttle, 0, sizeof(irq->throttle));
	memset(irq->company, 0, sizeof(irq->company));
	evaluate(nic, irq, 0);
}

/* --- registers --- */

/* The struct around the member that a row points to. */
#define IRQ_OF(dev, row, member)                                                                   \
	((struct intel_irq *)(void *)((uint8_t *)(dev)->state + (row)->state - 1 -                 \
				      offsetof(struct intel_irq, member)))

static uint32_t icr_value(const struct intel_irq *irq)
{
	return irq->icr | (irq->icr & irq->ims ? INT_ASSERTED : 0);
}

/* Cleared and auto-masked when an interrupt was asserted, or nobody asked for one, or GPIE.NSICR says always (8.8.9). */
uint32_t intel_irq_icr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct intel_irq *irq = IRQ_OF(dev, row, icr);
	uint32_t value = icr_value(irq);

	(void)index;
	if (!irq->looked)
		nic_of(dev)->notes.status_dirty = true;
	irq->looked = true;
	if ((irq->gpie & GPIE_NSICR) || (value & INT_ASSERTED) || irq->ims == 0)
		irq->icr = 0;
	if (value & INT_ASSERTED)
		irq->ims &= ~irq->iam;
	evaluate(nic_of(dev), irq, 0);
	return value;
}

void intel_irq_icr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct intel_irq *irq = IRQ_OF(dev, row, icr);

	(void)index, (void)value;
	if (old & irq->ims)
		irq->ims &= ~irq->iam;
	evaluate(nic_of(dev), irq, 0);
}

uint32_t intel_irq_ics_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)index;
	return icr_value(IRQ_OF(dev, row, icr));
}

void intel_irq_ics_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct intel_irq *irq = IRQ_OF(dev, row, icr);

	(void)index, (void)old;
	irq->icr |= value & ~INT_ASSERTED;
	irq->pressing |= EICR_OTHER;
	evaluate(nic_of(dev), irq, 0);
}

void intel_irq_ims_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct intel_irq *irq = IRQ_OF(dev, row, ims);

	(void)index, (void)old;
	irq->ims |= value & ~INT_ASSERTED;
	nic_of(dev)->notes.status_dirty = true;
	evaluate(nic_of(dev), irq, 0);
}

void intel_irq_imc_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct intel_irq *irq = IRQ_OF(dev, row, ims);

	(void)index, (void)old;
	irq->ims &= ~value;
	nic_of(dev)->notes.status_dirty = true;
	evaluate(nic_of(dev), irq, 0);
}

/* Without a vector for each cause, reading clears and auto-masks; with them, messages do that (8.8.1, 8.8.6). */
uint32_t intel_irq_eicr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct intel_irq *irq = IRQ_OF(dev, row, eicr);
	uint32_t value = irq->eicr;

	(void)index;
	irq->eicr = 0;
	if (!multiple(nic_of(dev), irq))
		irq->eims &= ~(irq->eiam & value);
	evaluate(nic_of(dev), irq, 0);
	return value;
}

void intel_irq_eicr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)index, (void)value, (void)old;
	evaluate(nic_of(dev), IRQ_OF(dev, row, eicr), 0);
}

uint32_t intel_irq_eics_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)index;
	return IRQ_OF(dev, row, eicr)->eicr;
}

void intel_irq_eics_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct intel_irq *irq = IRQ_OF(dev, row, eicr);

	(void)index, (void)old;
	irq->eicr |= value & ~EICR_OTHER;
	irq->pressing |= value | EICR_OTHER;
	evaluate(nic_of(dev), irq, 0);
}

void intel_irq_eims_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct intel_irq *irq = IRQ_OF(dev, row, eims);

	(void)index;
	irq->eims |= value;
	if (!old)
		nic_of(dev)->notes.status_dirty = true;
	evaluate(nic_of(dev), irq, 0);
}

void intel_irq_eimc_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct intel_irq *irq = IRQ_OF(dev, row, eims);

	(void)index, (void)old;
	irq->eims &= ~value;
	nic_of(dev)->notes.status_dirty = true;
	evaluate(nic_of(dev), irq, 0);
}

void intel_irq_gpie_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)index, (void)value, (void)old;
	evaluate(nic_of(dev), IRQ_OF(dev, row, gpie), 0);
}
