/* Rings whose device was killed between any two of its stores, while the driver goes on: ring_start with `recover`.
 *
 * Small packed rings are tried in all their states. A driver of a few lines posts chains; the real device code pops and pushes them
 * and is stepped through, one instruction after the other, so that the ring is seen after each store. Each of those pictures is
 * recovered with every set of the driver's free slots written by then, which is more than a driver in the middle of a chain writes,
 * and also all that a look at a running one may see. Then a QEMU drops frames, before the next device comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/bytes.h"
#include "nic/virtio/ring.h"

#define RAM	    0x10000u
#define RING	    0x1000u
#define EVENTS	    0x2000u /* driver's and device's */
#define BUFFERS	    0x4000u
#define SIZE_MAX_IN 4u /* of the rings that are tried in all states */
#define BYTES	    (SIZE_MAX_IN * 16)
#define AVAIL	    0x80u
#define USED	    0x8000u
#define PICTURES    64u

static struct guest_mem mem;
static uint8_t *ram;

static int set_up(void **state)
{
	struct error err;
	int fd = memfd_create("ram", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, RAM), 0);
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(ram, MAP_FAILED);
	mem_init(&mem);
	assert_int_equal(mem_map(&mem, 0, RAM, fd, 0, MEM_READ | MEM_WRITE, &err), 0);
	mem_set_bus_master(&mem, true);
	close(fd);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mem_finish(&mem);
	munmap(ram, RAM);
	return 0;
}

/* --- a driver: places count on, from lap to lap --- */
struct driver {
	unsigned size;
	unsigned next, used;	   /* places */
	unsigned slots[RAM / 256]; /* of a chain, by its place */
};

static uint8_t *slot(const struct driver *d, unsigned place)
{
	return ram + RING + place % d->size * 16;
}

static bool lap(const struct driver *d, unsigned place)
{
	return place / d->size % 2 == 0;
}

static uint16_t *flags_at(const struct driver *d, unsigned place)
{
	return (uint16_t *)(void *)(slot(d, place) + 14);
}

/* A buffer tells by its length which place it was given for. */
static uint32_t length_of(unsigned place)
{
	return 100 + place % 4096;
}

static void write_slot(const struct driver *d, unsigned place, bool more, unsigned id)
{
	uint16_t flags = (lap(d, place) ? AVAIL : USED) | (more ? VRING_DESC_F_NEXT : 0);

	put_le64(slot(d, place), BUFFERS);
	put_le32(slot(d, place) + 8, length_of(place));
	put_le16(slot(d, place) + 12, (uint16_t)id);
	__atomic_store_n(flags_at(d, place), htole16(flags), __ATOMIC_RELEASE);
}

static unsigned id_of(const struct driver *d, unsigned place)
{
	return place % d->size;
}

/* The first slot of a chain comes last. */
static void post(struct driver *d, unsigned slots)
{
	unsigned id = id_of(d, d->next);

	for (unsigned i = slots; i-- > 0;)
		write_slot(d, d->next + i, i + 1 < slots, id);
	d->slots[d->next % ARRAY_SIZE(d->slots)] = slots;
	d->next += slots;
}

static bool shown(const struct driver *d)
{
	uint16_t flags = le16toh(__atomic_load_n(flags_at(d, d->used), __ATOMIC_ACQUIRE));

	return !!(flags & AVAIL) == lap(d, d->used) && !!(flags & USED) == lap(d, d->used);
}

/* Takes a used chain back: true, and it is the one that came next. */
static bool take(struct driver *d, uint32_t *written)
{
	if (!shown(d))
		return false;
	assert_int_equal(get_le16(slot(d, d->used) + 12), id_of(d, d->used));
	*written = get_le32(slot(d, d->used) + 8);
	d->used += d->slots[d->used % ARRAY_SIZE(d->slots)];
	return true;
}

/* --- a device --- */
static void start_again(struct ring *r)
{
	r->recover = true;
	ring_rewind(r); /* where the owner believes that it stands: long ago */
	assert_true(ring_start(r));
}

