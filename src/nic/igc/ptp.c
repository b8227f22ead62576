/* ptp.c - the card's clock: seconds and nanoseconds, its rate, its events, and the stamps of frames.
 *
 * The card has four timers that can run apart; here all of them are the one that drivers use (SYSTIM0). Its pins lead nowhere: target times
 * give interrupts, outputs are stored and silent, and no auxiliary stamp ever comes.
 */
#include "nic/igc/igc.h"

#include "base/bytes.h"

#define RATE_SHIFT                                                                                 \
	36 /* TIMINCA counts 5 / 2^36 of the time that passes: what Linux' and DPDK's formulas say */
#define RATE_FACTOR  5
#define TIMINCA_SIGN BIT(31)
#define AHEAD_MAX    (1ull << 62)
#define WAKE_MIN_NS  1000u /* a guest may name any time: nobody spins for it */

/* PTP message types (IEEE 1588 13.3.2.2): events are below this */
#define PTP_EVENTS     4
#define PTP_VERSION_AT 1
enum stamp_type { STAMP_L2_V2, STAMP_L4_V1, STAMP_L2_L4_V2, STAMP_ALL = 4, STAMP_EVENT_V2 };

__extension__ typedef unsigned __int128 wide;

/* --- the clock --- */

static bool stopped(const struct igc *c)
{
	return c->s.time.tsauxc & TSAUXC_STOP;
}

/* How much faster or slower than nic_now() it was over `passed`. */
static int64_t drift(const struct igc *c, uint64_t passed)
{
	uint64_t rate = c->s.time.timinca & ~TIMINCA_SIGN;
	uint64_t by = (uint64_t)((wide)passed * rate * RATE_FACTOR >> RATE_SHIFT);

	return c->s.time.timinca & TIMINCA_SIGN ? -(int64_t)by : (int64_t)by;
}

uint64_t igc_clock_now(const struct igc *c)
{
	uint64_t passed = nic_now(&c->nic) - c->clock.at_ns;

	if (stopped(c))
		return c->clock.base_ns;
	return c->clock.base_ns + passed + (uint64_t)drift(c, passed);
}

uint64_t igc_clock_to_nic(const struct igc *c, uint64_t clock_ns)
{
	uint64_t now = igc_clock_now(c);
	uint64_t ahead = clock_ns > now ? MIN(clock_ns - now, AHEAD_MAX) : 0;
	uint64_t quick = (uint64_t)drift(c, ahead);

	if (stopped(c))
		return nic_now(&c->nic) + NS_PER_MS;
	/* a fast clock gets there earlier; who wakes too early looks again */
	if (!(c->s.time.timinca & TIMINCA_SIGN))
		ahead -= MIN(quick, ahead);
	return nic_now(&c->nic) + MAX(ahead, WAKE_MIN_NS);
}

void igc_clock_rate(struct igc *c)
{
	c->clock.base_ns = igc_clock_now(c);
	c->clock.at_ns = nic_now(&c->nic);
}

void igc_clock_set(struct igc *c, uint64_t ns)
{
	c->clock.base_ns = ns;
	c->clock.at_ns = nic_now(&c->nic);
	c->clock.wrapped_s = (uint32_t)(ns / NS_PER_S);
	igc_tsn_changed(c);
}

/* --- its events --- */

void igc_time_event(struct igc *c, uint32_t causes)
{
	c->s.time.tsicr |= causes;
	if (c->s.time.tsicr & c->s.time.tsim)
		igc_raise(c, INT_TS);
}

static uint64_t target(const struct igc *c, unsigned n)
{
	const uint32_t *t = &c->s.time.trgttim[(size_t)2 * n];

	/* bits 31:30 of the low half choose the timer */
	return t[1] * NS_PER_S + (t[0] & 0x3fffffff);
}

void igc_time_plan(struct igc *c)
{
	if (stopped(c))
		return;
	for (unsigned n = 0; n < IGC_TARGETS; n++)
		if (c->s.time.tsauxc & TSAUXC_EN_TT(n))
			igc_timer_at(c, igc_clock_to_nic(c, target(c, n)));
	if (c->s.time.tsim & TSI_WRAP) {
		uint64_t now = igc_clock_now(c);
		igc_timer_at(c, igc_clock_to_nic(c, now - now % NS_PER_S + NS_PER_S));
	}
}

void igc_time_timer(struct igc *c)
{
	uint64_t now = igc_clock_now(c);
	uint32_t causes = 0, second = (uint32_t)(now / NS_PER_S);

	for (unsigned n = 0; n < IGC_TARGETS; n++) {
		if (!(c->s.time.tsauxc & TSAUXC_EN_TT(n)) || now < target(c, n))
			continue;
		causes |= TSI_TT(n);
		c->s.time.tsauxc &= ~TSAUXC_EN_TT(n); /* a time comes once */
	}
	if (second != c->clock.wrapped_s && (c->s.time.tsim & TSI_WRAP))
		causes |= TSI_WRAP;
	c->clock.wrapped_s = second;
	if (causes)
		igc_time_event(c, causes);
	igc_time_plan(c);
}

/* --- stamps --- */

void igc_stamp_sent(struct nic *nic, const struct intel_tx_frame *t)
{
	struct igc *c = igc_of(nic);
	unsigned n = t->mac % IGC_STAMPS;
	uint64_t now = igc_clock_now(c);

	/* a stamp that nobody has read yet stays */
	if (!(c->s.time.tsynctxctl & TSYNCTX_ENABLE) || (c->s.time.tsynctxctl & BIT(n)))
		return;
	c->s.time.txstmp[n][0] = (uint32_t)(now % NS_PER_S);
	c->s.time.txstmp[n][1] = (uint32_t)(now / NS_PER_S);
	c->s.time.tsynctxctl |= BIT(n);
	igc_time_event(c, TSI_TXTS);
}

bool igc_stamps_received(const struct igc *c, const struct intel_rx_info *info)
{
	uint32_t control = c->s.time.tsyncrxctl;
	const uint8_t *ptp = info->head + info->ptp_at;
	bool l2 = info->flags & RXF_PTP_L2, l4 = info->flags & RXF_PTP_L4;

	if (!(control & TSYNCRX_ENABLE))
		return false;
	if (TSYNCRX_TYPE(control) == STAMP_ALL)
		return true;
	if (!info->ptp_at || info->ptp_at + 2u > info->have)
		return false;
	bool v2 = (ptp[PTP_VERSION_AT] & 15) == 2, event = (ptp[0] & 15) < PTP_EVENTS;
	switch (TSYNCRX_TYPE(control)) {
	case STAMP_L2_V2:
		return l2 && v2 && event;
	case STAMP_L4_V1:
		return l4 && !v2;
	case STAMP_L2_L4_V2:
	case STAMP_EVENT_V2:
		return (l2 || l4) && v2 && event;
	default:
		return false;
	}
}
