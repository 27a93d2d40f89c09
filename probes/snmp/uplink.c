#include "probes/snmp/uplink.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/name.h"
#include "probes/snmp/iftype.h"

#define NONE SIZE_MAX

static const struct {
	double chance;
	const char *words;
} grounds[] = {
	{ 0.80, "the default route leaves by it" },
	{ 0.60, "it has the polled address" },
	{ 0.60, "its alias says so" },
	{ 0.30, "its name says so" },
	{ 0.40, "it is the only one that could be" },
};
enum { BY_ROUTE, BY_ADDRESS, BY_ALIAS, BY_NAME, BY_BEING_ALONE };

/* What is left of a chance. */
#define OTHER_SIDE 0.25
#define NOT_UP     0.50 /* the device was reached: something carries it now */

#define ENOUGH          0.40
#define WORTH_LEARNING  0.60 /* less is judged anew each time */
#define ODDS_AHEAD      2.0
#define CONTRARY_ENOUGH 0.90
#define ODDS_CONTRARY   4.0

/* ── Evidence ─────────────────────────────────────────────────────────────────────── */

static bool is_up(const struct table_row *r)
{
	return table_has(r, TABLE_OPER) && r->numbers[TABLE_OPER] == IFOPER_UP;
}

static bool is_down(const struct table_row *r)
{
	return table_has(r, TABLE_OPER) && r->numbers[TABLE_OPER] != IFOPER_UP;
}

static bool has_address(const struct table *t, const struct table_row *r)
{
	for (size_t i = 0; i < t->topology.n_addresses; i++) {
		if (t->topology.addresses[i].index == r->index)
			return true;
	}
	return false;
}

static bool could_be(const struct table *t, const struct table_row *r)
{
	return table_type(r) != IFTYPE_LOOPBACK &&
	       (topology_default_route(&t->topology, (uint32_t)r->index) ||
		   !topology_is_lower(&t->topology, (uint32_t)r->index));
}

static bool polled_at(
    const struct table *t, const struct table_row *r, const struct uplink_hints *h)
{
	size_t len = h->target && h->target->family == AF_INET ? 4 : 16;

	for (size_t i = 0; h->target && i < t->topology.n_addresses; i++) {
		const struct topology_address *a = &t->topology.addresses[i];

		if (a->index == r->index && a->addr.family == h->target->family &&
		    memcmp(a->addr.bytes, h->target->bytes, len) == 0)
			return true;
	}
	return false;
}

static int name_says(const struct table_row *r)
{
	const char *name =
	    r->texts[TABLE_NAME] ? r->texts[TABLE_NAME] : r->texts[TABLE_DESCR];
	static const char *const outward[] = { "dialer", "cellular", "ppp", "wwan",
		"lte" };

	for (size_t i = 0; name && i < HT_COUNT(outward); i++) {
		if (strncasecmp(name, outward[i], strlen(outward[i])) == 0)
			return 1;
	}
	return uplink_words(name);
}

/* What speaks for a row (bits of `grounds`), and whether anything speaks against it. */
struct evidence {
	unsigned found;
	bool against;
};

static struct evidence evidence_of(const struct table *t, const struct table_row *r,
    const struct uplink_hints *h, bool alone)
{
	int alias = uplink_words(r->texts[TABLE_ALIAS]), name = name_says(r);
	bool polled = polled_at(t, r, h);
	unsigned found = 0;

	if (topology_default_route(&t->topology, (uint32_t)r->index))
		found |= 1u << BY_ROUTE;
	if (!h->inside && polled)
		found |= 1u << BY_ADDRESS;
	if (alias > 0)
		found |= 1u << BY_ALIAS;
	if (name > 0)
		found |= 1u << BY_NAME;
	if (alone)
		found |= 1u << BY_BEING_ALONE;
	return (struct evidence){ found, alias < 0 || name < 0 || (h->inside && polled) };
}

static double chance_of(const struct table_row *r, struct evidence e)
{
	double wrong = 1;

	for (size_t i = 0; i < HT_COUNT(grounds); i++) {
		if (e.found & 1u << i)
			wrong *= 1 - grounds[i].chance;
	}
	return (1 - wrong) * (e.against ? OTHER_SIDE : 1) * (is_down(r) ? NOT_UP : 1);
}

static double odds(double chance)
{
	return chance / (1 - chance + 1e-9);
}

struct ranking {
	size_t best, next; /* rows, or NONE */
	double best_chance, next_chance;
	unsigned found; /* of the best */
};

static void rank_row(struct ranking *k, size_t i, double chance, unsigned found)
{
	if (chance > k->best_chance) {
		k->next = k->best;
		k->next_chance = k->best_chance;
		k->best = i;
		k->best_chance = chance;
		k->found = found;
	} else if (chance > k->next_chance) {
		k->next = i;
		k->next_chance = chance;
	}
}

/* Those that could be, are up and have an address (when the device tells addresses). */
static size_t count_able(const struct table *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += could_be(t, &t->rows[i]) && is_up(&t->rows[i]) &&
		     (!t->topology.n_addresses || has_address(t, &t->rows[i]));
	return n;
}

