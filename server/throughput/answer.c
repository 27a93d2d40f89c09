#include "server/throughput/answer.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

static void put(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void put_number(struct json_object *o, const char *key, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, n);
	put(o, key, text);
}

static void put_fields(struct json_object *fields, const struct answer *a)
{
	put_number(fields, "now", a->now_ms);
	if (a->why) {
		if (a->wait_s > 0)
			put_number(fields, "wait", a->wait_s);
		return;
	}
	put_number(fields, "slot", a->slot);
	put_number(fields, "bytes", a->bytes);
	put_number(fields, "seconds", a->seconds);
	if (a->token) {
		put(fields, "url", a->url);
		put(fields, "token", a->token);
	}
}

struct json_object *answer_json(const struct answer *a)
{
	struct json_object *o = json_object_new_object();
	struct json_object *fields = json_object_new_object();

	if (!o || !fields) {
		json_object_put(o);
		json_object_put(fields);
		return NULL;
	}
	put(o, "verb", "answer");
	put(o, "request", a->request);
	json_object_object_add(o, "ok", json_object_new_boolean(!a->why));
	if (a->why)
		put(o, "error", a->why);
	json_object_object_add(o, "fields", fields);
	put_fields(fields, a);
	return o;
}
