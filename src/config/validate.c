#include "config/validate.h"

#include "config/backend_check.h"
#include "config/blame.h"
#include "config/team_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int check_model_name(const char *model, const struct known *known, struct error *err)
{
	const char *names[32];
	char list[160];
	unsigned count = 0;

	if (known_model_find(known, model))
		return 0;
	known_model_names(known, list, sizeof(list));
	for (unsigned i = 0; i < known->model_count && count < ARRAY_SIZE(names) - 2; i++)
		names[count++] = known->models[i].name;
	names[count++] = "auto";
	names[count++] = "team";
	const char *meant = nearest_name(model, names, count);
	return error_set(
		err, -EINVAL,
		"unknown model '%s'%s%s%s; models are %s; auto makes a port with two cards", model,
		meant ? ", did you mean " : "", meant ? meant : "", meant ? "?" : "", list);
}

static int check_role(const struct nic_spec *nic, const struct known_model *model,
		      const struct known *known, struct error *err)
{
	char fitting[160] = "";

	if ((nic->role == ROLE_LEGACY && model->legacy) ||
	    (nic->role == ROLE_PERFORMANT && model->performant) ||
	    (nic->role != ROLE_LEGACY && nic->role != ROLE_PERFORMANT))
		return 0;
	for (unsigned i = 0; i < known->model_count; i++) {
		const struct known_model *m = &known->models[i];
		size_t at = strlen(fitting);

		if (nic->role == ROLE_LEGACY ? m->legacy : m->performant)
			snprintf(fitting + at, sizeof(fitting) - at, "%s%s", at ? ", " : "",
				 m->name);
	}
	return error_set(err, -EINVAL, "%s=%s: this card cannot be the %s one; %s= takes %s",
			 role_names[nic->role], nic->model, role_names[nic->role],
			 role_names[nic->role], fitting);
}

static int check_rev(const struct nic_spec *nic, const struct known_model *model, struct error *err)
{
	char list[64] = "";

	if (nic->rev < 0 || known_model_has_rev(model, nic->rev))
		return 0;
	if (model->rev_zero)
		str_copy(list, sizeof(list), "0");
	for (unsigned i = 0; i < KNOWN_REVS && model->revs[i]; i++) {
		size_t at = strlen(list);

		snprintf(list + at, sizeof(list) - at, "%s0x%02x", at ? ", " : "", model->revs[i]);
	}
	if (list[0] == '\0')
		return error_set(err, -EINVAL, "rev= has no meaning for %s: it has one revision",
				 model->name);
	return error_set(err, -EINVAL, "rev=0x%02x is not legal; rev= of %s takes %s", nic->rev,
			 model->name, list);
}

/* What an administrator says about a virtual function. */
static int check_policy(const struct nic_spec *nic, const struct known_model *model,
			struct error *err)
{
	const char *key = nic->vlan >= 0  ? "vlan"
			  : nic->qos >= 0 ? "qos"
			  : nic->trust	  ? "trust"
			  : nic->spoofchk ? "spoofchk"
					  : NULL;

	if (key && !model->vf_policy)
		return error_set(err, -EINVAL,
				 "%s= has no meaning for %s: only a virtual function has it", key,
				 model->name);
	if (nic->qos >= 0 && nic->vlan <= 0)
		return error_set(err, -EINVAL, "qos= is the priority of a VLAN; it needs vlan=");
	return 0;
}

