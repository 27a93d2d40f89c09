/* posture.host: what protects this machine? Each check answers yes, no or
 * not-observable, with one line of evidence; what could not be looked at is never "no".
 * Reads files and asks the privileged monitor; changes nothing, sends nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/name.h"
#include "probes/lan/local.h"
#include "probes/lan/seen.h"
#include "probes/lan/tell.h"
#include "probes/posture/machine.h"
#include "probes/posture/packet_filter.h"
#include "probes/probe.h"

#define EVIDENCE_MAX  1024
#define FILE_MAX      65536
#define STALE_MS      (INT64_C(7) * 24 * 3600 * 1000) /* package lists older than that */
#define PROCESSES_MAX 8192

enum answer { NO, YES, NOT_OBSERVABLE };
enum server { SERVER_AUTO, SERVER_YES, SERVER_NO };

struct host_options {
	char *root;
	int is_server;
};

struct host_run;

/* One question to the monitor. */
struct host_ask {
	struct host_run *run;
	const struct ask_row *row;
};

#define ASKS_MAX 3

struct host_run {
	const struct probe_host *host;
	const struct host_options *options;
	struct local local;
	struct host_ask asks[ASKS_MAX];
	size_t n_waiting;
	bool over;
};

/* ---- telling --------------------------------------------------------------------- */

/* `count` is what the check counted, or -1. */
static void tell_count(const struct probe_host *host, const char *check,
    enum answer answer, const char *evidence, long count)
{
	static const char *const words[] = {
		[NO] = "no", [YES] = "yes", [NOT_OBSERVABLE] = "not-observable"
	};
	struct teller t = teller_now(host, check);

	tell_string(&t, HT_M_POSTURE_ANSWER, words[answer]);
	tell_string(&t, HT_M_POSTURE_EVIDENCE, evidence);
	if (count >= 0)
		tell_number(&t, HT_M_POSTURE_COUNT, (double)count);
}

static void tell_answer(const struct probe_host *host, const char *check,
    enum answer answer, const char *evidence)
{
	tell_count(host, check, answer, evidence, -1);
}

static void tell_unseen(
    const struct probe_host *host, const char *check, ht_err err, const char *tool)
{
	char evidence[EVIDENCE_MAX];

	if (err == HT_UNSUPPORTED || err == HT_NOTFOUND)
		snprintf(evidence, sizeof(evidence), "%s is not on this machine", tool);
	else if (err == HT_DENIED)
		snprintf(evidence, sizeof(evidence),
		    "%s needs a right that the agent has not", tool);
	else
		snprintf(evidence, sizeof(evidence), "%s could not be asked: %s", tool,
		    ht_err_name(err));
	tell_answer(host, check, NOT_OBSERVABLE, evidence);
}

/* ---- files ----------------------------------------------------------------------- */

static bool path_of(
    const struct host_run *run, const char *path, char out[static PATH_MAX])
{
	const char *root = run->options->root ? run->options->root : "";

	return snprintf(out, PATH_MAX, "%s%s", root, path) < PATH_MAX;
}

static bool exists(const struct host_run *run, const char *path)
{
	char full[PATH_MAX];

	return path_of(run, path, full) && access(full, F_OK) == 0;
}

