/* team_check.h - what makes two cards a team: a persistent virtio card, and a transient one that the guest puts in front of it.
 *
 * QEMU looks at little of this itself: a wrong pair shows the guest two cards with one MAC, another MAC is no pair at all, and both
 * without a word (facts that libvirt's users know). So it is refused here, before QEMU sees it.
 */
#ifndef ANYNIC_CONFIG_TEAM_CHECK_H
#define ANYNIC_CONFIG_TEAM_CHECK_H

#include "config/known.h"
#include "config/spec.h"

/* Of a port with policy team, before its cards are looked at one by one. 0 or a negative errno. */
int team_check(const struct port_spec *port, const struct known *known, struct error *err);

#endif
