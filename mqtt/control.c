#include "mqtt/control.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "mqtt/jtext.h"

enum { DEPTH_MAX = 4 };

#define SECONDS_MAX 9.0e9 /* int64 nanoseconds end there */

/* --- checks of texts
 * ------------------------------------------------------------------------ */

typedef bool (*check)(const char *text, size_t len);

static bool hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!((text[i] >= '0' && text[i] <= '9') ||
			(text[i] >= 'a' && text[i] <= 'f')))
			return false;
	}
	return true;
}

static bool is_hex16(const char *text, size_t len)
{
	return len == PROPS_HEX_LEN && hex(text, len);
}

static bool is_hash(const char *text, size_t len)
{
	return len == CONTROL_HASH_LEN && hex(text, len);
}

static bool is_id(const char *text, size_t len)
{
	return len >= 1 && len <= CONTROL_ID_MAX && hex(text, len);
}

static bool is_boot(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-'
							    : !hex(&text[i], 1))
			return false;
	}
	return len == HT_BOOT_ID_LEN;
}

/* Printable ASCII without blanks: versions, verbs, names, keys. */
static bool is_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return len >= 1;
}

static bool is_text(const char *text, size_t len)
{
	return ht_utf8_valid(text, len);
}

static bool is_page(const char *text, size_t len)
{
	return len >= 1 && len <= CONTROL_PAGE_BYTES && is_text(text, len);
}

static bool is_hash_or_empty(const char *text, size_t len)
{
	return len == 0 || is_hash(text, len);
}

static bool is_hex16_or_empty(const char *text, size_t len)
{
	return len == 0 || is_hex16(text, len);
}

/* --- reading: a sticky error, checked once at the end
 * ----------------------------------------- */

struct fields {
	struct json_object *map;
	ht_err err;
};

static ht_err fields_open(struct fields *f, const void *bytes, size_t len)
{
	*f = (struct fields){ 0 };
	if (len > CONTROL_MESSAGE_MAX)
		f->err = HT_TOOLARGE;
	else
		f->err = jtext_parse(bytes, len, DEPTH_MAX, &f->map, NULL);
	if (!f->err && !json_object_is_type(f->map, json_type_object))
		f->err = HT_MALFORMED;
	return f->err;
}

static void refuse(struct fields *f, ht_err err)
{
	if (!f->err)
		f->err = err;
}

/* The field's value; NULL when it is not there or an error was before. */
static struct json_object *field(struct fields *f, const char *key, bool required)
{
	struct json_object *v = NULL;

	if (f->err)
		return NULL;
	if (!json_object_object_get_ex(f->map, key, &v) && required)
		refuse(f, HT_MALFORMED);
	return v;
}

static void copy_text(
    struct fields *f, struct json_object *v, char *out, size_t cap, check valid)
{
	const char *text;
	size_t len;

	if (!jtext_string(v, &text, &len) || len >= cap || !valid(text, len))
		refuse(f, HT_MALFORMED);
	else
		memcpy(out, text, len + 1);
}

static void need_text(
    struct fields *f, const char *key, char *out, size_t cap, check valid)
{
	struct json_object *v = field(f, key, true);

	if (!f->err)
		copy_text(f, v, out, cap, valid);
}

static void may_text(
    struct fields *f, const char *key, char *out, size_t cap, check valid)
{
	struct json_object *v = field(f, key, false);

	if (v)
		copy_text(f, v, out, cap, valid);
}

static void heap_text(struct fields *f, const char *key, bool required, char **out)
{
	struct json_object *v = field(f, key, required);
	const char *text;
	size_t len;

	if (!v)
		return refuse(f, required ? HT_MALFORMED : HT_OK);
	if (!jtext_string(v, &text, &len))
		return refuse(f, HT_MALFORMED);
	if (len > CONTROL_TEXT_MAX)
		return refuse(f, HT_TOOLARGE);
	*out = strdup(text);
	if (!*out)
		refuse(f, HT_NOMEM);
}

