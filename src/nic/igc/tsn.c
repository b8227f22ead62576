/* tsn.c - transmission by the clock: launch times (what Linux calls ETF) and gates (802.1Qbv).
 *
 * Time is cut into cycles of QBVCYCLET from BASET on, in both directions. In TSN mode (TQAVCTRL bit 0) a queue's gate is open from STQT to
 * ENDQT of each cycle; with launch mode (TXQCTL bit 0) each frame waits for its context's launch time, counted from the cycle in which
 * it came to the head of its queue, or from the next one when its context says FIRST (I225 user manual 7.5.2.9). Frames of a queue
 * stay in order. Gates do not open before a BASET that lies ahead: FUTSCDDIS and the switch between two schedules are not modelled,
 * nor are credits (802.1Qav) and preemption; their registers keep what is written.
 */
#include "nic/igc/igc.h"

#define CYCLE_MIN_NS 10000u

bool igc_tsn_on(const struct igc *c)
{
	return c->s.tsn.tqavctrl & TQAVCTRL_TSN;
}

static uint64_t cycle_of(const struct igc *c)
{
	return c->s.tsn.cycle ? c->s.tsn.cycle : NS_PER_S;
}

/* When the cycle began that `now` lies in. */
static uint64_t cycle_begin(const struct igc *c, uint64_t now)
{
	uint64_t base = c->s.tsn.baset[1] * NS_PER_S + c->s.tsn.baset[0] % NS_PER_S;
	uint64_t cycle = cycle_of(c);

	if (now >= base)
		return now - (now - base) % cycle;
	uint64_t before = (base - now) % cycle;
	return before ? now - MIN(cycle - before, now) : now;
}

static void wait_until(struct igc *c, uint64_t clock_ns)
{
	igc_timer_at(c, igc_clock_to_nic(c, clock_ns));
}

bool igc_gate_closed(struct igc *c, unsigned queue)
{
	uint64_t open = c->s.tsn.stqt[queue], close = c->s.tsn.endqt[queue];
	uint64_t now = igc_clock_now(c), begin, at;

	if (!igc_tsn_on(c) || (open == 0 && close >= cycle_of(c)))
		return false;
	begin = cycle_begin(c, now);
	at = now - begin;
	if (at >= open && at < close)
		return false;
	at = begin + (at < open ? open : cycle_of(c) + open);
	/* a gate that never opens, or opens all the time, is not worth more */
	if (open >= MIN(close, cycle_of(c)) || cycle_of(c) < CYCLE_MIN_NS)
		at = MAX(at, now + NS_PER_MS);
	wait_until(c, at);
	return true;
}

/* STRICT_END: a frame that would not be out before the gate closes waits for the next window. */
static bool too_late(struct igc *c, unsigned queue, const struct frame *f)
{
	uint64_t open = c->s.tsn.stqt[queue], close = MIN(c->s.tsn.endqt[queue], cycle_of(c));
	uint64_t now = igc_clock_now(c), begin = cycle_begin(c, now);
	/* preamble, FCS and gap go with it */
	uint64_t takes = (f->length + 24) * 8000ull / igc_speed_mbit(c);

	if (!(c->s.tsn.txqctl[queue] & TXQCTL_STRICT_END) || (open == 0 && close >= cycle_of(c)))
		return false;
	if (now - begin + takes <= close || takes > close - MIN(open, close))
		return false; /* it fits, or it never will: better late than a queue that stands for ever */
	wait_until(c, begin + cycle_of(c) + open);
	return true;
}

/* When a frame that came to the head of its queue is due. */
static uint64_t due_at(const struct igc *c, const struct intel_tx_frame *t)
{
	uint64_t begin = cycle_begin(c, igc_clock_now(c));
	uint64_t due = begin + t->launch % cycle_of(c) + (t->launch_first ? cycle_of(c) : 0);

	return due - MIN(due, c->s.tsn.gtxoffset);
}

/* True while the launch time of a frame lies ahead. One that was due stays so, however long the backend has no room for it. */
static bool not_yet(struct igc *c, struct igc_launch *l, const struct intel_tx_frame *t)
{
	if (l->seen++ < l->released)
		return false;
	if (!l->waits)
		*l = (struct igc_launch){ .due_ns = due_at(c, t),
					  .waits = true,
					  .released = l->released,
					  .seen = l->seen };
	if (igc_clock_now(c) >= l->due_ns)
		return false;
	wait_until(c, l->due_ns);
	return true;
}

bool igc_hold_frame(struct nic *nic, const struct intel_tx_frame *t)
{
	struct igc *c = igc_of(nic);
	unsigned queue = t->frame->queue % IGC_QUEUES;
	struct igc_launch *l = &c->launch[queue];
	bool timed = c->s.tsn.txqctl[queue] & TXQCTL_LAUNCH;

	if (timed && not_yet(c, l, t))
		return true;
	if (igc_gate_closed(c, queue) || too_late(c, queue, t->frame))
		return true;
	if (timed && l->seen > l->released) {
		l->released = l->seen;
		l->waits = false;
	}
	return false;
}

void igc_launch_begin(struct igc *c, unsigned queue)
{
	c->launch[queue].seen = 0;
}

void igc_launch_end(struct igc *c, unsigned queue, unsigned taken)
{
	struct igc_launch *l = &c->launch[queue];

	l->released -= (uint8_t)MIN(taken, l->released);
}

void igc_launch_forget(struct igc *c, unsigned queue)
{
	c->launch[queue] = (struct igc_launch){ 0 };
}

void igc_tsn_changed(struct igc *c)
{
	igc_time_plan(c);
	for (unsigned q = 0; q < IGC_QUEUES; q++) {
		if (!igc_tsn_on(c) || !(c->s.tsn.txqctl[q] & TXQCTL_LAUNCH))
			igc_launch_forget(c, q);
		nic_kick(&c->nic, q);
	}
}
