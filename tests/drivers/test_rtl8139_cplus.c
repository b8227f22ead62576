/* The RTL8139C+'s descriptor rings: frames both ways, offloads, interrupts. */
#include "rtl8139_help.h"

static uint8_t got[16384];

/* --- transmit --- */

static void a_frame_goes_out_and_its_descriptor_comes_back(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	const uint8_t *f = frame_to(other, 300, 1);

	rtl_send(d, f, 300, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 300);
	assert_memory_equal(d->m->wire[0].data, f, 300);
	assert_int_equal(d->m->wire[0].hdr.flags, 0);
	assert_int_equal(rtl_tx_opts1(d, 0), 0x3000012c);
	assert_int_equal(rtl_r16(d, 0x82), (RTL_TX_RING + 0) & 0xffff);
	assert_int_equal(d->m->nic->counters.tx_frames, 1);
}

static void what_was_posted_without_bus_mastering_goes_out_when_it_is_back(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	machine_set_bus(d->m, false);
	rtl_queue_piece(d, RTL_TX_BUFFERS, 300, 0x30000000, 0);
	pci_config_write(&d->m->nic->pci, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	rtl_kick(d);
	assert_int_equal(d->m->frames, 0);
	machine_set_bus(d->m, true);
	machine_run(d->m);
	assert_int_equal(d->m->frames, 1);
}

static void the_ring_wraps_at_its_end_mark(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	for (unsigned i = 0; i < 200; i++) {
		const uint8_t *f = frame_to(other, 60 + i, (uint8_t)i);
		rtl_send(d, f, 60 + i, 0, 0);
		assert_int_equal(d->m->frames, 1);
		assert_memory_equal(d->m->wire[0].data, f, 60 + i);
		machine_clear_wire(d->m);
	}
	assert_true(rtl_tx_opts1(d, 63) & 0x40000000);
}

static void many_frames_go_out_in_one_call_and_one_interrupt(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	for (unsigned i = 0; i < 40; i++) {
		uint64_t at = RTL_TX_BUFFERS + i * RTL_BUFFER;
		memcpy(machine_at(d->m, at), frame_to(other, 64, (uint8_t)i), 64);
		rtl_queue_piece(d, at, 64, 0x30000000, 0);
	}
	rtl_kick(d);
	assert_int_equal(d->m->frames, 40);
	assert_int_equal(d->m->sends, 1);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0084); /* sent; none left */
	for (unsigned i = 0; i < 40; i++)
		assert_false(rtl_tx_opts1(d, i) & 0x80000000);
}

static void a_frame_may_lie_in_many_pieces_and_across_maps(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	const uint8_t *f = frame_to(other, 1500, 3);
	uint64_t at = RAM_BORDER - 750; /* the middle piece lies in both maps */

	memcpy(machine_at(d->m, at), f, 1500);
	rtl_queue_piece(d, at + 20, 1000, 0, 0);
	rtl_queue_piece(d, at + 1020, 0, 0, 0);
	rtl_queue_piece(d, at + 1020, 480, 0x10000000, 0);
	/* given back to front, as Linux does: the kick comes when all is there */
	d->tx_next = 0;
	uint32_t rest = rtl_tx_opts1(d, 0);
	assert_true(rest & 0x80000000);
	for (unsigned i = 2; i > 0; i--)
		memcpy(machine_at(d->m, RTL_TX_RING + 16 * (i + 1)),
		       machine_at(d->m, RTL_TX_RING + 16 * i), 16);
	memcpy(machine_at(d->m, RTL_TX_RING + 16), machine_at(d->m, RTL_TX_RING), 16);
	rtl_queue_piece(d, at, 20, 0x20000000, 0);
	rtl_kick(d);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 1500);
	assert_memory_equal(d->m->wire[0].data, f, 1500);
}

