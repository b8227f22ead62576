#include "vfio_user_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char client_qemu_text[] =
	"{\"capabilities\":{\"pgsizes\":4096,\"max_msg_fds\":16,\"max_dma_maps\":65535,"
	"\"max_data_xfer_size\":1048576,\"migration\":{\"max_bitmap_size\":268435456,"
	"\"pgsize\":4096},\"write_multiple\":true}}";

static void pump(struct vfio_client *c)
{
	if (c->pump)
		c->pump(c->pump_arg);
}

int client_connect(struct vfio_client *c, const char *path, void (*pump_fn)(void *arg),
		   void *pump_arg)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	*c = (struct vfio_client){ .pump = pump_fn, .pump_arg = pump_arg };
	str_copy(addr.sun_path, sizeof(addr.sun_path), path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int rc = -errno;
		fd_close(&c->fd);
		return rc;
	}
	if (c->pump)
		fd_set_nonblock(c->fd, true);
	pump(c);
	return 0;
}

void client_close(struct vfio_client *c)
{
	fd_close(&c->fd);
	pump(c);
}

void client_send_raw(struct vfio_client *c, const void *data, size_t size, const int *fds,
		     unsigned nfds)
{
	const uint8_t *p = data;

	while (size) {
		long n = fd_send(c->fd, p, size, fds, nfds);
		if (n == -EAGAIN) {
			pump(c);
			continue;
		}
		if (n < 0)
			return; /* the server hung up; the next receive says so */
		nfds = 0;
		p += n;
		size -= (size_t)n;
	}
}

uint16_t client_send(struct vfio_client *c, uint16_t command, uint32_t flags, const void *body,
		     uint32_t size, const int *fds, unsigned nfds)
{
	struct vu_header h = { .id = ++c->id,
			       .command = command,
			       .size = (uint32_t)sizeof(h) + size,
			       .flags = flags };
	uint8_t *message = malloc(h.size);

	memcpy(message, &h, sizeof(h));
	if (size)
		memcpy(message + sizeof(h), body, size);
	client_send_raw(c, message, h.size, fds, nfds);
	free(message);
	return h.id;
}

/* Exactly `size` bytes: 1, 0 at the end, -EAGAIN when they do not come although the server had its turns. */
static int receive_exactly(struct vfio_client *c, void *to, size_t size)
{
	uint8_t *p = to;
	unsigned idle = 0;

	while (size) {
		ssize_t n = recv(c->fd, p, size, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		if (n < 0) {
			if (++idle > 3)
				return -EAGAIN;
			pump(c);
			continue;
		}
		idle = 0;
		p += n;
		size -= (size_t)n;
	}
	return 1;
}

int client_receive(struct vfio_client *c, struct client_message *m)
{
	int rc = receive_exactly(c, &m->h, sizeof(m->h));

	if (rc <= 0)
		return rc;
	m->size = m->h.size - (uint32_t)sizeof(m->h);
	if (m->h.size < sizeof(m->h) || m->size > sizeof(m->body))
		return -EPROTO;
	return m->size ? receive_exactly(c, m->body, m->size) : 1;
}

int client_call(struct vfio_client *c, uint16_t command, const void *body, uint32_t size,
		const int *fds, unsigned nfds, void *reply, uint32_t room)
{
	static _Thread_local struct client_message m;
	uint16_t id = client_send(c, command, 0, body, size, fds, nfds);
	int rc = client_receive(c, &m);

	while (rc > 0 && c->refuse_dma && (m.h.flags & VU_TYPE) != VU_REPLY) {
		struct vu_header no = {
			.id = m.h.id, .command = m.h.command, .size = sizeof(no), .error = ENODEV
		};
		no.flags = VU_REPLY | VU_ERROR;
		client_send_raw(c, &no, sizeof(no), NULL, 0);
		rc = client_receive(c, &m);
	}
	if (rc <= 0)
		return rc == 0 ? -ECONNRESET : rc;
	if (m.h.id != id || m.h.command != command || (m.h.flags & VU_TYPE) != VU_REPLY)
		return -EPROTO;
	if (m.h.flags & VU_ERROR)
		return m.size == 0 ? -(int)m.h.error : -EPROTO;
	if (reply)
		memcpy(reply, m.body, MIN(m.size, room));
	return (int)m.size;
}

int client_hello(struct vfio_client *c, const char *text)
{
	struct vu_version version = { 0 };
	uint8_t body[1024];
	size_t length = strlen(text) + 1;

	memcpy(body, &version, sizeof(version));
	memcpy(body + sizeof(version), text, length);
	int rc = client_call(c, VU_VERSION, body, (uint32_t)(sizeof(version) + length), NULL, 0,
			     NULL, 0);
	return rc < 0 ? rc : 0;
}

int client_map(struct vfio_client *c, uint64_t iova, uint64_t size, int fd, uint64_t offset,
	       uint32_t flags)
{
	struct vu_dma_map map = {
		.argsz = sizeof(map), .flags = flags, .offset = offset, .iova = iova, .size = size
	};

	return client_call(c, VU_DMA_MAP, &map, sizeof(map), &fd, fd >= 0, NULL, 0);
}

int client_unmap(struct vfio_client *c, uint64_t iova, uint64_t size)
{
	struct vu_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = iova, .size = size };

	return client_call(c, VU_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, NULL, 0);
}

