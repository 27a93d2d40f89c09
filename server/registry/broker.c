#include "server/registry/broker.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "server/registry/dynsec.h"

#define PLUGIN "mosquitto_dynamic_security.so"

enum { CONF_MAX = 65536 };

static ht_err find_plugin(
    const char *given, char *out, size_t cap, struct ht_fault *fault)
{
	static const char *const places[] = { "/usr/lib/*/" PLUGIN, "/usr/lib/" PLUGIN,
		"/usr/lib/mosquitto/" PLUGIN, "/usr/local/lib/" PLUGIN };
	glob_t found = { 0 };
	bool ok = false;

	if (given) {
		snprintf(out, cap, "%s", given);
		return access(given, R_OK) == 0
			   ? HT_OK
			   : ht_fault_set(fault, HT_CONFIG,
				 "the broker's plugin %s is not there", given);
	}
	for (size_t i = 0; !ok && i < HT_COUNT(places); i++) {
		ok = glob(places[i], 0, NULL, &found) == 0;
		if (ok)
			snprintf(out, cap, "%s", found.gl_pathv[0]);
		globfree(&found);
	}
	return ok ? HT_OK
		  : ht_fault_set(fault, HT_CONFIG,
			"mosquitto's plugin " PLUGIN
			" is not installed: install mosquitto 2.0");
}

static const char *own_user(void)
{
	struct passwd *pw = getpwuid(geteuid());

	return pw ? pw->pw_name : "root";
}

/* mosquitto's figures: a pack is at most 64 KiB, an approved configuration as much; an
 * agent has at most 64 packs in flight; the server reads for all of them. */
static void put_conf(
    struct ht_buf *out, const struct broker_config *c, const char *plugin)
{
	ht_buf_printf(out,
	    "# Written by hatang-server; changes are lost.\n"
	    "per_listener_settings false\n"
	    "allow_anonymous false\n"
	    "plugin %s\n"
	    "plugin_opt_config_file %s/dynamic-security.json\n"
	    "pid_file %s\n"
	    "persistence false\n"
	    "persistent_client_expiration 1h\n"
	    "message_size_limit 262144\n"
	    "max_packet_size 327680\n"
	    "max_inflight_messages 128\n"
	    "max_queued_messages 20000\n"
	    "memory_limit 1073741824\n"
	    "max_keepalive 600\n"
	    "set_tcp_nodelay true\n"
	    "log_dest stderr\n"
	    "log_type error\nlog_type warning\nlog_type notice\n",
	    plugin, c->dir, c->pid_file);
	if (geteuid() == 0)
		ht_buf_printf(out, "user %s\n", own_user());
	for (size_t i = 0; i < HT_COUNT(c->ports) && c->ports[i]; i++)
		ht_buf_printf(out,
		    "\nlistener %u%s%s\n"
		    "cafile %s/ca.crt\ncertfile %s/broker.crt\nkeyfile "
		    "%s/broker.key\ncrlfile %s/crl.pem\n"
		    "require_certificate true\n"
		    "use_identity_as_username true\n",
		    c->ports[i], c->listen ? " " : "", c->listen ? c->listen : "", c->dir,
		    c->dir, c->dir, c->dir);
}

/* Write a file unless it holds just that. */
static ht_err write_if_other(const char *dir, const char *name, const char *text,
    mode_t mode, bool *changed, struct ht_fault *fault)
{
	char file[PATH_MAX], *old = NULL;
	size_t len;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	ht_err err = ht_file_read(file, CONF_MAX, &old, &len, NULL);
	bool same = !err && strcmp(old, text) == 0;
	if (!err)
		free(old);
	if (same)
		return HT_OK;
	*changed = true;
	return ht_file_write(file, text, strlen(text), mode, fault);
}

static ht_err write_certificate(const struct broker_config *c, const struct ca *ca,
    int64_t now_ms, bool *changed, struct ht_fault *fault)
{
	char cert[PATH_MAX], key[PATH_MAX], host[256] = "localhost";
	const char *names[BROKER_NAMES_MAX + 4] = { "localhost", "127.0.0.1", "::1" };
	size_t n = 3;
	bool made = false;

	(void)gethostname(host, sizeof(host) - 1);
	if (strcmp(host, "localhost") != 0)
		names[n++] = host;
	for (size_t i = 0; i < c->n_names && i < BROKER_NAMES_MAX; i++) {
		bool there = false;
		for (size_t k = 0; k < n; k++)
			there |= strcmp(names[k], c->names[i]) == 0;
		if (!there)
			names[n++] = c->names[i];
	}
	snprintf(cert, sizeof(cert), "%s/broker.crt", c->dir);
	snprintf(key, sizeof(key), "%s/broker.key", c->dir);
	ht_err err = ca_keep_part(ca, CA_SERVER, n > 3 ? names[3] : "localhost", names, n,
	    cert, key, now_ms, &made, fault);
	*changed |= made;
	return err;
}

