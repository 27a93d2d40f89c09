/* What probes ask the server (mqtt/PROTOCOL.md, section 6, requests): sent on `reply`
 * under an id of our own, answered by the command `answer`. One for all runners of an
 * agent; lives on the loop. */
#ifndef HT_AGENT_INQUIRE_H
#define HT_AGENT_INQUIRE_H

#include "base/err.h"
#include "mqtt/control.h"
#include "probes/probe.h"

#define INQUIRE_MAX     16 /* that wait for their answers */
#define INQUIRE_WAIT_NS (20 * HT_NS_PER_S)

struct inquiry {
	char id[CONTROL_ID_MAX + 1]; /* "": free */
	void (*answer)(void *arg, const struct probe_answer *answer);
	void *arg;
	int64_t until_ns;
};

struct inquiries {
	/* Sends one message to the server; HT_AGAIN when that is not there. */
	ht_err (*send)(void *arg, const char *json, size_t len);
	void *arg;
	struct inquiry at[INQUIRE_MAX];
};

/* As probe_host's ask_server. `now_ns` is ht_mono_ns(). */
HT_MUST_CHECK ht_err inquire(struct inquiries *q, const char *request,
    const struct probe_field *fields, size_t n, int64_t now_ns,
    void (*answer)(void *arg, const struct probe_answer *answer), void *arg);

/* Who asked with this `arg` waits no longer. */
void inquire_forget(struct inquiries *q, void *arg);

/* The server's command `answer`. HT_NOTFOUND: nobody waits for it (any more). */
HT_MUST_CHECK ht_err inquire_answered(struct inquiries *q, const struct control_cmd *c);

/* Now and then: what was not answered in time is answered HT_TIMEOUT. */
void inquire_tick(struct inquiries *q, int64_t now_ns);

#endif
