#include "cli/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/service.h"
#include "host/child.h"
#include "host/open.h"

#define PAUSE_FIRST_NS (100 * NS_PER_MS)
#define PAUSE_MOST_NS  (2 * NS_PER_S)
#define STEADY_NS      (10 * NS_PER_S) /* up for so long: what happens next is no repetition */
#define TOLD_NS	       (5 * NS_PER_S)

static struct opened_backend *backend_of(struct service *s, const struct recovery *r)
{
	return &s->port[r->port].backend[0];
}

static struct loop_source *process_of(struct service *s, const struct recovery *r)
{
	return &s->port[r->port].process[0];
}

static const char *id_of(const struct service *s, const struct recovery *r)
{
	return s->options.ports[r->port].id;
}

static struct control_port *told_of(struct service *s, const struct recovery *r)
{
	return &s->control.port[r->port];
}

static bool can_return(const struct service *s, unsigned port)
{
	const struct port_spec *p = &s->options.ports[port];

	return !s->ending && !s->control.datapath_gone && port_in_datapath(p) &&
	       host_backend_returns(&p->backend);
}

/* Behind it is a link of this host, a tap or macvtap: the kernel tells when it is deleted. Of a process or the other side of a socket the
 * datapath tells. */
static bool is_link(const struct service *s, const struct recovery *r)
{
	return host_backend_taps(&s->options.ports[r->port].backend) != TAPS_NONE;
}

static bool is_lost(struct service *s, const struct recovery *r)
{
	const struct control_port *p = told_of(s, r);

	if (!is_link(s, r))
		return p->path.down;
	return p->host[0].gone || (r->state == RECOVERY_TOLD && p->path.down);
}

/* What is known here says more than the datapath's "the other side left". */
static void tell_why(struct service *s, const struct recovery *r)
{
	struct control_port *p = told_of(s, r);

	if (is_link(s, r))
		return; /* link_reason told it */
	if (!p->path.down || !r->why[0])
		return;
	str_copy(p->path.reason, sizeof(p->path.reason), r->why);
	control_backend_judge(p);
}

/* Links keep their next step: it is what a person has to do. One that is not there is described by host_watch. */
static void link_reason(struct service *s, struct recovery *r, const struct error *err)
{
	struct control_port *p = told_of(s, r);

	if (err->code == -ENOENT) {
		p->host[0].dirty = true;
		control_host_look(&s->control, &s->host);
	} else {
		control_host_lost(p, err->text);
	}
}

/* `said` may end in a next step; that was for a first start. */
static void pause_for_next(struct service *s, struct recovery *r, const char *said)
{
	uint64_t now = monotonic_ns();
	bool steady = r->up_ns && now - r->up_ns > STEADY_NS;
	const char *next = strstr(said, "; next: ");
	char why[sizeof(r->why)];

	str_copy(why, MIN(sizeof(why), next ? (size_t)(next - said) + 1 : sizeof(why)), said);

	if (strcmp(r->why, why) != 0) /* once, not with each attempt */
		log_warning("port %s: %s; it is tried again until it is back", id_of(s, r), why);
	str_copy(r->why, sizeof(r->why), why);
	tell_why(s, r);
	r->pause_ns = r->pause_ns && !steady ? MIN(2 * r->pause_ns, PAUSE_MOST_NS) : PAUSE_FIRST_NS;
	r->up_ns = 0;
	r->state = RECOVERY_PAUSE;
	loop_timer_set(&s->loop, &r->timer, now + r->pause_ns);
}

/* Takes down what is left of the old one. */
static void lost(struct service *s, struct recovery *r)
{
	struct opened_backend *b = backend_of(s, r);
	struct control_port *p = told_of(s, r);
	char why[256];

	str_copy(why, sizeof(why), is_link(s, r) ? p->host[0].reason : p->path.reason);
	loop_unwatch(&s->loop, process_of(s, r));
	if (b->pid)
		child_end(b, why, sizeof(why));
	opened_backend_close(b);
	if (is_link(s, r))
		control_host_lost(p, p->host[0].reason);
	pause_for_next(s, r, why);
}

