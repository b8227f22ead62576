/* ops.h - the model as models.c lists it; the registers' names stay inside this folder. */
#ifndef ANYNIC_NIC_E1000E_OPS_H
#define ANYNIC_NIC_E1000E_OPS_H

#include "nic/nic.h"

extern const struct nic_ops e1000e_ops;

#endif
