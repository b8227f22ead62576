/* Frames through the virtual function: descriptors of all layouts, offloads, filters, the PF's switch, save and load in between. */
#include <stdlib.h>

#include "igbvf_help.h"

enum {
	RDBAL = 0x2800,
	SRRCTL = 0x280c,
	RDH = 0x2810,
	RDT = 0x2818,
	RXDCTL = 0x2828,
	PSRTYPE = 0xf0c
};
enum { TDBAL = 0x3800, TDLEN = 0x3808, TDH = 0x3810, TXDCTL = 0x3828, TDWBAL = 0x3838 };
enum { EIMS = 0x1524, EICR = 0x1580 };

#define VP    BIT(3)
#define UDPCS BIT(4)
#define L4CS  BIT(5)
#define IPCS  BIT(6)
#define L4E   BIT(29)
#define IPE   BIT(30)

static uint8_t got[20000];

static size_t hear(struct vf_driver *d, const void *frame, size_t len)
{
	assert_int_equal(machine_say(d->m, frame, len), 1);
	return vf_take(d, got);
}

/* --- receive --- */

static void a_frame_fills_one_buffer_and_tells_its_length_and_type(void **state)
{
	struct vf_driver *d = *state;
	uint8_t f[2000];
	size_t len = ip_frame(f, card_mac, 6, 100);

	fill_checksums(f, len);
	assert_int_equal(hear(d, f, len), len);
	assert_memory_equal(got, f, len);
	assert_int_equal(d->status & (IPCS | L4CS | UDPCS | L4E | IPE | VP), IPCS | L4CS);
	assert_int_equal(d->info & 0x1fff0, 0x110); /* IPv4, TCP */
	f[60] ^= 1;
	assert_int_equal(hear(d, f, len), len);
	assert_int_equal(d->status & (IPCS | L4CS | L4E | IPE), IPCS | L4CS | L4E);
	f[60] ^= 1;
	f[22]--;
	assert_int_equal(hear(d, f, len), len);
	assert_int_equal(d->status & (IPCS | IPE), IPCS | IPE);
	len = ip_frame(f, card_mac, 17, 64);
	fill_checksums(f, len);
	assert_int_equal(hear(d, f, len), len);
	assert_int_equal(d->status & (IPCS | L4CS | UDPCS | L4E), IPCS | L4CS | UDPCS);
}

static void a_short_frame_is_padded(void **state)
{
	struct vf_driver *d = *state;

	assert_int_equal(hear(d, frame_to(card_mac, 20, 1), 20), 60);
	assert_int_equal(got[19], (uint8_t)(1 + 19));
	for (unsigned i = 20; i < 60; i++)
		assert_int_equal(got[i], 0);
}

static void legacy_descriptors_are_served_too(void **state)
{
	struct vf_driver *d = *state;

	vf_open(d, VF_LEGACY);
	assert_int_equal(hear(d, frame_to(card_mac, 700, 3), 700), 700);
	assert_memory_equal(got, frame_to(card_mac, 700, 3), 700);
	assert_int_equal(d->status & 3, 3);
	uint64_t at = vf_stage(d, 0, own_frame(90, 4), 90);
	vf_post(d, 0, at, VF_EOP | VF_IFCS | VF_RS | 90, 0);
	vf_kick(d, 0);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 90);
	assert_true(vf_sent(d, 0, 0));
}

/* As Linux receives frames of 9000 bytes: a header buffer of 128 bytes, then pages. */
static void a_long_frame_begins_in_the_header_buffer_and_goes_on_over_descriptors(void **state)
{
	struct vf_driver *d = *state;

	assert_int_equal(vf_ask(d, 5, 9022, 0), 5 | ACK | CTS);
	vf_open(d, VF_SPLIT_ALWAYS);
	assert_int_equal(hear(d, frame_to(card_mac, 9014, 5), 9014), 9014);
	assert_memory_equal(got, frame_to(card_mac, 9014, 5), 9014);
	assert_int_equal(d->descriptors, 5);
	assert_int_equal(hear(d, frame_to(card_mac, 100, 6), 100), 100);
	assert_int_equal(d->descriptors, 1);
	assert_int_equal(d->info >> 21 & 0x3ff, 100);
}

