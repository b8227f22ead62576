/* regs.h - the RTL8139C and RTL8139C+ as their datasheets describe them (RTL8139C(L) rev. 1.4, RTL8139C(L)+ rev. 1.6).
 *
 * C mode: four transmit slots and one receive ring of bytes. C+ mode: rings of up to 64 descriptors of 16 bytes.
 * Both live behind the same 256 bytes, by I/O (BAR 0) and by memory (BAR 1).
 */
#ifndef ANYNIC_NIC_RTL8139_REGS_H
#define ANYNIC_NIC_RTL8139_REGS_H

#define RTL8139_VENDOR	  0x10ec
#define RTL8139_DEVICE	  0x8139
#define RTL8139_REV_C	  0x10 /* RTL8139C: C mode only */
#define RTL8139_REV_CPLUS 0x20 /* RTL8139C+ */
#define RTL8139_BAR_SIZE  256

/* Registers, by offset. */
#define R_IDR	   0x00 /* station address, 6 bytes */
#define R_MAR	   0x08 /* multicast hash, 8 bytes */
#define R_TSD	   0x10 /* C mode: transmit status of slots 0-3. C+ mode: the first two are DTCCR */
#define R_TSAD	   0x20 /* C mode: transmit addresses. C+ mode: TNPDS (64 bits), THPDS (64 bits) */
#define R_RBSTART  0x30
#define R_ERBCR	   0x34
#define R_ERSR	   0x36
#define R_CR	   0x37
#define R_CAPR	   0x38
#define R_CBR	   0x3a
#define R_IMR	   0x3c
#define R_ISR	   0x3e
#define R_TCR	   0x40
#define R_RCR	   0x44
#define R_TCTR	   0x48
#define R_MPC	   0x4c
#define R_9346CR   0x50
#define R_CONFIG0  0x51
#define R_CONFIG1  0x52
#define R_TIMERINT 0x54
#define R_MSR	   0x58
#define R_CONFIG3  0x59
#define R_CONFIG4  0x5a
#define R_HLTCLK   0x5b
#define R_MULINT   0x5c
#define R_RERID	   0x5e
#define R_TSASD	   0x60 /* summary of the four TSD; the datasheet calls it TSAD too */
#define R_BMCR	   0x62
#define R_BMSR	   0x64
#define R_ANAR	   0x66
#define R_ANLPAR   0x68
#define R_ANER	   0x6a
#define R_DIS	   0x6c
#define R_FCSC	   0x6e
#define R_NWAYTR   0x70
#define R_REC	   0x72
#define R_CSCR	   0x74
#define R_PHY1	   0x78
#define R_TW	   0x7c
#define R_PHY2	   0x80
#define R_TDOKLA   0x82 /* C+: low 16 bits of the address of the last descriptor sent */
#define R_CRC	   0x84 /* wake-up frames 0-7: CRC, then masks, then the byte that is compared */
#define R_WAKEUP   0x8c
#define R_LSBCRC   0xcc
#define R_FLASH	   0xd4
#define R_CONFIG5  0xd8
/* RTL8139C+ only */
#define R_TPPOLL 0xd9
#define R_RMS                                                                                      \
	0xda /* RTL8169 only: here it cannot be written, which is how drivers tell the two apart */
#define R_CPCR	0xe0
#define R_RDSAR 0xe4
#define R_ETTHR 0xec

/* TSD */
#define TSD_SIZE 0x00001fffu
#define TSD_OWN                                                                                    \
	0x00002000u /* set by the chip when its DMA has ended; 0 gives the slot to the chip */
#define TSD_TUN	    0x00004000u
#define TSD_TOK	    0x00008000u
#define TSD_ERTXTH  0x003f0000u /* early threshold: stored, a virtual wire never runs dry */
#define TSD_TABT    0x40000000u
#define TSD_WRITE   (TSD_SIZE | TSD_OWN | TSD_ERTXTH)
#define TX_SLOTS    4u
#define C_FRAME_MAX 1792u /* datasheet 5.2: a larger size breaks the transmit queue */

/* DTCCR */
#define DTCCR_CMD  0x08u
#define TALLY_SIZE 64u

/* CR */
#define CR_BUFE 0x01u
#define CR_TE	0x04u
#define CR_RE	0x08u
#define CR_RST	0x10u

/* IMR and ISR */
#define INT_ROK	    0x0001u
#define INT_RER	    0x0002u
#define INT_TOK	    0x0004u
#define INT_TER	    0x0008u
#define INT_RDU	    0x0010u /* C+: no receive descriptor. C mode: receive buffer overflow */
#define INT_LINK    0x0020u /* packet underrun or link change */
#define INT_FOVW    0x0040u
#define INT_TDU	    0x0080u /* C+: no transmit descriptor */
#define INT_SW	    0x0100u
#define INT_LENCHG  0x2000u
#define INT_TIMEOUT 0x4000u
#define INT_SERR    0x8000u
#define INT_ALL	    0xe1ffu

/* TCR */
#define TCR_LBK	     0x00060000u
#define TCR_WRITE    0x030f07f0u
#define TCR_ID_C     0x74000000u /* HWVERID of the RTL8139C */
#define TCR_ID_CPLUS 0x74800000u

/* RCR */
#define RCR_AAP		0x00000001u
#define RCR_APM		0x00000002u
#define RCR_AM		0x00000004u
#define RCR_AB		0x00000008u
#define RCR_AR		0x00000010u
#define RCR_AER		0x00000020u
#define RCR_WRAP	0x00000080u
#define RCR_RBLEN_SHIFT 11
#define RCR_WRITE	0x0f03ffbfu /* bit 6 tells the EEPROM's size: 0, a 93C46 */

