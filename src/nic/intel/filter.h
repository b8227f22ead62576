/* filter.h - receive address, multicast and VLAN filters (8254x manual 13.5; the same in the whole family). */
#ifndef ANYNIC_NIC_INTEL_FILTER_H
#define ANYNIC_NIC_INTEL_FILTER_H

#include "nic/intel/rx.h"

#define INTEL_RA_MAX 24u

struct intel_address {
	uint32_t low,
		high; /* RAL, RAH: bit 31 valid; 17:16 address select; igb: 25:18 pools; igc: 22:18 queue */
};

struct intel_filter {
	struct intel_address ra[INTEL_RA_MAX];
	uint32_t mta[128];
	uint32_t vfta[128];
};

enum intel_dest {
	DEST_NONE, /* not for us */
	DEST_EXACT,
	DEST_HASH, /* multicast table: the driver has to look itself (PIF) */
	DEST_BROADCAST,
	DEST_PROMISCUOUS,
	INTEL_DEST_COUNT
};

/* `entries`: how many of ra[] the card has. RCTL's UPE, MPE, BAM and MO are looked at. `*exact` gets the index of the
 * matching address for DEST_EXACT. */
enum intel_dest intel_filter_dest(const struct intel_filter *f, unsigned entries, uint32_t rctl,
				  const uint8_t *dest, unsigned *exact);

/* RCTL.VFE, CFIEN, CFI against the frame's tag. True when it may pass. */
bool intel_filter_vlan(const struct intel_filter *f, uint32_t rctl,
		       const struct intel_rx_info *info);

/* Sets ra[0] to a station address, valid. */
void intel_filter_set_mac(struct intel_filter *f, const uint8_t mac[MAC_LEN]);

#endif
