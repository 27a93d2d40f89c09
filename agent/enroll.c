#include "agent/enroll.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/fingerprint.h"
#include "agent/options.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/name.h"

enum { REPLY_MAX = 131072, CONNECT_S = 15, TOTAL_S = 60 };

struct enroll {
	const char *server, *token, *id, *dir, *config;
	char url[512];
	char ca_hex[33];
	char fingerprint[FINGERPRINT_LEN + 1];
	char *ca, *key, *csr; /* PEM */
	EVP_PKEY *pkey;
	struct ht_fault fault;
};

/* ── judging what comes from outside ──────────────────────────────────────────────── */

ht_err enroll_token_ca(const char *token, char out_ca[static 33])
{
	static const size_t parts[] = { 8, 32, 32 };
	const char *p = token;

	for (size_t i = 0; i < HT_COUNT(parts); i++) {
		if (strspn(p, "0123456789abcdef") != parts[i])
			return HT_MALFORMED;
		p += parts[i];
		if (*p++ != (i + 1 < HT_COUNT(parts) ? '.' : '\0'))
			return HT_MALFORMED;
	}
	memcpy(out_ca, token + ENROLL_TOKEN_LEN - 32, 33);
	return HT_OK;
}

/* Whether the authority of an http URL is this machine. */
static bool is_loopback(const char *host)
{
	static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

	for (size_t i = 0; i < HT_COUNT(names); i++) {
		size_t len = strlen(names[i]);
		if (strncmp(host, names[i], len) == 0 &&
		    (host[len] == '\0' || host[len] == ':' || host[len] == '/'))
			return true;
	}
	return false;
}

ht_err enroll_url(const char *url, char *out, size_t cap, struct ht_fault *fault)
{
	bool https = strncmp(url, "https://", 8) == 0,
	     http = strncmp(url, "http://", 7) == 0;
	size_t len = strlen(url);

	while (len && url[len - 1] == '/')
		len--;
	if ((!https && !http) || strpbrk(url, "@?# \t") || len <= (https ? 8u : 7u) ||
	    len >= cap)
		return ht_fault_set(fault, HT_MALFORMED,
		    "--server must be the server's address, such as "
		    "https://hatang.laocai.gov.vn");
	if (http && !is_loopback(url + 7))
		return ht_fault_set(fault, HT_DENIED,
		    "the token would cross the network unprotected: use https:// (plain "
		    "http is for this "
		    "machine alone)");
	memcpy(out, url, len);
	out[len] = '\0';
	return HT_OK;
}

static X509 *read_cert(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return cert;
}

ht_err enroll_ca_check(const char *pem, const char *ca_hex, struct ht_fault *fault)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len;
	char hex[65];
	X509 *cert = read_cert(pem);

	if (!cert)
		return ht_fault_set(fault, HT_MALFORMED,
		    "the address answers with something else than a hatang CA: is it the "
		    "hatang server?");
	int ok = X509_digest(cert, EVP_sha256(), digest, &len);
	X509_free(cert);
	for (size_t i = 0; ok && i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	if (!ok || strncmp(hex, ca_hex, 32) != 0)
		return ht_fault_set(fault, HT_DENIED,
		    "this server is not the one that made the token: check --server, or "
		    "ask for a new token");
	return HT_OK;
}

/* TLS would only say "verification failed". */
static ht_err check_clock(const char *ca_pem, struct ht_fault *fault)
{
	X509 *cert = read_cert(ca_pem);
	char now[32] = "";
	time_t t = time(NULL);
	struct tm tm;

	if (!cert)
		return HT_MALFORMED;
	bool early = X509_cmp_current_time(X509_get0_notBefore(cert)) > 0;
	bool late = X509_cmp_current_time(X509_get0_notAfter(cert)) < 0;
	X509_free(cert);
	if (!early && !late)
		return HT_OK;
	if (gmtime_r(&t, &tm))
		strftime(now, sizeof(now), "%Y-%m-%d %H:%M UTC", &tm);
	return ht_fault_set(fault, HT_DENIED,
	    "this machine's clock says %s, which is %s the server's CA is valid: set the "
	    "clock",
	    now, early ? "before" : "after");
}