static void start(struct ring *r, unsigned size, bool indirect)
{
	*r = (struct ring){
		.mem = &mem,
		.desc = RING,
		.driver = EVENTS,
		.device = EVENTS + 64,
		.size = (uint16_t)size,
		.packed = true,
		.indirect = indirect,
	};
	start_again(r);
}

/* Pops a chain, and it is that which was given for `place`. */
static bool pop(struct ring *r, unsigned place, struct ring_used *used)
{
	struct iovec iov[SIZE_MAX_IN * 2];
	struct ring_chain c = { .out = { .iov = iov, .max = ARRAY_SIZE(iov) } };

	int got = ring_pop(r, &c);
	assert_true(got >= 0);
	if (!got)
		return false;
	assert_int_equal(c.id, place % r->size);
	assert_int_equal(c.out.count, c.slots);
	for (unsigned i = 0; i < c.slots; i++)
		assert_int_equal(iov[i].iov_len, length_of(place + i));
	*used = (struct ring_used){ .id = c.id,
				    .slots = (uint16_t)c.slots,
				    .written = length_of(place) / 2 };
	return true;
}

/* --- what the device's stores leave, one after the other --- */
static struct {
	volatile bool on;
	size_t bytes;
	unsigned n;
	uint8_t picture[PICTURES][BYTES];
} steps;

static void look(void)
{
	if (memcmp(steps.picture[steps.n - 1], ram + RING, steps.bytes) && steps.n < PICTURES)
		memcpy(steps.picture[steps.n++], ram + RING, steps.bytes);
}

#if defined(__x86_64__)
#define STEPPED 1

/* After each instruction, while the trap flag is on. */
static void trapped(int number, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

	(void)number;
	(void)info;
	if (steps.on)
		look();
	*flags = steps.on ? *flags | 0x100 : *flags & ~0x100;
}

static void step_through(bool on)
{
	struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };

	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	steps.on = on;
	if (on)
		raise(SIGTRAP);
}
#else
#define STEPPED 0

static void step_through(bool on)
{
	(void)on; /* before and after a batch is all that is seen */
}
#endif

/* Pushes in two batches at most and shows: the first picture is the one before. */
static void record(struct ring *r, const struct ring_used *used, unsigned n)
{
	steps.n = 1;
	steps.bytes = (size_t)r->size * 16;
	memcpy(steps.picture[0], ram + RING, steps.bytes);
	step_through(true);
	ring_push(r, used, n / 2);
	ring_push(r, used + n / 2, n - n / 2);
	ring_publish(r);
	step_through(false);
	look();
	assert_true(steps.n < PICTURES);
	if (STEPPED && n)
		assert_true(steps.n >= n + 2); /* a store for each, and the one that shows */
}

/* --- all states --- */
static struct {
	struct ring_used used[SIZE_MAX_IN]; /* chains that waited ... */
	unsigned chains, pushed;	    /* ... and of those, which the device was done with */
	unsigned tried;
} story;

/* What the driver finds used, and in which order: returns how many. */
static unsigned take_all(struct driver *d)
{
	uint32_t written;
	unsigned n = 0;

	while (n < story.pushed && take(d, &written)) {
		assert_int_equal(written, story.used[n].written);
		n++;
	}
	assert_false(shown(d));
	return n;
}

/* All that waits is popped, all that the driver has room for is posted and used. */
static void goes_round(struct driver *d, struct ring *r, unsigned from)
{
	struct ring_used used;
	uint32_t written;
	unsigned place = d->used;

	for (unsigned i = from; i < story.chains; i++) {
		assert_true(pop(r, place, &used));
		assert_int_equal(used.slots, story.used[i].slots);
		ring_push(r, &used, 1);
		place += used.slots;
	}
	ring_publish(r);
	for (unsigned i = from; i < story.chains; i++)
		assert_true(take(d, &written));
	/* the driver ends what it began, as slots of their own */
	while (d->next < d->used + d->size)
		post(d, 1);
	while (d->used < d->next) {
		assert_true(pop(r, d->used, &used));
		ring_push(r, &used, 1);
		ring_publish(r);
		assert_true(take(d, &written));
	}
	assert_false(pop(r, d->used, &used));
}

