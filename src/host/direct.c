/* The macvtap carries the port's MAC, and its device node gives a descriptor for each queue. In passthrough mode the device itself
 * takes that MAC. It is ours from the moment that the macvtap is there, since the kernel lets no other one beside it: so what it was
 * like is noted after that, and it is given back before the macvtap goes. */
#include "host/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/bandwidth.h"
#include "host/netlink.h"
#include "host/tap.h"

#define NODE_DEADLINE_NS (5 * NS_PER_S)	   /* a busy udev makes us wait */
#define NODE_OWN_NS	 (500 * NS_PER_MS) /* after this we make a node ourselves */
#define NODE_RETRY_US	 5000
#define NAMES_MAX	 1000 /* macvtaps of ours on one host */

static const struct {
	const char *name;
	unsigned mode;
	const char *remark;
} modes[] = {
	{ "vepa", MACVLAN_MODE_VEPA,
	  "the host cannot reach the guest through it, and guests on it reach each other only "
	  "through "
	  "a switch that reflects (VEPA)" },
	{ "bridge", MACVLAN_MODE_BRIDGE, "the host cannot reach the guest through it" },
	{ "private", MACVLAN_MODE_PRIVATE,
	  "neither the host nor other guests on it can reach the guest through it" },
	{ "passthrough", MACVLAN_MODE_PASSTHRU, "the guest has the device for itself" },
};

static int find_mode(const char *name, struct error *err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		if (strcmp(name[0] ? name : "vepa", modes[i].name) == 0)
			return (int)i;
	return error_set(err, -EINVAL,
			 "mode=%s is not legal; mode= of backend=direct takes vepa, bridge, "
			 "private, passthrough",
			 name);
}

const char *host_direct_remark(const char *mode)
{
	struct error err;
	int at = find_mode(mode, &err);

	return at < 0 ? "" : modes[at].remark;
}

/* --- is the device free? ----------------------------------------------------------------------------------------- */

static bool is_on_device(const struct link *l, const void *context)
{
	const struct link *device = context;

	return l->parent == device->index && strncmp(l->kind, "macv", 4) == 0;
}

/* One that has it whole tolerates no other, and none can have it whole beside others. */
static int check_alone(struct netlink *nl, const struct link *device, unsigned mode,
		       struct error *err)
{
	struct link other;
	int n = netlink_list(nl, is_on_device, device, &other, 1);

	if (n <= 0)
		return n;
	if (other.mode == MACVLAN_MODE_PASSTHRU)
		return error_set(err, -EBUSY,
				 "%s is taken whole by %s %s (mode passthrough)%s%s; next: another "
				 "dev=, or end that one",
				 device->name, other.kind, other.name,
				 other.alias[0] ? ", of " : "", other.alias);
	if (mode != MACVLAN_MODE_PASSTHRU)
		return 0;
	return error_set(err, -EBUSY,
			 "%s cannot be passed through: %s %s%s%s uses it%s; next: another dev=, or "
			 "mode=bridge, which shares it",
			 device->name, other.kind, other.name, other.alias[0] ? ", of " : "",
			 other.alias, n > 1 ? ", among others" : "");
}

static int check_master(struct netlink *nl, const struct link *device, struct error *err)
{
	struct link master;

	if (!device->master || netlink_get(nl, device->master, &master) < 0)
		return 0;
	bool bridge = strcmp(device->port_kind, "bridge") == 0;
	return error_set(err, -EBUSY, "%s belongs to %s %s and cannot carry a macvtap; next: %s%s",
			 device->name, device->port_kind, master.name,
			 bridge ? "backend=bridge,br=" : "backend=direct,dev=", master.name);
}

static int find_device(struct netlink *nl, const char *name, unsigned mode, struct link *device,
		       struct error *err)
{
	int rc = netlink_find(nl, name, device);

