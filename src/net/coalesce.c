#include "net/coalesce.h"

#include <string.h>

#include "base/bytes.h"
#include "net/csum.h"
#include "net/headers.h"
#include "net/offload.h"

/* Only these headers: no VLAN tag, no IP option or extension. */
#define IP_AT	       ETH_HEADER
#define IPV4_LENGTH_AT (IP_AT + IPV4_LENGTH)
#define IPV4_ID_AT     (IP_AT + IPV4_ID)
#define IPV4_CSUM_AT   (IP_AT + IPV4_CSUM)
#define IPV6_LENGTH_AT (IP_AT + IPV6_LENGTH)
#define HEADERS_MAX    (IP_AT + IPV6_HEADER + 60u)

/* A frame's headers, copied once, and where what is in them. */
struct segment {
	uint8_t head[HEADERS_MAX];
	uint32_t l4, headers, payload;
	bool ipv6;
};

static bool parse_ipv4(struct segment *s, uint32_t length)
{
	const uint8_t *ip = s->head + IP_AT;

	s->l4 = IP_AT + IPV4_HEADER_MIN;
	/* the length leaves no padding, DF or nothing, checksum right */
	return ip[0] == 0x45 && ip[IPV4_PROTOCOL] == PROTO_TCP &&
	       !(get_be16(ip + IPV4_FRAGMENT) & ~0x4000u) &&
	       get_be16(s->head + IPV4_LENGTH_AT) == length - IP_AT &&
	       csum_fold(csum_add(0, ip, IPV4_HEADER_MIN, false)) == 0;
}

static bool parse_ipv6(struct segment *s, uint32_t length)
{
	const uint8_t *ip = s->head + IP_AT;

	s->ipv6 = true;
	s->l4 = IP_AT + IPV6_HEADER;
	return ip[0] >> 4 == 6 && ip[IPV6_NEXT] == PROTO_TCP &&
	       get_be16(s->head + IPV6_LENGTH_AT) == length - IP_AT - IPV6_HEADER;
}

/* True for a TCP segment with data that may be joined at all; its checksum is another question. */
static bool parse(const struct frame *f, struct segment *s)
{
	size_t have = frame_copy_out(f, 0, s->head, MIN(f->length, HEADERS_MAX));
	uint16_t ethertype = have >= IP_AT + IPV4_HEADER_MIN ? get_be16(s->head + ETHERTYPE_AT) : 0;

	s->ipv6 = false;
	if (ethertype == ETHERTYPE_IPV4 ? !parse_ipv4(s, f->length)
					: ethertype != ETHERTYPE_IPV6 || !parse_ipv6(s, f->length))
		return false;
	if (have < s->l4 + TCP_HEADER_MIN)
		return false;
	const uint8_t *tcp = s->head + s->l4;
	s->headers = s->l4 + (tcp[TCP_DATA_AT] >> 4) * 4u;
	if (s->headers < s->l4 + TCP_HEADER_MIN || s->headers > have || f->length <= s->headers)
		return false;
	s->payload = f->length - s->headers;
	/* the reserved bits are 0, an ACK and nothing that is said but once */
	return !(tcp[TCP_DATA_AT] & 15) && (tcp[TCP_FLAGS] & ~(TCP_PSH | TCP_FIN)) == TCP_ACK;
}

/* The partial sum of the pseudo header. */
static uint32_t pseudo_sum(const struct segment *s, uint32_t tcp_length)
{
	const uint8_t *ip = s->head + IP_AT;

	return s->ipv6 ? csum_add(PROTO_TCP + tcp_length, ip + IPV6_SOURCE, IPV6_ADDRESSES, false)
		       : csum_add(PROTO_TCP + tcp_length, ip + IPV4_SOURCE, IPV4_ADDRESSES, false);
}

/* The field that a checksum still to be made begins with. */
static uint16_t partial_sum(const struct segment *s, uint32_t tcp_length)
{
	return (uint16_t)~csum_fold(pseudo_sum(s, tcp_length));
}

