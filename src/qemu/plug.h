/* plug.h - plugs a card into a running guest over QMP and takes it out, in libvirt's order:
 *
 *     getfd for each descriptor, add-fd (vdpa) -> chardev-add -> netdev_add -> device_add -> set_link, if it shall be down
 *     device_del -> DEVICE_DELETED -> netdev_del -> chardev-remove
 *
 * What fails is undone in reverse, and then nothing of the card is left in QEMU; or it is in all the same, with p->rc, when the guest keeps it.
 * The owner runs the loop:
 *
 *     case a reply:   if (plug_reply(p, &item, now)) it was ours
 *     case an event:  plug_event(p, item.name, item.data, now)
 *     case the timer: plug_timer(p, now); armed for plug_deadline(p)
 *     after each      p->state says where it is; p->rc and p->why what went wrong last
 *
 * Nobody but the guest can free a card: a guest that does not answer by the deadline keeps it (state PLUGGED again, -ETIMEDOUT), and one that
 * answers late has it taken out all the same. A card that QEMU hides (the transient one of a team) can be plugged but not taken out again
 * before the guest has it; QEMU says that there is no such device, and its netdev goes at once.
 */
#ifndef ANYNIC_QEMU_PLUG_H
#define ANYNIC_QEMU_PLUG_H

#include "qemu/card_json.h"
#include "qemu/qmp_client.h"

#define PLUG_NEVER UINT64_MAX
#define PLUG_OPS   (2 * QUEUES_MAX + 4)

enum plug_state {
	PLUG_OUT, /* nothing of the card is in QEMU */
	PLUG_GOING_IN,
	PLUG_IN,
	PLUG_UNDOING, /* something failed on the way in */
	PLUG_GOING_OUT,
	PLUG_STUCK, /* what is in QEMU cannot be taken back: its monitor is closed */
	PLUG_STATE_COUNT
};
extern const char *const plug_state_names[PLUG_STATE_COUNT];

enum plug_op_kind {
	PLUG_GETFD,
	PLUG_GETVHOSTFD,
	PLUG_ADD_FD,
	PLUG_CHARDEV,
	PLUG_NETDEV,
	PLUG_DEVICE,
	PLUG_LINK,
	PLUG_OP_KIND_COUNT
};

/* All borrowed until the card is out again; descriptors stay the caller's. */
struct plug_card {
	const struct port_spec *port;
	const struct nic_spec *nic;
	struct card_way way;	/* `named` is set here */
	const char *bus, *addr; /* a root port that is free; NULL = QEMU's choice */
	json_object *
		device; /* instead of what follows from these: an object of qemu_arguments.devices; NULL */
	bool link_down;
};

struct plug {
	enum plug_state state;
	int rc; /* of what went wrong last; 0 = nothing */
	char why[240];
	/* private */
	struct qmp_client *client;
	struct plug_card card;
	struct {
		enum plug_op_kind kind;
		unsigned index;
	} op[PLUG_OPS];
	unsigned ops, at; /* those before `at` are done */
	uint64_t id;	  /* of the command under way; 0 = none */
	bool taken;	  /* netdev_add has the descriptors */
	bool leaving;	  /* device_del was sent, and DEVICE_DELETED has not come */
	bool given_up;	  /* plug_give_up */
	uint64_t deadline_ns;
};

/* -ENOTSUP: libvirt plugs no such interface, and QEMU takes it no better. */
int plug_check(const struct port_spec *port, const struct nic_spec *nic, struct error *err);

int plug_in(struct plug *p, struct qmp_client *client, const struct plug_card *card,
	    struct error *err);

/* Of a card that QEMU has from its line, so that it can be taken out. */
void plug_adopt(struct plug *p, struct qmp_client *client, const struct plug_card *card);

/* -EINVAL: it is not in. `deadline_ns` is for the guest. */
int plug_out(struct plug *p, uint64_t deadline_ns, struct error *err);

/* The command that QEMU was sent and has not answered; NULL = none. */
const char *plug_waits_for_qemu(const struct plug *p);

/* QEMU has not answered for too long, and the card shall not come any more: when it does answer, that step is undone with those before it. */
void plug_give_up(struct plug *p);

/* It shall stay after all. The guest may let it go all the same: then it is out without having been asked again. */
void plug_keep(struct plug *p);

bool plug_reply(struct plug *p, const struct qmp_item *item, uint64_t now);
void plug_event(struct plug *p, const char *name, json_object *data);
uint64_t plug_deadline(const struct plug *p);
void plug_timer(struct plug *p, uint64_t now);
void plug_monitor_gone(struct plug *p);

#endif
