/* The spool on a real file in a folder of its own: order, bounds, gaps, epochs, broken
 * files and disks that take nothing more. */
#include "unit/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/spool.h"

static char dir[64], path[96];

static struct spool_now now = {
	.mono_ns = 1000 * HT_NS_PER_S,
	.wall_ms = INT64_C(1519887600000),
	.synchronised = true,
	.boot = "00000000-0000-4000-8000-000000000001",
};

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/hatang-spool-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/spool.db", dir);
	now.mono_ns = 1000 * HT_NS_PER_S;
	return 0;
}

static int teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char file[400];

	while (d && (e = readdir(d))) {
		snprintf(file, sizeof(file), "%s/%s", dir, e->d_name);
		unlink(file);
	}
	closedir(d);
	return rmdir(dir);
}

static struct spool_config config(void)
{
	return (struct spool_config){
		.path = path,
		.fingerprint = "f00d",
		.max_bytes = 64 * 1024 * 1024,
		.max_age_ns = 3600 * HT_NS_PER_S,
	};
}

static struct spool *open_with(const struct spool_config *c)
{
	struct spool *s = NULL;
	struct ht_fault fault = { 0 };

	assert_ok(spool_open(c, &now, &s, &fault));
	return s;
}

static struct spool *reopen(struct spool *s)
{
	struct spool_config c = config();

	spool_close(s);
	return open_with(&c);
}

static ht_err put_bytes(struct spool *s, const void *bytes, size_t len)
{
	struct spool_entry e = {
		.session = "0123456789abcdef", .payload = bytes, .len = len
	};

	return spool_append(s, &e, &now);
}

static ht_err put(struct spool *s, const char *text)
{
	return put_bytes(s, text, strlen(text));
}

static struct spool_stats stats(struct spool *s)
{
	struct spool_stats st;

	spool_stats(s, &now, &st);
	return st;
}

struct seen {
	int n;
	int64_t seq[512];
	char epoch[512][17];
	char first[64];
};

static bool see(void *arg, const struct spool_pack *p)
{
	struct seen *seen = arg;

	if (seen->n == 0)
		snprintf(seen->first, sizeof(seen->first), "%.*s", (int)p->len,
		    (const char *)p->payload);
	seen->seq[seen->n] = p->seq;
	memcpy(seen->epoch[seen->n++], p->epoch, 17);
	return seen->n < 512;
}

static struct seen all(struct spool *s)
{
	struct seen seen = { 0 };

	assert_ok(spool_fetch(s, 0, INT64_MAX, 512, 1 << 30, see, &seen));
	return seen;
}

static void test_order_and_ack(void **state)
{
	struct spool_config c = config();
	struct spool *s = open_with(&c);

	for (int i = 0; i < 5; i++) {
		char text[8];
		snprintf(text, sizeof(text), "p%d", i);
		assert_ok(put(s, text));
	}
	struct seen seen = all(s);
	assert_int_equal(seen.n, 5);
	assert_string_equal(seen.first, "p0");
	for (int i = 0; i < 5; i++)
		assert_int_equal(seen.seq[i], i + 1);

	assert_ok(spool_ack(s, seen.epoch[0], 1, 2));
	assert_ok(spool_ack(s, seen.epoch[0], 4, 4));
	assert_ok(spool_ack(s, "ffffffffffffffff", 1, 100)); /* nobody's: no harm */
	assert_int_equal(spool_ack(s, seen.epoch[0], 5, 6), HT_RANGE);
	s = reopen(s);
	seen = all(s);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.seq[0], 3);
	assert_int_equal(seen.seq[1], 5);
	assert_int_equal(stats(s).packs, 2);
	assert_int_equal(stats(s).bytes, 2 * (2 + SPOOL_PACK_OVERHEAD));

	/* The series goes on when all is gone and the program starts anew. */
	assert_ok(spool_ack(s, seen.epoch[0], 1, 5));
	s = reopen(s);
	assert_int_equal(stats(s).packs, 0);
	assert_int_equal(stats(s).next_seq, 6);
	spool_close(s);
}

