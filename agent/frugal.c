#include "agent/frugal.h"

#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

static void small_arenas(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024);
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}

void frugal_trim(void)
{
	malloc_trim(0);
}
#else
static void small_arenas(void)
{
}

void frugal_trim(void)
{
}
#endif

void frugal_start(void)
{
	small_arenas();
	setenv("UV_THREADPOOL_SIZE", "1", 0); /* it resolves names, nothing else */
}
