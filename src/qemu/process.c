#include "qemu/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* Signals that a program may have been told to ignore or that we block for our loop: QEMU starts with none of that. */
static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < 32; i++)
		if (i != SIGKILL && i != SIGSTOP && i != SIGHUP) /* nohup stays nohup */
			signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run_child(char *const *argv, const int *keep, unsigned keep_count, pid_t parent,
		      int report)
{
	int code;

	reset_signals();
	/* SIGTERM, not SIGKILL: QEMU then closes its disk images */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	for (unsigned i = 0; i < keep_count; i++)
		fd_set_cloexec(keep[i], false);
	execvp(argv[0], argv);
	code = errno;
	(void)!write(report, &code, sizeof(code));
	_exit(127);
}

int qemu_process_start(struct qemu_process *p, char *const *argv, const int *keep,
		       unsigned keep_count, struct error *err)
{
	pid_t self = getpid();
	int report[2], code = 0;

	*p = (struct qemu_process){ .pid_fd = -1 };
	if (pipe2(report, O_CLOEXEC) < 0)
		return error_set(err, -errno, "pipe: %s", strerror(errno));
	p->pid = fork();
	if (p->pid == 0)
		run_child(argv, keep, keep_count, self, report[1]);
	if (p->pid < 0)
		code = errno;
	fd_close(&report[1]);
	/* the pipe closes at a good exec */
	while (p->pid > 0 && read(report[0], &code, sizeof(code)) < 0 && errno == EINTR)
		;
	fd_close(&report[0]);
	if (p->pid > 0 && code == 0) {
		p->pid_fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
		if (p->pid_fd < 0)
			code = errno;
	}
	if (code == 0)
		return 0;
	qemu_process_finish(p);
	return error_set(err, -code, "%s cannot be started: %s", argv[0], strerror(code));
}

bool qemu_process_reap(struct qemu_process *p)
{
	if (p->pid > 0 && !p->ended && waitpid(p->pid, &p->status, WNOHANG) == p->pid)
		p->ended = true;
	return p->ended;
}

int qemu_process_exit_status(const struct qemu_process *p)
{
	if (WIFEXITED(p->status))
		return WEXITSTATUS(p->status);
	return WIFSIGNALED(p->status) ? 128 + WTERMSIG(p->status) : 1;
}

void qemu_process_signal(struct qemu_process *p, int signal)
{
	if (p->pid > 0 && !p->ended)
		kill(p->pid, signal);
}

void qemu_process_finish(struct qemu_process *p)
{
	if (p->pid > 0 && !p->ended) {
		kill(p->pid, SIGKILL);
		while (waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR)
			;
		p->ended = true;
	}
	if (p->pid > 0)
		fd_close(&p->pid_fd);
	p->pid = 0;
}
