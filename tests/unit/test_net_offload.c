#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "net/csum.h"
#include "net/offload.h"

#define ROOM (256u * 1024)

enum tcp_flag { FIN = 1, SYN = 2, PSH = 8, ACK = 16, CWR = 0x80 };

/* What a test packet is made of; the builder and the checker below know nothing of offload.c. */
struct shape {
	bool ipv6, udp;
	unsigned vlans;
	unsigned ext; /* bytes of IPv6 destination options */
	unsigned tcp_options;
	uint32_t payload;
	uint16_t gso_size; /* 0 = checksum only */
	uint8_t flags;
};

struct packet {
	struct shape shape;
	uint8_t data[FRAME_MAX];
	uint32_t l3, l4, headers, length;
	struct frame frame;
};

static struct packet packet;
static uint8_t room[ROOM];
static struct frame out[FRAME_BATCH];

static uint32_t slow_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t pseudo_sum(const struct packet *p, const uint8_t *data, uint32_t l4_length)
{
	uint32_t sum = (p->shape.udp ? IPPROTO_UDP : IPPROTO_TCP) + l4_length;

	sum += p->shape.ipv6 ? slow_sum(data + p->l3 + 8, 32) : slow_sum(data + p->l3 + 12, 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Cuts the frame into pieces of odd sizes, as a guest might. */
static void scatter(struct packet *p, unsigned pieces)
{
	struct frame *f = &p->frame;
	uint32_t at = 0;

	f->iovs = 0;
	for (unsigned i = 0; i < pieces && at < p->length; i++) {
		uint32_t n = i + 1 == pieces ? p->length - at
					     : 1 + (uint32_t)rand() % (2 * p->length / pieces);

		n = MIN(n, p->length - at);
		f->iov[f->iovs++] = (struct iovec){ p->data + at, n };
		at += n;
	}
}

static void put_headers(struct packet *p)
{
	struct shape s = p->shape;
	uint8_t *ip = p->data + p->l3, *l4 = p->data + p->l4;
	uint8_t protocol = s.udp ? IPPROTO_UDP : IPPROTO_TCP;

	for (unsigned i = 0; i < s.vlans; i++)
		put_be32(p->data + 12 + 4 * i, 0x81000064 + i);
	put_be16(ip - 2, s.ipv6 ? 0x86dd : 0x0800);
	if (s.ipv6) {
		ip[0] = 0x60;
		put_be16(ip + 4, (uint16_t)(p->length - p->l3 - 40));
		ip[6] = s.ext ? IPPROTO_DSTOPTS : protocol;
		if (s.ext) {
			ip[40] = protocol;
			ip[41] = (uint8_t)(s.ext / 8 - 1);
		}
	} else {
		ip[0] = 0x45;
		put_be16(ip + 2, (uint16_t)(p->length - p->l3));
		put_be16(ip + 4, 0xfffe); /* so that the identification wraps */
		put_be16(ip + 6, 0x4000);
		ip[9] = protocol;
	}
	if (s.udp) {
		put_be16(l4 + 4, (uint16_t)(p->length - p->l4));
	} else {
		put_be32(l4 + 4, 0xffffff00); /* so that the sequence number wraps */
		l4[12] = (uint8_t)((20 + s.tcp_options) / 4 << 4);
		l4[13] = s.flags;
	}
}

static struct frame *build(struct shape s, unsigned pieces)
{
	struct packet *p = &packet;

	p->shape = s;
	p->l3 = ETH_HEADER + 4 * s.vlans;
	p->l4 = p->l3 + (s.ipv6 ? 40 + s.ext : 20);
	p->headers = p->l4 + (s.udp ? 8 : 20 + s.tcp_options);
	p->length = p->headers + s.payload;
	assert_true(p->length <= sizeof(p->data));
	for (uint32_t i = 0; i < p->length; i++)
		p->data[i] = (uint8_t)(rand() >> 5);
	put_headers(p);
	uint32_t field = p->l4 + (s.udp ? 6 : 16);
	put_be16(p->data + field, (uint16_t)pseudo_sum(p, p->data, p->length - p->l4));
	p->frame.hdr = (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)p->l4,
		.csum_offset = s.udp ? 6 : 16,
		.hdr_len = (uint16_t)p->headers,
		.gso_size = s.gso_size,
	};
	if (s.gso_size)
		p->frame.hdr.gso_type = s.udp	 ? VIRTIO_NET_HDR_GSO_UDP_L4
					: s.ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
						 : VIRTIO_NET_HDR_GSO_TCPV4;
	if (s.gso_size && (s.flags & CWR))
		p->frame.hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	p->frame.length = p->length;
	p->frame.queue = 3;
	scatter(p, pieces);
	return &p->frame;
}

static void flatten(const struct frame *f, uint8_t *data)
{
	assert_int_equal(frame_copy_out(f, 0, data, f->length), f->length);
}

static void assert_l4_checksum(const uint8_t *data, uint32_t length)
{
	uint32_t sum = pseudo_sum(&packet, data, length - packet.l4) +
		       slow_sum(data + packet.l4, length - packet.l4);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

static void assert_ip_header(const uint8_t *data, uint32_t length, unsigned segment)
{
	const uint8_t *ip = data + packet.l3;

	if (packet.shape.ipv6) {
		assert_int_equal(get_be16(ip + 4), length - packet.l3 - 40);
		return;
	}
	assert_int_equal(get_be16(ip + 2), length - packet.l3);
	assert_int_equal(get_be16(ip + 4), (uint16_t)(0xfffe + segment));
	assert_int_equal(get_be16(ip + 6), 0x4000);
	assert_int_equal(slow_sum(ip, 20), 0xffff);
}

static void assert_tcp_header(const uint8_t *data, uint32_t at, unsigned segment, bool last)
{
	const uint8_t *tcp = data + packet.l4;
	uint8_t want = packet.shape.flags;

	if (!last)
		want &= (uint8_t) ~(FIN | PSH);
	if (segment)
		want &= (uint8_t)~CWR;
	assert_int_equal(get_be32(tcp + 4), (uint32_t)(0xffffff00 + at));
	assert_int_equal(tcp[13], want);
	assert_memory_equal(tcp + 20, packet.data + packet.l4 + 20, packet.shape.tcp_options);
}

/* Walks the frame for a side that takes nothing and holds every segment against the packet. Returns how many. */
static unsigned check_segments(const struct frame *f, size_t room_size)
{
	static uint8_t data[FRAME_MAX];
	struct offload_walk w;
	uint32_t at = 0, payload = packet.length - packet.headers;
	unsigned segment = 0, n;

	assert_int_equal(frame_check(f), 0);
	assert_int_equal(offload_walk_begin(&w, f, 0, room, room_size), 0);
	while ((n = offload_walk_fill(&w, out, FRAME_BATCH)) > 0) {
		for (unsigned i = 0; i < n; i++, segment++) {
			uint32_t chunk = MIN((uint32_t)packet.shape.gso_size, payload - at);

			assert_int_equal(out[i].length, packet.headers + chunk);
			assert_int_equal(out[i].queue, 3);
			assert_int_equal(frame_needs(&out[i]), 0);
			flatten(&out[i], data);
			assert_memory_equal(data, packet.data, packet.l3); /* addresses and tags */
			assert_memory_equal(data + packet.headers,
					    packet.data + packet.headers + at, chunk);
			assert_ip_header(data, out[i].length, segment);
			if (packet.shape.udp)
				assert_int_equal(get_be16(data + packet.l4 + 4), 8 + chunk);
			else
				assert_tcp_header(data, at, segment, at + chunk == payload);
			assert_l4_checksum(data, out[i].length);
			at += chunk;
		}
	}
	assert_int_equal(at, payload);
	return segment;
}

static void a_64k_tcp_segment_becomes_right_packets_in_both_families(void **state)
{
	(void)state;
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++)
		for (unsigned vlans = 0; vlans < 3; vlans++)
			for (unsigned pieces = 1; pieces <= FRAME_IOV_MAX; pieces += 23) {
				struct shape s = { .ipv6 = ipv6,
						   .vlans = vlans,
						   .tcp_options = 12,
						   .payload = 65160,
						   .gso_size = 1448,
						   .flags = ACK | PSH | FIN };

				assert_int_equal(check_segments(build(s, pieces), ROOM), 45);
			}
}

static void a_large_udp_request_becomes_datagrams(void **state)
{
	(void)state;
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		struct shape s = {
			.ipv6 = ipv6, .udp = true, .vlans = ipv6, .payload = 60001, .gso_size = 1472
		};

		assert_int_equal(check_segments(build(s, 7), ROOM), 41);
	}
}

