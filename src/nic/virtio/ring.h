/* ring.h - a virtqueue as its device sees it: split or packed (virtio 1.x, 2.7 and 2.8), in guest memory.
 *
 * Knows no network card and no PCI, so that a vhost-user server can use it as it is. The owner fills in the addresses, the
 * size and what was negotiated, and calls ring_start; then pops chains of buffers, pushes them back as used, and publishes
 * a batch of those with one store. Whatever the guest writes, a walk ends: after `size` descriptors, or after
 * RING_TABLE_MAX of an indirect table. Each descriptor is copied once. The ring borrows `mem`.
 *
 * Host pointers into the ring are kept and made anew when mem->generation changes: every function that touches guest memory
 * is to be called after ring_usable() said yes, with no change of the memory map in between.
 */
#ifndef ANYNIC_NIC_VIRTIO_RING_H
#define ANYNIC_NIC_VIRTIO_RING_H

#include <endian.h>
#include <linux/virtio_ring.h>

#include "mem/mem.h"

#define RING_SIZE_MAX	32768u
#define RING_DESCRIPTOR ((size_t)16) /* bytes */
#define RING_TABLE_MAX	1024u	     /* descriptors of an indirect table */

/* What is wrong with a ring. Anything but RING_FINE and RING_UNREACHABLE stays until the ring is started again. */
enum ring_fault {
	RING_FINE,
	RING_UNREACHABLE, /* the ring is not in guest memory (now) */
	RING_BAD_SIZE,
	RING_BAD_ALIGNMENT,
	RING_BAD_INDEX, /* the driver's index jumped by more than the size */
	RING_BAD_HEAD,	/* a descriptor number outside the table */
	RING_LOOP,	/* a chain longer than the queue */
	RING_BAD_INDIRECT, /* not negotiated, nested, empty, too long, or followed by another descriptor */
	RING_BAD_ORDER,	  /* a buffer that the device reads after one that it writes */
	RING_BAD_ADDRESS, /* a buffer outside guest memory */
	RING_FAULT_COUNT
};

/* In words for a person: "descriptor loop" and so on. */
const char *ring_fault_name(enum ring_fault fault);

struct ring {
	/* the owner's, before ring_start */
	struct guest_mem *mem;
	uint64_t desc;	 /* descriptor table, or the packed ring */
	uint64_t driver; /* available ring, or the driver's event suppression */
	uint64_t device; /* used ring, or the device's event suppression */
	uint16_t size;
	bool packed;
	bool indirect;
	bool event_idx;
	/* the positions below are a guess: what the device before us showed the driver is in the ring itself */
	bool recover;

	/* where we are; saved and loaded by the owner */
	uint16_t avail; /* split: running index; packed: slot */
	uint16_t used;
	bool avail_wrap; /* packed: wrap counters */
	bool used_wrap;

	/* ours */
	bool started;
	bool kicks_off; /* we asked for no kicks */
	bool seen_wrap;
	uint8_t fault; /* enum ring_fault */
	/* split: the driver's index as last read; packed: the slot that was last found empty */
	uint16_t seen;
	uint16_t pushed;     /* entries (slots) pushed since the last publish */
	uint16_t span;	     /* what the last publish asked the driver about */
	uint16_t held;	     /* published, but its interrupt waits */
	uint16_t head_flags; /* packed: flags of the first pushed slot, stored last */
	uint16_t head_slot;
	uint64_t generation;
	uint8_t *desc_at, *driver_at, *device_at;
};

/* Pieces of guest memory, put into the caller's array. */
struct ring_pieces {
	struct iovec *iov;
	uint16_t max;
	uint16_t count;
	uint32_t bytes; /* of the whole chain, also what did not fit */
	bool truncated; /* the pieces are not the whole chain */
};

/* A chain of buffers. The caller sets both iov and max, and `spill`; everything else is 0 before ring_pop. */
struct ring_chain {
	struct ring_pieces out; /* what the device reads */
	struct ring_pieces in;	/* what the device writes */
	/* where out bytes go that would need more pieces than `max`; the last piece then points there. May be NULL */
	uint8_t *spill;
	uint32_t spill_room;
	uint32_t spilled;
	uint16_t id;	/* goes back with ring_push */
	uint32_t slots; /* places in the ring that it took */
};

/* A popped chain on its way back. */
struct ring_used {
	uint32_t written; /* bytes, by the device */
	uint16_t id, slots;
};

/* Where a ring begins that never ran. */
void ring_rewind(struct ring *r);

/* Goes on from the positions as they are. False: see fault. */
bool ring_start(struct ring *r);
void ring_stop(struct ring *r);

/* Started, without a fault, and in reachable memory. RING_UNREACHABLE goes away by itself when the memory comes back. */
bool ring_usable(struct ring *r);

/* 1: a chain; 0: the ring is empty; -1: see fault. */
int ring_pop(struct ring *r, struct ring_chain *c);

/* Pops up to `max` chains that are as most are: one buffer, in one region, that the device reads (MEM_READ) or writes (MEM_WRITE). Asks the
 * CPU for the first bytes of each buffer, behind `skip` that the caller has no use for: the driver's core wrote them last, and to
 * wait for one after the other is most of what a small frame costs. Nothing was written yet, says `used`. *other: the next
 * chain is of another kind; nothing is kept of what was seen of it, ring_pop looks for itself. */
unsigned ring_pop_ones(struct ring *r, enum mem_access access, unsigned skip, struct iovec *buffer,
		       struct ring_used *used, unsigned max, bool *other);

