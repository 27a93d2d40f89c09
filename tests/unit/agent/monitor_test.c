/* The monitor as a real process. Without root the whole test moves into a user and
 * network namespace of its own, where it may do what the monitor does. */
#include "unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/monitor.h"
#include "agent/monitor_child.h"
#include "agent/rights.h"
#include "base/clock.h"

struct got {
	size_t answers;
	ht_err err;
	int domain; /* of the descriptor's socket */
	char *bytes;
	bool died;
	uv_loop_t loop;
	struct monitor *m;
};

static bool was_root;

static void on_answer(void *arg, const struct probe_grant *g)
{
	struct got *got = arg;
	socklen_t len = sizeof(got->domain);

	got->answers++;
	got->err = g->err;
	free(got->bytes);
	got->bytes = g->bytes ? strndup(g->bytes, g->len) : NULL;
	if (g->fd >= 0) {
		assert_int_equal(
		    getsockopt(g->fd, SOL_SOCKET, SO_DOMAIN, &got->domain, &len), 0);
		close(g->fd);
	}
}

static void on_died(void *arg)
{
	((struct got *)arg)->died = true;
}

static struct got *begin(const char *user, const char *interface)
{
	struct got *got = calloc(1, sizeof(*got));
	struct ht_fault fault = { 0 };
	struct monitor_config c = {
		.user = user, .interfaces = &interface, .n_interfaces = interface != NULL
	};

	assert_non_null(got);
	assert_ok(monitor_start(&c, &got->m, &fault));
	assert_int_equal(uv_loop_init(&got->loop), 0);
	assert_ok(monitor_attach(got->m, &got->loop, on_died, got));
	return got;
}

static void end(struct got *got)
{
	monitor_stop(got->m);
	uv_run(&got->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&got->loop), 0);
	free(got->bytes);
	free(got);
}

/* Ask and wait: an open ask keeps the loop alive. */
static ht_err ask(struct got *got, enum probe_privilege what, const char *name)
{
	size_t before = got->answers;

	got->domain = 0;
	assert_ok(monitor_ask(got->m, what, name, on_answer, got));
	assert_int_equal(got->answers, before); /* never from inside the ask */
	uv_run(&got->loop, UV_RUN_DEFAULT);
	assert_int_equal(got->answers, before + 1);
	return got->err;
}

static void test_only_listed_interfaces_open(void **state)
{
	struct got *got = begin(NULL, "lo");

	assert_int_equal(ask(got, PROBE_CAPTURE, "eth0"), HT_DENIED);
	assert_int_equal(ask(got, PROBE_CAPTURE, "no-such-if"), HT_DENIED);
	assert_ok(ask(got, PROBE_CAPTURE, "lo"));
	assert_int_equal(got->domain, AF_PACKET);
	end(got);
	got = begin(NULL, "no-such-if");
	assert_int_equal(ask(got, PROBE_CAPTURE, "no-such-if"), HT_NOTFOUND);
	end(got);
}

static void test_first_fence_is_final(void **state)
{
	const char *lo = "lo", *eth = "eth0", *bad = "../x";
	struct got *got = begin(NULL, NULL);

	assert_int_equal(ask(got, PROBE_CAPTURE, "lo"), HT_DENIED);
	assert_int_equal(monitor_fence(got->m, &bad, 1), HT_INVALID);
	assert_ok(monitor_fence(got->m, &lo, 1));
	assert_ok(monitor_fence(got->m, &lo, 1));
	assert_int_equal(monitor_fence(got->m, &eth, 1), HT_DENIED);
	assert_ok(ask(got, PROBE_CAPTURE, "lo"));
	assert_int_equal(ask(got, PROBE_CAPTURE, "eth0"), HT_DENIED);
	end(got);
}