static void congestion_window_reduced_is_said_once(void **state)
{
	struct shape s = { .payload = 5000, .gso_size = 1000, .flags = ACK | CWR | PSH };

	(void)state;
	struct frame *f = build(s, 3);
	assert_int_equal(frame_needs(f), FRAME_CSUM | FRAME_TSO4 | FRAME_ECN);
	assert_int_equal(check_segments(f, ROOM), 5);
}

static void options_of_ipv6_stay_in_every_segment(void **state)
{
	struct shape s = {
		.ipv6 = true, .ext = 24, .payload = 9000, .gso_size = 1400, .flags = ACK
	};

	(void)state;
	assert_int_equal(check_segments(build(s, 5), ROOM), 7);
}

static void a_small_room_gives_the_same_packets_in_more_calls(void **state)
{
	struct shape s = { .payload = 60000, .gso_size = 1460, .flags = ACK };

	(void)state;
	assert_int_equal(check_segments(build(s, 9), FRAME_MAX), 42);
}

static void the_smallest_segments_are_many_and_end(void **state)
{
	struct shape s = { .payload = 65400, .gso_size = GSO_SIZE_MIN, .flags = ACK };

	(void)state;
	assert_int_equal(check_segments(build(s, 48), ROOM), 65400 / GSO_SIZE_MIN);
}

