#include "server/store/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store/migrate.h"
#include "server/store/sql.h"

static void problem(
    const struct check_events *events, struct check_report *report, const char *text)
{
	report->problems++;
	events->problem(events->arg, text);
}

static ht_err integrity(
    struct db *db, const struct check_events *events, struct check_report *report)
{
	struct db_rows *r = db_start(db, &store_sql, STORE_CHECK_INTEGRITY, "");
	ht_err err;

	while (!(err = db_next(r))) {
		if (strcmp(db_text(r, 0), "ok") != 0)
			problem(events, report, db_text(r, 0));
	}
	db_done(r);
	if (err == HT_CORRUPT) {
		problem(events, report, db_error(db));
		return HT_OK;
	}
	if (err != HT_NOTFOUND)
		return err;
	r = db_start(db, &store_sql, STORE_CHECK_FOREIGN, "");
	while (!(err = db_next(r)))
		problem(events, report, "a row refers to another that is not there");
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err cursors(
    struct db *db, const struct check_events *events, struct check_report *report)
{
	struct db_rows *r = db_start(db, &store_sql, STORE_CHECK_CURSORS, "");
	ht_err err;

	while (!(err = db_next(r))) {
		char text[160];

		if (db_int(r, 1) <= db_int(r, 2))
			continue;
		snprintf(text, sizeof(text),
		    "fold %s stands at row %lld, the journal ends at %lld", db_text(r, 0),
		    (long long)db_int(r, 1), (long long)db_int(r, 2));
		problem(events, report, text);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err holes(
    struct db *db, const struct check_events *events, struct check_report *report)
{
	struct db_rows *r = db_start(db, &store_sql, STORE_CHECK_HOLES, "");
	ht_err err;

	while (!(err = db_next(r))) {
		struct check_hole hole = { db_text(r, 0), db_text(r, 1), db_int(r, 2),
			db_int(r, 3) };

		report->holes++;
		events->hole(events->arg, &hole);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err counts(struct db *db, struct check_report *report)
{
	struct db_rows *r = db_start(db, &store_sql, STORE_CHECK_COUNTS, "");
	ht_err err = db_next(r);

	if (!err) {
		report->rows = db_int(r, 0);
		report->conflicts = db_int(r, 1);
		report->clones = db_int(r, 2);
		report->garbage = db_int(r, 3);
		report->gaps = db_int(r, 4);
	}
	db_done(r);
	return err;
}

ht_err check_database(
    struct db *db, const struct check_events *events, struct check_report *out)
{
	struct check_report report = { 0 };
	ht_err err = integrity(db, events, &report);

	if (!err)
		err = cursors(db, events, &report);
	if (!err)
		err = holes(db, events, &report);
	if (!err)
		err = counts(db, &report);
	if (!err)
		*out = report;
	return err;
}

ht_err check_backup(struct db *db, const char *to, struct ht_fault *fault)
{
	if (access(to, F_OK) == 0)
		return ht_fault_set(fault, HT_EXISTS, "%s exists: name a new file", to);
	ht_err err = db_exec(db, &store_sql, STORE_VACUUM_INTO, "s", to);
	if (err) {
		unlink(to);
		return ht_fault_set(
		    fault, err, "%s: cannot write the backup: %s", to, db_error(db));
	}
	return HT_OK;
}

static void quiet_problem(void *arg, const char *text)
{
	struct ht_fault *first = arg;

	if (!first->text[0])
		snprintf(first->text, sizeof(first->text), "%.400s", text);
}

static void quiet_hole(void *arg, const struct check_hole *hole)
{
}

/* Opened, whole, and of a version that this program can run or migrate. */
static ht_err check_source(struct db *db, const char *from, struct ht_fault *fault)
{
	struct ht_fault first = { 0 };
	struct check_events events = { &first, quiet_problem, quiet_hole };
	struct check_report report;
	int version = 0;
	ht_err err = migrate_version(db, &version);

	if (!err && (version < 1 || (size_t)version > migrations_len))
		return ht_fault_set(fault, HT_UNSUPPORTED,
		    "%s: schema version %d; this program knows 1 to %zu", from, version,
		    migrations_len);
	if (!err)
		err = check_database(db, &events, &report);
	if (err)
		return ht_fault_set(
		    fault, err, "%s: cannot be read: %s", from, db_error(db));
	if (report.problems)
		return ht_fault_set(fault, HT_CORRUPT,
		    "%s is damaged and was not restored: %s", from, first.text);
	return HT_OK;
}

static ht_err put_in_place(const char *made, const char *file, struct ht_fault *fault)
{
	static const char *const tails[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < HT_COUNT(tails); i++) {
		char from[4096], to[4096];

		snprintf(from, sizeof(from), "%s%s", file, tails[i]);
		snprintf(to, sizeof(to), "%s.before-restore%s", file, tails[i]);
		unlink(to);
		if (rename(from, to) && errno != ENOENT)
			return ht_fault_set(fault, HT_IO, "%s: cannot be renamed", from);
	}
	if (rename(made, file))
		return ht_fault_set(fault, HT_IO, "%s: cannot be renamed", made);
	return HT_OK;
}

ht_err check_restore(const char *from, const char *file, struct ht_fault *fault)
{
	struct db *db = NULL;
	char made[4096];

	if ((size_t)snprintf(made, sizeof(made), "%s.restoring", file) >= sizeof(made))
		return ht_fault_set(fault, HT_TOOLARGE, "the file's name is too long");
	ht_err err = db_open(from, true, &db, fault);
	if (err)
		return err;
	err = check_source(db, from, fault);
	unlink(made);
	if (!err)
		err = check_backup(db, made, fault);
	db_close(db);
	if (!err)
		err = put_in_place(made, file, fault);
	return err;
}