static int check_card(const struct nic_spec *nic, const struct known_model *model,
		      struct error *err)
{
	if (nic->queues > MAX(model->queues_max, 1))
		return error_set(err, -EINVAL, "queues=%u is too many; %s has at most %u",
				 nic->queues, model->name, MAX(model->queues_max, 1));
	if (nic->packed && !model->packed)
		return error_set(err, -EINVAL,
				 "packed= has no meaning for %s: only virtio-net has packed rings",
				 model->name);
	if (nic->msix == TRISTATE_OFF && model->vf_policy)
		return error_set(err, -EINVAL,
				 "msix=off has no meaning for %s: a virtual function has no other "
				 "interrupts; use igb",
				 model->name);
	if (nic->mtu && model->mtu_max == 0)
		return error_set(err, -EINVAL,
				 "mtu= has no meaning for %s: its driver chooses the MTU",
				 model->name);
	if (nic->mtu > model->mtu_max)
		return error_set(err, -EINVAL, "mtu=%u is out of range; %s takes 68 to %u",
				 nic->mtu, model->name, model->mtu_max);
	int rc = check_policy(nic, model, err);
	return rc == 0 ? check_rev(nic, model, err) : rc;
}

static int check_place(const struct nic_spec *nic, struct error *err)
{
	if (nic->transport == TRANSPORT_VHOST_USER && strcmp(nic->model, "virtio-net") != 0)
		return error_set(err, -EINVAL,
				 "transport=vhost-user is for virtio-net only; %s takes vfio-user",
				 nic->model);
	if (nic->transport == TRANSPORT_VHOST_USER && nic->place == PLACE_QEMU)
		return error_set(
			err, -EINVAL,
			"transport= is of cards that anynic serves; with place=qemu leave it out");
	return 0;
}

/* The key goes to all cards of a port, and means those that it can be of. */
static int check_msix(const struct port_spec *port, struct error *err)
{
	bool told = false;

	for (unsigned i = 0; i < port->nics; i++) {
		const struct nic_spec *nic = &port->nic[i];

		if (!nic->msix)
			continue;
		if (nic->place != PLACE_QEMU && nic->transport != TRANSPORT_VHOST_USER)
			return 0;
		told = true;
	}
	return told ? error_set(err, -EINVAL,
				"msix= is of cards that anynic serves over vfio-user, and the port "
				"has none; leave it out, QEMU's own can be unplugged as they are")
		    : 0;
}

/* What libvirt gives QEMU may be a card that we do not have, and what it cannot do QEMU says. */
static bool is_plain_card(const struct port_spec *port, const struct nic_spec *nic)
{
	return port->plain && nic->options.device[0];
}

static int check_port(const struct port_spec *port, const struct known *known, struct error *err)
{
	int rc = 0;

	if (port->policy == POLICY_TEAM)
		rc = team_check(port, known, err);
	for (unsigned i = 0; i < port->nics && rc == 0; i++) {
		const struct nic_spec *nic = &port->nic[i];

		if (is_plain_card(port, nic))
			continue;
		rc = check_model_name(nic->model, known, err);
		if (rc < 0)
			return rc;
		const struct known_model *model = known_model_find(known, nic->model);
		rc = check_role(nic, model, known, err);
		if (rc == 0)
			rc = check_place(nic, err);
		if (rc == 0)
			rc = check_card(nic, model, err);
	}
	if (rc == 0)
		rc = check_msix(port, err);
	if (rc == 0 && port->policy == POLICY_SWITCH &&
	    strcmp(port->nic[0].model, port->nic[1].model) == 0)
		rc = error_set(
			err, -EINVAL,
			"legacy= and performant= are both %s; a switch needs two different cards",
			port->nic[0].model);
	return rc == 0 ? backend_check(port, known, err) : rc;
}

/* A name that commands take means one thing: a port, or a card. */
static bool names_card(const struct port_spec *port, const char *name)
{
	for (unsigned i = 0; i < port->nics; i++)
		if (strcmp(port->nic[i].id, name) == 0)
			return true;
	return false;
}

