#include "unit/test.h"

#include "unit/probes/stub_certs.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DAY = 86400 };

struct authority {
	EVP_PKEY *key;
	X509 *cert;
};

struct stub_certs {
	struct authority ours, stranger;
	char ca_file[64];
	long serial;
};

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);

	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void add_name(X509_NAME *name, const char *field, const void *text, int len)
{
	assert_int_equal(
	    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, text, len, -1, 0), 1);
}

static X509 *blank(EVP_PKEY *key, long serial, long from_s, long to_s)
{
	X509 *cert = X509_new();

	assert_non_null(cert);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
	X509_set_pubkey(cert, key);
	return cert;
}

static struct authority make_authority(const char *name)
{
	struct authority a = { .key = EVP_EC_gen("P-256") };

	assert_non_null(a.key);
	a.cert = blank(a.key, 1, -DAY, 365 * DAY);
	add_name(X509_get_subject_name(a.cert), "CN", name, -1);
	X509_set_issuer_name(a.cert, X509_get_subject_name(a.cert));
	add_extension(a.cert, a.cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(a.cert, a.cert, NID_key_usage, "critical,keyCertSign");
	assert_true(X509_sign(a.cert, a.key, EVP_sha256()) > 0);
	return a;
}

struct stub_certs *stub_certs_new(void)
{
	struct stub_certs *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->serial = 1;
	c->ours = make_authority("Test Authority");
	c->stranger = make_authority("Stranger");
	snprintf(c->ca_file, sizeof(c->ca_file), "/tmp/hatang-ca-XXXXXX");
	int fd = mkstemp(c->ca_file);
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, c->ours.cert), 1);
	assert_int_equal(fclose(f), 0);
	return c;
}

void stub_certs_free(struct stub_certs *c)
{
	unlink(c->ca_file);
	X509_free(c->ours.cert);
	EVP_PKEY_free(c->ours.key);
	X509_free(c->stranger.cert);
	EVP_PKEY_free(c->stranger.key);
	free(c);
}

const char *stub_certs_ca_file(const struct stub_certs *c)
{
	return c->ca_file;
}

static void name_it(X509 *cert, enum stub_cert kind)
{
	static const char odd[] = "line\nbreak\xc2\x9b, nul\0here";
	X509_NAME *name = X509_get_subject_name(cert);

	if (kind == STUB_CERT_ODD_NAMES)
		add_name(name, "CN", odd, sizeof(odd) - 1);
	else
		add_name(name, "CN", "Cổng thông tin", -1);
	add_name(name, "O", "Lào Cai", -1);
}

SSL_CTX *stub_certs_server(struct stub_certs *c, enum stub_cert kind)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = blank(key, ++c->serial, kind == STUB_CERT_NOT_YET ? DAY : -10 * DAY,
	    kind == STUB_CERT_EXPIRED ? -2 * DAY : 30 * DAY);
	struct authority self = { key, cert };
	const struct authority *by = kind == STUB_CERT_SELF_SIGNED ? &self
				     : kind == STUB_CERT_STRANGER  ? &c->stranger
								   : &c->ours;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	name_it(cert, kind);
	X509_set_issuer_name(cert, X509_get_subject_name(by->cert));
	add_extension(cert, by->cert, NID_subject_alt_name,
	    kind == STUB_CERT_WRONG_NAME ? "DNS:other.test"
					 : "IP:127.0.0.1,DNS:portal.test,DNS:localhost");
	assert_true(X509_sign(cert, by->key, EVP_sha256()) > 0);
	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}
