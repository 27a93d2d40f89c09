#include "server/registry/ca.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/name.h"

enum { DAY_S = 86400, SERIAL_BYTES = 16, NAMES_MAX = 32 };

struct ca {
	EVP_PKEY *key;
	X509 *root;
	char *pem;
	char hash[CA_HASH_HEX + 1];
};

static const struct {
	const char *key_usage, *extended;
} profiles[] = {
	[CA_AGENT] = { "critical,digitalSignature", "clientAuth" },
	[CA_CLIENT] = { "critical,digitalSignature", "clientAuth" },
	[CA_SERVER] = { "critical,digitalSignature", "serverAuth" },
};

/* OpenSSL's own words, for the fault; its queue is left empty. */
static ht_err crypto_fault(struct ht_fault *fault, ht_err err, const char *what)
{
	char reason[160] = "out of memory";
	unsigned long code = ERR_peek_last_error();

	if (code)
		ERR_error_string_n(code, reason, sizeof(reason));
	ERR_clear_error();
	return ht_fault_set(fault, err, "%s: %s", what, reason);
}

static int64_t asn1_ms(const ASN1_TIME *at)
{
	int days = 0, seconds = 0;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);

	if (epoch)
		(void)ASN1_TIME_diff(&days, &seconds, epoch, at);
	ASN1_TIME_free(epoch);
	return ((int64_t)days * DAY_S + seconds) * 1000;
}

static char *bio_text(BIO *bio)
{
	char *bytes, *text = NULL;
	long len = BIO_get_mem_data(bio, &bytes);

	if (len >= 0 && (text = malloc((size_t)len + 1))) {
		memcpy(text, bytes, (size_t)len);
		text[len] = '\0';
	}
	return text;
}

static char *cert_pem(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = bio && PEM_write_bio_X509(bio, cert) ? bio_text(bio) : NULL;

	BIO_free(bio);
	return text;
}

static void serial_hex(const X509 *cert, char out[static CA_SERIAL_HEX + 1])
{
	unsigned char bytes[SERIAL_BYTES] = { 0 };
	BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);

	if (bn && BN_num_bytes(bn) <= SERIAL_BYTES)
		(void)BN_bn2binpad(bn, bytes, SERIAL_BYTES);
	BN_free(bn);
	for (size_t i = 0; i < SERIAL_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* ── certificates ─────────────────────────────────────────────────────────────────── */

static bool set_serial(X509 *cert)
{
	unsigned char bytes[SERIAL_BYTES];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] =
	    (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, always 16 bytes */
	BIGNUM *bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
	bool ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert));
	BN_free(bn);
	return ok;
}

static bool set_times(X509 *cert, int64_t now_ms, int days)
{
	time_t now = (time_t)(now_ms / 1000);

	return ASN1_TIME_set(X509_getm_notBefore(cert), now - CA_BACKDATE_S) &&
	       ASN1_TIME_adj(X509_getm_notAfter(cert), now, days, 0);
}

static bool set_name(X509_NAME *name, const char *common_name)
{
	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
		   (const unsigned char *)"hatang", -1, -1, 0) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		   (const unsigned char *)common_name, -1, -1, 0);
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&context);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	bool ok = e && X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* Names and addresses, by value and not through OpenSSL's configuration language, whose
 * commas would let a name say more than one thing. */
static bool add_names(X509 *cert, const char *const *names, size_t n)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
	bool ok = list != NULL;

	for (size_t i = 0; ok && i < n; i++) {
		ASN1_OCTET_STRING *ip = a2i_IPADDRESS(names[i]);
		ASN1_IA5STRING *dns = ip ? NULL : ASN1_IA5STRING_new();
		GENERAL_NAME *g = GENERAL_NAME_new();
		ok = g && (ip || (dns && ASN1_STRING_set(dns, names[i], -1)));
		if (ok && ip)
			GENERAL_NAME_set0_value(g, GEN_IPADD, ip);
		else if (ok)
			GENERAL_NAME_set0_value(g, GEN_DNS, dns);
		if (ok && sk_GENERAL_NAME_push(list, g) > 0)
			continue;
		GENERAL_NAME_free(g);
		ok = false;
	}
	ERR_clear_error(); /* a2i_IPADDRESS complains about every host name */
	ok = ok &&
	     (n == 0 || X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0) == 1);
	sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
	return ok;
}

