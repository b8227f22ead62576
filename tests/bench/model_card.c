#include "model_card.h"

#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "net/csum.h"

/* Guest memory. A buffer is 2 KiB; the large packet is one piece of 64 KiB. */
#define TX_RING	  0x100000u
#define RX_RING	  0x110000u
#define SMALL_AT  0x200000u
#define STREAM_AT 0x300000u
#define LARGE_AT  0x400000u
#define RX_AT	  0x500000u
#define BUFFER	  2048u

/* How often it is looked whether a card is done: seldom, for whoever looks takes time from the core that does the work. */
#define LOOK_US	    300u
#define PATIENCE_NS (5ull * NS_PER_S)

/* PACKET_LARGE is cut into descriptors of at most so much: what a driver of this family does */
#define PIECE_MAX 16384u

/* CTRL, IMC, RCTL, TCTL: on, promiscuous, buffers of 2 KiB, no FCS */
#define INTEL_ON                                                                                   \
	{ 0x00d8, 0xffffffff }, { 0x0000, 0x00000041 }, { 0x0100, 0x0400801a },                    \
	{                                                                                          \
		0x0400, 0x000400fa                                                                 \
	}

static const struct write e1000_writes[] = { INTEL_ON, { 0 } };
/* RFCTL: extended receive descriptors, as Linux' driver has them */
static const struct write e1000e_writes[] = { { 0x5008, 0x8000 }, INTEL_ON, { 0 } };
/* EIMC; SRRCTL: 2 KiB, advanced; RXDCTL and TXDCTL: the queues on; MDIC: the PHY negotiates */
static const struct write igb_writes[] = {
	{ 0x1528, 0xffffffff },
	{ 0xc00c, 0x02000002 },
	{ 0xc028, 0x02000000 },
	{ 0xe028, 0x02000000 },
	{ 0x0020, 0x04201340 },
	INTEL_ON,
	{ 0 },
};

/* A virtual function: reset, then the mailbox' lock, VF_RESET and request; SRRCTL, RXDCTL, TXDCTL of its own queue 0 */
static const struct write igbvf_reset[] = {
	{ 0x0000, 0x04000000 }, { 0x0c40, 0x2 }, { 0x0800, 0x1 }, { 0x0c40, 0x1 }, { 0 },
};
static const struct write igbvf_writes[] = {
	{ 0x280c, 0x02000002 },
	{ 0x2828, 0x02000000 },
	{ 0x3828, 0x02000000 },
	{ 0 },
};

/* Rings and batches of the Intel family. */
#define INTEL_RINGS(tx_at, rx_at)                                                                  \
	.tx_ring = (tx_at), .rx_ring = (rx_at), .ring = 512, .few = 32, .many = 256, .tso = true

const struct card_model card_models[] = {
	{ .name = "rtl8139",
	  .qemu = "rtl8139",
	  .remark = "",
	  .bar = 1,
	  .tx = DESC_REALTEK,
	  .rx = DESC_REALTEK,
	  .ring = 64,
	  .few = 8,
	  .many = 60 },
	{ .name = "e1000",
	  .qemu = "e1000",
	  .remark = "",
	  .tx = DESC_LEGACY,
	  .rx = DESC_LEGACY,
	  INTEL_RINGS(0x3800, 0x2800),
	  .writes = e1000_writes },
	{ .name = "e1000e",
	  .qemu = "e1000e",
	  .remark = "",
	  .tx = DESC_LEGACY,
	  .rx = DESC_EXTENDED,
	  INTEL_RINGS(0x3800, 0x2800),
	  .writes = e1000e_writes },
	{ .name = "igb",
	  .qemu = "igb",
	  .remark = "",
	  .tx = DESC_ADVANCED,
	  .rx = DESC_ADVANCED,
	  INTEL_RINGS(0xe000, 0xc000),
	  .writes = igb_writes },
	{ .name = "igbvf",
	  .qemu = "igb",
	  .remark = "against igb",
	  .tx = DESC_ADVANCED,
	  .rx = DESC_ADVANCED,
	  INTEL_RINGS(0x3800, 0x2800),
	  .reset = igbvf_reset,
	  .writes = igbvf_writes },
	{ .name = "igc",
	  .qemu = "igb",
	  .remark = "against igb",
	  .tx = DESC_ADVANCED,
	  .rx = DESC_ADVANCED,
	  INTEL_RINGS(0xe000, 0xc000),
	  .writes = igb_writes },
};
const unsigned card_model_count = ARRAY_SIZE(card_models);

bool card_wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

static uint8_t *descriptor(const struct card *c, uint32_t ring, unsigned index)
{
	return c->bus->ram + ring + (size_t)16 * (index % c->model->ring);
}

static void write32(struct card *c, uint32_t at, uint32_t value)
{
	c->bus->write(c->bus, at, 4, value);
}

/* --- frames --- */

static void put_ethernet(uint8_t *f, uint16_t ethertype)
{
	static const uint8_t addresses[12] = { 0x52, 0x54, 0, 9, 9, 9, 0x52, 0x54, 0, 1, 2, 3 };

	memcpy(f, addresses, sizeof(addresses));
	put_be16(f + 12, ethertype);
}