static bool checksum_right(const struct frame *f, const struct segment *s)
{
	uint32_t tcp_length = f->length - s->l4;

	if (f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return f->hdr.csum_start == s->l4 && f->hdr.csum_offset == TCP_CSUM &&
		       get_be16(s->head + s->l4 + TCP_CSUM) == partial_sum(s, tcp_length);
	return csum_fold(frame_sum(f, s->l4, f->length, pseudo_sum(s, tcp_length))) == 0;
}

/* The IP headers, and Ethernet's in front of them: what may differ is the length, and of IPv4 identification and checksum. */
static bool same_ip(const struct segment *first, const struct segment *next, unsigned number)
{
	const uint8_t *a = first->head, *b = next->head;

	if (first->ipv6)
		return memcmp(a, b, IPV6_LENGTH_AT) == 0 &&
		       memcmp(a + IPV6_LENGTH_AT + 2, b + IPV6_LENGTH_AT + 2,
			      first->l4 - IPV6_LENGTH_AT - 2) == 0;
	return get_be16(b + IPV4_ID_AT) == (uint16_t)(get_be16(a + IPV4_ID_AT) + number) &&
	       memcmp(a, b, IPV4_LENGTH_AT) == 0 &&
	       memcmp(a + IPV4_ID_AT + 2, b + IPV4_ID_AT + 2, IPV4_CSUM_AT - IPV4_ID_AT - 2) == 0 &&
	       memcmp(a + IPV4_CSUM_AT + 2, b + IPV4_CSUM_AT + 2, first->l4 - IPV4_CSUM_AT - 2) ==
		       0;
}

/* The TCP headers: what may differ is the sequence number, which counts on, the flags and the checksum. */
static bool same_tcp(const struct segment *first, const struct segment *next, unsigned number)
{
	const uint8_t *a = first->head + first->l4, *b = next->head + next->l4;
	uint32_t length = first->headers - first->l4;

	return get_be32(b + TCP_SEQ) == get_be32(a + TCP_SEQ) + number * first->payload &&
	       memcmp(a, b, TCP_SEQ) == 0 &&
	       memcmp(a + TCP_SEQ + 4, b + TCP_SEQ + 4, TCP_FLAGS - TCP_SEQ - 4) == 0 &&
	       memcmp(a + TCP_FLAGS + 1, b + TCP_FLAGS + 1, TCP_CSUM - TCP_FLAGS - 1) == 0 &&
	       memcmp(a + TCP_CSUM + 2, b + TCP_CSUM + 2, length - TCP_CSUM - 2) == 0;
}

/* True when `next` is what segmentation makes `number`-th behind `first`. */
static bool follows(const struct segment *first, const struct segment *next, unsigned number)
{
	return next->l4 == first->l4 && next->headers == first->headers &&
	       next->payload <= first->payload && same_ip(first, next, number) &&
	       same_tcp(first, next, number);
}

/* Whether anything may come behind it. */
static bool is_last(const struct segment *first, const struct segment *s)
{
	return s->payload < first->payload || (s->head[s->l4 + TCP_FLAGS] & (TCP_PSH | TCP_FIN));
}

/* Appends the payload's pieces. False, with `out` as it was, when they are too many or too long for one frame. */
static bool append(struct frame *out, const struct frame *f, const struct segment *s)
{
	struct frame_cursor c = frame_cursor_at(f, s->headers);
	unsigned pieces = f->iovs - c.piece;

	/* IPv4 counts its header, IPv6 does not: the stricter one for both */
	if (!pieces || out->iovs + pieces > FRAME_IOV_MAX || out->length + s->payload > UINT16_MAX)
		return false;
	memcpy(out->iov + out->iovs, f->iov + c.piece, pieces * sizeof(f->iov[0]));
	struct iovec *begin = &out->iov[out->iovs];
	begin->iov_base = (uint8_t *)begin->iov_base + c.at;
	begin->iov_len -= c.at;
	out->iovs = (uint16_t)(out->iovs + pieces);
	out->length += s->payload;
	return true;
}

/* The headers of the joined frame: the first one's, the last one's flags, and the length of all. */
static void finish(struct frame *out, struct segment *first, uint8_t flags)
{
	uint8_t *head = first->head, *tcp = head + first->l4;

	tcp[TCP_FLAGS] |= flags;
	put_be16(tcp + TCP_CSUM, partial_sum(first, out->length - first->l4));
	if (first->ipv6) {
		put_be16(head + IPV6_LENGTH_AT, (uint16_t)(out->length - IP_AT - IPV6_HEADER));
	} else {
		put_be16(head + IPV4_LENGTH_AT, (uint16_t)(out->length - IP_AT));
		put_be16(head + IPV4_CSUM_AT, 0);
		put_be16(head + IPV4_CSUM_AT,
			 csum_fold(csum_add(0, head + IP_AT, IPV4_HEADER_MIN, false)));
	}
	memcpy(out->head, head, first->headers);
	out->iov[0] = (struct iovec){ .iov_base = out->head, .iov_len = first->headers };
	out->hdr = (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = first->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = (uint16_t)first->headers,
		.gso_size = (uint16_t)first->payload,
		.csum_start = (uint16_t)first->l4,
		.csum_offset = TCP_CSUM,
	};
}

/* Joins what follows the first frame, which is in `out` already. Returns how many frames that are, with the last one's flags. */
static unsigned join(const struct frame *frames, unsigned n, const struct segment *first,
		     struct frame *out, uint8_t *flags)
{
	struct segment next;
	unsigned joined = 1;
	bool last = false;

	for (; joined < n && !last; joined++) {
		const struct frame *f = &frames[joined];
		if (f->queue != out->queue || f->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE ||
		    !parse(f, &next) || !follows(first, &next, joined))
			break;
		/* the first one's is looked at when there is somebody to join it */
		if ((joined == 1 && !checksum_right(frames, first)) || !checksum_right(f, &next) ||
		    !append(out, f, &next))
			break;
		*flags = next.head[next.l4 + TCP_FLAGS];
		last = is_last(first, &next);
	}
	return joined;
}

unsigned coalesce(const struct frame *frames, unsigned n, uint32_t offloads, struct frame *out)
{
	const struct frame *f = frames;
	struct segment first;
	uint8_t flags = 0;

	/* cheap questions first: most frames are no part of a stream */
	if (n < 2 || f->length < COALESCE_MIN || f->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE ||
	    frames[1].length > f->length || !(offloads & FRAME_CSUM) || !parse(f, &first) ||
	    !(offloads & (first.ipv6 ? FRAME_TSO6 : FRAME_TSO4)) || is_last(&first, &first) ||
	    first.payload < GSO_SIZE_MIN || first.payload > UINT16_MAX)
		return 0;
	out->iovs = 1;
	out->length = first.headers;
	out->queue = f->queue;
	if (!append(out, f, &first))
		return 0;
	unsigned joined = join(frames, n, &first, out, &flags);
	if (joined < 2)
		return 0;
	finish(out, &first, flags);
	return joined;
}
