/* Small whole files: keys, certificates, configurations, state. Blocking. */
#ifndef HT_BASE_FILE_H
#define HT_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Write a file so that a reader, or a crash, sees the old content or the new: into a
 * temporary file beside it (created with `mode`, whatever the umask), synced, renamed.
 * HT_IO, HT_FULL, HT_DENIED, HT_NOTFOUND (no such folder); the fault names the file. */
HT_MUST_CHECK ht_err ht_file_write(
    const char *file, const void *bytes, size_t len, mode_t mode, struct ht_fault *fault);

/* Read a whole file of at most `max` bytes into a malloc'ed, NUL-terminated block that
 * the caller frees. HT_NOTFOUND, HT_TOOLARGE, HT_IO, HT_DENIED, HT_NOMEM. */
HT_MUST_CHECK ht_err ht_file_read(
    const char *file, size_t max, char **out, size_t *out_len, struct ht_fault *fault);

/* Make a folder (and those above it) unless it is there. New ones get `mode`. */
HT_MUST_CHECK ht_err ht_folder_make(
    const char *folder, mode_t mode, struct ht_fault *fault);

#endif
