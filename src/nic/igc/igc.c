/* igc.c - life of the card: resets, link, timer, driver status.
 *
 * CTRL.RST puts the registers back, but for what the card keeps: PHY, NVM, flex filters of the host are cleared, DRV_LOAD stays (drivers that
 * set it before they reset the card count on that, and the status does too).
 */
#include "nic/igc/igc.h"

#include <string.h>

/* --- small facts --- */

bool igc_dma(const struct igc *c)
{
	return !c->nic.stopped && !(c->s.ctrl & CTRL_GIO_DISABLE) && pci_bus_master(&c->nic.pci);
}

bool igc_tx_on(const struct igc *c, unsigned queue)
{
	return (c->s.tctl & TCTL_EN) && (c->s.tx[queue].ring.ctl & DCTL_ENABLE);
}

bool igc_rx_on(const struct igc *c)
{
	bool queue = false;

	for (unsigned q = 0; q < IGC_QUEUES; q++)
		queue |= (c->s.rx[q].ring.ctl & DCTL_ENABLE) != 0;
	return queue && (c->s.rctl & RCTL_EN);
}

uint32_t igc_speed_mbit(const struct igc *c)
{
	static const uint32_t mbit[INTEL_SPEED_COUNT] = { 10, 100, 1000, 2500 };

	return mbit[c->phy.speed];
}

uint32_t igc_status(const struct igc *c)
{
	/* 2500 is 1000 and one bit more */
	static const uint32_t speed[INTEL_SPEED_COUNT] = { STATUS_SPEED(0), STATUS_SPEED(1),
							   STATUS_SPEED(2),
							   STATUS_SPEED(2) | STATUS_2500 };
	uint32_t value = STATUS_PF_RST;

	if (!(c->s.ctrl & CTRL_GIO_DISABLE))
		value |= STATUS_GIO_MASTER;
	if (c->dev_rst)
		value |= STATUS_DEV_RST;
	if (c->flow.until_ns)
		value |= STATUS_TXOFF;
	if (c->phy.link)
		value |= STATUS_LU | speed[c->phy.speed] | (c->phy.full_duplex ? STATUS_FD : 0);
	return value;
}

void igc_raise(struct igc *c, uint32_t other)
{
	const struct intel_causes causes = { .other = other };

	intel_irq_raise(&c->nic, &c->s.irq, &causes);
}

/* --- timer: PHY, interrupts, clock and waiting queues share the model's one --- */

void igc_timer_at(struct igc *c, uint64_t deadline_ns)
{
	nic_set_timer(&c->nic, intel_earlier(c->nic.notes.deadline_ns, deadline_ns));
}

void igc_timer(struct nic *nic)
{
	struct igc *c = igc_of(nic);

	igc_timer_at(c, intel_irq_timer(nic, &c->s.irq));
	igc_timer_at(c, intel_flow_timer(nic, &c->flow, IGC_QUEUES));
	igc_link_check(c);
	igc_time_timer(c);
	/* they look at their gates and launch times themselves */
	for (unsigned q = 0; q < IGC_QUEUES; q++)
		if (igc_tsn_on(c))
			nic_kick(nic, q);
}

/* --- link --- */

void igc_link_check(struct igc *c)
{
	if (intel_phy_update(&c->nic, &c->phy, &c->phy_model))
		igc_raise(c, INT_LSC);
	igc_timer_at(c, c->phy.done_ns);
}

void igc_link_changed(struct nic *nic)
{
	igc_link_check(igc_of(nic));
}

/* --- driver status --- */

static struct intel_card_state card_state(const struct igc *c)
{
	struct intel_card_state s = {
		.rx_on = igc_rx_on(c),
		.irq_on = intel_irq_open(&c->s.irq),
		.has_drv_load = true,
		.vf_ready = true,
		.rctl = c->s.rctl,
		.mask = c->s.irq.ims | c->s.irq.eims,
	};

	for (unsigned q = 0; q < IGC_QUEUES; q++) {
		const struct intel_ring *r = &c->s.rx[q].ring;
		bool on = (r->ctl & DCTL_ENABLE) && intel_ring_set(r);
		s.tx_on |= igc_tx_on(c, q);
		s.rx_ring |= on;
		s.rx_buffers |= on && r->head != r->tail;
	}
	return s;
}

void igc_note(struct igc *c)
{
	const struct intel_card_state s = card_state(c);

	intel_driver_note(&c->nic, &c->driver, &s);
}

void igc_check_ring(struct igc *c, const struct intel_ring *ring)
{
	uint64_t base = (uint64_t)ring->bah << 32 | ring->bal;

	if (!mem_pointer(&c->nic.mem, base, INTEL_DESC_SIZE, MEM_READ | MEM_WRITE))
		intel_driver_fault(&c->nic, &c->driver);
}

