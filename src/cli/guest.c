#include "cli/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/known.h"
#include "config/blame.h"
#include "config/nic_option.h"
#include "config/validate.h"
#include "config/xml.h"
#include "control/place.h"
#include "host/network.h"
#include "host/probe.h"
#include "qemu/arguments.h"
#include "qemu/place.h"

int guest_read_assume(const char *text, unsigned *assume)
{
	static const char *const words[] = {
		[ASSUME_KVM] = "kvm", [ASSUME_VHOST] = "vhost", [ASSUME_VFIO] = "vfio"
	};
	NAMES_MATCH(words, GUEST_ASSUMPTION_COUNT);
	char copy[64], *save, *word;

	if (!str_copy(copy, sizeof(copy), text))
		return -EINVAL;
	for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		int found = name_find(words, ARRAY_SIZE(words), word);

		if (found < 0)
			return -EINVAL;
		*assume |= BIT(found);
	}
	return 0;
}

static int set_name(struct guest *g, const char *asked, struct error *err)
{
	if (asked) {
		if (!guest_name_is_legal(asked))
			return error_set(err, -EINVAL,
					 "--name %.80s is not legal; a name has letters, digits, "
					 "'.', '_', '-', at most 63, and "
					 "begins with a letter, a digit or '_'",
					 asked);
		str_copy(g->name, sizeof(g->name), asked);
		return 0;
	}
	const char *given = g->has_line && g->line.name[0] ? g->line.name : g->xml.name;

	if (given[0] == '\0') {
		snprintf(g->name, sizeof(g->name), "guest-%d", (int)getpid());
		return 0;
	}
	/* QEMU takes any text here: what a file name cannot hold becomes _ */
	str_copy(g->name, sizeof(g->name), given);
	for (char *p = g->name; *p; p++) {
		char one[3] = { 'x', *p, '\0' };

		if (!guest_name_is_legal(p == g->name ? one + 1 : one))
			*p = '_';
	}
	return 0;
}

static int set_incoming(struct guest *g, const char *uri, struct error *err)
{
	if (g->line.incoming)
		return error_set(
			err, -EINVAL,
			"--incoming %.60s: the QEMU line has -incoming or -loadvm already; "
			"leave one of them out",
			uri);
	if (!strchr(uri, ':'))
		return error_set(err, -EINVAL,
				 "--incoming %.60s is no URI; QEMU's are tcp:HOST:PORT and "
				 "unix:PATH",
				 uri);
	/* QEMU would take the path from under whoever waits there, and nobody would find that one again */
	if (strncmp(uri, "unix:", 5) == 0 && place_is_taken(uri + 5))
		return error_set(err, -EADDRINUSE,
				 "--incoming %.120s: somebody waits there already; choose another "
				 "path, or end that one",
				 uri);
	g->line.incoming = true;
	g->line.incoming_uri = uri;
	return 0;
}

static void read_machine_id(char *to, size_t size)
{
	static const char *const files[] = { "/etc/machine-id", "/var/lib/dbus/machine-id" };

	to[0] = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(files) && to[0] == '\0'; i++) {
		int fd = open(files[i], O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, to, size - 1);

		fd_close(&fd);
		to[n > 0 ? n : 0] = '\0';
		to[strcspn(to, "\r\n")] = '\0';
	}
}

/* --nic, behind the ports of XML; without either one port `auto`. */
static int read_nics(struct guest *g, const struct guest_request *request, struct error *err)
{
	static const char *const default_nic[] = { "auto" };
	const char *const *texts = request->nics ? request->nic : default_nic;
	unsigned count = request->nics ? request->nics : g->ports == 0 && !request->interfaces;
	int rc = 0;

	if (g->ports + count > PORTS_MAX)
		return error_set(err, -ERANGE, "more than %d ports; a guest has at most that many",
				 PORTS_MAX);
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = nic_option_parse(&g->port[g->ports++], texts[i], cli_known(), err);
	return rc;
}

int guest_read_networks(struct network_list *list, const char *file, struct error *err)
{
	unsigned before = list->count;
	int rc = xml_read_networks(file, list, err);

	for (unsigned i = before; rc == 0 && i < list->count; i++) {
		unsigned line;

		rc = network_check(&list->item[i], &line, err);
		if (rc < 0)
			error_place(err, file, line);
	}
	return rc;
}

static int read_xml(struct guest *g, const struct guest_request *request, struct error *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < request->networks; i++)
		rc = guest_read_networks(&g->networks, request->network[i], err);
	if (rc == 0 && request->interfaces)
		rc = xml_read_interfaces(request->interfaces, &g->xml, err);
	return rc;
}

