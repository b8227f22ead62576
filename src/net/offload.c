#include "net/offload.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "net/csum.h"
#include "net/headers.h"

#define ETHERTYPE_OLD_QINQ 0x9100
#define VLAN_TAGS_MAX	   2u

static unsigned gso_kind(const struct frame *f)
{
	return f->hdr.gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
}

uint32_t frame_needs_some(const struct frame *f)
{
	uint32_t needs = f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? FRAME_CSUM : 0;

	switch (gso_kind(f)) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		needs |= FRAME_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		needs |= FRAME_TSO6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		needs |= FRAME_USO;
		break;
	default:
		return needs;
	}
	if (f->hdr.gso_type & VIRTIO_NET_HDR_GSO_ECN)
		needs |= FRAME_ECN;
	return needs;
}

static int check_gso(const struct frame *f)
{
	uint32_t start = f->hdr.csum_start, l4_min = TCP_HEADER_MIN, csum_at = TCP_CSUM,
		 l3_min = IPV4_HEADER_MIN;

	switch (gso_kind(f)) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		l3_min = IPV6_HEADER;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		if (f->hdr.gso_type & VIRTIO_NET_HDR_GSO_ECN)
			return -EINVAL;
		l4_min = UDP_HEADER;
		csum_at = UDP_CSUM;
		break;
	default: /* UFO was never offered */
		return -EINVAL;
	}
	/* A segment without a checksum to compute is no request that the specification allows (virtio 1.2, 5.1.6.2.1). */
	if (!(f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || f->hdr.csum_offset != csum_at)
		return -EINVAL;
	if (start < ETH_HEADER + l3_min || start + l4_min > f->length)
		return -EINVAL;
	return f->hdr.gso_size < GSO_SIZE_MIN ? -EINVAL : 0;
}

int frame_check(const struct frame *f)
{
	const struct virtio_net_hdr_v1 *h = &f->hdr;

	if (f->length < ETH_HEADER || f->length > FRAME_MAX || h->hdr_len > f->length)
		return -EINVAL;
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (h->csum_start < ETH_HEADER)
			return -EINVAL;
		if ((uint32_t)h->csum_start + h->csum_offset + 2 > f->length)
			return -EINVAL;
	}
	return h->gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : check_gso(f);
}

static uint16_t csum_not_zero(uint32_t sum)
{
	uint16_t c = csum_fold(sum);

	return c ? c
		 : 0xffff; /* 0 means "no checksum" in UDP (RFC 768), and both are the same number in TCP */
}

void frame_make_checksum(struct frame *f)
{
	uint8_t *data = f->iov[0].iov_base;
	uint32_t start = f->hdr.csum_start;

	if (f->iovs != 1 || frame_check(f) < 0)
		return;
	put_be16(data + start + f->hdr.csum_offset,
		 csum_not_zero(csum_add(0, data + start, f->length - start, false)));
	f->hdr = (struct virtio_net_hdr_v1){ .flags = VIRTIO_NET_HDR_F_DATA_VALID };
}

/* Where the network header begins and what it is; 0 when the frame is too short or has too many tags. */
static uint32_t find_l3(const uint8_t *head, uint32_t length, uint16_t *ethertype)
{
	uint32_t at = ETHERTYPE_AT;

	for (unsigned tags = 0; tags <= VLAN_TAGS_MAX && at + 2 <= length; tags++, at += VLAN_TAG) {
		*ethertype = get_be16(head + at);
		if (*ethertype != ETHERTYPE_VLAN && *ethertype != ETHERTYPE_QINQ &&
		    *ethertype != ETHERTYPE_OLD_QINQ)
			return at + 2;
	}
	return 0;
}

static int parse_ipv4(struct offload_walk *w, uint8_t protocol)
{
	const uint8_t *ip = w->head + w->l3;

	if (w->l3 + IPV4_HEADER_MIN > w->headers || ip[0] >> 4 != 4)
		return -EINVAL;
	uint32_t ip_length = (ip[0] & 15u) * 4;
	if (ip_length < IPV4_HEADER_MIN || w->l3 + ip_length != w->l4 ||
	    ip[IPV4_PROTOCOL] != protocol)
		return -EINVAL;
	if (get_be16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENT_PARTS)
		return -EINVAL; /* a fragment cannot be segmented again */
	w->pseudo = csum_add(protocol, ip + IPV4_SOURCE, IPV4_ADDRESSES, false);
	return 0;
}

