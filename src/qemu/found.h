/* found.h - a running QEMU that someone else started: which network cards it has, and what can be known from outside of what is behind them.
 * Nothing that it says is trusted: texts are bounded, names that do not fit are passed over.
 */
#ifndef ANYNIC_QEMU_FOUND_H
#define ANYNIC_QEMU_FOUND_H

#include "config/spec.h"
#include "qemu/nic_status.h"

struct found_card {
	char name[ID_MAX];	   /* as set_link and `info network` have it */
	char owner[WATCHED_OWNER]; /* as `info mtree -o` has it: QEMU's id, or a QOM path */
	char device[40];	   /* "virtio-net-pci" */
	const char *model;	   /* as anynic's users write it */
	uint8_t mac[MAC_LEN];
	char type[MODEL_MAX]; /* of its netdev: "tap", "user", ...; "" = none */
	char ifname[16];      /* of a tap */
	char bridge[16];      /* that this tap is in */
	int hub;	      /* QEMU's own; -1 = none */
};

/* Where QEMU's devices are; marks tell that the watched ones in there are others than before. */
#define FOUND_FOLDERS 3
extern const char *const found_folders[FOUND_FOLDERS];

struct found_guest {
	char name[64]; /* -name; "" = none */
	char machine[48];
	char target[16]; /* x86_64 */
	unsigned major, minor;
	bool running;
	struct found_card card[WATCHED_MAX];
	unsigned cards;
	uint64_t mark[FOUND_FOLDERS];
};

/* Asks a monitor that has just been connected; 15 s at most. -ETIMEDOUT: it does not greet, since it has another client. */
int qemu_find_cards(struct found_guest *g, struct qmp_client *c, struct error *err);

/* The cards once more, of the same guest; 3 s at most. The monitor is ready; events that come meanwhile are dropped. */
int qemu_list_cards(struct found_guest *g, struct qmp_client *c, struct error *err);

/* Of a reply to qom-list. */
uint64_t found_list_mark(json_object *list);

/* Fills type, ifname and hub of the cards from the text of `info network`. */
void found_read_network(struct found_guest *g, const char *text);

#endif
