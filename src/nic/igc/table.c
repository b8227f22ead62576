/* table.c - the card's registers, and what follows an access. */
#include "nic/igc/igc.h"
#include "nic/intel/rows.h"

#define STATE(member)	    REG_STATE(struct igc_state, member)
#define EACH(array, member) REG_STATE_EACH(struct igc_state, array, member)

#define UNUSED_WRITE (void)row, (void)index, (void)value, (void)old
#define UNUSED_READ  (void)row, (void)index

/* --- control, status, NVM, PHY --- */

static void ctrl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)index, (void)old;
	if (value & (CTRL_RST | CTRL_DEV_RST)) {
		igc_software_reset(c, value & CTRL_DEV_RST);
		return;
	}
	if (value & CTRL_PHY_RST)
		igc_phy_reset(c);
}

static uint32_t status_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	UNUSED_READ;
	return igc_status(igc_of_dev(dev));
}

static void status_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	(void)row, (void)index, (void)old;
	if (value & STATUS_DEV_RST)
		igc_of_dev(dev)->dev_rst = false; /* cleared by writing 1 */
}

static void ctrl_ext_written(struct pci_device *dev, const struct reg *row, unsigned index,
			     uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	UNUSED_WRITE;
	intel_driver_load_bit(&c->nic, &c->driver, c->s.ctrl_ext & CTRL_EXT_DRV_LOAD);
	if (value & CTRL_EXT_EE_RST)
		igc_load_nvm(c);
}

static uint32_t eecd_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	uint32_t eecd = igc_of_dev(dev)->s.eecd;

	UNUSED_READ;
	/* 128 words; loaded, and written back to flash, at once */
	return (eecd & (EECD_SK | EECD_CS | EECD_DI | EECD_REQ)) |
	       (eecd & EECD_REQ ? EECD_GNT : 0) | EECD_PRES | EECD_AUTO_RD | EECD_ADDR_BITS |
	       1u << EECD_SIZE_SHIFT | EECD_FLASH | EECD_UPDATED;
}

static void eerd_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)index, (void)old;
	c->s.eerd = intel_eerd(&c->nvm, &intel_eerd_82574, value);
}

static void eewr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);
	bool ok;

	(void)row, (void)index, (void)old;
	c->s.eewr = intel_eewr(&c->nvm, &intel_eerd_82574, value, &ok);
}

static void mdic_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)index, (void)old;
	/* the internal PHY answers at every address: MDICNFG names it */
	c->s.mdic = intel_mdic(&c->nic, &c->phy, &c->phy_model, value >> 21 & 31, value);
	igc_link_check(c);
	if (value & BIT(29))
		igc_raise(c, INT_MDAC);
}

static uint32_t phpm_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	UNUSED_READ;
	return igc_of_dev(dev)->s.phpm | PHPM_RST_DONE;
}

/* Reading takes the semaphore (8.2.23): 0 is seen by one reader only. */
static uint32_t swsm_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct igc *c = igc_of_dev(dev);
	uint32_t value = c->s.swsm;

	UNUSED_READ;
	c->s.swsm |= SWSM_SMBI;
	return value;
}

/* --- receive --- */

static void rctl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)index;
	if (value & ~old & RCTL_EN)
		c->s.irq.looked = false; /* what was read before is no polling for frames */
	c->nic.notes.rx_ready = true;
	igc_note(c);
}

static void rx_ring_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	UNUSED_WRITE;
	c->nic.notes.rx_ready = true;
	igc_note(c);
}

static void rx_tail_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)value, (void)old;
	c->nic.notes.rx_ready = true;
	/* given back behind a frame that was received: the driver is at work */
	if (c->s.rx[index].ring.head)
		intel_driver_served(&c->nic, &c->driver, igc_rx_on(c));
	if (!c->driver.given)
		igc_note(c);
}

static void rssrk_written(struct pci_device *dev, const struct reg *row, unsigned index,
			  uint32_t value, uint32_t old)
{
	UNUSED_WRITE;
	intel_rss_key_changed(&igc_of_dev(dev)->s.rss);
}

/* FHFT and FHFT_EXT show 8 of the 32 flex filters; FHFTSL says which. */
static uint32_t *flex_word(struct igc *c, const struct reg *row, unsigned index)
{
	unsigned filter = (c->s.fhftsl & 3) * 8 + (row->offset == R_FHFT_EXT ? 4 : 0) + index / 64;

	return &c->flex[filter][index % 64];
}

