/* throughput: what a link carries, down and up, by several transfers in parallel.
 *
 *   WATCHING ──quiet──► ASKING ──slot──► LOADING down ──► LOADING up ──► told
 *      │                 │  ▲
 *      └─busy─► told     │  └── later ── WAITING
 *                        └──no──► told
 *
 * The budget is the probe's memory; the slot is the server's, so that no two tests share
 * an uplink (docs/throughput.md). */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "probes/probe.h"
#include "probes/wan/throughput/budget.h"
#include "probes/wan/clean.h"
#include "probes/wan/throughput/grant.h"
#include "probes/wan/throughput/load.h"
#include "probes/wan/throughput/traffic.h"

#define MARGIN_NS     (2 * HT_NS_PER_S) /* to tell the end before we are cancelled */
#define SETTLE_NS     (4 * HT_NS_PER_S) /* of a test, beside its two durations */
#define LEAST_NS      HT_NS_PER_S       /* in less no rate is found */
#define BYTES_LEAST   (INT64_C(256) << 10)
#define WHY_MAX       240
#define TRAFFIC_BYTES 16384

enum direction { BOTH, DOWN, UP };
static const char *const direction_names[] = { "both", "down", "up", NULL };

struct throughput_options {
	char *url, *upload_url, *ca;
	int direction;
	int64_t streams, max_streams, duration_ns, precision_percent;
	int64_t bytes, day_bytes, month_bytes, once_in_ns, busy_bps, watch_ns;
};

#define OPT(f) offsetof(struct throughput_options, f)
static const struct ht_option option_rows[] = {
	{ "url", HT_OPT_STRING, OPT(url), .max = GRANT_URL_MAX,
	    .help = "what is fetched, http:// or https://; left out: the server's own "
		    "endpoint" },
	{ "upload_url", HT_OPT_STRING, OPT(upload_url), .max = GRANT_URL_MAX,
	    .help = "with `url`: where is PUT to; left out: no upload" },
	{ "ca", HT_OPT_STRING, OPT(ca), .file = true,
	    .help = "with `url`: authorities that may vouch for it; left out: the "
		    "system's" },
	{ "direction", HT_OPT_ENUM, OPT(direction), .def = "both",
	    .names = direction_names, .help = "what is measured" },
	{ "streams", HT_OPT_INT, OPT(streams), .min = 1, .max = LOAD_STREAMS_MAX,
	    .def = "4", .help = "connections in parallel, to begin with" },
	{ "max_streams", HT_OPT_INT, OPT(max_streams), .min = 1, .max = LOAD_STREAMS_MAX,
	    .def = "16", .help = "and at most, as long as more bring more" },
	{ "duration", HT_OPT_DURATION, OPT(duration_ns), .min = 2 * HT_NS_PER_S,
	    .max = 60 * HT_NS_PER_S, .def = "15s", .help = "of a direction, at most" },
	{ "precision", HT_OPT_INT, OPT(precision_percent), .min = 1, .max = 50,
	    .def = "2",
	    .help = "a direction ends when half the interval is so few "
		    "percent" },
	{ "bytes", HT_OPT_BYTES, OPT(bytes), .min = BYTES_LEAST, .max = INT64_C(1) << 40,
	    .def = "256M", .help = "that a test may cost, both directions together" },
	{ "day_bytes", HT_OPT_BYTES, OPT(day_bytes), .min = 0, .max = INT64_C(1) << 50,
	    .def = "1G", .help = "that all tests of a day (UTC) may cost" },
	{ "month_bytes", HT_OPT_BYTES, OPT(month_bytes), .min = 0,
	    .max = INT64_C(1) << 50, .def = "16G", .help = "and of a month" },
	{ "once_in", HT_OPT_DURATION, OPT(once_in_ns), .min = 0,
	    .max = INT64_C(31) * 86400 * HT_NS_PER_S, .def = "20h",
	    .help = "after a test that measured anything no other is tried for so "
		    "long, however often the probe runs" },
	{ "busy", HT_OPT_RATE, OPT(busy_bps), .min = 0, .max = INT64_C(400000000000),
	    .def = "2M",
	    .help = "no test while an interface of this machine carries "
		    "more" },
	{ "watch", HT_OPT_DURATION, OPT(watch_ns), .min = 0, .max = 60 * HT_NS_PER_S,
	    .def = "3s", .help = "for how long that is watched" },
};
static const struct ht_options throughput_option_table =
    HT_OPTIONS(struct throughput_options, option_rows);

