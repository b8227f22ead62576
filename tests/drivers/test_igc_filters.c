/* I225 and I226: which frames come in, and to which queue. */
#include "igc_help.h"

#define QUEUE_BIT BIT(31)

static int say(struct igc_driver *d, const uint8_t *f, size_t len)
{
	machine_say(d->m, f, len);
	return igc_take_any(d);
}

/* TCP or UDP to a port, from a port; with `tag` if it is not 0. Returns the length. */
static size_t flow(uint8_t *f, uint8_t protocol, uint16_t from, uint16_t to, uint16_t tag)
{
	size_t len = ip_frame(f, card_mac, protocol, 40);

	put_be16(f + 34, from);
	put_be16(f + 36, to);
	fill_checksums(f, len);
	if (!tag)
		return len;
	memmove(f + 16, f + 12, len - 12);
	put_be32(f + 12, 0x81000000u | tag);
	return len + 4;
}

/* --- in or out --- */

static void only_its_own_addresses_come_in(void **state)
{
	struct igc_driver *d = *state;
	uint8_t group[6] = { 0x01, 0, 0x5e, 0, 0, 0xfb };
	uint32_t bit = (0xfb00u >> 4 | 0) & 0xfff;

	igc_open(d);
	assert_int_equal(say(d, frame_to(card_mac, 60, 1), 60), 0);
	assert_int_equal(say(d, frame_to(all, 60, 1), 60), 0);
	assert_int_equal(say(d, frame_to(other, 60, 1), 60), -1);
	assert_int_equal(say(d, frame_to(group, 60, 1), 60), -1);
	igc_w(d, IGC_MTA + 4 * (bit / 32), 1u << (bit % 32));
	assert_int_equal(say(d, frame_to(group, 60, 1), 60), 0);
	igc_w(d, IGC_RAL + 8 * 15, 0x00000002); /* the last entry: 02:00:00:00:00:99 */
	igc_w(d, IGC_RAH + 8 * 15, BIT(31) | 0x9900);
	assert_int_equal(say(d, frame_to(other, 60, 1), 60), 0);
	igc_w(d, IGC_RAH + 8 * 15, 0);
	igc_w(d, IGC_RCTL, igc_r(d, IGC_RCTL) | BIT(3));
	assert_int_equal(say(d, frame_to(other, 60, 1), 60), 0);
	assert_int_equal(d->m->nic->counters.drop[DROP_FILTERED], 2);
}

static void VLANs_that_nobody_joined_stay_out(void **state)
{
	struct igc_driver *d = *state;
	uint8_t f[200];
	size_t len = flow(f, 17, 1, 2, 5);

	igc_open(d);
	igc_w(d, IGC_RCTL, igc_r(d, IGC_RCTL) | BIT(18));
	assert_int_equal(say(d, f, len), -1);
	igc_w(d, IGC_VFTA, BIT(5));
	assert_int_equal(say(d, f, len), 0);
	len = flow(f, 17, 1, 2, 0);
	assert_int_equal(say(d, f, len), 0);
}

static void a_receiver_that_is_off_takes_nothing(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_w(d, IGC_RCTL, 0);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 60, 1), 60), 1);
	assert_int_equal(igc_take_any(d), -1);
	assert_int_equal(d->m->nic->counters.drop[DROP_RX_DISABLED], 1);
}

/* --- which queue --- */

static void an_address_chooses_its_queue(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_w(d, IGC_RAL + 8, 0x00000002);
	igc_w(d, IGC_RAH + 8, BIT(31) | BIT(28) | 3u << 18 | 0x9900);
	assert_int_equal(say(d, frame_to(other, 60, 1), 60), 3);
	igc_w(d, IGC_RAH + 8, BIT(31) | 3u << 18 | 0x9900); /* QSEL_ENABLE is off */
	assert_int_equal(say(d, frame_to(other, 60, 1), 60), 0);
}

static void a_source_address_chooses_its_queue_too(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	/* frame_to says that they come from 02:00:00:00:00:99 */
	igc_w(d, IGC_RAL + 16, 0x00000002);
	igc_w(d, IGC_RAH + 16, BIT(31) | BIT(28) | BIT(16) | 2u << 18 | 0x9900);
	assert_int_equal(say(d, frame_to(all, 60, 1), 60), 2);
	assert_int_equal(say(d, frame_to(other, 60, 1), 60), 2);
}