static void headers_are_split_where_psrtype_says(void **state)
{
	struct vf_driver *d = *state;
	uint8_t f[2000];
	size_t len = ip_frame(f, card_mac, 6, 300);

	vf_w(d, PSRTYPE, BIT(2)); /* IPv4 with TCP */
	vf_open(d, VF_SPLIT_ALWAYS);
	vf_w(d, SRRCTL, BIT(31) | 2u << 25 | 2u << 8 | 2); /* split, not always */
	assert_int_equal(hear(d, f, len), len);
	assert_int_equal(d->info >> 21 & 0x3ff, 54);
	assert_memory_equal(got, f, len);
	len = ip_frame(f, card_mac, 17, 300);
	assert_int_equal(hear(d, f, len), len);
	assert_int_equal(d->info >> 31, 0);
}

static void frames_wait_while_there_is_no_buffer(void **state)
{
	struct vf_driver *d = *state;
	unsigned n = 0;

	while (machine_say(d->m, frame_to(card_mac, 100, (uint8_t)n), 100) == 1)
		n++;
	assert_int_equal(n, VF_RING - 1);
	d->m->nic->notes.rx_ready = false;
	assert_int_equal(vf_take(d, got), 100);
	assert_int_equal(got[14], 14);
	assert_true(d->m->nic->notes.rx_ready);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 100, (uint8_t)n), 100), 1);
	for (unsigned i = 1; i <= n; i++) {
		assert_int_equal(vf_take(d, got), 100);
		assert_int_equal(got[14], (uint8_t)(14 + i));
	}
	assert_int_equal(vf_take(d, got), 0);
}

static void nothing_moves_before_vf_reset_or_with_the_queue_off(void **state)
{
	struct vf_driver *d = *state;

	vf_open(d, VF_ONE_BUFFER); /* without VF_RESET */
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 100, 1), 100), 1);
	assert_int_equal(dropped(d, DROP_RX_DISABLED), 1);
	vf_send(d, 0, own_frame(100, 1), 100, 0, 0);
	assert_int_equal(d->m->frames, 0);
	assert_true(vf_reset(d));
	vf_open(d, VF_ONE_BUFFER);
	vf_w(d, RXDCTL, 0);
	vf_w(d, TXDCTL, 0);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 100, 1), 100), 1);
	assert_int_equal(dropped(d, DROP_RX_DISABLED), 2);
	vf_send(d, 0, own_frame(100, 1), 100, 0, 0);
	assert_int_equal(d->m->frames, 0);
	vf_w(d, TXDCTL, BIT(25)); /* what was posted goes out now */
	assert_int_equal(d->m->frames, 1);
}

/* --- filters --- */

static void others_unicast_is_never_received(void **state)
{
	struct vf_driver *d = *state;
	static const uint8_t second[6] = { 2, 0, 0, 0, 0, 2 };

	assert_int_equal(hear(d, frame_to(second, 100, 1), 100), 0);
	assert_int_equal(dropped(d, DROP_FILTERED), 1);
	assert_int_equal(hear(d, frame_to(all, 100, 1), 100), 100);
	policy(d)->trusted = true;
	assert_int_equal(vf_ask_mac(d, 2 | 2u << 16, second), 2 | 2u << 16 | ACK | CTS);
	assert_int_equal(hear(d, frame_to(second, 100, 1), 100), 100);
	assert_int_equal(vf_ask_mac(d, 2 | 1u << 16, second), 2 | 1u << 16 | ACK | CTS);
	assert_int_equal(hear(d, frame_to(second, 100, 1), 100), 0);
	assert_int_equal(vf_ask(d, 6 | 1u << 16, 0, 0), 6 | 1u << 16 | NACK | CTS);
	assert_int_equal(hear(d, frame_to(second, 100, 1), 100), 0);
}

static void multicast_is_received_by_hash_or_all_of_it(void **state)
{
	struct vf_driver *d = *state;
	static const uint8_t group[2][6] = { { 1, 0, 0x5e, 1, 2, 3 },
					     { 0x33, 0x33, 0, 0, 0xab, 0xcd } };
	static const uint8_t foreign[6] = { 1, 0, 0x5e, 1, 2, 4 };

	assert_int_equal(hear(d, frame_to(group[0], 100, 1), 100), 0);
	vf_set_multicast(d, group, 2);
	assert_int_equal(hear(d, frame_to(group[0], 100, 1), 100), 100);
	assert_int_equal(hear(d, frame_to(group[1], 100, 1), 100), 100);
	assert_int_equal(hear(d, frame_to(foreign, 100, 1), 100), 0);
	assert_int_equal(vf_ask(d, 6 | 2u << 16, 0, 0), 6 | ACK | CTS);
	assert_int_equal(hear(d, frame_to(foreign, 100, 1), 100), 100);
	assert_int_equal(vf_ask(d, 6, 0, 0), 6 | ACK | CTS);
	assert_int_equal(hear(d, frame_to(foreign, 100, 1), 100), 0);
}

