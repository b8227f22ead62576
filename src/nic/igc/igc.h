/* igc.h - what the files of this model share: its state and its few internal calls. I225 and I226, 2.5 Gbit/s.
 *
 * Register rows (table.c) point into `struct igc_state`, which is plain. Variants (variants.c) are data.
 */
#ifndef ANYNIC_NIC_IGC_IGC_H
#define ANYNIC_NIC_IGC_IGC_H

#include "nic/igc/regs.h"
#include "nic/intel/filter.h"
#include "nic/intel/flow.h"
#include "nic/intel/msix.h"
#include "nic/intel/nvm.h"
#include "nic/intel/phy.h"
#include "nic/intel/rss.h"
#include "nic/intel/status.h"

#define IGC_MMD_REGS 12u

struct igc_variant {
	uint16_t device;
	uint8_t revision;
	uint16_t phy_id2, phy_firmware;
	uint16_t nvm_version;
};

struct igc_rx_queue {
	struct intel_ring ring;
	uint32_t srrctl, dca;
	uint32_t dropped; /* RQDPC */
};

struct igc_tx_queue {
	struct intel_ring ring;
	uint32_t dca, wbal, wbah;
};

/* Scheduled transmission (tsn.c). */
struct igc_tsn {
	uint32_t gtxoffset, baset[2], cycle, cycle_s;
	uint32_t stqt[IGC_QUEUES], endqt[IGC_QUEUES], txqctl[IGC_QUEUES];
	uint32_t txarb, dtxmxpktsz, tqavctrl;
	uint32_t tqavcc[2], tqavhc[2];
};

/* Registers of the clock (ptp.c). */
struct igc_time {
	uint32_t timinca, timadj;
	uint32_t tsynctxctl, tsyncrxctl, tsyncrxcfg;
	uint32_t tsauxc, tssdp, tsicr, tsim;
	uint32_t trgttim[2 * IGC_TARGETS], freqout[2];
	uint32_t txstmp[IGC_STAMPS][2]; /* ns, s */
	uint32_t rxstmp[2];
	uint32_t high; /* SYSTIMH as it was when SYSTIML was read */
};

/* What rows point to. CTRL.RST puts all of it back, but for what `igc_reset` keeps. */
struct igc_state {
	uint32_t ctrl, ctrl_ext, eecd, mdic, connsw, vet;
	uint32_t fcal, fcah, fct, fcttv, fcrtl, fcrth, fcrtv;
	uint32_t rctl, tctl, tipg, retx, ledctl, mdicnfg, phpm;
	uint32_t eeer, eee_su, ipcnfg, ltrc, ltrmin, ltrmax, dmacr, gcr;
	uint32_t rxpbs, txpbs;
	uint32_t rxcsum, rlpml, rfctl;
	uint32_t psrtype[IGC_QUEUES];
	uint32_t vlanpqf, synqf;
	uint32_t etqf[IGC_ETQF_COUNT];
	uint32_t ttqf[IGC_TUPLE_COUNT], imir[IGC_TUPLE_COUNT], imirext[IGC_TUPLE_COUNT];
	uint32_t wuc, wufc, wufc_ext, wus, wus_ext, manc, ipav, wupl, fhftsl;
	uint32_t uta[128];
	uint32_t swsm, sw_fw_sync;
	uint32_t eerd, eewr;
	struct intel_filter filter;
	struct intel_irq irq;
	struct intel_rss rss;
	struct intel_stats stats;
	struct igc_rx_queue rx[IGC_QUEUES];
	struct igc_tx_queue tx[IGC_QUEUES];
	struct igc_tsn tsn;
	struct igc_time time;
};

/* The clock: `base_ns` at nic_now() == `at_ns`, running at 1 + TIMINCA. */
struct igc_clock {
	uint64_t base_ns, at_ns;
	uint32_t wrapped_s; /* the second whose beginning was told (SYS_WRAP) */
};

/* Launch times of a queue: `released` frames at its head were due and found the backend full, the one behind them waits. */
struct igc_launch {
	uint64_t due_ns; /* time of the card's clock */
	bool waits;
	uint8_t released;
	uint8_t seen; /* frames of this walk; not saved */
};