/* ── HTTP ─────────────────────────────────────────────────────────────────────────── */

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct ht_buf *body = arg;

	ht_buf_put(body, bytes, size * n);
	return ht_buf_err(body) ? 0 : size * n;
}

static ht_err curl_fault(struct enroll *e, CURLcode code, const char *detail)
{
	const char *why = detail[0] ? detail : curl_easy_strerror(code);

	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return ht_fault_set(&e->fault, HT_NOTFOUND,
		    "the server's name cannot be resolved (%s): check --server and DNS",
		    why);
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
		return ht_fault_set(&e->fault, HT_TIMEOUT,
		    "%s cannot be reached (%s): check the network, the firewall and "
		    "--server",
		    e->url, why);
	case CURLE_PEER_FAILED_VERIFICATION:
		return ht_fault_set(&e->fault, HT_DENIED,
		    "the server's certificate is refused (%s): use the name that it is "
		    "made for",
		    why);
	default:
		return ht_fault_set(
		    &e->fault, HT_IO, "talking to %s failed: %s", e->url, why);
	}
}

/* One request. Without `post` a GET; with e->ca only a server that this CA vouches for.
 */
static ht_err request(struct enroll *e, const char *path, const char *post,
    struct ht_buf *body, long *out_status)
{
	char url[640], detail[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	CURL *curl = curl_easy_init();

	if (!curl)
		return HT_NOMEM;
	snprintf(url, sizeof(url), "%s%s", e->url, path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TOTAL_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "hatang-agent/" HATANG_VERSION);
	curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	if (e->ca) {
		struct curl_blob ca = { e->ca, strlen(e->ca), CURL_BLOB_COPY };
		curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &ca);
	} else {
		/* The CA is public and compared with the token; nothing of ours is sent.
		 */
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (post) {
		headers = curl_slist_append(headers, "Content-Type: application/json");
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post);
	}
	CURLcode code = curl_easy_perform(curl);
	ht_err err = code ? curl_fault(e, code, detail) : HT_OK;
	if (!err)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, out_status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return err;
}

/* ── the steps ────────────────────────────────────────────────────────────────────── */

static ht_err fetch_ca(struct enroll *e)
{
	struct ht_buf body;
	long status = 0;

	ht_buf_init(&body, REPLY_MAX);
	ht_err err = request(e, "/api/v1/ca", NULL, &body, &status);
	if (!err && status != 200)
		err = ht_fault_set(&e->fault, HT_NOTFOUND,
		    "%s answers %ld when asked for its CA: is it the hatang server?",
		    e->url, status);
	if (!err)
		err = enroll_ca_check(ht_buf_text(&body), e->ca_hex, &e->fault);
	if (!err)
		err = check_clock(ht_buf_text(&body), &e->fault);
	if (!err)
		e->ca = ht_buf_steal(&body);
	ht_buf_fini(&body);
	return err;
}

static char *bio_steal(BIO *bio)
{
	char *bytes, *text = NULL;
	long len = BIO_get_mem_data(bio, &bytes);

	if (len > 0)
		text = strndup(bytes, (size_t)len);
	BIO_free(bio);
	return text;
}

static bool make_request(struct enroll *e, const char *host)
{
	X509_REQ *req = X509_REQ_new();
	BIO *csr = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	bool ok = req && csr && key &&
		  X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
		      MBSTRING_UTF8, (const unsigned char *)host, -1, -1, 0) &&
		  X509_REQ_set_pubkey(req, e->pkey) &&
		  X509_REQ_sign(req, e->pkey, EVP_sha256()) &&
		  PEM_write_bio_X509_REQ(csr, req) &&
		  PEM_write_bio_PKCS8PrivateKey(key, e->pkey, NULL, NULL, 0, NULL, NULL);

	X509_REQ_free(req);
	e->csr = bio_steal(csr);
	e->key = bio_steal(key);
	return ok && e->csr && e->key;
}

