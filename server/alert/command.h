/* One run of a channel's program: no shell, its message as JSON on standard input, a
 * clean environment (PATH, LANG, HATANG_KEY, HATANG_INCIDENT, HATANG_KIND), its own
 * process group, killed as a whole at the timeout. Exit code 0 means taken; what it
 * writes to standard error is the reason otherwise (512 bytes of it). On the loop. */
#ifndef HT_SERVER_ALERT_COMMAND_H
#define HT_SERVER_ALERT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/option.h"

struct command_run;

struct command_request {
	const struct ht_strings *argv; /* at[n] is NULL */
	const char *key, *incident, *kind;
	const void *body; /* copied */
	size_t len;
	int64_t timeout_ms;
};

typedef void (*command_done)(void *arg, bool ok, const char *error);

/* `done` is called once, from the loop, unless command_cancel comes first. On failure
 * never; the fault says why. */
HT_MUST_CHECK ht_err command_start(uv_loop_t *loop, const struct command_request *r,
    command_done done, void *arg, struct command_run **out, struct ht_fault *fault);
/* Kill it; nothing is called back. It frees itself when its handles are closed. */
void command_cancel(struct command_run *c);

#endif
