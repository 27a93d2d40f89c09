#include "agent/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/kernel.h"
#include "agent/monitor_child.h"
#include "agent/monitor_wire.h"
#include "agent/rights.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

/* A little longer than the monitor gives its tools. */
#define ANSWER_TIMEOUT_NS (MONITOR_TOOL_TIMEOUT_NS + 10 * HT_NS_PER_S)

struct ask {
	uint32_t id; /* 0: free */
	enum probe_privilege what;
	int64_t deadline_ns;
	struct ht_buf bytes;
	void (*answer)(void *arg, const struct probe_grant *grant);
	void *arg;
};

struct monitor {
	int fd;
	pid_t pid;
	uint32_t last_id;
	struct monitor_names fence;
	struct ask asks[MONITOR_ASKS_MAX];
	uv_loop_t *loop; /* NULL: not attached */
	uv_poll_t poll;
	uv_timer_t timer;
	int handles; /* of libuv, still to be closed */
	bool dead, stopping;
	void (*died)(void *arg);
	void *died_arg;
};

/* ---- the privileged side, from fork to end ---- */

static const cap_value_t kept_rights[] = {
	CAP_NET_RAW,         /* captures, raw ICMP */
	CAP_NET_ADMIN,       /* nft list ruleset */
	CAP_DAC_READ_SEARCH, /* descriptors of all processes */
	CAP_SYS_PTRACE,      /* the same: see proc(5) */
};

static _Noreturn void be_monitor(int fd, pid_t parent,
    const struct monitor_config *config, const struct monitor_names *fence)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2,
		SIGPIPE };
	struct ht_fault fault = { 0 };

	for (size_t i = 0; i < HT_COUNT(ignored); i++)
		(void)signal(ignored[i], SIG_IGN); /* the agent's end is ours */
	(void)prctl(PR_SET_NAME, "hatang-monitor", 0, 0, 0);
	int null_fd = open("/dev/null", O_RDWR);

	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0)
		_exit(HT_EXIT_FAILURE);
	if (dup3(fd, 3, O_CLOEXEC) != 3 && fd != 3)
		_exit(HT_EXIT_FAILURE);
	kernel_close_from(4);
	if (rights_drop(config->user, kept_rights, HT_COUNT(kept_rights), &fault)) {
		ht_log_error("monitor.rights", "%s", fault.text);
		_exit(HT_EXIT_FAILURE);
	}
	/* after the change of user, which clears it */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(HT_EXIT_FAILURE);
	if (monitor_seccomp())
		ht_log_warn("monitor.seccomp", "state=unavailable");
	monitor_serve(3, fence);
	_exit(HT_EXIT_OK);
}

/* ---- the agent's side ---- */

static ht_err fence_from(
    const char *const *interfaces, size_t n, struct monitor_names *out)
{
	struct monitor_names names = { 0 };

	for (size_t i = 0; i < n; i++) {
		ht_err err = monitor_names_put(&names, interfaces[i]);

		if (err)
			return err;
	}
	*out = names;
	return HT_OK;
}

ht_err monitor_start(
    const struct monitor_config *config, struct monitor **out, struct ht_fault *fault)
{
	struct monitor *m = calloc(1, sizeof(*m));
	pid_t parent = getpid();
	int pair[2];

	if (!m)
		return ht_fault_set(fault, HT_NOMEM, "out of memory");
	if (fence_from(config->interfaces, config->n_interfaces, &m->fence)) {
		free(m);
		return ht_fault_set(fault, HT_CONFIG,
		    "site.interfaces: at most %d names of interfaces, such as eth0",
		    MONITOR_INTERFACES_MAX);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		free(m);
		return ht_fault_set(fault, HT_IO, "cannot make the monitor's socket: %s",
		    strerror(errno));
	}
	m->pid = fork();
	if (m->pid == 0)
		be_monitor(pair[1], parent, config, &m->fence);
	close(pair[1]);
	m->fd = pair[0];
	if (m->pid < 0 || fcntl(m->fd, F_SETFL, O_NONBLOCK)) {
		ht_err err = ht_fault_set(
		    fault, HT_IO, "cannot start the monitor: %s", strerror(errno));

		monitor_stop(m);
		return err;
	}
	*out = m;
	return HT_OK;
}

static void rearm(struct monitor *m);