static const enum ht_metric throughput_metrics[] = { HT_M_THROUGHPUT_STATUS,
	HT_M_THROUGHPUT_ENDPOINT, HT_M_THROUGHPUT_DOWN, HT_M_THROUGHPUT_DOWN_LOW,
	HT_M_THROUGHPUT_DOWN_HIGH, HT_M_THROUGHPUT_UP, HT_M_THROUGHPUT_UP_LOW,
	HT_M_THROUGHPUT_UP_HIGH, HT_M_THROUGHPUT_STREAMS, HT_M_THROUGHPUT_BYTES };

/* One direction: how it is asked for and told. */
static const struct way {
	const char *name, *path;
	enum ht_metric rate, low, high;
} ways[] = {
	{ "down", "/down", HT_M_THROUGHPUT_DOWN, HT_M_THROUGHPUT_DOWN_LOW,
	    HT_M_THROUGHPUT_DOWN_HIGH },
	{ "up", "/up", HT_M_THROUGHPUT_UP, HT_M_THROUGHPUT_UP_LOW,
	    HT_M_THROUGHPUT_UP_HIGH },
};
enum { WAY_DOWN, WAY_UP, WAYS };

struct throughput_run {
	const struct throughput_options *o;
	const struct probe_host *host;
	uv_timer_t timer;
	struct budget budget;
	char boot[HT_BOOT_ID_LEN + 1];
	bool booted;         /* since the budget was remembered */
	bool timeless;       /* no clock to be believed */
	int64_t month_bytes; /* as they were remembered at the beginning */
	struct traffic before;
	int64_t before_ns;
	struct grant grant; /* slot "": none */
	int64_t asked_ns;   /* when the slot was asked for: it began no earlier */
	int64_t last_ns;    /* the slot's end, or the run's: no load goes on then */
	bool own;           /* against the server's endpoint */
	bool unprotected;   /* no server stands behind this run */
	int64_t bytes;      /* that this test may cost */
	int way;            /* under way; WAYS: none */
	struct load *load;
	bool wanted[WAYS], tried[WAYS];
	struct load_result results[WAYS];
	int64_t spent;
	bool finished;
	/* closing */
	bool closing, timer_closed, load_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ── telling ──────────────────────────────────────────────────────────────────────── */

static void emit_number(struct throughput_run *r, enum ht_metric m, double v)
{
	r->host->emit(r->host, &(struct ht_reading){ .metric = m,
				   .instance = r->host->instance,
				   .at_ns = ht_mono_ns(),
				   .number = v });
}

static void emit_string(struct throughput_run *r, enum ht_metric m, const char *v)
{
	r->host->emit(r->host, &(struct ht_reading){ .metric = m,
				   .instance = r->host->instance,
				   .at_ns = ht_mono_ns(),
				   .string = v });
}

static const char *url_of(const struct throughput_run *r, int way)
{
	if (r->own)
		return r->grant.url;
	return way == WAY_DOWN || !r->o->upload_url ? r->o->url : r->o->upload_url;
}

static void emit_endpoint(struct throughput_run *r)
{
	const char *url = url_of(r, r->tried[WAY_DOWN] ? WAY_DOWN : WAY_UP);
	char text[GRANT_URL_MAX + 1];

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(url, "?#"), url);
	emit_string(r, HT_M_THROUGHPUT_ENDPOINT, text);
}

static void emit_results(struct throughput_run *r)
{
	int streams = 0;

	for (int w = 0; w < WAYS; w++) {
		const struct load_result *x = &r->results[w];

		streams = x->streams > streams ? x->streams : streams;
		if (!x->known)
			continue;
		emit_number(r, ways[w].rate, x->rate.bps);
		emit_number(r, ways[w].low, x->rate.low);
		emit_number(r, ways[w].high, x->rate.high);
	}
	emit_endpoint(r);
	emit_number(r, HT_M_THROUGHPUT_STREAMS, streams);
	emit_number(r, HT_M_THROUGHPUT_BYTES, (double)r->spent);
}