void igc_judge(const struct nic *nic, struct driver_report *out)
{
	const struct igc *c = (const struct igc *)nic;
	const struct intel_card_state s = card_state(c);
	struct intel_driver d = c->driver;

	d.irq_used |= s.rx_on && s.irq_on;
	d.served |= s.rx_on && c->s.irq.looked;
	intel_driver_judge(nic, &d, &s, out);
}

/* --- resets --- */

void igc_load_nvm(struct igc *c)
{
	uint8_t mac[MAC_LEN];

	intel_nvm_mac(&c->nvm, mac);
	intel_filter_set_mac(&c->s.filter, mac);
}

/* Registers to their reset values, the MAC address from the NVM, nothing held or waited for. */
static void reset_registers(struct igc *c)
{
	memset(&c->s, 0, sizeof(c->s));
	reg_space_reset(&igc_space, &c->nic.pci);
	intel_irq_reset(&c->nic, &c->s.irq, IRQ_I225);
	intel_rss_key_changed(&c->s.rss);
	memset(c->flex, 0, sizeof(c->flex));
	memset(c->txq, 0, sizeof(c->txq));
	memset(c->launch, 0, sizeof(c->launch));
	c->flow = (struct intel_flow){ 0 };
	c->clock = (struct igc_clock){ .at_ns = nic_now(&c->nic) };
	c->nic.rx_offloads = 0; /* the descriptor cannot say that a checksum is not filled in */
	igc_load_nvm(c);
}

void igc_software_reset(struct igc *c, bool device)
{
	uint32_t drv_load = c->s.ctrl_ext & CTRL_EXT_DRV_LOAD;

	intel_driver_reset(&c->nic, &c->driver, igc_rx_on(c));
	nic_set_timer(&c->nic, 0);
	reset_registers(c);
	c->s.ctrl_ext |= drv_load;
	c->dev_rst |= device;
	igc_link_check(c);
	c->s.irq.icr = c->s.irq.sent = 0; /* a link that was there before is no news */
	igc_note(c);
}

void igc_reset(struct nic *nic, enum reset_kind kind)
{
	struct igc *c = igc_of(nic);

	(void)kind; /* all of them load the NVM, which keeps what was written */
	nic_set_timer(nic, 0);
	reset_registers(c);
	igc_phy_reset(c); /* which may want the timer */
	intel_driver_clear(&c->driver);
	c->dev_rst = false;
	c->s.irq.icr = c->s.irq.sent = 0;
	igc_note(c);
}

/* --- life --- */

static const struct intel_nvm_word nvm_words[] = {
	{ 0x03, 0x0000 },		    /* compatibility */
	{ 0x08, 0x0000 },		    /* printed board number */
	{ 0x09, 0x0001 }, { 0x0a, 0x1001 }, /* initialisation control 1 */
	{ 0x0c, 0x0000 }, { 0x0e, INTEL_VENDOR },
	{ 0x0f, 0x0000 }, /* control 2: no manageability */
	{ 0x24, 0x0000 }, /* control 3: no wake-up */
};

int igc_init(struct nic *nic, const struct igc_variant *v)
{
	struct igc *c = igc_of(nic);
	const struct pci_identity identity = {
		.vendor = INTEL_VENDOR,
		.device = v->device,
		.subsystem_vendor = INTEL_VENDOR,
		.revision = v->revision,
		.class_code = 0x020000,
		.interrupt_pin = 1,
		.express = true,
	};
	uint8_t serial[8] = { 0 };

	c->variant = v;
	pci_init(&nic->pci, &identity, &nic_pci_hooks, &c->s);
	pci_add_bar(&nic->pci, 0, BAR_MEM32, IGC_BAR_SIZE, &igc_space);
	pci_add_bar(&nic->pci, 3, BAR_MEM32, IGC_MSIX_SIZE, NULL);
	pci_add_pm(&nic->pci, 0x40);
	pci_add_msi(&nic->pci, 0x50, 1, true);
	pci_add_msix(&nic->pci, 0x70, IGC_VECTORS, 3, 0, IGC_MSIX_PBA);
	pci_add_pcie(&nic->pci, 0xa0, true);
	pci_add_aer(&nic->pci, 0x100);
	/* EUI-64 of the MAC address, the first byte highest (PCI Express 7.9.3) */
	for (unsigned i = 0; i < 3; i++) {
		serial[7 - i] = nic->mac[i];
		serial[2 - i] = nic->mac[3 + i];
	}
	serial[4] = serial[3] = 0xff;
	uint64_t number = 0;
	memcpy(&number, serial, sizeof(number));
	pci_add_dsn(&nic->pci, 0x140, le64toh(number));

	intel_nvm_fill(&c->nvm, nvm_words, ARRAY_SIZE(nvm_words), nic->mac);
	intel_nvm_write(&c->nvm, 0x05, v->nvm_version);
	intel_nvm_write(&c->nvm, 0x0d, v->device);
	intel_nvm_seal(&c->nvm);
	igc_phy_init(c);
	return 0;
}