static X509 *root_new(EVP_PKEY *key, int64_t now_ms)
{
	X509 *root = X509_new();

	if (root && X509_set_version(root, X509_VERSION_3) && set_serial(root) &&
	    set_times(root, now_ms, CA_ROOT_DAYS) &&
	    set_name(X509_get_subject_name(root), "hatang CA") &&
	    set_name(X509_get_issuer_name(root), "hatang CA") &&
	    X509_set_pubkey(root, key) &&
	    add_extension(
		root, root, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    add_extension(root, root, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    add_extension(root, root, NID_subject_key_identifier, "hash") &&
	    X509_sign(root, key, EVP_sha256()))
		return root;
	X509_free(root);
	return NULL;
}

static X509 *leaf_new(const struct ca *ca, enum ca_profile profile, EVP_PKEY *key,
    const char *common_name, const char *const *names, size_t n_names, int64_t now_ms,
    int days)
{
	X509 *leaf = X509_new();

	if (leaf && X509_set_version(leaf, X509_VERSION_3) && set_serial(leaf) &&
	    set_times(leaf, now_ms, days) &&
	    X509_set_issuer_name(leaf, X509_get_subject_name(ca->root)) &&
	    set_name(X509_get_subject_name(leaf), common_name) &&
	    X509_set_pubkey(leaf, key) &&
	    add_extension(leaf, ca->root, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(leaf, ca->root, NID_key_usage, profiles[profile].key_usage) &&
	    add_extension(
		leaf, ca->root, NID_ext_key_usage, profiles[profile].extended) &&
	    add_extension(leaf, ca->root, NID_subject_key_identifier, "hash") &&
	    add_extension(leaf, ca->root, NID_authority_key_identifier, "keyid:always") &&
	    add_names(leaf, names, n_names) && X509_sign(leaf, ca->key, EVP_sha256()))
		return leaf;
	X509_free(leaf);
	return NULL;
}

/* ── the root ─────────────────────────────────────────────────────────────────────── */

static ht_err write_key(EVP_PKEY *key, const char *file, struct ht_fault *fault)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *bytes;
	ht_err err;

	if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) {
		long len = BIO_get_mem_data(bio, &bytes);
		err = ht_file_write(file, bytes, (size_t)len, 0600, fault);
	} else {
		err = crypto_fault(fault, HT_NOMEM, "cannot write a key");
	}
	BIO_free(bio);
	return err;
}

static ht_err write_cert(X509 *cert, const char *file, struct ht_fault *fault)
{
	char *pem = cert_pem(cert);

	if (!pem)
		return crypto_fault(fault, HT_NOMEM, "cannot write a certificate");
	ht_err err = ht_file_write(file, pem, strlen(pem), 0644, fault);
	free(pem);
	return err;
}

/* HT_NOTFOUND when the file is missing; HT_CORRUPT when it is something else. */
static ht_err read_key(const char *file, EVP_PKEY **out, struct ht_fault *fault)
{
	char *text;
	size_t len;
	ht_err err = ht_file_read(file, CA_PEM_MAX, &text, &len, fault);

	if (err)
		return err;
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	*out = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	OPENSSL_cleanse(text, len);
	free(text);
	return *out ? HT_OK : crypto_fault(fault, HT_CORRUPT, file);
}

static ht_err read_cert(const char *file, X509 **out, struct ht_fault *fault)
{
	char *text;
	size_t len;
	ht_err err = ht_file_read(file, CA_PEM_MAX, &text, &len, fault);

	if (err)
		return err;
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	*out = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	free(text);
	return *out ? HT_OK : crypto_fault(fault, HT_CORRUPT, file);
}

/* The certificate is written last: a folder with a key alone was interrupted before
 * anything was signed, and begins anew. */
static ht_err root_make(struct ca *ca, const char *key_file, const char *cert_file,
    int64_t now_ms, struct ht_fault *fault)
{
	ca->key = EVP_EC_gen("P-256");
	ca->root = ca->key ? root_new(ca->key, now_ms) : NULL;
	if (!ca->root)
		return crypto_fault(
		    fault, HT_NOMEM, "cannot make the certificate authority");
	ht_err err = write_key(ca->key, key_file, fault);
	return err ? err : write_cert(ca->root, cert_file, fault);
}

static ht_err root_read(
    struct ca *ca, const char *key_file, const char *cert_file, struct ht_fault *fault)
{
	ht_err err = read_cert(cert_file, &ca->root, fault);

	if (!err)
		err = read_key(key_file, &ca->key, fault);
	if (!err && X509_check_private_key(ca->root, ca->key) != 1)
		err = crypto_fault(
		    fault, HT_CORRUPT, "the authority's key and certificate do not fit");
	if (err == HT_NOTFOUND && ca->root)
		err =
		    HT_CORRUPT; /* certificate without its key: never make another root */
	return err;
}

static ht_err root_describe(struct ca *ca, struct ht_fault *fault)
{
	unsigned char digest[32];
	unsigned int len;

	ca->pem = cert_pem(ca->root);
	if (!ca->pem || !X509_digest(ca->root, EVP_sha256(), digest, &len))
		return crypto_fault(
		    fault, HT_NOMEM, "cannot read the authority's certificate");
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(ca->hash + 2 * i, 3, "%02x", digest[i]);
	return HT_OK;
}

ht_err ca_open(const char *dir, int64_t now_ms, struct ca **out, struct ht_fault *fault)
{
	char key_file[PATH_MAX], cert_file[PATH_MAX];
	struct ca *ca = calloc(1, sizeof(*ca));

	if (!ca)
		return HT_NOMEM;
	snprintf(key_file, sizeof(key_file), "%s/ca.key", dir);
	snprintf(cert_file, sizeof(cert_file), "%s/ca.crt", dir);
	ht_err err = ht_folder_make(dir, 0700, fault);
	if (!err)
		err = root_read(ca, key_file, cert_file, fault);
	if (err == HT_NOTFOUND)
		err = root_make(ca, key_file, cert_file, now_ms, fault);
	if (!err)
		err = root_describe(ca, fault);
	if (!err)
		*out = ca;
	else
		ca_close(ca);
	return err;
}

void ca_close(struct ca *ca)
{
	if (!ca)
		return;
	EVP_PKEY_free(ca->key);
	X509_free(ca->root);
	free(ca->pem);
	free(ca);
}

const char *ca_pem(const struct ca *ca)
{
	return ca->pem;
}

const char *ca_hash(const struct ca *ca)
{
	return ca->hash;
}

/* ── agents ───────────────────────────────────────────────────────────────────────── */

static bool key_allowed(EVP_PKEY *key)
{
	char curve[64];
	size_t len;
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519:
		return true;
	case EVP_PKEY_RSA:
		return bits >= 2048 && bits <= 8192;
	case EVP_PKEY_EC:
		return EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) == 1 &&
		       (strcmp(curve, "prime256v1") == 0 ||
			   strcmp(curve, "secp384r1") == 0);
	default:
		return false;
	}
}

