/* loop.c - returns every frame, as a plug with transmit wired to receive.
 *
 * Frames are copied into a bounded ring of bytes. An eventfd tells the worker what a socket would: its counter is 0 when the
 * ring is empty (not readable), 1 when frames wait, and COUNTER_FULL when nothing more fits (not writable).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/null/null.h"
#include "base/fd.h"
#include "net/offload.h"

#define RING_BYTES   (1u << 20)
#define COUNTER_FULL (UINT64_MAX - 1)

struct record {
	struct virtio_net_hdr_v1 hdr;
	uint32_t length;
	uint32_t queue;
};

struct loop_state {
	struct backend base;
	uint8_t *ring;
	uint64_t head;	  /* bytes ever written */
	uint64_t tail;	  /* bytes ever read */
	uint64_t counter; /* what the eventfd holds */
	bool full;	  /* a frame did not fit, and nothing was read since */
};

static struct loop_state *loop_of(struct backend *b)
{
	return (struct loop_state *)b;
}

static void loop_finish(struct backend *b)
{
	fd_close(&b->fd[0]);
	free(loop_of(b)->ring);
}

static int loop_init(struct backend *b, const struct backend_spec *spec, struct error *err)
{
	struct loop_state *l = loop_of(b);

	for (unsigned i = 0; i < spec->nfds; i++) {
		int fd = spec->fds[i];

		fd_close(&fd);
	}
	l->ring = malloc(RING_BYTES);
	b->fd[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!l->ring || b->fd[0] < 0)
		return error_set(err, -ENOMEM,
				 "backend loop: no memory or no descriptor for the queue");
	b->fds = 1;
	b->up = true;
	return 0;
}

static void ring_write(struct loop_state *l, const void *data, size_t len)
{
	size_t at = l->head % RING_BYTES, first = MIN(len, RING_BYTES - at);

	memcpy(l->ring + at, data, first);
	memcpy(l->ring, (const uint8_t *)data + first, len - first);
	l->head += len;
}

static void ring_read(struct loop_state *l, void *to, size_t len)
{
	size_t at = l->tail % RING_BYTES, first = MIN(len, RING_BYTES - at);

	memcpy(to, l->ring + at, first);
	memcpy((uint8_t *)to + first, l->ring, len - first);
	l->tail += len;
}

static void set_counter(struct loop_state *l, uint64_t wanted)
{
	uint64_t old;

	if (l->counter == wanted)
		return;
	if (l->counter && read(l->base.fd[0], &old, sizeof(old)) < 0)
		return; /* the next call tries again */
	l->counter = 0;
	if (wanted && write(l->base.fd[0], &wanted, sizeof(wanted)) < 0)
		return;
	l->counter = wanted;
}

static void tell_worker(struct loop_state *l)
{
	l->base.more = l->head != l->tail;
	set_counter(l, l->full ? COUNTER_FULL : l->base.more);
}

static void put_frame(struct loop_state *l, const struct frame *f)
{
	struct record r = { .hdr = f->hdr, .length = f->length, .queue = f->queue };

	ring_write(l, &r, sizeof(r));
	for (unsigned i = 0; i < f->iovs; i++)
		ring_write(l, f->iov[i].iov_base, f->iov[i].iov_len);
}

static unsigned loop_send(struct backend *b, const struct frame *frames, unsigned n)
{
	struct loop_state *l = loop_of(b);
	unsigned taken = 0;

	l->full = false;
	for (; taken < n && !l->full; taken++) {
		const struct frame *f = &frames[taken];

		if (f->length > FRAME_MAX || !frame_pieces_match(f)) {
			b->refused++;
			continue;
		}
		l->full = RING_BYTES - (l->head - l->tail) < sizeof(struct record) + f->length;
		if (l->full)
			break;
		put_frame(l, f);
	}
	b->blocked = l->full;
	tell_worker(l);
	return taken;
}

static unsigned loop_receive(struct backend *b, unsigned queue, struct frame *frames, unsigned max)
{
	struct loop_state *l = loop_of(b);
	unsigned n = 0;

	(void)queue;
	for (; n < max && l->head != l->tail; n++) {
		struct frame *f = &frames[n];
		struct record r;

		ring_read(l, &r, sizeof(r));
		ring_read(l, f->iov[0].iov_base, r.length);
		frame_set_linear(f, f->iov[0].iov_base, r.length);
		f->hdr = r.hdr;
		f->queue = (uint16_t)r.queue;
	}
	if (n)
		l->full = false; /* the eventfd becomes writable, and the worker calls send again */
	tell_worker(l);
	return n;
}

static uint32_t loop_offloads(const struct backend *b)
{
	(void)b;
	return FRAME_OFFLOADS_ALL;
}

const struct backend_ops loop_backend = {
	.name = "loop",
	.summary = "returns every frame to the guest, for tests and benchmarks",
	.size = sizeof(struct loop_state),
	.init = loop_init,
	.finish = loop_finish,
	.send = loop_send,
	.receive = loop_receive,
	.offloads = loop_offloads,
};
