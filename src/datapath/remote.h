/* remote.h - the end of a card that QEMU has: its frames come over QEMU's -netdev stream. To the port it is a NIC like any other;
 * registers, driver and the link that the guest sees are QEMU's business.
 */
#ifndef ANYNIC_DATAPATH_REMOTE_H
#define ANYNIC_DATAPATH_REMOTE_H

#include "backend/backend.h"
#include "nic/nic.h"

/* Takes `listen_fd`, where QEMU connects, also on failure. */
struct nic *remote_create(const struct nic_spec *spec, int listen_fd, struct clock *clock,
			  struct frame *batch, struct error *err);

bool nic_is_remote(const struct nic *nic);

/* The connection, for the worker to watch: fd[0] and listen_fd. Owned by the NIC. */
struct backend *remote_stream(struct nic *nic);

/* False while frames of QEMU's wait for the port. */
bool remote_wants_read(const struct nic *nic);

/* The connection became readable, or writable. */
void remote_serve(struct nic *nic, uint32_t events);

#endif
