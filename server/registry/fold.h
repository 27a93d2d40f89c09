/* The registry as a fold over operator rows: agencies, headcounts, links, agents,
 * declarations and corrections of machines. Refolding gives the same tables. */
#ifndef HT_SERVER_REGISTRY_FOLD_H
#define HT_SERVER_REGISTRY_FOLD_H

#include "server/derive/fold.h"

extern const struct fold fold_registry;

#endif
