#include "probes/wan/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probes/wan/service/url.h"

#define BUFFER_BYTES 16384

struct transfer {
	struct transfers *all;
	struct transfer *next, **self;
	CURL *easy;
	struct curl_slist *headers, *resolved;
	struct transfer_events on;
	struct transfer_result result;
	struct tls_watch watch;
	char *host, *ca_file; /* what the watch borrows */
	int fd;               /* that curl waits for; -1: none */
	int64_t max_bytes, timeout_ms, started_ns;
	size_t header_bytes;
	bool too_large, stopped, no_authorities;
	char error[CURL_ERROR_SIZE];
	int64_t low_speed, low_speed_s; /* once the answer has begun */
};

struct transfers {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
	struct transfer *first;
	size_t polls; /* whose close has not been told */
	bool timer_closed, closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* A socket of curl's that the loop watches. */
struct socket_watch {
	uv_poll_t poll;
	struct transfers *all;
	curl_socket_t fd;
};

/* ── curl's sockets and timer on the loop ────────────────────────────────────────── */

static void finish_ready(struct transfers *t);

static void maybe_closed(struct transfers *t)
{
	if (!t->closing || !t->timer_closed || t->polls)
		return;
	void (*closed)(void *arg) = t->closed;
	void *arg = t->closed_arg;

	free(t);
	closed(arg);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct socket_watch *w = handle->data;
	struct transfers *t = w->all;

	free(w);
	t->polls--;
	maybe_closed(t);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct socket_watch *w = poll->data;
	struct transfers *t = w->all;
	int running, flags = status < 0 ? CURL_CSELECT_ERR : 0;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(t->multi, w->fd, flags, &running);
	finish_ready(t);
}

static struct socket_watch *watch_socket(struct transfers *t, curl_socket_t fd)
{
	struct socket_watch *w = calloc(1, sizeof(*w));

	if (!w || uv_poll_init(t->loop, &w->poll, fd)) {
		free(w);
		return NULL;
	}
	w->all = t;
	w->fd = fd;
	w->poll.data = w;
	t->polls++;
	curl_multi_assign(t->multi, fd, w);
	return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct transfers *t = arg;
	struct socket_watch *w = of_socket;
	struct transfer *x = NULL;
	int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
		     (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	/* The one it waits for now is the connection, once there is one; curl does not
	 * tell it (CURLINFO_ACTIVESOCKET) before the transfer's end. */
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&x);
	if (x)
		x->fd = what == CURL_POLL_REMOVE ? -1 : (int)fd;
	if (what == CURL_POLL_REMOVE) {
		if (!w)
			return 0;
		curl_multi_assign(t->multi, fd, NULL);
		uv_poll_stop(&w->poll);
		uv_close((uv_handle_t *)&w->poll, on_poll_closed);
		return 0;
	}
	if (!w)
		w = watch_socket(t, fd);
	return !w || uv_poll_start(&w->poll, events, on_poll) ? -1 : 0;
}

static void on_timer(uv_timer_t *timer)
{
	struct transfers *t = timer->data;
	int running;

	curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_ready(t);
}

static int on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
	struct transfers *t = arg;

	if (t->closing)
		return 0;
	if (timeout_ms < 0) {
		uv_timer_stop(&t->timer);
		return 0;
	}
	uv_update_time(t->loop); /* curl counts from now */
	uv_timer_start(&t->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

/* ── the end of one ──────────────────────────────────────────────────────────────── */

/* Its connection is closed. */
static void unlink_one(struct transfer *x)
{
	if (!x->self)
		return;
	*x->self = x->next;
	if (x->next)
		x->next->self = x->self;
	x->self = NULL;
	curl_multi_remove_handle(x->all->multi, x->easy);
}

/* Also of a half-built one. */
static void transfer_free(struct transfer *x)
{
	unlink_one(x);
	if (x->easy)
		curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->headers);
	curl_slist_free_all(x->resolved);
	free(x->host);
	free(x->ca_file);
	free(x);
}

static enum transfer_end end_of_connect(struct transfer *x)
{
	long err_no = 0;

	curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &err_no);
	switch (err_no) {
	case ECONNREFUSED:
		return TRANSFER_REFUSED;
	case ETIMEDOUT:
		return TRANSFER_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:
		return TRANSFER_UNREACHABLE;
	default:
		return TRANSFER_ERROR;
	}
}

/* curl ends both with the same code; a slow one ends before its time is over. */
static enum transfer_end end_of_time(const struct transfer *x)
{
	int64_t left_ns = x->timeout_ms * HT_NS_PER_MS - (ht_mono_ns() - x->started_ns);

	return left_ns > 20 * HT_NS_PER_MS ? TRANSFER_TOO_SLOW : TRANSFER_TIMEOUT;
}

static enum transfer_end end_of(struct transfer *x, CURLcode code)
{
	if (x->too_large)
		return TRANSFER_TOO_LARGE;
	if (x->stopped)
		return TRANSFER_STOPPED;
	switch (code) {
	case CURLE_OK:
		return TRANSFER_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
		return TRANSFER_UNRESOLVED;
	case CURLE_COULDNT_CONNECT:
		return end_of_connect(x);
	case CURLE_OPERATION_TIMEDOUT:
		return end_of_time(x);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return TRANSFER_TLS;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
		return TRANSFER_CLOSED;
	case CURLE_RECV_ERROR: /* wrong chunks (RFC 9112 section 7.1) have no code */
		return strstr(x->error, "chunk") ? TRANSFER_MALFORMED : TRANSFER_CLOSED;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_HTTP2:
	case CURLE_BAD_CONTENT_ENCODING:
		return TRANSFER_MALFORMED;
	default:
		return TRANSFER_ERROR;
	}
}

/* Seconds from the beginning, or -1: curl says 0 for what never came. */
static double moment(struct transfer *x, CURLINFO what)
{
	curl_off_t us = 0;

	curl_easy_getinfo(x->easy, what, &us);
	return us > 0 ? (double)us / 1e6 : -1;
}

static void fill_error(struct transfer *x, CURLcode code)
{
	struct transfer_result *r = &x->result;

	if (r->end == TRANSFER_OK)
		return;
	if (x->no_authorities)
		snprintf(r->error, sizeof(r->error), "%s", r->tls.why);
	else if (r->end == TRANSFER_TOO_LARGE)
		snprintf(r->error, sizeof(r->error), "the %s is longer than allowed",
		    x->header_bytes > TRANSFER_HEADERS_MAX ? "header" : "body");
	else if (r->end == TRANSFER_STOPPED)
		snprintf(r->error, sizeof(r->error), "stopped");
	else
		snprintf(r->error, sizeof(r->error), "%.250s",
		    x->error[0] ? x->error : curl_easy_strerror(code));
}

static void finish(struct transfer *x, CURLcode code)
{
	struct transfer_result *r = &x->result;
	long http_code = 0;
	char *text = NULL;

	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &http_code);
	r->code = (int)http_code;
	r->connect_s = moment(x, CURLINFO_CONNECT_TIME_T);
	r->tls_s = moment(x, CURLINFO_APPCONNECT_TIME_T);
	r->first_byte_s =
	    http_code || x->header_bytes ? moment(x, CURLINFO_STARTTRANSFER_TIME_T) : -1;
	r->total_s = moment(x, CURLINFO_TOTAL_TIME_T);
	if (!curl_easy_getinfo(x->easy, CURLINFO_PRIMARY_IP, &text) && text)
		snprintf(r->address, sizeof(r->address), "%.63s", text);
	text = NULL;
	curl_easy_getinfo(x->easy, CURLINFO_REDIRECT_URL, &text);
	r->location = text;
	r->end = end_of(x, code);
	fill_error(x, code);
	unlink_one(x); /* `done` may close them all */
	x->on.done(x->on.arg, r);
	transfer_free(x);
}

static void finish_ready(struct transfers *t)
{
	CURLMsg *m;
	int left;

	while (!t->closing && (m = curl_multi_info_read(t->multi, &left))) {
		struct transfer *x = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode code = m->data.result;

		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
		finish(x, code);
	}
}

