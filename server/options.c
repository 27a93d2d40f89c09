#include "server/options.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/targets.h"
#include "server/throughput/slots.h"

#define DROPINS_MAX 64
#define DAY_NS      (INT64_C(86400) * HT_NS_PER_S)

static const char *const levels[] = { "error", "warn", "info", "debug", NULL };

/* clang-format off */
static const struct ht_option server_rows[] = {
	{ "state_dir", HT_OPT_STRING, offsetof(struct options_server, state_dir), .def = "/var/lib/hatang/server",
	  .help = "folder of the database, the CA and what belongs to them" },
	{ "share_dir", HT_OPT_STRING, offsetof(struct options_server, share_dir), .def = "/usr/share/hatang",
	  .help = "folder of definitions, catalogues and the dashboard" },
	{ "utc_offset", HT_OPT_INT, offsetof(struct options_server, utc_offset), .min = -720, .max = 840, .def = "420",
	  .help = "minutes east of UTC in which months of reports begin; 420 is Asia/Ho_Chi_Minh" },
};
static const struct ht_option mqtt_rows[] = {
	{ "host", HT_OPT_STRING, offsetof(struct options_mqtt, host), .def = "127.0.0.1", .help = "the broker's name or address" },
	{ "port", HT_OPT_INT, offsetof(struct options_mqtt, port), .min = 1, .max = 65535, .def = "8883", .help = "its TLS port" },
	{ "ca", HT_OPT_STRING, offsetof(struct options_mqtt, ca), .help = "CA certificate; default <state_dir>/ca/ca.crt" },
	{ "cert", HT_OPT_STRING, offsetof(struct options_mqtt, cert), .help = "the server's client certificate; default <state_dir>/ca/server-client.crt" },
	{ "key", HT_OPT_STRING, offsetof(struct options_mqtt, key), .help = "its key; default <state_dir>/ca/server-client.key" },
	{ "tls_name", HT_OPT_STRING, offsetof(struct options_mqtt, tls_name), .help = "name in the broker's certificate, when it is not `host`" },
	{ "public_host", HT_OPT_STRING, offsetof(struct options_mqtt, public_host), .help = "the broker's name as agents reach it; default `host`" },
	{ "public_ports", HT_OPT_STRINGS, offsetof(struct options_mqtt, public_ports), .max = 3, .help = "its ports as agents reach them; default `port`" },
};
static const struct ht_option http_rows[] = {
	{ "listen", HT_OPT_STRING, offsetof(struct options_http, listen), .def = "127.0.0.1", .help = "address of the API and the dashboard" },
	{ "port", HT_OPT_INT, offsetof(struct options_http, port), .min = 0, .max = 65535, .def = "8080", .help = "their port; 0: the kernel chooses" },
	{ "tls", HT_OPT_BOOL, offsetof(struct options_http, tls), .def = "no", .help = "serve HTTPS" },
	{ "cert", HT_OPT_STRING, offsetof(struct options_http, cert), .help = "certificate for HTTPS; default made by our CA" },
	{ "key", HT_OPT_STRING, offsetof(struct options_http, key), .help = "its key" },
};
static const struct ht_option broker_rows[] = {
	{ "config_dir", HT_OPT_STRING, offsetof(struct options_broker, config_dir), .def = "/etc/mosquitto/hatang", .help = "where the broker's configuration is written" },
	{ "listen", HT_OPT_STRING, offsetof(struct options_broker, listen), .help = "address that the broker binds to; default all" },
	{ "pid_file", HT_OPT_STRING, offsetof(struct options_broker, pid_file), .def = "/run/mosquitto/mosquitto.pid", .help = "the broker's pid, to have it read its lists again" },
};
static const struct ht_option journal_rows[] = {
	{ "keep", HT_OPT_DURATION, offsetof(struct options_journal, keep_ns), .min = HT_NS_PER_S, .max = 36500 * DAY_NS, .def = "30d",
	  .help = "age at which agents' and the server's rows go; people's never do" },
	{ "keep_bytes", HT_OPT_BYTES, offsetof(struct options_journal, keep_bytes), .min = 1 << 20, .def = "20G", .max = INT64_C(1) << 50,
	  .help = "size of the database beyond which the oldest go earlier" },
};
static const struct ht_option reach_rows[] = {
	{ "push", HT_OPT_BOOL, offsetof(struct options_reach, push), .def = "yes",
	  .help = "tell vantages and offices' agents what to ping, made from the registry" },
	{ "far_end", HT_OPT_STRING, offsetof(struct options_reach, far_end), .def = "server",
	  .help = "far end of an office's WAN, as the office sees it: an address at the core, or `server`: where its agent reaches the broker" },
	{ "gateway", HT_OPT_STRING, offsetof(struct options_reach, gateway), .def = "gateway",
	  .help = "an office's own router: `gateway` is its agent's default router" },
	{ "dns", HT_OPT_STRING, offsetof(struct options_reach, dns), .def = "",
	  .help = "the province's resolver, pinged by offices' agents; `resolver`: the one that each uses; empty: not measured" },
	{ "internet", HT_OPT_STRING, offsetof(struct options_reach, internet), .def = "",
	  .help = "an address on the Internet that may be pinged by every office; empty: not measured" },
	{ "self", HT_OPT_STRINGS, offsetof(struct options_reach, self), .def = "gateway", .max = HT_TARGETS_SELF_MAX,
	  .help = "what a vantage checks its own sight by: its `gateway`, and addresses that do not depend on one another" },
};
#define OPT(f) offsetof(struct options_throughput, f)
static const struct ht_option throughput_rows[] = {
	{ "listen", HT_OPT_STRING, OPT(listen), .def = "0.0.0.0", .help = "address of the endpoint that tests of throughput go to" },
	{ "port", HT_OPT_INT, OPT(port), .min = 0, .max = 65535, .def = "0", .help = "its port; 0: no endpoint" },
	{ "host", HT_OPT_STRING, OPT(host), .help = "its name as agents reach it; default the broker's" },
	{ "tls", HT_OPT_BOOL, OPT(tls), .def = "yes", .help = "over HTTPS; without it a test's pass can be read on the way" },
	{ "cert", HT_OPT_STRING, OPT(cert), .help = "certificate for it; default made by our CA" },
	{ "key", HT_OPT_STRING, OPT(key), .help = "its key" },
	{ "max_concurrent", HT_OPT_INT, OPT(max_concurrent), .min = 1, .max = 32, .def = "4", .help = "tests at a time against it" },
	{ "rate", HT_OPT_RATE, OPT(rate_bps), .min = 1000000, .max = INT64_C(400000000000), .def = "1G", .help = "what it carries: the rates of the links under test add up to no more" },
	{ "busy_percent", HT_OPT_INT, OPT(busy_percent), .min = 1, .max = 100, .def = "20", .help = "no test while a link carries more than this share of its rate" },
	{ "day_bytes", HT_OPT_BYTES, OPT(day_bytes), .min = 0, .max = INT64_C(1) << 50, .def = "2G", .help = "that tests of one link may cost in a day" },
	{ "month_bytes", HT_OPT_BYTES, OPT(month_bytes), .min = 0, .max = INT64_C(1) << 50, .def = "20G", .help = "and in a month" },
	{ "day_tests", HT_OPT_INT, OPT(day_tests), .min = 1, .max = 10000, .def = "48", .help = "slots for one link in a day, so that nobody holds an uplink that others share" },
	{ "hours", HT_OPT_STRINGS, OPT(hours), .max = SLOTS_HOURS_MAX, .def = "17:30-07:00", .help = "times of day (by utc_offset) when tests are allowed; 00:00-24:00: always" },
	{ "wide", HT_OPT_STRINGS, OPT(wide), .max = 64, .help = "links that carry many tests at once, like that of the core: what hangs on one may be tested beside another" },
};
#undef OPT
static const struct ht_option index_rows[] = {
	{ "definition", HT_OPT_STRING, offsetof(struct options_index, definition), .def = "vn-ict-index-2016", .help = "index definition in force" },
};
static const struct ht_option alerts_rows[] = {
	{ "rules", HT_OPT_STRING, offsetof(struct options_alerts, rules), .help = "file of the alert rules; default those that are shipped (alert/rules/default.yaml)" },
	{ "channels", HT_OPT_STRING, offsetof(struct options_alerts, channels), .help = "file of the channels by which people are told (docs/alerts.md); default nobody is" },
};
static const struct ht_option log_rows[] = {
	{ "level", HT_OPT_ENUM, offsetof(struct options_log, level), .names = levels, .def = "info", .help = "error, warn, info or debug" },
	{ "json", HT_OPT_BOOL, offsetof(struct options_log, json), .def = "no", .help = "write log lines as JSON" },
};

