/* rtl8139_driver.h - a small guest driver for the RTL8139C and RTL8139C+, written from the data sheet.
 *
 * It knows registers by the numbers of the data sheet, on purpose not by the model's names: the two check each other.
 */
#ifndef ANYNIC_TESTS_DRIVERS_RTL8139_DRIVER_H
#define ANYNIC_TESTS_DRIVERS_RTL8139_DRIVER_H

#include "machine.h"

#define RTL_RING   64u
#define RTL_BUFFER 2048u

/* Where the driver keeps its things in guest memory. */
#define RTL_RX_RING    (RAM_AT + 0x0000)
#define RTL_TX_RING    (RAM_AT + 0x0400)
#define RTL_HIGH_RING  (RAM_AT + 0x0800)
#define RTL_TALLY      (RAM_AT + 0x0c00)
#define RTL_RX_BUFFERS (RAM_AT + 0x10000) /* 64 x 2 KiB */
#define RTL_TX_BUFFERS (RAM_AT + 0x30000) /* 64 x 2 KiB, one after the other */
#define RTL_C_RING     (RAM_AT + 0x50000) /* up to 64 KiB + 2 KiB */

struct rtl_driver {
	struct machine *m;
	unsigned bar; /* 0: I/O, 1: memory */
	uint8_t mac[6];
	unsigned rx_next, tx_next, tx_done;
	uint32_t rx_size;   /* of one C+ buffer */
	uint32_t ring_size; /* C mode */
	uint32_t ring_at;
	uint32_t opts1, opts2; /* C+: of the last frame that rtl_take gave */
	uint16_t status;       /* C mode: its header */
};

uint8_t rtl_r8(struct rtl_driver *d, unsigned at);
uint16_t rtl_r16(struct rtl_driver *d, unsigned at);
uint32_t rtl_r32(struct rtl_driver *d, unsigned at);
/* Writes let the card work, as a worker would. */
void rtl_w8(struct rtl_driver *d, unsigned at, uint8_t v);
void rtl_w16(struct rtl_driver *d, unsigned at, uint16_t v);
void rtl_w32(struct rtl_driver *d, unsigned at, uint32_t v);

/* Reads ISR and acknowledges what it shows; returns it. */
uint16_t rtl_ack(struct rtl_driver *d);

void rtl_attach(struct rtl_driver *d,
		struct machine *m); /* bus mastering, reset, address from the EEPROM */
void rtl_unlock(struct rtl_driver *d);
void rtl_lock(struct rtl_driver *d);

uint16_t rtl_eeprom_read(struct rtl_driver *d, unsigned word, unsigned address_bits);
void rtl_eeprom_write(struct rtl_driver *d, unsigned word, uint16_t value);
void rtl_eeprom_command(struct rtl_driver *d, unsigned bits,
			unsigned count); /* select, shift, deselect */

/* C+ mode */
void rtl_open_cplus(struct rtl_driver *d, uint16_t cpcr, uint16_t imr);
void rtl_give(struct rtl_driver *d, unsigned index, uint64_t address, uint32_t size);
/* Fills descriptors, kicks nothing. `flags`: bits of opts1 besides owner, end of ring, first and last. */
void rtl_queue_piece(struct rtl_driver *d, uint64_t address, uint32_t size, uint32_t flags,
		     uint32_t opts2);
/* One frame from a buffer of the driver's, in one descriptor, and a kick. */
void rtl_send(struct rtl_driver *d, const void *data, size_t len, uint32_t flags, uint32_t opts2);
void rtl_kick(struct rtl_driver *d);
/* Takes the next frame (without FCS); returns its length, 0 when there is none. Gives the descriptors back. */
size_t rtl_take(struct rtl_driver *d, void *to);
uint32_t rtl_tx_opts1(struct rtl_driver *d, unsigned index);

/* C mode */
void rtl_open_c(struct rtl_driver *d, uint32_t rcr, uint16_t imr);
void rtl_send_c(struct rtl_driver *d, const void *data, size_t len);
size_t rtl_take_c(struct rtl_driver *d, void *to);

#endif
