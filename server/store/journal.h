/* The journal: what agents sent, what people entered and what the server itself did, in
 * one order. Only the writer thread appends. */
#ifndef HT_SERVER_STORE_JOURNAL_H
#define HT_SERVER_STORE_JOURNAL_H

#include "base/err.h"
#include "mqtt/props.h"
#include "server/store/db.h"

enum journal_source { JOURNAL_AGENT, JOURNAL_OPERATOR, JOURNAL_SERVER };
enum journal_lane { JOURNAL_NO_LANE, JOURNAL_DATA, JOURNAL_HIST };

struct journal_row {
	int64_t id; /* filled by append */
	enum journal_source source;
	const char *kind;  /* "data", "presence", "reply"; operator verbs such as
			    * "agency.put"; server verbs "start", "stop", "beat" … */
	const char *agent; /* or NULL */
	enum journal_lane lane;
	struct props props;       /* epoch, seq, boot … as far as given */
	const char *content_type; /* or NULL */
	int64_t received_ms;
	const char *actor; /* operator rows: who; else NULL */
	const void *payload;
	size_t len;
};

/* Append inside the caller's transaction; sets row->id.
 *   HT_EXISTS    the same (agent, epoch, seq) with the same payload: a resend, fine
 *   HT_CONFLICT  the same key with another payload: kept in journal_aside by this call */
HT_MUST_CHECK ht_err journal_append(struct db *db, struct journal_row *row);

/* Keep a row aside without folding it (reason clone): right certificate, other machine.
 * `fingerprint` is that machine's. HT_EXISTS when it is there already. If the machine
 * owns the id meanwhile, the row is appended to the journal. */
HT_MUST_CHECK ht_err journal_aside(
    struct db *db, const struct journal_row *row, const char *fingerprint);

/* Bytes that are no message of ours: counted by (agent, reason), a sample kept. */
#define JOURNAL_SAMPLE_MAX 256

struct journal_garbage {
	const char *topic;
	const char *agent;  /* or NULL: the topic names none */
	const char *reason; /* a short fixed word: "topic", "size", "props" … */
	struct props props; /* epoch and seq, when they could be read */
	int64_t received_ms;
	const void *bytes;
	size_t len; /* of the message; at most JOURNAL_SAMPLE_MAX of it are kept */
};

HT_MUST_CHECK ht_err journal_garbage(struct db *db, const struct journal_garbage *g);

/* The word of a source or lane as it stands in the table; NULL for JOURNAL_NO_LANE. */
const char *journal_source_name(enum journal_source source);
const char *journal_lane_name(enum journal_lane lane);

/* Rows after `after`, in order; see db.h for the cursor. journal_read fills `row` with
 * pointers that live until the next db_next. */
struct db_rows *journal_scan(struct db *db, int64_t after, int64_t limit);
void journal_read(struct db_rows *rows, struct journal_row *out);

#endif
