/* lan.passive: who shows up by himself? Listens to ARP and DHCP that reach this machine
 * anyway (no promiscuous mode, nothing is sent) and tells each card once a window, and
 * again when it says something new. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/name.h"
#include "probes/lan/local.h"
#include "probes/lan/seen.h"
#include "probes/lan/tell.h"
#include "probes/lan/wire.h"
#include "probes/probe.h"

#define PASSIVE_LINKS_MAX 16
#define PASSIVE_MARGIN_NS (500 * HT_NS_PER_MS) /* the window ends before the deadline */

/* The kernel takes one VLAN tag off before it filters; the second line is for a frame
 * with two. */
#define PASSIVE_FILTER                          \
	"arp or (udp and (port 67 or port 68))" \
	" or (ether proto 0x8100 and ether[16:2] = 0x0806)"

struct passive_options {
	int64_t max_macs;
};

struct passive_link {
	struct passive_run *run;
	char name[LOCAL_NAME_MAX], id[HT_INSTANCE_MAX];
	char subnet[HT_ADDR_TEXT]; /* the one declared subnet attached here, or "" */
	ht_err err;
	bool lost, wire_used;
	struct wire wire;
	struct seen seen;
	uint64_t forged; /* ARP that speaks for another card */
};

struct passive_run {
	const struct probe_host *host;
	const struct passive_options *options;
	struct passive_link *links;
	size_t n_links, n_waiting, n_live;
	uv_timer_t timer;
	bool timer_used, over;
	size_t n_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- telling --------------------------------------------------------------------- */

struct sighting {
	const char *by;
	struct ht_mac mac;
	uint32_t ip;                   /* 0: none */
	bool elsewhere;                /* came through a relay */
	const struct frame_dhcp *dhcp; /* what the client said of itself, or NULL */
};

/* The declared subnet it is in: by its address, or by the interface when it has none. */
static void tell_subnet(
    struct passive_link *l, const struct teller *t, const struct sighting *s)
{
	const struct probe_site *site = l->run->host->site;
	struct ht_addr ip = ht_addr_from_v4(s->ip);
	char text[HT_ADDR_TEXT];

