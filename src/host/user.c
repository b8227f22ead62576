#include "host/user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/child.h"
#include "host/helper.h"

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

/* Its first packet is a struct error: code 0 means ready. */
int host_user_ready(struct opened_backend *o, struct error *err)
{
	struct error first;
	ssize_t n = recv(o->fds[0], &first, sizeof(first), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != (ssize_t)sizeof(first))
		return error_set(err, -EPIPE, "anynic-user has ended");
	if (first.code == 0)
		return 1;
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
	rc = child_start(out, path, line.argv, pair[1], err);
	close(pair[1]);
	out->waiting = rc == 0;
	return rc;
}
