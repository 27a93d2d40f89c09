#include "base/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 4096, PATH_BYTES = 4200, HELD_MAX = 64 };

/* Credentials that were opened while we still could. */
static struct held {
	char *name;
	int fd;
} held[HELD_MAX];
static size_t n_held;

/* systemd gives its files to the service by an access list, whose mask shows as the
 * group's right to read. */
#define OTHERS(credential) \
	((credential) ? S_IRWXO | S_IWGRP | S_IXGRP : S_IRWXG | S_IRWXO)

/* ---- those of systemd ---- */

static void release(void)
{
	while (n_held) {
		struct held *h = &held[--n_held];

		close(h->fd);
		free(h->name);
	}
}

static void hold(int folder, const char *name)
{
	struct stat st;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return;
	char *copy = strdup(name);

	if (!copy || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    (st.st_mode & OTHERS(true))) {
		free(copy);
		close(fd);
		return;
	}
	held[n_held++] = (struct held){ copy, fd };
}

void ht_secret_hold(void)
{
	const char *path = getenv("CREDENTIALS_DIRECTORY");
	DIR *d = path ? opendir(path) : NULL;
	const struct dirent *e;

	release();
	while (d && n_held < HELD_MAX && (e = readdir(d)))
		hold(dirfd(d), e->d_name);
	if (d)
		closedir(d);
}

static const struct held *find_held(const char *file)
{
	for (size_t i = 0; i < n_held; i++) {
		if (strcmp(held[i].name, file) == 0)
			return &held[i];
	}
	return NULL;
}

/* ---- opening ---- */

static ht_err refuse_unreadable(const char *path, struct ht_fault *fault)
{
	const struct passwd *p = getpwuid(geteuid());

	if (errno != EACCES || !p)
		return ht_fault_set(fault, HT_NOTFOUND,
		    "%s: cannot be read; name a file that holds the secret", path);
	return ht_fault_set(fault, HT_DENIED,
	    "%s: user %s may not read this secret; run: chown %s %s", path, p->pw_name,
	    p->pw_name, path);
}

static ht_err open_file(const char *file, int *out, struct ht_fault *fault)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	bool credential = file[0] != '/' && folder;
	char path[PATH_BYTES];
	struct stat st;
	int n = credential ? snprintf(path, sizeof(path), "%s/%s", folder, file)
			   : snprintf(path, sizeof(path), "%s", file);

	if (n < 0 || n >= PATH_BYTES)
		return ht_fault_set(fault, HT_TOOLARGE, "%s: the name is too long", file);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return refuse_unreadable(path, fault);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (st.st_mode & OTHERS(credential))) {
		close(fd);
		return ht_fault_set(fault, HT_DENIED,
		    "%s: others than its owner may read this secret; run: chmod 600 %s",
		    path, path);
	}
	*out = fd;
	return HT_OK;
}

/* A descriptor that the caller closes. */
static ht_err open_secret(const char *file, int *out, struct ht_fault *fault)
{
	const struct held *h = find_held(file);

	if (!h)
		return open_file(file, out, fault);
	*out = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
	return *out < 0 ? ht_fault_set(fault, HT_IO, "%s: %s", file, strerror(errno))
			: HT_OK;
}

ht_err ht_secret_check(const char *file, struct ht_fault *fault)
{
	int fd;
	ht_err err = open_secret(file, &fd, fault);

	if (!err)
		close(fd);
	return err;
}

static ht_err read_line(const char *file, int fd, char **out, struct ht_fault *fault)
{
	char text[SECRET_MAX + 1];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	ht_err err = HT_OK;

	if (n < 0)
		err = ht_fault_set(fault, HT_IO, "%s: %s", file, strerror(errno));
	else if ((size_t)n == sizeof(text))
		err = ht_fault_set(fault, HT_TOOLARGE,
		    "%s: more than %d bytes are no secret", file, SECRET_MAX);
	if (!err) {
		text[n] = '\0';
		text[strcspn(text, "\r\n")] = '\0';
		*out = strdup(text);
		err = *out ? HT_OK : HT_NOMEM;
	}
	explicit_bzero(text, sizeof(text));
	return err;
}

ht_err ht_secret_read(const char *file, char **out, struct ht_fault *fault)
{
	int fd;
	ht_err err = open_secret(file, &fd, fault);

	if (err)
		return err;
	err = read_line(file, fd, out, fault);
	close(fd);
	return err;
}

void ht_secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
