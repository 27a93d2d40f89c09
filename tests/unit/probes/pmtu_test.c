/* The search for a path's MTU on imagined paths. */
#include "unit/test.h"

#include "probes/wan/ping/pmtu.h"

struct way {
	uint32_t mtu, device;
	bool black_hole; /* its router says nothing */
	uint32_t lie;    /* what it says instead of its MTU; 0: the truth */
	double loss;
};

static uint64_t seed;

/* splitmix64, 0..1 */
static double draw(void)
{
	uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ (z >> 31)) >> 11) / (double)(UINT64_C(1) << 53);
}

static struct pmtu search(const struct way *w)
{
	struct pmtu p;
	uint32_t size;
	unsigned sent = 0, turns = 0;

	pmtu_init(&p, PMTU_LEAST_V4, 9000);
	while ((size = pmtu_next(&p)) != 0) {
		assert_true(size <= 9000 && size >= PMTU_LEAST_V4);
		assert_true(turns++ < 2 * PMTU_PACKETS);
		if (size > w->device) {
			pmtu_refused(&p, w->device, true);
			continue;
		}
		sent++;
		if (draw() < w->loss || (size > w->mtu && w->black_hole))
			pmtu_silent(&p);
		else if (size > w->mtu)
			pmtu_refused(&p, w->lie ? w->lie : w->mtu, false);
		else
			pmtu_passed(&p);
	}
	assert_true(sent <= PMTU_PACKETS);
	return p;
}

static uint32_t found(const struct way *w, unsigned packets_max)
{
	struct pmtu p = search(w);

	assert_true(p.packets <= packets_max);
	return pmtu_result(&p);
}

static void test_routers_that_say_so(void **state)
{
	assert_int_equal(found(&(struct way){ .mtu = 9000, .device = 9000 }, 1), 9000);
	assert_int_equal(found(&(struct way){ .mtu = 1500, .device = 1500 }, 1), 1500);
	assert_int_equal(found(&(struct way){ .mtu = 1400, .device = 1500 }, 2), 1400);
	assert_int_equal(found(&(struct way){ .mtu = 68, .device = 1500 }, 2), 68);
}

static void test_black_holes(void **state)
{
	for (uint32_t mtu = 69; mtu <= 1500; mtu++)
		assert_int_equal(
		    found(&(struct way){ .mtu = mtu, .device = 1500, .black_hole = true },
			PMTU_PACKETS),
		    mtu);
}

/* A hint that is wrong costs packets, never the truth upwards. */
static void test_lies(void **state)
{
	static const uint32_t lies[] = { 1, 67, 69, 576, 1399, 1401, 1499, 65535 };

	for (size_t i = 0; i < HT_COUNT(lies); i++) {
		const struct way w = { .mtu = 1400, .device = 1500, .lie = lies[i] };
		uint32_t mtu = found(&w, PMTU_PACKETS);

		assert_true(mtu <= 1400 && mtu >= PMTU_LEAST_V4);
		if (lies[i] > 1400 || lies[i] <= PMTU_LEAST_V4)
			assert_int_equal(mtu, 1400);
	}
}

/* A lossy path is measured too small when three of a size are lost; never too large, and
 * never without an end. One that says nothing at all has no result. */
static void test_loss(void **state)
{
	size_t right = 0;

	for (int i = 0; i < 1000; i++) {
		uint32_t mtu =
		    found(&(struct way){ .mtu = 1400, .device = 1500, .loss = 0.1 },
			PMTU_PACKETS);

		assert_true(mtu <= 1400);
		right += mtu == 1400;
	}
	assert_true(right > 950);
	assert_int_equal(
	    found(&(struct way){ .mtu = 1400, .device = 1500, .loss = 1 }, PMTU_PACKETS),
	    0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routers_that_say_so),
		cmocka_unit_test(test_black_holes),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
