/* What a template may say of a message: the facts of an outbox row as named fields, with
 * what is derived from them (words for kinds, local time, durations). Pure; owned by the
 * caller, who ends it with message_fini. */
#ifndef HT_SERVER_ALERT_MESSAGE_H
#define HT_SERVER_ALERT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "server/alert/channel.h"

#define MESSAGE_FACTS_MAX (1 << 20) /* bytes of facts */
#define MESSAGE_ITEMS_MAX 100       /* of the affected; more are counted, not named */

enum message_type { MESSAGE_TEXT, MESSAGE_NUMBER, MESSAGE_BOOL, MESSAGE_LIST };

/* One row a field; fields of an item are known inside {{#affected}} only. */
struct message_field {
	const char *name;
	enum message_type type;
	bool of_item;
};
extern const struct message_field message_fields[];
extern const size_t message_fields_len;
#define MESSAGE_FIELDS_MAX 64

struct message_value {
	bool set;
	const char *text; /* MESSAGE_TEXT; borrowed from the message */
	int64_t number;   /* MESSAGE_NUMBER, MESSAGE_BOOL */
};

struct json_object;

struct message {
	struct message_value values[MESSAGE_FIELDS_MAX]; /* by index of message_fields */
	struct json_object *facts;
	struct json_object *affected; /* inside facts, or NULL */
	size_t n_items;
	const struct channel_pair *params; /* the channel's */
	size_t n_params;
	char *derived[24]; /* texts made here */
	size_t n_derived;
	bool nomem;
};

/* What stands beside the facts in an outbox row. */
struct message_row {
	const char *key, *incident, *kind;
	const char *facts; /* JSON object */
	size_t facts_len;
	int64_t now_ms;
};

/* HT_MALFORMED when the facts are no JSON object, HT_TOOLARGE, HT_NOMEM; then `m` needs
 * no fini. Borrows row's texts, `channel` and `public_url` (NULL: none) as long as it
 * lives. */
HT_MUST_CHECK ht_err message_init(struct message *m, const struct message_row *row,
    const struct channel *channel, const char *public_url);
void message_fini(struct message *m); /* accepts a zeroed one */

/* The value of a field; of item number `item` for a field of an item. `scratch` holds
 * what is made for the item. */
struct message_value message_get(
    const struct message *m, size_t field, size_t item, char scratch[static 32]);

/* Facts with every field set, or with none that may be absent: to try templates. */
const char *message_sample(bool full);

#endif
