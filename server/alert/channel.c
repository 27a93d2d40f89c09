#include "server/alert/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/name.h"
#include "base/utf8.h"
#include "mqtt/jtext.h"
#include "server/alert/preset.h"
#include "server/alert/template.h"

#include <json-c/json.h>

#define FILE_MAX      (1 << 20)
#define WORD_LEAST    6 /* letters; a shorter word of a path is no secret */
#define DEFAULT_TOPIC "hatang/v1/@server/alerts"

/* A channel as the file has it. */
struct raw {
	char *id, *kind;
	int can_edit; /* index into tri: 0 not said */
	int64_t digest_ns, per_minute, concurrency, timeout_ns;
	char *server, *user, *from, *ca;
	int64_t port;
	int tls;
	struct ht_strings to, command;
	struct ht_node *url, *token, *password, *headers, *params;
	char *method, *content_type, *reply_field, *reply_value, *topic;
	struct ht_node *subject, *body, *html;
	bool plain_http;
};

struct raw_heartbeat {
	struct ht_node *url;
	int method;
	int64_t every_ns;
	char *ca;
};
struct raw_peer {
	char *id, *ca;
	struct ht_node *url;
	int64_t every_ns, silent_ns;
};
struct raw_file {
	char *public_url;
	struct ht_list channels, peers;
	struct raw_heartbeat heartbeat;
};

static const char *const tri[] = { "default", "no", "yes", NULL };
static const char *const tls_names[] = { "starttls", "implicit", "none", NULL };
static const char *const methods[] = { "GET", "POST", NULL };

/* clang-format off */
#define O(f) offsetof(struct raw, f)
static const struct ht_option rows[] = {
	{ "id", HT_OPT_STRING, O(id), .min = 1, .max = HT_ID_MAX, .required = true, .help = "name, as rules say it" },
	{ "kind", HT_OPT_STRING, O(kind), .required = true, .help = "email, webhook, mqtt, command, or a preset" },
	{ "can_edit", HT_OPT_ENUM, O(can_edit), .names = tri, .def = "default", .help = "later members come as updates, not as one digest" },
	{ "digest", HT_OPT_DURATION, O(digest_ns), .min = HT_NS_PER_S, .max = 3600 * HT_NS_PER_S, .def = "60s", .help = "how long a digest collects" },
	{ "per_minute", HT_OPT_INT, O(per_minute), .min = 1, .max = 6000, .def = "60", .help = "messages at most" },
	{ "concurrency", HT_OPT_INT, O(concurrency), .min = 1, .max = 8, .def = "4", .help = "messages on the way at the same time" },
	{ "timeout", HT_OPT_DURATION, O(timeout_ns), .min = HT_NS_PER_S, .max = 120 * HT_NS_PER_S, .def = "15s", .help = "of one attempt" },
	{ "server", HT_OPT_STRING, O(server), .min = 1, .max = 253, .help = "e-mail: the mail server" },
	{ "port", HT_OPT_INT, O(port), .min = 0, .max = 65535, .def = "0", .help = "e-mail: its port; default 587, with tls: implicit 465" },
	{ "tls", HT_OPT_ENUM, O(tls), .names = tls_names, .def = "starttls", .help = "e-mail: starttls, implicit, or none (loopback only)" },
	{ "user", HT_OPT_STRING, O(user), .help = "e-mail: account, with `password`" },
	{ "password", HT_OPT_NODE, O(password), .help = "e-mail: text, { file: … } or { credential: … }" },
	{ "from", HT_OPT_STRING, O(from), .help = "e-mail: the sender's address" },
	{ "to", HT_OPT_STRINGS, O(to), .max = CHANNEL_LIST_MAX, .help = "e-mail: addresses" },
	{ "subject", HT_OPT_NODE, O(subject), .help = "e-mail: template" },
	{ "html", HT_OPT_NODE, O(html), .help = "e-mail: template of the HTML part" },
	{ "url", HT_OPT_NODE, O(url), .help = "webhook: text, { file: … } or { credential: … }" },
	{ "token", HT_OPT_NODE, O(token), .help = "preset: text, { file: … } or { credential: … }" },
	{ "method", HT_OPT_STRING, O(method), .min = 1, .max = 10, .def = "POST", .help = "webhook: POST or PUT" },
	{ "headers", HT_OPT_NODE, O(headers), .help = "webhook: map of name to text or secret" },
	{ "content_type", HT_OPT_STRING, O(content_type), .max = 200, .help = "of the body; decides how values are escaped" },
	{ "body", HT_OPT_NODE, O(body), .help = "template" },
	{ "reply_field", HT_OPT_STRING, O(reply_field), .max = 100, .help = "webhook: field of the JSON answer to look at" },
	{ "reply_value", HT_OPT_STRING, O(reply_value), .max = 100, .help = "webhook: what it must be" },
	{ "plain_http", HT_OPT_BOOL, O(plain_http), .def = "no", .help = "webhook: allow http:// beyond loopback" },
	{ "ca", HT_OPT_STRING, O(ca), .help = "file of the CA that signed the server's certificate; default the system's" },
	{ "params", HT_OPT_NODE, O(params), .help = "map of name to text, {{param.NAME}} in templates" },
	{ "topic", HT_OPT_STRING, O(topic), .max = 200, .help = "mqtt: topic under hatang/" },
	{ "command", HT_OPT_STRINGS, O(command), .max = CHANNEL_LIST_MAX, .help = "command: program and arguments, no shell" },
};
static const struct ht_options raw_table = HT_OPTIONS(struct raw, rows);

