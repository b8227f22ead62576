/* e1000.c - life of the card: variants, resets, link, time, driver status.
 *
 * The 82540EM is QEMU's and VirtualBox's classic, which every operating system since 2003 knows; the 82545EM is VMware's, which macOS knows
 * too; the 82544GC is the oldest of the three.
 */
#include "nic/e1000/e1000.h"

#include <string.h>

#include "base/bytes.h"
#include "nic/intel/mii.h"

/* Places of the capabilities in the real chips. */
#define PM_AT	     0xdc
#define PCIX_AT	     0xe4
#define PCIX_LENGTH  8
#define MSI_AT	     0xf0
#define PCIX_COMMAND 2
#define PCIX_STATUS  4
#define MIN_GNT	     0xff

static const struct e1000_variant variants[] = {
	{ .name = "e1000",
	  .device = 0x100e,
	  .subsystem = 0x001e, /* PRO/1000 MT Desktop Adapter */
	  .revision = 2,
	  .io_bar = 2,
	  .arbitrates = true,
	  .phy = &e1000_phy_m88e1011,
	  .apm_word = EE_ICW3,
	  .apm_bit = EE_ICW3_APM },
	{ .name = "e1000-82545em",
	  .device = 0x100f,
	  .subsystem = 0x1001, /* PRO/1000 MT Server Adapter */
	  .revision = 1,
	  .io_bar = 4,
	  .wide = true,
	  .arbitrates = true,
	  .phy = &e1000_phy_m88e1011,
	  .apm_word = EE_ICW3,
	  .apm_bit = EE_ICW3_APM },
	{ .name = "e1000-82544gc",
	  .device = 0x100c,
	  .subsystem = 0x1112, /* PRO/1000 T Desktop Adapter */
	  .revision = 2,
	  .io_bar = 4,
	  .wide = true,
	  .phy = &e1000_phy_m88e1000,
	  .apm_word = EE_ICW2,
	  .apm_bit = EE_ICW2_APM_82544 },
};

/* --- driver status --- */

static struct intel_card_state state_of(const struct e1000 *e)
{
	return (struct intel_card_state){
		.rx_on = (e->s.rctl & RCTL_EN) && !e1000_loops(e),
		.tx_on = e->s.tctl & TCTL_EN,
		.rx_ring = intel_ring_set(&e->s.rx),
		.rx_buffers = e->s.rx.head != e->s.rx.tail,
		.irq_on = e->s.ims != 0,
		.vf_ready = true,
		.rctl = e->s.rctl,
		.mask = e->s.ims,
	};
}

void e1000_note(struct e1000 *e)
{
	const struct intel_card_state c = state_of(e);

	intel_driver_note(&e->nic, &e->driver, &c);
}

void e1000_served(struct e1000 *e)
{
	intel_driver_served(&e->nic, &e->driver, (e->s.rctl & RCTL_EN) && !e1000_loops(e));
}

static void judge(const struct nic *nic, struct driver_report *out)
{
	const struct e1000 *e = (const struct e1000 *)nic;
	const struct intel_card_state c = state_of(e);

	intel_driver_judge(nic, &e->driver, &c, out);
}

/* --- link --- */

void e1000_link_resolved(const struct e1000 *e, uint8_t *speed, bool *full_duplex)
{
	uint32_t ctrl = e->s.ctrl, forced = ctrl >> CTRL_SPEED_SHIFT & 3;

	*speed = ctrl & CTRL_FRCSPD ? (uint8_t)MIN(forced, SPEED_1000) : e->phy.speed;
	*full_duplex = ctrl & CTRL_FRCDPLX ? (ctrl & CTRL_FD) != 0 : e->phy.full_duplex;
}

/* The MAC sees the PHY's link when SLU lets it (manual 13.4.1); LSC when that, or what STATUS says of it, changed. */
void e1000_update_link(struct e1000 *e)
{
	bool full, was_up = e->link_up;
	uint8_t speed;

	intel_phy_update(&e->nic, &e->phy, e->variant->phy);
	e1000_link_resolved(e, &speed, &full);
	e->link_up = e->phy.link && (e->s.ctrl & CTRL_SLU);
	bool other = speed != e->speed || full != e->full_duplex;
	e->speed = speed;
	e->full_duplex = full;
	if (was_up != e->link_up || (e->link_up && other)) {
		e1000_wake_link(e);
		e1000_raise(e, INT_LSC);
		e1000_rx_changed(e);
	}
	e1000_note(e); /* loopback counts there */
	e1000_arm(e);
}

