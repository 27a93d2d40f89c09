#include "server/throughput/ask.h"

#include <stdio.h>
#include <string.h>

#include "base/option.h"

static const char *field(const struct control_reply *r, const char *key)
{
	for (size_t i = 0; i < r->n_fields; i++) {
		if (strcmp(r->fields[i].key, key) == 0)
			return r->fields[i].value;
	}
	return "";
}

static bool number(const struct control_reply *r, const char *key, int64_t min,
    int64_t max, int64_t *out)
{
	return !ht_int_parse(field(r, key), out) && *out >= min && *out <= max;
}

static bool read_slot(const struct control_reply *r, struct ask *a)
{
	const char *link = field(r, "link"), *against = field(r, "against");

	a->endpoint = strcmp(against, "endpoint") == 0;
	if (!ht_id_valid(link, HT_ID_MAX) ||
	    (!a->endpoint && strcmp(against, "url") != 0))
		return false;
	memcpy(a->link, link, strlen(link) + 1);
	return number(r, "bytes", 1, ASK_BYTES_MAX, &a->bytes) &&
	       number(r, "seconds", 1, ASK_SECONDS_MAX, &a->seconds);
}

static bool read_end(const struct control_reply *r, struct ask *a)
{
	snprintf(a->outcome, sizeof(a->outcome), "%s", field(r, "outcome"));
	return number(r, "slot", 1, INT64_MAX, &a->slot) &&
	       number(r, "bytes", 0, ASK_BYTES_MAX, &a->bytes);
}

ht_err ask_read(const void *json, size_t len, struct ask *out)
{
	struct control_reply r;
	struct ask a = { 0 };
	bool good = true;

	if (control_reply_decode(json, len, &r)) {
		*out = a;
		return HT_OK;
	}
	memcpy(a.id, r.id, sizeof(a.id));
	if (strcmp(field(&r, "request"), "slot") == 0) {
		a.kind = ASK_SLOT;
		good = read_slot(&r, &a);
	} else if (strcmp(field(&r, "request"), "slot-end") == 0) {
		a.kind = ASK_SLOT_END;
		good = read_end(&r, &a);
	}
	control_reply_fini(&r);
	*out = a;
	return good ? HT_OK : HT_MALFORMED;
}
