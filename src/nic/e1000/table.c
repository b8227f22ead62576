/* table.c - registers of the 82540EM and its siblings, and what follows an access (manual 13).
 *
 * Linux's own test (`ethtool -t`) says which bits of many of them can be written; the others are the manual's.
 */
#include "nic/e1000/e1000.h"
#include "nic/intel/rows.h"

#define STATE(member)	    REG_STATE(struct e1000_state, member)
#define EACH(array, member) REG_STATE_EACH(struct e1000_state, array, member)

static struct e1000 *of(struct pci_device *dev)
{
	return e1000_of_pci(dev);
}

/* --- general --- */

static void ctrl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index;
	if (value & CTRL_RST) {
		e1000_soft_reset(e);
		return;
	}
	if ((value & CTRL_PHY_RST) && !(old & CTRL_PHY_RST))
		e1000_reset_phy(e);
	e1000_update_link(e);
}

static uint32_t status_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct e1000 *e = of(dev);
	bool full;
	uint8_t speed;

	(void)row, (void)index;
	e1000_link_resolved(e, &speed, &full);
	uint32_t value = STATUS_PCI66 | (uint32_t)speed << STATUS_SPEED_SHIFT |
			 (uint32_t)e->phy.speed << STATUS_ASDV_SHIFT;
	if (full)
		value |= STATUS_FD;
	if (e->link_up)
		value |= STATUS_LU;
	/* a driver that sees its frames wait takes that for a hung card, unless the other side asked for it */
	if (e->flow.until_ns || e->tx_blocked)
		value |= STATUS_TXOFF;
	return value;
}

static uint32_t eecd_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct e1000 *e = of(dev);
	uint32_t value = e->s.eecd | EECD_PRES;

	(void)row, (void)index;
	if (e->pins.out)
		value |= EECD_DO;
	if (e->variant->arbitrates && (value & EECD_REQ))
		value |= EECD_GNT; /* nobody else wants it (manual 13.4.4) */
	return value;
}

static void eecd_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);
	bool granted = !e->variant->arbitrates || (value & EECD_REQ);

	(void)row, (void)index, (void)old;
	if (!granted)
		value = 0;
	microwire_pins(&e->pins, e->nvm.word, value & EECD_CS, value & EECD_SK, value & EECD_DI);
}

static void eerd_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index, (void)old;
	e->s.eerd = intel_eerd(&e->nvm, &intel_eerd_8254x, value);
}

static void ctrl_ext_written(struct pci_device *dev, const struct reg *row, unsigned index,
			     uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index, (void)old;
	if (value & CTRL_EXT_EE_RST) {
		e->s.ctrl_ext &= ~CTRL_EXT_EE_RST;
		e1000_load_eeprom(e);
	}
	intel_driver_load_bit(&e->nic, &e->driver, e->s.ctrl_ext & CTRL_EXT_DRV_LOAD);
	e1000_note(e);
}

static void mdic_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index, (void)old;
	e->s.mdic = intel_mdic(&e->nic, &e->phy, e->variant->phy, PHY_ADDRESS, value);
	e1000_update_link(e);
	if (value & MDIC_INT)
		e1000_raise(e, INT_MDAC);
}

static void pba_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);
	uint32_t receive = MIN(value & 0xffff, PBA_KIB);

	(void)row, (void)index, (void)old;
	e->s.pba = (PBA_KIB - receive) << 16 |
		   receive; /* the rest is for transmitting (manual 13.4.15) */
}

/* --- interrupts --- */

static uint32_t icr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index;
	e1000_served(e);
	return e1000_take_causes(e);
}

/* A cause cleared, another interval: both may change the line. */
static void irq_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)value, (void)old;
	e1000_update_irq(of(dev));
}

static void ics_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	e1000_raise(of(dev), value & INT_ALL);
}

static void ims_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index, (void)old;
	e->s.ims |= value & INT_ALL;
	e1000_note(e);
	e1000_update_irq(e);
}

