#include "host/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "host/bandwidth.h"
#include "host/bridge.h"
#include "host/netlink.h"
#include "host/rights.h"
#include "host/script.h"

#define TUN_DEVICE "/dev/net/tun"

/* One that XML names (<backend tap=>). */
static int own_node_error(const char *node, int code, struct error *err)
{
	return error_set(err, code == -ENOTTY ? -ENODEV : code,
			 "<backend tap='%s'> makes no taps: %s; next: another path, or leave it "
			 "out for " TUN_DEVICE,
			 node,
			 code == -ENOTTY || code == -ENODEV ? "it is no such device"
							    : strerror(-code));
}

static int open_error(const char *node, int code, struct error *err)
{
	if (node[0])
		return own_node_error(node, code, err);
	switch (code) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return error_set(err, -ENOTSUP,
				 "taps need " TUN_DEVICE ", which this system lacks; "
				 "next: modprobe tun, or use backend=user");
	case -EACCES:
	case -EPERM:
		return error_set(err, code,
				 "taps need " TUN_DEVICE ", which you may not open"
				 "; next: chmod 0666 " TUN_DEVICE
				 ", hand over an open tap with fd=, or use backend=user");
	default:
		return error_set(err, code, TUN_DEVICE ": %s", strerror(-code));
	}
}

static int attach_error(const char *name, bool exists, int code, struct error *err)
{
	switch (code) {
	case -EPERM:
	case -EACCES:
		if (exists)
			return error_set(err, code,
					 "tap %s belongs to another user; next, as root: ip tuntap "
					 "del dev %s "
					 "mode tap; ip tuntap add dev %s mode tap user $USER",
					 name, name, name);
		if (strchr(name, '%')) /* a pattern of the kernel's: nobody named it */
			return error_set(
				err, code,
				"making a tap needs root; next, as root: ip tuntap add dev tap0 "
				"mode tap user $USER; ip link set tap0 up; then "
				"backend=tap,ifname=tap0. Or use backend=user");
		return error_set(
			err, code,
			"tap %s does not exist and making it needs root; next, as root: ip tuntap "
			"add "
			"dev %s mode tap user $USER; ip link set %s up. Or use backend=user",
			name, name, name);
	case -EBUSY:
		return error_set(err, code,
				 "tap %s is in use by another program; next: stop that one, or "
				 "choose another ifname=",
				 name);
	case -EINVAL:
		if (exists)
			return error_set(
				err, code,
				"%s is no tap interface; next: choose another ifname=", name);
		return error_set(err, code, "%s is no name that an interface can have", name);
	default:
		return error_set(err, code, "tap %s cannot be opened: %s", name, strerror(-code));
	}
}

/* A FIFO or a file of that name is never opened. */
static int look_at_node(const char *node)
{
	const char *path = node[0] ? node : TUN_DEVICE;
	struct stat st;

	if (stat(path, &st) < 0 || access(path, R_OK | W_OK) < 0)
		return -errno;
	return S_ISCHR(st.st_mode) ? 0 : -ENODEV;
}

int host_tap_look_at_node(const char *node, struct error *err)
{
	int rc = look_at_node(node);

	return rc < 0 ? open_error(node, rc, err) : 0;
}

/* One queue. Returns its descriptor or a negative errno; `name` becomes what the kernel chose. */
static int attach_queue(const char *node, char name[IFNAMSIZ], short flags)
{
	struct ifreq ifr = { .ifr_flags = flags };
	unsigned features;
	int fd = open(node[0] ? node : TUN_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name);
	bool makes_taps = !node[0] || ioctl(fd, TUNGETFEATURES, &features) == 0;
	if (!makes_taps || ioctl(fd, TUNSETIFF, &ifr) < 0) {
		int code = makes_taps ? -errno : -ENOTTY;

		close(fd);
		return code;
	}
	str_copy(name, IFNAMSIZ, ifr.ifr_name);
	return fd;
}

static short queue_flags(bool multi)
{
	return (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi ? IFF_MULTI_QUEUE : 0));
}