static void host_name(char out[static 65])
{
	if (gethostname(out, 64) || !out[0])
		memcpy(out, "unnamed", sizeof("unnamed"));
	out[64] = '\0';
}

static ht_err make_key(struct enroll *e)
{
	char host[65] = "";

	host_name(host);
	e->pkey = EVP_EC_gen("P-256");
	if (!e->pkey || !make_request(e, host))
		return ht_fault_set(&e->fault, HT_NOMEM, "the key could not be made");
	return HT_OK;
}

static void put(struct json_object *map, const char *key, const char *text)
{
	json_object_object_add(map, key, json_object_new_string(text));
}

static struct json_object *get(
    struct json_object *map, const char *key, enum json_type type)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(map, key, &value) &&
		       json_object_is_type(value, type)
		   ? value
		   : NULL;
}

static const char *get_text(struct json_object *map, const char *key)
{
	struct json_object *value = get(map, key, json_type_string);

	return value ? json_object_get_string(value) : NULL;
}

static ht_err send_request(struct enroll *e, struct json_object **out)
{
	struct json_object *ask = json_object_new_object(), *answer;
	struct ht_buf body;
	char host[65] = "";
	long status = 0;

	host_name(host);
	put(ask, "token", e->token);
	put(ask, "csr", e->csr);
	put(ask, "fingerprint", e->fingerprint);
	put(ask, "hostname", host);
	put(ask, "version", HATANG_VERSION);
	if (e->id)
		put(ask, "agent", e->id);
	ht_buf_init(&body, REPLY_MAX);
	ht_err err = request(e, "/api/v1/enroll",
	    json_object_to_json_string_ext(ask, JSON_C_TO_STRING_PLAIN), &body, &status);
	json_object_put(ask);
	answer = err ? NULL : json_tokener_parse(ht_buf_text(&body));
	ht_buf_fini(&body);
	if (err)
		return err;
	if (status == 201 && answer) {
		*out = answer;
		return HT_OK;
	}
	const char *detail = answer ? get_text(answer, "detail") : NULL;
	err = ht_fault_set(&e->fault, HT_DENIED, "the server refuses (%ld): %s", status,
	    detail ? detail : "no reason given");
	json_object_put(answer);
	return err;
}

/* ── what is written ──────────────────────────────────────────────────────────────── */

/* The files belong to whom the folder belongs to: the agent does not run as root. */
static ht_err write_owned(
    struct enroll *e, const char *name, const char *text, mode_t mode)
{
	char file[PATH_MAX];
	struct stat st;

	snprintf(file, sizeof(file), "%s/%s", e->dir, name);
	ht_err err = ht_file_write(file, text, strlen(text), mode, &e->fault);
	if (!err && geteuid() == 0 && stat(e->dir, &st) == 0 &&
	    chown(file, st.st_uid, st.st_gid) < 0)
		err = ht_fault_set(&e->fault, HT_IO, "cannot give %s to its user: %s",
		    file, strerror(errno));
	return err;
}

static bool is_ours(const struct enroll *e, const char *pem)
{
	X509 *cert = read_cert(pem);
	bool ours = cert && X509_check_private_key(cert, e->pkey) == 1;

	X509_free(cert);
	return ours;
}

/* A host name or an address goes into YAML as it is; nothing else does. */
static bool is_host(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < 256 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567"
			    "89.-:_") == len;
}