/* What another run has spent meanwhile: one that the server asked for, or the scheduled
 * one. */
static void add_others(struct throughput_run *r)
{
	struct budget now;
	size_t len;
	const void *bytes = r->host->recall(r->host, &len);

	budget_load(&now, bytes, len);
	if (now.month_bytes > r->month_bytes)
		budget_spend(&r->budget, now.month_bytes - r->month_bytes);
	if (now.done_ms > r->budget.done_ms)
		r->budget.done_ms = now.done_ms;
}

static void remember(struct throughput_run *r)
{
	uint8_t bytes[BUDGET_BYTES];

	add_others(r);
	size_t len = budget_save(&r->budget, bytes);
	if (r->host->remember(r->host, bytes, len))
		ht_log_warn(
		    "throughput.budget", "id=%s remembered=no", r->host->instance);
}

static void finish(struct throughput_run *r, const char *fmt, ...) HT_PRINTF(2, 3);

static void finish(struct throughput_run *r, const char *fmt, ...)
{
	char text[2 * WHY_MAX], status[2 * WHY_MAX];
	va_list args;

	if (r->finished)
		return;
	r->finished = true;
	uv_timer_stop(&r->timer);
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	clean_copy(text, strlen(text), status, sizeof(status));
	remember(r);
	if (r->spent)
		emit_results(r);
	emit_string(r, HT_M_THROUGHPUT_STATUS, status);
	r->host->done(r->host);
}

/* ── the slot's end ───────────────────────────────────────────────────────────────── */

/* Said once and not waited for: a slot whose end is lost ends by itself. `outcome` may
 * have the words of a library, or of who was at the other end. */
static void give_back(struct throughput_run *r, const char *outcome)
{
	char bytes[24], text[WHY_MAX];
	const struct probe_field fields[] = { { "slot", r->grant.slot },
		{ "bytes", bytes }, { "outcome", text } };

	if (!r->grant.slot[0])
		return;
	clean_copy(outcome, strlen(outcome), text, sizeof(text));
	snprintf(bytes, sizeof(bytes), "%" PRId64, r->spent);
	ht_err err = r->host->ask_server(
	    r->host, "slot-end", fields, HT_COUNT(fields), NULL, NULL);
	if (err)
		ht_log_info("throughput.slot", "id=%s slot=%s end=%s", r->host->instance,
		    r->grant.slot, ht_err_name(err));
	r->grant.slot[0] = '\0';
	explicit_bzero(r->grant.token, sizeof(r->grant.token));
}

/* What the directions say together: ok, partial or failed, and why. */
static void conclude(struct throughput_run *r)
{
	char why[WHY_MAX] = "";
	int tried = 0, known = 0, well = 0;

	for (int w = 0; w < WAYS; w++) {
		const struct load_result *x = &r->results[w];
		size_t len = strlen(why);

		if (!r->wanted[w])
			continue;
		tried++;
		known += x->known;
		well += x->known && !x->why[0];
		if (x->why[0])
			snprintf(why + len, sizeof(why) - len, "%s%s: %s",
			    len ? "; " : "", ways[w].name, x->why);
	}
	if (known) /* also when the other direction fails each time */
		budget_done(&r->budget);
	give_back(r, well == tried ? "ok" : why);
	if (!known)
		finish(r, "failed: %s", why);
	else if (well < tried)
		finish(r, "partial: %s", why);
	else if (r->unprotected)
		finish(r, "partial: no slot of the server kept other tests off the "
			  "uplink meanwhile");
	else
		finish(r, "ok");
}

/* ── loading ──────────────────────────────────────────────────────────────────────── */

static void load_next(struct throughput_run *r);

static void maybe_closed(struct throughput_run *r)
{
	if (r->closing && r->timer_closed && !r->load && r->closed)
		r->closed(r->closed_arg);
}

static void on_load_closed(void *arg)
{
	struct throughput_run *r = arg;

	r->load = NULL;
	r->load_closing = false;
	if (r->closing)
		maybe_closed(r);
	else
		load_next(r);
}

