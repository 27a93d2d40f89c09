/* What is contracted, negotiated, measured and used of one link, side by side, and where
 * they contradict each other: pure, by thresholds that are data (rules/bandwidth.yaml).
 * A contradiction is a finding with a sentence and a cure; it never changes a figure. */
#ifndef HT_SERVER_DERIVE_BANDWIDTH_CHECK_H
#define HT_SERVER_DERIVE_BANDWIDTH_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { BANDWIDTH_FINDINGS_MAX = 24, BANDWIDTH_TEXT_MAX = 240 };

/* All in the file's own words. */
struct bandwidth_rules {
	char *version, *effective_from, *calendar;
	int64_t used_window_ns, test_every_ns, keep_after_ns;
	double enough_coverage, payload_share, measured_below_contract,
	    measured_above_speed, negotiated_below_contract, saturated,
	    used_above_contract, swapped;
	double confidence_declared, confidence_contradicted, confidence_interface,
	    confidence_measured;
};

HT_MUST_CHECK ht_err bandwidth_rules_load(
    const char *file, struct bandwidth_rules **out, struct ht_fault *fault);
HT_MUST_CHECK ht_err bandwidth_rules_parse(const char *file, const void *bytes,
    size_t len, struct bandwidth_rules **out, struct ht_fault *fault);
void bandwidth_rules_free(struct bandwidth_rules *r); /* accepts NULL */

enum bandwidth_way { BANDWIDTH_DOWN, BANDWIDTH_UP };
#define BANDWIDTH_WAYS 2
const char *bandwidth_way_name(enum bandwidth_way w); /* "down", "up" */

/* One direction, bit/s; NaN: not known. */
struct bandwidth_four {
	double contracted;
	double negotiated;
	double measured, measured_low, measured_high; /* TCP payload */
	double used_p95, used_busy;
};

struct bandwidth_facts {
	struct bandwidth_four way[BANDWIDTH_WAYS];
	double used_coverage; /* 0 to 1 */
	bool polled;          /* counters of it were ever read */
	bool tested;          /* a throughput test has ever succeeded */
	int64_t tested_ms;    /* then: when */
	int64_t now_ms;
};

enum bandwidth_finding_kind {
	FINDING_MEASURED_BELOW_CONTRACT,
	FINDING_MEASURED_ABOVE_SPEED,
	FINDING_NEGOTIATED_BELOW_CONTRACT,
	FINDING_SATURATED,
	FINDING_USED_ABOVE_CONTRACT,
	FINDING_USED_ABOVE_SPEED,
	FINDING_SWAPPED,
	FINDING_TEST_OLD,
	FINDING_KINDS
};
const char *bandwidth_finding_name(enum bandwidth_finding_kind k);
/* The problem (problem.h) that it is told as, or NULL: it is only shown. */
const char *bandwidth_finding_problem(enum bandwidth_finding_kind k);

struct bandwidth_finding {
	enum bandwidth_finding_kind kind;
	bool both; /* it is about the link, not one direction */
	enum bandwidth_way way;
	bool contradicts; /* it lowers the confidence in the contracted rate */
	char text[BANDWIDTH_TEXT_MAX], cure[BANDWIDTH_TEXT_MAX]; /* one sentence each */
};

struct bandwidth_verdict {
	struct bandwidth_finding findings[BANDWIDTH_FINDINGS_MAX];
	size_t n;
	bool contradicted[BANDWIDTH_WAYS];
};

void bandwidth_check(const struct bandwidth_rules *r, const struct bandwidth_facts *f,
    struct bandwidth_verdict *out);

/* "20 Mbit/s": three figures. */
void bandwidth_text(double bps, char out[static 24]);

#endif