static void an_ethertype_chooses_its_queue(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_w(d, IGC_ETQF + 4 * 3, BIT(26) | QUEUE_BIT | 2u << 16 | 0x88b5);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	struct igc_received r = igc_take(d, 2);
	assert_true(r.there);
	assert_int_equal(r.type, 0x8000 | 3 << 4); /* which filter it was */
	igc_w(d, IGC_ETQF + 4 * 3, BIT(26) | 2u << 16 | 0x88b5);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(igc_take(d, 0).type, 0x8000 | 3 << 4); /* marked, not moved */
	igc_w(d, IGC_ETQF + 4 * 3, 2u << 16 | 0x88b5);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(igc_take(d, 0).type, 0);
}

static void a_VLAN_priority_chooses_its_queue(void **state)
{
	struct igc_driver *d = *state;
	uint8_t f[200];

	igc_open(d);
	igc_w(d, IGC_VLANPQF, (8u | 3) << (4 * 5)); /* priority 5 to queue 3 */
	assert_int_equal(say(d, f, flow(f, 17, 1, 2, 5u << 13 | 9)), 3);
	assert_int_equal(say(d, f, flow(f, 17, 1, 2, 4u << 13 | 9)), 0);
	assert_int_equal(say(d, f, flow(f, 17, 1, 2, 0)), 0);
}

static void a_port_and_protocol_choose_their_queue(void **state)
{
	struct igc_driver *d = *state;
	uint8_t f[200];

	igc_open(d);
	igc_w(d, IGC_IMIR, 0x5000);		   /* port 80 as it lies in the frame */
	igc_w(d, IGC_IMIREXT, BIT(12) | BIT(19));  /* any size, any flags */
	igc_w(d, IGC_TTQF, 2u << 16 | BIT(8) | 6); /* TCP to queue 2 */
	assert_int_equal(say(d, f, flow(f, 6, 9, 80, 0)), 2);
	assert_int_equal(say(d, f, flow(f, 6, 9, 81, 0)), 0);
	assert_int_equal(say(d, f, flow(f, 17, 9, 80, 0)), 0);
	igc_w(d, IGC_TTQF, 2u << 16 | BIT(28) | BIT(8)); /* any protocol */
	assert_int_equal(say(d, f, flow(f, 17, 9, 80, 0)), 2);
	/* a better filter wins, wherever it stands */
	igc_w(d, IGC_IMIR + 4, 7u << 29 | BIT(17));
	igc_w(d, IGC_IMIREXT + 4, BIT(12) | BIT(19));
	igc_w(d, IGC_TTQF + 4, 1u << 16 | BIT(8) | 17);
	assert_int_equal(say(d, f, flow(f, 17, 9, 80, 0)), 1);
}

static void the_first_packet_of_a_connection_has_a_queue(void **state)
{
	struct igc_driver *d = *state;
	uint8_t f[200];
	size_t len = flow(f, 6, 9, 80, 0);

	igc_open(d);
	igc_w(d, IGC_SYNQF, 3u << 1 | 1);
	assert_int_equal(say(d, f, len), 0);
	f[47] = 0x02; /* SYN */
	assert_int_equal(say(d, f, len), 3);
	f[47] = 0x12; /* SYN and ACK: an answer */
	assert_int_equal(say(d, f, len), 0);
}

/* Filter `n` wants `byte` at `at`. */
static void set_flex(struct igc_driver *d, unsigned n, unsigned at, uint8_t byte, uint32_t control)
{
	uint32_t base = n % 8 < 4 ? IGC_FHFT + n % 8 * 256 : 0x9a00 + (n % 8 - 4) * 256;
	uint32_t row = base + at / 8 * 16;

	igc_w(d, IGC_FHFTSL, n / 8);
	igc_w(d, row + at % 8 / 4 * 4, (uint32_t)byte << (8 * (at % 4)));
	igc_w(d, row + 8, 1u << (at % 8));
	igc_w(d, base + 252, control);
}

static void flex_filters_choose_drop_and_hurry(void **state)
{
	struct igc_driver *d = *state;
	const uint8_t *f = frame_to(card_mac, 100, 0);

	igc_open(d);
	set_flex(d, 6, 21, 21, 64 | 2u << 8);
	igc_w(d, IGC_WUFC, BIT(14) | BIT(16 + 6));
	assert_int_equal(say(d, f, 100), 2);
	set_flex(d, 30, 22, 22, 64 | 1u << 8 | 5u << 16); /* a better one of the last table */
	igc_w(d, IGC_WUFC_EXT, BIT(30));
	assert_int_equal(say(d, f, 100), 1);
	igc_w(d, IGC_FHFTSL, 0); /* the tables do not mix */
	assert_int_equal(igc_r(d, 0x9a00 + 2 * 256 + 252), 64 | 2u << 8);
	set_flex(d, 30, 22, 23, 64 | 1u << 8 | 5u << 16); /* no match any more */
	assert_int_equal(say(d, f, 100), 2);
	set_flex(d, 6, 21, 21, 64 | BIT(25));
	assert_int_equal(say(d, f, 100), -1);
	igc_w(d, IGC_WUFC, BIT(16 + 6)); /* filters to queues are off */
	assert_int_equal(say(d, f, 100), 0);
}

