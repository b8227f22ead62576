/* rx.c - frames for the guest: one copy, straight into its buffers. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "nic/virtio/virtio_net.h"

#define PIECES	       24  /* of one receive buffer; what lies behind them is not used */
#define CHAINS_MAX     256 /* merged buffers of one frame: the largest ring */
#define BATCH	       32  /* chains that are fetched ahead: what a port delivers at a time */
#define NUM_BUFFERS_AT offsetof(struct virtio_net_hdr_v1, num_buffers)
#define TRIES	       4 /* how often we look again when buffers come in while we turn kicks on */

/* A frame on its way into the ring. */
struct delivery {
	struct {
		uint16_t id, slots;
		uint32_t written;
	} chain[CHAINS_MAX];
	unsigned chains, slots;
	struct iovec first[PIECES]; /* the buffer with the header, which is known only at the end */
	unsigned firsts;
};

/* Copies the frame from byte `done` on to the pieces, behind their first `skip` bytes. Returns how much went in. */
static uint32_t fill(const struct frame *f, uint32_t done, const struct iovec *iov, unsigned count,
		     size_t skip)
{
	uint32_t total = 0;

	for (unsigned i = 0; i < count && done + total < f->length; i++) {
		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		uint8_t *to = (uint8_t *)iov[i].iov_base + skip;
		size_t n = MIN(iov[i].iov_len - skip, f->length - done - total);
		skip = 0;
		if (f->iovs == 1)
			memcpy(to, (const uint8_t *)f->iov[0].iov_base + done + total, n);
		else
			frame_copy_out(f, done + total, to, n);
		total += (uint32_t)n;
	}
	return total;
}

/* To the front of a frame's first buffer; `chains` are all of its buffers. */
static void write_header(const struct virtio_net *v, const struct frame *f, const struct iovec *iov,
			 unsigned pieces, unsigned chains)
{
	static const struct virtio_net_hdr_v1 none;
	bool offloads = v->state.guest_offloads & VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM);
	const struct virtio_net_hdr_v1 *h = offloads ? &f->hdr : &none;
	unsigned size = virtio_header_size(v);

	/* mostly it is whole and in one piece: a copy of known size */
	if (size == sizeof(*h) && iov[0].iov_len >= sizeof(*h)) {
		memcpy(iov[0].iov_base, h, NUM_BUFFERS_AT);
		put_le16((uint8_t *)iov[0].iov_base + NUM_BUFFERS_AT, (uint16_t)chains);
		return;
	}
	struct virtio_net_hdr_v1 copy = *h;
	copy.num_buffers = htole16((uint16_t)chains);
	iov_from_buffer(iov, pieces, 0, &copy, size);
}

/* Takes one buffer and fills it. Returns bytes of the frame that went in, -ENOBUFS, or -EIO with the device failed. */
static int add_buffer(struct virtio_net *v, unsigned queue, const struct frame *f, uint32_t done,
		      struct delivery *d)
{
	struct ring *r = &v->ring[queue];
	struct iovec more[PIECES];
	struct ring_chain c = { .in = { .iov = d->chains ? more : d->first, .max = PIECES } };
	size_t skip = d->chains ? 0 : virtio_header_size(v);

	int rc = ring_pop(r, &c);
	if (rc == 0)
		return -ENOBUFS;
	if (rc < 0 || c.in.bytes < skip || c.in.count == 0) {
		virtio_fail(v, queue, rc < 0 ? r->fault : VIRTIO_FAULT_RX_ROOM);
		return -EIO;
	}
	if (!d->chains)
		d->firsts = c.in.count;
	uint32_t n = fill(f, done, c.in.iov, c.in.count, skip);
	if (v->nic.mem.logging)
		mem_log_iov(&v->nic.mem, c.in.iov, c.in.count);
	d->chain[d->chains].id = c.id;
	d->chain[d->chains].slots = (uint16_t)c.slots;
	d->chain[d->chains++].written = (uint32_t)skip + n;
	d->slots += c.slots;
	return (int)n;
}

/* The short way of most: a frame that fits into one buffer of one piece. False: nothing was used. */
static bool deliver_to_one(struct virtio_net *v, struct ring *r, const struct frame *f)
{
	size_t header = virtio_header_size(v), size = header + f->length;
	struct iovec buffer;
	uint16_t id;

	if (!ring_pop_one(r, MEM_WRITE, &buffer, &id))
		return false;
	if (buffer.iov_len < size) {
		ring_unpop(r, 1, 1);
		return false;
	}
	write_header(v, f, &buffer, 1, 1);
	fill(f, 0, &buffer, 1, header);
	mem_log(&v->nic.mem, buffer.iov_base, size);
	ring_push(r, id, 1, (uint32_t)size);
	return true;
}