/* The first queue. The kernel insists that we say whether an existing tap is multi-queue: ask for what suits us first. */
static int attach_first(const char *node, struct opened_backend *out, bool *multi, bool exists,
			struct error *err)
{
	short alone = exists ? 0 : (short)IFF_TUN_EXCL; /* one that comes meanwhile is not ours */
	int fd = attach_queue(node, out->ifname, (short)(queue_flags(*multi) | alone));

	if (fd == -EINVAL && exists) {
		*multi = !*multi;
		fd = attach_queue(node, out->ifname, queue_flags(*multi));
	}
	if (node[0] && (fd == -ENOTTY || fd == -ENODEV || fd == -ENXIO))
		return own_node_error(node, fd, err);
	if (fd < 0)
		return attach_error(out->ifname, exists, fd, err);
	out->fds[out->nfds++] = fd;
	return 0;
}

static int attach_queues(const char *node, struct opened_backend *out, unsigned queues, bool exists,
			 struct error *err)
{
	bool multi = queues > 1;
	int rc = attach_first(node, out, &multi, exists, err);

	if (rc < 0 || !multi) /* a single-queue tap serves all queues of a NIC */
		return rc;
	while (out->nfds < queues) {
		int fd = attach_queue(node, out->ifname, queue_flags(true));

		if (fd == -E2BIG) /* it has no more queues */
			return 0;
		if (fd < 0)
			return attach_error(out->ifname, exists, fd, err);
		out->fds[out->nfds++] = fd;
	}
	return 0;
}

static int set_mtu(int sock, struct ifreq *ifr, uint16_t mtu, struct error *err)
{
	ifr->ifr_mtu = mtu;
	if (ioctl(sock, SIOCSIFMTU, ifr) == 0)
		return 0;
	int code = -errno;
	return error_set(err, code, "tap %s does not take mtu=%u: %s", ifr->ifr_name, mtu,
			 strerror(-code));
}

/* The host's side of the cable has its own address: as on a bridge, so that nobody meets a new one at each start. */
static void set_mac(int sock, struct ifreq *ifr, const uint8_t guest[MAC_LEN])
{
	if (mac_is_zero(guest))
		return;
	ifr->ifr_hwaddr = (struct sockaddr){ .sa_family = ARPHRD_ETHER };
	host_side_mac(guest, (uint8_t *)ifr->ifr_hwaddr.sa_data);
	if (ioctl(sock, SIOCSIFHWADDR, ifr) < 0)
		log_warning("tap %s keeps the address that the kernel gave it: %s", ifr->ifr_name,
			    strerror(errno));
}

/* A new interface: its address and MTU, and up. */
static int bring_up(int sock, struct ifreq *ifr, const uint8_t guest[MAC_LEN], uint16_t mtu,
		    struct error *err)
{
	set_mac(sock, ifr, guest);
	int rc = mtu ? set_mtu(sock, ifr, mtu, err) : 0;

	if (rc < 0)
		return rc;
	if (ioctl(sock, SIOCGIFFLAGS, ifr) == 0) {
		ifr->ifr_flags |= IFF_UP;
		if (ioctl(sock, SIOCSIFFLAGS, ifr) == 0)
			return 0;
	}
	int code = -errno;
	return error_set(err, code, "tap %s cannot be set up: %s", ifr->ifr_name, strerror(-code));
}

/* The administrator's choice stays; but frames get nowhere. */
static void warn_if_down(int sock, struct ifreq *ifr)
{
	if (ioctl(sock, SIOCGIFFLAGS, ifr) == 0 && !(ifr->ifr_flags & IFF_UP))
		log_warning("tap %s is down and passes no frames; next: ip link set %s up",
			    ifr->ifr_name, ifr->ifr_name);
}

/* The interface of this name here, if it is that of the descriptor: one that was handed over may be of another namespace. */
static unsigned index_here(int fd, const char *name)
{
	struct ifreq own = { 0 }, named = { 0 };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	str_copy(named.ifr_name, sizeof(named.ifr_name), name);
	bool same = ioctl(fd, SIOCGIFHWADDR, &own) == 0 &&
		    ioctl(sock, SIOCGIFHWADDR, &named) == 0 &&
		    memcmp(own.ifr_hwaddr.sa_data, named.ifr_hwaddr.sa_data, MAC_LEN) == 0;
	close(sock);
	return same ? if_nametoindex(name) : 0;
}

