/* save.c - the card's state as sections of bytes. Times are saved as distances from now, for the clock may be another one. */
#include <errno.h>

#include "nic/rtl8139/rtl8139.h"

enum { TAG_REGISTERS = 1, TAG_RINGS, TAG_EEPROM, TAG_TALLY, TAG_TIMES, TAG_STATUS, TAG_END };

static void save_rings(const struct rtl8139 *r, struct buffer *out)
{
	buffer_put_u32(out, r->s.dtccr[0]);
	buffer_put_u32(out, r->s.dtccr[1]);
	buffer_put_u8(out, r->tx_slot);
	buffer_put_u8(out, r->tx_at[RING_NORMAL]);
	buffer_put_u8(out, r->tx_at[RING_HIGH]);
	buffer_put_u8(out, r->tx_poll);
	buffer_put_u8(out, r->rx_at);
	buffer_put_u8(out, r->rx_last);
	buffer_put_u16(out, r->tx_irq_held);
}

static void load_rings(struct rtl8139 *r, struct reader *in)
{
	r->s.dtccr[0] = reader_u32(in);
	r->s.dtccr[1] = reader_u32(in);
	r->tx_slot = reader_u8(in) % TX_SLOTS;
	r->tx_at[RING_NORMAL] = reader_u8(in) % DESC_MAX;
	r->tx_at[RING_HIGH] = reader_u8(in) % DESC_MAX;
	r->tx_poll = reader_u8(in) & (TPPOLL_NPQ | TPPOLL_HPQ);
	r->rx_at = reader_u8(in) % DESC_MAX;
	r->rx_last = reader_u8(in) % DESC_MAX;
	/* what was held back comes at once: nobody knows how long the move took */
	r->tx_irq_held = reader_u16(in) & INT_ALL;
	r->tx_irq_due_ns = nic_now(&r->nic);
}

static void save_eeprom(const struct rtl8139_eeprom *e, struct buffer *out)
{
	for (unsigned i = 0; i < MICROWIRE_WORDS; i++)
		buffer_put_u16(out, e->word[i]);
	microwire_save(&e->pins, out);
}

/* All or nothing: no reset puts an EEPROM right that was loaded half. */
static bool load_eeprom(struct rtl8139_eeprom *to, struct reader *in)
{
	struct rtl8139_eeprom e = { 0 };

	for (unsigned i = 0; i < MICROWIRE_WORDS; i++)
		e.word[i] = reader_u16(in);
	if (!microwire_load(&e.pins, in))
		return false;
	*to = e;
	return true;
}

static void save_tally(const struct rtl8139_tally *t, struct buffer *out)
{
	buffer_put_u64(out, t->tx_ok);
	buffer_put_u64(out, t->rx_ok);
	buffer_put_u64(out, t->tx_err);
	buffer_put_u64(out, t->rx_physical);
	buffer_put_u64(out, t->rx_broadcast);
	buffer_put_u32(out, t->rx_err);
	buffer_put_u32(out, t->rx_multicast);
	buffer_put_u16(out, t->missed);
	buffer_put_u16(out, t->tx_abort);
}

static void load_tally(struct rtl8139_tally *t, struct reader *in)
{
	t->tx_ok = reader_u64(in);
	t->rx_ok = reader_u64(in);
	t->tx_err = reader_u64(in);
	t->rx_physical = reader_u64(in);
	t->rx_broadcast = reader_u64(in);
	t->rx_err = reader_u32(in);
	t->rx_multicast = reader_u32(in);
	t->missed = reader_u16(in);
	t->tx_abort = reader_u16(in);
}

static void save_times(const struct rtl8139 *r, struct buffer *out)
{
	uint64_t now = nic_now(&r->nic);

	buffer_put_u64(out, now - r->timer_base_ns);
	for (unsigned i = 0; i < RESETS_KEPT; i++)
		buffer_put_u64(out, r->reset_ns[i] ? now - r->reset_ns[i] : UINT64_MAX);
}

static void load_times(struct rtl8139 *r, struct reader *in)
{
	uint64_t now = nic_now(&r->nic);

	r->timer_base_ns =
		now - reader_u64(in); /* modulo 2^64, like the difference that was saved */
	for (unsigned i = 0; i < RESETS_KEPT; i++) {
		uint64_t age = reader_u64(in);
		r->reset_ns[i] = age == UINT64_MAX ? 0 : MAX(now - age, 1);
	}
}

