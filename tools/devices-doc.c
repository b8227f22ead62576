/* devices-doc: prints docs/devices.md from the register rows of all models. A test compares the two, so the page is true:
 *     build/tools/devices-doc >docs/devices.md
 */
#include <stdio.h>

#include "base/mac.h"
#include "nic/nic.h"

static const char *const kind_names[] = {
	[REG_RW] = "read, write",
	[REG_RO] = "read",
	[REG_W1C] = "write 1 to clear",
	[REG_CLEAR_R] = "cleared by reading",
	[REG_WO] = "write",
	[REG_ALIAS] = "alias",
};
NAMES_MATCH(kind_names, REG_KIND_COUNT);

static void print_row(const struct reg *row)
{
	unsigned width = row->width ? row->width : 4, count = row->count ? row->count : 1;

	printf("| %s | 0x%x", row->name, row->offset);
	if (count > 1)
		printf(" + 0x%x·n, n < %u", row->stride ? row->stride : width, count);
	printf(" | %u | %s", 8 * width, name_of(kind_names, REG_KIND_COUNT, row->kind));
	if (row->kind == REG_ALIAS)
		printf(" of 0x%x | | |\n", row->of);
	else
		printf("%s | 0x%x | 0x%x |\n", row->written || row->read ? ", with an effect" : "",
		       row->mask, row->reset);
}

static void print_lines(const char *title, const char *const *lines)
{
	if (!lines)
		return;
	printf("\n%s\n", title);
	for (; *lines; lines++)
		printf("* %s\n", *lines);
}

/* The card in front of this one that has the same registers, or NULL. */
static const char *shown_with(const struct nic_ops *ops)
{
	for (unsigned i = 0; nic_models[i] != ops; i++)
		if (nic_models[i]->spaces == ops->spaces)
			return nic_models[i]->name;
	return NULL;
}

static void print_model(const struct nic_ops *ops)
{
	const char *same = shown_with(ops);

	printf("\n## %s\n%s.\n", ops->name, ops->summary);
	if (same) {
		printf("\nWhat it does and its registers: see %s.\n", same);
		return;
	}
	print_lines("Modelled:", ops->does);
	print_lines("Not modelled:", ops->lacks);
	for (struct reg_space *const *s = ops->spaces; *s; s++) {
		printf("\n### %s: %u rows, %u bytes\n\n", (*s)->name, (*s)->count, (*s)->size);
		printf("| register | offset | bits | kind | mask | after reset "
		       "|\n|---|---|---|---|---|---|\n");
		for (unsigned i = 0; i < (*s)->count; i++)
			print_row(&(*s)->rows[i]);
	}
}

int main(void)
{
	printf("# Every card: what it does, and its registers\n\n"
	       "Made by `tools/devices-doc.c` from the rows that serve the guest; a test keeps it "
	       "true.\n"
	       "*mask*: bits that the guest can change. *with an effect*: code runs on the "
	       "access.\n");
	for (unsigned i = 0; i < nic_model_count; i++)
		print_model(nic_models[i]);
	return 0;
}