	if (rc == -ENODEV)
		return error_set(err, -ENOENT,
				 "there is no network device %.60s on this host; next: `ip link` "
				 "lists them, name one with dev=",
				 name);
	if (rc < 0)
		return error_set(err, rc, "%s: the kernel says %s", name, strerror(-rc));
	if (device->type != ARPHRD_ETHER)
		return error_set(err, -EINVAL,
				 "%s is no Ethernet device and cannot carry a macvtap; next: "
				 "another dev=",
				 name);
	rc = check_master(nl, device, err);
	return rc == 0 ? check_alone(nl, device, mode, err) : rc;
}

static int name_is_taken(const char *ifname, struct error *err)
{
	return error_set(err, -EEXIST,
			 "ifname=%s: there is such an interface already; next: leave ifname= out, "
			 "or choose another",
			 ifname);
}

/* --- the link ---------------------------------------------------------------------------------------------------- */

static int make_error(struct netlink *nl, const struct link *device, unsigned mode, int code,
		      struct error *err)
{
	char said[sizeof(nl->said)];

	str_copy(said, sizeof(said), nl->said);
	switch (code) {
	case -EINVAL: /* somebody was faster: so the kernel says it */
		if (check_alone(nl, device, mode, err) == -EBUSY)
			return -EBUSY;
		break;
	case -EPERM:
	case -EACCES:
		return error_set(err, code,
				 "a macvtap on %s needs root (CAP_NET_ADMIN); next: run anynic as "
				 "root, hand over an open /dev/tapN with fd=, or use backend=user",
				 device->name);
	case -EOPNOTSUPP:
		return error_set(err, code,
				 "this kernel has no macvtap; next: modprobe macvtap, or use "
				 "backend=bridge");
	default:
		break;
	}
	return error_set(err, code, "no macvtap can be made on %s: %s%s%s", device->name,
			 strerror(-code), said[0] ? ": " : "", said);
}

/* The kernel has no name for us to ask for before it is made, but the journal wants to know it: so we count ourselves. */
static int make_named(struct netlink *nl, const char *name, const struct backend_request *r,
		      const struct link *device, unsigned mode, struct opened_backend *out,
		      struct error *err)
{
	bool whole = mode == MACVLAN_MODE_PASSTHRU;
	struct undo_step step = { .kind = UNDO_LINK, .below = device->index };

	str_copy(step.name, sizeof(step.name), name);
	memcpy(step.mac, whole ? device->mac : r->mac, MAC_LEN);
	host_link_alias(step.text, LINK_ALIAS, r->guest, r->port);
	int rc = opened_backend_note(out, &step, err);
	if (rc < 0)
		return rc;
	rc = netlink_make_macvtap(nl, name, device->index, mode, whole ? NULL : r->mac);
	if (rc < 0) {
		opened_backend_forget(out);
		return rc == -EEXIST ? rc : make_error(nl, device, mode, rc, err);
	}
	str_copy(out->ifname, sizeof(out->ifname), name);
	out->made = true;
	return 0;
}

static int make_link(struct netlink *nl, const struct backend_request *r, const struct link *device,
		     unsigned mode, struct opened_backend *out, struct error *err)
{
	char name[IFNAMSIZ];
	struct link l;
	int rc = -EEXIST;

	if (r->spec->ifname[0]) {
		rc = make_named(nl, r->spec->ifname, r, device, mode, out, err);
		return rc == -EEXIST ? name_is_taken(r->spec->ifname, err) : rc;
	}
	for (unsigned i = 0; rc == -EEXIST && i < NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "anynic%u", i);
		if (netlink_find(nl, name, &l) == -ENODEV)
			rc = make_named(nl, name, r, device, mode, out, err);
	}
	return rc == -EEXIST ? error_set(err, rc, "no name is left for a macvtap") : rc;
}

static int up_error(const struct netlink *nl, const struct backend_request *r,
		    const struct link *device, int code, struct error *err)
{
	char mac[MAC_TEXT];

	if (code == -EADDRINUSE || code == -EBUSY)
		return error_set(err, code,
				 "the MAC %s is in use on %s already; next: another mac=",
				 mac_format(r->mac, mac), device->name);
	return error_set(err, code, "the macvtap on %s cannot be set up: %s%s%s", device->name,
			 strerror(-code), nl->said[0] ? ": " : "", nl->said);
}

