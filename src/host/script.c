#include "host/script.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define SCRIPT_MS 30000
#define NOT_RUN	  127 /* as a shell has it */

static int look_at(const char *path, struct error *err)
{
	struct stat st;

	if (!path[0])
		return 0;
	int rc = stat(path, &st) < 0 || access(path, X_OK) < 0 ? -errno : 0;
	if (rc == 0 && !S_ISREG(st.st_mode))
		rc = -EACCES;
	return rc < 0 ? error_set(err, rc, "script %s cannot be run: %s", path, strerror(-rc)) : 0;
}

int host_script_look(const struct backend_spec *spec, struct error *err)
{
	if (!spec->script[0] && !spec->downscript[0])
		return 0;
	if (geteuid() != 0)
		return error_set(err, -EPERM,
				 "scripts of XML (%s) are run by root only; next: start as root, "
				 "or remove <script> and <downscript> and prepare the tap yourself",
				 spec->script[0] ? spec->script : spec->downscript);
	int rc = look_at(spec->script, err);
	return rc == 0 ? look_at(spec->downscript, err) : rc;
}

/* In the child: nothing but system calls from here on. A group of its own, so that all of it can be ended. */
static _Noreturn void become(const char *path, char *const *argv)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	(void)setpgid(0, 0);
	/* what is ignored stays so, and the process that tidies up ignores most */
	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || chdir("/") < 0)
		_exit(NOT_RUN);
	syscall(SYS_close_range, 3, ~0u, 0);
	execv(path, argv);
	_exit(NOT_RUN);
}

/* False: it had to be killed. */
static bool ends_itself(pid_t pid, int *status)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, SCRIPT_MS);
	while (n < 0 && errno == EINTR);
	if (n <= 0 || pidfd < 0)
		(void)kill(-pid, SIGKILL);
	fd_close(&pidfd);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return n > 0;
}

int host_script_run(const char *path, const char *ifname, struct error *err)
{
	char program[PATH_ROOM], argument[16];
	char *const argv[] = { program, argument, NULL };
	int status = 0;

	if (!str_copy(program, sizeof(program), path) ||
	    !str_copy(argument, sizeof(argument), ifname))
		return error_set(err, -ENAMETOOLONG, "script %s: its name is too long", path);
	pid_t pid = fork();
	if (pid == 0)
		become(program, argv);
	if (pid < 0)
		return error_set(err, -errno, "script %s: no process: %s", path, strerror(errno));
	if (!ends_itself(pid, &status))
		return error_set(err, -ETIMEDOUT,
				 "script %s %s did not end in %d seconds and was killed", path,
				 ifname, SCRIPT_MS / 1000);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return error_set(err, -ECANCELED,
			 "script %s %s failed (%s %d); next: try it by hand, and let it end with "
			 "exit status 0",
			 path, ifname, WIFSIGNALED(status) ? "signal" : "exit status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}
