/* microwire.h - a serial EEPROM 93C46 in its x16 organisation: 64 words of 16 bits behind four pins (AT93C46 data sheet).
 *
 * The words are the model's, which fills them and knows what they mean. A command is a start bit, two bits of operation and six of
 * address, shifted in on rising clock edges while the chip is selected. A write or an erasure happens when the select falls; it takes no
 * time here, so that the chip is ready (its output is 1) at the next select.
 */
#ifndef ANYNIC_NIC_MICROWIRE_H
#define ANYNIC_NIC_MICROWIRE_H

#include "base/buffer.h"

#define MICROWIRE_WORDS 64u

enum microwire_step { EE_IDLE, EE_COMMAND, EE_READ, EE_DATA, EE_ARMED, MICROWIRE_STEP_COUNT };
enum microwire_change { EE_WRITE, EE_WRITE_ALL, EE_ERASE, EE_ERASE_ALL, MICROWIRE_CHANGE_COUNT };

struct microwire {
	uint16_t shift;
	uint8_t step;	/* enum microwire_step */
	uint8_t change; /* enum microwire_change, for EE_DATA and EE_ARMED */
	uint8_t bits;	/* bits shifted in this step */
	uint8_t address;
	bool select, clock, out;
	bool write_enabled;
};

void microwire_reset(struct microwire *m);

/* The pins as they are now; `m->out` is the chip's answer. `word` has MICROWIRE_WORDS. */
void microwire_pins(struct microwire *m, uint16_t *word, bool select, bool clock, bool in);

void microwire_save(const struct microwire *m, struct buffer *out);
/* False: cut short, or in no known step; then `m` is as it was. */
bool microwire_load(struct microwire *m, struct reader *in);

#endif
