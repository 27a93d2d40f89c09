/* Inside the privileged process: its loop, its tools. Only monitor.c and tests include
 * this. */
#ifndef HT_AGENT_MONITOR_CHILD_H
#define HT_AGENT_MONITOR_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/monitor_wire.h"

#define MONITOR_TOOL_TIMEOUT_NS (60 * INT64_C(1000000000))

/* Serve requests from `fd` until its other end is closed. Rights were dropped already. */
void monitor_serve(int fd, const struct monitor_names *fence);

/* A program (or, with argv NULL, a function) in a process of its own, its standard
 * output in a pipe. */
struct monitor_tool {
	const char *const *argv; /* argv[0] is an absolute path */
	void (*run)(int out_fd);
	bool net_admin; /* may keep CAP_NET_ADMIN; all else is taken away */
};

struct monitor_job {
	bool used;
	uint32_t id;
	pid_t pid;
	int out_fd; /* its output, -1 once it ended */
	int pid_fd; /* readable once the process ended */
	int err_fd; /* what it complained */
	int64_t deadline_ns;
	size_t sent; /* bytes */
	ht_err err;  /* why it was killed */
};

/* HT_UNSUPPORTED when the program is not there. */
HT_MUST_CHECK ht_err monitor_tool_start(
    const struct monitor_tool *tool, struct monitor_job *out);
/* Collect an ended process; its outcome as a grant's error. Closes everything. */
ht_err monitor_tool_end(struct monitor_job *job);
void monitor_tool_kill(struct monitor_job *job, ht_err why);

/* PROBE_LISTENERS: write the lines that probe.h describes. */
void monitor_listeners(int out_fd);

/* Calls that neither we nor our tools need, refused from now on. HT_UNSUPPORTED when the
 * kernel has no seccomp. */
HT_MUST_CHECK ht_err monitor_seccomp(void);

#endif
