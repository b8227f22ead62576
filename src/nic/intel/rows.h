/* rows.h - the usual rows of a register table (pci/reg.h), for the tables of this family; what is particular to a row follows as
 * further members: RW("TIPG", I_TIPG, 0x3fffffff, .reset = 0x00602008, STATE(tipg)).
 */
#ifndef ANYNIC_NIC_INTEL_ROWS_H
#define ANYNIC_NIC_INTEL_ROWS_H

#include "pci/reg.h"

#define RW(n, at, bits, ...)                                                                       \
	{                                                                                          \
		.name = n, .offset = at, .kind = REG_RW, .mask = bits, __VA_ARGS__                 \
	}
#define RO(n, at, ...)                                                                             \
	{                                                                                          \
		.name = n, .offset = at, .kind = REG_RO, __VA_ARGS__                               \
	}
#define WO(n, at, ...)                                                                             \
	{                                                                                          \
		.name = n, .offset = at, .kind = REG_WO, __VA_ARGS__                               \
	}
#define ALL 0xffffffffu

#endif
