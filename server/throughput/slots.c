#include "server/throughput/slots.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DAY_MIN     1440
#define MINUTE_MS   INT64_C(60000)
#define WAIT_S      5 /* a test under way mostly ends before its slot does */
#define BYTES_LEAST (INT64_C(256) << 10) /* less measures nothing */

/* ── hours ────────────────────────────────────────────────────────────────────────── */

static bool clock_read(const char **text, int *out)
{
	const char *t = *text;
	bool digits = t[0] >= '0' && t[0] <= '2' && t[1] >= '0' && t[1] <= '9' &&
		      t[2] == ':' && t[3] >= '0' && t[3] <= '5' && t[4] >= '0' &&
		      t[4] <= '9';

	if (!digits)
		return false;
	*out = ((t[0] - '0') * 10 + t[1] - '0') * 60 + (t[3] - '0') * 10 + t[4] - '0';
	*text += 5;
	return *out <= DAY_MIN;
}

ht_err slots_hours_add(struct slots_hours *h, const char *text)
{
	int from, to;

	if (!clock_read(&text, &from) || *text++ != '-' || !clock_read(&text, &to) ||
	    *text || from == to || from == DAY_MIN)
		return HT_MALFORMED;
	if (h->n == SLOTS_HOURS_MAX)
		return HT_FULL;
	h->at[h->n].from = from;
	h->at[h->n++].to = to;
	return HT_OK;
}

int slots_hours_wait(const struct slots_hours *h, int64_t local_ms)
{
	int now = (int)(local_ms / MINUTE_MS % DAY_MIN), wait = DAY_MIN;

	for (size_t i = 0; i < h->n; i++) {
		int from = h->at[i].from, to = h->at[i].to;
		bool in = from < to ? now >= from && now < to : now >= from || now < to;
		int until = in ? 0 : (from - now + DAY_MIN) % DAY_MIN;

		wait = until < wait ? until : wait;
	}
	return h->n ? wait : 0;
}

/* ── what links share ─────────────────────────────────────────────────────────────── */

static bool listed(const char *const *list, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], id) == 0)
			return true;
	}
	return false;
}

static bool hangs_on(const struct slots_link *l, const char *id)
{
	return strcmp(l->id, id) == 0 || listed(l->ancestors, l->n_ancestors, id);
}

/* The first link, itself included, that both hang on and that is not wide. */
static const char *in_common(const struct slots_link *a, const struct slots_link *b,
    const char *const *wide, size_t n_wide)
{
	if (hangs_on(b, a->id) && !listed(wide, n_wide, a->id))
		return a->id;
	for (size_t i = 0; i < a->n_ancestors; i++) {
		if (hangs_on(b, a->ancestors[i]) &&
		    !listed(wide, n_wide, a->ancestors[i]))
			return a->ancestors[i];
	}
	return NULL;
}

bool slots_shared(const struct slots_link *a, const struct slots_link *b,
    const char *const *wide, size_t n_wide, char out_why[static SLOTS_WHY_MAX])
{
	const char *link = in_common(a, b, wide, n_wide);

	/* One link is measured by one test, however wide it is. */
	if (!link && strcmp(a->id, b->id) == 0)
		link = a->id;
	if (link)
		snprintf(out_why, SLOTS_WHY_MAX, "the link %s", link);
	else if (a->router && b->router && strcmp(a->router, b->router) == 0)
		snprintf(out_why, SLOTS_WHY_MAX, "the router %s", a->router);
	else if (strcmp(a->agency, b->agency) == 0)
		snprintf(out_why, SLOTS_WHY_MAX, "the agency %s", a->agency);
	else
		return false;
	return true;
}

/* ── rules, in the order in which they are told ───────────────────────────────────── */

static bool refuse(struct slots_verdict *v, int64_t wait_s, const char *fmt, ...)
    HT_PRINTF(3, 4);

static bool refuse(struct slots_verdict *v, int64_t wait_s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, args);
	va_end(args);
	v->wait_s = wait_s;
	return true;
}

static bool refuse_endpoint(
    const struct slots_rules *r, const struct slots_ask *ask, struct slots_verdict *v)
{
	return ask->endpoint && !r->endpoint &&
	       refuse(v, 0,
		   "the server has no endpoint for tests: set throughput.port of "
		   "server.yaml, or give the probe a url");
}

static bool refuse_state(const struct slots_ask *ask, struct slots_verdict *v)
{
	static const struct {
		const char *state, *why;
	} states[] = {
		{ "DOWN", "the link is down" },
		{ "UNREACHABLE", "what the link hangs on is down" },
		{ "MAINTENANCE", "the link is under maintenance" },
	};

	for (size_t i = 0; ask->state && i < HT_COUNT(states); i++) {
		if (strcmp(states[i].state, ask->state) == 0)
			return refuse(v, 0, "%s", states[i].why);
	}
	return false;
}