/* Whole chains, and then one of which the first slot is to be written last, which does not take the whole ring. */
static bool is_in_order(unsigned ahead, unsigned size)
{
	if (ahead == BIT(size) - 2)
		return false;
	while (ahead & 1)
		ahead >>= 1;
	ahead >>= 1;
	return !(ahead & (ahead + 1));
}

/* The device was killed after store `at`; of the driver's free slots, those in `ahead` are written. `indirect`: it may be that QEMU
 * dropped frames, which it did not. */
static unsigned one_state(const struct driver *before, unsigned at, unsigned ahead, bool indirect)
{
	struct driver d = *before;
	struct ring r;

	memcpy(ram + RING, steps.picture[at], steps.bytes);
	unsigned room = d.used + d.size - d.next;
	for (unsigned i = 0; i < room; i++)
		if (ahead & BIT(i))
			write_slot(&d, d.next + i, false, id_of(&d, d.next + i));
	start(&r, d.size, indirect);
	for (unsigned i = 0; i < room; i++) {
		bool avail = le16toh(*flags_at(&d, d.next + i)) & AVAIL, wrote = ahead & BIT(i);
		assert_int_equal(avail, wrote == lap(&d, d.next + i)); /* as it was */
	}
	unsigned done = take_all(&d);
	assert_int_equal(r.avail, d.used % d.size);
	assert_int_equal(r.used, d.used % d.size);
	assert_int_equal(r.used_wrap, lap(&d, d.used));
	goes_round(&d, &r, done);
	story.tried++;
	return done;
}

/* Chains wait, as the bits of `ends` cut them, and the device gives `pushed` of them back. */
static void one_batch(struct driver *d, unsigned waiting, unsigned ends, unsigned pushed)
{
	struct driver before;
	struct ring r;
	unsigned length = 0, seen = 0;

	story.chains = 0;
	for (unsigned i = 0; i < waiting; i++) {
		length++;
		if (i + 1 < waiting && !(ends & BIT(i)))
			continue;
		post(d, length);
		length = 0;
		story.chains++;
	}
	story.pushed = pushed = MIN(pushed, story.chains);
	start(&r, d->size, false);
	for (unsigned i = 0, place = d->used; i < story.chains; i++) {
		assert_true(pop(&r, place, &story.used[i]));
		place += story.used[i].slots;
	}
	record(&r, story.used, pushed);
	before = *d;
	for (unsigned at = 0, n = steps.n; at < n; at++) {
		unsigned done = 0;
		for (unsigned ahead = 0; ahead < BIT(d->size - waiting); ahead++) {
			done = one_state(&before, at, ahead, false);
			if (is_in_order(ahead, d->size))
				assert_int_equal(one_state(&before, at, ahead, true), done);
		}
		assert_true(done >= seen); /* and the same for all that the driver does */
		seen = done;
	}
	assert_int_equal(seen, pushed);
}

/* `past` chains of `slots` went through the ring, so that it is anywhere and holds what is left of chains. */
static void run_up(struct driver *d, unsigned size, unsigned past, unsigned slots)
{
	struct ring r;
	struct ring_used used;
	uint32_t written;

	memset(ram, 0, RAM);
	*d = (struct driver){ .size = size };
	start(&r, size, false);
	for (unsigned i = 0; i < past; i++) {
		post(d, slots);
		assert_true(pop(&r, d->used, &used));
		ring_push(&r, &used, 1);
		ring_publish(&r);
		assert_true(take(d, &written));
	}
}

/* A batch of all that waits is seen after each of its stores; one of the first chain only leaves some behind that is shown. */
static void all_of_size(unsigned size)
{
	struct driver d;

	for (unsigned slots = 1; slots <= size; slots++)
		for (unsigned past = 0; past < (slots == 1 ? 2 * size : size); past++)
			for (unsigned waiting = 0; waiting <= size; waiting++)
				for (unsigned ends = 0; ends < BIT(waiting ? waiting - 1 : 0);
				     ends++) {
					run_up(&d, size, past, slots);
					one_batch(&d, waiting, ends, size);
					if (story.chains < 2)
						continue;
					run_up(&d, size, past, slots);
					one_batch(&d, waiting, ends, 1);
				}
}

