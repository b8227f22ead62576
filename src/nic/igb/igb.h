/* igb.h - Intel 82576, the physical function: 16 receive and 16 transmit queues, 25 vectors, filters, pools.
 *
 * What the guest can see is struct igb_state, which the rows of table.c point into; what is beside it is ours: latches for the driver
 * status, times, and the bits that a batch collects.
 *
 * Receive buffers that are missing. A queue whose driver asked for it (SRRCTL.DROP_EN) must not hold up the others, but the chip has a
 * packet buffer that bridges a moment. So a frame waits RX_HOLD_NS for its queue, then it is dropped and counted (RQDPC); without DROP_EN it waits
 * for as long as it takes, as it does in front of a full packet buffer.
 */
#ifndef ANYNIC_NIC_IGB_IGB_H
#define ANYNIC_NIC_IGB_IGB_H

#include "nic/igb/regs.h"
#include "nic/intel/filter.h"
#include "nic/intel/flow.h"
#include "nic/intel/msix.h"
#include "nic/intel/nvm.h"
#include "nic/intel/phy.h"
#include "nic/intel/ptp.h"
#include "nic/intel/rss.h"
#include "nic/intel/rx.h"
#include "nic/intel/stats.h"
#include "nic/intel/status.h"

#define IGB_DEVICE    0x10c9
#define IGB_BAR_SIZE  0x20000u
#define IGB_IO_SIZE   32u
#define IGB_MSIX_BAR  3u
#define IGB_MSIX_SIZE 0x4000u
#define IGB_VECTORS   25u
#define IGB_QUEUES    16u
#define IGB_POOLS     8u
#define IGB_ADDRESSES 24u
#define IGB_VLVFS     32u
#define IGB_FILTERS   8u    /* of each kind */
#define IGB_FRAME_MAX 9728u /* FCS included */
#define IGB_FRAME_STD 1518u
#define RX_HOLD_NS    NS_PER_MS

struct igb_rx_queue {
	struct intel_ring ring;
	uint32_t srrctl, dca, drops, dvmolr;
};

struct igb_tx_queue {
	struct intel_ring ring;
	uint32_t dca, head_low, head_high;
	struct intel_tx_queue contexts;
};

struct igb_state {
	uint32_t ctrl, ctrl_ext, eecd, eerd, mdic, sctl, connsw;
	uint32_t fcal, fcah, fct, vet, fcttv, fcrtl, fcrth, fcrtv;
	uint32_t rctl, tctl, tctl_ext, tipg, ait, ledctl, txcw;
	uint32_t pba, pbs, i2ccmd, tcptimer, rxpbs, txpbs, qde, dtxctl;
	uint32_t pcs_cfg, pcs_lctl, pcs_anadv;
	uint32_t rxcsum, rlpml, rfctl, vlapqf, synqf;
	uint32_t vt_ctl, dtxswc, lvmmc, wvbr, txswc, rplolr, iovtcl;
	uint32_t wuc, wufc, wus, wupl, manc, ipav, ip4at[4], ip6at[4];
	uint32_t gcr, gioctl, ccmctl, scctl, dca_ctrl;
	uint32_t swsm, sw_fw_sync;
	uint32_t mbvficr, mbvfimr, vflre, vfre, vfte, p2vmailbox[IGB_POOLS];
	uint32_t mailbox[IGB_POOLS * 16];
	uint32_t psrtype[IGB_POOLS], vmolr[IGB_POOLS], vmvir[IGB_POOLS], vlvf[IGB_VLVFS];
	uint32_t saqf[IGB_FILTERS], daqf[IGB_FILTERS], spqf[IGB_FILTERS], ftqf[IGB_FILTERS];
	uint32_t imir[IGB_FILTERS], imirext[IGB_FILTERS], imirvp, etqf[IGB_FILTERS];
	uint32_t uta[128];
	uint32_t tsyncrxcfg, rxsatr[2], tsauxc, trgttim[4];
	uint32_t io_address;
	struct intel_ptp_clock clock;
	struct intel_stamp tx_stamp, rx_stamp;
	struct intel_rss rss;
	struct intel_irq irq;
	struct intel_filter filter;
	struct intel_stats stats;
	struct igb_rx_queue rx[IGB_QUEUES];
	struct igb_tx_queue tx[IGB_QUEUES];
};

#define IGB_SPI_STEPS 7u

