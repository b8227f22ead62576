/* ring_split.c - split virtqueues (virtio 1.x, 2.7).
 *
 * driver area: u16 flags, u16 idx, u16 ring[size], u16 used_event
 * device area: u16 flags, u16 idx, {u32 id, u32 len} ring[size], u16 avail_event
 */
#include <linux/virtio_ring.h>

#include "base/bytes.h"
#include "nic/virtio/ring.h"

static uint16_t load16(const uint8_t *p, int order)
{
	const uint16_t *at = (const uint16_t *)(const void *)p;

	if (order == __ATOMIC_ACQUIRE)
		return le16toh(__atomic_load_n(at, __ATOMIC_ACQUIRE));
	return le16toh(__atomic_load_n(at, __ATOMIC_RELAXED));
}

static void store16(uint8_t *p, uint16_t value)
{
	__atomic_store_n((uint16_t *)(void *)p, htole16(value), __ATOMIC_RELAXED);
}

/* Where element i is; the event index comes behind the last one. */
static size_t driver_place(unsigned i)
{
	return 4 + (size_t)2 * i;
}

static size_t device_place(unsigned i)
{
	return 4 + (size_t)8 * i;
}

bool split_map(struct ring *r)
{
	r->desc_at = mem_pointer(r->mem, r->desc, RING_DESCRIPTOR * r->size, MEM_READ);
	r->driver_at = mem_pointer(r->mem, r->driver, driver_place(r->size) + 2, MEM_READ);
	r->device_at = mem_pointer(r->mem, r->device, device_place(r->size) + 2, MEM_WRITE);
	return r->desc_at && r->driver_at && r->device_at && (uintptr_t)r->desc_at % 16 == 0;
}

/* Reads the driver's index. False: it is nonsense. */
static bool look(struct ring *r)
{
	uint16_t seen = load16(r->driver_at + 2, __ATOMIC_ACQUIRE);

	if ((uint16_t)(seen - r->avail) > r->size) {
		ring_fail(r, RING_BAD_INDEX);
		return false;
	}
	r->seen = seen;
	return true;
}

unsigned split_waiting(struct ring *r)
{
	return look(r) ? (uint16_t)(r->seen - r->avail) : 0;
}

int split_pop(struct ring *r, struct ring_chain *c)
{
	if (r->seen == r->avail && (!look(r) || r->seen == r->avail))
		return r->fault == RING_FINE ? 0 : -1;
	uint16_t mask = (uint16_t)(r->size - 1);
	uint16_t i = load16(r->driver_at + driver_place(r->avail & mask), __ATOMIC_RELAXED);
	c->id = i;
	c->slots = 1;
	for (unsigned budget = r->size; budget; budget--) {
		if (i >= r->size)
			return ring_fail(r, RING_BAD_HEAD);
		struct ring_descriptor d = ring_descriptor_at(r->desc_at + RING_DESCRIPTOR * i);
		bool next = d.low & VRING_DESC_F_NEXT;
		if (d.low & VRING_DESC_F_INDIRECT) {
			if (next)
				return ring_fail(r, RING_BAD_INDIRECT);
			if (ring_walk_table(r, c, d.addr, d.length) < 0)
				return -1;
		} else if (ring_add(r, c, d.addr, d.length, d.low & VRING_DESC_F_WRITE) < 0) {
			return -1;
		}
		if (!next) {
			r->avail++;
			return 1;
		}
		i = d.high;
	}
	return ring_fail(r, RING_LOOP);
}

RING_PREFETCHES unsigned split_pop_ones(struct ring *r, enum mem_access access, unsigned skip,
					struct iovec *buffer, struct ring_used *used, unsigned max,
					bool *other)
{
	*other = r->seen == r->avail && !look(r);
	unsigned n = 0, most = *other ? 0 : MIN(max, (uint16_t)(r->seen - r->avail));

	for (; n < most; n++) {
		unsigned place = (r->avail + n) & (r->size - 1u);
		uint16_t i = load16(r->driver_at + driver_place(place), __ATOMIC_RELAXED);
		struct ring_descriptor d;
		uint8_t *at = NULL;

		if (i < r->size) {
			d = ring_descriptor_at(r->desc_at + RING_DESCRIPTOR * i);
			if ((d.low & RING_ONE_MASK) == ring_one_flags(access))
				at = mem_pointer(r->mem, d.addr, d.length, access);
		}
		*other = !at;
		if (!at)
			break;
		ring_prefetch(at, d.length, access, skip);
		buffer[n] = (struct iovec){ .iov_base = at, .iov_len = d.length };
		used[n] = (struct ring_used){ .id = i, .slots = 1 };
	}
	r->avail = (uint16_t)(r->avail + n);
	return n;
}

void split_recover(struct ring *r)
{
	/* what was taken from the available ring and not shown as used is taken again: we use buffers in their order */
	r->used = r->avail = load16(r->device_at + 2, __ATOMIC_ACQUIRE);
}

void split_push(struct ring *r, const struct ring_used *used, unsigned n)
{
	uint16_t mask = (uint16_t)(r->size - 1);

	/* the ring is 4-aligned, its elements at +4: two words would do, one store is cheaper */
	for (unsigned i = 0; i < n; i++)
		put_le64(r->device_at + device_place((unsigned)(r->used + i) & mask),
			 (uint64_t)used[i].written << 32 | used[i].id);
	r->used = (uint16_t)(r->used + n);
	r->pushed = (uint16_t)(r->pushed + n);
}

/* 2.7.10: did the index step over the event between `before` and `now`? */
static bool stepped_over(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

void split_publish(struct ring *r)
{
	__atomic_store_n((uint16_t *)(void *)(r->device_at + 2), htole16(r->used),
			 __ATOMIC_RELEASE);
}

bool split_wants(const struct ring *r, uint16_t span)
{
	if (!r->event_idx)
		return !(load16(r->driver_at, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT);
	uint16_t event = load16(r->driver_at + driver_place(r->size), __ATOMIC_RELAXED);
	return stepped_over(event, r->used, (uint16_t)(r->used - span));
}

void split_set_kicks(struct ring *r, bool on)
{
	if (!r->event_idx)
		store16(r->device_at, on ? 0 : VRING_USED_F_NO_NOTIFY);
	else if (on) /* off: the event stays behind the index, which passes it once in 65536 */
		store16(r->device_at + device_place(r->size), r->seen);
}

bool split_more(struct ring *r)
{
	uint16_t before = r->seen;

	return look(r) && r->seen != before;
}
