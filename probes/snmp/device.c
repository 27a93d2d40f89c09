#include "probes/snmp/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Where a poll is: the table being walked, and which of its columns. */
struct device_place {
	struct walk *walk;
	size_t at;                      /* enum mib */
	size_t which[WALK_COLUMNS_MAX]; /* columns asked for */
	uint64_t uptime_ticks;          /* when it was interrupted */
	struct walk_pace pace;
};

struct device {
	uv_loop_t *loop;
	struct session *session;
	const struct credentials *credentials;
	struct sockaddr_storage to;
	struct gate *gate;
	int64_t wait_ns;
	int retries;
	unsigned n_requests; /* of sessions before this one */
	struct table *table;
	uint32_t tables;
	struct device_memory *memory, own; /* own: when the caller has none */
	struct device_place *place;
	bool resumed; /* the place was there before */
	bool known_engine, reopening;
	struct session_oid system[MIB_SYSTEM_COUNT];
	uint32_t misread; /* MIB_BIT()s of tables with such cells */
	int lost;         /* tables in a row that were not answered */
	bool answered;    /* in this poll */
	bool over, partial;
	char reason[DEVICE_REASON_MAX];
	void (*done)(void *arg, enum device_status status);
	void *arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

const char *device_status_name(enum device_status s)
{
	static const char *const names[] = { [DEVICE_OK] = "ok",
		[DEVICE_PARTIAL] = "partial",
		[DEVICE_TIMEOUT] = "timeout",
		[DEVICE_AUTH_FAILED] = "auth-failed",
		[DEVICE_ERROR] = "error" };

	return names[s];
}

static const enum device_status of_session[] = { [SESSION_TIMEOUT] = DEVICE_TIMEOUT,
	[SESSION_AUTH_FAILED] = DEVICE_AUTH_FAILED,
	[SESSION_FAILED] = DEVICE_ERROR };

/* Once each: several rows of mib_tables may share a name, and a trouble. */
static void say(struct device *d, const char *what, const char *why)
{
	char text[DEVICE_REASON_MAX];
	size_t len = strlen(d->reason);

	d->partial = true;
	snprintf(text, sizeof(text), "%s: %s", what, why);
	if (!strstr(d->reason, text)) /* what finds no room waits until that is mended */
		snprintf(d->reason + len, sizeof(d->reason) - len, "%s%s",
		    len ? "; " : "", text);
}

static void finish(struct device *d, enum device_status status)
{
	if (d->over)
		return;
	d->over = true;
	if (status == DEVICE_OK) {
		d->memory->engine = *session_engine(d->session);
		if (d->partial)
			status = DEVICE_PARTIAL;
	} else if (status == DEVICE_TIMEOUT ? d->answered : d->table->n > 0) {
		status = DEVICE_PARTIAL;
	}
	if (!d->reason[0] && status == DEVICE_TIMEOUT)
		snprintf(d->reason, sizeof(d->reason),
		    "no answer to %u requests of %.1f s each", device_requests(d),
		    (double)d->wait_ns / HT_NS_PER_S);
	d->done(d->arg, status);
}

/* ---- the tables ---- */

/* All tables together are as large as they may be, and this is one of the large ones. */
static void give_up(struct device *d)
{
	char why[DEVICE_REASON_MAX];

	snprintf(why, sizeof(why),
	    "interrupted after %zu interfaces: what is read of all devices together "
	    "has reached %zu MiB",
	    d->table->n, d->table->budget->max >> 20);
	say(d, "no room", why);
	finish(d, DEVICE_OK);
}

static void on_cell(void *arg, size_t column, const struct session_oid *index,
    const struct session_value *v, int64_t at_ns)
{
	struct device *d = arg;
	const struct mib_table *m = &mib_tables[d->place->at];
	const struct mib_column *c = &m->columns[d->place->which[column]];

	if (d->over)
		return;
	bool taken = m->cell(d->table, c, index, v, at_ns);

	if (!taken && !(d->misread & MIB_BIT(d->place->at))) {
		d->misread |= MIB_BIT(d->place->at);
		say(d, m->name, "has cells that are not understood or find no room");
	}
	if (!table_charge(d->table))
		give_up(d);
}

static void on_walked(void *arg, enum walk_outcome outcome);
static const struct walk_ops walking = { on_cell, on_walked };

/* The columns of the table at hand that are wanted, with their names. */
static size_t choose(
    struct device *d, session_subid names[][MIB_ENTRY_MAX + 1], struct session_oid *oids)
{
	const struct mib_table *m = &mib_tables[d->place->at];
	size_t n = 0;

