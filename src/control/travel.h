/* travel.h - what a migration does not take along, and what a guest brings that does not fit the ports that wait for it. */
#ifndef ANYNIC_CONTROL_TRAVEL_H
#define ANYNIC_CONTROL_TRAVEL_H

#include "control/control.h"

/* [{"port", "what", "command"}...] of links that were set by hand and holds that run: the policy of the destination begins anew. For the
 * caller to put. */
json_object *travel_left_behind(const struct control *c);

/* `found` is QEMU's answer to query-rx-filter: says which cards came with another MAC than their port's. Returns how many. */
unsigned travel_check_macs(const struct control *c, json_object *found);

#endif
