/* Frames of a stream become one large segment, and only when segmentation makes the very same frames of it again. The builder
 * here knows nothing of coalesce.c; what takes joined frames apart is offload.c, which has its own tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "net/coalesce.h"
#include "net/csum.h"
#include "net/offload.h"

#define STREAM_MAX 64u
#define DATA_MAX   1600u

enum flag { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

struct shape {
	bool ipv6;
	bool partial; /* the checksum is still to be made */
	unsigned options;
	unsigned payload, last_payload;
	unsigned pieces;
};

static uint8_t data[STREAM_MAX][DATA_MAX];
static struct frame frames[STREAM_MAX];
static struct frame joined;
static uint8_t room[2 * FRAME_MAX];

static uint32_t l4_of(const uint8_t *p)
{
	return get_be16(p + 12) == 0x0800 ? 34 : 54;
}

/* The sum that the TCP checksum begins with. */
static uint32_t pseudo(const uint8_t *p, uint32_t length)
{
	uint32_t l4 = l4_of(p), sum = IPPROTO_TCP + length - l4;

	return l4 == 34 ? csum_add(sum, p + 26, 8, false) : csum_add(sum, p + 22, 32, false);
}

static void make_checksums(struct frame *f, uint8_t *p, bool partial)
{
	uint32_t l4 = l4_of(p);

	if (l4 == 34) {
		put_be16(p + 24, 0);
		put_be16(p + 24, csum_fold(csum_add(0, p + 14, 20, false)));
	}
	put_be16(p + l4 + 16, 0);
	uint32_t sum = pseudo(p, f->length);
	put_be16(p + l4 + 16, partial ? (uint16_t)~csum_fold(sum)
				      : csum_fold(csum_add(sum, p + l4, f->length - l4, false)));
	f->hdr = (struct virtio_net_hdr_v1){ 0 };
	if (partial)
		f->hdr = (struct virtio_net_hdr_v1){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
						     .csum_start = (uint16_t)l4,
						     .csum_offset = 16 };
}

static void scatter(struct frame *f, uint8_t *p, unsigned pieces)
{
	uint32_t at = 0;

	f->iovs = 0;
	for (unsigned i = 0; i < pieces; i++) {
		uint32_t n = i + 1 == pieces ? f->length - at : (f->length - at) / 3 + 1;
		f->iov[f->iovs++] = (struct iovec){ p + at, n };
		at += n;
	}
}

static void build(const struct shape *s, unsigned number, unsigned n)
{
	uint8_t *p = data[number], *ip = p + 14;
	uint32_t l4 = s->ipv6 ? 54 : 34, headers = l4 + 20 + s->options;
	uint32_t payload = number + 1 == n && s->last_payload ? s->last_payload : s->payload;
	struct frame *f = &frames[number];

	memset(p, 0, DATA_MAX);
	memcpy(p, "\x52\x54\0\0\0\1\x52\x54\0\0\0\2", 12);
	f->length = headers + payload;
	f->queue = 2;
	put_be16(p + 12, s->ipv6 ? 0x86dd : 0x0800);
	if (s->ipv6) {
		put_be32(ip, 0x60012345);
		put_be16(ip + 4, (uint16_t)(f->length - l4));
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		memset(ip + 8, 0x20, 32);
	} else {
		ip[0] = 0x45;
		put_be16(ip + 2, (uint16_t)(f->length - 14));
		put_be16(ip + 4, (uint16_t)(0xfffd + number)); /* wraps */
		put_be16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		put_be32(ip + 12, 0x0a000001);
		put_be32(ip + 16, 0x0a000002);
	}
	uint8_t *tcp = p + l4;
	put_be32(tcp, 0x9c401389);
	put_be32(tcp + 4, 0xfffff000 + number * s->payload); /* wraps */
	put_be32(tcp + 8, 77);
	tcp[12] = (uint8_t)((20 + s->options) / 4 << 4);
	tcp[13] = (uint8_t)(ACK | (number + 1 == n ? PSH : 0));
	put_be16(tcp + 14, 500);
	memset(tcp + 20, 1, s->options);
	for (uint32_t i = headers; i < f->length; i++)
		p[i] = (uint8_t)(rand() >> 7);
	make_checksums(f, p, s->partial);
	scatter(f, p, s->pieces);
}

static void build_stream(const struct shape *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		build(s, i, n);
}

