#include "cli/transient.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/service.h"
#include "host/hostdev.h"

#define AGAIN_NS     (2 * NS_PER_S) /* until a function that is not to be had is asked for again */
#define ASK_AGAIN_NS NS_PER_S	    /* until a guest that refused is asked again */

static struct opened_backend *backend_of(struct service *s, const struct transient *t)
{
	return &s->port[t->port].backend[t->nic];
}

static struct control_port *told_of(struct service *s, const struct transient *t)
{
	return &s->control.port[t->port];
}

static const struct nic_spec *nic_of(struct service *s, const struct transient *t)
{
	return &s->options.ports[t->port].nic[t->nic];
}

static bool waits(const struct transient *t)
{
	return t->timer.slot != 0;
}

static void wait_for(struct service *s, struct transient *t, uint64_t ns)
{
	loop_timer_set(&s->loop, &t->timer, monotonic_ns() + ns);
}

/* Once, not with each attempt. */
static void tell_missing(struct service *s, struct transient *t, const char *why)
{
	struct control_port *p = told_of(s, t);
	char text[sizeof(p->function.why)];

	(void)snprintf(text, sizeof(text), "%s", why);
	if (strcmp(text, p->function.why) != 0)
		log_warning("%s is not in the guest, which works on its other card: %s; it is "
			    "tried again",
			    nic_of(s, t)->id, why);
	str_copy(p->function.why, sizeof(p->function.why), text);
	str_copy(p->host[t->nic].chosen, sizeof(p->host[t->nic].chosen), text);
}

/* --- the function ------------------------------------------------------------------------------------------------- */

void transient_init(struct transient *t, const struct port_spec *spec, unsigned port)
{
	*t = (struct transient){ .port = port, .nic = -1 };
	t->timer = (struct loop_timer){ .kind = KIND_TRANSIENT_TIMER, .owner = t };
	for (unsigned n = 0; n < spec->nics; n++)
		if (nic_is_plugged_later(&spec->nic[n]))
			t->nic = (int)n;
}

void transient_stop(struct service *s, struct transient *t)
{
	loop_timer_cancel(&s->loop, &t->timer);
	json_object_put(t->device);
	t->device = NULL;
}

bool transient_may_come_later(struct service *s, unsigned port, unsigned nic,
			      const struct error *why)
{
	static const int passing[] = { -EBUSY, -ENODEV, -ENETDOWN };
	struct transient *t = &s->port[port].transient;
	bool passes = false;

	for (unsigned i = 0; i < ARRAY_SIZE(passing); i++)
		passes |= why->code == passing[i];
	if (!passes || t->nic != (int)nic || !s->options.incoming || s->monitor)
		return false;
	backend_of(s, t)->pci[0] = '\0';
	tell_missing(s, t, why->text);
	wait_for(s, t, AGAIN_NS);
	return true;
}

static bool take(struct service *s, struct transient *t)
{
	struct opened_backend *b = backend_of(s, t);
	struct control_port *p = told_of(s, t);
	struct backend_request request;
	struct error err = { 0 };

	if (b->pci[0])
		return true;
	service_backend_request(s, t->port, (unsigned)t->nic, &request);
	if (host_backend_open(&request, b, &err) < 0) {
		b->pci[0] = '\0';
		tell_missing(s, t, err.text);
		wait_for(s, t, AGAIN_NS);
		return false;
	}
	log_info("%s: %s", nic_of(s, t)->id, b->reason);
	p->function.why[0] = '\0';
	control_host_opened(p, (unsigned)t->nic, b);
	control_host_look(&s->control, &s->host);
	str_copy(p->spec.nic[t->nic].host_pci, sizeof(b->pci), b->pci);
	return true;
}

/* --- in and out ----------------------------------------------------------------------------------------------------- */

void transient_plan(struct service *s, json_object *devices)
{
	for (unsigned i = 0; i < s->options.count; i++) {
		struct transient *t = &s->port[i].transient;

		for (size_t n = 0; t->nic >= 0 && n < json_object_array_length(devices); n++) {
			json_object *device = json_object_array_get_idx(devices, n), *id = NULL;

			json_object_object_get_ex(device, "id", &id);
			if (!t->device && strcmp(json_object_get_string(id), nic_of(s, t)->id) == 0)
				t->device = json_object_get(device);
		}
	}
}

void transient_expect(struct service *s, unsigned port, json_object *device)
{
	json_object_put(s->port[port].transient.device);
	s->port[port].transient.device = device;
}

static struct plug_card card_of(struct service *s, const struct transient *t)
{
	return (struct plug_card){ .port = &s->options.ports[t->port],
				   .nic = nic_of(s, t),
				   .device = t->device };
}

