#include "qemu/builder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Machines with PCI, by target. A name matches itself and its versions: "virt", "virt-9.2". */
static const struct machine_row {
	const char *target;
	const char *machine; /* "" = when the line names none */
	enum qemu_bus bus;
	uint64_t memory; /* without -m */
} machine_rows[] = {
	{ "x86_64", "", QEMU_BUS_PCI, 128ull << 20 },
	{ "x86_64", "pc-q35", QEMU_BUS_PCIE, 128ull << 20 },
	{ "x86_64", "q35", QEMU_BUS_PCIE, 128ull << 20 },
	{ "x86_64", "pc", QEMU_BUS_PCI, 128ull << 20 },
	{ "aarch64", "virt", QEMU_BUS_PCIE, 128ull << 20 },
	{ "aarch64", "sbsa-ref", QEMU_BUS_PCIE, 1024ull << 20 },
	{ "riscv64", "virt", QEMU_BUS_PCIE, 128ull << 20 },
	{ "loongarch64", "", QEMU_BUS_PCIE, 1024ull << 20 },
	{ "loongarch64", "virt", QEMU_BUS_PCIE, 1024ull << 20 },
	{ "ppc64", "", QEMU_BUS_PCI, 512ull << 20 },
	{ "ppc64", "pseries", QEMU_BUS_PCI, 512ull << 20 },
};

/* Targets that share the rows of another. */
static const char *target_family(const char *target)
{
	static const char *const same[][2] = { { "i386", "x86_64" },
					       { "arm", "aarch64" },
					       { "riscv32", "riscv64" },
					       { "ppc64le", "ppc64" } };

	for (unsigned i = 0; i < ARRAY_SIZE(same); i++)
		if (strcmp(same[i][0], target) == 0)
			return same[i][1];
	return target;
}

static const struct machine_row *machine_find(const char *target, const char *machine)
{
	target = target_family(target);
	for (unsigned i = 0; i < ARRAY_SIZE(machine_rows); i++) {
		const struct machine_row *row = &machine_rows[i];
		size_t len = strlen(row->machine);

		if (strcmp(row->target, target) == 0 && strncmp(row->machine, machine, len) == 0 &&
		    (machine[len] == '\0' || (len > 0 && machine[len] == '-')))
			return row;
	}
	return NULL;
}

enum qemu_bus qemu_machine_bus(const char *target, const char *machine)
{
	const struct machine_row *row = machine_find(target, machine);

	return row ? row->bus : QEMU_BUS_NONE;
}

void builder_word(struct builder *b, const char *fmt, ...)
{
	struct qemu_arguments *a = b->out;
	va_list args;
	char *word;

	va_start(args, fmt);
	int rc = vasprintf(&word, fmt, args);
	va_end(args);
	char **more = rc < 0 ? NULL : realloc(a->argv, sizeof(*more) * ((size_t)a->argc + 2));
	if (!more) {
		if (rc >= 0)
			free(word);
		b->failed = true;
		return;
	}
	a->argv = more;
	a->argv[a->argc++] = word;
	a->argv[a->argc] = NULL;
	if (b->words)
		json_object_array_add(b->words, json_object_new_string(word));
}

/* The words that follow belong to this action. */
json_object *builder_begin(struct builder *b, const char *action, const char *why)
{
	json_object *o = json_object_new_object();

	b->words = json_object_new_array();
	json_object_object_add(o, "action", json_object_new_string(action));
	json_object_object_add(o, "why", json_object_new_string(why));
	json_object_object_add(o, "arguments", b->words);
	json_object_array_add(b->out->actions, o);
	return o;
}

void builder_end(struct builder *b)
{
	b->words = NULL;
}

static void add_network(struct builder *b)
{
	if (b->line->network || b->line->nodefaults)
		return;
	builder_begin(b, "no-default-nic",
		      "the line names no network, and QEMU would add a NIC of its own");
	builder_word(b, "-nic");
	builder_word(b, "none");
	builder_end(b);
}

