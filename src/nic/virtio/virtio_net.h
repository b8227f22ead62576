/* virtio_net.h - the virtio network card (virtio 1.x, 4.1 and 5.1).
 *
 * virtio_net.c  the device: features, queues, status, reset, link. It knows no register.
 * tx.c rx.c     frames
 * ctrl.c        the control queue, and the receive filter that it sets
 * state.c       saved state
 * pci.c         the transport of the card that we show ourselves: a PCI function, modern and transitional
 * table.c       its register rows; legacy.c: the I/O BAR of a transitional one
 * core.c        the other transport: no registers, driven through core.h by a vhost-user server
 * kernel.c      rings that the kernel's vhost-net serves for a while
 */
#ifndef ANYNIC_NIC_VIRTIO_VIRTIO_NET_H
#define ANYNIC_NIC_VIRTIO_VIRTIO_NET_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "nic/nic.h"
#include "nic/virtio/ring.h"

/* bits that kernel headers of the supported systems lack */
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO	56
#endif

#define VIRTIO_BIT(n)	 (1ull << (n))
#define VIRTIO_PAIRS	 8u
#define VIRTIO_QUEUES	 (2 * VIRTIO_PAIRS + 1) /* pairs, and one for control */
#define VIRTIO_RING_SIZE 256			/* iPXE's limit */
#define VIRTIO_CTRL_SIZE 64
#define VIRTIO_MACS	 64 /* addresses of the receive filter */
#define VIRTIO_VLANS	 4096
/* bytes in front of a frame; 2 fewer in the legacy interface without MRG_RXBUF */
#define VIRTIO_HEADER 12u
/* the control queue's bit in nic->notes.runnable; pairs come before it */
#define VIRTIO_CTRL_KICK VIRTIO_PAIRS

/* BARs as QEMU has them: 0 legacy I/O, 1 MSI-X, 4 everything modern. */
#define VIRTIO_BAR_LEGACY  0
#define VIRTIO_BAR_MSIX	   1
#define VIRTIO_BAR_MODERN  4
#define VIRTIO_COMMON_AT   0x000u
#define VIRTIO_ISR_AT	   0x100u
#define VIRTIO_DEVICE_AT   0x200u
#define VIRTIO_NOTIFY_AT   0x400u
#define VIRTIO_MODERN_SIZE 0x1000u
#define VIRTIO_LEGACY_SIZE 0x40u

#define VIRTIO_COMMON_LENGTH 0x3cu
#define VIRTIO_CONFIG_LENGTH 17u /* mac .. duplex; RSS fields follow when the feature comes */

/* Why the device gave up: an enum ring_fault, or one of these. */
enum virtio_fault {
	VIRTIO_FAULT_RX_ROOM = RING_FAULT_COUNT, /* a receive buffer without room for the header */
	VIRTIO_FAULT_CTRL,   /* a control command without header or without place for the answer */
	VIRTIO_FAULT_KERNEL, /* the kernel, which served the ring, says that it makes no sense */
	VIRTIO_FAULT_COUNT
};

/* What a driver writes through queue_select, per queue. */
struct virtio_queue {
	uint16_t size;
	uint16_t vector;
	uint16_t enable;
	uint64_t desc, driver, device;
};

/* The window of the common configuration: the selected queue, as rows see it. */
struct virtio_window {
	uint16_t size, vector, enable, notify_off;
	uint32_t desc_lo, desc_hi, driver_lo, driver_hi, device_lo, device_hi;
	uint16_t notify_data, reset;
};

enum virtio_rx_mode {
	RX_PROMISC,
	RX_ALLMULTI,
	RX_ALLUNI,
	RX_NOMULTI,
	RX_NOUNI,
	RX_NOBCAST,
	RX_MODE_COUNT
};

struct virtio_filter {
	uint8_t mode[RX_MODE_COUNT];
	/* more addresses than we keep: all of that kind pass */
	bool unicast_overflow, multicast_overflow;
	uint8_t unicasts, multicasts;
	uint8_t mac[VIRTIO_MACS][MAC_LEN]; /* unicasts first */
	uint32_t vlan[VIRTIO_VLANS / 32];
};

