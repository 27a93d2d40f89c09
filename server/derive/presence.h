/* An agent's presence as JSON (docs/architecture.md, The wire) and the fold over it. The
 * parser is pure and takes untrusted bytes. */
#ifndef HT_SERVER_DERIVE_PRESENCE_H
#define HT_SERVER_DERIVE_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "mqtt/props.h"

#define PRESENCE_BYTES_MAX   4096
#define PRESENCE_HASH_HEX    64
#define PRESENCE_VERSION_MAX 64

enum presence_state { PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_LOST };

struct presence {
	enum presence_state state;
	char session[PROPS_HEX_LEN + 1];
	char boot[HT_BOOT_ID_LEN + 1];
	int64_t mono_ns;
	bool has_wall;
	int64_t wall_ms;
	bool synchronised;
	char fingerprint[PRESENCE_HASH_HEX + 1];
	char version[PRESENCE_VERSION_MAX + 1];
	char epoch[PROPS_HEX_LEN + 1];       /* "" when not given */
	char config[PRESENCE_HASH_HEX + 1];  /* "" when none is approved */
	char targets[PRESENCE_HASH_HEX + 1]; /* "" when it has no list */
};

const char *presence_state_name(enum presence_state state);

/* state, session, boot, mono and fingerprint are required; unknown keys are ignored.
 * HT_TOOLARGE, HT_MALFORMED, HT_NOMEM. */
HT_MUST_CHECK ht_err presence_parse(const void *bytes, size_t len, struct presence *out);

#endif