static const struct qemu_memory_object *find_object(const struct qemu_line *line, const char *id)
{
	for (unsigned i = 0; i < line->objects; i++)
		if (strcmp(line->object[i].id, id) == 0)
			return &line->object[i];
	return NULL;
}

static int check_memory_use(const struct qemu_line *line, const struct qemu_memory_use *use,
			    struct error *err)
{
	static const char *const with_fd[] = { "memory-backend-memfd", "memory-backend-file",
					       "memory-backend-shm", "memory-backend-ram" };
	const struct qemu_memory_object *o = find_object(line, use->id);

	if (!o) /* QEMU says it, or a -readconfig file has it */
		return 0;
	if (name_find(with_fd, ARRAY_SIZE(with_fd), o->type) < 0)
		return error_set(
			err, -EINVAL,
			"guest memory '%s' (%s=) is a %s, which other processes cannot map; use "
			"memory-backend-memfd,id=%s,size=...,share=on, or place=qemu",
			o->id, use->option, o->type, o->id);
	if (!o->share)
		return error_set(err, -EINVAL,
				 "guest memory '%s' (%s=) is private, so that anynic's cards could "
				 "not reach it; add share=on to "
				 "-object %s,id=%s, or use place=qemu",
				 o->id, use->option, o->type, o->id);
	return 0;
}

static int check_memory(const struct qemu_line *line, struct error *err)
{
	for (unsigned i = 0; i < line->uses; i++) {
		int rc = check_memory_use(line, &line->use[i], err);
		if (rc < 0)
			return rc;
	}
	if (line->numa_nodes > 0 && line->numa_memdevs == 0)
		return error_set(
			err, -EINVAL,
			"-numa node without memdev=: give the nodes shared memory, as in -object "
			"memory-backend-memfd,id=m0,size=1G,share=on -numa node,memdev=m0");
	if (line->mem_path)
		return error_set(err, -EINVAL,
				 "-mem-path makes private memory that anynic's cards cannot reach; "
				 "write -object "
				 "memory-backend-file,id=mem,size=...,mem-path=...,share=on "
				 "-machine memory-backend=mem");
	return 0;
}

/* "512M" where it is whole, else bytes: QEMU reads a plain number here as bytes. */
static void format_size(char *to, size_t size, uint64_t bytes)
{
	if (bytes % (1u << 20) == 0)
		snprintf(to, size, "%lluM", (unsigned long long)(bytes >> 20));
	else
		snprintf(to, size, "%llu", (unsigned long long)bytes);
}

static void add_memory(struct builder *b)
{
	const struct qemu_line *line = b->line;
	char size[32];

	if (line->numa_memdevs > 0 || line->memory_backend[0] != '\0')
		return;
	format_size(size, sizeof(size), line->memory_given ? line->memory : b->memory);
	builder_begin(b, "memory",
		      "the cards are served by another process, which maps the guest's memory");
	builder_word(b, "-object");
	builder_word(b, "memory-backend-memfd,id=anynic-mem,size=%s,share=on", size);
	builder_word(b, "-machine");
	builder_word(b, "memory-backend=anynic-mem");
	builder_end(b);
}

/* Any monitor option makes QEMU leave out its own: give the user back what the line would have had. */
static void keep_default_monitor(struct builder *b)
{
	const struct qemu_line *line = b->line;

	if (line->monitor || line->nodefaults)
		return;
	builder_begin(b, "keep-monitor",
		      "with a monitor option QEMU leaves out the one that it makes by itself");
	if (line->nographic && !line->serial) {
		builder_word(b, "-serial");
		builder_word(b, "mon:stdio");
	} else {
		builder_word(b, "-monitor");
		builder_word(b, line->nographic ? "stdio" : "vc:80Cx24C");
	}
	builder_end(b);
}

/* QEMU 11.1 warns about -mon; older ones have no monitor objects. */
static bool has_monitor_objects(const struct qemu_program *p)
{
	return p && (p->major > 11 || (p->major == 11 && p->minor >= 1));
}

