#include "base/clock.h"

#include <time.h>

uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_now(const struct clock *clock)
{
	return clock->frozen ? clock->frozen_ns : monotonic_ns() - clock->lag_ns;
}

void clock_freeze(struct clock *clock)
{
	if (!clock->frozen)
		clock_set(clock, clock_now(clock));
}

void clock_thaw(struct clock *clock)
{
	if (!clock->frozen)
		return;
	clock->lag_ns = monotonic_ns() - clock->frozen_ns;
	clock->frozen = false;
}

void clock_set(struct clock *clock, uint64_t ns)
{
	clock->frozen = true;
	clock->frozen_ns = ns;
}

uint64_t clock_to_monotonic(const struct clock *clock, uint64_t ns)
{
	return clock->frozen ? UINT64_MAX : ns + clock->lag_ns;
}
