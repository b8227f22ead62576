/* Registers, rings, frames and the mailbox of the 82576 virtual function. The first byte says how far a driver had come before the program begins, and
 * whether the program begins with messages to the PF.
 */
#include "igbvf_driver.h"
#include "script.h"

#include "base/bytes.h"
#include "nic/igb/vf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill_tx_ring(struct vf_driver *d)
{
	for (unsigned i = 0; i < VF_RING; i++) {
		uint8_t *p = machine_at(d->m, VF_TX_RING(0) + 16 * i);
		put_le64(p, VF_TX_DATA(0) + i * VF_BUFFER);
		put_le32(p + 8, VF_DATA | VF_EOP | VF_RS | 200);
	}
}

/* Whole messages, as the program has them. */
static void say_messages(struct script *s, struct vf_driver *d)
{
	for (unsigned n = script_byte(s) % 64; n && s->size; n--) {
		uint32_t msg[16];
		unsigned words = script_byte(s) % 16 + 1;
		for (unsigned i = 0; i < words; i++)
			msg[i] = script_number(s, i ? 2 : 3);
		vf_client_ask(&d->mailbox, msg, words);
		machine_wait(s->m, NS_PER_S);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned layouts[] = { VF_ONE_BUFFER, VF_SPLIT_ALWAYS, VF_LEGACY,
					    VF_ONE_BUFFER };
	struct script s = { .data = data, .size = size };
	uint8_t how = script_byte(&s);
	struct vf_driver d;

	s.m = machine_create("igbvf", -1, NULL);
	vf_attach(&d, s.m);
	if (how & 1) {
		struct igb_vf_policy *p = &((struct igbvf *)s.m->nic)->pf.policy;
		p->vlan = how & 2 ? 42 : 0;
		p->spoof_check = how & 4;
	}
	if (how & 8)
		vf_reset(&d);
	if (how & 16) {
		vf_open(&d, layouts[how >> 5 & 3]);
		vf_open_tx(&d, 1);
		fill_tx_ring(&d);
		machine_use_msix(s.m);
		vf_use_vectors(&d);
	}
	if (how & 128)
		say_messages(&s, &d);
	machine_clear_wire(s.m);
	script_run(&s);
	machine_destroy(s.m);
	return 0;
}
