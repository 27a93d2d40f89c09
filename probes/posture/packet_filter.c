#include "probes/posture/packet_filter.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX  16     /* chains that lead to chains; nft itself allows 16 */
#define VISITS_MAX 200000 /* rules looked at, whatever leads where */
#define JSON_DEPTH 32

/* What becomes of the packet that no rule names. */
enum fate { GOES_ON, ACCEPTED, REFUSED };

struct walk {
	struct json_object *items;  /* the array "nftables" */
	const char *family, *table; /* of the chain we began with */
	struct packet_filter *out;
	size_t visits;
	bool too_much;
};

static struct json_object *get(
    struct json_object *o, const char *key, enum json_type type)
{
	struct json_object *v;

	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, type))
		return NULL;
	return v;
}

static const char *text(struct json_object *o, const char *key)
{
	struct json_object *v = get(o, key, json_type_string);

	return v ? json_object_get_string(v) : "";
}

static bool has(struct json_object *o, const char *key)
{
	return json_object_is_type(o, json_type_object) &&
	       json_object_object_get_ex(o, key, NULL);
}

/* ---- one rule -------------------------------------------------------------------- */

/* The name of a statement: its first key. */
static const char *statement(struct json_object *o)
{
	if (!json_object_is_type(o, json_type_object))
		return "";
	json_object_object_foreach(o, key, value)
	{
		(void)value;
		return key;
	}
	return "";
}

