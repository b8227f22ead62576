#include "qemu/card_json.h"

#include <stdio.h>
#include <string.h>

#include "config/card_options.h"
#include "qemu/place.h"

#define PASST_RECONNECT_S 5 /* libvirt's */

static void add_text(json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void add_number(json_object *o, const char *key, int64_t number)
{
	json_object_object_add(o, key, json_object_new_int64(number));
}

static void add_true(json_object *o, const char *key)
{
	json_object_object_add(o, key, json_object_new_boolean(true));
}

void card_netdev_id(char id[CARD_ID_ROOM], const struct nic_spec *nic)
{
	snprintf(id, CARD_ID_ROOM, "host%s", nic->id);
}

void card_chardev_id(char id[CARD_ID_ROOM], const struct nic_spec *nic)
{
	snprintf(id, CARD_ID_ROOM, "char%s", nic->id);
}

void card_fd_name(char name[CARD_ID_ROOM + 16], const struct nic_spec *nic, bool vhost, unsigned i)
{
	snprintf(name, CARD_ID_ROOM + 16, "%sfd-%s-%u", vhost ? "vhost" : "", nic->id, i);
}

bool card_has_netdev(const struct nic_spec *nic)
{
	return nic->netdev != NETDEV_NONE && nic->netdev != NETDEV_HOSTDEV;
}

static bool is_foreign_vhost_user(const struct nic_spec *nic, const struct backend_spec *backend)
{
	return nic->netdev == NETDEV_QEMU && strcmp(backend->type, "vhostuser") == 0;
}

bool card_has_chardev(const struct nic_spec *nic, const struct backend_spec *backend)
{
	return nic->netdev == NETDEV_VHOST_USER || is_foreign_vhost_user(nic, backend);
}

/* From 9.2 on QEMU counts milliseconds, and warns of the older word. */
static bool counts_milliseconds(const struct qemu_program *program)
{
	return !program || !qemu_is_older(program, 9, 2);
}

/* --- netdevs ------------------------------------------------------------------------------------------------------ */

/* One descriptor as "fd", several as "fds": QEMU's own words for them. Of a plan only their number is known. */
static void add_descriptors(json_object *netdev, const struct nic_spec *nic, bool vhost,
			    const struct card_way *way)
{
	char text[(CARD_ID_ROOM + 17) * QUEUES_MAX] = "", name[CARD_ID_ROOM + 16], key[16];
	const int *fds = vhost ? way->fds->vhost : way->fds->tap;
	unsigned count = vhost ? way->fds->vhosts : way->fds->taps;

	for (unsigned i = 0; i < count && i < QUEUES_MAX; i++) {
		size_t at = strlen(text);

		if (way->named)
			card_fd_name(name, nic, vhost, i);
		else if (fds[i] < 0)
			str_copy(name, sizeof(name), "<fd>");
		else
			snprintf(name, sizeof(name), "%d", fds[i]);
		snprintf(text + at, sizeof(text) - at, "%s%s", i ? ":" : "", name);
	}
	snprintf(key, sizeof(key), "%sfd%s", vhost ? "vhost" : "", count > 1 ? "s" : "");
	add_text(netdev, key, text);
}

static void add_tap(json_object *netdev, const struct port_spec *port, const struct nic_spec *nic,
		    const struct card_way *way)
{
	add_text(netdev, "type", "tap");
	add_descriptors(netdev, nic, false, way);
	if (way->fds->vhosts) {
		add_true(netdev, "vhost");
		add_descriptors(netdev, nic, true, way);
	}
	if (port->backend.sndbuf_given)
		add_number(netdev, "sndbuf", port->backend.sndbuf);
}

static json_object *unix_address(const char *path)
{
	json_object *address = json_object_new_object();

	add_text(address, "type", "unix");
	add_text(address, "path", path);
	return address;
}

/* QEMU's stream can reconnect since 8.0. What libvirt asks of it for passt is asked here too; of what --nic made nothing. */
static void add_stream(json_object *netdev, const struct port_spec *port,
		       const struct card_way *way)
{
	add_text(netdev, "type", "stream");
	json_object_object_add(netdev, "addr", unix_address(way->socket ? way->socket : ""));
	json_object_object_add(netdev, "server", json_object_new_boolean(false));
	if (!port->plain || (way->program && qemu_is_older(way->program, 8, 0)))
		return;
	if (counts_milliseconds(way->program))
		add_number(netdev, "reconnect-ms", (int64_t)PASST_RECONNECT_S * 1000);
	else
		add_number(netdev, "reconnect", PASST_RECONNECT_S);
}

static void add_vhost_user(json_object *netdev, const struct nic_spec *nic)
{
	char id[CARD_ID_ROOM];

	card_chardev_id(id, nic);
	add_text(netdev, "type", "vhost-user");
	add_text(netdev, "chardev", id);
	if (nic->queues > 1)
		add_number(netdev, "queues", nic->queues);
}

static void add_user(json_object *netdev, const struct port_spec *port, const struct nic_spec *nic,
		     const struct card_way *way)
{
	char prefix[sizeof(port->backend.net6)];
	uint64_t length;

	(void)nic;
	(void)way;
	add_text(netdev, "type", "user");
	if (port->backend.net[0])
		add_text(netdev, "net", port->backend.net);
	if (!port->backend.net6[0])
		return;
	str_copy(prefix, sizeof(prefix), port->backend.net6);
	char *slash = strchr(prefix, '/');
	if (slash)
		*slash++ = '\0';
	add_text(netdev, "ipv6-prefix", prefix);
	if (slash && parse_u64(slash, 1, 128, &length) == 0)
		add_number(netdev, "ipv6-prefixlen", (int64_t)length);
}

static void add_internal(json_object *netdev, const struct port_spec *port,
			 const struct nic_spec *nic, const struct card_way *way)
{
	(void)port;
	(void)nic;
	(void)way;
	add_text(netdev, "type", "user"); /* libvirt's choice for what QEMU has not */
}

static void add_foreign_vhost_user(json_object *netdev, const struct port_spec *port,
				   const struct nic_spec *nic, const struct card_way *way)
{
	(void)port;
	(void)way;
	add_vhost_user(netdev, nic);
}

static void add_vdpa(json_object *netdev, const struct port_spec *port, const struct nic_spec *nic,
		     const struct card_way *way)
{
	char set[32];

	(void)port;
	snprintf(set, sizeof(set), "/dev/fdset/%u", way->fdset);
	add_text(netdev, "type", "vhost-vdpa");
	add_text(netdev, "vhostdev", set);
	if (nic->queues > 1)
		add_number(netdev, "queues", nic->queues);
}

static void add_endpoint(json_object *netdev, const char *key, const char *address, uint16_t port)
{
	char text[96];

	snprintf(text, sizeof(text), "%s:%u", address, port);
	add_text(netdev, key, text);
}

/* What libvirt calls server, client, mcast and udp are ways of one netdev. */
static void add_socket(json_object *netdev, const struct port_spec *port,
		       const struct nic_spec *nic, const struct card_way *way)
{
	static const char *const ways[][2] = { { "server", "listen" },
					       { "client", "connect" },
					       { "mcast", "mcast" } };
	const struct backend_spec *b = &port->backend;
	const char *key = "udp";

	(void)nic;
	(void)way;
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++)
		if (strcmp(ways[i][0], b->type) == 0)
			key = ways[i][1];
	add_text(netdev, "type", "socket");
	add_endpoint(netdev, key, b->address, b->port);
	if (strcmp(b->type, "udp") == 0)
		add_endpoint(netdev, "localaddr", b->local_address, b->local_port);
}

