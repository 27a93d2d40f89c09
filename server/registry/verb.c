#include "server/registry/verb.h"

#include <assert.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/yaml.h"
#include "server/registry/csv.h"
#include "server/registry/parents.h"

const char *const verb_levels[] = { "province", "district", "commune", NULL };
const char *const verb_roles[] = { "primary", "backup", NULL };
const char *const verb_kinds[] = { "province-wan", "government-wan", "internet", NULL };
const char *const verb_line_types[] = { "leased-line", "ftth", "xdsl", "wireless",
	"satellite", "other", NULL };
const char *const verb_maintenance_scopes[] = { "link", "agency", "provider", "all",
	NULL };
static const char *const answers[] = { "yes", "no", NULL };
static const char *const classes[] = { "computer", "server", "printer", "phone", "mobile",
	"camera", "network", "storage", "ups", "iot", "unknown", NULL };

enum field_type {
	FIELD_ID,      /* const char * */
	FIELD_LONG_ID, /* the same of a probe's instance or an outage */
	FIELD_TEXT,
	FIELD_WORD,    /* one of words[] */
	FIELD_HEX,     /* 64 lower-case digits */
	FIELD_ADDRESS, /* of a host */
	FIELD_PARENTS,
	FIELD_CONFIG,  /* YAML with `site` and `probes` */
	FIELD_COUNT,   /* int64_t, 0..max */
	FIELD_TIME,    /* int64_t Unix ms; RFC 3339 in JSON */
	FIELD_DEGREES, /* double, -max..max */
	FIELD_FLAG,    /* bool */
};

struct field {
	const char *key;
	enum field_type type;
	size_t offset;
	bool required;
	int64_t max;
	const char *const *words;
};

#define AT(type, member) offsetof(struct verb_##type, member)

static const struct field agency_fields[] = {
	{ "id", FIELD_ID, AT(agency, id), true },
	{ "name", FIELD_TEXT, AT(agency, name), true },
	{ "level", FIELD_WORD, AT(agency, level), true, .words = verb_levels },
	{ "kind", FIELD_TEXT, AT(agency, kind) },
	{ "parent", FIELD_ID, AT(agency, parent) },
	{ "latitude", FIELD_DEGREES, AT(agency, latitude), .max = 90 },
	{ "longitude", FIELD_DEGREES, AT(agency, longitude), .max = 180 },
};
static const struct field thing_fields[] = { { "id", FIELD_ID, AT(thing, id), true } };
static const struct field headcount_fields[] = {
	{ "agency", FIELD_ID, AT(headcount, agency), true },
	{ "as_of", FIELD_TIME, AT(headcount, as_of_ms), true },
	{ "servants", FIELD_COUNT, AT(headcount, servants), true,
	    .max = VERB_SERVANTS_MAX },
};
static const struct field link_fields[] = {
	{ "id", FIELD_ID, AT(link, id), true },
	{ "agency", FIELD_ID, AT(link, agency), true },
	{ "role", FIELD_WORD, AT(link, role), true, .words = verb_roles },
	{ "kind", FIELD_WORD, AT(link, kind), true, .words = verb_kinds },
	{ "line_type", FIELD_WORD, AT(link, line_type), .words = verb_line_types },
	{ "provider", FIELD_TEXT, AT(link, provider) },
	{ "contracted_down_bps", FIELD_COUNT, AT(link, contracted_down_bps),
	    .max = VERB_BPS_MAX },
	{ "contracted_up_bps", FIELD_COUNT, AT(link, contracted_up_bps),
	    .max = VERB_BPS_MAX },
	{ "router_address", FIELD_ADDRESS, AT(link, router_address) },
	{ "parents", FIELD_PARENTS, AT(link, parents) },
};
static const struct field agent_fields[] = {
	{ "id", FIELD_ID, AT(agent, id), true },
	{ "agency", FIELD_ID, AT(agent, agency), true },
	{ "vantage", FIELD_FLAG, AT(agent, vantage) },
};
static const struct field enroll_fields[] = {
	{ "id", FIELD_ID, AT(enroll, id), true },
	{ "agency", FIELD_ID, AT(enroll, agency), true },
	{ "fingerprint", FIELD_HEX, AT(enroll, fingerprint), true },
	{ "serial", FIELD_TEXT, AT(enroll, serial), true },
	{ "token", FIELD_TEXT, AT(enroll, token) },
};
static const struct field config_fields[] = {
	{ "id", FIELD_ID, AT(config, id), true },
	{ "config", FIELD_CONFIG, AT(config, config), true, .max = VERB_CONFIG_MAX },
};
static const struct field revoke_fields[] = {
	{ "id", FIELD_ID, AT(revoke, id), true },
	{ "reason", FIELD_TEXT, AT(revoke, reason), true },
};
static const struct field claim_fields[] = {
	{ "id", FIELD_ID, AT(claim, id), true },
	{ "fingerprint", FIELD_HEX, AT(claim, fingerprint), true },
};
static const struct field declaration_fields[] = {
	{ "agency", FIELD_ID, AT(declaration, agency), true },
	{ "solution", FIELD_ID, AT(declaration, solution), true },
	{ "answer", FIELD_WORD, AT(declaration, answer), true, .words = answers },
	{ "document", FIELD_TEXT, AT(declaration, document) },
	{ "signer", FIELD_TEXT, AT(declaration, signer) },
	{ "declared", FIELD_TIME, AT(declaration, declared_ms) },
	{ "expires", FIELD_TIME, AT(declaration, expires_ms) },
};
static const struct field undeclare_fields[] = {
	{ "agency", FIELD_ID, AT(declaration, agency), true },
	{ "solution", FIELD_ID, AT(declaration, solution), true },
};
static const struct field correction_fields[] = {
	{ "agency", FIELD_ID, AT(correction, agency), true },
	{ "machine", FIELD_TEXT, AT(correction, machine), true },
	{ "class", FIELD_WORD, AT(correction, class), .words = classes },
	{ "same_as", FIELD_TEXT, AT(correction, same_as) },
};

