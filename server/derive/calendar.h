/* When an office works, by data (rules/calendar-vn.yaml): weekdays and hours with the
 * dates from which they hold, holidays, days off in exchange and weekend days worked for
 * them. What no decision is known for is provisional; outside the listed years only
 * weekends are known, so every working day there is provisional too. Local time is UTC
 * plus a fixed offset. Read-only after loading; may be shared between threads. */
#ifndef HT_SERVER_DERIVE_CALENDAR_H
#define HT_SERVER_DERIVE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct calendar;

/* Read and check one; a mistake is HT_CONFIG with "file:line:column: what, and the
 * cure". */
HT_MUST_CHECK ht_err calendar_load(
    const char *file, struct calendar **out, struct ht_fault *fault);
HT_MUST_CHECK ht_err calendar_parse(const char *file, const void *bytes, size_t len,
    struct calendar **out, struct ht_fault *fault);
void calendar_free(struct calendar *c); /* accepts NULL */

enum calendar_kind {
	CALENDAR_WORKDAY,
	CALENDAR_WEEKEND,
	CALENDAR_HOLIDAY,
	CALENDAR_COMPENSATED, /* off, for a holiday on a weekend or by exchange */
	CALENDAR_WORKING,     /* a weekend day that is worked instead */
};
const char *calendar_kind_name(enum calendar_kind k);

struct calendar_day {
	int64_t from_ms, to_ms; /* the local day, Unix ms */
	enum calendar_kind kind;
	bool works;                /* the office works on it, from open_ms to close_ms */
	bool provisional;          /* not decided, or not listed */
	int64_t open_ms, close_ms; /* also set when it does not work */
	const char *vi, *en; /* name of the holiday, owned by the calendar; or NULL */
};

/* The local day that holds `at_ms`. */
void calendar_day_of(const struct calendar *c, int64_t at_ms, struct calendar_day *out);

/* Whether the office works at that time. */
bool calendar_office_at(const struct calendar *c, int64_t at_ms);
/* Whether it works for at least half of the hour that begins at `hour_ms`. */
bool calendar_office_hour(const struct calendar *c, int64_t hour_ms);
bool calendar_day_office_hour(const struct calendar_day *d, int64_t hour_ms);

/* The local month that holds `at_ms`: its begin and the begin of the next. */
void calendar_month_of(
    const struct calendar *c, int64_t at_ms, int64_t *out_from_ms, int64_t *out_to_ms);

int64_t calendar_offset_ms(const struct calendar *c); /* local time minus UTC */
const char *calendar_id(const struct calendar *c);
const char *calendar_version(const struct calendar *c);

#endif
