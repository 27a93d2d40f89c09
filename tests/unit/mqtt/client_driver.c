/* A client (mqtt/client.h) driven by lines: commands on stdin, events on stdout, one JSON
 * object a line. For tests/e2e/test_mqtt_client.py. A 10 ms timer ticks all the time, and
 * "longest" in each event is the longest gap between two of its ticks so far, in ms: what
 * blocks the loop shows there.
 *
 *   mqtt_client_driver HOST PORTS CLIENT_ID CA CERT KEY [ADDRESS_FILE [TLS_NAME]]
 *   sub FILTER · pub TOPIC SEQ PAYLOAD · will TEXT · reconnect · reload · gap · close */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "mqtt/client.h"

enum { LINE_MAX_BYTES = 4096, TICK_MS = 10 };

static struct driver {
	uv_loop_t loop;
	uv_pipe_t in;
	uv_timer_t tick;
	struct client *client;
	uint64_t last_ns, longest_ns;
	char line[LINE_MAX_BYTES];
	size_t len;
} d;

/* libcrypto asks the time here: a test can start "in 1970". */
__attribute__((visibility("default"))) time_t time(time_t *out)
{
	const char *forced = getenv("DRIVER_TIME");
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	time_t now = forced ? (time_t)atoll(forced) : ts.tv_sec;
	if (out)
		*out = now;
	return now;
}

static void print_text(const char *text)
{
	putchar('"');
	for (; *text; text++)
		printf((unsigned char)*text < 0x20 || strchr("\"\\", *text) ? "\\u%04x"
									    : "%c",
		    *text);
	putchar('"');
}

static void event(const char *name, const char *key, const char *text)
{
	printf("{\"event\":\"%s\",\"longest\":%" PRIu64, name, d.longest_ns / 1000000);
	if (key) {
		printf(",\"%s\":", key);
		print_text(text);
	}
	puts("}");
	fflush(stdout);
}

static void on_online(void *arg)
{
	event("online", NULL, NULL);
}

static void on_offline(void *arg, const char *why)
{
	event("offline", "why", why);
}

static void on_message(void *arg, const struct client_message *m)
{
	char *payload = strndup(m->payload, m->len);

	printf("{\"event\":\"message\",\"topic\":");
	print_text(m->topic);
	printf(",\"type\":");
	print_text(m->content_type);
	printf(",\"retained\":%s,\"bad\":%s,\"has\":%u,\"seq\":%" PRId64
	       ",\"mono_ns\":%" PRId64 ",\"epoch\":\"%s\",\"len\":%zu,\"payload\":",
	    m->retained ? "true" : "false", m->props_bad ? "true" : "false", m->props.has,
	    m->props.seq, m->props.mono_ns, m->props.epoch, m->len);
	print_text(m->len <= 1024 ? payload : "");
	puts("}");
	fflush(stdout);
	free(payload);
}

static void on_published(void *arg, int mid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", mid);
	event("published", "mid", text);
}

static void on_tick(uv_timer_t *timer)
{
	uint64_t now = uv_hrtime();

	if (d.last_ns && now - d.last_ns > d.longest_ns)
		d.longest_ns = now - d.last_ns;
	d.last_ns = now;
}

static void on_closed(void *arg)
{
	event("closed", NULL, NULL);
	uv_close((uv_handle_t *)&d.tick, NULL);
	uv_close((uv_handle_t *)&d.in, NULL);
	uv_stop(&d.loop);
}

static ht_err publish(const char *topic, const char *seq, const char *payload)
{
	struct props props = { 0 };
	char *big = NULL;
	size_t len = strlen(payload);
	int mid = 0;

	if (props_set(&props, "seq", seq) ||
	    props_set(&props, "epoch", "0123456789abcdef") ||
	    props_set(&props, "mono", "12.5"))
		return HT_INVALID;
	if (*payload == '*') { /* *N: N bytes */
		len = (size_t)strtoul(payload + 1, NULL, 10);
		big = malloc(len + 1);
		memset(big, 'x', len);
		payload = big;
	}
	ht_err err = client_publish(
	    d.client, topic, payload, len, false, "text/plain", &props, &mid);
	free(big);
	return err;
}

static ht_err command(char *line)
{
	char *save = NULL, *verb = strtok_r(line, " ", &save),
	     *a = strtok_r(NULL, " ", &save);
	char *b = strtok_r(NULL, " ", &save), *rest = strtok_r(NULL, "", &save);
	struct ht_fault fault;
	ht_err err = HT_OK;

	if (strcmp(verb, "sub") == 0 && a)
		return client_subscribe(d.client, a, 1);
	if (strcmp(verb, "pub") == 0 && rest)
		return publish(a, b, rest);
	if (strcmp(verb, "will") == 0 && a)
		return client_set_will(d.client, a, strlen(a));
	if (strcmp(verb, "reload") == 0) {
		err = client_reload_tls(d.client, &fault);
		if (err)
			event("fault", "text", fault.text);
		return err;
	}
	if (strcmp(verb, "gap") == 0)
		d.longest_ns = 0;
	else if (strcmp(verb, "reconnect") == 0)
		client_reconnect(d.client);
	else if (strcmp(verb, "close") == 0)
		client_close(d.client, on_closed, NULL);
	else
		err = HT_INVALID;
	return err;
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
	*out = uv_buf_init(d.line + d.len, (unsigned)(sizeof(d.line) - 1 - d.len));
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	char *end;

	if (n < 0) {
		uv_read_stop(stream);
		client_close(d.client, on_closed, NULL);
		return;
	}
	d.len += (size_t)n;
	d.line[d.len] = '\0';
	while ((end = strchr(d.line, '\n'))) {
		*end = '\0';
		event("result", "name", ht_err_name(command(d.line)));
		d.len -= (size_t)(end + 1 - d.line);
		memmove(d.line, end + 1, d.len + 1);
	}
}

static void read_ports(const char *text, uint16_t ports[4])
{
	for (int i = 0; i < 4 && *text; i++) {
		char *end;

		ports[i] = (uint16_t)strtoul(text, &end, 10);
		text = *end ? end + 1 : end;
	}
}

int main(int argc, char **argv)
{
	struct client_config config = { .keepalive_s = 10,
		.will_topic = "will/driver",
		.will = "gone",
		.will_len = 4 };
	const struct client_events events = { NULL, on_online, on_offline, on_message,
		on_published };
	struct ht_fault fault = { 0 };

	if (argc < 7)
		return HT_EXIT_USAGE;
	config.host = argv[1];
	read_ports(argv[2], config.ports);
	config.client_id = argv[3];
	config.ca_file = argv[4];
	config.cert_file = argv[5];
	config.key_file = argv[6];
	config.address_file = argc > 7 && *argv[7] ? argv[7] : NULL;
	config.tls_name = argc > 8 ? argv[8] : NULL;
	uv_loop_init(&d.loop);
	if (client_library_init() ||
	    client_new(&d.loop, &config, &events, &d.client, &fault)) {
		event("fault", "text", fault.text);
		return HT_EXIT_CONFIG;
	}
	uv_timer_init(&d.loop, &d.tick);
	uv_timer_start(&d.tick, on_tick, TICK_MS, TICK_MS);
	uv_pipe_init(&d.loop, &d.in, 0);
	uv_pipe_open(&d.in, 0);
	uv_read_start((uv_stream_t *)&d.in, on_alloc, on_input);
	client_start(d.client);
	uv_run(&d.loop, UV_RUN_DEFAULT);
	uv_run(&d.loop, UV_RUN_NOWAIT);
	client_library_fini();
	return HT_EXIT_OK;
}
