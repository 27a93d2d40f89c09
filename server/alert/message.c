#include "server/alert/message.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "mqtt/jtext.h"

#define FACTS_DEPTH    8
#define LOCAL_OFFSET_S (7 * 3600) /* Việt Nam has one time, without summer time */

/* The order is that of message_fields. */
enum {
	F_INCIDENT,
	F_SEVERITY,
	F_RULE,
	F_SUBJECT,
	F_TITLE_VI,
	F_TITLE_EN,
	F_TEXT_VI,
	F_TEXT_EN,
	F_AGENCY,
	F_AGENCY_NAME,
	F_LINK,
	F_PROVIDER,
	F_CAUSE,
	F_OPENED,
	F_CLOSED,
	F_ACK_PATH,
	F_ACKNOWLEDGED_BY,
	F_DURATION_S,
	F_N_AFFECTED,
	F_ESCALATION,
	F_AFFECTED,
	/* derived */
	F_KIND,
	F_KEY,
	F_CHANNEL,
	F_STATUS,
	F_PROBLEM,
	F_KIND_VI,
	F_KIND_EN,
	F_SEVERITY_VI,
	F_OPENED_LOCAL,
	F_CLOSED_LOCAL,
	F_SENT,
	F_DURATION_VI,
	F_DURATION_EN,
	F_ACK_URL,
	F_PUBLIC_URL,
	F_PRIORITY,
	F_N_MORE,
	F_IS_RESOLVED,
	F_IS_ANNOUNCE,
	F_IS_UPDATE,
	F_IS_ESCALATE,
	F_IS_TEST,
	/* of an item */
	F_ID,
	F_NAME,
	F_SINCE,
	F_FINGERPRINT,
	F_FIRST,
	F_COUNT
};

const struct message_field message_fields[] = {
	[F_INCIDENT] = { "incident", MESSAGE_TEXT },
	[F_SEVERITY] = { "severity", MESSAGE_TEXT },
	[F_RULE] = { "rule", MESSAGE_TEXT },
	[F_SUBJECT] = { "subject", MESSAGE_TEXT },
	[F_TITLE_VI] = { "title_vi", MESSAGE_TEXT },
	[F_TITLE_EN] = { "title_en", MESSAGE_TEXT },
	[F_TEXT_VI] = { "text_vi", MESSAGE_TEXT },
	[F_TEXT_EN] = { "text_en", MESSAGE_TEXT },
	[F_AGENCY] = { "agency", MESSAGE_TEXT },
	[F_AGENCY_NAME] = { "agency_name", MESSAGE_TEXT },
	[F_LINK] = { "link", MESSAGE_TEXT },
	[F_PROVIDER] = { "provider", MESSAGE_TEXT },
	[F_CAUSE] = { "cause", MESSAGE_TEXT },
	[F_OPENED] = { "opened", MESSAGE_TEXT },
	[F_CLOSED] = { "closed", MESSAGE_TEXT },
	[F_ACK_PATH] = { "ack_path", MESSAGE_TEXT },
	[F_ACKNOWLEDGED_BY] = { "acknowledged_by", MESSAGE_TEXT },
	[F_DURATION_S] = { "duration_s", MESSAGE_NUMBER },
	[F_N_AFFECTED] = { "n_affected", MESSAGE_NUMBER },
	[F_ESCALATION] = { "escalation", MESSAGE_NUMBER },
	[F_AFFECTED] = { "affected", MESSAGE_LIST },
	[F_KIND] = { "kind", MESSAGE_TEXT },
	[F_KEY] = { "key", MESSAGE_TEXT },
	[F_CHANNEL] = { "channel", MESSAGE_TEXT },
	[F_STATUS] = { "status", MESSAGE_TEXT },
	[F_PROBLEM] = { "problem", MESSAGE_TEXT },
	[F_KIND_VI] = { "kind_vi", MESSAGE_TEXT },
	[F_KIND_EN] = { "kind_en", MESSAGE_TEXT },
	[F_SEVERITY_VI] = { "severity_vi", MESSAGE_TEXT },
	[F_OPENED_LOCAL] = { "opened_local", MESSAGE_TEXT },
	[F_CLOSED_LOCAL] = { "closed_local", MESSAGE_TEXT },
	[F_SENT] = { "sent", MESSAGE_TEXT },
	[F_DURATION_VI] = { "duration_vi", MESSAGE_TEXT },
	[F_DURATION_EN] = { "duration_en", MESSAGE_TEXT },
	[F_ACK_URL] = { "ack_url", MESSAGE_TEXT },
	[F_PUBLIC_URL] = { "public_url", MESSAGE_TEXT },
	[F_PRIORITY] = { "priority", MESSAGE_NUMBER },
	[F_N_MORE] = { "n_more", MESSAGE_NUMBER },
	[F_IS_RESOLVED] = { "is_resolved", MESSAGE_BOOL },
	[F_IS_ANNOUNCE] = { "is_announce", MESSAGE_BOOL },
	[F_IS_UPDATE] = { "is_update", MESSAGE_BOOL },
	[F_IS_ESCALATE] = { "is_escalate", MESSAGE_BOOL },
	[F_IS_TEST] = { "is_test", MESSAGE_BOOL },
	[F_ID] = { "id", MESSAGE_TEXT, true },
	[F_NAME] = { "name", MESSAGE_TEXT, true },
	[F_SINCE] = { "since", MESSAGE_TEXT, true },
	[F_FINGERPRINT] = { "fingerprint", MESSAGE_TEXT },
	[F_FIRST] = { "first", MESSAGE_BOOL, true },
};
const size_t message_fields_len = F_COUNT;
_Static_assert(F_COUNT <= MESSAGE_FIELDS_MAX, "room for every field");

