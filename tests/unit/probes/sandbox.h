/* A network of one's own for a test program: new user (when not root), network and mount
 * namespaces with the loopback up. Call it first thing in main, before any thread. */
#ifndef HT_TESTS_UNIT_PROBES_SANDBOX_H
#define HT_TESTS_UNIT_PROBES_SANDBOX_H

#include <stdbool.h>

/* What main returns without one: ctest counts the program as skipped (HatangBuild.cmake).
 */
enum { SANDBOX_NONE = 77 };

/* False, after saying so, when this machine allows no namespaces. */
bool sandbox_enter(void);

/* Lay `text` over a file, for this process alone: /etc/resolv.conf and the like. False,
 * after saying so, when that is not possible. */
bool sandbox_cover(const char *path, const char *text);

#endif
