#include "nic/intel/phy.h"

#include "nic/intel/mii.h"
#include "nic/intel/regs.h"

#define MDIC_ECHO   0x2fff0000u /* interrupt enable, operation, PHY address, register */
#define MDIC_WRITE  1u
#define MDIC_READ   2u
#define MDIC_ERROR  BIT(30)
#define BMCR_STORED 0x7dc0u /* without reset and restart, which clear themselves */

/* What every gigabit PHY has (802.3 22.2.4, 40.5.1.1); a model's table goes before. */
static const struct intel_phy_reg common[] = {
	{ MII_CONTROL, BMCR_NEGOTIATE | BMCR_FULL | BMCR_SPEED_1000, BMCR_STORED },
	{ MII_STATUS, BMSR_ABLE, 0 },
	{ MII_ADVERTISE, AN_ALL | AN_PAUSE | AN_ASYM | AN_SELECTOR, 0xafe0 },
	{ MII_NEXT_PAGE, 0x2001, 0xbfff },
	{ MII_1000_CONTROL, GB_FULL | GB_HALF, 0xff00 },
	{ MII_EXT_STATUS, 0x3000, 0 },
};

static const struct intel_phy_reg *find(const struct intel_phy_model *m, unsigned reg)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->regs[i].at == reg)
			return &m->regs[i];
	for (unsigned i = 0; i < ARRAY_SIZE(common); i++)
		if (common[i].at == reg)
			return &common[i];
	return NULL;
}

void intel_phy_reset(struct intel_phy *phy, const struct intel_phy_model *m)
{
	/* what the MAC was told stands until intel_phy_update */
	phy->link_fell |= phy->link;
	phy->settled = false;
	phy->done_ns = 0;
	for (unsigned i = 0; i < INTEL_PHY_REGS; i++) {
		const struct intel_phy_reg *r = find(m, i);
		phy->reg[i] = r ? r->reset : 0;
	}
	phy->reg[MII_ID1] = m->id1;
	phy->reg[MII_ID2] = m->id2;
}

bool intel_phy_loops(const struct intel_phy *phy)
{
	return phy->reg[MII_CONTROL] & BMCR_LOOPBACK;
}

static bool negotiates(const struct intel_phy *phy)
{
	return phy->reg[MII_CONTROL] & BMCR_NEGOTIATE;
}

/* Negotiation has ended and a partner was there. */
static bool negotiated(const struct nic *nic, const struct intel_phy *phy)
{
	return negotiates(phy) && !phy->done_ns && nic->link_up &&
	       !(phy->reg[MII_CONTROL] & (BMCR_POWER_DOWN | BMCR_LOOPBACK));
}

/* The best of what is advertised (28B.3); the partner knows all of it. False: nothing in common. */
static bool resolve_negotiated(struct nic *nic, struct intel_phy *phy,
			       const struct intel_phy_model *m)
{
	static const struct {
		uint8_t reg;
		uint16_t bit;
		uint8_t speed;
		bool full;
	} best_first[] = {
		{ MII_1000_CONTROL, GB_FULL, SPEED_1000, true },
		{ MII_1000_CONTROL, GB_HALF, SPEED_1000, false },
		{ MII_ADVERTISE, AN_100_FULL, SPEED_100, true },
		{ MII_ADVERTISE, AN_100_HALF, SPEED_100, false },
		{ MII_ADVERTISE, AN_10_FULL, SPEED_10, true },
		{ MII_ADVERTISE, AN_10_HALF, SPEED_10, false },
	};

	if (m->fast_2500 && m->advertises_2500 && m->advertises_2500(nic, phy)) {
		phy->speed = SPEED_2500;
		phy->full_duplex = true;
		return true;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(best_first); i++)
		if (phy->reg[best_first[i].reg] & best_first[i].bit) {
			phy->speed = best_first[i].speed;
			phy->full_duplex = best_first[i].full;
			return true;
		}
	return false;
}

static bool resolve_forced(struct intel_phy *phy)
{
	uint16_t control = phy->reg[MII_CONTROL];

	phy->full_duplex = control & BMCR_FULL;
	if (control & BMCR_SPEED_1000)
		phy->speed = SPEED_1000; /* both speed bits: reserved, taken as the faster */
	else
		phy->speed = control & BMCR_SPEED_100 ? SPEED_100 : SPEED_10;
	return true;
}

static bool resolve(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m)
{
	if (phy->reg[MII_CONTROL] & BMCR_POWER_DOWN)
		return false;
	if (intel_phy_loops(phy))
		return resolve_forced(phy); /* the cable is not looked at */
	if (!nic->link_up || phy->done_ns)
		return false;
	if (!negotiates(phy))
		return resolve_forced(phy);
	/* what is advertised meanwhile waits for the next negotiation (28.2.2.1) */
	return phy->settled || resolve_negotiated(nic, phy, m);
}

