/* lockdown.c - the privileges of anynic-helper, and how they shrink.
 *
 * Theory. Two capabilities do the work, and all else goes:
 *     CAP_NET_ADMIN   makes taps and macvtaps, puts them on bridges, and deletes them
 *     CAP_MKNOD       the device node of a macvtap whose usual one, /dev/tapN, belongs to a link of another network namespace with the
 *                     same number. The filter lets it make nodes of the macvtap driver only, which no disk and no memory is behind
 * The user id stays root's, because /dev/tapN and /dev/net/tun are root's, as are helper.conf and Open vSwitch's socket: the other way
 * would be CAP_DAC_OVERRIDE, which opens every file there is. What root's id alone could still open, Landlock takes away (and the
 * device list of the unit file, where a service manager starts us).
 *
 *   the whole program (lockdown_start)
 *     1 limits            memory, files, size of files, no core
 *     2 capabilities      the two above, in no set anything else; no further groups
 *     3 no_new_privs      exec gains nothing
 *     4 not dumpable      nobody attaches
 *     5 seccomp           no exec, no ptrace, no mount, no module, no key, no namespace; sockets of netlink, UNIX, and plain IPv4 ones
 *                         for the ioctls of links
 *   a connection's process (lockdown_session), before it reads the first byte
 *     6 Landlock          reads helper.conf's folder, /etc/passwd, /etc/group, /proc, /sys; uses the devices of /dev; writes the journal
 *     7 seccomp           no fork, no accept as well
 *
 * Step 6 needs a kernel that has Landlock: what cannot be had is logged. The others must work.
 */
#include "helper/lockdown.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/netlink.h"

#define KEPT ((1u << CAP_NET_ADMIN) | (1u << CAP_MKNOD))

/* --- 1 limits ---------------------------------------------------------------------------------------------------- */

static const struct {
	int what;
	rlim_t most;
} limits[] = {
	{ RLIMIT_CORE, 0 },	   { RLIMIT_NOFILE, 64 },
	{ RLIMIT_FSIZE, 1 << 20 }, { RLIMIT_MEMLOCK, 0 },
#if !CONFINE_SANITIZED /* whose shadow needs more */
	{ RLIMIT_DATA, 32 << 20 },
#endif
};

static int limit(struct error *err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit l = { limits[i].most, limits[i].most };

		if (setrlimit((__rlimit_resource_t)limits[i].what, &l) < 0)
			return error_set(err, -errno, "limits: %s", strerror(errno));
	}
	return 0;
}

/* --- 2 capabilities ---------------------------------------------------------------------------------------------- */

static int check_capability(struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct has[2] = { 0 };

	if (syscall(SYS_capget, &header, has) == 0 && (has[0].effective & (1u << CAP_NET_ADMIN)))
		return 0;
	return error_set(err, -EPERM,
			 "anynic-helper needs CAP_NET_ADMIN, and it is not there; next: let the "
			 "service manager start it, or sudo (see anynic-helper(8))");
}

static int keep_two(struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct has[2] = { 0 }, kept[2] = { 0 };

	if (syscall(SYS_capget, &header, has) < 0)
		return error_set(err, -errno, "capabilities: %s", strerror(errno));
	(void)setgroups(
		0, NULL); /* a service manager may have taken the right to do so, and the groups */
	for (int cap = 0; cap < 64; cap++)
		if (cap >= 32 || !(KEPT & (1u << cap)))
			prctl(PR_CAPBSET_DROP, cap, 0, 0,
			      0); /* fails for those that do not exist, or that we never had */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	kept[0].permitted = kept[0].effective = has[0].permitted & KEPT;
	if (syscall(SYS_capset, &header, kept) < 0)
		return error_set(err, -errno, "capabilities cannot be dropped: %s",
				 strerror(errno));
	return 0;
}

/* --- 5, 7 seccomp ------------------------------------------------------------------------------------------------ */

/* What both need. */
static const int common[] = {
	/* descriptors, files (Landlock says which) */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(writev),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fstat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(ftruncate),
	SCMP_SYS(flock),
	SCMP_SYS(fcntl),
	/* sockets; socket() has rules of its own */
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	/* waiting */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(alarm),
	SCMP_SYS(setitimer),
	SCMP_SYS(futex),
	/* memory; mmap and mprotect have rules of their own */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	/* itself */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getuid),
	SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
#if CONFINE_SANITIZED
	/* the named, wider filter of sanitizer builds: their runtime reports through maps, threads and signals */
	SCMP_SYS(sigaltstack),
	SCMP_SYS(sched_yield),
	SCMP_SYS(tgkill),
#endif
};

/* Of the process that listens. The second half makes the filter and the walls of each connection. */
static const int listening[] = {
	SCMP_SYS(accept4),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(fork),
	SCMP_SYS(wait4),
	SCMP_SYS(signalfd4),
	SCMP_SYS(seccomp),
	SCMP_SYS(landlock_create_ruleset),
	SCMP_SYS(landlock_add_rule),
	SCMP_SYS(landlock_restrict_self),
	SCMP_SYS(prctl),
};

/* Links are asked about and set up; taps are made. */
static const uint64_t ioctls[] = {
	SIOCGIFFLAGS,  SIOCSIFFLAGS, SIOCGIFMTU, SIOCSIFMTU, SIOCGIFINDEX,
	SIOCGIFHWADDR, SIOCGIFNAME,  TUNSETIFF,	 TUNGETIFF,
};