static void read_bool(struct fields *f, const char *key, bool required, bool *out)
{
	struct json_object *v = field(f, key, required);

	if (f->err || !v)
		return;
	if (json_object_is_type(v, json_type_boolean))
		*out = json_object_get_boolean(v);
	else
		refuse(f, HT_MALFORMED);
}

/* Seconds, 0 … SECONDS_MAX, in units of 1/`scale`. */
static void read_seconds(struct fields *f, const char *key, double scale, int64_t *out)
{
	struct json_object *v = field(f, key, true);
	double s;

	if (f->err)
		return;
	if (!jtext_double(v, &s) || !(s >= 0 && s <= SECONDS_MAX))
		refuse(f, HT_MALFORMED);
	else
		*out = llround(s * scale);
}

static void read_int(struct fields *f, const char *key, int64_t max, int64_t *out)
{
	struct json_object *v = field(f, key, true);
	uint64_t n;

	if (f->err)
		return;
	if (!jtext_uint64(v, &n) || n > (uint64_t)max)
		refuse(f, HT_MALFORMED);
	else
		*out = (int64_t)n;
}

static void read_pairs(
    struct fields *f, const char *key, struct control_pair *out, size_t *n)
{
	struct json_object *map = field(f, key, false);

	if (!map)
		return;
	if (!json_object_is_type(map, json_type_object))
		return refuse(f, HT_MALFORMED);
	if (json_object_object_length(map) > CONTROL_PAIRS_MAX)
		return refuse(f, HT_TOOLARGE);
	json_object_object_foreach(map, name, v)
	{
		struct control_pair *pair = &out[*n];
		size_t len = strlen(name);

		if (len >= sizeof(pair->key) || !is_word(name, len))
			return refuse(f, HT_MALFORMED);
		memcpy(pair->key, name, len + 1);
		copy_text(f, v, pair->value, sizeof(pair->value), is_text);
		if (f->err)
			return;
		(*n)++;
	}
}

/* --- writing
 * ------------------------------------------------------------------------------------ */

static void put_key(struct ht_buf *b, const char *key)
{
	char last = b->len ? (char)b->data[b->len - 1] : '{';

	ht_buf_printf(b, "%s\"%s\":", last == '{' ? "" : ",", key);
}

static void put_json_text(struct ht_buf *b, const char *text)
{
	struct json_object *v = json_object_new_string(text);
	const char *json =
	    v ? json_object_to_json_string_ext(
		    v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
	      : NULL;

	if (json)
		ht_buf_puts(b, json);
	else if (!b->err)
		b->err = HT_NOMEM;
	json_object_put(v);
}

static void put_text(struct ht_buf *b, const char *key, const char *text)
{
	put_key(b, key);
	put_json_text(b, text);
}

static void put_bool(struct ht_buf *b, const char *key, bool v)
{
	put_key(b, key);
	ht_buf_puts(b, v ? "true" : "false");
}

static void put_int(struct ht_buf *b, const char *key, int64_t v)
{
	put_key(b, key);
	ht_buf_printf(b, "%" PRId64, v);
}

static void put_ms(struct ht_buf *b, const char *key, int64_t ms)
{
	put_key(b, key);
	ht_buf_printf(b, "%" PRId64 ".%03" PRId64, ms / HT_MS_PER_S, ms % HT_MS_PER_S);
}

static void put_pairs(
    struct ht_buf *b, const char *key, const struct control_pair *pairs, size_t n)
{
	put_key(b, key);
	ht_buf_puts(b, "{");
	for (size_t i = 0; i < n; i++) {
		if (i)
			ht_buf_puts(b, ",");
		put_json_text(b, pairs[i].key);
		ht_buf_puts(b, ":");
		put_json_text(b, pairs[i].value);
	}
	ht_buf_puts(b, "}");
}

static bool fits(const char *text, check valid)
{
	return valid(text, strlen(text));
}

static bool pairs_fit(const struct control_pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!fits(pairs[i].key, is_word) || !fits(pairs[i].value, is_text))
			return false;
		for (size_t k = 0; k < i; k++) {
			if (strcmp(pairs[k].key, pairs[i].key) == 0)
				return false;
		}
	}
	return true;
}

