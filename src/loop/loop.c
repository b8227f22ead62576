#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

int loop_init(struct loop *loop, struct error *err)
{
	*loop = (struct loop){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	if (loop->epoll_fd < 0)
		return error_set(err, -errno,
				 "cannot make an epoll descriptor: raise the limit of open files");
	return 0;
}

void loop_finish(struct loop *loop)
{
	if (loop->epoll_fd > 0)
		fd_close(&loop->epoll_fd);
	free(loop->heap);
	*loop = (struct loop){ .epoll_fd = -1 };
}

int loop_watch(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = source };

	if (events == source->events)
		return 0;
	if (events == 0) {
		loop_unwatch(loop, source);
		return 0;
	}
	int op = source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(loop->epoll_fd, op, source->fd, &e) < 0)
		return -errno;
	source->events = events;
	return 0;
}

void loop_unwatch(struct loop *loop, struct loop_source *source)
{
	if (source->events)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->events = 0;
	for (int i = loop->batch_at; i < loop->batch_length; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
}

/* The timers are a binary heap by deadline; a timer knows its own place. */
static void heap_put(struct loop *loop, unsigned at, struct loop_timer *timer)
{
	loop->heap[at] = timer;
	timer->slot = at + 1;
}

static void heap_up(struct loop *loop, unsigned at)
{
	struct loop_timer *timer = loop->heap[at];

	while (at > 0) {
		unsigned parent = (at - 1) / 2;
		if (loop->heap[parent]->deadline_ns <= timer->deadline_ns)
			break;
		heap_put(loop, at, loop->heap[parent]);
		at = parent;
	}
	heap_put(loop, at, timer);
}

static void heap_down(struct loop *loop, unsigned at)
{
	struct loop_timer *timer = loop->heap[at];

	for (;;) {
		unsigned child = 2 * at + 1;
		if (child >= loop->timers)
			break;
		if (child + 1 < loop->timers &&
		    loop->heap[child + 1]->deadline_ns < loop->heap[child]->deadline_ns)
			child++;
		if (timer->deadline_ns <= loop->heap[child]->deadline_ns)
			break;
		heap_put(loop, at, loop->heap[child]);
		at = child;
	}
	heap_put(loop, at, timer);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns)
{
	if (timer->slot) {
		timer->deadline_ns = deadline_ns;
		heap_up(loop, timer->slot - 1);
		heap_down(loop, timer->slot - 1);
		return 0;
	}
	if (loop->timers == loop->heap_room) {
		unsigned room = loop->heap_room ? 2 * loop->heap_room : 16;
		struct loop_timer **heap = realloc(loop->heap, room * sizeof(struct loop_timer *));
		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->heap_room = room;
	}
	timer->deadline_ns = deadline_ns;
	heap_put(loop, loop->timers++, timer);
	heap_up(loop, timer->slot - 1);
	return 0;
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	if (!timer->slot)
		return;
	unsigned at = timer->slot - 1;
	struct loop_timer *last = loop->heap[--loop->timers];
	timer->slot = 0;
	if (last == timer)
		return;
	heap_put(loop, at, last);
	heap_up(loop, at);
	heap_down(loop, last->slot - 1);
}

static bool pop_timer(struct loop *loop, struct loop_event *event)
{
	if (loop->timers == 0 || loop->heap[0]->deadline_ns > monotonic_ns())
		return false;
	struct loop_timer *timer = loop->heap[0];
	loop_timer_cancel(loop, timer);
	*event = (struct loop_event){ .kind = timer->kind, .owner = timer->owner };
	return true;
}

static bool pop_source(struct loop *loop, struct loop_event *event)
{
	while (loop->batch_at < loop->batch_length) {
		const struct epoll_event *e = &loop->batch[loop->batch_at++];
		const struct loop_source *source = e->data.ptr;
		if (!source)
			continue; /* unwatched meanwhile */
		*event = (struct loop_event){ .kind = source->kind,
					      .index = source->index,
					      .events = e->events,
					      .owner = source->owner };
		return true;
	}
	return false;
}

/* Until the next deadline of a timer or of the caller, whichever is first; -1 = for ever. */
static int64_t wait_ns(const struct loop *loop, uint64_t now, uint64_t end)
{
	uint64_t first = end;

	if (loop->timers && loop->heap[0]->deadline_ns < first)
		first = loop->heap[0]->deadline_ns;
	if (first == UINT64_MAX)
		return -1;
	return first > now ? (int64_t)MIN(first - now, (uint64_t)INT64_MAX) : 0;
}

static int wait_batch(struct loop *loop, int64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / (int64_t)NS_PER_S),
			       .tv_nsec = (long)(ns % (int64_t)NS_PER_S) };

	if (ns != 0)
		loop->wakeups++;
	int n = epoll_pwait2(loop->epoll_fd, loop->batch, LOOP_BATCH, ns < 0 ? NULL : &ts, NULL);
	if (n < 0)
		return -errno;
	loop->batch_length = n;
	loop->batch_at = 0;
	return n;
}

int loop_next(struct loop *loop, struct loop_event *event, int timeout_ms)
{
	if (pop_source(loop, event))
		return 1;
	/* ... but one that is due again and again must not starve descriptors either */
	if (loop->timer_was_last) {
		loop->timer_was_last = false;
		int n = wait_batch(loop, 0);
		if (n < 0)
			return n;
		if (pop_source(loop, event))
			return 1;
	}
	uint64_t now = monotonic_ns();
	uint64_t end = timeout_ms < 0 ? UINT64_MAX : now + (uint64_t)timeout_ms * NS_PER_MS;
	for (;;) {
		/* timers first: a flood of packets must not starve them */
		if (pop_timer(loop, event)) {
			loop->timer_was_last = true;
			return 1;
		}
		int64_t ns = wait_ns(loop, now, end);
		int n = wait_batch(loop, ns);
		if (n < 0)
			return n;
		if (pop_source(loop, event))
			return 1;
		now = monotonic_ns();
		if (now >= end && !(loop->timers && loop->heap[0]->deadline_ns <= now))
			return 0;
	}
}

bool loop_batch_done(const struct loop *loop)
{
	return loop->batch_at >= loop->batch_length;
}
