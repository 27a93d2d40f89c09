/* What the handlers share of a running web. */
#ifndef HT_SERVER_WEB_CONTEXT_H
#define HT_SERVER_WEB_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/web/events.h"
#include "server/web/files.h"
#include "server/web/throttle.h"
#include "server/web/web.h"

struct web_counters {
	atomic_uint_fast64_t
	    by_class[6]; /* replies 1xx … 5xx; [0]: refused before a route */
	atomic_uint_fast64_t busy_us;
};

struct web_context {
	struct web_options options; /* its texts are owned here */
	struct files *files;        /* NULL without share_dir */
	struct events *events;
	struct web_counters counters;
	pthread_mutex_t throttle_lock;
	struct throttle throttle;
	int64_t started_ms;
	bool tls;
};

struct web_context *web_context(struct web *web);

#endif