static void a_payload_shorter_than_a_segment_is_one_packet(void **state)
{
	struct shape s = { .payload = 100, .gso_size = 1460, .flags = ACK | PSH };

	(void)state;
	assert_int_equal(check_segments(build(s, 2), ROOM), 1);
	s.payload = 0;
	struct offload_walk w;
	assert_int_equal(offload_walk_begin(&w, build(s, 1), 0, room, ROOM), 0);
	assert_true(offload_walk_next(&w, out));
	assert_int_equal(out[0].length, packet.headers);
	assert_false(offload_walk_next(&w, out));
}

static void a_checksum_alone_is_filled_in(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		static uint8_t data[FRAME_MAX];
		struct shape s = { .ipv6 = i & 1,
				   .udp = i & 2,
				   .vlans = i >> 2 & 1,
				   .payload = 1 + i * 23,
				   .flags = ACK };
		struct frame *f = build(s, 1 + i % 5);
		struct offload_walk w;

		assert_int_equal(frame_needs(f), FRAME_CSUM);
		assert_int_equal(offload_walk_begin(&w, f, 0, room, ROOM), 0);
		assert_true(offload_walk_next(&w, out));
		flatten(&out[0], data);
		assert_int_equal(out[0].length, f->length);
		assert_l4_checksum(data, f->length);
		assert_false(offload_walk_next(&w, out));
	}
}

static void a_udp_checksum_is_never_zero(void **state)
{
	struct shape s = { .udp = true, .payload = 2 };
	static uint8_t data[FRAME_MAX];
	struct offload_walk w;

	(void)state;
	for (unsigned guess = 0; guess < 0x10000; guess++) {
		struct frame *f;

		if (guess == 0)
			f = build(s, 1);
		else
			f = &packet.frame;
		put_be16(packet.data + packet.headers, (uint16_t)guess);
		assert_int_equal(offload_walk_begin(&w, f, 0, room, ROOM), 0);
		assert_true(offload_walk_next(&w, out));
		flatten(&out[0], data);
		assert_int_not_equal(get_be16(data + packet.l4 + 6), 0);
	}
}

