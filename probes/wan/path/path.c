/* path: the way to an inside address, hop by hop, and whose network it runs over: to one
 * target, or to each link of the server's list in turn. A list that one run does not
 * finish goes on in the next, where it stood. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "probes/wan/path/path_job.h"
#include "probes/wan/path/path_networks.h"

enum {
	WINDOW = 6,  /* hops of icmp that are under way at once */
	AT_ONCE = 8, /* links of a list that are traced at once */
};

#define DEADLINE_MARGIN_NS (100 * HT_NS_PER_MS) /* to report before we are cancelled */
#define GAP_NS             (20 * HT_NS_PER_MS)  /* 50 packets a second at most */
#define GAP_LIST_NS        (40 * HT_NS_PER_MS)  /* and 200 for a whole list */

struct path_options {
	char *target;
	int method, family;
	int64_t port, max_hops, per_hop, max_silent, wait_ns;
	struct ht_list networks; /* struct path_network_item */
};

enum { FAMILY_ANY, FAMILY_4, FAMILY_6 };
static const char *const family_names[] = { "any", "ipv4", "ipv6", NULL };

#define OPT(f) offsetof(struct path_options, f)
static const struct ht_option option_rows[] = {
	{ "target", HT_OPT_STRING, OPT(target), .min = 1, .max = 253,
	    .help =
		"an inside address of the network, or a name; without it each link of "
		"the server's list" },
	{ "method", HT_OPT_ENUM, OPT(method), .def = "icmp", .names = path_method_names,
	    .help = "what is sent; udp and tcp need no rights" },
	{ "port", HT_OPT_INT, OPT(port), .min = 0, .max = 65535, .def = "0",
	    .help = "of udp and tcp; 0: 33434 for udp, 443 for tcp" },
	{ "family", HT_OPT_ENUM, OPT(family), .def = "any", .names = family_names,
	    .help = "which addresses of a name to use" },
	{ "max_hops", HT_OPT_INT, OPT(max_hops), .min = 1, .max = TRACE_TTL_MAX,
	    .def = "30", .help = "how far to look for the target" },
	{ "per_hop", HT_OPT_INT, OPT(per_hop), .min = 1, .max = TRACE_PER_HOP_MAX,
	    .def = "2", .help = "packets for each hop" },
	{ "max_silent", HT_OPT_INT, OPT(max_silent), .min = 1, .max = TRACE_TTL_MAX,
	    .def = "5", .help = "give up after so many silent hops in a row" },
	{ "wait", HT_OPT_DURATION, OPT(wait_ns), .min = 10 * HT_NS_PER_MS,
	    .max = 10 * HT_NS_PER_S, .def = "1s",
	    .help = "how long an answer is waited for" },
	{ "networks", HT_OPT_LIST, OPT(networks), .max = PATH_NETWORKS_MAX,
	    .sub = &path_network_table,
	    .help = "rules, in order: which hops belong to which network" },
};
static const struct ht_options path_option_table =
    HT_OPTIONS(struct path_options, option_rows);

static const enum ht_metric path_metrics[] = { HT_M_PATH_STATUS, HT_M_PATH_TARGET,
	HT_M_PATH_METHOD, HT_M_PATH_HOPS, HT_M_PATH_TRACE, HT_M_PATH_NETWORK,
	HT_M_PATH_REASON };

struct path_item {
	char id[HT_INSTANCE_MAX + 1]; /* the link's */
	struct ht_addr addr;
};

