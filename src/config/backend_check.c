#include "config/backend_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int check_backend_name(const char *type, bool plain, const struct known *known,
			      struct error *err)
{
	const struct known_backend *found = known_backend_find(known, type);
	const char *names[32];
	char list[160];
	unsigned count = 0;

	if (found && (plain || !found->xml_only))
		return 0;
	known_backend_names(known, list, sizeof(list));
	for (unsigned i = 0; i < known->backend_count && count < ARRAY_SIZE(names); i++)
		if (!known->backends[i].xml_only)
			names[count++] = known->backends[i].name;
	const char *meant = nearest_name(type, names, count);
	return error_set(err, -EINVAL, "unknown backend '%s'%s%s%s; backend= takes %s", type,
			 meant ? ", did you mean " : "", meant ? meant : "", meant ? "?" : "",
			 list);
}

/* Texts that a user may have given, by key. */
static const struct {
	const char *name;
	size_t offset;
} text_keys[] = {
	{ "ifname", offsetof(struct backend_spec, ifname) },
	{ "br", offsetof(struct backend_spec, br) },
	{ "iface-id", offsetof(struct backend_spec, iface_id) },
	{ "dev", offsetof(struct backend_spec, dev) },
	{ "mode", offsetof(struct backend_spec, mode) },
	{ "path", offsetof(struct backend_spec, path) },
	{ "net", offsetof(struct backend_spec, net) },
	{ "tftp", offsetof(struct backend_spec, tftp) },
	{ "bootfile", offsetof(struct backend_spec, bootfile) },
};

static bool takes(const struct known_backend *backend, const char *key)
{
	char word[MODEL_MAX + 2];

	snprintf(word, sizeof(word), " %s ", key);
	return backend->keys && strstr(backend->keys, word) != NULL;
}

static int check_key(const struct known_backend *backend, const char *key,
		     const struct known *known, struct error *err)
{
	char list[160] = "";

	if (takes(backend, key))
		return 0;
	for (unsigned i = 0; i < known->backend_count; i++) {
		size_t at = strlen(list);

		if (takes(&known->backends[i], key))
			snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "",
				 known->backends[i].name);
	}
	return error_set(err, -EINVAL, "%s= has no meaning for backend=%s; it belongs to %s", key,
			 backend->name, list);
}

/* Only what the backend has a use for. */
static int check_backend_keys(const struct backend_spec *b, const struct known *known,
			      struct error *err)
{
	const struct known_backend *backend = known_backend_find(known, b->type);
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < ARRAY_SIZE(text_keys); i++)
		if (((const char *)b)[text_keys[i].offset] != '\0')
			rc = check_key(backend, text_keys[i].name, known, err);
	if (rc == 0 && b->nfds > 0)
		rc = check_key(backend, "fd", known, err);
	if (rc == 0 && b->hostfwds > 0)
		rc = check_key(backend, "hostfwd", known, err);
	return rc;
}

static int check_stream(const struct port_spec *port, const struct known *known, struct error *err)
{
	const struct backend_spec *b = &port->backend;

	(void)known;
	if (b->nfds > 1)
		return error_set(err, -EINVAL, "fd= of backend=stream takes one descriptor");
	if (b->nfds == 0 && b->path[0] == '\0')
		return error_set(
			err, -EINVAL,
			"backend=stream needs path= of a UNIX socket (or fd= of a connected one)");
	if (b->nfds > 0 && b->path[0] != '\0')
		return error_set(err, -EINVAL, "fd= and path= exclude each other");
	if (strlen(b->path) > 107) /* sun_path */
		return error_set(err, -EINVAL, "path= of a UNIX socket has at most 107 characters");
	if (b->mode[0] != '\0' && strcmp(b->mode, "client") != 0 && strcmp(b->mode, "server") != 0)
		return error_set(
			err, -EINVAL,
			"mode=%s is not legal; mode= of backend=stream takes client, server",
			b->mode);
	return 0;
}

/* What hostfwd= says of the guest's side; passt's guest has one address, the host's. */
static bool names_guest_address(const char *hostfwd)
{
	const char *dash = strrchr(hostfwd, '-'); /* the name of a device may have one */

	return dash && dash[1] != ':';
}

static int check_passt(const struct port_spec *port, const struct known *known, struct error *err)
{
	const struct backend_spec *b = &port->backend;

	(void)known;
	if (strlen(b->path) > 107) /* sun_path */
		return error_set(err, -EINVAL, "path= of a UNIX socket has at most 107 characters");
	if (b->path[0] != '\0' && b->hostfwds > 0)
		return error_set(err, -EINVAL,
				 "hostfwd= and path= exclude each other: the passt that listens on "
				 "path= has its ports already (its own -t and -u)");
	if (b->path[0] != '\0' && (b->net[0] != '\0' || b->dev[0] != '\0'))
		return error_set(
			err, -EINVAL,
			"%s= and path= exclude each other: the passt that listens on path= "
			"has its addresses already (its own -a and -i)",
			b->net[0] ? "net" : "dev");
	for (unsigned i = 0; i < b->hostfwds; i++)
		if (names_guest_address(b->hostfwd[i]))
			return error_set(
				err, -EINVAL,
				"hostfwd=%s names an address of the guest, which has one "
				"only with backend=passt; leave it out: tcp:[ADDRESS]:PORT-:PORT",
				b->hostfwd[i]);
	return 0;
}