static void what_the_other_side_takes_is_handed_on_untouched(void **state)
{
	struct shape s = { .payload = 60000, .gso_size = 1460, .flags = ACK };
	struct offload_walk w;

	(void)state;
	struct frame *f = build(s, 9);
	assert_int_equal(offload_walk_begin(&w, f, FRAME_CSUM | FRAME_TSO4, room, ROOM), 0);
	assert_true(offload_walk_next(&w, out));
	assert_int_equal(out[0].iovs, f->iovs);
	assert_ptr_equal(out[0].iov[0].iov_base, packet.data);
	assert_memory_equal(&out[0].hdr, &f->hdr, sizeof(f->hdr));
	assert_int_equal(w.room_used, 0);
	assert_false(offload_walk_next(&w, out));
}

static void segments_for_a_driver_with_checksum_offload_are_marked_valid(void **state)
{
	struct shape s = { .payload = 4000, .gso_size = 1460, .flags = ACK };
	struct offload_walk w;

	(void)state;
	assert_int_equal(offload_walk_begin(&w, build(s, 9), FRAME_CSUM | FRAME_TSO6, room, ROOM),
			 0);
	assert_int_equal(offload_walk_fill(&w, out, FRAME_BATCH), 3);
	assert_int_equal(out[1].hdr.flags, VIRTIO_NET_HDR_F_DATA_VALID);
}

static void frames_of_one_call_share_the_room(void **state)
{
	struct shape s = { .payload = 4000, .gso_size = 1460, .flags = ACK };
	struct offload_walk w;

	(void)state;
	assert_int_equal(offload_walk_begin(&w, build(s, 9), 0, room, ROOM), 0);
	assert_int_equal(offload_walk_fill(&w, out, FRAME_BATCH), 3);
	assert_int_equal(w.room_used, 4000 + 3 * 54);
	assert_true((uint8_t *)out[1].iov[0].iov_base == room + out[0].length);
}

/* Headers that a guest could write to hurt us: refused by frame_check, without a look at the bytes. */
static void hostile_offload_fields_are_refused(void **state)
{
	static const struct {
		const char *what;
		struct virtio_net_hdr_v1 hdr;
		uint32_t length;
	} table[] = {
#define N VIRTIO_NET_HDR_F_NEEDS_CSUM
		{ "gso_size 0",
		  { .flags = N, .gso_type = 1, .gso_size = 0, .csum_start = 34, .csum_offset = 16 },
		  2000 },
		{ "gso_size 7",
		  { .flags = N, .gso_type = 1, .gso_size = 7, .csum_start = 34, .csum_offset = 16 },
		  2000 },
		{ "gso without csum",
		  { .gso_type = 1, .gso_size = 100, .csum_start = 34, .csum_offset = 16 },
		  2000 },
		{ "csum_start at end", { .flags = N, .csum_start = 2000, .csum_offset = 0 }, 2000 },
		{ "csum_start 65535",
		  { .flags = N, .csum_start = 65535, .csum_offset = 65535 },
		  2000 },
		{ "csum_offset outside",
		  { .flags = N, .csum_start = 34, .csum_offset = 1965 },
		  2000 },
		{ "csum_start in the MAC",
		  { .flags = N, .csum_start = 0, .csum_offset = 0 },
		  2000 },
		{ "hdr_len outside", { .hdr_len = 2001 }, 2000 },
		{ "TCP header outside",
		  { .flags = N,
		    .gso_type = 1,
		    .gso_size = 100,
		    .csum_start = 34,
		    .csum_offset = 16 },
		  53 },
		{ "no room for IPv6",
		  { .flags = N,
		    .gso_type = 4,
		    .gso_size = 100,
		    .csum_start = 34,
		    .csum_offset = 16 },
		  2000 },
		{ "TCP checksum elsewhere",
		  { .flags = N,
		    .gso_type = 1,
		    .gso_size = 100,
		    .csum_start = 34,
		    .csum_offset = 6 },
		  2000 },
		{ "UDP checksum elsewhere",
		  { .flags = N,
		    .gso_type = 5,
		    .gso_size = 100,
		    .csum_start = 34,
		    .csum_offset = 16 },
		  2000 },
		{ "UFO",
		  { .flags = N,
		    .gso_type = 3,
		    .gso_size = 100,
		    .csum_start = 34,
		    .csum_offset = 6 },
		  2000 },
		{ "ECN alone",
		  { .flags = N,
		    .gso_type = 0x80,
		    .gso_size = 100,
		    .csum_start = 34,
		    .csum_offset = 16 },
		  2000 },
		{ "ECN with UDP",
		  { .flags = N,
		    .gso_type = 0x85,
		    .gso_size = 100,
		    .csum_start = 34,
		    .csum_offset = 6 },
		  2000 },
		{ "unknown type",
		  { .flags = N,
		    .gso_type = 0x22,
		    .gso_size = 100,
		    .csum_start = 34,
		    .csum_offset = 16 },
		  2000 },
		{ "a runt", { .flags = 0 }, 13 },
		{ "longer than any frame", { .flags = 0 }, FRAME_MAX + 1 },
#undef N
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		struct frame f = { .hdr = table[i].hdr, .length = table[i].length };
		struct offload_walk w;

		if (frame_check(&f) != -EINVAL ||
		    offload_walk_begin(&w, &f, 0, room, ROOM) != -EINVAL)
			fail_msg("accepted: %s", table[i].what);
		assert_false(offload_walk_next(&w, out));
	}
}