static const struct {
	int family, type;
	int protocol; /* -1 = any */
} sockets[] = {
	{ AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
	{ AF_INET, SOCK_DGRAM, -1 },
	{ AF_UNIX, SOCK_STREAM, -1 }, /* Open vSwitch */
	{ AF_UNIX, SOCK_DGRAM, -1 },  /* syslog */
};
#define TYPE_MASK 0xfu

/* Of the macvtap driver, by its number in the kernel that runs. 0 = there is none. */
static unsigned macvtap_major(void)
{
	unsigned number, major = 0;
	char line[80], name[40];
	FILE *f = fopen("/proc/devices", "re");

	while (f && fgets(line, sizeof(line), f) && strncmp(line, "Block", 5) != 0)
		if (sscanf(line, "%u %39s", &number, name) == 2 && strcmp(name, "macvtap") == 0)
			major = number;
	if (f)
		(void)fclose(f);
	return major;
}

/* The numbers as the call takes them: 12 bits of major from bit 8. */
static int add_node_rules(scmp_filter_ctx ctx)
{
	uint64_t major = macvtap_major(), mode = S_IFCHR | 0600;

	if (!major)
		return 0;
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mknodat), 2,
				  SCMP_A2(SCMP_CMP_EQ, mode),
				  SCMP_A3(SCMP_CMP_MASKED_EQ, 0xfff00, major << 8));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mknod), 2,
				      SCMP_A1(SCMP_CMP_EQ, mode),
				      SCMP_A2(SCMP_CMP_MASKED_EQ, 0xfff00, major << 8));
	return rc;
}

static int add_argument_rules(scmp_filter_ctx ctx)
{
	int rc = confine_allow_values(ctx, SCMP_SYS(ioctl), 1, ioctls, ARRAY_SIZE(ioctls));

	for (size_t i = 0; i < ARRAY_SIZE(sockets) && rc == 0; i++) {
		struct scmp_arg_cmp cmp[] = {
			SCMP_A0(SCMP_CMP_EQ, (unsigned)sockets[i].family),
			SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, (unsigned)sockets[i].type),
			SCMP_A2(SCMP_CMP_EQ, (unsigned)MAX(sockets[i].protocol, 0)),
		};
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket),
					    sockets[i].protocol < 0 ? 2 : 3, cmp);
	}
	if (rc == 0)
		rc = confine_allow_memory(ctx);
	return rc < 0 ? rc : add_node_rules(ctx);
}

/* Another call fails: a C library that wants one which this list does not know is no reason to cut off every guest. */
static int filter(bool listens, struct error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = ctx ? confine_allow(ctx, common, ARRAY_SIZE(common)) : -ENOMEM;

	if (rc == 0 && listens)
		rc = confine_allow(ctx, listening, ARRAY_SIZE(listening));
	if (rc == 0)
		rc = add_argument_rules(ctx);
	/* these are no accident */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), 0);
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execveat), 0);
	return confine_load(ctx, rc, err);
}

/* The driver must be there when the filter is made that knows its number. The kernel loads it for whoever asks for a macvtap; on no
 * device none comes of it. */
static void load_macvtap(void)
{
	struct netlink nl;

	if (macvtap_major() || netlink_open(&nl, NULL) < 0)
		return;
	(void)netlink_make_macvtap(&nl, "anynic-none", 0, 0, NULL);
	netlink_close(&nl);
}

int lockdown_start(struct error *err)
{
	int rc = check_capability(err);

	if (rc < 0)
		return rc;
	umask(077);
	load_macvtap();
	rc = limit(err);
	if (rc == 0)
		rc = keep_two(err);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_set(err, -errno, "no_new_privs: %s", strerror(errno));
	return filter(true, err);
}

/* --- 6 Landlock -------------------------------------------------------------------------------------------------- */

#define MAY_READ  LANDLOCK_ACCESS_FS_READ_FILE
#define MAY_LIST  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define MAY_WRITE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define MAY_NODE  (MAY_WRITE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define MAY_KEEP                                                                                   \
	(MAY_LIST | MAY_WRITE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE)

static void restrict_files(const struct helper_setup *setup)
{
	int ruleset = confine_files_begin();
	const char *slash = strrchr(setup->config, '/');
	char folder[256] = "/";

	if (ruleset < 0) {
		log_debug("no Landlock in this kernel: %s (the other steps hold)", strerror(errno));
		return;
	}
	if (slash && slash > setup->config)
		(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - setup->config),
			       setup->config);
	confine_files_allow(ruleset, folder, MAY_LIST);
	confine_files_allow(ruleset, setup->state, MAY_KEEP);
	confine_files_allow(ruleset, "/etc/passwd", MAY_READ);
	confine_files_allow(ruleset, "/etc/group", MAY_READ);
	confine_files_allow(ruleset, "/proc", MAY_READ);
	confine_files_allow(ruleset, "/sys", MAY_READ);
	confine_files_allow(ruleset, "/dev", MAY_NODE);
	(void)confine_files_end(ruleset);
}

int lockdown_session(const struct helper_setup *setup, struct error *err)
{
	restrict_files(setup);
	return filter(false, err);
}
