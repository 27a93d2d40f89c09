#include "server/derive/share.h"

#include <stdbool.h>
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

static bool has_definition(const char *dir)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, SHARE_DEFINITION);

	return dir[0] && n > 0 && n < PATH_MAX && access(path, R_OK) == 0;
}

/* A development build finds its own tree; an installed one does not have it. */
const char *share_dir(void)
{
	const char *wanted = chosen[0] ? chosen : HATANG_SHARE_INSTALLED;

	return !has_definition(wanted) && has_definition(HATANG_SHARE_SOURCE)
		   ? HATANG_SHARE_SOURCE
		   : wanted;
}

ht_err share_path(const char *relative, char out[static PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/%s", share_dir(), relative);

	return n < 0 || n >= PATH_MAX ? HT_TOOLARGE : HT_OK;
}
