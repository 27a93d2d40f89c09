#include "probes/snmp/report.h"

#include <string.h>

#include "base/clock.h"

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

/* Both octet counters come from one width: rates must not mix them. */
static void emit_octets(const struct report *r, const struct table_row *row)
{
	bool hc =
	    table_has(row, TABLE_HC_IN_OCTETS) || table_has(row, TABLE_HC_OUT_OCTETS);

	emit_counter(
	    r, row, HT_M_IF_IN_OCTETS, hc ? TABLE_HC_IN_OCTETS : TABLE_IN_OCTETS);
	emit_counter(
	    r, row, HT_M_IF_OUT_OCTETS, hc ? TABLE_HC_OUT_OCTETS : TABLE_OUT_OCTETS);
	if (hc || table_has(row, TABLE_IN_OCTETS) || table_has(row, TABLE_OUT_OCTETS))
		emit_number(r, row, HT_M_IF_COUNTER_BITS, hc ? 64 : 32);
}

/* ifHighSpeed is in Mbit/s, 0 below half of one; ifSpeed ends at 2^32-1, which means
 * more. */
static void emit_speed(const struct report *r, const struct table_row *row)
{
	if (table_has(row, TABLE_HIGH_SPEED) && row->numbers[TABLE_HIGH_SPEED])
		emit_number(
		    r, row, HT_M_IF_SPEED, (double)row->numbers[TABLE_HIGH_SPEED] * 1e6);
	else if (table_has(row, TABLE_SPEED) && row->numbers[TABLE_SPEED] &&
		 row->numbers[TABLE_SPEED] < UINT32_MAX)
		emit_number(r, row, HT_M_IF_SPEED, (double)row->numbers[TABLE_SPEED]);
}

static void emit_row(const struct report *r, const struct table_row *row)
{
	emit_number(r, row, HT_M_IF_INDEX, (double)row->index);
	emit_string(r, row, HT_M_IF_NAME, row->texts[TABLE_NAME]);
	emit_string(r, row, HT_M_IF_ALIAS, row->texts[TABLE_ALIAS]);
	emit_string(r, row, HT_M_IF_DESCR, row->texts[TABLE_DESCR]);
	emit_string(r, row, HT_M_IF_PHYS_ADDRESS, row->texts[TABLE_PHYS]);
	emit_string(r, row, HT_M_IF_ADMIN_STATUS, status_name(row, TABLE_ADMIN));
	emit_string(r, row, HT_M_IF_OPER_STATUS, status_name(row, TABLE_OPER));
	if (table_has(row, TABLE_TYPE))
		emit_number(r, row, HT_M_IF_TYPE, (double)row->numbers[TABLE_TYPE]);
	emit_speed(r, row);
	emit_octets(r, row);
	emit_counter(r, row, HT_M_IF_IN_ERRORS, TABLE_IN_ERRORS);
	emit_counter(r, row, HT_M_IF_OUT_ERRORS, TABLE_OUT_ERRORS);
	emit_counter(r, row, HT_M_IF_IN_DISCARDS, TABLE_IN_DISCARDS);
	emit_counter(r, row, HT_M_IF_OUT_DISCARDS, TABLE_OUT_DISCARDS);
	if (table_has(row, TABLE_DISCONTINUITY))
		emit_number(r, row, HT_M_IF_DISCONTINUITY,
		    (double)row->numbers[TABLE_DISCONTINUITY] / 100);
}

static bool carries_link(const struct report *r, const struct table_row *row)
{
	const char *name =
	    row->texts[TABLE_NAME] ? row->texts[TABLE_NAME] : row->texts[TABLE_DESCR];

	return r->link_interface && name && strcmp(name, r->link_interface) == 0;
}

static void emit_system(const struct report *r, const struct table_system *s)
{
	static const enum ht_metric metrics[TABLE_SYSTEM_TEXTS] = {
		[TABLE_SYS_DESCR] = HT_M_SNMP_SYS_DESCR,
		[TABLE_SYS_OBJECT_ID] = HT_M_SNMP_SYS_OBJECT_ID,
		[TABLE_SYS_NAME] = HT_M_SNMP_SYS_NAME,
	};

	for (size_t i = 0; i < TABLE_SYSTEM_TEXTS; i++)
		emit_device_string(r, metrics[i], s->at_ns, s->texts[i]);
	if (s->has_uptime)
		emit_device_number(
		    r, HT_M_SNMP_UPTIME, s->at_ns, (double)s->uptime_ticks / 100);
}

static void emit_table(const struct report *r, struct table *t, int64_t at_ns)
{
	table_name_rows(t, r->device);
	for (size_t i = 0; i < t->n; i++) {
		const struct table_row *row = &t->rows[i];

		emit_row(r, row);
		if (carries_link(r, row))
			emit_device_string(
			    r, HT_M_SNMP_LINK_INTERFACE, at_ns, row->instance);
	}
}

void report_poll(const struct report *r, struct table *t)
{
	int64_t now = ht_mono_ns();

	emit_system(r, &t->system);
	emit_device_string(r, HT_M_SNMP_TARGET, now, r->target);
	emit_table(r, t, now);
	/* none at all is a fact only when the table was read whole */
	if (t->n || strcmp(r->status, "ok") == 0)
		emit_device_number(r, HT_M_SNMP_INTERFACES, now, (double)t->n);
	if (r->requests)
		emit_device_number(r, HT_M_SNMP_ROUND_TRIPS, now, *r->requests);
	if (r->reason && r->reason[0])
		emit_device_string(r, HT_M_SNMP_REASON, now, r->reason);
	emit_device_string(r, HT_M_SNMP_STATUS, now, r->status);
}
