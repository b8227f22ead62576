/* e1000.h - what the files of this model share: its state and its few internal calls.
 *
 * One card in three variants that differ by data (struct e1000_variant). The state is plain and without pointers; register rows (table.c)
 * point into `struct e1000_state`.
 */
#ifndef ANYNIC_NIC_E1000_E1000_H
#define ANYNIC_NIC_E1000_E1000_H

#include "nic/e1000/models.h"
#include "nic/e1000/regs.h"
#include "nic/intel/filter.h"
#include "nic/intel/flow.h"
#include "nic/intel/moderation.h"
#include "nic/intel/nvm.h"
#include "nic/intel/phy.h"
#include "nic/intel/rx.h"
#include "nic/intel/stats.h"
#include "nic/intel/status.h"
#include "nic/intel/tx.h"
#include "nic/microwire.h"

struct e1000_variant {
	const char *name;
	uint16_t device, subsystem;
	uint8_t revision;
	uint8_t io_bar;	 /* memory is always BAR 0 */
	bool wide;	 /* BAR 0 has 64 bits */
	bool arbitrates; /* EECD has REQ and GNT */
	const struct intel_phy_model *phy;
	uint8_t apm_word; /* EEPROM word with the wake-up bit, and that bit */
	uint16_t apm_bit;
};

/* Four delays (RDTR, RADV, TIDV, TADV) and the throttle; times on nic->clock, 0 = not running. */
struct e1000_timers {
	uint64_t rx_packet_ns, rx_absolute_ns;
	uint64_t tx_packet_ns, tx_absolute_ns;
	uint64_t irq_ns; /* a cause waits for the throttle */
};

/* Registers, as rows point to them. */
struct e1000_state {
	uint32_t ctrl, ctrl_ext, eecd, eerd, mdic;
	uint32_t fcal, fcah, fct, fcttv, fcrtl, fcrth, vet;
	uint32_t icr, itr, ims;
	uint32_t rctl, tctl, tipg, ait, txcw;
	uint32_t ledctl, pba, manc;
	uint32_t rdtr, radv, rsrpd, tidv, tadv, tspmt, txdmac;
	uint32_t rxcsum;
	uint32_t rx_fifo[5], tx_fifo[5];
	uint32_t wuc, wufc, wus, ipav, wupl;
	uint32_t ip4at[4], ip6at[4], wupm[WUPM_SIZE / 4];
	uint32_t fflt[4], ffmt[128], ffvt[128];
	uint32_t io_address;
	struct intel_ring rx, tx;
	struct intel_filter filter;
	struct intel_stats stats;
};

struct e1000 {
	struct nic nic;
	struct e1000_state s;
	const struct e1000_variant *variant;
	struct intel_nvm nvm; /* MICROWIRE_WORDS are there */
	struct microwire pins;
	struct intel_phy phy;
	struct intel_tx_queue txq;
	struct intel_driver driver;
	struct intel_throttle throttle;
	struct e1000_timers t;
	struct intel_flow flow;
	bool asserted; /* the interrupt is up, or its message was sent, and ICR was not read since */
	bool tx_blocked; /* frames wait in the ring: the wire takes none now */
	bool rx_starved; /* receive() was refused for lack of descriptors */
	bool rx_filled;	 /* a frame went into the ring since RDT was written */
	bool link_up;	 /* STATUS.LU as told last */
	uint8_t speed;	 /* ... and what it was */
	bool full_duplex;
};

static inline struct e1000 *e1000_of(struct nic *nic)
{
	return (struct e1000 *)nic;
}

static inline struct e1000 *e1000_of_pci(struct pci_device *dev)
{
	return (struct e1000 *)dev;
}

/* What is sent comes back: MAC loopback (RCTL.LBM 01 and 11), or the PHY's. */
static inline bool e1000_loops(const struct e1000 *e)
{
	return (e->s.rctl & RCTL_LBM) || intel_phy_loops(&e->phy);
}

extern struct reg_space e1000_space, e1000_io_space;

/* e1000.c */
void e1000_soft_reset(struct e1000 *e);	 /* CTRL.RST */
void e1000_load_eeprom(struct e1000 *e); /* station address and wake-up default */
void e1000_reset_phy(struct e1000 *e);	 /* CTRL.PHY_RST */
void e1000_update_link(struct e1000 *e); /* cable, PHY, CTRL.SLU or time moved */
void e1000_link_resolved(const struct e1000 *e, uint8_t *speed,
			 bool *full_duplex); /* as STATUS tells */
void e1000_arm(struct e1000 *e);	     /* some time of `t` or the PHY's changed */
void e1000_note(struct e1000 *e);   /* something that the driver status depends on was written */
void e1000_served(struct e1000 *e); /* the driver looked after the card */

/* irq.c */
void e1000_raise(struct e1000 *e, uint32_t causes);
void e1000_update_irq(struct e1000 *e);	     /* ICR, IMS or ITR changed */
uint32_t e1000_take_causes(struct e1000 *e); /* ICR is read */
void e1000_received(struct e1000 *e);	     /* frames are in the ring: RXT0, now or delayed */
void e1000_sent(struct e1000 *e,
		bool at_once); /* descriptors were reported: TXDW, now or delayed */
void e1000_flush_rx(struct e1000 *e);
void e1000_flush_tx(struct e1000 *e);
void e1000_irq_time(struct e1000 *e, uint64_t now);
uint64_t e1000_irq_deadline(const struct e1000 *e);
void e1000_irq_reset(struct e1000 *e);

/* tx.c */
void e1000_flow_card(struct e1000 *e, struct intel_flow_card *out);
bool e1000_transmit(struct nic *nic, unsigned queue);

/* rx.c */
unsigned e1000_receive(struct nic *nic, const struct frame *frames, unsigned n);
unsigned e1000_receive_looped(struct nic *nic, const struct frame *frames, unsigned n);
void e1000_rx_tail(struct e1000 *e); /* RDT was written */
void e1000_rx_changed(
	struct e1000 *e); /* reception was switched on or off: what waits is to be offered again */

/* Longest frame, with FCS (manual 13.4.22) */
#define E1000_STANDARD_MAX 1522u
#define E1000_LONG_MAX	   16384u /* with RCTL.LPE */

static inline uint32_t e1000_frame_max(const struct e1000 *e)
{
	return e->s.rctl & RCTL_LPE ? E1000_LONG_MAX : E1000_STANDARD_MAX;
}

/* wake.c */
void e1000_wake_frames(struct e1000 *e, const struct frame *frames, unsigned n);
void e1000_wake_link(struct e1000 *e);
bool e1000_asleep(const struct e1000 *e);

/* phy.c */
extern const struct intel_phy_model e1000_phy_m88e1011, e1000_phy_m88e1000;

/* save.c */
int e1000_save(const struct nic *nic, struct buffer *out);
int e1000_load(struct nic *nic, const void *data, size_t len, struct error *err);

#endif
