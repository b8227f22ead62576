#include "config/team_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_hostdev(const struct nic_spec *nic)
{
	return strcmp(nic->model, "hostdev") == 0;
}

static int check_parts(const struct port_spec *port, struct error *err)
{
	unsigned persistent = 0, transient = 0;

	for (unsigned i = 0; i < port->nics; i++) {
		persistent += port->nic[i].role == ROLE_PERSISTENT;
		transient += port->nic[i].role == ROLE_TRANSIENT;
	}
	if (transient != 1)
		return error_set(err, -EINVAL,
				 "a team has exactly one transient card, and this one has %u",
				 transient);
	if (persistent != 1 || port->nic[0].role != ROLE_PERSISTENT)
		return error_set(err, -EINVAL,
				 "a team has exactly one persistent card, and this one has %u",
				 persistent);
	return 0;
}

static int check_persistent(const struct nic_spec *nic, struct error *err)
{
	if (strcmp(nic->model, "virtio-net") != 0)
		return error_set(err, -EINVAL,
				 "the persistent card of a team is a %s; it must be virtio-net, "
				 "the only card that can tell the guest to pair",
				 nic->model);
	if (nic->pair[0])
		return error_set(err, -EINVAL,
				 "%s is the persistent card of a team and names a partner, %s; "
				 "only the transient card does",
				 nic->id, nic->pair);
	return 0;
}

/* Cards that can be behind virtio: PCI Express, and a card of another kind. */
static void list_transients(const struct known *known, char *to, size_t size)
{
	to[0] = '\0';
	for (unsigned i = 0; i < known->model_count; i++) {
		const struct known_model *m = &known->models[i];
		size_t at = strlen(to);

		if (m->express && strcmp(m->name, "virtio-net") != 0)
			snprintf(to + at, size - at, "%s%s", at ? ", " : "", m->name);
	}
}

static int check_transient(const struct port_spec *port, const struct known *known,
			   struct error *err)
{
	const struct nic_spec *nic = &port->nic[1];
	const struct known_model *model = known_model_find(known, nic->model);
	char list[160];

	list_transients(known, list, sizeof(list));
	if (model && strcmp(nic->model, "virtio-net") == 0)
		return error_set(err, -EINVAL,
				 "transient=virtio-net: the persistent card is one already; "
				 "transient= takes %s",
				 list);
	if (model && !model->express)
		return error_set(err, -EINVAL,
				 "transient=%s: this card is no PCI Express card, and only those "
				 "are plugged while a guest runs; "
				 "transient= takes %s",
				 nic->model, list);
	if (is_hostdev(nic) && !nic->host_dev[0] && !nic->host_pci[0])
		return error_set(err, -EINVAL,
				 "transient=hostdev needs dev=: a device with virtual functions, a "
				 "PCI address, or a network of libvirt's");
	if (nic->pair[0] && strcmp(nic->pair, port->nic[0].id) != 0)
		return error_set(err, -EINVAL,
				 "%s names %s as its persistent card, and that of its team is %s",
				 nic->id, nic->pair, port->nic[0].id);
	if (memcmp(nic->mac, port->nic[0].mac, MAC_LEN) != 0)
		return error_set(err, -EINVAL,
				 "the cards of a team have two MACs; a guest pairs by MAC, so give "
				 "both the same");
	return 0;
}

/* QEMU plugs a card of a team when the guest asks for it: it needs a root port for itself. */
static int check_places(const struct port_spec *port, struct error *err)
{
	const struct card_options *persistent = &port->nic[0].options;
	const struct card_options *transient = &port->nic[1].options;

	if (strcmp(transient->bus, "pcie.0") == 0 || strcmp(transient->bus, "pci.0") == 0)
		return error_set(err, -EINVAL,
				 "%s is on bus %s, where nothing is plugged while the guest runs; "
				 "give it a PCI Express root port of its own",
				 port->nic[1].id, transient->bus);
	if (transient->bus[0] && strcmp(transient->bus, persistent->bus) == 0)
		return error_set(err, -EINVAL,
				 "the cards of a team are both on bus %s; each needs a root port "
				 "of its own",
				 transient->bus);
	if (transient->multifunction == TRISTATE_ON)
		return error_set(err, -EINVAL,
				 "%s is one of several functions of a device; QEMU takes no such "
				 "transient card",
				 port->nic[1].id);
	return 0;
}

int team_check(const struct port_spec *port, const struct known *known, struct error *err)
{
	int rc = check_parts(port, err);

	if (rc == 0)
		rc = check_persistent(&port->nic[0], err);
	if (rc == 0)
		rc = check_transient(port, known, err);
	if (rc == 0)
		rc = check_places(port, err);
	return rc;
}
