#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

void buffer_finish(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ 0 };
}

static bool buffer_reserve(struct buffer *b, size_t more)
{
	if (b->failed)
		return false;
	if (more <= b->room - b->length)
		return true;
	size_t room = MAX(b->room * 2, b->length + more);
	room = MAX(room, (size_t)256);
	uint8_t *data = realloc(b->data, room);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->room = room;
	return true;
}

void buffer_put(struct buffer *b, const void *data, size_t len)
{
	if (len == 0 || !buffer_reserve(b, len))
		return;
	memcpy(b->data + b->length, data, len);
	b->length += len;
}

void buffer_put_u8(struct buffer *b, uint8_t v)
{
	buffer_put(b, &v, sizeof(v));
}

void buffer_put_u16(struct buffer *b, uint16_t v)
{
	v = htole16(v);
	buffer_put(b, &v, sizeof(v));
}

void buffer_put_u32(struct buffer *b, uint32_t v)
{
	v = htole32(v);
	buffer_put(b, &v, sizeof(v));
}

void buffer_put_u64(struct buffer *b, uint64_t v)
{
	v = htole64(v);
	buffer_put(b, &v, sizeof(v));
}

size_t buffer_section_begin(struct buffer *b, uint32_t tag)
{
	buffer_put_u32(b, tag);
	buffer_put_u32(b, 0);
	return b->length;
}

void buffer_section_end(struct buffer *b, size_t begin)
{
	if (!b->failed)
		put_le32(b->data + begin - 4, (uint32_t)(b->length - begin));
}

struct reader reader_of(const void *data, size_t length)
{
	return (struct reader){ .data = data, .length = length };
}

bool reader_get(struct reader *r, void *to, size_t len)
{
	if (r->failed || len > r->length - r->at) {
		r->failed = true;
		memset(to, 0, len);
		return false;
	}
	memcpy(to, r->data + r->at, len);
	r->at += len;
	return true;
}

uint8_t reader_u8(struct reader *r)
{
	uint8_t v;
	reader_get(r, &v, sizeof(v));
	return v;
}

uint16_t reader_u16(struct reader *r)
{
	uint16_t v;
	reader_get(r, &v, sizeof(v));
	return le16toh(v);
}

uint32_t reader_u32(struct reader *r)
{
	uint32_t v;
	reader_get(r, &v, sizeof(v));
	return le32toh(v);
}

uint64_t reader_u64(struct reader *r)
{
	uint64_t v;
	reader_get(r, &v, sizeof(v));
	return le64toh(v);
}

bool reader_at_end(const struct reader *r)
{
	return r->at == r->length;
}

bool reader_section(struct reader *r, uint32_t *tag, struct reader *body)
{
	if (r->failed || reader_at_end(r))
		return false;
	*tag = reader_u32(r);
	uint32_t length = reader_u32(r);
	if (r->failed || length > r->length - r->at) {
		r->failed = true;
		return false;
	}
	*body = reader_of(r->data + r->at, length);
	r->at += length;
	return true;
}
