/* coalesce.h - the first frames of a batch as one large TCP segment: the opposite of what offload.h does.
 *
 * A driver without TSO sends a stream as one frame after the other; a backend that takes large segments pays for each frame, and
 * hardly for its length. Only what offload.h (or any other segmentation) would cut into the very same frames again is joined: same
 * headers but for sequence number, length, IP identification and checksums, PSH and FIN on the last one alone, every checksum
 * right or still to be made.
 */
#ifndef ANYNIC_NET_COALESCE_H
#define ANYNIC_NET_COALESCE_H

#include "net/frame.h"

/* A frame shorter than this begins no joined one: it is no bulk transfer, and need not be looked at. */
#define COALESCE_MIN 512u

/* How many of the first of `n` frames became one: 0, or 2 and more, and then `out` is that frame. It borrows their pieces.
 * `offloads` is what its receiver takes. Headers are copied once; whatever the guest changes afterwards is in its payload. */
unsigned coalesce(const struct frame *frames, unsigned n, uint32_t offloads, struct frame *out);

#endif
