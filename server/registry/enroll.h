/* Enrolment: a one-time token and a certificate request become an agent with a
 * certificate. A machine that was enrolled before (the token names its agent, or its
 * fingerprint is known in the same agency) keeps its id and so its history; its old
 * certificates are revoked. */
#ifndef HT_SERVER_REGISTRY_ENROLL_H
#define HT_SERVER_REGISTRY_ENROLL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "server/registry/ca.h"
#include "server/store/db.h"

#define ENROLL_BODY_MAX 32768

struct enroll_context {
	const struct ca *ca;
	const char *mqtt_host;     /* as agents reach the broker */
	const char *mqtt_tls_name; /* the name in the broker's certificate */
	uint16_t mqtt_ports[4];    /* 0-terminated */
};

struct enroll_answer {
	int status;     /* HTTP: 201, or 400, 401, 409, 410, 422, 500 */
	char *body;     /* malloc'ed JSON: the answer, or an RFC 9457 problem document */
	char agent[65]; /* "" on failure */
};

/* Handle the body of POST /api/v1/enroll,
 *     {"token":"…","csr":"<PEM>","agent":"<id, optional>","fingerprint":"<64 hex>",
 *      "hostname":"…","version":"…"}
 * with 201 and
 *     {"agent":"bat-xat-1","agency":"bat-xat","certificate":"<PEM>","ca":"<PEM>",
 *      "mqtt":{"host":"…","ports":[8883],"tls_name":"…"}}.
 * Runs in the writer thread (writer_call); anything but HT_OK must be rolled back, so
 * that a token is not used up by a request that failed. `out` is always filled; free
 * out->body. After the commit: broker_sync_poke(). */
HT_MUST_CHECK ht_err enroll_handle(struct db *db, const struct enroll_context *context,
    const void *body, size_t len, int64_t now_ms, struct enroll_answer *out);

#endif
