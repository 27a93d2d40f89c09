#include "probes/wan/throughput/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/tcp_account.h"
#include "probes/wan/transfer.h"

#define SAMPLE_MS     50
#define LOOK_NS       (500 * HT_NS_PER_MS) /* how often it asks whether that is enough */
#define STAGE_NS      HT_NS_PER_S          /* for a number of streams to show */
#define QUIET_NS      (5 * HT_NS_PER_S)
#define BUFFER_BYTES  (256 * 1024)
#define PART_LEAST    (64 * 1024)
#define BYTES_LEAST   32768 /* with fewer nothing is measured */
#define BROKEN_MOST   8     /* transfers that ended badly, in a row */
#define SHORT_MOST    64    /* answers that brought next to nothing, in a row */
#define SHORT_BYTES   65536
#define FIRST_SECONDS 60 /* of a single transfer; the load ends it before */

struct stream {
	struct load *load;
	struct transfer *transfer; /* NULL: it has ended */
	uint64_t before, now;      /* bytes of transfers that ended, of this one */
	int code;                  /* of its answer, once that came */
};

struct load {
	struct load_config config;
	char url[LOAD_URL_MAX + 1], header[160], ca_file[4096];
	uv_loop_t *loop;
	uv_timer_t timer;
	struct transfers *transfers;
	struct stream streams[LOAD_STREAMS_MAX];
	int n, most;
	struct rate_trace trace;
	int64_t bytes, started_ns, looked_ns, staged_ns, staged_bytes;
	int64_t came; /* of bodies, counted as they are read: what may not exceed */
	bool full;    /* it has; nothing more is read */
	double staged_bps, rtt_s;
	bool grown; /* more streams bring nothing */
	int broken, shorts;
	bool failed;    /* a transfer could not be begun */
	uint8_t *block; /* what is sent */
	bool ended, timer_closed, transfers_closed;
	char trouble[LOAD_WHY_MAX]; /* of the last transfer that ended badly */
	void (*done)(void *arg, const struct load_result *result);
	void *arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ── the end ──────────────────────────────────────────────────────────────────────── */

static void finish(struct load *l, const char *why)
{
	struct load_result r = { .bytes = l->bytes, .streams = l->n };

	if (l->ended)
		return;
	l->ended = true;
	uv_timer_stop(&l->timer);
	r.known = l->bytes >= BYTES_LEAST && rate_estimate(&l->trace, &r.rate);
	if (why[0])
		snprintf(r.why, sizeof(r.why), "%s", why);
	else if (l->bytes < BYTES_LEAST)
		snprintf(r.why, sizeof(r.why),
		    "only %" PRId64 " bytes came: too few to measure by", l->bytes);
	else if (!r.known)
		snprintf(r.why, sizeof(r.why),
		    "its %s ended before a second of it was steady",
		    l->bytes >= l->config.bytes ? "bytes" : "time");
	else if (!r.rate.settled)
		snprintf(r.why, sizeof(r.why), "the rate did not settle");
	l->done(l->arg, &r);
}

/* ── streams ──────────────────────────────────────────────────────────────────────── */

static void stream_begin(struct stream *s);

/* "HTTP/1.1 200 OK": another answer's body is not what we came for. */
static bool on_header(void *arg, const char *line, size_t len)
{
	struct stream *s = arg;

	if (len > 12 && memcmp(line, "HTTP/1.", 7) == 0)
		s->code = (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
	return s->code < 300;
}

static void on_timer(uv_timer_t *timer);

/* On a fast line a sample's interval alone brings more than the whole test may cost:
 * nothing is read beyond that, and the sample is taken now. */
static bool on_body(void *arg, const void *bytes, size_t len)
{
	struct stream *s = arg;
	struct load *l = s->load;

	l->came += (int64_t)len;
	if (l->came < l->config.bytes)
		return true;
	if (!l->full && !l->ended)
		uv_timer_start(&l->timer, on_timer, 0, SAMPLE_MS);
	l->full = true;
	return false;
}

static size_t on_send(void *arg, void *out, size_t cap)
{
	struct stream *s = arg;
	size_t len = cap < BUFFER_BYTES ? cap : BUFFER_BYTES;

	memcpy(out, s->load->block, len);
	return len;
}

static void say_trouble(struct load *l, const struct transfer_result *r, int code)
{
	if (code >= 300)
		snprintf(l->trouble, sizeof(l->trouble), "the endpoint answered %d%s",
		    code,
		    code == 403   ? ": it does not take this pass"
		    : code == 413 ? ": the pass has too few bytes left"
				  : "");
	else
		snprintf(l->trouble, sizeof(l->trouble), "%s: %.120s",
		    transfer_end_name(r->end), r->error);
}

static void on_done(void *arg, const struct transfer_result *r)
{
	struct stream *s = arg;
	struct load *l = s->load;
	uint64_t seen = s->now;
	int code = s->code ? s->code : r->code;

	/* The kernel's account went with the socket. */
	if (!l->config.up && (uint64_t)r->received > seen)
		seen = (uint64_t)r->received;
	s->transfer = NULL;
	s->before += seen;
	s->now = 0;
	if (l->ended || l->full)
		return;
	bool good = r->end == TRANSFER_OK && code < 300;
	if (!good)
		say_trouble(l, r, code);
	l->broken = good ? 0 : l->broken + 1;
	l->shorts = seen < SHORT_BYTES ? l->shorts + 1 : 0;
	if (code >= 300 || l->broken > BROKEN_MOST ||
	    (!good && l->bytes == 0 && seen == 0))
		finish(l, l->trouble);
	else if (l->shorts > SHORT_MOST)
		finish(l, "the answers are too short to measure by: name a larger file");
	else
		stream_begin(s);
}

/* Each stream is to bring its part of what is left; one that has takes another. */
static int64_t part(const struct load *l)
{
	int64_t left = (l->config.bytes - l->bytes) / l->n;

	return left < PART_LEAST ? PART_LEAST : left;
}

static void stream_begin(struct stream *s)
{
	struct load *l = s->load;
	char url[LOAD_URL_MAX + 32];
	const char *headers[] = { l->header };
	int64_t bytes = part(l);
	struct transfer_request r = {
		.url = url,
		.method = l->config.up ? "PUT" : NULL,
		.headers = headers,
		.n_headers = l->header[0] != '\0',
		.ca_file = l->ca_file[0] ? l->ca_file : NULL,
		.timeout_ms = FIRST_SECONDS * HT_MS_PER_S,
		.send_bytes = bytes,
		.buffer_bytes = BUFFER_BYTES,
	};
	struct transfer_events on = { .header = on_header,
		.body = on_body,
		.send = l->config.up ? on_send : NULL,
		.done = on_done,
		.arg = s };

	s->code = 0;
	if (l->config.sized && !l->config.up)
		snprintf(url, sizeof(url), "%s?bytes=%" PRId64, l->url, bytes);
	else
		snprintf(url, sizeof(url), "%s", l->url);
	if (transfer_start(l->transfers, &r, &on, &s->transfer))
		l->failed = true; /* told by the timer */
}

static void streams_to(struct load *l, int n)
{
	int from = l->n;

	l->n = n;
	for (int i = from; i < n && !l->ended; i++) {
		l->streams[i].load = l;
		stream_begin(&l->streams[i]);
	}
}

/* ── looking ──────────────────────────────────────────────────────────────────────── */

static void sample(struct load *l, int64_t now_ns)
{
	uint64_t sum = 0;

	for (int i = 0; i < l->n; i++) {
		struct stream *s = &l->streams[i];
		struct ht_tcp_account tcp;

		if (s->transfer && ht_tcp_account_read(transfer_fd(s->transfer), &tcp)) {
			uint64_t bytes = l->config.up ? tcp.acked : tcp.received;

			s->now = bytes > s->now ? bytes : s->now;
			if (tcp.rtt_s > 0 && (l->rtt_s == 0 || tcp.rtt_s < l->rtt_s))
				l->rtt_s = tcp.rtt_s;
		}
		sum += s->before + s->now;
	}
	l->bytes = (int64_t)sum;
	rate_put(&l->trace, now_ns, sum);
}

static void grow(struct load *l, int64_t now_ns)
{
	double bps = (double)(l->bytes - l->staged_bytes) * 8 * HT_NS_PER_S /
		     (double)(now_ns - l->staged_ns);
	/* The first second is slow start. */
	bool first = l->staged_ns == l->started_ns;
	int n = first ? l->n : rate_streams(l->n, l->most, bps, l->staged_bps, l->rtt_s);

	l->staged_ns = now_ns;
	l->staged_bytes = l->bytes;
	if (first)
		return;
	l->grown = n == l->n;
	l->staged_bps = bps;
	if (!l->grown)
		streams_to(l, n);
}

static void on_timer(uv_timer_t *timer)
{
	struct load *l = timer->data;
	int64_t now_ns = ht_mono_ns();
	struct rate_estimate e;

	sample(l, now_ns);
	if (l->failed) {
		finish(l, "no transfer could be begun: is the URL one?");
		return;
	}
	if (l->full || l->bytes >= l->config.bytes || now_ns >= l->config.until_ns) {
		finish(l, "");
		return;
	}
	if (rate_quiet_ns(&l->trace) >= QUIET_NS) {
		finish(l, l->trouble[0] ? l->trouble : "nothing came for 5 s");
		return;
	}
	if (!l->grown && now_ns - l->staged_ns >= STAGE_NS)
		grow(l, now_ns);
	if (l->ended || now_ns - l->looked_ns < LOOK_NS)
		return;
	l->looked_ns = now_ns;
	if (l->grown && rate_estimate(&l->trace, &e) &&
	    rate_enough(&e, l->config.precision))
		finish(l, "");
}

/* ── life ─────────────────────────────────────────────────────────────────────────── */

/* Bytes that no line's compression makes fewer (xorshift64). */
static uint8_t *block_new(void)
{
	uint64_t *block = malloc(BUFFER_BYTES), x = 88172645463325252u;

	for (size_t i = 0; block && i < BUFFER_BYTES / sizeof(*block); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		block[i] = x;
	}
	return (uint8_t *)block;
}

static ht_err copy_config(struct load *l, const struct load_config *c)
{
	l->config = *c;
	l->most = c->streams_most < LOAD_STREAMS_MAX ? c->streams_most : LOAD_STREAMS_MAX;
	if (strlen(c->url) > LOAD_URL_MAX ||
	    (c->ca_file && strlen(c->ca_file) >= sizeof(l->ca_file)))
		return HT_TOOLARGE;
	memcpy(l->url, c->url, strlen(c->url) + 1);
	if (c->ca_file)
		memcpy(l->ca_file, c->ca_file, strlen(c->ca_file) + 1);
	if (c->token)
		snprintf(l->header, sizeof(l->header), "Authorization: Bearer %.128s",
		    c->token);
	return HT_OK;
}

ht_err load_start(uv_loop_t *loop, const struct load_config *config,
    void (*done)(void *arg, const struct load_result *result), void *arg,
    struct load **out)
{
	struct load *l = calloc(1, sizeof(*l));
	ht_err err = l ? copy_config(l, config) : HT_NOMEM;

	if (!err) {
		l->loop = loop;
		l->done = done;
		l->arg = arg;
		l->block = config->up ? block_new() : NULL;
		err = config->up && !l->block ? HT_NOMEM
					      : transfers_new(loop, &l->transfers);
	}
	if (err) {
		if (l)
			free(l->block);
		free(l);
		return err;
	}
	uv_timer_init(loop, &l->timer);
	l->timer.data = l;
	uv_timer_start(&l->timer, on_timer, SAMPLE_MS, SAMPLE_MS);
	l->started_ns = l->staged_ns = l->looked_ns = ht_mono_ns();
	rate_put(&l->trace, l->started_ns, 0);
	*out = l;
	streams_to(l, config->streams < l->most ? config->streams : l->most);
	return HT_OK;
}

int64_t load_bytes(const struct load *l)
{
	return l->bytes;
}

static void maybe_closed(struct load *l)
{
	if (!l->timer_closed || !l->transfers_closed)
		return;
	void (*closed)(void *arg) = l->closed;
	void *arg = l->closed_arg;

	explicit_bzero(l->header, sizeof(l->header));
	free(l->block);
	free(l);
	closed(arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct load *l = handle->data;

	l->timer_closed = true;
	maybe_closed(l);
}

static void on_transfers_closed(void *arg)
{
	struct load *l = arg;

	l->transfers_closed = true;
	maybe_closed(l);
}

void load_close(struct load *l, void (*closed)(void *arg), void *arg)
{
	l->ended = true;
	l->closed = closed;
	l->closed_arg = arg;
	uv_timer_stop(&l->timer);
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
	transfers_close(l->transfers, on_transfers_closed, l);
}
