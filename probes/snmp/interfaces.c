/* snmp.interfaces: the system group and the interface table of one device. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/name.h"
#include "probes/probe.h"
#include "probes/snmp/session.h"
#include "probes/snmp/table.h"
#include "probes/snmp/walk.h"
#include "probes/wan/resolve.h"

enum { SECRET_MAX = 512 };
#define DEADLINE_MARGIN_NS (200 * HT_NS_PER_MS) /* to report before we are cancelled */

enum { VERSION_2C, VERSION_3 };

struct interfaces_options {
	char *target, *community_file, *user, *auth_file, *priv_file, *link_interface;
	int64_t port, wait_ns, retries;
	int version, auth, priv;
};

static const char *const version_names[] = { "2c", "3", NULL };
static const char *const auth_names[] = { "none", "md5", "sha", "sha-224", "sha-256",
	"sha-384", "sha-512", NULL };
static const char *const priv_names[] = { "none", "des", "aes", "aes-192", "aes-256",
	NULL };
/* The same as net-snmp calls them. */
static const char *const auth_protocols[] = { NULL, "MD5", "SHA", "SHA-224", "SHA-256",
	"SHA-384", "SHA-512" };
static const char *const priv_protocols[] = { NULL, "DES", "AES", "AES-192", "AES-256" };

#define OPT(f) offsetof(struct interfaces_options, f)
static const struct ht_option option_rows[] = {
	{ "target", HT_OPT_STRING, OPT(target), .min = 1, .max = 253, .required = true,
	    .help = "address or name of the device" },
	{ "port", HT_OPT_INT, OPT(port), .min = 1, .max = 65535, .def = "161",
	    .help = "UDP port" },
	{ "version", HT_OPT_ENUM, OPT(version), .def = "2c", .names = version_names,
	    .help = "SNMP version" },
	{ "community_file", HT_OPT_STRING, OPT(community_file), .min = 1, .max = 4096,
	    .help = "file with the community (2c), readable by its owner alone; 'public' "
		    "without" },
	{ "user", HT_OPT_STRING, OPT(user), .min = 1, .max = 32,
	    .help = "user name (3)" },
	{ "auth", HT_OPT_ENUM, OPT(auth), .def = "sha-256", .names = auth_names,
	    .help = "authentication protocol (3)" },
	{ "auth_file", HT_OPT_STRING, OPT(auth_file), .min = 1, .max = 4096,
	    .help = "file with the authentication pass phrase (3)" },
	{ "priv", HT_OPT_ENUM, OPT(priv), .def = "aes", .names = priv_names,
	    .help = "encryption protocol (3)" },
	{ "priv_file", HT_OPT_STRING, OPT(priv_file), .min = 1, .max = 4096,
	    .help = "file with the encryption pass phrase (3)" },
	{ "wait", HT_OPT_DURATION, OPT(wait_ns), .min = 50 * HT_NS_PER_MS,
	    .max = 60 * HT_NS_PER_S, .def = "2s",
	    .help = "how long an answer is waited for" },
	{ "retries", HT_OPT_INT, OPT(retries), .min = 0, .max = 10, .def = "2",
	    .help = "how often a lost request is sent again" },
	{ "link_interface", HT_OPT_STRING, OPT(link_interface), .min = 1, .max = 255,
	    .help = "ifName of the interface that carries the link" },
};
static const struct ht_options interfaces_options =
    HT_OPTIONS(struct interfaces_options, option_rows);

static const enum ht_metric interfaces_metrics[] = { HT_M_SNMP_STATUS, HT_M_SNMP_TARGET,
	HT_M_SNMP_UPTIME, HT_M_SNMP_SYS_NAME, HT_M_SNMP_SYS_DESCR,
	HT_M_SNMP_SYS_OBJECT_ID, HT_M_SNMP_INTERFACES, HT_M_SNMP_ROUND_TRIPS,
	HT_M_SNMP_LINK_INTERFACE, HT_M_IF_INDEX, HT_M_IF_NAME, HT_M_IF_ALIAS,
	HT_M_IF_DESCR, HT_M_IF_TYPE, HT_M_IF_PHYS_ADDRESS, HT_M_IF_ADMIN_STATUS,
	HT_M_IF_OPER_STATUS, HT_M_IF_SPEED, HT_M_IF_IN_OCTETS, HT_M_IF_OUT_OCTETS,
	HT_M_IF_IN_ERRORS, HT_M_IF_OUT_ERRORS, HT_M_IF_IN_DISCARDS, HT_M_IF_OUT_DISCARDS,
	HT_M_IF_COUNTER_BITS, HT_M_IF_DISCONTINUITY };

