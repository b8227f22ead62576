/* anynic plan: what run would do, as text or as one JSON document. Opens nothing; it only asks a QEMU for its version. */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cli/exit.h"
#include "cli/guest.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "config/blame.h"
#include "control/place.h"
#include "control/spec_json.h"
#include "host/hostdev.h"
#include "host/open.h"
#include "host/vhost.h"
#include "qemu/arguments.h"

#define JSON_FLAGS (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)

#define REASON_ROOM 500

static void add_text(json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void add_number(json_object *o, const char *key, int64_t number)
{
	json_object_object_add(o, key, json_object_new_int64(number));
}

/* Keys that a user gave, and those that always have a value; what is the model's own is left out. */
static json_object *nic_as_json(const struct nic_spec *nic)
{
	json_object *o = json_object_new_object();

	add_text(o, "nic", nic->id);
	add_text(o, "model", nic->model);
	add_text(o, "role", name_of(role_names, NIC_ROLE_COUNT, nic->role));
	add_text(o, "place", name_of(place_names, NIC_PLACE_COUNT, nic->place));
	if (nic->place != PLACE_QEMU)
		add_text(o, "transport",
			 name_of(transport_names, NIC_TRANSPORT_COUNT, nic->transport));
	if (nic->netdev != NETDEV_NONE)
		add_text(o, "netdev", netdev_names[nic->netdev]);
	if (nic->queues)
		add_number(o, "queues", nic->queues);
	if (nic->packed)
		json_object_object_add(o, "packed", json_object_new_boolean(true));
	if (nic->mtu)
		add_number(o, "mtu", nic->mtu);
	if (nic->rev >= 0)
		add_number(o, "rev", nic->rev);
	if (nic->bootindex >= 0)
		add_number(o, "bootindex", nic->bootindex);
	if (nic->romfile[0])
		add_text(o, "romfile", nic->romfile);
	json_add_policy(o, nic);
	return o;
}

static void add_given(json_object *o, const char *key, const char *text)
{
	if (text[0])
		add_text(o, key, text);
}

/* The words of query-ports: the driver, what backend=auto found, and what the backend cannot do. */
static void reason_of(const struct backend_spec *b, const struct vhost_choice *driver,
		      char to[REASON_ROOM])
{
	const char *remark = host_backend_remark(b);

	(void)snprintf(to, REASON_ROOM, "%s%s%s%s%s", driver->why, b->chosen[0] ? "; " : "",
		       b->chosen, remark[0] ? "; " : "", remark);
}

static void add_limit(json_object *o, const char *way, const struct bandwidth_limit *l)
{
	if (!l->average)
		return;
	json_object *limit = json_object_new_object();
	json_object_object_add(limit, "average", json_object_new_int64(l->average));
	if (l->peak)
		json_object_object_add(limit, "peak", json_object_new_int64(l->peak));
	if (l->burst)
		json_object_object_add(limit, "burst", json_object_new_int64(l->burst));
	json_object_object_add(o, way, limit);
}

static json_object *backend_as_json(const struct backend_spec *b, const struct vhost_choice *driver)
{
	json_object *o = json_object_new_object();
	char reason[REASON_ROOM];

	reason_of(b, driver, reason);
	add_text(o, "type", b->type);
	add_text(o, "driver", name_of(backend_driver_names, BACKEND_DRIVER_COUNT, driver->driver));
	add_text(o, "reason", reason);
	add_given(o, "ifname", b->ifname);
	add_given(o, "br", b->br);
	add_given(o, "dev", b->dev);
	add_given(o, "mode", b->mode);
	add_given(o, "chosen", b->chosen);
	add_given(o, "path", b->path);
	add_given(o, "net", b->net);
	add_given(o, "tftp", b->tftp);
	add_given(o, "bootfile", b->bootfile);
	add_given(o, "capture", b->capture);
	if (b->rules.vlan.count) {
		json_object *list = json_object_new_array();
		for (unsigned i = 0; i < b->rules.vlan.count; i++)
			json_object_array_add(list, json_object_new_int(b->rules.vlan.tag[i]));
		json_object_object_add(o, "vlan", list);
	}
	if (b->rules.isolated)
		json_object_object_add(o, "isolated", json_object_new_boolean(true));
	add_limit(o, "inbound", &b->limits.in);
	add_limit(o, "outbound", &b->limits.out);
	if (b->hostfwds) {
		json_object *list = json_object_new_array();
		for (unsigned i = 0; i < b->hostfwds; i++)
			json_object_array_add(list, json_object_new_string(b->hostfwd[i]));
		json_object_object_add(o, "hostfwd", list);
	}
	if (b->nfds) {
		json_object *list = json_object_new_array();
		for (unsigned i = 0; i < b->nfds; i++)
			json_object_array_add(list, json_object_new_int(b->fds[i]));
		json_object_object_add(o, "fd", list);
	}
	return o;
}

static json_object *port_as_json(const struct port_spec *port, const char *place_why,
				 const struct vhost_choice *driver)
{
	json_object *o = json_object_new_object(), *nics = json_object_new_array();
	char mac[MAC_TEXT];

	add_text(o, "port", port->id);
	add_text(o, "policy", name_of(policy_names, POLICY_KIND_COUNT, port->policy));
	add_text(o, "mac", mac_format(port->mac, mac));
	add_text(o, "link", name_of(link_wish_names, LINK_WISH_COUNT, port->link));
	if (port->policy == POLICY_SWITCH) {
		char hold[32] = "off";

		if (port->hold_count)
			snprintf(hold, sizeof(hold), "%u/%u", port->hold_count, port->hold_seconds);
		add_number(o, "legacy-delay", port->legacy_delay_ms);
		add_text(o, "hold", hold);
	}
	json_object_object_add(o, "backend", backend_as_json(&port->backend, driver));
	add_given(o, "place-reason", place_why);
	for (unsigned i = 0; i < port->nics; i++)
		json_object_array_add(nics, nic_as_json(&port->nic[i]));
	json_object_object_add(o, "nics", nics);
	return o;
}

static json_object *program_as_json(const struct guest *g)
{
	json_object *o = json_object_new_object();
	char version[40];

	snprintf(version, sizeof(version), "%u.%u.%u", g->program.major, g->program.minor,
		 g->program.micro);
	if (g->program.path[0])
		add_text(o, "program", g->program.path);
	add_text(o, "version", version);
	json_object_object_add(o, "vfio-user", json_object_new_boolean(g->program.vfio_user));
	return o;
}

static void print_json(const struct guest *g, const struct qemu_arguments *a,
		       const struct vhost_choice *driver, json_object *problems)
{
	json_object *o = json_object_new_object(), *ports = json_object_new_array(),
		    *command = json_object_new_array();

	add_text(o, "name", g->name);
	json_object_object_add(o, "qemu", g->has_program ? program_as_json(g) : NULL);
	for (unsigned i = 0; i < g->ports; i++)
		json_object_array_add(ports,
				      port_as_json(&g->port[i], g->place_why[i], &driver[i]));
	json_object_object_add(o, "ports", ports);
	json_object_object_add(o, "problems", json_object_get(problems));
	json_object_object_add(o, "netdevs", json_object_get(a->netdevs));
	json_object_object_add(o, "devices", json_object_get(a->devices));
	json_object_object_add(o, "chardevs", json_object_get(a->chardevs));
	json_object_object_add(o, "actions", json_object_get(a->actions));
	for (int i = 0; i < a->argc; i++)
		json_object_array_add(command, json_object_new_string(a->argv[i]));
	json_object_object_add(o, "command", command);
	puts(json_object_to_json_string_ext(o, JSON_FLAGS));
	json_object_put(o);
}

/* A word as a shell reads it. */
static void print_word(const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,=:+@%";

	if (word[0] && strspn(word, plain) == strlen(word)) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*word);
	}
	putchar('\'');
}

