/* snmp.interfaces: the system group and the interface table of one device. */
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "probes/probe.h"
#include "probes/snmp/credentials.h"
#include "probes/snmp/device.h"
#include "probes/snmp/report.h"
#include "probes/wan/resolve.h"

enum { ROWS_MAX = 10000 };
#define DEADLINE_MARGIN_NS (200 * HT_NS_PER_MS) /* to report before we are cancelled */

struct interfaces_options {
	struct credentials_options credentials;
	char *target, *link_interface;
	int64_t port, wait_ns, retries;
};

#define OPT(f) offsetof(struct interfaces_options, f)
static const struct ht_option option_rows[] = {
	{ "target", HT_OPT_STRING, OPT(target), .min = 1, .max = 253, .required = true,
	    .help = "address or name of the device" },
	{ "port", HT_OPT_INT, OPT(port), .min = 1, .max = 65535, .def = "161",
	    .help = "UDP port" },
	CREDENTIALS_OPTIONS(OPT(credentials)),
	{ "wait", HT_OPT_DURATION, OPT(wait_ns), .min = 50 * HT_NS_PER_MS,
	    .max = 60 * HT_NS_PER_S, .def = "2s",
	    .help = "how long an answer is waited for" },
	{ "retries", HT_OPT_INT, OPT(retries), .min = 0, .max = 10, .def = "2",
	    .help = "how often a lost request is sent again" },
	{ "link_interface", HT_OPT_STRING, OPT(link_interface), .min = 1, .max = 255,
	    .help = "ifName of the interface that carries the link" },
};
static const struct ht_options interfaces_options =
    HT_OPTIONS(struct interfaces_options, option_rows);

static const enum ht_metric interfaces_metrics[] = { REPORT_METRICS };

struct interfaces_run {
	const struct interfaces_options *o;
	const struct probe_host *host;
	struct resolve *resolve;
	struct device *device;
	bool finished;
	struct table table;
	char target[HT_ADDR_TEXT];
	struct credentials credentials;
	uv_timer_t end;
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void finish(struct interfaces_run *r, const char *status)
{
	if (r->finished)
		return;
	r->finished = true;
	uv_timer_stop(&r->end);
	unsigned requests = r->device ? device_requests(r->device) : 0;
	const struct report report = { .host = r->host,
		.device = r->host->instance,
		.target = r->target[0] ? r->target : NULL,
		.status = status,
		.reason = r->device ? device_reason(r->device) : NULL,
		.requests = r->device ? &requests : NULL,
		.link_interface = r->o->link_interface };

	report_poll(&report, &r->table);
	r->host->done(r->host);
}

/* Our own deadline, a little before the scheduler's. */
static void on_end(uv_timer_t *timer)
{
	struct interfaces_run *r = timer->data;

	finish(r, r->table.n ? "partial" : r->target[0] ? "timeout" : "unresolved");
}

static void on_polled(void *arg, enum device_status status)
{
	finish(arg, device_status_name(status));
}

static ht_err interfaces_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	const struct interfaces_options *o = options;

	return credentials_check(&o->credentials, node, fault);
}

/* ---- the run ---- */

static void on_address(void *arg, ht_err err, const struct sockaddr *addr)
{
	struct interfaces_run *r = arg;
	const struct interfaces_options *o = r->o;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;

	r->resolve = NULL;
	if (err) {
		finish(r, "unresolved");
		return;
	}
	resolve_format(addr, r->target);
	if (addr->sa_family == AF_INET) {
		memcpy(&to.v4, addr, sizeof(to.v4));
		to.v4.sin_port = htons((uint16_t)o->port);
	} else {
		memcpy(&to.v6, addr, sizeof(to.v6));
		to.v6.sin6_port = htons((uint16_t)o->port);
	}
	const struct device_config config = { .to = &to.any,
		.credentials = &r->credentials,
		.wait_ns = o->wait_ns,
		.retries = (int)o->retries,
		.tables = MIB_INTERFACES };

	err = device_open_take(
	    r->host->loop, &config, NULL, &r->table, on_polled, r, &r->device);
	if (err)
		finish(r, err == HT_INVALID ? "auth-failed" : "error");
}

static ht_err interfaces_start(
    void *run, const void *options, const struct probe_host *host)
{
	struct interfaces_run *r = run;

	r->o = options;
	r->host = host;
	table_init(&r->table, ROWS_MAX);
	ht_err err = credentials_read(&r->o->credentials, &r->credentials, NULL);

	if (err)
		return err;
	uv_timer_init(host->loop, &r->end);
	r->end.data = r;
	int64_t left = host->deadline_ns - DEADLINE_MARGIN_NS - ht_mono_ns();

	uv_timer_start(
	    &r->end, on_end, left > 0 ? (uint64_t)(left / HT_NS_PER_MS) : 0, 0);
	if (resolve_start(
		host->loop, r->o->target, AF_UNSPEC, on_address, r, &r->resolve))
		finish(r, "error");
	return HT_OK;
}

static void one_closed(struct interfaces_run *r)
{
	if (--r->open_handles)
		return;
	table_fini(&r->table);
	credentials_fini(&r->credentials);
	r->closed(r->closed_arg);
}

static void on_timer_closed(uv_handle_t *h)
{
	one_closed(h->data);
}

static void on_device_closed(void *arg)
{
	one_closed(arg);
}

static void interfaces_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct interfaces_run *r = run;

	if (r->closed)
		return;
	r->finished = true;
	r->closed = closed;
	r->closed_arg = arg;
	resolve_cancel(r->resolve);
	r->resolve = NULL;
	r->open_handles = r->device ? 2 : 1;
	uv_close((uv_handle_t *)&r->end, on_timer_closed);
	if (r->device)
		device_close(r->device, on_device_closed, r);
}

const struct probe_ops probe_snmp_interfaces = {
	.name = "snmp.interfaces",
	.help = "a device's interfaces by SNMP: names, states, speeds and counters",
	.metrics = interfaces_metrics,
	.n_metrics = HT_COUNT(interfaces_metrics),
	.options = &interfaces_options,
	.run_size = sizeof(struct interfaces_run),
	.start = interfaces_start,
	.cancel = interfaces_cancel,
	.check = interfaces_check,
};
