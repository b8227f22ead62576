#include "control/json_text.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 512u

/* What one byte means for the text. */
enum step {
	GO_ON,
	END_AFTER,    /* the text is complete with this byte */
	END_BEFORE,   /* it was complete already; the byte belongs to what follows */
	BREAK_ON,     /* it is broken, but its brackets are open: skip to their end */
	BREAK_AFTER,  /* it is broken and ends with this byte */
	BREAK_BEFORE, /* it is broken, and the byte belongs to what follows */
};

void json_text_init(struct json_text *t, size_t limit)
{
	*t = (struct json_text){ .limit = limit };
}

void json_text_finish(struct json_text *t)
{
	free(t->data);
	*t = (struct json_text){ .limit = t->limit };
}

static void start_afresh(struct json_text *t)
{
	*t = (struct json_text){ .data = t->data, .room = t->room, .limit = t->limit };
}

static enum step broken(struct json_text *t, enum step how, const char *problem)
{
	t->problem = problem;
	return how;
}

static enum step store(struct json_text *t, char c)
{
	if (t->skipping)
		return GO_ON;
	if (t->length == t->limit)
		return broken(t, BREAK_ON, "JSON token size limit exceeded");
	if (t->length == t->room) {
		size_t room = MIN(t->room ? 2 * t->room : ROOM_MIN, t->limit);
		char *data = realloc(t->data, room);
		if (!data)
			return broken(t, BREAK_ON, "out of memory");
		t->data = data;
		t->room = room;
	}
	t->data[t->length++] = c;
	return GO_ON;
}

static bool is_open(char c)
{
	return c == '{' || c == '[';
}

static bool is_close(char c)
{
	return c == '}' || c == ']';
}

static enum step in_string(struct json_text *t, char c)
{
	if ((unsigned char)c < 0x20)
		return broken(t, BREAK_AFTER, "JSON parse error, control character in string");
	if (t->escaped)
		t->escaped = false;
	else if (c == '\\')
		t->escaped = true;
	else if (c == t->quote) {
		t->quote = 0;
		t->last = c;
	}
	return store(t, c);
}

static enum step open_bracket(struct json_text *t, char c)
{
	/* no value can begin here: the text before was cut short, and this may well be the next one */
	if (c == '{' && t->depth > 0 && !strchr(":,{[", t->last))
		return broken(t, BREAK_BEFORE,
			      "JSON parse error, expecting ',' or a closing bracket");
	if (t->depth < JSON_DEPTH_MAX) {
		uint64_t bit = 1ull << t->depth;
		t->arrays = c == '[' ? t->arrays | bit : t->arrays & ~bit;
	}
	t->last = c;
	if (++t->depth > JSON_DEPTH_MAX)
		return broken(t, BREAK_ON, "JSON nesting depth limit exceeded");
	return store(t, c);
}

static enum step close_bracket(struct json_text *t, char c)
{
	if (t->depth == 0)
		return broken(t, BREAK_AFTER,
			      "JSON parse error, a bracket closes that was not opened");
	t->last = c;
	if (t->depth <= JSON_DEPTH_MAX) {
		bool array = t->arrays >> (t->depth - 1) & 1;
		if (array != (c == ']'))
			return broken(t, BREAK_ON,
				      "JSON parse error, the wrong kind of bracket closes");
	}
	enum step s = store(t, c);
	if (--t->depth == 0)
		return s == GO_ON ? END_AFTER : BREAK_AFTER;
	return s;
}

static enum step outside_string(struct json_text *t, char c)
{
	if (t->scalar && (c == '\n' || is_open(c) || is_close(c)))
		return END_BEFORE;
	if (is_open(c))
		return open_bracket(t, c);
	if (is_close(c))
		return close_bracket(t, c);
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return t->depth || t->scalar ? store(t, c) : GO_ON;
	if (t->depth == 0)
		t->scalar = true;
	t->last = c;
	if (c == '"' || c == '\'')
		t->quote = c;
	return store(t, c);
}

static enum step take(struct json_text *t, char c)
{
	if ((unsigned char)c ==
	    0xff) /* never part of UTF-8: what QEMU's clients send to start afresh */
		return t->depth || t->scalar
			       ? broken(t, BREAK_AFTER, "JSON parse error, invalid byte 0xff")
			       : GO_ON;
	return t->quote ? in_string(t, c) : outside_string(t, c);
}

size_t json_text_feed(struct json_text *t, const char *bytes, size_t n, enum json_text_state *state)
{
	if (t->done)
		start_afresh(t);
	for (size_t i = 0; i < n; i++) {
		enum step s = take(t, bytes[i]);
		bool before = s == END_BEFORE || s == BREAK_BEFORE;

		if (s == GO_ON || (t->skipping && s == BREAK_ON))
			continue;
		if (t->skipping) {
			start_afresh(t);
			i -= before; /* look at the byte again: i wraps at 0 and the loop brings it back */
			continue;
		}
		t->skipping = s == BREAK_ON;
		t->done = s != BREAK_ON;
		*state = s == END_AFTER || s == END_BEFORE ? JSON_TEXT_COMPLETE : JSON_TEXT_BAD;
		return before ? i : i + 1;
	}
	*state = JSON_TEXT_MORE;
	return n;
}

json_object *json_text_parse(struct json_text *t)
{
	/* not strict: QEMU takes strings in single quotes */
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);

	if (!tokener) {
		t->problem = "out of memory";
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
	json_object *value = json_tokener_parse_ex(tokener, t->data, (int)t->length);
	enum json_tokener_error error = json_tokener_get_error(tokener);
	if (error ==
	    json_tokener_continue) { /* a number or a word ends only where something else begins */
		value = json_tokener_parse_ex(tokener, "\n", 1);
		error = json_tokener_get_error(tokener);
	}
	json_tokener_free(tokener);
	if (error == json_tokener_success && value)
		return value;
	json_object_put(value);
	t->problem = error == json_tokener_error_parse_utf8_string
			     ? "JSON parse error, invalid UTF-8 sequence in string"
			     : "JSON parse error";
	return NULL;
}
