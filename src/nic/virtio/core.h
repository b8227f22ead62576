/* core.h - the virtio network card without registers of its own: somebody else's virtio-net-pci stands in front of it (QEMU's, or a
 * driver that is a client itself), and a server of attach/ tells here what that one's driver did with features and rings.
 *
 * Features, rings and frames are the same code as of the card that we show ourselves. The card has no control queue: what a
 * driver says there stays with the other side. All calls are for a NIC of transport vhost-user, from the port's thread; ring
 * numbers are checked by the caller against virtio_core_rings(): even ones receive, odd ones transmit.
 */
#ifndef ANYNIC_NIC_VIRTIO_CORE_H
#define ANYNIC_NIC_VIRTIO_CORE_H

#include "nic/nic.h"

#define VIRTIO_CORE_RINGS_MAX 16

/* What is told about a ring before it starts. */
struct virtio_core_ring {
	uint64_t desc, driver, device; /* guest addresses */
	uint32_t size;
	/* where to go on, as vhost-user has it: split: the index in the available ring; packed: slot and wrap bit (15) of the
	 * available side, and of the used side 16 bits higher */
	uint32_t base;
};

unsigned virtio_core_rings(const struct nic *nic);
uint64_t virtio_core_offered(const struct nic *nic);

/* A client is there, or not: then the card is as new. */
void virtio_core_connect(struct nic *nic, bool connected);

/* What the driver took, without the bits of vhost itself. -EINVAL for one that was not offered. */
int virtio_core_set_features(struct nic *nic, uint64_t features);

/* The client tells of every reset by the driver: rings that stop without one are a guest that was stopped, or a link that is down,
 * and the driver is still there. Of another client the driver counts as gone when link and guest are up and the rings stay where they are:
 * after a while the status asks, and virtio_core_settled says that the client has done all that it was about to do. */
void virtio_core_tells_resets(struct nic *nic, bool tells);
void virtio_core_settled(struct nic *nic);

/* The device status as the driver wrote it, for who is told; 0 is the driver's reset. */
void virtio_core_set_status(struct nic *nic, uint8_t status);
uint8_t virtio_core_status(const struct nic *nic);

/* The driver reset the device: features and rings are gone, the client stays. */
void virtio_core_reset(struct nic *nic);

/* Starts a ring where memory says that it stood, and where memory says nothing, at `at->base`. -EINVAL when it cannot be. */
int virtio_core_start_ring(struct nic *nic, unsigned ring, const struct virtio_core_ring *at);
/* The ring moved in guest addresses, or its memory was mapped anew: goes on where it is. */
void virtio_core_move_ring(struct nic *nic, unsigned ring, const struct virtio_core_ring *at);
/* Returns where to go on. What the device took is back in the ring. */
uint32_t virtio_core_stop_ring(struct nic *nic, unsigned ring);
bool virtio_core_started(const struct nic *nic, unsigned ring);
/* A ring that is started and off gets no frames, and what it sends is thrown away; if it was never on, it waits. */
void virtio_core_enable_ring(struct nic *nic, unsigned ring, bool on);

/* The eventfds by which the driver hears of used buffers, and of a broken ring; taken. -1 = none. */
void virtio_core_set_call(struct nic *nic, unsigned ring, int fd);
void virtio_core_set_err(struct nic *nic, unsigned ring, int fd);
/* The driver added buffers. */
void virtio_core_kick(struct nic *nic, unsigned ring);

/* Tells the network where `mac` is now (a reverse ARP request), from the port as if the guest had sent it. */
void virtio_core_announce(struct nic *nic, const uint8_t mac[MAC_LEN]);

/* What no message of vhost-user carries: the receive filter and the counters. */
int virtio_core_save(const struct nic *nic, struct buffer *out);
int virtio_core_load(struct nic *nic, const void *data, size_t len, struct error *err);

#endif