/* Segment `number` of one stream, complete: as a driver without offloads sends it. */
static void put_segment(uint8_t *f, unsigned number)
{
	static const uint8_t options[12] = { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1 };
	uint8_t *ip = f + 14, *tcp = f + 34;

	put_ethernet(f, 0x0800);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(STREAM_HEADERS - 14 + STREAM_MSS));
	put_be16(ip + 4, (uint16_t)number);
	put_be16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = 6;
	put_be32(ip + 12, 0x0a070002);
	put_be32(ip + 16, 0x0a070001);
	put_be16(ip + 10, csum_fold(csum_add(0, ip, 20, false)));
	put_be16(tcp, 40000);
	put_be16(tcp + 2, 5001);
	put_be32(tcp + 4, 1000 + number * STREAM_MSS);
	put_be32(tcp + 8, 1);
	tcp[12] = 8 << 4;
	tcp[13] = 0x10;
	put_be16(tcp + 14, 500);
	memcpy(tcp + 20, options, sizeof(options));
	memset(tcp + 32, (int)number, STREAM_MSS);
	uint32_t pseudo = csum_add(6 + 32 + STREAM_MSS, ip + 12, 8, false);
	put_be16(tcp + 16, csum_fold(csum_add(pseudo, tcp, 32 + STREAM_MSS, false)));
}

/* The headers of a packet that the card segments: length 0, and the pseudo header's sum without it. */
static void put_large_headers(uint8_t *f)
{
	uint8_t *ip = f + 14, *tcp = f + 34;

	put_segment(f, 0);
	put_be16(ip + 2, 0);
	put_be16(ip + 10, 0);
	put_be16(tcp + 16, (uint16_t)~csum_fold(csum_add(6, ip + 12, 8, false)));
}

void card_put_frame(uint8_t *to, enum packet_kind kind)
{
	if (kind == PACKET_SMALL)
		put_ethernet(to, 0x88b5);
	else if (kind == PACKET_SEGMENT)
		put_segment(to, 0);
	else
		put_large_headers(to);
}

static void make_frames(uint8_t *ram)
{
	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		put_ethernet(ram + SMALL_AT + i * BUFFER, 0x88b5);
		put_segment(ram + STREAM_AT + i * BUFFER, i);
	}
	put_large_headers(ram + LARGE_AT);
}

/* --- descriptors --- */

static bool last_of_ring(const struct card *c, unsigned index)
{
	return index % c->model->ring == c->model->ring - 1;
}

static void put_tx(struct card *c, uint64_t at, uint32_t length)
{
	unsigned index = c->tx_next++;
	uint8_t *d = descriptor(c, TX_RING, index);

	switch (c->model->tx) {
	case DESC_REALTEK: /* OWN, EOR, FS, LS */
		put_le32(d + 4, 0);
		put_le64(d + 8, at);
		put_le32(d, 0xb0000000u | (last_of_ring(c, index) ? 0x40000000u : 0) | length);
		break;
	case DESC_LEGACY:
	case DESC_EXTENDED: /* EOP, IFCS, RS */
		put_le64(d, at);
		put_le32(d + 8, length | 0x0b000000u);
		put_le32(d + 12, 0);
		break;
	case DESC_ADVANCED: /* the same and DEXT, data */
		put_le64(d, at);
		put_le32(d + 8, length | 0x2b300000u);
		put_le32(d + 12, length << 14);
		break;
	}
}

/* One descriptor of a packet that the card segments. */
static void put_tso_piece(struct card *c, uint64_t at, uint32_t length, bool end)
{
	uint8_t *d = descriptor(c, TX_RING, c->tx_next++);
	bool advanced = c->model->tx == DESC_ADVANCED;
	uint32_t eop = end ? 0x09000000u : 0; /* EOP, RS */

	put_le64(d, at);
	if (advanced) { /* TSE, DEXT, IFCS; checksums of both headers, length of the payload */
		put_le32(d + 8, length | 0xa2300000u | eop);
		put_le32(d + 12, (TSO_SEGMENTS * STREAM_MSS) << 14 | 0x300);
	} else {
		put_le32(d + 8, length | 0x26100000u | eop);
		put_le32(d + 12, 0x300);
	}
}

static void put_large(struct card *c)
{
	uint8_t *d = descriptor(c, TX_RING, c->tx_next++);
	uint32_t payload = TSO_SEGMENTS * STREAM_MSS, l4_length = STREAM_HEADERS - 34;

	if (c->model->tx == DESC_ADVANCED) {
		put_le32(d, 14 << 9 | 20);
		put_le32(d + 4, 0);
		put_le32(d + 8, 0x20200c00); /* DEXT, context, TCP, IPv4 */
		put_le32(d + 12, STREAM_MSS << 16 | l4_length << 8);
	} else { /* IP at 14, its checksum at 24, ends at 33; TCP at 34, its checksum at 50, to the end */
		put_le32(d, 33u << 16 | 24 << 8 | 14);
		put_le32(d + 4, 50 << 8 | 34);
		put_le32(d + 8, 0x27000000u | payload); /* DEXT, TSE, IP, TCP */
		put_le32(d + 12, STREAM_MSS << 16 | STREAM_HEADERS << 8);
	}
	put_tso_piece(c, LARGE_AT, STREAM_HEADERS, false);
	for (uint32_t at = 0; at < payload; at += PIECE_MAX)
		put_tso_piece(c, LARGE_AT + STREAM_HEADERS + at, MIN(PIECE_MAX, payload - at),
			      at + PIECE_MAX >= payload);
}