static void every_state_of_a_small_packed_ring_is_recovered(void **state)
{
	(void)state;
	for (unsigned size = 1; size <= SIZE_MAX_IN; size++)
		all_of_size(size);
	print_message("%u states\n", story.tried);
	assert_true(story.tried > 5000);
}

/* Bytes of a hostile guest: some place inside the ring, within bounds; nothing else is promised. */
static void any_bytes_give_a_place_inside_the_ring(void **state)
{
	struct ring r;
	uint32_t random = 1;

	(void)state;
	for (unsigned turn = 0; turn < 20000; turn++) {
		for (unsigned i = 0; i < BYTES; i++) {
			random = random * 1664525 + 1013904223;
			ram[RING + i] = (uint8_t)(random >> 24);
		}
		start(&r, 1 + turn % SIZE_MAX_IN, turn & 4);
		assert_true(r.used < r.size && r.avail == r.used && r.avail_wrap == r.used_wrap);
	}
}

/* A server that marks the first slot of a used chain only: the ring tells nothing, the owner may. */
static void what_no_server_of_ours_leaves_keeps_the_place_that_was_told(void **state)
{
	struct driver d;
	struct ring r;

	(void)state;
	run_up(&d, 8, 0, 1);
	for (unsigned i = 0; i < 2; i++) {
		post(&d, 3);
		*flags_at(&d, 3 * i) = htole16(AVAIL | USED);
	}
	r = (struct ring){ .mem = &mem, .desc = RING, .driver = EVENTS, .device = EVENTS + 64 };
	r.size = 8;
	r.packed = r.recover = true;
	r.avail = r.used = 6;
	r.avail_wrap = r.used_wrap = true;
	assert_true(ring_start(&r));
	assert_int_equal(r.used, 6);
	assert_int_equal(r.avail, 6);
	assert_true(r.used_wrap && r.avail_wrap);
}

/* --- a QEMU that drops frames --- */

/* As hw/virtio/virtio.c does it: of each chain from `from` on the first slot is used, has no NEXT, no length and its own id. */
static unsigned drop_from(const struct driver *d, unsigned from)
{
	while (from < d->next) {
		put_le32(slot(d, from) + 8, 0);
		*flags_at(d, from) = htole16(lap(d, from) ? AVAIL | USED : 0);
		from += d->slots[from % ARRAY_SIZE(d->slots)];
	}
	return from;
}

/* Of `waiting` chains the device was done with `pushed`, shown or not, when it was killed; QEMU drops from chain `stale` of the others
 * on, and the driver posts what it has room for. */
static void one_drop(struct driver *d, unsigned slots, unsigned waiting, unsigned pushed, bool show,
		     unsigned stale)
{
	struct ring r;
	struct ring_used used[8];
	unsigned place = d->used, dropped = 0;
	uint32_t written;

	for (unsigned i = 0; i < waiting; i++)
		post(d, slots);
	start(&r, d->size, false);
	for (unsigned i = 0; i < pushed; i++)
		assert_true(pop(&r, place + i * slots, &used[i]));
	ring_push(&r, used, pushed);
	if (show)
		ring_publish(&r);
	assert_int_equal(drop_from(d, place + (pushed + stale) * slots), d->next);
	while (d->next + slots <= d->used + d->size)
		post(d, slots);

	r.indirect = true;
	start_again(&r);
	for (; dropped < waiting; dropped++) {
		assert_true(take(d, &written));
		assert_int_equal(written, dropped < pushed ? used[dropped].written : 0);
	}
	assert_false(shown(d));
	assert_int_equal(r.used, d->used % d->size);
	assert_int_equal(r.used_wrap, lap(d, d->used));
	while (d->used < d->next) {
		assert_true(pop(&r, d->used, used));
		ring_push(&r, used, 1);
		ring_publish(&r);
		assert_true(take(d, &written));
	}
	assert_false(pop(&r, d->used, used));
	story.tried++;
}

