/* stream.h - QEMU's `-netdev stream` protocol over a UNIX socket: each frame is a 32-bit big-endian length, then its bytes.
 *
 * A client gets a connected socket from control; when the other side leaves, it stays down until control has connected again
 * (renew). A server gets a listening socket, serves one peer at a time and takes the next one when that leaves.
 */
#ifndef ANYNIC_BACKEND_STREAM_STREAM_H
#define ANYNIC_BACKEND_STREAM_STREAM_H

#include "backend/backend.h"

extern const struct backend_ops stream_backend;

/* The parser of what came: finds whole frames in a row of bytes that arrives in pieces of any size. */
struct stream_parser {
	uint8_t *data;
	size_t room;
	size_t begin, end; /* bytes that are not parsed yet */
	uint32_t skip;	   /* bytes of a runt that are still to be thrown away */
};

/* Next whole frame: 1 with `frame` inside data until bytes are added, 0 when more bytes are needed, or -EPROTO when the
 * length can be no frame's (the connection is worth nothing after that). */
int stream_parse(struct stream_parser *p, uint8_t **frame, uint32_t *length);

#endif
