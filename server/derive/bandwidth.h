/* What the files of fold_bandwidth share: bandwidth_pack.c reads an agent's pack,
 * bandwidth_evaluate.c puts the four figures of a link side by side and writes what
 * follows, bandwidth_document.c tells it as JSON, bandwidth.c is the fold. */
#ifndef HT_SERVER_DERIVE_BANDWIDTH_H
#define HT_SERVER_DERIVE_BANDWIDTH_H

#include "base/name.h"
#include "server/derive/bandwidth_check.h"
#include "server/derive/calendar.h"
#include "server/derive/fold.h"
#include "server/derive/usage.h"

/* ── rules, loaded once ──────────────────────────────────────────────────────────── */

/* Load the thresholds and the calendar below share_dir(). To be called at start-up,
 * before the writer; done by itself when nobody did. The fault reads
 * "file:line:column: …". */
HT_MUST_CHECK ht_err bandwidth_start(struct ht_fault *fault);
/* NULL: they cannot be read; the reason was logged. */
const struct bandwidth_rules *bandwidth_rules(void);
const struct calendar *bandwidth_calendar(void);

/* ── a pack ──────────────────────────────────────────────────────────────────────── */

/* One poll of the interface that carries a link. */
struct bandwidth_poll {
	int64_t at_ms;
	char interface[HT_INSTANCE_MAX + 1];
	char why[BANDWIDTH_TEXT_MAX]; /* "": not told */
	double confidence;            /* of that interface; NaN: not told */
	double uptime_s, discontinuity_s, speed_bps;
	bool has_in, has_out;
	uint64_t in_octets, out_octets;
	int bits;
	int64_t journal_id;
};

struct bandwidth_test {
	int64_t at_ms;
	char status[BANDWIDTH_TEXT_MAX], endpoint[BANDWIDTH_TEXT_MAX];
	double bps[BANDWIDTH_WAYS], low_bps[BANDWIDTH_WAYS], high_bps[BANDWIDTH_WAYS];
};

/* A link that the pack speaks of and that its agent may measure. */
struct bandwidth_subject {
	char link[HT_INSTANCE_MAX + 1];
	struct bandwidth_poll known;  /* the newest of this lane; at_ms INT64_MIN: none */
	struct bandwidth_poll *polls; /* in the order of time */
	size_t n_polls, cap_polls;
	struct bandwidth_test *tests;
	size_t n_tests, cap_tests;
};

struct bandwidth_pack {
	struct bandwidth_subject *at;
	size_t n, cap;
};

/* Fill it from an agent's row; free with bandwidth_pack_fini, also after an error. */
HT_MUST_CHECK ht_err bandwidth_pack_read(
    struct db *db, const struct fold_input *in, struct bandwidth_pack *out);
void bandwidth_pack_fini(struct bandwidth_pack *p);

/* ── a link ──────────────────────────────────────────────────────────────────────── */

/* One figure with where it comes from. */
struct bandwidth_source {
	bool known;
	int64_t at_ms; /* INT64_MIN: not known */
	char agent[HT_ID_MAX + 1];
	int64_t journal_id; /* 0: none */
};

struct bandwidth_link {
	const char *link;
	char agency[HT_ID_MAX + 1], provider[256];
	bool has_router;
	int64_t registry_journal;
	struct bandwidth_facts facts;
	struct bandwidth_verdict verdict;
	struct usage_figures used;
	struct bandwidth_source negotiated, measured[BANDWIDTH_WAYS], used_by;
	char interface[HT_INSTANCE_MAX + 1], interface_why[BANDWIDTH_TEXT_MAX];
	double interface_confidence;
	char endpoint[BANDWIDTH_TEXT_MAX];
	bool attempted; /* a test was tried */
	int64_t attempted_ms, attempted_journal;
	char attempted_status[BANDWIDTH_TEXT_MAX];
	int64_t now_ms;
};

/* Look at the link as of the row: stores the conclusion, opens and closes its problems,
 * marks the agency for the index. A link that left the registry is ended. */
HT_MUST_CHECK ht_err bandwidth_evaluate(
    struct db *db, const char *link, int64_t now_ms, int64_t row_id);

/* What was used in [from_ms, to_ms): for readers too. */
HT_MUST_CHECK ht_err bandwidth_figures(struct db *db, const char *link, int64_t from_ms,
    int64_t to_ms, struct usage_figures *out);

/* The document and the list of findings as JSON text, malloc'ed. HT_NOMEM. */
HT_MUST_CHECK ht_err bandwidth_document(
    const struct bandwidth_link *l, char **out_document, char **out_findings);

#endif
