/* phy.c - the PHY inside the 82576: what drivers know as IGP3. Registers from 16 on come in pages: the driver writes the whole address to
 * register 31, then its low five bits go through MDIC.
 */
#include "nic/igb/igb.h"
#include "nic/intel/mii.h"

#define PAGE_SELECT 31u
#define PAGED_FROM  16u

enum { IGP_CONFIG = 16, IGP_STATUS = 17, IGP_CONTROL = 18, IGP_HEALTH = 19, IGP_POWER = 25 };

#define IGP_STATUS_MDIX BIT(11)
#define IGP_STATUS_FULL BIT(9)
#define IGP_STATUS_LINK BIT(10)
#define IGP_STATUS_10	(1u << 14)
#define IGP_STATUS_100	(2u << 14)
#define IGP_STATUS_1000 (3u << 14)
#define IGP_AGC_PAGE	0x1000u /* 0x11b1, 0x12b1, 0x14b1, 0x18b1: gain of each pair */
#define IGP_AGC_SHORT	(0x20u << 9)

static const struct intel_phy_reg regs[] = {
	{ IGP_CONFIG, 0x0080, 0xffff },
	{ IGP_CONTROL, 0x1000, 0xffff },
	{ IGP_HEALTH, 0, 0xffff },
	{ IGP_POWER, 0, 0xffff },
	{ 20, 0, 0xffff },
	{ PAGE_SELECT, 0, 0xffff },
};

static uint16_t port_status(const struct intel_phy *phy)
{
	static const uint16_t speeds[INTEL_SPEED_COUNT] = {
		[SPEED_10] = IGP_STATUS_10,
		[SPEED_100] = IGP_STATUS_100,
		[SPEED_1000] = IGP_STATUS_1000,
	};

	if (!phy->link || phy->speed >= INTEL_SPEED_COUNT)
		return 0;
	return (uint16_t)(speeds[phy->speed] | IGP_STATUS_LINK |
			  (phy->full_duplex ? IGP_STATUS_FULL : 0) | IGP_STATUS_MDIX);
}

static bool read_reg(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t *value)
{
	uint32_t page = phy->reg[PAGE_SELECT] & ~31u;

	(void)nic;
	if (reg < PAGED_FROM || reg >= PAGE_SELECT)
		return false;
	if (page) {
		/* a cable of a few metres on each pair; the rest of the pages is analog matters */
		*value = (page & 0xf000) == IGP_AGC_PAGE ? IGP_AGC_SHORT : 0;
		return true;
	}
	if (reg != IGP_STATUS)
		return false;
	*value = port_status(phy);
	return true;
}

static bool written_reg(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t value,
			uint16_t old)
{
	(void)nic, (void)value;
	/* pages other than 0 keep nothing */
	if (reg >= PAGED_FROM && reg < PAGE_SELECT && (phy->reg[PAGE_SELECT] & ~31u)) {
		phy->reg[reg] = old;
		return true;
	}
	return false;
}

const struct intel_phy_model igb_phy_model = {
	.regs = regs,
	.count = ARRAY_SIZE(regs),
	.id1 = 0x02a8,
	.id2 = 0x0391,
	.read = read_reg,
	.written = written_reg,
};
