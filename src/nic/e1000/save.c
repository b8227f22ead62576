/* save.c - the card's state as sections of bytes. Times are saved as distances from now, for the clock may be another one. */
#include <errno.h>

#include "nic/e1000/e1000.h"

enum { TAG_REGISTERS = 1, TAG_IO, TAG_EEPROM, TAG_PHY, TAG_TRANSMIT, TAG_IRQ, TAG_STATUS, TAG_END };

/* Which delays were running: they end at once after a move, for nobody knows how long it took. */
static void save_irq(const struct e1000 *e, struct buffer *out)
{
	uint64_t now = nic_now(&e->nic);

	buffer_put_u8(out, e->asserted);
	buffer_put_u8(out, e->t.rx_packet_ns || e->t.rx_absolute_ns);
	buffer_put_u8(out, e->t.tx_packet_ns || e->t.tx_absolute_ns);
	intel_flow_save(&e->flow, now, out);
	buffer_put_u8(out, e->link_up);
}

static void load_irq(struct e1000 *e, struct reader *in)
{
	uint64_t now = nic_now(&e->nic);

	e->asserted = reader_u8(in) & 1;
	e->t.rx_packet_ns = reader_u8(in) & 1 ? now : 0;
	e->t.tx_packet_ns = reader_u8(in) & 1 ? now : 0;
	intel_flow_load(&e->flow, now, in);
	e->link_up = reader_u8(in) & 1;
}

static void save_section(const struct e1000 *e, unsigned tag, struct buffer *out)
{
	switch (tag) {
	case TAG_REGISTERS:
		reg_space_save(&e1000_space, &e->nic.pci, out);
		break;
	case TAG_IO:
		reg_space_save(&e1000_io_space, &e->nic.pci, out);
		break;
	case TAG_EEPROM:
		intel_nvm_save(&e->nvm, out);
		microwire_save(&e->pins, out);
		break;
	case TAG_PHY:
		intel_phy_save(&e->phy, nic_now(&e->nic), out);
		break;
	case TAG_TRANSMIT:
		intel_tx_queue_save(&e->txq, out);
		break;
	case TAG_IRQ:
		save_irq(e, out);
		break;
	default:
		intel_driver_save(&e->driver, nic_now(&e->nic), out);
		break;
	}
}

int e1000_save(const struct nic *nic, struct buffer *out)
{
	for (unsigned tag = TAG_REGISTERS; tag < TAG_END; tag++) {
		size_t section = buffer_section_begin(out, tag);
		save_section((const struct e1000 *)nic, tag, out);
		buffer_section_end(out, section);
	}
	return 0;
}

/* All or nothing: no reset puts an EEPROM right that was loaded half. */
static int load_eeprom(struct e1000 *e, struct reader *in, struct error *err)
{
	struct intel_nvm nvm;
	struct microwire pins;

	if (!intel_nvm_load(&nvm, in) || !microwire_load(&pins, in))
		return error_set(err, -EINVAL, "the saved EEPROM is in no known step");
	e->nvm = nvm;
	e->pins = pins;
	return 0;
}

static int load_section(struct e1000 *e, unsigned tag, struct reader *in, struct error *err)
{
	switch (tag) {
	case TAG_REGISTERS:
		return reg_space_load(&e1000_space, &e->nic.pci, in, err);
	case TAG_IO:
		return reg_space_load(&e1000_io_space, &e->nic.pci, in, err);
	case TAG_EEPROM:
		return load_eeprom(e, in, err);
	case TAG_PHY:
		return intel_phy_load(&e->phy, e->variant->phy, nic_now(&e->nic), in)
			       ? 0
			       : error_set(err, -EINVAL, "the saved PHY is none of this card");
	case TAG_TRANSMIT:
		intel_tx_queue_load(&e->txq, in);
		return 0;
	case TAG_IRQ:
		load_irq(e, in);
		return 0;
	default:
		intel_driver_load(&e->driver, nic_now(&e->nic), in);
		return 0;
	}
}

/* Bits that no register can hold are taken away: the code relies on the masks. */
static void normalise(struct e1000 *e)
{
	struct e1000_state *s = &e->s;

	s->ctrl &= CTRL_WRITE;
	s->ctrl_ext &= CTRL_EXT_WRITE & ~CTRL_EXT_EE_RST;
	s->eecd &= EECD_WRITE;
	s->icr &= INT_ALL;
	s->ims &= INT_ALL;
	s->rctl &= RCTL_WRITE;
	s->tctl &= TCTL_WRITE;
	s->itr &= 0xffff;
	s->rdtr &= 0xffff;
	s->radv &= 0xffff;
	s->tidv &= 0xffff;
	s->tadv &= 0xffff;
	s->vet &= 0xffff;
	s->rx.len &= 0xfff80u;
	s->tx.len &= 0xfff80u;
	s->rx.head &= 0xffff;
	s->rx.tail &= 0xffff;
	s->tx.head &= 0xffff;
	s->tx.tail &= 0xffff;
}

/* A card of the same variant; the base reset it before. Work that was waiting goes on. */
int e1000_load(struct nic *nic, const void *data, size_t len, struct error *err)
{
	struct e1000 *e = e1000_of(nic);
	struct reader in = reader_of(data, len), body;
	uint32_t tag, expected = TAG_REGISTERS;

	while (reader_section(&in, &tag, &body)) {
		if (tag != expected++ || tag >= TAG_END)
			return error_set(err, -EINVAL, "e1000: saved section %u is out of order",
					 tag);
		int rc = load_section(e, tag, &body, err);
		if (rc < 0)
			return rc;
		if (body.failed || !reader_at_end(&body))
			return error_set(err, -EINVAL, "e1000: saved section %u has a wrong length",
					 tag);
	}
	if (in.failed || expected != TAG_END)
		return error_set(err, -EINVAL, "e1000: the saved state is cut short");
	normalise(e);
	e1000_link_resolved(e, &e->speed, &e->full_duplex);
	nic_kick(nic, 0);
	nic->notes.rx_ready = true;
	e1000_update_irq(e);
	e1000_update_link(e);
	return 0;
}
