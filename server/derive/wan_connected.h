/* Whether a link connects its agency to the WAN: pure. Three things must hold: an inside
 * address is reachable over it, as of a time or for enough of a period; and its traffic
 * runs over the network that it is registered for. Reachable over the Internet is not
 * connected. What is not known is said, with what would make it known. */
#ifndef HT_SERVER_DERIVE_WAN_CONNECTED_H
#define HT_SERVER_DERIVE_WAN_CONNECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAN_TEXT_MAX 320

/* Of pings and SNMP, as of the time that is asked about. */
enum wan_now { WAN_NOT_MEASURED, WAN_UP, WAN_DOWN };

enum wan_path {
	WAN_PATH_NONE,    /* never traced */
	WAN_PATH_OLD,     /* not traced lately */
	WAN_PATH_UNKNOWN, /* traced, and no rule knows the hops */
	WAN_PATH_RIGHT,   /* over the network of the link's kind */
	WAN_PATH_OTHER,   /* over another network that counts as well */
	WAN_PATH_WRONG,   /* over a network that does not count */
};
const char *wan_path_name(enum wan_path p);

struct wan_link {
	const char *id;
	enum wan_now now;
	int64_t rounds, answered; /* of pings, in the period */
	bool has_share;           /* the period is told by its spans instead */
	double up_share;          /* then: of its known time */
	double known_share;       /* of the period, however it is told */
	bool inside;              /* an inside address answered over it, by then */
	enum wan_path path;
	const char *kind;                  /* as in the registry; may be NULL */
	const char *network, *path_reason; /* of the trace; may be NULL */
};

struct wan_rules {
	double min_availability;
	bool require_path;          /* without a known path there is no yes */
	double confidence_measured; /* reachable, and the path is known */
	double confidence_no_path;  /* reachable, the path is not */
	double min_known;           /* a period that is less known says nothing */
};

enum wan_answer { WAN_ANSWER_UNKNOWN, WAN_ANSWER_NO, WAN_ANSWER_YES };
const char *wan_answer_name(enum wan_answer a); /* "unknown", "no", "yes" */

struct wan_conclusion {
	enum wan_answer answer;
	double confidence;         /* 0 for unknown */
	bool reachable;            /* an inside address is, whatever the path */
	char reason[WAN_TEXT_MAX]; /* one sentence, always */
	char cure[WAN_TEXT_MAX];   /* what would make it sure; "" when it is */
};

void wan_connected_link(
    const struct wan_rules *r, const struct wan_link *l, struct wan_conclusion *out);

/* One agency by its links of kinds that count: any yes is yes, and no only when all are.
 * n_registered: links of any kind. */
void wan_connected_agency(const struct wan_rules *r, const struct wan_link *links,
    size_t n, size_t n_registered, struct wan_conclusion *out);

#endif