/* The columns, IF-MIB (RFC 2863). `fallback_of`: read only when a row lacks that. */
#define IF_ENTRY(column)  { 1, 3, 6, 1, 2, 1, 2, 2, 1, (column) }, 10
#define IFX_ENTRY(column) { 1, 3, 6, 1, 2, 1, 31, 1, 1, 1, (column) }, 11
enum { NOT_A_FALLBACK = -1 };

struct column {
	session_subid oid[11];
	size_t n;
	bool text;
	int what; /* enum table_text or table_number */
	int fallback_of;
};

static const struct column columns[] = {
	{ IFX_ENTRY(1), true, TABLE_NAME, NOT_A_FALLBACK },
	{ IFX_ENTRY(6), false, TABLE_HC_IN_OCTETS, NOT_A_FALLBACK },
	{ IFX_ENTRY(10), false, TABLE_HC_OUT_OCTETS, NOT_A_FALLBACK },
	{ IFX_ENTRY(15), false, TABLE_HIGH_SPEED, NOT_A_FALLBACK },
	{ IFX_ENTRY(18), true, TABLE_ALIAS, NOT_A_FALLBACK },
	{ IFX_ENTRY(19), false, TABLE_DISCONTINUITY, NOT_A_FALLBACK },
	{ IF_ENTRY(2), true, TABLE_DESCR, NOT_A_FALLBACK },
	{ IF_ENTRY(3), false, TABLE_TYPE, NOT_A_FALLBACK },
	{ IF_ENTRY(6), true, TABLE_PHYS, NOT_A_FALLBACK },
	{ IF_ENTRY(7), false, TABLE_ADMIN, NOT_A_FALLBACK },
	{ IF_ENTRY(8), false, TABLE_OPER, NOT_A_FALLBACK },
	{ IF_ENTRY(13), false, TABLE_IN_DISCARDS, NOT_A_FALLBACK },
	{ IF_ENTRY(14), false, TABLE_IN_ERRORS, NOT_A_FALLBACK },
	{ IF_ENTRY(19), false, TABLE_OUT_DISCARDS, NOT_A_FALLBACK },
	{ IF_ENTRY(20), false, TABLE_OUT_ERRORS, NOT_A_FALLBACK },
	{ IF_ENTRY(5), false, TABLE_SPEED, TABLE_HIGH_SPEED },
	{ IF_ENTRY(10), false, TABLE_IN_OCTETS, TABLE_HC_IN_OCTETS },
	{ IF_ENTRY(16), false, TABLE_OUT_OCTETS, TABLE_HC_OUT_OCTETS },
};