static void answer(struct ask *a, const struct probe_grant *grant)
{
	struct ask taken = *a; /* its slot is free before anyone is called */

	*a = (struct ask){ 0 };
	taken.answer(taken.arg, grant);
	ht_buf_fini(&taken.bytes);
}

static void answer_err(struct ask *a, ht_err err)
{
	answer(a, &(struct probe_grant){ .err = err, .fd = -1 });
}

static void handle_closed(uv_handle_t *h)
{
	struct monitor *m = h->data;

	if (--m->handles == 0 && m->stopping) {
		if (m->fd >= 0)
			close(m->fd);
		free(m);
	}
}

/* Ended, by us or by itself; leaves no zombie. */
static void reap(struct monitor *m)
{
	if (m->pid <= 0)
		return;
	(void)kill(m->pid, SIGKILL);
	while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
		;
	m->pid = 0;
}

static void monitor_dead(struct monitor *m)
{
	if (m->dead)
		return;
	m->dead = true;
	uv_poll_stop(&m->poll);
	uv_timer_stop(&m->timer);
	reap(m);
	for (size_t i = 0; i < MONITOR_ASKS_MAX && !m->stopping; i++) {
		if (m->asks[i].id)
			answer_err(&m->asks[i], HT_CLOSED);
	}
	if (m->died && !m->stopping)
		m->died(m->died_arg);
}

static struct ask *find_ask(struct monitor *m, uint32_t id)
{
	for (size_t i = 0; id && i < MONITOR_ASKS_MAX; i++) {
		if (m->asks[i].id == id)
			return &m->asks[i];
	}
	return NULL;
}

static bool by_descriptor(enum probe_privilege what)
{
	return what == PROBE_ICMP4_SOCKET || what == PROBE_ICMP6_SOCKET ||
	       what == PROBE_CAPTURE;
}

/* The end of an ask. Takes fd if the grant passes it on; returns whether it did. */
static bool finish(struct ask *a, const struct monitor_answer *in, int fd)
{
	struct probe_grant g = { .err = in->err, .fd = -1, .raw = in->raw };

	if (!g.err && by_descriptor(a->what)) {
		g.fd = fd;
		g.err = fd < 0 ? HT_IO : HT_OK;
	} else if (!g.err) {
		g.err = ht_buf_err(&a->bytes);
		g.bytes = g.err ? NULL : ht_buf_text(&a->bytes);
		g.len = g.err ? 0 : a->bytes.len;
	}
	answer(a, &g);
	return g.fd >= 0;
}

static void take_answer(struct monitor *m, const uint8_t *bytes, size_t len, int fd)
{
	struct monitor_answer in;
	ht_err err = monitor_answer_parse(bytes, len, &in);
	struct ask *a = err ? NULL : find_ask(m, in.id);

	if (a && in.kind == MONITOR_DATA)
		ht_buf_put(&a->bytes, in.bytes, in.len);
	else if (a && finish(a, &in, fd))
		return;
	if (fd >= 0)
		close(fd); /* of an ask that was forgotten */
}

static int passed_fd(struct msghdr *msg)
{
	int fd = -1;
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct monitor *m = poll->data;
	uint8_t bytes[MONITOR_MESSAGE_MAX];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n =
	    status < 0 ? 0 : recvmsg(m->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		monitor_dead(m);
		return;
	}
	take_answer(m, bytes, (size_t)n, passed_fd(&msg));
	if (!m->stopping && !m->dead)
		rearm(m);
}

static void on_timer(uv_timer_t *timer)
{
	struct monitor *m = timer->data;
	int64_t now = ht_mono_ns();

	for (size_t i = 0; i < MONITOR_ASKS_MAX; i++) {
		if (m->asks[i].id && m->asks[i].deadline_ns <= now)
			answer_err(&m->asks[i], HT_TIMEOUT);
	}
	if (!m->stopping && !m->dead)
		rearm(m);
}

/* The one timer stands at the earliest deadline. */
static void rearm(struct monitor *m)
{
	int64_t first = INT64_MAX, now = ht_mono_ns();

	for (size_t i = 0; i < MONITOR_ASKS_MAX; i++) {
		if (m->asks[i].id && m->asks[i].deadline_ns < first)
			first = m->asks[i].deadline_ns;
	}
	if (first == INT64_MAX)
		uv_timer_stop(&m->timer);
	else
		uv_timer_start(&m->timer, on_timer,
		    first > now ? (uint64_t)((first - now) / HT_NS_PER_MS + 1) : 0, 0);
}

