#include "agent/options.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/name.h"
#include "base/targets.h"

#define FILES_MAX        64
#define PROBES_MAX       2000
#define EVERY_MIN        (50 * HT_NS_PER_MS)
#define DAY_NS           (86400 * HT_NS_PER_S)
#define CONFIG_BYTES_MAX (4 << 20)

/* ── Tables ───────────────────────────────────────────────────────────────────────── */

static const char *const format_names[] = { "cbor", "json", NULL };
static const char *const level_names[] = { "error", "warn", "info", "debug", NULL };

#define AT(f) offsetof(struct options_agent, f)
static const struct ht_option agent_rows[] = {
	{ "id", HT_OPT_STRING, AT(id), .required = true, .min = 1, .max = HT_ID_MAX,
	    .help = "this agent's id, as on the server and in its certificate" },
	{ "state_dir", HT_OPT_STRING, AT(state_dir), .def = "/var/lib/hatang/agent",
	    .help = "folder for the spool, the approved configuration and the status "
		    "socket" },
	{ "user", HT_OPT_STRING, AT(user), .def = "",
	    .help = "user to become when started as root; empty: stay who we are" },
};
static const struct ht_options agent_options =
    HT_OPTIONS(struct options_agent, agent_rows);
#undef AT

#define AT(f) offsetof(struct options_mqtt, f)
static const struct ht_option mqtt_rows[] = {
	{ "host", HT_OPT_STRING, AT(host), .help = "the broker's name or address" },
	{ "ports", HT_OPT_STRINGS, AT(ports), .def = "8883", .min = 0, .max = 3,
	    .help = "ports to try in turn; 8883, and 443 where nothing else gets out" },
	{ "tls_name", HT_OPT_STRING, AT(tls_name),
	    .help = "name the broker's certificate must have, when it is not `host`" },
	{ "ca", HT_OPT_STRING, AT(ca), .help = "file of the CA that signed the broker" },
	{ "cert", HT_OPT_STRING, AT(cert), .help = "file of this agent's certificate" },
	{ "key", HT_OPT_STRING, AT(key), .help = "file of this agent's private key" },
	{ "keepalive", HT_OPT_DURATION, AT(keepalive_ns), .min = 10 * HT_NS_PER_S,
	    .max = 600 * HT_NS_PER_S, .def = "30s",
	    .help = "silence after which the connection counts as lost" },
	{ "format", HT_OPT_ENUM, AT(format), .names = format_names, .def = "cbor",
	    .help = "encoding of packs" },
};
static const struct ht_options mqtt_options = HT_OPTIONS(struct options_mqtt, mqtt_rows);
#undef AT

#define AT(f) offsetof(struct options_spool, f)
static const struct ht_option spool_rows[] = {
	{ "max_bytes", HT_OPT_BYTES, AT(max_bytes), .min = 1 << 20,
	    .max = INT64_C(1) << 40, .def = "256M",
	    .help = "size of the spool; beyond it the oldest packs go" },
	{ "max_age", HT_OPT_DURATION, AT(max_age_ns), .min = 60 * HT_NS_PER_S,
	    .max = 3650 * DAY_NS, .def = "30d",
	    .help = "age at which packs are given up" },
};
static const struct ht_options spool_options =
    HT_OPTIONS(struct options_spool, spool_rows);
#undef AT

#define AT(f) offsetof(struct options_site, f)
static const struct ht_option site_rows[] = {
	{ "subnets", HT_OPT_STRINGS, AT(subnets), .max = 256,
	    .help =
		"this office's own networks, CIDR; no packet ever leaves for others" },
	{ "interfaces", HT_OPT_STRINGS, AT(interfaces), .max = 32,
	    .help = "interfaces that may be listened on" },
	{ "packets_per_s", HT_OPT_INT, AT(packets_per_s), .min = 1, .max = 10000,
	    .def = "50", .help = "budget of all scanning together" },
};
static const struct ht_options site_options = HT_OPTIONS(struct options_site, site_rows);
#undef AT