struct interfaces_run {
	const struct interfaces_options *o;
	const struct probe_host *host;
	struct resolve *resolve;
	struct session *session;
	struct walk *walk;
	bool fallbacks;                  /* the second walk is under way */
	size_t which[HT_COUNT(columns)]; /* columns of the walk under way */
	bool finished;
	bool partial;
	struct table table;
	char target[HT_ADDR_TEXT];
	char *community, *auth_secret, *priv_secret;
	int64_t started_ns;
	uv_timer_t end;
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- results ---- */

static void emit(const struct interfaces_run *r, struct ht_reading reading)
{
	r->host->emit(r->host, &reading);
}

static void emit_device_string(
    const struct interfaces_run *r, enum ht_metric m, const char *v)
{
	emit(r, (struct ht_reading){ .metric = m,
		    .instance = r->host->instance,
		    .at_ns = ht_mono_ns(),
		    .string = v });
}

static void emit_device_number(const struct interfaces_run *r, enum ht_metric m, double v)
{
	emit(r, (struct ht_reading){ .metric = m,
		    .instance = r->host->instance,
		    .at_ns = ht_mono_ns(),
		    .number = v });
}

static void emit_number(const struct interfaces_run *r, const struct table_row *row,
    enum ht_metric m, double v)
{
	emit(r, (struct ht_reading){ .metric = m,
		    .instance = row->instance,
		    .at_ns = row->at_ns,
		    .number = v });
}

static void emit_string(const struct interfaces_run *r, const struct table_row *row,
    enum ht_metric m, const char *v)
{
	if (v)
		emit(r, (struct ht_reading){ .metric = m,
			    .instance = row->instance,
			    .at_ns = row->at_ns,
			    .string = v });
}

static void emit_counter(const struct interfaces_run *r, const struct table_row *row,
    enum ht_metric m, enum table_number n)
{
	if (table_has(row, n))
		emit(r, (struct ht_reading){ .metric = m,
			    .instance = row->instance,
			    .at_ns = row->at_ns,
			    .counter = row->numbers[n] });
}

/* ifAdminStatus, ifOperStatus; a number that RFC 2863 does not know stays unsaid. */
static const char *status_name(const struct table_row *row, enum table_number n)
{
	static const char *const names[] = { NULL, "up", "down", "testing", "unknown",
		"dormant", "notPresent", "lowerLayerDown" };

	if (!table_has(row, n) || row->numbers[n] >= HT_COUNT(names))
		return NULL;
	return names[row->numbers[n]];
}

/* Both octet counters come from one width: rates must not mix them. */
static void emit_octets(const struct interfaces_run *r, const struct table_row *row)
{
	bool hc =
	    table_has(row, TABLE_HC_IN_OCTETS) || table_has(row, TABLE_HC_OUT_OCTETS);

	emit_counter(
	    r, row, HT_M_IF_IN_OCTETS, hc ? TABLE_HC_IN_OCTETS : TABLE_IN_OCTETS);
	emit_counter(
	    r, row, HT_M_IF_OUT_OCTETS, hc ? TABLE_HC_OUT_OCTETS : TABLE_OUT_OCTETS);
	if (hc || table_has(row, TABLE_IN_OCTETS) || table_has(row, TABLE_OUT_OCTETS))
		emit_number(r, row, HT_M_IF_COUNTER_BITS, hc ? 64 : 32);
}

/* ifHighSpeed is in Mbit/s, 0 below half of one; ifSpeed ends at 2^32-1, which means
 * more. */
static void emit_speed(const struct interfaces_run *r, const struct table_row *row)
{
	if (table_has(row, TABLE_HIGH_SPEED) && row->numbers[TABLE_HIGH_SPEED])
		emit_number(
		    r, row, HT_M_IF_SPEED, (double)row->numbers[TABLE_HIGH_SPEED] * 1e6);
	else if (table_has(row, TABLE_SPEED) && row->numbers[TABLE_SPEED] &&
		 row->numbers[TABLE_SPEED] < UINT32_MAX)
		emit_number(r, row, HT_M_IF_SPEED, (double)row->numbers[TABLE_SPEED]);
}

static void emit_row(const struct interfaces_run *r, const struct table_row *row)
{
	emit_number(r, row, HT_M_IF_INDEX, (double)row->index);
	emit_string(r, row, HT_M_IF_NAME, row->texts[TABLE_NAME]);
	emit_string(r, row, HT_M_IF_ALIAS, row->texts[TABLE_ALIAS]);
	emit_string(r, row, HT_M_IF_DESCR, row->texts[TABLE_DESCR]);
	emit_string(r, row, HT_M_IF_PHYS_ADDRESS, row->texts[TABLE_PHYS]);
	emit_string(r, row, HT_M_IF_ADMIN_STATUS, status_name(row, TABLE_ADMIN));
	emit_string(r, row, HT_M_IF_OPER_STATUS, status_name(row, TABLE_OPER));
	if (table_has(row, TABLE_TYPE))
		emit_number(r, row, HT_M_IF_TYPE, (double)row->numbers[TABLE_TYPE]);
	emit_speed(r, row);
	emit_octets(r, row);
	emit_counter(r, row, HT_M_IF_IN_ERRORS, TABLE_IN_ERRORS);
	emit_counter(r, row, HT_M_IF_OUT_ERRORS, TABLE_OUT_ERRORS);
	emit_counter(r, row, HT_M_IF_IN_DISCARDS, TABLE_IN_DISCARDS);
	emit_counter(r, row, HT_M_IF_OUT_DISCARDS, TABLE_OUT_DISCARDS);
	if (table_has(row, TABLE_DISCONTINUITY))
		emit_number(r, row, HT_M_IF_DISCONTINUITY,
		    (double)row->numbers[TABLE_DISCONTINUITY] / 100);
}

static bool carries_link(const struct interfaces_run *r, const struct table_row *row)
{
	const char *name =
	    row->texts[TABLE_NAME] ? row->texts[TABLE_NAME] : row->texts[TABLE_DESCR];

	return r->o->link_interface && name && strcmp(name, r->o->link_interface) == 0;
}

static void emit_table(struct interfaces_run *r)
{
	table_name_rows(&r->table, r->host->instance);
	for (size_t i = 0; i < r->table.n; i++) {
		const struct table_row *row = &r->table.rows[i];

		emit_row(r, row);
		if (carries_link(r, row))
			emit_device_string(r, HT_M_SNMP_LINK_INTERFACE, row->instance);
	}
}

static void finish(struct interfaces_run *r, const char *status)
{
	if (r->finished)
		return;
	r->finished = true;
	uv_timer_stop(&r->end);
	if (r->target[0])
		emit_device_string(r, HT_M_SNMP_TARGET, r->target);
	if (r->table.n) {
		emit_table(r);
		emit_device_number(r, HT_M_SNMP_INTERFACES, (double)r->table.n);
	} else if (strcmp(status, "ok") == 0) {
		emit_device_number(
		    r, HT_M_SNMP_INTERFACES, 0); /* it was read, and is empty */
	}
	if (r->session)
		emit_device_number(
		    r, HT_M_SNMP_ROUND_TRIPS, session_requests(r->session));
	emit_device_string(r, HT_M_SNMP_STATUS, status);
	r->host->done(r->host);
}

/* Our own deadline, a little before the scheduler's. */
static void on_end(uv_timer_t *timer)
{
	struct interfaces_run *r = timer->data;

	finish(r, r->table.n ? "partial" : r->target[0] ? "timeout" : "unresolved");
}

/* ---- the tables ---- */

static bool number_of(const struct session_value *v, uint64_t *out)
{
	if (v->type == SESSION_UNSIGNED || v->type == SESSION_TICKS)
		*out = v->number;
	else if (v->type == SESSION_INTEGER && v->integer >= 0)
		*out = (uint64_t)v->integer;
	else
		return false; /* of a wrong type: as good as not there */
	return true;
}

static bool is_octets(int what)
{
	return what == TABLE_IN_OCTETS || what == TABLE_OUT_OCTETS ||
	       what == TABLE_HC_IN_OCTETS || what == TABLE_HC_OUT_OCTETS;
}

static void take_cell(struct interfaces_run *r, const struct column *c,
    const struct session_oid *index, const struct session_value *v)
{
	uint64_t number;

	if (index->n != 1 || index->at[0] > UINT32_MAX) {
		r->partial = true;
		return;
	}
	struct table_row *row = table_row(&r->table, index->at[0]);

	if (!row) {
		r->partial = true;
		return;
	}
	if (!row->at_ns || (!c->text && is_octets(c->what)))
		row->at_ns = ht_mono_ns();
	if (c->text && v->type == SESSION_OCTETS)
		r->partial |= table_put_text(row, c->what, v->bytes, v->len) != HT_OK;
	else if (!c->text && number_of(v, &number))
		table_put_number(row, c->what, number);
}

static const char *status_of(enum walk_outcome outcome)
{
	static const char *const names[] = { [WALK_WHOLE] = "ok",
		[WALK_PARTIAL] = "partial",
		[WALK_TIMEOUT] = "timeout",
		[WALK_AUTH_FAILED] = "auth-failed",
		[WALK_FAILED] = "error" };

	return names[outcome];
}

/* The columns of one of the two walks into r->which. */
static size_t choose(struct interfaces_run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < HT_COUNT(columns); i++) {
		int of = columns[i].fallback_of;
		bool wanted = !r->fallbacks ? of == NOT_A_FALLBACK
			      : of == NOT_A_FALLBACK
				  ? false
				  : table_lacks(&r->table, (enum table_number)of);

		if (of == TABLE_HIGH_SPEED && r->fallbacks)
			wanted = true; /* 0 Mbit/s may be 256 kbit/s */
		if (wanted)
			r->which[n++] = i;
	}
	return n;
}

