#include "server/score/indicators.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const struct indicator_info indicator_info[IND_COUNT] = {
	[IND_COMPUTERS] = { "computers", "computer/person", "computer", "person", true,
	    "computers seen in the window ÷ civil servants" },
	[IND_BANDWIDTH] = { "bandwidth", "bit/s/person", "bit/s", "person", true,
	    "contracted downstream rate of all links × factor of the line type ÷ civil "
	    "servants" },
	[IND_WAN] = { "wan", "/", "agency", "agency", false,
	    "agencies with a working link to the province's WAN or the Government's "
	    "network ÷ agencies" },
	[IND_SECURITY] = { "security", "/", "solution", "solution", false,
	    "solutions answered yes ÷ solutions answered, over agencies" },
};

bool indicator_find(const char *id, enum indicator *out)
{
	for (int i = 0; i < IND_COUNT; i++) {
		if (strcmp(indicator_info[i].id, id) == 0) {
			*out = (enum indicator)i;
			return true;
		}
	}
	return false;
}

const char *value_status_name(enum value_status s)
{
	static const char *const names[] = { "known", "partial", "unknown" };

	return names[s];
}

const char *value_source_name(enum value_source s)
{
	static const char *const names[] = { "measured", "declared", "mixed", "none" };

	return names[s];
}

static void begin(struct indicator_value *v)
{
	*v = (struct indicator_value){ .status = VALUE_UNKNOWN,
		.source = SOURCE_NONE,
		.cause = CAUSE_NOT_MEASURED,
		.value = NAN,
		.low = NAN,
		.high = NAN,
		.numerator = NAN,
		.denominator = NAN,
		.numerator_low = NAN,
		.numerator_high = NAN };
}

static void unknown(struct indicator_value *v, enum value_cause cause, const char *reason,
    const char *cure)
{
	v->status = VALUE_UNKNOWN;
	v->cause = cause;
	v->value = v->low = v->high = NAN;
	snprintf(v->reason, sizeof(v->reason), "%s", reason);
	snprintf(v->cure, sizeof(v->cure), "%s", cure);
}

/* Known from here on; `partial` tells whether wholly. */
static void known(struct indicator_value *v, bool partial)
{
	v->status = partial ? VALUE_PARTIAL : VALUE_KNOWN;
	v->cause = CAUSE_NONE;
	v->value = v->numerator / v->denominator;
	v->low = v->numerator_low / v->denominator;
	v->high = v->numerator_high / v->denominator;
}

static bool take_headcount(struct indicator_value *v, const struct headcount_input *h)
{
	if (h->known && h->servants > 0) {
		v->denominator = (double)h->servants;
		return true;
	}
	unknown(v, CAUSE_NO_HEADCOUNT,
	    h->known ? "its number of civil servants is 0"
		     : "its number of civil servants is not known",
	    "enter its number of civil servants with the date it holds for");
	return false;
}

static double ratio(double part, double whole)
{
	return whole > 0 ? fmin(part / whole, 1) : 0;
}

/* ── computers ───────────────────────────────────────────────────────────────────── */

void indicator_computers(const struct definition *d, const struct computers_input *in,
    struct indicator_value *out)
{
	begin(out);
	bool seen = in->likely + in->maybe > 0;
	if (seen || in->declared > 0) {
		out->source = SOURCE_MEASURED;
		out->numerator = (double)in->likely;
		out->numerator_low = (double)in->sure;
		out->numerator_high = (double)(in->likely + in->maybe);
		out->coverage = ratio(in->observed, in->declared);
		out->confidence = (in->likely ? in->class_confidence : 1) * out->coverage;
	}
	if (in->declared <= 0 || out->coverage <= 0) {
		unknown(out, CAUSE_NOT_MEASURED,
		    !in->has_agent      ? "no agent measures its network"
		    : in->declared <= 0 ? "its agent has scanned no subnet"
					: "its agent could ask no address of its subnets",
		    in->has_agent ? "approve the agent's proposed configuration with a "
				    "scan of its subnets"
				  : "enrol an agent in its network; a router that runs "
				    "OpenWrt is enough");
		return;
	}
	if (!take_headcount(out, &in->headcount))
		return;
	bool thin = out->coverage < d->computers.enough_coverage;
	known(out, thin);
	if (thin) {
		snprintf(out->reason, sizeof(out->reason),
		    "only %.0f %% of its addresses × hours were looked at",
		    out->coverage * 100);
		snprintf(out->cure, sizeof(out->cure),
		    "let the agent scan every declared subnet in every office hour");
	}
}

