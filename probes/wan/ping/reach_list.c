#include "probes/wan/ping/reach_list.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/name.h"

#define COOKIE_BITS 40 /* of a cookie that are secret; the rest is the target */

struct reach_item {
	char *id, *address;
	struct ht_strings parents;
};

#define ITEM(f) offsetof(struct reach_item, f)
static const struct ht_option item_rows[] = {
	{ "id", HT_OPT_STRING, ITEM(id), .min = 1, .max = HT_INSTANCE_MAX,
	    .required = true, .help = "the link's id in the registry, or <link>:<role>" },
	{ "address", HT_OPT_STRING, ITEM(address), .min = 1, .max = HT_ADDR_TEXT,
	    .required = true, .help = "IPv4 or IPv6 address to ping" },
	{ "parents", HT_OPT_STRINGS, ITEM(parents), .max = HT_REACH_PARENTS_MAX,
	    .help = "targets that it is reached through; one that is not in the list is "
		    "passed over" },
};
static const struct ht_options item_table = HT_OPTIONS(struct reach_item, item_rows);

#define OPT(f) offsetof(struct reach_options, f)
static const struct ht_option option_rows[] = {
	{ "targets", HT_OPT_LIST, OPT(targets), .max = REACH_TARGETS_MAX,
	    .sub = &item_table, .help = "whom to ping, once a second" },
	{ "target", HT_OPT_STRINGS, OPT(target), .max = REACH_TARGETS_MAX,
	    .help = "more addresses to ping, each under its own name" },
	{ "self", HT_OPT_STRINGS, OPT(self), .max = REACH_SELF_MAX,
	    .help = "own gateway and independent addresses: while none of them answers, "
		    "nothing is said of the targets" },
	{ "burst_rate", HT_OPT_INT, OPT(burst_rate), .min = 100, .max = 100000,
	    .def = "10000",
	    .help = "pings a second of all suspicions together, at most" },
};
const struct ht_options reach_option_table =
    HT_OPTIONS(struct reach_options, option_rows);

/* ---- addresses ---- */

static void put_address(struct reach_target *t, const struct ht_addr *a)
{
	struct sockaddr_storage at;
	socklen_t len;

	ht_addr_sockaddr(a, 0, &at, &len);
	memcpy(&t->address, &at, len);
	t->family = a->family == AF_INET ? ICMP_V4 : ICMP_V6;
}

static ht_err set_address(struct reach_target *t, const char *text)
{
	struct ht_addr a;
	ht_err err = ht_addr_parse(text, &a);

	if (!err && a.prefix != (a.family == AF_INET ? 32 : 128))
		err = HT_INVALID;
	if (!err)
		put_address(t, &a);
	return err;
}

