/* e1000e_driver.h - a small driver for the 82574L, written from its datasheet: rings of eight, two queues, the three kinds of receive
 * descriptors, vectors or one line.
 */
#ifndef ANYNIC_TESTS_DRIVERS_E1000E_DRIVER_H
#define ANYNIC_TESTS_DRIVERS_E1000E_DRIVER_H

#include "machine.h"

#define E1K_RING    8u
#define E1K_BUFFER  2048u
#define E1K_RX_RING (RAM_AT + 0x1000)  /* 0x200 apart */
#define E1K_TX_RING (RAM_AT + 0x3000)  /* 0x200 apart */
#define E1K_RX_DATA (RAM_AT + 0x10000) /* 0x10000 apart: 8 KiB for each descriptor */
#define E1K_TX_DATA (RAM_AT + 0x60000)

enum e1k_format { E1K_LEGACY, E1K_EXTENDED, E1K_SPLIT };

struct e1k_driver {
	struct machine *m;
	enum e1k_format format;
	unsigned tx_tail[2], rx_next[2];
};

uint32_t e1k_r32(struct e1k_driver *d, uint32_t at);
void e1k_w32(struct e1k_driver *d, uint32_t at, uint32_t value);

/* Master on; masked and reset as drivers do; nothing runs. */
void e1k_probe(struct e1k_driver *d, struct machine *m);
/* DRV_LOAD, rings of both queues, receiver and transmitter on; all buffers but one given. `rctl`: bits besides the usual ones. */
void e1k_open(struct e1k_driver *d, enum e1k_format format, uint32_t rctl);
/* Receive queues on vectors 0 and 1, transmit queues on 2 and 3, the rest on 4, as Linux sets it up. */
void e1k_use_vectors(struct e1k_driver *d);

uint16_t e1k_nvm_read(struct e1k_driver *d, unsigned word);
void e1k_nvm_write(struct e1k_driver *d, unsigned word, uint16_t value);
/* MDIC as it reads when it is done. */
uint32_t e1k_phy_read(struct e1k_driver *d, unsigned address, unsigned reg);
void e1k_phy_write(struct e1k_driver *d, unsigned reg, uint16_t value);

#define E1K_EOP	 BIT(24)
#define E1K_IFCS BIT(25)
#define E1K_TSE	 BIT(26)
#define E1K_RS	 BIT(27)
#define E1K_DEXT BIT(29)
#define E1K_VLE	 BIT(30)
#define E1K_IDE	 BIT(31)

/* Posts one descriptor: dwords 2 and 3 as they are. */
void e1k_post(struct e1k_driver *d, unsigned queue, uint64_t address, uint32_t dword2,
	      uint32_t dword3);
void e1k_kick(struct e1k_driver *d, unsigned queue);
/* One frame in one data descriptor. `more`: bits of dword 2 besides EOP, IFCS and RS. */
void e1k_send(struct e1k_driver *d, unsigned queue, const void *data, uint32_t length,
	      uint32_t more, uint32_t dword3);
bool e1k_sent(struct e1k_driver *d, unsigned queue, unsigned index); /* DD */

struct e1k_received {
	uint32_t length; /* of the first piece */
	uint32_t
		status; /* extended layout: status and errors; legacy: status byte, errors from bit 24 */
	uint32_t mrq, hash;
	uint16_t vlan, header, more[3];
	const uint8_t *data, *body; /* the first buffer, the second one */
};
/* The next received descriptor; its buffers are given back. False: none. */
bool e1k_take(struct e1k_driver *d, unsigned queue, struct e1k_received *r);

#endif
