/* Round trips of links by quarters of an hour, as histograms that merge: what a smoke
 * graph is drawn from. fold_smoke keeps SMOKE_KEEP_MS of them. */
#ifndef HT_SERVER_DERIVE_SMOKE_H
#define HT_SERVER_DERIVE_SMOKE_H

#include <stdint.h>

#define SMOKE_PART_MS INT64_C(900000)
#define SMOKE_KEEP_MS (INT64_C(8) * 24 * 3600 * 1000)

#endif
