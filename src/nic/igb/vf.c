/* vf.c - life of the virtual function: identity, resets, mailbox, link, driver status, saved state. */
#include <errno.h>
#include <string.h>

#include "nic/igb/vf.h"

#define MSIX_AT	   0x70
#define PCIE_AT	   0xa0
#define AER_AT	   0x100
#define MSIX_BAR   3
#define MSIX_TABLE 0x0000
#define MSIX_PBA   0x2000

/* --- the PF's answers --- */

static void carry_out(struct igbvf *v, unsigned result)
{
	if (result & PF_FILTERS)
		v->rctl = igb_pf_fill_filter(&v->pf, &v->filter);
	if (result & PF_RESET) {
		v->nic.notes.rx_ready = true;
		igbvf_note(v);
	}
	if (result & PF_TOLD)
		intel_irq_raise(&v->nic, &v->s.irq, &(struct intel_causes){ .other = 1 });
}

void igbvf_mailbox_written(struct igbvf *v, uint32_t signals)
{
	carry_out(v, igb_pf_serve(&v->pf, &v->s.mailbox, signals, nic_now(&v->nic)));
}

static void link_changed(struct nic *nic)
{
	struct igbvf *v = igbvf_of(nic);

	carry_out(v, igb_pf_link_changed(&v->pf, &v->s.mailbox));
}

/* --- driver status --- */

static struct intel_card_state card_state(const struct igbvf *v)
{
	const struct intel_ring *rx = &v->s.rx[0].ring;

	return (struct intel_card_state){
		.rx_on = igbvf_queue_on(v, rx),
		.tx_on = igbvf_queue_on(v, &v->s.tx[0].ring),
		.rx_ring = intel_ring_set(rx),
		.rx_buffers = rx->head != rx->tail,
		.irq_on = intel_irq_open(&v->s.irq),
		.vf_ready = v->pf.cts,
		.rctl = v->rctl,
		.mask = v->s.irq.eims,
	};
}

void igbvf_note(struct igbvf *v)
{
	const struct intel_card_state now = card_state(v);

	intel_driver_note(&v->nic, &v->driver, &now);
}

static void judge(const struct nic *nic, struct driver_report *out)
{
	const struct igbvf *v = (const struct igbvf *)nic;
	const struct intel_card_state now = card_state(v);
	struct intel_driver driver = v->driver;

	/* the mask is opened last */
	driver.irq_used |= now.rx_on && now.irq_on;
	intel_driver_judge(nic, &driver, &now, out);
	if (out->state == DRIVER_READY)
		report_set(out, out->state, out->phase,
			   "VF_RESET acknowledged, queue 0 enabled, %s",
			   out->phase == PHASE_FIRMWARE ? "driver polls" : "interrupts in use");
}

/* --- resets --- */

/* What every reset of the VF does. The mailbox' memory and the counters are the PF's and stay. */
static void reset_function(struct igbvf *v)
{
	struct igb_mailbox mailbox = v->s.mailbox;
	struct igbvf_stats stats = v->s.stats;

	reg_space_reset(&igbvf_space, &v->nic.pci);
	mailbox.vf &= MBX_RSTI | MBX_RSTD;
	v->s.mailbox = mailbox;
	v->s.stats = stats;
	for (unsigned i = 0; i < VF_QUEUES; i++)
		v->contexts[i] = (struct intel_tx_queue){ 0 };
	intel_irq_reset(&v->nic, &v->s.irq, IRQ_82576_VF);
	nic_set_timer(&v->nic, 0);
	igb_pf_vf_gone(&v->pf, nic_now(&v->nic));
	carry_out(v, PF_FILTERS);
	v->nic.notes.rx_ready = true; /* what waits is dropped */
}

void igbvf_soft_reset(struct igbvf *v)
{
	intel_driver_reset(&v->nic, &v->driver, igbvf_queue_on(v, &v->s.rx[0].ring));
	reset_function(v);
	igbvf_note(v);
}

static void reset(struct nic *nic, enum reset_kind kind)
{
	struct igbvf *v = igbvf_of(nic);

	if (kind != RESET_FUNCTION)
		v->s = (struct igbvf_state){ 0 };
	/* RSTD, and no CTS from before: a driver that was not told of the reset notices it, and starts over */
	igb_mailbox_reset(&v->s.mailbox);
	reset_function(v);
	intel_driver_clear(&v->driver);
}

static void timer(struct nic *nic)
{
	nic_set_timer(nic, intel_irq_timer(nic, &igbvf_of(nic)->s.irq));
}

/* --- saved state --- */

enum { TAG_REGISTERS = 1, TAG_PF, TAG_CONTEXTS, TAG_DRIVER, TAG_END };

static void save_section(const struct igbvf *v, unsigned tag, struct buffer *out)
{
	uint64_t now = nic_now(&v->nic);

	switch (tag) {
	case TAG_REGISTERS:
		reg_space_save(&igbvf_space, &v->nic.pci, out);
		break;
	case TAG_PF:
		igb_pf_save(&v->pf, now, out);
		break;
	case TAG_CONTEXTS:
		for (unsigned i = 0; i < VF_QUEUES; i++)
			intel_tx_queue_save(&v->contexts[i], out);
		break;
	default:
		intel_driver_save(&v->driver, now, out);
		break;
	}
}

static int save(const struct nic *nic, struct buffer *out)
{
	for (unsigned tag = TAG_REGISTERS; tag < TAG_END; tag++) {
		size_t section = buffer_section_begin(out, tag);
		save_section((const struct igbvf *)nic, tag, out);
		buffer_section_end(out, section);
	}
	return 0;
}

