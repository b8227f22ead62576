/* variants.c - the cards of the family: one model, told apart by data. Versions are what real cards say to `ethtool -i`. */
#include "nic/igc/igc.h"
#include "nic/igc/ops.h"

static const struct igc_variant i226_v = {
	.device = 0x125c,
	.revision = 4,
	.phy_id2 = 0xdc00,
	.phy_firmware = 0x888d,
	.nvm_version = 0x2017,
};

static const struct igc_variant i226_lm = {
	.device = 0x125b,
	.revision = 4,
	.phy_id2 = 0xdc00,
	.phy_firmware = 0x888d,
	.nvm_version = 0x2017,
};

static const struct igc_variant i225_v = {
	.device = 0x15f3,
	.revision = 3,
	.phy_id2 = 0xdc00,
	.phy_firmware = 0x8770,
	.nvm_version = 0x1057,
};

static const struct igc_variant i225_lm = {
	.device = 0x15f2,
	.revision = 3,
	.phy_id2 = 0xdc00,
	.phy_firmware = 0x8770,
	.nvm_version = 0x1057,
};

static int init_i226_v(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	(void)spec, (void)err;
	return igc_init(nic, &i226_v);
}

static int init_i226_lm(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	(void)spec, (void)err;
	return igc_init(nic, &i226_lm);
}

static int init_i225_v(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	(void)spec, (void)err;
	return igc_init(nic, &i225_v);
}

static int init_i225_lm(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	(void)spec, (void)err;
	return igc_init(nic, &i225_lm);
}

static void finish(struct nic *nic)
{
	(void)nic; /* everything is inside the struct */
}

static const char *const does[] = {
	"all that Linux' igc probes and opens: NVM with checksum (EERD, EEWR), semaphores, the PHY "
	"with its MMDs, PHPM, resets",
	"link of 10, 100, 1000 and 2500 Mbit/s, negotiated from what the driver advertises",
	"4+4 queues, advanced and legacy descriptors (iPXE), header split, checksums with SCTP, "
	"TSO, VLAN tags, jumbo frames to 9728 bytes",
	"a queue without buffers holds up the others, as with the chip's one packet buffer, unless "
	"SRRCTL.Drop_En says that its frames are dropped (RQDPC, MPC); Linux leaves it off",
	"MSI-X with 5 vectors (EICR, IVAR, EITR, EIAC, EIAM), MSI, INTx; FLR, AER, DSN",
	"RSS; filters to a queue: EtherType, TCP SYN, port and protocol, 32 flex filters, VLAN "
	"priority, MAC address (also of the source)",
	"clock in seconds and nanoseconds with rate and offset, target times, PPS event; 4 "
	"transmit stamps, receive stamps in front of frames",
	"launch times (ETF) and gates (802.1Qbv) that hold frames back until their time",
	"pause frames are obeyed, and sent when the driver writes TCTL.SWXOFF",
	"statistics with their read rules; MAC and PHY loopback",
	NULL
};

static const char *const lacks[] = {
	"PTM and LTR messages (no such capabilities; LTR registers are storage)",
	"credits (802.1Qav), frame preemption, the switch to a schedule in the future (FUTSCDDIS): "
	"registers are storage",
	"timers 1 to 3 of the clock (they show timer 0), pins: outputs are silent, auxiliary "
	"stamps never come",
	"wake-up, energy-efficient Ethernet, flow control by thresholds (no packet buffer runs "
	"full: "
	"what the guest has no room for waits in the backend), DCA, a second VLAN tag: registers "
	"are storage",
	NULL
};

static struct reg_space *const spaces[] = { &igc_space, NULL };

#define IGC_OPS(model, text, function)                                                             \
	{                                                                                          \
		.name = model, .summary = text, .size = sizeof(struct igc), .performant = true,    \
		.msix = true, .legacy = true, .express = true, .queues_max = IGC_QUEUES,           \
		.spaces = spaces, .init = function, .finish = finish, .reset = igc_reset,          \
		.transmit = igc_transmit, .receive = igc_receive,                                  \
		.link_changed = igc_link_changed, .timer = igc_timer, .judge = igc_judge,          \
		.save = igc_save, .load = igc_load, .does = does, .lacks = lacks,                  \
	}

const struct nic_ops igc_ops =
	IGC_OPS("igc", "Intel I226-V, 2.5 Gbit/s, PCI Express, 4 queue pairs", init_i226_v);
const struct nic_ops igc_i226_lm_ops =
	IGC_OPS("igc-i226-lm", "Intel I226-LM, as igc", init_i226_lm);
const struct nic_ops igc_i225_v_ops = IGC_OPS("igc-i225-v", "Intel I225-V, as igc", init_i225_v);
const struct nic_ops igc_i225_lm_ops =
	IGC_OPS("igc-i225-lm", "Intel I225-LM, as igc", init_i225_lm);
