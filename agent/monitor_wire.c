#include "agent/monitor_wire.h"

#include <string.h>

#include "base/reader.h"

enum { MAGIC = 0x4874, FLAG_RAW = 1 };

bool monitor_name_valid(const char *name)
{
	size_t len = strnlen(name, IFNAMSIZ);

	if (len == 0 || len >= IFNAMSIZ || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/' || name[i] == ':')
			return false;
	}
	return true;
}

bool monitor_names_has(const struct monitor_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++) {
		if (strcmp(names->at[i], name) == 0)
			return true;
	}
	return false;
}

ht_err monitor_names_put(struct monitor_names *names, const char *name)
{
	if (!monitor_name_valid(name))
		return HT_INVALID;
	if (monitor_names_has(names, name))
		return HT_OK;
	if (names->n == MONITOR_INTERFACES_MAX)
		return HT_FULL;
	memset(names->at[names->n], 0, IFNAMSIZ);
	memcpy(names->at[names->n++], name, strlen(name));
	return HT_OK;
}

static uint8_t *put_head(uint8_t *at, uint8_t kind, uint8_t what, uint32_t id)
{
	const uint8_t head[] = { MAGIC >> 8, MAGIC & 0xff, kind, what,
		(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
		(uint8_t)id };

	memcpy(at, head, sizeof(head));
	return at + sizeof(head);
}

size_t monitor_request_write(
    const struct monitor_request *q, uint8_t out[static MONITOR_REQUEST_MAX])
{
	uint8_t *at = put_head(out, (uint8_t)q->verb, (uint8_t)q->what, q->id);

	*at++ = (uint8_t)q->names.n;
	for (size_t i = 0; i < q->names.n; i++) {
		size_t len = strlen(q->names.at[i]);

		*at++ = (uint8_t)len;
		memcpy(at, q->names.at[i], len);
		at += len;
	}
	return (size_t)(at - out);
}

static ht_err parse_name(struct ht_reader *r, struct monitor_names *names)
{
	uint8_t len = ht_reader_u8(r);
	const uint8_t *bytes = ht_reader_bytes(r, len);
	char name[IFNAMSIZ] = "";

	if (!bytes || len >= sizeof(name) || memchr(bytes, 0, len))
		return HT_MALFORMED;
	memcpy(name, bytes, len);
	return monitor_names_put(names, name) ? HT_MALFORMED : HT_OK;
}

ht_err monitor_request_parse(const void *bytes, size_t len, struct monitor_request *out)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	struct monitor_request q = { 0 };
	uint16_t magic = ht_reader_u16(&r);
	uint8_t verb = ht_reader_u8(&r), what = ht_reader_u8(&r);

	q.id = ht_reader_u32(&r);
	uint8_t n = ht_reader_u8(&r);
	if (r.bad || magic != MAGIC || n > MONITOR_INTERFACES_MAX)
		return HT_MALFORMED;
	for (size_t i = 0; i < n; i++) {
		ht_err err = parse_name(&r, &q.names);

		if (err)
			return err;
	}
	if (ht_reader_left(&r))
		return HT_MALFORMED;
	if ((verb != MONITOR_ASK && verb != MONITOR_FENCE) ||
	    what >= PROBE_PRIVILEGE_COUNT) {
		out->id = q.id;
		return HT_UNSUPPORTED;
	}
	if (verb == MONITOR_ASK && q.names.n != (what == PROBE_CAPTURE))
		return HT_MALFORMED;
	q.verb = (enum monitor_verb)verb;
	q.what = (enum probe_privilege)what;
	*out = q;
	return HT_OK;
}

void monitor_answer_write(
    const struct monitor_answer *a, uint8_t out[static MONITOR_ANSWER_HEAD])
{
	uint8_t *at = put_head(out, (uint8_t)a->kind, (uint8_t)-a->err, a->id);

	*at = a->raw ? FLAG_RAW : 0;
}

ht_err monitor_answer_parse(const void *bytes, size_t len, struct monitor_answer *out)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	uint16_t magic = ht_reader_u16(&r);
	uint8_t kind = ht_reader_u8(&r), err = ht_reader_u8(&r);
	struct monitor_answer a = { .id = ht_reader_u32(&r) };

	a.raw = ht_reader_u8(&r) & FLAG_RAW;
	a.err = -(int)err;
	a.len = ht_reader_left(&r);
	a.bytes = r.at;
	if (r.bad || magic != MAGIC || err > -HT_CONFIG)
		return HT_MALFORMED;
	if (kind != MONITOR_DATA && (kind != MONITOR_END || a.len))
		return HT_MALFORMED;
	a.kind = (enum monitor_answer_kind)kind;
	*out = a;
	return HT_OK;
}
