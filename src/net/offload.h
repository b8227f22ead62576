/* offload.h - does in software what a backend or a guest driver cannot: checksums, TCP and UDP segmentation. */
#ifndef ANYNIC_NET_OFFLOAD_H
#define ANYNIC_NET_OFFLOAD_H

#include "net/frame.h"

/* Offloads that this frame asks for: a set of enum frame_offload. */
uint32_t frame_needs(const struct frame *f);

/* Checks the header against the frame: csum_start/offset inside, gso_size > 0, hdr_len inside, type known.
 * 0 or -EINVAL. Every frame from a guest passes here before anyone acts on its header. */
int frame_check(const struct frame *f);

/* Walks the frames that `f` becomes when the other side takes `offloads` only.
 * `room` holds at least one whole frame (FRAME_MAX); frames made here live in it until the next call. */
struct offload_walk {
	const struct frame *source;
	uint32_t offloads;
	uint8_t *room;
	size_t room_size;
	uint32_t at;            /* payload bytes already sent */
	unsigned segment;
	/* copied once from the frame */
	uint32_t headers;       /* bytes of all headers */
	uint8_t head[FRAME_HEAD];
};

int offload_walk_begin(struct offload_walk *w, const struct frame *f, uint32_t offloads, uint8_t *room, size_t room_size);

/* Next frame to hand on, or false at the end. */
bool offload_walk_next(struct offload_walk *w, struct frame *out);

#endif
