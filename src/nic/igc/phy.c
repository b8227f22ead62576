/* phy.c - the card's GPY PHY: what it has beyond clause 22, and the clause 45 registers (MMDs) behind registers 13 and 14. */
#include "nic/igc/igc.h"
#include "nic/intel/mii.h"

#define PHY_ID1	     0x67c9
#define PHY_FIRMWARE 0x1e /* ethtool -i shows it behind the NVM's version */

static const struct intel_phy_reg regs[] = {
	{ MII_MMD_CONTROL, 0, 0xc01f },
};

struct mmd_reg {
	uint8_t device;
	uint16_t at, reset, writable;
};

/* Those that tell something; all others read 0. */
static const struct mmd_reg mmd_regs[] = {
	{ 1, 0, 0x2040, 0x2dfc },      /* PMA control */
	{ 1, 1, 0x0002, 0 },	       /* PMA status: can be powered down */
	{ 1, 2, PHY_ID1, 0 },	       /* PMA identifier */
	{ 1, 7, 0x0030, 0 },	       /* PMA type: 2.5GBASE-T */
	{ 3, 0, 0x2040, 0x2dfc },      /* PCS control */
	{ 3, 20, 0x0006, 0 },	       /* EEE abilities: 100BASE-TX, 1000BASE-T */
	{ MMD_AN, 0, 0x1000, 0x1000 }, /* negotiation control */
	{ MMD_AN, AN_MULTIGBT_CTRL, AN_2500, 0x61a0 },
	{ MMD_AN, 33, 0, 0 },	   /* MULTIGBT status: see mmd_read */
	{ MMD_AN, 60, 0, 0x0006 }, /* EEE advertisement */
	{ MMD_AN, 62, 0, 0x0001 }, /* ... of 2.5GBASE-T */
	{ 30, 0, 0, 0 },	   /* maker's */
};
_Static_assert(ARRAY_SIZE(mmd_regs) == IGC_MMD_REGS, "a value for each");

static int mmd_find(uint8_t device, uint16_t at)
{
	for (unsigned i = 0; i < ARRAY_SIZE(mmd_regs); i++)
		if (mmd_regs[i].device == device && mmd_regs[i].at == at)
			return (int)i;
	return -1;
}

static uint16_t mmd_value(const struct igc *c, uint8_t device, uint16_t at)
{
	int i = mmd_find(device, at);

	return i < 0 ? 0 : c->mmd[i];
}

static uint16_t mmd_read(const struct igc *c)
{
	uint8_t device = MMD_DEVICE(c->mmd_control);

	/* the partner can do 2.5GBASE-T */
	if (device == MMD_AN && c->mmd_address == 33)
		return c->phy.link && !intel_phy_loops(&c->phy) ? BIT(5) : 0;
	return mmd_value(c, device, c->mmd_address);
}

static void mmd_write(struct igc *c, uint16_t value)
{
	int i = mmd_find(MMD_DEVICE(c->mmd_control), c->mmd_address);

	if (i >= 0)
		c->mmd[i] = (uint16_t)((c->mmd[i] & ~mmd_regs[i].writable) |
				       (value & mmd_regs[i].writable));
}

static bool phy_read(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t *value)
{
	struct igc *c = igc_of(nic);

	(void)phy;
	if (reg == PHY_FIRMWARE)
		*value = c->variant->phy_firmware;
	if (reg != MII_MMD_DATA)
		return reg == PHY_FIRMWARE;
	if (MMD_FUNCTION(c->mmd_control) == MMD_ADDRESS) {
		*value = c->mmd_address;
		return true;
	}
	*value = mmd_read(c);
	if (MMD_FUNCTION(c->mmd_control) == MMD_DATA_INC)
		c->mmd_address++;
	return true;
}

static void reset_mmd(struct igc *c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(mmd_regs); i++)
		c->mmd[i] = mmd_regs[i].reset;
	c->mmd_address = c->mmd_control = 0;
}

static bool phy_written(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t value,
			uint16_t old)
{
	struct igc *c = igc_of(nic);

	(void)old;
	switch (reg) {
	case MII_CONTROL:
		if (value & BMCR_RESET)
			reset_mmd(c);
		return false;
	case MII_MMD_CONTROL:
		c->mmd_control = phy->reg[MII_MMD_CONTROL];
		return true;
	case MII_MMD_DATA:
		if (MMD_FUNCTION(c->mmd_control) == MMD_ADDRESS) {
			c->mmd_address = value;
			return true;
		}
		mmd_write(c, value);
		if (MMD_FUNCTION(c->mmd_control) != MMD_DATA)
			c->mmd_address++;
		return true;
	default:
		return false;
	}
}

static bool advertises_2500(struct nic *nic, const struct intel_phy *phy)
{
	(void)phy;
	return mmd_value(igc_of(nic), MMD_AN, AN_MULTIGBT_CTRL) & AN_2500;
}

void igc_phy_init(struct igc *c)
{
	c->phy_model = (struct intel_phy_model){
		.regs = regs,
		.count = ARRAY_SIZE(regs),
		.id1 = PHY_ID1,
		.id2 = c->variant->phy_id2,
		.fast_2500 = true,
		.read = phy_read,
		.written = phy_written,
		.advertises_2500 = advertises_2500,
	};
}

void igc_phy_reset(struct igc *c)
{
	reset_mmd(c);
	intel_phy_reset(&c->phy, &c->phy_model);
	igc_link_check(c);
}

void igc_phy_save(const struct igc *c, struct buffer *out)
{
	intel_phy_save(&c->phy, nic_now(&c->nic), out);
	buffer_put_u16(out, c->mmd_address);
	buffer_put_u16(out, c->mmd_control);
	for (unsigned i = 0; i < IGC_MMD_REGS; i++)
		buffer_put_u16(out, c->mmd[i]);
}

bool igc_phy_load(struct igc *c, struct reader *in)
{
	if (!intel_phy_load(&c->phy, &c->phy_model, nic_now(&c->nic), in))
		return false;
	c->mmd_address = reader_u16(in);
	c->mmd_control = reader_u16(in) & 0xc01f;
	for (unsigned i = 0; i < IGC_MMD_REGS; i++)
		c->mmd[i] = (uint16_t)((mmd_regs[i].reset & ~mmd_regs[i].writable) |
				       (reader_u16(in) & mmd_regs[i].writable));
	return true;
}
