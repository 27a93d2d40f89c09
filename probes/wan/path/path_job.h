/* One way traced and told: from a name or address to the readings path/<instance>/… It
 * starts, emits once, closes what it opened, and says so; then it may start again.
 *
 * The owner fills host, settings and ended, and zeroes the rest. All on the loop. */
#ifndef HT_PROBES_WAN_JOB_H
#define HT_PROBES_WAN_JOB_H

#include "probes/probe.h"
#include "probes/wan/path/path_rules.h"
#include "probes/wan/resolve.h"
#include "probes/wan/path/trace_socket.h"

struct path_settings {
	enum trace_method method;
	uint16_t port; /* 0 for icmp */
	int family;    /* of a name's addresses: AF_UNSPEC, AF_INET, AF_INET6 */
	uint8_t ttl_max, per_hop, silent_max, window;
	int64_t wait_ns, gap_ns;
	int64_t deadline_ns; /* what is missing by then is told as missing */
	struct path_rules rules;
};

extern const char *const path_method_names[]; /* of enum trace_method, NULL at the end */

struct path_job {
	const struct probe_host *host;
	const struct path_settings *settings;
	/* It is closed; `cut`: the deadline came first. From the loop, once a start. */
	void (*ended)(struct path_job *j);
	void *owner;
	bool keep_cut; /* say nothing of a trace that the deadline cuts */

	/* its own */
	const char *instance;
	struct resolve *resolve;
	struct sockaddr_storage to;
	struct trace_socket socket;
	struct trace trace;
	uv_timer_t timer;
	bool active, opened, finished, cut;
	size_t n_closing;
	int64_t started_ns;
	char target[HT_ADDR_TEXT];
};

/* `instance` is borrowed until it has ended, `target` for the call. */
void path_job_start(struct path_job *j, const char *instance, const char *target);

/* End without a word; `ended` comes from the loop. Not for one that is not active. */
void path_job_cancel(struct path_job *j);

#endif