int client_region_read(struct vfio_client *c, uint32_t region, uint64_t offset, uint32_t count,
		       void *to)
{
	struct vu_region_access a = { .offset = offset, .region = region, .count = count };
	static _Thread_local uint8_t reply[sizeof(a) + CLIENT_BODY];
	int rc = client_call(c, VU_REGION_READ, &a, sizeof(a), NULL, 0, reply, sizeof(reply));

	if (rc < 0)
		return rc;
	if ((uint32_t)rc != sizeof(a) + count || memcmp(reply, &a, sizeof(a)))
		return -EPROTO;
	memcpy(to, reply + sizeof(a), count);
	return 0;
}

static uint32_t write_body(uint8_t *body, uint32_t region, uint64_t offset, uint32_t count,
			   const void *from)
{
	struct vu_region_access a = { .offset = offset, .region = region, .count = count };

	memcpy(body, &a, sizeof(a));
	memcpy(body + sizeof(a), from, count);
	return (uint32_t)sizeof(a) + count;
}

int client_region_write(struct vfio_client *c, uint32_t region, uint64_t offset, uint32_t count,
			const void *from)
{
	static _Thread_local uint8_t body[16 + 65536];
	uint8_t reply[16];
	uint32_t size = write_body(body, region, offset, count, from);
	int rc = client_call(c, VU_REGION_WRITE, body, size, NULL, 0, reply, sizeof(reply));

	if (rc < 0)
		return rc;
	return rc == sizeof(reply) && memcmp(reply, body, sizeof(reply)) == 0 ? 0 : -EPROTO;
}

void client_region_post(struct vfio_client *c, uint32_t region, uint64_t offset, uint32_t count,
			const void *from)
{
	uint8_t body[64];
	uint32_t size = write_body(body, region, offset, count, from);

	client_send(c, VU_REGION_WRITE, VU_NO_REPLY, body, size, NULL, 0);
}

int client_set_irqs(struct vfio_client *c, uint32_t flags, uint32_t index, uint32_t start,
		    uint32_t count, const int *fds, unsigned nfds)
{
	struct vu_set_irqs set = {
		.argsz = sizeof(set), .flags = flags, .index = index, .start = start, .count = count
	};

	return client_call(c, VU_SET_IRQS, &set, sizeof(set), fds, nfds, NULL, 0);
}

uint32_t client_read32(struct vfio_client *c, uint32_t region, uint64_t offset)
{
	uint32_t value;

	return client_region_read(c, region, offset, 4, &value) < 0 ? 0xdeadbeef : value;
}

void client_write32(struct vfio_client *c, uint32_t region, uint64_t offset, uint32_t value)
{
	client_region_write(c, region, offset, 4, &value);
}

void client_write16(struct vfio_client *c, uint32_t region, uint64_t offset, uint16_t value)
{
	client_region_write(c, region, offset, 2, &value);
}

int client_irq_count(struct vfio_client *c, uint32_t index, uint32_t *flags)
{
	struct vu_irq_info q = { .argsz = sizeof(q), .index = index };
	int rc = client_call(c, VU_GET_IRQ_INFO, &q, sizeof(q), NULL, 0, &q, sizeof(q));

	if (flags)
		*flags = q.flags;
	return rc < 0 ? rc : (int)q.count;
}
