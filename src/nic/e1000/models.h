/* models.h - the cards of this folder, for nic/models.c. */
#ifndef ANYNIC_NIC_E1000_MODELS_H
#define ANYNIC_NIC_E1000_MODELS_H

#include "nic/nic.h"

extern const struct nic_ops e1000_ops, e1000_82545em_ops, e1000_82544gc_ops;

#endif
