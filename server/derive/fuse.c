#include "server/derive/fuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FACTS_MAX = 32 };

/* Elements are the cards, then the hosts; a tree of them is a machine. */
struct fusion {
	const struct fuse_input *in;
	size_t n;
	size_t *up;    /* union-find */
	bool *random;  /* of each card */
	size_t *order; /* scratch for sorting */
	struct element_group *groups;
};

static size_t find(struct fusion *f, size_t i)
{
	while (f->up[i] != i) {
		f->up[i] = f->up[f->up[i]];
		i = f->up[i];
	}
	return i;
}

static void join(struct fusion *f, size_t a, size_t b)
{
	a = find(f, a);
	b = find(f, b);
	if (a < b)
		f->up[b] = a;
	else
		f->up[a] = b;
}

static size_t nic_of_mac(const struct fuse_input *in, const char *mac)
{
	for (size_t i = 0; i < in->n_nics; i++) {
		if (strcasecmp(in->nics[i].mac, mac) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* The cards that an agent names as its machine's own. */
static void join_hosts(struct fusion *f)
{
	for (size_t h = 0; h < f->in->n_hosts; h++) {
		const char *at = f->in->hosts[h].macs;
		while (at && *at) {
			size_t len = strcspn(at, ", ");
			char mac[HT_MAC_TEXT];
			if (len < sizeof(mac)) {
				memcpy(mac, at, len);
				mac[len] = '\0';
				size_t i = nic_of_mac(f->in, mac);
				if (i != SIZE_MAX)
					join(f, f->in->n_nics + h, i);
			}
			at += len;
			at += strspn(at, ", ");
		}
	}
}

/* An element by a machine's id: a card's MAC or a host's id. */
static size_t element_of(struct fusion *f, const char *id)
{
	size_t i = nic_of_mac(f->in, id);

	if (i != SIZE_MAX)
		return i;
	for (size_t h = 0; h < f->in->n_hosts; h++) {
		if (strcmp(f->in->hosts[h].id, id) == 0)
			return f->in->n_nics + h;
	}
	return SIZE_MAX;
}

static void join_corrections(struct fusion *f)
{
	for (size_t i = 0; i < f->in->n_corrections; i++) {
		const struct fuse_correction *c = &f->in->corrections[i];
		if (!c->same_as)
			continue;
		size_t a = element_of(f, c->machine), b = element_of(f, c->same_as);
		if (a != SIZE_MAX && b != SIZE_MAX)
			join(f, a, b);
	}
}

/* "01" and a MAC (RFC 2132, 9.14 with hardware type 1) names one card, not a machine. */
static bool names_machine(const char *client_id)
{
	size_t len = client_id ? strlen(client_id) : 0;

	return len > 14 || (len >= 8 && strncmp(client_id, "01", 2) != 0);
}

typedef const char *(*key_fn)(const struct fusion *f, size_t nic);

static const char *client_key(const struct fusion *f, size_t i)
{
	const struct fuse_nic *nic = &f->in->nics[i];

	return !nic->gateway && names_machine(nic->dhcp_client_id) ? nic->dhcp_client_id
								   : NULL;
}

static const char *hostname_key(const struct fusion *f, size_t i)
{
	const struct fuse_nic *nic = &f->in->nics[i];

	return !nic->gateway && !class_generic_hostname(f->in->rules, nic->hostname)
		   ? nic->hostname
		   : NULL;
}

static const char *vendor_of(const struct fuse_input *in, size_t i)
{
	struct ht_mac m;

	if (ht_mac_parse(in->nics[i].mac, &m))
		return NULL;
	const char *local = class_local_vendor(in->rules, &m);
	return local ? local : oui_find(in->oui, &m);
}

static void join_clients(struct fusion *f, const size_t *nics, size_t n)
{
	for (size_t i = 1; i < n; i++)
		join(f, nics[0], nics[i]);
}

/* Cards with one host name. Random ones are the same machine's other face; of the
 * others two of two vendors are Wi-Fi and cable, and more are clones of one image. */
static void join_hostnames(struct fusion *f, const size_t *nics, size_t n)
{
	size_t real[3], n_real = 0;

	for (size_t i = 0; i < n; i++) {
		if (!f->random[nics[i]] && n_real < HT_COUNT(real))
			real[n_real++] = nics[i];
	}
	if (n_real == 2) {
		const char *a = vendor_of(f->in, real[0]), *b = vendor_of(f->in, real[1]);
		if (a && b && strcmp(a, b) != 0)
			join(f, real[0], real[1]);
	}
	if (n_real > 1 && find(f, real[0]) != find(f, real[1]))
		n_real = 3; /* clones: nobody knows whose the random ones are */
	size_t home = n_real && n_real < 3 ? real[0] : SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		if (!f->random[nics[i]])
			continue;
		if (home == SIZE_MAX)
			home = nics[i];
		join(f, home, nics[i]);
	}
}

struct keyed {
	const char *key;
	size_t nic;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int c = strcasecmp(x->key, y->key);

	return c ? c : (x->nic < y->nic ? -1 : x->nic > y->nic);
}

/* Call `merge` for each run of cards that share a key. */
static ht_err each_group(struct fusion *f, key_fn key,
    void (*merge)(struct fusion *f, const size_t *nics, size_t n))
{
	size_t n = 0;
	struct keyed *rows = calloc(f->in->n_nics + 1, sizeof(*rows));

	if (!rows)
		return HT_NOMEM;
	for (size_t i = 0; i < f->in->n_nics; i++) {
		const char *k = key(f, i);
		if (k)
			rows[n++] = (struct keyed){ k, i };
	}
	qsort(rows, n, sizeof(*rows), by_key);
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from; to < n && strcasecmp(rows[from].key, rows[to].key) == 0;
		     to++)
			f->order[to - from] = rows[to].nic;
		if (to - from > 1)
			merge(f, f->order, to - from);
	}
	free(rows);
	return HT_OK;
}

