#include "cli/port_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/guest.h"
#include "cli/port_order.h"
#include "cli/service.h"
#include "host/network_pool.h"

#define BACK_NS                                                                                    \
	(5 *                                                                                       \
	 NS_PER_S) /* what a guest may take to let go of a card that goes at once again: libvirt's */

static void advance(struct service *s, unsigned i);

static struct port_change *change_of(struct service *s, unsigned i)
{
	return &s->changes.port[i];
}

static bool under_way(const struct port_change *c)
{
	return c->stage != PORT_STAGE_NONE && c->stage != PORT_STAGE_THERE;
}

bool port_change_is_coming(const struct port_change *c)
{
	return under_way(c) && c->stage != PORT_STAGE_GOING;
}

/* --- who asked --------------------------------------------------------------------------------------------------- */

static void answer(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);
	json_object *value = json_object_new_object();

	json_object_object_add(value, "port", json_object_new_string(s->spec[i].id));
	if (c->note[0])
		json_object_object_add(value, "note", json_object_new_string(c->note));
	commands_order_done(&s->commands, c->client, value);
	c->client = 0;
}

static void refuse(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);

	commands_order_failed(&s->commands, c->client, &c->err);
	c->client = 0;
}

static void set_stage(struct service *s, unsigned i, enum port_stage stage)
{
	bool any = false;

	change_of(s, i)->stage = stage;
	for (unsigned n = 0; n < PORTS_MAX; n++)
		any |= under_way(&s->changes.port[n]);
	s->control.changing = any;
}

/* --- the end of a port ------------------------------------------------------------------------------------------- */

/* A function that was opened is given back already, with what was done to it. */
static void give_back_network(struct service *s, unsigned i)
{
	const struct vf_owner owner = { .guest = s->options.name, .port = s->spec[i].id };
	const char *network = change_of(s, i)->network;
	struct vf_host host;

	if (!network[0])
		return;
	vf_host_init(&host);
	network_pool_release(&host, network, s->spec[i].nic[0].host_pci, &owner);
}

/* QEMU has none of its cards. */
static void forget_port(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);

	card_watch_port_goes(&s->cards, &s->spec[i]);
	service_close_port(s, i);
	service_read_datapath(s); /* its last reports, before another port has its name */
	give_back_network(s, i);
	for (unsigned n = 0; n < PORT_NICS; n++)
		json_object_put(c->device[n]);
	*c = (struct port_change){ .stage = PORT_STAGE_NONE };
	control_drop_port(&s->control, i);
	s->spec[i] = (struct port_spec){ 0 };
	set_stage(s, i, PORT_STAGE_NONE);
}

/* Who hears that it is gone finds nothing of it. */
static void fail_and_forget(struct service *s, unsigned i)
{
	uint64_t client = change_of(s, i)->client;
	struct error err = change_of(s, i)->err;

	forget_port(s, i);
	commands_order_failed(&s->commands, client, &err);
}

/* --- a card on its way in ------------------------------------------------------------------------------------------ */

static bool is_usb(const struct nic_spec *nic)
{
	const char *device = card_device_name(nic);

	return device && strncmp(device, "usb-", 4) == 0;
}

static enum qemu_bus bus_of(const struct service *s)
{
	const struct qemu_line *line = &s->options.guest->line;

	return qemu_machine_bus(line->target, line->machine);
}

static bool needs_root_port(const struct service *s, const struct nic_spec *nic)
{
	return bus_of(s) == QEMU_BUS_PCIE && !nic->options.bus[0] && !is_usb(nic);
}

static const char *bus_for(const struct service *s, unsigned i, unsigned n)
{
	const struct nic_spec *nic = &s->spec[i].nic[n];

	if (is_usb(nic))
		return NULL;
	if (nic->options.bus[0])
		return nic->options.bus;
	return bus_of(s) == QEMU_BUS_PCIE ? s->changes.port[i].bus[n] : "pci.0";
}

static const char *addr_for(const struct service *s, const struct nic_spec *nic)
{
	if (is_usb(nic))
		return NULL;
	return needs_root_port(s, nic) ? "0x0" : nic->options.addr;
}

