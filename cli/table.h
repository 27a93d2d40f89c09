/* JSON objects as an aligned table for people. */
#ifndef HT_CLI_TABLE_H
#define HT_CLI_TABLE_H

#include <json-c/json.h>
#include <stddef.h>

enum table_form { TABLE_PLAIN, TABLE_RATE, TABLE_SHARE, TABLE_COUNT };

struct table_column {
	const char *title;
	const char *path;     /* "presence.state"; what is missing or null prints "–" */
	enum table_form form; /* RATE: bit/s as 20M; SHARE: 0.96 as 96 %; COUNT: an
			       * array's length */
};

/* Print `items` (an array of objects), two spaces between columns, widths by what a
 * terminal shows (UTF-8). Control characters are shown as '?'. Says so when it is empty.
 */
void table_print(struct json_object *items, const struct table_column *columns, size_t n);

/* The value at a dotted path, or NULL. */
struct json_object *table_at(struct json_object *o, const char *path);

/* One value as text in a form. */
void table_text(struct json_object *v, enum table_form form, char *out, size_t cap);

#endif