#define H(f) offsetof(struct raw_heartbeat, f)
static const struct ht_option heartbeat_rows[] = {
	{ "url", HT_OPT_NODE, H(url), .help = "text, { file: … } or { credential: … }" },
	{ "method", HT_OPT_ENUM, H(method), .names = methods, .def = "POST", .help = "GET or POST" },
	{ "every", HT_OPT_DURATION, H(every_ns), .min = HT_NS_PER_S, .max = 3600 * HT_NS_PER_S, .def = "60s", .help = "how often, while all is well" },
	{ "ca", HT_OPT_STRING, H(ca), .help = "file of the CA; default the system's" },
};
static const struct ht_options heartbeat_table = HT_OPTIONS(struct raw_heartbeat, heartbeat_rows);

#define P(f) offsetof(struct raw_peer, f)
static const struct ht_option peer_rows[] = {
	{ "id", HT_OPT_STRING, P(id), .min = 1, .max = HT_ID_MAX, .required = true, .help = "name of the peer" },
	{ "url", HT_OPT_NODE, P(url), .required = true, .help = "of its /readyz" },
	{ "every", HT_OPT_DURATION, P(every_ns), .min = HT_NS_PER_S, .max = 3600 * HT_NS_PER_S, .def = "30s", .help = "how often it is asked" },
	{ "silent", HT_OPT_DURATION, P(silent_ns), .min = HT_NS_PER_S, .max = 86400 * HT_NS_PER_S, .def = "2m", .help = "silence that is a problem" },
	{ "ca", HT_OPT_STRING, P(ca), .help = "file of the CA; default the system's" },
};
static const struct ht_options peer_table = HT_OPTIONS(struct raw_peer, peer_rows);

#define F(f) offsetof(struct raw_file, f)
static const struct ht_option file_rows[] = {
	{ "public_url", HT_OPT_STRING, F(public_url), .max = 500, .help = "what links in messages begin with" },
	{ "channels", HT_OPT_LIST, F(channels), .max = CHANNELS_MAX, .sub = &raw_table, .help = "the channels" },
	{ "heartbeat", HT_OPT_SECTION, F(heartbeat), .sub = &heartbeat_table, .help = "somebody outside who misses us" },
	{ "peers", HT_OPT_LIST, F(peers), .max = CHANNEL_PEERS_MAX, .sub = &peer_table, .help = "other hatang servers that we watch" },
};
static const struct ht_options file_table = HT_OPTIONS(struct raw_file, file_rows);
/* clang-format on */

struct held {
	struct channels c; /* first: what callers see */
	atomic_uint holders;
	bool fixed; /* channels_none(): not on the heap */
};

struct loader {
	unsigned mode;
	struct ht_fault *fault;
	struct ht_node *node; /* of the channel */
	const struct raw *raw;
	struct channel *c;
};

/* ── secrets ─────────────────────────────────────────────────────────────────────── */

bool secret_is_set(const struct secret *s)
{
	return s->value || s->file || s->credential;
}

static void secret_fini(struct secret *s)
{
	if (s->value)
		explicit_bzero(s->value, strlen(s->value));
	free(s->value);
	free(s->file);
	free(s->credential);
	*s = (struct secret){ 0 };
}

static ht_err trim(char out[static SECRET_MAX], const char *text, const char *where,
    struct ht_fault *fault)
{
	size_t len;

	while (*text == ' ' || *text == '\n' || *text == '\t' || *text == '\r')
		text++;
	len = strlen(text);
	while (len && strchr(" \n\t\r", text[len - 1]))
		len--;
	if (len == 0 || len >= SECRET_MAX)
		return ht_fault_set(
		    fault, HT_CONFIG, "%s: it is empty or longer than 4 KiB", where);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return ht_fault_set(fault, HT_CONFIG,
			    "%s: more than one line, or a control byte", where);
	}
	memcpy(out, text, len);
	out[len] = '\0';
	return HT_OK;
}

