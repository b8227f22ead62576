#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "nic/intel/nvm.h"

static const uint8_t mac[MAC_LEN] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
static const struct intel_nvm_word words[] = { { 0x03, 0x0400 }, { 0x0f, 0x1234 } };

static struct intel_nvm filled(void)
{
	struct intel_nvm nvm;

	intel_nvm_fill(&nvm, words, ARRAY_SIZE(words), mac);
	return nvm;
}

static uint16_t sum(const struct intel_nvm *nvm)
{
	uint16_t s = 0;

	for (unsigned i = 0; i <= 0x3f; i++)
		s = (uint16_t)(s + intel_nvm_read(nvm, i));
	return s;
}

static void a_filled_nvm_has_address_words_and_checksum(void **state)
{
	struct intel_nvm nvm = filled();
	uint8_t back[MAC_LEN];

	(void)state;
	assert_int_equal(intel_nvm_read(&nvm, 0), 0x5452);
	assert_int_equal(intel_nvm_read(&nvm, 2), 0x5634);
	assert_int_equal(intel_nvm_read(&nvm, 0x0f), 0x1234);
	assert_int_equal(intel_nvm_read(&nvm, 0x10), 0xffff);
	assert_int_equal(sum(&nvm), 0xbaba);
	intel_nvm_mac(&nvm, back);
	assert_memory_equal(back, mac, MAC_LEN);
}

static void words_behind_the_array_read_erased_and_take_no_write(void **state)
{
	struct intel_nvm nvm = filled(), before = nvm;

	(void)state;
	assert_int_equal(intel_nvm_read(&nvm, INTEL_NVM_WORDS), 0xffff);
	assert_int_equal(intel_nvm_read(&nvm, UINT32_MAX), 0xffff);
	assert_false(intel_nvm_write(&nvm, INTEL_NVM_WORDS, 1));
	assert_false(intel_nvm_write(&nvm, UINT32_MAX, 1));
	assert_memory_equal(&nvm, &before, sizeof(nvm));
}

static void a_changed_word_breaks_the_sum_until_it_is_sealed(void **state)
{
	struct intel_nvm nvm = filled();

	(void)state;
	assert_true(intel_nvm_write(&nvm, 0x20, 0x1111));
	assert_int_not_equal(sum(&nvm), 0xbaba);
	intel_nvm_seal(&nvm);
	assert_int_equal(sum(&nvm), 0xbaba);
}

static void eerd_answers_in_both_layouts(void **state)
{
	struct intel_nvm nvm = filled();

	(void)state;
	assert_int_equal(intel_eerd(&nvm, &intel_eerd_8254x, 0x0f << 8 | 1),
			 0x12340000 | 0x0f << 8 | 0x10 | 1);
	assert_int_equal(intel_eerd(&nvm, &intel_eerd_82574, 0x0f << 2 | 1),
			 0x12340000 | 0x0f << 2 | 2 | 1);
	/* the largest address */
	assert_int_equal(intel_eerd(&nvm, &intel_eerd_82574, 0xfffd) >> 16, 0xffff);
}

static void eerd_without_start_is_not_done(void **state)
{
	struct intel_nvm nvm = filled();

	(void)state;
	assert_int_equal(intel_eerd(&nvm, &intel_eerd_8254x, 0xabcd0000u | 0x0f << 8 | 0x10),
			 0x0f << 8);
	assert_int_equal(intel_eerd(&nvm, &intel_eerd_82574, 0x0f << 2 | 2), 0x0f << 2);
}

static void eewr_stores_a_word_and_says_done_also_outside(void **state)
{
	struct intel_nvm nvm = filled(), before;
	bool ok;

	(void)state;
	assert_int_equal(intel_eewr(&nvm, &intel_eerd_82574, 0xbeef0000u | 0x30 << 2 | 1, &ok),
			 0xbeef0000u | 0x30 << 2 | 3);
	assert_true(ok);
	assert_int_equal(intel_nvm_read(&nvm, 0x30), 0xbeef);

	before = nvm;
	assert_int_equal(intel_eewr(&nvm, &intel_eerd_82574, 0x11110000u | 0x30 << 2, &ok) & 2, 0);
	assert_true(ok);
	assert_memory_equal(&nvm, &before, sizeof(nvm)); /* no START, no write */
	assert_int_equal(intel_eewr(&nvm, &intel_eerd_82574, 0x11110000u | 0xfffd, &ok) & 2, 2);
	assert_false(ok);
	assert_memory_equal(&nvm, &before, sizeof(nvm));
}

static void saved_words_come_back_and_a_short_state_changes_nothing(void **state)
{
	struct intel_nvm nvm = filled(), other = { 0 };
	struct buffer out = { 0 };

	(void)state;
	intel_nvm_write(&nvm, 0x44, 0x4444);
	intel_nvm_save(&nvm, &out);
	struct reader whole = reader_of(out.data, out.length);
	assert_true(intel_nvm_load(&other, &whole));
	assert_true(reader_at_end(&whole));
	assert_memory_equal(&nvm, &other, sizeof(nvm));

	struct intel_nvm zero = { 0 }, target = { 0 };
	struct reader cut = reader_of(out.data, out.length - 1);
	assert_false(intel_nvm_load(&target, &cut));
	assert_memory_equal(&target, &zero, sizeof(zero));
	buffer_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filled_nvm_has_address_words_and_checksum),
		cmocka_unit_test(words_behind_the_array_read_erased_and_take_no_write),
		cmocka_unit_test(a_changed_word_breaks_the_sum_until_it_is_sealed),
		cmocka_unit_test(eerd_answers_in_both_layouts),
		cmocka_unit_test(eerd_without_start_is_not_done),
		cmocka_unit_test(eewr_stores_a_word_and_says_done_also_outside),
		cmocka_unit_test(saved_words_come_back_and_a_short_state_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
