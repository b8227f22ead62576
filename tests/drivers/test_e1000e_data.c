/* The 82574L and a driver: receive formats, queues, checksums, VLAN, time stamps, loopback, and a guest that means harm. */
#include "e1000e_help.h"

#define TAGGED BIT(30) /* CTRL.VME */

/* Status bits of the extended layout */
#define DD    BIT(0)
#define EOP   BIT(1)
#define VP    BIT(3)
#define TCPCS BIT(5)
#define IPCS  BIT(6)
#define STAMP BIT(8)
#define IPID  BIT(9)
#define TCPE  BIT(29)
#define SPLIT BIT(15) /* of the header word */

static uint8_t packet[20000];
static struct e1k_received r;

static void say_packet(size_t length)
{
	assert_int_equal(machine_say(m, packet, length), 1);
}

/* --- formats --- */

static void every_format_brings_the_same_frame(void **state)
{
	(void)state;
	for (unsigned format = E1K_LEGACY; format <= E1K_SPLIT; format++) {
		e1k_w32(&d, RCTL, 0);
		e1k_open(&d, (enum e1k_format)format, 0);
		/* more than once around the ring */
		for (unsigned i = 0; i < 3 * E1K_RING; i++) {
			const uint8_t *f = frame_to(card_mac, 64 + i, (uint8_t)i);
			say(64 + i);
			assert_true(e1k_take(&d, 0, &r));
			assert_int_equal(r.status & (DD | EOP), DD | EOP);
			if (format != E1K_SPLIT) {
				assert_int_equal(r.length, 64 + i);
				f = frame_to(card_mac, 64 + i, 3);
				assert_memory_equal(r.data, f, 64 + i);
			} else {
				assert_int_equal(r.header, 0); /* no IP: not split */
				assert_int_equal(r.length + r.more[0], 64 + i);
			}
			assert_false(e1k_take(&d, 0, &r));
		}
	}
}

static void a_long_frame_takes_as_many_descriptors_as_it_needs(void **state)
{
	const uint8_t *f = frame_to(card_mac, 9014, 3);

	(void)state;
	e1k_open(&d, E1K_EXTENDED, BIT(5)); /* LPE */
	say(9014);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(e1k_take(&d, 0, &r));
		assert_int_equal(r.length, i < 4 ? 2048 : 9014 - 4 * 2048);
		assert_int_equal(r.status & EOP, i < 4 ? 0 : EOP);
		assert_memory_equal(r.data, f + i * 2048, r.length);
	}
	assert_false(e1k_take(&d, 0, &r));
	e1k_w32(&d, RCTL, e1k_r32(&d, RCTL) & ~BIT(5));
	say(9014);
	assert_int_equal(m->nic->counters.drop[DROP_OVERSIZE], 1);
}

static void packet_split_puts_the_headers_apart(void **state)
{
	size_t length = ip_frame(packet, card_mac, 6, 3000);

	(void)state;
	e1k_open(&d, E1K_SPLIT, BIT(5));
	say_packet(length);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.header, SPLIT | 54);
	assert_int_equal(r.length, 54);
	assert_int_equal(r.more[0], 2048);
	assert_int_equal(r.more[1], 3000 - 2048);
	assert_int_equal(r.more[2], 0);
	assert_memory_equal(r.data, packet, 54);
	assert_memory_equal(r.body, packet + 54, 3000);
}

/* The header buffers of all descriptors but the first stay empty (7.1.5.1). */
static void packet_split_goes_on_in_the_next_descriptor(void **state)
{
	size_t length = ip_frame(packet, card_mac, 17, 7000);

	(void)state;
	e1k_open(&d, E1K_SPLIT, BIT(5));
	say_packet(length);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.status & EOP, 0);
	assert_int_equal(r.length, 42);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.status & EOP, EOP);
	assert_int_equal(r.length, 0);
	assert_int_equal(r.more[0], 2048);
	assert_memory_equal(r.body, packet + 42 + 4096, 7000 - 4096);
}

