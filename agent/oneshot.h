/* One run of one probe with its readings kept: for the `probe` verb and for the `probe`
 * command of the server. On a borrowed loop; nothing is spooled. */
#ifndef HT_AGENT_ONESHOT_H
#define HT_AGENT_ONESHOT_H

#include "agent/options.h"
#include "base/buf.h"
#include "mqtt/senml.h"

#define ONESHOT_LISTEN_NS    (10 * HT_NS_PER_S) /* of a probe that never ends by itself */
#define ONESHOT_READINGS_MAX SENML_RECORDS_MAX

struct oneshot_reading {
	struct ht_reading reading; /* instance and string point into `texts` */
	size_t instance, string;
};

struct oneshot {
	struct runner *runner;
	struct runner_probe probe;
	struct oneshot_reading *readings;
	size_t n, cap;
	size_t dropped; /* beyond ONESHOT_READINGS_MAX */
	struct ht_buf texts;
	const struct runner_sink *memories;
	bool ended, ok;
	/* Called from the loop when the run is over and its runner is closed; NULL ok. */
	void (*done)(struct oneshot *o, void *arg);
	void *arg;
};

/* Start; all borrowed until done. `memories`: what runs remember is of that sink (recall,
 * remember, keep and ended are called), so that what this one spends is not forgotten;
 * NULL: it remembers nothing, and nothing is kept. */
HT_MUST_CHECK ht_err oneshot_start(struct oneshot *o, uv_loop_t *loop,
    const struct runner_probe *probe, const struct probe_site *site,
    struct monitor *monitor, struct inquiries *inquiries,
    const struct runner_sink *memories, void (*done)(struct oneshot *o, void *arg),
    void *arg);

/* Append the readings as SenML to `out`; HT_FULL when a pack cannot hold them. */
HT_MUST_CHECK ht_err oneshot_encode(const struct oneshot *o, enum senml_format format,
    const char *agent, struct ht_buf *out);

/* End the run early; done is still called, from the loop. */
void oneshot_cancel(struct oneshot *o);

void oneshot_fini(struct oneshot *o); /* after done; accepts a zeroed one */

/* The value as text for people. */
void oneshot_value(const struct oneshot_reading *r, char *out, size_t cap);

#endif
