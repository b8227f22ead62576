/* Frames through the 82540EM: descriptors, offloads, filters, thresholds, flow control, loopback, statistics, wake-up. */
#include "e1000_help.h"
#include "net/csum.h"

static uint8_t got[20000];

/* --- to the wire --- */

static void a_legacy_frame_goes_out_and_its_descriptor_comes_back(void **state)
{
	struct e_driver *d = *state;

	e_send(d, frame_to(other, 100, 1), 100, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 100);
	assert_memory_equal(d->m->wire[0].data, frame_to(other, 100, 1), 100);
	assert_true(e_sent(d, 0));
	assert_int_equal(e_read(d, 0x3810), 1);
	assert_int_equal(e_read(d, 0xc0) & (E_TXDW | E_TXQE), E_TXDW | E_TXQE);
}

static void a_frame_in_three_pieces_is_one_frame(void **state)
{
	struct e_driver *d = *state;
	const uint8_t *f = frame_to(other, 300, 5);

	memcpy(machine_at(d->m, E_TX_DATA), f, 300);
	e_post(d, E_TX_DATA, 100 | E_IFCS, 0);
	e_post(d, E_TX_DATA + 100, 150 | E_IFCS, 0);
	e_kick(d);
	assert_int_equal(d->m->frames, 0);
	e_post(d, E_TX_DATA + 250, 50 | E_EOP | E_IFCS | E_RS, 0);
	e_kick(d);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 300);
	assert_memory_equal(d->m->wire[0].data, f, 300);
	assert_false(e_sent(d, 0));
	assert_true(e_sent(d, 2));
}

static void short_frames_are_padded_when_the_driver_wants_it(void **state)
{
	struct e_driver *d = *state;

	e_send(d, frame_to(other, 20, 1), 20, 0, 0);
	assert_int_equal(d->m->wire[0].length, 60);
	e_clear(d, 0x400, 8);
	e_send(d, frame_to(other, 20, 1), 20, 0, 0);
	assert_int_equal(d->m->wire[1].length, 20);
}

static void a_tag_is_inserted_when_the_card_does_vlans(void **state)
{
	struct e_driver *d = *state;

	e_send(d, frame_to(other, 100, 1), 100, E_VLE, 0x2042);
	assert_int_equal(d->m->wire[0].length, 100);
	e_set(d, 0, BIT(30)); /* VME */
	e_send(d, frame_to(other, 100, 1), 100, E_VLE, 0x2042);
	assert_int_equal(d->m->wire[1].length, 104);
	assert_int_equal(get_be32(d->m->wire[1].data + 12), 0x81002042);
	assert_memory_equal(d->m->wire[1].data + 16, frame_to(other, 100, 1) + 12, 88);
}

/* A context for Ethernet, IPv4 without options and TCP or UDP. */
static void post_context(struct e_driver *d, bool tcp, uint32_t mss, uint32_t payload)
{
	uint32_t sum_at = tcp ? 50 : 40, headers = tcp ? 54 : 42;

	e_post(d, 14u | 24u << 8 | 33u << 16 | (uint64_t)34 << 32 | (uint64_t)sum_at << 40,
	       E_DEXT | E_RS | BIT(25) | (tcp ? BIT(24) : 0) | (mss ? BIT(26) : 0) | payload,
	       mss << 16 | headers << 8);
}

static bool sums_are_right(const struct wire_frame *w)
{
	uint8_t copy[2000];
	size_t l4 = w->length - 34;

	memcpy(copy, w->data, w->length);
	uint32_t ip = csum_add(0, copy + 14, 20, false);
	if (w->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		/* what is left to do is the sum over everything from csum_start on */
		uint16_t at = (uint16_t)(w->hdr.csum_start + w->hdr.csum_offset);
		uint16_t sum = csum_fold(csum_add(0, copy + w->hdr.csum_start,
						  w->length - w->hdr.csum_start, false));
		put_be16(copy + at, sum);
	}
	uint32_t sum = pseudo(copy + 14, l4);
	return csum_fold(ip) == 0 && csum_fold(csum_add(sum, copy + 34, l4, false)) == 0;
}

