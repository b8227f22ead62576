/* port.h - one port: its NICs on one side, its backend on the other. One worker thread owns it.
 *
 * The port moves frames, does in software what one side cannot, and drops with a reason what must not pass. Which NIC is
 * active is told to it (port_set_links); it decides nothing. It borrows nothing but the scratch room of its worker.
 */
#ifndef ANYNIC_PORT_PORT_H
#define ANYNIC_PORT_PORT_H

#include "backend/backend.h"
#include "net/offload.h"
#include "nic/nic.h"
#include "port/ask.h"

#define PORT_RX_BATCH	 64u
#define PORT_RX_SEGMENTS 48u /* of a frame of 64 KiB in pieces for Ethernet */

/* Segments that one turn makes in software, in each direction. A frame may ask for eight thousand, and other ports, and the
 * guest's register reads, wait for the end of the turn. */
#define PORT_TURN_SEGMENTS 1024u

/* What one turn takes from the rings of a NIC, before the batch that reaches it: sixteen queues may hold 64 MiB. */
#define PORT_TURN_BYTES (1u << 20)

/* Room of a worker for frames that software segmentation makes; used within one call. */
struct port_scratch {
	uint8_t *room;	     /* SCRATCH_SEGMENTS times FRAME_MAX bytes */
	struct frame *frame; /* SCRATCH_SEGMENTS frames */
};

#define SCRATCH_SEGMENTS 16u

int port_scratch_init(struct port_scratch *s);
void port_scratch_finish(struct port_scratch *s); /* accepts a zeroed one */

struct port_counters {
	uint64_t tx_frames, tx_bytes; /* guest -> backend, as the guest sent them */
	uint64_t rx_frames, rx_bytes; /* backend -> guest, as the backend gave them */
	uint64_t drop[DROP_REASON_COUNT];
};

struct port {
	struct nic_sink sink; /* first: NICs send here */
	struct port_spec spec;
	struct backend *backend;    /* owned */
	struct nic *nic[PORT_NICS]; /* owned */
	unsigned nics;
	int active;  /* index of the NIC whose link carries frames; -1 = none */
	int receive; /* index of the NIC that frames of the backend go to: the active one, but of a team the one that the guest reads */
	bool stopped; /* the guest is stopped */

	/* wire -> guest: what was read and not yet taken by the guest */
	struct frame *rx; /* PORT_RX_BATCH frames with a buffer each; one mapping */
	size_t rx_mapping;
	unsigned rx_at, rx_count;
	struct offload_walk rx_walk;		  /* of rx[rx_at], while `rx_walking` */
	struct frame *rx_segment;		  /* PORT_RX_SEGMENTS of its segments ... */
	unsigned rx_segment_at, rx_segment_count; /* ... and those of them that wait */
	uint8_t *rx_room;
	bool rx_walking;
	unsigned rx_budget;   /* segments that may still be made in this turn */
	bool rx_paused;	      /* it was spent: call port_receive again */
	uint32_t rx_offloads; /* what the backend was told last */
	struct port_ask ask;

	/* guest -> wire */
	bool tx_blocked; /* frames were left in the rings: the backend, or the turn, had no room */
	struct frame
		*tx_rest; /* a copy of the frame of which some segments went out before that ... */
	unsigned tx_rest_done;	      /* ... and how many of them; 0 = there is none */
	unsigned tx_budget;	      /* segments that may still be made in this turn */
	uint8_t tx_first[PORT_NICS];  /* the queue with which the next turn begins */
	struct port_scratch *scratch; /* borrowed */

	struct port_counters counters;
};

/* Makes the port around a backend and NICs that exist; takes them, also on failure. */
int port_init(struct port *p, const struct port_spec *spec, struct backend *backend,
	      struct nic *const *nics, unsigned count, struct port_scratch *scratch,
	      struct error *err);
void port_finish(struct port *p); /* accepts a zeroed one */

/* One step: links of all NICs, which one is active and which one receives (-1 = the active one). Posted transmits of the old NIC go out
 * first, frames that wait for it go to the new one. Returns how many frames waited. */
unsigned port_set_links(struct port *p, const bool up[PORT_NICS], int active, int receive);

/* Reads one batch of the backend's queue and delivers it. True when there is more to do. False also while the guest has no room. */
bool port_receive(struct port *p, unsigned queue);

/* Delivers what waits (the guest gave buffers). True when nothing waits any more: read the backend again. False with rx_paused: the turn is
 * over, call port_receive in the next one. */
bool port_deliver(struct port *p);

/* Of a team: the driver of the card that the guest reads is gone for now. Frames wait. */
bool port_receiver_starts(const struct port *p);

/* True while frames wait for the guest: do not poll the backend. */
static inline bool port_rx_waits(const struct port *p)
{
	return p->rx_at < p->rx_count;
}

/* Nothing is on its way: backend and rings can go to somebody else. */
static inline bool port_is_empty(const struct port *p)
{
	return !port_rx_waits(p) && !p->rx_walking && !p->tx_rest_done && !p->tx_blocked;
}

/* True when the backend may be read. */
static inline bool port_wants_rx(const struct port *p)
{
	return !p->stopped && !port_rx_waits(p) && !p->backend->lent;
}

/* One batch of each runnable queue of each NIC, until the turn is over. True when some queue has more. */
bool port_transmit(struct port *p);

/* tx_blocked and the backend can be written (again): everything is runnable. */
void port_unblock(struct port *p);

/* The guest was stopped or goes on. While stopped no ring is touched. */
void port_set_stopped(struct port *p, bool stopped);

/* Shows the network behind the backend where the guest is: RARP in its name. Nothing while no NIC is active. */
void port_announce(struct port *p);

/* Tells the backend which offloads the active NIC's driver takes, when that changed. */
void port_sync_offloads(struct port *p);

#endif
