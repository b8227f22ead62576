/* backend_check.h - whether what a user said of a port's backend fits together; a part of ports_validate. */
#ifndef ANYNIC_CONFIG_BACKEND_CHECK_H
#define ANYNIC_CONFIG_BACKEND_CHECK_H

#include "base/error.h"
#include "config/known.h"
#include "config/spec.h"

int backend_check(const struct port_spec *port, const struct known *known, struct error *err);

#endif
