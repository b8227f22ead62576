#include "cli/known.h"

#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "host/bridge.h"
#include "host/open.h"
#include "nic/nic.h"

_Static_assert(sizeof(((struct nic_ops *)0)->revs) == sizeof(((struct known_model *)0)->revs),
	       "revs are copied whole");

static void fill_model(struct known_model *to, const struct nic_ops *from)
{
	*to = (struct known_model){
		.name = from->name,
		.summary = from->summary,
		.legacy = from->legacy,
		.performant = from->performant,
		.express = from->express,
		.packed = from->packed,
		.vf_policy = from->vf_policy,
		.queues_max = from->queues_max,
		.mtu_max = from->mtu_max,
		.rev_zero = from->rev_zero,
		.express_rev = from->express_rev,
		.msix = from->msix,
		.io_ports = from->io_ports,
	};
	memcpy(to->revs, from->revs, sizeof(to->revs));
}

/* Not one of ours: a card that this host has. */
static const struct known_model hostdev = {
	.name = "hostdev",
	.summary = "a function of a network card of this host, handed on by VFIO",
	.express = true,
	.vf_policy = true,
	.queues_max = 1,
};

static void fill_backend(struct known_backend *to, const struct host_backend *from)
{
	const struct backend_ops *ops = backend_find(from->served);

	*to = (struct known_backend){ .name = from->name,
				      .summary = from->summary,
				      .keys = from->keys,
				      .missing = from->missing,
				      .xml_only = from->xml_only };
	if (!to->summary && ops)
		to->summary = ops->summary;
}

const struct known *cli_known(void)
{
	static struct known known;

	if (known.models)
		return &known;
	struct known_model *models = calloc(nic_model_count + 1, sizeof(*models));
	struct known_backend *list = calloc(host_backend_count, sizeof(*list));
	if (!models || !list)
		abort(); /* a few hundred bytes at start */
	for (unsigned i = 0; i < nic_model_count; i++)
		fill_model(&models[i], nic_models[i]);
	models[nic_model_count] = hostdev;
	for (unsigned i = 0; i < host_backend_count; i++)
		fill_backend(&list[i], &host_backends[i]);
	known = (struct known){ models, nic_model_count + 1, list, host_backend_count,
				host_bridge_names };
	return &known;
}
