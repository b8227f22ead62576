/* rtl8139_help.h - what the rtl8139 stories share. */
#ifndef ANYNIC_TESTS_DRIVERS_RTL8139_HELP_H
#define ANYNIC_TESTS_DRIVERS_RTL8139_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"
#include "net/csum.h"
#include "rtl8139_driver.h"

#define CPLUS 0x20
#define C     0x10

#define IMR_CP	0x80ff	   /* as 8139cp */
#define IMR_TOO 0xc07f	   /* as 8139too */
#define RCR_TOO 0x0000e78a /* no wrap, own address, broadcast, 8 KiB */

#define MS 1000000ull

static inline struct rtl_driver *open_card(void **state, int rev)
{
	static struct rtl_driver d;
	struct machine *m = machine_create("rtl8139", rev, NULL);

	assert_non_null(m);
	rtl_attach(&d, m);
	*state = &d;
	return &d;
}

static inline int setup_cplus(void **state)
{
	open_card(state, CPLUS);
	return 0;
}

static inline int setup_c(void **state)
{
	open_card(state, C);
	return 0;
}

static inline int teardown(void **state)
{
	machine_destroy(((struct rtl_driver *)*state)->m);
	return 0;
}

/* The card in C+ mode, with nothing pending. */
static inline struct rtl_driver *open_cp(void **state, uint16_t cpcr)
{
	struct rtl_driver *d = *state;

	rtl_open_cplus(d, cpcr, IMR_CP);
	machine_interrupts(d->m);
	return d;
}

static inline uint64_t dropped(struct rtl_driver *d, enum drop_reason reason)
{
	return d->m->nic->counters.drop[reason];
}

#endif