static void spend(struct throughput_run *r, int64_t bytes)
{
	r->spent += bytes;
	budget_spend(&r->budget, bytes);
}

static void on_load_done(void *arg, const struct load_result *result)
{
	struct throughput_run *r = arg;

	r->results[r->way] = *result;
	spend(r, result->bytes);
	r->load_closing = true;
	load_close(r->load, on_load_closed, r);
}

/* The first of two directions may cost half. */
static int64_t bytes_of(const struct throughput_run *r, int way)
{
	bool first_of_two = way == WAY_DOWN && r->wanted[WAY_UP];
	int64_t left = r->bytes - r->spent;

	return first_of_two ? left / 2 : left;
}

static ht_err load_begin(struct throughput_run *r, int way)
{
	char url[GRANT_URL_MAX + 8];
	int64_t now_ns = ht_mono_ns();
	struct load_config config = {
		.url = url,
		.up = way == WAY_UP,
		.sized = r->own,
		.token = r->own ? r->grant.token : NULL,
		.ca_file = r->own ? r->host->site->ca_file : r->o->ca,
		.streams = (int)r->o->streams,
		.streams_most =
		    (int)(r->o->max_streams > r->o->streams ? r->o->max_streams
							    : r->o->streams),
		.bytes = bytes_of(r, way),
		.until_ns = now_ns + r->o->duration_ns,
		.precision = (double)r->o->precision_percent / 100,
	};

	snprintf(url, sizeof(url), "%s%s", url_of(r, way), r->own ? ways[way].path : "");
	if (config.until_ns > r->last_ns)
		config.until_ns = r->last_ns;
	if (config.until_ns < now_ns + LEAST_NS)
		return HT_TIMEOUT;
	return load_start(r->host->loop, &config, on_load_done, r, &r->load);
}

static void load_next(struct throughput_run *r)
{
	int way = 0;

	while (way < WAYS && (!r->wanted[way] || r->tried[way]))
		way++;
	r->way = way;
	if (way == WAYS) {
		conclude(r);
		return;
	}
	r->tried[way] = true;
	ht_err err = load_begin(r, way);
	if (!err)
		return;
	snprintf(r->results[way].why, sizeof(r->results[way].why), "%s",
	    err == HT_TIMEOUT ? "no time is left for it" : "no transfer could be begun");
	load_next(r);
}

/* ── asking for a slot ────────────────────────────────────────────────────────────── */

static void ask(struct throughput_run *r);

static void on_wait(uv_timer_t *timer)
{
	ask(timer->data);
}

/* What a test takes, its margins included. */
static int64_t test_ns(const struct throughput_run *r)
{
	return (r->wanted[WAY_DOWN] + r->wanted[WAY_UP]) * r->o->duration_ns + SETTLE_NS;
}

/* False: there is no time to ask again and to test. */
static bool wait_and_ask(struct throughput_run *r, int64_t wait_s)
{
	uint16_t random = 0;

	/* Those that wait for one slot do not ask all at once. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	int64_t wait_ns = wait_s * HT_NS_PER_S + random * (HT_NS_PER_S / 65536) * 2;
	if (wait_s == 0 ||
	    ht_mono_ns() + wait_ns + test_ns(r) + MARGIN_NS > r->host->deadline_ns)
		return false;
	uv_timer_start(&r->timer, on_wait, (uint64_t)(wait_ns / HT_NS_PER_MS), 0);
	return true;
}

static bool budget_allows(struct throughput_run *r)
{
	int64_t left = budget_left(&r->budget, r->o->day_bytes, r->o->month_bytes);

	r->bytes = r->o->bytes < left ? r->o->bytes : left;
	return r->bytes >= BYTES_LEAST;
}

static void finish_spent(struct throughput_run *r)
{
	finish(r,
	    "skipped: the budget is used up: %.1f of %.1f MB this day, %.1f of %.1f MB "
	    "this month",
	    (double)r->budget.day_bytes / 1e6, (double)r->o->day_bytes / 1e6,
	    (double)r->budget.month_bytes / 1e6, (double)r->o->month_bytes / 1e6);
}

static void granted(struct throughput_run *r, const struct probe_answer *a)
{
	if (grant_read(a, &r->grant) || (!r->o->url && !r->grant.token[0])) {
		finish(r, "failed: the server's grant cannot be read: another version?");
		return;
	}
	r->own = r->grant.token[0] != '\0';
	if (r->grant.bytes < r->bytes)
		r->bytes = r->grant.bytes;
	/* The server counts from when it granted, which is after we asked: what comes
	 * late is shorter, and never reaches into another's slot. */
	int64_t end_ns = r->asked_ns + r->grant.seconds * HT_NS_PER_S;
	if (end_ns < r->last_ns)
		r->last_ns = end_ns;
	if (ht_mono_ns() + LEAST_NS > r->last_ns) {
		give_back(r, "too late");
		finish(r, "skipped: the server's grant came too late to be used");
		return;
	}
	load_next(r);
}

