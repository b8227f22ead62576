/* regs.h - registers and bits of I225 and I226 beyond those that the family shares (Intel I225/I226 software user manual 8; where it is
 * silent, what Linux, DPDK and FreeBSD do with the card).
 */
#ifndef ANYNIC_NIC_IGC_REGS_H
#define ANYNIC_NIC_IGC_REGS_H

#include "nic/intel/regs.h"

#define IGC_BAR_SIZE	0x100000u
#define IGC_MSIX_SIZE	0x4000u
#define IGC_MSIX_PBA	0x2000u
#define IGC_QUEUES	4u
#define IGC_VECTORS	5u
#define IGC_ADDRESSES	16u
#define IGC_FRAME_MAX	9728u /* with FCS and tag */
#define IGC_FLEX_COUNT	32u
#define IGC_FLEX_BYTES	128u
#define IGC_ETQF_COUNT	8u
#define IGC_TUPLE_COUNT 8u
#define IGC_STAMPS	4u
#define IGC_TARGETS	2u

enum {
	R_TSSDP = 0x003c,
	R_LTRC = 0x01a0,
	R_RETX_CTL = 0x041c,
	R_MDICNFG = 0x0e04,
	R_PHPM = 0x0e14,
	R_EEER = 0x0e30,
	R_EEE_SU = 0x0e34,
	R_IPCNFG = 0x0e38,
	R_FCRTV = 0x2460,
	R_DMACR = 0x2508,
	R_TQAVCC = 0x3004,
	R_TQAVHC = 0x300c,
	R_GTXOFFSET = 0x3310,
	R_BASET_L = 0x3314,
	R_BASET_H = 0x3318,
	R_QBVCYCLET = 0x331c,
	R_QBVCYCLET_S = 0x3320,
	R_STQT = 0x3324,
	R_ENDQT = 0x3334,
	R_TXQCTL = 0x3344,
	R_TXARB = 0x3354,
	R_DTXMXPKTSZ = 0x355c,
	R_TQAVCTRL = 0x3570,
	R_VLANPQF = 0x55b0,
	R_FHFTSL = 0x5804,
	R_WUFC_EXT = 0x580c,
	R_WUS_EXT = 0x5814,
	R_TTQF = 0x59e0,
	R_PBACL = 0x5b68,
	R_LTRMINV = 0x5bb0,
	R_LTRMAXV = 0x5bb4,
	R_FHFT = 0x9000,
	R_FHFT_EXT = 0x9a00,
	R_TIMADJ = 0xb60c,
	R_TXSTMP0 = 0xb618,
	R_FREQOUT = 0xb654,
	R_AUXSTMP = 0xb65c,
	R_TSICR = 0xb66c,
	R_TSIM = 0xb674,
	R_TXSTMP1 = 0xb698,
	R_TXSTMP2 = 0xb6b8,
	R_TXSTMP3 = 0xb6d8,
	R_SYSTIMR = 0xb6f8,
	R_QUEUE_STRIDE = 0x40,
	R_OLD_STRIDE = 0x100,
	R_EERD = 0x12014,
	R_EEWR = 0x12018,
	R_PTM_CTRL = 0x12540,
};

/* CTRL */
#define CTRL_DEV_RST BIT(29)

/* STATUS */
#define STATUS_DEV_RST	BIT(20)
#define STATUS_PF_RST	BIT(21) /* reset is over */
#define STATUS_2500	BIT(22)
#define STATUS_SPEED(n) ((uint32_t)(n) << STATUS_SPEED_SHIFT)

/* EECD */
#define EECD_FLASH   BIT(19)
#define EECD_UPDATE  BIT(23)
#define EECD_UPDATED BIT(26)

#define PHPM_RST_DONE BIT(8)

#define SWSM_SWESMBI BIT(1)

/* SRRCTL */
#define SRRCTL_TIMESTAMP BIT(30)

/* RXPBS */
#define RXPBS_STAMPS BIT(31)

/* RCTL and friends */
#define RFCTL_LEF BIT(18)
#define MRQC_RSS  2u /* bits 2:0 */

/* RAH */
#define RAH_QSEL(v)	((v) >> 18 & 3)
#define RAH_QSEL_ENABLE BIT(28)
#define RAH_WRITE	0x900fffffu
#define RAH_SOURCE	BIT(16) /* ASEL 1: compared with the source address */

/* TTQF, IMIR: protocol and port of the destination */
#define TTQF_QUEUE_ENABLE    BIT(8)
#define TTQF_PROTO_BYPASS    BIT(28)
#define TTQF_QUEUE(v)	     ((v) >> 16 & 3)
#define IMIR_BYPASS_PORT     BIT(17)
#define IMIR_PRIORITY(v)     ((v) >> 29 & 7)
#define IMIREXT_SIZE_BYPASS  BIT(12)
#define IMIREXT_FLAGS(v)     ((v) >> 13 & 0x3f)
#define IMIREXT_FLAGS_BYPASS BIT(19)

/* flex filters: enables, and dword 63 of a filter */
#define WUFC_FLEX_QUEUES BIT(14)
#define WUFC_FLEX_SHIFT	 16 /* filters 0 to 7; WUFC_EXT 31:8 has the others */
#define FLEX_CONTROL	 63u
#define FLEX_LENGTH(v)	 ((v)&0xff)
#define FLEX_QUEUE(v)	 ((v) >> 8 & 7)
#define FLEX_PRIORITY(v) ((v) >> 16 & 7)
#define FLEX_IMMEDIATE	 BIT(24)
#define FLEX_DROP	 BIT(25)

/* Receive write-back */
#define RXD_TSIP BIT(15)

/* Time */
#define TSYNCTX_VALID	0xfu
#define TSYNCTX_ENABLE	BIT(4)
#define TSYNCRX_ENABLE	BIT(4)
#define TSYNCRX_TYPE(v) ((v) >> 1 & 7)
#define TSAUXC_EN_TT(n) BIT(n)
#define TSAUXC_KEEP	BIT(30) /* EN_TT is not cleared when the time has come */
#define TSAUXC_STOP	BIT(31)
#define TSI_WRAP	BIT(0)
#define TSI_TXTS	BIT(1)
#define TSI_TT(n)	BIT(3 + (n))
#define TSI_ALL		0x7fu
#define TIMADJ_METHOD	BIT(30)
#define TIMADJ_MINUS	BIT(31)

/* Transmit scheduling */
#define TQAVCTRL_TSN	  BIT(0)
#define TXQCTL_LAUNCH	  BIT(0)
#define TXQCTL_STRICT_END BIT(2)
#define TXARB_BUSY	  BIT(23)

/* MMD access through MDIO registers 13 and 14 (802.3 22.2.4.3.11) */
#define MMD_FUNCTION(v) ((v) >> 14 & 3)
#define MMD_DEVICE(v)	((v)&31)
enum mmd_function { MMD_ADDRESS, MMD_DATA, MMD_DATA_INC, MMD_WRITE_INC };
#define MMD_AN		 7u
#define AN_MULTIGBT_CTRL 32u
#define AN_2500		 BIT(7)

#endif
