/* tidy.h - a small process that removes a guest's files when its control process was killed and could not do it itself.
 *
 * It waits at a pipe whose other end only the control process has; SIGKILL closes it too. QEMU, the datapath and the backends' helpers
 * notice the end of the control process by themselves.
 */
#ifndef ANYNIC_CONTROL_TIDY_H
#define ANYNIC_CONTROL_TIDY_H

#include <sys/types.h>

#include "control/place.h"

struct tidy {
	pid_t pid; /* 0 = none */
	int fd;
};

int tidy_start(struct tidy *t, const struct place *p, struct error *err);
void tidy_finish(struct tidy *t); /* the caller removes its files itself; accepts a zeroed one */

#endif
