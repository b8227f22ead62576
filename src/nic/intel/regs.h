/* regs.h - register offsets and bits that at least two cards of the family have at the same place (8254x manual 13, 82574
 * datasheet 10, 82576 datasheet 8). What one card has alone is in its own folder.
 */
#ifndef ANYNIC_NIC_INTEL_REGS_H
#define ANYNIC_NIC_INTEL_REGS_H

#include "base/util.h"

#define INTEL_VENDOR 0x8086

enum {
	I_CTRL = 0x0000,
	I_STATUS = 0x0008,
	I_EECD = 0x0010,
	I_EERD = 0x0014,
	I_CTRL_EXT = 0x0018,
	I_MDIC = 0x0020,
	I_FCAL = 0x0028,
	I_FCAH = 0x002c,
	I_FCT = 0x0030,
	I_CONNSW = 0x0034,
	I_VET = 0x0038,
	I_ICR = 0x00c0,
	I_ITR = 0x00c4,
	I_ICS = 0x00c8,
	I_IMS = 0x00d0,
	I_IMC = 0x00d8,
	I_IAM = 0x00e0,
	I_RCTL = 0x0100,
	I_FCTTV = 0x0170,
	I_TXCW = 0x0178,
	I_RXCW = 0x0180,
	I_TCTL = 0x0400,
	I_TCTL_EXT = 0x0404,
	I_TIPG = 0x0410,
	I_AIT = 0x0458,
	I_LEDCTL = 0x0e00,
	I_PBA = 0x1000,
	I_EEMNGCTL = 0x1010,
	I_FCRTL = 0x2160,
	I_FCRTH = 0x2168,
	I_RXPBS = 0x2404,
	I_RDFH = 0x2410,
	I_RX_RING = 0x2800,
	I_RDTR = 0x2820,
	I_RADV = 0x282c,
	I_RSRPD = 0x2c00,
	I_TXPBS = 0x3404,
	I_TDFH = 0x3410,
	I_TX_RING = 0x3800,
	I_TIDV = 0x3820,
	I_TADV = 0x382c,
	I_RXCSUM = 0x5000,
	I_RLPML = 0x5004,
	I_RFCTL = 0x5008,
	I_MTA = 0x5200,
	I_RA = 0x5400,
	I_PSRTYPE = 0x5480,
	I_SYNQF = 0x55fc,
	I_VFTA = 0x5600,
	I_WUC = 0x5800,
	I_WUFC = 0x5808,
	I_WUS = 0x5810,
	I_MRQC = 0x5818,
	I_MANC = 0x5820,
	I_IPAV = 0x5838,
	I_IP4AT = 0x5840,
	I_IP6AT = 0x5880,
	I_WUPL = 0x5900,
	I_WUPM = 0x5a00,
	I_IMIR = 0x5a80,
	I_IMIREXT = 0x5aa0,
	I_GCR = 0x5b00,
	I_FACTPS = 0x5b30,
	I_SWSM = 0x5b50,
	I_FWSM = 0x5b54,
	I_SW_FW_SYNC = 0x5b5c,
	I_RETA = 0x5c00,
	I_RSSRK = 0x5c80,
	I_ETQF = 0x5cb0,
	I_FFLT = 0x5f00,
	I_TSYNCRXCFG = 0x5f50,
	I_FFMT = 0x9000,
	I_FFVT = 0x9800,
	I_UTA = 0xa000,
	I_SYSTIML = 0xb600,
	I_SYSTIMH = 0xb604,
	I_TIMINCA = 0xb608,
	I_TIMADJL = 0xb60c,
	I_TIMADJH = 0xb610,
	I_TSYNCTXCTL = 0xb614,
	I_TXSTMPL = 0xb618,
	I_TXSTMPH = 0xb61c,
	I_TSYNCRXCTL = 0xb620,
	I_RXSTMPL = 0xb624,
	I_RXSTMPH = 0xb628,
	I_RXSATRL = 0xb62c,
	I_RXSATRH = 0xb630,
	I_TSAUXC = 0xb640,
	I_TRGTTIM = 0xb644,
	/* all queues, 0x40 apart; the first four also at I_RX_RING and I_TX_RING, 0x100 apart */
	I_RX_QUEUE = 0xc000,
	I_TX_QUEUE = 0xe000,
	/* inside a ring's block */
	I_RING_BAL = 0x00,
	I_RING_BAH = 0x04,
	I_RING_LEN = 0x08,
	I_RING_SRRCTL = 0x0c,
	I_RING_HEAD = 0x10,
	I_RING_DCA = 0x14,
	I_RING_TAIL = 0x18,
	I_RING_CTL = 0x28,
	I_RING_RQDPC = 0x30,
	I_RING_TDWBAL = 0x38,
	I_RING_TDWBAH = 0x3c,
};

/* CTRL */
#define CTRL_FD		 BIT(0)
#define CTRL_GIO_DISABLE BIT(2) /* PCIe cards: stop master requests */
#define CTRL_ASDE	 BIT(5)
#define CTRL_SLU	 BIT(6)
#define CTRL_SPEED_SHIFT 8
#define CTRL_FRCSPD	 BIT(11)
#define CTRL_FRCDPLX	 BIT(12)
#define CTRL_RST	 BIT(26)
#define CTRL_RFCE	 BIT(27)
#define CTRL_TFCE	 BIT(28)
#define CTRL_VME	 BIT(30)
#define CTRL_PHY_RST	 BIT(31)

