/* guests-doc: prints docs/guests.md from the table of guests. A test compares the two:
 *     build/tools/guests-doc >docs/guests.md
 */
#include <stdio.h>
#include <string.h>

#include "config/guests.h"

static void print_words(const char *words, const char *before, const char *after)
{
	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		printf("%s%s%.*s%s", at == words ? "" : " ", before, (int)len, at, after);
		at += len;
	}
}

int main(void)
{
	printf("# Which guest knows which card\n\n"
	       "Made by `tools/guests-doc.c` from the table in `src/config/guests.c`; a test keeps "
	       "it "
	       "true. *Cards*: those that the guest drives out of the box, the wished legacy card "
	       "first; `anynic models --guest NAME` makes a `--nic` of the first one that the "
	       "program "
	       "has. What no source says is left out.\n\n"
	       "| guest | name | since | cards | more for `--nic` | note | sources "
	       "|\n|---|---|---|---|---|---|---|\n");
	for (unsigned i = 0; i < guest_row_count; i++) {
		const struct guest_row *row = &guest_rows[i];

		printf("| %s | `%s` | %u | %s", row->title, row->name, row->year,
		       row->cards[0] ? "" : "none");
		print_words(row->cards, "", "");
		printf(" | %s | %s | ", row->keys + (row->keys[0] == ','), row->note);
		print_words(row->source, "<", ">");
		printf(" |\n");
	}
	return 0;
}
