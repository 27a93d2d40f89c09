#include "server/derive/calendar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"

#define DAY_MS    INT64_C(86400000)
#define HOUR_MS   INT64_C(3600000)
#define MINUTE_MS INT64_C(60000)

static const char *const status_names[] = { "decided", "provisional", NULL };
static const char *const kind_names[] = { "workday", "weekend", "holiday", "compensated",
	"working", NULL };
static const char *const date_kinds[] = { "holiday", "compensated", "working", NULL };
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat",
	NULL };

/* Local days since 1970-01-01; what the rows say is turned into them once. */
struct office {
	char *effective_from, *from, *to;
	struct ht_strings days;
	int64_t from_day, open_ms, close_ms; /* of the day */
	bool works[7];
};

struct fixed {
	int64_t month, day;
	char *vi, *en, *effective_from, *effective_to;
	int64_t from_day, to_day;
};

struct date {
	char *from, *to, *vi, *en;
	int kind, status;
	int64_t from_day, to_day;
};

struct calendar {
	struct calendar_options {
		char *id, *version;
		struct title {
			char *vi, *en;
		} title;
		int64_t utc_offset_ns, years_from, years_to;
		struct ht_list office, fixed, dates;
	} o;
};

/* ── the tables ──────────────────────────────────────────────────────────────────── */

static const struct ht_option title_rows[] = {
	{ "vi", HT_OPT_STRING, offsetof(struct title, vi), .min = 1, .max = 200,
	    .required = true, .help = "Vietnamese" },
	{ "en", HT_OPT_STRING, offsetof(struct title, en), .min = 1, .max = 200,
	    .required = true, .help = "English" },
};
static const struct ht_options title_options = HT_OPTIONS(struct title, title_rows);

static const struct ht_option office_rows[] = {
	{ "effective_from", HT_OPT_STRING, offsetof(struct office, effective_from),
	    .required = true, .help = "date" },
	{ "days", HT_OPT_STRINGS, offsetof(struct office, days), .min = 1, .max = 7,
	    .required = true, .help = "mon … sun" },
	{ "from", HT_OPT_STRING, offsetof(struct office, from), .required = true,
	    .help = "opens, \"07:30\"" },
	{ "to", HT_OPT_STRING, offsetof(struct office, to), .required = true,
	    .help = "closes, \"17:00\"" },
};
static const struct ht_options office_options = HT_OPTIONS(struct office, office_rows);

static const struct ht_option fixed_rows[] = {
	{ "month", HT_OPT_INT, offsetof(struct fixed, month), .min = 1, .max = 12,
	    .required = true, .help = "of the year" },
	{ "day", HT_OPT_INT, offsetof(struct fixed, day), .min = 1, .max = 31,
	    .required = true, .help = "of the month" },
	{ "vi", HT_OPT_STRING, offsetof(struct fixed, vi), .min = 1, .max = 120,
	    .required = true, .help = "Vietnamese name" },
	{ "en", HT_OPT_STRING, offsetof(struct fixed, en), .min = 1, .max = 120,
	    .required = true, .help = "English name" },
	{ "effective_from", HT_OPT_STRING, offsetof(struct fixed, effective_from),
	    .help = "date; absent: always" },
	{ "effective_to", HT_OPT_STRING, offsetof(struct fixed, effective_to),
	    .help = "last date; absent: open" },
};
static const struct ht_options fixed_options = HT_OPTIONS(struct fixed, fixed_rows);

static const struct ht_option date_rows[] = {
	{ "from", HT_OPT_STRING, offsetof(struct date, from), .required = true,
	    .help = "date" },
	{ "to", HT_OPT_STRING, offsetof(struct date, to),
	    .help = "last date; absent: one day" },
	{ "kind", HT_OPT_ENUM, offsetof(struct date, kind), .names = date_kinds,
	    .required = true, .help = "holiday, compensated, working" },
	{ "status", HT_OPT_ENUM, offsetof(struct date, status), .names = status_names,
	    .def = "decided", .help = "decided or provisional" },
	{ "vi", HT_OPT_STRING, offsetof(struct date, vi), .min = 1, .max = 120,
	    .required = true, .help = "Vietnamese name" },
	{ "en", HT_OPT_STRING, offsetof(struct date, en), .min = 1, .max = 120,
	    .required = true, .help = "English name" },
};
static const struct ht_options date_options = HT_OPTIONS(struct date, date_rows);

