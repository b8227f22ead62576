/* vhost_user_client.h - a vhost-user server, its loop and a client in one thread: the client speaks as QEMU's vhost-user netdev does, and,
 * where a test wants it, as nobody should. The guest's driver behind it is tests/drivers/virtio_driver.
 */
#ifndef ANYNIC_TESTS_VHOST_USER_CLIENT_H
#define ANYNIC_TESTS_VHOST_USER_CLIENT_H

#include "attach/vhost_user/proto.h"
#include "attach/vhost_user/vhost_user.h"
#include "virtio_driver.h"

#define VHC_USER_AT 0x7f0000000000ull /* where guest memory is for the client */
#define VHC_RINGS   16
#define VHC_PROTOCOL                                                                               \
	(BIT(VHU_P_MQ) | BIT(VHU_P_LOG_SHMFD) | BIT(VHU_P_RARP) | BIT(VHU_P_REPLY_ACK) |           \
	 BIT(VHU_P_NET_MTU) | BIT(VHU_P_RESET_DEVICE) | BIT(VHU_P_MEM_SLOTS) | BIT(VHU_P_STATUS) | \
	 BIT(VHU_P_DEVICE_STATE))

struct vhc {
	struct loop loop;
	struct vd *d; /* guest memory, its driver's rings, and the wire behind the card */
	struct vhost_user *server;
	char path[64];
	int fd; /* the client's end; -1 = hung up */
	int kick[VHC_RINGS], call[VHC_RINGS];
	int fds_before;
};

/* A card with so many pairs, nobody connected. */
struct vhc *vhc_create(unsigned pairs, bool packed);
/* Returns how many descriptors are open that were not before. */
int vhc_destroy(struct vhc *c);

/* The server dies as under kill -9, and another starts with a new card. The client's connection ends. */
void vhc_restart_server(struct vhc *c);

void vhc_connect(struct vhc *c);
void vhc_hang_up(struct vhc *c);
bool vhc_alive(struct vhc *c); /* the server has not hung up */
void vhc_pump(struct vhc *c);  /* all that the server and the card have to do */

/* One message. */
void vhc_send(struct vhc *c, uint32_t request, uint32_t flags, const void *body, uint32_t size,
	      const int *fds, unsigned nfds);
void vhc_send_raw(struct vhc *c, const void *data, size_t size, const int *fds, unsigned nfds);
/* The next reply: bytes of payload, or -1 when none came. */
int vhc_reply(struct vhc *c, struct vhu_header *h, void *body, uint32_t room);

/* With NEED_REPLY: what came back, or UINT64_MAX when the server hung up. */
uint64_t vhc_set(struct vhc *c, uint32_t request, const void *body, uint32_t size, const int *fds,
		 unsigned nfds);
uint64_t vhc_set_u64(struct vhc *c, uint32_t request, uint64_t value);
uint64_t vhc_set_state(struct vhc *c, uint32_t request, uint32_t index, uint32_t num);
uint64_t vhc_get(struct vhc *c, uint32_t request);

/* The steps of a client: owner, features, protocol features, memory, call descriptors. */
void vhc_greet(struct vhc *c, uint64_t features);
uint64_t vhc_add_memory(struct vhc *c);
/* A new ring of the driver; then it is told and started at `base`. vhc_start_ring gives what SET_VRING_KICK answered. */
uint64_t vhc_start_ring(struct vhc *c, unsigned ring, uint32_t base);
uint64_t vhc_tell_addresses(struct vhc *c, unsigned ring, uint32_t flags);
void vhc_enable(struct vhc *c, unsigned ring, bool on);
/* All of it for the rings of so many pairs: a driver that runs. */
void vhc_up(struct vhc *c, uint64_t features, unsigned pairs);
/* GET_VRING_BASE, or UINT32_MAX. */
uint32_t vhc_stop_ring(struct vhc *c, unsigned ring);

uint64_t vhc_signals(int eventfd); /* since the last question */

/* For cmocka: one pair, nobody connected; fails when a descriptor is left open. */
int vhc_setup(void **state);
int vhc_teardown(void **state);

#endif