/* The SPI EEPROM behind EECD: a command and its address come in bit by bit, then data bytes go in or out. */
struct igb_spi {
	uint8_t step; /* enum spi_step */
	uint8_t in, out, bits, level;
	uint8_t command;
	uint8_t write_enabled;
	uint16_t address;
};

struct igb {
	struct nic nic; /* first */
	struct igb_state s;
	struct intel_nvm nvm;
	struct intel_phy phy;
	struct igb_spi spi;
	struct intel_driver driver;
	struct intel_flow flow;
	uint64_t rx_hold_ns; /* a frame waits for rx_hold_queue until then; 0 = none waits */
	uint8_t rx_hold_queue;
	uint32_t rx_full;	   /* queues that drop until their tail is written */
	struct intel_causes batch; /* what receive() collects */
	uint8_t loop_pool;	   /* pool that sends a frame through the card's own switch, + 1 */
	bool looping;		   /* receive() takes what transmit() sent: nothing can wait */
};

static inline struct igb *igb_of(struct nic *nic)
{
	return (struct igb *)nic;
}

static inline struct igb *igb_of_dev(struct pci_device *dev)
{
	return (struct igb *)dev;
}

/* table.c */
extern struct reg_space igb_mem_space, igb_io_space;

/* igb.c */
void igb_note(struct igb *g); /* after each write that the driver status looks at */
void igb_link_update(struct igb *g);
bool igb_loops(const struct igb *g);
reg_read_fn igb_status_read, igb_swsm_read, igb_frtimer_read, igb_io_read;
reg_written_fn igb_ctrl_written, igb_ctrl_ext_written, igb_mdic_written, igb_io_written;

/* eeprom.c */
void igb_eeprom_fill(struct igb *g);
reg_read_fn igb_eecd_read;
reg_written_fn igb_eecd_written, igb_eerd_written;

/* phy.c */
extern const struct intel_phy_model igb_phy_model;

/* tx.c */
void igb_flow_card(struct igb *g, struct intel_flow_card *out);
bool igb_transmit(struct nic *nic, unsigned queue);
void igb_tx_kick_all(struct igb *g);
unsigned igb_loop_back(struct nic *nic, struct frame *frames, unsigned n);
reg_written_fn igb_tdt_written, igb_txdctl_written, igb_tctl_written;

/* rx.c */
unsigned igb_receive(struct nic *nic, const struct frame *frames, unsigned n);
bool igb_rx_on(const struct igb *g, unsigned queue);
reg_written_fn igb_rdt_written, igb_rxdctl_written, igb_rctl_written;

/* ptp.c */
void igb_stamp_sent(struct nic *nic, const struct intel_tx_frame *t);
/* RXD_STATUS_TS when the frame's time is in RXSTMP now. */
uint32_t igb_stamp_received(struct igb *g, const struct intel_rx_info *info);
reg_read_fn igb_systim_read, igb_tx_stamp_read, igb_rx_stamp_read;
reg_written_fn igb_systim_written, igb_timinca_written, igb_timadj_written;

/* queue.c: which queue gets a frame, and what else a filter asks for. */
struct igb_choice {
	uint32_t queues; /* bit = queue; more than one: replicated to pools */
	uint32_t rss_hash;
	uint8_t rss_type;
	uint16_t packet_type;
	bool at_once; /* a low latency filter */
};
reg_written_fn igb_rssrk_written;
void igb_choose(struct igb *g, const struct intel_rx_info *info, uint32_t pools,
		struct igb_choice *out);

/* pool.c: virtual machine queues. Pools that shall get a frame; 0 = none. */
static inline bool igb_has_pools(const struct igb *g)
{
	uint32_t mode = g->s.rss.mrqc & MRQC_MODE;

	return mode == MRQC_VMDQ || mode == MRQC_VMDQ_RSS;
}
uint32_t igb_pools_of(const struct igb *g, const struct intel_rx_info *info, enum intel_dest dest);
/* Frames of a pool's queue: to other pools, to the wire, or both. */
unsigned igb_switch_frames(struct nic *nic, struct frame *frames, unsigned n);

/* status.c, save.c */
void igb_card_state(const struct igb *g, struct intel_card_state *out);
void igb_judge(const struct nic *nic, struct driver_report *out);
int igb_save(const struct nic *nic, struct buffer *out);
int igb_load(struct nic *nic, const void *data, size_t len, struct error *err);

extern const struct nic_ops igb_ops;

#endif
