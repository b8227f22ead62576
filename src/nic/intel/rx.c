#include "nic/intel/rx.h"

#include <errno.h>

#include "base/bytes.h"
#include "net/crc32c.h"
#include "net/csum.h"
#include "net/headers.h"
#include "net/offload.h"
#include "nic/intel/regs.h"

#define PTP_EVENT_PORT 319
#define EXTENSIONS_MAX 8u

/* --- a look at the frame --- */

static void look_at_l4(struct intel_rx_info *info, uint8_t protocol)
{
	const uint8_t *l4 = info->head + info->l4_at;
	uint32_t room = info->have - info->l4_at;

	switch (protocol) {
	case PROTO_TCP:
		if (room < TCP_HEADER_MIN)
			return;
		info->l4 = L4_TCP;
		info->payload_at = (uint16_t)(info->l4_at + (l4[TCP_DATA_AT] >> 4) * 4u);
		break;
	case PROTO_UDP:
		if (room < UDP_HEADER)
			return;
		info->l4 = L4_UDP;
		info->payload_at = (uint16_t)(info->l4_at + UDP_HEADER);
		if (get_be16(l4 + L4_DEST_PORT) == PTP_EVENT_PORT) {
			info->flags |= RXF_PTP_L4;
			info->ptp_at = (uint8_t)info->payload_at;
		}
		break;
	case PROTO_SCTP:
		if (room < SCTP_HEADER)
			return;
		info->l4 = L4_SCTP;
		info->payload_at = (uint16_t)(info->l4_at + SCTP_HEADER);
		break;
	default:
		break;
	}
}

static void look_at_ipv4(struct intel_rx_info *info)
{
	const uint8_t *ip = info->head + info->l3_at;
	uint32_t header, total;

	if (info->l3_at + IPV4_HEADER_MIN > info->have || ip[0] >> 4 != 4)
		return;
	header = (ip[0] & 15u) * 4;
	total = get_be16(ip + IPV4_LENGTH);
	if (header < IPV4_HEADER_MIN || info->l3_at + header > info->have || total < header ||
	    info->l3_at + total > info->length)
		return;
	info->l3 = L3_IPV4;
	info->ip_end = info->l3_at + total;
	info->l4_at = (uint16_t)(info->l3_at + header);
	info->flags |= header > IPV4_HEADER_MIN ? RXF_OPTIONS : 0;
	if (get_be16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENT_PARTS)
		info->flags |= RXF_FRAGMENT;
	else
		look_at_l4(info, ip[IPV4_PROTOCOL]);
}

static void look_at_ipv6(struct intel_rx_info *info)
{
	const uint8_t *ip = info->head + info->l3_at;
	uint32_t at = info->l3_at + IPV6_HEADER;

	if (at > info->have || ip[0] >> 4 != 6 || at + get_be16(ip + IPV6_LENGTH) > info->length)
		return;
	uint8_t next = ip[IPV6_NEXT];
	info->l3 = L3_IPV6;
	info->ip_end = at + get_be16(ip + IPV6_LENGTH);
	for (unsigned i = 0; i < EXTENSIONS_MAX && at + 8 <= info->have; i++) {
		if (next == PROTO_FRAGMENT)
			info->flags |= RXF_FRAGMENT;
		if (next != PROTO_HOPOPTS && next != PROTO_DSTOPTS)
			break;
		info->flags |= RXF_OPTIONS;
		next = info->head[at];
		at += (info->head[at + 1] + 1u) * 8;
	}
	if (at > info->have || at > info->ip_end)
		return;
	info->l4_at = (uint16_t)at;
	if (!(info->flags & RXF_FRAGMENT))
		look_at_l4(info, next);
}

void intel_rx_look(struct intel_rx_info *info, const struct frame *f, uint16_t vlan_type)
{
	uint32_t at = ETHERTYPE_AT;

	info->frame = f;
	info->length = f->length;
	info->flags = 0;
	info->l3 = L3_OTHER;
	info->l4 = L4_OTHER;
	info->ethertype = info->tag = 0;
	info->l3_at = info->l4_at = info->payload_at = 0;
	info->ip_end = 0;
	info->ptp_at = 0;
	info->have = (uint16_t)frame_copy_out(f, 0, info->head, MIN(f->length, RX_HEAD));
	if (info->have < ETH_HEADER) {
		memset(info->head + info->have, 0, ETH_HEADER - info->have);
		return;
	}
	if (vlan_type && get_be16(info->head + at) == vlan_type &&
	    info->have >= ETH_HEADER + VLAN_TAG) {
		info->flags |= RXF_VLAN;
		info->tag = get_be16(info->head + at + 2);
		at += VLAN_TAG;
	}
	info->ethertype = get_be16(info->head + at);
	info->l3_at = (uint16_t)(at + 2);
	switch (info->ethertype) {
	case ETHERTYPE_IPV4:
		look_at_ipv4(info);
		break;
	case ETHERTYPE_IPV6:
		look_at_ipv6(info);
		break;
	case ETHERTYPE_PTP:
		info->flags |= RXF_PTP_L2;
		info->ptp_at = (uint8_t)info->l3_at;
		break;
	default:
		break;
	}
}