static void frames_longer_than_the_driver_said_are_dropped(void **state)
{
	struct vf_driver *d = *state;

	assert_int_equal(hear(d, frame_to(card_mac, 1518, 1), 1518), 1518);
	assert_int_equal(hear(d, frame_to(card_mac, 1519, 1), 1519), 0);
	assert_int_equal(dropped(d, DROP_OVERSIZE), 1);
	assert_int_equal(vf_ask(d, 5, 4000, 0), 5 | ACK | CTS);
	assert_int_equal(hear(d, frame_to(card_mac, 3996, 1), 3996), 3996);
	assert_int_equal(hear(d, frame_to(card_mac, 3997, 1), 3997), 0);
}

/* --- VLANs --- */

static size_t hear_tagged(struct vf_driver *d, uint16_t tci)
{
	uint8_t f[200];

	memcpy(f, frame_to(card_mac, 100, 1), 100);
	return hear(d, f, put_tag(f, 100, tci));
}

static void tagged_frames_come_only_from_registered_vlans_and_without_their_tag(void **state)
{
	struct vf_driver *d = *state;

	assert_int_equal(hear_tagged(d, 100), 0);
	assert_int_equal(dropped(d, DROP_FILTERED), 1);
	assert_int_equal(hear_tagged(d, 0x6000), 104); /* priority only: VLAN 0, tag left in */
	assert_int_equal(d->status & VP, 0);
	assert_int_equal(vf_ask(d, 4 | 1u << 16, 100, 0), 4 | 1u << 16 | ACK | CTS);
	assert_int_equal(hear_tagged(d, 0x6000 | 100), 100);
	assert_true(d->status & VP);
	assert_int_equal(d->tag, 0x6000 | 100);
	assert_memory_equal(got, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(hear_tagged(d, 101), 0);
	assert_int_equal(hear(d, frame_to(card_mac, 100, 1), 100), 100);
	assert_int_equal(d->status & VP, 0);
	assert_int_equal(vf_ask(d, 4, 100, 0), 4 | ACK | CTS);
	assert_int_equal(hear_tagged(d, 100), 0);
}

static void a_tag_that_the_driver_asks_for_is_inserted(void **state)
{
	struct vf_driver *d = *state;

	vf_ask(d, 4 | 1u << 16, 100, 0);
	vf_context(d, 0, 14, 0, 0, 0, false, 0x2000 | 100);
	vf_send(d, 0, own_frame(100, 1), 100, VF_VLE, 0);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 104);
	assert_int_equal(get_be32(d->m->wire[0].data + 12), 0x81002064);
	/* a VLAN that is not ours */
	vf_context(d, 0, 14, 0, 0, 0, false, 101);
	vf_send(d, 0, own_frame(100, 1), 100, VF_VLE, 0);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(dropped(d, DROP_SPOOFED), 1);
}

static int setup_vlan(void **state)
{
	return setup_policy(state, (struct nic_spec){ .vlan = 42, .qos = 3 });
}

static void a_port_vlan_is_put_on_and_taken_off_behind_the_guests_back(void **state)
{
	struct vf_driver *d = *state;

	assert_true(vf_reset(d));
	vf_open(d, VF_ONE_BUFFER);
	vf_send(d, 0, own_frame(100, 1), 100, 0, 0);
	assert_int_equal(d->m->wire[0].length, 104);
	assert_int_equal(get_be32(d->m->wire[0].data + 12), 0x8100602a);
	assert_memory_equal(d->m->wire[0].data + 16, own_frame(100, 1) + 12, 88);
	/* what the descriptor asks for does not count */
	vf_context(d, 0, 14, 0, 0, 0, false, 7);
	vf_send(d, 0, own_frame(100, 1), 100, VF_VLE, 0);
	assert_int_equal(get_be32(d->m->wire[1].data + 12), 0x8100602a);
	/* with a checksum, whose place moves along */
	uint8_t f[2000];
	size_t len = ip_frame(f, other, 6, 100);
	memcpy(f + 6, card_mac, 6);
	vf_context(d, 0, 14, 20, 20, 0, true, 0);
	vf_send(d, 0, f, len, 0, VF_TXSM);
	assert_int_equal(d->m->wire[2].hdr.csum_start, 38);
	assert_int_equal(get_be32(d->m->wire[2].data + 12), 0x8100602a);
	assert_int_equal(hear_tagged(d, 42), 100);
	assert_int_equal(hear_tagged(d, 43), 0);
	assert_int_equal(hear_tagged(d, 0), 0);
	assert_int_equal(hear(d, frame_to(card_mac, 100, 1), 100), 0);
	assert_int_equal(vf_ask(d, 4 | 1u << 16, 43, 0), 4 | NACK | CTS);
}

