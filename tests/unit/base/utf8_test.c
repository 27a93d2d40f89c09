/* base/utf8: against the arithmetic of the encoding, over every code point. */
#include "unit/test.h"

#include "base/utf8.h"

/* How RFC 3629 section 3 writes a code point. */
static size_t encode(uint32_t c, uint8_t out[static 4])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
	out[0] = (uint8_t)(lead[n] | c);
	return n;
}

static void test_every_code_point(void **state)
{
	uint8_t b[4];

	for (uint32_t c = 0; c < 0x110000; c++) {
		size_t n = encode(c, b);
		bool surrogate = c >= 0xd800 && c <= 0xdfff;
		bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);

		if (ht_utf8_len(b, n) != (surrogate ? 0 : n) ||
		    ht_utf8_letter(b, n) != (surrogate || control ? 0 : n))
			fail_msg("U+%04X", (unsigned)c);
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(ht_utf8_len(b, cut), 0);
	}
}

/* What is well-formed is exactly what the code points above give, so nothing else may be:
 * of three bytes every beginning is tried, of four the ones with a lead of four. */
static void test_nothing_else(void **state)
{
	size_t well = 0;

	for (uint32_t x = 0; x < 0x1000000; x++) {
		const uint8_t b[] = { (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x };

		well += ht_utf8_len(b, 3) == 3;
	}
	assert_int_equal(well, 0x10000 - 0x800 - 0x800);
	for (uint32_t x = 0, n = 0; x < 0x10000; x++) {
		const uint8_t b[] = { (uint8_t)(x >> 8), (uint8_t)x, 0x80, 0xbf };

		n += ht_utf8_len(b, 4) == 4;
		if (x == 0xffff)
			assert_int_equal(n, 0x100000 >> 12);
	}
}

static void test_texts(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool valid;
	} rows[] = {
		{ "", 0, true },
		{ "L\xc3\xa0o Cai", 8, true },
		{ "L\xc3", 2, false },
		{ "\x80", 1, false },
		{ "\xc0\x80", 2, false },         /* overlong */
		{ "\xed\xa0\x80", 3, false },     /* surrogate */
		{ "\xf4\x90\x80\x80", 4, false }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", 4, false },
		{ "a\0b", 3, true },
	};

	for (size_t i = 0; i < HT_COUNT(rows); i++)
		assert_int_equal(ht_utf8_valid(rows[i].text, rows[i].len), rows[i].valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_nothing_else),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
