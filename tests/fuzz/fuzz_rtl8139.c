/* Registers, rings and frames of both RTL8139s. The first byte says how the card was opened before the program begins. */
#include "rtl8139_driver.h"
#include "script.h"

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill_tx_ring(struct rtl_driver *d)
{
	for (unsigned i = 0; i < RTL_RING; i++)
		put_le64(machine_at(d->m, RTL_TX_RING + 16 * i) + 8,
			 RTL_TX_BUFFERS + i * RTL_BUFFER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = { .data = data, .size = size };
	uint8_t how = script_byte(&s);
	struct rtl_driver d;

	s.m = machine_create("rtl8139", how & 1 ? 0x10 : 0x20, NULL);
	rtl_attach(&d, s.m);
	d.rx_size = how & 8 ? 64 : RTL_BUFFER;
	if ((how & 6) == 2) {
		rtl_open_cplus(&d, how & 16 ? 0x60 : 0, how & 32 ? 0x80ff : 0);
		fill_tx_ring(&d);
	}
	if ((how & 6) == 4)
		rtl_open_c(&d, 0xe78f | (how & 0x18u) << 8, how & 32 ? 0xc07f : 0);
	if (how & 64)
		rtl_w32(&d, 0x40, 0x03060600); /* loopback */
	machine_clear_wire(s.m);
	script_run(&s);
	machine_destroy(s.m);
	return 0;
}
