/* The privileged monitor: a small process that does the few things the agent has no
 * right to do itself (enum probe_privilege is the whole list). It is forked before the
 * agent drops its rights and before any thread or library starts; the two speak over a
 * socket pair. Order of a start-up:
 *
 *     monitor_start()      reads nothing, forks; single-threaded, no loop yet
 *     rights_drop()        agent/rights.h: the agent itself gives up root for good
 *     uv_loop_init(), monitor_attach()
 *     … monitor_ask() any number of times …
 *     monitor_stop()       before the loop is closed; then uv_run until it is idle
 *
 * The monitor itself is not root either: it becomes the same user, keeps only
 * CAP_NET_RAW, CAP_NET_ADMIN, CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE (names of processes
 * behind sockets), and runs its tools (nft, apt-get) with less. Without root, or in a
 * user namespace, it keeps what it has: a command then works as far as it can, or its
 * grant says HT_DENIED.
 *
 * Its fence: captures open only on interfaces of the list given at the fork. When that
 * list was empty (a machine that no one has configured yet), the first list told by
 * monitor_fence is final. A later configuration with other interfaces needs a restart
 * of the agent: monitor_fence then says HT_DENIED. */
#ifndef HT_AGENT_MONITOR_H
#define HT_AGENT_MONITOR_H

#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#include "base/err.h"
#include "probes/probe.h"

struct monitor;

#define MONITOR_INTERFACES_MAX 32        /* in the fence */
#define MONITOR_ASKS_MAX       32        /* unanswered at a time */
#define MONITOR_BYTES_MAX      (4 << 20) /* in one answer */

struct monitor_config {
	const char *user;              /* as for rights_drop */
	const char *const *interfaces; /* site.interfaces; borrowed until return */
	size_t n_interfaces;
};

/* Fork the monitor. errors: HT_CONFIG (a name in `interfaces` is none), HT_IO. */
HT_MUST_CHECK ht_err monitor_start(
    const struct monitor_config *config, struct monitor **out, struct ht_fault *fault);

/* Begin to listen on the loop. `died` (may be NULL) is called once, from the loop, when
 * the monitor is gone: every open ask has been answered with HT_CLOSED by then, and
 * later ones are refused so. Rights are gone: only a restart of the agent helps. */
HT_MUST_CHECK ht_err monitor_attach(
    struct monitor *m, uv_loop_t *loop, void (*died)(void *arg), void *arg);

/* The host's ask: see struct probe_host. `name` is the interface of PROBE_CAPTURE, else
 * NULL. The answer comes later, from the loop, exactly once, and within 70 s.
 *   errors  HT_FULL, HT_CLOSED (the monitor is gone), HT_INVALID; then no answer comes */
HT_MUST_CHECK ht_err monitor_ask(struct monitor *m, enum probe_privilege what,
    const char *name, void (*answer)(void *arg, const struct probe_grant *grant),
    void *arg);

/* No open ask with this `arg` is answered any more. May be called from an answer. */
void monitor_forget(struct monitor *m, void *arg);

/* Tell the fence, see above. The same list again is HT_OK.
 *   errors  HT_DENIED (another list is in force), HT_INVALID, HT_FULL, HT_CLOSED, HT_IO
 */
HT_MUST_CHECK ht_err monitor_fence(
    struct monitor *m, const char *const *interfaces, size_t n);

/* The process, for memory accounting and tests. */
pid_t monitor_pid(const struct monitor *m);

/* End the process and free `m` (NULL is fine): at once if it was never attached, else
 * once the loop has closed its handles. Open asks are forgotten. */
void monitor_stop(struct monitor *m);

#endif
