/* What an agent found about its place and proposes as its configuration: the sections
 * `site` and `probes`, as YAML with a reason beside every choice. An admin approves it on
 * the server; it changes nothing here. The core is pure: facts in, text out. */
#ifndef HT_AGENT_PROPOSE_H
#define HT_AGENT_PROPOSE_H

#include "base/buf.h"
#include "base/err.h"
#include "probes/lan/local.h"

#define PROPOSE_BYTES_MAX 8192 /* of a proposal; it must fit into one reading */

/* What cannot be seen on the machine; all may be NULL. */
struct propose_hints {
	const char *hostname;
	const char *wan_target; /* address to ping for the WAN link */
	const char *wan_id;     /* the link's id in the registry */
};

/* Write the YAML. Accepted by `check-config` for every snapshot, also without networks.
 * `out` was initialised with at least PROPOSE_BYTES_MAX. HT_TOOLARGE, HT_NOMEM. */
HT_MUST_CHECK ht_err propose_yaml(
    const struct local *local, const struct propose_hints *hints, struct ht_buf *out);

/* The same facts as one JSON object, with the YAML in "yaml". */
HT_MUST_CHECK ht_err propose_json(
    const struct local *local, const struct propose_hints *hints, struct ht_buf *out);

/* Look at this machine and write its YAML, for the reading agent/config/proposal. */
HT_MUST_CHECK ht_err propose_build(struct ht_buf *out);

/* The verb: propose [--json] [--wan-target ADDR] [--wan-id ID]. An exit code. */
int propose_main(int argc, char **argv);

#endif