/* As the frame is on the wire: what is still to be made is made. 0 and 0xffff are the same checksum. */
static void on_wire(const struct frame *f, uint8_t *to)
{
	assert_int_equal(frame_copy_out(f, 0, to, DATA_MAX), f->length);
	if (f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		uint32_t start = f->hdr.csum_start;
		put_be16(to + start + 16,
			 csum_fold(csum_add(0, to + start, f->length - start, false)));
	}
	uint8_t *field = to + l4_of(to) + 16;
	if (get_be16(field) == 0xffff)
		put_be16(field, 0);
}

/* Takes `joined` apart and holds it against frames[first] and what comes behind. */
static void assert_same_frames(unsigned first, unsigned count)
{
	static uint8_t seen[DATA_MAX], wanted[DATA_MAX];
	struct offload_walk w;
	struct frame out;
	unsigned n = 0;

	assert_int_equal(frame_check(&joined), 0);
	assert_true(frame_pieces_match(&joined));
	assert_int_equal(joined.queue, 2);
	assert_int_equal(offload_walk_begin(&w, &joined, 0, room, sizeof(room)), 0);
	for (; offload_walk_next(&w, &out); n++) {
		assert_in_range(n, 0, count - 1);
		on_wire(&out, seen);
		on_wire(&frames[first + n], wanted);
		assert_int_equal(out.length, frames[first + n].length);
		assert_memory_equal(seen, wanted, out.length);
	}
	assert_int_equal(n, count);
}

static void a_stream_becomes_one_frame_that_gives_it_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		struct shape s = { .ipv6 = i & 1,
				   .partial = i & 2,
				   .options = i & 4 ? 12 : 0,
				   .payload = i & 8 ? 1448 : 600,
				   .last_payload = i & 16 ? 77 : 0,
				   .pieces = i & 32 ? 3 : 1 };
		build_stream(&s, 14);
		assert_int_equal(coalesce(frames, 14, FRAME_OFFLOADS_ALL, &joined), 14);
		assert_int_equal(frame_needs(&joined),
				 FRAME_CSUM | (s.ipv6 ? FRAME_TSO6 : FRAME_TSO4));
		assert_same_frames(0, 14);
	}
}

static void finished_and_unfinished_checksums_go_together(void **state)
{
	struct shape s = { .payload = 1000, .pieces = 1 };

	(void)state;
	build_stream(&s, 4);
	make_checksums(&frames[2], data[2], true);
	assert_int_equal(coalesce(frames, 4, FRAME_OFFLOADS_ALL, &joined), 4);
	assert_same_frames(0, 4);
}

static void what_a_receiver_does_not_take_is_not_made(void **state)
{
	struct shape s = { .payload = 1000, .pieces = 1 };

	(void)state;
	build_stream(&s, 4);
	assert_int_equal(coalesce(frames, 4, 0, &joined), 0);
	assert_int_equal(coalesce(frames, 4, FRAME_CSUM, &joined), 0);
	assert_int_equal(coalesce(frames, 4, FRAME_TSO4, &joined), 0);
	assert_int_equal(coalesce(frames, 4, FRAME_CSUM | FRAME_TSO6, &joined), 0);
	assert_int_equal(coalesce(frames, 4, FRAME_CSUM | FRAME_TSO4, &joined), 4);
	s.ipv6 = true;
	build_stream(&s, 4);
	assert_int_equal(coalesce(frames, 4, FRAME_CSUM | FRAME_TSO4, &joined), 0);
	assert_int_equal(coalesce(frames, 4, FRAME_CSUM | FRAME_TSO6, &joined), 4);
}

static void one_frame_or_none_is_no_stream(void **state)
{
	struct shape s = { .payload = 1000, .pieces = 1 };

	(void)state;
	build_stream(&s, 2);
	assert_int_equal(coalesce(frames, 0, FRAME_OFFLOADS_ALL, &joined), 0);
	assert_int_equal(coalesce(frames, 1, FRAME_OFFLOADS_ALL, &joined), 0);
}

static void a_joined_frame_is_never_longer_than_ip_allows(void **state)
{
	(void)state;
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		struct shape s = { .ipv6 = ipv6, .payload = 1500, .options = 12, .pieces = 1 };
		build_stream(&s, 48);
		unsigned n = coalesce(frames, 48, FRAME_OFFLOADS_ALL, &joined);
		assert_int_equal(n, 43); /* 43 * 1500 bytes and the headers fit 65535, 44 do not */
		assert_same_frames(0, n);
	}
}

static void a_joined_frame_has_no_more_pieces_than_a_frame_may(void **state)
{
	struct shape s = { .payload = 600, .pieces = 3 };

	(void)state;
	build_stream(&s, 40);
	unsigned n = coalesce(frames, 40, FRAME_OFFLOADS_ALL, &joined);
	assert_int_equal(n, (FRAME_IOV_MAX - 1) / 3);
	assert_same_frames(0, n);
}

