/* fuzz_net_offload.c - a frame as a hostile guest makes it: 12 bytes of header, what the other side takes, how it is cut, then
 * the frame, whose bytes change while we work on it. What comes out must fit the room, the frame and its own header.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/offload.h"

#define CONTROL (sizeof(struct virtio_net_hdr_v1) + 2)

static uint8_t room[2 * FRAME_MAX];
static struct frame out[FRAME_BATCH];

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void cut(struct frame *f, uint8_t *data, uint32_t length, unsigned pieces)
{
	uint32_t at = 0;

	f->length = length;
	f->iovs = 0;
	for (unsigned i = 0; i < pieces && at < length; i++) {
		uint32_t n = i + 1 == pieces ? length - at : (length - at) / (pieces - i) + i % 3;

		n = MIN(n, length - at);
		f->iov[f->iovs++] = (struct iovec){ data + at, n };
		at += n;
	}
}

static void check_frame(const struct frame *f, uint32_t offloads, bool untouched)
{
	must(f->length <= FRAME_MAX && f->length >= ETH_HEADER && frame_pieces_match(f));
	must(!(frame_needs(f) & ~offloads));
	must(frame_check(f) == 0);
	if (untouched)
		return;
	const uint8_t *begin = f->iov[0].iov_base;
	must(begin >= room && begin + f->length <= room + sizeof(room));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f = { 0 };
	struct offload_walk w;
	unsigned total = 0, n;

	if (size < CONTROL)
		return 0;
	memcpy(&f.hdr, data, sizeof(f.hdr));
	uint32_t offloads = data[CONTROL - 2] & FRAME_OFFLOADS_ALL;
	unsigned pieces = 1 + data[CONTROL - 1] % FRAME_IOV_MAX;
	uint32_t length = (uint32_t)(size - CONTROL);
	uint8_t *bytes = malloc(length + 1);
	memcpy(bytes, data + CONTROL, length);
	cut(&f, bytes, length, pieces);
	bool fine = frame_check(&f) == 0;
	if (offload_walk_begin(&w, &f, offloads, room, sizeof(room)) == 0) {
		must(fine);
		while ((n = offload_walk_fill(&w, out, FRAME_BATCH)) > 0) {
			for (unsigned i = 0; i < n; i++)
				check_frame(&out[i], offloads, !(frame_needs(&f) & ~offloads));
			total += n;
			memset(bytes, 0xff, length); /* the guest's memory is the guest's */
		}
		must(total >= 1 && total <= 1 + length / GSO_SIZE_MIN);
	}
	free(bytes);
	return 0;
}
