#include "qemu/card_judge.h"

#include <string.h>

/* Registers, by their place in a card's row. */
enum { RTL_CR, RTL_IMR, RTL_RCR };
enum {
	INTEL_RCTL,
	INTEL_RDLEN = CARD_RING_LENGTH,
	INTEL_MASK = CARD_RING_TAIL + 1,
	INTEL_CTRL_EXT
};
enum { VIRTIO_STATUS, VIRTIO_VECTOR };

#define RTL_CR_RE_TE 0x0c /* RTL8139C 5.7: receiver and transmitter enable */
#define RTL_RCR_AAP  0x01 /* 5.8: accept all physical, promiscuous */
#define RCTL_EN	     0x02 /* 8254x 13.4.22 */
#define DRV_LOAD     (1u << 28)
/* iPXE's rings have 16 descriptors of 16 bytes; systems begin at 64 and more */
#define IPXE_RING_BYTES 256

/* virtio 1.2, 2.1 and 4.1.4.3 */
#define STATUS_ACKNOWLEDGE 0x01
#define STATUS_DRIVER_OK   0x04
#define STATUS_NEEDS_RESET 0x40
#define STATUS_FAILED	   0x80
#define STATUS_BITS	   0xff
#define NO_VECTOR	   0xffff

static bool has(const struct card_seen *s, unsigned reg)
{
	return s->have & BIT(reg);
}

/* The reason why the first register is not there. */
static void judge_blind(const struct card_seen *s, struct driver_report *out)
{
	report_set(out, DRIVER_INITIALIZING, PHASE_UNKNOWN,
		   s->has_base
			   ? "bus mastering is on; QEMU does not show the card's registers, so no "
			     "more is known"
			   : "bus mastering is on, the card's registers are not mapped");
}

/* --- rtl8139 ---------------------------------------------------------------------------------------------------- */

static void judge_rtl8139(const struct card_seen *s, struct driver_report *out)
{
	enum driver_phase phase = PHASE_UNKNOWN;

	if (!has(s, RTL_CR)) {
		judge_blind(s, out);
		return;
	}
	if (has(s, RTL_IMR) && s->reg[RTL_IMR])
		phase = PHASE_OS;
	else if (has(s, RTL_IMR) && has(s, RTL_RCR) && s->reg[RTL_RCR] & RTL_RCR_AAP)
		phase = PHASE_FIRMWARE; /* iPXE takes all frames and polls for them */
	if ((s->reg[RTL_CR] & RTL_CR_RE_TE) != RTL_CR_RE_TE)
		report_set(out, DRIVER_INITIALIZING, PHASE_UNKNOWN,
			   "CR %02x: receiver and transmitter are not both on", s->reg[RTL_CR]);
	else
		report_set(out, DRIVER_READY, phase, "CR %02x, IMR %04x", s->reg[RTL_CR],
			   has(s, RTL_IMR) ? s->reg[RTL_IMR] : 0);
}

/* --- e1000, e1000e, igb ----------------------------------------------------------------------------------------- */

static void judge_intel(const struct card_seen *s, struct driver_report *out)
{
	bool loaded = has(s, INTEL_CTRL_EXT) && s->reg[INTEL_CTRL_EXT] & DRV_LOAD;
	bool interrupts = has(s, INTEL_MASK) && s->reg[INTEL_MASK];
	enum driver_phase phase = loaded || interrupts ? PHASE_OS : PHASE_UNKNOWN;

	if (!has(s, INTEL_RCTL)) {
		judge_blind(s, out);
		return;
	}
	if (!(s->reg[INTEL_RCTL] & RCTL_EN)) {
		report_set(out, DRIVER_INITIALIZING, loaded ? PHASE_OS : PHASE_UNKNOWN,
			   loaded ? "driver loaded, interface down" : "the receiver is off");
		return;
	}
	if (has(s, INTEL_RDLEN) && !s->reg[INTEL_RDLEN]) {
		report_set(out, DRIVER_INITIALIZING, phase, "no receive ring (length is 0)");
		return;
	}
	if (!s->given) {
		report_set(out, DRIVER_INITIALIZING, phase, "no receive buffer given");
		return;
	}
	if (phase == PHASE_UNKNOWN && has(s, INTEL_RDLEN) && s->reg[INTEL_RDLEN] == IPXE_RING_BYTES)
		phase = PHASE_FIRMWARE;
	report_set(out, DRIVER_READY, phase, "RCTL %08x, mask %08x%s%s", s->reg[INTEL_RCTL],
		   has(s, INTEL_MASK) ? s->reg[INTEL_MASK] : 0, loaded ? ", DRV_LOAD set" : "",
		   phase == PHASE_FIRMWARE ? ", ring of 16 as iPXE's" : "");
}

/* --- virtio-net ------------------------------------------------------------------------------------------------- */

/* iPXE and EDK2 know no MSI-X and no control queue; a system that has to do with INTx sets its filter through that queue. */
static enum driver_phase virtio_phase(const struct card_seen *s)
{
	if (has(s, VIRTIO_VECTOR) && (s->reg[VIRTIO_VECTOR] & 0xffff) != NO_VECTOR)
		return PHASE_OS;
	if (s->vlan_known)
		return s->vlan_all ? PHASE_FIRMWARE : PHASE_OS;
	return PHASE_UNKNOWN;
}

static void judge_running_virtio(const struct card_seen *s, const char *by,
				 struct driver_report *out)
{
	enum driver_phase phase = virtio_phase(s);

