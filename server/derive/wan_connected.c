#include "server/derive/wan_connected.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "server/derive/text.h"

const char *wan_answer_name(enum wan_answer a)
{
	static const char *const names[] = { "unknown", "no", "yes" };

	return names[a];
}

const char *wan_path_name(enum wan_path p)
{
	static const char *const names[] = { "none", "old", "unknown", "right", "other",
		"wrong" };

	return names[p];
}

/* ── reachable ───────────────────────────────────────────────────────────────────── */

static bool has_any(const struct wan_link *l)
{
	return l->has_share || l->rounds > 0;
}

/* Three pings and then silence are no period. */
static bool has_period(const struct wan_rules *r, const struct wan_link *l)
{
	return has_any(l) && l->known_share > 0 && l->known_share >= r->min_known;
}

static double share_of(const struct wan_link *l)
{
	if (l->has_share)
		return l->up_share;
	return l->rounds > 0 ? (double)l->answered / (double)l->rounds : 0;
}

struct reach {
	enum wan_answer answer;
	double sure; /* of an answer that stands on the period: how much of it is known */
};

static double percent_known(const struct wan_link *l)
{
	return has_any(l) ? floor(l->known_share * 100) : 0;
}

static struct reach by_period(
    const struct wan_rules *r, const struct wan_link *l, char why[static WAN_TEXT_MAX])
{
	double share = share_of(l);

	if (share > 0 && share >= r->min_availability) {
		snprintf(why, WAN_TEXT_MAX,
		    "link %.64s was there for %.1f %% of the period (%.0f %% of it is "
		    "known)",
		    l->id, share * 100, percent_known(l));
		return (struct reach){ WAN_ANSWER_YES, l->known_share };
	}
	snprintf(why, WAN_TEXT_MAX,
	    "link %.64s does not answer, and was there for %.1f %% of the period only "
	    "(%.0f %% of it is known)",
	    l->id, share * 100, percent_known(l));
	/* Now is measured; what lacks of the period may have been enough for a yes. */
	return (struct reach){ WAN_ANSWER_NO,
		l->now == WAN_DOWN ? (1 + l->known_share) / 2 : l->known_share };
}

static struct reach without_period(
    const struct wan_link *l, char why[static WAN_TEXT_MAX])
{
	double percent = percent_known(l);

	if (l->now == WAN_DOWN) {
		snprintf(why, WAN_TEXT_MAX,
		    "link %.64s does not answer, and only %.0f %% of the period is known",
		    l->id, percent);
		return (struct reach){ WAN_ANSWER_NO, (1 + percent / 100) / 2 };
	}
	if (has_any(l))
		snprintf(why, WAN_TEXT_MAX,
		    "only %.0f %% of the period is known of link %.64s", percent, l->id);
	else
		snprintf(why, WAN_TEXT_MAX,
		    "nothing has measured link %.64s within the period", l->id);
	return (struct reach){ WAN_ANSWER_UNKNOWN, 0 };
}

static struct reach reachable(
    const struct wan_rules *r, const struct wan_link *l, char why[static WAN_TEXT_MAX])
{
	const struct reach yes = { WAN_ANSWER_YES, 1 };

	if (l->now == WAN_UP) {
		snprintf(why, WAN_TEXT_MAX, "link %.64s answers", l->id);
		return yes;
	}
	if (l->inside) {
		snprintf(why, WAN_TEXT_MAX, "an inside address answers over link %.64s",
		    l->id);
		return yes;
	}
	return has_period(r, l) ? by_period(r, l, why) : without_period(l, why);
}

/* ── over the right path ─────────────────────────────────────────────────────────── */

static const char *or_text(const char *text, const char *otherwise)
{
	return text && text[0] ? text : otherwise;
}

struct saying {
	const char *reason, *cure;
};
static const struct saying missing[] = {
	[WAN_PATH_NONE] = { "its path was never traced",
	    "let the office's agent or a vantage trace the path to an inside address" },
	[WAN_PATH_OLD] = { "its path was not traced lately",
	    "see why the trace of its path no longer comes" },
	[WAN_PATH_UNKNOWN] = { "no rule knows the hops of its path",
	    "add the network's prefixes or hops to the rules of the path probe" },
};

