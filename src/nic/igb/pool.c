/* pool.c - virtual machine queues: pools by MAC address and VLAN, replication, and the switch between pools (82576 7.10.3). */
#include "nic/igb/igb.h"

#define ALL_POOLS 0xffu

/* Pools whose VMOLR has one of `bits`. */
static uint32_t pools_with(const struct igb *g, uint32_t bits)
{
	uint32_t pools = 0;

	for (unsigned i = 0; i < IGB_POOLS; i++)
		if (g->s.vmolr[i] & bits)
			pools |= BIT(i);
	return pools;
}

static uint32_t pools_of_address(const struct igb *g, const uint8_t *dest)
{
	uint32_t low = (uint32_t)(dest[0] | dest[1] << 8 | dest[2] << 16) | (uint32_t)dest[3] << 24;
	uint32_t high = (uint32_t)(dest[4] | dest[5] << 8), pools = 0;

	for (unsigned i = 0; i < IGB_ADDRESSES; i++) {
		const struct intel_address *a = &g->s.filter.ra[i];
		if ((a->high & RAH_AV) && a->low == low && (a->high & 0xffff) == high)
			pools |= a->high >> RAH_POOLS & ALL_POOLS;
	}
	return pools;
}

/* The unicast table is hashed as the multicast table is (8.10.21). */
static bool in_unicast_table(const struct igb *g, const uint8_t *dest)
{
	static const uint8_t shift[] = { 4, 3, 2, 0 };
	unsigned s = shift[g->s.rctl >> RCTL_MO_SHIFT & 3];
	unsigned hash = (unsigned)(dest[4] >> s | dest[5] << (8 - s)) & 0xfff;

	return g->s.uta[hash >> 5] >> (hash & 31) & 1;
}

static uint32_t by_address(const struct igb *g, const uint8_t *dest, enum intel_dest kind)
{
	if (kind == DEST_BROADCAST)
		return pools_with(g, VMOLR_BAM);
	uint32_t pools = pools_of_address(g, dest);
	if (dest[0] & 1)
		return pools | pools_with(g, VMOLR_MPE) |
		       (kind == DEST_HASH ? pools_with(g, VMOLR_ROMPE) : 0);
	return pools ? pools : in_unicast_table(g, dest) ? pools_with(g, VMOLR_ROPE) : 0;
}

static uint32_t by_vlan(const struct igb *g, const struct intel_rx_info *info)
{
	uint32_t pools = 0;

	if (!(info->flags & RXF_VLAN))
		return pools_with(g, VMOLR_AUPE);
	if (!(g->s.rctl & RCTL_VFE))
		return ALL_POOLS;
	for (unsigned i = 0; i < IGB_VLVFS; i++)
		if ((g->s.vlvf[i] & VLVF_ENABLE) &&
		    (g->s.vlvf[i] & VLVF_ID) == (info->tag & VLVF_ID))
			pools |= g->s.vlvf[i] >> VLVF_POOLS & ALL_POOLS;
	return pools;
}

static uint32_t that_take_length(const struct igb *g, const struct intel_rx_info *info,
				 uint32_t pools)
{
	uint32_t length = info->length + FCS_SIZE;

	for (unsigned i = 0; i < IGB_POOLS; i++)
		if ((g->s.vmolr[i] & VMOLR_LPE) && length > (g->s.vmolr[i] & VMOLR_RLPML))
			pools &= ~BIT(i);
	return pools;
}

uint32_t igb_pools_of(const struct igb *g, const struct intel_rx_info *info, enum intel_dest dest)
{
	uint32_t pools = by_address(g, info->head, dest);

	if (pools)
		pools &= by_vlan(g, info);
	else if (dest != DEST_NONE && !g->loop_pool && !(g->s.vt_ctl & VT_CTL_NO_DEFAULT))
		pools = BIT(VT_CTL_DEFAULT(g->s.vt_ctl));
	if (g->loop_pool)
		pools &= ~BIT(g->loop_pool - 1u);
	pools = that_take_length(g, info, pools);
	/* without replication one pool gets it, the lowest */
	return g->s.vt_ctl & VT_CTL_REPLICATION ? pools : pools & -pools;
}

/* --- the switch --- */

/* Also delivered to pools of this card? `wire`: it leaves the card. */
static bool is_local(struct igb *g, const struct frame *f, bool *wire)
{
	struct intel_rx_info info;
	unsigned exact;

	intel_rx_look(&info, f, (uint16_t)g->s.vet);
	enum intel_dest dest =
		intel_filter_dest(&g->s.filter, IGB_ADDRESSES, g->s.rctl, info.head, &exact);
	bool local = igb_pools_of(g, &info, dest) != 0;
	*wire = !local || (info.head[0] & 1);
	return local;
}

unsigned igb_switch_frames(struct nic *nic, struct frame *frames, unsigned n)
{
	struct igb *g = igb_of(nic);
	unsigned done = 0, spent = 0;
	bool wire;

	for (; done < n; done++) {
		g->loop_pool = (uint8_t)(frames[done].queue % IGB_POOLS + 1);
		bool local = is_local(g, &frames[done], &wire);
		if (local && !intel_loop_turn(nic, &frames[done], &spent))
			break;
		/* the wire first: a frame that has to come again must not have been delivered */
		if (wire && nic_send(nic, &frames[done], 1) == 0)
			break;
		if (local)
			igb_loop_back(nic, &frames[done], 1);
	}
	g->loop_pool = 0;
	return done;
}
