#include "server/web/web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/store/writer.h"
#include "server/web/context.h"
#include "server/web/http.h"

#define WEB_URI_MAX     (ROUTE_PATH_MAX + PARAM_QUERY_MAX + 1)
#define WEB_HEADERS_MAX (16 * 1024) /* bytes of a request's head, with its URI */
#define WEB_TIMEOUT_S   30
#define WEB_COOKIE      "hatang_session"

struct web {
	struct web_context context; /* first: handlers see only this */
	struct MHD_Daemon *daemon;
	pthread_key_t thread_db;
	bool has_key;
	char *cert, *key; /* PEM texts while the daemon runs */
	uint16_t port;
};

/* One exchange, from its first line to its reply. */
struct exchange {
	char *uri; /* as sent: path and query, still escaped; NULL: too long */
	size_t path_len, query_at, query_len;
	bool started;
	const struct route *route;
	struct route_args args;
	const struct file *file;
	ht_err found; /* of route_find */
	struct ht_buf body;
	bool too_large;
};

struct web_context *web_context(struct web *web)
{
	return &web->context;
}

uint16_t web_port(const struct web *web)
{
	return web->port;
}

/* ── one exchange ── */

static void *web_begin(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct exchange *x = calloc(1, sizeof(*x));

	(void)arg;
	(void)connection;
	if (!x)
		return NULL;
	size_t len = strnlen(uri, WEB_URI_MAX + 1);
	if (len <= WEB_URI_MAX)
		x->uri = strndup(uri, len);
	if (x->uri) {
		char *mark = memchr(x->uri, '?', len);

		x->path_len = mark ? (size_t)(mark - x->uri) : len;
		x->query_at = mark ? x->path_len + 1 : len;
		x->query_len = len - x->query_at;
	}
	return x;
}

static void web_end(void *arg, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;

	(void)arg;
	(void)connection;
	(void)why;
	if (!x)
		return;
	free(x->uri);
	ht_buf_fini(&x->body);
	free(x);
	*state = NULL;
}

static void web_find(struct web *web, struct exchange *x, const char *method_name)
{
	enum route_method method;
	char path[ROUTE_PATH_MAX + 1];

	if (strcmp(method_name, "HEAD") == 0)
		method_name = "GET";
	if (!x->uri) {
		x->found = HT_TOOLARGE;
	} else if (!route_method_find(method_name, &method)) {
		x->found = HT_UNSUPPORTED;
	} else {
		x->found = route_find(
		    routes, routes_len, method, x->uri, x->path_len, &x->route, &x->args);
		if (x->found == HT_NOTFOUND && method == ROUTE_GET &&
		    web->context.files &&
		    !param_unescape(x->uri, x->path_len, false, path, sizeof(path)))
			x->file = files_find(web->context.files, path);
	}
	ht_buf_init(&x->body,
	    x->route && x->route->body_max ? x->route->body_max : ROUTE_BODY_MAX);
}

static void web_db_close(void *db)
{
	db_close(db);
}

/* This thread's read-only connection. */
static ht_err web_db(struct web *web, struct db **out)
{
	struct db *db = pthread_getspecific(web->thread_db);
	struct ht_fault fault = { 0 };

	if (!db) {
		ht_err err = db_open(web->context.options.db_file, true, &db, &fault);

		if (err) {
			ht_log_error("web.store", "%s", fault.text);
			return err;
		}
		pthread_setspecific(web->thread_db, db);
	}
	*out = db;
	return HT_OK;
}

static const char *web_header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static void web_peer(
    struct MHD_Connection *c, struct request *rq, char text[static INET6_ADDRSTRLEN])
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info ? info->client_addr : NULL;

	text[0] = '\0';
	if (sa && sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		inet_ntop(AF_INET, &in->sin_addr, text, INET6_ADDRSTRLEN);
		rq->peer_is_loopback = ntohl(in->sin_addr.s_addr) >> 24 == 127;
	} else if (sa && sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN);
		rq->peer_is_loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	}
	rq->peer = text;
}

struct web_touch {
	const uint8_t *hash;
	int64_t now_ms;
};

