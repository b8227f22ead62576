/* status.c - what the guest's driver is doing, told from registers and latches. */
#include <string.h>

#include "nic/rtl8139/rtl8139.h"

/* More resets of a running card than this within a minute: the driver does not get it to work. */
#define RESET_LOOP    RESETS_KEPT
#define RESET_LOOP_NS (60 * NS_PER_S)

void rtl8139_note_reset(struct rtl8139 *r)
{
	memmove(r->reset_ns + 1, r->reset_ns, sizeof(r->reset_ns) - sizeof(r->reset_ns[0]));
	r->reset_ns[0] = MAX(nic_now(&r->nic), 1); /* 0 means never */
}

static bool resets_loop(const struct rtl8139 *r)
{
	uint64_t oldest = r->reset_ns[RESET_LOOP - 1];

	return oldest && nic_now(&r->nic) - oldest < RESET_LOOP_NS;
}

void rtl8139_note_service(struct rtl8139 *r, bool looks)
{
	bool irq = r->s.imr != 0;

	if (!(r->s.cr & CR_RE) || (!irq && !looks))
		return;
	if (!r->served || (irq && !r->irq_used))
		r->nic.notes.status_dirty = true;
	r->served = true;
	r->irq_used |= irq;
}

/* Set by a driver of an operating system: DVRLOAD (8139cp), or an interrupt mask. Boot firmware polls. */
static enum driver_phase phase_of(const struct rtl8139 *r)
{
	if (r->driver_bit || r->irq_used)
		return PHASE_OS;
	return r->served ? PHASE_FIRMWARE : PHASE_UNKNOWN;
}

/* What is still missing before a frame can be received, or NULL. */
static const char *missing(const struct rtl8139 *r)
{
	if (!(r->s.cr & CR_RE) || !(r->s.cr & CR_TE))
		return r->was_running ? "driver stopped the card (CR has no RE and TE)"
				      : "receiver and transmitter are off";
	if (!rx_cplus(r) && !r->s.rbstart)
		return "no receive ring (RBSTART is 0)";
	if (rx_cplus(r) && !tx_cplus(r))
		return "C+ reception without C+ transmission";
	if (rx_cplus(r) && !r->s.rdsar[0] && !r->s.rdsar[1])
		return "no receive descriptors (RDSAR is 0)";
	if (rx_cplus(r) && !r->rx_given)
		return "no receive buffer given";
	/* drivers that mask interrupts inside their handler are no less at work: this is a latch */
	return r->served ? NULL : "set up, but nobody asked for interrupts or polls yet";
}

void rtl8139_judge(const struct nic *nic, struct driver_report *out)
{
	const struct rtl8139 *r = (const struct rtl8139 *)nic;
	enum driver_phase phase = phase_of(r);

	if (!pci_bus_master(&nic->pci)) {
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN, "bus mastering is off");
		return;
	}
	if (resets_loop(r)) {
		report_set(out, DRIVER_FAILED, phase,
			   "driver reset the running card %u times within a minute", RESET_LOOP);
		return;
	}
	const char *what = missing(r);
	if (what) {
		/* a phase on its way to ready would be told twice */
		report_set(out, DRIVER_INITIALIZING, r->irq_used ? PHASE_OS : PHASE_UNKNOWN, "%s",
			   what);
		return;
	}
	report_set(out, DRIVER_READY, phase, "%s, CR %02x, IMR %04x%s%s",
		   rx_cplus(r) ? "C+ rings" : "C mode ring", r->s.cr, r->s.imr,
		   r->driver_bit ? ", DVRLOAD set" : "",
		   phase == PHASE_FIRMWARE ? ", driver polls" : "");
}
