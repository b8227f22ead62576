/* phy.c - the 82574's own PHY: the registers that its maker added to clause 22 (82574 datasheet 9; Linux compares its id whole).
 *
 * Registers 16 to 31 are paged by register 22. A driver configures links and loopback on a few other pages; nothing there
 * needs more than to keep what was written.
 */
#include "nic/e1000e/e1000e.h"
#include "nic/intel/mii.h"

#define ID1 0x0141
#define ID2 0x0cb1

enum { PHY_CONTROL = 16, PHY_SPEC_STATUS = 17, PHY_PAGE = 22 };

#define SPEC_LINK	 BIT(10)
#define SPEC_RESOLVED	 BIT(11)
#define SPEC_FULL	 BIT(13)
#define SPEC_SPEED_SHIFT 14

static const struct intel_phy_reg regs[] = {
	{ PHY_CONTROL, 0x3060, 0xffff }, /* crossover by itself, energy detect */
	{ 18, 0, 0xffff },		 /* interrupt enable */
	{ 20, 0x0c68, 0xffff },		 /* the MAC's interface */
	{ PHY_PAGE, 0, 0xffff },
	{ 24, 0x4100, 0xffff }, /* LED */
	{ 25, 0, 0xffff },
	{ 26, 0, 0xffff },
	{ 29, 0, 0xffff }, /* which of the maker's own registers is behind 30 */
	{ 30, 0, 0xffff },
};

static const struct {
	uint16_t page, reg;
} pages[] = {
	{ 2, 21 },   { 769, 16 }, { 769, 17 }, { 769, 18 },
	{ 769, 20 }, { 776, 16 }, { 776, 18 }, { 776, 19 },
};
_Static_assert(ARRAY_SIZE(pages) == E1000E_PAGED, "a place for each paged register");

/* The place of a register on the page that is selected; NULL: nothing is there. */
static uint16_t *find_paged(struct e1000e *e, const struct intel_phy *phy, unsigned reg)
{
	for (unsigned i = 0; i < E1000E_PAGED; i++)
		if (pages[i].page == phy->reg[PHY_PAGE] && pages[i].reg == reg)
			return &e->paged[i];
	return NULL;
}

static bool other_page(const struct intel_phy *phy, unsigned reg)
{
	return phy->reg[PHY_PAGE] != 0 && reg >= PHY_CONTROL && reg != PHY_PAGE;
}

static bool read_own(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t *value)
{
	if (other_page(phy, reg)) {
		const uint16_t *place = find_paged(e1000e_of(nic), phy, reg);
		*value = place ? *place : 0;
		return true;
	}
	if (reg != PHY_SPEC_STATUS)
		return false;
	*value = 0;
	if (phy->link)
		*value = (uint16_t)(SPEC_LINK | SPEC_RESOLVED | phy->speed << SPEC_SPEED_SHIFT |
				    (phy->full_duplex ? SPEC_FULL : 0));
	return true;
}

static bool written_own(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t value,
			uint16_t old)
{
	uint16_t *place;

	if (!other_page(phy, reg))
		return false;
	phy->reg[reg] = old; /* page 0 has nothing to do with it */
	place = find_paged(e1000e_of(nic), phy, reg);
	if (place)
		*place = value;
	return true;
}

const struct intel_phy_model e1000e_phy = {
	.regs = regs,
	.count = ARRAY_SIZE(regs),
	.id1 = ID1,
	.id2 = ID2,
	.read = read_own,
	.written = written_own,
};