/* ── what comes and goes ─────────────────────────────────────────────────────────── */

/* curl reads these two anew each time it looks at the speed. */
static void mind_the_speed(struct transfer *x)
{
	curl_easy_setopt(x->easy, CURLOPT_LOW_SPEED_LIMIT, (long)x->low_speed);
	curl_easy_setopt(x->easy, CURLOPT_LOW_SPEED_TIME, (long)x->low_speed_s);
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *x = arg;
	size_t len = size * n;

	if (!x->header_bytes)
		mind_the_speed(x);
	x->header_bytes += len;
	x->too_large = x->header_bytes > TRANSFER_HEADERS_MAX;
	if (x->too_large)
		return 0; /* ends it */
	x->stopped = x->on.header && !x->on.header(x->on.arg, bytes, len);
	return x->stopped ? 0 : len;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *x = arg;
	size_t len = size * n;

	x->result.received += (int64_t)len;
	x->too_large = x->max_bytes && x->result.received > x->max_bytes;
	if (x->too_large) { /* what fits is looked at all the same */
		len -= (size_t)(x->result.received - x->max_bytes);
		x->result.received = x->max_bytes;
	}
	if (len && x->on.body && !x->on.body(x->on.arg, bytes, len))
		x->stopped = true;
	return x->stopped || x->too_large ? 0 : len;
}

static size_t on_send(char *out, size_t size, size_t n, void *arg)
{
	struct transfer *x = arg;
	size_t len = x->on.send(x->on.arg, out, size * n);

	x->result.sent += (int64_t)len;
	return len;
}

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	struct transfer *x = arg;
	ht_err err = tls_facts_watch(ssl_ctx, &x->watch);

	x->no_authorities = err == HT_CONFIG;
	return err == HT_CONFIG ? CURLE_SSL_CACERT_BADFILE
	       : err            ? CURLE_OUT_OF_MEMORY
				: CURLE_OK;
}

/* ── starting one ────────────────────────────────────────────────────────────────── */

static bool append(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (longer)
		*list = longer;
	return longer;
}

static bool set_sending(struct transfer *x, const struct transfer_request *r)
{
	CURL *e = x->easy;

	if (!r->method && !x->on.send)
		return true;
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method ? r->method : "POST");
	if (r->method && strcmp(r->method, "HEAD") == 0)
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	if (!x->on.send)
		return true;
	curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(e, CURLOPT_READDATA, x);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE,
	    (long)(r->buffer_bytes ? r->buffer_bytes : BUFFER_BYTES));
	curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->send_bytes);
	return append(&x->headers, "Expect:");
}

static bool set_lists(struct transfer *x, const struct transfer_request *r)
{
	bool good = append(&x->headers, "Accept: */*");

	for (size_t i = 0; i < r->n_headers; i++)
		good = good && append(&x->headers, r->headers[i]);
	if (r->resolved)
		good = good && append(&x->resolved, r->resolved);
	good = good && set_sending(x, r);
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(x->easy, CURLOPT_RESOLVE, x->resolved);
	return good;
}

static void set_limits(struct transfer *x, const struct transfer_request *r)
{
	CURL *e = x->easy;

	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE,
	    (long)(r->buffer_bytes ? r->buffer_bytes : BUFFER_BYTES));
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, ""); /* nor one of the environment */
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "hatang/" HATANG_VERSION);
}

/* curl is given no authorities: tls_facts loads and judges by them. */
static void set_tls(struct transfer *x, const struct transfer_request *r)
{
	CURL *e = x->easy;

	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, r->trust_anyone ? 0L : 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, r->trust_anyone ? 0L : 2L);
	/* a resumed session shows no certificate */
	curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, x);
}

static void set_callbacks(struct transfer *x)
{
	CURL *e = x->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, x);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
}

static ht_err copy_host(struct transfer *x, const char *text)
{
	struct url url;
	ht_err err = url_parse(text, &url);

	if (err)
		return err == HT_NOMEM ? err : HT_INVALID;
	size_t len = strlen(url.host);

	/* no certificate has the final dot of an absolute name */
	x->host = strndup(url.host, len - (len > 1 && url.host[len - 1] == '.'));
	return x->host ? HT_OK : HT_NOMEM;
}

