#include "vhost_user_client.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

enum { KIND_LISTEN = 1, KIND_CONNECTION };

static void drop_line(enum log_level level, const char *text)
{
	(void)level;
	(void)text;
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static struct sockaddr_un address(const struct vhc *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	str_copy(addr.sun_path, sizeof(addr.sun_path), c->path);
	return addr;
}

static void start_server(struct vhc *c)
{
	struct sockaddr_un addr = address(c);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(c->path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 4) < 0)
		abort();
	c->server = vhost_user_create(c->d->nic, fd, &c->loop, KIND_LISTEN, KIND_CONNECTION, NULL);
}

static void tell(void *arg, unsigned queue)
{
	struct vhc *c = arg;
	uint64_t one = 1;

	if (c->kick[queue] >= 0 && write(c->kick[queue], &one, sizeof(one)) < 0)
		abort();
	vhc_pump(c);
}

struct vhc *vhc_create(unsigned pairs, bool packed)
{
	struct nic_spec spec = { .rev = -1,
				 .bootindex = -1,
				 .queues = (uint16_t)pairs,
				 .packed = packed,
				 .transport = TRANSPORT_VHOST_USER };
	static unsigned made;
	int before = open_descriptors();
	struct vhc *c = calloc(1, sizeof(*c));

	log_set_sink(drop_line); /* the stories provoke warnings */
	c->fds_before = before;
	c->fd = -1;
	if (loop_init(&c->loop, NULL) < 0)
		abort();
	for (unsigned i = 0; i < VHC_RINGS; i++) {
		c->kick[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		c->call[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	snprintf(c->path, sizeof(c->path), "/tmp/anynic-vhost-%d-%u", (int)getpid(), made++);
	c->d = vd_create(&spec, NULL);
	c->d->tell = tell;
	c->d->tell_arg = c;
	start_server(c);
	return c;
}

int vhc_destroy(struct vhc *c)
{
	int before = c->fds_before;

	vhost_user_destroy(c->server);
	fd_close(&c->fd);
	for (unsigned i = 0; i < VHC_RINGS; i++) {
		close(c->kick[i]);
		close(c->call[i]);
	}
	vd_destroy(c->d);
	loop_finish(&c->loop);
	unlink(c->path);
	free(c);
	return open_descriptors() - before;
}

void vhc_restart_server(struct vhc *c)
{
	struct nic_spec spec = c->d->nic->spec;

	/* memory as it is: a process that is killed writes nothing more, and this end of a server writes nothing either */
	vhost_user_destroy(c->server);
	nic_destroy(c->d->nic);
	fd_close(&c->fd);
	c->d->nic = nic_create(&spec, &c->d->clock, c->d->batch, NULL);
	c->d->nic->sink = &c->d->sink;
	nic_set_link(c->d->nic, true);
	start_server(c);
}

void vhc_pump(struct vhc *c)
{
	struct loop_event e;

	for (unsigned i = 0; i < 1000 && loop_next(&c->loop, &e, 0) > 0; i++) {
		if (e.kind == KIND_LISTEN)
			vhost_user_accept(e.owner);
		else
			vhost_user_serve(e.owner, e.index, e.events);
		vd_run(c->d);
	}
}

void vhc_connect(struct vhc *c)
{
	struct sockaddr_un addr = address(c);

	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		abort();
	vhc_pump(c);
}

void vhc_hang_up(struct vhc *c)
{
	fd_close(&c->fd);
	vhc_pump(c);
}

bool vhc_alive(struct vhc *c)
{
	char byte;

	vhc_pump(c);
	return recv(c->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

void vhc_send_raw(struct vhc *c, const void *data, size_t size, const int *fds, unsigned nfds)
{
	fd_send(c->fd, data, size, fds, nfds);
	vhc_pump(c);
}

void vhc_send(struct vhc *c, uint32_t request, uint32_t flags, const void *body, uint32_t size,
	      const int *fds, unsigned nfds)
{
	uint8_t message[1024];
	struct vhu_header h = { .request = request, .flags = VHU_VERSION | flags, .size = size };

	memcpy(message, &h, sizeof(h));
	if (size)
		memcpy(message + sizeof(h), body, size);
	vhc_send_raw(c, message, sizeof(h) + size, fds, nfds);
}

int vhc_reply(struct vhc *c, struct vhu_header *h, void *body, uint32_t room)
{
	vhc_pump(c);
	if (recv(c->fd, h, sizeof(*h), 0) != sizeof(*h) || h->size > room ||
	    h->flags != (VHU_VERSION | VHU_REPLY))
		return -1;
	if (h->size && recv(c->fd, body, h->size, 0) != h->size)
		return -1;
	return (int)h->size;
}

uint64_t vhc_set(struct vhc *c, uint32_t request, const void *body, uint32_t size, const int *fds,
		 unsigned nfds)
{
	struct vhu_header h;
	uint64_t value;

	vhc_send(c, request, VHU_NEED_REPLY, body, size, fds, nfds);
	return vhc_reply(c, &h, &value, sizeof(value)) == 8 && h.request == request ? value
										    : UINT64_MAX;
}

uint64_t vhc_set_u64(struct vhc *c, uint32_t request, uint64_t value)
{
	return vhc_set(c, request, &value, sizeof(value), NULL, 0);
}

uint64_t vhc_set_state(struct vhc *c, uint32_t request, uint32_t index, uint32_t num)
{
	struct vhu_vring_state s = { index, num };

	return vhc_set(c, request, &s, sizeof(s), NULL, 0);
}

uint64_t vhc_get(struct vhc *c, uint32_t request)
{
	struct vhu_header h;
	uint64_t value;

	vhc_send(c, request, 0, NULL, 0, NULL, 0);
	return vhc_reply(c, &h, &value, sizeof(value)) == 8 && h.request == request ? value
										    : UINT64_MAX;
}

void vhc_greet(struct vhc *c, uint64_t features)
{
	uint64_t protocol = VHC_PROTOCOL;
	uint64_t all = features | F(VHU_F_PROTOCOL_FEATURES);

	vhc_connect(c);
	vhc_send(c, VHU_SET_OWNER, 0, NULL, 0, NULL, 0);
	vhc_send(c, VHU_SET_PROTOCOL_FEATURES, 0, &protocol, sizeof(protocol), NULL, 0);
	vhc_send(c, VHU_SET_FEATURES, 0, &all, sizeof(all), NULL, 0);
	c->d->features = features;
}

uint64_t vhc_add_memory(struct vhc *c)
{
	struct vhu_mem_reg m = {
		.region = { .guest = VD_RAM_AT, .size = VD_RAM_SIZE, .user = VHC_USER_AT }
	};

	return vhc_set(c, VHU_ADD_MEM_REG, &m, sizeof(m), &c->d->ram_fd, 1);
}

static uint64_t to_user(uint64_t guest)
{
	return guest - VD_RAM_AT + VHC_USER_AT;
}

uint64_t vhc_tell_addresses(struct vhc *c, unsigned ring, uint32_t flags)
{
	const struct vd_queue *q = &c->d->q[ring];
	struct vhu_vring_addr a = { .index = ring,
				    .flags = flags,
				    .desc = to_user(q->desc),
				    .used = to_user(q->device),
				    .avail = to_user(q->driver),
				    .log = q->device };

	return vhc_set(c, VHU_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
}

uint64_t vhc_start_ring(struct vhc *c, unsigned ring, uint32_t base)
{
	uint64_t index = ring;

	vhc_set(c, VHU_SET_VRING_CALL, &index, sizeof(index), &c->call[ring], 1);
	vhc_set_state(c, VHU_SET_VRING_NUM, ring, c->d->q[ring].size);
	vhc_set_state(c, VHU_SET_VRING_BASE, ring, base);
	vhc_tell_addresses(c, ring, 0);
	return vhc_set(c, VHU_SET_VRING_KICK, &index, sizeof(index), &c->kick[ring], 1);
}

void vhc_enable(struct vhc *c, unsigned ring, bool on)
{
	if (vhc_set_state(c, VHU_SET_VRING_ENABLE, ring, on) != 0)
		abort();
}

void vhc_up(struct vhc *c, uint64_t features, unsigned pairs)
{
	vhc_greet(c, features);
	if (vhc_add_memory(c) != 0)
		abort();
	for (unsigned i = 0; i < 2 * pairs; i++) {
		vd_setup_queue(c->d, i, 64);
		if (vhc_start_ring(c, i, features & F(VD_PACKED) ? 0x80008000 : 0) != 0)
			abort();
		vhc_enable(c, i, true);
		vhc_signals(c->call[i]);
	}
	vhc_set_u64(c, VHU_SET_STATUS, VD_ACKNOWLEDGE | VD_DRIVER | VD_DRIVER_OK);
}

uint32_t vhc_stop_ring(struct vhc *c, unsigned ring)
{
	struct vhu_vring_state s = { .index = ring };
	struct vhu_header h;

	vhc_send(c, VHU_GET_VRING_BASE, 0, &s, sizeof(s), NULL, 0);
	return vhc_reply(c, &h, &s, sizeof(s)) == 8 && s.index == ring ? s.num : UINT32_MAX;
}

uint64_t vhc_signals(int eventfd)
{
	uint64_t n = 0;

	return read(eventfd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

int vhc_setup(void **state)
{
	*state = vhc_create(1, true);
	return 0;
}

int vhc_teardown(void **state)
{
	return vhc_destroy(*state);
}