/* ── bandwidth ───────────────────────────────────────────────────────────────────── */

static bool negotiated_less(const struct bandwidth_link_input *l)
{
	return l->negotiated_bps < l->contracted_bps;
}

static bool is_contradicted(const struct bandwidth_link_input *l)
{
	return l->contradicted || negotiated_less(l);
}

static double bandwidth_confidence(
    const struct definition_bandwidth *b, const struct bandwidth_link_input *l)
{
	if (is_contradicted(l))
		return b->confidence_contradicts;
	if (l->measured)
		return b->confidence_measured;
	return isnan(l->negotiated_bps) ? b->confidence_declared : b->confidence_agrees;
}

/* What the link surely carries: the least of what speaks against the contract. */
static double surely(const struct bandwidth_link_input *l)
{
	double low = l->contracted_bps;

	if (negotiated_less(l))
		low = l->negotiated_bps;
	if (l->measured && l->contradicted && l->measured_bps < low)
		low = l->measured_bps;
	return low;
}

void indicator_bandwidth(const struct definition *d, const struct bandwidth_input *in,
    struct indicator_value *out)
{
	double sum = 0, low = 0, confidence = 0;
	size_t n = 0, checked = 0, contradicted = 0;
	const char *missing = NULL;

	begin(out);
	for (size_t i = 0; i < in->n; i++) {
		const struct bandwidth_link_input *l = &in->links[i];
		if (isnan(l->contracted_bps)) {
			missing = l->id;
			continue;
		}
		n++;
		checked += l->measured || !isnan(l->negotiated_bps);
		contradicted += surely(l) < l->contracted_bps;
		sum += l->contracted_bps * l->factor;
		low += surely(l) * l->factor;
		confidence += bandwidth_confidence(&d->bandwidth, l);
	}
	if (n == 0) {
		unknown(out, CAUSE_NOT_MEASURED,
		    in->n ? "no contracted rate of its links is known"
			  : "no link of its is registered",
		    in->n ? "enter the contracted rates of its links"
			  : "enter its links with their contracted rates");
		return;
	}
	out->numerator = sum;
	if (contradicted) {
		out->numerator_low = low;
		out->numerator_high = sum;
	}
	out->source = checked ? SOURCE_MIXED : SOURCE_DECLARED;
	out->coverage = ratio((double)n, (double)in->n);
	out->confidence = confidence / (double)n;
	if (!take_headcount(out, &in->headcount))
		return;
	known(out, missing != NULL);
	if (missing) {
		snprintf(out->reason, sizeof(out->reason),
		    "the contracted rate of %zu of its %zu links is not known", in->n - n,
		    in->n);
		snprintf(out->cure, sizeof(out->cure),
		    "enter the contracted rate of link %.64s", missing);
	}
}

/* ── WAN ─────────────────────────────────────────────────────────────────────────── */

struct wan_rules indicator_wan_rules(const struct definition *d)
{
	return (struct wan_rules){ d->wan.min_availability, d->wan.require_path,
		d->wan.confidence_measured, d->wan.confidence_no_path, d->wan.min_known };
}

static void wan_is(
    struct indicator_value *out, bool yes, enum value_source source, double confidence)
{
	out->numerator = yes;
	out->denominator = 1;
	out->source = source;
	out->confidence = confidence;
	out->coverage = 1;
	known(out, false);
}

/* Whether something was measured in the window, though too little of it. */
static bool any_known(const struct wan_input *in)
{
	for (size_t i = 0; i < in->n; i++) {
		if (in->links[i].has_share || in->links[i].rounds > 0)
			return true;
	}
	return false;
}

static void wan_unknown(const struct definition *d, const struct wan_input *in,
    const struct wan_conclusion *c, struct indicator_value *out)
{
	static const char ping[] =
	    "let its own agent or a vantage ping the link's router";

	if (!in->n || c->reachable) { /* then the path is what lacks */
		unknown(out, CAUSE_NOT_MEASURED, c->reason, c->cure);
	} else if (d->wan.accept_declared) {
		wan_is(out, true, SOURCE_DECLARED, d->wan.confidence_declared);
		out->status = VALUE_PARTIAL;
		out->coverage = 0;
		snprintf(out->reason, sizeof(out->reason),
		    "its link is registered, but nothing measures it");
		snprintf(out->cure, sizeof(out->cure), "%s", ping);
	} else if (any_known(in)) {
		unknown(out, CAUSE_NOT_MEASURED, c->reason, c->cure);
	} else {
		unknown(out, CAUSE_NOT_MEASURED,
		    "its WAN link is registered, but nothing has measured it within the "
		    "window",
		    ping);
	}
}

