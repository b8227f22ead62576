#include "qemu/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/open.h"

/* Before it QEMU has no -netdev stream, and reads no JSON after -netdev. */
#define NETDEV_MAJOR 7
#define NETDEV_MINOR 2

static const struct qemu_card cards[] = {
	{ "rtl8139", "rtl8139", 0 },
	{ "e1000", "e1000", 0 },
	{ "e1000-82545em", "e1000-82545em", 0 },
	{ "e1000-82544gc", "e1000-82544gc", 0 },
	{ "e1000e", "e1000e", 0 },
	{ "igb", "igb", 8 },
	{ "virtio-net", "virtio-net-pci", 0 },
};

const struct qemu_card *qemu_card_find(const char *model)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cards); i++)
		if (strcmp(cards[i].model, model) == 0)
			return &cards[i];
	return NULL;
}

const char *qemu_model_of(const char *device)
{
	/* with and without the interface of before virtio 1.0 */
	if (strncmp(device, "virtio-net-pci-", 15) == 0)
		return "virtio-net";
	for (unsigned i = 0; i < ARRAY_SIZE(cards); i++)
		if (strcmp(cards[i].device, device) == 0)
			return cards[i].model;
	return NULL;
}

static int check_card(const struct nic_spec *nic, const struct qemu_program *program,
		      struct error *err)
{
	const struct qemu_card *card = qemu_card_find(nic->model);

	if (!card)
		return error_set(err, -ENOTSUP,
				 "%s: no QEMU has this card, so it cannot be place=qemu; use "
				 "another card, or QEMU %d.%d or newer "
				 "with place=hosted",
				 nic->model, QEMU_VFIO_USER_MAJOR, QEMU_VFIO_USER_MINOR);
	if (program && qemu_is_older(program, card->since, 0))
		return error_set(err, -ENOTSUP,
				 "%s: QEMU has this card from %u.0 on, and this is %u.%u; use "
				 "another card or a newer QEMU",
				 nic->model, card->since, program->major, program->minor);
	if (nic->rev >= 0)
		return error_set(err, -EINVAL,
				 "rev= cannot be had with place=qemu: QEMU's %s has the revision "
				 "that it has",
				 nic->model);
	return 0;
}

static bool wants_vhost_user(const struct port_spec *port)
{
	for (unsigned i = 0; i < port->nics; i++)
		if (port->nic[i].transport == TRANSPORT_VHOST_USER)
			return true;
	return false;
}

/* A bridge takes any number of taps, so each card of QEMU's gets its own. One tap, and one macvtap, is one card's. */
static enum nic_netdev netdev_of(const struct port_spec *port)
{
	enum backend_taps taps = host_backend_taps(&port->backend);

	if (wants_vhost_user(port))
		return NETDEV_STREAM; /* the other card's frames meet those of ours in the datapath */
	return taps == TAPS_ANY || (taps == TAPS_ONE && port->nics == 1) ? NETDEV_TAP
									 : NETDEV_STREAM;
}

static int place_in_qemu(struct port_spec *port, const struct qemu_program *program,
			 struct error *err)
{
	enum nic_netdev netdev = netdev_of(port);

	for (unsigned i = 0; i < port->nics; i++) {
		struct nic_spec *nic = &port->nic[i];

		if (nic->transport == TRANSPORT_VHOST_USER) { /* needs no vfio-user-pci */
			nic->place = PLACE_HOSTED;
			nic->netdev = NETDEV_VHOST_USER;
			continue;
		}
		int rc = check_card(nic, program, err);

		if (rc < 0)
			return rc;
		nic->place = PLACE_QEMU;
		nic->netdev = netdev;
	}
	return 0;
}

static bool needs_vfio_user(const struct port_spec *port)
{
	for (unsigned i = 0; i < port->nics; i++)
		if (port->nic[i].transport == TRANSPORT_VFIO_USER)
			return true;
	return false;
}

/* --- teams -------------------------------------------------------------------------------------------------------- */

/* QEMU hides its transient card until the guest's driver of QEMU's own virtio card asks for it, and takes it out before a migration. It
 * pairs with no other virtio card: ours gets a transient card that is there from the start, whose link stays down until ours has
 * heard the guest say that it pairs.
 */
static int place_persistent(struct port_spec *port, bool hosted, const struct qemu_program *program,
			    struct error *err)
{
	struct nic_spec *nic = &port->nic[0];

	nic->place = PLACE_HOSTED;
	if (nic->transport == TRANSPORT_VHOST_USER) {
		nic->netdev = NETDEV_VHOST_USER;
		return 0;
	}
	nic->netdev = NETDEV_NONE;
	if (hosted)
		return 0;
	nic->place = PLACE_QEMU;
	/* the frames of both cards meet in the datapath, but for a function of this host, which has its own way */
	nic->netdev = NETDEV_STREAM;
	if (port->nic[1].netdev == NETDEV_HOSTDEV && host_backend_taps(&port->backend) != TAPS_NONE)
		nic->netdev = NETDEV_TAP;
	else if (port->plain && qemu_netdev_exists(port->backend.type))
		nic->netdev = NETDEV_QEMU;
	return nic->options.device[0] ? 0 : check_card(nic, program, err);
}

/* QEMU takes no card for a transient one whose header says that it has several functions, as its igb's does for the sake of VFs; ours
 * has one. It prints a warning when the guest asks for the card, and removes it. */
static int check_qemus_transient(const struct nic_spec *nic, const struct qemu_program *program,
				 struct error *err)
{
	if (strcmp(nic->model, "igb") == 0)
		return error_set(err, -ENOTSUP,
				 "transient=igb: QEMU refuses its own igb here, which may have "
				 "several functions; use transient=e1000e, or place=hosted");
	return check_card(nic, program, err);
}

