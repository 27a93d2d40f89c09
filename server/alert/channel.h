/* The channels file: by which ways people are told (server option `alerts.channels`).
 *
 *     public_url: https://hatang.laocai.gov.vn     # what links in messages begin with
 *     channels:
 *       - id: truc-ban
 *         kind: telegram
 *         token: { file: /etc/hatang/secrets/telegram }
 *         params: { chat: "-1001234567890" }
 *     heartbeat: { url: { file: /etc/hatang/secrets/heartbeat }, every: 1m }
 *     peers:
 *       - { id: tinh-du-phong, url: "https://hatang2.laocai.gov.vn/readyz" }
 *
 * A secret is written in the file itself, which must then be readable by its owner alone
 * (0600), or named by { file: PATH } (that file 0600) or { credential: NAME } of systemd.
 * Files are read anew at every use, so that a token may be renewed beside us. No secret
 * is ever logged or told by the API. A struct channels is immutable and counted: whoever
 * uses it on a thread of its own holds it. */
#ifndef HT_SERVER_ALERT_CHANNEL_H
#define HT_SERVER_ALERT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"

#define CHANNELS_MAX      64
#define CHANNEL_PEERS_MAX 8
#define CHANNEL_LIST_MAX  32   /* recipients, headers, parameters, words of a command */
#define SECRET_MAX        4096 /* bytes of one secret */

struct template;

/* How a message leaves; presets are webhooks with a template of ours (preset.h). */
enum channel_transport { CHANNEL_EMAIL, CHANNEL_HTTP, CHANNEL_MQTT, CHANNEL_COMMAND };
enum channel_tls { CHANNEL_STARTTLS, CHANNEL_IMPLICIT, CHANNEL_PLAIN };

/* One of the three, or none when all are NULL. */
struct secret {
	char *value, *file, *credential;
};

struct channel_pair {
	char *name;
	char *text;           /* NULL: the secret */
	struct secret secret; /* of a header */
};

struct channel {
	char *id;
	const char *kind; /* as written: "email", "telegram", … */
	enum channel_transport transport;
	bool can_edit;       /* members join as updates, else as one digest */
	int64_t digest_ms;   /* how long a digest collects; default 60 s */
	int64_t per_minute;  /* messages at most */
	int64_t concurrency; /* sent at the same time */
	int64_t timeout_ms;  /* of one attempt */

	/* e-mail */
	char *server;
	int64_t port;
	enum channel_tls tls;
	char *user, *from;
	struct ht_strings to;
	/* HTTP */
	struct secret url;
	bool plain_http; /* http:// beyond loopback is allowed */
	char *method, *content_type;
	struct channel_pair headers[CHANNEL_LIST_MAX];
	size_t n_headers;
	char *reply_field, *reply_value; /* what the answer's JSON must say; or NULL */
	/* both */
	struct secret secret; /* password of e-mail, token of a preset */
	char *ca;             /* file of the CA that signs the server; NULL: system's */
	/* MQTT */
	char *topic;
	/* command */
	struct ht_strings command;

	struct channel_pair params[CHANNEL_LIST_MAX]; /* {{param.NAME}} in templates */
	size_t n_params;
	struct template *subject, *body, *html; /* NULL where there is none */
};

struct channel_heartbeat {
	struct secret url; /* none: no heartbeat */
	bool post;
	int64_t every_ms;
	char *ca;
};

struct channel_peer {
	char *id;
	struct secret url; /* of its /readyz */
	int64_t every_ms, silent_ms;
	char *ca;
};

struct channels {
	char *public_url; /* without '/' at the end; NULL: links are left out */
	struct channel *at;
	size_t n;
	struct channel_heartbeat heartbeat;
	struct channel_peer peers[CHANNEL_PEERS_MAX];
	size_t n_peers;
};

/* Read and check a file. HT_CONFIG with a fault "file:line:column: what, and the cure".
 * `out` is untouched on failure, so what runs stays. Held once by the caller. */
HT_MUST_CHECK ht_err channels_load(
    const char *file, const struct channels **out, struct ht_fault *fault);
/* The same from bytes under the name `file`; `mode` are the file's permissions. */
HT_MUST_CHECK ht_err channels_parse(const char *file, unsigned mode, const void *bytes,
    size_t len, const struct channels **out, struct ht_fault *fault);
/* None at all: every message is dropped, and says so. Held once by the caller. */
const struct channels *channels_none(void);

/* Any thread. */
const struct channels *channels_hold(const struct channels *c);
void channels_release(const struct channels *c); /* accepts NULL */

/* NULL: there is none of that id. */
const struct channel *channels_find(const struct channels *c, const char *id);

bool secret_is_set(const struct secret *s);
/* The secret's text, without white space at its ends. HT_DENIED when others may read its
 * file; the fault names the file, never what is in it. `out` is SECRET_MAX bytes. */
HT_MUST_CHECK ht_err secret_read(
    const struct secret *s, char out[static SECRET_MAX], struct ht_fault *fault);
/* The same of an address: https://, or http:// to loopback or where `plain_http`. A file
 * or a credential may have changed since it was loaded, so it is checked at each use.
 * HT_CONFIG; the fault does not hold the address. */
HT_MUST_CHECK ht_err secret_url(const struct secret *s, bool plain_http,
    char out[static SECRET_MAX], struct ht_fault *fault);
/* Whether `text` shows the secret; of an address (`url`) also when it shows a word of its
 * path or query. True when the secret cannot be read. */
bool secret_shows(const struct secret *s, bool url, const char *text);

#endif