static int configure(struct opened_backend *out, const uint8_t guest[MAC_LEN], uint16_t mtu,
		     struct error *err)
{
	struct ifreq ifr = { 0 };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (sock < 0)
		return error_set(err, -errno, "tap %s: no socket to configure it: %s", out->ifname,
				 strerror(errno));
	str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), out->ifname);
	if (out->made)
		rc = bring_up(sock, &ifr, guest, mtu, err);
	else
		warn_if_down(sock, &ifr);
	/* a descriptor may come from another network namespace: then the MTU stays unknown */
	if (rc == 0 && ioctl(sock, SIOCGIFMTU, &ifr) == 0 && ifr.ifr_mtu <= UINT16_MAX)
		out->mtu = (uint16_t)ifr.ifr_mtu;
	close(sock);
	out->ifindex = index_here(out->fds[0], out->ifname);
	return rc;
}

static int open_queues(const char *node, const char *name, bool exists, unsigned queues,
		       struct opened_backend *out, struct error *err)
{
	str_copy(out->ifname, sizeof(out->ifname), name);
	int rc = host_tap_look_at_node(node, err);
	if (rc < 0)
		return rc;
	out->made = !exists;
	return attach_queues(node, out, queues, exists, err);
}

int host_tap_make(const char *node, const char *name, unsigned queues, struct opened_backend *out,
		  struct error *err)
{
	return open_queues(node, name, false, queues, out, err);
}

/* Of a tap that is the user's own they are taken away again at the end, and what he had there is gone: so does libvirt. */
static int note_limits(unsigned index, const struct port_limits *limits, struct opened_backend *out,
		       struct error *err)
{
	struct undo_step step = { .kind = UNDO_LIMITS, .below = index };

	str_copy(step.name, sizeof(step.name), out->ifname);
	(void)snprintf(step.text, sizeof(step.text), "%s%s", limits->in.average ? UNDO_SENDS : "",
		       limits->out.average ? UNDO_RECEIVES : "");
	return opened_backend_note(out, &step, err);
}

static int set_limits(const struct backend_spec *spec, struct opened_backend *out,
		      struct error *err)
{
	struct netlink nl;
	struct link l;

	if (!bandwidth_is_set(&spec->limits))
		return 0;
	int rc = netlink_open(&nl, err);
	if (rc < 0)
		return rc;
	rc = netlink_find(&nl, out->ifname, &l);
	if (rc < 0)
		error_set(err, rc, "tap %s: the kernel says %s", out->ifname, strerror(-rc));
	if (rc == 0 && !out->made)
		rc = note_limits(l.index, &spec->limits, out, err);
	if (rc == 0)
		rc = bandwidth_set(&nl, l.index, &spec->limits, BANDWIDTH_OF_TAP, err);
	netlink_close(&nl);
	return rc;
}

/* The one at the end runs whatever came of the first, as with libvirt; the interface may be gone by then. */
static int run_script(const struct backend_spec *spec, struct opened_backend *out,
		      struct error *err)
{
	struct undo_step step = { .kind = UNDO_SCRIPT };
	int rc = host_script_look(spec, err);

	str_copy(step.name, sizeof(step.name), out->ifname);
	str_copy(step.text, sizeof(step.text), spec->downscript);
	if (rc == 0 && spec->downscript[0])
		rc = opened_backend_note(out, &step, err);
	return rc == 0 && spec->script[0] ? host_script_run(spec->script, out->ifname, err) : rc;
}

/* libvirt's rules for its <target dev=>: that of others is not taken, nor is one made in its place. */
static int check_there(const struct backend_request *r, bool exists, struct error *err)
{
	const char *name = r->spec->ifname;
	enum tristate managed = name[0] ? r->spec->managed : TRISTATE_DEFAULT;

	if (exists && managed == TRISTATE_ON)
		return error_set(err, -EEXIST,
				 "<target dev='%s'>: there is such an interface already; next: "
				 "another name, or managed='no' for a tap that you made",
				 name);
	if (exists || !(r->theirs || managed == TRISTATE_OFF))
		return 0;
	if (r->theirs)
		return error_set(err, -ENOENT,
				 "%s is gone; next: make it again, as root: ip tuntap add dev %s "
				 "mode tap; ip link set %s up",
				 name, name, name);
	return error_set(err, -ENOENT,
			 "<target dev='%s' managed='no'>: there is no such tap; next, as root: ip "
			 "tuntap add dev %s mode tap; ip link set %s up, or leave managed= out",
			 name, name, name);
}