static uint32_t flex_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	return *flex_word(igc_of_dev(dev), row, index);
}

static void flex_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	uint32_t *word = flex_word(igc_of_dev(dev), row, index);

	(void)old;
	/* rows of 16 bytes: 8 of the pattern, 8 bits of the mask; the last dword controls the filter */
	if (index % 64 == FLEX_CONTROL || index % 4 < 2)
		*word = value;
	else if (index % 4 == 2)
		*word = value & 0xff;
}

/* --- transmit --- */

static void kick_all(struct igc *c)
{
	for (unsigned q = 0; q < IGC_QUEUES; q++)
		nic_kick(&c->nic, q);
}

static void tctl_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)index, (void)old;
	c->flow.wanted |= (value & TCTL_SWXOFF) != 0;
	kick_all(c);
	igc_note(c);
}

static void tx_tail_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)row, (void)value, (void)old;
	nic_kick(nic_of(dev), index);
}

static void tx_ring_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)value, (void)old;
	igc_launch_forget(c, index);
	nic_kick(&c->nic, index);
	igc_note(c);
}

static void tsn_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	UNUSED_WRITE;
	igc_tsn_changed(igc_of_dev(dev));
}

/* --- clock --- */

static uint32_t systiml_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct igc *c = igc_of_dev(dev);
	uint64_t now = igc_clock_now(c);

	UNUSED_READ;
	c->s.time.high = (uint32_t)(now / NS_PER_S);
	return (uint32_t)(now % NS_PER_S);
}

static void systiml_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);
	uint64_t now = igc_clock_now(c);

	(void)row, (void)index, (void)old;
	igc_clock_set(c, now - now % NS_PER_S + value % NS_PER_S);
}

static uint32_t systimh_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	UNUSED_READ;
	return igc_of_dev(dev)->s.time.high;
}

static void systimh_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)index, (void)old;
	c->s.time.high = value;
	igc_clock_set(c, value * NS_PER_S + igc_clock_now(c) % NS_PER_S);
}

static void timinca_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)index;
	c->s.time.timinca = old; /* what went by did so at the old rate */
	igc_clock_rate(c);
	c->s.time.timinca = value;
	igc_tsn_changed(c);
}

static void timadj_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);
	uint64_t now = igc_clock_now(c), by = value & (TIMADJ_METHOD - 1);

	(void)row, (void)index, (void)old;
	c->s.time.timadj = value & TIMADJ_METHOD; /* the amount is used up at once */
	if (by)
		igc_clock_set(c, value & TIMADJ_MINUS ? now - MIN(by, now) : now + by);
}

static void tsauxc_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	(void)row, (void)index;
	c->s.time.tsauxc = old;
	igc_clock_rate(c);
	c->s.time.tsauxc = value;
	igc_tsn_changed(c);
}

static void time_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct igc *c = igc_of_dev(dev);

	UNUSED_WRITE;
	igc_time_event(c, 0);
	igc_time_plan(c);
}

/* The second half of a stamp: reading it makes the register free for the next frame. */
static uint32_t txstmp_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct igc *c = igc_of_dev(dev);
	unsigned n = row->offset == R_TXSTMP0 ? 0 : 1 + (row->offset - R_TXSTMP1) / 0x20;

	if (index == 1)
		c->s.time.tsynctxctl &= ~BIT(n);
	return c->s.time.txstmp[n][index];
}

#define CLEAR(n, at, ...)                                                                          \
	{                                                                                          \
		.name = n, .offset = at, .kind = REG_CLEAR_R, .mask = ALL, __VA_ARGS__             \
	}
#define ALIAS(n, at, target, ...)                                                                  \
	{                                                                                          \
		.name = n, .offset = at, .kind = REG_ALIAS, .of = target, __VA_ARGS__              \
	}
#define QUEUE(n, base, at, bits, ...)                                                              \
	RW(n, base + at, bits, .stride = R_QUEUE_STRIDE, .count = IGC_QUEUES, __VA_ARGS__)
