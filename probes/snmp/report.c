#include "probes/snmp/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probes/snmp/evidence.h"
#include "probes/snmp/known.h"

enum { LIST_MAX = 2048, DEVICE_MAX = 64 };
#define ONE_POLL_NS (30 * HT_NS_PER_S)

static void emit(const struct report *r, struct ht_reading reading)
{
	r->host->emit(r->host, &reading);
}

static void emit_device_string(
    const struct report *r, enum ht_metric m, int64_t at_ns, const char *v)
{
	if (v)
		emit(r, (struct ht_reading){ .metric = m,
			    .instance = r->device,
			    .at_ns = at_ns,
			    .string = v });
}

static void emit_device_number(
    const struct report *r, enum ht_metric m, int64_t at_ns, double v)
{
	emit(r, (struct ht_reading){
		    .metric = m, .instance = r->device, .at_ns = at_ns, .number = v });
}

static void emit_number(
    const struct report *r, const struct table_row *row, enum ht_metric m, double v)
{
	emit(r, (struct ht_reading){ .metric = m,
		    .instance = row->instance,
		    .at_ns = row->at_ns,
		    .number = v });
}

static void emit_string(
    const struct report *r, const struct table_row *row, enum ht_metric m, const char *v)
{
	if (v)
		emit(r, (struct ht_reading){ .metric = m,
			    .instance = row->instance,
			    .at_ns = row->at_ns,
			    .string = v });
}

static void emit_counter(const struct report *r, const struct table_row *row,
    enum ht_metric m, enum table_number n)
{
	if (table_has(row, n))
		emit(r, (struct ht_reading){ .metric = m,
			    .instance = row->instance,
			    .at_ns = row->at_ns,
			    .counter = row->numbers[n] });
}

/* ifAdminStatus, ifOperStatus; a number that RFC 2863 does not know stays unsaid. */
static const char *status_name(const struct table_row *row, enum table_number n)
{
	static const char *const names[] = { NULL, "up", "down", "testing", "unknown",
		"dormant", "notPresent", "lowerLayerDown" };

	if (!table_has(row, n) || row->numbers[n] >= HT_COUNT(names))
		return NULL;
	return names[row->numbers[n]];
}

/* Both octet counters come from one width, rates must not mix them: 64 bits when both
 * have them, else 32, else what there is. */
static void emit_octets(const struct report *r, const struct table_row *row)
{
	int wide =
	    table_has(row, TABLE_HC_IN_OCTETS) + table_has(row, TABLE_HC_OUT_OCTETS);
	int narrow = table_has(row, TABLE_IN_OCTETS) + table_has(row, TABLE_OUT_OCTETS);
	bool hc = wide >= narrow;

	emit_counter(
	    r, row, HT_M_IF_IN_OCTETS, hc ? TABLE_HC_IN_OCTETS : TABLE_IN_OCTETS);
	emit_counter(
	    r, row, HT_M_IF_OUT_OCTETS, hc ? TABLE_HC_OUT_OCTETS : TABLE_OUT_OCTETS);
	if (wide || narrow)
		emit_number(r, row, HT_M_IF_COUNTER_BITS, hc ? 64 : 32);
}

static void emit_names(const struct report *r, const struct table_row *row)
{
	emit_number(r, row, HT_M_IF_INDEX, (double)row->index);
	emit_string(r, row, HT_M_IF_NAME, row->texts[TABLE_NAME]);
	emit_string(r, row, HT_M_IF_ALIAS, row->texts[TABLE_ALIAS]);
	emit_string(r, row, HT_M_IF_DESCR, row->texts[TABLE_DESCR]);
	emit_string(r, row, HT_M_IF_PHYS_ADDRESS, row->texts[TABLE_PHYS]);
	emit_string(r, row, HT_M_IF_ADMIN_STATUS, status_name(row, TABLE_ADMIN));
	if (table_has(row, TABLE_TYPE))
		emit_number(r, row, HT_M_IF_TYPE, (double)row->numbers[TABLE_TYPE]);
}

static void emit_measured(const struct report *r, const struct table_row *row)
{
	emit_string(r, row, HT_M_IF_OPER_STATUS, status_name(row, TABLE_OPER));
	if (row->speed > 0)
		emit_number(r, row, HT_M_IF_SPEED, row->speed);
	emit_octets(r, row);
	emit_counter(r, row, HT_M_IF_IN_ERRORS, TABLE_IN_ERRORS);
	emit_counter(r, row, HT_M_IF_OUT_ERRORS, TABLE_OUT_ERRORS);
	emit_counter(r, row, HT_M_IF_IN_DISCARDS, TABLE_IN_DISCARDS);
	emit_counter(r, row, HT_M_IF_OUT_DISCARDS, TABLE_OUT_DISCARDS);
	if (table_has(row, TABLE_DISCONTINUITY))
		emit_number(r, row, HT_M_IF_DISCONTINUITY,
		    (double)row->numbers[TABLE_DISCONTINUITY] / 100);
}

/* ── Where it lies in the network ─────────────────────────────────────────────────── */

