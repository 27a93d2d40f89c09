#include "server/alert/transfer.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define ANSWER_MAX         (64 * 1024)
#define CONNECT_TIMEOUT_MS 10000
#define CONNECTIONS_KEPT   32

/* One that is under way. */
struct transfer {
	struct transfers *all;
	struct transfer *next, **self;
	CURL *easy;
	struct curl_slist *headers, *to;
	char *body;
	size_t len, sent;
	bool http;
	struct ht_buf answer;
	bool cut;
	char error[CURL_ERROR_SIZE];
	transfer_done done;
	void *arg;
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
struct watch {
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
	struct watch *w = handle->data;
	struct transfers *t = w->all;

	free(w);
	t->polls--;
	maybe_closed(t);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	struct transfers *t = w->all;
	int running, flags = 0;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(t->multi, w->fd, flags, &running);
	finish_ready(t);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct transfers *t = arg;
	struct watch *w = of_socket;
	int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
		     (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	if (what == CURL_POLL_REMOVE) {
		if (w) {
			curl_multi_assign(t->multi, fd, NULL);
			uv_poll_stop(&w->poll);
			uv_close((uv_handle_t *)&w->poll, on_poll_closed);
		}
		return 0;
	}
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w || uv_poll_init(t->loop, &w->poll, fd)) {
			free(w);
			return -1;
		}
		w->all = t;
		w->fd = fd;
		w->poll.data = w;
		t->polls++;
		curl_multi_assign(t->multi, fd, w);
	}
	return uv_poll_start(&w->poll, events, on_poll) ? -1 : 0;
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
	if (timeout_ms < 0)
		uv_timer_stop(&t->timer);
	else
		uv_timer_start(&t->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

/* ── the end of one ──────────────────────────────────────────────────────────────── */

static void transfer_free(struct transfer *x)
{
	if (x->self) {
		*x->self = x->next;
		if (x->next)
			x->next->self = x->self;
	}
	if (x->easy)
		curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->headers);
	curl_slist_free_all(x->to);
	if (x->body)
		explicit_bzero(x->body, x->len);
	free(x->body);
	ht_buf_fini(&x->answer);
	free(x);
}

static void describe(struct transfer *x, CURLcode code, struct transfer_result *r)
{
	if (code == CURLE_OK && x->http && r->status >= 300 && r->status < 400)
		snprintf(r->error, sizeof(r->error),
		    "it answered %d, a redirect; those are not followed: name the final "
		    "address",
		    r->status);
	else if (code == CURLE_OK)
		snprintf(r->error, sizeof(r->error), "it answered %d", r->status);
	else
		snprintf(r->error, sizeof(r->error), "%.200s%s",
		    x->error[0] ? x->error : curl_easy_strerror(code),
		    code == CURLE_USE_SSL_FAILED
			? "; the server offers no TLS: it got nothing"
			: "");
}

static void finish(struct transfer *x, CURLcode code)
{
	struct transfer_result r = { 0 };
	long status = 0;
	curl_off_t retry = 0;

	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &retry);
	r.status = (int)status;
	r.retry_after_s = retry;
	r.body = ht_buf_text(&x->answer);
	r.len = x->answer.len;
	r.cut = x->cut || (code && x->http && status);
	/* Who said 2xx has taken it, even when the rest of the answer never ends. */
	if (x->http)
		r.ok = status >= 200 && status < 300 &&
		       (code == CURLE_OK || x->cut || code == CURLE_OPERATION_TIMEDOUT);
	else
		r.ok = code == CURLE_OK;
	if (!r.ok)
		describe(x, code, &r);
	curl_multi_remove_handle(x->all->multi, x->easy);
	x->done(x->arg, &r);
	transfer_free(x);
}

static void finish_ready(struct transfers *t)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(t->multi, &left))) {
		struct transfer *x = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
		finish(x, code);
	}
}

/* ── starting one ────────────────────────────────────────────────────────────────── */

static size_t on_answer(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *x = arg;
	size_t len = size * n, room = ANSWER_MAX - x->answer.len;

	ht_buf_put(&x->answer, bytes, len < room ? len : room);
	if (len <= room)
		return len;
	x->cut = true;
	return 0; /* ends it */
}

