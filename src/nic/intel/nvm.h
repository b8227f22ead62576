/* nvm.h - the words that the card keeps without power: MAC address, ids, configuration; and EERD, which reads them.
 *
 * Words 0 to 0x3f sum up to 0xBABA (8254x manual 5.6.35; 82574 6.1.2.25). Words behind the array read as 0xffff, as erased flash does.
 */
#ifndef ANYNIC_NIC_INTEL_NVM_H
#define ANYNIC_NIC_INTEL_NVM_H

#include "nic/nic.h"

#define INTEL_NVM_WORDS	   128u
#define INTEL_NVM_CHECKSUM 0x3fu
#define INTEL_NVM_SUM	   0xbabau

struct intel_nvm {
	uint16_t word[INTEL_NVM_WORDS];
};

/* A value other than 0xffff for one word, as tables of the models list them. */
struct intel_nvm_word {
	uint8_t at;
	uint16_t value;
};

/* All words 0xffff, then the table's, the MAC address in words 0 to 2, and the checksum. */
void intel_nvm_fill(struct intel_nvm *nvm, const struct intel_nvm_word *words, unsigned count,
		    const uint8_t mac[MAC_LEN]);
uint16_t intel_nvm_read(const struct intel_nvm *nvm, uint32_t word);
bool intel_nvm_write(struct intel_nvm *nvm, uint32_t word,
		     uint16_t value);	    /* false: no such word */
void intel_nvm_seal(struct intel_nvm *nvm); /* makes the checksum right */
void intel_nvm_mac(const struct intel_nvm *nvm, uint8_t mac[MAC_LEN]);

/* EERD and EEWR come in two layouts: done in bit 4 and the address from bit 8 (8254x), or bit 1 and bit 2 (82574 and later). */
struct intel_eerd_layout {
	uint8_t done, address;
	uint16_t mask; /* of the address */
};
extern const struct intel_eerd_layout intel_eerd_8254x, intel_eerd_82574;

/* What EERD reads as after `written`: the word and DONE when START was set. */
uint32_t intel_eerd(const struct intel_nvm *nvm, const struct intel_eerd_layout *l,
		    uint32_t written);
/* EEWR: stores the data half. What the register reads as. `*ok` false: there is no such word. */
uint32_t intel_eewr(struct intel_nvm *nvm, const struct intel_eerd_layout *l, uint32_t written,
		    bool *ok);

void intel_nvm_save(const struct intel_nvm *nvm,
		    struct buffer *out); /* as differences from `fill` are not known: all words */
bool intel_nvm_load(struct intel_nvm *nvm, struct reader *in);

#endif