#define AT(f) offsetof(struct options_reach, f)
static const struct ht_option reach_rows[] = {
	{ "from_server", HT_OPT_BOOL, AT(from_server), .def = "yes",
	    .help = "ping what the server's list says, made from its registry" },
	{ "max_targets", HT_OPT_INT, AT(max_targets), .min = 0, .max = HT_TARGETS_MAX,
	    .def = "2000", .help = "a longer list is refused; a vantage may need more" },
	{ "packets_per_s", HT_OPT_INT, AT(packets_per_s), .min = 1, .max = 1000000,
	    .def = "4000", .help = "a list that needs more pings a second is refused" },
};
static const struct ht_options reach_options =
    HT_OPTIONS(struct options_reach, reach_rows);
#undef AT

#define AT(f) offsetof(struct options_log, f)
static const struct ht_option log_rows[] = {
	{ "level", HT_OPT_ENUM, AT(level), .names = level_names, .def = "info",
	    .help = "least important line that is written" },
	{ "json", HT_OPT_BOOL, AT(json), .def = "no", .help = "log as JSON lines" },
};
static const struct ht_options log_options = HT_OPTIONS(struct options_log, log_rows);
#undef AT

#define AT(f) offsetof(struct options, f)
static const struct ht_option rows[] = {
	{ "agent", HT_OPT_SECTION, AT(agent), .sub = &agent_options,
	    .help = "who this is" },
	{ "mqtt", HT_OPT_SECTION, AT(mqtt), .sub = &mqtt_options, .help = "the broker" },
	{ "spool", HT_OPT_SECTION, AT(spool), .sub = &spool_options,
	    .help = "what waits for the server" },
	{ "site", HT_OPT_SECTION, AT(site), .sub = &site_options, .help = "this office" },
	{ "reach", HT_OPT_SECTION, AT(reach), .sub = &reach_options,
	    .help = "the server's list of what is to be pinged" },
	{ "log", HT_OPT_SECTION, AT(log), .sub = &log_options, .help = "the log" },
	{ "probes", HT_OPT_NODE, AT(probes_node), .help = "list of probes, see below" },
};
static const struct ht_options options = HT_OPTIONS(struct options, rows);
#undef AT

/* Keys that every probe has. */
struct common {
	char *probe, *id;
	int64_t every_ns, timeout_ns, retries;
};

#define AT(f) offsetof(struct common, f)
static const struct ht_option common_rows[] = {
	{ "probe", HT_OPT_STRING, AT(probe), .required = true, .help = "which probe" },
	{ "id", HT_OPT_STRING, AT(id), .min = 1, .max = HT_ID_MAX,
	    .help = "stable id of what is measured; the probe's name when left out" },
	{ "every", HT_OPT_DURATION, AT(every_ns), .min = EVERY_MIN, .max = 31 * DAY_NS,
	    .def = "60s", .help = "time from run to run" },
	{ "timeout", HT_OPT_DURATION, AT(timeout_ns), .min = 10 * HT_NS_PER_MS,
	    .max = DAY_NS,
	    .help = "a run is cancelled then; left out: `every`, at most 10m" },
	{ "retries", HT_OPT_INT, AT(retries), .min = 0, .max = 10, .def = "0",
	    .help = "further attempts after a run that could not start or timed out" },
};
static const struct ht_options common_options = HT_OPTIONS(struct common, common_rows);
#undef AT

static const struct ht_options no_options = { NULL, 0, 1 };

/* ── Files ────────────────────────────────────────────────────────────────────────── */

struct probe_storage {
	const struct ht_options *table;
	void *options;
	struct common common;
};

struct options_files {
	struct ht_yaml at[FILES_MAX];
	size_t n;
	struct ht_addr *subnets;
	struct probe_storage *storage; /* as many as probes, and one for options_probe */
	size_t n_storage;
};

static ht_err file_new(struct options *o, struct ht_yaml **out, struct ht_fault *fault)
{
	if (o->files->n == FILES_MAX)
		return ht_fault_set(
		    fault, HT_CONFIG, "more than %d configuration files", FILES_MAX);
	*out = &o->files->at[o->files->n++];
	return HT_OK;
}

/* "/etc/hatang/agent.yaml" has its drop-ins in "/etc/hatang/agent.d". */
static ht_err drop_in_dir(const char *file, char *out, size_t cap)
{
	size_t len = strlen(file);
	const char *end =
	    len > 5 && strcmp(file + len - 5, ".yaml") == 0 ? file + len - 5 : file + len;
	int n = snprintf(out, cap, "%.*s.d", (int)(end - file), file);

	return n > 0 && (size_t)n < cap ? HT_OK : HT_TOOLARGE;
}

