#include "net/frame.h"

#include <string.h>

#include "base/bytes.h"
#include "net/csum.h"

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
	[DROP_SPOOFED] = "spoofed",
};
NAMES_MATCH(drop_names, DROP_REASON_COUNT);

const char *drop_reason_name(enum drop_reason reason)
{
	return name_of(drop_names, DROP_REASON_COUNT, reason);
}

bool frame_pieces_add_up(const struct frame *f)
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

void frame_set_rarp(struct frame *f, const uint8_t mac[6])
{
	static const uint8_t request[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };
	uint8_t *p = f->head;

	_Static_assert(FRAME_MIN <= FRAME_HEAD, "the frame fits the head");
	memset(p, 0, FRAME_MIN);
	memset(p, 0xff, 6);
	memcpy(p + 6, mac, 6);
	memcpy(p + 12, request, sizeof(request));
	memcpy(p + 22, mac, 6); /* sender and target hardware address */
	memcpy(p + 32, mac, 6);
	frame_set_linear(f, p, FRAME_MIN);
}

void frame_trim(struct frame *f, uint32_t length)
{
	size_t left = length;
	unsigned i = 0;

	if (length >= f->length)
		return;
	for (; i < f->iovs && left; i++) {
		f->iov[i].iov_len = MIN(f->iov[i].iov_len, left);
		left -= f->iov[i].iov_len;
	}
	f->iovs = (uint16_t)i;
	f->length = length;
}

/* Drops `skip` bytes of the pieces behind piece 0. */
static void skip_pieces(struct frame *f, size_t skip)
{
	unsigned from = 1, to = 1;

	while (from < f->iovs && skip >= f->iov[from].iov_len)
		skip -= f->iov[from++].iov_len;
	if (from < f->iovs) {
		f->iov[from].iov_base = (uint8_t *)f->iov[from].iov_base + skip;
		f->iov[from].iov_len -= skip;
	}
	while (from < f->iovs)
		f->iov[to++] = f->iov[from++];
	f->iovs = (uint16_t)to;
}

size_t frame_lift_head(struct frame *f, size_t max)
{
	size_t have = 0, n;

	f->iov[0] = (struct iovec){ .iov_base = f->head };
	max = MIN(max, sizeof(f->head));
	for (unsigned i = 1; i < f->iovs && have < max; i++, have += n) {
		n = MIN(f->iov[i].iov_len, max - have);
		memcpy(f->head + have, f->iov[i].iov_base, n);
	}
	skip_pieces(f, have);
	f->iov[0].iov_len = have;
	return have;
}

#define TAG_AT 12u /* behind the two addresses */

void frame_insert_tag(struct frame *f, uint16_t ethertype, uint16_t tci)
{
	struct iovec *head = &f->iov[0];

	if (head->iov_len < TAG_AT || head->iov_len + VLAN_TAG > sizeof(f->head))
		return;
	memmove(f->head + TAG_AT + VLAN_TAG, f->head + TAG_AT, head->iov_len - TAG_AT);
	put_be16(f->head + TAG_AT, ethertype);
	put_be16(f->head + TAG_AT + 2, tci);
	head->iov_len += VLAN_TAG;
	f->length += VLAN_TAG;
	if (f->hdr.csum_start)
		f->hdr.csum_start = (uint16_t)(f->hdr.csum_start + VLAN_TAG);
	if (f->hdr.hdr_len)
		f->hdr.hdr_len = (uint16_t)(f->hdr.hdr_len + VLAN_TAG);
}

uint32_t frame_sum(const struct frame *f, uint32_t from, uint32_t to, uint32_t sum)
{
	uint32_t at = 0;
	bool odd = false;

	for (unsigned i = 0; i < f->iovs && at < to; i++) {
		uint32_t n = (uint32_t)f->iov[i].iov_len;
		if (at + n > from) {
			uint32_t skip = from > at ? from - at : 0;
			uint32_t len = MIN(n, to - at) - skip;
			sum = csum_add(sum, (const uint8_t *)f->iov[i].iov_base + skip, len, odd);
			odd ^= len & 1;
		}
		at += n;
	}
	return sum;
}