/* Gives back the last popped chains, unused: `chains` of them that took `slots`. */
void ring_unpop(struct ring *r, unsigned chains, unsigned slots);

/* Marks chains used; the guest sees it after ring_publish. In the order of popping (VIRTIO_F_IN_ORDER). */
void ring_push(struct ring *r, const struct ring_used *used, unsigned n);

/* Shows the guest what was pushed. True when the driver wants an interrupt for it. */
bool ring_publish(struct ring *r);

/* The interrupt of the last publish waits. Until ring_ask_again, or the next publish, both of which look at what the driver
 * wants by then for all that it has not been told of. */
void ring_hold(struct ring *r);
bool ring_ask_again(struct ring *r);

/* Kicks off while we look at the ring anyway; on before we go to sleep. ring_kicks_on returns true when buffers came in
 * meanwhile, for which no kick may follow. */
void ring_kicks_off(struct ring *r);
bool ring_kicks_on(struct ring *r);

/* Chains that wait. A packed ring is walked for it: not for the packet path. */
unsigned ring_waiting(struct ring *r);

/* --- shared by ring.c, ring_split.c and ring_packed.c --- */
struct ring_descriptor {
	uint64_t addr;
	uint32_t length;
	uint16_t low;  /* split: flags; packed: id */
	uint16_t high; /* split: next; packed: flags */
};

__attribute__((cold)) int ring_fail(struct ring *r, enum ring_fault fault); /* -1 */
__attribute__((noinline)) int ring_add_rare(struct ring *r, struct ring_chain *c, uint64_t addr,
					    uint32_t length, bool write);

/* Two loads that the compiler can neither repeat nor split: the guest may change them meanwhile. A packed descriptor's flags say
 * whether the rest is valid, so their half comes first. */
static inline struct ring_descriptor ring_descriptor_at(const uint8_t *p)
{
	uint64_t rest = __atomic_load_n((const uint64_t *)(const void *)(p + 8), __ATOMIC_ACQUIRE);
	uint64_t addr = __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_RELAXED);

	rest = le64toh(rest);
	return (struct ring_descriptor){ .addr = le64toh(addr),
					 .length = (uint32_t)rest,
					 .low = (uint16_t)(rest >> 32),
					 .high = (uint16_t)(rest >> 48) };
}

/* Adds a descriptor's buffer to the chain. 0 or -1. Most are the first of their chain and lie in one region. */
static inline int ring_add(struct ring *r, struct ring_chain *c, uint64_t addr, uint32_t length,
			   bool write)
{
	struct ring_pieces *p = write ? &c->in : &c->out;
	void *at = NULL;

	if (!c->out.bytes && !c->in.bytes && p->max)
		at = mem_pointer(r->mem, addr, length, write ? MEM_WRITE : MEM_READ);
	if (!at)
		return ring_add_rare(r, c, addr, length, write);
	p->iov[0] = (struct iovec){ .iov_base = at, .iov_len = length };
	p->count = 1;
	p->bytes = length;
	return 0;
}

/* The flags of a descriptor that is the only one of its chain; the same in both rings. */
#define RING_ONE_MASK (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE)

static inline uint16_t ring_one_flags(enum mem_access access)
{
	return access == MEM_WRITE ? VRING_DESC_F_WRITE : 0;
}

#define RING_LINE 64 /* bytes of a line of the cache */

#if defined(__x86_64__)
#define RING_PREFETCHES                                                                            \
	__attribute__((target("prfchw"))) /* nothing happens on a CPU that does not know it */
#else
#define RING_PREFETCHES
#endif

/* Asks for the front of a buffer: header and headers; of what follows the hardware sees that it is read in order. */
RING_PREFETCHES static inline void ring_prefetch(const uint8_t *at, uint32_t length,
						 enum mem_access access, unsigned skip)
{
	if (access == MEM_WRITE) {
		__builtin_prefetch(at, 1);
		__builtin_prefetch(at + RING_LINE, 1);
		return;
	}
	__builtin_prefetch(at + skip);
	if (length > skip + RING_LINE)
		__builtin_prefetch(at + skip + RING_LINE);
}

/* Walks an indirect table; `packed` ones have no `next`. 0 or -1. */
__attribute__((noinline)) int ring_walk_table(struct ring *r, struct ring_chain *c, uint64_t addr,
					      uint32_t length);

bool split_map(struct ring *r);
int split_pop(struct ring *r, struct ring_chain *c);
unsigned split_pop_ones(struct ring *r, enum mem_access access, unsigned skip, struct iovec *buffer,
			struct ring_used *used, unsigned max, bool *other);
void split_recover(struct ring *r);
void split_push(struct ring *r, const struct ring_used *used, unsigned n);
void split_publish(struct ring *r);
bool split_wants(const struct ring *r, uint16_t span);
void split_set_kicks(struct ring *r, bool on);
unsigned split_waiting(struct ring *r);
bool split_more(struct ring *r);

bool packed_map(struct ring *r);
int packed_pop(struct ring *r, struct ring_chain *c);
unsigned packed_pop_ones(struct ring *r, enum mem_access access, unsigned skip,
			 struct iovec *buffer, struct ring_used *used, unsigned max, bool *other);
void packed_recover(struct ring *r);
void packed_unpop(struct ring *r, unsigned slots);
void packed_push(struct ring *r, const struct ring_used *used, unsigned n);
void packed_publish(struct ring *r);
bool packed_wants(const struct ring *r, uint16_t span);
void packed_set_kicks(struct ring *r, bool on);
unsigned packed_waiting(struct ring *r);
bool packed_more(struct ring *r);

#endif
