/* lan.arp: who is there? Asks every address of the declared subnets that are attached to
 * a listed interface, by ARP, within the site's packet budget. What a run cannot finish
 * the next one goes on with. Never a packet for an address outside a declared subnet. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/name.h"
#include "probes/lan/local.h"
#include "probes/lan/seen.h"
#include "probes/lan/sweep.h"
#include "probes/lan/tell.h"
#include "probes/lan/wire.h"
#include "probes/probe.h"

#define ARP_SUBNETS_MAX 64
#define ARP_LINKS_MAX   16
#define ARP_MACS_MAX    4096
#define ARP_CHUNK_MAX   256u
#define ARP_LINGER_NS   HT_NS_PER_S          /* how long late answers are waited for */
#define ARP_MARGIN_NS   (250 * HT_NS_PER_MS) /* done before the deadline */
#define ARP_MEMORY_MAX  1024
#define ARP_FILTER      "arp and arp[6:2] = 2" /* replies */

struct arp_options {
	int64_t tries;
};

enum link_state { LINK_ASKED, LINK_OPEN, LINK_REFUSED, LINK_LOST };

/* One interface that we scan on. */
struct arp_link {
	struct arp_run *run;
	char name[LOCAL_NAME_MAX];
	enum link_state state;
	ht_err err; /* LINK_REFUSED: why */
	struct wire wire;
	bool wire_used; /* wire is to be closed */
	struct seen seen;
};

/* One declared subnet. */
struct arp_scan {
	char id[HT_INSTANCE_MAX], text[HT_ADDR_TEXT];
	struct ht_addr declared;
	struct sweep sweep;       /* sweep.net is the attached part of `declared` */
	struct arp_link *link;    /* NULL: not scanned, `status` tells why */
	uint32_t own_ip, gateway; /* gateway 0: none known */
	bool ended;
	char status[160];
};

struct arp_run {
	const struct probe_host *host;
	const struct arp_options *options;
	struct arp_scan *scans;
	size_t n_scans, turn; /* turn: whose address is next */
	struct arp_link *links;
	size_t n_links, n_waiting; /* waiting: asks the monitor has not answered */
	uv_timer_t timer;
	bool timer_used, over;
	int64_t send_until_ns, linger_ns, end_ns;
	size_t n_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* All scanning in this process shares the site's one budget, whatever runs it. */
static struct pace arp_pace;

/* ---- planning -------------------------------------------------------------------- */

static bool listed(const struct probe_site *site, const char *name)
{
	for (size_t i = 0; i < site->n_interfaces; i++) {
		if (strcmp(site->interfaces[i], name) == 0)
			return true;
	}
	return false;
}

static struct arp_link *link_for(struct arp_run *run, const char *name)
{
	for (size_t i = 0; i < run->n_links; i++) {
		if (strcmp(run->links[i].name, name) == 0)
			return &run->links[i];
	}
	if (run->n_links == ARP_LINKS_MAX)
		return NULL;
	struct arp_link *l = &run->links[run->n_links++];
	l->run = run;
	snprintf(l->name, sizeof(l->name), "%s", name);
	return l;
}

/* Our address whose network shares most with the declared subnet. */
static const struct local_addr *best_addr(const struct arp_run *run,
    const struct local *local, const struct ht_addr *declared, struct ht_addr *out_net)
{
	const struct local_addr *best = NULL;

	for (size_t i = 0; i < local->n_addrs; i++) {
		const struct local_addr *a = &local->addrs[i];
		const struct local_if *f = &local->ifs[a->interface];
		struct ht_addr net;

		if (!f->up || !f->ether || !listed(run->host->site, f->name))
			continue;
		if (!local_attached_part(declared, &a->addr, &net))
			continue;
		if (best && out_net->prefix <= net.prefix)
			continue;
		best = a;
		*out_net = net;
	}
	return best;
}

static void refuse(struct arp_scan *s, const char *why)
{
	snprintf(s->status, sizeof(s->status), "%s", why);
}

static void mark_own(struct arp_scan *s, const struct local *local)
{
	for (size_t i = 0; i < local->n_addrs; i++) {
		if (local->addrs[i].addr.family == AF_INET)
			sweep_answer(&s->sweep, ht_addr_v4(&local->addrs[i].addr));
	}
}

/* The place that an earlier run remembered: lines of "<subnet> <host index>". */
static uint32_t remembered(const struct probe_host *host, const char *subnet)
{
	char text[ARP_MEMORY_MAX + 1], name[HT_ADDR_TEXT];
	size_t len = 0;
	const void *bytes = host->recall(host, &len);
	uint32_t at;
	int used;

	if (!bytes || len > ARP_MEMORY_MAX)
		return 0;
	memcpy(text, bytes, len);
	text[len] = '\0';
	for (char *p = text; sscanf(p, "%63s %" SCNu32 "\n%n", name, &at, &used) == 2;
	     p += used) {
		if (strcmp(name, subnet) == 0)
			return at;
	}
	return 0;
}

/* Addresses a chunk: small enough that a run finishes some, whatever its budget. */
static uint32_t chunk_size(const struct arp_run *run, int64_t per_s)
{
	int64_t window_ms = (run->send_until_ns - ht_mono_ns()) / HT_NS_PER_MS;
	int64_t packets = window_ms > 0 ? window_ms * per_s / 1000 : 0;
	int64_t share = packets / (4 * (int64_t)run->n_scans);

	if (share < 1)
		return 1;
	return share < ARP_CHUNK_MAX ? (uint32_t)share : ARP_CHUNK_MAX;
}

static int64_t budget(const struct arp_run *run)
{
	int64_t per_s = run->host->site->packets_per_s;

	return per_s > 0 ? per_s : 1;
}

static ht_err plan_scan(
    struct arp_run *run, struct arp_scan *s, const struct local *local)
{
	struct ht_addr net;
	const struct local_addr *own;

