/* Registers, rings and frames of the 82576. The first byte says how the card was opened before the program begins. */
#include "igb_driver.h"
#include "script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_pools(struct igb_driver *d)
{
	igb_w32(d, 0x5818, 5 | 0x3f << 16);
	igb_w32(d, 0x581c, 1u << 30);
	igb_w32(d, 0x3500, 1u << 31);
	for (unsigned i = 0; i < 8; i++)
		igb_w32(d, 0x5ad0 + i * 4, 0x1f000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned types[] = { IGB_LEGACY, IGB_ONE_BUFFER, IGB_SPLIT, IGB_SPLIT_ALWAYS };
	struct script s = { .data = data, .size = size };
	uint8_t how = script_byte(&s);
	struct error err;
	struct igb_driver d;

	s.m = machine_create("igb", -1, &err);
	igb_probe(&d, s.m);
	if (how & 4)
		use_pools(&d);
	igb_open(&d, how & 8 ? 16 : 1, types[how & 3]);
	if (how & 16)
		igb_use_vectors(&d);
	if (how & 32)
		igb_w32(&d, 0x100, 0x0400806a | (how & 64)); /* RCTL: long frames, loopback */
	if (how & 128)
		igb_w32(&d, 0xb620, 0x18);
	machine_clear_wire(s.m);
	script_run(&s);
	machine_destroy(s.m);
	return 0;
}
