/* ops.h - what the list of models needs to know of this folder. */
#ifndef ANYNIC_NIC_IGC_OPS_H
#define ANYNIC_NIC_IGC_OPS_H

#include "nic/nic.h"

extern const struct nic_ops igc_ops, igc_i226_lm_ops, igc_i225_v_ops, igc_i225_lm_ops;

#endif