static ht_err secret_file(
    const char *file, char out[static SECRET_MAX], struct ht_fault *fault)
{
	struct stat st;
	char *text = NULL;
	size_t len;

	if (stat(file, &st))
		return ht_fault_set(
		    fault, ht_err_errno(errno), "%s: %s", file, strerror(errno));
	if (st.st_mode & 077)
		return ht_fault_set(fault, HT_DENIED,
		    "%s holds a secret and others may read it: chmod 600 it", file);
	ht_err err = ht_file_read(file, SECRET_MAX, &text, &len, fault);
	if (!err)
		err = trim(out, text, file, fault);
	if (text)
		explicit_bzero(text, len);
	free(text);
	return err;
}

static ht_err secret_credential(
    const char *name, char out[static SECRET_MAX], struct ht_fault *fault)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *file, *text = NULL;
	size_t len;

	if (!dir)
		return ht_fault_set(fault, HT_NOTFOUND,
		    "credential %s: systemd gave none; write LoadCredential= into the "
		    "unit",
		    name);
	if (asprintf(&file, "%s/%s", dir, name) < 0)
		return HT_NOMEM;
	ht_err err = ht_file_read(file, SECRET_MAX, &text, &len, fault);
	if (!err)
		err = trim(out, text, name, fault);
	if (text)
		explicit_bzero(text, len);
	free(text);
	free(file);
	return err;
}

ht_err secret_read(
    const struct secret *s, char out[static SECRET_MAX], struct ht_fault *fault)
{
	if (s->value)
		return trim(out, s->value, "a secret of the channels file", fault);
	if (s->file)
		return secret_file(s->file, out, fault);
	if (s->credential)
		return secret_credential(s->credential, out, fault);
	return ht_fault_set(fault, HT_NOTFOUND, "there is no secret");
}

static bool loopback_name(const char *host, size_t len)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1", "[::1]" };

	for (size_t i = 0; i < HT_COUNT(names); i++) {
		if (strlen(names[i]) == len && strncasecmp(names[i], host, len) == 0)
			return true;
	}
	return false;
}

ht_err secret_url(const struct secret *s, bool plain_http, char out[static SECRET_MAX],
    struct ht_fault *fault)
{
	ht_err err = secret_read(s, out, fault);
	const char *host = out + 7;

	if (err || strncmp(out, "https://", 8) == 0)
		return err;
	if (strncmp(out, "http://", 7) != 0)
		return ht_fault_set(
		    fault, HT_CONFIG, "this is no URL; begin it with https://");
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	if (plain_http || loopback_name(host, len))
		return HT_OK;
	return ht_fault_set(fault, HT_CONFIG,
	    "http:// can be read on its way; write https://, or plain_http: yes if the "
	    "network is yours alone");
}

/* A server that does not know a path likes to quote it; a word of it may be the secret.
 */
static bool shows_word(const char *url, const char *text)
{
	static const char between[] = "/?&=#;:%.+,";
	const char *at = strstr(url, "://");
	char word[SECRET_MAX];

	for (at = at ? strchr(at + 3, '/') : NULL; at && *at;) {
		at += strspn(at, between);
		size_t len = strcspn(at, between);
		if (len >= WORD_LEAST && len < sizeof(word)) {
			memcpy(word, at, len);
			word[len] = '\0';
			if (strstr(text, word))
				return true;
		}
		at += len;
	}
	return false;
}

bool secret_shows(const struct secret *s, bool url, const char *text)
{
	char secret[SECRET_MAX] = "";
	bool shows = secret_read(s, secret, NULL) || strstr(text, secret) ||
		     (url && shows_word(secret, text));

	explicit_bzero(secret, sizeof(secret));
	return shows;
}

static ht_err copy(char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? HT_NOMEM : HT_OK;
}

