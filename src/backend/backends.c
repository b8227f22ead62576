/* backends.c - the list of backends: the only place that names them all. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/null/null.h"
#include "backend/stream/stream.h"
#include "backend/tap/tap.h"
#include "backend/user/user.h"
#include "base/fd.h"

const struct backend_ops *const backends[] = {
	&user_backend, &tap_backend, &stream_backend, &null_backend, &loop_backend,
};
const unsigned backend_count = ARRAY_SIZE(backends);

const struct backend_ops *backend_find(const char *name)
{
	for (unsigned i = 0; i < backend_count; i++)
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

static void close_fds(const int *fds, unsigned nfds)
{
	for (unsigned i = 0; i < nfds && i < QUEUES_MAX; i++) {
		int fd = fds[i];

		fd_close(&fd);
	}
}

struct backend *backend_create(const struct backend_spec *spec, struct error *err)
{
	const struct backend_ops *ops = backend_find(spec->type);
	struct backend *b = ops ? calloc(1, ops->size) : NULL;

	if (!b || spec->nfds > QUEUES_MAX) {
		if (!ops)
			error_set(err, -ENOENT, "there is no backend %s; see: anynic backends",
				  spec->type);
		else if (!b)
			error_set(err, -ENOMEM, "backend %s: out of memory", spec->type);
		else
			error_set(err, -EINVAL, "backend %s: more than %d descriptors", spec->type,
				  QUEUES_MAX);
		close_fds(spec->fds, spec->nfds);
		free(b);
		return NULL;
	}
	b->ops = ops;
	b->listen_fd = -1;
	for (unsigned i = 0; i < QUEUES_MAX; i++)
		b->fd[i] = -1;
	if (ops->init(b, spec, err) < 0) {
		backend_destroy(b);
		return NULL;
	}
	return b;
}

void backend_destroy(struct backend *b)
{
	if (!b)
		return;
	b->ops->finish(b);
	free(b);
}

int backend_renew(struct backend *b, const int *fds, unsigned nfds, struct error *err)
{
	int rc = -ENOTSUP;

	if (b->ops->renew && nfds > 0 && nfds <= QUEUES_MAX) {
		rc = 0;
		for (unsigned i = 0; i < nfds && rc == 0; i++)
			rc = fd_set_nonblock(fds[i], true);
		if (rc == 0)
			rc = b->ops->renew(b, fds, nfds);
		if (rc == 0)
			return 0;
	}
	close_fds(fds, nfds);
	return error_set(err, rc, "backend %s cannot go on with a new descriptor", b->ops->name);
}

void backend_accept(struct backend *b)
{
	if (b->ops->accept)
		b->ops->accept(b);
}

static void set_state(struct backend *b, bool up)
{
	b->up_changed |= b->up != up;
	b->up = up;
}

void backend_set_up(struct backend *b)
{
	b->reason[0] = '\0';
	set_state(b, true);
}

void backend_set_down(struct backend *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(b->reason, sizeof(b->reason), fmt, args);
	va_end(args);
	set_state(b, false);
}

void backend_hide_fd(struct backend *b, unsigned index)
{
	b->fd[index] = -1;
	while (b->fds && b->fd[b->fds - 1] < 0)
		b->fds--;
	b->fds_changed = true;
	b->blocked = false;
}
