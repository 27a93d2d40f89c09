#include "probes/wan/icmp_socket.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

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
