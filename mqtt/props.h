/* The MQTT 5 user properties of a pack, as text on the wire, as values here:
 *   epoch      16 lower-case hex digits (64 random bits)
 *   seq        1 … 2^63-1, decimal; one series for both lanes
 *   boot       UUID of the kernel boot
 *   session    16 hex digits, new each time the agent's process starts
 *   mono       seconds since boot when the pack was sealed, decimal, as /proc/uptime
 *   sent_mono  the same clock when this copy was published
 * A publisher may leave out any of them; `has` tells which were given. */
#ifndef HT_MQTT_PROPS_H
#define HT_MQTT_PROPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

#define PROPS_HEX_LEN 16

enum {
	PROPS_EPOCH = 1 << 0,
	PROPS_SEQ = 1 << 1,
	PROPS_BOOT = 1 << 2,
	PROPS_SESSION = 1 << 3,
	PROPS_MONO = 1 << 4,
	PROPS_SENT_MONO = 1 << 5,
};

struct props {
	unsigned has; /* PROPS_* bits */
	char epoch[PROPS_HEX_LEN + 1];
	int64_t seq;
	char boot[HT_BOOT_ID_LEN + 1];
	char session[PROPS_HEX_LEN + 1];
	int64_t mono_ns, sent_mono_ns;
};

/* Read one property into `p`. Unknown names are HT_OK and ignored. HT_MALFORMED for a
 * bad value: the whole message is garbage then. */
HT_MUST_CHECK ht_err props_set(struct props *p, const char *name, const char *value);

/* Call `put` with the name and text of each property that `p` has. */
void props_each(const struct props *p,
    void (*put)(void *arg, const char *name, const char *value), void *arg);

#endif
