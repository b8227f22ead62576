/* save.c - the card's state as sections of bytes. Times are saved as distances from now, for the clock may be another one. */
#include "nic/igc/igc.h"

#include <errno.h>

enum { TAG_REGISTERS = 1, TAG_PHY, TAG_NVM, TAG_FLEX, TAG_QUEUES, TAG_CLOCK, TAG_STATUS, TAG_END };

/* Filters and their words that are not 0. */
static void save_flex(const struct igc *c, struct buffer *out)
{
	for (unsigned i = 0; i < IGC_FLEX_COUNT; i++)
		for (unsigned k = 0; k < 64; k++)
			if (c->flex[i][k]) {
				buffer_put_u16(out, (uint16_t)(i * 64 + k));
				buffer_put_u32(out, c->flex[i][k]);
			}
}

static bool load_flex(struct igc *c, struct reader *in)
{
	while (!reader_at_end(in)) {
		uint16_t at = reader_u16(in);
		uint32_t value = reader_u32(in);
		if (in->failed || at >= IGC_FLEX_COUNT * 64)
			return false;
		c->flex[at / 64][at % 64] = value;
	}
	return true;
}

static void save_queues(const struct igc *c, struct buffer *out)
{
	for (unsigned q = 0; q < IGC_QUEUES; q++) {
		intel_tx_queue_save(&c->txq[q], out);
		buffer_put_u8(out, c->launch[q].waits);
		buffer_put_u64(out, c->launch[q].due_ns);
		buffer_put_u8(out, c->launch[q].released);
	}
}

static bool load_queues(struct igc *c, struct reader *in)
{
	for (unsigned q = 0; q < IGC_QUEUES; q++) {
		intel_tx_queue_load(&c->txq[q], in);
		c->launch[q].waits = reader_u8(in) & 1;
		c->launch[q].due_ns = reader_u64(in);
		uint8_t released = reader_u8(in);
		c->launch[q].released = MIN(released, (uint8_t)FRAME_BATCH);
	}
	return true;
}

/* The registers of the clock were loaded before: they say how fast it runs. It shows 32 bits of seconds; beyond that, sums of times
 * would overflow, and a gate's timer would come every microsecond. */
static void save_clock(const struct igc *c, struct buffer *out)
{
	buffer_put_u64(out, igc_clock_now(c));
	buffer_put_u32(out, c->clock.wrapped_s);
}

static bool load_clock(struct igc *c, struct reader *in)
{
	c->clock.base_ns = reader_u64(in) % (NS_PER_S << 32);
	c->clock.at_ns = nic_now(&c->nic);
	c->clock.wrapped_s = reader_u32(in);
	return true;
}

static void save_status(const struct igc *c, struct buffer *out)
{
	intel_driver_save(&c->driver, nic_now(&c->nic), out);
	buffer_put_u8(out, c->dev_rst);
	buffer_put_u8(out, c->s.irq.looked);
	buffer_put_u32(out, c->s.time.high);
	intel_flow_save(&c->flow, nic_now(&c->nic), out);
}

static bool load_status(struct igc *c, struct reader *in)
{
	intel_driver_load(&c->driver, nic_now(&c->nic), in);
	c->dev_rst = reader_u8(in) & 1;
	c->s.irq.looked = reader_u8(in) & 1;
	c->s.time.high = reader_u32(in);
	intel_flow_load(&c->flow, nic_now(&c->nic), in);
	igc_timer_at(c, c->flow.until_ns);
	return true;
}

static void save_section(const struct igc *c, unsigned tag, struct buffer *out)
{
	switch (tag) {
	case TAG_REGISTERS:
		reg_space_save(&igc_space, &c->nic.pci, out);
		break;
	case TAG_PHY:
		igc_phy_save(c, out);
		break;
	case TAG_NVM:
		intel_nvm_save(&c->nvm, out);
		break;
	case TAG_FLEX:
		save_flex(c, out);
		break;
	case TAG_QUEUES:
		save_queues(c, out);
		break;
	case TAG_CLOCK:
		save_clock(c, out);
		break;
	default:
		save_status(c, out);
		break;
	}
}

int igc_save(const struct nic *nic, struct buffer *out)
{
	for (unsigned tag = TAG_REGISTERS; tag < TAG_END; tag++) {
		size_t section = buffer_section_begin(out, tag);
		save_section((const struct igc *)nic, tag, out);
		buffer_section_end(out, section);
	}
	return 0;
}

static bool load_section(struct igc *c, unsigned tag, struct reader *in, struct error *err)
{
	switch (tag) {
	case TAG_REGISTERS:
		return reg_space_load(&igc_space, &c->nic.pci, in, err) == 0;
	case TAG_PHY:
		return igc_phy_load(c, in);
	case TAG_NVM:
		return intel_nvm_load(&c->nvm, in);
	case TAG_FLEX:
		return load_flex(c, in);
	case TAG_QUEUES:
		return load_queues(c, in);
	case TAG_CLOCK:
		return load_clock(c, in);
	default:
		return load_status(c, in);
	}
}

/* A card of the same model; the base reset it before. Work that was waiting goes on. */
int igc_load(struct nic *nic, const void *data, size_t len, struct error *err)
{
	struct igc *c = igc_of(nic);
	struct reader in = reader_of(data, len), body;
	uint32_t tag, expected = TAG_REGISTERS;

	while (reader_section(&in, &tag, &body)) {
		if (tag != expected++ || tag >= TAG_END)
			return error_set(err, -EINVAL, "igc: saved section %u is out of order",
					 tag);
		if (!load_section(c, tag, &body, err) || body.failed || !reader_at_end(&body))
			return error_set(err, -EINVAL, "igc: saved section %u is damaged", tag);
	}
	if (in.failed || expected != TAG_END)
		return error_set(err, -EINVAL, "igc: the saved state is cut short");
	intel_rss_key_changed(&c->s.rss);
	intel_irq_loaded(nic, &c->s.irq);
	igc_link_check(c);
	igc_tsn_changed(c); /* kicks all queues */
	nic->notes.rx_ready = true;
	igc_note(c);
	return 0;
}
