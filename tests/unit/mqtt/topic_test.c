#include "unit/test.h"

#include <string.h>

#include "mqtt/topic.h"

static ht_err parse(const char *text, struct topic *out)
{
	return topic_parse(text, strlen(text), out);
}

static void test_every_leaf_round_trips(void **state)
{
	for (int leaf = 0; leaf < TOPIC_LEAF_COUNT; leaf++) {
		char text[TOPIC_MAX];
		struct topic t;

		topic_format("bat-xat-1", (enum topic_leaf)leaf, text);
		assert_ok(parse(text, &t));
		assert_string_equal(t.id, "bat-xat-1");
		assert_int_equal(t.leaf, leaf);
	}
}

static void test_the_longest_id_fits(void **state)
{
	char id[HT_ID_MAX + 2], text[TOPIC_MAX];
	struct topic t;

	memset(id, 'a', sizeof(id));
	id[HT_ID_MAX] = '\0';
	topic_format(id, TOPIC_PRESENCE, text);
	assert_ok(parse(text, &t));
	assert_string_equal(t.id, id);
}

static void test_server_has_presence_only(void **state)
{
	struct topic t;

	assert_ok(parse("hatang/v1/@server/presence", &t));
	assert_string_equal(t.id, TOPIC_SERVER_ID);
	assert_int_equal(parse("hatang/v1/@server/ack", &t), HT_MALFORMED);
	assert_int_equal(parse("hatang/v1/@other/presence", &t), HT_MALFORMED);
}

static void test_foreign_topics_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"hatang",
		"hatang/v1/",
		"hatang/v1/a",
		"hatang/v1/a/",
		"hatang/v1//data",
		"hatang/v2/a/data",
		"hatang/v1/a/data/",
		"hatang/v1/a/datax",
		"hatang/v1/a/dat",
		"hatang/v1/a/b/data",
		"hatang/v1/-a/data",
		"hatang/v1/a b/data",
		"hatang/v1/+/data",
		"Hatang/v1/a/data",
		"/hatang/v1/a/data",
		"hatang/v1/a/#",
		("hatang/v1/"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
		 "data"),
	};
	struct topic t = { .id = "untouched" };

	for (size_t i = 0; i < HT_COUNT(bad); i++)
		assert_int_equal(parse(bad[i], &t), HT_MALFORMED);
	assert_int_equal(topic_parse("hatang/v1/a\0b/data", 18, &t), HT_MALFORMED);
	assert_string_equal(t.id, "untouched");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_leaf_round_trips),
		cmocka_unit_test(test_the_longest_id_fits),
		cmocka_unit_test(test_server_has_presence_only),
		cmocka_unit_test(test_foreign_topics_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