static void hand_over(struct service *s, struct recovery *r)
{
	struct opened_backend *b = backend_of(s, r);
	struct control_port *p = told_of(s, r);
	struct msg_port_name name = { 0 };
	char why[sizeof(p->path.reason)];

	str_copy(why, sizeof(why), is_link(s, r) ? p->host[0].reason : r->why);
	control_backend_renews(p, why);
	str_copy(name.port, sizeof(name.port), id_of(s, r));
	(void)datapath_send_fds(&s->datapath, MSG_BACKEND_RENEW, &name, sizeof(name), b->fds,
				b->nfds);
	opened_backend_close_fds(b);
	if (is_link(s, r)) {
		control_host_opened(p, 0, b);
		control_host_look(&s->control, &s->host);
	}
	if (b->pidfd >= 0) {
		*process_of(s, r) = (struct loop_source){ .fd = b->pidfd,
							  .kind = KIND_HELPER_PROCESS,
							  .index = r->port };
		loop_watch(&s->loop, process_of(s, r), EPOLLIN);
	}
	r->state = RECOVERY_TOLD;
	loop_timer_set(&s->loop, &r->timer, monotonic_ns() + TOLD_NS);
}

static void start(struct service *s, struct recovery *r)
{
	struct opened_backend *b = backend_of(s, r);
	struct backend_request request;
	struct error err = { 0 };

	service_backend_request(s, r->port, 0, &request);
	request.again = true;
	request.theirs = is_link(s, r) && !told_of(s, r)->host[0].made;
	int rc = is_link(s, r) ? host_backend_look(&request, &err) : 0;
	if (rc == 0)
		rc = host_backend_start(&request, b, &err);
	if (rc < 0) {
		if (is_link(s, r))
			link_reason(s, r, &err);
		pause_for_next(s, r, is_link(s, r) ? told_of(s, r)->host[0].reason : err.text);
		return;
	}
	if (!b->waiting) {
		hand_over(s, r);
		return;
	}
	r->ready = (struct loop_source){ .fd = b->fds[0], .kind = KIND_RECOVER_READY, .owner = r };
	r->state = RECOVERY_STARTING;
	loop_watch(&s->loop, &r->ready, EPOLLIN);
	loop_timer_set(&s->loop, &r->timer, monotonic_ns() + HOST_READY_MS * NS_PER_MS);
}

void recover_ready(struct service *s, struct recovery *r)
{
	struct opened_backend *b = backend_of(s, r);
	struct error err = { 0 };

	loop_unwatch(&s->loop, &r->ready); /* before anybody closes it */
	int rc = host_backend_ready(b, &err);
	if (rc == 0) {
		loop_watch(&s->loop, &r->ready, EPOLLIN);
		return;
	}
	loop_timer_cancel(&s->loop, &r->timer);
	if (rc < 0)
		pause_for_next(s, r, err.text);
	else
		hand_over(s, r);
}

void recover_timer(struct service *s, struct recovery *r)
{
	bool may = can_return(s, r->port);

	switch (r->state) {
	case RECOVERY_PAUSE:
		r->state = RECOVERY_NONE;
		if (may)
			start(s, r);
		break;
	case RECOVERY_STARTING:
		loop_unwatch(&s->loop, &r->ready);
		opened_backend_close(backend_of(s, r));
		r->state = RECOVERY_NONE;
		if (may)
			pause_for_next(s, r, "its process does not become ready");
		break;
	case RECOVERY_TOLD: /* it was up all the time, as far as anybody noticed; or else: */
		r->state = RECOVERY_NONE;
		if (may && told_of(s, r)->path.down)
			lost(s, r); /* of a link: the datapath could not use it */
		break;
	case RECOVERY_NONE:
	case RECOVERY_STATE_COUNT:
		break;
	}
}

void recover_process_ended(struct service *s, unsigned port)
{
	struct recovery *r = &s->port[port].recovery;

	if (can_return(s, port)) {
		lost(s, r);
		return;
	}
	loop_unwatch(&s->loop, process_of(s, r));
	child_kill(backend_of(s, r));
}

static void look(struct service *s, struct recovery *r)
{
	bool down = is_lost(s, r);

	if (!can_return(s, r->port))
		return;
	if (down && r->state == RECOVERY_NONE) {
		lost(s, r);
	} else if (down) {
		tell_why(s, r);
	} else if (r->state == RECOVERY_TOLD) {
		loop_timer_cancel(&s->loop, &r->timer);
		log_info("port %s: its backend is back", id_of(s, r));
		r->state = RECOVERY_NONE;
		r->why[0] = '\0';
		r->up_ns = monotonic_ns();
	}
}

void recover_look(struct service *s)
{
	for (unsigned i = 0; s->port && i < s->options.count; i++)
		look(s, &s->port[i].recovery);
}

void recovery_init(struct recovery *r, unsigned port)
{
	*r = (struct recovery){ .port = port, .ready.fd = -1 };
	r->timer = (struct loop_timer){ .kind = KIND_RECOVER_TIMER, .owner = r };
}

void recovery_stop(struct service *s, struct recovery *r)
{
	loop_timer_cancel(&s->loop, &r->timer);
	loop_unwatch(&s->loop, &r->ready);
}
