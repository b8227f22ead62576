/* save.c - the card's state as sections of bytes. Times are saved as distances from now, for the clock may be another one. */
#include <errno.h>

#include "nic/igb/igb.h"

enum {
	TAG_REGISTERS = 1,
	TAG_IO,
	TAG_CONTEXTS,
	TAG_NVM,
	TAG_SPI,
	TAG_PHY,
	TAG_CLOCK,
	TAG_DRIVER,
	TAG_END
};

static void save_contexts(const struct igb *g, struct buffer *out)
{
	for (unsigned i = 0; i < IGB_QUEUES; i++)
		intel_tx_queue_save(&g->s.tx[i].contexts, out);
}

static void load_contexts(struct igb *g, struct reader *in)
{
	for (unsigned i = 0; i < IGB_QUEUES; i++)
		intel_tx_queue_load(&g->s.tx[i].contexts, in);
}

static void save_spi(const struct igb_spi *p, struct buffer *out)
{
	buffer_put_u8(out, p->step);
	buffer_put_u8(out, p->in);
	buffer_put_u8(out, p->out);
	buffer_put_u8(out, p->bits);
	buffer_put_u8(out, p->level);
	buffer_put_u8(out, p->command);
	buffer_put_u8(out, p->write_enabled);
	buffer_put_u16(out, p->address);
}

static bool load_spi(struct igb_spi *p, struct reader *in)
{
	p->step = reader_u8(in);
	p->in = reader_u8(in);
	p->out = reader_u8(in);
	p->bits = reader_u8(in) & 7;
	p->level = reader_u8(in) & 1;
	p->command = reader_u8(in) & 7;
	p->write_enabled = reader_u8(in) & 1;
	p->address = reader_u16(in);
	return p->step < IGB_SPI_STEPS;
}

static void save_section(const struct igb *g, unsigned tag, struct buffer *out)
{
	uint64_t now = nic_now(&g->nic);

	switch (tag) {
	case TAG_REGISTERS:
		reg_space_save(&igb_mem_space, &g->nic.pci, out);
		break;
	case TAG_IO:
		reg_space_save(&igb_io_space, &g->nic.pci, out);
		break;
	case TAG_CONTEXTS:
		save_contexts(g, out);
		break;
	case TAG_NVM:
		intel_nvm_save(&g->nvm, out);
		break;
	case TAG_SPI:
		save_spi(&g->spi, out);
		break;
	case TAG_PHY:
		intel_phy_save(&g->phy, now, out);
		break;
	case TAG_CLOCK:
		intel_ptp_clock_save(&g->s.clock, now, out);
		break;
	default:
		intel_driver_save(&g->driver, now, out);
		intel_flow_save(&g->flow, now, out);
		break;
	}
}

int igb_save(const struct nic *nic, struct buffer *out)
{
	for (unsigned tag = TAG_REGISTERS; tag < TAG_END; tag++) {
		size_t section = buffer_section_begin(out, tag);
		save_section((const struct igb *)nic, tag, out);
		buffer_section_end(out, section);
	}
	return 0;
}

static int load_section(struct igb *g, unsigned tag, struct reader *in, struct error *err)
{
	uint64_t now = nic_now(&g->nic);
	bool fine = true;

	switch (tag) {
	case TAG_REGISTERS:
		return reg_space_load(&igb_mem_space, &g->nic.pci, in, err);
	case TAG_IO:
		return reg_space_load(&igb_io_space, &g->nic.pci, in, err);
	case TAG_CONTEXTS:
		load_contexts(g, in);
		break;
	case TAG_NVM:
		fine = intel_nvm_load(&g->nvm, in);
		break;
	case TAG_SPI:
		fine = load_spi(&g->spi, in);
		break;
	case TAG_PHY:
		fine = intel_phy_load(&g->phy, &igb_phy_model, now, in);
		break;
	case TAG_CLOCK:
		intel_ptp_clock_load(&g->s.clock, now, in);
		break;
	default:
		intel_driver_load(&g->driver, now, in);
		intel_flow_load(&g->flow, now, in);
		nic_set_timer(&g->nic, intel_earlier(g->nic.notes.deadline_ns, g->flow.until_ns));
		break;
	}
	return fine ? 0 : error_set(err, -EINVAL, "igb: saved section %u makes no sense", tag);
}

/* The base reset the card before. Work that was waiting goes on. */
int igb_load(struct nic *nic, const void *data, size_t len, struct error *err)
{
	struct igb *g = igb_of(nic);
	struct reader in = reader_of(data, len), body;
	uint32_t tag, expected = TAG_REGISTERS;

	while (reader_section(&in, &tag, &body)) {
		if (tag != expected++ || tag >= TAG_END)
			return error_set(err, -EINVAL, "igb: saved section %u is out of order",
					 tag);
		int rc = load_section(g, tag, &body, err);
		if (rc < 0)
			return rc;
		if (body.failed || !reader_at_end(&body))
			return error_set(err, -EINVAL, "igb: saved section %u has a wrong length",
					 tag);
	}
	if (in.failed || expected != TAG_END)
		return error_set(err, -EINVAL, "igb: the saved state is cut short");
	intel_rss_key_changed(&g->s.rss);
	intel_irq_loaded(nic, &g->s.irq);
	igb_link_update(g);
	igb_tx_kick_all(g);
	nic->notes.rx_ready = true;
	return 0;
}
