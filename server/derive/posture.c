/* fold_posture: posture/<check> of an agency's agents becomes finding, the newest answer
 * of each agent. What a finding means for a solution is the catalogue's (server/score).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/derive/facts_sql.h"
#include "server/derive/folds.h"

enum { EVIDENCE_MAX = 1024 };

struct answer {
	char check[HT_INSTANCE_MAX + 1], answer[16], evidence[EVIDENCE_MAX];
	int64_t at_ms;
	double count;
};

static ht_err finding_put(
    struct db *db, const struct fold_input *in, const struct answer *a)
{
	static const char *const allowed[] = { "yes", "no", "not-observable" };
	bool known = false, older;

	for (size_t i = 0; i < HT_COUNT(allowed); i++)
		known |= strcmp(a->answer, allowed[i]) == 0;
	if (!known)
		return HT_OK;
	struct db_rows *r = db_start(db, &facts_sql, FACTS_FINDING_GET, "sss", in->agency,
	    in->row->agent, a->check);
	ht_err err = db_next(r);
	older = err == HT_OK && db_int(r, 0) > a->at_ms;
	db_done(r);
	if (older || (err && err != HT_NOTFOUND))
		return err;
	err = db_exec(db, &facts_sql, FACTS_FINDING_PUT, "sssssIii", in->agency,
	    in->row->agent, a->check, a->answer, a->evidence[0] ? a->evidence : NULL,
	    fabs(a->count) < 9e15 ? (int64_t)a->count : INT64_MIN, a->at_ms, in->row->id);
	return err ? err : facts_index_dirty(db, in->agency, in->row->received_ms);
}

static void take(struct answer *a, const struct fold_record *rec)
{
	if (rec->metric == HT_M_POSTURE_ANSWER)
		snprintf(a->answer, sizeof(a->answer), "%s", rec->senml->string);
	else if (rec->metric == HT_M_POSTURE_EVIDENCE)
		snprintf(a->evidence, sizeof(a->evidence), "%s", rec->senml->string);
	else
		senml_number(rec->senml, &a->count);
}

/* A check's records stand together: a change of name or time ends an answer. */
static ht_err posture_apply(struct db *db, const struct fold_input *in)
{
	struct answer a = { .check = "" };
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && in->agency && !err; i++) {
		const struct fold_record *rec = &in->records[i];
		int64_t at_ms =
		    rec->at_ms > in->row->received_ms ? in->row->received_ms : rec->at_ms;
		if (!rec->known || rec->metric < HT_M_POSTURE_ANSWER ||
		    rec->metric > HT_M_POSTURE_COUNT)
			continue;
		if (strcmp(a.check, rec->instance) != 0 || a.at_ms != at_ms) {
			err = finding_put(db, in, &a);
			a = (struct answer){ .at_ms = at_ms, .count = NAN };
			snprintf(a.check, sizeof(a.check), "%s", rec->instance);
		}
		take(&a, rec);
	}
	return err || !in->agency ? err : finding_put(db, in, &a);
}

static ht_err posture_reset(struct db *db)
{
	return db_exec(db, &facts_sql, FACTS_FINDING_RESET, "");
}

const struct fold fold_posture = {
	.name = "posture",
	.version = 1,
	.sources = 1u << JOURNAL_AGENT,
	.apply = posture_apply,
	.reset = posture_reset,
	.bulk = true,
};