static ht_err long_text_fits(const char *text)
{
	if (!fits(text, is_text))
		return HT_INVALID;
	return strlen(text) > CONTROL_TEXT_MAX ? HT_TOOLARGE : HT_OK;
}

/* --- presence
 * -------------------------------------------------------------------------------------
 */

static const char *const states[CONTROL_STATE_COUNT] = {
	[CONTROL_ONLINE] = "online",
	[CONTROL_OFFLINE] = "offline",
	[CONTROL_LOST] = "lost",
};

const char *control_state_name(enum control_state state)
{
	return states[state];
}

static bool presence_fits(const struct control_presence *p)
{
	return (unsigned)p->state < CONTROL_STATE_COUNT && fits(p->session, is_hex16) &&
	       fits(p->boot, is_boot) && fits(p->version, is_word) &&
	       fits(p->fingerprint, is_hash_or_empty) &&
	       fits(p->epoch, is_hex16_or_empty) && fits(p->config, is_hash_or_empty) &&
	       fits(p->targets, is_hash_or_empty) && p->mono_ns >= 0 && p->wall_ms >= 0 &&
	       p->wall_ms <= (int64_t)(SECONDS_MAX * 1e3) &&
	       p->mono_ns <= (int64_t)(SECONDS_MAX * 1e9);
}

ht_err control_presence_encode(const struct control_presence *p, struct ht_buf *out)
{
	if (!presence_fits(p))
		return HT_INVALID;
	ht_buf_puts(out, "{");
	put_text(out, "state", states[p->state]);
	put_text(out, "session", p->session);
	put_text(out, "boot", p->boot);
	put_ms(out, "mono", p->mono_ns / HT_NS_PER_MS);
	put_ms(out, "wall", p->wall_ms);
	put_bool(out, "synchronised", p->synchronised);
	put_text(out, "version", p->version);
	put_text(out, "fingerprint", p->fingerprint);
	put_text(out, "epoch", p->epoch);
	put_text(out, "config", p->config);
	put_text(out, "targets", p->targets);
	ht_buf_puts(out, "}");
	return ht_buf_err(out);
}

static void read_state(struct fields *f, enum control_state *out)
{
	char text[16] = "";

	need_text(f, "state", text, sizeof(text), is_word);
	for (int i = 0; i < CONTROL_STATE_COUNT; i++) {
		if (strcmp(states[i], text) == 0) {
			*out = (enum control_state)i;
			return;
		}
	}
	refuse(f, HT_MALFORMED);
}

ht_err control_presence_decode(
    const void *bytes, size_t len, struct control_presence *out)
{
	struct control_presence p = { 0 };
	struct fields f;

	if (fields_open(&f, bytes, len) == HT_OK) {
		read_state(&f, &p.state);
		need_text(&f, "session", p.session, sizeof(p.session), is_hex16);
		need_text(&f, "boot", p.boot, sizeof(p.boot), is_boot);
		read_seconds(&f, "mono", 1e9, &p.mono_ns);
		read_seconds(&f, "wall", 1e3, &p.wall_ms);
		read_bool(&f, "synchronised", true, &p.synchronised);
		need_text(&f, "version", p.version, sizeof(p.version), is_word);
		may_text(&f, "fingerprint", p.fingerprint, sizeof(p.fingerprint),
		    is_hash_or_empty);
		may_text(&f, "epoch", p.epoch, sizeof(p.epoch), is_hex16_or_empty);
		may_text(&f, "config", p.config, sizeof(p.config), is_hash_or_empty);
		may_text(&f, "targets", p.targets, sizeof(p.targets), is_hash_or_empty);
	}
	json_object_put(f.map);
	if (!f.err)
		*out = p;
	return f.err;
}

