/* table.c - the registers as rows, and what follows an access for those that have a side effect.
 *
 * Masks are those of the datasheet where drivers test them (`ethtool -t`): what is not stored must read 0.
 */
#include "nic/e1000e/e1000e.h"
#include "nic/intel/rows.h"

#define STATE(member)	    REG_STATE(struct e1000e_state, member)
#define EACH(array, member) REG_STATE_EACH(struct e1000e_state, array, member)

static struct e1000e *of(struct pci_device *dev)
{
	return e1000e_of_pci(dev);
}

/* --- control, status --- */

static void ctrl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);

	(void)row, (void)index;
	e->s.ctrl &= ~CTRL_RST;
	if (value & CTRL_RST) {
		e1000e_mac_reset(e); /* the other bits of the same write are lost with it */
		return;
	}
	if (value & ~old & CTRL_PHY_RST)
		e1000e_phy_restart(e);
}

/* Speed and duplex are the PHY's, unless the driver forces them (10.2.2.2). */
static uint32_t status_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct e1000e *e = of(dev);
	bool full = e->s.ctrl & CTRL_FRCDPLX ? e->s.ctrl & CTRL_FD : e->phy.full_duplex;
	uint32_t speed = e->s.ctrl & CTRL_FRCSPD ? e->s.ctrl >> CTRL_SPEED_SHIFT & 3 : e->phy.speed;

	(void)row, (void)index;
	if (!e->phy.link) {
		full = true;
		speed = SPEED_1000;
	}
	return e->s.status | (e->flow.until_ns ? STATUS_TXOFF : 0) | (full ? STATUS_FD : 0) |
	       (e->phy.link ? STATUS_LU : 0) |
	       MIN(speed, (uint32_t)SPEED_1000) << STATUS_SPEED_SHIFT |
	       (e->s.ctrl & CTRL_GIO_DISABLE ? 0 : STATUS_GIO_MASTER);
}

static void ctrl_ext_written(struct pci_device *dev, const struct reg *row, unsigned index,
			     uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);

	(void)row, (void)index;
	e->s.ctrl_ext &= ~CTRL_EXT_EE_RST; /* clears itself */
	if (value & CTRL_EXT_EE_RST)
		e1000e_load_nvm(e);
	if ((value ^ old) & CTRL_EXT_DRV_LOAD)
		intel_driver_load_bit(&e->nic, &e->driver, value & CTRL_EXT_DRV_LOAD);
	e1000e_evaluate(e);
}

/* --- NVM, PHY --- */

static uint32_t eecd_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	uint32_t value = of(dev)->s.eecd;

	(void)row, (void)index;
	/* 128 words: an exponent above 64 of 1 (10.2.1.3) */
	return value | EECD_PRES | EECD_AUTO_RD | 1u << EECD_SIZE_SHIFT |
	       (value & EECD_REQ ? EECD_GNT : 0);
}

static void eerd_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);

	(void)row, (void)index, (void)old;
	e->s.eerd = intel_eerd(&e->nvm, &intel_eerd_82574, value);
}

static void eewr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);
	bool fits;

	(void)row, (void)index, (void)old;
	e->s.eewr = intel_eewr(&e->nvm, &intel_eerd_82574, value, &fits);
	if (!fits)
		dev->unknown_accesses++;
}

static void mdic_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);

	(void)row, (void)index, (void)old;
	e->s.mdic = intel_mdic(&e->nic, &e->phy, &e1000e_phy, E1000E_PHY_ADDRESS, value);
	e1000e_link_update(e);
	if (value & MDIC_INT)
		e1000e_raise(e, INT_MDAC);
}

/* A semaphore: the first reader finds it free, and has it (10.2.8.1). */
static uint32_t swsm_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct e1000e *e = of(dev);
	uint32_t value = e->s.swsm;

	(void)row, (void)index;
	e->s.swsm |= SWSM_SMBI;
	return value;
}

/* --- interrupts --- */

