/* One machine, many cards: sightings of network cards of one agency are put together to
 * machines by identity, and each machine is classed. Pure: rows in, rows out, no clock.
 *
 * Two cards are one machine when
 *   - an agent names both as its machine's own,
 *   - a person said so (correction `same_as`),
 *   - both gave the same DHCP client identifier, which is not made of one card's MAC,
 *   - both gave the same host name, it identifies something, and either one of them has a
 *     random MAC or they are exactly two, of two vendors (Wi-Fi and cable of a laptop).
 *     Images cloned from one disk share their host name: more cards stay apart.
 * A gateway is never put together with anything but by the first two. */
#ifndef HT_SERVER_DERIVE_FUSE_H
#define HT_SERVER_DERIVE_FUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/name.h"
#include "server/derive/class.h"
#include "server/derive/oui.h"

#define FUSE_NICS_MAX 65536 /* of one agency */

/* One card. Strings are borrowed and may be NULL, but for `mac`. */
struct fuse_nic {
	char mac[HT_MAC_TEXT];
	const char *hostname, *dhcp_class, *dhcp_parameters, *dhcp_client_id;
	bool gateway;
	int64_t first_ms, last_ms;
};

/* A machine that an agent runs on. */
struct fuse_host {
	const char *id;
	const char *hostname; /* or NULL */
	const char *macs;     /* comma separated, or NULL */
	bool server;
	int64_t first_ms, last_ms;
};

/* A person's word. */
struct fuse_correction {
	const char *machine;
	const char *class;   /* or NULL */
	const char *same_as; /* another machine's id, or NULL */
};

struct fuse_machine {
	char id[HT_INSTANCE_MAX +
		1]; /* MAC of its first seen card, or the agent's machine id */
	enum device_class class;
	double confidence;
	bool random_mac;               /* all its cards have random MACs */
	bool identified;               /* something other than its MAC names it */
	const char *hostname, *vendor; /* borrowed from the input, or NULL */
	int64_t first_ms, last_ms;
	char why[CLASS_WHY_MAX + 64];
};

struct fuse_input {
	const struct fuse_nic *nics;
	size_t n_nics;
	const struct fuse_host *hosts;
	size_t n_hosts;
	const struct fuse_correction *corrections;
	size_t n_corrections;
	const struct class_rules *rules;
	const struct oui *oui; /* may be NULL */
};

struct fuse_result {
	struct fuse_machine *machines; /* in order of id */
	size_t n;
	size_t *machine_of; /* n_nics indices into machines */
};

/* Borrows from `in` (its strings live as long as `out`). HT_NOMEM; HT_TOOLARGE above
 * FUSE_NICS_MAX. Free with fuse_fini, which accepts a zeroed one. */
HT_MUST_CHECK ht_err fuse_machines(const struct fuse_input *in, struct fuse_result *out);
void fuse_fini(struct fuse_result *r);

#endif