static void sizes_of_receive_buffers_are_those_of_rctl(void **state)
{
	static const struct {
		uint32_t rctl;
		unsigned size;
	} sizes[] = {
		{ 0, 2048 },	   { 1u << 16, 1024 },		 { 2u << 16, 512 },
		{ 3u << 16, 256 }, { 3u << 16 | BIT(25), 4096 }, { 3u << 27, 3072 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		e1k_w32(&d, RCTL, 0);
		e1k_open(&d, E1K_EXTENDED, BIT(5) | sizes[i].rctl);
		say(sizes[i].size + 1);
		assert_true(e1k_take(&d, 0, &r));
		assert_int_equal(r.length, sizes[i].size);
		assert_true(e1k_take(&d, 0, &r));
		assert_int_equal(r.length, 1);
	}
}

static void a_frame_without_room_waits_and_the_threshold_is_told_once(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	for (unsigned i = 0; i < E1K_RING - 1; i++) {
		say(100);
		uint32_t icr = e1k_r32(&d, ICR);
		/* half of eight descriptors are left after the third frame */
		assert_int_equal(icr & RXDMT0, i == 2 ? RXDMT0 : 0);
	}
	assert_int_equal(machine_say(m, frame_to(card_mac, 100, 3), 100), 0);
	assert_int_equal(e1k_r32(&d, 0x40a0), 1); /* RNBC */
	m->nic->notes.rx_ready = false;
	assert_true(e1k_take(&d, 0, &r));
	assert_true(m->nic->notes.rx_ready);
	for (unsigned i = 0; i < 6; i++)
		assert_true(e1k_take(&d, 0, &r));
	for (unsigned i = 0; i < 3; i++)
		say(100);
	assert_true(e1k_r32(&d, ICR) & RXDMT0); /* buffers came, and went: told again */
}

static void small_frames_are_told_when_the_driver_set_a_size(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_w32(&d, 0x2c00, 104); /* RSRPD, with FCS */
	say(101);
	assert_false(e1k_r32(&d, ICR) & BIT(16));
	say(100);
	assert_true(e1k_r32(&d, ICR) & BIT(16));
}

/* --- queues --- */

static void a_driver_sends_from_both_queues(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_send(&d, 1, frame_to(all, 60, 1), 60, 0, 0);
	e1k_send(&d, 0, frame_to(all, 61, 1), 61, 0, 0);
	assert_int_equal(m->frames, 2);
	assert_int_equal(m->wire[0].length, 60);
	assert_true(e1k_r32(&d, ICR) & TXQ0 << 1);
	e1k_w32(&d, TARC1, 3); /* queue 1 is off */
	e1k_send(&d, 1, frame_to(all, 62, 1), 62, 0, 0);
	assert_int_equal(m->frames, 2);
	e1k_w32(&d, TARC1, 0x403);
	e1k_w32(&d, TCTL, BIT(1) | BIT(3));
	assert_int_equal(m->frames, 3);
}

/* Microsoft's key and first vector. */
static void flows_go_where_hash_and_table_say(void **state)
{
	static const uint8_t key[40] = {
		0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
		0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
		0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
	};
	size_t length = ip_frame(packet, card_mac, 6, 10);

	(void)state;
	put_be32(packet + 26, 0x420995bb); /* 66.9.149.187 */
	put_be32(packet + 30, 0xa18e6450); /* 161.142.100.80 */
	put_be16(packet + 34, 2794);
	put_be16(packet + 36, 1766);
	e1k_open(&d, E1K_EXTENDED, 0);
	for (unsigned i = 0; i < 10; i++)
		e1k_w32(&d, RSSRK + 4 * i, get_le32(key + 4 * i));
	e1k_w32(&d, RXCSUM, BIT(13));
	e1k_w32(&d, MRQC, 1 | 3u << 16);
	say_packet(length);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.hash, 0x51ccc178);
	assert_int_equal(r.mrq, 1); /* TCP over IPv4, queue 0 */
	/* entry 0x78 leads to queue 1 */
	e1k_w32(&d, RETA + 0x78, 0x80);
	say_packet(length);
	assert_false(e1k_take(&d, 0, &r));
	assert_true(e1k_take(&d, 1, &r));
	assert_int_equal(r.mrq, 1 | 1 << 8);
	assert_true(e1k_r32(&d, ICR) & RXQ0 << 1);
	e1k_w32(&d, MRQC, 0);
	say_packet(length);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.mrq | r.hash, 0);

	/* a loaded key is used at once, not the one that was there before */
	struct buffer saved = { 0 };
	struct error err;
	e1k_w32(&d, MRQC, 1 | 3u << 16);
	assert_int_equal(nic_save(m->nic, &saved), 0);
	e1k_w32(&d, RSSRK, 0);
	say_packet(length);
	assert_int_equal(nic_load(m->nic, saved.data, saved.length, &err), 0);
	say_packet(length);
	assert_true(e1k_take(&d, 1, &r));
	assert_int_equal(r.hash, 0x51ccc178);
	buffer_finish(&saved);
}

