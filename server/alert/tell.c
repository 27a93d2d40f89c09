#include "server/alert/tell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "server/alert/acklink.h"
#include "server/alert/incident_sql.h"

#define AFFECTED_MAX 100

/* ── the words ───────────────────────────────────────────────────────────────────── */

struct words {
	const char *kind, *vi, *en;
};
static const struct words kinds[] = {
	{ "link-down", "Mất kết nối", "Outage" },
	{ "link-unreachable", "Không tới được", "Unreachable" },
	{ "link-degraded", "Đường truyền suy giảm", "Degraded link" },
	{ "link-unstable", "Đường truyền chập chờn", "Unstable link" },
	{ "link-unpingable", "Không ping được nhưng vẫn có dữ liệu",
	    "Ping fails, data flows" },
	{ "on-backup", "Đang chạy đường dự phòng", "On backup" },
	{ "agent-silent", "Thiết bị đo ngừng gửi dữ liệu", "Agent silent" },
	{ "vantage-blind", "Điểm đo trung tâm bị mù", "Vantage blind" },
	{ "certificate-expiry", "Chứng thư sắp hết hạn", "Certificate expires" },
	{ "disk-ceiling", "Đĩa máy chủ sắp đầy", "Server disk nearly full" },
	{ "queue-growing", "Hàng đợi máy chủ tăng", "Server queue grows" },
	{ "peer-silent", "Máy chủ bạn im lặng", "Peer server silent" },
	{ "link-below-contract", "Không đủ tốc độ hợp đồng", "Less than contracted" },
	{ "link-saturated", "Đường truyền đầy", "Link full" },
	{ "link-contradiction", "Số liệu băng thông mâu thuẫn",
	    "Contradicting bandwidth figures" },
};

static const struct words *words_of(const char *kind)
{
	static const struct words other = { "", "Sự cố", "Problem" };

	for (size_t i = 0; i < HT_COUNT(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) == 0)
			return &kinds[i];
	}
	return &other;
}

/* ── facts ───────────────────────────────────────────────────────────────────────── */

/* Only whole letters: what was cut inside one is no JSON, and would never be sent. */
static struct json_object *letters(const char *text)
{
	size_t len = strlen(text), at = 0, kept = 0, n;
	char *whole = ht_utf8_valid(text, len) ? NULL : malloc(len + 1);

	if (!whole)
		return json_object_new_string(text);
	while (at < len) {
		for (n = 1; n < 4 && at + n < len && !ht_utf8_valid(text + at, n);)
			n++;
		if (ht_utf8_valid(text + at, n)) {
			memcpy(whole + kept, text + at, n);
			kept += n;
			at += n;
		} else {
			at++;
		}
	}
	struct json_object *o = json_object_new_string_len(whole, (int)kept);
	free(whole);
	return o;
}

static void put_text(struct json_object *o, const char *key, const char *text)
{
	if (text && text[0])
		json_object_object_add(o, key, letters(text));
}

static void put_time(struct json_object *o, const char *key, int64_t ms)
{
	char text[HT_RFC3339_LEN + 1];

	if (ms == INCIDENT_NONE_MS)
		return;
	ht_rfc3339(ms, text);
	put_text(o, key, text);
}

struct affected {
	struct json_object *list;
	int64_t n, communes, behind;
	char names[400];
};

static void add_affected(struct affected *a, const struct db_rows *r)
{
	const char *id = db_text(r, 0), *name = db_text(r, 2), *level = db_text(r, 3);
	struct json_object *o;

	a->n++;
	a->behind += db_int(r, 6) != 0;
	a->communes += db_int(r, 6) && level && strcmp(level, "commune") == 0;
	size_t len = strlen(a->names);
	const char *shown = name && name[0] ? name : id;

	if (len + strlen(shown) + 8 < sizeof(a->names))
		snprintf(a->names + len, sizeof(a->names) - len, "%s%s", len ? ", " : "",
		    shown);
	if (a->n > AFFECTED_MAX || !(o = json_object_new_object()))
		return;
	put_text(o, "id", id);
	put_text(o, "name", name);
	put_time(o, "since", db_int(r, 1));
	json_object_array_add(a->list, o);
}