ht_err monitor_attach(
    struct monitor *m, uv_loop_t *loop, void (*died)(void *arg), void *arg)
{
	int rc = uv_poll_init(loop, &m->poll, m->fd);

	if (rc)
		return ht_err_errno(-rc);
	uv_timer_init(loop, &m->timer);
	m->handles = 2;
	m->loop = loop;
	m->poll.data = m->timer.data = m;
	m->died = died;
	m->died_arg = arg;
	rc = uv_poll_start(&m->poll, UV_READABLE | UV_DISCONNECT, on_readable);
	/* alone it keeps no loop alive: only an open ask does, by the timer */
	uv_unref((uv_handle_t *)&m->poll);
	return rc ? ht_err_errno(-rc) : HT_OK;
}

static ht_err send_request(struct monitor *m, const struct monitor_request *q)
{
	uint8_t bytes[MONITOR_REQUEST_MAX];
	size_t len = monitor_request_write(q, bytes);

	if (send(m->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len)
		return HT_OK;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return HT_FULL;
	return errno == EPIPE || errno == ECONNRESET ? HT_CLOSED : HT_IO;
}

static struct ask *free_ask(struct monitor *m)
{
	for (size_t i = 0; i < MONITOR_ASKS_MAX; i++) {
		if (!m->asks[i].id)
			return &m->asks[i];
	}
	return NULL;
}

ht_err monitor_ask(struct monitor *m, enum probe_privilege what, const char *name,
    void (*callback)(void *arg, const struct probe_grant *grant), void *arg)
{
	struct monitor_request q = { .verb = MONITOR_ASK, .what = what };
	struct ask *a = free_ask(m);

	if (m->dead || m->stopping)
		return HT_CLOSED;
	if (!m->loop || what >= PROBE_PRIVILEGE_COUNT ||
	    (name != NULL) != (what == PROBE_CAPTURE))
		return HT_INVALID;
	if (!a)
		return HT_FULL;
	ht_err err = name ? monitor_names_put(&q.names, name) : HT_OK;

	if (err)
		return err;
	if (++m->last_id == 0)
		m->last_id = 1;
	q.id = m->last_id;
	err = send_request(m, &q);
	if (err)
		return err;
	*a = (struct ask){ .id = q.id,
		.what = what,
		.answer = callback,
		.arg = arg,
		.deadline_ns = ht_mono_ns() + ANSWER_TIMEOUT_NS };
	ht_buf_init(&a->bytes, MONITOR_BYTES_MAX);
	rearm(m);
	return HT_OK;
}

void monitor_forget(struct monitor *m, void *arg)
{
	for (size_t i = 0; i < MONITOR_ASKS_MAX; i++) {
		if (m->asks[i].id && m->asks[i].arg == arg) {
			ht_buf_fini(&m->asks[i].bytes);
			m->asks[i] = (struct ask){ 0 };
		}
	}
	if (m->loop && !m->stopping && !m->dead)
		rearm(m);
}

ht_err monitor_fence(struct monitor *m, const char *const *interfaces, size_t n)
{
	struct monitor_request q = { .verb = MONITOR_FENCE };
	ht_err err = fence_from(interfaces, n, &q.names);

	if (err)
		return err;
	if (m->dead || m->stopping)
		return HT_CLOSED;
	if (m->fence.n == 0 && q.names.n) {
		err = send_request(m, &q);
		if (!err)
			m->fence = q.names;
		return err;
	}
	for (size_t i = 0; i < q.names.n; i++) {
		if (!monitor_names_has(&m->fence, q.names.at[i]))
			return HT_DENIED;
	}
	return HT_OK;
}

pid_t monitor_pid(const struct monitor *m)
{
	return m->pid;
}

void monitor_stop(struct monitor *m)
{
	if (!m)
		return;
	m->stopping = true;
	for (size_t i = 0; i < MONITOR_ASKS_MAX; i++)
		ht_buf_fini(&m->asks[i].bytes);
	memset(m->asks, 0, sizeof(m->asks));
	reap(m);
	if (!m->loop) {
		if (m->fd >= 0)
			close(m->fd);
		free(m);
		return;
	}
	uv_close((uv_handle_t *)&m->poll, handle_closed);
	uv_close((uv_handle_t *)&m->timer, handle_closed);
}