#define CAL(f) offsetof(struct calendar_options, f)
static const struct ht_option calendar_rows[] = {
	{ "calendar", HT_OPT_STRING, CAL(id), .min = 1, .max = 60, .required = true,
	    .help = "id" },
	{ "version", HT_OPT_STRING, CAL(version), .min = 1, .max = 40, .required = true,
	    .help = "a new one with each change" },
	{ "title", HT_OPT_SECTION, CAL(title), .sub = &title_options, .required = true,
	    .help = "its name" },
	{ "utc_offset", HT_OPT_DURATION, CAL(utc_offset_ns), .min = 0,
	    .max = 14 * 3600 * HT_NS_PER_S, .def = "7h", .help = "local time minus UTC" },
	{ "years_from", HT_OPT_INT, CAL(years_from), .min = 1970, .max = 9998,
	    .required = true, .help = "first year whose holidays are listed" },
	{ "years_to", HT_OPT_INT, CAL(years_to), .min = 1970, .max = 9998,
	    .required = true, .help = "last year whose holidays are listed" },
	{ "office", HT_OPT_LIST, CAL(office), .min = 1, .max = 50, .sub = &office_options,
	    .required = true, .help = "days and hours, in the order of their dates" },
	{ "fixed", HT_OPT_LIST, CAL(fixed), .max = 60, .sub = &fixed_options,
	    .help = "holidays of each year" },
	{ "dates", HT_OPT_LIST, CAL(dates), .max = 2000, .sub = &date_options,
	    .help = "single days and spans" },
};
static const struct ht_options calendar_options =
    HT_OPTIONS(struct calendar_options, calendar_rows);

