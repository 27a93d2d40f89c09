#include "server/alert/health.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/alert/health_sql.h"
#include "server/derive/folds.h"
#include "server/derive/problem.h"

#define DAY_MS INT64_C(86400000)
#define SERVER "@server"

/* ── the row ─────────────────────────────────────────────────────────────────────── */

static ht_err put_certificates(struct db *db, struct json_object *list, int64_t now_ms)
{
	struct db_rows *r = db_start(db, &health_sql, HEALTH_SQL_CERTIFICATES, "i",
	    now_ms + HEALTH_CERT_DAYS * DAY_MS);
	ht_err err;

	while (!(err = db_next(r))) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(
		    o, "subject", json_object_new_string(db_text(r, 0)));
		json_object_object_add(
		    o, "not_after_ms", json_object_new_int64(db_int(r, 1)));
		if (db_text(r, 2))
			json_object_object_add(
			    o, "agency", json_object_new_string(db_text(r, 2)));
		json_object_array_add(list, o);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err health_append(struct db *db, const struct health_seen *seen, int64_t now_ms)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	if (!o || !list) {
		json_object_put(o);
		json_object_put(list);
		return HT_NOMEM;
	}
	if (!isnan(seen->disk_free))
		json_object_object_add(
		    o, "disk_free", json_object_new_double(seen->disk_free));
	json_object_object_add(o, "queue_rows", json_object_new_int64(seen->queue_rows));
	ht_err err = put_certificates(db, list, now_ms);

	json_object_object_add(o, "certificates", list);
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	struct journal_row row = {
		.source = JOURNAL_SERVER,
		.kind = "health",
		.content_type = "application/json",
		.received_ms = now_ms,
		.payload = text,
		.len = strlen(text),
	};
	if (!err)
		err = journal_append(db, &row);
	json_object_put(o);
	return err;
}

/* ── the fold ────────────────────────────────────────────────────────────────────── */

/* Opens past one threshold, closes past the other; between them it stays as it is. */
static ht_err judge(struct db *db, const struct journal_row *row, const char *kind,
    bool bad, bool fine, const char *reason)
{
	struct problem p = { .kind = kind,
		.subject = SERVER,
		.at_ms = row->received_ms,
		.reason = reason };
	char id[PROBLEM_ID_MAX + 1];

	if (fine)
		return problem_close(db, kind, SERVER, row->received_ms, row->id, NULL);
	if (!bad || problem_find(db, kind, SERVER, id) == HT_OK)
		return HT_OK;
	return problem_open(db, &p, row->id, NULL);
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static ht_err open_certificate(
    struct db *db, const struct journal_row *row, struct json_object *o)
{
	struct json_object *v;
	char reason[200], at[HT_RFC3339_LEN + 1];
	const char *subject = text_of(o, "subject");

	if (!subject || !json_object_object_get_ex(o, "not_after_ms", &v))
		return HT_OK;
	ht_rfc3339(json_object_get_int64(v), at);
	snprintf(
	    reason, sizeof(reason), "The certificate of %s expires at %s.", subject, at);
	struct problem p = { .kind = "certificate-expiry",
		.subject = subject,
		.agency = text_of(o, "agency"),
		.at_ms = row->received_ms,
		.reason = reason };

	return problem_open(db, &p, row->id, NULL);
}

static bool lists(struct json_object *list, const char *subject)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *have = text_of(json_object_array_get_idx(list, i), "subject");

		if (have && strcmp(have, subject) == 0)
			return true;
	}
	return false;
}

/* Those that are open and no longer in the list were renewed or revoked. */
static ht_err close_certificates(
    struct db *db, const struct journal_row *row, struct json_object *list)
{
	char subject[HT_INSTANCE_MAX + 1] = "";
	ht_err err = HT_OK;

	while (!err) {
		struct db_rows *r =
		    db_start(db, &health_sql, HEALTH_SQL_OPEN, "s", subject);

		err = db_next(r);
		if (!err)
			snprintf(subject, sizeof(subject), "%s", db_text(r, 0));
		db_done(r);
		if (!err && !lists(list, subject))
			err = problem_close(db, "certificate-expiry", subject,
			    row->received_ms, row->id, NULL);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err read_row(
    struct db *db, const struct journal_row *row, struct json_object *o)
{
	struct json_object *v, *list = NULL;
	char reason[200];
	ht_err err = HT_OK;

	if (json_object_object_get_ex(o, "disk_free", &v)) {
		double free = json_object_get_double(v);

		snprintf(reason, sizeof(reason),
		    "Only %.0f %% of the server's disk is free.", free * 100);
		err = judge(db, row, "disk-ceiling",
		    free<HEALTH_DISK_LOW, free> HEALTH_DISK_FINE, reason);
	}
	if (!err && json_object_object_get_ex(o, "queue_rows", &v)) {
		int64_t rows = json_object_get_int64(v);

		snprintf(reason, sizeof(reason), "%lld rows wait in the server.",
		    (long long)rows);
		err = judge(db, row, "queue-growing", rows > HEALTH_QUEUE_LONG,
		    rows < HEALTH_QUEUE_FINE, reason);
	}
	if (err || !json_object_object_get_ex(o, "certificates", &list) ||
	    !json_object_is_type(list, json_type_array))
		return err;
	for (size_t i = 0; i < json_object_array_length(list) && !err; i++)
		err = open_certificate(db, row, json_object_array_get_idx(list, i));
	return err ? err : close_certificates(db, row, list);
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	const struct journal_row *row = in->row;
	struct json_tokener *tok;
	ht_err err = HT_OK;

	if (strcmp(row->kind, "health") != 0 || !row->len || row->len > 1 << 20)
		return HT_OK;
	tok = json_tokener_new_ex(4);
	if (!tok)
		return HT_NOMEM;
	struct json_object *o = json_tokener_parse_ex(tok, row->payload, (int)row->len);
	if (o)
		err = read_row(db, row, o);
	json_object_put(o);
	json_tokener_free(tok);
	return err;
}

static ht_err reset(struct db *db)
{
	static const char *const kinds[] = { "certificate-expiry", "disk-ceiling",
		"queue-growing" };

	return problem_reset(db, kinds, HT_COUNT(kinds));
}

const struct fold fold_health = {
	.name = "health",
	.version = 1,
	.sources = 1u << JOURNAL_SERVER,
	.apply = apply,
	.reset = reset,
};
