#include "unit/test.h"

#include <string.h>

#include "probes/wan/path/trace_packet.h"

static const struct trace_secret v4 = { .family = ICMP_V4,
	.id = 0x1234,
	.check = 0xbeef,
	.base = 0xfff0, /* wraps within the trace */
	.cookie = UINT64_C(0x0123456789abcdef) };
static const struct trace_secret v6 = { .family = ICMP_V6,
	.id = 0x1234,
	.check = 0xbeef,
	.base = 7,
	.cookie = UINT64_C(0xfedcba9876543210) };

/* To a router that hashes the first bytes, all packets of a trace are one flow. */
static void test_one_flow(void **state)
{
	uint8_t first[TRACE_ECHO], out[TRACE_ECHO];

	trace_packet_echo(&v4, 0, first);
	for (uint16_t no = 0; no < 256; no++) {
		trace_packet_echo(&v4, no, out);
		assert_memory_equal(out, first, 6); /* type, code, checksum, id */
		assert_int_equal(out[2] << 8 | out[3], v4.check);
		assert_int_equal(icmp_packet_checksum(out, sizeof(out)), 0);
		assert_int_equal(out[6] << 8 | out[7], (uint16_t)(v4.base + no));
	}
	/* IPv6: the kernel's sum goes over our bytes; they add up to the same. */
	trace_packet_echo(&v6, 0, first);
	uint16_t sum = icmp_packet_checksum(first, sizeof(first));

	for (uint16_t no = 0; no < 256; no++) {
		trace_packet_echo(&v6, no, out);
		assert_int_equal(icmp_packet_checksum(out, sizeof(out)), sum);
	}
}

/* However much a router quotes (eight bytes at least), and with what it appends. */
static void test_every_length_of_quote(void **state)
{
	uint8_t quote[576];
	uint16_t no = 0;

	for (size_t len = 0; len <= TRACE_ECHO; len++) {
		trace_packet_echo(&v4, 77, quote);
		ht_err err = trace_quote_echo(&v4, quote, len, &no);

		assert_int_equal(err, len < ICMP_HEAD ? HT_MALFORMED : HT_OK);
		if (!err)
			assert_int_equal(no, 77);
	}
	/* RFC 4884: eight bytes, zeros up to 128 of the datagram, an extension. */
	memset(quote, 0, sizeof(quote));
	memset(quote + 108, 0xe7, 40);
	trace_packet_echo(&v4, 78, quote);
	memset(quote + ICMP_HEAD, 0, TRACE_PAYLOAD);
	assert_ok(trace_quote_echo(&v4, quote, 148, &no));
	assert_int_equal(no, 78);
	trace_packet_echo(&v4, 79, quote); /* the whole of it, then the rest */
	assert_ok(trace_quote_echo(&v4, quote, 148, &no));
	assert_int_equal(no, 79);
	/* IPv6 quotes as much as there is (RFC 4443): less is not proof enough. */
	trace_packet_echo(&v6, 5, quote);
	assert_ok(trace_quote_echo(&v6, quote, TRACE_ECHO, &no));
	assert_int_equal(no, 5);
	assert_int_equal(trace_quote_echo(&v6, quote, ICMP_HEAD, &no), HT_DENIED);
}

static void test_forged_quotes(void **state)
{
	static const size_t matters[] = { 0, 1, 4, 5 }; /* type, code, id */
	uint8_t quote[TRACE_ECHO];
	uint16_t no = 0;

	for (size_t i = 0; i < HT_COUNT(matters); i++) {
		trace_packet_echo(&v4, 3, quote);
		quote[matters[i]] ^= 0x10;
		assert_int_equal(
		    trace_quote_echo(&v4, quote, sizeof(quote), &no), HT_UNSUPPORTED);
	}
	for (size_t i = 0; i < ICMP_COOKIE; i++) {
		trace_packet_echo(&v4, 3, quote);
		quote[ICMP_HEAD + i] ^= 1;
		assert_int_equal(
		    trace_quote_echo(&v4, quote, sizeof(quote), &no), HT_DENIED);
	}
	/* An address translator that changed the sum: the cookie speaks for it. But a
	 * header alone with another sum is somebody's guess. */
	trace_packet_echo(&v4, 3, quote);
	quote[2] ^= 1;
	assert_ok(trace_quote_echo(&v4, quote, sizeof(quote), &no));
	assert_int_equal(trace_quote_echo(&v4, quote, ICMP_HEAD, &no), HT_DENIED);
}

static void test_datagrams(void **state)
{
	uint8_t quote[200] = { 0 };
	uint16_t no = 0;

	trace_packet_datagram(&v4, 0x0102, quote);
	for (size_t len = 0; len <= TRACE_PAYLOAD; len++) {
		ht_err err = trace_quote_datagram(&v4, quote, len, &no);

		if (len == 0 || (len == 1 && quote[0] == 0))
			assert_int_equal(err, HT_NOTFOUND);
		else
			assert_int_equal(err, len < 10 ? HT_DENIED : HT_OK);
	}
	assert_int_equal(no, 0x0102);
	assert_ok(trace_quote_datagram(&v4, quote, sizeof(quote), &no));
	quote[3] ^= 1;
	assert_int_equal(trace_quote_datagram(&v4, quote, TRACE_PAYLOAD, &no), HT_DENIED);
	memset(quote, 0, sizeof(quote)); /* the router quoted eight bytes, and padded */
	assert_int_equal(
	    trace_quote_datagram(&v4, quote, sizeof(quote), &no), HT_NOTFOUND);
}

static void test_errors(void **state)
{
	assert_int_equal(trace_error_of(ICMP_V4, 11, 0), TRACE_ERROR_EXCEEDED);
	assert_int_equal(trace_error_of(ICMP_V4, 11, 1), TRACE_ERROR_OTHER);
	assert_int_equal(trace_error_of(ICMP_V4, 3, 13), TRACE_ERROR_UNREACHABLE);
	assert_int_equal(trace_error_of(ICMP_V4, 5, 0), TRACE_ERROR_OTHER);
	assert_int_equal(trace_error_of(ICMP_V6, 3, 0), TRACE_ERROR_EXCEEDED);
	assert_int_equal(trace_error_of(ICMP_V6, 1, 4), TRACE_ERROR_UNREACHABLE);
	assert_int_equal(trace_error_of(ICMP_V6, 2, 0), TRACE_ERROR_OTHER);
	assert_string_equal(
	    trace_error_words(ICMP_V4, 13), "administratively prohibited");
	assert_string_equal(trace_error_words(ICMP_V6, 0), "no route");
	for (unsigned code = 0; code < 256; code++) {
		assert_non_null(trace_error_words(ICMP_V4, (uint8_t)code));
		assert_non_null(trace_error_words(ICMP_V6, (uint8_t)code));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_flow),
		cmocka_unit_test(test_every_length_of_quote),
		cmocka_unit_test(test_forged_quotes),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
