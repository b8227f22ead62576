#include "net/frame.h"

#include <string.h>

static const char *const drop_names[] = {
	[DROP_NONE] = "none",
	[DROP_LINK_DOWN] = "link_down",
	[DROP_INACTIVE] = "inactive",
	[DROP_NO_ACTIVE_NIC] = "no_active_nic",
	[DROP_NO_BUFFER] = "no_buffer",
	[DROP_FILTERED] = "filtered",
	[DROP_OVERSIZE] = "oversize",
	[DROP_RUNT] = "runt",
	[DROP_BAD_DESCRIPTOR] = "bad_descriptor",
	[DROP_BAD_ADDRESS] = "bad_address",
	[DROP_BAD_OFFLOAD] = "bad_offload",
	[DROP_RX_DISABLED] = "rx_disabled",
	[DROP_BACKEND] = "backend",
};
NAMES_MATCH(drop_names, DROP_REASON_COUNT);

const char *drop_reason_name(enum drop_reason reason)
{
	return name_of(drop_names, DROP_REASON_COUNT, reason);
}

bool frame_pieces_match(const struct frame *f)
{
	size_t sum = 0;

	if (f->iovs > FRAME_IOV_MAX)
		return false;
	for (unsigned i = 0; i < f->iovs; i++)
		sum += f->iov[i].iov_len;
	return sum == f->length;
}

struct frame_cursor frame_cursor_at(const struct frame *f, size_t skip)
{
	struct frame_cursor c = { .frame = f };

	while (c.piece < f->iovs && skip >= f->iov[c.piece].iov_len)
		skip -= f->iov[c.piece++].iov_len;
	c.at = c.piece < f->iovs ? skip : 0;
	return c;
}

size_t frame_cursor_copy(struct frame_cursor *c, void *to, size_t len)
{
	const struct frame *f = c->frame;
	size_t done = 0;

	while (done < len && c->piece < f->iovs) {
		const struct iovec *piece = &f->iov[c->piece];
		size_t n = MIN(piece->iov_len - c->at, len - done);

		memcpy((uint8_t *)to + done, (const uint8_t *)piece->iov_base + c->at, n);
		done += n;
		c->at += n;
		if (c->at == piece->iov_len) {
			c->piece++;
			c->at = 0;
		}
	}
	return done;
}

size_t frame_copy_out(const struct frame *f, size_t skip, void *to, size_t len)
{
	struct frame_cursor c = frame_cursor_at(f, skip);

	return frame_cursor_copy(&c, to, len);
}

void frame_set_linear(struct frame *f, void *data, size_t len)
{
	f->hdr = (struct virtio_net_hdr_v1){ 0 };
	f->length = (uint32_t)len;
	f->iovs = 1;
	f->queue = 0;
	f->iov[0] = (struct iovec){ .iov_base = data, .iov_len = len };
}
