/* util.h - the few macros that everybody uses. */
#ifndef ANYNIC_BASE_UTIL_H
#define ANYNIC_BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))
#define BIT(n)	      (1u << (n))

/* Every enum that a person sees has a table of names; the assertion keeps both the same length. */
#define NAMES_MATCH(table, count)                                                                  \
	_Static_assert(ARRAY_SIZE(table) == (count), #table " has one name for each value")

/* Name of `value`, or "?" when it is out of the table. */
const char *name_of(const char *const *names, size_t count, unsigned value);

/* Index of `text` in the table, or -1. */
int name_find(const char *const *names, size_t count, const char *text);

/* Copies at most size-1 bytes and always ends in NUL. Returns false when it had to cut. */
bool str_copy(char *to, size_t size, const char *from);

/* Whole text as an unsigned number in [min, max]; decimal or 0x. Returns 0 or -EINVAL / -ERANGE. */
int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out);

#endif
