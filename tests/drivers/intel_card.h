/* intel_card.h - the least driver that moves frames through any card of the family: one ring of each kind, no interrupts. Each
 * model's own driver goes further; this one is for what all must survive alike.
 */
#ifndef ANYNIC_TESTS_DRIVERS_INTEL_CARD_H
#define ANYNIC_TESTS_DRIVERS_INTEL_CARD_H

#include "machine.h"

#define CARD_TX_RING (RAM_AT + 0x1000)
#define CARD_RX_RING (RAM_AT + 0x4000)
#define CARD_TX_DATA (RAM_AT + 0x10000)
#define CARD_RX_DATA (RAM_AT + 0x40000)
#define CARD_RING    64u   /* descriptors */
#define CARD_BUFFER  2048u /* bytes of a receive buffer */

struct intel_card_kind {
	const char *model;
	bool advanced;	   /* SRRCTL and DTYP 2, 3 */
	bool queue_enable; /* RXDCTL and TXDCTL bit 25 */
	bool vf;	   /* no RCTL, TCTL; a mailbox */
};

extern const struct intel_card_kind intel_card_kinds[];
extern const unsigned intel_card_kind_count;

struct intel_card {
	struct machine *m;
	const struct intel_card_kind *kind;
	unsigned tx_tail, rx_next;
};

/* NULL when this build has no such model. Bus, rings, receiver and transmitter are on, all receive buffers but one are given. */
struct intel_card *intel_card_create(const struct intel_card_kind *kind);
void intel_card_destroy(struct intel_card *c);
/* Rings as after creation: for use behind a reset too. */
void intel_card_start(struct intel_card *c);

uint32_t intel_card_read(struct intel_card *c, uint32_t offset);
void intel_card_write(struct intel_card *c, uint32_t offset, uint32_t value);

/* Posts one raw descriptor; intel_card_kick tells the card. */
void intel_card_post(struct intel_card *c, uint64_t address, uint32_t dword2, uint32_t dword3);
void intel_card_kick(struct intel_card *c);

/* Posts a context in the card's own layout, and data in one descriptor that asks for segmentation or checksums. */
void intel_card_context(struct intel_card *c, unsigned l2, unsigned l3, unsigned l4, unsigned mss,
			unsigned protocol);
void intel_card_data(struct intel_card *c, uint64_t address, uint32_t length, bool segment);

/* Sends one small frame the plain way and tells whether it reached the wire: the card lives. */
bool intel_card_sends(struct intel_card *c);
/* The wire says something and the next receive descriptor comes back with it. */
bool intel_card_receives(struct intel_card *c);

/* Length of the next received frame, its descriptor given back to the card; 0: none. */
uint32_t intel_card_take(struct intel_card *c);

#endif
