/* Private to import: what the file says (import_read.c), what the registry says now, and
 * whether both together would hold (import_plan.c). */
#ifndef HT_SERVER_REGISTRY_IMPORT_PLAN_H
#define HT_SERVER_REGISTRY_IMPORT_PLAN_H

#include <search.h>

#include "server/registry/arena.h"
#include "server/registry/import.h"

enum import_column {
	COL_ID,
	COL_NAME,
	COL_LEVEL,
	COL_AGENCY_KIND,
	COL_PARENT,
	COL_SERVANTS,
	COL_AS_OF,
	COL_LATITUDE,
	COL_LONGITUDE,
	COL_AGENCY,
	COL_LINK_ID,
	COL_ROLE,
	COL_KIND,
	COL_LINE_TYPE,
	COL_PROVIDER,
	COL_DOWN,
	COL_UP,
	COL_ROUTER,
	COL_PARENTS,
	COL_COUNT
};

/* An agency or a link: of the file (line > 0) or of the registry (line 0). */
struct import_agency {
	int line;
	bool bad;
	struct verb_agency data;
	int64_t servants, as_of_ms; /* VERB_UNSET: not said */
};
struct import_link {
	int line;
	bool bad;
	struct verb_link data;
};

/* Numbers by text; the texts are borrowed. */
struct import_index {
	struct hsearch_data table;
	bool made;
};

struct import {
	const struct operator_by *by;
	struct arena arena;
	struct import_report *report;
	char *headers[COL_COUNT]; /* as the file calls them; NULL: column absent */
	bool links_only;          /* a links' file */
	bool nomem;               /* sticky */
	bool fatal;               /* the file as a whole cannot be taken */

	struct import_agency *agencies, *old_agencies;
	size_t n_agencies, n_old_agencies;
	struct import_link *links, *old_links;
	size_t n_links, n_old_links;
	struct verb_headcount *old_headcounts;
	size_t n_old_headcounts;
	struct import_index agency_at, old_agency_at, link_at, old_link_at,
	    old_headcount_at;
};

/* Note a problem of a line; `column` < 0 is the row as a whole. */
void import_problem(struct import *im, int line, int column, const char *fmt, ...)
    HT_PRINTF(4, 5);

/* Read the file into im->agencies and im->links. Bad rows are noted and marked. */
HT_MUST_CHECK ht_err import_read(struct import *im, const void *bytes, size_t len);

/* Load the registry, fill in what absent columns leave alone, and check the whole. */
HT_MUST_CHECK ht_err import_check(struct import *im, struct db *db);

/* Count what differs, and append it when `append` is set. */
HT_MUST_CHECK ht_err import_apply(struct import *im, struct db *db, bool append);

bool import_index_make(struct import_index *index, size_t n);
bool import_index_put(struct import_index *index, const char *key, size_t at);
bool import_index_find(struct import_index *index, const char *key, size_t *out);
void import_index_fini(struct import_index *index);

void *import_grow(
    void *array, size_t n, size_t size); /* room for one more; NULL: no memory */

#endif