static void an_unfinished_frame_waits_for_its_rest(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	memcpy(machine_at(d->m, RTL_TX_BUFFERS), frame_to(other, 128, 9), 128);
	rtl_queue_piece(d, RTL_TX_BUFFERS, 64, 0x20000000, 0);
	rtl_kick(d);
	assert_int_equal(d->m->frames, 0);
	assert_true(rtl_tx_opts1(d, 0) & 0x80000000);
	rtl_queue_piece(d, RTL_TX_BUFFERS + 64, 64, 0x10000000, 0);
	rtl_kick(d);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 128);
}

static void a_busy_wire_leaves_frames_in_the_ring(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	d->m->wire_room = 3;
	for (unsigned i = 0; i < 10; i++) {
		memcpy(machine_at(d->m, RTL_TX_BUFFERS + i * RTL_BUFFER),
		       frame_to(other, 64, (uint8_t)i), 64);
		rtl_queue_piece(d, RTL_TX_BUFFERS + i * RTL_BUFFER, 64, 0x30000000, 0);
	}
	rtl_kick(d);
	assert_int_equal(d->m->frames, 3);
	assert_false(rtl_tx_opts1(d, 2) & 0x80000000);
	assert_true(rtl_tx_opts1(d, 3) & 0x80000000);
	d->m->wire_room = UINT32_MAX;
	nic_kick(d->m->nic, 0); /* the owner, when the wire is free */
	machine_run(d->m);
	assert_int_equal(d->m->frames, 10);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(d->m->wire[i].data[14], (uint8_t)(i + 14));
}

static void the_high_priority_ring_goes_first(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	uint8_t *high = machine_at(d->m, RTL_HIGH_RING);

	memcpy(machine_at(d->m, RTL_TX_BUFFERS), frame_to(other, 64, 1), 64);
	rtl_queue_piece(d, RTL_TX_BUFFERS, 64, 0x30000000, 0);
	memcpy(machine_at(d->m, RTL_TX_BUFFERS + 4096), frame_to(other, 70, 2), 70);
	put_le64(high + 8, RTL_TX_BUFFERS + 4096);
	put_le32(high, 0xf0000000 | 70);
	rtl_w8(d, 0xd9, 0xc0);
	assert_int_equal(d->m->frames, 2);
	assert_int_equal(d->m->wire[0].length, 70);
	assert_int_equal(d->m->wire[1].length, 64);
	assert_int_equal(get_le32(high), 0x70000000 | 70);
}

/* --- transmit offloads --- */

static void a_tag_is_inserted(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	const uint8_t *f = frame_to(other, 100, 5);

	rtl_send(d, f, 100, 0, 0x00020000 | 0x2301); /* tag control 0x0123, as it is on the wire */
	assert_int_equal(d->m->wire[0].length, 104);
	assert_memory_equal(d->m->wire[0].data, f, 12);
	assert_int_equal(get_be32(d->m->wire[0].data + 12), 0x81000123);
	assert_memory_equal(d->m->wire[0].data + 16, f + 12, 88);
}