static void rank(const struct table *t, const struct uplink_hints *h, struct ranking *out)
{
	bool alone = count_able(t) == 1;

	*out = (struct ranking){ .best = NONE, .next = NONE };
	for (size_t i = 0; i < t->n; i++) {
		const struct table_row *r = &t->rows[i];

		if (!could_be(t, r))
			continue;
		bool able =
		    alone && is_up(r) && (!t->topology.n_addresses || has_address(t, r));
		struct evidence e = evidence_of(t, r, h, able);

		if (e.found)
			rank_row(out, i, chance_of(r, e), e.found);
	}
}

static bool stands_out(const struct ranking *k)
{
	return k->best != NONE && k->best_chance >= ENOUGH &&
	       odds(k->best_chance) >= ODDS_AHEAD * odds(k->next_chance);
}

/* ── Words ────────────────────────────────────────────────────────────────────────── */

static const char *label(const struct table_row *r, const char *id)
{
	return r->texts[TABLE_NAME]    ? r->texts[TABLE_NAME]
	       : r->texts[TABLE_DESCR] ? r->texts[TABLE_DESCR]
				       : id;
}

static void say_grounds(unsigned found, char *out, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < HT_COUNT(grounds) && at < cap; i++) {
		if (found & 1u << i)
			at += (size_t)snprintf(
			    out + at, cap - at, "%s%s", at ? ", " : "", grounds[i].words);
	}
}

static void say_doubt(const struct table *t, const char *const *ids,
    const struct ranking *k, struct uplink *out)
{
	if (k->best == NONE || k->best_chance < ENOUGH / 2)
		snprintf(out->why, sizeof(out->why),
		    "nothing tells which interface carries the link; name it as "
		    "link_interface");
	else if (k->next == NONE || k->next_chance < k->best_chance / 4)
		snprintf(out->why, sizeof(out->why),
		    "only little speaks for %.60s; confirm it as link_interface",
		    label(&t->rows[k->best], ids[k->best]));
	else
		snprintf(out->why, sizeof(out->why),
		    "%.60s and %.60s may both carry the link; name the right one as "
		    "link_interface",
		    label(&t->rows[k->best], ids[k->best]),
		    label(&t->rows[k->next], ids[k->next]));
}

/* ── Choosing ─────────────────────────────────────────────────────────────────────── */

static size_t row_of_id(const struct table *t, const char *const *ids, const char *id)
{
	for (size_t i = 0; i < t->n && id[0]; i++) {
		if (strcmp(ids[i], id) == 0)
			return i;
	}
	return NONE;
}

static void name_it(
    struct uplink *out, const struct table *t, size_t i, double confidence)
{
	out->row = &t->rows[i];
	out->confidence = confidence;
}

static uint8_t percent(double confidence)
{
	return (uint8_t)(confidence * 100 + 0.5);
}

static void remember(struct uplink_memory *m, const char *id, double confidence)
{
	snprintf(m->id, sizeof(m->id), "%s", id);
	m->confidence = percent(confidence);
	m->contrary = 0;
}

static bool is_called(
    const struct table_row *r, const char *id, const char *name, int how)
{
	static const enum table_text texts[] = { TABLE_NAME, TABLE_ALIAS, TABLE_DESCR };

	if (how == (int)HT_COUNT(texts))
		return strcmp(id, name) == 0;
	return r->texts[texts[how]] && strcmp(r->texts[texts[how]], name) == 0;
}

/* The row of a configured name: by ifName, else alias, description, id. NONE: there is
 * none, or (`out_n` above 1) several bear it. */
static size_t row_called(
    const struct table *t, const char *const *ids, const char *name, size_t *out_n)
{
	size_t found = NONE;

	*out_n = 0;
	for (int how = 0; how < 4 && *out_n == 0; how++) {
		for (size_t i = 0; i < t->n; i++) {
			if (is_called(&t->rows[i], ids[i], name, how)) {
				found = i;
				++*out_n;
			}
		}
	}
	return *out_n == 1 ? found : NONE;
}

static uint32_t hash(const char *text)
{
	uint32_t h = UINT32_C(2166136261); /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT32_C(16777619);
	return h ? h : 1;
}

static void choose_configured(const struct table *t, const char *const *ids,
    const char *name, struct uplink_memory *m, struct uplink *out)
{
	size_t n, i = row_called(t, ids, name, &n);
	bool known = m->configured == hash(name);

	if (i == NONE && known && (i = row_of_id(t, ids, m->id)) != NONE) {
		name_it(out, t, i, 0.9);
		snprintf(out->why, sizeof(out->why),
		    "configured as %.60s, which was this interface; its device calls it "
		    "%.60s now",
		    name, label(&t->rows[i], ids[i]));
	} else if (i != NONE) {
		name_it(out, t, i, 1);
		snprintf(out->why, sizeof(out->why), "the configuration names it");
		remember(m, ids[i], 1);
		m->configured = hash(name);
	} else {
		snprintf(out->why, sizeof(out->why),
		    n ? "link_interface %.60s is the name of several interfaces; use one "
			"that is of one alone"
		      : "link_interface %.60s is no interface of this device; check the "
			"name",
		    name);
	}
}

