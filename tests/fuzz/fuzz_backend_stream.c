/* fuzz_backend_stream.c - what a hostile peer of a stream backend sends. The parser must stay inside its buffer, and pieces
 * of any size must give the same frames as the whole.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/stream/stream.h"

struct outcome {
	uint64_t hash;
	unsigned frames;
	bool broken;
};

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void take_frames(struct stream_parser *p, struct outcome *o)
{
	uint8_t *frame;
	uint32_t length;
	int rc;

	while ((rc = stream_parse(p, &frame, &length)) > 0) {
		must(length >= ETH_HEADER && length <= FRAME_MAX);
		must(frame >= p->data && frame + length <= p->data + p->end && p->begin <= p->end);
		for (uint32_t i = 0; i < length; i++)
			o->hash = (o->hash ^ frame[i]) * 0x100000001b3ull;
		o->hash = (o->hash ^ length) * 0x100000001b3ull;
		o->frames++;
	}
	o->broken |= rc < 0;
}

/* Feeds the stream in steps of `step` bytes, with the same compaction as the backend's. */
static struct outcome feed(const uint8_t *data, size_t size, size_t step)
{
	struct stream_parser p = { .room = FRAME_MAX + 4 + step,
				   .data = malloc(FRAME_MAX + 4 + step) };
	struct outcome o = { 0 };

	for (size_t at = 0; at < size && !o.broken; at += step) {
		size_t n = MIN(step, size - at);

		memmove(p.data, p.data + p.begin, p.end - p.begin);
		p.end -= p.begin;
		p.begin = 0;
		must(p.end + n <= p.room);
		memcpy(p.data + p.end, data + at, n);
		p.end += n;
		take_frames(&p, &o);
	}
	free(p.data);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct outcome pieces = feed(data + 1, size - 1, 1 + data[0]);
	struct outcome whole = feed(data + 1, size - 1, size);

	must(pieces.hash == whole.hash && pieces.frames == whole.frames &&
	     pieces.broken == whole.broken);
	return 0;
}
