/* log.c - which pages of the guest's memory we wrote: a bit for each, in memory shared with a VMM that migrates the guest.
 *
 * The log is off nearly always, so that writers only look at a flag. Marking comes after writing: whoever takes a bit away copies
 * the page afterwards. Regions are few and looked up by their host address one after the other.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/region.h"

#define LOG_PAGE 4096u /* of the log's bits, whatever the pages of the machine are */

int mem_set_log(struct guest_mem *m, int fd, uint64_t size, uint64_t offset, struct error *err)
{
	struct stat st;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skip = offset % page;

	if (m->log)
		munmap(m->log_mapping, m->log_mapping_size);
	m->log = NULL;
	m->log_size = 0;
	m->logging = false;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "dirty log: its descriptor cannot be read");
	if (size == 0 || offset > INT64_MAX || size > SIZE_MAX - skip ||
	    (S_ISREG(st.st_mode) &&
	     (offset > (uint64_t)st.st_size || size > (uint64_t)st.st_size - offset)))
		return error_set(err, -EINVAL,
				 "dirty log: it is empty, or larger than the file it lies in");
	void *at = mmap(NULL, (size_t)(size + skip), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			(off_t)(offset - skip));
	if (at == MAP_FAILED)
		return error_set(err, -errno, "dirty log: it cannot be mapped: %s",
				 strerror(errno));
	m->log_mapping = at;
	m->log_mapping_size = (size_t)(size + skip);
	m->log = (uint8_t *)at + skip;
	m->log_size = size;
	return 0;
}

static const struct mem_region *region_of(const struct mem_region *t, const uint8_t *host)
{
	while (t) {
		if (t->host && host >= t->host && (uint64_t)(host - t->host) < t->size)
			return t;
		/* the tree is sorted by guest address, which says nothing of host addresses */
		const struct mem_region *left = region_of(t->left, host);
		if (left)
			return left;
		t = t->right;
	}
	return NULL;
}

void mem_log_pages(struct guest_mem *m, const void *host, size_t len)
{
	const struct mem_region *r = m->log && len ? region_of(m->root, host) : NULL;

	if (!r)
		return;
	uint64_t at = r->iova + (uint64_t)((const uint8_t *)host - r->host);
	uint64_t last = (at + len - 1) / LOG_PAGE;
	for (uint64_t page = at / LOG_PAGE; page <= last && page / 8 < m->log_size; page++)
		__atomic_fetch_or(&m->log[page / 8], (uint8_t)BIT(page % 8), __ATOMIC_RELEASE);
}

void mem_log_iov(struct guest_mem *m, const struct iovec *iov, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		mem_log_pages(m, iov[i].iov_base, iov[i].iov_len);
}
