/* memory.c - the guest's memory as the client shares it, and the log of pages that we wrote.
 *
 * Regions are given by guest address, with the client's own address beside it: rings are told in the latter.
 */
#include <errno.h>
#include <string.h>

#include "attach/vhost_user/server.h"

bool memory_translate(const struct vhost_user *v, uint64_t user, uint64_t size, uint64_t *guest)
{
	for (unsigned i = 0; i < v->regions; i++) {
		const struct vhu_region *r = &v->region[i];
		if (user < r->user || user - r->user >= r->size ||
		    size > r->size - (user - r->user))
			continue;
		*guest = r->guest + (user - r->user);
		return true;
	}
	return false;
}

static bool wraps(uint64_t from, uint64_t size)
{
	return from + (size - 1) < from;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a <= b + (b_size - 1) && b <= a + (a_size - 1);
}

/* Guest addresses are checked by mem_map. */
static int check_region(const struct vhost_user *v, const struct vhu_region *r)
{
	if (r->size == 0 || wraps(r->user, r->size) || wraps(r->guest, r->size))
		return -EINVAL;
	for (unsigned i = 0; i < v->regions; i++)
		if (overlap(r->user, r->size, v->region[i].user, v->region[i].size))
			return -EEXIST;
	return v->regions < SLOTS_MAX ? 0 : -ENOSPC;
}

/* The descriptor stays the request's. */
static int add_region(struct vhost_user *v, const struct vhu_region *r, int fd)
{
	struct error err = { 0 };
	int rc = check_region(v, r);

	if (rc == 0)
		rc = mem_map(&v->nic->mem, r->guest, r->size, fd, r->offset, MEM_READ | MEM_WRITE,
			     &err);
	if (rc < 0) {
		str_copy(v->problem, sizeof(v->problem), err.text[0] ? err.text : strerror(-rc));
		return rc;
	}
	v->region[v->regions++] = *r;
	return 0;
}

void memory_forget(struct vhost_user *v)
{
	v->regions = 0;
	mem_unmap_all(&v->nic->mem);
	mem_set_log(&v->nic->mem, -1, 0, 0, NULL);
}

int serve_mem_table(struct vhost_user *v, struct request *rq)
{
	struct vhu_mem_table table = { 0 };
	int rc = 0;

	memcpy(&table, rq->body, rq->size);
	if (table.count > VHU_TABLE_REGIONS || table.count != rq->nfds ||
	    rq->size <
		    offsetof(struct vhu_mem_table, region) + table.count * sizeof(table.region[0]))
		return -EINVAL;
	v->regions = 0;
	mem_unmap_all(&v->nic->mem);
	for (unsigned i = 0; i < table.count && rc == 0; i++)
		rc = add_region(v, &table.region[i], rq->fds[i]);
	vrings_moved(v);
	return rc;
}

int serve_slots(struct vhost_user *v, struct request *rq)
{
	(void)v;
	reply_u64(rq, SLOTS_MAX);
	return 0;
}

int serve_add_region(struct vhost_user *v, struct request *rq)
{
	struct vhu_mem_reg m;

	memcpy(&m, rq->body, sizeof(m));
	if (rq->nfds != 1)
		return -EINVAL;
	int rc = add_region(v, &m.region, rq->fds[0]);
	if (rc == 0)
		vrings_moved(v);
	return rc;
}

/* The descriptor that some clients send with it was never of use. */
int serve_remove_region(struct vhost_user *v, struct request *rq)
{
	struct vhu_mem_reg m;

	memcpy(&m, rq->body, sizeof(m));
	for (unsigned i = 0; i < v->regions; i++) {
		const struct vhu_region *r = &v->region[i];
		if (r->guest != m.region.guest || r->user != m.region.user ||
		    r->size != m.region.size)
			continue;
		int rc = mem_unmap(&v->nic->mem, r->guest, r->size);
		v->region[i] = v->region[--v->regions];
		return rc;
	}
	return -ENOENT;
}

/* ------------------------------------------------------------------------------------------------ the log */

void memory_set_logging(struct vhost_user *v)
{
	v->nic->mem.logging = v->nic->mem.log && (v->features >> VHU_F_LOG_ALL & 1);
}

int serve_log_base(struct vhost_user *v, struct request *rq)
{
	struct vhu_log log;
	struct error err = { 0 };

	memcpy(&log, rq->body, sizeof(log));
	if (rq->nfds != 1)
		return -EINVAL;
	int rc = mem_set_log(&v->nic->mem, rq->fds[0], log.size, log.offset, &err);
	if (rc < 0) {
		str_copy(v->problem, sizeof(v->problem), err.text);
		return rc;
	}
	memory_set_logging(v);
	return 0; /* the reply has no payload */
}

/* An eventfd for whoever wants to hear of each write into the log. QEMU reads the log when it wants to. */
int serve_log_fd(struct vhost_user *v, struct request *rq)
{
	(void)v, (void)rq;
	return 0;
}
