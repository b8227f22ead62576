/* ptp.h - time stamps of IEEE 1588: the clock that counts TIMINCA (82574 datasheet 10.2.9, 82576 datasheet 8.16), and which messages are stamped
 * (the same bits up to the I226, whose clock is its own).
 */
#ifndef ANYNIC_NIC_INTEL_PTP_H
#define ANYNIC_NIC_INTEL_PTP_H

#include "nic/intel/rx.h"

/* --- stamps: TSYNCTXCTL with TXSTMP, TSYNCRXCTL with RXSTMP --- */

#define TSYNC_VALID	 BIT(0)
#define TSYNC_RX_TYPE	 (7u << 1)
#define TSYNC_RX_TYPE_AT 1
#define TSYNC_ENABLED	 BIT(4)
#define PTP_VERSION_2_TYPE                                                                         \
	8 /* where RXMTRL and TSYNCRXCFG hold the message type of version 2; version 1: from bit 0 */

enum tsync_rx_type { STAMP_L2_V2, STAMP_L4_V1, STAMP_L2_L4_V2, STAMP_ALL = 4, STAMP_EVENT_V2 = 5 };

/* One stamp: rows point to `ctl`, `low` and `high`. */
struct intel_stamp {
	uint32_t ctl, low, high;
};

/* Keeps the time. False: stamps are off, or the last one has not been fetched yet (that one stays). */
bool intel_stamp_take(struct intel_stamp *s, uint32_t low, uint32_t high);

/* The high half was read: room for the next stamp. */
static inline void intel_stamp_fetched(struct intel_stamp *s)
{
	s->ctl &= ~TSYNC_VALID;
}

/* Is this received frame to be stamped? `ctl` is TSYNCRXCTL, `types` RXMTRL (82574) or TSYNCRXCFG. */
bool intel_ptp_wants(uint32_t ctl, uint32_t types, const struct intel_rx_info *info);

/* Sequence number and source identity of the stamped message, as RXSATRL and RXSATRH show them. */
void intel_ptp_attributes(const struct intel_rx_info *info, uint32_t *low, uint32_t *high);

/* --- the clock of 82574 and 82576 --- */

/* TIMINCA: SYSTIM grows by 23:0 every 31:24 ticks. */
struct intel_ptp_clock {
	uint64_t value;	   /* of SYSTIM at since_ns */
	uint64_t since_ns; /* on nic->clock */
	uint32_t timinca;
	uint32_t held_high; /* reading the low half holds the high one */
	uint32_t adjust_low;
	uint8_t tick_ns; /* the model's: 40 (82574, 25 MHz), 16 (82576) */
};

void intel_ptp_clock_reset(struct intel_ptp_clock *c, uint8_t tick_ns, uint64_t now);
uint64_t intel_ptp_clock_read(const struct intel_ptp_clock *c, uint64_t now);
uint32_t intel_ptp_clock_read_low(struct intel_ptp_clock *c, uint64_t now); /* SYSTIML */
/* SYSTIML or SYSTIMH was written: the other half stays. */
void intel_ptp_clock_set(struct intel_ptp_clock *c, bool high_half, uint32_t half, uint64_t now);
void intel_ptp_clock_rate(struct intel_ptp_clock *c, uint32_t timinca, uint64_t now);
/* TIMADJH was written: adds, or with bit 31 subtracts, TIMADJH:TIMADJL (TIMADJL is adjust_low). */
void intel_ptp_clock_adjust(struct intel_ptp_clock *c, uint32_t high, uint64_t now);

void intel_ptp_clock_save(const struct intel_ptp_clock *c, uint64_t now, struct buffer *out);
void intel_ptp_clock_load(struct intel_ptp_clock *c, uint64_t now, struct reader *in);

#endif
