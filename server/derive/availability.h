/* Accounting of one link over one period: pure. Each millisecond counts once, by the
 * rules that availability_rules says in words and that are printed with every figure
 * (docs/availability.md). Corrected times of an outage win over the estimate. */
#ifndef HT_SERVER_DERIVE_AVAILABILITY_H
#define HT_SERVER_DERIVE_AVAILABILITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "server/derive/linkstate.h"

#define AVAILABILITY_OPEN INT64_MAX /* an end that has not come */

/* A row of link_span. */
struct availability_span {
	int64_t from_ms, to_ms; /* OPEN */
	enum link_state state;
};

/* A row of outage. */
struct availability_outage {
	int64_t estimate_start_ms, estimate_end_ms; /* OPEN */
	int64_t start_ms, end_ms; /* as they count: the edge's where it has them; OPEN */
	bool unreachable;         /* behind a dead parent */
	bool not_the_link;        /* cause server or agent */
};

struct availability_window {
	int64_t from_ms, to_ms;
};

struct availability_sums {
	int64_t up_ms, degraded_ms, down_ms, unreachable_ms, unknown_ms, maintenance_ms;
	int64_t outages;         /* that began in the period */
	int64_t ended;           /* that ended in it … */
	int64_t ended_repair_ms; /* … and how long those were in all, less maintenance */
	int64_t links;
};

/* What happened in [from_ms, to_ms), of which nothing after `now_ms` counts. Spans in
 * order of time, not overlapping; outages by start_ms; windows in any order and
 * overlapping as they like. Spans and outages reach beyond the period as they are. Adds
 * to `sums`. HT_NOMEM. */
HT_MUST_CHECK ht_err availability_count(const struct availability_span *spans,
    size_t n_spans, const struct availability_outage *outages, size_t n_outages,
    const struct availability_window *windows, size_t n_windows, int64_t from_ms,
    int64_t to_ms, int64_t now_ms, struct availability_sums *sums);

void availability_add(struct availability_sums *to, const struct availability_sums *more);

/* Shares 0..1 and seconds; NaN when they say nothing. */
double availability_share(const struct availability_sums *s);
double availability_service(const struct availability_sums *s); /* unreachable counts */
double availability_coverage(const struct availability_sums *s);
double availability_mttr_s(const struct availability_sums *s);
double availability_mtbf_s(const struct availability_sums *s);

/* "2026-11" in a zone `offset_min` east of UTC: its begin and end. HT_MALFORMED, HT_RANGE
 * (years 2000 to 9998). */
HT_MUST_CHECK ht_err availability_month(
    const char *month, int offset_min, int64_t *out_from_ms, int64_t *out_to_ms);
/* The month that holds `at_ms`. */
void availability_month_of(int64_t at_ms, int offset_min, char out[static 8]);

struct availability_rule {
	const char *vi, *en;
};
#define AVAILABILITY_RULES 9
extern const struct availability_rule availability_rules[AVAILABILITY_RULES];

#endif
