/* slots.h - what users have, as files of the helper's own folder: UID.N.lock and, beside it, the journal of host/undo.h.
 *
 * A process that serves a user holds one lock for as long as the user has the thing. So all helpers of a host, however they were
 * started, count alike; and what a killed one left is found: its lock is free. It stays while the user's process lives, which still
 * works with it, and is taken back after that.
 */
#ifndef ANYNIC_HELPER_SLOTS_H
#define ANYNIC_HELPER_SLOTS_H

#include "helper/peer.h"
#include "host/undo.h"

#define SLOTS_FOLDER "/run/anynic-helper/state"

struct slot {
	int lock; /* 0 = none is held */
	struct undo undo;
};

/* Makes the folder (mode 0700) where it is missing. It must be the caller's own. */
int slots_prepare(const char *folder, struct error *err);

/* One of `quota` for the peer; -EDQUOT when all are taken. */
int slot_take(struct slot *slot, const char *folder, const struct peer *peer, unsigned quota,
	      struct error *err);

/* All was taken back. Accepts a zeroed one. */
void slot_release(struct slot *slot);

/* Takes back what killed helpers left to processes that have ended. Returns how many are left to others that live. */
unsigned slots_tidy(const char *folder);

#endif
