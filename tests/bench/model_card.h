/* model_card.h - a driver for each kind of card, as far as model_cost needs one: rings, nothing else; interrupts are masked.
 *
 * What the cards have in common is code, what tells them apart is a row. Completion is looked up in shared memory, never in a
 * register.
 */
#ifndef ANYNIC_TESTS_MODEL_CARD_H
#define ANYNIC_TESTS_MODEL_CARD_H

#include "model_bus.h"

#define STREAM_MSS     1448u
#define STREAM_HEADERS 66u /* Ethernet, IPv4, TCP with time stamps */
#define TSO_SEGMENTS   44u /* of one large packet */
#define SMALL_FRAME    60u /* 64 bytes with the FCS that no model handles here */
#define FRAMES_MAX     256u

enum descriptors { DESC_REALTEK, DESC_LEGACY, DESC_EXTENDED, DESC_ADVANCED };

struct write {
	uint32_t at;
	uint32_t value;
};

/* What is told apart. Lists of writes end with a row of zeros. */
struct card_model {
	const char *name;   /* ours */
	const char *qemu;   /* the device that it is held against */
	const char *remark; /* what to know about the comparison, or "" */
	unsigned bar;
	enum descriptors tx, rx;
	uint32_t tx_ring, rx_ring;  /* register blocks: base, length, head, tail */
	unsigned ring;		    /* descriptors */
	unsigned few, many;	    /* sizes of batches whose difference is measured */
	const struct write *reset;  /* before the rings are set up; may be NULL */
	const struct write *writes; /* afterwards */
	bool tso;
};

extern const struct card_model card_models[];
extern const unsigned card_model_count;

/* True when `names`, which NULL ends, has this one or is empty. */
bool card_wanted(const char *name, char **names);

struct card {
	const struct card_model *model;
	struct bus *bus;
	unsigned tx_next, rx_next; /* descriptors */
};

/* Switches the card on, with all receive buffers given. */
void card_open(struct card *c, const struct card_model *model, struct bus *bus);

enum packet_kind { PACKET_SMALL, PACKET_SEGMENT, PACKET_LARGE };

/* Such a frame, at most 2 KiB: of a large one, its headers. */
void card_put_frame(uint8_t *to, enum packet_kind kind);

/* Sends `n` packets with one doorbell and waits until the card is done. False when it never is. */
bool card_send(struct card *c, enum packet_kind kind, unsigned n);

/* Waits for `n` frames, then gives their buffers again. */
bool card_receive(struct card *c, unsigned n);

#endif