void indicator_wan(
    const struct definition *d, const struct wan_input *in, struct indicator_value *out)
{
	struct wan_rules rules = indicator_wan_rules(d);
	struct wan_conclusion c;

	begin(out);
	wan_connected_agency(&rules, in->links, in->n, in->n_registered, &c);
	if (c.answer == WAN_ANSWER_UNKNOWN)
		wan_unknown(d, in, &c, out);
	else if (!in->n) /* links there are, none of the WAN */
		wan_is(out, false, SOURCE_DECLARED, d->wan.confidence_declared);
	else
		wan_is(out, c.answer == WAN_ANSWER_YES, SOURCE_MEASURED, c.confidence);
}

/* ── security ────────────────────────────────────────────────────────────────────── */

enum answer indicator_answer(const struct security_solution *s)
{
	return s->measured != ANSWER_NONE ? s->measured : s->declared;
}

enum answer indicator_combine(
    enum definition_combine how, const enum answer *answers, size_t n)
{
	size_t yes = 0;

	for (size_t i = 0; i < n; i++)
		yes += answers[i] == ANSWER_YES;
	if (n == 0)
		return ANSWER_NONE;
	return (how == COMBINE_ALL ? yes == n : yes > 0) ? ANSWER_YES : ANSWER_NO;
}

static double security_confidence(
    const struct definition_security *d, const struct security_solution *s)
{
	if (s->measured == ANSWER_NONE)
		return d->confidence_declared;
	return s->declared != ANSWER_NONE && s->declared != s->measured
		   ? d->confidence_contradicted
		   : d->confidence_measured;
}

void indicator_security(const struct definition *d, const struct security_input *in,
    struct indicator_value *out)
{
	double yes = 0, answered = 0, all = 0, confidence = 0;
	size_t open = 0, expired = 0, measured = 0, declared = 0;

	begin(out);
	for (size_t i = 0; i < in->n; i++) {
		const struct security_solution *s = &in->solutions[i];
		enum answer a = indicator_answer(s);
		all += s->weight;
		if (a == ANSWER_NONE) {
			open++;
			expired += s->expired;
			continue;
		}
		yes += a == ANSWER_YES ? s->weight : 0;
		answered += s->weight;
		confidence += security_confidence(&d->security, s) * s->weight;
		measured += s->measured != ANSWER_NONE;
		declared += s->measured == ANSWER_NONE;
	}
	const char *cure =
	    in->has_agent
		? "declare the solutions that cannot be measured, with a document"
		: "enrol an agent in its network, and declare what cannot be measured";
	if (answered <= 0) {
		unknown(out, CAUSE_NOT_MEASURED,
		    expired ? "its declarations have expired and nothing was measured"
			    : "no solution was measured or declared",
		    cure);
		return;
	}
	out->numerator = yes;
	out->denominator = answered;
	out->source = measured && declared ? SOURCE_MIXED
		      : measured           ? SOURCE_MEASURED
					   : SOURCE_DECLARED;
	out->coverage = ratio(answered, all);
	out->confidence = confidence / answered * out->coverage;
	known(out, open > 0);
	if (open) {
		snprintf(out->reason, sizeof(out->reason),
		    "%zu of %zu solutions are neither measured nor declared%s", open,
		    in->n, expired ? ", some declarations have expired" : "");
		snprintf(out->cure, sizeof(out->cure), "%s", cure);
	}
}

void indicator_grouping(struct indicator_value *out)
{
	begin(out);
	unknown(out, CAUSE_NONE,
	    "it only groups other agencies and has nothing of its own",
	    "enter its civil servants or links if it is an agency itself");
}

/* ── sums ────────────────────────────────────────────────────────────────────────── */

static double or_zero(double v)
{
	return isnan(v) ? 0 : v;
}