static void imc_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index, (void)old;
	e->s.ims &= ~value;
	e1000_update_irq(e);
}

/* --- receive and transmit --- */

static void rctl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index, (void)value;
	if ((e->s.rctl ^ old) & RCTL_LBM)
		nic_kick(&e->nic, 0);
	e1000_note(e);
	e1000_rx_changed(e);
}

static void rx_ring_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index, (void)value, (void)old;
	e1000_note(e);
	e1000_rx_changed(e);
}

static void rdt_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)value, (void)old;
	e1000_rx_tail(of(dev));
}

static void rdtr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	if (value & DELAY_FLUSH)
		e1000_flush_rx(of(dev));
}

static void tidv_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	if (value & DELAY_FLUSH)
		e1000_flush_tx(of(dev));
}

static void tctl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000 *e = of(dev);

	(void)row, (void)index, (void)old;
	e->flow.wanted |= (value & TCTL_SWXOFF) != 0;
	e1000_note(e);
	nic_kick(&e->nic, 0);
}

static void tx_ring_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)value, (void)old;
	nic_kick(nic_of(dev), 0);
}

static void wuc_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	of(dev)->s.wuc &= ~(value & WUC_PME_STATUS); /* write 1 to clear */
}

/* --- the I/O window (manual 13.2.2.1) --- */

static uint32_t io_data_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return (uint32_t)reg_space_read(&e1000_space, dev, of(dev)->s.io_address, 4);
}

static void io_data_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	reg_space_write(&e1000_space, dev, of(dev)->s.io_address, 4, value);
}

/* --- the tables --- */

#define OLD(n, at, target, ...)                                                                    \
	{                                                                                          \
		.name = n " (82542 offset)", .offset = at, .kind = REG_ALIAS, .of = target,        \
		__VA_ARGS__                                                                        \
	}