/* --- what ends a stream --- */

static void set_flags(unsigned i, uint8_t flags)
{
	data[i][l4_of(data[i]) + 13] = flags;
}

/* Changes frame 2 of 5; `stays` is how many are joined then. Checksums are made right afterwards, unless `bad`. */
struct change {
	const char *what;
	unsigned stays;
	int at; /* this byte gets another bit; -1: `flags` */
	uint8_t flags;
	bool bad;
};

static const struct change changes[] = {
	{ "another destination address of Ethernet", 2, .at = 5 },
	{ "another protocol", 2, .at = 13 },
	{ "another type of service", 2, .at = 15 },
	{ "another length", 2, .at = 17 },
	{ "another identification", 2, .at = 19 },
	{ "fragments", 2, .at = 20 },
	{ "a fragment", 2, .at = 21 },
	{ "another time to live", 2, .at = 22 },
	{ "UDP", 2, .at = 23 },
	{ "a wrong IP checksum", 2, .at = 24, .bad = true },
	{ "another source", 2, .at = 29 },
	{ "another destination", 2, .at = 33 },
	{ "another port", 2, .at = 35 },
	{ "another sequence number", 2, .at = 41 },
	{ "another acknowledgement", 2, .at = 45 },
	{ "reserved bits", 2, .at = 46 },
	{ "another window", 2, .at = 49 },
	{ "a wrong TCP checksum", 2, .at = 50, .bad = true },
	{ "an urgent pointer", 2, .at = 53 },
	{ "another option", 2, .at = 60 },
	{ "damaged data", 2, .at = 700, .bad = true },
	{ "PSH", 3, .at = -1, .flags = ACK | PSH },
	{ "FIN", 3, .at = -1, .flags = ACK | FIN },
	{ "SYN", 2, .at = -1, .flags = ACK | SYN },
	{ "RST", 2, .at = -1, .flags = ACK | RST },
	{ "URG", 2, .at = -1, .flags = ACK | URG },
	{ "ECE", 2, .at = -1, .flags = ACK | ECE },
	{ "CWR", 2, .at = -1, .flags = ACK | CWR },
	{ "no ACK", 2, .at = -1, .flags = 0 },
};

static void whatever_segmentation_would_not_give_back_ends_the_stream(void **state)
{
	const struct shape s = { .payload = 1000, .options = 12, .pieces = 2 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];
		build_stream(&s, 5);
		if (c->at >= 0)
			data[2][c->at] ^= c->at == 46 ? 2 : c->at == 20 ? 0x20 : 1;
		else
			set_flags(2, c->flags);
		if (!c->bad && c->at != 13)
			make_checksums(&frames[2], data[2], false);
		unsigned n = coalesce(frames, 5, FRAME_OFFLOADS_ALL, &joined);
		if (n != c->stays)
			fail_msg("%s: %u frames were joined, not %u", c->what, n, c->stays);
		assert_same_frames(0, n);
	}
}

static void the_first_frame_must_be_as_good_as_the_others(void **state)
{
	const struct shape s = { .payload = 1000, .options = 12, .pieces = 2 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];
		if (!c->bad && c->at >= 0)
			continue;
		build_stream(&s, 5);
		if (c->at >= 0)
			data[0][c->at] ^= 1;
		else
			set_flags(0, c->flags);
		if (!c->bad)
			make_checksums(&frames[0], data[0], false);
		if (coalesce(frames, 5, FRAME_OFFLOADS_ALL, &joined))
			fail_msg("%s: joined all the same", c->what);
	}
}

static void a_shorter_segment_is_the_last_and_a_longer_one_begins_anew(void **state)
{
	struct shape s = { .payload = 1000, .pieces = 1 }, other = s;

	(void)state;
	build_stream(&s, 5);
	other.payload = 999;
	build(&other, 2, 5);
	put_be32(data[2] + 38, 0xfffff000 + 2000);
	make_checksums(&frames[2], data[2], false);
	assert_int_equal(coalesce(frames, 5, FRAME_OFFLOADS_ALL, &joined), 3);
	assert_same_frames(0, 3);
	other.payload = 1001;
	build(&other, 2, 5);
	put_be32(data[2] + 38, 0xfffff000 + 2000);
	make_checksums(&frames[2], data[2], false);
	assert_int_equal(coalesce(frames, 5, FRAME_OFFLOADS_ALL, &joined), 2);
	assert_same_frames(0, 2);
}

