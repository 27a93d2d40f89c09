/* The HTTP server: API, dashboard's files, metrics. It owns a small pool of threads, each
 * with a read-only connection of its own; writes go through the writer. Loopback by
 * default, TLS when told. */
#ifndef HT_SERVER_WEB_WEB_H
#define HT_SERVER_WEB_WEB_H

#include <stdint.h>

#include "base/err.h"
#include "server/web/account.h"

struct web;
struct writer;
struct sender;
struct enroll_context; /* server/registry/enroll.h */

struct web_options {
	const char *address;              /* IPv4 or IPv6 as text; NULL: 127.0.0.1 */
	uint16_t port;                    /* 0: the kernel chooses, web_port() tells */
	const char *cert_file, *key_file; /* PEM; both or neither (plain HTTP) */
	const char *db_file;              /* the store */
	const char *share_dir;            /* holds dashboard/; NULL: API only */
	const struct enroll_context
	    *enroll; /* borrowed; NULL: no enrolment, tokens or CA */
	/* Called from an API thread after an edit of the registry committed: the place to
	 * bring the broker's lists up to date and to send configurations. May be NULL. */
	void (*changed)(void *arg);
	void *changed_arg;
	const char *definition; /* index definition shown by default; NULL: the first */
	const int64_t *utc_offset_min; /* of the province's months; NULL: 420, Vietnam */
	struct writer *writer;         /* borrowed; outlives the web */
	struct sender *sender;         /* borrowed, the same; NULL: nobody is told */
	int threads;                   /* 0: 4 */
	int connections; /* 0: 512, of them at most a quarter from one address */
};

/* Ready when it returns. The fault names the place and the cure. */
HT_MUST_CHECK ht_err web_start(
    const struct web_options *options, struct web **out, struct ht_fault *fault);
void web_stop(
    struct web *web); /* ends every connection, joins the threads; accepts NULL */
uint16_t web_port(const struct web *web);

#endif
