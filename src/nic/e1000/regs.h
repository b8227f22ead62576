/* regs.h - what the 82540EM, 82545EM and 82544GC have beyond the family's common registers (8254x Family of Gigabit Ethernet
 * Controllers Software Developer's Manual, chapter 13; "manual" in this folder).
 */
#ifndef ANYNIC_NIC_E1000_REGS_H
#define ANYNIC_NIC_E1000_REGS_H

#include "nic/intel/regs.h"

#define E1000_BAR_SIZE	0x20000u
#define E1000_IO_SIZE	64u
#define E1000_ADDRESSES 16u /* RAL and RAH */

enum {
	R_CTRL_DUP = 0x0004,
	R_RXDCTL = 0x2828,
	R_TXDMAC = 0x3000,
	R_TXDCTL = 0x3828,
	R_TSPMT = 0x3830,
	/* where the 82542 had them; later chips answer there too (manual 13.2, "alternate offsets") */
	R_OLD_RA = 0x0040,
	R_OLD_RDTR = 0x0108,
	R_OLD_RX_RING = 0x0110,
	R_OLD_FCRTH = 0x0160,
	R_OLD_FCRTL = 0x0168,
	R_OLD_MTA = 0x0200,
	R_OLD_TX_RING = 0x0420,
	R_OLD_TIDV = 0x0440,
	R_OLD_VFTA = 0x0600,
	/* inside the I/O window */
	IO_ADDRESS = 0,
	IO_DATA = 4,
};

/* CTRL */
#define CTRL_SWDPIN0 BIT(18)
#define CTRL_SWDPIN2 BIT(20)
#define CTRL_WRITE   0xfbffff7fu /* RST reads 0 */
#define CTRL_DEFAULT (CTRL_FD | CTRL_SLU | 2u << CTRL_SPEED_SHIFT | CTRL_SWDPIN0 | CTRL_SWDPIN2)

/* STATUS */
#define STATUS_ASDV_SHIFT 8
#define STATUS_PCI66	  BIT(11)

/* EECD; the 82544 has no arbitration */
#define EECD_PINS  (EECD_SK | EECD_CS | EECD_DI)
#define EECD_FWE   (3u << 4)
#define EECD_WRITE (EECD_PINS | EECD_FWE | EECD_REQ)

/* CTRL_EXT */
#define CTRL_EXT_WRITE 0x13fffff0u

#define PHY_ADDRESS 1u

/* ICR beyond the common ones */
#define INT_RXCFG BIT(10)
#define INT_ALL	  0x1ffffu

/* RCTL, TCTL */
#define RCTL_WRITE 0x06dfb3feu
#define TCTL_WRITE 0x03bffffau /* SWXOFF clears itself */

/* RDTR, TIDV and the interrupt throttle */
#define DELAY_UNIT 1024ull /* ns; all four timers (manual 13.4.30, 13.4.31, 13.4.44, 13.4.46) */
#define ITR_UNIT   256ull  /* ns (manual 13.4.18) */

/* TXDCTL */
#define TXDCTL_LWTHRESH_SHIFT 25

/* WUC, WUFC, WUS (manual 13.6) */
#define WUC_APME       BIT(0)
#define WUC_PME_EN     BIT(1)
#define WUC_PME_STATUS BIT(2)
#define WUFC_LNKC      BIT(0)
#define WUFC_MAG       BIT(1)
#define WUFC_EX	       BIT(2)
#define WUFC_MC	       BIT(3)
#define WUFC_BC	       BIT(4)
#define WUFC_ARP       BIT(5)
#define WUFC_IPV4      BIT(6)
#define WUFC_IPV6      BIT(7)
#define WUFC_FLX0      BIT(16)
#define WUPM_SIZE      128u

/* MAC control frames */

/* PBA: 64 KiB of packet buffer, the guest says how much is for receiving */
#define PBA_KIB 64u

/* EEPROM words (manual 5.6) */
enum {
	EE_COMPAT = 0x03,
	EE_VERSION = 0x05,
	EE_PBA_1 = 0x08,
	EE_PBA_2 = 0x09,
	EE_ICW1 = 0x0a,
	EE_SUBSYSTEM = 0x0b,
	EE_SUBVENDOR = 0x0c,
	EE_DEVICE = 0x0d,
	EE_VENDOR = 0x0e,
	EE_ICW2 = 0x0f,
	EE_FLASH = 0x21,
	EE_ICW3 = 0x24,
};
#define EE_ICW2_APM_82544 0x0004u
#define EE_ICW3_APM	  0x0400u

/* M88E1011 registers beyond clause 22 */
enum {
	M88_CONTROL = 16,
	M88_STATUS = 17,
	M88_INT_ENABLE = 18,
	M88_INT_STATUS = 19,
	M88_EXT_CONTROL = 20,
	M88_RX_ERRORS = 21,
	M88_LED_CONTROL = 24,
	M88_LED_OVERRIDE = 25,
	M88_EXT_CONTROL_2 = 26,
	M88_EXT_STATUS = 27,
	M88_PAGE = 29,
	M88_PAGE_DATA = 30,
};
#define M88_STATUS_SPEED_SHIFT 14
#define M88_STATUS_FULL	       BIT(13)
#define M88_STATUS_PAGE	       BIT(12)
#define M88_STATUS_RESOLVED    BIT(11)
#define M88_STATUS_LINK	       BIT(10)
#define M88_STATUS_LENGTH      (1u << 7) /* 50 to 80 m of cable */
#define M88_STATUS_PAUSE       (3u << 2)
#define M88_INT_LINK	       BIT(10)

#endif
