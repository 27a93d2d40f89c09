#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/ingest/acks.h"

static struct acks a;

static int setup(void **state)
{
	acks_init(&a, "00112233445566ff");
	return 0;
}

static void expect(const char *ranges)
{
	struct ht_buf out;
	char want[400];

	snprintf(want, sizeof(want), "{\"epoch\":\"00112233445566ff\",\"ranges\":[%s]}",
	    ranges);
	ht_buf_init(&out, 65536);
	assert_ok(acks_encode(&a, &out));
	assert_string_equal(ht_buf_text(&out), want);
	ht_buf_fini(&out);
}

static void ranges_merge(void **state)
{
	assert_ok(acks_add(&a, 5));
	assert_ok(acks_add(&a, 7));
	expect("[5,5],[7,7]");
	assert_ok(acks_add(&a, 6));
	expect("[5,7]");
	assert_ok(acks_add(&a, 4));
	assert_ok(acks_add(&a, 6));
	assert_ok(acks_add(&a, 1));
	expect("[1,1],[4,7]");
	assert_ok(acks_add(&a, INT64_MAX));
	expect("[1,1],[4,7],[9223372036854775807,9223372036854775807]");
}

static void any_order_gives_the_same(void **state)
{
	unsigned seed = 3;
	int order[200];

	for (int i = 0; i < 200; i++)
		order[i] = i + 1;
	for (int i = 199; i > 0; i--) {
		int k = rand_r(&seed) % (i + 1), t = order[i];

		order[i] = order[k];
		order[k] = t;
	}
	for (int i = 0; i < 200; i++)
		assert_ok(acks_add(&a, order[i]));
	expect("[1,200]");
}

static void it_is_bounded(void **state)
{
	for (int i = 0; i < ACKS_RANGES_MAX; i++)
		assert_ok(acks_add(&a, 1 + 2 * i));
	assert_int_equal(acks_add(&a, 10000), HT_FULL);
	assert_int_equal(a.n, ACKS_RANGES_MAX);
	assert_ok(acks_add(&a, 2)); /* joins two */
	assert_ok(acks_add(&a, 10000));
}

static void a_conflict_asks_for_an_epoch(void **state)
{
	struct ht_buf out;

	assert_ok(acks_add(&a, 1));
	a.new_epoch = true;
	ht_buf_init(&out, 1000);
	assert_ok(acks_encode(&a, &out));
	assert_non_null(strstr(ht_buf_text(&out), "\"new_epoch\":true}"));
	ht_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ranges_merge, setup),
		cmocka_unit_test_setup(any_order_gives_the_same, setup),
		cmocka_unit_test_setup(it_is_bounded, setup),
		cmocka_unit_test_setup(a_conflict_asks_for_an_epoch, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
