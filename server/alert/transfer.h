/* HTTP and SMTP by libcurl on the loop: the one place that names curl here. The multi
 * handle's sockets and timer are the loop's; names are resolved on threads of curl's own,
 * so nothing blocks. TLS is verified, redirects are not followed, an answer is read to
 * 64 KiB at most, and an attempt ends at its timeout whatever the other side does. */
#ifndef HT_SERVER_ALERT_TRANSFER_H
#define HT_SERVER_ALERT_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "server/alert/channel.h"

struct transfers;

#define TRANSFER_HEADERS_MAX (CHANNEL_LIST_MAX + 8)

struct transfer_request {
	const char *url;    /* http://, https://, smtp:// or smtps:// */
	const char *method; /* HTTP; NULL for GET and for SMTP */
	const char *headers[TRANSFER_HEADERS_MAX]; /* HTTP: "Name: text" */
	size_t n_headers;
	const void *body; /* copied */
	size_t len;
	const char *ca; /* file, or NULL for the system's */
	int64_t timeout_ms;
	/* SMTP */
	bool starttls; /* required: no TLS, no mail */
	const char *user, *password, *from;
	const struct ht_strings *to; /* NULL: it is HTTP */
};

struct transfer_result {
	bool ok;               /* taken: 2xx of HTTP, or the mail server's 250 */
	int status;            /* the last code of HTTP or SMTP; 0: none came */
	int64_t retry_after_s; /* 0: not said */
	const char *body;      /* of HTTP, cut; NUL-terminated */
	size_t len;
	bool cut;        /* the answer was longer, or did not end in time */
	char error[256]; /* one sentence when not ok; holds no URL */
};

typedef void (*transfer_done)(void *arg, const struct transfer_result *result);

HT_MUST_CHECK ht_err transfers_new(uv_loop_t *loop, struct transfers **out);
/* Drop all that is under way without a call back; then `done` from the loop. */
void transfers_close(struct transfers *t, void (*done)(void *arg), void *arg);

/* `done` is called once, from the loop, never before this returns. Everything in `r` is
 * copied. HT_NOMEM, HT_INVALID. */
HT_MUST_CHECK ht_err transfer_start(
    struct transfers *t, const struct transfer_request *r, transfer_done done, void *arg);

#endif
