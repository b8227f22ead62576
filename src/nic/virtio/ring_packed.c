/* ring_packed.c - packed virtqueues (virtio 1.x, 2.8).
 *
 * One ring of {u64 addr, u32 len, u16 id, u16 flags} that driver and device both write; a wrap counter on each side tells
 * which descriptors are whose. The event areas are {u16 slot and wrap, u16 flags}.
 */
#include <linux/virtio_ring.h>

#include "base/bytes.h"
#include "nic/virtio/ring.h"

#define FLAG_AVAIL BIT(VRING_PACKED_DESC_F_AVAIL)
#define FLAG_USED  BIT(VRING_PACKED_DESC_F_USED)
#define AT_LENGTH  8 /* and from there on all that a used slot has */
#define AT_ID	   12
#define AT_FLAGS   14
#define EVENT_WRAP BIT(VRING_PACKED_EVENT_F_WRAP_CTR)

/* Ours, in the first slot of a batch that is not shown yet: its chain is done, used id and length are there. A flag that virtio has no
 * use for; the driver has no business with that slot before packed_publish takes the flag away. */
#define FLAG_DONE BIT(14)

static uint8_t *slot_at(const struct ring *r, unsigned slot)
{
	return r->desc_at + RING_DESCRIPTOR * slot;
}

bool packed_map(struct ring *r)
{
	r->desc_at = mem_pointer(r->mem, r->desc, RING_DESCRIPTOR * r->size, MEM_READ | MEM_WRITE);
	r->driver_at = mem_pointer(r->mem, r->driver, 4, MEM_READ);
	r->device_at = mem_pointer(r->mem, r->device, 4, MEM_WRITE);
	return r->desc_at && r->driver_at && r->device_at && (uintptr_t)r->desc_at % 16 == 0;
}

/* 2.8.1: the driver gave it in this lap. */
static bool given(uint16_t flags, bool wrap)
{
	return !!(flags & FLAG_AVAIL) == wrap && !!(flags & FLAG_USED) != wrap;
}

static bool available(const struct ring *r, unsigned slot, bool wrap)
{
	const uint16_t *at = (const uint16_t *)(const void *)(slot_at(r, slot) + AT_FLAGS);

	return given(le16toh(__atomic_load_n(at, __ATOMIC_ACQUIRE)), wrap);
}

static uint16_t flags_of(const struct ring *r, unsigned slot)
{
	const uint16_t *at = (const uint16_t *)(const void *)(slot_at(r, slot) + AT_FLAGS);

	return le16toh(__atomic_load_n(at, __ATOMIC_RELAXED));
}

static void step(const struct ring *r, uint16_t *slot, bool *wrap, unsigned slots)
{
	unsigned to = *slot + slots;

	if (to >= r->size) {
		to -= r->size;
		*wrap = !*wrap;
	}
	*slot = (uint16_t)to;
}

unsigned packed_waiting(struct ring *r)
{
	uint16_t slot = r->avail;
	bool wrap = r->avail_wrap;
	unsigned chains = 0;

	for (unsigned i = 0; i < r->size && available(r, slot, wrap); i++) {
		chains += !(ring_descriptor_at(slot_at(r, slot)).high & VRING_DESC_F_NEXT);
		step(r, &slot, &wrap, 1);
	}
	return chains;
}

/* One look at each slot tells whether it was given, and that it is all of its chain. */
RING_PREFETCHES unsigned packed_pop_ones(struct ring *r, enum mem_access access, unsigned skip,
					 struct iovec *buffer, struct ring_used *used, unsigned max,
					 bool *other)
{
	const uint16_t mask = FLAG_AVAIL | FLAG_USED | RING_ONE_MASK;
	uint16_t wanted = ring_one_flags(access) | (r->avail_wrap ? FLAG_AVAIL : FLAG_USED);
	unsigned slot = r->avail, size = r->size, n = 0;
	uint8_t *slots = r->desc_at;

	*other = false;
	for (; n < max; n++) {
		struct ring_descriptor d = ring_descriptor_at(slots + RING_DESCRIPTOR * slot);
		uint8_t *at = NULL;

		if ((d.high & mask) == wanted)
			at = mem_pointer(r->mem, d.addr, d.length, access);
		if (!at) {
			*other = given(d.high, wanted & FLAG_AVAIL);
			break;
		}
		ring_prefetch(at, d.length, access, skip);
		buffer[n] = (struct iovec){ .iov_base = at, .iov_len = d.length };
		used[n] = (struct ring_used){ .id = d.low, .slots = 1 };
		if (++slot == size) {
			slot = 0;
			wanted ^= FLAG_AVAIL | FLAG_USED;
		}
	}
	r->avail = (uint16_t)slot;
	r->avail_wrap = wanted & FLAG_AVAIL;
	if (n < max && !*other) {
		r->seen = r->avail;
		r->seen_wrap = r->avail_wrap;
	}
	return n;
}