static ht_err read_affected(
    struct db *db, const char *incident, bool all, struct affected *out)
{
	struct db_rows *r =
	    db_start(db, &tell_sql, TELL_SQL_AFFECTED, "si", incident, (int64_t)all);
	ht_err err;

	*out = (struct affected){ .list = json_object_new_array() };
	while (!(err = db_next(r)))
		add_affected(out, r);
	db_done(r);
	return err == HT_NOTFOUND && out->list ? HT_OK : HT_NOMEM;
}

static void agency_name(struct db *db, const char *id, char *out, size_t cap)
{
	struct db_rows *r = db_start(db, &tell_sql, TELL_SQL_AGENCY_NAME, "s", id);

	snprintf(out, cap, "%s", !db_next(r) ? db_text(r, 0) : "");
	db_done(r);
}

/* "15:04:05 23/11/2026" in the rules' zone. */
static void local_time(const struct rules *rules, int64_t ms, char *out, size_t cap)
{
	char t[HT_RFC3339_LEN + 1];

	ht_rfc3339(ms + rules->zone_s * 1000, t);
	snprintf(out, cap, "%.8s %.2s/%.2s/%.4s", t + 11, t + 8, t + 5, t);
}

static void duration(int64_t ms, char *out, size_t cap)
{
	int64_t s = ms / 1000;

	if (s < 60)
		snprintf(out, cap, "%llds", (long long)s);
	else if (s < 3600)
		snprintf(
		    out, cap, "%lldm%02llds", (long long)(s / 60), (long long)(s % 60));
	else
		snprintf(out, cap, "%lldh%02lldm", (long long)(s / 3600),
		    (long long)(s / 60 % 60));
}

/* "Bát Xát (bat-xat-wan)"; communes are counted as such when all are. */
static void titles(struct json_object *o, const struct incident *i,
    const struct affected *a, const char *name, const char *kind)
{
	const struct words *w = words_of(i->kind);
	bool over = strcmp(kind, "resolve") == 0;
	bool communes = a->communes == a->behind;
	const char *who = name[0] ? name : i->subject;
	char vi[400], en[400], where[200];

	snprintf(where, sizeof(where), name[0] ? "%s (%s)" : "%s%s", name[0] ? name : "",
	    i->subject);
	if (i->group_by == INCIDENT_PROVIDER || i->group_by == INCIDENT_DISTRICT) {
		bool carrier = i->group_by == INCIDENT_PROVIDER;

		snprintf(vi, sizeof(vi), "Sự cố chung %s %s: %lld đường truyền",
		    carrier ? "của nhà mạng" : "tại", carrier ? i->subject : who,
		    (long long)a->n);
		snprintf(en, sizeof(en), "Common failure of %s: %lld links",
		    carrier ? i->subject : who, (long long)a->n);
	} else if (a->behind > 0) {
		snprintf(vi, sizeof(vi), "%s: %s, %lld %s sau %s", w->vi, where,
		    (long long)a->behind, communes ? "xã" : "nơi", who);
		snprintf(en, sizeof(en), "%s: %s, %lld %s behind %s", w->en, where,
		    (long long)a->behind, communes ? "communes" : "places", who);
	} else {
		snprintf(vi, sizeof(vi), "%s: %s", w->vi, where);
		snprintf(en, sizeof(en), "%s: %s", w->en, where);
	}
	char full[460];

	snprintf(full, sizeof(full), "%s%s", over ? "Đã hết: " : "", vi);
	put_text(o, "title_vi", full);
	snprintf(full, sizeof(full), "%s%s", over ? "Over: " : "", en);
	put_text(o, "title_en", full);
}