static ht_err web_touch(struct db *db, void *arg)
{
	struct web_touch *t = arg;

	return account_token_touch(db, t->hash, t->now_ms);
}

/* Who asks? Nobody is fine here; web_may() decides. */
static ht_err web_who(struct MHD_Connection *c, struct request *rq)
{
	const char *bearer = web_header(c, "Authorization");
	const char *cookie = MHD_lookup_connection_value(c, MHD_COOKIE_KIND, WEB_COOKIE);
	ht_err err = HT_DENIED;

	if (bearer && strncasecmp(bearer, "Bearer ", 7) == 0)
		err = account_of_token(
		    rq->db, bearer + 7, ACCOUNT_API, rq->now_ms, &rq->who);
	else if (cookie)
		err = account_of_token(
		    rq->db, cookie, ACCOUNT_SESSION, rq->now_ms, &rq->who);
	if (!err && rq->writer && rq->now_ms - rq->who.last_used_ms > ACCOUNT_TOUCH_MS) {
		struct web_touch touch = { rq->who.token_hash, rq->now_ms };

		if (writer_call(rq->writer, web_touch, &touch))
			ht_log_debug("web.touch", "account=%s", rq->who.name);
	}
	return err == HT_DENIED ? HT_OK : err;
}

static bool web_may(struct MHD_Connection *c, const struct request *rq, struct reply *re)
{
	const struct route *route = rq->route;

	if (route->role == ROUTE_PUBLIC)
		return true;
	if (rq->who.kind == ACCOUNT_NOBODY) {
		http_problem(re, 401, "login", "Log in first",
		    "%s needs a login: POST /api/v1/session, or send an API token as "
		    "\"Authorization: Bearer …\"",
		    route->path);
		return false;
	}
	if (rq->who.role < route->role) {
		http_denied(
		    re, "your role may not do this: ask an admin for a higher role");
		return false;
	}
	if (rq->who.kind == ACCOUNT_SESSION && route->method != ROUTE_GET &&
	    !account_csrf_fits(&rq->who, web_header(c, "X-CSRF-Token"))) {
		http_problem(re, 403, "csrf", "Missing CSRF token",
		    "writes with a session cookie need the header X-CSRF-Token: the "
		    "value is in GET /api/v1/session");
		return false;
	}
	return true;
}

static void web_route(
    struct exchange *x, struct MHD_Connection *c, struct request *rq, struct reply *re)
{
	struct ht_fault fault = { 0 };
	const struct route *route = rq->route;
	ht_err err = web_who(c, rq);

	if (err) {
		http_failed(re, err, "looking the session up");
		return;
	}
	if (!web_may(c, rq, re))
		return;
	err = param_query(route->query, route->n_query, x->uri + x->query_at,
	    x->query_len, &rq->query, &fault);
	if (!err && route->body == ROUTE_JSON)
		err = param_json(route->fields, route->n_fields, x->body.data,
		    x->body.len, &rq->fields, &fault);
	if (err)
		http_from_err(re, err, &fault);
	else
		route->handler(rq, re);
	param_set_fini(&rq->query);
	param_set_fini(&rq->fields);
}

static void web_handle(
    struct web *web, struct exchange *x, struct MHD_Connection *c, struct reply *re)
{
	char peer[INET6_ADDRSTRLEN];
	struct request rq = {
		.route = x->route,
		.args = x->args,
		.body = x->body.data,
		.body_len = x->body.len,
		.if_none_match = web_header(c, "If-None-Match"),
		.writer = web->context.options.writer,
		.web = web,
		.now_ms = ht_wall_ms(),
	};
	ht_err err = web_db(web, &rq.db);

	if (!err)
		err = db_begin_read(rq.db);
	if (err) {
		http_failed(re, err, "opening the store");
		return;
	}
	web_peer(c, &rq, peer);
	web_route(x, c, &rq, re);
	db_rollback(rq.db);
}

