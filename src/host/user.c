#include "host/user.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/helper.h"

#define HELPER_FD    3
#define READY_MS     10000
#define ARGUMENT_MAX (PATH_ROOM + 16)
#define ARGUMENTS    (8 + HOSTFWD_MAX)

struct command_line {
	char text[ARGUMENTS][ARGUMENT_MAX];
	char *argv[ARGUMENTS + 1];
	unsigned count;
};

static void add_argument(struct command_line *c, const char *key, const char *value)
{
	if (!value[0])
		return;
	(void)snprintf(c->text[c->count], ARGUMENT_MAX, "%s=%s", key, value);
	c->argv[c->count] = c->text[c->count];
	c->count++;
}

static void make_command_line(struct command_line *c, const struct backend_spec *spec,
			      const char *port_id)
{
	char mtu[8] = "";

	c->argv[c->count++] = "anynic-user";
	add_argument(c, "port", port_id);
	add_argument(c, "net", spec->net);
	if (spec->mtu)
		(void)snprintf(mtu, sizeof(mtu), "%u", spec->mtu);
	add_argument(c, "mtu", mtu);
	add_argument(c, "tftp", spec->tftp);
	add_argument(c, "bootfile", spec->bootfile);
	for (unsigned i = 0; i < MIN(spec->hostfwds, (unsigned)HOSTFWD_MAX); i++)
		add_argument(c, "hostfwd", spec->hostfwd[i]);
}

/* In the child: nothing but system calls from here on. */
static void run_child(const char *path, char *const argv[], int sock, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	dup2(null, 0); /* before the next line: it may have got the helper's number */
	if (sock == HELPER_FD)
		fcntl(sock, F_SETFD, 0);
	else
		dup2(sock, HELPER_FD);
	syscall(SYS_close_range, HELPER_FD + 1, ~0u, 0);
	execv(path, argv);
	_exit(127);
}

/* What waitpid says, for a person. */
static int explain_end(pid_t pid, struct error *err)
{
	int status = 0;

	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		return error_set(err, -ECHILD, "anynic-user ended before it was ready: signal %d",
				 WTERMSIG(status));
	return error_set(err, -ECHILD, "anynic-user ended before it was ready: exit status %d",
			 WEXITSTATUS(status));
}

/* Its first packet is a struct error: code 0 means ready. */
static int wait_ready(int sock, struct opened_backend *out, struct error *err)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	struct error first;
	int rc;

	do
		rc = poll(&p, 1, READY_MS);
	while (rc < 0 && errno == EINTR);
	if (rc <= 0)
		return error_set(err, -ETIMEDOUT, "anynic-user did not become ready in %d seconds",
				 READY_MS / 1000);
	ssize_t n = recv(sock, &first, sizeof(first), 0);
	if (n != (ssize_t)sizeof(first)) {
		pid_t pid = out->pid;

		out->pid = 0; /* reaped here */
		kill(pid, SIGKILL);
		return explain_end(pid, err);
	}
	if (first.code == 0)
		return 0;
	first.text[sizeof(first.text) - 1] = '\0';
	return error_set(err, first.code < 0 ? first.code : -EPROTO, "%s", first.text);
}

int host_user_open(const struct backend_request *request, struct opened_backend *out,
		   struct error *err)
{
	struct command_line line = { 0 };
	char path[4096];
	int pair[2];

	int rc = host_helper_find("anynic-user", path, sizeof(path), err);
	if (rc < 0)
		return rc;
	make_command_line(&line, request->spec, request->port);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "backend user: no socketpair: %s", strerror(errno));
	out->fds[out->nfds++] = pair[0];
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		run_child(path, line.argv, pair[1], parent);
	close(pair[1]);
	if (pid < 0)
		return error_set(err, -errno, "backend user: no process: %s", strerror(errno));
	out->pid = pid;
	out->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (out->pidfd < 0)
		return error_set(err, -errno, "backend user: its process cannot be watched: %s",
				 strerror(errno));
	return wait_ready(pair[0], out, err);
}