static const struct ht_options server_table = HT_OPTIONS(struct options_server, server_rows);
static const struct ht_options mqtt_table = HT_OPTIONS(struct options_mqtt, mqtt_rows);
static const struct ht_options http_table = HT_OPTIONS(struct options_http, http_rows);
static const struct ht_options broker_table = HT_OPTIONS(struct options_broker, broker_rows);
static const struct ht_options journal_table = HT_OPTIONS(struct options_journal, journal_rows);
static const struct ht_options reach_table = HT_OPTIONS(struct options_reach, reach_rows);
static const struct ht_options throughput_table = HT_OPTIONS(struct options_throughput, throughput_rows);
static const struct ht_options index_table = HT_OPTIONS(struct options_index, index_rows);
static const struct ht_options alerts_table = HT_OPTIONS(struct options_alerts, alerts_rows);
static const struct ht_options log_table = HT_OPTIONS(struct options_log, log_rows);
/* clang-format on */

#define SECTION(name, help_)                                           \
	{                                                              \
#name, HT_OPT_SECTION, offsetof(struct options, name), \
		    .sub = &name##_table, .help = help_                \
	}
static const struct ht_option rows[] = {
	SECTION(server, "this program"),
	SECTION(mqtt, "the broker"),
	SECTION(http, "the API and the dashboard"),
	SECTION(broker, "the broker's own files"),
	SECTION(journal, "what is kept"),
	SECTION(reach, "what agents are told to ping"),
	SECTION(throughput, "tests of throughput"),
	SECTION(index, "the index"),
	SECTION(alerts, "telling people"),
	SECTION(log, "the log"),
};
static const struct ht_options table = HT_OPTIONS(struct options, rows);

