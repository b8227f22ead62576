/* ring.h - a descriptor ring in guest memory, as all cards of the family lay it out.
 *
 * The device owns the descriptors from head up to, not including, tail. The registers hold what the guest wrote; whoever walks
 * the ring asks intel_ring_open for a checked view first. A length of 0, or a head or tail outside, disables the ring until the
 * guest writes better values (82574 datasheet 10.2.5.7, 10.2.6.5). The view borrows guest memory: it ends with the call that made it.
 */
#ifndef ANYNIC_NIC_INTEL_RING_H
#define ANYNIC_NIC_INTEL_RING_H

#include "nic/nic.h"

#define INTEL_DESC_SIZE 16u

/* One queue's registers, as rows point to them (REG_STATE_EACH). */
struct intel_ring {
	uint32_t bal, bah; /* base address; the low 4 bits are not used */
	uint32_t len;	   /* bytes; 128-byte granule */
	uint32_t head, tail;
	uint32_t ctl; /* TXDCTL or RXDCTL */
};

/* A descriptor as 64-bit words in host order. */
struct intel_desc {
	uint64_t lo, hi;
};

struct intel_ring_view {
	struct guest_mem *mem;
	uint8_t *host; /* all descriptors, when they lie in one region; else NULL */
	uint64_t base;
	uint32_t count; /* descriptors */
	uint32_t head, tail;
	uint16_t desc_size; /* 16; 32 for packet split (82574) */
};

/* False when the ring is disabled. `desc_size` is 16 or 32. */
bool intel_ring_open(struct nic *nic, const struct intel_ring *r, unsigned desc_size,
		     struct intel_ring_view *v);

/* True when the registers name a ring at all: for the driver status. */
static inline bool intel_ring_set(const struct intel_ring *r)
{
	return r->len != 0 && (r->bal != 0 || r->bah != 0);
}

/* False: not even its first descriptor is in guest memory. A driver that set such a ring has failed (intel_driver_fault). */
bool intel_ring_reachable(struct nic *nic, const struct intel_ring *r);

/* Descriptors that the device owns from `at` on. */
static inline uint32_t intel_ring_owned(const struct intel_ring_view *v, uint32_t at)
{
	return v->tail >= at ? v->tail - at : v->count - at + v->tail;
}

static inline uint32_t intel_ring_next(const struct intel_ring_view *v, uint32_t at)
{
	return at + 1 == v->count ? 0 : at + 1;
}

/* Copies descriptor `at` (its first 16 bytes, or the 16 at `part` = 1), once. False when it is outside guest memory. */
bool intel_ring_read(const struct intel_ring_view *v, uint32_t at, unsigned part,
		     struct intel_desc *d);

/* Writes `len` bytes (at most 32) at byte `offset` of descriptor `at`; the last dword that holds the status is written by
 * intel_ring_publish. False outside guest memory. */
bool intel_ring_write(const struct intel_ring_view *v, uint32_t at, unsigned offset,
		      const void *data, unsigned len);

/* Writes one dword behind all writes that came before: what carries DD. */
bool intel_ring_publish(const struct intel_ring_view *v, uint32_t at, unsigned offset,
			uint32_t value);

#endif
