/* phy.h - the copper PHY behind MDIC: IEEE 802.3 clause 22 registers, autonegotiation, loopback; what one maker's PHY has
 * beyond is the model's (hooks).
 *
 * The cable is nic->link_up. The PHY's own link needs the cable, no power-down, and negotiation that has ended. One that the driver
 * starts takes INTEL_NEGOTIATION_NS: drivers expect to see it under way, and igb's self-test, which resets the card first, wants no
 * link to come up between two reads of STATUS or while it tries the link's own interrupt. One that the cable starts is over at once,
 * so that a port's switch is quick. The partner at the other end of our wire can do everything.
 */
#ifndef ANYNIC_NIC_INTEL_PHY_H
#define ANYNIC_NIC_INTEL_PHY_H

#include "nic/nic.h"

#define INTEL_PHY_REGS	     32u
#define INTEL_NEGOTIATION_NS (500 * NS_PER_MS)

enum intel_speed { SPEED_10, SPEED_100, SPEED_1000, SPEED_2500, INTEL_SPEED_COUNT };

struct intel_phy {
	uint16_t reg[INTEL_PHY_REGS];
	uint64_t done_ns; /* when negotiation ends; 0 = none under way */
	bool link;	  /* what the MAC is told */
	bool settled;	  /* link is the outcome of a negotiation: stands until the next */
	bool link_fell;	  /* BMSR shows a lost link once (22.2.4.2.13) */
	uint8_t speed;	  /* enum intel_speed, as resolved */
	bool full_duplex;
};

/* Facts of a PHY. `reset` values of registers that are not 0, and which bits can be written. */
struct intel_phy_reg {
	uint8_t at;
	uint16_t reset, writable;
};
struct intel_phy_model {
	const struct intel_phy_reg *regs; /* own registers and differences from the common ones */
	unsigned count;
	uint16_t id1, id2;
	bool fast_2500; /* 2.5GBASE-T is among what it negotiates: `advertises_2500` decides */
	/* May be NULL. Own side effects and values; return true when done. `advertises_2500`: from the model's own registers. */
	bool (*read)(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t *value);
	bool (*written)(struct nic *nic, struct intel_phy *phy, unsigned reg, uint16_t value,
			uint16_t old);
	bool (*advertises_2500)(struct nic *nic, const struct intel_phy *phy);
};

void intel_phy_reset(struct intel_phy *phy, const struct intel_phy_model *m);

/* Clause 22 access. Neither moves phy->link, speed and duplex: after each write the model calls intel_phy_update, and brings its STATUS
 * in line when that says so. phy->done_ns, when not 0, is a deadline of the model's timer, which calls it too. */
uint16_t intel_phy_read(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m,
			unsigned reg);
void intel_phy_write(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m,
		     unsigned reg, uint16_t value);

/* Cable moved, or time passed. True when link, speed or duplex changed. */
bool intel_phy_update(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m);

/* BMCR bit 14. */
bool intel_phy_loops(const struct intel_phy *phy);

/* MDIC (8254x manual 13.4.20): what the register reads as after `written`; always ready at once. `address` is the PHY's; another one, or a
 * bad opcode, gives the error bit. */
uint32_t intel_mdic(struct nic *nic, struct intel_phy *phy, const struct intel_phy_model *m,
		    unsigned address, uint32_t written);

void intel_phy_save(const struct intel_phy *phy, uint64_t now, struct buffer *out);
bool intel_phy_load(struct intel_phy *phy, const struct intel_phy_model *m, uint64_t now,
		    struct reader *in);

#endif
