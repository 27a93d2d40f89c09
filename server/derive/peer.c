#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/name.h"
#include "mqtt/jtext.h"
#include "server/derive/folds.h"
#include "server/derive/problem.h"

/* Server rows `peer` (server/alert/heartbeat.h) to problems `peer-silent`: another
 * hatang that we watch does not answer, so nobody watches its province. */

#define KIND "peer-silent"

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;
	const char *text;
	size_t len;

	return json_object_object_get_ex(o, key, &v) && jtext_string(v, &text, &len)
		   ? text
		   : "";
}

static ht_err fold_state(
    struct db *db, struct json_object *o, const struct fold_input *in)
{
	const char *peer = text_of(o, "peer"), *state = text_of(o, "state");
	const char *why = text_of(o, "reason");
	char reason[PROBLEM_REASON_MAX];
	int64_t since;

	if (!ht_id_valid(peer, HT_ID_MAX))
		return HT_OK;
	if (ht_rfc3339_parse(text_of(o, "since"), &since) || since > in->row->received_ms)
		since = in->row->received_ms;
	if (strcmp(state, "answering") == 0)
		return problem_close(
		    db, KIND, peer, since, in->row->id, "The server answers again.");
	if (strcmp(state, "silent") != 0)
		return HT_OK;
	snprintf(reason, sizeof(reason), "The server %s does not answer%s%.150s.", peer,
	    why[0] ? ": " : "", why);
	struct problem p = {
		.kind = KIND, .subject = peer, .at_ms = since, .reason = reason
	};
	return problem_open(db, &p, in->row->id, NULL);
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	struct json_object *o = NULL;
	ht_err err = HT_OK;

	if (strcmp(in->row->kind, "peer") != 0)
		return HT_OK;
	if (!jtext_parse(in->row->payload, in->row->len, 4, &o, NULL) &&
	    json_object_is_type(o, json_type_object))
		err = fold_state(db, o, in);
	json_object_put(o);
	return err;
}

static ht_err reset(struct db *db)
{
	static const char *const kinds[] = { KIND };

	return problem_reset(db, kinds, 1);
}

const struct fold fold_peer = {
	.name = "peer",
	.version = 1,
	.sources = 1 << JOURNAL_SERVER,
	.apply = apply,
	.reset = reset,
};