static void irq_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)value, (void)old;
	e1000e_evaluate(of(dev));
}

static void delay_written(struct pci_device *dev, const struct reg *row, unsigned index,
			  uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);

	(void)index, (void)old;
	if (value & DELAY_FLUSH)
		e1000e_flush_delay(e, row->offset == I_RDTR ? &e->rx_delay : &e->tx_delay);
}

/* --- receive, transmit --- */

static void rctl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)value, (void)old;
	e1000e_rx_tail(of(dev), 0); /* frames may wait */
}

static void rx_ring_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)row, (void)value, (void)old;
	e1000e_rx_tail(of(dev), index);
}

static void tx_ring_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)row, (void)value, (void)old;
	nic_kick(&of(dev)->nic, index);
}

static void tctl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);

	(void)row, (void)index, (void)old;
	e->flow.wanted |= (value & TCTL_SWXOFF) != 0;
	for (unsigned i = 0; i < E1000E_QUEUES; i++)
		nic_kick(&e->nic, i);
	e1000e_note(e);
}

static void rss_key_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)value, (void)old;
	intel_rss_key_changed(&of(dev)->s.rss);
}

/* --- time stamps --- */

static uint32_t systiml_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct e1000e *e = of(dev);

	(void)row, (void)index;
	return intel_ptp_clock_read_low(&e->s.clock, nic_now(&e->nic));
}

static void systim_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);

	(void)index, (void)old;
	intel_ptp_clock_set(&e->s.clock, row->offset == I_SYSTIMH, value, nic_now(&e->nic));
}

static void timinca_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);

	(void)row, (void)index;
	e->s.clock.timinca = old; /* what passed until now went by the old rate */
	intel_ptp_clock_rate(&e->s.clock, value, nic_now(&e->nic));
}

static void timadjh_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct e1000e *e = of(dev);

	(void)row, (void)index, (void)old;
	intel_ptp_clock_adjust(&e->s.clock, value, nic_now(&e->nic));
}

static uint32_t stamp_high_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct e1000e *e = of(dev);
	struct intel_stamp *s = row->offset == I_TXSTMPH ? &e->s.tx_stamp : &e->s.rx_stamp;

	(void)index;
	intel_stamp_fetched(s);
	return s->high;
}

/* --- the rows --- */

/* A register that only keeps what is written. */
#define KEEP(text, at, bits, member)                                                               \
	{                                                                                          \
		.name = text, .offset = (at), .kind = REG_RW, .mask = (bits), STATE(member)        \
	}
#define KEEP_N(text, at, step, n, bits, member)                                                    \
	{                                                                                          \
		.name = text, .offset = (at), .stride = (step), .count = (n), .kind = REG_RW,      \
		.mask = (bits), STATE(member)                                                      \
	}
#define RING(text, base, at, bits, ring, member)                                                   \
	.name = text, .offset = (base) + (at), .stride = 0x100, .count = E1000E_QUEUES,            \
	.kind = REG_RW, .mask = (bits), EACH(ring, member)
#define SAME(text, at, target, n)                                                                  \
	{                                                                                          \
		.name = text, .offset = (at), .count = (n), .kind = REG_ALIAS, .of = (target)      \
	}
#define STAT(text, where) INTEL_STAT_ROW(struct e1000e_state, stats, text, where)