static void add_monitor(struct builder *b)
{
	builder_begin(
		b, "monitor",
		"anynic follows reset, shutdown, stop and resume over a QMP monitor of its own");
	builder_word(b, "-chardev");
	if (b->setup->qmp_fd >= 0)
		builder_word(b, "socket,id=anynic-qmp,fd=%d", b->setup->qmp_fd);
	else
		builder_word(b, "socket,id=anynic-qmp,fd=<fd>");
	if (has_monitor_objects(b->setup->program)) {
		builder_word(b, "-object");
		builder_word(b, "monitor-qmp,id=anynic-monitor,chardev=anynic-qmp");
	} else {
		builder_word(b, "-mon");
		builder_word(b, "chardev=anynic-qmp,mode=control");
	}
	builder_end(b);
	keep_default_monitor(b);
}

static void note_unread_file(struct builder *b)
{
	if (!b->line->readconfig)
		return;
	builder_begin(b, "note",
		      "the file of -readconfig was not read: what it says of memory, machine and "
		      "network is not known here");
	builder_end(b);
}

bool qemu_moves_links(const struct port_spec *ports, unsigned count)
{
	for (unsigned p = 0; p < count; p++)
		for (unsigned i = 0; i < ports[p].nics; i++)
			if (nic_link_is_qemus(&ports[p].nic[i]))
				return true;
	return false;
}

/* Whether a process of ours maps the guest's memory. */
static bool memory_is_mapped(const struct port_spec *ports, unsigned count)
{
	for (unsigned p = 0; p < count; p++)
		for (unsigned i = 0; i < ports[p].nics; i++)
			if (ports[p].nic[i].place != PLACE_QEMU)
				return true;
	return false;
}

/* Whether some process other than QEMU does: also that of a foreign vhost-user socket. */
static bool memory_is_shared(const struct port_spec *ports, unsigned count)
{
	for (unsigned p = 0; p < count; p++)
		if (strcmp(ports[p].backend.type, "vhostuser") == 0)
			return true;
	return memory_is_mapped(ports, count);
}

static void add_incoming(struct builder *b)
{
	if (!b->line->incoming_uri)
		return;
	builder_begin(b, "incoming", "the guest comes from the QEMU that connects here");
	builder_word(b, "-incoming");
	builder_word(b, "%s", b->line->incoming_uri);
	builder_end(b);
}

static void add_stop(struct builder *b)
{
	if (b->line->stopped || b->line->incoming)
		return;
	builder_begin(b, "start-stopped",
		      "QEMU's links are set before the first instruction of the guest, which "
		      "anynic then continues");
	builder_word(b, "-S");
	builder_end(b);
}

static int check_machine(const struct qemu_line *line, struct error *err)
{
	if (machine_find(line->target, line->machine))
		return 0;
	if (line->machine[0] == '\0')
		return error_set(
			err, -EINVAL,
			"qemu-system-%s has no default machine with PCI; add -machine virt",
			line->target);
	return error_set(err, -EINVAL,
			 "-machine %s: no PCI bus is known for it on %s; use pc, q35 or virt",
			 line->machine, line->target);
}

static int check_ids(const struct qemu_line *line, const struct port_spec *port, struct error *err)
{
	for (unsigned i = 0; i < port->nics; i++)
		if (qemu_line_has_id(line, "device", port->nic[i].id))
			return error_set(err, -EINVAL,
					 "the QEMU line has a device with id=%s already; choose "
					 "another id= for the port",
					 port->nic[i].id);
	return 0;
}

/* A machine without PCI Express plugs no transient card: QEMU drops it with a warning when the guest asks for it. */
static int check_team(const struct qemu_line *line, const struct port_spec *port, struct error *err)
{
	const struct machine_row *machine = machine_find(line->target, line->machine);
	bool x86 = strcmp(target_family(line->target), "x86_64") == 0;

	if (port->policy != POLICY_TEAM || !machine || machine->bus == QEMU_BUS_PCIE)
		return 0;
	return error_set(err, -ENOTSUP,
			 "port %s: a team needs a machine with PCI Express, and -machine %s has "
			 "none; %s",
			 port->id, line->machine[0] ? line->machine : "pc",
			 x86 ? "use -machine q35" : "use auto, or a single card");
}

