#include "probes/wan/service/tls_facts.h"

#include <ctype.h>
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "probes/wan/clean.h"

/* Where systems keep their authorities. A folder of hashed names comes first: OpenSSL
 * reads only the few it needs there, while a bundle costs 20 ms and 0.8 MiB. */
static const char hashed_folder[] = "/etc/ssl/certs";
static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt",
	"/etc/ssl/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt" };

/* "0a1b2c3d.0", as c_rehash names them. */
static bool hashed_name(const char *name)
{
	size_t digits = strspn(name, "0123456789abcdef");

	return digits == 8 && name[8] == '.' && isdigit((unsigned char)name[9]);
}

static bool has_hashed_names(const char *folder)
{
	DIR *d = opendir(folder);
	const struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d)))
		found = hashed_name(e->d_name);
	if (d)
		closedir(d);
	return found;
}

static bool load_system(X509_STORE *store)
{
	if (has_hashed_names(hashed_folder))
		return X509_STORE_load_path(store, hashed_folder) == 1;
	for (size_t i = 0; i < HT_COUNT(bundles); i++) {
		if (X509_STORE_load_file(store, bundles[i]) == 1)
			return true;
	}
	return true; /* none: the certificate will be found untrusted */
}

static void put_name(const X509_NAME *name, char *out, size_t cap)
{
	BIO *mem = BIO_new(BIO_s_mem());
	unsigned long flags =
	    (XN_FLAG_RFC2253 | ASN1_STRFLGS_UTF8_CONVERT) & ~ASN1_STRFLGS_ESC_MSB;

	out[0] = '\0';
	if (mem && X509_NAME_print_ex(mem, name, 0, flags) >= 0) {
		char *text;
		long len = BIO_get_mem_data(mem, &text);

		if (len > 0)
			clean_copy(text, (size_t)len, out, cap);
	}
	BIO_free(mem);
}

static void put_expiry(struct tls_facts *f, const X509 *cert)
{
	int days, seconds;

	/* NULL: from now. Negative when it is over. */
	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) != 1)
		return;
	f->expires_in_s = (int64_t)days * 86400 + seconds;
	f->dated = true;
}

/* Instead of OpenSSL's own call of X509_verify_cert(). */
static int on_verify(X509_STORE_CTX *c, void *arg)
{
	struct tls_watch *w = arg;
	struct tls_facts *f = w->facts;
	X509 *cert = X509_STORE_CTX_get0_cert(c);
	int good = X509_verify_cert(c);
	int error = X509_STORE_CTX_get_error(c);

	f->seen = cert != NULL;
	f->trusted = good == 1 && error == X509_V_OK;
	if (f->trusted)
		snprintf(f->why, sizeof(f->why), "ok");
	else
		snprintf(
		    f->why, sizeof(f->why), "%s", X509_verify_cert_error_string(error));
	if (cert) {
		put_name(X509_get_subject_name(cert), f->subject, sizeof(f->subject));
		put_name(X509_get_issuer_name(cert), f->issuer, sizeof(f->issuer));
		put_expiry(f, cert);
	}
	ERR_clear_error();
	return f->trusted || w->trust_anyone;
}

static int watch_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

static void on_progress(const SSL *ssl, int where, int ret)
{
	const struct tls_watch *w =
	    SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), watch_index());

	(void)ret;
	if (!w || !(where & SSL_CB_HANDSHAKE_DONE))
		return;
	snprintf(
	    w->facts->version, sizeof(w->facts->version), "%s", SSL_get_version(ssl));
	snprintf(w->facts->cipher, sizeof(w->facts->cipher), "%s",
	    SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)));
}

static bool expect_host(SSL_CTX *ctx, const char *host)
{
	X509_VERIFY_PARAM *p = SSL_CTX_get0_param(ctx);
	struct ht_addr address;

	if (ht_addr_parse(host, &address) == HT_OK)
		return X509_VERIFY_PARAM_set1_ip_asc(p, host) == 1;
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(p, host, 0) == 1;
}

ht_err tls_facts_watch(void *ssl_ctx, struct tls_watch *watch)
{
	SSL_CTX *ctx = ssl_ctx;
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	struct tls_facts *f = watch->facts;

	ERR_clear_error();
	if (watch->ca_file && X509_STORE_load_file(store, watch->ca_file) != 1) {
		snprintf(f->why, sizeof(f->why), "no authorities in %.80s: %s",
		    watch->ca_file, ERR_reason_error_string(ERR_peek_last_error()));
		ERR_clear_error();
		return HT_CONFIG;
	}
	if ((!watch->ca_file && !load_system(store)) || !expect_host(ctx, watch->host) ||
	    watch_index() < 0 || SSL_CTX_set_ex_data(ctx, watch_index(), watch) != 1)
		return HT_NOMEM;
	SSL_CTX_set_info_callback(ctx, on_progress);
	SSL_CTX_set_cert_verify_callback(ctx, on_verify, watch);
	ERR_clear_error();
	return HT_OK;
}
