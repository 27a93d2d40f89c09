#include "server/ingest/accept.h"

#include <string.h>

#include "mqtt/control.h"
#include "mqtt/senml.h"

#define JSON_TYPE "application/json"

static ht_err garbage(
    const struct client_message *m, const char *reason, int64_t now_ms, struct accept *a)
{
	a->kind = ACCEPT_GARBAGE;
	a->garbage = (struct journal_garbage){
		.topic = m->topic,
		.agent = a->has_topic ? a->topic.id : NULL,
		.reason = reason,
		.props = m->props,
		.received_ms = now_ms,
		.bytes = m->payload,
		.len = m->len,
	};
	return HT_OK;
}

static void row_of(const struct client_message *m, enum journal_source source,
    const char *kind, int64_t now_ms, struct accept *a)
{
	a->row = (struct journal_row){
		.source = source,
		.kind = kind,
		.agent = a->topic.id,
		.props = m->props,
		.content_type =
		    m->content_type && *m->content_type ? m->content_type : NULL,
		.received_ms = now_ms,
		.payload = m->payload,
		.len = m->len,
	};
}

/* Every record carries the agent's own prefix and a name of three parts. */
static bool names_ok(const struct senml_pack *pack, const char *agent)
{
	size_t len = strlen(agent);

	for (size_t i = 0; i < pack->n; i++) {
		const char *name = pack->records[i].name;
		struct ht_name parts;

		if (strncmp(name, agent, len) != 0 || name[len] != '/' ||
		    ht_name_parse(name + len + 1, strlen(name + len + 1), &parts))
			return false;
	}
	return true;
}

static ht_err data(const struct client_message *m, int64_t now_ms, struct accept *a)
{
	struct senml_pack pack = { 0 };
	enum senml_format format;

	if (m->len > SENML_PACK_MAX)
		return garbage(m, "size", now_ms, a);
	if (m->props_bad)
		return garbage(m, "props", now_ms, a);
	if (m->retained)
		return garbage(m, "retained", now_ms, a);
	if (senml_format_parse(m->content_type ? m->content_type : "", &format))
		return garbage(m, "content-type", now_ms, a);
	ht_err err = senml_decode(format, m->payload, m->len, &pack, NULL);
	if (err)
		return err == HT_NOMEM ? err : garbage(m, "senml", now_ms, a);
	bool ok = names_ok(&pack, a->topic.id);
	senml_pack_fini(&pack);
	if (!ok)
		return garbage(m, "name", now_ms, a);
	a->kind = ACCEPT_DATA;
	row_of(m, JOURNAL_AGENT, "data", now_ms, a);
	a->row.lane = a->topic.leaf == TOPIC_HIST ? JOURNAL_HIST : JOURNAL_DATA;
	return HT_OK;
}

/* The clock in a presence was read when it was sent only if it is online and fresh: a
 * retained copy and a will are older than their arrival. */
static void presence_props(const struct client_message *m, struct accept *a)
{
	const struct presence *p = &a->presence;
	struct props *to = &a->row.props;

	*to = (struct props){ .has = PROPS_BOOT | PROPS_SESSION | PROPS_MONO };
	memcpy(to->boot, p->boot, sizeof(to->boot));
	memcpy(to->session, p->session, sizeof(to->session));
	to->mono_ns = p->mono_ns;
	if (p->state == PRESENCE_ONLINE && !m->retained) {
		to->has |= PROPS_SENT_MONO;
		to->sent_mono_ns = p->mono_ns;
	}
}

static ht_err presence(const struct client_message *m, int64_t now_ms, struct accept *a)
{
	if (m->len == 0) /* a retained presence was removed */
		return HT_OK;
	if (m->len > PRESENCE_BYTES_MAX)
		return garbage(m, "size", now_ms, a);
	ht_err err = presence_parse(m->payload, m->len, &a->presence);
	if (err)
		return err == HT_NOMEM ? err : garbage(m, "presence", now_ms, a);
	a->kind = ACCEPT_PRESENCE;
	row_of(m, JOURNAL_SERVER, "presence", now_ms, a);
	a->row.content_type = JSON_TYPE;
	presence_props(m, a);
	return HT_OK;
}

static ht_err reply(const struct client_message *m, int64_t now_ms, struct accept *a)
{
	if (m->len > ACCEPT_REPLY_MAX)
		return garbage(m, "size", now_ms, a);
	struct control_reply said = { 0 };
	ht_err err = control_reply_decode(m->payload, m->len, &said);
	control_reply_fini(&said);
	if (err)
		return err == HT_NOMEM ? err : garbage(m, "reply", now_ms, a);
	a->kind = ACCEPT_REPLY;
	row_of(m, JOURNAL_AGENT, "reply", now_ms, a);
	a->row.props.has &= ~(unsigned)(PROPS_EPOCH | PROPS_SEQ);
	return HT_OK;
}

ht_err accept_message(const struct client_message *m, int64_t now_ms, struct accept *out)
{
	*out = (struct accept){ .kind = ACCEPT_IGNORE };
	if (topic_parse(m->topic, strlen(m->topic), &out->topic))
		return garbage(m, "topic", now_ms, out);
	if (strcmp(out->topic.id, TOPIC_SERVER_ID) == 0)
		return HT_OK;
	out->has_topic = true;
	switch (out->topic.leaf) {
	case TOPIC_DATA:
	case TOPIC_HIST:
		return data(m, now_ms, out);
	case TOPIC_PRESENCE:
		return presence(m, now_ms, out);
	case TOPIC_REPLY:
		return reply(m, now_ms, out);
	default:
		return garbage(m, "topic", now_ms, out);
	}
}
