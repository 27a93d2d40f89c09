#include "agent/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/oneshot.h"
#include "agent/propose.h"
#include "agent/remote_set.h"
#include "agent/renew.h"
#include "base/log.h"
#include "mqtt/control.h"

/* A probe that a command runs; one at a time. */
struct command_probe {
	struct agent *agent;
	struct options *options; /* its own: a reload must not take them away */
	struct oneshot once;
	char id[CONTROL_ID_MAX + 1];
};

static void reply_send(struct agent *a, const struct control_reply *r)
{
	struct ht_buf b;

	ht_buf_init(&b, CONTROL_MESSAGE_MAX);
	ht_err err = control_reply_encode(r, &b);
	if (!err && a->publish)
		err = publish_reply(a->publish, ht_buf_text(&b), b.len);
	if (err)
		ht_log_warn("command.reply", "id=%s error=%s", r->id, ht_err_name(err));
	ht_buf_fini(&b);
}

static void reply(
    struct agent *a, const char *id, ht_err err, const char *why, char *text)
{
	struct control_reply r = { .ok = !err, .text = text };

	snprintf(r.id, sizeof(r.id), "%s", id);
	if (err)
		snprintf(r.error, sizeof(r.error), "%s",
		    why && why[0] ? why : ht_err_name(err));
	reply_send(a, &r);
}

/* ── config ───────────────────────────────────────────────────────────────────────── */

static void run_config(struct agent *a, const struct control_cmd *c)
{
	char hash[FINGERPRINT_LEN + 1];
	struct ht_fault fault = { 0 };
	size_t len = strlen(c->yaml);
	ht_err err = fingerprint_sha256(c->yaml, len, hash);

	if (!err && strcmp(hash, c->hash) != 0)
		err = ht_fault_set(
		    &fault, HT_MALFORMED, "the hash is not that of the yaml");
	/* Already in force (the command was sent twice): nothing to do. */
	if (!err && strcmp(hash, a->options->approved_hash) != 0)
		err = agent_reload(a, c->yaml, len, &fault);
	ht_log_info("command.config", "hash=%.12s ok=%s fault=\"%s\"", c->hash,
	    err ? "no" : "yes", fault.text);
	reply(a, c->id, err, fault.text, NULL);
}

/* ── probe ────────────────────────────────────────────────────────────────────────── */

static void probe_free(struct command_probe *p)
{
	p->agent->command = NULL;
	oneshot_fini(&p->once);
	options_free(p->options);
	free(p);
}

static void probe_done(struct oneshot *once, void *arg)
{
	struct command_probe *p = arg;
	struct agent *a = p->agent;
	struct ht_buf b;

	if (!a->stopping) {
		ht_buf_init(&b, CONTROL_TEXT_MAX - 1);
		ht_err err = oneshot_encode(once, SENML_JSON, a->options->agent.id, &b);
		if (!err && once->n == 0)
			ht_buf_puts(&b, "[]");
		if (!err)
			err = ht_buf_err(&b);
		if (!err && !once->ok)
			err = HT_TIMEOUT;
		reply(a, p->id, err, NULL, err ? NULL : (char *)b.data);
		ht_buf_fini(&b);
	}
	probe_free(p);
}

static ht_err probe_options(struct command_probe *p, const struct control_cmd *c,
    struct runner_probe *out, struct ht_fault *fault)
{
	char texts[CONTROL_PAIRS_MAX][CONTROL_WORD_MAX + CONTROL_VALUE_MAX + 2];
	char *sets[CONTROL_PAIRS_MAX];
	ht_err err = options_load(p->agent->file, NULL, 0, &p->options, fault);

	if (!err)
		err = remote_set_check(p->options, c->name, c->set, c->n_set, fault);
	for (size_t i = 0; i < c->n_set; i++) {
		snprintf(
		    texts[i], sizeof(texts[i]), "%s=%s", c->set[i].key, c->set[i].value);
		sets[i] = texts[i];
	}
	return err ? err : options_probe(p->options, c->name, sets, c->n_set, out, fault);
}