/* This card's descriptor knows one kind of TCP over IPv6. */
static void tcp_over_ipv6_has_type_three(void **state)
{
	(void)state;
	memset(packet, 0, 100);
	memcpy(packet, card_mac, 6);
	put_be16(packet + 12, 0x86dd);
	packet[14] = 0x60;
	put_be16(packet + 18, 20);
	packet[20] = 6;
	packet[66] = 0x50;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_w32(&d, RXCSUM, BIT(13));
	e1k_w32(&d, MRQC, 1 | BIT(18));
	say_packet(74);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.mrq, 3);
}

/* --- checksums, VLAN --- */

static void checksums_are_looked_at_when_asked(void **state)
{
	size_t length = ip_frame(packet, card_mac, 6, 100);

	(void)state;
	fill_checksums(packet, length);
	put_be16(packet + 18, 0x4711);
	put_be16(packet + 24, 0);
	put_be16(packet + 24, by_the_book(0, packet + 14, 20));
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_w32(&d, RXCSUM, BIT(8) | BIT(9));
	say_packet(length);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.status & (IPCS | TCPCS | IPID | TCPE), IPCS | TCPCS | IPID);
	assert_int_equal(r.hash & 0xffff, 0x4711); /* no RSS: the packet's id is there */
	packet[60] ^= 1;
	say_packet(length);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.status & (IPCS | TCPCS | TCPE), IPCS | TCPCS | TCPE);
	e1k_w32(&d, RXCSUM, BIT(13));
	say_packet(length);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.status & (IPCS | TCPCS | IPID | TCPE), 0);
}

static void tags_are_taken_out_and_put_in(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_w32(&d, CTRL, e1k_r32(&d, CTRL) | TAGGED);
	memcpy(packet, frame_to(card_mac, 100, 3), 100);
	memmove(packet + 16, packet + 12, 88);
	put_be16(packet + 12, 0x8100);
	put_be16(packet + 14, 0x2064);
	say_packet(104);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.length, 100);
	assert_int_equal(r.status & VP, VP);
	assert_int_equal(r.vlan, 0x2064);
	assert_memory_equal(r.data, frame_to(card_mac, 100, 3), 100);
	e1k_send(&d, 0, frame_to(all, 80, 1), 80, E1K_VLE, 0x64u << 16);
	assert_int_equal(m->wire[0].length, 84);
	assert_int_equal(get_be32(m->wire[0].data + 12), 0x81000064);
}

