/* The contract between a probe and whoever runs it (the agent's scheduler, or the
 * `hatang-agent probe` verb). A probe is one file that ends in one const struct
 * probe_ops; probes/README.md lists the four places that adding one touches.
 *
 * Promises:
 *   start   never blocks. If it returns HT_OK, host->done is called exactly once,
 *           unless cancel comes first; if it fails, never. `done` may be called from
 *           inside start.
 *   cancel  is idempotent and does not block; after it returns nothing of that run
 *           calls back. Handles that libuv must still close keep the run's memory
 *           alive: the framework frees a run only after its `closed` (see probe_run).
 *   emit    copies. Emitting a metric that ops->metrics does not list asserts.
 * The scheduler owns deadline, retries and concurrency; the probe owns one attempt. A
 * target that does not answer is a reading (status), never an error. */
#ifndef HT_PROBES_PROBE_H
#define HT_PROBES_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/option.h"
#include "base/reading.h"
#include "base/targets.h"

struct probe_host;

/* Things only the privileged monitor can do; a fixed table, and the whole of it. Each
 * answers by a file descriptor the probe then owns, or by bytes. */
enum probe_privilege {
	PROBE_ICMP4_SOCKET, /* an IPv4 ICMP socket: SOCK_DGRAM if allowed, else SOCK_RAW
			     */
	PROBE_ICMP6_SOCKET,
	PROBE_CAPTURE,       /* AF_PACKET socket, bound to the configured interface named
			      * by `arg`, for reading and ARP sending; no promiscuity */
	PROBE_PACKET_FILTER, /* `nft --json list ruleset` as bytes */
	PROBE_PENDING_UPDATES, /* `apt-get --simulate upgrade` with its own lists, as
				  bytes */
	PROBE_LISTENERS, /* listening TCP and unconnected UDP sockets, as text: one line
			  * "<tcp|tcp6|udp|udp6> <address> <port> <uid> <pid> <name>"
			  * each, e.g. "tcp6 :: 22 0 812 sshd"; pid 0 and name "-" when
			  * the owner cannot be seen; the name ends the line */
};
#define PROBE_PRIVILEGE_COUNT (PROBE_LISTENERS + 1)

struct probe_grant {
	ht_err err; /* HT_DENIED, HT_NOTFOUND, HT_UNSUPPORTED (tool is not
		     * there), HT_TIMEOUT, HT_IO … */
	int fd;     /* ≥ 0 when the privilege answers by a descriptor, else -1 */
	bool raw;   /* the ICMP socket is SOCK_RAW: IPv4 header comes with replies */
	const char *bytes; /* borrowed until the callback returns, NUL-terminated */
	size_t len;
};

#define PROBE_MEMORY_MAX (128 * 1024)

/* A field of a question to the server, or of its answer: a word of printable ASCII and a
 * text of at most 255 bytes; at most 12 of them. */
struct probe_field {
	const char *key, *value;
};

struct probe_answer {
	ht_err err;      /* HT_OK; HT_DENIED: the server says no; HT_TIMEOUT, HT_CLOSED */
	const char *why; /* of a no, one sentence; else "" */
	const struct probe_field *fields;
	size_t n_fields; /* a no may have some too */
};

