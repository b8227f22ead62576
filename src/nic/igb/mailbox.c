#include "nic/igb/mailbox.h"

void igb_mailbox_reset(struct igb_mailbox *m)
{
	*m = (struct igb_mailbox){ .vf = MBX_RSTD };
}

uint32_t igb_mailbox_vf_read(struct igb_mailbox *m)
{
	uint32_t value = m->vf;

	m->vf &= ~(uint32_t)MBX_CLEAR_R;
	return value;
}

uint32_t igb_mailbox_vf_write(struct igb_mailbox *m, uint32_t value)
{
	if (!(value & MBX_VFU))
		m->vf &= ~(uint32_t)MBX_VFU;
	else if (!(m->vf & MBX_PFU))
		m->vf |= MBX_VFU;
	return value & (MBX_REQ | MBX_ACK);
}

bool igb_mailbox_pf_take(struct igb_mailbox *m)
{
	if (m->vf & MBX_VFU)
		return false;
	m->vf |= MBX_PFU;
	return true;
}

void igb_mailbox_pf_give(struct igb_mailbox *m, uint32_t signals)
{
	m->vf &= ~(uint32_t)MBX_PFU;
	m->vf |= signals & (MBX_PFSTS | MBX_PFACK);
}
