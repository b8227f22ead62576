/* igc_help.h - what the card's stories share. */
#ifndef ANYNIC_TESTS_DRIVERS_IGC_HELP_H
#define ANYNIC_TESTS_DRIVERS_IGC_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "frames.h"
#include "igc_driver.h"

/* A card of its own for each test. */
static int setup(void **state)
{
	struct igc_driver *d = calloc(1, sizeof(*d));
	struct error err = { 0 };

	d->m = machine_create("igc", -1, &err);
	if (!d->m)
		fail_msg("%s", err.text);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct igc_driver *d = *state;

	machine_destroy(d->m);
	free(d);
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