static int place_transient(struct port_spec *port, bool hosted, const struct qemu_program *program,
			   struct error *err)
{
	struct nic_spec *nic = &port->nic[1];

	if (strcmp(nic->model, "hostdev") == 0) {
		nic->place = PLACE_QEMU;
		nic->netdev = NETDEV_HOSTDEV;
		return 0;
	}
	nic->place = hosted ? PLACE_HOSTED : PLACE_QEMU;
	nic->netdev = hosted ? NETDEV_NONE : NETDEV_STREAM;
	return hosted ? 0 : check_qemus_transient(nic, program, err);
}

static int place_team(struct port_spec *port, const struct qemu_program *program,
		      char why[PLACE_WHY], struct error *err)
{
	enum nic_place wish = port->nic[0].place;
	bool hostdev = strcmp(port->nic[1].model, "hostdev") == 0;
	bool lacks = program && !program->vfio_user;

	if (lacks && wish == PLACE_HOSTED)
		return qemu_require_vfio_user(program, err);
	if (hostdev && wish == PLACE_HOSTED)
		return error_set(err, -ENOTSUP,
				 "place=hosted and transient=hostdev exclude each other: QEMU "
				 "pairs its own virtio card only; leave out place=");
	if (lacks && wish == PLACE_AUTO && !hostdev)
		snprintf(why, PLACE_WHY, "place=qemu, since QEMU %u.%u has no vfio-user-pci",
			 program->major, program->minor);
	int rc = place_transient(port, !lacks && wish != PLACE_QEMU, program, err);
	if (rc == 0)
		rc = place_persistent(port, wish == PLACE_HOSTED, program, err);
	if (port->nic[0].netdev == NETDEV_NONE)
		port->nic[1].pair[0] = '\0';
	return rc;
}

/* A card and a netdev as libvirt would have them; what it starts itself for passt, we do, and QEMU connects to us. */
static int place_plain(struct port_spec *port, const struct qemu_program *program,
		       struct error *err)
{
	struct nic_spec *nic = &port->nic[0];

	nic->place = PLACE_QEMU;
	if (qemu_netdev_exists(port->backend.type))
		nic->netdev = NETDEV_QEMU;
	else if (host_backend_taps(&port->backend) != TAPS_NONE)
		nic->netdev = NETDEV_TAP;
	else
		nic->netdev = NETDEV_STREAM;
	return nic->options.device[0] ? 0 : check_card(nic, program, err);
}

/* A function of this host is the guest's: nobody serves it, and --place says nothing of it. */
static void place_hostdev(struct nic_spec *nic)
{
	nic->place = PLACE_QEMU;
	nic->netdev = NETDEV_HOSTDEV;
}

static int refuse_hosted(const struct port_spec *port, struct error *err)
{
	return error_set(err, -ENOTSUP,
			 "%s: frames of type %s are between QEMU and another program, so its card "
			 "cannot be place=hosted; leave out the place",
			 port->nic[0].id, port->backend.type);
}

static int place_port(struct port_spec *port, const struct qemu_program *program,
		      char why[PLACE_WHY], struct error *err)
{
	bool lacks = program && !program->vfio_user && needs_vfio_user(port);
	enum nic_place wish = port->nic[0].place;

	why[0] = '\0';
	if (port->policy == POLICY_TEAM)
		return place_team(port, program, why, err);
	if (port->nics == 1 && strcmp(port->nic[0].model, "hostdev") == 0) {
		place_hostdev(&port->nic[0]);
		return 0;
	}
	if (qemu_netdev_is_xml_only(port->backend.type) && wish == PLACE_HOSTED)
		return refuse_hosted(port, err);
	if (port->plain && port->nics == 1 && wish != PLACE_HOSTED)
		return place_plain(port, program, err);
	if (wish == PLACE_QEMU)
		return place_in_qemu(port, program, err);
	if (lacks && wish == PLACE_HOSTED)
		return qemu_require_vfio_user(program, err);
	if (lacks) {
		snprintf(why, PLACE_WHY, "place=qemu, since QEMU %u.%u has no vfio-user-pci%s",
			 program->major, program->minor,
			 wants_vhost_user(port) ? "; the card with transport=vhost-user needs none"
						: "");
		return place_in_qemu(port, program, err);
	}
	for (unsigned i = 0; i < port->nics; i++) {
		struct nic_spec *nic = &port->nic[i];

		nic->place = PLACE_HOSTED;
		nic->netdev =
			nic->transport == TRANSPORT_VHOST_USER ? NETDEV_VHOST_USER : NETDEV_NONE;
	}
	return 0;
}

/* What is written after -netdev is JSON, which older ones do not read. */
static int check_netdevs(const struct port_spec *port, const struct qemu_program *program,
			 struct error *err)
{
	for (unsigned i = 0; i < port->nics; i++) {
		const struct nic_spec *nic = &port->nic[i];

		if (program && nic->netdev != NETDEV_NONE && nic->netdev != NETDEV_HOSTDEV &&
		    qemu_is_older(program, NETDEV_MAJOR, NETDEV_MINOR))
			return error_set(
				err, -ENOTSUP,
				"%s: a card of QEMU's own needs QEMU %d.%d or newer (-netdev in "
				"JSON), and this is %u.%u; use a newer QEMU",
				nic->id[0] ? nic->id : nic->model, NETDEV_MAJOR, NETDEV_MINOR,
				program->major, program->minor);
	}
	return 0;
}

int qemu_place_port(struct port_spec *port, const struct qemu_program *program, char why[PLACE_WHY],
		    struct error *err)
{
	int rc = place_port(port, program, why, err);

	return rc == 0 ? check_netdevs(port, program, err) : rc;
}
