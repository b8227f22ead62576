/* bridge_rules.h - what a Linux bridge does with one of its ports: VLANs and isolation. Open vSwitch has its own words for both: ovs.c. */
#ifndef ANYNIC_HOST_BRIDGE_RULES_H
#define ANYNIC_HOST_BRIDGE_RULES_H

#include "config/spec.h"
#include "host/netlink.h"

bool bridge_has_rules(const struct bridge_rules *rules);

/* Whether this bridge can carry them out, as far as it can be seen. */
int bridge_rules_look(const struct link *bridge, const struct bridge_rules *rules,
		      struct error *err);

/* Of the port `index`, which is in `bridge` already, and down, so that no frame passes before. */
int bridge_rules_set(struct netlink *nl, unsigned index, const struct link *bridge,
		     const struct bridge_rules *rules, struct error *err);

#endif
