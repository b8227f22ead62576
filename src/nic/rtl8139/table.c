/* table.c - the registers as rows, and what follows an access for those that have a side effect.
 *
 * The C+ rows come last: the RTL8139C's table is the same one, only shorter.
 */
#include "base/bytes.h"
#include "nic/rtl8139/rtl8139.h"

#define STATE(member) REG_STATE(struct rtl8139_state, member)
#define KEPT(member)  REG_STATE(struct rtl8139_state, kept.member)

static struct rtl8139 *of(struct pci_device *dev)
{
	return rtl8139_of_pci(dev);
}

/* --- commands, configuration --- */

static uint32_t cr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	return r->s.cr | (rtl8139_rx_empty(r) ? CR_BUFE : 0);
}

static void cr_written(struct pci_device *dev, const struct reg *row, unsigned index,
		       uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	r->nic.notes.status_dirty = true;
	if (value & CR_RST) {
		rtl8139_soft_reset(r, old);
		return; /* the enable bits of the same write are lost with the reset */
	}
	if (r->s.cr & (CR_RE | CR_TE))
		r->was_running = true;
	if ((r->s.cr & CR_RE) && !(old & CR_RE))
		rtl8139_rx_restart(r);
	rtl8139_note_service(r, false);
	if (!(r->s.cr & CR_RE) && (old & CR_RE)) {
		rtl8139_rx_stop(r);
		r->served = false;
	}
	if ((r->s.cr & CR_TE) && !(old & CR_TE))
		rtl8139_tx_restart(r);
}

static bool config_open(const struct rtl8139 *r)
{
	return (r->s.kept.cfg9346 & EE_MODE) == EE_MODE_CONFIG;
}

static uint32_t cfg9346_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	return r->s.kept.cfg9346 | (r->eeprom.pins.out ? EE_DO : 0);
}

static void cfg9346_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);
	uint8_t now = r->s.kept.cfg9346;

	(void)row;
	(void)index;
	(void)value;
	/* leaving the programming mode lets the pins go */
	bool program = (now & EE_MODE) == EE_MODE_PROGRAM;
	if (program || (old & EE_MODE) == EE_MODE_PROGRAM)
		microwire_pins(&r->eeprom.pins, r->eeprom.word, program && (now & EE_CS),
			       program && (now & EE_SK), now & EE_DI);
	if ((now & EE_MODE) == EE_MODE_LOAD) {
		rtl8139_load_eeprom(r);
		r->s.kept.cfg9346 = 0; /* back to normal by itself */
	}
}

static void config_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	(void)value;
	if (!config_open(r)) {
		reg_store(dev, row, index, old);
		return;
	}
	if (row->offset == R_CONFIG1 && (r->s.kept.config1 & CONFIG1_DVRLOAD)) {
		r->driver_bit = true;
		r->nic.notes.status_dirty = true;
	}
}

static void cpcr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);
	uint16_t risen = (uint16_t)(r->s.cpcr & ~old);

	(void)row;
	(void)index;
	(void)value;
	r->nic.notes.status_dirty = true;
	if (risen & CPCR_TX)
		rtl8139_tx_restart(r);
	if ((r->s.cpcr ^ old) & CPCR_RX)
		rtl8139_rx_restart(r);
}

/* --- interrupts, timer --- */

static uint32_t isr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	rtl8139_flush_sent(r);
	rtl8139_note_service(r, true);
	rtl8139_rx_look(r);
	r->isr_unseen = 0;
	r->isr_kept = 0;
	return r->s.isr;
}

static void isr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	r->s.isr = (uint16_t)old; /* not all of what was acknowledged may go */
	rtl8139_acknowledge(r, (uint16_t)value);
	rtl8139_rx_look(r);
}

static void imr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	(void)value;
	rtl8139_note_service(r, false);
	rtl8139_unmask(r, (uint16_t)(r->s.imr & ~old));
	rtl8139_rx_look(r);
}

static uint32_t tctr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	return (uint32_t)((nic_now(&r->nic) - r->timer_base_ns) / TIMER_TICK_NS);
}

static void tctr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	(void)value;
	(void)old;
	r->timer_base_ns = nic_now(&r->nic); /* any value: counting begins at 0 */
	rtl8139_timer_plan(r);
}

