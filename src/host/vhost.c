#include "host/vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/open.h"

#define VHOST_NODE "/dev/vhost-net"

static const struct nic_spec *virtio_card(const struct port_spec *port)
{
	for (unsigned i = 0; i < port->nics; i++)
		if (strcmp(port->nic[i].model, "virtio-net") == 0)
			return &port->nic[i];
	return NULL;
}

/* There libvirt ignores even <driver name='vhost'>. */
static bool is_libvirt_tcg(const struct port_spec *port)
{
	return port->plain && port->tcg;
}

/* Why the kernel cannot serve this port whatever the host has; NULL = it could. */
static const char *obstacle(const struct port_spec *port)
{
	const struct nic_spec *card = virtio_card(port);

	if (!card && strcmp(port->backend.type, "hostdev") == 0)
		return "the card is one of the host's own: nobody else moves its frames";
	if (is_libvirt_tcg(port))
		return "libvirt takes vhost with KVM alone, and this <domain> is not of "
		       "type='kvm'";
	if (!card)
		return "vhost serves virtio cards, and the port has none";
	if (host_backend_taps(&port->backend) == TAPS_NONE)
		return "vhost serves taps, and the backend has none";
	switch (card->netdev) {
	case NETDEV_TAP:
		return NULL;
	case NETDEV_STREAM:
		return "QEMU's card shares the tap with another one; backend=bridge gives each its "
		       "own";
	case NETDEV_QEMU:
		return "the rings are in the program or device behind QEMU's netdev";
	case NETDEV_VHOST_USER:
		return "transport=vhost-user has its rings in anynic";
	default:
		return card->packed ? "vhost-net has no packed rings; use packed=off" : NULL;
	}
}

/* Of plain XML libvirt requires vhost only where it could be had: for a virtio card on a tap, with KVM. */
#define IGNORED 1

/* 0 with vhost, 1 without, or the error of a wish that cannot come true. */
static int settle(const struct port_spec *port, struct vhost_choice *out, int missing,
		  struct error *err, const char *fmt, ...) PRINTF(5, 6);

static int settle(const struct port_spec *port, struct vhost_choice *out, int missing,
		  struct error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(out->why, sizeof(out->why), fmt, args);
	va_end(args);
	out->driver = missing ? DRIVER_QEMU : DRIVER_VHOST;
	if (!missing)
		return 0;
	if (port->backend.driver != DRIVER_VHOST || missing == IGNORED)
		return 1;
	return error_set(
		err, missing,
		"driver=vhost cannot be had: %s; use driver=default, which takes it where it works",
		out->why);
}

static const char *node_of(const struct port_spec *port)
{
	return port->backend.vhost_node[0] ? port->backend.vhost_node : VHOST_NODE;
}

static int node_missing(const struct port_spec *port, struct vhost_choice *out, int code,
			struct error *err)
{
	const char *node = node_of(port);

	if (port->backend.vhost_node[0] && (code == -ENOTTY || code == -ENOTBLK))
		return error_set(err, -ENODEV,
				 "<backend vhost='%s'> is no vhost-net device; next: another path, "
				 "or leave it out for " VHOST_NODE,
				 node);
	switch (code) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return settle(port, out, -ENOTSUP, err, "%s is not there%s", node,
			      port->backend.vhost_node[0] ? "" : " (modprobe vhost_net brings it)");
	case -EACCES:
	case -EPERM:
		return settle(port, out, -ENOTSUP, err,
			      "%s may not be opened by this user (group kvm, mostly)", node);
	default:
		return settle(port, out, -ENOTSUP, err, "%s: %s", node, strerror(-code));
	}
}

/* Before anything is opened: 0 = go on, else as settle. */
static int settle_wish(const struct port_spec *port, struct vhost_choice *out, struct error *err)
{
	const char *why = obstacle(port);

	if (port->backend.driver == DRIVER_QEMU)
		return settle(port, out, -ENOTSUP, err,
			      "driver=qemu: the rings stay in user space");
	return why ? settle(port, out, port->plain ? IGNORED : -ENOTSUP, err, "%s", why) : 0;
}

/* -ENOTBLK: a file that is no character device; it is never opened. */
static int look_at_node(const char *node)
{
	struct stat st;

	if (stat(node, &st) < 0 || access(node, R_OK | W_OK) < 0)
		return -errno;
	return S_ISCHR(st.st_mode) ? 0 : -ENOTBLK;
}

int host_vhost_plan(const struct port_spec *port, bool assume, struct vhost_choice *out,
		    struct error *err)
{
	int rc = settle_wish(port, out, err);

	int missing = rc == 0 && !assume ? look_at_node(node_of(port)) : 0;
	if (missing < 0)
		rc = node_missing(port, out, missing, err);
	if (rc == 0)
		settle(port, out, 0, err, "%s is %s", assume ? "vhost-net" : node_of(port),
		       assume ? "assumed" : "there");
	return rc < 0 ? rc : 0;
}

/* A node that is none, or a kernel without the module behind it, is found out here and not by QEMU. */
static int open_node(const char *node)
{
	uint64_t features;
	int rc = look_at_node(node);

	if (rc < 0)
		return rc;
	int fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, VHOST_GET_FEATURES, &features) == 0)
		return fd;
	close(fd);
	return -ENOTTY;
}

int host_vhost_open(const struct port_spec *port, unsigned queues, int fds[QUEUES_MAX],
		    unsigned *nfds, struct vhost_choice *out, struct error *err)
{
	unsigned wanted = MAX(1u, virtio_card(port) ? virtio_card(port)->queues : 1u);
	int rc = settle_wish(port, out, err);

	*nfds = 0;
	if (rc == 0 && queues < wanted)
		rc = settle(port, out, -ENOTSUP, err, "the tap has %u of %u queues", queues,
			    wanted);
	while (rc == 0 && *nfds < queues) {
		int fd = open_node(node_of(port));

		if (fd < 0)
			rc = node_missing(port, out, fd, err);
		else
			fds[(*nfds)++] = fd;
	}
	if (rc == 0)
		return settle(port, out, 0, err, "%s was opened", node_of(port));
	while (*nfds)
		fd_close(&fds[--*nfds]);
	return rc < 0 ? rc : 0;
}
