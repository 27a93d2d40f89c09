#include "server/registry/enroll.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "server/registry/operator.h"
#include "server/registry/sql.h"
#include "server/registry/token.h"

enum { ID_TRIES = 10000 };

struct request {
	const char *token, *csr, *agent, *fingerprint, *hostname, *version;
};

/* A refusal on its way out: status, and one sentence for the person at the machine. */
struct refusal {
	int status;
	const char *title;
	struct ht_fault fault;
};

static ht_err refuse(
    struct refusal *r, ht_err err, int status, const char *title, const char *detail)
{
	r->status = status;
	r->title = title;
	return ht_fault_set(&r->fault, err, "%s", detail);
}

/* ── the request ──────────────────────────────────────────────────────────────────── */

static const struct {
	const char *key;
	size_t offset;
	bool required;
	size_t max;
} fields[] = {
	{ "token", offsetof(struct request, token), true, TOKEN_LEN },
	{ "csr", offsetof(struct request, csr), true, CA_PEM_MAX },
	{ "agent", offsetof(struct request, agent), false, HT_ID_MAX },
	{ "fingerprint", offsetof(struct request, fingerprint), true, 64 },
	{ "hostname", offsetof(struct request, hostname), false, 255 },
	{ "version", offsetof(struct request, version), false, 64 },
};

static ht_err read_field(
    struct json_object *root, size_t i, struct request *out, struct refusal *r)
{
	struct json_object *value;
	char detail[96];

	snprintf(detail, sizeof(detail), "\"%s\" must be a text of at most %zu bytes",
	    fields[i].key, fields[i].max);
	if (!json_object_object_get_ex(root, fields[i].key, &value) || !value)
		return fields[i].required
			   ? refuse(r, HT_MALFORMED, 400, "Bad request", detail)
			   : HT_OK;
	const char *text = json_object_get_string(value);
	size_t len = json_object_is_type(value, json_type_string)
			 ? (size_t)json_object_get_string_len(value)
			 : SIZE_MAX;
	if (len > fields[i].max || strlen(text) != len)
		return refuse(r, HT_MALFORMED, 400, "Bad request", detail);
	*(const char **)((char *)out + fields[i].offset) = text;
	return HT_OK;
}

static ht_err read_request(
    struct json_object *root, struct request *out, struct refusal *r)
{
	ht_err err = HT_OK;

	if (!json_object_is_type(root, json_type_object))
		return refuse(r, HT_MALFORMED, 400, "Bad request",
		    "the body must be a JSON object");
	for (size_t i = 0; !err && i < HT_COUNT(fields); i++)
		err = read_field(root, i, out, r);
	if (!err && out->agent && !ht_id_valid(out->agent, HT_ID_MAX))
		err = refuse(r, HT_INVALID, 422, "Bad agent id",
		    "the agent's id may hold A-Z a-z 0-9 . _ : - and begins with a "
		    "letter or digit");
	if (!err && (strlen(out->fingerprint) != 64 ||
			strspn(out->fingerprint, "0123456789abcdef") != 64))
		err = refuse(r, HT_INVALID, 422, "Bad fingerprint",
		    "the fingerprint must be 64 hexadecimal digits");
	return err;
}

static struct json_object *parse(const void *body, size_t len)
{
	struct json_tokener *tokener = json_tokener_new_ex(4);
	struct json_object *root = NULL;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	if (len <= ENROLL_BODY_MAX)
		root = json_tokener_parse_ex(tokener, body, (int)len);
	if (root && json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(root);
		root = NULL;
	}
	json_tokener_free(tokener);
	return root;
}

/* ── which agent this is ──────────────────────────────────────────────────────────── */

static ht_err use_token(struct db *db, const struct request *q, int64_t now_ms,
    struct token_use *out, struct refusal *r)
{
	ht_err err = token_use(db, q->token, now_ms, out);

	switch (err) {
	case HT_MALFORMED:
	case HT_DENIED:
		return refuse(r, HT_DENIED, 401, "Token refused",
		    "this token is not known here: copy it whole, or ask for a new one");
	case HT_CLOSED:
		return refuse(r, err, 410, "Token used",
		    "this token was used already: ask for a new one with hatang token "
		    "create");
	case HT_TIMEOUT:
		return refuse(r, err, 410, "Token expired",
		    "this token has expired: ask for a new one with hatang token create");
	default:
		return err;
	}
}

