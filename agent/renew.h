/* The agent's certificate before it ends: from two thirds of its life on, the agent asks
 * the server for the next one over its own authenticated connection (mqtt/PROTOCOL.md,
 * section 6), once an hour until it comes. The key stays the same and stays here, so that
 * one rename puts the new certificate into force. */
#ifndef HT_AGENT_RENEW_H
#define HT_AGENT_RENEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct agent;
struct control_cmd;

/* Once a second, from the loop. Reads three small files when it is time to look. */
void renew_tick(struct agent *a, int64_t now_ns);

/* A certificate came: judge it, put it into force and connect with it soon. On error the
 * old one stays: HT_MALFORMED, HT_DENIED (not for this key, this agent, or not of our
 * CA), HT_IO and others of ht_file_write. */
HT_MUST_CHECK ht_err renew_take(
    struct agent *a, const struct control_cmd *c, struct ht_fault *fault);

/* Is it time? Between `from` and `to` (Unix seconds) two thirds have passed. */
bool renew_due(int64_t from_s, int64_t to_s, int64_t now_s);

#endif