static void on_answer(void *arg, const struct probe_answer *a)
{
	struct throughput_run *r = arg;
	int64_t now_ms = grant_now_ms(a);

	/* A server's clock is better than none, and than one that nobody vouches for. */
	if (now_ms != INT64_MIN && !ht_clock_synchronised())
		budget_clock(&r->budget, now_ms, r->boot, ht_mono_ns());
	if (a->err == HT_OK) {
		granted(r, a);
		return;
	}
	if (a->err == HT_DENIED && wait_and_ask(r, grant_wait_s(a)))
		return;
	finish(r, "skipped: %.200s",
	    a->err == HT_DENIED ? a->why : "the server did not answer");
}

static void ask(struct throughput_run *r)
{
	char bytes[24], seconds[24];
	const struct probe_field fields[] = { { "link", r->host->instance },
		{ "bytes", bytes }, { "seconds", seconds },
		{ "against", r->o->url ? "url" : "endpoint" } };

	r->asked_ns = ht_mono_ns();
	snprintf(bytes, sizeof(bytes), "%" PRId64, r->bytes);
	snprintf(seconds, sizeof(seconds), "%" PRId64, test_ns(r) / HT_NS_PER_S);
	ht_err err =
	    r->host->ask_server(r->host, "slot", fields, HT_COUNT(fields), on_answer, r);
	if (!err)
		return;
	r->unprotected = err == HT_UNSUPPORTED && r->o->url;
	if (r->unprotected)
		load_next(r);
	else if (err == HT_UNSUPPORTED)
		finish(r, "skipped: there is no server to ask for a slot: give a url");
	else
		finish(r, "skipped: the server cannot be reached");
}

/* ── watching ─────────────────────────────────────────────────────────────────────── */

