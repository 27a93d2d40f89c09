/* The sender: takes due rows of the outbox, renders them, and has them leave by their
 * channels, on the loop. It is woken by the commit of outbox rows (db_watch), by what
 * ended, and by the time of the next row; it polls nothing. Each channel has its own
 * ceiling of messages at the same time and a minute, so a slow one delays no other. What
 * fails is tried again, with the same key (outbox.h has the times), until its patience
 * ends. A kill at any moment loses none: rows are pending until they are marked. */
#ifndef HT_SERVER_ALERT_SENDER_H
#define HT_SERVER_ALERT_SENDER_H

#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "server/alert/channel.h"
#include "server/store/writer.h"

struct sender;

struct sender_config {
	uv_loop_t *loop;
	struct writer *writer; /* borrowed; outlives the sender */
	/* Publish over the server's own MQTT connection: HT_AGAIN while offline. `taken`
	 * is called once, later, when the broker has it or the connection ended. */
	ht_err (*publish)(void *arg, const char *topic, const void *payload, size_t len,
	    void (*taken)(void *arg, ht_err err), void *taken_arg);
	void *publish_arg;
};

/* Holds `channels`. Begins at once. */
HT_MUST_CHECK ht_err sender_start(const struct sender_config *config,
    const struct channels *channels, struct sender **out);
/* Other channels from now on; what is on the way ends by the old ones. What failed before
 * is tried again at once. Loop thread. */
void sender_reload(struct sender *s, const struct channels *channels);
/* Drop what is on the way (it stays pending), then `done` from the loop, after which the
 * sender is freed. The writer must live until then. */
void sender_stop(struct sender *s, void (*done)(void *arg), void *arg);

/* The channels in force, held: release them. Any thread, until sender_stop. */
const struct channels *sender_channels(struct sender *s);

#endif
