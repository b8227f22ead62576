/* igbvf_help.h - what the virtual function's stories share. */
#ifndef ANYNIC_TESTS_DRIVERS_IGBVF_HELP_H
#define ANYNIC_TESTS_DRIVERS_IGBVF_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "frames.h"
#include "igbvf_driver.h"
#include "nic/igb/vf.h" /* for the administrator's policy alone */

#define ACK  0x80000000u
#define NACK 0x40000000u
#define CTS  0x20000000u
#define US   1000ull

static inline int setup(void **state)
{
	static struct vf_driver d;
	struct machine *m = machine_create("igbvf", -1, NULL);

	assert_non_null(m);
	vf_attach(&d, m);
	*state = &d;
	return 0;
}

/* As a user asked for it. */
static inline int setup_policy(void **state, struct nic_spec spec)
{
	static struct vf_driver d;

	str_copy(spec.model, sizeof(spec.model), "igbvf");
	spec.rev = -1;
	struct machine *m = machine_create_nic(spec, NULL);
	assert_non_null(m);
	vf_attach(&d, m);
	*state = &d;
	return 0;
}

static inline int setup_trusted(void **state)
{
	return setup_policy(state, (struct nic_spec){ .trust = TRISTATE_ON });
}

static inline int setup_open(void **state)
{
	setup(state);
	assert_true(vf_reset(*state));
	vf_open(*state, VF_ONE_BUFFER);
	return 0;
}

static inline int teardown(void **state)
{
	machine_destroy(((struct vf_driver *)*state)->m);
	return 0;
}

static inline struct igb_vf_policy *policy(struct vf_driver *d)
{
	return &((struct igbvf *)d->m->nic)->pf.policy;
}

static inline uint64_t dropped(struct vf_driver *d, enum drop_reason reason)
{
	return d->m->nic->counters.drop[reason];
}

/* A frame of the guest's own. */
static inline const uint8_t *own_frame(size_t len, uint8_t seed)
{
	uint8_t *f = (uint8_t *)(uintptr_t)frame_to(other, len, seed);

	memcpy(f + 6, card_mac, 6);
	return f;
}

/* Puts a tag behind the addresses; the frame grows. */
static inline size_t put_tag(uint8_t *f, size_t len, uint16_t tci)
{
	memmove(f + 16, f + 12, len - 12);
	put_be16(f + 12, 0x8100);
	put_be16(f + 14, tci);
	return len + 4;
}

#endif
