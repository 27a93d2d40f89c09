#include "probes/snmp/device.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probes/snmp/walk.h"

struct device {
	struct session *session;
	struct walk *walk;
	struct table *table;
	uint32_t tables;
	size_t at;                      /* the table being walked */
	size_t which[WALK_COLUMNS_MAX]; /* its columns that are asked for */
	bool over, partial;
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

static void finish(struct device *d, enum device_status status)
{
	if (d->over)
		return;
	d->over = true;
	if (status != DEVICE_OK && d->table->n)
		status = DEVICE_PARTIAL;
	if (status == DEVICE_OK && d->partial)
		status = DEVICE_PARTIAL;
	d->done(d->arg, status);
}

/* ---- the tables ---- */

static void on_cell(void *arg, size_t column, const struct session_oid *index,
    const struct session_value *v)
{
	struct device *d = arg;
	const struct mib_table *m = &mib_tables[d->at];

	if (!d->over &&
	    !m->cell(d->table, &m->columns[d->which[column]], index, v, ht_mono_ns()))
		d->partial = true;
}

static void on_walked(void *arg, enum walk_outcome outcome);
static const struct walk_ops walking = { on_cell, on_walked };

/* The columns of the table at hand that are wanted, with their names. */
static size_t choose(
    struct device *d, session_subid names[][MIB_ENTRY_MAX + 1], struct session_oid *oids)
{
	const struct mib_table *m = &mib_tables[d->at];
	size_t n = 0;

	for (size_t i = 0; i < m->n_columns; i++) {
		if (m->wanted && !m->wanted(d->table, &m->columns[i]))
			continue;
		memcpy(names[n], m->entry, m->entry_len * sizeof(m->entry[0]));
		names[n][m->entry_len] = m->columns[i].number;
		oids[n] = (struct session_oid){ names[n], m->entry_len + 1 };
		d->which[n++] = i;
	}
	return n;
}

static void next_table(struct device *d)
{
	session_subid names[WALK_COLUMNS_MAX][MIB_ENTRY_MAX + 1];
	struct session_oid oids[WALK_COLUMNS_MAX];
	size_t n = 0;

	for (; d->at < MIB_COUNT && n == 0; d->at += n == 0) {
		if (d->tables & MIB_BIT(d->at))
			n = choose(d, names, oids);
	}
	if (n == 0)
		finish(d, DEVICE_OK);
	else if (walk_start(d->session, oids, n, &walking, d, &d->walk))
		finish(d, DEVICE_ERROR);
}

static void on_walked(void *arg, enum walk_outcome outcome)
{
	static const enum device_status statuses[] = { [WALK_TIMEOUT] = DEVICE_TIMEOUT,
		[WALK_AUTH_FAILED] = DEVICE_AUTH_FAILED,
		[WALK_FAILED] = DEVICE_ERROR };
	struct device *d = arg;

	walk_free(d->walk);
	d->walk = NULL;
	if (d->over)
		return;
	if (outcome == WALK_PARTIAL)
		d->partial = true;
	if (outcome != WALK_WHOLE && outcome != WALK_PARTIAL) {
		finish(d, statuses[outcome]);
		return;
	}
	d->at++;
	next_table(d);
}

/* ---- the system group ---- */

static void on_system(void *arg, const struct session_answer *a)
{
	static const enum device_status statuses[] = { [SESSION_TIMEOUT] = DEVICE_TIMEOUT,
		[SESSION_AUTH_FAILED] = DEVICE_AUTH_FAILED,
		[SESSION_FAILED] = DEVICE_ERROR };
	struct device *d = arg;

	if (d->over)
		return;
	if (a->outcome != SESSION_ANSWERED) {
		finish(d, statuses[a->outcome]);
		return;
	}
	if (a->error_status == SESSION_AUTHORIZATION_ERROR) {
		finish(d, DEVICE_AUTH_FAILED);
		return;
	}
	for (size_t i = 0; i < a->n && !a->error_status; i++)
		mib_take_system(d->table, &a->values[i], ht_mono_ns());
	next_table(d);
}

static ht_err ask_system(struct device *d)
{
	struct session_oid oids[MIB_SYSTEM_COUNT];

	for (size_t i = 0; i < MIB_SYSTEM_COUNT; i++)
		oids[i] = (struct session_oid){ mib_system[i], MIB_SYSTEM_LEN };
	return session_ask(
	    d->session, SESSION_GET, oids, MIB_SYSTEM_COUNT, 0, on_system, d);
}

/* ---- the poll ---- */

static void on_nothing(void *arg)
{
	(void)arg;
}

ht_err device_open(uv_loop_t *loop, const struct device_config *config,
    struct table *table, void (*done)(void *arg, enum device_status status), void *arg,
    struct device **out)
{
	const struct credentials *c = config->credentials;
	const struct session_config session = { .to = config->to,
		.v3 = c->v3,
		.community = c->community,
		.user = c->user,
		.auth = c->auth,
		.priv = c->priv,
		.auth_secret = c->auth_secret,
		.priv_secret = c->priv_secret,
		.wait_ns = config->wait_ns,
		.retries = config->retries };
	struct device *d = calloc(1, sizeof(*d));

	if (!d)
		return HT_NOMEM;
	*d = (struct device){
		.table = table, .tables = config->tables, .done = done, .arg = arg
	};
	ht_err err = session_open(loop, &session, &d->session);

	if (!err && (err = ask_system(d)) != HT_OK)
		session_close(d->session, on_nothing, NULL);
	if (err)
		free(d);
	else
		*out = d;
	return err;
}

unsigned device_requests(const struct device *d)
{
	return session_requests(d->session);
}

static void on_closed(void *arg)
{
	struct device *d = arg;

	walk_free(d->walk);
	d->closed(d->closed_arg);
	free(d);
}

void device_close(struct device *d, void (*closed)(void *arg), void *arg)
{
	d->over = true;
	d->closed = closed;
	d->closed_arg = arg;
	session_close(d->session, on_closed, d);
}