static void a_large_tcp_segment_goes_out_as_one_frame(void **state)
{
	size_t length = ip_frame(packet, all, 6, 6000);
	uint64_t context = 14 | 24 << 8 | 33 << 16 | 34ull << 32 | 50ull << 40;

	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_post(&d, 0, context, E1K_DEXT | E1K_TSE | BIT(25) | BIT(24) | 6000,
		 1400u << 16 | 54 << 8);
	e1k_send(&d, 0, packet, (uint32_t)length, E1K_TSE, 0x300);
	assert_int_equal(m->frames, 1);
	assert_int_equal(m->wire[0].hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(m->wire[0].hdr.gso_size, 1400);
	assert_int_equal(m->wire[0].length, length);
	assert_int_equal(e1k_r32(&d, 0x40f8), 1); /* TSCTC */
	assert_int_equal(e1k_r32(&d, GPTC), 5);	  /* what went over the wire */
}

/* --- time stamps --- */

static uint64_t read_time(uint32_t low, uint32_t high)
{
	uint64_t value = e1k_r32(&d, low);

	return value | (uint64_t)e1k_r32(&d, high) << 32;
}

static size_t ptp_message(uint8_t type)
{
	memset(packet, 0, 100);
	memcpy(packet, card_mac, 6);
	put_be16(packet + 12, 0x88f7);
	packet[14] = type;
	packet[15] = 2;
	put_be16(packet + 44, 0x0815); /* sequence */
	return 74;
}

static void the_clock_counts_nanoseconds_as_linux_sets_it(void **state)
{
	(void)state;
	e1k_w32(&d, TIMINCA, 1u << 24 | 40u << 18);
	uint64_t before = read_time(SYSTIML, SYSTIMH);
	machine_wait(m, 1000 * MS);
	assert_int_equal((read_time(SYSTIML, SYSTIMH) - before) >> 18, 1000 * MS);
	before =
		read_time(SYSTIML, SYSTIMH); /* a new rate leaves what was counted by the old one */
	e1k_w32(&d, TIMINCA, 1u << 24 | 20u << 18);
	assert_int_equal(read_time(SYSTIML, SYSTIMH), before);
	e1k_w32(&d, SYSTIML, 5);
	e1k_w32(&d, SYSTIMH, 7);
	assert_int_equal(read_time(SYSTIML, SYSTIMH), 7ull << 32 | 5);
}

static void a_received_message_is_stamped_once(void **state)
{
	(void)state;
	e1k_w32(&d, TIMINCA, 1u << 24 | 40u << 18);
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_w32(&d, TSYNCRXCTL, BIT(4) | 5 << 1); /* event messages, version 2 */
	say_packet(ptp_message(8));		  /* follow-up: no event */
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.status & STAMP, 0);
	machine_wait(m, 4 * MS);
	uint64_t now = read_time(SYSTIML, SYSTIMH);
	say_packet(ptp_message(0));
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.status & STAMP, STAMP);
	assert_true(e1k_r32(&d, TSYNCRXCTL) & 1);
	assert_int_equal(e1k_r32(&d, 0xb630) >> 16, 0x0815);
	say_packet(ptp_message(0)); /* the first stamp is still there */
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.status & STAMP, 0);
	assert_int_equal(read_time(RXSTMPL, RXSTMPH), now);
	assert_false(e1k_r32(&d, TSYNCRXCTL) & 1);
	say_packet(ptp_message(0));
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.status & STAMP, STAMP);
}

static void a_sent_message_is_stamped_when_its_descriptor_asks(void **state)
{
	(void)state;
	e1k_w32(&d, TIMINCA, 1u << 24 | 40u << 18);
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_w32(&d, TSYNCTXCTL, BIT(4));
	machine_wait(m, 4 * MS);
	e1k_send(&d, 0, frame_to(all, 80, 1), 80, 0, 0);
	assert_false(e1k_r32(&d, TSYNCTXCTL) & 1);
	uint64_t now = read_time(SYSTIML, SYSTIMH);
	e1k_send(&d, 0, frame_to(all, 80, 1), 80, 0, BIT(4));
	assert_true(e1k_r32(&d, TSYNCTXCTL) & 1);
	assert_int_equal(read_time(TXSTMPL, TXSTMPH), now);
	assert_false(e1k_r32(&d, TSYNCTXCTL) & 1);
}

/* --- loopback --- */

static void looped_frames_come_back_and_never_reach_the_wire(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, BIT(6)); /* MAC */
	nic_set_link(m->nic, false);
	e1k_send(&d, 0, frame_to(card_mac, 200, 3), 200, 0, 0);
	assert_int_equal(m->frames, 0);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.length, 200);
	assert_memory_equal(r.data, frame_to(card_mac, 200, 3), 200);
	e1k_w32(&d, RCTL, e1k_r32(&d, RCTL) & ~BIT(6));
	e1k_phy_write(&d, 0, 0x4140); /* PHY, as the self-test does */
	assert_true(e1k_r32(&d, STATUS) & 2);
	e1k_send(&d, 0, frame_to(card_mac, 201, 3), 201, 0, 0);
	assert_int_equal(m->frames, 0);
	assert_true(e1k_take(&d, 0, &r));
	assert_int_equal(r.length, 201);
}

/* --- a guest that means harm --- */

