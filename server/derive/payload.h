/* Fields of an operator row's payload, {"data":{…}}, for folds that need only to know
 * whom an edit is about. */
#ifndef HT_SERVER_DERIVE_PAYLOAD_H
#define HT_SERVER_DERIVE_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "server/store/journal.h"

/* Copy the text of data.<field>. False when there is none, or it does not fit. */
bool payload_text(
    const struct journal_row *row, const char *field, char *out, size_t cap);

#endif