static void tell_notes(const struct guest *g, const char *file)
{
	for (unsigned i = 0; i < g->xml.notes; i++)
		log_warning("%s:%u: %s", file, g->xml.note[i].line, g->xml.note[i].text);
}

/* libvirt's pci.N is a controller of its <domain>. One that the user's line has is used; else the card gets a root port, as without
 * <address>. Its pci.0 is pcie.0 where there is PCI Express. */
static void fit_bus(struct guest *g, struct interface_spec *s)
{
	struct card_options *o = &s->port.nic[0].options;
	const char *target = g->has_line ? g->line.target : "";
	bool express =
		qemu_machine_bus(target, g->has_line ? g->line.machine : "") == QEMU_BUS_PCIE;

	if (!o->bus[0] || (g->has_line && qemu_line_has_id(&g->line, "device", o->bus)))
		return;
	if (strcmp(o->bus, "pci.0") == 0) {
		str_copy(o->bus, sizeof(o->bus), express ? "pcie.0" : "pci.0");
		return;
	}
	interface_warn(&g->xml, s->line,
		       "<address bus=...>: QEMU's line has no controller %s; the card is put where "
		       "there is room",
		       o->bus);
	o->bus[0] = o->addr[0] = '\0';
}

static int read_ports(struct guest *g, const struct guest_request *request, struct error *err)
{
	int place = request->place ? name_find(place_names, NIC_PLACE_COUNT, request->place) : 0;
	struct interface_rules rules = { .file = request->interfaces,
					 .target = g->has_line ? g->line.target : "",
					 .kvm = g->xml.kvm || (request->assume & BIT(ASSUME_KVM)),
					 .place = place > 0 ? (enum nic_place)place : PLACE_AUTO,
					 .known = cli_known() };
	int rc = 0;

	for (unsigned i = 0; i < g->xml.count; i++)
		fit_bus(g, &g->xml.item[i]);
	if (request->interfaces)
		rc = guest_networks(g, request, err);
	if (rc == 0 && request->interfaces) {
		rc = interfaces_to_ports(&g->xml, &rules, g->port, &g->ports, g->origin, err);
		tell_notes(g, request->interfaces);
	}
	return rc == 0 ? read_nics(g, request, err) : rc;
}

/* --place speaks for ports that do not say it themselves. */
static int set_places(struct guest *g, const char *place, struct error *err)
{
	int wish = place ? name_find(place_names, NIC_PLACE_COUNT, place) : PLACE_AUTO;

	if (wish < 0)
		return error_set(err, -EINVAL, "--place %.40s is not legal; it takes hosted, qemu",
				 place);
	for (unsigned p = 0; p < g->ports; p++)
		for (unsigned i = 0; i < g->port[p].nics; i++)
			if (g->port[p].nic[i].place == PLACE_AUTO)
				g->port[p].nic[i].place = (enum nic_place)wish;
	return 0;
}

/* Slots that are free on a machine without other devices: q35 and pc have 30, virt has one more. */
#define SLOTS 30
/* Windows of I/O ports (4 KiB for each root port) that a machine can give away. With SeaBIOS on q35 14 cards start and with
 * 15 it halts; the rest is for what the user's own line brings. Linux on virt has one more. */
#define IO_WINDOWS 14

static bool has_io_ports(const struct known_model *model, const struct nic_spec *nic)
{
	return model->io_ports && !(model->express_rev && nic->rev == model->express_rev);
}

/* What depends on the machine's bus: revisions that nobody chose, and whether all cards find a slot and I/O ports. */
static int fit_machine(struct guest *g, struct error *err)
{
	unsigned windows = 0, cards = 0;

	if (!g->has_line)
		return 0;
	bool express = qemu_machine_bus(g->line.target, g->line.machine) == QEMU_BUS_PCIE;
	for (unsigned p = 0; p < g->ports; p++)
		for (unsigned i = 0; i < g->port[p].nics; i++, cards++) {
			struct nic_spec *nic = &g->port[p].nic[i];
			const struct known_model *model = known_model_find(cli_known(), nic->model);

			if (nic->netdev != NETDEV_NONE)
				continue; /* QEMU knows what its own cards need */
			if (express && nic->rev < 0 && model->express_rev)
				nic->rev = model->express_rev;
			windows += express && has_io_ports(model, nic);
		}
	if (cards + (express ? g->spare_ports : 0) > SLOTS)
		return error_set(
			err, -EINVAL,
			"%u cards%s do not find a slot each: the machine has %d; use fewer "
			"ports, or ports with one card",
			cards + (express ? g->spare_ports : 0),
			express && g->spare_ports ? " and spare ports" : "", SLOTS);
	if (windows <= IO_WINDOWS)
		return 0;
	bool pc = qemu_machine_bus(g->line.target, "pc") != QEMU_BUS_NONE;
	return error_set(err, -EINVAL,
			 "%u cards with I/O ports do not fit behind root ports: there is room for "
			 "%d; use fewer%s, or cards without (igc, virtio-net with rev=1)",
			 windows, IO_WINDOWS, pc ? ", -machine pc" : "");
}

