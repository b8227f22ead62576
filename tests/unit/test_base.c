#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mac.h"

static void a_mac_is_six_pairs(void **state)
{
	(void)state;
	uint8_t mac[6];
	char text[MAC_TEXT];

	assert_int_equal(mac_parse("52:54:00:aB:cd:01", mac), 0);
	assert_string_equal(mac_format(mac, text), "52:54:00:ab:cd:01");
	assert_int_equal(mac_parse("52:54:00:ab:cd", mac), -EINVAL);
	assert_int_equal(mac_parse("52:54:00:ab:cd:01:02", mac), -EINVAL);
	assert_int_equal(mac_parse("", mac), -EINVAL);
}

static void numbers_take_no_sign_and_no_rest(void **state)
{
	(void)state;
	uint64_t v;

	assert_int_equal(parse_u64("010", 0, 100, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(parse_u64("0x10", 0, 100, &v), 0);
	assert_int_equal(v, 16);
	assert_int_equal(parse_u64("-1", 0, 100, &v), -EINVAL);
	assert_int_equal(parse_u64("5x", 0, 100, &v), -EINVAL);
	assert_int_equal(parse_u64("101", 0, 100, &v), -ERANGE);
	assert_int_equal(parse_u64("99999999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
}

static void a_frozen_clock_goes_on_where_it_stopped(void **state)
{
	(void)state;
	struct clock c = { 0 };

	clock_set(&c, 1000);
	assert_int_equal(clock_now(&c), 1000);
	assert_true(clock_to_monotonic(&c, 2000) == UINT64_MAX);
	clock_thaw(&c);
	assert_true(clock_now(&c) >= 1000 && clock_now(&c) < 1000 + NS_PER_S);
}

static void a_section_that_is_cut_short_is_refused(void **state)
{
	(void)state;
	struct buffer b = { 0 };
	size_t s = buffer_section_begin(&b, 0x41);

	buffer_put_u32(&b, 7);
	buffer_section_end(&b, s);

	struct reader r = reader_of(b.data, b.length), body;
	uint32_t tag;
	assert_true(reader_section(&r, &tag, &body));
	assert_int_equal(tag, 0x41);
	assert_int_equal(reader_u32(&body), 7);
	assert_true(reader_at_end(&body));
	assert_int_equal(reader_u8(&body), 0);
	assert_true(body.failed);

	r = reader_of(b.data, b.length - 1);
	assert_false(reader_section(&r, &tag, &body));
	assert_true(r.failed);
	buffer_finish(&b);
}

static void an_error_keeps_its_text_behind_a_prefix(void **state)
{
	(void)state;
	struct error e = { 0 };

	assert_int_equal(error_set(&e, -EINVAL, "bad %d", 3), -EINVAL);
	error_prefix(&e, "port %s", "net0");
	assert_string_equal(e.text, "port net0: bad 3");
	assert_int_equal(error_set(NULL, -EIO, "nobody listens"), -EIO);
}

static void the_place_of_an_error_ends_in_the_files_name_and_the_line(void **state)
{
	struct error e = { 0 };
	char longer[300];

	(void)state;
	error_place(&e, "guest.xml", 12);
	assert_string_equal(e.where, "guest.xml:12");
	error_place(&e, "/a/very/long/way/to/a/folder/of/a/project/with/a/name/guest.xml", 7);
	assert_string_equal(e.where, "guest.xml:7");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	error_place(&e, longer, UINT32_MAX);
	assert_non_null(strstr(e.where, "xx:4294967295"));
	error_place(NULL, "nobody listens", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mac_is_six_pairs),
		cmocka_unit_test(numbers_take_no_sign_and_no_rest),
		cmocka_unit_test(a_frozen_clock_goes_on_where_it_stopped),
		cmocka_unit_test(a_section_that_is_cut_short_is_refused),
		cmocka_unit_test(an_error_keeps_its_text_behind_a_prefix),
		cmocka_unit_test(the_place_of_an_error_ends_in_the_files_name_and_the_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