static void split_buffers_of_no_size_lose_the_frame_and_nothing_else(void **state)
{
	(void)state;
	e1k_open(&d, E1K_SPLIT, BIT(5));
	e1k_w32(&d, 0x2170, 0);
	say(1000);
	assert_int_equal(m->nic->counters.drop[DROP_OVERSIZE], 1);
	e1k_w32(&d, 0x2170, 1 | 2 << 8);
	say(1000);
	assert_true(e1k_take(&d, 0, &r));
}

static void split_rings_bend_no_pointer(void **state)
{
	(void)state;
	e1k_open(&d, E1K_SPLIT, BIT(5));
	for (unsigned tail = 0; tail < 40; tail++) { /* odd ones, and behind the end */
		e1k_w32(&d, RX + 0x10, tail * 7 % 37);
		e1k_w32(&d, RX + TAIL, tail);
		machine_say(m, frame_to(card_mac, 1000, 3), 1000);
	}
	e1k_w32(&d, 0x2800, RAM_END - 64); /* two descriptors inside memory, the rest behind it */
	e1k_w32(&d, RX + 0x10, 0);
	e1k_w32(&d, RX + TAIL, 14);
	for (unsigned i = 0; i < 8; i++)
		machine_say(m, frame_to(card_mac, 1000, 3), 1000);
	e1k_w32(&d, RCTL, 0);
	e1k_open(&d, E1K_EXTENDED, 0);
	say(100);
	assert_true(e1k_take(&d, 0, &r));
}

static void buffers_outside_memory_lose_the_frame_and_give_the_descriptor_back(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	put_le64(machine_at(m, E1K_RX_RING),
		 0xfee00000); /* where nothing is, or a register of ours would be */
	say(100);
	assert_int_equal(m->nic->counters.drop[DROP_BAD_ADDRESS], 1);
	assert_true(e1k_take(&d, 0, &r));
	assert_true(r.status & BIT(31)); /* receive data error */
	say(100);
	assert_true(e1k_take(&d, 0, &r));
}

static void a_ring_outside_memory_makes_the_driver_failed_until_it_resets(void **state)
{
	(void)state;
	e1k_open(&d, E1K_EXTENDED, 0);
	e1k_w32(&d, 0x2804, 0xff); /* RDBAH */
	machine_say(m, frame_to(card_mac, 100, 3), 100);
	nic_update_status(m->nic);
	assert_int_equal(m->nic->status.now.state, DRIVER_FAILED);
	e1k_probe(&d, m);
	e1k_open(&d, E1K_EXTENDED, 0);
	nic_update_status(m->nic);
	assert_int_equal(m->nic->status.now.state, DRIVER_READY);
	e1k_w32(&d, 0x3904, 0xff); /* TDBAH of queue 1 */
	e1k_w32(&d, TX + 0x100 + TAIL, 3);
	nic_update_status(m->nic);
	assert_int_equal(m->nic->status.now.state, DRIVER_FAILED);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(every_format_brings_the_same_frame),
		STORY(a_long_frame_takes_as_many_descriptors_as_it_needs),
		STORY(packet_split_puts_the_headers_apart),
		STORY(packet_split_goes_on_in_the_next_descriptor),
		STORY(sizes_of_receive_buffers_are_those_of_rctl),
		STORY(a_frame_without_room_waits_and_the_threshold_is_told_once),
		STORY(small_frames_are_told_when_the_driver_set_a_size),
		STORY(a_driver_sends_from_both_queues),
		STORY(flows_go_where_hash_and_table_say),
		STORY(tcp_over_ipv6_has_type_three),
		STORY(checksums_are_looked_at_when_asked),
		STORY(tags_are_taken_out_and_put_in),
		STORY(a_large_tcp_segment_goes_out_as_one_frame),
		STORY(the_clock_counts_nanoseconds_as_linux_sets_it),
		STORY(a_received_message_is_stamped_once),
		STORY(a_sent_message_is_stamped_when_its_descriptor_asks),
		STORY(looped_frames_come_back_and_never_reach_the_wire),
		STORY(split_buffers_of_no_size_lose_the_frame_and_nothing_else),
		STORY(split_rings_bend_no_pointer),
		STORY(a_ring_outside_memory_makes_the_driver_failed_until_it_resets),
		STORY(buffers_outside_memory_lose_the_frame_and_give_the_descriptor_back),
	};

	return cmocka_run_group_tests_name("e1000e_data", tests, NULL, NULL);
}
