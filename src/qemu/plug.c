#include "qemu/plug.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define UNDO_GRACE_NS                                                                              \
	(5 * NS_PER_S) /* a card that the guest may have seen for a moment: libvirt's */

const char *const plug_state_names[] = {
	[PLUG_OUT] = "out",	    [PLUG_GOING_IN] = "going in",   [PLUG_IN] = "in",
	[PLUG_UNDOING] = "undoing", [PLUG_GOING_OUT] = "going out", [PLUG_STUCK] = "stuck",
};
NAMES_MATCH(plug_state_names, PLUG_STATE_COUNT);

static json_object *one_text(const char *key, const char *value)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, key, json_object_new_string(value));
	return o;
}

static void fail(struct plug *p, int rc, const char *what, const char *why)
{
	p->rc = rc;
	(void)snprintf(p->why, sizeof(p->why), "%s: %s: %s", p->card.nic->id, what, why);
}

/* --- the steps ------------------------------------------------------------------------------------------------------ */

static uint64_t pass_fd(struct plug *p, unsigned index, bool vhost)
{
	const struct qemu_card_fds *fds = p->card.way.fds;
	char name[CARD_ID_ROOM + 16];

	card_fd_name(name, p->card.nic, vhost, index);
	return qmp_client_send_fd(p->client, "getfd", one_text("fdname", name),
				  vhost ? fds->vhost[index] : fds->tap[index]);
}

static uint64_t do_getfd(struct plug *p, unsigned index)
{
	return pass_fd(p, index, false);
}

static uint64_t do_getvhostfd(struct plug *p, unsigned index)
{
	return pass_fd(p, index, true);
}

static uint64_t close_name(struct plug *p, unsigned index, bool vhost)
{
	char name[CARD_ID_ROOM + 16];

	card_fd_name(name, p->card.nic, vhost, index);
	return qmp_client_send(p->client, "closefd", one_text("fdname", name));
}

static uint64_t undo_getfd(struct plug *p, unsigned index)
{
	return close_name(p, index, false);
}

static uint64_t undo_getvhostfd(struct plug *p, unsigned index)
{
	return close_name(p, index, true);
}

static json_object *fdset(const struct plug *p)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "fdset-id", json_object_new_int64(p->card.way.fdset));
	return o;
}

static uint64_t do_add_fd(struct plug *p, unsigned index)
{
	json_object *o = fdset(p);

	(void)index;
	json_object_object_add(o, "opaque", json_object_new_string(p->card.port->backend.dev));
	return qmp_client_send_fd(p->client, "add-fd", o, p->card.way.fds->tap[0]);
}

static uint64_t undo_add_fd(struct plug *p, unsigned index)
{
	(void)index;
	return qmp_client_send(p->client, "remove-fd", fdset(p));
}

static uint64_t do_chardev(struct plug *p, unsigned index)
{
	(void)index;
	return qmp_client_send(p->client, "chardev-add",
			       card_chardev_json(p->card.port, p->card.nic, &p->card.way));
}

static uint64_t undo_chardev(struct plug *p, unsigned index)
{
	char id[CARD_ID_ROOM];

	(void)index;
	card_chardev_id(id, p->card.nic);
	return qmp_client_send(p->client, "chardev-remove", one_text("id", id));
}

static uint64_t do_netdev(struct plug *p, unsigned index)
{
	(void)index;
	return qmp_client_send(p->client, "netdev_add",
			       card_netdev_json(p->card.port, p->card.nic, &p->card.way));
}

static uint64_t undo_netdev(struct plug *p, unsigned index)
{
	char id[CARD_ID_ROOM];

	(void)index;
	card_netdev_id(id, p->card.nic);
	return qmp_client_send(p->client, "netdev_del", one_text("id", id));
}

static uint64_t do_device(struct plug *p, unsigned index)
{
	const struct plug_card *c = &p->card;

	(void)index;
	return qmp_client_device_add(
		p->client, c->device ? json_object_get(c->device)
				     : card_device_json(c->port, c->nic, &c->way, c->bus, c->addr));
}

static uint64_t undo_device(struct plug *p, unsigned index)
{
	(void)index;
	p->leaving = true;
	return qmp_client_device_del(p->client, p->card.nic->id);
}

static uint64_t do_link(struct plug *p, unsigned index)
{
	(void)index;
	return qmp_client_set_link(p->client, p->card.nic->id, false);
}

static const struct {
	const char *name, *undo_name; /* as QEMU calls them */
	uint64_t (*act)(struct plug *p, unsigned index);
	uint64_t (*undo)(struct plug *p, unsigned index); /* NULL: there is nothing to undo */
} steps[] = {
	[PLUG_GETFD] = { "getfd", "closefd", do_getfd, undo_getfd },
	[PLUG_GETVHOSTFD] = { "getfd", "closefd", do_getvhostfd, undo_getvhostfd },
	[PLUG_ADD_FD] = { "add-fd", "remove-fd", do_add_fd, undo_add_fd },
	[PLUG_CHARDEV] = { "chardev-add", "chardev-remove", do_chardev, undo_chardev },
	[PLUG_NETDEV] = { "netdev_add", "netdev_del", do_netdev, undo_netdev },
	[PLUG_DEVICE] = { "device_add", "device_del", do_device, undo_device },
	[PLUG_LINK] = { "set_link", NULL, do_link, NULL },
};
_Static_assert(ARRAY_SIZE(steps) == PLUG_OP_KIND_COUNT, "each kind has its step");

