/* Registers, rings and frames of the 82540EM and its siblings. The first byte says which card it is and how it was opened before the program
 * begins.
 */
#include "e1000_driver.h"
#include "script.h"

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A ring of descriptors that the program need not build: legacy, or a context and its data by turns. */
static void fill_tx_ring(struct e_driver *d, bool contexts)
{
	for (unsigned i = 0; i < E_RING; i++) {
		uint8_t *p = machine_at(d->m, E_TX_RING + 16 * i);
		put_le64(p, E_TX_DATA + i * E_BUFFER);
		put_le32(p + 8, E_EOP | E_IFCS | E_RS | 200);
		if (!contexts)
			continue;
		put_le32(p + 8, E_DATA | E_IC | E_EOP | E_RS | 2000);
		put_le32(p + 12, E_IXSM | E_TXSM);
		if (i % 2)
			continue;
		put_le64(p, 14u | 24u << 8 | 33u << 16 | (uint64_t)34 << 32 | (uint64_t)50 << 40);
		put_le32(p + 8, E_DEXT | E_RS | 7u << 24 | 1946);
		put_le32(p + 12, 500u << 16 | 54u << 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const models[] = { "e1000", "e1000-82545em", "e1000-82544gc", "e1000" };
	struct script s = { .data = data, .size = size };
	uint8_t how = script_byte(&s);
	struct e_driver d;

	s.m = machine_create(models[how & 3], -1, NULL);
	e_attach(&d, s.m);
	if (how & 4) {
		uint32_t rctl = how & 8 ? BIT(5) | BIT(3) | BIT(4) | 3u << 16 : BIT(26);
		e_open(&d, rctl, how & 16 ? 0x9d : 0);
		fill_tx_ring(&d, how & 32);
	}
	if (how & 64)
		e_set(&d, 0x100, BIT(6)); /* loopback */
	if (how & 128) {
		e_set(&d, 0, BIT(27) | BIT(28) | BIT(30)); /* flow control, VLANs */
		e_write(&d, 0x5000, 0x300);
		e_write(&d, 0x2820, 100);
		e_write(&d, 0x3820, 100);
		e_write(&d, 0xc4, 500);
	}
	machine_clear_wire(s.m);
	script_run(&s);
	machine_destroy(s.m);
	return 0;
}
