/* place.h - where a guest's sockets live: the run directory, names that are live, sockets that a killed anynic left behind.
 *
 *     DIR/NAME.qmp    the control socket, or a link to it when --qmp moved it
 *     DIR/NAME.nics/  one socket for each hosted NIC, ID.sock
 *     DIR/NAME.undo   what a killed anynic would leave on the host (host/undo.h)
 *     DIR/NAME.lock   held (flock) as long as the guest is live; who holds it may replace what is stale
 *
 * DIR is $XDG_RUNTIME_DIR/anynic; without that /run/anynic for root, else /tmp/anynic-UID. Its mode is 0700, the sockets' 0600.
 */
#ifndef ANYNIC_CONTROL_PLACE_H
#define ANYNIC_CONTROL_PLACE_H

#include "base/error.h"

#define PLACE_NAME  64
#define PLACE_PATH  512 /* of files; a socket's must be shorter than SOCKET_PATH */
#define SOCKET_PATH 108 /* sockaddr_un.sun_path with its NUL */

struct place {
	char dir[PLACE_PATH];
	char name[PLACE_NAME];
	char qmp[SOCKET_PATH];
	char nics[PLACE_PATH];
	char undo[PLACE_PATH];
	char lock[PLACE_PATH];
	char link[PLACE_PATH]; /* DIR/NAME.qmp when `qmp` is elsewhere; else empty */
	int lock_fd;
	int listen_fd; /* the control socket; whoever takes it sets it to -1 */
};

/* Makes the name live, and puts in order what killed guests left on the host, whatever their names. `qmp` (--qmp) may be NULL. -EEXIST when the name is live already. */
int place_claim(struct place *p, const char *name, const char *qmp, struct error *err);
void place_release(struct place *p); /* removes what was made; accepts a zeroed or half-made one */

/* Removes what the guest of `dead` left behind, unless a new one has the name already. For another process than the one that claimed it. */
void place_tidy(const struct place *dead);

/* Where the NICs' sockets of a guest with this name will be. Makes nothing. */
void place_nics_path(char *to, size_t size, const char *name);

/* A listening UNIX socket, mode 0600. A stale one is replaced; one that answers, or a file that is no socket, is not: -EADDRINUSE,
 * -ENOTSOCK. Returns the descriptor. */
int place_listen(const char *path, struct error *err);

/* Whether a socket listens at this path, in this network namespace; nothing connects to it, as a QEMU that waits for a guest takes one
 * visitor only. */
bool place_is_taken(const char *path);

/* Connects to a guest by name, or by the path of its control socket (a name has no slash). Returns the descriptor or -ENOENT. */
int place_connect(const char *name, struct error *err);

/* Names of the live guests, sorted. Returns how many there are (at most `max` are stored). */
unsigned place_list(char names[][PLACE_NAME], unsigned max);

#endif