static int find_program(struct guest *g, const struct guest_request *request, struct error *err)
{
	const char *name = request->qemu_program    ? request->qemu_program
			   : request->qemu_argc > 0 ? request->qemu[0]
						    : NULL;
	int rc;

	if (request->qemu_version)
		rc = qemu_assume_version(&g->program, request->qemu_version, err);
	else if (name)
		rc = qemu_detect(&g->program, name, err);
	else
		return 0;
	g->has_program = rc == 0;
	return rc;
}

static int decide_places(struct guest *g, struct error *err)
{
	const struct qemu_program *program = g->has_program ? &g->program : NULL;

	for (unsigned p = 0; p < g->ports; p++) {
		int rc = qemu_place_port(&g->port[p], program, g->place_why[p], err);

		if (rc < 0) {
			error_of_port(err, &g->port[p]);
			return rc;
		}
	}
	return 0;
}

/* backend=auto becomes what dev= is on this host, so that everything after it sees a real backend. */
static int probe_backends(struct guest *g, struct error *err)
{
	for (unsigned i = 0; i < g->ports; i++) {
		int rc = host_probe(&g->port[i].backend, NULL, err);

		if (rc < 0) {
			error_of_port(err, &g->port[i]);
			return rc;
		}
	}
	return 0;
}

static int assume_line(struct guest *g, const struct guest_request *request, const char *machine,
		       struct error *err)
{
	const char *arch = g->xml.arch[0] ? g->xml.arch : "x86_64";
	int words = 1;

	(void)snprintf(g->assumed_program, sizeof(g->assumed_program), "qemu-system-%s",
		       strcmp(arch, "i686") == 0 ? "i386" : arch);
	g->assumed[0] =
		(char *)(request->qemu_program ? request->qemu_program : g->assumed_program);
	if (machine) {
		g->assumed[words++] = (char *)"-machine";
		g->assumed[words++] = (char *)machine;
	}
	int rc = qemu_line_parse(&g->line, g->assumed, words, err);
	g->has_line = rc == 0;
	return rc;
}

int guest_assume_line(struct guest *guest, const struct guest_request *request, struct error *err)
{
	bool team = false;

	for (unsigned i = 0; i < guest->ports; i++)
		team |= guest->port[i].policy == POLICY_TEAM;
	return assume_line(guest, request, team ? "q35" : NULL, err);
}

static void complete(const struct guest *guest, struct port_spec *ports, unsigned count)
{
	char machine_id[64];

	read_machine_id(machine_id, sizeof(machine_id));
	struct guest_identity who = { .machine_id = machine_id,
				      .uid = (unsigned)geteuid(),
				      .guest = guest->name };
	ports_complete(ports, count, &who);
}

int guest_prepare(struct guest *guest, const struct guest_request *request, struct error *err)
{
	int rc;

	memset(guest, 0, sizeof(*guest));
	guest->spare_ports = request->spare_ports;
	rc = read_xml(guest, request, err);
	if (rc == 0 && request->qemu_argc > 0) {
		rc = qemu_line_parse(&guest->line, request->qemu, request->qemu_argc, err);
		guest->has_line = rc == 0;
	} else if (rc == 0 && guest->xml.machine[0]) {
		rc = assume_line(guest, request, guest->xml.machine, err);
	}
	if (rc == 0 && request->incoming)
		rc = set_incoming(guest, request->incoming, err);
	if (rc == 0)
		rc = set_name(guest, request->name, err);
	if (rc == 0)
		rc = read_ports(guest, request, err);
	if (rc == 0)
		rc = set_places(guest, request->place, err);
	if (rc < 0)
		return rc;

	complete(guest, guest->port, guest->ports);
	rc = probe_backends(guest, err);
	if (rc == 0)
		rc = ports_validate(guest->port, guest->ports, cli_known(), err);
	if (rc == 0)
		rc = find_program(guest, request, err);
	if (rc == 0)
		rc = decide_places(guest, err);
	if (rc == 0)
		rc = fit_machine(guest, err);
	return rc == 0 && guest->has_line
		       ? qemu_line_check(&guest->line, guest->port, guest->ports, err)
		       : rc;
}