static ht_err load_secret(struct loader *l, const struct ht_node *n, struct secret *out)
{
	const char *cure = "write text, { file: PATH } or { credential: NAME }";
	char text[SECRET_MAX];
	struct ht_fault why = { 0 };

	if (n->kind == HT_NODE_SCALAR) {
		if (l->mode & 077)
			return ht_node_fault(n, l->fault,
			    "a secret in a file that others may read; chmod 600 it, or "
			    "write { file: PATH }");
		ht_err err = copy(&out->value, n->text);
		if (!err && trim(text, out->value, "this", &why))
			err = ht_node_fault(n, l->fault, "%s; write one line", why.text);
		explicit_bzero(text, sizeof(text));
		return err;
	}
	if (n->kind != HT_NODE_MAP || n->n != 1 || n->items[0]->kind != HT_NODE_SCALAR)
		return ht_node_fault(n, l->fault, "this is no secret; %s", cure);
	if (strcmp(n->keys[0]->text, "file") == 0) {
		ht_err err = copy(&out->file, n->items[0]->text);
		if (!err && secret_file(out->file, text, &why))
			err = ht_node_fault(n->items[0], l->fault, "%s", why.text);
		explicit_bzero(text, sizeof(text));
		return err;
	}
	if (strcmp(n->keys[0]->text, "credential") == 0) {
		if (!ht_id_valid(n->items[0]->text, 200))
			return ht_node_fault(n->items[0], l->fault,
			    "this is no name of a credential; write it as in the unit's "
			    "LoadCredential=");
		return copy(&out->credential, n->items[0]->text);
	}
	return ht_node_fault(
	    n->keys[0], l->fault, "unknown key `%s`; %s", n->keys[0]->text, cure);
}

/* ── parts of a channel ──────────────────────────────────────────────────────────── */

static const struct ht_node *place(const struct loader *l, const char *key)
{
	const struct ht_node *n = ht_node_get(l->node, key);

	return n ? n : l->node;
}

static bool one_line(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

static ht_err load_pairs(struct loader *l, const struct ht_node *map, bool secrets,
    struct channel_pair *out, size_t *n)
{
	if (!map || map->kind == HT_NODE_NULL)
		return HT_OK;
	if (map->kind != HT_NODE_MAP || map->n > CHANNEL_LIST_MAX)
		return ht_node_fault(
		    map, l->fault, "this is no map of at most 32; write name: text");
	for (size_t i = 0; i < map->n; i++) {
		const struct ht_node *v = map->items[i];
		struct channel_pair *p = &out[i];

		if (!ht_id_valid(map->keys[i]->text, 64))
			return ht_node_fault(map->keys[i], l->fault,
			    "this is no name; write letters, digits, '-' and '_'");
		ht_err err = copy(&p->name, map->keys[i]->text);
		*n = i + 1;
		if (!err && secrets && v->kind == HT_NODE_MAP)
			err = load_secret(l, v, &p->secret);
		else if (!err && (v->kind != HT_NODE_SCALAR || !one_line(v->text)))
			err = ht_node_fault(v, l->fault,
			    "this is no text of one line; "
			    "quote it on one line");
		else if (!err && secrets && (l->mode & 077) &&
			 (strcasecmp(p->name, "authorization") == 0 ||
			     strcasestr(p->name, "token") || strcasestr(p->name, "key")))
			err = ht_node_fault(v, l->fault,
			    "a secret in a file that others may read; chmod 600 it, or "
			    "write { file: PATH }");
		else if (!err)
			err = copy(&p->text, v->text);
		if (err)
			return err;
	}
	return HT_OK;
}

/* A JSON template must become JSON, whatever is known of an incident. */
static ht_err try_template(
    struct loader *l, const struct ht_node *place_, const struct template *t, bool json)
{
	static const char *const kinds[] = { "announce", "update", "digest", "escalate",
		"resolve", "test" };

	for (size_t i = 0; i < 2 * HT_COUNT(kinds); i++) {
		const char *facts = message_sample(i % 2);
		struct message_row row = { "k", "i1-wan", kinds[i / 2], facts,
			strlen(facts), 0 };
		struct json_object *o = NULL;
		struct ht_fault why = { 0 };
		struct message m;
		struct ht_buf b;
		ht_err err = message_init(&m, &row, l->c, i % 2 ? "https://x" : NULL);

		if (err)
			return err;
		ht_buf_init(&b, TEMPLATE_OUTPUT_MAX);
		err = template_render(t, &m, &b);
		if (!err && json && (err = jtext_parse(b.data, b.len, 16, &o, &why)))
			err = ht_node_fault(place_, l->fault,
			    "the template does not become JSON for kind %s (%s); quote "
			    "texts, leave numbers bare, put commas inside sections",
			    kinds[i / 2], why.text);
		json_object_put(o);
		ht_buf_fini(&b);
		message_fini(&m);
		if (err)
			return err;
	}
	return HT_OK;
}

static ht_err load_template(struct loader *l, const struct ht_node *n, const char *def,
    enum template_escape escape, struct template **out)
{
	const char *text = def;
	struct ht_fault why = { 0 };

	if (n && n->kind != HT_NODE_NULL) {
		if (n->kind != HT_NODE_SCALAR)
			return ht_node_fault(
			    n, l->fault, "a template is a text; write it behind `|`");
		text = n->text;
	} else {
		n = l->node;
	}
	ht_err err = template_parse(
	    text, strlen(text), escape, l->c->params, l->c->n_params, out, &why);
	if (err == HT_CONFIG)
		return ht_node_fault(n, l->fault, "%s", why.text);
	if (!err)
		err = try_template(l, n, *out, escape == TEMPLATE_JSON);
	return err;
}

static ht_err check_url(struct loader *l, const struct ht_node *n,
    const struct secret *secret, bool plain_http)
{
	char url[SECRET_MAX] = "";
	struct ht_fault why = { 0 };
	ht_err err = HT_OK;

	if (secret->credential) /* known when we run as the unit does */
		return HT_OK;
	if (secret_url(secret, plain_http, url, &why))
		err = ht_node_fault(n, l->fault, "%s", why.text);
	explicit_bzero(url, sizeof(url));
	return err;
}

/* ── the kinds ───────────────────────────────────────────────────────────────────── */

/* What stands between '<' and '>' of SMTP: printable ASCII, one '@'. */
static bool is_address(const char *text)
{
	const char *at = strchr(text, '@');

	if (!at || at == text || !at[1] || strchr(at + 1, '@') || strlen(text) > 254)
		return false;
	for (; *text; text++) {
		if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f ||
		    strchr("<>,;\"()\\", *text))
			return false;
	}
	return true;
}

