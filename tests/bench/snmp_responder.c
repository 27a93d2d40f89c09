/* Plays thousands of SNMP routers at once: each 127.x.y.z is one. For tests/bench/snmp.
 *
 *   snmp_responder PORT [SILENT [BYTES [INTERFACES [NEIGHBOURS]]]]
 *
 * Every SILENT-th device says nothing (0: all speak); answers have at most BYTES of
 * cells. Prints "ready", and when it is ended requests, answers and cells. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/probes/snmp_peer.h"

enum { BATCH = 64, PACKET = 65536, DEVICES_A_NET = 250, BUFFER = 64 << 20 };

static volatile sig_atomic_t over;

static void on_signal(int number)
{
	(void)number;
	over = 1;
}

/* 127.x.y.z is device (x * 256 + y) * 250 + z - 1. */
static unsigned device_of(struct in_addr at)
{
	uint32_t a = ntohl(at.s_addr);

	return (a >> 8 & 0xffff) * DEVICES_A_NET + (a & 0xff) - 1;
}

union control {
	char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr align;
};

static void answer(int fd, struct peer *p, struct msghdr *m, size_t len, unsigned silent)
{
	static uint8_t out[PACKET];
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct in_pktinfo info;

	if (!c || c->cmsg_type != IP_PKTINFO)
		return;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	if (silent && device_of(info.ipi_addr) % silent == silent - 1) {
		p->requests++;
		return;
	}
	size_t n = peer_answer(p, m->msg_iov->iov_base, len, out, sizeof(out));

	if (n == 0)
		return;
	/* from the address that was asked */
	info.ipi_spec_dst = info.ipi_addr;
	info.ipi_ifindex = 0;
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	struct iovec v = { out, n };
	struct msghdr back = { .msg_name = m->msg_name,
		.msg_namelen = m->msg_namelen,
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = m->msg_control,
		.msg_controllen = m->msg_controllen };

	sendmsg(fd, &back, 0);
}

static int open_socket(unsigned port)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1, size = BUFFER;
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_ANY) };

	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		perror("bind");
		exit(1);
	}
	return fd;
}

static void serve(int fd, struct peer *p, unsigned silent)
{
	static uint8_t in[BATCH][2048];
	static struct sockaddr_in from[BATCH];
	static union control control[BATCH];
	static struct iovec iov[BATCH];
	struct mmsghdr m[BATCH];

	while (!over) {
		for (size_t i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
			m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_iov = &iov[i],
				.msg_iovlen = 1,
				.msg_control = control[i].bytes,
				.msg_controllen = sizeof(control[i].bytes) };
		}
		int n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);

		for (int i = 0; i < n; i++)
			answer(fd, p, &m[i].msg_hdr, m[i].msg_len, silent);
	}
}

int main(int argc, char **argv)
{
	unsigned numbers[] = { 0, 10, 1400, 50, 250 };
	struct sigaction act = { .sa_handler = on_signal };
	struct rusage u;
	struct peer p;

	if (argc < 2)
		return 2;
	for (int i = 1; i < argc && i <= 5; i++)
		numbers[i - 1] = (unsigned)strtoul(argv[i], NULL, 10);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	peer_init(&p);
	peer_add_router(&p, numbers[3], numbers[4]);
	p.max_bytes = numbers[2];
	int fd = open_socket(numbers[0]);

	printf("ready %zu\n", p.n);
	fflush(stdout);
	serve(fd, &p, numbers[1]);
	getrusage(RUSAGE_SELF, &u);
	printf(
	    "{\"requests\": %llu, \"answers\": %llu, \"cells\": %llu, \"cpu_s\": %.3f}\n",
	    (unsigned long long)p.requests, (unsigned long long)p.answers,
	    (unsigned long long)p.told,
	    (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
	peer_fini(&p);
	return 0;
}
