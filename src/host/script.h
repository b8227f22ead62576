/* script.h - the programs that XML names for a tap, <script path=> and <downscript path=>: run by root, with the interface's name. */
#ifndef ANYNIC_HOST_SCRIPT_H
#define ANYNIC_HOST_SCRIPT_H

#include "base/error.h"
#include "config/spec.h"

/* Whether those of a port could be run by us. */
int host_script_look(const struct backend_spec *spec, struct error *err);

/* Waits until it has ended, half a minute at most: then it is killed. 0 only for exit status 0. */
int host_script_run(const char *path, const char *ifname, struct error *err);

#endif
