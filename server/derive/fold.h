/* Folds: what is derived from the journal, row by row, exactly once: a fold's cursor and
 * its results commit together. A fold takes time only from rows, so that it comes out the
 * same when it is run again (`hatang-server refold`). All run in the writer thread.
 *
 * The framework decodes an agent's pack once, dates its records once (dating.h) and
 * hands both to every fold in the order of server/derive/folds.c. */
#ifndef HT_SERVER_DERIVE_FOLD_H
#define HT_SERVER_DERIVE_FOLD_H

#include "base/err.h"
#include "base/metric.h"
#include "base/name.h"
#include "mqtt/senml.h"
#include "server/store/db.h"
#include "server/store/journal.h"

/* One dated record of an agent's pack. */
struct fold_record {
	const struct senml_record *senml;
	struct ht_name name;   /* without the agent's prefix; name.family is also the
				* whole "family/instance/quantity", NUL-terminated */
	bool known;            /* the metric table has it, and its kind fits */
	enum ht_metric metric; /* when known */
	char instance[HT_INSTANCE_MAX + 1];
	int64_t at_ms;          /* Unix */
	int64_t uncertainty_ms; /* at ± this; 0 when dated by a synchronised edge */
	bool rebased;           /* dated by the server */
};

struct fold_input {
	const struct journal_row *row;
	const struct fold_record *records; /* agent data rows; else none */
	size_t n_records;
	const char *agency; /* the agent's agency in the registry now, or NULL */
};

/* One settling: what a slice may still do, and what it leaves. */
struct fold_settle {
	int64_t now_ms;   /* the time of the newest row folded */
	int64_t until_ns; /* ht_mono_ns: stop then, after one unit of work at least */
	bool behind;      /* rows wait: what the next slice may change can wait as well */
	bool more;        /* out: work is left; settle again, though no row comes */
	/* Out: Unix ms when time alone changes something (INT64_MAX, as it is before:
	 * nothing). The server then writes a row, `beat`, of that time. */
	int64_t due_ms;
};

struct fold {
	const char *name;
	int version;      /* a new number makes the server refold it at start */
	unsigned sources; /* 1 << enum journal_source, of the rows it wants */
	/* Fold one row. Errors: HT_NOMEM, HT_FULL, HT_IO, HT_CORRUPT stop the slice, roll
	 * it back and are retried; what a row says wrongly is the fold's to count and
	 * skip. Any other error (a constraint) undoes what the fold did with this row and
	 * skips it, logged, so that one bad row never stops the rest. */
	ht_err (*apply)(struct db *db, const struct fold_input *in);
	/* Remove all its results, before refolding. */
	ht_err (*reset)(struct db *db);
	/* After a slice of rows, before the commit: the place for global work on what
	 * became dirty (kept in the database, so that a restart loses none of it). Called
	 * in the order of the list, until nobody has more and all rows are folded; also
	 * without new rows. May be NULL. */
	ht_err (*settle)(struct db *db, struct fold_settle *s);
	/* The fold before it in the list whose results it reads row by row: it is
	 * refolded with that one. NULL: none. */
	const char *follows;
	/* Bulk work that nobody waits for: rows go through the other folds first. It
	 * never runs ahead of an operator's row, nor behind one (run.c). */
	bool bulk;
	/* No other fold reads its results with each row: begun anew (new, of a new
	 * version, refolded) it catches up alone, after the others' rows, which do not
	 * wait for it. Until then it has no due_ms. */
	bool alone;
};

/* Names of the agents' rows are checked before they are journaled; a record whose name
 * does not begin with "<agent>/" never reaches a fold.
 *
 * server/derive/folds.c: every fold, in order: registry first, then per-agent folds,
 * then links, machines, posture, then the score. */
extern const struct fold *const folds[];
extern const size_t folds_len;

#endif
