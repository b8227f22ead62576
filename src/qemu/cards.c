/* The cards on QEMU's line: a root port each where the machine has PCI Express, then the device. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "qemu/builder.h"

#define UNIX_PATH_LONGEST 107
#define FIRST_CHASSIS	  128 /* people number theirs from 1 */

bool qemu_socket_path(char *to, size_t size, const char *socket_dir, const char *nic)
{
	int len = snprintf(to, size, "%s/%s.sock", socket_dir, nic);

	return len > 0 && (size_t)len < size && len <= UNIX_PATH_LONGEST;
}

static void add_device_words(struct builder *b, json_object *device)
{
	builder_word(b, "-device");
	builder_word(b, "%s",
		     json_object_to_json_string_ext(
			     device, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
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
	add_device_words(b, device);
	builder_end(b);
	json_object_object_add(action, "device", device);
}

int builder_card(struct builder *b, const struct nic_spec *nic, struct error *err)
{
	char path[256], bus[24];

	if (!qemu_socket_path(path, sizeof(path), b->setup->socket_dir, nic->id))
		return error_set(err, -ENAMETOOLONG,
				 "socket path %s/%s.sock is longer than %d bytes; choose a shorter "
				 "--name or id=",
				 b->setup->socket_dir, nic->id, UNIX_PATH_LONGEST);

	json_object *listen = builder_begin(b, "listen", "QEMU connects to the card here");
	builder_end(b);
	json_object_object_del(listen, "arguments");
	json_object_object_add(listen, "nic", json_object_new_string(nic->id));
	json_object_object_add(listen, "path", json_object_new_string(path));

	if (b->bus == QEMU_BUS_PCIE)
		add_root_port(b, nic->id, bus, sizeof(bus));
	else
		str_copy(bus, sizeof(bus), "pci.0");

	json_object *device = json_object_new_object(), *socket = json_object_new_object();
	json_object_object_add(device, "driver", json_object_new_string("vfio-user-pci"));
	json_object_object_add(device, "id", json_object_new_string(nic->id));
	json_object_object_add(device, "bus", json_object_new_string(bus));
	if (b->bus == QEMU_BUS_PCIE)
		json_object_object_add(device, "addr", json_object_new_string("0x0"));
	json_object_object_add(socket, "type", json_object_new_string("unix"));
	json_object_object_add(socket, "path", json_object_new_string(path));
	json_object_object_add(device, "socket", socket);
	if (nic->bootindex >= 0)
		json_object_object_add(device, "bootindex", json_object_new_int(nic->bootindex));
	add_device_words(b, device);
	json_object_array_add(b->out->devices, device);
	return 0;
}
