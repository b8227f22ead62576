/* buffer.h - a growable row of bytes, and the sections that saved state is made of.
 *
 * Saved state is little-endian: sections of {u32 tag, u32 length, bytes}. A writer never writes a raw struct;
 * a reader checks every length and every field. The owner calls buffer_finish; a zeroed buffer is empty.
 */
#ifndef ANYNIC_BASE_BUFFER_H
#define ANYNIC_BASE_BUFFER_H

#include "base/util.h"

struct buffer {
	uint8_t *data;
	size_t length;
	size_t room;
	bool failed; /* an allocation failed: everything after it was ignored */
};

void buffer_finish(struct buffer *b);
void buffer_put(struct buffer *b, const void *data, size_t len);
void buffer_put_u8(struct buffer *b, uint8_t v);
void buffer_put_u16(struct buffer *b, uint16_t v);
void buffer_put_u32(struct buffer *b, uint32_t v);
void buffer_put_u64(struct buffer *b, uint64_t v);

/* Opens a section; the value goes to section_end, which fills in the length. */
size_t buffer_section_begin(struct buffer *b, uint32_t tag);
void buffer_section_end(struct buffer *b, size_t begin);

/* Reads what a buffer holds. Past the end, gets return 0 and `failed` becomes true. */
struct reader {
	const uint8_t *data;
	size_t length;
	size_t at;
	bool failed;
};

struct reader reader_of(const void *data, size_t length);
bool reader_get(struct reader *r, void *to, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
bool reader_at_end(const struct reader *r);

/* Next section: its tag and a reader over its body. False at the end, or (with `failed`) when it is cut short. */
bool reader_section(struct reader *r, uint32_t *tag, struct reader *body);

#endif
