#include "cli/port_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/guest.h"
#include "cli/port_card.h"
#include "cli/port_leave.h"
#include "cli/port_order.h"
#include "cli/port_stage.h"
#include "cli/service.h"

#define BACK_NS                                                                                    \
	(5 *                                                                                       \
	 NS_PER_S) /* what a guest may take to let go of a card that goes at once again: libvirt's */

static void advance(struct service *s, unsigned i);

bool port_change_is_coming(const struct port_change *c)
{
	return port_stage_is_under_way(c) && c->stage != PORT_STAGE_GOING;
}

/* --- who asked --------------------------------------------------------------------------------------------------- */

static void answer(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);
	json_object *value = json_object_new_object();

	json_object_object_add(value, "port", json_object_new_string(s->spec[i].id));
	if (c->note[0])
		json_object_object_add(value, "note", json_object_new_string(c->note));
	commands_order_done(&s->commands, c->client, value);
	c->client = 0;
}

/* Who hears that it is gone finds nothing of it. */
static void fail_and_forget(struct service *s, unsigned i)
{
	uint64_t client = port_stage_of(s, i)->client;
	struct error err = port_stage_of(s, i)->err;

	if (!client)
		log_warning("port %s: QEMU has answered, and all that was done for it is undone",
			    s->spec[i].id);
	port_stage_forget(s, i);
	commands_order_failed(&s->commands, client, &err);
}

/* --- a card on its way in ------------------------------------------------------------------------------------------ */

/* All cards are in QEMU. */
static void port_came(struct service *s, unsigned i)
{
	struct control_port *p = &s->control.port[i];

	for (unsigned n = 0; n < PORT_NICS; n++)
		opened_backend_close_fds(&s->port[i].backend[n]);
	for (unsigned n = 0; n < s->spec[i].nics; n++)
		if (nic_is_plugged_later(&s->spec[i].nic[n]))
			port_card_expect(s, i, n);
	port_stage_set(s, i, PORT_STAGE_THERE);
	port_stage_note_away(s, i);
	control_port_tell_qemu(p);
	control_port_event(p, EVENT_PORT_ADDED);
	card_watch_port_came(&s->cards, &s->spec[i]);
	control_host_look(&s->control, &s->host);
	answer(s, i);
}

/* --- taking back ------------------------------------------------------------------------------------------------- */

/* c->err says why. The card under way has been taken back already, as far as the guest let it go. */
static void take_back(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);

	port_stage_set(s, i, PORT_STAGE_UNDOING);
	c->deadline_ns = monotonic_ns() + 2 * BACK_NS; /* the guest's, then QEMU's */
	for (unsigned n = c->nic; n-- > 0;)
		if (!port_order_kills_qemu(&s->spec[i].nic[n]))
			(void)plug_out(&c->card[n], monotonic_ns() + BACK_NS, NULL);
	advance(s, i);
}

/* Of a port that could not be taken back. */
static const struct nic_spec *card_left(const struct service *s, unsigned i)
{
	unsigned n = 0;

	while (n + 1 < s->spec[i].nics && s->changes.port[i].card[n].state == PLUG_OUT)
		n++;
	return &s->spec[i].nic[n];
}

/* A guest that keeps a card which it has seen: the port stays with what is left, and can be taken out later. */
static void stays_by_half(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);
	const struct nic_spec *left = card_left(s, i);
	bool kills = port_order_kills_qemu(left);
	const char *verb = kills ? "link" : "unplug", *down = kills ? " down" : "";

	/* c->err says that all is undone */
	error_set(&c->err, -EIO, "%s; %s %s; next: `anynic %s %s %s%s`", c->card[c->nic].why,
		  left->id,
		  kills ? "is in the guest and stays there, see unplug"
			: "is in the guest, which has not let go of it yet",
		  verb, s->options.name, s->spec[i].id, down);
	if (!c->client)
		log_warning("port %s: %s", s->spec[i].id, c->err.text);
	port_stage_set(s, i, PORT_STAGE_THERE);
	port_stage_note_away(s, i);
	control_port_tell_qemu(&s->control.port[i]);
	port_stage_refuse(s, i);
}

static void undone(struct service *s, unsigned i)
{
	if (port_stage_cards_move(s, i))
		return;
	if (!port_stage_all_in(s, i, PLUG_OUT)) {
		stays_by_half(s, i);
		return;
	}
	fail_and_forget(s, i);
}

static void card_failed(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);

	error_set(&c->err, -EIO, "%.300s; what was done for port %s is undone", c->card[c->nic].why,
		  s->spec[i].id);
	take_back(s, i);
}

/* --- what happens next ------------------------------------------------------------------------------------------- */

