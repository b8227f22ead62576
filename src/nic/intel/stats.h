/* stats.h - the statistics block from 0x4000 on: same counters at the same places in the whole family.
 *
 * Counters stick at their largest value and are cleared by reading; of the 64-bit pairs, reading the high half clears both
 * (8254x manual 13.7). Each counter is a row; INTEL_STATS_ROWS makes those that all cards have.
 */
#ifndef ANYNIC_NIC_INTEL_STATS_H
#define ANYNIC_NIC_INTEL_STATS_H

#include "net/frame.h"
#include "pci/pci.h"

#define INTEL_STATS_AT	  0x4000u
#define INTEL_STATS_COUNT 80u

/* Index of a counter by its register offset: stats.at[INTEL_STAT(0x4074)]. */
#define INTEL_STAT(offset) (((offset)-INTEL_STATS_AT) / 4)

struct intel_stats {
	uint32_t at[INTEL_STATS_COUNT];
};

/* Register offsets that the code counts in. */
enum {
	STAT_CRCERRS = 0x4000,
	STAT_RXERRC = 0x400c,
	STAT_MPC = 0x4010,
	STAT_SCC = 0x4014,
	STAT_RLEC = 0x4040,
	STAT_XONRXC = 0x4048,
	STAT_XONTXC = 0x404c,
	STAT_XOFFRXC = 0x4050,
	STAT_XOFFTXC = 0x4054,
	STAT_FCRUC = 0x4058,
	STAT_PRC64 = 0x405c,
	STAT_PRC127 = 0x4060,
	STAT_PRC255 = 0x4064,
	STAT_PRC511 = 0x4068,
	STAT_PRC1023 = 0x406c,
	STAT_PRC1522 = 0x4070,
	STAT_GPRC = 0x4074,
	STAT_BPRC = 0x4078,
	STAT_MPRC = 0x407c,
	STAT_GPTC = 0x4080,
	STAT_GORCL = 0x4088,
	STAT_GORCH = 0x408c,
	STAT_GOTCL = 0x4090,
	STAT_GOTCH = 0x4094,
	STAT_RNBC = 0x40a0,
	STAT_RUC = 0x40a4,
	STAT_RFC = 0x40a8,
	STAT_ROC = 0x40ac,
	STAT_RJC = 0x40b0,
	STAT_TORL = 0x40c0,
	STAT_TORH = 0x40c4,
	STAT_TOTL = 0x40c8,
	STAT_TOTH = 0x40cc,
	STAT_TPR = 0x40d0,
	STAT_TPT = 0x40d4,
	STAT_PTC64 = 0x40d8,
	STAT_PTC127 = 0x40dc,
	STAT_PTC255 = 0x40e0,
	STAT_PTC511 = 0x40e4,
	STAT_PTC1023 = 0x40e8,
	STAT_PTC1522 = 0x40ec,
	STAT_MPTC = 0x40f0,
	STAT_BPTC = 0x40f4,
	STAT_TSCTC = 0x40f8,
	STAT_TSCTFC = 0x40fc,
};

/* Adds to a counter, which sticks at its end. */
void intel_stats_add(struct intel_stats *s, uint32_t offset, uint32_t n);

/* Adds to a pair, given by the offset of its low half. */
void intel_stats_add64(struct intel_stats *s, uint32_t low, uint64_t n);

/* `times` frames of `length` bytes each (without FCS; the counters add it) went out, or came in and passed the filter; `dest` is their
 * first 6 bytes. The caller counts TSCTC. */
void intel_stats_sent(struct intel_stats *s, const uint8_t *dest, uint32_t length, uint32_t times);
void intel_stats_received(struct intel_stats *s, const uint8_t *dest, uint32_t length,
			  uint32_t times);

/* For rows of 64-bit pairs: reading the high half clears both. */
reg_read_fn intel_stats_read_high;

/* `type` is the model's state struct, `member` its struct intel_stats. */
#define INTEL_STAT_ROW(type, member, text, where)                                                  \
	{                                                                                          \
		.name = text, .offset = (where), .kind = REG_CLEAR_R, .mask = 0xffffffffu,         \
		REG_STATE(type, member.at[INTEL_STAT(where)])                                      \
	}

/* A 64-bit pair: two rows. */
#define INTEL_STAT_PAIR_ROWS(type, member, text, where)                                            \
	{ .name = text "L",                                                                        \
	  .offset = (where),                                                                       \
	  .kind = REG_RO,                                                                          \
	  REG_STATE(type, member.at[INTEL_STAT(where)]) },                                         \
	{                                                                                          \
		.name = text "H", .offset = (where) + 4, .kind = REG_CLEAR_R, .mask = 0xffffffffu, \
		.read = intel_stats_read_high, REG_STATE(type, member.at[INTEL_STAT((where) + 4)]) \
	}