static void test_fetch_bounds(void **state)
{
	struct spool_config c = config();
	struct spool *s = open_with(&c);
	struct seen seen = { 0 };

	for (int i = 0; i < 6; i++)
		assert_ok(put(s, "0123456789"));
	assert_ok(spool_fetch(s, 2, 5, 10, 1000, see, &seen));
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.seq[0], 3);
	seen.n = 0;
	assert_ok(spool_fetch(s, 0, INT64_MAX, 10, 25, see, &seen));
	assert_int_equal(seen.n, 2);
	seen.n = 0;
	assert_ok(spool_fetch(s, 0, INT64_MAX, 10, 1, see, &seen)); /* one always */
	assert_int_equal(seen.n, 1);
	spool_close(s);
}

static void remembered(void *arg, const struct spool_memory *m)
{
	snprintf(arg, 32, "%s=%.*s", m->instance, (int)m->len, (const char *)m->bytes);
}

static void test_memory(void **state)
{
	struct spool_config c = config();
	struct spool *s = open_with(&c);
	struct spool_memory m = { "st", "7", 1 };
	struct spool_entry e = { .session = "s", .memories = &m, .n_memories = 1 };
	char text[32] = "";

	assert_ok(spool_append(s, &e, &now)); /* memory alone takes no number */
	assert_int_equal(stats(s).next_seq, 1);
	m.bytes = "12";
	m.len = 2;
	e.payload = "x";
	e.len = 1;
	assert_ok(spool_append(s, &e, &now));
	s = reopen(s);
	assert_ok(spool_memories(s, remembered, text));
	assert_string_equal(text, "st=12");
	spool_close(s);
}

static void test_bounded_bytes(void **state)
{
	struct spool_config c = config();
	struct spool_gap gaps[8];
	static char big[10000];
	size_t n = 0;

	c.max_bytes = 50 * 1000;
	struct spool *s = open_with(&c);
	for (int i = 0; i < 10; i++)
		assert_ok(put_bytes(s, big, sizeof(big)));
	/* 4 of 10,256 bytes fit: 1-6 went, as one gap. */
	assert_int_equal(all(s).n, 4);
	assert_int_equal(all(s).seq[0], 7);
	assert_int_equal(stats(s).dropped, 6);
	assert_ok(spool_gaps(s, gaps, 8, &n));
	assert_int_equal(n, 1);
	char want[SPOOL_GAP_TEXT];
	snprintf(want, sizeof(want), "%s:1-6 spool-full", stats(s).epoch);
	assert_string_equal(gaps[0].text, want);

	/* Pack 11 reports it (and pushes 7 out: another gap, that nobody reports yet). */
	struct spool_entry e = { .session = "s",
		.payload = big,
		.len = sizeof(big),
		.gaps = gaps,
		.n_gaps = 1 };
	assert_ok(spool_append(s, &e, &now));
	assert_ok(spool_gaps(s, gaps, 8, &n));
	assert_int_equal(n, 1);
	assert_int_equal(stats(s).gaps, 2);

	/* The acknowledgement of 10 does not forget it; that of 11 does. */
	assert_ok(spool_ack(s, stats(s).epoch, 8, 10));
	assert_int_equal(stats(s).gaps, 2);
	assert_ok(spool_ack(s, stats(s).epoch, 11, 11));
	assert_int_equal(stats(s).gaps, 1);
	assert_int_equal(stats(s).gaps_waiting, 1);
	spool_close(s);
}

static void test_carrier_dropped(void **state)
{
	struct spool_config c = config();
	struct spool_gap gaps[8];
	static char big[10000];
	size_t n = 0;

	c.max_bytes = 25 * 1000;
	struct spool *s = open_with(&c);
	for (int i = 0; i < 3; i++)
		assert_ok(put_bytes(s, big, sizeof(big)));
	assert_ok(spool_gaps(s, gaps, 8, &n));
	assert_int_equal(n, 1);
	struct spool_entry e = { .session = "s",
		.payload = big,
		.len = sizeof(big),
		.gaps = gaps,
		.n_gaps = 1 };
	assert_ok(spool_append(s, &e, &now)); /* number 4 carries 1-1 */
	for (int i = 0; i < 2; i++)
		assert_ok(put_bytes(s, big, sizeof(big))); /* pushes number 4 out */
	assert_ok(spool_gaps(s, gaps, 8, &n));
	assert_int_equal(n, 2);
	assert_non_null(strstr(gaps[0].text, ":1-1 "));
	assert_non_null(strstr(gaps[1].text, ":2-4 "));
	spool_close(s);
}