static int parse_ipv6(struct offload_walk *w, uint8_t protocol)
{
	const uint8_t *ip = w->head + w->l3;
	uint32_t at = w->l3 + IPV6_HEADER;

	if (at > w->headers || ip[0] >> 4 != 6)
		return -EINVAL;
	uint8_t next = ip[IPV6_NEXT];
	/* Options only: with a routing header the pseudo header has another destination, a fragment is no whole packet. */
	while ((next == PROTO_HOPOPTS || next == PROTO_DSTOPTS) && at + 2 <= w->l4) {
		next = w->head[at];
		at += (w->head[at + 1] + 1u) * 8;
	}
	if (next != protocol || at != w->l4)
		return -EINVAL;
	w->pseudo = csum_add(protocol, ip + IPV6_SOURCE, IPV6_ADDRESSES, false);
	return 0;
}

/* Finds the headers in the copy and holds them against what the offload fields say. */
static int parse_headers(struct offload_walk *w)
{
	const struct frame *f = w->source;
	uint32_t have =
		(uint32_t)frame_copy_out(f, 0, w->head, MIN(f->length, (uint32_t)sizeof(w->head)));
	uint16_t ethertype = 0;

	w->headers = have; /* as far as we can see */
	w->l4 = f->hdr.csum_start;
	w->l3 = find_l3(w->head, have, &ethertype);
	w->udp = gso_kind(f) == VIRTIO_NET_HDR_GSO_UDP_L4;
	w->ipv6 = ethertype == ETHERTYPE_IPV6;
	uint32_t l4_min = w->udp ? UDP_HEADER : TCP_HEADER_MIN;
	if (!w->l3 || w->l4 + l4_min > have || (!w->ipv6 && ethertype != ETHERTYPE_IPV4))
		return -EINVAL;
	if (!w->udp && w->ipv6 != (gso_kind(f) == VIRTIO_NET_HDR_GSO_TCPV6))
		return -EINVAL;
	uint8_t protocol = w->udp ? PROTO_UDP : PROTO_TCP;
	int rc = w->ipv6 ? parse_ipv6(w, protocol) : parse_ipv4(w, protocol);
	if (rc < 0)
		return rc;
	uint32_t l4_length = w->udp ? UDP_HEADER : (w->head[w->l4 + TCP_DATA_AT] >> 4) * 4u;
	if (l4_length < l4_min || w->l4 + l4_length > have)
		return -EINVAL;
	w->headers = w->l4 + l4_length;
	/* gso_size may be larger than any packet: what comes out must fit IPv4's 16-bit length */
	uint32_t chunk = MIN(f->length - w->headers, f->hdr.gso_size);
	return !w->ipv6 && w->headers - w->l3 + chunk > UINT16_MAX ? -EINVAL : 0;
}

int offload_walk_begin(struct offload_walk *w, const struct frame *f, uint32_t offloads,
		       uint8_t *room, size_t room_size)
{
	uint32_t missing = frame_needs(f) & ~offloads;

	w->source = f;
	w->offloads = offloads;
	w->room = room;
	w->room_size = room_size;
	w->room_used = 0;
	w->at = 0;
	w->segment = 0;
	w->work = OFFLOAD_DONE;
	if (frame_check(f) < 0)
		return -EINVAL;
	if (!missing) {
		w->work = OFFLOAD_PASS;
		return 0;
	}
	if (f->length > room_size)
		return -EINVAL;
	if (f->hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		w->work = OFFLOAD_CSUM;
		return 0;
	}
	if (parse_headers(w) < 0)
		return -EINVAL;
	w->payload = frame_cursor_at(f, w->headers);
	w->work = OFFLOAD_SEGMENT;
	return 0;
}

void offload_walk_skip(struct offload_walk *w, unsigned frames)
{
	uint64_t at = (uint64_t)frames * w->source->hdr.gso_size;

	if (!frames)
		return;
	if (w->work != OFFLOAD_SEGMENT || w->headers + at >= w->source->length) {
		w->work = OFFLOAD_DONE; /* one frame, or that many segments */
		return;
	}
	w->at = (uint32_t)at;
	w->segment = frames;
	w->payload = frame_cursor_at(w->source, w->headers + w->at);
}

/* The scratch of the source is not copied: pieces that point into it go on pointing there. */
static void pass_on(const struct frame *f, struct frame *out)
{
	out->hdr = f->hdr;
	out->length = f->length;
	out->iovs = f->iovs;
	out->queue = f->queue;
	memcpy(out->iov, f->iov, f->iovs * sizeof(f->iov[0]));
}

