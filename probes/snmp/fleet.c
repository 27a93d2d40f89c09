/* snmp.fleet: thousands of devices, each polled in its own time. Sessions and readings
 * around the pure plan of fleet_plan.h, which decides who is next. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "probes/probe.h"
#include "probes/snmp/device.h"
#include "probes/snmp/fleet_options.h"
#include "probes/snmp/fleet_plan.h"
#include "probes/snmp/report.h"
#include "probes/snmp/sightings.h"

enum {
	ROWS_MAX = 10000,
	INTERRUPTIONS_MAX = 10, /* then what was read is told, and it begins anew */
	KEPT_MAX = 256,         /* tables of interrupted polls, altogether */
	ASIDE_PART = 4,         /* of the places, for silent and slow devices */
	SILENT_RETRIES = 1,
};
#define END_MARGIN_NS (200 * HT_NS_PER_MS) /* to end before we are cancelled */

struct fleet_run;
struct poll;

struct fleet_device {
	char id[HT_INSTANCE_MAX + 1];
	struct fleet_target target; /* its id is ours */
	size_t index;               /* in the plan */
	struct device_memory memory;
	struct poll *poll; /* under way, or NULL */
	bool gone;         /* from the list; freed when its poll is closed */
	/* An interrupted poll, to go on with. */
	struct device_place *place;
	struct table *table;
	int interruptions;
	/* What was said last in the log. */
	const char *said;
	uint32_t said_left_out;
};

struct poll {
	struct fleet_run *run;
	struct fleet_device *of;
	struct device *device;
	struct table *table;
	uv_timer_t deadline;
	enum fleet_end end;
	bool ending;
	struct poll *next_free;
};

struct key { /* credentials, or why there are none */
	struct credentials c;
	struct ht_fault why;
	bool usable;
};

struct fleet_run {
	const struct fleet_options *o;
	const struct probe_host *host;
	struct fleet_device **devices; /* sorted by id */
	size_t n;
	struct fleet_plan *plan;
	struct key *keys;
	struct poll *polls, *free_polls;
	size_t n_kept;
	struct gate gate;
	uv_timer_t timer;
	bool over;
	size_t n_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- what is told of a device ---- */

static uint32_t left_out(const struct device_memory *m)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < MIB_COUNT; i++)
		bits |= m->left_out[i] ? MIB_BIT(i) : 0;
	return bits;
}

/* One line when a device turns bad or good again, or a table of it is given up. */
static void log_change(struct fleet_device *d, const char *status, const char *reason)
{
	uint32_t out = left_out(&d->memory);
	bool first_good = !d->said && strcmp(status, "ok") == 0;

	if (d->said && strcmp(d->said, status) == 0 && d->said_left_out == out)
		return;
	d->said = status;
	d->said_left_out = out;
	if (!first_good)
		ht_log_info("snmp.device", "id=%s status=%s reason=\"%s\"", d->id, status,
		    reason);
}

static void tell(struct fleet_run *r, struct fleet_device *d, struct table *t,
    const unsigned *requests, const char *status, const char *reason)
{
	char address[HT_ADDR_TEXT];
	const struct report report = { .host = r->host,
		.device = d->id,
		.target = address,
		.status = status,
		.reason = reason,
		.requests = requests,
		.link_interface = d->target.link_interface };

	ht_addr_format(&d->target.addr, address);
	report_poll(&report, t);
	if (r->o->arp)
		sightings_emit(r->host, &t->neighbours);
	log_change(d, status, reason);
}

/* Only that, and why; there is nothing read to tell. */
static void tell_status(
    struct fleet_run *r, struct fleet_device *d, const char *status, const char *reason)
{
	struct table none;

	table_init(&none, 0);
	tell(r, d, &none, NULL, status, reason);
	table_fini(&none);
}

/* ---- tables of polls ---- */

static void free_table(struct table *t)
{
	if (t)
		table_fini(t);
	free(t);
}

static struct table *new_table(void)
{
	struct table *t = malloc(sizeof(*t));

	if (t)
		table_init(t, ROWS_MAX);
	return t;
}