static void put_in(struct service *s, struct transient *t)
{
	struct opened_backend *b = backend_of(s, t);
	struct backend_request request;
	const struct plug_card card = card_of(s, t);
	struct error err = { 0 };

	service_backend_request(s, t->port, (unsigned)t->nic, &request);
	int rc = host_hostdev_set(&request, b, &err);
	if (rc == 0) {
		json_object_object_add(t->device, "host", json_object_new_string(b->pci));
		rc = plug_in(&t->plug, s->monitor, &card, &err);
	}
	if (rc < 0) {
		host_hostdev_set_back(b);
		tell_missing(s, t, err.text);
		wait_for(s, t, AGAIN_NS);
	}
	t->asked = false;
}

static void take_out(struct transient *t)
{
	struct error err = { 0 };

	t->asked = true;
	(void)plug_out(&t->plug, PLUG_NEVER, &err); /* whoever wants it out has a deadline */
}

/* QEMU keeps what it was asked for, and plugs it itself when the guest's virtio driver starts anew. */
static bool is_there_already(struct service *s, struct transient *t)
{
	const struct plug_card card = card_of(s, t);

	if (!strstr(t->plug.why, "Duplicate device ID"))
		return false;
	plug_adopt(&t->plug, s->monitor, &card);
	return true;
}

/* The guest has none: what is for it goes to its other card from now on. */
static void is_out(struct service *s, struct transient *t, bool failed)
{
	struct control_port *p = told_of(s, t);

	host_hostdev_set_back(backend_of(s, t));
	if (p->function.leave)
		control_team_take_out(p, true);
	else if (!failed)
		t->let_go = !t->asked;
	if (!failed)
		return;
	tell_missing(s, t, t->plug.why);
	wait_for(s, t, AGAIN_NS);
}

/* What became of the step under way. */
static void settle(struct service *s, struct transient *t, enum plug_state before)
{
	struct control_port *p = told_of(s, t);

	bool failed = before == PLUG_GOING_IN || before == PLUG_UNDOING;

	if (t->plug.state == before)
		return;
	switch (t->plug.state) {
	case PLUG_OUT:
		if (!failed || !is_there_already(s, t))
			is_out(s, t, failed);
		break;
	case PLUG_IN:
		if (before == PLUG_GOING_IN)
			p->function.why[0] = '\0';
		else if (p->function.leave) /* it was refused */
			wait_for(s, t, ASK_AGAIN_NS);
		break;
	default:
		break;
	}
	p->function.in = t->plug.state != PLUG_OUT;
}

static void look(struct service *s, struct transient *t)
{
	struct control_port *p = told_of(s, t);
	enum plug_state before = t->plug.state;

	if (t->nic < 0 || !t->device || !s->monitor || s->ending || waits(t))
		return;
	if (before == PLUG_OUT && control_team_wants_function(p) && !t->let_go && take(s, t))
		put_in(s, t);
	else if (before == PLUG_IN && p->function.leave)
		take_out(t);
	else if (before == PLUG_GOING_OUT && !p->function.leave)
		plug_keep(&t->plug);
	settle(s, t, before);
}

void transient_look(struct service *s)
{
	for (unsigned i = 0; s->port && i < s->options.count; i++)
		look(s, &s->port[i].transient);
}

void transient_leave(struct service *s, unsigned port, bool leave)
{
	struct control_port *p = &s->control.port[port];

	p->function.leave = leave && p->function.ours;
	if (!leave)
		control_team_take_out(p, false);
	look(s, &s->port[port].transient);
}

void transient_timer(struct service *s, struct transient *t)
{
	if (!s->ending)
		(void)take(s, t); /* it is ours before the guest asks */
}

bool transient_reply(struct service *s, const struct qmp_item *item)
{
	for (unsigned i = 0; s->port && i < s->options.count; i++) {
		struct transient *t = &s->port[i].transient;
		enum plug_state before = t->plug.state;

		if (t->nic >= 0 && plug_reply(&t->plug, item, monotonic_ns())) {
			settle(s, t, before);
			return true;
		}
	}
	return false;
}

static bool asks_for_it(struct service *s, struct transient *t, const char *name, json_object *data)
{
	json_object *device = NULL;

	return strcmp(name, "FAILOVER_NEGOTIATED") == 0 &&
	       json_object_object_get_ex(data, "device-id", &device) &&
	       strcmp(json_object_get_string(device), nic_of(s, t)->pair) == 0;
}

void transient_event(struct service *s, const char *name, json_object *data)
{
	for (unsigned i = 0; s->port && i < s->options.count; i++) {
		struct transient *t = &s->port[i].transient;
		enum plug_state before = t->plug.state;

		if (t->nic < 0 || !data)
			continue;
		if (asks_for_it(s, t, name, data))
			t->let_go = false;
		plug_event(&t->plug, name, data);
		settle(s, t, before);
	}
}

void transient_monitor_gone(struct service *s)
{
	for (unsigned i = 0; s->port && i < s->options.count; i++)
		if (s->port[i].transient.nic >= 0)
			plug_monitor_gone(&s->port[i].transient.plug);
}
