/* tx.c - frames from the guest: popped in batches, handed on as pieces of guest memory, given back when they were taken. */
#include <string.h>

#include "nic/virtio/virtio_net.h"

/* Chains of one batch. Those without a frame were dropped; they go back in order with the others. */
struct batch {
	struct {
		uint16_t id, slots;
		bool frame;
	} chain[FRAME_BATCH];
	unsigned chains, frames;
	uint32_t bytes; /* of the frames */
	bool spilled;	/* the one spill buffer is in use */
};

/* Takes the `n` bytes of the header from the front of the frame's pieces. */
static void take_header(struct frame *f, size_t n)
{
	struct iovec *first = &f->iov[0];
	unsigned gone = 0;

	/* mostly there is something of the frame behind it: a copy of known size */
	if (first->iov_len > sizeof(f->hdr)) {
		memcpy(&f->hdr, first->iov_base, sizeof(f->hdr));
		first->iov_base = (uint8_t *)first->iov_base + n;
		first->iov_len -= n;
		return;
	}
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

/* Only what was negotiated may be asked for; nic_send checks the rest against the frame. */
static void mend_header(const struct virtio_net *v, struct virtio_net_hdr_v1 *h)
{
	h->num_buffers = 0;
	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (!virtio_has(v, VIRTIO_NET_F_CSUM))
		*h = (struct virtio_net_hdr_v1){ 0 };
}

/* Why the pieces, which are those of `f`, are no frame, or DROP_NONE. */
static enum drop_reason make_frame(const struct virtio_net *v, const struct ring_pieces *out,
				   struct frame *f, unsigned pair)
{
	unsigned header = virtio_header_size(v);

	if (out->bytes > header + FRAME_MAX)
		return DROP_OVERSIZE;
	if (out->truncated)
		return DROP_BAD_DESCRIPTOR;
	if (out->bytes < header + ETH_HEADER)
		return DROP_RUNT;
	f->iovs = out->count;
	f->queue = (uint16_t)pair;
	f->length = out->bytes - header;
	take_header(f, header);
	mend_header(v, &f->hdr);
	return DROP_NONE;
}

/* Adds a chain to the batch, whose pieces are the next frame's. True when they are a frame. */
static bool add_chain(struct virtio_net *v, struct batch *b, unsigned pair,
		      const struct ring_pieces *out, uint16_t id, uint16_t slots)
{
	struct frame *f = &v->nic.batch[b->frames];
	enum drop_reason bad = make_frame(v, out, f, pair);

	b->chain[b->chains].id = id;
	b->chain[b->chains].slots = slots;
	b->chain[b->chains++].frame = bad == DROP_NONE;
	if (bad != DROP_NONE) {
		nic_drop(&v->nic, bad);
		return false;
	}
	b->frames++;
	b->bytes += f->length;
	return true;
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
	if (add_chain(v, b, pair, &c.out, c.id, (uint16_t)c.slots))
		b->spilled |= c.spilled != 0;
	return 1;
}

/* Pops up to a batch. False: the ring is broken (what was popped before it is fine). */
static bool gather(struct virtio_net *v, struct ring *r, unsigned pair, struct batch *b)
{
	/* what comes meanwhile is for the next batch: each of these would be waited for */
	unsigned most = MAX(ring_prefetch(r, FRAME_BATCH, false), 1);

	while (b->chains < most && b->bytes < BATCH_BYTES) {
		struct iovec *iov = v->nic.batch[b->frames].iov;
		uint16_t id;

		if (ring_pop_one(r, MEM_READ, iov, &id)) {
			struct ring_pieces one = { .count = 1, .bytes = (uint32_t)iov->iov_len };
			add_chain(v, b, pair, &one, id, 1);
			continue;
		}
		int rc = gather_chain(v, r, pair, b);
		if (rc <= 0)
			return rc == 0;
	}
	return true;
}

/* Gives back the chains of the first `taken` frames, and puts the others back into the ring. */
static void finish(struct ring *r, const struct batch *b, unsigned taken)
{
	unsigned i = 0, frames = 0, slots = 0;

	for (; i < b->chains && (!b->chain[i].frame || frames < taken); i++) {
		frames += b->chain[i].frame;
		ring_push(r, b->chain[i].id, b->chain[i].slots, 0);
	}
	for (unsigned k = i; k < b->chains; k++)
		slots += b->chain[k].slots;
	ring_unpop(r, b->chains - i, slots);
}

bool virtio_transmit_pair(struct virtio_net *v, unsigned pair)
{
	unsigned queue = 2 * pair + 1;
	struct ring *r = &v->ring[queue];
	struct batch b;

	b.chains = b.frames = 0; /* the rest of it is written before it is read */
	b.bytes = 0;
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
