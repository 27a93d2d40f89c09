#include <string.h>

#include "probes/probe.h"

enum { NAME_EDITS_MAX = 3, NAME_LEN_MAX = 40 };

/* Every probe there is, one line each: declaration here, row below. */
extern const struct probe_ops probe_dns;
extern const struct probe_ops probe_http;
extern const struct probe_ops probe_icmp;
extern const struct probe_ops probe_lan_arp;
extern const struct probe_ops probe_lan_passive;
extern const struct probe_ops probe_link_local;
extern const struct probe_ops probe_path;
extern const struct probe_ops probe_posture_host;
extern const struct probe_ops probe_reach;
extern const struct probe_ops probe_selftest;
extern const struct probe_ops probe_snmp_fleet;
extern const struct probe_ops probe_snmp_interfaces;
extern const struct probe_ops probe_tcp;
extern const struct probe_ops probe_throughput;

/* clang-format off */
const struct probe_ops *const probe_registry[] = {
	&probe_dns,
	&probe_http,
	&probe_icmp,
	&probe_lan_arp,
	&probe_lan_passive,
	&probe_link_local,
	&probe_path,
	&probe_posture_host,
	&probe_reach,
	&probe_selftest,
	&probe_snmp_fleet,
	&probe_snmp_interfaces,
	&probe_tcp,
	&probe_throughput,
};
/* clang-format on */
const size_t probe_registry_len = HT_COUNT(probe_registry);

const struct probe_ops *probe_find(const char *name)
{
	for (size_t i = 0; i < probe_registry_len; i++) {
		if (strcmp(probe_registry[i]->name, name) == 0)
			return probe_registry[i];
	}
	return NULL;
}

/* Levenshtein distance of two short names. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t row[NAME_LEN_MAX + 1];

	if (la > NAME_LEN_MAX || lb > NAME_LEN_MAX)
		return NAME_LEN_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t above = row[j];
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *probe_nearest(const char *name)
{
	const char *best = NULL;
	size_t least = NAME_EDITS_MAX + 1;

	for (size_t i = 0; i < probe_registry_len; i++) {
		size_t d = distance(name, probe_registry[i]->name);

		if (d < least) {
			least = d;
			best = probe_registry[i]->name;
		}
	}
	return best;
}
