/* monitor_text.h - what QEMU's human monitor prints, as values. The text is not trusted: a line that is not understood is passed over, nothing
 * is copied further than it is bounded. The forms are those of QEMU 7.2 and 11.1.
 */
#ifndef ANYNIC_QEMU_MONITOR_TEXT_H
#define ANYNIC_QEMU_MONITOR_TEXT_H

#include "base/util.h"

/* A piece of a text that belongs to someone else. */
struct text_span {
	const char *at;
	size_t length;
};

bool span_is(struct text_span s, const char *text);
bool span_begins(struct text_span s, const char *text);

/* One memory region of `info mtree -o` that a device owns:
 *     00000000fe400000-00000000fe400fff (prio 0, i/o): virtio-pci-common-virtio-net owner:{dev id=net0}
 *     0000000000000000-ffffffffffffffff (prio 0, i/o): alias bus master @system 0000...-ffff... owner:{dev path=/machine/...}
 */
struct mtree_region {
	uint64_t from, to;
	bool alias;
	struct text_span name;	/* without what an alias shows */
	struct text_span owner; /* QEMU's id of a device, or its QOM path (begins with '/') */
};

/* The next region with an owner that is a device; moves *at behind it. False at the end. */
bool mtree_next(const char **at, struct mtree_region *region);

/* Values that `xp` or `x` printed for `address`, at most `room`. Returns how many: 0 when the address cannot be read. */
unsigned xp_parse(const char *text, uint64_t address, uint64_t *values, unsigned room);

/* One line of `info network`. A NIC stands at the line's beginning, what it is connected to follows with a backslash; a hub is
 * followed by its ports, and behind each stands who is in it:
 *     net0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56
 *      \ hostnet0: index=0,type=tap,ifname=vnet0,script=no,downscript=no
 *     hub 0
 *      \ hub0port1: rtl8139.0: index=0,type=nic,model=rtl8139,macaddr=52:54:00:12:34:57
 */
struct network_line {
	bool hub;  /* the beginning of one: nothing else is set */
	bool peer; /* of the line before it, or a hub's port */
	bool port; /* name and info are those of who is in a hub's port */
	struct text_span name;
	struct text_span info; /* behind the colon */
};

bool network_next(const char **at, struct network_line *line);

/* Value of `key` in "a=1,b=2". Empty (at = NULL) when it is not there. */
struct text_span network_value(struct text_span info, const char *key);

#endif
