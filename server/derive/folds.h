/* The folds there are, one a file. To add one: its file, a line here, a line in folds.c
 * in the right place, its tables in a migration, its test. */
#ifndef HT_SERVER_DERIVE_FOLDS_H
#define HT_SERVER_DERIVE_FOLDS_H

#include "server/derive/fold.h"

extern const struct fold fold_anchor;   /* anchor.c */
extern const struct fold fold_presence; /* presence.c */
extern const struct fold fold_latest;   /* latest.c */
extern const struct fold fold_series;   /* series.c */
extern const struct fold fold_gap;      /* gap.c */
/* registry/fold.c */
extern const struct fold fold_registry;

extern const struct fold fold_links;     /* links.c */
extern const struct fold fold_machines;  /* machines.c */
extern const struct fold fold_correct;   /* correct.c: after links */
extern const struct fold fold_bandwidth; /* bandwidth.c */
extern const struct fold fold_smoke;     /* smoke.c */
extern const struct fold fold_path;      /* path.c */
extern const struct fold fold_posture;   /* posture.c */
extern const struct fold fold_score;     /* server/score/score.c */
extern const struct fold fold_peer;      /* peer.c */

extern const struct fold fold_health; /* server/alert/health.c */
extern const struct fold fold_alert;  /* server/alert/incident.c */

#endif
