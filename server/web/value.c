#include "server/web/value.h"

#include <stdio.h>
#include <string.h>

#include "base/option.h"
#include "server/web/context.h"
#include "server/web/sql.h"

/* Columns of INDEX_COLUMNS. */
enum {
	V_DEFINITION,
	V_INDICATOR,
	V_SCOPE,
	V_OWN,
	V_STATUS,
	V_VALUE,
	V_UNIT,
	V_LOW,
	V_HIGH,
	V_NUMERATOR,
	V_NUMERATOR_UNIT,
	V_DENOMINATOR,
	V_DENOMINATOR_UNIT,
	V_COVERAGE,
	V_CONFIDENCE,
	V_SOURCE,
	V_REASON,
	V_CURE,
	V_EVIDENCE,
	V_EXPLAIN,
	V_COMPUTED
};

static void value_part(
    struct emit *e, const char *key, const struct db_rows *rows, int value, int unit)
{
	emit_object(e, key);
	emit_double(e, "value", db_double(rows, value));
	emit_text(e, "unit", db_text(rows, unit));
	emit_end_object(e);
}

void value_index(struct emit *e, const char *key, const struct db_rows *rows, bool full)
{
	static const struct {
		const char *key;
		int column;
	} texts[] = {
		{ "definition", V_DEFINITION }, { "indicator", V_INDICATOR }, { "scope", V_SCOPE },
		{ "status", V_STATUS }, { "unit", V_UNIT }, { "source", V_SOURCE },
		{ "reason", V_REASON }, { "cure", V_CURE },
	}, numbers[] = {
		{ "value", V_VALUE }, { "low", V_LOW }, { "high", V_HIGH },
		{ "coverage", V_COVERAGE }, { "confidence", V_CONFIDENCE },
	};

	emit_object(e, key);
	for (size_t i = 0; i < HT_COUNT(texts); i++)
		emit_text(e, texts[i].key, db_text(rows, texts[i].column));
	for (size_t i = 0; i < HT_COUNT(numbers); i++)
		emit_double(e, numbers[i].key, db_double(rows, numbers[i].column));
	emit_bool(e, "own", db_int(rows, V_OWN));
	value_part(e, "numerator", rows, V_NUMERATOR, V_NUMERATOR_UNIT);
	value_part(e, "denominator", rows, V_DENOMINATOR, V_DENOMINATOR_UNIT);
	emit_time(e, "computed", db_int(rows, V_COMPUTED));
	emit_stored(e, "evidence", db_text(rows, V_EVIDENCE));
	if (full)
		emit_stored(e, "explain", db_text(rows, V_EXPLAIN));
	emit_end_object(e);
}

int64_t value_time(const struct db_rows *rows, int column)
{
	return db_is_null(rows, column) ? INT64_MIN : db_int(rows, column);
}

void value_seconds(
    struct emit *e, const char *key, const struct db_rows *rows, int column)
{
	/* db_double() of NULL is NaN, which is put as null. */
	emit_double(e, key, db_double(rows, column) / 1000);
}

void value_definition(struct request *rq, const char *asked, char out[static 97])
{
	const char *mine = asked ? asked : web_context(rq->web)->options.definition;

	snprintf(out, 97, "%s", mine ? mine : "");
	if (mine)
		return;
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_DEFINITIONS, "");
	if (db_next(rows) == HT_OK)
		snprintf(out, 97, "%s", db_text(rows, 0));
	db_done(rows);
}

ht_err value_index_of(
    struct request *rq, struct emit *e, const char *key, const char *scope, bool own)
{
	char definition[97];
	ht_err err;

	value_definition(rq, NULL, definition);
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_AGENCY_INDEX, "sis",
	    scope, (int64_t)own, definition);
	emit_list(e, key);
	while (!(err = db_next(rows)))
		value_index(e, NULL, rows, false);
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

const char *page_after(struct request *rq)
{
	const char *after = param_text(&rq->query, "after");

	return after ? after : "";
}

int64_t page_limit(struct request *rq)
{
	return param_number(&rq->query, "limit", HTTP_PAGE);
}

void page_begin(struct page *p, struct request *rq, struct reply *re)
{
	*p = (struct page){ .limit = page_limit(rq) };
	emit_init(&p->e, &re->body);
	emit_object(&p->e, NULL);
	emit_list(&p->e, "items");
}

bool page_item(struct page *p, const char *cursor)
{
	if (p->n == p->limit) {
		p->more = true;
		return false;
	}
	p->n++;
	snprintf(p->last, sizeof(p->last), "%s", cursor);
	return true;
}

bool time_cursor_read(struct request *rq, struct time_cursor *out)
{
	const char *text = page_after(rq), *comma = strchr(text, ',');
	char number[24];

	*out = (struct time_cursor){ INT64_MAX, "" };
	if (!*text)
		return true;
	if (!comma || (size_t)(comma - text) >= sizeof(number))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)(comma - text), text);
	out->id = comma + 1;
	return ht_int_parse(number, &out->at_ms) == HT_OK;
}

bool page_item_at(struct page *p, int64_t at_ms, const char *id)
{
	char cursor[192];

	snprintf(cursor, sizeof(cursor), "%lld,%s", (long long)at_ms, id);
	return page_item(p, cursor);
}

void page_end(struct page *p)
{
	emit_end_list(&p->e);
}

void page_finish(struct page *p)
{
	emit_text(&p->e, "next", p->more ? p->last : NULL);
	emit_end_object(&p->e);
}