static const struct {
	const char *kind, *vi, *en;
} kinds[] = {
	{ "announce", "Sự cố mới", "New incident" },
	{ "update", "Cập nhật sự cố", "Update" },
	{ "digest", "Cập nhật sự cố", "Update" },
	{ "escalate", "Chưa ai xác nhận", "Not acknowledged" },
	{ "resolve", "Đã khắc phục", "Resolved" },
	{ "test", "Tin thử kênh", "Channel test" },
};
static const struct {
	const char *severity, *vi;
	int priority; /* of ntfy: 1 … 5 */
} severities[] = {
	{ "info", "thông tin", 3 },
	{ "warning", "cảnh báo", 4 },
	{ "critical", "nghiêm trọng", 5 },
};

/* ── values ──────────────────────────────────────────────────────────────────────── */

static void set_text(struct message *m, size_t field, const char *text)
{
	if (text && text[0])
		m->values[field] = (struct message_value){ .set = true, .text = text };
}

static void set_number(struct message *m, size_t field, int64_t number)
{
	m->values[field] = (struct message_value){ .set = true, .number = number };
}

/* A text made here, kept until the end. */
static void set_made(struct message *m, size_t field, char *text)
{
	if (!text || m->n_derived == HT_COUNT(m->derived)) {
		free(text);
		m->nomem = true;
		return;
	}
	m->derived[m->n_derived++] = text;
	set_text(m, field, text);
}

static void read_named(struct message *m, size_t field, const char *name)
{
	struct json_object *v;
	const char *text;
	size_t len;
	double number;

	if (!json_object_object_get_ex(m->facts, name, &v))
		return;
	if (message_fields[field].type == MESSAGE_TEXT) {
		if (jtext_string(v, &text, &len))
			set_text(m, field, text);
	} else if (jtext_double(v, &number) && number > -1e15 && number < 1e15) {
		set_number(m, field, (int64_t)number);
	}
}

static void read_affected(struct message *m)
{
	struct json_object *list;

	if (!json_object_object_get_ex(m->facts, "affected", &list) ||
	    !json_object_is_type(list, json_type_array))
		return;
	m->affected = list;
	m->n_items = json_object_array_length(list);
	if (m->n_items > MESSAGE_ITEMS_MAX)
		m->n_items = MESSAGE_ITEMS_MAX;
	m->values[F_AFFECTED].set = m->n_items > 0;
}

/* ── what is derived ─────────────────────────────────────────────────────────────── */