static ht_err cert_take(X509 *cert, struct ca_cert *out, struct ht_fault *fault)
{
	char *pem = cert_pem(cert);

	if (!pem)
		return crypto_fault(fault, HT_NOMEM, "cannot write a certificate");
	serial_hex(cert, out->serial);
	out->not_before_ms = asn1_ms(X509_get0_notBefore(cert));
	out->not_after_ms = asn1_ms(X509_get0_notAfter(cert));
	out->pem = pem;
	return HT_OK;
}

static ht_err request_check(X509_REQ *request, struct ht_fault *fault)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(request);

	if (!key || !key_allowed(key)) {
		ERR_clear_error();
		return ht_fault_set(fault, HT_UNSUPPORTED,
		    "the request's key is of a kind that is not accepted: use EC P-256");
	}
	if (X509_REQ_verify(request, key) != 1) {
		ERR_clear_error();
		return ht_fault_set(fault, HT_DENIED,
		    "the request is not signed by its own key: make it anew");
	}
	return HT_OK;
}

ht_err ca_sign(const struct ca *ca, const char *csr, size_t len, const char *agent,
    int64_t now_ms, struct ca_cert *out, struct ht_fault *fault)
{
	if (!ht_id_valid(agent, HT_ID_MAX))
		return ht_fault_set(fault, HT_INVALID, "the agent's id is not valid");
	if (len > CA_PEM_MAX)
		return ht_fault_set(fault, HT_TOOLARGE,
		    "the request is larger than %d bytes", CA_PEM_MAX);
	BIO *bio = BIO_new_mem_buf(csr, (int)len);
	X509_REQ *request = bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	if (!request)
		return crypto_fault(
		    fault, HT_MALFORMED, "this is no certificate request (PEM)");
	ht_err err = request_check(request, fault);
	X509 *leaf = err ? NULL
			 : leaf_new(ca, CA_AGENT, X509_REQ_get0_pubkey(request), agent,
			       NULL, 0, now_ms, CA_AGENT_DAYS);
	X509_REQ_free(request);
	if (!err)
		err = leaf ? cert_take(leaf, out, fault)
			   : crypto_fault(fault, HT_NOMEM, "cannot sign");
	X509_free(leaf);
	return err;
}