static int begin_after_poke(struct shape s, uint32_t at, uint8_t value)
{
	struct frame *f = build(s, 1);
	struct offload_walk w;

	packet.data[at] = value;
	return offload_walk_begin(&w, f, 0, room, ROOM);
}

/* Fields that fit the frame while the frame's own headers say something else. */
static void headers_that_contradict_the_request_are_refused(void **state)
{
	const struct shape tcp4 = { .payload = 3000, .gso_size = 1000, .flags = ACK };
	const struct shape tcp6 = { .ipv6 = true, .payload = 3000, .gso_size = 1000, .flags = ACK };
	const struct shape opt6 = {
		.ipv6 = true, .ext = 8, .payload = 3000, .gso_size = 1000, .flags = ACK
	};

	(void)state;
	assert_int_equal(begin_after_poke(tcp4, 12, 0x08), 0);
	assert_int_equal(begin_after_poke(tcp4, 12, 0x86), -EINVAL); /* no IP at all */
	assert_int_equal(begin_after_poke(tcp4, 14, 0x55), -EINVAL); /* version */
	assert_int_equal(begin_after_poke(tcp4, 14, 0x44), -EINVAL); /* header of 16 bytes */
	assert_int_equal(begin_after_poke(tcp4, 14, 0x46),
			 -EINVAL); /* header ends behind csum_start */
	assert_int_equal(begin_after_poke(tcp4, 20, 0x20), -EINVAL); /* a fragment */
	assert_int_equal(begin_after_poke(tcp4, 23, 17), -EINVAL);   /* UDP */
	assert_int_equal(begin_after_poke(tcp4, 46, 0x40), -EINVAL); /* TCP header of 16 bytes */
	assert_int_equal(begin_after_poke(tcp6, 20, 17), -EINVAL);   /* next header */
	assert_int_equal(begin_after_poke(tcp6, 20, 44), -EINVAL);   /* a fragment header */
	assert_int_equal(begin_after_poke(tcp6, 20, 0), -EINVAL);    /* options where TCP begins */
	assert_int_equal(begin_after_poke(opt6, 54, 6), 0);
	assert_int_equal(begin_after_poke(opt6, 55, 1),
			 -EINVAL); /* options longer than csum_start says */
	assert_int_equal(begin_after_poke(opt6, 20, 43),
			 -EINVAL); /* a routing header: another pseudo header */
}

static void headers_longer_than_our_copy_are_refused(void **state)
{
	struct shape s = {
		.ipv6 = true, .ext = 200, .payload = 3000, .gso_size = 1000, .flags = ACK
	};
	struct offload_walk w;

	(void)state;
	struct frame *f = build(s, 3);
	assert_int_equal(frame_check(f), 0);
	assert_int_equal(offload_walk_begin(&w, f, 0, room, ROOM), -EINVAL);
	s.gso_size = 0; /* a checksum alone does not need to understand them */
	assert_int_equal(offload_walk_begin(&w, build(s, 3), 0, room, ROOM), 0);
}

