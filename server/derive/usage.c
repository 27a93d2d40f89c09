#include "server/derive/usage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, DAYS_MAX = 400 };

static const char *const own_reasons[] = {
	"the polls are more than 16 minutes apart",
	"another interface carries the link now",
};

const char *usage_gap_reason(int gap)
{
	return gap < USAGE_GAP_APART ? rate_reason((enum rate_verdict)gap)
				     : own_reasons[gap - USAGE_GAP_APART];
}

static int64_t modulo(int64_t a, int64_t b)
{
	int64_t rest = a % b;

	return rest < 0 ? rest + b : rest;
}

int64_t usage_hour_of(int64_t at_ms)
{
	return at_ms - modulo(at_ms, USAGE_HOUR_MS);
}

/* ── one hour ────────────────────────────────────────────────────────────────────── */

static uint64_t kilobits(double bps, int64_t ms)
{
	double kbit = bps * (double)ms / 1e6;

	return kbit > 0 && kbit < 1e15 ? (uint64_t)llround(kbit) : 0;
}

void usage_add(struct usage_hour *h, int64_t hour_ms, int64_t from_ms, int64_t to_ms,
    double down_bps, double up_bps)
{
	for (int i = 0; i < USAGE_SLOTS; i++) {
		struct usage_slot *s = &h->slots[i];
		int64_t begin = hour_ms + i * USAGE_SLOT_MS, end = begin + USAGE_SLOT_MS;
		int64_t from = from_ms > begin ? from_ms : begin,
			ms = (to_ms < end ? to_ms : end) - from;

		if (ms > USAGE_SLOT_MS - (int64_t)s->ms)
			ms = USAGE_SLOT_MS - (int64_t)s->ms;
		if (ms <= 0)
			continue;
		s->ms += (uint32_t)ms;
		s->down_kbit += kilobits(down_bps, ms);
		s->up_kbit += kilobits(up_bps, ms);
	}
}

bool usage_slot_counts(const struct usage_slot *s)
{
	return s->ms >= USAGE_SLOT_MS / 2;
}

double usage_slot_bps(const struct usage_slot *s, bool up)
{
	return s->ms ? (double)(up ? s->up_kbit : s->down_kbit) * 1e6 / s->ms : NAN;
}

/* ── bytes ───────────────────────────────────────────────────────────────────────── */

static size_t put(uint8_t *out, uint64_t v)
{
	size_t n = 0;

	while (v > 127) {
		out[n++] = (uint8_t)(v & 127) | 128;
		v >>= 7;
	}
	out[n++] = (uint8_t)v;
	return n;
}

size_t usage_encode(const struct usage_hour *h, uint8_t out[static USAGE_BYTES_MAX])
{
	unsigned mask = 0, gaps = 0;
	size_t n = 0;

	for (int i = 0; i < USAGE_SLOTS; i++)
		mask |= h->slots[i].ms ? 1u << i : 0;
	for (int g = 0; g < USAGE_GAPS; g++)
		gaps += h->gaps[g] > 0;
	out[n++] = VERSION;
	out[n++] = (uint8_t)mask;
	out[n++] = (uint8_t)(mask >> 8);
	for (int i = 0; i < USAGE_SLOTS; i++) {
		const struct usage_slot *s = &h->slots[i];

		if (!s->ms)
			continue;
		n += put(out + n, USAGE_SLOT_MS - s->ms);
		n += put(out + n, s->down_kbit);
		n += put(out + n, s->up_kbit);
	}
	n += put(out + n, gaps);
	for (int g = 0; g < USAGE_GAPS; g++) {
		if (!h->gaps[g])
			continue;
		n += put(out + n, (uint64_t)g);
		n += put(out + n, h->gaps[g]);
	}
	return n;
}

struct cursor {
	const uint8_t *at, *end;
	bool bad; /* stays bad: checked once, at the end */
};

static uint64_t get(struct cursor *c, uint64_t most)
{
	uint64_t v = 0;

	for (int shift = 0; shift < 63; shift += 7) {
		if (c->bad || c->at == c->end)
			break;
		uint8_t b = *c->at++;
		v |= (uint64_t)(b & 127) << shift;
		if (!(b & 128)) {
			c->bad = v > most || (b == 0 && shift);
			return c->bad ? 0 : v;
		}
	}
	c->bad = true;
	return 0;
}

