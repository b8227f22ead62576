/* card_judge.h - the driver status of QEMU's own cards by what can be seen from outside: a table of cards, and a pure function from what was
 * seen to a report. The words are those of our own cards (nic/), so that `status` reads alike; what cannot be known is said so.
 *
 * Seen are: the bus master bit (`info mtree -o`), single registers without side effect (`xp`), the ring of queue 0
 * (x-query-virtio-queue-status) and its avail index in guest memory (`xp`), the receive filter (query-rx-filter).
 */
#ifndef ANYNIC_QEMU_CARD_JUDGE_H
#define ANYNIC_QEMU_CARD_JUDGE_H

#include "nic/driver_status.h"

#define CARD_READS 6

/* Where the registers of the receive ring are among the reads, for cards that have them. */
enum { CARD_RING_LENGTH = 1, CARD_RING_HEAD, CARD_RING_TAIL };

/* One register. */
struct card_read {
	uint16_t offset;
	uint8_t size; /* bytes: 1, 2, 4 */
};

struct card_seen;

struct watched_card {
	const char *device;    /* QEMU's name of the device */
	const char *registers; /* how the name of their memory region begins */
	/* the first one tells whether the driver has it receive: it is read at every look, the others when it changed */
	struct card_read read[CARD_READS];
	unsigned reads;
	uint32_t watch;	     /* bits of the first that matter */
	uint32_t receives;   /* all of these set: it receives */
	bool ring_registers; /* some of the reads are those of the receive ring */
	bool virtio;
	void (*judge)(const struct card_seen *seen, struct driver_report *out);
};

/* What was seen of one card. A zeroed one: nothing yet. */
struct card_seen {
	bool tree;	 /* `info mtree` came */
	bool present;	 /* QEMU has the card */
	bool bus_master; /* as of `tree` */
	bool mapped;	 /* some part of it is where the guest could reach it */
	bool has_base;	 /* its registers are mapped, at `base` */
	uint64_t base;
	unsigned have; /* bit i: reg[i] came */
	uint32_t reg[CARD_READS];
	bool ring_known;	   /* the queue's addresses came */
	uint64_t ring, avail_ring; /* 0 = not set */
	bool avail_known;
	bool given;	 /* receive buffers were given since the card receives */
	bool vlan_known; /* the receive filter came */
	bool vlan_all;	 /* no driver set a VLAN filter */
};

/* NULL: not a card that can be watched. */
const struct watched_card *watched_card_find(const char *device);

bool card_receives(const struct watched_card *card, const struct card_seen *seen);

/* With virtio the ring must be looked at: DRIVER_OK is there, or the status register cannot be had. */
bool card_ring_wanted(const struct watched_card *card, const struct card_seen *seen);

void card_judge(const struct watched_card *card, const struct card_seen *seen,
		struct driver_report *out);

#endif
