/* opened.c - what was opened, until it is closed: steps to take back, descriptors, the process behind it. */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "host/child.h"
#include "host/open.h"

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
	child_kill(o);
	fd_close(&o->log);
	o->waiting = false;
	if (o->helper > 0) /* it sees the end, and takes back what it made */
		close(o->helper);
	o->helper = 0;
	while (o->steps)
		take_back(o);
	if (o->unlink_path[0])
		unlink(o->unlink_path);
	o->unlink_path[0] = '\0';
}
