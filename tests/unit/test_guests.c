#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "config/guests.h"
#include "config/nic_option.h"
#include "config/validate.h"
#include "nic/nic.h"

/* Cards of this version and of those that come: a name that is none of them is a slip of the pen. */
static const char *const cards[] = { "rtl8139", "virtio-net", "e1000", "e1000-82545em",
				     "e1000e",	"igb",	      "igbvf", "igc" };

#define CARD(n, ...)                                                                               \
	{                                                                                          \
		.name = n, .summary = "", .queues_max = 1, __VA_ARGS__                             \
	}
static const struct known_model few_models[] = {
	CARD("rtl8139", .legacy = true),
	CARD("virtio-net", .performant = true, .rev_zero = true),
};
static const struct known_model all_models[] = {
	CARD("rtl8139", .legacy = true),
	CARD("virtio-net", .performant = true, .rev_zero = true),
	CARD("e1000", .legacy = true),
	CARD("e1000e", .legacy = true),
	CARD("igb", .legacy = true),
	CARD("igc", .legacy = true),
	CARD("e1000-82545em", .legacy = true),
};
static const struct known_backend user_only[] = { { "user", "" } };
static const struct known few = { few_models, ARRAY_SIZE(few_models), user_only, 1 };
static const struct known all = { all_models, ARRAY_SIZE(all_models), user_only, 1 };

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static void every_row_is_whole(void **state)
{
	(void)state;
	for (unsigned i = 0; i < guest_row_count; i++) {
		const struct guest_row *row = &guest_rows[i];
		unsigned known = 0, words = row->cards[0] != '\0';

		for (const char *at = row->cards; (at = strchr(at, ' ')); at++)
			words++;
		for (unsigned c = 0; c < ARRAY_SIZE(cards); c++)
			known += has_word(row->cards, cards[c]);
		if (known != words)
			fail_msg("%s: %u cards, %u of them exist", row->name, words, known);
		if (row->year < 1981 || row->year > 2030 || strncmp(row->source, "http", 4) != 0 ||
		    !row->title[0] || (row->keys[0] != ',' && row->keys[0] != '\0'))
			fail_msg("%s: a year, a title or a source is missing", row->name);
		if (strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789.-") !=
		    strlen(row->name))
			fail_msg("%s: not a name to type", row->name);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(row->name, guest_rows[j].name);
	}
}

static void every_recommendation_is_a_legal_port(void **state)
{
	(void)state;
	static const struct known *const worlds[] = { &few, &all };
	struct guest_identity who = { .machine_id = "m", .guest = "g" };

	for (unsigned w = 0; w < ARRAY_SIZE(worlds); w++)
		for (unsigned i = 0; i < guest_row_count; i++) {
			struct port_spec port;
			struct error err = { 0 };
			char text[64];

			guest_recommend(&guest_rows[i], worlds[w], text, sizeof(text));
			int rc = nic_option_parse(&port, text, worlds[w], &err);
			if (rc == 0) {
				ports_complete(&port, 1, &who);
				rc = ports_validate(&port, 1, worlds[w], &err);
			}
			if (rc < 0)
				fail_msg("%s: --nic %s: %s", guest_rows[i].name, text, err.text);
		}
}

static void the_first_card_that_this_program_has_is_recommended(void **state)
{
	(void)state;
	static const struct {
		const char *guest, *with_few, *with_all;
	} cases[] = {
		{ "windows-xp", "auto", "auto" },
		{ "windows-7", "auto", "auto,legacy=e1000e" },
		{ "windows-11", "auto", "auto,legacy=e1000e" },
		{ "macos-10", "auto", "auto,legacy=e1000-82545em" },
		{ "linux-2.6", "auto,rev=0", "auto,legacy=e1000e,rev=0" },
		{ "edk2", "auto", "auto" },
		{ "dos", "auto", "auto" },
	};

	for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
		unsigned found = 0;
		char text[64];

		for (unsigned i = 0; i < guest_row_count; i++) {
			if (strcmp(guest_rows[i].name, cases[c].guest) != 0)
				continue;
			found++;
			guest_recommend(&guest_rows[i], &few, text, sizeof(text));
			assert_string_equal(text, cases[c].with_few);
			guest_recommend(&guest_rows[i], &all, text, sizeof(text));
			assert_string_equal(text, cases[c].with_all);
		}
		assert_int_equal(found, 1);
	}
}

static void a_family_names_all_its_rows(void **state)
{
	(void)state;
	unsigned windows = 0, seven = 0, linux2 = 0, nothing = 0;

	for (unsigned i = 0; i < guest_row_count; i++) {
		windows += guest_is_named(&guest_rows[i], "windows");
		seven += guest_is_named(&guest_rows[i], "windows-7");
		linux2 += guest_is_named(&guest_rows[i], "linux-2");
		nothing += guest_is_named(&guest_rows[i], "");
	}
	assert_true(windows >= 7);
	assert_int_equal(seven, 1);
	assert_int_equal(linux2, 0); /* no row, no family */
	assert_int_equal(nothing, 0);
}

/* A card that no guest knows would be a card for nobody. */
static void every_model_has_a_guest(void **state)
{
	(void)state;
	for (unsigned m = 0; m < nic_model_count; m++) {
		unsigned guests = 0;

		for (unsigned i = 0; i < guest_row_count; i++)
			guests += guest_knows(&guest_rows[i], nic_models[m]->name);
		if (guests == 0)
			fail_msg("%s: no guest knows it", nic_models[m]->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(every_recommendation_is_a_legal_port),
		cmocka_unit_test(the_first_card_that_this_program_has_is_recommended),
		cmocka_unit_test(a_family_names_all_its_rows),
		cmocka_unit_test(every_model_has_a_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
