#include "host/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define LOG_ROOM       16384
#define LAST_BREATH_MS 200

/* In the child: nothing but system calls from here on. */
static void become(const char *path, char *const *argv, int sock, int log, pid_t parent)
{
	/* Ctrl-C in the terminal, or timeout(1), reaches the whole group: the network stays until control ends it */
	static const int not_its[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	/* a program that changes its user takes this back: then the end of its socket ends it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	for (unsigned i = 0; i < ARRAY_SIZE(not_its); i++)
		signal(not_its[i], SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, 0); /* before the socket: it may have got that number */
	dup2(null, 1);
	if (log >= 0)
		dup2(log, 2);
	if (sock == CHILD_FD)
		fcntl(sock, F_SETFD, 0);
	else
		dup2(sock, CHILD_FD);
	syscall(SYS_close_range, CHILD_FD + 1, ~0u, 0);
	execv(path, argv);
	_exit(127);
}

int child_start(struct opened_backend *out, const char *path, char *const *argv, int sock,
		struct error *err)
{
	const char *slash = strrchr(path, '/');
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		become(path, argv, sock, out->log, parent);
	int rc = -errno;
	str_copy(out->program, sizeof(out->program), slash ? slash + 1 : path);
	if (pid < 0)
		return error_set(err, rc, "%s: no process: %s", out->program, strerror(-rc));
	out->pid = pid;
	out->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (out->pidfd < 0)
		return error_set(err, -errno, "%s cannot be watched: %s", out->program,
				 strerror(errno));
	return 0;
}

int child_log(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (ftruncate(fd, LOG_ROOM) < 0 ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0))
		fd_close(&fd);
	return fd;
}

/* passt tells the system's log too, and tells it when there is none. */
static bool worth_telling(const char *line)
{
	return line[0] != '\0' && strncmp(line, "Failed to send ", 15) != 0;
}

/* The last line that it wrote, if any. */
static void last_words(int log, char *text, size_t size)
{
	char all[LOG_ROOM + 1];
	ssize_t n = log >= 0 ? pread(log, all, sizeof(all) - 1, 0) : 0;
	char *rest = all;

	text[0] = '\0';
	all[n > 0 ? n : 0] = '\0'; /* what was never written is zeroes */
	while (rest) {
		char *line = strsep(&rest, "\n");
		if (worth_telling(line))
			str_copy(text, size, line);
	}
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static int reap(struct opened_backend *o)
{
	int status = 0;

	if (o->pid <= 0)
		return 0;
	kill(o->pid, SIGKILL); /* not reaped yet, so the number is still its own */
	waitpid(o->pid, &status, 0);
	o->pid = 0;
	fd_close(&o->pidfd);
	return status;
}

void child_kill(struct opened_backend *o)
{
	(void)reap(o);
}

void child_end(struct opened_backend *o, char *text, size_t size)
{
	struct pollfd p = { .fd = o->pidfd, .events = POLLIN };
	char words[160];

	(void)poll(&p, 1, LAST_BREATH_MS); /* its socket closes a moment before */
	int status = reap(o);
	last_words(o->log, words, sizeof(words));
	(void)snprintf(text, size, "%s ended (%s %d)%s%s", o->program,
		       WIFSIGNALED(status) ? "signal" : "exit status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		       words[0] ? ": " : "", words);
}
