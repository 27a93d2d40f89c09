/* What this machine's own interfaces carry, from two looks at /proc/net/dev: pure. */
#ifndef HT_PROBES_WAN_TRAFFIC_H
#define HT_PROBES_WAN_TRAFFIC_H

#include <stddef.h>
#include <stdint.h>

enum { TRAFFIC_INTERFACES_MAX = 64, TRAFFIC_NAME = 16 };

struct traffic {
	struct {
		char name[TRAFFIC_NAME];
		uint64_t in, out; /* bytes */
	} at[TRAFFIC_INTERFACES_MAX];
	size_t n;
};

/* Text of /proc/net/dev; the loopback and lines that are none are left out. */
void traffic_read(const char *text, struct traffic *out);

/* The busiest interface's busier direction between two looks, in bit/s. (Not the sum: a
 * bridge and its ports count the same bytes.) Counters that went back count nothing. */
double traffic_between(
    const struct traffic *before, const struct traffic *after, int64_t ns);

#endif