static void link_changed(struct nic *nic)
{
	e1000_update_link(e1000_of(nic));
}

void e1000_reset_phy(struct e1000 *e)
{
	intel_phy_write(&e->nic, &e->phy, e->variant->phy, MII_CONTROL, BMCR_RESET);
	e1000_update_link(e);
}

/* --- time --- */

void e1000_arm(struct e1000 *e)
{
	uint64_t due = e1000_irq_deadline(e);

	due = intel_earlier(due, e->flow.until_ns);
	nic_set_timer(&e->nic, intel_earlier(due, e->phy.done_ns));
}

static void timer(struct nic *nic)
{
	struct e1000 *e = e1000_of(nic);
	uint64_t now = nic_now(nic);

	e1000_irq_time(e, now);
	intel_flow_timer(nic, &e->flow, 1);
	if (e->phy.done_ns && now >= e->phy.done_ns)
		e1000_update_link(e);
	e1000_arm(e);
}

/* --- resets --- */

void e1000_load_eeprom(struct e1000 *e)
{
	uint8_t mac[MAC_LEN];

	intel_nvm_mac(&e->nvm, mac);
	intel_filter_set_mac(&e->s.filter, mac);
	if (intel_nvm_read(&e->nvm, e->variant->apm_word) & e->variant->apm_bit)
		e->s.wuc |= WUC_APME;
	else
		e->s.wuc &= ~WUC_APME;
}

/* What only a loss of power clears (manual 13.6). */
struct kept {
	uint32_t wuc, wufc, wus, wupl, wupm[WUPM_SIZE / 4], io_address;
};

static void reset_mac(struct e1000 *e)
{
	struct kept k = { e->s.wuc, e->s.wufc, e->s.wus, e->s.wupl, .io_address = e->s.io_address };

	memcpy(k.wupm, e->s.wupm, sizeof(k.wupm));
	reg_space_reset(&e1000_space, &e->nic.pci);
	e->s.wuc = k.wuc;
	e->s.wufc = k.wufc;
	e->s.wus = k.wus;
	e->s.wupl = k.wupl;
	e->s.io_address = k.io_address;
	memcpy(e->s.wupm, k.wupm, sizeof(k.wupm));
	e1000_load_eeprom(e);
	e->txq = (struct intel_tx_queue){ 0 };
	e->flow = (struct intel_flow){ 0 };
	e->rx_filled = e->tx_blocked = false;
	e1000_irq_reset(e);
	e1000_rx_changed(e); /* what waited is to be dropped */
	e1000_arm(e);
}

void e1000_soft_reset(struct e1000 *e)
{
	bool running = state_of(e).rx_on, loaded = e->driver.drv_load;

	intel_driver_reset(&e->nic, &e->driver, running);
	reset_mac(e);
	e->s.ctrl_ext |= loaded ? CTRL_EXT_DRV_LOAD : 0;
	e1000_update_link(e);
	e->s.icr = 0; /* the driver has asked for a card without causes */
	e1000_update_irq(e);
}

static void reset(struct nic *nic, enum reset_kind kind)
{
	struct e1000 *e = e1000_of(nic);

	if (kind == RESET_POWER_ON)
		e->s = (struct e1000_state){ 0 };
	intel_driver_clear(&e->driver);
	microwire_reset(&e->pins);
	reg_space_reset(&e1000_io_space, &nic->pci);
	reset_mac(e);
	intel_phy_reset(&e->phy, e->variant->phy);
	e1000_update_link(e);
	e->s.icr = 0;
	e1000_update_irq(e);
	nic->rx_offloads = 0; /* the descriptor cannot say "checksum not filled in" */
}

/* --- life --- */

static void fill_eeprom(struct e1000 *e)
{
	const struct e1000_variant *v = e->variant;
	const struct intel_nvm_word words[] = {
		{ EE_COMPAT, 0 },
		{ EE_VERSION, 0 },
		{ 0x06, 0 },
		{ 0x07, 0 },
		{ EE_PBA_1, 0x3000 },
		{ EE_PBA_2, 0x1000 },
		{ EE_ICW1, 0x6403 }, /* signature 01 in bits 15:14; ids are taken from here */
		{ EE_SUBSYSTEM, v->subsystem },
		{ EE_SUBVENDOR, INTEL_VENDOR },
		{ EE_DEVICE, v->device },
		{ EE_VENDOR, INTEL_VENDOR },
		{ EE_ICW2, 0x3040 },
		{ EE_FLASH, 0x7863 },
		{ v->apm_word,
		  (uint16_t)(v->apm_word == EE_ICW3 ? v->apm_bit : 0x3040 | v->apm_bit) },
	};

	intel_nvm_fill(&e->nvm, words, ARRAY_SIZE(words), e->nic.mac);
}