static void texts(struct json_object *o, const struct rules *rules,
    const struct incident *i, const struct affected *a, const char *reason)
{
	char from[40], to[40] = "", took[40] = "", vi[1200], en[1200];
	bool over = i->closed_ms != INCIDENT_NONE_MS;

	local_time(rules, i->opened_ms, from, sizeof(from));
	if (over) {
		local_time(rules, i->closed_ms, to, sizeof(to));
		duration(i->closed_ms - i->opened_ms, took, sizeof(took));
	}
	snprintf(vi, sizeof(vi), "Từ %s%s%s%s%s%s. %s%s%s%lld nơi bị ảnh hưởng: %s.%s%s",
	    from, over ? " đến " : "", to, over ? " (" : "", took, over ? ")" : "",
	    i->provider[0] ? "Nhà mạng: " : "", i->provider, i->provider[0] ? ". " : "",
	    (long long)a->n, a->names, i->acked_by[0] ? " Người nhận xử lý: " : "",
	    i->acked_by);
	snprintf(en, sizeof(en), "From %s%s%s%s%s%s. %s%s%s%lld affected: %s. %s", from,
	    over ? " to " : "", to, over ? " (" : "", took, over ? ")" : "",
	    i->provider[0] ? "Carrier: " : "", i->provider, i->provider[0] ? ". " : "",
	    (long long)a->n, a->names, reason);
	put_text(o, "text_vi", vi);
	put_text(o, "text_en", en);
}

static void put_root(struct db *db, const struct incident *i, char *reason, size_t cap)
{
	struct db_rows *r = db_start(db, &tell_sql, TELL_SQL_ROOT, "s", i->root);

	snprintf(reason, cap, "%s", !db_next(r) ? db_text(r, 1) : "");
	db_done(r);
}

static void put_cause(struct db *db, struct json_object *o, const char *link)
{
	struct db_rows *r = db_start(db, &tell_sql, TELL_SQL_CAUSE, "s", link);

	if (!db_next(r) && strcmp(db_text(r, 0), "unknown") != 0)
		put_text(o, "cause", db_text(r, 0));
	db_done(r);
}