static void say(struct wan_conclusion *out, const char *why, const char *more,
    const char *detail, const char *cure)
{
	snprintf(out->reason, sizeof(out->reason), "%s%s%s%s%s", why, more ? ", " : "",
	    more ? more : "", detail ? ": " : "", detail ? detail : "");
	text_whole(out->reason);
	snprintf(out->cure, sizeof(out->cure), "%s", cure);
}

static void without_path(const struct wan_rules *r, const struct wan_link *l,
    const char *why, struct wan_conclusion *out)
{
	const struct saying *s = &missing[l->path];
	char more[120];

	snprintf(more, sizeof(more), "but %s", s->reason);
	say(out, why, more, l->path == WAN_PATH_UNKNOWN ? l->path_reason : NULL, s->cure);
	out->answer = r->require_path ? WAN_ANSWER_UNKNOWN : WAN_ANSWER_YES;
	out->confidence = r->require_path ? 0 : r->confidence_no_path;
}

static void by_path(const struct wan_rules *r, const struct wan_link *l, const char *why,
    struct wan_conclusion *out)
{
	char more[120];

	switch (l->path) {
	case WAN_PATH_RIGHT:
		snprintf(more, sizeof(more), "over %s", or_text(l->network, "the WAN"));
		*out = (struct wan_conclusion){ WAN_ANSWER_YES, r->confidence_measured };
		say(out, why, more, l->path_reason, "");
		break;
	case WAN_PATH_OTHER:
		*out = (struct wan_conclusion){ WAN_ANSWER_YES, r->confidence_no_path };
		snprintf(more, sizeof(more), "over %s though it is registered as %s",
		    or_text(l->network, "another network"), or_text(l->kind, "another"));
		say(out, why, more, l->path_reason,
		    "correct the link's kind in the registry, or its routing");
		break;
	case WAN_PATH_WRONG:
		*out = (struct wan_conclusion){ WAN_ANSWER_NO, r->confidence_measured };
		snprintf(more, sizeof(more), "but its traffic runs over %s",
		    or_text(l->network, "another network"));
		say(out, why, more, l->path_reason,
		    "route the office's traffic over the WAN, or correct the link's "
		    "kind");
		break;
	default:
		without_path(r, l, why, out);
	}
}

void wan_connected_link(
    const struct wan_rules *r, const struct wan_link *l, struct wan_conclusion *out)
{
	char why[WAN_TEXT_MAX];
	struct reach reach = reachable(r, l, why);
	bool no = reach.answer == WAN_ANSWER_NO;

	*out = (struct wan_conclusion){ .answer = reach.answer };
	if (reach.answer == WAN_ANSWER_YES) {
		by_path(r, l, why, out);
		out->confidence *= reach.sure;
		out->reachable = true;
		return;
	}
	out->confidence = no ? r->confidence_measured * reach.sure : 0;
	say(out, why, NULL, NULL,
	    no ? "" : "let its own agent or a vantage ping the link's router");
}

void wan_connected_agency(const struct wan_rules *r, const struct wan_link *links,
    size_t n, size_t n_registered, struct wan_conclusion *out)
{
	struct wan_conclusion best = { .answer = WAN_ANSWER_NO, .confidence = -1 };

	*out = (struct wan_conclusion){ .answer = WAN_ANSWER_UNKNOWN };
	if (!n && n_registered) {
		out->answer = WAN_ANSWER_NO;
		say(out, "none of its links is one of the WAN", NULL, NULL, "");
		return;
	}
	if (!n) {
		say(out, "no link of its is registered", NULL, NULL,
		    "enter its links and of which kind they are");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct wan_conclusion c;
		/* yes beats unknown, which beats no; of the same the surer one */
		static const int rank[] = { [WAN_ANSWER_NO] = 0,
			[WAN_ANSWER_UNKNOWN] = 1,
			[WAN_ANSWER_YES] = 2 };

		wan_connected_link(r, &links[i], &c);
		if (rank[c.answer] > rank[best.answer] ||
		    (c.answer == best.answer && c.confidence > best.confidence))
			best = c;
	}
	*out = best;
}