#define OLD_QUEUE(n, base, target, at)                                                             \
	ALIAS(n, base + at, target + at, .stride = R_OLD_STRIDE, .count = IGC_QUEUES)
#define STAMP(n, at, k) RO(n, at, .count = 2, .read = txstmp_read, STATE(time.txstmp[k]))

static const struct reg rows[] = {
	RW("CTRL", I_CTRL, ALL & ~(CTRL_RST | CTRL_DEV_RST | CTRL_PHY_RST),
	   .reset = CTRL_FD | CTRL_SLU, STATE(ctrl), .written = ctrl_written),
	ALIAS("CTRL (second address)", 0x0004, I_CTRL),
	RO("STATUS", I_STATUS, .read = status_read, .written = status_written),
	RW("EECD", I_EECD, EECD_SK | EECD_CS | EECD_DI | EECD_REQ, STATE(eecd), .read = eecd_read),
	RW("CTRL_EXT", I_CTRL_EXT, ALL & ~CTRL_EXT_EE_RST, STATE(ctrl_ext),
	   .written = ctrl_ext_written),
	RO("MDIC", I_MDIC, .reset = BIT(28), STATE(mdic), .written = mdic_written),
	RW("FCAL", I_FCAL, ALL, .reset = 0x00c28001, STATE(fcal)),
	RW("FCAH", I_FCAH, 0xffff, .reset = 0x0100, STATE(fcah)),
	RW("FCT", I_FCT, 0xffff, .reset = 0x8808, STATE(fct)),
	RW("CONNSW", I_CONNSW, 0x0f, STATE(connsw)),
	RW("VET", I_VET, ALL, .reset = 0x81008100, STATE(vet)),
	RW("TSSDP", R_TSSDP, 0x3ffff, STATE(time.tssdp)),
	RW("RCTL", I_RCTL, 0x06dfb3fe, STATE(rctl), .written = rctl_written),
	RW("FCTTV", I_FCTTV, 0xffff, STATE(fcttv)),
	RW("LTRC", R_LTRC, 0xff, STATE(ltrc)),
	RW("TCTL", I_TCTL, 0x13fffffa & ~TCTL_SWXOFF, .reset = TCTL_PSP, STATE(tctl),
	   .written = tctl_written),
	RW("TIPG", I_TIPG, 0x3fffffff, .reset = 0x00601008, STATE(tipg)),
	RW("RETX_CTL", R_RETX_CTL, ALL, .reset = 0x0f, STATE(retx)),
	RW("LEDCTL", I_LEDCTL, ALL, .reset = 0x00078406, STATE(ledctl)),
	RW("MDICNFG", R_MDICNFG, ALL, STATE(mdicnfg)),
	RW("PHPM", R_PHPM, 0xff, .reset = 0x12, STATE(phpm), .read = phpm_read),
	RW("EEER", R_EEER, 0x000f0000, STATE(eeer)),
	RW("EEE_SU", R_EEE_SU, ALL, .reset = 0x00001111, STATE(eee_su)),
	RW("IPCNFG", R_IPCNFG, 0x1f, STATE(ipcnfg)),

	INTEL_IRQ_ROWS_PF(struct igc_state, irq),
	INTEL_IRQ_ROWS(struct igc_state, irq, IGC_VECTORS, 2),

	RW("FCRTL", I_FCRTL, 0x8003fff0, STATE(fcrtl)),
	RW("FCRTH", I_FCRTH, 0x3fff0, STATE(fcrth)),
	RW("RXPBS", I_RXPBS, ALL, .reset = 0xa2, STATE(rxpbs)),
	RW("FCRTV", R_FCRTV, 0xffff, STATE(fcrtv)),
	RW("DMACR", R_DMACR, ALL, STATE(dmacr)),

	RW("TQAVCC", R_TQAVCC, 0x4000ffff, .stride = 0x40, .count = 2, STATE(tsn.tqavcc)),
	RW("TQAVHC", R_TQAVHC, ALL, .stride = 0x40, .count = 2, STATE(tsn.tqavhc)),
	RW("GTXOFFSET", R_GTXOFFSET, 0xffff, STATE(tsn.gtxoffset), .written = tsn_written),
	RW("BASET", R_BASET_L, ALL, .count = 2, STATE(tsn.baset), .written = tsn_written),
	RW("QBVCYCLET", R_QBVCYCLET, 0x3fffffff, .reset = NS_PER_S, STATE(tsn.cycle),
	   .written = tsn_written),
	RW("QBVCYCLET_S", R_QBVCYCLET_S, 0x3fffffff, STATE(tsn.cycle_s), .written = tsn_written),
	RW("STQT", R_STQT, 0x3fffffff, .count = IGC_QUEUES, STATE(tsn.stqt),
	   .written = tsn_written),
	RW("ENDQT", R_ENDQT, 0x3fffffff, .count = IGC_QUEUES, .reset = NS_PER_S, STATE(tsn.endqt),
	   .written = tsn_written),
	RW("TXQCTL", R_TXQCTL, 0xcf, .count = IGC_QUEUES, STATE(tsn.txqctl),
	   .written = tsn_written),
	RW("TXARB", R_TXARB, ALL & ~TXARB_BUSY, .reset = 0xe4, STATE(tsn.txarb)),
	RW("TXPBS", I_TXPBS, ALL, .reset = 0x04000014, STATE(txpbs)),
	RO("TDFH, TDFT, TDFHS, TDFTS, TDFPC", I_TDFH, .stride = 8, .count = 5),
	RW("DTXMXPKTSZ", R_DTXMXPKTSZ, 0x1ff, .reset = 0x98, STATE(tsn.dtxmxpktsz)),
	RW("TQAVCTRL", R_TQAVCTRL, 0xc0ff, STATE(tsn.tqavctrl), .written = tsn_written),

	INTEL_STATS_ROWS(struct igc_state, stats),
	CLEAR("IAC", 0x4100, STATE(irq.sent)),
	RO("RPTHC to ICTXATC", 0x4104, .count = 4),
	RO("HGPTC to LENERRS", 0x4118, .count = 9),
	RO("TLPIC, RLPIC", 0x4148, .count = 2),

	RW("RXCSUM", I_RXCSUM, 0x3fff, .reset = RXCSUM_IPOFL | RXCSUM_TUOFL, STATE(rxcsum)),
	RW("RLPML", I_RLPML, 0x3fff, .reset = 0x2600, STATE(rlpml)),
	RW("RFCTL", I_RFCTL, ALL, STATE(rfctl)),
	RW("MTA", I_MTA, ALL, .count = 128, STATE(filter.mta)),
	RW("RAL", I_RA, ALL, .stride = 8, .count = IGC_ADDRESSES, EACH(filter.ra, low)),
	RW("RAH", I_RA + 4, RAH_WRITE, .stride = 8, .count = IGC_ADDRESSES, EACH(filter.ra, high)),
	RW("PSRTYPE", I_PSRTYPE, ALL, .count = IGC_QUEUES, STATE(psrtype)),
	RW("VLANPQF", R_VLANPQF, ALL, STATE(vlanpqf)),
	RW("SYNQF", I_SYNQF, 0xf, STATE(synqf)),
	RW("VFTA", I_VFTA, ALL, .count = 128, STATE(filter.vfta)),
	RW("WUC", I_WUC, 0x1f, STATE(wuc)),
	RW("FHFTSL", R_FHFTSL, 3, STATE(fhftsl)),
	RW("WUFC", I_WUFC, 0x00ffffff, STATE(wufc)),
	RW("WUFC_EXT", R_WUFC_EXT, 0xffffff00, STATE(wufc_ext)),
	{ .name = "WUS", .offset = I_WUS, .kind = REG_W1C, .mask = ALL, STATE(wus) },
	{ .name = "WUS_EXT", .offset = R_WUS_EXT, .kind = REG_W1C, .mask = ALL, STATE(wus_ext) },
	RW("MRQC", I_MRQC, 0x01ff0007, STATE(rss.mrqc)),
	RO("MANC", I_MANC, STATE(manc)),
	RW("IPAV", I_IPAV, ALL, STATE(ipav)),
	RW("WUPL", I_WUPL, 0xfff, STATE(wupl)),
	RW("TTQF", R_TTQF, ALL, .count = IGC_TUPLE_COUNT, STATE(ttqf)),
	RO("WUPM", I_WUPM, .count = 32),
	RW("IMIR", I_IMIR, 0xe003ffff, .count = IGC_TUPLE_COUNT, STATE(imir)),
	RW("IMIREXT", I_IMIREXT, 0xfffff, .count = IGC_TUPLE_COUNT, STATE(imirext)),
	RW("GCR", I_GCR, ALL, STATE(gcr)),
	RO("FACTPS", I_FACTPS),
	RW("SWSM", I_SWSM, SWSM_SMBI | SWSM_SWESMBI, STATE(swsm), .read = swsm_read),
	RO("FWSM", I_FWSM),
	RW("SW_FW_SYNC", I_SW_FW_SYNC, 0xffff, STATE(sw_fw_sync)),
	WO("PBACL", R_PBACL),
	RW("LTRMINV", R_LTRMINV, 0xffff, STATE(ltrmin)),
	RW("LTRMAXV", R_LTRMAXV, 0xffff, STATE(ltrmax)),
	RW("RETA", I_RETA, ALL, .count = 32, STATE(rss.reta)),
	RW("RSSRK", I_RSSRK, ALL, .count = 10, STATE(rss.key), .written = rssrk_written),
	RW("ETQF", I_ETQF, 0xe407ffff, .count = IGC_ETQF_COUNT, STATE(etqf)),
	RW("TSYNCRXCFG", I_TSYNCRXCFG, 0xffff, STATE(time.tsyncrxcfg)),
	RO("FHFT", R_FHFT, .count = 256, .read = flex_read, .written = flex_written),
	RO("FHFT_EXT", R_FHFT_EXT, .count = 256, .read = flex_read, .written = flex_written),
	RW("UTA", I_UTA, ALL, .count = 128, STATE(uta)),

	RO("SYSTIML", I_SYSTIML, .read = systiml_read, .written = systiml_written),
	RO("SYSTIMH", I_SYSTIMH, .read = systimh_read, .written = systimh_written),
	RW("TIMINCA", I_TIMINCA, ALL, STATE(time.timinca), .written = timinca_written),
	RW("TIMADJ", R_TIMADJ, TIMADJ_METHOD, STATE(time.timadj), .written = timadj_written),
	RW("TSYNCTXCTL", I_TSYNCTXCTL, 0xf030, STATE(time.tsynctxctl)),
	STAMP("TXSTMP0", R_TXSTMP0, 0),
	RW("TSYNCRXCTL", I_TSYNCRXCTL, 0x43e, STATE(time.tsyncrxctl)),
	RO("RXSTMP", I_RXSTMPL, .count = 2, STATE(time.rxstmp)),
	RW("TSAUXC", I_TSAUXC, ALL, STATE(time.tsauxc), .written = tsauxc_written),
	RW("TRGTTIM", I_TRGTTIM, ALL, .count = 2 * IGC_TARGETS, STATE(time.trgttim),
	   .written = time_written),
	RW("FREQOUT", R_FREQOUT, 0x3fffffff, .count = 2, STATE(time.freqout)),
	RO("AUXSTMP", R_AUXSTMP, .count = 4),
	CLEAR("TSICR", R_TSICR, STATE(time.tsicr)),
	RW("TSIM", R_TSIM, TSI_ALL, STATE(time.tsim), .written = time_written),
	STAMP("TXSTMP1", R_TXSTMP1, 1),
	STAMP("TXSTMP2", R_TXSTMP2, 2),
	STAMP("TXSTMP3", R_TXSTMP3, 3),
	RO("SYSTIMR", R_SYSTIMR),

	QUEUE("RDBAL", I_RX_QUEUE, I_RING_BAL, 0xffffff80, EACH(rx, ring.bal),
	      .written = rx_ring_written),
	QUEUE("RDBAH", I_RX_QUEUE, I_RING_BAH, ALL, EACH(rx, ring.bah), .written = rx_ring_written),
	QUEUE("RDLEN", I_RX_QUEUE, I_RING_LEN, 0xfff80, EACH(rx, ring.len),
	      .written = rx_ring_written),
	QUEUE("SRRCTL", I_RX_QUEUE, I_RING_SRRCTL, 0xde1fffff | 7u << 25, .reset = 0x402,
	      EACH(rx, srrctl)),
	QUEUE("RDH", I_RX_QUEUE, I_RING_HEAD, 0xffff, EACH(rx, ring.head)),
	QUEUE("RXCTL", I_RX_QUEUE, I_RING_DCA, ALL, EACH(rx, dca)),
	QUEUE("RDT", I_RX_QUEUE, I_RING_TAIL, 0xffff, EACH(rx, ring.tail),
	      .written = rx_tail_written),
	QUEUE("RXDCTL", I_RX_QUEUE, I_RING_CTL, 0x021f1f1f, EACH(rx, ring.ctl),
	      .written = rx_ring_written),
	CLEAR("RQDPC", I_RX_QUEUE + I_RING_RQDPC, .stride = R_QUEUE_STRIDE, .count = IGC_QUEUES,
	      EACH(rx, dropped)),
	OLD_QUEUE("RDBAL (old address)", I_RX_RING, I_RX_QUEUE, I_RING_BAL),
	OLD_QUEUE("RDBAH (old address)", I_RX_RING, I_RX_QUEUE, I_RING_BAH),
	OLD_QUEUE("RDLEN (old address)", I_RX_RING, I_RX_QUEUE, I_RING_LEN),
	OLD_QUEUE("SRRCTL (old address)", I_RX_RING, I_RX_QUEUE, I_RING_SRRCTL),
	OLD_QUEUE("RDH (old address)", I_RX_RING, I_RX_QUEUE, I_RING_HEAD),
	OLD_QUEUE("RXCTL (old address)", I_RX_RING, I_RX_QUEUE, I_RING_DCA),
	OLD_QUEUE("RDT (old address)", I_RX_RING, I_RX_QUEUE, I_RING_TAIL),
	OLD_QUEUE("RXDCTL (old address)", I_RX_RING, I_RX_QUEUE, I_RING_CTL),

	QUEUE("TDBAL", I_TX_QUEUE, I_RING_BAL, 0xffffff80, EACH(tx, ring.bal),
	      .written = tx_ring_written),
	QUEUE("TDBAH", I_TX_QUEUE, I_RING_BAH, ALL, EACH(tx, ring.bah), .written = tx_ring_written),
	QUEUE("TDLEN", I_TX_QUEUE, I_RING_LEN, 0xfff80, EACH(tx, ring.len),
	      .written = tx_ring_written),
	QUEUE("TDH", I_TX_QUEUE, I_RING_HEAD, 0xffff, EACH(tx, ring.head)),
	QUEUE("TXCTL", I_TX_QUEUE, I_RING_DCA, ALL, EACH(tx, dca)),
	QUEUE("TDT", I_TX_QUEUE, I_RING_TAIL, 0xffff, EACH(tx, ring.tail),
	      .written = tx_tail_written),
	QUEUE("TXDCTL", I_TX_QUEUE, I_RING_CTL, 0x0a1f1f1f, EACH(tx, ring.ctl),
	      .written = tx_ring_written),
	QUEUE("TDWBAL", I_TX_QUEUE, I_RING_TDWBAL, ALL, EACH(tx, wbal)),
	QUEUE("TDWBAH", I_TX_QUEUE, I_RING_TDWBAH, ALL, EACH(tx, wbah)),
	OLD_QUEUE("TDBAL (old address)", I_TX_RING, I_TX_QUEUE, I_RING_BAL),
	OLD_QUEUE("TDBAH (old address)", I_TX_RING, I_TX_QUEUE, I_RING_BAH),
	OLD_QUEUE("TDLEN (old address)", I_TX_RING, I_TX_QUEUE, I_RING_LEN),
	OLD_QUEUE("TDH (old address)", I_TX_RING, I_TX_QUEUE, I_RING_HEAD),
	OLD_QUEUE("TXCTL (old address)", I_TX_RING, I_TX_QUEUE, I_RING_DCA),
	OLD_QUEUE("TDT (old address)", I_TX_RING, I_TX_QUEUE, I_RING_TAIL),
	OLD_QUEUE("TXDCTL (old address)", I_TX_RING, I_TX_QUEUE, I_RING_CTL),

	RO("EERD", R_EERD, STATE(eerd), .written = eerd_written),
	RO("EEWR", R_EEWR, STATE(eewr), .written = eewr_written),
	RO("PTM (absent)", R_PTM_CTRL, .count = 22),
};

struct reg_space igc_space = {
	.name = "igc",
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.size = IGC_BAR_SIZE,
	.granule = 4,
};