struct json_object *tell_facts(struct db *db, const struct rules *rules,
    const struct incident *i, const char *kind, int64_t now_ms)
{
	struct json_object *o = json_object_new_object();
	bool over = i->closed_ms != INCIDENT_NONE_MS;
	char name[200] = "", reason[400], path[ACKLINK_PATH_MAX];
	struct affected a;

	if (!o || read_affected(db, i->id, over || i->merged[0], &a)) {
		json_object_put(o);
		return NULL;
	}
	bool district = i->group_by == INCIDENT_DISTRICT;

	agency_name(db, district ? i->subject : i->agency, name, sizeof(name));
	put_root(db, i, reason, sizeof(reason));
	put_text(o, "incident", i->id);
	put_text(o, "kind", i->kind);
	put_text(o, "severity", i->severity);
	put_text(o, "rule", i->rule);
	put_text(o, "subject", i->subject);
	titles(o, i, &a, name, kind);
	texts(o, rules, i, &a, reason);
	put_text(o, "agency", i->agency);
	put_text(o, "agency_name", name);
	if (strncmp(i->kind, "link-", 5) == 0 && i->group_by <= INCIDENT_PARENT) {
		put_text(o, "link", i->subject);
		put_cause(db, o, i->subject);
	}
	put_text(o, "provider", i->provider);
	put_time(o, "opened", i->opened_ms);
	put_time(o, "closed", i->closed_ms);
	json_object_object_add(o, "duration_s",
	    json_object_new_int64(
		((over ? i->closed_ms : now_ms) - i->opened_ms) / 1000));
	json_object_object_add(o, "n_affected", json_object_new_int64(a.n));
	json_object_object_add(o, "affected", a.list);
	put_text(o, "acknowledged_by", i->acked_by);
	put_text(o, "merged_into", i->merged);
	json_object_object_add(o, "escalation", json_object_new_int64(i->level));
	if (!over && i->acked_ms == INCIDENT_NONE_MS &&
	    !acklink_path(db, i->id, now_ms, path))
		put_text(o, "ack_path", path);
	return o;
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

struct telling {
	struct db *db;
	const struct rules *rules;
	int64_t now_ms;
	bool *told;
};

static ht_err count_of(struct telling *t, const char *incident, const char *channel,
    const char *kind, int64_t *out)
{
	struct db_rows *r = db_start(
	    t->db, &tell_sql, TELL_SQL_COUNT_KIND, "sss", incident, channel, kind);
	ht_err err = db_next(r);

	*out = err ? 0 : db_int(r, 0);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err put_row(struct telling *t, const char *incident, const char *channel,
    const char *kind, const char *facts)
{
	char key[INCIDENT_ID_MAX + 128];
	int64_t n;
	ht_err err = count_of(t, incident, channel, kind, &n);

	if (err)
		return err;
	/* One announcement and one resolution, whatever happens. */
	if (n && (strcmp(kind, "announce") == 0 || strcmp(kind, "resolve") == 0))
		return HT_OK;
	snprintf(
	    key, sizeof(key), "%s/%s/%s/%lld", incident, channel, kind, (long long)n + 1);
	*t->told = true;
	return db_exec(t->db, &tell_sql, TELL_SQL_OUTBOX_PUT, "sssssi", key, incident,
	    channel, kind, facts, t->now_ms);
}

struct names {
	char at[RULES_CHANNELS_MAX][80];
	size_t n;
};

/* The channels that were told of it. */
static ht_err told_channels(struct telling *t, const char *incident, struct names *out)
{
	struct db_rows *r = db_start(t->db, &tell_sql, TELL_SQL_CHANNELS, "s", incident);
	ht_err err;

	out->n = 0;
	while (!(err = db_next(r)) && out->n < RULES_CHANNELS_MAX)
		snprintf(out->at[out->n++], sizeof(out->at[0]), "%s", db_text(r, 0));
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static void route_names(
    const struct rules *rules, const struct rules_route *route, struct names *out)
{
	out->n = 0;
	for (size_t i = 0; i < route->n; i++)
		snprintf(out->at[out->n++], sizeof(out->at[0]), "%s",
		    rules->channels[route->at[i]].name);
}

static bool can_edit(const struct rules *rules, const char *channel)
{
	int at = rules_channel_index(rules, channel);

	return at >= 0 && rules->channels[at].can_edit;
}

enum which { ALL, EDIT, NO_EDIT };

static ht_err tell(struct telling *t, const struct incident *i, const char *kind,
    const struct names *to, enum which which)
{
	struct json_object *o = NULL;
	ht_err err = HT_OK;
	size_t n = 0;
	char list[300] = "";

	for (size_t k = 0; k < to->n && !err; k++) {
		if (which != ALL && can_edit(t->rules, to->at[k]) != (which == EDIT))
			continue;
		if (!o && !(o = tell_facts(t->db, t->rules, i, kind, t->now_ms)))
			return HT_NOMEM;
		err = put_row(t, i->id, to->at[k], kind,
		    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		size_t len = strlen(list);

		snprintf(
		    list + len, sizeof(list) - len, "%s%s", n++ ? ", " : "", to->at[k]);
	}
	json_object_put(o);
	if (!err && n)
		err = incident_decide(
		    t->db, i->id, NULL, t->now_ms, "told", "%s to %s", kind, list);
	return err;
}

/* ── what is due ─────────────────────────────────────────────────────────────────── */

static ht_err never(struct telling *t, struct incident *i, const char *why)
{
	i->announce_ms = INCIDENT_NONE_MS;
	ht_err err = incident_put(t->db, i);

	return err ? err
		   : incident_decide(
			 t->db, i->id, NULL, t->now_ms, "not-told", "%s", why);
}

static const struct rules_step *step_of(const struct rules_rule *rule, int64_t level)
{
	const struct rules_step *steps = rule->steps.at;

	return level >= 0 && (size_t)level < rule->steps.n ? &steps[level] : NULL;
}

static void next_step(const struct rules_rule *rule, struct incident *i, int64_t from_ms)
{
	const struct rules_step *s = step_of(rule, i->level);

	i->escalate_ms = INCIDENT_NONE_MS;
	if (i->acked_ms != INCIDENT_NONE_MS)
		return;
	if (s)
		i->escalate_ms = from_ms + s->after_ns / HT_NS_PER_MS;
	else if (rule->repeat_ns)
		i->escalate_ms = from_ms + rule->repeat_ns / HT_NS_PER_MS;
}

/* Too many announcements: wait until the oldest is out of the window. */
static ht_err limited(
    struct telling *t, const struct rules_rule *rule, struct incident *i, bool *out)
{
	int64_t per_ms = rule->limit.per_ns / HT_NS_PER_MS;
	struct db_rows *r = db_start(
	    t->db, &tell_sql, TELL_SQL_RECENT, "si", rule->id, t->now_ms - per_ms);
	ht_err err = db_next(r);
	int64_t n = err ? 0 : db_int(r, 0), oldest = err ? 0 : db_int(r, 1);

	db_done(r);
	*out = !err && n >= rule->limit.messages;
	if (!*out)
		return err;
	i->announce_ms = oldest + per_ms + 1;
	err = incident_put(t->db, i);
	return err ? err
		   : incident_decide(t->db, i->id, NULL, t->now_ms, "limited",
			 "%lld announcements of rule %s within its window already; "
			 "told later if it lasts",
			 (long long)n, rule->id);
}

static ht_err announce(
    struct telling *t, const struct rules_rule *rule, struct incident *i)
{
	struct names to;
	bool wait = false;
	ht_err err = limited(t, rule, i, &wait);

	if (err || wait)
		return err;
	route_names(t->rules, &rule->route, &to);
	if (to.n == 0)
		return never(t, i, "its rule names no channel, or none is configured");
	err = tell(t, i, "announce", &to, ALL);
	i->announced_ms = t->now_ms;
	i->announce_ms = INCIDENT_NONE_MS;
	i->level = 0;
	next_step(rule, i, t->now_ms);
	return err ? err : incident_put(t->db, i);
}

static ht_err escalate(
    struct telling *t, const struct rules_rule *rule, struct incident *i)
{
	const struct rules_step *s = step_of(rule, i->level);
	struct names to;
	ht_err err = HT_OK;

	if (s) {
		i->level++;
		route_names(t->rules, &s->route, &to);
	} else {
		err = told_channels(t, i->id, &to);
	}
	if (!err)
		err = tell(t, i, "escalate", &to, ALL);
	next_step(rule, i, t->now_ms);
	return err ? err : incident_put(t->db, i);
}

static ht_err more(struct telling *t, struct incident *i, const char *kind,
    enum which which, int64_t *clear)
{
	struct names to;
	ht_err err = told_channels(t, i->id, &to);

	*clear = INCIDENT_NONE_MS;
	if (!err)
		err = tell(t, i, kind, &to, which);
	return err ? err : incident_put(t->db, i);
}

/* It went into another: said once, where it was told of. */
static ht_err tell_merged(struct telling *t, struct incident *i)
{
	struct names to;
	ht_err err = told_channels(t, i->id, &to);

	if (!err)
		err = tell(t, i, "update", &to, EDIT);
	i->update_ms = i->digest_ms = i->escalate_ms = INCIDENT_NONE_MS;
	return err ? err : incident_put(t->db, i);
}

static ht_err tell_closed(struct telling *t, struct incident *i)
{
	struct names to;
	ht_err err = told_channels(t, i->id, &to);

	if (!err)
		err = tell(t, i, "resolve", &to, ALL);
	i->due_ms = INCIDENT_NONE_MS;
	return err ? err : incident_put(t->db, i);
}

static bool is_due(const struct telling *t, int64_t at_ms)
{
	return at_ms != INCIDENT_NONE_MS && at_ms <= t->now_ms;
}

static ht_err tell_one(struct telling *t, struct incident *i)
{
	const struct rules_rule *rule = rules_by_id(t->rules, i->rule);

	if (i->closed_ms != INCIDENT_NONE_MS)
		return tell_closed(t, i);
	if (i->merged[0])
		return tell_merged(t, i);
	if (i->announced_ms == INCIDENT_NONE_MS)
		return rule ? announce(t, rule, i)
			    : never(t, i, "its rule is gone from the rules");
	if (!rule)
		i->escalate_ms = INCIDENT_NONE_MS;
	if (is_due(t, i->escalate_ms))
		return escalate(t, rule, i);
	if (is_due(t, i->update_ms))
		return more(t, i, "update", EDIT, &i->update_ms);
	if (is_due(t, i->digest_ms))
		return more(t, i, "digest", NO_EDIT, &i->digest_ms);
	return incident_put(t->db, i); /* brings due_ms up to date */
}

static ht_err next_id(struct db *db, int64_t now_ms, char *out)
{
	struct db_rows *r = db_start(db, &tell_sql, TELL_SQL_DUE, "i", now_ms);
	ht_err err = db_next(r);

	snprintf(out, INCIDENT_ID_MAX + 1, "%s", err ? "" : db_text(r, 0));
	db_done(r);
	return err;
}

ht_err tell_due(struct db *db, const struct rules *rules, int64_t now_ms, bool *out_told)
{
	bool rows = false;
	struct telling t = { db, rules, now_ms, &rows };
	char id[INCIDENT_ID_MAX + 1];
	struct incident i;
	ht_err err;

	while (!(err = next_id(db, now_ms, id))) {
		err = incident_get(db, id, &i);
		if (!err)
			err = tell_one(&t, &i);
		if (err)
			return err;
		*out_told = true;
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── after a refold ──────────────────────────────────────────────────────────────── */

/* Where the escalation stood, as the outbox has it. */
static ht_err restore_steps(struct telling *t, struct incident *i)
{
	const struct rules_rule *rule = rules_by_id(t->rules, i->rule);
	struct db_rows *r = db_start(t->db, &tell_sql, TELL_SQL_LEVELS, "s", i->id);
	ht_err err = db_next(r);
	int64_t from_ms = i->announced_ms;

	if (!err && db_int(r, 0) > 0) {
		i->level = db_int(r, 0);
		from_ms = db_int(r, 1);
	}
	db_done(r);
	if (rule && (size_t)i->level > rule->steps.n)
		i->level = (int64_t)rule->steps.n;
	if (rule)
		next_step(rule, i, from_ms);
	i->announce_ms = INCIDENT_NONE_MS;
	return incident_put(t->db, i);
}

static ht_err settle_one(struct telling *t, struct incident *i)
{
	if (i->closed_ms != INCIDENT_NONE_MS) {
		i->due_ms = INCIDENT_NONE_MS;
		return incident_put(t->db, i);
	}
	if (is_due(t, i->update_ms))
		i->update_ms = INCIDENT_NONE_MS;
	if (is_due(t, i->digest_ms))
		i->digest_ms = INCIDENT_NONE_MS;
	if (is_due(t, i->escalate_ms))
		i->escalate_ms = INCIDENT_NONE_MS;
	if (i->announced_ms == INCIDENT_NONE_MS && is_due(t, i->announce_ms))
		return never(t, i, "it began before what is told live");
	return incident_put(t->db, i);
}

static ht_err restore_all(struct telling *t)
{
	char after[INCIDENT_ID_MAX + 1] = "";
	struct incident i;
	ht_err err = HT_OK;

	while (!err) {
		struct db_rows *r =
		    db_start(t->db, &tell_sql, TELL_SQL_TOLD_OPEN, "s", after);

		err = db_next(r);
		if (!err)
			snprintf(after, sizeof(after), "%s", db_text(r, 0));
		db_done(r);
		if (!err)
			err = incident_get(t->db, after, &i);
		if (!err)
			err = restore_steps(t, &i);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err tell_nothing(struct db *db, const struct rules *rules, int64_t live_ms)
{
	struct telling t = { db, rules, live_ms, NULL };
	char id[INCIDENT_ID_MAX + 1];
	struct incident i;
	ht_err err;

	while (!(err = next_id(db, live_ms, id))) {
		err = incident_get(db, id, &i);
		if (!err)
			err = settle_one(&t, &i);
		if (err)
			return err;
	}
	if (err != HT_NOTFOUND)
		return err;
	return restore_all(&t);
}

ht_err tell_next(struct db *db, int64_t *due_ms)
{
	struct db_rows *r = db_start(db, &tell_sql, TELL_SQL_NEXT_DUE, "");
	ht_err err = db_next(r);

	if (!err && !db_is_null(r, 0) && db_int(r, 0) < *due_ms)
		*due_ms = db_int(r, 0);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}