/* ── what tables cannot say ──────────────────────────────────────────────────────── */

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t day_number(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = y / 400, yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t day, int64_t *y, int64_t *m, int64_t *d)
{
	int64_t z = day + 719468, era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

static ht_err read_date(const struct ht_node *node, const char *key, const char *text,
    int64_t otherwise, int64_t *out, struct ht_fault *fault)
{
	int64_t at_ms;

	*out = otherwise;
	if (!text)
		return HT_OK;
	if (strlen(text) != 10 || ht_rfc3339_parse(text, &at_ms))
		return ht_node_fault(ht_node_get(node, key), fault,
		    "'%.40s' is no date; write 2026-02-16", text);
	*out = at_ms / DAY_MS;
	return HT_OK;
}

static ht_err read_clock(const struct ht_node *node, const char *key, const char *text,
    int64_t *out_ms, struct ht_fault *fault)
{
	unsigned h, m;
	char more;

	if (strlen(text) != 5 || sscanf(text, "%2u:%2u%c", &h, &m, &more) != 2 ||
	    m > 59 || h > 24 || (h == 24 && m))
		return ht_node_fault(ht_node_get(node, key), fault,
		    "'%.40s' is no time of day; write \"07:30\", in quotes", text);
	*out_ms = (int64_t)h * HOUR_MS + (int64_t)m * MINUTE_MS;
	return HT_OK;
}

static int weekday_find(const char *word)
{
	for (int i = 0; i < 7; i++) {
		if (strcmp(day_names[i], word) == 0)
			return i;
	}
	return -1;
}

static ht_err check_office(
    struct office *o, const struct ht_node *node, struct ht_fault *fault)
{
	ht_err err =
	    read_date(node, "effective_from", o->effective_from, 0, &o->from_day, fault);

	if (!err)
		err = read_clock(node, "from", o->from, &o->open_ms, fault);
	if (!err)
		err = read_clock(node, "to", o->to, &o->close_ms, fault);
	if (!err && o->open_ms >= o->close_ms)
		err = ht_node_fault(node, fault, "'from' is not before 'to'; swap them");
	for (size_t i = 0; i < o->days.n && !err; i++) {
		int day = weekday_find(o->days.at[i]);

		if (day < 0)
			err = ht_node_fault(ht_node_get(node, "days"), fault,
			    "'%.20s' is no day; write mon, tue, wed, thu, fri, sat, sun",
			    o->days.at[i]);
		else
			o->works[day] = true;
	}
	return err;
}

static ht_err check_fixed(
    struct fixed *f, const struct ht_node *node, struct ht_fault *fault)
{
	static const int lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (f->day > lengths[f->month - 1])
		return ht_node_fault(ht_node_get(node, "day"), fault,
		    "month %d has no day %d", (int)f->month, (int)f->day);
	ht_err err = read_date(
	    node, "effective_from", f->effective_from, INT64_MIN, &f->from_day, fault);
	return err ? err
		   : read_date(node, "effective_to", f->effective_to, INT64_MAX,
			 &f->to_day, fault);
}

static ht_err check_years(const struct calendar_options *o, const struct date *d,
    const struct ht_node *node, struct ht_fault *fault)
{
	int64_t first = day_number(o->years_from, 1, 1),
		last = day_number(o->years_to, 12, 31);

	if (d->from_day < first || d->to_day > last)
		return ht_node_fault(node, fault,
		    "it lies outside years_from … years_to; move those bounds");
	return HT_OK;
}

static ht_err check_date(struct calendar_options *o, size_t i, struct ht_fault *fault)
{
	struct date *dates = o->dates.at, *d = &dates[i];
	const struct ht_node *node = o->dates.nodes[i];
	ht_err err = read_date(node, "from", d->from, 0, &d->from_day, fault);

	if (!err)
		err = read_date(node, "to", d->to, d->from_day, &d->to_day, fault);
	if (!err && d->to_day < d->from_day)
		err = ht_node_fault(node, fault, "'to' is before 'from'; swap them");
	if (!err)
		err = check_years(o, d, node, fault);
	for (size_t k = 0; k < i && !err; k++) {
		if (d->from_day <= dates[k].to_day && dates[k].from_day <= d->to_day)
			err = ht_node_fault(node, fault,
			    "it overlaps the entry of %s above; keep one of them",
			    dates[k].from);
	}
	return err;
}

static ht_err check(
    struct calendar_options *o, const struct ht_node *root, struct ht_fault *fault)
{
	struct office *office = o->office.at;
	struct fixed *fixed = o->fixed.at;
	ht_err err = HT_OK;

	if (o->years_from > o->years_to)
		err = ht_node_fault(ht_node_get(root, "years_to"), fault,
		    "years_to is before years_from; swap them");
	for (size_t i = 0; i < o->office.n && !err; i++) {
		err = check_office(&office[i], o->office.nodes[i], fault);
		if (!err && i && office[i].from_day <= office[i - 1].from_day)
			err = ht_node_fault(o->office.nodes[i], fault,
			    "it begins no later than the entry above; order them by "
			    "effective_from");
	}
	for (size_t i = 0; i < o->fixed.n && !err; i++)
		err = check_fixed(&fixed[i], o->fixed.nodes[i], fault);
	for (size_t i = 0; i < o->dates.n && !err; i++)
		err = check_date(o, i, fault);
	return err;
}

/* ── loading ─────────────────────────────────────────────────────────────────────── */

static ht_err from_yaml(struct ht_yaml *y, struct calendar **out, struct ht_fault *fault)
{
	struct calendar *c = calloc(1, sizeof(*c));

	if (!c)
		return HT_NOMEM;
	ht_err err = ht_options_load(&calendar_options, NULL, y->root, &c->o, fault);
	if (!err)
		err = check(&c->o, y->root, fault);
	if (err)
		calendar_free(c);
	else
		*out = c;
	return err;
}

ht_err calendar_load(const char *file, struct calendar **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_load(file, &y, fault);

	if (!err)
		err = from_yaml(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

ht_err calendar_parse(const char *file, const void *bytes, size_t len,
    struct calendar **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_parse(file, bytes, len, &y, fault);

	if (!err)
		err = from_yaml(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

void calendar_free(struct calendar *c)
{
	if (!c)
		return;
	ht_options_fini(&calendar_options, &c->o);
	free(c);
}

/* ── asking ──────────────────────────────────────────────────────────────────────── */

const char *calendar_kind_name(enum calendar_kind k)
{
	return kind_names[k];
}

int64_t calendar_offset_ms(const struct calendar *c)
{
	return c->o.utc_offset_ns / HT_NS_PER_MS;
}

const char *calendar_id(const struct calendar *c)
{
	return c->o.id;
}

const char *calendar_version(const struct calendar *c)
{
	return c->o.version;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static const struct office *office_of(const struct calendar *c, int64_t day)
{
	const struct office *rows = c->o.office.at;
	size_t i = c->o.office.n - 1;

	while (i > 0 && rows[i].from_day > day)
		i--;
	return &rows[i];
}

static const struct date *date_find(const struct calendar *c, int64_t day)
{
	const struct date *rows = c->o.dates.at;

	for (size_t i = 0; i < c->o.dates.n; i++) {
		if (day >= rows[i].from_day && day <= rows[i].to_day)
			return &rows[i];
	}
	return NULL;
}

static const struct fixed *fixed_find(const struct calendar *c, int64_t day)
{
	const struct fixed *rows = c->o.fixed.at;
	int64_t y, m, d;

	date_of(day, &y, &m, &d);
	for (size_t i = 0; i < c->o.fixed.n; i++) {
		if (rows[i].month == m && rows[i].day == d && day >= rows[i].from_day &&
		    day <= rows[i].to_day)
			return &rows[i];
	}
	return NULL;
}

static void judge_day(
    const struct calendar *c, int64_t day, bool weekday, struct calendar_day *out)
{
	const struct date *date = date_find(c, day);
	const struct fixed *fixed = date ? NULL : fixed_find(c, day);

	out->kind = weekday ? CALENDAR_WORKDAY : CALENDAR_WEEKEND;
	if (date) {
		out->kind = (enum calendar_kind)(CALENDAR_HOLIDAY + date->kind);
		out->provisional = date->status != 0;
		out->vi = date->vi;
		out->en = date->en;
	} else if (fixed) {
		out->kind = CALENDAR_HOLIDAY;
		out->provisional = false;
		out->vi = fixed->vi;
		out->en = fixed->en;
	}
	out->works = out->kind == CALENDAR_WORKDAY || out->kind == CALENDAR_WORKING;
}

void calendar_day_of(const struct calendar *c, int64_t at_ms, struct calendar_day *out)
{
	int64_t offset = calendar_offset_ms(c), day = floor_div(at_ms + offset, DAY_MS);
	int64_t week = (day + 4) % 7; /* 1970-01-01 was a Thursday */
	const struct office *o = office_of(c, day);
	bool weekday = o->works[week < 0 ? week + 7 : week];

	*out = (struct calendar_day){ .from_ms = day * DAY_MS - offset };
	out->to_ms = out->from_ms + DAY_MS;
	out->open_ms = out->from_ms + o->open_ms;
	out->close_ms = out->from_ms + o->close_ms;
	/* Nobody listed its holidays: a weekday may be one. */
	out->provisional = weekday && (day < day_number(c->o.years_from, 1, 1) ||
					  day > day_number(c->o.years_to, 12, 31));
	judge_day(c, day, weekday, out);
}

void calendar_month_of(
    const struct calendar *c, int64_t at_ms, int64_t *out_from_ms, int64_t *out_to_ms)
{
	int64_t offset = calendar_offset_ms(c), y, m, d;

	date_of(floor_div(at_ms + offset, DAY_MS), &y, &m, &d);
	*out_from_ms = day_number(y, m, 1) * DAY_MS - offset;
	*out_to_ms = day_number(y + (m == 12), m % 12 + 1, 1) * DAY_MS - offset;
}

bool calendar_office_at(const struct calendar *c, int64_t at_ms)
{
	struct calendar_day d;

	calendar_day_of(c, at_ms, &d);
	return d.works && at_ms >= d.open_ms && at_ms < d.close_ms;
}

bool calendar_day_office_hour(const struct calendar_day *d, int64_t hour_ms)
{
	int64_t from = hour_ms > d->open_ms ? hour_ms : d->open_ms,
		to = hour_ms + HOUR_MS < d->close_ms ? hour_ms + HOUR_MS : d->close_ms;

	return d->works && to - from >= HOUR_MS / 2;
}

bool calendar_office_hour(const struct calendar *c, int64_t hour_ms)
{
	struct calendar_day d;

	calendar_day_of(c, hour_ms, &d);
	return calendar_day_office_hour(&d, hour_ms);
}
