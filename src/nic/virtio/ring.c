/* ring.c - what split and packed rings have in common: start, faults, pieces of memory, indirect tables. */
#include "nic/virtio/ring.h"

#include <errno.h>
#include <string.h>
#include <linux/virtio_ring.h>

#include "base/bytes.h"

static const char *const fault_names[] = {
	[RING_FINE] = "fine",
	[RING_UNREACHABLE] = "ring outside guest memory",
	[RING_BAD_SIZE] = "bad queue size",
	[RING_BAD_ALIGNMENT] = "bad ring alignment",
	[RING_BAD_INDEX] = "available index jumped by more than the queue size",
	[RING_BAD_HEAD] = "descriptor number outside the table",
	[RING_LOOP] = "descriptor loop",
	[RING_BAD_INDIRECT] = "bad indirect descriptor",
	[RING_BAD_ORDER] = "readable buffer after a writable one",
	[RING_BAD_ADDRESS] = "buffer outside guest memory",
};
NAMES_MATCH(fault_names, RING_FAULT_COUNT);

const char *ring_fault_name(enum ring_fault fault)
{
	return name_of(fault_names, RING_FAULT_COUNT, fault);
}

int ring_fail(struct ring *r, enum ring_fault fault)
{
	r->fault = (uint8_t)fault;
	return -1;
}

void ring_rewind(struct ring *r)
{
	r->avail = r->used = 0;
	r->avail_wrap = r->used_wrap = true;
}

/* Alignments: virtio 1.x, 2.7 (16, 2, 4) and 2.8 (16, 4, 4). */
static enum ring_fault check_layout(const struct ring *r)
{
	if (r->size == 0 || r->size > RING_SIZE_MAX || (!r->packed && (r->size & (r->size - 1))))
		return RING_BAD_SIZE;
	if (r->desc % 16 || r->driver % (r->packed ? 4 : 2) || r->device % 4)
		return RING_BAD_ALIGNMENT;
	if (r->packed && (r->avail >= r->size || r->used >= r->size))
		return RING_BAD_INDEX;
	return RING_FINE;
}

/* The whole of what we write of a ring, seldom more than a page. */
static void log_used(struct ring *r)
{
	if (r->packed)
		mem_log(r->mem, r->desc_at, RING_DESCRIPTOR * r->size);
	else
		mem_log(r->mem, r->device_at, (size_t)8 * r->size + 6);
}

static void recover(struct ring *r)
{
	r->recover = false;
	if (r->packed)
		packed_recover(r);
	else
		split_recover(r);
	log_used(r); /* a half shown batch was shown */
	r->seen = r->avail;
	r->seen_wrap = r->avail_wrap;
}

static bool ring_map(struct ring *r)
{
	bool mapped = r->packed ? packed_map(r) : split_map(r);

	r->generation = r->mem->generation;
	r->fault = mapped ? RING_FINE : RING_UNREACHABLE;
	if (!mapped)
		r->desc_at = NULL;
	else if (r->recover)
		recover(r);
	return mapped;
}

bool ring_start(struct ring *r)
{
	r->fault = (uint8_t)check_layout(r);
	r->started = true;
	r->kicks_off = false;
	r->seen = r->avail;
	r->seen_wrap = r->avail_wrap;
	r->pushed = 0;
	return r->fault == RING_FINE && ring_map(r);
}

void ring_stop(struct ring *r)
{
	r->started = false;
	r->fault = RING_FINE;
	r->desc_at = NULL;
}

bool ring_usable(struct ring *r)
{
	if (!r->started || r->fault > RING_UNREACHABLE)
		return false;
	if (r->generation == r->mem->generation && r->desc_at)
		return true;
	return ring_map(r);
}

int ring_pop(struct ring *r, struct ring_chain *c)
{
	return r->packed ? packed_pop(r, c) : split_pop(r, c);
}

unsigned ring_pop_ones(struct ring *r, enum mem_access access, unsigned skip, struct iovec *buffer,
		       struct ring_used *used, unsigned max, bool *other)
{
	return r->packed ? packed_pop_ones(r, access, skip, buffer, used, max, other)
			 : split_pop_ones(r, access, skip, buffer, used, max, other);
}

void ring_unpop(struct ring *r, unsigned chains, unsigned slots)
{
	if (r->packed)
		packed_unpop(r, slots);
	else
		r->avail = (uint16_t)(r->avail - chains);
}

void ring_push(struct ring *r, const struct ring_used *used, unsigned n)
{
	if (r->packed)
		packed_push(r, used, n);
	else
		split_push(r, used, n);
}

static void log_event(struct ring *r)
{
	if (r->packed)
		mem_log(r->mem, r->device_at, 4);
	else
		log_used(r);
}

bool ring_publish(struct ring *r)
{
	if (!r->pushed)
		return false;
	if (r->packed)
		packed_publish(r);
	else
		split_publish(r);
	log_used(r);
	r->held = (uint16_t)(r->held + r->pushed);
	r->pushed = 0;
	return ring_ask_again(r);
}

void ring_hold(struct ring *r)
{
	r->held = r->span;
}

bool ring_ask_again(struct ring *r)
{
	r->span = MIN(
		r->held,
		r->size); /* what is further back, the driver has taken: its buffers came again */
	r->held = 0;
	if (!r->span)
		return false;
	/* the driver sets its event and then looks at the ring; we do it the other way round */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return r->packed ? packed_wants(r, r->span) : split_wants(r, r->span);
}