/* Header fields as Linux leaves them; what leaves must ask for exactly the missing checksum. */
static void checksums_are_asked_for(void **state)
{
	static const struct {
		uint8_t protocol;
		uint32_t flags;
		unsigned at;
	} row[] = {
		{ 6, 0x00050000, 16 },
		{ 17, 0x00060000, 6 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(row); i++)
		for (unsigned tag = 0; tag < 2; tag++) {
			struct rtl_driver *d = open_cp(state, 0);
			uint8_t f[600];
			size_t len = ip_frame(f, other, row[i].protocol, 333);
			put_be16(f + 34 + row[i].at,
				 0xdead); /* the chip does not care what is there */
			rtl_send(d, f, len, row[i].flags, tag ? 0x00020100 : 0);
			assert_int_equal(d->m->frames, 1);
			struct wire_frame *w = &d->m->wire[0];
			unsigned l2 = tag ? 18 : 14;
			assert_int_equal(w->length, len + (tag ? 4 : 0));
			assert_int_equal(w->hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
			assert_int_equal(w->hdr.csum_start, l2 + 20);
			assert_int_equal(w->hdr.csum_offset, row[i].at);
			assert_int_equal(w->hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
			assert_int_equal(by_the_book(0, w->data + l2, 20),
					 0); /* IP header checksum is right */
			/* summing from csum_start gives what a full checksum would be */
			uint16_t filled = by_the_book(0, w->data + l2 + 20, w->length - l2 - 20);
			fill_checksums(f, len);
			assert_int_equal(filled, get_be16(f + 34 + row[i].at));
			machine_clear_wire(d->m);
		}
}

static void ip_checksum_alone_and_padding_are_right(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	uint8_t f[200];
	size_t len = ip_frame(f, other, 17, 3);

	memset(f + len, 0xee, 20); /* padding that is not zero */
	rtl_send(d, f, len + 20, 0x00040000, 0);
	assert_int_equal(d->m->wire[0].hdr.flags, 0);
	assert_int_equal(by_the_book(0, d->m->wire[0].data + 14, 20), 0);
	assert_int_equal(d->m->wire[0].length, len + 20);
	rtl_send(d, f, len + 20, 0x00060000, 0);
	assert_int_equal(d->m->wire[1].hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(d->m->wire[1].length, len); /* else the padding would be summed */
}

static void what_the_chip_cannot_parse_goes_out_as_it_is(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	uint8_t f[200];
	size_t len = ip_frame(f, other, 6, 50);

	put_be16(f + 12, 0x86dd); /* IPv6: the chip knows IPv4 only */
	rtl_send(d, f, len, 0x00050000, 0);
	assert_memory_equal(d->m->wire[0].data, f, len);
	assert_int_equal(d->m->wire[0].hdr.flags, 0);
	put_be16(f + 12, 0x0800);
	put_be16(f + 20, 0x2000); /* a fragment: no TCP checksum */
	rtl_send(d, f, len, 0x00050000, 0);
	assert_int_equal(d->m->wire[1].hdr.flags, 0);
	assert_int_equal(by_the_book(0, d->m->wire[1].data + 14, 20), 0);
}

static void a_large_send_becomes_one_segment_request(void **state)
{
	for (unsigned tag = 0; tag < 2; tag++) {
		struct rtl_driver *d = open_cp(state, 0);
		static uint8_t f[65000];
		size_t len = ip_frame(f, other, 6, 60000);
		f[47] = 0x18;
		uint64_t at = RTL_TX_BUFFERS;
		memcpy(machine_at(d->m, at), f, len);
		uint32_t flags = 0x08000000 | 1448u << 16, opts2 = tag ? 0x00020700 : 0;
		/* as Linux: headers in the first piece, pages behind */
		rtl_queue_piece(d, at, 54, flags | 0x20000000, opts2);
		for (size_t done = 54; done < len; done += 4096) {
			uint32_t n = (uint32_t)MIN(len - done, 4096);
			rtl_queue_piece(d, at + done, n, flags | (done + n == len ? 0x10000000 : 0),
					opts2);
		}
		unsigned pieces = d->tx_next;
		rtl_kick(d);
		assert_int_equal(d->m->frames, 1);
		struct wire_frame *w = &d->m->wire[0];
		unsigned l2 = tag ? 18 : 14;
		assert_int_equal(w->length, len + (tag ? 4 : 0));
		assert_int_equal(w->hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
		assert_int_equal(w->hdr.gso_size, 1448);
		assert_int_equal(w->hdr.hdr_len, l2 + 40);
		assert_int_equal(w->hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(w->hdr.csum_start, l2 + 20);
		assert_int_equal(w->hdr.csum_offset, 16);
		assert_int_equal(get_be16(w->data + l2 + 36),
				 (uint16_t)~by_the_book(pseudo(f + 14, len - 34), NULL, 0));
		assert_memory_equal(w->data + l2 + 40, f + 54, len - 54);
		/* the status word shows no error, though the MSS stood where errors are told */
		for (unsigned i = 0; i < pieces; i++)
			assert_int_equal(rtl_tx_opts1(d, i) & 0x8fff0000, 0);
		machine_clear_wire(d->m);
	}
}

static void a_large_send_that_fits_one_frame_is_only_summed(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	uint8_t f[1400];
	size_t len = ip_frame(f, other, 6, 1000);

	put_be16(f + 16, 0); /* Windows leaves the IP length 0 */
	rtl_send(d, f, len, 0x08000000 | 1448u << 16, 0);
	assert_int_equal(d->m->wire[0].hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	assert_int_equal(d->m->wire[0].hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(get_be16(d->m->wire[0].data + 16), 1040);
	f[47] = 0x90; /* congestion window reduced */
	rtl_send(d, f, len, 0x08000000 | 536u << 16, 0);
	assert_int_equal(d->m->wire[1].hdr.gso_type,
			 VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
}

/* --- receive --- */

static void a_frame_comes_in_with_its_status(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	const uint8_t *f = frame_to(card_mac, 500, 8);

	assert_int_equal(machine_say(d->m, f, 500), 1);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0001);
	assert_int_equal(rtl_take(d, got), 500);
	assert_memory_equal(got, f, 500);
	assert_int_equal(d->opts1, 0x30000000 | 0x02000000 | 504);
	assert_int_equal(rtl_take(d, got), 0);
}

static void short_frames_are_padded(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	uint8_t zero[60] = { 0 };

	memset(machine_at(d->m, RTL_RX_BUFFERS), 0x55, 128);
	machine_say(d->m, frame_to(all, 42, 8), 42);
	assert_int_equal(rtl_take(d, got), 60);
	assert_memory_equal(got + 42, zero, 18);
	assert_int_equal(d->opts1 & 0x07000000, 0x01000000);
	assert_int_equal(machine_at(d->m, RTL_RX_BUFFERS)[64],
			 0x55); /* and not a byte more is written */
}

static void frames_may_fill_several_buffers(void **state)
{
	struct rtl_driver *d = *state;
	const uint8_t *f = frame_to(card_mac, 4000, 4);

	d->rx_size = 256;
	rtl_open_cplus(d, 0, IMR_CP);
	for (unsigned round = 0; round < 20; round++) {
		assert_int_equal(machine_say(d->m, f, 4000), 1);
		assert_int_equal(rtl_take(d, got), 4000);
		assert_memory_equal(got, f, 4000);
	}
	/* the FCS alone in the last one */
	for (unsigned len = 508; len < 516; len++) {
		machine_say(d->m, f, len);
		assert_int_equal(rtl_take(d, got), len);
	}
}

static void without_buffers_nothing_is_lost(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	for (unsigned i = 0; i < RTL_RING; i++)
		assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, (uint8_t)i), 64), 1);
	rtl_ack(d);
	machine_interrupts(d->m);
	d->m->nic->notes.rx_ready = false;
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 99), 64), 0);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 99), 64), 0);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0010); /* told once */
	assert_int_equal(machine_interrupts(d->m), 1);
	rtl_w16(d, 0x3e, 0x0010);
	assert_false(d->m->nic->notes.rx_ready);

	/* the driver takes some and acknowledges: that is how we learn of the buffers */
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(rtl_take(d, got), 64 - 0);
		assert_int_equal(got[14], (uint8_t)(i + 14));
	}
	rtl_w16(d, 0x3c, IMR_CP);
	assert_true(d->m->nic->notes.rx_ready);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 99), 64), 1);
	assert_int_equal(rtl_r32(d, 0x4c), 0);
}

