/* The codecs again, with the n-th allocation failing: HT_NOMEM, nothing leaked (the
 * sanitizers' build tells), and outputs untouched. Linked with --wrap, so only what our
 * own code allocates fails. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/control.h"
#include "mqtt/senml.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static int left = -1; /* allocations until one fails; below 0: none does */

static bool fails(void)
{
	return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}
char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

/* Run `step` until no allocation is left to fail; it must have failed at least once. */
static void each_allocation(ht_err (*step)(void))
{
	int n = 0;

	for (;; n++) {
		left = n;
		ht_err err = step();
		bool reached = left < 0;

		left = -1;
		if (!reached) {
			assert_ok(err);
			break;
		}
		assert_int_equal(err, HT_NOMEM);
	}
	assert_true(n > 0);
}

static ht_err decode(enum senml_format format, const void *bytes, size_t len)
{
	struct senml_pack pack = { .n = 77 };
	ht_err err = senml_decode(format, bytes, len, &pack, NULL);

	if (err)
		assert_int_equal(pack.n, 77);
	else
		senml_pack_fini(&pack);
	return err;
}

static ht_err decode_json(void)
{
	static char text[16384];
	int n = snprintf(text, sizeof(text),
	    "[{\"bn\":\"agent/\",\"bu\":\"s\",\"n\":\"a/b/c\",\"v\":1}");

	/* Enough for the records and the arena to grow. */
	for (int i = 0; i < 40; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
		    ",{\"n\":\"a/b/c\",\"u\":\"m\",\"vs\":\"%0300d\"}", i);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "]");
	return decode(SENML_JSON, text, (size_t)n);
}

static ht_err decode_cbor(void)
{
	static const char text[] = "\x82\xa3\x21\x61"
				   "a"
				   "\x23\x61"
				   "s"
				   "\x02\x01\xa2\x00\x61"
				   "b"
				   "\x03\x61"
				   "x";

	return decode(SENML_CBOR, text, sizeof(text) - 1);
}

static ht_err encode(void)
{
	const struct senml_record r = {
		.name = "a/b/c", .kind = HT_STRING, .string = "text"
	};
	struct senml_encoder *e = NULL;
	struct ht_buf out;
	ht_err err = senml_encoder_new(SENML_CBOR, "agent/", &e);

	ht_buf_init(&out, SENML_PACK_MAX);
	for (int i = 0; !err && i < 100; i++) {
		size_t count = senml_encoder_count(e), bytes = senml_encoder_bytes(e);

		err = senml_encoder_put(e, &r);
		if (err) { /* as it was before */
			assert_int_equal(senml_encoder_count(e), count);
			assert_int_equal(senml_encoder_bytes(e), bytes);
		}
	}
	if (!err)
		err = senml_encoder_end(e, &out);
	senml_encoder_free(e);
	ht_buf_fini(&out);
	return err;
}

static ht_err ack(void)
{
	static const char text[] = "{\"epoch\":\"0123456789abcdef\",\"ranges\":[[1,2]]}";
	struct control_ack a = { 0 };
	ht_err err = control_ack_decode(text, sizeof(text) - 1, &a);

	control_ack_fini(&a);
	return err;
}

static ht_err reply(void)
{
	static const char text[] = "{\"id\":\"1\",\"ok\":true,\"text\":\"x\"}";
	struct control_reply r = { 0 };
	ht_err err = control_reply_decode(text, sizeof(text) - 1, &r);

	control_reply_fini(&r);
	return err;
}

static void test_decode_json(void **state)
{
	each_allocation(decode_json);
}
static void test_decode_cbor(void **state)
{
	each_allocation(decode_cbor);
}
static void test_encode(void **state)
{
	each_allocation(encode);
}
static void test_ack(void **state)
{
	each_allocation(ack);
}
static void test_reply(void **state)
{
	each_allocation(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode_json),
		cmocka_unit_test(test_decode_cbor),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_ack),
		cmocka_unit_test(test_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