static int is_yaml(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 &&
	       strcmp(e->d_name + len - 5, ".yaml") == 0;
}

static ht_err overlay_file(struct options *o, const char *file, struct ht_fault *fault)
{
	struct ht_yaml *y = NULL;
	ht_err err = file_new(o, &y, fault);

	if (!err)
		err = ht_yaml_load(file, y, fault);
	return err ? err : ht_yaml_overlay(&o->files->at[0], y);
}

static ht_err overlay_drop_ins(
    struct options *o, const char *file, struct ht_fault *fault)
{
	char dir[2048], path[4096];
	struct dirent **list = NULL;
	ht_err err = drop_in_dir(file, dir, sizeof(dir));

	if (err)
		return ht_fault_set(
		    fault, HT_CONFIG, "%s: the file's name is too long", file);
	int n = scandir(dir, &list, is_yaml, alphasort);
	for (int i = 0; i < n; i++) {
		if (!err) {
			snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
			err = overlay_file(o, path, fault);
		}
		free(list[i]);
	}
	free(list);
	return err;
}

/* The server may say what is measured, never who this is or whom it trusts. */
static ht_err approved_check(const struct ht_yaml *y, struct ht_fault *fault)
{
	const struct ht_node *root = y->root;

	if (root->kind == HT_NODE_NULL)
		return HT_OK;
	if (root->kind != HT_NODE_MAP)
		return ht_node_fault(
		    root, fault, "expected the sections site and probes");
	for (size_t i = 0; i < root->n; i++) {
		const char *key = root->keys[i]->text;
		if (strcmp(key, "site") != 0 && strcmp(key, "probes") != 0)
			return ht_node_fault(root->keys[i], fault,
			    "\"%s\" cannot be set from the server; only site and probes "
			    "can",
			    key);
	}
	return HT_OK;
}

static ht_err overlay_approved(
    struct options *o, const void *bytes, size_t len, struct ht_fault *fault)
{
	struct ht_yaml *y = NULL;
	ht_err err = file_new(o, &y, fault);

	if (!err)
		err = ht_yaml_parse(OPTIONS_APPROVED, bytes, len, y, fault);
	if (!err)
		err = approved_check(y, fault);
	if (!err)
		err = fingerprint_sha256(bytes, len, o->approved_hash);
	return err ? err : ht_yaml_overlay(&o->files->at[0], y);
}

static ht_err approved_from_file(struct options *o, struct ht_fault *fault)
{
	char path[4096];
	char *bytes = NULL;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/%s", o->agent.state_dir, OPTIONS_APPROVED);
	ht_err err = ht_file_read(path, OPTIONS_APPROVED_MAX, &bytes, &len, fault);
	if (err == HT_NOTFOUND)
		return HT_OK;
	if (!err)
		err = overlay_approved(o, bytes, len, fault);
	free(bytes);
	return err;
}

/* ── Making and checking ──────────────────────────────────────────────────────────── */

static struct ht_node *place(
    const struct options *o, const char *section, const char *key)
{
	struct ht_node *root = o->files->at[0].root;
	struct ht_node *s = ht_node_get(root, section);
	struct ht_node *k = ht_node_get(s, key);

	return k ? k : s ? s : root;
}

static ht_err make_ports(struct options *o, struct ht_fault *fault)
{
	for (size_t i = 0; i < o->mqtt.ports.n && i < 3; i++) {
		int64_t port = 0;
		ht_err err = ht_int_parse(o->mqtt.ports.at[i], &port);
		if (err || port < 1 || port > 65535)
			return ht_node_fault(place(o, "mqtt", "ports"), fault,
			    "\"%s\" is no port; give numbers from 1 to 65535",
			    o->mqtt.ports.at[i]);
		o->ports[i] = (uint16_t)port;
	}
	return HT_OK;
}

