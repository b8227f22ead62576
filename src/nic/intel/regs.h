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
	I_TIPG = 0x0410,
	I_LEDCTL = 0x0e00,
	I_PBA = 0x1000,
	I_EEMNGCTL = 0x1010,
	I_FCRTL = 0x2160,
	I_FCRTH = 0x2168,
	I_RX_RING = 0x2800,
	I_TX_RING = 0x3800,
	/* inside a ring's block */
	I_RING_BAL = 0x00,
	I_RING_BAH = 0x04,
	I_RING_LEN = 0x08,
	I_RING_HEAD = 0x10,
	I_RING_TAIL = 0x18,
	I_RING_CTL = 0x28,
	I_RXCSUM = 0x5000,
	I_RFCTL = 0x5008,
	I_MTA = 0x5200,
	I_RA = 0x5400,
	I_VFTA = 0x5600,
	I_WUC = 0x5800,
	I_WUFC = 0x5808,
	I_WUS = 0x5810,
	I_MRQC = 0x5818,
	I_MANC = 0x5820,
	I_IPAV = 0x5838,
	I_WUPL = 0x5900,
	I_SWSM = 0x5b50,
	I_FWSM = 0x5b54,
	I_SW_FW_SYNC = 0x5b5c,
	I_RETA = 0x5c00,
	I_RSSRK = 0x5c80,
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
#define EECD_SK	     BIT(0)
#define EECD_CS	     BIT(1)
#define EECD_DI	     BIT(2)
#define EECD_DO	     BIT(3)
#define EECD_REQ     BIT(6)
#define EECD_GNT     BIT(7)
#define EECD_PRES    BIT(8)
#define EECD_AUTO_RD BIT(9)

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
#define TCTL_EN	 BIT(1)
#define TCTL_PSP BIT(3)

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
