/* process.h - the QEMU child: started in our process group with our stdio, killed when we die, reaped once. */
#ifndef ANYNIC_QEMU_PROCESS_H
#define ANYNIC_QEMU_PROCESS_H

#include <sys/types.h>

#include "base/error.h"

struct qemu_process {
	pid_t pid;  /* 0 = none */
	int pid_fd; /* readable when it has ended: for the loop; -1 = none */
	bool ended;
	int status; /* of waitpid, once ended */
};

/* Starts argv[0] (looked up on $PATH). `keep` are descriptors that it inherits under their own numbers; everything else above 2
 * must be close-on-exec already. A failed exec is told here. */
int qemu_process_start(struct qemu_process *p, char *const *argv, const int *keep,
		       unsigned keep_count, struct error *err);

/* True once it has ended; never blocks. */
bool qemu_process_reap(struct qemu_process *p);

/* QEMU's exit status as a shell tells it: 0..255, 128+signal. */
int qemu_process_exit_status(const struct qemu_process *p);

/* Sends a signal unless it has ended. */
void qemu_process_signal(struct qemu_process *p, int signal);

void qemu_process_finish(struct qemu_process *p); /* kills what still runs; accepts a zeroed one */

#endif