/* Netdevs of QEMU's, by type of backend. */
static const struct own_netdev {
	const char *type;
	void (*add)(json_object *netdev, const struct port_spec *port, const struct nic_spec *nic,
		    const struct card_way *way);
} own_netdevs[] = {
	{ "user", add_user },	  { "vhostuser", add_foreign_vhost_user },
	{ "vdpa", add_vdpa },	  { "server", add_socket },
	{ "client", add_socket }, { "mcast", add_socket },
	{ "udp", add_socket },	  { "internal", add_internal },
};

bool qemu_netdev_exists(const char *backend)
{
	for (unsigned i = 0; i < ARRAY_SIZE(own_netdevs); i++)
		if (strcmp(own_netdevs[i].type, backend) == 0)
			return true;
	return false;
}

bool qemu_netdev_is_xml_only(const char *backend)
{
	return qemu_netdev_exists(backend) && strcmp(backend, "user") != 0;
}

static void add_own_netdev(json_object *netdev, const struct port_spec *port,
			   const struct nic_spec *nic, const struct card_way *way)
{
	for (unsigned i = 0; i < ARRAY_SIZE(own_netdevs); i++)
		if (strcmp(own_netdevs[i].type, port->backend.type) == 0)
			own_netdevs[i].add(netdev, port, nic, way);
}

