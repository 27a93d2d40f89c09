/* Reads the columns of an SNMP table by GETBULK, many at a time, and adapts to the
 * device: fewer rows, then fewer columns a request when answers are too big or get lost.
 * Guards against devices that count backwards or never end. Owned by its starter; uses
 * the session alone until it is done. */
#ifndef HT_PROBES_SNMP_WALK_H
#define HT_PROBES_SNMP_WALK_H

#include "probes/snmp/session.h"

enum { WALK_COLUMNS_MAX = 32, WALK_ROWS_MAX = 10000 };

enum walk_outcome {
	WALK_WHOLE,
	WALK_PARTIAL, /* some columns or rows could not be read */
	WALK_TIMEOUT, /* nothing at all */
	WALK_AUTH_FAILED,
	WALK_FAILED,
};

struct walk_ops {
	/* One cell: column is the place in the list given, index the rest of its name. */
	void (*cell)(void *arg, size_t column, const struct session_oid *index,
	    const struct session_value *value);
	/* Once; from the loop, or from inside walk_start when nothing can be sent. The
	 * walk may be freed inside. */
	void (*done)(void *arg, enum walk_outcome outcome);
};

struct walk;

/* `columns` are copied; `ops` and `arg` are borrowed. errors: HT_NOMEM, HT_TOOLARGE,
 * those of session_ask */
HT_MUST_CHECK ht_err walk_start(struct session *s, const struct session_oid *columns,
    size_t n, const struct walk_ops *ops, void *arg, struct walk **out);

/* Before done: only when the session is closed first. NULL is fine. */
void walk_free(struct walk *w);

#endif
