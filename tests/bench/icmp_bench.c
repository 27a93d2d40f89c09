/* What pinging costs: this program pings with the agent's own code and says how much CPU
 * it took. tests/bench/icmp runs it beside fping.
 *
 *   icmp_bench sweep FILE             one ping to each address of a file, at once
 *   icmp_bench hold FILE SECONDS      the probe `reach`: each address every second
 *
 * One line of key=value a result. Needs the right to open a raw socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/probe.h"
#include "probes/wan/ping/echo.h"

extern const struct probe_ops probe_reach;

enum { RECEIVE_BYTES = 4 << 20, DRAIN_EVERY = 64, WAIT_MS = 500, SETTLED_MS = 2500 };

/* ---- the machine ---- */

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long resident_kib(void)
{
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* As the agent's monitor opens it. */
static int open_socket(int family)
{
	const int receive = RECEIVE_BYTES;
	int protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive));
	return fd;
}

/* ---- the addresses ---- */

struct list {
	char (*text)[HT_ADDR_TEXT];
	size_t n;
};

static void list_read(const char *path, struct list *l)
{
	FILE *f = fopen(path, "re");
	char line[HT_ADDR_TEXT];
	size_t cap = 0;

	if (!f) {
		fprintf(stderr, "icmp_bench: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!line[0])
			continue;
		if (l->n == cap) {
			cap = cap ? cap * 2 : 1024;
			l->text = realloc(l->text, cap * sizeof(*l->text));
			if (!l->text)
				abort();
		}
		snprintf(l->text[l->n++], sizeof(*l->text), "%s", line);
	}
	fclose(f);
}

/* ---- hold: the probe `reach` on a host that only counts ---- */

struct hold {
	struct probe_host host;
	uv_timer_t settled;
	uv_check_t turn;
	int64_t turned_ns, longest_ns; /* between two turns of the loop */
	uv_idle_t answering;
	void *run;
	struct {
		void (*answer)(void *arg, const struct probe_grant *grant);
		void *arg;
		int family;
	} asks[2];
	size_t n_asks;
	double sent, received, unsent, dropped;
	long resident_kib; /* when all was answered once */
	size_t readings, up, down;
	bool closed;
};

static void hold_emit(const struct probe_host *host, const struct ht_reading *r)
{
	struct hold *h = host->owner;

	h->readings++;
	if (r->metric == HT_M_REACH_SENT)
		h->sent += r->number;
	if (r->metric == HT_M_REACH_RECEIVED)
		h->received += r->number;
	if (r->metric == HT_M_REACH_TROUBLE)
		fprintf(stderr, "%s\n", r->string);
	if (r->metric == HT_M_REACH_UNSENT)
		h->unsent += r->number;
	if (r->metric == HT_M_REACH_DROPPED)
		h->dropped += r->number;
	if (r->metric == HT_M_REACH_STATE) {
		h->up += strcmp(r->string, "up") == 0;
		h->down += strcmp(r->string, "down") == 0;
	}
}

static void hold_done(const struct probe_host *host)
{
	uv_stop(host->loop);
}

static void on_answer(uv_idle_t *idle)
{
	struct hold *h = idle->data;

	uv_idle_stop(idle);
	for (size_t i = 0; i < h->n_asks; i++) {
		struct probe_grant g = { .fd = open_socket(h->asks[i].family),
			.raw = true };

		if (g.fd < 0) {
			perror("icmp_bench: raw socket");
			exit(1);
		}
		h->asks[i].answer(h->asks[i].arg, &g);
	}
	h->n_asks = 0;
}

static ht_err hold_ask(const struct probe_host *host, enum probe_privilege what,
    const char *name, void (*answer)(void *arg, const struct probe_grant *grant),
    void *arg)
{
	struct hold *h = host->owner;

	h->asks[h->n_asks].answer = answer;
	h->asks[h->n_asks].arg = arg;
	h->asks[h->n_asks++].family = what == PROBE_ICMP4_SOCKET ? AF_INET : AF_INET6;
	uv_idle_start(&h->answering, on_answer);
	return HT_OK;
}

static void hold_forget(const struct probe_host *host, void *arg)
{
}

/* A timer is due every 10 ms: a longer turn is the machine's doing, or ours. */
static void on_turn(uv_check_t *check)
{
	struct hold *h = check->data;
	int64_t now = ht_mono_ns();

	if (h->turned_ns && now - h->turned_ns > h->longest_ns)
		h->longest_ns = now - h->turned_ns;
	h->turned_ns = now;
}

static void on_settled(uv_timer_t *timer)
{
	struct hold *h = timer->data;

	h->resident_kib = resident_kib();
}

static void on_closed(void *arg)
{
	struct hold *h = arg;

	h->closed = true;
}

/* As the server's list of targets, which is how thousands come to an agent. */
static ht_err read_targets(const struct list *l, struct ht_targets *out)
{
	struct ht_fault fault = { 0 };
	struct ht_buf text;

	ht_buf_init(&text, HT_TARGETS_BYTES_MAX);
	ht_buf_printf(&text, "%s", HT_TARGETS_HEAD);
	for (size_t i = 0; i < l->n; i++)
		ht_buf_printf(&text, "target t%06zu %s\n", i, l->text[i]);
	ht_err err = ht_buf_err(&text);
	if (!err)
		err = ht_targets_parse((const char *)text.data, text.len, out, &fault);
	if (err)
		fprintf(stderr, "icmp_bench: %s\n", fault.text);
	ht_buf_fini(&text);
	return err;
}

static int hold(const struct list *l, double seconds)
{
	struct hold h = { 0 };
	struct ht_targets targets = { 0 };
	const struct probe_site site = { .targets = &targets };
	struct ht_fault fault = { 0 };
	void *options = calloc(1, probe_reach.options->size);
	uv_loop_t loop;

	if (!options ||
	    ht_options_load(probe_reach.options, NULL, NULL, options, &fault) ||
	    read_targets(l, &targets))
		return 1;
	uv_loop_init(&loop);
	uv_idle_init(&loop, &h.answering);
	h.answering.data = &h;
	uv_check_init(&loop, &h.turn);
	h.turn.data = &h;
	uv_check_start(&h.turn, on_turn);
	uv_timer_init(&loop, &h.settled);
	h.settled.data = &h;
	uv_timer_start(&h.settled, on_settled, SETTLED_MS, 0);
	h.host = (struct probe_host){ .loop = &loop,
		.deadline_ns = ht_mono_ns() + (int64_t)(seconds * HT_NS_PER_S),
		.instance = "bench",
		.emit = hold_emit,
		.done = hold_done,
		.ask = hold_ask,
		.forget = hold_forget,
		.site = &site,
		.owner = &h };
	h.run = calloc(1, probe_reach.run_size);
	double cpu = cpu_s();
	if (probe_reach.start(h.run, options, &h.host))
		return 1;
	uv_run(&loop, UV_RUN_DEFAULT);
	cpu = cpu_s() - cpu;
	long resident = resident_kib();
	probe_reach.cancel(h.run, on_closed, &h);
	while (!h.closed)
		uv_run(&loop, UV_RUN_ONCE);
	printf("mode=hold targets=%zu seconds=%.0f sent=%.0f received=%.0f lost=%.0f "
	       "of_all=%.4f unsent=%.0f dropped=%.0f up=%zu down=%zu readings=%zu "
	       "longest_turn_ms=%.0f cpu_us_per_ping=%.3f rss_start_kib=%ld "
	       "rss_end_kib=%ld\n",
	    l->n, seconds, h.sent, h.received, h.sent - h.received,
	    h.sent / ((double)l->n * seconds), h.unsent, h.dropped, h.up, h.down,
	    h.readings, (double)h.longest_ns / HT_NS_PER_MS, cpu / h.sent * 1e6,
	    h.resident_kib, resident);
	return h.sent == h.received ? 0 : 1;
}

/* ---- sweep: one ping to each, as fast as it goes ---- */

struct sweep {
	struct echo echo;
	const union echo_address *to;
	size_t n, alive, sent, unsent;
	uint8_t *answered;
};

static void sweep_reply(void *arg, const struct icmp_echo *e,
    const union echo_address *from, int64_t at_ns, int64_t now_ns)
{
	struct sweep *s = arg;

	if (e->cookie >= s->n || s->answered[e->cookie] ||
	    from->v4.sin_addr.s_addr != s->to[e->cookie].v4.sin_addr.s_addr)
		return;
	s->answered[e->cookie] = 1;
	s->alive++;
}

static void sweep_sent(void *arg, uint32_t target, uint16_t seq, int64_t at_ns)
{
	struct sweep *s = arg;

	if (++s->sent % DRAIN_EVERY == 0)
		(void)echo_drain(&s->echo);
}

static void sweep_unsent(void *arg, uint32_t target, uint16_t seq, int err_no)
{
	struct sweep *s = arg;

	s->unsent++;
}

static void sweep_readable(void *arg)
{
	struct sweep *s = arg;

	(void)echo_drain(&s->echo);
}

static union echo_address *addresses(const struct list *l)
{
	union echo_address *to = calloc(l->n ? l->n : 1, sizeof(*to));

	for (size_t i = 0; to && i < l->n; i++) {
		to[i].v4.sin_family = AF_INET;
		if (inet_pton(AF_INET, l->text[i], &to[i].v4.sin_addr) != 1) {
			fprintf(stderr, "icmp_bench: \"%s\" is no IPv4 address\n",
			    l->text[i]);
			exit(2);
		}
	}
	return to;
}

static void on_wait_over(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Like `fping -q -r 0 -i 0`: waits half a second for the last replies at most. */
static int sweep(const struct list *l)
{
	struct sweep s = {
		.n = l->n, .to = addresses(l), .answered = calloc(l->n + 1, 1)
	};
	const struct echo_events events = { &s, sweep_reply, sweep_sent, sweep_unsent,
		sweep_readable };
	double cpu = cpu_s();
	bool over = false;
	uv_timer_t wait;
	uv_loop_t loop;

	uv_loop_init(&loop);
	if (!s.to || !s.answered ||
	    echo_open_take(&s.echo, &loop, open_socket(AF_INET), true, ICMP_V4, &events))
		return 1;
	echo_watch(&s.echo, true);
	for (size_t i = 0; i < l->n; i++)
		echo_put(
		    &s.echo, &(struct echo_request){
				 .target = (uint32_t)i, .cookie = i, .to = &s.to[i] });
	echo_flush(&s.echo);
	(void)echo_drain(&s.echo);
	uv_timer_init(&loop, &wait);
	wait.data = &over;
	uv_timer_start(&wait, on_wait_over, WAIT_MS, 0);
	while (!over && s.alive < s.n)
		uv_run(&loop, UV_RUN_ONCE);
	printf("mode=sweep targets=%zu alive=%zu unsent=%zu dropped=%llu "
	       "cpu_us_per_ping=%.3f\n",
	    s.n, s.alive, s.unsent, (unsigned long long)s.echo.counters.dropped,
	    (cpu_s() - cpu) / (double)l->n * 1e6);
	return s.alive == s.n ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct list l = { 0 };

	if (argc < 3) {
		fprintf(stderr, "usage: icmp_bench sweep FILE | hold FILE SECONDS\n");
		return 2;
	}
	list_read(argv[2], &l);
	if (strcmp(argv[1], "hold") == 0 && argc == 4)
		return hold(&l, atof(argv[3]));
	if (strcmp(argv[1], "sweep") == 0)
		return sweep(&l);
	return 2;
}
