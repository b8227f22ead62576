/* save.c - the card's state as sections of bytes. Times are saved as distances from now, for the clock may be another one. */
#include <errno.h>

#include "nic/e1000e/e1000e.h"

enum { TAG_REGISTERS = 1, TAG_IO, TAG_NVM, TAG_PHY, TAG_CONTEXTS, TAG_CLOCK, TAG_DRIVER, TAG_END };

static void save_phy(const struct e1000e *e, struct buffer *out)
{
	intel_phy_save(&e->phy, nic_now(&e->nic), out);
	for (unsigned i = 0; i < E1000E_PAGED; i++)
		buffer_put_u16(out, e->paged[i]);
}

static bool load_phy(struct e1000e *e, struct reader *in)
{
	bool fine = intel_phy_load(&e->phy, &e1000e_phy, nic_now(&e->nic), in);

	for (unsigned i = 0; i < E1000E_PAGED; i++)
		e->paged[i] = reader_u16(in);
	return fine;
}

static void save_section(const struct e1000e *e, unsigned tag, struct buffer *out)
{
	uint64_t now = nic_now(&e->nic);

	switch (tag) {
	case TAG_REGISTERS:
		reg_space_save(&e1000e_space, &e->nic.pci, out);
		break;
	case TAG_IO:
		reg_space_save(&e1000e_io_space, &e->nic.pci, out);
		break;
	case TAG_NVM:
		intel_nvm_save(&e->nvm, out);
		break;
	case TAG_PHY:
		save_phy(e, out);
		break;
	case TAG_CONTEXTS:
		for (unsigned i = 0; i < E1000E_QUEUES; i++)
			intel_tx_queue_save(&e->tx_queue[i], out);
		break;
	case TAG_CLOCK:
		intel_ptp_clock_save(&e->s.clock, now, out);
		/* what was held back comes at once: nobody knows how long the move took */
		buffer_put_u32(out, e->rx_delay.causes | e->tx_delay.causes);
		intel_flow_save(&e->flow, now, out);
		break;
	default:
		intel_driver_save(&e->driver, now, out);
		break;
	}
}

int e1000e_save(const struct nic *nic, struct buffer *out)
{
	for (unsigned tag = TAG_REGISTERS; tag < TAG_END; tag++) {
		size_t section = buffer_section_begin(out, tag);
		save_section((const struct e1000e *)nic, tag, out);
		buffer_section_end(out, section);
	}
	return 0;
}

static int load_section(struct e1000e *e, unsigned tag, struct reader *in, struct error *err)
{
	uint64_t now = nic_now(&e->nic);

	switch (tag) {
	case TAG_REGISTERS:
		return reg_space_load(&e1000e_space, &e->nic.pci, in, err);
	case TAG_IO:
		return reg_space_load(&e1000e_io_space, &e->nic.pci, in, err);
	case TAG_NVM:
		return intel_nvm_load(&e->nvm, in)
			       ? 0
			       : error_set(err, -EINVAL, "e1000e: the saved NVM is cut short");
	case TAG_PHY:
		return load_phy(e, in) ? 0
				       : error_set(err, -EINVAL,
						   "e1000e: the saved PHY has no known speed");
	case TAG_CONTEXTS:
		for (unsigned i = 0; i < E1000E_QUEUES; i++)
			intel_tx_queue_load(&e->tx_queue[i], in);
		return 0;
	case TAG_CLOCK:
		intel_ptp_clock_load(&e->s.clock, now, in);
		e->s.icr |= reader_u32(in);
		intel_flow_load(&e->flow, now, in);
		return 0;
	default:
		intel_driver_load(&e->driver, now, in);
		return 0;
	}
}

/* Bits that no register can hold are taken away: the code relies on the masks. */
static void normalise(struct e1000e *e)
{
	struct e1000e_state *s = &e->s;

	s->icr &= INT_ALL;
	s->ims &= INT_ALL;
	s->rctl &= RCTL_WRITE;
	s->vet &= 0xffff;
}

/* The base reset the card before. Work that was waiting goes on. */
int e1000e_load(struct nic *nic, const void *data, size_t len, struct error *err)
{
	struct e1000e *e = e1000e_of(nic);
	struct reader in = reader_of(data, len), body;
	uint32_t tag, expected = TAG_REGISTERS;

	while (reader_section(&in, &tag, &body)) {
		if (tag != expected++ || tag >= TAG_END)
			return error_set(err, -EINVAL, "e1000e: saved section %u is out of order",
					 tag);
		int rc = load_section(e, tag, &body, err);
		if (rc < 0)
			return rc;
		if (body.failed || !reader_at_end(&body))
			return error_set(err, -EINVAL,
					 "e1000e: saved section %u has a wrong length", tag);
	}
	if (in.failed || expected != TAG_END)
		return error_set(err, -EINVAL, "e1000e: the saved state is cut short");
	normalise(e);
	for (unsigned i = 0; i < E1000E_QUEUES; i++)
		nic_kick(nic, i);
	nic->notes.rx_ready = true;
	e->told = 0;
	e1000e_arm(e);
	e->pressing = e->s.icr; /* what waited for company has waited long enough */
	e1000e_evaluate(e);
	return 0;
}
