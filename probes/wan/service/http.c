/* http: one request, its phases, what TLS said, and whether the answer is the right one.
 * libcurl does the talking (transfer.h); names are resolved and redirects judged here. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/secret.h"
#include "probes/lan/tell.h"
#include "probes/probe.h"
#include "probes/wan/clean.h"
#include "probes/wan/service/http_options.h"
#include "probes/wan/resolve.h"
#include "probes/wan/service/text_search.h"
#include "probes/wan/transfer.h"
#include "probes/wan/service/url.h"

#define DEADLINE_MARGIN_NS (100 * HT_NS_PER_MS) /* to report before we are cancelled */
#define REASON_MAX         256

static const enum ht_metric http_metrics[] = { HT_M_HTTP_STATUS, HT_M_HTTP_REASON,
	HT_M_HTTP_URL, HT_M_HTTP_ADDRESS, HT_M_HTTP_CODE, HT_M_HTTP_RESOLVE,
	HT_M_HTTP_CONNECT, HT_M_HTTP_TLS, HT_M_HTTP_FIRST_BYTE, HT_M_HTTP_TOTAL,
	HT_M_HTTP_BYTES, HT_M_HTTP_MATCHED, HT_M_HTTP_TLS_VERSION, HT_M_HTTP_TLS_CIPHER,
	HT_M_HTTP_CERT_SUBJECT, HT_M_HTTP_CERT_ISSUER, HT_M_HTTP_CERT_EXPIRES_IN,
	HT_M_HTTP_CERT_VERIFIED };

struct http_run {
	const struct http_options *o;
	const struct probe_host *host;
	struct transfers *transfers;
	struct resolve *resolve;
	uv_timer_t timer;      /* of a lookup; a transfer has its own time */
	struct url first, url; /* as configured; as it is now, after redirects */
	int64_t redirects;     /* followed so far */
	int64_t started_ns, until_ns, resolve_ns; /* resolve_ns < 0: nothing was to
						   * resolve */
	struct text_search search;
	char *basic, *bearer; /* secrets */
	char reason[REASON_MAX];
	bool finished;
	size_t open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ── results ─────────────────────────────────────────────────────────────────────── */

static void tell_known(const struct teller *t, enum ht_metric m, const char *text)
{
	char clean[URL_MAX + 1];

	clean_copy(text, strlen(text), clean, sizeof(clean));
	if (clean[0])
		tell_string(t, m, clean);
}

/* The phases that were reached, each from the end of the one before. */
static void tell_phases(
    const struct http_run *r, const struct teller *t, const struct transfer_result *x)
{
	double secure = x->tls_s > 0 ? x->tls_s : x->connect_s;

	if (x->connect_s < 0)
		return;
	tell_number(t, HT_M_HTTP_CONNECT, x->connect_s);
	if (x->tls_s > 0)
		tell_number(t, HT_M_HTTP_TLS, x->tls_s - x->connect_s);
	if (x->first_byte_s > 0)
		tell_number(t, HT_M_HTTP_FIRST_BYTE, x->first_byte_s - secure);
	if (x->end == TRANSFER_OK)
		tell_number(t, HT_M_HTTP_TOTAL,
		    (double)(ht_mono_ns() - r->started_ns) / HT_NS_PER_S);
}

static void tell_tls(const struct teller *t, const struct tls_facts *f)
{
	tell_known(t, HT_M_HTTP_TLS_VERSION, f->version);
	tell_known(t, HT_M_HTTP_TLS_CIPHER, f->cipher);
	if (!f->seen)
		return;
	tell_known(t, HT_M_HTTP_CERT_SUBJECT, f->subject);
	tell_known(t, HT_M_HTTP_CERT_ISSUER, f->issuer);
	if (f->dated)
		tell_number(t, HT_M_HTTP_CERT_EXPIRES_IN, (double)f->expires_in_s);
	tell_known(t, HT_M_HTTP_CERT_VERIFIED, f->why);
}

static void tell_answer(
    const struct http_run *r, const struct teller *t, const struct transfer_result *x)
{
	tell_known(t, HT_M_HTTP_ADDRESS, x->address);
	if (x->code) {
		tell_number(t, HT_M_HTTP_CODE, x->code);
		tell_number(t, HT_M_HTTP_BYTES, (double)x->received);
	}
	/* a body that was not read whole may still have held it */
	if (r->o->expect_text && (r->search.found || x->end == TRANSFER_OK))
		tell_bool(t, HT_M_HTTP_MATCHED, r->search.found);
	tell_phases(r, t, x);
	tell_tls(t, &x->tls);
}

/* `x` is NULL when it did not come to a transfer. */
static void finish(
    struct http_run *r, const char *status, const struct transfer_result *x)
{
	const struct teller t = { r->host, r->host->instance, r->started_ns };