static void what_qemu_dropped_from_a_stale_place_does_not_end_the_ring(void **state)
{
	enum { SIZE = 8 };
	struct driver d;

	(void)state;
	story.tried = 0;
	for (unsigned slots = 1; slots <= 3; slots++)
		for (unsigned past = 0; past < 2 * SIZE; past++)
			for (unsigned waiting = 2; waiting <= SIZE / slots; waiting++)
				for (unsigned pushed = 0; pushed + 2 <= waiting; pushed++)
					for (unsigned stale = 1; pushed + stale < waiting; stale++)
						for (unsigned show = 0; show < 2; show++) {
							run_up(&d, SIZE, past, slots);
							one_drop(&d, slots, waiting, pushed, show,
								 stale);
						}
	assert_true(story.tried > 3000);
}

/* --- a driver that runs --- */
#define CHAINS 60000u

static void *keep_posting(void *data)
{
	struct driver *d = data;
	unsigned long taken = 0;
	uint32_t written;

	for (unsigned i = 0; taken < CHAINS;) {
		unsigned slots = 1 + i % 3;
		if (i < CHAINS && d->next + slots <= d->used + d->size) {
			post(d, slots);
			i++;
		} else if (!shown(d)) {
			sched_yield();
		}
		while (taken < i && take(d, &written))
			taken++;
	}
	return NULL;
}

static void one_device_after_the_other_serves_a_driver_that_runs(unsigned size)
{
	static struct driver d; /* the thread's */
	struct ring r;
	struct ring_used used[2];
	pthread_t thread;
	unsigned place = 0;

	memset(ram, 0, RAM);
	d = (struct driver){ .size = size };
	assert_int_equal(pthread_create(&thread, NULL, keep_posting, &d), 0);
	for (unsigned served = 0, turn = 0; served < CHAINS; turn++) {
		unsigned n = 0;
		start(&r, size, false);
		assert_int_equal(r.used, place % size);
		assert_int_equal(r.used_wrap, lap(&d, place));
		for (unsigned from = place; n < 1 + turn % 2 && pop(&r, from, &used[n]); n++)
			from += used[n].slots;
		if (!n)
			sched_yield();
		ring_push(&r, used, n);
		/* some end before they show, then the next one does */
		if (turn % 3)
			ring_publish(&r);
		for (unsigned i = 0; i < n; i++)
			place += used[i].slots;
		served += n;
	}
	start(&r, size, false); /* shows what may be left */
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_driver_that_runs_loses_nothing_to_sixty_thousand_restarts(void **state)
{
	(void)state;
	one_device_after_the_other_serves_a_driver_that_runs(3);
	one_device_after_the_other_serves_a_driver_that_runs(8);
}

/* Split: the used index is the device's alone, so the driver may add whatever it likes. */
static void a_split_ring_goes_on_at_its_used_index(void **state)
{
	struct ring r = { .mem = &mem, .desc = RING, .driver = EVENTS, .device = EVENTS + 256 };

	(void)state;
	memset(ram, 0, RAM);
	for (unsigned ahead = 0; ahead <= 4; ahead++) {
		put_le16(ram + EVENTS + 256 + 2, 0xfffe);
		put_le16(ram + EVENTS + 2, (uint16_t)(0xfffe + ahead));
		r.size = 4;
		r.recover = true;
		ring_rewind(&r);
		assert_true(ring_start(&r));
		assert_int_equal(r.used, 0xfffe);
		assert_int_equal(ring_waiting(&r), ahead);
		assert_int_equal(r.fault, RING_FINE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_of_a_small_packed_ring_is_recovered),
		cmocka_unit_test(any_bytes_give_a_place_inside_the_ring),
		cmocka_unit_test(what_no_server_of_ours_leaves_keeps_the_place_that_was_told),
		cmocka_unit_test(what_qemu_dropped_from_a_stale_place_does_not_end_the_ring),
		cmocka_unit_test(a_driver_that_runs_loses_nothing_to_sixty_thousand_restarts),
		cmocka_unit_test(a_split_ring_goes_on_at_its_used_index),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
