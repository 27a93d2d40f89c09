#include "agent/monitor_child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { JOBS_MAX = 8 };

/* Answers of thousands of targets that wait while the agent's loop is busy. */
#define ICMP_RECEIVE_BYTES (4 << 20)
/* Pings that wait for a slow interface. */
#define ICMP_SEND_BYTES (1 << 20)

struct served {
	int fd;
	struct monitor_names fence;
	struct monitor_job jobs[JOBS_MAX];
	bool closed; /* the agent is gone */
};

/* Send one answer, and perhaps bytes or a descriptor. Blocks while the agent is slow to
 * read: that only slows us. */
static void send_answer(struct served *s, const struct monitor_answer *a, int pass_fd)
{
	uint8_t head[MONITOR_ANSWER_HEAD];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov[] = { { head, sizeof(head) },
		{ (void *)(uintptr_t)a->bytes, a->len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	monitor_answer_write(a, head);
	if (pass_fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
	}
	ssize_t n;
	do
		n = sendmsg(s->fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		s->closed = true;
}

static void end_ask(struct served *s, uint32_t id, ht_err err, int fd, bool raw)
{
	const struct monitor_answer a = {
		.kind = MONITOR_END, .id = id, .err = err, .raw = raw
	};

	send_answer(s, &a, fd);
	if (fd >= 0)
		close(fd);
}

/* Of opening a socket: EPERM and EACCES both mean that we may not. */
static ht_err socket_err(void)
{
	if (errno == EPERM || errno == EACCES)
		return HT_DENIED;
	return errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT ? HT_UNSUPPORTED
								 : ht_err_errno(errno);
}

static void open_icmp(struct served *s, uint32_t id, int family, int protocol)
{
	const int receive = ICMP_RECEIVE_BYTES, send = ICMP_SEND_BYTES;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	bool raw = fd < 0;

	if (raw)
		fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	/* beyond what the agent may ask for itself; used only while answers wait */
	if (fd >= 0) {
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive));
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof(send));
	}
	end_ask(s, id, fd < 0 ? socket_err() : HT_OK, fd, raw);
}

static void do_icmp4(struct served *s, const struct monitor_request *q)
{
	open_icmp(s, q->id, AF_INET, IPPROTO_ICMP);
}

static void do_icmp6(struct served *s, const struct monitor_request *q)
{
	open_icmp(s, q->id, AF_INET6, IPPROTO_ICMPV6);
}

static ht_err bind_capture(int fd, const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name) };

	if (at.sll_ifindex == 0)
		return HT_NOTFOUND;
	return bind(fd, (struct sockaddr *)&at, sizeof(at)) ? ht_err_errno(errno) : HT_OK;
}

static void do_capture(struct served *s, const struct monitor_request *q)
{
	const char *name = q->names.at[0];
	ht_err err = monitor_names_has(&s->fence, name) ? HT_OK : HT_DENIED;
	int fd = -1;

	if (!err) {
		/* protocol 0: nothing arrives from other interfaces before the bind */
		fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		err = fd < 0 ? socket_err() : bind_capture(fd, name);
	}
	if (err && fd >= 0) {
		close(fd);
		fd = -1;
	}
	end_ask(s, q->id, err, fd, true);
}

static void start_tool(struct served *s, uint32_t id, const struct monitor_tool *tool)
{
	for (size_t i = 0; i < JOBS_MAX; i++) {
		if (s->jobs[i].used)
			continue;
		s->jobs[i].id = id;
		ht_err err = monitor_tool_start(tool, &s->jobs[i]);

		if (err)
			end_ask(s, id, err, -1, false);
		return;
	}
	end_ask(s, id, HT_FULL, -1, false);
}

static void do_packet_filter(struct served *s, const struct monitor_request *q)
{
	static const char *const argv[] = { "/usr/sbin/nft", "--json", "list", "ruleset",
		NULL };

	start_tool(s, q->id, &(struct monitor_tool){ .argv = argv, .net_admin = true });
}

/* Its own lists, read only: no lock, no cache written. */
static void do_pending_updates(struct served *s, const struct monitor_request *q)
{
	static const char *const argv[] = { "/usr/bin/apt-get", "--simulate", "--quiet=2",
		"-o", "Debug::NoLocking=true", "-o", "Dir::Cache::pkgcache=", "-o",
		"Dir::Cache::srcpkgcache=", "-o",
		"APT::Get::Show-User-Simulation-Note=false",
		/* else a new kernel, which is a new package, would be "kept back" unseen
		 */
		"--with-new-pkgs", "upgrade", NULL };

	start_tool(s, q->id, &(struct monitor_tool){ .argv = argv });
}

static void do_listeners(struct served *s, const struct monitor_request *q)
{
	start_tool(s, q->id, &(struct monitor_tool){ .run = monitor_listeners });
}

