#include "pci/reg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pci/pci.h"

/* Saved: a word {offset of the first: 20 bits, how many more: 12 bits}, then the values of neighbours in a block. */
#define RUN_OFFSET 0xfffffu
#define RUN_MORE   20
#define RUN_MAX	   4096u

static unsigned row_width(const struct reg *row)
{
	return row->width ? row->width : 4;
}

static unsigned row_count(const struct reg *row)
{
	return row->count ? row->count : 1;
}

static uint32_t row_stride(const struct reg *row)
{
	return row->stride ? row->stride : row_width(row);
}

/* Bytes from an element's place in the state to the next. */
static unsigned row_step(const struct reg *row)
{
	return row->state_step ? row->state_step : row_width(row);
}

static uint32_t width_mask(unsigned width)
{
	return width >= 4 ? 0xffffffffu : (1u << (8 * width)) - 1;
}

static int check_row(const struct reg_space *space, const struct reg *row, struct error *err)
{
	unsigned width = row_width(row), count = row_count(row);
	uint64_t end = row->offset + (uint64_t)row_stride(row) * (count - 1) + width;

	if (!row->name)
		return error_set(err, -EINVAL, "%s: the row at 0x%x has no name", space->name,
				 row->offset);
	if ((width != 1 && width != 2 && width != 4) || row_stride(row) < width ||
	    row->kind >= REG_KIND_COUNT)
		return error_set(err, -EINVAL, "%s: %s has a bad width, stride or kind",
				 space->name, row->name);
	if (end > space->size || row->offset % space->granule || row_stride(row) % space->granule)
		return error_set(err, -EINVAL, "%s: %s does not fit the space or its granule",
				 space->name, row->name);
	if ((row->mask | row->reset) & ~width_mask(width))
		return error_set(err, -EINVAL, "%s: %s has bits beyond its width", space->name,
				 row->name);
	if (row->state && row->state_size < row_step(row) * (count - 1) + width)
		return error_set(err, -EINVAL, "%s: %s is larger than its place in the state",
				 space->name, row->name);
	return 0;
}

static int place_row(struct reg_space *space, unsigned number, struct error *err)
{
	const struct reg *row = &space->rows[number];

	for (unsigned i = 0; i < row_count(row); i++) {
		uint32_t start = row->offset + i * row_stride(row);
		for (uint32_t at = start; at < start + row_width(row); at += space->granule) {
			uint16_t *slot = &space->slot[at / space->granule];
			if (*slot)
				return error_set(err, -EINVAL, "%s: %s and %s share offset 0x%x",
						 space->name, row->name,
						 space->rows[*slot - 1].name, at);
			*slot = (uint16_t)(number + 1);
		}
	}
	return 0;
}

static const struct reg *alias_target(const struct reg_space *space, const struct reg *row,
				      unsigned *index)
{
	unsigned first;
	const struct reg *target = reg_find(space, row->of, &first);

	if (!target || target->kind == REG_ALIAS)
		return NULL;
	*index += first;
	return *index < row_count(target) ? target : NULL;
}

static int check_alias(const struct reg_space *space, const struct reg *row, struct error *err)
{
	unsigned last = row_count(row) - 1;

	if (row->kind == REG_ALIAS && !alias_target(space, row, &last))
		return error_set(err, -EINVAL, "%s: %s is an alias of nothing", space->name,
				 row->name);
	return 0;
}

int reg_space_prepare(struct reg_space *space, struct error *err)
{
	int rc = 0;

	if (space->slot)
		return 0;
	if (space->granule == 0 || space->size % space->granule || space->count >= UINT16_MAX ||
	    space->size > RUN_OFFSET + 1)
		return error_set(err, -EINVAL, "%s: bad granule or size", space->name);
	space->slot = calloc(space->size / space->granule, sizeof(*space->slot));
	if (!space->slot)
		return error_set(err, -ENOMEM, "%s: out of memory", space->name);
	for (unsigned i = 0; i < space->count && rc == 0; i++) {
		rc = check_row(space, &space->rows[i], err);
		if (rc == 0)
			rc = place_row(space, i, err);
	}
	for (unsigned i = 0; i < space->count && rc == 0; i++)
		rc = check_alias(space, &space->rows[i], err);
	if (rc < 0)
		reg_space_finish(space);
	return rc;
}