static void get_slots(struct cursor *c, unsigned mask, struct usage_hour *h)
{
	for (int i = 0; i < USAGE_SLOTS; i++) {
		struct usage_slot *s = &h->slots[i];

		if (!(mask & 1u << i))
			continue;
		s->ms = (uint32_t)(USAGE_SLOT_MS -
				   (int64_t)get(c, (uint64_t)USAGE_SLOT_MS - 1));
		s->down_kbit = get(c, UINT64_C(1) << 53);
		s->up_kbit = get(c, UINT64_C(1) << 53);
	}
}

static void get_gaps(struct cursor *c, struct usage_hour *h)
{
	int64_t last = -1;

	for (uint64_t n = get(c, USAGE_GAPS); n-- > 0 && !c->bad;) {
		uint64_t g = get(c, USAGE_GAPS - 1);

		if ((int64_t)g <= last)
			c->bad = true;
		last = (int64_t)g;
		h->gaps[g] = (uint32_t)get(c, UINT32_MAX);
		if (!h->gaps[g])
			c->bad = true;
	}
}

ht_err usage_decode(const void *bytes, size_t len, struct usage_hour *out)
{
	struct usage_hour h = { 0 };
	const uint8_t *p = bytes;

	if (len < 4 || p[0] != VERSION || p[2] >> 4)
		return HT_MALFORMED;
	struct cursor c = { p + 3, p + len, false };
	get_slots(&c, p[1] | (unsigned)p[2] << 8, &h);
	get_gaps(&c, &h);
	if (c.bad || c.at != c.end)
		return HT_MALFORMED;
	*out = h;
	return HT_OK;
}

/* ── a window ────────────────────────────────────────────────────────────────────── */

struct values {
	double *at;
	size_t n;
};

struct usage_window {
	const struct calendar *c;
	struct calendar_day day; /* the one looked at last */
	struct usage_figures f;
	size_t cap;
	struct values all[2], office[2];
	double hour_sum[2][24];
	int64_t hour_n[24];
	bool pending;
	int64_t hour_ms;
	struct usage_slot slots[USAGE_SLOTS];
};

static const struct calendar_day *day_at(struct usage_window *w, int64_t at_ms)
{
	if (at_ms < w->day.from_ms || at_ms >= w->day.to_ms)
		calendar_day_of(w->c, at_ms, &w->day);
	return &w->day;
}

static bool is_office(struct usage_window *w, int64_t slot_ms)
{
	const struct calendar_day *d = day_at(w, slot_ms);

	return d->works && slot_ms >= d->open_ms &&
	       slot_ms + USAGE_SLOT_MS <= d->close_ms;
}

/* Whole slots of [from_ms, to_ms) that lie within [a_ms, b_ms). */
static int64_t slots_within(const struct usage_figures *f, int64_t a_ms, int64_t b_ms)
{
	int64_t a = (a_ms > f->from_ms ? a_ms : f->from_ms) - f->from_ms,
		b = (b_ms < f->to_ms ? b_ms : f->to_ms) - f->from_ms;
	int64_t n = b / USAGE_SLOT_MS - (a + USAGE_SLOT_MS - 1) / USAGE_SLOT_MS;

	return b > a && n > 0 ? n : 0;
}

static void declare(struct usage_window *w)
{
	w->f.declared = (w->f.to_ms - w->f.from_ms) / USAGE_SLOT_MS;
	for (int64_t at = w->f.from_ms; at < w->f.to_ms; at = w->day.to_ms) {
		const struct calendar_day *d = day_at(w, at);
		int64_t n = d->works ? slots_within(&w->f, d->open_ms, d->close_ms) : 0;

		w->f.office_declared += n;
		w->f.provisional += d->provisional ? n : 0;
	}
}

