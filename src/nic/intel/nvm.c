#include "nic/intel/nvm.h"

#include <string.h>

#define EERD_START BIT(0)
#define EERD_DATA  16

const struct intel_eerd_layout intel_eerd_8254x = { .done = 4, .address = 8, .mask = 0xff };
const struct intel_eerd_layout intel_eerd_82574 = { .done = 1, .address = 2, .mask = 0x3fff };

void intel_nvm_fill(struct intel_nvm *nvm, const struct intel_nvm_word *words, unsigned count,
		    const uint8_t mac[MAC_LEN])
{
	memset(nvm->word, 0xff, sizeof(nvm->word));
	for (unsigned i = 0; i < count; i++)
		intel_nvm_write(nvm, words[i].at, words[i].value);
	for (unsigned i = 0; i < MAC_LEN / 2; i++)
		nvm->word[i] = (uint16_t)(mac[(size_t)2 * i] | mac[(size_t)2 * i + 1] << 8);
	intel_nvm_seal(nvm);
}

uint16_t intel_nvm_read(const struct intel_nvm *nvm, uint32_t word)
{
	return word < INTEL_NVM_WORDS ? nvm->word[word] : 0xffff;
}

bool intel_nvm_write(struct intel_nvm *nvm, uint32_t word, uint16_t value)
{
	if (word >= INTEL_NVM_WORDS)
		return false;
	nvm->word[word] = value;
	return true;
}

void intel_nvm_seal(struct intel_nvm *nvm)
{
	uint16_t sum = 0;

	for (unsigned i = 0; i < INTEL_NVM_CHECKSUM; i++)
		sum = (uint16_t)(sum + nvm->word[i]);
	nvm->word[INTEL_NVM_CHECKSUM] = (uint16_t)(INTEL_NVM_SUM - sum);
}

void intel_nvm_mac(const struct intel_nvm *nvm, uint8_t mac[MAC_LEN])
{
	for (unsigned i = 0; i < MAC_LEN; i++)
		mac[i] = (uint8_t)(nvm->word[i / 2] >> (i % 2 * 8));
}

static uint32_t address_of(const struct intel_eerd_layout *l, uint32_t written)
{
	return written >> l->address & l->mask;
}

/* What of a written value is read back: the address and START (82574 10.2.1.5). */
static uint32_t echo(const struct intel_eerd_layout *l, uint32_t written)
{
	return written & ((uint32_t)l->mask << l->address | EERD_START);
}

uint32_t intel_eerd(const struct intel_nvm *nvm, const struct intel_eerd_layout *l,
		    uint32_t written)
{
	uint32_t value = echo(l, written);

	if (!(written & EERD_START))
		return value;
	return value | BIT(l->done) |
	       (uint32_t)intel_nvm_read(nvm, address_of(l, written)) << EERD_DATA;
}

uint32_t intel_eewr(struct intel_nvm *nvm, const struct intel_eerd_layout *l, uint32_t written,
		    bool *ok)
{
	uint32_t data = written & 0xffff0000u;

	*ok = true;
	if (!(written & EERD_START))
		return echo(l, written) | data;
	*ok = intel_nvm_write(nvm, address_of(l, written), (uint16_t)(data >> EERD_DATA));
	/* a driver that writes outside waits for DONE all the same */
	return echo(l, written) | data | BIT(l->done);
}

void intel_nvm_save(const struct intel_nvm *nvm, struct buffer *out)
{
	for (unsigned i = 0; i < INTEL_NVM_WORDS; i++)
		buffer_put_u16(out, nvm->word[i]);
}

bool intel_nvm_load(struct intel_nvm *nvm, struct reader *in)
{
	struct intel_nvm loaded;

	/* all or nothing: no reset puts right what was loaded half */
	for (unsigned i = 0; i < INTEL_NVM_WORDS; i++)
		loaded.word[i] = reader_u16(in);
	if (in->failed)
		return false;
	*nvm = loaded;
	return true;
}
