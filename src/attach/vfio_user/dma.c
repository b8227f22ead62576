/* dma.c - guest memory: maps with descriptors, and the search for memory that only looks shared.
 *
 * A backend with share=off gives a descriptor too, but the guest's writes never reach the file: our map stays as it was, and
 * nothing on the client's command line that we can see tells. So once the guest has switched on bus mastering, when firmware and
 * a driver have run, we ask the client for a few bytes by DMA_READ and compare. Nobody waits for the answer: it comes between other
 * messages. Bytes that stood still on our side while the client had others, three times in a row, are proof; equal bytes
 * other than zero are proof of the contrary.
 */
#include <errno.h>
#include <string.h>

#include "attach/vfio_user/server.h"
#include "base/log.h"

#define LOGGED_REFUSALS 8 /* a client that goes on after these will not fill the log */
#define PROBE_SIZE	512u
#define PROBE_TRIES	8u
#define PROBE_DIFFERS	3u

/* Where firmware or a kernel has certainly written on some machine. Only what is mapped with a descriptor is asked for. */
static const uint64_t probe_places[] = {
	0x0,	    /* x86: interrupt vectors of the BIOS */
	0x400,	    /* x86: BIOS data area */
	0x7000,	    /* Cloud Hypervisor's boot parameters */
	0x9fc00,    /* x86: extended BIOS data area */
	0x100000,   /* x86: kernels */
	0x800000,   /* OVMF: page tables */
	0x1000000,  /* x86: Linux */
	0x40000000, /* Arm virt: device tree */
	0x80000000, /* RISC-V virt: firmware */
};

static void set_problem(struct vfio_user *v, const char *text)
{
	if (strcmp(v->problem, text) == 0)
		return;
	str_copy(v->problem, sizeof(v->problem), text);
	log_error("%s: %s", v->nic->spec.id, text);
}

int dma_judge_memory(struct vfio_user *v)
{
	if (!v->ram_unmapped || v->ram_mapped)
		return 0;
	set_problem(v, "guest memory has no file descriptor: add -object "
		       "memory-backend-memfd,id=mem,size=SIZE,share=on "
		       "-machine memory-backend=mem to QEMU's line, or use place=qemu");
	return -EOPNOTSUPP;
}

int serve_dma_map(struct vfio_user *v, struct request *rq)
{
	struct vu_dma_map map;
	struct error err = { 0 };
	unsigned access = 0;

	memcpy(&map, rq->body, sizeof(map));
	if (map.argsz < sizeof(map) || !(map.flags & (VU_DMA_R | VU_DMA_W)))
		return -EINVAL;
	if (map.flags & VU_DMA_R)
		access |= MEM_READ;
	if (map.flags & VU_DMA_W)
		access |= MEM_WRITE;
	int rc = mem_map(&v->nic->mem, map.iova, map.size, rq->nfds ? rq->fds[0] : -1, map.offset,
			 access, &err);
	if (rc < 0) {
		if (v->refused < LOGGED_REFUSALS)
			log_warning("%s: %s", v->nic->spec.id, err.text);
		return rc;
	}
	/* ROM (read-only) and video memory come without a descriptor: no driver puts a ring there */
	if (access & MEM_WRITE) {
		v->ram_mapped |= rq->nfds != 0;
		v->ram_unmapped |= rq->nfds == 0;
	}
	return 0;
}

