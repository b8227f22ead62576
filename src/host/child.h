/* child.h - the process behind a backend: a program with one end of a socket as descriptor 3, nothing else of ours, and no way to
 * outlive us.
 */
#ifndef ANYNIC_HOST_CHILD_H
#define ANYNIC_HOST_CHILD_H

#include "host/open.h"

#define CHILD_FD 3

/* Starts `path`; out->pid and out->pidfd are its. `sock` becomes its descriptor 3 and stays open here. Standard output is closed;
 * with out->log that is where its standard error goes, else ours. */
int child_start(struct opened_backend *out, const char *path, char *const *argv, int sock,
		struct error *err);

/* A file in memory for out->log; it does not grow, whatever is written to it. -1: words are lost, nothing else. */
int child_log(void);

/* Ends the process, if there is one. */
void child_kill(struct opened_backend *o);

/* The end of its socket, or its pidfd, says that it has ended: ends it if it still runs, reaps it and says how it ended, with the last that it wrote:
 * "passt ended (exit status 1): External interface not usable". */
void child_end(struct opened_backend *o, char *text, size_t size);

#endif
