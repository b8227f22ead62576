#include "host/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define BACKLOG 4

static int try_connect(int sock, const struct sockaddr_un *at)
{
	int rc;

	do
		rc = connect(sock, (const struct sockaddr *)at, sizeof(*at));
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

/* A socket that nobody listens on is a leftover and goes; anything else stays. */
static int remove_leftover(const struct sockaddr_un *at, struct error *err)
{
	struct stat st;

	if (lstat(at->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST,
				 "stream: %s exists and is no socket; next: choose another path=",
				 at->sun_path);
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return error_set(err, -errno, "stream: no socket: %s", strerror(errno));
	int rc = try_connect(probe, at);
	close(probe);
	if (rc != -ECONNREFUSED)
		return error_set(err, -EADDRINUSE,
				 "stream: another program listens on %s; next: stop it, or leave "
				 "out mode=server to join it",
				 at->sun_path);
	unlink(at->sun_path);
	return 0;
}

static int start_server(int sock, const struct sockaddr_un *at, struct opened_backend *out,
			struct error *err)
{
	int rc = remove_leftover(at, err);

	if (rc < 0)
		return rc;
	if (bind(sock, (const struct sockaddr *)at, sizeof(*at)) < 0) {
		rc = -errno;
		return error_set(err, rc,
				 "stream: cannot make the socket %s: %s; next: choose a path= in a "
				 "folder that you may write",
				 at->sun_path, strerror(-rc));
	}
	str_copy(out->unlink_path, sizeof(out->unlink_path), at->sun_path);
	if (listen(sock, BACKLOG) < 0)
		return error_set(err, -errno, "stream: cannot listen on %s: %s", at->sun_path,
				 strerror(errno));
	return 0;
}

static int nobody_listens(const struct backend_spec *spec, int code, struct error *err)
{
	if (strcmp(spec->type, "passt") == 0)
		return error_set(
			err, code,
			"passt: nobody listens on %s; next: passt -s %s, or leave out path= "
			"to have one started",
			spec->path, spec->path);
	return error_set(err, code,
			 "stream: nobody listens on %s; next: start the other side first, or be it "
			 "with mode=server",
			 spec->path);
}

static int start_client(int sock, const struct sockaddr_un *at, const struct backend_spec *spec,
			struct error *err)
{
	int rc = try_connect(sock, at);

	switch (rc) {
	case 0:
		return 0;
	case -ENOENT:
	case -ECONNREFUSED:
		return nobody_listens(spec, rc, err);
	case -EAGAIN:
		return error_set(err, rc,
				 "stream: the server on %s is busy with another client; next: "
				 "disconnect that one, or choose another path=",
				 at->sun_path);
	case -EPROTOTYPE:
		return error_set(err, rc, "stream: %s is no stream socket", at->sun_path);
	default:
		return error_set(err, rc,
				 "stream: cannot connect to %s: %s; next: choose a path= that you "
				 "may use, or have its owner let you",
				 at->sun_path, strerror(-rc));
	}
}

static int take_given(const struct backend_spec *spec, struct opened_backend *out,
		      struct error *err)
{
	int fd = spec->fds[0], type = 0, listening = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
		return error_set(err, -EINVAL, "stream: fd=%d is no open stream socket", fd);
	len = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 ||
	    (listening != 0) != spec->server)
		return error_set(err, -EINVAL, "stream: fd=%d is %s; next: %s mode=server", fd,
				 listening ? "a listening socket" : "not a listening socket",
				 listening ? "add" : "leave out");
	(void)fd_set_cloexec(fd, true);
	out->fds[out->nfds++] = fd;
	return 0;
}

int host_stream_open(const struct backend_request *request, struct opened_backend *out,
		     struct error *err)
{
	const struct backend_spec *spec = request->spec;
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (spec->nfds)
		return take_given(spec, out, err);
	if (!spec->path[0])
		return error_set(err, -EINVAL,
				 "backend=stream needs path=, the UNIX socket to meet at");
	if (!str_copy(at.sun_path, sizeof(at.sun_path), spec->path))
		return error_set(err, -ENAMETOOLONG,
				 "stream: path= is longer than the %zu bytes that a UNIX socket's "
				 "name can have",
				 sizeof(at.sun_path) - 1);
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return error_set(err, -errno, "stream: no socket: %s", strerror(errno));
	out->fds[out->nfds++] = sock;
	return spec->server ? start_server(sock, &at, out, err)
			    : start_client(sock, &at, spec, err);
}
