/* The server's configuration: /etc/hatang/server.yaml and the drop-ins of server.d/
 * beside it, checked against one const table. */
#ifndef HT_SERVER_OPTIONS_H
#define HT_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/option.h"

#define OPTIONS_FILE "/etc/hatang/server.yaml"

struct options_server {
	char *state_dir;
	char *share_dir;    /* definitions, catalogues, dashboard */
	int64_t utc_offset; /* minutes */
};
struct options_mqtt {
	char *host;
	int64_t port;
	char *ca, *cert, *key; /* NULL: those that `init` makes in state_dir */
	char *tls_name;
	char *public_host; /* as agents reach the broker; NULL: `host` */
	struct ht_strings public_ports;
};
struct options_http {
	char *listen;
	int64_t port;
	bool tls;
	char *cert, *key;
};
struct options_broker {
	char *config_dir, *pid_file;
	char *listen; /* NULL: all addresses */
};
struct options_journal {
	int64_t keep_ns, keep_bytes;
};
/* What agents are told to ping: addresses or words (base/targets.h); "": not measured. */
struct options_reach {
	bool push;
	char *far_end, *gateway, *dns, *internet;
	struct ht_strings self;
};
/* Tests of throughput: the endpoint they go to, and when they are allowed. */
struct options_throughput {
	char *listen;
	int64_t port; /* 0: no endpoint */
	char *host;   /* as agents reach it; NULL: as they reach the broker */
	bool tls;
	char *cert, *key; /* NULL: made by our CA */
	int64_t max_concurrent, rate_bps;
	int64_t busy_percent;
	int64_t day_bytes, month_bytes, day_tests;
	struct ht_strings hours, wide;
};
struct options_index {
	char *definition;
};
struct options_alerts {
	char *rules;    /* NULL: those that are shipped */
	char *channels; /* NULL: nobody is told */
};
struct options_log {
	int level;
	bool json;
};

struct options {
	struct options_server server;
	struct options_mqtt mqtt;
	struct options_http http;
	struct options_broker broker;
	struct options_journal journal;
	struct options_reach reach;
	struct options_throughput throughput;
	struct options_index index;
	struct options_alerts alerts;
	struct options_log log;
	bool own_ca;     /* no certificate of another CA is configured */
	char *ca_dir;    /* <state_dir>/ca */
	char *db_file;   /* <state_dir>/server.db */
	char *lock_file; /* <state_dir>/server.lock */
};

/* HT_CONFIG with a fault "file:line:column: what, and the cure". */
HT_MUST_CHECK ht_err options_load(
    const char *file, struct options *out, struct ht_fault *fault);
void options_fini(struct options *o); /* accepts a zeroed one */
void options_print(FILE *to);

#endif
