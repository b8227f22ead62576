/* status.h - what the guest's driver is doing: latches that the models set, and one judge for the family.
 *
 * DRV_LOAD (CTRL_EXT bit 28) is a driver's own word that it is there: real parts and drivers keep it over CTRL.RST, so it is latched here,
 * and cleared by a write of 0 or a bus reset. Cards or drivers without it are told by what they set up. Boot firmware polls: no
 * DRV_LOAD, no interrupt mask, no MSI(-X).
 */
#ifndef ANYNIC_NIC_INTEL_STATUS_H
#define ANYNIC_NIC_INTEL_STATUS_H

#include "nic/nic.h"

#define INTEL_RESETS_KEPT 4u

struct intel_driver {
	bool drv_load;	    /* now */
	bool drv_load_seen; /* since the bus reset */
	bool irq_used; /* an interrupt was enabled while the receiver was on, since the bus reset */
	bool was_running; /* receiver or transmitter was on since the bus reset */
	bool given;	  /* receive buffers came since the receiver is on */
	bool sending;	  /* the transmitter was on since the receiver is on */
	bool served; /* the driver looks after the running card by polling: see intel_driver_served */
	bool failed_dma; /* a ring or buffer outside memory since the last driver reset */
	uint64_t reset_ns
		[INTEL_RESETS_KEPT]; /* when a running card was reset; newest first, 0 = never */
	uint16_t told;		     /* what intel_driver_note saw last */
};

/* What the registers say now. */
struct intel_card_state {
	bool rx_on, tx_on; /* receiver, transmitter and at least one queue of each */
	bool rx_ring;	   /* a receive ring has a base and a length */
	bool rx_buffers; /* ... and head and tail differ, or it was found so since the receiver is on */
	bool irq_on;	 /* a mask is open */
	bool tx_stops_first; /* e1000e: drivers switch off the transmitter, work off what came, and reset the card with its receiver on */
	bool has_drv_load; /* the card has the bit and its usual driver sets it (not e1000, igbvf) */
	bool vf_ready;	   /* igbvf: VF_RESET was acknowledged; others: true */
	uint32_t rctl, mask; /* for the evidence line */
	const char *stopped; /* igb: what "interface down, driver loaded" is called; may be NULL */
};

/* CTRL_EXT was written: `set` is its DRV_LOAD. */
void intel_driver_load_bit(struct nic *nic, struct intel_driver *d, bool set);
/* CTRL.RST (or the VF's), by the driver: counts it; `running`: the receiver was on. */
void intel_driver_reset(struct nic *nic, struct intel_driver *d, bool running);
/* Call after each write that changes what intel_card_state tells: keeps the latches, asks for a new judgement when one moved. */
void intel_driver_note(struct nic *nic, struct intel_driver *d, const struct intel_card_state *c);
/* The driver looks after its card without interrupts: it read the cause register, sent a frame, or gave buffers back behind a frame that it
 * received. Boot firmware does nothing else; without DRV_LOAD and interrupts this is what makes a card ready. Cheap: may be called
 * each time. */
void intel_driver_served(struct nic *nic, struct intel_driver *d, bool rx_on);
/* A ring is outside guest memory. */
void intel_driver_fault(struct nic *nic, struct intel_driver *d);
/* Power-on, PCI reset, FLR. */
void intel_driver_clear(struct intel_driver *d);

void intel_driver_judge(const struct nic *nic, const struct intel_driver *d,
			const struct intel_card_state *c, struct driver_report *out);

void intel_driver_save(const struct intel_driver *d, uint64_t now, struct buffer *out);
void intel_driver_load(struct intel_driver *d, uint64_t now, struct reader *in);

#endif