void indicator_sum_add(enum indicator which, struct indicator_sum *s,
    const struct indicator_value *v, const struct headcount_input *headcount)
{
	double servants = headcount->known ? (double)headcount->servants : 0;
	double weight = indicator_info[which].by_servants ? servants : 1;

	s->n++;
	s->n_headcount += headcount->known && headcount->servants > 0;
	s->servants += servants;
	if (v->status == VALUE_UNKNOWN) {
		s->n_no_headcount += v->cause == CAUSE_NO_HEADCOUNT;
		s->n_not_measured += v->cause != CAUSE_NO_HEADCOUNT;
		return;
	}
	s->n_known++;
	s->n_partial += v->status == VALUE_PARTIAL;
	s->servants_covered += servants * v->coverage;
	s->numerator += v->numerator;
	s->denominator += v->denominator;
	s->low += isnan(v->numerator_low) ? v->numerator : v->numerator_low;
	s->high += isnan(v->numerator_high) ? v->numerator : v->numerator_high;
	s->coverage += v->coverage;
	s->confidence += or_zero(v->confidence) * weight;
	s->weight += weight;
	s->sources |= INT64_C(1) << v->source;
}

void indicator_sum_merge(struct indicator_sum *a, const struct indicator_sum *b)
{
	a->n += b->n;
	a->n_known += b->n_known;
	a->n_partial += b->n_partial;
	a->n_no_headcount += b->n_no_headcount;
	a->n_not_measured += b->n_not_measured;
	a->n_headcount += b->n_headcount;
	a->servants += b->servants;
	a->servants_covered += b->servants_covered;
	a->numerator += b->numerator;
	a->denominator += b->denominator;
	a->low += b->low;
	a->high += b->high;
	a->coverage += b->coverage;
	a->confidence += b->confidence;
	a->weight += b->weight;
	a->sources |= b->sources;
	if (b->computed_ms > a->computed_ms)
		a->computed_ms = b->computed_ms;
}

static enum value_source sum_source(int64_t sources)
{
	sources &= ~(INT64_C(1) << SOURCE_NONE);
	for (int s = SOURCE_MEASURED; s < SOURCE_NONE; s++) {
		if (sources == INT64_C(1) << s)
			return (enum value_source)s;
	}
	return sources ? SOURCE_MIXED : SOURCE_NONE;
}

static void sum_reason(const struct indicator_sum *s, struct indicator_value *out)
{
	int n = snprintf(out->reason, sizeof(out->reason),
	    "%" PRId64 " of %" PRId64 " agencies are known", s->n_known, s->n);

	if (s->n_partial && n > 0)
		n += snprintf(out->reason + n, sizeof(out->reason) - (size_t)n,
		    ", %" PRId64 " of them in part", s->n_partial);
	if (s->n_no_headcount && n > 0)
		n += snprintf(out->reason + n, sizeof(out->reason) - (size_t)n,
		    "; %" PRId64 " without a number of civil servants",
		    s->n_no_headcount);
	if (s->n_not_measured && n > 0)
		snprintf(out->reason + n, sizeof(out->reason) - (size_t)n,
		    "; %" PRId64 " not measured", s->n_not_measured);
	snprintf(out->cure, sizeof(out->cure), "%s",
	    s->n_no_headcount   ? "enter the missing numbers of civil servants, then see "
				  "the agencies below"
	    : s->n_not_measured ? "see the agencies below for what each one lacks"
				: "see the agencies below for what is measured in part");
}

void indicator_sum_value(
    enum indicator which, const struct indicator_sum *s, struct indicator_value *out)
{
	const struct indicator_info *info = &indicator_info[which];

	begin(out);
	if (s->n == 0) {
		unknown(
		    out, CAUSE_NONE, "no agency is counted here", "enter the agencies");
		return;
	}
	/* Agencies without a headcount stand for as many servants as the others on
	 * average. */
	out->coverage = info->by_servants
			    ? ratio(s->servants_covered, s->servants) *
				  ratio((double)s->n_headcount, (double)s->n)
			    : ratio(s->coverage, (double)s->n);
	if (s->n_known == 0 || s->denominator <= 0) {
		sum_reason(s, out);
		out->cause = s->n_no_headcount > s->n_not_measured ? CAUSE_NO_HEADCOUNT
								   : CAUSE_NOT_MEASURED;
		out->coverage = 0;
		return;
	}
	out->numerator = s->numerator;
	out->denominator = s->denominator;
	out->source = sum_source(s->sources);
	out->confidence = s->weight > 0 ? s->confidence / s->weight : 0;
	if (which == IND_COMPUTERS || s->low != s->high) {
		out->numerator_low = s->low;
		out->numerator_high = s->high;
	}
	bool partial = s->n_known < s->n || s->n_partial > 0;
	known(out, partial);
	if (which == IND_WAN && s->n_known < s->n) { /* the others may be, or not */
		out->low = s->numerator / (double)s->n;
		out->high = (s->numerator + (double)(s->n - s->n_known)) / (double)s->n;
	}
	if (partial)
		sum_reason(s, out);
}
