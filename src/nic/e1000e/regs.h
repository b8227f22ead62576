/* regs.h - what the 82574L has beyond the family's common registers (82574 datasheet, chapter 10; numbers behind a bit are its sections).
 */
#ifndef ANYNIC_NIC_E1000E_REGS_H
#define ANYNIC_NIC_E1000E_REGS_H

#include "nic/intel/regs.h"

#define E1000E_DEVICE	   0x10d3
#define E1000E_BAR_SIZE	   0x20000u
#define E1000E_FLASH_SIZE  0x20000u
#define E1000E_IO_SIZE	   32u
#define E1000E_MSIX_SIZE   0x4000u
#define E1000E_MSIX_PBA	   0x2000u
#define E1000E_VECTORS	   5u
#define E1000E_RA	   16u
#define E1000E_QUEUES	   2u
#define E1000E_PHY_ADDRESS 1u

enum {
	R_FLA = 0x001c,
	R_EIAC = 0x00dc,
	R_IVAR = 0x00e4,
	R_EITR = 0x00e8,
	R_EXTCNF_CTRL = 0x0f00,
	R_EXTCNF_SIZE = 0x0f08,
	R_POEMB = 0x0f10,
	R_PBECCSTS = 0x100c,
	R_EEARBC = 0x1024,
	R_FLASHT = 0x1028,
	R_EEWR = 0x102c,
	R_FLSWCTL = 0x1030,
	R_FLSWDATA = 0x1034,
	R_FLSWCNT = 0x1038,
	R_FLOP = 0x103c,
	R_FCRTV = 0x5f40,
	R_ERT = 0x2008,
	R_PSRCTL = 0x2170,
	R_RAID = 0x2c08,
	R_CPUVEC = 0x2c10,
	R_TARC = 0x3840,
	R_MANC2H = 0x5860,
	R_RSSIM = 0x5864,
	R_RSSIR = 0x5868,
	R_MFUTP = 0x5828,
	R_MFVAL = 0x5824,
	R_MDEF = 0x5890,
	R_FUNCTAG = 0x5b08,
	R_GSCL = 0x5b10,
	R_GSCN = 0x5b20,
	R_SWSM2 = 0x5b58,
	R_GCR2 = 0x5b64,
	R_HICR = 0x8f00,
	R_FTFT = 0x9400,
	R_RXMTRL = 0xb634,
	R_RXUDP = 0xb638,
};

/* CTRL_EXT 10.2.2.5 */
#define CTRL_EXT_EIAME	   BIT(24)
#define CTRL_EXT_IAME	   BIT(27)
#define CTRL_EXT_TIMER_CLR BIT(29)
#define CTRL_EXT_PBA_CLR   BIT(31)

/* Causes, 10.2.4 */
#define INT_ACK	  BIT(17)
#define INT_MNG	  BIT(18)
#define INT_RXQ0  BIT(20)
#define INT_RXQ1  BIT(21)
#define INT_TXQ0  BIT(22)
#define INT_TXQ1  BIT(23)
#define INT_OTHER BIT(24)
#define INT_ALL	  0x01f7ffffu /* reserved ones too: the driver's self-test takes 0 to 9 */
/* those that OTHER stands for */
#define INT_OF_OTHER (INT_LSC | INT_RXO | INT_MDAC | INT_SRPD | INT_ACK | INT_MNG)
#define INT_QUEUES   (INT_RXQ0 | INT_RXQ1 | INT_TXQ0 | INT_TXQ1)
#define INT_VECTORED (INT_QUEUES | INT_OTHER)
#define INT_FIRST    20u /* bit of the first vectored cause; IVAR has them in the same order */
#define IVAR_STEP    4u
#define IVAR_ON	     BIT(3)

/* RCTL, RFCTL, PSRCTL: 10.2.5.1, 10.2.5.18, 10.2.5.4 */
#define RCTL_DTYP	   (3u << 10)
#define RCTL_DTYP_SPLIT	   (1u << 10)
#define RCTL_FLXBUF_SHIFT  27
#define RCTL_WRITE	   0x7edfbffeu
#define RFCTL_IPV6_XSUM_NO BIT(11)
#define RFCTL_ACK_DIS	   BIT(12)
#define RFCTL_EXTEN	   BIT(15)

#define TARC_ENABLE BIT(10)

/* EECD beyond the common ones, 10.2.1.3 */
#define EECD_FLUPD BIT(19)

/* EEMNGCTL: configuration of both ports done */
#define EEMNGCTL_DONE (BIT(18) | BIT(19))

#define MRQC_RSS     1u /* bits 1:0 */
#define RETA_QUEUE_1 BIT(7)

#define STAT_IAC 0x4100 /* interrupts sent */

/* extended receive descriptor, 7.1.4.2: bits of its status and error dword that legacy descriptors lack */
#define RXE_STATUS_STAMP BIT(8)
#define RXE_STATUS_IPID	 BIT(9)
#define RXE_ERRORS_SHIFT 24
#define RXE_HEADER_SPLIT BIT(15)

#endif
