/* kernel_path.c - a port whose virtio card has vhost-net: for as long as that card is the active one and its driver ready, the kernel
 * has the card's rings and the tap, and this process sees none of its frames.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "datapath/datapath.h"
#include "nic/virtio/kernel.h"

static struct hosted_nic *virtio_card(struct hosted_port *hp)
{
	for (unsigned i = 0; i < hp->port.nics; i++) {
		const struct nic_spec *spec = &hp->nic[i].nic->spec;

		if (strcmp(spec->model, "virtio-net") == 0 && spec->netdev == NETDEV_NONE &&
		    spec->transport == TRANSPORT_VFIO_USER)
			return &hp->nic[i];
	}
	return NULL;
}

static void watch_own(struct hosted_port *hp)
{
	for (unsigned i = 0; i < VIRTIO_KERNEL_FDS; i++) {
		hp->kernel_source[i] =
			(struct loop_source){ .fd = virtio_kernel_fd(hp->kernel->nic, i),
					      .kind = FD_KERNEL,
					      .index = i,
					      .owner = hp };
		if (loop_watch(&hp->worker->loop, &hp->kernel_source[i], EPOLLIN) < 0)
			log_error("%s: out of memory for its eventfds", hp->kernel->nic->spec.id);
	}
}

int kernel_path_open(struct hosted_port *hp, const int *fds, unsigned count, struct error *err)
{
	struct hosted_nic *hn = virtio_card(hp);
	struct backend *b = hp->port.backend;

	if (!hn || !b->ops->lend || hp->kernel) {
		for (unsigned i = 0; i < count; i++)
			close(fds[i]);
		return error_set(err, -EINVAL, "port %s has no use for vhost-net",
				 hp->port.spec.id);
	}
	int rc = virtio_kernel_init(hn->nic, fds, count, b->ops->offloads(b), err);
	if (rc < 0)
		return rc;
	hp->kernel = hn;
	watch_own(hp);
	return 0;
}

void kernel_path_close(struct hosted_port *hp)
{
	if (!hp->kernel)
		return;
	kernel_path_leave(hp);
	for (unsigned i = 0; i < VIRTIO_KERNEL_FDS; i++)
		loop_unwatch(&hp->worker->loop, &hp->kernel_source[i]);
	hp->kernel = NULL;
}

/* The tap is ours again, whoever took the rings back. */
static void tap_returns(struct hosted_port *hp)
{
	struct backend *b = hp->port.backend;

	if (b->lent && b->ops->lend(b, 0, 0) < 0) {
		b->lent = false;
		backend_set_down(b, "%s did not come back from vhost-net", b->ops->name);
	}
}

void kernel_path_leave(struct hosted_port *hp)
{
	if (!hp->kernel)
		return;
	virtio_kernel_give_back(hp->kernel->nic);
	tap_returns(hp);
}

static bool port_allows(const struct hosted_port *hp)
{
	const struct port *p = &hp->port;
	const struct nic *nic = hp->kernel->nic;

	/* of a team the other card needs the backend as well */
	return p->spec.policy != POLICY_TEAM && !p->stopped && p->active >= 0 &&
	       p->nic[p->active] == nic && nic->link_up && p->backend->up;
}

static void enter(struct hosted_port *hp)
{
	struct nic *nic = hp->kernel->nic;
	struct backend *b = hp->port.backend;
	unsigned header;
	unsigned pairs = virtio_kernel_wish(nic, &header);

	if (!pairs || pairs > b->fds || !port_is_empty(&hp->port) ||
	    b->ops->lend(b, pairs, header) < 0)
		return;
	port_sync_offloads(&hp->port); /* the guest gets frames as the tap gives them */
	virtio_kernel_take(nic, b->fd, pairs);
	if (!virtio_kernel_has(nic))
		tap_returns(hp);
}

void kernel_path_settle(struct hosted_port *hp)
{
	unsigned header;

	if (!hp->kernel)
		return;
	struct nic *nic = hp->kernel->nic;
	virtio_kernel_settle(nic);
	unsigned has = virtio_kernel_has(nic);
	/* given back by the card itself; or another number of queues is in use now */
	if (hp->port.backend->lent &&
	    (!has || !port_allows(hp) || virtio_kernel_wish(nic, &header) != has))
		kernel_path_leave(hp);
	if (!hp->port.backend->lent && port_allows(hp))
		enter(hp);
}