/* Items that find no room are left out. */
static void list_add(char *list, size_t cap, const char *item)
{
	size_t len = strlen(list);

	if (len + strlen(item) + 8 > cap)
		return;
	snprintf(list + len, cap - len, "%s%s", len ? "," : "", item);
}

static void emit_lower(
    const struct report *r, const struct table *t, const struct table_row *row)
{
	char list[LIST_MAX] = "";
	size_t n;
	const struct topology_stack *s =
	    topology_lowers(&t->topology, (uint32_t)row->index, &n);

	for (size_t i = 0; i < n; i++) {
		const struct table_row *lower = table_find(t, s[i].lower);

		if (lower)
			list_add(list, sizeof(list), lower->instance);
	}
	if (list[0])
		emit_string(r, row, HT_M_IF_LOWER, list);
}

static bool emit_addresses(
    const struct report *r, const struct table *t, const struct table_row *row)
{
	char list[LIST_MAX] = "", text[HT_ADDR_TEXT];

	for (size_t i = 0; i < t->topology.n_addresses; i++) {
		const struct topology_address *a = &t->topology.addresses[i];

		if (!a->index || a->index != row->index)
			continue;
		ht_addr_format(&a->addr, text);
		list_add(list, sizeof(list), text);
	}
	if (list[0])
		emit_string(r, row, HT_M_IF_ADDRESSES, list);
	return list[0];
}

/* Told of those that it could leave by: it is there at all, and they have addresses. */
static void emit_place(
    const struct report *r, const struct table *t, const struct table_row *row)
{
	bool leaves = topology_default_route(&t->topology, (uint32_t)row->index);

	emit_lower(r, t, row);
	bool addressed = emit_addresses(r, t, row);

	if (leaves || (addressed && t->topology.n_routes))
		emit(r, (struct ht_reading){ .metric = HT_M_IF_DEFAULT_ROUTE,
			    .instance = row->instance,
			    .at_ns = row->at_ns,
			    .boolean = leaves });
}

/* ── Which is which ───────────────────────────────────────────────────────────────── */

static void describe(const struct table_row *row, struct identity_row *out)
{
	*out = (struct identity_row){ .index = (uint32_t)row->index,
		.type = table_type(row),
		.texts = { [IDENTITY_NAME] = row->texts[TABLE_NAME],
		    [IDENTITY_ALIAS] = row->texts[TABLE_ALIAS],
		    [IDENTITY_PHYS] = row->texts[TABLE_PHYS],
		    [IDENTITY_DESCR] = row->texts[TABLE_DESCR] } };
}

/* Without memory to tell them apart, the index is surely unique. */
static void name_by_index(const struct report *r, struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		snprintf(t->rows[i].instance, sizeof(t->rows[i].instance), "%.64s:if%u",
		    r->device, (unsigned)t->rows[i].index);
}

/* Once, at the first of those that are not remembered. */
static void emit_beyond(const struct report *r, const struct table *t)
{
	char text[IDENTITY_WHY_MAX];

	snprintf(text, sizeof(text),
	    "one of %zu interfaces: from here on, beyond %d, they are named by their "
	    "texts and not remembered",
	    t->n, IDENTITY_MAX);
	emit_string(r, &t->rows[IDENTITY_MAX], HT_M_IF_IDENTITY, text);
}

/* Instances for the rows, and a word for those that changed. The first time all are new,
 * which says nothing. */
static void name_rows(const struct report *r, struct table *t, struct known *k,
    struct identity_match *matches, struct identity_row *rows)
{
	bool first = k->identity.n == 0, beyond = k->identity.beyond;
	char why[IDENTITY_WHY_MAX];

	for (size_t i = 0; i < t->n; i++)
		describe(&t->rows[i], &rows[i]);
	if (identity_match(&k->identity, rows, t->n, strcmp(r->status, "ok") == 0,
		IDENTITY_ID_MAX, matches)) {
		name_by_index(r, t);
		return;
	}
	for (size_t i = 0; i < t->n; i++) {
		struct table_row *row = &t->rows[i];

		snprintf(row->instance, sizeof(row->instance), "%.64s:%s", r->device,
		    matches[i].id);
		if (!first && identity_why(&matches[i], why))
			emit_string(r, row, HT_M_IF_IDENTITY, why);
	}
	if (k->identity.beyond && !beyond && t->n > IDENTITY_MAX)
		emit_beyond(r, t);
}

/* ── Which one carries the link ───────────────────────────────────────────────────── */

static bool polled_from_inside(const struct report *r, const struct ht_addr *target)
{
	const struct probe_site *site = r->host->site;

	for (size_t i = 0; site && i < site->n_subnets; i++) {
		if (ht_addr_within(&site->subnets[i], target))
			return true;
	}
	return false;
}

/* When it was read, or now; what an interrupted poll read long ago says nothing of now.
 */