/* At most cap-1 bytes of a file and a NUL; -1 when it cannot be read. */
static ssize_t file_read(
    const struct host_run *run, const char *path, char *out, size_t cap)
{
	char full[PATH_MAX];
	size_t len = 0;
	int fd =
	    path_of(run, path, full) ? open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd < 0)
		return -1;
	while (len < cap - 1) {
		ssize_t n = read(fd, out + len, cap - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	out[len] = '\0';
	return (ssize_t)len;
}

/* Calls `each` with every name of a folder until it says true. */
static bool folder_any(const struct host_run *run, const char *path,
    bool (*each)(const struct host_run *run, const char *name, void *arg), void *arg)
{
	char full[PATH_MAX];
	DIR *dir = path_of(run, path, full) ? opendir(full) : NULL;
	bool found = false;
	struct dirent *e;

	if (!dir)
		return false;
	for (size_t n = 0; !found && n < PROCESSES_MAX && (e = readdir(dir)) != NULL;
	     n++) {
		if (e->d_name[0] != '.')
			found = each(run, e->d_name, arg);
	}
	closedir(dir);
	return found;
}

static int64_t changed_ms(const struct host_run *run, const char *path)
{
	char full[PATH_MAX];
	struct stat st;

	if (!path_of(run, path, full) || stat(full, &st) != 0)
		return 0;
	return (int64_t)st.st_mtim.tv_sec * HT_MS_PER_S +
	       st.st_mtim.tv_nsec / HT_NS_PER_MS;
}

/* ---- what the monitor answers ---------------------------------------------------- */

static bool has_ipv6(const struct local *l)
{
	for (size_t i = 0; i < l->n_addrs; i++) {
		const struct ht_addr *a = &l->addrs[i].addr;
		bool link_local = a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;

		if (a->family == AF_INET6 && !link_local &&
		    !l->ifs[l->addrs[i].interface].loopback)
			return true;
	}
	return false;
}

/* Whether rules of the old iptables, which nft does not show, may be in force. The names
 * of its tables are for root alone: unread counts as may be. */
static bool old_tables(const struct host_run *run)
{
	static const char *const files[] = { "/proc/net/ip_tables_names",
		"/proc/net/ip6_tables_names" };
	char names[256];

	for (size_t i = 0; i < HT_COUNT(files); i++) {
		ssize_t len = file_read(run, files[i], names, sizeof(names));

		if (len > 0 || (len < 0 && exists(run, files[i])))
			return true;
	}
	return false;
}

static void on_packet_filter(struct host_run *run, const char *bytes, size_t len)
{
	const char *check = "packet-filter";
	struct packet_filter *f = malloc(sizeof(*f));
	ht_err err = f ? packet_filter_parse(bytes, len, f) : HT_NOMEM;
	struct ht_buf text;

	if (err) {
		tell_unseen(run->host, check, err, "the packet filter");
		free(f);
		return;
	}
	ht_buf_init(&text, EVIDENCE_MAX * 4);
	packet_filter_describe(f, &text);
	bool refuses = f->refuses4 && (f->refuses6 || !has_ipv6(&run->local));
	if (refuses)
		tell_answer(run->host, check, YES, ht_buf_text(&text));
	else if (f->opaque)
		tell_answer(run->host, check, NOT_OBSERVABLE,
		    "the rules were made by iptables and nft cannot show what they do");
	else if (!f->hooked && old_tables(run))
		tell_answer(run->host, check, NOT_OBSERVABLE,
		    "the kernel holds tables of the old iptables, which cannot be read");
	else
		tell_answer(run->host, check, NO, ht_buf_text(&text));
	ht_buf_fini(&text);
	free(f);
}

static void on_listeners(struct host_run *run, const char *bytes, size_t len)
{
	const char *check = "listening-services";
	struct machine_listeners *l = malloc(sizeof(*l));
	char evidence[EVIDENCE_MAX];

	if (!l) {
		tell_unseen(run->host, check, HT_NOMEM, "the list of sockets");
		return;
	}
	machine_listeners_parse(bytes, len, l);
	machine_listeners_describe(l, evidence, sizeof(evidence));
	tell_count(run->host, check, l->n ? YES : NO,
	    l->n ? evidence : "no socket listens for other machines",
	    (long)(l->n + l->refused));
	free(l);
}

struct lists {
	bool any, security;
};

static bool on_list(const struct host_run *run, const char *name, void *arg)
{
	struct lists *l = arg;

	if (!strstr(name, "_Packages"))
		return false;
	l->any = true;
	l->security = l->security || strcasestr(name, "security");
	return l->security;
}

/* Package lists that are missing or stale know of no update: that is no "none". */
static bool lists_usable(const struct host_run *run, char *why, size_t cap)
{
	static const char *const stamps[] = { "/var/lib/apt/lists",
		"/var/lib/apt/lists/partial",
		"/var/lib/apt/periodic/update-success-stamp" };
	struct lists lists = { .any = false };
	int64_t newest = 0;

	folder_any(run, "/var/lib/apt/lists", on_list, &lists);
	for (size_t i = 0; i < HT_COUNT(stamps); i++) {
		int64_t at = changed_ms(run, stamps[i]);

		newest = at > newest ? at : newest;
	}
	int64_t age = ht_wall_ms() - newest;
	if (!lists.any)
		snprintf(
		    why, cap, "there are no package lists; apt-get update was never run");
	else if (!lists.security)
		snprintf(why, cap, "no source of security updates is configured");
	else if (age > STALE_MS)
		snprintf(why, cap, "the package lists are %" PRId64 " days old",
		    age / (STALE_MS / 7));
	else
		return true;
	return false;
}

static void on_updates(struct host_run *run, const char *bytes, size_t len)
{
	const char *check = "security-updates";
	struct machine_updates u;
	char evidence[EVIDENCE_MAX];

	if (!lists_usable(run, evidence, sizeof(evidence))) {
		tell_answer(run->host, check, NOT_OBSERVABLE, evidence);
		return;
	}
	machine_updates_parse(bytes, len, &u);
	if (u.security)
		snprintf(evidence, sizeof(evidence),
		    "%zu security updates wait (%s …), %zu updates in all", u.security,
		    u.first, u.pending);
	else
		snprintf(evidence, sizeof(evidence),
		    "no security update waits, %zu updates in all", u.pending);
	tell_count(run->host, check, u.security ? NO : YES, evidence, (long)u.security);
}

static const struct ask_row {
	enum probe_privilege what;
	const char *check, *tool;
	void (*answer)(struct host_run *run, const char *bytes, size_t len);
} ask_rows[ASKS_MAX] = {
	{ PROBE_PACKET_FILTER, "packet-filter", "nft", on_packet_filter },
	{ PROBE_LISTENERS, "listening-services", "the list of sockets", on_listeners },
	{ PROBE_PENDING_UPDATES, "security-updates", "apt-get", on_updates },
};

static void answered(struct host_run *run)
{
	if (--run->n_waiting > 0 || run->over)
		return;
	run->over = true;
	run->host->done(run->host);
}

static void on_grant(void *arg, const struct probe_grant *grant)
{
	struct host_ask *a = arg;

	if (grant->err)
		tell_unseen(a->run->host, a->row->check, grant->err, a->row->tool);
	else
		a->row->answer(a->run, grant->bytes, grant->len);
	answered(a->run);
}

/* ---- what anyone may read -------------------------------------------------------- */

static void check_time(const struct host_run *run)
{
	bool yes = ht_clock_synchronised();

	tell_answer(run->host, "time-sync", yes ? YES : NO,
	    yes ? "the kernel's clock is disciplined by NTP or PTP"
		: "the kernel's clock is not disciplined by NTP or PTP");
}

struct periodic {
	char lists[16], upgrade[16];
};

static bool on_apt_conf(const struct host_run *run, const char *name, void *arg)
{
	struct periodic *p = arg;
	char path[512], *text = malloc(FILE_MAX);

	snprintf(path, sizeof(path), "/etc/apt/apt.conf.d/%s", name);
	ssize_t len = text ? file_read(run, path, text, FILE_MAX) : -1;
	if (len > 0) {
		machine_apt_value(text, (size_t)len,
		    "APT::Periodic::Update-Package-Lists", p->lists, sizeof(p->lists));
		machine_apt_value(text, (size_t)len, "APT::Periodic::Unattended-Upgrade",
		    p->upgrade, sizeof(p->upgrade));
	}
	free(text);
	return false;
}

/* apt reads 0, "" and "no" as off; anything else is a period. */
static bool period_on(const char *value)
{
	return value[0] && strcmp(value, "0") != 0 && strcasecmp(value, "no") != 0 &&
	       strcasecmp(value, "false") != 0;
}

static void check_auto_updates(const struct host_run *run)
{
	const char *check = "auto-updates";
	struct periodic p = { .lists = "" };
	char evidence[EVIDENCE_MAX];

	if (!exists(run, "/etc/apt")) {
		tell_answer(run->host, check, NOT_OBSERVABLE,
		    "only apt's configuration is understood, and there is none");
		return;
	}
	folder_any(run, "/etc/apt/apt.conf.d", on_apt_conf, &p);
	bool program = exists(run, "/usr/bin/unattended-upgrade");
	snprintf(evidence, sizeof(evidence),
	    "unattended-upgrades is %s; Update-Package-Lists \"%s\", Unattended-Upgrade "
	    "\"%s\"",
	    program ? "installed" : "not installed", p.lists, p.upgrade);
	tell_answer(run->host, check,
	    program && period_on(p.lists) && period_on(p.upgrade) ? YES : NO, evidence);
}

/* Processes that fight malware, as /proc/<pid>/comm names them (15 bytes at most). */
static const struct {
	const char *comm, *product;
} guards[] = {
	{ "clamd", "ClamAV" },
	{ "clamonacc", "ClamAV on access" },
	{ "wdavdaemon", "Microsoft Defender" },
	{ "falcon-sensor", "CrowdStrike Falcon" },
	{ "falcon-sensor-b", "CrowdStrike Falcon" },
	{ "kesl", "Kaspersky Endpoint Security" },
	{ "ds_agent", "Trend Micro Deep Security" },
	{ "oaeventd", "ESET Endpoint" },
	{ "esets_daemon", "ESET" },
	{ "bdsecd", "Bitdefender GravityZone" },
	{ "sophos-spl", "Sophos" },
	{ "savd", "Sophos" },
	{ "s1-agent", "SentinelOne" },
	{ "cbagentd", "Carbon Black" },
	{ "mfetpd", "Trellix (McAfee)" },
	{ "elastic-endpoin", "Elastic Defend" },
	{ "wazuh-syscheckd", "Wazuh" },
};

static bool on_process(const struct host_run *run, const char *name, void *arg)
{
	const char **found = arg;
	char path[64], comm[32];

	if (strspn(name, "0123456789") != strlen(name) || strlen(name) > 10)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/comm", name);
	if (file_read(run, path, comm, sizeof(comm)) <= 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < HT_COUNT(guards); i++) {
		if (strcmp(comm, guards[i].comm) == 0)
			*found = guards[i].product;
	}
	return *found != NULL;
}

static void check_anti_malware(const struct host_run *run)
{
	const char *check = "anti-malware", *product = NULL;
	char evidence[EVIDENCE_MAX], comm[32];

	if (file_read(run, "/proc/1/comm", comm, sizeof(comm)) <= 0) {
		tell_answer(
		    run->host, check, NOT_OBSERVABLE, "processes of others are hidden");
		return;
	}
	if (folder_any(run, "/proc", on_process, &product))
		snprintf(evidence, sizeof(evidence), "%s is running", product);
	else
		snprintf(evidence, sizeof(evidence),
		    "none of the %zu known programs is running%s", HT_COUNT(guards),
		    exists(run, "/usr/sbin/clamd")
			? "; ClamAV is installed but not running"
			: "");
	tell_answer(run->host, check, product ? YES : NO, evidence);
}

static void check_reboot(const struct host_run *run)
{
	bool maker = exists(run, "/usr/share/update-notifier") ||
		     exists(run, "/usr/bin/unattended-upgrade");

	if (exists(run, "/run/reboot-required"))
		tell_answer(
		    run->host, "reboot-pending", YES, "/run/reboot-required is there");
	else if (maker)
		tell_answer(
		    run->host, "reboot-pending", NO, "/run/reboot-required is not there");
	else
		tell_answer(run->host, "reboot-pending", NOT_OBSERVABLE,
		    "nothing on this machine notes that a restart is needed");
}

static const char *backup_tool(const struct host_run *run)
{
	static const struct {
		const char *path, *name;
	} tools[] = {
		{ "/usr/bin/borgmatic", "borgmatic" },
		{ "/usr/bin/borg", "BorgBackup" },
		{ "/usr/bin/restic", "restic" },
		{ "/usr/bin/duplicity", "duplicity" },
		{ "/usr/bin/rsnapshot", "rsnapshot" },
		{ "/usr/sbin/bacula-fd", "Bacula" },
		{ "/usr/sbin/bareos-fd", "Bareos" },
		{ "/usr/sbin/urbackupclientbackend", "UrBackup" },
		{ "/opt/veeam", "Veeam" },
	};

	for (size_t i = 0; i < HT_COUNT(tools); i++) {
		if (exists(run, tools[i].path))
			return tools[i].name;
	}
	return NULL;
}

/* A tool that is installed has not yet saved anything: from here the last good copy
 * cannot be seen, so this is never a yes or a no. */
static void check_backup(const struct host_run *run)
{
	const char *tool = backup_tool(run);
	char evidence[EVIDENCE_MAX];

	if (tool)
		snprintf(evidence, sizeof(evidence),
		    "%s is installed; whether its copies succeed cannot be seen from "
		    "here",
		    tool);
	else
		snprintf(evidence, sizeof(evidence),
		    "no known backup program is installed; copies made from elsewhere "
		    "cannot be seen");
	tell_answer(run->host, "backup", NOT_OBSERVABLE, evidence);
}

/* ---- the machine itself ---------------------------------------------------------- */

/* A stable id that does not give the machine's own id away. */
static void machine_id(const struct host_run *run, char out[static 17])
{
	static const char salt[] = "hatang host";
	char text[128];
	uint32_t a = seen_digest(SEEN_DIGEST, salt, sizeof(salt)), b;

	if (file_read(run, "/etc/machine-id", text, sizeof(text)) <= 0 &&
	    gethostname(text, sizeof(text)) != 0)
		text[0] = '\0';
	text[sizeof(text) - 1] = '\0';
	a = seen_digest(a, text, strlen(text));
	b = seen_digest(a, text, strlen(text));
	snprintf(out, 17, "%08" PRIx32 "%08" PRIx32, a, b);
}

/* Cards of the machine; where there is none (containers), interfaces with an address. */
static void machine_macs(const struct local *l, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (int wanted = 1; wanted >= 0 && !len; wanted--) {
		for (size_t i = 0; i < l->n_ifs; i++) {
			const struct local_if *f = &l->ifs[i];
			char mac[HT_MAC_TEXT];

			if (!f->ether || ht_mac_is_zero(&f->mac) ||
			    f->hardware != wanted ||
			    (!wanted && !local_addressed(l, i)) ||
			    len + sizeof(mac) + 1 > cap)
				continue;
			ht_mac_format(&f->mac, mac);
			len += (size_t)snprintf(
			    out + len, cap - len, "%s%s", len ? "," : "", mac);
		}
	}
}

static bool on_session(const struct host_run *run, const char *name, void *arg)
{
	const char *dot = strrchr(name, '.');

	return dot && strcmp(dot, ".desktop") == 0;
}

/* Someone can sit down at it when it has a desktop. */
static bool is_server(const struct host_run *run)
{
	if (run->options->is_server != SERVER_AUTO)
		return run->options->is_server == SERVER_YES;
	return !folder_any(run, "/usr/share/xsessions", on_session, NULL) &&
	       !folder_any(run, "/usr/share/wayland-sessions", on_session, NULL);
}

static void tell_machine(const struct host_run *run)
{
	char id[17], text[FILE_MAX / 16], name[256], macs[512];
	ssize_t len = file_read(run, "/etc/os-release", text, sizeof(text));

	machine_id(run, id);
	struct teller t = teller_now(run->host, id);
	if (gethostname(name, sizeof(name)) == 0) {
		name[sizeof(name) - 1] = '\0';
		tell_string(&t, HT_M_HOST_HOSTNAME, name);
	}
	if (len > 0 && machine_os_name(text, (size_t)len, name, sizeof(name)))
		tell_string(&t, HT_M_HOST_OS, name);
	machine_macs(&run->local, macs, sizeof(macs));
	if (macs[0])
		tell_string(&t, HT_M_HOST_MACS, macs);
	tell_bool(&t, HT_M_HOST_IS_SERVER, is_server(run));
}

/* ---- run ------------------------------------------------------------------------- */

static ht_err host_start(void *state, const void *options, const struct probe_host *host)
{
	static void (*const checks[])(const struct host_run *run) = { tell_machine,
		check_time, check_auto_updates, check_anti_malware, check_reboot,
		check_backup };
	struct host_run *run = state;

	run->host = host;
	run->options = options;
	ht_err err = local_read(&run->local);
	if (err)
		return err;
	for (size_t i = 0; i < HT_COUNT(checks); i++)
		checks[i](run);
	run->n_waiting = 1; /* so that no early answer ends the run */
	for (size_t i = 0; i < ASKS_MAX; i++) {
		run->asks[i] = (struct host_ask){ run, &ask_rows[i] };
		run->n_waiting++;
		err = host->ask(host, ask_rows[i].what, NULL, on_grant, &run->asks[i]);
		if (!err)
			continue;
		run->n_waiting--;
		tell_unseen(host, ask_rows[i].check, err, ask_rows[i].tool);
	}
	answered(run);
	return HT_OK;
}

static void host_cancel(void *state, void (*closed)(void *arg), void *arg)
{
	struct host_run *run = state;

	run->over = true;
	for (size_t i = 0; i < ASKS_MAX; i++)
		run->host->forget(run->host, &run->asks[i]);
	closed(arg);
}

static const char *const server_names[] = { "auto", "yes", "no", NULL };

static const struct ht_option host_option_rows[] = {
	{ "root", HT_OPT_STRING, offsetof(struct host_options, root), .def = "",
	    .file = true,
	    .help = "read files below this folder: for an agent in a container, the "
		    "machine's /" },
	{ "is_server", HT_OPT_ENUM, offsetof(struct host_options, is_server),
	    .def = "auto", .names = server_names,
	    .help = "whether nobody works at this machine, so that it is no computer of "
		    "the staff; "
		    "auto: "
		    "it is when it has no desktop" },
};
static const struct ht_options host_option_table =
    HT_OPTIONS(struct host_options, host_option_rows);

static const enum ht_metric host_metrics[] = {
	HT_M_POSTURE_ANSWER,
	HT_M_POSTURE_EVIDENCE,
	HT_M_POSTURE_COUNT,
	HT_M_HOST_HOSTNAME,
	HT_M_HOST_OS,
	HT_M_HOST_MACS,
	HT_M_HOST_IS_SERVER,
};

extern const struct probe_ops probe_posture_host;
const struct probe_ops probe_posture_host = {
	.name = "posture.host",
	.help = "security of this machine: packet filter, listening services, updates "
		"and more",
	.metrics = host_metrics,
	.n_metrics = HT_COUNT(host_metrics),
	.options = &host_option_table,
	.run_size = sizeof(struct host_run),
	.start = host_start,
	.cancel = host_cancel,
};