/* The driver leaves the pseudo header's sum where the checksum belongs. */
static size_t prepared(uint8_t *f, uint8_t protocol, size_t payload, bool segment)
{
	size_t len = ip_frame(f, other, protocol, payload);
	uint32_t sum = pseudo(f + 14, segment ? 0 : len - 34);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put_be16(f + (protocol == 6 ? 50 : 40), (uint16_t)sum);
	if (segment)
		put_be16(f + 16, 0);
	return len;
}

static void checksums_of_tcp_and_udp_are_filled_in(void **state)
{
	static const uint8_t protocols[] = { 6, 17 };
	struct e_driver *d = *state;
	uint8_t f[1600];

	for (unsigned i = 0; i < 2; i++) {
		size_t len = prepared(f, protocols[i], 333, false);
		uint64_t at = E_TX_DATA + 2048 * i;
		memcpy(machine_at(d->m, at), f, len);
		post_context(d, protocols[i] == 6, 0, 0);
		e_post(d, at, (uint32_t)len | E_DATA | E_EOP | E_IFCS | E_RS, E_IXSM | E_TXSM);
		e_kick(d);
		assert_int_equal(d->m->frames, i + 1);
		assert_true(sums_are_right(&d->m->wire[i]));
		assert_true(e_sent(d, 2 * i) && e_sent(d, 2 * i + 1)); /* contexts report too */
	}
}