static const struct reg rows[] = {
	RW("CTRL", I_CTRL, CTRL_WRITE, .reset = CTRL_DEFAULT, STATE(ctrl), .written = ctrl_written),
	{ .name = "CTRL_DUP", .offset = R_CTRL_DUP, .kind = REG_ALIAS, .of = I_CTRL },
	RO("STATUS", I_STATUS, .read = status_read),
	RW("EECD", I_EECD, EECD_WRITE, STATE(eecd), .read = eecd_read, .written = eecd_written),
	RO("EERD", I_EERD, STATE(eerd), .written = eerd_written),
	RW("CTRL_EXT", I_CTRL_EXT, CTRL_EXT_WRITE, STATE(ctrl_ext), .written = ctrl_ext_written),
	RO("MDIC", I_MDIC, .reset = MDIC_READY, STATE(mdic), .written = mdic_written),
	RW("FCAL", I_FCAL, 0xffffffffu, .reset = 0x00c28001, STATE(fcal)),
	RW("FCAH", I_FCAH, 0xffffu, .reset = 0x0100, STATE(fcah)),
	RW("FCT", I_FCT, 0xffffu, .reset = 0x8808, STATE(fct)),
	RW("VET", I_VET, 0xffffu, .reset = 0x8100, STATE(vet)),
	{ .name = "ICR",
	  .offset = I_ICR,
	  .kind = REG_W1C,
	  .mask = INT_ALL,
	  STATE(icr),
	  .read = icr_read,
	  .written = irq_written },
	RW("ITR", I_ITR, 0xffffu, STATE(itr), .written = irq_written),
	WO("ICS", I_ICS, .written = ics_written),
	RO("IMS", I_IMS, STATE(ims), .written = ims_written),
	WO("IMC", I_IMC, .written = imc_written),
	RW("RCTL", I_RCTL, RCTL_WRITE, STATE(rctl), .written = rctl_written),
	RW("FCTTV", I_FCTTV, 0xffffu, STATE(fcttv)),
	RW("TXCW", I_TXCW, 0xc000ffffu, STATE(txcw)),
	RO("RXCW", I_RXCW),
	RW("TCTL", I_TCTL, TCTL_WRITE, STATE(tctl), .written = tctl_written),
	RW("TIPG", I_TIPG, 0x3fffffffu, .reset = 0x00602008, STATE(tipg)),
	RW("AIT", I_AIT, 0xffffu, STATE(ait)),
	RW("LEDCTL", I_LEDCTL, 0xffffffffu, .reset = 0x07068302, STATE(ledctl)),
	RW("PBA", I_PBA, 0xffffu, .reset = 0x00100030, STATE(pba), .written = pba_written),
	RW("FCRTL", I_FCRTL, 0x8000fff8u, STATE(fcrtl)),
	RW("FCRTH", I_FCRTH, 0xfff8u, STATE(fcrth)),
	RW("RDFH, RDFT, RDFHS, RDFTS, RDFPC", I_RDFH, 0x1fffu, .count = 5, .stride = 8,
	   STATE(rx_fifo)),
	RW("RDBAL", I_RX_RING + I_RING_BAL, 0xfffffff0u, STATE(rx.bal), .written = rx_ring_written),
	RW("RDBAH", I_RX_RING + I_RING_BAH, 0xffffffffu, STATE(rx.bah), .written = rx_ring_written),
	RW("RDLEN", I_RX_RING + I_RING_LEN, 0xfff80u, STATE(rx.len), .written = rx_ring_written),
	RW("RDH", I_RX_RING + I_RING_HEAD, 0xffffu, STATE(rx.head), .written = rx_ring_written),
	RW("RDT", I_RX_RING + I_RING_TAIL, 0xffffu, STATE(rx.tail), .written = rdt_written),
	RW("RDTR", I_RDTR, 0xffffu, STATE(rdtr), .written = rdtr_written),
	RW("RXDCTL", R_RXDCTL, 0x013f3f3fu, .reset = 0x00010000, STATE(rx.ctl)),
	RW("RADV", I_RADV, 0xffffu, STATE(radv)),
	RW("RSRPD", I_RSRPD, 0x0fffu, STATE(rsrpd)),
	RW("TXDMAC", R_TXDMAC, 1, STATE(txdmac)),
	RW("TDFH, TDFT, TDFHS, TDFTS, TDFPC", I_TDFH, 0x1fffu, .count = 5, .stride = 8,
	   STATE(tx_fifo)),
	RW("TDBAL", I_TX_RING + I_RING_BAL, 0xfffffff0u, STATE(tx.bal), .written = tx_ring_written),
	RW("TDBAH", I_TX_RING + I_RING_BAH, 0xffffffffu, STATE(tx.bah), .written = tx_ring_written),
	RW("TDLEN", I_TX_RING + I_RING_LEN, 0xfff80u, STATE(tx.len), .written = tx_ring_written),
	RW("TDH", I_TX_RING + I_RING_HEAD, 0xffffu, STATE(tx.head), .written = tx_ring_written),
	RW("TDT", I_TX_RING + I_RING_TAIL, 0xffffu, STATE(tx.tail), .written = tx_ring_written),
	RW("TIDV", I_TIDV, 0xffffu, STATE(tidv), .written = tidv_written),
	RW("TXDCTL", R_TXDCTL, 0xff3f3f3fu, STATE(tx.ctl)),
	RW("TADV", I_TADV, 0xffffu, STATE(tadv)),
	RW("TSPMT", R_TSPMT, 0xffffffffu, .reset = 0x01000400, STATE(tspmt)),
	INTEL_STATS_ROWS(struct e1000_state, stats),
	RW("RXCSUM", I_RXCSUM, 0x7ffu, STATE(rxcsum)),
	RW("MTA", I_MTA, 0xffffffffu, .count = 128, STATE(filter.mta)),
	RW("RAL", I_RA, 0xffffffffu, .count = E1000_ADDRESSES, .stride = 8, EACH(filter.ra, low)),
	RW("RAH", I_RA + 4, 0x8003ffffu, .count = E1000_ADDRESSES, .stride = 8,
	   EACH(filter.ra, high)),
	RW("VFTA", I_VFTA, 0xffffffffu, .count = 128, STATE(filter.vfta)),
	RW("WUC", I_WUC, 0xbu, STATE(wuc), .written = wuc_written),
	RW("WUFC", I_WUFC, 0xf80ffu, STATE(wufc)),
	{ .name = "WUS", .offset = I_WUS, .kind = REG_W1C, .mask = 0xf80ffu, STATE(wus) },
	RW("MANC", I_MANC, 0xffffffffu, STATE(manc)),
	RW("IPAV", I_IPAV, 0x1000fu, STATE(ipav)),
	RW("IP4AT", I_IP4AT, 0xffffffffu, .count = 4, .stride = 8, STATE(ip4at)),
	RW("IP6AT", I_IP6AT, 0xffffffffu, .count = 4, STATE(ip6at)),
	RO("WUPL", I_WUPL, STATE(wupl)),
	RO("WUPM", I_WUPM, .count = WUPM_SIZE / 4, STATE(wupm)),
	RW("FFLT", I_FFLT, 0x7ffu, .count = 4, .stride = 8, STATE(fflt)),
	RW("FFMT", I_FFMT, 0xfu, .count = 128, .stride = 8, STATE(ffmt)),
	RW("FFVT", I_FFVT, 0xffffffffu, .count = 128, .stride = 8, STATE(ffvt)),
	OLD("RAL", R_OLD_RA, I_RA, .count = E1000_ADDRESSES, .stride = 8),
	OLD("RAH", R_OLD_RA + 4, I_RA + 4, .count = E1000_ADDRESSES, .stride = 8),
	OLD("RDTR", R_OLD_RDTR, I_RDTR),
	OLD("RDBAL", R_OLD_RX_RING + I_RING_BAL, I_RX_RING + I_RING_BAL),
	OLD("RDBAH", R_OLD_RX_RING + I_RING_BAH, I_RX_RING + I_RING_BAH),
	OLD("RDLEN", R_OLD_RX_RING + I_RING_LEN, I_RX_RING + I_RING_LEN),
	OLD("RDH", R_OLD_RX_RING + I_RING_HEAD, I_RX_RING + I_RING_HEAD),
	OLD("RDT", R_OLD_RX_RING + I_RING_TAIL, I_RX_RING + I_RING_TAIL),
	OLD("FCRTH", R_OLD_FCRTH, I_FCRTH),
	OLD("FCRTL", R_OLD_FCRTL, I_FCRTL),
	OLD("MTA", R_OLD_MTA, I_MTA, .count = 128),
	OLD("TDBAL", R_OLD_TX_RING + I_RING_BAL, I_TX_RING + I_RING_BAL),
	OLD("TDBAH", R_OLD_TX_RING + I_RING_BAH, I_TX_RING + I_RING_BAH),
	OLD("TDLEN", R_OLD_TX_RING + I_RING_LEN, I_TX_RING + I_RING_LEN),
	OLD("TDH", R_OLD_TX_RING + I_RING_HEAD, I_TX_RING + I_RING_HEAD),
	OLD("TDT", R_OLD_TX_RING + I_RING_TAIL, I_TX_RING + I_RING_TAIL),
	OLD("TIDV", R_OLD_TIDV, I_TIDV),
	OLD("VFTA", R_OLD_VFTA, I_VFTA, .count = 128),
};

struct reg_space e1000_space = {
	.name = "e1000",
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.size = E1000_BAR_SIZE,
	.granule = 4,
};

static const struct reg io_rows[] = {
	RW("IOADDR", IO_ADDRESS, 0xffffffffu, STATE(io_address)),
	RO("IODATA", IO_DATA, .read = io_data_read, .written = io_data_written),
};

struct reg_space e1000_io_space = {
	.name = "e1000 I/O window",
	.rows = io_rows,
	.count = ARRAY_SIZE(io_rows),
	.size = E1000_IO_SIZE,
	.granule = 4,
};
