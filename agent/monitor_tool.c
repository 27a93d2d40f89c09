#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/kernel.h"
#include "agent/monitor_child.h"
#include "base/clock.h"

enum {
	COMPLAINT_MAX = 4096,
	SCRATCH_MAX = 64 << 20, /* apt-get splits signed lists into nameless files */
};

static const char *const clean_env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
	"HOME=/nonexistent", "DEBIAN_FRONTEND=noninteractive", NULL };

/* Ambient, so that it survives the exec of a program without file capabilities. */
static bool keep_net_admin(bool keep)
{
	const cap_value_t cap = CAP_NET_ADMIN;
	cap_t have = cap_get_proc(), want = cap_init();
	cap_flag_value_t v = CAP_CLEAR;
	bool good = have && want;

	if (good && keep && cap_get_flag(have, cap, CAP_PERMITTED, &v) == 0 &&
	    v == CAP_SET)
		good = !cap_set_flag(want, CAP_PERMITTED, 1, &cap, CAP_SET) &&
		       !cap_set_flag(want, CAP_INHERITABLE, 1, &cap, CAP_SET);
	good = good && !cap_set_proc(want);
	if (good && v == CAP_SET)
		good = !cap_set_ambient(cap, CAP_SET);
	cap_free(have);
	cap_free(want);
	return good;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the new process; never returns. */
static void become_tool(const struct monitor_tool *tool, int out_fd, int err_fd)
{
	const struct rlimit scratch = { SCRATCH_MAX, SCRATCH_MAX };
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	reset_signals();
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(out_fd, 1) < 0 ||
	    dup2(err_fd, 2) < 0)
		_exit(126);
	kernel_close_from(3);
	if (!tool->argv) {
		tool->run(1);
		_exit(0);
	}
	if (chdir("/") || !keep_net_admin(tool->net_admin) ||
	    setrlimit(RLIMIT_FSIZE, &scratch))
		_exit(126);
	execve(tool->argv[0], (char *const *)(uintptr_t)tool->argv,
	    (char *const *)(uintptr_t)clean_env);
	_exit(127);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A file in memory for what the tool complains of, which cannot grow. */
static int complaint_file(void)
{
	int fd = memfd_create("complaint", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 &&
	    (ftruncate(fd, COMPLAINT_MAX) || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

ht_err monitor_tool_start(const struct monitor_tool *tool, struct monitor_job *out)
{
	struct monitor_job j = { .used = true,
		.id = out->id,
		.pid = -1,
		.out_fd = -1,
		.pid_fd = -1,
		.err_fd = -1 };
	int out_pipe[2];

	if (tool->argv && access(tool->argv[0], X_OK))
		return HT_UNSUPPORTED;
	if (pipe2(out_pipe, O_CLOEXEC))
		return ht_err_errno(errno);
	j.out_fd = out_pipe[0];
	j.err_fd = complaint_file();
	if (j.err_fd >= 0)
		j.pid = _Fork(); /* no atfork handlers: libuv's closes descriptors by
				    number */
	if (j.pid == 0)
		become_tool(tool, out_pipe[1], j.err_fd);
	int saved = errno;

	close(out_pipe[1]);
	if (j.pid > 0) {
		(void)setpgid(j.pid, j.pid); /* both sides, so that kill finds it */
		j.pid_fd = kernel_pidfd_open(j.pid);
		saved = errno;
	}
	if (j.pid_fd < 0) {
		if (j.pid > 0) {
			(void)kill(j.pid, SIGKILL);
			(void)waitpid(j.pid, NULL, 0);
		}
		close_fd(&j.out_fd);
		close_fd(&j.err_fd);
		return ht_err_errno(saved);
	}
	j.deadline_ns = ht_mono_ns() + MONITOR_TOOL_TIMEOUT_NS;
	*out = j;
	return HT_OK;
}

void monitor_tool_kill(struct monitor_job *job, ht_err why)
{
	job->err = why;
	if (kill(-job->pid, SIGKILL))
		(void)kill(job->pid, SIGKILL);
	close_fd(&job->out_fd);
}

/* Tools tell a missing right only in words. */
static bool complained_of_rights(int fd)
{
	char text[COMPLAINT_MAX + 1];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return strstr(text, "not permitted") || strstr(text, "ermission denied");
}

ht_err monitor_tool_end(struct monitor_job *job)
{
	ht_err err = job->err;
	int status = 0;

	while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!err && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		err = complained_of_rights(job->err_fd) ? HT_DENIED : HT_IO;
	close_fd(&job->out_fd);
	close_fd(&job->pid_fd);
	close_fd(&job->err_fd);
	job->used = false;
	return err;
}
