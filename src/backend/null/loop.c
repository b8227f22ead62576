/* loop.c - returns every frame, as a plug with transmit wired to receive.
 *
 * There are two rooms. Frames are copied into one while the port has the frames of the other, where they lie; when it comes back
 * for more, the two change places. Nothing here needs a descriptor: frames come and go within turns of the worker, which asks
 * whether there are more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/null/null.h"
#include "base/fd.h"
#include "net/offload.h"

#define ROOM_BYTES (512u << 10)
#define ALIGNMENT  64u /* of a frame's record */

struct record {
	_Alignas(32) struct virtio_net_hdr_v1 hdr;
	uint32_t length; /* of the frame behind it */
	uint16_t queue;
};

struct room {
	uint8_t *bytes;
	size_t used, given;
};

struct loop_state {
	struct backend base;
	uint8_t *bytes;	   /* of both rooms */
	struct room in;	   /* frames come here ... */
	struct room given; /* ... and these are the port's, or will be before any other */
};

static struct loop_state *loop_of(struct backend *b)
{
	return (struct loop_state *)b;
}

static void loop_finish(struct backend *b)
{
	free(loop_of(b)->bytes);
}

static int loop_init(struct backend *b, const struct backend_spec *spec, struct error *err)
{
	struct loop_state *l = loop_of(b);

	for (unsigned i = 0; i < spec->nfds; i++) {
		int fd = spec->fds[i];

		fd_close(&fd);
	}
	l->bytes = aligned_alloc(ALIGNMENT, (size_t)2 * ROOM_BYTES);
	if (!l->bytes)
		return error_set(err, -ENOMEM, "backend loop: no memory for the queue");
	l->in.bytes = l->bytes;
	l->given.bytes = l->bytes + ROOM_BYTES;
	b->fds = 1; /* a queue, though without a descriptor */
	b->up = true;
	return 0;
}

static size_t record_size(uint32_t length)
{
	return (sizeof(struct record) + length + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static void put_frame(struct room *room, const struct frame *f)
{
	struct record *r = (struct record *)(void *)(room->bytes + room->used);

	r->hdr = f->hdr;
	r->length = f->length;
	r->queue = f->queue;
	frame_copy_all(f, r + 1);
	room->used += record_size(f->length);
}

static unsigned loop_send(struct backend *b, const struct frame *frames, unsigned n)
{
	struct room *room = &loop_of(b)->in;
	unsigned taken = 0;

	b->blocked = false;
	for (; taken < n; taken++) {
		const struct frame *f = &frames[taken];

		if (f->length > FRAME_MAX || !frame_pieces_match(f)) {
			b->refused++;
			continue;
		}
		b->blocked = record_size(f->length) > ROOM_BYTES - room->used;
		if (b->blocked)
			break;
		put_frame(room, f);
	}
	b->more |= room->used > 0;
	return taken;
}

/* The port has done with the frames that it got before, or it would not ask for others. */
static void change_rooms(struct loop_state *l)
{
	struct room empty = { .bytes = l->given.bytes };

	l->given = l->in;
	l->in = empty;
	l->base.blocked = false;
}

static unsigned loop_receive(struct backend *b, unsigned queue, struct frame *frames, unsigned max)
{
	struct loop_state *l = loop_of(b);
	struct room *room = &l->given;
	unsigned n = 0;

	(void)queue;
	if (room->given == room->used)
		change_rooms(l);
	for (; n < max && room->given < room->used; n++) {
		struct record *r = (struct record *)(void *)(room->bytes + room->given);
		struct frame *f = &frames[n];

		f->hdr = r->hdr;
		f->length = r->length;
		f->iovs = 1;
		f->queue = r->queue;
		f->iov[0] = (struct iovec){ .iov_base = r + 1, .iov_len = r->length };
		room->given += record_size(r->length);
	}
	b->more = room->given < room->used || l->in.used > 0;
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
	.own_frames = true,
	.init = loop_init,
	.finish = loop_finish,
	.send = loop_send,
	.receive = loop_receive,
	.offloads = loop_offloads,
};