static void give_rx(struct card *c, unsigned index)
{
	uint8_t *d = descriptor(c, RX_RING, index);
	uint64_t at = RX_AT + (uint64_t)BUFFER * (index % c->model->ring);

	if (c->model->rx == DESC_REALTEK) {
		put_le32(d + 4, 0);
		put_le64(d + 8, at);
		put_le32(d, 0x80000000u | (last_of_ring(c, index) ? 0x40000000u : 0) | 1536);
	} else {
		put_le64(d, at);
		put_le64(d + 8, 0);
	}
}

/* Waits until the card wrote a descriptor back. */
static bool wait_done(const struct card *c, uint32_t ring, unsigned index, enum descriptors kind)
{
	static const unsigned dd_at[] = {
		[DESC_LEGACY] = 12, [DESC_EXTENDED] = 8, [DESC_ADVANCED] = 8
	};
	const uint8_t *d = descriptor(c, ring, index);
	uint64_t end = monotonic_ns() + PATIENCE_NS;
	unsigned at = ring == TX_RING ? 12 : dd_at[kind];

	while (monotonic_ns() < end) {
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		bool done =
			kind == DESC_REALTEK ? !(get_le32(d) & 0x80000000u) : get_le32(d + at) & 1;
		if (done)
			return true;
		usleep(LOOK_US);
	}
	return false;
}

/* --- driver --- */

static void open_ring(struct card *c, uint32_t block, uint32_t base)
{
	write32(c, block, base);
	write32(c, block + 4, 0);
	write32(c, block + 8, c->model->ring * 16);
	write32(c, block + 0x10, 0);
	write32(c, block + 0x18, 0);
}

/* C+ mode: command register, ring addresses, on, promiscuous, interrupts masked */
static void open_realtek(struct card *c)
{
	struct bus *b = c->bus;

	b->write(b, 0x37, 1, 0x10);
	b->write(b, 0xe0, 2, 3);
	b->write(b, 0x20, 4, TX_RING);
	b->write(b, 0x24, 4, 0);
	b->write(b, 0xe4, 4, RX_RING);
	b->write(b, 0xe8, 4, 0);
	b->write(b, 0x37, 1, 0x0c);
	b->write(b, 0x44, 4, 0x0000e70f);
	b->write(b, 0x40, 4, 0x03000600);
	b->write(b, 0x3c, 2, 0);
}

static void write_all(struct card *c, const struct write *w)
{
	for (; w && (w->at || w->value); w++)
		write32(c, w->at, w->value);
}

void card_open(struct card *c, const struct card_model *model, struct bus *bus)
{
	*c = (struct card){ .model = model, .bus = bus };
	make_frames(bus->ram);
	memset(bus->ram + TX_RING, 0, (size_t)16 * model->ring);
	for (unsigned i = 0; i < model->ring; i++)
		give_rx(c, i);
	if (model->tx == DESC_REALTEK) {
		open_realtek(c);
	} else {
		write_all(c, model->reset);
		open_ring(c, model->tx_ring, TX_RING);
		open_ring(c, model->rx_ring, RX_RING);
		write_all(c, model->writes);
		write32(c, model->rx_ring + 0x18, model->ring - 1);
	}
	bus_settle(bus);
	bus->running = true;
}

static void kick(struct card *c)
{
	if (c->model->tx == DESC_REALTEK)
		c->bus->write(c->bus, 0xd9, 1, 0x40);
	else
		write32(c, c->model->tx_ring + 0x18, c->tx_next % c->model->ring);
}

bool card_send(struct card *c, enum packet_kind kind, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (kind == PACKET_SMALL)
			put_tx(c, SMALL_AT + i * BUFFER, SMALL_FRAME);
		else if (kind == PACKET_SEGMENT)
			put_tx(c, STREAM_AT + i * BUFFER, STREAM_HEADERS + STREAM_MSS);
		else
			put_large(c);
	}
	__atomic_thread_fence(__ATOMIC_RELEASE);
	kick(c);
	return wait_done(c, TX_RING, c->tx_next - 1, c->model->tx);
}

bool card_receive(struct card *c, unsigned n)
{
	if (!wait_done(c, RX_RING, c->rx_next + n - 1, c->model->rx))
		return false;
	for (unsigned i = 0; i < n; i++)
		give_rx(c, c->rx_next++);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (c->model->rx != DESC_REALTEK)
		write32(c, c->model->rx_ring + 0x18, (c->rx_next - 1) % c->model->ring);
	return true;
}
