/* vfio_user_client.h - a vfio-user client for tests: speaks to a server as QEMU's vfio-user-pci does, and, where a test wants
 * it, as nobody should. With `pump` set, it is called wherever the client waits (a server in the same thread).
 */
#ifndef ANYNIC_TESTS_VFIO_USER_CLIENT_H
#define ANYNIC_TESTS_VFIO_USER_CLIENT_H

#include "attach/vfio_user/proto.h"
#include "base/fd.h"

#define CLIENT_BODY (1u << 20)

/* What QEMU 11.1 says of itself. */
extern const char client_qemu_text[];

struct vfio_client {
	int fd;
	uint16_t id;	 /* of the last request */
	bool refuse_dma; /* commands of the server get an error, as while bus mastering is off */
	void (*pump)(void *arg);
	void *pump_arg;
};

struct client_message {
	struct vu_header h;
	uint32_t size; /* bytes of payload */
	uint8_t body[CLIENT_BODY + 64];
};

/* 0 or negative errno. */
int client_connect(struct vfio_client *c, const char *path, void (*pump)(void *arg),
		   void *pump_arg);
void client_close(struct vfio_client *c);

/* One sendmsg. Returns the id. */
uint16_t client_send(struct vfio_client *c, uint16_t command, uint32_t flags, const void *body,
		     uint32_t size, const int *fds, unsigned nfds);
/* As many bytes as they are. */
void client_send_raw(struct vfio_client *c, const void *data, size_t size, const int *fds,
		     unsigned nfds);
/* The next message: 1, 0 when the server hung up, -EAGAIN when nothing (or not all) came. */
int client_receive(struct vfio_client *c, struct client_message *m);

/* Request and its reply. Negative errno of an error reply; -ECONNRESET; otherwise bytes of payload, at most `room` kept. */
int client_call(struct vfio_client *c, uint16_t command, const void *body, uint32_t size,
		const int *fds, unsigned nfds, void *reply, uint32_t room);

int client_hello(struct vfio_client *c, const char *text);
int client_map(struct vfio_client *c, uint64_t iova, uint64_t size, int fd, uint64_t offset,
	       uint32_t flags);
int client_unmap(struct vfio_client *c, uint64_t iova, uint64_t size);
int client_region_read(struct vfio_client *c, uint32_t region, uint64_t offset, uint32_t count,
		       void *to);
int client_region_write(struct vfio_client *c, uint32_t region, uint64_t offset, uint32_t count,
			const void *from);
void client_region_post(struct vfio_client *c, uint32_t region, uint64_t offset, uint32_t count,
			const void *from);
int client_set_irqs(struct vfio_client *c, uint32_t flags, uint32_t index, uint32_t start,
		    uint32_t count, const int *fds, unsigned nfds);

/* How many vectors (and the flags, if asked), or negative errno. */
int client_irq_count(struct vfio_client *c, uint32_t index, uint32_t *flags);

/* Value of a register; 0xdeadbeef... when the access fails. */
uint32_t client_read32(struct vfio_client *c, uint32_t region, uint64_t offset);
void client_write32(struct vfio_client *c, uint32_t region, uint64_t offset, uint32_t value);
void client_write16(struct vfio_client *c, uint32_t region, uint64_t offset, uint16_t value);

#endif
