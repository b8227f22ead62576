#include "igc_driver.h"

#include <string.h>

#include "base/bytes.h"

#define MDIC_READY	      BIT(28)
#define EOP_IFCS_RS_DEXT_DATA 0x2b300000u

uint32_t igc_r(struct igc_driver *d, uint32_t at)
{
	uint32_t value = (uint32_t)pci_bar_read(&d->m->nic->pci, 0, at, 4);

	machine_run(d->m);
	return value;
}

void igc_w(struct igc_driver *d, uint32_t at, uint32_t value)
{
	pci_bar_write(&d->m->nic->pci, 0, at, 4, value);
	machine_run(d->m);
}

uint32_t igc_q(uint32_t at, unsigned q)
{
	return at + 0x40 * q;
}

uint16_t igc_nvm_word(struct igc_driver *d, unsigned word)
{
	igc_w(d, IGC_EERD, word << 2 | 1);
	uint32_t value = igc_r(d, IGC_EERD);
	return value & 2 ? (uint16_t)(value >> 16) : 0;
}

uint16_t igc_phy_read(struct igc_driver *d, unsigned reg)
{
	igc_w(d, IGC_MDIC, 2u << 26 | reg << 16);
	uint32_t value = igc_r(d, IGC_MDIC);
	return value & MDIC_READY ? (uint16_t)value : 0xdead;
}

void igc_phy_write(struct igc_driver *d, unsigned reg, uint16_t value)
{
	igc_w(d, IGC_MDIC, 1u << 26 | reg << 16 | value);
}

static void select_mmd(struct igc_driver *d, unsigned device, uint16_t at)
{
	igc_phy_write(d, 13, (uint16_t)device);
	igc_phy_write(d, 14, at);
	igc_phy_write(d, 13, (uint16_t)(0x4000 | device));
}

uint16_t igc_mmd_read(struct igc_driver *d, unsigned device, uint16_t at)
{
	select_mmd(d, device, at);
	return igc_phy_read(d, 14);
}

void igc_mmd_write(struct igc_driver *d, unsigned device, uint16_t at, uint16_t value)
{
	select_mmd(d, device, at);
	igc_phy_write(d, 14, value);
}

static void open_queue(struct igc_driver *d, unsigned q)
{
	memset(machine_at(d->m, IGC_TX_RING(q)), 0, IGC_RING * 16);
	for (unsigned i = 0; i < IGC_RING; i++) {
		uint8_t *r = machine_at(d->m, IGC_RX_RING(q) + i * 16);
		put_le64(r, IGC_RX_DATA(q) + i * IGC_BUFFER);
		put_le64(r + 8, 0);
	}
	d->tx_tail[q] = d->rx_next[q] = 0;
	igc_w(d, igc_q(IGC_RDBAL, q), IGC_RX_RING(q));
	igc_w(d, igc_q(IGC_RDBAL + 4, q), 0);
	igc_w(d, igc_q(IGC_RDBAL + 8, q), IGC_RING * 16);
	igc_w(d, igc_q(IGC_SRRCTL, q), d->srrctl);
	igc_w(d, igc_q(IGC_RDH, q), 0);
	igc_w(d, igc_q(IGC_RDT, q), 0);
	igc_w(d, igc_q(IGC_RXDCTL, q), BIT(25));
	igc_w(d, igc_q(IGC_TDBAL, q), IGC_TX_RING(q));
	igc_w(d, igc_q(IGC_TDBAL + 4, q), 0);
	igc_w(d, igc_q(IGC_TDBAL + 8, q), IGC_RING * 16);
	igc_w(d, igc_q(IGC_TDH, q), 0);
	igc_w(d, igc_q(IGC_TDT, q), 0);
	igc_w(d, igc_q(IGC_TXDCTL, q), BIT(25));
}

