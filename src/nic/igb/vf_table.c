/* vf_table.c - the registers of a virtual function, 16 KiB (82576 datasheet 8.26). */
#include "nic/igb/vf.h"
#include "nic/intel/rows.h"

#define STATUS_1000 BIT(7)

static struct igbvf *of(struct pci_device *dev)
{
	return (struct igbvf *)dev;
}

/* --- side effects --- */

static void ctrl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	if (value & CTRL_RST)
		igbvf_soft_reset(of(dev));
}

static uint32_t status_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return STATUS_FD | STATUS_1000 | (nic_of(dev)->link_up ? STATUS_LU : 0);
}

static uint32_t timer_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return (uint32_t)(nic_now(nic_of(dev)) / NS_PER_MS); /* 82576 8.16.3 */
}

static uint32_t mailbox_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return igb_mailbox_vf_read(&of(dev)->s.mailbox);
}

static void mailbox_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct igbvf *v = of(dev);

	(void)row, (void)index, (void)old;
	igbvf_mailbox_written(v, igb_mailbox_vf_write(&v->s.mailbox, value));
}

static void rx_tail_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct igbvf *v = of(dev);
	struct intel_ring *ring = &v->s.rx[index].ring;
	uint32_t count = ring->len / INTEL_DESC_SIZE;

	(void)row, (void)value, (void)old;
	/* iPXE gives its whole ring at first: a tail that the head never meets */
	if (ring->tail == count && count)
		ring->tail = count - 1;
	v->nic.notes.rx_ready = true;
	igbvf_note(v);
}

static void rx_control_written(struct pci_device *dev, const struct reg *row, unsigned index,
			       uint32_t value, uint32_t old)
{
	struct igbvf *v = of(dev);

	(void)row, (void)index, (void)value, (void)old;
	v->nic.notes.rx_ready = true; /* what waits goes in now, or is dropped */
	igbvf_note(v);
}

static void tx_tail_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)row, (void)value, (void)old;
	nic_kick(nic_of(dev), index);
}

static void tx_control_written(struct pci_device *dev, const struct reg *row, unsigned index,
			       uint32_t value, uint32_t old)
{
	(void)row, (void)value, (void)old;
	nic_kick(nic_of(dev), index);
	igbvf_note(of(dev));
}

/* --- rows --- */

#define STATE(member) REG_STATE(struct igbvf_state, member)
#define RX(member)                                                                                 \
	.stride = VF_STRIDE, .count = VF_QUEUES, REG_STATE_EACH(struct igbvf_state, rx, member)
#define TX(member)                                                                                 \
	.stride = VF_STRIDE, .count = VF_QUEUES, REG_STATE_EACH(struct igbvf_state, tx, member)

#define LEN_BITS  0x000fff80u
#define RDH_BITS  0x0000ffffu
#define DCTL_BITS (DCTL_ENABLE | 0x001f1f1fu)

static const struct reg rows[] = {
	RW("VTCTRL", I_CTRL, 0, STATE(ctrl), .written = ctrl_written),
	{ .name = "VTCTRL (again)", .offset = VF_CTRL_DUP, .kind = REG_ALIAS, .of = I_CTRL },
	RO("VTSTATUS", I_STATUS, .read = status_read),
	RW("VMBMEM", R_VMBMEM, 0xffffffffu, .count = MAILBOX_WORDS, STATE(mailbox.word)),
	RO("V2PMAILBOX", VF_MAILBOX, .reset = MBX_RSTD, STATE(mailbox.vf), .read = mailbox_read,
	   .written = mailbox_written),
	RW("PSRTYPE", VF_PSRTYPE, 0x00003fffu, STATE(psrtype)),
	RO("VFGPRC", VF_GPRC, STATE(stats.rx_frames)),
	RO("VFGPTC", VF_GPTC, STATE(stats.tx_frames)),
	RO("VFGORC", VF_GORC, STATE(stats.rx_bytes)),
	RO("VFGOTC", VF_GOTC, STATE(stats.tx_bytes)),
	RO("VFMPRC", VF_MPRC, STATE(stats.rx_multicast)),
	RO("VFGPRLBC (no other VF)", VF_GPRLBC),
	RO("VFGPTLBC (no other VF)", VF_GPTLBC),
	RO("VFGORLBC (no other VF)", VF_GORLBC),
	RO("VFGOTLBC (no other VF)", VF_GOTLBC),
	RO("VTFRTIMER", R_FRTIMER, .read = timer_read),
	INTEL_IRQ_ROWS(struct igbvf_state, irq, VF_VECTORS, 1),
	RW("RDBAL", I_RX_RING + I_RING_BAL, 0xffffff80u, RX(ring.bal)),
	RW("RDBAH", I_RX_RING + I_RING_BAH, 0xffffffffu, RX(ring.bah)),
	RW("RDLEN", I_RX_RING + I_RING_LEN, LEN_BITS, RX(ring.len)),
	RW("SRRCTL", I_RX_RING + I_RING_SRRCTL, 0x8ff03f7fu, .reset = 0x400, RX(srrctl)),
	RW("RDH", I_RX_RING + I_RING_HEAD, RDH_BITS, RX(ring.head)),
	RW("DCA_RXCTRL (no DCA)", I_RX_RING + I_RING_DCA, 0xffffffffu, RX(dca)),
	RW("RDT", I_RX_RING + I_RING_TAIL, RDH_BITS, RX(ring.tail), .written = rx_tail_written),
	RW("RXDCTL", I_RX_RING + I_RING_CTL, DCTL_BITS, RX(ring.ctl),
	   .written = rx_control_written),
	RO("RQDPC (nothing is dropped)", I_RX_RING + I_RING_RQDPC, RX(dropped)),
	RW("TDBAL", I_TX_RING + I_RING_BAL, 0xffffff80u, TX(ring.bal)),
	RW("TDBAH", I_TX_RING + I_RING_BAH, 0xffffffffu, TX(ring.bah)),
	RW("TDLEN", I_TX_RING + I_RING_LEN, LEN_BITS, TX(ring.len)),
	RW("TDH", I_TX_RING + I_RING_HEAD, RDH_BITS, TX(ring.head)),
	RW("DCA_TXCTRL (no DCA)", I_TX_RING + I_RING_DCA, 0xffffffffu, TX(dca)),
	RW("TDT", I_TX_RING + I_RING_TAIL, RDH_BITS, TX(ring.tail), .written = tx_tail_written),
	RW("TXDCTL", I_TX_RING + I_RING_CTL, DCTL_BITS, TX(ring.ctl),
	   .written = tx_control_written),
	RW("TDWBAL", I_TX_RING + I_RING_TDWBAL, 0xfffffffdu, TX(wbal)),
	RW("TDWBAH", I_TX_RING + I_RING_TDWBAH, 0xffffffffu, TX(wbah)),
};

struct reg_space igbvf_space = {
	.name = "igbvf",
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.size = VF_BAR_SIZE,
	.granule = 4,
};
