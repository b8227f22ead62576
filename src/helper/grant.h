/* grant.h - one thing that a user got: made by the same code as for root, under names that are the user's own. */
#ifndef ANYNIC_HELPER_GRANT_H
#define ANYNIC_HELPER_GRANT_H

#include "helper/peer.h"
#include "host/helper_protocol.h"
#include "host/open.h"

struct grant {
	struct helper_request request;
	struct opened_backend opened;
	char guest[HELPER_GUEST + 12]; /* "UID:GUEST": two users' guests of one name are two */
};

/* `request` has been checked and judged. On failure nothing is left. */
int grant_make(struct grant *grant, const struct helper_request *request, const struct peer *peer,
	       struct undo *journal, struct error *err);

/* Puts a tap on its bridge, which had gone and is there again. */
int grant_rejoin(struct grant *grant, struct error *err);

/* Takes it back, also when the user still holds its descriptors. Accepts a zeroed one. */
void grant_take_back(struct grant *grant);

#endif
