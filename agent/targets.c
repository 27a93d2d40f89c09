#include "agent/targets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/reach.h"
#include "probes/lan/local.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* ── may it be pinged? ────────────────────────────────────────────────────────────── */

/* The reachability core takes no cycle of parents: a list that it would refuse must not
 * be said to be in force. */
static ht_err parents_end(const struct ht_targets *list, struct ht_fault *fault)
{
	static const struct ht_reach_host nobody;
	struct ht_reach_target *targets = calloc(list->n + 1, sizeof(*targets));
	struct ht_reach *core = NULL;

	if (!targets)
		return HT_NOMEM;
	for (size_t i = 0; i < list->n; i++)
		targets[i] = (struct ht_reach_target){ .parents = list->at[i].parents,
			.n_parents = list->at[i].n_parents };
	ht_err err = ht_reach_new(targets, list->n, 1, &nobody, 0, &core);
	ht_reach_free(core);
	free(targets);
	return err == HT_INVALID ? ht_fault_set(fault, HT_MALFORMED,
				       "a target is its own parent by some way, or has "
				       "too long a way up")
				 : err;
}

ht_err targets_allowed(
    const struct options *o, const struct ht_targets *list, struct ht_fault *fault)
{
	size_t n = list->n + list->n_self;

	if (!o->reach.from_server)
		return ht_fault_set(fault, HT_DENIED,
		    "this agent takes no targets from the server (reach.from_server)");
	if (o->own_targets)
		return ht_fault_set(fault, HT_DENIED,
		    "the configuration of this agent lists targets itself, in probe "
		    "reach "
		    "\"%s\"; take them out to follow the registry",
		    o->own_targets);
	if (list->n > (size_t)o->reach.max_targets)
		return ht_fault_set(fault, HT_DENIED,
		    "the list has %zu targets; this agent takes at most %" PRId64
		    " (reach.max_targets)",
		    list->n, o->reach.max_targets);
	if (n > (size_t)o->reach.packets_per_s)
		return ht_fault_set(fault, HT_DENIED,
		    "the list needs %zu pings a second; this agent sends at most %" PRId64
		    " (reach.packets_per_s)",
		    n, o->reach.packets_per_s);
	return parents_end(list, fault);
}

/* ── words ────────────────────────────────────────────────────────────────────────── */

static bool where_known(
    const struct ht_where *w, const struct targets_places *p, struct ht_addr *out)
{
	*out = w->place == HT_PLACE_ADDRESS ? w->addr : p->at[w->place];
	return out->family != AF_UNSPEC;
}

static void put_target(const struct ht_targets *list, size_t i,
    const struct targets_places *places, struct ht_buf *out)
{
	const struct ht_target *t = &list->at[i];
	char text[HT_ADDR_TEXT];
	struct ht_addr a;

	if (!where_known(&t->where, places, &a))
		return;
	ht_addr_format(&a, text);
	ht_buf_printf(out, "target %s %s", t->id, text);
	for (size_t k = 0; k < t->n_parents; k++) {
		const struct ht_target *parent = &list->at[t->parents[k]];
		if (where_known(&parent->where, places, &a))
			ht_buf_printf(out, " %s", parent->id);
	}
	ht_buf_puts(out, "\n");
}

void targets_find(const struct ht_targets *list, const struct targets_places *places,
    struct ht_buf *out)
{
	char text[HT_ADDR_TEXT];
	struct ht_addr a;

	ht_buf_puts(out, HT_TARGETS_HEAD);
	for (size_t i = 0; i < list->n_self; i++) {
		if (!where_known(&list->self[i], places, &a))
			continue;
		ht_addr_format(&a, text);
		ht_buf_printf(out, "self %s\n", text);
	}
	for (size_t i = 0; i < list->n; i++)
		put_target(list, i, places, out);
}

/* A host from a small file's line: "nameserver 10.0.0.1", or the address alone. */
static void place_line(const char *line, const char *key, struct ht_addr *out)
{
	size_t skip = strlen(key);
	char text[HT_ADDR_TEXT];
	struct ht_where w;

	if (strncmp(line, key, skip) != 0)
		return;
	line += skip + strspn(line + skip, " \t");
	size_t len = strcspn(line, " \t\r\n");
	if (len == 0 || len >= sizeof(text) || out->family != AF_UNSPEC)
		return;
	memcpy(text, line, len);
	text[len] = '\0';
	if (!ht_where_parse(text, &w) && w.place == HT_PLACE_ADDRESS)
		*out = w.addr;
}

static void place_file(const char *file, const char *key, struct ht_addr *out)
{
	char *text = NULL;
	size_t len;

	if (ht_file_read(file, 65536, &text, &len, NULL))
		return;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		place_line(line, key, out);
	}
	free(text);
}