/* --- transmit --- */

static void frames_in_several_pieces_are_one_frame(void **state)
{
	struct vf_driver *d = *state;
	const uint8_t *f = own_frame(1000, 7);
	uint64_t at = vf_stage(d, 0, f, 1000);

	vf_post(d, 0, at, VF_DATA | 10, 0);
	vf_post(d, 0, at + 10, VF_DATA | 490, 0);
	vf_post(d, 0, at + 500, VF_DATA | VF_EOP | VF_RS | 500, 0);
	vf_kick(d, 0);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 1000);
	assert_memory_equal(d->m->wire[0].data, f, 1000);
	assert_false(vf_sent(d, 0, 0));
	assert_true(vf_sent(d, 0, 2));
	assert_int_equal(vf_r(d, TDH), 3);
}

static void checksums_are_asked_from_who_comes_next(void **state)
{
	struct vf_driver *d = *state;
	uint8_t f[2000];
	size_t len = ip_frame(f, other, 6, 500);

	memcpy(f + 6, card_mac, 6);
	vf_context(d, 0, 14, 20, 20, 0, true, 0);
	vf_send(d, 0, f, len, 0, VF_TXSM | VF_IXSM);
	const struct wire_frame *w = &d->m->wire[0];
	assert_int_equal(w->hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(w->hdr.csum_start, 34);
	assert_int_equal(w->hdr.csum_offset, 16);
	assert_int_equal(by_the_book(0, w->data + 14, 20), 0);
}

static void a_large_segment_goes_out_as_one_and_counts_as_many(void **state)
{
	struct vf_driver *d = *state;
	static uint8_t f[9000];
	size_t len = ip_frame(f, other, 6, 4000);

	memcpy(f + 6, card_mac, 6);
	put_be16(f + 16, 0);
	uint64_t at = VF_TX_DATA(0);
	memcpy(machine_at(d->m, at), f, len);
	vf_context(d, 0, 14, 20, 20, 1460, true, 0);
	vf_post(d, 0, at, VF_DATA | VF_TSE | 54, VF_TXSM | VF_IXSM | 4000u << 14);
	vf_post(d, 0, at + 54, VF_DATA | VF_EOP | VF_RS | 4000, VF_TXSM | VF_IXSM | 4000u << 14);
	vf_kick(d, 0);
	const struct wire_frame *w = &d->m->wire[0];
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(w->hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(w->hdr.gso_size, 1460);
	assert_int_equal(w->length, len);
	assert_int_equal(vf_r(d, 0xf14), 3);
	assert_int_equal(vf_r(d, 0xf34), 4000 + 3 * (54 + 4));
}

static void the_second_queue_sends_too(void **state)
{
	struct vf_driver *d = *state;

	vf_open_tx(d, 1);
	machine_use_msix(d->m);
	vf_w(d, 0x1700, 0x81u << 24); /* transmit queue 1: vector 1 */
	vf_w(d, EIMS, 2);
	vf_send(d, 1, own_frame(100, 9), 100, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_true(vf_sent(d, 1, 0));
	assert_int_equal(machine_vector(d->m, 1), 1);
	assert_int_equal(vf_r(d, TDH), 0);
	assert_int_equal(vf_r(d, TDH + 0x100), 1);
}

static void the_head_can_be_written_to_memory(void **state)
{
	struct vf_driver *d = *state;

	vf_w(d, TDWBAL, VF_HEAD(0) | 1);
	vf_send(d, 0, own_frame(100, 1), 100, 0, 0);
	vf_send(d, 0, own_frame(100, 1), 100, 0, 0);
	assert_int_equal(get_le32(machine_at(d->m, VF_HEAD(0))), 2);
	assert_false(vf_sent(d, 0, 0));
}

static void frames_stay_in_the_ring_while_the_wire_is_full(void **state)
{
	struct vf_driver *d = *state;

	d->m->wire_room = 1;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t at = vf_stage(d, 0, own_frame(100, (uint8_t)i), 100);
		vf_post(d, 0, at, VF_DATA | VF_EOP | VF_RS | 100, 0);
	}
	vf_kick(d, 0);
	assert_int_equal(d->m->frames, 1);
	assert_true(vf_sent(d, 0, 0));
	assert_false(vf_sent(d, 0, 1));
	assert_int_equal(vf_r(d, 0xf14), 1);
	d->m->wire_room = 9;
	nic_kick(d->m->nic, 0);
	machine_run(d->m);
	assert_int_equal(d->m->frames, 3);
	assert_int_equal(d->m->wire[2].data[14], 16);
}

/* --- anti-spoofing --- */

static void a_foreign_source_is_not_sent_and_the_ring_goes_on(void **state)
{
	struct vf_driver *d = *state;
	static const uint8_t mine[6] = { 2, 0, 0, 0, 0, 1 };
	uint8_t f[100];

	memcpy(f, own_frame(100, 1), 100);
	for (unsigned i = 0; i < 3; i++) {
		memcpy(f + 6, i == 1 ? mine : card_mac, 6);
		uint64_t at = vf_stage(d, 0, f, 100);
		vf_post(d, 0, at, VF_DATA | VF_EOP | VF_RS | 100, 0);
	}
	vf_kick(d, 0);
	assert_int_equal(d->m->frames, 2);
	assert_int_equal(dropped(d, DROP_SPOOFED), 1);
	assert_true(vf_sent(d, 0, 1) && vf_sent(d, 0, 2));
	policy(d)->trusted = true;
	assert_int_equal(vf_ask_mac(d, 2 | 2u << 16, mine), 2 | 2u << 16 | ACK | CTS);
	memcpy(f + 6, mine, 6);
	vf_send(d, 0, f, 100, 0, 0);
	assert_int_equal(d->m->frames, 3);
	policy(d)->spoof_check = false;
	f[11] = 77;
	vf_send(d, 0, f, 100, 0, 0);
	assert_int_equal(d->m->frames, 4);
}

static int setup_unchecked(void **state)
{
	return setup_policy(state, (struct nic_spec){ .spoofchk = TRISTATE_OFF });
}

static void without_the_spoof_check_any_frame_is_sent(void **state)
{
	struct vf_driver *d = *state;

	assert_true(vf_reset(d));
	vf_open(d, VF_ONE_BUFFER);
	uint8_t f[200];
	memcpy(f, own_frame(100, 1), 100);
	f[11] = 77;
	size_t len = put_tag(f, 100, 99);
	vf_send(d, 0, f, len, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_memory_equal(d->m->wire[0].data, f, len);
	assert_int_equal(dropped(d, DROP_SPOOFED), 0);
}

/* A wire on which the guest has its say between check and sending. */
static uint8_t *source_in_ram;

static unsigned late(struct nic_sink *sink, struct nic *nic, struct frame *frames, unsigned n)
{
	struct machine *m = (struct machine *)sink;

	(void)nic;
	memset(source_in_ram, 0xee, 6);
	for (unsigned i = 0; i < n; i++) {
		struct wire_frame *w = &m->wire[m->frames++];
		w->length = frames[i].length;
		w->data = calloc(1, w->length);
		iov_to_buffer(frames[i].iov, frames[i].iovs, 0, w->data, w->length);
	}
	return n;
}

static void what_was_checked_is_what_is_sent(void **state)
{
	struct vf_driver *d = *state;

	source_in_ram = machine_at(d->m, VF_TX_DATA(0)) + 6;
	d->m->sink.send = late;
	vf_send(d, 0, own_frame(100, 1), 100, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_memory_equal(d->m->wire[0].data, own_frame(100, 1), 100);
	assert_int_equal(source_in_ram[0], 0xee);
}

static void a_frame_in_too_many_pieces_is_dropped(void **state)
{
	struct vf_driver *d = *state;
	uint64_t at = vf_stage(d, 0, own_frame(1000, 1), 1000);

	/* a ring of 64 descriptors over both rings' places */
	vf_w(d, TXDCTL, 0);
	vf_w(d, TDLEN, 64 * 16);
	vf_w(d, TXDCTL, BIT(25));
	for (unsigned i = 0; i < FRAME_IOV_MAX; i++) {
		uint8_t *p = machine_at(d->m, VF_TX_RING(0) + 16 * i);
		put_le64(p, at + i * 20);
		put_le32(p + 8, VF_DATA | 20 | (i == FRAME_IOV_MAX - 1 ? VF_EOP | VF_RS : 0));
		put_le32(p + 12, 0);
	}
	vf_w(d, 0x3818, FRAME_IOV_MAX);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(dropped(d, DROP_BAD_DESCRIPTOR), 1);
	assert_int_equal(vf_r(d, TDH), FRAME_IOV_MAX);
	policy(d)->spoof_check = false; /* nothing is copied: all pieces fit */
	vf_w(d, TDH, 0);
	vf_w(d, 0x3818, FRAME_IOV_MAX);
	assert_int_equal(d->m->frames, 1);
}

/* --- bad input --- */

static void buffers_outside_memory_are_counted_and_the_queue_goes_on(void **state)
{
	struct vf_driver *d = *state;

	vf_post(d, 0, RAM_END - 10, VF_DATA | VF_EOP | VF_RS | 100, 0);
	vf_kick(d, 0);
	assert_int_equal(dropped(d, DROP_BAD_ADDRESS), 1);
	assert_true(vf_sent(d, 0, 0));
	vf_send(d, 0, own_frame(100, 1), 100, 0, 0);
	assert_int_equal(d->m->frames, 1);
	put_le64(machine_at(d->m, VF_RX_RING), 0xfffff000);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 100, 1), 100), 1);
	assert_int_equal(dropped(d, DROP_BAD_ADDRESS), 2);
	vf_take(d, got);
	assert_int_equal(hear(d, frame_to(card_mac, 100, 1), 100), 100);
	assert_true(d->m->nic->counters.bad_access >= 2);
}

static void a_ring_outside_memory_makes_the_driver_failed_until_it_resets(void **state)
{
	struct vf_driver *d = *state;

	machine_use_msix(d->m);
	vf_use_vectors(d);
	assert_int_equal(d->m->nic->status.now.state, DRIVER_READY);
	vf_w(d, TDBAL, RAM_END);
	vf_w(d, 0x3818, 3);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(d->m->nic->status.now.state, DRIVER_FAILED);
	assert_true(vf_reset(d));
	vf_open(d, VF_ONE_BUFFER);
	vf_use_vectors(d);
	assert_int_equal(d->m->nic->status.now.state, DRIVER_READY);
	vf_w(d, RDBAL, RAM_END);
	machine_say(d->m, frame_to(card_mac, 100, 1), 100);
	assert_int_equal(dropped(d, DROP_BAD_ADDRESS), 1);
	assert_int_equal(d->m->nic->status.now.state, DRIVER_FAILED);
}

static void a_reset_in_the_middle_of_a_frame_forgets_it(void **state)
{
	struct vf_driver *d = *state;
	uint64_t at = vf_stage(d, 0, own_frame(100, 1), 100);

	vf_post(d, 0, at, VF_DATA | 50, 0);
	vf_kick(d, 0);
	assert_true(vf_reset(d));
	vf_open(d, VF_ONE_BUFFER);
	vf_send(d, 0, own_frame(100, 2), 100, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 100);
}

/* --- save and load --- */

static void move(struct vf_driver *d)
{
	struct buffer state = { 0 }, again = { 0 };
	struct error err = { 0 };

	assert_int_equal(nic_save(d->m->nic, &state), 0);
	assert_true(state.length < 8192);
	if (nic_load(d->m->nic, state.data, state.length, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(nic_save(d->m->nic, &again), 0);
	assert_int_equal(again.length, state.length);
	assert_memory_equal(again.data, state.data, state.length);
	buffer_finish(&state);
	buffer_finish(&again);
}

static void a_guest_that_moves_in_the_middle_of_traffic_notices_nothing(void **state)
{
	struct vf_driver *d = *state;
	static const uint8_t mine[6] = { 2, 0, 0, 0, 0, 1 };
	static const uint8_t group[6] = { 1, 0, 0x5e, 1, 2, 3 };
	uint8_t f[2000];

	machine_use_msix(d->m);
	vf_use_vectors(d);
	policy(d)->trusted = true;
	assert_int_equal(vf_ask_mac(d, 2, mine), 2 | ACK | CTS);
	vf_set_multicast(d, &group, 1);
	vf_ask(d, 4 | 1u << 16, 100, 0);
	vf_ask(d, 5, 4000, 0);
	/* a frame of which half is posted, behind a context; another that the wire does not take */
	d->m->wire_room = 0;
	size_t len = ip_frame(f, other, 6, 100);
	memcpy(f + 6, mine, 6);
	vf_send(d, 0, f, len, 0, 0);
	vf_context(d, 0, 14, 20, 20, 0, true, 0);
	uint64_t at = vf_stage(d, 0, f, len);
	vf_post(d, 0, at, VF_DATA | 54, VF_TXSM);
	vf_kick(d, 0);
	assert_int_equal(machine_say(d->m, frame_to(mine, 100, 1), 100), 1);
	assert_int_equal(machine_vector(d->m, 1), 1); /* masked itself */
	assert_int_equal(machine_say(d->m, frame_to(group, 100, 2), 100), 1);
	move(d);
	machine_set_bus(d->m, true);
	d->m->wire_room = 9;
	vf_post(d, 0, at + 54, VF_DATA | VF_EOP | VF_RS | (uint32_t)(len - 54), VF_TXSM);
	vf_kick(d, 0);
	assert_int_equal(d->m->frames, 2);
	assert_int_equal(d->m->wire[1].hdr.csum_start, 34);
	assert_int_equal(vf_take(d, got), 100);
	assert_int_equal(vf_take(d, got), 100);
	assert_int_equal(vf_take(d, got), 0);
	vf_w(d, EIMS, 2);
	assert_true(machine_vector(d->m, 1) > 0); /* the second frame's */
	assert_int_equal(hear(d, frame_to(mine, 3900, 3), 3900), 3900);
	assert_int_equal(hear(d, frame_to(card_mac, 100, 3), 100), 0);
	assert_int_equal(hear_tagged(d, 100), 0); /* to the first address */
	assert_int_equal(d->m->nic->status.now.state, DRIVER_READY);
}

int main(void)
{
#define SPECIAL(name, begin) cmocka_unit_test_setup_teardown(name, begin, teardown)
#define STORY(name)	     cmocka_unit_test_setup_teardown(name, setup_open, teardown)
	const struct CMUnitTest tests[] = {
		STORY(a_frame_fills_one_buffer_and_tells_its_length_and_type),
		STORY(a_short_frame_is_padded),
		STORY(legacy_descriptors_are_served_too),
		STORY(a_long_frame_begins_in_the_header_buffer_and_goes_on_over_descriptors),
		STORY(headers_are_split_where_psrtype_says),
		STORY(frames_wait_while_there_is_no_buffer),
		cmocka_unit_test_setup_teardown(nothing_moves_before_vf_reset_or_with_the_queue_off,
						setup, teardown),
		STORY(others_unicast_is_never_received),
		STORY(multicast_is_received_by_hash_or_all_of_it),
		STORY(frames_longer_than_the_driver_said_are_dropped),
		STORY(tagged_frames_come_only_from_registered_vlans_and_without_their_tag),
		STORY(a_tag_that_the_driver_asks_for_is_inserted),
		SPECIAL(a_port_vlan_is_put_on_and_taken_off_behind_the_guests_back, setup_vlan),
		SPECIAL(without_the_spoof_check_any_frame_is_sent, setup_unchecked),
		STORY(frames_in_several_pieces_are_one_frame),
		STORY(checksums_are_asked_from_who_comes_next),
		STORY(a_large_segment_goes_out_as_one_and_counts_as_many),
		STORY(the_second_queue_sends_too),
		STORY(the_head_can_be_written_to_memory),
		STORY(frames_stay_in_the_ring_while_the_wire_is_full),
		STORY(a_foreign_source_is_not_sent_and_the_ring_goes_on),
		STORY(what_was_checked_is_what_is_sent),
		STORY(a_frame_in_too_many_pieces_is_dropped),
		STORY(buffers_outside_memory_are_counted_and_the_queue_goes_on),
		STORY(a_ring_outside_memory_makes_the_driver_failed_until_it_resets),
		STORY(a_reset_in_the_middle_of_a_frame_forgets_it),
		STORY(a_guest_that_moves_in_the_middle_of_traffic_notices_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
