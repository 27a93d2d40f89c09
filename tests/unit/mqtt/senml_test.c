#include "unit/test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mqtt/senml.h"

static const struct senml_record samples[] = {
	{ .name = "icmp/wan/status",
	    .kind = HT_STRING,
	    .string = "ok",
	    .time_s = 1519887600.125 },
	{ .name = "icmp/wan/rtt_avg",
	    .unit = "s",
	    .kind = HT_NUMBER,
	    .number = 0.0123456789,
	    .time_s = 1519887600.125 },
	{ .name = "icmp/wan/sent",
	    .unit = "count",
	    .kind = HT_NUMBER,
	    .number = 5,
	    .time_s = 1519887600.25 },
	{ .name = "if/r1:1/in_octets",
	    .unit = "count",
	    .kind = HT_COUNTER,
	    .counter = UINT64_MAX,
	    .time_s = -3.5 },
	{ .name = "if/r1:1/out_octets",
	    .unit = "count",
	    .kind = HT_COUNTER,
	    .counter = 0 },
	{ .name = "mac/aa:bb:cc:dd:ee:ff/gateway", .kind = HT_BOOL, .boolean = true },
	{ .name = "x/y/small", .kind = HT_NUMBER, .number = DBL_TRUE_MIN },
	{ .name = "x/y/big", .kind = HT_NUMBER, .number = -DBL_MAX, .time_s = 1e9 },
	{ .name = "x/y/text",
	    .kind = HT_STRING,
	    .string = "WAN – VNPT \"50M\"\\\n\x01 Lào Cai",
	    .time_s = 1e9 },
	{ .name = "x/y/empty", .kind = HT_STRING, .string = "", .time_s = 1e9 },
};

static void same(const struct senml_record *a, const struct senml_record *b)
{
	assert_string_equal(a->unit ? a->unit : "-", b->unit ? b->unit : "-");
	assert_true(a->time_s == b->time_s);
	assert_int_equal(a->kind, b->kind);
	if (a->kind == HT_STRING)
		assert_string_equal(a->string, b->string);
	else if (a->kind == HT_BOOL)
		assert_int_equal(a->boolean, b->boolean);
	else
		assert_memory_equal(&a->counter, &b->counter, sizeof(a->counter));
}

static void round_trip(enum senml_format format)
{
	struct senml_encoder *e;
	struct senml_pack pack = { 0 };
	struct ht_fault fault;
	struct ht_buf out;

	ht_buf_init(&out, SENML_PACK_MAX);
	assert_ok(senml_encoder_new(format, "bat-xat-1/", &e));
	/* Twice: the encoder must begin afresh after its end. */
	for (int turn = 0; turn < 2; turn++) {
		ht_buf_reset(&out);
		for (size_t i = 0; i < HT_COUNT(samples); i++)
			assert_ok(senml_encoder_put(e, &samples[i]));
		assert_int_equal(senml_encoder_count(e), HT_COUNT(samples));
		size_t promised = senml_encoder_bytes(e);
		assert_ok(senml_encoder_end(e, &out));
		assert_int_equal(out.len, promised);
		assert_int_equal(senml_encoder_count(e), 0);
		if (senml_decode(format, out.data, out.len, &pack, &fault) != HT_OK)
			fail_msg("%s", fault.text);
		assert_int_equal(pack.n, HT_COUNT(samples));
		for (size_t i = 0; i < pack.n; i++) {
			char name[300];

			snprintf(name, sizeof(name), "bat-xat-1/%s", samples[i].name);
			assert_string_equal(pack.records[i].name, name);
			same(&pack.records[i], &samples[i]);
		}
		senml_pack_fini(&pack);
	}
	senml_encoder_free(e);
	ht_buf_fini(&out);
}

static void test_round_trip_cbor(void **state)
{
	round_trip(SENML_CBOR);
}
static void test_round_trip_json(void **state)
{
	round_trip(SENML_JSON);
}

