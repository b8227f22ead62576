/* known.h - the models and backends of this program, for config/. */
#ifndef ANYNIC_CLI_KNOWN_H
#define ANYNIC_CLI_KNOWN_H

#include "config/known.h"

/* Made once from nic_models[] and backends[]; lives as long as the program. */
const struct known *cli_known(void);

#endif
