#include "e1000e_driver.h"

#include <string.h>

#include "base/bytes.h"

enum { CTRL = 0, EERD = 0x14, CTRL_EXT = 0x18, MDIC = 0x20, IMC = 0xd8, EIAC = 0xdc, IAM = 0xe0 };
enum { IVAR = 0xe4, RCTL = 0x100, TCTL = 0x400, EEWR = 0x102c, PSRCTL = 0x2170, RX = 0x2800 };
enum { TX = 0x3800, RFCTL = 0x5008, BAL = 0, BAH = 4, LEN = 8, HEAD = 0x10, TAIL = 0x18 };

#define DONE BIT(1)

uint32_t e1k_r32(struct e1k_driver *d, uint32_t at)
{
	uint32_t value = (uint32_t)pci_bar_read(&d->m->nic->pci, 0, at, 4);

	machine_run(d->m);
	return value;
}

void e1k_w32(struct e1k_driver *d, uint32_t at, uint32_t value)
{
	pci_bar_write(&d->m->nic->pci, 0, at, 4, value);
	machine_run(d->m);
}

void e1k_probe(struct e1k_driver *d, struct machine *m)
{
	memset(d, 0, sizeof(*d));
	d->m = m;
	machine_set_bus(m, true);
	e1k_w32(d, IMC, UINT32_MAX);
	e1k_w32(d, CTRL, e1k_r32(d, CTRL) | BIT(26));
	e1k_w32(d, IMC, UINT32_MAX);
}

static uint64_t rx_buffer(unsigned queue, unsigned index, unsigned piece)
{
	return E1K_RX_DATA + queue * 0x10000 + index * 0x2000 + piece * E1K_BUFFER;
}

static unsigned desc_size(const struct e1k_driver *d)
{
	return d->format == E1K_SPLIT ? 32 : 16;
}

static uint8_t *rx_desc(struct e1k_driver *d, unsigned queue, unsigned index)
{
	return machine_at(d->m, E1K_RX_RING + queue * 0x200 + index * desc_size(d));
}

static void give(struct e1k_driver *d, unsigned queue, unsigned index)
{
	uint8_t *p = rx_desc(d, queue, index);

	put_le64(p, rx_buffer(queue, index, 0));
	put_le64(p + 8, 0);
	for (unsigned i = 1; d->format == E1K_SPLIT && i < 4; i++)
		put_le64(p + 8 * i, i < 3 ? rx_buffer(queue, index, i) : UINT64_MAX);
}

/* A tail counts 16 bytes. */
static void give_tail(struct e1k_driver *d, unsigned queue, unsigned index)
{
	e1k_w32(d, RX + queue * 0x100 + TAIL, index * desc_size(d) / 16);
}

static void set_ring(struct e1k_driver *d, uint32_t at, uint32_t base, uint32_t len)
{
	e1k_w32(d, at + BAL, base);
	e1k_w32(d, at + BAH, 0);
	e1k_w32(d, at + LEN, len);
	e1k_w32(d, at + HEAD, 0);
	e1k_w32(d, at + TAIL, 0);
}

void e1k_open(struct e1k_driver *d, enum e1k_format format, uint32_t rctl)
{
	d->format = format;
	for (unsigned q = 0; q < 2; q++) {
		d->tx_tail[q] = d->rx_next[q] = 0;
		memset(machine_at(d->m, E1K_TX_RING + q * 0x200), 0, E1K_RING * 16);
		set_ring(d, TX + q * 0x100, E1K_TX_RING + q * 0x200, E1K_RING * 16);
		set_ring(d, RX + q * 0x100, E1K_RX_RING + q * 0x200, E1K_RING * desc_size(d));
		for (unsigned i = 0; i < E1K_RING; i++)
			give(d, q, i);
	}
	e1k_w32(d, RFCTL, format == E1K_LEGACY ? 0 : BIT(15));
	e1k_w32(d, PSRCTL, 1 | 2 << 8 | 2 << 16); /* 128 bytes, 2 KiB, 2 KiB, nothing */
	e1k_w32(d, CTRL_EXT, e1k_r32(d, CTRL_EXT) | BIT(28));
	e1k_w32(d, TCTL, BIT(1) | BIT(3));
	e1k_w32(d, RCTL, BIT(1) | BIT(15) | BIT(26) | (format == E1K_SPLIT ? BIT(10) : 0) | rctl);
	give_tail(d, 0, E1K_RING - 1);
	give_tail(d, 1, E1K_RING - 1);
}