static void a_segment_longer_than_ip_can_say_is_refused(void **state)
{
	struct shape s = { .payload = 65535 - 40, .gso_size = 65535, .flags = ACK };
	struct offload_walk w;

	(void)state;
	assert_int_equal(offload_walk_begin(&w, build(s, 3), 0, room, ROOM), 0);
	s.payload++;
	assert_int_equal(offload_walk_begin(&w, build(s, 3), 0, room, ROOM), -EINVAL);
}

static void a_room_that_is_too_small_is_refused(void **state)
{
	struct shape s = { .payload = 3000, .gso_size = 1000, .flags = ACK };
	struct offload_walk w;

	(void)state;
	assert_int_equal(offload_walk_begin(&w, build(s, 3), 0, room, 3000), -EINVAL);
}

static void pieces_shorter_than_the_length_end_the_walk(void **state)
{
	struct shape s = { .payload = 3000, .gso_size = 1000, .flags = ACK };
	struct offload_walk w;

	(void)state;
	struct frame *f = build(s, 1);
	f->iov[0].iov_len = 1500;
	assert_int_equal(offload_walk_begin(&w, f, 0, room, ROOM), 0);
	assert_int_equal(offload_walk_fill(&w, out, FRAME_BATCH), 1);
	assert_int_equal(offload_walk_fill(&w, out, FRAME_BATCH), 0);
}

static void bytes_are_copied_out_across_pieces(void **state)
{
	struct shape s = { .payload = 500, .flags = ACK };
	uint8_t data[600];

	(void)state;
	struct frame *f = build(s, 20);
	assert_int_equal(frame_copy_out(f, 0, data, sizeof(data)), f->length);
	assert_memory_equal(data, packet.data, f->length);
	assert_int_equal(frame_copy_out(f, 77, data, 100), 100);
	assert_memory_equal(data, packet.data + 77, 100);
	assert_int_equal(frame_copy_out(f, f->length, data, 100), 0);
	assert_int_equal(frame_copy_out(f, 1000000, data, 100), 0);
}

static void every_drop_reason_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		assert_string_not_equal(drop_reason_name((enum drop_reason)i), "?");
	assert_string_equal(drop_reason_name(DROP_NO_ACTIVE_NIC), "no_active_nic");
	assert_string_equal(drop_reason_name(DROP_REASON_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_64k_tcp_segment_becomes_right_packets_in_both_families),
		cmocka_unit_test(a_large_udp_request_becomes_datagrams),
		cmocka_unit_test(congestion_window_reduced_is_said_once),
		cmocka_unit_test(options_of_ipv6_stay_in_every_segment),
		cmocka_unit_test(a_small_room_gives_the_same_packets_in_more_calls),
		cmocka_unit_test(the_smallest_segments_are_many_and_end),
		cmocka_unit_test(a_payload_shorter_than_a_segment_is_one_packet),
		cmocka_unit_test(a_checksum_alone_is_filled_in),
		cmocka_unit_test(a_udp_checksum_is_never_zero),
		cmocka_unit_test(what_the_other_side_takes_is_handed_on_untouched),
		cmocka_unit_test(segments_for_a_driver_with_checksum_offload_are_marked_valid),
		cmocka_unit_test(frames_of_one_call_share_the_room),
		cmocka_unit_test(hostile_offload_fields_are_refused),
		cmocka_unit_test(headers_that_contradict_the_request_are_refused),
		cmocka_unit_test(headers_longer_than_our_copy_are_refused),
		cmocka_unit_test(a_segment_longer_than_ip_can_say_is_refused),
		cmocka_unit_test(a_room_that_is_too_small_is_refused),
		cmocka_unit_test(pieces_shorter_than_the_length_end_the_walk),
		cmocka_unit_test(bytes_are_copied_out_across_pieces),
		cmocka_unit_test(every_drop_reason_has_a_name),
	};
	srand(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
