/* The four figures of a link as JSON: each with its value or why there is none, what
 * would help, when, from where, and how sure. */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/bandwidth.h"
#include "server/derive/link_view.h"

static void put_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(
	    o, key, text && text[0] ? json_object_new_string(text) : NULL);
}

static void put_number(struct json_object *o, const char *key, double v)
{
	char text[40];

	snprintf(text, sizeof(text), "%.12g", v);
	json_object_object_add(
	    o, key, isnan(v) ? NULL : json_object_new_double_s(v, text));
}

static void put_int(struct json_object *o, const char *key, int64_t v)
{
	json_object_object_add(o, key, json_object_new_int64(v));
}

static void put_time(struct json_object *o, const char *key, int64_t ms)
{
	char text[HT_RFC3339_LEN + 1];

	if (ms == INT64_MIN) {
		json_object_object_add(o, key, NULL);
		return;
	}
	ht_rfc3339(ms, text);
	put_text(o, key, text);
}

static void put_evidence(struct json_object *o, int64_t journal_id)
{
	struct json_object *ids = json_object_new_array();

	if (journal_id > 0)
		json_object_array_add(ids, json_object_new_int64(journal_id));
	json_object_object_add(o, "evidence", ids);
}

/* Begins a figure: its value, or UNKNOWN with reason and cure. */
static struct json_object *figure(struct json_object *way, const char *name, double bps,
    const char *source, const struct bandwidth_source *s, const char *reason,
    const char *cure)
{
	struct json_object *o = json_object_new_object();
	bool known = !isnan(bps);

	json_object_object_add(way, name, o);
	put_text(o, "status", known ? "known" : "unknown");
	put_number(o, "value", bps);
	put_text(o, "unit", "bit/s");
	put_text(o, "source", known ? source : NULL);
	put_text(o, "reason", known ? NULL : reason);
	put_text(o, "cure", known ? NULL : cure);
	put_time(o, "at", s && known ? s->at_ms : INT64_MIN);
	put_text(o, "agent", s && known ? s->agent : NULL);
	return o;
}

static void contracted(struct json_object *way, const struct bandwidth_link *l, int w)
{
	struct json_object *o = figure(way, "contracted", l->facts.way[w].contracted,
	    "declared", NULL, "the registry does not say what is contracted",
	    "enter the contracted rates of the link");

	put_evidence(o, l->registry_journal);
	put_number(o, "confidence",
	    l->verdict.contradicted[w] ? bandwidth_rules()->confidence_contradicted
				       : bandwidth_rules()->confidence_declared);
}

static void negotiated(struct json_object *way, const struct bandwidth_link *l, int w)
{
	const char *reason =
	    l->facts.polled ? "the device does not tell the speed of the interface"
	    : l->has_router ? "nobody has read the interface that carries the link"
			    : "the registry has no address of the link's router";
	const char *cure =
	    l->facts.polled ? "name another interface, or enter what the carrier set"
	    : l->has_router
		? "let a vantage read the router by SNMP, or run an agent on it"
		: "enter the router's address and let a vantage read it by SNMP";
	struct json_object *o = figure(way, "negotiated", l->facts.way[w].negotiated,
	    "measured", &l->negotiated, reason, cure);

	put_evidence(o, l->negotiated.known ? l->negotiated.journal_id : 0);
	put_text(o, "interface", l->interface);
	put_text(o, "interface_why", l->interface_why);
	put_number(o, "confidence",
	    isnan(l->interface_confidence) ? bandwidth_rules()->confidence_interface
					   : l->interface_confidence);
}

/* Why there is no measured rate, and what would help. */
static void measured_lacks(
    const struct bandwidth_link *l, char *reason, size_t cap, const char **cure)
{
	if (l->facts.tested) {
		snprintf(reason, cap, "the tests told the other direction alone");
		*cure = "let the throughput test measure both directions";
	} else if (l->attempted) {
		snprintf(reason, cap,
		    "no throughput test has succeeded; the newest says: %s",
		    l->attempted_status);
		*cure = "see why the tests do not succeed";
	} else {
		snprintf(reason, cap, "no throughput test has run over the link");
		*cure = "enrol an agent in the office and give it a throughput test";
	}
}

static void measured(struct json_object *way, const struct bandwidth_link *l, int w)
{
	const struct bandwidth_four *f = &l->facts.way[w];
	char reason[BANDWIDTH_TEXT_MAX + 60];
	const char *cure;

	measured_lacks(l, reason, sizeof(reason), &cure);
	struct json_object *o = figure(
	    way, "measured", f->measured, "measured", &l->measured[w], reason, cure);
	put_evidence(o, l->measured[w].journal_id);
	put_number(o, "low", f->measured_low);
	put_number(o, "high", f->measured_high);
	put_text(o, "endpoint", l->measured[w].known ? l->endpoint : NULL);
	put_number(o, "confidence",
	    l->measured[w].known ? bandwidth_rules()->confidence_measured : NAN);
}