	if (r->finished)
		return;
	r->finished = true;
	uv_timer_stop(&r->timer);
	tell_known(&t, HT_M_HTTP_URL, r->url.shown);
	if (r->resolve_ns >= 0)
		tell_number(&t, HT_M_HTTP_RESOLVE, (double)r->resolve_ns / HT_NS_PER_S);
	if (x)
		tell_answer(r, &t, x);
	if (strcmp(status, "ok") != 0)
		tell_known(&t, HT_M_HTTP_REASON, r->reason);
	tell_string(&t, HT_M_HTTP_STATUS, status);
	r->host->done(r->host);
}

static void finish_with(struct http_run *r, const char *status, const char *reason)
{
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
	finish(r, status, NULL);
}

/* ── what came ───────────────────────────────────────────────────────────────────── */

static void ask(struct http_run *r);

static bool code_expected(const struct http_run *r, int code)
{
	for (size_t i = 0; i < r->o->expect_codes.n; i++) {
		if (http_code_within(r->o->expect_codes.at[i], code))
			return true;
	}
	return false;
}

static const char *judge(struct http_run *r, const struct transfer_result *x)
{
	if (x->end != TRANSFER_OK) {
		snprintf(r->reason, sizeof(r->reason), "%.255s", x->error);
		return transfer_end_name(x->end);
	}
	if (!code_expected(r, x->code)) {
		snprintf(r->reason, sizeof(r->reason), "it answered %d%s", x->code,
		    x->location ? ", a redirect: see redirects" : "");
		return "wrong-code";
	}
	if (r->o->expect_text && !r->search.found) {
		snprintf(
		    r->reason, sizeof(r->reason), "the expected text is not in its body");
		return "wrong-text";
	}
	return "ok";
}

static bool host_allowed(const struct http_run *r, const char *host)
{
	if (strcasecmp(host, r->first.host) == 0)
		return true;
	for (size_t i = 0; i < r->o->redirect_hosts.n; i++) {
		if (strcasecmp(host, r->o->redirect_hosts.at[i]) == 0)
			return true;
	}
	return false;
}

/* NULL, with `out` filled, when the redirect may be followed; else why not. */
static const char *refuse_redirect(
    const struct http_run *r, const char *location, struct url *out)
{
	ht_err err = url_parse(location, out);

	if (r->redirects == r->o->redirects)
		return "it redirects more often than allowed";
	if (err == HT_UNSUPPORTED)
		return "it redirects to another scheme than http and https";
	if (err)
		return "it redirects to what is no address";
	if (r->url.https && !out->https)
		return "it redirects from https to http";
	if (out->has_user)
		return "it redirects to an address with a user in it";
	if (!host_allowed(r, out->host))
		return "it redirects to a host that redirect_hosts does not name";
	return NULL;
}

/* Whether the answer was a redirect that is dealt with. */
static bool redirected(struct http_run *r, const struct transfer_result *x)
{
	struct url next;

	if (x->end != TRANSFER_OK || !x->location || !r->o->redirects)
		return false;
	const char *why = refuse_redirect(r, x->location, &next);

	if (why) {
		snprintf(r->reason, sizeof(r->reason), "%s", why);
		finish(r, "redirect", x);
		return true;
	}
	r->redirects++;
	r->url = next;
	ask(r);
	return true;
}

static void on_done(void *arg, const struct transfer_result *x)
{
	struct http_run *r = arg;

	if (!redirected(r, x))
		finish(r, judge(r, x), x);
}

static bool on_body(void *arg, const void *bytes, size_t len)
{
	struct http_run *r = arg;

	if (r->o->expect_text)
		text_search_feed(&r->search, bytes, len);
	return true;
}

/* ── asking ──────────────────────────────────────────────────────────────────────── */

static int64_t left_ms(const struct http_run *r)
{
	int64_t left = (r->until_ns - ht_mono_ns()) / HT_NS_PER_MS;

	return left > 0 ? left : 0;
}

static ht_err transfer(struct http_run *r, const char *resolved)
{
	const struct http_options *o = r->o;
	bool home = url_same_origin(&r->url, &r->first);
	char bearer[4200] = "";
	const char *const headers[] = { bearer };
	const struct transfer_events on = { .body = on_body, .done = on_done, .arg = r };
	const struct transfer_request request = {
		.url = r->url.text,
		.method = http_options_method(o),
		.resolved = resolved,
		.headers = headers,
		.n_headers = home && r->bearer ? 1 : 0,
		.basic = home ? r->basic : NULL,
		.ca_file = o->ca_file,
		.trust_anyone = !o->verify,
		.timeout_ms = left_ms(r),
		.max_bytes = o->max_bytes,
		.low_speed = o->min_speed,
		.low_speed_s = o->slow_for_ns / HT_NS_PER_S,
	};

	if (request.n_headers)
		snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", r->bearer);
	ht_err err = transfer_start(r->transfers, &request, &on, NULL);

	explicit_bzero(bearer, sizeof(bearer));
	return err;
}

/* "host:port:address,address", as curl wants it. */
static void put_resolved(
    struct http_run *r, const struct resolve_address *list, size_t n, struct ht_buf *out)
{
	char text[HT_ADDR_TEXT];

