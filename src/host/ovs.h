/* ovs.h - puts a tap on an Open vSwitch bridge and takes it away again, with the external_ids that OVN binds a port by:
 * iface-id, attached-mac, vm-id, iface-status=active. One more, anynic-port, tells us our own ports.
 *
 * Each call opens the database's socket ($OVS_RUNDIR/db.sock, /var/run/openvswitch without it), waits a few seconds at most, and
 * closes it. No Open vSwitch here: -ENOTSUP. Not allowed to talk to it: -EACCES. It does not answer: -ETIMEDOUT.
 */
#ifndef ANYNIC_HOST_OVS_H
#define ANYNIC_HOST_OVS_H

#include "base/error.h"
#include "base/mac.h"
#include "config/spec.h"

#define OVS_UUID 37 /* 8-4-4-4-12 and a NUL */

struct ovs_port {
	const char *bridge;
	const char *ifname; /* exists: a tap that we made */
	const uint8_t *mac; /* of the guest's NICs */
	const char *guest;
	const char *port_id;
	const char *iface_id;		  /* empty or NULL = made of guest and port_id */
	const struct bridge_rules *rules; /* NULL = none */
	const struct port_limits *limits; /* NULL = none */
};

/* 1 when the database has a bridge of this name, 0 when it has none, or negative errno. */
int ovs_has_bridge(const char *name, struct error *err);

/* Adds the port in one transaction and waits until the switch has taken the interface. A leftover of the same guest and port is
 * replaced; any other port of that name stays, and the call fails with -EEXIST. No bridge: -ENOENT. What was added is removed
 * again when the switch refuses the interface. */
int ovs_port_add(const struct ovs_port *port, struct error *err);

/* Removes the port `ifname` of any bridge if it is ours: its anynic-port is that of guest and port_id. 0 also when there is none. */
int ovs_port_remove(const char *ifname, const char *guest, const char *port_id, struct error *err);

/* 1 when OVN's controller of this host binds ports of this bridge, 0 when not: external_ids of the database's one row name the
 * controller's database (ovn-remote) and the bridge (ovn-bridge, br-int without it). */
int ovs_bridge_is_ovn(const char *name, struct error *err);

/* Waits up to `ms` until that controller says that the flows of the port are in place: ovn-installed in its interface's row. 1 = they are,
 * 0 = not yet, -ENODEV = the port is not there any more. */
int ovs_port_wait_installed(const struct ovs_port *port, int ms, struct error *err);

/* The same on a conversation that is open; `err` is not NULL. */
struct ovsdb;
int ovs_talk_has_bridge(struct ovsdb *db, const char *name, struct error *err);
int ovs_talk_add(struct ovsdb *db, const struct ovs_port *port, struct error *err);
int ovs_talk_remove(struct ovsdb *db, const char *ifname, const char *guest, const char *port_id,
		    struct error *err);
int ovs_talk_is_ovn(struct ovsdb *db, const char *bridge, struct error *err);
int ovs_talk_wait_installed(struct ovsdb *db, const struct ovs_port *port, int ms,
			    struct error *err);

/* Stable: a hash of the names, the same on every host. `port_id` NULL: of the guest itself (vm-id), else of the port (anynic-port, and iface-id unless it is given). */
const char *ovs_uuid(char uuid[OVS_UUID], const char *guest, const char *port_id);

#endif
