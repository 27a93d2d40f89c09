#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {
	[-HT_OK] = "ok",
	[-HT_NOMEM] = "no-memory",
	[-HT_INVALID] = "invalid",
	[-HT_RANGE] = "out-of-range",
	[-HT_FULL] = "full",
	[-HT_IO] = "io",
	[-HT_NOTFOUND] = "not-found",
	[-HT_EXISTS] = "exists",
	[-HT_CONFLICT] = "conflict",
	[-HT_MALFORMED] = "malformed",
	[-HT_TOOLARGE] = "too-large",
	[-HT_UNSUPPORTED] = "unsupported",
	[-HT_DENIED] = "denied",
	[-HT_TIMEOUT] = "timeout",
	[-HT_AGAIN] = "again",
	[-HT_CLOSED] = "closed",
	[-HT_CORRUPT] = "corrupt",
	[-HT_CONFIG] = "configuration",
};

const char *ht_err_name(ht_err err)
{
	int i = -(int)err;

	if (i < 0 || (size_t)i >= HT_COUNT(names))
		return "unknown";
	return names[i];
}

ht_err ht_fault_set(struct ht_fault *fault, ht_err err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (!fault)
		return err;
	fault->err_no = saved;
	va_start(ap, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, ap);
	va_end(ap);
	return err;
}

ht_err ht_err_errno(int err_no)
{
	switch (err_no) {
	case 0:
		return HT_OK;
	case ENOMEM:
		return HT_NOMEM;
	case ENOENT:
		return HT_NOTFOUND;
	case EEXIST:
		return HT_EXISTS;
	case EACCES:
	case EPERM:
		return HT_DENIED;
	case ENOSPC:
	case EDQUOT:
	case ENOBUFS:
		return HT_FULL;
	case ETIMEDOUT:
		return HT_TIMEOUT;
	case EAGAIN:
	case EINTR:
		return HT_AGAIN;
	case EINVAL:
		return HT_INVALID;
	default:
		return HT_IO;
	}
}
