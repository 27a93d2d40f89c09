#include "server/alert/group.h"

#include <string.h>

#include "base/clock.h"

static bool is_one_of(const char *kind, const char *const *kinds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

bool group_is_outage(const char *kind)
{
	static const char *const kinds[] = { "link-down", "link-unreachable",
		"link-unstable" };

	return is_one_of(kind, kinds, HT_COUNT(kinds));
}

bool group_is_consequence(const char *kind)
{
	static const char *const kinds[] = { "agent-silent", "on-backup" };

	return is_one_of(kind, kinds, HT_COUNT(kinds));
}

bool group_is_common(const struct rules_group *g, int64_t n, int64_t total)
{
	return n >= g->members && n * 100 >= total * g->share;
}

bool group_is_better(const struct group_candidate *a, const struct group_candidate *b)
{
	if (a->announced != b->announced)
		return a->announced;
	if (a->opened_ms != b->opened_ms)
		return a->opened_ms < b->opened_ms;
	return strcmp(a->id, b->id) < 0;
}

int64_t group_announce_ms(const struct rules *r, const struct rules_rule *rule,
    int64_t opened_ms, int64_t known_ms, bool crowd)
{
	int64_t at_ms = opened_ms + rule->hold_ns / HT_NS_PER_MS;
	int64_t earliest = known_ms;

	if (known_ms - opened_ms > GROUP_LATE_MS)
		earliest += GROUP_SETTLE_MS;
	else if (crowd)
		earliest += rule->gather_ns / HT_NS_PER_MS;
	return rules_next_open_ms(r, rule, at_ms > earliest ? at_ms : earliest);
}
