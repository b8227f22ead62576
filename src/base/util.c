#include "base/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *name_of(const char *const *names, size_t count, unsigned value)
{
	return value < count && names[value] ? names[value] : "?";
}

int name_find(const char *const *names, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (names[i] && strcmp(names[i], text) == 0)
			return (int)i;
	return -1;
}

bool str_copy(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size);
	bool fits = len < size;

	if (!fits)
		len = size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
	return fits;
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9') /* strtoull would take a sign and blanks */
		return -EINVAL;
	errno = 0;
	/* never octal: a user who types 010 means ten */
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned long long value = strtoull(text, &end, hex ? 16 : 10);
	if (end == text || *end != '\0')
		return -EINVAL;
	if (errno == ERANGE || value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}
