#include "host/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/libvirt_network.h"
#include "host/netlink.h"
#include "host/ovs.h"

static void because(struct backend_spec *spec, const char *fmt, ...) PRINTF(2, 3);

static void because(struct backend_spec *spec, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(spec->chosen, sizeof(spec->chosen), fmt, args);
	va_end(args);
}

static void set_type(struct backend_spec *spec, const char *type)
{
	str_copy(spec->type, sizeof(spec->type), type);
}

static int choose_bridge(struct backend_spec *spec, const char *bridge)
{
	set_type(spec, "bridge");
	str_copy(spec->br, sizeof(spec->br), bridge);
	spec->dev[0] = '\0';
	return 0;
}

static int choose_tap(struct backend_spec *spec, const char *ifname, struct error *err)
{
	if (spec->ifname[0] && strcmp(spec->ifname, ifname) != 0)
		return error_set(err, -EINVAL,
				 "dev=%s is a tap and ifname=%s another name; next: leave ifname= "
				 "out",
				 ifname, spec->ifname);
	set_type(spec, "tap");
	str_copy(spec->ifname, sizeof(spec->ifname), ifname);
	spec->dev[0] = '\0';
	return 0;
}

/* Guests on one device shall reach each other, unless somebody chose otherwise. */
static int choose_direct(struct backend_spec *spec, const char *dev)
{
	set_type(spec, "direct");
	str_copy(spec->dev, sizeof(spec->dev), dev);
	if (!spec->mode[0])
		str_copy(spec->mode, sizeof(spec->mode), "bridge");
	return 0;
}

/* --- links --------------------------------------------------------------------------------------------------------- */

/* /sys/class/net/NAME/FILE: a name of a link has no slash. */
static bool sys_path(char *to, size_t size, const char *name, const char *file)
{
	int len = snprintf(to, size, "/sys/class/net/%s/%s", name, file);

	return len > 0 && (size_t)len < size;
}

static bool is_wireless(const char *name)
{
	char path[96];

	return sys_path(path, sizeof(path), name, "phy80211") && access(path, F_OK) == 0;
}