/* A driver that gives buffers and then touches no register: the clock looks. */
static void silent_refills_are_found_by_the_clock(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	while (machine_say(d->m, frame_to(card_mac, 64, 1), 64))
		;
	d->m->nic->notes.rx_ready = false;
	machine_wait(d->m, 1 * MS);
	assert_false(d->m->nic->notes.rx_ready);
	rtl_take(d, got);
	machine_wait(d->m, 5 * MS);
	assert_true(d->m->nic->notes.rx_ready);
	assert_int_equal(d->m->nic->notes.deadline_ns, 0);
}

static void a_tag_is_taken_out(void **state)
{
	struct rtl_driver *d = open_cp(state, 0x0040);
	uint8_t f[200];

	memcpy(f, frame_to(card_mac, 100, 3), 12);
	put_be32(f + 12, 0x81006123);
	memcpy(f + 16, frame_to(card_mac, 100, 3) + 12, 88);
	machine_say(d->m, f, 104);
	assert_int_equal(rtl_take(d, got), 100);
	assert_memory_equal(got, frame_to(card_mac, 100, 3), 100);
	assert_int_equal(d->opts2, 0x00010000 | 0x2361); /* the tag as it was on the wire */
	/* switched off, or no tag: left alone */
	machine_say(d->m, frame_to(card_mac, 100, 3), 100);
	assert_int_equal(rtl_take(d, got), 100);
	assert_int_equal(d->opts2, 0);
	rtl_w16(d, 0xe0, 0x0003);
	machine_say(d->m, f, 104);
	assert_int_equal(rtl_take(d, got), 104);
	assert_memory_equal(got, f, 104);
}

