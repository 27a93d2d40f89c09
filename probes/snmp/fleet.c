/* snmp.fleet: thousands of devices, each polled in its own time. The pure plan of
 * fleet_plan.h decides who is next, fleet_poll.c polls; here is who is in it. */
#include "probes/snmp/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "probes/snmp/sightings.h"

enum {
	ASIDE_PART = 4,          /* of the places, for silent and slow devices */
	OTHER_DESCRIPTORS = 256, /* of the process */
	TABLES_MAX = 16 << 20,   /* bytes, besides a small table for each place */
};

/* ---- who is in it ---- */

static struct fleet_device *new_device(const struct fleet_target *t)
{
	struct fleet_device *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->target = *t;
	snprintf(d->id, sizeof(d->id), "%s", t->id);
	d->target.id = d->id;
	return d;
}

static bool same_device(const struct fleet_target *a, const struct fleet_target *b)
{
	return ht_addr_equal(&a->addr, &b->addr) && a->port == b->port &&
	       a->credentials == b->credentials;
}

/* The devices of `targets`, those that are in `r` already taken from there; both are
 * sorted by id. was[i] is device i's old place. */
static ht_err match(const struct fleet_run *r, const struct fleet_target *targets,
    size_t n, struct fleet_device **out, uint32_t *was)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		while (k < r->n && strcmp(r->devices[k]->id, targets[i].id) < 0)
			k++;
		bool old = k < r->n && strcmp(r->devices[k]->id, targets[i].id) == 0 &&
			   same_device(&r->devices[k]->target, &targets[i]);

		was[i] = old ? (uint32_t)k : FLEET_NEW;
		out[i] = old ? r->devices[k] : new_device(&targets[i]);
		if (!out[i])
			return HT_NOMEM;
	}
	return HT_OK;
}

static ht_err plan(const struct fleet_run *r, size_t n, struct fleet_plan **out)
{
	const struct fleet_options *o = r->o;
	int64_t now = ht_mono_ns(), left = (r->host->deadline_ns - now) / 2;
	size_t at_once = (size_t)o->at_once;
	struct fleet_plan_config c = { .every_ns = o->interval_ns,
		.spread_ns = left < o->interval_ns ? left / 2 : o->interval_ns,
		.back_off_max_ns = o->back_off_ns,
		.at_once = at_once,
		.aside_at_once = at_once > ASIDE_PART ? at_once / ASIDE_PART : 1 };

	if (getrandom(&c.seed, sizeof(c.seed), GRND_NONBLOCK) != sizeof(c.seed))
		return HT_AGAIN;
	return fleet_plan_new(&c, n, now, out);
}

/* Devices that are not in the new list; a poll under way ends first. */
static void drop_gone(
    struct fleet_run *r, struct fleet_device **old, size_t n_old, const uint32_t *was)
{
	bool *stays = calloc(n_old + 1, sizeof(*stays));

	for (size_t i = 0; stays && i < r->n; i++) {
		if (was[i] != FLEET_NEW)
			stays[was[i]] = true;
	}
	for (size_t k = 0; k < n_old; k++) {
		struct fleet_device *d = old[k];

		if (!stays || stays[k])
			continue;
		d->gone = true;
		if (!d->poll)
			fleet_free_device(r, d);
		else if (!d->poll->ending)
			fleet_end_poll(d->poll, FLEET_SILENT);
	}
	free(stays);
}

/* Poll what the options or the server's list say now. On failure all stays as it was. */
static ht_err set_devices(struct fleet_run *r)
{
	const struct probe_site *site = r->host->site;
	struct fleet_target *targets = NULL;
	struct fleet_plan *p = NULL;
	size_t n = 0, n_old = r->n;
	ht_err err = fleet_targets(r->o, site ? site->targets : NULL, &targets, &n);
	struct fleet_device **old = r->devices,
			    **devices = err ? NULL : calloc(n + 1, sizeof(*devices));
	uint32_t *was = calloc(n + 1, sizeof(*was));

	if (!err && (!devices || !was))
		err = HT_NOMEM;
	if (!err)
		err = match(r, targets, n, devices, was);
	if (!err)
		err = plan(r, n, &p);
	if (err) {
		for (size_t i = 0; devices && was && i < n; i++) {
			if (was[i] == FLEET_NEW)
				free(devices[i]);
		}
		free(devices);
	} else {
		if (r->plan)
			fleet_plan_inherit(p, r->plan, was);
		fleet_plan_free(r->plan);
		r->plan = p;
		r->devices = devices;
		r->n = n;
		for (size_t i = 0; i < n; i++) {
			devices[i]->index = i;
			devices[i]->target = targets[i];
			devices[i]->target.id = devices[i]->id;
		}
		drop_gone(r, old, n_old, was);
		free(old);
		ht_log_info("snmp.fleet", "devices=%zu", n);
	}
	free(targets);
	free(was);
	return err;
}

/* ---- start and end ---- */

