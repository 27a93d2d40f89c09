/* link.local: the interfaces of the machine itself, where the agent is the router or
 * stands on it: what snmp.interfaces reads of a device, by rtnetlink, without SNMP and
 * without privilege. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/probe.h"
#include "probes/snmp/iftype.h"
#include "probes/snmp/report.h"
#include "probes/wan/local/lives.h"
#include "probes/wan/local/netlink.h"

enum {
	BUFFER = 32 * 1024, /* the most that the kernel puts into a datagram of a dump */
	DATAGRAMS_A_TURN = 16,
	ROWS_MAX = LIVES_MAX,
	ROUTE_BYTES_MAX = 256 * 1024, /* default routes come first; then it is enough */
	TRIES = 3,                    /* until a dump comes whole */
};
#define DEADLINE_MARGIN_NS (200 * HT_NS_PER_MS) /* to report before we are cancelled */
#define LIVES_KEY          "lives"

struct link_local_options {
	char *link_interface;
};

static const struct ht_option option_rows[] = {
	{ "link_interface", HT_OPT_STRING,
	    offsetof(struct link_local_options, link_interface), .min = 1, .max = 255,
	    .help =
		"the interface that carries the link, confirmed by a person; else it is "
		"learned" },
};
static const struct ht_options link_local_options =
    HT_OPTIONS(struct link_local_options, option_rows);

static const enum ht_metric link_local_metrics[] = { REPORT_METRICS };

struct link_local_run {
	const struct link_local_options *o;
	const struct probe_host *host;
	int fd;
	uv_poll_t poll;
	uv_timer_t end;
	struct table table;
	uint8_t *buffer;
	enum netlink_dump dump;
	uint32_t seq;
	size_t route_bytes;
	int tries;
	struct netlink_progress progress; /* of the dump under way */
	const char *trouble;              /* what could not be read */
	bool finished;
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ── What rtnetlink does not tell ─────────────────────────────────────────────────── */

/* ethtool(7)'s oldest question, which every kernel still answers. */
static void ask_speed(int fd, struct table_row *r)
{
	struct ethtool_cmd cmd = { .cmd = ETHTOOL_GSET };
	struct ifreq req = { .ifr_data = (void *)&cmd };

	if (!r->texts[TABLE_NAME])
		return;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", r->texts[TABLE_NAME]);
	if (ioctl(fd, SIOCETHTOOL, &req) != 0)
		return;
	uint32_t mbit = ethtool_cmd_speed(&cmd);
	if (mbit && mbit != (uint32_t)SPEED_UNKNOWN && mbit != UINT16_MAX)
		table_put_number(r, TABLE_HIGH_SPEED, mbit);
}

static void ask_speeds(struct table *t)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (size_t i = 0; fd >= 0 && i < t->n; i++) {
		uint32_t type = table_type(&t->rows[i]);

		if (type == IFTYPE_ETHERNET || type == IFTYPE_LAG)
			ask_speed(fd, &t->rows[i]);
	}
	if (fd >= 0)
		close(fd);
}

static uint64_t hash(const char *text)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(1099511628211);
	return h ? h : 1;
}

/* Since when each lives; what cannot be remembered is a discontinuity more, no lie. */
static void tell_lives(const struct probe_host *host, struct table *t, uint64_t ticks)
{
	struct lives l;
	struct ht_buf b;
	char boot[HT_BOOT_ID_LEN + 1] = "";
	size_t len;
	const void *before = host->recall_of(host, LIVES_KEY, &len);
	ht_err err = lives_decode(&l, before, len); /* unknown is a beginning */

	if (ht_boot_id(boot))
		boot[0] = '\0'; /* then every boot is the same one */
	err = lives_update(&l, t, hash(boot), (uint32_t)ticks);
	ht_buf_init(&b, PROBE_MEMORY_MAX);
	lives_encode(&l, &b);
	if (!err && !ht_buf_err(&b) && (b.len != len || memcmp(b.data, before, len) != 0))
		err = host->remember_of(host, LIVES_KEY, b.data, b.len);
	ht_buf_fini(&b);
	lives_fini(&l);
}

static void put_system(struct table *t)
{
	char name[256] = "";
	int64_t now = ht_mono_ns();

	if (gethostname(name, sizeof(name) - 1) == 0)
		table_put_system(
		    &t->system, TABLE_SYS_NAME, (const uint8_t *)name, strlen(name));
	t->system.has_uptime = true;
	t->system.uptime_ticks = (uint64_t)(now / (HT_NS_PER_S / 100));
	t->system.at_ns = now;
}

static void finish(struct link_local_run *r)
{
	if (r->finished)
		return;
	r->finished = true;
	uv_timer_stop(&r->end);
	uv_poll_stop(&r->poll);
	put_system(&r->table);
	ask_speeds(&r->table);
	if (r->table.n)
		tell_lives(r->host, &r->table, r->table.system.uptime_ticks);
	const struct report report = { .host = r->host,
		.device = r->host->instance,
		.status = !r->trouble  ? "ok"
			  : r->table.n ? "partial"
				       : "error",
		.reason = r->trouble,
		.link_interface = r->o->link_interface };

	report_poll(&report, &r->table);
	r->host->done(r->host);
}

