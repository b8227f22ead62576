/* clock.h - the time that a NIC lives in: CLOCK_MONOTONIC, stopped while the guest is stopped, or set by a test. */
#ifndef ANYNIC_BASE_CLOCK_H
#define ANYNIC_BASE_CLOCK_H

#include "base/util.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

struct clock {
	bool frozen;
	uint64_t frozen_ns; /* what a frozen clock shows */
	uint64_t lag_ns;    /* how long it was frozen in all */
};

/* CLOCK_MONOTONIC, ns. */
uint64_t monotonic_ns(void);

/* What the clock shows, ns. A zeroed clock shows CLOCK_MONOTONIC. */
uint64_t clock_now(const struct clock *clock);

void clock_freeze(struct clock *clock);
void clock_thaw(struct clock *clock);

/* Tests: freezes the clock at `ns`; later calls move it. */
void clock_set(struct clock *clock, uint64_t ns);

/* The monotonic time at which this clock will show `ns`; UINT64_MAX while frozen. */
uint64_t clock_to_monotonic(const struct clock *clock, uint64_t ns);

#endif
