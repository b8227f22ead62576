/* anynic_user.c - the process behind a user backend: one for each port, in the host's network namespace.
 *
 * Control starts it with one end of a SOCK_SEQPACKET socketpair as descriptor 3. The first packet that it sends is a
 * struct error: code 0 means ready, anything else says why not. After that each packet is one frame. It ends when the
 * other end is closed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/user/lockdown.h"
#include "backend/user/slirp.h"

#define SOCKET_FD 3
#define FILES_MAX 16384u /* connections of one guest, at most */

/* Tells control what happened. True when it listens. */
static bool report(const struct error *result)
{
	return send(SOCKET_FD, result, sizeof(*result), MSG_NOSIGNAL) == (ssize_t)sizeof(*result);
}

static bool have_socket(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(SOCKET_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

static void prepare_process(void)
{
	struct rlimit files;

	(void)signal(SIGPIPE, SIG_IGN);
	/* the terminal's signals are for QEMU and for control; this process follows its socketpair */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_MAX) {
		files.rlim_cur = MIN(files.rlim_max, FILES_MAX);
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int main(int argc, char *argv[])
{
	struct user_options options;
	struct error err = { 0 };

	if (!have_socket()) {
		(void)fputs("anynic-user is started by anynic (backend=user), not by hand: "
			    "descriptor 3 is no socketpair\n",
			    stderr);
		return 2;
	}
	prepare_process();
	struct network *network = NULL;
	if (user_options_read(&options, argc, argv, &err) == 0)
		network = network_create(&options, SOCKET_FD, &err);
	if (!network || user_lock_down(options.tftp, &err) < 0) {
		report(&err);
		return 1;
	}
	if (report(&(struct error){ 0 }))
		network_run(network);
	network_destroy(network);
	_exit(0); /* without the exit handlers of libraries: they may want what the filter refuses */
}