struct igc {
	struct nic nic;
	struct igc_state s;
	const struct igc_variant *variant;
	struct intel_phy_model phy_model; /* with the variant's id */
	struct intel_phy phy;
	uint16_t mmd_address, mmd_control;
	uint16_t mmd[IGC_MMD_REGS]; /* values of igc_mmd_regs */
	struct intel_nvm nvm;
	struct intel_driver driver;
	struct intel_flow flow;
	struct igc_clock clock;
	uint32_t flex[IGC_FLEX_COUNT][64]; /* as FHFT shows them */
	struct intel_tx_queue txq[IGC_QUEUES];
	struct igc_launch launch[IGC_QUEUES];
	bool dev_rst; /* STATUS shows that CTRL.DEV_RST was used */
};

static inline struct igc *igc_of(struct nic *nic)
{
	return (struct igc *)nic;
}

static inline struct igc *igc_of_dev(struct pci_device *dev)
{
	return (struct igc *)dev;
}

extern struct reg_space igc_space; /* table.c */

/* igc.c */
int igc_init(struct nic *nic, const struct igc_variant *v);
void igc_reset(struct nic *nic, enum reset_kind kind);
void igc_link_changed(struct nic *nic);
void igc_timer(struct nic *nic);
void igc_judge(const struct nic *nic, struct driver_report *out);
void igc_software_reset(struct igc *c, bool device);
void igc_load_nvm(struct igc *c);   /* RAL0 and RAH0 */
void igc_link_check(struct igc *c); /* cable, PHY or time changed: STATUS, LSC */
void igc_timer_at(struct igc *c,
		  uint64_t deadline_ns); /* moves the model's timer forward only; 0: not */
void igc_note(struct igc *c);		 /* driver status */
/* After a bad access: tells when the ring cannot even be read. */
void igc_check_ring(struct igc *c, const struct intel_ring *ring);
bool igc_rx_on(const struct igc *c);
bool igc_tx_on(const struct igc *c, unsigned queue);
bool igc_dma(const struct igc *c);
uint32_t igc_status(const struct igc *c);
uint32_t igc_speed_mbit(const struct igc *c);
void igc_raise(struct igc *c, uint32_t other);

/* phy.c */
void igc_phy_init(struct igc *c);
void igc_phy_reset(struct igc *c);
void igc_phy_save(const struct igc *c, struct buffer *out);
bool igc_phy_load(struct igc *c, struct reader *in);

/* tx.c, rx.c, classify.c */
void igc_flow_card(struct igc *c, struct intel_flow_card *out);
bool igc_transmit(struct nic *nic, unsigned queue);
unsigned igc_receive(struct nic *nic, const struct frame *frames, unsigned n);

struct igc_verdict {
	bool drop;
	bool immediate; /* the interrupt waits for nothing */
	uint8_t queue;
	uint8_t etqf; /* matching EtherType filter + 1 */
	uint32_t hash;
	uint8_t rss_type;
};
/* Which queue a frame that passed the address filter goes to. `exact`: matching RA, or -1. */
void igc_classify(struct igc *c, const struct intel_rx_info *info, int exact,
		  struct igc_verdict *v);
/* RAH with ASEL 1. The entry, or -1. */
int igc_find_source(const struct igc *c, const uint8_t *source);

/* ptp.c */
uint64_t igc_clock_now(const struct igc *c);
uint64_t igc_clock_to_nic(const struct igc *c,
			  uint64_t clock_ns); /* nic_now() then; at least now */
void igc_clock_set(struct igc *c, uint64_t ns);
void igc_clock_rate(struct igc *c); /* before TIMINCA or TSAUXC changes */
void igc_stamp_sent(struct nic *nic, const struct intel_tx_frame *t);
bool igc_stamps_received(const struct igc *c, const struct intel_rx_info *info);
void igc_time_event(struct igc *c, uint32_t causes);
void igc_time_plan(struct igc *c); /* next event of the clock, into the model's timer */
void igc_time_timer(struct igc *c);

/* tsn.c */
bool igc_tsn_on(const struct igc *c);
/* True: nothing of this queue may leave now; the timer is set. */
bool igc_gate_closed(struct igc *c, unsigned queue);
bool igc_hold_frame(struct nic *nic, const struct intel_tx_frame *t);
/* Around each walk of a queue: `taken` of the frames that were not held are gone. */
void igc_launch_begin(struct igc *c, unsigned queue);
void igc_launch_end(struct igc *c, unsigned queue, unsigned taken);
void igc_launch_forget(struct igc *c, unsigned queue);
void igc_tsn_changed(
	struct igc *c); /* a register of the schedule or the clock: waiting queues look again */

/* save.c */
int igc_save(const struct nic *nic, struct buffer *out);
int igc_load(struct nic *nic, const void *data, size_t len, struct error *err);

#endif