/* Also open macvtaps: one descriptor for each queue. */
static int check_tap(const struct port_spec *port, const struct known *known, struct error *err)
{
	const struct backend_spec *b = &port->backend;

	(void)known;
	if (b->nfds > 0 && b->dev[0] != '\0')
		return error_set(err, -EINVAL, "fd= and dev= exclude each other");
	if (b->nfds > 0 && b->ifname[0] != '\0')
		return error_set(
			err, -EINVAL,
			"fd= and ifname= exclude each other: an open tap has its name already");
	for (unsigned i = 0; i < port->nics; i++)
		if (b->nfds > 1 && port->nic[i].queues > b->nfds)
			return error_set(err, -EINVAL,
					 "queues=%u needs as many descriptors in fd=, or one",
					 port->nic[i].queues);
	return 0;
}

static int check_bridge(const struct port_spec *port, const struct known *known, struct error *err)
{
	const struct backend_spec *b = &port->backend;
	char names[200] = "";

	if (b->br[0] != '\0')
		return 0;
	if (known->bridge_names)
		known->bridge_names(names, sizeof(names));
	return error_set(err, -EINVAL, "backend=bridge needs br=, the bridge to join%s%s",
			 names[0] ? "; bridges of this host: " : "", names);
}

/* What the kernel takes for the name of an interface. */
static bool is_ifname(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < 16 && strcspn(name, "/ :%\t\n\v\f\r") == len &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int check_direct(const struct port_spec *port, const struct known *known, struct error *err)
{
	static const char *const modes[] = { "", "vepa", "bridge", "private", "passthrough" };
	const struct backend_spec *b = &port->backend;

	if (b->nfds == 0 && b->dev[0] == '\0')
		return error_set(err, -EINVAL,
				 "backend=direct needs dev=, a network device of the host (or fd= "
				 "of an open /dev/tapN)");
	if (b->nfds == 0 && !is_ifname(b->dev))
		return error_set(err, -EINVAL,
				 "dev=%s is not legal; dev= of backend=direct takes the name of a "
				 "network interface, at most 15 characters",
				 b->dev);
	if (name_find(modes, ARRAY_SIZE(modes), b->mode) < 0)
		return error_set(
			err, -EINVAL,
			"mode=%s is not legal; mode= of backend=direct takes vepa, bridge, "
			"private, passthrough",
			b->mode);
	return check_tap(port, known, err);
}

static bool has_model(const struct port_spec *port, const char *model)
{
	for (unsigned i = 0; i < port->nics; i++)
		if (strcmp(port->nic[i].model, model) == 0)
			return true;
	return false;
}

static int check_driver(const struct port_spec *port, struct error *err)
{
	if (port->backend.driver != DRIVER_VHOST || has_model(port, "virtio-net"))
		return 0;
	return error_set(err, -EINVAL,
			 "driver=vhost needs a virtio-net card; use driver=qemu or default");
}

static int check_hostdev(const struct port_spec *port, const struct known *known, struct error *err)
{
	const struct nic_spec *nic = &port->nic[0];

	(void)known;
	if (strcmp(nic->model, "hostdev") != 0)
		return error_set(err, -EINVAL,
				 "backend=hostdev hands on a card of this host and is for model "
				 "hostdev only: --nic hostdev,dev=...; %s takes another backend",
				 nic->model);
	if (nic->host_dev[0] == '\0' && nic->host_pci[0] == '\0')
		return error_set(
			err, -EINVAL,
			"a card of model hostdev needs dev=: a device with virtual functions, "
			"a PCI address, or a network of libvirt's");
	if (port->backend.driver == DRIVER_VHOST)
		return error_set(err, -EINVAL,
				 "driver=vhost has no meaning for a card of model hostdev");
	return 0;
}

/* What is more to say of a type than that its keys are its own. */
static const struct {
	const char *type;
	int (*check)(const struct port_spec *port, const struct known *known, struct error *err);
} checks[] = {
	{ "bridge", check_bridge }, { "direct", check_direct }, { "hostdev", check_hostdev },
	{ "passt", check_passt },   { "stream", check_stream }, { "tap", check_tap },
};

int backend_check(const struct port_spec *port, const struct known *known, struct error *err)
{
	const struct backend_spec *b = &port->backend;
	int rc = check_backend_name(b->type, port->plain, known, err);
	if (rc == 0 && port->nics == 1 && strcmp(port->nic[0].model, "hostdev") == 0 &&
	    strcmp(b->type, "hostdev") != 0)
		rc = error_set(
			err, -EINVAL,
			"a card of model hostdev brings its own network; leave backend=%s out",
			b->type);

	if (rc == 0)
		rc = check_backend_keys(b, known, err);
	for (unsigned i = 0; rc == 0 && i < ARRAY_SIZE(checks); i++)
		if (strcmp(checks[i].type, b->type) == 0)
			rc = checks[i].check(port, known, err);
	if (rc == 0 && b->capture[0] != '\0')
		rc = error_set(
			err, -ENOTSUP,
			"capture= is not in this version; on backend=tap use tcpdump on the tap");
	return rc == 0 ? check_driver(port, err) : rc;
}
