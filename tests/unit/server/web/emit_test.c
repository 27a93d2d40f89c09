#include "unit/test.h"

#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "server/web/emit.h"

static struct ht_buf out;
static struct emit e;

static int setup(void **state)
{
	(void)state;
	ht_buf_init(&out, 1 << 20);
	emit_init(&e, &out);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ht_buf_fini(&out);
	return 0;
}

static void test_nesting_and_commas(void **state)
{
	(void)state;
	emit_object(&e, NULL);
	emit_list(&e, "a");
	emit_end_list(&e);
	emit_list(&e, "b");
	emit_int(&e, NULL, -1);
	emit_object(&e, NULL);
	emit_end_object(&e);
	emit_null(&e, NULL);
	emit_end_list(&e);
	emit_bool(&e, "c", true);
	emit_end_object(&e);
	assert_ok(ht_buf_err(&out));
	assert_string_equal(
	    ht_buf_text(&out), "{\"a\":[],\"b\":[-1,{},null],\"c\":true}");
}

static void test_text_is_escaped(void **state)
{
	(void)state;
	emit_text(&e, NULL, "a\"b\\c\n\t\r\b\f\x01\x7f/é");
	assert_string_equal(
	    ht_buf_text(&out), "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001\\u007f/é\"");
}

static void test_no_utf8_becomes_replacement(void **state)
{
	/* Lone continuation, overlong "/", surrogate, above U+10FFFF, cut at the end. */
	static const char *const bad[] = { "\x80", "\xc0\xaf", "\xed\xa0\x80",
		"\xf5\x80\x80\x80", "\xe1\xbb" };

	(void)state;
	for (size_t i = 0; i < HT_COUNT(bad); i++) {
		ht_buf_reset(&out);
		emit_init(&e, &out);
		emit_text(&e, NULL, bad[i]);
		for (const char *p = ht_buf_text(&out) + 1; *p != '"'; p += 3)
			assert_memory_equal(p, "\xef\xbf\xbd", 3);
	}
}

/* Every text, however odd, reads back as JSON: all one- and two-byte strings. */
static void test_every_byte_reads_back(void **state)
{
	(void)state;
	for (int a = 1; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			char text[3] = { (char)a, (char)b, '\0' };

			ht_buf_reset(&out);
			emit_init(&e, &out);
			emit_text(&e, NULL, text);
			struct json_tokener *tok = json_tokener_new();
			json_tokener_set_flags(
			    tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
			struct json_object *o = json_tokener_parse_ex(
			    tok, ht_buf_text(&out), (int)out.len + 1);
			assert_non_null(o);
			if (a < 0x80 && b < 0x80)
				assert_string_equal(json_object_get_string(o), text);
			json_object_put(o);
			json_tokener_free(tok);
		}
	}
}

static void test_numbers(void **state)
{
	(void)state;
	emit_list(&e, NULL);
	emit_double(&e, NULL, 0.1);
	emit_double(&e, NULL, 1.0 / 3);
	emit_double(&e, NULL, NAN);
	emit_double(&e, NULL, INFINITY);
	emit_double(&e, NULL, 1e300);
	emit_uint(&e, NULL, UINT64_MAX);
	emit_int(&e, NULL, INT64_MIN);
	emit_end_list(&e);
	assert_string_equal(ht_buf_text(&out),
	    "[0.1,0.33333333333333331,null,null,1e+300,"
	    "18446744073709551615,-9223372036854775808]");
}

static void test_time(void **state)
{
	(void)state;
	emit_object(&e, NULL);
	emit_time(&e, "t", INT64_C(1519887600000));
	emit_time(&e, "u", INT64_MIN);
	emit_end_object(&e);
	assert_string_equal(
	    ht_buf_text(&out), "{\"t\":\"2018-03-01T07:00:00.000Z\",\"u\":null}");
}

static void test_stored_json_is_checked(void **state)
{
	(void)state;
	emit_list(&e, NULL);
	emit_stored(&e, NULL, "[1, 2]");
	emit_stored(&e, NULL, "[1,");
	emit_stored(&e, NULL, NULL);
	emit_end_list(&e);
	assert_string_equal(ht_buf_text(&out), "[[1,2],null,null]");
}

static void test_full_buffer_is_told(void **state)
{
	(void)state;
	ht_buf_fini(&out);
	ht_buf_init(&out, 8);
	emit_text(&e, NULL, "more than eight bytes");
	assert_int_equal(ht_buf_err(&out), HT_TOOLARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nesting_and_commas, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text_is_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_no_utf8_becomes_replacement, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_every_byte_reads_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_stored_json_is_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_full_buffer_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