	if (!s->ip) {
		if (l->subnet[0] && !s->elsewhere)
			tell_string(t, HT_M_MAC_SUBNET, l->subnet);
		return;
	}
	for (size_t i = 0; i < site->n_subnets; i++) {
		if (!ht_addr_within(&site->subnets[i], &ip))
			continue;
		local_subnet_text(&site->subnets[i], text);
		tell_string(t, HT_M_MAC_SUBNET, text);
		return;
	}
}

static void tell_option(
    const struct teller *t, enum ht_metric m, const struct frame_option *o)
{
	char text[FRAME_LIST_TEXT];

	if (!o->len)
		return;
	if (m == HT_M_MAC_DHCP_PARAMETERS)
		frame_option_list(o, text);
	else if (m == HT_M_MAC_DHCP_CLIENT_ID)
		frame_option_hex(o, text);
	else
		frame_option_text(o, text, sizeof(text));
	if (text[0])
		tell_string(t, m, text);
}

static uint32_t dhcp_digest(const struct frame_dhcp *d)
{
	const struct frame_option *const all[] = { &d->hostname, &d->vendor_class,
		&d->parameters, &d->client_id };
	uint32_t digest = SEEN_DIGEST;

	for (size_t i = 0; i < HT_COUNT(all); i++) {
		digest = seen_digest(digest, &all[i]->len, 1);
		digest = seen_digest(digest, all[i]->bytes, all[i]->len);
	}
	return digest;
}

static void tell_sighting(struct passive_link *l, const struct sighting *s)
{
	char id[HT_MAC_TEXT], text[HT_ADDR_TEXT];

	if (!seen_put(&l->seen, &s->mac, s->ip, s->dhcp ? dhcp_digest(s->dhcp) : 0))
		return;
	ht_mac_format(&s->mac, id);
	struct teller t = teller_now(l->run->host, id);
	tell_string(&t, HT_M_MAC_SEEN_BY, s->by);
	if (s->ip) {
		struct ht_addr ip = ht_addr_from_v4(s->ip);

		ht_addr_format(&ip, text);
		tell_string(&t, HT_M_MAC_IPV4, text);
	}
	tell_subnet(l, &t, s);
	if (!s->dhcp)
		return;
	tell_option(&t, HT_M_MAC_HOSTNAME, &s->dhcp->hostname);
	tell_option(&t, HT_M_MAC_DHCP_CLASS, &s->dhcp->vendor_class);
	tell_option(&t, HT_M_MAC_DHCP_PARAMETERS, &s->dhcp->parameters);
	tell_option(&t, HT_M_MAC_DHCP_CLIENT_ID, &s->dhcp->client_id);
}

static void link_status(const struct passive_link *l, char *out, size_t cap)
{
	static const struct {
		ht_err err;
		const char *text;
	} reasons[] = {
		{ HT_DENIED, "denied: capturing on the interface is not permitted" },
		{ HT_NOTFOUND, "no-interface: the interface does not exist" },
		{ HT_UNSUPPORTED, "unsupported: the interface does not speak Ethernet" },
	};

	snprintf(out, cap, "error: no capture could be opened on the interface");
	for (size_t i = 0; i < HT_COUNT(reasons); i++) {
		if (l->err == reasons[i].err)
			snprintf(out, cap, "%s", reasons[i].text);
	}
	if (l->err)
		return;
	if (l->lost)
		snprintf(
		    out, cap, "no-interface: it went down or away during the window");
	else if (l->seen.refused)
		snprintf(out, cap, "partial: %llu sightings did not fit into the table",
		    (unsigned long long)l->seen.refused);
	else
		snprintf(out, cap, "ok");
}

static void tell_link(const struct probe_host *host, struct passive_link *l)
{
	struct teller t = teller_now(host, l->id);
	char status[128];

	link_status(l, status, sizeof(status));
	tell_string(&t, HT_M_LAN_STATUS, status);
	if (!l->wire_used)
		return;
	tell_number(&t, HT_M_LAN_FRAMES, (double)l->wire.frames);
	tell_number(&t, HT_M_LAN_DROPPED, (double)wire_dropped(&l->wire));
	tell_number(&t, HT_M_LAN_MALFORMED, (double)(l->wire.malformed + l->forged));
}

static void finish(struct passive_run *run)
{
	if (run->over)
		return;
	run->over = true;
	if (run->timer_used)
		uv_timer_stop(&run->timer);
	for (size_t i = 0; i < run->n_links; i++)
		tell_link(run->host, &run->links[i]);
	if (run->n_links == 0) {
		struct teller t = teller_now(run->host, run->host->instance);

		tell_string(&t, HT_M_LAN_STATUS, "no-interface: the site lists none");
	}
	run->host->done(run->host);
}

/* ---- listening ------------------------------------------------------------------- */

static void on_arp(struct passive_link *l, const struct frame_arp *a)
{
	struct sighting s = { .by = "arp", .mac = a->sender_mac, .ip = a->sender_ip };

	if (a->sender_differs)
		l->forged++;
	else
		tell_sighting(l, &s);
}

enum { DHCP_ACK = 5 };

static void on_dhcp(struct passive_link *l, const struct frame_dhcp *d)
{
	struct sighting s = {
		.by = "dhcp", .mac = d->client, .elsewhere = d->giaddr != 0
	};

	if (d->op == FRAME_DHCP_FROM_CLIENT) {
		s.ip = d->ciaddr;
		s.dhcp = d;
	} else if (d->type == DHCP_ACK) {
		s.ip = d->yiaddr;
	} else {
		return; /* an offer or a refusal: the client spoke before */
	}
	tell_sighting(l, &s);
}

static void on_frame(void *arg, const struct frame *f)
{
	struct passive_link *l = arg;

	if (l->run->over)
		return;
	if (f->kind == FRAME_ARP)
		on_arp(l, &f->arp);
	else if (f->kind == FRAME_DHCP)
		on_dhcp(l, &f->dhcp);
}

/* The capture is of no use any more, also if the interface comes back (ppp0): the next
 * run asks for a new one. */
static void on_gone(void *arg)
{
	struct passive_link *l = arg;

	l->lost = true;
	if (--l->run->n_live == 0 && l->run->n_waiting == 0)
		finish(l->run);
}

static ht_err open_link(struct passive_link *l, int fd)
{
	ht_err err = seen_init(&l->seen, (uint32_t)l->run->options->max_macs);

	if (err) {
		close(fd);
		return err;
	}
	err = wire_open(
	    &l->wire, l->run->host->loop, fd, PASSIVE_FILTER, on_frame, on_gone, l);
	l->wire_used = !err;
	l->run->n_live += l->wire_used;
	return err;
}

static void on_capture(void *arg, const struct probe_grant *grant)
{
	struct passive_link *l = arg;
	struct passive_run *run = l->run;

	run->n_waiting--;
	l->err = grant->err ? grant->err : open_link(l, grant->fd);
	if (run->n_waiting == 0 && run->n_live == 0)
		finish(run);
}

static void on_timer(uv_timer_t *timer)
{
	finish(timer->data);
}

static void start_window(struct passive_run *run)
{
	int64_t left = run->host->deadline_ns - ht_mono_ns();
	int64_t window =
	    left - (left / 4 < PASSIVE_MARGIN_NS ? left / 4 : PASSIVE_MARGIN_NS);

	uv_timer_init(run->host->loop, &run->timer);
	run->timer.data = run;
	run->timer_used = true;
	uv_update_time(run->host->loop);
	uv_timer_start(
	    &run->timer, on_timer, (uint64_t)(window > 0 ? window / HT_NS_PER_MS : 0), 0);
}

/* The declared subnet on this interface, if there is exactly one. */
static void find_subnet(struct passive_link *l, const struct local *local)
{
	const struct probe_site *site = l->run->host->site;
	size_t found = 0;

	for (size_t i = 0; i < site->n_subnets; i++) {
		if (!local_attached(local, l->name, &site->subnets[i]))
			continue;
		local_subnet_text(&site->subnets[i], l->subnet);
		found++;
	}
	if (found != 1)
		l->subnet[0] = '\0';
}

static ht_err plan(struct passive_run *run)
{
	const struct probe_site *site = run->host->site;
	struct local *local = malloc(sizeof(*local));
	ht_err err = local ? local_read(local) : HT_NOMEM;
	size_t n = site->n_interfaces < PASSIVE_LINKS_MAX ? site->n_interfaces
							  : PASSIVE_LINKS_MAX;

	run->links = calloc(n ? n : 1, sizeof(*run->links));
	if (!run->links)
		err = HT_NOMEM;
	run->n_links = n;
	for (size_t i = 0; !err && i < n; i++) {
		struct passive_link *l = &run->links[i];

		l->run = run;
		snprintf(l->name, sizeof(l->name), "%s", site->interfaces[i]);
		ht_id_from(l->name, l->id, sizeof(l->id));
		find_subnet(l, local);
	}
	free(local);
	return err;
}

static void release(struct passive_run *run)
{
	for (size_t i = 0; run->links && i < run->n_links; i++)
		seen_fini(&run->links[i].seen);
	free(run->links);
	run->links = NULL;
	run->n_links = 0;
}

static ht_err passive_start(
    void *state, const void *options, const struct probe_host *host)
{
	struct passive_run *run = state;

	run->host = host;
	run->options = options;
	ht_err err = plan(run);
	if (err) {
		release(run);
		return err;
	}
	run->n_waiting = run->n_links;
	for (size_t i = 0; i < run->n_links; i++) {
		struct passive_link *l = &run->links[i];

		l->err = host->ask(host, PROBE_CAPTURE, l->name, on_capture, l);
		run->n_waiting -= l->err != HT_OK;
	}
	if (run->n_waiting == 0)
		finish(run);
	else
		start_window(run);
	return HT_OK;
}

/* ---- ending ---------------------------------------------------------------------- */

static void closed_one(struct passive_run *run)
{
	if (--run->n_closing > 0)
		return;
	release(run);
	run->closed(run->closed_arg);
}

static void on_wire_closed(void *arg)
{
	closed_one(((struct passive_link *)arg)->run);
}

static void on_timer_closed(uv_handle_t *handle)
{
	closed_one(handle->data);
}

static void passive_cancel(void *state, void (*closed)(void *arg), void *arg)
{
	struct passive_run *run = state;
	bool again = run->closed != NULL;

	run->over = true;
	run->closed = closed;
	run->closed_arg = arg;
	if (again)
		return;
	run->n_closing = 1;
	if (run->timer_used) {
		run->n_closing++;
		uv_close((uv_handle_t *)&run->timer, on_timer_closed);
	}
	for (size_t i = 0; i < run->n_links; i++) {
		struct passive_link *l = &run->links[i];

		run->host->forget(run->host, l);
		if (!l->wire_used)
			continue;
		run->n_closing++;
		wire_close(&l->wire, on_wire_closed);
	}
	closed_one(run);
}

static const struct ht_option passive_option_rows[] = {
	{ "max_macs", HT_OPT_INT, offsetof(struct passive_options, max_macs), .min = 16,
	    .max = 16384, .def = "4096",
	    .help = "cards kept apart in one window; more are counted" },
};
static const struct ht_options passive_option_table =
    HT_OPTIONS(struct passive_options, passive_option_rows);

static const enum ht_metric passive_metrics[] = {
	HT_M_LAN_STATUS,
	HT_M_LAN_FRAMES,
	HT_M_LAN_DROPPED,
	HT_M_LAN_MALFORMED,
	HT_M_MAC_SEEN_BY,
	HT_M_MAC_IPV4,
	HT_M_MAC_SUBNET,
	HT_M_MAC_HOSTNAME,
	HT_M_MAC_DHCP_CLASS,
	HT_M_MAC_DHCP_PARAMETERS,
	HT_M_MAC_DHCP_CLIENT_ID,
};

extern const struct probe_ops probe_lan_passive;
const struct probe_ops probe_lan_passive = {
	.name = "lan.passive",
	.help = "cards that show up by themselves: ARP and DHCP on the wire",
	.metrics = passive_metrics,
	.n_metrics = HT_COUNT(passive_metrics),
	.options = &passive_option_table,
	.run_size = sizeof(struct passive_run),
	.continuous = true,
	.start = passive_start,
	.cancel = passive_cancel,
};
