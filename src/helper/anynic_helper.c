/* anynic_helper.c - the privileged half of anynic for users without privileges: taps, bridge ports and macvtaps by an allow-list.
 *
 * Started by a service manager with a listening socket, by sudo or pkexec with a connected one as standard input, or by hand with
 * --socket. Whoever starts it decides its arguments: users cannot.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "helper/lines.h"
#include "helper/lockdown.h"
#include "helper/rules.h"
#include "helper/serve.h"
#include "helper/slots.h"

#define FIRST_LISTEN_FD 3 /* sd_listen_fds(3) */
#define BACKLOG		32
#define IDLE_SECONDS	60

enum way { WAY_MANAGER, WAY_STDIO, WAY_SOCKET, WAY_CHECK };

struct options {
	enum way way;
	const char *socket;
	struct helper_setup setup;
};

static const char usage[] =
	"Usage: anynic-helper                started by a service manager, with its listening "
	"socket\n"
	"       anynic-helper --stdio        started by sudo or pkexec, a connected socket as "
	"standard input\n"
	"       anynic-helper --socket PATH  listens there, in the foreground\n"
	"       anynic-helper --check        reads the rules and says whether they are right\n"
	"Options: --config FILE   the rules (" HELPER_CONFIG ")\n"
	"         --state FOLDER  what users have (" SLOTS_FOLDER ")\n"
	"         --version, --help\n"
	"See anynic-helper(8).\n";

/* 0 = go on, 1 = done, 2 = wrong usage */
static int read_options(struct options *o, int argc, char *argv[])
{
	static const struct option names[] = {
		{ "stdio", no_argument, NULL, 'i' },
		{ "socket", required_argument, NULL, 's' },
		{ "check", no_argument, NULL, 'k' },
		{ "config", required_argument, NULL, 'c' },
		{ "state", required_argument, NULL, 't' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};

	*o = (struct options){ .setup = { HELPER_CONFIG, SLOTS_FOLDER } };
	for (int c; (c = getopt_long(argc, argv, "hV", names, NULL)) != -1;) {
		switch (c) {
		case 'i':
			o->way = WAY_STDIO;
			break;
		case 's':
			o->way = WAY_SOCKET;
			o->socket = optarg;
			break;
		case 'k':
			o->way = WAY_CHECK;
			break;
		case 'c':
			o->setup.config = optarg;
			break;
		case 't':
			o->setup.state = optarg;
			break;
		case 'V':
			puts("anynic-helper " ANYNIC_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "anynic-helper: %s: not an option\n%s", argv[optind], usage);
	return 2;
}

/* --- sockets ----------------------------------------------------------------------------------------------------- */

static bool is_socket(int fd, bool listens)
{
	int type = 0, domain = 0, listening = 0;
	socklen_t length = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 &&
	       (listening != 0) == listens;
}

static int take_listener(struct error *err)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t number;

	if (!pid || !fds || parse_u64(pid, 1, INT32_MAX, &number) < 0 ||
	    (pid_t)number != getpid() || strcmp(fds, "1") != 0)
		return error_set(err, -EINVAL,
				 "no service manager gave a socket; next: systemctl enable --now "
				 "anynic-helper.socket, or --socket PATH, or --stdio");
	if (!is_socket(FIRST_LISTEN_FD, true))
		return error_set(err, -EINVAL,
				 "descriptor 3 is no listening socket of sequential packets; next: "
				 "ListenSequentialPacket= in the socket unit");
	(void)fd_set_cloexec(FIRST_LISTEN_FD, true);
	return FIRST_LISTEN_FD;
}

static bool is_stale(const struct sockaddr_un *at)
{
	struct stat st;
	int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool stale = lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && probe >= 0 &&
		     connect(probe, (const struct sockaddr *)at, sizeof(*at)) < 0 &&
		     errno == ECONNREFUSED;

	fd_close(&probe);
	return stale;
}

/* Everybody may connect: the rules say what comes of it. */
static int make_listener(const char *path, struct error *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (!str_copy(at.sun_path, sizeof(at.sun_path), path)) {
		fd_close(&sock);
		return error_set(err, -ENAMETOOLONG,
				 "%.100s...: longer than a socket's path can be", path);
	}
	if (is_stale(&at))
		unlink(path);
	mode_t mask = umask(0111);
	int rc = sock < 0 || bind(sock, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
				 listen(sock, BACKLOG) < 0
			 ? -errno
			 : 0;
	umask(mask);
	if (rc == 0)
		return sock;
	fd_close(&sock);
	return error_set(err, rc, "cannot listen at %s: %s", path, strerror(-rc));
}

/* --- the ways ---------------------------------------------------------------------------------------------------- */

static int check_rules(const char *path)
{
	static struct rules rules;
	struct error err = { 0 };

	if (rules_load(&rules, path, &rules_host, &err) < 0) {
		fprintf(stderr, "anynic-helper: %s\n", err.text);
		return 1;
	}
	printf("%s: %u lines allow or deny something, in %u files\n", path, rules.count,
	       rules.files);
	return 0;
}

static int run_stdio(const struct options *o, struct error *err)
{
	if (!is_socket(STDIN_FILENO, false))
		return error_set(
			err, -EINVAL,
			"standard input is no connected socket: anynic starts this program "
			"itself, by sudo or pkexec");
	int rc = lockdown_start(err);
	if (rc == 0)
		slots_tidy(o->setup.state);
	if (rc == 0)
		rc = lockdown_session(&o->setup, err);
	if (rc == 0)
		session_run(STDIN_FILENO, &o->setup);
	else
		session_refuse(STDIN_FILENO, rc, err->text);
	return rc;
}

static int run_listening(const struct options *o, struct error *err)
{
	bool manager = o->way == WAY_MANAGER;
	int listener = manager ? take_listener(err) : make_listener(o->socket, err);

	if (listener < 0)
		return listener;
	int rc = lockdown_start(err);
	if (rc == 0 && !manager)
		log_info("listens at %s", o->socket);
	return rc < 0 ? rc : serve(listener, manager ? IDLE_SECONDS : 0, &o->setup, err);
}

static int run(const struct options *o, struct error *err)
{
	/* a mark on the file would give its rights to whoever starts it, with arguments of his choice */
	if (getauxval(AT_SECURE))
		return error_set(
			err, -EPERM,
			"anynic-helper must be neither setuid nor have capabilities on its "
			"file; next: chmod u-s, setcap -r; see anynic-helper(8)");
	if (o->way == WAY_CHECK)
		return check_rules(o->setup.config);
	int rc = slots_prepare(o->setup.state, err);
	if (rc < 0)
		return rc;
	return o->way == WAY_STDIO ? run_stdio(o, err) : run_listening(o, err);
}

int main(int argc, char *argv[])
{
	struct error err = { 0 };
	struct options o;

	int rc = read_options(&o, argc, argv);
	if (rc)
		return rc == 1 ? 0 : rc;
	(void)signal(SIGPIPE, SIG_IGN);
	if (o.way == WAY_STDIO)
		lines_go_to(LINES_SYSLOG);
	else
		lines_go_to(getenv("JOURNAL_STREAM") ? LINES_JOURNAL : LINES_PLAIN);
	rc = run(&o, &err);
	if (rc < 0) {
		log_error("%s", err.text);
		if (o.way == WAY_STDIO) /* a person may have started it by hand */
			fprintf(stderr, "anynic-helper: %s\n", err.text);
	}
	fflush(stdout);
	_exit(rc ? 1
		 : 0); /* without the exit handlers of libraries: they may want what the filter refuses */
}
