#include "unit/test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "server/registry/ca.h"

#define NOW_MS INT64_C(1519887600000) /* 2018-03-01T07:00:00Z */
#define DAY_MS INT64_C(86400000)

static char dir[] = "/tmp/hatang-ca-XXXXXX";

static const char *in_dir(const char *name)
{
	static char paths[4][256];
	static size_t next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static struct ca *open_ca(void)
{
	struct ca *ca = NULL;
	struct ht_fault fault = { 0 };

	if (ca_open(dir, NOW_MS, &ca, &fault))
		fail_msg("%s", fault.text);
	return ca;
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "ca.key", "ca.crt", "b.key", "b.pem",
		"crl.pem" };

	for (size_t i = 0; i < HT_COUNT(names); i++)
		unlink(in_dir(names[i]));
	return rmdir(dir);
}

/* A request for `common_name`, with extensions that ask to be an authority. */
static char *make_request(EVP_PKEY *key, const char *common_name, bool spoil)
{
	X509_REQ *req = X509_REQ_new();
	X509_EXTENSIONS *wishes = sk_X509_EXTENSION_new_null();
	char *bytes, *text;

	sk_X509_EXTENSION_push(wishes,
	    X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE"));
	sk_X509_EXTENSION_push(wishes,
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:broker.example"));
	X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8,
	    (const unsigned char *)common_name, -1, -1, 0);
	assert_true(X509_REQ_add_extensions(req, wishes));
	assert_true(X509_REQ_set_pubkey(req, key));
	assert_true(X509_REQ_sign(req, key, EVP_sha256()));
	if (spoil) /* another subject than was signed */
		X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "O",
		    MBSTRING_UTF8, (const unsigned char *)"x", -1, -1, 0);
	BIO *bio = BIO_new(BIO_s_mem());
	assert_true(PEM_write_bio_X509_REQ(bio, req));
	long len = BIO_get_mem_data(bio, &bytes);
	text = strndup(bytes, (size_t)len);
	BIO_free(bio);
	sk_X509_EXTENSION_pop_free(wishes, X509_EXTENSION_free);
	X509_REQ_free(req);
	return text;
}

static X509 *parse(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(cert);
	return cert;
}

static int verify(const struct ca *ca, X509 *cert, int purpose, X509_CRL *crl)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *root = parse(ca_pem(ca));

	X509_STORE_add_cert(store, root);
	if (crl) {
		X509_STORE_add_crl(store, crl);
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	}
	X509_STORE_CTX_init(ctx, store, cert, NULL);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), NOW_MS / 1000);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	int ok = X509_verify_cert(ctx);
	int code = ok == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(root);
	return code;
}

static struct ca_cert sign(const struct ca *ca, const char *agent, const char *asked)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *csr = make_request(key, asked, false);
	struct ca_cert cert = { 0 };

	assert_ok(ca_sign(ca, csr, strlen(csr), agent, NOW_MS, &cert, NULL));
	free(csr);
	EVP_PKEY_free(key);
	return cert;
}

