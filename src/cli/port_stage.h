/* port_stage.h - a port between in and out: what the way in (port_change.c) and the way out (port_leave.c) both ask and do. Ports are named by
 * their place in s->spec[].
 */
#ifndef ANYNIC_CLI_PORT_STAGE_H
#define ANYNIC_CLI_PORT_STAGE_H

#include "cli/port_change.h"

struct port_change *port_stage_of(struct service *s, unsigned port);
void port_stage_set(struct service *s, unsigned port, enum port_stage stage);
bool port_stage_is_under_way(const struct port_change *c);

bool port_stage_is_team(const struct service *s, unsigned port);

/* The card that this leg takes out. */
unsigned port_stage_card_of(const struct service *s, unsigned port, enum port_leg leg);

/* That card is a function of the host, which transient.h takes out; and whether it does so now. */
bool port_stage_leg_is_functions(const struct service *s, unsigned port, enum port_leg leg);
bool port_stage_function_goes(const struct service *s, unsigned port);

bool port_stage_all_in(const struct service *s, unsigned port, enum plug_state state);
bool port_stage_cards_move(const struct service *s, unsigned port);

/* Links are told of cards that are in QEMU, and are to stay. */
void port_stage_note_away(struct service *s, unsigned port);

/* Who asked hears port_stage_of()->err. */
void port_stage_refuse(struct service *s, unsigned port);

/* QEMU has none of its cards. */
void port_stage_forget(struct service *s, unsigned port);

#endif