int serve_dma_unmap(struct vfio_user *v, struct request *rq)
{
	struct vu_dma_unmap unmap;

	memcpy(&unmap, rq->body, sizeof(unmap));
	if (unmap.flags & VU_UNMAP_DIRTY)
		return -EOPNOTSUPP; /* nothing is logged */
	if (unmap.argsz < sizeof(unmap) || unmap.flags & ~VU_UNMAP_ALL)
		return -EINVAL;
	if (unmap.flags & VU_UNMAP_ALL) {
		if (unmap.iova || unmap.size)
			return -EINVAL;
		mem_unmap_all(&v->nic->mem);
	} else {
		int rc = mem_unmap(&v->nic->mem, unmap.iova, unmap.size);
		/* what is not there is unmapped: with a guest's IOMMU, QEMU asks for whole address spaces, as of the kernel */
		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	memcpy(rq->reply, &unmap, sizeof(unmap));
	rq->reply_size = sizeof(unmap);
	return 0;
}

/* Our bytes at a place, or NULL. That they are missing is no fault of the guest's. */
static const uint8_t *our_bytes(struct vfio_user *v, unsigned place)
{
	uint64_t faults = v->nic->mem.faults;
	const uint8_t *p = mem_pointer(&v->nic->mem, probe_places[place], PROBE_SIZE, MEM_READ);

	v->nic->mem.faults = faults;
	return p;
}

static bool all_zero(const uint8_t *p)
{
	for (unsigned i = 0; i < PROBE_SIZE; i++)
		if (p[i])
			return false;
	return true;
}

static uint64_t hash(const uint8_t *p)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (unsigned i = 0; i < PROBE_SIZE; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return h;
}

void dma_bus_master_on(struct vfio_user *v)
{
	struct probe *probe = &v->probe;

	if (probe->state != PROBE_IDLE)
		return;
	dma_judge_memory(v);
	*probe = (struct probe){ .state = PROBE_WANTED, .id = probe->id };
	if (v->client_serves_dma)
		return;
	/* Cloud Hypervisor expects no request from us. If it has shared memory, which it insists on, something is there. */
	for (unsigned i = 0; i < ARRAY_SIZE(probe_places); i++) {
		const uint8_t *p = our_bytes(v, i);
		if (p && !all_zero(p))
			probe->state = PROBE_DONE;
	}
}

void dma_probe_step(struct vfio_user *v)
{
	struct probe *probe = &v->probe;
	const uint8_t *p = NULL;

	if (probe->state != PROBE_WANTED || connection_blocked(v))
		return;
	while (probe->place < ARRAY_SIZE(probe_places) && !(p = our_bytes(v, probe->place)))
		probe->place++;
	if (!p) {
		/* without proof: again when bus mastering is switched on the next time */
		probe->state = probe->proven ? PROBE_DONE : PROBE_IDLE;
		return;
	}
	probe->before = hash(p);
	probe->state = PROBE_SENT;
	struct {
		struct vu_header h;
		struct vu_dma_access a;
	} ask = { { .id = ++probe->id, .command = VU_DMA_READ, .size = sizeof(ask) },
		  { .address = probe_places[probe->place], .count = PROBE_SIZE } };
	connection_send(v, &ask, sizeof(ask));
}

static void next_place(struct probe *probe)
{
	probe->place++;
	probe->tries = 0;
	probe->differed = 0;
}

/* What the client sees and what we see: one step nearer to a verdict. */
static void compare(struct vfio_user *v, const uint8_t *theirs)
{
	struct probe *probe = &v->probe;
	const uint8_t *ours = our_bytes(v, probe->place);

	probe->state = PROBE_WANTED;
	if (!ours) {
		next_place(probe); /* unmapped meanwhile, or bus mastering is off */
		return;
	}
	if (memcmp(ours, theirs, PROBE_SIZE) == 0) {
		probe->proven |= !all_zero(theirs);
		next_place(probe);
		return;
	}
	/* either the guest wrote in between, or what it wrote never comes here */
	probe->differed = hash(ours) == probe->before ? probe->differed + 1 : 0;
	if (probe->differed == PROBE_DIFFERS) {
		probe->state = PROBE_DONE;
		set_problem(v, "guest memory is private, so the card cannot see it: add share=on "
			       "to QEMU's memory backend, "
			       "or use place=qemu");
	} else if (++probe->tries == PROBE_TRIES) {
		next_place(probe);
	}
}

int dma_probe_reply(struct vfio_user *v, const struct vu_header *h, const uint8_t *body)
{
	struct vu_dma_access a;

	if (v->probe.state != PROBE_SENT || h->command != VU_DMA_READ || h->id != v->probe.id)
		return -EPROTO;
	if (h->flags & VU_ERROR) {
		v->probe.state = PROBE_IDLE; /* QEMU answers so when bus mastering is off again */
		return 0;
	}
	if (h->size != sizeof(*h) + sizeof(a) + PROBE_SIZE)
		return -EPROTO;
	memcpy(&a, body, sizeof(a));
	if (a.address != probe_places[v->probe.place] || a.count != PROBE_SIZE)
		return -EPROTO;
	compare(v, body + sizeof(a));
	return 0;
}
