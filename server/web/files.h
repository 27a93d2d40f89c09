/* The dashboard's files, read into memory at start: a request can name nothing else. */
#ifndef HT_SERVER_WEB_FILES_H
#define HT_SERVER_WEB_FILES_H

#include <stddef.h>

#include "base/err.h"

#define FILES_MAX       256
#define FILES_BYTES_MAX (16 * 1024 * 1024)

struct files;

struct file {
	char *path;       /* "/app.js" */
	const char *type; /* static text */
	char etag[40];    /* quoted */
	void *bytes;
	size_t len;
};

/* Read a folder, two levels deep, only files of known types. An absent folder is
 * HT_NOTFOUND. */
HT_MUST_CHECK ht_err files_load(
    const char *dir, struct files **out, struct ht_fault *fault);
void files_free(struct files *f); /* accepts NULL */

/* NULL: none of that path. "/" is "/index.html". */
const struct file *files_find(const struct files *f, const char *path);

#endif