/* ── from groups to machines ─────────────────────────────────────────────────────── */

struct gather {
	struct class_facts facts[FACTS_MAX];
	size_t n_facts;
	size_t n_nics, n_real;
	bool named;
};

static void add_nic(
    const struct fusion *f, size_t i, struct gather *g, struct fuse_machine *m)
{
	const struct fuse_nic *nic = &f->in->nics[i];
	const char *vendor = vendor_of(f->in, i);
	bool generic = class_generic_hostname(f->in->rules, nic->hostname);

	if (g->n_facts < FACTS_MAX)
		g->facts[g->n_facts++] = (struct class_facts){ nic->hostname,
			nic->dhcp_class, nic->dhcp_parameters, vendor, nic->gateway,
			f->random[i], false, false };
	if (!m->id[0] || nic->first_ms < m->first_ms) {
		snprintf(m->id, sizeof(m->id), "%s", nic->mac);
		m->first_ms = nic->first_ms;
	}
	if (nic->last_ms >= m->last_ms)
		m->last_ms = nic->last_ms;
	if (!m->hostname ||
	    (class_generic_hostname(f->in->rules, m->hostname) && !generic))
		m->hostname = nic->hostname;
	if (!m->vendor)
		m->vendor = vendor;
	g->named |= !generic || names_machine(nic->dhcp_client_id);
	g->n_nics++;
	g->n_real += !f->random[i];
}

static void add_host(
    const struct fusion *f, size_t h, struct gather *g, struct fuse_machine *m)
{
	const struct fuse_host *host = &f->in->hosts[h];

	if (g->n_facts < FACTS_MAX)
		g->facts[g->n_facts++] = (struct class_facts){ .hostname = host->hostname,
			.host = true,
			.host_server = host->server };
	if (!m->id[0]) {
		snprintf(m->id, sizeof(m->id), "%s", host->id);
		m->first_ms = host->first_ms;
	}
	if (host->last_ms >= m->last_ms)
		m->last_ms = host->last_ms;
	if (host->hostname)
		m->hostname = host->hostname;
	g->named = true;
}

static void judge(const struct fusion *f, const struct gather *g, struct fuse_machine *m)
{
	struct class_verdict v;

	class_judge(f->in->rules, g->facts, g->n_facts, &v);
	m->class = v.class;
	m->confidence = v.confidence;
	m->random_mac = g->n_nics > 0 && g->n_real == 0;
	m->identified = g->named;
	snprintf(m->why, sizeof(m->why), "%s: %s%s.", class_name(v.class), v.why,
	    g->n_nics > 1 ? ", several cards put together" : "");
}

struct element_group {
	size_t root, element;
};

static int by_root(const void *a, const void *b)
{
	const struct element_group *x = a, *y = b;

	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	return x->element < y->element ? -1 : x->element > y->element;
}

