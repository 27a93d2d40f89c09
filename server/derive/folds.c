#include "server/derive/folds.h"

/* clang-format off */
const struct fold *const folds[] = {
	/* registry */
	&fold_registry,

	/* per agent */
	&fold_anchor,
	&fold_presence,
	&fold_latest,
	&fold_series,
	&fold_gap,

	/* links, machines, posture */
	&fold_links,
	&fold_correct,
	&fold_bandwidth,
	&fold_machines,
	&fold_posture,
	&fold_path,
	&fold_smoke,
	&fold_peer,

	/* score */
	&fold_score,

	/* incidents: after all that finds something wrong */
	&fold_health,
	&fold_alert,
};
/* clang-format on */
const size_t folds_len = HT_COUNT(folds);