static size_t on_mail(char *out, size_t size, size_t n, void *arg)
{
	struct transfer *x = arg;
	size_t len = x->len - x->sent;

	if (len > size * n)
		len = size * n;
	memcpy(out, x->body + x->sent, len);
	x->sent += len;
	return len;
}

/* curl may send a mail's beginning again on another connection. */
static int on_rewind(void *arg, curl_off_t offset, int origin)
{
	struct transfer *x = arg;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > x->len)
		return CURL_SEEKFUNC_FAIL;
	x->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static bool append(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (longer)
		*list = longer;
	return longer;
}

static bool set_http(struct transfer *x, const struct transfer_request *r)
{
	CURL *e = x->easy;
	bool good = append(&x->headers, "Expect:");

	for (size_t i = 0; i < r->n_headers; i++)
		good = good && append(&x->headers, r->headers[i]);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "hatang/" HATANG_VERSION);
	if (r->method) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, x->body);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->len);
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
	}
	return good;
}

static bool set_smtp(struct transfer *x, const struct transfer_request *r)
{
	CURL *e = x->easy;
	bool good = true;

	for (size_t i = 0; i < r->to->n; i++)
		good = good && append(&x->to, r->to->at[i]);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(e, CURLOPT_USE_SSL,
	    r->starttls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
	if (r->user) {
		curl_easy_setopt(e, CURLOPT_USERNAME, r->user);
		curl_easy_setopt(e, CURLOPT_PASSWORD, r->password);
	}
	curl_easy_setopt(e, CURLOPT_MAIL_FROM, r->from);
	curl_easy_setopt(e, CURLOPT_MAIL_RCPT, x->to);
	/* One mailbox that is gone must not silence the others. */
	curl_easy_setopt(e, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
	curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, on_mail);
	curl_easy_setopt(e, CURLOPT_READDATA, x);
	curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_rewind);
	curl_easy_setopt(e, CURLOPT_SEEKDATA, x);
	curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->len);
	return good;
}

static void set_common(struct transfer *x, const struct transfer_request *r)
{
	CURL *e = x->easy;

	curl_easy_setopt(e, CURLOPT_URL, r->url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, x);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* A look-up that hangs is left behind, not waited for. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (r->ca)
		curl_easy_setopt(e, CURLOPT_CAINFO, r->ca);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(r->timeout_ms < CONNECT_TIMEOUT_MS ? r->timeout_ms
						      : CONNECT_TIMEOUT_MS));
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
}

ht_err transfer_start(
    struct transfers *t, const struct transfer_request *r, transfer_done done, void *arg)
{
	struct transfer *x = calloc(1, sizeof(*x));
	bool good;

	if (!x)
		return HT_NOMEM;
	*x = (struct transfer){ .all = t, .len = r->len, .done = done, .arg = arg };
	ht_buf_init(&x->answer, ANSWER_MAX + 1);
	x->http = !r->to; /* whatever the URL is: curl refuses another scheme */
	x->body = malloc(r->len + 1);
	x->easy = curl_easy_init();
	if (!x->easy || !x->body) {
		transfer_free(x);
		return HT_NOMEM;
	}
	if (r->len)
		memcpy(x->body, r->body, r->len);
	set_common(x, r);
	good = x->http ? set_http(x, r) : set_smtp(x, r);
	if (!good || curl_multi_add_handle(t->multi, x->easy)) {
		transfer_free(x);
		return HT_NOMEM;
	}
	x->next = t->first;
	x->self = &t->first;
	if (x->next)
		x->next->self = &x->next;
	t->first = x;
	return HT_OK;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

ht_err transfers_new(uv_loop_t *loop, struct transfers **out)
{
	struct transfers *t = calloc(1, sizeof(*t));

	if (!t)
		return HT_NOMEM;
	t->loop = loop;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(t->multi = curl_multi_init())) {
		free(t);
		return HT_NOMEM;
	}
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
	curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
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

void transfers_close(struct transfers *t, void (*done)(void *arg), void *arg)
{
	t->closing = true;
	t->closed = done;
	t->closed_arg = arg;
	while (t->first) {
		curl_multi_remove_handle(t->multi, t->first->easy);
		transfer_free(t->first);
	}
	curl_multi_cleanup(t->multi);
	uv_timer_stop(&t->timer);
	uv_close((uv_handle_t *)&t->timer, on_timer_closed);
}
