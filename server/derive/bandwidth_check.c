#include "server/derive/bandwidth_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"

#define DAY_NS (24 * 3600 * HT_NS_PER_S)

/* ── rules ───────────────────────────────────────────────────────────────────────── */

#define RUL(f) offsetof(struct bandwidth_rules, f)
static const struct ht_option rows[] = {
	{ "version", HT_OPT_STRING, RUL(version), .min = 1, .max = 40, .required = true,
	    .help = "a new one with each change" },
	{ "effective_from", HT_OPT_STRING, RUL(effective_from), .required = true,
	    .help = "date" },
	{ "calendar", HT_OPT_STRING, RUL(calendar), .min = 1, .max = 80,
	    .def = "calendar-vn.yaml", .help = "a file beside this one" },
	{ "used_window", HT_OPT_DURATION, RUL(used_window_ns), .min = DAY_NS,
	    .max = 62 * DAY_NS, .def = "30d", .help = "that `used` is taken over" },
	{ "enough_coverage", HT_OPT_NUMBER, RUL(enough_coverage), .min = 0, .max = 1,
	    .def = "0.5", .help = "below it nothing is concluded from `used`" },
	{ "payload_share", HT_OPT_NUMBER, RUL(payload_share), .min = 0, .max = 1,
	    .def = "0.956", .help = "of a line's rate that a test can reach" },
	{ "measured_below_contract", HT_OPT_NUMBER, RUL(measured_below_contract),
	    .min = 0, .max = 1, .def = "0.8", .help = "share of the contracted rate" },
	{ "measured_above_speed", HT_OPT_NUMBER, RUL(measured_above_speed), .min = 1,
	    .max = 10, .def = "1.02", .help = "times the interface's speed" },
	{ "negotiated_below_contract", HT_OPT_NUMBER, RUL(negotiated_below_contract),
	    .min = 0, .max = 1, .def = "1", .help = "share of the contracted rate" },
	{ "saturated", HT_OPT_NUMBER, RUL(saturated), .min = 0, .max = 1, .def = "0.9",
	    .help = "share of the contracted rate" },
	{ "used_above_contract", HT_OPT_NUMBER, RUL(used_above_contract), .min = 1,
	    .max = 10, .def = "1.1", .help = "times the contracted rate" },
	{ "swapped", HT_OPT_NUMBER, RUL(swapped), .min = 0, .max = 1, .def = "0.2",
	    .help = "how near each is to the other direction's contract" },
	{ "test_every", HT_OPT_DURATION, RUL(test_every_ns), .min = DAY_NS,
	    .max = 400 * DAY_NS, .def = "30d", .help = "older tests are said to be old" },
	{ "confidence_declared", HT_OPT_NUMBER, RUL(confidence_declared), .min = 0,
	    .max = 1, .def = "0.5", .help = "of a contract alone" },
	{ "confidence_contradicted", HT_OPT_NUMBER, RUL(confidence_contradicted),
	    .min = 0, .max = 1, .def = "0.3", .help = "of a contract contradicted" },
	{ "confidence_interface", HT_OPT_NUMBER, RUL(confidence_interface), .min = 0,
	    .max = 1, .def = "0.8", .help = "of an interface's speed, when not told" },
	{ "confidence_measured", HT_OPT_NUMBER, RUL(confidence_measured), .min = 0,
	    .max = 1, .def = "0.9", .help = "of what was measured" },
	{ "keep_months_after", HT_OPT_DURATION, RUL(keep_after_ns), .min = DAY_NS,
	    .max = 400 * DAY_NS, .def = "35d",
	    .help = "five-minute means are kept so long after their month" },
};
static const struct ht_options options = HT_OPTIONS(struct bandwidth_rules, rows);

static ht_err from_yaml(
    struct ht_yaml *y, struct bandwidth_rules **out, struct ht_fault *fault)
{
	struct bandwidth_rules *r = calloc(1, sizeof(*r));
	int64_t at_ms;

	if (!r)
		return HT_NOMEM;
	ht_err err = ht_options_load(&options, NULL, y->root, r, fault);
	if (!err && ht_rfc3339_parse(r->effective_from, &at_ms))
		err = ht_node_fault(ht_node_get(y->root, "effective_from"), fault,
		    "'%.40s' is no date; write 2018-01-01", r->effective_from);
	if (!err && strchr(r->calendar, '/'))
		err = ht_node_fault(ht_node_get(y->root, "calendar"), fault,
		    "'%.40s' is no name of a file beside this one; leave the folder out",
		    r->calendar);
	if (err)
		bandwidth_rules_free(r);
	else
		*out = r;
	return err;
}

