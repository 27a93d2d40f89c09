/* Over which network a link was seen to run, from when to when: spans of traces of one
 * agent that said the same. A span ends where the network or the reaching of the target
 * changes, and where nobody looked for longer than PATH_APART_MS: within a span there is
 * a trace not long before any moment, so it tells how it was then, whatever came later.
 * Traces that know no network have spans of their own and break none of the others. */
#ifndef HT_SERVER_DERIVE_PATH_SPAN_H
#define HT_SERVER_DERIVE_PATH_SPAN_H

#include "server/derive/fold.h"
#include "server/derive/link_view.h"

/* What an inside address may be old, and some jitter of an hourly trace. */
#define PATH_APART_MS INT64_C(3900000)

enum { PATH_TEXT_MAX = 240, PATH_TRACE_MAX = 600, PATH_SPANS_A_DAY = 48 };

struct path_trace {
	const char *link;
	int64_t at_ms;
	char network[WORD_MAX]; /* 'province-wan', 'government-wan', 'internet', 'unknown'
				 */
	bool reached;
	char target[PATH_TEXT_MAX], reason[PATH_TEXT_MAX], hops[PATH_TRACE_MAX];
};

/* Put it where it belongs in time: it goes on, joins two, begins anew, or splits what
 * bridged its moment. An agent that changes its mind all day keeps PATH_SPANS_A_DAY of
 * them: of more, the newest takes the place of the one before it, and late ones go. */
HT_MUST_CHECK ht_err path_span_put(
    struct db *db, const struct fold_input *in, const struct path_trace *t);

#endif