void guest_find_signals(const struct guest *guest, struct qemu_signals *signals)
{
	const struct qemu_program *q = &guest->program;
	struct error err;

	if (qemu_probe_signals(signals, q->path, guest->line.machine, q->major, q->minor, &err) < 0)
		log_warning("%s; what QEMU %u.%u is known for is used", err.text, q->major,
			    q->minor);
	qemu_limit_signals(signals, guest->line.target);
}

/* --- one more port ------------------------------------------------------------------------------------------------ */

/* The number behind the last alias of this kind, as libvirt counts them. */
static unsigned next_number(const struct port_spec *ports, unsigned count, const char *word)
{
	unsigned next = 0;
	uint64_t number;

	for (unsigned i = 0; i < count; i++)
		for (unsigned n = 0; n <= ports[i].nics; n++) {
			const char *id = n ? ports[i].nic[n - 1].id : ports[i].id;
			size_t len = strlen(word);

			if (strncmp(id, word, len) == 0 &&
			    parse_u64(id + len, 0, UINT16_MAX, &number) == 0)
				next = MAX(next, (unsigned)number + 1);
		}
	return next;
}

static int check_port(const struct guest *g, struct error *err)
{
	const struct port_spec *p = &g->port[0];

	if (g->ports != 1)
		return error_set(err, -EINVAL,
				 "that makes %u ports, and one is plugged at a time; next: a file "
				 "for each <interface>",
				 g->ports);
	if (p->backend.nfds)
		return error_set(err, -EINVAL,
				 "fd= is a descriptor that `anynic run` inherits, and a guest that "
				 "runs inherits no more; next: ifname=, or dev=");
	return 0;
}

static bool has_name(const struct port_spec *p, const char *name)
{
	bool has = strcmp(p->id, name) == 0;

	for (unsigned n = 0; n < p->nics; n++)
		has |= strcmp(p->nic[n].id, name) == 0;
	return has;
}

/* Before anything is taken: what a port has of a network, it has under its name. */
static int check_aliases(struct guest *more, const struct guest_request *request,
			 const struct port_spec *present, unsigned count, struct error *err)
{
	interfaces_name(&more->xml);
	for (unsigned i = 0; i < more->xml.count; i++) {
		const struct interface_spec *s = &more->xml.item[i];

		for (unsigned n = 0; n < count; n++) {
			if (!has_name(&present[n], s->alias))
				continue;
			int rc = error_set(err, -EINVAL,
					   "<alias name='%s'>: the guest has port %s of that name; "
					   "each needs its own",
					   s->alias, present[n].id);
			error_place(err, request->interfaces, interface_line(s, err->text));
			return rc;
		}
	}
	return 0;
}

/* Of what was read: the port, checked beside the others. */
static int make_port(struct guest *more, const struct guest_request *request,
		     const struct port_spec *present, unsigned count, struct error *err)
{
	static struct port_spec all[PORTS_MAX + 1];
	int rc = read_ports(more, request, err);

	if (rc == 0)
		rc = set_places(more, request->place, err);
	if (rc == 0)
		rc = check_port(more, err);
	if (rc < 0)
		return rc;
	memcpy(all, present, count * sizeof(all[0]));
	all[count] = more->port[0];
	complete(more, all, count + 1);
	more->port[0] = all[count];
	rc = probe_backends(more, err);
	all[count] = more->port[0];
	if (rc == 0)
		rc = ports_validate_last(all, count + 1, cli_known(), err);
	if (rc == 0)
		rc = decide_places(more, err);
	return rc == 0 ? fit_machine(more, err) : rc;
}

int guest_prepare_port(struct guest *more, const struct guest *guest,
		       const struct guest_request *request, const struct port_spec *present,
		       unsigned count, struct error *err)
{
	memset(more, 0, sizeof(*more));
	str_copy(more->name, sizeof(more->name), guest->name);
	more->line = guest->line;
	more->has_line = guest->has_line;
	more->program = guest->program;
	more->has_program = guest->has_program;
	more->networks = guest->networks;
	int rc = read_xml(more, request, err);
	more->xml.nets = next_number(present, count, "net");
	more->xml.hostdevs = next_number(present, count, "hostdev");
	if (rc == 0)
		rc = check_aliases(more, request, present, count, err);
	if (rc < 0)
		return rc;
	rc = make_port(more, request, present, count, err);
	if (rc < 0 && request->take)
		guest_give_back_networks(more);
	return rc;
}
