#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/option.h"

#define DEFAULT_URL "http://127.0.0.1:8080"
enum { CONNECT_TIMEOUT_S = 10, TIMEOUT_S = 120, TOKEN_MAX = 512, PAGES_MAX = 10000 };

#define AT(f) offsetof(struct client_settings, f)
static const struct ht_option rows[] = {
	{ .key = "url",
	    .type = HT_OPT_STRING,
	    .offset = AT(url),
	    .def = DEFAULT_URL,
	    .help = "the server's address" },
	{ .key = "ca",
	    .type = HT_OPT_STRING,
	    .offset = AT(ca),
	    .help = "CA file for https" },
	{ .key = "token_file",
	    .type = HT_OPT_STRING,
	    .offset = AT(token_file),
	    .help = "file of the API token, mode 0600" },
};
#undef AT
static const struct ht_options settings_options =
    HT_OPTIONS(struct client_settings, rows);

static char *in_config_dir(const char *name)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	struct ht_buf b;

	ht_buf_init(&b, 4096);
	if (base && *base)
		ht_buf_printf(&b, "%s/hatang/%s", base, name);
	else
		ht_buf_printf(&b, "%s/.config/hatang/%s", home ? home : ".", name);
	return ht_buf_steal(&b);
}

static ht_err from_env(char **at, const char *name)
{
	const char *v = getenv(name);

	if (!v || !*v)
		return HT_OK;
	free(*at);
	*at = strdup(v);
	return *at ? HT_OK : HT_NOMEM;
}

ht_err client_settings_load(struct client_settings *out, struct ht_fault *fault)
{
	struct client_settings s = { 0 };
	struct ht_yaml y = { 0 };
	char *file = in_config_dir("cli.yaml");
	ht_err err = file ? ht_yaml_load(file, &y, fault) : HT_NOMEM;

	if (err == HT_NOTFOUND)
		err = HT_OK;
	if (!err)
		err = ht_options_load(&settings_options, NULL, y.root, &s, fault);
	if (!err)
		err = from_env(&s.url, "HATANG_URL");
	if (!err)
		err = from_env(&s.ca, "HATANG_CA");
	if (!err)
		err = from_env(&s.token_file, "HATANG_TOKEN_FILE");
	if (!err && !s.token_file) {
		s.token_file = in_config_dir("token");
		err = s.token_file ? HT_OK : HT_NOMEM;
	}
	for (size_t n = s.url ? strlen(s.url) : 0; !err && n && s.url[n - 1] == '/'; n--)
		s.url[n - 1] = '\0';
	ht_yaml_fini(&y);
	free(file);
	if (err)
		client_settings_fini(&s);
	else
		*out = s;
	return err;
}

void client_settings_fini(struct client_settings *s)
{
	ht_options_fini(&settings_options, s);
}

/* ── one request ─────────────────────────────────────────────────────────────────── */

static ht_err read_token(const char *file, char *out, size_t cap, struct ht_fault *fault)
{
	struct stat st;
	FILE *f = fopen(file, "re");

	if (!f)
		return ht_fault_set(fault, HT_DENIED,
		    "not logged in: %s: %s; run `hatang login`", file, strerror(errno));
	if (fstat(fileno(f), &st) == 0 && (st.st_mode & 077)) {
		fclose(f);
		return ht_fault_set(fault, HT_DENIED,
		    "%s can be read by others: chmod 600 it, and think of ending that "
		    "token",
		    file);
	}
	if (!fgets(out, (int)cap, f))
		out[0] = '\0';
	fclose(f);
	out[strcspn(out, "\r\n")] = '\0';
	return *out ? HT_OK
		    : ht_fault_set(
			  fault, HT_DENIED, "%s is empty; run `hatang login`", file);
}

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct ht_buf *body = arg;

	ht_buf_put(body, bytes, size * n);
	return ht_buf_err(body) ? 0 : size * n;
}

/* "Set-Cookie: name=value; …" */
static size_t take_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct client_answer *a = arg;
	static const char name[] = "set-cookie: ";
	size_t len = size * n, from = sizeof(name) - 1, to = from;

	if (len <= from || strncasecmp(bytes, name, from) != 0)
		return len;
	while (to < len && bytes[to] != ';' && bytes[to] != '\r')
		to++;
	if (to - from < sizeof(a->cookie)) {
		memcpy(a->cookie, bytes + from, to - from);
		a->cookie[to - from] = '\0';
	}
	return len;
}

static ht_err add_header(struct curl_slist **list, const char *name, const char *value)
{
	struct ht_buf b;
	ht_err err = HT_OK;

	ht_buf_init(&b, 2048);
	ht_buf_printf(&b, "%s: %s", name, value);
	struct curl_slist *more =
	    ht_buf_err(&b) ? NULL : curl_slist_append(*list, ht_buf_text(&b));
	if (more)
		*list = more;
	else
		err = HT_NOMEM;
	ht_buf_fini(&b);
	return err;
}

static ht_err who_we_are(const struct client_settings *s, const struct client_request *rq,
    struct curl_slist **headers, struct ht_fault *fault)
{
	char token[TOKEN_MAX], bearer[TOKEN_MAX + 16];
	ht_err err;