json_object *card_netdev_json(const struct port_spec *port, const struct nic_spec *nic,
			      const struct card_way *way)
{
	json_object *netdev = json_object_new_object();
	char id[CARD_ID_ROOM];

	if (nic->netdev == NETDEV_TAP)
		add_tap(netdev, port, nic, way);
	else if (nic->netdev == NETDEV_STREAM)
		add_stream(netdev, port, way);
	else if (nic->netdev == NETDEV_VHOST_USER)
		add_vhost_user(netdev, nic);
	else
		add_own_netdev(netdev, port, nic, way);
	card_netdev_id(id, nic);
	add_text(netdev, "id", id);
	return netdev;
}

/* --- chardevs: the socket of a vhost-user backend, ours or somebody's ----------------------------------------------- */

/* The path that QEMU is told; `server`: QEMU listens there. `again`: seconds after which it tries once more; 0 = never, -1 = not said. */
static const char *chardev_path(const struct port_spec *port, const struct nic_spec *nic,
				const struct card_way *way, bool *server, int *again)
{
	bool foreign = is_foreign_vhost_user(nic, &port->backend);
	bool said = port->backend.reconnect_s || port->backend.reconnect;

	*server = foreign && strcmp(port->backend.mode, "server") == 0;
	if (foreign)
		*again = said ? (int)port->backend.reconnect_s : -1;
	else
		*again = port->plain ? PASST_RECONNECT_S : 1;
	return foreign ? port->backend.path : way->socket ? way->socket : "";
}

void card_double_commas(const char *from, char *to, size_t size)
{
	size_t at = 0;

	for (; *from && at + 2 < size; from++) {
		if (*from == ',')
			to[at++] = ',';
		to[at++] = *from;
	}
	to[at] = '\0';
}

void card_chardev_option(const struct port_spec *port, const struct nic_spec *nic,
			 const struct card_way *way, char *to, size_t size)
{
	char id[CARD_ID_ROOM], escaped[2 * PATH_ROOM], text[32] = "";
	bool ms = counts_milliseconds(way->program), server;
	int again;
	const char *path = chardev_path(port, nic, way, &server, &again);

	card_chardev_id(id, nic);
	card_double_commas(path, escaped, sizeof(escaped));
	if (again >= 0)
		snprintf(text, sizeof(text), ",reconnect%s=%d", ms ? "-ms" : "",
			 again * (ms ? 1000 : 1));
	(void)snprintf(to, size, "socket,id=%s,path=%s%s%s", id, escaped,
		       server ? ",server=on" : "", text);
}

json_object *card_chardev_json(const struct port_spec *port, const struct nic_spec *nic,
			       const struct card_way *way)
{
	json_object *o = json_object_new_object(), *backend = json_object_new_object(),
		    *data = json_object_new_object(), *addr = json_object_new_object(),
		    *place = json_object_new_object();
	char id[CARD_ID_ROOM];
	bool server;
	int again;

	add_text(place, "path", chardev_path(port, nic, way, &server, &again));
	add_text(addr, "type", "unix");
	json_object_object_add(addr, "data", place);
	json_object_object_add(data, "addr", addr);
	json_object_object_add(data, "server", json_object_new_boolean(server));
	if (server) /* the monitor cannot wait for who connects */
		json_object_object_add(data, "wait", json_object_new_boolean(false));
	if (again > 0 && counts_milliseconds(way->program))
		add_number(data, "reconnect-ms", (int64_t)again * 1000);
	else if (again > 0)
		add_number(data, "reconnect", again);
	add_text(backend, "type", "socket");
	json_object_object_add(backend, "data", data);
	card_chardev_id(id, nic);
	add_text(o, "id", id);
	json_object_object_add(o, "backend", backend);
	return o;
}

/* --- devices -------------------------------------------------------------------------------------------------------- */

const char *card_device_name(const struct nic_spec *nic)
{
	const struct qemu_card *card = qemu_card_find(nic->model);

	if (nic->netdev == NETDEV_HOSTDEV)
		return "vfio-pci";
	if (nic->options.device[0])
		return nic->options.device;
	return card ? card->device : NULL;
}