static bool refuse_hour(
    const struct slots_rules *r, const struct slots_ask *ask, struct slots_verdict *v)
{
	int64_t local_ms = ask->now_ms + r->utc_offset_min * MINUTE_MS;
	int wait = slots_hours_wait(&r->hours, local_ms);

	if (!wait)
		return false;
	int at = (int)((local_ms / MINUTE_MS + wait) % DAY_MIN);
	return refuse(v, (int64_t)wait * 60,
	    "outside the hours in which tests are allowed; they begin at %02d:%02d",
	    at / 60, at % 60);
}

static bool busy(double used, int64_t rate, double share)
{
	return rate > 0 && !isnan(used) && used > share * (double)rate;
}

static bool refuse_busy(
    const struct slots_rules *r, const struct slots_ask *ask, struct slots_verdict *v)
{
	bool down = busy(ask->used_down, ask->link.down_bps, r->busy_share);

	if (ask->used_ms > SLOTS_USED_MS ||
	    (!down && !busy(ask->used_up, ask->link.up_bps, r->busy_share)))
		return false;
	return refuse(v, 0,
	    "the link carries office traffic: %.1f Mbit/s %s, more than %.0f %% of its "
	    "%.1f Mbit/s",
	    (down ? ask->used_down : ask->used_up) / 1e6, down ? "down" : "up",
	    r->busy_share * 100,
	    (double)(down ? ask->link.down_bps : ask->link.up_bps) / 1e6);
}

static bool refuse_budget(
    const struct slots_rules *r, const struct slots_ask *ask, struct slots_verdict *v)
{
	if (ask->day_tests >= r->day_tests)
		return refuse(v, 0,
		    "the link was tested %" PRId64 " times this day, which is enough",
		    ask->day_tests);
	int64_t day = r->day_bytes - ask->day_spent;
	int64_t month = r->month_bytes - ask->month_spent;
	int64_t left = day < month ? day : month;

	v->bytes = ask->bytes < left ? ask->bytes : left;
	return left < BYTES_LEAST &&
	       refuse(v, 0,
		   "the link's budget at the server is used up: %.1f of %.1f MB this %s",
		   (double)(day < month ? ask->day_spent : ask->month_spent) / 1e6,
		   (double)(day < month ? r->day_bytes : r->month_bytes) / 1e6,
		   day < month ? "day" : "month");
}

static bool refuse_shared(const struct slots_rules *r, const struct slots_ask *ask,
    const struct slots_live *live, size_t n, struct slots_verdict *v)
{
	char why[SLOTS_WHY_MAX];

	for (size_t i = 0; i < n; i++) {
		if (live[i].expires_ms > ask->now_ms &&
		    slots_shared(&ask->link, &live[i].link, r->wide, r->n_wide, why))
			return refuse(v, WAIT_S,
			    "a test of %.64s by %.64s %s and shares %.90s",
			    live[i].link.id, live[i].agent,
			    live[i].waiting ? "has waited longer" : "is under way", why);
	}
	return false;
}

/* What cannot be compared with all might share an uplink with one of them. */
static bool refuse_crowd(
    const struct slots_ask *ask, size_t n_live, struct slots_verdict *v)
{
	return ask->crowded &&
	       refuse(
		   v, WAIT_S, "%zu tests are under way, as many as are compared", n_live);
}

/* What a test may bring: a link of unknown rate counts for its part of the endpoint. */
static int64_t load_of(const struct slots_rules *r, const struct slots_link *l)
{
	int64_t most = l->down_bps > l->up_bps ? l->down_bps : l->up_bps;

	return most > 0 ? most : r->endpoint_bps / r->max_concurrent;
}

/* One that is alone may always: it measures the endpoint then, if that is slower. */
static bool refuse_capacity(const struct slots_rules *r, const struct slots_ask *ask,
    const struct slots_live *live, size_t n, struct slots_verdict *v)
{
	int64_t tests = 0, sum = load_of(r, &ask->link);

	for (size_t i = 0; ask->endpoint && i < n; i++) {
		if (live[i].expires_ms <= ask->now_ms || !live[i].endpoint ||
		    live[i].waiting)
			continue;
		sum += load_of(r, &live[i].link);
		tests++;
	}
	if (tests == 0 || (tests < r->max_concurrent && sum <= r->endpoint_bps))
		return false;
	return refuse(
	    v, WAIT_S, "the endpoint is full: %" PRId64 " tests are under way", tests);
}

void slots_judge(const struct slots_rules *rules, const struct slots_ask *ask,
    const struct slots_live *live, size_t n_live, struct slots_verdict *out)
{
	struct slots_verdict v = { 0 };

	v.granted = !refuse_endpoint(rules, ask, &v) && !refuse_state(ask, &v) &&
		    !refuse_hour(rules, ask, &v) && !refuse_busy(rules, ask, &v) &&
		    !refuse_budget(rules, ask, &v) &&
		    !refuse_shared(rules, ask, live, n_live, &v) &&
		    !refuse_crowd(ask, n_live, &v) &&
		    !refuse_capacity(rules, ask, live, n_live, &v);
	*out = v;
}