bool intel_phy_update(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m)
{
	bool link = phy->link, full = phy->full_duplex;
	uint8_t speed = phy->speed;

	if (phy->done_ns && nic_now(nic) >= phy->done_ns)
		phy->done_ns = 0;
	phy->link = resolve(nic, phy, m);
	phy->settled = phy->link && negotiates(phy) && !intel_phy_loops(phy);
	if (link && !phy->link)
		phy->link_fell = true;
	return link != phy->link || (link && (speed != phy->speed || full != phy->full_duplex));
}

static uint16_t read_status(const struct nic *nic, struct intel_phy *phy)
{
	uint16_t value = phy->reg[MII_STATUS];

	if (negotiated(nic, phy))
		value |= BMSR_NEGOTIATED;
	if (phy->link && !phy->link_fell)
		value |= BMSR_LINK;
	phy->link_fell = false;
	return value;
}

uint16_t intel_phy_read(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m,
			unsigned reg)
{
	uint16_t value = 0;

	if (reg >= INTEL_PHY_REGS)
		return 0;
	if (m->read && m->read(nic, phy, reg, &value))
		return value;
	switch (reg) {
	case MII_STATUS:
		return read_status(nic, phy);
	case MII_PARTNER:
		return negotiated(nic, phy) ? AN_ACK | AN_ALL | AN_PAUSE | AN_SELECTOR : 0;
	case MII_EXPANSION:
		return negotiated(nic, phy) ? EXPANSION_PARTNER | EXPANSION_PAGE | EXPANSION_NEXT
					    : EXPANSION_NEXT;
	case MII_1000_STATUS:
		return negotiated(nic, phy) ? GBS_ALL : 0;
	default:
		return phy->reg[reg];
	}
}

static void control_written(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m,
			    uint16_t value, uint16_t old)
{
	bool restart = value & BMCR_RESTART;

	if (value & BMCR_RESET)
		intel_phy_reset(phy, m);
	/* also out of power-down and loopback: the partner has lost us */
	if (~value & old & (BMCR_POWER_DOWN | BMCR_LOOPBACK))
		restart = true;
	if (value & ~old & BMCR_NEGOTIATE)
		restart = true;
	if (restart || (value & BMCR_RESET))
		phy->done_ns = negotiates(phy) ? nic_now(nic) + INTEL_NEGOTIATION_NS : 0;
	else if (!negotiates(phy))
		phy->done_ns = 0;
}

void intel_phy_write(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m,
		     unsigned reg, uint16_t value)
{
	const struct intel_phy_reg *r;

	if (reg >= INTEL_PHY_REGS)
		return;
	uint16_t old = phy->reg[reg];
	r = find(m, reg);
	if (r)
		phy->reg[reg] = (uint16_t)((old & ~r->writable) | (value & r->writable));
	if (m->written && m->written(nic, phy, reg, value, old))
		reg = INTEL_PHY_REGS; /* the model did it all */
	if (reg == MII_CONTROL)
		control_written(nic, phy, m, value, old);
}

uint32_t intel_mdic(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m,
		    unsigned address, uint32_t written)
{
	uint32_t op = written >> 26 & 3, at = written >> 21 & 31, reg = written >> 16 & 31;
	uint32_t value = (written & MDIC_ECHO) | MDIC_READY;

	if (at != address || (op != MDIC_READ && op != MDIC_WRITE))
		return value | MDIC_ERROR;
	if (op == MDIC_READ)
		return value | intel_phy_read(nic, phy, m, reg);
	intel_phy_write(nic, phy, m, reg, (uint16_t)written);
	return value | (written & 0xffff);
}

void intel_phy_save(const struct intel_phy *phy, uint64_t now, struct buffer *out)
{
	for (unsigned i = 0; i < INTEL_PHY_REGS; i++)
		buffer_put_u16(out, phy->reg[i]);
	buffer_put_u64(out, phy->done_ns > now ? phy->done_ns - now : 0);
	buffer_put_u8(out, phy->link);
	buffer_put_u8(out, phy->link_fell);
	buffer_put_u8(out, phy->speed);
	buffer_put_u8(out, phy->full_duplex);
}

bool intel_phy_load(struct intel_phy *phy, const struct intel_phy_model *m, uint64_t now,
		    struct reader *in)
{
	uint64_t left;
	uint8_t speed;

	*phy = (struct intel_phy){ 0 };
	intel_phy_reset(phy, m);
	for (unsigned i = 0; i < INTEL_PHY_REGS; i++) {
		const struct intel_phy_reg *r = find(m, i);
		uint16_t mask = r ? r->writable : 0;
		phy->reg[i] = (uint16_t)((phy->reg[i] & ~mask) | (reader_u16(in) & mask));
	}
	left = reader_u64(in);
	phy->done_ns = left ? now + MIN(left, INTEL_NEGOTIATION_NS) : 0;
	phy->link = reader_u8(in) & 1;
	phy->link_fell = reader_u8(in) & 1;
	speed = reader_u8(in);
	phy->speed = speed < INTEL_SPEED_COUNT ? speed : SPEED_10; /* no reset would put it right */
	phy->full_duplex = reader_u8(in) & 1;
	phy->settled = phy->link && negotiates(phy) && !intel_phy_loops(phy);
	return !in->failed && speed < INTEL_SPEED_COUNT;
}