bool ca_same_key(const char *csr, const char *cert)
{
	BIO *from = BIO_new_mem_buf(csr, -1), *with = BIO_new_mem_buf(cert, -1);
	X509_REQ *r = from ? PEM_read_bio_X509_REQ(from, NULL, NULL, NULL) : NULL;
	X509 *c = with ? PEM_read_bio_X509(with, NULL, NULL, NULL) : NULL;
	EVP_PKEY *a = r ? X509_REQ_get0_pubkey(r) : NULL,
		 *b = c ? X509_get0_pubkey(c) : NULL;
	bool same = a && b && EVP_PKEY_eq(a, b) == 1;

	X509_REQ_free(r);
	X509_free(c);
	BIO_free(from);
	BIO_free(with);
	ERR_clear_error();
	return same;
}

void ca_cert_fini(struct ca_cert *cert)
{
	free(cert->pem);
	*cert = (struct ca_cert){ 0 };
}

/* ── the server's own parts ───────────────────────────────────────────────────────── */

/* Whether the certificate names exactly these, in this order. */
static bool names_match(X509 *cert, const char *const *names, size_t n)
{
	GENERAL_NAMES *list = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool same = (size_t)(list ? sk_GENERAL_NAME_num(list) : 0) == n;

	for (size_t i = 0; same && i < n; i++) {
		int type;
		ASN1_STRING *value =
		    GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(list, (int)i), &type);
		ASN1_OCTET_STRING *ip = a2i_IPADDRESS(names[i]);
		size_t len = (size_t)ASN1_STRING_length(value);
		if (ip)
			same = type == GEN_IPADD && ASN1_STRING_cmp(ip, value) == 0;
		else
			same = type == GEN_DNS && len == strlen(names[i]) &&
			       memcmp(ASN1_STRING_get0_data(value), names[i], len) == 0;
		ASN1_OCTET_STRING_free(ip);
	}
	ERR_clear_error();
	GENERAL_NAMES_free(list);
	return same;
}

static bool still_good(const struct ca *ca, X509 *cert, EVP_PKEY *key, int64_t now_ms)
{
	int64_t from = asn1_ms(X509_get0_notBefore(cert)),
		to = asn1_ms(X509_get0_notAfter(cert));

	return X509_verify(cert, X509_get0_pubkey(ca->root)) == 1 &&
	       X509_check_private_key(cert, key) == 1 && now_ms >= from &&
	       now_ms < from + (to - from) / 3 * 2;
}

static bool part_is_kept(const struct ca *ca, const char *const *names, size_t n,
    const char *cert_file, const char *key_file, int64_t now_ms)
{
	X509 *cert = NULL;
	EVP_PKEY *key = NULL;
	bool kept = read_cert(cert_file, &cert, NULL) == HT_OK &&
		    read_key(key_file, &key, NULL) == HT_OK &&
		    still_good(ca, cert, key, now_ms) && names_match(cert, names, n);

	ERR_clear_error();
	X509_free(cert);
	EVP_PKEY_free(key);
	return kept;
}