static void next_card(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);

	while (c->nic < s->spec[i].nics && nic_is_plugged_later(&s->spec[i].nic[c->nic]))
		c->nic++;
	if (c->nic == s->spec[i].nics) {
		port_came(s, i);
		return;
	}
	if (port_card_put_in(s, i, c->nic, &c->err) < 0)
		take_back(s, i);
	else
		advance(s, i);
}

static void comes(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);

	switch (c->card[c->nic].state) {
	case PLUG_IN:
		if (c->card[c->nic].rc < 0) { /* it failed, and the guest keeps it */
			card_failed(s, i);
			break;
		}
		c->nic++;
		next_card(s, i);
		break;
	case PLUG_OUT:
	case PLUG_STUCK:
		card_failed(s, i);
		break;
	default:
		break;
	}
}

/* --- a QEMU that does not answer --------------------------------------------------------------------------------- */

/* So long who asked waits for it; what goes has its own deadline for the guest, and QEMU takes its part of it back behind that. */
static uint64_t patience_of(const struct service *s, unsigned i)
{
	const struct port_change *c = &s->changes.port[i];

	if (!port_stage_is_under_way(c) || !c->client)
		return PLUG_NEVER;
	return c->deadline_ns + (c->stage == PORT_STAGE_GOING ? BACK_NS : 0);
}

/* The card whose command QEMU has not answered; PORT_NICS = none. */
static unsigned card_that_waits(const struct service *s, unsigned i)
{
	unsigned n = 0;

	while (n < PORT_NICS && !plug_waits_for_qemu(&s->changes.port[i].card[n]))
		n++;
	return n;
}

static const char *what_follows(const struct port_change *c, bool stays)
{
	if (c->stage == PORT_STAGE_GOING)
		return "and the rest goes";
	return stays ? "and comes (QEMU would end with a fault if its card went, see unplug)"
		     : "what was done for it is undone";
}

/* What is done in QEMU stays until it answers, and so does what the host has for it. Only who asked need not wait. */
static void tell_silence(struct service *s, unsigned i, unsigned n)
{
	struct port_change *c = port_stage_of(s, i);
	const char *command = plug_waits_for_qemu(&c->card[n]);
	bool going = c->stage == PORT_STAGE_GOING, coming = c->card[n].state == PLUG_GOING_IN;
	bool stays = coming && port_order_kills_qemu(&s->spec[i].nic[n]);
	const char *first = going || coming ? "" : c->card[c->nic].why;

	error_set(&c->err, -ETIMEDOUT,
		  "%.200s%sQEMU does not answer %s of %s; port %s is half %s, %s when it answers; "
		  "next: `anynic stop %s` if it never does",
		  first, first[0] ? "; " : "", command, s->spec[i].nic[n].id, s->spec[i].id,
		  going ? "out" : "in", what_follows(c, stays), s->options.name);
	if (coming && !stays)
		plug_give_up(&c->card[n]);
	port_stage_refuse(s, i);
}

static void lose_patience(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);
	unsigned n = card_that_waits(s, i);

	if (c->stage == PORT_STAGE_SEARCHING) {
		error_set(&c->err, -ETIMEDOUT,
			  "QEMU does not answer qom-list; what was done for port %s is undone; "
			  "next: try again, or `anynic stop %s` if it never answers",
			  s->spec[i].id, s->options.name);
		take_back(s, i);
	} else if (n < PORT_NICS) {
		tell_silence(s, i, n);
	} else {
		c->deadline_ns = monotonic_ns() + BACK_NS; /* it is the guest's turn */
	}
}

static void set_timer(struct service *s)
{
	uint64_t next = PLUG_NEVER;

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		next = MIN(next, patience_of(s, i));
		for (unsigned n = 0; n < s->spec[i].nics; n++)
			next = MIN(next, port_stage_function_goes(s, i)
						 ? s->changes.port[i].deadline_ns
						 : plug_deadline(&s->changes.port[i].card[n]));
	}
	if (next == PLUG_NEVER)
		loop_timer_cancel(&s->loop, &s->changes.timer);
	else
		loop_timer_set(&s->loop, &s->changes.timer, next);
}

/* Something about a card of the port changed. */
static void advance(struct service *s, unsigned i)
{
	s->control.port[i].going = !port_change_is_coming(port_stage_of(s, i)) &&
				   (port_stage_cards_move(s, i) || port_stage_function_goes(s, i));
	switch (port_stage_of(s, i)->stage) {
	case PORT_STAGE_COMING:
		comes(s, i);
		break;
	case PORT_STAGE_UNDOING:
		undone(s, i);
		break;
	case PORT_STAGE_THERE: /* the guest let go of it by itself, or late */
	case PORT_STAGE_GOING:
		port_leave_go_on(s, i);
		break;
	case PORT_STAGE_NONE:
	case PORT_STAGE_SEARCHING:
	case PORT_STAGE_COUNT:
		break;
	}
	set_timer(s);
}