int packed_pop(struct ring *r, struct ring_chain *c)
{
	uint16_t slot = r->avail;
	bool wrap = r->avail_wrap;

	for (c->slots = 1; c->slots <= r->size; c->slots++) {
		struct ring_descriptor d = ring_descriptor_at(slot_at(r, slot));
		/* the driver gives the first descriptor of a chain last */
		if (c->slots == 1 && !given(d.high, wrap)) {
			r->seen = slot;
			r->seen_wrap = wrap;
			return 0;
		}
		bool next = d.high & VRING_DESC_F_NEXT;
		step(r, &slot, &wrap, 1);
		if (d.high & VRING_DESC_F_INDIRECT) {
			if (next || c->slots > 1) /* 2.8.8: alone */
				return ring_fail(r, RING_BAD_INDIRECT);
			if (ring_walk_table(r, c, d.addr, d.length) < 0)
				return -1;
		} else if (ring_add(r, c, d.addr, d.length, d.high & VRING_DESC_F_WRITE) < 0) {
			return -1;
		}
		if (!next) {
			c->id = d.low; /* 2.8.6: the id is in the last one */
			r->avail = slot;
			r->avail_wrap = wrap;
			return 1;
		}
	}
	return ring_fail(r, RING_LOOP);
}

void packed_unpop(struct ring *r, unsigned slots)
{
	if (slots > r->avail) {
		r->avail = (uint16_t)(r->avail + r->size - slots);
		r->avail_wrap = !r->avail_wrap;
	} else {
		r->avail = (uint16_t)(r->avail - slots);
	}
}

static void store_flags(const struct ring *r, unsigned slot, uint16_t flags)
{
	uint16_t *at = (uint16_t *)(void *)(slot_at(r, slot) + AT_FLAGS);

	__atomic_store_n(at, htole16(flags), __ATOMIC_RELEASE);
}

static uint16_t with_lap(uint16_t flags, bool wrap)
{
	flags &= (uint16_t) ~(FLAG_AVAIL | FLAG_USED);
	return flags | (wrap ? FLAG_AVAIL | FLAG_USED : 0);
}

/* The driver looks at the first slot of a used chain only. The others are marked as well, in their order, so that packed_recover can
 * tell them from such as wait; that there are more of them, the first one says until they are. */
__attribute__((noinline)) static void mark_rest(const struct ring *r, unsigned first,
						unsigned slots, bool wrap)
{
	uint16_t slot = (uint16_t)first;

	for (unsigned i = 1; i < slots; i++) {
		step(r, &slot, &wrap, 1);
		store_flags(r, slot, with_lap(flags_of(r, slot), wrap));
	}
	store_flags(r, first, flags_of(r, first) & (uint16_t)~VRING_DESC_F_NEXT);
}

/* Release: after a kill between any two stores, the ring says how far we came. */
static void store_used(const struct ring *r, unsigned slot, const struct ring_used *used,
		       uint16_t flags)
{
	uint64_t *at = (uint64_t *)(void *)(slot_at(r, slot) + AT_LENGTH);
	uint64_t word = (uint64_t)flags << 48 | (uint64_t)used->id << 32 | used->written;

	__atomic_store_n(at, htole64(word), __ATOMIC_RELEASE);
}

/* All of a used slot but its address; the first slot's flags say that it is done, and nothing that the driver would see. Until
 * ring_publish stores what it is to see there, it sees nothing of the batch. */
void packed_push(struct ring *r, const struct ring_used *used, unsigned n)
{
	uint16_t lap = r->used_wrap ? FLAG_AVAIL | FLAG_USED : 0, pushed = r->pushed;
	unsigned slot = r->used;

	for (unsigned i = 0; i < n; i++) {
		uint16_t flags = lap | (used[i].written ? VRING_DESC_F_WRITE : 0);

		if (pushed == 0) {
			r->head_slot = (uint16_t)slot;
			r->head_flags = flags;
			flags = flags_of(r, slot) | FLAG_DONE;
		}
		if (used[i].slots > 1)
			flags |= VRING_DESC_F_NEXT;
		store_used(r, slot, &used[i], flags);
		if (used[i].slots > 1)
			mark_rest(r, slot, used[i].slots, lap != 0);
		pushed = (uint16_t)(pushed + used[i].slots);
		slot += used[i].slots;
		if (slot >= r->size) {
			slot -= r->size;
			lap ^= FLAG_AVAIL | FLAG_USED;
		}
	}
	r->used = (uint16_t)slot;
	r->used_wrap = lap != 0;
	r->pushed = pushed;
}

