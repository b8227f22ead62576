#include "host/open.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/available.h"
#include "host/bridge.h"
#include "host/child.h"
#include "host/direct.h"
#include "host/helper_client.h"
#include "host/hostdev.h"
#include "host/passt.h"
#include "host/probe.h"
#include "host/stream.h"
#include "host/tap.h"
#include "host/user.h"

/* It says itself what it misses; mostly it is something to copy. */
#define PASST_NEXT                                                                                 \
	"; next: give this host an address and a default route (`ip route`), free the ports of "   \
	"hostfwd=, or use backend=user"

static int open_nothing(const struct backend_request *request, struct opened_backend *out,
			struct error *err)
{
	(void)request;
	(void)out;
	(void)err;
	return 0;
}

/* /dev/vhost-vdpa-N: QEMU gets the open descriptor. */
static int open_vdpa(const struct backend_request *request, struct opened_backend *out,
		     struct error *err)
{
	const char *path = request->spec->dev;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, -errno,
				 "vdpa device %s: %s; next: `vdpa dev show`, modprobe vhost_vdpa",
				 path, strerror(errno));
	out->fds[out->nfds++] = fd;
	return 0;
}

static int open_type(const struct backend_request *r, struct opened_backend *out,
		     struct error *err);

static int look_for_passt(const struct backend_request *request, struct error *err)
{
	return request->spec->path[0] ? 0 : host_has_passt(err);
}

/* Whoever describes a guest has it probed before (cli/guest.c); a caller that did not gets the same here. */
static int open_probed(const struct backend_request *request, struct opened_backend *out,
		       struct error *err)
{
	struct backend_spec spec = *request->spec;
	struct backend_request r = *request;

	int rc = host_probe(&spec, NULL, err);
	if (rc < 0)
		return rc;
	r.spec = &spec;
	return open_type(&r, out, err);
}

const struct host_backend host_backends[] = {
	{ .name = "user",
	  .served = "user",
	  .keys = " net hostfwd tftp bootfile ",
	  .open = host_user_open,
	  .missing = host_has_user,
	  .ready = host_user_ready,
	  .returns = true },
	{ .name = "tap",
	  .served = "tap",
	  .keys = " ifname fd ",
	  .taps = TAPS_ONE,
	  .open = host_tap_open,
	  .look = host_tap_look,
	  .returns = true,
	  .helped = true,
	  .missing = host_has_tap },
	{ .name = "bridge",
	  .served = "tap",
	  .summary = "a tap on a bridge of the host: br=",
	  .keys = " br ifname iface-id ",
	  .taps = TAPS_ANY,
	  .open = host_bridge_open,
	  .look = host_bridge_look,
	  .returns = true,
	  .helped = true,
	  .missing = host_has_bridge },
	{ .name = "direct",
	  .served = "tap",
	  .summary = "a macvtap on a network device: dev=, mode=vepa, bridge, private or "
		     "passthrough",
	  .keys = " dev mode ifname fd ",
	  .taps = TAPS_ONE,
	  .open = host_direct_open,
	  .look = host_direct_look,
	  .returns = true,
	  .helped = true,
	  .missing = host_has_macvtap },
	{ .name = "passt",
	  .served = "stream",
	  .summary = "the host's own addresses for the guest, through passt, no root needed: "
		     "hostfwd=, or path= of one that runs",
	  .keys = " path hostfwd net dev ",
	  .open = host_passt_open,
	  .look = look_for_passt,
	  .missing = host_has_passt,
	  .ready = host_passt_ready,
	  .returns = true },
	{ .name = "stream",
	  .served = "stream",
	  .keys = " path mode fd ",
	  .open = host_stream_open,
	  .returns = true },
	{ .name = "hostdev",
	  .served = "",
	  .summary = "a function of a network card of this host, handed on by VFIO (model "
		     "hostdev): dev= a device with virtual functions, a PCI address, a network",
	  .keys = " dev ",
	  .open = host_hostdev_open,
	  .missing = host_has_hostdev },
	{ .name = "null", .served = "null", .open = open_nothing },
	{ .name = "loop", .served = "loop", .open = open_nothing },
	{ .name = "vhostuser",
	  .served = "",
	  .keys = " path mode ",
	  .xml_only = true,
	  .open = open_nothing },
	{ .name = "vdpa", .served = "", .keys = " dev ", .xml_only = true, .open = open_vdpa },
	{ .name = "server", .served = "", .xml_only = true, .open = open_nothing },
	{ .name = "client", .served = "", .xml_only = true, .open = open_nothing },
	{ .name = "mcast", .served = "", .xml_only = true, .open = open_nothing },
	{ .name = "udp", .served = "", .xml_only = true, .open = open_nothing },
	{ .name = "internal", .served = "", .xml_only = true, .open = open_nothing },
	{ .name = "auto",
	  .served = "",
	  .summary = "what dev= is on this host: a bridge, a device, a tap, a libvirt network",
	  .keys = " dev mode ifname ",
	  .open = open_probed },
};
const unsigned host_backend_count = ARRAY_SIZE(host_backends);