static void a_large_send_becomes_one_segmentable_frame(void **state)
{
	struct e_driver *d = *state;
	static uint8_t f[9000];
	size_t len = prepared(f, 6, 5000, true);

	memcpy(machine_at(d->m, E_TX_DATA), f, len);
	post_context(d, true, 1000, 5000);
	/* headers alone first, as drivers do it */
	e_post(d, E_TX_DATA, 54 | E_DATA | E_IC | E_IFCS, E_IXSM | E_TXSM);
	e_post(d, E_TX_DATA + 54, (uint32_t)(len - 54) | E_DATA | E_IC | E_EOP | E_IFCS | E_RS, 0);
	e_kick(d);
	assert_int_equal(d->m->frames, 1);
	const struct wire_frame *w = &d->m->wire[0];
	assert_int_equal(w->length, len);
	assert_int_equal(w->hdr.gso_type & ~VIRTIO_NET_HDR_GSO_ECN, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(w->hdr.gso_size, 1000);
	assert_int_equal(w->hdr.hdr_len, 54);
	assert_true(e_sent(d, 2));
	assert_int_equal(e_read(d, 0x40f8), 1); /* TSCTC */
	assert_int_equal(e_read(d, 0x4080), 5); /* GPTC: segments on the wire */
}

static void nothing_goes_out_while_transmission_is_off_or_the_link_is_down(void **state)
{
	struct e_driver *d = *state;

	e_clear(d, 0x400, 2);
	e_send(d, frame_to(other, 100, 1), 100, 0, 0);
	assert_int_equal(d->m->frames, 0);
	assert_false(e_sent(d, 0));
	e_set(d, 0x400, 2);
	assert_int_equal(d->m->frames, 1);
	nic_set_link(d->m->nic, false);
	e_send(d, frame_to(other, 100, 1), 100, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_true(e_sent(d, 1));
	assert_int_equal(dropped(d, DROP_LINK_DOWN), 1);
}

static void a_full_wire_leaves_frames_in_the_ring(void **state)
{
	struct e_driver *d = *state;

	d->m->wire_room = 1;
	for (unsigned i = 0; i < 3; i++)
		e_send(d, frame_to(other, 100, (uint8_t)i), 100, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_true(e_sent(d, 0) && !e_sent(d, 1) && !e_sent(d, 2));
	assert_int_equal(e_read(d, 8) & 0x10, 0x10); /* TXOFF: not a hung card, a slow partner */
	d->m->wire_room = 100;
	nic_kick(d->m->nic, 0);
	machine_run(d->m);
	assert_int_equal(d->m->frames, 3);
	assert_memory_equal(d->m->wire[2].data, frame_to(other, 100, 2), 100);
	assert_int_equal(e_read(d, 8) & 0x10, 0);
}

static void the_low_mark_of_the_transmit_ring_is_told(void **state)
{
	struct e_driver *d = *state;

	e_write(d, 0x3828, 1u << 25); /* 8 descriptors */
	d->m->wire_room = 0;
	for (unsigned i = 0; i < 12; i++)
		e_send(d, frame_to(other, 60, 1), 60, 0, 0);
	assert_int_equal(e_read(d, 0xc0) & BIT(15), 0);
	d->m->wire_room = 2;
	nic_kick(d->m->nic, 0);
	machine_run(d->m);
	assert_int_equal(e_read(d, 0xc0) & BIT(15), 0);
	d->m->wire_room = 2;
	nic_kick(d->m->nic, 0);
	machine_run(d->m);
	assert_int_equal(e_read(d, 0xc0) & BIT(15), BIT(15));
}

/* --- to the guest --- */

static void a_frame_comes_with_its_length_and_status(void **state)
{
	struct e_driver *d = *state;

	assert_int_equal(machine_say(d->m, frame_to(card_mac, 100, 1), 100), 1);
	assert_int_equal(e_take(d, got), 100);
	assert_memory_equal(got, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(d->status, E_DD | E_EOPS | E_IXSMS);
	assert_int_equal(d->errors, 0);
	assert_int_equal(e_read(d, 0xc0) & E_RXT0, E_RXT0);
	assert_int_equal(e_read(d, 0x2810), 1);
}

static void the_fcs_stays_when_it_is_not_stripped_and_short_frames_are_padded(void **state)
{
	struct e_driver *d = *state;

	e_open_rx(d, 0, E_BUFFER);
	machine_say(d->m, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(e_take(d, got), 104);
	machine_say(d->m, frame_to(card_mac, 30, 1), 30);
	assert_int_equal(e_take(d, got), 64);
	assert_int_equal(got[30] | got[59], 0);
}

static void a_frame_fills_as_many_buffers_as_it_needs(void **state)
{
	static const struct {
		uint32_t rctl, size;
	} sizes[] = { { 3u << 16, 256 }, { 2u << 16, 512 }, { 1u << 16, 1024 }, { 0, 2048 } };
	struct e_driver *d = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		e_open_rx(d, BIT(26) | sizes[i].rctl, sizes[i].size);
		machine_say(d->m, frame_to(card_mac, 1500, 7), 1500);
		assert_int_equal(e_take(d, got), 1500);
		assert_int_equal(d->pieces, (1500 + sizes[i].size - 1) / sizes[i].size);
		assert_memory_equal(got, frame_to(card_mac, 1500, 7), 1500);
	}
}

static void long_frames_need_leave(void **state)
{
	struct e_driver *d = *state;

	assert_int_equal(machine_say(d->m, frame_to(card_mac, 1518, 1), 1518), 1);
	assert_int_equal(e_take(d, got), 1518);
	machine_say(d->m, frame_to(card_mac, 1519, 1), 1519);
	assert_int_equal(e_take(d, got), 0);
	assert_int_equal(e_read(d, 0x40ac), 1); /* ROC */
	e_open_rx(d, BIT(26) | BIT(5), E_BUFFER);
	machine_say(d->m, frame_to(card_mac, 9014, 1), 9014);
	assert_int_equal(e_take(d, got), 9014);
	assert_memory_equal(got, frame_to(card_mac, 9014, 1), 9014);
	machine_say(d->m, frame_to(card_mac, 16381, 1), 16381);
	assert_int_equal(e_take(d, got), 0);
	assert_int_equal(e_read(d, 0x40ac), 1);
}

static void frames_for_others_are_filtered_and_inexact_ones_marked(void **state)
{
	static const uint8_t group[6] = { 0x01, 0, 0x5e, 1, 2, 3 };
	struct e_driver *d = *state;

	machine_say(d->m, frame_to(other, 60, 1), 60);
	machine_say(d->m, frame_to(group, 60, 1), 60);
	assert_int_equal(e_take(d, got), 0);
	assert_int_equal(dropped(d, DROP_FILTERED), 2);
	machine_say(d->m, frame_to(all, 60, 1), 60);
	assert_int_equal(e_take(d, got), 60);
	assert_int_equal(d->status & E_PIF, 0);
	uint32_t bit = (uint32_t)get_le16(group + 4) >> 4;
	e_write(d, 0x5200 + bit / 32 * 4, 1u << bit % 32);
	machine_say(d->m, frame_to(group, 60, 1), 60);
	assert_int_equal(e_take(d, got), 60);
	assert_int_equal(d->status & E_PIF, E_PIF);
	e_write(d, 0x5408, get_le32(other)); /* a second address of our own */
	e_write(d, 0x540c, BIT(31) | get_le16(other + 4));
	machine_say(d->m, frame_to(other, 60, 1), 60);
	assert_int_equal(e_take(d, got), 60);
	assert_int_equal(d->status & E_PIF, 0);
}

static void a_tag_is_taken_out_and_filtered_by_table(void **state)
{
	struct e_driver *d = *state;
	uint8_t f[100];

	memcpy(f, frame_to(card_mac, 100, 1), 100);
	put_be32(f + 12, 0x81002042);
	machine_say(d->m, f, 100);
	assert_int_equal(e_take(d, got), 100);
	assert_int_equal(d->status & E_VP, 0);
	e_set(d, 0, BIT(30));
	machine_say(d->m, f, 100);
	assert_int_equal(e_take(d, got), 96);
	assert_int_equal(d->status & E_VP, E_VP);
	assert_int_equal(d->special, 0x2042);
	assert_memory_equal(got + 12, f + 16, 84);
	e_set(d, 0x100, BIT(18)); /* VFE */
	machine_say(d->m, f, 100);
	assert_int_equal(e_take(d, got), 0);
	e_write(d, 0x5600 + 0x42 / 32 * 4, 1u << 0x42 % 32);
	machine_say(d->m, f, 100);
	assert_int_equal(e_take(d, got), 96);
}

static void receive_checksums_are_reported_when_asked(void **state)
{
	struct e_driver *d = *state;
	uint8_t f[1600];
	size_t len = ip_frame(f, card_mac, 6, 301);

	put_be16(f + 24, csum_fold(csum_add(0, f + 14, 20, false)));
	put_be16(f + 50, csum_fold(csum_add(pseudo(f + 14, len - 34), f + 34, len - 34, false)));
	machine_say(d->m, f, len);
	e_take(d, got);
	assert_int_equal(d->status & (E_TCPCS | E_IPCS | E_IXSMS), E_IXSMS);
	e_write(d, 0x5000, 0x300);
	machine_say(d->m, f, len);
	e_take(d, got);
	assert_int_equal(d->status & (E_TCPCS | E_IPCS | E_IXSMS), E_TCPCS | E_IPCS);
	assert_int_equal(d->errors, 0);
	f[100] ^= 1;
	machine_say(d->m, f, len);
	e_take(d, got);
	assert_int_equal(d->errors, 0x20);
	f[100] ^= 1;
	f[22] ^= 1;
	machine_say(d->m, f, len);
	e_take(d, got);
	assert_int_equal(d->errors & 0x40, 0x40);
}

static void without_room_frames_wait_and_come_when_buffers_do(void **state)
{
	struct e_driver *d = *state;

	for (unsigned i = 0; i < E_RING - 1; i++)
		assert_int_equal(machine_say(d->m, frame_to(card_mac, 60, 1), 60), 1);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 61, 1), 61), 0);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 61, 1), 61), 0);
	assert_int_equal(e_read(d, 0x40a0), 1); /* RNBC: once, not each try */
	d->m->nic->notes.rx_ready = false;
	assert_int_equal(e_take(d, got), 60);
	assert_true(d->m->nic->notes.rx_ready);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 61, 1), 61), 1);
}