/* Multicast, too, is the guest's to filter: a macvtap alone would pass what the host asked for. */
static int set_up(struct netlink *nl, const struct backend_request *r, const struct link *device,
		  unsigned mode, struct opened_backend *out, struct link *l, struct error *err)
{
	char alias[LINK_ALIAS];

	host_link_alias(alias, sizeof(alias), r->guest, r->port);
	struct link_change first = { .alias = alias, .quiet = true, .all_multicast = true };
	struct link_change then = { .up = true };
	int rc = netlink_find(nl, out->ifname, l);
	if (rc == 0)
		rc = netlink_change(nl, l->index, &first);
	if (rc == 0 && mode == MACVLAN_MODE_PASSTHRU) {
		struct link_change take = { .mac = r->mac };
		rc = netlink_change(nl, l->index, &take);
		if (rc == 0)
			rc = netlink_change(nl, device->index, &then);
	}
	if (rc < 0)
		return up_error(nl, r, device, rc, err);
	rc = bandwidth_set(nl, l->index, &r->spec->limits, BANDWIDTH_OF_MACVTAP, err);
	if (rc < 0)
		return rc;
	rc = netlink_change(nl, l->index, &then);
	if (rc == 0)
		rc = netlink_get(nl, l->index, l);
	if (rc < 0)
		return up_error(nl, r, device, rc, err);
	out->ifindex = l->index;
	out->below = device->index;
	out->mtu = (uint16_t)MIN(l->mtu, (uint32_t)UINT16_MAX);
	return 0;
}

/* Before the device is changed: what it was like. Who had it before may have given it back only now. */
static int note_device(struct netlink *nl, const struct backend_request *r, struct link *device,
		       struct opened_backend *out, struct error *err)
{
	int rc = netlink_get(nl, device->index, device);

	if (rc < 0)
		return error_set(err, rc, "%s is gone: %s", device->name, strerror(-rc));
	struct undo_step step = { .kind = UNDO_DEVICE,
				  .below = device->index,
				  .was_down = !device->up };

	str_copy(step.name, sizeof(step.name), device->name);
	memcpy(step.mac, r->mac, MAC_LEN);
	memcpy(step.old_mac, device->mac, MAC_LEN);
	host_link_alias(step.text, LINK_ALIAS, r->guest, r->port);
	return opened_backend_note(out, &step, err);
}

/* --- its device node --------------------------------------------------------------------------------------------- */

/* The numbers of the node, from sysfs. False while the kernel has not made it, or when sysfs shows another namespace. */
static bool read_numbers(const struct link *l, dev_t *numbers)
{
	char path[96], text[32];
	unsigned major, minor;

	snprintf(path, sizeof(path), "/sys/class/net/%s/tap%u/dev", l->name, l->index);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%u:%u", &major, &minor) != 2)
		return false;
	*numbers = makedev(major, minor);
	return true;
}

/* /dev is everybody's: a node of that number may be of another namespace's link, or a leftover. The descriptor itself tells. */
static bool is_queue_of(int fd, const struct link *l)
{
	struct ifreq ifr = { 0 };

	if (ioctl(fd, TUNGETIFF, &ifr) < 0 || strcmp(ifr.ifr_name, l->name) != 0)
		return false;
	return ioctl(fd, SIOCGIFHWADDR, &ifr) == 0 &&
	       memcmp(ifr.ifr_hwaddr.sa_data, l->mac, MAC_LEN) == 0;
}

static int open_path(const char *path, const struct link *l, const dev_t *numbers)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || (numbers && st.st_rdev != *numbers))
		return -ENODEV;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (is_queue_of(fd, l))
		return fd;
	close(fd);
	return -ENODEV;
}