void ring_kicks_off(struct ring *r)
{
	if (r->kicks_off)
		return;
	r->kicks_off = true;
	if (r->packed)
		packed_set_kicks(r, false);
	else
		split_set_kicks(r, false);
	log_event(r);
}

bool ring_kicks_on(struct ring *r)
{
	r->kicks_off = false;
	if (r->packed)
		packed_set_kicks(r, true);
	else
		split_set_kicks(r, true);
	log_event(r);
	/* either the driver sees that we want a kick, or we see what it added before (2.7.7.2, 2.8.10) */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return r->packed ? packed_more(r) : split_more(r);
}

unsigned ring_waiting(struct ring *r)
{
	return r->packed ? packed_waiting(r) : split_waiting(r);
}

/* Copies what has no piece left. The last piece then points to the copy. */
static int spill(struct ring *r, struct ring_chain *c, uint64_t addr, uint32_t length)
{
	struct ring_pieces *out = &c->out;

	if (!c->spill || !out->max) {
		out->truncated = true;
		return 0;
	}
	if (c->spilled == 0) {
		if (out->count == out->max) {
			const struct iovec *last = &out->iov[--out->count];
			if (last->iov_len > c->spill_room) {
				out->count++;
				out->truncated = true;
				return 0;
			}
			memcpy(c->spill, last->iov_base, last->iov_len);
			c->spilled = (uint32_t)last->iov_len;
		}
		out->iov[out->count++] =
			(struct iovec){ .iov_base = c->spill, .iov_len = c->spilled };
	}
	uint32_t n = MIN(length, c->spill_room - c->spilled);
	if (n < length)
		out->truncated = true;
	if (!mem_read(r->mem, addr, c->spill + c->spilled, n))
		return ring_fail(r, RING_BAD_ADDRESS);
	c->spilled += n;
	out->iov[out->count - 1].iov_len = c->spilled;
	return 0;
}

int ring_add_rare(struct ring *r, struct ring_chain *c, uint64_t addr, uint32_t length, bool write)
{
	struct ring_pieces *p = write ? &c->in : &c->out;
	unsigned access = write ? MEM_WRITE : MEM_READ;

	if (!write && c->in.bytes)
		return ring_fail(r, RING_BAD_ORDER);
	if (length == 0)
		return 0;
	p->bytes = length > UINT32_MAX - p->bytes ? UINT32_MAX : p->bytes + length;
	if (p->truncated)
		return 0;
	if (!write && c->spilled)
		return spill(r, c, addr, length);
	void *at = p->count < p->max ? mem_pointer(r->mem, addr, length, access) : NULL;
	if (at) {
		p->iov[p->count++] = (struct iovec){ .iov_base = at, .iov_len = length };
		return 0;
	}
	/* a caller with no use for this direction has no array; the address is checked all the same */
	struct iovec *iov = p->max ? p->iov + p->count : NULL;
	int n = mem_iov(r->mem, addr, length, access, iov, (unsigned)(p->max - p->count));
	if (n == -EFAULT)
		return ring_fail(r, RING_BAD_ADDRESS);
	if (n >= 0) {
		p->count = (uint16_t)(p->count + n);
		return 0;
	}
	if (!write)
		return spill(r, c, addr, length);
	p->truncated = true; /* a device need not use all of a buffer */
	return 0;
}

static bool table_descriptor(struct ring *r, const uint8_t *table, uint64_t addr, unsigned i,
			     struct ring_descriptor *d)
{
	uint8_t copy[16] __attribute__((aligned(8)));

	if (table) {
		*d = ring_descriptor_at(table + RING_DESCRIPTOR * i);
		return true;
	}
	if (!mem_read(r->mem, addr + RING_DESCRIPTOR * i, copy, sizeof(copy)))
		return false;
	*d = ring_descriptor_at(copy);
	return true;
}

int ring_walk_table(struct ring *r, struct ring_chain *c, uint64_t addr, uint32_t length)
{
	unsigned count = length / RING_DESCRIPTOR, i = 0;

	if (!r->indirect || length == 0 || length % RING_DESCRIPTOR || count > RING_TABLE_MAX)
		return ring_fail(r, RING_BAD_INDIRECT);
	/* a table may lie across two regions, or at an odd address; then its descriptors are read one by one */
	const uint8_t *table = mem_pointer(r->mem, addr, length, MEM_READ);
	if ((uintptr_t)table % 8)
		table = NULL;
	for (unsigned budget = count; budget; budget--) {
		struct ring_descriptor d;
		if (!table_descriptor(r, table, addr, i, &d))
			return ring_fail(r, RING_BAD_ADDRESS);
		uint16_t flags = r->packed ? d.high : d.low;
		if (flags & VRING_DESC_F_INDIRECT)
			return ring_fail(r, RING_BAD_INDIRECT);
		if (ring_add(r, c, d.addr, d.length, flags & VRING_DESC_F_WRITE) < 0)
			return -1;
		if (r->packed) {
			i++; /* 2.8.7: the whole table, in order */
			continue;
		}
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = d.high;
		if (i >= count)
			return ring_fail(r, RING_BAD_HEAD);
	}
	return r->packed ? 0 : ring_fail(r, RING_LOOP);
}
