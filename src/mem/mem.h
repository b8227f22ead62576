/* mem.h - the memory of a guest as one PCI device may see it. The only place where guest pointers are made.
 *
 * Regions are mapped from descriptors that the VMM sends (vfio-user DMA_MAP). Addresses are bus addresses (IOVA), sizes bytes.
 * While bus mastering is off nothing is reachable. The guest changes this memory at any moment: copy, check, then use.
 * One thread owns a guest_mem. A pointer or iovec is valid until the next mem_unmap, mem_reset or mem_set_bus_master:
 * whoever keeps one compares `generation` before each use.
 */
#ifndef ANYNIC_MEM_MEM_H
#define ANYNIC_MEM_MEM_H

#include <sys/uio.h>

#include "base/error.h"

enum mem_access { MEM_READ = 1, MEM_WRITE = 2 };

struct mem_region;

/* A region that can be reached now. */
struct mem_window {
	uint64_t iova, size; /* size 0: nothing is */
	uint8_t *host;
	unsigned access;
};

struct guest_mem {
	struct mem_region *root; /* tree by address */
	struct mem_window
		last; /* where the last access was: mostly the next one is there as well */
	unsigned regions;
	bool bus_master;     /* COMMAND.BME: off = every access fails */
	uint64_t generation; /* changes whenever kept pointers became invalid */
	uint64_t faults;     /* accesses outside memory */
	bool logging; /* tell mem_log what was written; on while there is a log and its owner wants it */
	uint8_t *log; /* a bit for each page of 4096 bytes; NULL = none */
	uint64_t log_size;
	void *log_mapping;
	size_t log_mapping_size;
	/* Called before a mapping goes away, or reachability: who handed host addresses to the kernel takes them back now. May be NULL */
	void (*leave)(struct guest_mem *m);
};

/* A mapping that can be read and written. */
struct mem_place {
	uint64_t iova, size;
	void *host;
};

#define MEM_REGIONS_MAX 65535

void mem_init(struct guest_mem *m);
void mem_finish(struct guest_mem *m); /* accepts a zeroed one */

/* Maps `size` bytes of `fd` from `offset` at `iova`. `access` is a set of enum mem_access. With fd -1 the range is known
 * but unreachable (ROM). The descriptor stays the caller's and may be closed afterwards.
 * -EEXIST on overlap, -EINVAL for a range that wraps or is not page-aligned where it must be, -ENOSPC, mmap's errors. */
int mem_map(struct guest_mem *m, uint64_t iova, uint64_t size, int fd, uint64_t offset,
	    unsigned access, struct error *err);

/* Unmaps every region inside [iova, iova + size). -ENOENT when there is none, -EINVAL when one is only partly inside. */
int mem_unmap(struct guest_mem *m, uint64_t iova, uint64_t size);
void mem_unmap_all(struct guest_mem *m);

void mem_set_bus_master(struct guest_mem *m, bool on);

/* All of them, by address. How many, or -E2BIG when there are more than `max`. */
int mem_list(const struct guest_mem *m, struct mem_place *out, unsigned max);

/* Bounded copies, across regions. False when any byte is outside (then nothing may be relied upon, `faults` counts). */
bool mem_read(struct guest_mem *m, uint64_t addr, void *to, size_t len);
bool mem_write(struct guest_mem *m, uint64_t addr, const void *from, size_t len);

/* mem_pointer's long way: not a part of those that take the short one */
__attribute__((noinline)) void *mem_find(struct guest_mem *m, uint64_t addr, size_t len,
					 unsigned access);

/* A pointer to [addr, addr + len) when it lies in one region with `access`, else NULL. */
__attribute__((always_inline)) static inline void *mem_pointer(struct guest_mem *m, uint64_t addr,
							       size_t len, unsigned access)
{
	const struct mem_window *w = &m->last;
	uint64_t at = addr - w->iova;

	/* no bytes are never inside: 0 - 1 is more than any size */
	if (at < w->size && (uint64_t)len - 1 < w->size - at && (w->access & access) == access)
		return w->host + at;
	return mem_find(m, addr, len, access);
}

/* Pieces of [addr, addr + len), at most `max`. Returns how many, -EFAULT outside memory, -E2BIG when max is too few. */
int mem_iov(struct guest_mem *m, uint64_t addr, size_t len, unsigned access, struct iovec *iov,
	    unsigned max);

/* Takes `size` bytes of `fd` from `offset` as the log of written pages, instead of the one before; -1: none. The descriptor stays the
 * caller's. `logging` is off afterwards. */
int mem_set_log(struct guest_mem *m, int fd, uint64_t size, uint64_t offset, struct error *err);
void mem_log_pages(struct guest_mem *m, const void *host, size_t len);
void mem_log_iov(struct guest_mem *m, const struct iovec *iov, unsigned count);

/* After writing through a pointer, or to pieces of guest memory. */
static inline void mem_log(struct guest_mem *m, const void *host, size_t len)
{
	if (__builtin_expect(m->logging, 0))
		mem_log_pages(m, host, len);
}

/* Copies between pieces and a buffer, from byte `skip` of the pieces on. Returns how many bytes were copied. */
size_t iov_to_buffer(const struct iovec *iov, unsigned count, size_t skip, void *to, size_t len);
size_t iov_from_buffer(const struct iovec *iov, unsigned count, size_t skip, const void *from,
		       size_t len);
size_t iov_length(const struct iovec *iov, unsigned count);

#endif
