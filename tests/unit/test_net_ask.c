/* Questions to a host about its own address, what tells that address, and what is an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "net/ask.h"
#include "net/csum.h"
#include "net/headers.h"

static const uint8_t host[MAC_LEN] = { 0x52, 0x54, 0, 1, 2, 3 };
static const uint8_t other[MAC_LEN] = { 0x52, 0x54, 0, 1, 2, 4 };
static const uint8_t ipv4[] = { 10, 7, 0, 2 };
static const uint8_t ipv6[] = { 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 };

static uint8_t bytes[128];

/* A frame for `to` with an address at byte `at` of what is behind Ethernet's header. */
static struct frame made(const uint8_t *to, uint16_t ethertype, size_t at, const uint8_t *address,
			 size_t size, size_t length)
{
	struct frame f;

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, to, MAC_LEN);
	put_be16(bytes + ETHERTYPE_AT, ethertype);
	memcpy(bytes + ETH_HEADER + at, address, size);
	frame_set_linear(&f, bytes, length);
	return f;
}

static void an_address_is_learnt_from_what_is_for_the_host_alone(void **state)
{
	static const uint8_t everybody[MAC_LEN] = { 255, 255, 255, 255, 255, 255 };
	static const uint8_t none[16];
	static const struct {
		const uint8_t *to;
		uint16_t ethertype;
		size_t at;
		const uint8_t *address;
		size_t size, length;
		uint16_t learnt;
	} row[] = {
		{ host, ETHERTYPE_IPV4, IPV4_DEST, ipv4, 4, 60, ETHERTYPE_IPV4 },
		{ host, ETHERTYPE_IPV4, IPV4_DEST, ipv4, 4, 34, ETHERTYPE_IPV4 },
		{ host, ETHERTYPE_IPV4, IPV4_DEST, ipv4, 4, 33, 0 }, /* too short */
		{ host, ETHERTYPE_IPV4, IPV4_DEST, none, 4, 60, 0 },
		{ other, ETHERTYPE_IPV4, IPV4_DEST, ipv4, 4, 60, 0 },
		{ everybody, ETHERTYPE_IPV4, IPV4_DEST, ipv4, 4, 60, 0 },
		{ host, ETHERTYPE_IPV6, IPV6_DEST, ipv6, 16, 60, ETHERTYPE_IPV6 },
		{ host, ETHERTYPE_IPV6, IPV6_DEST, ipv6, 16, 53, 0 },
		{ host, ETHERTYPE_IPV6, IPV6_DEST, none, 16, 60, 0 },
		{ host, ETHERTYPE_ARP, 24, ipv4, 4, 60, ETHERTYPE_IPV4 },
		{ host, ETHERTYPE_ARP, 24, ipv4, 4, 41, 0 },
		{ everybody, ETHERTYPE_ARP, 24, ipv4, 4, 60, 0 }, /* about somebody else, often */
		{ host, ETHERTYPE_VLAN, IPV4_DEST, ipv4, 4, 60, 0 },
		{ host, ETHERTYPE_IPV4, IPV4_DEST, ipv4, 4, 3, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		struct ask_whose who = { 0 };
		struct frame f = made(row[i].to, row[i].ethertype, row[i].at, row[i].address,
				      row[i].size, row[i].length);

		assert_int_equal(ask_learn(&who, &f, host), row[i].learnt != 0);
		assert_int_equal(who.ethertype, row[i].learnt);
		if (row[i].learnt)
			assert_memory_equal(who.address, row[i].address, row[i].size);
	}
}

static void a_frame_that_tells_nothing_forgets_nothing(void **state)
{
	struct ask_whose who = { .ethertype = ETHERTYPE_IPV4, .address = { 10, 7, 0, 2 } };
	struct frame f = made(other, ETHERTYPE_IPV6, IPV6_DEST, ipv6, 16, 60);

	(void)state;
	assert_false(ask_learn(&who, &f, host));
	assert_int_equal(who.ethertype, ETHERTYPE_IPV4);
	assert_memory_equal(who.address, ipv4, 4);
}

static void an_ipv4_host_is_asked_by_arp_that_tells_nobody_an_address(void **state)
{
	static const uint8_t question[42] = { 0x52, 0x54, 0, 1, 2, 3,  0x56, 0x54, 0, 1, 2,
					      3,    8,	  6, 0, 1, 8,  0,    6,	   4, 0, 1,
					      0x56, 0x54, 0, 1, 2, 3,  0,    0,	   0, 0, 0,
					      0,    0,	  0, 0, 0, 10, 7,    0,	   2 };
	struct ask_whose who = { .ethertype = ETHERTYPE_IPV4, .address = { 10, 7, 0, 2 } };
	struct frame f;
	uint8_t seen[FRAME_MIN];

	(void)state;
	ask_question(&f, &who, host);
	assert_int_equal(frame_copy_out(&f, 0, seen, sizeof(seen)), FRAME_MIN);
	assert_int_equal(f.length, FRAME_MIN);
	assert_memory_equal(seen, question, sizeof(question));
	assert_false(ask_is_answer(&f, &who));
	assert_false(ask_is_for_asker(&f, host));
}

static void an_ipv6_host_is_asked_by_a_neighbour_solicitation(void **state)
{
	static const uint8_t source[] = { 0xfe, 0x80, 0, 0,    0,    0, 0, 0,
					  0x54, 0x54, 0, 0xff, 0xfe, 1, 2, 3 };
	struct ask_whose who = { .ethertype = ETHERTYPE_IPV6 };
	struct frame f;
	uint8_t p[86];

	(void)state;
	memcpy(who.address, ipv6, 16);
	ask_question(&f, &who, host);
	assert_int_equal(f.length, sizeof(p));
	frame_copy_out(&f, 0, p, sizeof(p));
	assert_int_equal(get_be16(p + 12), ETHERTYPE_IPV6);
	assert_int_equal(p[14 + 7], 255); /* or it is dropped: RFC 4861 7.1.1 */
	assert_memory_equal(p + 22, source, 16);
	assert_memory_equal(p + 38, ipv6, 16);
	assert_int_equal(p[54], 135);
	assert_memory_equal(p + 62, ipv6, 16);
	assert_memory_equal(p + 80, p + 6, 6); /* its source link-layer address */
	/* pseudo header: addresses, length, next header */
	assert_int_equal(csum_fold(csum_add(32 + 58, p + 22, 64, false)), 0);
	assert_false(ask_is_answer(&f, &who));
}

static void only_the_host_s_word_about_the_address_is_an_answer(void **state)
{
	static const uint8_t asker[MAC_LEN] = { 0x56, 0x54, 0, 1, 2, 3 };
	struct ask_whose four = { .ethertype = ETHERTYPE_IPV4, .address = { 10, 7, 0, 2 } };
	struct ask_whose six = { .ethertype = ETHERTYPE_IPV6 };

	(void)state;
	memcpy(six.address, ipv6, 16);
	struct frame f = made(asker, ETHERTYPE_ARP, 14, ipv4, 4, 60);
	assert_true(ask_is_for_asker(&f, host));
	assert_false(ask_is_for_asker(&f, other));
	assert_false(ask_is_answer(&f, &four)); /* no operation */
	bytes[ETH_HEADER + 7] = 2;
	assert_true(ask_is_answer(&f, &four));
	assert_false(ask_is_answer(&f, &six));
	bytes[ETH_HEADER + 17] = 3;
	assert_false(ask_is_answer(&f, &four)); /* of another address */

	f = made(asker, ETHERTYPE_IPV6, IPV6_HEADER + 8, ipv6, 16, 78);
	bytes[ETH_HEADER + IPV6_NEXT] = 58;
	assert_false(ask_is_answer(&f, &six));
	bytes[ETH_HEADER + IPV6_HEADER] = 136;
	assert_true(ask_is_answer(&f, &six));
	assert_false(ask_is_answer(&f, &four));
	bytes[ETH_HEADER + IPV6_NEXT] = PROTO_UDP;
	assert_false(ask_is_answer(&f, &six));

	frame_set_linear(&f, bytes, 5);
	assert_false(ask_is_for_asker(&f, host));
	assert_false(ask_is_answer(&f, &four));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_learnt_from_what_is_for_the_host_alone),
		cmocka_unit_test(a_frame_that_tells_nothing_forgets_nothing),
		cmocka_unit_test(an_ipv4_host_is_asked_by_arp_that_tells_nobody_an_address),
		cmocka_unit_test(an_ipv6_host_is_asked_by_a_neighbour_solicitation),
		cmocka_unit_test(only_the_host_s_word_about_the_address_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
