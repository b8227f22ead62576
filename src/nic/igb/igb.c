/* igb.c - life of the card: identity, resets, link, timer, and the registers around them. */
#include <errno.h>
#include <string.h>

#include "nic/igb/igb.h"

#define PM_AT	       0x40
#define MSI_AT	       0x50
#define MSIX_AT	       0x70
#define PCIE_AT	       0xa0
#define AER_AT	       0x100
#define MSIX_PBA       0x2000u
#define PHY_ADDRESS    1u
#define FRTIMER_NS     1000u
#define SYSTIM_TICK_NS 16u

/* --- link --- */

bool igb_loops(const struct igb *g)
{
	return intel_phy_loops(&g->phy) || (g->s.rctl & RCTL_LBM);
}

static bool link_is_up(const struct igb *g)
{
	return (g->s.ctrl & CTRL_SLU) && g->phy.link;
}

void igb_link_update(struct igb *g)
{
	struct nic *nic = &g->nic;

	if (!intel_phy_update(nic, &g->phy, &igb_phy_model))
		goto arm;
	const struct intel_causes c = { .other = INT_LSC };
	intel_irq_raise(nic, &g->s.irq, &c);
arm:
	if (g->phy.done_ns)
		nic_set_timer(nic, intel_earlier(nic->notes.deadline_ns, g->phy.done_ns));
}

uint32_t igb_status_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	const struct igb *g = igb_of_dev(dev);
	uint32_t value = STATUS_LAN_INIT_DONE;

	(void)row, (void)index;
	if (!(g->s.ctrl & CTRL_GIO_DISABLE))
		value |= STATUS_GIO_MASTER;
	if (g->flow.until_ns)
		value |= STATUS_TXOFF;
	if (!link_is_up(g))
		return value | STATUS_FD | 2u << STATUS_SPEED_SHIFT;
	value |= STATUS_LU;
	/* the MAC takes over what the PHY found, unless the driver forces it (8.2.1) */
	if (g->s.ctrl & CTRL_FRCSPD)
		value |= (g->s.ctrl >> CTRL_SPEED_SHIFT & 3) << STATUS_SPEED_SHIFT;
	else
		value |= (uint32_t)MIN(g->phy.speed, SPEED_1000) << STATUS_SPEED_SHIFT;
	if (g->s.ctrl & CTRL_FRCDPLX ? g->s.ctrl & CTRL_FD : g->phy.full_duplex)
		value |= STATUS_FD;
	return value;
}

static void link_changed(struct nic *nic)
{
	igb_link_update(igb_of(nic));
}

/* --- resets --- */

static void load_address(struct igb *g)
{
	uint8_t mac[MAC_LEN];

	intel_nvm_mac(&g->nvm, mac);
	intel_filter_set_mac(&g->s.filter, mac);
}

/* What CTRL.RST and every larger reset do. */
static void reset_mac(struct igb *g)
{
	g->s = (struct igb_state){ 0 };
	reg_space_reset(&igb_mem_space, &g->nic.pci);
	reg_space_reset(&igb_io_space, &g->nic.pci);
	intel_irq_reset(&g->nic, &g->s.irq, IRQ_82576);
	/* queue 0 is on, for drivers from before the 82575 (8.10.8, 8.12.14) */
	g->s.rx[0].ring.ctl = g->s.tx[0].ring.ctl = DCTL_ENABLE;
	g->spi = (struct igb_spi){ 0 };
	g->rx_hold_ns = 0;
	g->rx_full = 0;
	g->flow = (struct intel_flow){ 0 };
	intel_ptp_clock_reset(&g->s.clock, SYSTIM_TICK_NS, nic_now(&g->nic));
	load_address(g);
}

static void soft_reset(struct igb *g)
{
	uint32_t keep = g->s.ctrl_ext & CTRL_EXT_DRV_LOAD;
	uint32_t sync = g->s.sw_fw_sync, io = g->s.io_address;

	intel_driver_reset(&g->nic, &g->driver, g->s.rctl & RCTL_EN);
	reset_mac(g);
	/* the driver's word that it is there, and semaphores, are not the MAC's */
	g->s.ctrl_ext |= keep;
	g->s.sw_fw_sync = sync;
	g->s.io_address = io;
	g->nic.notes.runnable = 0;
	igb_note(g);
	igb_link_update(g);
}

static void reset(struct nic *nic, enum reset_kind kind)
{
	struct igb *g = igb_of(nic);

	(void)kind;
	intel_phy_reset(&g->phy, &igb_phy_model);
	intel_driver_clear(&g->driver);
	reset_mac(g);
	intel_phy_update(nic, &g->phy, &igb_phy_model);
	nic->rx_offloads = 0; /* the descriptor cannot say "checksum not filled in" */
	nic_set_timer(nic, g->phy.done_ns);
}

void igb_ctrl_written(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		      uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)index;
	if (value & CTRL_RST) {
		soft_reset(g);
		return;
	}
	if (value & CTRL_PHY_RST) {
		intel_phy_reset(&g->phy, &igb_phy_model);
		g->phy.done_ns = nic_now(&g->nic) + INTEL_NEGOTIATION_NS;
	}
	if ((value & CTRL_PHY_RST) || ((value ^ old) & CTRL_SLU))
		igb_link_update(g);
}

void igb_ctrl_ext_written(struct pci_device *dev, const struct reg *row, unsigned index,
			  uint32_t value, uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)index, (void)old;
	if (value & CTRL_EXT_EE_RST)
		load_address(g);
	intel_driver_load_bit(&g->nic, &g->driver, value & CTRL_EXT_DRV_LOAD);
	igb_note(g);
}

