/* eeprom.c - the words without power, through EERD and through the four wires of EECD (82576 3.3, 8.4.2).
 *
 * Behind EECD is an SPI part of 256 bytes with 16 address bits, as 25-series parts are: an opcode, an address, then data bytes, most
 * significant bit first, taken at the rising edge of SK; chip select is low while a command runs. Words lie low byte first. A write wraps
 * inside its page and takes no time.
 */
#include "nic/igb/igb.h"

#define BYTES (INTEL_NVM_WORDS * 2)
#define PAGE  32u

enum spi_step { SPI_COMMAND, SPI_HIGH, SPI_LOW, SPI_READ, SPI_WRITE, SPI_STATUS, SPI_IDLE };
_Static_assert(SPI_IDLE + 1 == IGB_SPI_STEPS, "what load accepts");

enum { OP_WRSR = 1, OP_WRITE = 2, OP_READ = 3, OP_WRDI = 4, OP_RDSR = 5, OP_WREN = 6 };

#define STATUS_WEL BIT(1)

/* 82576 6.1, 6.2; the PBA number is the one of an adapter by Intel. */
static const struct intel_nvm_word words[] = {
	{ 0x03, 0x0408 },			  /* compatibility */
	{ 0x05, 0x2010 },			  /* version of the image */
	{ 0x08, 0xe461 },			  /* PBA number */
	{ 0x09, 0x4012 },	{ 0x0a, 0x402f }, /* initialization control 1 */
	{ 0x0b, 0xa03c },			  /* ids */
	{ 0x0c, INTEL_VENDOR }, { 0x0d, IGB_DEVICE },
	{ 0x0f, 0x1430 }, /* initialization control 2 */
	{ 0x24, 0x0400 }, /* initialization control 3: APM wake-up */
	{ 0x37, 0xffff }, /* no alternate MAC address */
};

void igb_eeprom_fill(struct igb *g)
{
	intel_nvm_fill(&g->nvm, words, ARRAY_SIZE(words), g->nic.mac);
}

void igb_eerd_written(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		      uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)index, (void)old;
	g->s.eerd = intel_eerd(&g->nvm, &intel_eerd_82574, value);
}

/* --- the part --- */

static uint8_t byte_at(const struct igb *g, uint16_t at)
{
	return (uint8_t)(intel_nvm_read(&g->nvm, at / 2 % INTEL_NVM_WORDS) >> (at & 1) * 8);
}

static void set_byte(struct igb *g, uint16_t at, uint8_t value)
{
	uint32_t word = at / 2 % INTEL_NVM_WORDS, shift = (at & 1) * 8u;
	uint32_t old = intel_nvm_read(&g->nvm, word);

	intel_nvm_write(&g->nvm, word,
			(uint16_t)((old & ~(0xffu << shift)) | (uint32_t)value << shift));
}

static enum spi_step command(struct igb *g, uint8_t op)
{
	g->spi.command = op & 7;
	g->spi.address = 0;
	switch (op) {
	case OP_READ:
	case OP_WRITE:
		return SPI_HIGH;
	case OP_RDSR:
		g->spi.out = g->spi.write_enabled ? STATUS_WEL : 0;
		return SPI_STATUS;
	case OP_WREN:
	case OP_WRDI:
		g->spi.write_enabled = op == OP_WREN;
		return SPI_IDLE;
	default:
		return SPI_IDLE;
	}
}

/* A whole byte came in. */
static void take_byte(struct igb *g, uint8_t value)
{
	struct igb_spi *p = &g->spi;

	switch (p->step) {
	case SPI_COMMAND:
		p->step = (uint8_t)command(g, value);
		break;
	case SPI_HIGH:
		p->address = (uint16_t)(value << 8);
		p->step = SPI_LOW;
		break;
	case SPI_LOW:
		p->address = (uint16_t)((p->address | value) % BYTES);
		p->step = p->command == OP_READ ? SPI_READ : SPI_WRITE;
		p->out = byte_at(g, p->address);
		break;
	case SPI_READ:
		p->address = (uint16_t)((p->address + 1) % BYTES);
		p->out = byte_at(g, p->address);
		break;
	case SPI_WRITE:
		if (p->write_enabled)
			set_byte(g, p->address, value);
		p->address =
			(uint16_t)((p->address & ~(PAGE - 1)) | ((p->address + 1) & (PAGE - 1)));
		break;
	default:
		break;
	}
}

static void clock_rises(struct igb *g, bool in)
{
	struct igb_spi *p = &g->spi;

	/* the bit that goes out can be read until the next edge */
	p->level = p->out >> 7;
	p->out = (uint8_t)(p->out << 1);
	p->in = (uint8_t)(p->in << 1 | in);
	if (++p->bits < 8)
		return;
	p->bits = 0;
	take_byte(g, p->in);
}

static void deselect(struct igb *g)
{
	if (g->spi.step == SPI_WRITE)
		g->spi.write_enabled = false;
	g->spi = (struct igb_spi){ .write_enabled = g->spi.write_enabled };
}

/* --- EECD --- */

uint32_t igb_eecd_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	const struct igb *g = igb_of_dev(dev);
	uint32_t value = g->s.eecd | EECD_PRES | EECD_AUTO_RD | EECD_ADDR_BITS |
			 EECD_SIZE_128 << EECD_SIZE_SHIFT;

	(void)row, (void)index;
	if (value & EECD_REQ)
		value |= EECD_GNT;
	if (g->spi.level)
		value |= EECD_DO;
	return value;
}

void igb_eecd_written(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		      uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)index;
	if (!(value & EECD_REQ)) {
		deselect(g);
		return;
	}
	if (value & EECD_CS) {
		if (!(old & EECD_CS))
			deselect(g);
		return;
	}
	if (value & ~old & EECD_SK)
		clock_rises(g, value & EECD_DI);
}