/* Between the reading of a gap and the pack that tells it, the gap may grow: what the
 * pack does not tell must not be forgotten with its acknowledgement. */
static void test_gap_grows_before_its_carrier(void **state)
{
	struct spool_config c = config();
	struct spool_gap gaps[8];
	static char big[10000];
	char want[SPOOL_GAP_TEXT];
	size_t n = 0;

	c.max_bytes = 25 * 1000;
	struct spool *s = open_with(&c);
	for (int i = 0; i < 3; i++)
		assert_ok(put_bytes(s, big, sizeof(big)));
	assert_ok(spool_gaps(s, gaps, 8, &n));
	assert_int_equal(n, 1);
	assert_int_equal(gaps[0].last, 1);
	assert_ok(put_bytes(s, big, sizeof(big))); /* pushes number 2 out */
	struct spool_entry e = {
		.session = "s", .payload = "x", .len = 1, .gaps = gaps, .n_gaps = 1
	};
	assert_ok(spool_append(s, &e, &now)); /* number 5 tells of 1-1 */
	assert_ok(spool_ack(s, stats(s).epoch, 5, 5));
	assert_ok(spool_gaps(s, gaps, 8, &n));
	assert_int_equal(n, 1);
	snprintf(want, sizeof(want), "%s:1-2 spool-full", stats(s).epoch);
	assert_string_equal(gaps[0].text, want);
	spool_close(s);
}

static void test_age(void **state)
{
	struct spool_config c = config();
	struct spool *s = open_with(&c);

	assert_ok(put(s, "old"));
	now.mono_ns += 3000 * HT_NS_PER_S;
	assert_ok(put(s, "new"));
	assert_int_equal(stats(s).oldest_age_ns / HT_NS_PER_S, 3000);
	now.mono_ns += 700 * HT_NS_PER_S;
	assert_ok(spool_trim(s, &now));
	assert_int_equal(all(s).n, 1);
	assert_int_equal(all(s).seq[0], 2);
	assert_int_equal(stats(s).gaps_waiting, 1);

	/* Another boot and no clock: nobody can tell the age, nothing is dropped. */
	struct spool_now other = now;
	other.boot = "00000000-0000-4000-8000-000000000002";
	other.mono_ns = 0;
	other.synchronised = false;
	assert_ok(spool_trim(s, &other));
	assert_int_equal(all(s).n, 1);
	other.synchronised = true;
	other.wall_ms += 2 * 3600 * HT_MS_PER_S;
	assert_ok(spool_trim(s, &other));
	assert_int_equal(all(s).n, 0);
	spool_close(s);
}

static void test_epochs(void **state)
{
	struct spool_config c = config();
	struct spool *s = open_with(&c);
	char first[17];

	assert_ok(put(s, "a"));
	memcpy(first, stats(s).epoch, 17);
	assert_ok(spool_new_epoch(s));
	assert_string_not_equal(stats(s).epoch, first);
	assert_ok(put(s, "b"));
	struct seen seen = all(s);
	assert_int_equal(seen.n, 2);
	assert_string_equal(seen.epoch[0], first);
	assert_int_equal(seen.seq[1], 1);
	assert_ok(spool_ack(s, first, 1, 40)); /* the old one knows no bound any more */
	assert_int_equal(all(s).n, 1);

	char second[17];
	memcpy(second, stats(s).epoch, 17);
	s = reopen(s);
	assert_string_equal(stats(s).epoch, second);
	spool_close(s);
	c.fingerprint = "beef"; /* the disk went into another machine */
	s = open_with(&c);
	assert_string_not_equal(stats(s).epoch, second);
	assert_int_equal(stats(s).next_seq, 1);
	assert_int_equal(all(s).n, 1);
	spool_close(s);
}

static void scribble(off_t at)
{
	int fd = open(path, O_WRONLY);
	char junk[4096];

	memset(junk, 0x5a, sizeof(junk));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	close(fd);
}

