#include "server/derive/oui.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct oui_row {
	uint32_t prefix;
	uint32_t name; /* offset into names */
};

struct oui {
	struct oui_row *rows;
	size_t n;
	char *names;
	size_t names_len;
};

void oui_free(struct oui *o)
{
	if (!o)
		return;
	free(o->rows);
	free(o->names);
	free(o);
}

size_t oui_count(const struct oui *o)
{
	return o ? o->n : 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "AABBCC     (base 16)\t\tVendor" */
static bool read_line(
    const char *line, size_t len, uint32_t *prefix, const char **name, size_t *name_len)
{
	static const char mark[] = "(base 16)";
	uint32_t p = 0;
	size_t at = 6;

	if (len < at)
		return false;
	for (size_t i = 0; i < 6; i++) {
		int d = hex_digit(line[i]);
		if (d < 0)
			return false;
		p = p << 4 | (uint32_t)d;
	}
	while (at < len && line[at] == ' ')
		at++;
	if (len - at < sizeof(mark) - 1 || memcmp(line + at, mark, sizeof(mark) - 1) != 0)
		return false;
	at += sizeof(mark) - 1;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	while (len > at && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	if (at == len)
		return false;
	*prefix = p;
	*name = line + at;
	*name_len = len - at < OUI_VENDOR_MAX ? len - at : OUI_VENDOR_MAX;
	return true;
}

static int by_prefix(const void *a, const void *b)
{
	const struct oui_row *x = a, *y = b;

	return x->prefix < y->prefix ? -1 : x->prefix > y->prefix;
}

static ht_err add(
    struct oui *o, size_t *cap, uint32_t prefix, const char *name, size_t len)
{
	if (o->n == *cap) {
		size_t more = *cap ? *cap * 2 : 1024;
		struct oui_row *rows = realloc(o->rows, more * sizeof(*rows));
		if (!rows)
			return HT_NOMEM;
		o->rows = rows;
		*cap = more;
	}
	o->rows[o->n++] = (struct oui_row){ prefix, (uint32_t)o->names_len };
	memcpy(o->names + o->names_len, name, len);
	o->names_len += len;
	o->names[o->names_len++] = '\0';
	return HT_OK;
}

ht_err oui_parse(const char *text, size_t len, struct oui **out)
{
	size_t cap = 0, at = 0;
	ht_err err = HT_OK;

	if (len > OUI_FILE_MAX)
		return HT_TOOLARGE;
	struct oui *o = calloc(1, sizeof(*o));
	if (!o)
		return HT_NOMEM;
	/* A vendor's name and its NUL are always shorter than the line they come from. */
	o->names = malloc(len + 1);
	if (!o->names)
		err = HT_NOMEM;
	while (!err && at < len) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t line = end ? (size_t)(end - (text + at)) : len - at;
		uint32_t prefix;
		const char *name;
		size_t name_len;
		if (read_line(text + at, line, &prefix, &name, &name_len))
			err = add(o, &cap, prefix, name, name_len);
		at += line + 1;
	}
	if (err) {
		oui_free(o);
		return err;
	}
	if (o->n)
		qsort(o->rows, o->n, sizeof(*o->rows), by_prefix);
	*out = o;
	return HT_OK;
}

ht_err oui_load(const char *file, struct oui **out)
{
	FILE *f = fopen(file, "re");
	struct stat st;
	char *text = NULL;
	ht_err err = HT_OK;

	if (!f)
		return ht_err_errno(errno);
	if (fstat(fileno(f), &st) < 0)
		err = ht_err_errno(errno);
	else if (st.st_size > (off_t)OUI_FILE_MAX)
		err = HT_TOOLARGE;
	else if (!(text = malloc((size_t)st.st_size + 1)))
		err = HT_NOMEM;
	if (!err) {
		size_t n = fread(text, 1, (size_t)st.st_size, f);
		err = ferror(f) ? HT_IO : oui_parse(text, n, out);
	}
	free(text);
	fclose(f);
	return err;
}

const char *oui_find(const struct oui *o, const struct ht_mac *mac)
{
	if (!o || !o->n || ht_mac_is_local(mac))
		return NULL;
	struct oui_row key = {
		(uint32_t)mac->b[0] << 16 | (uint32_t)mac->b[1] << 8 | mac->b[2], 0
	};
	const struct oui_row *row =
	    bsearch(&key, o->rows, o->n, sizeof(*o->rows), by_prefix);
	return row ? o->names + row->name : NULL;
}
