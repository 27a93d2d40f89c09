/* fold_correct: start, end and cause of outages by what edges wrote down. It keeps what
 * changed at each edge (tables edge_event, edge_run), and judges an outage anew by
 * cause.h whenever a row tells something of its time: when it opens or closes, and when
 * packs of that time arrive, however late. The estimate of fold_links stays as it is;
 * edge_*, cause and cause_reason of an outage are this fold's. It comes after fold_links
 * and takes all it knows from rows, so a refold gives the same. */
#ifndef HT_SERVER_DERIVE_CORRECT_H
#define HT_SERVER_DERIVE_CORRECT_H

#include "server/derive/fold.h"

extern const struct fold fold_correct;

#endif
