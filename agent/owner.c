#include "agent/owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

ht_err owner_give(const char *folder, const char *user, struct ht_fault *fault)
{
	struct dirent *e;

	if (geteuid() != 0 || !user || !user[0])
		return HT_OK;
	const struct passwd *pw = getpwnam(user);
	if (!pw)
		return ht_fault_set(fault, HT_CONFIG, "agent.user: no user \"%s\"", user);
	DIR *d = opendir(folder);
	if (!d || fchown(dirfd(d), pw->pw_uid, pw->pw_gid) != 0) {
		ht_fault_set(fault, HT_IO, "%s: %s", folder, strerror(errno));
		if (d)
			closedir(d);
		return HT_IO;
	}
	while ((e = readdir(d))) {
		/* Never through a link: root would give away what it points to. */
		if (e->d_type == DT_REG && fchownat(dirfd(d), e->d_name, pw->pw_uid,
					       pw->pw_gid, AT_SYMLINK_NOFOLLOW) != 0) {
			ht_fault_set(fault, HT_IO, "%s/%s: %s", folder, e->d_name,
			    strerror(errno));
			closedir(d);
			return HT_IO;
		}
	}
	closedir(d);
	return HT_OK;
}