ht_err usage_window_new(
    const struct calendar *c, int64_t from_ms, int64_t to_ms, struct usage_window **out)
{
	int64_t n = (to_ms - from_ms) / USAGE_SLOT_MS;
	struct usage_window *w;

	if (n < 0 || n > (int64_t)DAYS_MAX * 288)
		return HT_RANGE;
	w = calloc(1, sizeof(*w));
	if (!w)
		return HT_NOMEM;
	w->c = c;
	w->cap = (size_t)n;
	w->f.from_ms = from_ms;
	w->f.to_ms = from_ms + n * USAGE_SLOT_MS;
	declare(w);
	for (int i = 0; i < 2; i++) {
		w->all[i].at = malloc((w->cap + 1) * sizeof(double));
		w->office[i].at = malloc((w->cap + 1) * sizeof(double));
		if (!w->all[i].at || !w->office[i].at) {
			usage_window_free(w);
			return HT_NOMEM;
		}
	}
	*out = w;
	return HT_OK;
}

void usage_window_free(struct usage_window *w)
{
	if (!w)
		return;
	for (int i = 0; i < 2; i++) {
		free(w->all[i].at);
		free(w->office[i].at);
	}
	free(w);
}

static void take_slot(struct usage_window *w, int64_t at_ms, const struct usage_slot *s)
{
	bool office = is_office(w, at_ms);
	int64_t hour =
	    modulo(usage_hour_of(at_ms + calendar_offset_ms(w->c)), 24 * USAGE_HOUR_MS) /
	    USAGE_HOUR_MS;

	if (at_ms < w->f.from_ms || at_ms >= w->f.to_ms || !usage_slot_counts(s) ||
	    w->all[0].n == w->cap)
		return;
	w->f.observed++;
	w->f.office_observed += office;
	w->hour_n[hour] += office;
	for (int i = 0; i < 2; i++) {
		double bps = usage_slot_bps(s, i);

		w->all[i].at[w->all[i].n++] = bps;
		if (!office)
			continue;
		w->office[i].at[w->office[i].n++] = bps;
		w->hour_sum[i][hour] += bps;
	}
}

static void take_pending(struct usage_window *w)
{
	for (int i = 0; w->pending && i < USAGE_SLOTS; i++)
		take_slot(w, w->hour_ms + i * USAGE_SLOT_MS, &w->slots[i]);
	w->pending = false;
}

ht_err usage_window_hour(
    struct usage_window *w, int64_t hour_ms, const struct usage_hour *h)
{
	if (w->pending && hour_ms < w->hour_ms)
		return HT_INVALID;
	if (!w->pending || hour_ms != w->hour_ms) {
		take_pending(w);
		w->pending = true;
		w->hour_ms = hour_ms;
		memset(w->slots, 0, sizeof(w->slots));
	}
	for (int i = 0; i < USAGE_SLOTS; i++) {
		if (h->slots[i].ms > w->slots[i].ms)
			w->slots[i] = h->slots[i];
	}
	for (int g = 0; g < USAGE_GAPS; g++)
		w->f.gaps[g] += h->gaps[g];
	return HT_OK;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double usage_percentile(double *values, size_t n, double q)
{
	if (n == 0)
		return NAN;
	qsort(values, n, sizeof(*values), ascending);
	size_t rank = (size_t)ceil(q * (double)n - 1e-9);
	return values[rank > 0 ? rank - 1 : 0];
}

static double mean(const struct values *v)
{
	double sum = 0;

	for (size_t i = 0; i < v->n; i++)
		sum += v->at[i];
	return v->n ? sum / (double)v->n : NAN;
}

static void way(struct usage_window *w, int i, struct usage_way *out)
{
	*out = (struct usage_way){ .busy = NAN, .busy_hour = -1 };
	out->mean = mean(&w->all[i]); /* in the order of time: sums depend on it */
	out->office_mean = mean(&w->office[i]);
	out->p95 = usage_percentile(w->all[i].at, w->all[i].n, 0.95);
	out->office_p95 = usage_percentile(w->office[i].at, w->office[i].n, 0.95);
	out->peak = w->all[i].n ? w->all[i].at[w->all[i].n - 1] : NAN;
	for (int h = 0; h < 24; h++) {
		double m = w->hour_n[h] ? w->hour_sum[i][h] / (double)w->hour_n[h] : NAN;

		if (!isnan(m) && !(m <= out->busy)) {
			out->busy = m;
			out->busy_hour = h;
		}
	}
}

void usage_window_figures(struct usage_window *w, struct usage_figures *out)
{
	take_pending(w);
	way(w, 0, &w->f.down);
	way(w, 1, &w->f.up);
	*out = w->f;
}
