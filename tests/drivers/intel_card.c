#include "intel_card.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum {
	CTRL = 0,
	RCTL = 0x100,
	TCTL = 0x400,
	RX = 0x2800,
	TX = 0x3800,
	BAL = 0,
	BAH = 4,
	LEN = 8,
	SRRCTL = 0xc,
	HEAD = 0x10,
	TAIL = 0x18,
	DCTL = 0x28
};
enum { V2P_MAILBOX = 0xc40, MAILBOX = 0x800, MAIL_REQ = 1, MAIL_ACK = 2, MAIL_VFU = 4 };

#define CMD_EOP	   BIT(24)
#define CMD_IFCS   BIT(25)
#define CMD_TSE	   BIT(26)
#define CMD_RS	   BIT(27)
#define CMD_DEXT   BIT(29)
#define CMD_ADVTSE BIT(31)

const struct intel_card_kind intel_card_kinds[] = {
	{ "e1000" },
	{ "e1000e" },
	{ "igb", .advanced = true, .queue_enable = true },
	{ "igbvf", .advanced = true, .queue_enable = true, .vf = true },
	{ "igc", .advanced = true, .queue_enable = true },
};
const unsigned intel_card_kind_count = ARRAY_SIZE(intel_card_kinds);

uint32_t intel_card_read(struct intel_card *c, uint32_t offset)
{
	uint32_t value = (uint32_t)pci_bar_read(&c->m->nic->pci, 0, offset, 4);

	machine_run(c->m);
	return value;
}

void intel_card_write(struct intel_card *c, uint32_t offset, uint32_t value)
{
	pci_bar_write(&c->m->nic->pci, 0, offset, 4, value);
	machine_run(c->m);
}

static void greet_pf(struct intel_card *c)
{
	intel_card_write(c, CTRL, BIT(26));
	intel_card_read(c, V2P_MAILBOX);
	intel_card_write(c, V2P_MAILBOX, MAIL_VFU);
	intel_card_write(c, MAILBOX, 1); /* VF_RESET */
	intel_card_write(c, V2P_MAILBOX, MAIL_REQ);
	intel_card_read(c, V2P_MAILBOX);
	intel_card_write(c, V2P_MAILBOX, MAIL_VFU);
	intel_card_write(c, V2P_MAILBOX, MAIL_ACK);
}

static void set_ring(struct intel_card *c, uint32_t at, uint32_t base)
{
	intel_card_write(c, at + DCTL, 0);
	intel_card_write(c, at + BAL, base);
	intel_card_write(c, at + BAH, 0);
	intel_card_write(c, at + LEN, CARD_RING * 16);
	intel_card_write(c, at + HEAD, 0);
	intel_card_write(c, at + TAIL, 0);
}

void intel_card_start(struct intel_card *c)
{
	machine_set_bus(c->m, true);
	if (c->kind->vf)
		greet_pf(c);
	else
		intel_card_write(c, CTRL, intel_card_read(c, CTRL) | BIT(6));
	set_ring(c, RX, CARD_RX_RING);
	set_ring(c, TX, CARD_TX_RING);
	for (unsigned i = 0; i < CARD_RING; i++) {
		uint8_t *d = machine_at(c->m, CARD_RX_RING + i * 16);
		put_le64(d, CARD_RX_DATA + i * CARD_BUFFER);
		put_le64(d + 8, 0);
	}
	memset(machine_at(c->m, CARD_TX_RING), 0, CARD_RING * 16);
	c->tx_tail = c->rx_next = 0;
	if (c->kind->advanced)
		intel_card_write(c, RX + SRRCTL, 1u << 25 | CARD_BUFFER / 1024);
	if (c->kind->queue_enable) {
		intel_card_write(c, RX + DCTL, BIT(25));
		intel_card_write(c, TX + DCTL, BIT(25));
	}
	if (!c->kind->vf) {
		intel_card_write(c, RCTL, BIT(1) | BIT(15) | BIT(3) | BIT(4) | BIT(26));
		intel_card_write(c, TCTL, BIT(1) | BIT(3));
	}
	intel_card_write(c, RX + TAIL, CARD_RING - 1);
	/* a link that the driver negotiates comes up a little later */
	machine_wait(c->m, 50 * NS_PER_MS);
}

struct intel_card *intel_card_create(const struct intel_card_kind *kind)
{
	struct error err;
	struct intel_card *c = calloc(1, sizeof(*c));

