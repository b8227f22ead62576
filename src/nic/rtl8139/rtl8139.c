/* rtl8139.c - life of the card: identity, resets, interrupts, timer, link, tally counters.
 *
 * Interrupts. The chip has one line and no moderation; a guest pays for every interrupt with several register reads, each a
 * round trip to us. So:
 *  - all frames of one receive call, and all of one transmit batch, raise their cause once;
 *  - "transmit ok" may wait up to TX_IRQ_WAIT_NS for company (more frames, or an interrupt of another cause), unless half a ring
 *    waits to be taken back. The descriptors themselves are given back at once, and a read of ISR shows the truth at once,
 *    so that a polling driver sees no delay; nor does one that left the cause masked. Linux needs the interrupt only to free
 *    memory and to go on when its ring is full, as with any card that moderates.
 *
 * Acknowledgements. A driver reads ISR, writes back what it saw and then looks at its rings. Its write is posted: it reaches
 * us some ten microseconds later, and what happened in between would be wiped out without the driver having seen it (8139cp
 * then waits for ever; on a real bus the gap is too short to be met). So a write clears only causes that were there when ISR
 * was read last. One that stays for nothing costs an interrupt; the usual one, a frame that the driver found in its ring all the
 * same, is noticed when the cause is unmasked and taken back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "nic/rtl8139/rtl8139.h"

#define TX_IRQ_WAIT_NS	500000u
#define TX_IRQ_DONE_MAX (DESC_MAX / 2)
#define PM_AT		0x50 /* where the real chip has it */
#define MIN_GNT		0x20
#define MAX_LAT		0x40

/* --- interrupts --- */

void rtl8139_raise(struct rtl8139 *r, uint16_t causes)
{
	r->s.isr |= causes;
	r->isr_unseen |= causes;
	pci_intx_set(&r->nic.pci, r->s.isr & r->s.imr);
}

void rtl8139_acknowledge(struct rtl8139 *r, uint16_t causes)
{
	r->isr_kept |= causes & r->s.isr & r->isr_unseen;
	r->s.isr &= (uint16_t) ~(causes & ~r->isr_unseen);
	rtl8139_raise(r, 0);
}

void rtl8139_unmask(struct rtl8139 *r, uint16_t causes)
{
	if (causes & INT_ROK) {
		if (rtl8139_rx_consumed(r))
			r->s.isr &= (uint16_t) ~(r->isr_kept & (INT_ROK | INT_RDU));
		else if (!rx_cplus(r) && (r->s.cr & CR_RE))
			/* 8139too acknowledges after it looked; CAPR tells what it left */
			r->s.isr |= INT_ROK;
		r->isr_kept &= (uint16_t) ~(INT_ROK | INT_RDU);
	}
	rtl8139_raise(r, 0);
}

void rtl8139_flush_sent(struct rtl8139 *r)
{
	uint16_t held = r->tx_irq_held;

	if (!held)
		return;
	r->tx_irq_held = 0;
	r->tx_done_held = 0;
	r->tx_irq_due_ns = 0;
	rtl8139_raise(r, held);
}

void rtl8139_raise_sent(struct rtl8139 *r, uint16_t causes, unsigned descriptors, bool at_once)
{
	bool held_before = r->tx_irq_held;

	if (at_once || !(causes & r->s.imr)) {
		rtl8139_flush_sent(r);
		rtl8139_raise(r, causes);
		return;
	}
	r->tx_irq_held |= causes;
	r->tx_done_held = (uint16_t)(r->tx_done_held + descriptors);
	if (r->tx_done_held >= TX_IRQ_DONE_MAX) {
		rtl8139_flush_sent(r);
		return;
	}
	if (!held_before) {
		r->tx_irq_due_ns = nic_now(&r->nic) + TX_IRQ_WAIT_NS;
		rtl8139_arm(r);
	}
}

void rtl8139_system_error(struct rtl8139 *r)
{
	uint8_t *status = r->nic.pci.config + PCI_STATUS;

	r->nic.counters.bad_access++;
	put_le16(status, get_le16(status) | PCI_STATUS_REC_MASTER_ABORT);
	rtl8139_raise(r, INT_SERR);
}