static void padding_and_acknowledgements_go_alone(void **state)
{
	struct shape s = { .payload = 1000, .pieces = 1 };

	(void)state;
	build_stream(&s, 3);
	frames[1].length++; /* a byte behind the packet */
	frames[1].iov[0].iov_len++;
	assert_int_equal(coalesce(frames, 3, FRAME_OFFLOADS_ALL, &joined), 0);
	build_stream(&s, 3);
	frames[1].length = 54; /* no data at all */
	frames[1].iov[0].iov_len = 54;
	put_be16(data[1] + 16, 40);
	make_checksums(&frames[1], data[1], false);
	assert_int_equal(coalesce(frames, 3, FRAME_OFFLOADS_ALL, &joined), 0);
}

static void other_queues_and_large_segments_stay_apart(void **state)
{
	struct shape s = { .payload = 1000, .partial = true, .pieces = 1 };

	(void)state;
	build_stream(&s, 4);
	frames[2].queue = 1;
	assert_int_equal(coalesce(frames, 4, FRAME_OFFLOADS_ALL, &joined), 2);
	build_stream(&s, 4);
	frames[2].hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	frames[2].hdr.gso_size = 500;
	assert_int_equal(coalesce(frames, 4, FRAME_OFFLOADS_ALL, &joined), 2);
	frames[0].hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	assert_int_equal(coalesce(frames, 4, FRAME_OFFLOADS_ALL, &joined), 0);
}

static void a_checksum_to_be_made_elsewhere_stays_apart(void **state)
{
	struct shape s = { .payload = 1000, .partial = true, .pieces = 1 };

	(void)state;
	build_stream(&s, 4);
	frames[2].hdr.csum_offset = 18;
	assert_int_equal(coalesce(frames, 4, FRAME_OFFLOADS_ALL, &joined), 2);
	build_stream(&s, 4);
	data[2][51] ^= 1; /* not the pseudo header's sum: the wire would see a wrong checksum */
	assert_int_equal(coalesce(frames, 4, FRAME_OFFLOADS_ALL, &joined), 2);
}

/* Any header, any cut: whatever is joined gives back the frames that went in. */
static void whatever_is_joined_comes_apart_again(void **state)
{
	unsigned together = 0;

	(void)state;
	srand(1);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned n = 2 + (unsigned)rand() % 8;
		struct shape s = { .ipv6 = rand() & 1,
				   .partial = rand() & 1,
				   .options = (unsigned)(rand() & 3) * 4,
				   .payload = 480 + (unsigned)rand() % 1000,
				   .last_payload = rand() & 1 ? 1 + (unsigned)rand() % 400 : 0,
				   .pieces = 1 + (unsigned)rand() % 4 };
		build_stream(&s, n);
		for (unsigned k = (unsigned)rand() % 4; k > 0; k--) {
			unsigned i = (unsigned)rand() % n;
			data[i][rand() % 100] ^= (uint8_t)(1u << rand() % 8);
			if (rand() & 1 && get_be16(data[i] + 12) == (s.ipv6 ? 0x86dd : 0x0800))
				make_checksums(&frames[i], data[i], s.partial);
		}
		for (unsigned at = 0, got; at < n; at += MAX(got, 1u)) {
			got = coalesce(frames + at, n - at, FRAME_OFFLOADS_ALL, &joined);
			if (got)
				assert_same_frames(at, got);
			together += got;
		}
	}
	assert_in_range(together, 20000, 200000); /* it was no empty test */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_becomes_one_frame_that_gives_it_back),
		cmocka_unit_test(finished_and_unfinished_checksums_go_together),
		cmocka_unit_test(what_a_receiver_does_not_take_is_not_made),
		cmocka_unit_test(one_frame_or_none_is_no_stream),
		cmocka_unit_test(a_joined_frame_is_never_longer_than_ip_allows),
		cmocka_unit_test(a_joined_frame_has_no_more_pieces_than_a_frame_may),
		cmocka_unit_test(whatever_segmentation_would_not_give_back_ends_the_stream),
		cmocka_unit_test(the_first_frame_must_be_as_good_as_the_others),
		cmocka_unit_test(a_shorter_segment_is_the_last_and_a_longer_one_begins_anew),
		cmocka_unit_test(padding_and_acknowledgements_go_alone),
		cmocka_unit_test(other_queues_and_large_segments_stay_apart),
		cmocka_unit_test(a_checksum_to_be_made_elsewhere_stays_apart),
		cmocka_unit_test(whatever_is_joined_comes_apart_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