static void timerint_written(struct pci_device *dev, const struct reg *row, unsigned index,
			     uint32_t value, uint32_t old)
{
	(void)row;
	(void)index;
	(void)value;
	(void)old;
	rtl8139_timer_plan(of(dev));
}

/* --- transmit --- */

/* The first two TSD are DTCCR while C+ transmission is on; also while transmission is off altogether, for drivers read
 * the counters of a card that they have stopped. */
static bool tally_mode(const struct rtl8139 *r)
{
	return r->cplus && (tx_cplus(r) || !(r->s.cr & CR_TE));
}

static uint32_t tsd_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	if (index < 2 && tx_cplus(r)) {
		rtl8139_dump_tally(r);
		return r->s.dtccr[index];
	}
	return r->s.tsd[index];
}

static void tsd_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	if (index < 2 && tally_mode(r)) {
		reg_store(dev, row, index, old);
		r->s.dtccr[index] = value;
		rtl8139_dump_tally(r);
		return;
	}
	r->s.tsd[index] = value & TSD_WRITE; /* a new job: status bits begin at 0 */
	if (!(value & TSD_OWN) && (r->s.cr & CR_TE) && !tx_cplus(r))
		nic_kick(&r->nic, 0);
}

static void tsad_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)value;
	(void)old;
	if (r->cplus)
		r->tx_at[index < 2 ? RING_NORMAL : RING_HIGH] = 0;
}

/* Bits 3:0 OWN, 7:4 TABT, 11:8 TUN, 15:12 TOK of the four slots. */
static uint32_t tsasd_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	static const uint32_t status[] = { TSD_OWN, TSD_TABT, TSD_TUN, TSD_TOK };
	struct rtl8139 *r = of(dev);
	uint32_t value = 0;

	(void)row;
	(void)index;
	for (unsigned kind = 0; kind < ARRAY_SIZE(status); kind++)
		for (unsigned slot = 0; slot < TX_SLOTS; slot++)
			if (r->s.tsd[slot] & status[kind])
				value |= 1u << (4 * kind + slot);
	return value;
}

static uint32_t tcr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	return r->s.tcr | (r->cplus ? TCR_ID_CPLUS : TCR_ID_C);
}

static void tppoll_written(struct pci_device *dev, const struct reg *row, unsigned index,
			   uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	(void)old;
	r->tx_poll |= value & (TPPOLL_NPQ | TPPOLL_HPQ);
	if (r->tx_poll)
		nic_kick(&r->nic, 0);
	if (value & TPPOLL_SWI)
		rtl8139_raise(r, INT_SW);
}

/* --- receive --- */

static void rbstart_written(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old)
{
	(void)row;
	(void)index;
	(void)value;
	(void)old;
	rtl8139_rx_restart(of(dev));
	of(dev)->nic.notes.status_dirty = true;
}

static void rdsar_written(struct pci_device *dev, const struct reg *row, unsigned index,
			  uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	(void)value;
	(void)old;
	r->rx_at = 0;
	r->rx_given = false;
	r->nic.notes.status_dirty = true;
}

static void capr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	(void)row;
	(void)index;
	(void)value;
	(void)old;
	rtl8139_rx_look(of(dev));
}

static void rcr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	(void)row;
	(void)index;
	(void)value;
	(void)old;
	rtl8139_rx_look(of(dev));
}

static void mpc_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	(void)row;
	(void)index;
	(void)value;
	(void)old;
	of(dev)->s.mpc = 0; /* any value clears */
}

/* --- PHY --- */

static void bmcr_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	if (value & BMCR_RESET) {
		r->s.kept.bmcr = BMCR_DEFAULT;
		r->s.kept.anar = AN_ALL;
		return;
	}
	/* reset and restart clear themselves; speed, duplex and negotiation need the configuration lock open */
	if (!config_open(r))
		r->s.kept.bmcr = (uint16_t)((r->s.kept.bmcr & ~BMCR_LOCKED) | (old & BMCR_LOCKED));
}

static uint32_t bmsr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct rtl8139 *r = of(dev);
	uint32_t value = BMSR_ABLE;

	(void)row;
	(void)index;
	if (r->nic.link_up) {
		value |= r->s.kept.bmcr & BMCR_ANE ? BMSR_DONE : 0;
		value |= r->link_fell ? 0 : BMSR_LINK; /* a lost link is shown once */
	}
	r->link_fell = false;
	return value;
}

