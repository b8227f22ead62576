#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *fmt, ...)
{
	if (err) {
		va_list args;

		err->code = code;
		va_start(args, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, args);
		va_end(args);
	}
	return code;
}

void error_place_text(char *to, size_t size, const char *file, unsigned line)
{
	const size_t number = sizeof(":4294967295");
	const size_t room = size > number ? size - number : 0;
	const char *slash = strrchr(file, '/');

	if (strlen(file) > room && slash)
		file = slash + 1;
	snprintf(to, size, "%.*s:%u", (int)room, file, line);
}

void error_place(struct error *err, const char *file, unsigned line)
{
	if (err)
		error_place_text(err->where, sizeof(err->where), file, line);
}

void error_prefix(struct error *err, const char *fmt, ...)
{
	char prefix[128];
	char old[sizeof(err->text)];
	va_list args;

	if (!err)
		return;
	va_start(args, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, args);
	va_end(args);
	str_copy(old, sizeof(old), err->text);
	int cut = (int)sizeof(err->text) - 1;
	snprintf(err->text, sizeof(err->text), "%s: %.*s", prefix, cut, old);
}
