/* mem.c - regions of guest memory, mapped from descriptors, and every access to them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/region.h"

#define MAPPING_UNIT_MAX (1ull << 30) /* the largest page that there is */

static uint32_t next_weight(void)
{
	static _Thread_local uint32_t x = 2463534242u; /* xorshift32 */

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/* All regions below `iova` go to *low, the others to *high. */
static void treap_split(struct mem_region *t, uint64_t iova, struct mem_region **low,
			struct mem_region **high)
{
	if (!t) {
		*low = *high = NULL;
	} else if (t->iova < iova) {
		treap_split(t->right, iova, &t->right, high);
		*low = t;
	} else {
		treap_split(t->left, iova, low, &t->left);
		*high = t;
	}
}

static struct mem_region *treap_merge(struct mem_region *low, struct mem_region *high)
{
	if (!low)
		return high;
	if (!high)
		return low;
	if (low->weight > high->weight) {
		low->right = treap_merge(low->right, high);
		return low;
	}
	high->left = treap_merge(low, high->left);
	return high;
}

/* The region with the lowest address whose end is above `addr`. Regions do not overlap, so ends are sorted too. */
static struct mem_region *region_from(struct mem_region *t, uint64_t addr)
{
	struct mem_region *best = NULL;

	while (t) {
		if (t->iova + (t->size - 1) >= addr) {
			best = t;
			t = t->left;
		} else {
			t = t->right;
		}
	}
	return best;
}

/* Makes the region around `addr` the last one. False: there is none that can be reached. */
static bool move_window(struct guest_mem *m, uint64_t addr)
{
	const struct mem_region *r = m->bus_master ? region_from(m->root, addr) : NULL;

	if (!r || addr < r->iova || !r->host)
		return false;
	m->last = (struct mem_window){ r->iova, r->size, r->host, r->access };
	return true;
}

static void invalidate(struct guest_mem *m)
{
	m->last = (struct mem_window){ 0 };
	m->generation++;
}

static void leave(struct guest_mem *m)
{
	if (m->leave)
		m->leave(m);
}

void mem_init(struct guest_mem *m)
{
	*m = (struct guest_mem){ .generation = 1 };
}

void mem_finish(struct guest_mem *m)
{
	mem_set_log(m, -1, 0, 0, NULL);
	mem_unmap_all(m);
}

void mem_set_bus_master(struct guest_mem *m, bool on)
{
	if (m->bus_master == on)
		return;
	leave(m);
	m->bus_master = on;
	invalidate(m);
}

/* A file of huge pages is mapped and unmapped in whole ones only, and says their size as its block size. QEMU cuts the
 * low memory of a PC at 640 KiB and 1 MiB whatever the pages are. */
static uint64_t mapping_unit(const struct stat *st)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t block = st->st_blksize > 0 ? (uint64_t)st->st_blksize : page;

	return block > page && block <= MAPPING_UNIT_MAX && (block & (block - 1)) == 0 ? block
										       : page;
}

/* A mapping past the end of its file would be a SIGBUS on first touch. */
static int check_file(int fd, uint64_t offset, uint64_t size, uint64_t *unit, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "guest memory: its descriptor cannot be read");
	*unit = mapping_unit(&st);
	if (!S_ISREG(st.st_mode))
		return 0; /* a device (hugetlbfs is a regular file): mmap decides */
	if (offset > (uint64_t)st.st_size || size > (uint64_t)st.st_size - offset)
		return error_set(
			err, -EINVAL,
			"guest memory: the file is smaller than the map that was asked for");
	return 0;
}

static int region_open(struct mem_region *r, int fd, uint64_t offset, struct error *err)
{
	uint64_t unit = 1;
	int prot = ((r->access & MEM_READ) ? PROT_READ : 0) |
		   ((r->access & MEM_WRITE) ? PROT_WRITE : 0);

	if (fd < 0)
		return 0;
	int rc = check_file(fd, offset, r->size, &unit, err);
	if (rc < 0)
		return rc;
	uint64_t skip = offset % unit;
	if (r->size > SIZE_MAX - skip - unit || offset - skip > INT64_MAX)
		return error_set(err, -EINVAL, "guest memory: the map is too large");
	r->mapping_size = (size_t)((r->size + skip + unit - 1) / unit * unit);
	r->mapping = mmap(NULL, r->mapping_size, prot, MAP_SHARED | MAP_NORESERVE, fd,
			  (off_t)(offset - skip));
	if (r->mapping == MAP_FAILED) {
		r->mapping = NULL;
		return error_set(err, -errno, "guest memory: cannot map %llu bytes: %s",
				 (unsigned long long)r->size, strerror(errno));
	}
	r->host = (uint8_t *)r->mapping + skip;
	return 0;
}

static void region_free(struct mem_region *r)
{
	if (r->mapping)
		munmap(r->mapping, r->mapping_size);
	free(r);
}

int mem_map(struct guest_mem *m, uint64_t iova, uint64_t size, int fd, uint64_t offset,
	    unsigned access, struct error *err)
{
	if (size == 0 || iova + (size - 1) < iova || offset + size < offset ||
	    (access & ~(MEM_READ | MEM_WRITE)))
		return error_set(err, -EINVAL,
				 "guest memory: the range wraps, is empty or has unknown flags");
	if (m->regions >= MEM_REGIONS_MAX)
		return error_set(err, -ENOSPC, "guest memory: more than %d maps", MEM_REGIONS_MAX);
	struct mem_region *next = region_from(m->root, iova);
	if (next && next->iova <= iova + (size - 1))
		return error_set(err, -EEXIST,
				 "guest memory: the range overlaps one that is mapped");

	struct mem_region *r = calloc(1, sizeof(*r));
	if (!r)
		return error_set(err, -ENOMEM, "guest memory: out of memory");
	r->iova = iova;
	r->size = size;
	r->access = access;
	r->weight = next_weight();
	int rc = region_open(r, fd, offset, err);
	if (rc < 0) {
		region_free(r);
		return rc;
	}
	struct mem_region *low, *high;
	treap_split(m->root, iova, &low, &high);
	m->root = treap_merge(treap_merge(low, r), high);
	m->regions++;
	return 0;
}

