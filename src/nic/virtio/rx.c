/* rx.c - frames for the guest: one copy, straight into its buffers. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "nic/virtio/virtio_net.h"

#define PIECES	   24	       /* of one receive buffer; what lies behind them is not used */
#define CHAINS_MAX 256	       /* merged buffers of one frame: the largest ring */
#define BATCH	   FRAME_BATCH /* buffers that are popped ahead */
#define TRIES	   4 /* how often we look again when buffers come in while we turn kicks on */

/* A frame on its way into the ring. */
struct delivery {
	struct ring_used chain[CHAINS_MAX];
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

/* The driver reads more of the header than how many buffers there are. */
static bool wants_header(const struct virtio_net *v)
{
	return v->state.guest_offloads & VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM);
}

/* To the front of a frame's first buffer; `chains` are all of its buffers. */
static void write_header(const struct virtio_net *v, const struct frame *f, const struct iovec *iov,
			 unsigned pieces, unsigned chains)
{
	static const struct virtio_net_hdr_v1 none;
	struct virtio_net_hdr_v1 h = wants_header(v) ? f->hdr : none;

	h.num_buffers = htole16((uint16_t)chains);
	iov_from_buffer(iov, pieces, 0, &h, virtio_header_size(v));
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
	d->chain[d->chains++] = (struct ring_used){ .written = (uint32_t)skip + n,
						    .id = c.id,
						    .slots = (uint16_t)c.slots };
	d->slots += c.slots;
	return (int)n;
}

/* The short way of most: frames that fit into one buffer of one piece each. Returns how many of the first `n` were delivered. */
static unsigned deliver_to_ones(struct virtio_net *v, struct ring *r, const struct frame *frames,
				unsigned n)
{
	struct iovec buffer[BATCH];
	struct ring_used used[BATCH];
	struct virtio_net_hdr_v1 hdr = { 0 };
	unsigned size = virtio_header_size(v), i = 0;
	bool offloads = wants_header(v), other;
	unsigned have = ring_pop_ones(r, MEM_WRITE, 0, buffer, used, MIN(n, BATCH), &other);

	for (; i < have && buffer[i].iov_len >= sizeof(hdr) + frames[i].length; i++) {
		uint8_t *to = buffer[i].iov_base;

		if (offloads)
			hdr = frames[i].hdr;
		hdr.num_buffers = htole16(1);
		memcpy(to, &hdr, sizeof(hdr)); /* the frame begins in it when it is a short one */
		frame_copy_all(&frames[i], to + size);
		used[i].written = size + frames[i].length;
		mem_log(&v->nic.mem, to, used[i].written);
		v->nic.counters.rx_bytes += frames[i].length;
	}
	v->nic.counters.rx_frames += i;
	ring_push(r, used, i);
	ring_unpop(r, have - i, have - i);
	return i;
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
	ring_push(r, d.chain, d.chains);
	return 0;
}

static int deliver_or_wait(struct virtio_net *v, unsigned queue, const struct frame *f)
{
	struct ring *r = &v->ring[queue];
	int rc = -ENOBUFS;

	for (unsigned i = 0; i < TRIES; i++) {
		rc = deliver_to_chains(v, queue, f);
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

/* A frame that has no short way, or no buffer yet: true taken (or dropped), false to try later. */
static bool receive_one(struct virtio_net *v, unsigned queue, const struct frame *f)
{
	struct nic *nic = &v->nic;

	switch (deliver_or_wait(v, queue, f)) {
	case 0:
		nic->counters.rx_frames++;
		nic->counters.rx_bytes += f->length;
		return true;
	case -ENOBUFS:
		return false;
	case -EMSGSIZE:
		nic_drop(nic, DROP_OVERSIZE);
		return true;
	default:
		nic_drop(nic, DROP_BAD_DESCRIPTOR);
		return true;
	}
}

/* Frames for one queue that the guest wants. How many were taken (or dropped). */
static unsigned receive_run(struct virtio_net *v, unsigned queue, const struct frame *frames,
			    unsigned n)
{
	struct ring *r = &v->ring[queue];
	unsigned done = 0, ahead = BATCH;

	if (!virtio_ring_usable(v, queue))
		return 0;
	ring_kicks_off(r);
	while (done < n && virtio_running(v)) {
		unsigned most = MIN(n - done, ahead);
		unsigned delivered = deliver_to_ones(v, r, frames + done, most);
		done += delivered;
		if (delivered == most)
			continue;
		if (!receive_one(v, queue, &frames[done]))
			break;
		done++;
		ahead = 1; /* as large as that one the next may be, too */
	}
	return done;
}

/* How many of the first frames go to `queue`, and through the filter. */
static unsigned run_for(const struct virtio_net *v, unsigned queue, const struct frame *frames,
			unsigned n)
{
	unsigned i = 0;

	while (i < n && queue_for(v, &frames[i]) == queue && virtio_filter_passes(v, &frames[i]))
		i++;
	return i;
}

unsigned virtio_receive(struct nic *nic, const struct frame *frames, unsigned n)
{
	struct virtio_net *v = virtio_of(nic);
	uint32_t queues = 0; /* those that we touched */
	unsigned done = 0;

	if (nic->stopped || v->kernel_rings)
		return 0; /* with the kernel's rings the backend is not read */
	while (done < n && virtio_running(v)) {
		unsigned queue = queue_for(v, &frames[done]);
		bool off = !v->ring[queue].started || (v->disabled & BIT(queue));
		unsigned run = off ? 0 : run_for(v, queue, frames + done, n - done);
		if (!run) {
			nic_drop(nic, off ? DROP_RX_DISABLED : DROP_FILTERED);
			done++;
			continue;
		}
		queues |= BIT(queue);
		unsigned taken = receive_run(v, queue, frames + done, run);
		done += taken;
		if (taken < run)
			break;
	}
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
