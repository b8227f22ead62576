#include "host/open.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/stream.h"
#include "host/tap.h"
#include "host/user.h"

static int open_nothing(const struct backend_spec *spec, const char *port_id, unsigned queues,
			struct opened_backend *out, struct error *err)
{
	(void)spec;
	(void)port_id;
	(void)queues;
	(void)out;
	(void)err;
	return 0;
}

static const struct {
	const char *type;
	int (*open)(const struct backend_spec *spec, const char *port_id, unsigned queues,
		    struct opened_backend *out, struct error *err);
} openers[] = {
	{ "user", host_user_open }, { "tap", host_tap_open }, { "stream", host_stream_open },
	{ "null", open_nothing },   { "loop", open_nothing },
};

/* Whatever the opener did not take over into `out`. */
static void close_rest(const struct backend_spec *spec, const struct opened_backend *out)
{
	for (unsigned i = 0; i < MIN(spec->nfds, (unsigned)QUEUES_MAX); i++) {
		int fd = spec->fds[i];
		bool taken = false;

		for (unsigned j = 0; j < out->nfds; j++)
			taken |= out->fds[j] == fd;
		if (!taken)
			fd_close(&fd);
	}
}

int host_backend_open(const struct backend_spec *spec, const char *port_id, unsigned queues,
		      struct opened_backend *out, struct error *err)
{
	*out = (struct opened_backend){ .pidfd = -1 };
	int rc = -ENOENT;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(openers) && strcmp(openers[i].type, spec->type) != 0; i++)
		;
	if (i < ARRAY_SIZE(openers))
		rc = openers[i].open(spec, port_id, MAX(1u, MIN(queues, (unsigned)QUEUES_MAX)), out,
				     err);
	else
		error_set(err, rc, "this anynic has no backend %s; see: anynic backends",
			  spec->type);
	close_rest(spec, out);
	if (rc < 0)
		opened_backend_close(out);
	return rc;
}

void opened_backend_close_fds(struct opened_backend *o)
{
	for (unsigned i = 0; i < o->nfds; i++)
		fd_close(&o->fds[i]);
	o->nfds = 0;
}

void opened_backend_close(struct opened_backend *o)
{
	opened_backend_close_fds(o);
	fd_close(&o->pidfd);
	if (o->pid > 0) {
		kill(o->pid, SIGKILL); /* not reaped yet, so the number is still its own */
		waitpid(o->pid, NULL, 0);
		o->pid = 0;
	}
	if (o->unlink_path[0])
		unlink(o->unlink_path);
	o->unlink_path[0] = '\0';
}