static void web_refuse(const struct exchange *x, const char *method, struct reply *re)
{
	switch (x->found) {
	case HT_TOOLARGE:
		http_problem(re, 414, "uri-too-long", "The address is too long",
		    "path and query together may have %d bytes: shorten them",
		    WEB_URI_MAX);
		break;
	case HT_UNSUPPORTED:
		http_problem(re, 405, "method", "Method not allowed",
		    "%.16s is not what this path takes: /api/v1/openapi.yaml lists the "
		    "methods",
		    method);
		break;
	case HT_MALFORMED:
		http_problem(re, 400, "path", "The path is not valid",
		    "a part of the path is no id: use letters, digits and . _ : -");
		break;
	default:
		http_problem(re, 404, "no-route", "No such path",
		    "there is nothing at %.*s: /api/v1/openapi.yaml lists every path",
		    x->uri ? (int)x->path_len : 0, x->uri ? x->uri : "");
	}
}

static void web_file(
    const struct exchange *x, const char *if_none_match, struct reply *re)
{
	re->content_type = x->file->type;
	re->etag = x->file->etag;
	re->may_cache = true;
	if (if_none_match && strstr(if_none_match, x->file->etag)) {
		re->status = 304;
		return;
	}
	re->file = x->file->bytes;
	re->file_len = x->file->len;
}

/* ── the reply ── */

static void web_headers(
    const struct web *web, const struct reply *re, struct MHD_Response *r)
{
	static const char *const fixed[][2] = {
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
	};
	static const char policy[] = "default-src 'none'; script-src 'self'; "
				     "style-src 'self'; img-src 'self' data:; "
				     "font-src 'self'; connect-src 'self'; "
				     "base-uri 'none'; form-action 'self'; "
				     "frame-ancestors 'none'";
	char seconds[16];

	for (size_t i = 0; i < HT_COUNT(fixed); i++)
		MHD_add_response_header(r, fixed[i][0], fixed[i][1]);
	MHD_add_response_header(
	    r, "Content-Security-Policy", re->policy ? re->policy : policy);
	MHD_add_response_header(
	    r, "Cache-Control", re->may_cache ? "no-cache" : "no-store");
	if (web->context.tls)
		MHD_add_response_header(
		    r, "Strict-Transport-Security", "max-age=31536000");
	if (re->content_type && (re->body.len || re->file))
		MHD_add_response_header(r, "Content-Type", re->content_type);
	if (re->etag)
		MHD_add_response_header(r, "ETag", re->etag);
	if (re->cookie[0])
		MHD_add_response_header(r, "Set-Cookie", re->cookie);
	if (re->location[0])
		MHD_add_response_header(r, "Location", re->location);
	if (re->status == 401)
		MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
	if (re->retry_after_s > 0) {
		snprintf(seconds, sizeof(seconds), "%d", re->retry_after_s);
		MHD_add_response_header(r, "Retry-After", seconds);
	}
}

static enum MHD_Result web_send(
    struct web *web, struct MHD_Connection *c, struct reply *re)
{
	struct MHD_Response *r;
	size_t len = re->body.len;