/* What an interrupted poll kept, for the next one. */
static struct table *take_kept(struct fleet_run *r, struct fleet_device *d)
{
	struct table *t = d->table;

	d->table = NULL;
	r->n_kept -= t != NULL;
	return t;
}

static void forget_kept(struct fleet_run *r, struct fleet_device *d)
{
	device_place_free(d->place);
	d->place = NULL;
	free_table(take_kept(r, d));
}

static void free_device(struct fleet_run *r, struct fleet_device *d)
{
	forget_kept(r, d);
	free(d);
}

/* ---- polls ---- */

static void pump(struct fleet_run *r);
static void closed_one(struct fleet_run *r);

static void on_device_closed(void *arg)
{
	struct poll *p = arg;
	struct fleet_run *r = p->run;
	struct fleet_device *d = p->of;

	p->device = NULL;
	p->ending = false;
	p->of = NULL;
	p->next_free = r->free_polls;
	r->free_polls = p;
	d->poll = NULL;
	if (d->gone)
		free_device(r, d);
	else
		fleet_plan_ended(r->plan, d->index, p->end, ht_mono_ns());
	if (r->closed)
		closed_one(r);
	else
		pump(r);
}

static void end_poll(struct poll *p, enum fleet_end end)
{
	uv_timer_stop(&p->deadline);
	free_table(p->table);
	p->table = NULL;
	p->end = end;
	p->ending = true;
	if (p->run->closed)
		p->run->n_closing++;
	device_close(p->device, on_device_closed, p);
}

static void on_polled(void *arg, enum device_status status)
{
	struct poll *p = arg;
	unsigned requests = device_requests(p->device);
	bool answered = status == DEVICE_OK || status == DEVICE_PARTIAL;

	p->of->interruptions = 0;
	tell(p->run, p->of, p->table, &requests, device_status_name(status),
	    device_reason(p->device));
	end_poll(p, answered ? FLEET_ANSWERED : FLEET_SILENT);
}

/* Its time is over: the place is kept, unless it has been kept too often. */
static void on_deadline(uv_timer_t *timer)
{
	struct poll *p = timer->data;
	struct fleet_run *r = p->run;
	struct fleet_device *d = p->of;
	unsigned requests = device_requests(p->device);
	char reason[DEVICE_REASON_MAX];
	struct device_place *place = device_interrupt(p->device);

	if (place && ++d->interruptions <= INTERRUPTIONS_MAX && r->n_kept < KEPT_MAX) {
		snprintf(reason, sizeof(reason),
		    "slow: not read whole within %.0f s; goes on where it stopped",
		    (double)r->o->deadline_ns / HT_NS_PER_S);
		d->place = place;
		d->table = p->table;
		p->table = NULL;
		r->n_kept++;
		tell_status(r, d, "partial", reason);
		end_poll(p, FLEET_UNFINISHED);
		return;
	}
	bool begun = place != NULL;

	device_place_free(place);
	d->interruptions = 0;
	snprintf(reason, sizeof(reason),
	    begun ? "slow: never read whole, %.0f s at a time"
		  : "no answer within %.0f s",
	    (double)r->o->deadline_ns / HT_NS_PER_S);
	tell(r, d, p->table, &requests, begun ? "partial" : "timeout", reason);
	end_poll(p, begun ? FLEET_UNFINISHED : FLEET_SILENT);
}

static ht_err open_poll(struct fleet_run *r, struct poll *p, struct fleet_device *d)
{
	struct sockaddr_storage to;
	socklen_t len;
	bool silent = fleet_plan_silences(r->plan, d->index) > 0;
	struct device_place *place = d->place;

	ht_addr_sockaddr(&d->target.addr, d->target.port, &to, &len);
	const struct device_config config = { .to = (struct sockaddr *)&to,
		.credentials = &r->keys[d->target.credentials].c,
		.gate = &r->gate,
		.wait_ns = r->o->wait_ns,
		.retries = silent && r->o->retries > SILENT_RETRIES ? SILENT_RETRIES
								    : (int)r->o->retries,
		.tables = d->target.tables,
		.memory = &d->memory };

	d->place = NULL;
	p->table = place ? take_kept(r, d) : new_table();
	if (!p->table) {
		device_place_free(place);
		return HT_NOMEM;
	}
	return device_open_take(
	    r->host->loop, &config, place, p->table, on_polled, p, &p->device);
}