static const struct field maintenance_fields[] = {
	{ "id", FIELD_ID, AT(maintenance, id), true },
	{ "scope", FIELD_WORD, AT(maintenance, scope), true,
	    .words = verb_maintenance_scopes },
	{ "subject", FIELD_TEXT, AT(maintenance, subject) },
	{ "from_ms", FIELD_COUNT, AT(maintenance, from_ms), true,
	    .max = VERB_TIME_MAX_MS },
	{ "to_ms", FIELD_COUNT, AT(maintenance, to_ms), true, .max = VERB_TIME_MAX_MS },
	{ "reason", FIELD_TEXT, AT(maintenance, reason), true },
};
static const struct field note_fields[] = {
	{ "id", FIELD_LONG_ID, AT(note, id), true },
	{ "ticket", FIELD_TEXT, AT(note, ticket) },
	{ "note", FIELD_TEXT, AT(note, note) },
};

static const struct {
	const char *name;
	const struct field *fields;
	size_t n;
} verbs[] = {
	[VERB_AGENCY_PUT] = { "agency.put", agency_fields, HT_COUNT(agency_fields) },
	[VERB_AGENCY_REMOVE] = { "agency.remove", thing_fields, HT_COUNT(thing_fields) },
	[VERB_HEADCOUNT_PUT] = { "headcount.put", headcount_fields,
	    HT_COUNT(headcount_fields) },
	[VERB_LINK_PUT] = { "link.put", link_fields, HT_COUNT(link_fields) },
	[VERB_LINK_REMOVE] = { "link.remove", thing_fields, HT_COUNT(thing_fields) },
	[VERB_AGENT_PUT] = { "agent.put", agent_fields, HT_COUNT(agent_fields) },
	[VERB_AGENT_ENROLL] = { "agent.enroll", enroll_fields, HT_COUNT(enroll_fields) },
	[VERB_AGENT_APPROVE_CONFIG] = { "agent.approve_config", config_fields,
	    HT_COUNT(config_fields) },
	[VERB_AGENT_REVOKE] = { "agent.revoke", revoke_fields, HT_COUNT(revoke_fields) },
	[VERB_AGENT_CLAIM] = { "agent.claim", claim_fields, HT_COUNT(claim_fields) },
	[VERB_DECLARATION_PUT] = { "declaration.put", declaration_fields,
	    HT_COUNT(declaration_fields) },
	[VERB_DECLARATION_REMOVE] = { "declaration.remove", undeclare_fields,
	    HT_COUNT(undeclare_fields) },
	[VERB_MACHINE_CORRECT] = { "machine.correct", correction_fields,
	    HT_COUNT(correction_fields) },
	[VERB_MAINTENANCE_PUT] = { "maintenance.put", maintenance_fields,
	    HT_COUNT(maintenance_fields) },
	[VERB_MAINTENANCE_REMOVE] = { "maintenance.remove", thing_fields,
	    HT_COUNT(thing_fields) },
	[VERB_OUTAGE_NOTE] = { "outage.note", note_fields, HT_COUNT(note_fields) },
};
static_assert(HT_COUNT(verbs) == VERB_COUNT, "a verb lacks its fields");

