/* tx.c - frames from the guest: popped in batches, handed on as pieces of guest memory, given back when they were taken. */
#include <string.h>

#include "nic/virtio/virtio_net.h"

/* Chains of one batch. Those without a frame were dropped; they go back in order with the others. */
struct batch {
	struct ring_used chain[FRAME_BATCH];
	uint64_t dropped; /* bit = chain */
	unsigned chains, frames;
	uint32_t bytes; /* of the frames */
	bool spilled;	/* the one spill buffer is in use */
};
_Static_assert(FRAME_BATCH <= 64, "dropped has a bit for each chain");

static bool is_full(const struct batch *b)
{
	return b->chains == FRAME_BATCH || b->bytes >= BATCH_BYTES;
}

/* Takes the `n` bytes of the header from the front of the frame's pieces. */
static void take_header(struct frame *f, size_t n)
{
	unsigned gone = 0;

	iov_to_buffer(f->iov, f->iovs, 0, &f->hdr, n);
	while (gone < f->iovs && f->iov[gone].iov_len <= n)
		n -= f->iov[gone++].iov_len;
	if (gone) {
		f->iovs = (uint16_t)(f->iovs - gone);
		memmove(f->iov, f->iov + gone, f->iovs * sizeof(f->iov[0]));
	}
	if (n) {
		f->iov[0].iov_base = (uint8_t *)f->iov[0].iov_base + n;
		f->iov[0].iov_len -= n;
	}
}

/* The driver may ask for something in the header; nic_send checks that against the frame. */
static bool has_header(const struct virtio_net *v)
{
	return virtio_has(v, VIRTIO_NET_F_CSUM);
}

static void mend_header(struct virtio_net_hdr_v1 *h)
{
	h->num_buffers = 0;
	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
}

/* Why so many bytes are no frame, or DROP_NONE. */
static enum drop_reason judge_bytes(uint32_t bytes, unsigned header)
{
	if (bytes > header + FRAME_MAX)
		return DROP_OVERSIZE;
	return bytes < header + ETH_HEADER ? DROP_RUNT : DROP_NONE;
}

static struct frame *next_frame(struct batch *b, struct virtio_net *v, unsigned pair,
				uint32_t length)
{
	struct frame *f = &v->nic.batch[b->frames++];

	f->queue = (uint16_t)pair;
	f->length = length;
	b->bytes += length;
	return f;
}

static void drop_chain(struct virtio_net *v, struct batch *b, unsigned chain,
		       enum drop_reason reason)
{
	b->dropped |= 1ull << chain;
	nic_drop(&v->nic, reason);
}

/* Pops a chain of any kind. 1, 0: no more for this batch, -1: the ring is broken. */
__attribute__((noinline)) static int gather_chain(struct virtio_net *v, struct ring *r,
						  unsigned pair, struct batch *b)
{
	struct ring_chain c = {
		.out = { .iov = v->nic.batch[b->frames].iov, .max = FRAME_IOV_MAX },
		.spill = b->spilled ? NULL : v->spill,
		.spill_room = VIRTIO_HEADER + FRAME_MAX,
	};
	int rc = ring_pop(r, &c);

	if (rc <= 0)
		return rc;
	if (c.out.truncated && b->spilled) {
		ring_unpop(r, 1, c.slots); /* the next batch has room for it */
		return 0;
	}
	unsigned chain = b->chains++, header = virtio_header_size(v);
	b->chain[chain] = (struct ring_used){ .id = c.id, .slots = (uint16_t)c.slots };
	enum drop_reason bad = judge_bytes(c.out.bytes, header);
	if (bad == DROP_NONE && c.out.truncated)
		bad = DROP_BAD_DESCRIPTOR;
	if (bad != DROP_NONE) {
		drop_chain(v, b, chain, bad);
		return 1;
	}
	b->spilled |= c.spilled != 0;
	struct frame *f = next_frame(b, v, pair, c.out.bytes - header);
	f->iovs = c.out.count;
	take_header(f, header);
	if (has_header(v))
		mend_header(&f->hdr);
	else
		f->hdr = (struct virtio_net_hdr_v1){ 0 };
	return 1;
}

