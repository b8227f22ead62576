#include "qemu/monitor_text.h"

#include <string.h>

bool span_is(struct text_span s, const char *text)
{
	return s.at && s.length == strlen(text) && memcmp(s.at, text, s.length) == 0;
}

bool span_begins(struct text_span s, const char *text)
{
	size_t length = strlen(text);

	return s.at && s.length >= length && memcmp(s.at, text, length) == 0;
}

static struct text_span span(const char *from, const char *to)
{
	return (struct text_span){ from, (size_t)(to - from) };
}

/* The next line without its end; false when none is left. */
static bool next_line(const char **at, struct text_span *line)
{
	if (**at == '\0')
		return false;
	size_t length = strcspn(*at, "\n");

	*line = (struct text_span){ *at, length };
	*at += length + ((*at)[length] == '\n');
	while (line->length && line->at[line->length - 1] == '\r')
		line->length--;
	return true;
}

static struct text_span skip_spaces(struct text_span s)
{
	while (s.length && *s.at == ' ')
		s.at++, s.length--;
	return s;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* 1 to 16 hex digits, taken off the front. */
static bool take_hex(struct text_span *s, uint64_t *value)
{
	size_t n = 0;

	for (*value = 0; n < s->length && n < 17 && hex_digit(s->at[n]) >= 0; n++)
		*value = *value << 4 | (uint64_t)hex_digit(s->at[n]);
	s->at += n;
	s->length -= n;
	return n >= 1 && n <= 16;
}

static bool take_text(struct text_span *s, const char *text)
{
	if (!span_begins(*s, text))
		return false;
	s->at += strlen(text);
	s->length -= strlen(text);
	return true;
}

static const char *find(struct text_span s, const char *text)
{
	return s.length ? memmem(s.at, s.length, text, strlen(text)) : NULL;
}

/* --- info mtree -o ----------------------------------------------------------------------------------------------- */

static bool parse_owner(struct text_span line, struct mtree_region *r, const char **name_end)
{
	static const char *const kinds[] = { " owner:{dev id=", " owner:{dev path=" };

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *at = find(line, kinds[i]);
		if (!at)
			continue;
		const char *from = at + strlen(kinds[i]);
		const char *to = memchr(from, '}', (size_t)(line.at + line.length - from));
		if (!to)
			return false;
		r->owner = span(from, to);
		*name_end = at;
		return true;
	}
	return false;
}

static bool parse_region(struct text_span line, struct mtree_region *r)
{
	const char *end, *shown;

	*r = (struct mtree_region){ 0 };
	if (!parse_owner(line, r, &end))
		return false;
	line = skip_spaces(line);
	if (!take_hex(&line, &r->from) || !take_text(&line, "-") || !take_hex(&line, &r->to))
		return false;
	const char *name = find(line, "): ");
	if (!name || name + 3 > end)
		return false;
	struct text_span rest = span(name + 3, end);
	r->alias = take_text(&rest, "alias ");
	shown = r->alias ? find(rest, " @") : NULL;
	r->name = shown ? span(rest.at, shown) : rest;
	return !find(rest, " [disabled]");
}

bool mtree_next(const char **at, struct mtree_region *region)
{
	struct text_span line;

	while (next_line(at, &line))
		if (parse_region(line, region))
			return true;
	return false;
}

/* --- xp ---------------------------------------------------------------------------------------------------------- */

unsigned xp_parse(const char *text, uint64_t address, uint64_t *values, unsigned room)
{
	struct text_span line;
	unsigned n = 0;

	while (n < room && next_line(&text, &line)) {
		uint64_t seen, value;

		line = skip_spaces(line);
		/* the first line is that of the address; the others follow on from it */
		if (!take_hex(&line, &seen) || !take_text(&line, ":") ||
		    (n == 0 && seen != address))
			return n;
		for (line = skip_spaces(line); n < room && line.length; line = skip_spaces(line)) {
			if (!take_text(&line, "0x") || !take_hex(&line, &value))
				return n;
			values[n++] = value;
		}
	}
	return n;
}

/* --- info network ------------------------------------------------------------------------------------------------ */

/* "NAME: INFO" */
static bool split(struct text_span text, struct text_span *name, struct text_span *info)
{
	const char *colon = find(text, ": ");

	if (!colon || colon == text.at)
		return false;
	*name = span(text.at, colon);
	*info = span(colon + 2, text.at + text.length);
	return true;
}

bool network_next(const char **at, struct network_line *out)
{
	struct text_span line;

	while (next_line(at, &line)) {
		*out = (struct network_line){ 0 };
		out->hub = span_begins(line, "hub ") && !find(line, ":");
		if (out->hub)
			return true;
		line = skip_spaces(line);
		out->peer = take_text(&line, "\\ ");
		if (!split(line, &out->name, &out->info))
			continue;
		if (out->peer && !span_begins(out->info, "index="))
			out->port = split(out->info, &out->name, &out->info);
		return true;
	}
	return false;
}

struct text_span network_value(struct text_span info, const char *key)
{
	size_t length = strlen(key);

	while (info.length) {
		const char *comma = memchr(info.at, ',', info.length);
		struct text_span word = span(info.at, comma ? comma : info.at + info.length);
		if (word.length > length && memcmp(word.at, key, length) == 0 &&
		    word.at[length] == '=')
			return (struct text_span){ word.at + length + 1, word.length - length - 1 };
		if (!comma)
			break;
		info = span(comma + 1, info.at + info.length);
	}
	return (struct text_span){ 0 };
}