static void on_cell(void *arg, size_t column, const struct session_oid *index,
    const struct session_value *v)
{
	struct interfaces_run *r = arg;

	if (!r->finished)
		take_cell(r, &columns[r->which[column]], index, v);
}

static void on_walked(void *arg, enum walk_outcome outcome);
static const struct walk_ops walking = { on_cell, on_walked };

static void start_walk(struct interfaces_run *r)
{
	struct session_oid oids[HT_COUNT(columns)];
	size_t n = choose(r);

	for (size_t i = 0; i < n; i++)
		oids[i] = (struct session_oid){ columns[r->which[i]].oid,
			columns[r->which[i]].n };
	if (walk_start(r->session, oids, n, &walking, r, &r->walk))
		finish(r, "error");
}

static void on_walked(void *arg, enum walk_outcome outcome)
{
	struct interfaces_run *r = arg;

	walk_free(r->walk);
	r->walk = NULL;
	if (r->finished)
		return;
	if (outcome == WALK_PARTIAL)
		r->partial = true;
	if (outcome != WALK_WHOLE && outcome != WALK_PARTIAL) {
		finish(r, r->table.n ? "partial" : status_of(outcome));
	} else if (!r->fallbacks) {
		r->fallbacks = true;
		start_walk(r);
	} else {
		finish(r, r->partial ? "partial" : "ok");
	}
}

