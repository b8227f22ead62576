/* serve.h - the process that listens: it takes connections and starts a process for each, and reads nothing of what they send. */
#ifndef ANYNIC_HELPER_SERVE_H
#define ANYNIC_HELPER_SERVE_H

#include "helper/session.h"

/* Until SIGTERM or SIGINT; with `idle_seconds` also when for so long nobody was there (a supervisor listens and starts us anew).
 * Sessions go on after that: they end with their connections. */
int serve(int listener, unsigned idle_seconds, const struct helper_setup *setup, struct error *err);

#endif
