/* The cards on QEMU's line: a root port each where the machine has PCI Express, then the device. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "qemu/builder.h"
#include "qemu/card_json.h"
#include "qemu/root_ports.h"

#define UNIX_PATH_LONGEST 107
#define FIRST_CHASSIS	  128 /* people number theirs from 1 */

bool qemu_socket_path(char *to, size_t size, const char *socket_dir, const char *nic)
{
	int len = snprintf(to, size, "%s/%s.sock", socket_dir, nic);

	return len > 0 && (size_t)len < size && len <= UNIX_PATH_LONGEST;
}

static void add_words(struct builder *b, const char *option, json_object *value)
{
	builder_word(b, "%s", option);
	builder_word(b, "%s",
		     json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* A chassis number that nobody has: two root ports with one number do not start. */
static int next_chassis(struct builder *b)
{
	for (unsigned i = 0; i < 255; i++) {
		unsigned n = (FIRST_CHASSIS + i) % 256;
		uint8_t bit = (uint8_t)BIT(n % 8);

		if (n == 0 || (b->chassis[n / 8] & bit))
			continue;
		b->chassis[n / 8] |= bit;
		return (int)n;
	}
	return 0;
}

static void add_bridge_device(struct builder *b, const char *nic, const char *action,
			      const char *why, json_object *device)
{
	json_object *o = builder_begin(b, action, why);

	if (nic)
		json_object_object_add(o, "nic", json_object_new_string(nic));
	add_words(b, "-device", device);
	builder_end(b);
	json_object_object_add(o, "device", device);
}

/* `nic` NULL: for one that comes later.
 *
 * Every card gets a root port of its own, also those that are no PCI Express cards (rtl8139): Linux binds them there, INTx arrives, and hot
 * plug and unplug work, which they do not on pcie.0 itself. Tried with Linux 6.1 on QEMU 11.1. `id` may hold a name already.
 */
static void add_root_port(struct builder *b, const char *nic, char *id, size_t size)
{
	json_object *device = json_object_new_object();

	if (!id[0])
		snprintf(id, size, ROOT_PORT_OURS "%u", b->root_ports++);
	json_object_object_add(device, "driver", json_object_new_string("pcie-root-port"));
	json_object_object_add(device, "id", json_object_new_string(id));
	json_object_object_add(device, "bus", json_object_new_string("pcie.0"));
	json_object_object_add(device, "chassis", json_object_new_int(next_chassis(b)));
	add_bridge_device(b, nic, "root-port",
			  nic ? "a card behind a root port can be plugged and unplugged"
			      : "for a card that comes while the guest runs",
			  device);
}

/* A port that comes while the guest runs needs one: nobody can add it then. */
void builder_spare_ports(struct builder *b, unsigned count)
{
	for (unsigned i = 0; b->bus == QEMU_BUS_PCIE && i < count; i++) {
		char id[24] = "";

		add_root_port(b, NULL, id, sizeof(id));
	}
}

/* Behind a root port is one slot; an address in another one is on the bus of a bridge. */
static void add_pci_bridge(struct builder *b, const char *nic, const char *id)
{
	json_object *device = json_object_new_object();
	char port[24] = "";

	add_root_port(b, nic, port, sizeof(port));
	json_object_object_add(device, "driver", json_object_new_string("pcie-pci-bridge"));
	json_object_object_add(device, "id", json_object_new_string(id));
	json_object_object_add(device, "bus", json_object_new_string(port));
	add_bridge_device(b, nic, "pci-bridge", "the address of the card is on this bus", device);
}

/* --- where a card is -------------------------------------------------------------------------------------------------- */

struct card_place {
	char bus[24];
	char addr[12]; /* "" = QEMU's choice */
};

static bool bus_exists(const struct builder *b, const char *bus)
{
	for (unsigned i = 0; i < b->buses; i++)
		if (strcmp(b->bus_made[i], bus) == 0)
			return true;
	return qemu_line_has_id(b->line, "device", bus);
}

/* A bus that XML numbers, pci.3, is made where the line has none of that name: its <controller> is not ours to read. */
static int make_bus(struct builder *b, const struct nic_spec *nic, struct card_place *at,
		    struct error *err)
{
	static const char first_slot[] = "0x0";
	bool slot = at->addr[0] && strcmp(at->addr, first_slot) != 0 &&
		    strncmp(at->addr, "0x0.", 4) != 0;

	if (bus_exists(b, at->bus))
		return 0;
	if (b->bus != QEMU_BUS_PCIE)
		return error_set(err, -EINVAL,
				 "%s is to be on bus %s, and the line has no device of this id; "
				 "add -device pci-bridge,id=%s,"
				 "chassis_nr=N, or leave the address out",
				 nic->id, at->bus, at->bus);
	if (b->buses < ARRAY_SIZE(b->bus_made))
		str_copy(b->bus_made[b->buses++], sizeof(b->bus_made[0]), at->bus);
	if (slot)
		add_pci_bridge(b, nic->id, at->bus);
	else
		add_root_port(b, nic->id, at->bus, sizeof(at->bus));
	if (!at->addr[0])
		str_copy(at->addr, sizeof(at->addr), first_slot);
	return 0;
}

static int find_place(struct builder *b, const struct nic_spec *nic, struct card_place *at,
		      struct error *err)
{
	const struct card_options *o = &nic->options;
	const char *root = b->bus == QEMU_BUS_PCIE ? "pcie.0" : "pci.0";

	*at = (struct card_place){ 0 };
	str_copy(at->addr, sizeof(at->addr), o->addr);
	if (o->bus[0]) {
		/* bus 0 has another name on each kind of machine */
		bool first = strcmp(o->bus, "pci.0") == 0 || strcmp(o->bus, "pcie.0") == 0;

		str_copy(at->bus, sizeof(at->bus), first ? root : o->bus);
		return first ? 0 : make_bus(b, nic, at, err);
	}
	if (b->bus == QEMU_BUS_PCIE) {
		add_root_port(b, nic->id, at->bus, sizeof(at->bus));
		str_copy(at->addr, sizeof(at->addr), "0x0");
	} else {
		str_copy(at->bus, sizeof(at->bus), root);
	}
	return 0;
}

/* --- a card that anynic serves ---------------------------------------------------------------------------------- */

static int socket_of(const struct builder *b, const struct nic_spec *nic, char path[256],
		     struct error *err)
{
	if (qemu_socket_path(path, 256, b->setup->socket_dir, nic->id))
		return 0;
	return error_set(err, -ENAMETOOLONG,
			 "socket path %s/%s.sock is longer than %d bytes; choose a shorter "
			 "--name or id=",
			 b->setup->socket_dir, nic->id, UNIX_PATH_LONGEST);
}

static void add_listen(struct builder *b, const char *nic, const char *path, const char *why)
{
	json_object *listen = builder_begin(b, "listen", why);

	builder_end(b);
	json_object_object_del(listen, "arguments");
	json_object_object_add(listen, "nic", json_object_new_string(nic));
	json_object_object_add(listen, "path", json_object_new_string(path));
}

static void add_device(struct builder *b, json_object *device)
{
	add_words(b, "-device", device);
	json_object_array_add(b->out->devices, device);
}

/* With its MAC a function takes what is for the guest from the wire, whether the guest uses it or not: so it is told its MAC, and plugged,
 * when the guest's virtio driver asks for it (cli/transient.c). */
static void plug_later(struct builder *b, const struct nic_spec *nic, json_object *device)
{
	json_object *o = builder_begin(b, "device_add",
				       "it is plugged when the guest's virtio driver asks for it; "
				       "until then it does not have the MAC");

	builder_end(b);
	json_object_object_del(o, "arguments");
	json_object_object_add(o, "nic", json_object_new_string(nic->id));
	json_object_object_add(o, "device", json_object_get(device));
	json_object_array_add(b->out->devices, device);
}

static int add_hosted(struct builder *b, const struct nic_spec *nic, struct error *err)
{
	struct card_place at;
	char path[256];
	int rc = socket_of(b, nic, path, err);

	if (rc == 0) {
		add_listen(b, nic->id, path, "QEMU connects to the card here");
		rc = find_place(b, nic, &at, err);
	}
	if (rc == 0)
		add_device(b, card_hosted_json(nic, path, at.bus, at.addr));
	return rc;
}

/* --- a card of QEMU's own --------------------------------------------------------------------------------------- */

static const struct qemu_card_fds *find_fds(const struct qemu_setup *setup, const char *nic)
{
	static const struct qemu_card_fds planned = { .tap = { -1 }, .taps = 1 }; /* any number */

	for (unsigned i = 0; i < setup->cards; i++)
		if (strcmp(setup->card_fds[i].nic, nic) == 0)
			return &setup->card_fds[i];
	return &planned;
}

bool qemu_msix_kills(const struct qemu_program *program, const struct qemu_line *line,
		     const struct port_spec *port, const struct nic_spec *nic, bool vhost)
{
	bool elsewhere = nic->netdev == NETDEV_VHOST_USER || vhost;

	return elsewhere && !port->plain && program && program->major < 8 &&
	       !(line->kvm && !line->other_accelerator);
}

static void add_netdev(struct builder *b, const struct port_spec *port, const struct nic_spec *nic,
		       const struct card_way *way)
{
	json_object *netdev = card_netdev_json(port, nic, way);
	json_object *action = builder_begin(b, "netdev", "the card is QEMU's own");

	json_object_object_add(action, "nic", json_object_new_string(nic->id));
	add_words(b, "-netdev", netdev);
	builder_end(b);
	json_object_array_add(b->out->netdevs, netdev);
}

static void add_chardev(struct builder *b, const struct port_spec *port, const struct nic_spec *nic,
			const struct card_way *way)
{
	char option[640];
	json_object *action = builder_begin(b, "chardev", "the socket of the vhost-user backend");

	json_object_object_add(action, "nic", json_object_new_string(nic->id));
	card_chardev_option(port, nic, way, option, sizeof(option));
	builder_word(b, "-chardev");
	builder_word(b, "%s", option);
	builder_end(b);
	json_object_array_add(b->out->chardevs, json_object_new_string(option));
}

/* A vdpa device is opened by us: QEMU finds its descriptor in a set. */
static void add_fdset(struct builder *b, const struct port_spec *port, const struct nic_spec *nic,
		      struct card_way *way)
{
	json_object *action =
		builder_begin(b, "add-fd", "the vdpa device is opened before QEMU starts");
	char opaque[2 * sizeof(port->backend.dev)];

	way->fdset = b->fdsets++;
	card_double_commas(port->backend.dev, opaque, sizeof(opaque));
	json_object_object_add(action, "nic", json_object_new_string(nic->id));
	builder_word(b, "-add-fd");
	if (way->fds->tap[0] >= 0)
		builder_word(b, "set=%u,fd=%d,opaque=%s", way->fdset, way->fds->tap[0], opaque);
	else
		builder_word(b, "set=%u,fd=<fd>,opaque=%s", way->fdset, opaque);
	builder_end(b);
}

/* What our side of the card's frames listens on, if it has a part in it. */
static int add_our_socket(struct builder *b, const struct nic_spec *nic, char path[256],
			  struct card_way *way, struct error *err)
{
	bool stream = nic->netdev == NETDEV_STREAM;

	if (!stream && nic->netdev != NETDEV_VHOST_USER)
		return 0;
	int rc = socket_of(b, nic, path, err);
	if (rc < 0)
		return rc;
	add_listen(b, nic->id, path,
		   stream ? "the frames of QEMU's card come here"
			  : "QEMU's virtio card finds its backend here");
	way->socket = path;
	return 0;
}

static int add_own(struct builder *b, const struct port_spec *port, const struct nic_spec *nic,
		   struct error *err)
{
	struct card_way way = { .program = b->setup->program, .fds = find_fds(b->setup, nic->id) };
	struct card_place at;
	char path[256];

	way.no_msix = qemu_msix_kills(way.program, b->line, port, nic, way.fds->vhosts > 0);

	if (!card_device_name(nic))
		return error_set(err, -ENOTSUP, "%s: QEMU has no such card", nic->model);
	int rc = add_our_socket(b, nic, path, &way, err);
	if (rc < 0)
		return rc;
	if (nic->netdev == NETDEV_QEMU && strcmp(port->backend.type, "vdpa") == 0)
		add_fdset(b, port, nic, &way);
	if (card_has_chardev(nic, &port->backend))
		add_chardev(b, port, nic, &way);
	if (card_has_netdev(nic))
		add_netdev(b, port, nic, &way);
	/* a card of USB is where its controller has room */
	if (strncmp(card_device_name(nic), "usb-", 4) == 0) {
		add_device(b, card_device_json(port, nic, &way, NULL, NULL));
		return 0;
	}
	rc = find_place(b, nic, &at, err);
	if (rc < 0)
		return rc;
	json_object *device = card_device_json(port, nic, &way, at.bus, at.addr);
	if (nic_is_plugged_later(nic))
		plug_later(b, nic, device);
	else
		add_device(b, device);
	return 0;
}

int builder_card(struct builder *b, const struct port_spec *port, const struct nic_spec *nic,
		 struct error *err)
{
	return nic->netdev == NETDEV_NONE ? add_hosted(b, nic, err) : add_own(b, port, nic, err);
}