bool reach_same_address(const union echo_address *a, const union echo_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

/* ---- what the core is told ---- */

static int by_id(const void *a, const void *b)
{
	return strcmp((*(const struct reach_item *const *)a)->id,
	    (*(const struct reach_item *const *)b)->id);
}

/* Items ordered by id, so that parents are found quickly. */
struct order {
	const struct reach_item *items, **sorted;
	size_t n;
};

static ht_err order_init(struct order *o, const struct ht_list *list)
{
	*o = (struct order){ .items = list->at, .n = list->n };
	o->sorted = calloc(o->n ? o->n : 1, sizeof(*o->sorted));
	if (!o->sorted)
		return HT_NOMEM;
	for (size_t i = 0; i < o->n; i++)
		o->sorted[i] = &o->items[i];
	qsort(o->sorted, o->n, sizeof(*o->sorted), by_id);
	return HT_OK;
}

static bool order_find(const struct order *o, char *id, uint32_t *out)
{
	const struct reach_item key = { .id = id }, *at = &key;
	const struct reach_item **found =
	    bsearch(&at, o->sorted, o->n, sizeof(*o->sorted), by_id);

	if (found)
		*out = (uint32_t)(*found - o->items);
	return found != NULL;
}

/* What the core is told: targets of the configuration, more addresses, targets of the
 * server's list, then the self-check. */
struct plan {
	struct ht_reach_target *targets;
	uint32_t *parents;
	size_t n;
};

static ht_err plan_init(
    struct plan *p, const struct reach_options *o, const struct ht_targets *server)
{
	size_t n_self = o->self.n + server->n_self;
	struct order order = { 0 };
	size_t at = 0;

	p->n = o->targets.n + o->target.n + server->n + n_self;
	p->targets = calloc(p->n ? p->n : 1, sizeof(*p->targets));
	p->parents = calloc(o->targets.n * HT_REACH_PARENTS_MAX + 1, sizeof(*p->parents));
	ht_err err =
	    p->targets && p->parents ? order_init(&order, &o->targets) : HT_NOMEM;
	for (size_t i = 0; !err && i < o->targets.n; i++) {
		const struct ht_strings *names = &order.items[i].parents;
		struct ht_reach_target *t = &p->targets[i];

		t->parents = p->parents + at;
		for (size_t k = 0; k < names->n; k++)
			t->n_parents += order_find(
			    &order, names->at[k], &p->parents[at + t->n_parents]);
		at += t->n_parents;
	}
	/* The list stands first: it is there only when the configuration lists nobody. */
	for (size_t i = 0; !err && i < server->n; i++)
		p->targets[i] =
		    (struct ht_reach_target){ .parents = server->at[i].parents,
			    .n_parents = server->at[i].n_parents };
	for (size_t i = p->n - n_self; !err && i < p->n; i++)
		p->targets[i].self = true;
	free(order.sorted);
	return err;
}

static void plan_fini(struct plan *p)
{
	free(p->targets);
	free(p->parents);
}

ht_err reach_options_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	static const struct ht_targets none;
	const struct ht_reach_host nobody = { 0 };
	const struct reach_options *o = options;
	const struct reach_item *items = o->targets.at;
	struct order order = { 0 };
	struct plan plan = { 0 };
	struct ht_reach *core = NULL;
	struct reach_target t;

	for (size_t i = 0; i < o->targets.n; i++) {
		if (!ht_id_valid(items[i].id, HT_INSTANCE_MAX))
			return ht_node_fault(o->targets.nodes[i], fault,
			    "\"%s\" is no id: letters, digits and . _ : - only",
			    items[i].id);
		if (set_address(&t, items[i].address))
			return ht_node_fault(o->targets.nodes[i], fault,
			    "\"%s\" is no address; names are not looked up: write it as "
			    "10.0.0.1 or 2001:db8::1",
			    items[i].address);
	}
	for (size_t i = 0; i < o->target.n + o->self.n; i++) {
		const char *text =
		    i < o->target.n ? o->target.at[i] : o->self.at[i - o->target.n];
		if (set_address(&t, text))
			return ht_node_fault(node, fault,
			    "\"%s\" is no address; names are not looked up: write it as "
			    "10.0.0.1 or 2001:db8::1",
			    text);
	}
	ht_err err = order_init(&order, &o->targets);
	for (size_t i = 1; !err && i < order.n; i++) {
		if (strcmp(order.sorted[i - 1]->id, order.sorted[i]->id) == 0)
			err = ht_node_fault(node, fault,
			    "two targets are called \"%s\"; each needs an id of its own",
			    order.sorted[i]->id);
	}
	free(order.sorted);
	if (!err)
		err = plan_init(&plan, o, &none);
	if (!err)
		err =
		    ht_reach_new(plan.targets, plan.n, o->burst_rate, &nobody, 0, &core);
	if (err == HT_INVALID)
		err = ht_node_fault(node, fault,
		    "a target is its own parent by some way; let `parents` lead to the "
		    "core only");
	ht_reach_free(core);
	plan_fini(&plan);
	return err;
}

/* ---- the list ---- */

/* Copies of ids, one behind the other; counted before. */
static size_t text_bytes(const struct reach_options *o, const struct ht_targets *server)
{
	const struct reach_item *items = o->targets.at;
	size_t bytes = 1 + o->target.n * (HT_INSTANCE_MAX + 1);

	for (size_t i = 0; i < o->targets.n; i++)
		bytes += strlen(items[i].id) + 1;
	for (size_t i = 0; i < server->n; i++)
		bytes += strlen(server->at[i].id) + 1;
	return bytes;
}

static char *put_id(struct reach_target *t, const char *id, char *text)
{
	size_t len = strlen(id) + 1;

	memcpy(text, id, len);
	t->id = text;
	return text + len;
}

