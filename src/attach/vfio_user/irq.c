/* irq.c - eventfds for INTx, MSI and MSI-X.
 *
 * What QEMU does: EVENTFD without descriptors (a probe, and a removal), NONE with count 0 (all off), then one vector a message; the
 * same vector may come again with a new descriptor. For INTx it sends UNMASK after the access that it takes for the end of
 * interrupt; with KVM the kernel signals an eventfd instead, which arrives as UNMASK with EVENTFD.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach/vfio_user/server.h"
#include "base/clock.h"

/* How long a level may stay up after an unmask before it is signalled again. QEMU takes the first access of an interrupt
 * handler for its end, which is the read that asks for the cause: the write that takes it away is on its way then, and a
 * signal at once would only make the guest's handler run again for nothing. */
#define UNMASK_WAIT_NS 250000ull

int serve_irq_info(struct vfio_user *v, struct request *rq)
{
	struct vu_irq_info info;

	memcpy(&info, rq->body, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= PCI_IRQ_INDEXES)
		return -EINVAL;
	unsigned count = pci_irq_count(&v->nic->pci, (enum pci_irq_index)info.index);
	/* as the kernel's vfio-pci for a device without it; QEMU warns its user about a count of 0 */
	if (info.index == PCI_ERR && count == 0)
		return -EINVAL;
	info = (struct vu_irq_info){ .argsz = sizeof(info), .index = info.index, .count = count };
	if (count)
		info.flags = info.index == PCI_INTX
				     ? VU_IRQ_EVENTFD | VU_IRQ_MASKABLE | VU_IRQ_AUTOMASKED
				     : VU_IRQ_EVENTFD | VU_IRQ_NORESIZE;
	memcpy(rq->reply, &info, sizeof(info));
	rq->reply_size = sizeof(info);
	return 0;
}

void irq_unmask_close(struct vfio_user *v)
{
	if (v->unmask.fd >= 0)
		loop_unwatch(v->loop, &v->unmask);
	fd_close(&v->unmask.fd);
}

static void unmask(struct vfio_user *v)
{
	if (!v->nic->pci.intx_level || v->unmask_waits)
		return;
	v->unmask_waits =
		loop_timer_set(v->loop, &v->unmask_timer, monotonic_ns() + UNMASK_WAIT_NS) == 0;
	if (!v->unmask_waits)
		pci_intx_unmask(&v->nic->pci);
}

void irq_unmask_due(struct vfio_user *v)
{
	v->unmask_waits = false;
	pci_intx_unmask(&v->nic->pci);
}

void irq_unmask_settle(struct vfio_user *v)
{
	if (!v->unmask_waits || v->nic->pci.intx_level)
		return;
	loop_timer_cancel(v->loop, &v->unmask_timer);
	v->unmask_waits = false;
}

void irq_unmask_event(struct vfio_user *v)
{
	uint64_t count;

	if (v->unmask.fd < 0)
		return;
	long n = read(v->unmask.fd, &count, sizeof(count));
	if (n == sizeof(count))
		unmask(v);
	else if (n >= 0 || errno != EAGAIN)
		irq_unmask_close(v); /* it is no eventfd */
}

/* UNMASK with EVENTFD: 0 descriptors take it away. */
static int set_unmask_fd(struct vfio_user *v, const struct vu_set_irqs *set, struct request *rq)
{
	if (set->index != PCI_INTX || set->count != 1 || rq->nfds > 1)
		return -EINVAL;
	irq_unmask_close(v);
	if (rq->nfds == 0)
		return 0;
	int rc = fd_set_nonblock(rq->fds[0], true);
	if (rc < 0)
		return rc;
	v->unmask.fd = rq->fds[0];
	rq->fds[0] = -1;
	rc = loop_watch(v->loop, &v->unmask, EPOLLIN);
	if (rc < 0)
		irq_unmask_close(v);
	return rc;
}

static int set_trigger_fds(struct vfio_user *v, const struct vu_set_irqs *set, struct request *rq)
{
	if (rq->nfds && rq->nfds != set->count)
		return -EINVAL;
	for (unsigned i = 0; i < rq->nfds; i++) {
		/* a blocking descriptor must not stop the worker; QEMU's are not */
		int rc = fd_set_nonblock(rq->fds[i], true);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < set->count; i++) {
		int fd = -1;
		if (rq->nfds) {
			fd = rq->fds[i];
			rq->fds[i] = -1;
		}
		int rc = pci_irq_set_fd(&v->nic->pci, (enum pci_irq_index)set->index,
					set->start + i, fd);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The client fires a vector itself: a self-test. */
static void fire(struct vfio_user *v, const struct vu_set_irqs *set, unsigned i)
{
	int fd = v->nic->pci.irq_fd[set->index][set->start + i];
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) == sizeof(one))
		v->nic->pci.interrupts++;
}

static int apply(struct vfio_user *v, const struct vu_set_irqs *set, struct request *rq)
{
	const uint8_t *on = rq->body + sizeof(*set); /* of BOOL */
	bool all = set->flags & VU_IRQ_DATA_NONE;
	uint32_t action = set->flags & (VU_IRQ_MASK | VU_IRQ_UNMASK | VU_IRQ_TRIGGER);

	if (set->flags & VU_IRQ_DATA_EVENTFD) {
		if (action == VU_IRQ_TRIGGER)
			return set_trigger_fds(v, set, rq);
		return action == VU_IRQ_UNMASK ? set_unmask_fd(v, set, rq) : -EINVAL;
	}
	/* MASK: our signal is an edge, and the client holds its line itself. MSI and MSI-X are masked there, too. */
	for (unsigned i = 0; i < set->count; i++) {
		if (!all && !on[i])
			continue;
		if (action == VU_IRQ_UNMASK && set->index == PCI_INTX)
			unmask(v);
		else if (action == VU_IRQ_TRIGGER)
			fire(v, set, i);
	}
	return 0;
}

static bool one_bit(uint32_t bits)
{
	return bits && (bits & (bits - 1)) == 0;
}

int serve_set_irqs(struct vfio_user *v, struct request *rq)
{
	struct vu_set_irqs set;

	memcpy(&set, rq->body, sizeof(set));
	uint32_t data = set.flags & (VU_IRQ_DATA_NONE | VU_IRQ_DATA_BOOL | VU_IRQ_DATA_EVENTFD);
	uint32_t action = set.flags & (VU_IRQ_MASK | VU_IRQ_UNMASK | VU_IRQ_TRIGGER);
	if (set.index >= PCI_IRQ_INDEXES || !one_bit(data) || !one_bit(action) ||
	    set.flags & ~(data | action))
		return -EINVAL;
	if (rq->nfds && data != VU_IRQ_DATA_EVENTFD)
		return -EINVAL;
	if (set.count == 0) {
		/* all off: only in this form */
		if (data != VU_IRQ_DATA_NONE || action != VU_IRQ_TRIGGER || set.start)
			return -EINVAL;
		pci_irq_clear(&v->nic->pci, (enum pci_irq_index)set.index);
		if (set.index == PCI_INTX)
			irq_unmask_close(v);
		return 0;
	}
	unsigned count = pci_irq_count(&v->nic->pci, (enum pci_irq_index)set.index);
	if (set.start >= count || set.count > count - set.start || count > PCI_VECTORS_MAX)
		return -EINVAL;
	if (data == VU_IRQ_DATA_BOOL && rq->size - sizeof(set) < set.count)
		return -EINVAL;
	return apply(v, &set, rq);
}