static ht_err load_email(struct loader *l)
{
	const struct raw *r = l->raw;
	struct channel *c = l->c;

	if (!r->server || !one_line(r->server) || strpbrk(r->server, "/@ ?#"))
		return ht_node_fault(place(l, "server"), l->fault,
		    "an e-mail channel needs `server`; write its name alone");
	if (!r->from || !is_address(r->from))
		return ht_node_fault(place(l, "from"), l->fault,
		    "an e-mail channel needs `from`; write an address alone: "
		    "hatang@laocai.gov.vn");
	if (r->to.n == 0)
		return ht_node_fault(
		    l->node, l->fault, "an e-mail channel needs `to`; write addresses");
	for (size_t i = 0; i < r->to.n; i++) {
		if (!is_address(r->to.at[i]))
			return ht_node_fault(place(l, "to"), l->fault,
			    "number %zu is no address; write it alone, without a name",
			    i + 1);
	}
	c->tls = (enum channel_tls)r->tls;
	if (c->tls == CHANNEL_PLAIN && !loopback_name(r->server, strlen(r->server)))
		return ht_node_fault(place(l, "tls"), l->fault,
		    "mail beyond this machine needs TLS; write tls: starttls");
	c->port = r->port                      ? r->port
		  : c->tls == CHANNEL_IMPLICIT ? 465
		  : c->tls == CHANNEL_STARTTLS ? 587
					       : 25;
	if (!r->user != !r->password)
		return ht_node_fault(l->node, l->fault,
		    "`user` and `password` go together; write both or neither");
	ht_err err = copy(&c->server, r->server);
	if (!err)
		err = copy(&c->from, r->from);
	if (!err)
		err = copy(&c->user, r->user);
	if (!err && r->password)
		err = load_secret(l, r->password, &c->secret);
	if (!err)
		err = load_template(
		    l, r->subject, preset_subject, TEMPLATE_LINE, &c->subject);
	if (!err)
		err = load_template(l, r->body, preset_text, TEMPLATE_PLAIN, &c->body);
	if (!err)
		err = load_template(l, r->html, preset_html, TEMPLATE_HTML, &c->html);
	return err;
}

/* The address of a preset with the token in it is a secret of ours. */
static ht_err preset_url(struct loader *l, const struct preset *p)
{
	struct channel *c = l->c;

	if (l->raw->url)
		return load_secret(l, l->raw->url, &c->url);
	return copy(&c->url.value, p->url);
}

static ht_err check_preset(struct loader *l, const struct preset *p)
{
	for (size_t i = 0; i < HT_COUNT(p->params) && p->params[i]; i++) {
		bool found = false;

		for (size_t k = 0; k < l->c->n_params; k++)
			found |= strcmp(l->c->params[k].name, p->params[i]) == 0;
		if (!found)
			return ht_node_fault(place(l, "params"), l->fault,
			    "kind %s needs `%s`; write params: { %s: … }", p->kind,
			    p->params[i], p->params[i]);
	}
	if (!l->raw->url && !p->url)
		return ht_node_fault(l->node, l->fault,
		    "kind %s needs `url`; write where it goes to", p->kind);
	bool wants = (p->url && strstr(p->url, "%s")) || strcmp(p->kind, "zalo-oa") == 0;
	if (wants && !l->raw->token)
		return ht_node_fault(l->node, l->fault,
		    "kind %s needs `token`; write token: { file: PATH }", p->kind);
	return HT_OK;
}