/* ---- the system group ---- */

static const session_subid sys_oids[][9] = {
	{ 1, 3, 6, 1, 2, 1, 1, 1, 0 },
	{ 1, 3, 6, 1, 2, 1, 1, 2, 0 },
	{ 1, 3, 6, 1, 2, 1, 1, 3, 0 },
	{ 1, 3, 6, 1, 2, 1, 1, 5, 0 },
};

static void emit_oid(const struct interfaces_run *r, const struct session_oid *oid)
{
	char text[512] = "";
	size_t at = 0;

	for (size_t i = 0; i < oid->n && at + 24 < sizeof(text); i++)
		at += (size_t)snprintf(
		    text + at, sizeof(text) - at, i ? ".%lu" : "%lu", oid->at[i]);
	if (text[0])
		emit_device_string(r, HT_M_SNMP_SYS_OBJECT_ID, text);
}

static void emit_text(
    const struct interfaces_run *r, enum ht_metric m, const struct session_value *v)
{
	struct table_row clean = { 0 };

	if (table_put_text(&clean, TABLE_DESCR, v->bytes, v->len) == HT_OK &&
	    clean.texts[TABLE_DESCR])
		emit_device_string(r, m, clean.texts[TABLE_DESCR]);
	free(clean.texts[TABLE_DESCR]);
}

static void emit_system(const struct interfaces_run *r, const struct session_value *v)
{
	if (v->name.n != HT_COUNT(sys_oids[0]) ||
	    memcmp(v->name.at, sys_oids[0], 7 * sizeof(session_subid)) != 0)
		return;
	session_subid which = v->name.at[7];

	if (which == 1 && v->type == SESSION_OCTETS)
		emit_text(r, HT_M_SNMP_SYS_DESCR, v);
	else if (which == 2 && v->type == SESSION_OID)
		emit_oid(r, &v->oid);
	else if (which == 3 && v->type == SESSION_TICKS)
		emit_device_number(r, HT_M_SNMP_UPTIME, (double)v->number / 100);
	else if (which == 5 && v->type == SESSION_OCTETS)
		emit_text(r, HT_M_SNMP_SYS_NAME, v);
}

