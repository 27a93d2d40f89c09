#include "unit/test.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/senml.h"

#define BYTES(text) (text), sizeof(text) - 1

/* RFC 8428, 6: the example of section 5.1.2 with its first two records, in CBOR. */
static void test_a_stranger_s_pack(void **state)
{
	static const char text[] = "\x82\xa6"
				   "\x21\x61"
				   "d"
				   "\x22\xfb\x41\xd3\x03\xa1\x5b\x00\x10\x62"
				   "\x23\x61"
				   "A"
				   "\x20\x05"
				   "\x00\x67"
				   "voltage"
				   "\x02\xfb\x40\x5e\x06\x66\x66\x66\x66\x66"
				   "\xa3\x00\x67"
				   "current"
				   "\x06\x24\x02\xf9\x3c\x00";
	struct senml_pack p = { 0 };
	struct ht_fault fault;

	if (senml_decode(SENML_CBOR, BYTES(text), &p, &fault) != HT_OK)
		fail_msg("%s", fault.text);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.records[0].name, "dvoltage");
	assert_string_equal(p.records[0].unit, "A");
	assert_true(p.records[0].number == 120.1);
	assert_true(p.records[1].time_s == p.records[0].time_s - 5);
	assert_true(p.records[1].number == 1.0); /* a half float */
	senml_pack_fini(&p);
}

static void test_indefinite_lengths_and_text_labels(void **state)
{
	static const char text[] = "\x9f\xbf\x61n\x61"
				   "a"
				   "\x61v\x1b\xff\xff\xff\xff\xff\xff\xff\xff"
				   "\x65"
				   "extra\xc1\x9f\x01\xa1\x01\x02\x7f\x61x\xff\xff"
				   "\xff\xff";
	struct senml_pack p = { 0 };
	struct ht_fault fault;

	if (senml_decode(SENML_CBOR, BYTES(text), &p, &fault) != HT_OK)
		fail_msg("%s", fault.text);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.records[0].kind, HT_COUNTER);
	assert_true(p.records[0].counter == UINT64_MAX);
	senml_pack_fini(&p);
}

static void test_negative_integers(void **state)
{
	static const char text[] = "\x82\xa2\x00\x61"
				   "a"
				   "\x02\x24"
				   "\xa2\x00\x61"
				   "a"
				   "\x02\x3b\xff\xff\xff\xff\xff\xff\xff\xff";
	struct senml_pack p = { 0 };

	assert_ok(senml_decode(SENML_CBOR, BYTES(text), &p, NULL));
	assert_int_equal(p.records[0].kind, HT_NUMBER);
	assert_true(p.records[0].number == -5);
	assert_true(p.records[1].number == -18446744073709551616.0);
	senml_pack_fini(&p);
}

static void test_refusals(void **state)
{
	static const struct {
		ht_err err;
		const char *bytes;
		size_t len;
	} cases[] = {
		{ HT_MALFORMED, BYTES("") },
		{ HT_MALFORMED, BYTES("\x80") },
		{ HT_MALFORMED, BYTES("\xa0") },
		{ HT_MALFORMED, BYTES("\x81\xa0") },
		{ HT_MALFORMED, BYTES("\x81\x01") },
		{ HT_MALFORMED, BYTES("\x81\xa2\x00\x61"
				      "a"
				      "\x02") },
		{ HT_MALFORMED, BYTES("\x81\xa2\x00\x61"
				      "a"
				      "\x02\x01\x00") },
		{ HT_MALFORMED, BYTES("\x81\xa2\x00\x61"
				      "a"
				      "\x02\xff") },
		{ HT_MALFORMED, BYTES("\xff") },
		{ HT_MALFORMED, BYTES("\x81\xff") },
		{ HT_MALFORMED, BYTES("\x81\xa3\x00\x61"
				      "a"
				      "\x02\x01\x02\x01") }, /* v twice */
		{ HT_MALFORMED, BYTES("\x81\xa3\x00\x61"
				      "a"
				      "\x61v\x01\x02\x01") }, /* also */
		{ HT_MALFORMED, BYTES("\x81\xa2\x00\x41"
				      "a"
				      "\x02\x01") }, /* name in bytes */
		{ HT_MALFORMED, BYTES("\x81\xa2\x00\x61"
				      "a"
				      "\x02\xf6") }, /* null */
		{ HT_MALFORMED, BYTES("\x81\xa2\x00\x61"
				      "a"
				      "\x02\xf9\x7e\x00") }, /* NaN */
		{ HT_MALFORMED, BYTES("\x81\xa2\x00\x61"
				      "a"
				      "\x02\xfa\x7f\x80\x00\x00") }, /* inf */
		{ HT_MALFORMED, BYTES("\x81\xa2\x00\x61"
				      "a"
				      "\x03\x61\xff") }, /* no UTF-8 */
		{ HT_MALFORMED, BYTES("\x81\xa2\x00\x61"
				      "a"
				      "\x03\x61\x00") }, /* NUL */
		{ HT_MALFORMED, BYTES("\x81\xa3\x00\x61"
				      "a"
				      "\x02\x01\x80\x01") }, /* label a list */
		{ HT_UNSUPPORTED, BYTES("\x81\xa2\x00\x61"
					"a"
					"\x02\xc4\x82\x20\x18\x1b") },
		{ HT_UNSUPPORTED, BYTES("\x81\xa2\x00\x7f\x61"
					"a"
					"\xff\x02\x01") },
		{ HT_UNSUPPORTED, BYTES("\x81\xa3\x00\x61"
					"a"
					"\x02\x01\x62x_\x01") },
		{ HT_UNSUPPORTED, BYTES("\x81\xa3\x00\x61"
					"a"
					"\x02\x01\x20\x0b") },
		{ HT_UNSUPPORTED, BYTES("\x81\xa2\x00\x61"
					"a"
					"\x08\x61x") },
	};
	struct senml_pack pack = { .n = 77 };

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct ht_fault fault = { 0 };
		ht_err err =
		    senml_decode(SENML_CBOR, cases[i].bytes, cases[i].len, &pack, &fault);

		if (err != cases[i].err)
			fail_msg(
			    "case %zu: got %s (%s)", i, ht_err_name(err), fault.text);
		assert_true(fault.text[0] != '\0');
		assert_int_equal(pack.n, 77);
	}
}