	for (size_t i = 0; i < m->n_columns; i++) {
		if (m->wanted && !m->wanted(d->table, &m->columns[i]))
			continue;
		const struct mib_column *c = &m->columns[i];

		memcpy(names[n], m->entry, m->entry_len * sizeof(m->entry[0]));
		names[n][m->entry_len] = c->number;
		oids[n] = (struct session_oid){ c->oid ? c->oid : names[n],
			c->oid ? c->oid_len : m->entry_len + 1 };
		d->place->which[n++] = i;
	}
	return n;
}

/* Whether this table is read now: one that keeps failing is left out, and that is said.
 */
static bool due(struct device *d, size_t at)
{
	struct device_memory *m = d->memory;

	if (!(d->tables & MIB_BIT(at)))
		return false;
	if (m->left_out[at] == 0)
		return true;
	if (--m->left_out[at] > 0) {
		char why[DEVICE_REASON_MAX];

		snprintf(why, sizeof(why), "left out after %d failures (%s)",
		    DEVICE_FAILURES_MAX, walk_trouble_text(m->trouble[at]));
		say(d, mib_tables[at].name, why);
		return false;
	}
	m->failures[at] = DEVICE_FAILURES_MAX - 1; /* one more chance */
	return true;
}

static void next_table(struct device *d)
{
	session_subid names[WALK_COLUMNS_MAX][MIB_ENTRY_MAX + 1];
	struct session_oid oids[WALK_COLUMNS_MAX];
	struct device_place *p = d->place;
	size_t n = 0;

	for (; p->at < MIB_COUNT; p->at++) {
		if (due(d, p->at) && (n = choose(d, names, oids)) > 0)
			break;
	}
	if (n == 0) {
		finish(d, DEVICE_OK);
		return;
	}
	const struct walk_config config = { .columns = oids,
		.n = n,
		.rows = d->memory->rows[p->at] ? d->memory->rows[p->at] - 1u
					       : WALK_ROWS_UNKNOWN,
		.ops = &walking,
		.arg = d,
		.pace = &p->pace };

	if (walk_start(d->session, &config, &p->walk))
		finish(d, DEVICE_ERROR);
}

/* Remember how it went; a table that costs much for nothing is left out after a while. */
static void learn(struct device *d, enum walk_outcome outcome)
{
	struct device_memory *m = d->memory;
	size_t at = d->place->at, rows = walk_rows(d->place->walk);
	enum walk_trouble t = walk_trouble(d->place->walk);

	/* what kills a table says nothing of how much the others bear */
	if (t == WALK_SILENT || t == WALK_REFUSED)
		d->place->pace = m->pace;
	m->pace = d->place->pace;
	if (outcome == WALK_WHOLE || outcome == WALK_PARTIAL)
		m->rows[at] = (uint16_t)(rows + 1);
	if (t != WALK_FINE) {
		say(d, mib_tables[at].name, walk_trouble_text(t));
		m->trouble[at] = (uint8_t)t;
	}
	if (t != WALK_SILENT && t != WALK_ENDLESS) {
		m->failures[at] = 0;
	} else if (++m->failures[at] >= DEVICE_FAILURES_MAX) {
		m->left_out[at] = DEVICE_LEFT_OUT_POLLS;
	}
}

static void on_walked(void *arg, enum walk_outcome outcome)
{
	struct device *d = arg;

	if (d->over)
		return;
	if (outcome != WALK_AUTH_FAILED && outcome != WALK_FAILED)
		learn(d, outcome);
	walk_free(d->place->walk);
	d->place->walk = NULL;
	d->lost = outcome == WALK_LOST ? d->lost + 1 : 0;
	if (outcome == WALK_AUTH_FAILED || outcome == WALK_FAILED) {
		finish(d, outcome == WALK_FAILED ? DEVICE_ERROR : DEVICE_AUTH_FAILED);
	} else if (d->lost > 1) { /* it is gone, not the table */
		finish(d, DEVICE_TIMEOUT);
	} else {
		d->place->at++;
		next_table(d);
	}
}

/* ---- the system group ---- */

static bool make_place(struct device *d)
{
	if (d->place)
		return true;
	d->place = calloc(1, sizeof(*d->place));
	if (d->place)
		d->place->pace = d->memory->pace;
	return d->place != NULL;
}

/* What was read of a device that has restarted since is of another life. */
static void forget_other_life(struct device *d)
{
	if (d->resumed && d->table->system.has_uptime &&
	    d->table->system.uptime_ticks < d->place->uptime_ticks) {
		struct table_system system = d->table->system;

		d->table->system = (struct table_system){ 0 };
		table_fini(d->table);
		d->table->system = system;
		device_place_free(d->place);
		d->place = NULL;
		d->resumed = false;
	}
}

static void begin_tables(struct device *d)
{
	d->answered = true;
	forget_other_life(d);
	if (!make_place(d))
		finish(d, DEVICE_ERROR);
	else if (d->place->walk)
		walk_resume(d->place->walk, d->session, d);
	else
		next_table(d);
}

static ht_err open_session(struct device *d);

static void on_closed(void *arg);

static void on_reopen(void *arg)
{
	struct device *d = arg;

	d->reopening = false;
	if (d->closed) { /* meanwhile */
		on_closed(d);
	} else if (open_session(d)) {
		d->over = true;
		d->done(d->arg, DEVICE_ERROR);
	}
}

/* A cached engine may be no more what the device is, or its clock went back: ask once
 * more, as a stranger would. */
static bool try_as_stranger(struct device *d)
{
	if (!d->known_engine)
		return false;
	struct session *s = d->session;

	d->known_engine = false;
	d->memory->engine.len = 0;
	d->n_requests += session_requests(s);
	d->session = NULL;
	d->reopening = true;
	session_close(s, on_reopen, d);
	return true;
}

static void on_system(void *arg, const struct session_answer *a)
{
	struct device *d = arg;

	if (d->over)
		return;
	if (a->outcome != SESSION_ANSWERED) {
		if (!try_as_stranger(d))
			finish(d, of_session[a->outcome]);
		return;
	}
	if (a->error_status == SESSION_AUTHORIZATION_ERROR) {
		finish(d, DEVICE_AUTH_FAILED);
		return;
	}
	for (size_t i = 0; i < a->n && !a->error_status; i++)
		mib_take_system(d->table, &a->values[i], a->at_ns);
	begin_tables(d);
}

/* ---- the poll ---- */

static ht_err open_session(struct device *d)
{
	const struct credentials *c = d->credentials;
	const struct session_config config = { .to = (const struct sockaddr *)&d->to,
		.v3 = c->v3,
		.community = c->community,
		.user = c->user,
		.auth = c->auth,
		.priv = c->priv,
		.auth_key = &c->auth_key,
		.priv_key = &c->priv_key,
		.engine = d->memory->engine.len ? &d->memory->engine : NULL,
		.gate = d->gate,
		.wait_ns = d->wait_ns,
		.retries = d->retries };

	d->known_engine = c->v3 && config.engine;
	ht_err err = session_open(d->loop, &config, &d->session);

	if (!err)
		err = session_ask(d->session, SESSION_GET, d->system, MIB_SYSTEM_COUNT, 0,
		    on_system, d);
	return err;
}

static void free_device(struct device *d)
{
	device_place_free(d->place);
	free(d);
}

static void on_stillborn(void *arg)
{
	free_device(arg);
}

ht_err device_open_take(uv_loop_t *loop, const struct device_config *config,
    struct device_place *place, struct table *table,
    void (*done)(void *arg, enum device_status status), void *arg, struct device **out)
{
	struct device *d = calloc(1, sizeof(*d));

	if (!d) {
		device_place_free(place);
		return HT_NOMEM;
	}
	*d = (struct device){ .loop = loop,
		.credentials = config->credentials,
		.gate = config->gate,
		.wait_ns = config->wait_ns,
		.retries = config->retries,
		.table = table,
		.tables = config->tables,
		.memory = config->memory ? config->memory : &d->own,
		.place = place,
		.resumed = place != NULL,
		.done = done,
		.arg = arg };
	memcpy(&d->to, config->to,
	    config->to->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6));
	for (size_t i = 0; i < MIB_SYSTEM_COUNT; i++)
		d->system[i] = (struct session_oid){ mib_system[i], MIB_SYSTEM_LEN };
	ht_err err = open_session(d);

	if (!err)
		*out = d;
	else if (d->session)
		session_close(d->session, on_stillborn, d);
	else
		free_device(d);
	return err;
}

unsigned device_requests(const struct device *d)
{
	return d->n_requests + (d->session ? session_requests(d->session) : 0);
}

const char *device_reason(const struct device *d)
{
	return d->reason;
}

struct device_place *device_interrupt(struct device *d)
{
	struct device_place *p = d->place;

	d->over = true;
	d->place = NULL;
	if (p)
		p->uptime_ticks = d->table->system.uptime_ticks;
	return p;
}

void device_place_free(struct device_place *p)
{
	if (p)
		walk_free(p->walk);
	free(p);
}

static void on_closed(void *arg)
{
	struct device *d = arg;

	d->closed(d->closed_arg);
	free_device(d);
}

void device_close(struct device *d, void (*closed)(void *arg), void *arg)
{
	d->over = true;
	d->closed = closed;
	d->closed_arg = arg;
	if (d->session)
		session_close(d->session, on_closed, d);
	else if (!d->reopening)
		on_closed(d);
}