/* What all cards of the family have. */
#define INTEL_STATS_ROWS(type, member)                                                             \
	INTEL_STAT_ROW(type, member, "CRCERRS", 0x4000),                                           \
		INTEL_STAT_ROW(type, member, "ALGNERRC", 0x4004),                                  \
		INTEL_STAT_ROW(type, member, "SYMERRS", 0x4008),                                   \
		INTEL_STAT_ROW(type, member, "RXERRC", 0x400c),                                    \
		INTEL_STAT_ROW(type, member, "MPC", 0x4010),                                       \
		INTEL_STAT_ROW(type, member, "SCC", 0x4014),                                       \
		INTEL_STAT_ROW(type, member, "ECOL", 0x4018),                                      \
		INTEL_STAT_ROW(type, member, "MCC", 0x401c),                                       \
		INTEL_STAT_ROW(type, member, "LATECOL", 0x4020),                                   \
		INTEL_STAT_ROW(type, member, "COLC", 0x4028),                                      \
		INTEL_STAT_ROW(type, member, "DC", 0x4030),                                        \
		INTEL_STAT_ROW(type, member, "TNCRS", 0x4034),                                     \
		INTEL_STAT_ROW(type, member, "SEC", 0x4038),                                       \
		INTEL_STAT_ROW(type, member, "CEXTERR", 0x403c),                                   \
		INTEL_STAT_ROW(type, member, "RLEC", 0x4040),                                      \
		INTEL_STAT_ROW(type, member, "XONRXC", 0x4048),                                    \
		INTEL_STAT_ROW(type, member, "XONTXC", 0x404c),                                    \
		INTEL_STAT_ROW(type, member, "XOFFRXC", 0x4050),                                   \
		INTEL_STAT_ROW(type, member, "XOFFTXC", 0x4054),                                   \
		INTEL_STAT_ROW(type, member, "FCRUC", 0x4058),                                     \
		INTEL_STAT_ROW(type, member, "PRC64", 0x405c),                                     \
		INTEL_STAT_ROW(type, member, "PRC127", 0x4060),                                    \
		INTEL_STAT_ROW(type, member, "PRC255", 0x4064),                                    \
		INTEL_STAT_ROW(type, member, "PRC511", 0x4068),                                    \
		INTEL_STAT_ROW(type, member, "PRC1023", 0x406c),                                   \
		INTEL_STAT_ROW(type, member, "PRC1522", 0x4070),                                   \
		INTEL_STAT_ROW(type, member, "GPRC", 0x4074),                                      \
		INTEL_STAT_ROW(type, member, "BPRC", 0x4078),                                      \
		INTEL_STAT_ROW(type, member, "MPRC", 0x407c),                                      \
		INTEL_STAT_ROW(type, member, "GPTC", 0x4080),                                      \
		INTEL_STAT_PAIR_ROWS(type, member, "GORC", 0x4088),                                \
		INTEL_STAT_PAIR_ROWS(type, member, "GOTC", 0x4090),                                \
		INTEL_STAT_ROW(type, member, "RNBC", 0x40a0),                                      \
		INTEL_STAT_ROW(type, member, "RUC", 0x40a4),                                       \
		INTEL_STAT_ROW(type, member, "RFC", 0x40a8),                                       \
		INTEL_STAT_ROW(type, member, "ROC", 0x40ac),                                       \
		INTEL_STAT_ROW(type, member, "RJC", 0x40b0),                                       \
		INTEL_STAT_ROW(type, member, "MGTPRC", 0x40b4),                                    \
		INTEL_STAT_ROW(type, member, "MGTPDC", 0x40b8),                                    \
		INTEL_STAT_ROW(type, member, "MGTPTC", 0x40bc),                                    \
		INTEL_STAT_PAIR_ROWS(type, member, "TOR", 0x40c0),                                 \
		INTEL_STAT_PAIR_ROWS(type, member, "TOT", 0x40c8),                                 \
		INTEL_STAT_ROW(type, member, "TPR", 0x40d0),                                       \
		INTEL_STAT_ROW(type, member, "TPT", 0x40d4),                                       \
		INTEL_STAT_ROW(type, member, "PTC64", 0x40d8),                                     \
		INTEL_STAT_ROW(type, member, "PTC127", 0x40dc),                                    \
		INTEL_STAT_ROW(type, member, "PTC255", 0x40e0),                                    \
		INTEL_STAT_ROW(type, member, "PTC511", 0x40e4),                                    \
		INTEL_STAT_ROW(type, member, "PTC1023", 0x40e8),                                   \
		INTEL_STAT_ROW(type, member, "PTC1522", 0x40ec),                                   \
		INTEL_STAT_ROW(type, member, "MPTC", 0x40f0),                                      \
		INTEL_STAT_ROW(type, member, "BPTC", 0x40f4),                                      \
		INTEL_STAT_ROW(type, member, "TSCTC", 0x40f8),                                     \
		INTEL_STAT_ROW(type, member, "TSCTFC", 0x40fc)

#endif