struct probe_host {
	uv_loop_t *loop;
	int64_t deadline_ns;  /* ht_mono_ns(); the run is cancelled then */
	const char *instance; /* the probe's id in the configuration */
	void (*emit)(const struct probe_host *host, const struct ht_reading *reading);
	void (*done)(const struct probe_host *host);
	/* Ask the monitor. The answer always comes later, from the loop, unless
	 * release is called with the same `arg`. HT_FULL when too much is asked. */
	ht_err (*ask)(const struct probe_host *host, enum probe_privilege what,
	    const char *name, void (*answer)(void *arg, const struct probe_grant *grant),
	    void *arg);
	void (*forget)(const struct probe_host *host, void *arg);
	/* Ask the server (mqtt/PROTOCOL.md, section 6, requests): `request` is a word
	 * that it knows. The answer comes as that of the monitor does, borrowed until the
	 * callback returns; with `answer` NULL nobody waits for one. HT_UNSUPPORTED: no
	 * server stands behind this run (a probe by hand); HT_AGAIN: it cannot be reached
	 * now; HT_FULL, HT_INVALID. */
	ht_err (*ask_server)(const struct probe_host *host, const char *request,
	    const struct probe_field *fields, size_t n_fields,
	    void (*answer)(void *arg, const struct probe_answer *answer), void *arg);
	/* A small durable memory of this probe instance, at most PROBE_MEMORY_MAX,
	 * committed to the spool together with the readings emitted in the same run.
	 * recall yields the bytes last remembered (len 0 when there are none), borrowed
	 * until the next remember. Writing costs the disk: remember what changed. */
	const void *(*recall)(const struct probe_host *host, size_t *out_len);
	ht_err (*remember)(const struct probe_host *host, const void *bytes, size_t len);
	/* The same, one for each of many things that a run watches, by a key of an id's
	 * letters; committed with or after the readings emitted before, also while the
	 * run goes on. When there are too many, HT_FULL for a new one, and what nobody
	 * used for a day is forgotten: a memory that is lost must cost no more than a
	 * beginning. len 0 forgets. */
	const void *(*recall_of)(
	    const struct probe_host *host, const char *key, size_t *out_len);
	ht_err (*remember_of)(const struct probe_host *host, const char *key,
	    const void *bytes, size_t len);
	const struct probe_site *site;
	void *owner; /* the framework's */
};

/* What the office declared, shared by all probes: never send a packet outside it. */
struct probe_site {
	const struct ht_addr *subnets; /* declared subnets */
	size_t n_subnets;
	const char *const *interfaces; /* interfaces that may be captured on */
	size_t n_interfaces;
	int64_t packets_per_s; /* budget of all scanning together */
	/* The server's list, for probes that list no targets themselves: addresses only,
	 * no words. NULL: none. Borrowed for as long as the run. */
	const struct ht_targets *targets;
	const char *ca_file; /* by which the province's own servers are to be trusted;
			      * NULL: none is configured */
};

struct probe_ops {
	const char *name;              /* "icmp", "snmp.interfaces" */
	const char *help;              /* one line */
	const enum ht_metric *metrics; /* what it may emit */
	size_t n_metrics;
	const struct ht_options *options; /* its keys in the configuration; may be NULL */
	size_t run_size; /* bytes of a run, allocated zeroed by the framework */
	bool continuous; /* listens for the whole interval instead of ending early */
	bool endless;    /* its run lasts until it is cancelled, not for an interval: what
			  * it has learned must not be forgotten at a seam */
	bool spends;     /* its memory is a budget: runs that the server asks for count
			  * in it as the scheduled ones do */
	/* `run` is run_size bytes; `options` is the struct its table fills. */
	ht_err (*start)(void *run, const void *options, const struct probe_host *host);
	/* Ends the run; calls closed(arg) exactly once, from the loop or at once, when
	 * the memory of `run` may be freed. Also called after `done`, to close what is
	 * left. */
	void (*cancel)(void *run, void (*closed)(void *arg), void *arg);
	/* host->site->targets is another list: go on with that one, what is known of
	 * targets that are in both included. On failure the run goes on as before. May be
	 * NULL. */
	ht_err (*retarget)(void *run, const void *options);
	/* Checks what a table cannot say (addresses, files). May be NULL. */
	ht_err (*check)(
	    const void *options, const struct ht_node *node, struct ht_fault *fault);
};

/* probes/registry.c: every probe there is. */
extern const struct probe_ops *const probe_registry[];
extern const size_t probe_registry_len;
const struct probe_ops *probe_find(const char *name); /* NULL when unknown */
const char *probe_nearest(const char *name);          /* for "did you mean", or NULL */

#endif
