/* One poll of one device: its session, the system group, then the tables that are wanted,
 * one after the other, into a struct table that the caller owns. Whatever the device
 * does, the poll ends with a word for it and a reason. A table that cannot be read costs
 * only itself; one that fails again and again is left out for a while.
 *
 *     device_open → done(status) → device_close, or device_close before
 *
 * The caller watches the deadline. A poll that was not done then is interrupted: its
 * place goes into the next device_open with the same table, which goes on there. One
 * whose table finds no room in its budget ends early, with what was read so far. */
#ifndef HT_PROBES_SNMP_DEVICE_H
#define HT_PROBES_SNMP_DEVICE_H

#include <sys/socket.h>
#include <uv.h>

#include "base/err.h"
#include "probes/snmp/credentials.h"
#include "probes/snmp/mib.h"
#include "probes/snmp/table.h"
#include "probes/snmp/walk.h"

enum { DEVICE_REASON_MAX = 160, DEVICE_FAILURES_MAX = 3, DEVICE_LEFT_OUT_POLLS = 60 };

struct device;
struct device_place; /* where an interrupted poll stopped */

enum device_status {
	DEVICE_OK,
	DEVICE_PARTIAL, /* something could not be read, or is not understood */
	DEVICE_TIMEOUT, /* nothing at all */
	DEVICE_AUTH_FAILED,
	DEVICE_ERROR, /* ours: nothing could be sent */
};
const char *device_status_name(enum device_status s); /* "ok" … */

/* What is worth knowing at the next poll of the same device; zeroed at first. */
struct device_memory {
	struct engine_id engine; /* len 0: must be discovered */
	struct walk_pace pace;
	uint16_t rows[MIB_COUNT];    /* and one; 0: not known */
	uint8_t failures[MIB_COUNT]; /* in a row */
	uint8_t left_out[MIB_COUNT]; /* polls still to do without it */
	uint8_t trouble[MIB_COUNT];  /* enum walk_trouble, of the last failure */
};

struct device_config {
	const struct sockaddr *to;             /* with port; copied */
	const struct credentials *credentials; /* borrowed until `done` or device_close */
	struct gate *gate;                     /* shared; NULL: none */
	int64_t wait_ns;                       /* for one answer */
	int retries;
	uint32_t tables;              /* MIB_BIT()s */
	struct device_memory *memory; /* borrowed; NULL: the device is not known */
};

/* `table` is borrowed until `done` or device_close. done(arg, …) comes once, from the
 * loop. `place` (may be NULL) is taken, also on failure: go on there.
 *   errors  HT_INVALID (a protocol or secret that net-snmp refuses), HT_NOMEM, HT_IO;
 *           then done never comes */
HT_MUST_CHECK ht_err device_open_take(uv_loop_t *loop, const struct device_config *config,
    struct device_place *place, struct table *table,
    void (*done)(void *arg, enum device_status status), void *arg, struct device **out);

/* Requests sent so far, with retries. */
unsigned device_requests(const struct device *d);

/* One sentence of what is wrong, "" when nothing is. Lives as long as the device. */
const char *device_reason(const struct device *d);

/* Before `done` and before device_close: the place where it is, for the next poll, with
 * the table as it is. NULL when no table was begun. The device can only be closed then.
 */
struct device_place *device_interrupt(struct device *d);
void device_place_free(struct device_place *p); /* accepts NULL */

/* closed(arg) comes once, from the loop or from inside; `done` no more. */
void device_close(struct device *d, void (*closed)(void *arg), void *arg);

#endif
