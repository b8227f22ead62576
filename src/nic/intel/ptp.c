#include "nic/intel/ptp.h"

#include "base/bytes.h"

#define TIMINCA_VALUE	0xffffffu
#define TIMINCA_PERIOD	24
#define TIMADJ_NEGATIVE BIT(31)

/* Where messages tell what they are (IEEE 1588-2008 13.3, 1588-2002 8.2). */
#define PTP_V2_TYPE	 0 /* low 4 bits */
#define PTP_VERSION	 1 /* low 4 bits */
#define PTP_V2_SOURCE	 20
#define PTP_V1_CONTROL	 32
#define PTP_V1_SOURCE	 22
#define PTP_SEQUENCE	 30 /* of both versions */
#define PTP_LOOK	 34u
#define PTP_V2_EVENT_MAX 7 /* types 0 to 7 are the timed ones */

bool intel_stamp_take(struct intel_stamp *s, uint32_t low, uint32_t high)
{
	if (!(s->ctl & TSYNC_ENABLED) || (s->ctl & TSYNC_VALID))
		return false;
	s->low = low;
	s->high = high;
	s->ctl |= TSYNC_VALID;
	return true;
}

/* The message's header, or NULL when there is none (all of it). */
static const uint8_t *ptp_header(const struct intel_rx_info *info)
{
	return info->ptp_at && info->ptp_at + PTP_LOOK <= info->have ? info->head + info->ptp_at
								     : NULL;
}

static uint8_t version_of(const uint8_t *ptp)
{
	return ptp[PTP_VERSION] & 15;
}

bool intel_ptp_wants(uint32_t ctl, uint32_t types, const struct intel_rx_info *info)
{
	const uint8_t *ptp = ptp_header(info);
	unsigned how = (ctl & TSYNC_RX_TYPE) >> TSYNC_RX_TYPE_AT;

	if (!(ctl & TSYNC_ENABLED))
		return false;
	if (how == STAMP_ALL)
		return true;
	if (!ptp)
		return false;
	if (how == STAMP_L4_V1)
		return (info->flags & RXF_PTP_L4) && version_of(ptp) == 1 &&
		       ptp[PTP_V1_CONTROL] == (types & 0xff);
	if (version_of(ptp) != 2)
		return false;
	uint8_t type = ptp[PTP_V2_TYPE] & 15;
	switch (how) {
	case STAMP_L2_V2:
		return (info->flags & RXF_PTP_L2) && type == (types >> PTP_VERSION_2_TYPE & 15);
	case STAMP_L2_L4_V2:
		return type == (types >> PTP_VERSION_2_TYPE & 15);
	case STAMP_EVENT_V2:
		return type <= PTP_V2_EVENT_MAX;
	default:
		return false;
	}
}

void intel_ptp_attributes(const struct intel_rx_info *info, uint32_t *low, uint32_t *high)
{
	const uint8_t *ptp = ptp_header(info);

	*low = *high = 0;
	if (!ptp)
		return;
	/* low: the first four bytes of the identity; high: the next two, the sequence number above them */
	const uint8_t *source = ptp + (version_of(ptp) == 1 ? PTP_V1_SOURCE : PTP_V2_SOURCE);
	const uint8_t *sequence = ptp + PTP_SEQUENCE;
	*low = get_be32(source);
	*high = (uint32_t)get_be16(sequence) << 16 | get_be16(source + 4);
}

/* --- the clock --- */

/* Time from one addition to the next; 0: the clock stands. */
static uint64_t step_ns(const struct intel_ptp_clock *c)
{
	return (uint64_t)(c->timinca >> TIMINCA_PERIOD) * c->tick_ns;
}

uint64_t intel_ptp_clock_read(const struct intel_ptp_clock *c, uint64_t now)
{
	uint64_t step = step_ns(c);

	return step ? c->value + (now - c->since_ns) / step * (c->timinca & TIMINCA_VALUE)
		    : c->value;
}

/* Counts up to now; the part of a step that has begun is kept. */
static void settle(struct intel_ptp_clock *c, uint64_t now)
{
	uint64_t step = step_ns(c);

	c->value = intel_ptp_clock_read(c, now);
	c->since_ns = step ? now - (now - c->since_ns) % step : now;
}

void intel_ptp_clock_reset(struct intel_ptp_clock *c, uint8_t tick_ns, uint64_t now)
{
	*c = (struct intel_ptp_clock){ .since_ns = now, .tick_ns = tick_ns };
}

uint32_t intel_ptp_clock_read_low(struct intel_ptp_clock *c, uint64_t now)
{
	uint64_t value = intel_ptp_clock_read(c, now);

	c->held_high = (uint32_t)(value >> 32);
	return (uint32_t)value;
}

void intel_ptp_clock_set(struct intel_ptp_clock *c, bool high_half, uint32_t half, uint64_t now)
{
	settle(c, now);
	if (high_half)
		c->value = (uint64_t)half << 32 | (uint32_t)c->value;
	else
		c->value = (c->value >> 32) << 32 | half;
	c->held_high = (uint32_t)(c->value >> 32);
}

void intel_ptp_clock_rate(struct intel_ptp_clock *c, uint32_t timinca, uint64_t now)
{
	settle(c, now);
	c->timinca = timinca;
}

void intel_ptp_clock_adjust(struct intel_ptp_clock *c, uint32_t high, uint64_t now)
{
	uint64_t by = (uint64_t)(high & ~TIMADJ_NEGATIVE) << 32 | c->adjust_low;

	settle(c, now);
	c->value = high & TIMADJ_NEGATIVE ? c->value - by : c->value + by;
	c->held_high = (uint32_t)(c->value >> 32);
}

void intel_ptp_clock_save(const struct intel_ptp_clock *c, uint64_t now, struct buffer *out)
{
	buffer_put_u64(out, c->value);
	buffer_put_u64(out, now - c->since_ns);
	buffer_put_u32(out, c->timinca);
	buffer_put_u32(out, c->held_high);
	buffer_put_u32(out, c->adjust_low);
}

void intel_ptp_clock_load(struct intel_ptp_clock *c, uint64_t now, struct reader *in)
{
	c->value = reader_u64(in);
	c->since_ns = now - reader_u64(in); /* modulo 2^64, like the difference that was saved */
	c->timinca = reader_u32(in);
	c->held_high = reader_u32(in);
	c->adjust_low = reader_u32(in);
}