/* 9346CR */
#define EE_MODE		0xc0u
#define EE_MODE_NORMAL	0x00u
#define EE_MODE_LOAD	0x40u
#define EE_MODE_PROGRAM 0x80u
#define EE_MODE_CONFIG	0xc0u /* configuration registers can be written */
#define EE_CS		0x08u
#define EE_SK		0x04u
#define EE_DI		0x02u
#define EE_DO		0x01u

/* CONFIG1 */
#define CONFIG1_PMEN	0x01u
#define CONFIG1_IOMAP	0x04u
#define CONFIG1_MEMMAP	0x08u
#define CONFIG1_DVRLOAD 0x20u
#define CONFIG1_WRITE	0xf3u
#define CONFIG3_WRITE	0xf0u
#define CONFIG4_WRITE	0xf5u
#define CONFIG5_WRITE	0x7fu

/* MSR */
#define MSR_LINKB    0x04u /* 1: no link */
#define MSR_SPEED_10 0x08u
#define MSR_AUX	     0x10u
#define MSR_FLOW     0xc0u

/* MII */
#define BMCR_DUPLEX    0x0100u
#define BMCR_RESTART   0x0200u
#define BMCR_ANE       0x1000u
#define BMCR_SPEED_100 0x2000u
#define BMCR_RESET     0x8000u
#define BMCR_LOCKED    (BMCR_ANE | BMCR_SPEED_100 | BMCR_DUPLEX)
#define BMCR_DEFAULT   (BMCR_ANE | BMCR_SPEED_100 | BMCR_DUPLEX)
#define BMSR_ABLE      0x7809u /* 100 and 10 Mbit/s, both duplexes; can negotiate */
#define BMSR_LINK      0x0004u
#define BMSR_DONE      0x0020u
#define AN_SELECTOR    0x0001u
#define AN_10	       0x0020u
#define AN_10FD	       0x0040u
#define AN_100	       0x0080u
#define AN_100FD       0x0100u
#define AN_PAUSE       0x0400u
#define AN_ACK	       0x4000u
#define AN_ALL	       (AN_SELECTOR | AN_10 | AN_10FD | AN_100 | AN_100FD | AN_PAUSE)
#define ANER_PARTNER   0x0001u
#define ANER_PAGE      0x0002u

/* CSCR; bits 10 and 11 are in no datasheet, but the vendor's and Linux's C mode drivers rely on them */
#define CSCR_CONNECTED 0x0008u
#define CSCR_LINK_OK   0x0400u
#define CSCR_CHANGED   0x0800u
#define CSCR_DEFAULT   0x0380u /* link pulses, heart beat, jabber function */
#define CSCR_WRITE     0x83e5u

/* TPPOLL */
#define TPPOLL_HPQ 0x80u
#define TPPOLL_NPQ 0x40u
#define TPPOLL_SWI 0x01u

/* CPCR */
#define CPCR_TX	    0x0001u
#define CPCR_RX	    0x0002u
#define CPCR_MULRW  0x0008u
#define CPCR_DAC    0x0010u
#define CPCR_RXCSUM 0x0020u
#define CPCR_RXVLAN 0x0040u
#define CPCR_WRITE  0x007bu

/* Header in front of each frame of the C mode receive ring */
#define RXH_OK	      0x0001u
#define RXH_BROADCAST 0x2000u
#define RXH_PHYSICAL  0x4000u
#define RXH_MULTICAST 0x8000u

/* C+ descriptors: {u32 opts1, u32 opts2, u64 address} */
#define DESC_SIZE     16ull
#define DESC_MAX      64u     /* descriptors of a ring, at most */
#define DESC_ALIGN    0xffull /* rings begin at multiples of 256 bytes */
#define DESC_OWN      0x80000000u
#define DESC_EOR      0x40000000u
#define DESC_FS	      0x20000000u
#define DESC_LS	      0x10000000u
#define TXD_LGSEN     0x08000000u
#define TXD_MSS_SHIFT 16
#define TXD_MSS_MASK  0x7ffu
#define TXD_IPCS      0x00040000u
#define TXD_UDPCS     0x00020000u
#define TXD_TCPCS     0x00010000u
#define TXD_SIZE      0x0000ffffu
#define TXD_KEEP      (DESC_EOR | DESC_FS | DESC_LS | TXD_SIZE) /* what stays in a status descriptor */
#define TXD_TES	      0x00800000u				/* error summary */
#define TXD_TAGC      0x00020000u				/* opts2: insert the tag */
#define RXD_MULTICAST 0x04000000u
#define RXD_PHYSICAL  0x02000000u
#define RXD_BROADCAST 0x01000000u
#define RXD_RES	      0x00100000u /* error summary */
#define RXD_TCP	      0x00010000u
#define RXD_UDP	      0x00020000u
#define RXD_IP	      0x00030000u
#define RXD_IPF	      0x00008000u
#define RXD_UDPF      0x00004000u
#define RXD_TCPF      0x00002000u
#define RXD_SIZE      0x00001fffu
#define RXD_TAVA      0x00010000u /* opts2: a tag was taken out */

#define TIMER_TICK_NS 30ull /* one PCI clock at 33.3 MHz */
#define FCS_SIZE      4u

#endif
