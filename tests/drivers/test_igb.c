/* The 82576 and a driver: descriptors, offloads, queues, interrupts, registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "igb_driver.h"
#include "net/crc32c.h"
#include "net/csum.h"

enum { CTRL = 0, STATUS = 8, EECD = 0x10, EERD = 0x14, CTRL_EXT = 0x18, MDIC = 0x20, RCTL = 0x100 };
enum { ICR = 0x1500, ICS = 0x1504, IMS = 0x1508, EITR = 0x1680, RXCSUM = 0x5000, RLPML = 0x5004 };
enum {
	MRQC = 0x5818,
	RETA = 0x5c00,
	RSSRK = 0x5c80,
	ETQF = 0x5cb0,
	SYNQF = 0x55fc,
	RFCTL = 0x5008
};
enum {
	SAQF = 0x5980,
	DAQF = 0x59a0,
	SPQF = 0x59c0,
	FTQF = 0x59e0,
	IMIR = 0x5a80,
	IMIREXT = 0x5aa0
};
enum { RQDPC = 0xc030, GPRC = 0x4074, GPTC = 0x4080, RPTHC = 0x4104, RX = 0xc000, TX = 0xe000 };
enum { TSYNCTXCTL = 0xb614, TXSTMPL = 0xb618, TXSTMPH = 0xb61c, TSYNCRXCTL = 0xb620 };
enum { RXSTMPL = 0xb624, RXSTMPH = 0xb628, SYSTIML = 0xb600, SYSTIMH = 0xb604, TIMINCA = 0xb608 };

static struct machine *m;
static struct igb_driver d;
static uint8_t packet[9000];

static int set_up(void **state)
{
	struct error err;

	(void)state;
	m = machine_create("igb", -1, &err);
	if (!m)
		fail_msg("%s", err.text);
	igb_probe(&d, m);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	machine_destroy(m);
	return 0;
}

/* --- frames --- */

/* Ethernet and IPv4 headers of `protocol`, `length` bytes in all, to everybody. */
static void make_ip(uint32_t length, uint8_t protocol, uint32_t from, uint32_t to)
{
	memset(packet, 0, sizeof(packet));
	memset(packet, 0xff, 6);
	packet[6] = 2;
	put_be16(packet + 12, 0x0800);
	packet[14] = 0x45;
	put_be16(packet + 16, (uint16_t)(length - 14));
	packet[22] = 64;
	packet[23] = protocol;
	put_be32(packet + 26, from);
	put_be32(packet + 30, to);
	put_be16(packet + 24, csum_fold(csum_add(0, packet + 14, 20, false)));
	for (uint32_t i = 34; i < length; i++)
		packet[i] = (uint8_t)i;
}

static void make_tcp(uint32_t length, uint16_t from_port, uint16_t to_port, uint8_t flags)
{
	/* addresses of the test of RSS by Microsoft */
	make_ip(length, 6, 0x420995bb, 0xa18e6450);
	memset(packet + 34, 0, 20);
	put_be16(packet + 34, from_port);
	put_be16(packet + 36, to_port);
	packet[46] = 5 << 4;
	packet[47] = flags;
	uint32_t sum = csum_add(6 + length - 34, packet + 26, 8, false);
	put_be16(packet + 50, csum_fold(csum_add(sum, packet + 34, length - 34, false)));
}

static void make_udp(uint32_t length, uint16_t from_port, uint16_t to_port)
{
	make_ip(length, 17, 0x0a000001, 0x0a000002);
	put_be16(packet + 34, from_port);
	put_be16(packet + 36, to_port);
	put_be16(packet + 38, (uint16_t)(length - 34));
	put_be16(packet + 40, 0);
}

static void assert_received(unsigned queue, uint32_t length)
{
	struct igb_received r;

	assert_true(igb_take(&d, queue, &r));
	assert_int_equal(r.length, length);
	assert_memory_equal(r.data, packet, length);
}

static bool nothing_received(void)
{
	struct igb_received r;

	for (unsigned q = 0; q < d.queues; q++)
		if (igb_take(&d, q, &r))
			return false;
	return true;
}

/* --- descriptors --- */

static void a_legacy_frame_goes_out_and_comes_in(void **state)
{
	struct igb_received r;

	(void)state;
	igb_open(&d, 1, IGB_LEGACY);
	make_udp(200, 1, 2);
	igb_send_legacy(&d, 0, packet, 200);
	assert_int_equal(m->frames, 1);
	assert_memory_equal(m->wire[0].data, packet, 200);
	assert_true(igb_sent(&d, 0, 0));
	assert_int_equal(machine_say(m, packet, 200), 1);
	assert_true(igb_take(&d, 0, &r));
	assert_int_equal(r.length, 200);
	assert_int_equal(r.status & 3, 3);
	assert_memory_equal(r.data, packet, 200);
}

