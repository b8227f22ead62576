/* e1000e.c - life of the card: identity, resets, link, timer, driver status. */
#include <string.h>

#include "base/bytes.h"
#include "nic/e1000e/e1000e.h"

#define SUBSYSTEM   0xa01f /* Gigabit CT Desktop Adapter */
#define CLOCK_TICK  40	   /* ns: SYSTIM counts a 25 MHz clock */
#define MSIX_AT	    0xa0
#define PM_AT	    0xc8
#define MSI_AT	    0xd0
#define PCIE_AT	    0xe0
#define AER_AT	    0x100
#define DSN_AT	    0x140
#define KEPT_BY_RST CTRL_EXT_DRV_LOAD

/* 82574 datasheet 6.1. What is not listed is 0xffff; wake-up by magic packet is on (APM). */
static const struct intel_nvm_word nvm_words[] = {
	{ 0x03, 0x0400 },	 /* compatibility */
	{ 0x05, 0x2012 },	 /* version 2.1-2 */
	{ 0x08, 0xe469 },	 /* board number */
	{ 0x09, 0x8108 },	 /* ... */
	{ 0x0a, 0x400b },	 /* initialization control 1 */
	{ 0x0b, SUBSYSTEM },	 /* subsystem */
	{ 0x0c, INTEL_VENDOR },	 /* ... vendor */
	{ 0x0d, E1000E_DEVICE }, /* device */
	{ 0x0f, 0x0002 },	 /* initialization control 2: no manageability */
	{ 0x24, 0x0400 },	 /* initialization control 3: APM */
};

/* --- timers --- */

void e1000e_arm(struct e1000e *e)
{
	uint64_t due = intel_earlier(e->irq_due_ns, e->phy.done_ns);

	due = intel_earlier(due, e->flow.until_ns);
	if (e->rx_delay.causes)
		due = intel_earlier(due, e->rx_delay.due_ns);
	if (e->tx_delay.causes)
		due = intel_earlier(due, e->tx_delay.due_ns);
	nic_set_timer(&e->nic, due);
}

static void timer(struct nic *nic)
{
	struct e1000e *e = e1000e_of(nic);

	intel_flow_timer(nic, &e->flow, E1000E_QUEUES);
	e1000e_irq_timer(e);
	e1000e_link_update(e);
}

/* --- link --- */

void e1000e_link_update(struct e1000e *e)
{
	if (intel_phy_update(&e->nic, &e->phy, &e1000e_phy))
		e1000e_raise(e, INT_LSC);
	e1000e_arm(e);
}

static void link_changed(struct nic *nic)
{
	e1000e_link_update(e1000e_of(nic));
}

void e1000e_phy_restart(struct e1000e *e)
{
	intel_phy_reset(&e->phy, &e1000e_phy);
	memset(e->paged, 0, sizeof(e->paged));
	e->phy.done_ns = nic_now(&e->nic) + INTEL_NEGOTIATION_NS;
	e1000e_link_update(e);
}

/* --- driver status --- */

static struct intel_card_state card_state(const struct e1000e *e)
{
	const struct intel_ring *ring = &e->s.rx[0];

	return (struct intel_card_state){
		.rx_on = e->s.rctl & RCTL_EN,
		.tx_on = e->s.tctl & TCTL_EN,
		.rx_ring = intel_ring_set(ring),
		.rx_buffers = ring->head != ring->tail,
		.irq_on = e->s.ims != 0,
		.tx_stops_first =
			true, /* of the 82574 Linux never switches off the receiver alone */
		.has_drv_load = true,
		.vf_ready = true,
		.rctl = e->s.rctl,
		.mask = e->s.ims,
	};
}

void e1000e_note(struct e1000e *e)
{
	const struct intel_card_state c = card_state(e);

	intel_driver_note(&e->nic, &e->driver, &c);
}

/* A ring that cannot even be read: the driver programmed nonsense. */
void e1000e_check_ring(struct e1000e *e, const struct intel_ring *ring)
{
	if (!intel_ring_reachable(&e->nic, ring))
		intel_driver_fault(&e->nic, &e->driver);
}

static void judge(const struct nic *nic, struct driver_report *out)
{
	const struct e1000e *e = (const struct e1000e *)nic;
	const struct intel_card_state c = card_state(e);

	intel_driver_judge(nic, &e->driver, &c, out);
}

/* --- resets --- */

void e1000e_load_nvm(struct e1000e *e)
{
	uint8_t mac[MAC_LEN];

	intel_nvm_mac(&e->nvm, mac);
	intel_filter_set_mac(&e->s.filter, mac);
}

/* Registers and work of the MAC; the PHY and its link stay. */
static void reset_mac(struct e1000e *e)
{
	reg_space_reset(&e1000e_space, &e->nic.pci);
	intel_rss_key_changed(&e->s.rss);
	intel_ptp_clock_reset(&e->s.clock, CLOCK_TICK, nic_now(&e->nic));
	memset(e->tx_queue, 0, sizeof(e->tx_queue));
	e->flow = (struct intel_flow){ 0 };
	e->rx_low = 0;
	e->rx_seen = false;
	e1000e_load_nvm(e);
	e1000e_irq_reset(e);
}

