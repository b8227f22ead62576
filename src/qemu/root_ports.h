/* root_ports.h - which of a running guest's PCI Express root ports have room for a card, as QEMU itself knows it at any time: `info pci` knows it
 * only after the firmware has numbered the buses. The owner runs the loop:
 *
 *     root_search_begin(...)
 *     case a reply: if (root_search_reply(s, &item)) it was ours
 *     until s->state is not ROOT_SEARCHING
 *
 * Those of anynic are taken before those of the user's line, and of the latter only those with an id.
 */
#ifndef ANYNIC_QEMU_ROOT_PORTS_H
#define ANYNIC_QEMU_ROOT_PORTS_H

#include "config/spec.h"
#include "qemu/qmp_client.h"

#define ROOT_PORT_OURS "anynic-rp-" /* how ids of ours begin */
#define ROOT_PORTS_MAX 64
#define ROOT_PORT_NAME ID_MAX

enum root_state { ROOT_IDLE, ROOT_SEARCHING, ROOT_FOUND, ROOT_FULL, ROOT_LOST, ROOT_STATE_COUNT };

struct root_search {
	enum root_state state;
	char found[PORT_NICS][ROOT_PORT_NAME];
	unsigned founds;
	/* private */
	struct qmp_client *client;
	const char (*kept)[ROOT_PORT_NAME];
	unsigned kepts;
	char name[ROOT_PORTS_MAX][ROOT_PORT_NAME];
	unsigned count, at, wanted;
	uint64_t id; /* of the command under way */
};

/* Looks for `wanted` of them, at most PORT_NICS. `kept` (borrowed) are not to be taken: a card that QEMU hides shall be there. */
void root_search_begin(struct root_search *s, struct qmp_client *client, unsigned wanted,
		       const char (*kept)[ROOT_PORT_NAME], unsigned kepts);
bool root_search_reply(struct root_search *s, const struct qmp_item *item);

#endif