static void free_all(struct mem_region *t)
{
	if (!t)
		return;
	free_all(t->left);
	free_all(t->right);
	region_free(t);
}

static unsigned count_all(const struct mem_region *t)
{
	return t ? 1 + count_all(t->left) + count_all(t->right) : 0;
}

int mem_unmap(struct guest_mem *m, uint64_t iova, uint64_t size)
{
	struct mem_region *low, *inside, *high = NULL;

	if (size == 0 || iova + (size - 1) < iova)
		return -EINVAL;
	uint64_t last = iova + (size - 1);
	struct mem_region *first = region_from(m->root, iova);
	if (!first || first->iova > last)
		return -ENOENT;
	struct mem_region *tail = region_from(m->root, last);
	bool tail_cut = tail && tail->iova <= last && tail->iova + (tail->size - 1) > last;
	if (first->iova < iova || tail_cut)
		return -EINVAL;
	leave(m);
	treap_split(m->root, iova, &low, &inside);
	if (last != UINT64_MAX)
		treap_split(inside, last + 1, &inside, &high);
	m->regions -= count_all(inside);
	free_all(inside);
	m->root = treap_merge(low, high);
	invalidate(m);
	return 0;
}

void mem_unmap_all(struct guest_mem *m)
{
	leave(m);
	free_all(m->root);
	m->root = NULL;
	m->regions = 0;
	invalidate(m);
}

static int list_from(const struct mem_region *t, struct mem_place *out, unsigned at, unsigned max)
{
	int n = t ? list_from(t->left, out, at, max) : (int)at;

	if (!t || n < 0)
		return n;
	if (t->host && t->access == (MEM_READ | MEM_WRITE)) {
		if ((unsigned)n == max)
			return -E2BIG;
		out[n++] = (struct mem_place){ t->iova, t->size, t->host };
	}
	return list_from(t->right, out, (unsigned)n, max);
}

int mem_list(const struct guest_mem *m, struct mem_place *out, unsigned max)
{
	return list_from(m->root, out, 0, max);
}

/* Host address of `addr` and, in *len, how much of the wanted length lies in the same region. */
static uint8_t *piece(struct guest_mem *m, uint64_t addr, size_t *len, unsigned access)
{
	const struct mem_window *w = &m->last;

	if ((addr - w->iova >= w->size && !move_window(m, addr)) ||
	    (w->access & access) != access) {
		m->faults++;
		return NULL;
	}
	uint64_t at = addr - w->iova;
	*len = (size_t)MIN((uint64_t)*len, w->size - at);
	return w->host + at;
}

bool mem_read(struct guest_mem *m, uint64_t addr, void *to, size_t len)
{
	uint8_t *out = to;

	while (len) {
		size_t n = len;
		const uint8_t *from = piece(m, addr, &n, MEM_READ);
		if (!from)
			return false;
		memcpy(out, from, n);
		out += n;
		addr += n;
		len -= n;
	}
	return true;
}

bool mem_write(struct guest_mem *m, uint64_t addr, const void *from, size_t len)
{
	const uint8_t *in = from;

	while (len) {
		size_t n = len;
		uint8_t *to = piece(m, addr, &n, MEM_WRITE);
		if (!to)
			return false;
		memcpy(to, in, n);
		in += n;
		addr += n;
		len -= n;
	}
	return true;
}

void *mem_find(struct guest_mem *m, uint64_t addr, size_t len, unsigned access)
{
	size_t n = len;
	void *p = len ? piece(m, addr, &n, access) : NULL;

	return p && n == len ? p : NULL;
}

int mem_iov(struct guest_mem *m, uint64_t addr, size_t len, unsigned access, struct iovec *iov,
	    unsigned max)
{
	unsigned count = 0;

	while (len) {
		size_t n = len;
		uint8_t *p = piece(m, addr, &n, access);
		if (!p)
			return -EFAULT;
		if (count == max)
			return -E2BIG;
		iov[count++] = (struct iovec){ .iov_base = p, .iov_len = n };
		addr += n;
		len -= n;
	}
	return (int)count;
}

/* Moves `len` bytes between pieces (from byte `skip`) and a buffer; `out` tells the direction. */
static size_t iov_copy(const struct iovec *iov, unsigned count, size_t skip, void *buffer,
		       size_t len, bool out)
{
	uint8_t *b = buffer;
	size_t done = 0;

	for (unsigned i = 0; i < count && done < len; i++) {
		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		size_t n = MIN(iov[i].iov_len - skip, len - done);
		uint8_t *p = (uint8_t *)iov[i].iov_base + skip;
		if (out)
			memcpy(b + done, p, n);
		else
			memcpy(p, b + done, n);
		done += n;
		skip = 0;
	}
	return done;
}

size_t iov_to_buffer(const struct iovec *iov, unsigned count, size_t skip, void *to, size_t len)
{
	return iov_copy(iov, count, skip, to, len, true);
}

size_t iov_from_buffer(const struct iovec *iov, unsigned count, size_t skip, const void *from,
		       size_t len)
{
	return iov_copy(iov, count, skip, (void *)(uintptr_t)from, len, false);
}

size_t iov_length(const struct iovec *iov, unsigned count)
{
	size_t n = 0;

	for (unsigned i = 0; i < count; i++)
		n += iov[i].iov_len;
	return n;
}
