#include "cli/port_leave.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/guest.h"
#include "cli/port_order.h"
#include "cli/port_stage.h"
#include "cli/service.h"

/* --- its end --------------------------------------------------------------------------------------------------------- */

static void port_gone(struct service *s, unsigned i)
{
	uint64_t client = port_stage_of(s, i)->client;

	control_port_event(&s->control.port[i], EVENT_PORT_REMOVED);
	port_stage_forget(s, i);
	if (client)
		commands_order_done(&s->commands, client, json_object_new_object());
}

/* Of a team the persistent card may be one that was not asked for yet. */
static const struct plug *kept_card(const struct service *s, unsigned i, bool *some)
{
	const struct port_change *c = &s->changes.port[i];
	const struct plug *kept = &c->card[0];

	*some = false;
	for (unsigned n = 0; n < s->spec[i].nics; n++)
		if (nic_is_plugged_later(&s->spec[i].nic[n]))
			continue; /* it comes back */
		else if (c->card[n].state == PLUG_OUT)
			*some = true;
		else
			kept = &c->card[n];
	return port_stage_is_team(s, i) ? &c->card[port_stage_card_of(s, i, c->leg)] : kept;
}

static void tell_kept(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);
	bool some, team = port_stage_is_team(s, i);
	const struct plug *kept = kept_card(s, i, &some);
	int rc = kept->rc ? kept->rc : -EIO;
	const char *why = kept->why;
	char late[160];

	if (port_stage_leg_is_functions(s, i, c->leg)) {
		(void)snprintf(late, sizeof(late), "%s: device_del: %s in time",
			       s->spec[i].nic[port_stage_card_of(s, i, c->leg)].id,
			       plug_waits_for_qemu(&s->port[i].transient.plug)
				       ? "QEMU did not answer"
				       : "the guest did not give the card up");
		why = late;
		rc = -ETIMEDOUT;
	}
	error_set(&c->err, rc, "%.240s%s; %s%s", why,
		  s->control.running ? "" : ", since it is stopped",
		  some ? "its other card is out" : "nothing is changed",
		  rc == -ETIMEDOUT && !team ? ", and the port goes when the guest does let go"
					    : "");
}

void port_leave_not(struct service *s, unsigned i)
{
	tell_kept(s, i);
	port_stage_set(s, i, PORT_STAGE_THERE);
	if (port_stage_is_team(s, i))
		transient_leave(s, i, false);
	control_port_tell_qemu(&s->control.port[i]);
	port_stage_refuse(s, i);
}

/* --- a team ---------------------------------------------------------------------------------------------------------- */

/* Out, or on its way: the guest let it go by itself. */
static bool goes_already(const struct plug *card)
{
	return card->state == PLUG_OUT || card->state == PLUG_GOING_OUT;
}

/* What this leg is about; -EINVAL: it is stuck. */
static int begin_leg(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);
	unsigned n = port_stage_card_of(s, i, c->leg);
	const struct plug_card card = { .port = &s->spec[i], .nic = &s->spec[i].nic[n] };

	if (port_stage_leg_is_functions(s, i, c->leg)) {
		transient_leave(s, i, true);
		return 0;
	}
	if (c->leg == LEG_AGAIN)
		plug_adopt(&c->card[n], s->monitor, &card);
	return goes_already(&c->card[n]) ? 0 : plug_out(&c->card[n], c->deadline_ns, &c->err);
}

/* Card after card, until one does not go, or all are out. */
static void team_goes(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);

	while (!port_stage_cards_move(s, i) && !port_stage_function_goes(s, i)) {
		if (c->card[port_stage_card_of(s, i, c->leg)].state != PLUG_OUT) {
			port_leave_not(s, i);
			return;
		}
		if (c->leg == LEG_AGAIN) {
			port_gone(s, i);
			return;
		}
		c->leg++;
		if (begin_leg(s, i) < 0) {
			port_leave_not(s, i);
			return;
		}
	}
}

static void begin_team(struct service *s, unsigned i, unsigned seconds)
{
	struct port_change *c = port_stage_of(s, i);

	c->leg = LEG_TRANSIENT;
	c->deadline_ns = monotonic_ns() + seconds * NS_PER_S;
	port_stage_set(s, i, PORT_STAGE_GOING);
	if (begin_leg(s, i) < 0)
		port_leave_not(s, i);
	else
		team_goes(s, i);
}

/* The guest let the persistent card go. */
static bool is_team_no_more(struct service *s, unsigned i)
{
	const struct plug *card = port_stage_of(s, i)->card;
	unsigned transient = port_stage_card_of(s, i, LEG_TRANSIENT);

	return card[port_stage_card_of(s, i, LEG_PERSISTENT)].state == PLUG_OUT &&
	       (card[transient].state == PLUG_OUT ||
		!port_order_kills_qemu(&s->spec[i].nic[transient]));
}

/* --- other ports ----------------------------------------------------------------------------------------------------- */

/* All cards at once. */
static int begin_cards_out(struct service *s, unsigned i, unsigned seconds)
{
	struct port_change *c = port_stage_of(s, i);
	int rc = 0;

	c->deadline_ns = monotonic_ns() + seconds * NS_PER_S;
	for (unsigned n = 0; rc == 0 && n < s->spec[i].nics; n++)
		if (!goes_already(&c->card[n]))
			rc = plug_out(&c->card[n], c->deadline_ns, &c->err);
	if (rc == 0)
		port_stage_set(s, i, PORT_STAGE_GOING);
	return rc;
}

/* --- all of them ----------------------------------------------------------------------------------------------------- */

void port_leave_go_on(struct service *s, unsigned i)
{
	port_stage_note_away(s, i);
	if (port_stage_is_team(s, i) && port_stage_of(s, i)->stage == PORT_STAGE_GOING) {
		team_goes(s, i);
		return;
	}
	if (port_stage_cards_move(s, i))
		return;
	if (port_stage_is_team(s, i)) {
		if (is_team_no_more(s, i))
			begin_team(s, i, UNPLUG_SECONDS);
	} else if (port_stage_all_in(s, i, PLUG_OUT)) {
		port_gone(s, i);
	} else if (port_stage_of(s, i)->stage == PORT_STAGE_GOING) {
		port_leave_not(s, i);
	}
}

/* It came with QEMU's line. */
static void adopt(struct service *s, unsigned i)
{
	struct port_change *c = port_stage_of(s, i);

	for (unsigned n = 0; n < s->spec[i].nics; n++) {
		const struct plug_card card = { .port = &s->spec[i], .nic = &s->spec[i].nic[n] };

		if (!nic_is_plugged_later(card.nic))
			plug_adopt(&c->card[n], s->monitor, &card);
	}
	str_copy(c->network, sizeof(c->network), guest_network_of(s->options.guest, s->spec[i].id));
	c->stage = PORT_STAGE_THERE;
}

bool port_leave_begin(struct service *s, unsigned i, const struct port_order *o)
{
	struct port_change *c = port_stage_of(s, i);

	if (c->stage == PORT_STAGE_NONE)
		adopt(s, i);
	c->client = o->client;
	c->err = (struct error){ 0 };
	if (port_stage_is_team(s, i)) {
		begin_team(s, i, o->seconds);
	} else if (begin_cards_out(s, i, o->seconds) < 0) { /* it is stuck */
		c->err.code = -EIO;
		port_stage_refuse(s, i);
		return false;
	}
	return true;
}