struct placed {
	struct fuse_machine m;
	size_t root;
};

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct placed *)a)->m.id, ((const struct placed *)b)->m.id);
}

/* A person's word on a class beats every rule. */
static void correct(
    struct fusion *f, const size_t *machine_of_root, struct fuse_result *r)
{
	for (size_t i = 0; i < f->in->n_corrections; i++) {
		const struct fuse_correction *c = &f->in->corrections[i];
		size_t e = element_of(f, c->machine);
		if (!c->class || e == SIZE_MAX)
			continue;
		struct fuse_machine *m = &r->machines[machine_of_root[find(f, e)]];
		if (!class_find(c->class, &m->class))
			continue;
		m->confidence = 1;
		snprintf(m->why, sizeof(m->why), "%s: a person said so.",
		    class_name(m->class));
	}
}

/* Turn sorted groups into machines, and tell each card which is its. */
static ht_err emit(struct fusion *f, struct fuse_result *out)
{
	size_t n = 0, n_nics = f->in->n_nics;
	struct placed *placed = calloc(f->n + 1, sizeof(*placed));
	size_t *machine_of_root = calloc(f->n + 1, sizeof(*machine_of_root));
	ht_err err = placed && machine_of_root ? HT_OK : HT_NOMEM;

	for (size_t from = 0, to; !err && from < f->n; from = to) {
		struct gather g = { .n_facts = 0 };
		struct placed *p = &placed[n++];
		p->root = f->groups[from].root;
		for (to = from; to < f->n && f->groups[to].root == p->root; to++) {
			size_t e = f->groups[to].element;
			if (e < n_nics)
				add_nic(f, e, &g, &p->m);
			else
				add_host(f, e - n_nics, &g, &p->m);
		}
		judge(f, &g, &p->m);
	}
	if (!err) {
		qsort(placed, n, sizeof(*placed), by_id);
		out->machines = calloc(n + 1, sizeof(*out->machines));
		out->machine_of = calloc(n_nics + 1, sizeof(*out->machine_of));
		err = out->machines && out->machine_of ? HT_OK : HT_NOMEM;
	}
	if (!err) {
		for (size_t i = 0; i < n; i++) {
			out->machines[i] = placed[i].m;
			machine_of_root[placed[i].root] = i;
		}
		for (size_t i = 0; i < n_nics; i++)
			out->machine_of[i] = machine_of_root[find(f, i)];
		out->n = n;
		correct(f, machine_of_root, out);
	}
	free(placed);
	free(machine_of_root);
	return err;
}

static ht_err fuse(struct fusion *f, struct fuse_result *out)
{
	for (size_t i = 0; i < f->n; i++)
		f->up[i] = i;
	for (size_t i = 0; i < f->in->n_nics; i++) {
		struct ht_mac m;
		f->random[i] = !ht_mac_parse(f->in->nics[i].mac, &m) &&
			       ht_mac_is_local(&m) &&
			       !class_local_vendor(f->in->rules, &m);
	}
	join_hosts(f);
	join_corrections(f);
	ht_err err = each_group(f, client_key, join_clients);
	if (!err)
		err = each_group(f, hostname_key, join_hostnames);
	if (err)
		return err;
	for (size_t i = 0; i < f->n; i++)
		f->groups[i] = (struct element_group){ find(f, i), i };
	qsort(f->groups, f->n, sizeof(*f->groups), by_root);
	return emit(f, out);
}

ht_err fuse_machines(const struct fuse_input *in, struct fuse_result *out)
{
	struct fusion f = { .in = in, .n = in->n_nics + in->n_hosts };
	struct fuse_result r = { 0 };

	if (in->n_nics > FUSE_NICS_MAX || in->n_hosts > FUSE_NICS_MAX)
		return HT_TOOLARGE;
	f.up = calloc(f.n + 1, sizeof(*f.up));
	f.random = calloc(f.n + 1, sizeof(*f.random));
	f.order = calloc(f.n + 1, sizeof(*f.order));
	f.groups = calloc(f.n + 1, sizeof(*f.groups));
	ht_err err = f.up && f.random && f.order && f.groups ? fuse(&f, &r) : HT_NOMEM;
	free(f.up);
	free(f.random);
	free(f.order);
	free(f.groups);
	if (err)
		fuse_fini(&r);
	else
		*out = r;
	return err;
}

void fuse_fini(struct fuse_result *r)
{
	free(r->machines);
	free(r->machine_of);
	*r = (struct fuse_result){ 0 };
}