static bool negotiated(const struct rtl8139 *r)
{
	return r->nic.link_up && (r->s.kept.bmcr & BMCR_ANE);
}

static uint32_t anlpar_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row;
	(void)index;
	return negotiated(of(dev)) ? AN_ALL | AN_ACK : 0;
}

static uint32_t aner_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row;
	(void)index;
	return negotiated(of(dev)) ? ANER_PARTNER | ANER_PAGE : 0;
}

static bool speed_100(const struct rtl8139 *r)
{
	const struct rtl8139_kept *k = &r->s.kept;

	return k->bmcr & BMCR_ANE ? (k->anar & (AN_100 | AN_100FD)) != 0
				  : (k->bmcr & BMCR_SPEED_100) != 0;
}

static uint32_t msr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct rtl8139 *r = of(dev);

	(void)row;
	(void)index;
	rtl8139_rx_look(r); /* iPXE asks for the link right after it gave its buffers */
	return r->s.kept.msr | MSR_AUX | (r->nic.link_up ? 0 : MSR_LINKB) |
	       (speed_100(r) ? 0 : MSR_SPEED_10);
}

static uint32_t cscr_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct rtl8139 *r = of(dev);
	uint32_t value = r->s.kept.cscr | (r->nic.link_up ? CSCR_LINK_OK | CSCR_CONNECTED : 0);

	(void)row;
	(void)index;
	r->s.kept.cscr &= (uint16_t)~CSCR_CHANGED; /* told once */
	return value;
}

#define RW(n, at, w, bits, ...)                                                                    \
	{                                                                                          \
		.name = n, .offset = at, .width = w, .kind = REG_RW, .mask = bits, __VA_ARGS__     \
	}
#define RO(n, at, w, ...)                                                                          \
	{                                                                                          \
		.name = n, .offset = at, .width = w, .kind = REG_RO, __VA_ARGS__                   \
	}
#define WO(n, at, w, ...)                                                                          \
	{                                                                                          \
		.name = n, .offset = at, .width = w, .kind = REG_WO, __VA_ARGS__                   \
	}

