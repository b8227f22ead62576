#include "rtl8139_driver.h"

#include <string.h>

#include "base/bytes.h"

uint8_t rtl_r8(struct rtl_driver *d, unsigned at)
{
	return (uint8_t)pci_bar_read(&d->m->nic->pci, d->bar, at, 1);
}

uint16_t rtl_r16(struct rtl_driver *d, unsigned at)
{
	return (uint16_t)pci_bar_read(&d->m->nic->pci, d->bar, at, 2);
}

uint32_t rtl_r32(struct rtl_driver *d, unsigned at)
{
	return (uint32_t)pci_bar_read(&d->m->nic->pci, d->bar, at, 4);
}

static void write_register(struct rtl_driver *d, unsigned at, unsigned size, uint32_t v)
{
	pci_bar_write(&d->m->nic->pci, d->bar, at, size, v);
	machine_run(d->m);
}

void rtl_w8(struct rtl_driver *d, unsigned at, uint8_t v)
{
	write_register(d, at, 1, v);
}

void rtl_w16(struct rtl_driver *d, unsigned at, uint16_t v)
{
	write_register(d, at, 2, v);
}

void rtl_w32(struct rtl_driver *d, unsigned at, uint32_t v)
{
	write_register(d, at, 4, v);
}

uint16_t rtl_ack(struct rtl_driver *d)
{
	uint16_t isr = rtl_r16(d, 0x3e);

	rtl_w16(d, 0x3e, isr);
	return isr;
}

/* --- EEPROM: 9346CR at 0x50; mode in bits 7:6, CS 8, SK 4, DI 2, DO 1 --- */

static void shift_out(struct rtl_driver *d, unsigned bits, unsigned count)
{
	while (count--) {
		uint8_t di = bits >> count & 1 ? 2 : 0;
		rtl_w8(d, 0x50, 0x88 | di);
		rtl_w8(d, 0x50, 0x88 | di | 4);
	}
	rtl_w8(d, 0x50, 0x88);
}

static void deselect(struct rtl_driver *d)
{
	rtl_w8(d, 0x50, 0x80);
	rtl_w8(d, 0x50, 0);
}

uint16_t rtl_eeprom_read(struct rtl_driver *d, unsigned word, unsigned address_bits)
{
	uint16_t value = 0;

	rtl_w8(d, 0x50, 0x80);
	rtl_w8(d, 0x50, 0x88);
	shift_out(d, 6u << address_bits | word, 3 + address_bits);
	for (unsigned i = 0; i < 16; i++) {
		rtl_w8(d, 0x50, 0x8c);
		value = (uint16_t)(value << 1 | (rtl_r8(d, 0x50) & 1));
		rtl_w8(d, 0x50, 0x88);
	}
	deselect(d);
	return value;
}

void rtl_eeprom_command(struct rtl_driver *d, unsigned bits, unsigned count)
{
	rtl_w8(d, 0x50, 0x80);
	rtl_w8(d, 0x50, 0x88);
	shift_out(d, bits, count);
	deselect(d);
}

void rtl_eeprom_write(struct rtl_driver *d, unsigned word, uint16_t value)
{
	rtl_eeprom_command(d, 0x130, 9); /* 1 00 11xxxx: writes allowed */
	rtl_eeprom_command(d, (5u << 6 | word) << 16 | value, 25);
	rtl_eeprom_command(d, 0x100, 9); /* 1 00 00xxxx: no longer */
}

void rtl_attach(struct rtl_driver *d, struct machine *m)
{
	*d = (struct rtl_driver){ .m = m, .bar = 1, .rx_size = RTL_BUFFER };
	machine_set_bus(m, true);
	rtl_w8(d, 0x37, 0x10);
	for (unsigned i = 0; i < 3; i++)
		put_le16(d->mac + 2 * i, rtl_eeprom_read(d, 7 + i, 6));
}

void rtl_unlock(struct rtl_driver *d)
{
	rtl_w8(d, 0x50, 0xc0);
}

void rtl_lock(struct rtl_driver *d)
{
	rtl_w8(d, 0x50, 0);
}

/* --- C+ mode --- */

void rtl_give(struct rtl_driver *d, unsigned index, uint64_t address, uint32_t size)
{
	uint8_t *desc = machine_at(d->m, RTL_RX_RING + 16 * index);

	put_le32(desc + 4, 0);
	put_le64(desc + 8, address);
	put_le32(desc, 0x80000000u | (index == RTL_RING - 1 ? 0x40000000u : 0) | size);
}

