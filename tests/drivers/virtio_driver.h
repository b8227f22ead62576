/* virtio_driver.h - a small guest driver for virtio network cards, written from the specification (virtio 1.x, chapters 2, 4.1
 * and 5.1), and the machine around it: memory, eventfds for interrupts, and a wire that keeps what was sent.
 *
 * Memory: RAM_SIZE bytes at RAM_AT, handed out by vd_alloc and never given back.
 */
#ifndef ANYNIC_TESTS_DRIVERS_VIRTIO_DRIVER_H
#define ANYNIC_TESTS_DRIVERS_VIRTIO_DRIVER_H

#include "nic/nic.h"

#define VD_RAM_AT   0x40000000ull
#define VD_RAM_SIZE 0x1000000u
#define VD_QUEUES   17
#define VD_RING_MAX 256
#define VD_WIRE_MAX 512
#define VD_VECTORS  18

#define F(n) (1ull << (n))

/* Features by the names of the specification; only those that tests use. */
enum {
	VD_CSUM = 0,
	VD_GUEST_CSUM = 1,
	VD_CTRL_GUEST_OFFLOADS = 2,
	VD_MTU = 3,
	VD_MAC = 5,
	VD_GUEST_TSO4 = 7,
	VD_GUEST_TSO6 = 8,
	VD_GUEST_ECN = 9,
	VD_HOST_TSO4 = 11,
	VD_HOST_TSO6 = 12,
	VD_HOST_ECN = 13,
	VD_MRG_RXBUF = 15,
	VD_STATUS = 16,
	VD_CTRL_VQ = 17,
	VD_CTRL_RX = 18,
	VD_CTRL_VLAN = 19,
	VD_CTRL_RX_EXTRA = 20,
	VD_GUEST_ANNOUNCE = 21,
	VD_MQ = 22,
	VD_CTRL_MAC_ADDR = 23,
	VD_ANY_LAYOUT = 27,
	VD_INDIRECT = 28,
	VD_EVENT_IDX = 29,
	VD_VERSION_1 = 32,
	VD_PACKED = 34,
	VD_IN_ORDER = 35,
	VD_RING_RESET = 40,
	VD_GUEST_USO4 = 54,
	VD_GUEST_USO6 = 55,
	VD_HOST_USO = 56,
	VD_STANDBY = 62,
	VD_SPEED_DUPLEX = 63,
};

enum {
	VD_ACKNOWLEDGE = 1,
	VD_DRIVER = 2,
	VD_DRIVER_OK = 4,
	VD_FEATURES_OK = 8,
	VD_NEEDS_RESET = 0x40,
	VD_FAILED = 0x80
};

struct vd_piece {
	uint64_t addr;
	uint32_t length;
};

struct vd_queue {
	unsigned number, size;
	bool packed, event_idx, indirect;
	uint64_t desc, driver, device;
	uint64_t notify; /* offset in the notify BAR */
	/* driver's positions */
	uint16_t next, used; /* split: indexes; packed: slots */
	bool next_wrap, used_wrap;
	unsigned added;		     /* slots since the last kick decision */
	unsigned free;		     /* descriptors */
	uint16_t free_head;	     /* split: chain of free descriptors through `next` */
	uint16_t slots[VD_RING_MAX]; /* packed: slots of an id */
	uint16_t ids[VD_RING_MAX];   /* packed: stack of free ids ... */
	unsigned free_ids; /* ... of which there are at least as many as free descriptors */
	uint64_t cookie[VD_RING_MAX]; /* what the caller wants back, by id */
};

struct vd_wire_frame {
	struct virtio_net_hdr_v1 hdr;
	uint32_t length;
	uint16_t queue;
	uint8_t *data;
};

struct vd {
	struct nic_sink sink; /* first */
	struct nic *nic;
	struct clock clock;
	struct frame batch[FRAME_BATCH];
	int ram_fd;
	uint8_t *ram;
	uint64_t next_free;
	int vector_fd[VD_VECTORS], intx_fd;
	bool msix, legacy;
	uint64_t features;
	unsigned header; /* bytes of the header in front of each frame */
	struct {
		unsigned bar;
		uint32_t at, length;
	} common, notify, isr, device;
	uint32_t notify_multiplier, window_cap;
	struct vd_queue q[VD_QUEUES];
	void (*tell)(void *arg, unsigned queue); /* where a kick goes when there are no registers */
	void *tell_arg;
	unsigned wire_room, sends, frames;
	struct vd_wire_frame wire[VD_WIRE_MAX];
};

