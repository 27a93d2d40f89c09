#include "unit/test.h"

#include <string.h>

#include "server/web/param.h"

static const char *const colours[] = { "red", "green", NULL };
static const struct param table[] = {
	{ .name = "id", .type = PARAM_ID, .required = true },
	{ .name = "text", .type = PARAM_TEXT, .max = 8 },
	{ .name = "n", .type = PARAM_INT, .min = -5, .max = 10 },
	{ .name = "at", .type = PARAM_TIME },
	{ .name = "yes", .type = PARAM_BOOL },
	{ .name = "colour", .type = PARAM_WORD, .words = colours, .nullable = true },
};

static ht_err query(const char *text, struct param_set *set, struct ht_fault *fault)
{
	return param_query(table, HT_COUNT(table), text, strlen(text), set, fault);
}

static ht_err json(const char *text, struct param_set *set, struct ht_fault *fault)
{
	return param_json(table, HT_COUNT(table), text, strlen(text), set, fault);
}

static void test_query(void **state)
{
	struct param_set set = { 0 };
	struct ht_fault fault = { 0 };

	(void)state;
	assert_ok(query("id=bat-xat&text=a%20b+%C3%A9&n=-5&at=2018-03-01T07:00:00%2B07:"
			"00&yes=true&colour=green",
	    &set, &fault));
	assert_string_equal(param_text(&set, "id"), "bat-xat");
	assert_string_equal(param_text(&set, "text"), "a b é");
	assert_int_equal(param_number(&set, "n", 99), -5);
	assert_int_equal(param_number(&set, "at", 0), INT64_C(1519862400000));
	assert_int_equal(param_number(&set, "yes", 0), 1);
	assert_int_equal(param_number(&set, "colour", 0), 1);
	param_set_fini(&set);

	assert_ok(query("id=x", &set, &fault));
	assert_null(param_text(&set, "text"));
	assert_false(param_given(&set, "n"));
	assert_int_equal(param_number(&set, "n", 99), 99);
	param_set_fini(&set);
}

/* Every fault names the parameter and says what to do. */
static void test_query_faults(void **state)
{
	static const struct {
		const char *query, *names;
	} rows[] = {
		{ "", "\"id\" is missing" },
		{ "id=x&id=y", "given twice" },
		{ "id=x&idd=y", "\"idd\": known here: id, text" },
		{ "id=x&n=11", "from -5 to 10" },
		{ "id=x&n=010", "from -5 to 10" },
		{ "id=x&n=9999999999999999999999", "from -5 to 10" },
		{ "id=x&text=123456789", "1 to 8 bytes" },
		{ "id=x&text=", "1 to 8 bytes" },
		{ "id=x&text=a%01", "control" },
		{ "id=x&at=yesterday", "RFC 3339" },
		{ "id=x&yes=maybe", "true or false" },
		{ "id=x&colour=blue", "red, green" },
		{ "id=a/b", "letters, digits" },
		{ "id=%", "bad escape" },
		{ "id=%4", "bad escape" },
		{ "id=%zz", "bad escape" },
		{ "id=a%00b", "bad escape" },
	};

	(void)state;
	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		struct param_set set = { 0 };
		struct ht_fault fault = { 0 };

		assert_int_equal(query(rows[i].query, &set, &fault), HT_INVALID);
		if (!strstr(fault.text, rows[i].names))
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].query,
			    fault.text, rows[i].names);
		assert_null(set.table);
	}
}

static void test_query_too_long(void **state)
{
	char text[PARAM_QUERY_MAX + 16];
	struct param_set set = { 0 };
	struct ht_fault fault;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(query(text, &set, &fault), HT_INVALID);
}

static void test_json(void **state)
{
	struct param_set set = { 0 };
	struct ht_fault fault = { 0 };

	(void)state;
	assert_ok(json(
	    " {\"id\":\"x\",\"n\":7,\"yes\":false,\"colour\":null}\n", &set, &fault));
	assert_string_equal(param_text(&set, "id"), "x");
	assert_int_equal(param_number(&set, "n", 0), 7);
	assert_true(param_given(&set, "yes"));
	assert_int_equal(param_number(&set, "yes", 1), 0);
	assert_false(param_given(&set, "colour"));
	param_set_fini(&set);
}

static void test_json_faults(void **state)
{
	static const struct {
		const char *json, *names;
	} rows[] = {
		{ "", "no JSON" },
		{ "{", "ends inside" },
		{ "[]", "one JSON object" },
		{ "{}", "\"id\" is missing" },
		{ "{\"id\":\"x\"} x", "no JSON" },
		{ "{\"id\":1}", "JSON string" },
		{ "{\"id\":\"x\",\"n\":\"7\"}", "JSON int" },
		{ "{\"id\":\"x\",\"n\":1.5}", "JSON int" },
		{ "{\"id\":\"x\",\"yes\":1}", "JSON boolean" },
		{ "{\"id\":null}", "is null" },
		{ "{\"id\":\"x\\u0000y\"}", "NUL" },
		{ "{\"id\":\"x\",\"what\":1}", "\"what\": known here" },
		{ "{\"id\":[[[[[[[[[[]]]]]]]]]]}", "no JSON" },
		{ "{\"id\":\"\xff\"}", "no JSON" },
		{ "{'id':'x'}", "no JSON" },
	};

	(void)state;
	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		struct param_set set = { 0 };
		struct ht_fault fault = { 0 };

		assert_int_equal(json(rows[i].json, &set, &fault), HT_INVALID);
		if (!strstr(fault.text, rows[i].names))
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].json,
			    fault.text, rows[i].names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_query_faults),
		cmocka_unit_test(test_query_too_long),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
