#include "mqtt/client_address.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ht_err client_address_load(const char *file, struct ht_addr *out)
{
	char text[HT_ADDR_TEXT];
	struct ht_addr a;
	FILE *f;

	if (!file)
		return HT_NOTFOUND;
	f = fopen(file, "re");
	if (!f)
		return ht_err_errno(errno);
	char *line = fgets(text, sizeof(text), f);
	fclose(f);
	if (!line)
		return HT_MALFORMED;
	text[strcspn(text, "\n")] = '\0';
	if (ht_addr_parse(text, &a) || strchr(text, '/'))
		return HT_MALFORMED;
	*out = a;
	return HT_OK;
}

ht_err client_address_save(const char *file, const struct ht_addr *address)
{
	char text[HT_ADDR_TEXT], line[HT_ADDR_TEXT + 1], aside[PATH_MAX];

	if (!file)
		return HT_OK;
	if (snprintf(aside, sizeof(aside), "%s.new", file) >= (int)sizeof(aside))
		return HT_TOOLARGE;
	ht_addr_format(address, text);
	int n = snprintf(line, sizeof(line), "%s\n", text);
	int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return HT_IO;
	bool written = write(fd, line, (size_t)n) == n;
	if (close(fd) != 0 || !written || rename(aside, file) != 0) {
		unlink(aside);
		return HT_IO;
	}
	return HT_OK;
}
