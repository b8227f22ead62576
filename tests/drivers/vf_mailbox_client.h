/* vf_mailbox_client.h - a VF driver's side of the mailbox, over any way to reach the registers: takes the buffer, writes, signals, polls, and
 * keeps what reading clears, as drivers of the 82576 VF do.
 */
#ifndef ANYNIC_TESTS_DRIVERS_VF_MAILBOX_CLIENT_H
#define ANYNIC_TESTS_DRIVERS_VF_MAILBOX_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#define VFMBX_REQ   0x01u
#define VFMBX_ACK   0x02u
#define VFMBX_VFU   0x04u
#define VFMBX_PFSTS 0x10u
#define VFMBX_PFACK 0x20u
#define VFMBX_RSTI  0x40u
#define VFMBX_RSTD  0x80u

struct vf_client {
	void *card;
	uint32_t (*read)(void *card);		     /* the mailbox register */
	void (*write)(void *card, uint32_t value);   /* the mailbox register */
	uint32_t (*get)(void *card, unsigned index); /* mailbox memory */
	void (*put)(void *card, unsigned index, uint32_t value);
	uint32_t kept; /* bits that a read cleared and nobody has asked for yet */
};

static inline bool vf_client_bit(struct vf_client *c, uint32_t mask)
{
	uint32_t now = c->read(c->card) | c->kept;

	c->kept = (c->kept | (now & (VFMBX_PFSTS | VFMBX_PFACK | VFMBX_RSTD))) & ~mask;
	return now & mask;
}

static inline bool vf_client_take(struct vf_client *c)
{
	c->write(c->card, VFMBX_VFU);
	uint32_t now = c->read(c->card);
	c->kept |= now & (VFMBX_PFSTS | VFMBX_PFACK | VFMBX_RSTD);
	return now & VFMBX_VFU;
}

/* Sends `n` words and waits for the acknowledgement. */
static inline bool vf_client_write(struct vf_client *c, const uint32_t *msg, unsigned n)
{
	if (!vf_client_take(c))
		return false;
	vf_client_bit(c, VFMBX_PFACK);
	vf_client_bit(c, VFMBX_PFSTS);
	for (unsigned i = 0; i < n; i++)
		c->put(c->card, i, msg[i]);
	c->write(c->card, VFMBX_REQ);
	return vf_client_bit(c, VFMBX_PFACK);
}

/* Reads `n` words and acknowledges them. */
static inline bool vf_client_read(struct vf_client *c, uint32_t *msg, unsigned n)
{
	if (!vf_client_take(c))
		return false;
	for (unsigned i = 0; i < n; i++)
		msg[i] = c->get(c->card, i);
	c->write(c->card, VFMBX_ACK);
	return true;
}

/* Sends, and reads the reply into `msg`. False: no acknowledgement, or no reply. */
static inline bool vf_client_ask(struct vf_client *c, uint32_t *msg, unsigned n)
{
	return vf_client_write(c, msg, n) && vf_client_bit(c, VFMBX_PFSTS) &&
	       vf_client_read(c, msg, n);
}

#endif
