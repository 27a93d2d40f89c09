/* Listening sockets with their owners, from /proc: the kernel's four tables give address,
 * user and inode; the inode is looked for among the descriptors of all processes. */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/monitor_child.h"

enum { SOCKETS_MAX = 4096, COMM_MAX = 16, TCP_LISTEN_STATE = 10, UDP_OPEN_STATE = 7 };

struct owned {
	const char *protocol;
	char address[INET6_ADDRSTRLEN];
	unsigned port, uid;
	uint64_t inode;
	long pid;
	char comm[COMM_MAX + 1];
};

struct table {
	const char *protocol, *path;
	int family;
	unsigned state;
};

static const struct table tables[] = {
	{ "tcp", "/proc/net/tcp", AF_INET, TCP_LISTEN_STATE },
	{ "tcp6", "/proc/net/tcp6", AF_INET6, TCP_LISTEN_STATE },
	{ "udp", "/proc/net/udp", AF_INET, UDP_OPEN_STATE },
	{ "udp6", "/proc/net/udp6", AF_INET6, UDP_OPEN_STATE },
};

/* The tables print an address as 32-bit words in the host's order. */
static bool address_of(const char *hex, int family, char out[static INET6_ADDRSTRLEN])
{
	uint32_t words[4] = { 0 };
	size_t n = family == AF_INET ? 1 : 4;

	if (strlen(hex) != n * 8)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (sscanf(hex + i * 8, "%8" SCNx32, &words[i]) != 1)
			return false;
	}
	return inet_ntop(family, words, out, INET6_ADDRSTRLEN);
}

/* Whether a line tells of a socket that waits for anyone. */
static bool parse_line(const char *line, const struct table *t, struct owned *out)
{
	char local[33], remote[33];
	unsigned remote_port, state;
	struct owned o = { .protocol = t->protocol, .comm = "-" };

	if (sscanf(line,
		" %*u: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*x:%*x %*x:%*x %*x %u %*u "
		"%" SCNu64,
		local, &o.port, remote, &remote_port, &state, &o.uid, &o.inode) != 7)
		return false;
	if (state != t->state || remote_port != 0 ||
	    !address_of(local, t->family, o.address))
		return false;
	*out = o;
	return true;
}

static size_t read_table(const struct table *t, struct owned *out, size_t cap)
{
	char line[512];
	size_t n = 0;
	FILE *f = fopen(t->path, "re");

	if (!f)
		return 0;
	while (n < cap && fgets(line, sizeof(line), f))
		n += parse_line(line, t, &out[n]);
	fclose(f);
	return n;
}

static int by_inode(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static void read_comm(int proc_fd, char out[static COMM_MAX + 1])
{
	int fd = openat(proc_fd, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, COMM_MAX);

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	for (char *c = out; *c; c++) {
		if (!isprint((unsigned char)*c))
			*c = '?';
	}
}

static void claim(struct owned *socks, size_t n, uint64_t inode, long pid, int proc_fd)
{
	struct owned key = { .inode = inode };
	struct owned *o = bsearch(&key, socks, n, sizeof(*socks), by_inode);

	if (!o || o->pid)
		return;
	o->pid = pid;
	read_comm(proc_fd, o->comm);
}

static void look_into(int proc_fd, long pid, struct owned *socks, size_t n)
{
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d))) {
		char link[64];
		uint64_t inode;
		ssize_t len = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);

		link[len > 0 ? len : 0] = '\0';
		if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1)
			claim(socks, n, inode, pid, proc_fd);
	}
	closedir(d);
}

static void find_owners(struct owned *socks, size_t n)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		char *end;
		long pid = strtol(e->d_name, &end, 10);

		if (pid <= 0 || *end)
			continue;
		int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0) {
			look_into(fd, pid, socks, n);
			close(fd);
		}
	}
	if (d)
		closedir(d);
}

void monitor_listeners(int out_fd)
{
	struct owned *socks = calloc(SOCKETS_MAX, sizeof(*socks));
	FILE *out = fdopen(out_fd, "w");
	size_t n = 0;

	if (!socks || !out)
		_exit(1);
	for (size_t i = 0; i < HT_COUNT(tables); i++)
		n += read_table(&tables[i], socks + n, SOCKETS_MAX - n);
	qsort(socks, n, sizeof(*socks), by_inode);
	find_owners(socks, n);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s %s %u %u %ld %s\n", socks[i].protocol, socks[i].address,
		    socks[i].port, socks[i].uid, socks[i].pid, socks[i].comm);
	fclose(out);
	free(socks);
}
