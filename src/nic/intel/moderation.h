/* moderation.h - interrupts that wait: a throttle that keeps a distance between two interrupts of one vector (ITR, EITR).
 *
 * The first interrupt after a quiet time goes out at once; those that follow within the interval are put together into one at its end.
 */
#ifndef ANYNIC_NIC_INTEL_MODERATION_H
#define ANYNIC_NIC_INTEL_MODERATION_H

#include "nic/nic.h"

struct intel_throttle {
	uint64_t next_ns; /* no interrupt before this */
};

/* True: interrupt now, the next interval begins. False: at t->next_ns. An interval of 0 never holds back. */
static inline bool intel_throttle_pass(struct intel_throttle *t, uint64_t now, uint64_t interval_ns)
{
	if (interval_ns == 0)
		return true;
	if (now < t->next_ns) {
		/* the interval was made shorter meanwhile */
		if (t->next_ns - now > interval_ns)
			t->next_ns = now + interval_ns;
		return false;
	}
	t->next_ns = now + interval_ns;
	return true;
}

/* The earlier of two deadlines; 0 = none. */
static inline uint64_t intel_earlier(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a | b;
	return MIN(a, b);
}

#endif