static void an_advanced_frame_goes_out_and_comes_in(void **state)
{
	struct igb_received r;

	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	make_tcp(300, 2794, 1766, 0x10);
	igb_send(&d, 0, packet, 300, 0, 0);
	assert_int_equal(m->frames, 1);
	assert_memory_equal(m->wire[0].data, packet, 300);
	assert_true(igb_sent(&d, 0, 0));
	machine_say(m, packet, 300);
	assert_true(igb_take(&d, 0, &r));
	assert_int_equal(r.length, 300);
	/* both checksums were looked at and are right */
	assert_int_equal(r.status, 0x63);
	assert_int_equal(r.info, 0x110);
	packet[60] ^= 1;
	machine_say(m, packet, 300);
	assert_true(igb_take(&d, 0, &r));
	assert_int_equal(r.status, 0x20000063);
}

static void the_old_addresses_are_the_first_four_queues(void **state)
{
	(void)state;
	for (uint32_t q = 0; q < 4; q++) {
		igb_w32(&d, 0x2800 + q * 0x100, 0x1000 * (q + 1));
		igb_w32(&d, 0xe000 + q * 0x40 + 0x18, 5 + q);
		assert_int_equal(igb_r32(&d, 0xc000 + q * 0x40), 0x1000 * (q + 1));
		assert_int_equal(igb_r32(&d, 0x3818 + q * 0x100), 5 + q);
	}
	igb_w32(&d, 0xc000 + 15 * 0x40, 0x2000);
	assert_int_equal(igb_r32(&d, 0xc000 + 15 * 0x40), 0x2000);
	assert_int_equal(igb_r32(&d, 0x2b00), 0x4000);
}

static void head_write_back_replaces_dd(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	igb_w32(&d, TX + 0x3c, 0);
	igb_w32(&d, TX + 0x38, IGB_TX_BACK | 1);
	make_udp(100, 1, 2);
	igb_send(&d, 0, packet, 100, 0, 0);
	assert_false(igb_sent(&d, 0, 0));
	assert_int_equal(get_le32(machine_at(m, IGB_TX_BACK)), 1);
	igb_send(&d, 0, packet, 100, 0, 0);
	assert_int_equal(get_le32(machine_at(m, IGB_TX_BACK)), 2);
}

static void a_header_lands_in_its_own_buffer(void **state)
{
	struct igb_received r;

	(void)state;
	igb_w32(&d, 0x5480, BIT(2)); /* PSRTYPE: TCP over IPv4 */
	igb_open(&d, 1, IGB_SPLIT);
	make_tcp(400, 1, 2, 0x10);
	machine_say(m, packet, 400);
	assert_true(igb_take(&d, 0, &r));
	assert_int_equal(r.header, 0x8000 | 54 << 5);
	assert_int_equal(r.length, 346);
	assert_memory_equal(machine_at(m, IGB_RX_HEAD), packet, 54);
	assert_memory_equal(r.data, packet + 54, 346);
}

static void a_queue_that_is_off_neither_sends_nor_receives(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	igb_w32(&d, TX + 0x28, 0);
	igb_w32(&d, RX + 0x28, 0);
	make_udp(100, 1, 2);
	igb_send(&d, 0, packet, 100, 0, 0);
	assert_int_equal(m->frames, 0);
	assert_int_equal(machine_say(m, packet, 100), 1);
	assert_int_equal(m->nic->counters.drop[DROP_RX_DISABLED], 1);
	assert_true(nothing_received());
	/* the driver polls the enable bit until it reads back */
	igb_w32(&d, RX + 0x28, BIT(25));
	assert_true(igb_r32(&d, RX + 0x28) & BIT(25));
}

/* --- offloads --- */