/* What QEMU is given of the host for it. */
static void take_fds(struct service *s, unsigned i, unsigned n)
{
	const struct opened_backend *b = &s->port[i].backend[n];
	struct qemu_card_fds *fds = &change_of(s, i)->fds[n];

	*fds = (struct qemu_card_fds){ .taps = b->nfds, .vhosts = b->vhosts };
	str_copy(fds->nic, sizeof(fds->nic), s->spec[i].nic[n].id);
	memcpy(fds->tap, b->fds, sizeof(fds->tap));
	memcpy(fds->vhost, b->vhost, sizeof(fds->vhost));
}

static int put_in(struct service *s, unsigned i, unsigned n, struct error *err)
{
	struct port_change *c = change_of(s, i);
	const struct guest *guest = s->options.guest;
	const struct port_spec *port = &s->spec[i];
	const struct nic_spec *nic = &port->nic[n];
	struct plug_card card = { .port = port,
				  .nic = nic,
				  .bus = bus_for(s, i, n),
				  .addr = addr_for(s, nic),
				  .link_down = nic->netdev != NETDEV_VHOST_USER &&
					       !s->control.port[i].wanted[n] };

	take_fds(s, i, n);
	card.way = (struct card_way){ .program = guest->has_program ? &guest->program : NULL,
				      .fds = &c->fds[n],
				      .fdset = (PORTS_MAX + i) * PORT_NICS + n };
	card.way.no_msix =
		qemu_msix_kills(card.way.program, &guest->line, port, nic, c->fds[n].vhosts > 0);
	if (service_nic_socket(s, nic, c->socket[n]))
		card.way.socket = c->socket[n];
	if (nic->netdev == NETDEV_NONE) {
		json_object_put(c->device[n]);
		c->device[n] = card_hosted_json(nic, c->socket[n], card.bus, card.addr);
		card.device = c->device[n];
	}
	return plug_in(&c->card[n], s->monitor, &card, err);
}

/* Links are told of cards that are in QEMU, and are to stay. */
static void note_away(struct service *s, unsigned i)
{
	struct control_port *p = &s->control.port[i];

	for (unsigned n = 0; n < p->spec.nics; n++)
		p->nic[n].away = change_of(s, i)->card[n].state != PLUG_IN;
}

/* All cards are in QEMU. */
static void port_came(struct service *s, unsigned i)
{
	struct control_port *p = &s->control.port[i];

	for (unsigned n = 0; n < PORT_NICS; n++)
		opened_backend_close_fds(&s->port[i].backend[n]);
	set_stage(s, i, PORT_STAGE_THERE);
	note_away(s, i);
	control_port_tell_qemu(p);
	control_port_event(p, EVENT_PORT_ADDED);
	card_watch_port_came(&s->cards, &s->spec[i]);
	control_host_look(&s->control, &s->host);
	answer(s, i);
}

/* --- taking back ------------------------------------------------------------------------------------------------- */

static bool all_in(const struct service *s, unsigned i, enum plug_state state)
{
	for (unsigned n = 0; n < s->spec[i].nics; n++)
		if (s->changes.port[i].card[n].state != state)
			return false;
	return true;
}

static bool cards_move(const struct service *s, unsigned i)
{
	for (unsigned n = 0; n < s->spec[i].nics; n++) {
		enum plug_state state = s->changes.port[i].card[n].state;

		if (state == PLUG_GOING_IN || state == PLUG_UNDOING || state == PLUG_GOING_OUT)
			return true;
	}
	return false;
}

/* c->err says why. */
static void take_back(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);

	set_stage(s, i, PORT_STAGE_UNDOING);
	for (unsigned n = 0; n < s->spec[i].nics; n++)
		(void)plug_out(&c->card[n], monotonic_ns() + BACK_NS, NULL);
	advance(s, i);
}

/* A guest that keeps a card which it has seen: the port stays with what is left, and can be taken out later. */
static void stays_by_half(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);
	size_t at = strlen(c->err.text);

	(void)snprintf(
		c->err.text + at, sizeof(c->err.text) - at,
		"; the guest has not let go of a card of it yet; next: `anynic unplug %s %s`",
		s->options.name, s->spec[i].id);
	set_stage(s, i, PORT_STAGE_THERE);
	note_away(s, i);
	control_port_tell_qemu(&s->control.port[i]);
	refuse(s, i);
}

