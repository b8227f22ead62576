#include "vhost/vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"

static int request(const struct vhost *v, unsigned long what, const void *argument)
{
	return ioctl(v->fd, what, argument) < 0 ? -errno : 0;
}

int vhost_features(int fd, uint64_t *features)
{
	return ioctl(fd, VHOST_GET_FEATURES, features) < 0 ? -errno : 0;
}

int vhost_init(struct vhost *v, int fd, struct error *err)
{
	*v = (struct vhost){ .fd = fd, .kick = { -1, -1 } };
	int rc = request(v, VHOST_SET_OWNER, NULL);
	if (rc < 0)
		return error_set(err, rc, "vhost-net: the kernel starts no thread: %s",
				 strerror(-rc));
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		v->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (v->kick[i] < 0)
			return error_set(err, -errno, "vhost-net: no eventfd: %s", strerror(errno));
	}
	return 0;
}

void vhost_finish(struct vhost *v)
{
	uint16_t base[VHOST_RINGS];

	vhost_stop(v, base);
	fd_close(&v->fd);
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		fd_close(&v->kick[i]);
}

int vhost_set_memory(const struct vhost *v, const struct guest_mem *mem)
{
	struct mem_place place[VHOST_REGIONS_MAX];
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region[VHOST_REGIONS_MAX];
	} table = { 0 };
	int count = mem_list(mem, place, VHOST_REGIONS_MAX);

	if (count < 0)
		return count;
	table.head.nregions = (uint32_t)count;
	for (int i = 0; i < count; i++)
		table.region[i] = (struct vhost_memory_region){
			.guest_phys_addr = place[i].iova,
			.memory_size = place[i].size,
			.userspace_addr = (uintptr_t)place[i].host,
		};
	return request(v, VHOST_SET_MEM_TABLE, &table);
}

static int set_tap(const struct vhost *v, unsigned side, int tap)
{
	struct vhost_vring_file file = { .index = side, .fd = tap };

	return request(v, VHOST_NET_SET_BACKEND, &file);
}

static int set_ring(const struct vhost *v, unsigned side, const struct vhost_ring *r, int error)
{
	struct vhost_vring_state size = { .index = side, .num = r->size };
	struct vhost_vring_state base = { .index = side, .num = r->base };
	struct vhost_vring_addr addr = {
		.index = side,
		.desc_user_addr = (uintptr_t)r->desc,
		.avail_user_addr = (uintptr_t)r->driver,
		.used_user_addr = (uintptr_t)r->device,
	};
	struct vhost_vring_file kick = { .index = side, .fd = v->kick[side] };
	struct vhost_vring_file err = { .index = side, .fd = error };
	int rc = request(v, VHOST_SET_VRING_NUM, &size);

	if (rc == 0)
		rc = request(v, VHOST_SET_VRING_BASE, &base);
	if (rc == 0)
		rc = request(v, VHOST_SET_VRING_ADDR, &addr);
	if (rc == 0)
		rc = request(v, VHOST_SET_VRING_KICK, &kick);
	if (rc == 0)
		rc = request(v, VHOST_SET_VRING_ERR, &err);
	return rc < 0 ? rc : vhost_set_call(v, side, r->call);
}

int vhost_start(struct vhost *v, uint64_t features, const struct vhost_ring rings[VHOST_RINGS],
		int error, int tap)
{
	int rc = request(v, VHOST_SET_FEATURES, &features);

	for (unsigned i = 0; rc == 0 && i < VHOST_RINGS; i++)
		rc = set_ring(v, i, &rings[i], error);
	for (unsigned i = 0; rc == 0 && i < VHOST_RINGS; i++)
		rc = set_tap(v, i, tap);
	if (rc < 0) {
		for (unsigned i = 0; i < VHOST_RINGS; i++)
			set_tap(v, i, -1);
		return rc;
	}
	v->running = true;
	/* what is in the rings already comes without a kick of the guest's */
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		vhost_kick(v, i);
	return 0;
}

void vhost_stop(struct vhost *v, uint16_t base[VHOST_RINGS])
{
	for (unsigned i = 0; v->running && i < VHOST_RINGS; i++)
		set_tap(v, i, -1);
	for (unsigned i = 0; v->running && i < VHOST_RINGS; i++) {
		struct vhost_vring_state state = { .index = i };

		request(v, VHOST_GET_VRING_BASE, &state);
		base[i] = (uint16_t)state.num;
	}
	v->running = false;
}

int vhost_set_call(const struct vhost *v, enum vhost_side side, int call)
{
	struct vhost_vring_file file = { .index = side, .fd = call };

	return request(v, VHOST_SET_VRING_CALL, &file);
}

void vhost_kick(const struct vhost *v, enum vhost_side side)
{
	uint64_t one = 1;

	/* EAGAIN: 2^64 - 2 kicks wait already */
	if (write(v->kick[side], &one, sizeof(one)) < 0)
		return;
}
