/* lockdown.h - what anynic-user gives up before it reads the first byte of a guest. */
#ifndef ANYNIC_BACKEND_USER_LOCKDOWN_H
#define ANYNIC_BACKEND_USER_LOCKDOWN_H

#include "base/error.h"

/* `readable` is a folder whose files may still be read (TFTP); empty = none. */
int user_lock_down(const char *readable, struct error *err);

#endif
