/* One poll of one device: its session, the system group, then the tables that are wanted,
 * one after the other, into a struct table that the caller owns. Whatever the device
 * does, the poll ends with a word for it.
 *
 *     device_open → done(status) → device_close, or device_close before */
#ifndef HT_PROBES_SNMP_DEVICE_H
#define HT_PROBES_SNMP_DEVICE_H

#include <sys/socket.h>
#include <uv.h>

#include "base/err.h"
#include "probes/snmp/credentials.h"
#include "probes/snmp/mib.h"
#include "probes/snmp/table.h"

struct device;

enum device_status {
	DEVICE_OK,
	DEVICE_PARTIAL, /* something could not be read, or is not understood */
	DEVICE_TIMEOUT, /* nothing at all */
	DEVICE_AUTH_FAILED,
	DEVICE_ERROR, /* ours: nothing could be sent */
};
const char *device_status_name(enum device_status s); /* "ok" … */

struct device_config {
	const struct sockaddr *to;             /* with port; copied */
	const struct credentials *credentials; /* borrowed until device_open returns */
	int64_t wait_ns;                       /* for one answer */
	int retries;
	uint32_t tables; /* MIB_BIT()s */
};

/* `table` is borrowed until `done` or device_close. done(arg, …) comes once, from the
 * loop or from inside; the caller watches the deadline.
 *   errors  HT_INVALID (a protocol or secret that net-snmp refuses), HT_NOMEM, HT_IO;
 *           then done never comes */
HT_MUST_CHECK ht_err device_open(uv_loop_t *loop, const struct device_config *config,
    struct table *table, void (*done)(void *arg, enum device_status status), void *arg,
    struct device **out);

/* Requests sent so far, with retries. */
unsigned device_requests(const struct device *d);

/* closed(arg) comes once, from the loop; `done` no more. */
void device_close(struct device *d, void (*closed)(void *arg), void *arg);

#endif