/* --- ack
 * ---------------------------------------------------------------------------------------------
 */

ht_err control_ack_encode(const struct control_ack *a, struct ht_buf *out)
{
	if (a->n > CONTROL_RANGES_MAX)
		return HT_TOOLARGE;
	if (!fits(a->epoch, is_hex16))
		return HT_INVALID;
	for (size_t i = 0; i < a->n; i++) {
		if (a->ranges[i].first < 1 || a->ranges[i].last < a->ranges[i].first)
			return HT_INVALID;
	}
	ht_buf_puts(out, "{");
	put_text(out, "epoch", a->epoch);
	put_key(out, "ranges");
	ht_buf_puts(out, "[");
	for (size_t i = 0; i < a->n; i++)
		ht_buf_printf(out, "%s[%" PRId64 ",%" PRId64 "]", i ? "," : "",
		    a->ranges[i].first, a->ranges[i].last);
	ht_buf_puts(out, "]");
	if (a->new_epoch)
		put_bool(out, "new_epoch", true);
	ht_buf_puts(out, "}");
	return ht_buf_err(out);
}

static bool read_seq(struct json_object *v, int64_t *out)
{
	uint64_t seq;

	if (!jtext_uint64(v, &seq) || seq < 1 || seq > INT64_MAX)
		return false;
	*out = (int64_t)seq;
	return true;
}

static bool read_range(struct json_object *v, struct control_range *out)
{
	return json_object_is_type(v, json_type_array) &&
	       json_object_array_length(v) == 2 &&
	       read_seq(json_object_array_get_idx(v, 0), &out->first) &&
	       read_seq(json_object_array_get_idx(v, 1), &out->last) &&
	       out->first <= out->last;
}

static void read_ranges(struct fields *f, struct control_ack *out)
{
	struct json_object *list = field(f, "ranges", true);

	if (f->err)
		return;
	if (!json_object_is_type(list, json_type_array))
		return refuse(f, HT_MALFORMED);
	size_t n = json_object_array_length(list);
	if (n > CONTROL_RANGES_MAX)
		return refuse(f, HT_TOOLARGE);
	out->ranges = calloc(n ? n : 1, sizeof(*out->ranges));
	if (!out->ranges)
		return refuse(f, HT_NOMEM);
	for (; out->n < n; out->n++) {
		if (!read_range(
			json_object_array_get_idx(list, out->n), &out->ranges[out->n]))
			return refuse(f, HT_MALFORMED);
	}
}

ht_err control_ack_decode(const void *bytes, size_t len, struct control_ack *out)
{
	struct control_ack a = { 0 };
	struct fields f;

	if (fields_open(&f, bytes, len) == HT_OK) {
		need_text(&f, "epoch", a.epoch, sizeof(a.epoch), is_hex16);
		read_bool(&f, "new_epoch", false, &a.new_epoch);
		read_ranges(&f, &a);
	}
	json_object_put(f.map);
	if (f.err)
		control_ack_fini(&a);
	else
		*out = a;
	return f.err;
}

void control_ack_fini(struct control_ack *a)
{
	free(a->ranges);
	*a = (struct control_ack){ 0 };
}

bool control_ack_covers(const struct control_ack *a, int64_t seq)
{
	for (size_t i = 0; i < a->n; i++) {
		if (seq >= a->ranges[i].first && seq <= a->ranges[i].last)
			return true;
	}
	return false;
}

/* --- cmd
 * -----------------------------------------------------------------------------------------------
 */