static void run_probe(struct agent *a, const struct control_cmd *c)
{
	struct runner_probe probe;
	struct ht_fault fault = { 0 };

	if (a->command) {
		reply(a, c->id, HT_AGAIN, "another probe is being run; ask again", NULL);
		return;
	}
	struct command_probe *p = calloc(1, sizeof(*p));
	if (!p)
		return;
	p->agent = a;
	snprintf(p->id, sizeof(p->id), "%s", c->id);
	a->command = p;
	ht_err err = probe_options(p, c, &probe, &fault);
	if (!err)
		err = oneshot_start(&p->once, &a->loop, &probe, &p->options->probe_site,
		    a->monitor, a->publish ? &a->inquiries : NULL,
		    probe.ops->spends ? &a->sink : NULL, probe_done, p);
	if (err) {
		reply(a, c->id, err, fault.text, NULL);
		probe_free(p);
	}
}

void command_cancel(struct agent *a)
{
	if (a->command)
		oneshot_cancel(&a->command->once);
}

/* ── targets ──────────────────────────────────────────────────────────────────────── */

static void run_targets(struct agent *a, const struct control_cmd *c)
{
	struct control_reply r = { .n_fields = 1 };
	struct ht_fault fault = { 0 };
	int64_t next = 0;
	bool changed;
	ht_err err = targets_take(&a->targets, a->options, c, &next, &changed, &fault);

	if (err || changed)
		ht_log_info("command.targets",
		    "hash=%.12s targets=%zu ok=%s fault=\"%s\"", c->hash,
		    a->targets.list.n, err ? "no" : "yes", fault.text);
	if (err) {
		reply(a, c->id, err, fault.text, NULL);
		return;
	}
	if (changed)
		agent_targets(a);
	r.ok = true;
	snprintf(r.id, sizeof(r.id), "%s", c->id);
	snprintf(r.fields[0].key, sizeof(r.fields[0].key), "next");
	snprintf(r.fields[0].value, sizeof(r.fields[0].value), "%lld", (long long)next);
	reply_send(a, &r);
}

/* ── propose ──────────────────────────────────────────────────────────────────────── */

static void run_propose(struct agent *a, const struct control_cmd *c)
{
	struct ht_buf b;

	ht_buf_init(&b, PROPOSE_BYTES_MAX);
	ht_err err = propose_build(&b);
	reply(a, c->id, err, NULL, err ? NULL : (char *)b.data);
	if (!err)
		agent_propose(a);
	ht_buf_fini(&b);
}

/* ── certificate ──────────────────────────────────────────────────────────────────── */

static void run_certificate(struct agent *a, const struct control_cmd *c)
{
	struct ht_fault fault = { 0 };
	ht_err err = renew_take(a, c, &fault);

	ht_log_info(
	    "command.certificate", "ok=%s fault=\"%s\"", err ? "no" : "yes", fault.text);
	reply(a, c->id, err, fault.text, NULL);
}

/* ── answer ───────────────────────────────────────────────────────────────────────── */

/* The server takes back what nobody waits for any more. */
static void run_answer(struct agent *a, const struct control_cmd *c)
{
	ht_err err = inquire_answered(&a->inquiries, c);

	reply(a, c->id, err, "nobody waits for that answer", NULL);
}

/* ── */

void command_run(struct agent *a, const void *bytes, size_t len)
{
	struct control_cmd c;
	ht_err err = control_cmd_decode(bytes, len, &c);

	if (err) {
		ht_log_warn("command.bad", "error=%s bytes=%zu", ht_err_name(err), len);
		return;
	}
	switch (c.verb) {
	case CONTROL_CONFIG:
		run_config(a, &c);
		break;
	case CONTROL_PROBE:
		run_probe(a, &c);
		break;
	case CONTROL_CERTIFICATE:
		run_certificate(a, &c);
		break;
	case CONTROL_TARGETS:
		run_targets(a, &c);
		break;
	case CONTROL_ANSWER:
		run_answer(a, &c);
		break;
	case CONTROL_PROPOSE:
		run_propose(a, &c);
		break;
	default:
		reply(
		    a, c.id, HT_UNSUPPORTED, "this agent does not know that verb", NULL);
	}
	control_cmd_fini(&c);
}