static ht_err load_http(struct loader *l, const struct preset *p)
{
	const struct raw *r = l->raw;
	struct channel *c = l->c;
	const char *type = r->content_type ? r->content_type
			   : p             ? p->content_type
					   : "application/json";
	const char *field = r->reply_field ? r->reply_field : p ? p->reply_field : NULL;
	const char *value = r->reply_value ? r->reply_value : p ? p->reply_value : NULL;
	ht_err err = p ? check_preset(l, p) : HT_OK;

	c->plain_http = r->plain_http;
	if (!err && !p && !r->url)
		err = ht_node_fault(l->node, l->fault,
		    "a webhook needs `url`; write url: { file: PATH } or the text");
	if (!err && strcmp(r->method, "POST") != 0 && strcmp(r->method, "PUT") != 0)
		err = ht_node_fault(
		    place(l, "method"), l->fault, "write method: POST or PUT");
	if (!err && !one_line(type))
		err = ht_node_fault(place(l, "content_type"), l->fault,
		    "more than one line; write application/json or the like");
	if (!err && !field != !value)
		err = ht_node_fault(l->node, l->fault,
		    "`reply_field` and `reply_value` go together; write both");
	if (!err)
		err = p ? preset_url(l, p) : load_secret(l, r->url, &c->url);
	if (!err && r->url)
		err = check_url(l, r->url, &c->url, r->plain_http);
	if (!err && r->token)
		err = load_secret(l, r->token, &c->secret);
	if (!err)
		err = copy(&c->method, r->method);
	if (!err)
		err = copy(&c->content_type, type);
	if (!err)
		err = copy(&c->reply_field, field);
	if (!err)
		err = copy(&c->reply_value, value);
	if (!err)
		err = load_pairs(l, r->headers, true, c->headers, &c->n_headers);
	if (!err)
		err = load_template(l, r->body, p ? p->body : preset_json,
		    template_escape_of(type), &c->body);
	return err;
}

static ht_err load_mqtt(struct loader *l)
{
	const char *topic = l->raw->topic ? l->raw->topic : DEFAULT_TOPIC;

	if (strncmp(topic, "hatang/", 7) != 0 || strpbrk(topic, "+#") ||
	    !one_line(topic) || !ht_utf8_valid(topic, strlen(topic)))
		return ht_node_fault(place(l, "topic"), l->fault,
		    "the server may publish under hatang/ only, without + and #; write "
		    "topic: " DEFAULT_TOPIC);
	ht_err err = copy(&l->c->topic, topic);
	if (!err)
		err = load_template(
		    l, l->raw->body, preset_json, TEMPLATE_JSON, &l->c->body);
	return err;
}

static ht_err load_command(struct loader *l)
{
	const struct ht_strings *from = &l->raw->command;
	struct ht_strings *to = &l->c->command;

	if (from->n == 0 || from->at[0][0] != '/')
		return ht_node_fault(place(l, "command"), l->fault,
		    "a command is a list that begins with a whole path; write "
		    "command: [/usr/local/bin/tell, --quiet]");
	if (access(from->at[0], X_OK))
		return ht_node_fault(place(l, "command"), l->fault,
		    "%s cannot be run (%s); make it executable", from->at[0],
		    strerror(errno));
	to->at = calloc(from->n + 1, sizeof(*to->at));
	ht_err err = to->at ? HT_OK : HT_NOMEM;
	for (size_t i = 0; !err && i < from->n; i++) {
		err = copy(&to->at[i], from->at[i]);
		to->n = i + 1;
	}
	if (!err)
		err = load_template(
		    l, l->raw->body, preset_json, TEMPLATE_JSON, &l->c->body);
	return err;
}

/* ── a channel ───────────────────────────────────────────────────────────────────── */

static const struct {
	const char *kind;
	enum channel_transport transport;
	bool can_edit;
	ht_err (*load)(struct loader *l);
} plain_kinds[] = {
	{ "email", CHANNEL_EMAIL, false, load_email },
	{ "mqtt", CHANNEL_MQTT, true, load_mqtt },
	{ "command", CHANNEL_COMMAND, true, load_command },
};