/* Whether the evidence is so strong, and for so long, that what was learned was wrong. A
 * line that is down proves nothing: the way round it is meant to be taken. */
static bool contradicted(const struct table *t, const struct ranking *k, size_t learned,
    struct uplink_memory *m, double learned_chance)
{
	bool against =
	    k->best != learned && stands_out(k) &&
	    (learned == NONE ||
		(is_up(&t->rows[learned]) && k->best_chance >= CONTRARY_ENOUGH &&
		    odds(k->best_chance) >= ODDS_CONTRARY * odds(learned_chance)));

	m->contrary = against ? (uint8_t)(m->contrary + 1) : 0;
	return m->contrary >= UPLINK_CONTRARY_POLLS;
}

static void keep_learned(const struct table *t, const char *const *ids,
    const struct ranking *k, size_t learned, struct uplink_memory *m, struct uplink *out)
{
	double was = m->confidence / 100.0;
	char reasons[160] = "";

	if (k->best == learned) {
		say_grounds(k->found, reasons, sizeof(reasons));
		if (k->best_chance > was)
			m->confidence = percent(k->best_chance);
		name_it(out, t, learned, k->best_chance > was ? k->best_chance : was);
		snprintf(out->why, sizeof(out->why), "%s%s",
		    "learned: ", reasons[0] ? reasons : "by what it was before");
		return;
	}
	bool doubt = k->best != NONE && stands_out(k);

	name_it(out, t, learned, doubt ? was / 2 : was);
	if (doubt)
		snprintf(out->why, sizeof(out->why),
		    "learned before; now %.60s looks more like it: confirm one as "
		    "link_interface",
		    label(&t->rows[k->best], ids[k->best]));
	else
		snprintf(out->why, sizeof(out->why),
		    "learned before, and nothing speaks for another");
}

static void choose_new(const struct table *t, const char *const *ids,
    const struct ranking *k, struct uplink_memory *m, struct uplink *out)
{
	char reasons[160] = "";

	if (!stands_out(k)) {
		say_doubt(t, ids, k, out);
		return;
	}
	say_grounds(k->found, reasons, sizeof(reasons));
	name_it(out, t, k->best, k->best_chance);
	snprintf(out->why, sizeof(out->why), "%s", reasons);
	if (k->best_chance >= WORTH_LEARNING)
		remember(m, ids[k->best], k->best_chance);
}

void uplink_choose(const struct table *t, const char *const *ids,
    const struct uplink_hints *hints, struct uplink_memory *m, struct uplink *out)
{
	struct ranking k;

	*out = (struct uplink){ 0 };
	if (t->n == 0)
		return;
	if (hints->configured) {
		choose_configured(t, ids, hints->configured, m, out);
		return;
	}
	m->configured = 0;
	size_t learned = row_of_id(t, ids, m->id);

	rank(t, hints, &k);
	if (!m->id[0]) {
		choose_new(t, ids, &k, m, out);
		return;
	}
	double chance = learned == NONE || !could_be(t, &t->rows[learned])
			    ? 0
			    : chance_of(&t->rows[learned],
				  evidence_of(t, &t->rows[learned], hints, false));

	if (contradicted(t, &k, learned, m, chance))
		choose_new(t, ids, &k, m, out);
	else if (learned != NONE)
		keep_learned(t, ids, &k, learned, m, out);
	else
		snprintf(out->why, sizeof(out->why),
		    "the interface that carried the link, %s, is not there; if another "
		    "does now, name it as link_interface",
		    m->id);
}

/* ── Memory ───────────────────────────────────────────────────────────────────────── */

enum { VERSION = 1 };

static void put_u8(struct ht_buf *b, uint8_t v)
{
	ht_buf_put(b, &v, 1);
}

void uplink_encode(const struct uplink_memory *m, struct ht_buf *out)
{
	size_t len = strlen(m->id);

	put_u8(out, VERSION);
	put_u8(out, (uint8_t)len);
	ht_buf_put(out, m->id, len);
	put_u8(out, m->confidence);
	put_u8(out, m->contrary);
	for (int shift = 24; shift >= 0; shift -= 8)
		put_u8(out, (uint8_t)(m->configured >> shift));
}

ht_err uplink_decode(struct uplink_memory *m, struct ht_reader *r)
{
	struct uplink_memory new = { 0 };
	uint8_t version = ht_reader_u8(r), len = ht_reader_u8(r);
	const uint8_t *id = ht_reader_bytes(r, len);

	*m = (struct uplink_memory){ 0 };
	if (version != VERSION || !id || len > UPLINK_ID_MAX)
		return HT_MALFORMED;
	memcpy(new.id, id, len);
	new.confidence = ht_reader_u8(r);
	new.contrary = ht_reader_u8(r);
	new.configured = ht_reader_u32(r);
	if (r->bad || new.confidence > 100 ||
	    (len && !ht_id_valid(new.id, UPLINK_ID_MAX)))
		return HT_MALFORMED;
	*m = new;
	return HT_OK;
}
