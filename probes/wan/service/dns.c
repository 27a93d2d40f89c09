/* dns: one question to one resolver: whether it answers, how fast, whether the answer is
 * the right one, and whether its signatures hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "probes/lan/tell.h"
#include "probes/probe.h"
#include "probes/wan/clean.h"
#include "probes/wan/service/dns_chain.h"
#include "probes/wan/service/dns_exchange.h"
#include "probes/wan/service/dns_options.h"
#include "probes/wan/service/dns_packet.h"
#include "probes/wan/resolve.h"

#define DEADLINE_MARGIN_NS (100 * HT_NS_PER_MS) /* to report before we are cancelled */
#define FILE_MAX_BYTES     (64 * 1024)
#define REASON_MAX         256
#define CLOCK_SET_AFTER_S  INT64_C(1577836800) /* 2020: a clock before that is not set */

enum { SERVFAIL = 2 };

static const enum ht_metric dns_metrics[] = { HT_M_DNS_STATUS, HT_M_DNS_SERVER,
	HT_M_DNS_NAME, HT_M_DNS_RCODE, HT_M_DNS_ANSWERS, HT_M_DNS_CORRECT, HT_M_DNS_TIME,
	HT_M_DNS_DNSSEC, HT_M_DNS_REASON };

struct dns_run {
	const struct dns_options *o;
	const struct probe_host *host;
	struct dns_exchange exchange;
	bool opened; /* the exchange */
	int64_t started_ns, until_ns, time_ns;
	struct dns_answer answer;
	bool answered;
	struct dns_chain *chain;
	bool judged, correct;
	enum dns_security security;
	char security_why[REASON_MAX], reason[REASON_MAX];
	bool finished;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ── results ─────────────────────────────────────────────────────────────────────── */

static bool holds(const struct dns_answer *a, const char *data)
{
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->data[i], data) == 0)
			return true;
	}
	return false;
}

/* How many of what is expected are there. */
static size_t found(const struct dns_run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->o->expect.n; i++) {
		char *data = dns_data_normal(dns_options_type(r->o), r->o->expect.at[i]);

		n += data && holds(&r->answer, data);
		free(data);
	}
	return n;
}

/* Whether the answer is what the configuration expects; fills the reason when not. */
static bool is_correct(struct dns_run *r)
{
	size_t want = r->o->expect.n, have = found(r);
	uint16_t rcode = 0;
	char name[16];
	bool good;

	if (!dns_rcode_of(r->o->expect_rcode, &rcode) || r->answer.rcode != rcode) {
		dns_rcode_name(r->answer.rcode, name);
		snprintf(r->reason, sizeof(r->reason), "it answered %s, not %s", name,
		    r->o->expect_rcode);
		return false;
	}
	switch (r->o->expect_mode) {
	case DNS_EXPECT_EXACTLY:
		good = have == want && (!want || r->answer.n == want);
		break;
	case DNS_EXPECT_ANY:
		good = !want || have;
		break;
	default:
		good = have == want;
		break;
	}
	if (!good)
		snprintf(r->reason, sizeof(r->reason),
		    "of %zu expected data %zu are among its %zu", want, have,
		    r->answer.n);
	return good;
}

static void tell_answers(const struct dns_run *r, const struct teller *t)
{
	char text[HT_STRING_MAX + 1];
	struct ht_buf b;

	if (!r->answer.n)
		return;
	ht_buf_init(&b, 4 * HT_STRING_MAX);
	for (size_t i = 0; i < r->answer.n; i++)
		ht_buf_printf(&b, "%s%s", i ? ", " : "", r->answer.data[i]);
	clean_copy(ht_buf_text(&b), b.len, text, sizeof(text));
	if (text[0])
		tell_string(t, HT_M_DNS_ANSWERS, text);
	ht_buf_fini(&b);
}

static void tell_question(const struct dns_run *r, const struct teller *t)
{
	char server[RESOLVE_TEXT], text[DNS_NAME_TEXT + 16], name[DNS_NAME_TEXT];

	if (r->opened) {
		resolve_format_port((const struct sockaddr *)&r->exchange.server, server);
		tell_string(t, HT_M_DNS_SERVER, server);
	}
	clean_copy(r->o->name, strlen(r->o->name), name, sizeof(name));
	snprintf(text, sizeof(text), "%s %s", name, dns_options_type_name(r->o));
	tell_string(t, HT_M_DNS_NAME, text);
}

/* Of the status, and of the answer's security. */
static void tell_reason(const struct dns_run *r, const struct teller *t)
{
	char text[2 * REASON_MAX + 4];

	snprintf(text, sizeof(text), "%s%s%s", r->reason,
	    r->reason[0] && r->security_why[0] ? "; " : "", r->security_why);
	if (text[0])
		tell_string(t, HT_M_DNS_REASON, text);
}

