/* tx.h - frames from the guest: one walk for every card of the family.
 *
 * A ring is walked from head to tail until a batch is full; what a raw descriptor says is decoded into one plain form (txd.c knows the
 * layouts), so that the walk, the offloads and the write-back are the same for all cards. Each descriptor is copied once. Pieces
 * of a frame point straight into guest memory. Only when the frames were taken are their descriptors given back; a frame
 * that the owner could not take stays in its ring. A walk never passes more descriptors than the ring holds (CVE-2015-6815,
 * CVE-2016-1981, CVE-2017-9310).
 */
#ifndef ANYNIC_NIC_INTEL_TX_H
#define ANYNIC_NIC_INTEL_TX_H

#include "nic/intel/ring.h"
#include "nic/intel/stats.h"

#define INTEL_TX_CONTEXTS 2u

/* What a context descriptor sets up: where the headers are, in bytes from the frame's first. */
struct intel_tx_context {
	uint16_t ipcss, ipcso,
		ipcse; /* IP header checksum: from, store at, last byte (0: to the end) */
	uint16_t tucss, tucso, tucse; /* the same of TCP, UDP or SCTP */
	uint16_t hdrlen, mss;	      /* segmentation */
	uint16_t vlan;
	uint8_t l4; /* enum intel_l4 */
	bool ipv4;
	uint32_t launch;   /* igc: launch time */
	bool launch_first; /* ... counted from the next cycle */
};

enum intel_l4 { L4_OTHER, L4_TCP, L4_UDP, L4_SCTP, INTEL_L4_COUNT };

enum intel_txd_flag {
	TXD_CONTEXT = BIT(0),	    /* not data: sets a context */
	TXD_EOP = BIT(1),	    /* last of a frame */
	TXD_RS = BIT(2),	    /* report status */
	TXD_IDE = BIT(3),	    /* the interrupt may wait */
	TXD_NO_FCS = BIT(4),	    /* the driver made the FCS: the last 4 bytes */
	TXD_VLAN = BIT(5),	    /* insert `vlan` */
	TXD_TSE = BIT(6),	    /* segment as the context says */
	TXD_IXSM = BIT(7),	    /* IP checksum as the context says */
	TXD_TXSM = BIT(8),	    /* TCP, UDP or SCTP checksum as the context says */
	TXD_CSO = BIT(9),	    /* legacy: checksum from `css` to the end, stored at `cso` */
	TXD_STAMP = BIT(10),	    /* take the time (PTP) */
	TXD_BAD = BIT(11),	    /* no kind of descriptor that this card has */
	TXD_VLAN_CONTEXT = BIT(12), /* the tag is the context's (advanced) */
};

/* A descriptor in plain form. */
struct intel_txd {
	uint64_t address;
	uint32_t length;
	uint32_t flags; /* enum intel_txd_flag */
	uint16_t vlan;	/* tag to insert */
	uint8_t css, cso;
	uint8_t context; /* which context it sets or uses */
	uint8_t mac; /* advanced: MAC field, bits 19:16 of dword 2 (igc: which stamp register) */
	struct intel_tx_context set; /* TXD_CONTEXT */
};

typedef void intel_txd_decode_fn(const struct intel_desc *raw, struct intel_txd *d);

/* Legacy, TCP/IP context (DTYP 0) and TCP/IP data (DTYP 1): 8254x manual 3.3, 82574 datasheet 7.2.
 * Context 0 is the one of checksums, context 1 that of segmentation. */
extern intel_txd_decode_fn intel_txd_decode_basic;
/* Legacy, advanced context (DTYP 2) and advanced data (DTYP 3): 82576 datasheet 7.2. Flags of the first data descriptor count. */
extern intel_txd_decode_fn intel_txd_decode_advanced;

/* What a queue keeps between two walks; part of the saved state. */
struct intel_tx_queue {
	struct intel_tx_context context[INTEL_TX_CONTEXTS];
};

/* One frame of a batch, for the model's hook. */
struct intel_tx_frame {
	const struct frame *frame;
	uint32_t flags; /* of all its descriptors together */
	uint8_t mac;	/* struct intel_txd's */
	uint32_t launch;
	bool launch_first;
};

/* What a model lends to one walk. */
struct intel_tx {
	struct nic *nic;
	struct intel_ring *ring;
	struct intel_tx_queue *queue;
	intel_txd_decode_fn *decode;
	struct intel_stats *stats; /* may be NULL */
	uint16_t index;		   /* of the queue: frame->queue */
	uint16_t
		vlan_type; /* VET: EtherType of an inserted tag; 0 = the card inserts none now (CTRL.VME) */
	bool pad;	   /* TCTL.PSP: short frames become 60 bytes */
	bool head_only;	  /* head write-back instead of DD (TDWBAL bit 0) */
	uint64_t head_at; /* ... where to */
	/* Takes frames; NULL: nic_send. Loopback, switching between pools. Fewer than n = backpressure. */
	unsigned (*send)(struct nic *nic, struct frame *frames, unsigned n);
	/* May be NULL. Called for each frame before it is sent, in order; true: it and all behind it stay in the ring until the model
	 * makes the queue runnable again. */
	bool (*hold)(struct nic *nic, const struct intel_tx_frame *t);
	/* May be NULL. Called for each frame that was taken and asked for something the model does: now TXD_STAMP. */
	void (*sent)(struct nic *nic, const struct intel_tx_frame *t);
};

struct intel_tx_result {
	unsigned frames;
	uint32_t given; /* part of the ring that was given back, of INTEL_RING_WHOLE */
	bool more;	/* call again */
	bool report; /* a descriptor with RS (or the last of a frame with it) was given back: TXDW */
	bool at_once; /* ... and one of them without IDE */
	bool empty;   /* head has reached tail: TXQE */
	bool bad;     /* a frame could not be sent; its descriptors were given back */
};

/* One bounded batch. The ring's enable bits are the caller's business. */
void intel_transmit(struct intel_tx *tx, struct intel_tx_result *result);

/* offload.c: turns what the driver asked into the frame's virtio header; rewrites headers where it must. Frame pieces may be changed; piece
 * 0 is free when `intel_offload_rewrites`. DROP_NONE or why the frame cannot be sent. */
struct intel_tx_request {
	uint32_t flags;
	uint16_t vlan, vlan_type;
	uint8_t css, cso;
	bool pad;
	const struct intel_tx_context *context;
};

static inline bool intel_offload_rewrites(uint32_t flags)
{
	return flags & (TXD_VLAN | TXD_TSE | TXD_IXSM);
}

enum drop_reason intel_offload_apply(struct frame *f, const struct intel_tx_request *ask);

void intel_tx_queue_save(const struct intel_tx_queue *q, struct buffer *out);
void intel_tx_queue_load(struct intel_tx_queue *q, struct reader *in);

#endif