struct path_run {
	const struct path_options *o;
	const struct probe_host *host;
	struct path_settings settings;
	struct path_rule *rules;
	struct path_item *items; /* of the list, by id; NULL: o->target is the only one */
	size_t n;                /* to be traced */
	size_t first;            /* index of the item that is first this time */
	size_t n_begun;
	size_t n_told; /* without a gap from the first on, as far as is known */
	struct path_job jobs[AT_ONCE];
	size_t place[AT_ONCE]; /* of each job: n_begun when it began */
	size_t n_active;
	bool over;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- the list ---- */

/* Targets of a role ("<link>:gateway") are no links. */
static bool is_link(const struct ht_target *t)
{
	return t->where.place == HT_PLACE_ADDRESS && !strchr(t->id, ':');
}

static ht_err copy_list(struct path_run *r, const struct ht_targets *list)
{
	r->items = calloc(list->n + 1, sizeof(*r->items));
	if (!r->items)
		return HT_NOMEM;
	for (size_t i = 0; i < list->n; i++) {
		struct path_item *item = &r->items[r->n];

		if (!is_link(&list->at[i]))
			continue;
		snprintf(item->id, sizeof(item->id), "%s", list->at[i].id);
		item->addr = list->at[i].where.addr;
		r->n++;
	}
	return HT_OK;
}

/* Where an earlier run stopped: the first link that is not before that one. */
static void find_first(struct path_run *r)
{
	char id[HT_INSTANCE_MAX + 1];
	size_t len = 0;
	const void *bytes = r->host->recall(r->host, &len);

	if (!bytes || len == 0 || len > HT_INSTANCE_MAX)
		return;
	memcpy(id, bytes, len);
	id[len] = '\0';
	while (r->first < r->n && strcmp(r->items[r->first].id, id) < 0)
		r->first++;
	if (r->first == r->n)
		r->first = 0;
}

static void remember(const struct path_run *r)
{
	size_t len = 0;
	const char *id = "";

	if (r->n_told < r->n) {
		id = r->items[(r->first + r->n_told) % r->n].id;
		len = strlen(id);
	}
	/* If it cannot be kept, the next run begins where this one did. */
	(void)r->host->remember(r->host, id, len);
}

/* ---- the run ---- */

static void start_job(struct path_run *r, struct path_job *j)
{
	char address[HT_ADDR_TEXT];
	size_t at = r->n_begun++;

	r->place[j - r->jobs] = at;
	r->n_active++;
	if (!r->items) {
		path_job_start(j, r->host->instance, r->o->target);
		return;
	}
	const struct path_item *item = &r->items[(r->first + at) % r->n];

	/* The first have had all the time there is: told, however far they came. */
	j->keep_cut = at >= AT_ONCE;
	ht_addr_format(&item->addr, address);
	path_job_start(j, item->id, address);
}

static void pump(struct path_run *r)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (!r->jobs[i].active && r->n_begun < r->n &&
		    ht_mono_ns() < r->settings.deadline_ns)
			start_job(r, &r->jobs[i]);
	}
}

static void release(struct path_run *r)
{
	path_networks_free(r->rules, r->o->networks.n);
	free(r->items);
	r->rules = NULL;
	r->items = NULL;
}

static void finish(struct path_run *r)
{
	r->over = true;
	if (r->items)
		remember(r);
	r->host->done(r->host);
}

/* The earliest that was cut is where the next run begins. */
static void note_told(struct path_run *r)
{
	size_t told = r->n_begun;

	for (size_t i = 0; i < AT_ONCE; i++) {
		const struct path_job *j = &r->jobs[i];
		bool missing = j->active || (j->cut && j->keep_cut);

		if (missing && r->place[i] < told)
			told = r->place[i];
	}
	r->n_told = told;
}

static void on_ended(struct path_job *j)
{
	struct path_run *r = j->owner;

	r->n_active--;
	if (r->closed) {
		if (r->n_active == 0) {
			release(r);
			r->closed(r->closed_arg);
		}
		return;
	}
	pump(r);
	note_told(r);
	if (r->n_active == 0)
		finish(r);
}

/* ---- life ---- */

static uint16_t port_of(const struct path_options *o)
{
	static const uint16_t usual[] = {
		[TRACE_ICMP] = 0, [TRACE_UDP] = 33434, [TRACE_TCP] = 443
	};

	return o->port ? (uint16_t)o->port : usual[o->method];
}

