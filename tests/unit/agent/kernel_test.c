/* What a router's older kernel lacks is done another way. */
#include "unit/test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/kernel.h"

static bool open_still(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* In a process of its own: the test keeps its descriptors. */
static void closes_all_but_the_first(void (*close_from)(int first))
{
	int kept = open("/dev/null", O_RDONLY), gone = dup(kept), status = 0;

	assert_true(kept >= 0 && gone > kept);
	int far = fcntl(gone, F_DUPFD, 200);
	pid_t pid = fork();
	if (pid == 0) {
		close_from(kept + 1);
		_exit(open_still(kept) && !open_still(gone) && !open_still(far) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(kept);
	close(gone);
	close(far);
}

static void test_close_from(void **state)
{
	closes_all_but_the_first(kernel_close_from);
	closes_all_but_the_first(kernel_close_each_from);
}

static void test_pidfd_tells_the_end(void **state)
{
	int hold[2];

	assert_int_equal(pipe(hold), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char byte;

		close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(hold[0]);
	struct pollfd p = { .fd = kernel_pidfd_open(pid), .events = POLLIN };

	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	close(hold[1]); /* now it ends */
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(p.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_from),
		cmocka_unit_test(test_pidfd_tells_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
