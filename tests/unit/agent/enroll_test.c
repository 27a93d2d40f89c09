#include "unit/test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/enroll.h"

#define TOKEN "0123abcd.00112233445566778899aabbccddeeff.ffeeddccbbaa99887766554433221100"

static void a_token_names_its_authority(void **state)
{
	static const char *const bad[] = { "", "x",
		"0123abcd.00112233445566778899aabbccddeeff", TOKEN "0", TOKEN ".",
		" " TOKEN,
		"0123ABCD.00112233445566778899aabbccddeeff."
		"ffeeddccbbaa99887766554433221100",
		"0123abcd-00112233445566778899aabbccddeeff-"
		"ffeeddccbbaa99887766554433221100" };
	char ca[33];

	assert_ok(enroll_token_ca(TOKEN, ca));
	assert_string_equal(ca, "ffeeddccbbaa99887766554433221100");
	for (size_t i = 0; i < HT_COUNT(bad); i++)
		assert_int_equal(enroll_token_ca(bad[i], ca), HT_MALFORMED);
}

static void plain_http_is_for_this_machine_alone(void **state)
{
	static const struct {
		const char *url;
		ht_err err;
		const char *want;
	} cases[] = {
		{ "https://hatang.laocai.gov.vn", HT_OK, "https://hatang.laocai.gov.vn" },
		{ "https://hatang.laocai.gov.vn:8443/", HT_OK,
		    "https://hatang.laocai.gov.vn:8443" },
		{ "http://127.0.0.1:8080//", HT_OK, "http://127.0.0.1:8080" },
		{ "http://localhost", HT_OK, "http://localhost" },
		{ "http://[::1]:8080", HT_OK, "http://[::1]:8080" },
		{ "http://10.0.0.1", HT_DENIED, NULL },
		{ "http://localhost.evil.example", HT_DENIED, NULL },
		{ "http://127.0.0.1.evil.example/", HT_DENIED, NULL },
		{ "http://localhost@evil.example", HT_MALFORMED, NULL },
		{ "http://127.0.0.1:8080@evil.example", HT_MALFORMED, NULL },
		{ "hatang.laocai.gov.vn", HT_MALFORMED, NULL },
		{ "ftp://x", HT_MALFORMED, NULL },
		{ "https://", HT_MALFORMED, NULL },
	};
	char out[64];

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct ht_fault fault;
		assert_int_equal(
		    enroll_url(cases[i].url, out, sizeof(out), &fault), cases[i].err);
		if (cases[i].want)
			assert_string_equal(out, cases[i].want);
	}
	assert_int_equal(
	    enroll_url("https://hatang.laocai.gov.vn", out, 10, NULL), HT_MALFORMED);
}

static void only_the_token_s_authority_is_believed(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	unsigned char digest[32];
	char hex[65], *bytes;
	struct ht_fault fault;

	X509_set_pubkey(cert, key);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 60);
	assert_true(X509_sign(cert, key, EVP_sha256()));
	assert_true(X509_digest(cert, EVP_sha256(), digest, NULL));
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	hex[32] = '\0';
	BIO *bio = BIO_new(BIO_s_mem());
	assert_true(PEM_write_bio_X509(bio, cert));
	long len = BIO_get_mem_data(bio, &bytes);
	char *pem = strndup(bytes, (size_t)len);

	assert_ok(enroll_ca_check(pem, hex, &fault));
	hex[31] = hex[31] == '0' ? '1' : '0';
	assert_int_equal(enroll_ca_check(pem, hex, &fault), HT_DENIED);
	assert_non_null(strstr(fault.text, "not the one that made the token"));
	assert_int_equal(enroll_ca_check("<html>", hex, &fault), HT_MALFORMED);
	free(pem);
	BIO_free(bio);
	X509_free(cert);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_names_its_authority),
		cmocka_unit_test(plain_http_is_for_this_machine_alone),
		cmocka_unit_test(only_the_token_s_authority_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
