/* vf.h - the 82576 virtual function as a card of its own: its state and its few internal calls (82576 datasheet 7.10, 8.26).
 *
 * What a VF cannot do by itself, its PF does: pf.[ch] answers the mailbox and decides about addresses, VLANs and frame length. Nothing of
 * the PF is visible to the guest but the mailbox.
 */
#ifndef ANYNIC_NIC_IGB_VF_H
#define ANYNIC_NIC_IGB_VF_H

#include "nic/igb/mailbox.h"
#include "nic/igb/pf.h"
#include "nic/igb/regs.h"
#include "nic/igb/regs.h"
#include "nic/intel/msix.h"
#include "nic/intel/rx.h"
#include "nic/intel/status.h"
#include "nic/intel/tx.h"

#define VF_DEVICE    0x10cau
#define VF_REVISION  1u
#define VF_SUBSYSTEM 0xa03cu
#define VF_BAR_SIZE  0x4000u
#define VF_QUEUES    2u
#define VF_VECTORS   3u

#define VF_STRIDE 0x100u /* from one queue's block to the next */

/* Where a VF has what the PF has elsewhere, or not at all */
enum {
	VF_CTRL_DUP = 0x0004,
	VF_MAILBOX = 0x0c40, /* V2PMAILBOX */
	VF_PSRTYPE = 0x0f0c,
	VF_GPRC = 0x0f10,
	VF_GPTC = 0x0f14,
	VF_GORC = 0x0f18,
	VF_GOTC = 0x0f34,
	VF_MPRC = 0x0f3c,
	VF_GPRLBC = 0x0f40,
	VF_GPTLBC = 0x0f44,
	VF_GORLBC = 0x0f48,
	VF_GOTLBC = 0x0f50,
};

struct igbvf_rx {
	struct intel_ring ring;
	uint32_t srrctl, dca, dropped;
};

struct igbvf_tx {
	struct intel_ring ring;
	uint32_t dca, wbal, wbah;
};

/* Counters run on over everything but a reset of the whole machine, and wrap: drivers keep the last value (82576 8.26.3). */
struct igbvf_stats {
	uint32_t rx_frames, tx_frames, rx_bytes, tx_bytes, rx_multicast;
};

struct igbvf_state {
	uint32_t ctrl;
	uint32_t psrtype;
	struct igb_mailbox mailbox;
	struct igbvf_stats stats;
	struct intel_irq irq;
	struct igbvf_rx rx[VF_QUEUES];
	struct igbvf_tx tx[VF_QUEUES];
};

struct igbvf {
	struct nic nic;
	struct igbvf_state s;
	struct igb_pf pf;
	struct intel_filter filter; /* as the PF set it up */
	uint32_t rctl;		    /* ... and its RCTL */
	struct intel_tx_queue contexts[VF_QUEUES];
	struct intel_driver driver;
};

static inline struct igbvf *igbvf_of(struct nic *nic)
{
	return (struct igbvf *)nic;
}

/* The PF lets the VF send and receive, and the queue is on. */
static inline bool igbvf_queue_on(const struct igbvf *v, const struct intel_ring *ring)
{
	return v->pf.cts && (ring->ctl & DCTL_ENABLE);
}

extern const struct nic_ops igbvf_ops;
extern struct reg_space igbvf_space;

/* vf.c */
void igbvf_soft_reset(struct igbvf *v); /* CTRL.RST */
void igbvf_mailbox_written(struct igbvf *v, uint32_t signals);
void igbvf_note(struct igbvf *v); /* something that the driver status depends on has changed */

/* vf_data.c */
bool igbvf_transmit(struct nic *nic, unsigned queue);
unsigned igbvf_receive(struct nic *nic, const struct frame *frames, unsigned n);

#endif
