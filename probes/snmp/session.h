/* One SNMP device on the loop: the one adapter for net-snmp. Each session has its own
 * transport socket in uv_poll, one timer, and at most one request under way; retries are
 * counted here (the library's are 0). Opening never blocks: SNMPv3 engines are discovered
 * from the loop first (engine.h).
 *
 *     session_open → session_ask … (the answer) → session_ask … → session_close
 *
 * Answers never come from inside session_ask, and never after session_close. From an
 * answer both may be called. */
#ifndef HT_PROBES_SNMP_SESSION_H
#define HT_PROBES_SNMP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/err.h"
#include "probes/snmp/engine.h"
#include "probes/snmp/gate.h"

struct session;

typedef unsigned long session_subid; /* net-snmp's oid */

struct session_oid {
	const session_subid *at;
	size_t n;
};

/* A pass phrase turned into the key that each engine's own is made of (RFC 3414 A.2, RFC
 * 7860): milliseconds of hashing, so it is done once for all devices. */
enum { SESSION_KEY_MAX = 64 };
struct session_key {
	uint8_t at[SESSION_KEY_MAX];
	size_t len;
};

/* `auth` as net-snmp calls it, "SHA-256"; both keys of a user go by it.
 *   errors  HT_INVALID (a protocol that net-snmp lacks; a phrase below 8 bytes) */
HT_MUST_CHECK ht_err session_key_make(
    const char *auth, const char *phrase, struct session_key *out);

struct session_config {
	const struct sockaddr *to; /* with port; copied */
	bool v3;
	const char *community;   /* v2c */
	const char *user;        /* v3 */
	const char *auth, *priv; /* as net-snmp calls them; NULL: none */
	const struct session_key *auth_key, *priv_key;
	const struct engine_id *engine; /* known from before, or NULL: ask */
	struct gate *gate;              /* shared; NULL: none. Outlives the session */
	int64_t wait_ns;                /* for one answer */
	int retries;
};

enum session_verb { SESSION_GET, SESSION_GETBULK };

enum session_outcome {
	SESSION_ANSWERED, /* also when error_status is not 0 */
	SESSION_TIMEOUT,
	SESSION_AUTH_FAILED, /* user, key or level were refused */
	SESSION_FAILED,      /* could not be sent */
};

/* error_status, RFC 3416: the user or community may not read this */
enum { SESSION_AUTHORIZATION_ERROR = 16 };

enum session_type {
	SESSION_INTEGER,
	SESSION_UNSIGNED,
	SESSION_TICKS,
	SESSION_OCTETS,
	SESSION_OID,
	SESSION_NOTHING, /* noSuchObject, noSuchInstance, NULL */
	SESSION_END,     /* endOfMibView */
	SESSION_OTHER,
};

/* One variable; everything is borrowed until the answer returns. */
struct session_value {
	struct session_oid name;
	enum session_type type;
	int64_t integer;      /* SESSION_INTEGER */
	uint64_t number;      /* SESSION_UNSIGNED, SESSION_TICKS (hundredths of s) */
	unsigned bits;        /* of `number`: 32 or 64 */
	const uint8_t *bytes; /* SESSION_OCTETS */
	size_t len;
	struct session_oid oid; /* SESSION_OID */
};

struct session_answer {
	enum session_outcome outcome;
	int error_status; /* RFC 3416; 0 is noError */
	int64_t at_ns;    /* when it arrived */
	const struct session_value *values;
	size_t n;
};

/* errors  HT_INVALID (a protocol or secret that net-snmp refuses), HT_NOMEM, HT_IO */
HT_MUST_CHECK ht_err session_open(
    uv_loop_t *loop, const struct session_config *config, struct session **out);

/* Send one request; the oids are borrowed until the answer. `max_repetitions` for
 * SESSION_GETBULK. errors  HT_AGAIN (one is under way), HT_NOMEM, HT_TOOLARGE */
HT_MUST_CHECK ht_err session_ask(struct session *s, enum session_verb verb,
    const struct session_oid *oids, size_t n, int max_repetitions,
    void (*answer)(void *arg, const struct session_answer *answer), void *arg);

/* Requests sent so far, with retries. */
unsigned session_requests(const struct session *s);

/* The device's engine, once it is known. */
const struct engine_id *session_engine(const struct session *s);

/* closed(arg) comes once, from the loop. */
void session_close(struct session *s, void (*closed)(void *arg), void *arg);

#endif