void e1k_use_vectors(struct e1k_driver *d)
{
	machine_use_msix(d->m);
	e1k_w32(d, IVAR, BIT(31) | 0xcba98);
	e1k_w32(d, EIAC, 0x01f00000);
	e1k_w32(d, IAM, UINT32_MAX);
	e1k_w32(d, CTRL_EXT, (e1k_r32(d, CTRL_EXT) & ~BIT(27)) | BIT(24) | BIT(31));
}

uint16_t e1k_nvm_read(struct e1k_driver *d, unsigned word)
{
	e1k_w32(d, EERD, word << 2 | 1);
	uint32_t value = e1k_r32(d, EERD);
	return value & DONE ? (uint16_t)(value >> 16) : 0xdead;
}

void e1k_nvm_write(struct e1k_driver *d, unsigned word, uint16_t value)
{
	e1k_w32(d, EEWR, (uint32_t)value << 16 | word << 2 | 1);
}

uint32_t e1k_phy_read(struct e1k_driver *d, unsigned address, unsigned reg)
{
	e1k_w32(d, MDIC, 2u << 26 | address << 21 | reg << 16);
	return e1k_r32(d, MDIC);
}

void e1k_phy_write(struct e1k_driver *d, unsigned reg, uint16_t value)
{
	e1k_w32(d, MDIC, 1u << 26 | 1u << 21 | reg << 16 | value);
}

void e1k_post(struct e1k_driver *d, unsigned queue, uint64_t address, uint32_t dword2,
	      uint32_t dword3)
{
	uint8_t *p = machine_at(d->m, E1K_TX_RING + queue * 0x200 + d->tx_tail[queue] * 16);

	put_le64(p, address);
	put_le32(p + 8, dword2);
	put_le32(p + 12, dword3);
	d->tx_tail[queue] = (d->tx_tail[queue] + 1) % E1K_RING;
}

void e1k_kick(struct e1k_driver *d, unsigned queue)
{
	e1k_w32(d, TX + queue * 0x100 + TAIL, d->tx_tail[queue]);
}

void e1k_send(struct e1k_driver *d, unsigned queue, const void *data, uint32_t length,
	      uint32_t more, uint32_t dword3)
{
	uint32_t at = E1K_TX_DATA + queue * 0x10000;

	memcpy(machine_at(d->m, at), data, length);
	e1k_post(d, queue, at, E1K_DEXT | 1u << 20 | E1K_EOP | E1K_IFCS | E1K_RS | more | length,
		 dword3);
	e1k_kick(d, queue);
}

bool e1k_sent(struct e1k_driver *d, unsigned queue, unsigned index)
{
	return get_le32(machine_at(d->m, E1K_TX_RING + queue * 0x200 + index * 16) + 12) & 1;
}

static void read_legacy(const uint8_t *p, struct e1k_received *r)
{
	r->length = get_le16(p + 8);
	r->status = p[12] | (uint32_t)p[13] << 24;
	r->vlan = get_le16(p + 14);
}

static void read_extended(const struct e1k_driver *d, const uint8_t *p, struct e1k_received *r)
{
	r->mrq = get_le32(p);
	r->hash = get_le32(p + 4);
	r->status = get_le32(p + 8);
	r->length = get_le16(p + 12);
	r->vlan = get_le16(p + 14);
	if (d->format != E1K_SPLIT)
		return;
	r->header = get_le16(p + 16);
	for (unsigned i = 0; i < 3; i++)
		r->more[i] = get_le16(p + 18 + 2 * i);
}

bool e1k_take(struct e1k_driver *d, unsigned queue, struct e1k_received *r)
{
	unsigned index = d->rx_next[queue];
	uint8_t *p = rx_desc(d, queue, index);

	*r = (struct e1k_received){ 0 };
	if (d->format == E1K_LEGACY)
		read_legacy(p, r);
	else
		read_extended(d, p, r);
	if (!(r->status & 1))
		return false;
	r->data = machine_at(d->m, rx_buffer(queue, index, 0));
	r->body = machine_at(d->m, rx_buffer(queue, index, 1));
	give(d, queue, index);
	give_tail(d, queue, index);
	d->rx_next[queue] = (index + 1) % E1K_RING;
	return true;
}
