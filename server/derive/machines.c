/* fold_machines: sightings mac/<mac>, scans lan/<id> and host/<id> of an agency's agents
 * become machine_nic, machine_host and lan_coverage; agencies whose cards told something
 * new are fused anew when the slice settles. */
#include "server/derive/machines.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/derive/class.h"
#include "server/derive/facts_sql.h"
#include "server/derive/folds.h"
#include "server/derive/fuse.h"
#include "server/derive/oui.h"
#include "server/derive/payload.h"
#include "server/derive/share.h"

enum { TEXT_MAX = 256, WORDS_MAX = 80, EVIDENCE_MAX = 8 };

#define HOUR_MS          INT64_C(3600000)
#define KEEP_COVERAGE_MS (100 * 24 * HOUR_MS)
#define BACK_AGAIN_MS    (12 * HOUR_MS) /* seen again after so long: windows may differ */

static struct class_rules *rules;
static struct oui *vendors;

ht_err machines_start(struct ht_fault *fault)
{
	struct class_rules *r = NULL;
	struct oui *o = NULL;
	char path[PATH_MAX];
	ht_err err = share_path(SHARE_DEVICE_CLASSES, path);

	if (!err)
		err = class_rules_load(path, &r, fault);
	if (err)
		return err;
	if (oui_load(OUI_FILE, &o))
		ht_log_warn("machines.no_vendors", "file=%s cure=\"install ieee-data\"",
		    OUI_FILE);
	class_rules_free(rules);
	oui_free(vendors);
	rules = r;
	vendors = o;
	return HT_OK;
}

static ht_err ready(void)
{
	struct ht_fault fault = { 0 };

	if (rules)
		return HT_OK;
	ht_err err = machines_start(&fault);
	if (err)
		ht_log_error("machines.rules", "fault=\"%s\"", fault.text);
	return err;
}