static ht_err put_ports(struct json_object *mqtt, struct ht_buf *out)
{
	struct json_object *ports = get(mqtt, "ports", json_type_array);
	size_t n = ports ? json_object_array_length(ports) : 0;

	if (n < 1 || n > 3)
		return HT_MALFORMED;
	for (size_t i = 0; i < n; i++) {
		int port = json_object_get_int(json_object_array_get_idx(ports, i));
		if (port < 1 || port > 65535)
			return HT_MALFORMED;
		ht_buf_printf(out, "%s%d", i ? ", " : "", port);
	}
	return HT_OK;
}

static ht_err make_config(
    const struct enroll *e, struct json_object *answer, struct ht_buf *out)
{
	struct json_object *mqtt = get(answer, "mqtt", json_type_object);
	const char *id = get_text(answer, "agent");
	const char *host = mqtt ? get_text(mqtt, "host") : NULL;
	const char *tls_name = mqtt ? get_text(mqtt, "tls_name") : NULL;

	if (!id || !ht_id_valid(id, HT_ID_MAX) || !host || !is_host(host) ||
	    (tls_name && !is_host(tls_name)))
		return HT_MALFORMED;
	ht_buf_printf(out,
	    "# Written by hatang-agent enroll. What to measure comes from the server, "
	    "once an\n"
	    "# administrator has approved what `hatang-agent propose` found.\n"
	    "agent:\n  id: \"%s\"\n  state_dir: \"%s\"\n"
	    "mqtt:\n  host: \"%s\"\n  ports: [",
	    id, e->dir, host);
	ht_err err = put_ports(mqtt, out);
	ht_buf_puts(out, "]\n");
	if (tls_name && strcmp(tls_name, host) != 0)
		ht_buf_printf(out, "  tls_name: \"%s\"\n", tls_name);
	ht_buf_printf(out,
	    "  ca: \"%s/ca.pem\"\n  cert: \"%s/cert.pem\"\n  key: \"%s/key.pem\"\n",
	    e->dir, e->dir, e->dir);
	return err ? err : ht_buf_err(out);
}

static ht_err write_files(struct enroll *e, struct json_object *answer,
    const struct ht_buf *config, bool *out_config)
{
	const char *cert = get_text(answer, "certificate");
	char folder[PATH_MAX];

	if (!cert || !is_ours(e, cert))
		return ht_fault_set(&e->fault, HT_MALFORMED,
		    "the server's answer holds no certificate for this key: are the "
		    "versions alike?");
	ht_err err = ht_folder_make(e->dir, 0700, &e->fault);
	if (!err)
		err = write_owned(e, "key.pem", e->key, 0600);
	if (!err)
		err = write_owned(e, "ca.pem", e->ca, 0644);
	if (!err)
		err = write_owned(e, "cert.pem", cert, 0644);
	*out_config = access(e->config, F_OK) < 0;
	if (err || !*out_config)
		return err;
	snprintf(folder, sizeof(folder), "%s", e->config);
	char *slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		err = ht_folder_make(folder, 0755, &e->fault);
	}
	return err ? err
		   : ht_file_write(
			 e->config, ht_buf_text(config), config->len, 0644, &e->fault);
}

static ht_err finish(struct enroll *e, struct json_object *answer)
{
	struct ht_buf config;
	bool written = false;

	ht_buf_init(&config, 8192);
	ht_err err = make_config(e, answer, &config);
	if (err)
		err = ht_fault_set(&e->fault, err,
		    "the server's answer is not understood: are the versions alike?");
	else
		err = write_files(e, answer, &config, &written);
	if (!err) {
		printf("Enrolled as %s of %s.\n", get_text(answer, "agent"),
		    get_text(answer, "agency"));
		printf("  key, certificate and CA: %s/{key,cert,ca}.pem\n", e->dir);
		printf(written ? "  configuration: %s\n"
			       : "  configuration: %s was there and stays as it is\n",
		    e->config);
	}
	ht_buf_fini(&config);
	return err;
}