static void on_system(void *arg, const struct session_answer *a)
{
	static const char *const names[] = { [SESSION_TIMEOUT] = "timeout",
		[SESSION_AUTH_FAILED] = "auth-failed",
		[SESSION_FAILED] = "error" };
	struct interfaces_run *r = arg;

	if (r->finished)
		return;
	if (a->outcome != SESSION_ANSWERED) {
		finish(r, names[a->outcome]);
		return;
	}
	if (a->error_status == SESSION_AUTHORIZATION_ERROR) {
		finish(r, "auth-failed");
		return;
	}
	for (size_t i = 0; i < a->n && !a->error_status; i++)
		emit_system(r, &a->values[i]);
	start_walk(r);
}

static void ask_system(struct interfaces_run *r)
{
	struct session_oid oids[HT_COUNT(sys_oids)];

	for (size_t i = 0; i < HT_COUNT(sys_oids); i++)
		oids[i] = (struct session_oid){ sys_oids[i], HT_COUNT(sys_oids[i]) };
	if (session_ask(r->session, SESSION_GET, oids, HT_COUNT(oids), 0, on_system, r))
		finish(r, "error");
}

/* ---- secrets ---- */

/* A secret's file belongs to its owner alone. Relative names are systemd credentials. */
static ht_err secret_path(const char *file, char *out, size_t cap, struct ht_fault *fault)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	struct stat st;
	int n = file[0] == '/' || !folder ? snprintf(out, cap, "%s", file)
					  : snprintf(out, cap, "%s/%s", folder, file);

	if (n < 0 || (size_t)n >= cap)
		return ht_fault_set(fault, HT_TOOLARGE, "%s: the name is too long", file);
	if (stat(out, &st))
		return ht_fault_set(fault, HT_NOTFOUND,
		    "%s: cannot be read; name a file that holds the secret", out);
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO)))
		return ht_fault_set(fault, HT_DENIED,
		    "%s: others than its owner may read this secret; run: chmod 600 %s",
		    out, out);
	return HT_OK;
}

/* The first line of the file. */
static ht_err read_secret(const char *file, char **out, struct ht_fault *fault)
{
	char path[4200];
	size_t len;
	ht_err err = secret_path(file, path, sizeof(path), fault);

	if (!err)
		err = ht_file_read(path, SECRET_MAX, out, &len, fault);
	if (err)
		return err;
	(*out)[strcspn(*out, "\r\n")] = '\0';
	return HT_OK;
}

static void free_secret(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static ht_err read_secrets(struct interfaces_run *r)
{
	const struct interfaces_options *o = r->o;
	ht_err err = HT_OK;

	if (o->version == VERSION_2C && o->community_file)
		return read_secret(o->community_file, &r->community, NULL);
	if (o->version == VERSION_3 && o->auth && o->auth_file)
		err = read_secret(o->auth_file, &r->auth_secret, NULL);
	if (!err && o->version == VERSION_3 && o->priv && o->priv_file)
		err = read_secret(o->priv_file, &r->priv_secret, NULL);
	return err;
}

static ht_err check_secret(
    const char *key, const char *file, const struct ht_node *node, struct ht_fault *fault)
{
	struct ht_node *at = ht_node_get(node, key);
	struct ht_fault why = { 0 };
	char path[4200];

	if (!file)
		return ht_node_fault(at ? at : node, fault,
		    "%s is missing: name the file that holds the pass phrase", key);
	if (secret_path(file, path, sizeof(path), &why))
		return ht_node_fault(at ? at : node, fault, "%s: %s", key, why.text);
	return HT_OK;
}

static ht_err interfaces_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	const struct interfaces_options *o = options;
	ht_err err = HT_OK;

	if (o->version == VERSION_2C)
		return o->community_file ? check_secret("community_file",
					       o->community_file, node, fault)
					 : HT_OK;
	if (!o->user)
		return ht_node_fault(node, fault, "user is missing: version 3 needs one");
	if (o->priv && !o->auth)
		return ht_node_fault(
		    node, fault, "priv needs authentication: set auth, or priv: none");
	if (o->auth)
		err = check_secret("auth_file", o->auth_file, node, fault);
	if (!err && o->priv)
		err = check_secret("priv_file", o->priv_file, node, fault);
	return err;
}