	ht_buf_printf(out, "%s:%u:", r->url.host, (unsigned)r->url.port);
	for (size_t i = 0; i < n; i++) {
		bool v6 = list[i].at.ss_family == AF_INET6;

		resolve_format((const struct sockaddr *)&list[i].at, text);
		ht_buf_printf(
		    out, "%s%s%s%s", i ? "," : "", v6 ? "[" : "", text, v6 ? "]" : "");
	}
}

static void on_addresses(
    void *arg, ht_err err, const struct resolve_address *list, size_t n)
{
	struct http_run *r = arg;
	struct ht_addr numeric;
	struct ht_buf resolved;
	bool name = ht_addr_parse(r->url.host, &numeric) != HT_OK;

	r->resolve = NULL;
	uv_timer_stop(&r->timer);
	if (name)
		r->resolve_ns += ht_mono_ns();
	if (err) {
		finish_with(r, "unresolved", "the name has no address of that family");
		return;
	}
	if (left_ms(r) == 0) {
		finish_with(r, "timeout", "nothing of the time was left");
		return;
	}
	ht_buf_init(&resolved, 2048);
	put_resolved(r, list, n, &resolved);
	err = ht_buf_err(&resolved);
	if (!err)
		err = transfer(r, name ? ht_buf_text(&resolved) : NULL);
	ht_buf_fini(&resolved);
	if (err)
		finish_with(r, "error", ht_err_name(err));
}

static void on_unresolved(uv_timer_t *timer)
{
	struct http_run *r = timer->data;

	resolve_cancel(r->resolve);
	r->resolve = NULL;
	r->resolve_ns = -1;
	finish_with(r, "unresolved", "the name server did not answer in time");
}

static void ask(struct http_run *r)
{
	struct ht_addr numeric;

	if (r->o->expect_text) /* in the last body only */
		text_search_init(
		    &r->search, r->o->expect_text, strlen(r->o->expect_text));
	r->resolve_ns = ht_addr_parse(r->url.host, &numeric) ? -ht_mono_ns() : -1;
	uv_update_time(r->host->loop);
	uv_timer_start(&r->timer, on_unresolved, (uint64_t)left_ms(r), 0);
	ht_err err = resolve_start_all(r->host->loop, r->url.host,
	    http_options_family(r->o), r->url.port, on_addresses, r, &r->resolve);

	if (err)
		finish_with(r, "error", ht_err_name(err));
}

/* ── the run ─────────────────────────────────────────────────────────────────────── */

static ht_err http_start(void *run, const void *options, const struct probe_host *host)
{
	struct http_run *r = run;
	const struct http_options *o = options;
	struct ht_fault fault = { 0 };

	r->o = o;
	r->host = host;
	r->started_ns = ht_mono_ns();
	r->until_ns = r->started_ns + o->wait_ns;
	if (r->until_ns > host->deadline_ns - DEADLINE_MARGIN_NS)
		r->until_ns = host->deadline_ns - DEADLINE_MARGIN_NS;
	r->resolve_ns = -1;
	ht_err err = url_parse(o->url, &r->first);

	if (!err)
		err = transfers_new(host->loop, &r->transfers);
	if (err)
		return err;
	r->url = r->first;
	uv_timer_init(host->loop, &r->timer);
	r->timer.data = r;
	r->open_handles = 2; /* the timer and the transfers */
	if (o->basic_file)
		err = ht_secret_read(o->basic_file, &r->basic, &fault);
	if (!err && o->bearer_file)
		err = ht_secret_read(o->bearer_file, &r->bearer, &fault);
	if (err)
		finish_with(r, "error", fault.text);
	else
		ask(r);
	return HT_OK;
}

static void one_closed(struct http_run *r)
{
	if (--r->open_handles == 0)
		r->closed(r->closed_arg);
}

static void on_timer_closed(uv_handle_t *h)
{
	one_closed(h->data);
}

static void on_transfers_closed(void *arg)
{
	one_closed(arg);
}

static void http_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct http_run *r = run;

	if (r->closed)
		return;
	r->finished = true;
	r->closed = closed;
	r->closed_arg = arg;
	resolve_cancel(r->resolve);
	r->resolve = NULL;
	ht_secret_free(r->basic);
	ht_secret_free(r->bearer);
	r->basic = r->bearer = NULL;
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
	transfers_close(r->transfers, on_transfers_closed, r);
}

extern const struct probe_ops probe_http;
const struct probe_ops probe_http = {
	.name = "http",
	.help = "a request of a web service: phases, certificate, code and text",
	.metrics = http_metrics,
	.n_metrics = HT_COUNT(http_metrics),
	.options = &http_option_table,
	.run_size = sizeof(struct http_run),
	.start = http_start,
	.cancel = http_cancel,
	.check = http_options_check,
};