/* netdev_add takes the descriptors out of QEMU's list of names: they are its own then, and go with it. */
static bool has_undo(const struct plug *p, unsigned op)
{
	enum plug_op_kind kind = p->op[op].kind;
	bool name = kind == PLUG_GETFD || kind == PLUG_GETVHOSTFD;

	return steps[kind].undo && !(name && p->taken);
}

/* --- going on ------------------------------------------------------------------------------------------------------- */

static void stuck(struct plug *p, const char *what, const char *why)
{
	fail(p, -EPIPE, what, why);
	p->state = PLUG_STUCK;
	p->id = 0;
	p->leaving = false;
}

/* A step that could not even be sent: those before it can perhaps be undone. */
static void go_back(struct plug *p, const char *what)
{
	fail(p, -EPIPE, what, "it could not be sent to QEMU");
	p->state = PLUG_UNDOING;
}

/* Sends the next step in, or the next step back; without one it has arrived. */
static void go_on(struct plug *p)
{
	bool in = p->state == PLUG_GOING_IN;

	if (in && p->at == p->ops) {
		p->state = PLUG_IN;
		return;
	}
	while (!in && p->at && !has_undo(p, p->at - 1))
		p->at--;
	if (!in && p->at == 0) {
		p->state = PLUG_OUT;
		return;
	}
	unsigned op = in ? p->at : p->at - 1;
	enum plug_op_kind kind = p->op[op].kind;
	p->id = in ? steps[kind].act(p, p->op[op].index) : steps[kind].undo(p, p->op[op].index);
	if (p->id)
		return;
	if (in) {
		go_back(p, steps[kind].name);
		go_on(p);
	} else {
		stuck(p, steps[kind].undo_name, "QEMU's monitor is closed");
	}
}

static void begin_undo(struct plug *p, uint64_t now)
{
	p->state = PLUG_UNDOING;
	p->deadline_ns = now + UNDO_GRACE_NS;
	go_on(p);
}

static void undone(struct plug *p)
{
	p->at--;
	go_on(p);
}

static bool is_leaving(const struct plug *p)
{
	return p->leaving && p->at && p->op[p->at - 1].kind == PLUG_DEVICE;
}

/* Out of a guest that keeps the card: it is in as before. Of one that should not have been there p->why still says what failed. */
static void stays(struct plug *p, int rc, const char *why)
{
	if (p->state != PLUG_UNDOING)
		fail(p, rc, "device_del", why);
	p->state = PLUG_IN;
	p->at = p->ops;
	p->id = 0;
	p->leaving = false;
}

/* Of device_del. Success means that the guest was asked. */
static void asked_guest(struct plug *p, const struct qmp_item *item)
{
	if (item->kind == QMP_ITEM_REPLY)
		return; /* DEVICE_DELETED follows, or has come */
	if (strcmp(item->name, "DeviceNotFound") == 0) {
		p->leaving = false;
		undone(p);
		return;
	}
	p->leaving = false;
	stays(p, -EBUSY, item->text);
}

bool plug_reply(struct plug *p, const struct qmp_item *item, uint64_t now)
{
	if (!p->id || item->id != p->id)
		return false;
	p->id = 0;
	if (p->state == PLUG_GOING_IN && item->kind == QMP_ITEM_REPLY) {
		p->taken |= p->op[p->at].kind == PLUG_NETDEV;
		p->at++;
		if (p->given_up)
			begin_undo(p, now);
		else
			go_on(p);
	} else if (p->state == PLUG_GOING_IN) {
		if (!p->given_up)
			fail(p, -EIO, steps[p->op[p->at].kind].name, item->text);
		begin_undo(p, now);
	} else if (is_leaving(p)) {
		asked_guest(p, item);
	} else if (p->state == PLUG_UNDOING || p->state == PLUG_GOING_OUT) {
		undone(p); /* what is gone already is gone */
	}
	return true;
}

static bool names_card(const struct plug *p, json_object *data)
{
	json_object *device;

	return data && json_object_object_get_ex(data, "device", &device) &&
	       json_object_is_type(device, json_type_string) &&
	       strcmp(json_object_get_string(device), p->card.nic->id) == 0;
}

/* The guest has let the card go, perhaps after its deadline, or by itself. */
static void deleted(struct plug *p)
{
	if (p->state == PLUG_IN) {
		p->state = PLUG_GOING_OUT;
		p->at = p->ops;
		while (p->at && p->op[p->at - 1].kind != PLUG_DEVICE)
			p->at--;
	} else if (!is_leaving(p)) {
		return;
	}
	p->id = 0; /* a reply that is still to come says nothing new */
	p->leaving = false;
	undone(p);
}

