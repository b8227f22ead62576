#include "igb_driver.h"

#include <string.h>

#include "base/bytes.h"

enum { CTRL = 0, STATUS = 8, CTRL_EXT = 0x18, RCTL = 0x100, TCTL = 0x400, IMC = 0x150c };
enum {
	GPIE = 0x1514,
	EIMS = 0x1524,
	EIAC = 0x152c,
	EIAM = 0x1530,
	IVAR = 0x1700,
	IVAR_MISC = 0x1740
};
enum { RX = 0xc000, TX = 0xe000, STEP = 0x40 };
enum { BAL = 0, BAH = 4, LEN = 8, SRRCTL = 0xc, HEAD = 0x10, TAIL = 0x18, DCTL = 0x28 };

#define DTYP_CONTEXT (2u << 20)
#define DTYP_DATA    (3u << 20)
#define CMD_DEXT     BIT(29)

uint32_t igb_r32(struct igb_driver *d, uint32_t at)
{
	uint32_t value = (uint32_t)pci_bar_read(&d->m->nic->pci, 0, at, 4);

	machine_run(d->m);
	return value;
}

void igb_w32(struct igb_driver *d, uint32_t at, uint32_t value)
{
	pci_bar_write(&d->m->nic->pci, 0, at, 4, value);
	machine_run(d->m);
}

void igb_probe(struct igb_driver *d, struct machine *m)
{
	*d = (struct igb_driver){ .m = m };
	machine_set_bus(m, true);
	igb_w32(d, IMC, 0xffffffff);
	igb_w32(d, RCTL, 0);
	igb_w32(d, TCTL, BIT(3));
	igb_w32(d, CTRL, igb_r32(d, CTRL) | BIT(26));
	igb_w32(d, CTRL, igb_r32(d, CTRL) | BIT(6));
	igb_w32(d, CTRL_EXT, igb_r32(d, CTRL_EXT) | BIT(28));
}

static void set_ring(struct igb_driver *d, uint32_t at, uint32_t base)
{
	igb_w32(d, at + DCTL, 0);
	igb_w32(d, at + BAL, base);
	igb_w32(d, at + BAH, 0);
	igb_w32(d, at + LEN, IGB_RING * 16);
	igb_w32(d, at + HEAD, 0);
	igb_w32(d, at + TAIL, 0);
}

static void give(struct igb_driver *d, unsigned queue, unsigned index)
{
	uint8_t *desc = machine_at(d->m, IGB_RX_RING + queue * 0x100 + index * 16);

	put_le64(desc, IGB_RX_DATA + queue * 0x4000 + index * IGB_BUFFER);
	put_le64(desc + 8, d->type > IGB_ONE_BUFFER ? IGB_RX_HEAD + index * 0x100 : 0);
}

static void open_queue(struct igb_driver *d, unsigned queue)
{
	uint32_t rx = RX + queue * STEP, tx = TX + queue * STEP;

	set_ring(d, rx, IGB_RX_RING + queue * 0x100);
	set_ring(d, tx, IGB_TX_RING + queue * 0x100);
	igb_w32(d, rx + SRRCTL, d->type << 25 | 2u << 8 | IGB_BUFFER / 1024);
	memset(machine_at(d->m, IGB_TX_RING + queue * 0x100), 0, IGB_RING * 16);
	for (unsigned i = 0; i < IGB_RING; i++)
		give(d, queue, i);
	igb_w32(d, rx + DCTL, BIT(25));
	igb_w32(d, tx + DCTL, BIT(25));
	igb_w32(d, rx + TAIL, IGB_RING - 1);
	d->tx_tail[queue] = d->rx_next[queue] = 0;
}

void igb_open(struct igb_driver *d, unsigned queues, unsigned type)
{
	d->queues = queues;
	d->type = type;
	for (unsigned i = 0; i < queues; i++)
		open_queue(d, i);
	igb_w32(d, RCTL, BIT(1) | BIT(15) | BIT(26));
	igb_w32(d, TCTL, BIT(1) | BIT(3));
	machine_wait(d->m, 50 * NS_PER_MS);
}

