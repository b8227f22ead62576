/* region.h - a mapped region, for the files of this folder alone.
 *
 * Regions are a treap: a search tree by guest address that is also a heap by a random number, so that no order of maps makes it
 * deep. */
#ifndef ANYNIC_MEM_REGION_H
#define ANYNIC_MEM_REGION_H

#include "mem/mem.h"

struct mem_region {
	struct mem_region *left, *right;
	uint64_t iova;
	uint64_t size;
	uint8_t *host; /* NULL: known but unreachable */
	void *mapping; /* what munmap gets: whole pages of the file */
	size_t mapping_size;
	unsigned access;
	uint32_t weight;
};

#endif
