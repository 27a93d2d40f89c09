/* Calls of the kernel that not every C library names (musl 1.2.3 does not) and not every
 * router's kernel has. */
#ifndef HATANG_AGENT_KERNEL_H
#define HATANG_AGENT_KERNEL_H

#include <sys/types.h>

/* A descriptor that becomes readable when the process ends; -1 and errno otherwise
 * (ENOSYS before Linux 5.3). */
int kernel_pidfd_open(pid_t pid);

/* Close `first` and every descriptor above it, whatever the kernel. */
void kernel_close_from(int first);

/* The same, one by one: what kernel_close_from does before Linux 5.9. */
void kernel_close_each_from(int first);

#endif
