#include "server/registry/renew.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/control.h"
#include "server/registry/operator.h"
#include "server/registry/sql.h"

char *renew_request(const void *json, size_t len)
{
	struct control_reply r;
	char *csr = NULL;

	if (control_reply_decode(json, len, &r))
		return NULL;
	for (size_t i = 0; i < r.n_fields; i++) {
		if (r.text && strcmp(r.fields[i].key, "request") == 0 &&
		    strcmp(r.fields[i].value, "certificate") == 0 &&
		    strlen(r.text) <= CA_PEM_MAX) {
			csr = r.text;
			r.text = NULL;
		}
	}
	control_reply_fini(&r);
	return csr;
}

static ht_err check_agent(struct db *db, const char *agent, struct ht_fault *fault)
{
	struct db_rows *rows = db_start(db, &registry_sql, SQL_AGENT_GET, "s", agent);
	ht_err err = db_next(rows);

	if (err == HT_NOTFOUND || (!err && !db_is_null(rows, 2)))
		err = ht_fault_set(
		    fault, HT_DENIED, "the agent is not known here, or is revoked");
	db_done(rows);
	return err;
}

/* `*out_pem`: the newest certificate when it is young yet, else NULL. */
static ht_err check_newest(struct db *db, const char *agent, const char *csr,
    int64_t now_ms, char **out_pem, struct ht_fault *fault)
{
	struct db_rows *rows = db_start(db, &registry_sql, SQL_CERT_NEWEST, "s", agent);
	ht_err err = db_next(rows);

	*out_pem = NULL;
	if (!err && now_ms < db_int(rows, 0) + (db_int(rows, 1) - db_int(rows, 0)) / 2) {
		*out_pem = strdup(db_text(rows, 2));
		err = *out_pem ? HT_OK : HT_NOMEM;
	}
	if (err == HT_NOTFOUND || (!err && !ca_same_key(csr, db_text(rows, 2)))) {
		free(*out_pem);
		*out_pem = NULL;
		err = ht_fault_set(fault, HT_DENIED,
		    "the request is not for the key of the agent's certificate");
	}
	db_done(rows);
	return err;
}

static ht_err record(
    struct db *db, const char *agent, const struct ca_cert *cert, int64_t now_ms)
{
	struct operator_by by = {
		.actor = "hatang-server", .now_ms = now_ms, .effective_ms = VERB_UNSET
	};
	struct json_object *data = json_object_new_object();
	ht_err err = db_exec(db, &registry_sql, SQL_CERT_PUT, "ssiiis", cert->serial,
	    agent, cert->not_before_ms, cert->not_after_ms, now_ms, cert->pem);

	if (!err && !data)
		err = HT_NOMEM;
	if (!err) {
		json_object_object_add(data, "id", json_object_new_string(agent));
		json_object_object_add(
		    data, "serial", json_object_new_string(cert->serial));
		err = operator_audit(db, &by, "agent.renew",
		    json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
	}
	json_object_put(data);
	return err;
}

ht_err renew_certificate(struct db *db, const struct ca *ca, const char *agent,
    const char *csr, int64_t now_ms, char **out_pem, bool *out_made,
    struct ht_fault *fault)
{
	struct ca_cert cert = { 0 };
	char *pem = NULL;
	ht_err err = check_agent(db, agent, fault);

	if (!err)
		err = check_newest(db, agent, csr, now_ms, &pem, fault);
	bool made = !err && !pem;
	if (made)
		err = ca_sign(ca, csr, strlen(csr), agent, now_ms, &cert, fault);
	if (!err && made)
		err = record(db, agent, &cert, now_ms);
	if (!err) {
		*out_pem = made ? cert.pem : pem;
		*out_made = made;
		if (made)
			cert.pem = NULL;
	}
	ca_cert_fini(&cert);
	return err;
}
