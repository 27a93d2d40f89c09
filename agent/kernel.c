#include "agent/kernel.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS_MAX = 65536 }; /* "no limit" is not a number to count to */

int kernel_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

void kernel_close_each_from(int first)
{
	struct rlimit most;
	int end = FDS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur < FDS_MAX)
		end = (int)most.rlim_cur;
	for (int fd = first; fd < end; fd++)
		(void)close(fd);
}

void kernel_close_from(int first)
{
	if (syscall(SYS_close_range, first, ~0U, 0))
		kernel_close_each_from(first);
}