/* --- checksums --- */

static bool sctp_right(const struct intel_rx_info *info)
{
	static const uint8_t zero[4];
	const uint8_t *field = info->head + info->l4_at + SCTP_CSUM;
	struct frame_cursor c = frame_cursor_at(info->frame, info->l4_at + SCTP_HEADER);
	uint32_t crc = crc32c_add(CRC32C_BEGIN, info->head + info->l4_at, SCTP_CSUM);
	uint32_t left = info->ip_end - MIN(info->ip_end, info->l4_at + SCTP_HEADER);
	uint8_t chunk[512];

	crc = crc32c_add(crc, zero, sizeof(zero));
	while (left) {
		size_t n = frame_cursor_copy(&c, chunk, MIN(left, sizeof(chunk)));
		if (n == 0)
			return false;
		crc = crc32c_add(crc, chunk, n);
		left -= (uint32_t)n;
	}
	return get_le32(field) == crc32c_end(crc);
}

static bool tcp_udp_right(const struct intel_rx_info *info)
{
	const uint8_t *ip = info->head + info->l3_at;
	uint32_t sum = info->l4 == L4_TCP ? PROTO_TCP : PROTO_UDP;

	sum += info->ip_end - info->l4_at;
	sum = info->l3 == L3_IPV4 ? csum_add(sum, ip + IPV4_SOURCE, IPV4_ADDRESSES, false)
				  : csum_add(sum, ip + IPV6_SOURCE, IPV6_ADDRESSES, false);
	return csum_fold(frame_sum(info->frame, info->l4_at, info->ip_end, sum)) == 0;
}

static void check_l4(struct intel_rx_info *info)
{
	const uint8_t vouched = VIRTIO_NET_HDR_F_DATA_VALID | VIRTIO_NET_HDR_F_NEEDS_CSUM;
	bool right;

	if (info->l4 == L4_UDP && get_be16(info->head + info->l4_at + UDP_CSUM) == 0) {
		info->flags |= RXF_UDP_ZERO;
		return;
	}
	if (info->l4 == L4_SCTP)
		right = sctp_right(info);
	else
		right = (info->frame->hdr.flags & vouched) || tcp_udp_right(info);
	info->flags |= RXF_L4_CHECKED | (right ? 0 : RXF_L4_BAD);
}

void intel_rx_check(struct intel_rx_info *info, bool ip, bool l4)
{
	if (ip && info->l3 == L3_IPV4) {
		const uint8_t *header = info->head + info->l3_at;
		uint16_t sum = csum_fold(csum_add(0, header, (size_t)4 * (header[0] & 15u), false));
		info->flags |= RXF_IP_CHECKED | (sum ? RXF_IP_BAD : 0);
	}
	if (l4 && info->l4 != L4_OTHER)
		check_l4(info);
}

/* --- the image --- */

void intel_image_make(struct intel_image *im, const struct intel_rx_info *info, bool strip_vlan,
		      bool fcs)
{
	bool strip = strip_vlan && (info->flags & RXF_VLAN);
	uint32_t padded = MAX(info->length, FRAME_MIN);

	im->info = info;
	im->cut = strip ? VLAN_TAG : 0;
	im->prefix = 0;
	im->tail_at = info->length - im->cut;
	im->length = padded - im->cut + (fcs ? FCS_SIZE : 0);
	if (im->length > im->tail_at)
		memset(im->tail, 0, im->length - im->tail_at);
}

