/* Where rules, catalogues and definitions lie: the folder of `server.share_dir`, or, when
 * they are not there and this is a development build, the source tree. Below it the
 * layout is that of the source tree's server/ (derive/rules/device-classes.yaml).
 * Process-wide: set once at start-up, before any thread. */
#ifndef HT_SERVER_DERIVE_SHARE_H
#define HT_SERVER_DERIVE_SHARE_H

#include <limits.h>

#include "base/err.h"

#define SHARE_RULES          "derive/rules"
#define SHARE_DEVICE_CLASSES "derive/rules/device-classes.yaml"
#define SHARE_DEFINITION     "score/definitions/vn-ict-index-2016.yaml"
#define SHARE_CATALOGUE      "score/catalogues/posture-v1.yaml"

/* `dir` is copied; NULL or "" restores the default. HT_TOOLARGE. */
HT_MUST_CHECK ht_err share_set(const char *dir);

const char *share_dir(void);

/* The path of a file below it. HT_TOOLARGE. */
HT_MUST_CHECK ht_err share_path(const char *relative, char out[static PATH_MAX]);

#endif