/* What the heap holds, and what it has mapped apart; musl does not tell. */
#ifdef __GLIBC__
static size_t held(void)
{
	return mallinfo2().uordblks;
}

static size_t mapped(void)
{
	return mallinfo2().hblkhd;
}
#else
static size_t held(void)
{
	return 0;
}

static size_t mapped(void)
{
	return 0;
}
#endif

/* Headers that promise 2^32 to 2^64 items or bytes must cost nothing. */
static void test_promises_cost_nothing(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ BYTES("\x9b\xff\xff\xff\xff\xff\xff\xff\xff") },
		{ BYTES("\x9b\xff\xff\xff\xff\xff\xff\xff\xff\xa2\x00\x61"
			"a"
			"\x02\x01") },
		{ BYTES("\x9a\x7f\xff\xff\xff") },
		{ BYTES("\x81\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x00\x61"
			"a") },
		{ BYTES("\x81\xbb\x7f\xff\xff\xff\xff\xff\xff\xff") },
		{ BYTES("\x81\xa2\x00\x7b\xff\xff\xff\xff\xff\xff\xff\xff"
			"a") },
		{ BYTES("\x81\xa2\x00\x7a\x7f\xff\xff\xff"
			"a") },
		{ BYTES("\x81\xa3\x00\x61"
			"a"
			"\x02\x01\x0a\x5b\xff\xff\xff\xff\xff\xff\xff\xf0"
			"a") },
		{ BYTES("\x81\xa3\x00\x61"
			"a"
			"\x02\x01\x0a\x9b\x00\xff\xff\xff\xff\xff\xff\xf0"
			"a") },
	};
	size_t before = held();

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct senml_pack pack = { 0 };

		assert_int_equal(
		    senml_decode(SENML_CBOR, cases[i].bytes, cases[i].len, &pack, NULL),
		    HT_MALFORMED);
	}
	assert_true(held() <= before + 65536);
	assert_true(mapped() < (size_t)64 << 20);
}

static void test_depth_is_bounded(void **state)
{
	static const uint8_t nests[] = { 0x81, 0x9f, 0xc1, 0xbf };
	size_t len = SENML_PACK_MAX;
	uint8_t *bytes = malloc(len);

	for (size_t i = 0; i < HT_COUNT(nests); i++) {
		struct senml_pack pack = { 0 };

		/* A record whose unknown field is nested 65,000 times. */
		memset(bytes, nests[i], len);
		memcpy(bytes, "\x81\xa2\x0a", 3);
		assert_int_equal(
		    senml_decode(SENML_CBOR, bytes, len, &pack, NULL), HT_MALFORMED);
	}
	free(bytes);
}

static void test_pack_bounds(void **state)
{
	static const char record[] = "\xa2\x00\x61"
				     "a"
				     "\x02\x01";
	struct ht_buf b;
	struct senml_pack pack = { 0 };

	ht_buf_init(&b, 1 << 20);
	ht_buf_put(&b, "\x9f", 1);
	for (int i = 0; i < SENML_RECORDS_MAX; i++)
		ht_buf_put(&b, record, sizeof(record) - 1);
	ht_buf_put(&b, "\xff", 1);
	assert_ok(senml_decode(SENML_CBOR, b.data, b.len, &pack, NULL));
	assert_int_equal(pack.n, SENML_RECORDS_MAX);
	senml_pack_fini(&pack);
	b.len--;
	ht_buf_put(&b, record, sizeof(record) - 1);
	ht_buf_put(&b, "\xff", 1);
	assert_int_equal(
	    senml_decode(SENML_CBOR, b.data, b.len, &pack, NULL), HT_TOOLARGE);
	while (b.len <= SENML_PACK_MAX)
		ht_buf_put(&b, record, sizeof(record) - 1);
	assert_int_equal(
	    senml_decode(SENML_CBOR, b.data, b.len, &pack, NULL), HT_TOOLARGE);
	ht_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stranger_s_pack),
		cmocka_unit_test(test_indefinite_lengths_and_text_labels),
		cmocka_unit_test(test_negative_integers),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_promises_cost_nothing),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_pack_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
