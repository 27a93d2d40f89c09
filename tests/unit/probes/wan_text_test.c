/* The pure parts of http: addresses, the search in a stream, text of strangers. */
#include "unit/test.h"

#include <stdio.h>
#include <string.h>

#include "probes/wan/clean.h"
#include "probes/wan/service/http_options.h"
#include "probes/wan/service/text_search.h"
#include "probes/wan/service/url.h"

static void test_urls(void **state)
{
	static const struct {
		const char *text, *host, *shown;
		uint16_t port;
		bool https, has_user;
	} good[] = {
		{ "http://Portal.vn", "portal.vn", "http://Portal.vn/", 80, false,
		    false },
		{ "https://a.vn:8443/x/y?token=1#part", "a.vn", "https://a.vn:8443/x/y",
		    8443, true, false },
		{ "http://me:pw@a.vn/x", "a.vn", "http://a.vn/x", 80, false, true },
		{ "http://[2001:DB8::1]:81/", "2001:db8::1", "http://[2001:DB8::1]:81/",
		    81, false, false },
	};
	static const struct {
		const char *text;
		ht_err err;
	} bad[] = {
		{ "ftp://a.vn/", HT_UNSUPPORTED },
		{ "file:///etc/passwd", HT_UNSUPPORTED },
		{ "http://", HT_MALFORMED },
		{ "http://a b/", HT_MALFORMED },
		{ "http://a.vn:99999/", HT_MALFORMED },
		{ "http://a\nb/", HT_MALFORMED },
		{ "/x", HT_MALFORMED },
		{ "http://c\xe1\xbb\x95ng.vn/", HT_MALFORMED },
	};
	struct url u, v;

	for (size_t i = 0; i < HT_COUNT(good); i++) {
		assert_ok(url_parse(good[i].text, &u));
		assert_string_equal(u.host, good[i].host);
		assert_string_equal(u.shown, good[i].shown);
		assert_int_equal(u.port, good[i].port);
		assert_int_equal(u.https, good[i].https);
		assert_int_equal(u.has_user, good[i].has_user);
		assert_null(strstr(u.text, "pw"));
	}
	for (size_t i = 0; i < HT_COUNT(bad); i++) {
		ht_err err = url_parse(bad[i].text, &u);

		assert_true(err == bad[i].err);
	}
	assert_ok(url_parse("https://a.vn/x", &u));
	assert_ok(url_parse("https://A.vn:443/y", &v));
	assert_true(url_same_origin(&u, &v));
	assert_ok(url_parse("http://a.vn:443/y", &v));
	assert_false(url_same_origin(&u, &v));
}

static void test_a_text_is_found_across_pieces(void **state)
{
	const char *stream = "xxabababcab";
	struct text_search s;

	for (size_t cut = 0; cut <= strlen(stream); cut++) {
		text_search_init(&s, "ababc", 5);
		text_search_feed(&s, stream, cut);
		text_search_feed(&s, stream + cut, strlen(stream) - cut);
		assert_true(s.found);
		text_search_init(&s, "ababb", 5);
		text_search_feed(&s, stream, cut);
		text_search_feed(&s, stream + cut, strlen(stream) - cut);
		assert_false(s.found);
	}
}

static void test_text_of_strangers(void **state)
{
	char out[16];

	clean_copy("Lào\n\xff\xc3", 7, out, sizeof(out));
	assert_string_equal(out, "Lào???");
	clean_copy("abcdefghijklmn\xc3\xa0", 16, out, sizeof(out)); /* no half letters */
	assert_string_equal(out, "abcdefghijklmn");
	clean_copy("\xed\xa0\x80|\xc2\x9b|\0|", 8, out, sizeof(out)); /* a surrogate */
	assert_string_equal(out, "???|??|?");
}

static void test_ranges_of_codes(void **state)
{
	assert_true(http_code_within("200", 200) && !http_code_within("200", 201));
	assert_true(http_code_within("2XX", 299) && !http_code_within("2xx", 300));
	assert_true(
	    http_code_within("200-302", 302) && !http_code_within("200-302", 303));
	assert_false(http_range_valid("20") || http_range_valid("302-200"));
	assert_false(http_range_valid("6xx") || http_range_valid("200-") ||
		     http_range_valid("") || http_range_valid("2x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_a_text_is_found_across_pieces),
		cmocka_unit_test(test_text_of_strangers),
		cmocka_unit_test(test_ranges_of_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
