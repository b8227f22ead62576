#include "nic/intel/ring.h"

#include "base/bytes.h"

static uint64_t base_of(const struct intel_ring *r)
{
	return ((uint64_t)r->bah << 32 | r->bal) & ~(uint64_t)15;
}

bool intel_ring_reachable(struct nic *nic, const struct intel_ring *r)
{
	return mem_pointer(&nic->mem, base_of(r), INTEL_DESC_SIZE, MEM_READ | MEM_WRITE) != NULL;
}

bool intel_ring_open(struct nic *nic, const struct intel_ring *r, unsigned desc_size,
		     struct intel_ring_view *v)
{
	v->mem = &nic->mem;
	v->desc_size = (uint16_t)desc_size;
	v->base = base_of(r);
	v->count = r->len / desc_size;
	/* head and tail count 16 bytes, whatever the size of a descriptor */
	v->head = r->head / (desc_size / INTEL_DESC_SIZE);
	v->tail = r->tail / (desc_size / INTEL_DESC_SIZE);
	if (v->count == 0 || v->head >= v->count || v->tail >= v->count)
		return false;
	v->host = mem_pointer(v->mem, v->base, (size_t)v->count * desc_size, MEM_READ | MEM_WRITE);
	return true;
}

bool intel_ring_read(const struct intel_ring_view *v, uint32_t at, unsigned part,
		     struct intel_desc *d)
{
	size_t offset = (size_t)at * v->desc_size + (size_t)part * INTEL_DESC_SIZE;
	uint8_t bytes[INTEL_DESC_SIZE];
	const uint8_t *p = v->host ? v->host + offset : bytes;

	if (!v->host && !mem_read(v->mem, v->base + offset, bytes, sizeof(bytes)))
		return false;
	d->lo = get_le64(p);
	d->hi = get_le64(p + 8);
	return true;
}

bool intel_ring_write(const struct intel_ring_view *v, uint32_t at, unsigned offset,
		      const void *data, unsigned len)
{
	size_t where = (size_t)at * v->desc_size + offset;

	if (!v->host)
		return mem_write(v->mem, v->base + where, data, len);
	memcpy(v->host + where, data, len);
	return true;
}

bool intel_ring_publish(const struct intel_ring_view *v, uint32_t at, unsigned offset,
			uint32_t value)
{
	size_t where = (size_t)at * v->desc_size + offset;
	uint32_t word = htole32(value);

	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (!v->host)
		return mem_write(v->mem, v->base + where, &word, sizeof(word));
	__atomic_store_n((uint32_t *)(void *)(v->host + where), word, __ATOMIC_RELAXED);
	return true;
}