/* 0, -ENOBUFS (nothing was used), -EMSGSIZE (it will never fit; nothing was used), or -EIO. */
static int deliver_to_chains(struct virtio_net *v, unsigned queue, const struct frame *f)
{
	struct ring *r = &v->ring[queue];
	unsigned most = virtio_has(v, VIRTIO_NET_F_MRG_RXBUF) ? CHAINS_MAX : 1;
	struct delivery d;
	uint32_t done = 0;

	d.chains = d.slots = d.firsts = 0;
	do {
		int n = add_buffer(v, queue, f, done, &d);
		if (n < 0) {
			if (n == -ENOBUFS && d.slots >= r->size)
				n = -EMSGSIZE; /* the guest gave all that it can */
			ring_unpop(r, d.chains, d.slots);
			return n;
		}
		done += (uint32_t)n;
		if (done < f->length && d.chains == most) {
			ring_unpop(r, d.chains, d.slots);
			return -EMSGSIZE;
		}
	} while (done < f->length);
	write_header(v, f, d.first, d.firsts, d.chains);
	if (v->nic.mem.logging)
		mem_log_iov(&v->nic.mem, d.first, d.firsts);
	for (unsigned i = 0; i < d.chains; i++)
		ring_push(r, d.chain[i].id, d.chain[i].slots, d.chain[i].written);
	return 0;
}

static int deliver_or_wait(struct virtio_net *v, unsigned queue, const struct frame *f)
{
	struct ring *r = &v->ring[queue];
	int rc = -ENOBUFS;

	for (unsigned i = 0; i < TRIES; i++) {
		rc = deliver_to_one(v, r, f) ? 0 : deliver_to_chains(v, queue, f);
		if (rc != -ENOBUFS || v->nic.polled || !ring_kicks_on(r))
			return rc;
	}
	v->nic.notes.rx_ready = true; /* they keep coming: no kick may follow */
	return rc;
}

static unsigned queue_for(const struct virtio_net *v, const struct frame *f)
{
	/* a division costs as much as a descriptor */
	return 2u * (f->queue < v->state.pairs ? f->queue : f->queue % v->state.pairs);
}

/* The first of `n` frames: 0 taken (or dropped), -ENOBUFS to try later. */
static int receive_one(struct virtio_net *v, const struct frame *f, unsigned n, uint32_t *queues)
{
	struct nic *nic = &v->nic;
	unsigned queue = queue_for(v, f);

	if (!v->ring[queue].started || (v->disabled & BIT(queue))) {
		nic_drop(nic, DROP_RX_DISABLED);
		return 0;
	}
	if (!virtio_filter_passes(v, f)) {
		nic_drop(nic, DROP_FILTERED);
		return 0;
	}
	if (!(*queues & BIT(queue))) {
		if (!virtio_ring_usable(v, queue))
			return virtio_running(v) ? -ENOBUFS : 0;
		ring_kicks_off(&v->ring[queue]);
		ring_prefetch(&v->ring[queue], n, true);
		*queues |= BIT(queue);
	}
	switch (deliver_or_wait(v, queue, f)) {
	case 0:
		nic->counters.rx_frames++;
		nic->counters.rx_bytes += f->length;
		return 0;
	case -ENOBUFS:
		return -ENOBUFS;
	case -EMSGSIZE:
		nic_drop(nic, DROP_OVERSIZE);
		return 0;
	default:
		nic_drop(nic, DROP_BAD_DESCRIPTOR);
		return 0;
	}
}

unsigned virtio_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct virtio_net *v = virtio_of(nic);
	uint32_t queues = 0; /* those that we touched */
	unsigned done = 0;

	if (nic->stopped || v->kernel_rings)
		return 0; /* with the kernel's rings the backend is not read */
	for (; done < n && virtio_running(v); done++)
		if (receive_one(v, &frames[done], n - done, &queues) < 0)
			break;
	for (unsigned q = 0; queues >> q; q += 2)
		if ((queues & BIT(q)) && ring_publish(&v->ring[q]))
			virtio_interrupt(v, q);
	if (virtio_running(v))
		return done;
	nic->counters.drop[DROP_RX_DISABLED] += n - done;
	return n;
}

/* A receive queue was kicked, or started. */
void virtio_look_for_buffers(struct virtio_net *v, unsigned queue)
{
	struct ring *r = &v->ring[queue];

	if (queue / 2 >= v->state.pairs_max)
		return;
	v->nic.notes.rx_ready = true;
	if (v->nic.stopped) { /* when it goes on */
		v->unseen |= BIT(queue / 2);
		nic_kick(&v->nic, queue / 2);
	}
	if (v->nic.stopped || !virtio_ring_usable(v, queue))
		return;
	unsigned waiting = ring_waiting(r);
	if (!waiting && ring_kicks_on(r))
		waiting = ring_waiting(r);
	if (r->fault)
		virtio_fail(v, queue, r->fault);
	if (!waiting)
		return;
	ring_kicks_off(r); /* until we run out of buffers */
	if (!v->state.rx_given) {
		v->state.rx_given = (uint16_t)waiting;
		v->nic.notes.status_dirty = true;
	}
}