void e1000e_mac_reset(struct e1000e *e)
{
	uint32_t kept = e->s.ctrl_ext & KEPT_BY_RST;

	intel_driver_reset(&e->nic, &e->driver, e->s.rctl & RCTL_EN);
	reset_mac(e);
	e->s.ctrl_ext |= kept;
	e1000e_note(e);
}

static void reset(struct nic *nic, enum reset_kind kind)
{
	struct e1000e *e = e1000e_of(nic);

	(void)kind; /* the NVM keeps what was written through all of them */
	reset_mac(e);
	reg_space_reset(&e1000e_io_space, &nic->pci);
	intel_driver_clear(&e->driver);
	e->phy = (struct intel_phy){ 0 };
	intel_phy_reset(&e->phy, &e1000e_phy);
	memset(e->paged, 0, sizeof(e->paged));
	nic->rx_offloads = 0; /* the descriptor cannot say "checksum not filled in" */
	/* the cable is in: what is found at power-on is no change */
	intel_phy_update(nic, &e->phy, &e1000e_phy);
	e1000e_arm(e);
}

/* --- life --- */

static uint64_t serial_number(const uint8_t mac[MAC_LEN])
{
	return (uint64_t)get_be16(mac) << 48 | (uint64_t)mac[2] << 40 | 0xffffull << 24 |
	       (uint64_t)mac[3] << 16 | get_be16(mac + 4);
}

static int init(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	static const struct pci_identity identity = {
		.vendor = INTEL_VENDOR,
		.device = E1000E_DEVICE,
		.subsystem_vendor = INTEL_VENDOR,
		.subsystem = SUBSYSTEM,
		.class_code = 0x020000,
		.interrupt_pin = 1,
		.express = true,
	};
	struct e1000e *e = e1000e_of(nic);
	struct pci_device *pci = &nic->pci;

	(void)spec, (void)err;
	pci_init(pci, &identity, &nic_pci_hooks, &e->s);
	pci_add_bar(pci, 0, BAR_MEM32, E1000E_BAR_SIZE, &e1000e_space);
	pci_add_bar(pci, 1, BAR_MEM32, E1000E_FLASH_SIZE, NULL);
	pci_add_bar(pci, 2, BAR_IO, E1000E_IO_SIZE, &e1000e_io_space);
	pci_add_bar(pci, 3, BAR_MEM32, E1000E_MSIX_SIZE, NULL);
	pci_add_pm(pci, PM_AT);
	pci_add_msi(pci, MSI_AT, 1, false);
	pci_add_pcie(pci, PCIE_AT, true);
	pci_add_msix(pci, MSIX_AT, E1000E_VECTORS, 3, 0, E1000E_MSIX_PBA);
	pci_add_aer(pci, AER_AT);
	pci_add_dsn(pci, DSN_AT, serial_number(nic->mac));
	intel_nvm_fill(&e->nvm, nvm_words, ARRAY_SIZE(nvm_words), nic->mac);
	return 0;
}

static void finish(struct nic *nic)
{
	(void)nic; /* everything is inside the struct */
}

static const char *const does[] = {
	"2 receive and 2 transmit queues; legacy, extended and packet-split receive descriptors, "
	"legacy and TCP/IP context and data transmit descriptors",
	"TCP segmentation, IP, TCP and UDP checksums both ways, VLAN insertion, stripping and "
	"filter, "
	"jumbo frames to 16 KiB",
	"RSS over both queues, with the addresses of mobile IPv6 extension headers",
	"5 MSI-X vectors with auto-clear, auto-mask and moderation, MSI, INTx; relative and "
	"absolute "
	"delay timers",
	"NVM by EERD and EEWR, kept over resets; PHY with negotiation, forced speed and loopback; "
	"MAC "
	"loopback",
	"IEEE 1588 clock, stamps of sent and received messages; all statistics with their read "
	"rules; "
	"function level reset",
	"pause frames are obeyed, and sent when the driver writes TCTL.SWXOFF",
	NULL
};

static const char *const lacks[] = {
	"flash (its BAR reads 0), EEPROM through EECD's pins, option ROM of its own",
	"NFS and iSCSI header split, ACK interrupts, SNAP, half duplex",
	"management (BMC), wake-up, flow control by thresholds (no packet buffer runs full: what "
	"the "
	"guest has no room for waits in the backend): the registers are storage",
	NULL
};

static struct reg_space *const spaces[] = { &e1000e_space, &e1000e_io_space, NULL };

const struct nic_ops e1000e_ops = {
	.name = "e1000e",
	.does = does,
	.lacks = lacks,
	.summary = "Intel 82574L, 1 Gbit/s, PCI Express",
	.size = sizeof(struct e1000e),
	.legacy = true,
	.express = true,
	.msix = true,
	.io_ports = true,
	.queues_max = 1,
	.spaces = spaces,
	.init = init,
	.finish = finish,
	.reset = reset,
	.transmit = e1000e_transmit,
	.receive = e1000e_receive,
	.link_changed = link_changed,
	.timer = timer,
	.judge = judge,
	.save = e1000e_save,
	.load = e1000e_load,
};
