#include "agent/rights.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Whether this user namespace maps one user only (unshare -Ur): no one else to become. */
static bool only_user(void)
{
	unsigned long inside = 0, outside = 0, count = 0, more;
	FILE *f = fopen("/proc/self/uid_map", "re");

	if (!f)
		return false;
	int n = fscanf(f, "%lu %lu %lu %lu", &inside, &outside, &count, &more);
	fclose(f);
	return n == 3 && count == 1;
}

static bool kept(cap_value_t cap, const cap_value_t *keep, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (keep[i] == cap)
			return true;
	}
	return false;
}

/* What an exec could ever give back. Needs CAP_SETPCAP; without it we never had root. */
static void bound(const cap_value_t *keep, size_t n)
{
	for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++) {
		if (!kept(c, keep, n))
			(void)cap_drop_bound(c);
	}
	(void)cap_reset_ambient();
}

static ht_err become(const char *user, struct ht_fault *fault)
{
	errno = 0;
	const struct passwd *p = getpwnam(user);

	if (!p)
		return ht_fault_set(fault, HT_CONFIG,
		    "agent.user: there is no user '%s'; create it (adduser --system "
		    "--group %s) "
		    "or name another",
		    user, user);
	if (initgroups(user, p->pw_gid) || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) ||
	    setresuid(p->pw_uid, p->pw_uid, p->pw_uid))
		return ht_fault_set(fault, HT_DENIED, "cannot become the user '%s': %s",
		    user, strerror(errno));
	if (p->pw_uid != 0 && setuid(0) == 0) /* the proof that it is for good */
		return ht_fault_set(
		    fault, HT_DENIED, "root could be had back as '%s'", user);
	return HT_OK;
}

/* Permitted and effective: what of `keep` we have; inheritable: nothing. */
static ht_err keep_only(const cap_value_t *keep, size_t n, struct ht_fault *fault)
{
	cap_t have = cap_get_proc(), want = cap_init();
	bool good = have && want;

	for (size_t i = 0; good && i < n; i++) {
		cap_flag_value_t v = CAP_CLEAR;

		if (cap_get_flag(have, keep[i], CAP_PERMITTED, &v) || v == CAP_CLEAR)
			continue;
		good = !cap_set_flag(want, CAP_PERMITTED, 1, &keep[i], CAP_SET) &&
		       !cap_set_flag(want, CAP_EFFECTIVE, 1, &keep[i], CAP_SET);
	}
	good = good && !cap_set_proc(want);
	int saved = errno;
	cap_free(have);
	cap_free(want);
	errno = saved;
	return good ? HT_OK
		    : ht_fault_set(fault, HT_DENIED, "cannot give up capabilities: %s",
			  strerror(saved));
}

ht_err rights_drop(
    const char *user, const cap_value_t *keep, size_t n, struct ht_fault *fault)
{
	bool change = geteuid() == 0 && user && *user && !only_user();
	ht_err err = HT_OK;

	bound(keep, n);
	if (change && n)
		(void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (change)
		err = become(user, fault);
	if (!err)
		err = keep_only(keep, n, fault);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = ht_fault_set(
		    fault, HT_DENIED, "cannot set no_new_privs: %s", strerror(errno));
	return err;
}