static int open_by_name(const struct backend_request *r, struct opened_backend *out,
			struct error *err)
{
	const struct backend_spec *spec = r->spec;
	bool exists = spec->ifname[0] && if_nametoindex(spec->ifname) != 0;
	int rc = check_there(r, exists, err);

	if (rc < 0)
		return rc;
	rc = open_queues(spec->tap_node, spec->ifname[0] ? spec->ifname : HOST_TAP_NAME, exists,
			 r->queues, out, err);
	if (rc == 0)
		rc = set_limits(spec, out, err); /* before it is up */
	if (rc == 0)
		rc = configure(out, r->mac, spec->mtu, err);
	return rc < 0 ? rc : run_script(spec, out, err);
}

/* --- looking ----------------------------------------------------------------------------------------------------- */

static int look_at(const struct link *l, struct error *err)
{
	if (strcmp(l->kind, "tun") != 0 || l->tun_type == IFF_TUN)
		return attach_error(l->name, true, -EINVAL, err);
	if (l->tun_owned && l->tun_owner != geteuid() && !host_may_make_links())
		return attach_error(l->name, true, -EPERM, err);
	return l->plugged && !l->tun_multi ? attach_error(l->name, true, -EBUSY, err) : 0;
}

int host_tap_look(const struct backend_request *request, struct error *err)
{
	const struct backend_spec *spec = request->spec;
	struct netlink nl;
	struct link l;

	if (spec->nfds)
		return 0;
	int rc = host_tap_look_at_node(spec->tap_node, err);
	if (rc == 0)
		rc = host_script_look(spec, err);
	if (rc == 0 && spec->ifname[0])
		rc = netlink_open(&nl, err);
	if (rc < 0 || !spec->ifname[0])
		return rc;
	rc = netlink_find(&nl, spec->ifname, &l);
	netlink_close(&nl);
	bool exists = rc == 0;
	rc = check_there(request, exists, err);
	if (rc < 0 || !exists) /* it is made */
		return rc;
	if (bandwidth_is_set(&spec->limits) && !host_may_make_links())
		return error_set(err, -EPERM, BANDWIDTH_NEEDS_ROOT);
	return look_at(&l, err);
}

/* fd=: descriptors that are open already. They stay what they are; what does not fit is said now. */
static int check_given(const struct backend_spec *spec, struct opened_backend *out,
		       struct error *err)
{
	for (unsigned i = 0; i < MIN(spec->nfds, (unsigned)QUEUES_MAX); i++) {
		struct ifreq ifr = { 0 };
		int fd = spec->fds[i];

		if (fd_set_cloexec(fd, true) < 0)
			return error_set(err, -EBADF,
					 "fd=%d is not open; next: hand an open tap to anynic, as "
					 "in: anynic run "
					 "--nic auto,backend=tap,fd=3 ... 3<>/dev/tap5",
					 fd);
		if (ioctl(fd, TUNGETIFF, &ifr) < 0)
			return error_set(err, -EINVAL, "fd=%d is no tap: the kernel says %s", fd,
					 strerror(errno));
		if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI))
			return error_set(
				err, -EINVAL,
				"fd=%d (%s) was not opened as a tap without packet information; "
				"next: open it with IFF_TAP | IFF_NO_PI",
				fd, ifr.ifr_name);
		if (i && strcmp(ifr.ifr_name, out->ifname) != 0)
			return error_set(err, -EINVAL,
					 "fd=%d is a queue of %s, but the first one is of %s", fd,
					 ifr.ifr_name, out->ifname);
		str_copy(out->ifname, sizeof(out->ifname), ifr.ifr_name);
		out->fds[out->nfds++] = fd;
	}
	return configure(out, (const uint8_t[MAC_LEN]){ 0 }, 0, err);
}

int host_tap_open(const struct backend_request *request, struct opened_backend *out,
		  struct error *err)
{
	const struct backend_spec *spec = request->spec;

	return spec->nfds ? check_given(spec, out, err) : open_by_name(request, out, err);
}
