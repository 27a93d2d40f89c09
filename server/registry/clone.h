/* Clones: two machines with one agent's certificate. What the machine that does not own
 * the id sent lies in journal_aside until a person says which machine is the agent. */
#ifndef HT_SERVER_REGISTRY_CLONE_H
#define HT_SERVER_REGISTRY_CLONE_H

#include <stdint.h>

#include "base/err.h"
#include "server/registry/operator.h"
#include "server/store/db.h"

struct clone_group {
	const char *agent, *fingerprint; /* until the callback returns */
	const char *owner;               /* fingerprint of the owner now, or NULL */
	int64_t n_packs, first_ms, last_ms;
};

/* Call `each` for every undecided group, by agent. */
HT_MUST_CHECK ht_err clone_list(
    struct db *db, void (*each)(void *arg, const struct clone_group *g), void *arg);

/* The machine with `fingerprint` is the agent (writer thread). If it was the one aside,
 * its rows go into the journal, to be folded like any; rows of the others stay aside,
 * decided. HT_NOTFOUND: no such agent; HT_INVALID: the fingerprint is neither the owner's
 * nor one of a group. */
HT_MUST_CHECK ht_err clone_decide(struct db *db, const struct operator_by *by,
    const char *agent, const char *fingerprint, struct ht_fault *fault);

#endif
