#include "nic/microwire.h"

#include <string.h>

#define COMMAND_BITS 8u
#define ADDRESS_MASK (MICROWIRE_WORDS - 1)

void microwire_reset(struct microwire *m)
{
	*m = (struct microwire){ .out = true };
}

static void expect(struct microwire *m, enum microwire_step step, enum microwire_change change)
{
	m->step = (uint8_t)step;
	m->change = (uint8_t)change;
	m->bits = 0;
	m->shift = 0;
}

/* Operation 00: the two upper address bits say which. */
static void special_command(struct microwire *m)
{
	switch (m->address >> 4) {
	case 3:
	case 0:
		m->write_enabled = m->address >> 4 == 3;
		m->step = EE_ARMED; /* until the next select nothing more can be said */
		m->change = MICROWIRE_CHANGE_COUNT;
		break;
	case 2:
		expect(m, EE_ARMED, EE_ERASE_ALL);
		break;
	default:
		expect(m, EE_DATA, EE_WRITE_ALL);
		break;
	}
}

static void decode(struct microwire *m)
{
	unsigned operation = m->shift >> 6 & 3;

	m->address = m->shift & ADDRESS_MASK;
	switch (operation) {
	case 2:
		expect(m, EE_READ, MICROWIRE_CHANGE_COUNT);
		m->out = false; /* one 0 before the data */
		break;
	case 1:
		expect(m, EE_DATA, EE_WRITE);
		break;
	case 3:
		expect(m, EE_ARMED, EE_ERASE);
		break;
	default:
		special_command(m);
		break;
	}
}

static void clock_bit(struct microwire *m, const uint16_t *word, bool in)
{
	switch ((enum microwire_step)m->step) {
	case EE_IDLE:
		if (in)
			expect(m, EE_COMMAND, MICROWIRE_CHANGE_COUNT);
		break;
	case EE_COMMAND:
		m->shift = (uint16_t)(m->shift << 1 | in);
		if (++m->bits == COMMAND_BITS)
			decode(m);
		break;
	case EE_READ:
		m->out = word[m->address] >> (15 - m->bits) & 1;
		if (++m->bits == 16) { /* the next word follows */
			m->bits = 0;
			m->address = (m->address + 1) & ADDRESS_MASK;
		}
		break;
	case EE_DATA:
		m->shift = (uint16_t)(m->shift << 1 | in);
		if (++m->bits == 16)
			m->step = EE_ARMED;
		break;
	default:
		break;
	}
}

static void carry_out(struct microwire *m, uint16_t *word)
{
	if (m->step != EE_ARMED || !m->write_enabled)
		return;
	switch ((enum microwire_change)m->change) {
	case EE_WRITE:
		word[m->address] = m->shift;
		break;
	case EE_WRITE_ALL:
		for (unsigned i = 0; i < MICROWIRE_WORDS; i++)
			word[i] = m->shift;
		break;
	case EE_ERASE:
		word[m->address] = 0xffff;
		break;
	case EE_ERASE_ALL:
		memset(word, 0xff, MICROWIRE_WORDS * sizeof(*word));
		break;
	default:
		break;
	}
}

void microwire_pins(struct microwire *m, uint16_t *word, bool select, bool clock, bool in)
{
	bool rises = clock && !m->clock;

	if (m->select && !select)
		carry_out(m, word);
	if (!select || !m->select) {
		m->step = EE_IDLE;
		m->out = true; /* ready; also what a floating pin reads */
	}
	if (select && rises)
		clock_bit(m, word, in);
	m->select = select;
	m->clock = clock;
}

void microwire_save(const struct microwire *m, struct buffer *out)
{
	buffer_put_u16(out, m->shift);
	buffer_put_u8(out, m->step);
	buffer_put_u8(out, m->change);
	buffer_put_u8(out, m->bits);
	buffer_put_u8(out, m->address);
	buffer_put_u8(out, m->select);
	buffer_put_u8(out, m->clock);
	buffer_put_u8(out, m->out);
	buffer_put_u8(out, m->write_enabled);
}

bool microwire_load(struct microwire *to, struct reader *in)
{
	struct microwire m = { 0 };

	m.shift = reader_u16(in);
	m.step = reader_u8(in);
	m.change = reader_u8(in);
	m.bits = reader_u8(in) & 15;
	m.address = reader_u8(in) % MICROWIRE_WORDS;
	m.select = reader_u8(in) & 1;
	m.clock = reader_u8(in) & 1;
	m.out = reader_u8(in) & 1;
	m.write_enabled = reader_u8(in) & 1;
	if (in->failed || m.step >= MICROWIRE_STEP_COUNT || m.change > MICROWIRE_CHANGE_COUNT)
		return false;
	*to = m;
	return true;
}
