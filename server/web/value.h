/* Pieces of replies that several handlers share. */
#ifndef HT_SERVER_WEB_VALUE_H
#define HT_SERVER_WEB_VALUE_H

#include "server/web/http.h"

/* One index value from a row of INDEX_COLUMNS (sql.c), as an object; `full` adds the
 * inputs one by one. */
void value_index(struct emit *e, const char *key, const struct db_rows *rows, bool full);

/* The four values of a scope, as a list. */
ht_err value_index_of(
    struct request *rq, struct emit *e, const char *key, const char *scope, bool own);

/* A column of Unix ms as a time, or INT64_MIN (which emit_time() puts as null). */
int64_t value_time(const struct db_rows *rows, int column);

/* Milliseconds as seconds; null stays null. */
void value_seconds(
    struct emit *e, const char *key, const struct db_rows *rows, int column);

/* The index definition asked for, or the server's default, or the first there is. "" when
 * nothing was computed yet. */
void value_definition(struct request *rq, const char *asked, char out[static 97]);

/* A page: begins {"items":[, and ends it with "next" (the cursor after the last item, or
 * null when that was all). */
struct page {
	struct emit e;
	int64_t limit, n;
	bool more;
	char last[192];
};
void page_begin(struct page *p, struct request *rq, struct reply *re);
/* Whether one more item may be put; false: the page is full, stop. Ask the statement for
 * limit + 1 rows. `cursor` names this item. */
bool page_item(struct page *p, const char *cursor);
void page_end(struct page *p);    /* closes the list; the object stays open */
void page_finish(struct page *p); /* puts "next" and closes the object */

/* The cursor of lists ordered by time, newest first: "<Unix ms>,<id>". False: no cursor.
 * Nothing asked for: before the first of all. */
struct time_cursor {
	int64_t at_ms;
	const char *id; /* into the request */
};
bool time_cursor_read(struct request *rq, struct time_cursor *out);
bool page_item_at(struct page *p, int64_t at_ms, const char *id); /* page_item */

const char *page_after(struct request *rq); /* "" for the first page */
int64_t page_limit(struct request *rq);

#endif