static ht_err read_keys(struct fleet_run *r)
{
	const struct fleet_credentials *rows = r->o->credentials.at;
	size_t n = r->o->credentials.n;

	r->keys = calloc(n + 1, sizeof(*r->keys));
	if (!r->keys)
		return HT_NOMEM;
	for (size_t i = 0; i < n; i++) {
		struct fleet_key *k = &r->keys[i];

		k->usable = credentials_read(&rows[i].secrets, &k->c, &k->why) == HT_OK;
		if (!k->usable)
			ht_log_error("snmp.fleet", "credentials=%s fault=\"%s\"",
			    rows[i].name, k->why.text);
	}
	return HT_OK;
}

static void release(struct fleet_run *r)
{
	for (size_t i = 0; i < r->n; i++)
		fleet_free_device(r, r->devices[i]);
	for (size_t i = 0; r->keys && i < r->o->credentials.n; i++)
		credentials_fini(&r->keys[i].c);
	free(r->devices);
	free(r->keys);
	free(r->polls);
	fleet_plan_free(r->plan);
	r->n = 0;
}

/* A descriptor for each poll, and one more where an engine must be discovered: often more
 * than a process is given at first, but not more than it may have. */
static void raise_descriptors(const struct fleet_run *r)
{
	rlim_t need = (rlim_t)r->o->at_once * 2 + OTHER_DESCRIPTORS;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= need)
		return;
	l.rlim_cur = need < l.rlim_max ? need : l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur < need)
		ht_log_warn("snmp.fleet",
		    "note=\"at_once may need %llu descriptors, there are %llu\" "
		    "cure=\"raise LimitNOFILE or lower at_once\"",
		    (unsigned long long)need, (unsigned long long)l.rlim_cur);
}

static ht_err fleet_start(void *run, const void *options, const struct probe_host *host)
{
	struct fleet_run *r = run;

	r->o = options;
	r->host = host;
	ht_err err = read_keys(r);

	if (!err) {
		r->polls = calloc((size_t)r->o->at_once, sizeof(*r->polls));
		err = r->polls ? set_devices(r) : HT_NOMEM;
	}
	if (err) {
		release(r);
		return err;
	}
	for (size_t i = (size_t)r->o->at_once; i-- > 0;) {
		struct fleet_poll *p = &r->polls[i];

		p->run = r;
		uv_timer_init(host->loop, &p->deadline);
		p->deadline.data = p;
		p->next_free = r->free_polls;
		r->free_polls = p;
	}
	r->budget.max = TABLES_MAX + (size_t)r->o->at_once * TABLE_SMALL;
	raise_descriptors(r);
	gate_init(&r->gate, host->loop, r->o->packets_per_s);
	uv_timer_init(host->loop, &r->timer);
	r->gate.timer.data = r->timer.data = r;
	uv_timer_start(&r->timer, fleet_on_timer, 0, 0);
	return HT_OK;
}

static ht_err fleet_retarget(void *run, const void *options)
{
	struct fleet_run *r = run;

	(void)options; /* the same as before: another list only */
	if (r->over)
		return HT_INVALID;
	ht_err err = set_devices(r);

	if (!err)
		fleet_pump(r);
	return err;
}

void fleet_closed_one(struct fleet_run *r)
{
	if (--r->n_closing)
		return;
	release(r);
	r->closed(r->closed_arg);
}

static void on_handle_closed(uv_handle_t *h)
{
	fleet_closed_one(h->data);
}

static void on_poll_timer_closed(uv_handle_t *h)
{
	fleet_closed_one(((struct fleet_poll *)h->data)->run);
}

static void fleet_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct fleet_run *r = run;

	if (r->closed)
		return;
	r->over = true;
	r->closed = closed;
	r->closed_arg = arg;
	r->n_closing = 2;
	for (size_t i = 0; i < (size_t)r->o->at_once; i++) {
		struct fleet_poll *p = &r->polls[i];

		r->n_closing++;
		if (p->ending)
			r->n_closing++; /* on_device_closed is still to come */
		else if (p->of)
			fleet_end_poll(p, FLEET_UNFINISHED);
		uv_close((uv_handle_t *)&p->deadline, on_poll_timer_closed);
	}
	gate_close(&r->gate, on_handle_closed);
	uv_close((uv_handle_t *)&r->timer, on_handle_closed);
}

static const enum ht_metric fleet_metrics[] = { REPORT_METRICS, SIGHTINGS_METRICS };

const struct probe_ops probe_snmp_fleet = {
	.name = "snmp.fleet",
	.help = "interfaces of thousands of devices by SNMP, each in its own time",
	.metrics = fleet_metrics,
	.n_metrics = HT_COUNT(fleet_metrics),
	.options = &fleet_options,
	.run_size = sizeof(struct fleet_run),
	.continuous = true,
	.endless = true,
	.start = fleet_start,
	.cancel = fleet_cancel,
	.retarget = fleet_retarget,
	.check = fleet_check,
};
