#include "igbvf_driver.h"

#include <string.h>

#include "base/bytes.h"

enum { CTRL = 0x0, MEMORY = 0x800, MAILBOX = 0xc40 };
enum {
	RDBAL = 0x2800,
	RDBAH = 0x2804,
	RDLEN = 0x2808,
	SRRCTL = 0x280c,
	RDH = 0x2810,
	RDT = 0x2818,
	RXDCTL = 0x2828
};
enum {
	TDBAL = 0x3800,
	TDBAH = 0x3804,
	TDLEN = 0x3808,
	TDH = 0x3810,
	TDT = 0x3818,
	TXDCTL = 0x3828
};
enum {
	EIMS = 0x1524,
	EIAC = 0x152c,
	EIAM = 0x1530,
	EICR = 0x1580,
	IVAR = 0x1700,
	IVAR_MISC = 0x1740
};

#define RST    BIT(26)
#define ENABLE BIT(25)
#define DD     1u

uint32_t vf_r(struct vf_driver *d, uint32_t at)
{
	uint32_t value = (uint32_t)pci_bar_read(&d->m->nic->pci, 0, at, 4);

	machine_run(d->m);
	return value;
}

void vf_w(struct vf_driver *d, uint32_t at, uint32_t value)
{
	pci_bar_write(&d->m->nic->pci, 0, at, 4, value);
	machine_run(d->m);
}

/* --- mailbox --- */

static uint32_t read_mailbox(void *card)
{
	return vf_r(card, MAILBOX);
}

static void write_mailbox(void *card, uint32_t value)
{
	vf_w(card, MAILBOX, value);
}

static uint32_t get_word(void *card, unsigned index)
{
	return vf_r(card, MEMORY + 4 * index);
}

static void put_word(void *card, unsigned index, uint32_t value)
{
	vf_w(card, MEMORY + 4 * index, value);
}

void vf_attach(struct vf_driver *d, struct machine *m)
{
	*d = (struct vf_driver){ .m = m };
	d->mailbox = (struct vf_client){ d, read_mailbox, write_mailbox, get_word, put_word, 0 };
	machine_set_bus(m, true);
}

bool vf_reset(struct vf_driver *d)
{
	uint32_t msg[3] = { 1 };

	vf_w(d, CTRL, RST);
	for (unsigned i = 0; vf_client_bit(&d->mailbox, VFMBX_RSTI | VFMBX_RSTD); i++)
		if (i == 200)
			return false;
	if (!vf_client_ask(&d->mailbox, msg, 3) || msg[0] != 0x80000001u)
		return false;
	put_le32(d->mac, msg[1]);
	put_le16(d->mac + 4, (uint16_t)msg[2]);
	return true;
}

uint32_t vf_ask(struct vf_driver *d, uint32_t word0, uint32_t word1, uint32_t word2)
{
	uint32_t msg[3] = { word0, word1, word2 };

	return vf_client_ask(&d->mailbox, msg, 3) ? msg[0] : 0;
}

uint32_t vf_ask_mac(struct vf_driver *d, uint32_t word0, const uint8_t mac[6])
{
	return vf_ask(d, word0, get_le32(mac), get_le16(mac + 4));
}

void vf_set_multicast(struct vf_driver *d, const uint8_t (*mac)[6], unsigned n)
{
	uint32_t msg[16] = { 3 | n << 16 };

	for (unsigned i = 0; i < n && i < 30; i++) {
		/* bits 47:36 of the address */
		uint32_t hash = (mac[i][4] >> 4 | mac[i][5] << 4) & 0xfffu;
		msg[1 + i / 2] |= hash << (i & 1 ? 16 : 0);
	}
	vf_client_write(&d->mailbox, msg, 16);
}

/* --- rings --- */

static void give(struct vf_driver *d, unsigned index)
{
	uint8_t *p = machine_at(d->m, VF_RX_RING + 16 * index);

	put_le64(p, VF_RX_DATA + index * VF_BUFFER);
	put_le64(p + 8, d->layout == VF_SPLIT_ALWAYS ? VF_RX_HEADERS + index * 256 : 0);
}

void vf_open_tx(struct vf_driver *d, unsigned queue)
{
	uint32_t at = 0x100 * queue;

	memset(machine_at(d->m, VF_TX_RING(queue)), 0, 16 * VF_RING);
	vf_w(d, TXDCTL + at, 0);
	vf_w(d, TDLEN + at, 16 * VF_RING);
	vf_w(d, TDBAL + at, VF_TX_RING(queue));
	vf_w(d, TDBAH + at, 0);
	vf_w(d, TDH + at, 0);
	vf_w(d, TDT + at, 0);
	vf_w(d, TXDCTL + at, ENABLE);
	d->tx_next[queue] = 0;
}

