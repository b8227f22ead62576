/* vhost_user.h - a vhost-user server (back-end) for one virtio-net NIC: one UNIX socket, one client at a time (QEMU's vhost-user netdev,
 * Cloud Hypervisor, DPDK's virtio-user).
 *
 * The client shares the guest's memory and tells where rings are; the card itself is nic/virtio/core.h. A client that goes
 * away, or is sent away because it speaks nonsense, leaves the card as new for the next one; after a restart of this process
 * rings go on where guest memory says that they stood. Every call ends at once: no message waits for another.
 * The caller (datapath worker) reads nic->notes after each call.
 */
#ifndef ANYNIC_ATTACH_VHOST_USER_H
#define ANYNIC_ATTACH_VHOST_USER_H

#include "base/error.h"
#include "loop/loop.h"
#include "nic/nic.h"

struct vhost_user;

/* Kinds of the two sources, given by the caller's switch. Takes `listen_fd`, also on failure. `nic` (of transport vhost-user) and
 * `loop` are borrowed. */
struct vhost_user *vhost_user_create(struct nic *nic, int listen_fd, struct loop *loop,
				     unsigned listen_kind, unsigned connection_kind,
				     struct error *err);
void vhost_user_destroy(struct vhost_user *v); /* NULL is fine */

/* The listening socket is readable. Event owner = the struct vhost_user. */
void vhost_user_accept(struct vhost_user *v);

/* An event of the connection kind: the socket, a kick, or saved state. `index` and `events` are the event's. */
void vhost_user_serve(struct vhost_user *v, unsigned index, uint32_t events);

/* Who talks to the VMM knows that it has sent all that it was about to send: that is read, and a driver whose rings stand still is gone. */
void vhost_user_settled(struct vhost_user *v);

struct nic *vhost_user_nic(const struct vhost_user *v);
bool vhost_user_connected(const struct vhost_user *v);

/* Non-empty: why the last client was sent away, or why the guest's memory cannot be used. */
const char *vhost_user_problem(const struct vhost_user *v);

#endif