static const struct reg rows[] = {
	{ .name = "CTRL",
	  .offset = I_CTRL,
	  .kind = REG_RW,
	  .mask = ALL,
	  /* and pin 0 out, wake-up from D3cold told */
	  .reset = CTRL_FD | CTRL_SLU | 2u << CTRL_SPEED_SHIFT | BIT(18) | BIT(20),
	  STATE(ctrl),
	  .written = ctrl_written },
	RW("STATUS", I_STATUS, STATUS_PHYRA, .reset = STATUS_PHYRA, STATE(status),
	   .read = status_read),
	RW("EECD", I_EECD, EECD_SK | EECD_CS | EECD_DI | EECD_REQ, STATE(eecd), .read = eecd_read),
	RO("EERD", I_EERD, STATE(eerd), .written = eerd_written),
	RW("CTRL_EXT", I_CTRL_EXT, ALL, STATE(ctrl_ext), .written = ctrl_ext_written),
	KEEP("FLA", R_FLA, 0x3f, fla),
	RO("MDIC", I_MDIC, .reset = MDIC_READY, STATE(mdic), .written = mdic_written),
	KEEP("FCAL", I_FCAL, ALL, fcal),
	KEEP("FCAH", I_FCAH, 0xffff, fcah),
	KEEP("FCT", I_FCT, 0xffff, fct),
	RW("VET", I_VET, 0xffff, .reset = 0x8100, STATE(vet)),

	{ .name = "ICR",
	  .offset = I_ICR,
	  .kind = REG_W1C,
	  .mask = INT_ALL,
	  STATE(icr),
	  .read = e1000e_icr_read,
	  .written = e1000e_icr_written },
	RW("ITR", I_ITR, 0xffff, STATE(itr), .written = irq_written),
	RO("ICS", I_ICS, .read = e1000e_ics_read, .written = e1000e_ics_written),
	RO("IMS", I_IMS, STATE(ims), .written = e1000e_ims_written),
	WO("IMC", I_IMC, .written = e1000e_imc_written),
	KEEP("EIAC", R_EIAC, INT_VECTORED, eiac),
	KEEP("IAM", I_IAM, ALL, iam),
	RW("IVAR", R_IVAR, 0x800fffffu, STATE(ivar), .written = irq_written),
	RW("EITR", R_EITR, 0xffff, .count = E1000E_VECTORS, STATE(eitr), .written = irq_written),

	RW("RCTL", I_RCTL, RCTL_WRITE, STATE(rctl), .written = rctl_written),
	KEEP("FCTTV", I_FCTTV, 0xffff, fcttv),
	KEEP("TXCW", I_TXCW, 0xc000ffff, txcw),
	RO("RXCW", I_RXCW),
	RW("TCTL", I_TCTL, 0x13fffffa & ~TCTL_SWXOFF, STATE(tctl), .written = tctl_written),
	KEEP("TCTL_EXT", I_TCTL_EXT, ALL, tctl_ext),
	RW("TIPG", I_TIPG, 0x3fffffff, .reset = 0x00602008, STATE(tipg)),
	KEEP("AIT", I_AIT, 0xffff, ait),
	RW("LEDCTL", I_LEDCTL, ALL, .reset = 0x07068302, STATE(ledctl)),
	KEEP("EXTCNF_CTRL", R_EXTCNF_CTRL, ALL, extcnf_ctrl),
	KEEP("EXTCNF_SIZE", R_EXTCNF_SIZE, ALL, extcnf_size),
	KEEP("POEMB", R_POEMB, 0xffff, poemb),
	{ .name = "PBA",
	  .offset = I_PBA,
	  .kind = REG_RW,
	  .mask = 0x003f003f,
	  .reset = 0x00140014, /* 20 KB each */
	  STATE(pba) },
	KEEP("PBECCSTS", R_PBECCSTS, 0x00010000, pbeccsts),
	RO("EEMNGCTL", I_EEMNGCTL, .reset = EEMNGCTL_DONE),
	KEEP("EEARBC", R_EEARBC, ALL, eearbc),
	KEEP("FLASHT", R_FLASHT, ALL, flasht),
	/* DONE from the start: Linux waits for it before the first write, too */
	RO("EEWR", R_EEWR, .reset = BIT(1), STATE(eewr), .written = eewr_written),
	KEEP("FLSWCTL", R_FLSWCTL, 0x3fffffff, flswctl),
	KEEP("FLSWDATA", R_FLSWDATA, ALL, flswdata),
	KEEP("FLSWCNT", R_FLSWCNT, ALL, flswcnt),
	KEEP("FLOP", R_FLOP, ALL, flop),

	/* receive */
	KEEP("ERT", R_ERT, 0x7fff, ert),
	KEEP("FCRTL", I_FCRTL, 0x8000fff8, fcrtl),
	KEEP("FCRTH", I_FCRTH, 0xfff8, fcrth),
	KEEP("PSRCTL", R_PSRCTL, 0x3f3f3f7f, psrctl),
	KEEP_N("RDFIFO", I_RDFH, 8, 5, 0x1fff, rdf),
	{ RING("RDBAL", I_RX_RING, I_RING_BAL, 0xfffffff0u, rx, bal) },
	{ RING("RDBAH", I_RX_RING, I_RING_BAH, ALL, rx, bah) },
	{ RING("RDLEN", I_RX_RING, I_RING_LEN, 0xfff80, rx, len), .written = rx_ring_written },
	{ RING("RDH", I_RX_RING, I_RING_HEAD, 0xffff, rx, head) },
	{ RING("RDT", I_RX_RING, I_RING_TAIL, 0xffff, rx, tail), .written = rx_ring_written },
	RW("RDTR", I_RDTR, 0xffff, STATE(rdtr), .written = delay_written),
	{ RING("RXDCTL", I_RX_RING, I_RING_CTL, 0x013f3f3f, rx, ctl), .reset = 0x00010000 },
	KEEP("RADV", I_RADV, 0xffff, radv),
	KEEP("RSRPD", I_RSRPD, 0xfff, rsrpd),
	KEEP("RAID", R_RAID, 0xffff, raid),
	KEEP("CPUVEC", R_CPUVEC, 0x1f, cpuvec),
	KEEP("RXCSUM", I_RXCSUM, 0x3fff, rxcsum),
	KEEP("RFCTL", I_RFCTL, 0x0003ffff, rfctl),
	KEEP_N("MTA", I_MTA, 4, 128, ALL, filter.mta),
	RW("RAL", I_RA, ALL, .stride = 8, .count = E1000E_RA, EACH(filter.ra, low)),
	RW("RAH", I_RA + 4, 0x8003ffff, .stride = 8, .count = E1000E_RA, EACH(filter.ra, high)),
	KEEP_N("VFTA", I_VFTA, 4, 128, ALL, filter.vfta),
	KEEP("MRQC", I_MRQC, 0xffff0003, rss.mrqc),
	KEEP("RSSIM", R_RSSIM, ALL, rssim),
	KEEP("RSSIR", R_RSSIR, ALL, rssir),
	KEEP_N("RETA", I_RETA, 4, INTEL_RETA_ENTRIES / 4, ALL, rss.reta),
	RW("RSSRK", I_RSSRK, ALL, .count = TOEPLITZ_KEY / 4, STATE(rss.key),
	   .written = rss_key_written),

	/* transmit */
	KEEP_N("TDFIFO", I_TDFH, 8, 5, 0x1fff, tdf),
	{ RING("TDBAL", I_TX_RING, I_RING_BAL, 0xfffffff0u, tx, bal) },
	{ RING("TDBAH", I_TX_RING, I_RING_BAH, ALL, tx, bah) },
	{ RING("TDLEN", I_TX_RING, I_RING_LEN, 0xfff80, tx, len), .written = tx_ring_written },
	{ RING("TDH", I_TX_RING, I_RING_HEAD, 0xffff, tx, head) },
	{ RING("TDT", I_TX_RING, I_RING_TAIL, 0xffff, tx, tail), .written = tx_ring_written },
	RW("TIDV", I_TIDV, 0xffff, STATE(tidv), .written = delay_written),
	{ RING("TXDCTL", I_TX_RING, I_RING_CTL, ALL, tx, ctl), .reset = BIT(22) },
	KEEP("TADV", I_TADV, 0xffff, tadv),
	RW("TARC", R_TARC, ALL, .stride = 0x100, .count = E1000E_QUEUES, .reset = TARC_ENABLE | 3,
	   STATE(tarc)),

	/* wake-up, management, bus */
	KEEP("WUC", I_WUC, 0x3ff, wuc),
	KEEP("WUFC", I_WUFC, 0x000f80ff, wufc),
	{ .name = "WUS", .offset = I_WUS, .kind = REG_W1C, .mask = ALL, STATE(wus) },
	KEEP("MANC", I_MANC, ALL, manc),
	KEEP("MFVAL", R_MFVAL, ALL, mfval),
	KEEP_N("MFUTP", R_MFUTP, 4, 4, ALL, mfutp),
	KEEP("IPAV", I_IPAV, 0x0001000f, ipav),
	KEEP_N("IP4AT", I_IP4AT, 4, 7, ALL, ip4at),
	KEEP("MANC2H", R_MANC2H, 0xff, manc2h),
	KEEP_N("IP6AT", I_IP6AT, 4, 4, ALL, ip6at),
	KEEP_N("MDEF", R_MDEF, 4, 8, ALL, mdef),
	KEEP("WUPL", I_WUPL, 0xfff, wupl),
	KEEP_N("WUPM", I_WUPM, 4, 32, ALL, wupm),
	KEEP("GCR", I_GCR, ALL, gcr),
	KEEP("FUNCTAG", R_FUNCTAG, ALL, functag),
	KEEP_N("GSCL", R_GSCL, 4, 4, ALL, gscl),
	KEEP_N("GSCN", R_GSCN, 4, 4, ALL, gscn),
	{ .name = "FACTPS",
	  .offset = I_FACTPS,
	  .kind = REG_RO,
	  .reset = BIT(29) /* management's clock is off */ },
	RW("SWSM", I_SWSM, 0xf, STATE(swsm), .read = swsm_read),
	RO("FWSM", I_FWSM), /* no firmware */
	KEEP("SWSM2", R_SWSM2, 2, swsm2),
	KEEP("SW_FW_SYNC", I_SW_FW_SYNC, ALL, sw_fw_sync),
	KEEP("GCR2", R_GCR2, ALL, gcr2),
	KEEP_N("FFLT", I_FFLT, 4, 8, 0x7ff, fflt),
	KEEP("FCRTV", R_FCRTV, 0xffff, fcrtv),
	KEEP("HICR", R_HICR, ALL, hicr),
	KEEP_N("FFMT", I_FFMT, 4, 256, 0xf, ffmt),
	KEEP_N("FTFT", R_FTFT, 4, 256, ALL, ftft),
	KEEP_N("FFVT", I_FFVT, 4, 256, ALL, ffvt),

	/* IEEE 1588 */
	RO("SYSTIML", I_SYSTIML, .read = systiml_read, .written = systim_written),
	RO("SYSTIMH", I_SYSTIMH, STATE(clock.held_high), .written = systim_written),
	RW("TIMINCA", I_TIMINCA, ALL, STATE(clock.timinca), .written = timinca_written),
	KEEP("TIMADJL", I_TIMADJL, ALL, clock.adjust_low),
	WO("TIMADJH", I_TIMADJH, .written = timadjh_written),
	KEEP("TSYNCTXCTL", I_TSYNCTXCTL, TSYNC_ENABLED, tx_stamp.ctl),
	RO("TXSTMPL", I_TXSTMPL, STATE(tx_stamp.low)),
	RO("TXSTMPH", I_TXSTMPH, STATE(tx_stamp.high), .read = stamp_high_read),
	KEEP("TSYNCRXCTL", I_TSYNCRXCTL, TSYNC_ENABLED | TSYNC_RX_TYPE, rx_stamp.ctl),
	RO("RXSTMPL", I_RXSTMPL, STATE(rx_stamp.low)),
	RO("RXSTMPH", I_RXSTMPH, STATE(rx_stamp.high), .read = stamp_high_read),
	RO("RXSATR", I_RXSATRL, .count = 2, STATE(rxsatr)),
	RW("RXMTRL", R_RXMTRL, 0xffffff, .reset = 0x88f7, STATE(rxmtrl)),
	{ .name = "RXUDP",
	  .offset = R_RXUDP,
	  .kind = REG_RW,
	  .mask = 0xffff,
	  .reset = 0x3f01, /* port 319, as it lies in a frame */
	  STATE(rxudp) },

	/* statistics */
	INTEL_STATS_ROWS(struct e1000e_state, stats),
	STAT("IAC", STAT_IAC),
	STAT("ICRXPTC", 0x4104),
	STAT("ICRXATC", 0x4108),
	STAT("ICTXPTC", 0x410c),
	STAT("ICTXATC", 0x4110),
	STAT("ICTXQEC", 0x4118),
	STAT("ICTXQMTC", 0x411c),
	STAT("ICRXDMTC", 0x4120),
	STAT("ICRXOC", 0x4124),

	/* addresses of older cards that still work (10.2, table of aliases) */
	{ .name = "RAL (8254x)",
	  .offset = 0x0040,
	  .stride = 8,
	  .count = E1000E_RA,
	  .kind = REG_ALIAS,
	  .of = I_RA },
	{ .name = "RAH (8254x)",
	  .offset = 0x0044,
	  .stride = 8,
	  .count = E1000E_RA,
	  .kind = REG_ALIAS,
	  .of = I_RA + 4 },
	SAME("RDTR (8254x)", 0x0108, I_RDTR, 1),
	SAME("RDBAL (8254x)", 0x0110, I_RX_RING + I_RING_BAL, 1),
	SAME("RDBAH (8254x)", 0x0114, I_RX_RING + I_RING_BAH, 1),
	SAME("RDLEN (8254x)", 0x0118, I_RX_RING + I_RING_LEN, 1),
	SAME("RDH (8254x)", 0x0120, I_RX_RING + I_RING_HEAD, 1),
	SAME("RDT (8254x)", 0x0128, I_RX_RING + I_RING_TAIL, 1),
	SAME("FCRTH (8254x)", 0x0160, I_FCRTH, 1),
	SAME("FCRTL (8254x)", 0x0168, I_FCRTL, 1),
	SAME("MTA (8254x)", 0x0200, I_MTA, 128),
	SAME("TDBAL (8254x)", 0x0420, I_TX_RING + I_RING_BAL, 1),
	SAME("TDBAH (8254x)", 0x0424, I_TX_RING + I_RING_BAH, 1),
	SAME("TDLEN (8254x)", 0x0428, I_TX_RING + I_RING_LEN, 1),
	SAME("TDH (8254x)", 0x0430, I_TX_RING + I_RING_HEAD, 1),
	SAME("TDT (8254x)", 0x0438, I_TX_RING + I_RING_TAIL, 1),
	SAME("TIDV (8254x)", 0x0440, I_TIDV, 1),
	SAME("VFTA (8254x)", 0x0600, I_VFTA, 128),
};

struct reg_space e1000e_space = {
	.name = "e1000e",
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.size = E1000E_BAR_SIZE,
	.granule = 4,
};

/* --- the I/O window: an address register and what it points to (10.1.2) --- */

enum { IO_ADDR = 0, IO_DATA = 4 };

static uint32_t iodata_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return (uint32_t)reg_space_read(&e1000e_space, dev, of(dev)->s.ioaddr & ~3u, 4);
}

static void iodata_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	reg_space_write(&e1000e_space, dev, of(dev)->s.ioaddr & ~3u, 4, value);
}

static const struct reg io_rows[] = {
	RW("IOADDR", IO_ADDR, E1000E_BAR_SIZE - 1, STATE(ioaddr)),
	RO("IODATA", IO_DATA, .read = iodata_read, .written = iodata_written),
};

struct reg_space e1000e_io_space = {
	.name = "e1000e I/O",
	.rows = io_rows,
	.count = ARRAY_SIZE(io_rows),
	.size = E1000E_IO_SIZE,
	.granule = 4,
};