static void undone(struct service *s, unsigned i)
{
	if (cards_move(s, i))
		return;
	if (!all_in(s, i, PLUG_OUT)) {
		stays_by_half(s, i);
		return;
	}
	fail_and_forget(s, i);
}

static void card_failed(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);

	error_set(&c->err, -EIO, "%.300s; what was done for port %s is undone", c->card[c->nic].why,
		  s->spec[i].id);
	take_back(s, i);
}

/* --- what happens next ------------------------------------------------------------------------------------------- */

static void next_card(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);

	if (c->nic == s->spec[i].nics) {
		port_came(s, i);
		return;
	}
	if (put_in(s, i, c->nic, &c->err) < 0)
		take_back(s, i);
	else
		advance(s, i);
}

static void comes(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);

	switch (c->card[c->nic].state) {
	case PLUG_IN:
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

static void port_gone(struct service *s, unsigned i)
{
	uint64_t client = change_of(s, i)->client;

	control_port_event(&s->control.port[i], EVENT_PORT_REMOVED);
	forget_port(s, i);
	if (client)
		commands_order_done(&s->commands, client, json_object_new_object());
}

static void guest_kept(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);
	const struct plug *kept = &c->card[0];
	bool some = false;

	for (unsigned n = 0; n < s->spec[i].nics; n++)
		if (c->card[n].state == PLUG_OUT)
			some = true;
		else
			kept = &c->card[n];
	error_set(&c->err, kept->rc ? kept->rc : -EIO, "%.240s%s; %s%s", kept->why,
		  s->control.running ? "" : ", since it is stopped",
		  some ? "its other card is out" : "nothing is changed",
		  kept->rc == -ETIMEDOUT ? ", and the port goes when the guest does let go" : "");
	set_stage(s, i, PORT_STAGE_THERE);
	control_port_tell_qemu(&s->control.port[i]);
	refuse(s, i);
}

static void goes(struct service *s, unsigned i)
{
	note_away(s, i);
	if (cards_move(s, i))
		return;
	if (all_in(s, i, PLUG_OUT))
		port_gone(s, i);
	else if (change_of(s, i)->stage == PORT_STAGE_GOING)
		guest_kept(s, i);
}

static void set_timer(struct service *s)
{
	uint64_t next = PLUG_NEVER;

	for (unsigned i = 0; i < PORTS_MAX; i++)
		for (unsigned n = 0; n < s->spec[i].nics; n++)
			next = MIN(next, plug_deadline(&s->changes.port[i].card[n]));
	if (next == PLUG_NEVER)
		loop_timer_cancel(&s->loop, &s->changes.timer);
	else
		loop_timer_set(&s->loop, &s->changes.timer, next);
}