static const struct host_backend *find_backend(const char *type)
{
	for (unsigned i = 0; i < host_backend_count; i++)
		if (strcmp(host_backends[i].name, type) == 0)
			return &host_backends[i];
	return NULL;
}

static int open_type(const struct backend_request *r, struct opened_backend *out, struct error *err)
{
	const struct host_backend *backend = find_backend(r->spec->type);

	if (!backend)
		return error_set(err, -ENOENT,
				 "this anynic has no backend %s; see: anynic backends",
				 r->spec->type);
	str_copy(out->type, sizeof(out->type), backend->name);
	str_copy(out->served, sizeof(out->served), backend->served);
	return backend->helped ? host_helper_open(backend->open, r, out, err)
			       : backend->open(r, out, err);
}

enum backend_taps host_backend_taps(const struct backend_spec *spec)
{
	const struct host_backend *backend = find_backend(spec->type);

	/* a logical port is bound to one interface: the cards share it */
	if (backend && backend->taps == TAPS_ANY && spec->iface_id[0])
		return TAPS_ONE;
	return backend ? backend->taps : TAPS_NONE;
}

/* Whatever the opener did not take over into `out`. */
static void close_rest(const struct backend_spec *spec, const struct opened_backend *out)
{
	for (unsigned i = 0; i < MIN(spec->nfds, (unsigned)QUEUES_MAX); i++) {
		int fd = spec->fds[i];
		bool taken = false;

		for (unsigned j = 0; j < out->nfds; j++)
			taken |= out->fds[j] == fd;
		if (!taken)
			fd_close(&fd);
	}
}

int host_backend_start(const struct backend_request *request, struct opened_backend *out,
		       struct error *err)
{
	static const struct backend_spec handed_on = { .type = "hostdev" };
	struct backend_request r = *request;

	/* beside the backend of its port, if that has another one: a team */
	if (r.nic && r.nic->netdev == NETDEV_HOSTDEV)
		r.spec = &handed_on;
	*out = (struct opened_backend){ .pidfd = -1, .log = -1, .journal = request->undo };
	r.queues = MAX(1u, MIN(r.queues, (unsigned)QUEUES_MAX));
	int rc = open_type(&r, out, err);
	close_rest(r.spec, out);
	if (rc < 0)
		opened_backend_close(out);
	return rc;
}

int host_backend_look(const struct backend_request *request, struct error *err)
{
	const struct host_backend *backend = find_backend(request->spec->type);
	int rc = backend && backend->look ? backend->look(request, err) : 0;

	return rc == 0 && backend && backend->helped ? host_helper_look(request, err) : rc;
}

/* What is known of the failure: the opener's own words, else how the process ended. */
static int not_ready(struct opened_backend *o, int rc, struct error *err)
{
	char how[256];

	if (rc == -EPIPE && o->pid) {
		child_end(o, how, sizeof(how));
		error_set(err, -ECHILD, "%s%s", how,
			  strcmp(o->type, "passt") == 0 ? PASST_NEXT : "");
		rc = -ECHILD;
	}
	opened_backend_close(o);
	return rc;
}

int host_backend_ready(struct opened_backend *o, struct error *err)
{
	const struct host_backend *backend = find_backend(o->type);
	int rc = o->waiting && backend && backend->ready ? backend->ready(o, err) : 1;

	if (rc > 0)
		o->waiting = false;
	return rc < 0 ? not_ready(o, rc, err) : rc;
}

static int wait_ready(struct opened_backend *o, struct error *err)
{
	uint64_t end = monotonic_ns() + HOST_READY_MS * NS_PER_MS;

	for (int rc = 0; rc == 0;) {
		struct pollfd p = { .fd = o->fds[0], .events = POLLIN };
		uint64_t now = monotonic_ns();

		rc = host_backend_ready(o, err);
		if (rc != 0)
			return rc < 0 ? rc : 0;
		if (now >= end)
			break;
		(void)poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1);
	}
	error_set(err, -ETIMEDOUT, "%s did not become ready in %d seconds", o->program,
		  HOST_READY_MS / 1000);
	opened_backend_close(o);
	return -ETIMEDOUT;
}

int host_backend_open(const struct backend_request *request, struct opened_backend *out,
		      struct error *err)
{
	int rc = host_backend_start(request, out, err);

	return rc == 0 && out->waiting ? wait_ready(out, err) : rc;
}

const char *host_backend_remark(const struct backend_spec *spec)
{
	bool known = strcmp(spec->type, "direct") == 0 && !spec->nfds; /* fd= may be anything */

	return known ? host_direct_remark(spec->mode) : "";
}

bool host_backend_returns(const struct backend_spec *spec)
{
	const struct host_backend *backend = find_backend(spec->type);

	/* a descriptor that was given is all there is; a server waits for its peers itself */
	return backend && backend->returns && spec->nfds == 0 && !spec->server;
}