static void receive_checksums_are_verified(void **state)
{
	struct rtl_driver *d = open_cp(state, 0x0020);
	uint8_t f[1500];

	for (unsigned protocol = 6; protocol <= 17; protocol += 11)
		for (unsigned payload = 400; payload < 404; payload++) {
			uint32_t pid = protocol == 6 ? 0x10000 : 0x20000,
				 bad = protocol == 6 ? 0x2000 : 0x4000;
			size_t len = ip_frame(f, card_mac, (uint8_t)protocol, payload);
			fill_checksums(f, len);
			machine_say(d->m, f, len);
			rtl_take(d, got);
			assert_int_equal(d->opts1 & 0x0003e000, pid);
			f[len - 1] ^= 0x10;
			machine_say(d->m, f, len);
			rtl_take(d, got);
			assert_int_equal(d->opts1 & 0x0003e000, pid | bad);
			/* someone vouches for it */
			machine_say_flags(d->m, f, len, VIRTIO_NET_HDR_F_DATA_VALID);
			rtl_take(d, got);
			assert_int_equal(d->opts1 & 0x0003e000, pid);
			f[24] ^= 1; /* the IP header */
			machine_say(d->m, f, len);
			rtl_take(d, got);
			assert_int_equal(d->opts1 & 0x0003e000, 0x30000 | 0x8000);
		}
	size_t len = ip_frame(f, card_mac, 17, 10); /* UDP without a checksum is right */
	put_be16(f + 24, by_the_book(0, f + 14, 20));
	machine_say(d->m, f, len);
	rtl_take(d, got);
	assert_int_equal(d->opts1 & 0x0003e000, 0x20000);
	put_be16(f + 20, 0x2000); /* a fragment: IP only */
	put_be16(f + 24, 0);
	put_be16(f + 24, by_the_book(0, f + 14, 20));
	machine_say(d->m, f, len);
	rtl_take(d, got);
	assert_int_equal(d->opts1 & 0x0003e000, 0x30000);
	machine_say(d->m, frame_to(card_mac, 100, 1), 100); /* no IP */
	rtl_take(d, got);
	assert_int_equal(d->opts1 & 0x0003e000, 0);
}