void plug_event(struct plug *p, const char *name, json_object *data)
{
	if (p->state == PLUG_OUT || p->state == PLUG_STUCK || !names_card(p, data))
		return;
	if (strcmp(name, "DEVICE_DELETED") == 0)
		deleted(p);
	else if (strcmp(name, "DEVICE_UNPLUG_GUEST_ERROR") == 0 && is_leaving(p)) {
		p->leaving = false;
		stays(p, -EBUSY, "the guest refuses to give the card up");
	}
}

uint64_t plug_deadline(const struct plug *p)
{
	bool waits = p->state == PLUG_UNDOING || p->state == PLUG_GOING_OUT;

	return waits && is_leaving(p) ? p->deadline_ns : PLUG_NEVER;
}

void plug_timer(struct plug *p, uint64_t now)
{
	if (now < plug_deadline(p))
		return;
	stays(p, -ETIMEDOUT,
	      p->id ? "QEMU did not answer in time" : "the guest did not give the card up in time");
}

const char *plug_waits_for_qemu(const struct plug *p)
{
	if (!p->id)
		return NULL;
	return p->state == PLUG_GOING_IN ? steps[p->op[p->at].kind].name
	       : p->at			 ? steps[p->op[p->at - 1].kind].undo_name
					 : NULL;
}

void plug_give_up(struct plug *p)
{
	if (p->state != PLUG_GOING_IN)
		return;
	fail(p, -ETIMEDOUT, steps[p->op[p->at].kind].name, "QEMU did not answer in time");
	p->given_up = true;
}

void plug_keep(struct plug *p)
{
	uint64_t id = p->id;

	if (p->state != PLUG_GOING_OUT || !is_leaving(p))
		return;
	stays(p, -ECANCELED, "nobody wants it any more");
	p->id = id; /* whatever QEMU says to that, it says to us */
}

void plug_monitor_gone(struct plug *p)
{
	if (p->state != PLUG_OUT && p->state != PLUG_STUCK)
		stuck(p, "QEMU", "its monitor is closed");
}

/* --- beginning ------------------------------------------------------------------------------------------------------ */

static void add_op(struct plug *p, enum plug_op_kind kind, unsigned index)
{
	p->op[p->ops].kind = kind;
	p->op[p->ops++].index = index;
}

static void list_steps(struct plug *p, bool link_down)
{
	const struct nic_spec *nic = p->card.nic;
	const struct backend_spec *backend = &p->card.port->backend;
	const struct qemu_card_fds *fds = p->card.way.fds;

	for (unsigned i = 0; nic->netdev == NETDEV_TAP && fds && i < MIN(fds->taps, QUEUES_MAX);
	     i++)
		add_op(p, PLUG_GETFD, i);
	for (unsigned i = 0; nic->netdev == NETDEV_TAP && fds && i < MIN(fds->vhosts, QUEUES_MAX);
	     i++)
		add_op(p, PLUG_GETVHOSTFD, i);
	if (nic->netdev == NETDEV_QEMU && fds && strcmp(backend->type, "vdpa") == 0)
		add_op(p, PLUG_ADD_FD, 0);
	if (card_has_chardev(nic, backend))
		add_op(p, PLUG_CHARDEV, 0);
	if (card_has_netdev(nic))
		add_op(p, PLUG_NETDEV, 0);
	add_op(p, PLUG_DEVICE, 0);
	if (link_down)
		add_op(p, PLUG_LINK, 0);
}

static void begin(struct plug *p, struct qmp_client *client, const struct plug_card *card)
{
	*p = (struct plug){ .client = client, .card = *card, .deadline_ns = PLUG_NEVER };
	p->card.way.named = true;
	list_steps(p, card->link_down && nic_link_is_qemus(card->nic));
}

int plug_check(const struct port_spec *port, const struct nic_spec *nic, struct error *err)
{
	static const char *const refused[] = { "server", "client", "mcast", "udp", "internal" };
	const char *type = port->backend.type;

	if (nic->netdev == NETDEV_QEMU && name_find(refused, ARRAY_SIZE(refused), type) >= 0)
		return error_set(err, -ENOTSUP,
				 "%s: interfaces of type '%s' cannot be plugged into a running "
				 "guest; start the guest with it",
				 nic->id, type);
	return 0;
}

int plug_in(struct plug *p, struct qmp_client *client, const struct plug_card *card,
	    struct error *err)
{
	int rc = plug_check(card->port, card->nic, err);

	if (rc < 0)
		return rc;
	begin(p, client, card);
	p->state = PLUG_GOING_IN;
	go_on(p);
	return 0;
}

void plug_adopt(struct plug *p, struct qmp_client *client, const struct plug_card *card)
{
	begin(p, client, card);
	p->state = PLUG_IN;
	p->taken = true;
	p->at = p->ops;
}

int plug_out(struct plug *p, uint64_t deadline_ns, struct error *err)
{
	if (p->state != PLUG_IN)
		return error_set(err, -EINVAL, "the card is %s and cannot be taken out",
				 plug_state_names[p->state]);
	p->state = PLUG_GOING_OUT;
	p->rc = 0;
	p->why[0] = '\0';
	p->deadline_ns = deadline_ns;
	go_on(p);
	return 0;
}