static int is_yaml(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 &&
	       strcmp(e->d_name + len - 5, ".yaml") == 0;
}

/* "/etc/hatang/server.yaml" has its drop-ins in "/etc/hatang/server.d". */
static char *dropin_dir(const char *file)
{
	size_t len = strlen(file);
	char *dir = NULL;

	if (len > 5 && strcmp(file + len - 5, ".yaml") == 0)
		len -= 5;
	return asprintf(&dir, "%.*s.d", (int)len, file) < 0 ? NULL : dir;
}

struct trees {
	struct ht_yaml at[DROPINS_MAX + 1];
	size_t n;
};

static ht_err load_dropin(
    const char *dir, const char *name, struct trees *t, struct ht_fault *fault)
{
	char *file;

	if (t->n > DROPINS_MAX)
		return ht_fault_set(
		    fault, HT_CONFIG, "%s: more than %d drop-ins", dir, DROPINS_MAX);
	if (asprintf(&file, "%s/%s", dir, name) < 0)
		return HT_NOMEM;
	ht_err err = ht_yaml_load(file, &t->at[t->n], fault);
	if (!err)
		err = ht_yaml_overlay(&t->at[0], &t->at[t->n++]);
	free(file);
	return err;
}

static ht_err load_dropins(const char *file, struct trees *t, struct ht_fault *fault)
{
	struct dirent **entries = NULL;
	char *dir = dropin_dir(file);
	ht_err err = dir ? HT_OK : HT_NOMEM;
	int n = dir ? scandir(dir, &entries, is_yaml, alphasort) : 0;

	for (int i = 0; i < n; i++) {
		if (!err)
			err = load_dropin(dir, entries[i]->d_name, t, fault);
		free(entries[i]);
	}
	free(entries);
	free(dir);
	return err;
}