static void the_root_is_made_once_and_its_key_is_private(void **state)
{
	struct ca *ca = open_ca();
	struct stat st;
	char hash[CA_HASH_HEX + 1];

	assert_int_equal(strlen(ca_hash(ca)), CA_HASH_HEX);
	memcpy(hash, ca_hash(ca), sizeof(hash));
	ca_close(ca);
	assert_int_equal(stat(in_dir("ca.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	ca = open_ca();
	assert_string_equal(ca_hash(ca), hash);
	ca_close(ca);
}

static void a_lost_key_never_makes_another_root(void **state)
{
	struct ca *ca = open_ca();
	struct ht_fault fault;

	ca_close(ca);
	assert_int_equal(rename(in_dir("ca.key"), in_dir("b.key")), 0);
	assert_int_equal(ca_open(dir, NOW_MS, &ca, &fault), HT_CORRUPT);
	assert_non_null(strstr(fault.text, "ca.key"));
	assert_int_equal(rename(in_dir("b.key"), in_dir("ca.key")), 0);
}

static void only_the_key_of_a_request_is_taken(void **state)
{
	struct ca *ca = open_ca();
	struct ca_cert cert = sign(ca, "bat-xat-1", "@server");
	X509 *leaf = parse(cert.pem);
	char name[64];

	X509_NAME_get_text_by_NID(
	    X509_get_subject_name(leaf), NID_commonName, name, sizeof(name));
	assert_string_equal(name, "bat-xat-1");
	assert_int_equal(X509_check_ca(leaf), 0);
	assert_null(X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL));
	assert_int_equal(verify(ca, leaf, X509_PURPOSE_SSL_CLIENT, NULL), X509_V_OK);
	assert_int_not_equal(verify(ca, leaf, X509_PURPOSE_SSL_SERVER, NULL), X509_V_OK);
	assert_int_equal(strlen(cert.serial), CA_SERIAL_HEX);
	assert_int_equal(cert.not_before_ms, NOW_MS - CA_BACKDATE_S * 1000);
	assert_int_equal(cert.not_after_ms, NOW_MS + CA_AGENT_DAYS * DAY_MS);
	X509_free(leaf);
	ca_cert_fini(&cert);
	ca_close(ca);
}

static void bad_requests_are_refused(void **state)
{
	struct ca *ca = open_ca();
	struct ca_cert cert = { 0 };
	EVP_PKEY *small = EVP_RSA_gen(1024), *curve = EVP_EC_gen("secp256k1"),
		 *good = EVP_EC_gen("P-256");
	char *weak = make_request(small, "a", false),
	     *odd = make_request(curve, "a", false);
	char *forged = make_request(good, "a", true),
	     *fine = make_request(good, "a", false);

	assert_int_equal(
	    ca_sign(ca, weak, strlen(weak), "a", NOW_MS, &cert, NULL), HT_UNSUPPORTED);
	assert_int_equal(
	    ca_sign(ca, odd, strlen(odd), "a", NOW_MS, &cert, NULL), HT_UNSUPPORTED);
	assert_int_equal(
	    ca_sign(ca, forged, strlen(forged), "a", NOW_MS, &cert, NULL), HT_DENIED);
	assert_int_equal(ca_sign(ca, "hello", 5, "a", NOW_MS, &cert, NULL), HT_MALFORMED);
	assert_int_equal(
	    ca_sign(ca, fine, strlen(fine) / 2, "a", NOW_MS, &cert, NULL), HT_MALFORMED);
	assert_int_equal(
	    ca_sign(ca, fine, strlen(fine), "@server", NOW_MS, &cert, NULL), HT_INVALID);
	assert_null(cert.pem);
	free(weak);
	free(odd);
	free(forged);
	free(fine);
	EVP_PKEY_free(small);
	EVP_PKEY_free(curve);
	EVP_PKEY_free(good);
	ca_close(ca);
}

static bool keep(const struct ca *ca, const char *const *names, size_t n, int64_t now_ms)
{
	struct ht_fault fault = { 0 };
	bool made = false;

	if (ca_keep_part(ca, CA_SERVER, "broker", names, n, in_dir("b.pem"),
		in_dir("b.key"), now_ms, &made, &fault))
		fail_msg("%s", fault.text);
	return made;
}

static void a_part_is_renewed_when_it_must_be(void **state)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1",
		"a,DNS:evil" };
	struct ca *ca = open_ca();
	char *pem;
	size_t len;

	assert_true(keep(ca, names, 4, NOW_MS));
	assert_false(keep(ca, names, 4, NOW_MS + DAY_MS));
	assert_true(keep(ca, names, 3, NOW_MS));
	assert_false(keep(ca, names, 3, NOW_MS + 200 * DAY_MS));
	assert_true(keep(ca, names, 3, NOW_MS + 300 * DAY_MS));
	assert_true(keep(ca, names, 4, NOW_MS));
	assert_ok(ht_file_read(in_dir("b.pem"), CA_PEM_MAX, &pem, &len, NULL));
	X509 *cert = parse(pem);
	assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
	assert_int_equal(X509_check_host(cert, "evil", 0, 0, NULL), 0);
	assert_int_equal(verify(ca, cert, X509_PURPOSE_SSL_SERVER, NULL), X509_V_OK);
	X509_free(cert);
	free(pem);
	ca_close(ca);
}

static X509_CRL *read_crl(void)
{
	char *pem;
	size_t len;

	assert_ok(ht_file_read(in_dir("crl.pem"), 1 << 20, &pem, &len, NULL));
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	BIO_free(bio);
	free(pem);
	assert_non_null(crl);
	return crl;
}

static void a_revoked_certificate_is_refused_and_another_is_not(void **state)
{
	struct ca *ca = open_ca();
	struct ca_cert bad = sign(ca, "stolen", "x"), good = sign(ca, "kept", "x");
	struct ca_revoked revoked = { .at_ms = NOW_MS };
	X509 *bad_cert = parse(bad.pem), *good_cert = parse(good.pem);

	memcpy(revoked.serial, bad.serial, sizeof(revoked.serial));
	assert_ok(ca_write_crl(ca, &revoked, 1, NOW_MS, in_dir("crl.pem"), NULL));
	X509_CRL *crl = read_crl();
	assert_int_equal(
	    verify(ca, bad_cert, X509_PURPOSE_SSL_CLIENT, crl), X509_V_ERR_CERT_REVOKED);
	assert_int_equal(verify(ca, good_cert, X509_PURPOSE_SSL_CLIENT, crl), X509_V_OK);
	X509_CRL_free(crl);

	assert_ok(ca_write_crl(ca, NULL, 0, NOW_MS + 1000, in_dir("crl.pem"), NULL));
	crl = read_crl();
	assert_int_equal(verify(ca, bad_cert, X509_PURPOSE_SSL_CLIENT, crl), X509_V_OK);
	X509_CRL_free(crl);
	X509_free(bad_cert);
	X509_free(good_cert);
	ca_cert_fini(&bad);
	ca_cert_fini(&good);
	ca_close(ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_is_made_once_and_its_key_is_private),
		cmocka_unit_test(a_lost_key_never_makes_another_root),
		cmocka_unit_test(only_the_key_of_a_request_is_taken),
		cmocka_unit_test(bad_requests_are_refused),
		cmocka_unit_test(a_part_is_renewed_when_it_must_be),
		cmocka_unit_test(a_revoked_certificate_is_refused_and_another_is_not),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