/* ── Dumps ────────────────────────────────────────────────────────────────────────── */

static void give_up(struct link_local_run *r, const char *why)
{
	r->trouble = why;
	finish(r);
}

static void ask(struct link_local_run *r)
{
	uint8_t request[NETLINK_REQUEST_MAX];
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	size_t len = netlink_request(r->dump, ++r->seq, request);

	r->progress = (struct netlink_progress){ 0 };
	if (sendto(r->fd, request, len, 0, (const struct sockaddr *)&kernel,
		sizeof(kernel)) != (ssize_t)len)
		give_up(r, "the kernel does not take the question (rtnetlink)");
}

/* Things changed while they were told: from the beginning, a few times. */
static void begin(struct link_local_run *r)
{
	table_fini(&r->table);
	table_init(&r->table, ROWS_MAX);
	r->dump = NETLINK_LINKS;
	r->route_bytes = 0;
	ask(r);
}

static void dump_ended(struct link_local_run *r)
{
	if (r->progress.torn && ++r->tries < TRIES) {
		begin(r);
		return;
	}
	if (r->progress.torn)
		r->trouble = "interfaces changed while they were read";
	if (++r->dump < NETLINK_DUMPS)
		ask(r);
	else
		finish(r);
}

static bool is_routes(const struct link_local_run *r)
{
	return r->dump == NETLINK_ROUTES4 || r->dump == NETLINK_ROUTES6;
}

/* One datagram; false when there is no more now. */
static bool take_datagram(struct link_local_run *r)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(
	    r->fd, r->buffer, BUFFER, MSG_TRUNC, (struct sockaddr *)&from, &from_len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0 || n > BUFFER) {
		give_up(r, "the kernel's answer was lost (rtnetlink)");
		return false;
	}
	if (from.nl_pid != 0)
		return true; /* not the kernel's */
	ht_err err = netlink_parse(
	    r->buffer, (size_t)n, r->seq, ht_mono_ns(), &r->table, &r->progress);
	if (err == HT_FULL)
		r->trouble = "there are more interfaces than are read";
	else if (err && is_routes(r))
		r->progress.done = true; /* a kernel without that family */
	else if (err) {
		give_up(r, "the kernel's answer is not understood (rtnetlink)");
		return false;
	}
	r->route_bytes += is_routes(r) ? (size_t)n : 0;
	if (r->route_bytes > ROUTE_BYTES_MAX)
		finish(r); /* it knows the whole Internet */
	else if (r->progress.done)
		dump_ended(r);
	return !r->finished;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct link_local_run *r = poll->data;

	(void)events;
	if (status < 0) {
		give_up(r, "the kernel's answer was lost (rtnetlink)");
		return;
	}
	for (int i = 0; i < DATAGRAMS_A_TURN && take_datagram(r); i++)
		;
}

static void on_end(uv_timer_t *timer)
{
	give_up(timer->data, "the kernel did not answer in time (rtnetlink)");
}

/* ── The run ──────────────────────────────────────────────────────────────────────── */

static int open_socket(void)
{
	const struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	int one = 1;
	int fd =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

	/* strict: only the main table of routes; an old kernel dumps them all */
	if (fd >= 0)
		(void)setsockopt(
		    fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&self, sizeof(self)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void free_run(struct link_local_run *r)
{
	table_fini(&r->table);
	free(r->buffer);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->buffer = NULL;
}

static ht_err link_local_start(
    void *run, const void *options, const struct probe_host *host)
{
	struct link_local_run *r = run;

	r->o = options;
	r->host = host;
	table_init(&r->table, ROWS_MAX);
	r->buffer = malloc(BUFFER);
	r->fd = open_socket();
	if (!r->buffer || r->fd < 0 || uv_poll_init(host->loop, &r->poll, r->fd) != 0) {
		ht_err err = r->buffer ? HT_IO : HT_NOMEM;

		free_run(r);
		return err;
	}
	uv_timer_init(host->loop, &r->end);
	r->poll.data = r->end.data = r;
	int64_t left = host->deadline_ns - DEADLINE_MARGIN_NS - ht_mono_ns();

	uv_timer_start(
	    &r->end, on_end, left > 0 ? (uint64_t)(left / HT_NS_PER_MS) : 0, 0);
	uv_poll_start(&r->poll, UV_READABLE, on_readable);
	ask(r);
	return HT_OK;
}

static void on_closed(uv_handle_t *h)
{
	struct link_local_run *r = h->data;

	if (--r->open_handles)
		return;
	free_run(r);
	r->closed(r->closed_arg);
}

static void link_local_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct link_local_run *r = run;

	if (r->closed)
		return;
	r->finished = true;
	r->closed = closed;
	r->closed_arg = arg;
	r->open_handles = 2;
	uv_close((uv_handle_t *)&r->poll, on_closed);
	uv_close((uv_handle_t *)&r->end, on_closed);
}

const struct probe_ops probe_link_local = {
	.name = "link.local",
	.help = "this machine's own interfaces: names, states, speeds and counters",
	.metrics = link_local_metrics,
	.n_metrics = HT_COUNT(link_local_metrics),
	.options = &link_local_options,
	.run_size = sizeof(struct link_local_run),
	.start = link_local_start,
	.cancel = link_local_cancel,
};