const char *verb_name(enum verb_id verb)
{
	return verbs[verb].name;
}

ht_err verb_find(const char *name, enum verb_id *out)
{
	for (size_t i = 0; i < VERB_COUNT; i++) {
		if (strcmp(verbs[i].name, name) == 0) {
			*out = (enum verb_id)i;
			return HT_OK;
		}
	}
	return HT_NOTFOUND;
}

/* ── a field in its struct ────────────────────────────────────────────────────────── */

static const char *get_text(const struct field *f, const void *data)
{
	return *(const char *const *)((const char *)data + f->offset);
}

static int64_t get_int(const struct field *f, const void *data)
{
	return *(const int64_t *)((const char *)data + f->offset);
}

static double get_double(const struct field *f, const void *data)
{
	return *(const double *)((const char *)data + f->offset);
}

static bool get_flag(const struct field *f, const void *data)
{
	return *(const bool *)((const char *)data + f->offset);
}

static bool is_set(const struct field *f, const void *data)
{
	switch (f->type) {
	case FIELD_COUNT:
	case FIELD_TIME:
		return get_int(f, data) != VERB_UNSET;
	case FIELD_DEGREES:
		return !isnan(get_double(f, data));
	case FIELD_FLAG:
		return true;
	default:
		return get_text(f, data) != NULL;
	}
}

static void unset(const struct field *f, void *data)
{
	char *at = (char *)data + f->offset;

	if (f->type == FIELD_COUNT || f->type == FIELD_TIME)
		*(int64_t *)at = VERB_UNSET;
	else if (f->type == FIELD_DEGREES)
		*(double *)at = NAN;
	else if (f->type == FIELD_FLAG)
		*(bool *)at = false;
	else
		*(const char **)at = NULL;
}

/* ── checks ───────────────────────────────────────────────────────────────────────── */