static const struct reg rows[] = {
	RW("IDR", R_IDR, 1, 0xff, .count = 6, KEPT(idr)),
	RO("reserved", 0x06, 2),
	RW("MAR", R_MAR, 1, 0xff, .count = 8, KEPT(mar)),
	RW("TSD, C+: DTCCR", R_TSD, 4, TSD_WRITE, .count = TX_SLOTS, .reset = TSD_OWN, STATE(tsd),
	   .read = tsd_read, .written = tsd_written),
	RW("TSAD, C+: TNPDS and THPDS", R_TSAD, 4, 0xffffffffu, .count = TX_SLOTS, STATE(tsad),
	   .written = tsad_written),
	RW("RBSTART", R_RBSTART, 4, 0xffffffffu, STATE(rbstart), .written = rbstart_written),
	RO("ERBCR", R_ERBCR, 2),
	RO("ERSR", R_ERSR, 1),
	RW("CR", R_CR, 1, CR_RE | CR_TE, STATE(cr), .read = cr_read, .written = cr_written),
	RW("CAPR", R_CAPR, 2, 0xffff, .reset = 0xfff0, STATE(capr), .written = capr_written),
	RO("CBR", R_CBR, 2, STATE(cbr)),
	RW("IMR", R_IMR, 2, INT_ALL, STATE(imr), .written = imr_written),
	{ .name = "ISR",
	  .offset = R_ISR,
	  .width = 2,
	  .kind = REG_W1C,
	  .mask = INT_ALL,
	  STATE(isr),
	  .read = isr_read,
	  .written = isr_written },
	RW("TCR", R_TCR, 4, TCR_WRITE, .reset = 0x03000000u, STATE(tcr), .read = tcr_read),
	RW("RCR", R_RCR, 4, RCR_WRITE, STATE(rcr), .written = rcr_written),
	RO("TCTR", R_TCTR, 4, .read = tctr_read, .written = tctr_written),
	RO("MPC", R_MPC, 4, STATE(mpc), .written = mpc_written),
	RW("9346CR", R_9346CR, 1, EE_MODE | EE_CS | EE_SK | EE_DI, KEPT(cfg9346),
	   .read = cfg9346_read, .written = cfg9346_written),
	RO("CONFIG0", R_CONFIG0, 1),
	RW("CONFIG1", R_CONFIG1, 1, CONFIG1_WRITE,
	   .reset = CONFIG1_MEMMAP | CONFIG1_IOMAP | CONFIG1_PMEN, KEPT(config1),
	   .written = config_written),
	RO("reserved", 0x53, 1),
	RW("TIMERINT", R_TIMERINT, 4, 0xffffffffu, STATE(timerint), .written = timerint_written),
	RW("MSR", R_MSR, 1, MSR_FLOW, KEPT(msr), .read = msr_read),
	RW("CONFIG3", R_CONFIG3, 1, CONFIG3_WRITE, .reset = 0x01, KEPT(config3),
	   .written = config_written),
	RW("CONFIG4", R_CONFIG4, 1, CONFIG4_WRITE, KEPT(config4), .written = config_written),
	WO("HLTCLK", R_HLTCLK, 1),
	RW("MULINT", R_MULINT, 2, 0x0fff, STATE(mulint)),
	RO("RERID", R_RERID, 1, .reset = 0x10),
	RO("reserved", 0x5f, 1),
	RO("TSAD (summary)", R_TSASD, 2, .read = tsasd_read),
	RW("BMCR", R_BMCR, 2, BMCR_LOCKED, .reset = BMCR_DEFAULT, KEPT(bmcr),
	   .written = bmcr_written),
	RO("BMSR", R_BMSR, 2, .read = bmsr_read),
	RW("ANAR", R_ANAR, 2, 0xbfff, .reset = AN_ALL, KEPT(anar)),
	RO("ANLPAR", R_ANLPAR, 2, .read = anlpar_read),
	RO("ANER", R_ANER, 2, .read = aner_read),
	RO("DIS", R_DIS, 2),
	RO("FCSC", R_FCSC, 2),
	RW("NWAYTR", R_NWAYTR, 2, 0x00ff, KEPT(nwaytr)),
	RO("REC", R_REC, 2),
	RW("CSCR", R_CSCR, 2, CSCR_WRITE, .reset = CSCR_DEFAULT, KEPT(cscr), .read = cscr_read),
	RO("reserved", 0x76, 2),
	RW("PHY1_PARM", R_PHY1, 4, 0xffffffffu, KEPT(phy1)),
	RW("TW_PARM", R_TW, 4, 0xffffffffu, KEPT(tw)),
	RW("PHY2_PARM", R_PHY2, 1, 0xff, KEPT(phy2)),
	RO("reserved", 0x81, 1),
	RO("TDOKLA", R_TDOKLA, 2, STATE(tdokla)),
	RW("CRC0-7", R_CRC, 1, 0xff, .count = 8, KEPT(crc)),
	RW("WAKEUP0-7", R_WAKEUP, 1, 0xff, .count = 64, KEPT(wakeup)),
	RW("LSBCRC0-7", R_LSBCRC, 1, 0xff, .count = 8, KEPT(lsbcrc)),
	RW("FLASH", R_FLASH, 4, 0xffffffffu, KEPT(flash)),
	RW("CONFIG5", R_CONFIG5, 1, CONFIG5_WRITE, KEPT(config5)),
	/* from here on: RTL8139C+ */
	WO("TPPOLL", R_TPPOLL, 1, .written = tppoll_written),
	RO("RMS (RTL8169 only)", R_RMS, 2),
	RW("CPCR", R_CPCR, 2, CPCR_WRITE, STATE(cpcr), .written = cpcr_written),
	RO("reserved", 0xe2, 2),
	RW("RDSAR", R_RDSAR, 4, 0xffffffffu, .count = 2, STATE(rdsar), .written = rdsar_written),
	RW("ETTHR", R_ETTHR, 1, 0x3f, STATE(etthr)),
};

#define CPLUS_ROWS 6u

struct reg_space rtl8139_c_space = {
	.name = "rtl8139c",
	.rows = rows,
	.count = ARRAY_SIZE(rows) - CPLUS_ROWS,
	.size = RTL8139_BAR_SIZE,
	.granule = 1,
};

struct reg_space rtl8139_cplus_space = {
	.name = "rtl8139c+",
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.size = RTL8139_BAR_SIZE,
	.granule = 1,
};
