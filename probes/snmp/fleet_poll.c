#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "probes/snmp/fleet.h"
#include "probes/snmp/sightings.h"

enum {
	ROWS_MAX = 4096, /* of one device: what is hostile must fit into memory, too */
	INTERRUPTIONS_MAX = 10, /* then what was read is told, and it begins anew */
	KEPT_MAX = 256,         /* tables of interrupted polls, altogether */
	SILENT_RETRIES = 1,
};
#define END_MARGIN_NS (200 * HT_NS_PER_MS) /* to end before we are cancelled */

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
		.key = d->id,
		.target = address,
		.status = status,
		.reason = reason,
		.requests = requests,
		.link_interface = d->target.link_interface,
		.memory = &d->told,
		.repeat_ns = r->o->repeat_ns };

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

static struct table *new_table(struct fleet_run *r)
{
	struct table *t = malloc(sizeof(*t));

	if (t) {
		table_init(t, ROWS_MAX);
		t->budget = &r->budget;
	}
	return t;
}

/* Only while half of the room is left to those that are under way. */
static bool may_keep(const struct fleet_run *r)
{
	return r->n_kept < KEPT_MAX && r->budget.used <= r->budget.max / 2;
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

void fleet_free_device(struct fleet_run *r, struct fleet_device *d)
{
	forget_kept(r, d);
	free(d);
}

/* ---- polls ---- */

static void on_device_closed(void *arg)
{
	struct fleet_poll *p = arg;
	struct fleet_run *r = p->run;
	struct fleet_device *d = p->of;

	p->device = NULL;
	p->ending = false;
	p->of = NULL;
	p->next_free = r->free_polls;
	r->free_polls = p;
	d->poll = NULL;
	if (d->gone)
		fleet_free_device(r, d);
	else
		fleet_plan_ended(r->plan, d->index, p->end, ht_mono_ns());
	if (r->closed)
		fleet_closed_one(r);
	else
		fleet_pump(r);
}

void fleet_end_poll(struct fleet_poll *p, enum fleet_end end)
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
	struct fleet_poll *p = arg;
	unsigned requests = device_requests(p->device);
	bool answered = status == DEVICE_OK || status == DEVICE_PARTIAL;

	p->of->interruptions = 0;
	tell(p->run, p->of, p->table, &requests, device_status_name(status),
	    device_reason(p->device));
	fleet_end_poll(p, answered ? FLEET_ANSWERED : FLEET_SILENT);
}

/* Its time is over: the place is kept, unless it has been kept too often. */
static void on_deadline(uv_timer_t *timer)
{
	struct fleet_poll *p = timer->data;
	struct fleet_run *r = p->run;
	struct fleet_device *d = p->of;
	unsigned requests = device_requests(p->device);
	char reason[DEVICE_REASON_MAX];
	struct device_place *place = device_interrupt(p->device);

	bool room = may_keep(r);

	if (place && room && ++d->interruptions <= INTERRUPTIONS_MAX) {
		snprintf(reason, sizeof(reason),
		    "slow: not read whole within %.0f s; goes on where it stopped",
		    (double)r->o->deadline_ns / HT_NS_PER_S);
		d->place = place;
		d->table = p->table;
		p->table = NULL;
		r->n_kept++;
		tell_status(r, d, "partial", reason);
		fleet_end_poll(p, FLEET_UNFINISHED);
		return;
	}
	bool begun = place != NULL;

	device_place_free(place);
	d->interruptions = 0;
	snprintf(reason, sizeof(reason),
	    !begun ? "no answer within %.0f s"
	    : room ? "slow: never read whole, %.0f s at a time"
		   : "slow: not read whole within %.0f s; no room to keep it and go on",
	    (double)r->o->deadline_ns / HT_NS_PER_S);
	tell(r, d, p->table, &requests, begun ? "partial" : "timeout", reason);
	fleet_end_poll(p, begun ? FLEET_UNFINISHED : FLEET_SILENT);
}

static ht_err open_poll(struct fleet_run *r, struct fleet_poll *p, struct fleet_device *d)
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
	p->table = place ? take_kept(r, d) : new_table(r);
	if (!p->table) {
		device_place_free(place);
		return HT_NOMEM;
	}
	return device_open_take(
	    r->host->loop, &config, place, p->table, on_polled, p, &p->device);
}

/* Whether it is under way; else it is told why not, and how it ended. */
static bool begin_poll(struct fleet_run *r, struct fleet_device *d, enum fleet_end *end)
{
	struct fleet_poll *p = r->free_polls;
	const struct fleet_key *k = &r->keys[d->target.credentials];
	char reason[sizeof(k->why.text) + 64];

	*end = FLEET_SILENT;
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

	if (err) { /* no fault of the device, unless its keys are of no use */
		bool keys = err == HT_INVALID;

		snprintf(reason, sizeof(reason), "no session: %s", ht_err_name(err));
		tell_status(r, d, keys ? "auth-failed" : "error", reason);
		free_table(p->table);
		p->table = NULL;
		*end = keys ? FLEET_SILENT : FLEET_ANSWERED;
		return false;
	}
	r->free_polls = p->next_free;
	p->of = d;
	d->poll = p;
	uv_timer_start(
	    &p->deadline, on_deadline, (uint64_t)(r->o->deadline_ns / HT_NS_PER_MS), 0);
	return true;
}

static void arm(struct fleet_run *r, int64_t now)
{
	int64_t at = fleet_plan_next_ns(r->plan);
	int64_t end = r->host->deadline_ns - END_MARGIN_NS;

	if (at > end)
		at = end;
	uv_timer_start(&r->timer, fleet_on_timer,
	    at > now ? (uint64_t)((at - now + HT_NS_PER_MS - 1) / HT_NS_PER_MS) : 0, 0);
}

/* Begin what is due, as long as there is room. */
void fleet_pump(struct fleet_run *r)
{
	int64_t now = ht_mono_ns();
	enum fleet_end end;
	size_t i;

	if (r->over)
		return;
	while (r->free_polls && fleet_plan_take(r->plan, now, &i)) {
		if (!begin_poll(r, r->devices[i], &end))
			fleet_plan_ended(r->plan, i, end, now);
	}
	arm(r, now);
}

void fleet_on_timer(uv_timer_t *timer)
{
	struct fleet_run *r = timer->data;

	if (ht_mono_ns() < r->host->deadline_ns - END_MARGIN_NS) {
		fleet_pump(r);
		return;
	}
	r->over = true;
	r->host->done(r->host);
}