void igb_mdic_written(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		      uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)index, (void)old;
	g->s.mdic = intel_mdic(&g->nic, &g->phy, &igb_phy_model, PHY_ADDRESS, value);
	if (value & MDIC_INT) {
		const struct intel_causes c = { .other = INT_MDAC };
		intel_irq_raise(&g->nic, &g->s.irq, &c);
	}
	igb_link_update(g);
}

/* --- small registers --- */

/* SMBI is taken by reading it as 0 (8.16.1). */
uint32_t igb_swsm_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct igb *g = igb_of_dev(dev);
	uint32_t value = g->s.swsm;

	(void)row, (void)index;
	g->s.swsm |= 1;
	return value;
}

/* Microseconds. */
uint32_t igb_frtimer_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return (uint32_t)(nic_now(nic_of(dev)) / FRTIMER_NS);
}

uint32_t igb_io_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	(void)row, (void)index;
	return (uint32_t)reg_space_read(&igb_mem_space, dev, igb_of_dev(dev)->s.io_address & ~3u,
					4);
}

void igb_io_written(struct pci_device *dev, const struct reg *row, unsigned index, uint32_t value,
		    uint32_t old)
{
	(void)row, (void)index, (void)old;
	reg_space_write(&igb_mem_space, dev, igb_of_dev(dev)->s.io_address & ~3u, 4, value);
}

/* --- timer --- */

static void timer(struct nic *nic)
{
	struct igb *g = igb_of(nic);
	uint64_t due = intel_irq_timer(nic, &g->s.irq);

	if (g->rx_hold_ns && nic_now(nic) >= g->rx_hold_ns) {
		g->rx_hold_ns = 0;
		g->rx_full |= BIT(g->rx_hold_queue);
		nic->notes.rx_ready = true;
	}
	due = intel_earlier(due, g->rx_hold_ns);
	due = intel_earlier(due, intel_flow_timer(nic, &g->flow, IGB_QUEUES));
	nic_set_timer(nic, due);
	igb_link_update(g);
}

/* --- life --- */

static int init(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	const struct pci_identity identity = {
		.vendor = INTEL_VENDOR,
		.device = IGB_DEVICE,
		.subsystem_vendor = INTEL_VENDOR,
		.subsystem = 0xa03c,
		.revision = 1,
		.class_code = 0x020000,
		.interrupt_pin = 1,
		.express = true,
	};
	struct igb *g = igb_of(nic);

	(void)spec, (void)err;
	pci_init(&nic->pci, &identity, &nic_pci_hooks, &g->s);
	pci_add_bar(&nic->pci, 0, BAR_MEM32, IGB_BAR_SIZE, &igb_mem_space);
	pci_add_bar(&nic->pci, 1, BAR_MEM32, IGB_BAR_SIZE, NULL); /* flash: none */
	pci_add_bar(&nic->pci, 2, BAR_IO, IGB_IO_SIZE, &igb_io_space);
	pci_add_bar(&nic->pci, IGB_MSIX_BAR, BAR_MEM32, IGB_MSIX_SIZE, NULL);
	pci_add_pm(&nic->pci, PM_AT);
	pci_add_msi(&nic->pci, MSI_AT, 1, true);
	pci_add_msix(&nic->pci, MSIX_AT, IGB_VECTORS, IGB_MSIX_BAR, 0, MSIX_PBA);
	pci_add_pcie(&nic->pci, PCIE_AT, true);
	pci_add_aer(&nic->pci, AER_AT);
	igb_eeprom_fill(g);
	return 0;
}

static void finish(struct nic *nic)
{
	(void)nic; /* everything is inside the struct */
}

static const char *const does[] = {
	"16 receive and 16 transmit queues, legacy and advanced descriptors",
	"header split, head write-back, jumbo frames to 9728 bytes",
	"TCP and UDP segmentation; IP, TCP, UDP and SCTP checksums both ways",
	"VLAN insertion, stripping and filter; address, multicast and unicast tables",
	"RSS; EtherType, 5-tuple and SYN filters; low latency interrupts",
	"VMDq: pools by address and VLAN, replication, the switch between pools",
	"25 MSI-X vectors with auto-clear, auto-mask and moderation; MSI; INTx",
	"EEPROM by EERD and by SPI through EECD, writable; both loopbacks",
	"PHY with negotiation, forced speed, pages",
	"pause frames are obeyed, and sent when the driver writes TCTL.SWXOFF",
	"IEEE 1588 clock, stamps in registers; function level reset",
	"statistics with their read rules",
	NULL,
};

static const char *const lacks[] = {
	"SR-IOV (QEMU hides it: igbvf is a card of its own), SerDes, SGMII, the second port",
	"flash, management (BMC), MACsec, IPsec, DCA, flexible filters, TCP timer",
	"per-pool VLAN insertion and spoof checks (VMVIR, DTXSWC)",
	"flow control by thresholds: the registers are storage, frames wait in the backend",
	"wake-up: the registers are storage; transmit rate limits",
	NULL,
};

static struct reg_space *const spaces[] = { &igb_mem_space, &igb_io_space, NULL };

const struct nic_ops igb_ops = {
	.name = "igb",
	.does = does,
	.lacks = lacks,
	.summary = "Intel 82576, 1 Gbit/s, PCI Express, 16 queue pairs",
	.size = sizeof(struct igb),
	.legacy = true,
	.performant = true,
	.express = true,
	.msix = true,
	.io_ports = true,
	.queues_max = IGB_QUEUES,
	.spaces = spaces,
	.init = init,
	.finish = finish,
	.reset = reset,
	.transmit = igb_transmit,
	.receive = igb_receive,
	.link_changed = link_changed,
	.timer = timer,
	.judge = igb_judge,
	.save = igb_save,
	.load = igb_load,
};