static ht_err run(struct enroll *e)
{
	struct json_object *answer = NULL;
	ht_err err = enroll_url(e->server, e->url, sizeof(e->url), &e->fault);

	if (!err && enroll_token_ca(e->token, e->ca_hex))
		err = ht_fault_set(&e->fault, HT_MALFORMED,
		    "this is no token: copy it whole, as hatang token create printed it");
	if (!err && fingerprint_read(e->fingerprint))
		err = ht_fault_set(
		    &e->fault, HT_IO, "this machine's fingerprint cannot be read");
	if (err)
		return err;
	printf("Asking %s who it is…\n", e->url);
	err = fetch_ca(e);
	if (!err)
		err = make_key(e);
	if (!err) {
		printf("It is the server of the token. Sending the request…\n");
		err = send_request(e, &answer);
	}
	if (!err)
		err = finish(e, answer);
	json_object_put(answer);
	return err;
}

/* ── the verb ─────────────────────────────────────────────────────────────────────── */

static int usage(FILE *to, int code)
{
	fputs(
	    "usage: hatang-agent enroll --server URL --token TOKEN [--id ID] [--dir DIR] "
	    "[--config FILE]\n\n"
	    "Makes a key, has the server sign it with a one-time token, and writes what\n"
	    "`hatang-agent run` needs.\n\n"
	    "  --server URL   the server's address, https://… (http:// for this machine "
	    "alone)\n"
	    "  --token TOKEN  as `hatang token create` printed it; --token @FILE reads "
	    "it from a file\n"
	    "  --id ID        the agent's id; default: the server's choice\n"
	    "  --dir DIR      where key and certificates go; default "
	    "/var/lib/hatang/agent\n"
	    "  --config FILE  written unless it is there; default " OPTIONS_FILE "\n",
	    to);
	return code;
}

/* A command line is seen by every user of the machine: a file is not. */
static ht_err read_token(const char *file, char **out, struct ht_fault *fault)
{
	size_t len;
	ht_err err = ht_file_read(file, 1024, out, &len, fault);

	if (!err)
		(*out)[strcspn(*out, " \r\n")] = '\0';
	return err;
}

static int parse(int argc, char **argv, struct enroll *e)
{
	static const struct option table[] = {
		{ "server", required_argument, NULL, 's' },
		{ "token", required_argument, NULL, 't' },
		{ "id", required_argument, NULL, 'i' },
		{ "dir", required_argument, NULL, 'd' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 's':
			e->server = optarg;
			break;
		case 't':
			e->token = optarg;
			break;
		case 'i':
			e->id = optarg;
			break;
		case 'd':
			e->dir = optarg;
			break;
		case 'c':
			e->config = optarg;
			break;
		case 'h':
			return usage(stdout, HT_EXIT_OK);
		default:
			return usage(stderr, HT_EXIT_USAGE);
		}
	}
	if (!e->server || !e->token || optind < argc || e->dir[0] != '/' ||
	    strpbrk(e->dir, "\"\\\n"))
		return usage(stderr, HT_EXIT_USAGE);
	return -1;
}

int enroll_main(int argc, char **argv)
{
	struct enroll e = { .dir = "/var/lib/hatang/agent", .config = OPTIONS_FILE };
	char *token = NULL;
	ht_err err = HT_OK;
	int code = parse(argc, argv, &e);

	if (code >= 0)
		return code;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (e.token[0] == '@') {
		err = read_token(e.token + 1, &token, &e.fault);
		e.token = token;
	}
	if (!err && curl_global_init(CURL_GLOBAL_DEFAULT))
		err = HT_NOMEM;
	if (!err)
		err = run(&e);
	if (err)
		fprintf(stderr, "hatang-agent: %s\n",
		    e.fault.text[0] ? e.fault.text : ht_err_name(err));
	curl_global_cleanup();
	if (e.key)
		OPENSSL_cleanse(e.key, strlen(e.key));
	EVP_PKEY_free(e.pkey);
	free(e.key);
	free(e.csr);
	free(e.ca);
	free(token);
	return err ? HT_EXIT_FAILURE : HT_EXIT_OK;
}
