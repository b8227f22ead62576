/* The cards on QEMU's line: a root port each where the machine has PCI Express, then the device. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "qemu/builder.h"
#include "qemu/place.h"

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

/* Every card gets a root port of its own, also those that are no PCI Express cards (rtl8139): Linux binds them there, INTx arrives, and hot
 * plug and unplug work, which they do not on pcie.0 itself. Tried with Linux 6.1 on QEMU 11.1.
 */
static void add_root_port(struct builder *b, const char *nic, char *id, size_t size)
{
	json_object *device = json_object_new_object();

	snprintf(id, size, "anynic-rp-%u", b->root_ports++);
	json_object_object_add(device, "driver", json_object_new_string("pcie-root-port"));
	json_object_object_add(device, "id", json_object_new_string(id));
	json_object_object_add(device, "bus", json_object_new_string("pcie.0"));
	json_object_object_add(device, "chassis", json_object_new_int(next_chassis(b)));
	json_object *action = builder_begin(
		b, "root-port", "a card behind a root port can be plugged and unplugged");
	json_object_object_add(action, "nic", json_object_new_string(nic));
	add_words(b, "-device", device);
	builder_end(b);
	json_object_object_add(action, "device", device);
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

static json_object *unix_address(const char *path)
{
	json_object *address = json_object_new_object();

	json_object_object_add(address, "type", json_object_new_string("unix"));
	json_object_object_add(address, "path", json_object_new_string(path));
	return address;
}

/* What every card has, whoever serves it: its place on the bus. */
static json_object *new_card(struct builder *b, const struct nic_spec *nic, const char *driver)
{
	json_object *device = json_object_new_object();
	char bus[24];

	if (b->bus == QEMU_BUS_PCIE)
		add_root_port(b, nic->id, bus, sizeof(bus));
	else
		str_copy(bus, sizeof(bus), "pci.0");
	json_object_object_add(device, "driver", json_object_new_string(driver));
	json_object_object_add(device, "id", json_object_new_string(nic->id));
	json_object_object_add(device, "bus", json_object_new_string(bus));
	if (b->bus == QEMU_BUS_PCIE)
		json_object_object_add(device, "addr", json_object_new_string("0x0"));
	return device;
}

static void add_card(struct builder *b, const struct nic_spec *nic, json_object *device)
{
	if (nic->pair[0])
		json_object_object_add(device, "failover_pair_id",
				       json_object_new_string(nic->pair));
	if (nic->bootindex >= 0)
		json_object_object_add(device, "bootindex", json_object_new_int(nic->bootindex));
	add_words(b, "-device", device);
	json_object_array_add(b->out->devices, device);
}

static int add_hosted(struct builder *b, const struct nic_spec *nic, struct error *err)
{
	char path[256];
	int rc = socket_of(b, nic, path, err);

	if (rc < 0)
		return rc;
	add_listen(b, nic->id, path, "QEMU connects to the card here");
	json_object *device = new_card(b, nic, "vfio-user-pci");
	json_object_object_add(device, "socket", unix_address(path));
	add_card(b, nic, device);
	return 0;
}

/* --- a card of QEMU's own --------------------------------------------------------------------------------------- */

static void netdev_id(char id[ID_MAX + 8], const struct nic_spec *nic)
{
	snprintf(id, ID_MAX + 8, "host%s", nic->id); /* as libvirt names them */
}

static void add_netdev(struct builder *b, json_object *netdev, const char *nic, const char *why)
{
	json_object *action = builder_begin(b, "netdev", why);

	json_object_object_add(action, "nic", json_object_new_string(nic));
	add_words(b, "-netdev", netdev);
	builder_end(b);
	json_object_array_add(b->out->netdevs, netdev);
}

/* One descriptor as "fd", several as "fds": QEMU's own words for them. Of a plan only their number is known. */
static void add_descriptors(json_object *netdev, const char *one, const int *fds, unsigned count)
{
	char text[16 * QUEUES_MAX] = "", several[16];

	for (unsigned i = 0; i < count; i++) {
		size_t at = strlen(text);

		if (fds[i] < 0)
			snprintf(text + at, sizeof(text) - at, "%s<fd>", i ? ":" : "");
		else
			snprintf(text + at, sizeof(text) - at, "%s%d", i ? ":" : "", fds[i]);
	}
	snprintf(several, sizeof(several), "%ss", one);
	json_object_object_add(netdev, count > 1 ? several : one, json_object_new_string(text));
}

static const struct qemu_card_fds *find_fds(const struct qemu_setup *setup, const char *nic)
{
	for (unsigned i = 0; i < setup->cards; i++)
		if (strcmp(setup->card_fds[i].nic, nic) == 0)
			return &setup->card_fds[i];
	return NULL;
}

static void add_tap(struct builder *b, const struct nic_spec *nic, json_object *netdev)
{
	static const struct qemu_card_fds planned = { .tap = { -1 }, .taps = 1 }; /* any number */
	const struct qemu_card_fds *fds = find_fds(b->setup, nic->id);

	if (!fds)
		fds = &planned;
	add_descriptors(netdev, "fd", fds->tap, fds->taps);
	if (!fds->vhosts)
		return;
	json_object_object_add(netdev, "vhost", json_object_new_boolean(true));
	add_descriptors(netdev, "vhostfd", fds->vhost, fds->vhosts);
}

static int add_stream(struct builder *b, const struct nic_spec *nic, json_object *netdev,
		      struct error *err)
{
	char path[256];
	int rc = socket_of(b, nic, path, err);

	if (rc < 0)
		return rc;
	add_listen(b, nic->id, path, "the frames of QEMU's card come here");
	json_object_object_add(netdev, "addr", unix_address(path));
	json_object_object_add(netdev, "server", json_object_new_boolean(false));
	return 0;
}

/* A comma in a value of QEMU's "a=b,c=d". */
static void double_commas(const char *from, char *to, size_t size)
{
	size_t at = 0;

	for (; *from && at + 2 < size; from++) {
		if (*from == ',')
			to[at++] = ',';
		to[at++] = *from;
	}
	to[at] = '\0';
}

/* From 9.2 on QEMU counts milliseconds, and warns of the older word. */
static const char *reconnect_option(const struct qemu_program *program)
{
	bool old = program && (program->major < 9 || (program->major == 9 && program->minor < 2));

	return old ? "reconnect=1" : "reconnect-ms=1000";
}

static int add_vhost_user(struct builder *b, const struct nic_spec *nic, json_object *netdev,
			  struct error *err)
{
	char path[256], escaped[512], id[ID_MAX + 8], option[640];
	int rc = socket_of(b, nic, path, err);

	if (rc < 0)
		return rc;
	add_listen(b, nic->id, path, "QEMU's virtio card finds its backend here");
	snprintf(id, sizeof(id), "char%s", nic->id);
	double_commas(path, escaped, sizeof(escaped));
	json_object *action = builder_begin(b, "chardev", "the socket of the vhost-user backend");
	json_object_object_add(action, "nic", json_object_new_string(nic->id));
	builder_word(b, "-chardev");
	(void)snprintf(option, sizeof(option), "socket,id=%s,path=%s,%s", id, escaped,
		       reconnect_option(b->setup->program));
	builder_word(b, "%s", option);
	builder_end(b);
	json_object_array_add(b->out->chardevs, json_object_new_string(option));
	json_object_object_add(netdev, "chardev", json_object_new_string(id));
	if (nic->queues > 1)
		json_object_object_add(netdev, "queues", json_object_new_int(nic->queues));
	return 0;
}

/* QEMU 7.2 without KVM ends with a fault when rings that another process serves have MSI-X: INTx does there. */
static bool msix_kills(const struct builder *b, const struct nic_spec *nic)
{
	const struct qemu_program *program = b->setup->program;
	const struct qemu_card_fds *fds = find_fds(b->setup, nic->id);
	bool elsewhere = nic->netdev == NETDEV_VHOST_USER || (fds && fds->vhosts);

	return elsewhere && program && program->major < 8 &&
	       !(b->line->kvm && !b->line->other_accelerator);
}

static void add_queues(const struct builder *b, json_object *device, const struct nic_spec *nic)
{
	bool no_msix = msix_kills(b, nic);

	if (no_msix)
		json_object_object_add(device, "vectors", json_object_new_int(0));
	if (nic->packed)
		json_object_object_add(device, "packed", json_object_new_boolean(true));
	if (nic->queues <= 1)
		return;
	json_object_object_add(device, "mq", json_object_new_boolean(true));
	/* one for each ring, configuration changes and the control queue */
	if (!no_msix)
		json_object_object_add(device, "vectors", json_object_new_int(2 * nic->queues + 2));
}

static int add_own(struct builder *b, const struct nic_spec *nic, struct error *err)
{
	const struct qemu_card *card = qemu_card_find(nic->model);
	json_object *netdev = json_object_new_object();
	char id[ID_MAX + 8], mac[MAC_TEXT];
	int rc = 0;

	netdev_id(id, nic);
	json_object_object_add(netdev, "type", json_object_new_string(netdev_names[nic->netdev]));
	json_object_object_add(netdev, "id", json_object_new_string(id));
	if (nic->netdev == NETDEV_STREAM)
		rc = add_stream(b, nic, netdev, err);
	else if (nic->netdev == NETDEV_VHOST_USER)
		rc = add_vhost_user(b, nic, netdev, err);
	else
		add_tap(b, nic, netdev);
	if (rc == 0 && !card)
		rc = error_set(err, -ENOTSUP, "%s: QEMU has no such card", nic->model);
	if (rc < 0) {
		json_object_put(netdev);
		return rc;
	}
	add_netdev(b, netdev, nic->id, "the card is QEMU's own");
	json_object *device = new_card(b, nic, card->device);
	json_object_object_add(device, "netdev", json_object_new_string(id));
	json_object_object_add(device, "mac", json_object_new_string(mac_format(nic->mac, mac)));
	add_queues(b, device, nic);
	if (nic->mtu)
		json_object_object_add(device, "host_mtu", json_object_new_int(nic->mtu));
	if (nic->standby)
		json_object_object_add(device, "failover", json_object_new_boolean(true));
	/* the other end of a migration has no such card yet, and no room for its ROM */
	if (nic->romfile[0] || nic->pair[0])
		json_object_object_add(device, "romfile", json_object_new_string(nic->romfile));
	add_card(b, nic, device);
	return 0;
}

int builder_card(struct builder *b, const struct nic_spec *nic, struct error *err)
{
	return nic->netdev == NETDEV_NONE ? add_hosted(b, nic, err) : add_own(b, nic, err);
}