	local_subnet_text(&s->declared, s->text);
	ht_id_from(s->text, s->id, sizeof(s->id));
	if (s->declared.family != AF_INET) {
		refuse(s, "unsupported: ARP asks for IPv4 addresses only");
		return HT_OK;
	}
	own = best_addr(run, local, &s->declared, &net);
	if (!own) {
		refuse(s,
		    "not-attached: no listed interface that is up has an address in it");
		return HT_OK;
	}
	ht_err err = sweep_init(&s->sweep, &net, remembered(run->host, s->text),
	    chunk_size(run, budget(run)), (unsigned)run->options->tries);
	if (err == HT_TOOLARGE) {
		refuse(s, "too-large: at most a /16 is scanned; declare the parts that "
			  "are used");
		return HT_OK;
	}
	if (err)
		return err;
	s->link = link_for(run, local->ifs[own->interface].name);
	if (!s->link) {
		refuse(s, "error: too many interfaces");
		return HT_OK;
	}
	const struct local_gateway *gw =
	    local_gateway(local, AF_INET, local->ifs[own->interface].name);
	s->own_ip = ht_addr_v4(&own->addr);
	s->gateway = gw ? ht_addr_v4(&gw->addr) : 0;
	mark_own(s, local);
	return HT_OK;
}

/* ---- telling --------------------------------------------------------------------- */

static void tell_sighting(struct arp_scan *s, const struct ht_mac *mac, uint32_t ip)
{
	struct ht_addr addr = ht_addr_from_v4(ip);
	char id[HT_MAC_TEXT], text[HT_ADDR_TEXT];

	if (!seen_put(&s->link->seen, mac, ip, 0))
		return;
	ht_mac_format(mac, id);
	ht_addr_format(&addr, text);
	struct teller t = teller_now(s->link->run->host, id);
	tell_string(&t, HT_M_MAC_SEEN_BY, "arp-scan");
	tell_string(&t, HT_M_MAC_IPV4, text);
	tell_string(&t, HT_M_MAC_SUBNET, s->text);
	tell_bool(&t, HT_M_MAC_GATEWAY, ip == s->gateway);
}

static const char *link_status(const struct arp_link *l)
{
	if (l->state == LINK_LOST)
		return "no-interface: it went down or away during the scan";
	switch (l->err) {
	case HT_DENIED:
		return "denied: capturing on the interface is not permitted";
	case HT_NOTFOUND:
		return "no-interface: the interface does not exist";
	case HT_UNSUPPORTED:
		return "unsupported: the interface does not speak Ethernet";
	default:
		return "error: no capture could be opened on the interface";
	}
}

static void scan_status(struct arp_scan *s)
{
	char part[HT_ADDR_TEXT];

	if (!s->link)
		return;
	if (s->link->state != LINK_OPEN) {
		refuse(s, link_status(s->link));
	} else if (s->sweep.asked < s->sweep.n_hosts) {
		snprintf(s->status, sizeof(s->status),
		    "partial: the packet budget of this run is used up, the next goes "
		    "on");
	} else if (s->sweep.net.prefix != s->declared.prefix) {
		ht_addr_format(&s->sweep.net, part);
		snprintf(s->status, sizeof(s->status),
		    "partial: only %s is attached here", part);
	} else {
		refuse(s, "ok");
	}
}

static void tell_scan(const struct probe_host *host, struct arp_scan *s)
{
	struct teller t = teller_now(host, s->id);

	scan_status(s);
	tell_string(&t, HT_M_LAN_STATUS, s->status);
	tell_string(&t, HT_M_LAN_SUBNET, s->text);
	if (s->declared.family == AF_INET)
		tell_number(&t, HT_M_LAN_TARGETS, ht_addr_v4_hosts(&s->declared));
	if (!s->link || s->link->state == LINK_REFUSED)
		return;
	tell_number(&t, HT_M_LAN_PROBED, s->sweep.asked);
	tell_number(&t, HT_M_LAN_ANSWERED, s->sweep.answered);
}

static void remember(struct arp_run *run)
{
	char text[ARP_MEMORY_MAX];
	size_t len = 0;

	for (size_t i = 0; i < run->n_scans; i++) {
		const struct arp_scan *s = &run->scans[i];
		uint32_t at = s->link ? sweep_resume(&s->sweep) : 0;
		char line[HT_ADDR_TEXT + 16];
		int n = snprintf(line, sizeof(line), "%s %" PRIu32 "\n", s->text, at);

		if (at == 0 || len + (size_t)n > sizeof(text))
			continue;
		memcpy(text + len, line, (size_t)n);
		len += (size_t)n;
	}
	ht_err err = run->host->remember(run->host, text, len);
	(void)err; /* then the next run begins at the first address: no harm */
}

static void finish(struct arp_run *run)
{
	const struct probe_host *host = run->host;

	if (run->over)
		return;
	run->over = true;
	if (run->timer_used)
		uv_timer_stop(&run->timer);
	for (size_t i = 0; i < run->n_scans; i++)
		tell_scan(host, &run->scans[i]);
	if (run->n_scans == 0) {
		struct teller t = teller_now(host, host->instance);

		tell_string(&t, HT_M_LAN_STATUS, "no-subnet: the site declares none");
	}
	remember(run);
	host->done(host);
}

/* ---- scanning -------------------------------------------------------------------- */

static void on_frame(void *arg, const struct frame *f)
{
	struct arp_link *l = arg;
	struct arp_run *run = l->run;

	if (run->over || f->kind != FRAME_ARP || f->arp.op != FRAME_ARP_REPLY)
		return;
	/* Only answers to us; and who speaks for another card is not believed. */
	if (memcmp(&f->arp.target_mac, &l->wire.mac, sizeof(l->wire.mac)) != 0 ||
	    f->arp.sender_differs)
		return;
	for (size_t i = 0; i < run->n_scans; i++) {
		struct arp_scan *s = &run->scans[i];

		if (s->link == l && sweep_answer(&s->sweep, f->arp.sender_ip))
			tell_sighting(s, &f->arp.sender_mac, f->arp.sender_ip);
	}
}

static void on_gone(void *arg)
{
	struct arp_link *l = arg;

	l->state = LINK_LOST;
}

/* Send to the next address of this scan. HT_AGAIN: not now. */
static ht_err scan_step(struct arp_scan *s, int64_t now, bool *out_sent)
{
	uint8_t frame[FRAME_ARP_LEN];
	uint32_t ip;

	*out_sent = false;
	if (!s->link || s->link->state != LINK_OPEN)
		s->ended = true;
	if (s->ended)
		return HT_OK;
	switch (sweep_next(&s->sweep, now, &ip)) {
	case SWEEP_WAIT:
		return HT_OK;
	case SWEEP_END:
		s->ended = true;
		return HT_OK;
	case SWEEP_ASK:
		break;
	}
	frame_arp_request(&s->link->wire.mac, s->own_ip, ip, frame);
	ht_err err = wire_send(&s->link->wire, frame, sizeof(frame));
	/* A full queue loses this one try of one address; the budget is spent all the
	 * same. */
	*out_sent = true;
	return err == HT_AGAIN ? HT_AGAIN : HT_OK;
}

/* One packet, from the scan whose turn it is. False when none has one now. */
static bool send_one(struct arp_run *run, int64_t now)
{
	for (size_t i = 0; i < run->n_scans; i++) {
		struct arp_scan *s = &run->scans[run->turn];
		bool sent;

		run->turn = (run->turn + 1) % run->n_scans;
		ht_err err = scan_step(s, now, &sent);
		if (sent)
			return !err;
	}
	return false;
}

static bool all_ended(const struct arp_run *run)
{
	for (size_t i = 0; i < run->n_scans; i++) {
		if (!run->scans[i].ended)
			return false;
	}
	return true;
}

static void on_timer(uv_timer_t *timer);

static void wake_in(struct arp_run *run, int64_t ns)
{
	int64_t ms = (ns + HT_NS_PER_MS - 1) / HT_NS_PER_MS;

	uv_update_time(run->host->loop);
	uv_timer_start(&run->timer, on_timer, (uint64_t)(ms > 0 ? ms : 1), 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct arp_run *run = timer->data;
	int64_t now = ht_mono_ns();
	int64_t per_s = budget(run);

	if (run->end_ns && now >= run->end_ns) {
		finish(run);
		return;
	}
	if (run->end_ns) {
		wake_in(run, run->end_ns - now);
		return;
	}
	/* The budget is taken before a packet is chosen; a turn without one gives it
	 * back. */
	struct pace before = arp_pace;
	while (now < run->send_until_ns && pace_take(&arp_pace, now, per_s)) {
		if (!send_one(run, now)) {
			arp_pace = before;
			break;
		}
		before = arp_pace;
	}
	if (all_ended(run) || now >= run->send_until_ns) {
		run->end_ns = now + run->linger_ns;
		wake_in(run, run->linger_ns);
		return;
	}
	int64_t wait = pace_wait(&arp_pace, now, per_s);
	wake_in(run, wait > 0 ? wait : 10 * HT_NS_PER_MS);
}

static void tell_own(struct arp_run *run)
{
	for (size_t i = 0; i < run->n_scans; i++) {
		struct arp_scan *s = &run->scans[i];

		if (s->link && s->link->state == LINK_OPEN)
			tell_sighting(s, &s->link->wire.mac, s->own_ip);
	}
}

static void begin(struct arp_run *run)
{
	tell_own(run);
	uv_timer_init(run->host->loop, &run->timer);
	run->timer.data = run;
	run->timer_used = true;
	wake_in(run, 0);
}

static void on_capture(void *arg, const struct probe_grant *grant)
{
	struct arp_link *l = arg;
	struct arp_run *run = l->run;

	l->err = grant->err;
	if (!l->err) {
		l->err = seen_init(&l->seen, ARP_MACS_MAX);
		if (l->err)
			close(grant->fd);
	}
	if (!l->err) {
		l->err = wire_open(&l->wire, run->host->loop, grant->fd, ARP_FILTER,
		    on_frame, on_gone, l);
		l->wire_used = !l->err;
	}
	l->state = l->err ? LINK_REFUSED : LINK_OPEN;
	if (--run->n_waiting == 0)
		begin(run);
}

static void set_times(struct arp_run *run)
{
	int64_t now = ht_mono_ns();
	int64_t left = run->host->deadline_ns - now;

	run->linger_ns = left / 4 < ARP_LINGER_NS ? left / 4 : ARP_LINGER_NS;
	run->send_until_ns = run->host->deadline_ns - run->linger_ns -
			     (left / 8 < ARP_MARGIN_NS ? left / 8 : ARP_MARGIN_NS);
}

static ht_err plan(struct arp_run *run)
{
	const struct probe_site *site = run->host->site;
	struct local *local = malloc(sizeof(*local));
	size_t n = site->n_subnets < ARP_SUBNETS_MAX ? site->n_subnets : ARP_SUBNETS_MAX;
	ht_err err = local ? local_read(local) : HT_NOMEM;

	run->scans = calloc(n ? n : 1, sizeof(*run->scans));
	run->links = calloc(ARP_LINKS_MAX, sizeof(*run->links));
	if (!run->scans || !run->links)
		err = HT_NOMEM;
	run->n_scans = n;
	for (size_t i = 0; !err && i < n; i++) {
		run->scans[i].declared = site->subnets[i];
		err = plan_scan(run, &run->scans[i], local);
	}
	free(local);
	return err;
}

static void release(struct arp_run *run)
{
	for (size_t i = 0; run->scans && i < run->n_scans; i++)
		sweep_fini(&run->scans[i].sweep);
	for (size_t i = 0; run->links && i < run->n_links; i++)
		seen_fini(&run->links[i].seen);
	free(run->scans);
	free(run->links);
	run->scans = NULL;
	run->links = NULL;
	run->n_scans = run->n_links = 0;
}

static ht_err arp_start(void *state, const void *options, const struct probe_host *host)
{
	struct arp_run *run = state;

	run->host = host;
	run->options = options;
	set_times(run);
	ht_err err = plan(run);
	if (err) {
		release(run);
		return err;
	}
	run->n_waiting = run->n_links;
	for (size_t i = 0; i < run->n_links; i++) {
		struct arp_link *l = &run->links[i];

		l->err = host->ask(host, PROBE_CAPTURE, l->name, on_capture, l);
		if (!l->err)
			continue;
		l->state = LINK_REFUSED;
		run->n_waiting--;
	}
	if (run->n_waiting == 0)
		finish(run);
	return HT_OK;
}

/* ---- ending ---------------------------------------------------------------------- */

static void closed_one(struct arp_run *run)
{
	if (--run->n_closing > 0)
		return;
	release(run);
	run->closed(run->closed_arg);
}

static void on_wire_closed(void *arg)
{
	closed_one(((struct arp_link *)arg)->run);
}

static void on_timer_closed(uv_handle_t *handle)
{
	closed_one(handle->data);
}

static void arp_cancel(void *state, void (*closed)(void *arg), void *arg)
{
	struct arp_run *run = state;
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
		struct arp_link *l = &run->links[i];

		run->host->forget(run->host, l);
		if (!l->wire_used)
			continue;
		run->n_closing++;
		wire_close(&l->wire, on_wire_closed);
	}
	closed_one(run);
}

static const struct ht_option arp_option_rows[] = {
	{ "tries", HT_OPT_INT, offsetof(struct arp_options, tries), .min = 1, .max = 5,
	    .def = "2",
	    .help = "how often an address that does not answer is asked in one scan" },
};
static const struct ht_options arp_option_table =
    HT_OPTIONS(struct arp_options, arp_option_rows);

static const enum ht_metric arp_metrics[] = {
	HT_M_LAN_STATUS,
	HT_M_LAN_SUBNET,
	HT_M_LAN_TARGETS,
	HT_M_LAN_PROBED,
	HT_M_LAN_ANSWERED,
	HT_M_MAC_SEEN_BY,
	HT_M_MAC_IPV4,
	HT_M_MAC_SUBNET,
	HT_M_MAC_GATEWAY,
};

extern const struct probe_ops probe_lan_arp;
const struct probe_ops probe_lan_arp = {
	.name = "lan.arp",
	.help = "ARP scan of the declared subnets, within the packet budget",
	.metrics = arp_metrics,
	.n_metrics = HT_COUNT(arp_metrics),
	.options = &arp_option_table,
	.run_size = sizeof(struct arp_run),
	.start = arp_start,
	.cancel = arp_cancel,
};
