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

#define assert_ok(expr) assert_int_equal((expr), HT_OK)

#endif
