/* What the journal tells of a boot's clock: the anchors that dating.h needs, as of a row,
 * so that a fold that is run again dates as it did the first time. */
#ifndef HT_SERVER_DERIVE_ANCHOR_H
#define HT_SERVER_DERIVE_ANCHOR_H

#include "base/err.h"
#include "server/derive/dating.h"
#include "server/store/db.h"
#include "server/store/journal.h"

/* What is known of an agent's pack when `row` is folded, itself included. */
HT_MUST_CHECK ht_err anchor_pack(
    struct db *db, const struct journal_row *row, struct dating_pack *out);

#endif
