#include "server/derive/share.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef HATANG_SHARE_SOURCE
#define HATANG_SHARE_SOURCE ""
#endif
#ifndef HATANG_SHARE_INSTALLED
#define HATANG_SHARE_INSTALLED "/usr/share/hatang"
#endif

static char chosen[PATH_MAX];

ht_err share_set(const char *dir)
{
	size_t len = dir ? strlen(dir) : 0;

	if (len >= sizeof(chosen))
		return HT_TOOLARGE;
	memcpy(chosen, dir ? dir : "", len + 1);
	return HT_OK;
}

/* A development build finds its own tree; an installed one does not have it. */
const char *share_dir(void)
{
	if (chosen[0])
		return chosen;
	if (HATANG_SHARE_SOURCE[0] &&
	    access(HATANG_SHARE_SOURCE "/" SHARE_DEFINITION, R_OK) == 0)
		return HATANG_SHARE_SOURCE;
	return HATANG_SHARE_INSTALLED;
}

ht_err share_path(const char *relative, char out[static PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/%s", share_dir(), relative);

	return n < 0 || n >= PATH_MAX ? HT_TOOLARGE : HT_OK;
}
