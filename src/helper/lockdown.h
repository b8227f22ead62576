/* lockdown.h - the privileges of anynic-helper, and how they shrink. The theory is in lockdown.c. */
#ifndef ANYNIC_HELPER_LOCKDOWN_H
#define ANYNIC_HELPER_LOCKDOWN_H

#include "helper/session.h"

/* For the whole program, before it hears of any user. */
int lockdown_start(struct error *err);

/* For the process that serves one connection, before it reads the first byte. */
int lockdown_session(const struct helper_setup *setup, struct error *err);

#endif