static void the_low_mark_of_the_receive_ring_is_told_when_it_is_crossed(void **state)
{
	static const unsigned mark[] = { 32, 16, 8 };
	struct e_driver *d = *state;

	for (uint32_t code = 0; code < 3; code++) {
		e_open_rx(d, BIT(26) | code << 8, E_BUFFER);
		e_read(d, 0xc0);
		for (unsigned left = E_RING - 2;; left--) {
			machine_say(d->m, frame_to(card_mac, 60, 1), 60);
			uint32_t causes = e_read(d, 0xc0);
			assert_int_equal(!!(causes & E_RXDMT0), left == mark[code]);
			if (left == 0)
				break;
		}
	}
}

static void a_receiver_that_is_off_drops(void **state)
{
	struct e_driver *d = *state;

	e_clear(d, 0x100, 2);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 60, 1), 60), 1);
	assert_int_equal(dropped(d, DROP_RX_DISABLED), 1);
	e_set(d, 0x100, 2);
	nic_set_link(d->m->nic, false);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 60, 1), 60), 1);
	assert_int_equal(dropped(d, DROP_LINK_DOWN), 1);
}

static void a_stopped_guest_is_left_alone(void **state)
{
	struct e_driver *d = *state;

	d->m->nic->stopped = true;
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 60, 1), 60), 0);
	e_send(d, frame_to(other, 60, 1), 60, 0, 0);
	assert_int_equal(d->m->frames, 0);
	d->m->nic->stopped = false;
	nic_kick(d->m->nic, 0);
	machine_run(d->m);
	assert_int_equal(d->m->frames, 1);
}