	if (s->given)
		report_set(out, DRIVER_READY, phase, "%s, receive buffers given", by);
	else if (s->avail_known)
		report_set(out, DRIVER_INITIALIZING, PHASE_UNKNOWN,
			   "%s, no receive buffers yet: interface not brought up", by);
	else if (s->ring_known && !s->ring)
		report_set(out, DRIVER_INITIALIZING, PHASE_UNKNOWN, "%s, no receive queue", by);
	else
		report_set(out, DRIVER_READY, phase,
			   "%s; whether it gave receive buffers cannot be seen with this QEMU", by);
}

static void judge_virtio(const struct card_seen *s, struct driver_report *out)
{
	unsigned status = s->reg[VIRTIO_STATUS] & STATUS_BITS;

	if (!has(s, VIRTIO_STATUS)) {
		if (s->ring_known && s->ring)
			judge_running_virtio(s, "ring of queue 0 set (no status register seen)",
					     out);
		else if (s->ring_known && s->has_base)
			/* so QEMU 11.1 shows it after a reset: its registers lie behind a bridge that is closed */
			report_set(out, DRIVER_NONE, PHASE_UNKNOWN,
				   "the card's registers cannot be reached, queue 0 has no ring");
		else if (s->ring_known)
			report_set(out, DRIVER_INITIALIZING, PHASE_UNKNOWN,
				   "bus mastering is on, queue 0 has no ring");
		else
			judge_blind(s, out);
	} else if (status == 0) {
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN, "device status 0");
	} else if (status == STATUS_ACKNOWLEDGE) {
		/* so it is before a driver comes, and after Linux unloaded one */
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN,
			   "ACKNOWLEDGE only: the guest found the card, no driver took it");
	} else if (status & STATUS_FAILED) {
		report_set(out, DRIVER_FAILED, virtio_phase(s),
			   "the driver gave up: device status 0x%02x (FAILED)", status);
	} else if (status & STATUS_NEEDS_RESET) {
		report_set(out, DRIVER_FAILED, virtio_phase(s),
			   "device status 0x%02x: QEMU found the driver at fault, the device needs "
			   "a reset",
			   status);
	} else if (!(status & STATUS_DRIVER_OK)) {
		report_set(out, DRIVER_INITIALIZING, PHASE_UNKNOWN,
			   "device status 0x%02x, no DRIVER_OK yet", status);
	} else {
		judge_running_virtio(s, "DRIVER_OK", out);
	}
}

/* --- a card that is handed on ------------------------------------------------------------------------------------ */

/* Its registers are the guest's alone. Drivers of systems switch this bit on when they take the card. */
static void judge_handed_on(const struct card_seen *s, struct driver_report *out)
{
	(void)s;
	report_set(out, DRIVER_READY, PHASE_UNKNOWN,
		   "bus master is on; what it does beyond that cannot be seen");
}

/* --- the table -------------------------------------------------------------------------------------------------- */

#define RTL8139                                                                                    \
	.registers = "rtl8139-mem", .read = { { 0x37, 1 }, { 0x3c, 2 }, { 0x44, 4 } }, .reads = 3, \
	.watch = RTL_CR_RE_TE, .receives = RTL_CR_RE_TE, .judge = judge_rtl8139
/* the interrupt mask is never ICR: a read of that would acknowledge what the guest has not seen */
#define INTEL(region, mask, count)                                                                 \
	.registers = region, .read = { { 0x100, 4 },  { 0x2808, 4 }, { 0x2810, 4 },                \
				       { 0x2818, 4 }, { mask, 4 },   { 0x18, 4 } },                \
	.reads = count, .ring_registers = true, .watch = RCTL_EN, .receives = RCTL_EN,             \
	.judge = judge_intel
#define VIRTIO                                                                                     \
	.registers = "virtio-pci-common", .read = { { 0x14, 1 }, { 0x10, 2 } }, .reads = 2,        \
	.watch = STATUS_BITS, .receives = STATUS_DRIVER_OK, .virtio = true, .judge = judge_virtio

static const struct watched_card cards[] = {
	{ .device = "rtl8139", RTL8139 },
	{ .device = "e1000", INTEL("e1000-mmio", 0xd0, 5) },
	{ .device = "e1000-82540em", INTEL("e1000-mmio", 0xd0, 5) },
	{ .device = "e1000-82544gc", INTEL("e1000-mmio", 0xd0, 5) },
	{ .device = "e1000-82545em", INTEL("e1000-mmio", 0xd0, 5) },
	{ .device = "e1000e", INTEL("e1000e-mmio", 0xd0, 6) },
	{ .device = "igb", INTEL("igb-mmio", 0x1524, 6) },
	{ .device = "virtio-net-pci", VIRTIO },
	{ .device = "virtio-net-pci-transitional", VIRTIO },
	{ .device = "virtio-net-pci-non-transitional", VIRTIO },
	/* no region has this name: a read of the first register would be the guest's business */
	{ .device = "vfio-pci", .registers = "(none)", .judge = judge_handed_on },
};

const struct watched_card *watched_card_find(const char *device)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cards); i++)
		if (strcmp(cards[i].device, device) == 0)
			return &cards[i];
	return NULL;
}

bool card_receives(const struct watched_card *card, const struct card_seen *seen)
{
	return seen->bus_master && has(seen, 0) &&
	       (seen->reg[0] & card->receives) == card->receives;
}

bool card_ring_wanted(const struct watched_card *card, const struct card_seen *seen)
{
	return card->virtio && seen->bus_master && (!has(seen, 0) || card_receives(card, seen));
}

void card_judge(const struct watched_card *card, const struct card_seen *seen,
		struct driver_report *out)
{
	if (!seen->tree)
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN,
			   "QEMU does not tell what the guest does with this card");
	else if (!seen->present)
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN, "QEMU has no such card now");
	else if (!seen->bus_master)
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN, "bus mastering is off");
	else if (!seen->mapped)
		/* so QEMU shows it right after a reset */
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN, "the card is not mapped");
	else
		card->judge(seen, out);
}
