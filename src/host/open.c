#include "host/open.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "host/bridge.h"
#include "host/direct.h"
#include "host/stream.h"
#include "host/tap.h"
#include "host/user.h"

static int open_nothing(const struct backend_request *request, struct opened_backend *out,
			struct error *err)
{
	(void)request;
	(void)out;
	(void)err;
	return 0;
}

const struct host_backend host_backends[] = {
	{ "user", "user", NULL, host_user_open },
	{ "tap", "tap", NULL, host_tap_open },
	{ "bridge", "tap", "a tap on a bridge of the host: br=", host_bridge_open },
	{ "direct", "tap",
	  "a macvtap on a network device: dev=, mode=vepa, bridge, private or passthrough",
	  host_direct_open },
	{ "stream", "stream", NULL, host_stream_open },
	{ "null", "null", NULL, open_nothing },
	{ "loop", "loop", NULL, open_nothing },
};
const unsigned host_backend_count = ARRAY_SIZE(host_backends);

static const struct host_backend *find_backend(const char *type)
{
	for (unsigned i = 0; i < host_backend_count; i++)
		if (strcmp(host_backends[i].name, type) == 0)
			return &host_backends[i];
	return NULL;
}

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

int host_backend_open(const struct backend_request *request, struct opened_backend *out,
		      struct error *err)
{
	struct backend_request r = *request;
	const struct host_backend *backend = find_backend(r.spec->type);
	int rc = -ENOENT;

	*out = (struct opened_backend){ .pidfd = -1, .journal = request->undo };
	r.queues = MAX(1u, MIN(r.queues, (unsigned)QUEUES_MAX));
	if (backend) {
		str_copy(out->type, sizeof(out->type), backend->name);
		str_copy(out->served, sizeof(out->served), backend->served);
		rc = backend->open(&r, out, err);
	} else {
		error_set(err, rc, "this anynic has no backend %s; see: anynic backends",
			  r.spec->type);
	}
	close_rest(r.spec, out);
	if (rc < 0)
		opened_backend_close(out);
	return rc;
}

int opened_backend_note(struct opened_backend *o, const struct undo_step *step, struct error *err)
{
	if (o->steps == OPENED_STEPS)
		return error_set(err, -ENOSPC, "backend %s: too many steps to take back", o->type);
	long mark = undo_note(o->journal, step, err);
	if (mark < UNDO_NO_MARK)
		return (int)mark;
	o->step[o->steps] = *step;
	o->mark[o->steps++] = mark;
	return 0;
}

void opened_backend_forget(struct opened_backend *o)
{
	if (o->steps)
		undo_strike(o->journal, o->mark[--o->steps]);
}

/* What cannot be taken back now stays in the journal: the next start tries again. */
static void take_back(struct opened_backend *o)
{
	unsigned last = --o->steps;
	struct error err = { 0 };

	if (undo_step_run(&o->step[last], &err) >= 0)
		undo_strike(o->journal, o->mark[last]);
	else
		log_warning("%s", err.text);
}

void opened_backend_close_fds(struct opened_backend *o)
{
	for (unsigned i = 0; i < o->nfds; i++)
		fd_close(&o->fds[i]);
	o->nfds = 0;
	for (unsigned i = 0; i < o->vhosts; i++)
		fd_close(&o->vhost[i]);
	o->vhosts = 0;
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
	while (o->steps)
		take_back(o);
	if (o->unlink_path[0])
		unlink(o->unlink_path);
	o->unlink_path[0] = '\0';
}