static void a_flex_filter_longer_than_the_frame_does_not_match(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	set_flex(d, 0, 0, 0x52, 128 | 2u << 8);
	igc_w(d, IGC_WUFC, BIT(14) | BIT(16));
	assert_int_equal(say(d, frame_to(card_mac, 100, 0), 100), 0);
	assert_int_equal(say(d, frame_to(card_mac, 128, 0), 128), 2);
	set_flex(d, 0, 0, 0x52, 255 | 2u << 8); /* cut to the 128 bytes that there are */
	assert_int_equal(say(d, frame_to(card_mac, 128, 0), 128), 2);
	set_flex(d, 0, 0, 0x52, 0 | 2u << 8);
	assert_int_equal(say(d, frame_to(card_mac, 128, 0), 128), 0);
}

/* The key and the first IPv4 row of Microsoft's verification suite: 66.9.149.187:2794 to 161.142.100.80:1766. */
static void flows_spread_by_their_hash(void **state)
{
	static const uint8_t key[40] = {
		0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
		0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
		0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa
	};
	struct igc_driver *d = *state;
	uint8_t f[200];
	size_t len = ip_frame(f, card_mac, 6, 10);
	bool seen[IGC_DRIVER_QUEUES] = { 0 };

	igc_open(d);
	igc_w(d, IGC_RXCSUM, igc_r(d, IGC_RXCSUM) | BIT(13));
	for (unsigned i = 0; i < 10; i++)
		igc_w(d, IGC_RSSRK + 4 * i, get_le32(key + 4 * i));
	for (unsigned i = 0; i < 32; i++)
		igc_w(d, IGC_RETA + 4 * i, 0x03020100);
	igc_w(d, IGC_MRQC, 2 | BIT(16) | BIT(17));
	put_be32(f + 26, 0x420995bb);
	put_be32(f + 30, 0xa18e6450);
	put_be16(f + 34, 2794);
	put_be16(f + 36, 1766);
	fill_checksums(f, len);
	machine_say(d->m, f, len);
	struct igc_received r = igc_take(d, 0x51ccc178 % 128 % 4);
	assert_true(r.there);
	assert_int_equal(r.hash, 0x51ccc178);
	assert_int_equal(r.type & 15, 1); /* TCP over IPv4 */
	for (unsigned port = 1; port < 40; port++) {
		int q = say(d, f, flow(f, 6, (uint16_t)port, 80, 0));
		assert_true(q >= 0);
		seen[q] = true;
	}
	for (unsigned q = 0; q < IGC_DRIVER_QUEUES; q++)
		assert_true(seen[q]);
	igc_w(d, IGC_MRQC, 0);
	machine_say(d->m, f, len);
	r = igc_take(d, 0);
	assert_true(r.there && (r.type & 15) == 0 && r.hash == 0);
}

static void a_filter_may_ask_for_its_interrupt_at_once(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_use_vectors(d);
	igc_w(d, 0x1680 + 4 * 1, 1000u << 2); /* EITR: a millisecond between two interrupts */
	say(d, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(machine_vector(d->m, 1), 1);
	say(d, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(machine_vector(d->m, 1), 0);
	igc_w(d, IGC_ETQF, BIT(26) | BIT(29) | QUEUE_BIT | 0x88b5);
	say(d, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(machine_vector(d->m, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(only_its_own_addresses_come_in),
		T(VLANs_that_nobody_joined_stay_out),
		T(a_receiver_that_is_off_takes_nothing),
		T(an_address_chooses_its_queue),
		T(a_source_address_chooses_its_queue_too),
		T(an_ethertype_chooses_its_queue),
		T(a_VLAN_priority_chooses_its_queue),
		T(a_port_and_protocol_choose_their_queue),
		T(the_first_packet_of_a_connection_has_a_queue),
		T(flex_filters_choose_drop_and_hurry),
		T(a_flex_filter_longer_than_the_frame_does_not_match),
		T(flows_spread_by_their_hash),
		T(a_filter_may_ask_for_its_interrupt_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