static void print_port(const struct port_spec *port, const char *place_why,
		       const struct vhost_choice *driver)
{
	char mac[MAC_TEXT], backend[BACKEND_TEXT], reason[REASON_ROOM];

	reason_of(&port->backend, driver, reason);
	backend_text(&port->backend, backend);
	printf("port %s: %s, mac %s, backend %s", port->id,
	       name_of(policy_names, POLICY_KIND_COUNT, port->policy), mac_format(port->mac, mac),
	       backend);
	if (port->policy == POLICY_SWITCH)
		printf(", legacy after %u ms", port->legacy_delay_ms);
	putchar('\n');
	for (unsigned i = 0; i < port->nics; i++) {
		const struct nic_spec *nic = &port->nic[i];

		printf("  %-20s %-13s %-11s %s, %s\n", nic->id, nic->model,
		       name_of(role_names, NIC_ROLE_COUNT, nic->role),
		       name_of(place_names, NIC_PLACE_COUNT, nic->place),
		       nic->place == PLACE_QEMU
			       ? name_of(netdev_names, NIC_NETDEV_COUNT, nic->netdev)
			       : name_of(transport_names, NIC_TRANSPORT_COUNT, nic->transport));
	}
	if (place_why[0])
		printf("  %s\n", place_why);
	printf("  driver %s: %s\n",
	       name_of(backend_driver_names, BACKEND_DRIVER_COUNT, driver->driver), reason);
}