static bool moved_aside(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool found = false;

	while ((e = readdir(d)))
		found |= strncmp(e->d_name, "spool.db.corrupt-", 17) == 0;
	closedir(d);
	return found;
}

/* What lay in the broken file is a gap: by its numbers where they can still be read, else
 * one number of the new epoch stands for it. */
static void lost_is_told(struct spool *s, const char *old, const char *numbers, size_t i)
{
	struct spool_gap gaps[8];
	char known[SPOOL_GAP_TEXT], unknown[SPOOL_GAP_TEXT];
	size_t n = 0;

	assert_ok(spool_gaps(s, gaps, 8, &n));
	assert_int_equal(n, 1);
	snprintf(known, sizeof(known), "%s:%s corrupt", old, numbers);
	snprintf(
	    unknown, sizeof(unknown), "%s:1-1 corrupt-extent-unknown", stats(s).epoch);
	assert_string_equal(gaps[0].text, i == 1 ? known : unknown);
	assert_int_equal(stats(s).next_seq, i == 1 ? 1 : 2);
}

static void test_corrupt(void **state)
{
	static const off_t places[] = { 0, 4096, 8192 };

	for (size_t i = 0; i < HT_COUNT(places); i++) {
		struct spool_config c = config();
		struct spool *s = open_with(&c);
		char before[17];
		assert_ok(put(s, "a"));
		memcpy(before, stats(s).epoch, 17);
		spool_close(s);
		scribble(places[i]);
		s = open_with(&c);
		assert_string_not_equal(stats(s).epoch, before);
		lost_is_told(s, before, "1-1", i);
		assert_true(stats(s).corrupt[0] != '\0');
		assert_true(moved_aside());
		assert_ok(put(s, "works again"));
		assert_int_equal(stats(s).packs, 1);
		spool_close(s);
		teardown(NULL);
		setup(NULL);
	}
}

/* Two epochs, some acknowledged, and a gap that nobody had told of yet. */
static void test_corrupt_epochs(void **state)
{
	struct spool_config c = config();
	struct spool *s = open_with(&c);
	struct spool_gap gaps[8];
	char first[17], second[17], want[SPOOL_GAP_TEXT];
	size_t n = 0, found = 0;
	struct spool_entry e = {
		.session = "s", .payload = "x", .len = 1, .overrun = true
	};

	for (int i = 0; i < 3; i++)
		assert_ok(put(s, "a"));
	memcpy(first, stats(s).epoch, sizeof(first));
	assert_ok(spool_ack(s, first, 1, 1));
	assert_ok(spool_new_epoch(s));
	memcpy(second, stats(s).epoch, sizeof(second));
	assert_ok(spool_append(s, &e, &now)); /* 1 is given up, 2 is there */
	spool_close(s);
	scribble(4096); /* a page that only housekeeping reads */
	s = open_with(&c);
	assert_true(moved_aside());
	assert_ok(spool_gaps(s, gaps, 8, &n));
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		snprintf(want, sizeof(want), "%s:2-3 corrupt", first);
		found |= strcmp(gaps[i].text, want) == 0 ? 1 : 0;
		snprintf(want, sizeof(want), "%s:2-2 corrupt", second);
		found |= strcmp(gaps[i].text, want) == 0 ? 2 : 0;
		snprintf(want, sizeof(want), "%s:1-1 overrun", second);
		found |= strcmp(gaps[i].text, want) == 0 ? 4 : 0;
	}
	assert_int_equal(found, 7);
	spool_close(s);
}

static void test_garbage_file(void **state)
{
	struct spool_config c = config();
	FILE *f = fopen(path, "w");

	fputs("this is no database, but it is long enough to be looked at\n", f);
	fclose(f);
	struct spool *s = open_with(&c);
	assert_ok(put(s, "x"));
	assert_true(moved_aside());
	spool_close(s);
}