static int64_t emit_uplink(const struct report *r, const struct table *t, struct known *k,
    const char **ids, bool evidence, int64_t now_ns)
{
	int64_t at_ns = now_ns;
	struct uplink_hints hints = { .configured = r->link_interface };
	struct ht_addr target;
	struct uplink u;
	char before[sizeof(k->uplink.id)];

	for (size_t i = 0; i < t->n; i++)
		ids[i] = t->rows[i].instance + strnlen(r->device, DEVICE_MAX) + 1;
	if (r->target && ht_addr_parse(r->target, &target) == HT_OK) {
		hints.target = &target;
		hints.inside = polled_from_inside(r, &target);
	}
	memcpy(before, k->uplink.id, sizeof(before));
	uplink_choose(t, ids, &hints, &k->uplink, &u);
	if (u.row && u.row->at_ns > now_ns - ONE_POLL_NS)
		at_ns = u.row->at_ns;
	if (u.row) {
		emit_device_string(r, HT_M_SNMP_LINK_INTERFACE, at_ns, u.row->instance);
		emit_device_number(
		    r, HT_M_SNMP_LINK_INTERFACE_CONFIDENCE, at_ns, u.confidence);
	}
	bool other = strcmp(before, k->uplink.id) != 0;
	if (u.why[0] && (evidence || other))
		emit_device_string(r, HT_M_SNMP_LINK_INTERFACE_WHY, at_ns, u.why);
	return at_ns;
}

/* ── What was told before ─────────────────────────────────────────────────────────── */

/* Whether evidence is told this time. Of a device that said nothing there is none. */
static bool tells_evidence(const struct report *r, const struct table *t, int64_t now)
{
	struct report_memory *m = r->memory;

	if (!m)
		return true;
	if (!t->n && !t->system.at_ns)
		return false;
	uint64_t evidence = evidence_hash(t);

	if (m->told_ns && m->evidence == evidence && now - m->told_ns < r->repeat_ns)
		return false;
	*m = (struct report_memory){ .evidence = evidence, .told_ns = now };
	return true;
}

/* ── All of it ────────────────────────────────────────────────────────────────────── */

/* The device's uptime at a moment of the poll: it went on while it was read. */
static double uptime_at(const struct table_system *s, int64_t at_ns)
{
	return (double)s->uptime_ticks / 100 + (double)(at_ns - s->at_ns) / HT_NS_PER_S;
}

static void emit_system(
    const struct report *r, const struct table_system *s, bool evidence, int64_t at_ns)
{
	static const enum ht_metric metrics[TABLE_SYSTEM_TEXTS] = {
		[TABLE_SYS_DESCR] = HT_M_SNMP_SYS_DESCR,
		[TABLE_SYS_OBJECT_ID] = HT_M_SNMP_SYS_OBJECT_ID,
		[TABLE_SYS_NAME] = HT_M_SNMP_SYS_NAME,
	};

	for (size_t i = 0; evidence && i < TABLE_SYSTEM_TEXTS; i++)
		emit_device_string(r, metrics[i], at_ns, s->texts[i]);
	if (s->has_uptime)
		emit_device_number(r, HT_M_SNMP_UPTIME, at_ns, uptime_at(s, at_ns));
}

/* Names, and the interface that carries the link; then all rows. The moment of the poll
 * is when that one's counters were read: a large table takes seconds, and what belongs
 * together must have one time. */
static int64_t emit_table(
    const struct report *r, struct table *t, bool evidence, int64_t now_ns)
{
	struct identity_match *matches = calloc(t->n + 1, sizeof(*matches));
	struct identity_row *rows = calloc(t->n + 1, sizeof(*rows));
	const char **ids = calloc(t->n + 1, sizeof(*ids));
	struct known known = { 0 };
	int64_t at_ns = now_ns;

	if (matches && rows && ids) {
		known_recall(&known, r->host, r->key);
		name_rows(r, t, &known, matches, rows);
		at_ns = emit_uplink(r, t, &known, ids, evidence, now_ns);
		known_remember(&known, r->host, r->key);
	} else {
		name_by_index(r, t);
	}
	for (size_t i = 0; i < t->n; i++) {
		if (evidence)
			emit_names(r, &t->rows[i]);
		emit_measured(r, &t->rows[i]);
		if (evidence)
			emit_place(r, t, &t->rows[i]);
	}
	known_fini(&known);
	free(matches);
	free(rows);
	free(ids);
	return at_ns;
}

void report_poll(const struct report *r, struct table *t)
{
	int64_t at_ns = ht_mono_ns();

	table_settle(t);
	bool evidence = tells_evidence(r, t, at_ns);

	if (t->n)
		at_ns = emit_table(r, t, evidence, at_ns);
	emit_system(r, &t->system, evidence, at_ns);
	emit_device_string(r, HT_M_SNMP_TARGET, at_ns, r->target);
	/* none at all is a fact only when the table was read whole */
	if (t->n || strcmp(r->status, "ok") == 0)
		emit_device_number(r, HT_M_SNMP_INTERFACES, at_ns, (double)t->n);
	if (r->requests)
		emit_device_number(r, HT_M_SNMP_ROUND_TRIPS, at_ns, *r->requests);
	if (r->reason && r->reason[0])
		emit_device_string(r, HT_M_SNMP_REASON, at_ns, r->reason);
	emit_device_string(r, HT_M_SNMP_STATUS, at_ns, r->status);
}