void igb_use_vectors(struct igb_driver *d)
{
	machine_use_msix(d->m);
	igb_w32(d, GPIE, BIT(4) | BIT(30) | BIT(31) | BIT(0));
	for (unsigned i = 0; i < 8; i++)
		igb_w32(d, IVAR + i * 4, 0x80u | i | (0x80u | (i + 8)) << 8);
	igb_w32(d, IVAR_MISC, (0x80u | 24) << 8);
	igb_w32(d, EIAC, 0x1ffffff);
	igb_w32(d, EIAM, 0);
	igb_w32(d, EIMS, 0x1ffffff);
}

static void post(struct igb_driver *d, unsigned queue, uint64_t low, uint32_t dword2,
		 uint32_t dword3)
{
	uint8_t *desc = machine_at(d->m, IGB_TX_RING + queue * 0x100 + d->tx_tail[queue] * 16);

	put_le64(desc, low);
	put_le32(desc + 8, dword2);
	put_le32(desc + 12, dword3);
	d->tx_tail[queue] = (d->tx_tail[queue] + 1) % IGB_RING;
}

static uint32_t place(struct igb_driver *d, unsigned queue, const void *data, uint32_t length)
{
	uint32_t at = IGB_TX_DATA + queue * 0x8000;

	memcpy(machine_at(d->m, at), data, length);
	return at;
}

void igb_send_legacy(struct igb_driver *d, unsigned queue, const void *data, uint32_t length)
{
	post(d, queue, place(d, queue, data, length),
	     length | IGB_CMD_EOP | IGB_CMD_IFCS | IGB_CMD_RS, 0);
	igb_w32(d, TX + queue * STEP + TAIL, d->tx_tail[queue]);
}

void igb_send(struct igb_driver *d, unsigned queue, const void *data, uint32_t length,
	      uint32_t command, uint32_t options)
{
	post(d, queue, place(d, queue, data, length),
	     length | DTYP_DATA | CMD_DEXT | IGB_CMD_EOP | IGB_CMD_IFCS | IGB_CMD_RS | command,
	     length << 14 | options);
	igb_w32(d, TX + queue * STEP + TAIL, d->tx_tail[queue]);
}

void igb_context(struct igb_driver *d, unsigned queue, unsigned l2, unsigned l3, unsigned l4_length,
		 unsigned mss, unsigned l4, uint16_t vlan)
{
	post(d, queue, (uint32_t)vlan << 16 | l2 << 9 | l3,
	     DTYP_CONTEXT | CMD_DEXT | BIT(10) | l4 << 11, mss << 16 | l4_length << 8);
}

bool igb_sent(struct igb_driver *d, unsigned queue, unsigned index)
{
	return get_le32(machine_at(d->m, IGB_TX_RING + queue * 0x100 + index * 16 + 12)) & 1;
}

static void read_legacy(const uint8_t *desc, struct igb_received *r)
{
	*r = (struct igb_received){
		.length = get_le16(desc + 8),
		.status = desc[12] | (uint32_t)desc[13] << 24,
		.vlan = get_le16(desc + 14),
	};
}

static void read_advanced(const uint8_t *desc, struct igb_received *r)
{
	*r = (struct igb_received){
		.info = get_le16(desc),
		.header = get_le16(desc + 2),
		.hash = get_le32(desc + 4),
		.status = get_le32(desc + 8),
		.length = get_le16(desc + 12),
		.vlan = get_le16(desc + 14),
	};
}

bool igb_take(struct igb_driver *d, unsigned queue, struct igb_received *r)
{
	unsigned index = d->rx_next[queue];
	uint8_t *desc = machine_at(d->m, IGB_RX_RING + queue * 0x100 + index * 16);

	if (d->type == IGB_LEGACY)
		read_legacy(desc, r);
	else
		read_advanced(desc, r);
	/* before it is written back the dword is half of an address, which is even here */
	if (!(r->status & 1))
		return false;
	r->data = machine_at(d->m, IGB_RX_DATA + queue * 0x4000 + index * IGB_BUFFER);
	give(d, queue, index);
	d->rx_next[queue] = (index + 1) % IGB_RING;
	igb_w32(d, RX + queue * STEP + TAIL, index);
	return true;
}
