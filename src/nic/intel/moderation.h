/* moderation.h - interrupts that wait: a throttle that keeps a distance between two interrupts of one vector (ITR, EITR), and the wait
 * for company of one that says "sent" and nothing else.
 *
 * The first interrupt after a quiet time goes out at once; those that follow within the interval are put together into one at its end.
 *
 * A driver needs "sent" only to free buffers, and an interrupt costs the guest more than anything else about a large frame. So one that
 * says nothing else waits a few of the driver's own intervals for more of its kind or for another cause of its vector, but no longer
 * once half of the ring waits to be taken back. A driver that wants no interval (0) waits for nothing. Registers show the cause
 * at once, and the descriptors are given back at once: a driver that polls sees no delay.
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

#define INTEL_SENT_INTERVALS 4u
#define INTEL_SENT_WAIT_NS   250000u
#define INTEL_RING_WHOLE     65536u /* parts of a ring are counted in this many */

struct intel_company {
	uint64_t due_ns; /* waits until then; 0: does not wait */
	uint32_t given;	 /* part of the ring that was given back since the last interrupt */
};

static inline void intel_company_add(struct intel_company *c, uint32_t given)
{
	c->given = MIN(c->given + MIN(given, INTEL_RING_WHOLE), INTEL_RING_WHOLE);
}

/* True: "sent" alone may be told now. False: at c->due_ns. */
static inline bool intel_company_pass(struct intel_company *c, uint64_t now, uint64_t interval_ns)
{
	if (!c->due_ns)
		c->due_ns = now + MIN(interval_ns * INTEL_SENT_INTERVALS, INTEL_SENT_WAIT_NS);
	return c->given >= INTEL_RING_WHOLE / 2 || now >= c->due_ns;
}

/* The earlier of two deadlines; 0 = none. */
static inline uint64_t intel_earlier(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a | b;
	return MIN(a, b);
}

#endif