/* The whole of what can be asked. */
static void (*const commands[PROBE_PRIVILEGE_COUNT])(
    struct served *s, const struct monitor_request *q) = {
	[PROBE_ICMP4_SOCKET] = do_icmp4,
	[PROBE_ICMP6_SOCKET] = do_icmp6,
	[PROBE_CAPTURE] = do_capture,
	[PROBE_PACKET_FILTER] = do_packet_filter,
	[PROBE_PENDING_UPDATES] = do_pending_updates,
	[PROBE_LISTENERS] = do_listeners,
};

/* The first fence is final. */
static void set_fence(struct served *s, const struct monitor_request *q)
{
	if (s->fence.n == 0)
		s->fence = q->names;
}

static void take_request(struct served *s)
{
	uint8_t bytes[MONITOR_REQUEST_MAX + 1];
	struct monitor_request q;
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		s->closed = true;
	if (n <= 0)
		return;
	ht_err err = monitor_request_parse(bytes, (size_t)n, &q);

	if (err == HT_UNSUPPORTED)
		end_ask(s, q.id, err, -1, false);
	else if (err)
		ht_log_warn(
		    "monitor.request", "refused=%s bytes=%zd", ht_err_name(err), n);
	else if (q.verb == MONITOR_FENCE)
		set_fence(s, &q);
	else
		commands[q.what](s, &q);
}

/* Pass on what a tool wrote; at its end wait for the process. */
static void pass_output(struct served *s, struct monitor_job *j)
{
	uint8_t bytes[MONITOR_MESSAGE_MAX - MONITOR_ANSWER_HEAD];
	ssize_t n = read(j->out_fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(j->out_fd);
		j->out_fd = -1;
		return;
	}
	j->sent += (size_t)n;
	if (j->sent > MONITOR_BYTES_MAX) {
		monitor_tool_kill(j, HT_TOOLARGE);
		return;
	}
	send_answer(s,
	    &(struct monitor_answer){
		.kind = MONITOR_DATA, .id = j->id, .bytes = bytes, .len = (size_t)n },
	    -1);
}

static int poll_timeout_ms(const struct served *s)
{
	int64_t first = INT64_MAX, now = ht_mono_ns();

	for (size_t i = 0; i < JOBS_MAX; i++) {
		if (s->jobs[i].used && !s->jobs[i].err && s->jobs[i].deadline_ns < first)
			first = s->jobs[i].deadline_ns;
	}
	if (first == INT64_MAX)
		return -1;
	return first <= now ? 0 : (int)((first - now) / HT_NS_PER_MS + 1);
}

static void turn(struct served *s)
{
	struct pollfd p[1 + JOBS_MAX] = { { .fd = s->fd, .events = POLLIN } };

	for (size_t i = 0; i < JOBS_MAX; i++) {
		const struct monitor_job *j = &s->jobs[i];

		p[1 + i].fd = !j->used ? -1 : j->out_fd >= 0 ? j->out_fd : j->pid_fd;
		p[1 + i].events = POLLIN;
	}
	if (poll(p, HT_COUNT(p), poll_timeout_ms(s)) < 0)
		return;
	int64_t now = ht_mono_ns();

	for (size_t i = 0; i < JOBS_MAX; i++) {
		struct monitor_job *j = &s->jobs[i];

		if (j->used && p[1 + i].revents && j->out_fd >= 0)
			pass_output(s, j);
		else if (j->used && p[1 + i].revents)
			end_ask(s, j->id, monitor_tool_end(j), -1, false);
		else if (j->used && !j->err && j->deadline_ns <= now)
			monitor_tool_kill(j, HT_TIMEOUT);
	}
	if (p[0].revents)
		take_request(s);
}

void monitor_serve(int fd, const struct monitor_names *fence)
{
	struct served s = { .fd = fd, .fence = *fence };

	while (!s.closed)
		turn(&s);
	for (size_t i = 0; i < JOBS_MAX; i++) {
		if (s.jobs[i].used) {
			monitor_tool_kill(&s.jobs[i], HT_CLOSED);
			(void)monitor_tool_end(&s.jobs[i]);
		}
	}
}

/* CAP_DAC_READ_SEARCH opens files by handle and CAP_SYS_PTRACE other processes; both are
 * kept to read /proc only. */
static const int refused_calls[] = {
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(name_to_handle_at),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(mount),
	SCMP_SYS(umount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(settimeofday),
	SCMP_SYS(stime),
	SCMP_SYS(clock_settime),
	SCMP_SYS(clock_settime64), /* the 64-bit time of 32-bit machines */
	SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(clock_adjtime64),
	SCMP_SYS(connect),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
};

ht_err monitor_seccomp(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int bad = !ctx;

	for (size_t i = 0; !bad && i < HT_COUNT(refused_calls); i++)
		bad = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), refused_calls[i], 0);
	bad = bad || seccomp_load(ctx);
	seccomp_release(ctx);
	return bad ? HT_UNSUPPORTED : HT_OK;
}
