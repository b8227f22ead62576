/* nic.h - the model contract. Nothing above it knows which model it is.
 *
 * A model embeds `struct nic` as its first member. Its guest-visible state is one plain struct; register rows (pci/reg.h) point
 * into it. A model is entered by: register rows' callbacks, and the ops below. It never calls its owner except through nic_send; it leaves notes that
 * the owner reads after every entry (nic_take_notes): which queues are runnable, whether receive buffers came, when its timer is due,
 * that the driver status must be judged again.
 * One thread (the port's worker) makes all calls.
 */
#ifndef ANYNIC_NIC_NIC_H
#define ANYNIC_NIC_NIC_H

#include "base/buffer.h"
#include "base/clock.h"
#include "config/spec.h"
#include "net/frame.h"
#include "nic/driver_status.h"
#include "pci/pci.h"

struct nic;

enum reset_kind {
	RESET_POWER_ON, /* init */
	RESET_PCI,	/* vfio-user DEVICE_RESET: bus reset, or the guest's reboot */
	RESET_FUNCTION, /* FLR, D3hot -> D0 */
};

struct nic_ops {
	const char *name; /* "igc", as users write it */
	const struct nic_ops *
		vhost_user; /* the same card without registers, for transport=vhost-user; NULL = cannot */
	const char *summary; /* one line for `anynic models` */
	const char *const
		*does; /* what is modelled, a line each, NULL at the end: docs/devices.md */
	const char *const *lacks; /* what the chip has and this model does not */
	size_t size;		  /* bytes of the model's struct, which begins with struct nic */
	bool performant;	  /* may be the performant card of a switch port */
	bool legacy;
	bool express;	     /* PCI Express card: wants a root port on q35 */
	uint16_t queues_max; /* queue pairs */
	struct reg_space *const *
		spaces; /* register maps of all BARs, NULL at the end; nic_models_prepare builds them */
	uint16_t mtu_max; /* what `mtu=` may be; 0 = the card takes no mtu= */
	bool packed;	  /* takes packed=on */
	bool vf_policy;	  /* a virtual function: takes vlan=, qos=, trust=, spoofchk= */
	uint8_t revs[4];  /* what `rev=` may be, ends with 0; none = the card takes no rev= */
	bool rev_zero;	  /* and rev=0 */
	uint8_t express_rev; /* the revision behind a PCI Express port when rev= is not given; 0 = as elsewhere */
	bool msix; /* has MSI-X */
	bool io_ports; /* has a BAR of I/O ports (that of express_rev has none): machines have room for few */

	/* nic->spec, clock, mem and mac are set; adds identity, BARs, capabilities. Allocates everything that will ever be needed. */
	int (*init)(struct nic *nic, const struct nic_spec *spec, struct error *err);
	void (*finish)(struct nic *nic); /* accepts a zeroed nic */
	void (*reset)(struct nic *nic,
		      enum reset_kind kind); /* model state; pci was reset before */
	bool (*transmit)(
		struct nic *nic,
		unsigned
			queue); /* one bounded batch; true: more waits. A queue that does not exist: false */
	/* Frames for the guest. Returns how many were taken (also those that a filter dropped); fewer = no buffers, try the rest
	 * when nic->notes.rx_ready. Publishes and interrupts once per call. */
	unsigned (*receive)(struct nic *nic, const struct frame *frames, unsigned n);
	void (*link_changed)(struct nic *nic); /* nic->link_up is the new value */
	void (*timer)(struct nic *nic); /* nic->notes.deadline_ns has come (it was cleared) */
	void (*judge)(const struct nic *nic,
		      struct driver_report
			      *out); /* driver status from state and latches; no side effect */
	int (*save)(const struct nic *nic,
		    struct buffer *out); /* model sections only; nic_save does the rest */
	int (*load)(struct nic *nic, const void *data, size_t len, struct error *err);
};

/* Left by the model, read and cleared by the owner after each entry. */
struct nic_notes {
	uint32_t runnable; /* transmit (and control) queues that were kicked: bit = queue */
	bool rx_ready;	   /* the guest gave receive buffers */
	bool status_dirty; /* judge again */
	uint64_t
		deadline_ns; /* nic->clock time of the model's next timer; 0 = none. Not cleared by reading. */
};

struct nic_counters {
	uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes;
	uint64_t drop[DROP_REASON_COUNT];
	uint64_t bad_access; /* descriptors or ring addresses outside guest memory */
};

/* Where a NIC's frames go. Returns how many were taken; fewer = backpressure: the model leaves the rest in the ring, and is
 * made runnable again by the owner. */
struct nic_sink {
	unsigned (*send)(struct nic_sink *sink, struct nic *nic, struct frame *frames, unsigned n);
};

