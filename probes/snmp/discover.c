#include "probes/snmp/discover.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

enum { REPORT_MAX = 2048, LATE_MAX = 16 /* datagrams read at once */ };

struct discover {
	uv_udp_t udp;
	uv_timer_t timer;
	int open_handles;
	int64_t wait_ns;
	int tries; /* left */
	unsigned sent;
	int32_t message_id;
	char buffer[REPORT_MAX];
	void (*answer)(void *arg, const struct engine_id *id, unsigned sent);
	void *arg;
};

static void on_closed(uv_handle_t *h)
{
	struct discover *d = h->data;

	if (--d->open_handles == 0)
		free(d);
}

void discover_cancel(struct discover *d)
{
	if (!d)
		return;
	uv_close((uv_handle_t *)&d->udp, on_closed);
	uv_close((uv_handle_t *)&d->timer, on_closed);
}

static void finish(struct discover *d, const struct engine_id *id)
{
	void (*answer)(void *arg, const struct engine_id *, unsigned) = d->answer;
	void *arg = d->arg;
	unsigned sent = d->sent;

	discover_cancel(d);
	answer(arg, id, sent);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
	struct discover *d = h->data;

	(void)suggested;
	*out = uv_buf_init(d->buffer, sizeof(d->buffer));
}

static void on_report(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf,
    const struct sockaddr *from, unsigned flags)
{
	struct discover *d = udp->data;
	struct engine_id id;

	if (n <= 0 || !from || (flags & UV_UDP_PARTIAL))
		return; /* refused, or nothing: the timer decides */
	if (engine_report_parse(buf->base, (size_t)n, d->message_id, &id) == HT_OK)
		finish(d, &id);
}

static void on_timer(uv_timer_t *timer);

static void send_request(struct discover *d)
{
	uint8_t request[ENGINE_REQUEST_LEN];
	uv_buf_t b = uv_buf_init((char *)request, sizeof(request));

	engine_request_write(d->message_id, request);
	d->tries--;
	d->sent++;
	(void)uv_udp_try_send(
	    &d->udp, &b, 1, NULL); /* lost here or on the way: the same */
	uv_update_time(d->timer.loop);
	uv_timer_start(&d->timer, on_timer, (uint64_t)(d->wait_ns / HT_NS_PER_MS), 0);
}

/* What came while the loop was busy elsewhere: its timers go before its sockets. */
static bool read_what_came(struct discover *d, struct engine_id *out)
{
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&d->udp, &fd))
		return false;
	for (int i = 0; i < LATE_MAX; i++) {
		ssize_t n =
		    recv(fd, d->buffer, sizeof(d->buffer), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0)
			return false;
		if ((size_t)n <= sizeof(d->buffer) &&
		    engine_report_parse(d->buffer, (size_t)n, d->message_id, out) ==
			HT_OK)
			return true;
	}
	return false;
}

static void on_timer(uv_timer_t *timer)
{
	struct discover *d = timer->data;
	struct engine_id id;

	if (read_what_came(d, &id))
		finish(d, &id);
	else if (d->tries > 0)
		send_request(d);
	else
		finish(d, NULL);
}

ht_err discover_start(uv_loop_t *loop, const struct sockaddr *to, int64_t wait_ns,
    int tries, void (*answer)(void *arg, const struct engine_id *id, unsigned sent),
    void *arg, struct discover **out)
{
	struct discover *d = calloc(1, sizeof(*d));
	uint32_t random = 0;

	if (!d)
		return HT_NOMEM;
	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	d->message_id = (int32_t)(random & INT32_MAX);
	d->wait_ns = wait_ns;
	d->tries = tries;
	d->answer = answer;
	d->arg = arg;
	d->open_handles = 2;
	uv_udp_init(loop, &d->udp);
	uv_timer_init(loop, &d->timer);
	d->udp.data = d->timer.data = d;
	int rc = uv_udp_connect(&d->udp, to);

	if (!rc)
		rc = uv_udp_recv_start(&d->udp, on_alloc, on_report);
	if (rc) {
		discover_cancel(d);
		return ht_err_errno(-rc);
	}
	send_request(d);
	*out = d;
	return HT_OK;
}