static void fill(enum senml_format format, const char *text, size_t expect)
{
	struct senml_record r = { .name = "a/b/c", .kind = HT_STRING, .string = text };
	struct senml_encoder *e;
	struct senml_pack pack;
	struct ht_buf out;
	ht_err err;

	ht_buf_init(&out, SENML_PACK_MAX);
	assert_ok(senml_encoder_new(format, "agent/", &e));
	while (!(err = senml_encoder_put(e, &r)))
		assert_true(senml_encoder_bytes(e) <= SENML_PACK_MAX);
	assert_int_equal(err, HT_FULL);
	size_t n = senml_encoder_count(e);
	if (expect)
		assert_int_equal(n, expect);
	assert_ok(senml_encoder_end(e, &out));
	assert_ok(senml_decode(format, out.data, out.len, &pack, NULL));
	assert_int_equal(pack.n, n);
	senml_pack_fini(&pack);
	senml_encoder_free(e);
	ht_buf_fini(&out);
}

static void test_full_by_bytes_and_by_records(void **state)
{
	char kilobyte[1025];

	memset(kilobyte, 'k', 1024);
	kilobyte[1024] = '\0';
	fill(SENML_CBOR, kilobyte, 0);
	fill(SENML_JSON, kilobyte, 0);
	fill(SENML_CBOR, "", SENML_RECORDS_MAX);
}

static void test_encoder_refuses_what_cannot_be_read_back(void **state)
{
	static const struct senml_record bad[] = {
		{ .name = "a", .kind = HT_NUMBER, .number = NAN },
		{ .name = "a", .kind = HT_NUMBER, .number = INFINITY },
		{ .name = "a b", .kind = HT_BOOL },
		{ .name = "a", .kind = HT_STRING, .string = NULL },
		{ .name = "a", .kind = HT_STRING, .string = "\xff" },
		{ .name = "a", .kind = HT_BOOL, .time_s = NAN },
		{ .name = "a", .kind = HT_BOOL, .time_s = 1e11 },
		{ .name = "a", .unit = "", .kind = HT_BOOL },
		{ .name = "a", .unit = "m s", .kind = HT_BOOL },
		{ .name = "a", .kind = (enum ht_kind)9 },
	};
	struct senml_encoder *e;
	struct ht_buf out;

	ht_buf_init(&out, SENML_PACK_MAX);
	assert_int_equal(senml_encoder_new(SENML_CBOR, "/x", &e), HT_INVALID);
	assert_ok(senml_encoder_new(SENML_CBOR, "x/", &e));
	for (size_t i = 0; i < HT_COUNT(bad); i++)
		assert_int_equal(senml_encoder_put(e, &bad[i]), HT_INVALID);
	assert_int_equal(senml_encoder_count(e), 0);
	assert_int_equal(senml_encoder_end(e, &out), HT_INVALID);
	senml_encoder_free(e);
	senml_encoder_free(NULL);
}

static void test_a_full_output_keeps_the_records(void **state)
{
	struct senml_encoder *e;
	struct ht_buf tiny, out;

	ht_buf_init(&tiny, 4);
	ht_buf_init(&out, SENML_PACK_MAX);
	assert_ok(senml_encoder_new(SENML_JSON, "x/", &e));
	assert_ok(senml_encoder_put(e, &samples[0]));
	assert_int_equal(senml_encoder_end(e, &tiny), HT_TOOLARGE);
	assert_int_equal(senml_encoder_count(e), 1);
	assert_ok(senml_encoder_end(e, &out));
	senml_encoder_free(e);
	ht_buf_fini(&tiny);
	ht_buf_fini(&out);
}

static void test_content_types(void **state)
{
	enum senml_format f;

	assert_ok(senml_format_parse("application/senml+cbor", &f));
	assert_int_equal(f, SENML_CBOR);
	assert_ok(senml_format_parse("Application/SenML+JSON; charset=utf-8", &f));
	assert_int_equal(f, SENML_JSON);
	assert_int_equal(senml_format_parse("", &f), HT_UNSUPPORTED);
	assert_int_equal(senml_format_parse("application/json", &f), HT_UNSUPPORTED);
	assert_int_equal(
	    senml_format_parse("application/senml+cborx", &f), HT_UNSUPPORTED);
	assert_string_equal(senml_content_type(SENML_JSON), SENML_JSON_TYPE);
}

