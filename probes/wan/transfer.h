/* HTTP by libcurl on the loop (url.c reads addresses by it too; no other file names
 * curl). Several transfers can be under way in one `transfers`; each has a connection of
 * its own, so that what is measured is the line and never a kept connection.
 *
 * What it never does: follow a redirect, use a proxy, cookies, .netrc or a cache, ask for
 * or undo a content coding, speak anything but http and https, speak HTTP/2 (streams of
 * one connection would share its rate). curl is initialised with the first transfer.
 *
 * Life: transfers_new, any number of transfer_start, transfers_close. Callbacks come from
 * the loop, never from inside transfer_start; `done` exactly once a transfer, unless it
 * is cancelled before. A `transfer` is dead when its `done` returns. */
#ifndef HT_PROBES_WAN_TRANSFER_H
#define HT_PROBES_WAN_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/err.h"
#include "probes/wan/service/tls_facts.h"

#define TRANSFER_HEADERS_MAX (64 * 1024) /* bytes of an answer's header, all together */
#define TRANSFER_ADDRESS     64          /* an address as text, NUL included */

struct transfers; /* all that one probe run has under way */
struct transfer;  /* one of them */

enum transfer_end {
	TRANSFER_OK, /* an answer came, whole; its code may be anything */
	TRANSFER_UNRESOLVED,
	TRANSFER_REFUSED,
	TRANSFER_UNREACHABLE,
	TRANSFER_TIMEOUT,   /* `timeout_ms` is over */
	TRANSFER_TOO_SLOW,  /* below `low_speed` for `low_speed_s` */
	TRANSFER_TOO_LARGE, /* the header, or more than `max_bytes` of the body */
	TRANSFER_STOPPED,   /* `header` or `body` said so */
	TRANSFER_TLS,       /* no TLS, or the certificate is not to be trusted */
	TRANSFER_CLOSED,    /* closed or reset before the answer was whole */
	TRANSFER_MALFORMED, /* what came is no HTTP */
	TRANSFER_ERROR,     /* another failure, ours included */
};

struct transfer_result {
	enum transfer_end end;
	int code; /* of the last answer; 0: none came */
	/* Seconds since the transfer began; negative: it never came so far. */
	double connect_s, tls_s, first_byte_s, total_s;
	int64_t received, sent;         /* bytes of the bodies */
	char address[TRANSFER_ADDRESS]; /* that was connected to; "" when none was */
	const char *location;           /* where a redirect leads, absolute; or NULL */
	struct tls_facts tls;           /* tls.seen tells whether there are any */
	char error[256];                /* why it did not end well; no URL in it */
};

/* All but `done` may be NULL. They must not start, cancel or close transfers, except
 * `done`, which may start others. */
struct transfer_events {
	/* One line of the header, its end included. False: stop. */
	bool (*header)(void *arg, const char *line, size_t len);
	/* The next bytes of the body, as they came. False: stop. */
	bool (*body)(void *arg, const void *bytes, size_t len);
	/* Fill up to `cap` bytes of the body that is sent; 0: that was all. */
	size_t (*send)(void *arg, void *out, size_t cap);
	void (*done)(void *arg, const struct transfer_result *result);
	void *arg;
};

/* Everything is copied by transfer_start, except what the events point to. */
struct transfer_request {
	const char *url;
	const char *method; /* NULL: GET, or POST when there is a `send` */
	/* Where the name of the URL lies, as curl wants it, "host:port:addr,addr"; so
	 * that nothing is resolved here. NULL when the URL has an address. */
	const char *resolved;
	const char *const *headers; /* "Name: text" */
	size_t n_headers;
	const char *basic;   /* "user:password" for RFC 7617, or NULL */
	const char *ca_file; /* NULL: the system's authorities */
	bool trust_anyone; /* go on whatever the certificate is; it is judged all the same
			    */
	int64_t timeout_ms; /* for all of it; at least 1 */
	int64_t max_bytes;  /* of the received body; 0: no ceiling */
	/* Bytes a second, and how long it may be less once the answer has begun: who
	 * thinks before he speaks is not slow. 0: no such rule. */
	int64_t low_speed, low_speed_s;
	int64_t send_bytes;   /* of the sent body; -1: until `send` gives 0 (chunked) */
	int64_t buffer_bytes; /* most bytes of one `body`; 0: 16 KiB */
};

HT_MUST_CHECK ht_err transfers_new(uv_loop_t *loop, struct transfers **out);

/* Drop all that is under way, with no `done`; `closed` comes from the loop when nothing
 * is left. Not from inside a callback other than `done`. */
void transfers_close(struct transfers *t, void (*closed)(void *arg), void *arg);

/* HT_NOMEM; HT_INVALID for a URL that is none of http or https. `out` may be NULL. */
HT_MUST_CHECK ht_err transfer_start(struct transfers *t, const struct transfer_request *r,
    const struct transfer_events *events, struct transfer **out);

/* End it now, without `done`; its connection is closed. Not from inside its callbacks. */
void transfer_cancel(struct transfer *x);

/* Its connection, to look at and nothing else; -1 while there is none. */
int transfer_fd(const struct transfer *x);

/* The end as a probe's status: "ok", "refused", "too-slow" … */
const char *transfer_end_name(enum transfer_end end);

#endif
