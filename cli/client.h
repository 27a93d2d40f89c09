/* One conversation with hatang-server's HTTP API, by libcurl. Where the server is and who
 * we are come from, in this order: HATANG_URL, HATANG_CA and HATANG_TOKEN_FILE in the
 * environment, then ~/.config/hatang/cli.yaml (url, ca, token_file), then defaults. The
 * token is read from a file of mode 0600, never from the command line. */
#ifndef HT_CLI_CLIENT_H
#define HT_CLI_CLIENT_H

#include <json-c/json.h>
#include <stddef.h>

#include "base/err.h"

#define CLIENT_BODY_MAX (64u << 20) /* bytes of an answer */

struct client_settings {
	char *url;        /* without a slash at its end */
	char *ca;         /* file, or NULL: the system's */
	char *token_file; /* may not exist yet */
};

/* HT_CONFIG with the place and the cure. Free with client_settings_fini. */
HT_MUST_CHECK ht_err client_settings_load(
    struct client_settings *out, struct ht_fault *fault);
void client_settings_fini(struct client_settings *s);

struct client_request {
	const char *method;       /* "GET", "POST" … */
	const char *path;         /* "/api/v1/agents", already escaped */
	const char *content_type; /* of the body; NULL for JSON */
	const char *body;         /* NULL for none */
	size_t len;
	const char *cookie, *csrf; /* a session instead of the token; or NULL */
};

struct client_answer {
	long status;              /* HTTP */
	struct json_object *json; /* NULL when the body was empty or no JSON … */
	char *text;               /* … which it then is as it came, or NULL */
	size_t len;
	char cookie[512]; /* "name=value" of the session cookie, or "" */
};

/* Send one request with the stored token. HT_OK for any 2xx answer. On failure the fault
 * says what is wrong and what to do; for a problem document of the server (RFC 9457) that
 * is its detail, and `out` holds it too. Free with client_answer_fini, in every case. */
HT_MUST_CHECK ht_err client_send(const struct client_settings *s,
    const struct client_request *rq, struct client_answer *out, struct ht_fault *fault);
void client_answer_fini(struct client_answer *a);

/* GET every page of a list and return its items as one array. The caller puts it. */
HT_MUST_CHECK ht_err client_list(const struct client_settings *s, const char *path,
    struct json_object **out, struct ht_fault *fault);

#endif