struct nic {
	struct pci_device pci; /* first: register callbacks get this pointer */
	const struct nic_ops *ops;
	struct nic_spec spec;
	struct guest_mem mem;
	struct clock *clock;   /* borrowed */
	struct nic_sink *sink; /* borrowed; NULL = frames are dropped as DROP_INACTIVE */
	uint8_t mac[MAC_LEN];  /* permanent address */
	bool link_up;
	bool hears; /* of a team, whose guest reads a card that shows it no link: what comes in is no loss then */
	bool stopped; /* the guest is stopped: no ring may be touched */
	bool polled; /* the owner runs the `pollable` queues, and offers frames that wait, again soon: no kick is needed */
	uint32_t
		pollable; /* running queues that can do without kicks: bits as in notes.runnable; set by the model */
	uint32_t
		rx_offloads; /* enum frame_offload that the driver takes now, set by the model; FRAME_CSUM here means that a
	                              * frame may come with NEEDS_CSUM. The port mends whatever else the backend gives. */
	struct nic_notes notes;
	struct nic_counters counters;
	struct driver_status status;
	uint64_t
		walked; /* bytes of all frames that transmit() has put together, sent or not: the owner ends its turn by it */
	struct frame *batch; /* FRAME_BATCH frames of the worker's, for transmit; borrowed */
};

/* Model by name, or NULL. models.c is the only place that names them all. */
const struct nic_ops *nic_model_find(const char *name);
extern const struct nic_ops *const nic_models[];
extern const unsigned nic_model_count;

/* Builds the register maps of all models; once, before threads start. */
int nic_models_prepare(struct error *err);

/* Makes a NIC and resets it (power-on). `clock` and `batch` are borrowed. */
struct nic *nic_create(const struct nic_spec *spec, struct clock *clock, struct frame *batch,
		       struct error *err);
/* The same for ops that are no model of ours, whatever spec->model is. */
struct nic *nic_create_as(const struct nic_ops *ops, const struct nic_spec *spec,
			  struct clock *clock, struct frame *batch, struct error *err);
void nic_destroy(struct nic *nic); /* NULL is fine */

/* PCI reset as the bus does it: pci_reset, model reset, status none. */
void nic_reset(struct nic *nic, enum reset_kind kind);

void nic_set_link(struct nic *nic, bool up);

/* Re-judges the driver status when the notes ask for it. True when status.changed. */
bool nic_update_status(struct nic *nic);

/* For models. The hooks that every model passes to pci_init (or calls from its own): bus mastering gates guest memory,
 * FLR resets the NIC, and the driver status is judged again. */
extern const struct pci_hooks nic_pci_hooks;
void nic_command_changed(struct pci_device *dev);
void nic_function_reset(struct pci_device *dev);

static inline struct nic *nic_of(struct pci_device *dev)
{
	return (struct nic *)dev;
}

static inline uint64_t nic_now(const struct nic *nic)
{
	return clock_now(nic->clock);
}

static inline void nic_kick(struct nic *nic, unsigned queue)
{
	nic->notes.runnable |= 1u << queue;
}

/* Moves the model's one timer; 0 cancels. */
static inline void nic_set_timer(struct nic *nic, uint64_t deadline_ns)
{
	nic->notes.deadline_ns = deadline_ns;
}

static inline void nic_drop(struct nic *nic, enum drop_reason reason)
{
	nic->counters.drop[reason]++;
}

/* What both nic_send and a model with checks of its own do: hands on the frames between those that `check` refuses, run by run,
 * and drops the refused ones where they stand. How many are done with. */
static inline unsigned nic_send_runs(struct nic *nic, struct frame *frames, unsigned n,
				     enum drop_reason (*check)(struct nic *nic,
							       struct frame *frame),
				     unsigned (*send)(struct nic *nic, struct frame *frames,
						      unsigned n))
{
	unsigned begin = 0;

	for (unsigned i = 0; i <= n; i++) {
		enum drop_reason bad = i < n ? check(nic, &frames[i]) : DROP_NONE;
		if (i < n && bad == DROP_NONE)
			continue;
		/* a bad frame, or the end: the good ones before it go out in one run */
		begin += send(nic, frames + begin, i - begin);
		if (begin < i)
			return begin;
		if (i < n)
			nic_drop(nic, bad);
		begin = i + 1;
	}
	return n;
}

/* Checks the frames (frame_check), counts them and hands them on. How many were taken; bad ones count as taken. */
unsigned nic_send(struct nic *nic, struct frame *frames, unsigned n);

/* Saved state of a whole NIC: magic, version, model, pci, model sections. Load wants a NIC of the same model and spec. */
int nic_save(const struct nic *nic, struct buffer *out);
int nic_load(struct nic *nic, const void *data, size_t len, struct error *err);

#endif
