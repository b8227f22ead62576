#include "config/known.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const struct known_model *known_model_find(const struct known *known, const char *name)
{
	for (unsigned i = 0; i < known->model_count; i++)
		if (strcmp(known->models[i].name, name) == 0)
			return &known->models[i];
	return NULL;
}

bool known_model_has_rev(const struct known_model *model, int rev)
{
	if (rev == 0)
		return model->rev_zero;
	for (unsigned i = 0; i < KNOWN_REVS && model->revs[i]; i++)
		if (model->revs[i] == rev)
			return true;
	return false;
}

const struct known_backend *known_backend_find(const struct known *known, const char *name)
{
	for (unsigned i = 0; i < known->backend_count; i++)
		if (strcmp(known->backends[i].name, name) == 0)
			return &known->backends[i];
	return NULL;
}

static void append_name(char *to, size_t size, const char *name)
{
	size_t at = strlen(to);

	if (at < size)
		snprintf(to + at, size - at, "%s%s", at ? ", " : "", name);
}

void known_model_names(const struct known *known, char *to, size_t size)
{
	to[0] = '\0';
	for (unsigned i = 0; i < known->model_count; i++)
		append_name(to, size, known->models[i].name);
}

void known_backend_names(const struct known *known, char *to, size_t size)
{
	to[0] = '\0';
	for (unsigned i = 0; i < known->backend_count; i++)
		if (!known->backends[i].xml_only)
			append_name(to, size, known->backends[i].name);
}

#define NAME_LONGEST 32

/* Edits (insert, delete, replace, swap of neighbours) from one word to the other; large when a word is too long to compare. */
static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned row[3][NAME_LONGEST + 1];

	if (n > NAME_LONGEST || m > NAME_LONGEST)
		return NAME_LONGEST;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *two_up = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned replace = up[j - 1] + (a[i - 1] != b[j - 1]);

			now[j] = MIN(replace, MIN(up[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = MIN(now[j], two_up[j - 2] + 1);
		}
	}
	return row[n % 3][m];
}

const char *nearest_name(const char *text, const char *const *names, size_t count)
{
	size_t len = strlen(text);
	unsigned best = (unsigned)MIN(MAX((len + 1) / 3, 1u), 3u);
	const char *found = NULL;

	if (len == 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!names[i])
			continue;
		if (strcasecmp(names[i], text) == 0)
			return names[i];
		unsigned d = distance(text, names[i]);
		if (d < best || (d == best && !found)) {
			best = d;
			found = names[i];
		}
	}
	/* nothing similar: perhaps the beginning of a longer name */
	for (size_t i = 0; !found && len >= 3 && i < count; i++)
		if (names[i] && strncmp(names[i], text, len) == 0)
			found = names[i];
	return found;
}