static void a_large_tcp_segment_passes_as_one_frame(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	make_tcp(4054, 1, 2, 0x18);
	igb_context(&d, 0, 14, 20, 20, 1448, 1, 0);
	igb_send(&d, 0, packet, 4054, IGB_CMD_TSE, IGB_IXSM | IGB_TXSM);
	assert_int_equal(m->frames, 1);
	assert_int_equal(m->wire[0].hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(m->wire[0].hdr.gso_size, 1448);
	assert_int_equal(m->wire[0].hdr.hdr_len, 54);
	assert_int_equal(m->wire[0].length, 4054);
	/* three frames on the wire */
	assert_int_equal(igb_r32(&d, GPTC), 3);
}

static void a_large_udp_segment_passes_as_one_frame(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	make_udp(42 + 5000, 1, 2);
	igb_context(&d, 0, 14, 20, 8, 1200, 0, 0);
	igb_send(&d, 0, packet, 42 + 5000, IGB_CMD_TSE, IGB_IXSM | IGB_TXSM);
	assert_int_equal(m->frames, 1);
	assert_int_equal(m->wire[0].hdr.gso_type, VIRTIO_NET_HDR_GSO_UDP_L4);
	assert_int_equal(m->wire[0].hdr.gso_size, 1200);
}

static void sctp_gets_its_crc_both_ways(void **state)
{
	struct igb_received r;
	uint8_t zero[4] = { 0 };

	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	igb_w32(&d, RXCSUM, igb_r32(&d, RXCSUM) | BIT(11));
	make_ip(134, 132, 1, 2);
	memset(packet + 42, 0, 4);
	igb_context(&d, 0, 14, 20, 0, 0, 2, 0);
	igb_send(&d, 0, packet, 134, 0, IGB_TXSM);
	uint32_t crc = crc32c_add(CRC32C_BEGIN, packet + 34, 8);
	crc = crc32c_add(crc, zero, 4);
	crc = crc32c_end(crc32c_add(crc, packet + 46, 134 - 46));
	assert_int_equal(m->frames, 1);
	assert_int_equal(get_le32(m->wire[0].data + 42), crc);

	machine_say(m, m->wire[0].data, 134);
	assert_true(igb_take(&d, 0, &r));
	assert_int_equal(r.status, 0x63);
	assert_int_equal(r.info, 0x410);
}

static void a_tag_is_put_in_and_taken_out(void **state)
{
	struct igb_received r;

	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	igb_w32(&d, CTRL, igb_r32(&d, CTRL) | BIT(30));
	make_udp(100, 1, 2);
	igb_context(&d, 0, 14, 20, 0, 0, 0, 0x6123);
	igb_send(&d, 0, packet, 100, IGB_CMD_VLE, 0);
	assert_int_equal(m->frames, 1);
	assert_int_equal(m->wire[0].length, 104);
	assert_int_equal(get_be32(m->wire[0].data + 12), 0x81006123);
	assert_memory_equal(m->wire[0].data + 16, packet + 12, 88);

	machine_say(m, m->wire[0].data, 104);
	assert_true(igb_take(&d, 0, &r));
	assert_int_equal(r.length, 100);
	assert_int_equal(r.vlan, 0x6123);
	assert_true(r.status & 8);
	/* with the filter on, only VLANs of the table */
	igb_w32(&d, RCTL, igb_r32(&d, RCTL) | BIT(18));
	machine_say(m, m->wire[0].data, 104);
	assert_true(nothing_received());
	igb_w32(&d, 0x5600 + (0x123 >> 5) * 4, BIT(0x123 & 31));
	machine_say(m, m->wire[0].data, 104);
	assert_false(nothing_received());
}

static void long_frames_need_lpe(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	make_udp(1600, 1, 2);
	machine_say(m, packet, 1600);
	assert_int_equal(m->nic->counters.drop[DROP_OVERSIZE], 1);
	igb_w32(&d, RCTL, igb_r32(&d, RCTL) | BIT(5));
	igb_w32(&d, RLPML, 1604);
	machine_say(m, packet, 1600);
	assert_received(0, 1600);
	make_udp(1601, 1, 2);
	machine_say(m, packet, 1601);
	assert_int_equal(m->nic->counters.drop[DROP_OVERSIZE], 2);
}

/* --- which queue --- */

static void use_rss(unsigned queues)
{
	/* the key of Microsoft's verification suite */
	static const uint8_t key[40] = {
		0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
		0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
		0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa
	};

	for (unsigned i = 0; i < 10; i++)
		igb_w32(&d, RSSRK + i * 4, get_le32(key + i * 4));
	for (unsigned i = 0; i < 32; i++) {
		uint32_t four = 0;
		for (unsigned k = 0; k < 4; k++)
			four |= ((i * 4 + k) % queues) << k * 8;
		igb_w32(&d, RETA + i * 4, four);
	}
	igb_w32(&d, RXCSUM, igb_r32(&d, RXCSUM) | BIT(13));
	igb_w32(&d, MRQC, 2 | BIT(16) | BIT(17));
}

static void rss_hashes_as_microsoft_says_and_spreads(void **state)
{
	struct igb_received r;

	(void)state;
	igb_open(&d, 8, IGB_ONE_BUFFER);
	use_rss(8);
	make_tcp(100, 2794, 1766, 0x10);
	machine_say(m, packet, 100);
	/* 0x51ccc178: entry 0x78 of the table */
	assert_true(igb_take(&d, 0x78 % 8, &r));
	assert_int_equal(r.hash, 0x51ccc178);
	assert_int_equal(r.info & 15, 1);
	/* without ports the addresses count */
	packet[23] = 50;
	machine_say(m, packet, 100);
	assert_true(igb_take(&d, 0x323e8fc2 % 8, &r));
	assert_int_equal(r.hash, 0x323e8fc2);
	assert_int_equal(r.info & 15, 2);
}

static void an_ethertype_filter_chooses_its_queue(void **state)
{
	struct igb_received r;

	(void)state;
	igb_open(&d, 4, IGB_ONE_BUFFER);
	make_udp(100, 1, 2);
	put_be16(packet + 12, 0x88b5);
	igb_w32(&d, ETQF + 3 * 4, BIT(31) | BIT(26) | 2u << 16 | 0x88b5);
	machine_say(m, packet, 100);
	assert_true(igb_take(&d, 2, &r));
	assert_int_equal(r.info, 0x8030); /* which filter */
	igb_w32(&d, ETQF + 3 * 4, 0);
	machine_say(m, packet, 100);
	assert_received(0, 100);
}

static void a_five_tuple_chooses_its_queue(void **state)
{
	(void)state;
	igb_open(&d, 4, IGB_ONE_BUFFER);
	make_tcp(100, 2794, 1766, 0x10);
	/* addresses and ports in the order of the wire */
	igb_w32(&d, SAQF + 4, get_le32(packet + 26));
	igb_w32(&d, DAQF + 4, get_le32(packet + 30));
	igb_w32(&d, SPQF + 4, get_le16(packet + 34));
	igb_w32(&d, IMIR + 4, get_le16(packet + 36));
	igb_w32(&d, FTQF + 4, BIT(8) | 3u << 16 | 6);
	machine_say(m, packet, 100);
	assert_received(3, 100);
	make_tcp(100, 2795, 1766, 0x10);
	machine_say(m, packet, 100);
	assert_received(0, 100);
	/* the source port does not count any more */
	igb_w32(&d, FTQF + 4, BIT(31) | BIT(8) | 3u << 16 | 6);
	machine_say(m, packet, 100);
	assert_received(3, 100);
}

static void a_connection_request_chooses_its_queue(void **state)
{
	(void)state;
	igb_open(&d, 4, IGB_ONE_BUFFER);
	igb_w32(&d, SYNQF, 1 | 1 << 1);
	make_tcp(100, 5, 6, 0x02);
	machine_say(m, packet, 100);
	assert_received(1, 100);
	make_tcp(100, 5, 6, 0x10);
	machine_say(m, packet, 100);
	assert_received(0, 100);
	/* a tuple filter goes first, unless RFCTL says otherwise */
	igb_w32(&d, IMIR, BIT(17));
	igb_w32(&d, FTQF, 0xe0000000u | BIT(8) | 2u << 16 | 6);
	make_tcp(100, 5, 6, 0x02);
	machine_say(m, packet, 100);
	assert_received(2, 100);
	igb_w32(&d, RFCTL, BIT(19));
	machine_say(m, packet, 100);
	assert_received(1, 100);
}

/* --- buffers that are missing --- */

static void without_drop_enable_a_frame_waits_for_buffers(void **state)
{
	(void)state;
	igb_open(&d, 2, IGB_ONE_BUFFER);
	make_udp(100, 1, 2);
	for (unsigned i = 0; i < IGB_RING - 1; i++)
		assert_int_equal(machine_say(m, packet, 100), 1);
	assert_int_equal(machine_say(m, packet, 100), 0);
	machine_wait(m, NS_PER_S);
	assert_int_equal(machine_say(m, packet, 100), 0);
	m->nic->notes.rx_ready = false;
	assert_received(0, 100);
	assert_true(m->nic->notes.rx_ready);
	assert_int_equal(machine_say(m, packet, 100), 1);
	assert_int_equal(igb_r32(&d, RQDPC), 0);
}

static void with_drop_enable_a_frame_waits_a_moment_and_is_dropped(void **state)
{
	(void)state;
	igb_open(&d, 2, IGB_ONE_BUFFER);
	igb_w32(&d, RX + 0xc, igb_r32(&d, RX + 0xc) | BIT(31));
	make_udp(100, 1, 2);
	for (unsigned i = 0; i < IGB_RING - 1; i++)
		machine_say(m, packet, 100);
	assert_int_equal(machine_say(m, packet, 100), 0);
	m->nic->notes.rx_ready = false;
	machine_wait(m, 2 * NS_PER_MS);
	assert_true(m->nic->notes.rx_ready);
	assert_int_equal(machine_say(m, packet, 100), 1);
	assert_int_equal(machine_say(m, packet, 100), 1);
	assert_int_equal(igb_r32(&d, RQDPC), 2);
	assert_int_equal(igb_r32(&d, RQDPC), 0);
	/* buffers came: the next frame is welcome */
	assert_received(0, 100);
	assert_int_equal(machine_say(m, packet, 100), 1);
	assert_int_equal(igb_r32(&d, RQDPC), 0);
}

/* --- interrupts --- */

static void each_queue_has_its_vectors(void **state)
{
	(void)state;
	igb_open(&d, 2, IGB_ONE_BUFFER);
	igb_use_vectors(&d);
	igb_w32(&d, ETQF, BIT(31) | BIT(26) | 1u << 16 | 0x88b5);
	make_udp(100, 1, 2);
	machine_say(m, packet, 100);
	assert_int_equal(machine_vector(m, 0), 1);
	put_be16(packet + 12, 0x88b5);
	machine_say(m, packet, 100);
	assert_int_equal(machine_vector(m, 1), 1);
	igb_send(&d, 1, packet, 100, 0, 0);
	assert_int_equal(machine_vector(m, 9), 1);
	assert_int_equal(machine_vector(m, 0) + machine_vector(m, 8), 0);
	igb_w32(&d, IMS, BIT(2));
	nic_set_link(m->nic, false);
	assert_int_equal(machine_vector(m, 24), 1);
	assert_int_equal(igb_r32(&d, ICR) & 0x80000004u, 0x80000004u);
	assert_int_equal(igb_r32(&d, 0x4100), 4);
	assert_int_equal(igb_r32(&d, 0x4100), 0);
}

static void eitr_bundles_interrupts_but_not_urgent_ones(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	igb_use_vectors(&d);
	igb_w32(&d, EITR, 100 << 2);
	make_udp(100, 1, 2);
	machine_say(m, packet, 100);
	assert_int_equal(machine_vector(m, 0), 1);
	machine_say(m, packet, 100);
	machine_say(m, packet, 100);
	assert_int_equal(machine_vector(m, 0), 0);
	machine_wait(m, 100000);
	assert_int_equal(machine_vector(m, 0), 1);
	/* low latency: UDP to port 2, of any size */
	igb_w32(&d, IMIR, BIT(16) | get_le16(packet + 36));
	igb_w32(&d, IMIREXT, BIT(12) | BIT(19));
	igb_w32(&d, FTQF, 0xe0000000u | 17);
	machine_say(m, packet, 100);
	assert_int_equal(machine_vector(m, 0), 1);
}

static void sent_frames_are_told_together_and_in_time_over_save_and_load(void **state)
{
	struct buffer saved = { 0 };
	struct error err;

	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	igb_use_vectors(&d);
	igb_w32(&d, EITR + 4 * 8, 50 << 2);
	make_udp(100, 1, 2);
	igb_send(&d, 0, packet, 100, 0, 0);
	igb_send(&d, 0, packet, 100, 0, 0);
	assert_true(igb_sent(&d, 0, 0) && igb_sent(&d, 0, 1)); /* the descriptors do not wait */
	assert_int_equal(machine_vector(m, 8), 0);
	machine_wait(m, 200000);
	assert_int_equal(machine_vector(m, 8), 1);
	machine_wait(m, 50000); /* the interval is over */
	/* half of a ring of eight */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(machine_vector(m, 8), 0);
		igb_send(&d, 0, packet, 100, 0, 0);
	}
	assert_int_equal(machine_vector(m, 8), 1);

	igb_send(&d, 0, packet, 100, 0, 0);
	assert_int_equal(machine_vector(m, 8), 0);
	assert_int_equal(nic_save(m->nic, &saved), 0);
	if (nic_load(m->nic, saved.data, saved.length, &err) < 0)
		fail_msg("%s", err.text);
	buffer_finish(&saved);
	assert_int_equal(machine_vector(m, 8), 1);
	igb_send(&d, 0, packet, 100, 0, 0);
	igb_w32(&d, 0, BIT(26)); /* CTRL.RST */
	machine_wait(m, 1000000);
	assert_int_equal(machine_vector(m, 8), 0);
}

