#include "qemu/detect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define ANSWER_SECONDS 15 /* a cold start on a busy machine takes a few */

static int check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

static int search_path(const char *name, char *path, size_t size)
{
	const char *at = getenv("PATH");
	int result = -ENOENT;

	if (!at)
		at = "/usr/local/bin:/usr/bin:/bin";
	while (1) {
		size_t len = strcspn(at, ":");
		int n = snprintf(path, size, "%.*s/%s", len ? (int)len : 1, len ? at : ".", name);

		if (n > 0 && (size_t)n < size) {
			int rc = check_program(path);
			if (rc == 0)
				return 0;
			if (rc == -EACCES)
				result = rc;
		}
		if (at[len] == '\0')
			return result;
		at += len + 1;
	}
}

/* Debian's package of a QEMU program. */
static const char *package_of(const char *name)
{
	static const struct {
		const char *target, *package;
	} packages[] = {
		{ "x86_64", "qemu-system-x86" },    { "i386", "qemu-system-x86" },
		{ "aarch64", "qemu-system-arm" },   { "arm", "qemu-system-arm" },
		{ "riscv64", "qemu-system-riscv" }, { "riscv32", "qemu-system-riscv" },
		{ "ppc64", "qemu-system-ppc" },
	};
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;

	for (unsigned i = 0; strncmp(base, "qemu-system-", 12) == 0 && i < ARRAY_SIZE(packages);
	     i++)
		if (strcmp(base + 12, packages[i].target) == 0)
			return packages[i].package;
	return "qemu-system-x86";
}

int qemu_find(const char *name, char *path, size_t size, struct error *err)
{
	int rc;

	if (strchr(name, '/')) {
		rc = check_program(name);
		if (rc == 0 && !str_copy(path, size, name))
			rc = -ENAMETOOLONG;
	} else {
		rc = search_path(name, path, size);
	}
	if (rc == -ENOENT || rc == -ENOTDIR)
		return error_set(err, -ENOENT,
				 "QEMU program '%.100s' is not there%s; install it (Debian: "
				 "%s) or write its path after --",
				 name, strchr(name, '/') ? "" : " on $PATH", package_of(name));
	if (rc < 0)
		return error_set(err, rc, "QEMU program '%.100s' cannot be run: %s", name,
				 strerror(-rc));
	return 0;
}

static void run_child(const char *path, char *const *argv, int out)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, 0);
	dup2(out, 1);
	dup2(null, 2);
	execv(path, argv);
	_exit(127);
}

/* Reads until the end, at most size-1 bytes. 0 or -ETIMEDOUT. */
static int read_answer(int fd, char *answer, size_t size)
{
	uint64_t end = monotonic_ns() + ANSWER_SECONDS * NS_PER_S;
	size_t n = 0;

	while (n < size - 1) {
		uint64_t now = monotonic_ns();
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (now >= end)
			return -ETIMEDOUT;
		int rc = poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1);
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (rc <= 0)
			continue;
		ssize_t got = read(fd, answer + n, size - 1 - n);
		if (got == 0)
			break;
		if (got < 0 && errno != EINTR)
			return -errno;
		n += got > 0 ? (size_t)got : 0;
	}
	answer[n] = '\0';
	return 0;
}

/* Runs a program and takes the beginning of what it prints; it is killed when it takes too long. */
static int ask(const char *path, char *const *argv, char *answer, size_t size, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, -errno, "pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		run_child(path, argv, fds[1]);
	int rc = pid < 0 ? -errno : 0;
	fd_close(&fds[1]);
	if (rc == 0)
		rc = read_answer(fds[0], answer, size);
	fd_close(&fds[0]);
	if (pid > 0) {
		kill(pid, SIGKILL); /* it has said what we want, or it never will */
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (rc == -ETIMEDOUT)
		return error_set(err, rc, "%s %s gave no answer within %d seconds", path, argv[1],
				 ANSWER_SECONDS);
	if (rc < 0)
		return error_set(err, rc, "%s cannot be run: %s", path, strerror(-rc));
	return 0;
}

int qemu_detect(struct qemu_program *program, const char *name, struct error *err)
{
	char answer[4096];
	char *version[] = { (char *)name, "--version", NULL };
	char *device[] = { (char *)name, "-device", "vfio-user-pci,help", NULL };

	*program = (struct qemu_program){ 0 };
	int rc = qemu_find(name, program->path, sizeof(program->path), err);
	if (rc < 0)
		return rc;
	rc = ask(program->path, version, answer, sizeof(answer), err);
	if (rc < 0)
		return rc;
	const char *at = strstr(answer, "version ");
	if (!strstr(answer, "QEMU") || !at ||
	    sscanf(at, "version %u.%u.%u", &program->major, &program->minor, &program->micro) < 2)
		return error_set(err, -ENOEXEC,
				 "%s is no QEMU: it does not answer --version as QEMU does; write "
				 "the program "
				 "qemu-system-... after --",
				 program->path);
	if (program->major < QEMU_VFIO_USER_MAJOR ||
	    (program->major == QEMU_VFIO_USER_MAJOR && program->minor < QEMU_VFIO_USER_MINOR))
		return 0;
	/* never `-device help`: it loads every module, also those of another QEMU that is installed */
	rc = ask(program->path, device, answer, sizeof(answer), err);
	if (rc == 0)
		program->vfio_user = strstr(answer, "vfio-user-pci options") != NULL;
	return rc;
}

int qemu_assume_version(struct qemu_program *program, const char *version, struct error *err)
{
	char rest;

	*program = (struct qemu_program){ 0 };
	int n = sscanf(version, "%3u.%3u.%3u%c", &program->major, &program->minor, &program->micro,
		       &rest);
	if ((n != 2 && n != 3) || version[strspn(version, "0123456789.")])
		return error_set(err, -EINVAL,
				 "--qemu-version %.40s is no version; write X.Y, as in 11.1",
				 version);
	program->vfio_user =
		program->major > QEMU_VFIO_USER_MAJOR ||
		(program->major == QEMU_VFIO_USER_MAJOR && program->minor >= QEMU_VFIO_USER_MINOR);
	return 0;
}

int qemu_require_vfio_user(const struct qemu_program *program, struct error *err)
{
	if (program->vfio_user)
		return 0;
	if (program->major > QEMU_VFIO_USER_MAJOR ||
	    (program->major == QEMU_VFIO_USER_MAJOR && program->minor >= QEMU_VFIO_USER_MINOR))
		return error_set(err, -ENOTSUP,
				 "this QEMU %u.%u was built without vfio-user-pci, which hosted "
				 "cards need; use another build",
				 program->major, program->minor);
	return error_set(err, -ENOTSUP,
			 "QEMU %u.%u has no vfio-user-pci, which hosted cards need (%d.%d or newer "
			 "has it); use a newer QEMU",
			 program->major, program->minor, QEMU_VFIO_USER_MAJOR,
			 QEMU_VFIO_USER_MINOR);
}