/* Copies bytes [at, at + len) of what follows the prefix. */
static void copy_frame(const struct intel_image *im, uint32_t at, uint8_t *to, uint32_t len)
{
	const struct frame *f = im->info->frame;

	if (at < ETHERTYPE_AT && im->cut) {
		uint32_t n = MIN(len, ETHERTYPE_AT - at);
		memcpy(to, im->info->head + at, n);
		at += n;
		to += n;
		len -= n;
	}
	if (len && at < im->tail_at) {
		uint32_t n = MIN(len, im->tail_at - at);
		if (f->iovs == 1)
			memcpy(to, (const uint8_t *)f->iov[0].iov_base + at + im->cut, n);
		else
			frame_copy_out(f, at + im->cut, to, n);
		at += n;
		to += n;
		len -= n;
	}
	if (len)
		memcpy(to, im->tail + (at - im->tail_at), len);
}

static void copy_image(const struct intel_image *im, uint32_t at, uint8_t *to, uint32_t len)
{
	if (at < im->prefix) {
		uint32_t n = MIN(len, im->prefix - at);
		memcpy(to, im->prefix_data + at, n);
		at += n;
		to += n;
		len -= n;
	}
	if (len)
		copy_frame(im, at - im->prefix, to, len);
}

bool intel_image_write(struct nic *nic, const struct intel_image *im, uint32_t at, uint64_t address,
		       uint32_t len)
{
	struct iovec piece
		[8]; /* a buffer is at most 16 KiB: more borders than these is no memory that a guest has */
	int n = mem_iov(&nic->mem, address, len, MEM_WRITE, piece, ARRAY_SIZE(piece));

	for (int i = 0; i < n; i++) {
		copy_image(im, at, piece[i].iov_base, (uint32_t)piece[i].iov_len);
		at += (uint32_t)piece[i].iov_len;
	}
	return n >= 0;
}

/* --- descriptors --- */

#define PIECES_MAX 80u /* descriptors of one frame: 16 KiB in 256-byte buffers, and some */

struct filled {
	uint32_t at;
	uint32_t used[RX_BUFFERS_MAX];
};

/* Fills the buffers of one descriptor from byte `done` of the image on. How many bytes went in, or -EFAULT. */
static int fill(struct intel_rx *rx, const struct intel_image *im,
		const struct intel_ring_view *ring, struct filled *to, uint32_t done)
{
	struct intel_rx_buffer buffer[RX_BUFFERS_MAX];
	struct intel_desc raw[2] = { 0 };
	uint32_t begin = done;

	memset(to->used, 0, sizeof(to->used));
	if (!intel_ring_read(ring, to->at, 0, &raw[0]) ||
	    (ring->desc_size > INTEL_DESC_SIZE && !intel_ring_read(ring, to->at, 1, &raw[1])))
		return -EFAULT;
	unsigned n = rx->format->buffers(rx, im, raw, begin == 0, buffer);
	for (unsigned i = 0; i < n && done < im->length; i++) {
		to->used[i] = MIN(im->length - done, buffer[i].size);
		if (!intel_image_write(rx->nic, im, done, buffer[i].address, to->used[i])) {
			to->used[i] = 0;
			return -EFAULT;
		}
		done += to->used[i];
	}
	return (int)(done - begin);
}

static void give_back(struct intel_rx *rx, const struct intel_image *im,
		      const struct intel_ring_view *ring, const struct filled *filled, unsigned n)
{
	const struct intel_rx_format *format = rx->format;
	unsigned behind = format->status_at + 4u;
	uint8_t out[32];

	for (unsigned i = 0; i < n; i++) {
		format->write_back(rx, im, filled[i].used, i == n - 1, out);
		uint32_t at = filled[i].at;
		intel_ring_write(ring, at, format->from, out + format->from,
				 format->status_at - format->from);
		if (behind < format->desc_size)
			intel_ring_write(ring, at, behind, out + behind,
					 format->desc_size - behind);
		intel_ring_publish(ring, at, format->status_at, get_le32(out + format->status_at));
	}
	rx->ring->head =
		intel_ring_next(ring, filled[n - 1].at) * (format->desc_size / INTEL_DESC_SIZE);
}

int intel_rx_put(struct intel_rx *rx, const struct intel_image *im)
{
	struct filled filled[PIECES_MAX];
	struct intel_ring_view ring;
	uint32_t at, done = 0;
	unsigned n = 0;
	int rc = 0;

	if (!intel_ring_open(rx->nic, rx->ring, rx->format->desc_size, &ring))
		return -ENOBUFS;
	for (at = ring.head; done < im->length && rc >= 0; at = intel_ring_next(&ring, at)) {
		if (at == ring.tail)
			return n + 1 >= ring.count ? -EMSGSIZE : -ENOBUFS;
		if (n == PIECES_MAX)
			return -EMSGSIZE;
		filled[n].at = at;
		rc = fill(rx, im, &ring, &filled[n++], done);
		done += rc > 0 ? (uint32_t)rc : 0;
	}
	if (rc < 0) {
		rx->nic->counters.bad_access++;
		rx->errors |= RXE_RXE;
	}
	if (n > 0) /* a frame is never empty */
		give_back(rx, im, &ring, filled, n);
	return rc < 0 ? rc : 0;
}