static void one_line_serves_a_driver_without_vectors(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	make_udp(100, 1, 2);
	machine_say(m, packet, 100);
	assert_int_equal(machine_interrupts(m), 0);
	igb_w32(&d, IMS, BIT(7) | BIT(0));
	assert_int_equal(machine_interrupts(m), 1);
	assert_int_equal(igb_r32(&d, ICR) & 0x80000080u, 0x80000080u);
	assert_false(m->nic->pci.intx_level);
	igb_send(&d, 0, packet, 100, 0, 0);
	assert_int_equal(machine_interrupts(m), 1);
	assert_int_equal(igb_r32(&d, ICR) & 0x80000001u, 0x80000001u);
}

static void one_message_serves_a_driver_with_msi(void **state)
{
	struct pci_device *pci = &m->nic->pci;
	int mine = eventfd(0, EFD_NONBLOCK);
	uint64_t n;

	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	pci_config_write(pci, pci->msi + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(pci_irq_set_fd(pci, PCI_MSI, 0, dup(mine)), 0);
	igb_w32(&d, IMS, BIT(7));
	make_udp(100, 1, 2);
	machine_say(m, packet, 100);
	assert_int_equal(read(mine, &n, sizeof(n)), sizeof(n));
	/* the next message comes when the driver has looked */
	machine_say(m, packet, 100);
	assert_int_equal(read(mine, &n, sizeof(n)), -1);
	igb_r32(&d, ICR);
	machine_say(m, packet, 100);
	assert_int_equal(read(mine, &n, sizeof(n)), sizeof(n));
	assert_int_equal(machine_interrupts(m), 0);
	close(mine);
}

/* --- registers --- */

static void statistics_count_and_clear(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	make_udp(100, 1, 2);
	machine_say(m, packet, 100);
	machine_say(m, packet, 100);
	igb_send(&d, 0, packet, 100, 0, 0);
	assert_int_equal(igb_r32(&d, GPRC), 2);
	assert_int_equal(igb_r32(&d, GPRC), 0);
	assert_int_equal(igb_r32(&d, RPTHC), 2);
	assert_int_equal(igb_r32(&d, GPTC), 1);
	assert_int_equal(igb_r32(&d, 0x4128), 208);
	assert_int_equal(igb_r32(&d, 0x4130), 104);
	/* octets with FCS; the high half clears both */
	assert_int_equal(igb_r32(&d, 0x4088), 208);
	assert_int_equal(igb_r32(&d, 0x408c), 0);
	assert_int_equal(igb_r32(&d, 0x4088), 0);
}

static void a_reset_keeps_the_drivers_word_and_the_address(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	igb_w32(&d, 0x5400, 0x11111111);
	igb_w32(&d, CTRL, igb_r32(&d, CTRL) | BIT(26));
	assert_false(igb_r32(&d, CTRL) & BIT(26));
	assert_true(igb_r32(&d, CTRL_EXT) & BIT(28));
	assert_int_equal(igb_r32(&d, 0x5400), 0x12005452);
	assert_int_equal(igb_r32(&d, 0x5404), 0x80005634);
	assert_int_equal(igb_r32(&d, RX + 8), 0);
	assert_int_equal(igb_r32(&d, RX + 0x28), BIT(25)); /* queue 0 is on after reset */
	assert_int_equal(igb_r32(&d, RX + 0x68), 0);
}

static void the_io_window_reaches_registers(void **state)
{
	struct pci_device *pci = &m->nic->pci;

	(void)state;
	pci_bar_write(pci, 2, 0, 4, 0x5400);
	assert_int_equal(pci_bar_read(pci, 2, 4, 4), 0x12005452);
	pci_bar_write(pci, 2, 4, 4, 0x01020304);
	assert_int_equal(igb_r32(&d, 0x5400), 0x01020304);
	/* the window itself is not reachable through it, and reads beyond are holes */
	pci_bar_write(pci, 2, 0, 4, 0xffffffff);
	pci_bar_read(pci, 2, 4, 4);
}

/* --- EEPROM --- */

static uint16_t eerd(uint32_t word)
{
	igb_w32(&d, EERD, word << 2 | 1);
	assert_true(igb_r32(&d, EERD) & 2);
	return (uint16_t)(igb_r32(&d, EERD) >> 16);
}

enum { SK = 1, CS = 2, DI = 4, DO = 8, REQ = 0x40, GNT = 0x80 };

static uint8_t spi_byte(uint8_t out)
{
	uint8_t in = 0;

	for (unsigned bit = 8; bit-- > 0;) {
		uint32_t di = out >> bit & 1 ? DI : 0;
		igb_w32(&d, EECD, REQ | di);
		igb_w32(&d, EECD, REQ | di | SK);
		in = (uint8_t)(in << 1 | !!(igb_r32(&d, EECD) & DO));
		igb_w32(&d, EECD, REQ | di);
	}
	return in;
}

static void spi_select(void)
{
	igb_w32(&d, EECD, REQ | CS);
	igb_w32(&d, EECD, REQ);
}

static void spi_write(uint16_t at, uint8_t value)
{
	spi_select();
	spi_byte(2);
	spi_byte((uint8_t)(at >> 8));
	spi_byte((uint8_t)at);
	spi_byte(value);
	spi_select();
}

static void the_eeprom_sums_up_and_can_be_rewritten_bit_by_bit(void **state)
{
	uint16_t sum = 0;

	(void)state;
	for (uint32_t i = 0; i < 0x40; i++)
		sum = (uint16_t)(sum + eerd(i));
	assert_int_equal(sum, 0xbaba);
	assert_int_equal(eerd(0), 0x5452);

	igb_w32(&d, EECD, REQ);
	assert_true(igb_r32(&d, EECD) & GNT);
	spi_select();
	spi_byte(3);
	spi_byte(0);
	spi_byte(0);
	assert_int_equal(spi_byte(0), 0x52);
	assert_int_equal(spi_byte(0), 0x54);
	assert_int_equal(spi_byte(0), 0x00);
	/* a write counts only behind WREN */
	spi_write(0x41, 0xab);
	assert_int_equal(eerd(0x20), 0xffff);
	spi_select();
	spi_byte(6);
	spi_write(0x41, 0xab);
	assert_int_equal(eerd(0x20), 0xabff);
	spi_write(0x41, 0xcd);
	assert_int_equal(eerd(0x20), 0xabff);
	igb_w32(&d, EECD, 0);
	assert_false(igb_r32(&d, EECD) & GNT);
}

/* --- link and loopback --- */

static uint16_t mdi_read(uint32_t reg)
{
	igb_w32(&d, MDIC, 2u << 26 | 1u << 21 | reg << 16);
	uint32_t value = igb_r32(&d, MDIC);
	assert_true(value & BIT(28));
	return (uint16_t)value;
}

static void mdi_write(uint32_t reg, uint16_t value)
{
	igb_w32(&d, MDIC, 1u << 26 | 1u << 21 | reg << 16 | value);
}

static void the_phy_is_the_one_that_drivers_know(void **state)
{
	(void)state;
	assert_int_equal(mdi_read(2), 0x02a8);
	assert_int_equal(mdi_read(3) & 0xfff0, 0x0390);
	/* cable length behind a page */
	mdi_write(31, 0x11b1);
	assert_true(mdi_read(0x11) >> 9 & 0x7f);
	mdi_write(31, 0);
	machine_wait(m, 50 * NS_PER_MS);
	assert_int_equal(igb_r32(&d, STATUS) & 0xc3, 0x83);
}

static void a_phy_in_loopback_returns_frames(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	nic_set_link(m->nic, false);
	mdi_write(0, 0x4140);
	make_udp(300, 1, 2);
	igb_send(&d, 0, packet, 300, 0, 0);
	assert_int_equal(m->frames, 0);
	assert_received(0, 300);
	/* a large segment comes back in pieces */
	make_tcp(54 + 2000, 1, 2, 0x10);
	igb_context(&d, 0, 14, 20, 20, 1000, 1, 0);
	igb_send(&d, 0, packet, 54 + 2000, IGB_CMD_TSE, IGB_IXSM | IGB_TXSM);
	struct igb_received r;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(igb_take(&d, 0, &r));
		assert_int_equal(r.length, 1054);
		assert_int_equal(r.status, 0x63);
	}
}

