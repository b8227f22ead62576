/* json_text.h - cuts a stream of bytes into JSON texts, as QEMU's lexer does: by brackets, not by lines.
 *
 * A text that is broken is told once, and the stream goes on behind it: where its brackets close; or at a byte that no JSON string may
 * hold (a control character inside a string, 0xff), which a client may send to start afresh; or at a `{` where no value can
 * begin, which is how the next command after a truncated one looks. Memory is bounded by `limit`.
 */
#ifndef ANYNIC_CONTROL_JSON_TEXT_H
#define ANYNIC_CONTROL_JSON_TEXT_H

#include <json-c/json.h>

#include "base/util.h"

#define JSON_DEPTH_MAX 64

enum json_text_state {
	JSON_TEXT_MORE, /* all bytes were taken, the text is not complete */
	JSON_TEXT_COMPLETE, /* data[0..length) is one text with balanced brackets, until the next feed */
	JSON_TEXT_BAD,	    /* `problem` says why; the stream goes on */
};

struct json_text {
	char *data;
	size_t length, room;
	size_t limit;
	const char *problem;

	bool done;     /* the text was handed out: the next byte starts afresh */
	bool skipping; /* broken and told: look for its end only */
	bool scalar;   /* a text without brackets: 5, "x" or plain nonsense */
	char quote;    /* inside a string: its quote */
	bool escaped;
	char last; /* last significant byte */
	unsigned depth;
	uint64_t arrays; /* bit n: the bracket at depth n is [ */
};

void json_text_init(struct json_text *t, size_t limit);
void json_text_finish(struct json_text *t); /* accepts a zeroed one */

/* Takes bytes until a text ends. Returns how many were taken; call again with the rest. */
size_t json_text_feed(struct json_text *t, const char *bytes, size_t n,
		      enum json_text_state *state);

/* The complete text as a value. NULL with `problem` set when it is no JSON (or is a bare null). */
json_object *json_text_parse(struct json_text *t);

#endif
