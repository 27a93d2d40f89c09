#include "server/derive/presence.h"

#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "base/name.h"
#include "server/derive/folds.h"
#include "server/derive/sql.h"

#define DEPTH_MAX   4
#define SECONDS_MAX 1e11

static const char *const states[] = {
	[PRESENCE_ONLINE] = "online",
	[PRESENCE_OFFLINE] = "offline",
	[PRESENCE_LOST] = "lost",
};

const char *presence_state_name(enum presence_state state)
{
	return states[state];
}

/* ── parsing ─────────────────────────────────────────────────────────────────────── */

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) ||
	    !json_object_is_type(v, json_type_string))
		return NULL;
	const char *text = json_object_get_string(v);
	return strlen(text) == (size_t)json_object_get_string_len(v) ? text : NULL;
}

static bool hex(const char *text, size_t len)
{
	return text && strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

static bool get_hex(struct json_object *o, const char *key, char *to, size_t len)
{
	const char *text = text_of(o, key);

	if (!hex(text, len))
		return false;
	memcpy(to, text, len + 1);
	return true;
}

static bool get_hex_or_empty(struct json_object *o, const char *key, char *to, size_t len)
{
	const char *text = text_of(o, key);

	if (!text || !*text)
		return !json_object_object_get_ex(o, key, NULL) || text;
	return get_hex(o, key, to, len);
}

static bool get_seconds(struct json_object *o, const char *key, double *to)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) ||
	    !(json_object_is_type(v, json_type_double) ||
		json_object_is_type(v, json_type_int)))
		return false;
	*to = json_object_get_double(v);
	return isfinite(*to) && *to >= 0 && *to < SECONDS_MAX;
}

static bool get_state(struct json_object *o, enum presence_state *to)
{
	const char *text = text_of(o, "state");

	for (size_t i = 0; text && i < HT_COUNT(states); i++) {
		if (strcmp(text, states[i]) == 0) {
			*to = (enum presence_state)i;
			return true;
		}
	}
	return false;
}

static bool get_boot(struct json_object *o, char to[static HT_BOOT_ID_LEN + 1])
{
	const char *text = text_of(o, "boot");

	if (!text || strlen(text) != HT_BOOT_ID_LEN ||
	    strspn(text, "0123456789abcdefABCDEF-") != HT_BOOT_ID_LEN)
		return false;
	memcpy(to, text, HT_BOOT_ID_LEN + 1);
	return true;
}

static void get_version(struct json_object *o, char to[static PRESENCE_VERSION_MAX + 1])
{
	const char *text = text_of(o, "version");

	if (text && strlen(text) <= PRESENCE_VERSION_MAX)
		memcpy(to, text, strlen(text) + 1);
}

static bool read_object(struct json_object *o, struct presence *p)
{
	struct json_object *v;
	double mono = 0, wall = 0;

	if (!json_object_is_type(o, json_type_object) || !get_state(o, &p->state) ||
	    !get_hex(o, "session", p->session, PROPS_HEX_LEN) || !get_boot(o, p->boot) ||
	    !get_seconds(o, "mono", &mono) ||
	    !get_hex(o, "fingerprint", p->fingerprint, PRESENCE_HASH_HEX) ||
	    !get_hex_or_empty(o, "epoch", p->epoch, PROPS_HEX_LEN) ||
	    !get_hex_or_empty(o, "config", p->config, PRESENCE_HASH_HEX) ||
	    !get_hex_or_empty(o, "targets", p->targets, PRESENCE_HASH_HEX) || mono > 1e9)
		return false;
	p->mono_ns = (int64_t)(mono * 1e9);
	p->has_wall = get_seconds(o, "wall", &wall);
	p->wall_ms = p->has_wall ? (int64_t)(wall * 1e3) : 0;
	p->synchronised = json_object_object_get_ex(o, "synchronised", &v) &&
			  json_object_is_type(v, json_type_boolean) &&
			  json_object_get_boolean(v);
	get_version(o, p->version);
	return true;
}

ht_err presence_parse(const void *bytes, size_t len, struct presence *out)
{
	struct presence p = { 0 };

	if (len > PRESENCE_BYTES_MAX)
		return HT_TOOLARGE;
	struct json_tokener *tok = json_tokener_new_ex(DEPTH_MAX);
	if (!tok)
		return HT_NOMEM;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *o = len ? json_tokener_parse_ex(tok, bytes, (int)len) : NULL;
	bool ok = o && json_tokener_get_parse_end(tok) == len && read_object(o, &p);
	json_object_put(o);
	json_tokener_free(tok);
	if (!ok)
		return HT_MALFORMED;
	*out = p;
	return HT_OK;
}

/* ── the fold ────────────────────────────────────────────────────────────────────── */

/* Since when it is in this state: kept while nothing changes. `out_stale`: the will of an
 * old session, which says nothing of the present one. */
static ht_err since(struct db *db, const struct journal_row *row,
    const struct presence *p, int64_t *out_since_ms, bool *out_stale)
{
	struct db_rows *r =
	    db_start(db, &derive_sql, DERIVE_PRESENCE_GET, "s", row->agent);
	ht_err err = db_next(r);

	*out_since_ms = row->received_ms;
	*out_stale = false;
	if (!err) {
		const char *session = db_text(r, 1);
		bool same_session = session && strcmp(session, p->session) == 0;

		*out_stale = p->state == PRESENCE_LOST && !same_session;
		if (same_session && strcmp(db_text(r, 0), states[p->state]) == 0)
			*out_since_ms = db_int(r, 2);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	const struct journal_row *row = in->row;
	struct presence p;
	int64_t since_ms;
	bool stale;

	if (!row->agent || strcmp(row->kind, "presence") != 0 ||
	    presence_parse(row->payload, row->len, &p))
		return HT_OK;
	ht_err err = since(db, row, &p, &since_ms, &stale);
	if (err || stale)
		return err;
	return db_exec(db, &derive_sql, DERIVE_PRESENCE_PUT, "ssssssssiiis", row->agent,
	    states[p.state], p.session, p.boot, p.fingerprint, p.version,
	    p.synchronised ? "synchronised" : "free", p.config[0] ? p.config : NULL,
	    since_ms, row->received_ms, row->id, p.targets[0] ? p.targets : NULL);
}

static ht_err reset(struct db *db)
{
	return db_exec(db, &derive_sql, DERIVE_PRESENCE_RESET, "");
}

const struct fold fold_presence = {
	.name = "presence",
	.version = 1,
	.sources = 1 << JOURNAL_SERVER,
	.apply = apply,
	.reset = reset,
};