/* --- legacy descriptors --- */

static unsigned legacy_buffers(const struct intel_rx *rx, const struct intel_image *im,
			       const struct intel_desc raw[2], bool first,
			       struct intel_rx_buffer out[RX_BUFFERS_MAX])
{
	(void)im;
	(void)first;
	out[0] = (struct intel_rx_buffer){ .address = raw[0].lo, .size = rx->buffer_size };
	return 1;
}

uint8_t intel_rx_status(const struct intel_rx *rx, const struct intel_image *im, uint8_t *errors)
{
	uint32_t flags = im->info->flags;
	uint8_t status = (uint8_t)(rx->status & 0xff);

	*errors = (uint8_t)rx->errors;
	if (im->cut)
		status |= RXS_VP;
	if (rx->report_ip && (flags & RXF_IP_CHECKED)) {
		status |= RXS_IPCS;
		*errors |= flags & RXF_IP_BAD ? RXE_IPE : 0;
	}
	if (rx->report_l4 && (flags & RXF_L4_CHECKED)) {
		status |= RXS_TCPCS | (im->info->l4 == L4_UDP ? RXS_UDPCS : 0);
		*errors |= flags & RXF_L4_BAD ? RXE_TCPE : 0;
	}
	return status;
}

static void legacy_write_back(const struct intel_rx *rx, const struct intel_image *im,
			      const uint32_t used[RX_BUFFERS_MAX], bool last, uint8_t out[32])
{
	uint8_t errors = 0, status = 0;

	put_le16(out + 8, (uint16_t)used[0]);
	put_le16(out + 10,
		 0); /* packet checksum: no driver reads it where the status bits are there */
	if (last) {
		status = RXS_EOP | intel_rx_status(rx, im, &errors);
		if (!(status & (RXS_IPCS | RXS_TCPCS)))
			status |= RXS_IXSM;
	}
	out[12] = status | RXS_DD;
	out[13] = errors;
	put_le16(out + 14, last && im->cut ? im->info->tag : 0);
}

const struct intel_rx_format intel_rx_legacy = {
	.desc_size = INTEL_DESC_SIZE,
	.from = 8,
	.status_at = 12,
	.buffers = legacy_buffers,
	.write_back = legacy_write_back,
};

/* --- loopback --- */

#define LOOP_TURN 1024u /* segments behind which a call takes no further frame */

bool intel_loop_turn(struct nic *nic, const struct frame *f, unsigned *spent)
{
	if (*spent >= LOOP_TURN) {
		nic->notes.runnable = UINT32_MAX; /* whatever queue it was */
		return false;
	}
	*spent += f->hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE
			  ? 1
			  : f->length / MAX(f->hdr.gso_size, 1u) + 1;
	return true;
}

/* Out of guest memory: the receive buffer may lie over the frame, and what is looked at is what is delivered. */
static void take_copy(struct frame *f, uint8_t *room)
{
	if (f->iov[0].iov_base != room)
		frame_set_linear(f, room, frame_copy_out(f, 0, room, f->length));
}

unsigned intel_loop_back(struct nic *nic, struct frame *frames, unsigned n,
			 unsigned (*receive)(struct nic *nic, const struct frame *frames,
					     unsigned n))
{
	uint8_t room[FRAME_MAX];
	struct offload_walk walk;
	struct frame out;
	unsigned spent = 0, i = 0;

	for (; i < n && intel_loop_turn(nic, &frames[i], &spent); i++) {
		/* the card's own checksum engine has seen what offload_walk made: right beyond doubt */
		if (offload_walk_begin(&walk, &frames[i], 0, room, sizeof(room)) < 0) {
			nic_drop(nic, DROP_BAD_OFFLOAD);
			continue;
		}
		while (offload_walk_next(&walk, &out)) {
			take_copy(&out, room);
			if (receive(nic, &out, 1) == 0)
				nic_drop(nic, DROP_NO_BUFFER);
		}
	}
	return i;
}