ht_err ca_keep_part(const struct ca *ca, enum ca_profile profile, const char *common_name,
    const char *const *names, size_t n_names, const char *cert_file, const char *key_file,
    int64_t now_ms, bool *out_made, struct ht_fault *fault)
{
	if (n_names > NAMES_MAX)
		return ht_fault_set(fault, HT_CONFIG,
		    "more than %d names for one certificate", NAMES_MAX);
	if (part_is_kept(ca, names, n_names, cert_file, key_file, now_ms)) {
		*out_made = false;
		return HT_OK;
	}
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? leaf_new(ca, profile, key, common_name, names, n_names, now_ms,
			       CA_PART_DAYS)
			 : NULL;
	ht_err err = cert ? write_key(key, key_file, fault)
			  : crypto_fault(fault, HT_NOMEM, "cannot make a certificate");
	if (!err)
		err = write_cert(cert, cert_file, fault);
	if (!err)
		*out_made = true;
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}

/* ── revocation ───────────────────────────────────────────────────────────────────── */

static bool crl_add(X509_CRL *crl, const struct ca_revoked *r)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)(r->at_ms / 1000));
	BIGNUM *bn = NULL;
	ASN1_INTEGER *serial = NULL;
	bool ok = entry && at && BN_hex2bn(&bn, r->serial) &&
		  (serial = BN_to_ASN1_INTEGER(bn, NULL)) &&
		  X509_REVOKED_set_serialNumber(entry, serial) &&
		  X509_REVOKED_set_revocationDate(entry, at);

	if (ok && X509_CRL_add0_revoked(crl, entry))
		entry = NULL;
	else
		ok = false;
	X509_REVOKED_free(entry);
	ASN1_TIME_free(at);
	BN_free(bn);
	ASN1_INTEGER_free(serial);
	return ok;
}

static bool crl_describe(const struct ca *ca, X509_CRL *crl, int64_t now_ms)
{
	time_t now = (time_t)(now_ms / 1000);
	ASN1_TIME *last = ASN1_TIME_set(NULL, now - CA_BACKDATE_S);
	ASN1_TIME *next = ASN1_TIME_adj(NULL, now, CA_CRL_DAYS, 0);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	X509V3_CTX context;

	X509V3_set_ctx(&context, ca->root, NULL, NULL, crl, 0);
	X509_EXTENSION *issuer = X509V3_EXT_conf_nid(
	    NULL, &context, NID_authority_key_identifier, "keyid:always");
	bool ok =
	    last && next && number && issuer && ASN1_INTEGER_set_int64(number, now_ms) &&
	    X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->root)) &&
	    X509_CRL_set1_lastUpdate(crl, last) && X509_CRL_set1_nextUpdate(crl, next) &&
	    X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1 &&
	    X509_CRL_add_ext(crl, issuer, -1);
	X509_EXTENSION_free(issuer);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	ASN1_INTEGER_free(number);
	return ok;
}

ht_err ca_write_crl(const struct ca *ca, const struct ca_revoked *revoked, size_t n,
    int64_t now_ms, const char *file, struct ht_fault *fault)
{
	X509_CRL *crl = X509_CRL_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	bool ok = crl && bio && crl_describe(ca, crl, now_ms);

	for (size_t i = 0; ok && i < n; i++)
		ok = crl_add(crl, &revoked[i]);
	ok = ok && X509_CRL_sort(crl) && X509_CRL_sign(crl, ca->key, EVP_sha256()) &&
	     PEM_write_bio_X509_CRL(bio, crl);
	ht_err err;
	if (ok) {
		long len = BIO_get_mem_data(bio, &bytes);
		err = ht_file_write(file, bytes, (size_t)len, 0644, fault);
	} else {
		err = crypto_fault(fault, HT_NOMEM, "cannot make the revocation list");
	}
	BIO_free(bio);
	X509_CRL_free(crl);
	return err;
}