static void the_filter_wants_what_it_was_told(void **state)
{
	static const uint8_t multi[6] = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb };
	static const struct {
		uint32_t rcr;
		bool mine, others, broadcast, hashed, unhashed;
	} row[] = {
		{ 0x00, false, false, false, false, false },
		{ 0x01, true, true, false, false, false },
		{ 0x02, true, false, false, false, false },
		{ 0x04, false, false, false, true, false },
		{ 0x08, false, false, true, false, false },
		{ 0x0f, true, true, true, true, false },
	};
	struct rtl_driver *d = open_cp(state, 0);

	/* Linux: bit = ether_crc(mac) >> 26; for 01:00:5e:00:00:fb that is 15 */
	rtl_w32(d, 0x08, 0x00008000);
	rtl_w32(d, 0x0c, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		const bool want[] = { row[i].mine, row[i].others, row[i].broadcast, row[i].hashed,
				      row[i].unhashed };
		uint8_t unhashed[6] = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 };
		const uint8_t *to[] = { card_mac, other, all, multi, unhashed };
		rtl_w32(d, 0x44, 0xe700 | row[i].rcr);
		for (unsigned k = 0; k < ARRAY_SIZE(to); k++) {
			uint64_t before = dropped(d, DROP_FILTERED);
			assert_int_equal(machine_say(d->m, frame_to(to[k], 64, 0), 64), 1);
			assert_int_equal(rtl_take(d, got) != 0, want[k]);
			assert_int_equal(dropped(d, DROP_FILTERED) - before, !want[k]);
			if (want[k])
				assert_int_equal(d->opts1 & 0x07000000, k == 0	 ? 0x02000000
									: k == 1 ? 0
									: k == 2 ? 0x01000000
										 : 0x04000000);
		}
	}
	/* a new station address */
	rtl_w32(d, 0x00, get_le32(other));
	rtl_w32(d, 0x04, get_le16(other + 4));
	rtl_w32(d, 0x44, 0xe702);
	machine_say(d->m, frame_to(other, 64, 0), 64);
	assert_int_equal(rtl_take(d, got), 60 + 4);
	machine_say(d->m, frame_to(card_mac, 64, 0), 64);
	assert_int_equal(rtl_take(d, got), 0);
}

static void a_receiver_that_is_off_takes_and_drops(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	rtl_w8(d, 0x37, 0x04);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 0), 64), 1);
	assert_int_equal(dropped(d, DROP_RX_DISABLED), 1);
	rtl_w8(d, 0x37, 0x0c);
	machine_set_bus(d->m, false);
	assert_int_equal(machine_say(d->m, frame_to(card_mac, 64, 0), 64), 1);
	assert_int_equal(dropped(d, DROP_RX_DISABLED), 2);
}

/* --- interrupts --- */

static void many_frames_in_one_call_are_one_interrupt(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	static struct frame f[10];
	static uint8_t data[10][64];

	for (unsigned i = 0; i < 10; i++) {
		memcpy(data[i], frame_to(card_mac, 64, (uint8_t)i), 64);
		frame_set_linear(&f[i], data[i], 64);
	}
	assert_int_equal(d->m->nic->ops->receive(d->m->nic, f, 10), 10);
	assert_int_equal(machine_interrupts(d->m), 1);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(rtl_take(d, got), 64);
		assert_int_equal(got[14], (uint8_t)(i + 14));
	}
}

static void a_sent_frame_waits_a_little_for_company(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	/* alone: half a millisecond later */
	rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	assert_int_equal(d->m->frames, 1);
	assert_false(rtl_tx_opts1(d, 0) & 0x80000000); /* given back at once */
	assert_int_equal(machine_interrupts(d->m), 0);
	machine_wait(d->m, 500000);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0084);
	rtl_w16(d, 0x3e, 0x0084);

	/* with a received frame: one interrupt for both */
	rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	machine_say(d->m, frame_to(card_mac, 64, 0), 64);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0085);
	rtl_w16(d, 0x3e, 0x0085);
	machine_wait(d->m, 1 * MS);
	assert_int_equal(machine_interrupts(d->m), 0);

	/* half a ring: at once */
	for (unsigned i = 0; i < 32; i++)
		rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	assert_int_equal(machine_interrupts(d->m), 1);
	rtl_w16(d, 0x3e, 0x0084);

	/* whoever asks is told the truth */
	rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0084);
	rtl_w16(d, 0x3e, 0x0084);
	machine_interrupts(d->m);
	machine_wait(d->m, 1 * MS);
	assert_int_equal(machine_interrupts(d->m), 0);

	/* a driver that polls */
	rtl_w16(d, 0x3c, 0);
	rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	assert_int_equal(d->m->nic->notes.deadline_ns, 0);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0084);
}