static int load_section(struct igbvf *v, unsigned tag, struct reader *in, struct error *err)
{
	uint64_t now = nic_now(&v->nic);

	switch (tag) {
	case TAG_REGISTERS:
		return reg_space_load(&igbvf_space, &v->nic.pci, in, err);
	case TAG_PF:
		return igb_pf_load(&v->pf, now, in)
			       ? 0
			       : error_set(err, -EINVAL, "the saved PF is not one of a VF");
	case TAG_CONTEXTS:
		for (unsigned i = 0; i < VF_QUEUES; i++)
			intel_tx_queue_load(&v->contexts[i], in);
		return 0;
	default:
		intel_driver_load(&v->driver, now, in);
		return 0;
	}
}

/* Bits that no register can hold are taken away; work that was waiting goes on. */
static void take_over(struct igbvf *v)
{
	v->s.mailbox.vf &= MBX_VFU | MBX_PFSTS | MBX_PFACK | MBX_RSTD;
	v->s.irq.kind = IRQ_82576_VF;
	carry_out(v, PF_FILTERS);
	for (unsigned i = 0; i < VF_QUEUES; i++)
		nic_kick(&v->nic, i);
	v->nic.notes.rx_ready = true;
	intel_irq_loaded(&v->nic, &v->s.irq);
}

static int load(struct nic *nic, const void *data, size_t len, struct error *err)
{
	struct igbvf *v = igbvf_of(nic);
	struct reader in = reader_of(data, len), body;
	uint32_t tag, expected = TAG_REGISTERS;

	while (reader_section(&in, &tag, &body)) {
		if (tag != expected++ || tag >= TAG_END)
			return error_set(err, -EINVAL, "igbvf: saved section %u is out of order",
					 tag);
		int rc = load_section(v, tag, &body, err);
		if (rc < 0)
			return rc;
		if (body.failed || !reader_at_end(&body))
			return error_set(err, -EINVAL, "igbvf: saved section %u has a wrong length",
					 tag);
	}
	if (in.failed || expected != TAG_END)
		return error_set(err, -EINVAL, "igbvf: the saved state is cut short");
	take_over(v);
	return 0;
}

/* --- life --- */

/* As Linux' igb has it after `ip link set DEV vf 0 mac MAC`: that MAC stays, unless the VF is trusted. */
static void set_policy(struct igb_vf_policy *policy, const struct nic_spec *spec)
{
	*policy = (struct igb_vf_policy){
		.mac_fixed = true,
		.trusted = spec->trust == TRISTATE_ON,
		.spoof_check = spec->spoofchk != TRISTATE_OFF,
		.vlan = (uint16_t)MAX(spec->vlan, 0),
		.priority = (uint8_t)MAX(spec->qos, 0),
	};
	memcpy(policy->mac, spec->mac, MAC_LEN);
}

static int init(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	struct igbvf *v = igbvf_of(nic);
	const struct pci_identity identity = {
		.vendor = INTEL_VENDOR,
		.device = VF_DEVICE,
		.subsystem_vendor = INTEL_VENDOR,
		.subsystem = VF_SUBSYSTEM,
		.revision = VF_REVISION,
		.class_code = 0x020000,
		.express = true,
	};
	struct igb_vf_policy policy;

	(void)err;
	set_policy(&policy, spec);
	pci_init(&nic->pci, &identity, &nic_pci_hooks, &v->s);
	pci_add_bar(&nic->pci, 0, BAR_MEM32, VF_BAR_SIZE, &igbvf_space);
	pci_add_bar(&nic->pci, MSIX_BAR, BAR_MEM32, VF_BAR_SIZE, NULL);
	pci_add_msix(&nic->pci, MSIX_AT, VF_VECTORS, MSIX_BAR, MSIX_TABLE, MSIX_PBA);
	pci_add_pcie(&nic->pci, PCIE_AT, true);
	pci_add_aer(&nic->pci, AER_AT);
	igb_pf_init(&v->pf, &policy, nic_now(nic));
	return 0;
}

static void finish(struct nic *nic)
{
	(void)nic; /* everything is inside the struct */
}

static struct reg_space *const spaces[] = { &igbvf_space, NULL };

static const char *const does[] = {
	"stands alone: the physical function is in our process and answers the mailbox as Linux' "
	"igb does (reset, MAC and further addresses, multicast hashes, VLANs, frame length, "
	"promiscuous)",
	"the port's MAC address from the first VF_RESET on; link changes are told at once, with "
	"CTS",
	"the administrator's policy as `ip link set DEV vf 0` has it: the port's MAC stays unless "
	"trust=on, vlan= and qos= are put on and taken off behind the guest's back, frames with a "
	"foreign MAC or VLAN are dropped as spoofed unless spoofchk=off",
	"two queue pairs, legacy and advanced descriptors, header split, head write-back, "
	"checksums, segmentation, VLAN insertion and stripping",
	"three MSI-X vectors with EITR, EIAC, EIAM; FLR; counters that wrap and outlive resets",
	NULL
};

static const char *const lacks[] = {
	"traffic between VFs, for there is one alone; received frames go to queue 0 (the PF uses "
	"no RSS)",
	"I350's VF; DCA (the registers are storage); INTx and MSI, which the chip lacks too", NULL
};

const struct nic_ops igbvf_ops = {
	.name = "igbvf",
	.summary = "Intel 82576 virtual function, 1 Gbit/s, PCI Express",
	.does = does,
	.lacks = lacks,
	.size = sizeof(struct igbvf),
	.express = true,
	.vf_policy = true,
	.msix = true,
	.queues_max = 1,
	.spaces = spaces,
	.init = init,
	.finish = finish,
	.reset = reset,
	.transmit = igbvf_transmit,
	.receive = igbvf_receive,
	.link_changed = link_changed,
	.timer = timer,
	.judge = judge,
	.save = save,
	.load = load,
};