static void test_full(void **state)
{
	struct spool_config c = config();
	static char big[20000];
	struct spool_gap gaps[8];
	size_t n = 0;
	int64_t kept = 0, lost = 0;

	c.max_pages = 60;
	struct spool *s = open_with(&c);
	struct spool_memory m = { "st", "1", 1 };
	while (lost < 5) {
		struct spool_entry e = { .session = "s",
			.payload = big,
			.len = sizeof(big),
			.memories = &m,
			.n_memories = 1 };
		ht_err err = spool_append(s, &e, &now);
		assert_true(err == HT_OK || err == HT_FULL);
		if (err)
			lost++;
		else
			kept++;
		assert_true(kept < 60);
	}
	assert_true(kept > 2);
	assert_int_equal(stats(s).dropped, lost);
	assert_int_equal(stats(s).failed, lost);
	assert_int_equal(all(s).n, kept);

	/* The server takes some: there is space, the gap is on record and the series has
	 * no hole that nobody explains. */
	assert_ok(spool_ack(s, stats(s).epoch, 1, 2));
	assert_ok(put(s, "after"));
	assert_ok(spool_gaps(s, gaps, 8, &n));
	assert_int_equal(n, 1);
	char want[SPOOL_GAP_TEXT];
	snprintf(want, sizeof(want), "%s:%d-%d disk-full", stats(s).epoch, (int)kept + 1,
	    (int)(kept + lost));
	assert_string_equal(gaps[0].text, want);
	struct seen seen = all(s);
	assert_int_equal(seen.seq[seen.n - 1], kept + lost + 1);
	spool_close(s);
}

static void test_overrun(void **state)
{
	struct spool_config c = config();
	struct spool *s = open_with(&c);
	struct spool_entry e = {
		.session = "s", .payload = "x", .len = 1, .overrun = true
	};
	struct spool_gap gap;
	size_t n;

	assert_ok(put(s, "a"));
	assert_ok(spool_append(s, &e, &now));
	assert_ok(spool_gaps(s, &gap, 1, &n));
	assert_int_equal(n, 1);
	assert_non_null(strstr(gap.text, ":2-2 overrun"));
	assert_int_equal(all(s).seq[1], 3);
	spool_close(s);
}

/* A child appends without end and is killed at some moment, again and again: what it
 * said was durable must be there, numbered without a hole. */
static void test_killed(void **state)
{
	for (int round = 0; round < 8; round++) {
		int pipefd[2];
		assert_int_equal(pipe(pipefd), 0);
		pid_t pid = fork();
		if (pid == 0) {
			struct spool_config c = config();
			struct spool *s = NULL;
			if (spool_open(&c, &now, &s, NULL))
				_exit(1);
			for (;;) {
				if (put(s, "k"))
					_exit(1);
				int64_t seq = stats(s).next_seq - 1;
				if (write(pipefd[1], &seq, sizeof(seq)) != sizeof(seq))
					_exit(1);
			}
		}
		close(pipefd[1]);
		int64_t said = 0, seq;
		for (int i = 0; i < 10 + round * 3; i++) {
			assert_int_equal(read(pipefd[0], &seq, sizeof(seq)), sizeof(seq));
			said = seq;
		}
		kill(pid, SIGKILL);
		while (read(pipefd[0], &seq, sizeof(seq)) == sizeof(seq))
			said = seq;
		close(pipefd[0]);
		waitpid(pid, NULL, 0);

		struct spool_config c = config();
		struct spool *s = open_with(&c);
		struct seen seen = all(s);
		assert_true(stats(s).next_seq > said);
		for (int i = 1; i < seen.n; i++)
			assert_int_equal(seen.seq[i], seen.seq[i - 1] + 1);
		assert_int_equal(seen.seq[seen.n - 1], stats(s).next_seq - 1);
		assert_ok(spool_ack(s, stats(s).epoch, 1, stats(s).next_seq - 2));
		spool_close(s);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_order_and_ack),
		T(test_fetch_bounds),
		T(test_memory),
		T(test_bounded_bytes),
		T(test_carrier_dropped),
		T(test_gap_grows_before_its_carrier),
		T(test_age),
		T(test_epochs),
		T(test_corrupt),
		T(test_corrupt_epochs),
		T(test_garbage_file),
		T(test_full),
		T(test_overrun),
		T(test_killed),
	};

	return cmocka_run_group_tests_name("agent/spool", tests, NULL, NULL);
}
