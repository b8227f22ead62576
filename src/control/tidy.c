#include "control/tidy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child: keeps nothing of its parent's but the pipe, above all not the lock. */
static _Noreturn void wait_and_tidy(const struct place *p, int end)
{
	char byte;
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (dup2(end, 3) < 0)
		_exit(1);
	syscall(SYS_close_range, 4, ~0u, 0);
	prctl(PR_SET_NAME, "anynic-tidy");
	/* Ctrl-C and the end of a session reach the whole group: whoever cleans up, this one must still be there */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	ssize_t n;
	do
		n = read(3, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0) /* nobody said good-bye */
		place_tidy(p);
	_exit(0);
}

int tidy_start(struct tidy *t, const struct place *p, struct error *err)
{
	int pair[2];

	*t = (struct tidy){ .fd = -1 };
	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
	t->pid = fork();
	if (t->pid == 0)
		wait_and_tidy(p, pair[0]);
	close(pair[0]);
	if (t->pid < 0) {
		close(pair[1]);
		t->pid = 0;
		return error_set(err, -errno, "cannot start a process: %s", strerror(errno));
	}
	t->fd = pair[1];
	return 0;
}

void tidy_finish(struct tidy *t)
{
	if (t->pid <= 0)
		return;
	/* one byte: there is nothing to do. If it cannot be written, that process is gone already. */
	ssize_t told = write(t->fd, "", 1);
	(void)told;
	close(t->fd);
	while (waitpid(t->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*t = (struct tidy){ .fd = -1 };
}
