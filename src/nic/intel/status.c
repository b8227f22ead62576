#include "nic/intel/status.h"

#include <string.h>

#define RESET_LOOP_NS (60 * NS_PER_S)

void intel_driver_load_bit(struct nic *nic, struct intel_driver *d, bool set)
{
	if (d->drv_load != set)
		nic->notes.status_dirty = true;
	d->drv_load = set;
	d->drv_load_seen |= set;
}

void intel_driver_reset(struct nic *nic, struct intel_driver *d, bool running)
{
	nic->status.resets++;
	nic->notes.status_dirty = true;
	d->given = d->served = d->sending = d->failed_dma = false;
	d->told = 0;
	if (!running)
		return;
	memmove(d->reset_ns + 1, d->reset_ns, sizeof(d->reset_ns) - sizeof(d->reset_ns[0]));
	d->reset_ns[0] = MAX(nic_now(nic), 1); /* 0 means never */
}

void intel_driver_note(struct nic *nic, struct intel_driver *d, const struct intel_card_state *c)
{
	if (!c->rx_on)
		d->given = d->served = d->sending = false;
	d->given |= c->rx_on && c->rx_buffers;
	d->sending |= c->rx_on && c->tx_on;
	d->irq_used |= c->rx_on && c->irq_on;
	d->was_running |= c->rx_on || c->tx_on;

	/* a mask that opens and closes at each interrupt moves nothing here */
	const bool seen[] = { c->rx_on,	   c->tx_on,	   c->rx_ring, c->vf_ready, d->given,
			      d->irq_used, d->was_running, d->sending, true };
	unsigned told = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(seen); i++)
		told |= (unsigned)seen[i] << i;
	if (told != d->told)
		nic->notes.status_dirty = true;
	d->told = (uint16_t)told;
}

void intel_driver_served(struct nic *nic, struct intel_driver *d, bool rx_on)
{
	if (d->served || !rx_on)
		return;
	d->served = true;
	nic->notes.status_dirty = true;
}

void intel_driver_fault(struct nic *nic, struct intel_driver *d)
{
	if (!d->failed_dma)
		nic->notes.status_dirty = true;
	d->failed_dma = true;
}

void intel_driver_clear(struct intel_driver *d)
{
	*d = (struct intel_driver){ 0 };
}

static bool resets_loop(const struct nic *nic, const struct intel_driver *d)
{
	uint64_t oldest = d->reset_ns[INTEL_RESETS_KEPT - 1];

	return oldest && nic_now(nic) - oldest < RESET_LOOP_NS;
}

static bool is_os(const struct nic *nic, const struct intel_driver *d)
{
	return d->drv_load || d->drv_load_seen || d->irq_used ||
	       pci_irq_mode(&nic->pci) != IRQ_INTX;
}

/* What is still missing before a frame can be received, or NULL. */
static const char *missing(const struct intel_driver *d, const struct intel_card_state *c)
{
	if (!c->vf_ready)
		return "VF_RESET has not been acknowledged";
	/* the transmitter is another matter: Linux e1000 and e1000e switch it on when the link is up, which waits for this */
	if (!c->rx_on) {
		if (d->drv_load)
			return c->stopped ? c->stopped : "driver loaded, interface down";
		return d->was_running ? "driver stopped the card (receiver off)"
				      : "the receiver is off";
	}
	if (c->tx_stops_first && d->sending && !c->tx_on)
		return "driver stopped the transmitter, as it does before it closes the card";
	if (!c->rx_ring)
		return "no receive ring (base or length is 0)";
	if (!d->given)
		return "no receive buffer given";
	/* drivers that mask interrupts inside their handler are no less at work: these are latches */
	if (!d->drv_load && !d->irq_used && !d->served)
		return "set up, but nobody asked for interrupts or polls yet";
	return NULL;
}

void intel_driver_judge(const struct nic *nic, const struct intel_driver *d,
			const struct intel_card_state *c, struct driver_report *out)
{
	bool os = is_os(nic, d);

	if (!pci_bus_master(&nic->pci)) {
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN, "bus mastering is off");
		return;
	}
	if (resets_loop(nic, d)) {
		report_set(out, DRIVER_FAILED, os ? PHASE_OS : PHASE_UNKNOWN,
			   "driver reset the running card %u times within a minute",
			   INTEL_RESETS_KEPT);
		return;
	}
	if (d->failed_dma && (c->rx_on || c->tx_on)) {
		report_set(out, DRIVER_FAILED, os ? PHASE_OS : PHASE_UNKNOWN,
			   "a descriptor ring lies outside guest memory");
		return;
	}
	const char *what = missing(d, c);
	if (what) {
		/* a phase on its way to ready would be told twice */
		report_set(out, DRIVER_INITIALIZING, os ? PHASE_OS : PHASE_UNKNOWN, "%s", what);
		return;
	}
	report_set(out, DRIVER_READY, os ? PHASE_OS : PHASE_FIRMWARE, "RCTL %08x, mask %08x%s%s",
		   c->rctl, c->mask,
		   d->drv_load	     ? ", DRV_LOAD set"
		   : c->has_drv_load ? ", no DRV_LOAD"
				     : "",
		   os ? "" : ", driver polls");
}

void intel_driver_save(const struct intel_driver *d, uint64_t now, struct buffer *out)
{
	const bool latch[] = { d->drv_load, d->drv_load_seen, d->irq_used,  d->was_running,
			       d->given,    d->served,	      d->failed_dma };

	for (unsigned i = 0; i < ARRAY_SIZE(latch); i++)
		buffer_put_u8(out, latch[i]);
	for (unsigned i = 0; i < INTEL_RESETS_KEPT; i++)
		buffer_put_u64(out, d->reset_ns[i] ? now - d->reset_ns[i] : UINT64_MAX);
}

void intel_driver_load(struct intel_driver *d, uint64_t now, struct reader *in)
{
	bool *const latch[] = { &d->drv_load, &d->drv_load_seen, &d->irq_used,	&d->was_running,
				&d->given,    &d->served,	 &d->failed_dma };

	for (unsigned i = 0; i < ARRAY_SIZE(latch); i++)
		*latch[i] = reader_u8(in) & 1;
	for (unsigned i = 0; i < INTEL_RESETS_KEPT; i++) {
		uint64_t age = reader_u64(in);
		d->reset_ns[i] = age == UINT64_MAX ? 0 : age < now ? now - age : 1;
	}
	d->told = 0;
}