static const char *const verbs[CONTROL_OTHER] = {
	[CONTROL_CONFIG] = "config",
	[CONTROL_PROBE] = "probe",
	[CONTROL_PROPOSE] = "propose",
	[CONTROL_CERTIFICATE] = "certificate",
	[CONTROL_TARGETS] = "targets",
	[CONTROL_ANSWER] = "answer",
};

static enum control_verb verb_find(const char *text)
{
	int i = 0;

	while (i < CONTROL_OTHER && strcmp(verbs[i], text) != 0)
		i++;
	return (enum control_verb)i;
}

static bool page_fits(const struct control_cmd *c)
{
	return c->text && fits(c->text, is_page) && fits(c->hash, is_hash) &&
	       c->page >= 0 && c->page < c->pages && c->pages <= CONTROL_PAGES_MAX;
}

/* A sentence cut at its ceiling may end inside a letter. */
static void put_error(struct ht_buf *out, const char *text)
{
	char error[CONTROL_ERROR_MAX + 1];

	memcpy(error, text, sizeof(error));
	for (size_t i = 0; !fits(error, is_text) && error[i]; i++) {
		if ((unsigned char)error[i] >= 0x80)
			error[i] = '?';
	}
	put_text(out, "error", error);
}

static ht_err put_answer(const struct control_cmd *c, struct ht_buf *out)
{
	if (c->n_set > CONTROL_PAIRS_MAX)
		return HT_TOOLARGE;
	if (!fits(c->request, is_id) || !pairs_fit(c->set, c->n_set))
		return HT_INVALID;
	put_text(out, "request", c->request);
	put_bool(out, "ok", c->ok);
	if (!c->ok)
		put_error(out, c->error);
	if (c->n_set)
		put_pairs(out, "fields", c->set, c->n_set);
	return HT_OK;
}

static ht_err put_verb(const struct control_cmd *c, struct ht_buf *out)
{
	ht_err err;

	switch (c->verb) {
	case CONTROL_CONFIG:
		if (!c->yaml || !fits(c->hash, is_hash))
			return HT_INVALID;
		err = long_text_fits(c->yaml);
		if (err)
			return err;
		put_text(out, "yaml", c->yaml);
		put_text(out, "hash", c->hash);
		return HT_OK;
	case CONTROL_CERTIFICATE:
		if (!c->certificate)
			return HT_INVALID;
		err = long_text_fits(c->certificate);
		if (err)
			return err;
		put_text(out, "certificate", c->certificate);
		return HT_OK;
	case CONTROL_TARGETS:
		if (!page_fits(c))
			return HT_INVALID;
		put_text(out, "hash", c->hash);
		put_int(out, "page", c->page);
		put_int(out, "pages", c->pages);
		put_text(out, "text", c->text);
		return HT_OK;
	case CONTROL_PROBE:
		if (c->n_set > CONTROL_PAIRS_MAX)
			return HT_TOOLARGE;
		if (!fits(c->name, is_word) || !pairs_fit(c->set, c->n_set))
			return HT_INVALID;
		put_text(out, "name", c->name);
		put_pairs(out, "set", c->set, c->n_set);
		return HT_OK;
	case CONTROL_ANSWER:
		return put_answer(c, out);
	default:
		return HT_OK;
	}
}

ht_err control_cmd_encode(const struct control_cmd *c, struct ht_buf *out)
{
	const char *verb = c->verb < CONTROL_OTHER ? verbs[c->verb] : c->verb_text;
	size_t before = out->len;
	ht_err err;

	if (!fits(c->id, is_id) || !fits(verb, is_word) ||
	    (c->verb >= CONTROL_OTHER && verb_find(verb) != CONTROL_OTHER))
		return HT_INVALID;
	ht_buf_puts(out, "{");
	put_text(out, "id", c->id);
	put_text(out, "verb", verb);
	err = put_verb(c, out);
	ht_buf_puts(out, "}");
	if (err && !ht_buf_err(out))
		out->len = before;
	return err ? err : ht_buf_err(out);
}