	if (rq->csrf && (err = add_header(headers, "X-CSRF-Token", rq->csrf)))
		return err;
	if (rq->cookie)
		return *rq->cookie ? add_header(headers, "Cookie", rq->cookie) : HT_OK;
	err = read_token(s->token_file, token, sizeof(token), fault);
	if (err)
		return err;
	snprintf(bearer, sizeof(bearer), "Bearer %s", token);
	return add_header(headers, "Authorization", bearer);
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return o && json_object_object_get_ex(o, key, &v) ? json_object_get_string(v)
							  : NULL;
}

static ht_err judge(const struct client_settings *s, const struct client_answer *a,
    struct ht_fault *fault)
{
	const char *detail = text_of(a->json, "detail");

	if (a->status >= 200 && a->status < 300)
		return HT_OK;
	if (!detail && text_of(a->json, "problems"))
		detail = "refused for what is said above; nothing was changed";
	if (!detail)
		return ht_fault_set(fault, HT_IO,
		    "%s answered %ld without saying why; is it hatang's server?", s->url,
		    a->status);
	return ht_fault_set(
	    fault, a->status == 404 ? HT_NOTFOUND : HT_INVALID, "%s", detail);
}

static ht_err perform(CURL *curl, const struct client_settings *s,
    const struct client_request *rq, struct client_answer *out, struct ht_fault *fault)
{
	char why[CURL_ERROR_SIZE] = "", url[2048];
	struct curl_slist *headers = NULL;
	struct ht_buf body;
	ht_err err;

	ht_buf_init(&body, CLIENT_BODY_MAX);
	snprintf(url, sizeof(url), "%s%s", s->url, rq->path);
	err = who_we_are(s, rq, &headers, fault);
	if (!err && rq->body)
		err = add_header(&headers, "Content-Type",
		    rq->content_type ? rq->content_type : "application/json");
	if (err)
		goto out;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, rq->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "hatang/" HATANG_VERSION);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, out);
	if (s->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca);
	if (rq->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, rq->body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->len);
	}
	CURLcode rc = curl_easy_perform(curl);
	if (rc != CURLE_OK) {
		err = ht_fault_set(fault, HT_IO,
		    "cannot talk to %s: %s; is the server running, and is HATANG_URL "
		    "right?",
		    s->url, why[0] ? why : curl_easy_strerror(rc));
		goto out;
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out->status);
	out->json = body.len ? json_tokener_parse(ht_buf_text(&body)) : NULL;
	if (!out->json) {
		out->len = body.len;
		out->text = ht_buf_steal(&body);
	}
	err = judge(s, out, fault);
out:
	curl_slist_free_all(headers);
	ht_buf_fini(&body);
	return err;
}

ht_err client_send(const struct client_settings *s, const struct client_request *rq,
    struct client_answer *out, struct ht_fault *fault)
{
	CURL *curl = curl_easy_init();

	*out = (struct client_answer){ 0 };
	if (!curl)
		return ht_fault_set(fault, HT_NOMEM, "out of memory");
	ht_err err = perform(curl, s, rq, out, fault);
	curl_easy_cleanup(curl);
	if (err == HT_NOMEM)
		ht_fault_set(fault, err, "out of memory");
	return err;
}

void client_answer_fini(struct client_answer *a)
{
	json_object_put(a->json);
	free(a->text);
	*a = (struct client_answer){ 0 };
}

/* ── lists ───────────────────────────────────────────────────────────────────────── */

/* Move the page's items to `all`; the cursor of the next page into `next`, or "". */
static ht_err take_page(
    struct json_object *page, struct json_object *all, char *next, size_t cap)
{
	struct json_object *items;
	const char *cursor = text_of(page, "next");

	if (!json_object_object_get_ex(page, "items", &items) ||
	    !json_object_is_type(items, json_type_array))
		return HT_MALFORMED;
	for (size_t i = 0; i < json_object_array_length(items); i++)
		json_object_array_add(
		    all, json_object_get(json_object_array_get_idx(items, i)));
	char *escaped = cursor ? curl_easy_escape(NULL, cursor, 0) : NULL;
	snprintf(next, cap, "%s", escaped ? escaped : "");
	curl_free(escaped);
	return HT_OK;
}

ht_err client_list(const struct client_settings *s, const char *path,
    struct json_object **out, struct ht_fault *fault)
{
	struct json_object *all = json_object_new_array();
	char next[600] = "", url[1600];
	ht_err err = HT_OK;
	int page = 0;

	do {
		struct client_request rq = { .method = "GET", .path = url };
		struct client_answer a;
		char glue = strchr(path, '?') ? '&' : '?';

		snprintf(url, sizeof(url), "%s%climit=1000%s%s", path, glue,
		    *next ? "&after=" : "", next);
		err = client_send(s, &rq, &a, fault);
		if (!err && take_page(a.json, all, next, sizeof(next)))
			err = ht_fault_set(fault, HT_MALFORMED,
			    "%s%s: the answer is no list", s->url, path);
		client_answer_fini(&a);
	} while (!err && *next && ++page < PAGES_MAX);
	if (err)
		json_object_put(all);
	else
		*out = all;
	return err;
}