/* Something about a card of the port changed. */
static void advance(struct service *s, unsigned i)
{
	s->control.port[i].going = !port_change_is_coming(change_of(s, i)) && cards_move(s, i);
	switch (change_of(s, i)->stage) {
	case PORT_STAGE_COMING:
		comes(s, i);
		break;
	case PORT_STAGE_UNDOING:
		undone(s, i);
		break;
	case PORT_STAGE_THERE: /* the guest let go of it by itself, or late */
	case PORT_STAGE_GOING:
		goes(s, i);
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
		needed += needs_root_port(s, &s->spec[i].nic[n]);
	return needed;
}

static void begin_cards(struct service *s, unsigned i)
{
	unsigned used = 0;

	for (unsigned n = 0; n < s->spec[i].nics; n++)
		if (needs_root_port(s, &s->spec[i].nic[n]))
			str_copy(change_of(s, i)->bus[n], ROOT_PORT_NAME,
				 s->changes.roots.found[used++]);
	set_stage(s, i, PORT_STAGE_COMING);
	next_card(s, i);
}

static void searched(struct service *s, unsigned i)
{
	const struct root_search *r = &s->changes.roots;
	struct port_change *c = change_of(s, i);

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

static void search(struct service *s, unsigned i)
{
	struct port_changes *all = &s->changes;
	unsigned needed = root_ports_needed(s, i);

	if (!needed) {
		begin_cards(s, i);
		return;
	}
	set_stage(s, i, PORT_STAGE_SEARCHING);
	root_search_begin(&all->roots, s->monitor, needed,
			  (const char(*)[ROOT_PORT_NAME])all->hidden, all->hiddens);
	searched(s, i);
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
	struct port_change *c = change_of(s, (unsigned)i);
	*c = (struct port_change){ .client = o->client };
	str_copy(c->network, sizeof(c->network), guest_network_of(&more, more.port[0].id));
	str_copy(c->note, sizeof(c->note), more.place_why[0]);
	find_signals(s, &more.port[0]);
	int rc = open_port(s, (unsigned)i, &more.port[0], &c->err);
	service_read_datapath(s);
	if (rc < 0) {
		c->err.code = rc;
		fail_and_forget(s, (unsigned)i);
		return;
	}
	search(s, (unsigned)i);
}

/* --- a port that shall go ------------------------------------------------------------------------------------------ */

/* It came with QEMU's line. */
static void adopt(struct service *s, unsigned i)
{
	struct port_change *c = change_of(s, i);

	for (unsigned n = 0; n < s->spec[i].nics; n++) {
		const struct plug_card card = { .port = &s->spec[i], .nic = &s->spec[i].nic[n] };

		plug_adopt(&c->card[n], s->monitor, &card);
	}
	str_copy(c->network, sizeof(c->network), guest_network_of(s->options.guest, s->spec[i].id));
	c->stage = PORT_STAGE_THERE;
}

static void begin_removal(struct service *s, unsigned i, const struct port_order *o)
{
	struct port_change *c = change_of(s, i);
	uint64_t deadline = monotonic_ns() + o->seconds * NS_PER_S;
	int rc = 0;

	if (c->stage == PORT_STAGE_NONE)
		adopt(s, i);
	c->client = o->client;
	c->err = (struct error){ 0 };
	for (unsigned n = 0; rc == 0 && n < s->spec[i].nics; n++)
		if (c->card[n].state != PLUG_OUT)
			rc = plug_out(&c->card[n], deadline, &c->err);
	if (rc < 0) { /* it is stuck */
		c->err.code = -EIO;
		refuse(s, i);
		return;
	}
	set_stage(s, i, PORT_STAGE_GOING);
	advance(s, i);
}

static void take_out(struct service *s, const struct port_order *o)
{
	struct error err = { 0 };
	int i = port_order_remove(s, o, &err);

	if (i >= 0)
		begin_removal(s, (unsigned)i, o);
	else
		commands_order_failed(&s->commands, o->client, &err);
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

void port_changes_started(struct service *s, const struct qemu_arguments *arguments)
{
	struct port_changes *c = &s->changes;

	c->shares_memory = arguments->shares_memory;
	for (size_t i = 0; i < json_object_array_length(arguments->devices); i++) {
		json_object *device = json_object_array_get_idx(arguments->devices, i), *bus;

		if (json_object_object_get_ex(device, "failover_pair_id", NULL) &&
		    json_object_object_get_ex(device, "bus", &bus) && c->hiddens < PORTS_MAX)
			str_copy(c->hidden[c->hiddens++], ROOT_PORT_NAME,
				 json_object_get_string(bus));
	}
}

void port_changes_serve(struct service *s)
{
	struct port_order order;

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
		struct port_change *c = change_of(s, i);

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
		struct port_change *c = change_of(s, i);

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
		struct port_change *c = change_of(s, i);

		for (unsigned n = 0; c->stage != PORT_STAGE_NONE && n < s->spec[i].nics; n++)
			plug_timer(&c->card[n], monotonic_ns());
		advance(s, i);
	}
}

/* What is in QEMU cannot be told any more, and QEMU is about to end. */
void port_changes_lost(struct service *s)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port_change *c = change_of(s, i);
		bool moves = under_way(c);

		if (c->stage == PORT_STAGE_NONE)
			continue;
		for (unsigned n = 0; n < s->spec[i].nics; n++)
			plug_monitor_gone(&c->card[n]);
		if (!moves)
			continue;
		error_set(&c->err, -EPIPE, "QEMU closed its monitor");
		set_stage(s, i, PORT_STAGE_THERE);
		refuse(s, i);
	}
	set_timer(s);
}
