/* probe.h - which of QEMU's commands tell what a guest does with a card, tried first on a throw-away QEMU: some of them kill some versions
 * (x-query-virtio-status does, and is never used). The throw-away one is of the same program and machine type, has one card, no disk, no
 * display, and its CPUs never run.
 */
#ifndef ANYNIC_QEMU_PROBE_H
#define ANYNIC_QEMU_PROBE_H

#include "base/error.h"

enum qemu_signal {
	SIGNAL_TREE,   /* info mtree -o: bus mastering, where registers are */
	SIGNAL_MEMORY, /* xp: registers and guest memory */
	SIGNAL_RING,   /* x-query-virtio-queue-status */
	SIGNAL_FILTER, /* query-rx-filter */
	QEMU_SIGNAL_COUNT
};

extern const char *const qemu_signal_names[QEMU_SIGNAL_COUNT]; /* the commands */

struct qemu_signals {
	bool can[QEMU_SIGNAL_COUNT];
	bool tried; /* on a throw-away QEMU; else by version */
};

/* Tries them. `machine` "" = QEMU's default. Bounded in time (15 s in all). Negative errno when no throw-away QEMU could be had: *signals is
 * by version then (what was seen to work with it), 0.0 = what every version answers. */
int qemu_probe_signals(struct qemu_signals *signals, const char *program, const char *machine,
		       unsigned major, unsigned minor, struct error *err);

/* Takes away what a target does not allow: on POWER a card's PCI address is not where memory shows its registers. */
void qemu_limit_signals(struct qemu_signals *signals, const char *target);

/* Without trying. */
void qemu_assume_signals(struct qemu_signals *signals, unsigned major, unsigned minor);

#endif