/* The lap in which a device was last done with the slot. */
static bool done_in(uint16_t flags)
{
	return !(flags & FLAG_USED) != !(flags & FLAG_DONE);
}

/* We are done with it, and with more of its chain; what the driver gave us looks otherwise. */
static bool goes_on(uint16_t flags)
{
	bool done = (flags & FLAG_DONE) || !(flags & FLAG_AVAIL) == !(flags & FLAG_USED);

	return done && (flags & VRING_DESC_F_NEXT);
}

/* Marks what is left of a chain that the device before us was marking. */
static void end_chain(struct ring *r)
{
	for (unsigned i = 0; i < r->size; i++) {
		if (!goes_on(flags_of(r, (r->used + r->size - 1u) % r->size)))
			return;
		store_flags(r, r->used, with_lap(flags_of(r, r->used), r->used_wrap));
		step(r, &r->used, &r->used_wrap, 1);
	}
}

/* Shows the batch that begins in this slot. */
static void show(const struct ring *r, unsigned slot)
{
	uint16_t *at = (uint16_t *)(void *)(slot_at(r, slot) + AT_FLAGS);
	uint16_t seen = __atomic_load_n(at, __ATOMIC_RELAXED), flags = le16toh(seen);

	if (!(flags & FLAG_DONE))
		return;
	flags = with_lap(get_le32(slot_at(r, slot) + AT_LENGTH) ? VRING_DESC_F_WRITE : 0,
			 flags & FLAG_AVAIL);
	__atomic_compare_exchange_n(at, &seen, htole16(flags), false, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
}

/* The slots that wait: how many, and which of them was given first. By the laps: what waits in this lap is nowhere before it, what waits
 * in the next one nowhere behind. 0 also when the slots contradict each other. */
static unsigned find_waiting(const struct ring *r, uint16_t *oldest, bool *oldest_wrap)
{
	unsigned first[2] = { r->size, r->size }, behind[2] = { 0, 0 }; /* by the lap */
	unsigned n = 0;

	for (unsigned slot = 0; slot < r->size; slot++) {
		uint16_t flags = flags_of(r, slot);
		bool wrap = flags & FLAG_AVAIL;

		if ((flags & FLAG_DONE) || !given(flags, wrap))
			continue;
		first[wrap] = MIN(first[wrap], slot);
		behind[wrap] = slot + 1;
		n++;
	}
	for (unsigned wrap = 0; wrap < 2; wrap++) {
		if (first[wrap] == r->size || behind[!wrap] > first[wrap])
			continue;
		*oldest = (uint16_t)first[wrap];
		*oldest_wrap = wrap;
		return n;
	}
	return 0;
}

/* How many slots the driver gave as one, and under which id. */
static struct ring_used waiting_chain(const struct ring *r)
{
	struct ring_used chain = { .slots = 1 };
	uint16_t slot = r->used;
	bool wrap = r->used_wrap;

	while ((flags_of(r, slot) & VRING_DESC_F_NEXT) && chain.slots < r->size) {
		step(r, &slot, &wrap, 1);
		chain.slots++;
	}
	chain.id = get_le16(slot_at(r, slot) + AT_ID);
	return chain;
}

/* Of a chain of which only the first slot was marked: the others wait still, and have its id, if they are Linux's. */
static uint16_t marked_chain(const struct ring *r)
{
	uint16_t slot = r->used, id = get_le16(slot_at(r, slot) + AT_ID), slots = 1;
	bool wrap = r->used_wrap;

	for (step(r, &slot, &wrap, 1); slots < r->size; slots++, step(r, &slot, &wrap, 1))
		if (!given(flags_of(r, slot), wrap) || get_le16(slot_at(r, slot) + AT_ID) != id)
			break;
	return slots;
}

/* While its server is gone, a QEMU whose guest sends drops the frames: it marks them used, with the link down. It does not know
 * where the server stood, but only where that began (virtio.c cannot tell it from a packed ring), and when the driver's new
 * frames reach that slot, those behind it are used and those before it wait. The driver looks at the oldest only, so nobody would
 * ever go on. They are dropped as well, up to the last one that QEMU dropped; the driver sees it with one store, as always. */
static void drop_to_last_done(struct ring *r, uint16_t slot, bool wrap)
{
	unsigned end = 0;

	r->used = slot;
	r->used_wrap = wrap;
	for (unsigned i = 0; i < r->size; i++, step(r, &slot, &wrap, 1))
		if (done_in(flags_of(r, slot)) == wrap)
			end = i + 1;
	for (unsigned i = 0; i < end;) {
		if (done_in(flags_of(r, r->used)) == r->used_wrap) {
			uint16_t slots = marked_chain(r);

			mark_rest(r, r->used, slots, r->used_wrap);
			step(r, &r->used, &r->used_wrap, slots);
			i += slots;
		} else {
			struct ring_used chain = waiting_chain(r);

			packed_push(r, &chain, 1);
			i += chain.slots;
		}
	}
	packed_publish(r);
	r->pushed = 0;
}

/* Dropped up to the last slot of a full ring, the used bits change once, but where nothing waits though something does. That something is
 * not just a chain whose first slot is still to be written; a chain that takes the whole ring is not thought of. */
static bool drops_hide(const struct ring *r, uint16_t place, uint16_t oldest, unsigned waiting)
{
	/* the driver runs: of slots that it gave since, this one came first */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	uint16_t flags = flags_of(r, place);

	return !given(flags, flags & FLAG_AVAIL) &&
	       (oldest != (place + 1) % r->size || waiting + 1 == r->size);
}

/* Where a device stood that ended between any two of its stores, while the driver runs and may itself be in the middle of a chain.
 *
 * Of the two bits of 2.8.1 the driver never changes the used one: in lap w it writes avail w and used !w, and used !w is what the
 * device left there when it was done with the slot in lap !w (or what a cleared ring has). So whatever a driver writes, in whatever
 * order and however much of it we see, the used bits tell the place of the device. In its lap w:
 *
 *   slots before the place                                                          avail  used
 *     used in this lap                                                                w      w
 *     given for the next lap, or of a chain whose first slot is not yet written       !w     w
 *   slots from the place on
 *     wait, or of a chain whose first slot is not yet written                         w      !w
 *     used in the lap before                                                          !w     !w
 *
 * The used bit changes once, at the place; or nowhere, when the place is slot 0.
 *
 * The device may leave a batch that it did not come to show: the first slot waits, for the driver, and FLAG_DONE says what it is; the
 * others are used. All of it is shown now. The last chain may be marked to its middle only: then its last used slot has NEXT.
 *
 * A ring that looks otherwise is not of our making. Either a QEMU without a server dropped frames, see drop_to_last_done, or another
 * server was here, which marks the first slot of a used chain only. Then the others still look as if they waited, and nothing but the
 * word of the owner tells where that server stood; so the former is believed only of rings whose chains are mostly of one slot. */
void packed_recover(struct ring *r)
{
	bool first = done_in(flags_of(r, 0)), last = first, wrap;
	unsigned changes = 0, begun = r->size, waiting;
	uint16_t place = 0, oldest;

	for (unsigned slot = 0; slot < r->size; slot++) {
		uint16_t flags = flags_of(r, slot);

		if (flags & FLAG_DONE)
			begun = slot;
		if (done_in(flags) == last)
			continue;
		last = !last;
		place = (uint16_t)slot;
		changes++;
	}
	waiting = r->indirect ? find_waiting(r, &oldest, &wrap) : 0;
	if (changes <= 1 && !(waiting && drops_hide(r, place, oldest, waiting))) {
		r->used = place;
		r->used_wrap = place ? first : !first;
		end_chain(r);
	} else if (waiting) {
		drop_to_last_done(r, oldest, wrap);
	} else {
		begun = r->size;
	}
	if (begun < r->size)
		show(r, begun);
	r->avail = r->used;
	r->avail_wrap = r->used_wrap;
}

void packed_publish(struct ring *r)
{
	store_flags(r, r->head_slot, r->head_flags);
}

bool packed_wants(const struct ring *r, uint16_t span)
{
	const uint32_t *at = (const uint32_t *)(const void *)r->driver_at;
	uint32_t event = le32toh(__atomic_load_n(at, __ATOMIC_RELAXED));
	uint16_t flags = (uint16_t)(event >> 16) & 3;
	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !r->event_idx)
		return true;
	/* slots count from the start of this lap; those of the lap before are negative */
	int slot = (int)(event & (EVENT_WRAP - 1)), now = r->used, before = now - span;
	if (!!(event & EVENT_WRAP) != r->used_wrap)
		slot -= r->size;
	return slot >= before && slot < now;
}

void packed_set_kicks(struct ring *r, bool on)
{
	uint32_t event = VRING_PACKED_EVENT_FLAG_DISABLE << 16;

	if (on && r->event_idx)
		event = (uint32_t)VRING_PACKED_EVENT_FLAG_DESC << 16 |
			(r->seen_wrap ? EVENT_WRAP : 0) | r->seen;
	else if (on)
		event = (uint32_t)VRING_PACKED_EVENT_FLAG_ENABLE << 16;
	__atomic_store_n((uint32_t *)(void *)r->device_at, htole32(event), __ATOMIC_RELAXED);
}

bool packed_more(struct ring *r)
{
	return available(r, r->seen, r->seen_wrap);
}