/* Guest-visible state: plain, saved. */
struct virtio_state {
	/* common configuration */
	uint32_t device_feature_select, device_feature;
	uint32_t driver_feature_select, driver_feature;
	uint16_t config_vector, num_queues;
	uint8_t status, generation;
	uint16_t queue_select;
	struct virtio_window window;
	uint8_t isr;
	/* device configuration */
	uint8_t mac[MAC_LEN];
	uint16_t net_status, pairs_max, mtu;
	uint32_t speed;
	uint8_t duplex;
	/* behind the rows */
	uint8_t vector_low;	 /* legacy: first byte of a vector that is being written */
	uint64_t wanted;	 /* features as the driver wrote them */
	uint64_t features;	 /* negotiated; what everything else looks at */
	uint64_t guest_offloads; /* of those, switched on now (CTRL_GUEST_OFFLOADS) */
	uint16_t pairs;		 /* in use */
	uint16_t rx_given;	 /* receive buffers when we first saw some; 0 = none yet */
	uint8_t refused;	 /* number + 1 of the feature that kept FEATURES_OK from sticking */
	uint8_t fault;		 /* why the device wants a reset; 0 = it does not */
	uint8_t fault_queue;
	struct virtio_queue queue[VIRTIO_QUEUES];
	struct virtio_filter filter;
};

struct virtio_net;
struct virtio_kernel;

/* How the device reaches its driver. */
struct virtio_transport {
	void (*interrupt)(struct virtio_net *v, unsigned queue);
	void (*config_interrupt)(struct virtio_net *v);
	/* v->state is zero; the device's values come afterwards */
	void (*reset)(struct virtio_net *v);
	void (*stopped)(struct virtio_net *v,
			uint64_t now); /* the deadline of virtio_watch_stop has come; may be NULL */
	bool no_control;	       /* no control queue: the driver's commands are not ours */
};

struct virtio_net {
	struct nic nic;
	const struct virtio_transport *transport;
	struct virtio_state state;
	struct ring ring[VIRTIO_QUEUES];
	uint64_t offered; /* features */
	/* queues that run without effect: bit = queue. What they send waits, or is thrown away if they are in `discard` as well */
	uint32_t disabled, discard;
	uint32_t unseen; /* pairs whose receive ring was kicked while the guest was stopped */
	unsigned vectors;
	uint16_t window_cap;  /* where the PCI configuration access capability is */
	uint64_t lost_ns;     /* since when a ring's memory is gone; 0 = it is not */
	uint64_t lost_due_ns; /* when we look again; 0 = not */
	uint64_t stop_due_ns; /* of virtio_watch_stop; 0 = not */
	uint64_t sent_due_ns; /* when held interrupts are looked at again; 0 = none is held */
	uint8_t *spill;	      /* for a transmit chain of very many pieces */
	struct virtio_kernel *kernel; /* NULL: all rings are ours for ever */
	unsigned kernel_rings;	      /* those below this number are the kernel's now */
};

extern const struct nic_ops virtio_net_ops;
extern const struct nic_ops virtio_core_ops; /* core.c: the same without registers */
extern struct reg_space virtio_modern_space, virtio_legacy_space;

static inline struct virtio_net *virtio_of(struct nic *nic)
{
	return (struct virtio_net *)nic;
}

static inline bool virtio_has(const struct virtio_net *v, unsigned feature)
{
	return v->state.features & VIRTIO_BIT(feature);
}

/* What a queue's size may be, and is after a reset. */
static inline uint16_t virtio_size_max(const struct virtio_net *v, unsigned queue)
{
	return queue == v->state.num_queues - 1u ? VIRTIO_CTRL_SIZE : VIRTIO_RING_SIZE;
}

/* 5.1.6.1: no num_buffers in the legacy interface, unless buffers can be merged. */
static inline unsigned virtio_header_size(const struct virtio_net *v)
{
	return virtio_has(v, VIRTIO_F_VERSION_1) || virtio_has(v, VIRTIO_NET_F_MRG_RXBUF)
		       ? VIRTIO_HEADER
		       : VIRTIO_HEADER - 2;
}

/* DRIVER_OK and nothing wrong: rings may be touched. */
static inline bool virtio_running(const struct virtio_net *v)
{
	return (v->state.status & VIRTIO_CONFIG_S_DRIVER_OK) && !v->state.fault;
}

