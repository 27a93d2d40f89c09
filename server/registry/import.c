#include "server/registry/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "server/registry/import_plan.h"

void import_problem(struct import *im, int line, int column, const char *fmt, ...)
{
	struct import_report *r = im->report;
	struct import_problem p = { .line = line, .column = "" };
	char text[512];
	va_list args;

	if (r->n_problems >= IMPORT_PROBLEMS_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (column >= 0 && im->headers[column])
		p.column = arena_text(&im->arena, im->headers[column]);
	p.text = arena_text(&im->arena, text);
	struct import_problem *more = import_grow(r->problems, r->n_problems, sizeof(p));
	if (!more || !p.text || !p.column) {
		im->nomem = true;
		if (more)
			r->problems = more;
		return;
	}
	r->problems = more;
	r->problems[r->n_problems++] = p;
}

static int by_line(const void *a, const void *b)
{
	const struct import_problem *p = a, *q = b;

	return p->line != q->line ? (p->line > q->line) - (p->line < q->line)
				  : strcmp(p->column, q->column);
}

/* In the order of the file, and how many rows are bad. */
static void order_problems(struct import_report *r)
{
	if (r->n_problems)
		qsort(r->problems, r->n_problems, sizeof(*r->problems), by_line);
	for (size_t i = 0; i < r->n_problems; i++)
		if (r->problems[i].line &&
		    (i == 0 || r->problems[i].line != r->problems[i - 1].line))
			r->bad_rows++;
}

static ht_err run(struct import *im, struct db *db, const struct import_options *options,
    const void *bytes, size_t len)
{
	ht_err err = import_read(im, bytes, len);

	if (!err)
		err = import_check(im, db);
	if (err)
		return err;
	order_problems(im->report);
	bool refused = im->fatal || (im->report->n_problems && !options->skip_bad);
	err = import_apply(im, db, !options->dry_run && !refused);
	return !err && refused ? HT_INVALID : err;
}

static void fini(struct import *im)
{
	import_index_fini(&im->agency_at);
	import_index_fini(&im->old_agency_at);
	import_index_fini(&im->link_at);
	import_index_fini(&im->old_link_at);
	import_index_fini(&im->old_headcount_at);
	for (size_t i = 0; i < COL_COUNT; i++)
		free(im->headers[i]);
	free(im->agencies);
	free(im->old_agencies);
	free(im->links);
	free(im->old_links);
	free(im->old_headcounts);
}

ht_err import_csv(struct db *db, const struct operator_by *by,
    const struct import_options *options, const void *bytes, size_t len,
    struct import_report *out)
{
	struct import_report report = { 0 };
	struct import im = { .by = by, .report = &report };
	struct arena *arena = malloc(sizeof(*arena));

	if (!arena)
		return HT_NOMEM;
	ht_err err = run(&im, db, options, bytes, len);
	fini(&im);
	*arena = im.arena; /* the problems' texts live in it */
	report.arena = arena;
	if (err && err != HT_INVALID)
		import_report_fini(&report);
	else
		*out = report;
	return err;
}

void import_report_fini(struct import_report *report)
{
	if (report->arena)
		arena_fini(report->arena);
	free(report->arena);
	free(report->problems);
	*report = (struct import_report){ 0 };
}

/* ── the report ───────────────────────────────────────────────────────────────────── */

static struct json_object *count_json(const struct import_count *c)
{
	struct json_object *map = json_object_new_object();

	json_object_object_add(map, "added", json_object_new_int(c->added));
	json_object_object_add(map, "changed", json_object_new_int(c->changed));
	json_object_object_add(map, "unchanged", json_object_new_int(c->unchanged));
	json_object_object_add(map, "not_in_file", json_object_new_int(c->not_in_file));
	return map;
}

static struct json_object *problem_json(const struct import_problem *p)
{
	struct json_object *map = json_object_new_object();

	json_object_object_add(map, "line", json_object_new_int(p->line));
	json_object_object_add(map, "column", json_object_new_string(p->column));
	json_object_object_add(map, "problem", json_object_new_string(p->text));
	return map;
}

ht_err import_report_json(const struct import_report *r, struct ht_buf *out)
{
	struct json_object *root = json_object_new_object(),
			   *problems = json_object_new_array();

	json_object_object_add(root, "applied", json_object_new_boolean(r->applied));
	json_object_object_add(root, "rows", json_object_new_int(r->rows));
	json_object_object_add(root, "bad_rows", json_object_new_int(r->bad_rows));
	json_object_object_add(root, "agencies", count_json(&r->agencies));
	json_object_object_add(root, "headcounts", count_json(&r->headcounts));
	json_object_object_add(root, "links", count_json(&r->links));
	for (size_t i = 0; i < r->n_problems; i++)
		json_object_array_add(problems, problem_json(&r->problems[i]));
	json_object_object_add(root, "problems", problems);
	ht_buf_puts(out, json_object_to_json_string_ext(root,
			     JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
	return ht_buf_err(out);
}
