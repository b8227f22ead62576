/* Registers, rings and frames of the 82574L. The first byte says how the card was opened before the program begins. */
#include "e1000e_driver.h"
#include "script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = { .data = data, .size = size };
	uint8_t how = script_byte(&s);
	struct error err;
	struct e1k_driver d;

	s.m = machine_create("e1000e", -1, &err);
	e1k_probe(&d, s.m);
	/* long frames; loopback */
	e1k_open(&d, (enum e1k_format)((how & 3) % 3),
		 (how & 4 ? BIT(5) : 0) | (how & 8 ? BIT(6) : 0));
	if (how & 16)
		e1k_use_vectors(&d);
	if (how & 32) { /* RSS of all kinds, checksums */
		e1k_w32(&d, 0x5818, 0x001f0001);
		e1k_w32(&d, 0x5000, 0x2300);
	}
	if (how & 64) /* every frame is stamped */
		e1k_w32(&d, 0xb620, 0x18);
	if (how & 128) {
		e1k_w32(&d, 0x2820, 8);
		e1k_w32(&d, 0x3820, 8);
		e1k_w32(&d, 0xd0, UINT32_MAX);
	}
	machine_clear_wire(s.m);
	script_run(&s);
	machine_destroy(s.m);
	return 0;
}