static ht_err fill(
    struct reach_list *l, const struct reach_options *o, const struct ht_targets *server)
{
	const struct reach_item *items = o->targets.at;
	struct reach_target *t = l->at;
	char *text = l->text, id[HT_INSTANCE_MAX + 1];
	ht_err err = HT_OK;

	for (size_t i = 0; i < l->n; i++)
		l->at[i].id = "";
	for (size_t i = 0; !err && i < o->targets.n; i++, t++) {
		text = put_id(t, items[i].id, text);
		err = set_address(t, items[i].address);
	}
	for (size_t i = 0; !err && i < o->target.n; i++, t++) {
		ht_id_from(o->target.at[i], id, sizeof(id));
		text = put_id(t, id, text);
		err = set_address(t, o->target.at[i]);
	}
	for (size_t i = 0; !err && i < server->n; i++, t++) {
		text = put_id(t, server->at[i].id, text);
		put_address(t, &server->at[i].where.addr);
	}
	for (size_t i = 0; !err && i < o->self.n; i++, t++)
		err = set_address(t, o->self.at[i]);
	for (size_t i = 0; !err && i < server->n_self; i++, t++)
		put_address(t, &server->self[i].addr);
	return err;
}

static ht_err draw_secrets(struct reach_list *l)
{
	const uint64_t mask = (UINT64_C(1) << COOKIE_BITS) - 1;

	for (size_t i = 0; i < l->n; i++) {
		uint64_t secret;

		if (getrandom(&secret, sizeof(secret), GRND_NONBLOCK) != sizeof(secret))
			return HT_AGAIN;
		l->at[i].cookie = (uint64_t)i << COOKIE_BITS | (secret & mask);
	}
	return HT_OK;
}

/* ---- life ---- */

const struct ht_targets *reach_list_server(
    const struct reach_options *o, const struct probe_site *site)
{
	static const struct ht_targets none;
	const struct ht_targets *list = site ? site->targets : NULL;

	return list && o->targets.n + o->target.n == 0 ? list : &none;
}

ht_err reach_list_new(const struct reach_options *o, const struct ht_targets *server,
    const struct ht_reach_host *host, int64_t now_ns, struct reach_list *out,
    struct ht_reach **out_core)
{
	struct reach_list l = { 0 };
	struct plan plan = { 0 };
	ht_err err = plan_init(&plan, o, server);

	l.n = plan.n;
	l.n_self = o->self.n + server->n_self;
	l.at = calloc(l.n ? l.n : 1, sizeof(*l.at));
	l.text = malloc(text_bytes(o, server));
	if (!err && (!l.at || !l.text))
		err = HT_NOMEM;
	if (!err)
		err = fill(&l, o, server);
	if (!err)
		err = draw_secrets(&l);
	if (!err)
		err = ht_reach_new(
		    plan.targets, plan.n, o->burst_rate, host, now_ns, out_core);
	plan_fini(&plan);
	if (err)
		reach_list_fini(&l);
	else
		*out = l;
	return err;
}

void reach_list_fini(struct reach_list *l)
{
	free(l->at);
	free(l->text);
	*l = (struct reach_list){ 0 };
}

const struct reach_target *reach_list_find(const struct reach_list *l, uint64_t cookie)
{
	uint64_t index = cookie >> COOKIE_BITS;

	return index < l->n && l->at[index].cookie == cookie ? &l->at[index] : NULL;
}

void reach_list_match(
    const struct reach_list *l, const struct reach_list *old, uint32_t *was)
{
	size_t n = l->n - l->n_self, n_old = old->n - old->n_self, k = 0;

	for (size_t i = 0; i < l->n; i++)
		was[i] = HT_REACH_NEW;
	for (size_t i = 0; i < n; i++) {
		while (k < n_old && strcmp(old->at[k].id, l->at[i].id) < 0)
			k++;
		if (k < n_old && strcmp(old->at[k].id, l->at[i].id) == 0 &&
		    reach_same_address(&old->at[k].address, &l->at[i].address))
			was[i] = (uint32_t)k;
	}
	for (size_t i = n; i < l->n; i++) {
		for (k = n_old; k < old->n; k++) {
			if (reach_same_address(&old->at[k].address, &l->at[i].address))
				was[i] = (uint32_t)k;
		}
	}
}
