#include "e1000_driver.h"

#include <string.h>

#include "base/bytes.h"

uint32_t e_read(struct e_driver *d, uint32_t at)
{
	uint32_t value = (uint32_t)pci_bar_read(&d->m->nic->pci, 0, at, 4);

	machine_run(d->m);
	return value;
}

void e_write(struct e_driver *d, uint32_t at, uint32_t v)
{
	pci_bar_write(&d->m->nic->pci, 0, at, 4, v);
	machine_run(d->m);
}

void e_set(struct e_driver *d, uint32_t at, uint32_t bits)
{
	e_write(d, at, e_read(d, at) | bits);
}

void e_clear(struct e_driver *d, uint32_t at, uint32_t bits)
{
	e_write(d, at, e_read(d, at) & ~bits);
}

/* IOADDR and IODATA, as Linux resets the card: a memory write would have to be acknowledged by a card that is no more. */
void e_reset(struct e_driver *d)
{
	uint32_t ctrl = e_read(d, 0);

	e_write(d, 0xd8, 0xffffffff);
	e_write(d, 0x100, 0);
	e_write(d, 0x400, 8);
	pci_bar_write(&d->m->nic->pci, d->io_bar, 0, 4, 0);
	pci_bar_write(&d->m->nic->pci, d->io_bar, 4, 4, ctrl | BIT(26));
	machine_run(d->m);
	d->tx_next = d->rx_next = 0;
}

void e_attach(struct e_driver *d, struct machine *m)
{
	*d = (struct e_driver){ .m = m, .rx_size = E_BUFFER };
	for (unsigned bar = 1; bar < 6; bar++)
		if (m->nic->pci.bar[bar].kind == BAR_IO)
			d->io_bar = bar;
	machine_set_bus(m, true);
	e_reset(d);
}

/* --- EEPROM: EECD bits SK 0, CS 1, DI 2, DO 3, REQ 6, GNT 7 --- */

static void pins(struct e_driver *d, uint32_t bits)
{
	e_write(d, 0x10, 0x40 | bits);
}

static void shift_out(struct e_driver *d, uint32_t bits, unsigned count)
{
	while (count--) {
		uint32_t di = (bits >> count & 1) << 2;
		pins(d, 2 | di);
		pins(d, 3 | di);
		pins(d, 2 | di);
	}
}

static void select_chip(struct e_driver *d)
{
	pins(d, 0);
	pins(d, 2);
}

uint16_t e_eeprom_read(struct e_driver *d, unsigned word)
{
	uint16_t value = 0;

	select_chip(d);
	shift_out(d, 6u << 6 | word, 9);
	for (unsigned i = 0; i < 16; i++) {
		pins(d, 3);
		value = (uint16_t)(value << 1 | (e_read(d, 0x10) >> 3 & 1));
		pins(d, 2);
	}
	e_write(d, 0x10, 0);
	return value;
}

void e_eeprom_write(struct e_driver *d, unsigned word, uint16_t value)
{
	select_chip(d);
	shift_out(d, 0x130, 9); /* write enable */
	select_chip(d);
	shift_out(d, 5u << 6 | word, 9);
	shift_out(d, value, 16);
	select_chip(d);
	e_write(d, 0x10, 0);
}

/* --- PHY at address 1 --- */

uint16_t e_phy_read(struct e_driver *d, unsigned reg)
{
	e_write(d, 0x20, 2u << 26 | 1u << 21 | reg << 16);
	return (uint16_t)e_read(d, 0x20);
}

void e_phy_write(struct e_driver *d, unsigned reg, uint16_t value)
{
	e_write(d, 0x20, 1u << 26 | 1u << 21 | reg << 16 | value);
}

/* --- rings --- */

static void give_buffer(struct e_driver *d, unsigned i)
{
	uint8_t *p = machine_at(d->m, E_RX_RING + 16 * i);

	put_le64(p, E_RX_DATA + i * E_BUFFER);
	put_le64(p + 8, 0);
}

void e_open_rx(struct e_driver *d, uint32_t rctl, uint32_t size)
{
	d->rx_size = size;
	d->rx_next = 0;
	e_write(d, 0x100, 0);
	for (unsigned i = 0; i < E_RING; i++)
		give_buffer(d, i);
	e_write(d, 0x2800, E_RX_RING);
	e_write(d, 0x2804, 0);
	e_write(d, 0x2808, E_RING * 16);
	e_write(d, 0x2810, 0);
	e_write(d, 0x2818, 0);
	e_write(d, 0x100, rctl | 0x8002);
	e_write(d, 0x2818, E_RING - 1);
}

void e_open(struct e_driver *d, uint32_t rctl, uint32_t ims)
{
	e_set(d, 0, 0x40); /* SLU */
	memset(machine_at(d->m, E_TX_RING), 0, E_RING * 16);
	e_write(d, 0x3800, E_TX_RING);
	e_write(d, 0x3804, 0);
	e_write(d, 0x3808, E_RING * 16);
	e_write(d, 0x3810, 0);
	e_write(d, 0x3818, 0);
	d->tx_next = 0;
	e_write(d, 0x400, 0x0103f0fa);
	e_open_rx(d, rctl, E_BUFFER);
	e_write(d, 0xd0, ims);
}

void e_close(struct e_driver *d)
{
	e_clear(d, 0x100, 2);
	e_clear(d, 0x400, 2);
	e_reset(d);
}

void e_post(struct e_driver *d, uint64_t address, uint32_t dword2, uint32_t dword3)
{
	uint8_t *p = machine_at(d->m, E_TX_RING + 16 * d->tx_next);

	put_le64(p, address);
	put_le32(p + 8, dword2);
	put_le32(p + 12, dword3);
	d->tx_next = (d->tx_next + 1) % E_RING;
}

void e_kick(struct e_driver *d)
{
	e_write(d, 0x3818, d->tx_next);
}

void e_send(struct e_driver *d, const void *data, size_t len, uint32_t flags, uint16_t special)
{
	uint64_t at = E_TX_DATA + d->tx_next * E_BUFFER;

	memcpy(machine_at(d->m, at), data, len);
	e_post(d, at, (uint32_t)len | E_EOP | E_IFCS | E_RS | flags, (uint32_t)special << 16);
	e_kick(d);
}

bool e_sent(struct e_driver *d, unsigned index)
{
	return *machine_at(d->m, E_TX_RING + 16 * index + 12) & E_DD;
}

size_t e_take(struct e_driver *d, void *to)
{
	size_t length = 0;
	bool last = false;

	d->pieces = 0;
	while (!last) {
		uint8_t *p = machine_at(d->m, E_RX_RING + 16 * d->rx_next);
		if (!(p[12] & E_DD))
			return 0;
		last = p[12] & E_EOPS;
		d->status = p[12];
		d->errors = p[13];
		d->special = get_le16(p + 14);
		d->pieces++;
		uint16_t n = get_le16(p + 8);
		memcpy((uint8_t *)to + length, machine_at(d->m, E_RX_DATA + d->rx_next * E_BUFFER),
		       n);
		length += n;
		give_buffer(d, d->rx_next);
		e_write(d, 0x2818, d->rx_next);
		d->rx_next = (d->rx_next + 1) % E_RING;
	}
	return length;
}