static bool look(struct traffic *out)
{
	static char text[TRAFFIC_BYTES]; /* one loop, no callback inside */
	int fd = open("/proc/net/dev", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[len < 0 ? 0 : len] = '\0';
	traffic_read(text, out);
	return len >= 0;
}

static void on_watched(uv_timer_t *timer)
{
	struct throughput_run *r = timer->data;
	struct traffic now;
	double bps = look(&now)
			 ? traffic_between(&r->before, &now, ht_mono_ns() - r->before_ns)
			 : 0;

	if (bps > (double)r->o->busy_bps)
		finish(r,
		    "skipped: an interface of this machine carries %.1f Mbit/s, more "
		    "than %.1f",
		    bps / 1e6, (double)r->o->busy_bps / 1e6);
	else
		ask(r);
}

/* ── life ─────────────────────────────────────────────────────────────────────────── */

static void recall(struct throughput_run *r)
{
	size_t len;
	const void *bytes = r->host->recall(r->host, &len);

	r->timeless = !ht_clock_synchronised();
	if (ht_boot_id(r->boot))
		r->boot[0] = '\0';
	budget_load(&r->budget, bytes, len);
	r->month_bytes = r->budget.month_bytes;
	r->booted = strcmp(r->budget.boot, r->boot) != 0;
	budget_clock(&r->budget, r->timeless ? BUDGET_UNKNOWN : ht_wall_ms(), r->boot,
	    ht_mono_ns());
}

static bool rests(const struct throughput_run *r)
{
	int64_t since_ms = budget_since_ms(&r->budget);

	return since_ms < r->o->once_in_ns / HT_NS_PER_MS;
}

/* Nothing is due, so nothing is told. But what has passed since another boot's clock
 * stopped is not known: from now on it is counted by this one's, which must be
 * remembered, or the rest would never end. */
static void rest(struct throughput_run *r)
{
	if (r->booted && r->timeless) {
		finish(r, "skipped: this machine was restarted and its clock is not "
			  "synchronised: once_in counts on from now");
		return;
	}
	if (r->booted)
		remember(r);
	r->finished = true;
	r->host->done(r->host);
}

/* The first step, from the loop, so that what is told is told there. */
static void on_begin(uv_timer_t *timer)
{
	struct throughput_run *r = timer->data;

	if (rests(r)) {
		rest(r);
	} else if (!budget_allows(r)) {
		finish_spent(r);
	} else if (ht_mono_ns() + r->o->watch_ns + test_ns(r) + MARGIN_NS >
		   r->host->deadline_ns) {
		finish(r,
		    "skipped: the run's timeout is too short for a test of %" PRId64 " s",
		    (r->o->watch_ns + test_ns(r) + MARGIN_NS) / HT_NS_PER_S);
	} else {
		look(&r->before);
		r->before_ns = ht_mono_ns();
		uv_timer_start(
		    &r->timer, on_watched, (uint64_t)(r->o->watch_ns / HT_NS_PER_MS), 0);
	}
}

static ht_err throughput_start(
    void *run, const void *options, const struct probe_host *host)
{
	struct throughput_run *r = run;

	r->o = options;
	r->host = host;
	r->way = WAYS;
	r->last_ns = host->deadline_ns - MARGIN_NS;
	r->wanted[WAY_DOWN] = r->o->direction != UP;
	r->wanted[WAY_UP] = r->o->direction != DOWN && (!r->o->url || r->o->upload_url);
	recall(r);
	uv_timer_init(host->loop, &r->timer);
	r->timer.data = r;
	uv_timer_start(&r->timer, on_begin, 0, 0);
	return HT_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct throughput_run *r = handle->data;

	r->timer_closed = true;
	maybe_closed(r);
}

/* What an unfinished test has cost is not forgotten. */
static void throughput_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct throughput_run *r = run;

	r->closed = closed;
	r->closed_arg = arg;
	if (r->closing)
		return;
	r->closing = true;
	r->host->forget(r->host, r);
	if (!r->finished) {
		if (r->load && !r->load_closing)
			spend(r, load_bytes(r->load));
		remember(r);
		give_back(r, "cancelled");
		r->finished = true;
	}
	if (r->load && !r->load_closing)
		load_close(r->load, on_load_closed, r);
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

static ht_err check_url(
    const struct ht_node *node, const char *key, const char *url, struct ht_fault *fault)
{
	const struct ht_node *at = node ? ht_node_get(node, key) : NULL;

	if (!url || grant_url_fits(url))
		return HT_OK;
	if (at || node)
		return ht_node_fault(at ? at : node, fault,
		    "\"%s\" is no URL; write it as https://host/path", url);
	return ht_fault_set(fault, HT_CONFIG,
	    "%s: \"%s\" is no URL; write it as https://host/path", key, url);
}

static ht_err throughput_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	const struct throughput_options *o = options;
	ht_err err = check_url(node, "url", o->url, fault);

	if (!err)
		err = check_url(node, "upload_url", o->upload_url, fault);
	if (!err && o->direction == UP && o->url && !o->upload_url)
		err = ht_fault_set(fault, HT_CONFIG,
		    "throughput: direction is up: give an upload_url too");
	return err;
}

const struct probe_ops probe_throughput = {
	.name = "throughput",
	.help = "what the link carries down and up, within a budget of bytes",
	.metrics = throughput_metrics,
	.n_metrics = HT_COUNT(throughput_metrics),
	.options = &throughput_option_table,
	.run_size = sizeof(struct throughput_run),
	.spends = true,
	.start = throughput_start,
	.cancel = throughput_cancel,
	.check = throughput_check,
};