/* Whether the id is taken; `agency` holds HT_ID_MAX + 1 bytes and is "" when it is free.
 */
static ht_err agent_agency(struct db *db, const char *id, char *agency)
{
	struct db_rows *rows = db_start(db, &registry_sql, SQL_AGENT_GET, "s", id);
	ht_err err = db_next(rows);

	snprintf(agency, HT_ID_MAX + 1, "%s", err ? "" : db_text(rows, 0));
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err find_by_fingerprint(
    struct db *db, const char *fingerprint, const char *agency, char *id)
{
	struct db_rows *rows = db_start(
	    db, &registry_sql, SQL_AGENT_BY_FINGERPRINT, "ss", fingerprint, agency);
	ht_err err = db_next(rows);

	if (!err)
		snprintf(id, HT_ID_MAX + 1, "%s", db_text(rows, 0));
	db_done(rows);
	return err;
}

/* The first free "<agency>-<n>". */
static ht_err new_id(struct db *db, const char *agency, char *id)
{
	char taken[HT_ID_MAX + 1];

	for (int n = 1; n < ID_TRIES; n++) {
		snprintf(id, HT_ID_MAX + 1, "%.*s-%d", HT_ID_MAX - 6, agency, n);
		ht_err err = agent_agency(db, id, taken);
		if (err || !taken[0])
			return err;
	}
	return HT_FULL;
}

/* The id that the machine asks for: free, or of the same machine. */
static ht_err check_asked(struct db *db, const struct request *q, const char *agency,
    char *id, struct refusal *r)
{
	char taken[HT_ID_MAX + 1], same[HT_ID_MAX + 1];
	ht_err err = agent_agency(db, q->agent, taken);

	if (err)
		return err;
	snprintf(id, HT_ID_MAX + 1, "%s", q->agent);
	if (!taken[0])
		return HT_OK;
	err = find_by_fingerprint(db, q->fingerprint, agency, same);
	if (!err && strcmp(same, q->agent) == 0)
		return HT_OK;
	if (err && err != HT_NOTFOUND)
		return err;
	return refuse(r, HT_CONFLICT, 409, "Agent id taken",
	    "another machine has this agent id: ask for a token made for it (hatang "
	    "token create "
	    "--agent), or choose another id");
}

/* A token made for an agent decides; then what the machine asks for; then what the
 * machine was before; then a new id. */
static ht_err choose_id(struct db *db, const struct request *q,
    const struct token_use *token, char id[static HT_ID_MAX + 1], struct refusal *r)
{
	if (token->agent[0]) {
		if (q->agent && strcmp(q->agent, token->agent) != 0)
			return refuse(r, HT_CONFLICT, 409, "Token is for another agent",
			    "this token was made for another agent id: leave the id out");
		snprintf(id, HT_ID_MAX + 1, "%s", token->agent);
		return HT_OK;
	}
	if (q->agent)
		return check_asked(db, q, token->agency, id, r);
	ht_err err = find_by_fingerprint(db, q->fingerprint, token->agency, id);
	return err == HT_NOTFOUND ? new_id(db, token->agency, id) : err;
}

/* ── the certificate ──────────────────────────────────────────────────────────────── */

static ht_err sign(const struct enroll_context *context, const struct request *q,
    const char *id, int64_t now_ms, struct ca_cert *out, struct refusal *r)
{
	ht_err err =
	    ca_sign(context->ca, q->csr, strlen(q->csr), id, now_ms, out, &r->fault);

	if (err == HT_MALFORMED || err == HT_UNSUPPORTED || err == HT_DENIED) {
		r->status = 422;
		r->title = "Certificate request refused";
	}
	return err;
}

/* The old certificates end, the new one and the journal's row begin. */
static ht_err record(struct db *db, const struct request *q,
    const struct token_use *token, const char *id, const struct ca_cert *cert,
    int64_t now_ms, struct refusal *r)
{
	char actor[HT_ID_MAX + 32];
	struct operator_by by = {
		.actor = actor, .now_ms = now_ms, .effective_ms = VERB_UNSET
	};
	struct verb_enroll enroll = { .id = id,
		.agency = token->agency,
		.fingerprint = q->fingerprint,
		.serial = cert->serial,
		.token = token->id };

	snprintf(actor, sizeof(actor), "%s (token %s)", token->created_by, token->id);
	ht_err err = db_exec(
	    db, &registry_sql, SQL_CERT_REVOKE, "iss", now_ms, "enrolled anew", id);
	if (!err)
		err = db_exec(db, &registry_sql, SQL_CERT_PUT, "ssiiis", cert->serial, id,
		    cert->not_before_ms, cert->not_after_ms, now_ms, cert->pem);
	if (!err)
		err = operator_append(db, &by, VERB_AGENT_ENROLL, &enroll, id, &r->fault);
	return err;
}

/* ── the answer ───────────────────────────────────────────────────────────────────── */

static char *take_text(struct json_object *take)
{
	char *text = strdup(json_object_to_json_string_ext(
	    take, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(take);
	return text;
}

static void put_text(struct json_object *map, const char *key, const char *text)
{
	json_object_object_add(map, key, json_object_new_string(text));
}

static char *success_json(const struct enroll_context *context,
    const struct token_use *token, const char *id, const struct ca_cert *cert)
{
	struct json_object *root = json_object_new_object(),
			   *mqtt = json_object_new_object();
	struct json_object *ports = json_object_new_array();

	for (size_t i = 0; i < HT_COUNT(context->mqtt_ports) && context->mqtt_ports[i];
	     i++)
		json_object_array_add(ports, json_object_new_int(context->mqtt_ports[i]));
	put_text(mqtt, "host", context->mqtt_host);
	json_object_object_add(mqtt, "ports", ports);
	put_text(mqtt, "tls_name", context->mqtt_tls_name);
	put_text(root, "agent", id);
	put_text(root, "agency", token->agency);
	put_text(root, "certificate", cert->pem);
	put_text(root, "ca", ca_pem(context->ca));
	json_object_object_add(root, "mqtt", mqtt);
	return take_text(root);
}

static char *problem_json(const struct refusal *r)
{
	struct json_object *root = json_object_new_object();

	put_text(root, "type", "about:blank");
	put_text(root, "title", r->title);
	json_object_object_add(root, "status", json_object_new_int(r->status));
	put_text(root, "detail", r->fault.text);
	return take_text(root);
}

static ht_err handle(struct db *db, const struct enroll_context *context,
    struct json_object *root, int64_t now_ms, struct enroll_answer *out,
    struct refusal *r)
{
	struct request q = { 0 };
	struct token_use token;
	struct ca_cert cert = { 0 };
	char id[HT_ID_MAX + 1];
	ht_err err = read_request(root, &q, r);

	if (!err)
		err = use_token(db, &q, now_ms, &token, r);
	if (!err)
		err = choose_id(db, &q, &token, id, r);
	if (!err)
		err = sign(context, &q, id, now_ms, &cert, r);
	if (!err)
		err = record(db, &q, &token, id, &cert, now_ms, r);
	if (!err) {
		out->status = 201;
		out->body = success_json(context, &token, id, &cert);
		snprintf(out->agent, sizeof(out->agent), "%s", id);
	}
	ca_cert_fini(&cert);
	return err;
}

ht_err enroll_handle(struct db *db, const struct enroll_context *context,
    const void *body, size_t len, int64_t now_ms, struct enroll_answer *out)
{
	struct refusal r = { 500, "Enrolment failed",
		{ 0, "the server could not store the enrolment" } };
	struct json_object *root = parse(body, len);
	ht_err err;

	*out = (struct enroll_answer){ 0 };
	if (root)
		err = handle(db, context, root, now_ms, out, &r);
	else
		err =
		    refuse(&r, HT_MALFORMED, 400, "Bad request", "the body is not JSON");
	json_object_put(root);
	if (err) {
		out->status = r.status;
		out->body = problem_json(&r);
	}
	return err;
}