/* --- root ports -------------------------------------------------------------------------------------------------- */

static unsigned root_ports_needed(const struct service *s, unsigned i)
{
	unsigned needed = 0;

	for (unsigned n = 0; n < s->spec[i].nics; n++)
		needed += port_card_needs_root_port(s, &s->spec[i].nic[n]);
	return needed;
}

/* That of a team's transient card, found or (XML) named. */
static void keep_hidden(struct service *s, unsigned i)
{
	unsigned n = port_stage_card_of(s, i, LEG_TRANSIENT);
	const char *found = port_stage_of(s, i)->bus[n];

	if (port_stage_is_team(s, i))
		str_copy(s->changes.hidden[i], ROOT_PORT_NAME,
			 found[0] ? found : s->spec[i].nic[n].options.bus);
}

static void begin_cards(struct service *s, unsigned i)
{
	unsigned used = 0;

	for (unsigned n = 0; n < s->spec[i].nics; n++)
		if (port_card_needs_root_port(s, &s->spec[i].nic[n]))
			str_copy(port_stage_of(s, i)->bus[n], ROOT_PORT_NAME,
				 s->changes.roots.found[used++]);
	keep_hidden(s, i);
	port_stage_set(s, i, PORT_STAGE_COMING);
	next_card(s, i);
}

static void searched(struct service *s, unsigned i)
{
	const struct root_search *r = &s->changes.roots;
	struct port_change *c = port_stage_of(s, i);

	switch (r->state) {
	case ROOT_FOUND:
		begin_cards(s, i);
		break;
	case ROOT_SEARCHING:
		break;
	default:
		if (r->state == ROOT_LOST)
			error_set(&c->err, -EPIPE, "QEMU's monitor is closed");
		else
			error_set(
				&c->err, -ENOSPC,
				"port %s needs %u free PCI Express root port%s, and the guest has "
				"%u; next: start it with --spare-ports %u, or take a port out",
				s->spec[i].id, r->wanted, r->wanted == 1 ? "" : "s", r->founds,
				r->wanted);
		take_back(s, i);
	}
}

static void search(struct service *s, unsigned i, unsigned seconds)
{
	struct port_changes *all = &s->changes;

	port_stage_of(s, i)->deadline_ns = monotonic_ns() + seconds * NS_PER_S;
	port_stage_set(s, i, PORT_STAGE_SEARCHING);
	keep_hidden(s, i);
	/* also who needs none waits for this answer: a QEMU that has just been started takes no descriptor yet */
	root_search_begin(&all->roots, s->monitor, root_ports_needed(s, i),
			  (const char(*)[ROOT_PORT_NAME])all->hidden, PORTS_MAX);
	searched(s, i);
	set_timer(s);
}

/* --- a port that shall come ---------------------------------------------------------------------------------------- */

/* QEMU's own cards are watched by commands that are tried first, if they were not yet. */
static void find_signals(struct service *s, const struct port_spec *p)
{
	static const struct qemu_signals none;
	struct qemu_signals *signals = &s->cards.status.signals;

	if (card_watch_needed(p, 1) && memcmp(signals, &none, sizeof(none)) == 0)
		guest_find_signals(s->options.guest, signals);
}

static int open_port(struct service *s, unsigned i, const struct port_spec *p, struct error *err)
{
	struct control_port *told = &s->control.port[i];

	s->spec[i] = *p;
	s->options.count = MAX(s->options.count, i + 1);
	control_set_port(&s->control, i, p);
	for (unsigned n = 0; n < p->nics; n++)
		told->nic[n].away = true;
	int rc = service_open_port(s, i, err);
	if (rc < 0)
		return rc;
	for (unsigned n = 0; n < p->nics; n++)
		str_copy(s->spec[i].nic[n].host_pci, sizeof(told->spec.nic[n].host_pci),
			 told->spec.nic[n].host_pci);
	control_port_start(told);
	return 0;
}

static void add(struct service *s, const struct port_order *o)
{
	static struct guest more;
	struct error err = { 0 };
	int i = port_order_add(s, o, &more, &err);

	if (i < 0) {
		commands_order_failed(&s->commands, o->client, &err);
		return;
	}
	struct port_change *c = port_stage_of(s, (unsigned)i);
	*c = (struct port_change){ .client = o->client };
	str_copy(c->network, sizeof(c->network), guest_network_of(&more, more.port[0].id));
	str_copy(c->note, sizeof(c->note), more.place_why[0]);
	find_signals(s, &more.port[0]);
	int rc = open_port(s, (unsigned)i, &more.port[0], &c->err);
	service_read_datapath(s);
	if (rc < 0) {
		c->err.code = rc;
		guest_give_back_networks(
			&more); /* also of a team's function, if it was not opened yet */
		fail_and_forget(s, (unsigned)i);
		return;
	}
	search(s, (unsigned)i, o->seconds);
}