/* --- time --- */

static void stamps_tell_when_a_message_went_and_came(void **state)
{
	struct igb_received r;

	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	igb_w32(&d, TIMINCA, 1u << 24 | 16u << 19);
	igb_w32(&d, SYSTIML, 0);
	igb_w32(&d, SYSTIMH, 0);
	igb_w32(&d, TSYNCTXCTL, BIT(4));
	igb_w32(&d, TSYNCRXCTL, BIT(4) | 5 << 1);
	machine_wait(m, NS_PER_S);
	make_udp(100, 319, 319);
	put_be16(packet + 12, 0x88f7);
	packet[14] = 0; /* SYNC */
	packet[15] = 2;
	igb_send(&d, 0, packet, 100, IGB_MAC_1588, 0);
	assert_true(igb_r32(&d, TSYNCTXCTL) & 1);
	uint64_t sent = igb_r32(&d, TXSTMPL);
	sent |= (uint64_t)igb_r32(&d, TXSTMPH) << 32;
	assert_int_equal(sent >> 19, NS_PER_S);
	assert_false(igb_r32(&d, TSYNCTXCTL) & 1);

	machine_wait(m, NS_PER_MS);
	machine_say(m, packet, 100);
	assert_true(igb_take(&d, 0, &r));
	assert_true(r.status & BIT(16));
	uint64_t came = igb_r32(&d, RXSTMPL);
	came |= (uint64_t)igb_r32(&d, RXSTMPH) << 32;
	assert_int_equal((came - sent) >> 19, NS_PER_MS);
	make_udp(100, 5, 6);
	for (unsigned i = 0; i < IGB_RING - 1; i++)
		machine_say(m, packet, 100);
	/* a message that has to wait for a buffer is stamped when it gets one */
	make_udp(100, 319, 319);
	put_be16(packet + 12, 0x88f7);
	packet[14] = 0;
	packet[15] = 2;
	assert_int_equal(machine_say(m, packet, 100), 0);
	assert_true(igb_take(&d, 0, &r));
	assert_false(r.status & BIT(16));
	assert_int_equal(machine_say(m, packet, 100), 1);
	for (unsigned i = 0; i < IGB_RING - 1; i++)
		assert_true(igb_take(&d, 0, &r));
	assert_true(r.status & BIT(16));
	assert_true(igb_r32(&d, TSYNCRXCTL) & 1);
}

