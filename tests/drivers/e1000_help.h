/* e1000_help.h - what the e1000 stories share. */
#ifndef ANYNIC_TESTS_DRIVERS_E1000_HELP_H
#define ANYNIC_TESTS_DRIVERS_E1000_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "e1000_driver.h"
#include "frames.h"

#define US 1000ull
#define MS 1000000ull

static inline struct e_driver *open_model(void **state, const char *model)
{
	static struct e_driver d;
	struct machine *m = machine_create(model, -1, NULL);

	assert_non_null(m);
	e_attach(&d, m);
	*state = &d;
	return &d;
}

static inline int setup(void **state)
{
	open_model(state, "e1000");
	return 0;
}

static inline int setup_open(void **state)
{
	e_open(open_model(state, "e1000"), BIT(26), 0);
	return 0;
}

static inline int teardown(void **state)
{
	machine_destroy(((struct e_driver *)*state)->m);
	return 0;
}

static inline uint64_t dropped(struct e_driver *d, enum drop_reason reason)
{
	return d->m->nic->counters.drop[reason];
}

static inline enum driver_state status_of(struct e_driver *d)
{
	nic_update_status(d->m->nic);
	return d->m->nic->status.now.state;
}

#endif
