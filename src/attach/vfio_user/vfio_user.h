/* vfio_user.h - a vfio-user server for one NIC: one UNIX socket, one client at a time (QEMU's vfio-user-pci).
 *
 * Source: docs/interop/vfio-user.rst of QEMU. Every synchronous message is answered before the call returns; a guest's register
 * read never waits for memory, for another thread or for another message. Guest memory comes as mapped descriptors only.
 * The caller (datapath worker) reads nic->notes after each call.
 */
#ifndef ANYNIC_ATTACH_VFIO_USER_H
#define ANYNIC_ATTACH_VFIO_USER_H

#include "base/error.h"
#include "loop/loop.h"
#include "nic/nic.h"

struct vfio_user;

/* Kinds of the two sources, given by the caller's switch. Takes `listen_fd`, also on failure. `nic` and `loop` are borrowed. */
struct vfio_user *vfio_user_create(struct nic *nic, int listen_fd, struct loop *loop,
				   unsigned listen_kind, unsigned connection_kind,
				   struct error *err);
void vfio_user_destroy(struct vfio_user *v); /* NULL is fine */

/* The listening socket is readable. Event owner = the struct vfio_user. */
void vfio_user_accept(struct vfio_user *v);

/* An event of the connection kind (a descriptor or a timer): handles a bounded number of messages. `index` and `events` are the
 * event's. A polling worker passes 0 and EPOLLIN. */
void vfio_user_serve(struct vfio_user *v, unsigned index, uint32_t events);

struct nic *vfio_user_nic(const struct vfio_user *v);
bool vfio_user_connected(const struct vfio_user *v);

/* Non-empty when guest memory cannot be used (no descriptor, private): what, why, which option to add. */
const char *vfio_user_memory_problem(const struct vfio_user *v);

#endif
