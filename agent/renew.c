#include "agent/renew.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "agent/agent.h"
#include "base/file.h"
#include "base/log.h"
#include "base/name.h"
#include "mqtt/control.h"

#define LOOK_EVERY_NS (3600 * HT_NS_PER_S)
#define PEM_MAX       16384

bool renew_due(int64_t from_s, int64_t to_s, int64_t now_s)
{
	return now_s >= from_s + (to_s - from_s) / 3 * 2;
}

/* ── files ────────────────────────────────────────────────────────────────────────── */

static BIO *file_bio(const char *file, char **out_text)
{
	size_t len;

	*out_text = NULL;
	if (!file || ht_file_read(file, PEM_MAX, out_text, &len, NULL))
		return NULL;
	return BIO_new_mem_buf(*out_text, (int)len);
}

static X509 *text_cert(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return cert;
}

static X509 *file_cert(const char *file)
{
	char *text;
	BIO *bio = file_bio(file, &text);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	free(text);
	return cert;
}

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	return 0;
}

static EVP_PKEY *file_key(const char *file)
{
	char *text;
	BIO *bio = file_bio(file, &text);
	EVP_PKEY *key =
	    bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
	return key;
}

static int64_t unix_s(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

/* ── asking ───────────────────────────────────────────────────────────────────────── */

static char *make_request(EVP_PKEY *key, const char *agent)
{
	X509_REQ *req = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes, *text = NULL;
	bool ok =
	    req && bio &&
	    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
		MBSTRING_UTF8, (const unsigned char *)agent, -1, -1, 0) &&
	    X509_REQ_set_pubkey(req, key) &&
	    X509_REQ_sign(req, key,
		EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) &&
	    PEM_write_bio_X509_REQ(bio, req);

	if (ok) {
		long len = BIO_get_mem_data(bio, &bytes);
		text = strndup(bytes, (size_t)len);
	}
	X509_REQ_free(req);
	BIO_free(bio);
	return text;
}

static ht_err send_request(struct agent *a, char *csr)
{
	struct control_reply r = { .ok = true, .text = csr, .n_fields = 1 };
	struct ht_buf b;
	uint64_t id;

	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return HT_IO;
	snprintf(r.id, sizeof(r.id), "%016" PRIx64, id);
	snprintf(r.fields[0].key, sizeof(r.fields[0].key), "request");
	snprintf(r.fields[0].value, sizeof(r.fields[0].value), "certificate");
	ht_buf_init(&b, CONTROL_MESSAGE_MAX);
	ht_err err = control_reply_encode(&r, &b);
	if (!err)
		err = publish_reply(a->publish, ht_buf_text(&b), b.len);
	ht_buf_fini(&b);
	return err;
}

static void look(struct agent *a)
{
	const struct options_mqtt *m = &a->options->mqtt;
	X509 *cert = file_cert(m->cert);
	int64_t from = cert ? unix_s(X509_get0_notBefore(cert)) : 0,
		to = cert ? unix_s(X509_get0_notAfter(cert)) : 0;

	bool due = cert && renew_due(from, to, ht_wall_ms() / HT_MS_PER_S);

	X509_free(cert);
	if (due) {
		EVP_PKEY *key = file_key(m->key);
		char *csr = key ? make_request(key, a->options->agent.id) : NULL;
		ht_err err = csr ? send_request(a, csr) : HT_INVALID;

		ht_log_info("renew.asked", "ends=%" PRId64 " error=%s", to,
		    err ? ht_err_name(err) : "none");
		free(csr);
		EVP_PKEY_free(key);
	}
	ERR_clear_error();
}

void renew_tick(struct agent *a, int64_t now_ns)
{
	if (!a->publish)
		return;
	if (a->renew_connect) {
		a->renew_connect = false;
		publish_reconnect(a->publish);
	}
	if (now_ns < a->renew_ns || publish_state(a->publish) != PUBLISH_SENDING)
		return;
	a->renew_ns = now_ns + LOOK_EVERY_NS;
	look(a);
}

/* ── what came ────────────────────────────────────────────────────────────────────── */

/* Whether our CA vouches for it. Our clock may be wrong: the broker judges the time. */
static bool of_our_ca(X509 *cert, const char *ca_file)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok = store && ctx && X509_STORE_load_file(store, ca_file) == 1 &&
		  X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME) == 1 &&
		  X509_STORE_CTX_init(ctx, store, cert, NULL) == 1 &&
		  X509_verify_cert(ctx) == 1;

	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return ok;
}

static bool names_us(X509 *cert, const char *agent)
{
	char name[HT_ID_MAX + 2];
	int len = X509_NAME_get_text_by_NID(
	    X509_get_subject_name(cert), NID_commonName, name, sizeof(name));

	return len > 0 && (size_t)len == strlen(agent) && strcmp(name, agent) == 0;
}

static ht_err judge(struct agent *a, X509 *cert, struct ht_fault *fault)
{
	const struct options_mqtt *m = &a->options->mqtt;
	EVP_PKEY *key = file_key(m->key);
	bool ours = key && X509_check_private_key(cert, key) == 1;

	EVP_PKEY_free(key);
	if (!ours)
		return ht_fault_set(
		    fault, HT_DENIED, "the certificate is not for this agent's key");
	if (!names_us(cert, a->options->agent.id))
		return ht_fault_set(
		    fault, HT_DENIED, "the certificate names another agent");
	if (!of_our_ca(cert, m->ca))
		return ht_fault_set(
		    fault, HT_DENIED, "the certificate is not of this agent's CA");
	return HT_OK;
}

ht_err renew_take(struct agent *a, const struct control_cmd *c, struct ht_fault *fault)
{
	const struct options_mqtt *m = &a->options->mqtt;
	X509 *cert = text_cert(c->certificate), *have = file_cert(m->cert);
	ht_err err = HT_OK;

	if (!cert)
		err = ht_fault_set(fault, HT_MALFORMED, "this is no certificate (PEM)");
	if (!err)
		err = judge(a, cert, fault);
	/* The same one again (the command came twice): nothing to do. */
	bool same = !err && have && X509_cmp(cert, have) == 0;
	if (!err && !same)
		err = ht_file_write(
		    m->cert, c->certificate, strlen(c->certificate), 0644, fault);
	if (!err && !same)
		err = publish_reload_tls(a->publish, fault);
	if (!err && !same)
		a->renew_connect = true; /* when the answer is out */
	X509_free(cert);
	X509_free(have);
	ERR_clear_error();
	return err;
}