/* --- driver status, saved state --- */

static void assert_status(enum driver_state state, enum driver_phase phase, const char *evidence)
{
	nic_update_status(m->nic);
	assert_int_equal(m->nic->status.now.state, state);
	assert_int_equal(m->nic->status.now.phase, phase);
	if (!strstr(m->nic->status.now.evidence, evidence))
		fail_msg("evidence: %s", m->nic->status.now.evidence);
}

static void an_interface_that_is_down_is_no_driver_that_left(void **state)
{
	(void)state;
	assert_status(DRIVER_INITIALIZING, PHASE_OS, "loaded, interface down");
	igb_open(&d, 1, IGB_ONE_BUFFER);
	assert_status(DRIVER_READY, PHASE_OS, "DRV_LOAD");
	/* Linux: igb_down resets and keeps DRV_LOAD */
	igb_w32(&d, RCTL, 0);
	igb_w32(&d, CTRL, igb_r32(&d, CTRL) | BIT(26));
	assert_status(DRIVER_INITIALIZING, PHASE_OS, "loaded, interface down");
	igb_w32(&d, CTRL_EXT, igb_r32(&d, CTRL_EXT) & ~BIT(28));
	assert_status(DRIVER_INITIALIZING, PHASE_OS, "stopped");
	machine_set_bus(m, false);
	assert_status(DRIVER_NONE, PHASE_UNKNOWN, "");
}