/* --- loopback --- */

static void check_loop(struct e_driver *d)
{
	unsigned before = d->m->frames;

	e_send(d, frame_to(all, 600, 9), 600, 0, 0);
	assert_int_equal(d->m->frames, before);
	assert_int_equal(e_take(d, got), 600);
	assert_memory_equal(got, frame_to(all, 600, 9), 600);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60); /* the wire is cut off */
	assert_int_equal(e_take(d, got), 0);
}

static void what_is_sent_comes_back_in_both_loopbacks(void **state)
{
	struct e_driver *d = *state;

	e_set(d, 0x100, 1u << 6);
	check_loop(d);
	e_set(d, 0x100, 3u << 6);
	check_loop(d);
	e_clear(d, 0x100, 3u << 6);
	e_phy_write(d, 0, 0x4140);
	check_loop(d);
	nic_set_link(d->m->nic, false); /* the PHY does not look at its cable */
	check_loop(d);
	nic_set_link(d->m->nic, true);
	e_phy_write(d, 0, 0x1140);
	machine_wait(d->m, 500 * MS);
	e_send(d, frame_to(all, 600, 9), 600, 0, 0);
	assert_int_equal(d->m->frames, 1);
}

static void a_looped_frame_without_room_is_lost_like_on_a_wire(void **state)
{
	struct e_driver *d = *state;

	e_set(d, 0x100, 1u << 6);
	for (unsigned i = 0; i < E_RING + 5; i++)
		e_send(d, frame_to(all, 60, 9), 60, 0, 0);
	assert_int_equal(dropped(d, DROP_NO_BUFFER), 6);
	assert_true(e_sent(d, 4));
}

/* --- flow control --- */

static void make_pause(uint8_t *f, uint16_t quanta)
{
	static const uint8_t to[6] = { 0x01, 0x80, 0xc2, 0, 0, 1 };

	memcpy(f, frame_to(to, 60, 0), 60);
	put_be16(f + 12, 0x8808);
	put_be16(f + 14, 1);
	put_be16(f + 16, quanta);
}

static void a_pause_frame_stops_transmission_for_its_time(void **state)
{
	struct e_driver *d = *state;
	uint8_t f[60];

	make_pause(f, 1000); /* 512 us */
	machine_say(d->m, f, 60);
	e_send(d, frame_to(other, 60, 1), 60, 0, 0);
	assert_int_equal(d->m->frames, 1); /* flow control is off */
	e_set(d, 0, BIT(27));
	machine_say(d->m, f, 60);
	assert_int_equal(e_read(d, 8) & 0x10, 0x10);
	e_send(d, frame_to(other, 60, 1), 60, 0, 0);
	machine_wait(d->m, 500 * US);
	assert_int_equal(d->m->frames, 1);
	machine_wait(d->m, 13 * US);
	assert_int_equal(d->m->frames, 2);
	machine_say(d->m, f, 60);
	make_pause(f, 0);
	machine_say(d->m, f, 60);
	assert_int_equal(e_read(d, 8) & 0x10, 0);
	assert_int_equal(e_read(d, 0x4050), 3); /* XOFFRXC */
	assert_int_equal(e_read(d, 0x4048), 1); /* XONRXC */
	assert_int_equal(e_take(d, got), 0);	/* the guest sees none of them */
	e_set(d, 0x100, BIT(23));		/* PMCF, and the address is not filtered */
	e_set(d, 0x100, BIT(4));
	machine_say(d->m, f, 60);
	assert_int_equal(e_take(d, got), 60);
}