static void copy(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static int64_t time_of(const struct fold_input *in, const struct fold_record *rec)
{
	return rec->at_ms > in->row->received_ms ? in->row->received_ms : rec->at_ms;
}

/* ── cards ───────────────────────────────────────────────────────────────────────── */

/* What one pack says of one card; "" is not said. */
struct sighting {
	char mac[HT_MAC_TEXT];
	int64_t at_ms;
	char ipv4[HT_ADDR_TEXT], seen_by[WORDS_MAX];
	char hostname[TEXT_MAX], dhcp_class[TEXT_MAX], dhcp_parameters[TEXT_MAX],
	    dhcp_client_id[TEXT_MAX];
	int gateway; /* -1: not said */
};

struct nic {
	bool there;
	char machine[HT_INSTANCE_MAX + 1];
	int64_t first_ms, last_ms, journal_id;
	struct sighting known;
};

static ht_err nic_get(struct db *db, const char *agency, const char *mac, struct nic *out)
{
	struct db_rows *r = db_start(db, &facts_sql, FACTS_NIC_GET, "ss", agency, mac);
	ht_err err = db_next(r);

	*out = (struct nic){ .known.gateway = 0 };
	if (!err) {
		out->there = true;
		copy(out->machine, sizeof(out->machine), db_text(r, 0));
		copy(out->known.ipv4, sizeof(out->known.ipv4), db_text(r, 1));
		copy(out->known.seen_by, sizeof(out->known.seen_by), db_text(r, 2));
		out->first_ms = db_int(r, 3);
		out->last_ms = db_int(r, 4);
		copy(out->known.hostname, TEXT_MAX, db_text(r, 5));
		copy(out->known.dhcp_class, TEXT_MAX, db_text(r, 6));
		copy(out->known.dhcp_parameters, TEXT_MAX, db_text(r, 7));
		copy(out->known.dhcp_client_id, TEXT_MAX, db_text(r, 8));
		out->known.gateway = (int)db_int(r, 9);
		out->journal_id = db_int(r, 10);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Newer words replace older ones; older ones only fill what is not known. */
static bool merge_text(char *into, size_t cap, const char *said, bool newer)
{
	if (!said[0] || strcmp(into, said) == 0 || (into[0] && !newer))
		return false;
	copy(into, cap, said);
	return true;
}

static void merge_words(char *into, size_t cap, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = into; (at = strstr(at, word)); at += len) {
		if ((at == into || at[-1] == ',') && (!at[len] || at[len] == ','))
			return;
	}
	size_t n = strlen(into);
	if (len && n + len + 2 <= cap)
		snprintf(into + n, cap - n, "%s%s", n ? "," : "", word);
}

static ht_err nic_see(
    struct db *db, const struct fold_input *in, const struct sighting *s)
{
	struct nic n;
	bool newer, told;
	ht_err err = nic_get(db, in->agency, s->mac, &n);

	if (err)
		return err;
	newer = !n.there || s->at_ms >= n.last_ms;
	told = !n.there || s->at_ms < n.first_ms;
	told |= merge_text(n.known.hostname, TEXT_MAX, s->hostname, newer);
	told |= merge_text(n.known.dhcp_class, TEXT_MAX, s->dhcp_class, newer);
	told |= merge_text(n.known.dhcp_parameters, TEXT_MAX, s->dhcp_parameters, newer);
	told |= merge_text(n.known.dhcp_client_id, TEXT_MAX, s->dhcp_client_id, newer);
	if (s->gateway >= 0 && s->gateway != n.known.gateway && newer) {
		n.known.gateway = s->gateway;
		told = true;
	}
	merge_text(n.known.ipv4, sizeof(n.known.ipv4), s->ipv4, newer);
	merge_words(n.known.seen_by, sizeof(n.known.seen_by), s->seen_by);
	bool back = n.there && s->at_ms - n.last_ms > BACK_AGAIN_MS;
	if (!n.there || s->at_ms < n.first_ms)
		n.first_ms = s->at_ms;
	if (newer)
		n.last_ms = s->at_ms;
	err = db_exec(db, &facts_sql, FACTS_NIC_PUT, "sssssiissssii", in->agency, s->mac,
	    n.machine, or_null(n.known.ipv4), n.known.seen_by, n.first_ms, n.last_ms,
	    or_null(n.known.hostname), or_null(n.known.dhcp_class),
	    or_null(n.known.dhcp_parameters), or_null(n.known.dhcp_client_id),
	    (int64_t)n.known.gateway, told ? in->row->id : n.journal_id);
	if (!err && told)
		err = db_exec(db, &facts_sql, FACTS_MACHINE_DIRTY, "si", in->agency,
		    in->row->received_ms);
	if (!err && !told)
		err = db_exec(db, &facts_sql, FACTS_MACHINE_TOUCH, "iss", n.last_ms,
		    in->agency, n.machine);
	if (!err && back)
		err = facts_index_dirty(db, in->agency, in->row->received_ms);
	return err;
}

static void take_sighting(struct sighting *s, const struct fold_record *rec)
{
	const char *text = rec->senml->kind == HT_STRING ? rec->senml->string : "";

	switch (rec->metric) {
	case HT_M_MAC_SEEN_BY:
		merge_words(s->seen_by, sizeof(s->seen_by), text);
		break;
	case HT_M_MAC_IPV4:
		copy(s->ipv4, sizeof(s->ipv4), text);
		break;
	case HT_M_MAC_HOSTNAME:
		copy(s->hostname, TEXT_MAX, text);
		break;
	case HT_M_MAC_DHCP_CLASS:
		copy(s->dhcp_class, TEXT_MAX, text);
		break;
	case HT_M_MAC_DHCP_PARAMETERS:
		copy(s->dhcp_parameters, TEXT_MAX, text);
		break;
	case HT_M_MAC_DHCP_CLIENT_ID:
		copy(s->dhcp_client_id, TEXT_MAX, text);
		break;
	case HT_M_MAC_GATEWAY:
		s->gateway = rec->senml->boolean;
		break;
	default:
		break;
	}
}

static bool is_card(const struct ht_mac *m)
{
	return !ht_mac_is_group(m) && !ht_mac_is_zero(m);
}

/* A card's records stand together in a pack: a change of name or time ends a sighting. */
static ht_err see_cards(struct db *db, const struct fold_input *in)
{
	struct sighting s = { .at_ms = 0 };
	char instance[HT_INSTANCE_MAX + 1] = "";
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++) {
		const struct fold_record *rec = &in->records[i];
		struct ht_mac m;
		if (!rec->known || rec->metric < HT_M_MAC_SEEN_BY ||
		    rec->metric > HT_M_MAC_GATEWAY)
			continue;
		if (strcmp(instance, rec->instance) != 0 || s.at_ms != time_of(in, rec)) {
			if (s.mac[0])
				err = nic_see(db, in, &s);
			copy(instance, sizeof(instance), rec->instance);
			s = (struct sighting){ .at_ms = time_of(in, rec), .gateway = -1 };
			if (!ht_mac_parse(instance, &m) && is_card(&m))
				ht_mac_format(&m, s.mac);
		}
		take_sighting(&s, rec);
	}
	if (!err && s.mac[0])
		err = nic_see(db, in, &s);
	return err;
}

/* ── hosts ───────────────────────────────────────────────────────────────────────── */

struct host {
	char id[HT_INSTANCE_MAX + 1];
	int64_t at_ms, first_ms, last_ms, journal_id;
	char hostname[TEXT_MAX], os[TEXT_MAX], macs[TEXT_MAX * 4];
	int server; /* -1: not said */
};

static ht_err host_get(
    struct db *db, const char *agency, const char *id, bool *there, struct host *out)
{
	struct db_rows *r = db_start(db, &facts_sql, FACTS_HOST_GET, "ss", agency, id);
	ht_err err = db_next(r);

	*there = err == HT_OK;
	*out = (struct host){ .server = 0 };
	if (!err) {
		copy(out->hostname, sizeof(out->hostname), db_text(r, 0));
		copy(out->os, sizeof(out->os), db_text(r, 1));
		copy(out->macs, sizeof(out->macs), db_text(r, 2));
		out->server = (int)db_int(r, 3);
		out->first_ms = db_int(r, 4);
		out->last_ms = db_int(r, 5);
		out->journal_id = db_int(r, 6);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Its own cards never show in its own scan: they are seen by the host's word. */
static ht_err see_own_cards(
    struct db *db, const struct fold_input *in, const struct host *h)
{
	ht_err err = HT_OK;

	for (const char *at = h->macs; *at && !err;) {
		size_t len = strcspn(at, ", ");
		char text[HT_MAC_TEXT];
		struct ht_mac m;
		struct sighting s = {
			.at_ms = h->at_ms, .seen_by = "host", .gateway = -1
		};
		if (len < sizeof(text)) {
			memcpy(text, at, len);
			text[len] = '\0';
			if (!ht_mac_parse(text, &m) && is_card(&m)) {
				ht_mac_format(&m, s.mac);
				err = nic_see(db, in, &s);
			}
		}
		at += len;
		at += strspn(at, ", ");
	}
	return err;
}

static ht_err host_see(struct db *db, const struct fold_input *in, const struct host *h)
{
	struct host known;
	bool there, told;
	ht_err err = host_get(db, in->agency, h->id, &there, &known);

	if (err)
		return err;
	bool newer = !there || h->at_ms >= known.last_ms;
	told = !there || h->at_ms < known.first_ms;
	told |= merge_text(known.hostname, sizeof(known.hostname), h->hostname, newer);
	told |= merge_text(known.macs, sizeof(known.macs), h->macs, newer);
	merge_text(known.os, sizeof(known.os), h->os, newer);
	if (h->server >= 0 && h->server != known.server && newer) {
		known.server = h->server;
		told = true;
	}
	if (told && (!there || h->at_ms < known.first_ms))
		known.first_ms = h->at_ms;
	if (newer)
		known.last_ms = h->at_ms;
	err = db_exec(db, &facts_sql, FACTS_HOST_PUT, "sssssiiii", in->agency, h->id,
	    or_null(known.hostname), or_null(known.os), or_null(known.macs),
	    (int64_t)known.server, known.first_ms, known.last_ms,
	    told ? in->row->id : known.journal_id);
	if (!err && told)
		err = db_exec(db, &facts_sql, FACTS_MACHINE_DIRTY, "si", in->agency,
		    in->row->received_ms);
	if (!err && !told && !known.macs[0])
		err = db_exec(db, &facts_sql, FACTS_MACHINE_TOUCH, "iss", known.last_ms,
		    in->agency, h->id);
	struct host own = *h;
	copy(own.macs, sizeof(own.macs), known.macs);
	return err ? err : see_own_cards(db, in, &own);
}

static void take_host(struct host *h, const struct fold_record *rec)
{
	const char *text = rec->senml->kind == HT_STRING ? rec->senml->string : "";

	switch (rec->metric) {
	case HT_M_HOST_HOSTNAME:
		copy(h->hostname, sizeof(h->hostname), text);
		break;
	case HT_M_HOST_OS:
		copy(h->os, sizeof(h->os), text);
		break;
	case HT_M_HOST_MACS:
		copy(h->macs, sizeof(h->macs), text);
		break;
	case HT_M_HOST_IS_SERVER:
		h->server = rec->senml->boolean;
		break;
	default:
		break;
	}
}

static ht_err see_hosts(struct db *db, const struct fold_input *in)
{
	struct host h = { .id = "" };
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++) {
		const struct fold_record *rec = &in->records[i];
		if (!rec->known || rec->metric < HT_M_HOST_HOSTNAME ||
		    rec->metric > HT_M_HOST_IS_SERVER)
			continue;
		if (strcmp(h.id, rec->instance) != 0 || h.at_ms != time_of(in, rec)) {
			if (h.id[0])
				err = host_see(db, in, &h);
			h = (struct host){ .at_ms = time_of(in, rec), .server = -1 };
			copy(h.id, sizeof(h.id), rec->instance);
		}
		take_host(&h, rec);
	}
	if (!err && h.id[0])
		err = host_see(db, in, &h);
	return err;
}

/* ── coverage ────────────────────────────────────────────────────────────────────── */

struct scan {
	char instance[HT_INSTANCE_MAX + 1], subnet[HT_ADDR_TEXT];
	int64_t at_ms;
	double targets, probed;
};

/* Of the scans in one hour the one that asked the most counts. */
static ht_err scan_see(struct db *db, const struct fold_input *in, const struct scan *s)
{
	int64_t targets = 0, probed = 0, hour_ms = s->at_ms - s->at_ms % HOUR_MS;

	if (!s->subnet[0] || !(s->targets > 0) || !(s->probed >= 0) || s->targets > 1e9)
		return HT_OK;
	int64_t new_targets = (int64_t)s->targets;
	int64_t new_probed = s->probed > s->targets ? new_targets : (int64_t)s->probed;
	struct db_rows *r = db_start(
	    db, &facts_sql, FACTS_COVERAGE_GET, "ssi", in->agency, s->subnet, hour_ms);
	ht_err err = db_next(r);
	bool there = err == HT_OK;
	if (there) {
		targets = db_int(r, 0);
		probed = db_int(r, 1);
	}
	db_done(r);
	if (err && err != HT_NOTFOUND)
		return err;
	if (there && targets == new_targets && probed >= new_probed)
		return HT_OK;
	err = db_exec(db, &facts_sql, FACTS_COVERAGE_PUT, "ssiiii", in->agency, s->subnet,
	    hour_ms, new_targets,
	    there && targets == new_targets && probed > new_probed ? probed : new_probed,
	    in->row->id);
	return err ? err : facts_index_dirty(db, in->agency, in->row->received_ms);
}

static ht_err see_scans(struct db *db, const struct fold_input *in)
{
	struct scan s = { .instance = "" };
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++) {
		const struct fold_record *rec = &in->records[i];
		if (!rec->known || rec->metric < HT_M_LAN_STATUS ||
		    rec->metric > HT_M_LAN_MALFORMED)
			continue;
		if (strcmp(s.instance, rec->instance) != 0 ||
		    s.at_ms != time_of(in, rec)) {
			if (s.instance[0])
				err = scan_see(db, in, &s);
			s = (struct scan){
				.at_ms = time_of(in, rec), .targets = NAN, .probed = NAN
			};
			copy(s.instance, sizeof(s.instance), rec->instance);
		}
		if (rec->metric == HT_M_LAN_SUBNET)
			copy(s.subnet, sizeof(s.subnet), rec->senml->string);
		else if (rec->metric == HT_M_LAN_TARGETS)
			senml_number(rec->senml, &s.targets);
		else if (rec->metric == HT_M_LAN_PROBED)
			senml_number(rec->senml, &s.probed);
	}
	if (!err && s.instance[0])
		err = scan_see(db, in, &s);
	return err;
}

/* ── fusing ──────────────────────────────────────────────────────────────────────── */

/* All rows of an agency, with their texts. */
struct office {
	struct fuse_nic *nics;
	int64_t *journal; /* of each card */
	size_t n_nics, cap_nics;
	struct fuse_host *hosts;
	int64_t *host_journal;
	size_t n_hosts, cap_hosts;
	struct fuse_correction *corrections;
	size_t n_corrections, cap_corrections;
	char **texts;
	size_t n_texts, cap_texts;
	bool nomem;
};

static bool grow(void **at, size_t *cap, size_t n, size_t size)
{
	if (n < *cap)
		return true;
	size_t more = *cap ? *cap * 2 : 64;
	void *p = realloc(*at, more * size);
	if (!p)
		return false;
	*at = p;
	*cap = more;
	return true;
}

static const char *keep(struct office *o, const char *text)
{
	char *t = text ? strdup(text) : NULL;

	if (!text)
		return NULL;
	if (!t ||
	    !grow((void **)&o->texts, &o->cap_texts, o->n_texts, sizeof(*o->texts))) {
		free(t);
		o->nomem = true;
		return NULL;
	}
	o->texts[o->n_texts++] = t;
	return t;
}

static void office_fini(struct office *o)
{
	for (size_t i = 0; i < o->n_texts; i++)
		free(o->texts[i]);
	free(o->texts);
	free(o->nics);
	free(o->journal);
	free(o->hosts);
	free(o->host_journal);
	free(o->corrections);
}

static ht_err add_nic(struct office *o, const struct db_rows *r)
{
	size_t cap = o->cap_nics;

	if (!grow((void **)&o->nics, &cap, o->n_nics, sizeof(*o->nics)) ||
	    !grow((void **)&o->journal, &o->cap_nics, o->n_nics, sizeof(*o->journal)))
		return HT_NOMEM;
	struct fuse_nic *n = &o->nics[o->n_nics];
	*n = (struct fuse_nic){ .first_ms = db_int(r, 1),
		.last_ms = db_int(r, 2),
		.hostname = keep(o, db_text(r, 3)),
		.dhcp_class = keep(o, db_text(r, 4)),
		.dhcp_parameters = keep(o, db_text(r, 5)),
		.dhcp_client_id = keep(o, db_text(r, 6)),
		.gateway = db_int(r, 7) != 0 };
	copy(n->mac, sizeof(n->mac), db_text(r, 0));
	o->journal[o->n_nics++] = db_int(r, 8);
	return HT_OK;
}

static ht_err add_host(struct office *o, const struct db_rows *r)
{
	size_t cap = o->cap_hosts;

	if (!grow((void **)&o->hosts, &cap, o->n_hosts, sizeof(*o->hosts)) ||
	    !grow((void **)&o->host_journal, &o->cap_hosts, o->n_hosts,
		sizeof(*o->host_journal)))
		return HT_NOMEM;
	o->hosts[o->n_hosts] = (struct fuse_host){ .id = keep(o, db_text(r, 0)),
		.hostname = keep(o, db_text(r, 1)),
		.macs = keep(o, db_text(r, 2)),
		.server = db_int(r, 3) != 0,
		.first_ms = db_int(r, 4),
		.last_ms = db_int(r, 5) };
	o->host_journal[o->n_hosts++] = db_int(r, 6);
	return HT_OK;
}

static ht_err add_correction(struct office *o, const struct db_rows *r)
{
	if (!grow((void **)&o->corrections, &o->cap_corrections, o->n_corrections,
		sizeof(*o->corrections)))
		return HT_NOMEM;
	o->corrections[o->n_corrections++] =
	    (struct fuse_correction){ keep(o, db_text(r, 0)), keep(o, db_text(r, 1)),
		    keep(o, db_text(r, 2)) };
	return HT_OK;
}

static ht_err load(struct db *db, const char *agency, struct office *o)
{
	static const struct {
		enum facts_statement statement;
		ht_err (*add)(struct office *o, const struct db_rows *r);
	} parts[] = {
		{ FACTS_NICS, add_nic },
		{ FACTS_HOSTS, add_host },
		{ FACTS_CORRECTIONS, add_correction },
	};
	ht_err err = HT_NOTFOUND;

	for (size_t i = 0; i < HT_COUNT(parts) && err == HT_NOTFOUND; i++) {
		struct db_rows *r =
		    db_start(db, &facts_sql, parts[i].statement, "s", agency);
		err = HT_OK;
		while (!err && !(err = db_next(r)))
			err = parts[i].add(o, r);
		db_done(r);
	}
	return err == HT_NOTFOUND ? (o->nomem ? HT_NOMEM : HT_OK) : err;
}

/* The rows that last told something of the machine's cards, each once. */
static void evidence_text(const struct office *o, const struct fuse_result *f,
    size_t machine, char *out, size_t cap)
{
	int64_t ids[EVIDENCE_MAX];
	size_t n = 0, len;

	for (size_t i = 0; i < o->n_nics && n < EVIDENCE_MAX; i++) {
		bool have = f->machine_of[i] != machine;
		for (size_t k = 0; k < n && !have; k++)
			have = ids[k] == o->journal[i];
		if (!have)
			ids[n++] = o->journal[i];
	}
	for (size_t h = 0; h < o->n_hosts && n == 0; h++) {
		if (strcmp(o->hosts[h].id, f->machines[machine].id) == 0)
			ids[n++] = o->host_journal[h];
	}
	len = (size_t)snprintf(out, cap, "[");
	for (size_t k = 0; k < n; k++)
		len += (size_t)snprintf(
		    out + len, cap - len, "%s%" PRId64, k ? "," : "", ids[k]);
	snprintf(out + len, cap - len, "]");
}

static ht_err delete_gone(struct db *db, const char *agency, const struct fuse_result *f)
{
	char(*gone)[HT_INSTANCE_MAX + 1] = NULL;
	size_t n = 0, cap = 0, at = 0;
	struct db_rows *r = db_start(db, &facts_sql, FACTS_MACHINES, "s", agency);
	ht_err err;

	while (!(err = db_next(r))) {
		const char *id = db_text(r, 0);
		while (at < f->n && strcmp(f->machines[at].id, id) < 0)
			at++;
		if (at < f->n && strcmp(f->machines[at].id, id) == 0)
			continue;
		if (!grow((void **)&gone, &cap, n, sizeof(*gone))) {
			err = HT_NOMEM;
			break;
		}
		copy(gone[n++], sizeof(*gone), id);
	}
	db_done(r);
	if (err == HT_NOTFOUND)
		err = HT_OK;
	for (size_t i = 0; i < n && !err; i++)
		err =
		    db_exec(db, &facts_sql, FACTS_MACHINE_DELETE, "ss", agency, gone[i]);
	free(gone);
	return err;
}

static ht_err write_machines(struct db *db, const char *agency, const struct office *o,
    const struct fuse_result *f)
{
	ht_err err = delete_gone(db, agency, f);

	for (size_t i = 0; i < f->n && !err; i++) {
		const struct fuse_machine *m = &f->machines[i];
		char evidence[EVIDENCE_MAX * 21 + 4];
		evidence_text(o, f, i, evidence, sizeof(evidence));
		err = db_exec(db, &facts_sql, FACTS_MACHINE_PUT, "sssdiissiiss", agency,
		    m->id, class_name(m->class), m->confidence, (int64_t)m->random_mac,
		    (int64_t)m->identified, m->hostname, m->vendor, m->first_ms,
		    m->last_ms, m->why, evidence);
	}
	for (size_t i = 0; i < o->n_nics && !err; i++)
		err = db_exec(db, &facts_sql, FACTS_NIC_MACHINE, "sss",
		    f->machines[f->machine_of[i]].id, agency, o->nics[i].mac);
	return err;
}

static ht_err fuse_agency(struct db *db, const char *agency)
{
	struct office o = { .n_nics = 0 };
	struct fuse_result f = { 0 };
	ht_err err = load(db, agency, &o);

	if (!err) {
		struct fuse_input in = { o.nics, o.n_nics, o.hosts, o.n_hosts,
			o.corrections, o.n_corrections, rules, vendors };
		err = fuse_machines(&in, &f);
	}
	if (!err)
		err = write_machines(db, agency, &o, &f);
	fuse_fini(&f);
	office_fini(&o);
	return err;
}

/* ── the fold ────────────────────────────────────────────────────────────────────── */

static ht_err machines_apply(struct db *db, const struct fold_input *in)
{
	char agency[HT_ID_MAX + 1];

	if (in->row->source == JOURNAL_OPERATOR) {
		if (strcmp(in->row->kind, "machine.correct") != 0 ||
		    !payload_text(in->row, "agency", agency, sizeof(agency)))
			return HT_OK;
		return db_exec(db, &facts_sql, FACTS_MACHINE_DIRTY, "si", agency,
		    in->row->received_ms);
	}
	if (!in->agency || !in->n_records)
		return HT_OK;
	ht_err err = see_cards(db, in);
	if (!err)
		err = see_hosts(db, in);
	return err ? err : see_scans(db, in);
}

static ht_err machines_reset(struct db *db)
{
	static const enum facts_statement all[] = { FACTS_MACHINE_RESET, FACTS_NIC_RESET,
		FACTS_HOST_RESET, FACTS_COVERAGE_RESET, FACTS_MACHINE_DIRTY_ALL };
	ht_err err = HT_OK;

	for (size_t i = 0; i < HT_COUNT(all) && !err; i++)
		err = db_exec(db, &facts_sql, all[i], "");
	return err;
}

/* While rows wait, one agency a slice at least: the next rows likely dirty it again. */
static ht_err machines_settle(struct db *db, struct fold_settle *s)
{
	ht_err err = ready();

	for (int done = 0; !err; done++) {
		if (done && ht_mono_ns() >= s->until_ns) {
			s->more = true;
			return HT_OK;
		}
		char agency[HT_ID_MAX + 1] = "";
		int64_t at_ms = 0;
		struct db_rows *r =
		    db_start(db, &facts_sql, FACTS_MACHINE_DIRTY_LIST, "");
		err = db_next(r);
		if (!err) {
			copy(agency, sizeof(agency), db_text(r, 0));
			at_ms = db_int(r, 1);
		}
		db_done(r);
		if (!err)
			err = fuse_agency(db, agency);
		if (err ==
		    HT_TOOLARGE) { /* one flooded office must not stop the others */
			ht_log_warn("machines.too_many", "agency=%s most=%d", agency,
			    FUSE_NICS_MAX);
			err = HT_OK;
		}
		if (!err)
			err = db_exec(
			    db, &facts_sql, FACTS_MACHINE_DIRTY_CLEAR, "s", agency);
		if (!err)
			err = facts_index_dirty(db, agency, at_ms);
	}
	if (err == HT_NOTFOUND)
		err = db_exec(db, &facts_sql, FACTS_COVERAGE_PRUNE, "i",
		    s->now_ms - KEEP_COVERAGE_MS);
	return err;
}

const struct fold fold_machines = {
	.name = "machines",
	.version = 1,
	.sources = 1u << JOURNAL_AGENT | 1u << JOURNAL_OPERATOR,
	.apply = machines_apply,
	.reset = machines_reset,
	.settle = machines_settle,
	.bulk = true,
};