static void test_bad_asks_are_refused_at_once(void **state)
{
	struct got *got = begin(NULL, "lo");

	assert_int_equal(
	    monitor_ask(got->m, PROBE_CAPTURE, NULL, on_answer, got), HT_INVALID);
	assert_int_equal(
	    monitor_ask(got->m, PROBE_CAPTURE, "a b", on_answer, got), HT_INVALID);
	assert_int_equal(
	    monitor_ask(got->m, PROBE_LISTENERS, "lo", on_answer, got), HT_INVALID);
	for (size_t i = 0; i < MONITOR_ASKS_MAX; i++)
		assert_ok(monitor_ask(got->m, PROBE_ICMP4_SOCKET, NULL, on_answer, got));
	assert_int_equal(
	    monitor_ask(got->m, PROBE_ICMP4_SOCKET, NULL, on_answer, got), HT_FULL);
	uv_run(&got->loop, UV_RUN_DEFAULT);
	assert_int_equal(got->answers, MONITOR_ASKS_MAX);
	end(got);
}

static void test_forgotten_asks_stay_silent(void **state)
{
	struct got *got = begin(NULL, "lo");
	int other;

	assert_ok(monitor_ask(got->m, PROBE_CAPTURE, "lo", on_answer, &other));
	monitor_forget(got->m, &other);
	assert_ok(ask(got, PROBE_ICMP4_SOCKET, NULL)); /* reads the late answer first */
	assert_int_equal(got->answers, 1);
	assert_int_equal(got->domain, AF_INET);
	end(got);
}

/* The port of a listener of this process is in the text, with our pid and name. */
static void test_listeners_name_their_owner(void **state)
{
	struct got *got = begin(NULL, NULL);
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char want[128], comm[17] = "";

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	prctl(PR_GET_NAME, comm);
	snprintf(want, sizeof(want), "tcp 127.0.0.1 %d %u %d %s\n", ntohs(at.sin_port),
	    (unsigned)getuid(), (int)getpid(), comm);
	assert_ok(ask(got, PROBE_LISTENERS, NULL));
	if (!strstr(got->bytes, want))
		print_error("no \"%s\" in:\n%s", want, got->bytes);
	assert_non_null(strstr(got->bytes, want));
	close(fd);
	end(got);
}

static void test_packet_filter_is_json(void **state)
{
	struct got *got = begin(NULL, NULL);
	ht_err err = ask(got, PROBE_PACKET_FILTER, NULL);

	if (err == HT_UNSUPPORTED)
		print_message("nft is not installed: not tested\n");
	else if (err == HT_DENIED || err == HT_IO)
		print_message(
		    "the kernel lets no one list rules here: %s\n", ht_err_name(err));
	else
		assert_non_null(strstr(got->bytes, "\"nftables\""));
	end(got);
}

static void test_death_is_noticed(void **state)
{
	struct got *got = begin(NULL, "lo");

	/* stopped, so that the ask is open when it dies */
	kill(monitor_pid(got->m), SIGSTOP);
	assert_ok(monitor_ask(got->m, PROBE_ICMP4_SOCKET, NULL, on_answer, got));
	kill(monitor_pid(got->m), SIGKILL);
	uv_run(&got->loop, UV_RUN_DEFAULT);
	assert_int_equal(got->answers, 1);
	assert_int_equal(got->err, HT_CLOSED);
	assert_true(got->died);
	assert_int_equal(
	    monitor_ask(got->m, PROBE_ICMP4_SOCKET, NULL, on_answer, got), HT_CLOSED);
	end(got);
}