static void places_look(const struct options *o, struct targets_places *p)
{
	struct local *local = calloc(1, sizeof(*local));
	char path[4096];

	memset(p, 0, sizeof(*p));
	if (local && !local_read(local)) {
		const struct local_gateway *g = local_gateway(local, AF_INET, NULL);
		if (!g || g->addr.family == AF_UNSPEC)
			g = local_gateway(local, AF_INET6, NULL);
		/* A link-local one needs its interface, which a list cannot say. */
		if (g && (g->addr.family != AF_INET6 || g->addr.bytes[0] != 0xfe))
			p->at[HT_PLACE_GATEWAY] = g->addr;
	}
	free(local);
	place_file(RESOLV_CONF, "nameserver", &p->at[HT_PLACE_RESOLVER]);
	snprintf(path, sizeof(path), "%s/broker.address", o->agent.state_dir);
	place_file(path, "", &p->at[HT_PLACE_SERVER]);
}

bool targets_look(struct targets *t, const struct options *o)
{
	struct targets_places places;
	struct ht_buf text;

	ht_buf_init(&text, HT_TARGETS_BYTES_MAX);
	if (t->in_force) {
		places_look(o, &places);
		targets_find(&t->list, &places, &text);
	}
	bool same = text.len == t->found.len &&
		    (!text.len || memcmp(text.data, t->found.data, text.len) == 0);
	if (same || ht_buf_err(&text)) {
		ht_buf_fini(&text);
		return false;
	}
	ht_buf_fini(&t->found);
	t->found = text;
	return true;
}

/* ── keeping ──────────────────────────────────────────────────────────────────────── */

const char *targets_hash(const struct targets *t)
{
	return t->in_force && t->list.n + t->list.n_self > 0 ? t->hash : "";
}

void targets_reconsider(struct targets *t, const struct options *o)
{
	struct ht_fault fault = { 0 };

	t->in_force = t->hash[0] && !targets_allowed(o, &t->list, &fault);
	if (t->hash[0] && !t->in_force)
		ht_log_warn(
		    "targets.refused", "hash=%.12s fault=\"%s\"", t->hash, fault.text);
}

static void path_of(const struct options *o, char *out, size_t cap)
{
	snprintf(out, cap, "%s/%s", o->agent.state_dir, TARGETS_FILE);
}

void targets_open(struct targets *t, const struct options *o)
{
	struct ht_fault fault = { 0 };
	char path[4096], *text = NULL;
	size_t len = 0;

	*t = (struct targets){ 0 };
	target_pages_init(&t->pages);
	ht_buf_init(&t->found, HT_TARGETS_BYTES_MAX);
	path_of(o, path, sizeof(path));
	ht_err err = ht_file_read(path, HT_TARGETS_BYTES_MAX, &text, &len, &fault);
	if (err == HT_NOTFOUND)
		return;
	if (!err)
		err = ht_targets_parse(text, len, &t->list, &fault);
	if (!err)
		err = fingerprint_sha256(text, len, t->hash);
	if (err)
		ht_log_warn("targets.kept", "file=%s fault=\"%s\"", path, fault.text);
	free(text);
	targets_reconsider(t, o);
}

void targets_close(struct targets *t)
{
	target_pages_fini(&t->pages);
	ht_targets_fini(&t->list);
	ht_buf_fini(&t->found);
}

/* ── taking ───────────────────────────────────────────────────────────────────────── */

/* The text is whole: all of it counts, or nothing. */
static ht_err adopt(struct targets *t, const struct options *o, struct ht_fault *fault)
{
	const char *text = ht_buf_text(&t->pages.text);
	size_t len = t->pages.text.len;
	char hash[FINGERPRINT_LEN + 1], path[4096];
	struct ht_targets list = { 0 };

	ht_err err = fingerprint_sha256(text, len, hash);
	if (!err && strcmp(hash, t->pages.hash) != 0)
		err = ht_fault_set(
		    fault, HT_MALFORMED, "the hash is not that of the joined pages");
	if (!err)
		err = ht_targets_parse(text, len, &list, fault);
	if (!err)
		err = targets_allowed(o, &list, fault);
	path_of(o, path, sizeof(path));
	if (!err)
		err = ht_file_write(path, text, len, 0600, fault);
	if (err) {
		ht_targets_fini(&list);
		return err;
	}
	ht_targets_fini(&t->list);
	t->list = list;
	t->in_force = true;
	memcpy(t->hash, hash, sizeof(hash));
	return HT_OK;
}

ht_err targets_take(struct targets *t, const struct options *o,
    const struct control_cmd *c, int64_t *out_next, bool *out_changed,
    struct ht_fault *fault)
{
	static const struct ht_targets none;
	int64_t next = 0;

	*out_changed = false;
	*out_next = c->pages;
	if (t->in_force && strcmp(t->hash, c->hash) == 0)
		return HT_OK; /* the command came twice */
	/* What cannot be taken whatever it is, is not carried first. */
	ht_err err = targets_allowed(o, &none, fault);
	if (!err)
		err = target_pages_take(&t->pages, c, &next);
	if (!err && next < c->pages) {
		*out_next = next;
		return HT_OK;
	}
	if (!err)
		err = adopt(t, o, fault);
	target_pages_drop(&t->pages);
	*out_changed = !err;
	return err;
}
