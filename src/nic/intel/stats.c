#include "nic/intel/stats.h"

#include <string.h>

#include "nic/intel/rx.h"

void intel_stats_add(struct intel_stats *s, uint32_t offset, uint32_t n)
{
	uint32_t *c = &s->at[INTEL_STAT(offset)];

	*c = n > UINT32_MAX - *c ? UINT32_MAX : *c + n;
}

void intel_stats_add64(struct intel_stats *s, uint32_t low, uint64_t n)
{
	uint32_t *c = &s->at[INTEL_STAT(low)];
	uint64_t value;

	/* both halves in one access: two short stores behind one long load make the CPU wait (hosts are little-endian) */
	memcpy(&value, c, sizeof(value));
	value = n > UINT64_MAX - value ? UINT64_MAX : value + n;
	memcpy(c, &value, sizeof(value));
}

/* Where the counters of one direction are. */
struct direction {
	uint16_t by_size; /* six counters: up to 64, 127, 255, 511, 1023 bytes, and longer */
	uint16_t packets, good, multicast, broadcast;
	uint16_t octets, good_octets; /* low halves */
};

static const struct direction sent = { STAT_PTC64, STAT_TPT,  STAT_GPTC, STAT_MPTC,
				       STAT_BPTC,  STAT_TOTL, STAT_GOTCL };
static const struct direction received = { STAT_PRC64, STAT_TPR,  STAT_GPRC, STAT_MPRC,
					   STAT_BPRC,  STAT_TORL, STAT_GORCL };

static unsigned size_class(uint32_t wire)
{
	static const uint16_t last[] = { 64, 127, 255, 511, 1023 };
	unsigned i = 0;

	while (i < ARRAY_SIZE(last) && wire > last[i])
		i++;
	return i;
}

static bool is_broadcast(const uint8_t *mac)
{
	static const uint8_t all[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	return memcmp(mac, all, MAC_LEN) == 0;
}

static void count(struct intel_stats *s, const struct direction *d, const uint8_t *dest,
		  uint32_t length, uint32_t times)
{
	uint32_t wire = MAX(length, FRAME_MIN) + FCS_SIZE;

	intel_stats_add(s, d->by_size + 4 * size_class(wire), times);
	intel_stats_add(s, d->packets, times);
	intel_stats_add(s, d->good, times);
	intel_stats_add64(s, d->octets, (uint64_t)wire * times);
	intel_stats_add64(s, d->good_octets, (uint64_t)wire * times);
	if (mac_is_multicast(dest))
		intel_stats_add(s, is_broadcast(dest) ? d->broadcast : d->multicast, times);
}

void intel_stats_sent(struct intel_stats *s, const uint8_t *dest, uint32_t length, uint32_t times)
{
	count(s, &sent, dest, length, times);
}

void intel_stats_received(struct intel_stats *s, const uint8_t *dest, uint32_t length,
			  uint32_t times)
{
	count(s, &received, dest, length, times);
}

uint32_t intel_stats_read_high(struct pci_device *dev, const struct reg *row, unsigned index)
{
	/* the low half is the word in front; the row's kind clears the high one */
	memset((uint8_t *)dev->state + row->state - 1 - sizeof(uint32_t), 0, sizeof(uint32_t));
	return reg_value(dev, row, index);
}