void reg_space_finish(struct reg_space *space)
{
	free(space->slot);
	space->slot = NULL;
}

const struct reg *reg_find(const struct reg_space *space, uint32_t offset, unsigned *index)
{
	uint16_t slot = offset < space->size ? space->slot[offset / space->granule] : 0;

	if (!slot)
		return NULL;
	const struct reg *row = &space->rows[slot - 1];
	*index = (offset - row->offset) / row_stride(row);
	return row;
}

static uint8_t *place_of(const struct pci_device *dev, const struct reg *row, unsigned index)
{
	return row->state ? (uint8_t *)dev->state + row->state - 1 + (size_t)index * row_step(row)
			  : NULL;
}

uint32_t reg_value(const struct pci_device *dev, const struct reg *row, unsigned index)
{
	const uint8_t *p = place_of(dev, row, index);
	uint16_t half;
	uint32_t word;

	if (!p)
		return row->reset;
	switch (row_width(row)) {
	case 1:
		return *p;
	case 2:
		memcpy(&half, p, sizeof(half));
		return half;
	default:
		memcpy(&word, p, sizeof(word));
		return word;
	}
}

void reg_store(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value)
{
	uint8_t *p = place_of(dev, row, index);
	uint16_t half = (uint16_t)value;

	if (!p)
		return;
	switch (row_width(row)) {
	case 1:
		*p = (uint8_t)value;
		break;
	case 2:
		memcpy(p, &half, sizeof(half));
		break;
	default:
		memcpy(p, &value, sizeof(value));
		break;
	}
}

static uint32_t row_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	if (row->kind == REG_WO)
		return 0;
	uint32_t value = row->read ? row->read(dev, row, index) : reg_value(dev, row, index);
	if (row->kind == REG_CLEAR_R)
		reg_store(dev, row, index, reg_value(dev, row, index) & ~row->mask);
	return value;
}

/* `enable`: the bits of those bytes that the guest wrote. */
static void row_write(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		      uint32_t enable)
{
	uint32_t old = reg_value(dev, row, index);
	uint32_t keep = row->kind == REG_RW || row->kind == REG_RO ? old & ~enable : 0;

	value = keep | (value & enable);
	if (row->kind == REG_RW)
		reg_store(dev, row, index, (old & ~row->mask) | (value & row->mask));
	else if (row->kind == REG_W1C)
		reg_store(dev, row, index, old & ~(value & row->mask));
	if (row->written)
		row->written(dev, row, index, value, old);
}

/* The register at byte `at`: its row (aliases followed), index, and where it begins. */
struct found {
	const struct reg *row;
	unsigned index;
	uint32_t start;
};

static bool find_at(const struct reg_space *space, uint32_t at, struct found *f)
{
	const struct reg *row = reg_find(space, at, &f->index);

	if (!row)
		return false;
	f->start = row->offset + f->index * row_stride(row);
	if (at - f->start >= row_width(row))
		return false; /* the gap between two elements */
	if (row->kind == REG_ALIAS)
		row = alias_target(space, row, &f->index);
	f->row = row;
	return row != NULL;
}

uint64_t reg_space_read(const struct reg_space *space, struct pci_device *dev, uint64_t offset,
			unsigned size)
{
	uint64_t out = 0;

	if (offset >= space->size || size > 8) {
		dev->unknown_accesses++;
		return 0;
	}
	uint32_t first = (uint32_t)offset, end = first + size;
	for (uint32_t at = first; at < end;) {
		struct found f;
		if (!find_at(space, at, &f)) {
			dev->unknown_accesses++;
			at += space->granule - at % space->granule;
			continue;
		}
		uint32_t stop = MIN(end, f.start + row_width(f.row));
		uint64_t value = row_read(dev, f.row, f.index) >> (8 * (at - f.start));
		value &= width_mask(stop - at);
		out |= value << (8 * (at - first));
		at = stop;
	}
	return out;
}