/* Pops what has the usual form. True: a chain of another kind is next, and there is room for it. */
static bool gather_ones(struct virtio_net *v, struct ring *r, unsigned pair, struct batch *b)
{
	struct iovec buffer[FRAME_BATCH];
	struct ring_used *chain = b->chain + b->chains;
	unsigned room = FRAME_BATCH - b->chains, header = virtio_header_size(v), i = 0;
	bool asks = has_header(v), other;
	unsigned n = ring_pop_ones(r, MEM_READ, asks ? 0 : header, buffer, chain, room, &other);

	for (; i < n && b->bytes < BATCH_BYTES; i++) {
		const uint8_t *at = buffer[i].iov_base;
		uint32_t bytes = (uint32_t)buffer[i].iov_len;
		enum drop_reason bad = judge_bytes(bytes, header);
		if (bad != DROP_NONE) {
			drop_chain(v, b, b->chains + i, bad);
			continue;
		}
		struct frame *f = next_frame(b, v, pair, bytes - header);
		f->hdr = (struct virtio_net_hdr_v1){ 0 };
		if (asks) {
			memcpy(&f->hdr, at, sizeof(f->hdr)); /* of a short one more than it has */
			mend_header(&f->hdr);
		}
		f->iovs = 1;
		f->iov[0] = (struct iovec){ .iov_base = (uint8_t *)at + header,
					    .iov_len = bytes - header };
	}
	b->chains += i;
	ring_unpop(r, n - i, n - i);
	return other && !is_full(b);
}

/* Pops up to a batch. False: the ring is broken (what was popped before it is fine). What comes meanwhile is for the next batch: each of
 * these would be waited for. */
static bool gather(struct virtio_net *v, struct ring *r, unsigned pair, struct batch *b)
{
	int rc = 1;

	while (rc > 0 && !is_full(b) && gather_ones(v, r, pair, b))
		rc = gather_chain(v, r, pair, b);
	return rc >= 0;
}

/* Gives back the chains of the first `taken` frames, and puts the others back into the ring. */
static void finish(struct ring *r, const struct batch *b, unsigned taken)
{
	unsigned done = b->chains, slots = 0;

	if (taken < b->frames) {
		unsigned frames = 0;
		for (done = 0; (b->dropped >> done & 1) || frames < taken; done++)
			frames += !(b->dropped >> done & 1);
	}
	for (unsigned k = done; k < b->chains; k++)
		slots += b->chain[k].slots;
	ring_push(r, b->chain, done);
	ring_unpop(r, b->chains - done, slots);
}

bool virtio_transmit_pair(struct virtio_net *v, unsigned pair)
{
	unsigned queue = 2 * pair + 1;
	struct ring *r = &v->ring[queue];
	struct batch b;

	b.chains = b.frames = 0; /* the chains are written before they are read */
	b.bytes = 0;
	b.dropped = 0;
	b.spilled = false;

	if (!virtio_ring_usable(v, queue) || (v->disabled & ~v->discard & BIT(queue)))
		return false;
	ring_kicks_off(r);
	bool fine = gather(v, r, pair, &b);
	v->nic.walked += b.bytes;
	unsigned taken = b.frames;
	if (v->disabled & BIT(queue))
		v->nic.counters.drop[DROP_LINK_DOWN] += b.frames;
	else if (b.frames)
		taken = nic_send(&v->nic, v->nic.batch, b.frames);
	finish(r, &b, taken);
	if (ring_publish(r))
		virtio_interrupt_sent(v, queue);
	if (!fine) {
		virtio_fail(v, queue, r->fault);
		return false;
	}
	if (taken < b.frames)
		return false; /* backpressure: the owner comes back, no kick is needed */
	if (b.chains)
		return true;
	return !v->nic.polled && ring_kicks_on(r);
}