/* --- timers: TIMERINT, held interrupts, and the look for receive buffers share the model's one timer --- */

void rtl8139_arm(struct rtl8139 *r)
{
	const uint64_t due[] = { r->timer_due_ns, r->tx_irq_held ? r->tx_irq_due_ns : 0,
				 r->rx_look_due_ns };
	uint64_t first = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(due); i++)
		if (due[i] && (!first || due[i] < first))
			first = due[i];
	nic_set_timer(&r->nic, first);
}

void rtl8139_timer_plan(struct rtl8139 *r)
{
	uint64_t ticks = (nic_now(&r->nic) - r->timer_base_ns) / TIMER_TICK_NS;
	uint32_t ahead = r->s.timerint - (uint32_t)ticks;

	r->timer_due_ns = 0;
	if (r->s.timerint) {
		/* equal now: the counter comes by again after a whole turn */
		uint64_t wait = ahead ? ahead : 1ull << 32;
		r->timer_due_ns = r->timer_base_ns + (ticks + wait) * TIMER_TICK_NS;
	}
	rtl8139_arm(r);
}

static void timer(struct nic *nic)
{
	struct rtl8139 *r = rtl8139_of(nic);
	uint64_t now = nic_now(nic);

	if (r->tx_irq_held && now >= r->tx_irq_due_ns)
		rtl8139_flush_sent(r);
	if (r->rx_look_due_ns && now >= r->rx_look_due_ns)
		rtl8139_rx_look_by_clock(r);
	if (r->timer_due_ns && now >= r->timer_due_ns) {
		rtl8139_raise(r, INT_TIMEOUT);
		rtl8139_timer_plan(r);
	}
	rtl8139_arm(r);
}

/* --- tally counters --- */

void rtl8139_dump_tally(struct rtl8139 *r)
{
	uint64_t at = (uint64_t)r->s.dtccr[1] << 32 | (r->s.dtccr[0] & ~(TALLY_SIZE - 1));
	const struct rtl8139_tally *t = &r->tally;
	uint8_t b[TALLY_SIZE] = { 0 };

	if (!(r->s.dtccr[0] & DTCCR_CMD) || r->nic.stopped)
		return; /* a stopped guest's dump happens when its driver asks whether it is done */
	put_le64(b + 0, t->tx_ok);
	put_le64(b + 8, t->rx_ok);
	put_le64(b + 16, t->tx_err);
	put_le32(b + 24, t->rx_err);
	put_le16(b + 28, t->missed);
	put_le64(b + 40, t->rx_physical);
	put_le64(b + 48, t->rx_broadcast);
	put_le32(b + 56, t->rx_multicast);
	put_le16(b + 60, t->tx_abort);
	if (!mem_write(&r->nic.mem, at, b, sizeof(b)))
		rtl8139_system_error(r);
	r->s.dtccr[0] &= ~DTCCR_CMD;
}

/* --- resets, link --- */

/* Positions, held work and times of the data path. */
static void stop_work(struct rtl8139 *r)
{
	r->tx_slot = 0;
	r->tx_at[RING_NORMAL] = r->tx_at[RING_HIGH] = 0;
	r->tx_poll = 0;
	r->rx_at = r->rx_last = 0;
	r->served = false;
	rtl8139_rx_stop(r);
	r->isr_unseen = 0;
	r->isr_kept = 0;
	r->tx_irq_held = 0;
	r->tx_done_held = 0;
	r->tx_irq_due_ns = 0;
	r->timer_base_ns = nic_now(&r->nic);
	r->timer_due_ns = 0;
	r->s.dtccr[0] = r->s.dtccr[1] = 0;
}

void rtl8139_soft_reset(struct rtl8139 *r, uint32_t old_cr)
{
	struct rtl8139_kept kept = r->s.kept;

	if (old_cr & CR_RE)
		rtl8139_note_reset(r);
	r->nic.status.resets++;
	reg_space_reset(r->space, &r->nic.pci);
	r->s.kept = kept;
	stop_work(r);
	rtl8139_raise(r, 0);
	rtl8139_arm(r);
}