static void the_driver_can_send_a_pause_frame(void **state)
{
	struct e_driver *d = *state;

	e_write(d, 0x170, 0x1234);
	e_set(d, 0, BIT(28));
	e_set(d, 0x400, BIT(22));
	assert_int_equal(e_read(d, 0x400) & BIT(22), 0);
	assert_int_equal(d->m->frames, 1);
	const uint8_t *f = d->m->wire[0].data;
	assert_int_equal(d->m->wire[0].length, 60);
	assert_int_equal(get_be32(f), 0x0180c200);
	assert_int_equal(get_be16(f + 4), 1);
	assert_memory_equal(f + 6, card_mac, 6);
	assert_int_equal(get_be32(f + 12), 0x88080001);
	assert_int_equal(get_be16(f + 16), 0x1234);
	assert_int_equal(e_read(d, 0x4054), 1);
}

/* --- statistics --- */

static void frames_are_counted_where_the_manual_says(void **state)
{
	struct e_driver *d = *state;

	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	machine_say(d->m, frame_to(all, 200, 1), 200);
	machine_say(d->m, frame_to(other, 200, 1), 200); /* filtered: not counted */
	e_send(d, frame_to(other, 1000, 1), 1000, 0, 0);
	assert_int_equal(e_read(d, 0x4074), 2);	  /* GPRC */
	assert_int_equal(e_read(d, 0x4088), 268); /* GORCL, with FCS */
	assert_int_equal(e_read(d, 0x408c), 0);
	assert_int_equal(e_read(d, 0x4078), 1);	   /* BPRC */
	assert_int_equal(e_read(d, 0x405c), 1);	   /* 64 bytes */
	assert_int_equal(e_read(d, 0x4064), 1);	   /* 128 to 255 */
	assert_int_equal(e_read(d, 0x4080), 1);	   /* GPTC */
	assert_int_equal(e_read(d, 0x4090), 1004); /* GOTCL */
	assert_int_equal(e_read(d, 0x40e8), 1);	   /* 512 to 1023 */
	assert_int_equal(e_read(d, 0x4074), 0);
}

/* --- wake-up --- */

static void fall_asleep(struct e_driver *d)
{
	struct pci_device *pci = &d->m->nic->pci;

	e_clear(d, 0x100, 2);
	pci_config_write(pci, 0xe0, 2, 0x8103); /* D3hot, PME enabled, status cleared */
}

static bool woken(struct e_driver *d)
{
	return pci_config_read(&d->m->nic->pci, 0xe0, 2) & 0x8000;
}

static void chosen_frames_wake_and_are_kept_for_the_driver(void **state)
{
	struct e_driver *d = *state;
	uint8_t magic[144];

	e_write(d, 0x5808, 0x2); /* magic packets only */
	fall_asleep(d);
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_false(woken(d));
	memcpy(magic, frame_to(all, sizeof(magic), 1), sizeof(magic));
	memset(magic + 20, 0xff, 6);
	for (unsigned i = 0; i < 16; i++)
		memcpy(magic + 26 + 6 * i, card_mac, 6);
	machine_say(d->m, magic, sizeof(magic));
	assert_true(woken(d));
	/* the driver comes back: D0, and what it finds */
	pci_config_write(&d->m->nic->pci, 0xe0, 2, 0x0000);
	machine_set_bus(d->m, true);
	assert_int_equal(e_read(d, 0x5810), 0x2);
	assert_int_equal(e_read(d, 0x5900), sizeof(magic));
	assert_int_equal(e_read(d, 0x5a00), get_le32(magic));
	assert_int_equal(e_read(d, 0x5a7c), get_le32(magic + 124));
	e_write(d, 0x5810, 0xffffffff);
	assert_int_equal(e_read(d, 0x5810), 0);
}

