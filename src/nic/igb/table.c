/* table.c - the registers of the 82576 (datasheet 8). Rows without a callback are storage for the driver. */
#include "nic/igb/igb.h"
#include "nic/intel/rows.h"

#define STATE(member) REG_STATE(struct igb_state, member)

/* A register that keeps what a driver writes. */
#define PLAIN(text, at, bits, init, member)                                                        \
	{                                                                                          \
		.name = text, .offset = (at), .kind = REG_RW, .mask = (bits), .reset = (init),     \
		STATE(member)                                                                      \
	}
/* ... of `n`. */
#define PLAINS(text, at, n, bits, member)                                                          \
	{                                                                                          \
		.name = text, .offset = (at), .count = (n), .kind = REG_RW, .mask = (bits),        \
		STATE(member)                                                                      \
	}
/* One register of each receive or transmit queue. */
#define QUEUES(text, at, bits, side, member)                                                       \
	{                                                                                          \
		.name = text, .offset = (at), .stride = 0x40, .count = IGB_QUEUES, .kind = REG_RW, \
		.mask = (bits), REG_STATE_EACH(struct igb_state, side, member)                     \
	}
#define QUEUES_DO(text, at, bits, side, member, fn)                                                \
	{                                                                                          \
		.name = text, .offset = (at), .stride = 0x40, .count = IGB_QUEUES, .kind = REG_RW, \
		.mask = (bits), REG_STATE_EACH(struct igb_state, side, member), .written = fn      \
	}
/* The first four queues of a row at 0x2800 and 0x3800 too, where the 82575 had them. */
#define OLD(text, at, where)                                                                       \
	{                                                                                          \
		.name = text " (old address)", .offset = (where), .stride = 0x100, .count = 4,     \
		.kind = REG_ALIAS, .of = (at)                                                      \
	}
/* Read-only: what is read does not change. */
#define FIXED(text, at, value)                                                                     \
	{                                                                                          \
		.name = text, .offset = (at), .kind = REG_RO, .reset = (value)                     \
	}