static void set_local(struct message *m, size_t from, size_t to)
{
	char text[48];
	int64_t ms;
	struct tm tm;

	if (!m->values[from].set || ht_rfc3339_parse(m->values[from].text, &ms))
		return;
	time_t s = (time_t)(ms / 1000 + LOCAL_OFFSET_S);
	if (gmtime_r(&s, &tm) && strftime(text, sizeof(text), "%H:%M:%S %d/%m/%Y", &tm))
		set_made(m, to, strdup(text));
}

static char *duration(int64_t s, const char *const units[static 4])
{
	char *text = NULL;
	int n;

	if (s < 0)
		s = 0;
	if (s >= 86400)
		n = asprintf(&text, "%" PRId64 " %s %" PRId64 " %s", s / 86400, units[3],
		    s % 86400 / 3600, units[2]);
	else if (s >= 3600)
		n = asprintf(&text, "%" PRId64 " %s %" PRId64 " %s", s / 3600, units[2],
		    s % 3600 / 60, units[1]);
	else if (s >= 60)
		n = asprintf(&text, "%" PRId64 " %s %" PRId64 " %s", s / 60, units[1],
		    s % 60, units[0]);
	else
		n = asprintf(&text, "%" PRId64 " %s", s, units[0]);
	return n < 0 ? NULL : text;
}

static void derive_duration(struct message *m)
{
	static const char *const vi[] = { "giây", "phút", "giờ", "ngày" };
	static const char *const en[] = { "s", "min", "h", "d" };

	if (!m->values[F_DURATION_S].set)
		return;
	set_made(m, F_DURATION_VI, duration(m->values[F_DURATION_S].number, vi));
	set_made(m, F_DURATION_EN, duration(m->values[F_DURATION_S].number, en));
}

static void derive_kind(struct message *m, const char *kind)
{
	bool update = strcmp(kind, "update") == 0 || strcmp(kind, "digest") == 0;
	bool resolved = strcmp(kind, "resolve") == 0;

	set_text(m, F_KIND, kind);
	set_text(m, F_STATUS, resolved ? "resolved" : "firing");
	for (size_t i = 0; i < HT_COUNT(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) == 0) {
			set_text(m, F_KIND_VI, kinds[i].vi);
			set_text(m, F_KIND_EN, kinds[i].en);
		}
	}
	set_number(m, F_IS_RESOLVED, resolved);
	set_number(m, F_IS_ANNOUNCE, strcmp(kind, "announce") == 0);
	set_number(m, F_IS_UPDATE, update);
	set_number(m, F_IS_ESCALATE, strcmp(kind, "escalate") == 0);
	set_number(m, F_IS_TEST, strcmp(kind, "test") == 0);
}

static void derive_severity(struct message *m)
{
	set_number(m, F_PRIORITY, 3);
	for (size_t i = 0; i < HT_COUNT(severities) && m->values[F_SEVERITY].set; i++) {
		if (strcmp(severities[i].severity, m->values[F_SEVERITY].text) == 0) {
			set_text(m, F_SEVERITY_VI, severities[i].vi);
			set_number(m, F_PRIORITY, severities[i].priority);
		}
	}
}

static void derive_links(struct message *m, const char *public_url)
{
	char *url = NULL;

	if (!public_url)
		return;
	set_text(m, F_PUBLIC_URL, public_url);
	if (!m->values[F_ACK_PATH].set)
		return;
	if (asprintf(&url, "%s%s", public_url, m->values[F_ACK_PATH].text) < 0)
		url = NULL;
	set_made(m, F_ACK_URL, url);
}

static void derive(
    struct message *m, const struct message_row *row, const char *public_url)
{
	char sent[HT_RFC3339_LEN + 1];
	int64_t named = (int64_t)m->n_items;

	derive_kind(m, row->kind);
	derive_severity(m);
	set_text(m, F_KEY, row->key);
	if (!m->values[F_INCIDENT].set)
		set_text(m, F_INCIDENT, row->incident);
	set_local(m, F_OPENED, F_OPENED_LOCAL);
	set_local(m, F_CLOSED, F_CLOSED_LOCAL);
	ht_rfc3339(row->now_ms, sent);
	set_made(m, F_SENT, strdup(sent));
	derive_duration(m);
	derive_links(m, public_url);
	if (m->values[F_N_AFFECTED].set && m->values[F_N_AFFECTED].number > named)
		set_number(m, F_N_MORE, m->values[F_N_AFFECTED].number - named);
	else
		set_number(m, F_N_MORE, 0);
}

