#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534u

static int become_nobody(struct error *err)
{
	if (geteuid() != 0 || setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0)
		return 0;
	if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return error_set(err, -errno, "root cannot become nobody: %s", strerror(errno));
	return 0;
}

int confine_rights(struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(err, -errno, "no_new_privs: %s", strerror(errno));
	for (int cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0,
		      0); /* fails for those that do not exist, or that we never had */
	int rc = become_nobody(err);
	if (rc < 0)
		return rc;
	if (syscall(SYS_capset, &header, none) < 0)
		return error_set(err, -errno, "capabilities cannot be dropped: %s",
				 strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_set(err, -errno, "not dumpable: %s", strerror(errno));
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a change of ids forgets it */
	return 0;
}

int confine_files_begin(void)
{
	struct landlock_ruleset_attr all = { .handled_access_fs =
						     (1ull << 13) - 1 }; /* all rights of ABI 1 */

	return (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
}

void confine_files_allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return;
	syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

bool confine_files_end(int ruleset)
{
	bool done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;

	close(ruleset);
	return done;
}

bool confine_files(void)
{
	int ruleset = confine_files_begin();

	return ruleset >= 0 && confine_files_end(ruleset);
}

int confine_allow(scmp_filter_ctx ctx, const int *calls, size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return rc;
}

int confine_allow_values(scmp_filter_ctx ctx, int call, unsigned argument, const uint64_t *values,
			 size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
				      SCMP_CMP64(argument, SCMP_CMP_EQ, values[i]));
	return rc;
}

int confine_load(scmp_filter_ctx ctx, int rc, struct error *err)
{
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc < 0)
		return error_set(err, rc, "the system call filter cannot be set: %s",
				 strerror(-rc));
	return 0;
}

int confine_allow_memory(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return rc;
}
