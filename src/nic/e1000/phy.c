/* phy.c - the Marvell PHY inside the card: M88E1011 (82540, 82545) or M88E1000 (82544); manual 8 and 13.4.20, Linux and FreeBSD for what
 * drivers read.
 */
#include "nic/e1000/e1000.h"
#include "nic/intel/mii.h"

/* Values as drivers find them after a reset. */
static const struct intel_phy_reg regs[] = {
	{ M88_CONTROL, 0x0068, 0xffef },     { M88_INT_ENABLE, 0, 0xffff },
	{ M88_EXT_CONTROL, 0x0d60, 0xffff }, { M88_LED_CONTROL, 0x4100, 0xffff },
	{ M88_LED_OVERRIDE, 0, 0xffff },     { M88_EXT_CONTROL_2, 0x000a, 0xffff },
	{ M88_EXT_STATUS, 0x848b, 0x000f },  { M88_PAGE, 0, 0xffff },
	{ M88_PAGE_DATA, 0, 0xffff },
};

/* 17: what negotiation came to, in one word. */
static uint16_t specific_status(const struct intel_phy *phy)
{
	uint16_t value = M88_STATUS_LENGTH;

	if (!phy->link)
		return value;
	value |= M88_STATUS_LINK | M88_STATUS_RESOLVED | M88_STATUS_PAUSE;
	value |= (uint16_t)(phy->speed << M88_STATUS_SPEED_SHIFT);
	if (phy->full_duplex)
		value |= M88_STATUS_FULL;
	return value;
}

static bool phy_read(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t *value)
{
	(void)nic;
	switch (reg) {
	case M88_STATUS:
		*value = specific_status(phy);
		return true;
	case M88_INT_STATUS:
		/* read by nobody who waits for interrupts: the pin leads to the MAC, which has LSC for it */
		*value = phy->link_fell ? M88_INT_LINK : 0;
		return true;
	default:
		return false;
	}
}

const struct intel_phy_model e1000_phy_m88e1011 = {
	.regs = regs, .count = ARRAY_SIZE(regs), .id1 = 0x0141, .id2 = 0x0c20, .read = phy_read
};
const struct intel_phy_model e1000_phy_m88e1000 = {
	.regs = regs, .count = ARRAY_SIZE(regs), .id1 = 0x0141, .id2 = 0x0c30, .read = phy_read
};
