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
	/* After a slice of rows was folded, before the commit: the place for global work
	 * on what became dirty. `now_ms` is the time of the newest row folded. May be
	 * NULL. */
	ht_err (*settle)(struct db *db, int64_t now_ms);
};

/* Names of the agents' rows are checked before they are journaled; a record whose name
 * does not begin with "<agent>/" never reaches a fold.
 *
 * server/derive/folds.c: every fold, in order: registry first, then per-agent folds,
 * then links, machines, posture, then the score. */
extern const struct fold *const folds[];
extern const size_t folds_len;

#endif