static void the_line_stays_up_until_the_last_cause_is_acknowledged(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	struct pci_device *pci = &d->m->nic->pci;

	machine_say(d->m, frame_to(card_mac, 64, 0), 64);
	rtl_w8(d, 0xd9, 0x01); /* software interrupt: masked by IMR 0x80ff */
	assert_true(pci_config_read(pci, 6, 2) & 0x08);
	pci_intx_unmask(pci);
	assert_int_equal(machine_interrupts(d->m), 2);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0101);
	rtl_w16(d, 0x3e, 0x0001);
	assert_false(pci_config_read(pci, 6, 2) & 0x08);
	pci_intx_unmask(pci);
	assert_int_equal(machine_interrupts(d->m), 0);
	rtl_w16(d, 0x3c, 0x0100); /* now it counts */
	assert_int_equal(machine_interrupts(d->m), 1);
	rtl_w16(d, 0x3c, 0);
	assert_false(pci_config_read(pci, 6, 2) & 0x08);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0100);
}

/* 8139cp acknowledges, then looks at its ring, while the frame and the acknowledgement cross on their way. */
static void an_acknowledgement_does_not_wipe_out_what_the_guest_has_not_seen(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	machine_say(d->m, frame_to(card_mac, 64, 1), 64);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0001);
	rtl_w16(d, 0x3c, 0x80ac); /* receive causes masked: the poll begins */
	assert_int_equal(rtl_take(d, got), 64);
	assert_int_equal(rtl_take(d, got),
			 0); /* nothing more, it sees; its acknowledgement is under way */
	machine_say(d->m, frame_to(card_mac, 64, 2), 64);
	rtl_w16(d, 0x3e, 0x0053);
	rtl_w16(d, 0x3c, IMR_CP);
	assert_int_equal(machine_interrupts(d->m), 1);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0001);
	rtl_w16(d, 0x3c, 0x80ac);
	rtl_w16(d, 0x3e, 0x0053);
	assert_int_equal(rtl_take(d, got), 64);

	/* the same, but the driver finds the frame: no interrupt for nothing */
	machine_say(d->m, frame_to(card_mac, 64, 3), 64);
	rtl_w16(d, 0x3e, 0x0053);
	assert_int_equal(rtl_take(d, got), 64);
	rtl_w16(d, 0x3c, IMR_CP);
	assert_int_equal(machine_interrupts(d->m), 0);
	assert_int_equal(rtl_r16(d, 0x3e), 0);

	/* sent frames likewise: what was shown is cleared, what came after it stays */
	for (unsigned i = 0; i < 32; i++)
		rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	assert_int_equal(rtl_r16(d, 0x3e), 0x0084);
	for (unsigned i = 0; i < 32; i++)
		rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	rtl_w16(d, 0x3e, 0x0084);
	assert_int_equal(rtl_ack(d), 0x0084);
	assert_int_equal(rtl_r16(d, 0x3e), 0);
}

/* --- tally counters, loopback --- */

static void the_tally_counters_are_dumped(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);
	uint8_t *t = machine_at(d->m, RTL_TALLY);

	rtl_w32(d, 0x44, 0xe70f);
	rtl_w32(d, 0x08, 0xffffffff);
	rtl_w32(d, 0x0c, 0xffffffff);
	for (unsigned i = 0; i < 3; i++)
		rtl_send(d, frame_to(other, 64, 0), 64, 0, 0);
	machine_say(d->m, frame_to(card_mac, 64, 0), 64);
	machine_say(d->m, frame_to(card_mac, 64, 0), 64);
	machine_say(d->m, frame_to(all, 64, 0), 64);
	machine_say(d->m, frame_to((const uint8_t *)"\x01\x00\x5e\x01\x02\x03", 64, 0), 64);
	memset(t, 0xff, 64);
	for (unsigned stopped = 0; stopped < 2; stopped++) {
		rtl_w32(d, 0x14, 0);
		rtl_w32(d, 0x10, RTL_TALLY | 8);
		assert_int_equal(rtl_r32(d, 0x10) & 8, 0);
		assert_int_equal(get_le64(t), 3);
		assert_int_equal(get_le64(t + 8), 4);
		assert_int_equal(get_le64(t + 16), 0);
		assert_int_equal(get_le32(t + 24), 0);
		assert_int_equal(get_le64(t + 40), 2);
		assert_int_equal(get_le64(t + 48), 1);
		assert_int_equal(get_le32(t + 56), 1);
		assert_int_equal(get_le32(t + 60), 0);
		/* ethtool -S of an interface that is down */
		memset(t, 0xff, 64);
		rtl_w8(d, 0x37, 0);
		rtl_w16(d, 0xe0, 0);
	}
}