/* Behind the headers that other filters look at, and no further than the card receives. */
static void a_magic_packet_may_lie_anywhere_in_a_frame(void **state)
{
	static const struct {
		unsigned length, at;
		bool wakes;
	} cases[] = {
		{ 1518, 300, true },
		{ 1518, 1518 - 102, true },
		{ 1518, 1518 - 101, false },
		{ 4000, 1450, false }, /* longer than RCTL allows */
	};
	struct e_driver *d = *state;
	uint8_t frame[4200];

	for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
		e_write(d, 0x5808, 0x2);
		fall_asleep(d);
		memset(frame, 0x5a, sizeof(frame));
		memcpy(frame, frame_to(all, 60, 1), 60);
		memset(frame + cases[c].at, 0xff, 6);
		for (unsigned i = 0; i < 16; i++)
			memcpy(frame + cases[c].at + 6 + 6 * i, card_mac, 6);
		machine_say(d->m, frame, cases[c].length);
		assert_int_equal(woken(d), cases[c].wakes);
		pci_config_write(&d->m->nic->pci, 0xe0, 2, 0x8000);
		machine_set_bus(d->m, true);
		e_write(d, 0x5800, e_read(d, 0x5800) | 4); /* PME status, by writing 1 */
		e_write(d, 0x5810, 0xffffffff);
	}
}

static void a_flexible_filter_and_the_link_wake_too(void **state)
{
	struct e_driver *d = *state;

	e_write(d, 0x5808, 1u << 17 | 1);
	e_write(d, 0x5f08, 20); /* filter 1: 20 bytes, byte 15 is 0x77 */
	e_write(d, 0x9000 + 15 * 8, 2);
	e_write(d, 0x9800 + 15 * 8, 0x7700);
	fall_asleep(d);
	machine_say(d->m, frame_to(other, 60, 0x50), 60);
	assert_false(woken(d));
	machine_say(d->m, frame_to(other, 60, 0x77 - 15), 60);
	assert_true(woken(d));
	pci_config_write(&d->m->nic->pci, 0xe0, 2, 0x8103);
	e_write(d, 0x5800, 4); /* WUC.PME_Status */
	nic_set_link(d->m->nic, false);
	assert_true(woken(d));
	assert_int_equal(e_read(d, 0x5810) & 1, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_open, teardown)
	const struct CMUnitTest tests[] = {
		T(a_legacy_frame_goes_out_and_its_descriptor_comes_back),
		T(a_frame_in_three_pieces_is_one_frame),
		T(short_frames_are_padded_when_the_driver_wants_it),
		T(a_tag_is_inserted_when_the_card_does_vlans),
		T(checksums_of_tcp_and_udp_are_filled_in),
		T(a_large_send_becomes_one_segmentable_frame),
		T(nothing_goes_out_while_transmission_is_off_or_the_link_is_down),
		T(a_full_wire_leaves_frames_in_the_ring),
		T(the_low_mark_of_the_transmit_ring_is_told),
		T(a_frame_comes_with_its_length_and_status),
		T(the_fcs_stays_when_it_is_not_stripped_and_short_frames_are_padded),
		T(a_frame_fills_as_many_buffers_as_it_needs),
		T(long_frames_need_leave),
		T(frames_for_others_are_filtered_and_inexact_ones_marked),
		T(a_tag_is_taken_out_and_filtered_by_table),
		T(receive_checksums_are_reported_when_asked),
		T(without_room_frames_wait_and_come_when_buffers_do),
		T(the_low_mark_of_the_receive_ring_is_told_when_it_is_crossed),
		T(a_receiver_that_is_off_drops),
		T(a_stopped_guest_is_left_alone),
		T(what_is_sent_comes_back_in_both_loopbacks),
		T(a_looped_frame_without_room_is_lost_like_on_a_wire),
		T(a_pause_frame_stops_transmission_for_its_time),
		T(the_driver_can_send_a_pause_frame),
		T(frames_are_counted_where_the_manual_says),
		T(chosen_frames_wake_and_are_kept_for_the_driver),
		T(a_magic_packet_may_lie_anywhere_in_a_frame),
		T(a_flexible_filter_and_the_link_wake_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