/* Files that must be there before the broker starts, and are others' to change. */
static ht_err write_first_files(const struct broker_config *c, const struct ca *ca,
    int64_t now_ms, bool *changed, struct ht_fault *fault)
{
	char file[PATH_MAX];
	struct ht_buf text;
	ht_err err = HT_OK;

	snprintf(file, sizeof(file), "%s/dynamic-security.json", c->dir);
	if (access(file, F_OK) < 0) {
		ht_buf_init(&text, CONF_MAX);
		dynsec_initial(&text);
		err = ht_buf_err(&text);
		if (!err)
			err = ht_file_write(
			    file, ht_buf_text(&text), text.len, 0600, fault);
		ht_buf_fini(&text);
		*changed = true;
	}
	snprintf(file, sizeof(file), "%s/crl.pem", c->dir);
	if (!err && access(file, F_OK) < 0) {
		err = ca_write_crl(ca, NULL, 0, now_ms, file, fault);
		*changed = true;
	}
	return err;
}

ht_err broker_write(const struct broker_config *c, const struct ca *ca, int64_t now_ms,
    bool *out_changed, struct ht_fault *fault)
{
	char plugin[PATH_MAX];
	struct ht_buf conf;
	bool changed = false;
	ht_err err = find_plugin(c->plugin, plugin, sizeof(plugin), fault);

	if (!err)
		err = ht_folder_make(c->dir, 0700, fault);
	if (err)
		return err;
	ht_buf_init(&conf, CONF_MAX);
	put_conf(&conf, c, plugin);
	err = ht_buf_err(&conf);
	if (!err)
		err = write_if_other(
		    c->dir, "mosquitto.conf", ht_buf_text(&conf), 0644, &changed, fault);
	if (!err)
		err = write_if_other(c->dir, "ca.crt", ca_pem(ca), 0644, &changed, fault);
	if (!err)
		err = write_certificate(c, ca, now_ms, &changed, fault);
	if (!err)
		err = write_first_files(c, ca, now_ms, &changed, fault);
	ht_buf_fini(&conf);
	if (!err)
		*out_changed = changed;
	return err;
}

/* A pid file outlives its process, and another may have the number now. */
static bool is_mosquitto(long pid)
{
	char file[64], *name;
	size_t len;

	snprintf(file, sizeof(file), "/proc/%ld/comm", pid);
	if (ht_file_read(file, 64, &name, &len, NULL))
		return false;
	bool is = strcmp(name, "mosquitto\n") == 0;
	free(name);
	return is;
}

/* mosquitto writes its pid file before it catches signals: a SIGHUP in between ends it.
 */
static bool catches_hup(long pid)
{
	char file[64], *status;
	size_t len;

	snprintf(file, sizeof(file), "/proc/%ld/status", pid);
	if (ht_file_read(file, 65536, &status, &len, NULL))
		return false;
	const char *mask = strstr(status, "\nSigCgt:");
	bool catches = mask && (strtoull(mask + 8, NULL, 16) & 1u << (SIGHUP - 1));
	free(status);
	return catches;
}

ht_err broker_reload(const char *pid_file, struct ht_fault *fault)
{
	char *text, *end;
	size_t len;
	ht_err err = ht_file_read(pid_file, 64, &text, &len, fault);

	if (err)
		return err;
	long pid = strtol(text, &end, 10);
	bool number = pid > 1 && (*end == '\0' || isspace((unsigned char)*end));
	free(text);
	if (!number || !is_mosquitto(pid))
		return ht_fault_set(
		    fault, HT_NOTFOUND, "%s names no running mosquitto", pid_file);
	if (!catches_hup(pid))
		return ht_fault_set(
		    fault, HT_AGAIN, "mosquitto (pid %ld) is still starting", pid);
	if (kill((pid_t)pid, SIGHUP) == 0)
		return HT_OK;
	return ht_fault_set(fault, HT_DENIED, "cannot signal mosquitto (pid %ld): %s",
	    pid, strerror(errno));
}
