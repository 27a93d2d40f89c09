#include "server/web/files.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct files {
	struct file at[FILES_MAX];
	size_t n, bytes;
};

static const struct {
	const char *suffix, *type;
} types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".json", "application/json" },
	{ ".svg", "image/svg+xml" },
	{ ".png", "image/png" },
	{ ".ico", "image/x-icon" },
	{ ".woff2", "font/woff2" },
	{ ".txt", "text/plain; charset=utf-8" },
};

static const char *files_type(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < HT_COUNT(types); i++) {
		size_t n = strlen(types[i].suffix);

		if (len > n && strcmp(name + len - n, types[i].suffix) == 0)
			return types[i].type;
	}
	return NULL;
}

static ht_err files_read(FILE *from, struct files *f, struct file *out)
{
	struct stat st;

	if (fstat(fileno(from), &st) != 0 || !S_ISREG(st.st_mode))
		return HT_IO;
	if (st.st_size < 0 || (size_t)st.st_size > FILES_BYTES_MAX - f->bytes)
		return HT_TOOLARGE;
	out->len = (size_t)st.st_size;
	out->bytes = malloc(out->len + 1);
	if (!out->bytes)
		return HT_NOMEM;
	if (fread(out->bytes, 1, out->len, from) != out->len)
		return HT_IO;
	f->bytes += out->len;
	return HT_OK;
}

static void files_tag(struct file *file)
{
	uint8_t hash[16];

	crypto_generichash(hash, sizeof(hash), file->bytes, file->len, NULL, 0);
	file->etag[0] = '"';
	sodium_bin2hex(file->etag + 1, 33, hash, sizeof(hash));
	memcpy(file->etag + 33, "\"", 2);
}

static ht_err files_add(
    struct files *f, const char *on_disk, const char *path, const char *type)
{
	struct file file = { .type = type };

	if (f->n == FILES_MAX)
		return HT_FULL;
	FILE *from = fopen(on_disk, "re");
	if (!from)
		return ht_err_errno(errno);
	ht_err err = files_read(from, f, &file);
	fclose(from);
	file.path = err ? NULL : strdup(path);
	if (!err && !file.path)
		err = HT_NOMEM;
	if (err) {
		free(file.bytes);
		return err;
	}
	files_tag(&file);
	f->at[f->n++] = file;
	return HT_OK;
}

static ht_err files_scan(struct files *f, const char *dir, const char *prefix, int depth)
{
	DIR *d = opendir(dir);
	ht_err err = HT_OK;

	if (!d)
		return ht_err_errno(errno);
	for (struct dirent *e; !err && (e = readdir(d));) {
		char on_disk[4096], path[512];

		if (e->d_name[0] == '.')
			continue;
		if ((size_t)snprintf(on_disk, sizeof(on_disk), "%s/%s", dir, e->d_name) >=
			sizeof(on_disk) ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", prefix, e->d_name) >=
			sizeof(path)) {
			err = HT_TOOLARGE;
		} else if (e->d_type == DT_DIR && depth > 0) {
			err = files_scan(f, on_disk, path, depth - 1);
		} else if (files_type(e->d_name)) {
			err = files_add(f, on_disk, path, files_type(e->d_name));
		}
	}
	closedir(d);
	return err;
}

ht_err files_load(const char *dir, struct files **out, struct ht_fault *fault)
{
	struct files *f = calloc(1, sizeof(*f));
	ht_err err = f ? files_scan(f, dir, "", 1) : HT_NOMEM;

	if (err) {
		files_free(f);
		return ht_fault_set(fault, err,
		    "%s: the dashboard's files cannot be read (%s): build them with "
		    "dashboards/web/build",
		    dir, ht_err_name(err));
	}
	*out = f;
	return HT_OK;
}

void files_free(struct files *f)
{
	for (size_t i = 0; f && i < f->n; i++) {
		free(f->at[i].path);
		free(f->at[i].bytes);
	}
	free(f);
}

const struct file *files_find(const struct files *f, const char *path)
{
	if (strcmp(path, "/") == 0)
		path = "/index.html";
	for (size_t i = 0; f && i < f->n; i++)
		if (strcmp(f->at[i].path, path) == 0)
			return &f->at[i];
	return NULL;
}
