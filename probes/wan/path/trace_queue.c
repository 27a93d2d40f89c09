#include "probes/wan/path/trace_queue.h"

#include <errno.h>
#include <linux/types.h>
#include <string.h>
#include <time.h> /* linux/errqueue.h wants it first */
#include <linux/errqueue.h>

#include "base/clock.h"
#include "probes/wan/ping/icmp_socket.h"

#ifndef IPV6_AUTOFLOWLABEL
#define IPV6_AUTOFLOWLABEL 70 /* linux/in6.h, which fights with netinet/in.h */
#endif
/* An older stamp, or one of the future: somebody moved the wall clock. */
#define STAMP_AGE_MAX_NS (5 * HT_NS_PER_S)

bool trace_queue_prepare(int fd, enum icmp_family family)
{
	const int on = 1, off = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (family == ICMP_V4)
		return setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof(on)) == 0;
	(void)setsockopt(fd, SOL_IPV6, IPV6_AUTOFLOWLABEL, &off, sizeof(off));
	return setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on)) == 0;
}

int64_t trace_queue_mono_ns(int64_t stamp_wall_ns)
{
	int64_t age = stamp_wall_ns ? icmp_socket_wall_ns() - stamp_wall_ns : 0;

	return ht_mono_ns() - (age > 0 && age <= STAMP_AGE_MAX_NS ? age : 0);
}

bool trace_queue_addr(const struct sockaddr *sa, struct ht_addr *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	*out = (struct ht_addr){ 0 };
	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		*out = ht_addr_from_v4(ntohl(v4.sin_addr.s_addr));
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	memcpy(&v6, sa, sizeof(v6));
	out->family = AF_INET6;
	out->prefix = 128;
	memcpy(out->bytes, &v6.sin6_addr, sizeof(out->bytes));
	return true;
}

static bool take_control(
    const struct cmsghdr *c, enum icmp_family family, struct trace_report *out)
{
	bool v4 = family == ICMP_V4;
	struct sock_extended_err e;
	struct sockaddr_storage from = { 0 };
	size_t len = v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	if (c->cmsg_level != (v4 ? SOL_IP : SOL_IPV6) ||
	    c->cmsg_type != (v4 ? IP_RECVERR : IPV6_RECVERR) ||
	    c->cmsg_len < CMSG_LEN(sizeof(e) + len))
		return false;
	memcpy(&e, CMSG_DATA(c), sizeof(e));
	if (e.ee_origin != (v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6))
		return false;
	memcpy(&from, CMSG_DATA(c) + sizeof(e), len); /* SO_EE_OFFENDER */
	out->type = e.ee_type;
	out->code = e.ee_code;
	return trace_queue_addr((const struct sockaddr *)&from, &out->from);
}

enum trace_took trace_queue_take(
    int fd, enum icmp_family family, struct trace_report *out)
{
	union {
		struct cmsghdr align;
		char bytes[512];
	} control;
	struct iovec iov = { out->quote, sizeof(out->quote) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	bool found = false;

	if (n < 0)
		return TRACE_TOOK_NONE;
	out->len = (size_t)n < sizeof(out->quote) ? (size_t)n : sizeof(out->quote);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c && !found; c = CMSG_NXTHDR(&m, c))
		found = take_control(c, family, out);
	out->at_ns = trace_queue_mono_ns(icmp_socket_stamp_ns(&m));
	return found ? TRACE_TOOK_REPORT : TRACE_TOOK_OTHER;
}