	c->kind = kind;
	c->m = nic_model_find(kind->model) ? machine_create(kind->model, -1, &err) : NULL;
	if (!c->m) {
		free(c);
		return NULL;
	}
	intel_card_start(c);
	return c;
}

void intel_card_destroy(struct intel_card *c)
{
	if (c)
		machine_destroy(c->m);
	free(c);
}

void intel_card_post(struct intel_card *c, uint64_t address, uint32_t dword2, uint32_t dword3)
{
	uint8_t *d = machine_at(c->m, CARD_TX_RING + c->tx_tail * 16);

	put_le64(d, address);
	put_le32(d + 8, dword2);
	put_le32(d + 12, dword3);
	c->tx_tail = (c->tx_tail + 1) % CARD_RING;
}

void intel_card_kick(struct intel_card *c)
{
	intel_card_write(c, TX + TAIL, c->tx_tail);
}

void intel_card_context(struct intel_card *c, unsigned l2, unsigned l3, unsigned l4, unsigned mss,
			unsigned protocol)
{
	uint32_t csum_at = protocol == 6 ? 16 : protocol == 17 ? 6 : 8;
	uint32_t kind = protocol == 6 ? 1 : protocol == 17 ? 0 : 2;

	if (c->kind->advanced) {
		intel_card_post(c, l3 | l2 << 9, CMD_DEXT | 2u << 20 | BIT(10) | kind << 11,
				mss << 16 | l4 << 8);
		return;
	}
	uint64_t low = l2 | (l2 + 10) << 8 | (l2 + l3 - 1) << 16 | (uint64_t)(l2 + l3) << 32 |
		       (uint64_t)(l2 + l3 + csum_at) << 40;
	intel_card_post(c, low,
			CMD_DEXT | BIT(25) | (protocol == 6 ? BIT(24) : 0) | (mss ? CMD_TSE : 0),
			mss << 16 | (l2 + l3 + l4) << 8);
}

void intel_card_data(struct intel_card *c, uint64_t address, uint32_t length, bool segment)
{
	uint32_t command = CMD_DEXT | CMD_EOP | CMD_IFCS | CMD_RS;

	if (c->kind->advanced)
		intel_card_post(c, address,
				command | 3u << 20 | (segment ? CMD_ADVTSE : 0) | (length & 0xffff),
				0x300);
	else
		intel_card_post(c, address,
				command | 1u << 20 | (segment ? CMD_TSE : 0) | (length & 0xfffff),
				0x300);
}

bool intel_card_sends(struct intel_card *c)
{
	static const uint8_t frame[60] = { 0x52, 0x54, 0,    0,	   0,	 9,    0x52, 0x54,
					   0x00, 0x12, 0x34, 0x56, 0x88, 0xb5, 7 };
	unsigned before = c->m->frames;

	memcpy(machine_at(c->m, CARD_TX_DATA), frame, sizeof(frame));
	intel_card_post(c, CARD_TX_DATA, sizeof(frame) | CMD_EOP | CMD_IFCS | CMD_RS, 0);
	intel_card_kick(c);
	return c->m->frames == before + 1 && c->m->wire[before].length == sizeof(frame) &&
	       memcmp(c->m->wire[before].data, frame, sizeof(frame)) == 0;
}

uint32_t intel_card_take(struct intel_card *c)
{
	uint8_t *d = machine_at(c->m, CARD_RX_RING + c->rx_next * 16);
	unsigned status = c->kind->advanced ? 8 : 12, length_at = c->kind->advanced ? 12 : 8;

	if (!(d[status] & 1))
		return 0;
	uint32_t length = get_le16(d + length_at);
	put_le64(d, CARD_RX_DATA + c->rx_next * CARD_BUFFER);
	put_le64(d + 8, 0);
	intel_card_write(c, RX + TAIL, c->rx_next);
	c->rx_next = (c->rx_next + 1) % CARD_RING;
	return length ? length : UINT32_MAX;
}

bool intel_card_receives(struct intel_card *c)
{
	static const uint8_t frame[100] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x52, 0x54,
					    0,	  0,	0,    9,    0x88, 0xb5, 9 };
	uint8_t *at = machine_at(c->m, CARD_RX_DATA + c->rx_next * CARD_BUFFER);

	return machine_say(c->m, frame, sizeof(frame)) == 1 &&
	       intel_card_take(c) == sizeof(frame) && memcmp(at, frame, sizeof(frame)) == 0;
}