/* False: it is told that it cannot be polled. */
static bool begin_poll(struct fleet_run *r, struct fleet_device *d)
{
	struct poll *p = r->free_polls;
	const struct key *k = &r->keys[d->target.credentials];
	char reason[sizeof(k->why.text) + 64];

	if (d->target.credentials >= r->o->credentials.n) {
		tell_status(r, d, "error", "no credentials match its address");
		return false;
	}
	if (!k->usable) {
		snprintf(reason, sizeof(reason), "its credentials: %s", k->why.text);
		tell_status(r, d, "error", reason);
		return false;
	}
	ht_err err = open_poll(r, p, d);

	if (err) {
		snprintf(reason, sizeof(reason), "no session: %s", ht_err_name(err));
		tell_status(r, d, err == HT_INVALID ? "auth-failed" : "error", reason);
		free_table(p->table);
		p->table = NULL;
		return false;
	}
	r->free_polls = p->next_free;
	p->of = d;
	d->poll = p;
	uv_timer_start(
	    &p->deadline, on_deadline, (uint64_t)(r->o->deadline_ns / HT_NS_PER_MS), 0);
	return true;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct fleet_run *r, int64_t now)
{
	int64_t at = fleet_plan_next_ns(r->plan);
	int64_t end = r->host->deadline_ns - END_MARGIN_NS;

	if (at > end)
		at = end;
	uv_timer_start(&r->timer, on_timer,
	    at > now ? (uint64_t)((at - now + HT_NS_PER_MS - 1) / HT_NS_PER_MS) : 0, 0);
}

/* Begin what is due, as long as there is room. */
static void pump(struct fleet_run *r)
{
	int64_t now = ht_mono_ns();
	size_t i;

	if (r->over)
		return;
	while (r->free_polls && fleet_plan_take(r->plan, now, &i)) {
		if (!begin_poll(r, r->devices[i]))
			fleet_plan_ended(r->plan, i, FLEET_SILENT, now);
	}
	arm(r, now);
}

static void on_timer(uv_timer_t *timer)
{
	struct fleet_run *r = timer->data;

	if (ht_mono_ns() < r->host->deadline_ns - END_MARGIN_NS) {
		pump(r);
		return;
	}
	r->over = true;
	r->host->done(r->host);
}

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
			free_device(r, d);
		else if (!d->poll->ending)
			end_poll(d->poll, FLEET_SILENT);
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
		struct key *k = &r->keys[i];

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
		free_device(r, r->devices[i]);
	for (size_t i = 0; r->keys && i < r->o->credentials.n; i++)
		credentials_fini(&r->keys[i].c);
	free(r->devices);
	free(r->keys);
	free(r->polls);
	fleet_plan_free(r->plan);
	r->n = 0;
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
		struct poll *p = &r->polls[i];

		p->run = r;
		uv_timer_init(host->loop, &p->deadline);
		p->deadline.data = p;
		p->next_free = r->free_polls;
		r->free_polls = p;
	}
	gate_init(&r->gate, host->loop, r->o->packets_per_s);
	uv_timer_init(host->loop, &r->timer);
	r->gate.timer.data = r->timer.data = r;
	uv_timer_start(&r->timer, on_timer, 0, 0);
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
		pump(r);
	return err;
}

static void closed_one(struct fleet_run *r)
{
	if (--r->n_closing)
		return;
	release(r);
	r->closed(r->closed_arg);
}

static void on_handle_closed(uv_handle_t *h)
{
	closed_one(h->data);
}

static void on_poll_timer_closed(uv_handle_t *h)
{
	closed_one(((struct poll *)h->data)->run);
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
		struct poll *p = &r->polls[i];

		r->n_closing++;
		if (p->ending)
			r->n_closing++; /* on_device_closed is still to come */
		else if (p->of)
			end_poll(p, FLEET_UNFINISHED);
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
