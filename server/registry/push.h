/* Sends each agent its list of targets (registry/targets.h) over `cmd`, page by page
 * (mqtt/PROTOCOL.md, section 6). It compares instead of remembering orders: what an agent
 * says in presence that it runs against what the registry makes, so that whatever is lost
 * on the way heals. Edits are gathered: lists are made anew only when the registry has
 * stood still for half a second (or ten have passed), in a thread of libuv's pool, on a
 * read-only connection. What an agent refuses is written to `agent_targets` and asked
 * again after ten minutes, or when it has started anew. Lives on the loop. */
#ifndef HT_SERVER_REGISTRY_PUSH_H
#define HT_SERVER_REGISTRY_PUSH_H

#include <uv.h>

#include "base/err.h"
#include "server/registry/targets.h"
#include "server/store/writer.h"

struct push;

/* As ingest's (server/ingest/ingest.h). */
typedef void (*push_reply_fn)(void *arg, ht_err err, const char *json, size_t len);

struct push_config {
	const char *db_file;
	struct targets_places places; /* what it points to lives as long as this */
	ht_err (*command)(void *arg, const char *agent, const char *json,
	    int64_t timeout_ns, push_reply_fn reply, void *reply_arg);
	void *arg;
};

HT_MUST_CHECK ht_err push_start(uv_loop_t *loop, struct writer *writer,
    const struct push_config *config, struct push **out, struct ht_fault *fault);

/* When every command has been answered or given up: then `done` from the loop, after
 * which it is freed. Before writer_stop(). */
void push_stop(struct push *p, void (*done)(void *arg), void *arg);

#endif