/* A transient card is plugged when the guest runs here. */
static int check_incoming(const struct port_spec *ports, unsigned count, struct error *err)
{
	for (unsigned p = 0; p < count; p++)
		for (unsigned i = 0; i < ports[p].nics; i++) {
			const struct nic_spec *nic = &ports[p].nic[i];

			if (nic->netdev != NETDEV_NONE || nic->role == ROLE_TRANSIENT)
				continue;
			return error_set(err, -ENOTSUP,
					 "-incoming and -loadvm need the state of the guest's "
					 "cards, and QEMU does not carry that of %s, which "
					 "anynic serves; use place=qemu, also where the guest "
					 "comes from%s, or start the guest afresh",
					 nic->id,
					 strcmp(nic->model, "virtio-net") == 0
						 ? " (or transport=vhost-user)"
						 : "");
		}
	return 0;
}

int qemu_line_check(const struct qemu_line *line, const struct port_spec *ports, unsigned count,
		    struct error *err)
{
	int rc = check_machine(line, err);

	if (rc == 0 && line->incoming)
		rc = check_incoming(ports, count, err);
	if (rc == 0 && memory_is_shared(ports, count))
		rc = check_memory(line, err);
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = check_ids(line, &ports[i], err);
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = check_team(line, &ports[i], err);
	return rc;
}

int qemu_line_check_plug(const struct qemu_line *line, bool shares_memory,
			 const struct port_spec *port, struct error *err)
{
	int rc = check_machine(line, err);

	if (rc == 0)
		rc = check_ids(line, port, err);
	if (rc == 0)
		rc = check_team(line, port, err);
	if (rc < 0 || !memory_is_shared(port, 1) || shares_memory)
		return rc;
	rc = check_memory(line, err);
	if (rc < 0)
		return rc;
	return error_set(err, -ENOTSUP,
			 "the guest was started without a card of anynic's, so that its memory is "
			 "private and %s cannot be served; use place=qemu, or start the guest with "
			 "--spare-ports %u",
			 port->nic[0].id, port->nics);
}

/* Whether the user's own choice of memory, if any, lets other processes map it. */
static bool users_memory_is_shared(const struct qemu_line *line)
{
	return (line->numa_memdevs > 0 || line->memory_backend[0]) && check_memory(line, NULL) == 0;
}

/* For cards that come later, where QEMU could have them and the user chose nothing else. */
static bool memory_may_be_shared(const struct builder *b)
{
	const struct qemu_program *program = b->setup->program;

	return b->setup->spare_ports && program && program->vfio_user &&
	       check_memory(b->line, NULL) == 0;
}

static void share_memory(struct builder *b, const struct port_spec *ports, unsigned count)
{
	b->out->shares_memory = users_memory_is_shared(b->line);
	if (!memory_is_shared(ports, count) && !memory_may_be_shared(b))
		return;
	add_memory(b);
	b->out->shares_memory = true;
}

static int add_cards(struct builder *b, const struct port_spec *ports, unsigned count,
		     struct error *err)
{
	int rc = 0;

	for (unsigned p = 0; p < count && rc == 0; p++)
		for (unsigned i = 0; i < ports[p].nics && rc == 0; i++)
			if (ports[p].nic[i].netdev != NETDEV_HOSTDEV)
				rc = builder_card(b, &ports[p], &ports[p].nic[i], err);
	return rc;
}

struct function {
	const struct port_spec *port;
	const struct nic_spec *nic;
};

/* host_order 0 comes last. */
static bool is_before(const struct function *a, const struct function *b)
{
	return a->nic->host_order - 1 < b->nic->host_order - 1;
}

/* libvirt's order: devices of the host come after all cards, and those of networks after the rest. */
static int add_functions(struct builder *b, const struct port_spec *ports, unsigned count,
			 struct error *err)
{
	struct function sorted[PORTS_MAX * PORT_NICS];
	unsigned found = 0;
	int rc = 0;

