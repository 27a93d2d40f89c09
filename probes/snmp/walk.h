/* Reads the columns of an SNMP table by GETBULK, many at a time, and adapts to the
 * device: more as long as whole answers come, fewer rows, then fewer columns a request
 * when answers are too big or get lost. Guards against devices that count backwards or
 * never end. Owned by its starter; uses one session alone until it is done, and can go on
 * with another where it stopped. */
#ifndef HT_PROBES_SNMP_WALK_H
#define HT_PROBES_SNMP_WALK_H

#include "probes/snmp/session.h"

#define WALK_ROWS_UNKNOWN SIZE_MAX
enum { WALK_COLUMNS_MAX = 32, WALK_ROWS_MAX = 10000, WALK_OID_MAX = 64 };

enum walk_outcome {
	WALK_WHOLE,
	WALK_PARTIAL, /* some columns or rows could not be read */
	WALK_LOST,    /* no answer, not even to the smallest request */
	WALK_AUTH_FAILED,
	WALK_FAILED,
};

/* Why a table is not whole; the first reason counts. */
enum walk_trouble {
	WALK_FINE,
	WALK_BACKWARDS, /* names do not increase (RFC 3416, 4.2.3) */
	WALK_ENDLESS,   /* more than WALK_ROWS_MAX rows */
	WALK_LONG_NAME, /* more than WALK_OID_MAX parts */
	WALK_REFUSED,   /* an error, tooBig or other, for a single cell */
	WALK_SILENT,    /* no answer */
};
const char *walk_trouble_text(enum walk_trouble t); /* "names do not increase" … */

/* How much a device is asked for at a time; keep it from one walk to the next. */
struct walk_pace {
	uint16_t cells; /* of one request; 0: nothing is known of the device */
	uint16_t most;  /* its ceiling, that lost or refused answers taught */
	uint16_t width; /* columns of one request */
};

struct walk_ops {
	/* One cell: column is the place in the list given, index the rest of its name,
	 * at_ns when it arrived. */
	void (*cell)(void *arg, size_t column, const struct session_oid *index,
	    const struct session_value *value, int64_t at_ns);
	/* Once; from the loop, or from inside walk_start when nothing can be sent. The
	 * walk may be freed inside. */
	void (*done)(void *arg, enum walk_outcome outcome);
};

struct walk_config {
	const struct session_oid *columns; /* copied */
	size_t n;
	size_t rows; /* how many there were the last time, or WALK_ROWS_UNKNOWN */
	const struct walk_ops *ops;
	void *arg;
	struct walk_pace *pace; /* read and written */
};

struct walk;

/* `ops`, `arg` and `pace` are borrowed. errors: HT_NOMEM, HT_TOOLARGE */
HT_MUST_CHECK ht_err walk_start(
    struct session *s, const struct walk_config *config, struct walk **out);

/* Go on where it stopped, after its session was closed; `ops` and `pace` stay, `arg` may
 * be another. */
void walk_resume(struct walk *w, struct session *s, void *arg);

enum walk_trouble walk_trouble(const struct walk *w);
size_t walk_rows(const struct walk *w); /* of its longest column */

/* Before done: only when the session is closed first. NULL is fine. */
void walk_free(struct walk *w);

#endif
