#include "helper/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "helper/lockdown.h"
#include "helper/rules.h"
#include "helper/slots.h"

#define SESSIONS      512
#define SESSIONS_MORE 4	   /* beyond a user's quota: those that ask to be refused */
#define TIDY_MS	      2000 /* while something waits for its user's end */

struct server {
	int listener, signals;
	const struct helper_setup *setup;
	struct {
		pid_t pid;
		uid_t uid;
	} session[SESSIONS];
	unsigned sessions;
	unsigned left; /* by killed helpers, to users who still work with it */
};

static unsigned sessions_of(const struct server *s, uid_t uid)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->sessions; i++)
		n += s->session[i].uid == uid;
	return n;
}

static unsigned most_for(const struct server *s, const struct peer *peer)
{
	static struct rules rules; /* too large for a stack */

	if (rules_load(&rules, s->setup->config, &rules_host, NULL) < 0)
		return QUOTA_DEFAULT +
		       SESSIONS_MORE; /* each session says what is wrong with them */
	return rules_quota(&rules, peer) + SESSIONS_MORE;
}

static _Noreturn void be_session(struct server *s, int sock)
{
	struct error err = { 0 };
	sigset_t none;

	close(s->listener);
	close(s->signals);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (lockdown_session(s->setup, &err) < 0) {
		log_error("%s", err.text);
		session_refuse(sock, err.code, err.text);
		_exit(1);
	}
	session_run(sock, s->setup);
	_exit(0); /* without the exit handlers of libraries: they may want what the filter refuses */
}

static void start_session(struct server *s, int sock)
{
	struct peer peer;

	if (peer_read(sock, &peer, NULL) < 0)
		return;
	if (s->sessions == SESSIONS || sessions_of(s, peer.uid) >= most_for(s, &peer)) {
		log_warning("user %u (process %d) has too many connections", (unsigned)peer.uid,
			    (int)peer.pid);
		session_refuse(sock, -EDQUOT,
			       "you have too many connections to anynic-helper; next: end a guest");
		return;
	}
	pid_t pid = fork();
	if (pid == 0)
		be_session(s, sock);
	if (pid < 0) {
		log_error("no process for a connection: %s", strerror(errno));
		session_refuse(sock, -errno, "anynic-helper has no process left for you");
		return;
	}
	s->session[s->sessions].pid = pid;
	s->session[s->sessions++].uid = peer.uid;
}

static void forget(struct server *s, pid_t pid)
{
	for (unsigned i = 0; i < s->sessions; i++)
		if (s->session[i].pid == pid) {
			s->session[i] = s->session[--s->sessions];
			return;
		}
}

/* One that did not end by itself left its journal. */
static void reap(struct server *s)
{
	int status;

	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		forget(s, pid);
		if (!WIFEXITED(status))
			log_error("a session ended by signal %d", WTERMSIG(status));
		if (status)
			s->left = slots_tidy(s->setup->state);
	}
}

/* False: the end. */
static bool read_signals(struct server *s)
{
	struct signalfd_siginfo info;
	bool goes_on = true;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			goes_on = false;
	reap(s);
	return goes_on;
}

static void take_connection(struct server *s)
{
	int sock = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0)
		return;
	start_session(s, sock);
	close(sock);
}

static int wait_ms(const struct server *s, unsigned idle_seconds)
{
	if (s->left)
		return TIDY_MS;
	return idle_seconds && !s->sessions ? (int)idle_seconds * 1000 : -1;
}

static void loop(struct server *s, unsigned idle_seconds)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = s->listener, .events = POLLIN },
				       { .fd = s->signals, .events = POLLIN } };
		int n = poll(p, 2, wait_ms(s, idle_seconds));

		if (n < 0 && errno != EINTR)
			return;
		if (n == 0 && !s->left)
			return; /* idle */
		if (s->left)
			s->left = slots_tidy(s->setup->state);
		if (n > 0 && p[1].revents && !read_signals(s))
			return;
		if (n > 0 && p[0].revents)
			take_connection(s);
	}
}

int serve(int listener, unsigned idle_seconds, const struct helper_setup *setup, struct error *err)
{
	static struct server s;
	sigset_t mask;

	s = (struct server){ .listener = listener, .setup = setup };
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return error_set(err, -errno, "signals: %s", strerror(errno));
	s.signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.signals < 0)
		return error_set(err, -errno, "signals: %s", strerror(errno));
	s.left = slots_tidy(setup->state);
	loop(&s, idle_seconds);
	close(s.signals);
	return 0;
}
