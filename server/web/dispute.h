/* The dispute pack of an outage: what an admin can send to the carrier. Gathered once
 * from a snapshot of the store, then written as JSON or as a printable page
 * (dispute_html.c) that needs nothing else. All texts are untrusted until they are
 * escaped. */
#ifndef HT_SERVER_WEB_DISPUTE_H
#define HT_SERVER_WEB_DISPUTE_H

#include <sodium.h>

#include "server/registry/arena.h"
#include "server/web/bucket.h"
#include "server/web/http.h"

#define DISPUTE_WINDOWS 50
#define DISPUTE_ROWS    100
#define DISPUTE_CHANGES 200
#define DISPUTE_GRAPHS  8
#define DISPUTE_NONE    INT64_MIN

struct dispute_clock {
	const char *agent;                              /* NULL: the core's estimate */
	int64_t start_ms, start_u_ms, end_ms, end_u_ms; /* DISPUTE_NONE */
};

struct dispute_window {
	const char *id, *scope, *reason, *actor;
	int64_t from_ms, to_ms, entered_ms, overlap_ms;
};

/* A row of the journal that the pack rests on. */
struct dispute_row {
	int64_t journal_id, received_ms;
	const char *agent, *kind;
	size_t bytes;
	uint8_t hash[crypto_hash_sha256_BYTES];
};

/* What the edge wrote down: a transition of one of its targets. */
struct dispute_change {
	const char *subject, *state;
	int64_t at_ms, uncertainty_ms, journal_id;
};

struct dispute_graph {
	const char *agent, *name; /* of the series that it draws */
	bool edge, loss;          /* seen from inside; a share, else seconds */
	struct buckets *buckets;  /* owned */
};

struct dispute {
	struct arena arena;
	int64_t generated_ms;
	int offset_min;
	const char *id, *link, *agency, *agency_name, *state, *root, *cause,
	    *cause_reason;
	const char *ticket, *note;
	const char *provider, *role, *kind, *line_type, *router;
	int64_t down_bps, up_bps; /* contracted; DISPUTE_NONE */
	struct dispute_clock estimate, edge;
	int64_t start_ms, end_ms; /* as they count */
	int64_t maintenance_ms;   /* of it, windows taken once */
	struct dispute_window windows[DISPUTE_WINDOWS];
	size_t n_windows;
	struct dispute_row rows[DISPUTE_ROWS];
	size_t n_rows;
	struct dispute_change changes[DISPUTE_CHANGES];
	size_t n_changes;
	struct dispute_graph graphs[DISPUTE_GRAPHS];
	size_t n_graphs;
	int64_t from_ms, to_ms; /* of the graphs */
};

/* HT_NOTFOUND: not there, or outside the account's scope. */
HT_MUST_CHECK ht_err dispute_gather(
    struct request *rq, const char *id, int offset_min, struct dispute **out);
void dispute_free(struct dispute *d); /* accepts NULL */

void dispute_html(const struct dispute *d, struct ht_buf *out);

#endif