static void set_up(struct path_run *r)
{
	static const int families[] = {
		[FAMILY_ANY] = AF_UNSPEC, [FAMILY_4] = AF_INET, [FAMILY_6] = AF_INET6
	};
	static const struct probe_site nowhere;
	const struct path_options *o = r->o;
	const struct probe_site *site = r->host->site ? r->host->site : &nowhere;

	r->settings = (struct path_settings){ .method = (enum trace_method)o->method,
		.port = port_of(o),
		.family = families[o->family],
		.ttl_max = (uint8_t)o->max_hops,
		.per_hop = (uint8_t)o->per_hop,
		.silent_max = (uint8_t)o->max_silent,
		.window = o->method == TRACE_ICMP ? WINDOW : 1,
		.wait_ns = o->wait_ns,
		.gap_ns = o->target ? GAP_NS : GAP_LIST_NS,
		.deadline_ns = r->host->deadline_ns - DEADLINE_MARGIN_NS,
		.rules = { .at = r->rules,
		    .n = o->networks.n,
		    .own = site->subnets,
		    .n_own = site->n_subnets } };
	for (size_t i = 0; i < AT_ONCE; i++)
		r->jobs[i] = (struct path_job){ .host = r->host,
			.settings = &r->settings,
			.ended = on_ended,
			.owner = r };
}

/* Nobody says where to: that too is told. */
static void tell_no_target(const struct path_run *r)
{
	const struct ht_reading readings[] = {
		{ .metric = HT_M_PATH_REASON,
		    .string = "no `target` is named, and the server has sent no list of "
			      "links" },
		{ .metric = HT_M_PATH_STATUS, .string = "error" },
	};

	for (size_t i = 0; i < HT_COUNT(readings); i++) {
		struct ht_reading reading = readings[i];

		reading.instance = r->host->instance;
		reading.at_ns = ht_mono_ns();
		r->host->emit(r->host, &reading);
	}
}

static ht_err path_start(void *run, const void *options, const struct probe_host *host)
{
	static const struct ht_targets none;
	struct path_run *r = run;
	const struct ht_targets *list = host->site ? host->site->targets : NULL;

	r->o = options;
	r->host = host;
	ht_err err = path_networks_build(&r->o->networks, &r->rules);

	r->n = 1;
	if (!err && !r->o->target) {
		r->n = 0;
		err = copy_list(r, list ? list : &none);
	}
	if (err) {
		release(r);
		return err;
	}
	set_up(r);
	if (r->n == 0) {
		tell_no_target(r);
		r->over = true;
		r->host->done(r->host);
		return HT_OK;
	}
	if (r->items)
		find_first(r);
	pump(r);
	return HT_OK;
}

/* Another list of the server's: the next run has it, this one ends with what it copied.
 */
static ht_err path_retarget(void *run, const void *options)
{
	const struct path_run *r = run;

	(void)options;
	return r->over ? HT_INVALID : HT_OK;
}

static void path_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct path_run *r = run;

	if (r->closed)
		return;
	r->closed = closed;
	r->closed_arg = arg;
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (r->jobs[i].active)
			path_job_cancel(&r->jobs[i]);
	}
	if (r->n_active == 0) {
		release(r);
		closed(arg);
	}
}

static ht_err path_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	const struct path_options *o = options;

	if (o->port && o->method == TRACE_ICMP)
		return ht_node_fault(ht_node_get(node, "port"), fault,
		    "icmp has no ports; leave `port` out, or choose `method: udp` or "
		    "tcp");
	return path_networks_check(&o->networks, fault);
}

const struct probe_ops probe_path = {
	.name = "path",
	.help =
	    "the way to an inside address, hop by hop, and whose network it runs over",
	.metrics = path_metrics,
	.n_metrics = HT_COUNT(path_metrics),
	.options = &path_option_table,
	.run_size = sizeof(struct path_run),
	.start = path_start,
	.cancel = path_cancel,
	.retarget = path_retarget,
	.check = path_check,
};