static ht_err load_kind(struct loader *l)
{
	const struct preset *p = preset_find(l->raw->kind);
	bool webhook = strcmp(l->raw->kind, "webhook") == 0;
	struct channel *c = l->c;

	for (size_t i = 0; i < HT_COUNT(plain_kinds); i++) {
		if (strcmp(plain_kinds[i].kind, l->raw->kind) == 0) {
			c->kind = plain_kinds[i].kind;
			c->transport = plain_kinds[i].transport;
			c->can_edit = l->raw->can_edit ? l->raw->can_edit == 2
						       : plain_kinds[i].can_edit;
			return plain_kinds[i].load(l);
		}
	}
	if (!p && !webhook)
		return ht_node_fault(place(l, "kind"), l->fault,
		    "there is no kind `%s`; write email, webhook, telegram, zalo-oa, "
		    "slack, sms-gateway, ntfy, alertmanager, mqtt or command",
		    l->raw->kind);
	c->kind = p ? p->kind : "webhook";
	c->transport = CHANNEL_HTTP;
	c->can_edit = l->raw->can_edit ? l->raw->can_edit == 2 : p && p->can_edit;
	return load_http(l, p);
}

static ht_err load_channel(struct loader *l)
{
	const struct raw *r = l->raw;
	struct channel *c = l->c;

	if (!ht_id_valid(r->id, HT_ID_MAX))
		return ht_node_fault(place(l, "id"), l->fault,
		    "`%s` is no id; write letters, digits and '.', '-', '_', ':'", r->id);
	c->digest_ms = r->digest_ns / HT_NS_PER_MS;
	c->timeout_ms = r->timeout_ns / HT_NS_PER_MS;
	c->per_minute = r->per_minute;
	c->concurrency = r->concurrency;
	ht_err err = copy(&c->id, r->id);
	if (!err)
		err = copy(&c->ca, r->ca);
	if (!err && c->ca && access(c->ca, R_OK))
		err = ht_node_fault(place(l, "ca"), l->fault,
		    "%s cannot be read (%s); name the CA's certificate in PEM", c->ca,
		    strerror(errno));
	if (!err)
		err = load_pairs(l, r->params, false, c->params, &c->n_params);
	if (!err)
		err = load_kind(l);
	return err;
}

static void pairs_fini(struct channel_pair *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(at[i].name);
		free(at[i].text);
		secret_fini(&at[i].secret);
	}
}

static void strings_fini(struct ht_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->at[i]);
	free(s->at);
}

static void channel_fini(struct channel *c)
{
	char *texts[] = { c->id, c->server, c->user, c->from, c->method, c->content_type,
		c->reply_field, c->reply_value, c->ca, c->topic };

	for (size_t i = 0; i < HT_COUNT(texts); i++)
		free(texts[i]);
	secret_fini(&c->url);
	secret_fini(&c->secret);
	pairs_fini(c->headers, c->n_headers);
	pairs_fini(c->params, c->n_params);
	strings_fini(&c->to);
	strings_fini(&c->command);
	template_free(c->subject);
	template_free(c->body);
	template_free(c->html);
}

/* ── the file ────────────────────────────────────────────────────────────────────── */

static ht_err load_channels(
    struct channels *c, struct raw_file *raw, unsigned mode, struct ht_fault *fault)
{
	struct raw *at = raw->channels.at;

	c->at = calloc(raw->channels.n + 1, sizeof(*c->at));
	if (!c->at)
		return HT_NOMEM;
	for (size_t i = 0; i < raw->channels.n; i++) {
		struct loader l = { mode, fault, raw->channels.nodes[i], &at[i],
			&c->at[i] };

		if (channels_find(c, at[i].id))
			return ht_node_fault(place(&l, "id"), fault,
			    "there are two channels `%s`; name each once", at[i].id);
		c->n = i + 1;
		ht_err err = load_channel(&l);
		if (!err) {
			/* borrowed from the tree: take them over */
			if (c->at[i].transport == CHANNEL_EMAIL) {
				c->at[i].to = at[i].to;
				at[i].to = (struct ht_strings){ 0 };
			}
		}
		if (err)
			return err;
	}
	return HT_OK;
}

static ht_err load_watch(
    struct channels *c, struct raw_file *raw, unsigned mode, struct ht_fault *fault)
{
	struct loader l = { .mode = mode, .fault = fault };
	const struct raw_heartbeat *h = &raw->heartbeat;
	const struct raw_peer *peers = raw->peers.at;
	ht_err err = HT_OK;