/* Reap `pid` (its parent is gone, so it is ours) before 5 s are over. */
static bool gone(pid_t pid)
{
	int64_t until = ht_mono_ns() + 5 * HT_NS_PER_S;
	const struct timespec nap = { .tv_nsec = 5000000 };

	while (ht_mono_ns() < until) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

static void test_dies_with_the_agent(void **state)
{
	int told[2];
	pid_t pid = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	assert_int_equal(pipe(told), 0);
	pid_t agent = fork();
	if (agent == 0) {
		struct monitor *m = NULL;
		struct monitor_config c = { 0 };

		if (monitor_start(&c, &m, NULL))
			_exit(1);
		pid = monitor_pid(m);
		if (write(told[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(told[0], &pid, sizeof(pid)), sizeof(pid));
	kill(agent, SIGKILL);
	waitpid(agent, NULL, 0);
	assert_true(gone(pid));
	close(told[0]);
	close(told[1]);
}

/* A server of its own on a socket pair, for bytes that monitor.c would never send. */
static pid_t serve(int *out_fd)
{
	const struct monitor_names fence = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		freopen("/dev/null", "w", stderr);
		monitor_serve(pair[1], &fence);
		_exit(0);
	}
	close(pair[1]);
	*out_fd = pair[0];
	return pid;
}

static void expect_end(int fd, uint32_t id, ht_err err)
{
	uint8_t bytes[MONITOR_MESSAGE_MAX];
	struct monitor_answer a = { 0 };
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	assert_true(n > 0);
	assert_ok(monitor_answer_parse(bytes, (size_t)n, &a));
	assert_int_equal(a.kind, MONITOR_END);
	assert_int_equal(a.id, id);
	assert_int_equal(a.err, err);
}

static void test_survives_garbage(void **state)
{
	uint8_t bytes[4096];
	struct monitor_request q = {
		.verb = MONITOR_ASK, .what = PROBE_ICMP4_SOCKET, .id = 42
	};
	unsigned seed = 1;
	int fd, status;
	pid_t pid = serve(&fd);

	for (size_t i = 0; i < 2000; i++) {
		size_t len = 1 + (size_t)rand_r(&seed) % (i % 2 ? sizeof(bytes) : 24);

		for (size_t j = 0; j < len; j++)
			bytes[j] = (uint8_t)rand_r(&seed);
		assert_int_equal(send(fd, bytes, len, 0), len);
	}
	/* an unknown command says so; a known one is still answered */
	size_t len = monitor_request_write(&q, bytes);
	bytes[3] = 0xee;
	assert_int_equal(send(fd, bytes, len, 0), len);
	expect_end(fd, 42, HT_UNSUPPORTED);
	bytes[3] = PROBE_ICMP4_SOCKET;
	assert_int_equal(send(fd, bytes, len, 0), len);
	expect_end(fd, 42, HT_OK);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* nft replaced, in a mount namespace, by a program that never ends. */
static void hang_nft(void)
{
	static const char *const script = "/tmp/hatang-hanging-nft";
	int fd = open(script, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || dprintf(fd, "#!/bin/sh\necho begun\nexec sleep 1000\n") < 0)
		_exit(77);
	close(fd);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(script, "/usr/sbin/nft", NULL, MS_BIND, NULL))
		_exit(77);
	unlink(script);
}

static void test_a_hanging_tool_blocks_no_one(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		hang_nft();
		struct got *got = begin(NULL, NULL);
		int hanging;

		assert_ok(
		    monitor_ask(got->m, PROBE_PACKET_FILTER, NULL, on_answer, &hanging));
		assert_ok(monitor_ask(got->m, PROBE_ICMP4_SOCKET, NULL, on_answer, got));
		while (!got->answers)
			uv_run(&got->loop, UV_RUN_ONCE);
		_exit(got->err == HT_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("no mount namespace here, or no nft: not tested\n");
		skip();
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* "Uid:\t65534" and the like of a process. */
static void assert_status(pid_t pid, const char *key, const char *value)
{
	char path[64], line[256], want[128];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	snprintf(want, sizeof(want), "%s:\t%s", key, value);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, want, strlen(want)) == 0)
			found = true;
	}
	fclose(f);
	assert_true(found);
}

static void test_monitor_is_not_root(void **state)
{
	const uint64_t mask = UINT64_C(1) << CAP_NET_RAW | UINT64_C(1) << CAP_NET_ADMIN |
			      UINT64_C(1) << CAP_DAC_READ_SEARCH |
			      UINT64_C(1) << CAP_SYS_PTRACE;
	char caps[32];

	if (!was_root)
		skip();
	struct got *got = begin("nobody", "lo");
	assert_ok(ask(got, PROBE_CAPTURE, "lo")); /* it is past its start */
	snprintf(caps, sizeof(caps), "%016llx", (unsigned long long)mask);
	assert_status(monitor_pid(got->m), "Uid", "65534\t65534\t65534\t65534");
	assert_status(monitor_pid(got->m), "CapEff", caps);
	assert_status(monitor_pid(got->m), "CapPrm", caps);
	assert_status(monitor_pid(got->m), "CapBnd", caps);
	assert_status(monitor_pid(got->m), "NoNewPrivs", "1");
	assert_status(monitor_pid(got->m), "Seccomp", "2");
	ht_err err = ask(got, PROBE_PACKET_FILTER, NULL); /* nft keeps CAP_NET_ADMIN */
	assert_true(err == HT_OK || err == HT_UNSUPPORTED);
	end(got);
}

static void test_the_agent_drops_for_good(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		const char *user = was_root ? "nobody" : "";

		if (rights_drop(user, NULL, 0, NULL))
			_exit(1);
		if (was_root && (getuid() == 0 || setuid(0) == 0 || setgid(0) == 0))
			_exit(2);
		if (socket(AF_PACKET, SOCK_RAW, 0) >= 0)
			_exit(3);
		assert_status(getpid(), "CapEff", "0000000000000000");
		assert_status(getpid(), "CapBnd", "0000000000000000");
		assert_status(getpid(), "NoNewPrivs", "1");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_unknown_user_is_a_clear_error(void **state)
{
	int status;

	if (!was_root)
		skip();
	pid_t pid = fork();
	if (pid == 0) {
		struct ht_fault fault = { 0 };
		ht_err err = rights_drop("no-such-user", NULL, 0, &fault);

		_exit(err == HT_CONFIG && strstr(fault.text, "no-such-user") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_bad_interface_names_do_not_start(void **state)
{
	const char *name = "not an interface";
	struct monitor_config c = { .interfaces = &name, .n_interfaces = 1 };
	struct monitor *m = NULL;
	struct ht_fault fault = { 0 };

	assert_int_equal(monitor_start(&c, &m, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "site.interfaces"));
	assert_null(m);
}

/* As root of `unshare -Ur` there is no one else to become. */
/* By each of its names, for C libraries differ in which they call. */
static int clock_calls_that_go_through(void)
{
	struct timex look = { 0 };
	int n = 0;

	n += syscall(SYS_clock_adjtime, CLOCK_REALTIME, &look) >= 0 || errno != EPERM;
	n += syscall(SYS_adjtimex, &look) >= 0 || errno != EPERM;
	n += adjtimex(&look) >= 0 || errno != EPERM;
	return n;
}

static void test_the_filter_keeps_the_clock(void **state)
{
	struct timex look = { 0 };
	int status = 0;

	assert_true(adjtimex(&look) >= 0); /* looking at it is anybody's right */
	pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || monitor_seccomp())
			_exit(99);
		_exit(clock_calls_that_go_through());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool has_other_users(void)
{
	unsigned long inside, outside, count = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");

	if (f && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) != 3)
		count = 0;
	if (f)
		fclose(f);
	return count > 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_listed_interfaces_open),
		cmocka_unit_test(test_first_fence_is_final),
		cmocka_unit_test(test_bad_asks_are_refused_at_once),
		cmocka_unit_test(test_forgotten_asks_stay_silent),
		cmocka_unit_test(test_listeners_name_their_owner),
		cmocka_unit_test(test_packet_filter_is_json),
		cmocka_unit_test(test_death_is_noticed),
		cmocka_unit_test(test_dies_with_the_agent),
		cmocka_unit_test(test_survives_garbage),
		cmocka_unit_test(test_a_hanging_tool_blocks_no_one),
		cmocka_unit_test(test_monitor_is_not_root),
		cmocka_unit_test(test_the_agent_drops_for_good),
		cmocka_unit_test(test_the_filter_keeps_the_clock),
		cmocka_unit_test(test_unknown_user_is_a_clear_error),
		cmocka_unit_test(test_bad_interface_names_do_not_start),
	};

	was_root = geteuid() == 0 && has_other_users();
	if (geteuid() != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		print_message(
		    "no root and no user namespaces: the monitor is not tested\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
