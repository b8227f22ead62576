/* mii.h - registers of a copper PHY as 802.3 clause 22 and 40 have them. */
#ifndef ANYNIC_NIC_INTEL_MII_H
#define ANYNIC_NIC_INTEL_MII_H

#include "base/util.h"

enum {
	MII_CONTROL = 0,
	MII_STATUS = 1,
	MII_ID1 = 2,
	MII_ID2 = 3,
	MII_ADVERTISE = 4,
	MII_PARTNER = 5,
	MII_EXPANSION = 6,
	MII_NEXT_PAGE = 7,
	MII_1000_CONTROL = 9,
	MII_1000_STATUS = 10,
	MII_MMD_CONTROL = 13,
	MII_MMD_DATA = 14,
	MII_EXT_STATUS = 15,
};

/* 0 */
#define BMCR_SPEED_1000 BIT(6)
#define BMCR_FULL	BIT(8)
#define BMCR_RESTART	BIT(9)
#define BMCR_POWER_DOWN BIT(11)
#define BMCR_NEGOTIATE	BIT(12)
#define BMCR_SPEED_100	BIT(13)
#define BMCR_LOOPBACK	BIT(14)
#define BMCR_RESET	BIT(15)

/* 1 */
#define BMSR_LINK	BIT(2)
#define BMSR_NEGOTIATED BIT(5)
#define BMSR_ABLE                                                                                  \
	0x7949u /* 10 and 100 half and full, register 15, no preamble, negotiation, extended registers */

/* 4 and 5 */
#define AN_SELECTOR 0x0001u
#define AN_10_HALF  BIT(5)
#define AN_10_FULL  BIT(6)
#define AN_100_HALF BIT(7)
#define AN_100_FULL BIT(8)
#define AN_ALL	    (AN_10_HALF | AN_10_FULL | AN_100_HALF | AN_100_FULL)
#define AN_PAUSE    BIT(10)
#define AN_ASYM	    BIT(11)
#define AN_ACK	    BIT(14)

/* 6 */
#define EXPANSION_PARTNER BIT(0)
#define EXPANSION_PAGE	  BIT(1)
#define EXPANSION_NEXT	  BIT(2)

/* 9, 10 */
#define GB_HALF BIT(8)
#define GB_FULL BIT(9)
#define GBS_ALL 0x7c00u /* master, both receivers fine, partner does half and full */

#endif
