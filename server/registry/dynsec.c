#include "server/registry/dynsec.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "mqtt/topic.h"

/* What an agent may do with which of its topics. Ids hold no letter that JSON or a topic
 * filter would read otherwise (base/name.h). */
static const struct {
	const char *type;
	enum topic_leaf leaf;
} fence[] = {
	{ "publishClientSend", TOPIC_PRESENCE },
	{ "publishClientSend", TOPIC_DATA },
	{ "publishClientSend", TOPIC_HIST },
	{ "publishClientSend", TOPIC_REPLY },
	{ "publishClientReceive", TOPIC_ACK },
	{ "publishClientReceive", TOPIC_CMD },
	{ "publishClientReceive", TOPIC_PRESENCE },
	{ "subscribeLiteral", TOPIC_ACK },
	{ "subscribeLiteral", TOPIC_CMD },
	{ "subscribeLiteral", TOPIC_PRESENCE },
};

void dynsec_initial(struct ht_buf *out)
{
	ht_buf_puts(out,
	    "{\"defaultACLAccess\":{\"publishClientSend\":false,\"publishClientReceive\":"
	    "false,"
	    "\"subscribe\":false,\"unsubscribe\":true},\n"
	    "\"clients\":[{\"username\":\"" TOPIC_SERVER_ID
	    "\",\"roles\":[{\"rolename\":\"server\"}]}],\n"
	    "\"groups\":[],\n\"roles\":[{\"rolename\":\"server\",\"acls\":[\n");
	static const char *const rights[][2] = {
		{ "publishClientSend", "$CONTROL/dynamic-security/#" },
		{ "publishClientReceive", "$CONTROL/dynamic-security/#" },
		{ "subscribePattern", "$CONTROL/dynamic-security/#" },
		{ "publishClientSend", "hatang/#" },
		{ "publishClientReceive", "hatang/#" },
		{ "subscribePattern", "hatang/#" },
	};
	for (size_t i = 0; i < HT_COUNT(rights); i++)
		ht_buf_printf(out,
		    "%s{\"acltype\":\"%s\",\"topic\":\"%s\",\"priority\":0,\"allow\":"
		    "true}",
		    i ? ",\n" : "", rights[i][0], rights[i][1]);
	ht_buf_puts(out, "]}]}\n");
}

void dynsec_begin(struct ht_buf *out)
{
	ht_buf_puts(out, "{\"commands\":[");
}

void dynsec_end(struct ht_buf *out)
{
	ht_buf_puts(out, "]}");
}

static void next_command(struct ht_buf *out)
{
	const char *text = ht_buf_text(out);

	if (out->len && text[out->len - 1] != '[')
		ht_buf_puts(out, ",");
}

void dynsec_textname(const char *serial, char out[static DYNSEC_TEXTNAME_MAX])
{
	snprintf(out, DYNSEC_TEXTNAME_MAX, DYNSEC_RULES " %s", serial);
}

static void put_acl(struct ht_buf *out, const char *type, const char *topic)
{
	ht_buf_printf(out,
	    "{\"acltype\":\"%s\",\"topic\":\"%s\",\"priority\":0,\"allow\":true},", type,
	    topic);
}

void dynsec_put_agent(struct ht_buf *out, const char *agent, const char *serial)
{
	char topic[TOPIC_MAX], textname[DYNSEC_TEXTNAME_MAX];

	next_command(out);
	ht_buf_printf(out,
	    "{\"command\":\"createRole\",\"rolename\":\"agent:%s\",\"acls\":[", agent);
	for (size_t i = 0; i < HT_COUNT(fence); i++) {
		topic_format(agent, fence[i].leaf, topic);
		put_acl(out, fence[i].type, topic);
	}
	topic_format(TOPIC_SERVER_ID, TOPIC_PRESENCE, topic);
	put_acl(out, "publishClientReceive", topic);
	ht_buf_printf(out,
	    "{\"acltype\":\"subscribeLiteral\",\"topic\":\"%s\",\"priority\":0,\"allow\":"
	    "true}]},",
	    topic);
	dynsec_textname(serial, textname);
	ht_buf_printf(out,
	    "{\"command\":\"createClient\",\"username\":\"%s\",\"textname\":\"%s\","
	    "\"roles\":[{\"rolename\":\"agent:%s\"}]}",
	    agent, textname, agent);
}

void dynsec_delete_agent(struct ht_buf *out, const char *agent)
{
	next_command(out);
	ht_buf_printf(out,
	    "{\"command\":\"deleteClient\",\"username\":\"%s\"},"
	    "{\"command\":\"deleteRole\",\"rolename\":\"agent:%s\"}",
	    agent, agent);
}

void dynsec_list(struct ht_buf *out, int offset)
{
	next_command(out);
	ht_buf_printf(out,
	    "{\"command\":\"listClients\",\"verbose\":true,\"count\":%d,\"offset\":%d}",
	    DYNSEC_PAGE, offset);
}

/* ── responses ────────────────────────────────────────────────────────────────────── */

static const char *text_of(struct json_object *map, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(map, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

static void read_list(struct json_object *data, const struct dynsec_events *events)
{
	struct json_object *list, *total;

	if (!json_object_object_get_ex(data, "clients", &list) ||
	    !json_object_is_type(list, json_type_array) ||
	    !json_object_object_get_ex(data, "totalCount", &total))
		return;
	size_t n = json_object_array_length(list);
	for (size_t i = 0; i < n; i++) {
		struct json_object *client = json_object_array_get_idx(list, i);
		const char *name = text_of(client, "username"),
			   *textname = text_of(client, "textname");
		if (name)
			events->client(events->arg, name, textname ? textname : "");
	}
	events->listed(events->arg, json_object_get_int(total), (int)n);
}

static void read_response(
    struct json_object *response, const struct dynsec_events *events)
{
	struct json_object *data;
	const char *command = text_of(response, "command"),
		   *error = text_of(response, "error");

	if (!command)
		return;
	if (error)
		events->failed(events->arg, command, error);
	else if (strcmp(command, "listClients") == 0 &&
		 json_object_object_get_ex(response, "data", &data))
		read_list(data, events);
}

ht_err dynsec_read(const void *bytes, size_t len, const struct dynsec_events *events)
{
	struct json_tokener *tokener = json_tokener_new_ex(16);
	struct json_object *root, *list;
	bool ok = false;

	if (!tokener)
		return HT_NOMEM;
	root = len <= INT32_MAX ? json_tokener_parse_ex(tokener, bytes, (int)len) : NULL;
	if (root && json_object_object_get_ex(root, "responses", &list) &&
	    json_object_is_type(list, json_type_array)) {
		ok = true;
		for (size_t i = 0; i < json_object_array_length(list); i++)
			read_response(json_object_array_get_idx(list, i), events);
	}
	json_object_put(root);
	json_tokener_free(tokener);
	return ok ? HT_OK : HT_MALFORMED;
}