static const struct reg rows[] = {
	RW("CTRL", I_CTRL, 0x5bf43bedu, .reset = CTRL_FD | CTRL_SLU, STATE(ctrl),
	   .written = igb_ctrl_written),
	RO("STATUS", I_STATUS, .read = igb_status_read),
	{ .name = "EECD",
	  .offset = I_EECD,
	  .kind = REG_RW,
	  .mask = EECD_SK | EECD_CS | EECD_DI | EECD_REQ | 0x30,
	  .reset = 0x10, /* flash writes are off */
	  STATE(eecd),
	  .read = igb_eecd_read,
	  .written = igb_eecd_written },
	RO("EERD", I_EERD, STATE(eerd), .written = igb_eerd_written),
	RW("CTRL_EXT", I_CTRL_EXT, 0x1cffdfffu, STATE(ctrl_ext), .written = igb_ctrl_ext_written),
	RO("MDIC", I_MDIC, STATE(mdic), .written = igb_mdic_written),
	PLAIN("SCTL", R_SCTL, 0xffffu, 0, sctl),
	PLAIN("FCAL", I_FCAL, ALL, 0x00c28001u, fcal),
	PLAIN("FCAH", I_FCAH, 0xffffu, 0x0100u, fcah),
	PLAIN("FCT", I_FCT, 0xffffu, 0x8808u, fct),
	PLAIN("CONNSW", I_CONNSW, 0x1fu, 0, connsw),
	PLAIN("VET", I_VET, ALL, 0x81008100u, vet),
	{ .name = "ITR", .offset = I_ITR, .kind = REG_ALIAS, .of = 0x1680 },
	RW("RCTL", I_RCTL, 0x04dfb0feu, STATE(rctl), .written = igb_rctl_written),
	PLAIN("FCTTV", I_FCTTV, 0xffffu, 0, fcttv),
	PLAIN("TXCW", I_TXCW, 0xc000ffffu, 0, txcw),
	RW("TCTL", I_TCTL, 0x1f7ffffau & ~TCTL_SWXOFF, .reset = TCTL_PSP | 0x0003f0f0u, STATE(tctl),
	   .written = igb_tctl_written),
	PLAIN("TCTL_EXT", I_TCTL_EXT, 0xffffu, 0x40u, tctl_ext),
	PLAIN("TIPG", I_TIPG, 0x3fffffffu, 0x00601008u, tipg),
	PLAIN("AIT", I_AIT, 0xffffu, 0, ait),
	PLAINS("VMBMEM", R_VMBMEM, IGB_POOLS * 16, ALL, mailbox),
	PLAINS("P2VMAILBOX", R_P2VMAILBOX, IGB_POOLS, 0xcu, p2vmailbox),
	{ .name = "MBVFICR",
	  .offset = R_MBVFICR,
	  .kind = REG_W1C,
	  .mask = 0x00ff00ffu,
	  STATE(mbvficr) },
	PLAIN("MBVFIMR", R_MBVFIMR, 0xffu, 0, mbvfimr),
	{ .name = "VFLRE", .offset = R_VFLRE, .kind = REG_W1C, .mask = 0xffu, STATE(vflre) },
	PLAIN("VFRE", R_VFRE, 0xffu, 0xffu, vfre),
	PLAIN("VFTE", R_VFTE, 0xffu, 0xffu, vfte),
	PLAIN("LEDCTL", I_LEDCTL, 0xdfdfdfdfu, 0x07068302u & 0xdfdfdfdfu, ledctl),
	PLAIN("PBA", I_PBA, 0xffffu, 0x22u, pba),
	PLAIN("PBS", R_PBS, 0xffffu, 0, pbs),
	FIXED("EEMNGCTL", I_EEMNGCTL, EEMNGCTL_CFG_DONE),
	PLAIN("I2CCMD", R_I2CCMD, 0x0fffffffu, 0, i2ccmd),
	RO("FRTIMER", R_FRTIMER, .read = igb_frtimer_read),
	PLAIN("TCPTIMER", R_TCPTIMER, 0x7ffu, 0, tcptimer),
	INTEL_IRQ_ROWS_PF(struct igb_state, irq),
	INTEL_IRQ_ROWS(struct igb_state, irq, IGB_VECTORS, 8),
	PLAIN("FCRTL", I_FCRTL, 0x8001fff0u, 0, fcrtl),
	PLAIN("FCRTH", I_FCRTH, 0x0001fff0u, 0, fcrth),
	PLAIN("RXPBS", I_RXPBS, 0x7fu, 0x40u, rxpbs),
	PLAIN("QDE", R_QDE, 0xffffu, 0, qde),
	PLAIN("FCRTV", R_FCRTV, 0xffffu, 0, fcrtv),
	PLAIN("TXPBS", I_TXPBS, 0x7fu, 0x28u, txpbs),
	PLAIN("DTXSWC", R_DTXSWC, 0x80ffffffu, 0, dtxswc),
	PLAIN("LVMMC", R_LVMMC, ALL, 0, lvmmc),
	{ .name = "WVBR", .offset = R_WVBR, .kind = REG_CLEAR_R, .mask = ALL, STATE(wvbr) },
	PLAIN("DTXCTL", R_DTXCTL, ALL, 0, dtxctl),
	PLAINS("VMVIR", R_VMVIR, IGB_POOLS, 0xc000ffffu, vmvir),
	INTEL_STATS_ROWS(struct igb_state, stats),
	{ .name = "IAC", .offset = R_IAC, .kind = REG_CLEAR_R, .mask = ALL, STATE(irq.sent) },
	INTEL_STAT_ROW(struct igb_state, stats, "RPTHC", R_RPTHC),
	INTEL_STAT_ROW(struct igb_state, stats, "DBTTXC", 0x4108),
	INTEL_STAT_ROW(struct igb_state, stats, "ICTXPTC", 0x410c),
	INTEL_STAT_ROW(struct igb_state, stats, "ICTXATC", 0x4110),
	INTEL_STAT_ROW(struct igb_state, stats, "HGPTC", R_HGPTC),
	INTEL_STAT_ROW(struct igb_state, stats, "RXDMTC", 0x4120),
	INTEL_STAT_ROW(struct igb_state, stats, "HTCBDPC", 0x4124),
	INTEL_STAT_PAIR_ROWS(struct igb_state, stats, "HGORC", R_HGORC),
	INTEL_STAT_PAIR_ROWS(struct igb_state, stats, "HGOTC", R_HGOTC),
	INTEL_STAT_ROW(struct igb_state, stats, "LENERRS", 0x4138),
	PLAIN("PCS_CFG", R_PCS_CFG, ALL, 0, pcs_cfg),
	PLAIN("PCS_LCTL", R_PCS_LCTL, ALL, 0, pcs_lctl),
	FIXED("PCS_LSTAT", R_PCS_LSTAT, 0),
	PLAIN("PCS_ANADV", R_PCS_ANADV, 0xffffu, 0, pcs_anadv),
	FIXED("SCVPC", 0x4228, 0),
	PLAIN("RXCSUM", I_RXCSUM, 0x3fffu, RXCSUM_IPOFL | RXCSUM_TUOFL, rxcsum),
	PLAIN("RLPML", I_RLPML, 0x3fffu, 0x2600u, rlpml),
	PLAIN("RFCTL", I_RFCTL, 0x000fffffu, 0, rfctl),
	PLAINS("MTA", I_MTA, 128, ALL, filter.mta),
	RW("RAL", I_RA, ALL, .stride = 8, .count = 16,
	   REG_STATE_EACH(struct igb_state, filter.ra, low)),
	RW("RAH", I_RA + 4, 0x83ffffffu, .stride = 8, .count = 16,
	   REG_STATE_EACH(struct igb_state, filter.ra, high)),
	PLAINS("PSRTYPE", I_PSRTYPE, IGB_POOLS, 0x7dfffu, psrtype),
	RW("RAL (16 to 23)", R_RA2, ALL, .stride = 8, .count = 8,
	   .state = offsetof(struct igb_state, filter.ra[16].low) + 1,
	   .state_size = 8 * sizeof(struct intel_address),
	   .state_step = sizeof(struct intel_address)),
	RW("RAH (16 to 23)", R_RA2 + 4, 0x83ffffffu, .stride = 8, .count = 8,
	   .state = offsetof(struct igb_state, filter.ra[16].high) + 1,
	   .state_size = 8 * sizeof(struct intel_address),
	   .state_step = sizeof(struct intel_address)),
	PLAIN("VLAPQF", R_VLAPQF, ALL, 0, vlapqf),
	PLAIN("SYNQF", I_SYNQF, 0xfu, 0, synqf),
	PLAINS("VFTA", I_VFTA, 128, ALL, filter.vfta),
	PLAIN("WUC", I_WUC, 0x7u, 0, wuc),
	PLAIN("WUFC", I_WUFC, 0x007fffffu, 0, wufc),
	{ .name = "WUS", .offset = I_WUS, .kind = REG_W1C, .mask = ALL, STATE(wus) },
	PLAIN("MRQC", I_MRQC, 0x03ff003fu, 0, rss.mrqc),
	PLAIN("VT_CTL", R_VT_CTL, 0x60000380u, 0, vt_ctl),
	PLAIN("MANC", I_MANC, 0x07ff0000u, 0, manc),
	PLAIN("IPAV", I_IPAV, 0x0001000fu, 0, ipav),
	RW("IP4AT", I_IP4AT, ALL, .stride = 8, .count = 4, STATE(ip4at)),
	PLAINS("IP6AT", I_IP6AT, 4, ALL, ip6at),
	PLAIN("WUPL", I_WUPL, 0xfffu, 0, wupl),
	PLAINS("SAQF", R_SAQF, IGB_FILTERS, ALL, saqf),
	PLAINS("DAQF", R_DAQF, IGB_FILTERS, ALL, daqf),
	PLAINS("SPQF", R_SPQF, IGB_FILTERS, 0xffffu, spqf),
	PLAINS("FTQF", R_FTQF, IGB_FILTERS, 0xff0fffffu, ftqf),
	PLAINS("IMIR", I_IMIR, IGB_FILTERS, 0xe003ffffu, imir),
	PLAINS("IMIREXT", I_IMIREXT, IGB_FILTERS, 0x000fffffu, imirext),
	PLAIN("IMIRVP", R_IMIRVP, 0xfu, 0, imirvp),
	PLAIN("TXSWC", R_TXSWC, ALL, 0, txswc),
	PLAINS("VMOLR", R_VMOLR, IGB_POOLS, 0xff033fffu, vmolr),
	PLAIN("RPLOLR", R_RPLOLR, 0x40000000u, 0, rplolr),
	PLAIN("GCR", I_GCR, ALL, 0, gcr),
	FIXED("FACTPS", I_FACTPS, 0),
	PLAIN("GIOCTL", R_GIOCTL, ALL, 0, gioctl),
	PLAIN("CCMCTL", R_CCMCTL, ALL, 0, ccmctl),
	PLAIN("SCCTL", R_SCCTL, ALL, 0, scctl),
	RW("SWSM", I_SWSM, 0x3u, STATE(swsm), .read = igb_swsm_read),
	FIXED("FWSM", I_FWSM, 0),
	PLAIN("SW_FW_SYNC", I_SW_FW_SYNC, ALL, 0, sw_fw_sync),
	FIXED("DCA_ID", R_DCA_ID, 0),
	PLAIN("DCA_CTRL", R_DCA_CTRL, 0x1fu, 1, dca_ctrl),
	PLAIN("IOVTCL", R_IOVTCL, ALL, 0, iovtcl),
	PLAINS("RETA", I_RETA, 32, 0x0f0f0f0fu, rss.reta),
	RW("RSSRK", I_RSSRK, ALL, .count = 10, STATE(rss.key), .written = igb_rssrk_written),
	PLAINS("ETQF", I_ETQF, IGB_FILTERS, 0xe7ffffffu, etqf),
	PLAINS("VLVF", R_VLVF, IGB_VLVFS, 0x801fffffu, vlvf),
	PLAIN("TSYNCRXCFG", I_TSYNCRXCFG, ALL, 0, tsyncrxcfg),
	PLAINS("UTA", I_UTA, 128, ALL, uta),

	RO("SYSTIML", I_SYSTIML, .read = igb_systim_read, .written = igb_systim_written),
	RO("SYSTIMH", I_SYSTIMH, .read = igb_systim_read, .written = igb_systim_written),
	RO("TIMINCA", I_TIMINCA, STATE(clock.timinca), .written = igb_timinca_written),
	PLAIN("TIMADJL", I_TIMADJL, ALL, 0, clock.adjust_low),
	WO("TIMADJH", I_TIMADJH, .written = igb_timadj_written),
	PLAIN("TSYNCTXCTL", I_TSYNCTXCTL, TSYNC_ENABLED, 0, tx_stamp.ctl),
	RO("TXSTMPL", I_TXSTMPL, STATE(tx_stamp.low)),
	RO("TXSTMPH", I_TXSTMPH, STATE(tx_stamp.high), .read = igb_tx_stamp_read),
	PLAIN("TSYNCRXCTL", I_TSYNCRXCTL, TSYNC_RX_TYPE | TSYNC_ENABLED, 0, rx_stamp.ctl),
	RO("RXSTMPL", I_RXSTMPL, STATE(rx_stamp.low)),
	RO("RXSTMPH", I_RXSTMPH, STATE(rx_stamp.high), .read = igb_rx_stamp_read),
	RO("RXSATRL", I_RXSATRL, STATE(rxsatr[0])),
	RO("RXSATRH", I_RXSATRH, STATE(rxsatr[1])),
	PLAIN("TSAUXC", I_TSAUXC, 0x3ffu, 0, tsauxc),
	PLAINS("TRGTTIM", I_TRGTTIM, 4, ALL, trgttim),

	QUEUES("RDBAL", I_RX_QUEUE + I_RING_BAL, 0xffffff80u, rx, ring.bal),
	QUEUES("RDBAH", I_RX_QUEUE + I_RING_BAH, ALL, rx, ring.bah),
	QUEUES("RDLEN", I_RX_QUEUE + I_RING_LEN, 0x000ffff0u, rx, ring.len),
	QUEUES("SRRCTL", I_RX_QUEUE + I_RING_SRRCTL, 0x8ff03f7fu, rx, srrctl),
	QUEUES("RDH", I_RX_QUEUE + I_RING_HEAD, 0xffffu, rx, ring.head),
	QUEUES("RXCTL", I_RX_QUEUE + I_RING_DCA, ALL, rx, dca),
	QUEUES_DO("RDT", I_RX_QUEUE + I_RING_TAIL, 0xffffu, rx, ring.tail, igb_rdt_written),
	QUEUES_DO("RXDCTL", I_RX_QUEUE + I_RING_CTL, IGB_DCTL_MASK, rx, ring.ctl,
		  igb_rxdctl_written),
	{ .name = "RQDPC",
	  .offset = I_RX_QUEUE + I_RING_RQDPC,
	  .stride = 0x40,
	  .count = IGB_QUEUES,
	  .kind = REG_CLEAR_R,
	  .mask = ALL,
	  REG_STATE_EACH(struct igb_state, rx, drops) },
	QUEUES("DVMOLR", I_RX_QUEUE + R_DVMOLR, 0xe0000000u, rx, dvmolr),
	OLD("RDBAL", I_RX_QUEUE + I_RING_BAL, I_RX_RING + I_RING_BAL),
	OLD("RDBAH", I_RX_QUEUE + I_RING_BAH, I_RX_RING + I_RING_BAH),
	OLD("RDLEN", I_RX_QUEUE + I_RING_LEN, I_RX_RING + I_RING_LEN),
	OLD("SRRCTL", I_RX_QUEUE + I_RING_SRRCTL, I_RX_RING + I_RING_SRRCTL),
	OLD("RDH", I_RX_QUEUE + I_RING_HEAD, I_RX_RING + I_RING_HEAD),
	OLD("RXCTL", I_RX_QUEUE + I_RING_DCA, I_RX_RING + I_RING_DCA),
	OLD("RDT", I_RX_QUEUE + I_RING_TAIL, I_RX_RING + I_RING_TAIL),
	OLD("RXDCTL", I_RX_QUEUE + I_RING_CTL, I_RX_RING + I_RING_CTL),

	QUEUES("TDBAL", I_TX_QUEUE + I_RING_BAL, 0xffffff80u, tx, ring.bal),
	QUEUES("TDBAH", I_TX_QUEUE + I_RING_BAH, ALL, tx, ring.bah),
	QUEUES("TDLEN", I_TX_QUEUE + I_RING_LEN, 0x000ffff0u, tx, ring.len),
	QUEUES("TDH", I_TX_QUEUE + I_RING_HEAD, 0xffffu, tx, ring.head),
	QUEUES("TXCTL", I_TX_QUEUE + I_RING_DCA, ALL, tx, dca),
	QUEUES_DO("TDT", I_TX_QUEUE + I_RING_TAIL, 0xffffu, tx, ring.tail, igb_tdt_written),
	QUEUES_DO("TXDCTL", I_TX_QUEUE + I_RING_CTL, IGB_DCTL_MASK, tx, ring.ctl,
		  igb_txdctl_written),
	QUEUES("TDWBAL", I_TX_QUEUE + I_RING_TDWBAL, 0xfffffffdu, tx, head_low),
	QUEUES("TDWBAH", I_TX_QUEUE + I_RING_TDWBAH, ALL, tx, head_high),
	OLD("TDBAL", I_TX_QUEUE + I_RING_BAL, I_TX_RING + I_RING_BAL),
	OLD("TDBAH", I_TX_QUEUE + I_RING_BAH, I_TX_RING + I_RING_BAH),
	OLD("TDLEN", I_TX_QUEUE + I_RING_LEN, I_TX_RING + I_RING_LEN),
	OLD("TDH", I_TX_QUEUE + I_RING_HEAD, I_TX_RING + I_RING_HEAD),
	OLD("TXCTL", I_TX_QUEUE + I_RING_DCA, I_TX_RING + I_RING_DCA),
	OLD("TDT", I_TX_QUEUE + I_RING_TAIL, I_TX_RING + I_RING_TAIL),
	OLD("TXDCTL", I_TX_QUEUE + I_RING_CTL, I_TX_RING + I_RING_CTL),
	OLD("TDWBAL", I_TX_QUEUE + I_RING_TDWBAL, I_TX_RING + I_RING_TDWBAL),
	OLD("TDWBAH", I_TX_QUEUE + I_RING_TDWBAH, I_TX_RING + I_RING_TDWBAH),
};

struct reg_space igb_mem_space = {
	.name = "igb",
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.size = IGB_BAR_SIZE,
	.granule = 4,
};

/* The window through which everything can be reached by I/O (8.1.1.3). */
static const struct reg io_rows[] = {
	RW("IOADDR", 0, IGB_BAR_SIZE - 1, STATE(io_address)),
	RO("IODATA", 4, .read = igb_io_read, .written = igb_io_written),
};

struct reg_space igb_io_space = {
	.name = "igb I/O",
	.rows = io_rows,
	.count = ARRAY_SIZE(io_rows),
	.size = IGB_IO_SIZE,
	.granule = 4,
};
