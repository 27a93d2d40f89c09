/* fold_score: what changed in the registry, links, machines or posture marks agencies
 * dirty; when a slice settles they are computed anew and summed up along their parents,
 * so that one change costs its own path and not the whole province. Windows move, so each
 * agency is computed at least once an hour, spread over the hour by its id.
 *
 * The result is index_value: for each agency its own values (own = 1) and those with all
 * agencies below it (own = 0). */
#ifndef HT_SERVER_SCORE_SCORE_H
#define HT_SERVER_SCORE_SCORE_H

#include "base/buf.h"
#include "base/err.h"
#include "server/score/definition.h"
#include "server/store/db.h"

#define SCORE_DEFINITION_ID "vn-ict-index-2016" /* the one that is computed now */

/* Load definition, catalogue, device-class rules and card vendors below share_dir(). To
 * be called at start-up, before threads; the fold does it by itself when nobody did. The
 * fault reads "file:line:column: what, and the cure". */
HT_MUST_CHECK ht_err score_start(struct ht_fault *fault);

/* The definition and catalogue in force; NULL before score_start. Borrowed, constant. */
const struct definition *score_definition(void);
const struct catalogue *score_catalogue(void);

/* Append a JSON object: the indicator's names and formula, its normalisation and status,
 * and the scope's values, own and with all below, each with its inputs one by one. For
 * reader threads, after score_start. HT_NOTFOUND: no such value. */
HT_MUST_CHECK ht_err score_explain_json(struct db *db, const char *definition,
    const char *indicator, const char *scope, struct ht_buf *out);

#endif
