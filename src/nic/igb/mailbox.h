/* mailbox.h - the 16 words through which a virtual function and its physical function talk (82576 datasheet 7.10.2.9).
 *
 * Both sides see one control register each. A side takes the buffer by setting its "used" bit, which holds only while the other side
 * has not taken it; it writes words, then signals: REQ (VF) or STS (PF) for "a message is there", ACK for "read". What the VF is told comes as bits
 * that its next read of the register clears. A write without the "used" bit gives the buffer back.
 */
#ifndef ANYNIC_NIC_IGB_MAILBOX_H
#define ANYNIC_NIC_IGB_MAILBOX_H

#include "base/util.h"

#define MAILBOX_WORDS 16u

/* The VF's register (V2PMAILBOX) */
#define MBX_REQ	  BIT(0) /* write only: a message for the PF */
#define MBX_ACK	  BIT(1) /* write only: the PF's message was read */
#define MBX_VFU	  BIT(2)
#define MBX_PFU	  BIT(3)
#define MBX_PFSTS BIT(4) /* cleared by reading: a message from the PF */
#define MBX_PFACK BIT(5) /* cleared by reading: the PF has read ours */
#define MBX_RSTI  BIT(6) /* the PF is being reset */
#define MBX_RSTD  BIT(7) /* cleared by reading: the PF has come out of its reset */

#define MBX_CLEAR_R (MBX_PFSTS | MBX_PFACK | MBX_RSTD)

struct igb_mailbox {
	uint32_t word[MAILBOX_WORDS];
	uint32_t vf; /* the VF's register, without the write-only bits */
};

/* What a VF finds after the PF has come up. */
void igb_mailbox_reset(struct igb_mailbox *m);

uint32_t igb_mailbox_vf_read(struct igb_mailbox *m);
/* The signals for the PF: MBX_REQ, MBX_ACK. */
uint32_t igb_mailbox_vf_write(struct igb_mailbox *m, uint32_t value);

/* The PF's side. Taking fails while the VF holds the buffer. */
bool igb_mailbox_pf_take(struct igb_mailbox *m);
/* Gives the buffer back and sets `signals` (MBX_PFSTS, MBX_PFACK) for the VF. */
void igb_mailbox_pf_give(struct igb_mailbox *m, uint32_t signals);

#endif
