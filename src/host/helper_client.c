#include "host/helper_client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/bandwidth.h"
#include "host/bridge_rules.h"
#include "host/helper.h"
#include "host/helper_protocol.h"
#include "host/netlink.h"
#include "host/rights.h"
#include "host/script.h"

#define ANSWER_MS 45000 /* longer than the helper gives itself */
#define AGAIN_MS  2000	/* the guest's control waits meanwhile */
#define NOBODY	  (-ENOTCONN)

/* --- reaching it ------------------------------------------------------------------------------------------------- */

static int reach_socket(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return -errno;
	if (str_copy(at.sun_path, sizeof(at.sun_path), path) &&
	    connect(sock, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return sock;
	int code = errno ? -errno : -ENAMETOOLONG;
	close(sock);
	return code;
}

/* pkexec serves nobody whose parent has gone, and asks polkit about that parent. So this one stays, with nothing of ours open. */
static void be_parent_of(pid_t pid)
{
	prctl(PR_SET_NAME, "anynic-asks");
	syscall(SYS_close_range, 0, ~0u, 0);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Away from our terminal and our process group, whose signals are not for it; and nobody's child, so that it needs no waiting for. */
static _Noreturn void become(char *const *argv, int sock)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsid() < 0 || fork() != 0)
		_exit(0);
	pid_t pid = fork();
	if (pid != 0) {
		if (pid > 0)
			be_parent_of(pid);
		_exit(0);
	}
	int null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(sock, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(1);
	execvp(argv[0], argv);
	_exit(127);
}

static int reach_by(char *const *argv)
{
	int pair[2];

	/* the kernel notes here who made the pair: that is whom the helper serves */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		become(argv, pair[1]);
	close(pair[1]);
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	else
		fd_close(&pair[0]);
	return pair[0];
}

static bool is_installed(const char *program)
{
	const char *path = getenv("PATH");
	char file[512];

	for (const char *at = path; at && *at; at += *at == ':') {
		size_t length = strcspn(at, ":");

		(void)snprintf(file, sizeof(file), "%.*s/%s", (int)MIN(length, 400u), at, program);
		if (length && access(file, X_OK) == 0)
			return true;
		at += length;
	}
	return false;
}

/* Ways to it, best first. Each is tried until one answers; pkexec may ask a person, so a guest that runs goes without it. */
enum way { BY_SOCKET, BY_SUDO, BY_PKEXEC, WAYS };

/* `helper` as sudo and pkexec compare it with the name in their rules. */
static bool may_reach_by(const char *program, char helper[PATH_MAX])
{
	char found[512];

	return !getenv("ANYNIC_HELPER") && is_installed(program) &&
	       host_helper_find("anynic-helper", found, sizeof(found), NULL) == 0 &&
	       realpath(found, helper);
}

static int reach(enum way way)
{
	const char *told = getenv("ANYNIC_HELPER");
	char program[PATH_MAX];

	if (way == BY_SOCKET)
		return told && !*told ? -ENOENT : reach_socket(told ? told : HELPER_SOCKET);
	const char *by = way == BY_SUDO ? "sudo" : "pkexec";
	if (!may_reach_by(by, program))
		return -ENOENT;
	char *sudo[] = { "sudo", "-n", "--", program, "--stdio", NULL };
	char *pkexec[] = { "pkexec", "--disable-internal-agent", program, "--stdio", NULL };
	return reach_by(way == BY_SUDO ? sudo : pkexec);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

/* -ENOTCONN: whoever is there did not answer at all. The answer's own failure is in a->code. */
static int ask(int sock, const struct helper_request *r, struct helper_answer *a,
	       int fds[FD_PASS_MAX], unsigned *nfds, int ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	uint64_t end = monotonic_ns() + (uint64_t)ms * NS_PER_MS;
	int n;

	*nfds = 0;
	/* one that has closed already may have said why before */
	(void)fd_send(sock, r, sizeof(*r), NULL, 0);
	do {
		uint64_t now = monotonic_ns();

		n = poll(&p, 1, now < end ? (int)((end - now) / NS_PER_MS) + 1 : 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -ETIMEDOUT;
	long got = fd_recv(sock, a, sizeof(*a), fds, nfds);
	if (got <= 0)
		return NOBODY;
	bool good = got == (long)sizeof(*a) && a->magic == HELPER_MAGIC &&
		    a->version == HELPER_VERSION && a->nfds == *nfds && *nfds <= QUEUES_MAX;
	if (good)
		return 0;
	while (*nfds > 0)
		close(fds[--*nfds]);
	return -EPROTO;
}

/* What people see of a name, in the helper's alphabet. */
static void copy_words(char *to, size_t size, const char *from)
{
	(void)str_copy(to, size, from && *from ? from : "guest");
	for (char *c = to; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '_';
}

static void fill_request(struct helper_request *h, enum helper_ask what,
			 const struct backend_request *r)
{
	const struct backend_spec *spec = r->spec;

	*h = (struct helper_request){ .magic = HELPER_MAGIC, .version = HELPER_VERSION };
	h->ask = what;
	h->queues = MIN(MAX(r->queues, 1u), (unsigned)HELPER_QUEUES);
	h->mtu = what == HELPER_DIRECT ? 0 : spec->mtu;
	str_copy(h->ifname, sizeof(h->ifname), spec->ifname);
	if (what != HELPER_TAP) {
		memcpy(h->mac, r->mac, MAC_LEN);
		str_copy(h->link, sizeof(h->link), what == HELPER_BRIDGE ? spec->br : spec->dev);
	}
	if (what == HELPER_DIRECT)
		str_copy(h->mode, sizeof(h->mode), spec->mode);
	copy_words(h->guest, sizeof(h->guest), r->guest);
	copy_words(h->port, sizeof(h->port), r->port);
}

/* Numbers of links count where the helper is. Somewhere else they mean nothing, or another link. */
static void take_numbers(struct opened_backend *out, const struct helper_answer *a)
{
	struct netlink nl;
	struct link l;

	if (netlink_open(&nl, NULL) < 0)
		return;
	if (netlink_get(&nl, a->ifindex, &l) == 0 && strcmp(l.name, out->ifname) == 0) {
		out->ifindex = a->ifindex;
		out->below = a->below;
	}
	netlink_close(&nl);
}

static void take_answer(struct opened_backend *out, const struct helper_answer *a, const int *fds,
			unsigned nfds)
{
	memcpy(out->fds, fds, nfds * sizeof(*fds));
	out->nfds = nfds;
	memcpy(out->ifname, a->ifname, sizeof(out->ifname) - 1);
	memcpy(out->reason, a->reason, sizeof(out->reason) - 1);
	out->mtu = (uint16_t)MIN(a->mtu, (uint32_t)UINT16_MAX);
	out->made = true;
	take_numbers(out, a);
}

static int say(struct helper_answer *a, struct error *err)
{
	a->text[sizeof(a->text) - 1] = '\0';
	return error_set(err, a->code < 0 ? a->code : -EPROTO, "anynic-helper: %s", a->text);
}

/* What no helper.conf allows. */
static int check_wishes(const struct backend_spec *spec, struct error *err)
{
	if (spec->iface_id[0])
		return error_set(
			err, -EPERM,
			"iface-id= is root's to choose: who has it has that logical port of "
			"OVN; next: leave it out, or start as root");
	if (bridge_has_rules(&spec->rules))
		return error_set(err, -EPERM,
				 "VLANs and isolation of a port are root's to choose, and "
				 "anynic-helper does not set them; next: start as root");
	if (bandwidth_is_set(&spec->limits))
		return error_set(err, -EPERM, BANDWIDTH_NEEDS_ROOT);
	if (spec->script[0] || spec->downscript[0]) {
		int rc = host_script_look(spec, err);
		return rc < 0 ? rc : error_set(err, -EPERM, "anynic-helper runs no scripts");
	}
	if (spec->tap_node[0])
		return error_set(err, -EPERM,
				 "<backend tap='%s'>: anynic-helper makes taps of /dev/net/tun "
				 "only; next: leave tap= out, or start as root",
				 spec->tap_node);
	return 0;
}

/* -ENOTCONN when there is no helper on any way. */
static int ask_all_ways(enum helper_ask what, const struct backend_request *r,
			struct opened_backend *out, struct error *err)
{
	struct helper_request request;
	struct helper_answer a;
	int fds[FD_PASS_MAX];
	unsigned nfds = 0;
	int rc = check_wishes(r->spec, err), sock = -1;

	if (rc < 0)
		return rc;
	rc = NOBODY;
	fill_request(&request, what, r);
	for (enum way way = BY_SOCKET; way < (r->again ? BY_PKEXEC : WAYS) && rc == NOBODY; way++) {
		sock = reach(way);
		rc = sock < 0
			     ? NOBODY
			     : ask(sock, &request, &a, fds, &nfds, r->again ? AGAIN_MS : ANSWER_MS);
		if (rc < 0)
			fd_close(&sock);
	}
	if (rc == NOBODY)
		return rc;
	if (rc < 0)
		return error_set(err, rc,
				 "anynic-helper does not answer as it should: %s; next: "
				 "install it anew together with anynic",
				 strerror(-rc));
	if (a.code == 0 && nfds > 0) {
		take_answer(out, &a, fds, nfds);
		out->helper = sock > 0 ? sock : fcntl(sock, F_DUPFD_CLOEXEC, 3);
		log_info("anynic-helper made %s", out->ifname);
		return 0;
	}
	close(sock);
	return say(&a, err);
}

int host_helper_rejoin(int helper, struct error *err)
{
	struct helper_request request = { .magic = HELPER_MAGIC,
					  .version = HELPER_VERSION,
					  .ask = HELPER_REJOIN,
					  .queues = 1,
					  .guest = "guest",
					  .port = "port" };
	struct helper_answer a;
	int fds[FD_PASS_MAX];
	unsigned nfds = 0;

	int rc = ask(helper, &request, &a, fds, &nfds, AGAIN_MS);
	while (nfds > 0)
		close(fds[--nfds]);
	if (rc < 0)
		return error_set(err, rc, "anynic-helper does not answer: %s", strerror(-rc));
	return a.code == 0 ? 0 : say(&a, err);
}

/* --- self, or the helper ----------------------------------------------------------------------------------------- */

/* Opened already, or there for us to open: that is nobody's business but ours. */
static bool is_there(const struct backend_request *r, enum helper_ask what)
{
	return r->spec->nfds ||
	       (what == HELPER_TAP && r->spec->ifname[0] && if_nametoindex(r->spec->ifname) != 0);
}

static int lack(enum helper_ask what, const struct backend_request *r, struct error *err)
{
	static const char *const things[] = { "making a tap", "making a tap on bridge ",
					      "making a macvtap on " };
	const struct backend_spec *s = r->spec;
	const char *on = what == HELPER_BRIDGE ? s->br : what == HELPER_DIRECT ? s->dev : "";
	const char *name = *on ? on : s->ifname[0] ? s->ifname : "anynic*";
	bool whole = what == HELPER_DIRECT && strcmp(s->mode, "passthrough") == 0;

	return error_set(
		err, -EPERM,
		"%s%s needs CAP_NET_ADMIN, which you lack, and no anynic-helper answers; "
		"next, as root: systemctl enable --now anynic-helper.socket, and in " HELPER_CONFIG
		" a line: allow %s %s %suser %u. Or run anynic as root, or use "
		"backend=user",
		things[what], on, helper_ask_names[what], name, whole ? "passthrough " : "",
		(unsigned)geteuid());
}

static enum helper_ask wanted_of(const struct backend_request *r)
{
	return (enum helper_ask)MAX(name_find(helper_ask_names, HELPER_REJOIN, r->spec->type), 0);
}

/* Whether one allows it is its own to say; one behind sudo or pkexec is not started for a look. */
static bool may_have_helper(void)
{
	const char *told = getenv("ANYNIC_HELPER");
	char program[PATH_MAX];

	return access(told ? told : HELPER_SOCKET, W_OK) == 0 || may_reach_by("sudo", program) ||
	       may_reach_by("pkexec", program);
}

int host_helper_look(const struct backend_request *r, struct error *err)
{
	enum helper_ask what = wanted_of(r);

	if (is_there(r, what) || host_may_make_links())
		return 0;
	int rc = check_wishes(r->spec, err);
	if (rc < 0 || may_have_helper())
		return rc;
	return lack(what, r, err);
}

int host_helper_open(host_opener *own, const struct backend_request *r, struct opened_backend *out,
		     struct error *err)
{
	enum helper_ask what = wanted_of(r);
	struct opened_backend fresh = *out;
	bool may = host_may_make_links();

	if (is_there(r, what))
		return own(r, out, err);
	int rc = may ? NOBODY : ask_all_ways(what, r, out, err);
	if (rc != NOBODY)
		return rc;
	rc = own(r, out, err);
	if (rc != -EPERM && rc != -EACCES)
		return rc;
	opened_backend_close(out);
	*out = fresh;
	/* root of a user namespace whose network belongs to another */
	rc = may ? ask_all_ways(what, r, out, err) : NOBODY;
	return rc == NOBODY ? lack(what, r, err) : rc;
}