	c->heartbeat.post = h->method == 1;
	c->heartbeat.every_ms = h->every_ns / HT_NS_PER_MS;
	if (h->url && h->url->kind != HT_NODE_NULL) {
		err = load_secret(&l, h->url, &c->heartbeat.url);
		if (!err)
			err = check_url(&l, h->url, &c->heartbeat.url, false);
	}
	if (!err)
		err = copy(&c->heartbeat.ca, h->ca);
	for (size_t i = 0; !err && i < raw->peers.n; i++) {
		struct channel_peer *p = &c->peers[i];

		c->n_peers = i + 1;
		p->every_ms = peers[i].every_ns / HT_NS_PER_MS;
		p->silent_ms = peers[i].silent_ns / HT_NS_PER_MS;
		if (!ht_id_valid(peers[i].id, HT_ID_MAX))
			err = ht_node_fault(raw->peers.nodes[i], fault,
			    "`%s` is no id; write letters, digits and '.', '-', '_'",
			    peers[i].id);
		if (!err)
			err = copy(&p->id, peers[i].id);
		if (!err)
			err = copy(&p->ca, peers[i].ca);
		l.mode = 0; /* a /readyz is no secret */
		if (!err)
			err = load_secret(&l, peers[i].url, &p->url);
		if (!err)
			err = check_url(&l, peers[i].url, &p->url, true);
	}
	return err;
}

static ht_err load_public_url(struct channels *c, const struct raw_file *raw,
    const struct ht_node *root, struct ht_fault *fault)
{
	const char *url = raw->public_url;

	if (!url)
		return HT_OK;
	if ((strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) ||
	    !one_line(url) || strpbrk(url, " \"<>"))
		return ht_node_fault(ht_node_get(root, "public_url"), fault,
		    "this is no URL; write https:// and the server's name");
	ht_err err = copy(&c->public_url, url);
	for (size_t n = err ? 0 : strlen(url); n && c->public_url[n - 1] == '/';)
		c->public_url[--n] = '\0';
	return err;
}

ht_err channels_parse(const char *file, unsigned mode, const void *bytes, size_t len,
    const struct channels **out, struct ht_fault *fault)
{
	struct held *h = calloc(1, sizeof(*h));
	struct raw_file raw = { 0 };
	struct ht_yaml y = { 0 };

	if (!h)
		return ht_fault_set(fault, HT_NOMEM, "out of memory");
	atomic_init(&h->holders, 1);
	ht_err err = ht_yaml_parse(file, bytes, len, &y, fault);
	if (!err)
		err = ht_options_load(&file_table, NULL, y.root, &raw, fault);
	if (!err) {
		err = load_public_url(&h->c, &raw, y.root, fault);
		if (!err)
			err = load_channels(&h->c, &raw, mode, fault);
		if (!err)
			err = load_watch(&h->c, &raw, mode, fault);
		ht_options_fini(&file_table, &raw);
	}
	ht_yaml_fini(&y);
	if (err == HT_NOMEM)
		(void)ht_fault_set(fault, err, "%s: out of memory", file);
	if (err)
		channels_release(&h->c);
	else
		*out = &h->c;
	return err;
}

ht_err channels_load(
    const char *file, const struct channels **out, struct ht_fault *fault)
{
	struct stat st;
	char *bytes = NULL;
	size_t len;

	if (stat(file, &st))
		return ht_fault_set(fault, HT_CONFIG,
		    "%s:1:1: it cannot be read (%s); make it, or leave out "
		    "alerts.channels",
		    file, strerror(errno));
	ht_err err = ht_file_read(file, FILE_MAX, &bytes, &len, fault);
	if (!err)
		err = channels_parse(file, st.st_mode & 0777, bytes, len, out, fault);
	if (bytes)
		explicit_bzero(bytes, len);
	free(bytes);
	return err;
}

const struct channels *channels_none(void)
{
	static struct held none = { .fixed = true };

	return channels_hold(&none.c);
}

const struct channels *channels_hold(const struct channels *c)
{
	atomic_fetch_add(&((struct held *)(uintptr_t)c)->holders, 1);
	return c;
}

void channels_release(const struct channels *c)
{
	struct held *h = (struct held *)(uintptr_t)c;

	if (!h || atomic_fetch_sub(&h->holders, 1) != 1 || h->fixed)
		return;
	for (size_t i = 0; i < h->c.n; i++)
		channel_fini(&h->c.at[i]);
	free(h->c.at);
	free(h->c.public_url);
	secret_fini(&h->c.heartbeat.url);
	free(h->c.heartbeat.ca);
	for (size_t i = 0; i < h->c.n_peers; i++) {
		free(h->c.peers[i].id);
		free(h->c.peers[i].ca);
		secret_fini(&h->c.peers[i].url);
	}
	free(h);
}

const struct channel *channels_find(const struct channels *c, const char *id)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->at[i].id && strcmp(c->at[i].id, id) == 0)
			return &c->at[i];
	}
	return NULL;
}