	if (ht_buf_err(&re->body)) {
		http_problem(re, 500, "too-large-reply", "The reply is too large",
		    "it would pass %d bytes: ask for a smaller page by limit",
		    HTTP_REPLY_MAX);
		len = re->body.len;
	}
	if (re->file) {
		r = MHD_create_response_from_buffer(
		    re->file_len, (void *)(uintptr_t)re->file, MHD_RESPMEM_PERSISTENT);
	} else {
		char *bytes = len ? ht_buf_steal(&re->body) : NULL;

		/* The headers want to know that there was a body. */
		re->body.len = len;
		r = MHD_create_response_from_buffer(bytes ? len : 0,
		    bytes ? bytes : (void *)"",
		    bytes ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
		if (!r)
			free(bytes);
	}
	if (!r)
		return MHD_NO;
	web_headers(web, re, r);
	re->body.len = 0;
	enum MHD_Result queued = MHD_queue_response(c, (unsigned)re->status, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result web_answer(
    struct web *web, struct exchange *x, struct MHD_Connection *c, const char *method)
{
	struct reply re = { .status = 200, .content_type = "application/json" };
	struct web_counters *count = &web->context.counters;
	int64_t from_ns = ht_mono_ns();
	enum MHD_Result queued;

	ht_buf_init(&re.body, HTTP_REPLY_MAX);
	if (x->too_large)
		http_problem(&re, 413, "too-large", "The body is too large",
		    "this path takes at most %zu bytes: send less", x->body.max);
	else if (x->file)
		web_file(x, web_header(c, "If-None-Match"), &re);
	else if (x->found)
		web_refuse(x, method, &re);
	else
		web_handle(web, x, c, &re);
	atomic_fetch_add(&count->by_class[re.status / 100 % 6], 1);
	if (re.stream) {
		ht_err err = events_attach(web->context.events, c);

		if (err == HT_FULL)
			http_problem(&re, 503, "streams", "Too many event streams",
			    "%d streams are open: close a browser or try later",
			    EVENTS_STREAMS_MAX);
		queued = !err ? MHD_YES : err == HT_FULL ? web_send(web, c, &re) : MHD_NO;
	} else {
		queued = web_send(web, c, &re);
	}
	atomic_fetch_add(&count->busy_us, (uint64_t)(ht_mono_ns() - from_ns) / 1000);
	ht_buf_fini(&re.body);
	return queued;
}

static bool web_body_announced_too_large(
    const struct exchange *x, struct MHD_Connection *c)
{
	const char *text = web_header(c, "Content-Length");
	char *end;

	if (!text)
		return false;
	errno = 0;
	unsigned long long len = strtoull(text, &end, 10);
	return errno || len > x->body.max;
}

static enum MHD_Result web_access(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *data, size_t *len, void **state)
{
	struct web *web = arg;
	struct exchange *x = *state;

	(void)url;
	(void)version;
	if (!x)
		return MHD_NO;
	if (!x->started) {
		x->started = true;
		web_find(web, x, method);
		x->too_large = web_body_announced_too_large(x, c);
		return x->too_large ? web_answer(web, x, c, method) : MHD_YES;
	}
	if (*len > 0) {
		/* Chunked bodies announce nothing. */
		if (!x->too_large)
			ht_buf_put(&x->body, data, *len);
		if (ht_buf_err(&x->body))
			x->too_large = true;
		*len = 0;
		return MHD_YES;
	}
	return web_answer(web, x, c, method);
}

/* ── life cycle ── */

static void web_log(void *arg, const char *fmt, va_list args) HT_PRINTF(2, 0);

static void web_log(void *arg, const char *fmt, va_list args)
{
	char text[512];

	(void)arg;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	ht_log_debug("web.http", "%s", text);
}

static ht_err web_pem(const char *file, char **out, struct ht_fault *fault)
{
	char *text = calloc(1, 65536);
	FILE *from = fopen(file, "re");
	size_t n = from && text ? fread(text, 1, 65535, from) : 0;

	if (from)
		fclose(from);
	if (n == 0) {
		free(text);
		return ht_fault_set(fault, HT_CONFIG,
		    "%s: the PEM file cannot be read: check its name and rights", file);
	}
	*out = text;
	return HT_OK;
}

static ht_err web_copy_options(struct web *web, const struct web_options *o)
{
	struct web_options *mine = &web->context.options;
	const char **texts[] = { &mine->address, &mine->cert_file, &mine->key_file,
		&mine->db_file, &mine->share_dir, &mine->definition };

	*mine = *o;
	if (!mine->address)
		mine->address = "127.0.0.1";
	if (!mine->threads)
		mine->threads = 4;
	if (!mine->connections)
		mine->connections = 512;
	for (size_t i = 0; i < HT_COUNT(texts); i++) {
		if (*texts[i] && !(*texts[i] = strdup(*texts[i]))) {
			while (++i < HT_COUNT(texts))
				*texts[i] = NULL; /* not ours to free */
			return HT_NOMEM;
		}
	}
	return HT_OK;
}

static ht_err web_prepare(struct web *web, struct ht_fault *fault)
{
	const struct web_options *o = &web->context.options;
	uint8_t secret[16];
	char dir[4096];
	ht_err err = account_start();

	if (err)
		return ht_fault_set(fault, err, "libsodium does not start");
	randombytes_buf(secret, sizeof(secret));
	throttle_init(&web->context.throttle, secret);
	if (pthread_key_create(&web->thread_db, web_db_close) != 0)
		return HT_NOMEM;
	web->has_key = true;
	web->context.tls = o->cert_file && o->key_file;
	if (web->context.tls) {
		err = web_pem(o->cert_file, &web->cert, fault);
		if (!err)
			err = web_pem(o->key_file, &web->key, fault);
	}
	if (!err && o->share_dir) {
		snprintf(dir, sizeof(dir), "%s/dashboard", o->share_dir);
		err = files_load(dir, &web->context.files, fault);
		if (err) {
			/* The API is worth having without its pages. */
			ht_log_warn("web.files", "%s", fault ? fault->text : dir);
			err = HT_OK;
		}
	}
	if (!err)
		err = events_start(o->db_file, &web->context.events, fault);
	return err;
}

static ht_err web_listen(struct web *web, struct ht_fault *fault)
{
	const struct web_options *o = &web->context.options;
	struct sockaddr_storage at = { 0 };
	socklen_t at_len;
	struct ht_addr addr;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
			 MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 (web->context.tls ? MHD_USE_TLS : 0);

	if (ht_addr_parse(o->address, &addr))
		return ht_fault_set(fault, HT_CONFIG,
		    "\"%s\" is no address to listen on: use one like 127.0.0.1",
		    o->address);
	ht_addr_sockaddr(&addr, o->port, &at, &at_len);
	if (addr.family == AF_INET6)
		flags |= MHD_USE_IPv6;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, web->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, web->key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0,
		    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL },
	};
	web->daemon = MHD_start_daemon(flags, o->port, NULL, NULL, web_access, web,
	    MHD_OPTION_EXTERNAL_LOGGER, web_log, NULL, MHD_OPTION_SOCK_ADDR,
	    (struct sockaddr *)&at, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)o->threads,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connections,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)(o->connections / 4),
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEB_TIMEOUT_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(2 * WEB_HEADERS_MAX),
	    MHD_OPTION_URI_LOG_CALLBACK, web_begin, web, MHD_OPTION_NOTIFY_COMPLETED,
	    web_end, web, MHD_OPTION_ARRAY, web->context.tls ? tls : &tls[3],
	    MHD_OPTION_END);
	if (!web->daemon)
		return ht_fault_set(fault, HT_IO,
		    "cannot listen on %s port %u (%s): is another program there, or the "
		    "certificate wrong?",
		    o->address, (unsigned)o->port, strerror(errno));
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_BIND_PORT);
	web->port = info ? info->port : o->port;
	return HT_OK;
}