/* A frame of ours, its checksum right beyond doubt: whoever understands NEEDS_CSUM may be told so. */
static void finish_frame(const struct offload_walk *w, struct frame *out, uint8_t *data, size_t len)
{
	frame_set_linear(out, data, len);
	out->queue = w->source->queue;
	if (w->offloads & FRAME_CSUM)
		out->hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
}

static bool make_checksummed(struct offload_walk *w, struct frame *out)
{
	const struct frame *f = w->source;
	uint8_t *data = w->room + w->room_used;
	uint32_t start = f->hdr.csum_start;

	if (w->room_size - w->room_used < f->length)
		return false;
	w->work = OFFLOAD_DONE;
	if (frame_copy_out(f, 0, data, f->length) != f->length)
		return false;
	/* the field holds the sum of the pseudo header */
	put_be16(data + start + f->hdr.csum_offset,
		 csum_not_zero(csum_add(0, data + start, f->length - start, false)));
	finish_frame(w, out, data, f->length);
	w->room_used += f->length;
	return true;
}

static void write_ip_header(const struct offload_walk *w, uint8_t *ip, uint32_t ip_length)
{
	if (w->ipv6) {
		put_be16(ip + IPV6_LENGTH, (uint16_t)(ip_length - IPV6_HEADER));
		return;
	}
	put_be16(ip + IPV4_LENGTH, (uint16_t)ip_length);
	put_be16(ip + IPV4_ID, (uint16_t)(get_be16(ip + IPV4_ID) + w->segment));
	put_be16(ip + IPV4_CSUM, 0);
	put_be16(ip + IPV4_CSUM, csum_fold(csum_add(0, ip, w->l4 - w->l3, false)));
}

static void write_l4_header(const struct offload_walk *w, uint8_t *l4, uint32_t l4_length,
			    bool last)
{
	uint8_t *field = l4 + (w->udp ? UDP_CSUM : TCP_CSUM);

	if (w->udp) {
		put_be16(l4 + UDP_LENGTH, (uint16_t)l4_length);
	} else {
		put_be32(l4 + TCP_SEQ, get_be32(l4 + TCP_SEQ) + w->at);
		if (!last)
			l4[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (w->segment)
			l4[TCP_FLAGS] &= (uint8_t)~TCP_CWR; /* said once (RFC 3168, 6.1.2) */
	}
	put_be16(field, 0);
	put_be16(field, csum_not_zero(csum_add(w->pseudo + l4_length, l4, l4_length, false)));
}

static bool make_segment(struct offload_walk *w, struct frame *out)
{
	uint32_t left = w->source->length - w->headers - w->at;
	uint32_t chunk = MIN(left, w->source->hdr.gso_size);
	uint32_t length = w->headers + chunk;
	uint8_t *data = w->room + w->room_used;
	bool last = chunk == left;

	if (w->room_size - w->room_used < length)
		return false;
	memcpy(data, w->head, w->headers);
	if (frame_cursor_copy(&w->payload, data + w->headers, chunk) != chunk) {
		w->work = OFFLOAD_DONE; /* the pieces are shorter than the length says */
		return false;
	}
	write_ip_header(w, data + w->l3, length - w->l3);
	write_l4_header(w, data + w->l4, length - w->l4, last);
	finish_frame(w, out, data, length);
	w->room_used += length;
	w->at += chunk;
	w->segment++;
	if (last)
		w->work = OFFLOAD_DONE;
	return true;
}

/* False at the end, or when the next frame needs more room than is left. */
static bool make_next(struct offload_walk *w, struct frame *out)
{
	switch (w->work) {
	case OFFLOAD_PASS:
		pass_on(w->source, out);
		w->work = OFFLOAD_DONE;
		return true;
	case OFFLOAD_CSUM:
		return make_checksummed(w, out);
	case OFFLOAD_SEGMENT:
		return make_segment(w, out);
	case OFFLOAD_DONE:
		break;
	}
	return false;
}

unsigned offload_walk_fill(struct offload_walk *w, struct frame *out, unsigned max)
{
	unsigned n = 0;

	w->room_used = 0;
	while (n < max && make_next(w, &out[n]))
		n++;
	return n;
}

bool offload_walk_next(struct offload_walk *w, struct frame *out)
{
	return offload_walk_fill(w, out, 1) == 1;
}
