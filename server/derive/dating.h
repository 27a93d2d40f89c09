/* Dating: when was a record measured? Pure: everything is an argument.
 *
 * A synchronised edge says so itself (absolute times); they are believed unless they
 * cannot be right. Any other record says how long before the sealing of its pack it was
 * taken, and the pack says what the clock of its boot showed at its sealing (mono) and
 * at its sending (sent_mono). received - sent_mono is the boot's start by the server's
 * clock plus the delay of the way: the least one seen is the boot's anchor. A boot that
 * was never anchored began after the last thing known of the agent before it and ended
 * before the boot after it began: an interval, told as the middle ± half its width. */
#ifndef HT_SERVER_DERIVE_DATING_H
#define HT_SERVER_DERIVE_DATING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATING_YEAR_2020_MS INT64_C(1577836800000) /* no measurement is older */
#define DATING_SKEW_MS      (5 * 60 * 1000) /* an absolute time further off is wrong */
#define DATING_DELAY_MS     1000            /* what an anchor may be late */
#define DATING_UNDATED_MS \
	(60 * 1000) /* ± of a live pack that says nothing of its sealing */
#define DATING_SPOOL_MS (INT64_C(30) * 86400 * 1000) /* what an edge keeps at most */
#define DATING_WINDOW_MS \
	(INT64_C(86400) * 1000) /* an anchor older than this is renewed */

/* An anchor of one boot: `offset_ms` is Unix time minus the boot's clock. */
struct dating_anchor {
	bool known;
	int64_t offset_ms;
	int64_t at_ms;    /* when it was taken, for the drift */
	int64_t mono_ns;  /* the boot's clock then */
	int64_t floor_ms; /* times after mono_ns are not dated before this, so that an
			   * earlier offset than the last one turns no order around */
};

/* A sighting: at `received_ms` a message came that was sent when the boot's clock showed
 * `clock_ns`. True with the new anchor when it is the boot's first, is earlier than what
 * we have, or the one we have is older than DATING_WINDOW_MS (clocks drift). */
bool dating_sight(const struct dating_anchor *have, int64_t clock_ns, int64_t received_ms,
    struct dating_anchor *out);

/* What is known of a pack. */
struct dating_pack {
	int64_t received_ms;
	bool live;     /* came at once (lane data), as far as it says */
	bool has_mono; /* the boot's clock at its sealing is known */
	int64_t mono_ns;
	struct dating_anchor anchor;
	bool bounded; /* without anchor: the boot lies between these */
	int64_t low_ms, high_ms;
};

struct dating_time {
	int64_t at_ms,
	    uncertainty_ms; /* at ± uncertainty; 0: the edge's own, synchronised clock */
	bool rebased;       /* dated here, not by the edge */
};

/* When the pack was sealed. */
struct dating_time dating_sealed(const struct dating_pack *pack);

/* Date the records of one pack. `time_s` are SenML's resolved times: from 2^28 on
 * absolute, else relative to the sealing. Above 0 and below 2^28 it is a clock that
 * began in 1970, and wrong. Wrong times keep their order and, where it makes sense, their
 * spacing, and are moved so that the newest of them falls on the sealing. What would fall
 * before 2020 is put on the sealing: nothing is dated earlier unless it was received
 * earlier. */
void dating_records(const struct dating_pack *pack, const double *time_s, size_t n,
    struct dating_time *out);

#endif
