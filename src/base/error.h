/* error.h - how a failure travels up: a negative errno, and words where a person will read it.
 *
 * The text says what, why and the next step. `err` may always be NULL. Nobody below cli/ and control/ prints.
 */
#ifndef ANYNIC_BASE_ERROR_H
#define ANYNIC_BASE_ERROR_H

#include "base/util.h"

struct error {
	int code;	/* negative errno; 0 = none */
	char where[64]; /* the option, file or port that it is about; may be empty */
	char text[512];
};

/* Fills `err` (if given) and returns `code`, so that a caller can `return error_set(...)`. */
int error_set(struct error *err, int code, const char *fmt, ...) PRINTF(3, 4);

/* "FILE:LINE"; of a long path its last part only, so that the line is always there. */
void error_place_text(char *to, size_t size, const char *file, unsigned line);

/* Says that it is about FILE:LINE. */
void error_place(struct error *err, const char *file, unsigned line);

/* Puts `prefix: ` in front of the text that is there. */
void error_prefix(struct error *err, const char *fmt, ...) PRINTF(2, 3);

#endif
