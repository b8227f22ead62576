/* igb_driver.h - a small driver for the 82576, written from its datasheet: rings of eight, up to sixteen queues, descriptors of both
 * kinds, vectors or one line.
 */
#ifndef ANYNIC_TESTS_DRIVERS_IGB_DRIVER_H
#define ANYNIC_TESTS_DRIVERS_IGB_DRIVER_H

#include "machine.h"

#define IGB_RING    8u
#define IGB_BUFFER  2048u
#define IGB_RX_RING (RAM_AT + 0x1000)  /* 0x100 apart */
#define IGB_TX_RING (RAM_AT + 0x3000)  /* 0x100 apart */
#define IGB_RX_DATA (RAM_AT + 0x10000) /* 0x4000 apart */
#define IGB_RX_HEAD (RAM_AT + 0x50000) /* header buffers of queue 0, 0x100 apart */
#define IGB_TX_DATA (RAM_AT + 0x60000)
#define IGB_TX_BACK (RAM_AT + 0x8000) /* head write-back, 64 bytes apart */

enum { IGB_LEGACY = 0, IGB_ONE_BUFFER = 1, IGB_SPLIT = 2, IGB_SPLIT_ALWAYS = 5 };

struct igb_driver {
	struct machine *m;
	unsigned queues;
	unsigned type; /* of receive descriptors */
	unsigned tx_tail[16], rx_next[16];
};

uint32_t igb_r32(struct igb_driver *d, uint32_t at);
void igb_w32(struct igb_driver *d, uint32_t at, uint32_t value);

/* Master on; reset as drivers do; DRV_LOAD; nothing runs. */
void igb_probe(struct igb_driver *d, struct machine *m);
/* Rings of `queues` pairs, receiver and transmitter on; all buffers but one given. */
void igb_open(struct igb_driver *d, unsigned queues, unsigned type);
/* A vector for each queue's receive (n) and transmit (n + 8) side, 24 for the rest. */
void igb_use_vectors(struct igb_driver *d);

/* Legacy descriptor; the data are copied to the queue's place in IGB_TX_DATA. */
void igb_send_legacy(struct igb_driver *d, unsigned queue, const void *data, uint32_t length);
/* Advanced: `command` are further bits of dword 2, `options` POPTS (dword 3 bits 8, 9). */
void igb_send(struct igb_driver *d, unsigned queue, const void *data, uint32_t length,
	      uint32_t command, uint32_t options);
/* `l4`: 0 UDP, 1 TCP, 2 SCTP. */
void igb_context(struct igb_driver *d, unsigned queue, unsigned l2, unsigned l3, unsigned l4_length,
		 unsigned mss, unsigned l4, uint16_t vlan);
bool igb_sent(struct igb_driver *d, unsigned queue, unsigned index); /* DD */

struct igb_received {
	uint32_t length, status, hash;
	uint16_t info, header, vlan;
	const uint8_t *data;
};
/* The next received descriptor of a queue; its buffer is given back. False: none. */
bool igb_take(struct igb_driver *d, unsigned queue, struct igb_received *r);

#define IGB_CMD_EOP  BIT(24)
#define IGB_CMD_IFCS BIT(25)
#define IGB_CMD_RS   BIT(27)
#define IGB_CMD_VLE  BIT(30)
#define IGB_CMD_TSE  BIT(31)
#define IGB_MAC_1588 BIT(19)
#define IGB_IXSM     BIT(8)
#define IGB_TXSM     BIT(9)

#endif
