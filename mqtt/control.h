/* The JSON messages beside the packs: presence, ack, cmd and reply (PROTOCOL.md). Codecs
 * are pure and strict: a field that is missing, of the wrong kind, too long or out of
 * range makes the whole message HT_MALFORMED; a field that is not known is skipped.
 * On failure `out` is untouched. Encoders append to a buffer whose ceiling is the
 * caller's; HT_INVALID when a decoder would refuse the result. */
#ifndef HT_MQTT_CONTROL_H
#define HT_MQTT_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "mqtt/props.h"

#define CONTROL_JSON_TYPE   "application/json"
#define CONTROL_MESSAGE_MAX (512 * 1024) /* bytes of any control message */
#define CONTROL_TEXT_MAX    (256 * 1024) /* bytes of `yaml` and `text` */
#define CONTROL_RANGES_MAX  1024
#define CONTROL_PAIRS_MAX   16
#define CONTROL_PAGE_BYTES \
	(48 * 1024) /* of a list of targets, in each page but the last */
#define CONTROL_PAGES_MAX 256

enum {
	CONTROL_HASH_LEN = 64,
	CONTROL_ID_MAX = 32,
	CONTROL_VERSION_MAX = 31,
	CONTROL_WORD_MAX = 63,
	CONTROL_VALUE_MAX = 255,
	CONTROL_ERROR_MAX = 511
};

/* --- presence --------------------------------------------------------------------------
 */

enum control_state { CONTROL_ONLINE, CONTROL_OFFLINE, CONTROL_LOST, CONTROL_STATE_COUNT };

const char *control_state_name(enum control_state state);

/* Of an agent, or of the server, which leaves fingerprint, epoch and config empty. */
struct control_presence {
	enum control_state state;
	char session[PROPS_HEX_LEN + 1];
	char boot[HT_BOOT_ID_LEN + 1];
	int64_t mono_ns; /* written to the millisecond */
	int64_t wall_ms; /* ≥ 0 */
	bool synchronised;
	char version[CONTROL_VERSION_MAX + 1];
	/* Each of these may be "". */
	char fingerprint[CONTROL_HASH_LEN + 1];
	char epoch[PROPS_HEX_LEN + 1];
	char config[CONTROL_HASH_LEN + 1];
	char targets[CONTROL_HASH_LEN + 1]; /* of the list in force */
};

HT_MUST_CHECK ht_err control_presence_encode(
    const struct control_presence *p, struct ht_buf *out);
HT_MUST_CHECK ht_err control_presence_decode(
    const void *bytes, size_t len, struct control_presence *out);

/* --- ack
 * --------------------------------------------------------------------------------- */

struct control_range {
	int64_t first, last; /* 1 ≤ first ≤ last */
};

struct control_ack {
	char epoch[PROPS_HEX_LEN + 1];
	bool new_epoch;               /* a conflict was found: begin a new epoch */
	struct control_range *ranges; /* in any order; heap after decode */
	size_t n;                     /* 0 … CONTROL_RANGES_MAX */
};

/* HT_TOOLARGE for more ranges than CONTROL_RANGES_MAX, both ways. */
HT_MUST_CHECK ht_err control_ack_encode(const struct control_ack *a, struct ht_buf *out);
HT_MUST_CHECK ht_err control_ack_decode(
    const void *bytes, size_t len, struct control_ack *out);
void control_ack_fini(struct control_ack *a); /* accepts a zeroed one */

bool control_ack_covers(const struct control_ack *a, int64_t seq);

/* --- cmd and reply
 * ------------------------------------------------------------------------- */

enum control_verb {
	CONTROL_CONFIG,
	CONTROL_PROBE,
	CONTROL_PROPOSE,
	CONTROL_CERTIFICATE,
	CONTROL_TARGETS,
	CONTROL_ANSWER,
	CONTROL_OTHER
};

struct control_pair {
	char key[CONTROL_WORD_MAX + 1];
	char value[CONTROL_VALUE_MAX + 1];
};

struct control_cmd {
	char id[CONTROL_ID_MAX + 1]; /* 1 … 32 lower-case hex digits */
	enum control_verb verb;
	char verb_text[CONTROL_WORD_MAX +
		       1]; /* as it came; encode writes it for CONTROL_OTHER */
	char *yaml;        /* CONTROL_CONFIG; heap after decode */
	char *certificate; /* CONTROL_CERTIFICATE: PEM, unchecked; heap after decode */
	char *text; /* CONTROL_TARGETS: the page, 1 … CONTROL_PAGE_BYTES; heap after
		       decode */
	int64_t page, pages; /* CONTROL_TARGETS: 0 ≤ page < pages ≤ CONTROL_PAGES_MAX */
	char hash[CONTROL_HASH_LEN +
		  1]; /* CONTROL_CONFIG: SHA-256 of yaml, unchecked here;
		       * CONTROL_TARGETS: of all pages' texts joined */
	char name[CONTROL_WORD_MAX + 1];            /* CONTROL_PROBE */
	struct control_pair set[CONTROL_PAIRS_MAX]; /* CONTROL_PROBE: its options as text;
						     * CONTROL_ANSWER: its fields */
	size_t n_set;
	/* CONTROL_ANSWER: to the agent's request of that id; one sentence when not ok. */
	char request[CONTROL_ID_MAX + 1];
	bool ok;
	char error[CONTROL_ERROR_MAX + 1];
};

/* A verb that is not known is no error: it must be answered. HT_TOOLARGE for more pairs
 * or text than there is room for. */
HT_MUST_CHECK ht_err control_cmd_encode(const struct control_cmd *c, struct ht_buf *out);
HT_MUST_CHECK ht_err control_cmd_decode(
    const void *bytes, size_t len, struct control_cmd *out);
void control_cmd_fini(struct control_cmd *c); /* accepts a zeroed one */

struct control_reply {
	char id[CONTROL_ID_MAX + 1];
	bool ok;
	char error[CONTROL_ERROR_MAX + 1]; /* one sentence when not ok */
	char *text; /* what the command yielded (a proposal, readings), or NULL; heap
		       after decode */
	struct control_pair fields[CONTROL_PAIRS_MAX];
	size_t n_fields;
};

/* Bytes of `error` that are not UTF-8 are written as '?'. */
HT_MUST_CHECK ht_err control_reply_encode(
    const struct control_reply *r, struct ht_buf *out);
HT_MUST_CHECK ht_err control_reply_decode(
    const void *bytes, size_t len, struct control_reply *out);
void control_reply_fini(struct control_reply *r); /* accepts a zeroed one */

#endif