static void read_verb(struct fields *f, struct control_cmd *c)
{
	need_text(f, "verb", c->verb_text, sizeof(c->verb_text), is_word);
	c->verb = verb_find(c->verb_text);
	if (c->verb == CONTROL_CONFIG) {
		heap_text(f, "yaml", true, &c->yaml);
		need_text(f, "hash", c->hash, sizeof(c->hash), is_hash);
	} else if (c->verb == CONTROL_CERTIFICATE) {
		heap_text(f, "certificate", true, &c->certificate);
	} else if (c->verb == CONTROL_TARGETS) {
		need_text(f, "hash", c->hash, sizeof(c->hash), is_hash);
		read_int(f, "page", CONTROL_PAGES_MAX - 1, &c->page);
		read_int(f, "pages", CONTROL_PAGES_MAX, &c->pages);
		heap_text(f, "text", true, &c->text);
		if (!f->err && !page_fits(c))
			refuse(f, HT_MALFORMED);
	} else if (c->verb == CONTROL_PROBE) {
		need_text(f, "name", c->name, sizeof(c->name), is_word);
		read_pairs(f, "set", c->set, &c->n_set);
	} else if (c->verb == CONTROL_ANSWER) {
		need_text(f, "request", c->request, sizeof(c->request), is_id);
		read_bool(f, "ok", true, &c->ok);
		if (!c->ok)
			need_text(f, "error", c->error, sizeof(c->error), is_text);
		read_pairs(f, "fields", c->set, &c->n_set);
	}
}

ht_err control_cmd_decode(const void *bytes, size_t len, struct control_cmd *out)
{
	struct control_cmd c = { 0 };
	struct fields f;

	if (fields_open(&f, bytes, len) == HT_OK) {
		need_text(&f, "id", c.id, sizeof(c.id), is_id);
		read_verb(&f, &c);
	}
	json_object_put(f.map);
	if (f.err)
		control_cmd_fini(&c);
	else
		*out = c;
	return f.err;
}

void control_cmd_fini(struct control_cmd *c)
{
	free(c->yaml);
	free(c->certificate);
	free(c->text);
	*c = (struct control_cmd){ 0 };
}

/* --- reply
 * ------------------------------------------------------------------------------------------------
 */

ht_err control_reply_encode(const struct control_reply *r, struct ht_buf *out)
{
	if (!fits(r->id, is_id) || r->n_fields > CONTROL_PAIRS_MAX ||
	    !pairs_fit(r->fields, r->n_fields))
		return HT_INVALID;
	if (r->text) {
		ht_err err = long_text_fits(r->text);

		if (err)
			return err;
	}
	ht_buf_puts(out, "{");
	put_text(out, "id", r->id);
	put_bool(out, "ok", r->ok);
	if (!r->ok)
		put_error(out, r->error);
	if (r->text)
		put_text(out, "text", r->text);
	if (r->n_fields)
		put_pairs(out, "fields", r->fields, r->n_fields);
	ht_buf_puts(out, "}");
	return ht_buf_err(out);
}

ht_err control_reply_decode(const void *bytes, size_t len, struct control_reply *out)
{
	struct control_reply r = { 0 };
	struct fields f;

	if (fields_open(&f, bytes, len) == HT_OK) {
		need_text(&f, "id", r.id, sizeof(r.id), is_id);
		read_bool(&f, "ok", true, &r.ok);
		if (!r.ok)
			need_text(&f, "error", r.error, sizeof(r.error), is_text);
		heap_text(&f, "text", false, &r.text);
		read_pairs(&f, "fields", r.fields, &r.n_fields);
	}
	json_object_put(f.map);
	if (f.err)
		control_reply_fini(&r);
	else
		*out = r;
	return f.err;
}

void control_reply_fini(struct control_reply *r)
{
	free(r->text);
	*r = (struct control_reply){ 0 };
}
