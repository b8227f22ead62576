/* options.h - which options QEMU has, and whether the next word belongs to them. */
#ifndef ANYNIC_QEMU_OPTIONS_H
#define ANYNIC_QEMU_OPTIONS_H

enum qemu_option_kind { QEMU_OPTION_UNKNOWN, QEMU_OPTION_FLAG, QEMU_OPTION_TAKES };

/* `name` without its dashes. */
enum qemu_option_kind qemu_option_kind(const char *name);

#endif
