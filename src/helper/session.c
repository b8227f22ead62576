#include "helper/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "helper/grant.h"
#include "helper/rules.h"
#include "helper/slots.h"

#define ASK_MS 10000 /* whoever connects has something to ask */
#define WORK_SECONDS                                                                               \
	30 /* what making a thing takes at most; then this process dies, and the journal is run */
#define PAUSE_US                                                                                   \
	50000 /* between two requests: no user buys more of this processor by asking faster */

struct session {
	int sock;
	const struct helper_setup *setup;
	struct peer peer;
	struct rules rules;
	struct slot slot;
	struct grant grant;
	bool has; /* the peer got something */
};

/* --- packets ----------------------------------------------------------------------------------------------------- */

/* One packet never waits for a peer who does not read. */
static int send_answer(int sock, struct helper_answer *a, const int *fds, unsigned nfds)
{
	a->magic = HELPER_MAGIC;
	a->version = HELPER_VERSION;
	a->nfds = nfds;
	long n = fd_send(sock, a, sizeof(*a), fds, nfds);
	return n == (long)sizeof(*a) ? 0 : -EPIPE;
}

static int send_error(int sock, const struct error *err)
{
	struct helper_answer a = { .code = err->code };

	str_copy(a.text, sizeof(a.text), err->text);
	return send_answer(sock, &a, NULL, 0);
}

void session_refuse(int sock, int code, const char *why)
{
	struct error err = { .code = code };

	str_copy(err.text, sizeof(err.text), why);
	(void)send_error(sock, &err);
}

/* 1, 0 when the peer is gone, -EAGAIN when it says nothing for `ms`, -EPROTO for a packet of another size. There is no room for
 * descriptors: those that are sent along the kernel throws away. */
static int receive(int sock, struct helper_request *r, int ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char spare[sizeof(*r) + 1];
	int n;

	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -EAGAIN;
	ssize_t got = recv(sock, spare, sizeof(spare), MSG_DONTWAIT);
	if (got == 0 || (got < 0 && errno != EAGAIN))
		return 0;
	if (got != (ssize_t)sizeof(*r))
		return got < 0 ? -EAGAIN : -EPROTO;
	memcpy(r, spare, sizeof(*r));
	return 1;
}

/* --- one request ------------------------------------------------------------------------------------------------- */

static int load_rules(struct session *s, struct error *err)
{
	int rc = rules_load(&s->rules, s->setup->config, &rules_host, err);

	if (rc == -ENOENT)
		return error_set(
			err, -EPERM,
			"there is no %s, so that anynic-helper allows nothing; next, as root: "
			"make it, with lines as: allow bridge br0 user %u",
			s->setup->config, (unsigned)s->peer.uid);
	if (rc < 0)
		error_prefix(err, "anynic-helper allows nothing until this is put right");
	return rc < 0 ? -EPERM : 0;
}

/* Also for what the connection has already: the file may say something else by now. */
static int judge(struct session *s, const struct helper_request *r, struct error *err)
{
	int rc = load_rules(s, err);

	return rc < 0 ? rc : rules_judge(&s->rules, &s->peer, r, err);
}

static int make(struct session *s, const struct helper_request *r, struct error *err)
{
	if (r->ask == HELPER_REJOIN)
		return error_set(err, -EINVAL, "this connection has nothing to join again");
	int rc = judge(s, r, err);
	if (rc == 0)
		rc = slot_take(&s->slot, s->setup->state, &s->peer,
			       rules_quota(&s->rules, &s->peer), err);
	if (rc == 0)
		rc = grant_make(&s->grant, r, &s->peer, &s->slot.undo, err);
	s->has = rc == 0;
	return rc;
}

static int change(struct session *s, const struct helper_request *r, struct error *err)
{
	if (r->ask != HELPER_REJOIN)
		return error_set(err, -EBUSY, "this connection has %s already; next: another one",
				 s->grant.opened.ifname);
	int rc = judge(s, &s->grant.request, err);
	return rc < 0 ? rc : grant_rejoin(&s->grant, err);
}

static int send_grant(struct session *s, const struct helper_request *r)
{
	const struct opened_backend *o = &s->grant.opened;
	struct helper_answer a = { .ifindex = o->ifindex, .below = o->below, .mtu = o->mtu };

	str_copy(a.ifname, sizeof(a.ifname), o->ifname);
	str_copy(a.reason, sizeof(a.reason), o->reason);
	int rc = send_answer(s->sock, &a, o->fds, o->nfds);
	log_info("user %u (process %d) %s %s %s%s%s for %s/%s", (unsigned)s->peer.uid,
		 (int)s->peer.pid, r->ask == HELPER_REJOIN ? "put back" : "got", o->ifname,
		 s->grant.request.link[0] ? "on " : "alone", s->grant.request.link,
		 s->grant.request.ask == HELPER_DIRECT ? " (direct)" : "", s->grant.guest,
		 s->grant.request.port);
	opened_backend_close_fds(&s->grant.opened);
	return rc;
}

/* False: the connection ends. One that got nothing is over; one that has something keeps it, whatever it asks. */
static bool serve(struct session *s, const struct helper_request *r)
{
	struct error err = { 0 };

	alarm(WORK_SECONDS);
	int rc = helper_request_check(r, &err);
	if (rc == 0)
		rc = s->has ? change(s, r, &err) : make(s, r, &err);
	alarm(0);
	if (rc == 0)
		return send_grant(s, r) == 0;
	log_warning("user %u (process %d) was refused: %s", (unsigned)s->peer.uid, (int)s->peer.pid,
		    err.text);
	return send_error(s->sock, &err) == 0 && s->has;
}

/* --- the connection ---------------------------------------------------------------------------------------------- */

static void finish(struct session *s)
{
	if (s->has)
		log_info("user %u gave back %s", (unsigned)s->peer.uid, s->grant.opened.ifname);
	alarm(WORK_SECONDS);
	grant_take_back(&s->grant);
	slot_release(&s->slot);
	alarm(0);
}

void session_run(int sock, const struct helper_setup *setup)
{
	static struct session s; /* too large for a stack */
	struct helper_request request;
	struct error err = { 0 };
	bool goes_on = true;

	s = (struct session){ .sock = sock, .setup = setup };
	/* a terminal's and a supervisor's signals end no guest's network: the connection does */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	if (fd_set_nonblock(sock, true) < 0 || peer_read(sock, &s.peer, &err) < 0) {
		log_error("%s", err.text);
		return;
	}
	while (goes_on) {
		int rc = receive(sock, &request, s.has ? -1 : ASK_MS);

		if (rc == 1) {
			goes_on = serve(&s, &request);
			usleep(PAUSE_US);
		} else {
			goes_on = rc == -EAGAIN && s.has;
		}
		if (rc == -EPROTO)
			log_warning("user %u (process %d) sent no request of ours",
				    (unsigned)s.peer.uid, (int)s.peer.pid);
	}
	finish(&s);
}
