#include "unit/test.h"

#include <string.h>

#include "probes/wan/ping/icmp_packet.h"

/* An echo reply as a host sends it, with its IPv4 header (id 0x1234,
 * sequence 1, payload "abcdefgh"). */
static const uint8_t reply_v4[] = { 0x45, 0, 0, 36, 0, 1, 0, 0, 64, 1, 0, 0, 127, 0, 0, 1,
	127, 0, 0, 1, 0, 0, 0x5c, 0x35, 0x12, 0x34, 0, 1, 'a', 'b', 'c', 'd', 'e', 'f',
	'g', 'h' };

static void test_known_reply(void **state)
{
	struct icmp_echo e = { 0 };

	assert_ok(icmp_packet_parse(ICMP_V4, true, reply_v4, sizeof(reply_v4), &e));
	assert_int_equal(e.id, 0x1234);
	assert_int_equal(e.seq, 1);
	assert_true(e.cookie == UINT64_C(0x6162636465666768));
	/* without the header, as datagram sockets give it */
	assert_ok(
	    icmp_packet_parse(ICMP_V4, false, reply_v4 + 20, sizeof(reply_v4) - 20, &e));
}

static void test_every_cut_is_refused(void **state)
{
	struct icmp_echo e;

	for (size_t len = 0; len < sizeof(reply_v4); len++)
		assert_int_equal(
		    icmp_packet_parse(ICMP_V4, true, reply_v4, len, &e), HT_MALFORMED);
}

static void test_damage_and_other_types(void **state)
{
	uint8_t bytes[sizeof(reply_v4)];
	struct icmp_echo e;

	memcpy(bytes, reply_v4, sizeof(bytes));
	bytes[30] ^= 1;
	assert_int_equal(
	    icmp_packet_parse(ICMP_V4, true, bytes, sizeof(bytes), &e), HT_CORRUPT);
	memcpy(bytes, reply_v4, sizeof(bytes));
	bytes[20] = 8; /* a request: our own, looped back */
	assert_int_equal(
	    icmp_packet_parse(ICMP_V4, true, bytes, sizeof(bytes), &e), HT_UNSUPPORTED);
	bytes[9] = 17;
	assert_int_equal(
	    icmp_packet_parse(ICMP_V4, true, bytes, sizeof(bytes), &e), HT_UNSUPPORTED);
	bytes[0] = 0x4f; /* options that are not there */
	assert_int_equal(
	    icmp_packet_parse(ICMP_V4, true, bytes, sizeof(bytes), &e), HT_MALFORMED);
	bytes[0] = 0x44;
	assert_int_equal(
	    icmp_packet_parse(ICMP_V4, true, bytes, sizeof(bytes), &e), HT_MALFORMED);
}

static void test_requests_are_well_formed(void **state)
{
	const struct icmp_echo e = {
		.id = 7, .seq = 65535, .cookie = UINT64_C(0x0123456789abcdef)
	};
	uint8_t out[ICMP_PACKET_MAX];
	struct icmp_echo back = { 0 };

	for (size_t payload = ICMP_COOKIE; payload < ICMP_COOKIE + 3; payload++) {
		size_t len = icmp_packet_write(ICMP_V4, &e, payload, out);

		assert_int_equal(len, ICMP_HEAD + payload);
		assert_int_equal(icmp_packet_checksum(out, len), 0);
	}
	size_t len = icmp_packet_write(ICMP_V6, &e, ICMP_PAYLOAD_MAX, out);
	assert_int_equal(len, ICMP_PACKET_MAX);
	assert_int_equal(out[0], 128);
	out[0] = 129;
	assert_ok(icmp_packet_parse(ICMP_V6, false, out, len, &back));
	assert_int_equal(back.seq, 65535);
	assert_true(back.cookie == e.cookie);
}

/* What an ICMP error quotes of our request: the header at least, the cookie if possible.
 */
static void test_quotes(void **state)
{
	const struct icmp_echo e = { .id = 7, .seq = 300, .cookie = 11, .tag = 12 };
	uint8_t bytes[ICMP_HEAD + 32];

	for (int family = ICMP_V4; family <= ICMP_V6; family++) {
		size_t whole = icmp_packet_write((enum icmp_family)family, &e, 32, bytes);

		for (size_t len = 0; len <= whole; len++) {
			struct icmp_echo q = { 0 };
			ht_err err = icmp_packet_parse_quote(
			    (enum icmp_family)family, bytes, len, &q);

			if (len < ICMP_HEAD) {
				assert_int_equal(err, HT_MALFORMED);
				continue;
			}
			assert_ok(err);
			assert_int_equal(q.id, 7);
			assert_int_equal(q.seq, 300);
			assert_int_equal(q.payload, len - ICMP_HEAD);
			assert_int_equal(
			    q.cookie, len < ICMP_HEAD + ICMP_COOKIE ? 0 : 11);
		}
		bytes[0] ^= 1;
		struct icmp_echo q;
		assert_int_equal(
		    icmp_packet_parse_quote((enum icmp_family)family, bytes, whole, &q),
		    HT_UNSUPPORTED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_known_reply),
		cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_damage_and_other_types),
		cmocka_unit_test(test_requests_are_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
