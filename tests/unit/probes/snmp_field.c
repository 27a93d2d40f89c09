#include "unit/test.h"

#include "unit/probes/snmp_field.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INTERFACES = 6, NEIGHBOURS = 5, PACKET = 65536 };

static void on_request(uv_poll_t *poll, int status, int events)
{
	static uint8_t in[2048], out[PACKET];
	struct field_device *d = poll->data;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n =
	    recvfrom(d->fd, in, sizeof(in), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	if (n <= 0)
		return;
	if (d->after && d->peer.requests >= d->after)
		d->peer.fault = d->then;
	if (d->asked)
		d->asked(d);
	size_t answer = peer_answer(&d->peer, in, (size_t)n, out, sizeof(out));

	if (answer)
		sendto(d->fd, out, answer, 0, (struct sockaddr *)&from, len);
	if (answer && d->answered)
		d->answered(d);
}

void field_open(struct field_device *d, uv_loop_t *loop, enum peer_fault fault,
    const char *where, size_t limit)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	*d = (struct field_device){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(bind(d->fd, (struct sockaddr *)&at, len), 0);
	getsockname(d->fd, (struct sockaddr *)&at, &len);
	d->port = ntohs(at.sin_port);
	peer_init(&d->peer);
	peer_add_router(&d->peer, INTERFACES, NEIGHBOURS);
	d->peer.fault = fault;
	d->peer.limit = limit;
	peer_oid_set(&d->peer.where, where ? where : "");
	uv_poll_init(loop, &d->poll, d->fd);
	d->poll.data = d;
	uv_poll_start(&d->poll, UV_READABLE, on_request);
}

void field_close(struct field_device *d)
{
	uv_close((uv_handle_t *)&d->poll, NULL);
	uv_run(d->poll.loop, UV_RUN_NOWAIT);
	close(d->fd);
	peer_fini(&d->peer);
}
