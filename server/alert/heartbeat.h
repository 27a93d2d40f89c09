/* The dead-man's switch. Outwards: somebody outside hears from us while loop, writer and
 * folds are well, and misses us otherwise (silence is the alarm: when something is wrong
 * nothing is sent). Sideways: a peer server's /readyz is asked, and when it stays silent,
 * or answers again, that becomes a server row of the journal, kind `peer`:
 * {"peer","state":"silent"|"answering","since","reason"}, from which a problem is folded
 * (derive/peer.c). On the loop. */
#ifndef HT_SERVER_ALERT_HEARTBEAT_H
#define HT_SERVER_ALERT_HEARTBEAT_H

#include <uv.h>

#include "base/err.h"
#include "server/alert/channel.h"
#include "server/store/writer.h"

struct heartbeat;

/* Borrows the loop and the writer; holds `channels`. */
HT_MUST_CHECK ht_err heartbeat_start(uv_loop_t *loop, struct writer *writer,
    const struct channels *channels, struct heartbeat **out);
/* Loop thread. */
void heartbeat_reload(struct heartbeat *h, const struct channels *channels);
/* `done` from the loop, when nothing of it is under way any more. */
void heartbeat_stop(struct heartbeat *h, void (*done)(void *arg), void *arg);

#endif
