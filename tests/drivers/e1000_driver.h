/* e1000_driver.h - a small guest driver for the 82540EM and its siblings, written from the 8254x developer's manual.
 *
 * It knows registers by the manual's numbers, on purpose not by the model's names: the two check each other.
 */
#ifndef ANYNIC_TESTS_DRIVERS_E1000_DRIVER_H
#define ANYNIC_TESTS_DRIVERS_E1000_DRIVER_H

#include "machine.h"

#define E_RING	 64u
#define E_BUFFER 2048u

/* Where the driver keeps its things in guest memory. */
#define E_RX_RING (RAM_AT + 0x1000)
#define E_TX_RING (RAM_AT + 0x2000)
#define E_RX_DATA (RAM_AT + 0x10000) /* 64 x 2 KiB */
#define E_TX_DATA (RAM_AT + 0x30000) /* 64 x 2 KiB, one after the other */

/* dword 2 of a transmit descriptor */
#define E_EOP  BIT(24)
#define E_IFCS BIT(25)
#define E_IC   BIT(26) /* legacy: checksum. Extended: TSE */
#define E_RS   BIT(27)
#define E_DEXT BIT(29)
#define E_VLE  BIT(30)
#define E_IDE  BIT(31)
#define E_DATA (E_DEXT | 1u << 20)
/* dword 3 of extended data */
#define E_IXSM 0x100u
#define E_TXSM 0x200u
/* receive status */
#define E_DD	0x01u
#define E_EOPS	0x02u
#define E_IXSMS 0x04u
#define E_VP	0x08u
#define E_TCPCS 0x20u
#define E_IPCS	0x40u
#define E_PIF	0x80u

/* causes */
#define E_TXDW	 0x01u
#define E_TXQE	 0x02u
#define E_LSC	 0x04u
#define E_RXDMT0 0x10u
#define E_RXT0	 0x80u
#define E_MDAC	 0x200u

struct e_driver {
	struct machine *m;
	unsigned io_bar;
	unsigned tx_next, rx_next;
	uint32_t rx_size;
	/* of the frame that e_take gave last */
	uint8_t status, errors;
	uint16_t special;
	unsigned pieces;
};

uint32_t e_read(struct e_driver *d, uint32_t at);
/* Lets the card work, as a worker would. */
void e_write(struct e_driver *d, uint32_t at, uint32_t v);
void e_set(struct e_driver *d, uint32_t at, uint32_t bits);
void e_clear(struct e_driver *d, uint32_t at, uint32_t bits);

void e_attach(struct e_driver *d,
	      struct machine *m); /* bus mastering, reset through the I/O window */
void e_reset(struct e_driver *d);

/* EEPROM by its pins, with and without asking for it. */
uint16_t e_eeprom_read(struct e_driver *d, unsigned word);
void e_eeprom_write(struct e_driver *d, unsigned word, uint16_t value);

uint16_t e_phy_read(struct e_driver *d, unsigned reg);
void e_phy_write(struct e_driver *d, unsigned reg, uint16_t value);

/* Rings, link, receiver and transmitter; all receive buffers but one. `rctl`: more than EN and BAM; `ims`: causes that interrupt. */
void e_open(struct e_driver *d, uint32_t rctl, uint32_t ims);
void e_open_rx(struct e_driver *d, uint32_t rctl, uint32_t size); /* other buffers */
void e_close(struct e_driver *d);

/* Puts a descriptor; e_kick tells the card. The address of the piece's data is the driver's own when `data` is given. */
void e_post(struct e_driver *d, uint64_t address, uint32_t dword2, uint32_t dword3);
void e_kick(struct e_driver *d);
/* One frame in one legacy descriptor and a kick. `flags`: bits of dword 2 beside EOP, IFCS and RS. */
void e_send(struct e_driver *d, const void *data, size_t len, uint32_t flags, uint16_t special);
bool e_sent(struct e_driver *d, unsigned index); /* DD */

/* Takes the next frame, gives its descriptors back. Its length (0: none), with FCS when SECRC is off. */
size_t e_take(struct e_driver *d, void *to);

#endif
