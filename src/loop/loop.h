/* loop.h - one epoll loop for one thread: watched descriptors and timers, told apart by a typed tag.
 *
 *     while (loop_next(&loop, &event, -1) > 0)
 *             switch (event.kind) { ... }
 *
 * The loop calls nobody back. It borrows sources and timers; the owner unwatches and cancels before freeing them.
 * Unwatching inside a batch also drops events that are pending for that source. Times are CLOCK_MONOTONIC ns.
 */
#ifndef ANYNIC_LOOP_LOOP_H
#define ANYNIC_LOOP_LOOP_H

#include <sys/epoll.h>

#include "base/error.h"

struct loop_source {
	int fd;
	unsigned kind;	/* the owner's enum; comes back in the event */
	unsigned index; /* for the owner: which queue, client ... */
	void *owner;
	uint32_t events; /* EPOLLIN...; 0 = not watched */
};

struct loop_timer {
	unsigned kind;
	void *owner;
	uint64_t deadline_ns;
	unsigned slot; /* place in the heap + 1; 0 = not armed */
};

struct loop_event {
	unsigned kind;
	unsigned index;
	uint32_t events; /* 0 for a timer */
	void *owner;
};

#define LOOP_BATCH 32

struct loop {
	int epoll_fd;
	struct epoll_event batch[LOOP_BATCH];
	int batch_length;
	int batch_at;
	struct loop_timer **heap;
	unsigned timers;
	unsigned heap_room;
	bool timer_was_last; /* descriptors are looked at before the next one */
	uint64_t wakeups;    /* how often it really slept and woke; for the idle test */
};

int loop_init(struct loop *loop, struct error *err);
void loop_finish(struct loop *loop); /* accepts a zeroed loop */

/* Starts watching, or changes what is watched (`events` 0 is loop_unwatch). 0 or negative errno. */
int loop_watch(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_unwatch(struct loop *loop, struct loop_source *source);

/* Arms or moves a timer. A deadline in the past fires at the next loop_next. -ENOMEM possible on the first use. */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

/* Next event; waits at most `timeout_ms` (-1: for ever). A timer that fires is disarmed first.
 * Returns 1, 0 at the time-out, or negative errno (-EINTR when a signal came). */
int loop_next(struct loop *loop, struct loop_event *event, int timeout_ms);

/* True when the batch that was read has no event left: the moment for work that is done once a batch. */
bool loop_batch_done(const struct loop *loop);

#endif
