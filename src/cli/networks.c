/* Ports of libvirt's networks: what each interface with type='network' really is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/guest.h"
#include "config/interface_port.h"
#include "config/xml.h"
#include "host/network.h"
#include "host/network_pool.h"

#define LIBVIRTS_NETWORKS "/etc/libvirt/qemu/networks"

/* Of --networks, else as libvirt has it. */
static int find_network(struct guest *g, const char *name, const struct network_spec **out,
			struct error *err)
{
	char path[PATH_ROOM];
	struct error why = { 0 };

	*out = network_find(&g->networks, name);
	if (*out)
		return 0;
	(void)snprintf(path, sizeof(path), LIBVIRTS_NETWORKS "/%s.xml", name);
	int rc = strchr(name, '/') || name[0] == '.' ? -ENOENT
						     : xml_read_networks(path, &g->networks, &why);
	*out = network_find(&g->networks, name);
	if (*out)
		return 0;
	if (rc < 0 && rc != -ENOENT && rc != -EACCES) {
		if (err)
			*err = why;
		return rc;
	}
	return error_set(
		err, -ENOENT,
		"<source network='%s'>: there is no such network; next: `virsh net-dumpxml %s "
		">net.xml`, and --networks net.xml",
		name, name);
}

/* For `plan --assume vfio` on a host that has no such functions: libvirt's rules for those that the network lists; the virtual functions of
 * a device that is not there have no addresses. */
static int assume_function(const struct network_spec *n, struct interface_spec *s,
			   struct vf_picks *picks, struct network_plug *plug, struct error *err)
{
	static struct network_spec assumed;
	struct network_use use = { 0 };

	assumed = *n;
	if (n->devs == 0) {
		assumed.devs = 1;
		str_copy(assumed.dev[0], sizeof(assumed.dev[0]), "<pci>");
	}
	for (unsigned i = 0; i < n->devs; i++)
		for (unsigned j = 0; j < picks->count; j++)
			use.connections[i] += strcmp(n->dev[i], picks->pci[j]) == 0;
	int rc = network_allocate(&assumed, s, &use, plug, err);
	if (rc < 0)
		return rc;
	network_apply(plug, s);
	if (n->devs > 0 && picks->count < ARRAY_SIZE(picks->pci))
		str_copy(picks->pci[picks->count++], PCI_NAME, plug->device);
	return 0;
}

static int allocate(struct guest *g, const struct guest_request *request,
		    const struct network_spec *n, struct interface_spec *s, struct vf_picks *picks,
		    struct error *err)
{
	const struct vf_owner owner = { .guest = g->name, .port = s->alias };
	struct network_plug plug = { 0 };
	struct vf_host host;

	vf_host_init(&host);
	struct error why = { 0 };
	int rc = network_pool_allocate(&host, n, s, &owner, request->take ? NULL : picks, &plug,
				       &why);
	if (rc < 0 && rc != -EINVAL && (request->assume & BIT(ASSUME_VFIO)) &&
	    n->forward == FORWARD_HOSTDEV)
		rc = assume_function(n, s, picks, &plug, &why);
	if (rc < 0 && err)
		*err = why;
	if (rc < 0 || !plug.warning[0])
		return rc;
	if (s->anynic.strict)
		return error_set(err, -EINVAL, "%s; with anynic:strict='yes' this is an error",
				 plug.warning);
	interface_warn(&g->xml, s->line, "%s", plug.warning);
	return 0;
}

const char *guest_network_of(const struct guest *guest, const char *alias)
{
	for (unsigned i = 0; i < guest->xml.count; i++)
		if (guest->xml.item[i].type == INTERFACE_NETWORK &&
		    strcmp(guest->xml.item[i].alias, alias) == 0)
			return guest->xml.item[i].network;
	return "";
}

void guest_give_back_networks(const struct guest *guest)
{
	struct vf_host host;

	vf_host_init(&host);
	for (unsigned i = 0; i < guest->xml.count; i++) {
		const struct interface_spec *s = &guest->xml.item[i];
		const struct vf_owner owner = { .guest = guest->name, .port = s->alias };

		if (s->type == INTERFACE_NETWORK)
			network_pool_release(&host, s->network, s->hostdev.pci, &owner);
	}
}

int guest_networks(struct guest *g, const struct guest_request *request, struct error *err)
{
	static struct vf_picks picks;
	const struct network_spec *network[INTERFACES_MAX] = { 0 };
	unsigned i;
	int rc = 0;

	/* names depend on what each of them is */
	for (i = 0; i < g->xml.count; i++) {
		struct interface_spec *s = &g->xml.item[i];

		if (s->type != INTERFACE_NETWORK)
			continue;
		rc = find_network(g, s->network, &network[i], err);
		if (rc < 0)
			goto fail;
		s->actual = network[i]->forward == FORWARD_HOSTDEV ? INTERFACE_HOSTDEV
								   : INTERFACE_BRIDGE;
	}
	interfaces_name(&g->xml);
	for (i = 0; i < g->xml.count; i++) {
		if (network[i])
			rc = allocate(g, request, network[i], &g->xml.item[i], &picks, err);
		if (rc < 0)
			goto fail;
	}
	return 0;

fail:
	/* of which network is in most texts already */
	if (err && err->where[0] && !strstr(err->text, err->where))
		error_prefix(err, "%s", err->where);
	if (err)
		error_place(err, request->interfaces,
			    interface_line(&g->xml.item[i],
					   err->text[0] == '<' ? err->text : "<source "));
	return rc;
}
