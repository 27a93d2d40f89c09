#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ht_err refused(struct ht_fault *fault, const char *verb, const char *file)
{
	int err_no = errno;

	ht_fault_set(fault, HT_IO, "cannot %s %s: %s", verb, file, strerror(err_no));
	if (fault)
		fault->err_no = err_no;
	return ht_err_errno(err_no);
}

static ht_err write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ht_err_errno(errno);
		bytes += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0 ? HT_OK : ht_err_errno(errno);
}

/* The rename itself must survive a crash too; a folder that cannot be synced is no error.
 */
static void sync_folder_of(const char *file)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(file, '/');

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - file + 1) : 1,
	    slash ? file : ".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

ht_err ht_file_write(
    const char *file, const void *bytes, size_t len, mode_t mode, struct ht_fault *fault)
{
	char temporary[PATH_MAX];

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", file) >=
	    sizeof(temporary))
		return ht_fault_set(
		    fault, HT_INVALID, "the path %.100s… is too long", file);
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return refused(fault, "write", file);
	ht_err err =
	    fchmod(fd, mode) == 0 ? write_all(fd, bytes, len) : ht_err_errno(errno);
	if (close(fd) < 0 && !err)
		err = ht_err_errno(errno);
	if (!err && rename(temporary, file) < 0)
		err = ht_err_errno(errno);
	if (err) {
		(void)refused(fault, "write", file);
		unlink(temporary);
		return err;
	}
	sync_folder_of(file);
	return HT_OK;
}

static ht_err read_all(int fd, size_t max, char **out, size_t *out_len)
{
	size_t cap = 0, len = 0;
	char *bytes = NULL;

	for (;;) {
		if (len + 1 >= cap) {
			cap = cap ? cap * 2 : 4096;
			char *more = realloc(bytes, cap);
			if (!more)
				break;
			bytes = more;
		}
		ssize_t n = read(fd, bytes + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n < 0)
				break;
			bytes[len] = '\0';
			*out = bytes;
			*out_len = len;
			return HT_OK;
		}
		len += (size_t)n;
		if (len > max) {
			errno = EFBIG;
			break;
		}
	}
	int err_no = errno;
	free(bytes);
	errno = err_no;
	return err_no == EFBIG ? HT_TOOLARGE : ht_err_errno(err_no);
}

ht_err ht_file_read(
    const char *file, size_t max, char **out, size_t *out_len, struct ht_fault *fault)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return refused(fault, "read", file);
	ht_err err = read_all(fd, max, out, out_len);
	if (err)
		(void)refused(fault, "read", file);
	close(fd);
	return err;
}

ht_err ht_folder_make(const char *folder, mode_t mode, struct ht_fault *fault)
{
	char path[PATH_MAX];
	size_t len = strlen(folder);

	if (len == 0 || len >= sizeof(path))
		return ht_fault_set(
		    fault, HT_INVALID, "the folder's name is empty or too long");
	memcpy(path, folder, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		path[i] = '\0';
		if (mkdir(path, mode) < 0 && errno != EEXIST)
			return refused(fault, "make the folder", path);
		path[i] = folder[i];
	}
	return HT_OK;
}
