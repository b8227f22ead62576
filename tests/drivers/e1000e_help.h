/* e1000e_help.h - what the stories of the 82574L share. */
#ifndef ANYNIC_TESTS_DRIVERS_E1000E_HELP_H
#define ANYNIC_TESTS_DRIVERS_E1000E_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "e1000e_driver.h"
#include "frames.h"

#define US 1000ull
#define MS 1000000ull

/* register offsets of the datasheet */
enum { CTRL = 0, STATUS = 8, EECD = 0x10, CTRL_EXT = 0x18, ICR = 0xc0, ITR = 0xc4, ICS = 0xc8 };
enum { IMS = 0xd0, IMC = 0xd8, IAM = 0xe0, IVAR = 0xe4, EITR = 0xe8, RCTL = 0x100, VET = 0x38 };
enum { TCTL = 0x400, EXTCNF = 0xf00, RX = 0x2800, TX = 0x3800, TAIL = 0x18, RDTR = 0x2820 };
enum { RADV = 0x282c, TIDV = 0x3820, TADV = 0x382c, TARC1 = 0x3940, GPRC = 0x4074, GORCL = 0x4088 };
enum { GORCH = 0x408c, GPTC = 0x4080, RXCSUM = 0x5000, MRQC = 0x5818, SWSM = 0x5b50 };
enum { RETA = 0x5c00, RSSRK = 0x5c80, SYSTIML = 0xb600, SYSTIMH = 0xb604, TIMINCA = 0xb608 };
enum { TSYNCTXCTL = 0xb614, TXSTMPL = 0xb618, TXSTMPH = 0xb61c, TSYNCRXCTL = 0xb620 };
enum { RXSTMPL = 0xb624, RXSTMPH = 0xb628, RXMTRL = 0xb634, RAL = 0x5400, RAH = 0x5404 };

#define TXDW	 BIT(0)
#define LSC	 BIT(2)
#define RXDMT0	 BIT(4)
#define RXT0	 BIT(7)
#define RXQ0	 BIT(20)
#define TXQ0	 BIT(22)
#define OTHER	 BIT(24)
#define ASSERTED BIT(31)

static struct e1k_driver d;
static struct machine *m;

static inline int set_up(void **state)
{
	struct error err;

	(void)state;
	m = machine_create("e1000e", -1, &err);
	if (!m)
		fail_msg("%s", err.text);
	e1k_probe(&d, m);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	machine_destroy(m);
	return 0;
}

/* A frame for this card comes; it is taken by the card. */
static inline void say(size_t length)
{
	assert_int_equal(machine_say(m, frame_to(card_mac, length, 3), length), 1);
}

static inline uint32_t config(unsigned at, unsigned size)
{
	return pci_config_read(&m->nic->pci, at, size);
}

#endif
