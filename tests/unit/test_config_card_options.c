#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/card_options.h"

/* A legal value of a row, so that every row can be set. */
static const char *legal(const struct card_option *row)
{
	static const char *const value[] = {
		[CARD_ON_OFF] = "off", [CARD_YES_NO] = "no",	[CARD_POWER_OF_TWO] = "512",
		[CARD_NUMBER] = "7",   [CARD_TXMODE] = "timer", [CARD_TEXT] = "PARM 1.a"
	};
	NAMES_MATCH(value, CARD_OPTION_KIND_COUNT);

	return value[row->kind];
}

static void every_row_is_read_and_written_back_and_touches_no_other(void **state)
{
	(void)state;
	for (unsigned i = 0; i < card_option_count; i++) {
		const struct card_option *row = &card_options[i];
		struct card_options o = { 0 };
		struct error err = { 0 };
		char text[CARD_OPTION_TEXT];

		assert_ptr_equal(card_option_find(row->element, row->attribute), row);
		assert_null(card_option_write(row, &o, text));
		assert_int_equal(card_option_read(row, &o, legal(row), &err), 0);
		assert_string_equal(card_option_write(row, &o, text), legal(row));
		for (unsigned k = 0; k < card_option_count; k++)
			assert_int_equal(card_option_is_set(&card_options[k], &o), k == i);
		struct card_options rest = o;
		memset((char *)&rest + row->at, 0, row->room);
		for (size_t at = 0; at < sizeof(rest); at++)
			assert_int_equal(((char *)&rest)[at], 0);
	}
	assert_null(card_option_find("driver", "tso4"));
}

static void each_kind_has_its_field(void **state)
{
	(void)state;
	static const uint16_t size[] = { [CARD_ON_OFF] = sizeof(enum tristate),
					 [CARD_YES_NO] = sizeof(enum tristate),
					 [CARD_POWER_OF_TWO] = 2,
					 [CARD_NUMBER] = 4,
					 [CARD_TXMODE] = sizeof(enum card_txmode) };

	for (unsigned i = 0; i < card_option_count; i++) {
		const struct card_option *row = &card_options[i];

		if (row->kind == CARD_TEXT)
			assert_true(row->max < row->room);
		else
			assert_int_equal(row->room, size[row->kind]);
		if (row->kind == CARD_POWER_OF_TWO || row->kind == CARD_NUMBER)
			assert_true(row->min > 0 && row->min <= row->max);
	}
}

static void values_that_are_not_legal_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *element, *attribute, *value, *says;
	} cases[] = {
		{ "driver", "packed", "yes", "it is 'on' or 'off'" },
		{ "driver/host", "csum", "", "it is 'on' or 'off'" },
		{ "rom", "enabled", "off", "it is 'yes' or 'no'" },
		{ "driver", "rx_queue_size", "511", "a power of two from 256 to 1024" },
		{ "driver", "rx_queue_size", "128", "a power of two from 256 to 1024" },
		{ "driver", "tx_queue_size", "2048", "a power of two from 256 to 1024" },
		{ "driver", "tx_queue_size", "0", "a power of two from 256 to 1024" },
		{ "driver", "tx_queue_size", "-256", "a power of two from 256 to 1024" },
		{ "driver", "txmode", "bh", "it is 'iothread' or 'timer'" },
		{ "driver", "txmode", "", "it is 'iothread' or 'timer'" },
		{ "acpi", "index", "0", "a number from 1 to 16383" },
		{ "acpi", "index", "16384", "a number from 1 to 16383" },
		{ "boot", "loadparm", "123456789", "up to 8 letters" },
		{ "boot", "loadparm", "", "up to 8 letters" },
		{ "boot", "loadparm", "a,b=c", "up to 8 letters" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct card_option *row =
			card_option_find(cases[i].element, cases[i].attribute);
		struct card_options o = { 0 }, none = { 0 };
		struct error err = { 0 };

		assert_non_null(row);
		assert_int_equal(card_option_read(row, &o, cases[i].value, &err), -EINVAL);
		assert_non_null(strstr(err.text, cases[i].says));
		assert_non_null(strstr(err.text, cases[i].attribute));
		assert_memory_equal(&o, &none, sizeof(o));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_read_and_written_back_and_touches_no_other),
		cmocka_unit_test(each_kind_has_its_field),
		cmocka_unit_test(values_that_are_not_legal_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