/* NULL when the model refuses the spec. `spec` may be NULL: a transitional card with one pair. */
struct vd *vd_create(const struct nic_spec *spec, struct error *err);
void vd_destroy(struct vd *d);

uint64_t vd_alloc(struct vd *d, size_t size, size_t align);
uint8_t *vd_at(struct vd *d, uint64_t addr);
void vd_map(struct vd *d); /* memory as it is after vd_create */

void vd_bus_master(struct vd *d, bool on);
/* Enables MSI-X; vectors are then set by vd_setup_queue: queue n gets n + 1, config 0. */
void vd_use_msix(struct vd *d);
unsigned vd_interrupts(struct vd *d, int fd); /* since the last call; also drains */

/* What a worker does after each event. */
void vd_run(struct vd *d);
void vd_wait(struct vd *d, uint64_t ns); /* moves the clock and fires the timer */

/* Registers. */
uint32_t vd_common_read(struct vd *d, uint32_t at, unsigned size);
void vd_common_write(struct vd *d, uint32_t at, unsigned size, uint32_t value);
uint32_t vd_config_read(struct vd *d, uint32_t at, unsigned size); /* device configuration */
uint8_t vd_status(struct vd *d);
void vd_set_status(struct vd *d, uint8_t status);
uint64_t vd_offered(struct vd *d);
void vd_accept(struct vd *d, uint64_t features);
uint8_t vd_isr(struct vd *d);

/* The steps of 3.1.1. vd_begin: reset, ACKNOWLEDGE, DRIVER, features; false when FEATURES_OK did not stick. */
bool vd_begin(struct vd *d, uint64_t features);
/* `size` 0: as large as the device allows. */
void vd_setup_queue(struct vd *d, unsigned queue, unsigned size);
void vd_driver_ok(struct vd *d);
/* All of it with the queues of one pair (and control when negotiated), as the negotiated features say. */
void vd_up(struct vd *d, uint64_t features);

/* Rings. Returns the id, or -1 when the ring is full. */
int vd_add(struct vd *d, unsigned queue, const struct vd_piece *out, unsigned outs,
	   const struct vd_piece *in, unsigned ins, uint64_t cookie);
/* Tells the device if it wants to be told; returns what it wanted. */
bool vd_kick(struct vd *d, unsigned queue);
bool vd_tell(struct vd *d, unsigned queue); /* the same, and the device's worker does not run yet */
bool vd_poke(struct vd *d, unsigned queue); /* tells it anyway */
bool vd_get(struct vd *d, unsigned queue, uint64_t *cookie, uint32_t *length); /* next used chain */
/* For the next used chain, or none. */
void vd_want_interrupt(struct vd *d, unsigned queue, bool on);
uint16_t vd_used_index(struct vd *d, unsigned queue); /* split only */

/* Frames. */
/* Header and data in one buffer; its address. */
uint64_t vd_send(struct vd *d, unsigned pair, const void *frame, size_t length);
void vd_give(struct vd *d, unsigned pair, unsigned count, uint32_t size); /* receive buffers */
/* The wire says something: what receive() returned. */
unsigned vd_say(struct vd *d, const void *frame, size_t length);
unsigned vd_say_queue(struct vd *d, const void *frame, size_t length, uint16_t queue,
		      const struct virtio_net_hdr_v1 *hdr);
/* Takes the next received frame (merged). Its length or -1; `hdr` may be NULL. */
int vd_receive(struct vd *d, unsigned pair, void *to, size_t room, struct virtio_net_hdr_v1 *hdr);
void vd_clear_wire(struct vd *d);

/* A control command; true when the device said OK. */
bool vd_control(struct vd *d, uint8_t class, uint8_t command, const void *data, size_t length);
unsigned vd_control_queue(struct vd *d);

#endif
