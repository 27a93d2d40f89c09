#include "probes/wan/path/path_report.h"

#include <errno.h>
#include <stdio.h>

const char *path_report_errno(int err_no)
{
	switch (err_no) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		return "unreachable";
	case EPERM:
	case EACCES:
		return "denied";
	default:
		return "error";
	}
}

const char *path_report_status(const struct trace *t)
{
	switch (t->end) {
	case TRACE_REACHED:
		return "ok";
	case TRACE_UNREACHABLE:
		return "unreachable";
	case TRACE_UNSENDABLE:
		return path_report_errno(t->err_no);
	default:
		return trace_reach(t) ? "incomplete" : "timeout";
	}
}

enum path_network path_report_network(const struct trace *t,
    const struct path_rules *rules, char out[static PATH_REASON_MAX])
{
	struct path_hop hops[TRACE_TTL_MAX];
	const struct path_way way = {
		.hops = hops, .n = trace_n_hops(t), .target = &t->plan.target
	};
	struct path_verdict v;
	char words[256] = "";
	uint32_t forged = t->ignored.forged;

	for (size_t i = 0; i < way.n; i++)
		hops[i] = (struct path_hop){ t->hops[i].from, t->hops[i].n };
	path_rules_judge(rules, &way, &v);
	if (t->end != TRACE_REACHED)
		trace_end_words(t, words, sizeof(words));
	int len = snprintf(out, PATH_REASON_MAX, "%s%s%s", v.reason,
	    words[0] ? "; the trace " : "", words);

	if (forged)
		snprintf(out + len, PATH_REASON_MAX - (size_t)len,
		    "; %u forged answer%s ignored", forged,
		    forged == 1 ? " was" : "s were");
	return v.network;
}
