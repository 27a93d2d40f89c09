#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { SECRET_MAX = 4096, PATH_BYTES = 4200 };

static ht_err find(const char *file, char out[static PATH_BYTES], struct ht_fault *fault)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	struct stat st;
	int n = file[0] == '/' || !folder
		    ? snprintf(out, PATH_BYTES, "%s", file)
		    : snprintf(out, PATH_BYTES, "%s/%s", folder, file);

	if (n < 0 || n >= PATH_BYTES)
		return ht_fault_set(fault, HT_TOOLARGE, "%s: the name is too long", file);
	if (stat(out, &st))
		return ht_fault_set(fault, HT_NOTFOUND,
		    "%s: cannot be read; name a file that holds the secret", out);
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO)))
		return ht_fault_set(fault, HT_DENIED,
		    "%s: others than its owner may read this secret; run: chmod 600 %s",
		    out, out);
	return HT_OK;
}

ht_err ht_secret_check(const char *file, struct ht_fault *fault)
{
	char path[PATH_BYTES];

	return find(file, path, fault);
}

ht_err ht_secret_read(const char *file, char **out, struct ht_fault *fault)
{
	char path[PATH_BYTES], *text;
	size_t len;
	ht_err err = find(file, path, fault);

	if (!err)
		err = ht_file_read(path, SECRET_MAX, &text, &len, fault);
	if (err)
		return err;
	text[strcspn(text, "\r\n")] = '\0';
	*out = text;
	return HT_OK;
}

void ht_secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
