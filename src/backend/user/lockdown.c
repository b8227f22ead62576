/* lockdown.c - the sandbox of anynic-user.
 *
 * libslirp parses every frame of a guest, and needs the host's sockets for its whole life: so this process has no guest
 * memory, no descriptor but its socketpair and its sockets, and gives up all else, in this order:
 *     1 no_new_privs          nothing it could start gains rights
 *     2 ids, capabilities     root becomes nobody (forwarded ports below 1024 are open by now); no capability is left
 *     3 not dumpable          nobody of the same user attaches to it; when control dies, it dies
 *     4 Landlock              reads the folder of resolv.conf (libslirp looks again and again, and the file is replaced, not
 *                             rewritten) and the TFTP folder; no other file. Where the kernel has none: see 5
 *     5 seccomp               files are opened for reading only; IP sockets only; no exec, no fork, no ptrace, no mapping
 *                             that is executable. Anything else ends the process
 * 1, 2, 3 and 5 must work.
 */
#include "backend/user/lockdown.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fd.h"

#define RESOLV_CONF "/etc/resolv.conf"

static void allow_reading(int ruleset, const char *folder)
{
	confine_files_allow(ruleset, folder, LANDLOCK_ACCESS_FS_READ_FILE);
}

/* Where the file really is, as with systemd-resolved. */
static void allow_resolv_conf(int ruleset)
{
	char *real = realpath(RESOLV_CONF, NULL);
	char *slash = real ? strrchr(real, '/') : NULL;

	allow_reading(ruleset, "/etc");
	if (slash && slash != real) {
		*slash = '\0';
		allow_reading(ruleset, real);
	}
	free(real);
}

static void restrict_files(const char *readable)
{
	int ruleset = confine_files_begin();

	if (ruleset < 0)
		return; /* no Landlock here: the filter still refuses all but reading */
	allow_resolv_conf(ruleset);
	if (readable[0])
		allow_reading(ruleset, readable);
	(void)confine_files_end(ruleset);
}

static const int allowed[] = {
	/* its descriptors */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	/* sockets of the host */
	SCMP_SYS(bind),
	SCMP_SYS(connect),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockopt),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg),
	/* waiting */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(futex),
	/* memory; mmap and mprotect have rules of their own */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	/* the end */
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getrandom),
#if CONFINE_SANITIZED
	/* the named, wider filter of sanitizer builds: their runtime reports through maps, threads and signals */
	SCMP_SYS(sigaltstack),
	SCMP_SYS(readlink),
	SCMP_SYS(sched_yield),
	SCMP_SYS(tgkill),
	SCMP_SYS(kill),
#endif
};

static const uint64_t allowed_ioctls[] = { FIONREAD, FIONBIO };
static const uint64_t allowed_fcntls[] = { F_GETFL, F_SETFL, F_GETFD, F_SETFD };
static const uint64_t allowed_families[] = { AF_INET, AF_INET6 };

static int add_rules(scmp_filter_ctx ctx)
{
	const unsigned writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
	int rc = confine_allow(ctx, allowed, ARRAY_SIZE(allowed));

	if (rc == 0)
		rc = confine_allow_values(ctx, SCMP_SYS(ioctl), 1, allowed_ioctls,
					  ARRAY_SIZE(allowed_ioctls));
	if (rc == 0)
		rc = confine_allow_values(ctx, SCMP_SYS(fcntl), 1, allowed_fcntls,
					  ARRAY_SIZE(allowed_fcntls));
	if (rc == 0)
		rc = confine_allow_values(ctx, SCMP_SYS(socket), 0, allowed_families,
					  ARRAY_SIZE(allowed_families));
	if (rc == 0) /* the C library looks up interface names with it; it can live without */
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				      SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));
	return rc == 0 ? confine_allow_memory(ctx) : rc;
}

int user_lock_down(const char *readable, struct error *err)
{
	int rc = confine_rights(err);

	if (rc < 0)
		return rc;
	restrict_files(readable);
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	return confine_load(ctx, ctx ? add_rules(ctx) : -ENOMEM, err);
}