static void reset(struct nic *nic, enum reset_kind kind)
{
	struct rtl8139 *r = rtl8139_of(nic);

	(void)kind; /* all of them load the EEPROM, as RST# does; the EEPROM keeps what was written */
	r->s = (struct rtl8139_state){ 0 };
	reg_space_reset(r->space, &nic->pci);
	rtl8139_load_eeprom(r);
	stop_work(r);
	r->tally = (struct rtl8139_tally){ 0 };
	r->link_fell = false;
	r->driver_bit = r->irq_used = r->was_running = false;
	memset(r->reset_ns, 0, sizeof(r->reset_ns));
	nic->rx_offloads = 0; /* the descriptor cannot say "checksum not filled in" */
	rtl8139_raise(r, 0);
	rtl8139_arm(r);
}

static void link_changed(struct nic *nic)
{
	struct rtl8139 *r = rtl8139_of(nic);

	if (!nic->link_up)
		r->link_fell = true;
	r->s.kept.cscr |= CSCR_CHANGED;
	rtl8139_raise(r, INT_LINK);
}

/* --- life --- */

static int init(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	struct rtl8139 *r = rtl8139_of(nic);
	int rev = spec->rev < 0 ? RTL8139_REV_CPLUS : spec->rev;

	if (rev != RTL8139_REV_C && rev != RTL8139_REV_CPLUS)
		return error_set(err, -EINVAL,
				 "%s: rtl8139 has no revision %d; rev= can be 0x10 (RTL8139C) or "
				 "0x20 (RTL8139C+)",
				 spec->id, rev);
	r->cplus = rev == RTL8139_REV_CPLUS;
	r->space = r->cplus ? &rtl8139_cplus_space : &rtl8139_c_space;

	const struct pci_identity identity = {
		.vendor = RTL8139_VENDOR,
		.device = RTL8139_DEVICE,
		.subsystem_vendor = RTL8139_VENDOR,
		.subsystem = RTL8139_DEVICE,
		.revision = (uint8_t)rev,
		.class_code = 0x020000,
		.interrupt_pin = 1,
	};
	pci_init(&nic->pci, &identity, &nic_pci_hooks, &r->s);
	nic->pci.config[PCI_MIN_GNT] = MIN_GNT;
	nic->pci.config[PCI_MAX_LAT] = MAX_LAT;
	pci_add_bar(&nic->pci, 0, BAR_IO, RTL8139_BAR_SIZE, r->space);
	pci_add_bar(&nic->pci, 1, BAR_MEM32, RTL8139_BAR_SIZE, r->space);
	pci_add_pm(&nic->pci, PM_AT);
	rtl8139_eeprom_fill(&r->eeprom, nic->mac);
	return 0;
}

static void finish(struct nic *nic)
{
	(void)nic; /* everything is inside the struct */
}

static const char *const does[] = {
	"C mode (four slots, ring of bytes) and C+ descriptors, both priorities; rev=0x10 is an "
	"RTL8139C without C+",
	"C+ checksums, large send, VLAN insertion and stripping; reception over several "
	"descriptors",
	"address and multicast hash filters, loopback, tally counters, timer, link changes",
	"93C46 EEPROM through its pins, writable; PHY registers; power management capability",
	NULL,
};

static const char *const lacks[] = {
	"VPD, boot ROM interface, wake-up (the registers are storage), flow control frames, CLKRUN",
	"TxConfig's gap times and DMA bursts change nothing",
	NULL,
};

static struct reg_space *const spaces[] = { &rtl8139_c_space, &rtl8139_cplus_space, NULL };

const struct nic_ops rtl8139_ops = {
	.name = "rtl8139",
	.summary = "Realtek RTL8139C+ (rev=0x20) or RTL8139C (rev=0x10), 100 Mbit/s, PCI",
	.does = does,
	.lacks = lacks,
	.size = sizeof(struct rtl8139),
	.legacy = true,
	.queues_max = 1,
	.spaces = spaces,
	.revs = { RTL8139_REV_CPLUS, RTL8139_REV_C },
	.io_ports = true,
	.init = init,
	.finish = finish,
	.reset = reset,
	.transmit = rtl8139_transmit,
	.receive = rtl8139_receive,
	.link_changed = link_changed,
	.timer = timer,
	.judge = rtl8139_judge,
	.save = rtl8139_save,
	.load = rtl8139_load,
};