	for (unsigned p = 0; p < count; p++)
		for (unsigned i = 0; i < ports[p].nics; i++) {
			struct function one = { &ports[p], &ports[p].nic[i] };
			unsigned at = found;

			if (one.nic->netdev != NETDEV_HOSTDEV || found == ARRAY_SIZE(sorted))
				continue;
			for (; at > 0 && is_before(&one, &sorted[at - 1]); at--)
				sorted[at] = sorted[at - 1];
			sorted[at] = one;
			found++;
		}
	for (unsigned i = 0; i < found && rc == 0; i++)
		rc = builder_card(b, sorted[i].port, sorted[i].nic, err);
	return rc;
}

/* What is told QEMU before the guest's first instruction. Cards of anynic's own come up as their port says, and those of a guest that
 * comes from elsewhere have the links that they had there. */
static void add_links(struct builder *b, const struct port_spec *port)
{
	bool by_policy = port->policy == POLICY_SWITCH;

	for (unsigned i = 0; i < port->nics; i++) {
		const struct nic_spec *nic = &port->nic[i];

		if (!nic_link_is_qemus(nic) || (port->link != LINK_DOWN && !by_policy) ||
		    b->line->incoming)
			continue;
		json_object *o = builder_begin(
				    b, "set_link",
				    by_policy ? "the link comes up when the port chooses it"
					      : "the link is down from the start"),
			    *qmp = json_object_new_object(), *told = json_object_new_object();
		builder_end(b);
		json_object_object_del(o, "arguments");
		json_object_object_add(o, "nic", json_object_new_string(nic->id));
		json_object_object_add(told, "name", json_object_new_string(nic->id));
		json_object_object_add(told, "up", json_object_new_boolean(false));
		json_object_object_add(qmp, "execute", json_object_new_string("set_link"));
		json_object_object_add(qmp, "arguments", told);
		json_object_object_add(o, "qmp", qmp);
	}
}

int qemu_arguments_build(struct qemu_arguments *a, const struct qemu_line *line,
			 const struct port_spec *ports, unsigned count,
			 const struct qemu_setup *setup, struct error *err)
{
	struct builder b = { .out = a, .line = line, .setup = setup };
	int rc = qemu_line_check(line, ports, count, err);

	*a = (struct qemu_arguments){ 0 };
	if (rc < 0)
		return rc;
	const struct machine_row *machine = machine_find(line->target, line->machine);
	if (!machine)
		return error_set(err, -EINVAL, "-machine %s: not known for %s", line->machine,
				 line->target);
	b.bus = machine->bus;
	b.memory = machine->memory;
	memcpy(b.chassis, line->chassis, sizeof(b.chassis));
	a->netdevs = json_object_new_array();
	a->chardevs = json_object_new_array();
	a->devices = json_object_new_array();
	a->actions = json_object_new_array();
	for (int i = 0; i < line->argc; i++)
		builder_word(&b, "%s", line->argv[i]);
	a->user_argc = a->argc;
	note_unread_file(&b);
	add_network(&b);
	share_memory(&b, ports, count);
	add_monitor(&b);
	if (qemu_moves_links(ports, count))
		add_stop(&b);
	add_incoming(&b);
	rc = add_cards(&b, ports, count, err);
	if (rc == 0)
		rc = add_functions(&b, ports, count, err);
	for (unsigned p = 0; p < count && rc == 0; p++)
		add_links(&b, &ports[p]);
	if (rc == 0)
		builder_spare_ports(&b, setup->spare_ports);
	if (rc == 0 && b.failed)
		rc = error_set(err, -ENOMEM, "out of memory");
	if (rc < 0)
		qemu_arguments_finish(a);
	return rc;
}

void qemu_arguments_finish(struct qemu_arguments *a)
{
	for (int i = 0; i < a->argc; i++)
		free(a->argv[i]);
	free(a->argv);
	json_object_put(a->netdevs);
	json_object_put(a->chardevs);
	json_object_put(a->devices);
	json_object_put(a->actions);
	*a = (struct qemu_arguments){ 0 };
}