static ht_err make_site(struct options *o, struct ht_fault *fault)
{
	size_t n = o->site.subnets.n;
	struct ht_addr *a = calloc(n ? n : 1, sizeof(*a));

	if (!a)
		return HT_NOMEM;
	o->files->subnets = a;
	for (size_t i = 0; i < n; i++) {
		if (ht_addr_parse(o->site.subnets.at[i], &a[i]))
			return ht_node_fault(place(o, "site", "subnets"), fault,
			    "\"%s\" is no network; write it as 192.168.10.0/24",
			    o->site.subnets.at[i]);
	}
	o->probe_site = (struct probe_site){
		.subnets = a,
		.n_subnets = n,
		.interfaces = (const char *const *)o->site.interfaces.at,
		.n_interfaces = o->site.interfaces.n,
		.packets_per_s = o->site.packets_per_s,
		.ca_file = o->mqtt.ca,
	};
	return HT_OK;
}

static ht_err unknown_probe(
    const struct ht_node *at, const char *name, struct ht_fault *fault)
{
	const char *near = probe_nearest(name);

	if (near && at)
		return ht_node_fault(
		    at, fault, "no probe \"%s\"; did you mean \"%s\"?", name, near);
	if (at)
		return ht_node_fault(at, fault,
		    "no probe \"%s\"; `hatang-agent metrics` lists them", name);
	return ht_fault_set(fault, HT_CONFIG, "no probe \"%s\"%s%s%s", name,
	    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static void fill(
    struct runner_probe *p, const struct probe_ops *ops, const struct probe_storage *st)
{
	int64_t timeout = st->common.timeout_ns;

	if (!timeout && ops->endless)
		timeout = SCHEDULE_ENDLESS;
	/* One that listens does so for the whole interval. */
	if (!timeout && !ops->continuous && st->common.every_ns > 600 * HT_NS_PER_S)
		timeout = 600 * HT_NS_PER_S;
	*p = (struct runner_probe){
		.ops = ops,
		.id = st->common.id ? st->common.id : ops->name,
		.options = st->options,
		.every_ns = st->common.every_ns,
		.timeout_ns = timeout ? timeout : st->common.every_ns,
		.retries = st->common.retries,
	};
	snprintf(p->key, sizeof(p->key), "%.31s.%s", ops->name, p->id);
}

static ht_err make_probe(struct options *o, const struct ht_node *item,
    struct runner_probe *out, struct ht_fault *fault)
{
	struct ht_node *name = ht_node_get(item, "probe");

	if (item->kind != HT_NODE_MAP)
		return ht_node_fault(
		    item, fault, "expected a map, as { probe: icmp, id: wan }");
	if (!name || name->kind != HT_NODE_SCALAR)
		return ht_node_fault(name ? name : item, fault,
		    "\"probe\" is missing; say which probe this is");
	const struct probe_ops *ops = probe_find(name->text);
	if (!ops)
		return unknown_probe(name, name->text, fault);

	struct probe_storage *st = &o->files->storage[o->files->n_storage++];
	st->table = ops->options ? ops->options : &no_options;
	st->options = calloc(1, st->table->size);
	if (!st->options)
		return HT_NOMEM;
	ht_err err =
	    ht_options_load(&common_options, st->table, item, &st->common, fault);
	if (!err)
		err =
		    ht_options_load(st->table, &common_options, item, st->options, fault);
	if (!err && st->common.id && !ht_id_valid(st->common.id, HT_ID_MAX))
		err = ht_node_fault(ht_node_get(item, "id"), fault,
		    "\"%s\" is no id; use letters, digits and . _ : -", st->common.id);
	if (!err && ops->check)
		err = ops->check(st->options, item, fault);
	if (!err)
		fill(out, ops, st);
	return err;
}

/* Does this one measure what it lists, or what the server's list says? */
static void note_follower(
    struct options *o, const struct ht_node *item, const struct runner_probe *p)
{
	if (strcmp(p->ops->name, "snmp.fleet") == 0 && !ht_node_get(item, "devices") &&
	    !o->fleet_probe)
		o->fleet_probe = p;
	if (strcmp(p->ops->name, "path") == 0 && !ht_node_get(item, "target") &&
	    !o->path_probe)
		o->path_probe = p;
	if (strcmp(p->ops->name, "reach") != 0)
		return;
	if (ht_node_get(item, "targets") || ht_node_get(item, "target"))
		o->own_targets = p->id;
	else if (!o->reach_probe)
		o->reach_probe = p;
}

static ht_err make_probes(struct options *o, struct ht_fault *fault)
{
	const struct ht_node *list = o->probes_node;
	size_t n = list && list->kind == HT_NODE_LIST ? list->n : 0;

	if (list && list->kind != HT_NODE_LIST && list->kind != HT_NODE_NULL)
		return ht_node_fault(list, fault, "\"probes\" must be a list");
	if (n > PROBES_MAX)
		return ht_node_fault(list, fault, "more than %d probes", PROBES_MAX);
	o->files->storage = calloc(n + 1, sizeof(*o->files->storage));
	o->probes = calloc(n + 1, sizeof(*o->probes));
	if (!o->files->storage || !o->probes)
		return HT_NOMEM;
	for (size_t i = 0; i < n; i++) {
		ht_err err = make_probe(o, list->items[i], &o->probes[i], fault);
		if (err)
			return err;
		for (size_t k = 0; k < i; k++) {
			if (strcmp(o->probes[k].key, o->probes[i].key) == 0)
				return ht_node_fault(list->items[i], fault,
				    "there is a probe %s with the id \"%s\" already; "
				    "give this one another id",
				    o->probes[i].ops->name, o->probes[i].id);
		}
		o->n_probes = i + 1;
		note_follower(o, list->items[i], &o->probes[i]);
	}
	return HT_OK;
}

static ht_err read_table(struct options *o, struct ht_fault *fault)
{
	struct options values;
	/* load overwrites the whole struct: carry what is ours over. */
	struct options keep = *o;

	ht_options_fini(&options, o);
	ht_err err =
	    ht_options_load(&options, NULL, keep.files->at[0].root, &values, fault);
	*o = err ? (struct options){ 0 } : values;
	o->files = keep.files;
	memcpy(o->approved_hash, keep.approved_hash, sizeof(o->approved_hash));
	return err;
}

static ht_err finish(struct options *o, struct ht_fault *fault)
{
	ht_err err = read_table(o, fault);

	if (!err && !ht_id_valid(o->agent.id, HT_ID_MAX))
		err = ht_node_fault(place(o, "agent", "id"), fault,
		    "\"%s\" is no id; use letters, digits and . _ : -", o->agent.id);
	if (!err)
		err = make_ports(o, fault);
	if (!err)
		err = make_site(o, fault);
	if (!err)
		err = make_probes(o, fault);
	return err;
}

static struct options *options_new(void)
{
	struct options *o = calloc(1, sizeof(*o));

	if (o)
		o->files = calloc(1, sizeof(*o->files));
	if (o && !o->files) {
		free(o);
		o = NULL;
	}
	return o;
}

static ht_err give(struct options *o, ht_err err, struct options **out)
{
	if (err)
		options_free(o);
	else
		*out = o;
	return err;
}

ht_err options_load(const char *file, const void *approved, size_t approved_len,
    struct options **out, struct ht_fault *fault)
{
	struct options *o = options_new();
	struct ht_yaml *y = NULL;

	if (!o)
		return HT_NOMEM;
	ht_err err = file_new(o, &y, fault);
	if (!err)
		err = ht_yaml_load(file, y, fault);
	if (!err)
		err = overlay_drop_ins(o, file, fault);
	if (!err)
		err = read_table(o, fault); /* for state_dir */
	if (!err)
		err = approved ? overlay_approved(o, approved, approved_len, fault)
			       : approved_from_file(o, fault);
	if (!err)
		err = finish(o, fault);
	return give(o, err, out);
}

ht_err options_parse(const char *name, const void *bytes, size_t len,
    struct options **out, struct ht_fault *fault)
{
	struct options *o = options_new();
	struct ht_yaml *y = NULL;

	if (!o)
		return HT_NOMEM;
	ht_err err = file_new(o, &y, fault);
	if (!err)
		err = ht_yaml_parse(name, bytes, len, y, fault);
	if (!err)
		err = finish(o, fault);
	return give(o, err, out);
}

ht_err options_none(struct options **out, struct ht_fault *fault)
{
	static const char text[] = "agent: { id: none }\n";

	return options_parse("defaults", text, sizeof(text) - 1, out, fault);
}

void options_free(struct options *o)
{
	if (!o)
		return;
	for (size_t i = 0; o->files && i < o->files->n_storage; i++) {
		struct probe_storage *st = &o->files->storage[i];
		if (st->options && st->table != &no_options)
			ht_options_fini(st->table, st->options);
		free(st->options);
		ht_options_fini(&common_options, &st->common);
	}
	free(o->probes);
	for (size_t i = 0; o->files && i < o->files->n; i++)
		ht_yaml_fini(&o->files->at[i]);
	if (o->files) {
		free(o->files->subnets);
		free(o->files->storage);
	}
	free(o->files);
	ht_options_fini(&options, o); /* last: it zeroes all of `o` */
	free(o);
}

/* ── For one run by hand ──────────────────────────────────────────────────────────── */

const struct runner_probe *options_configured(const struct options *o, const char *name)
{
	for (size_t i = 0; i < o->n_probes; i++) {
		if (strcmp(o->probes[i].id, name) == 0)
			return &o->probes[i];
	}
	for (size_t i = 0; i < o->n_probes; i++) {
		if (strcmp(o->probes[i].ops->name, name) == 0)
			return &o->probes[i];
	}
	return NULL;
}

/* Build the item "{ probe: name, key: value … }" and read it like any other, so that
 * defaults, ranges and required keys are the same. */
static ht_err item_text(const char *name, char *const *set, size_t n, struct ht_buf *b,
    struct ht_fault *fault)
{
	ht_buf_printf(b, "probe: %s\n", name);
	for (size_t i = 0; i < n; i++) {
		const char *eq = strchr(set[i], '=');
		if (!eq || eq == set[i])
			return ht_fault_set(fault, HT_CONFIG,
			    "\"%s\": write it as --set key=value", set[i]);
		ht_buf_printf(b, "%.*s: %s\n", (int)(eq - set[i]), set[i], eq + 1);
	}
	return ht_buf_err(b);
}

static ht_err probe_by_hand(struct options *o, const char *name, char *const *set,
    size_t n, struct runner_probe *out, struct ht_fault *fault)
{
	struct ht_buf b;
	struct ht_yaml *y = NULL;

	ht_buf_init(&b, 65536);
	ht_err err = item_text(name, set, n, &b, fault);
	if (!err)
		err = file_new(o, &y, fault);
	if (!err)
		err = ht_yaml_parse("--set", ht_buf_text(&b), b.len, y, fault);
	if (!err)
		err = make_probe(o, y->root, out, fault);
	ht_buf_fini(&b);
	return err;
}

ht_err options_probe(struct options *o, const char *name, char *const *set, size_t n,
    struct runner_probe *out, struct ht_fault *fault)
{
	const struct runner_probe *p = options_configured(o, name);

	if (!p) {
		if (!probe_find(name))
			return unknown_probe(NULL, name, fault);
		return probe_by_hand(o, name, set, n, out, fault);
	}
	*out = *p;
	for (size_t i = 0; i < n; i++) {
		const char *eq = strchr(set[i], '=');
		char key[64];
		if (!eq || (size_t)(eq - set[i]) >= sizeof(key))
			return ht_fault_set(fault, HT_CONFIG,
			    "\"%s\": write it as --set key=value", set[i]);
		snprintf(key, sizeof(key), "%.*s", (int)(eq - set[i]), set[i]);
		if (strcmp(key, "timeout") == 0) {
			if (ht_duration_parse(eq + 1, &out->timeout_ns))
				return ht_fault_set(fault, HT_CONFIG,
				    "timeout: \"%s\" is no "
				    "duration; write it as 10s",
				    eq + 1);
			continue;
		}
		ht_err err = p->ops->options ? ht_options_set(p->ops->options,
						   (void *)p->options, key, eq + 1, fault)
					     : ht_fault_set(fault, HT_CONFIG,
						   "%s has no options", p->ops->name);
		if (err)
			return err;
	}
	return HT_OK;
}

void options_print(FILE *to)
{
	ht_options_print(&options, to);
	fprintf(to, "\nKeys of every probe:\n");
	ht_options_print(&common_options, to);
	for (size_t i = 0; i < probe_registry_len; i++) {
		const struct probe_ops *ops = probe_registry[i];
		fprintf(to, "\n%s: %s\n", ops->name, ops->help);
		if (ops->options)
			ht_options_print(ops->options, to);
	}
}