static void without_bus_mastering_nothing_is_touched(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	make_udp(100, 1, 2);
	machine_set_bus(m, false);
	igb_send(&d, 0, packet, 100, 0, 0);
	assert_int_equal(machine_say(m, packet, 100), 1);
	assert_int_equal(m->frames, 0);
	assert_int_equal(m->nic->counters.bad_access, 0);
	machine_set_bus(m, true);
	igb_send(&d, 0, packet, 100, 0, 0);
	assert_int_equal(m->frames, 2);
	assert_status(DRIVER_READY, PHASE_OS, "DRV_LOAD");
}

static void a_ring_outside_memory_is_a_driver_that_failed(void **state)
{
	(void)state;
	igb_open(&d, 1, IGB_ONE_BUFFER);
	make_udp(100, 1, 2);
	put_le64(machine_at(m, IGB_TX_RING),
		 RAM_END + 0x1000); /* a buffer: a frame lost, no more */
	igb_w32(&d, TX + 0x18, 1);
	igb_send(&d, 0, packet, 100, 0, 0);
	assert_status(DRIVER_READY, PHASE_OS, "DRV_LOAD");
	igb_w32(&d, TX, RAM_END + 0x1000);
	igb_w32(&d, TX + 0x18, 5);
	assert_status(DRIVER_FAILED, PHASE_OS, "outside guest memory");
	igb_w32(&d, CTRL, igb_r32(&d, CTRL) | BIT(26));
	igb_open(&d, 1, IGB_ONE_BUFFER);
	assert_status(DRIVER_READY, PHASE_OS, "DRV_LOAD");
	igb_w32(&d, RX, RAM_END + 0x1000);
	machine_say(m, packet, 100);
	assert_status(DRIVER_FAILED, PHASE_OS, "outside guest memory");
}