/* Where nobody makes nodes: one of our own, for a moment. */
static int open_own(const struct link *l, dev_t numbers)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/.anynic-tap%u-%d", l->index, (int)getpid());
	if (mknod(path, S_IFCHR | 0600, numbers) < 0)
		return -errno;
	int fd = open_path(path, l, &numbers);
	int rc = unlink(path);
	(void)rc;
	return fd;
}

static int open_node(const struct link *l, struct error *err)
{
	uint64_t start = monotonic_ns(), waited;
	char path[32];
	int rc;

	snprintf(path, sizeof(path), "/dev/tap%u", l->index);
	do {
		dev_t numbers;
		bool known = read_numbers(l, &numbers);

		waited = monotonic_ns() - start;
		rc = open_path(path, l, known ? &numbers : NULL);
		/* -ENODEV: another namespace's link has that number, and its node the name: ours will not come */
		if (rc < 0 && known && (rc == -ENODEV || waited > NODE_OWN_NS))
			rc = open_own(l, numbers);
		if (rc >= 0)
			return rc;
		usleep(NODE_RETRY_US);
	} while (waited < NODE_DEADLINE_NS);
	return error_set(
		err, rc,
		"%s has no device node that works (%s: %s); next: is udev running, and may "
		"you open it?",
		l->name, path, strerror(-rc));
}

static int open_queues(const struct link *l, unsigned queues, struct opened_backend *out,
		       struct error *err)
{
	while (out->nfds < queues) {
		struct ifreq ifr = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
							  (queues > 1 ? IFF_MULTI_QUEUE : 0)) };
		int fd = open_node(l, err);

		if (fd < 0)
			return fd;
		out->fds[out->nfds++] = fd;
		str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), l->name);
		if (ioctl(fd, TUNSETIFF, &ifr) < 0)
			return error_set(err, -errno, "%s: queue %u cannot be set up: %s", l->name,
					 out->nfds, strerror(errno));
	}
	return 0;
}

/* --- all together ------------------------------------------------------------------------------------------------ */

static int open_with(struct netlink *nl, const struct backend_request *r, unsigned at,
		     struct opened_backend *out, struct error *err)
{
	unsigned mode = modes[at].mode;
	struct link device, l;

	int rc = find_device(nl, r->spec->dev, mode, &device, err);
	if (rc == 0 && !device.up && mode != MACVLAN_MODE_PASSTHRU)
		log_warning("%s is down and passes no frames; next: ip link set %s up", device.name,
			    device.name);
	if (rc == 0)
		rc = make_link(nl, r, &device, mode, out, err);
	if (rc == 0 && mode == MACVLAN_MODE_PASSTHRU)
		rc = note_device(nl, r, &device, out, err);
	if (rc == 0)
		rc = set_up(nl, r, &device, mode, out, &l, err);
	if (rc == 0)
		rc = open_queues(&l, r->queues, out, err);
	if (rc == 0)
		str_copy(out->reason, sizeof(out->reason), modes[at].remark);
	return rc;
}

int host_direct_look(const struct backend_request *request, struct error *err)
{
	const struct backend_spec *spec = request->spec;
	struct netlink nl;
	struct link device, l;

	if (spec->nfds)
		return 0;
	int at = find_mode(spec->mode, err);
	if (at < 0)
		return at;
	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = find_device(&nl, spec->dev, modes[at].mode, &device, err);
	if (rc == 0 && spec->ifname[0] && netlink_find(&nl, spec->ifname, &l) == 0)
		rc = name_is_taken(spec->ifname, err);
	netlink_close(&nl);
	return rc;
}

int host_direct_open(const struct backend_request *request, struct opened_backend *out,
		     struct error *err)
{
	struct netlink nl;

	if (request->spec->nfds) /* somebody opened /dev/tapN for us: a tap like any other */
		return host_tap_open(request, out, err);
	int at = find_mode(request->spec->mode, err);
	if (at < 0)
		return at;
	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = open_with(&nl, request, (unsigned)at, out, err);
	netlink_close(&nl);
	return rc;
}
