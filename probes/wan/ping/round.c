#include "probes/wan/ping/round.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* What the kernel's and our own clock may differ by over one round trip. */
#define CLOCK_SLACK_NS HT_NS_PER_MS

uint16_t round_send(struct round *r, int64_t mono_ns, int64_t wall_ns)
{
	struct round_ping *p = &r->pings[r->n_sent];

	*p = (struct round_ping){ .mono_ns = mono_ns, .wall_ns = wall_ns };
	return (uint16_t)r->n_sent++;
}

void round_refused(struct round *r)
{
	r->n_refused++;
}

/* Between the kernel's receive stamp and our sending, unless the wall clock was moved
 * meanwhile: then by our own clock. */
static int64_t rtt_of(const struct round_ping *p, int64_t kernel_ns, int64_t now_ns)
{
	int64_t own = now_ns - p->mono_ns;
	int64_t kernel = kernel_ns - p->wall_ns;

	if (kernel_ns && kernel >= 0 && kernel <= own + CLOCK_SLACK_NS)
		return kernel;
	return own;
}

static void measure(struct round *r, int64_t rtt_ns)
{
	if (r->n_answered++)
		r->jitter_ns +=
		    (fabs((double)(rtt_ns - r->last_rtt_ns)) - r->jitter_ns) / 16;
	r->last_rtt_ns = rtt_ns;
}

bool round_take(
    struct round *r, const struct icmp_echo *e, int64_t kernel_ns, int64_t now_ns)
{
	if (e->cookie != r->cookie || e->seq >= r->n_sent) {
		r->n_forged++;
		return false;
	}
	struct round_ping *p = &r->pings[e->seq];
	int64_t rtt = rtt_of(p, kernel_ns, now_ns);

	if (p->answered) {
		r->n_duplicate++;
		return false;
	}
	if (rtt > r->wait_ns) {
		r->n_late++; /* lost already */
		return false;
	}
	p->answered = true;
	p->rtt_ns = rtt;
	measure(r, rtt);
	r->n_short += e->payload < r->payload;
	return true;
}

void round_forged(struct round *r)
{
	r->n_forged++;
}

void round_malformed(struct round *r)
{
	r->n_malformed++;
}

size_t round_decided(const struct round *r, int64_t now_ns, bool all)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_sent; i++)
		n += all || r->pings[i].answered ||
		     now_ns - r->pings[i].mono_ns >= r->wait_ns / 2;
	return n;
}

/* ---- figures ---- */

static int by_length(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Nearest rank: the least that `percent` of the n sorted ones do not exceed. */
static int64_t percentile(const int64_t *sorted, size_t n, size_t percent)
{
	size_t rank = (n * percent + 99) / 100;

	return sorted[rank ? rank - 1 : 0];
}

void round_times(const struct round *r, struct round_times *out)
{
	int64_t sorted[ROUND_PINGS_MAX], sum = 0;
	size_t n = 0;

	*out = (struct round_times){ 0 };
	for (size_t i = 0; i < r->n_sent; i++) {
		if (!r->pings[i].answered)
			continue;
		sorted[n++] = r->pings[i].rtt_ns;
		sum += r->pings[i].rtt_ns;
		ht_hist_add(&out->hist, r->pings[i].rtt_ns);
	}
	qsort(sorted, n, sizeof(*sorted), by_length);
	out->min_ns = sorted[0];
	out->avg_ns = sum / (int64_t)n;
	out->max_ns = sorted[n - 1];
	out->p50_ns = percentile(sorted, n, 50);
	out->p95_ns = percentile(sorted, n, 95);
}

void round_reason(const struct round *r, char out[static ROUND_REASON_MAX])
{
	const struct {
		size_t n;
		const char *what;
	} parts[] = {
		{ r->n_refused, "pings that could not be sent" },
		{ r->n_duplicate, "replies that came twice" },
		{ r->n_late, "late replies" },
		{ r->n_forged, "forged replies" },
		{ r->n_malformed, "truncated or malformed replies" },
		{ r->n_short, "replies that bring less than was sent" },
	};
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < HT_COUNT(parts); i++) {
		if (parts[i].n && len < ROUND_REASON_MAX)
			len += (size_t)snprintf(out + len, ROUND_REASON_MAX - len,
			    "%s%zu %s", len ? ", " : "", parts[i].n, parts[i].what);
	}
}