void reg_space_write(const struct reg_space *space, struct pci_device *dev, uint64_t offset,
		     unsigned size, uint64_t value)
{
	if (offset >= space->size || size > 8) {
		dev->unknown_accesses++;
		return;
	}
	uint32_t first = (uint32_t)offset, end = first + size;
	for (uint32_t at = first; at < end;) {
		struct found f;
		if (!find_at(space, at, &f)) {
			dev->unknown_accesses++;
			at += space->granule - at % space->granule;
			continue;
		}
		uint32_t stop = MIN(end, f.start + row_width(f.row));
		unsigned shift = 8 * (at - f.start);
		uint32_t enable = width_mask(stop - at) << shift;
		row_write(dev, f.row, f.index, (uint32_t)(value >> (8 * (at - first))) << shift,
			  enable);
		at = stop;
	}
}

void reg_space_reset(const struct reg_space *space, struct pci_device *dev)
{
	for (unsigned i = 0; i < space->count; i++) {
		const struct reg *row = &space->rows[i];
		if (row->kind == REG_ALIAS || !row->state)
			continue;
		for (unsigned k = 0; k < row_count(row); k++)
			reg_store(dev, row, k, row->reset);
	}
}

static unsigned changed_run(const struct pci_device *dev, const struct reg *row, unsigned first)
{
	unsigned n = 0;

	while (n < RUN_MAX && first + n < row_count(row) &&
	       reg_value(dev, row, first + n) != row->reset)
		n++;
	return n;
}

static void save_row(const struct pci_device *dev, const struct reg *row, struct buffer *out)
{
	for (unsigned k = 0; k < row_count(row); k++) {
		unsigned n = changed_run(dev, row, k);
		if (n == 0)
			continue;
		buffer_put_u32(out, (row->offset + k * row_stride(row)) | (n - 1) << RUN_MORE);
		for (unsigned i = 0; i < n; i++)
			buffer_put_u32(out, reg_value(dev, row, k + i));
		k += n - 1;
	}
}

void reg_space_save(const struct reg_space *space, const struct pci_device *dev, struct buffer *out)
{
	for (unsigned i = 0; i < space->count; i++)
		if (space->rows[i].kind != REG_ALIAS && space->rows[i].state)
			save_row(dev, &space->rows[i], out);
}

/* The row at a saved offset, which must be the first byte of a stored element, with `n` elements from it on. */
static const struct reg *saved_row(const struct reg_space *space, uint32_t offset, unsigned n,
				   unsigned *index)
{
	const struct reg *row = reg_find(space, offset, index);

	if (!row || row->kind == REG_ALIAS || !row->state ||
	    offset != row->offset + *index * row_stride(row) || *index + n > row_count(row))
		return NULL;
	return row;
}

int reg_space_load(const struct reg_space *space, struct pci_device *dev, struct reader *in,
		   struct error *err)
{
	reg_space_reset(space, dev);
	while (!reader_at_end(in)) {
		uint32_t head = reader_u32(in), offset = head & RUN_OFFSET;
		unsigned index, n = (head >> RUN_MORE) + 1;
		const struct reg *row = saved_row(space, offset, n, &index);
		bool fits = row != NULL;
		for (unsigned i = 0; fits && i < n; i++) {
			uint32_t value = reader_u32(in);
			fits = !(value & ~width_mask(row_width(row)));
			if (fits)
				reg_store(dev, row, index + i, value);
		}
		if (in->failed)
			return error_set(err, -EINVAL, "%s: the saved registers are cut short",
					 space->name);
		if (!fits)
			return error_set(err, -EINVAL,
					 "%s: saved register 0x%x is not one of this card",
					 space->name, offset);
	}
	return 0;
}
