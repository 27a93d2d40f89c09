/* Where agents ask for slots (mqtt/PROTOCOL.md, section 6): reads what the registry and
 * the facts say of the link, has slots_judge decide, keeps the slot as a row of
 * `throughput_slot`, gives the endpoint a pass, answers. The decision and its row are one
 * transaction of the writer, so two questions at once cannot both be granted. Lives on
 * the loop. */
#ifndef HT_SERVER_THROUGHPUT_DESK_H
#define HT_SERVER_THROUGHPUT_DESK_H

#include <uv.h>

#include "base/err.h"
#include "server/store/writer.h"
#include "server/throughput/endpoint.h"
#include "server/throughput/slots.h"

struct desk;

/* As ingest's (server/ingest/ingest.h). */
typedef void (*desk_reply_fn)(void *arg, ht_err err, const char *json, size_t len);

struct desk_config {
	struct slots_rules rules;  /* what it points to lives as long as this */
	struct endpoint *endpoint; /* NULL: there is none; borrowed */
	const char *url;           /* of the endpoint, as agents reach it; borrowed */
	ht_err (*command)(void *arg, const char *agent, const char *json,
	    int64_t timeout_ns, desk_reply_fn reply, void *reply_arg);
	void *arg;
};

HT_MUST_CHECK ht_err desk_start(uv_loop_t *loop, struct writer *writer,
    const struct desk_config *config, struct desk **out);

/* What an agent said on `reply` unasked. False: it was no question of this desk. */
bool desk_request(struct desk *d, const char *agent, const void *json, size_t len);

/* When every question has been answered or given up: then `done` from the loop, after
 * which it is freed. Before writer_stop(), after ingest has stopped. */
void desk_stop(struct desk *d, void (*done)(void *arg), void *arg);

#endif
