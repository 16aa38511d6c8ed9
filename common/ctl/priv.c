#include "common/ctl/priv.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void priv_harden(void)
{
	const struct rlimit none = { 0, 0 };

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
}

static int become(const char *user)
{
	const struct passwd *pw;

	pw = getpwnam(user);
	if (!pw)
		return -ENOENT;
	if (pw->pw_uid == geteuid())
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return -errno;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // a change of uid resets it
	return 0;
}

int priv_drop(const char *user)
{
	return user && *user ? become(user) : 0;
}

int priv_drop_but_ports(const char *user)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int err;

	if (!user || !*user || geteuid() != 0)
		return priv_drop(user);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	err = become(user);
	if (err || geteuid() == 0)
		return err;
	caps[0].permitted = caps[0].effective = 1u << CAP_NET_BIND_SERVICE;
	return syscall(SYS_capset, &hdr, caps) < 0 ? -errno : 0;
}