/* Two ports of one guest may share nothing that has to be told apart. */
static int check_pair(const struct port_spec *a, const struct port_spec *b, struct error *err)
{
	char mac[MAC_TEXT];

	if (strcmp(a->id, b->id) == 0)
		return error_set(err, -EINVAL,
				 "id=%s is used by two ports; each port needs an id of its own",
				 b->id);
	if (memcmp(a->mac, b->mac, MAC_LEN) == 0 && !(a->plain && b->plain))
		return error_set(
			err, -EINVAL,
			"mac=%s is used by two ports, %s and %s; each port needs a MAC of its own",
			mac_format(b->mac, mac), a->id, b->id);
	if (names_card(a, b->id) || names_card(b, a->id))
		return error_set(err, -EINVAL,
				 "id=%s is also the id of a card of port %s; choose another id",
				 names_card(a, b->id) ? b->id : a->id,
				 names_card(a, b->id) ? a->id : b->id);
	for (unsigned i = 0; i < a->nics; i++)
		for (unsigned j = 0; j < b->nics; j++)
			if (a->nic[i].host_pci[0] && a->nic[i].host_pci[0] != '<' &&
			    strcmp(a->nic[i].host_pci, b->nic[j].host_pci) == 0)
				return error_set(
					err, -EINVAL,
					"%s is given to two ports, %s and %s; one card has it",
					b->nic[j].host_pci, a->id, b->id);
	for (unsigned i = 0; i < a->nics; i++)
		for (unsigned j = 0; j < b->nics; j++)
			if (a->nic[i].bootindex >= 0 && a->nic[i].bootindex == b->nic[j].bootindex)
				return error_set(err, -EINVAL,
						 "bootindex=%d is used by two ports, %s and %s",
						 b->nic[j].bootindex, a->id, b->id);
	return 0;
}

static bool is_type(const struct port_spec *p, const char *type)
{
	return strcmp(p->backend.type, type) == 0;
}

static bool takes_whole_device(const struct port_spec *p)
{
	return is_type(p, "direct") && strcmp(p->backend.mode, "passthrough") == 0;
}

/* What only one of them can have. */
static int check_backends(const struct port_spec *a, const struct port_spec *b, struct error *err)
{
	const struct backend_spec *x = &a->backend, *y = &b->backend;

	if (x->ifname[0] && strcmp(x->ifname, y->ifname) == 0)
		return error_set(err, -EINVAL,
				 "ifname=%s is used by two ports, %s and %s; each port needs a tap "
				 "of its own; next: another ifname=, or backend=bridge for each",
				 y->ifname, a->id, b->id);
	if (is_type(a, "direct") && is_type(b, "direct") && x->dev[0] &&
	    strcmp(x->dev, y->dev) == 0 && (takes_whole_device(a) || takes_whole_device(b)))
		return error_set(err, -EINVAL,
				 "dev=%s is used by two ports, %s and %s, and mode=passthrough "
				 "takes it whole; next: another dev=, or mode=bridge for both",
				 y->dev, a->id, b->id);
	for (unsigned i = 0; i < x->nfds; i++)
		for (unsigned j = 0; j < y->nfds; j++)
			if (x->fds[i] == y->fds[j])
				return error_set(err, -EINVAL,
						 "fd=%d is used by two ports, %s and %s", y->fds[j],
						 a->id, b->id);
	if (x->server && y->server && x->path[0] && strcmp(x->path, y->path) == 0)
		return error_set(err, -EINVAL,
				 "path=%s is used by two ports, %s and %s, that both listen there",
				 y->path, a->id, b->id);
	return 0;
}

int ports_validate_last(const struct port_spec *ports, unsigned count, const struct known *known,
			struct error *err)
{
	const struct port_spec *last = &ports[count - 1];
	int rc = check_port(last, known, err);

	for (unsigned j = 0; j < count - 1 && rc == 0; j++)
		rc = check_pair(&ports[j], last, err);
	for (unsigned j = 0; j < count - 1 && rc == 0; j++)
		rc = check_backends(&ports[j], last, err);
	if (rc < 0)
		error_of_port(err, last);
	return rc;
}

int ports_validate(const struct port_spec *ports, unsigned count, const struct known *known,
		   struct error *err)
{
	int rc = 0;

	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = ports_validate_last(ports, i + 1, known, err);
	return rc;
}

bool guest_name_is_legal(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= 63 && name[0] != '.' && name[0] != '-' &&
	       strspn(name, letters) == len;
}