static char *default_path(char *have, const char *dir, const char *name)
{
	char *path = NULL;

	if (have)
		return have;
	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static ht_err fill_paths(struct options *o)
{
	const char *dir = o->server.state_dir;

	o->own_ca = !o->mqtt.cert;
	o->ca_dir = default_path(NULL, dir, "ca");
	o->mqtt.ca = default_path(o->mqtt.ca, dir, "ca/ca.crt");
	o->mqtt.cert = default_path(o->mqtt.cert, dir, "ca/server-client.crt");
	o->mqtt.key = default_path(o->mqtt.key, dir, "ca/server-client.key");
	o->db_file = default_path(NULL, dir, "server.db");
	o->lock_file = default_path(NULL, dir, "server.lock");
	return o->mqtt.ca && o->mqtt.cert && o->mqtt.key && o->ca_dir && o->db_file &&
		       o->lock_file
		   ? HT_OK
		   : HT_NOMEM;
}

static ht_err check_where(const struct ht_node *section, const char *key,
    const char *text, struct ht_fault *fault)
{
	const struct ht_node *node = ht_node_get(section, key);
	struct ht_where w;

	if (!text || !text[0] || !ht_where_parse(text, &w))
		return HT_OK;
	return ht_node_fault(node ? node : section, fault,
	    "\"%s\" is nothing to ping; give an address, or gateway, resolver or server",
	    text);
}

static ht_err check_reach(
    const struct options_reach *r, const struct ht_node *root, struct ht_fault *fault)
{
	const struct ht_node *section = ht_node_get(root, "reach");
	ht_err err = check_where(section, "far_end", r->far_end, fault);

	if (!err)
		err = check_where(section, "gateway", r->gateway, fault);
	if (!err)
		err = check_where(section, "dns", r->dns, fault);
	if (!err)
		err = check_where(section, "internet", r->internet, fault);
	for (size_t i = 0; !err && i < r->self.n; i++)
		err = check_where(section, "self", r->self.at[i], fault);
	return err;
}

static ht_err check_hours(const struct options_throughput *t, const struct ht_node *root,
    struct ht_fault *fault)
{
	const struct ht_node *section = ht_node_get(root, "throughput");
	const struct ht_node *node = section ? ht_node_get(section, "hours") : NULL;
	struct slots_hours hours = { 0 };

	for (size_t i = 0; i < t->hours.n; i++) {
		if (slots_hours_add(&hours, t->hours.at[i]))
			return ht_node_fault(node ? node : root, fault,
			    "\"%s\" is no time of day; write it as 17:30-07:00",
			    t->hours.at[i]);
	}
	return HT_OK;
}

ht_err options_load(const char *file, struct options *out, struct ht_fault *fault)
{
	struct trees *t = calloc(1, sizeof(*t));
	struct options o = { 0 };

	if (!t)
		return ht_fault_set(fault, HT_NOMEM, "out of memory");
	ht_err err = ht_yaml_load(file, &t->at[0], fault);
	if (!err) {
		t->n = 1;
		err = load_dropins(file, t, fault);
	}
	if (!err)
		err = ht_options_load(&table, NULL, t->at[0].root, &o, fault);
	if (!err)
		err = check_reach(&o.reach, t->at[0].root, fault);
	if (!err)
		err = check_hours(&o.throughput, t->at[0].root, fault);
	if (!err)
		err = fill_paths(&o);
	if (!err)
		*out = o;
	else
		options_fini(&o);
	for (size_t i = t->n; i-- > 0;)
		ht_yaml_fini(&t->at[i]);
	free(t);
	return err;
}

void options_fini(struct options *o)
{
	free(o->ca_dir);
	free(o->db_file);
	free(o->lock_file);
	o->ca_dir = o->db_file = o->lock_file = NULL;
	ht_options_fini(&table, o);
}

void options_print(FILE *to)
{
	ht_options_print(&table, to);
}