static void save_status(const struct rtl8139 *r, struct buffer *out)
{
	const bool latch[] = { r->link_fell, r->driver_bit,  r->irq_used,
			       r->served,    r->was_running, r->rx_given };

	for (unsigned i = 0; i < ARRAY_SIZE(latch); i++)
		buffer_put_u8(out, latch[i]);
}

static void load_status(struct rtl8139 *r, struct reader *in)
{
	bool *const latch[] = { &r->link_fell, &r->driver_bit,	&r->irq_used,
				&r->served,    &r->was_running, &r->rx_given };

	for (unsigned i = 0; i < ARRAY_SIZE(latch); i++)
		*latch[i] = reader_u8(in) & 1;
}

static void save_section(const struct rtl8139 *r, unsigned tag, struct buffer *out)
{
	switch (tag) {
	case TAG_REGISTERS:
		reg_space_save(r->space, &r->nic.pci, out);
		break;
	case TAG_RINGS:
		save_rings(r, out);
		break;
	case TAG_EEPROM:
		save_eeprom(&r->eeprom, out);
		break;
	case TAG_TALLY:
		save_tally(&r->tally, out);
		break;
	case TAG_TIMES:
		save_times(r, out);
		break;
	default:
		save_status(r, out);
		break;
	}
}

int rtl8139_save(const struct nic *nic, struct buffer *out)
{
	for (unsigned tag = TAG_REGISTERS; tag < TAG_END; tag++) {
		size_t section = buffer_section_begin(out, tag);
		save_section((const struct rtl8139 *)nic, tag, out);
		buffer_section_end(out, section);
	}
	return 0;
}

static int load_section(struct rtl8139 *r, unsigned tag, struct reader *in, struct error *err)
{
	switch (tag) {
	case TAG_REGISTERS:
		return reg_space_load(r->space, &r->nic.pci, in, err);
	case TAG_RINGS:
		load_rings(r, in);
		return 0;
	case TAG_EEPROM:
		return load_eeprom(&r->eeprom, in)
			       ? 0
			       : error_set(err, -EINVAL, "the saved EEPROM is in no known step");
	case TAG_TALLY:
		load_tally(&r->tally, in);
		return 0;
	case TAG_TIMES:
		load_times(r, in);
		return 0;
	default:
		load_status(r, in);
		return 0;
	}
}

/* Bits that no register can hold are taken away: the code relies on the masks. */
static void normalise(struct rtl8139 *r)
{
	struct rtl8139_state *s = &r->s;

	s->cr &= CR_RE | CR_TE;
	s->cpcr &= CPCR_WRITE;
	s->rcr &= RCR_WRITE;
	s->tcr &= TCR_WRITE;
	s->imr &= INT_ALL;
	s->isr &= INT_ALL;
	s->mpc &= 0xffffff;
	s->kept.msr &= MSR_FLOW;
	s->kept.bmcr &= BMCR_LOCKED;
}

/* A card of the same revision; the base reset it before. Work that was waiting goes on. */
int rtl8139_load(struct nic *nic, const void *data, size_t len, struct error *err)
{
	struct rtl8139 *r = rtl8139_of(nic);
	struct reader in = reader_of(data, len), body;
	uint32_t tag, expected = TAG_REGISTERS;

	while (reader_section(&in, &tag, &body)) {
		if (tag != expected++ || tag >= TAG_END)
			return error_set(err, -EINVAL, "rtl8139: saved section %u is out of order",
					 tag);
		int rc = load_section(r, tag, &body, err);
		if (rc < 0)
			return rc;
		if (body.failed || !reader_at_end(&body))
			return error_set(err, -EINVAL,
					 "rtl8139: saved section %u has a wrong length", tag);
	}
	if (in.failed || expected != TAG_END)
		return error_set(err, -EINVAL, "rtl8139: the saved state is cut short");
	normalise(r);
	r->isr_unseen = r->s.isr; /* an acknowledgement may have been on its way */
	nic_kick(nic, 0);
	nic->notes.rx_ready = true;
	rtl8139_raise(r, 0);
	rtl8139_timer_plan(r);
	return 0;
}
