#include "nic/intel/filter.h"

#include <string.h>

#include "base/bytes.h"
#include "nic/intel/regs.h"

#define TAG_CFI BIT(12)
#define TAG_VID 0xfffu

static const uint8_t broadcast[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* First entry that is valid and compares destinations (RAH.AS 0), or -1. */
static int find_exact(const struct intel_filter *f, unsigned entries, const uint8_t *dest)
{
	uint32_t low = get_le32(dest), high = get_le16(dest + 4);

	for (unsigned i = 0; i < entries && i < INTEL_RA_MAX; i++) {
		const struct intel_address *a = &f->ra[i];
		if (a->low == low && (a->high & 0xffff) == high &&
		    (a->high & (RAH_AV | RAH_AS)) == RAH_AV)
			return (int)i;
	}
	return -1;
}

/* RCTL.MO chooses 12 of the address' last 16 bits (8254x manual 13.5.1). */
static bool hash_hit(const struct intel_filter *f, uint32_t rctl, const uint8_t *dest)
{
	static const uint8_t shift[] = { 4, 3, 2, 0 };
	uint32_t bit = get_le16(dest + 4) >> shift[rctl >> RCTL_MO_SHIFT & 3] & 0xfff;

	return f->mta[bit / 32] >> (bit % 32) & 1;
}

enum intel_dest intel_filter_dest(const struct intel_filter *f, unsigned entries, uint32_t rctl,
				  const uint8_t *dest, unsigned *exact)
{
	int at = find_exact(f, entries, dest);

	if (at >= 0) {
		*exact = (unsigned)at;
		return DEST_EXACT;
	}
	if (!mac_is_multicast(dest))
		return rctl & RCTL_UPE ? DEST_PROMISCUOUS : DEST_NONE;
	if ((rctl & RCTL_BAM) && memcmp(dest, broadcast, MAC_LEN) == 0)
		return DEST_BROADCAST;
	if (hash_hit(f, rctl, dest))
		return DEST_HASH;
	return rctl & RCTL_MPE ? DEST_PROMISCUOUS : DEST_NONE;
}

bool intel_filter_vlan(const struct intel_filter *f, uint32_t rctl,
		       const struct intel_rx_info *info)
{
	uint32_t vid = info->tag & TAG_VID;

	if (!(rctl & RCTL_VFE) || !(info->flags & RXF_VLAN))
		return true;
	if ((rctl & RCTL_CFIEN) && !(info->tag & TAG_CFI) != !(rctl & RCTL_CFI))
		return false;
	return f->vfta[vid / 32] >> (vid % 32) & 1;
}

void intel_filter_set_mac(struct intel_filter *f, const uint8_t mac[MAC_LEN])
{
	f->ra[0].low = get_le32(mac);
	f->ra[0].high = get_le16(mac + 4) | RAH_AV;
}