void igc_open(struct igc_driver *d)
{
	machine_set_bus(d->m, true);
	igc_w(d, IGC_IMC, 0xffffffff);
	igc_w(d, IGC_CTRL, igc_r(d, IGC_CTRL) | BIT(26));
	if (!d->srrctl)
		d->srrctl = 1u << 25 | IGC_BUFFER / 1024; /* advanced, one buffer */
	for (unsigned q = 0; q < IGC_DRIVER_QUEUES; q++)
		open_queue(d, q);
	igc_w(d, IGC_RCTL, BIT(1) | BIT(5) | BIT(15) | BIT(26)); /* EN, LPE, BAM, SECRC */
	igc_w(d, IGC_TCTL, BIT(1) | BIT(3));			 /* EN, PSP */
	igc_w(d, IGC_CTRL_EXT, igc_r(d, IGC_CTRL_EXT) | BIT(28));
	for (unsigned q = 0; q < IGC_DRIVER_QUEUES; q++)
		igc_w(d, igc_q(IGC_RDT, q), IGC_RING - 1);
}

void igc_use_vectors(struct igc_driver *d)
{
	machine_use_msix(d->m);
	igc_w(d, IGC_GPIE, BIT(4) | BIT(0)); /* Multiple_MSIX, NSICR */
	for (unsigned i = 0; i < 2; i++)     /* two queues each: receive, transmit */
		igc_w(d, IGC_IVAR + 4 * i,
		      (0x80u | (1 + 2 * i)) * 0x0101u | (0x80u | (2 + 2 * i)) * 0x01010000u);
	igc_w(d, IGC_IVAR_MISC, 0x80u << 8);
	igc_w(d, IGC_EIAC, 0x1f);
	igc_w(d, IGC_EIMS, 0x1f);
	igc_w(d, IGC_IMS, BIT(2) | BIT(19)); /* LSC, TS */
}

void igc_post(struct igc_driver *d, unsigned q, uint64_t low, uint32_t dword2, uint32_t dword3)
{
	uint8_t *t = machine_at(d->m, IGC_TX_RING(q) + d->tx_tail[q] * 16);

	put_le64(t, low);
	put_le32(t + 8, dword2);
	put_le32(t + 12, dword3);
	d->tx_tail[q] = (d->tx_tail[q] + 1) % IGC_RING;
}

void igc_kick(struct igc_driver *d, unsigned q)
{
	igc_w(d, igc_q(IGC_TDT, q), d->tx_tail[q]);
}

void igc_post_frame(struct igc_driver *d, unsigned q, unsigned slot, const void *frame,
		    unsigned len, uint32_t dword2, uint32_t dword3)
{
	uint64_t at = IGC_TX_DATA + slot * IGC_BUFFER;

	memcpy(machine_at(d->m, at), frame, len);
	igc_post(d, q, at, len | EOP_IFCS_RS_DEXT_DATA | dword2, len << 14 | dword3);
}

bool igc_sent_done(struct igc_driver *d, unsigned q, unsigned index)
{
	return get_le32(machine_at(d->m, IGC_TX_RING(q) + index * 16) + 12) & 1;
}

struct igc_received igc_take(struct igc_driver *d, unsigned q)
{
	unsigned at = d->rx_next[q];
	uint8_t *r = machine_at(d->m, IGC_RX_RING(q) + at * 16);
	struct igc_received f = { .there = get_le32(r + 8) & 1 };

	if (!f.there)
		return f;
	f.type = get_le16(r);
	f.hash = get_le32(r + 4);
	f.status = get_le32(r + 8);
	f.length = get_le16(r + 12);
	f.vlan = get_le16(r + 14);
	f.data = machine_at(d->m, IGC_RX_DATA(q) + at * IGC_BUFFER);
	put_le64(r, IGC_RX_DATA(q) + at * IGC_BUFFER);
	put_le64(r + 8, 0);
	igc_w(d, igc_q(IGC_RDT, q), at);
	d->rx_next[q] = (at + 1) % IGC_RING;
	return f;
}

int igc_take_any(struct igc_driver *d)
{
	for (unsigned q = 0; q < IGC_DRIVER_QUEUES; q++)
		if (igc_take(d, q).there)
			return (int)q;
	return -1;
}

uint64_t igc_clock(struct igc_driver *d)
{
	uint32_t ns = igc_r(d, IGC_SYSTIML);

	return igc_r(d, IGC_SYSTIMH) * NS_PER_S + ns;
}

void igc_set_clock(struct igc_driver *d, uint64_t ns)
{
	igc_w(d, IGC_SYSTIML, (uint32_t)(ns % NS_PER_S));
	igc_w(d, IGC_SYSTIMH, (uint32_t)(ns / NS_PER_S));
}
