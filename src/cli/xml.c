/* anynic xml: the same XML with what was chosen. Opens nothing of the guest's, as plan. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/exit.h"
#include "cli/guest.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "config/blame.h"
#include "config/xml.h"
#include "host/vhost.h"

struct options {
	struct guest_request request;
	const char *schema;
	bool validate;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "networks", required_argument, NULL, WORD_NETWORKS },
		{ "name", required_argument, NULL, WORD_NAME },
		{ "place", required_argument, NULL, WORD_PLACE },
		{ "qemu-version", required_argument, NULL, WORD_QEMU_VERSION },
		{ "assume", required_argument, NULL, WORD_ASSUME },
		{ "validate", no_argument, NULL, 'V' },
		{ 0 }
	};
	bool line = false;
	int c, code;

	for (int i = 1; i < argc; i++) /* getopt moves it in front of FILE */
		line = line || strcmp(argv[i], "--") == 0;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'V') {
			o->validate = true;
			continue;
		}
		code = guest_request_word(&o->request, "xml", c, optarg);
		if (code != EXIT_OK)
			return code;
	}
	if (optind >= argc)
		return fail_usage("xml", "tell the file: anynic xml FILE");
	o->request.interfaces = argv[optind++];
	if (optind < argc && !line)
		return fail_usage("xml",
				  "'%s': one file is read; the QEMU line is written after --",
				  argv[optind]);
	o->request.qemu = argv + optind;
	o->request.qemu_argc = argc - optind;
	return EXIT_OK;
}

/* $ANYNIC_SCHEMA, a folder, else that of a build tree (build/anynic, build/src/cli/anynic), else where it is installed. */
static void find_schema(char *path, size_t size)
{
	static const char *const near[] = { "", "/../.." };
	const char *folder = getenv("ANYNIC_SCHEMA");
	char self[PATH_ROOM];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[MAX(n, 0)] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (unsigned i = 0; !folder && slash && i < ARRAY_SIZE(near); i++) {
		(void)snprintf(path, size, "%s%s/anynic.rng", self, near[i]);
		if (access(path, R_OK) == 0)
			return;
	}
	(void)snprintf(path, size, "%s/anynic.rng", folder ? folder : ANYNIC_SCHEMA_DIR);
}

static int validate(const char *file, struct error *err)
{
	char path[PATH_ROOM + 32];

	find_schema(path, sizeof(path));
	return xml_validate(file, path, err);
}

static void describe(const struct guest *g, unsigned i, struct interface_result *r,
		     const struct vhost_choice *driver)
{
	const struct interface_spec *s = &g->xml.item[i];

	str_copy(r->alias, sizeof(r->alias), s->alias);
	if (g->origin[i].port == INTERFACE_NO_PORT) {
		str_copy(r->type, sizeof(r->type), interface_type_names[s->actual]);
		str_copy(r->pci, sizeof(r->pci), s->hostdev.pci);
		return;
	}
	const struct port_spec *port = &g->port[g->origin[i].port];
	const struct nic_spec *nic = &port->nic[g->origin[i].nic];
	bool both = port->policy == POLICY_SWITCH;

	mac_format(port->mac, r->mac);
	(void)snprintf(r->model, sizeof(r->model), "%s%s%s",
		       nic->options.device[0] ? nic->options.device : nic->model, both ? " + " : "",
		       both ? port->nic[1].model : "");
	str_copy(r->place, sizeof(r->place), place_names[nic->place]);
	str_copy(r->type, sizeof(r->type), interface_type_names[s->actual]);
	if (s->actual == INTERFACE_HOSTDEV) {
		str_copy(r->pci, sizeof(r->pci), nic->host_pci);
		return;
	}
	if (port->policy == POLICY_SINGLE)
		str_copy(r->chosen_model, sizeof(r->chosen_model),
			 strcmp(r->model, "virtio-net") == 0 ? "virtio" : r->model);
	str_copy(r->bridge, sizeof(r->bridge), port->backend.br);
	str_copy(r->dev, sizeof(r->dev), port->backend.dev);
	str_copy(r->mode, sizeof(r->mode), port->backend.mode);
	str_copy(r->driver, sizeof(r->driver), backend_driver_names[driver->driver]);
	str_copy(r->reason, sizeof(r->reason), driver->why);
}

static int describe_all(const struct guest *g, unsigned assume, struct interface_result *result,
			struct error *err)
{
	for (unsigned i = 0; i < g->xml.count; i++) {
		bool given = g->origin[i].port != INTERFACE_NO_PORT;
		const struct port_spec *port = given ? &g->port[g->origin[i].port] : NULL;
		struct vhost_choice driver = { .driver = DRIVER_QEMU };
		int rc = 0;

		if (given && port->nic[0].netdev < NETDEV_QEMU)
			rc = host_vhost_plan(port, assume & BIT(ASSUME_VHOST), &driver, err);
		if (rc < 0) {
			error_of_port(err, port);
			return rc;
		}
		describe(g, i, &result[i], &driver);
	}
	return 0;
}

static int print_written(const char *file, const struct interface_list *list,
			 const struct interface_result *result, struct error *err)
{
	char *text = NULL;
	int rc = xml_write_interfaces(file, list, result, &text, err);

	if (rc == 0)
		fputs(text, stdout);
	free(text);
	return rc;
}

/* Of a network nothing is chosen before a port asks: checked, and written as it is. */
static int write_networks(const char *file, struct error *err)
{
	static const struct interface_list nothing;
	static struct network_list networks;
	int rc = guest_read_networks(&networks, file, err);

	return rc < 0 ? rc : print_written(file, &nothing, NULL, err);
}

int verb_xml(int argc, char **argv)
{
	static struct guest guest;
	static struct interface_result result[INTERFACES_MAX];
	static struct interface_list
		written; /* as it stands in the file: networks changed what guest has */
	struct options o = { 0 };
	struct error err = { 0 };
	int code = parse(argc, argv, &o), rc;

	if (code != EXIT_OK)
		return code;
	if (o.validate) {
		rc = validate(o.request.interfaces, &err);
		if (rc == 0)
			puts("valid");
		return rc < 0 ? fail(&err) : EXIT_OK;
	}
	rc = guest_prepare(&guest, &o.request, &err);
	if (rc < 0 && strncmp(err.text, "<network", 8) == 0 && strstr(err.text, "> is none of")) {
		rc = write_networks(o.request.interfaces, &err);
		return rc < 0 ? fail(&err) : EXIT_OK;
	}
	if (rc == 0)
		rc = describe_all(&guest, o.request.assume, result, &err);
	if (rc == 0)
		rc = xml_read_interfaces(o.request.interfaces, &written, &err);
	if (rc == 0 && written.count != guest.xml.count)
		rc = error_set(&err, -EIO, "%s changed while it was read", o.request.interfaces);
	if (rc == 0)
		rc = print_written(o.request.interfaces, &written, result, &err);
	return rc < 0 ? fail(&err) : EXIT_OK;
}
