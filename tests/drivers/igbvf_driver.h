/* igbvf_driver.h - a small guest driver for the 82576 virtual function, written from the data sheet.
 *
 * It knows registers by their numbers, on purpose not by the model's names: the two check each other.
 */
#ifndef ANYNIC_TESTS_DRIVERS_IGBVF_DRIVER_H
#define ANYNIC_TESTS_DRIVERS_IGBVF_DRIVER_H

#include "machine.h"
#include "vf_mailbox_client.h"

#define VF_RING	  32u /* descriptors of each ring */
#define VF_BUFFER 2048u

/* Where the driver keeps its things in guest memory. */
#define VF_RX_RING    (RAM_AT + 0x0000)
#define VF_TX_RING(q) (RAM_AT + 0x1000 + 0x800 * (q))
#define VF_HEAD(q)    (RAM_AT + 0x3000 + 0x40 * (q)) /* head write-back */
#define VF_RX_DATA    (RAM_AT + 0x10000)
#define VF_RX_HEADERS (RAM_AT + 0x30000) /* 256 bytes each */
#define VF_TX_DATA(q) (RAM_AT + 0x40000 + 0x20000 * (q))

/* Descriptor layouts, as SRRCTL counts them. */
enum { VF_LEGACY = 0, VF_ONE_BUFFER = 1, VF_SPLIT_ALWAYS = 5 };

/* Dword 2 of an advanced data descriptor */
#define VF_EOP	BIT(24)
#define VF_IFCS BIT(25)
#define VF_RS	BIT(27)
#define VF_DEXT BIT(29)
#define VF_VLE	BIT(30)
#define VF_TSE	BIT(31)
#define VF_DATA (VF_DEXT | 3u << 20 | VF_IFCS)
/* Dword 3 */
#define VF_IXSM BIT(8)
#define VF_TXSM BIT(9)

struct vf_driver {
	struct machine *m;
	struct vf_client mailbox;
	uint8_t mac[6];
	unsigned layout;
	unsigned rx_next, tx_next[2];
	/* of the last frame that vf_take gave */
	uint32_t status; /* legacy: status byte, errors above it */
	uint32_t info;	 /* advanced: RSS type, packet type, header length */
	uint16_t tag;
	unsigned descriptors;
};

uint32_t vf_r(struct vf_driver *d, uint32_t at);
/* Writes let the card work, as a worker would. */
void vf_w(struct vf_driver *d, uint32_t at, uint32_t value);

/* Bus mastering, and the way to the mailbox; talks to nobody. */
void vf_attach(struct vf_driver *d, struct machine *m);
/* CTRL.RST, waiting for the PF, VF_RESET. False when the PF has no MAC for us or does not answer. */
bool vf_reset(struct vf_driver *d);
/* A message of three words and its reply's first word; 0 when there is none. */
uint32_t vf_ask(struct vf_driver *d, uint32_t word0, uint32_t word1, uint32_t word2);
uint32_t vf_ask_mac(struct vf_driver *d, uint32_t word0, const uint8_t mac[6]);
/* Multicast list by address. */
void vf_set_multicast(struct vf_driver *d, const uint8_t (*mac)[6], unsigned n);

/* Rings of queue 0, all receive buffers but one given. */
void vf_open(struct vf_driver *d, unsigned layout);
void vf_open_tx(struct vf_driver *d, unsigned queue);
/* Vectors as Linux has them: 0 transmit, 1 receive, 2 mailbox; each clears and masks itself. */
void vf_use_vectors(struct vf_driver *d);

/* Posts one raw descriptor; vf_kick tells the card. */
void vf_post(struct vf_driver *d, unsigned queue, uint64_t low, uint32_t dword2, uint32_t dword3);
void vf_kick(struct vf_driver *d, unsigned queue);
/* Copies a frame into a buffer of the ring's next descriptor; its address. */
uint64_t vf_stage(struct vf_driver *d, unsigned queue, const void *data, size_t len);
void vf_context(struct vf_driver *d, unsigned queue, unsigned l2, unsigned l3, unsigned l4,
		unsigned mss, bool tcp, uint16_t tag);
/* One frame in one advanced descriptor, with more of dword 2 and 3, and a kick. */
void vf_send(struct vf_driver *d, unsigned queue, const void *data, size_t len, uint32_t dword2,
	     uint32_t dword3);
bool vf_sent(struct vf_driver *d, unsigned queue, unsigned descriptor); /* DD */

/* Takes the next frame; returns its length, 0 when there is none. Gives the descriptors back. */
size_t vf_take(struct vf_driver *d, void *to);

#endif