void rtl_open_cplus(struct rtl_driver *d, uint16_t cpcr, uint16_t imr)
{
	d->rx_next = d->tx_next = d->tx_done = 0;
	memset(machine_at(d->m, RTL_TX_RING), 0, 16 * RTL_RING);
	memset(machine_at(d->m, RTL_HIGH_RING), 0, 16 * RTL_RING);
	for (unsigned i = 0; i < RTL_RING; i++)
		rtl_give(d, i, RTL_RX_BUFFERS + i * RTL_BUFFER, d->rx_size);
	rtl_w8(d, 0x37, 0x10);
	rtl_w16(d, 0xe0, (uint16_t)(cpcr | 3));
	rtl_w32(d, 0x28, RTL_HIGH_RING);
	rtl_w32(d, 0x2c, 0);
	rtl_w32(d, 0x20, RTL_TX_RING);
	rtl_w32(d, 0x24, 0);
	rtl_w32(d, 0xe4, RTL_RX_RING);
	rtl_w32(d, 0xe8, 0);
	rtl_w8(d, 0x37, 0x0c);
	rtl_w32(d, 0x44, 0x0000e70a); /* own address and broadcast */
	rtl_w32(d, 0x40, 0x03000600);
	rtl_w16(d, 0x3c, imr);
}

void rtl_queue_piece(struct rtl_driver *d, uint64_t address, uint32_t size, uint32_t flags,
		     uint32_t opts2)
{
	uint8_t *desc = machine_at(d->m, RTL_TX_RING + 16 * d->tx_next);

	put_le32(desc + 4, opts2);
	put_le64(desc + 8, address);
	put_le32(desc, 0x80000000u | flags | (d->tx_next == RTL_RING - 1 ? 0x40000000u : 0) | size);
	d->tx_next = (d->tx_next + 1) % RTL_RING;
}

void rtl_kick(struct rtl_driver *d)
{
	rtl_w8(d, 0xd9, 0x40);
}

void rtl_send(struct rtl_driver *d, const void *data, size_t len, uint32_t flags, uint32_t opts2)
{
	uint64_t at = RTL_TX_BUFFERS + d->tx_next * RTL_BUFFER;

	memcpy(machine_at(d->m, at), data, len);
	rtl_queue_piece(d, at, (uint32_t)len, 0x30000000u | flags, opts2);
	rtl_kick(d);
}

uint32_t rtl_tx_opts1(struct rtl_driver *d, unsigned index)
{
	return get_le32(machine_at(d->m, RTL_TX_RING + 16 * index));
}

size_t rtl_take(struct rtl_driver *d, void *to)
{
	size_t length = 0;

	for (unsigned pieces = 0; pieces < RTL_RING; pieces++) {
		uint8_t *desc = machine_at(d->m, RTL_RX_RING + 16 * d->rx_next);
		uint32_t opts1 = get_le32(desc);
		if (opts1 & 0x80000000u)
			return 0;
		if (!pieces != !!(opts1 & 0x20000000u))
			return 0; /* first piece, and only that, says so */
		d->opts1 = opts1;
		d->opts2 = get_le32(desc + 4);
		uint64_t address = get_le64(desc + 8);
		size_t n = opts1 & 0x1fff;
		if (opts1 & 0x10000000u)
			n -= length; /* the last one tells the length of all */
		memcpy((uint8_t *)to + length, machine_at(d->m, address), n);
		length += n;
		rtl_give(d, d->rx_next, address, d->rx_size);
		d->rx_next = (d->rx_next + 1) % RTL_RING;
		if (opts1 & 0x10000000u)
			return length - 4;
	}
	return 0;
}

/* --- C mode --- */

void rtl_open_c(struct rtl_driver *d, uint32_t rcr, uint16_t imr)
{
	d->ring_size = 8192u << (rcr >> 11 & 3);
	d->ring_at = 0;
	d->tx_next = 0;
	rtl_w8(d, 0x37, 0x10);
	rtl_w32(d, 0x30, RTL_C_RING);
	rtl_w8(d, 0x37, 0x0c);
	rtl_w32(d, 0x44, rcr);
	rtl_w32(d, 0x40, 0x03000600);
	for (unsigned i = 0; i < 4; i++)
		rtl_w32(d, 0x20 + 4 * i, RTL_TX_BUFFERS + i * RTL_BUFFER);
	rtl_w16(d, 0x3c, imr);
}

void rtl_send_c(struct rtl_driver *d, const void *data, size_t len)
{
	memcpy(machine_at(d->m, RTL_TX_BUFFERS + d->tx_next * RTL_BUFFER), data, len);
	rtl_w32(d, 0x10 + 4 * d->tx_next, 0x00080000u | (uint32_t)len);
	d->tx_next = (d->tx_next + 1) % 4;
}

size_t rtl_take_c(struct rtl_driver *d, void *to)
{
	uint8_t *ring = machine_at(d->m, RTL_C_RING);

	if (rtl_r8(d, 0x37) & 1)
		return 0;
	d->status = get_le16(ring + d->ring_at);
	size_t length = get_le16(ring + d->ring_at + 2);
	bool linear = rtl_r32(d, 0x44) & 0x80;
	for (size_t i = 0; i < length - 4; i++) {
		size_t at = d->ring_at + 4 + i;
		((uint8_t *)to)[i] = ring[linear ? at : at % d->ring_size];
	}
	d->ring_at = (uint32_t)((d->ring_at + 4 + length + 3) & ~3u) % d->ring_size;
	rtl_w16(d, 0x38, (uint16_t)(d->ring_at - 16));
	return length - 4;
}