/* The cards sit on a conventional bus; the capability says what they could on PCI-X (PCI-X Addendum 7.2). */
static void add_pcix(struct pci_device *pci, bool wide)
{
	uint16_t at = pci_add_capability(pci, PCI_CAP_ID_PCIX, PCIX_AT, PCIX_LENGTH);

	put_le32(pci->config + at + PCIX_STATUS, 0x0040fff8u | (wide ? 1u << 16 : 0));
	pci_add_field(pci, (uint16_t)(at + PCIX_COMMAND), 2, 0x007f, 0);
}

static int init(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	struct e1000 *e = e1000_of(nic);

	(void)spec;
	(void)err;
	for (unsigned i = 0; i < ARRAY_SIZE(variants); i++)
		if (strcmp(variants[i].name, nic->ops->name) == 0)
			e->variant = &variants[i];

	const struct e1000_variant *v = e->variant;
	const struct pci_identity identity = {
		.vendor = INTEL_VENDOR,
		.device = v->device,
		.subsystem_vendor = INTEL_VENDOR,
		.subsystem = v->subsystem,
		.revision = v->revision,
		.class_code = 0x020000,
		.interrupt_pin = 1,
	};
	pci_init(&nic->pci, &identity, &nic_pci_hooks, &e->s);
	nic->pci.config[PCI_MIN_GNT] = MIN_GNT;
	pci_add_bar(&nic->pci, 0, v->wide ? BAR_MEM64 : BAR_MEM32, E1000_BAR_SIZE, &e1000_space);
	pci_add_bar(&nic->pci, v->io_bar, BAR_IO, E1000_IO_SIZE, &e1000_io_space);
	pci_add_pm(&nic->pci, PM_AT);
	add_pcix(&nic->pci, v->wide);
	pci_add_msi(&nic->pci, MSI_AT, 1, false);
	fill_eeprom(e);
	return 0;
}

static void finish(struct nic *nic)
{
	(void)nic; /* everything is inside the struct */
}

static const char *const does[] = {
	"legacy, context and data descriptors; TSO, checksums, VLAN tags both ways",
	"receive buffers of 256 bytes to 16 KiB, frames over several of them, up to 16 KiB long",
	"address, multicast and VLAN filters; all statistics",
	"interrupts by INTx and MSI with ITR, RDTR, RADV, TIDV and TADV",
	"EEPROM by its pins (readable, writable) and by EERD; the I/O window",
	"PHY M88 with negotiation, 10, 100 and 1000 Mbit/s; loopback in PHY and MAC",
	"pause frames both ways; registers and filters that wake, kept over resets",
	NULL,
};
static const char *const lacks[] = {
	"PME#, which vfio-user cannot carry (the status bits are set); SMBus; flash BAR; fibre",
	"the packet buffer memory behind 0x10000; PCI-X timing",
	"the packet checksum in byte 10 of a receive descriptor",
	NULL,
};

static struct reg_space *const spaces[] = { &e1000_space, &e1000_io_space, NULL };

#define E1000_OPS(n, text)                                                                         \
	{                                                                                          \
		.name = n, .summary = text, .does = does, .lacks = lacks, .io_ports = true,        \
		.size = sizeof(struct e1000), .legacy = true, .queues_max = 1, .spaces = spaces,   \
		.init = init, .finish = finish, .reset = reset, .transmit = e1000_transmit,        \
		.receive = e1000_receive, .link_changed = link_changed, .timer = timer,            \
		.judge = judge, .save = e1000_save, .load = e1000_load                             \
	}

const struct nic_ops e1000_ops = E1000_OPS("e1000", "Intel 82540EM, 1 Gbit/s, PCI");
const struct nic_ops e1000_82545em_ops =
	E1000_OPS("e1000-82545em", "Intel 82545EM, 1 Gbit/s, PCI; VMware's and macOS' e1000");
const struct nic_ops e1000_82544gc_ops = E1000_OPS("e1000-82544gc", "Intel 82544GC, 1 Gbit/s, PCI");
