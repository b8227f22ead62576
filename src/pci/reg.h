/* reg.h - a register is a row, a block of registers is one row.
 *
 * A table of rows describes a BAR: where each register is, which bits a driver may change, what it is after reset, where its
 * value lives in the model's state struct, and what follows a write. The engine here serves reads and writes of any size from
 * the rows; models write code only for registers with a side effect. Reset, save, load, trace names and the tests walk the
 * same rows.
 */
#ifndef ANYNIC_PCI_REG_H
#define ANYNIC_PCI_REG_H

#include "base/buffer.h"
#include "base/error.h"

struct pci_device;
struct reg;

enum reg_kind {
	REG_RW, /* bits of `mask` can be written, the others keep their value */
	REG_RO,
	REG_W1C,     /* bits of `mask` are cleared by writing 1 */
	REG_CLEAR_R, /* reading clears the bits of `mask`; writes are ignored */
	REG_WO,	     /* nothing is stored, reads give 0; `written` gets the raw value */
	REG_ALIAS,   /* another address of the row at offset `of` (same element index) */
	REG_KIND_COUNT
};

/* Reads that need code: `index` is the element of a block. The value replaces what is stored. */
typedef uint32_t reg_read_fn(struct pci_device *dev, const struct reg *row, unsigned index);

/* Follows a write. `value`: what the guest wrote (bytes that it did not write: the old value for REG_RW and REG_RO, else 0).
 * `old`: the stored value before. The stored value has already changed as the kind says. */
typedef void reg_written_fn(struct pci_device *dev, const struct reg *row, unsigned index,
			    uint32_t value, uint32_t old);

struct reg {
	const char *name;
	uint32_t offset;
	uint32_t stride; /* bytes from one element to the next; 0: width */
	uint16_t count;	 /* elements; 0 counts as 1 */
	uint8_t width;	 /* bytes: 1, 2 or 4; 0 counts as 4 */
	uint8_t kind;	 /* enum reg_kind */
	uint32_t mask;
	uint32_t reset;
	uint32_t of; /* REG_ALIAS */
	uint16_t
		state; /* where the value lives in the state struct, + 1; 0 = nowhere. Use REG_STATE */
	uint16_t state_size;
	uint16_t state_step; /* bytes from one element's place to the next; 0: width */
	reg_read_fn *read;
	reg_written_fn *written;
};

/* Elements of a block are stored densely: an array of uint8_t, uint16_t or uint32_t as the width says. */
#define REG_STATE(type, member)                                                                    \
	.state = (uint16_t)(offsetof(type, member) + 1), .state_size = sizeof(((type *)0)->member)

/* Elements are one member of each struct of an array: REG_STATE_EACH(struct card, queue, ring.len). */
#define REG_STATE_EACH(type, array, member)                                                        \
	.state = (uint16_t)(offsetof(type, array[0].member) + 1),                                  \
	.state_size = sizeof(((type *)0)->array), .state_step = sizeof(((type *)0)->array[0])

/* A BAR's worth of rows, shared by every NIC of the model. `slot` is built once, before threads start. */
struct reg_space {
	const char *name;
	const struct reg *rows;
	unsigned count;
	uint32_t size;	  /* bytes of the BAR that the rows cover */
	uint32_t granule; /* smallest distance of two registers: 1, 2 or 4 */
	uint16_t *slot;	  /* (offset / granule) -> row + 1 */
};

/* Builds `slot`. Returns 0, -EINVAL when rows overlap, stick out, or an alias points nowhere (the error names the row), -ENOMEM. */
int reg_space_prepare(struct reg_space *space, struct error *err);
void reg_space_finish(struct reg_space *space);

/* The row at a byte offset and the element index, or NULL. An alias is returned as itself. */
const struct reg *reg_find(const struct reg_space *space, uint32_t offset, unsigned *index);

/* Guest access of 1, 2, 4 or 8 bytes. Holes read 0 and ignore writes; both count in dev->unknown_accesses. */
uint64_t reg_space_read(const struct reg_space *space, struct pci_device *dev, uint64_t offset,
			unsigned size);
void reg_space_write(const struct reg_space *space, struct pci_device *dev, uint64_t offset,
		     unsigned size, uint64_t value);

/* Stored value without side effects (alias followed). */
uint32_t reg_value(const struct pci_device *dev, const struct reg *row, unsigned index);
void reg_store(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value);

/* All rows to their reset values; no `written` is called. */
void reg_space_reset(const struct reg_space *space, struct pci_device *dev);

/* Stored values that differ from reset, as runs of neighbours; load puts all others to reset. A space is at most 1 MiB.
 * Load: -EINVAL for an offset that is no stored register. The model re-checks what its code relies on. */
void reg_space_save(const struct reg_space *space, const struct pci_device *dev,
		    struct buffer *out);
int reg_space_load(const struct reg_space *space, struct pci_device *dev, struct reader *in,
		   struct error *err);

#endif