ht_err message_init(struct message *m, const struct message_row *row,
    const struct channel *channel, const char *public_url)
{
	struct message made = { 0 };

	if (row->facts_len > MESSAGE_FACTS_MAX)
		return HT_TOOLARGE;
	ht_err err =
	    jtext_parse(row->facts, row->facts_len, FACTS_DEPTH, &made.facts, NULL);
	if (err)
		return err;
	if (!json_object_is_type(made.facts, json_type_object)) {
		json_object_put(made.facts);
		return HT_MALFORMED;
	}
	for (size_t f = 0; f < F_AFFECTED; f++)
		read_named(&made, f, message_fields[f].name);
	read_affected(&made);
	read_named(&made, F_PROBLEM, "kind"); /* `kind` is the message's own */
	set_text(&made, F_CHANNEL, channel->id);
	made.params = channel->params;
	made.n_params = channel->n_params;
	derive(&made, row, public_url);
	if (made.nomem) {
		message_fini(&made);
		return HT_NOMEM;
	}
	*m = made;
	return HT_OK;
}

void message_fini(struct message *m)
{
	for (size_t i = 0; i < m->n_derived; i++)
		free(m->derived[i]);
	json_object_put(m->facts);
	*m = (struct message){ 0 };
}

/* ── items ───────────────────────────────────────────────────────────────────────── */

static const char *item_text(const struct message *m, size_t item, const char *name)
{
	struct json_object *o = json_object_array_get_idx(m->affected, item), *v;
	const char *text;
	size_t len;

	return json_object_is_type(o, json_type_object) &&
		       json_object_object_get_ex(o, name, &v) &&
		       jtext_string(v, &text, &len)
		   ? text
		   : "";
}

static uint64_t fnv1a(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

/* The same for the same member of the same incident, in every message. */
static void fingerprint(const struct message *m, size_t item, char out[static 32])
{
	const struct message_value *incident = &m->values[F_INCIDENT];
	uint64_t hash =
	    fnv1a(UINT64_C(0xcbf29ce484222325), incident->set ? incident->text : "");

	hash = fnv1a(hash ^ 0x1f, m->affected ? item_text(m, item, "id") : "");
	snprintf(out, 32, "%016" PRIx64, hash);
}

struct message_value message_get(
    const struct message *m, size_t field, size_t item, char scratch[static 32])
{
	struct message_value v = { 0 };

	switch (field) {
	case F_FIRST:
		return (struct message_value){ .set = true, .number = item == 0 };
	case F_FINGERPRINT:
		fingerprint(m, item, scratch);
		return (struct message_value){ .set = true, .text = scratch };
	case F_ID:
	case F_NAME:
	case F_SINCE:
		v.text = item_text(m, item, message_fields[field].name);
		v.set = v.text[0];
		return v;
	default:
		return m->values[field];
	}
}

const char *message_sample(bool full)
{
	return full
		   ? "{\"incident\":\"i1-wan\",\"kind\":\"announce\",\"severity\":"
		     "\"critical\",\"rule\":\"wan\",\"subject\":\"bat-xat\",\"title_vi\":"
		     "\"Mất kết nối \\\"Bát Xát\\\"\",\"title_en\":\"Outage of Bát Xát\","
		     "\"text_vi\":\"a\\nb\",\"text_en\":\"a\\nb\",\"agency\":\"bat-xat\","
		     "\"agency_name\":\"UBND Bát Xát\",\"link\":\"bat-xat-wan\","
		     "\"provider\":\"vnpt\",\"cause\":\"wan-link\",\"opened\":"
		     "\"2026-11-23T22:01:03Z\",\"closed\":\"2026-11-23T22:13:03Z\","
		     "\"duration_s\":720,\"n_affected\":12,\"affected\":[{\"id\":\"a\","
		     "\"name\":\"A & <B>\",\"since\":\"2026-11-23T22:01:03Z\"},{\"id\":"
		     "\"b\",\"name\":\"B\",\"since\":\"2026-11-23T22:01:04Z\"}],"
		     "\"ack_path\":\"/incidents/i1-wan\",\"escalation\":1}"
		   : "{}";
}
