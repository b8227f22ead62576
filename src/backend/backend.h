/* backend.h - the backend contract: where a port's frames go.
 *
 * A backend works on descriptors that control opened (spec->fds); it opens nothing itself. All calls come from the port's worker.
 */
#ifndef ANYNIC_BACKEND_BACKEND_H
#define ANYNIC_BACKEND_BACKEND_H

#include "base/error.h"
#include "config/spec.h"
#include "net/frame.h"

struct backend;

#define BACKEND_FRONT                                                                              \
	16u /* bytes in front of each receive buffer: a header that the kernel gives in one piece with the frame */

struct backend_ops {
	const char *name;
	const char *summary; /* one line for `anynic backends` */
	size_t size;	     /* bytes of the backend's struct, which begins with struct backend */
	bool own_frames; /* receive has all frames in memory of its own: they come without room */

	int (*init)(struct backend *b, const struct backend_spec *spec,
		    struct error *err); /* takes spec->fds, also on failure */
	void (*finish)(struct backend *b);
	/* Hands frames on; returns how many were taken, in order. Fewer: b->blocked is set, try again when writable.
	 * A frame that can never be sent is taken and counted in b->refused. With b->blocked, call again when the descriptor is
	 * writable even when no frame waits (n = 0): the backend may hold the rest of a frame that it took.
	 * While the backend is down, frames are taken and counted in b->refused; a tap notices here that it is up again. */
	unsigned (*send)(struct backend *b, const struct frame *frames, unsigned n);
	/* Fills up to `max` frames; each comes with one piece of iov[0].iov_len bytes of room (FRAME_MAX), in front of which
	 * BACKEND_FRONT bytes more are the backend's to use, and leaves with hdr, length, iov[0].iov_len = length. A backend that has the
	 * frames in memory of its own may let iov[0] point there instead: the caller may write to them, and has done with all of
	 * them when it calls again. Returns how many; 0 = nothing waits. `queue` is the index of the readable descriptor.
	 * After a return of `max`, call again before waiting for the descriptor (b->more): frames may wait inside the backend. */
	unsigned (*receive)(struct backend *b, unsigned queue, struct frame *frames, unsigned max);
	/* What send takes as it is: a set of enum frame_offload. */
	uint32_t (*offloads)(const struct backend *b);
	/* What receive may give: the guest's driver cannot take more than `offloads`; may be NULL. */
	void (*set_rx_offloads)(struct backend *b, uint32_t offloads);
	/* backend_accept; NULL = never listens */
	void (*accept)(struct backend *b);
	/* The other side is there again, behind new descriptors: what is left of the old ones is closed, the new ones are the backend's
	 * and it is up. On failure they stay the caller's. -EINVAL when it never needs any, -ENOTSUP for a number that it cannot use.
	 * NULL = what is lost stays lost. */
	int (*renew)(struct backend *b, const int *fds, unsigned nfds);
	/* The kernel takes frames from and gives them to the first `queues` descriptors, with `header` bytes in front of each; others get
	 * no frames. From now on neither send nor receive is called, until lend with no queues. 0, or a negative errno with nothing
	 * changed. NULL = the kernel has no use for the descriptors */
	int (*lend)(struct backend *b, unsigned queues, unsigned header);
};

struct backend {
	const struct backend_ops *ops;
	int fd[QUEUES_MAX]; /* what the worker polls for reading; -1 = none: `more` and `blocked` say it all */
	unsigned fds;
	int listen_fd;	  /* stream server: accept here (backend_accept); -1 = none */
	bool up;	  /* the other side is there */
	bool up_changed;  /* tell control; the owner clears it */
	bool fds_changed; /* fd[] changed: the worker watches anew; the owner clears it */
	bool blocked;	  /* poll for writing until send took everything */
	bool lent;	  /* the kernel has the descriptors (ops->lend) */
	bool more; /* frames wait inside: call receive again, the descriptor may not say so */
	uint64_t refused; /* frames that could never be sent */
	char reason[120]; /* why it is down, one line */
};

const struct backend_ops *backend_find(const char *name);
extern const struct backend_ops *const backends[];
extern const unsigned backend_count;

struct backend *backend_create(const struct backend_spec *spec, struct error *err);
void backend_destroy(struct backend *b); /* NULL is fine */

/* Goes on with new descriptors (ops->renew), at most QUEUES_MAX; takes all of them, also on failure. The owner does not watch the old ones any more. */
int backend_renew(struct backend *b, const int *fds, unsigned nfds, struct error *err);

/* listen_fd is readable. */
void backend_accept(struct backend *b);

/* For backends: notes that the other side came, or went; the text says why, for a person. */
void backend_set_up(struct backend *b);
void backend_set_down(struct backend *b, const char *fmt, ...) PRINTF(2, 3);

/* For backends: stops offering descriptor `index` to the worker. It stays open: the worker still unwatches it by number. */
void backend_hide_fd(struct backend *b, unsigned index);

#endif