ht_err bandwidth_rules_load(
    const char *file, struct bandwidth_rules **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_load(file, &y, fault);

	if (!err)
		err = from_yaml(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

ht_err bandwidth_rules_parse(const char *file, const void *bytes, size_t len,
    struct bandwidth_rules **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_parse(file, bytes, len, &y, fault);

	if (!err)
		err = from_yaml(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

void bandwidth_rules_free(struct bandwidth_rules *r)
{
	if (!r)
		return;
	ht_options_fini(&options, r);
	free(r);
}

/* ── telling ─────────────────────────────────────────────────────────────────────── */

static const struct {
	const char *name, *problem;
	bool contradicts;
} kinds[FINDING_KINDS] = {
	[FINDING_MEASURED_BELOW_CONTRACT] = { "measured-below-contract",
	    "link-below-contract", true },
	[FINDING_MEASURED_ABOVE_SPEED] = { "measured-above-speed", "link-contradiction",
	    false },
	[FINDING_NEGOTIATED_BELOW_CONTRACT] = { "negotiated-below-contract",
	    "link-below-contract", true },
	[FINDING_SATURATED] = { "saturated", "link-saturated", false },
	[FINDING_USED_ABOVE_CONTRACT] = { "used-above-contract", "link-contradiction",
	    true },
	[FINDING_USED_ABOVE_SPEED] = { "used-above-speed", "link-contradiction", false },
	[FINDING_SWAPPED] = { "swapped", "link-contradiction", true },
	[FINDING_TEST_OLD] = { "test-old", NULL, false },
};

const char *bandwidth_way_name(enum bandwidth_way w)
{
	return w == BANDWIDTH_UP ? "up" : "down";
}

const char *bandwidth_finding_name(enum bandwidth_finding_kind k)
{
	return kinds[k].name;
}

const char *bandwidth_finding_problem(enum bandwidth_finding_kind k)
{
	return kinds[k].problem;
}

void bandwidth_text(double bps, char out[static 24])
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s",
		"Tbit/s" };
	size_t i = 0;

	for (; bps >= 999.5 && i + 1 < HT_COUNT(units); i++)
		bps /= 1000;
	snprintf(out, 24, "%.3g %s", bps, units[i]);
}

static struct bandwidth_finding *tell(struct bandwidth_verdict *v,
    enum bandwidth_finding_kind kind, enum bandwidth_way way, const char *cure,
    const char *fmt, ...) HT_PRINTF(5, 6);

static struct bandwidth_finding *tell(struct bandwidth_verdict *v,
    enum bandwidth_finding_kind kind, enum bandwidth_way way, const char *cure,
    const char *fmt, ...)
{
	struct bandwidth_finding *f = &v->findings[v->n++];
	va_list args;

	*f = (struct bandwidth_finding){
		.kind = kind, .way = way, .contradicts = kinds[kind].contradicts
	};
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
	snprintf(f->cure, sizeof(f->cure), "%s", cure);
	v->contradicted[way] |= f->contradicts;
	return f;
}

/* Two rates as text, for one sentence. */
struct pair {
	char a[24], b[24];
};

static struct pair texts(double a, double b)
{
	struct pair p;

	bandwidth_text(a, p.a);
	bandwidth_text(b, p.b);
	return p;
}

static double or_else(double v, double otherwise)
{
	return isnan(v) ? otherwise : v;
}

/* ── the rules ───────────────────────────────────────────────────────────────────── */

static void check_measured(const struct bandwidth_rules *r,
    const struct bandwidth_four *f, enum bandwidth_way way, struct bandwidth_verdict *v)
{
	double high = or_else(f->measured_high, f->measured),
	       low = or_else(f->measured_low, f->measured);

	if (high < r->measured_below_contract * r->payload_share * f->contracted) {
		struct pair p = texts(f->measured, f->contracted);

		tell(v, FINDING_MEASURED_BELOW_CONTRACT, way,
		    "have the carrier deliver what is paid for, or correct the contract "
		    "in "
		    "the registry",
		    "%s: %s were measured of the %s contracted", bandwidth_way_name(way),
		    p.a, p.b);
	}
	if (low > r->measured_above_speed * f->negotiated) {
		struct pair p = texts(f->measured, f->negotiated);

		tell(v, FINDING_MEASURED_ABOVE_SPEED, way,
		    "confirm which interface of the router carries the link",
		    "%s: %s were measured though the interface negotiated %s: another "
		    "one "
		    "carries the link",
		    bandwidth_way_name(way), p.a, p.b);
	}
}

static void check_negotiated(const struct bandwidth_rules *r,
    const struct bandwidth_four *f, enum bandwidth_way way, struct bandwidth_verdict *v)
{
	if (!(f->negotiated < r->negotiated_below_contract * f->contracted))
		return;
	struct pair p = texts(f->negotiated, f->contracted);
	tell(v, FINDING_NEGOTIATED_BELOW_CONTRACT, way,
	    "look at the cable and the port, confirm the interface, or correct the "
	    "contract in the registry",
	    "%s: the interface negotiated %s, less than the %s contracted",
	    bandwidth_way_name(way), p.a, p.b);
}

static void check_used(const struct bandwidth_rules *r, const struct bandwidth_facts *all,
    enum bandwidth_way way, struct bandwidth_verdict *v)
{
	const struct bandwidth_four *f = &all->way[way];
	struct pair p = texts(f->used_p95, f->contracted);
	const char *name = bandwidth_way_name(way);

	if (all->used_coverage < r->enough_coverage || isnan(f->used_p95))
		return;
	if (f->used_p95 > r->used_above_contract * f->contracted)
		tell(v, FINDING_USED_ABOVE_CONTRACT, way,
		    "correct the contracted rate in the registry, or confirm which "
		    "interface carries the link",
		    "%s: %s are used (95th percentile), more than the %s contracted",
		    name, p.a, p.b);
	else if (f->used_p95 > r->saturated * f->contracted)
		tell(v, FINDING_SATURATED, way,
		    "order a higher rate, or find out what fills the link",
		    "%s: the link is full: %s are used (95th percentile) of the %s "
		    "contracted",
		    name, p.a, p.b);
	if (f->used_p95 > f->negotiated * 1.05) {
		p = texts(f->used_p95, f->negotiated);
		tell(v, FINDING_USED_ABOVE_SPEED, way,
		    "confirm which interface of the router carries the link",
		    "%s: %s are used, more than the %s that the interface negotiated",
		    name, p.a, p.b);
	}
}

static bool near(double a, double b, double share)
{
	return fabs(a - b) <= share * b;
}

/* Each direction fits the other's contract, and not its own. */
static bool is_swapped(const struct bandwidth_rules *r, const struct bandwidth_facts *f)
{
	const struct bandwidth_four *down = &f->way[BANDWIDTH_DOWN],
				    *up = &f->way[BANDWIDTH_UP];
	double d = down->measured / r->payload_share, u = up->measured / r->payload_share;

	if (isnan(d) || isnan(u) || isnan(down->contracted) || isnan(up->contracted))
		return false;
	return near(d, up->contracted, r->swapped) &&
	       near(u, down->contracted, r->swapped) &&
	       !near(d, down->contracted, r->swapped) &&
	       !near(u, up->contracted, r->swapped) &&
	       !near(down->contracted, up->contracted, 2 * r->swapped);
}

static void check_swapped(const struct bandwidth_rules *r,
    const struct bandwidth_facts *f, struct bandwidth_verdict *v)
{
	if (!is_swapped(r, f))
		return;
	v->n = 0; /* says it all */
	tell(v, FINDING_SWAPPED, BANDWIDTH_DOWN,
	    "exchange the two contracted rates in the registry, or the directions of the "
	    "test",
	    "what was measured down fits the rate contracted up, and the other way round")
	    ->both = true;
	v->contradicted[BANDWIDTH_UP] = true;
}

static void check_test(const struct bandwidth_rules *r, const struct bandwidth_facts *f,
    struct bandwidth_verdict *v)
{
	int64_t age_ms = f->now_ms - f->tested_ms;

	if (!f->tested || age_ms <= r->test_every_ns / HT_NS_PER_MS)
		return;
	tell(v, FINDING_TEST_OLD, BANDWIDTH_DOWN,
	    "see why throughput tests are skipped, or raise their budget",
	    "no throughput test has succeeded for %" PRId64 " days",
	    age_ms / INT64_C(86400000))
	    ->both = true;
}

void bandwidth_check(const struct bandwidth_rules *r, const struct bandwidth_facts *f,
    struct bandwidth_verdict *out)
{
	*out = (struct bandwidth_verdict){ .n = 0 };
	for (int w = 0; w < BANDWIDTH_WAYS; w++)
		check_measured(r, &f->way[w], (enum bandwidth_way)w, out);
	check_swapped(r, f, out);
	for (int w = 0; w < BANDWIDTH_WAYS; w++) {
		check_negotiated(r, &f->way[w], (enum bandwidth_way)w, out);
		check_used(r, f, (enum bandwidth_way)w, out);
	}
	check_test(r, f, out);
}