/* STATUS */
#define STATUS_FD	   BIT(0)
#define STATUS_LU	   BIT(1)
#define STATUS_TXOFF	   BIT(4)
#define STATUS_SPEED_SHIFT 6 /* 0: 10, 1: 100, 2: 1000 Mbit/s */
#define STATUS_PHYRA	   BIT(10)
#define STATUS_GIO_MASTER  BIT(19)

/* EECD */
#define EECD_SK		BIT(0)
#define EECD_CS		BIT(1)
#define EECD_DI		BIT(2)
#define EECD_DO		BIT(3)
#define EECD_REQ	BIT(6)
#define EECD_GNT	BIT(7)
#define EECD_PRES	BIT(8)
#define EECD_AUTO_RD	BIT(9)
#define EECD_ADDR_BITS	BIT(10) /* 16 address bits; cards that say their EEPROM's size */
#define EECD_SIZE_SHIFT 11	/* 64 words << this */

/* CTRL_EXT */
#define CTRL_EXT_EE_RST	  BIT(13)
#define CTRL_EXT_DRV_LOAD BIT(28)

/* ICR, ICS, IMS, IMC */
#define INT_TXDW     BIT(0)
#define INT_TXQE     BIT(1)
#define INT_LSC	     BIT(2)
#define INT_RXSEQ    BIT(3)
#define INT_RXDMT0   BIT(4)
#define INT_RXO	     BIT(6)
#define INT_RXT0     BIT(7)
#define INT_MDAC     BIT(9)
#define INT_TXD_LOW  BIT(15)
#define INT_SRPD     BIT(16)
#define INT_ASSERTED BIT(31)

/* RCTL */
#define RCTL_EN		 BIT(1)
#define RCTL_SBP	 BIT(2)
#define RCTL_UPE	 BIT(3)
#define RCTL_MPE	 BIT(4)
#define RCTL_LPE	 BIT(5)
#define RCTL_LBM	 (3u << 6) /* 0 = none, 1 = MAC loopback; 3 = PHY (8254x: transceiver) */
#define RCTL_RDMTS	 (3u << 8)
#define RCTL_MO_SHIFT	 12
#define RCTL_BAM	 BIT(15)
#define RCTL_BSIZE_SHIFT 16
#define RCTL_VFE	 BIT(18)
#define RCTL_CFIEN	 BIT(19)
#define RCTL_CFI	 BIT(20)
#define RCTL_DPF	 BIT(22)
#define RCTL_PMCF	 BIT(23)
#define RCTL_BSEX	 BIT(25)
#define RCTL_SECRC	 BIT(26)

/* TCTL */
#define TCTL_EN	    BIT(1)
#define TCTL_PSP    BIT(3)
#define TCTL_SWXOFF BIT(22) /* clears itself */

/* MDIC */
#define MDIC_READY BIT(28)
#define MDIC_INT   BIT(29)

/* SWSM */
#define SWSM_SMBI BIT(0)

/* RDTR, TIDV: ends the wait now */
#define DELAY_FLUSH BIT(31)

/* TXDCTL and RXDCTL of cards with queue enables (82576 8.10.8, 8.12.14) */
#define DCTL_ENABLE BIT(25)
#define DCTL_FLUSH  BIT(26)

/* RXCSUM */
#define RXCSUM_IPOFL  BIT(8)
#define RXCSUM_TUOFL  BIT(9)
#define RXCSUM_CRCOFL BIT(11) /* SCTP */
#define RXCSUM_PCSD   BIT(13)

/* RAH */
#define RAH_AV BIT(31)
#define RAH_AS (3u << 16)

/* SRRCTL (82576 8.10.2) */
#define SRRCTL_PACKET_KB(v) ((v)&0x7f)
#define SRRCTL_HEADER(v)    (((v) >> 8 & 0x3f) * 64)
#define SRRCTL_DESCTYPE(v)  ((v) >> 25 & 7)
#define SRRCTL_DROP_EN	    BIT(31)
enum desc_type { DESC_LEGACY = 0, DESC_ONE_BUFFER = 1, DESC_SPLIT = 2, DESC_SPLIT_ALWAYS = 5 };

/* ETQF, SYNQF, RFCTL, IMIR (82576 8.10.10, 8.10.11, 8.10.15) */
#define ETQF_ENABLE	  BIT(26)
#define ETQF_QUEUE(v)	  ((v) >> 16 & 7)
#define ETQF_IMMEDIATE	  BIT(29)
#define ETQF_QUEUE_ENABLE BIT(31)
#define IMIR_IMMEDIATE	  BIT(16)
#define SYNQF_ENABLE	  BIT(0)
#define SYNQF_QUEUE(v)	  ((v) >> 1 & 7)
#define RFCTL_SYNQFP	  BIT(19)

/* Receive descriptor status and errors, as bits of the legacy layout's bytes (8254x manual 3.2.3) */
#define RXS_DD	  BIT(0)
#define RXS_EOP	  BIT(1)
#define RXS_IXSM  BIT(2)
#define RXS_VP	  BIT(3)
#define RXS_UDPCS BIT(4)
#define RXS_TCPCS BIT(5)
#define RXS_IPCS  BIT(6)
#define RXS_PIF	  BIT(7)
#define RXE_TCPE  BIT(5)
#define RXE_IPE	  BIT(6)
#define RXE_RXE	  BIT(7)

#define TXD_DD BIT(0) /* dword 3 of every transmit descriptor */

#endif