static bool is_word(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

static ht_err word_fault(struct ht_fault *fault, const struct field *f)
{
	char list[256] = "";
	size_t n = 0;

	for (const char *const *w = f->words; *w && n < sizeof(list); w++)
		n += (size_t)snprintf(
		    list + n, sizeof(list) - n, "%s%s", n ? ", " : "", *w);
	return ht_fault_set(fault, HT_INVALID, "%s must be one of %s", f->key, list);
}

static bool is_hex64(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static ht_err check_address(
    const struct field *f, const char *text, struct ht_fault *fault)
{
	struct ht_addr a;

	if (ht_addr_parse(text, &a) || strchr(text, '/'))
		return ht_fault_set(
		    fault, HT_INVALID, "%s must be an address such as 10.0.0.1", f->key);
	return HT_OK;
}

/* An approved configuration may say where and what is measured, and nothing else. */
static ht_err check_config(
    const struct field *f, const char *text, struct ht_fault *fault)
{
	struct ht_yaml yaml = { 0 };
	ht_err err;

	if (strlen(text) > (size_t)f->max)
		return ht_fault_set(
		    fault, HT_INVALID, "%s is longer than %d bytes", f->key, (int)f->max);
	err = ht_yaml_parse("configuration", text, strlen(text), &yaml, fault);
	if (err)
		return err == HT_NOMEM ? err : HT_INVALID;
	const struct ht_node *root = yaml.root;
	if (root->kind != HT_NODE_MAP)
		err = ht_fault_set(fault, HT_INVALID,
		    "%s must hold the sections site and probes", f->key);
	for (size_t i = 0; !err && i < root->n; i++) {
		const char *key = root->keys[i]->text;
		if (strcmp(key, "site") == 0 || strcmp(key, "probes") == 0)
			continue;
		(void)ht_node_fault(root->keys[i], fault,
		    "section \"%.40s\" cannot be approved from here: only site and "
		    "probes can",
		    key);
		err = HT_INVALID;
	}
	ht_yaml_fini(&yaml);
	return err;
}

static ht_err check_id(
    const struct field *f, const char *text, size_t max, struct ht_fault *fault)
{
	if (ht_id_valid(text, max))
		return HT_OK;
	return ht_fault_set(fault, HT_INVALID,
	    "%s must be 1 to %d of the letters A-Z a-z 0-9 . _ : - and begin with a "
	    "letter or digit",
	    f->key, (int)max);
}

static ht_err check_text(const struct field *f, const char *text, struct ht_fault *fault)
{
	size_t len = strlen(text);

	switch (f->type) {
	case FIELD_ID:
		return check_id(f, text, HT_ID_MAX, fault);
	case FIELD_LONG_ID:
		return check_id(f, text, VERB_LONG_ID_MAX, fault);
	case FIELD_WORD:
		return is_word(text, f->words) ? HT_OK : word_fault(fault, f);
	case FIELD_HEX:
		return is_hex64(text) ? HT_OK
				      : ht_fault_set(fault, HT_INVALID,
					    "%s must be 64 hexadecimal digits", f->key);
	case FIELD_ADDRESS:
		return check_address(f, text, fault);
	case FIELD_PARENTS:
		return parents_walk(text, NULL, NULL, fault) ? HT_INVALID : HT_OK;
	case FIELD_CONFIG:
		return check_config(f, text, fault);
	default:
		if (len == 0 || len > VERB_TEXT_MAX ||
		    !csv_text_valid((const uint8_t *)text, len))
			return ht_fault_set(fault, HT_INVALID,
			    "%s must be 1 to %d bytes of plain text", f->key,
			    VERB_TEXT_MAX);
		return HT_OK;
	}
}

static ht_err check_field(const struct field *f, const void *data, struct ht_fault *fault)
{
	if (!is_set(f, data))
		return f->required
			   ? ht_fault_set(fault, HT_INVALID, "%s is missing", f->key)
			   : HT_OK;
	switch (f->type) {
	case FIELD_FLAG:
		return HT_OK;
	case FIELD_TIME:
		if (get_int(f, data) < 0 || get_int(f, data) > VERB_TIME_MAX_MS)
			return ht_fault_set(fault, HT_INVALID,
			    "%s must be a day from 1970 to 9999", f->key);
		return HT_OK;
	case FIELD_COUNT:
		if (get_int(f, data) < 0 || get_int(f, data) > f->max)
			return ht_fault_set(fault, HT_INVALID,
			    "%s must be from 0 to %lld", f->key, (long long)f->max);
		return HT_OK;
	case FIELD_DEGREES:
		if (!(fabs(get_double(f, data)) <= (double)f->max))
			return ht_fault_set(fault, HT_INVALID,
			    "%s must be from -%d to %d", f->key, (int)f->max,
			    (int)f->max);
		return HT_OK;
	default:
		return check_text(f, get_text(f, data), fault);
	}
}

ht_err verb_check(enum verb_id verb, const void *data, struct ht_fault *fault)
{
	ht_err err = HT_OK;

	for (size_t i = 0; !err && i < verbs[verb].n; i++)
		err = check_field(&verbs[verb].fields[i], data, fault);
	return err;
}

/* ── JSON ─────────────────────────────────────────────────────────────────────────── */

static struct json_object *time_json(int64_t ms)
{
	char text[HT_RFC3339_LEN + 1];

	ht_rfc3339(ms, text);
	return json_object_new_string(text);
}

static struct json_object *field_json(const struct field *f, const void *data)
{
	switch (f->type) {
	case FIELD_COUNT:
		return json_object_new_int64(get_int(f, data));
	case FIELD_TIME:
		return time_json(get_int(f, data));
	case FIELD_DEGREES:
		return json_object_new_double(get_double(f, data));
	case FIELD_FLAG:
		return json_object_new_boolean(get_flag(f, data));
	default:
		return json_object_new_string(get_text(f, data));
	}
}

static bool put_json(struct json_object *map, const char *key, struct json_object *take)
{
	if (take && json_object_object_add(map, key, take) == 0)
		return true;
	json_object_put(take);
	return false;
}

static bool fields_json(enum verb_id verb, const void *data, struct json_object *map)
{
	bool ok = true;

	for (size_t i = 0; ok && i < verbs[verb].n; i++) {
		const struct field *f = &verbs[verb].fields[i];
		if (is_set(f, data))
			ok = put_json(map, f->key, field_json(f, data));
	}
	return ok;
}

ht_err verb_encode(
    enum verb_id verb, const void *data, int64_t effective_ms, struct ht_buf *out)
{
	struct json_object *root = json_object_new_object(),
			   *map = json_object_new_object();
	bool ok = root && map && fields_json(verb, data, map) &&
		  put_json(root, "effective_from", time_json(effective_ms));

	ok = ok && json_object_object_add(root, "data", map) == 0;
	const char *text =
	    ok ? json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN) : NULL;
	if (text)
		ht_buf_puts(out, text);
	if (!ok)
		json_object_put(map);
	json_object_put(root);
	return text ? ht_buf_err(out) : HT_NOMEM;
}

static const struct field *find_field(enum verb_id verb, const char *key)
{
	for (size_t i = 0; i < verbs[verb].n; i++)
		if (strcmp(verbs[verb].fields[i].key, key) == 0)
			return &verbs[verb].fields[i];
	return NULL;
}

static bool read_time(struct json_object *value, int64_t *out)
{
	return json_object_is_type(value, json_type_string) &&
	       ht_rfc3339_parse(json_object_get_string(value), out) == HT_OK;
}

static bool read_text(struct json_object *value, const char **out)
{
	if (!json_object_is_type(value, json_type_string))
		return false;
	const char *text = json_object_get_string(value);
	if (strlen(text) != (size_t)json_object_get_string_len(value))
		return false; /* a NUL inside */
	*out = text;
	return true;
}

/* A JSON value into its field; false for a wrong type. null is "not said". */
static bool read_field(const struct field *f, struct json_object *value, void *data)
{
	char *at = (char *)data + f->offset;
	enum json_type type = json_object_get_type(value);

	if (type == json_type_null)
		return true;
	switch (f->type) {
	case FIELD_TIME:
		return read_time(value, (int64_t *)at);
	case FIELD_COUNT:
		*(int64_t *)at = json_object_get_int64(value);
		return type == json_type_int;
	case FIELD_DEGREES:
		*(double *)at = json_object_get_double(value);
		return type == json_type_double || type == json_type_int;
	case FIELD_FLAG:
		*(bool *)at = json_object_get_boolean(value);
		return type == json_type_boolean;
	default:
		return read_text(value, (const char **)at);
	}
}

static ht_err read_data(
    enum verb_id verb, struct json_object *map, void *data, struct ht_fault *fault)
{
	for (size_t i = 0; i < verbs[verb].n; i++)
		unset(&verbs[verb].fields[i], data);
	json_object_object_foreach(map, key, value)
	{
		const struct field *f = find_field(verb, key);
		if (!f)
			return ht_fault_set(fault, HT_INVALID,
			    "%s knows no field \"%.40s\"", verbs[verb].name, key);
		if (!read_field(f, value, data))
			return ht_fault_set(fault, HT_MALFORMED,
			    "%s has a value of the wrong type", f->key);
	}
	return verb_check(verb, data, fault);
}

static ht_err read_payload(enum verb_id verb, struct json_object *root,
    struct verb_parsed *out, struct ht_fault *fault)
{
	struct json_object *map, *from;

	out->effective_ms = VERB_UNSET;
	if (!json_object_is_type(root, json_type_object) ||
	    !json_object_object_get_ex(root, "data", &map) ||
	    !json_object_is_type(map, json_type_object))
		return ht_fault_set(
		    fault, HT_MALFORMED, "the body must be an object with \"data\"");
	if (json_object_object_get_ex(root, "effective_from", &from) && from &&
	    !read_time(from, &out->effective_ms))
		return ht_fault_set(fault, HT_MALFORMED,
		    "effective_from must be a day or time such as 2018-03-01");
	return read_data(verb, map, &out->data, fault);
}

ht_err verb_decode(enum verb_id verb, const void *bytes, size_t len,
    struct verb_parsed *out, struct ht_fault *fault)
{
	struct verb_parsed parsed = { 0 };
	struct json_tokener *tokener;
	ht_err err;

	if (len > VERB_PAYLOAD_MAX)
		return ht_fault_set(fault, HT_TOOLARGE,
		    "the body is larger than %d bytes", VERB_PAYLOAD_MAX);
	tokener = json_tokener_new_ex(8);
	if (!tokener)
		return HT_NOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *root = json_tokener_parse_ex(tokener, bytes, (int)len);
	parsed.tree = root;
	if (!root || json_tokener_get_error(tokener) != json_tokener_success)
		err = ht_fault_set(fault, HT_MALFORMED, "the body is not JSON");
	else
		err = read_payload(verb, root, &parsed, fault);
	json_tokener_free(tokener);
	if (err)
		json_object_put(root);
	else
		*out = parsed;
	return err;
}

void verb_parsed_fini(struct verb_parsed *parsed)
{
	json_object_put(parsed->tree);
	*parsed = (struct verb_parsed){ 0 };
}
