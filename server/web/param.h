/* Parameters of a request as data: a route lists what its query string, or its JSON
 * body, may hold; anything else is refused with the name and the cure. Pure: bytes in,
 * values out. */
#ifndef HT_SERVER_WEB_PARAM_H
#define HT_SERVER_WEB_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PARAM_MAX       12   /* rows of one table */
#define PARAM_QUERY_MAX 2048 /* bytes of a query string */

enum param_type {
	PARAM_TEXT, /* UTF-8, 1..max bytes (max 0: 256), no control bytes but \n and \t */
	PARAM_ID,   /* an id as in base/name.h */
	PARAM_INT,  /* min..max */
	PARAM_TIME, /* RFC 3339, or a date; Unix ms */
	PARAM_BOOL, /* true/false; 1/0 in a query */
	PARAM_WORD, /* one of words[] */
};

struct param {
	const char *name;
	enum param_type type;
	bool required;
	bool nullable; /* bodies: null is the same as absent */
	int64_t min, max;
	const char *const *words; /* NULL-terminated */
};

struct param_value {
	bool given;
	char *text;     /* owned; PARAM_TEXT, PARAM_ID, PARAM_WORD; NUL-terminated */
	int64_t number; /* PARAM_INT, PARAM_TIME, PARAM_BOOL, PARAM_WORD (index) */
};

struct param_set {
	const struct param *table; /* borrowed */
	size_t n;
	struct param_value values[PARAM_MAX];
};

/* Read "a=1&b=x%20y" (no question mark). HT_INVALID with a fault that names the
 * parameter and the cure; the set is then empty. Free with param_set_fini. */
HT_MUST_CHECK ht_err param_query(const struct param *table, size_t n, const char *query,
    size_t len, struct param_set *out, struct ht_fault *fault);

/* Read a JSON object the same way. */
HT_MUST_CHECK ht_err param_json(const struct param *table, size_t n, const void *bytes,
    size_t len, struct param_set *out, struct ht_fault *fault);

void param_set_fini(struct param_set *set); /* accepts a zeroed one */

/* Values by name; the name must be in the table (asserts). */
const char *param_text(
    const struct param_set *set, const char *name); /* NULL: not given */
int64_t param_number(const struct param_set *set, const char *name, int64_t otherwise);
bool param_given(const struct param_set *set, const char *name);

/* Undo %XX (and '+', in a query) from `in` to `out`, which holds `cap` bytes with the
 * NUL. HT_MALFORMED (bad escape, a NUL byte), HT_TOOLARGE. */
HT_MUST_CHECK ht_err param_unescape(
    const char *in, size_t len, bool plus, char *out, size_t cap);

#endif