static ht_err build(struct transfer *x, const struct transfer_request *r)
{
	ht_err err = copy_host(x, r->url);

	if (err)
		return err;
	if (r->ca_file && !(x->ca_file = strdup(r->ca_file)))
		return HT_NOMEM;
	x->watch = (struct tls_watch){ .facts = &x->result.tls,
		.host = x->host,
		.ca_file = x->ca_file,
		.trust_anyone = r->trust_anyone };
	if (curl_easy_setopt(x->easy, CURLOPT_URL, r->url) || !set_lists(x, r) ||
	    curl_easy_setopt(x->easy, CURLOPT_USERPWD, r->basic))
		return HT_NOMEM;
	curl_easy_setopt(x->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	set_limits(x, r);
	set_tls(x, r);
	set_callbacks(x);
	return HT_OK;
}

ht_err transfer_start(struct transfers *t, const struct transfer_request *r,
    const struct transfer_events *events, struct transfer **out)
{
	struct transfer *x = calloc(1, sizeof(*x));

	if (!x)
		return HT_NOMEM;
	x->all = t;
	x->fd = -1;
	x->on = *events;
	x->max_bytes = r->max_bytes;
	x->timeout_ms = r->timeout_ms;
	x->started_ns = ht_mono_ns();
	x->low_speed = r->low_speed;
	x->low_speed_s = r->low_speed_s;
	x->easy = curl_easy_init();
	ht_err err = x->easy ? build(x, r) : HT_NOMEM;

	if (!err && curl_multi_add_handle(t->multi, x->easy))
		err = HT_NOMEM;
	if (err) {
		transfer_free(x);
		return err;
	}
	x->next = t->first;
	x->self = &t->first;
	if (x->next)
		x->next->self = &x->next;
	t->first = x;
	if (out)
		*out = x;
	return HT_OK;
}

void transfer_cancel(struct transfer *x)
{
	transfer_free(x);
}

const char *transfer_end_name(enum transfer_end end)
{
	static const char *const names[] = {
		[TRANSFER_OK] = "ok",
		[TRANSFER_UNRESOLVED] = "unresolved",
		[TRANSFER_REFUSED] = "refused",
		[TRANSFER_UNREACHABLE] = "unreachable",
		[TRANSFER_TIMEOUT] = "timeout",
		[TRANSFER_TOO_SLOW] = "too-slow",
		[TRANSFER_TOO_LARGE] = "too-large",
		[TRANSFER_STOPPED] = "stopped",
		[TRANSFER_TLS] = "tls",
		[TRANSFER_CLOSED] = "closed",
		[TRANSFER_MALFORMED] = "malformed",
		[TRANSFER_ERROR] = "error",
	};

	return names[end];
}

int transfer_fd(const struct transfer *x)
{
	return x->fd;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

/* Once a process, and only when a transfer is wanted: it costs memory. */
static bool curl_ready(void)
{
	static bool ready;

	if (!ready)
		ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	return ready;
}

ht_err transfers_new(uv_loop_t *loop, struct transfers **out)
{
	struct transfers *t = calloc(1, sizeof(*t));

	if (!t)
		return HT_NOMEM;
	t->loop = loop;
	if (!curl_ready() || !(t->multi = curl_multi_init())) {
		free(t);
		return HT_NOMEM;
	}
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
	uv_timer_init(loop, &t->timer);
	t->timer.data = t;
	*out = t;
	return HT_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct transfers *t = handle->data;

	t->timer_closed = true;
	maybe_closed(t);
}

void transfers_close(struct transfers *t, void (*closed)(void *arg), void *arg)
{
	t->closing = true;
	t->closed = closed;
	t->closed_arg = arg;
	while (t->first)
		transfer_free(t->first);
	curl_multi_cleanup(t->multi);
	t->multi = NULL;
	uv_timer_stop(&t->timer);
	uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}
