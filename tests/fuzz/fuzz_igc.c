/* Registers, rings, frames, clock and schedule of I225 and I226. The first byte says how far a driver had come before the program begins;
 * then come writes to registers with a side effect, by number, so that a short program reaches them.
 */
#include "igc_driver.h"
#include "script.h"

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t registers[] = {
	IGC_CTRL,	IGC_CTRL_EXT,	IGC_MDIC,	IGC_RCTL,    IGC_TCTL,	    IGC_ICR,
	IGC_IMS,	IGC_GPIE,	IGC_EIMS,	IGC_EIAC,    IGC_IVAR,	    IGC_RXPBS,
	IGC_BASET_L,	IGC_BASET_H,	IGC_QBVCYCLET,	IGC_STQT,    IGC_ENDQT,	    IGC_TXQCTL,
	IGC_TQAVCTRL,	IGC_RXCSUM,	IGC_RLPML,	IGC_RAL,     IGC_RAH,	    IGC_VLANPQF,
	IGC_SYNQF,	IGC_VFTA,	IGC_FHFTSL,	IGC_WUFC,    IGC_WUFC_EXT,  IGC_MRQC,
	IGC_TTQF,	IGC_IMIR,	IGC_IMIREXT,	IGC_RETA,    IGC_RSSRK,	    IGC_ETQF,
	IGC_FHFT,	IGC_FHFT + 8,	IGC_FHFT + 252, IGC_SYSTIML, IGC_SYSTIMH,   IGC_TIMINCA,
	IGC_TIMADJ,	IGC_TSYNCTXCTL, IGC_TSYNCRXCTL, IGC_TSAUXC,  IGC_TRGTTIML0, IGC_TRGTTIMH0,
	IGC_TSIM,	IGC_RDBAL,	IGC_RDBAL + 8,	IGC_SRRCTL,  IGC_RDH,	    IGC_RDT,
	IGC_RXDCTL,	IGC_TDBAL,	IGC_TDBAL + 8,	IGC_TDH,     IGC_TDT,	    IGC_TXDCTL,
	IGC_TDBAL + 56, IGC_EERD,	IGC_EEWR,
};

/* Descriptors of all kinds: context, data with offloads and a stamp, legacy. */
static void fill_tx_rings(struct igc_driver *d)
{
	static const uint32_t kinds[] = { 0x20200c00, 0xab3b0000, 0x2b300000, 0x0b000000 };

	for (unsigned q = 0; q < IGC_DRIVER_QUEUES; q++)
		for (unsigned i = 0; i < IGC_RING; i++) {
			uint8_t *p = machine_at(d->m, IGC_TX_RING(q) + 16 * i);
			uint32_t kind = kinds[(i + q) % 4];
			put_le64(p, kind == kinds[0] ? 14u << 9 | 20 | 5000000ull << 32
						     : IGC_TX_DATA + i % 8 * IGC_BUFFER);
			put_le32(p + 8, kind | (kind == kinds[0] ? 0 : 200));
			put_le32(p + 12, kind == kinds[0] ? 100u << 16 | 20u << 8 : 0x300);
		}
}

static void write_registers(struct script *s, struct igc_driver *d)
{
	for (unsigned n = script_byte(s) % 64; n && s->size; n--) {
		uint32_t at = registers[script_byte(s) % ARRAY_SIZE(registers)];
		uint8_t how = script_byte(s);
		/* another element of a block, or another queue */
		at += at >= IGC_RDBAL && at < IGC_EERD ? (how & 3) * 0x40 : (how & 3) * 4;
		igc_w(d, at, script_number(s, 1 + (how >> 2 & 3)) << (how >> 4) * 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t layouts[] = { 1u << 25 | 2, 2u << 25 | 4u << 8 | 1,
					    5u << 25 | 4u << 8 | 2,
					    1u << 25 | BIT(30) | BIT(31) | 2 };
	struct script s = { .data = data, .size = size };
	uint8_t how = script_byte(&s);
	struct igc_driver d = { .srrctl = layouts[how >> 2 & 3] };

	s.m = machine_create("igc", -1, NULL);
	d.m = s.m;
	if (how & 1)
		igc_open(&d);
	if (how & 2)
		igc_use_vectors(&d);
	if (how & 16) {
		igc_w(&d, IGC_RXPBS, BIT(31) | 0xa2);
		igc_w(&d, IGC_TSYNCRXCTL, BIT(4) | 4u << 1);
		igc_w(&d, IGC_TSYNCTXCTL, BIT(4));
		igc_w(&d, IGC_TSIM, 0x7f);
	}
	if (how & 32) {
		igc_w(&d, IGC_TXQCTL, 5);
		igc_w(&d, IGC_TQAVCTRL, 1);
	}
	if (how & 64)
		igc_w(&d, IGC_RCTL, 0x04008062); /* loopback, LPE, BAM */
	if (how & 1)
		fill_tx_rings(&d);
	machine_clear_wire(s.m);
	if (how & 128)
		write_registers(&s, &d);
	script_run(&s);
	machine_destroy(s.m);
	return 0;
}
