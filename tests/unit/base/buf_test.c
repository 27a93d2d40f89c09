#include "unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/reader.h"

static void test_it_grows_to_its_ceiling(void **state)
{
	struct ht_buf b;

	ht_buf_init(&b, 1000);
	assert_string_equal(ht_buf_text(&b), "");
	for (int i = 0; i < 100; i++)
		ht_buf_puts(&b, "0123456789");
	assert_ok(ht_buf_err(&b));
	assert_int_equal(b.len, 1000);
	assert_int_equal(strlen(ht_buf_text(&b)), 1000);
	ht_buf_put(&b, "x", 1);
	assert_int_equal(ht_buf_err(&b), HT_TOOLARGE);
	assert_int_equal(b.len, 1000);
	ht_buf_fini(&b);
}

static void test_an_error_sticks_until_reset(void **state)
{
	struct ht_buf b;

	ht_buf_init(&b, 4);
	ht_buf_puts(&b, "ab");
	ht_buf_printf(&b, "%d", 12345);
	ht_buf_puts(&b, "c");
	assert_int_equal(ht_buf_err(&b), HT_TOOLARGE);
	assert_string_equal(ht_buf_text(&b), "ab");
	assert_null(ht_buf_steal(&b));
	ht_buf_reset(&b);
	assert_string_equal((const char *)b.data, "");
	ht_buf_printf(&b, "%s", "wxyz");
	assert_ok(ht_buf_err(&b));
	assert_string_equal(ht_buf_text(&b), "wxyz");
	ht_buf_fini(&b);
	ht_buf_fini(&b);
}

static void test_steal_leaves_it_empty(void **state)
{
	struct ht_buf b;
	char *text;

	ht_buf_init(&b, 10);
	text = ht_buf_steal(&b);
	assert_string_equal(text, "");
	free(text);
	ht_buf_put(&b, "a\0b", 3);
	text = ht_buf_steal(&b);
	assert_memory_equal(text, "a\0b", 4);
	assert_int_equal(b.len, 0);
	free(text);
	ht_buf_puts(&b, "again");
	assert_string_equal(ht_buf_text(&b), "again");
	ht_buf_fini(&b);
}

static void test_reader_is_bounded_and_sticky(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct ht_reader r = ht_reader_of(bytes, sizeof(bytes));

	assert_int_equal(ht_reader_u8(&r), 1);
	assert_int_equal(ht_reader_u16(&r), 0x0203);
	struct ht_reader sub = ht_reader_sub(&r, 2);
	assert_int_equal(ht_reader_u32(&sub), 0);
	assert_true(sub.bad);
	assert_int_equal(ht_reader_u16(&sub), 0); /* stays bad */
	assert_false(r.bad);
	assert_int_equal(ht_reader_left(&r), 3);
	assert_int_equal(ht_reader_u32(&r), 0);
	assert_true(r.bad);
	assert_int_equal(ht_reader_u8(&r), 0);
	assert_int_equal(ht_reader_left(&r), 0);
	struct ht_reader none = ht_reader_of(NULL, 0);
	assert_null(ht_reader_bytes(&none, SIZE_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_grows_to_its_ceiling),
		cmocka_unit_test(test_an_error_sticks_until_reset),
		cmocka_unit_test(test_steal_leaves_it_empty),
		cmocka_unit_test(test_reader_is_bounded_and_sticky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
