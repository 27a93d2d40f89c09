#include "probes/wan/ping/icmp_socket.h"

#include <errno.h>
#include <time.h> /* linux/errqueue.h wants it first */
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/sock_diag.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"

void icmp_socket_prepare(int fd, enum icmp_family family, bool raw)
{
	const int on = 1;
	const struct icmp_filter only_replies = { ~(1U << ICMP_ECHOREPLY) };
	struct icmp6_filter only_replies6;

	ICMP6_FILTER_SETBLOCKALL(&only_replies6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &only_replies6);
	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (raw && family == ICMP_V4)
		(void)setsockopt(
		    fd, SOL_RAW, ICMP_FILTER, &only_replies, sizeof(only_replies));
	if (raw && family == ICMP_V6)
		(void)setsockopt(
		    fd, SOL_ICMPV6, ICMP6_FILTER, &only_replies6, sizeof(only_replies6));
}

void icmp_socket_whole(int fd, enum icmp_family family)
{
	const int probe4 = IP_PMTUDISC_PROBE, probe6 = IPV6_PMTUDISC_PROBE, on = 1;

	if (family == ICMP_V4) {
		(void)setsockopt(fd, SOL_IP, IP_MTU_DISCOVER, &probe4, sizeof(probe4));
		return;
	}
	(void)setsockopt(fd, SOL_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof(probe6));
	(void)setsockopt(fd, SOL_IPV6, IPV6_DONTFRAG, &on, sizeof(on));
}

/* ---- the filter ---- */

enum { FILTER_MAX = 8, ID_AT = 4, TAG_AT = ICMP_HEAD + ICMP_COOKIE, WHOLE = 0x40000 };

struct program {
	struct sock_filter code[FILTER_MAX];
	unsigned short n;
};

static void add(struct program *p, struct sock_filter step)
{
	p->code[p->n++] = step;
}

/* Go on only when what stands at `at` of the ICMP message is `value`. A load beyond the
 * end drops the packet. */
static void add_equal(struct program *p, unsigned width, uint32_t at, uint32_t value)
{
	add(p, (struct sock_filter)BPF_STMT((uint16_t)(BPF_LD | BPF_IND | width), at));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
}

void icmp_socket_filter(
    int fd, enum icmp_family family, bool raw, const struct icmp_socket_match *match)
{
	struct program p = { .n = 0 };
	struct sock_fprog program;

	/* X: where the ICMP message begins, behind an IPv4 header of any length */
	if (raw && family == ICMP_V4)
		add(&p, (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0));
	else
		add(&p, (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0));
	if (match->by_id)
		add_equal(&p, BPF_H, ID_AT, match->id);
	if (match->by_tag)
		add_equal(&p, BPF_W, TAG_AT, match->tag);
	add(&p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, WHOLE));
	program = (struct sock_fprog){ .len = p.n, .filter = p.code };
	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* ---- receiving ---- */

enum { CONTROL_MAX = 512, TRIES_MAX = 4 };

union control {
	struct cmsghdr align;
	char bytes[CONTROL_MAX];
};

int64_t icmp_socket_stamp_ns(struct msghdr *m)
{
	struct timespec t;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS &&
		    c->cmsg_len >= CMSG_LEN(sizeof(t))) {
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			return t.tv_sec * HT_NS_PER_S + t.tv_nsec;
		}
	}
	return 0;
}

int64_t icmp_socket_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * HT_NS_PER_S + t.tv_nsec;
}

static bool receive(int fd, int flags, void *bytes, size_t cap, void *control,
    struct msghdr *m, struct icmp_socket_packet *out)
{
	struct iovec iov = { bytes, cap };
	ssize_t n = -1;

	*out = (struct icmp_socket_packet){ 0 };
	/* an error that waits fails one call; it is on the queue of errors too */
	for (int tries = 0; n < 0 && tries < TRIES_MAX; tries++) {
		*m = (struct msghdr){ .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = CONTROL_MAX };
		n = recvmsg(fd, m, MSG_DONTWAIT | flags);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
	}
	if (n < 0)
		return false;
	out->len = (size_t)n;
	out->truncated = (m->msg_flags & MSG_TRUNC) != 0;
	return true;
}

bool icmp_socket_receive(int fd, void *bytes, size_t cap, struct icmp_socket_packet *out)
{
	union control control;
	struct msghdr m;

	if (!receive(fd, 0, bytes, cap, control.bytes, &m, out))
		return false;
	out->stamp_ns = icmp_socket_stamp_ns(&m);
	return true;
}

bool icmp_socket_error(int fd, void *bytes, size_t cap, struct icmp_socket_packet *out)
{
	struct sock_extended_err e;
	union control control;
	struct msghdr m;

	if (!receive(fd, MSG_ERRQUEUE, bytes, cap, control.bytes, &m, out))
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		bool error = (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
			     (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR);

		if (!error || c->cmsg_len < CMSG_LEN(sizeof(e)))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		out->err_no = (int)e.ee_errno;
		out->local = e.ee_origin == SO_EE_ORIGIN_LOCAL;
		out->mtu = e.ee_errno == EMSGSIZE ? e.ee_info : 0;
	}
	return true;
}

bool icmp_socket_queue(int fd, struct icmp_socket_queue *out)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) ||
	    len <= SK_MEMINFO_DROPS * sizeof(*info))
		return false;
	*out = (struct icmp_socket_queue){ .bytes = info[SK_MEMINFO_RMEM_ALLOC],
		.room = info[SK_MEMINFO_RCVBUF],
		.drops = info[SK_MEMINFO_DROPS] };
	return true;
}