/* How many virtual functions the device could have. */
static unsigned virtual_functions(const char *name)
{
	char path[96], text[16] = "";

	if (!sys_path(path, sizeof(path), name, "device/sriov_totalvfs"))
		return 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	return n > 0 ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static int refuse_link(const struct link *l, struct error *err)
{
	if (l->type != ARPHRD_ETHER)
		return error_set(err, -EINVAL,
				 "%s is no Ethernet device; next: dev= of a bridge, a tap or a "
				 "network device",
				 l->name);
	if (strcmp(l->kind, "macvtap") == 0)
		return error_set(err, -EINVAL,
				 "%s is a macvtap that somebody made; next: backend=direct,fd=3 "
				 "... 3<>/dev/tap%u, or dev= of the device below it",
				 l->name, l->index);
	return error_set(err, -EINVAL,
			 "%s is wireless and takes frames of its own MAC only; next: backend=user",
			 l->name);
}

/* What belongs to something else cannot be had alone: the whole is what was meant. */
static int choose_master(struct netlink *nl, struct backend_spec *spec, const struct link *l,
			 struct error *err)
{
	struct link master;
	int rc = netlink_get(nl, l->master, &master);

	if (rc < 0)
		return error_set(err, rc, "%s: the kernel says %s", l->name, strerror(-rc));
	if (strcmp(l->port_kind, "openvswitch") == 0)
		return error_set(err, -EINVAL,
				 "%s is a port of an Open vSwitch bridge; next: name the bridge "
				 "(`ovs-vsctl iface-to-br %s`)",
				 l->name, l->name);
	because(spec, "%s is a port of %s %s", l->name, l->port_kind, master.name);
	return strcmp(l->port_kind, "bridge") == 0 ? choose_bridge(spec, master.name)
						   : choose_direct(spec, master.name);
}

static int choose_device(struct backend_spec *spec, const struct link *l)
{
	unsigned vfs = virtual_functions(l->name);

	if (vfs)
		because(spec,
			"%s is an SR-IOV device (%u virtual functions); this version has no pools "
			"of them, so a macvtap is made on it",
			l->name, vfs);
	else
		because(spec, "%s is a network device%s%s%s", l->name,
			l->kind[0] ? " of kind " : "", l->kind, ": a macvtap is made on it");
	return choose_direct(spec, l->name);
}

static int choose_link(struct netlink *nl, struct backend_spec *spec, const struct link *l,
		       struct error *err)
{
	if (strcmp(l->kind, "bridge") == 0) {
		because(spec, "%s is a Linux bridge", l->name);
		return choose_bridge(spec, l->name);
	}
	if (strcmp(l->kind, "openvswitch") == 0 || ovs_has_bridge(l->name, NULL) == 1) {
		because(spec, "%s is an Open vSwitch bridge", l->name);
		return choose_bridge(spec, l->name);
	}
	if (strcmp(l->kind, "tun") == 0 && l->tun_type != IFF_TUN) {
		because(spec, "%s is a tap", l->name);
		return choose_tap(spec, l->name, err);
	}
	if (l->type != ARPHRD_ETHER || strcmp(l->kind, "macvtap") == 0 || is_wireless(l->name))
		return refuse_link(l, err);
	return l->master ? choose_master(nl, spec, l, err) : choose_device(spec, l);
}

/* --- networks of libvirt ------------------------------------------------------------------------------------------- */

static int no_such_thing(const char *name, int why, struct error *err)
{
	if (why == -EACCES || why == -EPERM)
		return error_set(err, -ENOENT,
				 "%s is no bridge and no network device of this host, and whether "
				 "libvirt has a network of that name only root can read; next: "
				 "dev= with the bridge that `virsh net-info %s` names",
				 name, name);
	return error_set(err, -ENOENT,
			 "%s is no bridge, no network device and no libvirt network of this host; "
			 "next: choose one that `ip link` or `virsh net-list` shows",
			 name);
}

static const char *const macvtap_modes[] = { "vepa", "bridge", "private", "passthrough" };

static int choose_network(struct netlink *nl, struct backend_spec *spec, const char *networks,
			  struct error *err)
{
	char name[sizeof(spec->dev)];
	struct libvirt_network net;
	struct link l;

	str_copy(name, sizeof(name), spec->dev);
	int rc = libvirt_network_read(networks, name, &net, err);
	if (rc == -EBADMSG || rc == -EFBIG)
		return rc;
	if (rc < 0)
		return no_such_thing(name, rc, err);
	const char *on = net.bridge[0] ? net.bridge : net.dev;
	if (!on[0] || (!net.bridge[0] &&
		       name_find(macvtap_modes, ARRAY_SIZE(macvtap_modes), net.forward) < 0))
		return error_set(err, -ENOTSUP,
				 "libvirt's network %s (forward mode '%s') has no bridge and no "
				 "device for a macvtap; next: name a bridge or a device with dev=",
				 name, net.forward);
	if (netlink_find(nl, on, &l) < 0)
		return error_set(err, -ENOENT,
				 "libvirt's network %s is not there: it has no %s; next: virsh "
				 "net-start %s",
				 name, on, name);
	because(spec, "libvirt's network %s has %s %s", name,
		net.bridge[0] ? "the bridge" : "the device", on);
	if (net.bridge[0])
		return choose_bridge(spec, on);
	if (!spec->mode[0])
		str_copy(spec->mode, sizeof(spec->mode), net.forward);
	return choose_direct(spec, on);
}

int host_probe(struct backend_spec *spec, const char *networks, struct error *err)
{
	struct netlink nl;
	struct link l;

	if (strcmp(spec->type, "auto") != 0)
		return 0;
	if (!spec->dev[0])
		return error_set(err, -EINVAL,
				 "backend=auto needs dev=: a bridge, a network device, a tap or a "
				 "libvirt network");
	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = netlink_find(&nl, spec->dev, &l);
	if (rc == 0)
		rc = choose_link(&nl, spec, &l, err);
	else if (rc == -ENODEV)
		rc = choose_network(&nl, spec, networks ? networks : LIBVIRT_NETWORKS, err);
	else
		error_set(err, rc, "%s: the kernel says %s", spec->dev, strerror(-rc));
	netlink_close(&nl);
	return rc;
}
