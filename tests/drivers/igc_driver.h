/* igc_driver.h - a small guest driver for I225 and I226, written from the user manual: NVM, PHY, four queue pairs, MSI-X, clock. */
#ifndef ANYNIC_TESTS_DRIVERS_IGC_DRIVER_H
#define ANYNIC_TESTS_DRIVERS_IGC_DRIVER_H

#include "machine.h"

#define IGC_RING	  64u
#define IGC_BUFFER	  2048u
#define IGC_TX_RING(q)	  (RAM_AT + 0x1000 + (q)*0x400)
#define IGC_RX_RING(q)	  (RAM_AT + 0x3000 + (q)*0x400)
#define IGC_TX_DATA	  (RAM_AT + 0x10000)
#define IGC_RX_DATA(q)	  (RAM_AT + 0x20000 + (q)*IGC_RING * IGC_BUFFER)
#define IGC_DRIVER_QUEUES 4u

/* Registers, by the names of the manual. */
enum {
	IGC_CTRL = 0x0,
	IGC_STATUS = 0x8,
	IGC_EECD = 0x10,
	IGC_CTRL_EXT = 0x18,
	IGC_MDIC = 0x20,
	IGC_RCTL = 0x100,
	IGC_TCTL = 0x400,
	IGC_PHPM = 0xe14,
	IGC_ICR = 0x1500,
	IGC_IMS = 0x1508,
	IGC_IMC = 0x150c,
	IGC_GPIE = 0x1514,
	IGC_EIMS = 0x1524,
	IGC_EIMC = 0x1528,
	IGC_EIAC = 0x152c,
	IGC_IVAR = 0x1700,
	IGC_IVAR_MISC = 0x1740,
	IGC_RXPBS = 0x2404,
	IGC_BASET_L = 0x3314,
	IGC_BASET_H = 0x3318,
	IGC_QBVCYCLET = 0x331c,
	IGC_STQT = 0x3324,
	IGC_ENDQT = 0x3334,
	IGC_TXQCTL = 0x3344,
	IGC_TQAVCTRL = 0x3570,
	IGC_MPC = 0x4010,
	IGC_ROC = 0x40ac,
	IGC_GPRC = 0x4074,
	IGC_GPTC = 0x4080,
	IGC_RXCSUM = 0x5000,
	IGC_RLPML = 0x5004,
	IGC_MTA = 0x5200,
	IGC_RAL = 0x5400,
	IGC_RAH = 0x5404,
	IGC_VLANPQF = 0x55b0,
	IGC_SYNQF = 0x55fc,
	IGC_VFTA = 0x5600,
	IGC_FHFTSL = 0x5804,
	IGC_WUFC = 0x5808,
	IGC_WUFC_EXT = 0x580c,
	IGC_MRQC = 0x5818,
	IGC_TTQF = 0x59e0,
	IGC_IMIR = 0x5a80,
	IGC_IMIREXT = 0x5aa0,
	IGC_SWSM = 0x5b50,
	IGC_RETA = 0x5c00,
	IGC_RSSRK = 0x5c80,
	IGC_ETQF = 0x5cb0,
	IGC_FHFT = 0x9000,
	IGC_SYSTIML = 0xb600,
	IGC_SYSTIMH = 0xb604,
	IGC_TIMINCA = 0xb608,
	IGC_TIMADJ = 0xb60c,
	IGC_TSYNCTXCTL = 0xb614,
	IGC_TXSTMPL = 0xb618,
	IGC_TXSTMPH = 0xb61c,
	IGC_TSYNCRXCTL = 0xb620,
	IGC_TSAUXC = 0xb640,
	IGC_TRGTTIML0 = 0xb644,
	IGC_TRGTTIMH0 = 0xb648,
	IGC_TSICR = 0xb66c,
	IGC_TSIM = 0xb674,
	IGC_TXSTMPL_1 = 0xb698,
	IGC_RDBAL = 0xc000,
	IGC_SRRCTL = 0xc00c,
	IGC_RDH = 0xc010,
	IGC_RDT = 0xc018,
	IGC_RXDCTL = 0xc028,
	IGC_RQDPC = 0xc030,
	IGC_TDBAL = 0xe000,
	IGC_TDH = 0xe010,
	IGC_TDT = 0xe018,
	IGC_TXDCTL = 0xe028,
	IGC_EERD = 0x12014,
	IGC_EEWR = 0x12018,
};

struct igc_driver {
	struct machine *m;
	unsigned tx_tail[IGC_DRIVER_QUEUES], rx_next[IGC_DRIVER_QUEUES];
	uint32_t srrctl;
};

/* A received frame, as its descriptor tells it. */
struct igc_received {
	bool there;
	uint16_t type; /* packet and RSS type */
	uint32_t hash;
	uint32_t status; /* with errors */
	uint16_t length, vlan;
	const uint8_t *data;
};

uint32_t igc_r(struct igc_driver *d, uint32_t at);
void igc_w(struct igc_driver *d, uint32_t at, uint32_t value);

/* Register of queue `q`. */
uint32_t igc_q(uint32_t at, unsigned q);

uint16_t igc_nvm_word(struct igc_driver *d, unsigned word);
uint16_t igc_phy_read(struct igc_driver *d, unsigned reg);
void igc_phy_write(struct igc_driver *d, unsigned reg, uint16_t value);
/* Clause 45 through registers 13 and 14. */
uint16_t igc_mmd_read(struct igc_driver *d, unsigned device, uint16_t at);
void igc_mmd_write(struct igc_driver *d, unsigned device, uint16_t at, uint16_t value);

/* Resets the card, gives all four queues their rings (advanced descriptors) and receive buffers, turns all on, sets DRV_LOAD. */
void igc_open(struct igc_driver *d);
/* MSI-X: vector 0 for all else, vector 1 + q for both directions of queue q. */
void igc_use_vectors(struct igc_driver *d);

/* Posts a raw descriptor without telling; igc_kick tells. */
void igc_post(struct igc_driver *d, unsigned q, uint64_t low, uint32_t dword2, uint32_t dword3);
void igc_kick(struct igc_driver *d, unsigned q);
/* Posts the frame at IGC_TX_DATA + slot * IGC_BUFFER with more bits of dword 2 and 3. */
void igc_post_frame(struct igc_driver *d, unsigned q, unsigned slot, const void *frame,
		    unsigned len, uint32_t dword2, uint32_t dword3);
bool igc_sent_done(struct igc_driver *d, unsigned q, unsigned index);

/* The next frame of a queue; its buffer is given back. */
struct igc_received igc_take(struct igc_driver *d, unsigned q);
/* Which queue has the next frame, or -1. Takes it. */
int igc_take_any(struct igc_driver *d);

uint64_t igc_clock(struct igc_driver *d);
void igc_set_clock(struct igc_driver *d, uint64_t ns);

#endif