static void finish(struct dns_run *r, const char *status)
{
	const struct teller t = { r->host, r->host->instance, r->started_ns };
	char rcode[16];

	if (r->finished)
		return;
	r->finished = true;
	tell_question(r, &t);
	if (r->answered) {
		dns_rcode_name(r->answer.rcode, rcode);
		tell_string(&t, HT_M_DNS_RCODE, rcode);
		tell_answers(r, &t);
		tell_number(&t, HT_M_DNS_TIME, (double)r->time_ns / HT_NS_PER_S);
		tell_bool(&t, HT_M_DNS_CORRECT, r->correct);
	}
	if (r->judged)
		tell_string(&t, HT_M_DNS_DNSSEC, dns_security_name(r->security));
	tell_reason(r, &t);
	tell_string(&t, HT_M_DNS_STATUS, status);
	r->host->done(r->host);
}

static void finish_with(struct dns_run *r, const char *status, const char *reason)
{
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
	finish(r, status);
}

/* An answer came, and its security is judged as far as that was wanted. */
static void conclude(struct dns_run *r)
{
	r->correct = is_correct(r);
	if (r->judged && r->security == DNS_BOGUS) {
		r->reason[0] = '\0'; /* the signatures are the news */
		finish(r, "bogus");
	} else {
		finish(r, r->correct ? "ok" : "wrong-answer");
	}
}

static void judge(struct dns_run *r, enum dns_security security, const char *why)
{
	r->judged = true;
	r->security = security;
	clean_copy(why, strlen(why), r->security_why, sizeof(r->security_why));
	conclude(r);
}

/* ── security ────────────────────────────────────────────────────────────────────── */

static int64_t left_ns(const struct dns_run *r)
{
	int64_t left = r->until_ns - ht_mono_ns();

	return left > HT_NS_PER_MS ? left : HT_NS_PER_MS;
}

static ht_err ask(struct dns_run *r, const char *name, uint16_t type, unsigned flags,
    dns_exchange_done done)
{
	uint8_t query[DNS_QUESTION_MAX];
	size_t len;
	ht_err err = dns_question_write(name, type, flags, query, &len);

	return err ? err
		   : dns_exchange_ask(
			 &r->exchange, query, len, left_ns(r), (int)r->o->tries, done, r);
}

static void step(struct dns_run *r);

static void on_link(void *arg, const struct dns_exchanged *x)
{
	struct dns_run *r = arg;

	if (x->end == DNS_ANSWERED)
		dns_chain_take(r->chain, x->bytes, x->len);
	else
		dns_chain_fail(r->chain, dns_end_name(x->end));
	step(r);
}

/* The next question of the chain, or its verdict. */
static void step(struct dns_run *r)
{
	char name[DNS_NAME_TEXT];
	uint16_t type;
	const char *why;

	if (!dns_chain_next(r->chain, name, &type)) {
		enum dns_security s = dns_chain_verdict(r->chain, &why);

		judge(r, s, why);
		return;
	}
	if (ask(r, name, type, DNS_DO | DNS_CD, on_link))
		judge(r, DNS_INDETERMINATE, "a question could not be asked");
}

static void begin_chain(struct dns_run *r, const uint8_t *bytes, size_t len)
{
	struct dns_anchors *anchors = NULL;
	struct ht_fault fault = { 0 };
	char *text = NULL;
	size_t text_len;
	int64_t now_s = ht_wall_ms() / 1000;
	ht_err err = HT_OK;

	if (now_s < CLOCK_SET_AFTER_S) {
		judge(r, DNS_INDETERMINATE, "this machine's clock is not set");
		return;
	}
	err = ht_file_read(r->o->anchors, FILE_MAX_BYTES, &text, &text_len, &fault);
	if (!err)
		err = dns_anchors_parse(text, &anchors, &fault);
	free(text);
	if (err) {
		judge(r, DNS_INDETERMINATE,
		    fault.text[0] ? fault.text : "no trust anchors");
		return;
	}
	err = dns_chain_new(
	    anchors, r->o->name, dns_options_type(r->o), bytes, len, now_s, &r->chain);
	if (err)
		judge(r, DNS_INDETERMINATE, ht_err_name(err));
	else
		step(r);
}

/* The same question without the resolver's own checks. */
static void on_unchecked(void *arg, const struct dns_exchanged *x)
{
	struct dns_run *r = arg;
	struct dns_answer a = { 0 };

	if (x->end != DNS_ANSWERED) {
		judge(r, DNS_INDETERMINATE, "the resolver failed, also without checking");
		return;
	}
	if (r->o->dnssec == DNS_SEC_VALIDATE) {
		begin_chain(r, x->bytes, x->len);
		return;
	}
	bool failed =
	    dns_answer_read(x->bytes, x->len, r->o->name, dns_options_type(r->o), &a) ||
	    a.rcode == SERVFAIL;

	dns_answer_fini(&a);
	if (failed)
		judge(r, DNS_INDETERMINATE, "the resolver failed, also without checking");
	else
		judge(r, DNS_BOGUS,
		    "the resolver fails, but answers when told not to check");
}