static void boot_firmware_polls(void **state)
{
	(void)state;
	nic_reset(m->nic, RESET_PCI);
	machine_set_bus(m, true);
	igb_open(&d, 1, IGB_LEGACY);
	assert_int_not_equal(m->nic->status.now.state, DRIVER_READY);
	igb_r32(&d, 0xc0); /* ICR, at its old address */
	assert_status(DRIVER_READY, PHASE_FIRMWARE, "polls");
}

static void a_card_goes_on_after_save_and_load(void **state)
{
	struct buffer saved = { 0 };
	struct error err;

	(void)state;
	igb_open(&d, 8, IGB_ONE_BUFFER);
	use_rss(8);
	igb_use_vectors(&d);
	make_tcp(100, 2794, 1766, 0x10);
	machine_say(m, packet, 100);
	igb_send(&d, 3, packet, 100, 0, 0);
	assert_int_equal(nic_save(m->nic, &saved), 0);
	assert_true(saved.length <= 8192);
	nic_reset(m->nic, RESET_PCI);
	if (nic_load(m->nic, saved.data, saved.length, &err) < 0)
		fail_msg("%s", err.text);
	machine_set_bus(m, true);
	assert_received(0, 100);
	machine_say(m, packet, 100);
	assert_received(0, 100);
	machine_clear_wire(m);
	igb_send(&d, 3, packet, 100, 0, 0);
	assert_int_equal(m->frames, 1);
	assert_status(DRIVER_READY, PHASE_OS, "DRV_LOAD");
	/* what is cut short is refused, and leaves a card as after power-on */
	for (size_t n = 0; n < saved.length; n += 7)
		assert_true(nic_load(m->nic, saved.data, n, &err) < 0);
	buffer_finish(&saved);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_legacy_frame_goes_out_and_comes_in),
		TEST(an_advanced_frame_goes_out_and_comes_in),
		TEST(the_old_addresses_are_the_first_four_queues),
		TEST(head_write_back_replaces_dd),
		TEST(a_header_lands_in_its_own_buffer),
		TEST(a_queue_that_is_off_neither_sends_nor_receives),
		TEST(a_large_tcp_segment_passes_as_one_frame),
		TEST(a_large_udp_segment_passes_as_one_frame),
		TEST(sctp_gets_its_crc_both_ways),
		TEST(a_tag_is_put_in_and_taken_out),
		TEST(long_frames_need_lpe),
		TEST(rss_hashes_as_microsoft_says_and_spreads),
		TEST(an_ethertype_filter_chooses_its_queue),
		TEST(a_five_tuple_chooses_its_queue),
		TEST(a_connection_request_chooses_its_queue),
		TEST(without_drop_enable_a_frame_waits_for_buffers),
		TEST(with_drop_enable_a_frame_waits_a_moment_and_is_dropped),
		TEST(each_queue_has_its_vectors),
		TEST(eitr_bundles_interrupts_but_not_urgent_ones),
		TEST(sent_frames_are_told_together_and_in_time_over_save_and_load),
		TEST(one_line_serves_a_driver_without_vectors),
		TEST(one_message_serves_a_driver_with_msi),
		TEST(statistics_count_and_clear),
		TEST(a_reset_keeps_the_drivers_word_and_the_address),
		TEST(the_io_window_reaches_registers),
		TEST(the_eeprom_sums_up_and_can_be_rewritten_bit_by_bit),
		TEST(the_phy_is_the_one_that_drivers_know),
		TEST(a_phy_in_loopback_returns_frames),
		TEST(stamps_tell_when_a_message_went_and_came),
		TEST(an_interface_that_is_down_is_no_driver_that_left),
		TEST(without_bus_mastering_nothing_is_touched),
		TEST(a_ring_outside_memory_is_a_driver_that_failed),
		TEST(boot_firmware_polls),
		TEST(a_card_goes_on_after_save_and_load),
	};

	return cmocka_run_group_tests_name("igb", tests, NULL, NULL);
}
