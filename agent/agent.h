/* The running agent: it owns the loop and every module on it, in the order that they
 * start and, backwards, end. One a process. */
#ifndef HT_AGENT_AGENT_H
#define HT_AGENT_AGENT_H

#include <sys/types.h>
#include <uv.h>

#include "agent/collect.h"
#include "agent/fingerprint.h"
#include "agent/inquire.h"
#include "agent/options.h"
#include "agent/publish.h"
#include "agent/reach.h"
#include "agent/runner.h"
#include "agent/targets.h"

struct status_server;
struct command_probe;

struct agent {
	uv_loop_t loop;
	const char *file; /* of the configuration */
	struct options *options;
	struct monitor *monitor;
	struct worker *worker;
	struct collect *collect;
	struct publish *publish;    /* NULL without a broker in the configuration */
	struct inquiries inquiries; /* of probes to the server */
	struct runner *runner;
	struct runner_sink sink;
	struct reach reach; /* the one probe that follows the server's list */
	struct status_server *status;
	struct targets targets;        /* that the server sent */
	struct command_probe *command; /* a probe that the server asked for, or NULL */
	uv_timer_t timer;
	uv_timer_t urgent; /* runs when the turn that emitted something urgent ends */
	uv_signal_t hup, term, intr;

	char boot[HT_BOOT_ID_LEN + 1];
	char session[PROPS_HEX_LEN + 1];
	char fingerprint[FINGERPRINT_LEN + 1];
	struct spool_stats stats;
	int64_t started_ns;

	/* The clock watch. */
	int64_t clock_offset_ms; /* wall minus mono */
	bool clock_known, clock_synchronised;

	int64_t health_ns, trim_ns, gaps_ns, propose_ns; /* when each is next */
	int64_t look_ns;    /* when the targets' words are looked up anew */
	int64_t renew_ns;   /* when our certificate is looked at next */
	bool renew_connect; /* a new one is there: connect with it */
	bool trimming, listing_gaps;
	struct options *next_options; /* a reload that waits for the old runner's end */
	bool stopping;
	int stop_phase;
	int64_t stop_ns, drain_ns;
	int exit_code;
};

/* Run until TERM or INT; the exit code. `file` is the configuration's. */
int agent_run(const char *file);

/* Load the configuration anew (and put `approved` into force first when it is not NULL):
 * the old one stays on error. Also what HUP does. */
HT_MUST_CHECK ht_err agent_reload(
    struct agent *a, const void *approved, size_t len, struct ht_fault *fault);

/* Another list of targets is in force: ping that, and say so. */
void agent_targets(struct agent *a);

/* Emit a reading of the agent on itself; instance "self". */
void agent_say(struct agent *a, enum ht_metric m, const char *text);

/* Emit the reading agent/config/proposal. */
void agent_propose(struct agent *a);

void agent_clock(void *agent, struct spool_now *out);

#endif
