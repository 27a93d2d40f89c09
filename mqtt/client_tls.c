#include "mqtt/client_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static ht_err fault_of(struct ht_fault *fault, const char *file, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return ht_fault_set(fault, HT_CONFIG, "%.200s: %s%s%s", file, what,
	    reason ? ": " : "", reason ? reason : "");
}

/* A machine that starts in 1970 would find every certificate not yet valid and never
 * reach the network's time. Our own certificate proves such a clock wrong. */
static bool clock_is_proved_wrong(const struct client_tls_notes *notes)
{
	return time(NULL) < notes->not_before;
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl =
	    X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct client_tls_notes *notes = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	int error = X509_STORE_CTX_get_error(store);

	if (ok)
		return 1;
	if (error == X509_V_ERR_CERT_NOT_YET_VALID && clock_is_proved_wrong(notes)) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	snprintf(notes->why, sizeof(notes->why),
	    "the broker's certificate is refused: %s",
	    X509_verify_cert_error_string(error));
	return 0;
}

/* With TLS 1.3 the broker's "no" to our certificate comes after the handshake. */
static void on_info(const SSL *ssl, int where, int value)
{
	struct client_tls_notes *notes = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (where == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
		snprintf(notes->why, sizeof(notes->why), "the broker refuses us: %s",
		    SSL_alert_desc_string_long(value));
}

/* Never ask a terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	return 0;
}

static ht_err expect_name(SSL_CTX *ctx, const char *name, struct ht_fault *fault)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	unsigned char address[16];
	bool numeric = inet_pton(AF_INET, name, address) == 1 ||
		       inet_pton(AF_INET6, name, address) == 1;

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, name)
		    : X509_VERIFY_PARAM_set1_host(param, name, 0))
		return HT_OK;
	return fault_of(fault, name, "cannot be a broker's name");
}

static time_t own_not_before(SSL_CTX *ctx)
{
	X509 *own = SSL_CTX_get0_certificate(ctx);
	struct tm tm;

	if (!own || !ASN1_TIME_to_tm(X509_get0_notBefore(own), &tm))
		return 0;
	return timegm(&tm);
}

static ht_err load(
    SSL_CTX *ctx, const struct client_tls_files *files, struct ht_fault *fault)
{
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_load_verify_locations(ctx, files->ca_file, NULL) != 1)
		return fault_of(
		    fault, files->ca_file, "cannot read the CA's certificate");
	if (SSL_CTX_use_certificate_chain_file(ctx, files->cert_file) != 1)
		return fault_of(fault, files->cert_file, "cannot read our certificate");
	if (SSL_CTX_use_PrivateKey_file(ctx, files->key_file, SSL_FILETYPE_PEM) != 1)
		return fault_of(
		    fault, files->key_file, "cannot read the key of our certificate");
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fault_of(
		    fault, files->key_file, "is not the key of our certificate");
	return expect_name(ctx, files->name, fault);
}

ht_err client_tls_open(const struct client_tls_files *files,
    struct client_tls_notes *notes, struct ssl_ctx_st **out, struct ht_fault *fault)
{
	SSL_CTX *ctx;
	ht_err err;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		return ht_fault_set(fault, HT_NOMEM, "out of memory");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_app_data(ctx, notes);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_info_callback(ctx, on_info);
	err = load(ctx, files, fault);
	if (err) {
		SSL_CTX_free(ctx);
		return err;
	}
	notes->not_before = own_not_before(ctx);
	*out = ctx;
	return HT_OK;
}

void client_tls_close(struct ssl_ctx_st *ctx)
{
	SSL_CTX_free(ctx);
}

bool client_tls_shaking(void *ssl)
{
	return ssl && SSL_in_init(ssl);
}

bool client_tls_shaking_reads(void *ssl)
{
	return client_tls_shaking(ssl) && SSL_want(ssl) == SSL_READING;
}

bool client_tls_has_bytes(void *ssl)
{
	return ssl && SSL_pending(ssl) > 0;
}
