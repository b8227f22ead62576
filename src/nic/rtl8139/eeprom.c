/* eeprom.c - a 93C46 serial EEPROM, 64 words of 16 bits (AT93C46 data sheet, x16 organisation).
 *
 * A command is a start bit, two bits of operation and six of address, shifted in on rising clock edges while the
 * chip is selected. A write or an erasure happens when the select falls; it takes no time here, so that the chip is ready
 * (its output is 1) at the next select.
 */
#include <string.h>

#include "base/bytes.h"
#include "nic/rtl8139/rtl8139.h"

#define COMMAND_BITS 8u
#define ADDRESS_MASK (EEPROM_WORDS - 1)

/* Words that drivers look at (RTL8139C(L)+ 7: EEPROM contents). */
enum {
	WORD_ID = 0,
	WORD_VENDOR = 1,
	WORD_DEVICE = 2,
	WORD_SUB_VENDOR = 3,
	WORD_SUB_DEVICE = 4,
	WORD_MAC = 7
};

void rtl8139_eeprom_fill(struct rtl8139_eeprom *e, const uint8_t mac[MAC_LEN])
{
	*e = (struct rtl8139_eeprom){ .out = true };
	e->word[WORD_ID] = 0x8129;
	e->word[WORD_VENDOR] = RTL8139_VENDOR;
	e->word[WORD_DEVICE] = RTL8139_DEVICE;
	e->word[WORD_SUB_VENDOR] = RTL8139_VENDOR;
	e->word[WORD_SUB_DEVICE] = RTL8139_DEVICE;
	for (size_t i = 0; i < MAC_LEN / 2; i++)
		e->word[WORD_MAC + i] = get_le16(mac + 2 * i);
}

void rtl8139_load_eeprom(struct rtl8139 *r)
{
	for (size_t i = 0; i < MAC_LEN / 2; i++)
		put_le16(r->s.kept.idr + 2 * i, r->eeprom.word[WORD_MAC + i]);
}

static void expect(struct rtl8139_eeprom *e, enum eeprom_step step, enum eeprom_change change)
{
	e->step = (uint8_t)step;
	e->change = (uint8_t)change;
	e->bits = 0;
	e->shift = 0;
}

/* Operation 00: the two upper address bits say which. */
static void special_command(struct rtl8139_eeprom *e)
{
	switch (e->address >> 4) {
	case 3:
	case 0:
		e->write_enabled = e->address >> 4 == 3;
		e->step = EE_ARMED; /* until the next select nothing more can be said */
		e->change = EEPROM_CHANGE_COUNT;
		break;
	case 2:
		expect(e, EE_ARMED, EE_ERASE_ALL);
		break;
	default:
		expect(e, EE_DATA, EE_WRITE_ALL);
		break;
	}
}

static void decode(struct rtl8139_eeprom *e)
{
	unsigned operation = e->shift >> 6 & 3;

	e->address = e->shift & ADDRESS_MASK;
	switch (operation) {
	case 2:
		expect(e, EE_READ, EEPROM_CHANGE_COUNT);
		e->out = false; /* one 0 before the data */
		break;
	case 1:
		expect(e, EE_DATA, EE_WRITE);
		break;
	case 3:
		expect(e, EE_ARMED, EE_ERASE);
		break;
	default:
		special_command(e);
		break;
	}
}

static void clock_bit(struct rtl8139_eeprom *e, bool in)
{
	switch ((enum eeprom_step)e->step) {
	case EE_IDLE:
		if (in)
			expect(e, EE_COMMAND, EEPROM_CHANGE_COUNT);
		break;
	case EE_COMMAND:
		e->shift = (uint16_t)(e->shift << 1 | in);
		if (++e->bits == COMMAND_BITS)
			decode(e);
		break;
	case EE_READ:
		e->out = e->word[e->address] >> (15 - e->bits) & 1;
		if (++e->bits == 16) { /* the next word follows */
			e->bits = 0;
			e->address = (e->address + 1) & ADDRESS_MASK;
		}
		break;
	case EE_DATA:
		e->shift = (uint16_t)(e->shift << 1 | in);
		if (++e->bits == 16)
			e->step = EE_ARMED;
		break;
	default:
		break;
	}
}

static void carry_out(struct rtl8139_eeprom *e)
{
	if (e->step != EE_ARMED || !e->write_enabled)
		return;
	switch ((enum eeprom_change)e->change) {
	case EE_WRITE:
		e->word[e->address] = e->shift;
		break;
	case EE_WRITE_ALL:
		for (unsigned i = 0; i < EEPROM_WORDS; i++)
			e->word[i] = e->shift;
		break;
	case EE_ERASE:
		e->word[e->address] = 0xffff;
		break;
	case EE_ERASE_ALL:
		memset(e->word, 0xff, sizeof(e->word));
		break;
	default:
		break;
	}
}

void rtl8139_eeprom_pins(struct rtl8139_eeprom *e, bool select, bool clock, bool in)
{
	bool rises = clock && !e->clock;

	if (e->select && !select)
		carry_out(e);
	if (!select || !e->select) {
		e->step = EE_IDLE;
		e->out = true; /* ready; also what a floating pin reads */
	}
	if (select && rises)
		clock_bit(e, in);
	e->select = select;
	e->clock = clock;
}
