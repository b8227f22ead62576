/* offload.h - does in software what a backend or a guest driver cannot: checksums, TCP and UDP segmentation.
 *
 * Everything in a frame may come from a guest that means harm, and may change while we look: headers are copied once,
 * sizes are taken from the frame and never from its headers, the number of segments is bounded by length / GSO_SIZE_MIN.
 */
#ifndef ANYNIC_NET_OFFLOAD_H
#define ANYNIC_NET_OFFLOAD_H

#include "net/frame.h"

/* Smallest payload of a segment: what a TCP of the smallest MSS (48, options included) may ask for; Linux has the same bound. */
#define GSO_SIZE_MIN 8u

/* All of enum frame_offload: for backends that take every frame as it is. */
#define FRAME_OFFLOADS_ALL (FRAME_CSUM | FRAME_TSO4 | FRAME_TSO6 | FRAME_USO | FRAME_ECN)

uint32_t frame_needs_some(const struct frame *f); /* frame_needs of one that asks for any */

/* Offloads that this frame asks for: a set of enum frame_offload. */
static inline uint32_t frame_needs(const struct frame *f)
{
	return f->hdr.flags | f->hdr.gso_type ? frame_needs_some(f) : 0;
}

/* Checks the header against the frame: csum_start/offset inside, gso_size > 0, hdr_len inside, type known.
 * 0 or -EINVAL. Every frame from a guest passes here before anyone acts on its header. Reads no byte of the frame itself. */
int frame_check(const struct frame *f);

/* Computes the checksum of a NEEDS_CSUM frame that passed frame_check and asks for nothing else, in place: for one piece of memory that is
 * ours. A frame in more pieces is left as it is. */
void frame_make_checksum(struct frame *f);

/* Walks the frames that `source` becomes when the other side takes `offloads` only.
 * Frames made here live in `room`, one behind the other, until the next call of _next or _fill. */
struct offload_walk {
	const struct frame *source;
	uint32_t offloads;
	uint8_t *room;
	size_t room_size;
	size_t room_used; /* bytes of room that the frames of the last call take; the rest is free for another walk */
	uint32_t at; /* payload bytes already sent */
	unsigned segment;
	/* what is to be done, found once */
	enum offload_work { OFFLOAD_PASS, OFFLOAD_CSUM, OFFLOAD_SEGMENT, OFFLOAD_DONE } work;
	struct frame_cursor payload;
	uint32_t l3, l4;  /* where the IP and the TCP or UDP header begin */
	uint32_t headers; /* bytes of all headers */
	uint32_t pseudo;  /* partial sum of the pseudo header without its length */
	bool ipv6, udp;
	uint8_t head[FRAME_HEAD]; /* the headers, copied once from the frame */
};

/* 0, or -EINVAL when the headers are not what the offload fields say, or `room` cannot hold one frame (room_size of
 * FRAME_MAX always does). A frame that needs nothing is handed on as it is, without a copy. */
int offload_walk_begin(struct offload_walk *w, const struct frame *f, uint32_t offloads,
		       uint8_t *room, size_t room_size);

/* Goes on behind the first `frames` of those that it makes; before any is made. */
void offload_walk_skip(struct offload_walk *w, unsigned frames);

/* Next frame to hand on, or false at the end. */
bool offload_walk_next(struct offload_walk *w, struct frame *out);

/* As many as fit into `room` at once, at most `max`: for backends that send batches. 0 at the end. */
unsigned offload_walk_fill(struct offload_walk *w, struct frame *out, unsigned max);

#endif
