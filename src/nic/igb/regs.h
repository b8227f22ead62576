/* regs.h - what the 82576 has beyond intel/regs.h (82576 datasheet 8). */
#ifndef ANYNIC_NIC_IGB_REGS_H
#define ANYNIC_NIC_IGB_REGS_H

#include "nic/intel/regs.h"

enum {
	R_SCTL = 0x0024,
	R_VMBMEM = 0x0800,
	R_P2VMAILBOX = 0x0c00,
	R_MBVFICR = 0x0c80,
	R_MBVFIMR = 0x0c84,
	R_VFLRE = 0x0c88,
	R_VFRE = 0x0c8c,
	R_VFTE = 0x0c90,
	R_PBS = 0x1008,
	R_I2CCMD = 0x1028,
	R_FRTIMER = 0x1048,
	R_TCPTIMER = 0x104c,
	R_QDE = 0x2408,
	R_FCRTV = 0x2460,
	R_DTXSWC = 0x3500,
	R_LVMMC = 0x3548,
	R_WVBR = 0x3554,
	R_DTXCTL = 0x3590,
	R_VMVIR = 0x3700,
	R_IAC = 0x4100,
	R_RPTHC = 0x4104,
	R_HGPTC = 0x4118,
	R_HGORC = 0x4128,
	R_HGOTC = 0x4130,
	R_PCS_CFG = 0x4200,
	R_PCS_LCTL = 0x4208,
	R_PCS_LSTAT = 0x420c,
	R_PCS_ANADV = 0x4218,
	R_RA2 = 0x54e0,
	R_VLAPQF = 0x55b0,
	R_VT_CTL = 0x581c,
	R_SAQF = 0x5980,
	R_DAQF = 0x59a0,
	R_SPQF = 0x59c0,
	R_FTQF = 0x59e0,
	R_IMIRVP = 0x5ac0,
	R_TXSWC = 0x5acc,
	R_VMOLR = 0x5ad0,
	R_RPLOLR = 0x5af0,
	R_GIOCTL = 0x5b44,
	R_CCMCTL = 0x5b48,
	R_SCCTL = 0x5b4c,
	R_DCA_ID = 0x5b70,
	R_DCA_CTRL = 0x5b74,
	R_IOVTCL = 0x5bbc,
	R_VLVF = 0x5d00,
};

/* Inside a queue's block */
#define R_DVMOLR 0x38

#define STATUS_LAN_INIT_DONE BIT(9)

/* CTRL_EXT */
#define CTRL_EXT_PFRSTD BIT(14)

/* EECD */
#define EECD_SIZE_128 1u /* 2^(6 + 1) words */

#define EEMNGCTL_CFG_DONE BIT(18) /* port 0 */

#define TDWBAL_ENABLE BIT(0)

#define RXD_STATUS_TS BIT(16) /* RXSTMP holds this frame's time */

/* MRQC (8.10.9) */
#define MRQC_MODE	7u
#define MRQC_RSS	2u
#define MRQC_VMDQ	3u
#define MRQC_VMDQ_RSS	5u
#define MRQC_DEFAULT(v) ((v) >> 3 & 7)

/* VT_CTL (8.14.2) */
#define VT_CTL_DEFAULT(v)  ((v) >> 7 & 7)
#define VT_CTL_NO_DEFAULT  BIT(29)
#define VT_CTL_REPLICATION BIT(30)

/* VMOLR (8.14.15) */
#define VMOLR_RLPML   0x3fffu
#define VMOLR_LPE     BIT(16)
#define VMOLR_AUPE    BIT(24) /* untagged */
#define VMOLR_ROMPE   BIT(25) /* multicast table */
#define VMOLR_ROPE    BIT(26) /* unicast table */
#define VMOLR_BAM     BIT(27)
#define VMOLR_MPE     BIT(28)
#define VMOLR_STRVLAN BIT(30)

#define DTXSWC_LOOPBACK BIT(31)

/* VLVF (8.14.13) */
#define VLVF_ID	    0xfffu
#define VLVF_POOLS  12
#define VLVF_ENABLE BIT(31)

#define RAH_POOLS 18

/* ETQF (8.10.10) */
#define ETQF_1588 BIT(30)

/* FTQF (8.10.15): which parts are not compared */
#define FTQF_PROTOCOL	   0xffu
#define FTQF_QUEUE_EN	   BIT(8)
#define FTQF_QUEUE(v)	   ((v) >> 16 & 0xf)
#define FTQF_1588	   BIT(27)
#define FTQF_ANY_PROTOCOL  BIT(28)
#define FTQF_ANY_SOURCE	   BIT(29)
#define FTQF_ANY_DEST	   BIT(30)
#define FTQF_ANY_SRC_PORT  BIT(31)
#define IMIR_ANY_DEST_PORT BIT(17)
#define IMIREXT_SIZE	   0xfffu
#define IMIREXT_ANY_SIZE   BIT(12)
#define IMIREXT_FLAGS	   13
#define IMIREXT_ANY_FLAGS  BIT(19)

/* RXDCTL, TXDCTL */
#define IGB_DCTL_MASK 0x021f1f1fu

#endif
