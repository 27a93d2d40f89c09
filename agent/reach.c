#include "agent/reach.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define EVERY_NS (60 * HT_NS_PER_S)

static void fini(struct reach *r)
{
	if (r->defaults)
		ht_options_fini(r->probes[0].ops->options, r->defaults);
	free(r->defaults);
	r->defaults = NULL;
	ht_targets_fini(&r->list);
}

static ht_err probe_default(struct reach *r, const struct probe_ops *ops)
{
	struct runner_probe *p = &r->probes[0];

	*p = (struct runner_probe){
		.ops = ops,
		.id = ops->name,
		.every_ns = EVERY_NS,
		.timeout_ns = ops->endless ? SCHEDULE_ENDLESS : EVERY_NS,
	};
	snprintf(p->key, sizeof(p->key), "%.31s.%.31s", ops->name, ops->name);
	if (!ops->options)
		return HT_OK;
	r->defaults = calloc(1, ops->options->size);
	p->options = r->defaults;
	return r->defaults ? ht_options_load(ops->options, NULL, NULL, r->defaults, NULL)
			   : HT_NOMEM;
}

static ht_err make(struct reach *r)
{
	const struct options *o = r->options;
	const struct probe_ops *ops = probe_find("reach");
	struct runner_config config = {
		.agent = o->agent.id,
		.probes = r->probes,
		.n_probes = 1,
		.site = &r->site,
		.monitor = r->monitor,
	};
	const struct ht_buf *text = &r->targets->found;

	if (!ops || !text->len)
		return HT_NOTFOUND;
	ht_err err = ht_targets_parse(ht_buf_text(text), text->len, &r->list, NULL);
	if (!err && r->list.n == 0)
		err = HT_NOTFOUND;
	if (!err && o->reach_probe)
		r->probes[0] = *o->reach_probe;
	else if (!err)
		err = probe_default(r, ops);
	if (!err && o->fleet_probe)
		r->probes[config.n_probes++] = *o->fleet_probe;
	if (!err && o->path_probe)
		r->probes[config.n_probes++] = *o->path_probe;
	r->site = o->probe_site;
	r->site.targets = &r->list;
	if (!err)
		err = runner_new(r->loop, &config, r->sink, &r->runner);
	if (!err)
		runner_start(r->runner);
	return err;
}

static const char *why_no_list(const struct options *o)
{
	if (!o->reach.from_server)
		return "reach.from_server is no";
	if (o->own_targets)
		return "a probe reach lists its own targets";
	return "the server has sent none yet";
}

/* Probes that follow the list do nothing without one: said once, for who waits for their
 * readings. */
static void say_waiting(struct reach *r)
{
	const struct options *o = r->options;
	const struct runner_probe *all[] = { o->reach_probe, o->fleet_probe,
		o->path_probe };

	if (r->waits == o)
		return;
	r->waits = o;
	for (size_t i = 0; i < HT_COUNT(all); i++) {
		if (all[i])
			ht_log_warn("reach.wait",
			    "probe=%s id=%s waits=\"for the server's list of targets: "
			    "%s\"",
			    all[i]->ops->name, all[i]->id, why_no_list(o));
	}
}

static void start(struct reach *r)
{
	ht_err err = make(r);

	if (!err)
		ht_log_info(
		    "reach.begin", "targets=%zu self=%zu", r->list.n, r->list.n_self);
	else
		fini(r);
	if (err == HT_NOTFOUND)
		say_waiting(r);
	else if (err)
		ht_log_error("reach.begin", "error=%s", ht_err_name(err));
}

static void ended(void *arg)
{
	struct reach *r = arg;

	r->runner = NULL;
	r->closing = false;
	fini(r);
	if (r->again) {
		r->again = false;
		start(r);
	} else {
		r->closed(r->arg);
	}
}

static void end(struct reach *r)
{
	if (r->closing)
		return;
	r->closing = true;
	runner_close(r->runner, ended, r);
}

/* Give another list to what runs; false: it must begin anew. */
static bool retarget(struct reach *r)
{
	const struct ht_buf *text = &r->targets->found;
	struct ht_targets was = r->list, list = { 0 };

	if (r->closing || !text->len ||
	    ht_targets_parse(ht_buf_text(text), text->len, &list, NULL))
		return false;
	r->list = list;
	if (list.n == 0 || !runner_retarget(r->runner)) {
		r->list = was;
		ht_targets_fini(&list);
		return false;
	}
	ht_targets_fini(&was);
	ht_log_info("reach.retarget", "targets=%zu self=%zu", list.n, list.n_self);
	return true;
}

void reach_begin(
    struct reach *r, const struct options *options, const struct targets *targets)
{
	bool same = r->options == options;

	r->options = options;
	r->targets = targets;
	if (!r->runner) {
		start(r);
	} else if (!same || !retarget(r)) {
		r->again = true;
		end(r);
	}
}

void reach_close(struct reach *r)
{
	r->again = false;
	if (r->runner)
		end(r);
	else
		r->closed(r->arg);
}
