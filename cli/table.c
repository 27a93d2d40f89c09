#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_MAX = 256, COLUMNS_MAX = 16 };

struct json_object *table_at(struct json_object *o, const char *path)
{
	char key[64];

	while (o && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(key) || !json_object_is_type(o, json_type_object))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		if (!json_object_object_get_ex(o, key, &o))
			return NULL;
		path += n + (path[n] == '.');
	}
	return o;
}

static void rate_text(double bps, char *out, size_t cap)
{
	static const struct {
		double from;
		const char *unit;
	} units[] = { { 1e9, "G" }, { 1e6, "M" }, { 1e3, "k" }, { 0, "" } };
	size_t i = 0;

	while (bps < units[i].from)
		i++;
	snprintf(out, cap, "%.4g%s", units[i].from > 0 ? bps / units[i].from : bps,
	    units[i].unit);
}

void table_text(struct json_object *v, enum table_form form, char *out, size_t cap)
{
	if (form == TABLE_COUNT && json_object_is_type(v, json_type_array))
		snprintf(out, cap, "%zu", json_object_array_length(v));
	else if (!v)
		snprintf(out, cap, "–");
	else if (form == TABLE_RATE)
		rate_text(json_object_get_double(v), out, cap);
	else if (form == TABLE_SHARE)
		snprintf(out, cap, "%.0f %%", json_object_get_double(v) * 100);
	else if (json_object_is_type(v, json_type_double))
		snprintf(out, cap, "%.6g", json_object_get_double(v));
	else if (json_object_is_type(v, json_type_string))
		snprintf(out, cap, "%s", json_object_get_string(v));
	else
		snprintf(out, cap, "%s",
		    json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
	for (char *c = out; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}

/* Columns on a terminal: code points that are no combining mark (enough for Vietnamese,
 * whose letters are precomposed). */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void cell(struct json_object *item, const struct table_column *c, char *out)
{
	table_text(table_at(item, c->path), c->form, out, CELL_MAX);
}

void table_print(struct json_object *items, const struct table_column *columns, size_t n)
{
	size_t rows = json_object_array_length(items);
	int widths[COLUMNS_MAX];
	char text[CELL_MAX];

	if (rows == 0) {
		puts("nothing to show");
		return;
	}
	for (size_t c = 0; c < n; c++) {
		widths[c] = width(columns[c].title);
		for (size_t r = 0; r < rows; r++) {
			cell(json_object_array_get_idx(items, r), &columns[c], text);
			if (width(text) > widths[c])
				widths[c] = width(text);
		}
	}
	for (size_t r = 0; r <= rows; r++) {
		for (size_t c = 0; c < n; c++) {
			if (r == 0)
				snprintf(text, sizeof(text), "%s", columns[c].title);
			else
				cell(json_object_array_get_idx(items, r - 1), &columns[c],
				    text);
			printf("%s%*s", text, c + 1 < n ? widths[c] - width(text) + 2 : 0,
			    "");
		}
		putchar('\n');
	}
}