static void used(struct json_object *way, const struct bandwidth_link *l, int w)
{
	const struct usage_way *u = w == BANDWIDTH_UP ? &l->used.up : &l->used.down;
	const char *reason = l->facts.polled
				 ? "no two polls within the window gave a rate"
				 : "nobody has read the counters of the interface";
	struct json_object *o = figure(way, "used", u->p95, "measured", &l->used_by,
	    reason, "let a vantage read the router by SNMP, or run an agent on it");

	put_evidence(o, l->used.observed ? l->used_by.journal_id : 0);
	put_number(o, "coverage", l->facts.used_coverage);
	put_number(o, "p95", u->p95);
	put_number(o, "mean", u->mean);
	put_number(o, "peak", u->peak);
	put_number(o, "office_p95", u->office_p95);
	put_number(o, "office_mean", u->office_mean);
	put_number(o, "busy_hour_mean", u->busy);
	if (u->busy_hour >= 0)
		put_int(o, "busy_hour", u->busy_hour);
	else
		json_object_object_add(o, "busy_hour", NULL);
	put_number(o, "confidence",
	    l->used.observed
		? bandwidth_rules()->confidence_measured * l->facts.used_coverage
		: NAN);
}

static struct json_object *gaps(const struct bandwidth_link *l)
{
	struct json_object *list = json_object_new_array();

	for (int g = 0; g < USAGE_GAPS; g++) {
		if (!l->used.gaps[g])
			continue;
		struct json_object *o = json_object_new_object();
		put_text(o, "reason", usage_gap_reason(g));
		put_int(o, "times", (int64_t)l->used.gaps[g]);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *window(const struct bandwidth_link *l)
{
	struct json_object *o = json_object_new_object();

	put_time(o, "from", l->used.from_ms);
	put_time(o, "to", l->used.to_ms);
	put_int(o, "declared", l->used.declared);
	put_int(o, "observed", l->used.observed);
	put_int(o, "office_declared", l->used.office_declared);
	put_int(o, "office_observed", l->used.office_observed);
	put_int(o, "office_provisional", l->used.provisional);
	json_object_object_add(o, "gaps", gaps(l));
	put_text(o, "calendar", calendar_id(bandwidth_calendar()));
	put_text(o, "calendar_version", calendar_version(bandwidth_calendar()));
	return o;
}

static struct json_object *attempt(const struct bandwidth_link *l)
{
	struct json_object *o;

	if (!l->attempted)
		return NULL;
	o = json_object_new_object();
	put_time(o, "at", l->attempted_ms);
	put_text(o, "status", l->attempted_status);
	put_evidence(o, l->attempted_journal);
	return o;
}

static struct json_object *findings(const struct bandwidth_link *l)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < l->verdict.n; i++) {
		const struct bandwidth_finding *f = &l->verdict.findings[i];
		struct json_object *o = json_object_new_object();

		put_text(o, "kind", bandwidth_finding_name(f->kind));
		put_text(o, "way", f->both ? NULL : bandwidth_way_name(f->way));
		put_text(o, "text", f->text);
		put_text(o, "cure", f->cure);
		json_object_object_add(
		    o, "contradicts", json_object_new_boolean(f->contradicts));
		json_object_array_add(list, o);
	}
	return list;
}

static char *plain(struct json_object *o)
{
	const char *text = json_object_to_json_string_ext(
	    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	return text ? strdup(text) : NULL;
}

ht_err bandwidth_document(
    const struct bandwidth_link *l, char **out_document, char **out_findings)
{
	struct json_object *o = json_object_new_object(), *list = findings(l);
	char *document, *text;

	put_time(o, "computed", l->now_ms);
	put_text(o, "rules", bandwidth_rules()->version);
	for (int w = 0; w < BANDWIDTH_WAYS; w++) {
		struct json_object *way = json_object_new_object();

		contracted(way, l, w);
		negotiated(way, l, w);
		measured(way, l, w);
		used(way, l, w);
		json_object_object_add(o, bandwidth_way_name((enum bandwidth_way)w), way);
	}
	json_object_object_add(o, "used_window", window(l));
	json_object_object_add(o, "newest_test", attempt(l));
	json_object_object_add(o, "findings", json_object_get(list));
	document = plain(o);
	text = plain(list);
	json_object_put(o);
	json_object_put(list);
	if (!document || !text) {
		free(document);
		free(text);
		return HT_NOMEM;
	}
	*out_document = document;
	*out_findings = text;
	return HT_OK;
}
