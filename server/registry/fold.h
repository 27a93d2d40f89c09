/* The registry as a fold over operator rows: agencies, headcounts, links, agents,
 * declarations, corrections of machines, maintenance windows and notes on outages.
 * Refolding gives the same tables. */
#ifndef HT_SERVER_REGISTRY_FOLD_H
#define HT_SERVER_REGISTRY_FOLD_H

#include "server/derive/fold.h"

extern const struct fold fold_registry;

#endif
