/* ptp.c - the clock of IEEE 1588 and the stamps that are kept in registers (82576 7.9, 8.16). */
#include "nic/igb/igb.h"

uint32_t igb_systim_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct igb *g = igb_of_dev(dev);

	(void)index;
	return row->offset == I_SYSTIML ? intel_ptp_clock_read_low(&g->s.clock, nic_now(&g->nic))
					: g->s.clock.held_high;
}

void igb_systim_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)index, (void)old;
	intel_ptp_clock_set(&g->s.clock, row->offset == I_SYSTIMH, value, nic_now(&g->nic));
}

void igb_timinca_written(struct pci_device *dev, const struct reg *row, unsigned index,
			 uint32_t value, uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)index, (void)old;
	intel_ptp_clock_rate(&g->s.clock, value, nic_now(&g->nic));
}

void igb_timadj_written(struct pci_device *dev, const struct reg *row, unsigned index,
			uint32_t value, uint32_t old)
{
	struct igb *g = igb_of_dev(dev);

	(void)row, (void)index, (void)old;
	intel_ptp_clock_adjust(&g->s.clock, value, nic_now(&g->nic));
}

uint32_t igb_tx_stamp_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct intel_stamp *stamp = &igb_of_dev(dev)->s.tx_stamp;

	(void)row, (void)index;
	intel_stamp_fetched(stamp);
	return stamp->high;
}

uint32_t igb_rx_stamp_read(struct pci_device *dev, const struct reg *row, unsigned index)
{
	struct intel_stamp *stamp = &igb_of_dev(dev)->s.rx_stamp;

	(void)row, (void)index;
	intel_stamp_fetched(stamp);
	return stamp->high;
}

static bool take(struct igb *g, struct intel_stamp *stamp)
{
	uint64_t value = intel_ptp_clock_read(&g->s.clock, nic_now(&g->nic));

	return intel_stamp_take(stamp, (uint32_t)value, (uint32_t)(value >> 32));
}

void igb_stamp_sent(struct nic *nic, const struct intel_tx_frame *t)
{
	struct igb *g = igb_of(nic);

	(void)t;
	take(g, &g->s.tx_stamp);
}

uint32_t igb_stamp_received(struct igb *g, const struct intel_rx_info *info)
{
	if (!intel_ptp_wants(g->s.rx_stamp.ctl, g->s.tsyncrxcfg, info) || !take(g, &g->s.rx_stamp))
		return 0;
	intel_ptp_attributes(info, &g->s.rxsatr[0], &g->s.rxsatr[1]);
	return RXD_STATUS_TS;
}
