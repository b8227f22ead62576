/* rtl8139.h - what the files of this model share: its state and its few internal calls.
 *
 * The state is plain and without pointers; register rows (table.c) point into `struct rtl8139_state`.
 */
#ifndef ANYNIC_NIC_RTL8139_RTL8139_H
#define ANYNIC_NIC_RTL8139_RTL8139_H

#include "nic/microwire.h"
#include "nic/nic.h"
#include "nic/rtl8139/regs.h"

/* What a software reset (CR.RST) leaves alone: address, multicast filter, configuration, PHY, wake-up frames. */
struct rtl8139_kept {
	uint8_t idr[6];
	uint8_t mar[8];
	uint8_t cfg9346;
	uint8_t config1, config3, config4, config5;
	uint8_t msr;
	uint8_t phy2;
	uint8_t crc[8], lsbcrc[8], wakeup[64];
	uint16_t bmcr, anar, nwaytr, cscr;
	uint32_t phy1, tw, flash;
};

/* Registers that a software reset puts back. */
struct rtl8139_state {
	struct rtl8139_kept kept;
	uint32_t tsd[TX_SLOTS];
	uint32_t tsad[TX_SLOTS]; /* C+: two 64-bit ring addresses, normal and high priority */
	uint32_t dtccr[2];
	uint32_t rdsar[2];
	uint32_t rbstart;
	uint32_t tcr, rcr;
	uint32_t timerint;
	uint32_t mpc;
	uint16_t capr, cbr;
	uint16_t imr, isr;
	uint16_t mulint;
	uint16_t cpcr;
	uint16_t tdokla;
	uint8_t cr;
	uint8_t etthr;
};

/* A 93C46 (eeprom.c). */
struct rtl8139_eeprom {
	uint16_t word[MICROWIRE_WORDS];
	struct microwire pins;
};

/* Tally counters as DTCCR dumps them. */
struct rtl8139_tally {
	uint64_t tx_ok, rx_ok, tx_err, rx_physical, rx_broadcast;
	uint32_t rx_err, rx_multicast;
	uint16_t missed, tx_abort;
};

enum rtl8139_ring { RING_NORMAL, RING_HIGH, RTL8139_RINGS };

#define RESETS_KEPT 4u

struct rtl8139 {
	struct nic nic;
	struct rtl8139_state s;
	struct rtl8139_eeprom eeprom;
	struct rtl8139_tally tally;
	struct reg_space *space; /* this revision's registers */
	bool cplus;		 /* an RTL8139C+ */

	/* where the chip is in its rings */
	uint8_t tx_slot;	      /* C mode: next of the four */
	uint8_t tx_at[RTL8139_RINGS]; /* C+: next descriptor */
	uint8_t tx_poll;	      /* TPPOLL_NPQ, TPPOLL_HPQ: asked for and not done */
	uint8_t rx_at;		      /* C+: next receive descriptor */
	uint8_t rx_last;	      /* ... and the last that was filled */

	/* times on nic->clock; 0 = none */
	uint64_t timer_base_ns; /* TCTR was 0 */
	uint64_t timer_due_ns;	/* TCTR reaches TIMERINT */
	uint64_t tx_irq_due_ns;
	uint64_t rx_look_due_ns; /* look again for receive descriptors */
	uint32_t rx_look_wait_ns;

	uint16_t isr_unseen;   /* causes raised since ISR was read last */
	uint16_t isr_kept;     /* ... that an acknowledgement would have cleared */
	uint16_t tx_irq_held;  /* causes that wait for tx_irq_due_ns or for a read of ISR */
	uint16_t tx_done_held; /* descriptors given back without an interrupt */

	/* latches for the driver status */
	bool rx_starved; /* receive() was refused for lack of room */
	bool rx_given;	 /* a receive descriptor of the guest was seen since reception was set up */
	bool link_fell;	 /* BMSR shows a lost link once (IEEE 802.3 22.2.4.2.13) */
	bool driver_bit; /* CONFIG1.DVRLOAD was set by a driver since the bus reset */
	bool irq_used;	 /* IMR was not 0 while the receiver was on, since the bus reset */
	bool served;	 /* ... or ISR was read, or a frame sent, since the receiver is on */
	bool was_running;		/* CR had RE or TE since the bus reset */
	uint64_t reset_ns[RESETS_KEPT]; /* when a running card was reset; newest first, 0 = never */
};

