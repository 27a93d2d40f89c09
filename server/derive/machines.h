/* fold_machines' rules, loaded once. */
#ifndef HT_SERVER_DERIVE_MACHINES_H
#define HT_SERVER_DERIVE_MACHINES_H

#include "base/err.h"

/* Load the device-class rules below share_dir() and the vendors of network cards (without
 * them vendors are unknown). To be called at start-up, before the writer; the fold loads
 * them by itself when nobody did. The fault reads "file:line:column: …". */
HT_MUST_CHECK ht_err machines_start(struct ht_fault *fault);

#endif