static void look_at_security(struct dns_run *r, const struct dns_exchanged *x)
{
	if (r->o->dnssec == DNS_SEC_NO) {
		conclude(r);
	} else if (r->answer.rcode == SERVFAIL) {
		if (ask(r, r->o->name, dns_options_type(r->o), DNS_DO | DNS_CD,
			on_unchecked))
			judge(r, DNS_INDETERMINATE, "a question could not be asked");
	} else if (r->o->dnssec == DNS_SEC_VALIDATE) {
		begin_chain(r, x->bytes, x->len);
	} else if (r->answer.ad) {
		judge(r, DNS_SECURE, "");
	} else {
		judge(r, DNS_INDETERMINATE,
		    "the resolver does not say that it checked the signatures");
	}
}

/* ── the question ────────────────────────────────────────────────────────────────── */

static void on_answer(void *arg, const struct dns_exchanged *x)
{
	struct dns_run *r = arg;

	if (x->strays)
		snprintf(r->reason, sizeof(r->reason),
		    "%u messages came that answer another question or none", x->strays);
	if (x->end != DNS_ANSWERED) {
		if (x->tcp && !x->strays)
			snprintf(r->reason, sizeof(r->reason),
			    "its answer was cut, and by TCP: %s",
			    x->end == DNS_TOO_LARGE ? "too large" : dns_end_name(x->end));
		finish(r, dns_end_name(x->end));
		return;
	}
	if (dns_answer_read(
		x->bytes, x->len, r->o->name, dns_options_type(r->o), &r->answer)) {
		finish_with(r, "malformed", "its answer cannot be read");
		return;
	}
	r->answered = true;
	r->time_ns = x->time_ns;
	r->reason[0] = '\0';
	/* what security wants to know has its own time */
	r->until_ns = ht_mono_ns() + r->o->wait_ns;
	if (r->until_ns > r->host->deadline_ns - DEADLINE_MARGIN_NS)
		r->until_ns = r->host->deadline_ns - DEADLINE_MARGIN_NS;
	look_at_security(r, x);
}

/* ── the run ─────────────────────────────────────────────────────────────────────── */

static ht_err find_server(
    const struct dns_run *r, struct sockaddr_storage *out, socklen_t *out_len)
{
	char *text = NULL;
	size_t len;

	if (strcmp(r->o->server, "resolver") != 0)
		return dns_server_parse(r->o->server, out, out_len);
	ht_err err = ht_file_read("/etc/resolv.conf", FILE_MAX_BYTES, &text, &len, NULL);

	if (err && err != HT_NOTFOUND)
		return err;
	dns_server_from_resolv_conf(text ? text : "", out, out_len);
	free(text);
	return HT_OK;
}

static ht_err dns_start(void *run, const void *options, const struct probe_host *host)
{
	struct dns_run *r = run;
	struct sockaddr_storage server;
	socklen_t server_len;
	unsigned flags = 0;

	r->o = options;
	r->host = host;
	r->started_ns = ht_mono_ns();
	r->until_ns = r->started_ns + r->o->wait_ns;
	if (r->until_ns > host->deadline_ns - DEADLINE_MARGIN_NS)
		r->until_ns = host->deadline_ns - DEADLINE_MARGIN_NS;
	if (find_server(r, &server, &server_len)) {
		finish_with(r, "error", "/etc/resolv.conf cannot be read");
		return HT_OK;
	}
	ht_err err = dns_exchange_init(&r->exchange, host->loop, &server, server_len);

	if (err)
		return err;
	r->opened = true;
	if (r->o->dnssec != DNS_SEC_NO)
		flags = r->o->dnssec == DNS_SEC_AD ? DNS_AD | DNS_DO : DNS_DO;
	err = ask(r, r->o->name, dns_options_type(r->o), flags, on_answer);
	if (err)
		finish_with(r, "error", ht_err_name(err));
	return HT_OK;
}

static void dns_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct dns_run *r = run;

	if (r->closed)
		return;
	r->finished = true;
	r->closed = closed;
	r->closed_arg = arg;
	dns_answer_fini(&r->answer);
	dns_chain_free(r->chain);
	r->chain = NULL;
	if (r->opened)
		dns_exchange_close(&r->exchange, closed, arg);
	else
		closed(arg);
}

extern const struct probe_ops probe_dns;
const struct probe_ops probe_dns = {
	.name = "dns",
	.help = "a question to a resolver: answer, correctness, time, DNSSEC",
	.metrics = dns_metrics,
	.n_metrics = HT_COUNT(dns_metrics),
	.options = &dns_option_table,
	.run_size = sizeof(struct dns_run),
	.start = dns_start,
	.cancel = dns_cancel,
	.check = dns_options_check,
};