static inline struct rtl8139 *rtl8139_of(struct nic *nic)
{
	return (struct rtl8139 *)nic;
}

static inline struct rtl8139 *rtl8139_of_pci(struct pci_device *dev)
{
	return (struct rtl8139 *)dev;
}

static inline bool rx_cplus(const struct rtl8139 *r)
{
	return r->s.cpcr & CPCR_RX;
}

static inline bool tx_cplus(const struct rtl8139 *r)
{
	return r->s.cpcr & CPCR_TX;
}

static inline bool in_loopback(const struct rtl8139 *r)
{
	return (r->s.tcr & TCR_LBK) == TCR_LBK;
}

extern const struct nic_ops rtl8139_ops;
extern struct reg_space rtl8139_c_space, rtl8139_cplus_space;

/* rtl8139.c */
void rtl8139_soft_reset(struct rtl8139 *r, uint32_t old_cr); /* CR.RST */
void rtl8139_timer_plan(struct rtl8139 *r);		     /* TIMERINT or the counter changed */
void rtl8139_dump_tally(struct rtl8139 *r);		     /* if DTCCR asks for it */
void rtl8139_raise(struct rtl8139 *r, uint16_t causes);
void rtl8139_raise_sent(struct rtl8139 *r, uint16_t causes, unsigned descriptors, bool at_once);
void rtl8139_acknowledge(struct rtl8139 *r, uint16_t causes);
void rtl8139_unmask(struct rtl8139 *r, uint16_t causes); /* these were masked before */
void rtl8139_flush_sent(struct rtl8139 *r);		 /* held causes become visible */
void rtl8139_system_error(struct rtl8139 *r);
void rtl8139_arm(struct rtl8139 *r);
/* Station address as after power-on. */
void rtl8139_load_eeprom(struct rtl8139 *r);

/* status.c */
void rtl8139_judge(const struct nic *nic, struct driver_report *out);
void rtl8139_note_reset(struct rtl8139 *r);
/* The driver looks after the card: by IMR, or (`looks`) it polls. */
void rtl8139_note_service(struct rtl8139 *r, bool looks);

/* save.c */
int rtl8139_save(const struct nic *nic, struct buffer *out);
int rtl8139_load(struct nic *nic, const void *data, size_t len, struct error *err);

/* tx.c */
bool rtl8139_transmit(struct nic *nic, unsigned queue);
void rtl8139_tx_restart(struct rtl8139 *r); /* transmission was switched on */

/* rx.c */
unsigned rtl8139_receive(struct nic *nic, const struct frame *frames, unsigned n);
void rtl8139_loop_back(struct rtl8139 *r, const struct frame *f);
void rtl8139_rx_restart(struct rtl8139 *r); /* reception begins anew at the start of its ring */
void rtl8139_rx_stop(struct rtl8139 *r);    /* reception is off, or starts over */
void rtl8139_rx_look(struct rtl8139 *r);    /* the driver may have given receive buffers */
void rtl8139_rx_look_by_clock(struct rtl8139 *r); /* rx_look_due_ns has come */
bool rtl8139_rx_empty(const struct rtl8139 *r);	  /* C mode: the ring */
bool rtl8139_rx_consumed(struct rtl8139 *r);	  /* the driver has taken all that it was given */

/* eeprom.c */
void rtl8139_eeprom_fill(struct rtl8139_eeprom *e, const uint8_t mac[MAC_LEN]);

/* offload.c: what the C+ chip finds out about an IPv4 frame */
struct ip_layers {
	uint16_t l2;	  /* bytes in front of the IP header */
	uint16_t l4;	  /* where the TCP or UDP header begins */
	uint16_t headers; /* bytes up to the payload; 0 = fragment, or cut short */
	uint32_t end;	  /* where the IP packet ends (padding follows) */
	uint8_t protocol;
	bool fragment;
};

#define HEADERS_MAX (ETH_HEADER + 2 * VLAN_TAG + 60u + 60u)

/* Looks at `have` copied bytes of a frame of `length`. False: no IPv4, or a header that is not all there. */
bool rtl8139_parse_ipv4(const uint8_t *head, size_t have, uint32_t length, struct ip_layers *out);
/* Sum of addresses, protocol and the length of TCP or UDP, for csum_add. */
uint32_t rtl8139_pseudo_sum(const uint8_t *head, const struct ip_layers *ip, uint32_t length);

#endif
