/* fuzz_net_coalesce.c - a batch of frames as a hostile guest sends it: what the receiver takes, how each frame is cut, then per
 * frame its flags, its length and its bytes. What is joined must be a good frame that comes apart into the ones that went in;
 * then all of it once more while the bytes change under us.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "net/coalesce.h"
#include "net/csum.h"
#include "net/offload.h"

#define FRAMES_MAX 50u

static struct frame frames[FRAMES_MAX], joined;
static uint8_t room[2 * FRAME_MAX];

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
		uint32_t n = i + 1 == pieces ? length - at : MIN(length - at, 40 + i * 7);
		f->iov[f->iovs++] = (struct iovec){ data + at, n };
		at += n;
	}
}

/* How many frames the input holds. */
static unsigned parse(uint8_t *data, size_t size)
{
	unsigned n = 0, pieces = 1 + data[1] % 4;

	for (size_t at = 2; n < FRAMES_MAX && at + 3 <= size; n++) {
		struct frame *f = &frames[n];
		uint32_t length = (uint32_t)MIN(get_le16(data + at + 1), size - at - 3);
		cut(f, data + at + 3, length, pieces);
		f->queue = data[at] >> 7;
		f->hdr = (struct virtio_net_hdr_v1){ 0 };
		if (data[at] & 1)
			f->hdr = (struct virtio_net_hdr_v1){
				.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				.csum_start = data[at] & 2 ? 54 : 34,
				.csum_offset = data[at] & 4 ? 6 : 16,
			};
		at += 3 + length;
		if (frame_check(f) < 0) /* as in nic_send: nobody sees it */
			n--;
	}
	return n;
}

static void on_wire(const struct frame *f, uint8_t *to, uint16_t start)
{
	must(frame_copy_out(f, 0, to, f->length) == f->length);
	if (f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		put_be16(to + start + 16,
			 csum_fold(csum_add(0, to + start, f->length - start, false)));
	if (get_be16(to + start + 16) == 0xffff) /* the same as 0 */
		put_be16(to + start + 16, 0);
}

static void check(unsigned at, unsigned count, bool exact)
{
	static uint8_t seen[FRAME_MAX], wanted[FRAME_MAX];
	struct offload_walk w;
	struct frame out;
	unsigned n = 0;

	must(frame_check(&joined) == 0 && frame_pieces_match(&joined));
	must(offload_walk_begin(&w, &joined, 0, room, sizeof(room)) == 0);
	for (; offload_walk_next(&w, &out); n++) {
		must(n < count && out.length == frames[at + n].length);
		if (!exact)
			continue;
		on_wire(&out, seen, joined.hdr.csum_start);
		on_wire(&frames[at + n], wanted, joined.hdr.csum_start);
		must(memcmp(seen, wanted, out.length) == 0);
	}
	must(n == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	uint8_t *bytes = malloc(size);
	memcpy(bytes, data, size);
	uint32_t offloads = bytes[0] & FRAME_OFFLOADS_ALL;
	unsigned n = parse(bytes, size);
	for (unsigned at = 0, got; at < n; at += MAX(got, 1u)) {
		got = coalesce(frames + at, n - at, offloads, &joined);
		must(got != 1 && got <= n - at);
		if (!got)
			continue;
		must(!(frame_needs(&joined) & ~offloads));
		check(at, got, true);
		memset(bytes + 2, 0xff, size - 2); /* the guest's memory is the guest's */
		check(at, got, false);
		memcpy(bytes, data, size);
	}
	free(bytes);
	return 0;
}
