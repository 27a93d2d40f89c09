#include "server/throughput/guests.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define SWEEP_NS (HT_NS_PER_S / 2)

enum { PREFIX_BYTES = 8 };

struct guest {
	struct guest *next;
	int fd;
	uint8_t family, prefix[PREFIX_BYTES];
	int64_t until_ns;
	bool passed, shut;
};

struct guests {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool watched, stopping;
	int64_t grace_ns;
	struct guest *first, **last; /* the oldest first */
};

/* ── the list, with the lock held ─────────────────────────────────────────────────── */

static void append(struct guests *g, struct guest *x)
{
	x->next = NULL;
	*g->last = x;
	g->last = &x->next;
}

static void take_out(struct guests *g, struct guest *x)
{
	struct guest **at = &g->first;

	while (*at && *at != x)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = x->next;
	if (g->last == &x->next)
		g->last = at;
}

static bool same_address(const struct guest *a, const struct guest *b)
{
	return a->family == b->family && memcmp(a->prefix, b->prefix, PREFIX_BYTES) == 0;
}

static void shut(struct guest *x, const char *why)
{
	x->shut = true;
	shutdown(x->fd, SHUT_RDWR);
	ht_log_debug("throughput.shut", "fd=%d why=%s", x->fd, why);
}

/* Makes room: of more than `most` guests (like `x`, if given) the oldest goes. */
static void make_room(struct guests *g, const struct guest *x, size_t most)
{
	struct guest *oldest = NULL;
	size_t n = 0;

	for (struct guest *at = g->first; at; at = at->next) {
		if (at->passed || at->shut || (x && !same_address(at, x)))
			continue;
		oldest = oldest ? oldest : at;
		n++;
	}
	if (n > most)
		shut(oldest, "room");
}

/* ── connections ──────────────────────────────────────────────────────────────────── */

static void read_address(struct guest *x, const struct sockaddr *from)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)from;

	if (from && from->sa_family == AF_INET) {
		x->family = AF_INET;
		memcpy(x->prefix, &v4->sin_addr, 4);
	} else if (from && from->sa_family == AF_INET6 &&
		   IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		x->family = AF_INET;
		memcpy(x->prefix, &v6->sin6_addr.s6_addr[12], 4);
	} else if (from && from->sa_family == AF_INET6) {
		x->family = AF_INET6;
		memcpy(x->prefix, v6->sin6_addr.s6_addr, PREFIX_BYTES);
	}
}

struct guest *guests_enter(
    struct guests *g, int fd, const struct sockaddr *from, int64_t now_ns)
{
	struct guest *x = calloc(1, sizeof(*x));

	if (!x) {
		shutdown(fd, SHUT_RDWR);
		return NULL;
	}
	x->fd = fd;
	x->until_ns = now_ns + g->grace_ns;
	read_address(x, from);
	pthread_mutex_lock(&g->lock);
	append(g, x);
	make_room(g, x, GUESTS_OF_ADDRESS);
	make_room(g, NULL, GUESTS_MAX);
	pthread_mutex_unlock(&g->lock);
	return x;
}

void guests_leave(struct guests *g, struct guest *x)
{
	if (!x)
		return;
	pthread_mutex_lock(&g->lock);
	take_out(g, x);
	pthread_mutex_unlock(&g->lock);
	free(x);
}

void guests_passed(struct guests *g, struct guest *x, int64_t until_ns)
{
	if (!x)
		return;
	pthread_mutex_lock(&g->lock);
	x->passed = true;
	x->until_ns = until_ns;
	pthread_mutex_unlock(&g->lock);
}

/* A guest anew, the youngest. */
void guests_again(struct guests *g, struct guest *x, int64_t now_ns)
{
	if (!x)
		return;
	pthread_mutex_lock(&g->lock);
	take_out(g, x);
	append(g, x);
	x->passed = false;
	x->until_ns = now_ns + g->grace_ns;
	pthread_mutex_unlock(&g->lock);
}

void guests_sweep(struct guests *g, int64_t now_ns)
{
	pthread_mutex_lock(&g->lock);
	for (struct guest *x = g->first; x; x = x->next) {
		if (!x->shut && now_ns >= x->until_ns)
			shut(x, x->passed ? "pass" : "grace");
	}
	pthread_mutex_unlock(&g->lock);
}

/* ── life ─────────────────────────────────────────────────────────────────────────── */

static void *watch_them(void *arg)
{
	struct guests *g = arg;
	int64_t step_ns = g->grace_ns < SWEEP_NS ? g->grace_ns : SWEEP_NS;

	pthread_mutex_lock(&g->lock);
	while (!g->stopping) {
		struct timespec at; /* ht_mono_ns() runs on in suspend, this clock not */

		clock_gettime(CLOCK_MONOTONIC, &at);
		int64_t nsec = at.tv_nsec + step_ns;
		at.tv_sec += nsec / HT_NS_PER_S;
		at.tv_nsec = nsec % HT_NS_PER_S;
		pthread_cond_timedwait(&g->wake, &g->lock, &at);
		pthread_mutex_unlock(&g->lock);
		guests_sweep(g, ht_mono_ns());
		pthread_mutex_lock(&g->lock);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

ht_err guests_start(int64_t grace_ns, bool watch, struct guests **out)
{
	struct guests *g = calloc(1, sizeof(*g));
	pthread_condattr_t attr;

	if (!g)
		return HT_NOMEM;
	g->grace_ns = grace_ns;
	g->last = &g->first;
	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->wake, &attr);
	pthread_condattr_destroy(&attr);
	g->watched = watch && pthread_create(&g->thread, NULL, watch_them, g) == 0;
	if (watch && !g->watched) {
		guests_stop(g);
		return HT_NOMEM;
	}
	*out = g;
	return HT_OK;
}

void guests_stop(struct guests *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->stopping = true;
	pthread_cond_signal(&g->wake);
	pthread_mutex_unlock(&g->lock);
	if (g->watched)
		pthread_join(g->thread, NULL);
	while (g->first)
		guests_leave(g, g->first);
	pthread_cond_destroy(&g->wake);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
