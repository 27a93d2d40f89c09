/* What a machine's packet filter does with a stranger's first packet, read from
 * `nft --json list ruleset`. Pure and bounded; json-c is seen by packet_filter.c alone.
 * The question is narrow on purpose: what happens to a packet that no rule names. */
#ifndef HT_PROBES_POSTURE_PACKET_FILTER_H
#define HT_PROBES_POSTURE_PACKET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define PACKET_FILTER_BYTES_MAX (1 << 20)
#define PACKET_FILTER_PORTS_MAX 64

struct packet_filter_port {
	uint16_t first, last;
	bool udp;
	bool limited; /* only from some addresses or interfaces */
};

struct packet_filter {
	bool hooked;             /* there is a filter chain on input */
	bool refuses4, refuses6; /* what no rule names is dropped or rejected */
	bool opaque;             /* rules that nft cannot show may do more than we see */
	char chain[64];          /* "inet filter input": the first that refuses */
	struct packet_filter_port ports[PACKET_FILTER_PORTS_MAX]; /* let in by rules */
	size_t n_ports;
	size_t n_other; /* rules that let in something without naming a port */
	bool more;      /* ports that did not fit */
};

/* HT_MALFORMED, HT_TOOLARGE (bytes, or rules that lead round and round), HT_NOMEM. */
HT_MUST_CHECK ht_err packet_filter_parse(
    const char *json, size_t len, struct packet_filter *out);

/* One line for people. */
void packet_filter_describe(const struct packet_filter *f, struct ht_buf *out);

#endif