/* Asks the driver to announce the guest's addresses (after a migration or a move of its link). False: it cannot. */
bool virtio_net_announce(struct nic *nic);

/* --- virtio_net.c, for the other files here --- */
int virtio_init(struct virtio_net *v, const struct nic_spec *spec, struct error *err);
void virtio_finish(struct nic *nic);
void virtio_reset(struct nic *nic, enum reset_kind kind);
bool virtio_transmit(struct nic *nic, unsigned queue);
void virtio_timer(struct nic *nic);
/* Calls transport->stopped then; 0 = never. */
void virtio_watch_stop(struct virtio_net *v, uint64_t due_ns);
void virtio_link_changed(struct nic *nic);
void virtio_set_status(struct virtio_net *v, uint8_t value, bool legacy);
void virtio_enable_queue(struct virtio_net *v, unsigned queue);
void virtio_disable_queue(struct virtio_net *v, unsigned queue);
/* `at`: positions; NULL = from the start */
void virtio_start_queue(struct virtio_net *v, unsigned queue, const struct ring *at);
void virtio_kick(struct virtio_net *v, unsigned queue);
bool virtio_ring_usable(struct virtio_net *v, unsigned queue);
void virtio_fail(struct virtio_net *v, unsigned queue, unsigned fault);
void virtio_interrupt(struct virtio_net *v, unsigned queue);
/* Of a transmit queue: may wait. */
void virtio_interrupt_sent(struct virtio_net *v, unsigned queue);
void virtio_config_changed(struct virtio_net *v);
uint64_t virtio_legacy_features(const struct virtio_net *v);
unsigned virtio_ctrl_queue(const struct virtio_net *v);
void virtio_set_offloads(struct virtio_net *v, uint64_t offloads);
uint64_t virtio_guest_offloads(const struct virtio_net *v); /* those that the driver may switch */

/* --- pci.c --- */
uint8_t virtio_take_isr(struct virtio_net *v);
uint16_t virtio_legal_vector(const struct virtio_net *v, uint32_t vector);

/* --- features.c --- */
uint64_t virtio_offered(const struct nic_spec *spec);
/* Number of the first feature that is not offered or lacks what it depends on, or -1. */
int virtio_bad_feature(uint64_t offered, uint64_t wanted);
uint64_t virtio_feature_needs(unsigned feature); /* one of these; 0 = nothing */
/* What is left of a legacy driver's wish. */
uint64_t virtio_mend_features(uint64_t offered, uint64_t wanted);
const char *virtio_feature_name(unsigned feature);
bool virtio_firmware_like(uint64_t features);
/* Those of `offered` that need no control queue of ours and no configuration space. */
uint64_t virtio_core_features(uint64_t offered);

/* --- kernel.c --- */
/* The rings are ours again, where the kernel left them. Before they or their memory change. */
void virtio_kernel_release(struct virtio_net *v);
void virtio_kernel_kick(struct virtio_net *v, unsigned queue);
void virtio_kernel_finish(struct virtio_net *v);

/* --- table.c: the window of queue_select --- */
void virtio_window_load(struct virtio_net *v);

/* --- tx.c, rx.c, ctrl.c --- */
bool virtio_transmit_pair(struct virtio_net *v, unsigned pair);
unsigned virtio_receive(struct nic *nic, const struct frame *frames, unsigned n);
void virtio_look_for_buffers(struct virtio_net *v, unsigned queue);
bool virtio_control(struct virtio_net *v);
void virtio_filter_reset(struct virtio_filter *f);
bool virtio_filter_passes(const struct virtio_net *v, const struct frame *frame);

/* --- status.c --- */
void virtio_judge(const struct nic *nic, struct driver_report *out);
/* The features that tell drivers apart, as many as fit. */
void virtio_list_features(const struct virtio_state *s, char *text, size_t size);
const char *virtio_fault_name(unsigned fault);

/* --- state.c --- */
int virtio_save(const struct nic *nic, struct buffer *out);
int virtio_load(struct nic *nic, const void *data, size_t len, struct error *err);
void virtio_save_filter(const struct virtio_filter *f, struct buffer *out);
bool virtio_load_filter(struct virtio_filter *f, struct reader *in);

#endif
