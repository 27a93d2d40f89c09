/* What each agent is to ping (base/targets.h), composed from the registry: a vantage all
 * links that have a router's address; an office's agent the roles of its own link: the
 * far end of the WAN (`<link>`), `<link>:gateway`, `<link>:dns`, `<link>:internet`. Pure;
 * the same registry gives the same bytes. */
#ifndef HT_SERVER_REGISTRY_TARGETS_H
#define HT_SERVER_REGISTRY_TARGETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct targets_link {
	const char *id, *agency, *role, *kind;
	const char *router_address, *parents; /* NULL: none */
};

/* What an admin may say (server.yaml, `reach`): addresses or words of base/targets.h;
 * NULL or "": not measured. */
struct targets_places {
	const char *far_end, *gateway, *dns, *internet;
	const char *const *self; /* for vantages */
	size_t n_self;
};

struct targets_count {
	size_t targets;
	size_t unusable; /* links whose address must not be pinged: left out */
	size_t parents;  /* that one target cannot have any more: left out */
};

/* For every vantage. `links` ascend by id (bytewise). A parent without an address gives
 * way to its own parents. HT_NOMEM, HT_TOOLARGE. */
HT_MUST_CHECK ht_err targets_vantage(const struct targets_link *links, size_t n,
    const struct targets_places *places, struct ht_buf *out, struct targets_count *count);

/* Which of an agency's links its agent sits behind: the primary one first, then the
 * province's WAN before the government's before the Internet, then the least id. NULL
 * without links. */
const struct targets_link *targets_office_link(
    const struct targets_link *links, size_t n, const char *agency);

/* For an agent behind `link` (NULL: nothing to ping). */
HT_MUST_CHECK ht_err targets_office(const struct targets_link *link,
    const struct targets_places *places, struct ht_buf *out, struct targets_count *count);

#endif
