/* kernel.h - a virtio-net card over vfio-user whose rings the kernel's vhost-net serves while the port lets it.
 *
 * Registers, control queue, driver status and link stay ours; so do the rings before the driver is ready, and whenever the kernel
 * may not have them: card not active, link down, guest stopped, no bus mastering, driver gone. The owner says when it may
 * (virtio_kernel_take, virtio_kernel_give_back); the card takes the rings back by itself, at once, when the driver resets it or
 * guest memory changes. Kicks of the guest come as register writes and are handed on; interrupts go from the kernel straight to the
 * VMM where it gave an eventfd for the queue's vector.
 * What the kernel serves is neither filtered nor counted here. All calls come from the port's thread.
 */
#ifndef ANYNIC_NIC_VIRTIO_KERNEL_H
#define ANYNIC_NIC_VIRTIO_KERNEL_H

#include "nic/nic.h"

/* Gives the card descriptors of /dev/vhost-net, one for each queue pair; taken, also on failure. Before any driver is there: what
 * the kernel cannot do is not offered to it. `offloads` (enum frame_offload) are those that the tap does. */
int virtio_kernel_init(struct nic *nic, const int *fds, unsigned count, uint32_t offloads,
		       struct error *err);

/* Whether the card has descriptors at all. */
bool virtio_kernel_can(const struct nic *nic);

/* Queue pairs that the kernel could serve now, and how many bytes precede each frame then. 0 = the driver is not ready for it. */
unsigned virtio_kernel_wish(struct nic *nic, unsigned *header);

/* Pairs that it serves now. */
unsigned virtio_kernel_has(const struct nic *nic);

/* The kernel serves pair i between the guest's rings and taps[i], which nobody else reads any more. */
void virtio_kernel_take(struct nic *nic, const int *taps, unsigned pairs);
void virtio_kernel_give_back(struct nic *nic);

/* Follows what changed: memory that was added, eventfds for interrupts. Cheap when nothing did. */
void virtio_kernel_settle(struct nic *nic);

/* Two eventfds of the card's, to be watched for reading: interrupts that go through us, and rings that make no sense. */
#define VIRTIO_KERNEL_FDS 2
int virtio_kernel_fd(const struct nic *nic, unsigned index); /* -1 = none */
void virtio_kernel_event(struct nic *nic, unsigned index);

#endif