/* Statements that neither choose nor decide. */
static bool harmless(const char *name)
{
	static const char *const names[] = { "counter", "log", "mangle", "notrack",
		"comment" };

	for (size_t i = 0; i < HT_COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static struct json_object *match_left(struct json_object *statement_, const char *kind)
{
	struct json_object *match = get(statement_, "match", json_type_object);

	return get(get(match, "left", json_type_object), kind, json_type_object);
}

/* "tcp" or "udp" when the statement compares a destination port for being equal. */
static const char *port_match(struct json_object *s)
{
	struct json_object *payload = match_left(s, "payload");
	const char *protocol = text(payload, "protocol");
	const char *op = text(get(s, "match", json_type_object), "op");

	if (strcmp(text(payload, "field"), "dport") != 0 || strcmp(op, "!=") == 0)
		return NULL;
	return strcmp(protocol, "tcp") == 0 || strcmp(protocol, "udp") == 0 ? protocol
									    : NULL;
}

/* Matches that do not let a stranger's first packet in: answers to our own, the
 * loopback interface, ICMP. */
static bool no_stranger(struct json_object *s)
{
	struct json_object *right, *match = get(s, "match", json_type_object);
	const char *ct = text(match_left(s, "ct"), "key");
	const char *meta = text(match_left(s, "meta"), "key");
	const char *payload = text(match_left(s, "payload"), "protocol");

	if (!match || !json_object_object_get_ex(match, "right", &right))
		return false;
	const char *value = json_object_get_string(right);
	if (strcmp(ct, "state") == 0)
		return value && !strstr(value, "new");
	if (strncmp(meta, "iif", 3) == 0)
		return value && strcmp(value, "lo") == 0;
	return (strcmp(meta, "l4proto") == 0 && value && strstr(value, "icmp")) ||
	       strncmp(payload, "icmp", 4) == 0;
}

static void port_add(
    struct packet_filter *out, int64_t first, int64_t last, bool udp, bool limited)
{
	if (first < 0 || last > 65535 || first > last)
		return;
	for (size_t i = 0; i < out->n_ports; i++) {
		struct packet_filter_port *p = &out->ports[i];

		if (p->first == first && p->last == last && p->udp == udp) {
			p->limited = p->limited && limited;
			return;
		}
	}
	if (out->n_ports == PACKET_FILTER_PORTS_MAX) {
		out->more = true;
		return;
	}
	out->ports[out->n_ports++] =
	    (struct packet_filter_port){ (uint16_t)first, (uint16_t)last, udp, limited };
}

static void ports_value(
    struct walk *w, struct json_object *v, bool udp, bool limited, int depth);

static void ports_array(
    struct walk *w, struct json_object *list, bool udp, bool limited, int depth)
{
	for (size_t i = 0; list && i < json_object_array_length(list) && depth < 4; i++)
		ports_value(
		    w, json_object_array_get_idx(list, i), udp, limited, depth + 1);
}

/* The elements of a named set of the same table. */
static void ports_set(struct walk *w, const char *name, bool udp, bool limited, int depth)
{
	for (size_t i = 0; i < json_object_array_length(w->items); i++) {
		struct json_object *item = json_object_array_get_idx(w->items, i);
		struct json_object *set = get(item, "set", json_type_object);

		if (++w->visits > VISITS_MAX) {
			w->too_much = true;
			return;
		}
		if (set && strcmp(text(set, "name"), name) == 0 &&
		    strcmp(text(set, "table"), w->table) == 0 &&
		    strcmp(text(set, "family"), w->family) == 0)
			ports_array(w, get(set, "elem", json_type_array), udp, limited,
			    depth + 1);
	}
}

/* 22, {"range":[9000,9010]}, {"set":[…]}, "@name". */
static void ports_value(
    struct walk *w, struct json_object *v, bool udp, bool limited, int depth)
{
	struct json_object *range = get(v, "range", json_type_array);

	if (json_object_is_type(v, json_type_int)) {
		int64_t port = json_object_get_int64(v);

		port_add(w->out, port, port, udp, limited);
	} else if (range && json_object_array_length(range) == 2) {
		port_add(w->out,
		    json_object_get_int64(json_object_array_get_idx(range, 0)),
		    json_object_get_int64(json_object_array_get_idx(range, 1)), udp,
		    limited);
	} else if (json_object_is_type(v, json_type_string) &&
		   json_object_get_string(v)[0] == '@' && depth < 4) {
		ports_set(w, json_object_get_string(v) + 1, udp, limited, depth);
	} else {
		ports_array(w, get(v, "set", json_type_array), udp, limited, depth);
	}
}

struct rule {
	size_t n_matches;         /* choosing statements of any kind */
	struct json_object *port; /* the one on a destination port */
	bool udp, stranger, opaque;
	bool table;                  /* a verdict map: it may let in more than we name */
	struct json_object *verdict; /* the deciding statement */
	const char *verdict_name;
};

static bool verdict_name(const char *name)
{
	static const char *const names[] = { "accept", "drop", "reject", "jump", "goto",
		"return" };

	for (size_t i = 0; i < HT_COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static void rule_read(struct json_object *rule, struct rule *out)
{
	struct json_object *expr = get(rule, "expr", json_type_array);

	*out = (struct rule){ .stranger = true, .verdict_name = "" };
	for (size_t i = 0; expr && i < json_object_array_length(expr); i++) {
		struct json_object *s = json_object_array_get_idx(expr, i);
		const char *name = statement(s);

		if (verdict_name(name)) {
			out->verdict = s;
			out->verdict_name = name;
			continue;
		}
		if (harmless(name))
			continue;
		out->n_matches++;
		out->table = out->table || strcmp(name, "vmap") == 0;
		out->opaque = out->opaque || strcmp(name, "xt") == 0;
		const char *protocol = port_match(s);
		if (protocol) {
			out->port = get(s, "match", json_type_object);
			out->udp = strcmp(protocol, "udp") == 0;
		}
		if (no_stranger(s))
			out->stranger = false;
	}
}

static void note_accept(struct walk *w, const struct rule *r, bool limited)
{
	struct json_object *right;

	if (!r->stranger)
		return;
	if (!r->port) {
		w->out->n_other++;
		return;
	}
	if (json_object_object_get_ex(r->port, "right", &right))
		ports_value(w, right, r->udp, limited || r->n_matches > 1, 0);
}

/* ---- chains ---------------------------------------------------------------------- */

static enum fate walk_chain(struct walk *w, const char *chain, bool limited, int depth);

static const char *target(const struct rule *r)
{
	return text(get(r->verdict, r->verdict_name, json_type_object), "target");
}

/* What this rule does to the packet that matches nothing. */
static enum fate walk_rule(
    struct walk *w, struct json_object *rule, bool limited, int depth, bool *out_leave)
{
	struct rule r;

	rule_read(rule, &r);
	bool always = r.n_matches == 0;
	bool jump = strcmp(r.verdict_name, "jump") == 0,
	     go = strcmp(r.verdict_name, "goto") == 0;
	if (r.table && r.stranger)
		w->out->n_other++;
	if (r.opaque && !r.verdict)
		w->out->opaque = true; /* an xt target: nft does not tell which */
	if (jump || go) {
		enum fate fate = GOES_ON;

		/* Through `lo` or for an established connection no stranger comes. */
		if (r.stranger)
			fate = walk_chain(w, target(&r), limited || !always, depth + 1);
		*out_leave = always && (go || fate != GOES_ON);
		return always ? fate : GOES_ON;
	}
	if (strcmp(r.verdict_name, "accept") == 0 && !always)
		note_accept(w, &r, limited);
	if (!always || !r.verdict)
		return GOES_ON;
	*out_leave = true;
	if (strcmp(r.verdict_name, "accept") == 0)
		return ACCEPTED;
	return strcmp(r.verdict_name, "return") == 0 ? GOES_ON : REFUSED;
}

static enum fate walk_chain(struct walk *w, const char *chain, bool limited, int depth)
{
	if (depth > DEPTH_MAX)
		w->too_much = true;
	for (size_t i = 0; !w->too_much && i < json_object_array_length(w->items); i++) {
		struct json_object *rule =
		    get(json_object_array_get_idx(w->items, i), "rule", json_type_object);
		bool leave = false;

		if (++w->visits > VISITS_MAX)
			w->too_much = true;
		if (!rule || strcmp(text(rule, "chain"), chain) != 0 ||
		    strcmp(text(rule, "table"), w->table) != 0 ||
		    strcmp(text(rule, "family"), w->family) != 0)
			continue;
		enum fate fate = walk_rule(w, rule, limited, depth, &leave);
		if (leave)
			return fate;
	}
	return GOES_ON;
}

/* A filter chain that packets to this machine go through. An accept in one is not the
 * end, a drop is: any that refuses makes the machine refuse. */
static void base_chain(struct walk *w, struct json_object *chain)
{
	struct packet_filter *out = w->out;
	bool inet = strcmp(w->family, "inet") == 0;
	bool v4 = inet || strcmp(w->family, "ip") == 0,
	     v6 = inet || strcmp(w->family, "ip6") == 0;

	if (!v4 && !v6)
		return;
	out->hooked = true;
	enum fate fate = walk_chain(w, text(chain, "name"), false, 0);
	if (fate == GOES_ON && strcmp(text(chain, "policy"), "drop") == 0)
		fate = REFUSED;
	if (fate != REFUSED)
		return;
	out->refuses4 = out->refuses4 || v4;
	out->refuses6 = out->refuses6 || v6;
	if (!out->chain[0])
		snprintf(out->chain, sizeof(out->chain), "%.8s %.24s %.24s", w->family,
		    w->table, text(chain, "name"));
}

static ht_err read_items(struct json_object *items, struct packet_filter *out)
{
	struct walk w = { .items = items, .out = out };

	for (size_t i = 0; i < json_object_array_length(items); i++) {
		struct json_object *chain =
		    get(json_object_array_get_idx(items, i), "chain", json_type_object);

		if (!chain || strcmp(text(chain, "hook"), "input") != 0 ||
		    strcmp(text(chain, "type"), "filter") != 0 || !has(chain, "name"))
			continue;
		w.family = text(chain, "family");
		w.table = text(chain, "table");
		base_chain(&w, chain);
	}
	return w.too_much ? HT_TOOLARGE : HT_OK;
}

ht_err packet_filter_parse(const char *json, size_t len, struct packet_filter *out)
{
	struct packet_filter f = { .n_ports = 0 };
	ht_err err = HT_MALFORMED;

	if (len > PACKET_FILTER_BYTES_MAX)
		return HT_TOOLARGE;
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	if (!tokener)
		return HT_NOMEM;
	struct json_object *root = json_tokener_parse_ex(tokener, json, (int)len);
	struct json_object *items = get(root, "nftables", json_type_array);
	if (items)
		err = read_items(items, &f);
	json_object_put(root);
	json_tokener_free(tokener);
	if (!err)
		*out = f;
	return err;
}

static void describe_ports(const struct packet_filter *f, struct ht_buf *out)
{
	for (size_t i = 0; i < f->n_ports; i++) {
		const struct packet_filter_port *p = &f->ports[i];

		ht_buf_printf(out, "%s %s %u", i ? "," : "; lets in",
		    p->udp ? "udp" : "tcp", p->first);
		if (p->last != p->first)
			ht_buf_printf(out, "-%u", p->last);
		if (p->limited)
			ht_buf_puts(out, " (limited)");
	}
	if (f->more)
		ht_buf_puts(out, " and more ports");
	if (f->n_other)
		ht_buf_printf(
		    out, "; %zu rules may let in more without naming a port", f->n_other);
	if (!f->n_ports && !f->n_other)
		ht_buf_puts(out, "; lets nothing in");
}

void packet_filter_describe(const struct packet_filter *f, struct ht_buf *out)
{
	if (!f->hooked) {
		ht_buf_puts(out, "no filter chain on input");
		return;
	}
	if (!f->refuses4 && !f->refuses6) {
		ht_buf_puts(out, "what no rule names is let in");
		return;
	}
	ht_buf_printf(out, "%s: what no rule names is refused (%s)", f->chain,
	    f->refuses4 && f->refuses6 ? "IPv4 and IPv6"
	    : f->refuses4              ? "IPv4 only"
				       : "IPv6 only");
	describe_ports(f, out);
}