static void test_numbers_of_every_kind(void **state)
{
	double v;

	assert_true(
	    senml_number(&(struct senml_record){ .kind = HT_COUNTER, .counter = 7 }, &v));
	assert_true(v == 7);
	assert_true(senml_number(
	    &(struct senml_record){ .kind = HT_NUMBER, .number = -1.5 }, &v));
	assert_true(v == -1.5);
	assert_false(senml_number(&(struct senml_record){ .kind = HT_BOOL }, &v));
}

/* Names that have anything, something and nothing in common, in any order. */
static void test_shared_names_come_back(void **state)
{
	static const char *const names[] = { "reach/a/sent", "reach/a/received",
		"reach/a/", "reach/ab/sent", "reach", "reach/a/x/y", "a", "b",
		"reach/b/sent", "reach/b/received", "reach/" };
	enum { RECORDS = 400 };
	struct senml_encoder *e;
	struct senml_pack pack = { 0 };
	struct ht_fault fault;
	struct ht_buf out;
	unsigned seed = 1;
	size_t drawn[RECORDS];

	for (int format = SENML_CBOR; format <= SENML_JSON; format++) {
		assert_ok(senml_encoder_new((enum senml_format)format, "x-1/", &e));
		ht_buf_init(&out, SENML_PACK_MAX);
		for (size_t i = 0; i < RECORDS; i++) {
			seed = seed * 1103515245 + 12345;
			drawn[i] = (seed >> 16) % 3 && i ? drawn[i - 1]
							 : (seed >> 18) % HT_COUNT(names);
			const struct senml_record r = {
				.name = names[drawn[i]], .kind = HT_COUNTER, .counter = i
			};
			assert_ok(senml_encoder_put(e, &r));
		}
		assert_ok(senml_encoder_end(e, &out));
		if (senml_decode((enum senml_format)format, out.data, out.len, &pack,
			&fault) != HT_OK)
			fail_msg("%s", fault.text);
		assert_int_equal(pack.n, RECORDS);
		for (size_t i = 0; i < pack.n; i++) {
			assert_memory_equal(pack.records[i].name, "x-1/", 4);
			assert_string_equal(pack.records[i].name + 4, names[drawn[i]]);
			assert_int_equal(pack.records[i].counter, i);
		}
		senml_pack_fini(&pack);
		senml_encoder_free(e);
		ht_buf_fini(&out);
	}
}

/* The minute of a link, as a vantage sends 20,000 of them: what is the same is said once.
 */
static void test_a_minute_is_small(void **state)
{
	static const char *const quantities[] = { "sent", "received", "rtt-avg" };
	enum { LINKS = 100 };
	struct senml_encoder *e;
	char name[128];

	assert_ok(senml_encoder_new(SENML_CBOR, "lao-cai-core/", &e));
	for (int link = 0; link < LINKS; link++) {
		struct senml_record r = {
			.name = name, .time_s = 1.7e9 + link * 0.003, .kind = HT_NUMBER
		};

		for (size_t i = 0; i < HT_COUNT(quantities); i++) {
			snprintf(name, sizeof(name), "reach/xa-ta-van-%03d:wan/%s", link,
			    quantities[i]);
			r.unit = i < 2 ? "count" : "s";
			r.number = i < 2 ? 60 : (float)(0.0123 + link * 1e-5);
			assert_ok(senml_encoder_put(e, &r));
		}
		snprintf(
		    name, sizeof(name), "reach/xa-ta-van-%03d:wan/rtt-histogram", link);
		r.unit = NULL;
		r.kind = HT_STRING;
		r.string = "l8,69:4,70:31,71:20,72:3,85:1,90:1";
		assert_ok(senml_encoder_put(e, &r));
	}
	assert_in_range(senml_encoder_bytes(e) / LINKS, 100, 200);
	senml_encoder_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_cbor),
		cmocka_unit_test(test_round_trip_json),
		cmocka_unit_test(test_shared_names_come_back),
		cmocka_unit_test(test_a_minute_is_small),
		cmocka_unit_test(test_full_by_bytes_and_by_records),
		cmocka_unit_test(test_encoder_refuses_what_cannot_be_read_back),
		cmocka_unit_test(test_a_full_output_keeps_the_records),
		cmocka_unit_test(test_content_types),
		cmocka_unit_test(test_numbers_of_every_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
