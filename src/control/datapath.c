#include "control/datapath.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define CALL_TIMEOUT_MS 10000
#define END_TIMEOUT_MS	2000
#define KEPT_MAX	4096u

/* --- the process ------------------------------------------------------------------------------------------------ */

/* Runs in the child. Returns only when the exec failed. */
static void become_datapath(const char *path, char *workers, int sock, pid_t parent)
{
	/* a Ctrl-C in the terminal, or timeout(1), reaches the whole group: the NICs stay until control says quit */
	static const int not_ours[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	char *const argv[] = { (char *)(uintptr_t)path, workers, NULL };
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return; /* control died before the line above */
	for (unsigned i = 0; i < ARRAY_SIZE(not_ours); i++)
		signal(not_ours[i], SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return;
	if (sock == DATAPATH_FD) {
		if (fd_set_cloexec(sock, false) < 0)
			return;
	} else if (dup2(sock, DATAPATH_FD) < 0) {
		return;
	}
	syscall(SYS_close_range, DATAPATH_FD + 1, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
	execv(path, argv);
}

int datapath_start(struct datapath *d, const char *path, unsigned workers, struct error *err)
{
	int pair[2];
	pid_t self = getpid();
	char number[16];

	*d = (struct datapath){ .sock = -1, .pid_fd = -1 };
	if (access(path, X_OK) < 0)
		return error_set(err, -errno, "cannot run %s: %s; is anynic installed as a whole?",
				 path, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "cannot make a socket pair: %s", strerror(errno));
	snprintf(number, sizeof(number), "%u", workers);
	pid_t pid = fork();
	if (pid == 0) {
		become_datapath(path, number, pair[1], self);
		_exit(127);
	}
	int rc = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (rc < 0) {
		close(pair[0]);
		return error_set(err, rc, "cannot start %s: %s", path, strerror(-rc));
	}
	datapath_adopt(d, pair[0]);
	d->pid = pid;
	d->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (d->pid_fd < 0) {
		rc = error_set(err, -errno, "cannot watch a process: %s", strerror(errno));
		datapath_finish(d);
		return rc;
	}
	return 0;
}

void datapath_adopt(struct datapath *d, int sock)
{
	*d = (struct datapath){ .sock = sock, .pid_fd = -1 };
	fd_set_nonblock(sock, true);
}

static void drop_kept(struct datapath *d)
{
	for (; d->kept_at < d->kept_count; d->kept_at++) {
		message_close_fds(d->kept[d->kept_at]);
		free(d->kept[d->kept_at]);
	}
	free(d->kept);
	d->kept = NULL;
	d->kept_at = d->kept_count = d->kept_room = 0;
}

void datapath_finish(struct datapath *d)
{
	if (d->sock > 0)
		message_send(d->sock, MSG_QUIT, ++d->seq, NULL, 0, NULL, 0);
	if (d->pid > 0) {
		struct pollfd p = { .fd = d->pid_fd, .events = POLLIN };
		if (d->pid_fd < 0 || poll(&p, 1, END_TIMEOUT_MS) <= 0)
			kill(d->pid, SIGKILL);
		waitpid(d->pid, NULL, 0);
	}
	drop_kept(d);
	if (d->sock > 0)
		fd_close(&d->sock);
	if (d->pid_fd > 0)
		fd_close(&d->pid_fd);
	*d = (struct datapath){ .sock = -1, .pid_fd = -1 };
}

void datapath_ended(struct datapath *d)
{
	int status = 0;

	if (d->pid > 0) {
		struct pollfd p = { .fd = d->pid_fd, .events = POLLIN };
		/* its socket closes a moment before the process is gone */
		if (poll(&p, 1, END_TIMEOUT_MS) <= 0)
			kill(d->pid, SIGKILL);
		waitpid(d->pid, &status, 0);
		d->pid = 0;
		fd_close(&d->pid_fd);
		if (WIFSIGNALED(status))
			snprintf(d->why, sizeof(d->why),
				 "the datapath process died (signal %d, %s)", WTERMSIG(status),
				 strsignal(WTERMSIG(status)));
		else
			snprintf(d->why, sizeof(d->why),
				 "the datapath process ended (exit status %d)",
				 WEXITSTATUS(status));
	}
	if (!d->why[0])
		str_copy(d->why, sizeof(d->why), "the datapath process has closed its socket");
	fd_close(&d->sock);
}

/* --- messages --------------------------------------------------------------------------------------------------- */

static int keep(struct datapath *d, const struct message *m)
{
	if (d->kept_count == d->kept_room) {
		unsigned room = d->kept_room ? 2 * d->kept_room : 16;
		if (room > KEPT_MAX)
			return -ENOBUFS;
		struct message **kept = realloc(d->kept, room * sizeof(struct message *));
		if (!kept)
			return -ENOMEM;
		d->kept = kept;
		d->kept_room = room;
	}
	struct message *copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *m;
	d->kept[d->kept_count++] = copy;
	return 0;
}

static bool take_kept(struct datapath *d, struct message *m)
{
	if (d->kept_at == d->kept_count)
		return false;
	*m = *d->kept[d->kept_at];
	free(d->kept[d->kept_at++]);
	if (d->kept_at == d->kept_count)
		d->kept_at = d->kept_count = 0;
	return true;
}

uint32_t datapath_send_fds(struct datapath *d, enum message_type type, const void *body, size_t len,
			   const int *fds, unsigned nfds)
{
	if (d->sock < 0)
		return 0;
	if (++d->seq == 0)
		d->seq = 1; /* 0 is for reports */
	int rc = message_send(d->sock, type, d->seq, body, len, fds, nfds);
	if (rc < 0) {
		log_error("datapath: %s could not be sent: %s", message_type_name(type),
			  strerror(-rc));
		return 0;
	}
	return d->seq;
}

uint32_t datapath_send(struct datapath *d, enum message_type type, const void *body, size_t len)
{
	return datapath_send_fds(d, type, body, len, NULL, 0);
}

static int reply_code(const struct message *m, struct error *err)
{
	const struct msg_reply *reply = message_body(m, sizeof(*reply));

	if (m->type == MSG_STARTED)
		return 0;
	if (!reply)
		return error_set(err, -EPROTO,
				 "the datapath process sent a reply of the wrong size");
	if (reply->code < 0 && err) {
		*err = reply->error;
		err->where[sizeof(err->where) - 1] = err->text[sizeof(err->text) - 1] = '\0';
		err->code = reply->code;
	}
	return reply->code;
}

/* True when `m` answers: *rc says what. */
static bool answers(struct message *m, uint32_t seq, enum message_type until, int *rc,
		    struct error *err)
{
	bool reply = m->type == MSG_REPLY && m->seq == seq;

	if (!reply && (m->type != until || until == MSG_REPLY))
		return false;
	*rc = reply_code(m, err);
	message_close_fds(m);
	return m->type == until || *rc < 0;
}

/* The answer may have come while another was waited for. */
static bool kept_answers(struct datapath *d, uint32_t seq, enum message_type until, int *rc,
			 struct error *err)
{
	for (unsigned i = d->kept_at; i < d->kept_count; i++) {
		if (!answers(d->kept[i], seq, until, rc, err))
			continue;
		free(d->kept[i]);
		d->kept_count--;
		memmove(&d->kept[i], &d->kept[i + 1],
			(d->kept_count - i) * sizeof(struct message *));
		return true;
	}
	return false;
}

int datapath_wait(struct datapath *d, uint32_t seq, enum message_type until, struct error *err)
{
	uint64_t end = monotonic_ns() + CALL_TIMEOUT_MS * NS_PER_MS;
	struct message m;
	int rc;

	if (kept_answers(d, seq, until, &rc, err))
		return rc;
	for (;;) {
		uint64_t now = monotonic_ns();
		struct pollfd p = { .fd = d->sock, .events = POLLIN };
		if (d->sock < 0)
			return error_set(err, -EPIPE, "%s", d->why);
		if (now >= end)
			return error_set(err, -ETIMEDOUT, "the datapath process does not answer");
		if (poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1) <= 0)
			continue;
		int got = message_receive(d->sock, &m);
		if (got == -EAGAIN || got == -EPROTO)
			continue;
		if (got <= 0) {
			datapath_ended(d);
			return error_set(err, -EPIPE, "%s", d->why);
		}
		if (answers(&m, seq, until, &rc, err))
			return rc;
		if (keep(d, &m) < 0)
			message_close_fds(&m);
	}
}

bool datapath_has_kept(const struct datapath *d)
{
	return d->kept_at < d->kept_count;
}

int datapath_receive(struct datapath *d, struct message *m)
{
	if (take_kept(d, m))
		return 1;
	if (d->sock < 0)
		return -EPIPE;
	int rc = message_receive(d->sock, m);
	if (rc == 1)
		return 1;
	if (rc == -EAGAIN)
		return 0;
	if (rc ==
	    -EPROTO) /* both ends are the same build: this is a defect, not a reason to lose the guest's network */
		return 0;
	datapath_ended(d);
	return -EPIPE;
}
