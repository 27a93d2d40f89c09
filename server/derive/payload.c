#include "server/derive/payload.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

bool payload_text(const struct journal_row *row, const char *field, char *out, size_t cap)
{
	struct json_tokener *tok = json_tokener_new_ex(8);
	struct json_object *root = NULL, *data, *value;
	bool found = false;

	if (tok && row->len && row->len <= INT_MAX)
		root = json_tokener_parse_ex(tok, row->payload, (int)row->len);
	if (root && json_object_object_get_ex(root, "data", &data) &&
	    json_object_object_get_ex(data, field, &value) &&
	    json_object_is_type(value, json_type_string)) {
		size_t len = (size_t)json_object_get_string_len(value);
		found = len > 0 && len < cap;
		if (found) {
			memcpy(out, json_object_get_string(value), len);
			out[len] = '\0';
		}
	}
	json_object_put(root);
	if (tok)
		json_tokener_free(tok);
	return found;
}
