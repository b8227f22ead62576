/* sandbox.c - how the datapath process loses its privileges, in named steps.
 *
 * Theory. This process parses what a hostile guest and a hostile VMM send. A bug here must not lead anywhere: it holds
 * descriptors that it was given (sockets of its NICs, a tap, the guest's memory) and can ask the kernel for nothing else.
 *
 *   before the threads start, because these count for one thread and are inherited
 *     1 no_new_privs          exec gains nothing
 *     2 empty namespaces      user, mount (an empty tmpfs as root), network, IPC, UTS: nothing to name
 *     3 nobody                root becomes nobody; no capabilities in any set
 *     4 Landlock              no file at all, also where namespaces could not be had
 *     5 not dumpable          other processes of the user cannot ptrace it
 *     6 one heap              with several, malloc asks for the number of CPUs and opens a file under /proc when it shrinks one
 *   after the threads have started, for all of them at once
 *     7 seccomp               a list of system calls that the packet path needs; anything else ends the process
 *
 * Steps 2, 3 and 4 depend on the system: what cannot be had is logged. The others must work.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "datapath/datapath.h"

/* An empty, read-only root: /proc, /sys and every socket with a path are out of reach. */
static int empty_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=2,mode=555") < 0)
		return -errno;
	if (chdir("/tmp") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return -errno;
	return 0;
}

static void empty_namespaces(void)
{
	int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	if (geteuid() != 0)
		flags |= CLONE_NEWUSER;
	if (unshare(flags) < 0) {
		log_warning("sandbox: no namespaces of its own: %s (the other steps still hold)",
			    strerror(errno));
		return;
	}
	int rc = empty_root();
	if (rc < 0)
		log_warning("sandbox: no empty file system: %s (the other steps still hold)",
			    strerror(-rc));
}

int sandbox_before_threads(struct error *err)
{
	empty_namespaces();
	int rc = confine_rights(err); /* when control is killed, so are we */
	if (rc < 0) {
		error_prefix(err, "sandbox");
		return rc;
	}
	if (!confine_files())
		log_info("sandbox: no Landlock in this kernel: %s (seccomp forbids files all the "
			 "same)",
			 strerror(errno));
#if !CONFINE_SANITIZED /* which has a malloc of its own */
	if (!mallopt(M_ARENA_MAX, 1))
		return error_set(err, -ENOMEM, "sandbox: malloc cannot be told to use one heap");
#endif
	return 0;
}

/* What the packet path and later hand-overs need. Sorted by purpose. */
static const int allowed[] = {
	/* descriptors that it has */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(lseek),
	SCMP_SYS(shutdown),
	/* a VMM connects */
	SCMP_SYS(accept4),
	/* waiting */
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(futex),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_gettime),
	/* memory; mmap and mprotect have rules of their own below */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	/* threads that just began or end, signals that return */
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(getrandom),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
};

static const uint64_t allowed_ioctls[] = {
	TUNSETOFFLOAD,
	TUNGETIFF,
	TUNSETVNETHDRSZ,
	TUNGETVNETHDRSZ,
	TUNSETVNETLE,
	TUNSETQUEUE,
	/* on descriptors of /dev/vhost-net that it was given: it can open none */
	VHOST_SET_OWNER,
	VHOST_GET_FEATURES,
	VHOST_SET_FEATURES,
	VHOST_SET_MEM_TABLE,
	VHOST_SET_VRING_NUM,
	VHOST_SET_VRING_ADDR,
	VHOST_SET_VRING_BASE,
	VHOST_GET_VRING_BASE,
	VHOST_SET_VRING_KICK,
	VHOST_SET_VRING_CALL,
	VHOST_SET_VRING_ERR,
	VHOST_NET_SET_BACKEND,
};

static const uint64_t allowed_fcntls[] = { F_GETFL, F_SETFL, F_GETFD, F_SETFD };

#if CONFINE_SANITIZED
/* The named, wider filter of sanitizer builds: their runtime reports through files, threads and signals. */
static const int sanitizer_allowed[] = {
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(openat),
	SCMP_SYS(readlink),
	SCMP_SYS(newfstatat),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(prctl),
	SCMP_SYS(tgkill),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(wait4),
	SCMP_SYS(pipe2),
	SCMP_SYS(getuid),
};

/* The leak checker stops all threads with ptrace, which the sandbox forbids; unit tests check for leaks. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static int add_lists(scmp_filter_ctx ctx)
{
	int rc = confine_allow(ctx, allowed, ARRAY_SIZE(allowed));

	if (rc == 0)
		rc = confine_allow_values(ctx, SCMP_SYS(ioctl), 1, allowed_ioctls,
					  ARRAY_SIZE(allowed_ioctls));
	if (rc == 0)
		rc = confine_allow_values(ctx, SCMP_SYS(fcntl), 1, allowed_fcntls,
					  ARRAY_SIZE(allowed_fcntls));
	/* abort() of our own: whoever reads how the process ended is not told of a forbidden call */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2,
				      SCMP_A0(SCMP_CMP_EQ, (unsigned)getpid()),
				      SCMP_A2(SCMP_CMP_EQ, SIGABRT));
	return rc;
}

static int add_memory_rules(scmp_filter_ctx ctx)
{
#if CONFINE_SANITIZED
	int rc = confine_allow(ctx, sanitizer_allowed, ARRAY_SIZE(sanitizer_allowed));
#else
	/* guest memory, the heap: never executable */
	int rc = confine_allow_memory(ctx);
	/* glibc's fstat; with any other flag it would take a path */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				      SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
#endif
	return rc;
}

int sandbox_lock(struct error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = ctx ? 0 : -ENOMEM;

	if (rc == 0)
		rc = add_lists(ctx);
	if (rc == 0)
		rc = add_memory_rules(ctx);
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	rc = confine_load(ctx, rc, err);
	if (rc < 0)
		error_prefix(err, "sandbox");
	return rc;
}
