#include "unit/test.h"

#include "unit/probes/stub_dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct stub_dns {
	int udp, listener, other, tcp;
	int stop[2];
	struct sockaddr_in at, from;
	stub_dns_answer answer;
	void *arg;
	atomic_uint asked;
	pthread_t thread;
	uint8_t out[STUB_DNS_MAX];
};

static void serve_udp(struct stub_dns *s)
{
	uint8_t bytes[2048];
	socklen_t len = sizeof(s->from);
	ssize_t n =
	    recvfrom(s->udp, bytes, sizeof(bytes), 0, (struct sockaddr *)&s->from, &len);
	struct stub_dns_question q = { bytes, n > 0 ? (size_t)n : 0, false, s->asked };

	if (n <= 0)
		return;
	size_t answer = s->answer(s, &q, s->out, s->arg);

	s->asked++;
	if (answer)
		sendto(s->udp, s->out, answer, 0, (struct sockaddr *)&s->from, len);
}

static void serve_tcp(struct stub_dns *s)
{
	uint8_t bytes[2048], head[2];
	ssize_t n;

	s->tcp = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	n = recv(s->tcp, head, 2, MSG_WAITALL);
	if (n == 2)
		n = recv(
		    s->tcp, bytes, (size_t)(head[0] << 8 | head[1]) & 2047, MSG_WAITALL);
	if (n > 0) {
		struct stub_dns_question q = { bytes, (size_t)n, true, s->asked };
		size_t answer = s->answer(s, &q, s->out, s->arg);

		s->asked++;
		if (answer) {
			head[0] = (uint8_t)(answer >> 8);
			head[1] = (uint8_t)answer;
			stub_dns_raw(s, head, 2);
			stub_dns_raw(s, s->out, answer);
		}
	}
	close(s->tcp);
}

static void *run(void *arg)
{
	struct stub_dns *s = arg;

	for (;;) {
		struct pollfd p[] = { { s->stop[0], POLLIN, 0 }, { s->udp, POLLIN, 0 },
			{ s->listener, POLLIN, 0 } };

		poll(p, 3, -1);
		if (p[0].revents)
			return NULL;
		if (p[1].revents)
			serve_udp(s);
		if (p[2].revents)
			serve_tcp(s);
	}
}

/* UDP and TCP on one port: what UDP got may be taken for TCP, so try a few. */
static bool bind_both(struct stub_dns *s)
{
	socklen_t len = sizeof(s->at);

	s->at = (struct sockaddr_in){ .sin_family = AF_INET };
	inet_pton(AF_INET, "127.0.0.1", &s->at.sin_addr);
	s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = bind(s->udp, (struct sockaddr *)&s->at, len) == 0 &&
		    getsockname(s->udp, (struct sockaddr *)&s->at, &len) == 0 &&
		    bind(s->listener, (struct sockaddr *)&s->at, len) == 0 &&
		    listen(s->listener, 4) == 0;

	if (!good) {
		close(s->udp);
		close(s->listener);
	}
	return good;
}

struct stub_dns *stub_dns_start(stub_dns_answer answer, void *arg)
{
	struct stub_dns *s = calloc(1, sizeof(*s));
	int tries = 0;

	assert_non_null(s);
	s->answer = answer;
	s->arg = arg;
	while (!bind_both(s))
		assert_true(++tries < 10);
	s->other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
	return s;
}

void stub_dns_free(struct stub_dns *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->udp);
	close(s->listener);
	close(s->other);
	free(s);
}

uint16_t stub_dns_port(const struct stub_dns *s)
{
	return ntohs(s->at.sin_port);
}

unsigned stub_dns_asked(const struct stub_dns *s)
{
	return s->asked;
}

void stub_dns_also(struct stub_dns *s, const uint8_t *bytes, size_t len)
{
	sendto(s->udp, bytes, len, 0, (struct sockaddr *)&s->from, sizeof(s->from));
}

void stub_dns_spoof(struct stub_dns *s, const uint8_t *bytes, size_t len)
{
	sendto(s->other, bytes, len, 0, (struct sockaddr *)&s->from, sizeof(s->from));
}

void stub_dns_raw(struct stub_dns *s, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(s->tcp, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

size_t stub_dns_plain(
    const struct stub_dns_question *q, uint8_t *out, unsigned rcode, unsigned n)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0,
		2 };
	size_t len = 12;

	while (len < q->len && q->bytes[len])
		len += 1u + q->bytes[len];
	len += 5; /* the root, type, class */
	memcpy(out, q->bytes, len);
	out[2] = 0x81; /* QR, RD */
	out[3] = (uint8_t)(0x80 | rcode);
	memset(out + 4, 0, 8);
	out[5] = 1;
	out[6] = (uint8_t)(n >> 8);
	out[7] = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		memcpy(out + len, record, sizeof(record));
		out[len + sizeof(record)] = (uint8_t)(i + 1);
		len += sizeof(record) + 1;
	}
	return len;
}