static bool is_virtio(const char *device)
{
	return strncmp(device, "virtio-net", strlen("virtio-net")) == 0;
}

static void add_option(json_object *device, const struct card_option *row,
		       const struct card_options *o)
{
	uint32_t number = card_option_number(row, o);

	switch (row->kind) {
	case CARD_ON_OFF:
	case CARD_YES_NO:
		if (strcmp(row->property, "rombar") == 0) /* a number for QEMU */
			add_number(device, row->property, number);
		else
			json_object_object_add(device, row->property,
					       json_object_new_boolean(number != 0));
		break;
	case CARD_TXMODE:
		add_text(device, row->property, number == TXMODE_TIMER ? "timer" : "bh");
		break;
	case CARD_TEXT:
		add_text(device, row->property, card_option_string(row, o));
		break;
	default:
		add_number(device, row->property, number);
	}
}

/* The rows of virtio, or the others. */
static void add_options(json_object *device, const struct nic_spec *nic, bool virtio)
{
	for (unsigned i = 0; i < card_option_count; i++) {
		const struct card_option *row = &card_options[i];

		if (row->property && row->virtio == virtio &&
		    card_option_is_set(row, &nic->options))
			add_option(device, row, &nic->options);
	}
}

static void add_virtio(json_object *device, const struct nic_spec *nic, const struct card_way *way)
{
	add_options(device, nic, true);
	if (nic->packed && nic->options.packed == TRISTATE_DEFAULT)
		add_true(device, "packed");
	if (nic->queues > 1)
		add_true(device, "mq");
	/* one for each ring, configuration changes and the control queue */
	if (way->no_msix)
		add_number(device, "vectors", 0);
	else if (nic->queues > 1)
		add_number(device, "vectors", 2 * nic->queues + 2);
	if (nic->mtu)
		add_number(device, "host_mtu", nic->mtu);
	if (nic->standby)
		add_true(device, "failover");
}

/* The transient card of a team gets no ROM, but where libvirt gives it one: the other end of a migration has no such card yet, and no
 * room for its ROM. */
static void add_rom(json_object *device, const struct port_spec *port, const struct nic_spec *nic)
{
	bool none = nic->options.rom == TRISTATE_OFF || (nic->pair[0] && !port->plain);

	if (none)
		add_text(device, "romfile", "");
	else if (nic->romfile[0])
		add_text(device, "romfile", nic->romfile);
}

json_object *card_device_json(const struct port_spec *port, const struct nic_spec *nic,
			      const struct card_way *way, const char *bus, const char *addr)
{
	json_object *device = json_object_new_object();
	const char *name = card_device_name(nic);
	char id[CARD_ID_ROOM], mac[MAC_TEXT];

	add_text(device, "driver", name ? name : nic->model);
	if (name && is_virtio(name))
		add_virtio(device, nic, way);
	if (card_has_netdev(nic)) {
		card_netdev_id(id, nic);
		add_text(device, "netdev", id);
	}
	if (nic->netdev == NETDEV_HOSTDEV)
		add_text(device, "host", nic->host_pci);
	add_text(device, "id", nic->id);
	if (card_has_netdev(nic))
		add_text(device, "mac", mac_format(nic->mac, mac));
	if (nic->bootindex >= 0)
		add_number(device, "bootindex", nic->bootindex);
	if (nic->pair[0])
		add_text(device, "failover_pair_id", nic->pair);
	if (bus)
		add_text(device, "bus", bus);
	if (addr && addr[0])
		add_text(device, "addr", addr);
	add_options(device, nic, false);
	add_rom(device, port, nic);
	return device;
}

json_object *card_hosted_json(const struct nic_spec *nic, const char *socket, const char *bus,
			      const char *addr)
{
	json_object *device = json_object_new_object();

	add_text(device, "driver", "vfio-user-pci");
	add_text(device, "id", nic->id);
	if (bus)
		add_text(device, "bus", bus);
	if (addr && addr[0])
		add_text(device, "addr", addr);
	json_object_object_add(device, "socket", unix_address(socket));
	if (nic->pair[0])
		add_text(device, "failover_pair_id", nic->pair);
	if (nic->bootindex >= 0)
		add_number(device, "bootindex", nic->bootindex);
	return device;
}
