#include <errno.h>

#include "backend/stream/stream.h"
#include "base/bytes.h"

#define LENGTH_FIELD 4u

static void throw_away(struct stream_parser *p)
{
	uint32_t n = (uint32_t)MIN((size_t)p->skip, p->end - p->begin);

	p->begin += n;
	p->skip -= n;
}

int stream_parse(struct stream_parser *p, uint8_t **frame, uint32_t *length)
{
	for (;;) {
		throw_away(p);
		if (p->skip || p->end - p->begin < LENGTH_FIELD)
			return 0;
		uint32_t n = get_be32(p->data + p->begin);
		if (n > FRAME_MAX)
			return -EPROTO;
		if (n < ETH_HEADER) {
			p->begin += LENGTH_FIELD;
			p->skip = n;
			continue;
		}
		if (p->end - p->begin - LENGTH_FIELD < n)
			return 0;
		*frame = p->data + p->begin + LENGTH_FIELD;
		*length = n;
		p->begin += LENGTH_FIELD + n;
		return 1;
	}
}