static void loopback_brings_frames_back(void **state)
{
	struct rtl_driver *d = open_cp(state, 0x0020);
	uint8_t f[400];
	size_t len = ip_frame(f, card_mac, 6, 200);

	rtl_w32(d, 0x40, 0x03060600);
	rtl_send(d, f, len, 0x00050000, 0);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(rtl_take(d, got), len);
	fill_checksums(f, len); /* the chip has filled them in on the way */
	assert_memory_equal(got, f, len);
	assert_int_equal(d->opts1 & 0x0003e000, 0x10000);
	/* the wire is cut off */
	assert_int_equal(machine_say(d->m, f, len), 1);
	assert_int_equal(rtl_take(d, got), 0);
	assert_int_equal(dropped(d, DROP_RX_DISABLED), 1);
	rtl_w32(d, 0x40, 0x03000600);
	rtl_send(d, f, len, 0, 0);
	assert_int_equal(d->m->frames, 1);
}

static void a_driver_that_wants_raw_frames_gets_the_fcs(void **state)
{
	struct rtl_driver *d = open_cp(state, 0);

	rtl_w32(d, 0x44, 0xe72a);
	machine_say(d->m, (const uint8_t *)"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x99\x88\xb5", 14);
	rtl_take(d, got);
	/* CRC-32 of those 14 bytes and 46 zeros, by zlib */
	assert_int_equal(get_le32(machine_at(d->m, RTL_RX_BUFFERS + 60)), 0xa0775c38u);
}

int main(void)
{
#define CP(f) cmocka_unit_test_setup_teardown(f, setup_cplus, teardown)
	const struct CMUnitTest tests[] = {
		CP(a_frame_goes_out_and_its_descriptor_comes_back),
		CP(what_was_posted_without_bus_mastering_goes_out_when_it_is_back),
		CP(the_ring_wraps_at_its_end_mark),
		CP(many_frames_go_out_in_one_call_and_one_interrupt),
		CP(a_frame_may_lie_in_many_pieces_and_across_maps),
		CP(an_unfinished_frame_waits_for_its_rest),
		CP(a_busy_wire_leaves_frames_in_the_ring),
		CP(the_high_priority_ring_goes_first),
		CP(a_tag_is_inserted),
		CP(checksums_are_asked_for),
		CP(ip_checksum_alone_and_padding_are_right),
		CP(what_the_chip_cannot_parse_goes_out_as_it_is),
		CP(a_large_send_becomes_one_segment_request),
		CP(a_large_send_that_fits_one_frame_is_only_summed),
		CP(a_frame_comes_in_with_its_status),
		CP(short_frames_are_padded),
		CP(frames_may_fill_several_buffers),
		CP(without_buffers_nothing_is_lost),
		CP(silent_refills_are_found_by_the_clock),
		CP(a_tag_is_taken_out),
		CP(receive_checksums_are_verified),
		CP(the_filter_wants_what_it_was_told),
		CP(a_receiver_that_is_off_takes_and_drops),
		CP(many_frames_in_one_call_are_one_interrupt),
		CP(a_sent_frame_waits_a_little_for_company),
		CP(the_line_stays_up_until_the_last_cause_is_acknowledged),
		CP(an_acknowledgement_does_not_wipe_out_what_the_guest_has_not_seen),
		CP(the_tally_counters_are_dumped),
		CP(loopback_brings_frames_back),
		CP(a_driver_that_wants_raw_frames_gets_the_fcs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