static void print_actions(const struct qemu_arguments *a)
{
	for (size_t i = 0; i < json_object_array_length(a->actions); i++) {
		json_object *action = json_object_array_get_idx(a->actions, i);
		const char *nic = text_of(action, "nic");

		printf("  %-15s %s%s%s\n", text_of(action, "action"), nic, nic[0] ? ": " : "",
		       text_of(action, "why"));
		if (strcmp(text_of(action, "action"), "device_add") == 0)
			printf("%18s%s\n", "",
			       json_object_to_json_string_ext(
				       member_of(action, "device"),
				       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
}

static void print_text(const struct guest *g, const struct qemu_arguments *a,
		       const struct vhost_choice *driver)
{
	printf("guest %s", g->name);
	if (g->has_program)
		printf(", QEMU %u.%u.%u%s%s", g->program.major, g->program.minor, g->program.micro,
		       g->program.path[0] ? " " : "", g->program.path);
	putchar('\n');
	for (unsigned i = 0; i < g->ports; i++)
		print_port(&g->port[i], g->place_why[i], &driver[i]);
	puts("what is done for them");
	print_actions(a);
	puts("QEMU's command line");
	printf("  ");
	for (int i = 0; i < a->argc; i++) {
		if (i >= a->user_argc && a->argv[i][0] == '-')
			printf("%s\n    ", i > 0 ? " \\" : "");
		else if (i > 0)
			putchar(' ');
		print_word(a->argv[i]);
	}
	putchar('\n');
}

/* 0, or an exit code that was explained. */
static int read_options(int argc, char **argv, struct guest_request *r, bool *json)
{
	static const struct option longs[] = {
		{ "name", required_argument, NULL, WORD_NAME },
		{ "nic", required_argument, NULL, WORD_NIC },
		{ "interfaces", required_argument, NULL, WORD_INTERFACES },
		{ "networks", required_argument, NULL, WORD_NETWORKS },
		{ "qemu", required_argument, NULL, WORD_QEMU },
		{ "qemu-version", required_argument, NULL, WORD_QEMU_VERSION },
		{ "place", required_argument, NULL, WORD_PLACE },
		{ "assume", required_argument, NULL, WORD_ASSUME },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int o, code;

	while ((o = getopt_long(argc, argv, "+j", longs, NULL)) != -1) {
		switch (o) {
		case 'j':
			*json = true;
			break;
		default:
			code = guest_request_word(r, "plan", o, optarg);
			if (code != EXIT_OK)
				return code;
		}
	}
	if (r->qemu_program && r->qemu_version)
		return fail_usage("plan", "--qemu and --qemu-version exclude each other");
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0)
		return fail_usage("plan", "'%s': the QEMU line is written after --", argv[optind]);
	r->qemu = argv + optind;
	r->qemu_argc = argc - optind;
	return 0;
}

/* The descriptors that QEMU's own cards would get: as many as there would be, none of them open. */
static unsigned planned_fds(const struct guest *g, const struct vhost_choice *driver,
			    struct qemu_card_fds *cards)
{
	unsigned count = 0;

	for (unsigned p = 0; p < g->ports; p++)
		for (unsigned i = 0; !port_in_datapath(&g->port[p]) && i < g->port[p].nics; i++) {
			const struct nic_spec *nic = &g->port[p].nic[i];

			if (nic->netdev == NETDEV_HOSTDEV)
				continue;
			struct qemu_card_fds *card = &cards[count++];
			bool vhost = driver[p].driver == DRIVER_VHOST &&
				     strcmp(nic->model, "virtio-net") == 0;

			str_copy(card->nic, sizeof(card->nic), nic->id);
			card->taps = MAX(1u, nic->queues);
			card->vhosts = vhost ? card->taps : 0;
			memset(card->tap, 0xff, sizeof(card->tap));
			memset(card->vhost, 0xff, sizeof(card->vhost));
		}
	return count;
}

/* Which functions of this host the cards would get; none is taken. */
static int plan_functions(struct guest *g, unsigned assume, struct error *err)
{
	static struct vf_picks picks;

	for (unsigned p = 0; p < g->ports; p++)
		for (unsigned i = 0; i < g->port[p].nics; i++) {
			struct nic_spec *nic = &g->port[p].nic[i];
			struct backend_spec *b = &g->port[p].backend;

			if (nic->netdev != NETDEV_HOSTDEV)
				continue;
			int rc = host_hostdev_plan(nic, g->name, nic->id, assume & BIT(ASSUME_VFIO),
						   &picks, b->chosen, sizeof(b->chosen), err);
			if (rc < 0) {
				error_of_port(err, &g->port[p]);
				return rc;
			}
		}
	return 0;
}

static int plan_driver(struct port_spec *port, unsigned assume, struct vhost_choice *driver,
		       struct error *err)
{
	if (assume & BIT(ASSUME_KVM)) /* whatever <domain type=> says */
		port->tcg = false;
	int rc = host_vhost_plan(port, assume & BIT(ASSUME_VHOST), driver, err);

	if (rc < 0)
		error_of_port(err, port);
	return rc;
}

/* What `run` would not find of the host's links. A plan is made all the same: they may come, or be another host's. */
static json_object *look_at_backends(const struct guest *g)
{
	json_object *problems = json_object_new_array();

	for (unsigned i = 0; i < g->ports; i++) {
		struct backend_request request = { .spec = &g->port[i].backend,
						   .guest = g->name,
						   .port = g->port[i].id };
		struct error err = { 0 };

		if (host_backend_look(&request, &err) == 0)
			continue;
		error_of_port(&err, &g->port[i]);
		error_prefix(&err, "%s", err.where);
		fprintf(stderr, "anynic: run would fail: %s\n", err.text);
		json_object_array_add(problems, json_object_new_string(err.text));
	}
	return problems;
}

int verb_plan(int argc, char **argv)
{
	static struct vhost_choice driver[PORTS_MAX];
	static struct qemu_card_fds cards[PORTS_MAX * PORT_NICS];
	struct guest_request request = { 0 };
	struct qemu_arguments arguments;
	struct error err = { 0 };
	static struct guest guest;
	char sockets[PLACE_PATH];
	bool json = false;

	int code = read_options(argc, argv, &request, &json);
	if (code)
		return code;
	int rc = guest_prepare(&guest, &request, &err);
	if (rc == 0 && !guest.has_line)
		rc = guest_assume_line(&guest, &request, &err);
	if (rc == 0)
		rc = plan_functions(&guest, request.assume, &err);
	for (unsigned i = 0; rc == 0 && i < guest.ports; i++)
		rc = plan_driver(&guest.port[i], request.assume, &driver[i], &err);
	place_nics_path(sockets, sizeof(sockets), guest.name);
	struct qemu_setup setup = { .program = guest.has_program ? &guest.program : NULL,
				    .socket_dir = sockets,
				    .card_fds = cards,
				    .cards = planned_fds(&guest, driver, cards),
				    .qmp_fd = -1 };
	if (rc == 0)
		rc = qemu_arguments_build(&arguments, &guest.line, guest.port, guest.ports, &setup,
					  &err);
	if (rc != 0)
		return fail(&err);
	/* under --assume it is for a host that has what it takes */
	json_object *problems = request.assume ? json_object_new_array() : look_at_backends(&guest);
	if (json)
		print_json(&guest, &arguments, driver, problems);
	else
		print_text(&guest, &arguments, driver);
	json_object_put(problems);
	qemu_arguments_finish(&arguments);
	return EXIT_OK;
}