ht_err web_start(
    const struct web_options *options, struct web **out, struct ht_fault *fault)
{
	struct web *web = calloc(1, sizeof(*web));

	if (!web)
		return HT_NOMEM;
	pthread_mutex_init(&web->context.throttle_lock, NULL);
	web->context.started_ms = ht_wall_ms();
	ht_err err = web_copy_options(web, options);
	if (!err)
		err = web_prepare(web, fault);
	if (!err)
		err = web_listen(web, fault);
	if (err) {
		web_stop(web);
		return err;
	}
	ht_log_info("web.listening", "address=%s port=%u tls=%s dashboard=%s",
	    web->context.options.address, (unsigned)web->port,
	    web->context.tls ? "yes" : "no", web->context.files ? "yes" : "no");
	*out = web;
	return HT_OK;
}

void web_stop(struct web *web)
{
	if (!web)
		return;
	struct web_options *o = &web->context.options;
	events_stop(web->context.events);
	if (web->daemon)
		MHD_stop_daemon(web->daemon);
	events_free(web->context.events);
	files_free(web->context.files);
	if (web->has_key)
		pthread_key_delete(web->thread_db);
	pthread_mutex_destroy(&web->context.throttle_lock);
	if (web->key)
		sodium_memzero(web->key, strlen(web->key));
	free(web->key);
	free(web->cert);
	free((char *)(uintptr_t)o->address);
	free((char *)(uintptr_t)o->cert_file);
	free((char *)(uintptr_t)o->key_file);
	free((char *)(uintptr_t)o->db_file);
	free((char *)(uintptr_t)o->share_dir);
	free((char *)(uintptr_t)o->definition);
	free(web);
}
