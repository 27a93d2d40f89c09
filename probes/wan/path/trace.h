/* One traceroute: which packet to send when, which answer belongs to which hop, and when
 * to stop. Pure: the owner sends, receives and tells the time.
 *
 * A packet has a number: (ttl - 1) * per_hop + try. The tries of one hop go out one after
 * the other, each when the one before is answered or given up; up to `window` hops are
 * under way at once. A window of 1 means one packet at a time, for methods whose answers
 * do not say which packet they are about.
 *
 *     trace_init(&t, &plan, now);
 *     while (trace_next(&t, now, &probe))
 *         send it, or trace_unsent(&t, probe.no, errno);
 *     … wait until an answer comes (trace_answer) or trace_wake_ns is reached; again,
 *     until trace_end(&t) is not TRACE_RUNNING. */
#ifndef HT_PROBES_WAN_TRACE_H
#define HT_PROBES_WAN_TRACE_H

#include "base/addr.h"

enum {
	TRACE_TTL_MAX = 64,
	TRACE_PER_HOP_MAX = 4,
	TRACE_WINDOW_MAX = 16,
	TRACE_TEXT = 8192, /* bytes of the longest text of a trace, with NUL */
};
#define TRACE_NO_ANY 0xffff /* an answer that does not say which packet it is about */

struct trace_plan {
	struct ht_addr target;
	struct ht_addr self; /* our own address towards it */
	uint8_t ttl_max;     /* 1..TRACE_TTL_MAX */
	uint8_t per_hop;     /* 1..TRACE_PER_HOP_MAX */
	uint8_t window;      /* 1..TRACE_WINDOW_MAX */
	uint8_t silent_max;  /* stop after so many silent hops in a row; at least 1 */
	int64_t wait_ns;     /* how long an answer is waited for */
	int64_t gap_ns;      /* between two packets */
	int64_t begin_ns;    /* no packet before, whatever `now` is */
	int64_t deadline_ns; /* stop then, whatever is missing */
};

enum trace_end {
	TRACE_RUNNING,
	TRACE_REACHED,
	TRACE_UNREACHABLE, /* somebody on the way says so: refused_by, refused_words */
	TRACE_SILENT,      /* silent_max hops in a row said nothing */
	TRACE_TTL_OUT,     /* the target is farther than ttl_max */
	TRACE_LOOP,        /* the same routers again and again */
	TRACE_DEADLINE,
	TRACE_UNSENDABLE, /* the kernel refuses to send: err_no */
};

struct trace_hop {
	struct ht_addr from[TRACE_PER_HOP_MAX]; /* who answered, in order of arrival */
	int64_t rtt_ns[TRACE_PER_HOP_MAX];
	uint8_t n; /* answers */
	uint8_t n_sent, n_decided;
};

/* Answers that did not count, and why. */
struct trace_ignored {
	uint32_t forged, late, duplicate, ambiguous;
};

struct trace {
	struct trace_plan plan;
	struct trace_hop hops[TRACE_TTL_MAX]; /* [ttl - 1] */
	struct trace_try {
		int64_t sent_ns;
		enum {
			TRACE_TRY_NEW,
			TRACE_TRY_WAITS,
			TRACE_TRY_ANSWERED,
			TRACE_TRY_LOST
		} state;
	} tries[TRACE_TTL_MAX * TRACE_PER_HOP_MAX];
	uint8_t base;    /* the first ttl that is not decided */
	uint8_t last;    /* the highest ttl of interest */
	uint8_t arrived; /* the lowest ttl whose packet came to the target; 0: none */
	uint8_t refused; /* the lowest that somebody refused; 0: none */
	struct ht_addr refused_by;
	const char *refused_words;
	int err_no;
	int64_t next_ns; /* the earliest time to send */
	enum trace_end end;
	struct trace_ignored ignored;
};

enum trace_kind { TRACE_EXCEEDED, TRACE_ARRIVED, TRACE_REFUSED };

struct trace_answer {
	enum trace_kind kind;
	uint16_t no; /* or TRACE_NO_ANY */
	struct ht_addr from;
	const char *words; /* TRACE_REFUSED: what it says; lasting */
	int64_t at_ns;     /* when it arrived */
};

struct trace_probe {
	uint16_t no;
	uint8_t ttl;
};

void trace_init(struct trace *t, const struct trace_plan *plan, int64_t now);

/* The next packet to send now; it counts as sent. False: nothing to send now. */
bool trace_next(struct trace *t, int64_t now, struct trace_probe *out);

/* The kernel refused to send that packet. */
void trace_unsent(struct trace *t, uint16_t no, int err_no);

/* An answer that carries our secret. What does not fit is counted in `ignored`. */
void trace_answer(struct trace *t, const struct trace_answer *a);

/* When trace_next must be called again, if no answer comes before. */
int64_t trace_wake_ns(const struct trace *t);

/* Hops to speak of: to the target or the refusal, else to the last that is decided or
 * answered. */
size_t trace_n_hops(const struct trace *t);

/* Hops to the target, or to the last that answered; 0: nobody did. */
size_t trace_reach(const struct trace *t);

/* One word a hop: "10.0.0.1", "*" for silence, "10.0.0.1,10.0.0.5" when several answered
 * (two are named); blanks between. */
void trace_text(const struct trace *t, char out[static TRACE_TEXT]);

/* Why it stopped: a part of a sentence that stands behind "the trace ", of at most 200
 * bytes. */
void trace_end_words(const struct trace *t, char *out, size_t cap);

#endif
