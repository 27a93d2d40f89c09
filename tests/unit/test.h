/* What every cmocka test includes, in the order cmocka wants. */
#ifndef HT_TESTS_UNIT_TEST_H
#define HT_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka 1.1 wants the four above first. */
#include <cmocka.h>

#include "base/err.h"

/* First in a test that needs what an emulator of processors does not hand through from
 * the kernel: it is left out there, with the reason. */
#ifdef HT_TESTS_EMULATED
#define skip_when_emulated(why)                                \
	do {                                                   \
		print_message("SKIPPED: emulated, " why "\n"); \
		skip();                                        \
	} while (0)
#else
#define skip_when_emulated(why) ((void)0)
#endif

#define assert_ok(expr) assert_int_equal((expr), HT_OK)

#endif
