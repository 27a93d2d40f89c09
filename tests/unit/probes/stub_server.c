#include "unit/test.h"

#include "unit/probes/stub_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct stub {
	int listener, fd;
	int stop[2]; /* a pipe: its end says that the stub ends */
	uint16_t port;
	SSL_CTX *tls;
	SSL *ssl; /* of the connection */
	stub_serve serve;
	void *arg;
	atomic_uint served;
	pthread_t thread;
};

/* Whether `fd` has something before the stub ends; `ms` < 0: without limit. */
static bool readable(struct stub *s, int fd, int ms, bool *out_ended)
{
	struct pollfd p[] = { { s->stop[0], POLLIN, 0 }, { fd, POLLIN | POLLRDHUP, 0 } };
	int n = poll(p, 2, ms);

	/* who waits at the listener already is still served */
	*out_ended = p[0].revents && !(fd == s->listener && p[1].revents);
	return n > 0 && !*out_ended && p[1].revents;
}

static void serve_one(struct stub *s)
{
	bool good = true;

	if (s->tls) {
		s->ssl = SSL_new(s->tls);
		good = s->ssl && SSL_set_fd(s->ssl, s->fd) && SSL_accept(s->ssl) == 1;
	}
	if (good)
		s->serve(s, s->fd, s->arg);
	if (s->ssl && good && s->fd >= 0)
		SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void *run(void *arg)
{
	struct stub *s = arg;
	bool ended = false;

	while (!ended) {
		if (!readable(s, s->listener, -1, &ended))
			continue;
		s->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
		if (s->fd < 0)
			continue;
		s->served++;
		serve_one(s);
	}
	return NULL;
}

static void listen_at(struct stub *s, const char *address)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	bool six = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	socklen_t len = six ? sizeof(v6) : sizeof(v4);
	struct sockaddr *at = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;

	assert_true(six || inet_pton(AF_INET, address, &v4.sin_addr) == 1);
	s->listener = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->listener >= 0);
	assert_int_equal(bind(s->listener, at, len), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(getsockname(s->listener, at, &len), 0);
	s->port = ntohs(six ? v6.sin6_port : v4.sin_port);
}

struct stub *stub_start(const char *address, SSL_CTX *tls, stub_serve serve, void *arg)
{
	struct stub *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	signal(SIGPIPE, SIG_IGN);
	*s = (struct stub){ .fd = -1, .tls = tls, .serve = serve, .arg = arg };
	listen_at(s, address);
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
	return s;
}

void stub_free(struct stub *s)
{
	if (!s)
		return;
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->listener);
	free(s);
}

uint16_t stub_port(const struct stub *s)
{
	return s->port;
}

unsigned stub_served(const struct stub *s)
{
	return s->served;
}

bool stub_send(struct stub *s, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		int ssl_n = s->ssl ? SSL_write(s->ssl, at, (int)len) : 0;
		ssize_t n = s->ssl ? ssl_n : send(s->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

bool stub_say(struct stub *s, const char *text)
{
	return stub_send(s, text, strlen(text));
}

size_t stub_request(struct stub *s, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	while (len + 1 < cap && !strstr(out, "\r\n\r\n")) {
		ssize_t n = s->ssl ? SSL_read(s->ssl, out + len, (int)(cap - 1 - len))
				   : recv(s->fd, out + len, cap - 1 - len, 0);

		if (n <= 0)
			break;
		len += (size_t)n;
		out[len] = '\0';
	}
	return len;
}

bool stub_wait(struct stub *s, int ms)
{
	struct pollfd p[] = { { s->stop[0], POLLIN, 0 }, { s->fd, POLLRDHUP, 0 } };

	return poll(p, 2, ms) == 0;
}

void stub_hold(struct stub *s)
{
	char scrap[512];
	bool ended = false;

	while (readable(s, s->fd, -1, &ended) && recv(s->fd, scrap, sizeof(scrap), 0) > 0)
		;
}

void stub_reset(struct stub *s)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(s->fd);
	s->fd = -1;
}
