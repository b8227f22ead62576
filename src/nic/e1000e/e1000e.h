/* e1000e.h - what the files of this model share: its state and its few internal calls.
 *
 * The state is plain and without pointers; register rows (table.c) point into `struct e1000e_state`.
 */
#ifndef ANYNIC_NIC_E1000E_E1000E_H
#define ANYNIC_NIC_E1000E_E1000E_H

#include "nic/e1000e/ops.h"
#include "nic/e1000e/regs.h"
#include "nic/intel/filter.h"
#include "nic/intel/flow.h"
#include "nic/intel/moderation.h"
#include "nic/intel/nvm.h"
#include "nic/intel/phy.h"
#include "nic/intel/ptp.h"
#include "nic/intel/rss.h"
#include "nic/intel/stats.h"
#include "nic/intel/status.h"

/* Registers: CTRL.RST puts them all back, but for DRV_LOAD. */
struct e1000e_state {
	uint32_t ctrl, ctrl_ext, status; /* of STATUS the bits that can be written */
	uint32_t eecd, eerd, eewr, fla, eearbc, flasht, flswctl, flswdata, flswcnt, flop;
	uint32_t mdic, extcnf_ctrl, extcnf_size, poemb, swsm, swsm2, sw_fw_sync;
	uint32_t fcal, fcah, fct, fcttv, fcrtl, fcrth, fcrtv, vet, txcw, ledctl;
	uint32_t icr, ims, iam, eiac, ivar, itr, eitr[E1000E_VECTORS];
	uint32_t rctl, psrctl, rfctl, rxcsum, rdtr, radv, rsrpd, raid, cpuvec, ert;
	uint32_t tctl, tctl_ext, tipg, ait, tidv, tadv, tarc[E1000E_QUEUES];
	uint32_t pba, pbeccsts, rdf[5], tdf[5];
	uint32_t wuc, wufc, wus, ipav, wupl, ip4at[7], ip6at[4], wupm[32];
	uint32_t fflt[8], ffmt[256], ftft[256], ffvt[256];
	uint32_t manc, manc2h, mfval, mfutp[4], mdef[8], hicr;
	uint32_t gcr, gcr2, functag, gscl[4], gscn[4];
	uint32_t rssim, rssir, rxmtrl, rxudp, rxsatr[2];
	uint32_t ioaddr;
	struct intel_ring rx[E1000E_QUEUES], tx[E1000E_QUEUES];
	struct intel_filter filter;
	struct intel_stats stats;
	struct intel_rss rss;
	struct intel_ptp_clock clock;
	struct intel_stamp tx_stamp, rx_stamp;
};

/* Registers of the PHY on other pages than 0 that keep what is written (phy.c). */
#define E1000E_PAGED 8u

/* A cause that may wait for company: from the last event, and at most since the first one (RDTR and RADV, TIDV and TADV). */
struct e1000e_delay {
	uint32_t causes;
	uint64_t due_ns, last_ns; /* 0 = nothing waits */
};

struct e1000e {
	struct nic nic;
	struct e1000e_state s;
	struct intel_nvm nvm;
	struct intel_phy phy;
	uint16_t paged[E1000E_PAGED];
	struct intel_driver driver;
	struct intel_flow flow;
	struct intel_tx_queue tx_queue[E1000E_QUEUES];

	uint32_t
		told; /* causes for which an interrupt went out, and which are still there and unmasked */
	struct intel_throttle throttle[E1000E_VECTORS + 1]; /* of the vectors; the last: ITR */
	struct intel_company company[E1000E_VECTORS];
	uint32_t pressing;   /* "sent" of queues for which it waits for no company */
	uint64_t irq_due_ns; /* one of them holds an interrupt back */
	struct e1000e_delay rx_delay, tx_delay;
	bool looping;	/* frames come from our own transmitter */
	bool rx_seen;	/* the driver got a frame and has given no buffer since */
	uint8_t rx_low; /* queues whose ring was below the threshold: told once; bit = queue */
};

static inline struct e1000e *e1000e_of(struct nic *nic)
{
	return (struct e1000e *)nic;
}

static inline struct e1000e *e1000e_of_pci(struct pci_device *dev)
{
	return (struct e1000e *)dev;
}

extern struct reg_space e1000e_space, e1000e_io_space;
extern const struct intel_phy_model e1000e_phy;

/* e1000e.c */
void e1000e_mac_reset(struct e1000e *e);   /* CTRL.RST */
void e1000e_load_nvm(struct e1000e *e);	   /* what the card takes from its NVM */
void e1000e_phy_restart(struct e1000e *e); /* CTRL.PHY_RST */
void e1000e_link_update(struct e1000e *e); /* the PHY or the cable may have moved */
void e1000e_arm(struct e1000e *e);	   /* moves the model's timer to the earliest deadline */
void e1000e_check_ring(struct e1000e *e,
		       const struct intel_ring *ring); /* something in it was out of reach */
void e1000e_note(struct e1000e *e);		       /* for the driver status */

/* irq.c */
void e1000e_raise(struct e1000e *e, uint32_t causes);
void e1000e_raise_received(struct e1000e *e, uint32_t queues, uint32_t more);
void e1000e_raise_sent(struct e1000e *e, unsigned queue, uint32_t more,
		       const struct intel_tx_result *result);
void e1000e_evaluate(struct e1000e *e); /* cause, mask or mode moved */
void e1000e_flush_delay(struct e1000e *e, struct e1000e_delay *d);
void e1000e_irq_timer(struct e1000e *e);
void e1000e_irq_reset(struct e1000e *e);
reg_read_fn e1000e_icr_read, e1000e_ics_read;
reg_written_fn e1000e_icr_written, e1000e_ics_written, e1000e_ims_written, e1000e_imc_written;

/* rx.c */
unsigned e1000e_receive(struct nic *nic, const struct frame *frames, unsigned n);
void e1000e_rx_tail(struct e1000e *e,
		    unsigned queue); /* the driver gave buffers, or switched reception on */

/* tx.c */
void e1000e_flow_card(struct e1000e *e, struct intel_flow_card *out);
bool e1000e_transmit(struct nic *nic, unsigned queue);

/* save.c */
int e1000e_save(const struct nic *nic, struct buffer *out);
int e1000e_load(struct nic *nic, const void *data, size_t len, struct error *err);

#endif