/* ---- the run ---- */

static void on_address(void *arg, ht_err err, const struct sockaddr *addr)
{
	struct interfaces_run *r = arg;
	const struct interfaces_options *o = r->o;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;

	r->resolve = NULL;
	if (err) {
		finish(r, "unresolved");
		return;
	}
	resolve_format(addr, r->target);
	if (addr->sa_family == AF_INET) {
		memcpy(&to.v4, addr, sizeof(to.v4));
		to.v4.sin_port = htons((uint16_t)o->port);
	} else {
		memcpy(&to.v6, addr, sizeof(to.v6));
		to.v6.sin6_port = htons((uint16_t)o->port);
	}
	const struct session_config config = { .to = &to.any,
		.v3 = o->version == VERSION_3,
		.community = r->community ? r->community : "public",
		.user = o->user,
		.auth = auth_protocols[o->auth],
		.priv = priv_protocols[o->priv],
		.auth_secret = r->auth_secret,
		.priv_secret = r->priv_secret,
		.wait_ns = o->wait_ns,
		.retries = (int)o->retries };

	err = session_open(r->host->loop, &config, &r->session);
	free_secret(&r->community);
	free_secret(&r->auth_secret);
	free_secret(&r->priv_secret);
	if (err)
		finish(r, err == HT_INVALID ? "auth-failed" : "error");
	else
		ask_system(r);
}

static ht_err interfaces_start(
    void *run, const void *options, const struct probe_host *host)
{
	struct interfaces_run *r = run;

	r->o = options;
	r->host = host;
	r->started_ns = ht_mono_ns();
	table_init(&r->table, WALK_ROWS_MAX);
	ht_err err = read_secrets(r);

	if (err) {
		free_secret(&r->auth_secret);
		return err;
	}
	uv_timer_init(host->loop, &r->end);
	r->end.data = r;
	int64_t left = host->deadline_ns - DEADLINE_MARGIN_NS - r->started_ns;

	uv_timer_start(
	    &r->end, on_end, left > 0 ? (uint64_t)(left / HT_NS_PER_MS) : 0, 0);
	if (resolve_start(
		host->loop, r->o->target, AF_UNSPEC, on_address, r, &r->resolve))
		finish(r, "error");
	return HT_OK;
}

static void one_closed(struct interfaces_run *r)
{
	if (--r->open_handles)
		return;
	walk_free(r->walk);
	table_fini(&r->table);
	free_secret(&r->community);
	free_secret(&r->auth_secret);
	free_secret(&r->priv_secret);
	r->closed(r->closed_arg);
}

static void on_timer_closed(uv_handle_t *h)
{
	one_closed(h->data);
}

static void on_session_closed(void *arg)
{
	one_closed(arg);
}

static void interfaces_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct interfaces_run *r = run;

	if (r->closed)
		return;
	r->finished = true;
	r->closed = closed;
	r->closed_arg = arg;
	resolve_cancel(r->resolve);
	r->resolve = NULL;
	r->open_handles = r->session ? 2 : 1;
	uv_close((uv_handle_t *)&r->end, on_timer_closed);
	if (r->session)
		session_close(r->session, on_session_closed, r);
}

const struct probe_ops probe_snmp_interfaces = {
	.name = "snmp.interfaces",
	.help = "a device's interfaces by SNMP: names, states, speeds and counters",
	.metrics = interfaces_metrics,
	.n_metrics = HT_COUNT(interfaces_metrics),
	.options = &interfaces_options,
	.run_size = sizeof(struct interfaces_run),
	.start = interfaces_start,
	.cancel = interfaces_cancel,
	.check = interfaces_check,
};