/* --- a port that shall go ------------------------------------------------------------------------------------------ */

static void take_out(struct service *s, const struct port_order *o)
{
	struct error err = { 0 };
	int i = port_order_remove(s, o, &err);

	if (i < 0)
		commands_order_failed(&s->commands, o->client, &err);
	else if (port_leave_begin(s, (unsigned)i, o))
		advance(s, (unsigned)i);
}

/* --- for the service --------------------------------------------------------------------------------------------- */

void port_changes_init(struct port_changes *c)
{
	*c = (struct port_changes){ .timer = { .kind = KIND_PLUG_TIMER, .owner = c } };
}

void port_changes_finish(struct service *s)
{
	loop_timer_cancel(&s->loop, &s->changes.timer);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		for (unsigned n = 0; n < PORT_NICS; n++) {
			json_object_put(s->changes.port[i].device[n]);
			s->changes.port[i].device[n] = NULL;
		}
}

static void note_hidden(struct service *s, const char *nic, const char *bus)
{
	for (unsigned i = 0; i < s->options.count && i < PORTS_MAX; i++)
		if (port_stage_is_team(s, i) &&
		    strcmp(s->spec[i].nic[port_stage_card_of(s, i, LEG_TRANSIENT)].id, nic) == 0)
			str_copy(s->changes.hidden[i], ROOT_PORT_NAME, bus);
}

void port_changes_started(struct service *s, const struct qemu_arguments *arguments)
{
	s->changes.shares_memory = arguments->shares_memory;
	for (size_t i = 0; i < json_object_array_length(arguments->devices); i++) {
		json_object *device = json_object_array_get_idx(arguments->devices, i), *bus, *id;

		if (json_object_object_get_ex(device, "failover_pair_id", NULL) &&
		    json_object_object_get_ex(device, "id", &id) &&
		    json_object_object_get_ex(device, "bus", &bus))
			note_hidden(s, json_object_get_string(id), json_object_get_string(bus));
	}
}

/* A function of a team that goes has left the guest. */
static void look_after_functions(struct service *s)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct port_change *c = port_stage_of(s, i);

		if (c->stage == PORT_STAGE_GOING && port_stage_leg_is_functions(s, i, c->leg) &&
		    !port_stage_function_goes(s, i))
			advance(s, i);
	}
}

void port_changes_serve(struct service *s)
{
	struct port_order order;

	look_after_functions(s);
	while (commands_next_order(&s->commands, &order)) {
		if (order.remove)
			take_out(s, &order);
		else
			add(s, &order);
	}
}

bool port_changes_reply(struct service *s, const struct qmp_item *item)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port_change *c = port_stage_of(s, i);

		if (c->stage == PORT_STAGE_SEARCHING &&
		    root_search_reply(&s->changes.roots, item)) {
			searched(s, i);
			return true;
		}
		for (unsigned n = 0; c->stage != PORT_STAGE_NONE && n < PORT_NICS; n++)
			if (plug_reply(&c->card[n], item, monotonic_ns())) {
				advance(s, i);
				return true;
			}
	}
	return false;
}

void port_changes_event(struct service *s, const char *name, json_object *data)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port_change *c = port_stage_of(s, i);

		for (unsigned n = 0; n < PORT_NICS; n++) {
			enum plug_state was = c->card[n].state;

			if (c->stage == PORT_STAGE_NONE || was == PLUG_OUT)
				continue;
			plug_event(&c->card[n], name, data);
			if (c->card[n].state != was)
				advance(s, i);
		}
	}
}

void port_changes_timer(struct service *s)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port_change *c = port_stage_of(s, i);

		for (unsigned n = 0; c->stage != PORT_STAGE_NONE && n < s->spec[i].nics; n++)
			plug_timer(&c->card[n], monotonic_ns());
		if (port_stage_function_goes(s, i) && monotonic_ns() >= c->deadline_ns)
			port_leave_not(s, i);
		advance(s, i);
		if (monotonic_ns() >= patience_of(s, i))
			lose_patience(s, i);
	}
	set_timer(s);
}

/* What is in QEMU cannot be told any more, and QEMU is about to end. */
void port_changes_lost(struct service *s)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port_change *c = port_stage_of(s, i);
		bool moves = port_stage_is_under_way(c);

		if (c->stage == PORT_STAGE_NONE)
			continue;
		for (unsigned n = 0; n < s->spec[i].nics; n++)
			plug_monitor_gone(&c->card[n]);
		if (!moves)
			continue;
		error_set(&c->err, -EPIPE, "QEMU closed its monitor");
		port_stage_set(s, i, PORT_STAGE_THERE);
		port_stage_refuse(s, i);
	}
	set_timer(s);
}
