/* The agent's configuration: agent.yaml, drop-ins in `<file without .yaml>.d/`, and over
 * both the sections `site` and `probes` that an admin approved
 * (<state_dir>/approved.yaml). One table gives every key. A loaded struct options is
 * read-only; a reload makes a new one and keeps the old when that fails. */
#ifndef HT_AGENT_OPTIONS_H
#define HT_AGENT_OPTIONS_H

#include <stdio.h>

#include "agent/fingerprint.h"
#include "agent/runner.h"
#include "base/option.h"
#include "mqtt/senml.h"

#define OPTIONS_FILE         "/etc/hatang/agent.yaml"
#define OPTIONS_APPROVED     "approved.yaml"
#define OPTIONS_APPROVED_MAX (256 * 1024)

struct options_agent {
	char *id, *state_dir, *user;
};

struct options_mqtt {
	char *host, *tls_name, *ca, *cert, *key;
	struct ht_strings ports;
	int64_t keepalive_ns;
	int format; /* enum senml_format */
};

struct options_spool {
	int64_t max_bytes, max_age_ns;
};

struct options_site {
	struct ht_strings subnets, interfaces;
	int64_t packets_per_s;
};

/* How far the server's list of targets is followed. */
struct options_reach {
	bool from_server;
	int64_t max_targets, packets_per_s;
};

struct options_log {
	int level; /* enum ht_log_level */
	bool json;
};

struct options {
	struct options_agent agent;
	struct options_mqtt mqtt;
	struct options_spool spool;
	struct options_site site;
	struct options_reach reach;
	struct options_log log;
	struct ht_node *probes_node;
	/* Everything from here on is made from the above. */
	uint16_t ports[4]; /* 0-terminated */
	struct probe_site probe_site;
	struct runner_probe *probes; /* in order of the file */
	size_t n_probes;
	const char
	    *own_targets; /* id of a probe `reach` that lists targets itself, or NULL */
	const struct runner_probe *reach_probe; /* one that does not, or NULL */
	const struct runner_probe
	    *fleet_probe;                      /* `snmp.fleet` without devices, or NULL */
	const struct runner_probe *path_probe; /* `path` without a target, or NULL */
	char approved_hash[FINGERPRINT_LEN + 1]; /* of approved.yaml's bytes, or "" */
	struct options_files *files;             /* private: the trees */
};

/* Load and check all. `approved` NULL: read <state_dir>/approved.yaml if it is there;
 * else these bytes take its place (a configuration under test), named `approved.yaml`.
 * HT_CONFIG with "file:line:column: what, and the cure". Free with options_free. */
HT_MUST_CHECK ht_err options_load(const char *file, const void *approved,
    size_t approved_len, struct options **out, struct ht_fault *fault);

/* The same from bytes alone, without drop-ins and without touching files: for tests and
 * the fuzzer. */
HT_MUST_CHECK ht_err options_parse(const char *name, const void *bytes, size_t len,
    struct options **out, struct ht_fault *fault);

void options_free(struct options *o); /* accepts NULL */

/* The configured probe with that id, else the first with that probe name, or NULL. */
const struct runner_probe *options_configured(const struct options *o, const char *name);

/* One probe for the `probe` verb: the configured one with that id or probe name, or
 * defaults. `set` is n texts "key=value". The result is owned by `o`. */
HT_MUST_CHECK ht_err options_probe(struct options *o, const char *name, char *const *set,
    size_t n, struct runner_probe *out, struct ht_fault *fault);

/* A configuration without any file: what the probe verb needs on a fresh machine. */
HT_MUST_CHECK ht_err options_none(struct options **out, struct ht_fault *fault);

void options_print(FILE *to); /* every key, for --help */

#endif