void vf_open(struct vf_driver *d, unsigned layout)
{
	vf_open_tx(d, 0);
	d->layout = layout;
	d->rx_next = 0;
	for (unsigned i = 0; i < VF_RING; i++)
		give(d, i);
	vf_w(d, SRRCTL,
	     BIT(31) | layout << 25 | (layout == VF_SPLIT_ALWAYS ? 2u << 8 : 0) | VF_BUFFER / 1024);
	vf_w(d, RXDCTL, 0);
	vf_w(d, RDBAL, VF_RX_RING);
	vf_w(d, RDBAH, 0);
	vf_w(d, RDLEN, 16 * VF_RING);
	vf_w(d, RDH, 0);
	vf_w(d, RDT, 0);
	vf_w(d, RXDCTL, ENABLE | 16 | 8 << 8 | 1 << 16);
	vf_w(d, RDT, VF_RING - 1);
}

void vf_use_vectors(struct vf_driver *d)
{
	vf_w(d, IVAR, 0x80 << 8 | 0x81);
	vf_w(d, IVAR_MISC, 0x82);
	vf_r(d, EICR);
	vf_w(d, EIAC, 7);
	vf_w(d, EIAM, 7);
	vf_w(d, EIMS, 7);
}

/* --- frames out --- */

void vf_post(struct vf_driver *d, unsigned queue, uint64_t low, uint32_t dword2, uint32_t dword3)
{
	uint8_t *p = machine_at(d->m, VF_TX_RING(queue) + 16 * d->tx_next[queue]);

	put_le64(p, low);
	put_le32(p + 8, dword2);
	put_le32(p + 12, dword3);
	d->tx_next[queue] = (d->tx_next[queue] + 1) % VF_RING;
}

void vf_kick(struct vf_driver *d, unsigned queue)
{
	vf_w(d, TDT + 0x100 * queue, d->tx_next[queue]);
}

uint64_t vf_stage(struct vf_driver *d, unsigned queue, const void *data, size_t len)
{
	uint64_t at = VF_TX_DATA(queue) + d->tx_next[queue] * VF_BUFFER;

	memcpy(machine_at(d->m, at), data, len);
	return at;
}

void vf_context(struct vf_driver *d, unsigned queue, unsigned l2, unsigned l3, unsigned l4,
		unsigned mss, bool tcp, uint16_t tag)
{
	vf_post(d, queue, l3 | l2 << 9 | (uint32_t)tag << 16,
		VF_DEXT | 2u << 20 | BIT(10) | (tcp ? BIT(11) : 0), mss << 16 | l4 << 8);
}

void vf_send(struct vf_driver *d, unsigned queue, const void *data, size_t len, uint32_t dword2,
	     uint32_t dword3)
{
	uint64_t at = vf_stage(d, queue, data, len);

	vf_post(d, queue, at, VF_DATA | VF_EOP | VF_RS | dword2 | (uint32_t)len,
		dword3 | (uint32_t)len << 14);
	vf_kick(d, queue);
}

bool vf_sent(struct vf_driver *d, unsigned queue, unsigned descriptor)
{
	return get_le32(machine_at(d->m, VF_TX_RING(queue) + 16 * descriptor) + 12) & DD;
}

/* --- frames in --- */

/* One descriptor's bytes; `*last` tells the end of a frame. */
static size_t take_one(struct vf_driver *d, uint8_t *to, bool *last)
{
	unsigned i = d->rx_next;
	const uint8_t *p = machine_at(d->m, VF_RX_RING + 16 * i);
	size_t header = 0, length;

	if (d->layout == VF_LEGACY) {
		length = get_le16(p + 8);
		d->status = get_le16(p + 12);
		d->tag = get_le16(p + 14);
	} else {
		length = get_le16(p + 12);
		d->status = get_le32(p + 8);
		d->info = get_le32(p);
		d->tag = get_le16(p + 14);
		header = d->info >> 31 ? d->info >> 21 & 0x3ff : 0;
	}
	memcpy(to, machine_at(d->m, VF_RX_HEADERS + i * 256), header);
	memcpy(to + header, machine_at(d->m, VF_RX_DATA + i * VF_BUFFER), length);
	*last = d->status & 2;
	memset(machine_at(d->m, VF_RX_RING + 16 * i), 0, 16);
	give(d, i);
	d->rx_next = (i + 1) % VF_RING;
	return header + length;
}

size_t vf_take(struct vf_driver *d, void *to)
{
	unsigned status_at = d->layout == VF_LEGACY ? 12 : 8;
	size_t length = 0;
	bool last = false;

	d->descriptors = 0;
	while (!last && (*machine_at(d->m, VF_RX_RING + 16 * d->rx_next + status_at) & DD)) {
		length += take_one(d, (uint8_t *)to + length, &last);
		d->descriptors++;
	}
	if (d->descriptors)
		vf_w(d, RDT, (d->rx_next + VF_RING - 1) % VF_RING);
	return last ? length : 0;
}
